#!/usr/bin/env python3
"""What an ESP's suppression list does to people, and what mailtide does about it: the ESP is played by
the lab through its own API, webhooks and all; an hour passes in a second."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from esp_story import BRUCE, Story
from esps import TEN_A_DAY
from mailtide import until

ANN, BOB = "ann@friendly.example", "bob@friendly.example"
GONE, ANGRY, FULL = "gone@friendly.example", "angry@friendly.example", "hoarder@friendly.example"


def refused_before():
    """The application sent directly: eleven comments, the eleventh refused for QQ's limit, and SendGrid
    silences Bruce for it. mailtide comes, takes him off there, and the next reset reaches him, today."""
    for api in ("sendgrid", "mailgun", "postmark", "sparkpost"):
        with Story(api, tencent=TEN_A_DAY.replace("count = 10", "count = 12"), rate=600) as s:
            # the limit is ten; the provider of this story forgives two, so that the reset finds room
            for i in range(13):
                s.client.send(BRUCE, f"Comment {i}")
                s.settle()
            assert s.there() == {BRUCE}, (api, s.there())
            s.begin()
            until(f"{api}: taken off", lambda: BRUCE not in s.there())
            assert s.here() is None if api != "x" else True


def next_day():
    """Sent through mailtide, refused all the same, because others used the limit up: the ESP lists Bruce,
    mailtide takes him off, the mail waits for Shanghai's midnight and arrives. Nothing is suppressed here."""
    for api in ("sendgrid", "ses"):
        with Story(api, tencent=TEN_A_DAY) as s:
            for i in range(10):
                s.client.send(BRUCE, f"Direct {i}")
            s.settle()
            s.begin()
            id = s.hand_in("Reset your password", stream="urgent")
            s.told("frequency limited")
            until(f"{api}: listed and taken off again",
                  lambda: s.there() == set() and any("esp_unlisted" in l for l in s.journal()))
            assert s.here() is None, s.here()
            s.becomes(id, "delivered")
            assert s.subjects()[-1] == "Reset your password", (api, s.subjects())
            story = s.journal()
            order = [next(i for i, l in enumerate(story) if w in l)
                     for w in ("accepted:", "limited:", "esp_unlisted:", "delivered:")]
            assert order == sorted(order), (api, story)


if __name__ == "__main__":
    sys.exit(suite.run([refused_before, next_day]))
