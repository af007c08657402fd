/* Recipient domains: there while a recipient is, or while DNS is asked about them. */
#include "core/gate/inside.h"

#include <stdlib.h>

struct gate_domain *gate_domain_named(struct gate *g, struct text name, struct gate_todo *todo)
{
    struct gate_domain *d = strmap_get(&g->domains, name);
    if (d)
        return d;
    d = calloc(1, sizeof *d);
    char *copy = d ? strndup(name.p ? name.p : "", name.n) : NULL;
    bool named = copy && strmap_put(&g->domains, name, d);
    if (!named || !idmap_put(&g->domains_by_number, g->last_domain + 1, d)) {
        if (named)
            strmap_remove(&g->domains, name);
        free(copy);
        free(d);
        todo->failed = true;
        return NULL;
    }
    d->name = copy;
    d->number = ++g->last_domain;
    d->interned = planner_intern(g->planner, name);
    return d;
}

void gate_free_domain(struct gate_domain *d)
{
    free(d->name);
    free(d->reason);
    free(d->provider_name);
    free(d);
}

static void forget_domain_if_idle(struct gate *g, struct gate_domain *d)
{
    if (d->refs > 0 || d->asking)
        return;
    strmap_remove(&g->domains, text_of(d->name));
    idmap_remove(&g->domains_by_number, d->number);
    gate_free_domain(d);
}

void gate_leave_domain(struct gate *g, struct gate_domain *d)
{
    d->refs--;
    forget_domain_if_idle(g, d);
}

static void replace_text(char **place, struct text t)
{
    free(*place);
    *place = strndup(t.p ? t.p : "", t.n);
}

static void take_verdict(struct gate *g, struct gate_domain *d, const struct verdict *v)
{
    d->kind = v->kind;
    d->valid_until = v->valid_until;
    replace_text(&d->reason, v->reason);
    /* While DNS does not answer the mailboxes are still where they were: the limits of the provider
     * that was found last go on to apply. */
    if (v->kind == VERDICT_UNKNOWN && !v->provider.n)
        return;
    d->provider = v->provider.n ? planner_intern_provider(g->planner, v->provider) : 0;
    d->gateway = v->gateway.n ? planner_intern_provider(g->planner, v->gateway) : 0;
    replace_text(&d->provider_name, v->provider);
}

/* Its provider was found by profiles that have changed since: DNS is asked anew before more mail
 * leaves, else no limit, or another's, would apply until the verdict ends. */
static void expire_if_strange(const struct gate *g, struct gate_domain *d, tide_wall_ms found_at)
{
    if (found_at < g->recognised_at || !planner_knows_provider(g->planner, d->provider) ||
        !planner_knows_provider(g->planner, d->gateway))
        d->valid_until = 0;
}

void gate_take_stored_verdict(struct gate *g, struct gate_domain *d, const struct verdict *v)
{
    if (!v->found_at || d->valid_until >= v->valid_until)
        return;
    take_verdict(g, d, v);
    expire_if_strange(g, d, v->found_at);
}

void gate_recognise(struct gate *g, bool anew, tide_wall_ms now)
{
    uint32_t pos = 0;
    if (anew)
        g->recognised_at = now;
    for (struct gate_domain *d; (d = strmap_next(&g->domains, &pos, NULL));) {
        d->provider = planner_intern_provider(g->planner, planner_name(g->planner, d->provider));
        d->gateway = planner_intern_provider(g->planner, planner_name(g->planner, d->gateway));
        expire_if_strange(g, d, anew ? 0 : now);
    }
}

void gate_on_verdict(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_domain *d = strmap_get(&g->domains, ev->verdict.domain);
    if (!d)
        return; /* nobody waits for it any more */
    d->asking = false;
    take_verdict(g, d, ev->verdict.verdict);
    struct change *c = gate_add_change(todo, CHANGE_VERDICT);
    if (c) {
        c->verdict.domain = text_of(arena_strdup(&todo->arena, d->name));
        c->verdict.verdict = *ev->verdict.verdict;
        c->verdict.verdict.provider = arena_text(&todo->arena, ev->verdict.verdict->provider);
        c->verdict.verdict.gateway = arena_text(&todo->arena, ev->verdict.verdict->gateway);
        c->verdict.verdict.reason = arena_text(&todo->arena, ev->verdict.verdict->reason);
        c->verdict.verdict.evidence = arena_text(&todo->arena, ev->verdict.verdict->evidence);
    }
    queue_line_wait(&g->queue, LINE_DOMAIN | d->number, ev->now);
    forget_domain_if_idle(g, d);
}
