#!/bin/sh
# How many mails a second one account releases through an ESP's API over TLS, the server in a process
# of its own (bench_https_out.c says the rest).
# usage: BUILD=build/gcc bench/https.sh
set -eu
build=${BUILD:-build/gcc}
command -v openssl >/dev/null || { echo "SKIPPED: https: openssl is not installed"; exit 0; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/bench-https.XXXXXX")
trap 'rm -rf "$dir"' EXIT INT TERM
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
"$build/bench/bench_https_out" "$dir/cert.pem" "$dir/key.pem"
