#!/bin/sh
# Durable intake: SMTP beside Postfix (smtp-source against both, same disk, same run; Postfix puts
# what it takes into its hold queue, so that neither delivers), HTTP one by one and in batches, and
# the latency at half of that load.
# usage: BUILD=build/gcc bench/intake.sh [MESSAGES [SECONDS]]
set -eu
PATH=$PATH:/usr/sbin
messages=${1:-20000} seconds=${2:-5} sessions=50 build=${BUILD:-build/gcc}
command -v smtp-source >/dev/null || { echo "SKIPPED: intake: smtp-source (Debian's postfix) is not installed"; exit 0; }
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-intake.XXXXXX")
daemon=
cleanup() {
    [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; }
    [ ! -d "$dir/postfix" ] || postfix -c "$dir/postfix" stop >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap cleanup EXIT INT TERM
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
elapsed() { # COMMAND...: seconds it took
    t0=$(date +%s.%N)
    "$@"
    echo "$(date +%s.%N) $t0" | awk '{ print $1 - $2 }'
}

# mailtide, whose one account refuses connections: everything it takes is held
cat >"$dir/mailtide.conf" <<EOF
state_dir = "$dir/state";
log_level = "error";
smtp: { listen = ["127.0.0.1:0"]; connections_per_ip_max = 1000; messages_per_connection = 1000000; };
http: { listen = ["127.0.0.1:0"]; connections_per_ip_max = 1000; };
dns: { servers = ["127.0.0.1:9"]; };
accounts: { closed: { type = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; }; };
applications: { bench: { anonymous = true; senders = ["*"]; accounts = ["closed"]; }; };
EOF
sed -i 's/log_level = "error"/log_level = "info"/' "$dir/mailtide.conf"
"$build/mailtided" -c "$dir/mailtide.conf" 2>"$dir/log" &
daemon=$!
until grep -q 'daemon.ready' "$dir/log"; do
    kill -0 "$daemon" || { cat "$dir/log"; exit 1; }
    sleep 0.05
done
smtp=$(sed -n 's/.*daemon.ready.* smtp=[^ ]*:\([0-9]*\) .*/\1/p' "$dir/log")
http=$(sed -n 's/.*daemon.ready.* http=[^ ]*:\([0-9]*\) .*/\1/p' "$dir/log")
source_at() { smtp-source -s $sessions -N -l 2048 -m "$messages" -d -f app@example.com -t u@client.asia "127.0.0.1:$1"; }
ours=$(elapsed source_at "$smtp")
echo "smtp_intake_mailtide $(echo "$messages $ours" | awk '{ printf "%.0f", $1 / $2 }') messages/s"

if [ "$(id -u)" -eq 0 ] && command -v postfix >/dev/null; then
    port=$(free_port)
    mkdir -p "$dir/postfix" "$dir/queue" "$dir/data"
    chown postfix "$dir/data"
    chmod 755 "$dir"
    cat >"$dir/postfix/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
myhostname = bench.test
maillog_file = $dir/postfix.log
maillog_file_prefixes = $dir
smtpd_client_restrictions = static:HOLD
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
default_process_limit = 200
EOF
    sed 's/^smtp      inet.*$/127.0.0.1:'"$port"' inet n - n - - smtpd/; s/^\(\S\+ \+\S\+ \+\S\+ \+\S\+ \+\)y/\1n/' \
        /usr/share/postfix/master.cf.dist >"$dir/postfix/master.cf"
    grep -q '^postlog' "$dir/postfix/master.cf" || echo 'postlog unix-dgram n - n - 1 postlogd' >>"$dir/postfix/master.cf"
    if postfix -c "$dir/postfix" start >"$dir/postfix.out" 2>&1; then
        peer_messages=$((messages / 10))
        i=0
        until smtp-source -f app@example.com -t u@client.asia "127.0.0.1:$port" 2>/dev/null; do
            i=$((i + 1))
            [ $i -lt 50 ] || break
            sleep 0.1
        done
        peer_at() { smtp-source -s $sessions -N -l 2048 -m "$peer_messages" -d -f app@example.com -t u@client.asia "127.0.0.1:$port"; }
        theirs=$(elapsed peer_at)
        echo "smtp_intake_postfix $(echo "$peer_messages $theirs" | awk '{ printf "%.0f", $1 / $2 }') messages/s"
        echo "smtp_intake_ratio $(echo "$messages $ours $peer_messages $theirs" | awk '{ printf "%.1f", ($1 / $2) / ($3 / $4) }') x"
    else
        echo "SKIPPED: Postfix did not start: $(tail -n 1 "$dir/postfix.out")"
    fi
else
    echo "SKIPPED: Postfix as a peer needs root"
fi

load() { "$build/bench/bench_http_load" "$http" "$@"; }
load 50 "$seconds" 5000 | sed 's/^/http_half_load_/'
load 50 "$seconds" | sed 's/^/http_single_/'
load 50 "$seconds" 0 50 | sed 's/^/http_batch_/'
