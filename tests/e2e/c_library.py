#!/usr/bin/env python3
"""libmailtide as it is installed: found by pkg-config, linked both ways; its header serves C++ too."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import suite
from house import CONFIG, House
from mailtide import BUILD, ROOT

HERE = os.path.dirname(os.path.abspath(__file__))
# What was built with sanitizers ("build/clang-address-undefined") can only be linked with them.
SANITIZERS = ["-fsanitize=" + ",".join(os.path.basename(BUILD).split("-")[1:])] if "-" in os.path.basename(BUILD) else []
house = None


def run(*command, fails=False, **more):
    done = subprocess.run(command, text=True, capture_output=True, timeout=120, **more)
    assert (done.returncode != 0) == fails, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Installed:
    """The library below a scratch folder, and what pkg-config says of it."""

    def __init__(self, scratch):
        self.root = scratch / "root/opt/mailtide"
        self.scratch = scratch
        run("src/cmd/install.sh", "install", cwd=ROOT,
            env={**os.environ, "BUILD": BUILD, "VERSION": "0.0.1", "PREFIX": "/opt/mailtide",
                 "DESTDIR": scratch / "root"})
        self.env = {**os.environ, "PKG_CONFIG_PATH": f"{self.root}/lib/pkgconfig",
                    "LD_LIBRARY_PATH": f"{self.root}/lib"}

    def build(self, source, name, static=False):
        flags = run("pkg-config", f"--define-variable=prefix={self.root}", "--cflags", "--libs", "libmailtide",
                    env=self.env).split()
        if static:
            flags.remove("-lmailtide")
            flags += [f"{self.root}/lib/libmailtide.a", "-lcurl", "-ljansson", "-lm"]
        program = self.scratch / name
        run(os.environ.get("CC", "cc"), "-std=c99", "-Wall", "-Wextra", "-Werror", *SANITIZERS, source, *flags,
            "-o", program)
        return program

    def call(self, program, *words, fails=False, **more):
        return run(program, *words, fails=fails, env={**self.env, **more})


def where():
    return f"http://127.0.0.1:{house.daemon.http_port}"


def everything_from_c():
    program = installed.build(f"{HERE}/lib/client_calls.c", "calls")
    said = installed.call(program, where(), "-", "Äpp <n@app.test>").splitlines()
    names = {line.split(":")[0]: line.split(": ", 1)[1] for line in said if not line.startswith(" ")}
    people = ["b@client.asia", "c@client.asia", "jörg@bücher.test"]
    for name, age in (("send", "new"), ("send again", "again")):
        at = said.index(f"{name}: ok")
        got = [(line.split()[0], line.split()[2]) for line in said[at + 1:at + 4]]
        assert [(who.replace("xn--bcher-kva", "bücher"), when) for who, when in got] == [(p, age) for p in people], got
    assert names["same key"].startswith("EEXIST "), names
    assert names["raw"] == "ok"
    assert names["no sender"].startswith("EINVAL from: "), names
    assert names["no address"].startswith("EINVAL to"), names
    assert names["no stream"].startswith("EINVAL stream: ") and "nothing" in names["no stream"], names
    assert names["not ours"].startswith("EPERM ") and "elsewhere.test" in names["not ours"], names
    assert names["first"] == names["second"] == "ok" and names["too heavy"].startswith("EINVAL weight: "), names
    waiting = house.daemon.status("/v1/queue?recipient=last@client.asia")["notifications"]
    assert [n["subject"] for n in waiting] == ["tok-lib-4 second"], waiting
    assert waiting[0]["metadata"] == {"order": 'Nr. 7 "ü"'}, waiting
    house.daemon.status("/v1/cancel?recipient=last@client.asia", method="POST")
    assert names["later"] == names["find"] == names["cancel"] == "ok", names
    assert said[said.index("find: ok") + 1] == "  later@client.asia same", said
    assert names["cancel again"].startswith("ESTATE "), names
    assert names["release"].startswith("ESTATE "), names
    assert names["nobody's"].startswith("ENOENT "), names
    assert names["no id"].startswith("EINVAL "), names

    mails = house.arrived("tok-lib-1")
    assert len(mails) == 3, [m.recipient for m in mails]
    for mail in mails:
        m = mail.message
        assert str(m["From"]) == "Äpp <n@app.test>" and m["X-Project"] == "Zürich", m.items()
        assert str(m["To"]) == '"B, Bob" <b@client.asia>, c@client.asia'
        assert mail.text() == "Hello\n.\n"
        assert [(a.get_filename(), a.get_content()) for a in m.iter_attachments()] == [("ünï.bin", b"\0\1\2\xff")]
    assert house.one("tok-lib-2").text() == "raw\n"


def statically_linked():
    program = installed.build(f"{HERE}/lib/client_calls.c", "calls-static", static=True)
    needed = run("ldd", program)
    assert "libmailtide" not in needed, needed
    said = installed.call(program, where(), "wrong-key", "n@shop.test")
    assert "raw: EAUTH " in said and "belongs to no application" in said, said
    said = installed.call(program, where(), "key-of-shop", "n@shop.test")
    assert "raw: ok" in said, said
    house.daemon.status("/v1/cancel?recipient=last@client.asia", method="POST")


def example():
    program = installed.build(f"{installed.root}/share/mailtide/notify.c", "notify")
    words = ("n@app.test", "Ann <ann@client.asia>", "tok-example-1 is green", "All passed.")
    said = installed.call(program, *words, MAILTIDE_HTTP=where())
    assert " ann@client.asia " in said, said
    house.one("tok-example-1")
    said = installed.call(program, *words, MAILTIDE_HTTP="unix:/nowhere/http.sock", fails=True)
    assert "cannot reach mailtide at unix:/nowhere/http.sock" in said, said
    said = installed.call(program, *words, MAILTIDE_HTTP="ftp://x", fails=True)
    assert 'want "unix:/PATH" or "http://HOST:PORT", got "ftp://x"' in said, said


def header_serves_cpp():
    if not shutil.which("g++"):
        raise suite.Skip("g++ is not installed")
    run("g++", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{installed.root}/include", "-x", "c++",
        "-", input="#include <mailtide/client.h>\nint main() { return tide_err_name(TIDE_OK) == nullptr; }\n")


def over_the_unix_socket():
    program = installed.build(f"{installed.root}/share/mailtide/notify.c", "notify-unix")
    config = CONFIG.replace('http: {{ listen = ["127.0.0.1:0"]', 'http: {{ listen = ["127.0.0.1:0", "unix:{path}/http.sock"]')
    with House(config) as other:
        installed.call(program, "n@app.test", "ann@client.asia", "tok-unix-1", "Hi",
                       MAILTIDE_HTTP=f"unix:{other.scratch.path}/http.sock")
        other.one("tok-unix-1")


def main():
    global house, installed
    if not shutil.which("pkg-config"):
        print("SKIPPED: pkg-config is not installed")
        return 0
    with House() as house:
        installed = Installed(house.scratch)
        return suite.run([everything_from_c, statically_linked, example, header_serves_cpp,
                          over_the_unix_socket])


if __name__ == "__main__":
    sys.exit(main())
