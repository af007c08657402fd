/* What a refusal, a complaint or a delivery does to a recipient's mail; with the real rules. */
#include "core/outcome/suppress.h"
#include "lib/check.h"
#include "lib/real_rules.h"

#define NOW  1772424000000LL
#define HOUR TIME_HOUR_MS
#define DAY  TIME_DAY_MS

static struct rulebook *rules;

static int load_rules(void **state)
{
    (void)state;
    rules = real_rules();
    return 0;
}

static int free_rules(void **state)
{
    (void)state;
    rulebook_free(rules);
    return 0;
}

/* What a row wants: all mail refused for so long, or held. */
#define STOPPED(cause, span_ms, times) true, true, false, SUPPRESSION_##cause, "", span_ms, times
#define PAUSED(cause, span_ms, times)  true, true, true, SUPPRESSION_##cause, "", span_ms, times

#define GONE "550 5.1.1 <ann@example.com>: Recipient address rejected: User unknown"

/* What was known before. */
struct before {
    tide_wall_ms delivered_at;
    tide_wall_ms finding_at; /* 0: none */
    const char *finding;
    struct suppression entry; /* at 0: none */
};

static const struct {
    const char *name, *provider, *reply;
    enum news_kind kind;
    struct before before;
    bool note, stop, pause;
    enum suppression_cause cause;
    const char *scope;
    int64_t for_ms; /* 0: for ever */
    int times;
} cases[] = {
    {"a bare 550", "", "550 no", NEWS_BOUNCED, {0}, .note = false},
    {"a bare 550 twice",
     "",
     "550 no",
     NEWS_BOUNCED,
     {.finding_at = NOW - DAY, .finding = "recipient"},
     .note = false},
    {"5.1.1 in words", "", GONE, NEWS_BOUNCED, {0}, STOPPED(INVALID, 90 * DAY, 1)},
    {"the same as a deferral", "", GONE, NEWS_DEFERRED, {0}, .note = false},
    {"of a mailbox that took mail last week: once is not enough",
     "",
     GONE,
     NEWS_BOUNCED,
     {.delivered_at = NOW - 7 * DAY},
     .note = true},
    {"and again a day later",
     "",
     GONE,
     NEWS_BOUNCED,
     {.delivered_at = NOW - 7 * DAY, .finding_at = NOW - DAY, .finding = "recipient"},
     STOPPED(INVALID, 90 * DAY, 1)},
    {"what a delivery came after",
     "",
     GONE,
     NEWS_BOUNCED,
     {.delivered_at = NOW - DAY, .finding_at = NOW - 2 * DAY, .finding = "recipient"},
     .note = true},
    {"news of before a delivery",
     "",
     GONE,
     NEWS_BOUNCED,
     {.delivered_at = NOW + HOUR},
     .note = false},
    {"words of nobody's rule in particular, once",
     "",
     "550 user unknown",
     NEWS_BOUNCED,
     {0},
     .note = true},
    {"and an hour later",
     "",
     "550 user unknown",
     NEWS_BOUNCED,
     {.finding_at = NOW - HOUR, .finding = "recipient"},
     STOPPED(INVALID, 90 * DAY, 1)},
    {"and a minute later: one event",
     "",
     "550 user unknown",
     NEWS_BOUNCED,
     {.finding_at = NOW - TIME_MINUTE_MS, .finding = "recipient"},
     .note = true},
    {"and half a year later",
     "",
     "550 user unknown",
     NEWS_BOUNCED,
     {.finding_at = NOW - 180 * DAY, .finding = "recipient"},
     .note = true},
    {"another kind of finding confirms nothing",
     "",
     "550 user unknown",
     NEWS_BOUNCED,
     {.finding_at = NOW - DAY, .finding = "full"},
     .note = true},
    {"the provider's own words",
     "google",
     "550-5.1.1 The email account that you tried to reach does not exist. Please try "
     "double-checking the recipient's email address",
     NEWS_BOUNCED,
     {0},
     STOPPED(INVALID, 90 * DAY, 1)},
    {"again after its term: longer",
     "",
     GONE,
     NEWS_BOUNCED,
     {.entry = {.cause = SUPPRESSION_INVALID,
                .at = NOW - 91 * DAY,
                .expires_at = NOW - DAY,
                .times = 1}},
     STOPPED(INVALID, 365 * DAY, 2)},
    {"the third time: for ever",
     "",
     GONE,
     NEWS_BOUNCED,
     {.entry = {.cause = SUPPRESSION_INVALID,
                .at = NOW - 400 * DAY,
                .expires_at = NOW - DAY,
                .times = 2}},
     STOPPED(INVALID, 0, 3)},
    {"while it stands",
     "",
     GONE,
     NEWS_BOUNCED,
     {.entry =
          {.cause = SUPPRESSION_INVALID, .at = NOW - DAY, .expires_at = NOW + DAY, .times = 1}},
     .note = true},
    {"confirmed yesterday: once is not enough, and what was before counts no more",
     "",
     GONE,
     NEWS_BOUNCED,
     {.finding_at = NOW - 2 * DAY,
      .finding = "recipient",
      .entry = {.cause = SUPPRESSION_INVALID,
                .at = NOW - 2 * DAY,
                .expires_at = NOW + DAY,
                .lifted_at = NOW - DAY,
                .times = 1}},
     .note = true},
    {"a complaint is not covered by less",
     "",
     GONE,
     NEWS_BOUNCED,
     {.entry = {.cause = SUPPRESSION_COMPLAINT, .at = NOW - DAY, .times = 1}},
     .note = true},
    {"full", "", "552 5.2.2 mailbox full", NEWS_BOUNCED, {0}, PAUSED(FULL, 6 * HOUR, 1)},
    {"full, for now", "", "452 4.2.2 mailbox full", NEWS_DEFERRED, {0}, PAUSED(FULL, 6 * HOUR, 1)},
    {"full for the third time",
     "",
     "552 5.2.2 mailbox full",
     NEWS_BOUNCED,
     {.entry = {.cause = SUPPRESSION_FULL,
                .pause = true,
                .at = NOW - 2 * DAY,
                .expires_at = NOW - DAY,
                .times = 2}},
     PAUSED(FULL, 3 * DAY, 3)},
    {"full for the fifth time: no pause any more",
     "",
     "552 5.2.2 mailbox full",
     NEWS_BOUNCED,
     {.entry = {.cause = SUPPRESSION_FULL,
                .pause = true,
                .at = NOW - 9 * DAY,
                .expires_at = NOW - DAY,
                .times = 4}},
     STOPPED(FULL, 30 * DAY, 5)},
    {"full again after mail arrived: from the beginning",
     "",
     "552 5.2.2 mailbox full",
     NEWS_BOUNCED,
     {.delivered_at = NOW - DAY,
      .entry = {.cause = SUPPRESSION_FULL,
                .pause = true,
                .at = NOW - 9 * DAY,
                .expires_at = NOW - 2 * DAY,
                .times = 4}},
     PAUSED(FULL, 6 * HOUR, 1)},
    {"disabled",
     "google",
     "550 5.2.1 The email account that you tried to reach is disabled",
     NEWS_BOUNCED,
     {0},
     PAUSED(DISABLED, DAY, 1)},
    {"the recipient blocked us",
     "qq",
     "550 Mail is rejected by recipients. https://service.mail.qq.com/detail/122/92",
     NEWS_BOUNCED,
     {0},
     true,
     true,
     false,
     SUPPRESSION_REFUSED,
     "sender:app@pm.test",
     30 * DAY,
     1},
    {"a limit", "qq", "550 Connection frequency limited", NEWS_BOUNCED, {0}, .note = false},
    {"our IP is on a block list",
     "",
     "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
     NEWS_BOUNCED,
     {0},
     .note = false},
    {"SPF",
     "google",
     "550-5.7.26 This mail has been blocked because the sender is unauthenticated.",
     NEWS_BOUNCED,
     {0},
     .note = false},
    {"content",
     "",
     "550 5.7.1 Message content rejected, id=12345",
     NEWS_BOUNCED,
     {0},
     .note = false},
    {"an outage", "", "451 4.3.0 Temporary lookup failure", NEWS_BOUNCED, {0}, .note = false},
    {"no such domain",
     "",
     "550 5.1.2 bad destination system address",
     NEWS_BOUNCED,
     {0},
     .note = false},
    {"a complaint",
     "",
     "",
     NEWS_COMPLAINED,
     {0},
     false,
     true,
     false,
     SUPPRESSION_COMPLAINT,
     "",
     0,
     1},
    {"a complaint of one who is full",
     "",
     "",
     NEWS_COMPLAINED,
     {.entry =
          {.cause = SUPPRESSION_FULL, .pause = true, .at = NOW, .expires_at = NOW + 1, .times = 1}},
     false,
     true,
     false,
     SUPPRESSION_COMPLAINT,
     "",
     0,
     1},
    {"unsubscribed",
     "",
     "",
     NEWS_UNSUBSCRIBED,
     {0},
     false,
     true,
     false,
     SUPPRESSION_UNSUBSCRIBED,
     "stream:news",
     0,
     1},
    {"on the ESP's own list", "", "550 5.1.1 bounced address", NEWS_DROPPED, {0}, .note = false},
    {"delivered", "", "", NEWS_DELIVERED, {0}, .note = false},
};

/* As the gate puts it together. */
static void judge(size_t i, bool never, struct suppress_answer *ret)
{
    const struct before *b = &cases[i].before;
    struct past_finding finding = {
        .at = b->finding_at, .attempt_id = 7, .class = text_of(b->finding ? b->finding : "")};
    struct suppression entry = b->entry;
    struct recipient_past past = {.delivered_at = b->delivered_at,
                                  .findings = &finding,
                                  .finding_count = b->finding_at > 0,
                                  .suppressions = &entry,
                                  .suppression_count = entry.at > 0};
    struct reply_said said;
    struct meaning m = {0};
    entry.scope = TEXT("");
    reply_said_of(text_of(cases[i].reply), &said);
    said.provider = text_of(cases[i].provider);
    said.words = text_of(cases[i].reply);
    bool refusal = cases[i].kind == NEWS_BOUNCED || cases[i].kind == NEWS_DEFERRED;
    if (refusal)
        meaning_of(rules, &said, &m);
    struct suppress_case c = {.now = NOW,
                              .said_at = NOW,
                              .kind = cases[i].kind,
                              .meaning = refusal ? &m : NULL,
                              .attempt_id = 9,
                              .identity = TEXT("app@pm.test"),
                              .stream = TEXT("news"),
                              .never = never,
                              .past = &past};
    memcpy(c.status, said.status, sizeof c.status);
    suppress_judge(&c, ret);
}

static void test_judge(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct suppress_answer a;
        judge(i, false, &a);
        T_EQ(a.note, cases[i].note, "%s: evidence", cases[i].name);
        T_EQ(a.stop, cases[i].stop, "%s: stops", cases[i].name);
        if (a.stop) {
            T_EQ(a.pause, cases[i].pause, "%s: pause", cases[i].name);
            T_EQ(a.cause, cases[i].cause, "%s: cause", cases[i].name);
            T_STR(a.scope, cases[i].scope, "%s: scope", cases[i].name);
            T_EQ(a.expires_at, cases[i].for_ms ? NOW + cases[i].for_ms : 0, "%s: expires",
                 cases[i].name);
            T_EQ(a.times, cases[i].times, "%s: times", cases[i].name);
            T_TRUE(a.why[0] != '\0', "%s: says why", cases[i].name);
        }
        judge(i, true, &a);
        T_TRUE(!a.stop, "%s: never for those on the operator's list", cases[i].name);
    }
}

/* Nothing that any rule says of limits, outages, content, reputation or authentication stops mail,
 * whatever the past: every example of every rule is tried. */
static void test_only_recipients(void **state)
{
    (void)state;
    size_t tried = 0, stopped = 0;
    struct past_finding finding = {.at = NOW - DAY, .attempt_id = 7, .class = TEXT("recipient")};
    struct recipient_past past = {.findings = &finding, .finding_count = 1};
    for (size_t i = 0; i < rulebook_count(rules); i++) {
        const struct reply_rule *rule = rulebook_rule(rules, i);
        for (size_t k = 0; k < rule->example_count; k++, tried++) {
            struct reply_said said;
            struct meaning m;
            struct suppress_answer a;
            const char *provider = rulebook_rule_provider(rules, i, 0);
            reply_said_of(text_of(rule->examples[k]), &said);
            said.provider = text_of(provider ? provider : "");
            said.words = text_of(rule->examples[k]);
            meaning_of(rules, &said, &m);
            struct suppress_case c = {.now = NOW,
                                      .said_at = NOW,
                                      .kind = NEWS_BOUNCED,
                                      .meaning = &m,
                                      .attempt_id = 9,
                                      .identity = TEXT("app@pm.test"),
                                      .past = &past};
            memcpy(c.status, said.status, sizeof c.status);
            suppress_judge(&c, &a);
            bool ours = m.fault == FAULT_RECIPIENT || (m.rule && m.rule->pair);
            T_TRUE(ours || (!a.stop && !a.note), "%s: \"%s\"", rule->name, rule->examples[k]);
            stopped += a.stop;
        }
    }
    T_TRUE(tried > 300 && stopped > 30 && stopped < tried / 2, "%zu of %zu stop mail", stopped,
           tried);
}

static void test_unclear(void **state)
{
    (void)state;
    static const struct {
        struct recipient_past past;
        enum suppress_unclear want;
    } pasts[] = {
        {{.delivered_at = 0}, UNCLEAR_ADDRESS},
        {{.delivered_at = NOW, .taken_today = 3}, UNCLEAR_LIMIT},
        {{.taken_at = NOW, .taken_today = 9}, UNCLEAR_LIMIT},
        {{.delivered_at = NOW, .taken_today = 1}, UNCLEAR_NEITHER},
        {{.delivered_at = NOW}, UNCLEAR_NEITHER},
    };
    for (size_t i = 0; i < TIDE_COUNT(pasts); i++)
        T_EQ(suppress_unclear(&pasts[i].past), pasts[i].want, "past %zu", i);
}

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        struct suppression s;
        const char *scope, *by;
        bool want;
    } entries[] = {
        {{.cause = SUPPRESSION_INVALID, .at = NOW - 1}, "", "", true},
        {{.cause = SUPPRESSION_FULL, .at = NOW - 1}, "", "", true},
        {{.cause = SUPPRESSION_DISABLED, .at = NOW - 1}, "", "", true},
        {{.cause = SUPPRESSION_INVALID, .at = NOW + 1}, "", "", false}, /* news of before it */
        {{.cause = SUPPRESSION_INVALID, .at = NOW - 1, .lifted_at = NOW}, "", "", false},
        {{.cause = SUPPRESSION_INVALID, .at = NOW - 1}, "", "user anna", false},
        {{.cause = SUPPRESSION_COMPLAINT, .at = NOW - 1}, "", "", false},
        {{.cause = SUPPRESSION_UNSUBSCRIBED, .at = NOW - 1}, "stream:news", "", false},
        {{.cause = SUPPRESSION_REFUSED, .at = NOW - 1}, "sender:app@pm.test", "", true},
        {{.cause = SUPPRESSION_REFUSED, .at = NOW - 1}, "sender:b@pm.test", "", false},
    };
    for (size_t i = 0; i < TIDE_COUNT(entries); i++) {
        struct suppression s = entries[i].s;
        s.scope = text_of(entries[i].scope);
        s.by = text_of(entries[i].by);
        T_EQ(suppress_ends(&s, TEXT("app@pm.test"), NOW), entries[i].want, "entry %zu", i);
    }
}

static void test_outdated(void **state)
{
    (void)state;
    static const struct {
        const char *evidence, *rule, *by;
        enum suppression_cause cause;
        bool want;
    } entries[] = {
        {"550 Connection frequency limited", "", "", SUPPRESSION_INVALID, true},
        {"550 Connection frequency limited", "a/rule-that-is-gone", "", SUPPRESSION_FULL, true},
        {"550 Connection frequency limited", "", "user anna", SUPPRESSION_INVALID, false},
        {"550 Connection frequency limited", "", "", SUPPRESSION_COMPLAINT, false},
        {GONE, "", "", SUPPRESSION_INVALID, false},
        {"550 no", "", "", SUPPRESSION_INVALID, false},
        {"", "", "", SUPPRESSION_INVALID, false},
        {"whatever", "qq/content", "", SUPPRESSION_INVALID, false},
        {"whatever", "qq/unavailable-or-denied", "", SUPPRESSION_INVALID,
         false}, /* its past spoke */
    };
    for (size_t i = 0; i < TIDE_COUNT(entries); i++) {
        const struct suppression s = {.evidence = text_of(entries[i].evidence),
                                      .rule = text_of(entries[i].rule),
                                      .by = text_of(entries[i].by),
                                      .cause = entries[i].cause};
        T_EQ(suppress_is_outdated(&s, rules), entries[i].want, "entry %zu", i);
    }
}

static void test_effect(void **state)
{
    (void)state;
    static const struct {
        enum suppression_cause cause;
        const char *scope;
        bool pause, urgent;
        enum on_suppressed rule;
        enum suppress_effect want;
    } mails[] = {
        {SUPPRESSION_INVALID, "", false, false, SUPPRESSED_REFUSE, EFFECT_STOPPED},
        {SUPPRESSION_INVALID, "", false, true, SUPPRESSED_REFUSE, EFFECT_STOPPED},
        {SUPPRESSION_INVALID, "", false, true, SUPPRESSED_TRY, EFFECT_TRIED},
        {SUPPRESSION_COMPLAINT, "", false, true, SUPPRESSED_TRY, EFFECT_STOPPED},
        {SUPPRESSION_MANUAL, "", false, true, SUPPRESSED_TRY, EFFECT_STOPPED},
        {SUPPRESSION_COMPLAINT, "", false, true, SUPPRESSED_ALWAYS, EFFECT_TRIED},
        {SUPPRESSION_FULL, "", true, false, SUPPRESSED_REFUSE, EFFECT_PAUSED},
        {SUPPRESSION_FULL, "", true, true, SUPPRESSED_REFUSE, EFFECT_NONE},
        {SUPPRESSION_UNSUBSCRIBED, "stream:news", false, false, SUPPRESSED_REFUSE, EFFECT_STOPPED},
        {SUPPRESSION_UNSUBSCRIBED, "stream:other", false, false, SUPPRESSED_REFUSE, EFFECT_NONE},
        {SUPPRESSION_UNSUBSCRIBED, "bulk", false, false, SUPPRESSED_REFUSE, EFFECT_STOPPED},
        {SUPPRESSION_UNSUBSCRIBED, "bulk", false, true, SUPPRESSED_REFUSE, EFFECT_NONE},
        {SUPPRESSION_REFUSED, "sender:app@pm.test", false, false, SUPPRESSED_REFUSE,
         EFFECT_STOPPED},
        {SUPPRESSION_REFUSED, "sender:b@pm.test", false, false, SUPPRESSED_REFUSE, EFFECT_NONE},
    };
    for (size_t i = 0; i < TIDE_COUNT(mails); i++) {
        struct suppression s = {.cause = mails[i].cause,
                                .scope = text_of(mails[i].scope),
                                .pause = mails[i].pause,
                                .at = NOW,
                                .expires_at = NOW + DAY};
        struct suppress_mail mail = {.stream = TEXT("news"),
                                     .identity = TEXT("app@pm.test"),
                                     .urgent = mails[i].urgent,
                                     .rule = mails[i].rule};
        T_EQ(suppress_effect(&s, &mail, NOW), mails[i].want, "mail %zu", i);
        T_EQ(suppress_effect(&s, &mail, NOW + DAY), EFFECT_NONE, "mail %zu, when it is over", i);
        s.lifted_at = NOW;
        T_EQ(suppress_effect(&s, &mail, NOW), EFFECT_NONE, "mail %zu, when it is lifted", i);
    }
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool want;
        const char *scope;
    } lines[] = {
        {"invalid|0|0|", true, ""},
        {"full|1|1772424000000|", true, ""},
        {"refused|0|0|sender:\"a|b\"@pm.test", true, "sender:\"a|b\"@pm.test"},
        {"nothing|0|0|", false, ""},
        {"invalid|2|0|", false, ""},
        {"invalid|0|-1|", false, ""},
        {"invalid|0", false, ""},
        {"", false, ""},
    };
    for (size_t i = 0; i < TIDE_COUNT(lines); i++) {
        struct suppression s;
        T_EQ(suppression_line_of(text_of(lines[i].line), &s), lines[i].want, "%s", lines[i].line);
        if (lines[i].want)
            T_TEXT(s.scope, lines[i].scope, "%s", lines[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),    cmocka_unit_test(test_only_recipients),
        cmocka_unit_test(test_unclear),  cmocka_unit_test(test_ends),
        cmocka_unit_test(test_outdated), cmocka_unit_test(test_effect),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, load_rules, free_rules);
}
