#!/bin/sh
# Does the daemon do what the simulator says? A week of the ant-design trace through SMTP into the
# lab's QQ with ten a day, on a driven clock: what is refused (nothing), and the mean delay beside
# the simulated one.
#
#   TRACES=DIR   ant-design.tsv.xz; default ../shared/traces
#   BUILD=DIR    where mailtide was built
set -eu
cd "$(dirname "$0")/.."
if ! [ -r "${TRACES:-../shared/traces}/ant-design.tsv.xz" ]; then
    echo "daemon_week: skipped, no traces (set TRACES=DIR)"
    exit 0
fi
said=$(DAYS=7 python3 tests/e2e/trace.py 2>&1) || {
    echo "$said"
    exit 1
}
echo "$said" | grep '^daemon_'
