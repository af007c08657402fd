#include "core/proto/reply.h"
#include "lib/check.h"

#include <stdlib.h>

static const struct {
    const char *in;
    int code, enhanced[3];
    const char *text;
} good[] = {
    {"250 OK\r\n", 250, {0}, "OK"},
    {"250", 250, {0}, ""},
    {"250 ", 250, {0}, ""},
    {"354 go on\n", 354, {0}, "go on"},
    {"550 5.1.1 no such user", 550, {5, 1, 1}, "no such user"},
    {"550 5.1.1", 550, {5, 1, 1}, ""},
    {"550 4.7.1 odd class", 550, {4, 7, 1}, "odd class"},
    {"250 2.0.0\tok", 250, {2, 0, 0}, "ok"},
    {"550 5.1.1234 no detail has four digits", 550, {0}, "5.1.1234 no detail has four digits"},
    {"550 1.1.1 no such class", 550, {0}, "1.1.1 no such class"},
    {"550 5.1 short", 550, {0}, "5.1 short"},
    {"550 5.1.1x", 550, {0}, "5.1.1x"},
    {"550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n", 550, {5, 7, 1}, "one two three"},
    {"550-one\n550 two\n", 550, {0}, "one two"},
    {"250-mx.example\r\n250-\r\n250 SIZE 10", 250, {0}, "mx.example SIZE 10"},
    {"452 4.3.1 a\tb\x01"
     "c",
     452,
     {4, 3, 1},
     "a b c"},
    {"550 \xe6\x8b\x92\xe6\x94\xb6", 550, {0}, "\xe6\x8b\x92\xe6\x94\xb6"},
    {"550 \xbe\xdc\xca\xd5 GBK", 550, {0}, "???? GBK"},
    {"550-a text without its last line\r\n", 550, {0}, "a text without its last line"},
};

static const char *const bad[] = {
    "",
    "\r\n",
    "25",
    "abc",
    "150 no such class",
    "650 nor this",
    "250x",
    "2500 ok",
    "5.1.1 user",
    "250-a\r\n550 b",
    "250 a\r\n250 b",
    "250-a\r\n\r\n250 b",
    "HTTP/1.1 400 Bad Request",
};

static void test_parse(void **state)
{
    (void)state;
    struct tide_error err;
    for (size_t i = 0; i < TIDE_COUNT(good); i++) {
        struct reply r;
        T_OK(reply_parse(text_of(good[i].in), &r, &err), &err, "%s", good[i].in);
        T_EQ(r.code, good[i].code, "%s", good[i].in);
        for (int k = 0; k < 3; k++)
            T_EQ(r.enhanced[k], good[i].enhanced[k], "%s", good[i].in);
        T_STR(r.text, good[i].text, "%s", good[i].in);
    }
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct reply r;
        T_EQ(reply_parse(text_of(bad[i]), &r, &err), TIDE_ESYNTAX, "%s", bad[i]);
    }
}

static void test_text_back(void **state)
{
    (void)state;
    static const char *const same[] = {"550 5.1.1 no such user", "250 OK", "250", "250 2.0.0"};
    struct tide_error err;
    struct reply r;
    char out[REPLY_TEXT_BYTES_MAX + 64];
    for (size_t i = 0; i < TIDE_COUNT(same); i++) {
        T_OK(reply_parse(text_of(same[i]), &r, &err), &err, "%s", same[i]);
        T_STR(reply_text(&r, out, sizeof out), same[i], "there and back");
    }
    reply_set(&r, 0, NULL, "connection reset\r\nby %s", "peer");
    T_STR(reply_text(&r, out, sizeof out), "connection reset  by peer", "no code");
    reply_set(&r, 550, (const int[]){5, 6, 7}, "needs SMTPUTF8");
    T_STR(reply_text(&r, out, sizeof out), "550 5.6.7 needs SMTPUTF8", "our own");
    T_STR(reply_text(&r, out, 8), "550 5.6", "cut to fit");
}

static void test_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    struct tide_error err;
    char in[4 + 2 + 3 * REPLY_TEXT_BYTES_MAX] = "550 ";
    for (size_t shift = 0; shift < 3; shift++) {
        struct reply r;
        struct text t = {in, 4 + shift};
        memset(in + 4, 'a', shift);
        for (int i = 0; i < REPLY_TEXT_BYTES_MAX; i++, t.n += 3)
            memcpy(in + t.n, "\xe2\x82\xac", 3); /* euro sign */
        T_OK(reply_parse(t, &r, &err), &err, "shift %zu", shift);
        T_TRUE(text_is_utf8(text_of(r.text)), "shift %zu", shift);
        T_TRUE(strlen(r.text) > REPLY_TEXT_BYTES_MAX - 5, "cut no further than needed");
        T_TRUE(!strchr(r.text, '?'), "shift %zu: a cut is no reason for question marks", shift);
    }
}

static const struct {
    const char *in;
    enum tide_err want;
    size_t n;
} scans[] = {
    {"", TIDE_OK, 0},
    {"250 ok\r", TIDE_OK, 0},
    {"250 ok\r\n", TIDE_OK, 8},
    {"250 ok\n", TIDE_OK, 7},
    {"250-a\r\n250 b\r\n", TIDE_OK, 14},
    {"250-a\r\n250-b\r\n", TIDE_OK, 0},
    {"250 a\r\n250 b\r\n", TIDE_OK, 7},
    {"250-a\r\n251 b\r\n", TIDE_ESYNTAX, 0},
    {"\r\n", TIDE_ESYNTAX, 0},
    {"HTTP/1.1 400\r\n", TIDE_ESYNTAX, 0},
    {"HTTP/1.1 400", TIDE_OK, 0},
};

static void test_scan(void **state)
{
    (void)state;
    struct tide_error err;
    for (size_t i = 0; i < TIDE_COUNT(scans); i++) {
        size_t n = 0;
        T_EQ(reply_scan(text_of(scans[i].in), &n, &err), scans[i].want, "%s", scans[i].in);
        T_EQ(n, scans[i].n, "%s", scans[i].in);
    }
    char *giant = malloc(REPLY_BYTES_MAX + 100);
    memset(giant, 'x', REPLY_BYTES_MAX + 100);
    memcpy(giant, "250 ", 4);
    size_t n = 0;
    T_EQ(reply_scan((struct text){giant, REPLY_LINE_BYTES_MAX - 1}, &n, &err), TIDE_OK, "may end");
    T_EQ(reply_scan((struct text){giant, REPLY_LINE_BYTES_MAX}, &n, &err), TIDE_ELIMIT, "no more");
    for (size_t at = 0; at < REPLY_BYTES_MAX; at += 64) {
        memcpy(giant + at, "250-", 4);
        memcpy(giant + at + 62, "\r\n", 2);
    }
    T_EQ(reply_scan((struct text){giant, REPLY_BYTES_MAX - 64}, &n, &err), TIDE_OK, "may end");
    T_EQ(n, 0, "has not ended");
    T_EQ(reply_scan((struct text){giant, REPLY_BYTES_MAX}, &n, &err), TIDE_ELIMIT, "too long");
    free(giant);
}

/* Real replies: whatever their first digits say is what the parser says. */
static void test_corpus(void **state)
{
    (void)state;
    const char *dir = corpora_dir("real replies");
    if (!dir)
        return;
    char path[4096], line[16384];
    snprintf(path, sizeof path, "%s/replies/replies.tsv", dir);
    FILE *f = fopen(path, "r");
    T_TRUE(f != NULL, "%s", path);
    size_t parsed = 0;
    while (fgets(line, sizeof line, f)) {
        struct text rest = text_of(line), source = {0}, reply = {0}, code = {0};
        struct tide_error err;
        struct reply r;
        T_TRUE(text_split(&rest, '\t', &source) && text_split(&rest, '\t', &reply) &&
                   text_split(&rest, '\t', &code),
               "%s", line);
        if (reply_parse(reply, &r, &err) != TIDE_OK)
            continue;
        parsed++;
        T_EQ(r.code, strtol(reply.p, NULL, 10), "%s", line);
        T_TRUE(text_is_utf8(text_of(r.text)), "%s", line);
    }
    fclose(f);
    T_TRUE(parsed > 100, "only %zu replies parsed", parsed);
}

static const struct {
    const char *reply, *id;
} mail_ids[] = {
    {"250 2.0.0 Ok: queued as 3F2A8C01", "3F2A8C01"},
    {"250 Ok 0102018c5d1f-7c19-000000", "0102018c5d1f-7c19-000000"},
    {"250 OK id=1smi9f-00057m-86zr", "1smi9f-00057m-86zr"},
    {"250 2.0.0 SendGrid took it: id=wrfRRvF7Q0GgwUo2CvDmEA", "wrfRRvF7Q0GgwUo2CvDmEA"},
    {"250 2.0.0 X took it: id=wrfRRvFQGgwUoCvDmEA", "wrfRRvFQGgwUoCvDmEA"},
    {"250 2.0.0 Mailgun took it: id=<20260101.1.A@shop.test>", "<20260101.1.A@shop.test>"},
    {"250 2.0.0 OK  1700000000 a1-20020a05 - gsmtp", "a1-20020a05"},
    {"250 2.0.0 Ok, message queued (B0FFEE42).", "B0FFEE42"},
    {"250 2.0.0 taken", ""},
    {"250", ""},
    {"", ""},
};

static void test_mail_id(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(mail_ids); i++)
        T_TEXT(reply_mail_id(text_of(mail_ids[i].reply)), mail_ids[i].id, "%s", mail_ids[i].reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_text_back),
        cmocka_unit_test(test_long_text_is_cut_between_characters),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_mail_id),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
