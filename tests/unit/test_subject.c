/* Names and wide ledgers that nobody needs any more go; what somebody holds, or still counts,
 * stays. */
#include "base/macros.h"
#include "core/plan/subject.h"
#include "lib/check.h"

#include <stdio.h>

#define NOW  1772424000000LL
#define NAME "sender-%d@shop.example"

static uint32_t intern(struct subjects *s, int i)
{
    char name[64];
    snprintf(name, sizeof name, NAME, i);
    return subjects_intern(s, text_of(name));
}

/* An application that makes up a sender for each mail: as many are kept as are in use. */
static void test_names_that_nobody_holds_go(void **state)
{
    (void)state;
    struct subjects s;
    int provider_limits = 0;
    subjects_init(&s);
    uint32_t held = intern(&s, 0), domain = subjects_intern(&s, TEXT("shop.example"));
    uint32_t provider = subjects_intern(&s, TEXT("qq"));
    subjects_name(&s, held)->domain = domain;
    subjects_name(&s, provider)->data = &provider_limits;
    uint32_t most = 0, last = 0, sweeps = 0;
    for (int i = 1; i <= 500000; i++) {
        last = intern(&s, i);
        most = TIDE_MAX(most, s.names_by_text.count);
        if (!subjects_are_crowded(&s))
            continue;
        subjects_keep(&s, held);
        subjects_sweep(&s, NOW);
        sweeps++;
    }
    T_TRUE(most <= SUBJECT_SWEEP_MIN, "%u at once", most);
    T_EQ(sweeps, 500000 / SUBJECT_SWEEP_MIN, "no oftener than it pays");
    T_EQ(intern(&s, 0), held, "who is held keeps the number");
    T_EQ(subjects_intern(&s, TEXT("shop.example")), domain, "and so does its domain");
    T_EQ(subjects_intern(&s, TEXT("qq")), provider, "and a provider that has limits");
    T_TRUE(!subjects_name(&s, held + 3), "a forgotten number means nobody");
    T_TRUE(intern(&s, 1) > last, "who comes again has another");
    subjects_fini(&s);
}

/* A sweep right away, whatever is there; gives what was written. */
static int sweep(struct subjects *s, tide_wall_ms now, struct buf *blob)
{
    struct text key;
    int rows = 0;
    subjects_sweep(s, now);
    buf_clear(blob);
    while (subjects_next_dirty(s, &key, blob))
        rows++;
    return rows;
}

static void test_ledgers_go_when_nothing_counts(void **state)
{
    (void)state;
    struct subjects s;
    struct buf blob = {0};
    struct limit limit = {.name = (char *)(uintptr_t) "qq/hour",
                          .scope = LIMIT_SENDER_DOMAIN_PROVIDER,
                          .count = 5,
                          .window = {.kind = WINDOW_ROLLING, .span_ms = TIME_HOUR_MS}};
    struct meter meter = {.limit = &limit, .rule = {.def = &limit.window}, .id = 7, .window = 9};
    subjects_init(&s);
    uint32_t a = subjects_intern(&s, TEXT("shop.example")), b = subjects_intern(&s, TEXT("qq"));
    struct subject *x = subjects_get(&s, limit.scope, a, b);
    struct tally tally = {&meter, subject_ledger(x, 7), 7};
    T_TRUE(tally_charge(&tally, NOW), "charged");
    subjects_mark(&s, x);
    T_EQ(sweep(&s, NOW + 1, &blob), 1, "written");
    T_TRUE(blob.len > 0, "with its use");
    T_EQ(sweep(&s, NOW + TIME_HOUR_MS - 1000, &blob), 0, "it still counts");
    T_TRUE(subjects_find(&s, limit.scope, a, b) == x, "and stays");
    T_EQ(sweep(&s, NOW + 2 * TIME_HOUR_MS, &blob), 1, "it is over: its row");
    T_EQ(blob.len, 0, "goes first");
    T_EQ(s.count, 1, "then");
    T_EQ(sweep(&s, NOW + 2 * TIME_HOUR_MS, &blob), 0, "nothing is left to write");
    T_EQ(s.count, 0, "it goes too");
    T_EQ(s.names_by_text.count, 0, "and so do its names");
    x = subjects_get(&s, limit.scope, subjects_intern(&s, TEXT("shop.example")),
                     subjects_intern(&s, TEXT("qq")));
    T_TRUE(x->id == 2, "a new one has an id of its own: lines are kept by it");
    buf_fini(&blob);
    subjects_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_nobody_holds_go),
        cmocka_unit_test(test_ledgers_go_when_nothing_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
