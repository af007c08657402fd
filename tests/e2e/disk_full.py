#!/usr/bin/env python3
"""The disk runs full under load: refusals by name, nothing lost, recovery by itself.

Root gets a small tmpfs. Elsewhere, and where a sandbox forbids to mount, a file size limit of the
daemon stands for the full disk: the same errors come out of the same system calls.
"""
import http.client
import os
import resource
import signal
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_dns import FakeDns
from fake_esp import FakeEsp
from mailtide import Clock, Daemon, Scratch, base_config, until

RATE = 600  # ten minutes a second
MB = 1 << 20
FULL_AT = 6 * MB
CONFIG = """
dns: {{ servers = ["127.0.0.1:{dns}"]; }};
store: {{ path = "{disk}/mailtide.db"; free_min = "{free_min}"; }};
planner: {{ margin = "1min"; spread = "0s"; }};
streams: {{ notify: {{ digest = false; }}; }};
accounts: {{ esp: {{ type = "smtp"; host = "127.0.0.1"; port = {esp}; tls = "none"; auth = "none"; }}; }};
applications: {{ app: {{ anonymous = true; senders = ["app.test"]; }}; }};
"""


class Tmpfs:
    """A disk of 6 MB, most of it taken by a file that can be removed."""

    preexec = None

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL_AT + 4 * MB}", "tmpfs", folder],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise suite.Skip(f"tmpfs cannot be mounted: {done.stderr.strip()}")
        self.take()

    def take(self):
        with open(os.path.join(self.folder, "filler"), "wb") as f:
            f.write(b"x" * 4 * MB)

    def free(self, _):
        os.unlink(os.path.join(self.folder, "filler"))

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


class FileSize:
    """No file of the daemon may grow beyond 6 MB."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)

    @staticmethod
    def preexec():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_AT, resource.RLIM_INFINITY))

    def free(self, daemon):
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self):
        pass


def smtp(daemon, i, more="", size=30000):
    """(token, code, reply) of one mail."""
    token = f"tok-smtp-{i}"
    with smtplib.SMTP("127.0.0.1", daemon.smtp_port, timeout=20) as c:
        c.ehlo("test")
        for code, reply in (c.mail("n@app.test"), c.rcpt(f"p{i}@client.asia")):
            if code != 250:
                return token, code, reply.decode()
        code, reply = c.data(f"From: n@app.test\r\nSubject: {token}\r\n{more}\r\n" + (f"{i:70}\r\n" * (size // 72)))
        return token, code, reply.decode()


def post(daemon, i):
    token = f"tok-http-{i}"
    note = {"from": "n@app.test", "to": f"h{i}@client.asia", "subject": token, "text": f"{i:70}\n" * 400}
    code, answer = daemon.http("POST", "/v1/notifications", note)
    return token, code, answer


def fill(daemon, promised):
    """Hands in until both doors refuse by name, ten times each; what was taken goes to `promised`."""
    refused = {"smtp": 0, "http": 0}
    for i in range(1000):
        token, code, reply = smtp(daemon, i)
        if code == 250:
            promised.append(token)
        else:
            assert code == 452 and reply.startswith("4.3.1 ") and len(reply) > 20, (code, reply)
            refused["smtp"] += 1
        token, code, answer = post(daemon, i)
        if code == 202:
            promised.append(token)
        else:
            assert code == 503 and answer["error"]["code"] == "store_full", (code, answer)
            refused["http"] += 1
        if min(refused.values()) >= 10:
            return reply
    raise AssertionError(f"the disk never ran full: {refused}")


def check_stopped(daemon, esp):
    """While it is full: it says so, and nothing leaves though it is due."""
    s = daemon.status()
    assert not s["accepting"] and s["not_accepting"] and not s["store"]["ok"], s
    code, answer = daemon.http("GET", "/healthz")
    assert code == 503, (code, answer)
    until("what was under way is over", lambda: daemon.status()["queues"]["flying"] == 0)
    gone, since = len(esp.taken()), daemon.clock.now()
    until("half an hour has passed", lambda: daemon.clock.now() > since + 1800)
    assert not daemon.status()["store"]["ok"], "there is room again, and nobody made any"
    assert len(esp.taken()) == gone, "mail left that could not be booked"
    assert daemon.pending() > 0, "nothing was due: the test is void"


def world(test, make, free_min):
    """A daemon whose store lies on a disk made by `make`; test(daemon, esp, disk)."""
    clock = Clock(rate=RATE)
    with Scratch() as scratch, FakeDns({"client.asia": ["a.mx.slow.test"]}) as dns, FakeEsp(clock.now) as esp:
        os.makedirs(scratch / "schedules/providers")
        os.makedirs(scratch / "schedules/accounts")
        disk = make(scratch / "disk")
        try:
            config = CONFIG.format(dns=dns.port, esp=esp.port, disk=disk.folder, free_min=free_min)
            with Daemon(scratch, base_config(scratch, config), clock, disk.preexec) as daemon:
                test(daemon, esp, disk)
        finally:
            disk.close()


def due_soon(daemon):
    """Ten mails that fall due while the disk is full."""
    promised = []
    for i in range(1000, 1010):
        token, code, reply = smtp(daemon, i, "X-Mailtide-Not-Before: 15min\r\n", 100)
        assert code == 250, (code, reply)
        promised.append(token)
    return promised


def check_recovery(daemon, esp, promised):
    """By itself, and with all that was promised: each once, and nothing else."""
    until("it takes mail again", lambda: daemon.status()["accepting"])
    token, code, _ = smtp(daemon, 2000)
    assert code == 250
    daemon.wait_idle()
    seen = [t for m in esp.taken() for t in m.tokens()]
    missing = set(promised + [token]) - set(seen)
    assert not missing, f"acknowledged and lost: {sorted(missing)}"
    assert len(seen) == len(set(seen)) == len(promised) + 1, "something came twice or unasked"
    assert daemon.status()["attempts"]["unknown"] == 0


def full(daemon, esp, disk):
    promised = due_soon(daemon)
    reply = fill(daemon, promised)
    check_stopped(daemon, esp)
    disk.free(daemon)
    check_recovery(daemon, esp, promised)
    print(f"{len(promised)} taken before it was full; then: 452 {reply}")


def low(daemon, esp, disk):
    """Less room than store.free_min: nothing more is taken in, what is there leaves as ever."""
    disk.free(daemon)
    until("it takes mail", lambda: daemon.status()["accepting"])
    promised = due_soon(daemon)
    disk.take()
    until("it is told", lambda: not daemon.status()["accepting"])
    reply = fill(daemon, promised)
    assert "must stay free" in reply, reply
    until("what is due has left", lambda: len(esp.taken()) == len(promised))
    assert not daemon.status()["accepting"], "there is room again, and nobody made any"
    disk.free(daemon)
    check_recovery(daemon, esp, promised)


def tmpfs_full():
    world(full, Tmpfs, "0")


def tmpfs_low():
    world(low, Tmpfs, "8M")


def file_size_limit():
    world(full, FileSize, "0")


if __name__ == "__main__":
    sys.exit(suite.run([tmpfs_full, tmpfs_low, file_size_limit]))
