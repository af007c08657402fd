#!/bin/sh
# Domains a second that get a verdict beside dnsperf asking MX of each and A of its first host, which
# is what a verdict needs, of the same nsd, as many under way, in turns. Twice: nsd tells the address
# along with the MX, which saves us the second question, or it tells what was asked for alone
# (minimal), and we ask the very same questions. Then a list through the command line.
# Needs nsd and dnsperf.
# usage: BUILD=build/gcc bench/verify.sh [SECONDS_EACH] [ROUNDS]
set -eu
PATH=$PATH:/usr/sbin
seconds=${1:-3} rounds=${2:-3} at_once=200
build=${BUILD:-build/gcc}
bench=verify

compare() { # "" or "_minimal", behind each name
    nsd_minimal=$([ -n "$1" ] && echo yes || echo no)
    . "$(dirname "$0")/lib/nsd"
    seq 1 20000 | awk '{ printf "d%d.test\n", $1 }' | shuf --random-source=/dev/zero >"$dir/domains"
    head -1 "$dir/domains" >"$dir/first"
    awk '{ printf "%s MX\nmx1.%s A\n", $1, $1 }' "$dir/domains" >"$dir/questions"
    awk '{ printf "ann@%s\nbob@%s\n", $1, $1 }' "$dir/domains" >"$dir/list"
    until_nsd_answers '(0 not deliverable' \
        "$build/bench/bench_verify" "127.0.0.1:$port" "$dir/first" 0.01 1
    i=0
    while [ $i -lt "$rounds" ]; do
        "$build/bench/bench_verify" "127.0.0.1:$port" "$dir/domains" "$seconds" $at_once >>"$dir/ours"
        dnsperf -s 127.0.0.1 -p "$port" -d "$dir/questions" -l "$seconds" -q $at_once -c 8 -e >>"$dir/peer" 2>&1
        i=$((i + 1))
    done
    sed "s/^\(verify[a-z_]*\)/\1$1/" "$dir/ours"
    awk -v s="$1" '/Queries per second/ { printf "dnsperf_queries_per_s%s %.0f queries/s\n", s, $4 }' "$dir/peer"
    ours=$(awk '/^verify_domains_per_s/ { print $2 }' "$dir/ours" | median)
    peer=$(awk '/Queries per second/ { print $4 }' "$dir/peer" | median)
    awk -v a="$ours" -v b="$peer" -v s="$1" 'BEGIN {
        printf "dnsperf_domains_per_s%s %.0f domains/s (two questions each)\n", s, b / 2
        printf "verify_to_dnsperf%s %.2f ratio (medians, domains)\n", s, a / (b / 2) }'
    printf 'dns: { servers = ["127.0.0.1:%s"]; };\n' "$port" >"$dir/conf"
    "$build/mailtide" verify -c "$dir/conf" -s "$dir/none" "$dir/list" 2>&1 >"$dir/out" | sed "s/^/verify_list$1: /"
}

(compare "")
(compare _minimal)
