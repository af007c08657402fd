/* Loads and cross-checks everything in schedules/. Run in the source tree, or with
 * MAILTIDE_SCHEDULES set. */
#include "core/config/config.h"
#include "core/config/keys.h"
#include "core/plan/planner.h"
#include "io/loop/files.h"
#include "io/loop/zones.h"
#include "lib/check.h"

#include <stdlib.h>
#include <unistd.h>

static struct config *config;

static int load_all(void **state)
{
    (void)state;
    struct tide_error err = {0};
    enum tide_err rc = config_load(NULL, &files_source, &config, &err);
    if (rc != TIDE_OK)
        print_error("%s\n", err.text);
    return rc == TIDE_OK ? 0 : -1;
}

static int free_all(void **state)
{
    (void)state;
    config_free(config);
    return 0;
}

static const char *const providers[] = {
    "google",  "outlook", "microsoft365", "yahoo",    "apple",      "qq",        "exmail",
    "netease", "aliyun",  "comcast",      "gmx",      "orange",     "laposte",   "yandex",
    "mailru",  "naver",   "docomo",       "mimecast", "proofpoint", "barracuda",
};

static const char *const accounts[] = {
    "smtp",   "ses",       "sendgrid", "mailgun",           "postmark",
    "resend", "sparkpost", "brevo",    "aliyun-directmail", "tencent-ses",
};

static void test_all_that_are_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(providers); i++)
        T_TRUE(profiles_provider(&config->profiles, text_of(providers[i])), "%s", providers[i]);
    for (size_t i = 0; i < TIDE_COUNT(accounts); i++)
        T_TRUE(profiles_account(&config->profiles, text_of(accounts[i])), "%s", accounts[i]);
}

/* Does this suffix take in that host, or all hosts of that suffix? */
static bool covers(const char *suffix, const char *host)
{
    if (suffix[0] != '.')
        return strcmp(suffix, host) == 0;
    return text_iends(text_of(host), text_of(suffix));
}

static void test_every_host_has_one_profile(void **state)
{
    (void)state;
    const struct profiles *all = &config->profiles;
    for (size_t i = 0; i < all->provider_count; i++)
        for (size_t k = 0; k < all->provider_count; k++) {
            const struct profile *a = &all->providers[i], *b = &all->providers[k];
            for (size_t m = 0; m < a->mx_suffix_count; m++)
                for (size_t n = 0; n < b->mx_suffix_count; n++)
                    if (a != b || m != n)
                        T_TRUE(!covers(a->mx_suffixes[m], b->mx_suffixes[n]), "%s of %s, %s of %s",
                               a->mx_suffixes[m], a->name, b->mx_suffixes[n], b->name);
        }
}

/* An account and a provider of one name would share the names of their limits. */
static void test_names_differ_between_the_kinds(void **state)
{
    (void)state;
    const struct profiles *all = &config->profiles;
    for (size_t i = 0; i < all->account_count; i++)
        T_TRUE(!profiles_provider(all, text_of(all->accounts[i].name)), "%s",
               all->accounts[i].name);
}

static void check_limit(const struct limit *l, enum profile_kind kind)
{
    const struct window *w = &l->window;
    if (w->zone) {
        char path[200];
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", w->zone);
        T_TRUE(access(path, R_OK) == 0, "%s: zone %s", l->name, w->zone);
    }
    T_TRUE(l->count >= 1 && l->count <= 1000000, "%s: count", l->name);
    T_TRUE(w->kind != WINDOW_RATE || (l->burst >= 1 && l->burst <= l->count), "%s: burst", l->name);
    T_TRUE(w->kind == WINDOW_CALENDAR || w->span_ms >= 1000, "%s: span", l->name);
    T_TRUE(w->kind != WINDOW_ROLLING || w->span_ms <= 31 * TIME_DAY_MS, "%s: span", l->name);
    T_TRUE(l->source == SOURCE_PUBLISHED || l->source == SOURCE_OBSERVED, "%s: source", l->name);
    T_TRUE(l->source != SOURCE_OBSERVED || l->confidence != CONFIDENCE_HIGH, "%s: confidence",
           l->name);
    T_TRUE(strlen(l->reference) >= 20, "%s: reference in words", l->name);
    T_TRUE(strcmp(l->date, "2020-01-01") > 0, "%s: date", l->name);
    bool account_scope = l->scope == LIMIT_ACCOUNT || l->scope == LIMIT_ACCOUNT_STREAM;
    T_TRUE(kind == PROFILE_ACCOUNT || !account_scope, "%s: scope", l->name);
}

static void check_profiles(const struct profile *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < list[i].limit_count; k++) {
            check_limit(&list[i].limits[k], list[i].kind);
            T_TRUE(text_starts(text_of(list[i].limits[k].name), text_of(list[i].name)), "%s",
                   list[i].limits[k].name);
        }
}

static void test_every_limit_is_sane(void **state)
{
    (void)state;
    check_profiles(config->profiles.providers, config->profiles.provider_count);
    check_profiles(config->profiles.accounts, config->profiles.account_count);
}

/* Read off the published texts, apart from the files. */
static const struct {
    const char *name;
    enum limit_scope scope;
    int64_t count;
    enum window_kind kind;
    int64_t span_ms;
    enum limit_source source;
} published[] = {
    {"google/recipient-minute", LIMIT_RECIPIENT, 60, WINDOW_ROLLING, 60000, SOURCE_PUBLISHED},
    {"google/recipient-hour", LIMIT_RECIPIENT, 3600, WINDOW_ROLLING, 3600000, SOURCE_PUBLISHED},
    {"google/recipient-day", LIMIT_RECIPIENT, 86400, WINDOW_ROLLING, 86400000, SOURCE_PUBLISHED},
    {"microsoft365/recipient-hour", LIMIT_RECIPIENT, 3600, WINDOW_ROLLING, 3600000,
     SOURCE_PUBLISHED},
    {"microsoft365/pair-hour", LIMIT_PAIR, 1200, WINDOW_ROLLING, 3600000, SOURCE_PUBLISHED},
    {"proofpoint-essentials/recipient-minute", LIMIT_RECIPIENT, 200, WINDOW_ROLLING, 60000,
     SOURCE_PUBLISHED},
    {"ses/day", LIMIT_ACCOUNT, 200, WINDOW_ROLLING, 86400000, SOURCE_PUBLISHED},
    {"ses/second", LIMIT_ACCOUNT, 1, WINDOW_RATE, 1000, SOURCE_PUBLISHED},
    {"sparkpost/day", LIMIT_ACCOUNT, 1000, WINDOW_ROLLING, 86400000, SOURCE_PUBLISHED},
    {"resend/second", LIMIT_ACCOUNT, 5, WINDOW_RATE, 1000, SOURCE_PUBLISHED},
    {"brevo/second", LIMIT_ACCOUNT, 1000, WINDOW_RATE, 1000, SOURCE_PUBLISHED},
    {"aliyun-directmail/three-minutes", LIMIT_ACCOUNT, 5000, WINDOW_ROLLING, 180000,
     SOURCE_PUBLISHED},
    {"aliyun-directmail/pair-five-minutes", LIMIT_PAIR, 50, WINDOW_ROLLING, 300000,
     SOURCE_PUBLISHED},
    {"tencent-ses/recipient-hour", LIMIT_RECIPIENT, 10, WINDOW_ROLLING, 3600000, SOURCE_PUBLISHED},
    {"tencent-ses/day", LIMIT_ACCOUNT, 500, WINDOW_ROLLING, 86400000, SOURCE_PUBLISHED},
    {"qq/recipient-day", LIMIT_RECIPIENT, 10, WINDOW_CALENDAR, 0, SOURCE_OBSERVED},
    {"exmail/recipient-day", LIMIT_RECIPIENT, 10, WINDOW_CALENDAR, 0, SOURCE_OBSERVED},
};

static const struct limit *limit_named(const char *name)
{
    struct text t = text_of(name), owner = text_cut(t, 0, text_find(t, '/'));
    const struct profile *p = profiles_provider(&config->profiles, owner);
    p = p ? p : profiles_account(&config->profiles, owner);
    for (size_t i = 0; p && i < p->limit_count; i++)
        if (strcmp(p->limits[i].name, name) == 0)
            return &p->limits[i];
    return NULL;
}

static void test_limits_say_what_was_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(published); i++) {
        const struct limit *l = limit_named(published[i].name);
        T_TRUE(l, "%s", published[i].name);
        T_EQ(l->scope, published[i].scope, "%s", l->name);
        T_EQ(l->count, published[i].count, "%s", l->name);
        T_EQ(l->window.kind, published[i].kind, "%s", l->name);
        T_EQ(l->window.span_ms, published[i].span_ms, "%s", l->name);
        T_EQ(l->source, published[i].source, "%s", l->name);
    }
    T_STR(limit_named("qq/recipient-day")->window.zone, "Asia/Shanghai", "QQ's day");
    T_EQ(limit_named("qq/recipient-day")->confidence, CONFIDENCE_LOW, "nobody published it");
}

static const struct {
    const char *name;
    int connections, messages;
} shaping[] = {
    {"google", 5, 50},     {"yahoo", 10, 20},  {"outlook", 5, 50}, {"microsoft365", 5, 50},
    {"apple", 10, 5},      {"qq", 4, 8},       {"netease", 4, 7},  {"comcast", 25, 1000},
    {"mimecast", 10, 100}, {"orange", 2, 100}, {"gmx", 4, 20},     {"barracuda", 10, 15},
};

static void test_connections_are_those_of_the_sources(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(shaping); i++) {
        const struct profile *p = profiles_provider(&config->profiles, text_of(shaping[i].name));
        T_TRUE(p, "%s", shaping[i].name);
        T_EQ(p->connections, shaping[i].connections, "%s", p->name);
        T_EQ(p->messages_per_connection, shaping[i].messages, "%s", p->name);
    }
    const struct profile *google = profiles_provider(&config->profiles, TEXT("google"));
    T_TRUE(google->ignores_dots && google->subaddress_sep == '+', "a.b+c@gmail.com is ab");
    T_TRUE(profiles_provider(&config->profiles, TEXT("barracuda"))->is_gateway, "barracuda");
}

/* Every zone of every profile is one that the planner can count in. */
static void test_the_planner_takes_them_all(void **state)
{
    (void)state;
    struct plan_zones zones = {.load = zones_load};
    struct planner *p;
    struct tide_error err;
    T_OK(planner_new(config, &zones, &p, &err), &err, "planner");
    planner_free(p);
}

static void test_readme_names_every_key(void **state)
{
    (void)state;
    struct buf readme = {0};
    struct tide_error err;
    char path[300];
    T_TRUE(config->schedule_count == 1, "one folder");
    snprintf(path, sizeof path, "%s/README", config->schedules[0]);
    T_OK(files_source.read(NULL, path, &readme, &err), &err, "%s", path);
    for (size_t i = 0; i < profile_key_count; i++) {
        const char *name = strrchr(profile_keys[i].path, '.') + 1;
        T_TRUE(strstr(buf_str(&readme), name), "%s", name);
    }
    for (size_t i = 0; i < config_key_count; i++)
        if (text_starts(text_of(config_keys[i].path), TEXT("limits.*.")))
            T_TRUE(strstr(buf_str(&readme), strrchr(config_keys[i].path, '.') + 1), "%s",
                   config_keys[i].path);
    buf_fini(&readme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_are_asked_for),
        cmocka_unit_test(test_every_host_has_one_profile),
        cmocka_unit_test(test_names_differ_between_the_kinds),
        cmocka_unit_test(test_every_limit_is_sane),
        cmocka_unit_test(test_limits_say_what_was_published),
        cmocka_unit_test(test_connections_are_those_of_the_sources),
        cmocka_unit_test(test_the_planner_takes_them_all),
        cmocka_unit_test(test_readme_names_every_key),
    };
    return cmocka_run_group_tests(tests, load_all, free_all);
}
