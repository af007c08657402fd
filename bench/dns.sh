#!/bin/sh
# Questions a second of mailtide's resolver beside dnsperf: the same nsd, the same questions, the
# same number under way, in turns. Needs nsd and dnsperf.
# usage: BUILD=build/gcc bench/dns.sh [SECONDS_EACH] [ROUNDS]
set -eu
PATH=$PATH:/usr/sbin
seconds=${1:-3} rounds=${2:-3} at_once=200
build=${BUILD:-build/gcc}
bench=dns
. "$(dirname "$0")/lib/nsd"
seq 1 20000 | awk '{ printf "d%d.test MX\n", $1 }' | shuf --random-source=/dev/zero >"$dir/questions"
until_nsd_answers '(0 failed' "$build/bench/bench_dns" "127.0.0.1:$port" "$dir/questions" 0.01 1
i=0
while [ $i -lt "$rounds" ]; do
    "$build/bench/bench_dns" "127.0.0.1:$port" "$dir/questions" "$seconds" $at_once >>"$dir/ours"
    dnsperf -s 127.0.0.1 -p "$port" -d "$dir/questions" -l "$seconds" -q $at_once -c 8 -e >>"$dir/peer" 2>&1
    i=$((i + 1))
done
cat "$dir/ours"
awk '/Queries per second/ { printf "dnsperf_queries_per_s %.0f queries/s\n", $4 }' "$dir/peer"
ours=$(awk '{ print $2 }' "$dir/ours" | median)
peer=$(awk '/Queries per second/ { print $4 }' "$dir/peer" | median)
awk -v a="$ours" -v b="$peer" 'BEGIN { printf "dns_resolver_to_dnsperf %.2f ratio (medians)\n", a / b }'
"$build/bench/bench_dns"
