#!/usr/bin/env python3
"""The ESPs' own SDKs, unmodified but for their base URL, hand in mail to mailtide: what they promise
arrives exactly once and unharmed, and what is refused is raised as their own errors."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from house import CONFIG, House
from npm import node_modules
from told import told

HERE = os.path.dirname(os.path.abspath(__file__))
BYTES = bytes(range(256))
PNG = bytes.fromhex("89504e470d0a1a0a")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
EVERYBODY = ["ann@client.asia", "ben@client.asia", "cyd@client.asia", "dan@client.asia"]
house = None  # one daemon serves all the tests


def told_by(client, port=None):
    """What the SDK gave back."""
    if not shutil.which("node"):
        raise suite.Skip("node is not installed")
    done = subprocess.run(["node", os.path.join(HERE, "lib/esp.js"), client, f"http://127.0.0.1:{port or house.daemon.http_port}"],
                          text=True, capture_output=True, timeout=120,
                          env={**os.environ, "NODE_PATH": node_modules(), "NODE_NO_WARNINGS": "1"})
    assert done.returncode == 0, f"{client}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout)


def whole_letter(token, files=(("ünï.bin", BYTES),), inline=True, own_header=True):
    """The letter of esp.js arrived with all four recipients, nothing lost and nobody told of Bcc."""
    mails = house.arrived(token)
    assert [m.recipient for m in mails] == EVERYBODY, [m.recipient for m in mails]
    for mail in mails:
        got = mail.message
        assert str(got["Subject"]) == f"{token} Grüße 你好", got["Subject"]
        assert [(a.display_name, a.addr_spec) for a in got["From"].addresses] == [("Ünïcode", "n@shop.test")]
        assert [(a.display_name, a.addr_spec) for a in got["To"].addresses] == [
            ("Ann, B.", "ann@client.asia"), ("", "ben@client.asia")]
        assert [a.addr_spec for a in got["Cc"].addresses] == ["cyd@client.asia"]
        assert [a.addr_spec for a in got["Reply-To"].addresses] == ["r@shop.test"]
        assert got["Bcc"] is None and got["Message-ID"] and got["Date"]
        assert (got["X-A"] == "b") == own_header
        assert mail.text() == f"{token}\n.begins with a dot\näöü 🙂\n", mail.text()
        html = got.get_body(("html",)).get_content()
        assert html.strip() == f'<p>{token} äöü <img src="cid:logo"></p>', html
        assert [(a.get_filename(), a.get_content()) for a in got.iter_attachments()
                if a.get_content_disposition() == "attachment"] == list(files)
        shown = [p for p in got.walk() if p.get_content_disposition() == "inline"]
        assert [(p["Content-ID"], p.get_content()) for p in shown] == ([("<logo>", PNG)] if inline else [])


def personal(token, name="name"):
    """Each got a mail of his own, filled in, and saw nobody else's address."""
    mails = house.arrived(token)
    assert [m.recipient for m in mails] == ["m1@client.asia", "m2@client.asia"]
    for mail in mails:
        assert [a.addr_spec for a in mail.message["To"].addresses] == [mail.recipient]
    return [(str(m.message["Subject"]), m.text().strip()) for m in mails]


def nobody(token):
    assert house.arrived(token) == [], f"{token} arrived all the same"


def sendgrid():
    told = told_by("sendgrid")
    assert told["status"] == 202 and told["id"], told
    assert told["sandbox"] == 200, told
    kind, code, error = told["wrong"]
    assert (kind, code) == ("ResponseError", 401) and "authorization grant is invalid" in error["message"], told
    kind, code, error = told["bad"]
    assert (kind, code, error["field"]) == ("ResponseError", 400, "personalizations.0.to.0.email"), told
    assert told["sender"][1] == 403 and told["sender"][2]["field"] == "from", told
    assert told["template"][1] == 400 and told["template"][2]["field"] == "template_id", told
    whole_letter("tok-sg-1")
    assert personal("tok-sg-2") == [("tok-sg-2 Äda", "hello Äda")] * 2
    assert len(house.arrived("tok-sg-3")) == 3
    nobody("tok-sg-no")


def postmark():
    told = told_by("postmark")
    sent = told["sent"]
    assert (sent["ErrorCode"], sent["Message"]) == (0, "OK") and UUID.match(sent["MessageID"]), sent
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00$", sent["SubmittedAt"]), sent
    assert [item["ErrorCode"] for item in told["batch"]] == [0, 300, 0], told
    assert told["wrong"][:3] == ["InvalidAPIKeyError", 10, 401], told
    assert told["bad"][:3] == ["InvalidEmailRequestError", 300, 422], told
    assert told["sender"][1:3] == [400, 422], told
    assert told["template"][1:3] == [1101, 422], told
    whole_letter("tok-pm-1")
    assert [m.recipient for m in house.arrived("tok-pm-3")] == ["l1@client.asia", "l2@client.asia"]


def resend():
    told = told_by("resend")
    assert UUID.match(told["first"]["data"]["id"]) and told["first"]["error"] is None, told
    assert told["again"]["data"] == told["first"]["data"], told
    assert (told["other"]["statusCode"], told["other"]["name"]) == (409, "invalid_idempotent_request"), told
    assert len(told["batch"]["data"]["data"]) == 2, told
    got = told["got"]["data"]
    assert got["id"] == told["first"]["data"]["id"] and got["to"] == ["ann@client.asia"], got
    assert got["last_event"] in ("queued", "sent"), got
    assert (told["none"]["statusCode"], told["none"]["name"]) == (404, "not_found"), told
    assert (told["wrong"]["statusCode"], told["wrong"]["name"]) == (401, "invalid_api_key"), told
    for name in ("bad", "badBatch", "when"):
        assert (told[name]["statusCode"], told[name]["name"]) == (422, "validation_error"), told[name]
    assert told["sender"]["statusCode"] == 403, told
    whole_letter("tok-rs-1")
    assert [m.recipient for m in house.arrived("tok-rs-3")] == ["l1@client.asia", "l2@client.asia"]


def mailgun():
    told = told_by("mailgun")
    for name in ("sent", "personal", "mime", "tested"):
        assert told[name]["status"] == 200 and told[name]["message"] == "Queued. Thank you.", told[name]
        assert re.match(r"<[^@ ]+@shop\.test>$", told[name]["id"]), told[name]
    assert told["wrong"][0] == 401, told
    assert told["bad"] == [400, "to parameter is not a valid address. please check documentation"], told
    assert told["noFrom"] == [400, "from parameter is missing"], told
    assert told["sender"][0] == 403 and told["template"][0] == 400, told
    whole_letter("tok-mg-1")
    assert {m.message["Message-ID"] for m in house.arrived("tok-mg-1")} == {told["sent"]["id"]}
    assert personal("tok-mg-2") == [("tok-mg-2 Äda", "hello Äda of m1@client.asia"),
                                    ("tok-mg-2 Bob", "hello Bob of m2@client.asia")]
    mail = house.one("tok-mg-3")
    assert mail.recipient == "ann@client.asia" and mail.message["Bcc"] is None
    assert mail.message["Message-ID"] == told["mime"]["id"] and mail.text() == "bare LF\n"
    nobody("tok-mg-no")


def ses_v2():
    told = told_by("sesv2")
    assert UUID.match(told["sent"]["MessageId"]) and UUID.match(told["whole"]["MessageId"]), told
    assert [r["Status"] for r in told["bulk"]] == ["SUCCESS", "INVALID_PARAMETER", "SUCCESS"], told
    account = told["account"]  # intake_per_minute_max = 1000; 4 + 3 + 2 of this test are sent
    assert account["Max24HourSend"] == 1440000 and abs(account["MaxSendRate"] - 1000 / 60) < 0.01, account
    assert account["SentLast24Hours"] >= 9, account
    assert told["key"][:2] == ["UnrecognizedClientException", 403], told
    assert told["secret"][:2] == ["InvalidSignatureException", 403], told
    assert told["bad"][:2] == ["BadRequestException", 400], told
    assert told["sender"][:2] == ["MessageRejected", 400], told
    assert told["verify"][:2] == ["MessageRejected", 400], told
    assert told["template"][:2] == ["NotFoundException", 404], told
    whole_letter("tok-s2-1")
    assert personal("tok-s2-2") == [("tok-s2-2 Äda", "hello Äda in Köln"), ("tok-s2-2 you", "hello you in Köln")]
    mails = house.arrived("tok-s2-3")
    assert [m.recipient for m in mails] == ["ann@client.asia", "ben@client.asia", "secret@client.asia"]
    assert all(m.message["Bcc"] is None and m.text() == "bare LF\n" for m in mails)
    nobody("tok-s2-no")


def ses_v1():
    told = told_by("sesv1")
    assert UUID.match(told["sent"]["MessageId"]) and UUID.match(told["whole"]["MessageId"]), told
    assert told["quota"]["Max24HourSend"] == 1440000 and told["quota"]["SentLast24Hours"] >= 6, told
    assert told["key"][:2] == ["InvalidClientTokenId", 403], told
    assert told["secret"][:2] == ["SignatureDoesNotMatch", 403], told
    assert told["bad"][:2] == ["InvalidParameterValue", 400], told
    assert told["sender"][:2] == ["MessageRejected", 400], told
    assert told["template"][:2] in (["TemplateDoesNotExist", 400], ["TemplateDoesNotExistException", 400]), told
    assert told["action"][:2] == ["InvalidAction", 400], told
    whole_letter("tok-s1-1", files=(), inline=False, own_header=False)
    assert [m.recipient for m in house.arrived("tok-s1-3")] == ["ann@client.asia", "ben@client.asia"]
    nobody("tok-s1-no")


def nodemailer_ses():
    said = told_by("nodemailer")
    assert said["verify"] is True and UUID.match(said["response"]), said
    assert said["wrong"] == said["unverified"] == "InvalidSignatureException", said
    mails = house.arrived("tok-nmses-1")
    assert [m.recipient for m in mails] == ["ann@client.asia", "dan@client.asia"]
    assert not any(m.message["Bcc"] for m in mails)


def lost_answer():
    """The answer is lost on the way; the SDK sends again, and the mail leaves once."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def serve():
        for turn in range(2):
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", house.daemon.http_port)) as server:
                client.settimeout(20)
                server.settimeout(20)
                request = b""
                while b"\r\n\r\n" not in request or len(request) < \
                        request.index(b"\r\n\r\n") + 4 + int(re.search(rb"content-length: (\d+)", request, re.I)[1]):
                    request += client.recv(65536)
                server.sendall(request)
                answer = server.recv(65536)
                seen.append(answer.split(b"\r\n", 1)[0])
                if turn == 1:
                    client.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    said = told_by("lost", listener.getsockname()[1])
    thread.join(20)
    listener.close()
    assert said["attempts"] == 2 and seen == [b"HTTP/1.1 200 OK"] * 2, (said, seen)
    assert [m.recipient for m in house.arrived("tok-lost-1")] == ["ann@client.asia", "ben@client.asia"]


# -- Debian's clients

def system_python(client, needs):
    return told("/usr/bin/python3", os.path.join(HERE, "lib/esp_debian.py"), client,
                f"http://127.0.0.1:{house.daemon.http_port}", needs=needs)


def short_letter(token, people, to="ann@client.asia", shown=None):
    mails = house.arrived(token)
    assert [m.recipient for m in mails] == people, [m.recipient for m in mails]
    for mail in mails:
        got = mail.message
        assert str(got["From"]) == "Ünïcode <n@shop.test>" and got["Bcc"] is None, got["From"]
        first = got["To"].addresses[0]
        assert (first.display_name, first.addr_spec) == (shown or "", to), (token, mail.data)
        assert mail.text().strip().endswith("äöü 🙂"), mail.text()
        assert "<p>äöü</p>" in got.get_body(("html",)).get_content()
        assert [(a.get_filename(), a.get_content()) for a in got.iter_attachments()] == [("ünï.bin", BYTES)]


def boto3():
    said = system_python("boto3", {"python3-boto3": "/usr/lib/python3/dist-packages/boto3"})
    assert UUID.match(said["v1"]) and UUID.match(said["raw"]), said
    assert said["quota"] == said["account"] == 1440000, said
    assert said["wrong"] == [["InvalidClientTokenId", 403], ["SignatureDoesNotMatch", 403],
                             ["InvalidSignatureException", 403]], said
    assert said["bad"] == ["BadRequestException", 400], said
    mails = house.arrived("tok-b1-1")
    assert [m.recipient for m in mails] == ["ann@client.asia", "dan@client.asia"]
    assert {m.text() for m in mails} == {"a + b & c ~ äöü 🙂\n"} and not any(m.message["Bcc"] for m in mails)
    assert [m.recipient for m in house.arrived("tok-b2-1")] == ["ann@client.asia", "secret@client.asia"]
    nobody("tok-b2-no")


def anymail():
    said = system_python("anymail", {"python3-django-anymail": "/usr/lib/python3/dist-packages/anymail",
                                     "python3-boto3": "/usr/lib/python3/dist-packages/boto3"})
    for name in ("mailgun", "sendgrid", "postmark", "amazon_ses"):
        status, message_id, bad = said[name]
        assert status in (["queued"], ["sent"]) and message_id != "None", (name, said[name])
        assert bad in (400, "refused") or "(InvalidParameterValue)" in bad, (name, said[name])
        token = f"tok-any{name.replace('_', '')}-1"
        short_letter(token, EVERYBODY, shown="Jörg, M.")
        assert all(m.message["X-A"] == "b" for m in house.arrived(token)), name
    nobody("tok-any-no")


def awscli():
    """Amazon's own command line, both versions of the API."""
    if not shutil.which("aws"):
        raise suite.Skip("not installed: awscli")

    def aws(*words, fails=False):
        done = subprocess.run(["aws", "--endpoint-url", f"http://127.0.0.1:{house.daemon.http_port}", *words], text=True,
                              capture_output=True, timeout=60,
                              env={**os.environ, "AWS_ACCESS_KEY_ID": "AKIASHOP", "AWS_DEFAULT_REGION": "us-east-1",
                                   "AWS_SECRET_ACCESS_KEY": "secret/of+shop", "HOME": house.scratch.path})
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else json.loads(done.stdout)

    v1 = ("ses", "send-email", "--from", "n@shop.test", "--to", "ann@client.asia", "--text", "äöü")
    v2 = ("sesv2", "send-email", "--from-email-address", "n@shop.test", "--destination", "ToAddresses=ben@client.asia")
    assert UUID.match(aws(*v1, "--subject", "tok-aws-1")["MessageId"])
    assert UUID.match(aws(*v2, "--content", "Simple={Subject={Data=tok-aws-1},Body={Text={Data=äöü}}}")["MessageId"])
    assert [(m.recipient, m.text()) for m in house.arrived("tok-aws-1")] == [
        ("ann@client.asia", "äöü\n"), ("ben@client.asia", "äöü\n")]
    assert aws("ses", "get-send-quota")["Max24HourSend"] == aws("sesv2", "get-account")["SendQuota"]["Max24HourSend"]
    said = aws("ses", "send-email", "--from", "n@other.test", "--to", "ann@client.asia", "--text", "x",
               "--subject", "tok-aws-2", fails=True)
    assert "(MessageRejected)" in said and "other.test" in said, said
    nobody("tok-aws-2")


def postmark_gem():
    said = told("ruby", os.path.join(HERE, "lib/esp_postmark.rb"), str(house.daemon.http_port),
                needs={"ruby-postmark": "/usr/share/rubygems-integration/all/specifications/postmark-1.22.0.gemspec"})
    assert said["sent"]["error_code"] == 0 and UUID.match(said["sent"]["message_id"]), said
    assert said["wrong"] == ["Postmark::InvalidApiKeyError", 401], said
    assert said["bad"] == ["Postmark::InvalidEmailAddressError", 422], said
    short_letter("tok-rb-1", ["ann@client.asia", "ben@client.asia"])


def symfony():
    """These insist on https."""
    bridges = "/usr/share/php/Symfony/Component/Mailer/Bridge/"
    said = told("php", "-d", f"curl.cainfo={house.certificate}", "-d", f"openssl.cafile={house.certificate}",
                os.path.join(HERE, "lib/esp_symfony.php"), str(https_port()),
                needs={f"php-symfony-{name.lower()}-mailer": bridges + name
                       for name in ("Amazon", "Mailgun", "Postmark", "Sendgrid")} |
                {"php-cli": "/usr/bin/php", "php-symfony-http-client": "/usr/share/php/Symfony/Component/HttpClient"})
    assert len(said) == 6, said
    for name, (message_id, *wrong) in said.items():
        assert message_id and wrong in ([401], [403]), (name, said[name])
        short_letter(f"tok-sf{name}-1", ["ann@client.asia", "ben@client.asia", "dan@client.asia"], shown="Jörg, M.")


# -- curl, for what the SDKs do not do

def https_port():
    return int(re.search(r"tls:127\.0\.0\.1:0:(\d+)", house.daemon.logged("daemon.ready"))[1])


def curl_https():
    """Beside the listener in the clear; with a certificate that the client checks."""
    form = ("-F", "from=n@shop.test", "-F", "to=ann@client.asia", "-F", "subject=tok-tls-1", "-F", "text=x")
    done = subprocess.run(["curl", "-sS", "--cacert", house.certificate, "--user", "api:key-of-shop", *form,
                           f"https://localhost:{https_port()}/v3/shop.test/messages"],
                          text=True, capture_output=True, timeout=60)
    assert json.loads(done.stdout)["message"] == "Queued. Thank you.", done.stdout + done.stderr
    house.one("tok-tls-1")
    done = subprocess.run(["curl", "-sS", "--cacert", house.certificate, "--user", "api:key-of-shop",
                           f"https://localhost:{https_port()}/v3/shop.test/bounces"], text=True, capture_output=True, timeout=60)
    following = json.loads(done.stdout)["paging"]["next"]
    assert following.startswith(f"https://localhost:{https_port()}/v3/shop.test/bounces?"), following


def curl(*options, path, fails=()):
    if not shutil.which("curl"):
        raise suite.Skip("curl is not installed")
    done = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}", *options, f"http://127.0.0.1:{house.daemon.http_port}{path}"],
                          text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    body, code = done.stdout.rsplit("\n", 1)
    return int(code), body


def curl_mailgun():
    """As its documentation shows it: a form, and urlencoded; an indexed name as PHP sends it."""
    code, body = curl("--user", "api:key-of-shop", "-F", "from=Shop <n@shop.test>", "-F", "to=ann@client.asia",
                      "-F", "to[1]=ben@client.asia", "-F", "subject=tok-cmg-1", "-F", "text=Grüße",
                      "-F", f"attachment[0]=@{house.scratch.write('a b.txt', 'file')}", path="/v3/shop.test/messages")
    assert code == 200, body
    mails = house.arrived("tok-cmg-1")
    assert [m.recipient for m in mails] == ["ann@client.asia", "ben@client.asia"]
    for mail in mails:
        assert mail.text() == "Grüße\n"
        assert [(a.get_filename(), a.get_content()) for a in mail.message.iter_attachments()] == [("a b.txt", "file")]
    code, body = curl("--user", "api:key-of-shop", "-d", "from=n@shop.test", "-d", "to=ann@client.asia",
                      "-d", "subject=tok-cmg-2", "--data-urlencode", "text=a+b & c", path="/v3/shop.test/messages")
    assert code == 200 and house.one("tok-cmg-2").text() == "a+b & c\n", body
    code, body = curl("--user", "api:wrong", "-d", "x=y", path="/v3/shop.test/messages")
    assert (code, body) == (401, "Forbidden")


def curl_ses():
    """curl signs by itself since 7.75: an implementation of SigV4 that is neither ours nor Amazon's."""
    form = "Action=SendEmail&Version=2010-12-01&Source=n%40shop.test&Destination.ToAddresses.member.1=ann%40client.asia" \
           "&Message.Subject.Data=tok-cses-1&Message.Body.Text.Data=hi+%26+bye"
    sign = ("--aws-sigv4", "aws:amz:us-east-1:ses", "--user", "AKIASHOP:secret/of+shop")
    code, body = curl(*sign, "-d", form, path="/")
    assert code == 200 and "<SendEmailResult>" in body, body
    assert house.one("tok-cses-1").text() == "hi & bye\n"
    code, body = curl("-d", form, path="/")
    assert code == 403 and "<Code>MissingAuthenticationToken</Code>" in body, body
    code, body = curl("--aws-sigv4", "aws:amz:us-east-1:ses", "--user", "AKIASHOP:secret/of-shop", "-d", form, path="/")
    assert code == 403 and "<Code>SignatureDoesNotMatch</Code>" in body, body
    assert len(house.arrived("tok-cses-1")) == 1


def main():
    global house
    tests = [sendgrid, postmark, resend, mailgun, ses_v2, ses_v1, nodemailer_ses, lost_answer, boto3, anymail,
             awscli, postmark_gem, symfony, curl_mailgun, curl_ses, curl_https]
    keys = 'key = "key-of-shop"; ses_access_key = "AKIASHOP"; ses_secret = "secret/of+shop"; ' \
           'intake_per_minute_max = 1000;'
    tls = 'tls: {{ listen = ["127.0.0.1:0"]; certificate = "{path}/cert.pem"; key = "{path}/key.pem"; }};'
    config = CONFIG.replace('key = "key-of-shop";', keys).replace('http: {{', f"http: {{{{ {tls}")
    with House(config) as house:
        return suite.run(tests)


if __name__ == "__main__":
    sys.exit(main())
