#!/usr/bin/env python3
"""mailtide check-sender against a real name server (nsd), with a message that is signed here, by a
canonicalization of its own and the openssl program."""
import base64
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from mailtide import BUILD, ROOT, Scratch, until

PROGRAM = os.path.join(BUILD, "mailtide")
GOOD, BAD, USAGE = 0, 1, 2
ZONE = """$ORIGIN test.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
good MX 5 mail.good
good TXT "v=spf1 include:spf.esp.test " "ip4:192.0.2.1 -all"
spf.esp TXT "v=spf1 ip4:203.0.113.0/24 -all"
esp A 203.0.113.1
s1._domainkey.good CNAME good.dkim.esp
good.dkim.esp TXT {key}
own.good TXT "v=spf1 include:spf.esp.test ip4:192.0.2.1 ~all"
em.good CNAME u7.wl.esp
u7.wl.esp TXT "v=spf1 ip4:203.0.113.7 -all"
s2._domainkey.good CNAME gone.dkim.esp
_dmarc.good TXT "v=DMARC1; p=quarantine; sp=reject; rua=mailto:d@good.test"
mail.good A 192.0.2.1
mail.good AAAA 2606:4700::1
bare A 192.0.2.9
many TXT "v=spf1 include:a.many.test include:b.many.test ~all"
2.0.0.127.list A 127.0.0.2
9.2.0.192.list A 127.0.0.2
9.2.0.192.list TXT "see https://list.test/9"
2.0.0.127.public A 127.255.255.254
"""
REVERSE = """$ORIGIN 2.0.192.in-addr.arpa.
$TTL 300
@ SOA ns.test. hostmaster.test. 1 3600 600 86400 60
@ NS ns.test.
1 PTR mail.good.test.
9 PTR mail.good.test.
"""
NSD = """server:
 server-count: 1
 ip-address: 127.0.0.1@{port}
 zonesdir: "{dir}"
 pidfile: ""
 username: ""
 database: ""
 xfrdfile: "{dir}/xfrd"
 xfrdir: "{dir}"
 zonelistfile: "{dir}/list"
 logfile: "{dir}/log"
 rrl-ratelimit: 0
remote-control:
 control-enable: no
zone:
 name: test
 zonefile: test.zone
zone:
 name: 2.0.192.in-addr.arpa
 zonefile: reverse.zone
"""
LISTS = """zones: {
  list: { title = "The List"; zone = "list.test"; addresses = true; codes = ["127.0.0.2 a spam source"];
          delist = "https://list.test/out"; reference = "a test"; date = "2026-11-21"; };
  public: { title = "Deaf List"; zone = "public.test"; addresses = true; codes = ["127.0.0.2 bad"];
            delist = "https://public.test/"; reference = "a test"; date = "2026-11-21"; };
};
"""
CONFIG = """dns: {{ servers = ["127.0.0.1:{port}"]; }};
accounts: {{ smart: {{ type = "smtp"; host = "smart.test"; profile = "esp"; mail_from = "own.{{domain}}";
                      selectors = ["s1"]; ips = ["192.0.2.1"]; }}; }};
"""
ACCOUNT = 'title = "The ESP";\nspf = ["spf.esp.test"];\nselectors = ["s1"];\n'
FIELDS = [("From", "Ann <ann@good.test>"), ("To", "bob@example.net"), ("Subject", "a  subject\r\n folded"),
          ("List-Unsubscribe", "<https://good.test/u?1>"),
          ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]
BODY = "Hello,  Bob \r\n\r\nthis is it.\r\n\r\n\r\n"
scratch = None


def openssl(*args, data=b""):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


def relaxed(name, value):
    return name.lower() + ":" + re.sub(r"[ \t\r\n]+", " ", value).strip()


def signed(fields, body, tags):
    """A message with a DKIM signature over all of its fields, relaxed/relaxed."""
    canonical = "".join(re.sub(r"[ \t]+", " ", line).rstrip(" ") + "\r\n" for line in body.split("\r\n"))
    canonical = re.sub(r"(\r\n)+$", "\r\n", canonical)
    names = ":".join(name for name, _ in fields)
    value = f"v=1; a=rsa-sha256; c=relaxed/relaxed; {tags}; h={names};\r\n bh=" + \
        base64.b64encode(hashlib.sha256(canonical.encode()).digest()).decode() + ";\r\n b="
    lines = [relaxed(*f) + "\r\n" for f in fields] + [relaxed("DKIM-Signature", value)]
    raw = openssl("dgst", "-sha256", "-sign", scratch / "key.pem", data="".join(lines).encode())
    b = base64.b64encode(raw).decode()
    folded = "\r\n  ".join(b[i:i + 60] for i in range(0, len(b), 60))
    return "DKIM-Signature: " + value + folded + "\r\n" + \
        "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n" + body


def message(text):
    path = scratch / "message.eml"
    with open(path, "w", newline="", encoding="utf-8") as f:
        f.write(text)
    return path


def run(*args, code):
    done = subprocess.run([PROGRAM, "-c", scratch / "mailtide.conf", "check-sender", *args], text=True,
                          capture_output=True, timeout=60, cwd=scratch.path,
                          env={**os.environ, "MAILTIDE_SCHEDULES": scratch / "schedules"})
    assert done.returncode == code, f"{args}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if code != USAGE else done.stderr


def report(*args, code):
    """check: (state, the whole check) of one run with --json."""
    doc = json.loads(run("--json", *args, code=code))
    assert (doc["state"] in ("good", "note")) == (code == GOOD), doc
    return {c["check"]: c for c in doc["checks"]}


def states(checks):
    return {name: c["state"] for name, c in checks.items()}


def all_is_well():
    mail = message(signed(FIELDS, BODY, "d=good.test; s=s1"))
    checks = report("good.test", "--account", "esp", "--ip", "192.0.2.1", "--message", mail, "--bulk", code=GOOD)
    lists = checks.pop("block lists")
    assert states(checks) == {name: "good" for name in (
        "SPF of good.test", "SPF of 192.0.2.1", "DKIM key s1._domainkey.good.test",
        "DKIM signature of good.test by s1", "DMARC of good.test", "DMARC alignment", "PTR of 192.0.2.1", "mail to good.test",
        "one-click unsubscribe")}, checks
    assert lists["state"] == "note" and "Deaf List" in lists["evidence"][0], lists
    assert "127.255.255.x" in lists["evidence"][0], lists
    assert "treat it as spam" in checks["DMARC of good.test"]["finding"]
    text = run("good.test", "--account", "esp", "--no-lists", code=GOOD)
    assert text.startswith("good.test through The ESP: good\n"), text


def a_spoilt_message():
    mail = signed(FIELDS, BODY, "d=good.test; s=s1")
    for old, new, why in (("this is it", "this is not it", "the body was changed"),
                          ("ann@good", "eve@good", "a signed header field was changed"),
                          ("s=s1", "s=s2", None)):
        checks = report("good.test", "--message", message(mail.replace(old, new)), "--no-lists", code=BAD)
        signature = next(c for name, c in checks.items() if name.startswith("DKIM signature"))
        assert signature["state"] == "bad", signature
        assert why is None or why in signature["finding"], signature
        assert any(line.startswith("Gmail") for line in signature["consequences"]), signature
    key = checks["DKIM key s2._domainkey.good.test"]
    assert "CNAME leads to gone.dkim.esp.test" in key["finding"], key
    unsigned = "".join(f"{n}: {v}\r\n" for n, v in FIELDS) + "\r\n" + BODY
    checks = report("good.test", "--message", message(unsigned), "--no-lists", "--bulk", code=BAD)
    assert checks["DKIM signature"]["finding"] == "The message is not signed.", checks
    assert "no valid DKIM signature" in checks["one-click unsubscribe"]["finding"], checks


def somebody_elses_signature():
    """A mailing list's broken signature is no fault of the sender's."""
    mail = signed(FIELDS, BODY, "d=good.test; s=s1")
    other = signed(FIELDS, BODY + "more\r\n", "d=esp.test; s=gone").split("\r\nFrom:")[0] + "\r\n"
    checks = report("good.test", "--message", message(other + mail), "--no-lists", code=GOOD)
    assert checks["DKIM signature of esp.test by gone"]["state"] == "note", checks
    assert checks["DKIM signature of good.test by s1"]["state"] == "good", checks


def nothing_published():
    checks = report("bare.test", "--account", "esp", "--ip", "192.0.2.9", code=BAD)
    assert checks["SPF of bare.test"]["publish"] == \
        ['bare.test. TXT "v=spf1 include:spf.esp.test ip4:192.0.2.9 ~all"'], checks
    assert checks["DMARC of bare.test"]["publish"] == \
        ['_dmarc.bare.test. TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@bare.test"'], checks
    assert checks["PTR of 192.0.2.9"]["publish"] == ["mail.good.test. A 192.0.2.9"], checks
    assert checks["authentication"]["state"] == "bad", checks
    listed = checks["192.0.2.9 at The List"]
    assert listed["finding"] == "Listed: a spam source. Removal: https://list.test/out", listed
    assert listed["evidence"] == ["see https://list.test/9"], listed
    text = run("bare.test", "--ip", "192.0.2.9", "--no-lists", code=BAD)
    assert "publish:\n             bare.test. TXT \"v=spf1 ip4:192.0.2.9 ~all\"\n" in text, text
    assert " bare.test. TXT" not in run("bare.test", "--no-lists", code=BAD), "a record that lets nobody send"


def a_broken_record():
    checks = report("many.test", "--selector", "x", "--no-lists", "--psl", code=BAD)
    spf = checks["SPF of many.test"]
    assert spf["finding"] == \
        "Receivers cannot read it: include:a.many.test: there is no SPF record.", spf
    assert spf["evidence"] == ["many.test TXT v=spf1 include:a.many.test include:b.many.test ~all"], spf


def an_account_of_the_configuration():
    """What stands at the account counts: its envelope domain, addresses and selectors; options count more."""
    checks = report("good.test", "--account", "smart", "--no-lists", code=GOOD)
    assert states(checks) == {name: "good" for name in (
        "SPF of own.good.test", "SPF of 192.0.2.1", "PTR of 192.0.2.1", "DKIM key s1._domainkey.good.test",
        "DMARC of good.test", "DMARC alignment", "mail to good.test")}, states(checks)
    assert "and with SPF too" in checks["DMARC alignment"]["finding"], checks
    checks = report("good.test", "--account", "smart", "--mail-from", "em.good.test", "--ip", "192.0.2.9",
                    "--selector", "s2", "--no-lists", code=BAD)
    spf = checks["SPF of em.good.test"]
    assert spf["state"] == "good", spf  # the ESP keeps it, behind a CNAME: nothing to include
    assert checks["SPF of 192.0.2.9"]["publish"] == [], checks
    assert "DKIM key s2._domainkey.good.test" in checks and "DKIM key s1._domainkey.good.test" not in checks


def mistakes():
    for args, why in ((["no..domain"], "no..domain"), (["good.test", "--ip", "1.2.3"], "--ip"),
                      (["good.test", "--account", "nobody"], "--account"),
                      (["good.test", "--message", "/nonexistent"], "--message")):
        said = run(*args, code=USAGE)
        assert re.fullmatch(r"mailtide: [^\n]+\n", said) and why in said, said


def start_nsd(port):
    key = openssl("pkey", "-in", scratch / "key.pem", "-pubout", "-outform", "DER")
    record = "v=DKIM1; k=rsa; p=" + base64.b64encode(key).decode()
    strings = " ".join(f'"{record[i:i + 200]}"' for i in range(0, len(record), 200))
    scratch.write("test.zone", ZONE.format(key=strings))
    scratch.write("reverse.zone", REVERSE)
    conf = scratch.write("nsd.conf", NSD.format(port=port, dir=scratch.path))
    return subprocess.Popen([nsd, "-d", "-c", conf])


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def main():
    global scratch
    with Scratch() as scratch:
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", scratch / "key.pem")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        scratch.write("mailtide.conf", CONFIG.format(port=port))
        scratch.write("schedules/accounts/esp.conf", ACCOUNT)
        scratch.write("schedules/dnsbl.conf", LISTS)
        shutil.copy(os.path.join(ROOT, "schedules/demands.conf"), scratch / "schedules/demands.conf")
        server = start_nsd(port)
        try:
            until("nsd listens", lambda: answers(port))
            return suite.run([all_is_well, a_spoilt_message, somebody_elses_signature, nothing_published, a_broken_record,
                              an_account_of_the_configuration, mistakes])
        finally:
            server.terminate()
            server.wait()


nsd = shutil.which("nsd", path=os.environ["PATH"] + ":/usr/sbin")
if nsd is None:
    print("SKIPPED: check-sender against a real server: nsd is not installed")
    sys.exit(0)
sys.exit(main())
