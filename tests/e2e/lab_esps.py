#!/usr/bin/env python3
"""The ESPs that mailtide-lab plays, asked as their documentation says: keys and signatures, mail, lists,
limits, events with their signatures. (That mailtide gets on with them is esp_behind.py's business.)"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from esps import APIS, KEY_ID, SECRET, TEN_A_DAY, WEBHOOK_KEYS, Client, world
from lab import Lab
from mailtide import Clock, Scratch, until

START = "2026-03-02T01:00:00Z"
SENT = {"sendgrid": 202, "brevo": 201}
WRONG_KEY = {"ses": 403}
DAY = 'limits: { day: { scope = "all"; stage = "mail"; count = 2; window = "rolling 24h"; }; };'


class Hook:
    """Takes what is posted: (headers, body) each."""

    def __init__(self):
        got = self.got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                got.append((dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def settle(lab):
    until("all is delivered or given up", lab.settled)


def keys():
    """A right key is taken, a wrong one is not, in each ESP's own way."""
    for api in APIS:
        with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch, api)) as lab:
            assert Client(lab, api, "wrong").send("ann@friendly.example")[0] == WRONG_KEY.get(api, 401), api
            code, answer = Client(lab, api).send("ann@friendly.example", "Grüße")
            assert code == SENT.get(api, 200), (api, code, answer)
            assert Client(lab, api).send("nobody")[0] in (400, 422), api
            settle(lab)
            mail, = lab.mails("ann@friendly.example")
            assert mail["subject"] == "Grüße", (api, mail)


def lists():
    """A 550 lists the address, mail to it is dropped, and the API takes it off again. A block-listed
    sender lists nobody; a complaint does."""
    blocked = '''limits: { ip: { scope = "all"; stage = "rcpt"; count = 0; window = "day";
        reply = "554 5.7.1 Service unavailable; client host blocked using zen.spamhaus.org"; }; };'''
    for api in APIS:
        with Scratch() as scratch, \
                Lab(scratch, Clock(START), world(scratch, api, tencent=blocked)) as lab:
            client = Client(lab, api)
            client.send("gone@friendly.example")
            client.send("bruce@client.asia")
            settle(lab)
            assert set(client.listed()) == {"gone@friendly.example"}, (api, client.listed())
            code, answer = client.send("gone@friendly.example")
            if api == "postmark":
                assert code == 422 and answer["ErrorCode"] == 406, answer
            else:
                assert lab.events()[-1]["event"] == "dropped", (api, lab.events())
            assert client.unlist("gone@friendly.example") in (200, 204), api
            assert client.listed() == {}, api
            client.send("angry@friendly.example")
            settle(lab)
            assert [e["event"] for e in lab.events()][-2:] == ["delivered", "complaint"], api
            if api != "mailgun":  # has a list of its own for them
                assert set(client.listed()) == {"angry@friendly.example"}, (api, client.listed())
            assert "angry@friendly.example" in {s["recipient"] for s in lab.suppressions()}, api


def limits():
    """Past the quota: 429 (SparkPost: 420), with what each ESP says of the reset."""
    wants = {"sendgrid": "X-RateLimit-Reset", "mailgun": "Retry-After", "resend": "retry-after",
             "brevo": "x-sib-ratelimit-reset"}
    for api in APIS:
        with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch, api, esp=DAY)) as lab:
            client = Client(lab, api)
            codes = [client.send("ann@friendly.example", f"n{i}")[0] for i in range(3)]
            assert codes == 2 * [SENT.get(api, 200)] + [420 if api == "sparkpost" else 429], (api, codes)
            if api == "ses":
                quota = client.ask("GET", "/v2/email/account")[1]["SendQuota"]
                assert (quota["Max24HourSend"], quota["SentLast24Hours"]) == (2, 2), quota
        assert wants.get(api, "") is not None


def pages():
    """Lists longer than a page."""
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch, "ses")) as lab:
        client = Client(lab, "ses")
        for i in range(5):
            assert client.ask("PUT", "/v2/email/suppression/addresses",
                              {"EmailAddress": f"u{i}+x@a.example", "Reason": "BOUNCE"})[0] == 200
        seen, token = [], ""
        while True:
            code, page = client.ask("GET", "/v2/email/suppression/addresses",
                                    query=(f"NextToken={token}&" if token else "") + "PageSize=2")
            assert code == 200, page
            seen += [e["EmailAddress"] for e in page["SuppressedDestinationSummaries"]]
            token = page.get("NextToken")
            if not token:
                break
        assert seen == [f"u{i}+x@a.example" for i in range(5)], seen
        assert client.unlist("u3+x@a.example") == 200 and len(client.listed()) == 4


def idempotency():
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch, "resend")) as lab:
        client = Client(lab, "resend")
        first = client.send("ann@friendly.example", headers={"Idempotency-Key": "k"})
        assert first == client.send("ann@friendly.example", headers={"Idempotency-Key": "k"})
        assert client.send("bob@friendly.example", headers={"Idempotency-Key": "k"})[0] == 409
        assert lab.esp_books()["processed"] == 1


def batches():
    """One bad mail of a batch: the others are taken."""
    mails = [{"From": "n@app.test", "To": to, "Subject": "s", "TextBody": "t"}
             for to in ("ann@friendly.example", "gone@friendly.example", "bob@friendly.example")]
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch, "postmark")) as lab:
        client = Client(lab, "postmark")
        client.send("gone@friendly.example")
        settle(lab)
        code, answer = client.ask("POST", "/email/batch", mails)
        assert code == 200 and [a["ErrorCode"] for a in answer] == [0, 406, 0], answer
    mails = [{"from": "n@app.test", "to": to, "subject": "s", "text": "t"} for to in ("ann@friendly.example", "nobody",
                                                                                     "bob@friendly.example")]
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch, "resend")) as lab:
        headers = {"x-batch-validation": "permissive", "Idempotency-Key": "k"}
        code, answer = Client(lab, "resend").ask("POST", "/emails/batch", mails, headers=headers)
        assert code == 200 and len(answer["data"]) == 2 and [e["index"] for e in answer["errors"]] == [1], answer
        assert Client(lab, "resend").ask("POST", "/emails/batch", mails, headers=headers) == (code, answer)
        assert lab.esp_books()["processed"] == 2 and lab.esp_books()["calls"] == 2, lab.esp_books()
        assert Client(lab, "resend").ask("POST", "/emails/batch", mails[:1], headers=headers)[0] == 409
        assert Client(lab, "resend").ask("POST", "/emails/batch", mails[1:])[0] == 422
    entries = [{"Destination": {"ToAddresses": [to]}} for to in ("ann@friendly.example", "bad", "bob@friendly.example")]
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch, "ses")) as lab:
        code, answer = Client(lab, "ses").ask("POST", "/v2/email/outbound-bulk-emails", {
            "FromEmailAddress": "n@app.test", "BulkEmailEntries": entries,
            "DefaultContent": {"Template": {"TemplateContent": {"Subject": "s", "Text": "t"}}}})
        states = [r["Status"] for r in answer["BulkEmailEntryResults"]]
        assert code == 200 and states == ["SUCCESS", "INVALID_PARAMETER", "SUCCESS"], answer


def verified(scratch, lab, api, headers, body):
    """Whether the signature is the ESP's; ECDSA and RSA by the openssl command."""
    headers = {k.lower(): v for k, v in headers.items()}
    ready = lab.ready["esps"]["esp"]

    def openssl(key, text, signature):
        scratch.write("key.pem", key)
        for name, data in (("text", text), ("signature", base64.b64decode(signature))):
            with open(scratch / name, "wb") as f:
                f.write(data)
        return subprocess.run(["openssl", "dgst", "-sha256", "-verify", scratch / "key.pem", "-signature",
                               scratch / "signature", scratch / "text"], capture_output=True).returncode == 0

    if api == "sendgrid":
        key = f"-----BEGIN PUBLIC KEY-----\n{ready['webhook_public_key']}\n-----END PUBLIC KEY-----\n"
        return openssl(key, headers["x-twilio-email-event-webhook-timestamp"].encode() + body,
                       headers["x-twilio-email-event-webhook-signature"])
    if api == "ses":
        scratch.write("cert.pem", ready["webhook_certificate"])
        key = subprocess.run(["openssl", "x509", "-in", scratch / "cert.pem", "-pubkey", "-noout"],
                             capture_output=True, check=True, text=True).stdout
        note = json.loads(body)
        text = "".join(f"{k}\n{note[k]}\n" for k in ("Message", "MessageId", "Timestamp", "TopicArn", "Type"))
        return openssl(key, text.encode(), note["Signature"])
    key = WEBHOOK_KEYS.get(api, "").encode()
    if api == "mailgun":
        s = json.loads(body)["signature"]
        return hmac.new(key, (s["timestamp"] + s["token"]).encode(), hashlib.sha256).hexdigest() == s["signature"]
    if api == "resend":
        text = f"{headers['svix-id']}.{headers['svix-timestamp']}.".encode() + body
        want = hmac.new(base64.b64decode(key[6:]), text, hashlib.sha256).digest()
        return headers["svix-signature"] == "v1," + base64.b64encode(want).decode()
    if api == "brevo":
        return headers["authorization"] == "Bearer bearer-token"
    return headers["authorization"] == "Basic " + base64.b64encode(b"user:password").decode()


def events():
    """Delivered, bounced and complained, each told with a signature that holds."""
    for api in APIS:
        with Scratch() as scratch, Hook() as hook, Lab(scratch, Clock(START), world(scratch, api)) as lab:
            assert lab.ask("POST", "/webhook", {"esp": "esp", "url": hook.url})[0] == 200
            client = Client(lab, api)
            client.send("angry@friendly.example")
            client.send("gone@friendly.example")
            settle(lab)
            told = {"postmark": 3}.get(api, len(lab.events()))
            until(f"{api}: {told} events", lambda: len(hook.got) == told)
            for headers, body in hook.got:
                assert verified(scratch, lab, api, headers, body), (api, headers, body)
                assert not verified(scratch, lab, api, headers, body.replace(b"friendly", b"FRIENDLY")) \
                    or api in ("mailgun", "postmark", "sparkpost", "brevo"), "the body is not signed there"
            text = b"".join(body for _, body in hook.got).decode().replace("\\", "")
            assert "550 5.1.1 No such user here" in text and "angry@friendly.example" in text, text


def webhook_faults():
    """Late and in the opposite order; twice; each third one lost."""
    cases = [("webhook_delay = \"1h\"; webhook_reversed = true;",
              ["delivered", "processed", "delivered", "processed"]),
             ("webhook_twice = true;", ["processed", "processed", "delivered", "delivered"] * 2),
             ("webhook_lose = 3;", ["processed", "delivered", "delivered"])]
    for faults, want in cases:
        with Scratch() as scratch, Hook() as hook, \
                Lab(scratch, Clock(START, 3600), world(scratch, "sendgrid", esp=faults)) as lab:
            lab.ask("POST", "/webhook", {"url": hook.url})
            for to in ("ann@friendly.example", "bob@friendly.example"):
                Client(lab, "sendgrid").send(to)
                settle(lab)
            until(f"{len(want)} events", lambda: len(hook.got) == len(want))
            assert [json.loads(b)[0]["event"] for _, b in hook.got] == want, faults


def faults():
    """Those of the world file and those of POST /faults."""
    with Scratch() as scratch, \
            Lab(scratch, Clock(START), world(scratch, "sendgrid", esp='faults = ["limited 2", "half"];')) as lab:
        client = Client(lab, "sendgrid")
        codes = [client.send("ann@friendly.example")[0] for _ in range(4)]
        assert codes == [429, 429, 200, 202] and lab.esp_books()["processed"] == 2, codes
        for fault, code, taken in (("down", 500, 0), ("bad-key", 401, 0), ("refuse", 403, 0),
                                   ("bad-mail", 400, 0), ("gateway", 504, 1)):
            before = lab.esp_books()["processed"]
            lab.ask("POST", "/faults", {"esp": "esp", "fault": fault})
            assert client.send("ann@friendly.example")[0] == code, fault
            assert lab.esp_books()["processed"] == before + taken, fault


def boto():
    """AWS' own client signs what the lab takes, an address in a path and a query among it."""
    try:
        import boto3
        import botocore.exceptions
    except ImportError:
        raise suite.Skip("boto3 is not installed (make deps-clients)")
    with Scratch() as scratch, Lab(scratch, Clock(START), world(scratch, "ses")) as lab:
        def ses(secret):
            return boto3.client("sesv2", region_name="eu-west-1", aws_access_key_id=KEY_ID,
                                aws_secret_access_key=secret, endpoint_url=f"http://127.0.0.1:{lab.http_port('esp')}")
        client = ses(SECRET)
        assert client.get_account()["SendQuota"]["Max24HourSend"] == -1
        for i in range(3):
            client.put_suppressed_destination(EmailAddress=f"u{i}+x@a.example", Reason="BOUNCE")
        page = client.list_suppressed_destinations(PageSize=2, Reasons=["BOUNCE"])
        assert len(page["SuppressedDestinationSummaries"]) == 2 and page["NextToken"], page
        assert client.get_suppressed_destination(EmailAddress="u1+x@a.example")["SuppressedDestination"]
        client.delete_suppressed_destination(EmailAddress="u1+x@a.example")
        try:
            ses("other").get_account()
            raise AssertionError("a wrong secret was taken")
        except botocore.exceptions.ClientError as e:
            assert e.response["Error"]["Code"] == "InvalidSignatureException", e


if __name__ == "__main__":
    sys.exit(suite.run([keys, lists, limits, pages, idempotency, batches, events, webhook_faults, faults, boto]))
