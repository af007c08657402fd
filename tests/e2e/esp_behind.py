#!/usr/bin/env python3
"""The daemon releasing through each ESP that mailtide-lab plays, over TLS, with faults on the ESP's side:
nothing lost, nothing knowingly twice, and the consequence that the README's table names."""
import email
import email.policy
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from esps import APIS, account, world
from lab import Lab
from mailtide import Clock, Daemon, Scratch, base_config, until

RATE = 600  # ten minutes a second
ANN, BOB = "ann@friendly.example", "bob@friendly.example"
KEYED = ("resend", "brevo")  # know idempotency keys: what is asked again is not sent again
ASKED = ("sendgrid", "mailgun", "postmark")  # are asked whether they have the mail
ONCE = KEYED + ASKED
MORE = """connections = 4; connect_timeout = "500ms"; backoff_min = "1min"; backoff_max = "3min";
          unknown_wait = "10min"; command_timeout = "%s";"""


class Way:
    """A lab and a daemon that releases through its ESP, over TLS."""

    def __init__(self, api, esp="", key=None, patience="10s", more=MORE):
        self.api, self.scratch, self.clock, self.patience = api, Scratch(), Clock(rate=RATE), patience
        self.more = more
        self.lab = Lab(self.scratch, self.clock, world(self.scratch, api, esp=esp, tls=True))
        self.key = key

    def __enter__(self):
        for kind in ("providers", "accounts"):
            os.makedirs(self.scratch / f"schedules/{kind}")
        self.lab.start()
        text = account(self.api, self.lab, self.more % self.patience, self.scratch)
        self.config = base_config(self.scratch, f"""
            dns: {{ servers = ["{self.lab.dns}"]; private_addresses = true; }};
            applications: {{ app: {{ anonymous = true; senders = ["app.test"]; }}; }};
            {text.replace("secret/of+lab", self.key) if self.key else text}""")
        self.daemon = Daemon(self.scratch, self.config, self.clock).start()
        return self

    def __exit__(self, *why):
        try:
            self.daemon.__exit__(*why)
            self.lab.__exit__(*why)
        finally:
            self.scratch.__exit__()

    def fault(self, name, count=1):
        assert self.lab.ask("POST", "/faults", {"fault": name, "count": count})[0] == 200

    def hand_in(self, subject, to=ANN):
        note = {"from": "Ännchen <n@app.test>", "to": to, "subject": subject, "text": f"Grüße {subject}"}
        code, answer = self.daemon.http("POST", "/v1/notifications", note)
        assert code == 202, (code, answer)
        return answer["notifications"][0]["id"]

    def state(self, id):
        return self.daemon.notification(id)["state"]

    def subjects(self, *mailboxes):
        until("the ESP has delivered all", self.lab.settled)
        return sorted(m["subject"] for box in mailboxes or (ANN,) for m in self.lab.mails(box))

    def account(self):
        return self.daemon.status()["accounts"][0]


def clean():
    """Every mail once, Unicode whole, the ESP's own id in the journal."""
    for api in APIS:
        with Way(api) as w:
            sent = [f"Grüße tok-{api}-{i}" for i in range(6)]
            people = [f"p{i}@client.asia" for i in range(len(sent))]
            ids = [w.hand_in(s, to) for s, to in zip(sent, people)]
            w.daemon.wait_idle()
            assert w.subjects(*people) == sorted(sent), api
            assert {w.state(i) for i in ids} <= {"sent", "delivered"}, api
            assert "id=" in json.dumps(w.daemon.why("id", ids[0])["attempts"][0]), api
            mail = email.message_from_string(w.lab.message(people[0], 1), policy=email.policy.default)
            assert "Grüße" in mail.get_body(("plain",)).get_content(), (api, mail)
            assert mail["From"].addresses[0].display_name == "Ännchen", (api, mail["From"])


def limited():
    """429: the account rests as long as it was told, and the mail leaves once, its tries untouched."""
    for api in APIS:
        with Way(api) as w:
            w.fault("limited")
            id = w.hand_in("tok-limited")
            account = until(f"{api} rests", lambda: w.account() if w.account()["state"] == "backing off" else None)
            assert f"HTTP {420 if api == 'sparkpost' else 429}" in account["reason"], account
            w.daemon.wait_idle()
            assert w.subjects() == ["tok-limited"] and w.state(id) in ("sent", "delivered"), api


def down():
    """500s: backs off, nothing is lost, nothing comes twice."""
    for api in APIS:
        with Way(api) as w:
            w.fault("down", 3)
            ids = [w.hand_in(f"tok-down-{i}", to) for i, to in enumerate((ANN, BOB))]
            w.daemon.wait_idle()
            assert w.subjects(ANN, BOB) == ["tok-down-0", "tok-down-1"], (api, w.subjects(ANN, BOB))
            assert {w.state(i) for i in ids} <= {"sent", "delivered"}, api


def lost_by(api, fault):
    with Way(api, patience="1s" if fault == "silent" else "10s") as w:
        w.fault(fault)
        id = w.hand_in(f"tok-{fault}")
        w.daemon.wait_idle()
        got = w.subjects()
        marked = any(a["may_be_double"] for a in w.daemon.why("id", id)["attempts"])
        assert set(got) == {f"tok-{fault}"} and w.state(id) in ("sent", "delivered"), (api, fault, got)
        assert len(got) == 1 or (marked and api not in ONCE), (api, fault, got, marked)


def answer_lost():
    """The mail was taken, its answer never came (time-out, 504, half of it): unknown. Where the ESP knows
    keys, or can be asked for the mail, it comes once all the same; else it may come twice, and then both sides say so."""
    cases = [(api, "silent") for api in APIS] + [("sendgrid", "gateway"), ("resend", "gateway"),
                                                 ("ses", "half"), ("brevo", "half")]
    with ThreadPoolExecutor(4) as pool:  # waiting is all that they do
        for done in [pool.submit(lost_by, *case) for case in cases]:
            done.result()


def mixed():
    """Many mails and all of it at once: none is lost, and what came twice is marked as what may be double."""
    for api in ("sendgrid", "ses", "resend"):
        # where a key is known it is asked again after 1 s, 3 s, ...: the wire's time is real
        lost = '"gateway 1"' if api in ONCE else '"gateway 3", "silent 1"'
        faults = f'faults = ["limited 2", "down 2", {lost}];'
        with Way(api, esp=faults, patience="1s") as w:
            sent = [f"tok-mixed-{i}" for i in range(16)]
            people = [f"m{i}@client.asia" for i in range(len(sent))]
            ids = [w.hand_in(s, to) for s, to in zip(sent, people)]
            w.daemon.wait_idle()
            got = w.subjects(*people)
            marked = {s for id, s in zip(ids, sent)
                      if any(a["may_be_double"] for a in w.daemon.why("id", id)["attempts"])}
            assert set(got) == set(sent), (api, set(sent) - set(got))
            twice = {s for s in got if got.count(s) > 1}
            assert twice <= marked and (api not in ONCE or not twice), (api, twice, marked)


def wrong_key():
    """401 or 403: the account backs off and says why; no mail is given up for it."""
    for api in APIS:
        with Way(api, key="wrong") as w:
            id = w.hand_in("tok-key")
            account = until(f"{api} backs off", lambda: w.account() if w.account()["state"] == "backing off" else None)
            assert "535" in account["reason"] and f"HTTP {403 if api == 'ses' else 401}" in account["reason"], account
            until("held", lambda: w.state(id) == "held")
            assert w.lab.esp_books()["processed"] == 0, api


def key_mended():
    """The right key by a reload: what was held for the wrong one leaves, once."""
    with Way("postmark", key="wrong") as w:
        id = w.hand_in("tok-mended")
        until("backs off", lambda: w.account() if w.account()["state"] == "backing off" else None)
        w.daemon.reload(w.config.replace('key = "wrong"', 'key = "secret/of+lab"'))
        w.daemon.wait_idle()
        assert w.subjects() == ["tok-mended"] and w.state(id) in ("sent", "delivered"), w.daemon.notification(id)


def refused_mail():
    """A 400 or 422, and a sender that is not verified, are that mail's fate; the account goes on."""
    for api in APIS:
        with Way(api) as w:
            w.fault("bad-mail")
            bad = w.hand_in("tok-bad")
            until(f"{api}: the bad one is given up", lambda: w.state(bad) == "bounced")
            w.fault("refuse")
            unverified = w.hand_in("tok-sender", BOB)
            until(f"{api}: the sender is refused", lambda: w.state(unverified) in ("bounced", "held"))
            good = w.hand_in("tok-good")
            until(f"{api}: the good one is sent", lambda: w.state(good) in ("sent", "delivered"))
            assert w.subjects() == ["tok-good"], (api, w.subjects())
            assert "not valid" in w.daemon.notification(bad)["reason"] or api == "sparkpost", api


def suppressed():
    """An address on the ESP's own list: Postmark says so at once, and that is no proof against it."""
    with Way("postmark") as w:
        listed = w.hand_in("tok-first", "gone@friendly.example")
        until("it has bounced there", lambda: w.lab.suppressions())
        w.daemon.wait_idle()
        again = w.hand_in("tok-second", "gone@friendly.example")
        w.daemon.wait_idle()
        assert w.state(again) in ("bounced", "refused"), w.daemon.notification(again)
        assert listed and w.lab.esp_books()["processed"] == 1


if __name__ == "__main__":
    sys.exit(suite.run([clean, limited, down, answer_lost, mixed, wrong_key, key_mended, refused_mail, suppressed]))
