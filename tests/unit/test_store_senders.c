/* What checks of senders found, who of many is suppressed, and claims that pass over streams. */
#include "lib/check.h"
#include "lib/store_rig.h"

static void put_sender(struct store_rig *r, const char *domain, const char *held, bool gone)
{
    struct change c = {.type = gone ? CHANGE_SENDER_GONE : CHANGE_SENDER,
                       .sender = {.domain = text_of(domain),
                                  .account = TEXT("esp"),
                                  .seen_at = 1,
                                  .checked_at = 2,
                                  .passed_at = 3,
                                  .held = text_of(held),
                                  .report = TEXT("{}")}};
    T_OK(rig_apply(r, &c, 1), &r->err, "%s", domain);
}

/* "a.org held|b.org |" */
static void senders_are(struct store_rig *r, const char *want)
{
    struct buf got = {0};
    struct store_ask ask = {.view = STORE_VIEW_SENDERS};
    T_OK(rig_ask(r, &ask), &r->err, "ask");
    for (size_t i = 0; i < ask.sender_count; i++) {
        const struct sender_record *s = &ask.senders[i];
        buf_addf(&got, TEXT_FMT " " TEXT_FMT "|", TEXT_ARG(s->domain), TEXT_ARG(s->held));
        T_TRUE(s->seen_at == 1 && s->checked_at == 2 && s->passed_at == 3, "times");
        T_TEXT(s->report, "{}", "report");
    }
    T_STR(buf_str(&got), want, "senders");
    buf_fini(&got);
    arena_fini(&ask.arena);
}

static void test_senders(void **state)
{
    (void)state;
    struct store_rig r;
    rig_init(&r);
    T_OK(rig_open(&r), &r.err, "open");
    senders_are(&r, "");
    put_sender(&r, "b.org", "no DKIM", false);
    put_sender(&r, "a.org", "", false);
    put_sender(&r, "a.org", "no SPF", false);
    senders_are(&r, "a.org no SPF|b.org no DKIM|");
    rig_close(&r);
    T_OK(rig_open(&r), &r.err, "open again");
    senders_are(&r, "a.org no SPF|b.org no DKIM|");
    put_sender(&r, "a.org", "", true);
    put_sender(&r, "never.org", "", true);
    senders_are(&r, "b.org no DKIM|");
    rig_fini(&r);
}

static void test_suppressed_of_many(void **state)
{
    (void)state;
    struct store_rig r;
    const struct text asked[] = {TEXT("ann@a.org"), TEXT("bob@a.org"), TEXT(""), TEXT("ann@a.org")};
    struct change c = {.type = CHANGE_SUPPRESS,
                       .suppress = {.address = TEXT("ann@a.org"),
                                    .cause = SUPPRESSION_INVALID,
                                    .evidence = TEXT("550"),
                                    .at = 1}};
    rig_init(&r);
    T_OK(rig_open(&r), &r.err, "open");
    T_OK(rig_apply(&r, &c, 1), &r.err, "suppress");
    struct store_ask ask = {
        .view = STORE_VIEW_SUPPRESSED, .asked = asked, .asked_count = TIDE_COUNT(asked)};
    T_OK(rig_ask(&r, &ask), &r.err, "ask");
    for (size_t i = 0; i < TIDE_COUNT(asked); i++) {
        struct suppression s;
        bool is = ask.suppressed[i].n && suppression_line_of(ask.suppressed[i], &s);
        T_EQ(is, i == 0 || i == 3, "address %zu", i);
        if (is)
            T_EQ(s.cause, SUPPRESSION_INVALID, "address %zu", i);
    }
    arena_fini(&ask.arena);
    rig_fini(&r);
}

static tide_id accept_in(struct store_rig *r, const char *stream, bool digestible)
{
    struct mail m;
    mail_init(r, &m, "ann@a.org", "Subject: x\r\n\r\nx\r\n");
    m.submission.stream = text_of(stream);
    m.submission.digestible = digestible;
    T_OK(rig_accept(r, &m.req), &r->err, "accept");
    tide_id id = m.items[0].id;
    mail_fini(&m);
    return id;
}

/* In order of age; news and offers are passed over, and are there when they no longer are. */
static void test_claims_pass_over(void **state)
{
    (void)state;
    for (int digest = 0; digest < 2; digest++) {
        struct store_rig r;
        rig_init(&r);
        T_OK(rig_open(&r), &r.err, "open");
        accept_in(&r, "news", digest);
        tide_id direct = accept_in(&r, "new", digest); /* its name is a part of another */
        accept_in(&r, "offers", digest);
        for (int round = 0; round < 3; round++) {
            const struct store_claim all = {
                .attempt = {.id = id_next(&r.ids, r.now), .recipient_id = 1, .group_id = 1},
                .digest = digest,
                .now = r.now,
                .without_streams = round < 2 ? TEXT("|news|offers|") : TEXT("")};
            struct store_claim claim = all;
            T_OK(rig_claim(&r, &claim), &r.err, "claim");
            size_t want = round == 0 ? 1 : round == 1 ? 0 : digest ? 2 : 1;
            T_EQ(claim.notification_count, want, "digest %d, round %d", digest, round);
            if (round == 0)
                T_EQ(claim.notifications[0].id, direct, "the one that is not bulk");
            arena_fini(&claim.arena);
        }
        rig_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_senders),
                                       cmocka_unit_test(test_suppressed_of_many),
                                       cmocka_unit_test(test_claims_pass_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
