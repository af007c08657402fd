"""A story between an application, mailtide, an ESP that the lab plays by its API, and the providers
behind it: everything that the ESP tells is told to mailtide, as it is told in the world."""
import os

from esps import Client, account, proof, world
from lab import Lab
from mailtide import ROOT, Clock, Daemon, Scratch, until

RATE = 3600  # an hour a second
START = "2026-03-02T09:00:00+08:00"
BRUCE = "bruce@client.asia"


class Story:
    def __init__(self, api, esp="", tencent="", friendly="", rate=RATE, account="", start=START):
        self.api, self.scratch, self.clock = api, Scratch(), Clock(start, rate)
        if api == "ses":
            esp += ' webhook_topic = ""; api_every = "1s";'
        self.lab = Lab(self.scratch, self.clock, world(self.scratch, api, esp=esp, tencent=tencent,
                                                       friendly=friendly))
        self.more = account
        self.client = Client(self.lab, api)
        self.daemon = None

    def __enter__(self):
        self.lab.start()
        return self

    def __exit__(self, *why):
        try:
            if self.daemon:
                self.daemon.__exit__(*why)
            self.lab.__exit__(*why)
        finally:
            self.scratch.__exit__()

    def begin(self, webhooks=True):
        """mailtide comes into play."""
        way = account(self.api, self.lab, f"{proof(self.api, self.lab)} {self.more}")
        self.daemon = Daemon(self.scratch, f"""
            state_dir = "{self.scratch / 'state'}";
            schedules = ["{os.path.join(ROOT, 'schedules')}"];
            smtp: {{ listen = ["127.0.0.1:0"]; }};
            http: {{ listen = ["127.0.0.1:0"]; }};
            status: {{ socket = "{self.scratch / 'status.sock'}"; }};
            store: {{ free_min = "0"; }};
            planner: {{ margin = "10min"; }};
            dns: {{ servers = ["{self.lab.dns}"]; private_addresses = true; }};
            applications: {{ app: {{ anonymous = true; senders = ["app.test"]; }}; }};
            {way}""", self.clock).start()
        if webhooks:
            url = f"http://127.0.0.1:{self.daemon.http_port}/v1/events/esp"
            assert self.lab.ask("POST", "/webhook", {"esp": "esp", "url": url})[0] == 200
        return self

    def settle(self):
        until("the ESP has delivered all", self.lab.settled)

    def hand_in(self, subject, to=BRUCE, stream="notify"):
        note = {"from": "n@app.test", "to": to, "subject": subject, "text": "Hello", "stream": stream}
        code, answer = self.daemon.http("POST", "/v1/notifications", note)
        assert code == 202, (code, answer)
        return answer["notifications"][0]["id"]

    def state(self, id):
        return self.daemon.notification(id)["state"]

    def becomes(self, id, *states, patience=30):
        return until(f"{id} is {states}", lambda: self.state(id) in states and self.state(id), patience)

    def journal(self, address=BRUCE):
        """The sentences of `mailtide why ADDRESS`, in order."""
        return [f"{e['event']}: {e['sentence']}" for e in self.daemon.why("recipient", address)["journal"]]

    def told(self, word, address=BRUCE):
        """The first journal line with this word, waited for."""
        return until(f"the journal says {word}",
                     lambda: next((l for l in self.journal(address) if word in l), None))

    def here(self, address=BRUCE):
        """What stops mail to the address here, if anything."""
        return self.daemon.why("recipient", address)["recipient"]["suppressed"]

    def there(self):
        return {s["recipient"] for s in self.lab.suppressions()}

    def subjects(self, mailbox=BRUCE):
        return [m["subject"] for m in self.lab.mails(mailbox)]
