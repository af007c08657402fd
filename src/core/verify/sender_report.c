/* The checks of the sender report, made of what the probes found. */
#include "core/verify/sender.h"

#include "base/macros.h"

#include <stdarg.h>
#include <stdio.h>

#define TXT_STRING_BYTES_MAX 255 /* RFC 1035 3.3 */

/* The report in the making: what later checks want to know of earlier ones. */
struct report {
    struct sender *s;
    bool failed; /* out of memory, or too many checks */
    bool spf_good, dkim_good;
    bool spf_known, dkim_known; /* DNS answered */
    struct sender_check spare;  /* for checks that there is no room for: the report then fails */
};

/* -- Texts --------------------------------------------------------------------------------------*/

/* Takes what the buffer holds into the arena. */
static struct text keep(struct report *r, struct buf *b)
{
    struct text t = {0};
    if (b->len)
        t = arena_text(r->s->arena, buf_text(b));
    r->failed = r->failed || buf_check(b, NULL) != TIDE_OK || (b->len && !t.p);
    buf_fini(b);
    return t;
}

static struct text format(struct report *r, const char *fmt, ...) TIDE_PRINTF(2, 3);

static struct text format(struct report *r, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    struct text t = {line, n < 0 ? 0 : TIDE_MIN((size_t)n, sizeof line - 1)};
    t = arena_text(r->s->arena, t);
    r->failed = r->failed || !t.p;
    return t;
}

/* `NAME. TXT "..."` as zone files have it, in strings of 255 octets. */
static void put_txt(struct buf *b, const char *prefix, struct text name, struct text value)
{
    buf_addf(b, "%s%s" TEXT_FMT ". TXT", b->len ? "\n" : "", prefix, TEXT_ARG(name));
    for (size_t at = 0; at < value.n || at == 0; at += TXT_STRING_BYTES_MAX)
        buf_addf(b, " \"" TEXT_FMT "\"", TEXT_ARG(text_cut(value, at, TXT_STRING_BYTES_MAX)));
}

/* What each provider does about senders that fail at this topic. */
static struct text consequences(struct report *r, enum sender_topic topic)
{
    struct buf b = {0};
    const struct sender_rules *rules = r->s->in.rules;
    for (size_t i = 0; i < rules->demand_count; i++) {
        const struct sender_demand *d = &rules->demands[i];
        if (d->topic == topic)
            buf_addf(&b, "%s%s%s: %s %s [%s]", b.len ? "\n" : "", d->title,
                     d->bulk ? ", of bulk senders" : "", d->rule, d->consequence, d->name);
    }
    return keep(r, &b);
}

static struct sender_check *add(struct report *r, enum sender_state state, struct text what)
{
    struct sender *s = r->s;
    if (s->check_count == SENDER_CHECKS_MAX) {
        r->failed = true;
        return &r->spare;
    }
    struct sender_check *c = &s->checks[s->check_count++];
    *c = (struct sender_check){.state = state, .what = what};
    return c;
}

/* -- Probes -------------------------------------------------------------------------------------*/

static void *machine_of(struct sender *s, enum sender_probe_kind kind, size_t ip)
{
    for (size_t i = 0; i < s->probe_count; i++)
        if (s->probes[i].kind == kind && s->probes[i].ip == ip)
            return s->probes[i].machine;
    return NULL;
}

/* -- SPF ----------------------------------------------------------------------------------------*/

static bool has_include(const struct spf *spf, const char *name)
{
    for (size_t i = 0; i < spf->seen_count; i++)
        if (text_ieq(spf->seen[i], text_of(name)))
            return true;
    return false;
}

/* " include:esp.example", for each that is missing, into `b` (may be NULL); how many. */
static size_t put_missing_includes(const struct sender *s, const struct spf *spf, struct buf *b)
{
    size_t missing = 0;
    for (size_t i = 0; s->in.account && i < s->in.account->spf_include_count; i++)
        if (!has_include(spf, s->in.account->spf_includes[i])) {
            if (b)
                buf_addf(b, " include:%s", s->in.account->spf_includes[i]);
            missing++;
        }
    return missing;
}

static void put_missing_addresses(struct sender *s, struct buf *b)
{
    for (size_t i = 0; i < s->in.ip_count; i++) {
        const struct spf *of_ip = machine_of(s, PROBE_SPF_IP, i);
        if (of_ip->result != SPF_PASS)
            buf_addf(b, " %s:%s", s->in.ips[i].v6 ? "ip6" : "ip4", s->in.ips[i].text);
    }
}

/* The record as it is with what is missing put in before "all"; a new one where there is none. */
static struct text better_record(struct report *r, const struct spf *spf)
{
    struct sender *s = r->s;
    struct buf value = {0}, line = {0};
    struct text old = spf->record_text;
    bool own_all =
        spf->all && old.n && spf->all->written.p >= old.p && spf->all->written.p < old.p + old.n;
    size_t at = own_all ? (size_t)(spf->all->written.p - old.p) : old.n;
    size_t after = own_all ? at + spf->all->written.n : old.n;
    while (at > 0 && old.p[at - 1] == ' ')
        at--;
    buf_add_text(&value, old.n ? text_cut(old, 0, at) : TEXT("v=spf1"));
    (void)put_missing_includes(s, spf, &value);
    put_missing_addresses(s, &value);
    if (own_all && spf->all->result != SPF_PASS)
        buf_addf(&value, " " TEXT_FMT, TEXT_ARG(spf->all->written));
    else if (own_all || !old.n)
        buf_adds(&value, " ~all");
    buf_add_text(&value, text_cut(old, after, old.n));
    if (!text_eq(buf_text(&value), old)) /* what is wrong may stand in another's record */
        put_txt(&line, "", s->in.mail_from, buf_text(&value));
    buf_fini(&value);
    return keep(r, &line);
}

/* What is wrong with a record that can be read; the state, and a sentence. */
static enum sender_state judge_record(struct report *r, const struct spf *spf, struct text *ret)
{
    struct sender *s = r->s;
    struct buf missing = {0};
    size_t count = put_missing_includes(s, spf, &missing);
    struct text names = keep(r, &missing);
    if (spf->lookups > SPF_LOOKUPS_MAX)
        *ret = format(r,
                      "The record needs %u DNS lookups; receivers stop at %d and refuse it (RFC "
                      "7208 4.6.4).",
                      spf->lookups, SPF_LOOKUPS_MAX);
    else if (spf->voids > SPF_VOIDS_MAX)
        *ret = format(r,
                      "%u of the names in the record do not exist; receivers stop after %d (RFC "
                      "7208 4.6.4).",
                      spf->voids, SPF_VOIDS_MAX);
    else if (spf->all && spf->all->result == SPF_PASS)
        *ret = format(r, "The record lets everybody send: it ends in \"" TEXT_FMT "\".",
                      TEXT_ARG(spf->all->written));
    else {
        if (count)
            *ret = format(r,
                          "The record does not have" TEXT_FMT
                          ": mail through %s passes SPF only with an envelope domain of its own.",
                          TEXT_ARG(names), s->in.account->title);
        else if (spf->has_ptr)
            *ret =
                format(r, "The record uses ptr, which is slow and not to be used (RFC 7208 5.5).");
        else if (!spf->all)
            *ret = format(r, "The record says nothing of all others: let it end in ~all or -all.");
        else
            *ret = format(r, "The record is right, with %u of %d DNS lookups.", spf->lookups,
                          SPF_LOOKUPS_MAX);
        return count || spf->has_ptr || !spf->all ? SENDER_NOTE : SENDER_GOOD;
    }
    return SENDER_BAD;
}

static void check_spf(struct report *r)
{
    struct sender *s = r->s;
    const struct spf *spf = machine_of(s, PROBE_SPF, SENDER_IPS_MAX);
    struct sender_check *c =
        add(r, SENDER_BAD, format(r, "SPF of " TEXT_FMT, TEXT_ARG(s->in.mail_from)));
    r->spf_known = spf->result != SPF_TEMPERROR;
    if (spf->result == SPF_NONE) {
        bool known = s->in.ip_count || (s->in.account && s->in.account->spf_include_count);
        c->finding = format(r, "There is no SPF record%s.",
                            known ? "" : "; name the account or your addresses to have one made");
        if (known) /* one that lets nobody send would do harm */
            c->publish = better_record(r, spf);
    } else if (spf->result == SPF_TEMPERROR || spf->result == SPF_PERMERROR) {
        c->state = r->spf_known ? SENDER_BAD : SENDER_UNKNOWN;
        c->finding = format(r, "%s: %s.", r->spf_known ? "Receivers cannot read it" : "DNS failed",
                            spf->problem);
    } else {
        c->state = judge_record(r, spf, &c->finding);
        if (c->state != SENDER_GOOD && spf->lookups <= SPF_LOOKUPS_MAX)
            c->publish = better_record(r, spf);
    }
    r->spf_good = c->state == SENDER_GOOD ||
                  (c->state == SENDER_NOTE && put_missing_includes(s, spf, NULL) == 0);
    struct buf evidence = {0};
    if (spf->record_text.n)
        buf_addf(&evidence, TEXT_FMT " TXT " TEXT_FMT, TEXT_ARG(s->in.mail_from),
                 TEXT_ARG(spf->record_text));
    c->evidence = keep(r, &evidence);
    if (c->state == SENDER_BAD)
        c->consequences = consequences(r, SENDER_SPF);
}

static void check_spf_of_ips(struct report *r)
{
    struct sender *s = r->s;
    const struct spf *audit = machine_of(s, PROBE_SPF, SENDER_IPS_MAX);
    for (size_t i = 0; i < s->in.ip_count; i++) {
        const struct spf *spf = machine_of(s, PROBE_SPF_IP, i);
        bool good = spf->result == SPF_PASS;
        struct sender_check *c = add(r,
                                     good                           ? SENDER_GOOD
                                     : spf->result == SPF_TEMPERROR ? SENDER_UNKNOWN
                                                                    : SENDER_BAD,
                                     format(r, "SPF of %s", s->in.ips[i].text));
        c->finding = format(r, "The result is %s%s%s%s" TEXT_FMT ".", spf_result_name(spf->result),
                            spf->problem[0] ? ": " : "", spf->problem,
                            spf->matched.n ? ", by " : "", TEXT_ARG(spf->matched));
        r->spf_good = r->spf_good && good;
        if (c->state != SENDER_BAD)
            continue;
        c->consequences = consequences(r, SENDER_SPF);
        if (audit->result == SPF_NEUTRAL || audit->result == SPF_NONE)
            c->publish = better_record(r, audit);
    }
}

/* -- DKIM ---------------------------------------------------------------------------------------*/

static enum sender_state state_of_key(const struct dkim_key *k)
{
    if (k->state == DKIM_KEY_UNKNOWN)
        return SENDER_UNKNOWN;
    if (k->state != DKIM_KEY_OK)
        return SENDER_BAD;
    bool weak = k->algorithm == DKIM_RSA && k->bits < DKIM_RSA_BITS_ADVISED;
    return weak || k->testing || k->faulty ? SENDER_NOTE : SENDER_GOOD;
}

/* Whether a signature of this domain speaks for From; of another it is no fault of this sender. */
static bool speaks_for_from(const struct sender *s, struct text domain)
{
    for (size_t i = 0; i < s->identifier_count; i++)
        if (s->identifiers[i].dkim && s->identifiers[i].aligned &&
            text_ieq(s->identifiers[i].domain, domain))
            return true;
    return text_ieq(domain, s->in.domain) ||
           (domain.n < s->in.domain.n && text_iends(s->in.domain, domain) &&
            s->in.domain.p[s->in.domain.n - domain.n - 1] == '.');
}

static void check_key(struct report *r, const struct sender_key *k)
{
    const struct dkim_key *key = &k->key;
    struct text name =
        format(r, TEXT_FMT "._domainkey." TEXT_FMT, TEXT_ARG(k->selector), TEXT_ARG(k->domain));
    struct sender_check *c =
        add(r, state_of_key(key), format(r, "DKIM key " TEXT_FMT, TEXT_ARG(name)));
    r->dkim_good = r->dkim_good || key->state == DKIM_KEY_OK;
    r->dkim_known = r->dkim_known && key->state != DKIM_KEY_UNKNOWN;
    if (key->state != DKIM_KEY_OK) {
        c->finding = format(r, "The key is %s: %s.%s%s%s", dkim_key_state_name(key->state),
                            key->why, k->usual ? " It is a usual selector of " : "",
                            k->usual ? r->s->in.account->title : "",
                            k->usual ? "; if yours is another, name it." : "");
        if (c->state == SENDER_UNKNOWN)
            return;
        if (!speaks_for_from(r->s, k->domain)) {
            c->state = SENDER_NOTE;
            return;
        }
        c->consequences = consequences(r, SENDER_DKIM);
        c->publish =
            format(r,
                   TEXT_FMT ". TXT \"v=DKIM1; k=rsa; p=(the public key, or the CNAME, "
                            "that %s shows for this selector)\"",
                   TEXT_ARG(name), r->s->in.account ? r->s->in.account->title : "the signer");
        return;
    }
    const char *kind = key->algorithm == DKIM_RSA ? "RSA" : "Ed25519";
    if (key->testing)
        c->finding = format(r,
                            "%s with %u bits, in test mode (t=y): receivers may take its mail for "
                            "unsigned.",
                            kind, key->bits);
    else if (key->faulty)
        c->finding = format(r, "%s with %u bits; %s.", kind, key->bits, key->why);
    else if (c->state == SENDER_NOTE)
        c->finding = format(r, "%s with %u bits; %d are advised (RFC 8301).", kind, key->bits,
                            DKIM_RSA_BITS_ADVISED);
    else
        c->finding = format(r, "%s with %u bits.", kind, key->bits);
}

static void check_keys(struct report *r)
{
    struct sender *s = r->s;
    r->dkim_known = true;
    for (size_t i = 0; i < s->key_count; i++)
        check_key(r, &s->keys[i]);
    if (s->key_count || s->in.message)
        return;
    r->dkim_known = false;
    struct sender_check *c = add(r, SENDER_UNKNOWN, TEXT("DKIM"));
    c->finding = format(r, "No selector is known: name it, or show a message as it arrived.");
}

static void check_signature(struct report *r, struct sender_signature *g, struct tide_error *err)
{
    struct sender *s = r->s;
    if (!g->parsed) {
        struct sender_check *c = add(r, SENDER_BAD, TEXT("DKIM signature"));
        c->finding = format(r, "It is of no use: " TEXT_FMT ".", TEXT_ARG(g->text));
        c->consequences = consequences(r, SENDER_DKIM);
        return;
    }
    const char *text = "";
    struct sender_check *c = add(r, SENDER_BAD,
                                 format(r, "DKIM signature of " TEXT_FMT " by " TEXT_FMT,
                                        TEXT_ARG(g->s.domain), TEXT_ARG(g->s.selector)));
    if (s->in.verify(s->in.message, &g->s, &s->keys[g->key].key, s->in.now, &g->good, &text,
                     &g->unsigned_bytes, err) != TIDE_OK) {
        r->failed = true;
        return;
    }
    c->finding = format(r, "Checked with the key in DNS: %s.", text);
    if (!g->good && !speaks_for_from(s, g->s.domain)) {
        c->state = SENDER_NOTE;
        return;
    }
    if (!g->good) {
        c->state = s->keys[g->key].key.state == DKIM_KEY_UNKNOWN ? SENDER_UNKNOWN : SENDER_BAD;
        c->consequences = consequences(r, SENDER_DKIM);
        return;
    }
    c->state = SENDER_GOOD;
    if (g->unsigned_bytes > 0) {
        c->state = SENDER_NOTE;
        c->finding = format(r,
                            "It is right, but l= leaves %lld octets at the end unsigned: anybody "
                            "may add to the mail.",
                            (long long)g->unsigned_bytes);
    }
}

static void check_signatures(struct report *r, struct tide_error *err)
{
    struct sender *s = r->s;
    if (!s->in.message)
        return;
    for (size_t i = 0; i < s->signature_count; i++)
        check_signature(r, &s->signatures[i], err);
    r->dkim_good = false; /* with a message in hand its signatures count, not the keys alone */
    for (size_t i = 0; i < s->signature_count; i++)
        r->dkim_good = r->dkim_good || s->signatures[i].good;
    if (s->signature_count)
        return;
    struct sender_check *c = add(r, SENDER_BAD, TEXT("DKIM signature"));
    c->finding = format(r, "The message is not signed.");
    c->consequences = consequences(r, SENDER_DKIM);
}

static void check_authentication(struct report *r)
{
    if (r->spf_good || r->dkim_good || !r->spf_known || !r->dkim_known)
        return;
    struct sender_check *c = add(r, SENDER_BAD, TEXT("authentication"));
    c->finding = format(r, "Mail of this sender passes neither SPF nor DKIM.");
    c->consequences = consequences(r, SENDER_AUTHENTICATION);
}

/* -- DMARC --------------------------------------------------------------------------------------*/

static const char *const done_with_mail[] = {
    [DMARC_NONE] = "deliver it as any other, and report",
    [DMARC_QUARANTINE] = "treat it as spam",
    [DMARC_REJECT] = "refuse it",
};

static void put_remarks(struct buf *b, const struct dmarc_record *d)
{
    for (size_t i = 0; i < d->remark_count; i++)
        buf_addf(b, "%s%s", b->len ? "\n" : "", d->remarks[i].text);
}

static void check_dmarc(struct report *r)
{
    struct sender *s = r->s;
    const struct dmarc *d = machine_of(s, PROBE_DMARC, SENDER_IPS_MAX);
    struct sender_check *c =
        add(r, SENDER_GOOD, format(r, "DMARC of " TEXT_FMT, TEXT_ARG(s->in.domain)));
    struct buf evidence = {0}, publish = {0};
    if (d->record.n)
        buf_addf(&evidence, "_dmarc." TEXT_FMT " TXT " TEXT_FMT,
                 TEXT_ARG(d->record_at.n ? d->record_at : s->in.domain), TEXT_ARG(d->record));
    put_remarks(&evidence, &d->parsed);
    c->evidence = keep(r, &evidence);
    if (d->result == DMARC_TEMPERROR) {
        c->state = SENDER_UNKNOWN;
        c->finding = format(r, "DNS failed: %s.", dns_status_text(d->doubt));
        return;
    }
    if (d->result == DMARC_NO_POLICY) {
        char *value =
            arena_printf(s->arena, "v=DMARC1; p=none; rua=mailto:dmarc-reports@" TEXT_FMT,
                         TEXT_ARG(d->organizational.n ? d->organizational : s->in.domain));
        c->state = SENDER_BAD;
        c->finding = format(r, d->too_many   ? "There is more than one record, and so none counts."
                               : d->record.n ? "The record is of no use to receivers."
                                             : "There is no DMARC record.");
        c->consequences = consequences(r, SENDER_DMARC);
        put_txt(&publish, "_dmarc.", d->organizational.n ? d->organizational : s->in.domain,
                text_of(value));
        c->publish = keep(r, &publish);
        return;
    }
    c->state = d->parsed.faulty || d->parsed.remark_count ? SENDER_NOTE : SENDER_GOOD;
    c->finding = format(r, "The policy is %s%s; with mail that fails, receivers will %s.",
                        dmarc_policy_name(d->asked), d->parsed.testing ? ", in test (t=y)" : "",
                        done_with_mail[d->applied]);
}

/* Aligned, and it passes: SPF by its record, DKIM by a key or, better, by a signature. */
static bool dkim_passes(const struct sender *s, struct text domain)
{
    for (size_t i = 0; i < s->signature_count; i++)
        if (s->signatures[i].good && text_ieq(s->signatures[i].s.domain, domain))
            return true;
    for (size_t i = 0; i < s->key_count && !s->in.message; i++)
        if (s->keys[i].key.state == DKIM_KEY_OK && text_ieq(s->keys[i].domain, domain))
            return true;
    return false;
}

static void check_alignment(struct report *r)
{
    struct sender *s = r->s;
    const struct dmarc *d = machine_of(s, PROBE_DMARC, SENDER_IPS_MAX);
    struct text by_spf = {0}, by_dkim = {0};
    if (d->result != DMARC_PASS && d->result != DMARC_FAIL)
        return;
    for (size_t i = 0; i < s->identifier_count; i++) {
        const struct dmarc_identifier *id = &s->identifiers[i];
        if (id->aligned && !id->dkim && r->spf_good)
            by_spf = id->domain;
        if (id->aligned && id->dkim && dkim_passes(s, id->domain))
            by_dkim = id->domain;
    }
    struct sender_check *c = add(r, SENDER_GOOD, TEXT("DMARC alignment"));
    if (by_spf.n || by_dkim.n) {
        c->finding =
            format(r, "From aligns with %s%s" TEXT_FMT "%s.", by_dkim.n ? "the DKIM domain " : "",
                   by_dkim.n ? "" : "the SPF domain ", TEXT_ARG(by_dkim.n ? by_dkim : by_spf),
                   by_dkim.n && by_spf.n ? ", and with SPF too" : "");
        return;
    }
    bool doubtful = !r->spf_known || !r->dkim_known;
    c->state = doubtful ? SENDER_UNKNOWN : SENDER_BAD;
    c->finding = format(r, "%s",
                        doubtful ? "Neither SPF nor DKIM is known to pass and to align."
                                 : "Neither SPF nor DKIM passes for a domain that aligns "
                                   "with From.");
    c->consequences = consequences(r, SENDER_ALIGNMENT);
}

/* -- Addresses ----------------------------------------------------------------------------------*/

static void check_ptr(struct report *r)
{
    struct sender *s = r->s;
    for (size_t i = 0; i < s->in.ip_count; i++) {
        const struct ptr *p = machine_of(s, PROBE_PTR, i);
        const struct sender_ip *ip = &s->in.ips[i];
        const char *type = ip->v6 ? "AAAA" : "A";
        struct sender_check *c = add(r, SENDER_BAD, format(r, "PTR of %s", ip->text));
        if (p->result != PTR_UNKNOWN && p->result != PTR_CONFIRMED)
            c->consequences = consequences(r, SENDER_PTR);
        switch (p->result) {
        case PTR_CONFIRMED:
            c->state = SENDER_GOOD;
            c->finding = format(r, TEXT_FMT ", and back.", TEXT_ARG(p->name));
            break;
        case PTR_UNKNOWN:
            c->state = SENDER_UNKNOWN;
            c->finding = format(r, "DNS failed: %s.", dns_status_text(p->doubt));
            break;
        case PTR_NONE:
            c->finding = format(r, "The address has no name.");
            c->publish = format(r, TEXT_FMT ". PTR mail." TEXT_FMT ".\nmail." TEXT_FMT ". %s %s",
                                TEXT_ARG(p->reverse), TEXT_ARG(s->in.domain),
                                TEXT_ARG(s->in.domain), type, ip->text);
            break;
        case PTR_UNCONFIRMED:
            c->finding =
                format(r, "Its name " TEXT_FMT " does not lead back to it.", TEXT_ARG(p->name));
            c->publish = format(r, TEXT_FMT ". %s %s", TEXT_ARG(p->name), type, ip->text);
            break;
        }
    }
}

/* Replies, and receivers that look whether the sender could be answered. */
static void check_mx(struct report *r)
{
    struct sender *s = r->s;
    const struct mx *m = machine_of(s, PROBE_MX, SENDER_IPS_MAX);
    struct verdict v;
    mx_verdict(m, s->in.now, s->arena, &v);
    struct sender_check *c = add(r,
                                 v.kind == VERDICT_DELIVERABLE     ? SENDER_GOOD
                                 : v.kind == VERDICT_UNDELIVERABLE ? SENDER_BAD
                                 : v.kind == VERDICT_RISKY         ? SENDER_NOTE
                                                                   : SENDER_UNKNOWN,
                                 format(r, "mail to " TEXT_FMT, TEXT_ARG(s->in.domain)));
    c->finding = v.reason;
    c->evidence = c->state == SENDER_GOOD ? (struct text){0} : v.evidence;
    if (c->state == SENDER_BAD)
        c->consequences = consequences(r, SENDER_RESOLVES);
}

/* -- Block lists --------------------------------------------------------------------------------*/

static void check_listing(struct report *r, const struct dnsbl *d, const char *what)
{
    bool info = d->zone->information;
    struct sender_check *c =
        add(r, info ? SENDER_NOTE : SENDER_BAD, format(r, "%s at %s", what, d->zone->title));
    c->finding = format(r, "Listed%s: " TEXT_FMT ". Removal: %s",
                        info ? ", for information only" : "", TEXT_ARG(d->what), d->zone->delist);
    c->evidence = d->reason;
    if (!info)
        c->consequences = consequences(r, SENDER_BLOCK_LISTS);
}

static void check_lists(struct report *r)
{
    struct sender *s = r->s;
    size_t asked = 0, clear = 0;
    struct buf silent = {0};
    if (!s->in.block_lists)
        return;
    for (size_t i = 0; i < s->probe_count; i++) {
        const struct sender_probe *p = &s->probes[i];
        if (p->kind != PROBE_LIST)
            continue;
        const struct dnsbl *d = p->machine;
        char domain[DOMAIN_BYTES_MAX + 1];
        snprintf(domain, sizeof domain, TEXT_FMT, TEXT_ARG(s->in.domain));
        const char *what = p->ip == SENDER_IPS_MAX ? domain : s->in.ips[p->ip].text;
        asked++;
        clear += d->result == DNSBL_CLEAR;
        if (d->result == DNSBL_LISTED)
            check_listing(r, d, what);
        else if (d->result == DNSBL_UNKNOWN)
            buf_addf(&silent, "%s%s: %s: " TEXT_FMT, silent.len ? "\n" : "", d->zone->title, what,
                     TEXT_ARG(d->what));
    }
    if (!asked)
        return;
    /* A list that does not answer is its own business: it fails no sender. */
    struct sender_check *c = add(r, silent.len ? SENDER_NOTE : SENDER_GOOD, TEXT("block lists"));
    c->finding = format(r, "%zu of %zu answers have nothing against the sender.", clear, asked);
    c->evidence = keep(r, &silent);
}

/* -- Unsubscribing ------------------------------------------------------------------------------*/

/* RFC 8058: both fields, an https URI, and both signed. */
static const char *unsubscribe_problem(const struct sender *s)
{
    const struct message *m = s->in.message;
    struct header h;
    if (!message_find(m, TEXT("List-Unsubscribe"), &h))
        return "List-Unsubscribe is missing";
    if (text_ifind(h.raw, TEXT("<https://")) == h.raw.n)
        return "List-Unsubscribe has no https address";
    if (!message_find(m, TEXT("List-Unsubscribe-Post"), &h) ||
        !text_ieq(text_trim(h.raw), TEXT("List-Unsubscribe=One-Click")))
        return "List-Unsubscribe-Post: List-Unsubscribe=One-Click is missing";
    for (size_t i = 0; i < s->signature_count; i++)
        if (s->signatures[i].good && dkim_signs(&s->signatures[i].s, "list-unsubscribe") &&
            dkim_signs(&s->signatures[i].s, "list-unsubscribe-post"))
            return NULL;
    return "no valid DKIM signature covers both fields";
}

static void check_unsubscribe(struct report *r)
{
    struct sender *s = r->s;
    if (!s->in.bulk)
        return;
    struct sender_check *c = add(r, SENDER_UNKNOWN, TEXT("one-click unsubscribe"));
    if (!s->in.message) {
        c->finding = format(r, "Show a message of the stream to have it checked (RFC 8058).");
        return;
    }
    const char *problem = unsubscribe_problem(s);
    c->state = problem ? SENDER_BAD : SENDER_GOOD;
    c->finding = problem ? format(r, "Not as RFC 8058 wants it: %s.", problem)
                         : format(r, "As RFC 8058 wants it.");
    if (!problem)
        return;
    c->consequences = consequences(r, SENDER_UNSUBSCRIBE);
    c->publish = format(r,
                        "List-Unsubscribe: <https://" TEXT_FMT "/unsubscribe/...>\n"
                        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
                        TEXT_ARG(s->in.domain));
}

enum tide_err sender_report(struct sender *s, struct tide_error *err)
{
    struct report r = {.s = s};
    check_spf(&r);
    check_spf_of_ips(&r);
    check_keys(&r);
    check_signatures(&r, err);
    check_authentication(&r);
    check_dmarc(&r);
    check_alignment(&r);
    check_ptr(&r);
    check_mx(&r);
    check_unsubscribe(&r);
    check_lists(&r);
    s->state = SENDER_GOOD;
    for (size_t i = 0; i < s->check_count; i++)
        s->state = TIDE_MAX(s->state, s->checks[i].state);
    return r.failed ? tide_fail(err, TIDE_ENOMEM, "the report does not fit into memory") : TIDE_OK;
}
