#!/usr/bin/env python3
"""What an ESP says of the account feeds the ledger: Amazon SES' GetAccount, as mailtide-lab plays it.

The account may send 40 mails in 24 hours, and somebody else sends through it too: mailtide counts
what it did not send itself, warns when little is left, and is never refused."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from esps import Client, account, world
from lab import Lab
from mailtide import BUILD, ROOT, Clock, Daemon, Scratch, base_config, until

RATE = 600  # ten minutes a second
QUOTA, OTHERS = 40, 33
LIMIT = """limits: { day: { scope = "all"; stage = "data"; counts = "accepted"; window = "rolling 24h";
    count = %d; reply = "454 Throttling failure: Daily message quota exceeded"; }; };""" % QUOTA


def told(daemon):
    rows = daemon.status("/v1/limits/learned")["learned"]
    return next((r for r in rows if r["scope"] == "account" and "rolling" in (r["text"] or "")), None)


def alarm(daemon, key):
    return next((a for a in daemon.status()["alarms"] if a["key"] == key), None)


def hand_in(daemon, n):
    for i in range(n):
        code, answer = daemon.http("POST", "/v1/notifications",
                                   {"from": "n@app.test", "to": f"p{i}@client.asia",
                                    "subject": f"Mail {i}", "text": "x", "stream": "urgent"})
        assert code == 202, answer


def test_quota_is_told():
    with Scratch() as scratch:
        clock = Clock(rate=RATE)
        with Lab(scratch, clock, world(scratch, "ses", esp=LIMIT)) as lab:
            ways = account("ses", lab, 'profile = "ses"; quota_every = "1min";')
            conf = base_config(scratch, f"""
                dns: {{ servers = ["{lab.dns}"]; private_addresses = true; }};
                applications: {{ app: {{ anonymous = true; senders = ["app.test"]; }}; }};
                {ways}""").replace(str(scratch / "schedules"), os.path.join(ROOT, "schedules"))
            with Daemon(scratch, conf, clock) as daemon:
                row = until("the quota is told", lambda: told(daemon))
                assert (row["count"], row["source"], row["subject"]) == (QUOTA, "published", "esp"), row
                assert alarm(daemon, "account/esp/quota") is None
                others = Client(lab, "ses")
                for i in range(OTHERS):
                    code, answer = others.send(f"o{i}@client.asia")
                    assert code == 200, answer
                until("what others sent counts", lambda: told(daemon)["used"] >= OTHERS)
                warned = until("an alarm", lambda: alarm(daemon, "account/esp/quota"))
                assert "33 of the 40 mails" in warned["sentence"], warned
                text = subprocess.run([os.path.join(BUILD, "mailtide"), "-s", daemon.socket, "status"],
                                      capture_output=True, text=True, check=False).stdout
                assert "Account esp has used 33" in " ".join(text.split()), text
                hand_in(daemon, 12)
                until("the rest was sent", lambda: lab.esp_books()["limits"][0]["most"] >= QUOTA)
                until("the others wait", lambda: daemon.pending() == 12 - (QUOTA - OTHERS))
                books = lab.esp_books()
                assert books["limits"][0]["refused"] == 0, books["limits"]
                until("each says why", lambda: all(
                    "40 per rolling" in n["reason"]
                    for n in daemon.status("/v1/queue")["notifications"]))


if __name__ == "__main__":
    sys.exit(suite.run([test_quota_is_told]))
