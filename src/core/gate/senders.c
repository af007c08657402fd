#include "core/gate/senders.h"

#include <stdlib.h>

static void free_hold(struct gate_sender_hold *h)
{
    free(h->account);
    free(h->reason);
    free(h);
}

void gate_senders_fini(struct gate_senders *s)
{
    uint32_t pos = 0;
    for (struct gate_sender *x; (x = idmap_next(&s->by_domain, &pos));) {
        for (struct gate_sender_hold *h; (h = x->holds);) {
            x->holds = h->next;
            free_hold(h);
        }
        free(x);
    }
    idmap_fini(&s->by_domain);
}

/* Entries stay once made, so that the number of a line means one domain for good. */
static struct gate_sender *sender_of(struct gate_senders *s, uint32_t domain)
{
    struct gate_sender *x = idmap_get(&s->by_domain, domain);
    if (x)
        return x;
    x = calloc(1, sizeof *x);
    if (!x || !idmap_put(&s->by_domain, domain, x)) {
        free(x);
        return NULL;
    }
    x->domain = domain;
    x->number = ++s->last_number;
    return x;
}

static struct gate_sender_hold **place_of(struct gate_sender *x, struct text account)
{
    struct gate_sender_hold **place = &x->holds;
    while (*place && !text_eq(text_of((*place)->account), account))
        place = &(*place)->next;
    return place;
}

static struct gate_sender_hold *new_hold(struct text account)
{
    struct gate_sender_hold *h = calloc(1, sizeof *h);
    if (h && !(h->account = strndup(account.p ? account.p : "", account.n))) {
        free(h);
        h = NULL;
    }
    return h;
}

enum gate_senders_told gate_senders_set(struct gate_senders *s,
                                        uint32_t domain,
                                        struct text account,
                                        struct text reason,
                                        const struct gate_sender **ret)
{
    struct gate_sender *x = idmap_get(&s->by_domain, domain);
    if (!x && reason.n == 0)
        return SENDERS_SAME;
    if (!x && !(x = sender_of(s, domain)))
        return SENDERS_LOST;
    if (ret)
        *ret = x;
    struct gate_sender_hold **place = place_of(x, account), *h = *place;
    if (reason.n == 0) {
        if (!h)
            return SENDERS_SAME;
        *place = h->next;
        free_hold(h);
        return SENDERS_CHANGED;
    }
    if (h && text_eq(text_of(h->reason), reason))
        return SENDERS_SAME;
    char *copy = strndup(reason.p, reason.n);
    if (copy && !h && (h = new_hold(account)))
        *place = h;
    if (!copy || !h) {
        free(copy);
        return SENDERS_LOST;
    }
    free(h->reason);
    h->reason = copy;
    return SENDERS_CHANGED;
}

const struct gate_sender *gate_senders_find(const struct gate_senders *s, uint32_t domain)
{
    const struct gate_sender *x = idmap_get(&s->by_domain, domain);
    return x && x->holds ? x : NULL;
}

const char *gate_sender_held(const struct gate_sender *s, const char *account)
{
    for (const struct gate_sender_hold *h = s ? s->holds : NULL; h; h = h->next)
        if (strcmp(h->account, account) == 0)
            return h->reason;
    return NULL;
}
