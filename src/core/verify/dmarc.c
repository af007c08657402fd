#include "core/verify/dmarc.h"

#include "base/macros.h"

#include <assert.h>

#define TO(s) (1u << DMARC_AT_##s)
static const unsigned dmarc_moves[] = {
    [DMARC_AT_IDLE] = TO(WALK) | TO(DONE),
    [DMARC_AT_WALK] = TO(WALK) | TO(EXISTS) | TO(DONE),
    [DMARC_AT_EXISTS] = TO(DONE),
    [DMARC_AT_DONE] = 0,
};

static const char *const result_names[] = {"none", "pass", "fail", "temperror"};

const char *dmarc_result_name(enum dmarc_result r)
{
    return (size_t)r < TIDE_COUNT(result_names) ? result_names[r] : "?";
}

static void dmarc_move(struct dmarc *d, enum dmarc_state next)
{
    assert(dmarc_moves[d->state] & (1u << next));
    d->state = next;
}

static size_t count_labels(struct text name)
{
    size_t n = 1;
    for (size_t i = 0; i < name.n; i++)
        n += name.p[i] == '.';
    return n;
}

static struct text parent_of(struct text name)
{
    return text_cut(name, text_find(name, '.') + 1, name.n);
}

/* -- Asking -------------------------------------------------------------------------------------*/

static bool ask(struct dmarc *d,
                enum dmarc_state state,
                const char *prefix,
                struct text name,
                enum dns_type type,
                struct question *todo)
{
    char *full = arena_printf(d->arena, "%s" TEXT_FMT, prefix, TEXT_ARG(name));
    if (!full || !question_name_ok(text_of(full))) {
        d->out_of_memory = d->out_of_memory || !full;
        return false;
    }
    dmarc_move(d, state);
    *todo = (struct question){.name = text_of(full), .type = type};
    return true;
}

/* RFC 7489 3.2 */
static struct text registrable(const struct dmarc *d, struct text name)
{
    struct domain parsed;
    if (domain_parse(name, &parsed, NULL) != TIDE_OK)
        return name;
    struct text r = suffixes_registrable(d->suffixes, &parsed);
    return r.n && text_iends(name, r) ? text_cut(name, name.n - r.n, r.n) : name;
}

/* RFC 9989 4.10 steps 3 to 7: where to look after `at`; empty: nowhere. */
static struct text next_name(const struct dmarc *d)
{
    const struct dmarc_walk *w = &d->walk;
    if (d->suffixes) {
        struct text org = registrable(d, w->domain);
        return w->steps == 1 && !w->own_record.n && !text_ieq(org, w->domain) ? org
                                                                              : (struct text){0};
    }
    if (w->stop.n || w->psd.n)
        return (struct text){0};
    struct text name = parent_of(w->at);
    while (w->steps == 1 && count_labels(name) >= DMARC_WALK_MAX)
        name = parent_of(name);
    return name;
}

/* The one record of the answer that is a DMARC record; several count as none. */
static struct text only_record(struct dmarc *d, const struct dns_answer *a)
{
    struct text found = {0};
    size_t count = 0;
    for (size_t i = 0; i < a->rr_count; i++)
        if (dmarc_record_is(a->rrs[i].data)) {
            found = a->rrs[i].data;
            count++;
        }
    d->too_many += count > 1;
    for (size_t i = 0; i < a->rr_count && count > 1 && d->with_own && d->walk.steps == 1; i++)
        if (dmarc_record_is(a->rrs[i].data) && d->rival_count < DMARC_RIVALS_MAX)
            d->rivals[d->rival_count++] = arena_text(d->arena, a->rrs[i].data);
    if (count != 1)
        return (struct text){0};
    struct text copy = arena_text(d->arena, found);
    d->out_of_memory = d->out_of_memory || !copy.p;
    return copy;
}

static void note_record(struct dmarc *d, struct text record)
{
    struct dmarc_walk *w = &d->walk;
    struct dmarc_record parsed;
    dmarc_record_parse(record, &parsed);
    if (w->steps == 1)
        w->own_record = record;
    if (parsed.psd == 'y' && w->steps > 1) {
        w->psd = w->at;
        w->psd_record = record;
        return;
    }
    w->top = w->at;
    w->top_record = record;
    if (parsed.psd == 'n')
        w->stop = w->at;
}

/* RFC 9989 4.10.2 */
static struct text organizational_of(const struct dmarc *d)
{
    const struct dmarc_walk *w = &d->walk;
    if (d->suffixes)
        return registrable(d, w->domain);
    if (w->stop.n)
        return w->stop;
    if (w->psd.n) {
        struct text name = w->domain;
        while (count_labels(name) > count_labels(w->psd) + 1)
            name = parent_of(name);
        return name;
    }
    return w->top.n ? w->top : w->domain;
}

/* -- Judging ------------------------------------------------------------------------------------*/

static void take_record(struct dmarc *d, struct text record, struct text at)
{
    d->record = record;
    dmarc_record_parse(record, &d->parsed);
    if (d->parsed.usable) /* else it is seen, and of no use */
        d->record_at = at;
}

/* RFC 9989 4.10.1: the From domain's own, its organizational domain's, the public suffix's. */
static void choose_policy(struct dmarc *d)
{
    const struct dmarc_walk *w = &d->walk;
    d->organizational = organizational_of(d);
    if (w->own_record.n)
        take_record(d, w->own_record, d->from);
    else if (w->top.n && (d->suffixes || text_eq(w->top, d->organizational)))
        take_record(d, w->top_record, w->top);
    else if (w->psd.n)
        take_record(d, w->psd_record, w->psd);
}

static bool has_policy(const struct dmarc *d)
{
    return d->record_at.n > 0;
}

static enum dmarc_policy or_else(enum dmarc_policy p, enum dmarc_policy other)
{
    return p == DMARC_UNSET ? other : p;
}

static void judge(struct dmarc *d)
{
    const struct dmarc_record *r = &d->parsed;
    enum dmarc_policy own = or_else(r->p, DMARC_NONE), below = or_else(r->sp, own);
    bool is_below = !text_eq(d->record_at, d->from);
    d->asked = !is_below ? own : d->no_such_domain ? or_else(r->np, below) : below;
    d->applied = r->testing && d->asked > DMARC_NONE ? d->asked - 1 : d->asked;
    for (size_t i = 0; i < d->identifier_count; i++) {
        const struct dmarc_identifier *id = &d->identifiers[i];
        d->aligned_dkim = d->aligned_dkim || (id->dkim && id->aligned);
        d->aligned_spf = d->aligned_spf || (!id->dkim && id->aligned);
    }
    d->result = d->aligned_dkim || d->aligned_spf ? DMARC_PASS : DMARC_FAIL;
}

static void done(struct dmarc *d, struct question *todo)
{
    bool unknown = d->doubt != DNS_OK || d->out_of_memory;
    if (unknown)
        d->result = DMARC_TEMPERROR;
    else if (!has_policy(d))
        d->result = DMARC_NO_POLICY;
    else
        judge(d);
    if (d->result == DMARC_FAIL && d->identifier_doubt != DNS_OK) {
        d->result = DMARC_TEMPERROR;
        d->doubt = d->identifier_doubt;
    }
    dmarc_move(d, DMARC_AT_DONE);
    *todo = (struct question){.done = true};
}

static bool start_walk(struct dmarc *d, struct text domain, struct question *todo)
{
    d->walk = (struct dmarc_walk){.domain = domain, .at = domain, .steps = 1};
    return ask(d, DMARC_AT_WALK, "_dmarc.", domain, DNS_TXT, todo);
}

/* Both names can only have one organizational domain that both lie in. Where the walk up from
 * `from` failed, that may be any name above it, down to the last label. */
static bool may_share_domain(const struct dmarc *d, struct text domain)
{
    struct text top = d->organizational;
    for (struct text name = d->from; !top.n; name = parent_of(name))
        if (count_labels(name) == 1)
            top = name;
    return domain_is_within(domain, top);
}

/* Whether one look at the names is enough. */
static bool judged_at_once(struct dmarc *d, struct dmarc_identifier *id)
{
    bool strict = id->dkim ? d->parsed.strict_dkim : d->parsed.strict_spf;
    id->aligned = text_ieq(id->domain, d->from);
    if (!id->aligned && !strict && d->suffixes)
        id->aligned = text_ieq(registrable(d, id->domain), d->organizational);
    if (id->aligned || strict || d->suffixes || !may_share_domain(d, id->domain))
        return true;
    if (d->organizational.n)
        return false;
    d->identifier_doubt = d->walk_doubt;
    return true;
}

/* Relaxed alignment wants the organizational domain of every identifier. */
static void next_identifier(struct dmarc *d, struct question *todo)
{
    for (; d->at < d->identifier_count && has_policy(d); d->at++)
        if (!judged_at_once(d, &d->identifiers[d->at]) &&
            start_walk(d, d->identifiers[d->at].domain, todo))
            return;
    bool np_matters =
        has_policy(d) && d->parsed.np != DMARC_UNSET && !text_eq(d->record_at, d->from);
    if (np_matters && d->doubt == DNS_OK && ask(d, DMARC_AT_EXISTS, "", d->from, DNS_A, todo))
        return;
    done(d, todo);
}

static void walk_ended(struct dmarc *d, struct question *todo)
{
    if (d->with_own) {
        d->with_own = false;
        choose_policy(d);
    } else {
        d->identifiers[d->at++].aligned = text_ieq(organizational_of(d), d->organizational);
    }
    next_identifier(d, todo);
}

/* The record of the From domain itself is the policy, whatever stands above it; what was not to be
 * learnt matters to those identifiers alone that are not the From domain (RFC 9989 4.10.2). */
static void walk_failed(struct dmarc *d, enum dns_status status, struct question *todo)
{
    if (d->with_own && !d->walk.own_record.n) {
        d->doubt = status;
        done(d, todo);
        return;
    }
    if (d->with_own) {
        d->with_own = false;
        d->walk_doubt = status;
        take_record(d, d->walk.own_record, d->from);
    } else {
        d->identifier_doubt = status;
        d->at++;
    }
    next_identifier(d, todo);
}

static void on_walk(struct dmarc *d, const struct dns_answer *a, struct question *todo)
{
    if (!dns_status_is_final(a->status)) {
        walk_failed(d, a->status, todo);
        return;
    }
    struct text record = only_record(d, a), next;
    if (record.n)
        note_record(d, record);
    next = next_name(d);
    d->walk.steps++;
    d->walk.at = next;
    if (!next.n || d->out_of_memory || !ask(d, DMARC_AT_WALK, "_dmarc.", next, DNS_TXT, todo))
        walk_ended(d, todo);
}

void dmarc_init(struct dmarc *d,
                struct text from,
                struct dmarc_identifier *identifiers,
                size_t identifier_count,
                const struct suffixes *suffixes,
                struct arena *arena)
{
    *d = (struct dmarc){.arena = arena,
                        .suffixes = suffixes,
                        .from = from,
                        .identifiers = identifiers,
                        .identifier_count = TIDE_MIN(identifier_count, DMARC_IDENTIFIERS_MAX),
                        .with_own = true,
                        .asked = DMARC_UNSET,
                        .applied = DMARC_UNSET};
    for (size_t i = 0; i < identifier_count; i++)
        identifiers[i].aligned = false;
}

void dmarc_start(struct dmarc *d, struct question *todo)
{
    if (!start_walk(d, d->from, todo))
        done(d, todo);
}

void dmarc_feed(void *dmarc, const struct dns_answer *a, struct question *todo)
{
    struct dmarc *d = dmarc;
    *todo = (struct question){0};
    switch (d->state) {
    case DMARC_AT_WALK:
        on_walk(d, a, todo);
        return;
    case DMARC_AT_EXISTS:
        d->no_such_domain = a->status == DNS_NXDOMAIN;
        if (!dns_status_is_final(a->status))
            d->doubt = a->status;
        done(d, todo);
        return;
    case DMARC_AT_IDLE:
    case DMARC_AT_DONE:
        todo->done = true;
        return;
    }
}
