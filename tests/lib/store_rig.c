#include "lib/store_rig.h"

#include "base/macros.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static tide_wall_ms rig_now(void *arg)
{
    struct store_rig *r = arg;
    return atomic_load(&r->now);
}

void rig_init(struct store_rig *r)
{
    *r = (struct store_rig){.now = RIG_START};
    snprintf(r->dir, sizeof r->dir, "/tmp/test_store.XXXXXX");
    if (!mkdtemp(r->dir) || uv_loop_init(&r->loop) != 0)
        abort();
    snprintf(r->path, sizeof r->path, "%s/mail.db", r->dir);
    r->options = (struct store_options){.path = r->path, .now = rig_now, .now_arg = r};
}

static void remove_folder(const char *dir)
{
    char path[512];
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

void rig_fini(struct store_rig *r)
{
    rig_close(r);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&r->loop) != 0)
        abort();
    remove_folder(r->dir);
}

enum tide_err rig_open(struct store_rig *r)
{
    enum tide_err rc = store_open(&r->loop, &r->options, &r->store, &r->err);
    if (rc == TIDE_OK)
        r->ids.last = store_last_id(r->store);
    return rc;
}

void rig_wait(struct store_rig *r)
{
    while (r->left > 0)
        uv_run(&r->loop, UV_RUN_ONCE);
}

static void on_closed(void *arg)
{
    struct store_rig *r = arg;
    r->store = NULL;
    r->left--;
}

void rig_close(struct store_rig *r)
{
    if (!r->store)
        return;
    r->left++;
    store_close(r->store, on_closed, r);
    while (r->store)
        uv_run(&r->loop, UV_RUN_ONCE);
}

static void came(struct store_rig *r, enum tide_err rc, const struct tide_error *err)
{
    r->rc = rc;
    r->left--;
    if (rc != TIDE_OK) {
        r->failed++;
        r->err = *err;
    }
}

#define DONE(name, type)                                                         \
    void name(struct type *req, enum tide_err rc, const struct tide_error *err); \
    void name(struct type *req, enum tide_err rc, const struct tide_error *err)  \
    {                                                                            \
        came(req->arg, rc, err);                                                 \
    }

DONE(rig_accept_done, store_accept)
DONE(rig_apply_done, store_apply)
DONE(rig_claim_done, store_claim)
DONE(rig_drop_done, store_drop)
DONE(rig_load_done, store_load)
DONE(rig_ask_done, store_ask)

#define CALL(name, type, call, on_done)                       \
    enum tide_err name(struct store_rig *r, struct type *req) \
    {                                                         \
        req->done = on_done;                                  \
        req->arg = r;                                         \
        int before = r->left++;                               \
        call(r->store, req);                                  \
        while (r->left > before)                              \
            uv_run(&r->loop, UV_RUN_ONCE);                    \
        return r->rc;                                         \
    }

CALL(rig_accept, store_accept, store_accept, rig_accept_done)
CALL(rig_claim, store_claim, store_claim, rig_claim_done)
CALL(rig_drop, store_drop, store_drop, rig_drop_done)
CALL(rig_load, store_load, store_load, rig_load_done)
CALL(rig_ask, store_ask, store_ask, rig_ask_done)

enum tide_err rig_apply(struct store_rig *r, struct change *changes, size_t count)
{
    struct store_apply req = {.changes = changes,
                              .count = count,
                              .at = atomic_load(&r->now),
                              .done = rig_apply_done,
                              .arg = r};
    r->left++;
    store_apply(r->store, &req);
    rig_wait(r);
    arena_fini(&req.arena);
    return r->rc;
}

void mail_init(struct store_rig *r, struct mail *m, const char *to, const char *message)
{
    struct text rest = text_of(to), address;
    *m = (struct mail){0};
    size_t n = 0;
    while (n < MAIL_RECIPIENTS_MAX && text_split(&rest, ' ', &address)) {
        size_t at = text_find(address, '@');
        m->to[n] = (struct submission_recipient){
            .address = address, .normal = address, .domain = text_cut(address, at + 1, SIZE_MAX)};
        m->items[n++].id = id_next(&r->ids, atomic_load(&r->now));
    }
    m->submission = (struct submission){.application = TEXT("app"),
                                        .stream = TEXT("comments"),
                                        .sender = TEXT("bounce@app.example"),
                                        .identity = TEXT("app@app.example"),
                                        .subject = TEXT("Subject"),
                                        .message_id = TEXT("<1@app.example>"),
                                        .message = text_of(message),
                                        .source = TEXT("test"),
                                        .accepted_at = atomic_load(&r->now),
                                        .priority = 5,
                                        .digestible = true,
                                        .recipients = m->to,
                                        .recipient_count = n};
    m->req = (struct store_accept){.submission = &m->submission, .items = m->items};
}

void mail_fini(struct mail *m)
{
    arena_fini(&m->req.arena);
}

tide_id rig_mail(struct store_rig *r, const char *to, const char *message, const char *class)
{
    struct mail m;
    mail_init(r, &m, to, message);
    m.submission.urgent = strcmp(class, "urgent") == 0;
    m.submission.digestible = strcmp(class, "digestible") == 0;
    tide_id id = rig_accept(r, &m.req) == TIDE_OK ? m.items[0].id : 0;
    mail_fini(&m);
    return id;
}
