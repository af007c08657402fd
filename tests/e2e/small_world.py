#!/usr/bin/env python3
"""mailtide-lab itself: that its world behaves as its file says, and that its books tell the truth."""
import email
import email.policy
import http.server
import json
import os
import smtplib
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from lab import Lab
from mailtide import Clock, Scratch, until

START = "2026-03-02T01:00:00Z"
WORLD = """
dns: { records = [ "moody.example MX 10 mx.moody.example", "mx.moody.example A 127.0.0.1",
                   "null.example MX 0 .", "lost.example MX 10 mx.nowhere.example",
                   "broken.example SERVFAIL" ]; };
providers: {
    moody: {
        mx = ["mx.moody.example"];
        mailboxes = ["*@moody.example"];
        full = ["full@moody.example"];
        greylist = "GREYLIST";
        connections_max = 2;
        messages_per_connection = 3;
        DOWN
        limits: {
            sender: { scope = "sender"; stage = "mail"; counts = "attempts"; count = 4; window = "hour";
                      reply = "450 4.7.1 Too many mails from this sender"; };
        };
    };
};
esps: {
    esp: {
        retry_every = "10min"; retry_for = "2h"; WEBHOOK
        limits: {
            quota: { scope = "all"; stage = "mail"; count = 6; window = "day";
                     reply = "454 4.7.0 Daily message quota exceeded"; };
        };
    };
};
"""


def world(scratch, greylist="0s", down="", webhook=""):
    return scratch.write("world.conf", WORLD.replace("GREYLIST", greylist).replace("DOWN", down)
                         .replace("WEBHOOK", webhook))


def send(lab, to, sender="app@office.example", subject="Hello", key="secret", **more):
    body = {"from": sender, "to": to, "subject": subject, "text": "Text with ü.", **more}
    return lab.ask("POST", "/send", body, port=lab.http_port("esp"),
                   headers={"Authorization": f"Bearer {key}"})


def fate(lab, id):
    """What became of the ESP's mail of this number: its last event."""
    events = [e for e in lab.events() if e["id"] == id and e["event"] != "processed"]
    return events[-1] if events else None


def client(port):
    s = smtplib.SMTP("127.0.0.1", port, timeout=10)
    s.ehlo()
    return s


def test_http_door_and_fates():
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch)) as lab:
        assert send(lab, "a@moody.example", key="wrong")[0] == 401
        assert send(lab, [])[0] == 400
        assert send(lab, "nobody")[0] == 400
        code, answer = send(lab, ["a@moody.example", "full@moody.example"], subject="Grüße")
        assert (code, answer) == (202, {"ids": [1, 2]}), answer
        code, answer = send(lab, ["x@null.example", "x@gone.example", "x@lost.example",
                                  "x@broken.example"])
        assert answer == {"ids": [3, 4, 5, 6]}, answer
        for id, event, reason in ((1, "delivered", "250 2.0.0 Ok"), (2, "deferred", "452 4.2.2"),
                                  (3, "bounce", "556"), (4, "bounce", "550 5.1.2"),
                                  (5, "deferred", "451 4.4.1"), (6, "deferred", "451 4.4.3")):
            e = until(f"mail {id}", lambda: fate(lab, id))
            assert e["event"] == event and e["reason"].startswith(reason), e
        listed = {s["recipient"] for s in lab.suppressions()}
        assert listed == {"x@null.example", "x@gone.example"}, listed
        # a quota of six is used up; what was refused is nowhere
        code, answer = send(lab, "a@moody.example")
        assert code == 429 and answer["error"]["code"] == "too_many", answer
        mail, = lab.mails("a@moody.example")
        assert mail["subject"] == "Grüße" and mail["digest"] == 0, mail
        raw = lab.message("a@moody.example", 1)
        text = email.message_from_string(raw, policy=email.policy.default)
        assert text["From"] == "app@office.example" and text.get_content().strip() == "Text with ü.", raw
        books = lab.books("moody")
        assert (books["taken"], books["refused"]) == (1, 1), books
        refused, = [a for a in lab.get("/attempts") if not a["taken"]]
        assert refused["mailbox"] == "full@moody.example" and refused["stage"] == "rcpt", refused
        assert lab.ask("GET", "/mailbox/a@moody.example/2")[0] == 404
        assert lab.ask("GET", "/nothing")[0] == 404
        assert lab.ask("PUT", "/books")[0] == 405


def test_listed_is_dropped():
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch)) as lab:
        send(lab, "x@gone.example")
        until("it bounced", lambda: fate(lab, 1))
        send(lab, "X@Gone.example")
        e = until("the next", lambda: fate(lab, 2))
        assert e["event"] == "dropped" and e["reason"] == "Bounced Address", e


def test_smtp_door_and_faults():
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch)) as lab:
        port = lab.smtp_port("esp")
        s = client(port)
        assert s.mail("app@office.example")[0] == 530
        try:
            s.login("apikey", "wrong")
            raise AssertionError("a wrong password was taken")
        except smtplib.SMTPAuthenticationError as e:
            assert e.smtp_code == 535, e
        s.quit()

        def submit(fault=None, count=1):
            if fault:
                code, answer = lab.ask("POST", "/faults", {"esp": "esp", "fault": fault, "count": count})
                assert code == 200, answer
            c = client(port)
            c.login("apikey", "secret")
            try:
                c.sendmail("app@office.example", ["a@moody.example"], "Subject: s\r\n\r\nb\r\n")
                return 250
            except smtplib.SMTPResponseException as e:
                return e.smtp_code
            except smtplib.SMTPSenderRefused as e:
                return e.smtp_code
            finally:
                c.close()

        def processed():
            return lab.esp_books()["processed"]

        assert submit() == 250 and processed() == 1
        assert submit("busy") == 421 and submit("refuse") == 550 and processed() == 1
        try:
            submit("close-lost")
            raise AssertionError("an answer came")
        except smtplib.SMTPServerDisconnected:
            assert processed() == 1
        try:
            submit("close-kept")
            raise AssertionError("an answer came")
        except smtplib.SMTPServerDisconnected:
            assert processed() == 2
        # one that hangs gets its 421 when the fault is switched off
        answers = []
        thread = threading.Thread(target=lambda: answers.append(submit("hang")))
        thread.start()
        until("it hangs", lambda: lab.esp_books()["hanging"] == 1)
        assert lab.ask("POST", "/faults", {"fault": "hang", "count": 0})[0] == 200
        thread.join()
        assert answers == [421] and processed() == 2, answers
        assert lab.ask("POST", "/faults", {"fault": "rust"})[0] == 400


def test_provider_moods():
    down = 'down_from = "2026-03-02T04:00:00Z"; down_to = "2026-03-02T05:00:00Z";'
    with Scratch() as scratch:
        clock = Clock(START)
        with Lab(scratch, clock, world(scratch, greylist="5min", down=down)) as lab:
            port = int(lab.ready["providers"]["moody"].rsplit(":", 1)[1])
            s = client(port)
            for n in range(4):
                assert s.mail("a@x.example")[0] == 250, n
                code, text = s.rcpt("b@moody.example")
                assert code == 451 and b"Greylisted" in text, (code, text)
                s.rset()
            code, text = s.mail("a@x.example")
            assert code == 450 and b"Too many mails from this sender" in text, (code, text)
            assert s.mail("b@x.example")[0] == 250
            assert s.rcpt("nobody@elsewhere.example")[0] == 550
            t = client(port)
            u = socket.create_connection(("127.0.0.1", port))
            assert u.recv(100).startswith(b"421 4.7.0 Too many connections"), "the third at once"
            u.close(), t.close(), s.close()
            limits = lab.books("moody")["limits"]
            sender, = [l for l in limits if l["subject"] == "a@x.example"]
            assert (sender["most"], sender["refused"]) == (4, 1), sender
        clock.leap(600)
        with Lab(scratch, clock, world(scratch)) as lab:  # no greylist: three on one connection
            s = client(int(lab.ready["providers"]["moody"].rsplit(":", 1)[1]))
            for n in range(3):
                s.sendmail(f"s{n}@x.example", ["b@moody.example"], "Subject: x\r\n\r\nx\r\n")
            assert s.mail("s@x.example")[0] == 421
            s.close()
            assert len(lab.mails("B@moody.example")) == 3
        clock.leap(3 * 3600)
        with Lab(scratch, clock, world(scratch, down=down)) as lab:
            u = socket.create_connection(("127.0.0.1", int(lab.ready["providers"]["moody"].rsplit(":", 1)[1])))
            assert u.recv(100).startswith(b"421 4.3.2 Service not available")
            u.close()


def test_retries_and_webhook():
    got = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    hook = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    try:
        url = f'webhook = "http://127.0.0.1:{hook.server_port}/events";'
        with Scratch() as scratch, \
                Lab(scratch, Clock(START, 6000), world(scratch, "15min", webhook=url)) as lab:
            send(lab, ["a@moody.example", "full@moody.example"])
            until("greylisting is over", lambda: (fate(lab, 1) or {}).get("event") == "delivered")
            until("it gives up", lambda: (fate(lab, 2) or {}).get("event") == "bounce")
            assert lab.suppressions() == [], "a full mailbox is not a dead one"
            events = lab.events()
            assert [e["event"] for e in events if e["id"] == 1][:2] == ["processed", "deferred"], events
            until("the webhook was told", lambda: len(got) == len(events))
            assert got == events
            assert lab.get(f"/esp/events?after={len(events) - 1}")["esp"] == events[-1:]
    finally:
        hook.shutdown()
        hook.server_close()


def test_dns_over_tcp():
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch)) as lab:
        host, port = lab.dns.rsplit(":", 1)
        name = b"".join(bytes([len(l)]) + l for l in (b"moody", b"example", b""))
        query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + name + struct.pack(">2H", 15, 1)
        with socket.create_connection((host, int(port))) as s:
            s.sendall(struct.pack(">H", len(query)) + query)
            data = b""
            while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
                data += s.recv(4096)
        assert struct.unpack(">4H", data[2:10]) == (7, 0x8580, 1, 1), data
        # half a query, and the lab ends all the same
        s = socket.create_connection((host, int(port)))
        s.sendall(b"\x00")
        lab.stop()
        s.close()
        lab.start()


if __name__ == "__main__":
    sys.exit(suite.run([test_http_door_and_fates, test_listed_is_dropped, test_smtp_door_and_faults,
                        test_provider_moods, test_retries_and_webhook, test_dns_over_tcp]))
