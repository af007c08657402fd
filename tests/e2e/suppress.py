#!/usr/bin/env python3
"""What bounces, complaints and deliveries do to a recipient's mail, and what people say of it.

The way out is a smarthost that refuses some at once; later news comes as Postmark's webhooks. Days
pass by stepping the clock while no daemon runs.
"""
import base64
import csv
import io
import json
import os
import re
import signal
import smtplib
import subprocess
import sys
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_dns import FakeDns
from fake_esp import FakeEsp
from mailtide import BUILD, ROOT, Clock, Daemon, Scratch, base_config, until

GONE = "550 5.1.1 <{0}>: Recipient address rejected: User unknown in virtual mailbox table"
LIMIT = "550 Connection frequency limited. http://service.mail.qq.com/detail/122/175"
UNCLEAR = "550 Mailbox unavailable or access denied. https://service.mail.qq.com/detail/122/166"
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"pm:pw").decode()}
APP = "app@shop.test"

CONFIG = """
dns: {{ servers = ["127.0.0.1:{dns}"]; private_addresses = true; }};
suppression: {{ never = ["never@client.test"]; }};
streams: {{
  code: {{ priority = 0; urgent = true; digest = false; on_suppressed = "try"; }};
  single: {{ priority = 3; digest = false; }};
  news: {{ priority = 5; digest = false; }};
}};
accounts: {{ esp: {{ type = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; connections = 1;
                   events = "postmark"; events_login = "pm:pw"; }}; }};
applications: {{
  shop: {{ anonymous = true; senders = ["*"]; accounts = ["esp"]; stream = "single"; }};
  other: {{ key = "other-key"; senders = ["*"]; accounts = ["esp"]; stream = "single"; }};
}};
"""


class World:
    def __init__(self, refusals=None, smtp=""):
        self.clock = Clock()
        self.scratch = Scratch()
        self.link_schedules()
        self.dns = FakeDns({"client.test": ["mx.client.test"], "qq.test": ["mx3.qq.com"]})
        self.esp = FakeEsp(self.clock.now, refusals=refusals or {})
        config = base_config(self.scratch, CONFIG.format(dns=self.dns.port, port=self.esp.port))
        self.daemon = Daemon(self.scratch, config.replace("smtp: {", "smtp: { " + smtp, 1), self.clock)
        self.told = 0

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *args):
        self.daemon.__exit__(*args)
        for part in (self.esp, self.dns, self.scratch):
            part.__exit__(None, None, None)

    def link_schedules(self):
        """Those of the tree, with room for a rule of one's own."""
        for folder, _, files in os.walk(os.path.join(ROOT, "schedules")):
            mine = self.scratch / os.path.relpath(folder, ROOT)
            os.makedirs(mine, exist_ok=True)
            for name in files:
                os.symlink(os.path.join(folder, name), os.path.join(mine, name))

    def rule(self, meaning):
        self.scratch.write("schedules/replies/00-mine.conf", """
            reference = "the test"; date = "2026-03-01"; rules: { odd: {
              patterns = ["the cat is on the roof"]; %s cause = "Odd words."; advice = "Wonder.";
              examples = ["550 5.1.1 the cat is on the roof"]; }; };""" % meaning)

    def leap(self, hours):
        until("nothing is under way", lambda: self.daemon.status()["queues"]["flying"] == 0)
        self.daemon.stop()
        self.clock.leap(hours * 3600)
        self.daemon.start()

    def mail(self, to, stream="single", want="sent", sender=APP, at_once=None):
        code, answer = self.daemon.http("POST", "/v1/notifications", {
            "from": sender, "to": to, "subject": "s", "text": "t", "stream": stream})
        assert code == 202, (code, answer)
        id = answer["notifications"][0]["id"]
        assert not at_once or answer["notifications"][0]["state"] in at_once, answer
        until(f"{to} {stream} is {want}", lambda: self.state(id) == want)
        return id

    def state(self, id):
        return self.daemon.notification(id)["state"]

    def tell(self, id, record, **more):
        """Postmark tells it, about the mail that `id` left in."""
        note = self.daemon.notification(id)
        stamp = datetime.fromtimestamp(self.clock.now(), timezone.utc).isoformat()
        self.told += 1
        body = {"RecordType": record, "ID": self.told, "MessageID": note["message_id"].strip("<>"),
                "Metadata": {"mailtide_attempt": note["attempt"]}, "Email": note["recipient"], "Recipient": note["recipient"], "BouncedAt": stamp,
                "DeliveredAt": stamp, "ChangedAt": stamp, **more}
        answer = self.daemon.http("POST", "/v1/events/esp", body, LOGIN)
        assert answer == (200, {"events": 1}), answer

    def bounce(self, id, words):
        self.tell(id, "Bounce", Type="HardBounce", Details=words)

    def recipient(self, address, **headers):
        code, answer = self.daemon.http("GET", f"/v1/recipients/{address}", None, headers)
        return answer if code == 200 else code

    def events(self, address):
        return [e["event"] for e in self.daemon.why("recipient", address)["journal"]]

    def cli(self, *args, want=0, stdin=None):
        done = subprocess.run([os.path.join(BUILD, "mailtide"), "-s", self.daemon.socket, "suppress", *args],
                              capture_output=True, text=True, input=stdin, check=False)
        assert done.returncode == want, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr


def test_no_such_mailbox():
    ann = "ann@client.test"
    with World() as w:
        first = w.mail(ann)
        w.tell(first, "Delivery")
        assert w.state(first) == "delivered"
        second = w.mail(ann)
        w.bounce(second, GONE.format(ann))
        assert w.state(second) == "bounced"
        assert not w.recipient(ann)["in_trouble"], "it took mail a minute ago: once is not enough"
        w.leap(3)
        w.bounce(w.mail(ann), GONE.format(ann))
        state = w.recipient(ann)
        assert state["state"] == "suppressed" and state["cause"] == "invalid", state
        assert len(state["findings"]) == 2 and "User unknown" in state["suppressions"][0]["evidence"]
        assert state["until"] and "ask" in state and "no such mailbox" in state["why"], state
        w.mail(ann, want="refused")
        w.leap(1)  # it is durable
        w.mail(ann, want="refused", at_once=("refused",))
        code = w.mail(ann, stream="code", at_once=("accepted", "held", "releasing"))  # by its rule
        w.tell(code, "Delivery")
        assert w.recipient(ann)["state"] == "ok", "what is delivered to is there"
        w.mail(ann)
        events = w.events(ann)
        for one, other in (("bounced", "suppressed"), ("suppressed", "refused"),
                           ("refused", "unsuppressed")):
            assert events.index(one) < events.index(other), events


def test_refused_at_once():
    bob, full, never = "bob@client.test", "full@client.test", "never@client.test"
    with World({a: GONE.format(a) for a in (bob, never)} | {full: "552 5.2.2 mailbox full"}) as w:
        w.mail(bob, want="bounced")
        until("suppressed", lambda: w.recipient(bob)["state"] == "suppressed")
        w.mail(bob, want="refused")
        w.mail(never, want="bounced")
        w.mail(full, want="bounced")
        until("it rests", lambda: w.recipient(full)["state"] == "resting")
        held = w.mail(full, want="held")
        assert "the mailbox is full" in w.daemon.notification(held)["reason"]
        w.mail(full, stream="code", want="bounced")  # a code cannot wait
        assert len(w.recipient(never)["findings"]) == 1 and not w.recipient(never)["in_trouble"]
        w.esp.refusals.pop(full)
        w.leap(7)
        until("tried again after the pause", lambda: w.state(held) == "sent")


def test_limit_is_no_fault():
    bruce = "bruce@qq.test"
    with World() as w:
        id = w.mail(bruce)
        w.bounce(id, LIMIT)
        assert w.state(id) == "held", "it is mailed again when the window opens"
        assert not w.recipient(bruce)["in_trouble"]
        w.bounce(id, LIMIT)  # the same again, as other news
        assert w.state(id) == "held"
        w.leap(30)
        until("mailed again", lambda: w.state(id) == "sent")
        assert len(w.esp.taken()) == 2
        w.tell(id, "Delivery")
        assert w.state(id) == "delivered"
        assert "limited" in w.events(bruce) and "suppressed" not in w.events(bruce)


def test_ambiguous_words():
    new, old = "new@qq.test", "old@qq.test"
    with World({new: UNCLEAR}) as w:
        w.mail(new, want="bounced")  # no mail ever arrived there
        until("kept as evidence", lambda: w.recipient(new)["findings"])
        assert not w.recipient(new)["in_trouble"], "once is not enough"
        for _ in range(4):
            w.mail(old, stream="code")
        w.esp.refusals[old] = UNCLEAR
        id = w.mail(old, stream="code", want="held")
        assert "several were taken today: it is the limit" in json.dumps(w.daemon.why("id", id))
        assert not w.recipient(old)["findings"]
        w.esp.refusals.clear()
        w.leap(30)
        until("mailed when the day turned over", lambda: w.state(id) == "sent")


def test_rules_that_are_mended():
    cat = "cat@client.test"
    with World({cat: "550 5.1.1 the cat is on the roof"}) as w:
        w.daemon.stop()
        w.rule('class = "recipient"; fault = "recipient";')
        w.daemon.start()
        w.mail(cat, want="bounced")
        until("suppressed", lambda: w.recipient(cat)["state"] == "suppressed")
        w.rule('class = "rate"; fault = "their-limit"; retry = "later";')
        w.daemon.signal(signal.SIGHUP)
        until("it comes back by itself", lambda: w.recipient(cat)["state"] == "ok")
        assert "whose rules know better now" in json.dumps(w.daemon.why("recipient", cat))


def test_complaint_and_confirm():
    eve = "eve@client.test"
    with World() as w:
        w.tell(w.mail(eve), "SpamComplaint", Type="SpamComplaint")
        assert w.recipient(eve)["cause"] == "complaint"
        w.mail(eve, want="refused")
        w.mail(eve, stream="code", want="refused")
        assert w.recipient(eve, Authorization="Bearer other-key") == 404, "not its recipient"
        answer = w.daemon.http("POST", f"/v1/recipients/{eve}/confirm", None,
                               {"Authorization": "Bearer other-key"})
        assert answer[0] == 404, answer
        code, answer = w.daemon.http("POST", f"/v1/recipients/{eve}/confirm")
        assert code == 200 and answer["state"] == "ok", (code, answer)
        assert answer["suppressions"][0]["lifted_at"], answer
        w.mail(eve)
        assert w.events(eve)[-4:].count("accepted") == 1 and "confirmed" in w.events(eve)


def test_unsubscribed_and_blocked():
    joe = "joe@client.test"
    with World() as w:
        w.tell(w.mail(joe, stream="news"), "SubscriptionChange", SuppressSending=True,
               SuppressionReason="ManualSuppression")
        w.mail(joe, stream="news", want="refused")
        w.mail(joe, stream="single")
        assert w.recipient(joe)["state"] == "partly"
        w.bounce(w.mail(joe), "550 5.7.1 rejected by the recipient")
        w.mail(joe, want="refused")
        w.mail(joe, sender="billing@shop.test")  # another sender is not concerned
        scopes = sorted(s["scope"] for s in w.recipient(joe)["suppressions"])
        assert scopes == [f"sender:{APP}", "stream:news"], scopes


def test_told_at_rcpt():
    with World(smtp='refuse_early = true;') as w:
        port = int(re.search(r"smtp=127.0.0.1:0:(\d+)", w.daemon.log()).group(1))
        with smtplib.SMTP("127.0.0.1", port) as s:
            s.sendmail(APP, "ann@client.test", "Subject: s\r\n\r\nt\r\n")
            w.cli("add", "ann@client.test", "--cause", "invalid")
            s.sendmail(APP, "ann@client.test", "Subject: s\r\n\r\nt\r\n")  # codes are tried
            w.cli("add", "ann@client.test", "--cause", "complaint")
            try:
                s.sendmail(APP, "ann@client.test", "Subject: s\r\n\r\nt\r\n")
                raise AssertionError("it was taken")
            except smtplib.SMTPRecipientsRefused as e:
                code, words = e.recipients["ann@client.test"]
                assert code == 550 and b"suppressed (complaint)" in words, (code, words)
            s.sendmail(APP, "bob@client.test", "Subject: s\r\n\r\nt\r\n")


def test_by_hand():
    with World() as w:
        assert "Nobody is suppressed" in w.cli("list")
        w.cli("add", "ann@client.test", "--cause", "complaint", "--evidence", 'she said "no", twice')
        w.cli("add", "bob@client.test", "--expires", "30d", "--scope", "stream:news")
        w.cli("add", "nobody", want=2)
        w.cli("add", "ann@client.test", "--cause", "boredom", want=2)
        w.mail("ann@client.test", want="refused")
        w.mail("bob@client.test")
        rows = json.loads(w.cli("list", "--json"))["suppressions"]
        assert [r["address"] for r in rows] == ["ann@client.test", "bob@client.test"], rows
        assert "complaint" in w.cli("list", "--cause", "complaint")
        assert "in trouble" in w.cli("why", "ann@client.test")
        w.cli("why", "nobody@client.test", want=4)
        out = w.cli("export")
        back = list(csv.DictReader(io.StringIO(out)))
        assert back[0]["email"] == "ann@client.test" and back[0]["reason"] == 'she said "no", twice'
        assert w.cli("export", "--format", "ses").split() == ["ann@client.test,COMPLAINT"]
        w.cli("remove", "ann@client.test")
        w.cli("remove", "ann@client.test", want=4)
        w.mail("ann@client.test")
        w.cli("import", "-", stdin=out)
        w.mail("ann@client.test", want="refused")
        sendgrid = ("status,reason,email,created\r\n"
                    f'5.1.1,"{GONE.format("x@client.test")}",x@client.test,1700000000\r\n'
                    f'5.0.0,"{LIMIT}",y@client.test,1700000000\r\n')
        said = w.cli("import", "-", stdin=sendgrid, want=1)
        assert "1 suppressed, 1 not" in said and "y@client.test: not suppressed" in said, said
        w.mail("x@client.test", want="refused")
        w.mail("y@client.test")


if __name__ == "__main__":
    sys.exit(suite.run([test_no_such_mailbox, test_refused_at_once, test_limit_is_no_fault,
                        test_ambiguous_words, test_rules_that_are_mended,
                        test_complaint_and_confirm,
                        test_unsubscribed_and_blocked, test_told_at_rcpt, test_by_hand]))
