#!/usr/bin/env python3
"""What an operator meets: wrong owners, taken ports, a second daemon, a configuration with a slip, no
DNS, a stop in full swing, a backup and a machine to restore it on."""
import os
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_dns import FakeDns
from fake_esp import FakeEsp
from mailtide import BUILD, Clock, Daemon, Scratch, base_config, until

CONFIG = """
dns: {{ servers = ["127.0.0.1:{dns}"]; timeout = "100ms"; tries = 2; }};
store: {{ free_min = "0"; }};
sender_checks: {{ every = "0s"; }};
planner: {{ margin = "0s"; spread = "0s"; }};
streams: {{ notify: {{ digest = false; }}; careful: {{ digest = false; on_unknown = "hold"; }}; }};
accounts: {{ esp: {{ type = "smtp"; host = "127.0.0.1"; port = {esp}; tls = "none"; auth = "none"; connections = 50;
  unknown_wait = "1s"; }}; }};
applications: {{ app: {{ anonymous = true; senders = ["app.test"]; }}; }};
"""


class World:
    def __init__(self, delay=0):
        self.scratch, self.clock = Scratch(), Clock(rate=60)
        self.dns, self.esp = FakeDns({"client.asia": ["a.mx.slow.test"]}), FakeEsp(self.clock.now, delay=delay)
        os.makedirs(self.scratch / "schedules/providers")
        os.makedirs(self.scratch / "schedules/accounts")
        self.config = base_config(self.scratch, CONFIG.format(dns=self.dns.port, esp=self.esp.port))
        self.daemon = Daemon(self.scratch, self.config, self.clock)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.daemon.__exit__(*why)
        self.esp.__exit__()
        self.dns.__exit__()
        self.scratch.__exit__()

    def hand_in(self, n, stream="notify", **more):
        notes = [{"from": "n@app.test", "to": f"{stream}{i}@client.asia", "subject": f"tok-{stream}-{i}", "text": "Hello",
                  "stream": stream, **more} for i in range(n)]
        code, answer = self.daemon.http("POST", "/v1/notifications", notes)
        assert code == 202, (code, answer)
        return [a["id"] for a in answer["notifications"]]

    def seen(self):
        counts = {}
        for mail in self.esp.taken():
            for token in mail.tokens():
                counts[token] = counts.get(token, 0) + 1
        return counts

    def refused(self, config, preexec=None):
        """A daemon that does not start: its last words."""
        path = self.scratch.write("other.conf", config)
        done = subprocess.run([os.path.join(BUILD, "mailtided"), "-c", path], capture_output=True, text=True,
                              cwd=self.scratch.path, preexec_fn=preexec, timeout=30)
        assert done.returncode == 1, (done.returncode, done.stderr)
        return done.stderr.strip().split("\n")[-1]


def refusals_to_start():
    """Each says what, where, and what is wanted."""
    with World() as w:
        w.daemon.start()
        words = w.refused(w.config.replace('status.sock"', 'other.sock"'))
        assert "mailtide.db: is in use by process " in words, words
        other = w.config.replace('/state"', '/state2"').replace('status.sock"', 'other.sock"')
        for key in ("smtp", "http"):
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
                listen = f'{key}: {{ listen = ["127.0.0.1:'
                words = w.refused(other.replace(listen + "0", listen + str(port)))
                assert f"{key}.listen: " in words and f"127.0.0.1:{port}: Address already in use" in words, words
        words = w.refused(other.replace("other.sock", "nowhere/other.sock"))
        assert "status.socket: " in words and "nowhere/other.sock" in words, words
        if os.geteuid() == 0:
            os.chmod(w.scratch.path, 0o755)
            words = w.refused(w.config, lambda: os.setuid(65534))
            assert f"state_dir {w.scratch / 'state'}: Permission denied; it belongs to root with mode 0700, and mailtided " \
                "runs as nobody" in words, words
        for name in os.listdir(w.scratch / "state"):
            mode = os.stat(os.path.join(w.scratch / "state", name)).st_mode
            assert not mode & (stat.S_IRWXG | stat.S_IRWXO), f"{name} can be read by others: {mode:o}"


def refused_reload():
    """The old configuration goes on; that the new one was refused is told until a good one comes."""
    with World() as w:
        w.daemon.start()
        line = w.daemon.reload(w.config + "\nstroe: { keep = \"1d\"; };\n")
        assert "reload.refused" in line and "stroe: there is no such key; did you mean store?" in line, line
        alarm, = w.daemon.status()["alarms"]
        assert "stroe" in str(alarm) and "still in force" in str(alarm), alarm
        assert len(w.hand_in(1)) == 1
        assert "reload.done" in w.daemon.reload(w.config)
        until("no alarm", lambda: not w.daemon.status()["alarms"])


def no_dns():
    """Nobody answers: mail is taken, what may go without knowing goes, what may not is held, and says why."""
    with World() as w:
        w.dns.socket.close()
        w.daemon.start()
        w.hand_in(1)
        held, = w.hand_in(1, stream="careful")
        until("what may go has left", lambda: "tok-notify-0" in w.seen())
        note = until("held", lambda: [n for n in [w.daemon.notification(held)] if n["state"] == "held"])[0]
        assert "client.asia could not be verified yet" in note["reason"], note


def stop_in_full_swing():
    """SIGTERM with 300 mails under way: what is on the wire is awaited, the rest stays; nothing is lost or double."""
    with World(delay=0.3) as w:
        w.daemon.start()
        w.hand_in(300)
        until("under way", lambda: w.esp.open_sessions >= 20)
        began = time.monotonic()
        w.daemon.stop()
        assert time.monotonic() - began < 20, "it took its time"
        w.esp.delay = 0
        w.daemon.start()
        assert w.daemon.status()["attempts"]["unknown"] == 0
        w.daemon.wait_idle()
        seen = w.seen()
        assert len(seen) == 300 and set(seen.values()) == {1}, (len(seen), set(seen.values()))


def stop_while_it_hangs():
    """An ESP that never answers holds a stop up for its bound, no longer; the fates are unknown, and said to be."""
    with World(delay=3600) as w:
        w.daemon.start()
        ids = w.hand_in(20)
        until("all taken, none answered", lambda: len(w.esp.taken()) == 20)
        began = time.monotonic()
        w.daemon.stop()
        assert time.monotonic() - began < 20, "it took its time"
        w.esp.delay = 0
        w.daemon.start()
        w.daemon.wait_idle()
        for id in ids:
            tries = w.daemon.why("id", id)["attempts"]
            assert [(a["state"], a["may_be_double"]) for a in tries] == [("abandoned", False), ("accepted", True)], tries


def backup_and_restore():
    """A copy of a running daemon's store, while mail comes in, starts on another machine with all of it."""
    with World() as w:
        w.daemon.start()
        held = w.hand_in(50, not_before="2h")
        w.hand_in(20, stream="careful")
        until("sent", lambda: w.daemon.pending() == 50)
        copy = w.scratch / "copy.db"
        command = [os.path.join(BUILD, "mailtide"), "backup", "-c", w.daemon.config, copy]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0 and "whole and checked" in done.stdout, done
        assert os.stat(copy).st_mode & 0o777 == 0o600
        again = subprocess.run(command, capture_output=True, text=True)
        assert again.returncode == 1 and "File exists" in again.stderr, again
        before = w.daemon.status()["notifications"]
        w.hand_in(5, stream="careful")
        w.daemon.stop()
        os.makedirs(w.scratch / "elsewhere", 0o700)
        os.rename(copy, w.scratch / "elsewhere/mailtide.db")
        w.daemon = Daemon(w.scratch, w.config.replace('/state"', '/elsewhere"'), w.clock).start()
        assert w.daemon.status()["notifications"] == before
        note = w.daemon.notification(held[0])
        assert note["state"] == "held" and note["reason"], note


if __name__ == "__main__":
    sys.exit(suite.run([refusals_to_start, refused_reload, no_dns, stop_in_full_swing, stop_while_it_hangs,
                        backup_and_restore]))
