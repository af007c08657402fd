"""Applications that hand in mail beside a test in which much goes wrong, and how that comes to rest."""
import random
import threading
import time

from mailtide import until


class Application(threading.Thread):
    """Hands in mail (hand_in()) while world.open is set, until world.stop is."""

    waiting = None  # what was not answered, and is to be handed in again

    def __init__(self, world, seed):
        super().__init__(daemon=True)
        self.world, self.dice, self.error = world, random.Random(seed), None

    def run(self):
        try:
            while not self.world.stop.is_set():
                if self.world.open.wait(0.05):
                    self.hand_in()
                self.world.stop.wait(self.dice.uniform(0, 0.1))
        except Exception as error:  # told in the main thread, by end_all()
            self.error = error


def end_all(applications, stop):
    """The last of them have been answered when this returns."""
    until("the last keys are answered", lambda: not any(a.is_alive() and a.waiting for a in applications) or stop.is_set())
    stop.set()
    for a in applications:
        a.join(30)
        assert not a.is_alive(), "an application hangs"
        if a.error:
            raise a.error
        if a.waiting:
            a.hand_in()


def still(seconds):
    """Tells of one status after another whether what it counts has been the same for so long."""
    seen = {"since": time.monotonic(), "state": None}

    def is_same(status):
        state = (status["notifications"], status["attempts"], status["queues"]["flying"])
        if state != seen["state"]:
            seen.update(since=time.monotonic(), state=state)
        return time.monotonic() - seen["since"] > seconds

    return is_same
