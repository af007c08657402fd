#!/usr/bin/env python3
"""The story of Bruce, three days long on a hurried clock, and the same without mailtide.

A service sends 30 comments a working day and, late in it, one password reset to bruce@client.asia.
His provider takes ten mails a day and then answers 550; the ESP takes that 550 for a dead address.
All of it is real but the time: mailtided, and mailtide-lab as DNS, ESP and provider.
"""
import email
import email.policy
import os
import re
import sys
from datetime import datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from lab import Lab
from mailtide import ROOT, Clock, Daemon, Scratch, until
from office import BRUCE, COMMENTS, START, Office, config, working_day

DAYS = 3
RATE = 9000  # three days and a night in some 27 s
SCHEDULES = os.path.join(ROOT, "schedules")
URGENT_MAX_S = 90 * 60  # virtual; 0.6 s of this machine's time, sanitizers and neighbours included


def seconds(rfc3339):
    return datetime.fromisoformat(rfc3339.replace("Z", "+00:00")).timestamp()


def comments_in(raw):
    """The comments that one mail tells of, in the order in which it shows them."""
    m = email.message_from_string(raw, policy=email.policy.default)
    text = m["Subject"] + "\n" + m.get_body(("plain",)).get_content()
    seen = re.findall(r"New comment (\d-\d\d)", text)
    return list(dict.fromkeys(seen))


def check_provider(lab):
    books = lab.books("tencent")
    assert books["refused"] == 0, f"the provider refused: {lab.get('/attempts')}"
    limit = next(l for l in books["limits"] if l["subject"] == BRUCE)
    print("     mails a day:", [w["used"] for w in limit["windows"]])
    assert 0 < limit["most"] <= 10, limit
    assert all(w["used"] <= 10 for w in limit["windows"]), limit
    assert lab.suppressions() == [], lab.suppressions()
    assert lab.esp_books()["bounce"] == 0 and lab.esp_books()["dropped"] == 0, lab.esp_books()


def check_resets(lab, office):
    mails = {m["subject"]: m for m in lab.mails(BRUCE)}
    for day in range(DAYS):
        subject = working_day(day)[-1][2]
        assert subject in mails, f"{subject} never arrived: {sorted(mails)}"
        assert mails[subject]["digest"] == 0
        took = seconds(mails[subject]["at"]) - office.handed[subject]
        print(f"     {subject}: {took:.0f} virtual s, {1000 * took / RATE:.0f} ms")
        assert took < URGENT_MAX_S, f"{subject} took {took:.0f} virtual seconds"


def check_comments(lab):
    got, digests = [], 0
    for m in lab.mails(BRUCE):
        found = comments_in(lab.message(BRUCE, m["n"]))
        assert len(found) == (m["digest"] or (1 if "comment" in m["subject"] else 0)), (m, found)
        digests += m["digest"] > 0
        got += found
    want = [f"{day + 1}-{i + 1:02}" for day in range(DAYS) for i in range(COMMENTS)]
    print(f"     {len(lab.mails(BRUCE))} mails, {digests} of them digests, hold {len(got)} comments")
    assert got == want, f"missing {set(want) - set(got)}, got {got}"
    assert digests > 0


# What a sentence must say: until when, and which limit it is that holds, or how much of it is used.
UNTIL = r"until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
USED = r"\d+ of 10 used \(exmail/recipient-day: 10 per day in Asia/Shanghai\)"
SENTENCES = {
    "accepted": r"accepted by SMTP .* from application office in stream (notify|urgent)",
    "held": rf"held (for a digest )?{UNTIL} \(in .*\): ({USED}.*|exmail/.*)",
    "released": rf"released( at once: urgent;| as a digest of \d+:|:) {USED}",
    "will_exceed": r"will exceed exmail/recipient-day: \d+ of 10 used, \d+ waiting, \d+ more expected until .*",
    "sent": r"account esp took it .*: 250 2\.0\.0 Ok: queued as esp-\d+",
}


def check_why(daemon, lab):
    why = daemon.why("recipient", BRUCE)
    assert why["recipient"]["verdict"]["provider"] == "exmail", why["recipient"]
    assert len(why["notifications"]) == DAYS * (COMMENTS + 1), len(why["notifications"])
    for n in why["notifications"]:
        assert n["state"] == "sent" and n["reason"] and n["attempts"] == 1, n
    count = dict.fromkeys(SENTENCES, 0)
    for e in why["journal"]:
        assert e["at"] and re.fullmatch(SENTENCES[e["event"]], e["sentence"]), e
        count[e["event"]] += 1
    print("     journal:", count)
    mails = len(lab.mails(BRUCE))
    assert count["accepted"] == DAYS * (COMMENTS + 1), count
    assert count["released"] == count["sent"] == mails == len(why["attempts"]), (count, mails)
    # a digest was waited for, the reserve was kept, on each day
    held = [e["sentence"] for e in why["journal"] if e["event"] == "held"]
    assert sum("held for a digest" in s for s in held) >= DAYS, held
    assert sum("kept for urgent mail" in s for s in held) >= DAYS, held


def test_with_mailtide():
    with Scratch() as scratch:
        clock = Clock(START, RATE)
        with Lab(scratch, clock) as lab, \
                Daemon(scratch, config(scratch, lab, SCHEDULES), clock) as daemon:
            office = Office(clock, daemon.smtp_port)
            for day in range(DAYS):
                office.work(day)
            office.close()
            daemon.wait_idle()
            until("the ESP has delivered all", lab.settled)
            check_provider(lab)
            check_resets(lab, office)
            check_comments(lab)
            check_why(daemon, lab)


def test_without_mailtide():
    with Scratch() as scratch:
        clock = Clock("2026-03-02T09:00:00+08:00", RATE)
        with Lab(scratch, clock) as lab:
            office = Office(clock, lab.smtp_port("esp"), password="secret")
            office.work(0)
            office.close()
            until("the ESP has tried all", lab.settled)
            told = {}
            for e in lab.events():
                told.setdefault(e["event"], []).append(e)
            assert len(told["processed"]) == COMMENTS + 1, told
            assert [m["subject"] for m in lab.mails(BRUCE)] == \
                [f"New comment 1-{i + 1:02}" for i in range(10)], lab.mails(BRUCE)
            # the eleventh is refused, with the provider's own words in the ESP's event
            assert [e["id"] for e in told["bounce"]] == [11], told["bounce"]
            assert "550 Connection frequency limited" in told["bounce"][0]["reason"], told["bounce"]
            assert [s["recipient"] for s in lab.suppressions()] == [BRUCE], lab.suppressions()
            # the other twenty are dropped unseen, the reset, which came last, among them
            assert [e["id"] for e in told["dropped"]] == list(range(12, COMMENTS + 2)), told
            books = lab.books("tencent")
            assert (books["taken"], books["refused"]) == (10, 1), books


if __name__ == "__main__":
    sys.exit(suite.run([test_with_mailtide, test_without_mailtide]))
