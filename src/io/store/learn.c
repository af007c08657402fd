#include "io/store/learn.h"

#include "core/address/addr.h"
#include "core/plan/planner.h"

static void finish(struct store_learn *req, enum tide_err rc, const struct tide_error *err)
{
    struct tide_error copy = err ? *err : (struct tide_error){0};
    arena_fini(&req->apply.arena);
    arena_fini(&req->arena);
    req->done(req, rc, &copy);
}

static void on_applied(struct store_apply *apply, enum tide_err rc, const struct tide_error *err)
{
    struct store_learn *req = apply->arg;
    struct tide_error none;
    if (!req->flags) {
        finish(req, tide_fail(&none, TIDE_ENOMEM, "out of memory"), &none);
        return;
    }
    size_t recipients = apply->count - req->site_count;
    for (size_t i = 0; rc == TIDE_OK && i < recipients; i++)
        req->taken += req->flags[i];
    req->known = recipients - req->taken;
    finish(req, rc, err);
}

/* False: no address, or no memory. */
static bool add_recipient(struct store_learn *req,
                          const struct learn_recipient *r,
                          struct change *c,
                          bool *taken)
{
    struct addr addr;
    struct tide_error ignored;
    if (addr_parse(text_trim(r->address), 0, &addr, &ignored) != TIDE_OK)
        return false;
    *c = (struct change){.type = CHANGE_LEARNED};
    c->learned.address = arena_text(&req->arena, addr_text(&addr));
    c->learned.domain = arena_text(&req->arena, domain_text(&addr.domain));
    c->learned.learnt = r->forecast;
    c->learned.merge = plan_recipient_learn;
    c->learned.taken = taken;
    return c->learned.address.p && c->learned.domain.p;
}

void store_learn(struct store *s, struct store_learn *req)
{
    size_t most = req->recipient_count + req->site_count, n = 0;
    struct change *changes = arena_array(&req->arena, most + 1, sizeof *changes);
    req->flags = arena_array(&req->arena, req->recipient_count + 1, sizeof(bool));
    if (!changes)
        req->flags = NULL;
    if (req->flags) {
        for (size_t i = 0; i < req->recipient_count; i++)
            n += add_recipient(req, &req->recipients[i], &changes[n], &req->flags[n]);
        req->bad = req->recipient_count - n;
        for (size_t i = 0; i < req->site_count; i++)
            changes[n++] = (struct change){.type = CHANGE_LEDGER, .ledger = req->sites[i]};
    }
    /* Without memory an empty unit is applied: the answer must not come from inside the call. */
    req->apply = (struct store_apply){
        .changes = changes, .count = n, .at = req->now, .done = on_applied, .arg = req};
    store_apply(s, &req->apply);
}
