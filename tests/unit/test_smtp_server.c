#include "core/proto/smtp_path.h"
#include "core/proto/smtp_server.h"
#include "lib/check.h"
#include "lib/smtp_script.h"

/* ---- paths ---- */

static const struct {
    const char *args;
    enum tide_err want;
    const char *path, *params;
} paths[] = {
    {"<ann@example.org>", TIDE_OK, "ann@example.org", ""},
    {" <ann@example.org>  SIZE=1  BODY=7BIT ", TIDE_OK, "ann@example.org", "SIZE=1  BODY=7BIT"},
    {"<>", TIDE_OK, "", ""},
    {"<Postmaster>", TIDE_OK, "Postmaster", ""},
    {"<@a.example,@b.example:ann@example.org>", TIDE_OK, "ann@example.org", ""},
    {"<\"a b>c\\\"d\"@example.org> X", TIDE_OK, "\"a b>c\\\"d\"@example.org", "X"},
    {"<ann@[IPv6:2001:db8::1]>", TIDE_OK, "ann@[IPv6:2001:db8::1]", ""},
    {"<jörg@bücher.test>", TIDE_OK, "jörg@bücher.test", ""},
    {"ann@example.org SIZE=1", TIDE_OK, "ann@example.org", "SIZE=1"},
    {"ann", TIDE_ESYNTAX, NULL, NULL},
    {"", TIDE_ESYNTAX, NULL, NULL},
    {"<ann@example.org", TIDE_ESYNTAX, NULL, NULL},
    {"<ann@example.org>SIZE=1", TIDE_ESYNTAX, NULL, NULL},
    {"Ann <ann@example.org>", TIDE_ESYNTAX, NULL, NULL},
    {"<Ann <ann@example.org>>", TIDE_ESYNTAX, NULL, NULL},
    {"<ann@exa mple.org>", TIDE_ESYNTAX, NULL, NULL},
    {"<\"ann@example.org>", TIDE_ESYNTAX, NULL, NULL},
    {"<\"ann\\", TIDE_ESYNTAX, NULL, NULL},
    {"<a:b@example.org>", TIDE_ESYNTAX, NULL, NULL},
    {"<@a.example,@b.example>", TIDE_OK, "@a.example,@b.example", ""}, /* the owner refuses it */
    {"<a\tb@example.org>", TIDE_ESYNTAX, NULL, NULL},
};

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(paths); i++) {
        struct text path, params;
        struct tide_error err;
        T_EQ(smtp_path_parse(text_of(paths[i].args), &path, &params, &err), paths[i].want, "%s",
             paths[i].args);
        if (paths[i].want != TIDE_OK)
            continue;
        T_TEXT(path, paths[i].path, "%s", paths[i].args);
        T_TEXT(params, paths[i].params, "%s", paths[i].args);
    }
    T_TRUE(smtp_is_xtext(TEXT("QQ+2B314")), "xtext");
    T_TRUE(!smtp_is_xtext(TEXT("QQ+2b")), "lower case is not");
    T_TRUE(!smtp_is_xtext(TEXT("QQ+2")), "cut");
    T_TRUE(!smtp_is_xtext(TEXT("a=b")), "equals sign");
}

/* ---- sessions ---- */

#define HELLO    "EHLO c\r\n"
#define ENVELOPE "MAIL FROM:<a@x.org>\r\nRCPT TO:<b@y.org>\r\n"
#define START    HELLO ENVELOPE

static const struct {
    const char *name, *sent, *codes, *submitted;
} sessions[] = {
    {"a mail", START "DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n", "220 250 250 250 354 250 221",
     "FROM <a@x.org> TO <b@y.org>\nSubject: x\r\n\r\nhi\r\n"},
    {"verbs and parameters in lower case",
     "ehlo c\r\nmail from:<a@x.org> size=20 body=8bitmime\r\nrcpt "
     "to:<b@y.org>\r\ndata\r\n.\r\nquit\r\n",
     "220 250 250 250 354 250 221", "FROM <a@x.org> TO <b@y.org>\n"},
    {"two mails, the null path, postmaster",
     START "DATA\r\none\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nRCPT TO:<c@y.org>\r\n"
           "DATA\r\ntwo\r\n.\r\n",
     "220 250 250 250 354 250 250 250 250 354 250",
     "FROM <a@x.org> TO <b@y.org>\none\r\nFROM <> TO <Postmaster> <c@y.org>\ntwo\r\n"},
    {"dots", START "DATA\r\n..\r\n.a\r\n...b\r\nc.\r\n.\r\n", "220 250 250 250 354 250",
     "FROM <a@x.org> TO <b@y.org>\n.\r\na\r\n..b\r\nc.\r\n"},
    {"CR and LF alone are content", START "DATA\r\na\n.\nb\r.\rc\n.\r\nd\r.\r\ne\r\n.\r\n",
     "220 250 250 250 354 250", "FROM <a@x.org> TO <b@y.org>\na\n.\nb\r.\rc\n.\r\nd\r.\r\ne\r\n"},
    {"CR CR LF before the dot ends a line, and only CR LF after it ends the message",
     START "DATA\r\na\r\r\n.\r\r\n.\r\n", "220 250 250 250 354 250",
     "FROM <a@x.org> TO <b@y.org>\na\r\r\n\r\r\n"},
    {"BDAT", START "BDAT 3\r\na\r\nBDAT 6 last\r\n.\r\nb\r\n", "220 250 250 250 250 250",
     "FROM <a@x.org> TO <b@y.org>\na\r\n.\r\nb\r\n"},
    {"BDAT 0 LAST", START "BDAT 2\r\nxyBDAT 0 LAST\r\n", "220 250 250 250 250 250",
     "FROM <a@x.org> TO <b@y.org>\nxy"},
    {"a refused chunk is still read", HELLO "BDAT 8\r\nQUIT\r\n\r\nNOOP\r\n", "220 250 503 250",
     ""},
    {"no DATA after BDAT", START "BDAT 1\r\nxDATA\r\nBDAT 1 LAST\r\ny",
     "220 250 250 250 250 503 250", "FROM <a@x.org> TO <b@y.org>\nxy"},
    {"BDAT without a size cannot go on", START "BDAT x\r\nQUIT\r\n", "220 250 250 250 501", ""},
    {"DATA after refused recipients only",
     HELLO "MAIL FROM:<a@x.org>\r\nRCPT TO:<refused@y.org>\r\nDATA\r\nRSET\r\n",
     "220 250 250 550 554 250", ""},
    {"refused and good",
     HELLO "MAIL FROM:<a@x.org>\r\nRCPT TO:<refused@y.org>\r\n"
           "RCPT TO:<b@y.org>\r\nDATA\r\n.\r\n",
     "220 250 250 550 250 354 250", "FROM <a@x.org> TO <b@y.org>\n"},
    {"refused sender", HELLO "MAIL FROM:<refused@x.org>\r\nRCPT TO:<b@y.org>\r\n",
     "220 250 550 503", ""},
    {"out of order",
     "MAIL FROM:<a@x.org>\r\nRCPT TO:<b@y.org>\r\nDATA\r\n" HELLO
     "RCPT TO:<b@y.org>\r\nDATA\r\nMAIL FROM:<a@x.org>\r\nDATA\r\nMAIL FROM:<a@x.org>\r\n",
     "220 503 503 503 250 503 503 250 503 503", ""},
    {"EHLO and RSET end a transaction", START "EHLO c\r\nDATA\r\n" ENVELOPE "RSET\r\nDATA\r\n",
     "220 250 250 250 250 503 250 250 250 503", ""},
    {"arguments",
     "EHLO\r\nHELO\r\n" HELLO "RSET x\r\nQUIT x\r\nDATA x\r\nNOOP x\r\nHELP x\r\nVRFY\r\n"
     "VRFY a\r\nEXPN a\r\nSTARTTLS x\r\n",
     "220 501 501 250 501 501 503 250 214 252 252 502 501", ""},
    {"unknown", "\r\nFOO\r\nEHLOX c\r\n", "220 500 500 500", ""},
    {"parameters",
     HELLO
     "MAIL FROM:<a@x.org> FOO=1\r\nMAIL FROM:<a@x.org> SIZE=x\r\nMAIL FROM:<a@x.org> SIZE=-1\r\n"
     "MAIL FROM:<a@x.org> SIZE=1000001\r\nMAIL FROM:<a@x.org> SIZE=99999999999999999999\r\n"
     "MAIL FROM:<a@x.org> BODY=BINARYMIME\r\nMAIL FROM:<a@x.org> RET=SOME\r\n"
     "MAIL FROM:<a@x.org> ENVID=a=b\r\nMAIL FROM:<a@x.org> SMTPUTF8=1\r\n"
     "MAIL FROM:<a@x.org> RET=HDRS ENVID=QQ SIZE=1000000 BODY=7BIT AUTH=<> SMTPUTF8\r\n"
     "RCPT TO:<b@y.org> SIZE=1\r\nRCPT TO:<b@y.org> NOTIFY=NEVER,DELAY\r\n"
     "RCPT TO:<b@y.org> NOTIFY=delay,success ORCPT=rfc822;b@y.org\r\nRCPT TO:<b@y.org> ORCPT=b\r\n",
     "220 250 555 501 501 552 552 501 501 501 501 250 555 501 250 501", ""},
    {"parameters after HELO", "HELO c\r\nMAIL FROM:<a@x.org> SIZE=1\r\n", "220 250 501", ""},
    {"UTF-8 addresses",
     HELLO "MAIL FROM:<jörg@x.org>\r\nMAIL FROM:<jörg@x.org> SMTPUTF8\r\nRCPT TO:<bücher@y.org>\r\n"
           "RCPT TO:<b\xff@y.org>\r\nDATA\r\n.\r\nMAIL FROM:<a@x.org>\r\nRCPT TO:<jörg@y.org>\r\n",
     "220 250 553 250 250 501 354 250 250 553", "FROM <jörg@x.org> TO <bücher@y.org>\n"},
    {"AUTH PLAIN, all ways", HELLO "AUTH PLAIN AHVzZXIAc2VjcmV0\r\nAUTH PLAIN\r\n",
     "220 250 235 503", ""},
    {"AUTH PLAIN without initial response", HELLO "AUTH plain\r\nAHVzZXIAc2VjcmV0\r\n",
     "220 250 334 235", ""},
    {"AUTH PLAIN with the user as identity", HELLO "AUTH PLAIN dXNlcgB1c2VyAHNlY3JldA==\r\n",
     "220 250 235", ""},
    {"AUTH PLAIN for another", HELLO "AUTH PLAIN cm9vdAB1c2VyAHNlY3JldA==\r\n", "220 250 535", ""},
    {"AUTH LOGIN", HELLO "AUTH LOGIN\r\ndXNlcg==\r\nc2VjcmV0\r\n", "220 250 334 334 235", ""},
    {"AUTH LOGIN with initial user", HELLO "AUTH LOGIN dXNlcg==\r\nc2VjcmV0\r\n", "220 250 334 235",
     ""},
    {"AUTH refused, garbled, cancelled, unknown",
     HELLO
     "AUTH PLAIN AHVzZXIAd3Jvbmc=\r\nAUTH PLAIN !\r\nAUTH PLAIN dXNlcg==\r\nAUTH LOGIN\r\n*\r\n"
     "AUTH LOGIN\r\n!\r\nAUTH CRAM-MD5\r\nAUTH\r\nAUTH PLAIN =\r\nNOOP\r\n",
     "220 250 535 501 501 334 501 334 501 504 501 501 250", ""},
    {"AUTH at the wrong time",
     "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n" START "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n",
     "220 503 250 250 250 503", ""},
    {"line ends", "NOOP\nNOOP\r\r\nNO\rOP\r\nNOOP\r\n", "220 500 500 500 250", ""},
    {"a browser", "POST / HTTP/1.1\r\nHost: x\r\n\r\n" START, "220 421", ""},
    {"what follows QUIT is not read", "QUIT\r\nNOOP\r\n", "220 221", ""},
};

static void run(size_t i, size_t piece, struct buf *out, struct buf *submitted)
{
    struct smtp_script t;
    struct smtp_server_options o = smtp_script_options();
    smtp_script_init(&t, &o);
    smtp_script_send(&t, text_of(sessions[i].sent), piece);
    buf_add_text(out, buf_text(&t.out));
    buf_add_text(submitted, buf_text(&t.submitted));
    smtp_script_fini(&t);
}

/* However the bytes are cut, the replies and the messages are the same. */
static void test_sessions(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(sessions); i++) {
        struct buf whole = {0}, whole_mail = {0}, codes = {0};
        run(i, 0, &whole, &whole_mail);
        smtp_script_codes(buf_text(&whole), &codes);
        T_STR(buf_str(&codes), sessions[i].codes, "%s", sessions[i].name);
        T_TEXT(buf_text(&whole_mail), sessions[i].submitted, "%s", sessions[i].name);
        for (size_t piece = 1; piece < 8; piece++) {
            struct buf out = {0}, mail = {0};
            run(i, piece, &out, &mail);
            T_STR(buf_str(&out), buf_str(&whole), "%s in pieces of %zu", sessions[i].name, piece);
            T_STR(buf_str(&mail), buf_str(&whole_mail), "%s", sessions[i].name);
            buf_fini(&out);
            buf_fini(&mail);
        }
        buf_fini(&whole);
        buf_fini(&whole_mail);
        buf_fini(&codes);
    }
}

static void expect(const struct smtp_server_options *o,
                   const char *sent,
                   const char *want,
                   const char *name)
{
    static const size_t pieces[] = {0, 1, 100};
    for (size_t i = 0; i < TIDE_COUNT(pieces); i++) {
        struct smtp_script t;
        struct buf codes = {0};
        smtp_script_init(&t, o);
        smtp_script_send(&t, text_of(sent), pieces[i]);
        smtp_script_codes(buf_text(&t.out), &codes);
        T_STR(buf_str(&codes), want, "%s", name);
        buf_fini(&codes);
        smtp_script_fini(&t);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct smtp_server_options o = smtp_script_options();
    struct buf b = {0};
    o.recipients_max = 2;
    expect(&o, START "RCPT TO:<c@y.org>\r\nRCPT TO:<d@y.org>\r\nDATA\r\n.\r\n" ENVELOPE,
           "220 250 250 250 250 452 354 250 250 250", "recipients");
    o.errors_max = 3;
    expect(&o, "X\r\nX\r\nNOOP\r\nX\r\nNOOP\r\n", "220 500 500 250 500 421", "errors");
    o.errors_max = 0;
    expect(&o, "X\r\nX\r\nX\r\nX\r\nNOOP\r\n", "220 500 500 500 500 250", "no bound on errors");
    o.messages_max = 1;
    expect(&o, START "DATA\r\n.\r\n" ENVELOPE, "220 250 250 250 354 250 421", "messages");
    o.messages_max = 0;
    o.message_bytes_max = 20;
    expect(&o, START "DATA\r\n123456789012345678\r\n.\r\nNOOP\r\n", "220 250 250 250 354 250 250",
           "as much as is allowed");
    expect(&o, START "DATA\r\n1234567890123456789\r\n.\r\nNOOP\r\n", "220 250 250 250 354 552 250",
           "a byte too much");
    expect(&o, START "BDAT 21\r\n123456789012345678901BDAT 1 LAST\r\nxNOOP\r\n",
           "220 250 250 250 552 503 250", "in a chunk");
    for (size_t over = 0; over < 2; over++) {
        buf_clear(&b);
        buf_adds(&b, "NOOP ");
        while (b.len < SMTP_LINE_BYTES_MAX - 2 + over)
            buf_addc(&b, 'x');
        buf_adds(&b, "\r\nNOOP\r\n");
        expect(&o, buf_str(&b), over ? "220 500 250" : "220 250 250", "a long line");
    }
    buf_clear(&b);
    while (b.len < 100000)
        buf_adds(&b, "endless ");
    buf_adds(&b, "\nNOOP\r\n");
    expect(&o, buf_str(&b), "220 500 250", "a line without end");
    buf_fini(&b);
}

static void test_extensions_not_offered(void **state)
{
    (void)state;
    struct smtp_script t;
    struct smtp_server_options o = smtp_script_options();
    o.extensions = 0;
    expect(&o, HELLO "AUTH PLAIN x\r\nSTARTTLS\r\nBDAT 5\r\nMAIL FROM:<a@x.org> SIZE=1\r\n",
           "220 250 502 502 502 555", "nothing is");
    smtp_script_init(&t, &o);
    smtp_script_send(&t, text_of(HELLO "FOO\r\n"), 0);
    T_STR(buf_str(&t.out),
          "220 mx.example.org ESMTP mailtide\r\n250-mx.example.org\r\n250 HELP\r\n"
          "500 Unknown command\r\n",
          "and no enhanced codes");
    smtp_script_fini(&t);
    o = smtp_script_options();
    smtp_script_init(&t, &o);
    smtp_script_send(&t, text_of(HELLO), 0);
    static const char *const words[] = {
        "250-PIPELINING\r\n", "250-SIZE 1000000\r\n", "250-8BITMIME\r\n",
        "250-SMTPUTF8\r\n",   "250-CHUNKING\r\n",     "250-ENHANCEDSTATUSCODES\r\n",
        "250-DSN\r\n",        "250-STARTTLS\r\n",     "250-AUTH PLAIN LOGIN\r\n",
    };
    for (size_t i = 0; i < TIDE_COUNT(words); i++)
        T_TRUE(strstr(buf_str(&t.out), words[i]), "%s", words[i]);
    smtp_script_fini(&t);
}

static void test_auth_rules(void **state)
{
    (void)state;
    struct smtp_server_options o = smtp_script_options();
    o.auth_required = true;
    expect(&o, START "DATA\r\nVRFY x\r\nAUTH PLAIN AHVzZXIAc2VjcmV0\r\n" ENVELOPE,
           "220 250 530 530 530 252 235 250 250", "needed");
    o.auth_without_tls = false;
    expect(&o, HELLO "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n", "220 250 538", "needs TLS");
}

static void test_starttls_forgets(void **state)
{
    (void)state;
    struct smtp_script t;
    struct smtp_server_options o = smtp_script_options();
    o.auth_without_tls = false;
    smtp_script_init(&t, &o);
    /* the injected command comes with STARTTLS and must not be read in TLS */
    smtp_script_send(&t, text_of(HELLO "STARTTLS\r\nNOOP\r\n"), 0);
    T_TRUE(!strstr(buf_str(&t.out), "AUTH"), "no AUTH in the clear");
    buf_clear(&t.out);
    smtp_script_send(&t, text_of("MAIL FROM:<a@x.org>\r\nEHLO c\r\nSTARTTLS\r\n"), 0);
    T_TRUE(strstr(buf_str(&t.out), "250-AUTH PLAIN LOGIN"), "AUTH within TLS");
    T_TRUE(!strstr(buf_str(&t.out), "250-STARTTLS"), "not twice");
    struct buf codes = {0};
    smtp_script_codes(buf_text(&t.out), &codes);
    T_STR(buf_str(&codes), "503 250 503", "EHLO is forgotten, and TLS is not begun twice");
    buf_fini(&codes);
    smtp_script_fini(&t);

    o.auth_without_tls = true;
    smtp_script_init(&t, &o);
    smtp_script_send(&t, text_of(HELLO "AUTH PLAIN AHVzZXIAc2VjcmV0\r\nSTARTTLS\r\n"), 0);
    T_TRUE(!t.server.authenticated && t.server.tls, "AUTH is forgotten");
    smtp_script_fini(&t);
}

static void feed(struct smtp_server *s, const char *bytes)
{
    struct tide_error err;
    T_OK(smtp_server_feed(s, bytes, strlen(bytes), &err), &err, "feed");
}

static void test_answers_may_come_later(void **state)
{
    (void)state;
    struct smtp_server s;
    struct smtp_server_options o = smtp_script_options();
    struct buf out = {0};
    struct reply yes = {.code = 250, .enhanced = {2, 1, 0}}, limited = {0}, gone = {0};
    smtp_server_init(&s, &o);
    smtp_server_greet(&s, NULL, &out);
    feed(&s,
         START "RCPT TO:<c@y.org> NOTIFY=NEVER ORCPT=rfc822;d@y.org\r\nDATA\r\nx\r\n.\r\nNOOP\r\n");
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_MAIL, "sender");
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_MAIL, "asks until it is answered");
    T_TEXT(s.mail.sender, "a@x.org", "sender");
    smtp_server_answer(&s, &yes, &out);
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_RCPT, "first");
    reply_set(&limited, 550, NULL, "Connection frequency limited");
    smtp_server_answer(&s, &limited, &out);
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_RCPT, "second");
    T_TEXT(s.recipient.notify, "NEVER", "notify");
    T_TEXT(s.recipient.orcpt, "rfc822;d@y.org", "orcpt");
    smtp_server_answer(&s, &yes, &out);
    buf_clear(&out);
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_MESSAGE, "message");
    T_EQ(s.mail.recipient_count, 1, "those accepted");
    T_TEXT(s.mail.recipients[0].address, "c@y.org", "and who");
    T_TRUE(!strstr(buf_str(&out), "250"), "not answered before it is decided");
    reply_set(&gone, 421, (int[]){4, 3, 2}, "Going down");
    smtp_server_close(&s, &gone, &out);
    T_TRUE(!strstr(buf_str(&out), "421"), "a message's fate is told first");
    buf_clear(&out);
    smtp_server_answer(&s, &yes, &out);
    T_STR(buf_str(&out), "250 2.1.0 Ok\r\n421 4.3.2 Going down\r\n", "then the end");
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_CLOSE, "closed");
    smtp_server_fini(&s);
    buf_fini(&out);
}

static void test_refusals(void **state)
{
    (void)state;
    struct smtp_server s;
    struct smtp_server_options o = smtp_script_options();
    struct buf out = {0};
    struct reply r;
    smtp_server_init(&s, &o);
    reply_set(&r, 554, (int[]){5, 7, 1}, "Your address is listed");
    smtp_server_greet(&s, &r, &out);
    T_STR(buf_str(&out), "554 5.7.1 Your address is listed\r\n", "instead of a greeting");
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_CLOSE, "closed");
    smtp_server_fini(&s);

    buf_clear(&out);
    smtp_server_init(&s, &o);
    smtp_server_greet(&s, NULL, &out);
    buf_clear(&out);
    feed(&s, "HELO c\r\nMAIL FROM:<a@x.org>\r\n");
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_MAIL, "sender");
    buf_clear(&out);
    r = (struct reply){.code = 550};
    for (size_t i = 0; i < 1000; i++)
        r.text[i] = i % 10 == 9 ? ' ' : i == 5 ? '\n' : (char)0xc3;
    smtp_server_answer(&s, &r, &out);
    struct text line, rest = buf_text(&out);
    int lines = 0;
    while (text_split(&rest, '\n', &line) && line.n) {
        T_TRUE(line.n < 512, "a line of %zu", line.n);
        T_TRUE(text_starts(line, TEXT("550")) && text_is_ascii(line), "clean");
        lines++;
    }
    T_EQ(lines, 3, "long texts take several lines");
    buf_clear(&out);
    feed(&s, "MAIL FROM:<a@x.org>\r\n");
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_MAIL, "sender");
    smtp_server_answer(&s, &(struct reply){0}, &out);
    T_EQ(out.len, 0, "hanging up without a word");
    T_EQ(smtp_server_step(&s, &out), SMTP_ASK_CLOSE, "closed");
    smtp_server_fini(&s);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_extensions_not_offered),
        cmocka_unit_test(test_auth_rules),
        cmocka_unit_test(test_starttls_forgets),
        cmocka_unit_test(test_answers_may_come_later),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
