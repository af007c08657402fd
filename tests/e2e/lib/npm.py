"""The Node clients, pinned by package-lock.json, in the build folder."""
import os
import shutil
import subprocess

import suite
from mailtide import ROOT

HERE = os.path.dirname(os.path.abspath(__file__))


def node_modules():
    """The folder for NODE_PATH; installed anew when the lock file has changed."""
    folder = os.path.join(ROOT, "build/npm")
    mark = os.path.join(folder, "node_modules/installed-lock.json")
    lock = os.path.join(HERE, "package-lock.json")
    if not os.path.exists(mark) or open(mark, "rb").read() != open(lock, "rb").read():
        if not shutil.which("npm"):
            raise suite.Skip("npm is not installed")
        os.makedirs(folder, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(HERE, name), folder)
        done = subprocess.run(["npm", "ci", "--prefix", folder, "--no-audit", "--no-fund", "--fetch-retries=0",
                               "--fetch-timeout=30000"], text=True, capture_output=True, timeout=180)
        if done.returncode != 0:
            why = [line for line in done.stderr.splitlines() if "error" in line] or ["no reason given"]
            raise suite.Skip(f"npm cannot install the clients: {why[0]}")
        shutil.copy(lock, mark)
    return os.path.join(folder, "node_modules")
