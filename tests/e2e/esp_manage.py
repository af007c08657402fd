#!/usr/bin/env python3
"""The ESPs' own SDKs ask what they ask beside sending: health checks at the start, who is suppressed and to be
mailed again, what became of a mail; a scheduled one is cancelled. mailtide answers with its own data."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from house import CONFIG, House
from npm import node_modules

HERE = os.path.dirname(os.path.abspath(__file__))
DEAD, SPAM = "dead@client.asia", "spam@client.asia"
KEY = {"Authorization": "Bearer key-of-shop"}
house = None


def send(token, *people):
    code, answer = house.daemon.http("POST", "/v1/notifications", {
        "from": "n@shop.test", "to": list(people), "subject": token, "text": "x"}, KEY)
    assert code == 202, answer
    return [n["state"] for n in answer["notifications"]]


def told_by(client):
    """What the SDK gave back, with both addresses suppressed at first."""
    if not shutil.which("node"):
        raise suite.Skip("node is not installed")
    modules = node_modules()
    house.daemon.status("/v1/suppressions", "POST", {"entries": [
        {"address": DEAD, "cause": "invalid", "evidence": "550 5.1.1 User unknown"},
        {"address": SPAM, "cause": "complaint"}]})
    assert send("tok-no", DEAD) == ["refused"]
    done = subprocess.run(["node", os.path.join(HERE, "lib/esp_manage.js"), client, f"http://127.0.0.1:{house.daemon.http_port}"],
                          text=True, capture_output=True, timeout=120,
                          env={**os.environ, "NODE_PATH": modules, "NODE_NO_WARNINGS": "1"})
    assert done.returncode == 0, f"{client}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout)


def mailed_again(token):
    """And only he: a complaint stays."""
    assert send(token, DEAD, SPAM)[1] == "refused"
    assert house.one(token).recipient == DEAD
    lifted = [j for j in house.daemon.why("recipient", DEAD)["journal"] if "lifted by application shop" in j["sentence"]]
    assert lifted, "the journal does not tell who lifted it"


def sendgrid():
    told = told_by("sendgrid")
    assert "mail.send" in told["scopes"], told
    assert told["wrong"][:2] == ["ResponseError", 401] and "authorization grant" in told["wrong"][2], told
    assert (told["bounces"], told["reports"]) == ([DEAD], [SPAM]), told
    assert told["one"][0]["reason"] == "550 5.1.1 User unknown", told
    assert told["deleted"][0] == 204 and told["after"] == [], told
    assert told["again"][:2] == ["ResponseError", 404], told
    assert told["stats"]["requests"] > 0 and told["stats"]["bounce_drops"] > 0, told
    assert told["other"][:2] == ["ResponseError", 404] and "not answered by mailtide" in told["other"][2], told
    mailed_again("tok-msg-1")


def postmark():
    told = told_by("postmark")
    assert told["server"] == "shop" and told["delivery"] == "All", told
    assert told["wrong"][:3] == ["InvalidAPIKeyError", 10, 401], told
    assert told["details"]["Subject"] == "tok-mpm-1" and told["details"]["Metadata"] == {"k": "v"}, told
    assert told["stats"]["Sent"] > 0, told
    assert told["inactive"][:3] == ["InactiveRecipientsError", 406, 422], told
    assert sorted(told["dump"]) == [[DEAD, "HardBounce"], [SPAM, "SpamComplaint"]], told
    assert told["deleted"] == ["Deleted", "Failed"] and told["after"] == [SPAM], told
    assert told["other"][2] == 404 and "not answered by mailtide" in told["other"][3], told
    mailed_again("tok-mpm-2")


def resend():
    told = told_by("resend")
    assert told["before"] == "scheduled" and 3500000 < told["ahead"] <= 3600000, told
    assert told["cancelled"]["data"]["id"] == told["same"] and told["after"] == "canceled", told
    assert (told["again"]["statusCode"], told["again"]["name"]) == (422, "validation_error"), told
    assert told["domains"] == ["shop.test"], told
    assert (told["wrong"]["statusCode"], told["wrong"]["name"]) == (401, "invalid_api_key"), told
    assert (told["other"]["statusCode"], told["other"]["name"]) == (404, "not_found"), told
    assert [m.recipient for m in house.arrived("tok-mrs-1")] == ["ann@client.asia", "ben@client.asia", "cyd@client.asia"]
    assert house.arrived("tok-mrs-no") == [], "what was cancelled has left for one of its recipients"


def mailgun():
    told = told_by("mailgun")
    assert told["domains"] == [["shop.test", "active"]] and told["wrong"] == 401, told
    assert told["all"] == [DEAD] and told["complaint"] == SPAM, told
    assert told["deleted"]["status"] == 200 and told["deleted"]["address"] == DEAD, told
    assert told["again"] == [404, "Address not found in bounces table"], told
    assert told["foreign"][0] == 404 and told["other"][0] == 404 and "not answered" in told["other"][1], told
    mailed_again("tok-mmg-1")


def ses():
    told = told_by("ses")
    assert told["listed"] == [DEAD], told
    assert told["entry"][0] == "BOUNCE" and -1000 < told["entry"][1] < 60000, told
    assert told["after"][:2] == told["again"][:2] == told["foreign"][:2] == ["NotFoundException", 404], told
    assert told["identities"] == told["old"] == ["shop.test"] and told["identity"] is True, told
    assert told["verified"] == {"shop.test": {"VerificationStatus": "Success"}} and told["enabled"] is True, told
    assert told["attempts"] > 0, told
    assert told["other"][1] == 404 and "not answered by mailtide" in told["other"][2], told
    assert told["old_other"][:2] == ["InvalidAction", 400], told
    mailed_again("tok-mses-1")


def of_others():
    """An address that only another application has mailed is not there for this one."""
    house.daemon.status("/v1/suppressions", "POST", {"entries": [{"address": "other@client.asia", "cause": "invalid"}]})
    house.daemon.http("POST", "/v1/notifications", {
        "from": "n@app.test", "to": "other@client.asia", "subject": "tok-mo-no", "text": "x"})
    path = "/v3/suppression/bounces/other@client.asia"
    assert house.daemon.http("GET", path, None, KEY) == (200, [])
    assert house.daemon.http("DELETE", path, None, KEY)[0] == 404
    assert house.daemon.http("GET", path)[0] == 401
    assert house.daemon.status("/v1/suppressions?recipient=other@client.asia")["suppressions"] != []


def main():
    global house
    keys = 'key = "key-of-shop"; ses_access_key = "AKIASHOP"; ses_secret = "secret/of+shop";'
    with House(CONFIG.replace('key = "key-of-shop";', keys)) as house:
        send("tok-known", DEAD, SPAM)  # the application's own recipients
        house.daemon.wait_idle()
        return suite.run([sendgrid, postmark, resend, mailgun, ses, of_others])


if __name__ == "__main__":
    sys.exit(main())
