#!/usr/bin/env python3
"""A daemon that watches its senders: one whose DKIM key goes missing has its bulk streams held, over a
restart too, while all other mail goes on, and they leave by themselves once the key is back."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_dns import FakeDns
from fake_esp import FakeEsp
from mailtide import BUILD, Clock, Daemon, Scratch, base_config, until

KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
DKIM, DMARC = "s1._domainkey.shop.test", "_dmarc.shop.test"
TXT = {"shop.test": "v=spf1 ip4:192.0.2.1 -all", DKIM: KEY, DMARC: "v=DMARC1; p=none"}
DOMAINS = {"client.test": ["mx.client.test"], "shop.test": ["mx.client.test"]}
CONFIG = """
dns: {{ servers = ["127.0.0.1:{dns}"]; ttl_max = "1s"; negative_ttl_max = "1s"; stale_max = "0s";
       timeout = "500ms"; tries = 2; private_addresses = true; }};
store: {{ free_min = "0"; }};
sender_checks: {{ every = "10s"; {checks} }};
streams: {{
  urgent: {{ priority = 0; urgent = true; digest = false; }};
  notify: {{ digest = false; }};
  news: {{ digest = false; bulk = true; priority = 9; }};
}};
accounts: {{ sink: {{ type = "smtp"; host = "127.0.0.1"; port = {esp}; tls = "none";
                     selectors = ["s1"]; }}; }};
applications: {{ shop: {{ anonymous = true; senders = ["shop.test"]; accounts = ["sink"]; }}; }};
"""
DEMANDS = """
demands: { gmail-dkim: { provider = "google"; title = "Gmail"; topic = "dkim"; bulk = true;
  rule = "A bulk sender has DKIM."; consequence = "Refused: 5.7.30."; reference = "x"; date = "2026-03-21"; }; };
"""
ONE_CLICK = {"List-Unsubscribe": "<https://shop.test/u>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


class Rig:
    def __init__(self, checks=""):
        self.clock = Clock(rate=20)
        self.scratch, self.dns, self.esp = Scratch(), FakeDns(DOMAINS, txt=TXT), FakeEsp(self.clock.now)
        for kind in ("providers", "accounts"):
            os.makedirs(self.scratch / f"schedules/{kind}")
        self.scratch.write("schedules/demands.conf", DEMANDS)
        config = CONFIG.format(dns=self.dns.port, esp=self.esp.port, checks=checks)
        self.daemon = Daemon(self.scratch, base_config(self.scratch, config), self.clock)
        self.sent = 0

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *why):
        try:
            self.daemon.__exit__(*why)
        finally:
            self.esp.__exit__()
            self.dns.__exit__()
            self.scratch.__exit__()

    def sender(self):
        found = self.daemon.status("/v1/senders")["senders"]
        assert len(found) <= 1, found
        return found[0] if found and found[0]["checked_at"] else None

    def checked_again(self):
        """Waits for a check that begins from now on: the second that ends from now on."""
        for _ in range(2):
            before = self.sender()["checked_at"]
            until("another check", lambda: self.sender()["checked_at"] != before)
        return self.sender()

    def hand_in(self, stream, headers=None):
        self.sent += 1
        body = {"from": "shop@shop.test", "to": "ann@client.test", "subject": f"{stream} {self.sent}",
                "text": "Hello", "stream": stream}
        if headers:
            body["headers"] = headers
        code, answer = self.daemon.http("POST", "/v1/notifications", body)
        assert code == 202, answer
        return answer["notifications"][0]["id"]

    def state(self, id):
        return self.daemon.notification(id)["state"]

    def cli(self, *arguments):
        return subprocess.run([os.path.join(BUILD, "mailtide"), "-s", self.daemon.socket, *arguments],
                              capture_output=True, text=True)


def held(rig):
    return until("the sender is held", lambda: rig.sender()["held"])


def test_fails_is_held_and_opens():
    with Rig() as rig:
        until("the first check", rig.sender)
        first = rig.hand_in("news", ONE_CLICK)
        until("bulk mail leaves", lambda: rig.state(first) == "sent")
        assert until("a pass", lambda: rig.sender()["passed_at"])
        del rig.dns.txt[DKIM]
        reason = held(rig)
        assert DKIM in reason and "missing" in reason, reason

        news, notify, urgent = rig.hand_in("news", ONE_CLICK), rig.hand_in("notify"), rig.hand_in("urgent")
        until("other mail goes on", lambda: rig.state(notify) == rig.state(urgent) == "sent")
        assert rig.state(news) == "held" and DKIM in rig.daemon.notification(news)["reason"]
        alarm = rig.daemon.status()["alarms"][0]
        assert alarm["key"] == "sender/shop.test/sink" and alarm["severity"] == "critical", alarm
        assert DKIM in alarm["sentence"] and "Publish there" in alarm["sentence"], alarm
        shown = rig.cli("check-sender", "--watched")
        assert shown.returncode == 1 and "bulk streams are held" in shown.stdout, shown
        assert "Gmail" in shown.stdout and f"DKIM key {DKIM}" in shown.stdout, shown.stdout

        rig.dns.failing = {DKIM}  # DNS fails: nothing changes
        assert rig.checked_again()["held"] and rig.state(news) == "held"
        rig.daemon.kill()
        rig.daemon.start()
        later = rig.hand_in("news", ONE_CLICK)
        until("it is verified anew", lambda: rig.state(later) != "accepted")
        assert rig.state(later) == "held" and rig.sender()["held"], "held over a crash"

        rig.dns.failing = set()
        rig.dns.txt[DKIM] = KEY
        until("it opens by itself", lambda: rig.state(news) == rig.state(later) == "sent")
        until("no alarm", lambda: not rig.daemon.status()["alarms"])
        events = [e["type"] for e in rig.daemon.status("/v1/events?types=sender.*")["events"]]
        assert events == ["sender.held", "sender.open"], events


def test_dns_failure_holds_nothing():
    with Rig() as rig:
        until("a pass", lambda: (rig.sender() or {}).get("passed_at"))
        rig.dns.failing = set(TXT)
        found = rig.checked_again()
        assert not found["held"] and not found["report"]["failing"], found
        assert found["report"]["state"] == "unknown", found
        news = rig.hand_in("news", ONE_CLICK)
        until("bulk mail goes on", lambda: rig.state(news) == "sent")


def test_warned_of_only():
    with Rig('on_failure = "warn";') as rig:
        until("a pass", lambda: (rig.sender() or {}).get("passed_at"))
        del rig.dns.txt[DKIM]
        until("an alarm", lambda: any(a["severity"] == "warning" for a in rig.daemon.status()["alarms"]))
        news = rig.hand_in("news", ONE_CLICK)
        until("bulk mail goes on", lambda: rig.state(news) == "sent")


def test_never_passed():
    for checks, state in (("", "sent"), ('on_first_failure = "hold_bulk";', "held")):
        rig = Rig(checks)
        del rig.dns.txt[DKIM]
        with rig:
            first = rig.hand_in("news", ONE_CLICK)  # makes it a bulk sender, of which DKIM is demanded
            until("it fails", lambda: rig.sender() and rig.sender()["report"]["failing"])
            news = rig.hand_in("news", ONE_CLICK)
            until(state, lambda: rig.state(news) == state)
            del first


def test_one_click_of_real_mail():
    with Rig() as rig:
        def check():
            found = rig.sender()
            checks = found["report"]["checks"] if found else []
            return next((c for c in checks if c["check"] == "one-click unsubscribe of stream news"), None)
        rig.hand_in("notify")
        news = rig.hand_in("news")
        until("it is seen", lambda: check() and check()["state"] == "bad")
        assert "List-Unsubscribe is missing" in check()["finding"], check()
        until("nothing is held for it", lambda: rig.state(news) == "sent")
        rig.hand_in("news", ONE_CLICK)
        until("the next mail is right", lambda: check()["state"] == "good")
        assert "only a delivered message shows" in check()["finding"], check()


if __name__ == "__main__":
    sys.exit(suite.run([test_fails_is_held_and_opens, test_dns_failure_holds_nothing, test_warned_of_only,
                        test_never_passed, test_one_click_of_real_mail]))
