#include "core/esp/quota.h"
#include "lib/check.h"

#include <strings.h>

#define NOW 1772424000000LL

static const char *const *lent; /* name, value, ..., NULL */

static struct text header(void *arg, const char *name)
{
    (void)arg;
    for (size_t i = 0; lent[i]; i += 2)
        if (strcasecmp(lent[i], name) == 0)
            return text_of(lent[i + 1]);
    return (struct text){0};
}

static void test_ses_account(void **state)
{
    (void)state;
    static const struct {
        const char *name, *body;
        bool ok;
        struct quota_account want;
        const char *enforcement;
    } cases[] = {
        {"a production account",
         "{\"DedicatedIpAutoWarmupEnabled\":true,\"EnforcementStatus\":\"HEALTHY\","
         "\"ProductionAccessEnabled\":true,\"SendQuota\":{\"Max24HourSend\":50000.0,"
         "\"MaxSendRate\":14.0,\"SentLast24Hours\":137.0},\"SendingEnabled\":true}",
         true,
         {.day_max = 50000, .day_sent = 137, .rate_max = 14},
         "HEALTHY"},
        {"the sandbox, on probation",
         "{\"EnforcementStatus\":\"PROBATION\",\"ProductionAccessEnabled\":false,\"SendQuota\":{"
         "\"Max24HourSend\":200,\"MaxSendRate\":1,\"SentLast24Hours\":0},\"SendingEnabled\":false}",
         true,
         {.day_max = 200, .day_sent = 0, .rate_max = 1, .sandbox = true, .sending_off = true},
         "PROBATION"},
        {"unlimited, slow",
         "{\"SendQuota\":{\"Max24HourSend\":-1,\"MaxSendRate\":0.5,\"SentLast24Hours\":9e99}}",
         true,
         {.day_max = QUOTA_UNLIMITED, .day_sent = QUOTA_UNLIMITED, .rate_max = 1},
         ""},
        {"half of it",
         "{\"SendQuota\":{}}",
         true,
         {.day_max = -1, .day_sent = -1, .rate_max = -1},
         ""},
        {"an error", "{\"message\":\"no\"}", false, {0}, ""},
        {"a list", "[1,2]", false, {0}, ""},
    };
    const struct quota_api *api = quota_api_find(TEXT("ses"));
    T_TRUE(api && api->signs_aws, "SES tells");
    T_TRUE(!quota_api_find(TEXT("postmark")), "Postmark does not");
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena a = {0};
        struct json *doc = NULL;
        struct tide_error err;
        struct quota_account got;
        T_OK(json_parse(text_of(cases[i].body), 10000, &doc, &err), &err, "%s", cases[i].name);
        T_EQ(api->read(doc, &a, &got), cases[i].ok, "%s", cases[i].name);
        if (cases[i].ok) {
            const struct quota_account *want = &cases[i].want;
            T_EQ(got.day_max, want->day_max, "%s: day", cases[i].name);
            T_EQ(got.day_sent, want->day_sent, "%s: sent", cases[i].name);
            T_EQ(got.rate_max, want->rate_max, "%s: rate", cases[i].name);
            T_EQ(got.sandbox, want->sandbox, "%s: sandbox", cases[i].name);
            T_EQ(got.sending_off, want->sending_off, "%s: off", cases[i].name);
            T_TEXT(got.enforcement, cases[i].enforcement, "%s", cases[i].name);
        }
        json_free(doc);
        arena_fini(&a);
    }
}

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *headers[8];
        int64_t limit, remaining, reset_ms, window_ms;
    } cases[] = {
        {"none", {NULL}, -1, -1, 0, 0},
        {"SendGrid, the first of its minute",
         {"x-ratelimit-limit", "600", "X-RateLimit-Remaining", "599", "X-RateLimit-Reset",
          "1772424058", NULL},
         600,
         599,
         58000,
         TIME_MINUTE_MS},
        {"SendGrid, a later one",
         {"X-RateLimit-Limit", "600", "X-RateLimit-Remaining", "3", "X-RateLimit-Reset",
          "1772424010", NULL},
         600,
         3,
         10000,
         0},
        {"Resend",
         {"ratelimit-limit", "5", "ratelimit-remaining", "4", "ratelimit-reset", "1", NULL},
         5,
         4,
         1000,
         TIME_SECOND_MS},
        {"several policies",
         {"RateLimit-Limit", "5, 5;w=1, 100;w=60", "RateLimit-Remaining", "0", "RateLimit-Reset",
          "1", NULL},
         5,
         0,
         1000,
         0},
        {"Brevo",
         {"x-sib-ratelimit-limit", "1000", "x-sib-ratelimit-remaining", "999",
          "x-sib-ratelimit-reset", "1.5", NULL},
         1000,
         999,
         1000,
         TIME_SECOND_MS},
        {"words", {"X-RateLimit-Limit", "many", "X-RateLimit-Remaining", "-4", NULL}, -1, -1, 0, 0},
        {"a limit of none",
         {"X-RateLimit-Limit", "0", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "5", NULL},
         -1,
         -1,
         0,
         0},
        {"a reset that has passed",
         {"X-RateLimit-Limit", "9", "X-RateLimit-Remaining", "8", "X-RateLimit-Reset", "1000000001",
          NULL},
         9,
         8,
         0,
         0},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct send_answer answer = {.status = 200, .header = header, .now = NOW};
        struct quota_headers h;
        lent = cases[i].headers;
        quota_headers_read(&answer, &h);
        T_EQ(h.limit, cases[i].limit, "%s: limit", cases[i].name);
        T_EQ(h.remaining, cases[i].remaining, "%s: remaining", cases[i].name);
        T_EQ(h.reset_ms, cases[i].reset_ms, "%s: reset", cases[i].name);
        T_EQ(quota_window_ms(&h), cases[i].window_ms, "%s: window", cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ses_account),
        cmocka_unit_test(test_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
