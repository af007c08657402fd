#include "cmd/mailtide/learn.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

struct session {
    uv_loop_t loop;
    struct store *store;
    struct quiet_policy *quiet;
    struct learnt *learnt;
    struct store_load load;
    struct store_learn learn;
    struct arena arena;
    struct ledger_blob rows[LEARN_SITES_MAX];
    enum tide_err rc;
    struct tide_error err;
    bool done;
};

static tide_wall_ms store_now(void *arg)
{
    const struct session *s = arg;
    return s->learnt->now;
}

static void on_learnt(struct store_learn *req, enum tide_err rc, const struct tide_error *err)
{
    struct session *s = req->arg;
    s->rc = rc;
    if (rc != TIDE_OK)
        s->err = *err;
    s->learnt->taken = req->taken;
    s->learnt->known = req->known;
    s->learnt->bad = req->bad;
    s->done = true;
}

/* Those that the stored profiles do not know better. */
static void take_sites(struct session *s)
{
    struct learnt *l = s->learnt;
    struct tide_error ignored; /* a damaged row is one that is written anew */
    const struct policy *policy = quiet_policy(s->quiet);
    for (size_t i = 0; i < s->load.ledger_count; i++)
        if (text_starts(s->load.ledger[i].subject, TEXT("policy|")))
            (void)policy->restore(policy->arg, s->load.ledger[i].subject, s->load.ledger[i].blob,
                                  &ignored);
    for (size_t i = 0; i < l->site_count; i++) {
        struct buf blob = {0};
        char key[QUIET_KEY_BYTES];
        struct ledger_blob *row = &s->rows[l->sites_taken];
        site_encode(&l->sites[i].site, &blob);
        row->subject = text_of(arena_strdup(&s->arena, quiet_site_key(l->sites[i].window_id, key)));
        row->blob = arena_text(&s->arena, buf_text(&blob));
        if (row->blob.n && row->subject.n &&
            quiet_policy_learn(s->quiet, l->sites[i].window_id, &l->sites[i].site))
            l->sites_taken++;
        buf_fini(&blob);
    }
}

static void on_loaded(struct store_load *req, enum tide_err rc, const struct tide_error *err)
{
    struct session *s = req->arg;
    if (rc != TIDE_OK) {
        s->rc = rc;
        s->err = *err;
        s->done = true;
        return;
    }
    take_sites(s);
    s->learn = (struct store_learn){.recipients = s->learnt->recipients,
                                    .recipient_count = s->learnt->recipient_count,
                                    .sites = s->rows,
                                    .site_count = s->learnt->sites_taken,
                                    .now = s->learnt->now,
                                    .done = on_learnt,
                                    .arg = s};
    store_learn(s->store, &s->learn);
}

static void on_closed(void *arg)
{
    struct session *s = arg;
    s->store = NULL;
}

static enum tide_err open_store(struct session *s, const struct config *c, struct tide_error *err)
{
    char path[1024];
    if (mkdir(c->state_dir, 0700) != 0 && errno != EEXIST)
        return tide_fail(err, TIDE_EIO, "state_dir %s: %s", c->state_dir, strerror(errno));
    if (c->store.path)
        snprintf(path, sizeof path, "%s", c->store.path);
    else
        snprintf(path, sizeof path, "%s/mailtide.db", c->state_dir);
    const struct store_options options = {.path = path, .now = store_now, .now_arg = s};
    return store_open(&s->loop, &options, &s->store, err);
}

enum tide_err learn_into_store(const struct config *config,
                               struct learnt *l,
                               struct tide_error *err)
{
    struct session s = {.learnt = l, .quiet = quiet_policy_new(NULL)};
    if (!s.quiet)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    uv_loop_init(&s.loop);
    enum tide_err rc = open_store(&s, config, err);
    if (rc == TIDE_OK) {
        s.load = (struct store_load){.most = 1, .done = on_loaded, .arg = &s};
        store_load(s.store, &s.load);
        while (!s.done)
            uv_run(&s.loop, UV_RUN_ONCE);
        store_close(s.store, on_closed, &s);
        while (s.store)
            uv_run(&s.loop, UV_RUN_ONCE);
        rc = s.rc;
        if (rc != TIDE_OK)
            *err = s.err;
    }
    uv_run(&s.loop, UV_RUN_DEFAULT);
    uv_loop_close(&s.loop);
    arena_fini(&s.load.arena);
    arena_fini(&s.arena);
    quiet_policy_free(s.quiet);
    return rc;
}
