#!/usr/bin/env python3
"""What an ESP's suppression list does to people, and what mailtide does about it: the ESP is played by
the lab through its own API, webhooks and all; up to an hour passes in a second."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from esp_story import BRUCE, Story
from esps import TEN_A_DAY
from mailtide import BUILD, until

ANN, BOB = "ann@friendly.example", "bob@friendly.example"
EVENING = "2026-03-02T22:40:00+08:00"  # in Shanghai, where the limit ends with the day
GONE, ANGRY, FULL = "gone@friendly.example", "angry@friendly.example", "hoarder@friendly.example"


def cli(s, *words, code=0):
    """The command line's answer, as a user reads it."""
    done = subprocess.run([os.path.join(BUILD, "mailtide"), *words, "-s", s.daemon.socket],
                          capture_output=True, text=True)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def sent_directly_before():
    """The application sent directly: QQ refused the eleventh comment, and the ESP silences Bruce for it, a
    password reset too. mailtide comes and takes him off there before any mail leaves; the next arrives."""
    for api in ("sendgrid", "mailgun", "postmark", "sparkpost"):
        with Story(api, tencent=TEN_A_DAY, start=EVENING) as s:
            for i in range(11):
                s.client.send(BRUCE, f"Comment {i}")
                s.settle()
            assert s.there() == {BRUCE}, (api, s.there())
            if api != "postmark":
                s.client.send(BRUCE, "Reset your password")
                assert lab_dropped(s) == 1, (api, s.lab.events())
            s.begin()
            until(f"{api}: taken off", lambda: s.there() == set())
            id = s.hand_in("Reset your password", stream="urgent")
            s.becomes(id, "delivered")
            assert s.subjects()[-1] == "Reset your password", (api, s.subjects())
            assert s.here() is None, (api, s.here())
            said = " ".join(cli(s, "why", BRUCE).split())
            assert "ESP's list account esp: taken off" in said and "frequency limited" in said, said


def lab_dropped(s):
    return s.lab.esp_books()["dropped"]


def used_up_by_others():
    """Sent through mailtide and refused all the same, because others used the limit up: the ESP lists Bruce,
    mailtide takes him off, the mail waits for Shanghai's midnight and arrives. Nothing is suppressed here,
    and `mailtide why` tells cause and effect in order."""
    for api in ("sendgrid", "ses"):
        with Story(api, tencent=TEN_A_DAY, start=EVENING) as s:
            for i in range(10):
                s.client.send(BRUCE, f"Direct {i}")
            s.settle()
            s.begin()
            id = s.hand_in("Reset your password", stream="urgent")
            s.told("frequency limited")
            until(f"{api}: listed and taken off again",
                  lambda: s.there() == set() and any("esp_unlisted" in l for l in s.journal()))
            s.becomes(id, "delivered")
            assert s.here() is None, s.here()
            assert s.subjects()[-1] == "Reset your password", (api, s.subjects())
            story = s.journal()
            order = [next(i for i, l in enumerate(story) if l.startswith(w))
                     for w in ("accepted:", "limited:", "esp_unlisted:", "delivered:")]
            assert order == sorted(order), (api, story)
            said = cli(s, "why", BRUCE)
            assert "Connection frequency limited" in said and "taken off" in said, said


def dropped_meanwhile():
    """The ESP had listed Bruce and dropped a mail before mailtide knew: once he is off, it is mailed again."""
    for api, word in (("sendgrid", "dropped_by_esp:"), ("postmark", "inactive")):
        with Story(api, tencent=TEN_A_DAY, rate=600, account='lists_every = "30d";') as s:
            s.begin()
            until("the first look", lambda: s.daemon.logged("lists.looked_at"))
            for i in range(11):
                s.client.send(BRUCE, f"Direct {i}")
                s.settle()
            assert s.there() == {BRUCE}
            id = s.hand_in("Reset your password", stream="urgent")
            s.told(word)
            s.told("esp_unlisted:")
            s.told("off its list: what it dropped for that is mailed again")
            s.becomes(id, "held", "releasing", "sent")
            until("off again, should it have come back", lambda: s.there() == set())


def command_line():
    """sync by hand: --dry-run tells and changes nothing, then it is done; complaints stay."""
    with Story("sendgrid", tencent=TEN_A_DAY, rate=60, account='lists_every = "0s";') as s:
        for i in range(11):
            s.client.send(BRUCE, f"Comment {i}")
        s.client.send(GONE)
        s.client.send(ANGRY)
        s.settle()
        s.begin()
        assert s.there() == {BRUCE, GONE, ANGRY}
        would = cli(s, "suppress", "sync", "--dry-run")
        assert "take off" in would and "frequency limited" in would and s.there() == {BRUCE, GONE, ANGRY}, would
        done = json.loads(cli(s, "suppress", "sync", "--json"))
        assert (done["taken_off"], done["learnt"], done["failed"]) == (1, 2, 0), done
        verdicts = {e["address"]: (e["kind"], e["verdict"]) for e in done["entries"]}
        assert verdicts == {BRUCE: ("bounced", "taken off"), GONE: ("bounced", "learnt"),
                            ANGRY: ("complained", "learnt")}, verdicts
        assert s.there() == {GONE, ANGRY}
        listed = cli(s, "suppress", "list")
        assert GONE in listed and ANGRY in listed and BRUCE not in listed, listed
        again = json.loads(cli(s, "suppress", "sync", "--json", "--account", "esp"))
        assert (again["taken_off"], again["learnt"]) == (0, 0), again
        cli(s, "suppress", "sync", "--account", "other", code=4)


def full_mailbox():
    """4xx for a full mailbox until the ESP gives up: a rest, no death sentence; nothing stands there."""
    with Story("sendgrid", esp='retry_every = "1h"; retry_for = "3h";') as s:
        s.begin()
        id = s.hand_in("Hello", FULL)
        s.told("over quota", FULL)
        s.becomes(id, "bounced", "held")
        assert FULL not in {x["recipient"] for x in s.lab.suppressions() if x["list"] == "bounces"}


def dead_address():
    """550 5.1.1: suppressed here, with the words as evidence; it stays on the ESP's list."""
    with Story("sendgrid") as s:
        s.begin()
        id = s.hand_in("Hello", GONE)
        s.becomes(id, "bounced")
        until("suppressed here", lambda: s.here(GONE))
        assert s.there() == {GONE}
        assert any("No such user here" in l and l.startswith("suppressed:") for l in s.journal(GONE)), s.journal(GONE)
        again = s.hand_in("Hello again", GONE)
        s.becomes(again, "refused")
        assert s.lab.esp_books()["processed"] == 1
        cli(s, "suppress", "sync")
        assert s.there() == {GONE}


def complaint():
    """The recipient calls it spam: no more mail, here and there, and no sync takes that back."""
    with Story("ses") as s:
        s.begin()
        id = s.hand_in("Hello", ANGRY)
        s.becomes(id, "complained")
        until("suppressed here", lambda: s.here(ANGRY))
        cli(s, "suppress", "sync")
        assert s.there() == {ANGRY}
        assert s.becomes(s.hand_in("Hello again", ANGRY), "refused")


def own_ip_listed():
    """Every provider refuses us, because our address is block-listed: nobody is suppressed for that."""
    blocked = '''limits: { ip: { scope = "all"; stage = "rcpt"; count = 0; window = "day"; reply =
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"; }; };'''
    with Story("sendgrid", friendly=blocked) as s:
        s.begin()
        ids = [s.hand_in("Hello", to) for to in (ANN, BOB)]
        for id in ids:
            s.becomes(id, "bounced", "held")
        s.told("zen.spamhaus.org", ANN)
        assert s.here(ANN) is None and s.here(BOB) is None
        cli(s, "suppress", "sync")
        until("SendGrid's blocks are cleared", lambda: s.there() == set())


def esp_down():
    """Two hours of 500s: held, then sent once; nobody is bounced or suppressed."""
    with Story("sendgrid", esp='faults = ["down -1"];', account='backoff_max = "15min";') as s:
        s.begin()
        began = s.clock.now()
        ids = [s.hand_in(f"Hello {i}", to) for i, to in enumerate((ANN, BOB))]
        until("two hours", lambda: s.clock.now() - began > 2 * 3600)
        assert {s.state(id) for id in ids} == {"held"}, [s.state(id) for id in ids]
        assert s.lab.ask("POST", "/faults", {"fault": "down", "count": 0})[0] == 200
        for id in ids:
            s.becomes(id, "delivered")
        assert s.subjects(ANN) == ["Hello 0"] and s.subjects(BOB) == ["Hello 1"]
        assert s.here(ANN) is None and s.here(BOB) is None


def events_in_disorder():
    """Everything is told late, the last first, and twice: the same fates, each told once."""
    with Story("sendgrid", esp='webhook_delay = "30min"; webhook_reversed = true; webhook_twice = true;') as s:
        s.begin()
        good, dead = s.hand_in("Hello", ANN), s.hand_in("Hello", GONE)
        s.becomes(good, "delivered")
        s.becomes(dead, "bounced")
        until("suppressed here", lambda: s.here(GONE))
        for address, word in ((ANN, "delivered:"), (GONE, "bounced:")):
            lines = [l for l in s.journal(address) if l.startswith(word)]
            assert len(lines) == 1, lines


def events_lost():
    """Each second event never comes: what was sent stays sent, and nothing is mailed twice for it."""
    with Story("postmark", esp="webhook_lose = 2;") as s:
        s.begin()
        ids = [s.hand_in(f"Hello {i}", to) for i, to in enumerate((ANN, BOB))]
        for id in ids:
            s.becomes(id, "sent", "delivered")
        s.settle()
        assert len(s.subjects(ANN)) == len(s.subjects(BOB)) == 1


def confirmed():
    """Suppressed here and there for a dead mailbox that is not dead: its owner confirms, and both let go."""
    with Story("sendgrid") as s:
        s.begin()
        s.becomes(s.hand_in("Hello", GONE), "bounced")
        until("suppressed here", lambda: s.here(GONE))
        code, answer = s.daemon.http("POST", f"/v1/recipients/{GONE}/confirm")
        assert code == 200, (code, answer)
        until("both let go", lambda: s.here(GONE) is None and s.there() == set())
        s.told("esp_unlisted:", GONE)


if __name__ == "__main__":
    sys.exit(suite.run([sent_directly_before, used_up_by_others, dropped_meanwhile, command_line, full_mailbox,
                        dead_address, complaint, own_ip_listed, esp_down, events_in_disorder, events_lost,
                        confirmed]))
