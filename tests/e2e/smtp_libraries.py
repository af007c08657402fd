#!/usr/bin/env python3
"""The mail libraries of Python, Ruby, PHP and Perl, as Debian has them, hand in a letter over SMTP: it arrives
exactly once and unharmed, and what is refused is raised as their own errors."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from house import House
from told import told

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib")
PYTHON = "/usr/lib/python3/dist-packages/"
BYTES = bytes(range(256))
house = None


def check(name, said, file_name="ünï.bin"):
    """The letter, what a wrong password was answered with, and a mailbox that cannot be one."""
    assert said["sent"] == 0, said
    assert said["wrong"][0] != 0 and said["bad"] != 0, said
    mails = house.arrived(f"tok-{name}-1")
    assert [m.recipient for m in mails] == ["ann@client.asia", "ben@client.asia", "dan@client.asia"], name
    for mail in mails:
        got = mail.message
        assert str(got["Subject"]) == f"tok-{name}-1 Grüße 你好", got["Subject"]
        assert str(got["From"]) == "Ünïcode <n@shop.test>" and got["Bcc"] is None, got.items()
        assert [a.addr_spec for a in got["To"].addresses] == ["ann@client.asia", "ben@client.asia"]
        assert mail.text() == "äöü 🙂\n.dot\n", mail.text()
        assert got.get_body(("html",)).get_content().strip() == "<p>äöü</p>"
        assert [(a.get_filename(), a.get_content()) for a in got.walk()
                if a.get_filename()] == [(file_name, BYTES)]
    assert house.arrived(f"tok-{name}-2") == []
    # some send to the others all the same
    assert {m.recipient for m in house.arrived(f"tok-{name}-3")} <= {"dan@client.asia"}


def port():
    return str(house.daemon.smtp_port)


def django():
    check("django", told("/usr/bin/python3", f"{LIB}/smtp_python.py", "django", port(),
                         needs={"python3-django": PYTHON + "django"}))


def aiosmtplib():
    check("aiosmtplib", told("/usr/bin/python3", f"{LIB}/smtp_python.py", "aiosmtplib", port(),
                             needs={"python3-aiosmtplib": PYTHON + "aiosmtplib"}))


def ruby_mail():
    check("ruby", told("ruby", f"{LIB}/smtp_ruby.rb", port(), needs={"ruby-mail": "/usr/lib/ruby/vendor_ruby/mail.rb"}))


def phpmailer():
    check("phpmailer", told("php", "-d", f"openssl.cafile={house.certificate}", f"{LIB}/smtp_php.php", "phpmailer", port(),
                            needs={"php-cli": "/usr/bin/php",
                                   "libphp-phpmailer": "/usr/share/php/libphp-phpmailer/autoload.php"}))


def symfony():
    check("symfony", told("php", "-d", f"openssl.cafile={house.certificate}", f"{LIB}/smtp_php.php", "symfony", port(),
                          needs={"php-cli": "/usr/bin/php",
                                 "php-symfony-mailer": "/usr/share/php/Symfony/Component/Mailer/autoload.php"}))


def email_sender():
    check("perl", told("perl", f"{LIB}/smtp_perl.pl", port(),
                       needs={"libemail-sender-perl": "/usr/share/perl5/Email/Sender.pm",
                              "libauthen-sasl-perl": "/usr/share/perl5/Authen/SASL.pm",
                              "libemail-stuffer-perl": "/usr/share/perl5/Email/Stuffer.pm"}), "uni.bin")


def main():
    global house
    with House() as house:
        os.environ["SSL_CERT_FILE"] = house.certificate
        return suite.run([django, aiosmtplib, ruby_mail, phpmailer, symfony, email_sender])


if __name__ == "__main__":
    sys.exit(main())
