#!/usr/bin/env python3
"""Webhooks out: signed, in order, told until they are taken, whatever happens in between."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import npm
import suite
from house import House
from mailtide import BUILD, Clock, until

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
CONFIG = """
dns: {{ servers = ["127.0.0.1:{dns}"]; }};
smtp: {{ listen = ["127.0.0.1:0"]; }};
http: {{ listen = ["127.0.0.1:0"]; }};
state_dir = "{path}/state";
schedules = ["{path}/schedules"];
status: {{ socket = "{path}/status.sock"; }};
store: {{ free_min = "0"; }};
applications: {{
  app: {{ key = "key-of-app"; senders = ["app.test"]; {webhook} }};
  forum: {{ key = "key-of-forum"; senders = ["forum.test"]; }};
}};
"""


class Receiver:
    """An application's endpoint: checks each signature, then does what `answer` says of the event and
    how often it came: a status, None to say nothing until the other side gives up, or (status, headers)."""

    def __init__(self, answer=lambda event, nth: 200, port=0, certificate=None, clock=None, secret=SECRET):
        self.answer, self.secret, self.clock = answer, secret, clock
        self.calls, self.taken, self.wrong = [], [], []
        self.lock, self.closing = threading.Lock(), threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                what = receiver.book(self.headers, body)
                if what is None:
                    receiver.closing.wait(20)
                    self.close_connection = True
                    return
                status, more = what if isinstance(what, tuple) else (what, {})
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "3")
                self.end_headers()
                self.wfile.write(b"ok\n")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # the daemon was killed meanwhile

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate[0], certificate[1])
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def right(self, headers, body):
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        told = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
        mac = "v1," + base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
        now = self.clock.now() if self.clock else time.time()
        slack = 5 * max(1, self.clock.rate if self.clock else 1)
        return mac in headers["webhook-signature"].split(" ") and abs(int(headers["webhook-timestamp"]) - now) < slack

    def book(self, headers, body):
        event = json.loads(body)
        plain = {k.lower(): v for k, v in headers.items()}
        with self.lock:
            if not self.right(headers, body) or event["id"] != headers["webhook-id"]:
                self.wrong.append((plain, body))
                return 401
            nth = sum(1 for call in self.calls if call["event"]["id"] == event["id"])
            what = self.answer(event, nth)
            self.calls.append({"event": event, "headers": plain, "body": body, "answer": what})
            status = what[0] if isinstance(what, tuple) else what
            if status and 200 <= status < 300:
                self.taken.append(event)
            return what

    def ids(self):
        with self.lock:
            return [e["id"] for e in self.taken]


def seq(id):
    return int(id.split("-")[0])


def hook(port, more="", secret=SECRET, scheme="http"):
    return f'webhook: {{ url = "{scheme}://localhost:{port}/hooks/mail?x=1"; secret = "{secret}"; timeout = "1s"; {more} }};'


def send(house, n, to="a@client.asia", key="key-of-app", sender="app@app.test", **more):
    notes = [{"from": sender, "to": to, "subject": f"s{i}", "text": "t", "stream": "urgent", **more} for i in range(n)]
    code, answer = house.daemon.http("POST", "/v1/notifications", notes, {"Authorization": f"Bearer {key}"})
    assert code in (200, 202), answer
    return [x["id"] for item in answer["notifications"] for x in [item]]


def events(house, types="notification.*", key="key-of-app"):
    """All that are there, page after page."""
    found, after = [], ""
    while True:
        code, page = house.daemon.http("GET", f"/v1/events?types={types}&after={after}&most=7", headers={"Authorization": f"Bearer {key}"})
        assert code == 200, page
        found += page["events"]
        after = page["next"]
        if not page["more"]:
            return found


def settled(house, receiver, types):
    """Once all events of these types were taken: their ids in order."""
    house.daemon.wait_idle()
    def done():
        want = [e["id"] for e in events(house, types)]
        return want and set(want) <= set(receiver.ids()) and want
    return until("all events to be taken", done)


def mailtide(house, *args):
    done = subprocess.run([os.path.join(BUILD, "mailtide"), "-s", house.daemon.socket, *args], text=True, capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


# -- told

def signed_and_in_order():
    receiver = Receiver()
    try:
        with House(CONFIG, webhook=hook(receiver.port, 'types = ["notification.*"];', f"{OTHER} {SECRET}")) as house:
            ids = send(house, 25)
            send(house, 3, key="key-of-forum", sender="forum@forum.test")
            want = settled(house, receiver, "notification.*")
            assert receiver.ids() == want, "each once, in the journal's order"
            assert not receiver.wrong, receiver.wrong[:1]
            sent = [e for e in receiver.taken if e["type"] == "notification.sent"]
            assert sorted(n["id"] for e in sent for n in e["data"]["notifications"]) == sorted(ids), "its own, all of them"
            assert receiver.taken == events(house), "what is told is what can be asked for"
            first = receiver.calls[0]["headers"]
            assert first["content-type"] == "application/json" and first["user-agent"].startswith("mailtide/")
            assert len(first["webhook-signature"].split(" ")) == 2, "one for each secret"
    finally:
        receiver.close()


def as_the_library_reads_it():
    modules = npm.node_modules()
    receiver = Receiver()
    try:
        with House(CONFIG, webhook=hook(receiver.port)) as house:
            send(house, 5)
            settled(house, receiver, "notification.sent")
        calls = [{"headers": c["headers"], "body": c["body"]} for c in receiver.calls]
        done = subprocess.run(["node", os.path.join(os.path.dirname(__file__), "lib/webhook_verify.js")], text=True, capture_output=True,
                              timeout=60, input=json.dumps({"secret": SECRET, "calls": calls}), env={**os.environ, "NODE_PATH": modules})
        assert done.stdout.strip() == f"{len(calls)} right, 1 wrong", done
    finally:
        receiver.close()


def over_https():
    house = House(CONFIG, webhook="")
    pair = (house.certificate, house.scratch / "key.pem")
    stranger, receiver = Receiver(certificate=pair), Receiver(certificate=pair)
    def config(to, more=""):
        return CONFIG.format(dns=house.dns.port, path=house.scratch.path, webhook=hook(to.port, more, scheme="https"))
    try:
        house.daemon.config = house.scratch.write("mailtide.conf", config(stranger))
        with house:
            send(house, 3)
            alarm = until("the alarm", lambda: [a for a in house.daemon.status()["alarms"] if a["key"] == "webhook/app"])
            assert "certificate" in alarm[0]["sentence"], alarm
            assert stranger.calls == [], "who cannot prove who he is is told nothing"
            assert "reload.done" in house.daemon.reload(config(receiver, f'tls_ca_file = "{house.certificate}";'))
            send(house, 3)
            settled(house, receiver, "notification.sent")
    finally:
        receiver.close()
        stranger.close()


def only_what_was_asked_for():
    receiver = Receiver()
    try:
        with House(CONFIG, webhook=hook(receiver.port, 'types = ["notification.refused", "notification.cancelled"];')) as house:
            send(house, 2)
            send(house, 1, to="x@gone.test")
            settled(house, receiver, "notification.refused")
            assert [e["type"] for e in receiver.taken] == ["notification.refused"]
            assert receiver.taken[0]["data"]["detail"]["code"] == "undeliverable"
    finally:
        receiver.close()


# -- not taken

def tried_again_with_the_same_id():
    """The second event is refused twice; the others do not wait for it."""
    clock, seen = Clock(rate=300.0), []
    def answer(event, nth):
        if event["id"] not in seen:
            seen.append(event["id"])
        return 500 if seen.index(event["id"]) == 1 and nth < 2 else 200
    receiver = Receiver(answer, clock=clock)
    try:
        with House(CONFIG, clock=clock, webhook=hook(receiver.port, 'types = ["notification.sent"];')) as house:
            send(house, 6)
            want = settled(house, receiver, "notification.sent")
            late = seen[1]
            got = receiver.ids()
            assert sorted(got, key=seq) == want and len(got) == len(set(got)), (got, want)
            assert got[-1] == late and [x for x in got if x != late] == [x for x in want if x != late], "the others in order, this one late"
            tries = [c["headers"]["webhook-timestamp"] for c in receiver.calls if c["event"]["id"] == late]
            assert len(tries) == 3, tries
            assert int(tries[1]) - int(tries[0]) >= 4 and int(tries[2]) - int(tries[1]) >= 299, tries
            assert not receiver.wrong
    finally:
        receiver.close()


def silence_is_not_taking():
    clock = Clock(rate=300.0)
    receiver = Receiver(lambda event, nth: None if nth == 0 else 200, clock=clock)
    try:
        with House(CONFIG, clock=clock, webhook=hook(receiver.port, 'types = ["notification.sent"];')) as house:
            send(house, 1)
            want = settled(house, receiver, "notification.sent")
            assert [c["event"]["id"] for c in receiver.calls] == want * 2, "again, with the same id"
    finally:
        receiver.close()


def asks_to_wait():
    """Retry-After is longer than the first pause."""
    clock = Clock(rate=300.0)
    receiver = Receiver(lambda event, nth: (503, {"Retry-After": "600"}) if nth == 0 else 200, clock=clock)
    try:
        with House(CONFIG, clock=clock, webhook=hook(receiver.port, 'types = ["notification.sent"];')) as house:
            send(house, 1)
            settled(house, receiver, "notification.sent")
            first, second = (int(c["headers"]["webhook-timestamp"]) for c in receiver.calls)
            assert second - first >= 599, (first, second)
    finally:
        receiver.close()


def down_for_hours():
    """Nobody listens: it rests, an alarm tells; when it is up again all comes at once, once each."""
    clock = Clock(rate=3000.0)
    receiver = Receiver(clock=clock)
    port = receiver.port
    receiver.close()
    with House(CONFIG, clock=clock, webhook=hook(port, 'types = ["notification.sent"];') + " alarms = true;") as house:
        send(house, 30)
        house.daemon.wait_idle()
        alarm = until("the alarm", lambda: [a for a in house.daemon.status()["alarms"] if a["key"] == "webhook/app"])
        assert "does not take events" in alarm[0]["sentence"], alarm
        began = clock.now()
        until("three hours", lambda: clock.now() - began > 3 * 3600)
        receiver = Receiver(port=port, clock=clock)
        try:
            back = time.monotonic()
            want = settled(house, receiver, "notification.sent")
            assert time.monotonic() - back < 10, "letters do not wait for their hour once it works again"
            got = receiver.ids()
            assert len(got) == len(set(got)) and set(got) == set(want), (len(got), len(want))
            until("the alarm's end", lambda: not [a for a in house.daemon.status()["alarms"] if a["key"] == "webhook/app"])
            kinds = [e["type"] for e in events(house, "alarm.*")]
            assert kinds == ["alarm.raised", "alarm.cleared"], kinds
        finally:
            receiver.close()


def killed_again_and_again():
    """SIGKILL at random instants, while many first tries fail: nothing is lost."""
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
    print(f"SEED={seed}")
    dice, clock = random.Random(seed), Clock(rate=300.0)
    fate = random.Random(seed + 1)
    receiver = Receiver(lambda event, nth: 500 if nth < 2 and fate.random() < 0.4 else 200, clock=clock)
    house = House(CONFIG, clock=clock, webhook=hook(receiver.port, 'types = ["notification.sent", "notification.accepted"]; connections = 3;'))
    try:
        sent = []
        for life in range(6):
            house.daemon.start()
            sent += send(house, 12)
            time.sleep(dice.random() * 0.4)  # no synchronisation: the instant is what is tried
            house.daemon.kill()
        house.daemon.start()
        settled(house, receiver, "notification.sent,notification.accepted")
        told = {n["id"] for e in receiver.taken if e["type"] == "notification.accepted" for n in e["data"]["notifications"]}
        assert told == set(sent), f"{len(told)} told of {len(sent)}"
        assert not receiver.wrong
        house.daemon.stop()
    finally:
        if house.daemon.process.poll() is None:
            house.daemon.kill()
        receiver.close()
        house.dns.__exit__()
        house.scratch.__exit__()


def dead_letters():
    """What is refused for a day is given up, listed, and told again by hand with the same id."""
    clock = Clock(rate=30000.0)
    poison = {"on": True}
    def answer(event, nth):
        return 422 if poison["on"] and event["data"]["notifications"][0]["subject"] == "s1" else 200
    receiver = Receiver(answer, clock=clock)
    try:
        with House(CONFIG, clock=clock, webhook=hook(receiver.port, 'types = ["notification.sent"];')) as house:
            send(house, 3)
            until("it to be given up", lambda: house.daemon.status("/v1/webhooks/dead")["letters"])
            dead = house.daemon.status("/v1/webhooks/dead")["letters"]
            assert len(dead) == 1 and dead[0]["application"] == "app" and dead[0]["tries"] == 8, dead
            assert dead[0]["error"].startswith("status 422"), dead
            assert sum(1 for c in receiver.calls if c["event"]["id"] == dead[0]["id"]) == 8
            code, out, _ = mailtide(house, "events", "--dead")
            assert code == 0 and dead[0]["id"] in out and "8 tries" in out, out
            code, _, err = mailtide(house, "events", "retry", "1-1")
            assert code == 4 and "no such dead event" in err, (code, err)
            answer_ = house.daemon.http("POST", "/v1/webhooks/retry", headers={"Authorization": "Bearer key-of-forum"})
            assert answer_ == (200, {"retried": 0}), "another application's are not its own"
            poison["on"] = False
            code, out, _ = mailtide(house, "events", "retry", dead[0]["id"])
            assert code == 0 and out == "1 event is told again.\n", out
            until("it to be taken", lambda: dead[0]["id"] in receiver.ids())
            until("no dead ones", lambda: not house.daemon.status("/v1/webhooks/dead")["letters"])
    finally:
        receiver.close()


def wants_no_more():
    """410: it is left alone, and told when the configuration names another place."""
    gone, there = Receiver(lambda event, nth: 410), Receiver()
    try:
        with House(CONFIG, webhook=hook(gone.port, 'types = ["notification.accepted"];')) as house:
            send(house, 5)
            until("the alarm", lambda: [a for a in house.daemon.status()["alarms"] if a["key"] == "webhook/app"])
            send(house, 5)
            house.daemon.wait_idle()
            assert len(gone.calls) == 1, len(gone.calls)
            config = CONFIG.format(dns=house.dns.port, path=house.scratch.path, webhook=hook(there.port, 'types = ["notification.accepted"];'))
            assert "reload.done" in house.daemon.reload(config)
            settled(house, there, "notification.accepted")
            assert sorted(there.ids(), key=seq) == [e["id"] for e in events(house, "notification.accepted")]
    finally:
        gone.close()
        there.close()


# -- followed

def waits_for_what_comes():
    with House(CONFIG, webhook="") as house:
        key = {"Authorization": "Bearer key-of-app"}
        send(house, 1)
        house.daemon.wait_idle()
        _, page = house.daemon.http("GET", "/v1/events?after=newest", headers=key)
        assert page["events"] == [], page
        answer = {}
        def follow():
            answer["got"] = house.daemon.http("GET", f"/v1/events?after={page['next']}&wait=20&types=notification.sent", headers=key)
        waiting = threading.Thread(target=follow)
        waiting.start()
        send(house, 2, key="key-of-forum", sender="forum@forum.test")
        house.daemon.wait_idle()
        assert waiting.is_alive(), "what others sent is nothing to it"
        ids = send(house, 1)
        waiting.join(10)
        code, got = answer["got"]
        assert code == 200 and [n["id"] for e in got["events"] for n in e["data"]["notifications"]] == ids, got
        following = subprocess.Popen([os.path.join(BUILD, "mailtide"), "-s", house.daemon.socket, "events", "--follow", "--json",
                                      "-t", "notification.sent", "-a", got["next"]], stdout=subprocess.PIPE, text=True)
        try:
            ids = send(house, 1)
            line = json.loads(following.stdout.readline())
            assert [n["id"] for e in line["events"] for n in e["data"]["notifications"]] == ids, line
        finally:
            following.kill()
            following.wait()
        code, out, _ = mailtide(house, "events", "-t", "notification.sent", "--application", "app")
        assert code == 0 and out.count("notification.sent") == 3 and "client.asia" in out, out
        code, empty = house.daemon.http("GET", f"/v1/events?after={line['next']}&wait=1&types=alarm.*", headers=key)
        assert code == 200 and empty["events"] == [] and not empty["more"] and seq(empty["next"]) >= seq(line["next"]), empty
        code, answer = house.daemon.http("GET", "/v1/events?after=99999", headers=key)
        assert code == 410 and answer["error"]["code"] == "cursor_gone" and answer["error"]["oldest"] == 1, answer


if __name__ == "__main__":
    sys.exit(suite.run([signed_and_in_order, as_the_library_reads_it, over_https, only_what_was_asked_for, tried_again_with_the_same_id,
                        silence_is_not_taking, asks_to_wait, down_for_hours, killed_again_and_again, dead_letters, wants_no_more,
                        waits_for_what_comes]))
