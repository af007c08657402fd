"""Runs test functions one after the other and says what came of it as cmocka does (tests/run)."""
import sys
import time
import traceback


class Skip(Exception):
    """What a test needs is not here."""


def run(tests):
    """Runs the tests, or those whose names are on the command line; gives the exit status."""
    wanted = sys.argv[1:]
    passed, failed = 0, []
    for test in tests:
        name = test.__name__
        if wanted and name not in wanted:
            continue
        print(f"[ RUN      ] {name}", flush=True)
        began = time.monotonic()
        try:
            test()
        except Skip as why:
            print(f"SKIPPED: {name}: {why}", flush=True)
            continue
        except Exception:  # a failed assertion, a client that died, a time-out: all of it fails
            traceback.print_exc(file=sys.stdout)
            print(f"[  FAILED  ] {name}", flush=True)
            failed.append(name)
            continue
        print(f"[       OK ] {name} ({time.monotonic() - began:.1f} s)", flush=True)
        passed += 1
    print(f"[  PASSED  ] {passed} test(s).")
    if failed:
        print(f"[  FAILED  ] {len(failed)} test(s), listed below:")
        for name in failed:
            print(f"[  FAILED  ] {name}")
    return 1 if failed else 0
