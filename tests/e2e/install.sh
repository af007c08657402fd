#!/bin/sh
# Installs into a scratch folder, runs what was installed, and removes it again.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build/gcc}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export BUILD VERSION=0.0.1 PREFIX=/opt/mailtide DESTDIR="$scratch/root"
root=$DESTDIR$PREFIX

fail() {
    echo "install: $1" >&2
    exit 1
}
# works COMMAND...: its output goes to $scratch/out
works() {
    "$@" >"$scratch/out" 2>&1 || {
        cat "$scratch/out" >&2
        fail "$* failed"
    }
}

works src/cmd/install.sh install
for program in mailtide mailtided mailtide-lab; do
    works "$root/bin/$program" --version
    grep -q "^$program [0-9]" "$scratch/out" || fail "$program --version says $(cat "$scratch/out")"
done
for file in share/man/man1/mailtide.1 share/man/man8/mailtided.8 share/man/man5/mailtide.conf.5 \
    share/mailtide/schedules/providers/qq.conf share/mailtide/schedules/accounts/sendgrid.conf share/mailtide/schedules/lists/roles.txt \
    share/mailtide/templates/digest.html share/bash-completion/completions/mailtide \
    share/zsh/site-functions/_mailtide lib/systemd/system/mailtided.service \
    lib/sysusers.d/mailtide.conf share/mailtide/mailtide.conf include/mailtide/client.h \
    lib/libmailtide.so lib/libmailtide.a lib/pkgconfig/libmailtide.pc share/mailtide/notify.c; do
    [ -s "$root/$file" ] || fail "$file is missing"
done
[ ! -e "$DESTDIR/etc" ] || fail "DESTDIR was given, and yet there is $DESTDIR/etc"

# The installed configuration is good, and is that of a server.
(cd / && MAILTIDE_SCHEDULES="$root/share/mailtide/schedules" works "$root/bin/mailtide" \
    check-config -n -c "$root/share/mailtide/mailtide.conf")
grep -q '^state_dir = "/var/lib/mailtide";$' "$scratch/out" || fail "state_dir is not a server's"
grep -q '^  socket = "/run/mailtide/status.sock";$' "$scratch/out" || fail "no socket in /run"
grep -q "^ExecStart=$PREFIX/bin/mailtided " "$root/lib/systemd/system/mailtided.service" ||
    fail "the unit starts something else"
works bash -n "$root/share/bash-completion/completions/mailtide"
if command -v man >/dev/null 2>&1; then
    for page in "$root"/share/man/man*/*; do
        man --warnings -l "$page" 2>&1 >/dev/null | grep . && fail "$page has warnings"
    done
fi
if command -v systemd-analyze >/dev/null 2>&1; then
    # where the programs will be is not where they are now
    sed "s|$PREFIX/bin|$root/bin|; s|^Documentation=.*||" \
        "$root/lib/systemd/system/mailtided.service" >"$scratch/mailtided.service"
    systemd-analyze verify "$scratch/mailtided.service" >"$scratch/out" 2>&1 || true
    grep "mailtided.service" "$scratch/out" && fail "systemd objects to the unit"
fi

# Installing twice is installing once; uninstall leaves nothing, what is not ours it leaves alone.
works src/cmd/install.sh install
mkdir -p "$root/share/other"
: >"$root/share/other/file"
works src/cmd/install.sh uninstall
left=$(find "$DESTDIR" -type f)
[ "$left" = "$root/share/other/file" ] || fail "uninstall left: $left"
rm -r "$root/share/other"
works src/cmd/install.sh install
works src/cmd/install.sh uninstall
left=$(find "$DESTDIR" ! -path "$DESTDIR" ! -path "$DESTDIR/opt")
[ -z "$left" ] || fail "uninstall left: $left"
if src/cmd/install.sh uninstall >"$scratch/out" 2>&1; then fail "there was nothing to uninstall"; fi
echo "install: ok"
