"""The story's own part: a project-management service that tells Bruce of 30 comments a day and, when
the working day is nearly over, sends him the password reset that he asked for.

Used by the story's test and by the demo, with mailtide in between and without.
"""
import re
import smtplib
import time
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

BRUCE = "bruce@client.asia"
SENDER = "pm@office.example"
COMMENTS = 30
FIRST_DAY = datetime.fromisoformat("2026-03-02T00:00:00+08:00")  # a Monday in Shanghai
START = "2026-03-02T00:30:00Z"  # 08:30 in Shanghai

# One real millisecond is `rate` virtual ones, so that what takes a machine 50 ms (two commits, a
# few hundred bytes over loopback, another program to wake up) takes virtual minutes. The margin
# around a reset is for just that, mail under way and clocks that differ: the hurried world needs an
# hour where the real one needs seconds.
CONFIG = """
state_dir = "{state}";
schedules = ["{schedules}"];
smtp: {{ listen = ["127.0.0.1:0"]; }};
http: {{ listen = ["127.0.0.1:0"]; }};
status: {{ socket = "{socket}"; }};
dns: {{
    servers = ["{dns}"];
    private_addresses = true;   # the lab's mail hosts are on loopback
}};
planner: {{ margin = "{margin}"; spread = "10min"; }};
accounts: {{
    esp: {{
        host = "127.0.0.1"; port = {port}; tls = "none";
        user = "apikey"; password = "secret";
        connections = 1;
    }};
}};
applications: {{
    office: {{ anonymous = true; senders = ["office.example"]; }};
}};
"""


def config(scratch, lab, schedules, margin="1h"):
    return CONFIG.format(state=scratch / "state", schedules=schedules, socket=scratch / "status.sock",
                         dns=lab.dns, port=lab.smtp_port("esp"), margin=margin)


def working_day(day):
    """[(instant, kind, subject)]: comments from 09:00 every 18 minutes, the reset at 17:50.

    A quarter of a minute late: the provider's minutes begin with a margin of so much.
    """
    morning = FIRST_DAY + timedelta(days=day, hours=9, seconds=16)
    mails = [(morning + timedelta(minutes=18 * i), "comment", f"New comment {day + 1}-{i + 1:02}")
             for i in range(COMMENTS)]
    mails.append((FIRST_DAY + timedelta(days=day, hours=17, minutes=50), "reset",
                  f"Reset your password ({day + 1})"))
    return mails


class Office:
    """Hands its mail to an SMTP server: mailtide, or the ESP itself when there is a password."""

    def __init__(self, clock, port, password=None):
        self.clock, self.port, self.password = clock, port, password
        self.smtp = None
        self.handed = {}  # subject: virtual seconds at which it was handed in

    def send(self, at, kind, subject):
        """Hands it over; what the server said, "2.0.0 Ok: queued as ...": mailtide's id is in it."""
        m = EmailMessage()
        m["From"], m["To"], m["Subject"] = f"Office <{SENDER}>", BRUCE, subject
        m["Date"] = format_datetime(at)
        m["Message-ID"] = f"<{re.sub('[^a-zA-Z0-9]+', '.', subject).strip('.')}@office.example>"
        if not self.password:
            m["X-Mailtide-Stream"] = "urgent" if kind == "reset" else "notify"
        m.set_content(f"{subject}: " + ("Follow the link within an hour.\n" if kind == "reset"
                                        else "Ann wrote: looks good to me.\n"))
        if not self.smtp:
            self.smtp = smtplib.SMTP("127.0.0.1", self.port, timeout=30)
            self.smtp.ehlo()
            if self.password:
                self.smtp.login("apikey", self.password)
        self.handed[subject] = self.clock.now()
        for say in (lambda: self.smtp.mail(SENDER), lambda: self.smtp.rcpt(BRUCE),
                    lambda: self.smtp.data(m.as_bytes())):
            code, said = say()
            assert code == 250, f"{subject}: {code} {said}"
        return said.decode()

    def work(self, day):
        """One working day at its own pace."""
        for at, kind, subject in working_day(day):
            self.sleep_until(at.timestamp())
            self.send(at, kind, subject)

    def sleep_until(self, instant):
        """The pace of the world, not a wait for something to happen."""
        time.sleep(max(0.0, (instant - self.clock.now()) / self.clock.rate))

    def close(self):
        if self.smtp:
            self.smtp.quit()
