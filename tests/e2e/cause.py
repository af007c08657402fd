#!/usr/bin/env python3
"""`mailtide why` tells cause and effect: the first refusal, all that followed from it, what ended it."""
import json
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
from mailtide import BUILD, ROOT, Clock, Daemon, Scratch, base_config

BRUCE = "bruce@client.asia"
MORE = """
schedules = ["{root}/schedules"];
dns: {{ servers = ["127.0.0.1:{dns}"]; private_addresses = true; }};
store: {{ free_min = "0"; }};
accounts: {{ esp: {{ type = "smtp"; host = "127.0.0.1"; port = {esp}; tls = "none"; backoff_min = "1s"; }}; }};
applications: {{ app: {{ anonymous = true; senders = ["app.test"]; stream = "{stream}"; }}; }};
"""


def why(daemon, *args):
    done = subprocess.run([os.path.join(BUILD, "mailtide"), "-s", daemon.socket, "why", BRUCE, *args], text=True, capture_output=True,
                          timeout=60, env={**os.environ, "TZ": "UTC"})
    assert done.returncode == 0, done
    return done.stdout


def world(scratch, dns, esp, stream):
    more = MORE.format(root=ROOT, dns=dns.port, esp=esp.port, stream=stream)
    return base_config(scratch, more).replace(f'schedules = ["{scratch / "schedules"}"];\n', "")


def hand_in(daemon, *subjects):
    with smtplib.SMTP("127.0.0.1", daemon.smtp_port, timeout=20) as c:
        for subject in subjects:
            c.sendmail("n@app.test", [BRUCE], f"From: n@app.test\r\nTo: {BRUCE}\r\nSubject: {subject}\r\n\r\nx\r\n")


def story(text):
    """The lines below "what happened", wrapped ones as one: (depth, event, text)."""
    lines = text[text.index("what happened\n"):].split("\n")[1:]
    found = []
    for line in lines:
        m = re.match(r"( +)(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC +(\w+) +(.*)", line)
        if m:
            found.append((len(m[1]) // 4, m[2], m[3]))
    return found


def limited_then_through():
    """QQ takes three mails a day, and mailtide does not know it yet."""
    clock = Clock("2026-03-02T02:00:00Z", rate=5000.0)
    with Scratch() as scratch, FakeDns({"client.asia": ["mxbiz1.qq.com"]}) as dns, FakeEsp(clock.now, day_limit=3) as esp:
        with Daemon(scratch, world(scratch, dns, esp, "urgent"), clock) as daemon:
            hand_in(daemon, *(f"Comment {i}" for i in range(8)))
            daemon.wait_idle(60)
            journal = daemon.why("recipient", BRUCE)["journal"]
            by_seq = {e["seq"]: e for e in journal}
            limited = [e for e in journal if e["event"] == "limited"]
            first = limited[0]
            assert first["cause"] is None and first["detail"]["class"] == "rate" and first["detail"]["code"] == 550, first
            # what follows says so, and what got through on the next day ended it
            assert all(by_seq[e["cause"]]["event"] == "limited" for e in limited if e["cause"]), limited
            held = [e for e in journal if e["event"] == "held" and "named a limit" in e["sentence"]]
            assert held and all(e["cause"] for e in held), held
            ends = [e for e in journal if e["ends"]]
            assert ends and {e["event"] for e in ends} == {"sent"} and ends[0]["ends"] == first["seq"], ends

            lines = story(why(daemon))
            print("\n".join(f"{'    ' * d}{e} {t}" for d, e, t in lines))
            assert len(lines) <= 20 < len(journal), (len(lines), len(journal))
            assert lines[0][1] == "accepted" and lines[0][2].startswith("8 notifications until "), lines[0]
            at = [k for k, line in enumerate(lines) if line[:2] == (0, "limited")][0]
            assert "550 5.7.1 Connection frequency limited - " in lines[at][2], lines[at]
            assert lines[at + 1][0] == 1, lines
            assert any("(limited) is over" in t for _, _, t in lines), lines
            assert len(story(why(daemon, "--full"))) == len(journal), "nothing is left out"


def dead_then_refused():
    """No such user: what is stopped, and what is refused for it."""
    with Scratch() as scratch, FakeDns({"client.asia": ["mx.slow.test"]}) as dns, \
            FakeEsp(time.time, refusals={BRUCE: "550 5.1.1 <bruce@client.asia>: User unknown"}) as esp:
        with Daemon(scratch, world(scratch, dns, esp, "notify")) as daemon:
            for i in range(4):
                hand_in(daemon, f"Comment {i}")
                daemon.wait_idle()
            journal = daemon.why("recipient", BRUCE)["journal"]
            by_seq = {e["seq"]: e for e in journal}
            events = [e["event"] for e in journal]
            assert events.count("bounced") >= 1 and "suppressed" in events and "refused" in events, events
            chain = [e for e in journal if e["event"] == "refused"][0]
            stop = by_seq[chain["cause"]]
            assert stop["event"] == "suppressed", stop
            assert by_seq[stop["cause"]]["event"] == "bounced", "a refusal, and it says which"
            lines = story(why(daemon))
            depths = {e: d for d, e, _ in lines}
            assert depths["bounced"] < depths["suppressed"] < depths["refused"], lines


RETURNED = """Return-Path: <>
From: MAILER-DAEMON@mx.example
To: n@app.test
Subject: Undelivered Mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It did not go.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; bruce@client.asia
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown
--b--
""".replace("\n", "\r\n")


def explained_over_http():
    """/v1/explain at both doors is what mailtide explain --json says."""
    def told(*args, text=None):
        done = subprocess.run([os.path.join(BUILD, "mailtide"), "explain", "--json", *args], text=True, capture_output=True, timeout=60,
                              input=text, env={**os.environ, "MAILTIDE_SCHEDULES": os.path.join(ROOT, "schedules")})
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    words = "550 Connection frequency limited"
    with Scratch() as scratch, FakeDns({}) as dns, FakeEsp(time.time) as esp:
        with Daemon(scratch, world(scratch, dns, esp, "notify")) as daemon:
            want = told(words)
            assert want["rule"], want
            asked = "/v1/explain?text=" + words.replace(" ", "%20")
            plain, mail = {"Content-Type": "text/plain"}, {"Content-Type": "message/rfc822"}
            assert daemon.status(asked) == want
            assert daemon.http("GET", asked) == (200, want)
            assert daemon.http("POST", "/v1/explain", words, plain) == (200, want)
            assert daemon.http("GET", "/v1/explain?text=550%20Suspected%20spam&provider=mx1.qq.com") == \
                (200, told("--provider", "mx1.qq.com", "550 Suspected spam"))
            want = told("--message", "-", text=RETURNED)
            assert want["recipients"][0]["class"] == "recipient", want
            assert daemon.http("POST", "/v1/explain", RETURNED, mail) == (200, want)
            for path, method, code in (("/v1/explain", "GET", 400), ("/v1/explain?text=x&provider=nobody", "GET", 400), ("/v1/explain", "PUT", 405)):
                assert daemon.http(method, path)[0] == code, path


if __name__ == "__main__":
    sys.exit(suite.run([limited_then_through, dead_then_refused, explained_over_http]))
