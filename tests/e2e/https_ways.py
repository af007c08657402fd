#!/usr/bin/env python3
"""The daemon releasing through the APIs of SendGrid, SES and Resend over TLS, each played by a fake
that was written from their documentation, with faults: nothing lost, nothing knowingly twice."""
import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import random
import socket
import ssl
import struct
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from house import CONFIG, House
from mailtide import Clock, until

RATE = 600  # ten minutes a second
SECRET = "secret/of+aws"
FAULTS = {"lost": 0.1, "429": 0.1, "500": 0.05, "reset": 0.05, "half": 0.1}
SILENCES = {"lost": 0.2, "reset": 0.05, "half": 0.1}  # asked again after 1 s, 3 s: the wire's time is real


def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(headers, path, body):
    """AWS Signature Version 4 of a POST, from AWS' description."""
    claim = dict(p.strip().split("=", 1) for p in headers["Authorization"].split(" ", 1)[1].split(","))
    _, day, region, service, end = claim["Credential"].split("/")
    names = claim["SignedHeaders"].split(";")
    canonical = "\n".join(["POST", urllib.parse.quote(path), ""]
                          + [f"{n}:{' '.join(headers[n].split())}" for n in names]
                          + ["", claim["SignedHeaders"], hashlib.sha256(body).hexdigest()])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", headers["X-Amz-Date"], f"{day}/{region}/{service}/{end}",
                         hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for step in (day, region, service, end):
        key = hmac256(key, step)
    return hmac256(key, to_sign).hex(), claim["Signature"]


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, answer, half=False, **headers):
        body = json.dumps(answer).encode() if answer is not None else b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if half else body)
        if half:
            self.wfile.flush()
            self.close_connection = True

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def do_POST(self):
        esp = self.server.esp
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = esp.fault()
        if fault == "429":
            return self.say(429, {"message": "slow down"}, Retry_After="2")
        if fault == "500":
            return self.say(500, {"message": "oops"})
        if fault == "reset":
            return self.reset()  # before anything was taken, which the client cannot know
        status, answer, headers = esp.take(self.path, self.headers, body)
        if fault == "lost":
            return self.reset()
        return self.say(status, answer, half=fault == "half", **headers)


class Fake:
    """faults: shares of requests; each mail taken is kept with its recipient and subject."""

    def __init__(self, faults=None, seed=1):
        self.random, self.faults, self.lock = random.Random(seed), faults or {}, threading.Lock()
        self.mails, self.keys = [], {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        self.server.daemon_threads, self.server.esp = True, self
        self.port = self.server.server_address[1]

    def serve(self, scratch):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(scratch / "cert.pem", scratch / "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def fault(self):
        with self.lock:
            dice = self.random.random()
            for name, share in self.faults.items():
                if dice < share:
                    return name
                dice -= share
        return None

    def book(self, recipient, subject):
        with self.lock:
            self.mails.append((recipient, subject))

    def subjects(self):
        with self.lock:
            return sorted(s for _, s in self.mails)


class SendGrid(Fake):
    def take(self, path, headers, body):
        mail = json.loads(body)
        if headers["Authorization"] != "Bearer SG.key" or path != "/v3/mail/send":
            return 401, {"errors": [{"message": "The provided authorization grant is invalid"}]}, {}
        to = mail["personalizations"][0]["to"][0]["email"]
        assert mail["content"][0]["value"] and mail["custom_args"]["mailtide_attempt"]
        if to.startswith("never@"):
            return 400, {"errors": [{"message": "Does not contain a valid address.", "field": "to"}]}, {}
        self.book(to, mail["subject"])
        return 202, None, {"X_Message_Id": f"sg-{len(self.mails)}"}


class Ses(Fake):
    def take(self, path, headers, body):
        want, got = signature(headers, path, body)
        if want != got:
            return 403, {"message": "The request signature does not match"}, {
                "x_amzn_ErrorType": "InvalidSignatureException"}
        mail = json.loads(body)
        raw = email.message_from_bytes(base64.b64decode(mail["Content"]["Raw"]["Data"]),
                                       policy=email.policy.default)
        self.book(mail["Destination"]["ToAddresses"][0], str(raw["Subject"]))
        return 200, {"MessageId": f"ses-{len(self.mails)}"}, {}


class Resend(Fake):
    def take(self, path, headers, body):
        key = headers["Idempotency-Key"]
        with self.lock:
            if key in self.keys:
                known, id = self.keys[key]
                if known != body:
                    return 409, {"name": "invalid_idempotent_request", "message": "other body"}, {}
                return 200, {"id": id}, {}
            id = self.keys.setdefault(key, (body, f"re-{len(self.keys)}"))[1]
        mail = json.loads(body)
        self.book(mail["to"][0], mail["subject"])
        return 200, {"id": id}, {}


ACCOUNTS = CONFIG + """accounts: {{
 way: {{ type = "https"; api = "{api}"; base_url = "https://localhost:{port}"; {key}
  tls_ca_file = "{path}/cert.pem"; connections = 4; command_timeout = "5s";
  backoff_min = "1min"; backoff_max = "3min"; unknown_wait = "10min"; }};
}};
"""
KEYS = {"sendgrid": 'key = "SG.key";', "resend": 'key = "re_1";',
        "ses": f'key = "{SECRET}"; key_id = "AKIATEST"; region = "eu-west-1";'}


class Way:
    """A daemon and the fake that it releases through."""

    def __init__(self, api, kind, faults=None, key=None):
        self.esp = kind(faults)
        self.house = House(ACCOUNTS, Clock(rate=RATE), api=api, port=self.esp.port, key=key or KEYS[api])
        self.esp.serve(self.house.scratch)

    def __enter__(self):
        self.house.__enter__()
        return self

    def __exit__(self, *why):
        try:
            self.house.__exit__(*why)
        finally:
            self.esp.close()

    def hand_in(self, subject, to):
        note = {"from": "n@app.test", "to": to, "subject": subject, "text": "hello"}
        code, answer = self.house.daemon.http("POST", "/v1/notifications", note)
        assert code == 202, (code, answer)
        return answer["notifications"][0]["id"]

    def state(self, id):
        return self.house.daemon.notification(id)["state"]


def clean(api, kind):
    with Way(api, kind) as w:
        sent = [f"Grüße tok-{api}-{i}" for i in range(12)]
        ids = [w.hand_in(s, f"p{i}@client.asia") for i, s in enumerate(sent)]
        w.house.daemon.wait_idle()
        assert w.esp.subjects() == sorted(sent), w.esp.subjects()
        assert {w.state(i) for i in ids} == {"sent"}
        reply = w.house.daemon.why("id", ids[0])["attempts"][0]
        assert "id=" in json.dumps(reply), reply


def sendgrid_clean():
    """Every mail once, Unicode whole, the ESP's id in the journal."""
    clean("sendgrid", SendGrid)


def ses_clean():
    """The signature is right by an independent checker; the message arrives as it was."""
    clean("ses", Ses)


def faults(api, kind, shares, count):
    with Way(api, kind, shares) as w:
        sent = [f"tok-{api}-{i}" for i in range(count)]
        ids = [w.hand_in(s, f"p{i}@client.asia") for i, s in enumerate(sent)]
        w.house.daemon.wait_idle()
        assert {w.state(i) for i in ids} == {"sent"}
        marked = {s for i, s in zip(ids, sent)
                  if any(a["may_be_double"] for a in w.house.daemon.why("id", i)["attempts"])}
        return sorted(sent), w.esp.subjects(), marked


def sendgrid_faults():
    """Nothing is lost; what came twice is marked as what may be double, for the answer was lost."""
    sent, got, marked = faults("sendgrid", SendGrid, FAULTS, 16)
    assert set(got) == set(sent), set(sent) - set(got)
    assert {s for s in got if got.count(s) > 1} <= marked, (got, marked)


def resend_faults():
    """Nothing is lost and nothing is double: the key settles what the answer did not."""
    sent, got, marked = faults("resend", Resend, SILENCES, 12)
    assert got == sent, (set(sent) - set(got), [s for s in got if got.count(s) > 1], marked)


def wrong_key():
    """The account backs off and says why; no mail is given up for it."""
    with Way("sendgrid", SendGrid, key='key = "SG.wrong";') as w:
        id = w.hand_in("tok-key-1", "a@client.asia")
        account = until("backing off", lambda: next(
            (a for a in w.house.daemon.status()["accounts"] if a["state"] == "backing off"), None))
        assert "535" in account["reason"] and "HTTP 401" in account["reason"], account
        until("held", lambda: w.state(id) == "held")
        assert account["type"] == "https" and not w.esp.mails


def refused_mail():
    """A 400 is that mail's fate, with the API's words; the account goes on."""
    with Way("sendgrid", SendGrid) as w:
        bad, good = w.hand_in("tok-bad-1", "never@client.asia"), w.hand_in("tok-good-1", "b@client.asia")
        w.house.daemon.wait_idle()
        assert (w.state(bad), w.state(good)) == ("bounced", "sent")
        assert "Does not contain a valid address." in w.house.daemon.notification(bad)["reason"]


if __name__ == "__main__":
    sys.exit(suite.run([sendgrid_clean, ses_clean, sendgrid_faults, resend_faults, wrong_key, refused_mail]))
