#include "core/gate/alarm.h"
#include "lib/check.h"

static enum alarm_told raise_at(struct alarms *a,
                                const char *key,
                                enum alarm_severity s,
                                int64_t at)
{
    return alarms_raise(a, text_of(key), s, TEXT("it is so"), TEXT("do this"), at);
}

static void test_told_once(void **state)
{
    (void)state;
    static const struct {
        const char *name, *key;
        enum alarm_severity severity;
        enum alarm_told want;
    } cases[] = {
        {"first", "a", ALARM_NOTICE, ALARM_NEW},     {"again", "a", ALARM_NOTICE, ALARM_KNOWN},
        {"worse", "a", ALARM_CRITICAL, ALARM_WORSE}, {"better", "a", ALARM_WARNING, ALARM_KNOWN},
        {"another", "ab", ALARM_WARNING, ALARM_NEW}, {"worse", "ab", ALARM_CRITICAL, ALARM_WORSE},
    };
    struct alarms a = {0};
    struct alarm over;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        T_EQ(raise_at(&a, cases[i].key, cases[i].severity, (int64_t)i), cases[i].want, "%zu %s", i,
             cases[i].name);
    T_EQ(a.count, 2, "two keys");
    T_STR(a.all[0]->key, "ab", "the most severe first");
    T_EQ(alarms_find(&a, TEXT("a"))->since, 0, "since it was first raised");
    T_TRUE(alarms_clear(&a, TEXT("a"), &over), "it was there");
    T_STR(over.sentence, "it is so", "told what is over");
    T_TRUE(!alarms_clear(&a, TEXT("a"), &over), "over once");
    T_EQ(raise_at(&a, "a", ALARM_NOTICE, 9), ALARM_NEW, "and new when it comes back");
    T_EQ(alarms_find(&a, TEXT("a"))->since, 9, "since then");
    alarms_fini(&a);
}

static void test_bounded(void **state)
{
    (void)state;
    struct alarms a = {0};
    char key[16];
    for (int i = 0; i < ALARMS_MAX + 10; i++) {
        snprintf(key, sizeof key, "k%d", i);
        T_EQ(raise_at(&a, key, ALARM_WARNING, i), i < ALARMS_MAX ? ALARM_NEW : ALARM_LOST, "%d", i);
    }
    T_EQ(raise_at(&a, "grave", ALARM_CRITICAL, 0), ALARM_NEW, "the grave one finds room");
    T_EQ(a.count, ALARMS_MAX, "no more than that");
    T_STR(a.all[0]->key, "grave", "and stands first");
    snprintf(key, sizeof key, "k%d", ALARMS_MAX - 1);
    T_TRUE(!alarms_find(&a, text_of(key)), "the newest made way");
    T_TRUE(alarms_find(&a, TEXT("k0")), "the oldest stays");
    alarms_fini(&a);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    struct alarms a = {0};
    struct alarm over;
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    T_EQ(alarms_raise(&a, text_of(longer), ALARM_NOTICE, text_of(longer), text_of(longer), 1),
         ALARM_NEW, "taken");
    T_EQ(alarms_raise(&a, text_of(longer), ALARM_NOTICE, TEXT("x"), TEXT(""), 1), ALARM_KNOWN,
         "found by what was kept of its key");
    T_TRUE(alarms_clear(&a, text_of(longer), &over), "cleared");
    alarms_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told_once),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
