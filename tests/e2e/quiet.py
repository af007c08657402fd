#!/usr/bin/env python3
"""The quiet policy in the daemon: its table is built beside the running loop, what it has learnt of
the site survives a kill, and mail still leaves in time and within the limit."""
import contextlib
import os
import sqlite3
import sys
from datetime import timedelta

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from lab import Lab
from mailtide import ROOT, Clock, Daemon, Scratch, until
from office import BRUCE, FIRST_DAY, START, Office, config

RATE = 3600  # an hour a second
SCHEDULES = os.path.join(ROOT, "schedules")


def rows(scratch):
    """The policy's rows in the store: {key: bytes}."""
    with contextlib.closing(sqlite3.connect(f"file:{scratch / 'state'}/mailtide.db?mode=ro",
                                            uri=True)) as db:
        return dict(db.execute("SELECT subject, used FROM ledger WHERE subject LIKE 'policy|%'"))


def comments(office, first, count, clock):
    """So many at their own pace, one in twelve virtual minutes."""
    start = clock.now()
    for i in range(count):
        office.sleep_until(start + 720 * i)
        office.send(FIRST_DAY + timedelta(hours=9, minutes=12 * i), "comment",
                    f"New comment {first + i:03}")


def test_learns_and_survives():
    with Scratch() as scratch:
        clock = Clock(START, RATE)
        with Lab(scratch, clock) as lab:
            daemon = Daemon(scratch, config(scratch, lab, SCHEDULES), clock)
            with daemon:
                office = Office(clock, daemon.smtp_port)
                comments(office, 1, 8, clock)
                line = until("a table is built", lambda: daemon.logged("plan.table_built"))
                assert "quota=8 reserve=2" in line, line  # ten a day, two kept for urgent mail
                comments(office, 9, 12, clock)
                # the site's profile, and that of the one application and sender that writes
                before = until("both are stored", lambda: len(rows(scratch)) == 2 and rows(scratch))
                site, source = sorted(before)
                assert source.startswith(site + "|"), before
                assert all(len(b) > 100 for b in before.values()), before
                daemon.kill()
                daemon.start()
                office = Office(clock, daemon.smtp_port)
                assert not daemon.logged("corrupt"), daemon.logged("corrupt")
                comments(office, 21, 4, clock)
                office.close()
                daemon.wait_idle()
            until("the ESP has delivered all", lab.settled)
            books = lab.books("tencent")
            assert books["refused"] == 0, lab.get("/attempts")
            mails = lab.mails(BRUCE)
            told = sum(m["digest"] or 1 for m in mails)
            print(f"     {len(mails)} mails tell of {told} comments")
            assert told >= 24 and len(mails) < 24, (told, len(mails))


def test_even_when_asked():
    with Scratch() as scratch:
        clock = Clock(START, RATE)
        with Lab(scratch, clock) as lab:
            text = config(scratch, lab, SCHEDULES).replace("planner: {", 'planner: { policy = "even";')
            with Daemon(scratch, text, clock) as daemon:
                office = Office(clock, daemon.smtp_port)
                comments(office, 1, 3, clock)
                daemon.wait_idle()
                assert not daemon.logged("plan.table_built")
                daemon.reload(text.replace('"even"', '"quiet"'))
                comments(office, 4, 3, clock)
                office.close()
                until("a table is built", lambda: daemon.logged("plan.table_built"))
                daemon.wait_idle()
            assert lab.books("tencent")["refused"] == 0


if __name__ == "__main__":
    sys.exit(suite.run([test_learns_and_survives, test_even_when_asked]))
