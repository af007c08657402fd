#include "core/gate/closure.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

#define PRUNE_EVERY_MS TIME_HOUR_MS

/* Scope in the upper bits, what it counts below: interned numbers and indices are far smaller than
 * 28 bits, a recipient's id than 56. 0: the scope counts something that this release has not. */
static int64_t key_of(enum limit_scope scope, const struct plan_route *r, int64_t recipient_id)
{
    int64_t a = 0, b = 0;
    switch (scope) {
    case LIMIT_RECIPIENT:
        return (int64_t)scope << 57 | 1LL << 56 | recipient_id;
    case LIMIT_PAIR:
        return (int64_t)scope << 57 | (int64_t)(r->sender & 0xFFFF) << 40 | recipient_id;
    case LIMIT_DOMAIN:
        a = r->domain;
        break;
    case LIMIT_PROVIDER:
        a = r->provider;
        break;
    case LIMIT_SENDER_DOMAIN_PROVIDER:
        a = r->provider, b = r->sender_domain;
        break;
    case LIMIT_IP_PROVIDER:
        a = r->provider, b = r->account + 1;
        break;
    case LIMIT_IP_DOMAIN:
        a = r->domain, b = r->account + 1;
        break;
    case LIMIT_ACCOUNT:
        a = r->account + 1;
        break;
    case LIMIT_ACCOUNT_STREAM:
        a = r->account + 1, b = r->stream + 1;
        break;
    case LIMIT_SCOPES:
        break;
    }
    return a ? (int64_t)scope << 57 | a << 28 | b : 0;
}

void closures_fini(struct closures *c)
{
    uint32_t pos = 0;
    for (struct closure *x; (x = idmap_next(&c->by_key, &pos));)
        free(x);
    idmap_fini(&c->by_key);
}

static bool is_kept(const struct closure *x, tide_wall_ms now)
{
    return x->until > now || now - x->named_at <= TIME_DAY_MS;
}

/* Drops what is open again and forgotten: rebuilt, since a walk may not remove. */
static void prune(struct closures *c, tide_wall_ms now)
{
    struct idmap kept;
    uint32_t pos = 0;
    if (now - c->pruned_at < PRUNE_EVERY_MS && now >= c->pruned_at)
        return;
    c->pruned_at = now;
    idmap_init(&kept);
    for (struct closure *x; (x = idmap_next(&c->by_key, &pos));)
        if (is_kept(x, now) && !idmap_put(&kept, x->key, x)) {
            idmap_fini(&kept); /* no memory to tidy up: all stays as it is */
            return;
        }
    pos = 0;
    for (struct closure *x; (x = idmap_next(&c->by_key, &pos));)
        if (!is_kept(x, now))
            free(x);
    idmap_fini(&c->by_key);
    c->by_key = kept;
}

static tide_wall_ms until_of(const struct closure *x,
                             enum limit_scope scope,
                             tide_wall_ms opens_at,
                             tide_wall_ms now)
{
    static const int64_t tiers_ms[] = {10 * TIME_MINUTE_MS, TIME_HOUR_MS};
    bool one_mailbox = scope == LIMIT_RECIPIENT || scope == LIMIT_PAIR;
    if (one_mailbox || x->times >= TIDE_COUNT(tiers_ms))
        return opens_at;
    return TIDE_MIN(opens_at, now + tiers_ms[x->times]);
}

bool closures_put(struct closures *c,
                  enum limit_scope scope,
                  const struct plan_route *route,
                  int64_t recipient_id,
                  tide_wall_ms opens_at,
                  struct text reason,
                  tide_wall_ms now,
                  tide_wall_ms *ret_until)
{
    int64_t key = key_of(scope, route, recipient_id);
    *ret_until = opens_at;
    prune(c, now);
    struct closure *x = key ? idmap_get(&c->by_key, key) : NULL;
    if (key && !x && c->by_key.count < CLOSURES_MAX && (x = calloc(1, sizeof *x)) &&
        !idmap_put(&c->by_key, key, x)) {
        free(x);
        x = NULL;
    }
    if (!x)
        return false;
    x->key = key;
    if (now - x->named_at > TIME_DAY_MS)
        x->times = 0;
    if (now >= x->until) { /* mails that were already under way name it again: no escalation */
        x->until = until_of(x, scope, opens_at, now);
        x->times++;
    }
    x->named_at = now;
    *ret_until = x->until;
    snprintf(x->reason, sizeof x->reason, TEXT_FMT, TEXT_ARG(reason));
    return true;
}

const struct closure *closures_find(const struct closures *c,
                                    const struct plan_route *route,
                                    int64_t recipient_id,
                                    tide_wall_ms now)
{
    const struct closure *last = NULL;
    if (c->by_key.count == 0)
        return NULL;
    for (int scope = 0; scope < LIMIT_SCOPES; scope++) {
        int64_t key = key_of((enum limit_scope)scope, route, recipient_id);
        const struct closure *x = key ? idmap_get(&c->by_key, key) : NULL;
        if (x && x->until > now && (!last || x->until > last->until))
            last = x;
    }
    return last;
}
