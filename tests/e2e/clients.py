#!/usr/bin/env python3
"""Real clients hand in mail as they do everywhere, and it arrives exactly once and unharmed."""
import base64
import json
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
from email.message import EmailMessage

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from house import CONFIG, House
from npm import node_modules

HERE = os.path.dirname(os.path.abspath(__file__))
BYTES = bytes(range(256)) * 20
house = None  # one daemon serves all the tests


def program(*command, fails=False, **more):
    """Its output; it has to succeed, or to fail when that is what is expected."""
    if not shutil.which(command[0]):
        raise suite.Skip(f"{command[0]} is not installed")
    done = subprocess.run(command, text=True, capture_output=True, timeout=60, **more)
    assert (done.returncode != 0) == fails, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def swaks(token, *options, sender="n@app.test", to="a@client.asia", fails=False):
    return program("swaks", "--server", f"127.0.0.1:{house.daemon.smtp_port}", "--from", sender, "--to", to,
                   "--header", f"Subject: {token}", "--body", f"{token} says hello", *options, fails=fails)


# -- swaks

def swaks_plain():
    said = swaks("tok-swaks-1")
    assert "250 2.0.0 Ok: queued as " in said, said
    mail = house.one("tok-swaks-1")
    assert (mail.recipient, mail.sender) == ("a@client.asia", "n@app.test")
    assert mail.text().strip() == "tok-swaks-1 says hello"


def swaks_auth():
    for kind in ("PLAIN", "LOGIN"):
        token = f"tok-auth{kind.lower()}-1"
        swaks(token, "--auth", kind, "--auth-user", "shop", "--auth-password", "pass word", sender="n@shop.test")
        assert house.one(token).sender == "n@shop.test"
        said = swaks(token, "--auth", kind, "--auth-user", "shop", "--auth-password", "wrong",
                     sender="n@shop.test", fails=True)
        assert "535 5.7.8" in said, said
        house.one(token)


def swaks_pipeline():
    people = "p1@client.asia,p2@client.asia,p3@client.asia"
    swaks("tok-pipe-1", "--pipeline", to=people)
    assert ",".join(m.recipient for m in house.arrived("tok-pipe-1")) == people


def swaks_starttls():
    if "TLS supported" not in program("swaks", "--support"):
        raise suite.Skip("swaks has no TLS (libnet-ssleay-perl)")
    said = swaks("tok-tls-1", "--tls", "--tls-verify", "--tls-ca-path", house.certificate, "--auth", "PLAIN",
                 "--auth-user", "shop", "--auth-password", "pass word", sender="n@shop.test")
    assert "TLS started" in said, said
    house.one("tok-tls-1")


# -- Python's smtplib

def letter(token, sender, to):
    m = EmailMessage()
    m["Subject"], m["From"], m["To"] = f"{token} Grüße, 你好", f"Ünïcode <{sender}>", ", ".join(to)
    m.set_content(f"{token}\n.begins with a dot\n..with two\nNot ASCII: äöü 🙂\n" + "x" * 2000 + "\n")
    m.add_alternative(f"<p>{token} <b>äöü</b></p>", subtype="html")
    m.add_attachment(BYTES, maintype="application", subtype="octet-stream", filename="ünï.bin")
    return m


def same_letter(sent, mail):
    """What the recipient sees is what was sent."""
    got = mail.message
    for name in ("Subject", "From", "To"):
        assert str(got[name]) == str(sent[name]), (got[name], sent[name])
    for kind in ("plain", "html"):
        assert got.get_body((kind,)).get_content() == sent.get_body((kind,)).get_content(), kind
    files = [(a.get_filename(), a.get_content()) for a in got.iter_attachments()]
    assert files == [(a.get_filename(), a.get_content()) for a in sent.iter_attachments()]
    assert got["Message-ID"] and got["Date"]


def smtplib_letter():
    people = ["ann@client.asia", "ben@client.asia", "cyd@client.asia"]
    sent = letter("tok-py-1", "n@app.test", people)
    with smtplib.SMTP("127.0.0.1", house.daemon.smtp_port, timeout=20) as client:
        assert client.send_message(sent) == {}
    mails = house.arrived("tok-py-1")
    assert [m.recipient for m in mails] == people
    for mail in mails:
        same_letter(sent, mail)


def smtplib_smtputf8():
    sent = letter("tok-utf8-1", "n@app.test", ["jörg@bücher.test"])
    with smtplib.SMTP("127.0.0.1", house.daemon.smtp_port, timeout=20) as client:
        assert client.send_message(sent) == {}
    mail = house.one("tok-utf8-1")
    assert mail.recipient.partition("@")[0] == "jörg", mail.recipient
    same_letter(sent, mail)


def smtplib_starttls_auth():
    sent = letter("tok-pytls-1", "n@shop.test", ["ann@client.asia"])
    with smtplib.SMTP("localhost", house.daemon.smtp_port, timeout=20) as client:
        client.starttls(context=ssl.create_default_context(cafile=house.certificate))
        client.login("shop", "pass word")
        assert client.send_message(sent) == {}
        again = letter("tok-pytls-2", "n@shop.test", ["ann@client.asia"])
        assert client.send_message(again) == {}  # on the same connection
    same_letter(sent, house.one("tok-pytls-1"))
    same_letter(again, house.one("tok-pytls-2"))


def tls_from_the_start():
    """As on port 465, which many applications are set to."""
    port = int(re.search(r"smtp=\S*tls:127\.0\.0\.1:0:(\d+)", house.daemon.logged("daemon.ready"))[1])
    sent = letter("tok-smtps-1", "n@shop.test", ["ann@client.asia"])
    trusted = ssl.create_default_context(cafile=house.certificate)
    with smtplib.SMTP_SSL("localhost", port, timeout=20, context=trusted) as client:
        client.login("shop", "pass word")
        assert "starttls" not in client.esmtp_features
        assert client.send_message(sent) == {}
    same_letter(sent, house.one("tok-smtps-1"))
    path = house.scratch.write("smtps.txt", "From: n@shop.test\nTo: a@client.asia\nSubject: tok-smtps-2\n\nx\n")
    program("curl", "-sS", f"smtps://localhost:{port}", "--cacert", house.certificate, "--user", "shop:pass word",
            "--mail-from", "n@shop.test", "--mail-rcpt", "a@client.asia", "-T", path)
    house.one("tok-smtps-2")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:  # who speaks in the clear is cut off
        s.sendall(b"EHLO me\r\n")
        try:
            while s.recv(100):
                pass
        except ConnectionResetError:
            pass


# -- curl

def curl_smtp():
    path = house.scratch.write("letter.txt", "From: n@app.test\nTo: a@client.asia\nSubject: tok-curl-1\n\n"
                               "bare LF ends these lines\n.\n.a dot alone above\n")
    program("curl", "-sS", f"smtp://127.0.0.1:{house.daemon.smtp_port}/me.test", "--mail-from", "n@app.test",
            "--mail-rcpt", "a@client.asia", "--mail-rcpt", "b@client.asia", "-T", path)
    mails = house.arrived("tok-curl-1")
    assert [m.recipient for m in mails] == ["a@client.asia", "b@client.asia"]
    text = mails[0].text().rstrip()  # curl ends the message with a line of its own
    assert text == "bare LF ends these lines\n.\n.a dot alone above", text


def curl_http():
    note = {"from": "Shop <n@shop.test>", "to": ["Ann <ann@client.asia>", "ben@client.asia"],
            "subject": "tok-http-1 Grüße", "text": "tok-http-1 äöü 🙂\n", "html": "<p>äöü</p>",
            "attachments": [{"filename": "ünï.bin", "content_type": "application/octet-stream",
                             "content": base64.b64encode(BYTES).decode()}]}
    path = house.scratch.write("note.json", json.dumps(note))
    url = f"http://127.0.0.1:{house.daemon.http_port}/v1/notifications"
    said = program("curl", "-sS", "-w", "\n%{http_code}", "-H", "Content-Type: application/json",
                   "-H", "Authorization: Bearer key-of-shop", "--data-binary", f"@{path}", url)
    body, code = said.rsplit("\n", 1)
    assert code == "202", said
    assert len(json.loads(body)["notifications"]) == 2, body
    mails = house.arrived("tok-http-1")
    assert [m.recipient for m in mails] == ["ann@client.asia", "ben@client.asia"]
    for mail in mails:
        assert str(mail.message["Subject"]) == note["subject"]
        assert mail.text() == note["text"]
        files = [(a.get_filename(), a.get_content()) for a in mail.message.iter_attachments()]
        assert files == [("ünï.bin", BYTES)]
    wrong = program("curl", "-sS", "-w", "\n%{http_code}", "-H", "Content-Type: application/json",
                    "-H", "Authorization: Bearer key-of-shoq", "--data-binary", f"@{path}", url)
    assert wrong.endswith("\n401"), wrong


# -- msmtp, nodemailer, a person at a keyboard

def msmtp():
    text = "From: n@app.test\nTo: a@client.asia\nBcc: secret@client.asia\nSubject: tok-msmtp-1\n\nhello\n"
    program("msmtp", "--host=127.0.0.1", f"--port={house.daemon.smtp_port}", "--from=n@app.test", "--auth=off",
            "--tls=off", "--remove-bcc-headers=off", "a@client.asia", "secret@client.asia", input=text)
    mails = house.arrived("tok-msmtp-1")
    assert [m.recipient for m in mails] == ["a@client.asia", "secret@client.asia"]
    assert not any(m.message["Bcc"] for m in mails), "Bcc is for nobody's eyes"


def nodemailer():
    said = program("node", os.path.join(HERE, "lib/nodemailer.js"), str(house.daemon.smtp_port), house.certificate,
                   env={**os.environ, "NODE_PATH": node_modules()})
    told = json.loads(said[said.index("{"):])
    assert told["rejected"] == [] and len(told["accepted"]) == 3, told
    assert told["wrong"] == 535 and told["pooled"] == 30, told
    mails = house.arrived("tok-node-1")
    assert len(mails) == 3, [m.recipient for m in mails]
    for mail in mails:
        assert str(mail.message["Subject"]) == "tok-node-1 Grüße 你好"
        assert mail.text() == "tok-node-1\n.a line that begins with a dot\n", mail.text()
        assert [a.get_content() for a in mail.message.iter_attachments()] == [bytes(range(256))]
    for i in range(30):
        assert len(house.arrived(f"tok-pool-{i}")) == 1, i


def by_hand():
    """Lower case, blanks, mistakes, one byte at a time, and no QUIT."""
    with socket.create_connection(("127.0.0.1", house.daemon.smtp_port), timeout=20) as s:
        lines = s.makefile("rb")

        def say(text):
            for byte in text.encode():
                s.sendall(bytes([byte]))

        def expect(code):
            line = lines.readline()
            while line[3:4] == b"-":
                line = lines.readline()
            assert line.startswith(code.encode()), (code, line)

        expect("220")
        for said, code in (("helo me", "250"), ("hlep", "500"), ("rcpt to:<a@client.asia>", "503"),
                           ("ehlo me", "250"), ("noop", "250"), ("mail from: <n@app.test>", "250"),
                           ("rcpt to:<a@client.asia>", "250"), ("rset", "250"), ("data", "503"),
                           ("MAIL from:<n@app.test> size=20", "250"), ("Rcpt To:<a@client.asia>", "250"),
                           ("data", "354")):
            say(said + "\r\n")
            expect(code)
        say("Subject: tok-hand-1\r\n\r\n..stuffed\r\n.\r\n")
        expect("250")
    mail = house.one("tok-hand-1")
    assert mail.text() == ".stuffed\n", mail.text()
    assert str(mail.message["From"]) == "n@app.test", "a message without From gets its sender's"


def main():
    global house
    tests = [swaks_plain, swaks_auth, swaks_pipeline, swaks_starttls, smtplib_letter, smtplib_smtputf8,
             smtplib_starttls_auth, tls_from_the_start, curl_smtp, curl_http, msmtp, nodemailer, by_hand]
    with House(CONFIG.replace("tls: {{", 'tls: {{ listen = ["127.0.0.1:0"];', 1)) as house:
        return suite.run(tests)


if __name__ == "__main__":
    sys.exit(main())
