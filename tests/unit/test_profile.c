#include "core/config/keys.h"
#include "core/config/limits.h"
#include "core/config/profile.h"
#include "lib/check.h"

#define SOURCE                                                                  \
    "source = \"published\"; reference = \"its page\"; date = \"2026-08-04\"; " \
    "confidence = \"high\";"
#define HEAD        "title = \"T\";\nmx = [\".example.net\"];\n"
#define LIMIT(text) HEAD "limits: {\n  day: { " text SOURCE " };\n};\n"

static void test_whole_profile(void **state)
{
    (void)state;
    static const char text[] =
        "title = \"QQ Mail\"; mx = [\"MX1.qq.com\", \".sub.qq.com\"]; domains = [\"qq.com\"];\n"
        "spf = (\"spf.mail.qq.com\"); gateway = true; ignores_dots = true; subaddress = \"+\";\n"
        "connections = { value = 4; " SOURCE " };\n"
        "message_max = { value = \"50M\"; " SOURCE " };\n"
        "limits: {\n"
        "  recipient-day: { scope = \"recipient\"; count = 10; window = \"day\";\n"
        "    zone = \"Asia/Shanghai\"; offset = \"5min\"; counts = \"accepted\";\n"
        "    replies_free = true; " SOURCE " };\n"
        "  second: { scope = \"ip-provider\"; count = 14; burst = 3; window = \"rate 1s\";" SOURCE
        " };\n"
        "};\n";
    struct profile p;
    struct tide_error err;
    T_OK(profile_parse(PROFILE_PROVIDER, "a/b/qq.conf", text_of(text), &p, &err), &err, "parses");
    T_STR(p.name, "qq", "named after its file");
    T_STR(p.title, "QQ Mail", "title");
    T_EQ(p.mx_suffix_count, 2, "mx");
    T_STR(p.mx_suffixes[0], "mx1.qq.com", "lower case");
    T_STR(p.spf_includes[0], "spf.mail.qq.com", "lists may be in parentheses");
    T_TRUE(p.is_gateway && p.ignores_dots && p.subaddress_sep == '+', "habits");
    T_EQ(p.connections, 4, "connections");
    T_EQ(p.messages_per_connection, 0, "not known");
    T_EQ(p.message_bytes_max, 50000000, "size");
    T_EQ(p.limit_count, 2, "limits");
    const struct limit *day = &p.limits[0], *second = &p.limits[1];
    T_STR(day->name, "qq/recipient-day", "full name");
    T_EQ(day->scope, LIMIT_RECIPIENT, "scope");
    T_EQ(day->count, 10, "count");
    T_EQ(day->window.kind, WINDOW_CALENDAR, "kind");
    T_EQ(day->window.unit, WINDOW_DAY, "unit");
    T_EQ(day->window.offset_ms, 300000, "offset");
    T_STR(day->window.zone, "Asia/Shanghai", "zone");
    T_EQ(day->counts, COUNT_ACCEPTED, "counts");
    T_TRUE(day->replies_free, "replies");
    T_EQ(day->source, SOURCE_PUBLISHED, "source");
    T_EQ(day->confidence, CONFIDENCE_HIGH, "confidence");
    T_STR(day->date, "2026-08-04", "date");
    T_EQ(day->line, 6, "line");
    T_EQ(second->burst, 3, "burst");
    T_EQ(second->counts, COUNT_ATTEMPTS, "every try, if not said");
    profile_fini(&p);
}

/* Texts and what is said of them, in full. */
static const struct {
    const char *text, *want;
} bad[] = {
    {"", "x.conf: title: want one, got none"},
    {"title = \"T\";", "x.conf: want mx or domains, got neither: nothing would be recognised"},
    {HEAD "titel = \"T\";", "x.conf:3: titel: there is no such key; did you mean title?"},
    {HEAD "title = \"U\";", "x.conf:3: title: given twice in the same group"},
    {HEAD "zzz = 1;", "x.conf:3: zzz: there is no such key"},
    {HEAD "gateway = 1;", "x.conf:3: gateway: want true or false, got 1"},
    {HEAD "gateway: { };", "x.conf:3: gateway: want true or false, got a group"},
    {HEAD "subaddress = \"++\";",
     "x.conf:3: subaddress: want one character such as \"+\", got \"++\""},
    {"title = \"T\"; mx = \"a.b\";", "x.conf:1: mx: want a list such as [\"a\", \"b\"], got "
                                     "\"a.b\""},
    {"title = \"T\"; mx = [\"nodot\"];",
     "x.conf:1: mx: want host names or \".suffix\", got \"nodot\""},
    {"title = \"T\"; mx = [\"a..b\"];",
     "x.conf:1: mx: want host names or \".suffix\", got \"a..b\""},
    {"title = \"T\"; domains = [\".b.c\"];", "x.conf:1: domains: want domain names, got \".b.c\""},
    {"title = \"T\"; mx = [1, 2];", "x.conf:1: mx: want a list such as [\"a\", \"b\"], got a list"},
    {HEAD "connections = 4;",
     "x.conf:3: connections: want a group of value, source, reference, date and confidence"},
    {HEAD "connections = { value = 4; };",
     "x.conf:3: connections: want all of value, source, reference, date and confidence"},
    {HEAD "connections = { value = 0; " SOURCE "};",
     "x.conf:3: connections.value: want 1..10000, got 0"},
    {HEAD "connections = { valeu = 4; " SOURCE "};",
     "x.conf:3: connections.valeu: there is no such key; did you mean value?"},
    {HEAD "connections = { value = 4; source = \"heard\"; };",
     "x.conf:3: connections.source: want one of published, observed, configured, learned, got "
     "\"heard\""},
    {HEAD "connections = { value = 4; source = \"observed\"; reference = \"r\"; date = "
          "\"2026-02-30\"; confidence = \"low\"; };",
     "x.conf:3: connections: date: want a date such as \"2026-11-21\", got \"2026-02-30\""},
    {HEAD "message_max = { value = 5; " SOURCE "};",
     "x.conf:3: message_max.value: want a size such as \"25M\", got 5"},
    {HEAD "limits: { day = 4; };", "x.conf:3: limits.day: want a group { ... }"},
    {HEAD "limits = 4;", "x.conf:3: limits: want a group { ... }"},
    {HEAD "limits: { day: { scope = \"recipient\"; count = 1; window = \"day\"; }; };",
     "x.conf:3: limits.day: want all of source, reference, date and confidence"},
    {LIMIT("scope = \"recipient\"; count = 1; "),
     "x.conf:4: limits.day: want scope, count and window (it replaces none that says them)"},
    {LIMIT("scope = \"recipent\"; "),
     "x.conf:4: limits.day.scope: want one of recipient, pair, domain, provider, "
     "sender-domain-provider, ip-provider, ip-domain, account, account-stream, got \"recipent\"; "
     "did you mean recipient?"},
    {LIMIT("count = 0; "), "x.conf:4: limits.day.count: want 1..1000000000000, got 0"},
    {LIMIT("count = \"10\"; "), "x.conf:4: limits.day.count: want a whole number, got \"10\""},
    {LIMIT("scope = \"pair\"; count = 1; window = \"fortnight\"; "),
     "x.conf:4: limits.day: window: want minute, hour, day, month, or clock, rolling, rate, "
     "cooldown with a duration (\"rolling 24h\"), got \"fortnight\""},
    {LIMIT("scope = \"pair\"; count = 1; window = \"rolling 10m\"; "),
     "x.conf:4: limits.day: window: want a duration such as \"10min\", \"4h\" or \"1d 12h\" (ms s "
     "min h d w), got \"10m\""},
    {LIMIT("scope = \"pair\"; count = 1; window = \"clock 7h\"; "),
     "x.conf:4: limits.day: window: want a clock span that divides a day, such as \"clock "
     "30min\", got \"clock 7h\""},
    {LIMIT("scope = \"pair\"; count = 1; window = \"rolling 0s\"; "),
     "x.conf:4: limits.day: window: want a span of 1s..366d, got \"rolling 0s\""},
    {LIMIT("scope = \"pair\"; count = 1; window = \"day\"; zone = \"../etc/passwd\"; "),
     "x.conf:4: limits.day: zone: want an IANA time zone such as \"Asia/Shanghai\", got "
     "\"../etc/passwd\""},
    {LIMIT("scope = \"pair\"; count = 1; window = \"day\"; zone = \"/etc/passwd\"; "),
     "x.conf:4: limits.day: zone: want an IANA time zone such as \"Asia/Shanghai\", got "
     "\"/etc/passwd\""},
    {LIMIT("scope = \"pair\"; count = 1; window = \"rolling 1d\"; zone = \"UTC\"; "),
     "x.conf:4: limits.day: zone: only calendar and clock windows have one"},
    {LIMIT("scope = \"pair\"; count = 1; window = \"hour\"; offset = \"1h\"; "),
     "x.conf:4: limits.day: offset: want less than one hour"},
    {LIMIT("scope = \"pair\"; count = 1; window = \"day\"; burst = 2; "),
     "x.conf:4: limits.day: burst: only a rate has one"},
    {LIMIT("scope = \"pair\"; count = 2; window = \"cooldown 1d\"; "),
     "x.conf:4: limits.day: count: a cooldown's is 1"},
    {HEAD "x = ;", "x.conf:3: syntax error near here; want NAME = VALUE; or NAME: { ... };"},
    {HEAD "x = \"abc\n\\\"", "x.conf:3: a text begins here and has no closing quote"},
    {HEAD "x = \"", "x.conf:3: a text begins here and has no closing quote"},
    {HEAD "limits: {", "x.conf:3: syntax error near here; want NAME = VALUE; or NAME: { ... };"},
    {HEAD "  @include \"/etc/passwd\"\n",
     "x.conf:3: @include is not taken; every *.conf in the folder conf.d beside the main file is "
     "read"},
    {"/* \n@include \"/etc/passwd\"\n*/",
     "x.conf:2: @include is not taken; every *.conf in the folder conf.d beside the main file is "
     "read"},
    {HEAD "a = 2147483648;",
     "x.conf:3: want a number without leading zeros up to 2147483647 (or with an L behind it), got "
     "2147483648"},
    {HEAD "a = 010;",
     "x.conf:3: want a number without leading zeros up to 2147483647 (or with an L behind it), got "
     "010"},
    {"a: { b: { c: { d: { e: { f: { g: { h: { i: {", "x.conf:1: groups are nested too deeply"},
    {"title = \"\xff\";", "x.conf: want UTF-8 text, got other bytes"},
};

static void test_bad_profiles_are_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct profile p = {0};
        struct tide_error err = {0};
        enum tide_err rc =
            profile_parse(PROFILE_PROVIDER, "x.conf", text_of(bad[i].text), &p, &err);
        T_TRUE(rc != TIDE_OK, "%s", bad[i].text);
        T_STR(err.text, bad[i].want, "%s", bad[i].text);
        T_TRUE(p.name == NULL, "nothing is left behind: %s", bad[i].text);
    }
}

static void test_kinds_and_names(void **state)
{
    (void)state;
    struct profile p;
    struct tide_error err;
    T_EQ(profile_parse(PROFILE_ACCOUNT, "ses.conf", text_of(HEAD), &p, &err), TIDE_EINVAL,
         "an account has no MX");
    T_STR(err.text, "ses.conf:2: mx: there is no such key", "an account has no MX");
    T_OK(profile_parse(PROFILE_ACCOUNT, "ses.conf", TEXT("title = \"SES\";"), &p, &err), &err,
         "an account need not be recognised");
    profile_fini(&p);
    static const char *const names[] = {"mail.ru.conf", ".conf", "163.conf", "a b.conf", "/"};
    for (size_t i = 0; i < TIDE_COUNT(names); i++)
        T_EQ(profile_parse(PROFILE_ACCOUNT, names[i], TEXT("title = \"T\";"), &p, &err),
             TIDE_EINVAL, "%s", names[i]);
}

static const struct {
    const char *words;
    enum window_kind kind;
    enum window_unit unit;
    int64_t span_ms;
} windows[] = {
    {"minute", WINDOW_CALENDAR, WINDOW_MINUTE, 0},
    {"hour", WINDOW_CALENDAR, WINDOW_HOUR, 0},
    {"day", WINDOW_CALENDAR, WINDOW_DAY, 0},
    {"month", WINDOW_CALENDAR, WINDOW_MONTH, 0},
    {"clock 30min", WINDOW_CLOCK, 0, 1800000},
    {"rolling 1d", WINDOW_ROLLING, 0, 86400000},
    {"rate 1s", WINDOW_RATE, 0, 1000},
    {"cooldown 36h", WINDOW_COOLDOWN, 0, 129600000},
};

static void test_windows_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(windows); i++) {
        struct window w = {0};
        struct tide_error err;
        char out[64];
        T_OK(limits_window(text_of(windows[i].words), &w, &err), &err, "%s", windows[i].words);
        T_EQ(w.kind, windows[i].kind, "%s", windows[i].words);
        T_EQ(w.unit, windows[i].unit, "%s", windows[i].words);
        T_EQ(w.span_ms, windows[i].span_ms, "%s", windows[i].words);
        T_STR(limits_window_text(&w, out), windows[i].words, "back");
    }
}

/* The words of the files are those of the command line, in the order of the enums. */
static void test_words_are_those_of_limit_h(void **state)
{
    (void)state;
    size_t checked = 0;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct key *key = &config_keys[i];
        for (unsigned k = 0; key->words && key->words[k]; k++) {
            if (strcmp(key->path, "limits.*.scope") == 0)
                T_STR(limit_scope_name((enum limit_scope)k), key->words[k], "scope");
            else if (strcmp(key->path, "limits.*.source") == 0)
                T_STR(limit_source_name((enum limit_source)k), key->words[k], "source");
            else if (strcmp(key->path, "limits.*.confidence") == 0)
                T_STR(limit_confidence_name((enum limit_confidence)k), key->words[k], "confidence");
            else
                continue;
            checked++;
        }
    }
    T_EQ(checked, LIMIT_SCOPES + 4 + 3, "all words");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_profile),
        cmocka_unit_test(test_bad_profiles_are_explained),
        cmocka_unit_test(test_kinds_and_names),
        cmocka_unit_test(test_windows_there_and_back),
        cmocka_unit_test(test_words_are_those_of_limit_h),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
