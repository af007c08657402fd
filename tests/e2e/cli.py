#!/usr/bin/env python3
"""mailtide, the command line, against a daemon whose only account refuses every connection: what
people read, what scripts read, and the exit codes."""
import datetime
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from fake_dns import FakeDns
from mailtide import BUILD, Daemon, Scratch, base_config, until

OK, NO, USAGE, UNREACHABLE, NOT_FOUND, NOT_PERMITTED = range(6)
CONFIG = """
dns: {{ servers = ["127.0.0.1:{dns}"]; }};
store: {{ free_min = "0"; }};
accounts: {{ esp: {{ host = "127.0.0.1"; port = {port}; tls = "none"; backoff_min = "1h"; }}; }};
applications: {{ app: {{ anonymous = true; senders = ["app.test"]; }}; }};
"""
PROVIDER = """
title = "Tencent QQ Mail";
mx = [".mx.slow.test"];
limits: {
  day: { scope = "recipient"; count = 10; window = "day"; zone = "Asia/Shanghai";
         source = "observed"; date = "2026-11-21"; confidence = "medium"; reference = "a test"; };
};
"""
PROGRAM = os.path.join(BUILD, "mailtide")
daemon = scratch = dns = None


def mailtide(*args, code=OK, stdin="", socket_path=None, env=None):
    """(what it printed, what it complained) of one run; `code` is wanted."""
    environment = {**os.environ, "MAILTIDE_SOCKET": socket_path or daemon.socket, "TZ": "Asia/Shanghai",
                   "MAILTIDE_SCHEDULES": scratch / "schedules", **(env or {})}
    done = subprocess.run([PROGRAM, *args], input=stdin, text=True, capture_output=True, timeout=60,
                          env=environment, cwd=scratch.path)
    assert done.returncode == code, \
        f"mailtide {args}: exit {done.returncode}, want {code}\n{done.stdout}{done.stderr}"
    assert "\033" not in done.stdout + done.stderr, f"colour into a pipe: {done.stdout!r}"
    if code != OK and code != NO:
        assert re.fullmatch(r"mailtide: [^\n]+\n", done.stderr), f"not one line: {done.stderr!r}"
    return done.stdout, done.stderr


def send(to, subject, *more):
    answer = json.loads(mailtide("--json", "send", "--from", "n@app.test", "--to", to, "--subject", subject,
                                 "--text", "hello", *more)[0])
    return [n["id"] for n in answer["notifications"]]


def held(id):
    return until("held", lambda: daemon.notification(id)["state"] == "held")


def status_tells():
    said, _ = mailtide("status")
    assert "notifications" in said and "accounts" in said and "esp" in said, said
    whole = json.loads(mailtide("status", "--json")[0])
    assert whole["accepting"] is True and whole["accounts"][0]["name"] == "esp"


def sent_and_queued():
    first = send("queue@client.asia", "One: größer 你好")[0]
    held(first)
    second = send("queue@client.asia", "Two")[0]
    held(second)
    said, _ = mailtide("queue", "-r", "queue@client.asia")
    lines = said.splitlines()
    assert len(lines) == 3 and first in lines[1] and second in lines[2], said
    assert "One: größer 你好" in said and "CST" in said and "cannot connect" in said, said
    assert "held until" not in said, f"the time has its own column: {said}"
    assert {l.index("held") for l in lines[1:]} == {lines[0].index("state")}, f"columns: {said}"
    assert mailtide("queue", "--domain", "nobody.test")[0] == "Nothing is waiting.\n"
    page = json.loads(mailtide("--json", "queue", "-n", "1", "-r", "queue@client.asia")[0])
    assert [n["id"] for n in page["notifications"]] == [first] and page["next"]
    story, _ = mailtide("why", first)  # the first of all: it was tried
    order = ["released", "attempt", "through esp, deferred", "account esp cannot take mail now"]
    assert [p for p in order if p not in story] == [], story
    assert "More is waiting" in mailtide("queue", "-n", "1", "-r", "queue@client.asia")[0]


def raw_message():
    message = ("From: App <n@app.test>\nTo: raw@client.asia\nCc: Copy <copy@client.asia>\n"
               "Bcc: hidden@client.asia\nSubject: Raw\n\nHello\n")
    answer = json.loads(mailtide("send", "-t", "--json", "--key", "raw-1", stdin=message)[0])
    people = [n["recipient"] for n in answer["notifications"]]
    assert people == ["raw@client.asia", "copy@client.asia", "hidden@client.asia"], people
    again = json.loads(mailtide("send", "-t", "--json", "--key", "raw-1", stdin=message)[0])
    assert all(n["duplicate"] for n in again["notifications"]), again
    said, _ = mailtide("send", "-t", "--key", "raw-1", stdin=message)
    assert said.count("it was handed in before") == 3, said
    _, said = mailtide("send", "-t", stdin="Subject: nobody\n\nHi\n", code=USAGE)
    assert "From" in said, said
    _, said = mailtide("send", "-t", stdin="From: n@app.test\n\nHi\n", code=USAGE)
    assert "no recipient" in said, said


def refused_at_the_door():
    _, said = mailtide("send", "--from", "n@app.test", "--to", "x@client.asia", code=USAGE)
    assert "--subject" in said, said
    args = ["--from", "n@app.test", "--to", "x@client.asia", "--subject", "s", "--text", "t"]
    _, said = mailtide("send", *args, "--stream", "notfy", code=NO)
    assert said == 'mailtide: stream: no stream is named "notfy", did you mean "notify"?\n', said
    args[1] = "n@other.test"
    _, said = mailtide("send", *args, code=NOT_PERMITTED)
    assert "other.test" in said, said


def why_tells_the_story():
    id = send("why@client.asia", "The story")[0]
    held(id)
    said, _ = mailtide("why", "why@client.asia")
    order = ["why@client.asia\n", "provider", "slow", "deliverable", "client.asia MX", "pending", id,
             "release", "because", "what happened", "by HTTP (", "while its account rests"]
    at = 0
    for part in order:
        found = said.find(part, at)
        assert found >= 0, f"no {part!r} after character {at} in:\n{said}"
        at = found + len(part)
    assert "UTC" not in said, f"times are local: {said}"
    by_id, _ = mailtide("why", id)
    assert "The story" in by_id, by_id
    whole = json.loads(mailtide("why", "--json", "why@client.asia")[0])
    assert whole["recipient"]["verdict"]["provider"] == "slow"
    mailtide("why", "nobody@client.asia", code=NOT_FOUND)
    mailtide("why", "0000000000001", code=NOT_FOUND)
    mailtide("why", "what?", code=USAGE)
    mailtide("why", "no at@sign@", code=USAGE)


def limits_tell():
    id = send("limits@client.asia", "Limits")[0]
    held(id)
    said, _ = mailtide("limits", "limits@client.asia")
    assert re.search(r"slow/day +limits@client\.asia +\d +10 +\d+ ", said), said
    assert "observed, 2026-11-21, medium confidence" in said and "CST" in said, said
    whole = json.loads(mailtide("limits", "--json", "limits@client.asia")[0])
    assert whole["limits"][0]["count"] == 10
    mailtide("limits")
    mailtide("limits", "stranger@client.asia", code=NOT_FOUND)


def cancelled():
    ids = [send("cancel@client.asia", f"c{i}")[0] for i in range(3)]
    for id in ids:
        held(id)
    assert mailtide("cancel", ids[0])[0] == "1 notification cancelled.\n"
    mailtide("cancel", ids[0], code=NO)
    assert mailtide("cancel", "cancel@client.asia")[0] == "2 notifications cancelled.\n"
    assert {daemon.notification(id)["state"] for id in ids} == {"cancelled"}
    assert "user root" in mailtide("why", ids[0])[0] or os.geteuid() != 0
    mailtide("cancel", "cancel@client.asia", code=NOT_FOUND)
    mailtide("cancel", "0000000000001", code=NOT_FOUND)


def released():
    """The only account rests: an operator cannot hurry it, and is told why."""
    id = send("release@client.asia", "Now!")[0]
    held(id)
    _, said = mailtide("release", id, code=NO)
    assert "cannot connect" in said and "UTC" not in said, said
    mailtide("release", "nobody@client.asia", code=NOT_FOUND)


def verified():
    config = daemon.config
    said, _ = mailtide("-c", config, "verify", "a@client.asia")
    assert said.startswith("a@client.asia  deliverable, at slow\n") and "client.asia MX" in said, said
    said, _ = mailtide("-c", config, "verify", "a@client.asia", "b@gone.test", "no address", code=NO)
    assert "b@gone.test  undeliverable" in said and "no address  not an address" in said, said
    rows = json.loads(mailtide("-c", config, "verify", "--json", "A@CLIENT.asia", "x", code=NO)[0])["addresses"]
    assert rows[0]["address"] == "A@client.asia" and rows[0]["verdict"] == "deliverable"
    assert rows[1]["address"] is None and rows[1]["verdict"] == "undeliverable"


def checked():
    said, _ = mailtide("check-config", "-c", daemon.config)
    assert said.startswith(f"{daemon.config}: good\n") and "esp: SMTP 127.0.0.1" in said, said
    changed, _ = mailtide("check-config", "-c", daemon.config, "-n")
    again = scratch.write("again.conf", changed)
    assert mailtide("check-config", "-c", again, "-n")[0] == changed
    default = scratch.write("default.conf", mailtide("check-config", "--print-default")[0])
    changed, _ = mailtide("check-config", "-c", default, "-n")
    assert [l for l in changed.splitlines() if not l.startswith("schedules = ")] == [], changed
    for text, wanted in [("smtp: { lisen = []; };", "wrong.conf:1: smtp.lisen"), ("smtp: {", "wrong.conf:"),
                         ('digest: { templates_dir = "/bad"; };', None),
                         ('providers: { slow: { limits: { day: { zone = "Asia/Shanghei"; }; }; }; };',
                          "Shanghei")]:
        wrong = scratch.write("wrong.conf", text)
        if wanted:
            _, said = mailtide("check-config", "-c", wrong, code=NO)
            assert wanted in said and len(said.splitlines()) == 1, said
    scratch.write("templates/digest.txt", "{{#items}}\n{{titel}}\n{{/items}}\n")
    wrong = scratch.write("wrong.conf", f'digest: {{ templates_dir = "{scratch / "templates"}"; }};')
    _, said = mailtide("check-config", "-c", wrong, code=NO)
    assert "digest.txt:2" in said and "titel" in said, said
    assert json.loads(mailtide("check-config", "--json", "-c", wrong, code=NO)[0])["good"] is False
    assert "==> digest.html <==" in mailtide("check-config", "--print-templates")[0]


def exit_codes():
    _, said = mailtide("status", socket_path="/nowhere/status.sock", code=UNREACHABLE)
    assert said.startswith("mailtide: no daemon at /nowhere/status.sock ($MAILTIDE_SOCKET): is mailtided running?")
    mailtide("-s", scratch / "none.sock", "status", code=UNREACHABLE)
    _, said = mailtide("-s", "/" + "x" * 200, "status", code=USAGE)
    assert "too long" in said, said
    left = scratch / "left.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(left)
    mailtide("-s", left, "queue", code=UNREACHABLE)
    _, said = mailtide("statsu", code=USAGE)
    assert "did you mean status?" in said, said
    mailtide(code=USAGE)
    mailtide("queue", "-n", "0", code=USAGE)
    assert mailtide("-c", daemon.config, "status", env={"MAILTIDE_SOCKET": ""})[0].startswith("mailtide ")
    if os.geteuid() == 0:
        os.chmod(scratch.path, 0o755)
        program = scratch / "mailtide"  # nobody may not reach into root's own folders
        shutil.copy(PROGRAM, program)
        for args in (["status"], ["cancel", "a@client.asia"]):
            done = subprocess.run([program, "-s", daemon.socket, *args], user=65534, group=65534, extra_groups=[],
                                  capture_output=True, text=True)
            assert done.returncode == NOT_PERMITTED, (done.returncode, done.stderr)
            assert "may not open" in done.stderr, done.stderr


def completes():
    bash, _ = mailtide("completion", "bash")
    subprocess.run(["bash", "-n"], input=bash, text=True, check=True)
    script = bash + '\nCOMP_WORDS=(mailtide qu); COMP_CWORD=1; _mailtide; echo "${COMPREPLY[@]}"\n' \
                    'COMP_WORDS=(mailtide -s /x queue --re); COMP_CWORD=4; _mailtide; echo "${COMPREPLY[@]}"\n'
    done = subprocess.run(["bash"], input=script, text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["queue", "--recipient"], done.stdout + done.stderr
    assert mailtide("completion", "zsh")[0].startswith("#compdef mailtide\n")
    mailtide("completion", "fish", code=USAGE)


def simulated():
    """Twenty days; each day at 10:00 twelve mails a minute apart, and one urgent in the evening."""
    lines = ["time,recipient,thread,priority"]
    for day in range(20):
        start = 1772409600 + day * 86400  # 08:00 in Shanghai
        lines += [f"{start + 7200 + 60 * i},ann@client.asia,t,watched" for i in range(12)]
        lines.append(f"{start + 36000},ann@client.asia,,urgent")
    log = "\n".join(lines) + "\n"
    args = ["simulate", "--zone", "Asia/Shanghai", "--quota", "3,20", "--warmup-days", "10"]
    first = json.loads(mailtide(*args, "--json", stdin=log)[0])
    assert first == json.loads(mailtide(*args, "--json", stdin=log)[0]), "the same again"
    for cell in first["quotas"]:
        assert cell["over"] == 0 and cell["notifications"] == 120 and cell["urgent"] == 10, cell
        assert cell["mails"] <= 10 * cell["quota"], cell
        assert {"mean_delay_min", "p95_delay_min", "urgent_held"} <= cell.keys(), cell
    tight, roomy = first["quotas"]
    assert tight["refused_if_sent_directly"] == 100 and roomy["refused_if_sent_directly"] == 0
    assert tight["mean_delay_min"] > roomy["mean_delay_min"]
    assert {"crps", "log_score", "q90_coverage", "pit_error"} <= first["forecast"].keys()
    report = scratch / "report.html"
    said, _ = mailtide(*args, "--html", report, stdin=log)
    assert all(p in said for p in ("quiet", "fluid", "even", "at-once", "hourly", "optimum")), said
    with open(report, encoding="utf-8") as f:
        page = f.read()
    assert page.count("<svg") == page.count("</svg>") == 6 and "http" not in page, page[:500]
    path = scratch.write("backwards.tsv", "200\tb\n100\ta\n")
    told = mailtide("simulate", "-t", path, "-w", "0", "-q", "3", "-p", "quiet", "--site-quota", "40,20",
                    "--provider-quota", "30", "--provider-percent", "50", "--single", "direct")[0]
    assert "all mailboxes together: 40, 20 mails a day through accounts, one behind the other" in told, told
    assert "the provider of 50 % of the mailboxes: 30 mails a day" in told, told
    mailtide("simulate", "-t", path, "-w", "0")
    for bad in (["-q", "0"], ["-q", "5,x"], ["-p", "best"], ["-w", "-1"], ["--hold-max", "4"]):
        mailtide("simulate", *bad, stdin=log, code=USAGE)
    assert "line 3" in mailtide("simulate", stdin="1,a\n2,b\nthree,c\n", code=NO)[1]
    assert "xz" in mailtide("simulate", "-t", scratch.write("no.tsv.xz", "plain"), code=NO)[1]


def learned():
    """What was sent before, from two kinds of logs; then what is to come."""
    now = datetime.datetime.fromisoformat(json.loads(mailtide("status", "--json")[0])["now"].replace("Z", "+00:00"))
    lines = ["processed,message_id,event,email"]
    for day in range(1, 40):
        for i in range(6):
            at = (now - datetime.timedelta(days=day)).strftime(f"%Y-%m-%d 0{i}:30:00")
            lines += [f"{at},m{day}-{i},{event},Zoe@client.asia" for event in ("processed", "delivered")]
    lines.append(f"{now:%Y-%m-%d} 00:00:00,m,processed,no address")
    log = "\n".join(lines) + "\n"
    said = mailtide("learn", "-", stdin=log)[0]
    assert "235 notifications for 2 recipients" in said and "The daemon has learnt it for 1 recip" in said, said
    assert "234 more lines" in said and "no mail addresses" in said, said
    again = json.loads(mailtide("learn", "-", "--json", stdin=log)[0])
    assert (again["recipients_taken"], again["recipients_known"], again["daemon"]) == (0, 1, True), again
    f = json.loads(mailtide("forecast", "Zoe@client.asia", "--json")[0])
    assert f["recipients"] == 1 and 0 <= f["expected"] < 20 and f["hours"], f
    totals = [h["total"] for h in f["hours"]]
    assert totals == sorted(totals) and abs(totals[-1] - f["expected"]) < 1e-6, totals
    assert all(h["bands"][0]["low"] <= h["median"] <= h["bands"][0]["high"] for h in f["hours"]), f
    said = mailtide("forecast", "Zoe@client.asia")[0]
    assert "more expected until" in said and "half of all cases" in said, said
    code, answer = daemon.http("PUT", "/v1/recipients/Zoe@client.asia/expected", {"count": 500})
    assert code == 200 and answer["expected"], answer
    assert json.loads(mailtide("forecast", "Zoe@client.asia", "--json")[0])["expected"] > f["expected"]
    code, answer = daemon.http("PUT", "/v1/expected", {"times": -3})
    assert code == 400 and answer["error"]["code"] == "bad_value", answer
    provider = json.loads(mailtide("forecast", "--provider", "slow", "--json")[0])
    assert {"recipients", "limits", "hours", "bands"} <= provider.keys(), provider
    mailtide("forecast", "--account", "nobody", code=NOT_FOUND)
    mailtide("forecast", "nobody@nowhere.test", code=NOT_FOUND)
    mailtide("forecast", code=USAGE)
    assert "line" in mailtide("learn", "-", stdin="time,email\nsoon,a@b.test\n", code=NO)[1]


def on_a_terminal(*args, keys=None):
    """What a terminal of 60 columns gets."""
    try:
        pid, fd = pty.fork()
    except OSError as why:  # a container without /dev/pts
        raise suite.Skip(f"no terminal is to be had: {why}")
    if pid == 0:
        env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        os.execve(PROGRAM, [PROGRAM, "-s", daemon.socket, *args], {**env, "TERM": "xterm", "COLUMNS": "60"})
    said, deadline = b"", time.monotonic() + 30
    while time.monotonic() < deadline:
        if keys and b"q ends it" in said:
            os.write(fd, keys)
            keys = None
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            piece = os.read(fd, 65536)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            break
        said += piece
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return code, said.decode()


def terminal():
    held(send("terminal@client.asia", "A long subject for a narrow terminal, to be cut")[0])
    code, said = on_a_terminal("why", "terminal@client.asia")
    assert code == OK and "\033[1m" in said, said
    plain = re.sub(r"\033\[\d+m", "", said).replace("\r", "")
    words = [l for l in plain.splitlines() if len(l) > 60 and " " in l.strip()]
    assert not [l for l in words if len(max(l.split(), key=len)) < 40], words
    code, said = on_a_terminal("top", keys=b"q")
    assert code == OK and "\033[H" in said, said


def main():
    global daemon, scratch, dns
    with Scratch() as scratch, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        scratch.write("schedules/providers/slow.conf", PROVIDER)
        os.makedirs(scratch / "schedules/accounts")
        dns = FakeDns({"client.asia": ["a.mx.slow.test"]})
        config = base_config(scratch, CONFIG.format(dns=dns.port, port=closed.getsockname()[1]))
        with Daemon(scratch, config) as daemon:
            return suite.run([status_tells, sent_and_queued, raw_message, refused_at_the_door, why_tells_the_story,
                              limits_tell, cancelled, released, verified, checked, exit_codes, completes, simulated, learned, terminal])


sys.exit(main())
