/* What the configuration names, and a new one: streams and applications keep their numbers,
 * attempts and accounts are given their new places, and whoever waits looks again. */
#include "core/gate/inside.h"

#include "base/macros.h"

#include <stdlib.h>

void gate_names_init(struct gate_names *names, uint16_t most)
{
    *names = (struct gate_names){.most = most};
}

void gate_names_fini(struct gate_names *names)
{
    for (uint16_t i = 1; i <= names->count; i++)
        free(names->texts[i]);
    free(names->texts);
    strmap_fini(&names->numbers);
}

uint16_t gate_name_number(struct gate_names *names, struct text name, struct gate_todo *todo)
{
    uintptr_t known = (uintptr_t)strmap_get(&names->numbers, name);
    if (known)
        return (uint16_t)known;
    char **grown = names->count < names->most
                       ? realloc(names->texts, (names->count + 2u) * sizeof *grown)
                       : NULL;
    char *copy = grown ? strndup(name.p ? name.p : "", name.n) : NULL;
    if (grown)
        names->texts = grown;
    if (!copy || !strmap_put(&names->numbers, name, (void *)(uintptr_t)(names->count + 1u))) {
        free(copy);
        todo->failed = true;
        return 0;
    }
    names->texts[++names->count] = copy;
    return names->count;
}

static struct text name_text(const struct gate_names *names, uint16_t number)
{
    return number && number <= names->count ? text_of(names->texts[number]) : TEXT("");
}

const struct config_application *gate_application(const struct gate *g, uint16_t name)
{
    return config_application(g->config, name_text(&g->applications, name));
}

uint32_t gate_source(const struct gate *g, const struct gate_group *grp)
{
    struct text a = name_text(&g->applications, (uint16_t)grp->application);
    struct text sender = planner_name(g->planner, planner_sender_domain(g->planner, grp->sender));
    return plan_hash(plan_hash(1, a.p, a.n), sender.p, sender.n);
}

uint16_t gate_application_number(const struct gate *g, uint16_t name)
{
    const struct config_application *a = gate_application(g, name);
    return a ? (uint16_t)(a - g->config->applications + 1) : 0;
}

int gate_stream(const struct gate *g, uint16_t name)
{
    return config_stream_index(g->config, name_text(&g->streams, name));
}

bool gate_configure_accounts(struct gate *g, const struct config *config)
{
    struct gate_account *accounts = calloc(config->account_count + 1, sizeof *accounts);
    if (!accounts)
        return false;
    for (size_t i = 0; i < config->account_count; i++) {
        const struct config_account *c = &config->accounts[i];
        struct gate_account *a = &accounts[i];
        int old = g->config ? config_account_index(g->config, text_of(c->name)) : -1;
        if (old >= 0 && g->accounts)
            *a = g->accounts[old];
        else
            backoff_init(&a->backoff, c->backoff_min_ms, c->backoff_max_ms);
        a->backoff.min_ms = c->backoff_min_ms;
        a->backoff.max_ms = c->backoff_max_ms;
        int connections = c->connections > 0                          ? c->connections
                          : c->profile && c->profile->connections > 0 ? c->profile->connections
                                                                      : 4;
        /* What a request takes under way and one mail claimed behind it, so that a connection need
         * not wait for the store between two requests. */
        a->places = connections * (TIDE_MAX(c->batch_max, 1) + 1);
    }
    free(g->accounts);
    g->accounts = accounts;
    g->account_count = config->account_count;
    return true;
}

void gate_ask_again(struct gate *g, struct gate_todo *todo)
{
    uint32_t pos = 0;
    for (struct gate_recipient *r; (r = idpool_next(&g->recipients, &pos));)
        for (struct gate_group *grp = gate_first_group(g, r); grp; grp = gate_next_group(g, grp))
            if (!grp->claiming && !queue_put_time(&g->queue, &grp->entry, 0))
                todo->failed = true;
}

/* What it goes through, and what it is charged to, by the new configuration's numbers. */
static void renumber(struct gate_attempt *a, const struct config *old, const struct config *config)
{
    struct plan_route *r = &a->route;
    int stream = -1;
    if (a->account >= 0)
        a->account = config_account_index(config, text_of(old->accounts[a->account].name));
    if (r->account < old->account_count) {
        int account = config_account_index(config, text_of(old->accounts[r->account].name));
        r->account = account >= 0 ? (uint16_t)account : UINT16_MAX;
    }
    if (r->stream < old->stream_count)
        stream = config_stream_index(config, text_of(old->streams[r->stream].name));
    r->stream = stream >= 0 ? (uint16_t)stream : UINT16_MAX;
    a->without_bulk = false; /* what it passed over means another thing now */
    a->kept_by = 0;
}

void gate_on_config(struct gate *g,
                    const struct config *config,
                    tide_wall_ms now,
                    struct gate_todo *todo)
{
    const struct config *old = g->config;
    struct recipient_index hints;
    if (recipient_index_init(&hints, &config->profiles, NULL) != TIDE_OK) {
        todo->failed = true;
        return;
    }
    if (!gate_configure_accounts(g, config)) {
        recipient_index_fini(&hints);
        todo->failed = true;
        return;
    }
    recipient_index_fini(&g->hints);
    g->hints = hints;
    g->config = config;
    gate_relink_guards(g);
    uint32_t pos = 0;
    for (struct gate_domain *d; (d = strmap_next(&g->domains, &pos, NULL));)
        d->hinted = false;
    gate_recognise(g, !profiles_recognise_alike(&old->profiles, &config->profiles), now);
    pos = 0;
    for (struct gate_attempt *a; (a = idmap_next(&g->attempts, &pos));)
        renumber(a, old, config);
    pos = 0;
    for (struct gate_recipient *r; (r = idpool_next(&g->recipients, &pos));)
        for (struct gate_group *grp = gate_first_group(g, r); grp; grp = gate_next_group(g, grp)) {
            grp->single_bulk = grp->digest_bulk = false; /* streams may mean another thing now */
            gate_forget_kept(g, grp);
            if (!queue_put_time(&g->queue, &grp->entry, 0)) /* every hold may have changed */
                todo->failed = true;
        }
}
