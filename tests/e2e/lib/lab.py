"""A real mailtide-lab: started with a world, asked through its control port, stopped.

    lab = Lab(scratch, clock).start()
    ... lab.dns, lab.smtp_port("esp"), lab.get("/books"), lab.mails("bruce@client.asia") ...
    lab.stop()
"""
import http.client
import json
import os
import subprocess

from mailtide import BUILD, PATIENCE, ROOT, ask

STORY = os.path.join(ROOT, "src/cmd/mailtide-lab/story.conf")


class Lab:
    def __init__(self, scratch, clock, world=STORY, name="lab"):
        self.clock, self.world = clock, world
        self.log_path = scratch / f"{name}.log"
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "mailtide-lab"), "--clock", self.clock.spec(), self.world],
                stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line, f"mailtide-lab did not start:\n{open(self.log_path, encoding='utf-8').read()}"
        self.ready = json.loads(line)
        self.dns = self.ready["dns"]
        return self

    def stop(self):
        """SIGTERM; whatever a sanitizer has found fails the test here."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            code = self.process.wait(PATIENCE)
            log = open(self.log_path, encoding="utf-8").read()
            assert code == 0, f"mailtide-lab ended with {code}:\n{log[-3000:]}"
        self.process.stdout.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        elif self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)

    def smtp_port(self, esp):
        return int(self.ready["esps"][esp]["smtp"].rsplit(":", 1)[1])

    def http_port(self, esp):
        return self.ready["esps"][esp]["http_port"]

    def ask(self, method, path, body=None, port=None, headers=None):
        port = port or self.ready["control_port"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        return ask(connection, method, path, body, headers)

    def get(self, path):
        code, answer = self.ask("GET", path)
        assert code == 200, f"GET {path}: {code} {answer}"
        return answer

    def books(self, provider):
        return next(p for p in self.get("/books")["providers"] if p["name"] == provider)

    def esp_books(self, esp="esp"):
        return next(e for e in self.get("/books")["esps"] if e["name"] == esp)

    def mails(self, mailbox):
        return self.get(f"/mailbox/{mailbox}")["mails"]

    def message(self, mailbox, n):
        return self.get(f"/mailbox/{mailbox}/{n}")

    def events(self, esp="esp"):
        return self.get("/esp/events")[esp]

    def suppressions(self, esp="esp"):
        return self.get("/esp/suppressions")[esp]

    def settled(self, esp="esp"):
        """Nothing is on its way from the ESP to a provider."""
        books = self.esp_books(esp)
        return books["under_way"] == 0 and books["waiting"] == 0
