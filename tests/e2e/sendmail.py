#!/usr/bin/env python3
"""mailtide sendmail: what cron, PHP and nodemailer call, with the options that they use."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from house import House
from mailtide import BUILD
from npm import node_modules

MAILTIDE = os.path.join(BUILD, "mailtide")
EX_USAGE, EX_DATAERR, EX_UNAVAILABLE, EX_TEMPFAIL, EX_NOPERM = 64, 65, 69, 75, 77
house = None


def environment(door=None):
    door = door or f"127.0.0.1:{house.daemon.smtp_port}"
    return {**os.environ, "MAILTIDE_SMTP": door, "MAILTIDE_SOCKET": house.scratch / "status.sock"}


def sendmail(message, *options, door=None, program=(MAILTIDE, "sendmail")):
    """Exit code, standard output and standard error."""
    done = subprocess.run([*program, *options], input=message.encode(), capture_output=True, timeout=60,
                          env=environment(door))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def takes_recipients_from_header():
    letter = ("From: Ann <ann@app.test>\nTo: \"B, Bob\" <b@client.asia>\nCc: c@client.asia\n"
              "Bcc: d@client.asia\nSubject: tok-header-1\n\nhello\n.\nnot any more\n")
    assert sendmail(letter, "-t", "-f", "bounce@app.test") == (0, "", "")
    mails = house.arrived("tok-header-1")
    assert [m.recipient for m in mails] == ["b@client.asia", "c@client.asia", "d@client.asia"]
    for mail in mails:
        assert mail.sender == "bounce@app.test"
        assert mail.text() == "hello\n", mail.text()
        assert mail.message["Bcc"] is None and str(mail.message["From"]) == "Ann <ann@app.test>"


def adds_recipients_of_the_command_line():
    letter = "From: ann@app.test\nTo: a@client.asia\nSubject: tok-both-1\n\nhello\n"
    assert sendmail(letter, "-fann@app.test", "-t", "z@client.asia, Why <y@client.asia>")[0] == 0
    assert [m.recipient for m in house.arrived("tok-both-1")] == ["a@client.asia", "y@client.asia", "z@client.asia"]


def keeps_lone_dots():
    letter = "From: ann@app.test\nSubject: tok-dots-1\n\none\n.\n..\ntwo\n"
    for option in ("-i", "-oi"):
        assert sendmail(letter, option, "-f", "ann@app.test", "a@client.asia")[0] == 0
    mails = house.arrived("tok-dots-1")
    assert [m.text() for m in mails] == ["one\n.\n..\ntwo\n"] * 2


def gives_a_from():
    assert sendmail("Subject: tok-from-1\n\nhi\n", "-F", "Cron Dæmon", "-f", "cron@app.test", "a@client.asia")[0] == 0
    assert str(house.one("tok-from-1").message["From"]) == "Cron Dæmon <cron@app.test>"


def takes_what_other_programs_say():
    letter = "From: ann@app.test\nSubject: tok-flags-1\n\nhi\n"
    options = ("-bm", "-oem", "-odi", "-oee", "-B8BITMIME", "-q30m", "-v", "-x", "-O", "DeliveryMode=b",
               "-N", "never", "-R", "hdrs", "-V", "env1", "-r", "ann@app.test", "-L", "label", "--")
    assert sendmail(letter, *options, "a@client.asia") == (0, "", "")
    house.one("tok-flags-1")


def speaks_smtp():
    said = ("EHLO me\r\nMAIL FROM:<n@app.test>\r\nRCPT TO:<a@client.asia>\r\nDATA\r\n"
            "Subject: tok-bs-1\r\n\r\nhi\r\n.\r\nQUIT\r\n")
    code, out, err = sendmail(said, "-bs")
    assert (code, err) == (0, "") and "250 2.0.0 Ok: queued as" in out and out.endswith("Bye\r\n"), out
    house.one("tok-bs-1")


def is_sendmail_and_mailq_by_name():
    for name, options in (("sendmail", ("-f", "n@app.test", "a@client.asia")), ("mailq", ())):
        house.daemon.wait_idle()
        link = house.scratch / name
        os.symlink(MAILTIDE, link)
        code, out, err = sendmail("From: n@app.test\nSubject: tok-link-1\n\nhi\n", *options, program=(link,))
        assert (code, err) == (0, ""), err
        os.unlink(link)
    assert "Nothing is waiting" in out, out
    house.one("tok-link-1")


def says_what_is_wrong():
    fine = "Subject: x\n\nhi\n"
    for letter, options, code, words in (
            (fine, (), EX_USAGE, "want a recipient"),
            (fine, ("-t",), EX_DATAERR, "names nobody in To, Cc or Bcc"),
            (fine, ("-Z", "a@client.asia"), EX_USAGE, "there is no option -Z"),
            (fine, ("-bx", "a@client.asia"), EX_USAGE, "want -bm, -bs, -bp or -bi"),
            (fine, ("-f",), EX_USAGE, "-f wants a value"),
            (fine, ("-f", "n@app.test", "a b@@c"), EX_UNAVAILABLE, "a b@@c"),
            (fine, ("-f", "n@other.test", "a@client.asia"), EX_UNAVAILABLE, "other.test"),
            ("Subj: a\0b\n\nhi\n", ("-f", "n@app.test", "a@client.asia"), EX_DATAERR, "NUL")):
        got, _, said = sendmail(letter, *options)
        assert got == code and words in said, (options, got, said)


def tells_a_caller_to_try_again():
    door = f"unix:{house.scratch / 'nobody.sock'}"
    code, _, said = sendmail("Subject: x\n\nhi\n", "a@client.asia", door=door)
    assert code == EX_TEMPFAIL and "cannot reach the daemon" in said, said


def logs_in():
    port = house.daemon.smtp_port
    letter = "From: n@shop.test\nSubject: tok-login-1\n\nhi\n"
    assert sendmail(letter, "-f", "n@shop.test", "a@client.asia", door=f"shop:pass word@127.0.0.1:{port}")[0] == 0
    assert house.one("tok-login-1").sender == "n@shop.test"
    code, _, said = sendmail(letter, "-f", "n@shop.test", "a@client.asia", door=f"shop:wrong@127.0.0.1:{port}")
    assert code == EX_NOPERM and "535 5.7.8" in said, (code, said)


def php_mail():
    if not shutil.which("php"):
        raise suite.Skip("php is not installed")
    code = 'exit(mail("a@client.asia", "tok-php-1", "hello\\n", "From: n@app.test", "-fn@app.test") ? 0 : 1);'
    subprocess.run(["php", "-d", f"sendmail_path={MAILTIDE} sendmail -t -i", "-r", code], check=True, timeout=60,
                   env=environment())
    assert house.one("tok-php-1").text().rstrip("\n") == "hello"


def nodemailer_sendmail():
    code = """
        const mail = require('nodemailer').createTransport({sendmail: true, newline: 'unix', path: process.argv[1]});
        mail.sendMail({from: 'n@app.test', to: 'a@client.asia', subject: 'tok-node-1', text: 'Grüße\\n.\\n'})
            .then(() => process.exit(0), why => { console.error(why); process.exit(1); });
    """
    link = house.scratch / "sendmail"
    os.symlink(MAILTIDE, link)
    modules = node_modules()
    subprocess.run(["node", "-e", code, link], check=True, timeout=60, cwd=os.path.dirname(modules),
                   env={**environment(), "NODE_PATH": modules})
    os.unlink(link)
    assert house.one("tok-node-1").text() == "Grüße\n.\n"


def main():
    global house
    tests = [takes_recipients_from_header, adds_recipients_of_the_command_line, keeps_lone_dots, gives_a_from,
             takes_what_other_programs_say, speaks_smtp, is_sendmail_and_mailq_by_name, says_what_is_wrong,
             tells_a_caller_to_try_again, logs_in, php_mail, nodemailer_sendmail]
    with House() as house:
        return suite.run(tests)


if __name__ == "__main__":
    sys.exit(main())
