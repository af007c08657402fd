"""A real mailtided in a scratch folder: started, asked, signalled, killed, started again.

    with Scratch() as scratch:
        daemon = Daemon(scratch, config_text)
        daemon.start()
        ... daemon.smtp_port, daemon.http_port, daemon.status("/v1/status") ...
        daemon.stop()

Nothing here sleeps for a fixed time: until() asks again and again, up to a deadline.
"""
import http.client
import json
import math
import mmap
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from datetime import datetime, timezone

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build/gcc"))
PATIENCE = 30  # seconds: far more than anything here takes, sanitizers and a busy machine included


def until(what, probe, patience=PATIENCE):
    """Asks `probe` until it gives something true, and gives that; AssertionError after `patience`."""
    deadline = time.monotonic() + patience
    pause = 0.002
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s in vain for: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


class Scratch:
    """A folder that goes when the test ends; KEEP=1 in the environment leaves it to be looked at."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="mt-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.environ.get("KEEP"):
            print(f"kept: {self.path}")
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text):
        path = self / name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path


class Clock:
    """The clock that a daemon and the fakes around it share: wall = origin + (now - anchor) * rate."""

    def __init__(self, origin="2026-03-02T00:30:00Z", rate=1.0):
        self.origin = datetime.fromisoformat(origin.replace("Z", "+00:00")).timestamp()
        self.anchor = round(time.time(), 3)
        self.rate = rate

    def now(self):
        return self.origin + (time.time() - self.anchor) * self.rate

    def leap(self, seconds):
        """Steps forward; only for while no daemon runs."""
        self.origin += seconds

    @staticmethod
    def text(t):
        return datetime.fromtimestamp(t, timezone.utc).isoformat(timespec="milliseconds")

    def spec(self):
        return f"{self.text(self.origin)}@{self.rate:g}@{self.text(self.anchor)}"


class DrivenClock(Clock):
    """Goes as time goes, and is put forward over what nobody would do: src/io/loop/clock.h."""

    LOOK_S = 0.006  # sleepers look every 2 ms, and say then until when they sleep
    NEVER = 2 ** 63 - 1

    def __init__(self, scratch, origin):
        super().__init__(origin)
        self.path = scratch.write("clock", "\0" * 16)
        with open(self.path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 16)
        self.jumps = 0

    def now(self):
        return super().now() + self.word(0) / 1000

    def spec(self):
        return f"{super().spec()}@{self.path}"

    def word(self, at, value=None):
        if value is not None:
            struct.pack_into("=q", self.page, at, value)
        return struct.unpack_from("=q", self.page, at)[0]

    def pass_until(self, t, is_busy):
        """To `t`, by way of every instant that somebody waits for; none is passed while something is under way."""
        while (now := self.now()) < t:
            self.word(8, self.NEVER)
            time.sleep(self.LOOK_S)
            if is_busy():
                continue
            to = min(t, self.word(8) / 1000)
            if to > now + 0.02:
                self.word(0, self.word(0) + math.ceil((to - self.now()) * 1000))
                self.jumps += 1


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(connection, method, path, body=None, headers=None):
    """(status, parsed JSON or text) of one request on a connection of its own."""
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(text) if is_json else text
    finally:
        connection.close()


class Daemon:
    def __init__(self, scratch, config, clock=None, preexec=None):
        self.scratch, self.clock, self.preexec = scratch, clock, preexec
        self.config = scratch.write("mailtide.conf", config)
        self.log_path = scratch / "mailtided.log"
        self.socket = scratch / "status.sock"
        self.process = None
        self.smtp_port = self.http_port = None

    # -- its life

    def start(self, until_ready=True):
        mark = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        command = [os.path.join(BUILD, "mailtided"), "-c", self.config]
        if self.clock:
            command += ["--clock", self.clock.spec()]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.scratch.path,
                                            stdin=subprocess.DEVNULL, preexec_fn=self.preexec)
        if not until_ready:
            return self
        line = until("daemon.ready", lambda: self.logged("daemon.ready", mark) or self.must_live())
        self.smtp_port = int(re.search(r"smtp=127\.0\.0\.1:0:(\d+)", line)[1])
        self.http_port = int(re.search(r"http=127\.0\.0\.1:0:(\d+)", line)[1])
        return self

    def must_live(self):
        if self.process.poll() is not None:
            raise AssertionError(f"mailtided ended with {self.process.returncode}:\n{self.log()[-3000:]}")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(PATIENCE)

    def stop(self):
        """SIGTERM; whatever a sanitizer has found fails the test here."""
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGTERM)
            code = self.wait()
            assert code == 0, f"mailtided ended with {code}:\n{self.log()[-3000:]}"

    def kill(self):
        """SIGKILL: no time for last words."""
        self.signal(signal.SIGKILL)
        code = self.wait()
        assert code == -signal.SIGKILL, f"mailtided had ended by itself with {code}:\n{self.log()[-3000:]}"

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
            return
        print(f"-- the end of {self.log_path}:\n{self.log()[-2000:]}\n--")
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.wait()

    # -- what it says

    def log(self, since=0):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            f.seek(since)
            return f.read()

    def logged(self, what, since=0):
        """The last whole line with `what` in it, or None."""
        lines = [l for l in self.log(since).split("\n")[:-1] if what in l]
        return lines[-1] if lines else None

    def status(self, path="/v1/status", method="GET", body=None):
        code, answer = ask(UnixConnection(self.socket), method, path, body)
        assert code == 200, f"{method} {path}: {code} {answer}"
        return answer

    def http(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE)
        return ask(connection, method, path, body, headers)

    def reload(self, config):
        """SIGHUP with this configuration; the line that says what came of it."""
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(config)
        mark = os.path.getsize(self.log_path)
        self.signal(signal.SIGHUP)
        return until("the reload", lambda: self.logged(" reload.", mark))

    def pending(self):
        counts = self.status()["notifications"]
        return counts["accepted"] + counts["held"] + counts["releasing"]

    def wait_idle(self, patience=PATIENCE):
        until("nothing pending", lambda: self.pending() == 0, patience)

    def notification(self, id):
        return self.status(f"/v1/notifications/{id}")

    def why(self, key, value):
        """All pages of /v1/why as one."""
        whole, after = None, ""
        while True:
            page = self.status(f"/v1/why?{key}={value}&most=1000&after={after}")
            if whole is None:
                whole = page
            else:
                for part in ("notifications", "attempts"):
                    have = {x["id"] for x in whole[part]}
                    whole[part] += [x for x in page[part] if x["id"] not in have]
                whole["journal"] += page["journal"]
            after = page.get("next")
            if not after:
                return whole


def base_config(scratch, more):
    return f"""
state_dir = "{scratch / 'state'}";
schedules = ["{scratch / 'schedules'}"];
smtp: {{ listen = ["127.0.0.1:0"]; hostname = "gate.test"; }};
http: {{ listen = ["127.0.0.1:0"]; }};
status: {{ socket = "{scratch / 'status.sock'}"; }};
{more}
"""


def outbox(scratch):
    """The mails in the outbox, oldest first, as bytes."""
    folder = scratch / "state/outbox/new"
    if not os.path.isdir(folder):
        return []
    mails = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            mails.append(f.read())
    return mails
