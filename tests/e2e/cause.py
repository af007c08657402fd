#!/usr/bin/env python3
"""`mailtide why` tells cause and effect: the first refusal, all that followed from it, what ended it."""
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


if __name__ == "__main__":
    sys.exit(suite.run([limited_then_through, dead_then_refused]))
