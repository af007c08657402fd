#!/bin/sh
# What `mailtide verify` holds in memory while it goes through a list: resident size at tenths of it,
# and how much it grew from the first tenth to the end. Every address is another one, at 20,000 domains
# that are asked of nsd and come again and again, and at as many as it has addresses / 10 that do not
# exist. Needs nsd and dnsperf.
# usage: BUILD=build/gcc bench/verify_memory.sh [ADDRESSES]      e.g. 10000000, some minutes
set -eu
PATH=$PATH:/usr/sbin
size=${1:-500000}
build=${BUILD:-build/gcc}
bench=verify_memory
. "$(dirname "$0")/lib/nsd"
printf 'dns: { servers = ["127.0.0.1:%s"]; };\n' "$port" >"$dir/conf"
python3 - "$build/mailtide" "$dir" "$size" <<'EOF'
import os, re, subprocess, sys, threading, time

program, dir, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
worker = subprocess.Popen(["nice", program, "verify", "-c", f"{dir}/conf", "-s", f"{dir}/none"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

def feed():
    with worker.stdin as out:
        for at in range(0, size, 10000):
            out.write("".join(f"user{i}@" + (f"no{i // 10}.test\n" if i % 10 == 0 else f"d{i * 7919 % 20000 + 1}.test\n")
                              for i in range(at, min(at + 10000, size))).encode())

def resident():
    with open(f"/proc/{worker.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024

threading.Thread(target=feed, daemon=True).start()
start, rows, marks = time.monotonic(), -1, []  # the first line is the head
while piece := worker.stdout.read1(1 << 20):
    rows += piece.count(b"\n")
    if rows >= size * (len(marks) + 1) // 10:
        marks.append(resident())
        if len(marks) < 10:
            print(f"verify_memory_at_{len(marks)}0_percent {marks[-1]:.1f} MB", flush=True)
took = time.monotonic() - start
assert worker.wait() == 0 and rows == size, (worker.returncode, rows, worker.stderr.read()[-300:])
print(f"verify_memory_addresses {rows} addresses (in {took:.0f} s, {rows / took:.0f}/s)")
print(f"verify_memory_most {max(marks):.1f} MB")
print(f"verify_memory_growth {marks[-1] / marks[0]:.2f} times (from the first tenth to the end)")
EOF
