#!/usr/bin/env python3
"""What mailtide refuses, takes out, keeps apart and keeps: told to the client by name."""
import os
import signal
import smtplib
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_esp import FakeEsp
from house import CONFIG, House
from mailtide import until

house = None  # one daemon serves the tests that need no other configuration

TEXT = "From: n@app.test\r\nTo: a@client.asia\r\nSubject: {token}\r\n{more}\r\n{token}\r\n"


def client(of=None):
    c = smtplib.SMTP("127.0.0.1", (of or house).daemon.smtp_port, timeout=20)
    c.ehlo("test")
    return c


def hand_in(c, token, to, more="", sender="n@app.test", text=None):
    """(code, reply) of the whole; each command before has to go well."""
    if isinstance(to, str):
        to = [to]
    assert c.mail(sender)[0] == 250
    for person in to:
        assert c.rcpt(person)[0] == 250, person
    code, reply = c.data(text or TEXT.format(token=token, more=more))
    return code, reply.decode()


def queued_as(answer):
    code, reply = answer
    assert code == 250, answer
    return reply.rsplit(" ", 1)[1]


# -- refusals

def invalid_addresses():
    with client() as c:
        c.mail("n@app.test")
        for bad in ("<>", "<a@>", "<a b@client.asia>", "<a@client..asia>", "<@client.asia>", "a@client.asia extra"):
            code, reply = c.docmd("RCPT", f"TO:{bad}")
            assert code in (501, 553, 555), (bad, code, reply)
        c.rset()
        hand_in(c, "tok-after-1", "a@client.asia")
    house.one("tok-after-1")
    for field, value in (("to", "nobody"), ("to", ""), ("from", "a@@app.test"), ("to", ["a@client.asia", "x"])):
        note = {"from": "n@app.test", "to": "a@client.asia", "subject": "s", "text": "t", field: value}
        code, answer = house.daemon.http("POST", "/v1/notifications", note)
        assert code == 400 and answer["error"]["field"].startswith(field), (field, value, code, answer)


def too_large():
    with client() as c:
        code, reply = c.docmd("MAIL", "FROM:<n@app.test> SIZE=2000000")
        assert (code, reply[:5]) == (552, b"5.3.4"), (code, reply)
        answer = hand_in(c, "tok-large-1", "a@client.asia", text="Subject: tok-large-1\r\n\r\n" + "x" * 70 * 20000)
        assert answer[0] == 552 and answer[1].startswith("5.3.4"), answer
        hand_in(c, "tok-large-2", "a@client.asia")
    assert house.arrived("tok-large-1") == []
    house.one("tok-large-2")


def no_relay():
    """The anonymous application sends as app.test, shop as shop.test; nobody as anybody else."""
    with client() as c:
        for foreign in ("ceo@bank.test", "n@shop.test", "n@sub.app.test"):
            code, reply = c.mail(foreign)
            assert (code, reply[:5]) == (550, b"5.7.1"), (foreign, code, reply)
        code, reply = hand_in(c, "tok-relay-1", "a@client.asia", text="From: ceo@bank.test\r\nSubject: tok-relay-1\r\n\r\nx\r\n")
        assert code == 550 and reply.startswith("5.7.1"), (code, reply)
        c.login("shop", "pass word")
        assert c.mail("n@app.test")[0] == 550
        assert c.mail("n@shop.test")[0] == 250
    note = {"from": "ceo@bank.test", "to": "a@client.asia", "subject": "tok-relay-2", "text": "x"}
    code, answer = house.daemon.http("POST", "/v1/notifications", note)
    assert code == 403, (code, answer)
    assert house.arrived("tok-relay-1") == [] and house.arrived("tok-relay-2") == []


def dead_domain():
    """Taken at the door, as many clients need it, then refused with the evidence; nothing leaves."""
    with client() as c:
        id = queued_as(hand_in(c, "tok-gone-1", ["a@gone.test", "a@client.asia"]))
    assert house.one("tok-gone-1").recipient == "a@client.asia"
    note = house.daemon.notification(id)
    assert note["state"] == "refused" and "gone.test" in note["reason"], note
    events = [e["event"] for e in house.daemon.why("recipient", "a@gone.test")["journal"]]
    assert events[0] == "accepted" and events[-1] == "refused" and "released" not in events, events


# -- what is done to a message

def keys():
    """The same key once more is the same thing, by SMTP and by HTTP."""
    with client() as c:
        key = "X-Mailtide-Key: order-17\r\n"
        first, again = [queued_as(hand_in(c, "tok-key-1", "a@client.asia", key)) for _ in range(2)]
        assert first == again
        other = hand_in(c, "tok-key-2", "a@client.asia", key)
        assert other[0] == 554 and "order-17" in other[1], other
    note = {"from": "n@app.test", "to": "a@client.asia", "subject": "tok-key-3", "text": "x"}
    header = {"Idempotency-Key": "order-18"}
    (code, one), (code2, two) = [house.daemon.http("POST", "/v1/notifications", note, header) for _ in range(2)]
    assert (code, code2) == (202, 202), (one, two)
    assert one["notifications"][0]["id"] == two["notifications"][0]["id"]
    assert not one["notifications"][0]["duplicate"] and two["notifications"][0]["duplicate"]
    code, answer = house.daemon.http("POST", "/v1/notifications", {**note, "text": "other"}, header)
    assert code == 409 and answer["error"]["code"] == "key_used", (code, answer)
    house.one("tok-key-1")
    house.one("tok-key-3")


def headers():
    more = ("X-Mailtide-Stream: urgent\r\nX-Mailtide-Thread: ticket-4\r\nX-Mailtide-Deadline: 2h\r\n"
            "X-Mailtide-Digest-Title: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Other: kept\r\n"
            "Bcc: secret@client.asia,\r\n  folded@client.asia\r\n")
    with client() as c:
        id = queued_as(hand_in(c, "tok-head-1", "a@client.asia", more))
        bad = hand_in(c, "tok-head-2", "a@client.asia", "X-Mailtide-Stream: ugrent\r\n")
        assert bad[0] == 554 and "ugrent" in bad[1], bad
        bad = hand_in(c, "tok-head-2", "a@client.asia", "X-Mailtide-Weight: much\r\n")
        assert bad[0] == 554 and "Weight" in bad[1], bad
        bad = hand_in(c, "tok-head-2", "a@client.asia", "X-Mailtide-Deadline: soon\r\n")
        assert bad[0] == 554 and "soon" in bad[1], bad
    note = house.daemon.notification(id)
    assert (note["stream"], note["thread"]) == ("urgent", "ticket-4") and note["deadline"], note
    mail = house.one("tok-head-1")
    assert mail.message["X-Other"] == "kept"
    left = [n for n in mail.message.keys() if n.lower().startswith("x-mailtide") or n.lower() == "bcc"]
    assert left == [] and b"secret" not in mail.data and b"folded" not in mail.data, left
    assert house.arrived("tok-head-2") == []


def line_ends():
    """Bare LF inside is made whole; it ends no message (SMTP smuggling)."""
    with client() as c:
        c.mail("n@app.test")
        c.rcpt("a@client.asia")
        c.docmd("DATA")
        smuggled = "MAIL FROM:<n@app.test>\nRCPT TO:<b@client.asia>\nDATA\nSubject: tok-lf-2\n\nsmuggled\n"
        c.send(f"Subject: tok-lf-1\nFrom: n@app.test\n\nbare\n.\n{smuggled}\n.\r\nend\r\n.\r\n".encode())
        code, reply = c.getreply()
        assert code in (250, 550, 554), (code, reply)
        if code == 250:
            mail = house.one("tok-lf-1")
            assert "smuggled" in mail.text() and mail.text().endswith("end\n"), mail.text()
        c.send(b"NOOP\r\n")
        assert c.getreply()[0] == 250, "an answer too many: the message was cut in two"
    assert house.arrived("tok-lf-2") == []


def operate_by_hand():
    note = {"from": "n@app.test", "to": "later@client.asia", "text": "x", "not_before": "1h"}
    ids = []
    for i in (1, 2):
        code, answer = house.daemon.http("POST", "/v1/notifications", {**note, "subject": f"tok-op-{i}"})
        assert code == 202, (code, answer)
        ids.append(answer["notifications"][0]["id"])
    until("both are held", lambda: all(house.daemon.notification(i)["state"] == "held" for i in ids))
    code, answer = house.daemon.http("POST", f"/v1/notifications/{ids[0]}/cancel")
    assert code == 200, (code, answer)
    code, answer = house.daemon.http("POST", f"/v1/notifications/{ids[1]}/release")
    assert code == 200, (code, answer)
    house.one("tok-op-2")
    assert house.arrived("tok-op-1") == []
    assert [house.daemon.notification(i)["state"] for i in ids] == ["cancelled", "sent"]
    code, answer = house.daemon.http("POST", f"/v1/notifications/{ids[1]}/cancel")
    assert code == 409, (code, answer)


# -- a configuration of its own

LIMITED = CONFIG + """
accounts: {{ esp: {{ type = "smtp"; host = "127.0.0.1"; port = {esp}; tls = "none"; auth = "none";
                     limits: {{ day: {{ scope = "account"; count = {count}; window = "rolling 24h"; }}; }}; }}; }};
streams: {{ notify: {{ digest = false; }}; }};
planner: {{ reserve = 0; spread = "0s"; direct_share = 0.0; }};
"""


def reload():
    """A bad file changes nothing and is told by line and key; a good one lets held mail go."""
    with FakeEsp(time.time) as esp, House(LIMITED, esp=esp.port, count=3) as h:
        with client(h) as c:
            for i in range(8):
                queued_as(hand_in(c, f"tok-hup-{i}", f"p{i}@client.asia"))
        until("three are sent, five wait", lambda: h.daemon.status()["notifications"]["sent"] == 3 and
              h.daemon.status()["notifications"]["held"] == 5)
        for bad, want in (("count = 3;", "cuont = 9;"), ("count = 3;", 'count = "many";'), ("notify: {", "notify: [")):
            told = h.daemon.reload(h.config.replace(bad, want))
            assert "reload.refused" in told and "mailtide.conf:" in told and "old configuration stays" in told, told
        assert h.daemon.status()["notifications"]["held"] == 5
        told = h.daemon.reload(h.config.replace("count = 3;", "count = 6;"))
        assert "reload.done" in told, told
        until("six are sent", lambda: h.daemon.status()["notifications"]["sent"] == 6)
        assert h.daemon.status()["notifications"]["held"] == 2 and len(esp.taken()) == 6
        told = h.daemon.reload(h.config.replace("count = 3;", "count = 100;"))
        h.daemon.wait_idle()
        assert sorted(t for m in esp.taken() for t in m.tokens()) == [f"tok-hup-{i}" for i in range(8)]


def terminate():
    """SIGTERM in the middle of sessions: what was acknowledged is there afterwards, the rest is not."""
    with House() as h:
        acknowledged, open_sessions = [], []
        for i in range(6):
            c = client(h)
            acknowledged.append(f"tok-term-{i}")
            queued_as(hand_in(c, acknowledged[-1], f"p{i}@client.asia"))
            c.mail("n@app.test")
            c.rcpt("a@client.asia")
            if i % 2:
                c.docmd("DATA")
                c.send(b"Subject: tok-cut-1\r\n\r\nhalf a mess")
            open_sessions.append(c)
        idle = socket.create_connection(("127.0.0.1", h.daemon.http_port))
        idle.sendall(b"POST /v1/notifications HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        h.daemon.signal(signal.SIGTERM)
        assert h.daemon.wait() == 0
        for c in open_sessions:
            try:
                rest = c.sock.recv(100)
            except ConnectionError:
                rest = b""
            assert rest == b"" or rest.startswith(b"421"), rest
            c.close()
        idle.close()
        h.daemon.start()
        for token in acknowledged:
            h.one(token)
        assert h.arrived("tok-cut-1") == []


def first_words():
    """Without any profile of a provider it runs, and says what that means."""
    assert "no mailbox provider's limits are known" in house.daemon.logged("config.no_providers")


def main():
    global house
    tests = [first_words, invalid_addresses, too_large, no_relay, dead_domain, keys, headers, line_ends, operate_by_hand]
    with House() as house:
        return suite.run(tests + [reload, terminate])


if __name__ == "__main__":
    sys.exit(main())
