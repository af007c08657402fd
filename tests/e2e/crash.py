#!/usr/bin/env python3
"""The daemon under load, killed with SIGKILL at random instants, and what is left of its promises.

Applications hand in mail by SMTP and HTTP all the time; an ESP that loses answers, defers and hangs
up takes what is released; each mailbox takes a few mails a day. Between a kill and the next start
the clock may leap, so that days pass. In the end everything is let drain, and then:

  - every acknowledged notification has met exactly one fate and is in the ESP's books;
  - no mailbox got more than its limit on any day, by the ESP's books, and nothing was refused;
  - nothing was seen twice but what an attempt of unknown fate had carried before, and each mail
    that could be a double was marked so before it left.

The same with SIGTERM in place of SIGKILL: an orderly stop leaves no fate unknown, nothing is double.

CRASH_ROUNDS=200 and SEED=... in the environment for more rounds, or for the same ones.
"""
import http.client
import os
import random
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from applications import Application, end_all, still
from fake_dns import FakeDns
from fake_esp import FakeEsp
from mailtide import Clock, Daemon, Scratch, ask, base_config, until

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "25"))
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1_000_000))))
RATE = 600  # ten minutes a second: margins and waits of minutes are moments here
DAY_LIMIT = 6
MAILBOXES = 16
PEOPLE = [f"p{i}@client{i % 4}.asia" for i in range(MAILBOXES)]
DAY = 86400

PROVIDER = """
title = "A provider of this test";
mx = [".mx.slow.test"];
limits: {
    mailbox-day: {
        scope = "recipient"; count = %d; window = "day"; zone = "Asia/Shanghai"; counts = "attempts";
        source = "configured"; reference = "this test"; date = "2026-11-21"; confidence = "high";
    };
};
""" % DAY_LIMIT

CONFIG = """
dns: {{ servers = ["127.0.0.1:{dns}"]; }};
store: {{ free_min = "0"; }};
planner: {{ margin = "20min"; spread = "10min"; reserve = 2; }};
digest: {{ items_max = 1000; }};
accounts: {{
  esp: {{
    type = "smtp"; host = "127.0.0.1"; port = {esp}; tls = "none"; auth = "none"; connections = 4;
    backoff_min = "1s"; backoff_max = "5min"; unknown_wait = "20min";
  }};
}};
applications: {{
  app: {{ anonymous = true; senders = ["app.test"]; }};
}};
"""


class Books:
    """What the applications were promised: {token: (recipient, id or None)}."""

    def __init__(self):
        self.lock = threading.Lock()
        self.count, self.promised, self.unsure = 0, {}, set()

    def token(self, kind):
        with self.lock:
            self.count += 1
            return f"tok-{kind}-{self.count}"

    def promise(self, token, recipient, id):
        with self.lock:
            self.promised[token, recipient] = id

    def cannot_tell(self, token, recipient):
        with self.lock:
            self.unsure.add((token, recipient))


class SmtpApplication(Application):
    def hand_in(self):
        books, daemon = self.world.books, self.world.daemon
        try:
            with smtplib.SMTP("127.0.0.1", daemon.smtp_port, timeout=10) as client:
                for _ in range(self.dice.randrange(1, 6)):
                    to = self.dice.sample(PEOPLE, self.dice.choice((1, 1, 2, 4)))
                    token = books.token("smtp")
                    urgent = "X-Mailtide-Stream: urgent\r\n" if self.dice.random() < 0.1 else ""
                    text = f"From: n@app.test\r\nTo: {', '.join(to)}\r\nSubject: {token}\r\n{urgent}\r\nOne {token}.\r\n"
                    self.send(client, books, to, token, text)
        except (OSError, smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError):
            pass

    @staticmethod
    def must(answer):
        """The reply to what has to go well; a daemon that is stopping says so with 421."""
        code, reply = answer
        if code == 421:
            raise smtplib.SMTPServerDisconnected(reply)
        assert code == 250, answer
        return reply

    def send(self, client, books, to, token, text):
        for person in to:
            books.cannot_tell(token, person)
        client.ehlo_or_helo_if_needed()
        self.must(client.mail("n@app.test"))
        for person in to:
            self.must(client.rcpt(person))
        reply = self.must(client.data(text))
        id = reply.decode().rsplit(" ", 1)[1]
        for i, person in enumerate(to):
            books.promise(token, person, id if i == 0 else None)


class HttpApplication(Application):
    """With an Idempotency-Key of its own for each: cut off, it asks again, the same."""

    def hand_in(self):
        books, daemon = self.world.books, self.world.daemon
        if not self.waiting:
            token, to = books.token("http"), self.dice.choice(PEOPLE)
            self.waiting = {"from": "n@app.test", "to": to, "subject": token, "text": f"One {token}.", "key": token}
        note = self.waiting
        books.cannot_tell(note["subject"], note["to"])
        connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=10)
        try:
            code, answer = ask(connection, "POST", "/v1/notifications", note)
        except (OSError, http.client.HTTPException):
            return
        if code == 503 and "stopping" in answer["error"]["message"]:
            return
        assert code == 202, (code, answer)
        books.promise(note["subject"], note["to"], answer["notifications"][0]["id"])
        self.waiting = None


class World:
    def __init__(self, scratch, dns, esp, clock):
        self.books, self.stop, self.open = Books(), threading.Event(), threading.Event()
        scratch.write("schedules/providers/slow.conf", PROVIDER)
        os.makedirs(scratch / "schedules/accounts", exist_ok=True)
        config = base_config(scratch, CONFIG.format(dns=dns.port, esp=esp.port))
        self.daemon, self.esp, self.clock = Daemon(scratch, config, clock), esp, clock
        kinds = (SmtpApplication, SmtpApplication, HttpApplication, HttpApplication)
        self.applications = [kind(self, SEED + i) for i, kind in enumerate(kinds)]

    def live(self, dice, kill):
        """One life: ended while it starts (if killed), just after, or in full swing."""
        starts = kill and dice.random() < 0.15
        self.daemon.start(until_ready=not starts)
        if not starts:
            self.open.set()
        time.sleep(dice.choice((0.02, 0.1, 0.3, 0.6)) * dice.random())  # the random instant
        self.open.clear()
        if kill:
            self.daemon.kill()
        else:
            self.daemon.stop()
        until("the ESP's sessions end", lambda: self.esp.open_sessions == 0)
        if dice.random() < 0.25:
            self.clock.leap(dice.uniform(1, 8) * 3600)

    def end_load(self):
        self.daemon.start()
        self.open.set()
        end_all(self.applications, self.stop)

    def drain(self):
        """Days pass, by leaps, until nothing is pending; the ESP has come to its senses."""
        self.esp.faults = {}
        for _ in range(60):
            is_same = still(0.5)

            def settled():
                s = self.daemon.status()
                busy = s["queues"]["flying"] or s["attempts"]["flying"] or s["attempts"]["unknown"]
                return is_same(s) and not busy or self.daemon.pending() == 0

            until("the day's mail has left", settled, 60)
            if self.daemon.pending() == 0:
                return
            self.daemon.stop()
            self.clock.leap(DAY / 3)
            self.daemon.start()
        raise AssertionError(f"still pending: {self.daemon.status('/v1/queue?most=5')}")


def seen(esp):
    """{(token, recipient): how often the ESP took it}"""
    counts = {}
    for mail in esp.taken():
        for token in mail.tokens():
            key = (token, mail.recipient.lower())
            counts[key] = counts.get(key, 0) + 1
    return counts


def check_fates(world, counts):
    """Each promise kept; nothing that nobody handed in."""
    for (token, to), id in world.books.promised.items():
        assert counts.get((token, to)), f"{token} to {to} ({id}) was acknowledged and never arrived"
        if id:
            state = world.daemon.notification(id)["state"]
            assert state == "sent", f"{token} to {to} ({id}) is {state}"
    for key in counts:
        assert key in world.books.unsure, f"{key} was never handed in"


def check_limits(world):
    for (recipient, day), n in world.esp.per_day().items():
        assert n <= DAY_LIMIT, f"{recipient} got {n} mails on {day}"
    refused = [m for m in world.esp.mails if not m.accepted and m.reply.startswith("5")]
    assert not refused, f"{len(refused)} mails were refused for the limit, first to {refused[0].recipient}"


def check_doubles(world, counts):
    """What came more than once: each time more needs an attempt that ended without news."""
    doubles, marked, lost = 0, 0, 0
    for person in sorted({to for _, to in world.books.promised}):
        why = world.daemon.why("recipient", person)
        marked += sum(a["may_be_double"] for a in why["attempts"])
        lost += sum(a["state"] == "abandoned" for a in why["attempts"])
        twice = {t: n for (t, to), n in counts.items() if to == person and n > 1}
        for note in why["notifications"] if twice else []:
            n = twice.get(note["subject"], 1)
            if n == 1:
                continue
            doubles += 1
            tries = world.daemon.why("id", note["id"])["attempts"]
            without_news = [a for a in tries if a["state"] == "abandoned"]
            assert n <= 1 + len(without_news), f"{note['id']} was seen {n} times: {tries}"
            first = min(a["started_at"] for a in without_news)
            for a in tries:
                assert a["started_at"] <= first or a["may_be_double"], f"not marked: {a}"
    return doubles, marked, lost


def lives(rounds, kill, faults, delay=0):
    """The whole of it; gives (doubles, marked, lost) and prints the counts."""
    print(f"seed {SEED}, {rounds} rounds (SEED={SEED} CRASH_ROUNDS={ROUNDS} tests/e2e/crash.py)")
    dice, clock = random.Random(SEED), Clock(rate=RATE)
    dns = FakeDns({f"client{i}.asia": ["a.mx.slow.test"] for i in range(4)})
    with Scratch() as scratch, dns, FakeEsp(clock.now, DAY_LIMIT, seed=SEED, faults=faults, delay=delay) as esp:
        world = World(scratch, dns, esp, clock)
        for a in world.applications:
            a.start()
        try:
            for _ in range(rounds):
                world.live(dice, kill)
            world.end_load()
            world.drain()
            counts = seen(esp)
            check_limits(world)
            check_fates(world, counts)
            doubles, marked, lost = check_doubles(world, counts)
            world.daemon.stop()
        except BaseException:
            world.stop.set()
            world.daemon.__exit__(True)
            raise
    promised = len(world.books.promised)
    assert promised >= rounds, "hardly anything was acknowledged: the test is void"
    print(f"{rounds} {'kills' if kill else 'stops'}, {promised} acknowledged, {len(esp.taken())} mails taken in "
          f"{len(esp.per_day())} mailbox-days, the fullest with {max(esp.per_day().values())} of {DAY_LIMIT}; "
          f"{lost} attempts of unknown fate were tried again, {marked} mails marked as possible doubles, "
          f"{doubles} notifications seen more than once; faults {esp.fault_counts}")
    return doubles, marked, lost


def crashes():
    lives(ROUNDS, True, {"lost": 0.03, "deferred": 0.03, "dropped": 0.03})


def orderly_stops():
    """The ESP thinks before it answers, so that there always is something under way."""
    assert lives(6, False, {"deferred": 0.05}, delay=0.05) == (0, 0, 0), "an orderly stop left a fate unknown"


if __name__ == "__main__":
    sys.exit(suite.run([crashes, orderly_stops]))
