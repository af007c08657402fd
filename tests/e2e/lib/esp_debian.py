"""Debian's Python clients, unmodified, against mailtide: run by the system's python3, which has them.

    /usr/bin/python3 esp_debian.py boto3|anymail BASE-URL    prints one JSON object
"""
import json
import sys

client, base = sys.argv[1:]
BYTES = bytes(range(256))


def run_boto3():
    import boto3
    from botocore.exceptions import ClientError

    def of(service, key="AKIASHOP", secret="secret/of+shop"):
        return boto3.client(service, endpoint_url=base, region_name="us-east-1", aws_access_key_id=key,
                            aws_secret_access_key=secret)

    def failure(call, **what):
        try:
            call(**what)
            return "no error"
        except ClientError as e:
            return [e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]]

    v1, v2 = of("ses"), of("sesv2")
    mail = {"Source": "Ünïcode <n@shop.test>",
            "Destination": {"ToAddresses": ["ann@client.asia"], "BccAddresses": ["dan@client.asia"]},
            "Message": {"Subject": {"Data": "tok-b1-1 Grüße ~"}, "Body": {"Text": {"Data": "a + b & c ~ äöü 🙂\n"}}}}
    small = {"FromEmailAddress": "n@shop.test", "Destination": {"ToAddresses": ["a@client.asia"]},
             "Content": {"Simple": {"Subject": {"Data": "tok-b2-no"}, "Body": {"Text": {"Data": "x"}}}}}
    raw = b"From: n@shop.test\nTo: ann@client.asia\nBcc: secret@client.asia\nSubject: tok-b2-1\n\nbare LF\n"
    return {
        "v1": v1.send_email(**mail)["MessageId"],
        "raw": v2.send_email(Content={"Raw": {"Data": raw}})["MessageId"],
        "quota": v1.get_send_quota()["Max24HourSend"],
        "account": v2.get_account()["SendQuota"]["Max24HourSend"],
        "wrong": [failure(of("ses", "AKIAWRONG").send_email, **mail), failure(of("ses", secret="x").send_email, **mail),
                  failure(of("sesv2", secret="x").send_email, **small)],
        "bad": failure(v2.send_email, **{**small, "Destination": {"ToAddresses": ["not an address"]}}),
    }


def run_anymail():
    import django
    from django.conf import settings
    from django.core.mail import EmailMultiAlternatives, get_connection
    settings.configure(USE_TZ=True, ANYMAIL={
        "MAILGUN_API_KEY": "key-of-shop", "MAILGUN_API_URL": base + "/v3", "MAILGUN_SENDER_DOMAIN": "shop.test",
        "SENDGRID_API_KEY": "key-of-shop", "SENDGRID_API_URL": base + "/v3/",
        "POSTMARK_SERVER_TOKEN": "key-of-shop", "POSTMARK_API_URL": base + "/",
        "AMAZON_SES_CLIENT_PARAMS": {"aws_access_key_id": "AKIASHOP", "aws_secret_access_key": "secret/of+shop",
                                     "region_name": "us-east-1", "endpoint_url": base}})
    django.setup()
    from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused
    told = {}
    for name in ("mailgun", "sendgrid", "postmark", "amazon_ses"):
        connection = get_connection(f"anymail.backends.{name}.EmailBackend")
        m = EmailMultiAlternatives(f"tok-any{name.replace('_', '')}-1 Grüße 你好", "text äöü 🙂\n", "Ünïcode <n@shop.test>",
                                   ['"Jörg, M." <ann@client.asia>', "ben@client.asia"], cc=["cyd@client.asia"],
                                   bcc=["dan@client.asia"], reply_to=["r@shop.test"], headers={"X-A": "b"},
                                   connection=connection)
        m.attach_alternative("<p>äöü</p>", "text/html")
        m.attach("ünï.bin", BYTES, "application/octet-stream")
        m.tags, m.metadata = ["t1"], {"k": "v"}
        if name == "amazon_ses":
            m.tags, m.metadata = [], {}
        m.send()
        told[name] = [sorted(m.anymail_status.status), str(m.anymail_status.message_id)]
        bad = EmailMultiAlternatives("tok-any-no", "x", "n@shop.test", ["a@localhost"], connection=connection)
        try:
            bad.send()
            told[name].append("no error")
        except AnymailRecipientsRefused:
            told[name].append("refused")
        except AnymailAPIError as e:
            told[name].append(e.status_code or str(e.__cause__ or e))
    return told


print(json.dumps({"boto3": run_boto3, "anymail": run_anymail}[client]()))
