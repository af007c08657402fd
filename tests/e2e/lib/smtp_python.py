"""Debian's Python mail libraries: /usr/bin/python3 smtp_python.py django|aiosmtplib PORT, prints one JSON object."""
import json
import sys

client, port = sys.argv[1], int(sys.argv[2])
BYTES = bytes(range(256))


def run_django(password, token, to):
    import django
    from django.conf import settings
    from django.core.mail import EmailMultiAlternatives, get_connection
    if not settings.configured:
        settings.configure(USE_TZ=True)
        django.setup()
    connection = get_connection("django.core.mail.backends.smtp.EmailBackend", host="localhost", port=port, use_tls=True,
                                username="shop", password=password)
    m = EmailMultiAlternatives(f"{token} Grüße 你好", "äöü 🙂\n.dot\n", "Ünïcode <n@shop.test>", to,
                               bcc=["dan@client.asia"], connection=connection)
    m.attach_alternative("<p>äöü</p>", "text/html")
    m.attach("ünï.bin", BYTES, "application/octet-stream")
    return m.send() - 1


def run_aiosmtplib(password, token, to):
    import asyncio
    from email.message import EmailMessage

    import aiosmtplib
    m = EmailMessage()
    m["Subject"], m["From"], m["To"], m["Bcc"] = f"{token} Grüße 你好", "Ünïcode <n@shop.test>", ", ".join(to), "dan@client.asia"
    m.set_content("äöü 🙂\n.dot\n")
    m.add_alternative("<p>äöü</p>", subtype="html")
    m.add_attachment(BYTES, maintype="application", subtype="octet-stream", filename="ünï.bin")
    errors, _ = asyncio.run(aiosmtplib.send(m, hostname="localhost", port=port, username="shop", password=password))
    return len(errors)


def outcome(*how):
    try:
        return globals()[f"run_{client}"](*how)
    except Exception as e:  # whatever the library raises is what is asked for
        return [type(e).__name__, getattr(e, "smtp_code", None) or getattr(e, "code", None)]


print(json.dumps({"sent": outcome("pass word", f"tok-{client}-1", ["ann@client.asia", "ben@client.asia"]),
                  "wrong": outcome("wrong", f"tok-{client}-2", ["ann@client.asia"]),
                  "bad": outcome("pass word", f"tok-{client}-3", ["a@@client.asia"])}))
