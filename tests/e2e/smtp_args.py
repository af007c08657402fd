#!/usr/bin/env python3
"""SMTP accounts at ESPs: our id and the application's metadata travel in the ESP's own header field and
come back with its events, also when nothing else names the mail. No other way out sees them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from esps import KEY_ID, SECRET, proof, world
from fake_esp import FakeEsp
from lab import Lab
from lab_esps import Hook
from mailtide import ROOT, Clock, Daemon, Scratch, base_config, until

FIELDS = {"sendgrid": "X-SMTPAPI", "ses": "X-SES-MESSAGE-TAGS", "mailgun": "X-Mailgun-Variables",
          "postmark": "X-PM-Metadata-mailtide_attempt", "sparkpost": "X-MSYS-API", "brevo": "X-Mailin-custom"}
OTHER = ' other: {{ type = "smtp"; host = "127.0.0.1"; port = {port}; tls = "none"; auth = "none"; }};'


def config(scratch, lab, api, other=""):
    os.symlink(os.path.join(ROOT, "schedules"), scratch / "schedules")
    names = '"esp", "other"' if other else '"esp"'
    return base_config(scratch, f"""
        dns: {{ servers = ["{lab.dns}"]; private_addresses = true; }}; store: {{ free_min = "0"; }};
        applications: {{ app: {{ anonymous = true; senders = ["app.test"]; accounts = [{names}]; }}; }};
        accounts: {{ esp: {{ type = "smtp"; host = "127.0.0.1"; port = {lab.smtp_port("esp")}; tls = "none";
            user = "{KEY_ID}"; password = "{SECRET}"; events = "{api}"; {proof(api, lab, scratch)} backoff_min = "1h"; backoff_max = "2h"; }};
            {other} }};""")


def hand_in(daemon, to, headers=None):
    code, answer = daemon.http("POST", "/v1/notifications", {
        "from": "n@app.test", "to": to, "subject": "s", "text": "t", "stream": "urgent",
        "metadata": {"order": "4711"}, "headers": headers or {}})
    assert code == 202, answer
    return answer["notifications"][0]["id"]


def come_back():
    """Two mails to one recipient at once: only the id tells their events apart."""
    for api, field in FIELDS.items():
        with Scratch() as scratch, Lab(scratch, Clock("2026-03-02T01:00:00Z"), world(scratch, api)) as lab, \
                Hook() as hook, Daemon(scratch, config(scratch, lab, api), lab.clock) as daemon:
            assert lab.ask("POST", "/webhook", {"esp": "esp", "url": hook.url})[0] == 200
            ids = [hand_in(daemon, "ann@friendly.example", {"Message-ID": "<same@app.test>"}) for _ in range(2)]
            for id in ids:
                until(f"{api}: sent", lambda: daemon.notification(id)["state"] == "sent")
            until(f"{api}: all is told", lambda: lab.settled() and len(lab.mails("ann@friendly.example")) == 2)
            attempts = [daemon.notification(id)["attempt"] for id in ids]
            for attempt in attempts:
                told = until(f"{api}: told with our id", lambda: [b for _, b in hook.got if attempt.encode() in b])
                assert all(b"4711" in b for b in told), (api, told)
            assert f"{field}:" in lab.message("ann@friendly.example", 1), api
            # and the door knows them by it
            url = f"http://127.0.0.1:{daemon.http_port}/v1/events/esp"
            assert lab.ask("POST", "/webhook", {"esp": "esp", "url": url})[0] == 200
            bob = hand_in(daemon, "bob@friendly.example")
            gone = hand_in(daemon, "gone@friendly.example")
            until(f"{api}: delivered", lambda: daemon.notification(bob)["state"] == "delivered")
            until(f"{api}: bounced", lambda: daemon.notification(gone)["state"] == "bounced")


def nobody_else():
    """The ESP is busy and another account takes over: it sees neither our field nor the ESP's others."""
    clock = Clock("2026-03-02T01:00:00Z")
    with Scratch() as scratch, FakeEsp(clock.now) as fake, \
            Lab(scratch, clock, world(scratch, "sendgrid")) as lab, \
            Daemon(scratch, config(scratch, lab, "sendgrid", OTHER.format(port=fake.port)), clock) as daemon:
        assert lab.ask("POST", "/faults", {"esp": "esp", "fault": "busy", "count": -1})[0] == 200
        id = hand_in(daemon, "ann@friendly.example")
        until("the other took it", lambda: daemon.notification(id)["state"] == "sent")
        mail, = fake.taken()
        assert b"mailtide_attempt" not in mail.data and b"X-SMTPAPI" not in mail.data, mail.data


if __name__ == "__main__":
    sys.exit(suite.run([come_back, nobody_else]))
