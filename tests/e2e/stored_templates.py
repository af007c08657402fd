#!/usr/bin/env python3
"""A template stored at the ESP: handed in by its API, it leaves by its API, alone and with its data, and never as
anything else."""
import http.server
import json
import os
import sys
import threading
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from house import CONFIG, House
from mailtide import until

ACCOUNT = 'accounts: {{ sg: {{ type = "https"; api = "sendgrid"; base_url = "http://127.0.0.1:{esp}"; tls = "none"; ' \
          'key = "sg-key"; }}; box: {{ type = "outbox"; path = "{path}/box"; }}; }};'


class SendGrid(http.server.ThreadingHTTPServer):
    """Takes what comes, and keeps it."""

    def __init__(self):
        self.taken = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append((self.path, body))
        self.send_response(202)
        self.send_header("X-Message-Id", f"id{len(self.server.taken)}")
        self.send_header("Content-Length", "0")
        self.end_headers()


def hand_in(house, numbers=(1, 2), **more):
    """The status and the body of the answer."""
    body = {"from": {"email": "n@shop.test"}, "template_id": "d-1", **more,
            "personalizations": [{"to": [{"email": "ann@client.asia"}], "dynamic_template_data": {"n": number}}
                                 for number in numbers]}
    request = urllib.request.Request(f"http://127.0.0.1:{house.daemon.http_port}/v3/mail/send", json.dumps(body).encode(),
                                     {"Authorization": "Bearer key-of-shop", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def config_of(account):
    return (CONFIG + ACCOUNT).replace('key = "key-of-shop";', f'key = "key-of-shop"; accounts = ["{account}"];')


def leaves_as_it_came():
    esp = SendGrid()
    with House(config_of("sg"), esp=esp.port) as house:
        status, said = hand_in(house)
        assert status == 202, said
        until("both mails have left", lambda: len(esp.taken) == 2)
        for (path, body), number in zip(sorted(esp.taken, key=lambda t: json.dumps(t[1]["personalizations"])), (1, 2)):
            person, = body["personalizations"]
            assert path == "/v3/mail/send" and body["template_id"] == "d-1", body
            assert person["to"] == [{"email": "ann@client.asia"}] and person["dynamic_template_data"] == {"n": number}
            assert "content" not in body and not any("mailtide-template" in h.lower() for h in body["headers"]), body
            assert len(body["custom_args"]["mailtide_attempt"]) == 13, body
    esp.shutdown()


def is_refused_where_another_is_behind():
    with House(config_of("box"), esp=1) as house:
        status, said = hand_in(house)
        assert status == 400 and json.loads(said)["errors"][0]["field"] == "template_id", said


def never_leaves_by_another():
    """The configuration changes while it is held: what would go out is the JSON, so it bounces and says why."""
    esp = SendGrid()
    with House(config_of("sg"), esp=esp.port) as house:
        assert hand_in(house, (1,), send_at=4102444800)[0] == 202
        house.daemon.reload(house.config.replace('accounts = ["sg"];', 'accounts = ["box"];'))
        for n in house.daemon.status("/v1/queue")["notifications"]:
            house.daemon.status(f"/v1/notifications/{n['id']}/release", method="POST")
        until("it has bounced", lambda: house.daemon.status("/v1/status")["notifications"]["bounced"] == 1)
        why = house.daemon.status("/v1/why?recipient=ann@client.asia")
        assert any("a template stored at sendgrid" in a["reply"] for a in why["attempts"]), why["attempts"]
        assert esp.taken == [] and os.listdir(house.scratch / "box/new") == []
    esp.shutdown()


if __name__ == "__main__":
    sys.exit(suite.run([leaves_as_it_came, is_refused_where_another_is_behind, never_leaves_by_another]))
