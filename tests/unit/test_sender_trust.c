/* A watched sender over time: what counts as failing, what is held, and what DNS doubts change. */
#include "core/verify/sender_trust.h"
#include "lib/check.h"

#include <stdlib.h>

/* One report: a state for each of SPF, a usual DKIM key and an optional DMARC check. */
struct report {
    const char *spf, *key, *alignment; /* state, "-": not in this report */
    bool failing, held;                /* wanted */
};

static const struct {
    const char *name;
    bool hold, hold_first;
    struct report reports[6];
} cases[] = {
    {"passes, fails, passes",
     true,
     false,
     {{"good", "good", "good", false, false},
      {"bad", "good", "good", true, true},
      {"bad", "good", "good", true, true},
      {"good", "good", "good", false, false}}},
    {"never passed: warned of, not held",
     true,
     false,
     {{"bad", "good", "good", true, false}, {"bad", "good", "good", true, false}}},
    {"never passed, and the configuration holds",
     false,
     true,
     {{"bad", "good", "good", true, true}, {"note", "good", "good", false, false}}},
    {"failure is only warned of",
     false,
     false,
     {{"good", "good", "good", false, false}, {"bad", "good", "good", true, false}}},
    {"a DNS failure holds nothing",
     true,
     true,
     {{"good", "good", "good", false, false},
      {"unknown", "unknown", "unknown", false, false},
      {"unknown", "unknown", "-", false, false}}},
    {"a DNS failure at first", true, true, {{"unknown", "unknown", "unknown", false, false}}},
    {"a DNS failure lets nothing go",
     true,
     false,
     {{"good", "good", "good", false, false},
      {"good", "good", "bad", true, true},
      {"unknown", "good", "-", true, true},
      {"good", "good", "good", false, false}}},
    {"a usual selector is a guess until it was there",
     true,
     true,
     {{"good", "bad", "good", false, false},
      {"good", "good", "good", false, false},
      {"good", "bad", "good", true, true}}},
};

static enum sender_state state_of(const char *name)
{
    for (int s = SENDER_GOOD; s <= SENDER_BAD; s++)
        if (strcmp(name, sender_state_name((enum sender_state)s)) == 0)
            return (enum sender_state)s;
    T_FAIL("no state %s", name);
    return SENDER_BAD;
}

static void add(struct sender *s, const char *what, const char *state, bool guess)
{
    if (strcmp(state, "-") == 0)
        return;
    struct sender_check *c = &s->checks[s->check_count++];
    *c = (struct sender_check){.state = state_of(state),
                               .what = text_of(what),
                               .finding = TEXT("It is \"so\"."),
                               .publish = TEXT("a.org. TXT \"x\""),
                               .demanded = true,
                               .guess = guess};
    c->dns_failed = c->state == SENDER_UNKNOWN;
}

static void run_case(size_t i, struct sender *s)
{
    struct arena arena = {0};
    struct sender_record record = {0};
    for (size_t k = 0; k < 6 && cases[i].reports[k].spf; k++) {
        const struct report *r = &cases[i].reports[k];
        struct sender_trust t;
        struct tide_error err;
        s->check_count = 0;
        s->in.domain = TEXT("a.org");
        add(s, "SPF of a.org", r->spf, false);
        add(s, "DKIM key s._domainkey.a.org", r->key, true);
        add(s, "DMARC alignment", r->alignment, false);
        T_OK(sender_trust(s, TEXT("esp"), &record, cases[i].hold, cases[i].hold_first, &arena, &t,
                          &err),
             &err, "%s", cases[i].name);
        T_EQ(t.failing, r->failing, "%s, report %zu: failing", cases[i].name, k);
        T_EQ(t.held, r->held, "%s, report %zu: held", cases[i].name, k);
        T_EQ(t.reason.n > 0, r->failing, "%s, report %zu: reason", cases[i].name, k);
        record.report = t.report;
        record.held = t.held ? t.reason : TEXT("");
        record.passed_at = t.failing || t.doubtful ? record.passed_at : 1 + (tide_wall_ms)k;
    }
    arena_fini(&arena);
}

static void test_cases(void **state)
{
    (void)state;
    struct sender *s = calloc(1, sizeof *s);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        run_case(i, s);
    free(s);
}

/* What stands in the store may be anything. */
static void test_broken_report(void **state)
{
    (void)state;
    static const char *const broken[] = {"{", "[]", "{\"checks\":7}", "{\"checks\":[1,{}]}"};
    struct sender *s = calloc(1, sizeof *s);
    for (size_t i = 0; i < TIDE_COUNT(broken); i++) {
        struct arena arena = {0};
        struct sender_trust t;
        struct tide_error err;
        const struct sender_record record = {.report = text_of(broken[i]), .passed_at = 1};
        s->check_count = 0;
        add(s, "SPF of a.org", "bad", false);
        T_OK(sender_trust(s, TEXT("esp"), &record, true, false, &arena, &t, &err), &err, "%s",
             broken[i]);
        T_TRUE(t.held, "%s", broken[i]);
        arena_fini(&arena);
    }
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_broken_report)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
