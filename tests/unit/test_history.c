#include "core/proto/history.h"

#include "base/buf.h"

#include "lib/check.h"

#include <stdlib.h>

#define NOW_S 1772445600 /* 2026-03-02T10:00:00Z */

struct found {
    struct buf text;
};

static bool put(void *arg, const struct history_item *item)
{
    struct found *f = arg;
    static const char letters[HISTORY_CLASSES] = {'u', 'd', 'w'};
    buf_addf(&f->text, "%lld " TEXT_FMT " %c\n", (long long)item->at_s, TEXT_ARG(item->recipient),
             letters[item->class]);
    return true;
}

static const struct {
    const char *name, *bytes;
    enum history_format format;
    const char *want;
    uint64_t again;
} good[] = {
    {"a trace", "1000\t7\t3\t1\n1001\t8\t3\t0\n1001\t8\t3\t2\n", HISTORY_TABLE,
     "1000 7 d\n1001 8 u\n1001 8 w\n", 0},
    {"names that nobody knows", "wann,wer\n1000,ann@x.org\n", HISTORY_TABLE, "1000 ann@x.org d\n",
     0},
    {"names, in any order",
     "Priority;To;Subject;Time\nurgent;a@x.org;\"x;y\";2026-03-02T10:00:00Z\n", HISTORY_TABLE,
     "1772445600 a@x.org u\n", 0},
    {"a byte order mark, CRLF, a comment", "\xef\xbb\xbf# mine\r\ntime,email\r\n5,a@x.org\r\n",
     HISTORY_TABLE, "5 a@x.org d\n", 0},
    {"milliseconds", "1772445600123,a@x.org\n", HISTORY_TABLE, "1772445600 a@x.org d\n", 0},
    {"SendGrid's export",
     "processed,message_id,event,subject,from,email\n"
     "2026-03-02 10:00:00,m1,processed,\"Hi, you\",shop@s.org,a@x.org\n"
     "2026-03-02 10:00:00,m1,delivered,\"Hi, you\",shop@s.org,a@x.org\n"
     "2026-03-02 10:00:01 UTC,m1,processed,Hi,shop@s.org,b@x.org\n",
     HISTORY_TABLE, "1772445600 a@x.org d\n1772445601 b@x.org d\n", 1},
    {"SES, a table with lists",
     "eventType,mail.timestamp,mail.messageId,mail.destination\n"
     "Send,2026-03-02T10:00:00.123Z,m1,\"[a@x.org, b@x.org]\"\n"
     "Delivery,2026-03-02T10:00:00.123Z,m1,\"[a@x.org, b@x.org]\"\n",
     HISTORY_TABLE, "1772445600 a@x.org d\n1772445600 b@x.org d\n", 2},
    {"SES, a line each",
     "{\"eventType\":\"Send\",\"mail\":{\"timestamp\":\"2026-03-02T10:00:00Z\",\"messageId\":"
     "\"m1\","
     "\"destination\":[\"a@x.org\"]}}\n"
     "{\"notificationType\":\"Delivery\",\"mail\":{\"timestamp\":\"2026-03-02T10:00:00Z\","
     "\"messageId\":\"m1\",\"destination\":[\"a@x.org\"]}}\n",
     HISTORY_EVENTS, "1772445600 a@x.org d\n", 1},
    {"SES through SNS and EventBridge, one behind the other",
     "{\"Type\":\"Notification\",\"Message\":\"{\\\"mail\\\":{\\\"timestamp\\\":"
     "\\\"2026-03-02T10:00:00Z\\\",\\\"messageId\\\":\\\"{\\\",\\\"destination\\\":[\\\"a@x."
     "org\\\"]"
     "}}\"}{\"source\":\"aws.ses\",\"detail\":{\"mail\":{\"timestamp\":\"2026-03-02T10:00:01Z\","
     "\"messageId\":\"m2\",\"destination\":[\"b@x.org\"]}}}",
     HISTORY_EVENTS, "1772445600 a@x.org d\n1772445601 b@x.org d\n", 0},
    {"SendGrid's webhook, an array",
     "[{\"email\":\"a@x.org\",\"timestamp\":1000,\"event\":\"processed\",\"sg_message_id\":\"s\"},"
     "\n"
     " {\"email\":\"a@x.org\",\"timestamp\":1009,\"event\":\"open\",\"sg_message_id\":\"s\"}]",
     HISTORY_EVENTS, "1000 a@x.org d\n", 1},
    {"Postfix over New Year: filter, bounce and retry count once",
     "Dec 31 23:59:50 mx postfix/smtp[8]: A1: to=<a@x.org>, relay=127.0.0.1[127.0.0.1]:10024, "
     "delay=1, status=sent (250 ok)\n"
     "Dec 31 23:59:50 mx postfix/smtp[8]: A2: to=<a@x.org>, orig_to=<b@y.org>, relay=mx.x.org[1.2."
     "3.4]:25, delay=2.9, delays=1/1/0/0, dsn=2.0.0, status=sent (250 ok)\n"
     "Jan  1 00:00:10 mx postfix/smtp[8]: A3: to=<a@x.org>, relay=none, delay=0.1, "
     "status=deferred (timed out)\n"
     "Jan  1 01:00:10 mx postfix/smtp[8]: A3: to=<a@x.org>, relay=mx.x.org[1.2.3.4]:25, "
     "delay=3600, status=sent (250 ok)\n"
     "Jan  1 01:00:11 mx postfix/qmgr[9]: A3: removed\n"
     "Jan  1 01:00:12 mx postfix/qmgr[9]: A4: from=<>, size=9\n"
     "Jan  1 01:00:13 mx postfix/smtp[8]: A4: to=<a@x.org>, relay=mx.x.org[1.2.3.4]:25, delay=1, "
     "status=sent (250 ok)\n",
     HISTORY_POSTFIX, "1767225588 a@x.org d\n1767225610 a@x.org d\n", 1},
    {"Postfix with full times",
     "2026-03-02T11:00:05.5+01:00 mx postfix/smtp[8]: A1: to=<a@x.org>, relay=r[1.2.3.4]:25, "
     "delay=5, status=bounced (550 no)\n",
     HISTORY_POSTFIX, "1772445600 a@x.org d\n", 0},
};

static enum tide_err read_it(const char *bytes,
                             const struct zone *zone,
                             struct found *f,
                             struct history_result *ret,
                             struct tide_error *err)
{
    const struct history_options o = {.zone = zone, .now_s = NOW_S, .arg = f, .each = put};
    *f = (struct found){0};
    return history_read(text_of(bytes), &o, ret, err);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(good); i++) {
        struct found f;
        struct history_result r;
        struct tide_error err;
        T_OK(read_it(good[i].bytes, NULL, &f, &r, &err), &err, "%s", good[i].name);
        T_EQ(r.format, good[i].format, "%s", good[i].name);
        T_TEXT(buf_text(&f.text), good[i].want, "%s", good[i].name);
        T_EQ(r.again, good[i].again, "%s", good[i].name);
        T_EQ(r.bad, 0, "%s", good[i].name);
        buf_fini(&f.text);
    }
}

static void test_zone(void **state)
{
    (void)state;
    struct zone *z = zone_new(8 * 3600);
    struct found f;
    struct history_result r;
    struct tide_error err;
    T_OK(read_it("time,email\n2026-03-02 18:00:00,a@x.org\n2026-03-02 10:00:00Z,b@x.org\n", z, &f,
                 &r, &err),
         &err, "zone");
    T_TEXT(buf_text(&f.text), "1772445600 a@x.org d\n1772445600 b@x.org d\n", "local and UTC");
    buf_fini(&f.text);
    zone_free(z);
}

static const struct {
    const char *name, *bytes, *says;
} bad[] = {
    {"nothing", "", "no notification"},
    {"no time", "1,a\n2,b\nthree,c\n", "line 3"},
    {"no recipient", "time,email\n5,\n", "line 2"},
    {"another priority", "1,a,t,1\n1,a,t,later\n", "line 2"},
    {"a month that is none", "time,to\n2026-13-02 10:00:00,a@x.org\n", "line 2"},
    {"JSON of something else", "{\"a\":1}\n", "event 1"},
    {"JSON that does not end", "{\"mail\":{\"timestamp\"", "event 1"},
    {"Postfix without a delivery", "Jan  1 01:00:11 mx postfix/qmgr[9]: A3: removed\n",
     "no notification"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct found f;
        struct history_result r;
        struct tide_error err;
        T_TRUE(read_it(bad[i].bytes, NULL, &f, &r, &err) != TIDE_OK, "%s", bad[i].name);
        T_TRUE(strstr(err.text, bad[i].says), "%s: %s", bad[i].name, err.text);
        buf_fini(&f.text);
    }
}

/* One bad line in a long file is counted, not fatal. */
static void test_few_bad(void **state)
{
    (void)state;
    struct buf b = {0};
    struct found f;
    struct history_result r;
    struct tide_error err;
    buf_adds(&b, "time,email\n");
    for (int i = 0; i < 200; i++)
        buf_addf(&b, i == 100 ? "soon,a@x.org\n" : "%d,a@x.org\n", 1000 + i);
    T_OK(read_it(buf_str(&b), NULL, &f, &r, &err), &err, "few bad");
    T_EQ(r.items, 199, "items");
    T_EQ(r.bad, 1, "bad");
    T_TRUE(strstr(r.first_bad, "line 102"), "%s", r.first_bad);
    buf_fini(&f.text);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_zone),
                                       cmocka_unit_test(test_bad), cmocka_unit_test(test_few_bad)};
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
