#!/usr/bin/env python3
"""What becomes of mail when the way out is blocked: an ESP down, one that refuses, DNS that fails."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_esp import FakeEsp
from house import CONFIG, House
from mailtide import Clock, until

RATE = 600  # ten minutes a second
ACCOUNT = """ {name}: {{{{ type = "smtp"; host = "127.0.0.1"; port = {{{name}}}; tls = "none"; auth = "none";
  backoff_min = "1min"; backoff_max = "10min"; unknown_wait = "20min"; }}}};"""
ONE = CONFIG + "accounts: {{" + ACCOUNT.format(name="esp") + "}};\n"
TWO = CONFIG + "accounts: {{" + ACCOUNT.format(name="first") + ACCOUNT.format(name="second") + "}};\n"
STREAMS = 'streams: {{ notify: {{ }}; careful: {{ on_unknown = "hold"; }}; }};\n'


def hand_in(house, token, to="a@client.asia", **more):
    note = {"from": "n@app.test", "to": to, "subject": token, "text": token, **more}
    code, answer = house.daemon.http("POST", "/v1/notifications", note)
    assert code == 202, (code, answer)
    return answer["notifications"][0]["id"]


def state(house, id):
    return house.daemon.notification(id)["state"]


def tokens(esp):
    return sorted(t for m in esp.taken() for t in m.tokens())


def down_and_up():
    """Nobody listens at the ESP: the account backs off and says why; later all leaves, once."""
    clock = Clock(rate=RATE)
    with FakeEsp(clock.now) as esp:
        port = esp.port
    with House(ONE, clock, esp=port) as house:
        sent = [f"tok-down-{i}" for i in range(20)]
        ids = [hand_in(house, token, f"p{i}@client.asia") for i, token in enumerate(sent)]
        account = until("backing off", lambda: next(
            (a for a in house.daemon.status()["accounts"] if a["state"] == "backing off"), None))
        assert "connection refused" in account["reason"] and account["backoff_until"], account
        assert house.daemon.pending() == len(ids)
        with FakeEsp(clock.now, port=port) as esp:
            house.daemon.wait_idle()
            assert tokens(esp) == sorted(sent)
        assert {state(house, i) for i in ids} == {"sent"}
        assert house.daemon.status()["attempts"]["unknown"] == 0


def failover():
    """The second account takes what the first cannot."""
    clock = Clock(rate=RATE)
    with FakeEsp(clock.now) as first:
        dead = first.port
    with FakeEsp(clock.now) as second, House(TWO, clock, first=dead, second=second.port) as house:
        sent = [f"tok-over-{i}" for i in range(20)]
        for i, token in enumerate(sent):
            hand_in(house, token, f"p{i}@client.asia")
        house.daemon.wait_idle()
        assert tokens(second) == sorted(sent)


def refused_for_good():
    """A 550 is that notification's fate, with the reply for a reason; others are not touched."""
    clock = Clock(rate=RATE)
    refusals = {"gone@client.asia": "550 5.1.1 No such user here"}
    with FakeEsp(clock.now, refusals=refusals) as esp, House(ONE, clock, esp=esp.port) as house:
        bad, good = hand_in(house, "tok-bad-1", "gone@client.asia"), hand_in(house, "tok-good-1")
        house.daemon.wait_idle()
        assert (state(house, bad), state(house, good)) == ("bounced", "sent")
        assert "550 5.1.1 No such user here" in house.daemon.notification(bad)["reason"]
        assert tokens(esp) == ["tok-good-1"] and len(esp.mails) == 2


def answer_lost():
    """Taken, but the answer never came: counted as unknown, tried once more, marked and told."""
    clock = Clock(rate=RATE)
    with FakeEsp(clock.now, faults={"lost": 1.0}) as esp, House(ONE, clock, esp=esp.port) as house:
        id = hand_in(house, "tok-lost-1")
        until("unknown", lambda: house.daemon.status()["attempts"]["unknown"] == 1)
        assert state(house, id) == "releasing"
        esp.faults = {}
        house.daemon.wait_idle()
        assert tokens(esp) == ["tok-lost-1"] * 2 and state(house, id) == "sent"
        tries = house.daemon.why("id", id)["attempts"]
        assert [(a["state"], a["may_be_double"]) for a in tries] == [("abandoned", False), ("accepted", True)], tries
        waited = esp.mails[1].at - esp.mails[0].at
        assert waited >= 20 * 60, f"tried again after {waited} s"


def dns_fails():
    """SERVFAIL is not a verdict: the stream says whether it goes or waits until DNS answers."""
    clock = Clock(rate=RATE)
    with FakeEsp(clock.now) as esp:
        with House(ONE + STREAMS, clock, failing=("client.asia",), esp=esp.port) as house:
            goes = hand_in(house, "tok-goes-1", "a@client.asia", stream="notify")
            waits = hand_in(house, "tok-waits-1", "b@client.asia", stream="careful")
            until("one is sent", lambda: state(house, goes) == "sent")
            until("the other held", lambda: state(house, waits) == "held")
            assert "client.asia" in house.daemon.notification(waits)["reason"]
            house.dns.failing.clear()
            house.daemon.wait_idle()
            assert tokens(esp) == ["tok-goes-1", "tok-waits-1"]


if __name__ == "__main__":
    sys.exit(suite.run([down_and_up, failover, refused_for_good, answer_lost, dns_fails]))
