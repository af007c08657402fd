/* The journal as others follow it: the table of events, cursors, and who may see what. */
#include "base/file.h"
#include "core/record/event.h"
#include "lib/check.h"
#include "lib/store_rig.h"

static struct store_rig rig;

static int set_up(void **state)
{
    (void)state;
    rig_init(&rig);
    return rig_open(&rig) == TIDE_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < event_kind_count; i++) {
        const struct event_kind *k = &event_kinds[i];
        T_TRUE(event_of_journal(text_of(k->journal)) == k, "%s is there once", k->journal);
        T_TRUE(event_of_type(text_of(k->type)) == k, "%s is there once", k->type);
        T_TRUE(k->help[strlen(k->help) - 1] == '.', "%s has a sentence", k->type);
    }
    static const struct {
        const char *list, *in, *out; /* in the set, not in it */
        enum tide_err want;
    } cases[] = {
        {"", "accepted", NULL, TIDE_OK},
        {"*", "accepted", NULL, TIDE_OK},
        {"notification.sent", "sent", "bounced", TIDE_OK},
        {"notification.*", "sent", "suppressed", TIDE_OK},
        {"recipient.*, alarm.raised", "suppressed", "alarm_over", TIDE_OK},
        {"notification.sen*", NULL, NULL, TIDE_EINVAL},
        {"notification.gone", NULL, NULL, TIDE_EINVAL},
        {"notification.sent,", NULL, NULL, TIDE_EINVAL},
        {"sent", NULL, NULL, TIDE_EINVAL},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        event_set set = 0;
        struct tide_error err = {0};
        T_EQ(event_set_parse(text_of(cases[i].list), &set, &err), cases[i].want, "\"%s\"",
             cases[i].list);
        if (cases[i].in)
            T_TRUE(set & event_bit(event_of_journal(text_of(cases[i].in))), "\"%s\" has %s",
                   cases[i].list, cases[i].in);
        if (cases[i].out)
            T_TRUE(!(set & event_bit(event_of_journal(text_of(cases[i].out)))), "\"%s\" has not %s",
                   cases[i].list, cases[i].out);
    }
}

/* People read of each type, written whole or as "`.sent`" behind its like. */
static void test_readme_names_all(void **state)
{
    (void)state;
    struct buf readme = {0};
    struct tide_error err;
    T_OK(file_read("README.md", 1 << 20, &readme, &err), &err, "from the top of the tree");
    for (size_t i = 0; i < event_kind_count; i++) {
        char whole[80], part[80];
        const char *type = event_kinds[i].type;
        snprintf(whole, sizeof whole, "`%s`", type);
        snprintf(part, sizeof part, "`%s`", strchr(type, '.'));
        T_TRUE(strstr(buf_str(&readme), whole) || strstr(buf_str(&readme), part), "%s", type);
    }
    buf_fini(&readme);
}

/* One mail for Ann by an application of that name; its group. */
static int64_t mail_of(const char *application, tide_id *ret_id)
{
    struct mail m;
    mail_init(&rig, &m, "ann@a.example", "text");
    m.submission.application = text_of(application);
    m.submission.key = text_of(application);
    T_OK(rig_accept(&rig, &m.req), &rig.err, "%s", application);
    int64_t group = m.items[0].pending.group_id;
    *ret_id = m.items[0].id;
    mail_fini(&m);
    return group;
}

static void say(const struct journal_entry *e)
{
    struct change c = {.type = CHANGE_JOURNAL, .journal = *e};
    T_OK(rig_apply(&rig, &c, 1), &rig.err, "journal");
}

static void test_who_sees_what(void **state)
{
    (void)state;
    tide_id shop, forum;
    int64_t shops = mail_of("shop", &shop), forums = mail_of("forum", &forum);
    say(&(struct journal_entry){.at = 5,
                                .recipient_id = 1,
                                .group_id = shops,
                                .event = TEXT("held"),
                                .detail = TEXT("{\"limit\":\"x\"}")});
    say(&(struct journal_entry){.at = 6, .recipient_id = 1, .event = TEXT("suppressed")});
    say(&(struct journal_entry){.at = 7, .event = TEXT("alarm")});
    say(&(struct journal_entry){.at = 8, .event = TEXT("planned")}); /* not told outside */
    /* by its notification alone, as entries of older versions are */
    say(&(struct journal_entry){.at = 9, .notification_id = forum, .event = TEXT("cancelled")});
    (void)forums;
    static const struct {
        const char *name, *application, *types, *want;
        bool alarms;
    } cases[] = {
        {"operator", "", "", "accepted accepted held suppressed alarm cancelled ", false},
        {"shop", "shop", "", "accepted held suppressed ", false},
        {"forum", "forum", "", "accepted suppressed cancelled ", false},
        {"shop with alarms", "shop", "", "accepted held suppressed alarm ", true},
        {"nobody", "other", "", "", false},
        {"by type", "shop", "recipient.*", "suppressed ", false},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct store_ask ask = {.view = STORE_VIEW_EVENTS,
                                .application = text_of(cases[i].application),
                                .with_alarms = cases[i].alarms};
        struct tide_error err;
        char got[200] = "";
        T_OK(event_set_parse(text_of(cases[i].types), &ask.kinds, &err), &err, "types");
        T_OK(rig_ask(&rig, &ask), &rig.err, "%s", cases[i].name);
        for (size_t e = 0; e < ask.event_count; e++)
            snprintf(got + strlen(got), sizeof got - strlen(got), TEXT_FMT " ",
                     TEXT_ARG(ask.events[e].entry.event));
        T_STR(got, cases[i].want, "%s", cases[i].name);
        T_TRUE(ask.at_end, "%s: all of it", cases[i].name);
        arena_fini(&ask.arena);
    }
    struct store_ask ask = {.view = STORE_VIEW_EVENTS, .kinds = EVENT_ALL};
    T_OK(rig_ask(&rig, &ask), &rig.err, "all");
    T_TEXT(ask.events[0].application, "shop", "whose");
    T_TEXT(ask.events[0].recipient, "ann@a.example", "for whom");
    T_EQ(ask.events[0].notification_count, 1, "which");
    T_EQ(ask.events[0].notifications[0].id, shop, "which");
    T_TEXT(ask.events[0].notifications[0].key, "shop", "with its key");
    T_TEXT(ask.events[2].entry.detail, "{\"limit\":\"x\"}", "what programs want");
    T_TEXT(ask.events[5].application, "forum", "found by its notification");
    T_TEXT(ask.events[5].recipient, "ann@a.example", "found by its group");
    arena_fini(&ask.arena);
}

/* What leaves as a digest tells of each in it. */
static void test_digest_has_all(void **state)
{
    (void)state;
    tide_id ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = rig_mail(&rig, "ann@a.example", "text", "digestible");
    struct store_claim claim = {.attempt = {.id = id_next(&rig.ids, rig.now),
                                            .recipient_id = 1,
                                            .group_id = 1,
                                            .account = TEXT("esp"),
                                            .state = ATTEMPT_FLYING,
                                            .started_at = rig.now},
                                .digest = true,
                                .now = rig.now};
    T_OK(rig_claim(&rig, &claim), &rig.err, "claim");
    say(&(struct journal_entry){
        .at = 9, .group_id = 1, .attempt_id = claim.attempt.id, .event = TEXT("sent")});
    struct store_ask ask = {.view = STORE_VIEW_EVENTS};
    struct tide_error err;
    T_OK(event_set_parse(TEXT("notification.sent"), &ask.kinds, &err), &err, "types");
    T_OK(rig_ask(&rig, &ask), &rig.err, "ask");
    T_EQ(ask.event_count, 1, "one mail");
    T_EQ(ask.events[0].notification_count, 3, "of three");
    for (size_t i = 0; i < 3; i++)
        T_EQ(ask.events[0].notifications[i].id, ids[i], "number %zu", i);
    T_TRUE(ask.events[0].attempt != NULL, "its attempt");
    T_TEXT(ask.events[0].attempt->account, "esp", "through");
    arena_fini(&ask.arena);
    arena_fini(&claim.arena);
}

/* In pages, each event once, whatever is written meanwhile. */
static void test_cursor(void **state)
{
    (void)state;
    char after[64] = "";
    int64_t last = 0;
    size_t seen = 0;
    for (int i = 0; i < 25; i++)
        say(&(struct journal_entry){.at = 1000 + i, .event = TEXT("alarm")});
    for (bool at_end = false; !at_end;) {
        struct store_ask ask = {
            .view = STORE_VIEW_EVENTS, .after = text_of(after), .most = 7, .kinds = EVENT_ALL};
        T_OK(rig_ask(&rig, &ask), &rig.err, "page after \"%s\"", after);
        for (size_t e = 0; e < ask.event_count; e++, seen++) {
            T_EQ(ask.events[e].entry.seq, last + 1, "in order");
            last = ask.events[e].entry.seq;
        }
        at_end = ask.at_end;
        snprintf(after, sizeof after, TEXT_FMT, TEXT_ARG(ask.next));
        arena_fini(&ask.arena);
    }
    T_EQ(seen, 25, "each once");
    T_STR(after, "25-400", "number and time (1024) of the last");
    static const struct {
        const char *name, *after, *next;
        enum tide_err want;
        size_t count;
    } cases[] = {
        {"at the end", "25-400", "25-400", TIDE_OK, 0},
        {"a number alone", "20", "25-400", TIDE_OK, 5},
        {"newest", "newest", "25-400", TIDE_OK, 0},
        {"from the start", "", "25-400", TIDE_OK, 25},
        {"of another journal", "25-401", NULL, TIDE_EGONE, 0},
        {"of a longer one", "26", NULL, TIDE_EGONE, 0},
        {"no cursor", "x", NULL, TIDE_EINVAL, 0},
        {"no time", "3-", NULL, TIDE_EINVAL, 0},
        {"no hexadecimal", "3-4g", NULL, TIDE_EINVAL, 0},
        {"too long", "3-11112222333344445", NULL, TIDE_EINVAL, 0},
        {"negative", "-3", NULL, TIDE_EINVAL, 0},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct store_ask ask = {
            .view = STORE_VIEW_EVENTS, .after = text_of(cases[i].after), .kinds = EVENT_ALL};
        T_EQ(rig_ask(&rig, &ask), cases[i].want, "%s", cases[i].name);
        if (cases[i].next) {
            T_EQ(ask.event_count, cases[i].count, "%s", cases[i].name);
            T_TEXT(ask.next, cases[i].next, "%s", cases[i].name);
        }
        arena_fini(&ask.arena);
    }
}

/* What was pruned behind a cursor is told, with the oldest that is there. */
static void test_too_old(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        say(&(struct journal_entry){.at = RIG_START, .event = TEXT("alarm")});
    say(&(struct journal_entry){.at = RIG_START + 200000, .event = TEXT("alarm")});
    rig_close(&rig);
    rig.options.keep_ms = 60000;
    rig.now = RIG_START + 200000;
    T_EQ(rig_open(&rig), TIDE_OK, "with a short memory"); /* which it begins with */
    for (struct store_ask ask = {.view = STORE_VIEW_EVENTS, .kinds = EVENT_ALL};;) {
        T_OK(rig_ask(&rig, &ask), &rig.err, "until it is pruned");
        int64_t oldest = ask.oldest_seq;
        arena_fini(&ask.arena);
        if (oldest == 6)
            break;
        usleep(10000);
    }
    struct store_ask ask = {.view = STORE_VIEW_EVENTS, .after = TEXT("3"), .kinds = EVENT_ALL};
    T_EQ(rig_ask(&rig, &ask), TIDE_EGONE, "4 and 5 are lost");
    T_EQ(ask.oldest_seq, 6, "the oldest is told");
    arena_fini(&ask.arena);
    ask = (struct store_ask){.view = STORE_VIEW_EVENTS, .after = TEXT("5"), .kinds = EVENT_ALL};
    T_OK(rig_ask(&rig, &ask), &rig.err, "nothing is lost behind 5");
    T_EQ(ask.event_count, 1, "the one");
    arena_fini(&ask.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_readme_names_all),
        cmocka_unit_test_setup_teardown(test_who_sees_what, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digest_has_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_old, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
