#!/bin/sh
# Installs mailtide below DESTDIR/PREFIX, or removes what that put there. The Makefile calls it:
#   VERSION=0.1.0 BUILD=build/gcc PREFIX=/usr/local DESTDIR= src/cmd/install.sh install|uninstall
set -eu
: "${VERSION:?}" "${BUILD:?}" "${PREFIX:?}" "${DESTDIR=}"
root=$DESTDIR$PREFIX
share=$root/share/mailtide
list=$share/installed # every file that was installed, relative to DESTDIR
etc=/etc/mailtide

# put MODE FROM TO: TO is below PREFIX
put() {
    install -D -m "$1" "$2" "$root/$3"
    echo "$PREFIX/$3" >>"$list"
}

# The default file of all keys, with the two that a server wants otherwise.
server_config() {
    "$BUILD/mailtide" check-config --print-default | sed \
        -e 's|^#state_dir = .*|state_dir = "/var/lib/mailtide";|' \
        -e 's|^\( *\)#socket = .*|\1socket = "/run/mailtide/status.sock";|'
}

do_install() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir -p "$share"
    : >"$list"

    for program in src/cmd/*/; do
        name=$(basename "$program")
        put 755 "$BUILD/$name" "bin/$name"
        for page in "$program"*.[1-9]; do
            [ -e "$page" ] || continue
            put 644 "$page" "share/man/man${page##*.}/$(basename "$page")"
        done
    done
    for file in schedules/README schedules/*/README schedules/*.conf schedules/*/*.conf schedules/*/*.txt; do
        put 644 "$file" "share/mailtide/$file"
    done
    for file in src/core/digest/templates/*; do
        put 644 "$file" "share/mailtide/templates/$(basename "$file")"
    done
    for file in include/mailtide/*.h; do
        put 644 "$file" "$file"
    done
    put 755 "$BUILD/libmailtide.so.0" lib/libmailtide.so.0
    ln -sf libmailtide.so.0 "$root/lib/libmailtide.so"
    echo "$PREFIX/lib/libmailtide.so" >>"$list"
    put 644 "$BUILD/libmailtide.a" lib/libmailtide.a
    sed "s|@PREFIX@|$PREFIX|; s|@VERSION@|$VERSION|" src/client/libmailtide.pc.in >"$scratch/pc"
    put 644 "$scratch/pc" lib/pkgconfig/libmailtide.pc
    put 644 src/client/example/notify.c share/mailtide/notify.c
    put 644 src/cmd/mailtide-lab/story.conf share/mailtide/story.conf

    server_config >"$scratch/mailtide.conf"
    put 644 "$scratch/mailtide.conf" share/mailtide/mailtide.conf
    "$BUILD/mailtide" completion bash >"$scratch/bash"
    put 644 "$scratch/bash" share/bash-completion/completions/mailtide
    "$BUILD/mailtide" completion zsh >"$scratch/zsh"
    put 644 "$scratch/zsh" share/zsh/site-functions/_mailtide
    sed "s|@PREFIX@|$PREFIX|" src/cmd/mailtided/mailtided.service >"$scratch/unit"
    put 644 "$scratch/unit" lib/systemd/system/mailtided.service
    put 644 src/cmd/mailtided/mailtide.sysusers lib/sysusers.d/mailtide.conf
    echo "$PREFIX/share/mailtide/installed" >>"$list"

    if [ -z "$DESTDIR" ] && [ ! -e "$etc/mailtide.conf" ] && [ -w /etc ]; then
        install -D -m 644 "$scratch/mailtide.conf" "$etc/mailtide.conf"
        echo "installed $etc/mailtide.conf, which uninstall leaves alone"
    fi
    echo "installed mailtide to $root"
    if [ -z "$DESTDIR" ]; then
        echo "next: edit $etc/mailtide.conf; mailtide check-config; systemd-sysusers;" \
            "systemctl daemon-reload; systemctl enable --now mailtided"
    fi
}

do_uninstall() {
    if [ ! -f "$list" ]; then
        echo "uninstall: nothing is installed at $root ($list is missing)" >&2
        exit 1
    fi
    cp "$list" "$list.tmp"
    while read -r file; do
        rm -f "$DESTDIR$file"
        # the folders that this emptied, up to the prefix
        dir=$(dirname "$file")
        while [ "$dir" != "$PREFIX" ] && [ "$dir" != / ] && [ "$dir" != . ]; do
            rmdir "$DESTDIR$dir" 2>/dev/null || break
            dir=$(dirname "$dir")
        done
    done <"$list.tmp"
    rm -f "$list.tmp"
    rmdir "$share" 2>/dev/null || true
    rmdir "$root/share" "$root" 2>/dev/null || true
    echo "removed mailtide from $root; $etc and /var/lib/mailtide stay"
}

case ${1-} in
install) do_install ;;
uninstall) do_uninstall ;;
*)
    echo "usage: src/cmd/install.sh install|uninstall" >&2
    exit 2
    ;;
esac
