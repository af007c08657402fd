#!/bin/sh
# Bounce mails a second: mailtide's reader beside sisimai (Debian's libsisimai-perl) over the same
# files, in turns. Needs the third-party mails at CORPORA; the peer is left out where it is missing.
# usage: CORPORA=DIR BUILD=build/gcc bench/bounces.sh [SECONDS_EACH] [ROUNDS]
set -eu
seconds=${1:-2} rounds=${2:-3}
build=${BUILD:-build/gcc}
mails=${CORPORA:-../shared/corpora}/bounces/sisimai
[ -d "$mails" ] || { echo "SKIPPED: bounces: no third-party mails in $mails"; exit 0; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
peer=yes
perl -MSisimai -e 1 2>/dev/null || { echo "SKIPPED: bounces: libsisimai-perl is not installed, no peer"; peer=; }
cat >"$dir/peer.pl" <<'EOF2'
use strict;
use Sisimai;
use Time::HiRes "time";
my ($folder, $seconds) = @ARGV;
my @files = grep { -f } glob("$folder/*");
my ($begin, $done, $recipients) = (time, 0, 0);
do {
    for my $file (@files) {
        my $found = Sisimai->can("rise") ? Sisimai->rise($file, delivered => 1) : Sisimai->make($file, delivered => 1);
        $recipients += @$found if $found;
        $done++;
    }
} while (time - $begin < $seconds);
printf "sisimai_bounces_per_s %.0f mails/s (version %s, %.2f recipients per mail)\n",
    $done / (time - $begin), $Sisimai::VERSION, $recipients / $done;
EOF2
i=0
while [ $i -lt "$rounds" ]; do
    "$build/bench/bench_bounces" "$mails" "$seconds" >>"$dir/ours"
    [ -z "$peer" ] || perl "$dir/peer.pl" "$mails" "$seconds" >>"$dir/theirs" 2>"$dir/errors" || { cat "$dir/errors"; exit 1; }
    i=$((i + 1))
done
cat "$dir/ours"
[ -n "$peer" ] || exit 0
cat "$dir/theirs"
median() { awk -v name="$1" '$1 == name { print $2 }' "$2" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ours=$(median bounces_per_s "$dir/ours") theirs=$(median sisimai_bounces_per_s "$dir/theirs")
awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "bounces_to_sisimai %.1f ratio (medians)\n", a / b }'
