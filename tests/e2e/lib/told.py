"""Runs a client program that prints one JSON object of what its library said."""
import json
import os
import subprocess

import suite


def told(*command, needs):
    """What the client gave back; skipped where Debian's package is not installed."""
    missing = [package for package, path in needs.items() if not os.path.exists(path)]
    if missing:
        raise suite.Skip(f"not installed: {' '.join(missing)}")
    done = subprocess.run(command, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout)
