#!/bin/sh
# How well are sends chosen, and how good is the forecast? Replays the traces through the planner
# of the daemon (mailtide simulate) and prints what was measured beside what was aimed at. Ends with
# 1 when a target is missed, with 0 and a word when there are no traces.
#
#   TRACES=DIR   ant-design.tsv.xz, novu.tsv.xz, rails.tsv.xz; default ../shared/traces
#   BUILD=DIR    where mailtide was built
#   RESULTS=FILE the marked section "policy" of this file is written anew; default bench/RESULTS.md,
#                "" to leave it
set -eu
cd "$(dirname "$0")/.."
TRACES=${TRACES:-../shared/traces}
export BUILD="${BUILD:-build/gcc}" TRACES RESULTS="${RESULTS-bench/RESULTS.md}"
if ! [ -r "$TRACES/ant-design.tsv.xz" ]; then
    echo "bench-policy: skipped, no traces in $TRACES (set TRACES=DIR)"
    exit 0
fi
exec python3 bench/policy.py
