"""What the tests with clients share: a daemon with two applications, a certificate, an outbox.

`app` is anonymous on loopback and sends as app.test; `shop` has a password and a key and sends as
shop.test. DNS knows client.asia and bücher.test, gone.test does not exist.
"""
import email
import email.policy
import os
import re
import subprocess

from fake_dns import FakeDns
from mailtide import Daemon, Scratch, base_config, outbox

CONFIG = """
dns: {{ servers = ["127.0.0.1:{dns}"]; }};
smtp: {{
  listen = ["127.0.0.1:0"]; hostname = "gate.test"; message_max = "1M";
  tls: {{ certificate = "{path}/cert.pem"; key = "{path}/key.pem"; }};
}};
http: {{ listen = ["127.0.0.1:0"]; }};
state_dir = "{path}/state";
schedules = ["{path}/schedules"];
status: {{ socket = "{path}/status.sock"; }};
store: {{ free_min = "0"; }};
applications: {{
  app: {{ anonymous = true; senders = ["app.test"]; }};
  shop: {{ smtp_user = "shop"; smtp_password = "pass word"; key = "key-of-shop"; senders = ["shop.test"]; }};
}};
"""
DOMAINS = {"client.asia": ["a.mx.slow.test"], "xn--bcher-kva.test": ["b.mx.slow.test"]}


class Arrived:
    """A mail in the outbox: for whom, from whom, and the message itself."""

    def __init__(self, data):
        self.data = data
        self.message = email.message_from_bytes(data, policy=email.policy.default)
        self.recipient = str(self.message["Delivered-To"])
        self.sender = str(self.message["Return-Path"]).strip("<>")

    def text(self):
        """Line ends as Python has them: base64 of text holds CRLF (RFC 2045 6.8)."""
        return self.message.get_body(("plain",)).get_content().replace("\r\n", "\n")


class House:
    def __init__(self, config=CONFIG, clock=None, failing=(), **more):
        self.scratch, self.dns = Scratch(), FakeDns(DOMAINS, failing)
        path = self.scratch.path
        os.makedirs(self.scratch / "schedules/providers")
        os.makedirs(self.scratch / "schedules/accounts")
        self.certificate = self.scratch / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", self.scratch / "key.pem", "-out", self.certificate],
                       check=True, capture_output=True)
        self.config = config.format(dns=self.dns.port, path=path, **more)
        self.daemon = Daemon(self.scratch, self.config, clock)

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *why):
        try:
            self.daemon.__exit__(*why)
        finally:
            self.dns.__exit__()
            self.scratch.__exit__()

    def arrived(self, token):
        """Every mail with this token in its subject, once nothing is pending any more."""
        self.daemon.wait_idle()
        word = re.compile(rf"\b{token}\b")
        mails = [m for m in map(Arrived, outbox(self.scratch)) if word.search(str(m.message["Subject"]))]
        return sorted(mails, key=lambda m: m.recipient)

    def one(self, token):
        mails = self.arrived(token)
        assert len(mails) == 1, f"{token} arrived {len(mails)} times"
        return mails[0]
