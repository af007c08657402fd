/* News finds the attempt that it is about: by our id, by the mail's Message-ID, by the name that
 * the account gave it, and at last by recipient and time. */
#include "lib/check.h"
#include "lib/store_rig.h"

#include <string.h>

#define MINUTE TIME_MINUTE_MS

static struct store_rig rig;
static tide_id first, second, other; /* attempts: two to ann, one to bob */

/* One mail released through `account` and taken with `reply`. */
static tide_id sent(const char *to, const char *account, const char *message_id, const char *reply)
{
    struct mail m;
    struct store_claim claim = {0};
    mail_init(&rig, &m, to, "hello");
    m.submission.message_id = text_of(message_id);
    T_EQ(rig_accept(&rig, &m.req), TIDE_OK, "%s", rig.err.text);
    claim.attempt = (struct attempt){.id = id_next(&rig.ids, rig.now),
                                     .recipient_id = m.items[0].recipient.id,
                                     .group_id = m.items[0].pending.group_id,
                                     .account = text_of(account),
                                     .started_at = rig.now};
    claim.only = m.items[0].id;
    claim.now = rig.now;
    T_EQ(rig_claim(&rig, &claim), TIDE_OK, "%s", rig.err.text);
    T_EQ(claim.notification_count, 1, "%s", to);
    struct change c = {.type = CHANGE_ATTEMPT,
                       .attempt = {.id = claim.attempt.id,
                                   .state = ATTEMPT_ACCEPTED,
                                   .reply = text_of(reply),
                                   .ended_at = rig.now,
                                   .then = NOTIFICATION_SENT}};
    T_EQ(rig_apply(&rig, &c, 1), TIDE_OK, "%s", rig.err.text);
    arena_fini(&claim.arena);
    mail_fini(&m);
    return claim.attempt.id;
}

static tide_id found(struct mail_news *news, bool *ret_known)
{
    struct store_ask ask = {.view = STORE_VIEW_NEWS, .news = news};
    T_EQ(rig_ask(&rig, &ask), TIDE_OK, "%s", rig.err.text);
    tide_id id = ask.found.attempt ? ask.found.attempt->id : 0;
    if (ret_known)
        *ret_known = ask.found.recipient != NULL;
    arena_fini(&ask.arena);
    return id;
}

static void test_names(void **state)
{
    (void)state;
    tide_wall_ms at = RIG_START + 25 * MINUTE;
    const struct {
        const char *name;
        struct mail_news news;
        tide_id want;
    } cases[] = {
        {"our id", {.attempt_id = first}, first},
        {"our id, whatever else is said", {.attempt_id = first, .esp_id = TEXT("0102-bbb")}, first},
        {"an id that we never gave", {.attempt_id = 77}, 0},
        {"the account's name", {.esp_id = TEXT("0102-bbb")}, second},
        {"with whom it was for",
         {.esp_id = TEXT("0102-bbb"), .recipient = TEXT("ann@client.test")},
         second},
        {"in other case",
         {.esp_id = TEXT("0102-bbb"), .recipient = TEXT("Ann@Client.test")},
         second},
        {"Message-ID of a mail to two", {.message_id = TEXT("<1@shop.test>")}, 0},
        {"Message-ID and recipient",
         {.message_id = TEXT("<1@shop.test>"), .recipient = TEXT("bob@client.test")},
         other},
        {"Message-ID and the other one",
         {.message_id = TEXT("<1@shop.test>"), .recipient = TEXT("ann@client.test")},
         first},
        {"unknown names, a time",
         {.kind = NEWS_BOUNCED,
          .esp_id = TEXT("nobody"),
          .at = at,
          .recipient = TEXT("ann@client.test")},
         second},
        {"before the second",
         {.kind = NEWS_BOUNCED, .at = RIG_START, .recipient = TEXT("ann@client.test")},
         first},
        {"through another account",
         {.kind = NEWS_BOUNCED,
          .at = at,
          .account = TEXT("other"),
          .recipient = TEXT("ann@client.test")},
         0},
        {"long after",
         {.kind = NEWS_BOUNCED, .at = at + 9 * TIME_DAY_MS, .recipient = TEXT("ann@client.test")},
         0},
        {"opened says nothing",
         {.kind = NEWS_OTHER, .at = at, .recipient = TEXT("ann@client.test")},
         0},
        {"nobody of ours", {.kind = NEWS_BOUNCED, .at = at, .recipient = TEXT("zoe@x.test")}, 0},
        {"nothing said", {.kind = NEWS_BOUNCED}, 0},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct mail_news news = cases[i].news;
        T_EQ(found(&news, NULL), cases[i].want, "%s", cases[i].name);
    }
}

/* A name goes with its attempt. */
static void test_pruned(void **state)
{
    (void)state;
    struct mail_news news = {.esp_id = TEXT("0102-bbb")};
    rig.now += 40 * TIME_DAY_MS;
    rig_close(&rig);
    rig.options.keep_ms = TIME_DAY_MS;
    T_EQ(rig_open(&rig), TIDE_OK, "%s", rig.err.text);
    while (found(&news, NULL) != 0) /* until the store is idle and prunes */
        ;
}

/* What the application gave comes back with the notification. */
static void test_metadata(void **state)
{
    (void)state;
    struct mail m;
    mail_init(&rig, &m, "eve@client.test", "hi");
    m.submission.metadata = TEXT("{\"order\":\"42\"}");
    T_EQ(rig_accept(&rig, &m.req), TIDE_OK, "%s", rig.err.text);
    struct store_ask ask = {.view = STORE_VIEW_NOTIFICATION, .id = m.items[0].id};
    T_EQ(rig_ask(&rig, &ask), TIDE_OK, "%s", rig.err.text);
    T_TEXT(ask.notifications[0].metadata, "{\"order\":\"42\"}", "metadata");
    arena_fini(&ask.arena);
    mail_fini(&m);
}

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    if (rig_open(&rig) != TIDE_OK)
        return -1;
    first = sent("ann@client.test", "esp", "<1@shop.test>", "250 2.0.0 Ok: queued as AAA111");
    other = sent("bob@client.test", "esp", "<1@shop.test>", "250 ok");
    rig.now += 20 * MINUTE;
    second = sent("ann@client.test", "esp", "<2@shop.test>", "250 2.0.0 ESP took it: id=0102-bbb");
    rig.now -= 20 * MINUTE;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_pruned),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
