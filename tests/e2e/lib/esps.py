"""The ESPs that mailtide-lab plays, as a client sees them: how each is asked, and how mailtide is told
to use it. Written from the ESPs' documentation, beside the lab and beside mailtide's own adapters.

    world(scratch, "ses", "...")    a world file with one ESP of that API and a provider behind it
    account("ses", lab)             the group `accounts` of mailtide.conf
    proof("ses", lab, scratch)      what an account checks the ESP's webhooks with
    Client(lab, "ses")              signs, authenticates, sends, reads and mends the list
"""
import base64
import hashlib
import hmac
import json
import urllib.parse
from datetime import datetime, timezone

APIS = ["sendgrid", "ses", "mailgun", "postmark", "resend", "sparkpost", "brevo"]
WEBHOOK_KEYS = {"mailgun": "signing-key", "resend": "whsec_c2VjcmV0LW9mLXRoZS1sYWI=", "brevo": "bearer-token"}
KEY_ID, SECRET = "AKIALAB", "secret/of+lab"
LAB_TOPIC = "arn:aws:sns:us-east-1:123456789012:lab"

WORLD = """
dns: {{ records = [ "app.test MX 10 mx.friendly.example", "client.asia MX 5 mxbiz1.qq.com", "mxbiz1.qq.com A 127.0.0.1",
                    "friendly.example MX 10 mx.friendly.example", "mx.friendly.example A 127.0.0.1" ]; }};
{tls}
providers: {{
    tencent: {{ mx = [".qq.com"]; mailboxes = ["*@client.asia"]; {tencent} }};
    friendly: {{ mx = ["mx.friendly.example"];
        mailboxes = ["ann@friendly.example", "bob@friendly.example", "angry@friendly.example",
                     "hoarder@friendly.example"];
        complainers = ["angry@friendly.example"]; full = ["hoarder@friendly.example"]; {friendly} }};
}};
esps: {{ esp: {{ api = "{api}"; user = "{user}"; password = "{secret}"; {esp} }}; }};
"""
# Ten a day for one mailbox, then what QQ says; the ESP takes it for a dead address.
TEN_A_DAY = """limits: { day: { scope = "mailbox"; count = 10; window = "day"; zone = "Asia/Shanghai";
    reply = "550 Connection frequency limited. http://service.mail.qq.com/detail/122/175"; }; };"""


def world(scratch, api, esp="", tencent="", friendly="", tls=False):
    if api in WEBHOOK_KEYS:
        esp += f' webhook_key = "{WEBHOOK_KEYS[api]}";'
    if tls:
        esp += " tls = true;"
    return scratch.write("world.conf", WORLD.format(
        api=api, user=KEY_ID, secret=SECRET, esp=esp, tencent=tencent, friendly=friendly,
        tls=f'tls: {{ folder = "{scratch.path}"; }};' if tls else ""))


def account(api, lab, more="", scratch=None):
    """`scratch` is given where the lab's ESP speaks TLS."""
    url = f"https://localhost:{lab.http_port('esp')}" if scratch else f"http://127.0.0.1:{lab.http_port('esp')}"
    trust = f'tls_ca_file = "{scratch / "ca.pem"}";' if scratch else 'tls = "none";'
    ses = f'key_id = "{KEY_ID}"; region = "eu-west-1";' if api == "ses" else ""
    return f"""accounts: {{ esp: {{ type = "https"; api = "{api}"; base_url = "{url}"; key = "{SECRET}"; {ses}
        {trust} {more} }}; }};"""


def proof(api, lab, scratch=None):
    """`scratch`: SES tells by SNS, signed; without it raw, with a login."""
    esp = lab.ready["esps"]["esp"]
    if api == "sendgrid":
        return f'events_key = "{esp["webhook_public_key"]}";'
    if api in ("mailgun", "resend"):
        return f'events_key = "{WEBHOOK_KEYS[api]}";'
    if api == "brevo":
        return f'events_token = "{WEBHOOK_KEYS[api]}";'
    if api == "ses" and scratch:
        certificate = scratch.write("sns.pem", esp["webhook_certificate"])
        return f'events_topics = ["{LAB_TOPIC}"]; events_certificate = "{certificate}";'
    return 'events_login = "user:password";'


def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def aws_signed(method, path, query, body, host, secret=SECRET):
    """The headers of AWS Signature Version 4, from AWS' own description of it; `path` as it is sent."""
    now = datetime.now(timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    canonical = "\n".join([method, urllib.parse.quote(path, safe="/-_.~"), query, f"host:{host}",
                           f"x-amz-date:{stamp}", "", "host;x-amz-date", hashlib.sha256(body).hexdigest()])
    scope = f"{day}/eu-west-1/ses/aws4_request"
    key = ("AWS4" + secret).encode()
    for step in scope.split("/"):
        key = hmac256(key, step)
    signature = hmac256(key, "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                                        hashlib.sha256(canonical.encode()).hexdigest()])).hex()
    return {"x-amz-date": stamp, "Host": host, "Authorization":
            f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"}


class Client:
    """Plain HTTP only."""

    def __init__(self, lab, api, key=SECRET):
        self.lab, self.api, self.key = lab, api, key

    def ask(self, method, path, body=None, query="", headers=None):
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        port = self.lab.http_port("esp")
        basic = base64.b64encode(f"api:{self.key}".encode()).decode()
        auth = {"sendgrid": {"Authorization": f"Bearer {self.key}"},
                "mailgun": {"Authorization": f"Basic {basic}"},
                "postmark": {"X-Postmark-Server-Token": self.key},
                "resend": {"Authorization": f"Bearer {self.key}"},
                "sparkpost": {"Authorization": self.key}, "brevo": {"api-key": self.key}}.get(self.api)
        if self.api == "ses":
            auth = aws_signed(method, path, query, raw, f"127.0.0.1:{port}", self.key)
        kind = {"Content-Type": "application/json"} if not isinstance(body, bytes) else {}
        return self.lab.ask(method, path + ("?" + query if query else ""), raw or None, port,
                            {**kind, **auth, **(headers or {})})

    def send(self, to, subject="Hello", sender="n@app.test", headers=None):
        text = f"Text of {subject}"
        if self.api == "mailgun":
            form = urllib.parse.urlencode({"from": sender, "to": to, "subject": subject, "text": text})
            return self.ask("POST", "/v3/app.test/messages", form.encode(),
                            headers={"Content-Type": "application/x-www-form-urlencoded"})
        path, body = {
            "sendgrid": ("/v3/mail/send", {
                "from": {"email": sender}, "subject": subject, "personalizations": [{"to": [{"email": to}]}],
                "content": [{"type": "text/plain", "value": text}]}),
            "ses": ("/v2/email/outbound-emails", {
                "FromEmailAddress": sender, "Destination": {"ToAddresses": [to]},
                "Content": {"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": text}}}}}),
            "postmark": ("/email", {"From": sender, "To": to, "Subject": subject, "TextBody": text}),
            "resend": ("/emails", {"from": sender, "to": to, "subject": subject, "text": text}),
            "sparkpost": ("/api/v1/transmissions", {
                "recipients": [{"address": to}], "content": {"from": sender, "subject": subject, "text": text}}),
            "brevo": ("/v3/smtp/email", {"sender": {"email": sender}, "to": [{"email": to}],
                                         "subject": subject, "textContent": text})}[self.api]
        return self.ask("POST", path, body, headers=headers)

    def listed(self):
        """{address: why} as the ESP's own API tells."""
        if self.api == "sendgrid":
            return {e["email"]: kind for kind in ("bounces", "invalid_emails", "spam_reports")
                    for e in self.ask("GET", f"/v3/suppression/{kind}")[1]}
        path, members, address, why = {
            "ses": ("/v2/email/suppression/addresses", "SuppressedDestinationSummaries", "EmailAddress", "Reason"),
            "mailgun": ("/v3/app.test/bounces", "items", "address", "error"),
            "postmark": ("/message-streams/outbound/suppressions/dump", "Suppressions", "EmailAddress",
                         "SuppressionReason"),
            "resend": ("/suppressions", "data", "email", "origin"),
            "sparkpost": ("/api/v1/suppression-list", "results", "recipient", "source"),
            "brevo": ("/v3/smtp/blockedContacts", "contacts", "email", "reason")}[self.api]
        return {e[address]: e[why] for e in self.ask("GET", path)[1][members]}

    def unlist(self, address):
        quoted = urllib.parse.quote(address)
        if self.api == "postmark":
            return self.ask("POST", "/message-streams/outbound/suppressions/delete",
                            {"Suppressions": [{"EmailAddress": address}]})[0]
        path = {"sendgrid": f"/v3/suppression/bounces/{quoted}", "mailgun": f"/v3/app.test/bounces/{quoted}",
                "ses": f"/v2/email/suppression/addresses/{quoted}", "resend": f"/suppressions/{quoted}",
                "sparkpost": f"/api/v1/suppression-list/{quoted}",
                "brevo": f"/v3/smtp/blockedContacts/{quoted}"}[self.api]
        return self.ask("DELETE", path)[0]
