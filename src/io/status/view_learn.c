#include "io/status/view_learn.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/proto/json.h"
#include "io/status/view_job.h"

#define BYTES_MAX (16u << 20)

struct job {
    struct view_job base;
    struct operate_learn learn;
};

static void fini(struct view_job *base)
{
    arena_fini(&container_of(base, struct job, base)->learn.arena);
}

static void on_learnt(struct operate_learn *l, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = l->arg;
    struct json_writer *w = view_job_open(&j->base, rc, err);
    if (!w)
        return;
    jw_int(w, "sites_taken", (int64_t)l->sites_taken);
    jw_int(w, "recipients_taken", (int64_t)l->recipients_taken);
    jw_int(w, "recipients_known", (int64_t)l->recipients_known);
    jw_int(w, "addresses_bad", (int64_t)l->addresses_bad);
    view_job_close(&j->base);
}

/* ["name","base64"]: both into the arena. */
static bool pair_of(struct arena *a, const struct json *v, struct text *ret_name, struct text *ret)
{
    struct buf bytes = {0};
    struct tide_error err;
    struct text name = json_string_text(json_element(v, 0));
    bool ok = json_count(v) == 2 && name.n &&
              base64_decode(json_string_text(json_element(v, 1)), &bytes, &err) == TIDE_OK;
    if (ok) {
        *ret_name = arena_text(a, name);
        *ret = arena_text(a, buf_text(&bytes));
        ok = ret_name->p && ret->p;
    }
    buf_fini(&bytes);
    return ok;
}

static bool read_body(struct operate_learn *l, const struct json *doc)
{
    const struct json *sites = json_member(doc, "sites"), *all = json_member(doc, "recipients");
    bool ok = true;
    l->sites = arena_array(&l->arena, json_count(sites) + 1, sizeof *l->sites);
    l->recipients = arena_array(&l->arena, json_count(all) + 1, sizeof *l->recipients);
    ok = l->sites && l->recipients;
    for (size_t i = 0; ok && i < json_count(sites); i++, l->site_count++) {
        struct ledger_blob *s = &l->sites[i];
        ok = pair_of(&l->arena, json_element(sites, i), &s->subject, &s->blob);
    }
    for (size_t i = 0; ok && i < json_count(all); i++, l->recipient_count++) {
        struct learn_recipient *r = &l->recipients[i];
        ok = pair_of(&l->arena, json_element(all, i), &r->address, &r->forecast);
    }
    return ok;
}

void view_learn(const struct views *v, struct http_request *req)
{
    struct json *doc = NULL;
    struct tide_error err = {0};
    struct job *j = view_job_new(sizeof *j, v, req, fini);
    if (!j)
        return;
    enum tide_err rc = json_parse(req->body, BYTES_MAX, &doc, &err);
    if (rc == TIDE_OK && !read_body(&j->learn, doc))
        rc = tide_fail(&err, TIDE_ESYNTAX,
                       "Want sites and recipients as lists of [name, base64], as mailtide learn "
                       "writes them.");
    json_free(doc);
    if (rc != TIDE_OK) {
        view_job_fail(&j->base, rc, &err);
        return;
    }
    j->learn.done = on_learnt;
    j->learn.arg = j;
    v->operate->learn(v->operate->arg, &j->learn);
}
