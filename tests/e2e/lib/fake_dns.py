"""An authoritative name server for a handful of domains, over UDP: MX, A and TXT, no more.

It knows nothing of mailtide's own DNS code, so it cannot share its mistakes.
"""
import socket
import struct
import threading

A, MX, TXT, NXDOMAIN, SERVFAIL = 1, 15, 16, 3, 2


def _name(name):
    return b"".join(bytes([len(l)]) + l for l in name.encode().split(b".") if l) + b"\0"


class FakeDns:
    """mx: {domain: [hosts]}; each host has one address. `failing`: domains answered SERVFAIL. txt:
    {name: text}. All may be changed while it serves."""

    def __init__(self, mx, failing=(), txt=None):
        self.mx, self.failing, self.txt = mx, set(failing), dict(txt or {})
        self.hosts = {h for hosts in mx.values() for h in hosts}
        self.queries = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self._answer(query), peer)
            except OSError:
                return

    def _answer(self, query):
        self.queries += 1
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]])
            at += 1 + query[at]
        question = query[12:at + 5]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        name = b".".join(labels).decode().lower()
        code, records = self._records(name, kind)
        head = query[:2] + struct.pack(">HHHHH", 0x8400 | code, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 300, len(r)) + r for r in records)
        return head + question + body

    def _records(self, name, kind):
        if name in self.failing:
            return SERVFAIL, []
        if name == "":
            return 0, []  # the root, asked for by who wants to know whether this is the DNS at all
        if name not in self.mx and name not in self.hosts and name not in self.txt:
            return NXDOMAIN, []
        if kind == MX and name in self.mx:
            return 0, [struct.pack(">H", 10 * i) + _name(h) for i, h in enumerate(self.mx[name])]
        if kind == A and name in self.hosts:
            return 0, [bytes([20, 1, 2, 3])]
        if kind == TXT and name in self.txt:
            text = self.txt[name].encode()
            pieces = [text[i:i + 255] for i in range(0, len(text), 255)]
            return 0, [b"".join(bytes([len(p)]) + p for p in pieces)]
        return 0, []
