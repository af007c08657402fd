/* No room: a limit on file sizes, little free space, a bound of our own; and pruning makes room. */
#include "lib/check.h"
#include "lib/store_rig.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct store_rig rig;

static int setup(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN); /* as a daemon must: write(2) then says EFBIG */
    rig_init(&rig);
    return 0;
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = TIDE_MIN(bytes, limit.rlim_max);
    T_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0, "limit");
}

static int teardown(void **state)
{
    (void)state;
    limit_files(RLIM_INFINITY);
    rig_close(&rig);
    umount2(rig.dir, MNT_DETACH); /* mostly nothing is mounted there */
    rig_fini(&rig);
    return 0;
}

static enum tide_err accept_one(const char *to, const char *message)
{
    struct mail m;
    mail_init(&rig, &m, to, message);
    m.submission.digestible = false;
    enum tide_err rc = rig_accept(&rig, &m.req);
    mail_fini(&m);
    return rc;
}

static void counts(struct store_counts *ret)
{
    struct store_ask ask = {.view = STORE_VIEW_COUNTS};
    T_OK(rig_ask(&rig, &ask), &rig.err, "counts");
    *ret = ask.counts;
    arena_fini(&ask.arena);
}

/* Lets the loop live until the store says so; the run's own time limit is the bound. */
static void wait_for(enum store_condition condition)
{
    struct store_health health;
    do {
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        store_health(rig.store, &health);
    } while (health.condition != condition);
}

/* Fills, finds that everything is refused by name, that an attempt's end waits, and that all goes
 * on by itself. `fill` and `empty` make the disk full and not. */
static void full_and_back(void (*fill)(void), void (*empty)(void))
{
    static char big[300000];
    memset(big, 'x', sizeof big - 1);
    struct store_health health;
    struct store_counts before, after;
    struct store_claim claim = {.attempt = {.id = id_next(&rig.ids, rig.now),
                                            .group_id = 1,
                                            .recipient_id = 1,
                                            .account = TEXT("ses")},
                                .now = rig.now};
    T_OK(rig_open(&rig), &rig.err, "open");
    T_EQ(accept_one("a@x.example", "claimed"), TIDE_OK, "%s", rig.err.text);
    T_OK(rig_claim(&rig, &claim), &rig.err, "claim");
    tide_id flying = claim.notifications[0].id;
    arena_fini(&claim.arena);
    T_EQ(accept_one("a@x.example", "held"), TIDE_OK, "%s", rig.err.text);
    counts(&before);

    fill();
    for (int i = 0; i < 3; i++)
        T_EQ(accept_one("b@x.example", big), TIDE_EFULL, "accept %d: %s", i, rig.err.text);
    store_health(rig.store, &health);
    T_EQ(health.condition, STORE_FULL, "%s", health.text);
    T_TRUE(health.text[0], "says why");

    /* The end of an attempt with a reply too long to be squeezed in. */
    struct change end = {.type = CHANGE_ATTEMPT,
                         .attempt = {.id = claim.attempt.id,
                                     .state = ATTEMPT_ACCEPTED,
                                     .reply = text_of(big),
                                     .ended_at = rig.now,
                                     .then = NOTIFICATION_SENT}};
    struct store_apply apply = {
        .changes = &end, .count = 1, .at = rig.now, .done = rig_apply_done, .arg = &rig};
    rig.left++;
    store_apply(rig.store, &apply);
    claim = (struct store_claim){.attempt = {.id = id_next(&rig.ids, rig.now), .group_id = 1},
                                 .now = rig.now,
                                 .done = rig_claim_done,
                                 .arg = &rig};
    rig.left++;
    store_claim(rig.store, &claim);
    while (rig.left > 1)
        uv_run(&rig.loop, UV_RUN_ONCE);
    T_EQ(rig.rc, TIDE_EFULL, "a claim behind it is refused, for no release may overtake");
    T_EQ(rig.left, 1, "the end has no answer yet");
    do {
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        store_health(rig.store, &health);
    } while (health.waiting_endings != 1);
    arena_fini(&claim.arena);
    T_EQ(accept_one("c@x.example", "small"), TIDE_EFULL, "nothing overtakes: %s", rig.err.text);
    counts(&after);
    T_EQ(after.notifications[NOTIFICATION_ACCEPTED], before.notifications[NOTIFICATION_ACCEPTED],
         "nothing was written half");
    T_EQ(after.recipients, before.recipients, "nor a recipient");
    T_EQ(after.bodies, before.bodies, "nor a body");

    empty();
    rig_wait(&rig);
    T_OK(rig.rc, &rig.err, "the end came through by itself");
    arena_fini(&apply.arena);
    wait_for(STORE_OK);
    struct store_ask ask = {.view = STORE_VIEW_NOTIFICATION, .id = flying};
    T_OK(rig_ask(&rig, &ask), &rig.err, "look");
    T_EQ(ask.notifications[0].state, NOTIFICATION_SENT, "sent");
    arena_fini(&ask.arena);
    T_EQ(accept_one("b@x.example", big), TIDE_OK, "%s", rig.err.text);
    rig_close(&rig);
    T_OK(rig_open(&rig), &rig.err, "whole");
    counts(&after);
    T_EQ(after.notifications[NOTIFICATION_ACCEPTED],
         before.notifications[NOTIFICATION_ACCEPTED] + 1, "all there");
}

static void forbid_growth(void)
{
    limit_files(16384);
}

static void allow_growth(void)
{
    limit_files(RLIM_INFINITY);
}

static void test_file_size_limit(void **state)
{
    (void)state;
    full_and_back(forbid_growth, allow_growth);
}

/* mailtide is stopped while the disk is full: it does not wait for room for ever. */
static void test_stopped_while_full(void **state)
{
    static char big[300000];
    (void)state;
    memset(big, 'x', sizeof big - 1);
    T_OK(rig_open(&rig), &rig.err, "open");
    struct store_claim claim = {
        .attempt = {.id = id_next(&rig.ids, rig.now), .group_id = 1, .recipient_id = 1},
        .now = rig.now};
    T_EQ(accept_one("a@x.example", "flies"), TIDE_OK, "%s", rig.err.text);
    T_OK(rig_claim(&rig, &claim), &rig.err, "claim");
    tide_id attempt = claim.attempt.id;
    arena_fini(&claim.arena);
    forbid_growth();
    while (accept_one("b@x.example", big) == TIDE_OK)
        ;
    struct change end = {.type = CHANGE_ATTEMPT,
                         .attempt = {.id = attempt,
                                     .state = ATTEMPT_ACCEPTED,
                                     .reply = text_of(big),
                                     .ended_at = rig.now,
                                     .then = NOTIFICATION_SENT}};
    store_stop_waiting(rig.store, 0);
    T_EQ(rig_apply(&rig, &end, 1), TIDE_EFULL, "told that it was not written");
    allow_growth();
    rig_close(&rig);
    T_OK(rig_open(&rig), &rig.err, "whole");
    struct store_load load = {.most = 10};
    T_OK(rig_load(&rig, &load), &rig.err, "load");
    T_EQ(load.flying_count, 1, "its fate is unknown");
    arena_fini(&load.arena);
}

static char ballast[128];

static void fill_disk(void)
{
    static const char block[65536];
    FILE *f = fopen(ballast, "w");
    T_TRUE(f, "ballast");
    setvbuf(f, NULL, _IONBF, 0);
    for (size_t n = sizeof block; n > 0;)
        if (fwrite(block, 1, n, f) < n)
            n /= 2;
    fclose(f);
}

static void empty_disk(void)
{
    unlink(ballast);
}

static void test_full_disk(void **state)
{
    (void)state;
    if (mount("none", rig.dir, "tmpfs", 0, "size=8m") != 0) {
        printf("SKIPPED: a full disk: no tmpfs can be mounted here (%s)\n", strerror(errno));
        return;
    }
    snprintf(ballast, sizeof ballast, "%s/ballast", rig.dir);
    full_and_back(fill_disk, empty_disk);
    rig_close(&rig);
}

static void test_little_free_space(void **state)
{
    (void)state;
    rig.options.free_bytes_min = INT64_MAX;
    T_OK(rig_open(&rig), &rig.err, "open");
    T_EQ(accept_one("a@x.example", "text"), TIDE_EFULL, "refused");
    T_TRUE(strstr(rig.err.text, "must stay free") && strstr(rig.err.text, rig.path), "%s",
           rig.err.text);
    struct change plan = {.type = CHANGE_LEDGER, .ledger = {TEXT("qq"), TEXT("1")}};
    T_OK(rig_apply(&rig, &plan, 1), &rig.err, "what goes on goes on");
    wait_for(STORE_FULL);
}

static void test_own_bound(void **state)
{
    (void)state;
    static char big[200000];
    tide_id ids[40];
    int kept = 0;
    T_OK(rig_open(&rig), &rig.err, "open");
    for (int i = 0; i < 40; i++) { /* 8 MB, the older half of it finished */
        memset(big, 'a' + i % 26, sizeof big - 1);
        big[0] = (char)('A' + i);
        ids[i] = rig_mail(&rig, "a@x.example", big, "single");
        rig.now += 1000;
        T_TRUE(ids[i], "mail %d: %s", i, rig.err.text);
        struct change end = {.type = CHANGE_NOTIFICATION,
                             .notification = {.id = ids[i], .state = NOTIFICATION_CANCELLED}};
        if (i < 20)
            T_OK(rig_apply(&rig, &end, 1), &rig.err, "end %d", i);
    }
    rig_close(&rig);
    rig.options.size_bytes_max = 6000000; /* room for some of them */
    rig.options.keep_ms = TIME_DAY_MS;    /* none is old */
    T_OK(rig_open(&rig), &rig.err, "with a bound");
    struct store_counts c;
    do
        counts(&c);
    while (c.bodies > 29); /* the oldest finished ones go, just enough */
    rig_close(&rig);
    T_OK(rig_open(&rig), &rig.err, "again");
    for (int i = 0; i < 40; i++) {
        struct store_ask ask = {.view = STORE_VIEW_NOTIFICATION, .id = ids[i]};
        enum tide_err rc = rig_ask(&rig, &ask);
        arena_fini(&ask.arena);
        T_TRUE(rc == TIDE_OK || i < 20, "pending one %d is kept", i);
        kept += rc == TIDE_OK;
    }
    T_TRUE(kept >= 20 && kept < 30, "kept %d", kept);
    rig_close(&rig);
    rig.options.size_bytes_max = 1000000; /* less than what is pending */
    T_OK(rig_open(&rig), &rig.err, "with a narrow bound");
    wait_for(STORE_FULL);
    T_EQ(accept_one("a@x.example", "text"), TIDE_EFULL, "refused");
    T_TRUE(strstr(rig.err.text, "1000000 are allowed"), "%s", rig.err.text);
    counts(&c);
    T_EQ(c.notifications[NOTIFICATION_ACCEPTED], 20, "pending ones are never pruned");
}

static void test_pruning_by_age(void **state)
{
    (void)state;
    struct mail m;
    struct store_counts c;
    T_OK(rig_open(&rig), &rig.err, "open");
    tide_id old = rig_mail(&rig, "a@x.example", "old", "single");
    tide_id held = rig_mail(&rig, "a@x.example", "held", "single");
    mail_init(&rig, &m, "a@x.example", "keyed");
    m.submission.key = TEXT("k");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "keyed");
    tide_id keyed = m.items[0].id;
    mail_fini(&m);
    tide_id last = store_last_id(rig.store);
    struct change ends[] = {
        {.type = CHANGE_NOTIFICATION, .notification = {.id = old, .state = NOTIFICATION_SENT}},
        {.type = CHANGE_NOTIFICATION, .notification = {.id = keyed, .state = NOTIFICATION_SENT}}};
    T_OK(rig_apply(&rig, ends, 2), &rig.err, "ends");
    rig_close(&rig);
    rig.options.keep_ms = 1000;
    rig.now += 999;
    T_OK(rig_open(&rig), &rig.err, "open");
    tide_id young = rig_mail(&rig, "a@x.example", "young", "single");
    counts(&c);
    T_EQ(c.notifications[NOTIFICATION_SENT], 2, "not old enough");
    rig_close(&rig);
    rig.now += 1;
    T_OK(rig_open(&rig), &rig.err, "open");
    T_TRUE(store_last_id(rig.store) >= young && young > last, "ids rise");
    do
        counts(&c);
    while (c.notifications[NOTIFICATION_SENT] > 0);
    T_EQ(c.bodies, 2, "bodies nobody uses go too");
    T_EQ(c.notifications[NOTIFICATION_ACCEPTED], 2, "what is pending stays: held, young");
    struct store_ask ask = {.view = STORE_VIEW_NOTIFICATION, .id = held};
    T_OK(rig_ask(&rig, &ask), &rig.err, "held");
    arena_fini(&ask.arena);
    mail_init(&rig, &m, "a@x.example", "another");
    m.submission.key = TEXT("k");
    T_OK(rig_accept(&rig, &m.req), &rig.err, "the key is free again");
    T_TRUE(!m.items[0].duplicate, "and means something new");
    mail_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stopped_while_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_size_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_little_free_space, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pruning_by_age, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
