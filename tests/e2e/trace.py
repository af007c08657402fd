#!/usr/bin/env python3
"""Real traffic through the real daemon on a driven clock, which passes over whatever nobody waits for, into a mailbox provider that takes ten
mails a day: nothing is refused, and the delays are those that `mailtide simulate` foretells.

The daemon first learns what the trace held before (mailtide learn). TRACES=DIR holds
ant-design.tsv.xz (default ../shared/traces; without it the test is skipped), DAYS=7 plays a week.
"""
import contextlib
import json
import lzma
import os
import smtplib
import sqlite3
import subprocess
import sys
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from lab import Lab
from mailtide import BUILD, PATIENCE, ROOT, Daemon, DrivenClock, Scratch, until
from office import SENDER, config

TRACE = os.path.join(os.environ.get("TRACES", os.path.join(ROOT, "../shared/traces")), "ant-design.tsv.xz")
DAYS = int(os.environ.get("DAYS", "1"))
FIRST = datetime.fromisoformat("2016-07-25T00:00:00+08:00").timestamp()  # the week of median volume
HISTORY_DAYS = 200
MARGIN = "30s"
MAILTIDE = os.path.join(BUILD, "mailtide")
NEAR = 0.10


def read_trace():
    with lzma.open(TRACE, "rt") as f:
        for line in f:
            at, user, _, priority = line.split("\t")
            if FIRST - HISTORY_DAYS * 86400 <= int(at) < FIRST + DAYS * 86400:
                yield int(at), int(user), int(priority)


def log_of(events):
    return "".join(f"{at},u{user}@client.asia,,{priority}\n" for at, user, priority in events)


def foretold(scratch, events):
    """What the simulator says of the days that are played."""
    path = scratch.write("all.csv", log_of(events))
    warm = round((FIRST - events[0][0]) / 86400)
    # The warm-up is counted from the first event: that has to lie at the very start of its day.
    done = subprocess.run([MAILTIDE, "simulate", "-t", path, "-z", "Asia/Shanghai", "-q", "10", "--reserve", "0",
                           "--hold-max", "4h", "--margin", MARGIN, "--spread", "10min", "-w", str(warm), "--json"],
                          stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)["quotas"][0]


def hand_in(smtp, users, priority):
    """One message for all whom one event concerns."""
    smtp.mail(SENDER)
    for user in users:
        code, said = smtp.rcpt(f"u{user}@client.asia")
        assert code == 250, said
    stream = "urgent" if priority == 0 else "notify"
    code, said = smtp.data(f"From: {SENDER}\r\nTo: u@client.asia\r\nSubject: An event\r\n"
                           f"X-Mailtide-Stream: {stream}\r\n\r\nSomething changed.\r\n".encode())
    assert code == 250, said


def play(daemon, lab, clock, events):
    together = {}

    def busy():
        return daemon.status()["queues"]["flying"] or not lab.settled()

    for at, user, priority in events:
        together.setdefault((at, priority == 0), []).append(user)
    with smtplib.SMTP("127.0.0.1", daemon.smtp_port, timeout=PATIENCE) as smtp:
        smtp.ehlo()
        hand_in(smtp, ["first"], 1)
        until("a table is built", lambda: daemon.logged("plan.table_built"))
        for (at, urgent), users in sorted(together.items()):
            clock.pass_until(at, busy)
            for user in sorted(set(users)):  # twice in a second is twice a mail
                for _ in range(users.count(user) - 1):
                    hand_in(smtp, [user], 0 if urgent else 1)
            hand_in(smtp, sorted(set(users)), 0 if urgent else 1)
    while daemon.pending():
        clock.pass_until(clock.now() + 3600, busy)


def delays(scratch):
    """Minutes, of every notification that may be in a digest."""
    with contextlib.closing(sqlite3.connect(f"file:{scratch / 'state'}/mailtide.db?mode=ro", uri=True)) as db:
        return [(sent - accepted) / 60000 for accepted, sent in db.execute(
            "SELECT n.accepted_at, a.started_at FROM notification n JOIN attempt a ON a.id = n.attempt_id "
            "WHERE n.class = 2 AND n.address NOT LIKE 'ufirst@%'")]


def test_as_simulated():
    if not os.path.exists(TRACE):
        raise suite.Skip(f"no traces: {TRACE} is not there (set TRACES=DIR)")
    events = list(read_trace())
    before = [e for e in events if e[0] < FIRST]
    days = [e for e in events if e[0] >= FIRST]
    # an event of nobody, at midnight: from it the days of warm-up are counted
    start = int(FIRST - HISTORY_DAYS * 86400)
    with Scratch() as scratch:
        want = foretold(scratch, [(start, 999999, 1)] + events)
        origin = datetime.fromtimestamp(days[0][0] - 7200, timezone.utc).isoformat()
        clock = DrivenClock(scratch, origin)
        with Lab(scratch, clock) as lab:
            text = config(scratch, lab, os.path.join(ROOT, "schedules"), margin=MARGIN)
            text = text.replace("planner: {", "planner: { reserve = 0;")
            with Daemon(scratch, text, clock) as daemon:
                said = subprocess.run([MAILTIDE, "-s", daemon.socket, "-c", daemon.config, "learn",
                                       scratch.write("before.csv", log_of(before))],
                                      stdout=subprocess.PIPE, check=True, text=True).stdout
                assert "The daemon has learnt it" in said, said
                play(daemon, lab, clock, days)
            until("the ESP has delivered all", lab.settled)
            books = lab.books("tencent")
            assert books["refused"] == 0, lab.get("/attempts")
            got = delays(scratch)
            mean, expected = sum(got) / len(got), want["mean_delay_min"]
            print(f"     {DAYS} day(s): {len(days)} notifications, {len(lab.get('/attempts'))} attempts; mean delay "
                  f"{mean:.1f} min, simulated {expected:.1f}; {want['refused_if_sent_directly']} would have been refused")
            print(f"daemon_refused {books['refused']} mails\ndaemon_mean_delay {mean:.2f} min\n"
                  f"daemon_mean_delay_simulated {expected:.2f} min\n"
                  f"daemon_delay_off_simulated {abs(mean / expected - 1) * 100:.1f} %")
            normal = sum(1 for e in days if e[2] > 0)
            assert len(got) == normal == want["notifications"], (len(got), normal, want["notifications"])
            assert abs(mean - expected) <= NEAR * expected, (mean, expected)


if __name__ == "__main__":
    sys.exit(suite.run([test_as_simulated]))
