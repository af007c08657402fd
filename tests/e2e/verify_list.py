#!/usr/bin/env python3
"""mailtide verify, of lists: forms of input and output, order, what is asked, going on where an
earlier run ended, and memory that does not grow with the list."""
import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_dns import FakeDns
from mailtide import BUILD, Scratch

SCHEDULES = os.path.abspath("schedules")
PROGRAM = os.path.join(BUILD, "mailtide")
scratch = dns = None


def verify(*args, stdin="", code=0):
    done = subprocess.run([PROGRAM, "verify", "-c", scratch / "verify.conf", *args], input=stdin,
                          text=True, capture_output=True, timeout=120, cwd=scratch.path,
                          env={**os.environ, "MAILTIDE_SCHEDULES": SCHEDULES})
    assert done.returncode == code, f"{args}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout, done.stderr


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def forms():
    listed = "name,e-mail\nAnn,ann@client.asia\nBob,no address\nCyn,info@gone.test\nDan,d@[192.0.2.1]\n"
    path = scratch.write("list.csv", listed)
    out, said = verify(path)
    got = rows(out)
    assert [r["address"] for r in got] == ["ann@client.asia", "no address", "info@gone.test", "d@[192.0.2.1]"], out
    assert [r["verdict"] for r in got] == ["deliverable", "undeliverable", "undeliverable", "unknown"], out
    assert "client.asia MX" in got[0]["evidence"] and got[2]["hints"] == "role", out
    assert said.startswith("4 addresses in ") and "1 deliverable" in said and "2 domains asked" in said, said
    assert verify(stdin=listed)[0] == verify("-", stdin=listed)[0] == out
    lines = verify("--format", "ndjson", stdin='{"email":"x@client.asia"}\n{"email":"y@gmial.com"}\n')[0]
    first, second = [json.loads(line) for line in lines.splitlines()]
    assert first["address"] == "x@client.asia" and first["verdict"] == "deliverable" and first["evidence"], first
    assert second["hints"] == ["typo"] and second["meant"] == "gmail.com", second
    verify("--column", "nobody", path, code=1)
    verify("--format", "xml", path, code=2)
    verify("--column", "1", "no-such-file", code=2)


def faults():
    """Each is told in one sentence, and what can be read is read."""
    wide = scratch / "wide.csv"
    with open(wide, "w", encoding="utf-16") as f:  # as a spreadsheet saves it
        f.write("name\te-mail\r\nÅsa\tann@client.asia\r\n")
    assert [r["address"] for r in rows(verify(wide)[0])] == ["ann@client.asia"]
    with open(wide, "w", encoding="utf-16-le") as f:
        f.write("ann@client.asia\n")
    for args, sentence in (
            ([wide], "wide.csv: the list begins with zero octets: want text in UTF-8, or UTF-16 with a mark"),
            ([scratch.write("open.csv", 'email\n"ann@client.asia\nbob@client.asia\n')],
             'open.csv: a quote is opened and never closed, before "ann@client.asia"'),
            (["no-such-file"], '"no-such-file" is no address, and no file that can be read: No such file'),
            ([scratch.path], "is no address, and no file that can be read: it is a folder"),
            ([scratch.write("one.txt", "ann@client.asia\n"), "--output", "/dev/full"],
             "the output cannot be written: No space left on device; --resume /dev/full goes on")):
        said = verify(*args, code=1)[1]
        assert said.startswith("mailtide: ") and sentence in said and said.count("\n") == 1, said
    assert "1 address in " in verify("one.txt")[1] and "; 1 domain asked for" in verify("one.txt")[1]


def narrow_terminal():
    """The line of progress is never wider than the terminal: it could not be written over."""
    path = scratch.write("long.txt", "\n".join(f"u{i}@d{i % 5000}.list.test" for i in range(100000)))
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
        os.environ.update(MAILTIDE_SCHEDULES=SCHEDULES)
        os.execv(PROGRAM, [PROGRAM, "verify", "-c", scratch / "verify.conf", path, "--output", "/dev/null"])
    seen = b""
    while b"addresses in" not in seen:
        seen += os.read(fd, 4096)
    os.close(fd)
    os.waitpid(pid, 0)
    lines = [piece.replace(b"\033[K", b"") for piece in seen.split(b"\r")[1:-2]]
    assert lines and all(len(line) < 20 for line in lines), lines
    assert any(b"%" in line for line in lines), lines


def order_and_flights():
    """Each domain is asked for once, and the order is the list's however the answers come."""
    listed = [f"u{i}@d{i * 7 % 50}.list.test" for i in range(5000)]
    before = dns.queries
    out, _ = verify(stdin="\n".join(listed))
    assert [r["address"] for r in rows(out)] == listed
    assert dns.queries - before <= 2 * 50 + 4, dns.queries - before


def resumed():
    listed = "\n".join(f"u{i}@d{i % 10}.list.test" for i in range(200)) + "\n"
    path = scratch.write("long.txt", listed)
    whole, _ = verify(path)
    for format in ("csv", "ndjson"):
        whole, _ = verify("--format", format, path)
        for cut in (0, 10, len(whole) // 3, len(whole) // 2 + 7, len(whole) - 1, len(whole)):
            part = scratch.write("part", whole[:cut])
            verify("--format", format, "--resume", part, path)
            with open(part) as f:
                assert f.read() == whole, (format, cut)
    other = scratch.write("other", "something\nelse\n")
    verify("--resume", other, path, code=1)
    with open(other) as f:
        assert f.read() == "something\nelse\n", "somebody else's file is left alone"


def memory():
    """Twenty times as many addresses and domains, no more memory."""
    def most_kb(count):
        listed = scratch.write("many.txt", "".join(f"u{i}@d{i % 50}.list.test\n" for i in range(count)))
        with open(listed) as f, open(os.devnull, "w") as null:
            child = subprocess.Popen([PROGRAM, "verify", "-c", scratch / "verify.conf"], stdin=f, stdout=null,
                                     stderr=null, env={
                                         **os.environ, "MAILTIDE_SCHEDULES": SCHEDULES,
                                         "ASAN_OPTIONS": "quarantine_size_mb=1"})  # it keeps what is freed
            most = 0
            while child.poll() is None:  # not getrusage(), which counts what was before exec() too
                with open(f"/proc/{child.pid}/status") as status:
                    found = re.search(r"VmHWM:\s+(\d+)", status.read())
                most = max(most, int(found[1]) if found else 0)
                time.sleep(0.005)
        assert child.returncode == 0 and most > 0, (child.returncode, most)
        return most
    small, large = most_kb(40000), most_kb(800000)
    assert large < small * 1.3, f"{small} KB, then {large} KB"


if __name__ == "__main__":
    mx = {f"d{i}.list.test": [f"mx.d{i}.list.test"] for i in range(50)}
    mx.update({"client.asia": ["mx.client.asia"], "gmial.com": ["mx.gmial.com"]})
    with Scratch() as scratch, FakeDns(mx) as dns:
        scratch.write("verify.conf", f'dns: {{ servers = ["127.0.0.1:{dns.port}"]; }};\n')
        sys.exit(suite.run([forms, faults, narrow_terminal, order_and_flights, resumed, memory]))
