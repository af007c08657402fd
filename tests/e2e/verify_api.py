#!/usr/bin/env python3
"""POST and GET /v1/verify of a real daemon, on both doors: the answers of `mailtide verify`, in order,
while the list is still being decided, and stopped by whoever does not read or goes."""
import json
import os
import re
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_dns import FakeDns
from mailtide import BUILD, Daemon, Scratch, UnixConnection, ask, base_config, until

PROGRAM = os.path.join(BUILD, "mailtide")
DOMAINS = {"client.asia": ["a.mx.slow.test"], **{f"d{i}.test": [f"mx.d{i}.test"] for i in range(50)}}
CONFIG = """
dns: {{ servers = ["127.0.0.1:{dns}"]; timeout = "200ms"; tries = 2; }};
store: {{ free_min = "0"; }};
"""


class Rig:
    def __init__(self, http=""):
        self.http = http

    def __enter__(self):
        self.scratch, self.dns = Scratch(), FakeDns(DOMAINS)
        for kind in ("providers", "accounts"):
            os.makedirs(self.scratch / f"schedules/{kind}")
        config = base_config(self.scratch, CONFIG.format(dns=self.dns.port))
        config = config.replace("http: { ", "http: { " + self.http)
        self.daemon = Daemon(self.scratch, config).start()
        return self

    def __exit__(self, *why):
        self.daemon.__exit__(*why)
        self.dns.__exit__()
        self.scratch.__exit__()

    def post(self, body, path="/v1/verify", door="http"):
        if door == "status":
            return ask(UnixConnection(self.daemon.socket), "POST", path, body)
        return self.daemon.http("POST", path, body)

    def rows(self, body, **more):
        code, text = self.post(body, **more)
        assert code == 200, (code, text)
        return [json.loads(line) for line in text.splitlines()]

    def dial(self, body, framing=None):
        s = socket.create_connection(("127.0.0.1", self.daemon.http_port))
        framing = framing or f"Content-Length: {len(body)}"
        s.sendall(f"POST /v1/verify HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode() + body)
        return s

    def rss(self):
        with open(f"/proc/{self.daemon.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def forms_and_same_answers():
    with Rig() as rig:
        given = ["ann@client.asia", "no address", "x@gone.test", "d@[192.0.2.1]", "\"q q\"@client.asia"]
        own = subprocess.run([PROGRAM, "verify", "-c", rig.daemon.config, "-s", rig.daemon.socket, "--format",
                              "ndjson"], input="\n".join(json.dumps({"email": g}) for g in given), text=True,
                             capture_output=True, check=True).stdout
        want = [json.loads(line) for line in own.splitlines()]
        # times to live differ by what has passed since
        still = lambda rows: json.loads(re.sub(r"\(ttl \d+\)", "", json.dumps(rows)))
        bodies = ["\n".join(json.dumps({"email": g}) for g in given), json.dumps(given),
                  json.dumps([{"address": g} for g in given])]
        for door in ("http", "status"):
            for body in bodies:
                assert still(rig.rows(body, door=door)) == still(want), (rig.rows(body), want)
        assert [r["verdict"] for r in want] == ["deliverable", "undeliverable", "undeliverable", "unknown",
                                                "deliverable"], want
        assert rig.rows("[]") == [] and rig.rows("") == []
        code, one = rig.daemon.http("GET", "/v1/verify?address=ann%40client.asia")
        assert code == 200 and still(one) == still(want[0]), one
        code, one = rig.daemon.http("GET", "/v1/verify?address=nobody")
        assert code == 200 and one["verdict"] == "undeliverable" and one["address"] is None, one
        assert rig.daemon.http("GET", "/v1/verify")[0] == 400
        assert rig.daemon.http("DELETE", "/v1/verify")[0] == 405
        code, answer = rig.post("name,place\nAnn,Rome\n")
        assert code == 400 and answer["error"]["code"] == "bad_list", answer
        assert rig.rows("who,mail\nAnn,ann@client.asia\n", path="/v1/verify?column=mail")[0]["verdict"] == "deliverable"


def suppressed():
    with Rig() as rig:
        assert rig.rows('["ann@client.asia"]')[0]["suppressed"] is None
        rig.daemon.stop()
        import sqlite3
        with sqlite3.connect(rig.scratch / "state/mailtide.db") as db:
            db.execute("INSERT INTO suppressed VALUES ('ann@client.asia', '', 'invalid', 0, 'x', '', '', '', 0, 1,"
                       " 0, 0, 1), ('bob@client.asia', 'bulk', 'complaint', 0, 'x', '', '', '', 0, 1, 0, 0, 1),"
                       " ('cyn@client.asia', '', 'full', 1, 'x', '', '', '', 0, 1, 2, 0, 1)")
        rig.daemon.start()
        names = ["Ann@client.asia", "ann@CLIENT.asia", "bob@client.asia", "cyn@client.asia"]
        want = [None, "invalid", "complaint (bulk)", None]
        assert [r["suppressed"] for r in rig.rows(json.dumps(names))] == want
        code, answer = rig.post(names, path="/v1/suppressed", door="status")
        assert code == 200 and answer == {"suppressed": [w or "" for w in want]}, answer
        # the list on the command line asks the daemon too
        out = subprocess.run([PROGRAM, "verify", "-c", rig.daemon.config, "-s", rig.daemon.socket],
                             input="\n".join(names), text=True, capture_output=True, check=True).stdout
        lines = out.splitlines()
        assert "meant,suppressed,reason" in lines[0] and ",invalid," in lines[2], out
        assert ",complaint (bulk)," in lines[3] and ",invalid," not in lines[4], out
        assert rig.post('{"a":1}', path="/v1/suppressed", door="status")[0] == 400


def answers_before_the_list_is_done():
    """A domain that does not answer holds up those behind it alone, and not for ever."""
    with Rig() as rig:
        slow = "stuck.test"  # asked of a server that never answers it
        real, rig.dns._answer = rig.dns._answer, lambda q: b"" if b"\x05stuck\x04test" in q.lower() else real(q)
        s = rig.dial("\n".join(["a@client.asia", f"b@{slow}", "c@client.asia"]).encode())
        got = b""
        while b"a@client.asia" not in got:
            got += s.recv(4096)
        assert b"c@client.asia" not in got, "order is kept"
        while b"\r\n0\r\n\r\n" not in got:
            got += s.recv(4096)
        assert b'"unknown"' in got, got
        assert got.index(slow.encode()) < got.index(b"c@client.asia")
        s.close()


def chunk(text):
    return b"%x\r\n%s\r\n" % (len(text), text)


def receive(s, until_bytes, got=b""):
    while until_bytes not in got:
        piece = s.recv(1 << 16)
        assert piece, f"cut before {until_bytes}: {got[-200:]}"
        got += piece
    return got


def answers_while_the_list_still_comes():
    """On both doors: who sends slowly has each answer before he sends the next address."""
    with Rig() as rig:
        for door in ("http", "status"):
            s = socket.socket(socket.AF_UNIX) if door == "status" else socket.socket()
            s.connect(rig.daemon.socket if door == "status" else ("127.0.0.1", rig.daemon.http_port))
            s.settimeout(20)
            s.sendall(b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for i in range(5):
                s.sendall(chunk(b"user%d@d%d.test\n" % (i, i)))
                rows = receive(s, b'"given":"user%d@' % i)
                assert b"user%d" % (i + 1) not in rows
            s.sendall(chunk(b"no address") + b"0\r\n\r\n")
            assert b'"verdict":"undeliverable"' in receive(s, b"\r\n0\r\n\r\n")
            assert s.recv(100) == b"", "the connection ends with it"
            s.close()
        # what is wrong with the list is said at its beginning, with a status of its own
        s = socket.create_connection(("127.0.0.1", rig.daemon.http_port))
        s.sendall(b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
                  chunk(b"name,place\nAnn,Rome\n") + b"0\r\n\r\n")
        assert receive(s, b"bad_list").startswith(b"HTTP/1.1 400 "), "400"
        s.close()


def a_list_without_end():
    """Longer than any body may be, read while it is sent: the daemon grows by no more than a window."""
    with Rig(http="body_max = \"100k\";") as rig:
        rig.rows("\n".join(f"user{i}@d{i % 50}.test" for i in range(1000)))
        before, most, count = rig.rss(), 0, 300000
        s = rig.dial(b"", "Transfer-Encoding: chunked")
        rows = []

        def read():
            rest = b""
            while b"\r\n0\r\n\r\n" not in rest[-16:]:
                piece = s.recv(1 << 18)
                assert piece, "cut"
                rest += piece
                rows.append(rest.count(b'"given"'))
                rest = rest[rest.rfind(b'"given"') + 1:]
        reader = threading.Thread(target=read)
        reader.start()
        for at in range(0, count, 5000):
            s.sendall(chunk("".join(f"user{i}@d{i % 50}.test\n" for i in range(at, at + 5000)).encode()))
            most = max(most, rig.rss())
        s.sendall(b"0\r\n\r\n")
        reader.join(60)
        assert not reader.is_alive() and sum(rows) == count, (sum(rows), count)
        if "address" not in BUILD:  # that sanitizer keeps what was freed
            assert most - before < 15000, (before, most)
        s.close()


def who_does_not_read_stops_it():
    with Rig() as rig:
        addresses = [f"user{i}@d{i % 50}.test" for i in range(200000)]
        rig.rows("\n".join(addresses[:1000]))
        s = rig.dial("\n".join(addresses).encode())
        before = rig.rss()
        until("another is served meanwhile", lambda: len(rig.rows("\n".join(addresses[:100]))) == 100)
        got, count, rest = 0, 0, b""
        while b"\r\n0\r\n\r\n" not in rest:
            piece = s.recv(1 << 16)
            assert piece, "cut"
            count += piece.count(b'"given"')
            rest = rest[-16:] + piece
            got += len(piece)
        assert abs(count - len(addresses)) < len(addresses) // 100, count  # some lie across two pieces
        if "address" not in BUILD:  # that sanitizer keeps what was freed
            assert rig.rss() - before < 30000, (before, rig.rss())  # 30 MB; the answer has more than 60
        assert got > 50e6, got
        s.close()


def whoever_goes_ends_it():
    with Rig() as rig:
        addresses = "\n".join(f"user{i}@d{i % 50}.test" for i in range(100000)).encode()
        for _ in range(12):  # more than may be under way at once
            s = rig.dial(addresses)
            s.recv(100)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            s.close()
            until("it is over", lambda: rig.post("a@client.asia")[0] == 200)
        stuck = []

        def is_full():
            code = rig.post("a@client.asia")[0]
            stuck.append(rig.dial(addresses))
            return code == 429
        until("no more at once", is_full)
        assert len(stuck) < 100, len(stuck)
        rig.daemon.stop()  # with lists under way
        for s in stuck:
            s.close()
        rig.daemon.start()


if __name__ == "__main__":
    sys.exit(suite.run([forms_and_same_answers, suppressed, answers_before_the_list_is_done,
                        answers_while_the_list_still_comes, a_list_without_end,
                        who_does_not_read_stops_it, whoever_goes_ends_it]))
