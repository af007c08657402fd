#!/usr/bin/env python3
"""A limit that no profile knows, learned from refusals, and kept through a kill in the middle.

The smarthost takes five mails a day for one mailbox and then says what QQ says; the profile thinks
that it is ten. mailtided is killed while that has closed the provider; started anew it must not run
into the refusal again, neither today nor, by more than a probe, on the days after.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from lab import STORY, Lab
from mailtide import BUILD, ROOT, Clock, Daemon, Scratch, until
from office import BRUCE, SENDER, START, config

RATE = 9000  # a day in some 10 s
LIMIT = 5
WORDS = "550 Connection frequency limited. http://service.mail.qq.com/detail/122/175"


def world(scratch):
    story = open(STORY, encoding="utf-8").read()
    at = story.index("quota: {")
    story = story[:at] + ("""quota: {
                scope = "mailbox"; stage = "rcpt"; counts = "accepted"; window = "day";
                zone = "Asia/Shanghai"; count = %d; reply = "%s"; }; }; }; };\n""" % (LIMIT, WORDS))
    return scratch.write("world.conf", story)


def cli(daemon, *args):
    done = subprocess.run([os.path.join(BUILD, "mailtide"), "-s", daemon.socket, *args],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, (args, done.stdout, done.stderr)
    return done.stdout


def learned(daemon):
    return json.loads(cli(daemon, "limits", "--learned", "--json"))["learned"]


def hand_in(daemon, count):
    for i in range(count):
        code, answer = daemon.http("POST", "/v1/notifications",
                                   {"from": SENDER, "to": BRUCE, "subject": f"Alert {i}",
                                    "text": "x", "stream": "urgent", "deadline": "3d"})
        assert code == 202, answer


def refused(lab):
    return lab.esp_books()["limits"][0]["refused"]


def closure(daemon):
    """A closure of ten virtual minutes lasts 70 ms: it may be over when asked for."""
    return next((l for l in learned(daemon) if l["closed_until"]), None)


def number(daemon):
    return next((l for l in learned(daemon) if l["count"] and "day" in (l["text"] or "")), None)


def test_learned_and_kept():
    with Scratch() as scratch:
        clock = Clock(START, RATE)
        with Lab(scratch, clock, world(scratch)) as lab:
            conf = config(scratch, lab, os.path.join(ROOT, "schedules"), margin="1h")
            daemon = Daemon(scratch, conf, clock)
            daemon.start()
            try:
                hand_in(daemon, 3 * LIMIT)
                until("it was refused", lambda: refused(lab) >= 1)
                closed = until("it is closed", lambda: closure(daemon))
                assert closed["scope"] == "ip-provider", closed
                daemon.kill()
                daemon.start()
                again = until("it is closed again", lambda: closure(daemon))
                assert again["closed_until"] >= closed["closed_until"], (closed, again)
                # the tiers end in the day's own window, which teaches the number
                taught = until("a number", lambda: number(daemon))
                assert taught["count"] == LIMIT and taught["of"] == "exmail", taught
                assert any(WORDS.split(".")[0] in r["words"] for r in taught["replies"]), taught
                until("what was under way has ended",
                      lambda: daemon.status()["queues"]["flying"] == 0)
                before = refused(lab)
                belief = taught["belief"]
                assert belief["low"] <= belief["likeliest"] == LIMIT <= belief["high"], belief
                # Three tiers and the next day, two mails under way each; and a tier once more when
                # the kill came before its closure was on disk.
                assert before <= 2 * 5, before
                daemon.kill()
                daemon.start()
                daemon.wait_idle()
                kept = number(daemon)["belief"]
                assert abs(kept["likeliest"] - LIMIT) <= 1 and kept["chance"] > 0.4, kept
                print(f"     refused {refused(lab)} times in all, {before} before the number")
                assert refused(lab) - before <= 2, "but for one probe it is kept to"
                assert len(lab.mails(BRUCE)) == 3 * LIMIT, lab.mails(BRUCE)
                text = cli(daemon, "limits", "--learned")
                assert "esp > exmail" in text and "Taught by" in text, text
                assert "most likely" in text or "Almost certainly" in text, text
                why = daemon.why("recipient", BRUCE)
                assert any(e["event"] == "limit_learned" for e in why["journal"]), why["journal"]
                done = cli(daemon, "limits", "pin", "ip-provider", "esp", "exmail", "4")
                assert "pinned by hand for ip-provider esp > exmail: 4 per day" in done, done
                assert any(l["pinned"] and l["count"] == 4 for l in learned(daemon))
                done = cli(daemon, "limits", "forget", "ip-provider", "esp", "exmail")
                assert "forgotten by hand" in done, done
                assert learned(daemon) == [], learned(daemon)
            finally:
                daemon.stop()


if __name__ == "__main__":
    sys.exit(suite.run([test_learned_and_kept]))
