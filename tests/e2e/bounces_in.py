#!/usr/bin/env python3
"""Mail that comes back: by SMTP at the address that each mail carries, by a feedback loop, from a
Maildir, an mbox and a pipe; and what anybody could have made up."""
import os
import re
import smtplib
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_dns import FakeDns
from fake_esp import FakeEsp
from mailtide import BUILD, ROOT, Daemon, Scratch, base_config, until

MORE = """
dns: {{ servers = ["127.0.0.1:{dns}"]; private_addresses = true; }};
bounce: {{ domain = "bounces.shop.test"; addresses = ["fbl@shop.test"]; }};
accounts: {{
  esp: {{ type = "smtp"; host = "127.0.0.1"; port = {esp}; tls = "none"; }};
  plain: {{ type = "smtp"; host = "127.0.0.1"; port = {esp}; tls = "none"; verp = false; }};
}};
applications: {{
  shop: {{ smtp_user = "shop"; smtp_password = "pass"; key = "k"; senders = ["shop.test"]; accounts = ["esp"]; }};
  other: {{ key = "k2"; senders = ["shop.test"]; accounts = ["plain"]; }};
}};
"""

DSN = """From: MAILER-DAEMON@mx.client.test
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

{text}
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.client.test
{envid}
Final-Recipient: rfc822; {rcpt}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {code}

--b
Content-Type: text/rfc822-headers

From: shop@shop.test
To: {rcpt}
Message-ID: {msgid}
Subject: s

--b--
"""

ARF = """From: fbl@provider.test
To: fbl@shop.test
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

This is an abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Provider/1
Version: 1
Original-Rcpt-To: <{rcpt}>

--b
Content-Type: message/rfc822

From: shop@shop.test
To: {rcpt}
Message-ID: {msgid}
Subject: s

t
--b--
"""

HOLIDAY = """From: ann@client.test
To: {to}
Subject: Out of office: s
Auto-Submitted: auto-replied
In-Reply-To: {msgid}

I am on holiday. 550 5.1.1 user unknown is what nobody said.
"""


def dsn(to="x@y.test", rcpt="ann@client.test", action="failed", status="5.1.1", msgid="<none@shop.test>",
        code="550 5.1.1 <ann@client.test>: Recipient address rejected: User unknown", envid=None):
    text = DSN.format(to=to, rcpt=rcpt, action=action, status=status, msgid=msgid, code=code,
                      envid=f"Original-Envelope-Id: {envid}" if envid else "X-A: b",
                      text="This is the mail system. Your message could not be delivered.")
    return text.replace("\n", "\r\n").encode()


class World:
    def __init__(self):
        self.scratch = Scratch()
        os.symlink(os.path.join(ROOT, "schedules"), self.scratch / "schedules")
        self.dns = FakeDns({"client.test": ["mx.client.test"]})
        self.esp = FakeEsp(time.time)
        self.daemon = Daemon(self.scratch, base_config(self.scratch, MORE.format(
            dns=self.dns.port, esp=self.esp.port)))

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *args):
        self.daemon.__exit__(*args)
        self.esp.__exit__()
        self.dns.__exit__()
        self.scratch.__exit__()

    def mail(self, to="ann@client.test", key="k", **more):
        """(id, the mail as the ESP got it)"""
        note = {"from": "shop@shop.test", "to": to, "subject": "s", "text": "t", "stream": "urgent", **more}
        code, answer = self.daemon.http("POST", "/v1/notifications", note, {"Authorization": f"Bearer {key}"})
        assert code == 202, (code, answer)
        id = answer["notifications"][0]["id"]
        until("sent", lambda: self.state(id) == "sent")
        return id, [m for m in self.esp.taken() if m.recipient == to][-1]

    def state(self, id):
        return self.daemon.notification(id)["state"]

    def journal(self, id):
        return [e["event"] for e in self.daemon.why("id", id)["journal"]]

    def back(self, to, message, sender=""):
        """What a mail server out there, which has no password, brings; the reply's code."""
        with smtplib.SMTP("127.0.0.1", self.daemon.smtp_port, timeout=20) as c:
            c.ehlo("mx.client.test")
            assert c.mail(sender)[0] == 250
            code, _ = c.rcpt(to)
            return c.data(message)[0] if code == 250 else code

    def ingest(self, *args, stdin=b"", code=0):
        done = subprocess.run([os.path.join(BUILD, "mailtide"), "-s", self.scratch / "status.sock", "ingest", *args],
                              input=stdin, capture_output=True, timeout=60)
        assert done.returncode == code, done
        return done.stdout.decode()


def by_smtp():
    with World() as w:
        ann, sent = w.mail()
        assert re.fullmatch(r"bounce\+[0-9a-z]{13}-[0-9a-z]{13}@bounces\.shop\.test", sent.sender), sent.sender
        # forged: another hash; a stranger may not relay; an address of nobody
        id, mac = sent.sender[7:].split("@")[0].split("-")
        other = f"bounce+{id}-{mac[:-1]}{'0' if mac[-1] != '0' else '1'}@bounces.shop.test"
        assert w.back(other, dsn()) == 550
        assert w.back("ann@client.test", dsn()) == 530
        assert w.back("bounce@bounces.shop.test", dsn()) == 530
        assert w.state(ann) == "sent"
        # delayed, then auto-replied, then failed; in upper case as some servers write
        assert w.back(sent.sender, dsn(action="delayed", status="4.4.1", code="451 4.4.1 timed out")) == 250
        assert w.state(ann) == "sent" and "deferred_by_esp" in w.journal(ann)
        assert w.back(sent.sender, HOLIDAY.format(to=sent.sender, msgid="<x@y>").encode()) == 250
        assert w.state(ann) == "sent"
        assert w.back(sent.sender.upper(), dsn(rcpt="someone-else@hidden.test")) == 250
        assert w.state(ann) == "bounced"
        # a bounce alone, once more: nothing new
        before = len(w.journal(ann))
        assert w.back(sent.sender, dsn(rcpt="someone-else@hidden.test")) == 250
        assert len(w.journal(ann)) == before
        # hostile and empty bodies are read too
        for bad in (b"", b"\r\n" * 1000, b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n" * 5000,
                    b"\xff\xfe\x00" * 3000):
            assert w.back(sent.sender, bad) == 250


def both_kinds_together():
    with World() as w:
        _, sent = w.mail()
        with smtplib.SMTP("127.0.0.1", w.daemon.smtp_port, timeout=20) as c:
            c.login("shop", "pass")
            assert c.mail("shop@shop.test")[0] == 250
            assert c.rcpt("bob@client.test")[0] == 250 and c.rcpt(sent.sender)[0] == 452
            assert c.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250
            assert c.mail("evil@elsewhere.test")[0] == 250 and c.rcpt("bob@client.test")[0] == 550


def complained():
    with World() as w:
        ann, sent = w.mail(headers={"Message-ID": "<order-1@shop.test>"})
        report = ARF.format(rcpt="ann@client.test", msgid="<order-1@shop.test>").encode()
        # what names no mail of ours changes nothing, whomever it accuses
        assert w.back("fbl@shop.test", report.replace(b"order-1", b"order-9"), "fbl@provider.test") == 250
        assert w.state(ann) == "sent"
        assert w.back("FBL@shop.test", report, "fbl@provider.test") == 250
        assert w.state(ann) == "complained"


def ingested():
    with World() as w:
        ann, one = w.mail("ann@client.test", key="k2", headers={"Message-ID": "<m1@shop.test>"})
        assert one.sender == "shop@shop.test"  # verp = false
        bob, _ = w.mail("bob@client.test", headers={"Message-ID": "<m2@shop.test>"})
        eve, two = w.mail("eve@client.test")
        folder = w.scratch / "Maildir"
        for name in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(folder, name))
        for name, data in (("1.a", dsn(msgid="<m1@shop.test>")),
                           ("2.b", b"From: a@b.test\r\nSubject: hello\r\n\r\nHow are you?\r\n")):
            with open(os.path.join(folder, "new", name), "wb") as f:
                f.write(data)
        said = w.ingest(folder)
        assert said == ("2 mails: 1 report, 1 other. They told of 1 recipient, 1 of them of mail of ours.\n"), said
        assert w.state(ann) == "bounced"
        assert os.listdir(os.path.join(folder, "new")) == []
        assert sorted(os.listdir(os.path.join(folder, "cur"))) == ["1.a:2,S", "2.b:2,S"]
        # an mbox through a pipe: one about bob, one that nobody sent, delivered for eve by its envelope id
        token = two.sender[7:].split("@")[0]
        box = b"".join(b"From MAILER-DAEMON Mon Jan  1 00:00:00 2026\n" + m.replace(b"\r\n", b"\n") + b"\n" for m in (
            dsn(rcpt="bob@client.test", msgid="<m2@shop.test>"),
            dsn(rcpt="bob@client.test", msgid="<unknown@shop.test>"),
            dsn(rcpt="eve@client.test", envid=token, action="delivered", status="2.0.0", code="250 ok")))
        said = w.ingest("-", stdin=box)
        assert said == "3 mails: 3 reports. They told of 3 recipients, 2 of them of mail of ours.\n", said
        assert w.state(bob) == "bounced" and w.state(eve) == "delivered"
        assert "No such file" in subprocess.run(
            [os.path.join(BUILD, "mailtide"), "-s", w.scratch / "status.sock", "ingest", "/no/such"],
            capture_output=True, text=True).stderr


def key_is_kept():
    with World() as w:
        ann, sent = w.mail()
        w.daemon.stop()
        w.daemon.start()
        assert w.back(sent.sender, dsn()) == 250
        assert w.state(ann) == "bounced"
        assert os.stat(w.scratch / "state/bounce.key").st_mode & 0o777 == 0o600


if __name__ == "__main__":
    sys.exit(suite.run([by_smtp, both_kinds_together, complained, ingested, key_is_kept]))
