#include "io/dns/verify_list.h"

#include "base/list.h"
#include "base/macros.h"
#include "core/address/addr.h"

#include <stdlib.h>

/* One domain, for all its addresses in the window and those that come soon after. */
struct listed_domain {
    struct list node; /* oldest first */
    char *name;
    struct verdict verdict;
    char *texts; /* of the verdict, in one piece */
    size_t bytes;
    struct verify_list *list;
    uint32_t refs; /* addresses in the window */
    bool done;
};

struct slot {
    struct listed_domain *domain; /* NULL: no address, or one without a domain */
    char *bytes;                  /* given, normal form and suppression, one after the other */
    uint32_t given_n, suppressed_n;
    uint16_t normal_n, local_n; /* normal_n 0: not an address */
    bool suppression_known;
};

struct verify_list {
    struct verify_list_options o;
    struct slot *window; /* a ring */
    size_t head, count;
    struct strmap domains;
    struct list kept;
    size_t domain_count, domain_bytes, flights;
    struct verify_list_counts counts;
    bool held, closing, flushing;
    unsigned busy; /* calls of ours that are still on the stack */
};

/* -- Domains ------------------------------------------------------------------------------------*/

static void forget(struct verify_list *l, struct listed_domain *d)
{
    (void)strmap_remove(&l->domains, text_of(d->name));
    list_remove(&d->node);
    l->domain_count--;
    l->domain_bytes -= d->bytes;
    free(d->texts);
    free(d->name);
    free(d);
}

/* The oldest go first; those that somebody waits for stay. */
static void make_room(struct verify_list *l)
{
    while (l->domain_count >= l->o.limits.domains_max || l->domain_bytes > l->o.limits.bytes_max) {
        struct list *node = list_first(&l->kept);
        struct listed_domain *d = node ? container_of(node, struct listed_domain, node) : NULL;
        if (!d || d->refs > 0 || !d->done)
            return; /* what is behind it is younger still, and the window bounds their number */
        forget(l, d);
    }
}

static struct text copy(char **at, struct text t)
{
    struct text made = {*at, t.n};
    if (t.n)
        memcpy(*at, t.p, t.n);
    *at += t.n;
    return made;
}

static void settle(struct listed_domain *d, const struct verdict *v)
{
    size_t n = v->provider.n + v->gateway.n + v->reason.n + v->evidence.n;
    char *at = malloc(n + 1);
    d->done = true;
    d->verdict = (struct verdict){.kind = VERDICT_UNKNOWN, .reason = TEXT("out of memory")};
    if (!at)
        return;
    d->texts = at;
    d->bytes = n;
    d->list->domain_bytes += n;
    d->verdict = *v;
    d->verdict.provider = copy(&at, v->provider);
    d->verdict.gateway = copy(&at, v->gateway);
    d->verdict.reason = copy(&at, v->reason);
    d->verdict.evidence = copy(&at, v->evidence);
}

static void flush(struct verify_list *l);
static void free_list(struct verify_list *l);

/* The owner may close the list from any of its callbacks: it goes when nobody of us is left. */
static void leave(struct verify_list *l)
{
    if (--l->busy == 0 && l->closing && l->flights == 0)
        free_list(l);
}

static void on_verdict(void *arg, enum tide_err rc, const struct verdict *v)
{
    struct listed_domain *d = arg;
    struct verify_list *l = d->list;
    struct verdict none = {.kind = VERDICT_UNKNOWN, .reason = text_of(tide_err_text(rc))};
    l->busy++;
    l->flights--;
    settle(d, rc == TIDE_OK ? v : &none);
    flush(l);
    if (!l->closing)
        l->o.on_turn(l->o.arg);
    leave(l);
}

static struct listed_domain *domain_new(struct verify_list *l, struct text name)
{
    struct tide_error err;
    make_room(l);
    struct listed_domain *d = calloc(1, sizeof *d);
    if (!d || !(d->name = strndup(name.p, name.n)) || !strmap_put(&l->domains, name, d)) {
        free(d ? d->name : NULL);
        free(d);
        return NULL;
    }
    d->list = l;
    list_append(&l->kept, &d->node);
    l->domain_count++;
    l->counts.domains_asked++;
    if (verifier_verify(l->o.verifier, name, on_verdict, d, &err) == TIDE_OK) {
        l->flights++;
    } else {
        struct verdict none = {.kind = VERDICT_UNKNOWN, .reason = text_of(err.text)};
        settle(d, &none);
    }
    return d;
}

/* Asked once, and again only when the verdict no longer holds. */
static struct listed_domain *domain_of(struct verify_list *l, struct text name)
{
    struct listed_domain *d = strmap_get(&l->domains, name);
    if (d && d->done && d->refs == 0 && d->verdict.valid_until <= clock_wall(l->o.clock)) {
        forget(l, d);
        d = NULL;
    }
    return d ? d : domain_new(l, name);
}

/* -- In and out ---------------------------------------------------------------------------------*/

static void put_row(struct verify_list *l, const struct slot *s)
{
    struct addr addr;
    struct tide_error err = {0};
    struct recipient_hints hints = {0};
    struct verified row = {.given = {s->bytes, s->given_n},
                           .address = {s->bytes + s->given_n, s->normal_n},
                           .suppression_known = s->suppression_known,
                           .suppressed = {s->bytes + s->given_n + s->normal_n, s->suppressed_n}};
    bool valid = s->normal_n > 0;
    if (!valid)
        (void)!addr_parse(row.given, ADDR_LITERAL, &addr, &err); /* once more, for the words */
    struct verdict none = {.kind = valid ? VERDICT_UNKNOWN : VERDICT_UNDELIVERABLE,
                           .reason = valid ? TEXT("An address literal needs no DNS and was not "
                                                  "tried.")
                                           : text_of(err.text)};
    const struct verdict *v = s->domain ? &s->domain->verdict : &none;
    if (s->domain)
        recipient_hints(l->o.hints, text_cut(row.address, 0, s->local_n),
                        text_cut(row.address, s->local_n + 1u, s->normal_n), &hints);
    row.verdict = text_of(verdict_name(v->kind));
    row.provider = v->provider;
    row.provider_likely = v->provider_likely;
    row.gateway = v->gateway;
    row.hints = hints.found;
    row.meant = hints.meant;
    row.reason = v->reason;
    row.evidence = v->evidence;
    l->counts.rows++;
    l->counts.kinds[v->kind]++;
    l->counts.invalid += !valid;
    l->o.on_row(l->o.arg, &row);
}

/* Rows leave in the order that they came in: as far as the first that waits for its verdict. The
 * owner may hold or close the list from its on_row. */
static void flush(struct verify_list *l)
{
    if (l->flushing)
        return;
    l->flushing = true;
    while (l->count && !l->held && !l->closing) {
        struct slot s = l->window[l->head];
        if (s.domain && !s.domain->done)
            break;
        put_row(l, &s);
        if (s.domain)
            s.domain->refs--;
        free(s.bytes);
        l->head = (l->head + 1) % l->o.limits.window_max;
        l->count--;
    }
    l->flushing = false;
}

bool verify_list_has_room(const struct verify_list *l)
{
    return l->count < l->o.limits.window_max && l->flights < l->o.limits.flights_max;
}

enum tide_err verify_list_add(struct verify_list *l, struct text given, struct text suppressed)
{
    struct addr addr;
    struct slot *s = &l->window[(l->head + l->count) % l->o.limits.window_max];
    *s = (struct slot){.given_n = (uint32_t)given.n,
                       .suppressed_n = (uint32_t)suppressed.n,
                       .suppression_known = suppressed.p != NULL};
    bool valid = addr_parse(given, ADDR_LITERAL, &addr, NULL) == TIDE_OK;
    if (valid) {
        s->normal_n = (uint16_t)addr.n;
        s->local_n = (uint16_t)addr.local_n;
    }
    char *at = s->bytes = malloc(given.n + s->normal_n + suppressed.n + 1);
    if (!at)
        return TIDE_ENOMEM;
    (void)copy(&at, given);
    (void)copy(&at, valid ? addr_text(&addr) : TEXT(""));
    (void)copy(&at, suppressed);
    if (valid && !addr.is_literal && !(s->domain = domain_of(l, domain_text(&addr.domain)))) {
        free(s->bytes);
        return TIDE_ENOMEM;
    }
    if (s->domain)
        s->domain->refs++;
    l->count++;
    l->busy++;
    flush(l);
    leave(l);
    return TIDE_OK;
}

void verify_list_hold(struct verify_list *l, bool hold)
{
    l->held = hold;
    l->busy++;
    if (!hold)
        flush(l);
    leave(l);
}

struct verify_list_counts verify_list_counts(const struct verify_list *l)
{
    struct verify_list_counts c = l->counts;
    c.waiting = l->count;
    return c;
}

/* -- Life ---------------------------------------------------------------------------------------*/

enum tide_err verify_list_new(const struct verify_list_options *options,
                              struct verify_list **ret,
                              struct tide_error *err)
{
    struct verify_list *l = calloc(1, sizeof *l);
    if (l)
        l->window = calloc(options->limits.window_max, sizeof *l->window);
    if (!l || !l->window) {
        free(l);
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    }
    l->o = *options;
    strmap_init(&l->domains);
    list_init(&l->kept);
    *ret = l;
    return TIDE_OK;
}

static void free_list(struct verify_list *l)
{
    for (; l->count; l->count--, l->head = (l->head + 1) % l->o.limits.window_max)
        free(l->window[l->head].bytes);
    for (struct list *node; (node = list_first(&l->kept));)
        forget(l, container_of(node, struct listed_domain, node));
    strmap_fini(&l->domains);
    free(l->window);
    free(l);
}

void verify_list_close(struct verify_list *l)
{
    l->closing = true;
    l->busy++;
    leave(l);
}
