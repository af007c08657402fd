#include "core/verify/sender.h"

#include "base/macros.h"

#include <stdio.h>

static const char *const state_names[] = {"good", "note", "unknown", "bad"};

const char *sender_state_name(enum sender_state s)
{
    return (size_t)s < TIDE_COUNT(state_names) ? state_names[s] : "?";
}

static enum tide_err no_memory(struct tide_error *err)
{
    return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
}

/* `machine` NULL: there is no memory for it. */
static enum tide_err add_probe(struct sender *s,
                               enum sender_probe_kind kind,
                               void *machine,
                               question_feed feed,
                               size_t ip,
                               const struct question *first,
                               struct tide_error *err)
{
    if (!machine)
        return no_memory(err);
    if (s->probe_count == SENDER_PROBES_MAX)
        return tide_fail(err, TIDE_ELIMIT, "want at most %d things to look up", SENDER_PROBES_MAX);
    s->probes[s->probe_count++] = (struct sender_probe){
        .kind = kind, .first = *first, .feed = feed, .machine = machine, .ip = ip};
    return TIDE_OK;
}

/* -- SPF, PTR, lists ----------------------------------------------------------------------------*/

static enum tide_err add_spf(struct sender *s, size_t ip, struct tide_error *err)
{
    struct spf *spf = ARENA_NEW(s->arena, struct spf);
    struct question first = {0};
    bool audit = ip == SENDER_IPS_MAX;
    struct spf_input in = {
        .mail_from = s->in.mail_from, .helo = s->in.mail_from, .audit = audit, .now = s->in.now};
    if (!spf)
        return no_memory(err);
    if (!audit) {
        memcpy(in.ip, s->in.ips[ip].octets, sizeof in.ip);
        in.is_v6 = s->in.ips[ip].v6;
    }
    spf_init(spf, &in, s->arena);
    spf_start(spf, &first);
    return add_probe(s, audit ? PROBE_SPF : PROBE_SPF_IP, spf, spf_feed, ip, &first, err);
}

static enum tide_err add_ptr(struct sender *s, size_t ip, struct tide_error *err)
{
    struct ptr *p = ARENA_NEW(s->arena, struct ptr);
    struct question first = {0};
    if (p) {
        ptr_init(p, s->in.ips[ip].octets, s->in.ips[ip].v6, s->arena);
        ptr_start(p, &first);
    }
    return add_probe(s, PROBE_PTR, p, ptr_feed, ip, &first, err);
}

static enum tide_err add_list(struct sender *s,
                              const struct dnsbl_zone *z,
                              size_t ip,
                              struct tide_error *err)
{
    struct dnsbl *d = ARENA_NEW(s->arena, struct dnsbl);
    struct question first = {0};
    if (d && ip == SENDER_IPS_MAX)
        dnsbl_init_domain(d, z, s->in.domain, s->arena);
    else if (d)
        dnsbl_init_ip(d, z, s->in.ips[ip].octets, s->in.ips[ip].v6, s->arena);
    if (d)
        dnsbl_start(d, &first);
    return add_probe(s, PROBE_LIST, d, dnsbl_feed, ip, &first, err);
}

static enum tide_err add_lists(struct sender *s, struct tide_error *err)
{
    enum tide_err rc = TIDE_OK;
    for (size_t z = 0; z < s->in.rules->zone_count && rc == TIDE_OK; z++) {
        const struct dnsbl_zone *zone = &s->in.rules->zones[z];
        for (size_t i = 0; i < s->in.ip_count && zone->addresses && rc == TIDE_OK; i++)
            rc = add_list(s, zone, i, err);
        if (zone->domains && rc == TIDE_OK)
            rc = add_list(s, zone, SENDER_IPS_MAX, err);
    }
    return rc;
}

/* -- MX -----------------------------------------------------------------------------------------*/

static struct question question_of(const struct mx_todo *todo)
{
    return (struct question){.done = todo->done, .name = todo->name, .type = todo->type};
}

static void mx_feed(void *machine, const struct dns_answer *a, struct question *ret)
{
    struct mx_todo todo;
    mx_answer(machine, a, &todo);
    *ret = question_of(&todo);
}

static enum tide_err add_mx(struct sender *s, struct tide_error *err)
{
    struct mx *m = ARENA_NEW(s->arena, struct mx);
    struct mx_todo todo;
    struct question first = {0};
    if (m) {
        mx_init(m, s->in.domain, NULL, s->in.private_addresses, s->arena);
        mx_start(m, &todo);
        first = question_of(&todo);
        if (!m->domain.p) { /* out of memory */
            mx_fini(m);
            m = NULL;
        }
    }
    return add_probe(s, PROBE_MX, m, mx_feed, SENDER_IPS_MAX, &first, err);
}

/* -- Keys ---------------------------------------------------------------------------------------*/

static void key_feed(void *machine, const struct dns_answer *a, struct question *todo)
{
    struct sender_key *k = machine;
    dkim_key_of_answer(a, k->arena, &k->key);
    *todo = (struct question){.done = true};
}

/* The key of that name, asked for once; *ret its index. */
static enum tide_err add_key(struct sender *s,
                             struct text selector,
                             struct text domain,
                             bool usual,
                             size_t *ret,
                             struct tide_error *err)
{
    for (size_t i = 0; i < s->key_count; i++)
        if (text_ieq(s->keys[i].selector, selector) && text_ieq(s->keys[i].domain, domain)) {
            *ret = i;
            return TIDE_OK;
        }
    if (s->key_count == SENDER_KEYS_MAX)
        return tide_fail(err, TIDE_ELIMIT, "want at most %d DKIM keys", SENDER_KEYS_MAX);
    struct sender_key *k = &s->keys[s->key_count];
    *k = (struct sender_key){
        .selector = selector, .domain = domain, .arena = s->arena, .usual = usual};
    char *name = arena_printf(s->arena, TEXT_FMT "._domainkey." TEXT_FMT, TEXT_ARG(selector),
                              TEXT_ARG(domain));
    struct question first = {.name = text_of(name), .type = DNS_TXT};
    if (!name)
        return no_memory(err);
    if (!question_name_ok(first.name)) {
        k->key.state = DKIM_KEY_MISSING;
        (void)snprintf(k->key.why, sizeof k->key.why, "that is no name that DNS can have");
        first.done = true;
    }
    *ret = s->key_count++;
    return add_probe(s, PROBE_KEY, k, key_feed, SENDER_IPS_MAX, &first, err);
}

/* Every DKIM-Signature of the message; one that does not parse is reported all the same. */
static enum tide_err add_signatures(struct sender *s, struct tide_error *err)
{
    struct header h;
    size_t pos = 0;
    while (s->signature_count < DKIM_SIGNATURES_MAX && message_next(s->in.message, &pos, &h)) {
        struct tide_error why = {0};
        if (!text_ieq(text_trim(h.name), TEXT("DKIM-Signature")))
            continue;
        struct sender_signature *g = &s->signatures[s->signature_count++];
        *g = (struct sender_signature){0};
        enum tide_err rc = dkim_signature_parse(&h, s->arena, &g->s, &why);
        g->parsed = rc == TIDE_OK;
        if (g->parsed)
            rc = add_key(s, g->s.selector, g->s.domain, false, &g->key, err);
        else if (rc != TIDE_ENOMEM) {
            g->text = arena_text(s->arena, text_of(why.text));
            rc = g->text.p ? TIDE_OK : TIDE_ENOMEM;
        }
        if (rc != TIDE_OK)
            return rc == TIDE_ENOMEM ? no_memory(err) : rc;
    }
    return TIDE_OK;
}

static enum tide_err add_keys(struct sender *s, struct tide_error *err)
{
    size_t ignored;
    enum tide_err rc = s->in.message ? add_signatures(s, err) : TIDE_OK;
    for (size_t i = 0; i < s->in.selector_count && rc == TIDE_OK; i++)
        rc = add_key(s, s->in.selectors[i], s->in.domain, false, &ignored, err);
    const struct profile *p = s->key_count == 0 ? s->in.account : NULL;
    for (size_t i = 0; p && i < p->dkim_selector_count && rc == TIDE_OK; i++)
        rc = add_key(s, text_of(p->dkim_selectors[i]), s->in.domain, true, &ignored, err);
    return rc;
}

/* -- DMARC --------------------------------------------------------------------------------------*/

static void add_identifier(struct sender *s, struct text domain, bool dkim)
{
    for (size_t i = 0; i < s->identifier_count; i++)
        if (s->identifiers[i].dkim == dkim && text_ieq(s->identifiers[i].domain, domain))
            return;
    if (s->identifier_count < DMARC_IDENTIFIERS_MAX)
        s->identifiers[s->identifier_count++] =
            (struct dmarc_identifier){.domain = domain, .dkim = dkim};
}

static void feed_dmarc(void *machine, const struct dns_answer *a, struct question *todo)
{
    struct sender_dmarc *m = machine;
    struct dmarc *d = &m->dmarc;
    if (m->reporting) {
        dmarc_reports_feed(&m->reports, a, todo);
        return;
    }
    dmarc_feed(d, a, todo);
    if (!todo->done || (d->result != DMARC_PASS && d->result != DMARC_FAIL))
        return;
    m->reporting = true;
    dmarc_reports_init(&m->reports, d->record_at,
                       d->organizational.n ? d->organizational : d->record_at, d->parsed.rua,
                       d->parsed.ruf, d->arena);
    dmarc_reports_start(&m->reports, todo);
}

/* What might pass; which of it did is looked at in the report. */
static enum tide_err add_dmarc(struct sender *s, struct tide_error *err)
{
    struct sender_dmarc *m = ARENA_NEW(s->arena, struct sender_dmarc);
    struct question first = {0};
    add_identifier(s, s->in.mail_from, false);
    for (size_t i = 0; i < s->key_count; i++)
        add_identifier(s, s->keys[i].domain, true);
    if (m) {
        dmarc_init(&m->dmarc, s->in.domain, s->identifiers, s->identifier_count, s->in.suffixes,
                   s->arena);
        dmarc_start(&m->dmarc, &first);
    }
    return add_probe(s, PROBE_DMARC, m, feed_dmarc, SENDER_IPS_MAX, &first, err);
}

enum tide_err sender_init(struct sender *s,
                          const struct sender_input *in,
                          struct arena *arena,
                          struct tide_error *err)
{
    memset(s, 0, sizeof *s);
    s->in = *in;
    s->arena = arena;
    if (!in->mail_from.n)
        s->in.mail_from = in->domain;
    if (in->ip_count > SENDER_IPS_MAX)
        return tide_fail(err, TIDE_ELIMIT, "want at most %d addresses", SENDER_IPS_MAX);
    enum tide_err rc = add_spf(s, SENDER_IPS_MAX, err);
    for (size_t i = 0; i < in->ip_count && rc == TIDE_OK; i++) {
        rc = add_spf(s, i, err);
        if (rc == TIDE_OK)
            rc = add_ptr(s, i, err);
    }
    if (rc == TIDE_OK)
        rc = add_keys(s, err);
    if (rc == TIDE_OK)
        rc = add_dmarc(s, err);
    if (rc == TIDE_OK)
        rc = add_mx(s, err);
    if (rc == TIDE_OK && in->block_lists)
        rc = add_lists(s, err);
    if (rc != TIDE_OK)
        sender_fini(s);
    return rc;
}

void sender_fini(struct sender *s)
{
    for (size_t i = 0; i < s->probe_count; i++) {
        if (s->probes[i].kind == PROBE_SPF || s->probes[i].kind == PROBE_SPF_IP)
            spf_fini(s->probes[i].machine);
        if (s->probes[i].kind == PROBE_MX)
            mx_fini(s->probes[i].machine);
    }
    s->probe_count = 0;
}
