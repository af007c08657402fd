#include "cmd/mailtide-lab/limits.h"
#include "cmd/mailtide-lab/world.h"
#include "lib/check.h"

#define MIN  TIME_MINUTE_MS
#define HOUR TIME_HOUR_MS

static struct world *world_of(const char *limits)
{
    struct buf b = {0};
    struct world *w = NULL;
    struct tide_error err = {0};
    buf_addf(&b, "providers: { p: { mx = [\"mx.example\"]; limits: { %s }; }; };", limits);
    T_OK(world_parse("test.conf", buf_text(&b), &w, &err), &err, "%s", limits);
    buf_fini(&b);
    return w;
}

static tide_wall_ms at(const char *s)
{
    tide_wall_ms t = 0;
    struct tide_error err = {0};
    T_OK(time_parse_rfc3339(text_of(s), &t, &err), &err, "%s", s);
    return t;
}

static struct meter_subject who(const char *sender, const char *mailbox)
{
    return (struct meter_subject){.ip = TEXT("127.0.0.1"),
                                  .helo = TEXT("out.example"),
                                  .sender = text_of(sender),
                                  .mailbox = text_of(mailbox)};
}

/* One mail as a provider takes it; the name of the limit that refused, "" for none. */
static const char *mail(struct meters *m, const char *sender, const char *mailbox, tide_wall_ms t)
{
    const struct meter_subject s = who(sender, mailbox);
    const struct lab_limit *l = NULL;
    for (enum lab_stage stage = LAB_CONNECT; stage <= LAB_DATA && !l; stage++)
        l = meters_ask(m, stage, &s, t);
    if (!l)
        l = meters_take(m, &s, t);
    return l ? l->name : "";
}

static void test_day(void **state)
{
    (void)state;
    struct world *w = world_of("day: { scope = \"mailbox\"; count = 3; window = \"day\"; zone = "
                               "\"Asia/Shanghai\"; stage = \"rcpt\"; };");
    struct meters m;
    struct tide_error err = {0};
    T_OK(meters_init(&m, w->providers[0].limits, w->providers[0].limit_count, &err), &err, "init");
    tide_wall_ms noon = at("2026-03-02T12:00:00+08:00");
    for (int i = 0; i < 3; i++)
        T_STR(mail(&m, "a@x", "bruce@y", noon + i), "", "room");
    T_STR(mail(&m, "a@x", "bruce@y", noon + 4), "day", "the fourth");
    T_STR(mail(&m, "b@z", "BRUCE@y", noon + 5), "day", "case and sender do not matter");
    T_STR(mail(&m, "a@x", "ann@y", noon + 6), "", "another mailbox");
    T_STR(mail(&m, "a@x", "bruce@y", at("2026-03-02T23:59:59+08:00")), "day", "the same day");
    T_STR(mail(&m, "a@x", "bruce@y", at("2026-03-03T00:00:00+08:00")), "", "it turns over");
    T_STR(mail(&m, "a@x", "bruce@y", noon), "", "a clock that goes back stays in the window");
    struct buf b = {0};
    struct json_writer jw;
    jw_init(&jw, &b);
    meters_write(&m, &jw, NULL);
    T_TRUE(strstr(buf_str(&b), "\"subject\":\"bruce@y\",\"count\":3,\"most\":3,\"refused\":3"),
           "%s", buf_str(&b));
    T_TRUE(strstr(buf_str(&b), "\"start\":\"2026-03-01T16:00:00.000Z\","
                               "\"end\":\"2026-03-02T16:00:00.000Z\",\"used\":3,\"refused\":3"),
           "%s", buf_str(&b));
    buf_fini(&b);
    meters_fini(&m);
    world_free(w);
}

/* Minutes after which a mail is tried, and which of them are let through. */
static const struct {
    const char *name, *limit, *minutes, *want;
} cases[] = {
    {"rolling, accepted", "count = 2; window = \"rolling 10min\";", "0 1 2 9 10 11 12", "++--++-"},
    {"rolling, attempts", "count = 2; window = \"rolling 10min\"; counts = \"attempts\";",
     "0 1 2 9 10 11 12 22", "++-----+"},
    {"cooldown", "window = \"cooldown 5min\"; counts = \"attempts\";", "0 4 8 12 17 18", "+---+-"},
    {"cooldown, accepted", "window = \"cooldown 5min\";", "0 4 5 9 10", "+-+-+"},
    {"clock", "count = 1; window = \"clock 30min\";", "0 29 30 31 60", "+-+-+"},
    {"none at all", "count = 0; window = \"hour\";", "0 61", "--"},
};

static void test_windows(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        char limits[256];
        snprintf(limits, sizeof limits, "l: { %s };", cases[i].limit);
        struct world *w = world_of(limits);
        struct meters m;
        struct tide_error err = {0};
        T_OK(meters_init(&m, w->providers[0].limits, 1, &err), &err, "init");
        struct text rest = text_of(cases[i].minutes), word;
        char got[32] = "";
        for (size_t n = 0; text_split(&rest, ' ', &word); n++) {
            int64_t minute = 0;
            T_OK(text_int(word, 0, 1000, &minute, &err), &err, "minutes");
            tide_wall_ms t = at("2026-03-02T00:00:00Z") + minute * MIN;
            got[n] = *mail(&m, "a@x", "b@y", t) ? '-' : '+';
        }
        T_STR(got, cases[i].want, "%s", cases[i].name);
        meters_fini(&m);
        world_free(w);
    }
}

/* All limits or none: what one refuses is not charged to another. */
static void test_scopes(void **state)
{
    (void)state;
    struct world *w =
        world_of("box: { scope = \"mailbox\"; count = 1; };"
                 "pair: { scope = \"pair\"; count = 1; };"
                 "domain: { scope = \"sender-domain\"; stage = \"mail\"; count = 3; };"
                 "ip: { scope = \"ip\"; stage = \"connect\"; count = 4; };"
                 "helo: { scope = \"helo\"; stage = \"mail\"; count = 9; };");
    struct meters m;
    struct tide_error err = {0};
    tide_wall_ms t = at("2026-03-02T12:00:00Z");
    T_OK(meters_init(&m, w->providers[0].limits, w->providers[0].limit_count, &err), &err, "init");
    T_STR(mail(&m, "a@x", "b@y", t), "", "first");
    T_STR(mail(&m, "a@x", "b@y", t), "box", "the mailbox is full for today");
    T_STR(mail(&m, "a@x", "c@y", t), "", "refusals are not counted");
    T_STR(mail(&m, "b@X", "d@y", t), "", "the third of the domain");
    T_STR(mail(&m, "c@x", "e@y", t), "domain", "the fourth");
    T_STR(mail(&m, "c@z", "e@y", t), "", "another domain");
    T_STR(mail(&m, "d@q", "f@y", t), "ip", "the fifth of the address");
    meters_fini(&m);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_day),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
