#include "base/arena.h"
#include "base/buf.h"
#include "base/heap.h"
#include "base/id.h"
#include "base/log.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/time.h"
#include "lib/check.h"

#include <stdlib.h>

/* Many words are sieved by pairs of bytes first; one by one they are looked for. */
static void test_text_ihas_of_many(void **state)
{
    (void)state;
    static const char *const words[] = {"ab",   "Bad", "caab", "dddd", "a",       "abcabd",
                                        "cdcd", "",    "bcb",  "dab",  "aaaaaaaa"};
    unsigned seed = 7;
    for (int round = 0; round < 20000; round++) {
        char t[24];
        size_t n = 0, from = (size_t)round % TIDE_COUNT(words);
        bool want = false;
        for (; n < (size_t)(round % 23); n++) {
            seed = seed * 1103515245u + 12345u;
            t[n] = "abcdABCD"[(seed >> 16) % 8];
        }
        const char *const *some = words + (from > 2 ? 0 : from);
        size_t count = TIDE_COUNT(words) - (size_t)(some - words) - (round & 1 ? 4 : 0);
        for (size_t i = 0; i < count; i++)
            want |= text_ifind((struct text){t, n}, text_of(some[i])) < n;
        T_EQ(text_ihas((struct text){t, n}, some, count), want, "\"%.*s\"", (int)n, t);
    }
}

static void test_error_wraps_and_cuts(void **state)
{
    (void)state;
    struct tide_error err = {0};
    T_EQ(tide_fail(&err, TIDE_ERANGE, "want 1..100, got %d", 0), TIDE_ERANGE, "returns its code");
    T_EQ(tide_wrap(&err, TIDE_ERANGE, "profile %s", "qq.conf"), TIDE_ERANGE, "wrap too");
    T_STR(err.text, "profile qq.conf: want 1..100, got 0", "outermost first");
    char longer[400];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    tide_fail(&err, TIDE_EINVAL, "%s", longer);
    T_EQ(strlen(err.text), TIDE_ERROR_BYTES_MAX - 1, "cut to fit");
    T_STR(err.text + strlen(err.text) - 3, "...", "and says so");
    T_STR(tide_err_name(TIDE_EADDR), "EADDR", "name");
}

static const struct {
    const char *in;
    enum tide_err want;
    int64_t ms;
} durations[] = {
    {"500ms", TIDE_OK, 500},
    {"10min", TIDE_OK, 600000},
    {"1h 30min", TIDE_OK, 5400000},
    {"2d", TIDE_OK, 172800000},
    {" 4 h ", TIDE_OK, 14400000},
    {"0s", TIDE_OK, 0},
    {"10m", TIDE_ESYNTAX, 0},
    {"10", TIDE_ESYNTAX, 0},
    {"", TIDE_ESYNTAX, 0},
    {"h", TIDE_ESYNTAX, 0},
    {"-1h", TIDE_ESYNTAX, 0},
    {"1h x", TIDE_ESYNTAX, 0},
    {"9999999999999w", TIDE_ERANGE, 0},
};

static void test_durations(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(durations); i++) {
        int64_t ms = 0;
        struct tide_error err;
        T_EQ(text_duration_ms(text_of(durations[i].in), &ms, &err), durations[i].want, "%s",
             durations[i].in);
        T_EQ(ms, durations[i].ms, "%s", durations[i].in);
    }
    char out[32];
    T_STR(text_of_duration(5400000, out, sizeof out), "1 h 30 min", "two units");
    T_STR(text_of_duration(86400000, out, sizeof out), "1 d", "one unit");
    T_STR(text_of_duration(0, out, sizeof out), "0 s", "none");
    T_STR(text_of_duration(-90000, out, sizeof out), "-1 min 30 s", "past");
}

static void test_sizes(void **state)
{
    (void)state;
    int64_t n;
    struct tide_error err;
    T_OK(text_size_bytes(TEXT("25M"), &n, &err), &err, "25M");
    T_EQ(n, 25000000, "decimal");
    T_OK(text_size_bytes(TEXT("8KiB"), &n, &err), &err, "8KiB");
    T_EQ(n, 8192, "binary");
    T_EQ(text_size_bytes(TEXT("8 apples"), &n, &err), TIDE_ESYNTAX, "unknown unit");
}

static void test_nearest_word(void **state)
{
    (void)state;
    static const char *const words[] = {"per_hour", "per_day", "window", "scope"};
    T_STR(text_nearest(TEXT("per_huor"), words, 4), "per_hour", "swapped letters");
    T_STR(text_nearest(TEXT("windw"), words, 4), "window", "one missing");
    T_TRUE(text_nearest(TEXT("colour"), words, 4) == NULL, "nothing near");
}

static void test_utf8(void **state)
{
    (void)state;
    T_TRUE(text_is_utf8(TEXT("Jörg 你好 🙂")), "good");
    T_TRUE(!text_is_utf8(TEXT("\xC0\x80")), "overlong NUL");
    T_TRUE(!text_is_utf8(TEXT("\xED\xA0\x80")), "surrogate");
    T_TRUE(!text_is_utf8(TEXT("\xF4\x90\x80\x80")), "over U+10FFFF");
    T_TRUE(!text_is_utf8(TEXT("a\xC3")), "cut");
}

static void test_buf_failure_is_sticky(void **state)
{
    (void)state;
    struct buf b;
    struct tide_error err;
    buf_init(&b, 8);
    buf_adds(&b, "12345");
    buf_adds(&b, "6789");
    buf_adds(&b, "6");
    T_EQ(buf_check(&b, &err), TIDE_ELIMIT, "over the bound");
    T_STR(buf_str(&b), "12345", "what was there stays");
    T_TRUE(buf_take(&b) == NULL, "a failed buffer gives nothing");
    buf_clear(&b);
    buf_addf(&b, "%d-%s", 42, "x");
    T_STR(buf_str(&b), "42-x", "after clearing");
    buf_consume(&b, 3);
    T_STR(buf_str(&b), "x", "consumed");
    buf_expect(&b, 100);
    T_EQ(buf_check(&b, &err), TIDE_OK, "expecting more than the bound is no failure");
    buf_expect(&b, 7);
    T_TRUE(b.cap >= 8, "room for what is expected");
    T_STR(buf_str(&b), "x", "nothing was added");
    buf_fini(&b);
}

static void test_buf_escapes(void **state)
{
    (void)state;
    static const struct {
        struct text in;
        const char *also, *want;
    } cases[] = {
        {TEXT("aZ09-._~"), "", "aZ09-._~"},
        {TEXT("a/b c+d@e%"), "", "a%2Fb%20c%2Bd%40e%25"},
        {TEXT("a/b c"), "/", "a/b%20c"},
        {TEXT("\xC3\xA9\0/"), "/", "%C3%A9%00/"},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf b = {0};
        buf_add_escaped(&b, cases[i].in, cases[i].also);
        T_STR(buf_str(&b), cases[i].want, "case %zu", i);
        buf_fini(&b);
    }
}

static void test_arena_bound(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 10000);
    char *s = arena_printf(&a, "%s-%d", "id", 7);
    T_STR(s, "id-7", "printf");
    T_TRUE(arena_alloc(&a, 20000) == NULL, "over the bound");
    T_TRUE(arena_array(&a, SIZE_MAX / 2, 4) == NULL, "overflow");
    T_STR(s, "id-7", "still valid");
    arena_reset(&a);
    T_TRUE(arena_alloc(&a, 9000) != NULL, "all free again");
    arena_fini(&a);
}

/* Random puts and removes against the obvious model. */
static void test_idmap_against_model(void **state)
{
    (void)state;
    enum { KEYS = 500 };
    bool in[KEYS] = {false};
    static char values[KEYS];
    struct rng rng;
    struct idmap m;
    rng_seed(&rng, 20261121);
    idmap_init(&m);
    unsigned count = 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t k = rng_below(&rng, KEYS);
        if (rng_below(&rng, 2)) {
            T_TRUE(idmap_put(&m, k * 7919, &values[k]), "put %u", k);
            count += !in[k];
            in[k] = true;
        } else {
            T_TRUE(idmap_remove(&m, k * 7919) == (in[k] ? &values[k] : NULL), "remove %u", k);
            count -= in[k];
            in[k] = false;
        }
        T_EQ(m.count, count, "count after step %d", i);
    }
    for (uint32_t k = 0; k < KEYS; k++)
        T_TRUE(idmap_get(&m, k * 7919) == (in[k] ? &values[k] : NULL), "get %u", k);
    idmap_fini(&m);
}

static void test_strmap(void **state)
{
    (void)state;
    struct strmap m;
    int values[100];
    char key[16];
    strmap_init(&m);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "key%d", i);
        T_TRUE(strmap_put(&m, text_of(key), &values[i]), "put");
    }
    for (int i = 0; i < 100; i += 2) {
        snprintf(key, sizeof key, "key%d", i);
        T_TRUE(strmap_remove(&m, text_of(key)) == &values[i], "remove %d", i);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "key%d", i);
        T_TRUE(strmap_get(&m, text_of(key)) == (i % 2 ? &values[i] : NULL), "get %d", i);
    }
    uint32_t pos = 0;
    unsigned seen = 0;
    while (strmap_next(&m, &pos, NULL))
        seen++;
    T_EQ(seen, 50, "walk");
    strmap_fini(&m);
}

static void test_heap_sorts(void **state)
{
    (void)state;
    enum { N = 1000 };
    static struct heap_node nodes[N];
    struct heap h;
    struct rng rng;
    rng_seed(&rng, 7);
    heap_init(&h);
    for (int i = 0; i < N; i++) {
        heap_node_init(&nodes[i]);
        T_TRUE(heap_put(&h, &nodes[i], rng_below(&rng, 5000)), "put");
    }
    for (int i = 0; i < N; i += 3)
        heap_put(&h, &nodes[i], rng_below(&rng, 5000));
    for (int i = 1; i < N; i += 5)
        heap_remove(&h, &nodes[i]);
    int64_t last = -1;
    unsigned count = 0;
    for (struct heap_node *n; (n = heap_first(&h)); count++) {
        T_TRUE(n->key >= last, "in order");
        last = n->key;
        heap_remove(&h, n);
    }
    T_EQ(count, N - N / 5, "all that were left");
    heap_fini(&h);
}

static void test_times(void **state)
{
    (void)state;
    char out[TIME_TEXT_BYTES];
    tide_wall_ms t;
    struct tide_error err;
    T_OK(time_parse_rfc3339(TEXT("2026-11-21T22:17:26.123Z"), &t, &err), &err, "parse");
    T_STR(time_rfc3339(t, 0, out), "2026-11-21T22:17:26.123Z", "back");
    T_STR(time_rfc3339(t, 28800, out), "2026-11-22T06:17:26.123+08:00", "in Shanghai");
    T_STR(time_rfc5322(t, -12600, out), "Sat, 21 Nov 2026 18:47:26 -0330", "5322");
    T_EQ(time_parse_rfc3339(TEXT("2026-02-29T00:00:00Z"), &t, &err), TIDE_ESYNTAX, "no leap year");
    T_EQ(time_parse_rfc3339(TEXT("2026-02-28"), &t, &err), TIDE_ESYNTAX, "no time");
    T_OK(time_parse_rfc5322(TEXT("Sat, 21 Nov 2026 22:17:26 +0800 (CST)"), &t, &err), &err, "5322");
    T_STR(time_rfc3339(t, 0, out), "2026-11-21T14:17:26.000Z", "zone");
    T_OK(time_parse_rfc5322(TEXT("1 Jan 70 00:00 GMT"), &t, &err), &err, "obsolete");
    T_EQ(t, 0, "epoch");
    for (int64_t d = -800000; d < 800000; d += 37) {
        int y, m, day;
        civil_of_days(d, &y, &m, &day);
        T_EQ(days_of_civil(y, m, day), d, "civil and back");
    }
}

static void test_ids(void **state)
{
    (void)state;
    struct id_source s = {.node = 3};
    tide_wall_ms now = 1795300000000LL;
    tide_id last = 0;
    char text[ID_TEXT_BYTES];
    struct tide_error err;
    for (int i = 0; i < 200000; i++) {
        tide_id id = id_next(&s, i == 1000 ? now - 5000 : now); /* the clock goes back once */
        T_TRUE(id > last, "rising at %d", i);
        T_EQ(id >> 16 & 31, 3, "node kept at %d", i);
        last = id;
        T_TRUE(id_floor(id_time(id)) <= id && id_floor(id_time(id) + 1) > id, "floor at %d", i);
    }
    tide_id back;
    T_OK(id_parse(text_of(id_text(last, text)), &back, &err), &err, "parse");
    T_EQ(back, last, "there and back");
    T_TRUE(id_time(last) - now < 10, "time within");
    T_EQ(id_parse(TEXT("zzzzzzzzzzzzz"), &back, &err), TIDE_ESYNTAX, "too large");
    T_EQ(id_parse(TEXT("short"), &back, &err), TIDE_ESYNTAX, "short");
    T_EQ(id_floor(0), 0, "before the epoch");
    T_TRUE(id_floor(TIDE_NEVER - 1) > last, "far");
}

static void test_log_quote(void **state)
{
    (void)state;
    char out[32];
    T_STR(log_quote(TEXT("plain"), out, sizeof out), "plain", "as is");
    T_STR(log_quote(TEXT("a \"b\"\n"), out, sizeof out), "\"a \\\"b\\\"\\x0a\"", "escaped");
    T_STR(log_quote(TEXT(""), out, sizeof out), "\"\"", "empty");
    log_quote(TEXT("a very long text that does not fit into it"), out, sizeof out);
    T_TRUE(strlen(out) < sizeof out, "cut");
}

/* Against the plain way, over all short texts of two letters in both cases. */
static void test_text_ifind(void **state)
{
    static const char *const needles[] = {"", "a", "A", "ab", "bA", "aab", "b@a", "abababab"};
    static const char letters[] = "aAbB@";
    (void)state;
    for (unsigned n = 0; n < 3125; n++) {
        char text[6] = "";
        for (unsigned i = 0, rest = n; i < 5; i++, rest /= 5)
            text[i] = letters[rest % 5];
        for (size_t len = 0; len <= 5; len++)
            for (size_t k = 0; k < TIDE_COUNT(needles); k++) {
                struct text t = {text, len}, needle = text_of(needles[k]);
                size_t want = t.n;
                for (size_t i = 0; want == t.n && i + needle.n <= t.n; i++)
                    if (text_ieq(text_cut(t, i, needle.n), needle))
                        want = i;
                T_EQ(text_ifind(t, needle), want, "\"%s\" in %zu of \"%s\"", needles[k], len, text);
            }
    }
}

static void test_text_ihas(void **state)
{
    static const char *const words[] = {"full", "over quota"};
    (void)state;
    T_TRUE(text_ihas(TEXT("mailbox is Over Quota"), words, 2), "the second");
    T_TRUE(!text_ihas(TEXT("mailbox is Over Quota"), words, 1), "the first alone");
    T_TRUE(!text_ihas(TEXT(""), words, 2), "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_ifind),
        cmocka_unit_test(test_text_ihas),
        cmocka_unit_test(test_text_ihas_of_many),
        cmocka_unit_test(test_error_wraps_and_cuts),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_nearest_word),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_buf_failure_is_sticky),
        cmocka_unit_test(test_buf_escapes),
        cmocka_unit_test(test_arena_bound),
        cmocka_unit_test(test_idmap_against_model),
        cmocka_unit_test(test_strmap),
        cmocka_unit_test(test_heap_sorts),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_log_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
