#!/usr/bin/env python3
"""Traffic of other shapes than the recorded traces, through `mailtide simulate --json`.

Generated from a seed (TRAFFIC_SEED): a handful of recipients, hundreds at once, weekends, nights in
a zone with daylight saving, growth, two dead months, one busy recipient. Of each: never over the
limit, every figure there is a number, no delay where the limit is far away, where it bites no more
(but a tenth and a minute, for urgent mail) than by sending at once, and a forecast better than last
week's mean.
"""
import json
import math
import os
import random
import subprocess
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from mailtide import BUILD, Scratch

SEED = int(os.environ.get("TRAFFIC_SEED", "7"))
START = datetime(2026, 2, 2)  # a Monday; clocks change on 8 March and 29 March
HOURS = [.2, .1, .1, .1, .1, .2, .5, 1, 3, 6, 7, 7, 4, 6, 7, 7, 6, 5, 3, 2, 1.5, 1, .7, .4]
WARMUP = 30
SHAPES = {
    "a few recipients": {"users": 20, "rate": 1.5},
    "hundreds at once": {"users": 200, "rate": .5, "crowd": 500},
    "weekends": {"users": 40, "rate": 4, "week": (.1, 3)},
    "nights in New York": {"users": 40, "rate": 4, "zone": "America/New_York", "shift": 12},
    "growing tenfold": {"users": 30, "rate": 1.5, "grow": 10},
    "two dead months": {"users": 40, "rate": 4, "days": 150, "dead": (50, 110)},
    "one busy recipient": {"users": 1, "rate": 120},
    "no bursts": {"users": 30, "rate": 8, "burst": 1},
    "hundreds a day each": {"users": 6, "rate": 300, "burst": 6},
}


def volume(shape, day, days):
    weekday, weekend = shape.get("week", (1, .2))
    first, last = shape.get("dead", (0, 0))
    if first <= day < last:
        return 0
    return (weekend if day % 7 >= 5 else weekday) * shape.get("grow", 1) ** (day / days)


def poisson(rng, mean):
    n, left = 0, rng.expovariate(1)
    while left < mean:
        n, left = n + 1, left + rng.expovariate(1)
    return n


def generate(name, shape):
    rng = random.Random(f"{SEED} {name}")
    zone = ZoneInfo(shape["zone"]) if "zone" in shape else timezone.utc
    days, burst, shift = shape.get("days", 80), shape.get("burst", 3), shape.get("shift", 0)
    levels = [rng.lognormvariate(math.log(shape["rate"]), .8) for _ in range(shape["users"])]
    hours = HOURS[shift:] + HOURS[:shift]
    events = []
    for day in range(days):
        date = START + timedelta(days=day)
        if "crowd" in shape and rng.random() < .2:
            at = int(date.replace(hour=11, tzinfo=zone).timestamp())
            events += [(at, rng.randrange(shape["users"]), 2) for _ in range(shape["crowd"])]
        for user, level in enumerate(levels):
            for _ in range(poisson(rng, level * volume(shape, day, days) / burst)):
                hour = rng.choices(range(24), hours)[0]
                at = int(date.replace(hour=hour, minute=rng.randrange(60), tzinfo=zone).timestamp())
                for _ in range(1 + int(rng.expovariate(1 / (burst - 1))) if burst > 1 else 1):
                    events.append((at, user, rng.choice((1, 2, 2))))
                    at += int(rng.expovariate(1 / 120))
            if rng.random() < .01:
                events.append((int(date.replace(hour=9, tzinfo=zone).timestamp()), user, 0))
    return sorted(events)


def last_weeks_mean(events, zone):
    """The mean CRPS of "as in the last seven days on average", that number being certain."""
    count, seen = defaultdict(int), {}
    for at, user, priority in events:
        if priority:
            day = datetime.fromtimestamp(at, zone).date().toordinal()
            count[user, day] += 1
            seen.setdefault(user, [day, day])[1] = day
    begin = min(first for first, _ in seen.values()) + WARMUP
    end = max(last for _, last in seen.values())
    errors = [abs(count.get((user, day), 0) - sum(count.get((user, day - i), 0) for i in range(1, 8)) / 7)
              for user, (first, last) in seen.items()
              for day in range(max(first + 1, begin), min(last + 7, end) + 1)]
    return sum(errors) / len(errors)


def numbers(x, where=""):
    if isinstance(x, dict):
        for k, v in x.items():
            numbers(v, f"{where}.{k}")
    elif isinstance(x, list):
        for v in x:
            numbers(v, where)
    else:
        assert x is not None and x != "", f"{where} is empty"
        assert not isinstance(x, float) or math.isfinite(x), f"{where} is {x}"


def simulate(path, zone, window, quotas):
    done = subprocess.run([os.path.join(BUILD, "mailtide"), "simulate", "--trace", path, "--zone", zone,
                           "--window", window, "--quota", quotas, "--warmup-days", str(WARMUP),
                           "--policy", "quiet,at-once", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def look(name, window, result):
    for cell in result["quotas"]:
        quiet, at_once = cell["policies"]["quiet"], cell["policies"]["at-once"]
        what = f"{name}, {cell['quota']} in {window}, seed {SEED}: {quiet['mean_delay_min']} min"
        assert quiet["over"] == at_once["over"] == 0, what
        if cell["refused_if_sent_directly"] == 0 and cell["quota"] >= 500:
            assert quiet["mean_delay_min"] < .005, what
        assert quiet["mean_delay_min"] <= at_once["mean_delay_min"] * 1.1 + 1, \
            f"{what}, at once {at_once['mean_delay_min']}"


def test_strange_traffic():
    with Scratch() as scratch:
        for name, shape in SHAPES.items():
            events, zone = generate(name, shape), shape.get("zone", "UTC")
            path = scratch.write("trace.tsv", "".join(f"{t}\t{u}\t1\t{p}\n" for t, u, p in events))
            for window, quotas in (("day", "1,2,3,10,50,500"), ("hour", "1,3,50"), ("24h", "1,3,10,50")):
                result = simulate(path, zone, window, quotas)
                numbers(result)
                look(name, window, result)
            forecast = result["forecast"]
            trivial = last_weeks_mean(events, ZoneInfo(zone))
            assert forecast["crps"] < trivial, (name, forecast["crps"], trivial)
            assert .8 < forecast["q90_coverage"] <= 1, (name, forecast)


if __name__ == "__main__":
    sys.exit(suite.run([test_strange_traffic]))
