#!/usr/bin/env python3
"""Of notifications with the same collapse key only the last counts, and what is withdrawn is gone:
over SMTP and HTTP, in the digest, in the answers, in the events."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from house import Arrived, House
from mailtide import Clock, outbox

ANN = "ann@client.asia"


def over_smtp(house, subject, key, when):
    with smtplib.SMTP("127.0.0.1", house.daemon.smtp_port, timeout=20) as c:
        text = f"From: n@app.test\r\nTo: {ANN}\r\nSubject: {subject}\r\nX-Mailtide-Not-Before: {when}\r\n"
        c.sendmail("n@app.test", [ANN], f"{text}X-Mailtide-Collapse-Key: {key}\r\n\r\n{subject}\r\n")


def over_http(house, subject, when, **more):
    note = {"from": "n@app.test", "to": ANN, "subject": subject, "text": subject, "not_before": when, **more}
    code, answer = house.daemon.http("POST", "/v1/notifications", note)
    assert code == 202, answer
    return answer["notifications"][0]


def last_counts():
    clock = Clock(rate=2000.0)
    when = Clock.text(clock.now() + 7200)
    with House(clock=clock) as house:
        over_smtp(house, "cart with one book", "cart", when)
        first = house.daemon.status("/v1/queue")["notifications"][0]
        assert first["collapse_key"] == "cart", first
        second = over_http(house, "cart with two books", when, collapse_key="cart")
        assert second["supersedes"] == first["id"] and second["state"] == "held", second
        ticket = over_http(house, "ticket is waiting", when, collapse_key="ticket-7")
        over_smtp(house, "cart with three books", "cart", when)
        plain, gone = over_http(house, "a comment", when), over_http(house, "never mind", when)
        code, answer = house.daemon.http("DELETE", f"/v1/notifications/{gone['id']}")
        assert (code, answer) == (200, {"cancelled": 1}), answer

        assert "supersedes" not in ticket and "supersedes" not in plain
        assert [n["subject"] for n in house.daemon.status("/v1/queue")["notifications"]] == \
            ["cart with three books", "ticket is waiting", "a comment"], "in the place of the first"
        assert house.daemon.status()["notifications"]["cancelled"] == 3
        third = house.daemon.status("/v1/queue")["notifications"][0]
        assert third["accepted_at"] == first["accepted_at"], "nothing waits longer for it"
        old = house.daemon.notification(second["id"])
        assert old["state"] == "cancelled" and old["reason"] == f'superseded by {third["id"]}: both have collapse key "cart"', old

        told = house.daemon.http("GET", "/v1/events?types=notification.cancelled")[1]["events"]
        assert [e["data"]["detail"] for e in told] == [
            {"code": "superseded", "superseded_by": second["id"], "collapse_key": "cart"},
            {"code": "superseded", "superseded_by": third["id"], "collapse_key": "cart"},
            {"by": "application app"}], told

        house.daemon.wait_idle()
        mails = [Arrived(m) for m in outbox(house.scratch)]
        assert len(mails) == 1, "one digest"
        text = mails[0].text()
        for subject, there in (("cart with three books", True), ("ticket is waiting", True), ("a comment", True),
                               ("cart with one book", False), ("cart with two books", False), ("never mind", False)):
            assert (subject in text) == there, (subject, text)
        assert "Collapse-Key" not in mails[0].data.decode(), "what is said to mailtide stays here"


if __name__ == "__main__":
    sys.exit(suite.run([last_counts]))
