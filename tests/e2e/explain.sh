#!/bin/sh
# mailtide explain, as people and programs call it: no daemon runs.
# The whole program, its files and its exit codes; meanings are tests/unit/test_rules.c's.
set -u
mailtide=$BUILD/mailtide
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check NAME EXIT PATTERN: of the last command's status $got and output $work/out
check() {
    if [ "$got" -ne "$2" ] || ! grep -q -e "$3" "$work/out"; then
        echo "$1: exit $got, want $2 and \"$3\" in:"
        cat "$work/out"
        failed=1
    fi
}
run() {
    "$mailtide" explain "$@" >"$work/out" 2>&1
    got=$?
}

run "550 Connection frequency limited"
check "words" 0 "a limit of theirs, which passes"
check "words" 0 "rule       qq/connection-frequency"
run 550 5.1.1 user unknown
check "several operands" 0 "There is no such mailbox"
echo "550 5.1.1 user unknown" | "$mailtide" explain - >"$work/out" 2>&1
got=$?
check "standard input" 0 "There is no such mailbox"
run --json "452 4.2.2 mailbox full"
check "json" 0 '"class":"full","fault":"recipient","retry":"later"'
run --provider mx1.qq.com "550 Suspected spam"
check "provider by host" 0 "qq/suspected-spam"
run --provider nobody "550 x"
check "unknown provider" 1 "mailtide: --provider nobody: want the name"
run "zz"
check "nothing known" 1 "says nothing that is known"
printf '%s\r\n' 'Return-Path: <>' 'From: mailer-daemon@mx.example' 'To: bounce+1@app.example' \
    'Subject: failure notice' '' 'I could not deliver your mail to the following address.' '' \
    '<ann@client.example>:' '550 5.1.1 no such user' >"$work/mail"
run --message "$work/mail"
check "a bounce" 0 "ann@client.example  failed"
run --json -m "$work/mail"
check "a bounce, json" 0 '"sent_to":"bounce+1@app.example"'
run --message "$work/none"
check "no such file" 1 "mailtide: .*none"
run --message "$work/mail" "550"
check "both" 2 "got both"
printf 'From: a@b.example\r\nSubject: Hi\r\n\r\nHello\r\n' >"$work/mail"
run --message "$work/mail"
check "no report" 1 "no report"
exit $failed
