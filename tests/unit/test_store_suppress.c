/* The list of what is suppressed: written, lifted, page after page, and what an application sees.
 */
#include "lib/check.h"
#include "lib/store_rig.h"

#include <string.h>

static struct store_rig rig;

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    T_OK(rig_open(&rig), &rig.err, "open");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

static void put(enum change_type type,
                const char *address,
                const char *scope,
                enum suppression_cause cause,
                tide_wall_ms expires_at)
{
    struct change c = {.type = type,
                       .suppress = {.address = text_of(address),
                                    .scope = text_of(scope),
                                    .cause = cause,
                                    .evidence = TEXT("550 no"),
                                    .at = rig.now,
                                    .lifted_at = rig.now,
                                    .expires_at = expires_at,
                                    .times = 2}};
    T_OK(rig_apply(&rig, &c, 1), &rig.err, "%s", address);
}

static void fill(void)
{
    put(CHANGE_SUPPRESS, "ann@x.test", "", SUPPRESSION_INVALID, 0);
    put(CHANGE_SUPPRESS, "ann@x.test", "stream:news", SUPPRESSION_UNSUBSCRIBED, 0);
    put(CHANGE_SUPPRESS, "bob@x.test", "", SUPPRESSION_FULL, rig.now + 1000);
    put(CHANGE_SUPPRESS, "eve@sub.x.test", "", SUPPRESSION_COMPLAINT, 0);
    put(CHANGE_SUPPRESS, "joe@y.test", "", SUPPRESSION_INVALID, 0);
    put(CHANGE_UNSUPPRESS, "joe@y.test", "", SUPPRESSION_INVALID, 0);
}

/* "ann@x.test ann@x.test/stream:news bob@x.test" */
static void names_of(struct store_ask *ask, struct buf *ret)
{
    ask->view = STORE_VIEW_SUPPRESSIONS;
    T_OK(rig_ask(&rig, ask), &rig.err, "list");
    for (size_t i = 0; i < ask->suppression_count; i++) {
        const struct suppression *s = &ask->suppressions[i];
        buf_addf(ret, "%s" TEXT_FMT "%s" TEXT_FMT, ret->len ? " " : "", TEXT_ARG(s->address),
                 s->scope.n ? "/" : "", TEXT_ARG(s->scope));
        T_TEXT(s->evidence, "550 no", "evidence");
        T_EQ(s->times, 2, "times");
    }
}

static void test_filters(void **state)
{
    (void)state;
    static const struct {
        const char *recipient, *domain, *cause;
        bool on;
        int64_t later;
        const char *want;
    } cases[] = {
        {"", "", "", true, 0, "ann@x.test ann@x.test/stream:news bob@x.test eve@sub.x.test"},
        {"", "", "", false, 0,
         "ann@x.test ann@x.test/stream:news bob@x.test eve@sub.x.test joe@y.test"},
        {"", "", "", true, 1000, "ann@x.test ann@x.test/stream:news eve@sub.x.test"},
        {"ann@x.test", "", "", true, 0, "ann@x.test ann@x.test/stream:news"},
        {"", "x.test", "", true, 0, "ann@x.test ann@x.test/stream:news bob@x.test"},
        {"", "", "complaint", true, 0, "eve@sub.x.test"},
        {"", "test", "", true, 0, ""},
        {"nobody@x.test", "", "", false, 0, ""},
    };
    fill();
    tide_wall_ms from = rig.now;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf got = {0};
        struct store_ask ask = {.recipient = text_of(cases[i].recipient),
                                .domain = text_of(cases[i].domain),
                                .stream = text_of(cases[i].cause),
                                .newest = cases[i].on};
        rig.now = from + cases[i].later;
        names_of(&ask, &got);
        T_STR(buf_str(&got), cases[i].want, "case %zu", i);
        buf_fini(&got);
        arena_fini(&ask.arena);
    }
}

static void test_pages(void **state)
{
    (void)state;
    fill();
    for (size_t most = 1; most <= 6; most++) {
        struct buf got = {0}, after = {0};
        size_t pages = 0;
        do {
            struct store_ask ask = {.after = buf_text(&after), .most = most};
            names_of(&ask, &got);
            struct buf next = {0};
            buf_add_text(&next, ask.next);
            buf_fini(&after);
            after = next;
            arena_fini(&ask.arena);
            pages++;
        } while (after.len > 0);
        T_STR(buf_str(&got),
              "ann@x.test ann@x.test/stream:news bob@x.test eve@sub.x.test joe@y.test",
              "pages of %zu", most);
        T_EQ(pages, (5 + most - 1) / most, "pages of %zu", most);
        buf_fini(&got);
        buf_fini(&after);
    }
}

/* An application sees its own recipients, and its own senders' entries. */
static void test_of_application(void **state)
{
    (void)state;
    static const struct {
        const char *application;
        int64_t count;
        size_t entries;
        const char *listed;
    } cases[] = {
        {"app", 1, 2, "ann@x.test ann@x.test/sender:app@pm.test"},
        {"other", 0, 1, ""},
        {"", 0, 3, "ann@x.test ann@x.test/sender:app@pm.test ann@x.test/sender:else@pm.test"},
    };
    struct mail m;
    mail_init(&rig, &m, "ann@x.test", "hello");
    m.submission.identity = TEXT("app@pm.test");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "accept");
    mail_fini(&m);
    put(CHANGE_SUPPRESS, "ann@x.test", "", SUPPRESSION_INVALID, 0);
    put(CHANGE_SUPPRESS, "ann@x.test", "sender:app@pm.test", SUPPRESSION_REFUSED, 0);
    put(CHANGE_SUPPRESS, "ann@x.test", "sender:else@pm.test", SUPPRESSION_REFUSED, 0);
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct mail_news about = {.recipient = TEXT("ann@x.test")};
        struct store_ask ask = {
            .view = STORE_VIEW_NEWS, .news = &about, .application = text_of(cases[i].application)};
        T_OK(rig_ask(&rig, &ask), &rig.err, "ask");
        T_EQ(ask.count, cases[i].count, "%s", cases[i].application);
        T_EQ(ask.found.past.suppression_count, cases[i].entries, "%s", cases[i].application);
        arena_fini(&ask.arena);
        struct store_ask list = {.application = text_of(cases[i].application)};
        struct buf got = {0};
        names_of(&list, &got);
        T_STR(buf_str(&got), cases[i].listed, "the list of %s", cases[i].application);
        buf_fini(&got);
        arena_fini(&list.arena);
    }
}

/* Evidence: one an attempt and class, what is surer counts. */
static void test_evidence(void **state)
{
    (void)state;
    struct mail m;
    mail_init(&rig, &m, "ann@x.test", "hello");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "accept");
    int64_t id = m.items[0].recipient.id;
    mail_fini(&m);
    static const struct {
        tide_id attempt;
        const char *class, *reply;
        bool sure;
    } found[] = {
        {7, "recipient", "first", false},     {7, "recipient", "surer", true},
        {7, "recipient", "less sure", false}, {7, "full", "full", false},
        {8, "recipient", "another", false},
    };
    for (size_t i = 0; i < TIDE_COUNT(found); i++) {
        struct change c = {.type = CHANGE_FINDING,
                           .finding = {id,
                                       {.at = rig.now + (tide_wall_ms)i,
                                        .attempt_id = found[i].attempt,
                                        .class = text_of(found[i].class),
                                        .sure = found[i].sure,
                                        .reply = text_of(found[i].reply)}}};
        T_OK(rig_apply(&rig, &c, 1), &rig.err, "finding %zu", i);
    }
    struct mail_news about = {.recipient = TEXT("ann@x.test")};
    struct store_ask ask = {.view = STORE_VIEW_NEWS, .news = &about};
    T_OK(rig_ask(&rig, &ask), &rig.err, "ask");
    const struct recipient_past *past = &ask.found.past;
    T_EQ(past->finding_count, 3, "one an attempt and class");
    T_EQ(past->findings[0].attempt_id, 8, "the newest first");
    bool found_surer = false;
    for (size_t i = 0; i < past->finding_count; i++)
        found_surer |= text_eq(past->findings[i].reply, TEXT("surer")) && past->findings[i].sure;
    T_TRUE(found_surer, "the surest words stay");
    arena_fini(&ask.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_application, setup, teardown),
        cmocka_unit_test_setup_teardown(test_evidence, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
