#!/bin/sh
# Puts the lists that come from tables (commands, exit codes, keys) into the man pages, between
# '.\" list NAME' and '.\" end NAME'. `make manual` calls it; a unit test compares.
set -eu
for page in src/cmd/mailtide/mailtide.1 src/cmd/mailtided/mailtide.conf.5; do
    for list in commands exits keys; do
        grep -q "^\\.\\\\\" list $list\$" "$page" || continue
        "$BUILD/mailtide" help --roff "$list" >"$page.list"
        awk -v list="$list" -v file="$page.list" '
            $0 == ".\\\" end " list { within = 0 }
            !within { print }
            $0 == ".\\\" list " list { within = 1; while ((getline text < file) > 0) print text }
        ' "$page" >"$page.new"
        mv "$page.new" "$page"
        rm -f "$page.list"
    done
done
