#!/usr/bin/env python3
"""What comes back: webhooks of ESPs signed as theirs are, bounce mail, forgeries of both.

Signatures are made here with the openssl program, from what the ESPs document.
"""
import base64
import hashlib
import hmac
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from esps import APIS, LAB_TOPIC, account, proof, world
from fake_dns import FakeDns
from lab import Lab
from mailtide import PATIENCE, ROOT, Clock, Daemon, Scratch, base_config, until

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
SVIX = base64.b64encode(b"a secret of 24 bytes ...").decode()

ACCOUNTS = """
accounts: {{
  sg: {{ type = "outbox"; events = "sendgrid"; events_key = "{sendgrid}"; }};
  ses: {{ type = "outbox"; events = "ses"; events_topics = ["{topic}"]; events_certificate = "{pem}"; }};
  asked: {{ type = "outbox"; events = "ses"; events_login = "u:p"; }};
  bridge: {{ type = "outbox"; events = "ses"; events_token = "bridge-token"; }};
  mg: {{ type = "outbox"; events = "mailgun"; events_key = "mailgun-key"; }};
  rs: {{ type = "outbox"; events = "resend"; events_key = "whsec_{svix}"; }};
  pm: {{ type = "outbox"; events = "postmark"; events_login = "pm:pw"; }};
  bare: {{ type = "outbox"; events = "brevo"; }};
  none: {{ type = "outbox"; }};
}};
applications: {{
  default: {{ anonymous = true; senders = ["*"]; accounts = ["{first}"]; }};
  shop: {{ key = "key-of-shop"; senders = ["app.test"]; accounts = ["{first}"]; }};
}};
"""


def openssl(*args, stdin=b""):
    return subprocess.run(["openssl", *args], input=stdin, capture_output=True, check=True).stdout


def config(scratch, dns, pub, first="sg", more=""):
    text = f'dns: {{ servers = ["127.0.0.1:{dns.port}"]; private_addresses = true; }};\n{more}\n'
    return base_config(scratch, text + ACCOUNTS.format(
        sendgrid=pub, topic=TOPIC, pem=scratch / "sns.pem", svix=SVIX, first=first))


def keys(scratch):
    """SendGrid's key pair and the certificate of SNS; gives SendGrid's public key as it shows it."""
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", scratch / "ec.pem")
    der = openssl("ec", "-in", scratch / "ec.pem", "-pubout", "-outform", "DER")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", scratch / "sns.key",
            "-out", scratch / "sns.pem", "-days", "2", "-subj", "/CN=sns.amazonaws.com")
    return base64.b64encode(der).decode()


class World:
    def __init__(self, first="sg", more=""):
        self.scratch, self.also = Scratch(), {}
        os.symlink(os.path.join(ROOT, "schedules"), self.scratch / "schedules")
        self.dns = FakeDns({"client.test": ["mx.client.test"]})
        self.daemon = Daemon(self.scratch,
                             config(self.scratch, self.dns, keys(self.scratch), first, more))

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *args):
        self.daemon.__exit__(*args)
        self.dns.__exit__()
        self.scratch.__exit__()

    def mail(self, to="ann@client.test", **more):
        """A notification that has left: (its id, its attempt's)."""
        note = {"from": "shop@app.test", "to": to, "subject": "s", "text": "t", "stream": "urgent", **more}
        code, answer = self.daemon.http("POST", "/v1/notifications", note)
        assert code == 202, (code, answer)
        id = answer["notifications"][0]["id"]
        until("sent", lambda: self.state(id) == "sent")
        return id, self.daemon.notification(id)["attempt"]

    def state(self, id):
        return self.daemon.notification(id)["state"]

    def journal(self, id):
        return [e["event"] for e in self.daemon.why("id", id)["journal"]]

    def post(self, account, body, headers=None):
        body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.daemon.http("POST", f"/v1/events/{account}", body,
                                {"Content-Type": "application/json", **(headers or {})})

    # -- as the ESPs sign

    def sendgrid(self, events, at=None, spoil=False):
        body = json.dumps(events)
        stamp = str(int(at or time.time()))
        sig = openssl("dgst", "-sha256", "-sign", self.scratch / "ec.pem", stdin=(stamp + body).encode())
        return self.post("sg", body + (" " if spoil else ""), {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(sig).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp})

    def sns(self, message, version="2", topic=TOPIC, kind="Notification", id="m-1", host=None, extra=None, **more):
        m = {"Type": kind, "MessageId": id, "TopicArn": topic,
             "Message": message if isinstance(message, str) else json.dumps(message),
             "Timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
             "SignatureVersion": version,
             "SigningCertURL": f"https://{host or 'sns.eu-west-1.amazonaws.com'}/SimpleNotificationService-1.pem",
             **more}
        names = (["Message", "MessageId", "Timestamp", "TopicArn", "Type"] if kind == "Notification" else
                 ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"])
        text = "".join(f"{n}\n{m[n]}\n" for n in names)
        m["Signature"] = base64.b64encode(openssl(
            "dgst", "-sha1" if version == "1" else "-sha256", "-sign", self.scratch / "sns.key",
            stdin=text.encode())).decode()
        m.update(extra or {})
        return self.post("ses", m, {**self.also, "Content-Type": "text/plain; charset=UTF-8",
                                    "x-amz-sns-message-type": kind, "x-amz-sns-message-id": id})

    def mailgun(self, event, at=None, token="tok-1", key=b"mailgun-key"):
        stamp = str(int(at or time.time()))
        sig = hmac.new(key, (stamp + token).encode(), hashlib.sha256).hexdigest()
        return self.post("mg", {"signature": {"timestamp": stamp, "token": token, "signature": sig},
                                "event-data": event})

    def resend(self, event, id="msg_1", at=None, secret=SVIX):
        body, stamp = json.dumps(event), str(int(at or time.time()))
        mac = hmac.new(base64.b64decode(secret), f"{id}.{stamp}.{body}".encode(), hashlib.sha256)
        return self.post("rs", body, {"svix-id": id, "svix-timestamp": stamp,
                                      "svix-signature": "v1," + base64.b64encode(mac.digest()).decode()})


def taken(answer, events=1):
    assert answer == (200, {"events": events}), answer


def refused(answer, status, code):
    assert answer[0] == status and answer[1]["error"]["code"] == code, answer


def sendgrid_tells():
    with World() as w:
        ann, a = w.mail()
        bob, b = w.mail("bob@client.test")
        now = int(time.time())
        bounce = {"event": "bounce", "email": "bob@client.test", "timestamp": now, "sg_event_id": "e2",
                  "mailtide_attempt": b, "status": "5.1.1", "type": "bounce", "unknown": {"x": [1]},
                  "reason": "550 5.1.1 The email account that you tried to reach does not exist"}
        done = {"event": "delivered", "email": "ann@client.test", "timestamp": now, "sg_event_id": "e1",
                "mailtide_attempt": a, "response": "250 OK", "category": ["x"]}
        taken(w.sendgrid([{"event": "processed", "email": "ann@client.test", "timestamp": now - 1,
                           "sg_event_id": "e0", "mailtide_attempt": a}, done, bounce,
                          {"event": "brand_new", "email": "ann@client.test", "timestamp": now}]), 4)
        assert w.state(ann) == "delivered" and w.state(bob) == "bounced"
        # told again, in another order: nothing more happens
        before = len(w.journal(bob))
        taken(w.sendgrid([bounce, done]), 2)
        assert w.state(ann) == "delivered" and w.state(bob) == "bounced"
        assert len(w.journal(bob)) == before


def forged_and_stale():
    with World() as w:
        ann, a = w.mail()
        event = [{"event": "bounce", "email": "ann@client.test", "timestamp": 1, "sg_event_id": "f1",
                  "mailtide_attempt": a, "reason": "550 5.1.1 no such user"}]
        refused(w.post("sg", event), 401, "no_proof")
        refused(w.sendgrid(event, spoil=True), 403, "bad_proof")
        refused(w.sendgrid(event, at=time.time() - 2 * 86400), 403, "stale")
        refused(w.sendgrid(event, at=time.time() + 3600), 403, "stale")
        refused(w.post("pm", {"RecordType": "Bounce", "MessageID": a}), 401, "no_proof")
        wrong = {"Authorization": "Basic " + base64.b64encode(b"pm:no").decode()}
        refused(w.post("pm", {"RecordType": "Bounce", "MessageID": a}, wrong), 403, "bad_proof")
        refused(w.post("bare", {"event": "hard_bounce"}), 403, "unproven")
        assert w.post("none", "{}")[0] == 404 and w.post("nobody", "{}")[0] == 404
        assert w.daemon.http("GET", "/v1/events/sg")[0] == 200
        assert w.state(ann) == "sent"
        log = w.daemon.log()
        assert log.count("webhook.refused") == 7, log
        told = until("all are journalled", lambda: [
            e["data"]["reason"] for e in w.daemon.status("/v1/events?types=webhook.refused")["events"]][6:7])
        assert "for account bare from 127.0.0.1:" in told[0], told
        # more than a bound is not written: they are counted
        for i in range(30):
            refused(w.post("sg", event), 401, "no_proof")
        assert w.daemon.log().count("webhook.refused") <= 20
        taken(w.sendgrid([]), 0)
        refused(w.sendgrid({"event": "bounce"}), 400, "bad_body")


def ses_tells():
    with World(first="ses") as w:
        ann, a = w.mail()
        bob, b = w.mail("bob@client.test")
        eve, e = w.mail("eve@client.test")
        taken(w.sns({"eventType": "Delivery", "mail": {"messageId": "x", "tags": {"mailtide_attempt": [a]}},
                     "delivery": {"recipients": ["ann@client.test"], "smtpResponse": "250 ok"}}))
        taken(w.sns({"notificationType": "Bounce",
                     "mail": {"messageId": "y", "destination": ["bob@client.test"],
                              "headers": [{"name": "X-SES-MESSAGE-TAGS", "value": f"k=v, mailtide_attempt={b}"}]},
                     "bounce": {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients":
                                [{"emailAddress": "bob@client.test", "status": "5.1.1",
                                  "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]}},
                    version="1", id="m-2"))
        assert w.state(ann) == "delivered" and w.state(bob) == "bounced"
        complaint = {"eventType": "Complaint", "mail": {"messageId": "z", "tags": {"mailtide_attempt": [e]}},
                     "complaint": {"complainedRecipients": [{"emailAddress": "eve@client.test"}]}}
        refused(w.sns(complaint, topic=TOPIC + "-else", id="m-3"), 403, "bad_proof")
        refused(w.sns(complaint, host="sns.eu-west-1.amazonaws.com.evil.test", id="m-3"), 403, "bad_proof")
        refused(w.sns(complaint, version="3", id="m-3"), 403, "bad_proof")
        refused(w.post("ses", complaint), 401, "no_proof")
        # beside what SNS signed an event may stand that it did not: that one is not read
        w.also = {"x-amz-sns-rawdelivery": "true"}
        answer = w.sns({"eventType": "Open", "mail": {"messageId": "q"}}, id="m-5", extra=complaint)
        w.also = {}
        assert answer == (200, {"events": 0}), answer
        assert w.state(eve) == "sent"
        # EventBridge, which is not signed
        event = {"version": "0", "id": "b-1", "source": "aws.ses", "detail-type": "Email Complaint Received",
                 "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "detail": complaint}
        refused(w.post("bridge", event), 401, "no_proof")
        taken(w.post("bridge", event, {"Authorization": "Bearer bridge-token"}))
        assert w.state(eve) == "complained"
        # SNS shows the login of its address only when it is asked for it: no refusal worth a line
        mark = len(w.daemon.log())
        greeting = {"x-amz-sns-message-type": "Notification", "x-amz-sns-message-id": "m-9"}
        message = {"Type": "Notification", "MessageId": "m-9", "Message": json.dumps(complaint)}
        refused(w.post("asked", message, greeting), 401, "no_proof")
        assert "webhook.refused" not in w.daemon.log(mark)
        login = {"Authorization": "Basic " + base64.b64encode(b"u:p").decode()}
        taken(w.post("asked", message, {**greeting, **login}))
        refused(w.post("asked", message, {**greeting, **login, "x-amz-sns-message-id": "m-8"}), 403, "bad_proof")
        w.sns("bye", kind="UnsubscribeConfirmation", id="m-4", SubscribeURL="https://sns.eu-west-1.amazonaws.com/?x",
              Token="t")


def mailgun_tells():
    with World(first="mg") as w:
        ann, a = w.mail()
        bob, b = w.mail("bob@client.test")
        failed = {"event": "failed", "severity": "temporary", "id": "i1", "timestamp": time.time(),
                  "recipient": "ann@client.test", "user-variables": {"mailtide_attempt": a},
                  "delivery-status": {"code": 451, "message": "4.7.1 greylisted"}}
        taken(w.mailgun(failed))
        assert w.state(ann) == "sent" and "deferred_by_esp" in w.journal(ann)
        refused(w.mailgun(failed), 403, "replayed")
        other = {"event": "complained", "id": "i9", "timestamp": time.time(), "recipient": "bob@client.test",
                 "user-variables": {"mailtide_attempt": b}}
        refused(w.mailgun(other), 403, "replayed")  # another event beside a signature that was used
        refused(w.mailgun(other, token="tok-2", key=b"guess"), 403, "bad_proof")
        refused(w.mailgun(other, token="tok-2", at=time.time() - 3 * 86400), 403, "stale")
        assert w.state(bob) == "sent"
        taken(w.mailgun({**other, "event": "delivered"}, token="tok-2"))
        assert w.state(bob) == "delivered"
        w.daemon.stop()
        w.daemon.start()
        refused(w.mailgun(other, token="tok-2"), 403, "replayed")  # remembered over a restart


def resend_tells():
    with World(first="rs") as w:
        ann, a = w.mail()
        event = {"type": "email.bounced", "created_at": datetime.now(timezone.utc).isoformat(),
                 "data": {"email_id": "x", "to": ["ann@client.test"], "tags": {"mailtide_attempt": a},
                          "bounce": {"type": "Permanent", "subType": "General", "message": "no",
                                     "diagnosticCode": ["smtp; 550 5.1.1 <ann@client.test>: user unknown"]}}}
        refused(w.resend(event, at=time.time() - 600), 403, "stale")
        refused(w.resend(event, secret=base64.b64encode(b"guess").decode()), 403, "bad_proof")
        assert w.state(ann) == "sent"
        taken(w.resend(event))
        taken(w.resend(event))  # Svix tells the same again under the same id
        assert w.state(ann) == "bounced"
        assert w.journal(ann).count("bounced") == 1


def strange_words():
    """What an ESP passes on is shown to people on one line, whatever it holds."""
    with World() as w:
        ann, a = w.mail()
        taken(w.sendgrid([{"event": "deferred", "email": "ann@client.test", "timestamp": int(time.time()),
                           "sg_event_id": "s1", "mailtide_attempt": a,
                           "response": "451 4.7.1 wait\r\n2026 info forged\u001b[31m\u0000 \ud83d\ude00" + "x" * 100000}]))
        line = [e["sentence"] for e in w.daemon.why("id", ann)["journal"] if e["event"] == "deferred_by_esp"][0]
        assert "wait" in line and not any(ord(c) < 32 for c in line) and len(line) < 2000, line
        answer = w.daemon.http("POST", "/v1/events/ses/", json.dumps({
            "Type": "Notification", "TopicArn": 'x"\n\u001b', "Signature": "AAAA", "SigningCertURL": "u"}))
        refused(answer, 403, "bad_proof")
        assert not any(ord(c) < 32 for c in answer[1]["error"]["message"]), answer


def all_at_once():
    """The same news on many connections at the same time counts once; a token is taken by one."""
    with World() as w, ThreadPoolExecutor(16) as pool:
        ann, a = w.mail()
        bounce = {"event": "bounce", "email": "ann@client.test", "timestamp": int(time.time()),
                  "sg_event_id": "c1", "mailtide_attempt": a, "reason": "550 5.1.1 no such user"}
        for answer in pool.map(lambda _: w.sendgrid([bounce, bounce]), range(24)):
            taken(answer, 2)
        assert w.state(ann) == "bounced" and w.journal(ann).count("bounced") == 1
        bob, b = w.mail("bob@client.test")
        event = {"event": "delivered", "id": "i1", "timestamp": time.time(), "recipient": "bob@client.test",
                 "user-variables": {"mailtide_attempt": b}}
        codes = [code for code, _ in pool.map(lambda _: w.mailgun(event), range(24))]
        assert sorted(codes) == [200] + [403] * 23, codes
        assert w.state(bob) == "delivered" and w.journal(bob).count("delivered") == 1


def found_by_name():
    """Without our id: by the Message-ID, by the recipient and the time."""
    with World(first="pm") as w:
        login = {"Authorization": "Basic " + base64.b64encode(b"pm:pw").decode()}
        ann, _ = w.mail(headers={"Message-ID": "<order-7@app.test>"})
        taken(w.sendgrid([{"event": "delivered", "email": "ann@client.test", "timestamp": int(time.time()),
                           "smtp-id": "<order-7@app.test>", "sg_event_id": "n1"}]))
        assert w.state(ann) == "delivered"
        bob, _ = w.mail("bob@client.test")
        taken(w.post("pm", {"RecordType": "Bounce", "Type": "HardBounce", "ID": 7, "MessageID": "unknown",
                            "Email": "bob@client.test", "BouncedAt": datetime.now(timezone.utc).isoformat(),
                            "Details": "smtp;550 5.1.1 no such user"}, login))
        assert w.state(bob) == "bounced"


def metadata_comes_back():
    """What the application gave with a mail is told again with what becomes of it."""
    key = {"Authorization": "Bearer key-of-shop"}
    with World() as w:
        code, answer = w.daemon.http("POST", "/v1/notifications", {
            "from": "shop@app.test", "to": "ann@client.test", "subject": "s", "text": "t", "stream": "urgent",
            "metadata": {"order": "4711", "n": 1.5, "deep": {"a": [True]}}}, key)
        assert code == 202, answer
        id = answer["notifications"][0]["id"]
        until("sent", lambda: w.state(id) == "sent")
        code, sent = w.daemon.http("GET", f"/v1/notifications/{id}", headers=key)
        assert sent["metadata"] == {"order": "4711", "n": 1.5, "deep": {"a": [True]}}, sent
        code, _ = w.daemon.http("POST", "/v3/mail/send", {
            "personalizations": [{"to": [{"email": "bob@client.test"}], "custom_args": {"user": "7", "x": "own"}}],
            "custom_args": {"x": "all", "y": "ü\"}"}, "from": {"email": "shop@app.test"}, "subject": "s",
            "categories": ["urgent"], "content": [{"type": "text/plain", "value": "t"}]}, key)
        assert code == 202
        taken(w.sendgrid([{"event": "delivered", "email": "ann@client.test", "timestamp": int(time.time()),
                           "sg_event_id": "x1", "mailtide_attempt": sent["attempt"]}]))
        code, events = w.daemon.http("GET", "/v1/events?most=100", headers=key)
        told = [e for e in events["events"] if e["type"] == "notification.delivered"]
        assert [n["metadata"]["order"] for e in told for n in e["data"]["notifications"]] == ["4711"], events
        kept = [n["metadata"] for e in events["events"] for n in e["data"]["notifications"]
                if n["recipient"] == "bob@client.test"]
        assert kept and all(m == {"user": "7", "x": "own", "y": "ü\"}"} for m in kept), kept
        code, answer = w.daemon.http("POST", "/v1/notifications", {
            "from": "shop@app.test", "to": "ann@client.test", "subject": "s", "text": "t", "metadata": [1]}, key)
        assert code == 400 and answer["error"]["field"] == "metadata", answer


def esps_tell():
    """Each ESP as the lab plays it: sent through its API, told by its webhook with its own proof."""
    for api in APIS:
        with Scratch() as scratch, Lab(scratch, Clock("2026-03-02T01:00:00Z"), world(scratch, api)) as lab:
            domain = 'domain = "app.test";' if api == "mailgun" else ""
            os.symlink(os.path.join(ROOT, "schedules"), scratch / "schedules")
            text = base_config(scratch, f"""
                dns: {{ servers = ["{lab.dns}"]; private_addresses = true; }}; store: {{ free_min = "0"; }};
                applications: {{ app: {{ anonymous = true; senders = ["app.test"]; }}; }};
                {account(api, lab, domain + proof(api, lab, scratch))}""")
            with Daemon(scratch, text, lab.clock) as daemon:
                url = f"http://127.0.0.1:{daemon.http_port}/v1/events/esp"
                assert lab.ask("POST", "/webhook", {"esp": "esp", "url": url})[0] == 200
                ids = {}
                for to, fate in (("ann@friendly.example", "delivered"), ("gone@friendly.example", "bounced")):
                    note = {"from": "n@app.test", "to": to, "subject": "s", "text": "t", "stream": "urgent"}
                    code, answer = daemon.http("POST", "/v1/notifications", note)
                    assert code == 202, (api, answer)
                    ids[answer["notifications"][0]["id"]] = fate
                for id, fate in ids.items():
                    until(f"{api}: {fate}", lambda: daemon.notification(id)["state"] == fate)
                assert "webhook.refused" not in daemon.log(), (api, daemon.log())


def sns_subscribes():
    """The lab plays SNS: it asks whether the subscription is wanted, tells events once that is confirmed,
    and says goodbye. Who forges one, or asks for another topic, makes mailtide ask for nothing."""
    with Scratch() as scratch, Lab(scratch, Clock("2026-03-02T01:00:00Z"),
                                   world(scratch, "ses", "webhook_confirm = true;", tls=True)) as lab:
        os.symlink(os.path.join(ROOT, "schedules"), scratch / "schedules")
        keys(scratch)  # a forger's
        sns = f'events_topics = ["{LAB_TOPIC}"]; events_sns = "https://localhost:{lab.http_port("esp")}";'
        text = base_config(scratch, f"""
            dns: {{ servers = ["{lab.dns}"]; private_addresses = true; }}; store: {{ free_min = "0"; }};
            applications: {{ app: {{ anonymous = true; senders = ["app.test"]; }}; }};
            {account("ses", lab, sns, scratch)}""")
        with Daemon(scratch, text, lab.clock) as daemon:
            def told(kind):
                return [e["data"] for e in daemon.status(f"/v1/events?types={kind}")["events"]]

            def forged(host="sns.us-east-1.amazonaws.com", topic=LAB_TOPIC, kind="SubscriptionConfirmation"):
                m = {"Message": "join", "MessageId": "f-1", "Timestamp":
                     datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z"), "Token": "t", "TopicArn": topic,
                     "SubscribeURL": f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}",
                     "Type": kind}
                signed = "".join(f"{n}\n{m[n]}\n" for n in sorted(m))
                m["Signature"] = base64.b64encode(openssl("dgst", "-sha256", "-sign", scratch / "sns.key",
                                                          stdin=signed.encode())).decode()
                m |= {"SignatureVersion": "2", "SigningCertURL": f"https://{host}/SimpleNotificationService-lab.pem"}
                refused(daemon.http("POST", "/v1/events/esp", json.dumps(m), {
                    "x-amz-sns-message-type": kind, "x-amz-sns-message-id": "f-1"}), 403, "bad_proof")

            # a foreign topic, a foreign host: nothing is asked for, not even the certificate
            forged(topic=LAB_TOPIC + "-else")
            forged(host="sns.us-east-1.amazonaws.com.evil.test")
            assert lab.esp_books()["sns_asked"] == 0
            url = f"http://127.0.0.1:{daemon.http_port}/v1/events/esp"
            assert lab.ask("POST", "/webhook", {"esp": "esp", "url": url})[0] == 200
            until("SNS was answered", lambda: lab.esp_books()["subscribed"])
            until("it is journalled", lambda: told("webhook.confirmed"))
            assert lab.esp_books()["sns_asked"] == 2  # the certificate and the confirmation, once each
            ids = {}
            for to, fate in (("ann@friendly.example", "delivered"), ("gone@friendly.example", "bounced")):
                code, answer = daemon.http("POST", "/v1/notifications", {
                    "from": "n@app.test", "to": to, "subject": "s", "text": "t", "stream": "urgent"})
                assert code == 202, answer
                ids[answer["notifications"][0]["id"]] = fate
            for id, fate in ids.items():
                until(fate, lambda: daemon.notification(id)["state"] == fate)
            # signed by somebody else: the certificate is there, the address is not asked for
            forged()
            forged(kind="UnsubscribeConfirmation")
            assert lab.esp_books()["sns_asked"] == 2 and not told("webhook.noted")
            trust = ssl.create_default_context(cafile=str(scratch / "ca.pem"))
            with urllib.request.urlopen(f"https://localhost:{lab.http_port('esp')}/?Action=Unsubscribe",
                                        context=trust, timeout=PATIENCE) as answer:
                assert answer.status == 200
            said = until("the end is journalled", lambda: told("webhook.noted"))
            assert LAB_TOPIC in json.dumps(said) and not lab.esp_books()["subscribed"], said


if __name__ == "__main__":
    sys.exit(suite.run([sendgrid_tells, forged_and_stale, ses_tells, mailgun_tells, resend_tells, found_by_name, strange_words, all_at_once,
                        metadata_comes_back, esps_tell, sns_subscribes]))
