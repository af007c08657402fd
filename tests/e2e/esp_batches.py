#!/usr/bin/env python3
"""Many mails at once through an ESP that takes several in one request (Postmark, Resend), played by
mailtide-lab: fewer requests than mails, each mail with a fate of its own, and with faults nothing lost and
nothing knowingly twice."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from esp_behind import Way
from mailtide import until

APIS = ["postmark", "resend"]
MORE = """connections = 1; batch_max = %s; backoff_min = "1min"; backoff_max = "3min"; unknown_wait = "10min";
          connect_timeout = "500ms"; command_timeout = "%%s";"""
COUNT = 40


def way(api, batch_max=50, patience="10s", **more):
    return Way(api, patience=patience, more=MORE % batch_max, **more)


def hand_in(w, people, **more):
    """All at once: (id, subject) each, in order."""
    notes = [{"from": "n@app.test", "to": to, "subject": f"tok-{i}", "text": f"Grüße {i}", **more}
             for i, to in enumerate(people)]
    code, answer = w.daemon.http("POST", "/v1/notifications", notes)
    assert code == 202, (code, answer)
    return [(n["id"], f"tok-{i}") for i, n in enumerate(answer["notifications"])]


def people(n=COUNT):
    return [f"p{i}@client.asia" for i in range(n)]


def arrived(w, n=COUNT):
    return w.subjects(*people(n))


def marked(w, sent):
    return {s for id, s in sent if any(a["may_be_double"] for a in w.daemon.why("id", id)["attempts"])}


def clean():
    """Each mail once and to whom it was for, in far fewer requests; with batch_max = 1 in as many."""
    for api in APIS:
        for batch_max in (50, 7, 1):
            with way(api, batch_max) as w:
                sent = hand_in(w, people())
                w.daemon.wait_idle()
                assert arrived(w) == sorted(s for _, s in sent), (api, batch_max)
                for i, to in enumerate(people()):
                    assert [m["subject"] for m in w.lab.mails(to)] == [f"tok-{i}"], (api, to)
                calls = w.lab.esp_books()["calls"]
                low = -(-COUNT // batch_max)
                assert calls == COUNT if batch_max == 1 else low <= calls <= COUNT // 2, (api, batch_max, calls)
                ids = {w.daemon.why("id", id)["attempts"][0]["reply"] for id, _ in sent}
                assert len(ids) == COUNT, "each has the ESP's own id of it"


def one_of_them():
    """One recipient is on the ESP's list: that mail alone is refused."""
    with way("postmark") as w:
        w.hand_in("tok-first", "gone@friendly.example")
        until("it has bounced there", lambda: w.lab.suppressions())
        w.daemon.wait_idle()
        to = people(20)
        to[7] = "gone@friendly.example"
        sent = hand_in(w, to)
        w.daemon.wait_idle()
        assert w.state(sent[7][0]) in ("bounced", "refused"), w.daemon.notification(sent[7][0])
        assert arrived(w, 20) == sorted(s for i, (_, s) in enumerate(sent) if i != 7)
        assert w.lab.esp_books()["calls"] < 15, w.lab.esp_books()


def refused_as_a_whole():
    """A 422 for all of it: taken apart, each leaves once."""
    for api in APIS:
        with way(api) as w:
            w.fault("bad-mail")
            sent = hand_in(w, people())
            w.daemon.wait_idle()
            got, lost = arrived(w), [s for id, s in sent if w.state(id) == "bounced"]
            # The first may have left by itself, and met the fault by itself.
            assert sorted(got + lost) == sorted(s for _, s in sent) and len(lost) <= 1, (api, got, lost)


def held_back():
    """429 and 500: all of it comes, none twice."""
    for api in APIS:
        for fault in ("limited", "down"):
            with way(api) as w:
                w.fault(fault)
                sent = hand_in(w, people())
                w.daemon.wait_idle()
                assert arrived(w) == sorted(s for _, s in sent), (api, fault)
                assert {w.state(id) for id, _ in sent} <= {"sent", "delivered"}, (api, fault)


def answer_lost():
    """Taken, and the answer went astray. Resend: the same set under the same key, so nothing comes twice.
    Postmark: it is asked for each mail of the batch, and has them; nothing comes twice there either."""
    for api in APIS:
        for fault in ("silent", "gateway", "half"):
            with way(api, patience="1s" if fault == "silent" else "10s") as w:
                hand_in(w, ["ann@friendly.example"])  # the account is up
                w.daemon.wait_idle()
                w.fault(fault)
                sent = hand_in(w, people())
                w.daemon.wait_idle()
                got, double = arrived(w), marked(w, sent)
                assert set(got) == {s for _, s in sent}, (api, fault, got)
                assert len(got) == len(set(got)) and not double, (api, fault, got, double)


if __name__ == "__main__":
    sys.exit(suite.run([clean, one_of_them, refused_as_a_whole, held_back, answer_lost]))
