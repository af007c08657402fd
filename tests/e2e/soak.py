#!/usr/bin/env python3
"""Everything goes wrong at once, and an account of it at the end that mailtide has no hand in.

An application hands in mail by SMTP, HTTP and SendGrid's API. The lab plays two ESPs (one by its API,
with signed webhooks late, twice and in disorder; a relay with an hourly quota) and three providers: one
whose daily limit everybody knows, one whose limit nobody knows and that moves, one without. Meanwhile,
by dice: SIGKILL, SIGTERM, restarts and reloads with other limits, without an account, with a provider of
another name, with a certificate that is not trusted; answers lost, late, 4xx, 5xx; DNS dead, failing,
garbled, lying; a full disk; the clock of all of them stepped an hour forth or back, a day's end and the
end of summer time within; addresses suppressed and let go, notifications withdrawn.

Then all is let drain, and what the application was promised is compared with what arrived at the lab
and with what mailtide says of it (class Account). The same seed gives the same dice, not the same
instants. SOAK_ROUNDS=500 and SEED=... in the environment for a longer one, or for the same dice.
"""
import email
import email.policy
import http.client
import json
import mmap
import os
import random
import re
import resource
import signal
import smtplib
import sqlite3
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import applications
import suite
from fake_dns import FakeDns
from lab import Lab
from mailtide import ROOT, Clock, Daemon, Scratch, UnixConnection, ask, until

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "8"))
SEED = int(os.environ.get("SEED", "1"))
RATE = 600  # ten minutes a second
HOUR, DAY = 3600, 86400
START = "2026-10-24T20:00:00+00:00"  # summer time ends in Europe in the night that follows
KNOWN, RELAY_HOUR = 6, 40  # mails: a day for a mailbox at the known provider, an hour by the relay
PEOPLE = {"known": [f"k{i}@known.example" for i in range(8)], "hidden": [f"h{i}@hidden.example" for i in range(5)],
          "free": [f"f{i}@free.example" for i in range(6)], "lied": [f"l{i}@lied.example" for i in range(2)]}
TOKEN = re.compile(r"tok-[a-z]+-[0-9]+z")

WORLD = """
dns: {{ records = [ "app.test MX 10 mx.free.example",
    "known.example MX 10 mx.known.example", "mx.known.example A 127.0.0.1",
    "hidden.example MX 10 mx.hidden.example", "mx.hidden.example A 127.0.0.1",
    "free.example MX 10 mx.free.example", "mx.free.example A 127.0.0.1",
    "lied.example MX 10 mx.free.example" ]; }};
tls: {{ folder = "{tls}"; }};
providers: {{
  known: {{ mx = ["mx.known.example"]; mailboxes = ["*@known.example"]; limits: {{ mailbox-day: {{
    scope = "mailbox"; count = {known}; window = "day"; zone = "Europe/Berlin"; counts = "attempts";
    reply = "550 5.7.1 Connection frequency limited"; }}; }}; }};
  hidden: {{ mx = ["mx.hidden.example"]; mailboxes = ["*@hidden.example"]; limits: {{ mailbox-day: {{
    scope = "mailbox"; count = 5; window = "day"; zone = "Europe/Berlin";
    reply = "550 5.7.1 Connection frequency limited, too many messages today"; }}; }}; }};
  free: {{ mx = ["mx.free.example"]; mailboxes = ["*@free.example", "*@lied.example"]; }};
}};
esps: {{
  sg: {{ api = "sendgrid"; password = "secret"; tls = true; connections = 4; retry_every = "5min";
        webhook_delay = "2min"; webhook_reversed = true; webhook_twice = true; }};
  relay: {{ user = "relay"; password = "secret"; connections = 4; retry_every = "5min"; limits: {{ hour: {{
    scope = "all"; stage = "mail"; counts = "attempts"; count = {relay}; window = "rolling 1h";
    reply = "450 4.7.0 Quota of the hour used up"; }}; }}; }};
}};
"""

CONFIG = """
state_dir = "{path}/state";
schedules = ["{root}/schedules", "{path}/schedules"];
smtp: {{ listen = ["127.0.0.1:0"]; hostname = "gate.test"; }};
http: {{ listen = ["127.0.0.1:0"]; }};
status: {{ socket = "{path}/status.sock"; }};
store: {{ free_min = "0"; }};
dns: {{ servers = ["127.0.0.1:{dns}"]; private_addresses = true; timeout = "100ms"; tries = 2; ttl_max = "1h";
       stale_max = "0s"; negative_ttl_max = "10min"; }};
planner: {{ margin = "10min"; spread = "5min"; reserve = 1; }};
sender_checks: {{ every = "0s"; }};
guards: {{ enabled = false; }};
digest: {{ items_max = 1000; }};
streams: {{
  urgent: {{ priority = 0; urgent = true; digest = false; }};
  notify: {{ priority = 5; hold_max = "4h"; }};
  short: {{ priority = 4; digest = false; deadline = "8h"; on_deadline = "drop"; }};
}};
accounts: {{ {accounts} }};
providers: {{ {provider}: {{ limits: {{ mailbox-day: {{ count = {day}; }}; }}; }}; }};
applications: {{ app: {{ anonymous = true; key = "key-of-app"; senders = ["app.test"]; }}; }};
"""
SG = """sg: {{ type = "https"; api = "sendgrid"; base_url = "https://localhost:{port}"; key = "secret";
  tls_ca_file = "{ca}"; events_key = "{events}"; connections = 4; backoff_min = "10s"; backoff_max = "5min";
  dot_timeout = "2s"; command_timeout = "2s"; unknown_wait = "30min"; lists_every = "1h"; }};"""
RELAY = """relay: {{ type = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; user = "relay"; password = "secret";
  connections = 4; backoff_min = "10s"; backoff_max = "5min"; unknown_wait = "30min"; dot_timeout = "2s";
  command_timeout = "2s";
  limits: {{ hour: {{ scope = "account"; count = {hour}; window = "rolling 1h"; counts = "attempts"; }}; }}; }};"""
PROVIDER = """title = "{name}"; mx = ["mx.known.example"];
limits: {{ mailbox-day: {{ scope = "recipient"; count = {known}; window = "day"; zone = "Europe/Berlin";
  counts = "attempts"; source = "configured"; reference = "this test"; date = "2026-11-22"; confidence = "high"; }}; }};
"""


class Steps:
    """The wall clock of this machine as all three see it: Python here, daemon and lab by a preload (steps.c)."""

    def __init__(self, scratch):
        self.path = scratch / "steps"
        with open(self.path, "wb") as f:
            f.write(bytes(8))
        self.file = open(self.path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 8)
        library = scratch / "steps.so"
        source = os.path.join(ROOT, "tests/e2e/lib/steps.c")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        os.environ.update(STEPS_FILE=self.path, STEPS_LIBRARY=library)

    def ms(self):
        return struct.unpack("=q", self.map[:8])[0]

    def add(self, ms):
        self.map[:8] = struct.pack("=q", self.ms() + int(ms))


class WorldClock(Clock):
    """Steps at any moment, for whoever runs."""

    def __init__(self, steps):
        super().__init__(START, RATE)
        self.steps = steps

    def now(self):
        return self.origin + (time.time() + self.steps.ms() / 1000 - self.anchor) * self.rate

    def leap(self, seconds):
        self.steps.add(seconds / self.rate * 1000)


class MoodyDns(FakeDns):
    """ok; dead: no answer; failing: SERVFAIL; garbled: bytes, or another's answer; lying: lied.example is gone."""

    mood = "ok"

    def _answer(self, query):
        answer = super()._answer(query)
        if self.mood == "dead":
            return b""
        if self.mood == "garbled":
            dice = random.random()
            return (os.urandom(20) if dice < 0.3 else bytes([answer[0] ^ 1]) + answer[1:] if dice < 0.6 else answer[:-3])
        return answer

    def _records(self, name, kind):
        if self.mood == "failing":
            return 2, []
        if self.mood == "lying" and name == "lied.example":
            return 3, []
        return super()._records(name, kind)


class Account:
    """What the application was promised, and what was done to it since: {token: facts}."""

    def __init__(self):
        self.lock, self.count, self.notes = threading.Lock(), 0, {}

    def open(self, kind, to, stream):
        with self.lock:
            self.count += 1
            token = f"tok-{kind}-{self.count}z"
            self.notes[token] = {"to": to, "stream": stream, "id": None, "told": False, "withdrawn": False}
            return token

    def told(self, token, id=None):
        with self.lock:
            self.notes[token].update(told=True, id=id)


class Application(applications.Application):
    def note(self):
        kind = self.dice.choices(list(PEOPLE), (5, 2, 3, 1))[0]
        stream = self.dice.choices(("notify", "urgent", "short"), (8, 1, 1))[0]
        return self.dice.choice(PEOPLE[kind]), stream


class Smtp(Application):
    def hand_in(self):
        to, stream = self.note()
        token = self.world.account.open("smtp", to, stream)
        text = f"From: n@app.test\r\nTo: {to}\r\nSubject: {token}\r\nX-Mailtide-Stream: {stream}\r\n\r\nText of {token}.\r\n"
        try:
            with smtplib.SMTP("127.0.0.1", self.world.daemon.smtp_port, timeout=20) as client:
                client.ehlo()
                for code, reply in (client.mail("n@app.test"), client.rcpt(to)):
                    if code != 250:
                        self.world.refused(code, reply.decode())
                        return
                code, reply = client.data(text)
                if code == 250:
                    self.world.account.told(token, reply.decode().rsplit(" ", 1)[1])
                else:
                    self.world.refused(code, reply.decode())
        except (OSError, smtplib.SMTPException):
            pass


class Http(Application):
    """With a key of its own: cut off, it asks again, the same, and must not be taken twice."""

    def hand_in(self):
        if not self.waiting:
            to, stream = self.note()
            token = self.world.account.open("http", to, stream)
            self.waiting = {"from": "n@app.test", "to": to, "subject": token, "text": f"Text of {token}.", "key": token,
                            "stream": stream}
        try:
            code, answer = self.world.daemon.http("POST", "/v1/notifications", self.waiting)
        except (OSError, http.client.HTTPException, ValueError):
            return
        if code != 202:
            self.world.refused(code, answer["error"]["message"])
            return
        self.world.account.told(self.waiting["subject"], answer["notifications"][0]["id"])
        self.waiting = None


class Api(Application):
    def hand_in(self):
        to, stream = self.note()
        token = self.world.account.open("api", to, stream)
        mail = {"personalizations": [{"to": [{"email": to}]}], "from": {"email": "n@app.test"}, "subject": token,
                "content": [{"type": "text/plain", "value": f"Text of {token}."}], "categories": [stream]}
        try:
            code, answer = self.world.daemon.http("POST", "/v3/mail/send", mail, {"Authorization": "Bearer key-of-app"})
        except (OSError, http.client.HTTPException, ValueError):
            return
        if code == 202:
            self.world.account.told(token)
        else:
            self.world.refused(code, json.dumps(answer))


class World:
    def __init__(self, scratch, dns):
        self.scratch, self.dns = scratch, dns
        self.steps = Steps(scratch)
        self.clock = WorldClock(self.steps)
        os.makedirs(scratch / "schedules/accounts")
        self.name_provider("known")
        path = scratch.write("world.conf", WORLD.format(known=KNOWN, relay=RELAY_HOUR, tls=scratch.path))
        os.environ["LD_PRELOAD"] = os.environ["STEPS_LIBRARY"]
        self.lab = Lab(scratch, self.clock, path).start()
        self.daemon = Daemon(scratch, "", self.clock, self.before_exec)
        del os.environ["LD_PRELOAD"]
        self.choice = {"accounts": "both", "provider": "known", "day": KNOWN, "hour": RELAY_HOUR, "ca": "ca.pem"}
        self.account, self.stop, self.open = Account(), threading.Event(), threading.Event()
        self.threads = [kind(self, SEED + i) for i, kind in enumerate((Smtp, Http, Api))]
        self.done, self.answers, self.suppressed, self.lied, self.latest = {}, {}, set(), False, 0

    @staticmethod
    def before_exec():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def name_provider(self, name):
        for other in ("known", "renamed"):
            path = self.scratch / f"schedules/providers/{other}.conf"
            if os.path.exists(path):
                os.unlink(path)
        self.scratch.write(f"schedules/providers/{name}.conf", PROVIDER.format(name=name, known=KNOWN) + 'formerly = ["known", "renamed"];\n')

    def config(self):
        c, path = self.choice, self.scratch.path
        sg = SG.format(port=self.lab.http_port("sg"), ca=f"{path}/{c['ca']}", events=self.lab.ready["esps"]["sg"]["webhook_public_key"])
        relay = RELAY.format(port=self.lab.smtp_port("relay"), hour=c["hour"])
        accounts = {"both": relay + sg, "sg": sg, "relay": relay, "other way round": sg + relay}[c["accounts"]]
        self.name_provider(c["provider"])
        return CONFIG.format(path=path, root=ROOT, dns=self.dns.port, accounts=accounts, provider=c["provider"], day=c["day"])

    def count(self, what):
        self.done[what] = self.done.get(what, 0) + 1

    def refused(self, code, words):
        """A refusal at the door has to say why; which codes there may be is known."""
        assert code in (421, 451, 452, 503), (code, words)
        assert len(words) > 15, (code, words)
        self.answers[code] = self.answers.get(code, 0) + 1

    def start(self, ready=True):
        with open(self.daemon.config, "w", encoding="utf-8") as f:
            f.write(self.config())
        os.environ["LD_PRELOAD"] = os.environ["STEPS_LIBRARY"]
        try:
            self.daemon.start(ready)
        finally:
            del os.environ["LD_PRELOAD"]
        if ready:
            url = f"http://127.0.0.1:{self.daemon.http_port}/v1/events/sg"
            assert self.lab.ask("POST", "/webhook", {"esp": "sg", "url": url})[0] == 200
            self.open.set()

    # -- what goes wrong

    def other_config(self, dice):
        c = self.choice
        what = dice.choice(("accounts", "provider", "day", "hour", "ca"))
        c[what] = dice.choice({"accounts": ("both", "sg", "relay", "other way round"), "provider": ("known", "renamed"),
                               "day": (2, 4, KNOWN), "hour": (5, 20, RELAY_HOUR), "ca": ("ca.pem", "ca.pem", "other.pem")}[what])

    def reload(self, dice):
        self.other_config(dice)
        line = self.daemon.reload(self.config())
        assert "reload.done" in line, line

    def bad_reload(self, dice):
        line = self.daemon.reload(self.config() + "\nnonsense = 1;\n")
        assert "reload.refused" in line and "nonsense" in line, line

    def esp_fault(self, dice):
        esp, fault = dice.choice((("relay", "close-lost"), ("relay", "close-kept"), ("relay", "hang"), ("relay", "busy"),
                                  ("sg", "limited"), ("sg", "down"), ("sg", "silent"), ("sg", "gateway"), ("sg", "half")))
        assert self.lab.ask("POST", "/faults", {"esp": esp, "fault": fault, "count": dice.randrange(1, 5)})[0] == 200

    def dns_mood(self, dice):
        self.dns.mood = dice.choice(("ok", "dead", "failing", "garbled", "lying"))
        self.lied |= self.dns.mood == "lying"

    def disk(self, dice):
        """As much as there is now, and a little more: soon full; or room again."""
        size = sum(os.path.getsize(os.path.join(self.scratch / "state", f)) for f in os.listdir(self.scratch / "state"))
        limit = dice.choice((size + 100_000, resource.RLIM_INFINITY))
        try:
            resource.prlimit(self.daemon.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        except ProcessLookupError:
            pass

    def step(self, dice):
        """Back an hour at most from the latest that it has been: the ledger takes what lies further ahead
        for the work of a wrong clock."""
        seconds = dice.choice((-1, 1)) * dice.choice((HOUR - 60, HOUR - 60, HOUR / 2, 120))
        self.latest = max(self.latest, self.clock.now())
        if self.clock.now() + seconds > self.latest - HOUR:
            self.clock.leap(seconds)

    def hidden_moves(self, dice):
        count = dice.choice((2, 5, 9))
        assert self.lab.ask("POST", "/limits", {"provider": "hidden", "limit": "mailbox-day", "count": count})[0] == 200

    def suppress(self, dice):
        who = dice.choice(PEOPLE["free"][:2])
        if dice.random() < 0.5:
            self.suppressed.add(who)
            self.ask_daemon("POST", "/v1/suppressions", {"address": who, "reason": "asked for by phone"})
        else:
            self.ask_daemon("POST", f"/v1/suppressions/remove?address={who}")

    def withdraw(self, dice):
        ids = [(t, n["id"]) for t, n in list(self.account.notes.items()) if n["id"]]
        for token, id in dice.sample(ids, min(3, len(ids))):
            self.account.notes[token]["withdrawn"] = True
            self.ask_daemon("POST", f"/v1/notifications/{id}/cancel")

    def ask_daemon(self, method, path, body=None):
        try:
            return ask(UnixConnection(self.daemon.socket), method, path, body)
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def look(self, dice):
        """Whoever waits is told why, at any moment."""
        answer = self.ask_daemon("GET", "/v1/queue?most=100")
        for row in (answer[1]["notifications"] if answer and answer[0] == 200 else []):
            assert row["state"] != "held" or len(row["reason"]) > 10, row

    # -- its life

    def begin(self):
        """One mail to each domain: from then on it is known whose limits apply, DNS or not."""
        self.start()
        self.open.clear()
        for people in PEOPLE.values():
            token = self.account.open("first", people[0], "urgent")
            code, answer = self.daemon.http("POST", "/v1/notifications", {
                "from": "n@app.test", "to": people[0], "subject": token, "text": f"Text of {token}.", "stream": "urgent"})
            assert code == 202, (code, answer)
            self.account.told(token, answer["notifications"][0]["id"])
        self.daemon.wait_idle()
        self.daemon.stop()

    def live(self, dice):
        if dice.random() < 0.4:
            self.other_config(dice)
        starts = dice.random() < 0.1
        if starts:
            self.start(False)
            time.sleep(dice.random() * 0.1)
        else:
            self.start()
            for _ in range(dice.randrange(1, 7)):
                what = dice.choice((self.reload, self.bad_reload, self.esp_fault, self.esp_fault, self.esp_fault, self.dns_mood,
                                    self.dns_mood, self.disk, self.step, self.hidden_moves, self.suppress, self.withdraw, self.look))
                self.count(what.__name__)
                what(dice)
                time.sleep(dice.random() * 0.4)
        self.open.clear()
        kill = starts or dice.random() < 0.7
        self.count("kill" if kill else "stop")
        if kill:
            self.daemon.kill()
        else:
            self.daemon.stop()
        if dice.random() < 0.2:
            self.clock.leap(dice.uniform(1, 10) * HOUR)

    def end_load(self):
        self.dns.mood = "ok"
        for esp, faults in (("relay", ("close-lost", "close-kept", "hang", "busy")), ("sg", ("limited", "down", "silent", "gateway", "half"))):
            for fault in faults:
                self.lab.ask("POST", "/faults", {"esp": esp, "fault": fault, "count": 0})
        self.lab.ask("POST", "/limits", {"provider": "hidden", "limit": "mailbox-day", "count": 9})
        self.choice = {"accounts": "both", "provider": self.choice["provider"], "day": KNOWN, "hour": RELAY_HOUR, "ca": "ca.pem"}
        self.start()
        applications.end_all(self.threads, self.stop)

    def drain(self):
        for _ in range(80):
            is_same, busy = applications.still(0.6), []

            def settled():
                s = self.daemon.status()
                busy[:] = [s["queues"]["flying"], s["attempts"]["flying"], s["attempts"]["unknown"]] + \
                    [e for e in ("sg", "relay") if not self.lab.settled(e)]
                return is_same(s) and not any(busy)

            try:
                until("the day's mail has left", settled, 60)
            except AssertionError as error:
                raise AssertionError(f"{error}; under way: {busy}, {[self.lab.esp_books(e) for e in ('sg', 'relay')]}") from error
            if self.daemon.pending() == 0:
                return
            self.clock.leap(DAY / 4)
        raise AssertionError(f"still pending: {json.dumps(self.daemon.status('/v1/queue?most=3'), indent=1)}")

    # -- the account

    def arrived(self):
        """{token: mails with it in some mailbox}; when, and as what, in self.arrivals"""
        counts, self.arrivals = {}, {}
        for person in sum(PEOPLE.values(), []):
            code, answer = self.lab.ask("GET", f"/mailbox/{person}")
            for n in range(1, len(answer["mails"]) + 1 if code == 200 else 1):
                raw = self.lab.message(person, n)
                for token in set(TOKEN.findall(texts_of(raw))):
                    assert self.account.notes[token]["to"] == person, (token, person)
                    counts[token] = counts.get(token, 0) + 1
                    self.arrivals.setdefault(token, []).append(answer["mails"][n - 1])
        return counts

    def stored(self):
        """{token: (id, state, reason)}, read from the store behind the daemon's back."""
        with sqlite3.connect(f"file:{self.scratch / 'state/mailtide.db'}?mode=ro", uri=True) as db:
            rows = db.execute("SELECT s.subject, n.id, n.state FROM notification n JOIN submission s ON s.id = n.submission_id")
            return {subject: (id, state) for subject, id, state in rows}

    def check(self):
        arrived, stored = self.arrived(), self.stored()
        fates = {}
        for token, note in self.account.notes.items():
            assert token in stored or not note["told"], f"{token} was promised and is not in the store: {note}"
            assert token in stored or token not in arrived, f"{token} arrived and is not in the store"
        for person in sum(PEOPLE.values(), []):
            self.check_person(person, arrived, fates)
        told = self.daemon.status()["notifications"]
        for state, n in fates.items():
            assert told[state] == n, (told, fates)
        assert sum(told.values()) == len(stored), (told, len(stored))
        self.check_limits()
        return arrived, fates

    def check_person(self, person, arrived, fates):
        code, why = self.ask_daemon("GET", f"/v1/why?recipient={person}&most=1")
        if code == 404:
            assert not any(n["to"] == person and n["told"] for n in self.account.notes.values()), person
            return
        why = self.daemon.why("recipient", person)
        tries = {a["id"]: a for a in why["attempts"]}
        for note in why["notifications"]:
            token, state = note["subject"], note["state"]
            fates[state] = fates.get(state, 0) + 1
            facts, n = self.account.notes[token], arrived.get(token, 0)
            story = self.daemon.why("id", note["id"])
            mine = story["attempts"]
            lost = [a for a in mine if a["state"] == "abandoned"]
            tell = f"{token} to {person} is {state}, arrived {n} times\n" + "\n".join(
                f"{e['at']} {e['event']} {e['sentence']}" for e in story["journal"]) + f"\n{json.dumps(mine, indent=1)}\n{self.arrivals.get(token)}"
            assert story["journal"] and all(len(e["sentence"]) > 8 for e in story["journal"]), tell
            if state in ("sent", "delivered"):
                # refused by the provider whose limit nobody knows, and the ESP's word of it was lost
                assert n >= 1 or person in PEOPLE["hidden"], tell
            else:
                assert len(note["reason"]) > 10, tell
                allowed = {"cancelled": facts["withdrawn"], "expired": facts["stream"] == "short",
                           "refused": person in self.suppressed or person in PEOPLE["lied"] and self.lied}
                assert allowed.get(state, False), tell
                assert n == 0 or lost, tell
            assert n <= 1 + len(lost), tell
            if n > 1:
                self.count("seen twice")
                first = min(a["id"] for a in lost)  # the clock is stepped: ids alone keep their order
                assert all(a["id"] <= first or a["may_be_double"] for a in mine), tell
            told = {(e["event"], e["attempt"]) for e in story["journal"] if e["event"] == "abandoned"}
            assert told == {("abandoned", a["id"]) for a in lost}, tell

    def check_limits(self):
        known = self.lab.books("known")
        assert known["taken"] > 0
        over = [l for l in known["limits"] if l["refused"]]
        assert not over, f"over the known limit: {json.dumps(over)[:2000]}"
        relay = [l for l in self.lab.esp_books("relay")["limits"] if l["refused"]]
        assert not relay, f"over the relay's quota: {json.dumps(relay)[:2000]}"


def texts_of(raw):
    """A mail's text with its transfer encodings undone."""
    m = email.message_from_string(raw, policy=email.policy.default)
    return str(m["Subject"]) + "\n" + "\n".join(
        p.get_content() for p in m.walk() if p.get_content_maintype() == "text")


def soak():
    print(f"seed {SEED}, {ROUNDS} rounds (SEED={SEED} SOAK_ROUNDS={ROUNDS} tests/e2e/soak.py)", flush=True)
    dice = random.Random(SEED)
    mx = {f"{p}.example": [f"mx.{'free' if p == 'lied' else p}.example"] for p in PEOPLE}
    with Scratch() as scratch, MoodyDns(mx) as dns:
        world = World(scratch, dns)
        make_other_ca(scratch)
        try:
            world.begin()
            for t in world.threads:
                t.start()
            for _ in range(ROUNDS):
                world.live(dice)
                for t in world.threads:
                    if t.error:
                        raise t.error
            world.end_load()
            world.drain()
            arrived, fates = world.check()
            world.daemon.stop()
            world.lab.stop()
        except BaseException:
            world.stop.set()
            world.daemon.__exit__(True)
            world.lab.__exit__(True)
            raise
    promised = sum(n["told"] for n in world.account.notes.values())
    assert promised > ROUNDS, "hardly anything was handed in: the test is void"
    print(f"{promised} promised, {len(arrived)} arrived, fates {fates}, at the door {world.answers}, happened {world.done}")


def make_other_ca(scratch):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other",
                    "-keyout", scratch / "other.key", "-out", scratch / "other.pem"], check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(suite.run([soak]))
