#!/bin/sh
# Domains a second that get a verdict (MX, then A of the first host) beside dnsperf asking the very
# same questions of the same nsd, as many under way, in turns; then a list through the command line.
# Needs nsd and dnsperf.
# usage: BUILD=build/gcc bench/verify.sh [SECONDS_EACH] [ROUNDS]
set -eu
PATH=$PATH:/usr/sbin
seconds=${1:-3} rounds=${2:-3} at_once=200
build=${BUILD:-build/gcc}
bench=verify
. "$(dirname "$0")/lib/nsd"
seq 1 20000 | awk '{ printf "d%d.test\n", $1 }' | shuf --random-source=/dev/zero >"$dir/domains"
head -1 "$dir/domains" >"$dir/first"
awk '{ printf "%s MX\nmx1.%s A\n", $1, $1 }' "$dir/domains" >"$dir/questions"
awk '{ printf "ann@%s\nbob@%s\n", $1, $1 }' "$dir/domains" >"$dir/list"
tries=0
until "$build/bench/bench_verify" "127.0.0.1:$port" "$dir/first" 0.01 1 2>/dev/null | grep -q '(0 not deliverable'; do
    tries=$((tries + 1))
    sleep 0.05
    [ $tries -lt 100 ] || { echo "verify: nsd does not answer"; cat "$dir/log"; exit 1; }
done
i=0
while [ $i -lt "$rounds" ]; do
    "$build/bench/bench_verify" "127.0.0.1:$port" "$dir/domains" "$seconds" $at_once >>"$dir/ours"
    dnsperf -s 127.0.0.1 -p "$port" -d "$dir/questions" -l "$seconds" -q $at_once -c 8 -e >>"$dir/peer" 2>&1
    i=$((i + 1))
done
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
cat "$dir/ours"
awk '/Queries per second/ { printf "dnsperf_queries_per_s %.0f queries/s\n", $4 }' "$dir/peer"
ours=$(awk '/^verify_domains_per_s/ { print $2 }' "$dir/ours" | median)
peer=$(awk '/Queries per second/ { print $4 }' "$dir/peer" | median)
awk -v a="$ours" -v b="$peer" 'BEGIN {
    printf "dnsperf_domains_per_s %.0f domains/s (two questions each)\n", b / 2
    printf "verify_to_dnsperf %.2f ratio (medians, domains)\n", a / (b / 2) }'
printf 'dns: { servers = ["127.0.0.1:%s"]; };\n' "$port" >"$dir/conf"
"$build/mailtide" verify -c "$dir/conf" "$dir/list" 2>&1 >"$dir/out" | sed 's/^/verify_list: /'
