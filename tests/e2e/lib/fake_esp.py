"""An ESP's SMTP door with books of its own: every mail, when, to whom, and what was answered.

The judge of the tests: it counts by its own rules, on the clock that it shares with the daemon, and
was not written from mailtide's code. Faults come from a seeded generator:

    lost      the mail is taken, but the connection ends instead of a 250
    deferred  451 after the dot: not taken
    dropped   the connection ends in the middle of the message: not taken
"""
import email
import email.policy
import random
import re
import socketserver
import threading
import time
from datetime import datetime, timedelta, timezone

TOKEN = re.compile(r"tok-[0-9a-z]+-[0-9]+")


class Mail:
    """One mail that the ESP has taken (or refused: accepted is False)."""

    def __init__(self, at, sender, recipient, data, accepted, reply):
        self.at, self.sender, self.recipient = at, sender, recipient
        self.data, self.accepted, self.reply = data, accepted, reply

    def parsed(self):
        return email.message_from_bytes(self.data, policy=email.policy.default)

    def tokens(self):
        """What the sender of the test put in, found again: in the subject, in the text."""
        m = self.parsed()
        body = m.get_body(("plain",))
        text = str(m["Subject"]) + "\n" + (body.get_content() if body else "")
        return set(TOKEN.findall(text))


class _Session(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        esp = self.server.esp
        with esp.lock:
            esp.open_sessions += 1
        try:
            self.serve(esp)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            with esp.lock:
                esp.open_sessions -= 1

    def serve(self, esp):
        self.timeout = 60
        sender, recipients = None, []
        self.say("220 esp.test ESMTP")
        while True:
            line = self.rfile.readline(4096)
            if not line:
                return
            words = line.decode("utf-8", "replace").strip()
            verb = words.upper()
            if verb.startswith("EHLO"):
                self.say("250-esp.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 30000000")
            elif verb.startswith("MAIL FROM:"):
                sender, recipients = re.search("<(.*?)>", words)[1], []
                self.say("250 2.1.0 Ok")
            elif verb.startswith("RCPT TO:"):
                to = re.search("<(.*?)>", words)[1]
                refusal = esp.refuse(to)
                if refusal:
                    esp.book(Mail(esp.clock(), sender, to, b"", False, refusal))
                else:
                    recipients.append(to)
                self.say(refusal or "250 2.1.5 Ok")
            elif verb == "DATA":
                if not recipients:
                    self.say("554 5.5.1 No valid recipients")
                    continue
                self.say("354 Go ahead")
                if not self.take(esp, sender, recipients):
                    return
                sender, recipients = None, []
            elif verb == "RSET" or verb == "NOOP":
                recipients = []
                self.say("250 2.0.0 Ok")
            elif verb == "QUIT":
                self.say("221 2.0.0 Bye")
                return
            else:
                self.say("500 5.5.1 What?")

    def take(self, esp, sender, recipients):
        """The message up to the dot; False: the connection is to end."""
        lines = []
        fault = esp.fault()
        while True:
            line = self.rfile.readline()
            if not line.endswith(b"\r\n"):
                return False  # the peer died: nothing was taken
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
            if fault == "dropped":
                return False
        reply = "451 4.3.0 Try again later" if fault == "deferred" else "250 2.0.0 Ok: taken"
        for to in recipients:
            esp.book(Mail(esp.clock(), sender, to, b"".join(lines), fault != "deferred", reply))
        time.sleep(esp.delay)
        if fault == "lost":
            return False
        self.say(reply)
        return True


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 100


class FakeEsp:
    """clock: a function giving epoch seconds. day_limit: mails that it takes for one mailbox on a
    day of `zone_hours`; 0: any number. refusals: {address: reply to RCPT}. delay: seconds that it
    thinks before it answers a message."""

    def __init__(self, clock, day_limit=0, zone_hours=8, seed=0, faults=None, refusals=None,
                 delay=0, port=0):
        self.clock, self.day_limit = clock, day_limit
        self.zone = timezone(timedelta(hours=zone_hours))
        self.random, self.faults = random.Random(seed), faults or {}
        self.refusals, self.delay = refusals or {}, delay
        self.lock = threading.Lock()
        self.mails, self.counts, self.open_sessions, self.fault_counts = [], {}, 0, {}
        self.server = _Server(("127.0.0.1", port), _Session)
        self.server.esp = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def day(self, at):
        return datetime.fromtimestamp(at, self.zone).date()

    def book(self, mail):
        with self.lock:
            self.mails.append(mail)
            if mail.accepted:
                key = (mail.recipient.lower(), self.day(mail.at))
                self.counts[key] = self.counts.get(key, 0) + 1

    def taken(self):
        with self.lock:
            return [m for m in self.mails if m.accepted]

    def per_day(self):
        """{(recipient, day): mails taken}"""
        with self.lock:
            return dict(self.counts)

    def refuse(self, to):
        """The mailbox provider behind the ESP: what it says to one mail too many."""
        if to.lower() in self.refusals:
            return self.refusals[to.lower()]
        if self.day_limit and self.per_day().get((to.lower(), self.day(self.clock())), 0) >= self.day_limit:
            return "550 5.7.1 Connection frequency limited"
        return None

    def fault(self):
        with self.lock:
            dice = self.random.random()
            for name, share in self.faults.items():
                if dice < share:
                    self.fault_counts[name] = self.fault_counts.get(name, 0) + 1
                    return name
                dice -= share
        return None
