#!/bin/sh
# How fast the daemon lets held mail go, from the store to the account: against Postfix's smtp-sink
# on loopback, and through a proxy that makes every answer 20 ms late; 50 connections.
# usage: BUILD=build/gcc bench/release.sh [MESSAGES [CONNECTIONS]]
set -eu
PATH=$PATH:/usr/sbin
messages=${1:-10000} connections=${2:-50} build=${BUILD:-build/gcc}
for need in smtp-source smtp-sink; do
    command -v $need >/dev/null || { echo "SKIPPED: release: $need (Debian's postfix) is not installed"; exit 0; }
done
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-release.XXXXXX")
trap 'rm -rf "$dir"' EXIT INT TERM
python3 - "$build/mailtided" "$dir" "$messages" "$connections" <<'PYTHON'
import asyncio, multiprocessing, os, re, socket, sqlite3, subprocess, sys, time

program, folder = sys.argv[1:3]
messages, connections = map(int, sys.argv[3:])
LATE_S = 0.020
SENT = 3  # of enum notification_state, as the store counts them


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def proxy(port, target):
    """Passes everything on, what the server says LATE_S later."""

    class Server(asyncio.Protocol):
        def __init__(self, client):
            self.client = client

        def connection_made(self, transport):
            self.client.has_server(transport)

        def data_received(self, data):
            loop.call_later(LATE_S, self.client.transport.write, data)

        def connection_lost(self, error):
            loop.call_later(LATE_S, self.client.transport.close)

    class Client(asyncio.Protocol):
        server, early = None, b""

        def connection_made(self, transport):
            self.transport = transport
            loop.create_task(loop.create_connection(lambda: Server(self), "127.0.0.1", target))

        def has_server(self, transport):
            self.server = transport
            transport.write(self.early)

        def data_received(self, data):
            if self.server:
                self.server.write(data)
            else:
                self.early += data

        def connection_lost(self, error):
            if self.server:
                self.server.close()

    async def serve():
        global loop
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Client, "127.0.0.1", port, backlog=1024)
        await server.serve_forever()

    asyncio.run(serve())


def until(what):
    end = time.monotonic() + 60
    while not (found := what()):
        if time.monotonic() > end:
            sys.exit("release: waited for a minute: " + open(f"{folder}/log").read()[-1000:])
        time.sleep(0.02)
    return found


def release(name, late):
    """Holds all while the account refuses connections, then opens it."""
    state, way_out, sink_port = f"{folder}/{name}", free_port(), free_port()
    with open(f"{folder}/mailtide.conf", "w") as conf:
        conf.write(f'''state_dir = "{state}";
smtp: {{ listen = ["127.0.0.1:0"]; }};
http: {{ listen = []; }};
dns: {{ servers = ["127.0.0.1:9"]; }};
accounts: {{ out: {{ type = "smtp"; host = "127.0.0.1"; port = {way_out}; tls = "none";
    connections = {connections}; backoff_min = "2s"; backoff_max = "2s"; }}; }};
applications: {{ bench: {{ anonymous = true; senders = ["*"]; accounts = ["out"]; }}; }};
''')
    log = open(f"{folder}/log", "w")
    daemon = subprocess.Popen([program, "-c", f"{folder}/mailtide.conf"], stderr=log)
    others = []
    try:
        ready = until(lambda: re.search(r"daemon.ready.* smtp=\S*?:(\d+) ", open(f"{folder}/log").read()))
        subprocess.run(["smtp-source", "-s", "50", "-N", "-l", "2048", "-m", str(messages), "-d", "-f",
                        "app@example.com", "-t", "u@client.asia", f"127.0.0.1:{ready[1]}"], check=True)
        if late:
            others.append(multiprocessing.Process(target=proxy, args=(way_out, sink_port)))
            others[0].start()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        others.append(subprocess.Popen(["smtp-sink", *user, f"127.0.0.1:{sink_port if late else way_out}",
                                        "1024"]))
        database = sqlite3.connect(f"file:{state}/mailtide.db?mode=ro", uri=True)
        query = f"SELECT count FROM tally WHERE what = {SENT}"
        sent = lambda: (database.execute(query).fetchone() or [0])[0]
        first, begin = until(sent), time.monotonic()
        until(lambda: sent() >= messages)
        print(f"release_{name} {(messages - first) / (time.monotonic() - begin):.0f} mails/s", flush=True)
    finally:
        daemon.terminate()
        daemon.wait()
        for other in others:
            other.terminate()


release("daemon", False)
release("daemon_late_20ms", True)
PYTHON
