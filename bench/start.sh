#!/bin/sh
# A start with a million held notifications of as many recipients: from exec until a message is
# accepted over SMTP, until all are loaded, and the memory then.
# usage: BUILD=build/gcc bench/start.sh [HELD]
set -eu
held=${1:-1000000} build=${BUILD:-build/gcc}
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-start.XXXXXX")
trap 'rm -rf "$dir"' EXIT INT TERM
mkdir "$dir/state"
"$build/bench/bench_fill" "$dir/state/mailtide.db" "$held" 2>/dev/null
python3 - "$build/mailtided" "$dir" "$held" <<'PYTHON'
import re, smtplib, socket, subprocess, sys, time

program, folder, held = sys.argv[1:]
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
with open(f"{folder}/mailtide.conf", "w") as conf:
    conf.write(f'''state_dir = "{folder}/state";
smtp: {{ listen = ["127.0.0.1:{port}"]; }};
http: {{ listen = []; }};
dns: {{ servers = ["127.0.0.1:9"]; }};
accounts: {{ closed: {{ type = "smtp"; host = "127.0.0.1"; port = 9; tls = "none"; }}; }};
applications: {{ bench: {{ anonymous = true; senders = ["*"]; accounts = ["closed"]; }}; }};
''')


def until(what, most_s=120):
    end = time.monotonic() + most_s
    while not (found := what()):
        if time.monotonic() > end or daemon.poll() is not None:
            sys.exit("start: " + open(f"{folder}/log").read()[-2000:])
        time.sleep(0.002)
    return found


def accepted():
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
            smtp.sendmail("app@app.example", ["new@d1.example"],
                          "From: app@app.example\r\nSubject: first\r\n\r\nfirst\r\n")
        return True
    except ConnectionRefusedError:
        return False


def memory_mb():
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{daemon.pid}/status").read())[1]) / 1024


def loaded():
    return re.search(r"restart.loaded groups=(\d+)", open(f"{folder}/log").read())


begin = time.monotonic()
daemon = subprocess.Popen([program, "-c", f"{folder}/mailtide.conf"],
                          stderr=open(f"{folder}/log", "w"))
try:
    until(accepted)
    print(f"start_accepting {time.monotonic() - begin:.3f} s")
    groups = until(loaded)[1]
    print(f"start_loaded {time.monotonic() - begin:.2f} s")
    print(f"start_groups {groups} groups")
    print(f"start_memory {memory_mb():.0f} MiB")
    print(f"start_memory_each {memory_mb() * 2**20 / int(groups):.0f} bytes")
finally:
    daemon.terminate()
    daemon.wait()
if int(groups) < int(held):
    sys.exit(f"start: {groups} groups were loaded, {held} are held")
PYTHON
