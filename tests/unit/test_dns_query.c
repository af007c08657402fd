/* One question's way, as scripts: event by event, and what must come out. */
#include "core/dns/query.h"
#include "lib/check.h"

#define STEPS_MAX 12

/* Out: 'u' UDP, 't' TCP, small letter without EDNS marked by 'U'/'T' (plain), digit the server,
 * '=' done with the status. */
struct step {
    enum query_event event;
    enum dns_status status;
    const char *want;
};

static const struct {
    const char *name;
    size_t servers;
    unsigned tries;
    struct step steps[STEPS_MAX];
} scripts[] = {
    {"found", 2, 4, {{QUERY_START, 0, "u0"}, {QUERY_ANSWER, DNS_OK, "=OK"}}},
    {"no such name is final",
     2,
     4,
     {{QUERY_START, 0, "u0"}, {QUERY_ANSWER, DNS_NXDOMAIN, "=NXDOMAIN"}}},
    {"truncated",
     1,
     4,
     {{QUERY_START, 0, "u0"}, {QUERY_TRUNCATED, 0, "t0"}, {QUERY_ANSWER, DNS_NODATA, "=NODATA"}}},
    {"truncated over TCP too",
     1,
     4,
     {{QUERY_START, 0, "u0"}, {QUERY_TRUNCATED, 0, "t0"}, {QUERY_TRUNCATED, 0, "=BROKEN"}}},
    {"no EDNS",
     1,
     4,
     {{QUERY_START, 0, "u0"}, {QUERY_NO_EDNS, 0, "U0"}, {QUERY_ANSWER, DNS_OK, "=OK"}}},
    {"no EDNS, then truncated",
     1,
     4,
     {{QUERY_START, 0, "u0"},
      {QUERY_NO_EDNS, 0, "U0"},
      {QUERY_TRUNCATED, 0, "T0"},
      {QUERY_ANSWER, DNS_OK, "=OK"}}},
    {"no EDNS twice",
     2,
     4,
     {{QUERY_START, 0, "u0"},
      {QUERY_NO_EDNS, 0, "U0"},
      {QUERY_NO_EDNS, 0, "u1"},
      {QUERY_ANSWER, DNS_OK, "=OK"}}},
    {"silence goes round",
     2,
     3,
     {{QUERY_START, 0, "u0"},
      {QUERY_TIMEOUT, 0, "u1"},
      {QUERY_TIMEOUT, 0, "u0"},
      {QUERY_TIMEOUT, 0, "=TIMEOUT"}}},
    {"SERVFAIL is not asked twice",
     2,
     9,
     {{QUERY_START, 0, "u0"},
      {QUERY_ANSWER, DNS_SERVFAIL, "u1"},
      {QUERY_ANSWER, DNS_SERVFAIL, "=SERVFAIL"}}},
    {"SERVFAIL tells more than silence",
     2,
     3,
     {{QUERY_START, 0, "u0"},
      {QUERY_ANSWER, DNS_SERVFAIL, "u1"},
      {QUERY_TIMEOUT, 0, "u1"},
      {QUERY_TIMEOUT, 0, "=SERVFAIL"}}},
    {"lame, then good",
     2,
     4,
     {{QUERY_START, 0, "u0"}, {QUERY_ANSWER, DNS_REFUSED, "u1"}, {QUERY_ANSWER, DNS_OK, "=OK"}}},
    {"TCP fails, next server over UDP",
     2,
     4,
     {{QUERY_START, 0, "u0"},
      {QUERY_TRUNCATED, 0, "t0"},
      {QUERY_UNREACHABLE, 0, "u1"},
      {QUERY_ANSWER, DNS_OK, "=OK"}}},
    {"unreachable",
     1,
     2,
     {{QUERY_START, 0, "u0"},
      {QUERY_UNREACHABLE, 0, "u0"},
      {QUERY_UNREACHABLE, 0, "=UNREACHABLE"}}},
    {"a loop is the name's fault",
     2,
     4,
     {{QUERY_START, 0, "u0"}, {QUERY_ANSWER, DNS_LOOP, "=LOOP"}}},
    {"no server", 0, 4, {{QUERY_START, 0, "=UNREACHABLE"}}},
    {"no try", 1, 0, {{QUERY_START, 0, "=UNREACHABLE"}}},
};

static const char *told(const struct query_todo *todo, char *out, size_t size)
{
    if (todo->done)
        snprintf(out, size, "=%s", dns_status_name(todo->status));
    else if (todo->send)
        snprintf(out, size, "%c%u", "uUtT"[2 * todo->tcp + !todo->edns], todo -> server);
    else
        snprintf(out, size, "nothing");
    return out;
}

static void test_scripts(void **state)
{
    (void)state;
    static const uint8_t order[] = {0, 1, 2};
    for (size_t i = 0; i < TIDE_COUNT(scripts); i++) {
        struct query q;
        struct query_todo todo;
        char out[32];
        query_init(&q, order, scripts[i].servers, scripts[i].tries);
        for (size_t k = 0; k < STEPS_MAX && scripts[i].steps[k].want; k++) {
            const struct step *s = &scripts[i].steps[k];
            query_step(&q, s->event, s->status, &todo);
            T_STR(told(&todo, out, sizeof out), s->want, "%s, step %zu", scripts[i].name, k);
        }
        T_EQ(q.state, QUERY_DONE, "%s ends", scripts[i].name);
        query_step(&q, QUERY_TIMEOUT, DNS_OK, &todo);
        T_STR(told(&todo, out, sizeof out), "nothing", "%s: what comes late", scripts[i].name);
    }
}

/* Whatever comes in whatever order: it ends, after a bounded number of questions. */
static void test_always_ends(void **state)
{
    (void)state;
    static const uint8_t order[] = {2, 0, 1};
    uint32_t seed = 1;
    for (int run = 0; run < 20000; run++) {
        struct query q;
        struct query_todo todo;
        unsigned sent = 0, tries = (unsigned)run % 7;
        query_init(&q, order, 1 + (unsigned)run % 3, tries);
        query_step(&q, QUERY_START, DNS_OK, &todo);
        while (!todo.done) {
            sent++;
            T_TRUE(sent <= 4 * tries, "run %d: %u questions for %u tries", run, sent, tries);
            seed = seed * 1664525u + 1013904223u;
            query_step(&q, (enum query_event)(1 + (seed >> 16) % 5),
                       (enum dns_status)(DNS_SERVFAIL + (seed >> 24) % 4), &todo);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_always_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
