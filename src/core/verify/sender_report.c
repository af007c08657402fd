/* The checks of the sender report, made of what the probes found. */
#include "core/verify/sender_inside.h"

#include "base/macros.h"
#include "core/address/domain.h"
#include "core/verify/one_click.h"

#include <stdarg.h>
#include <stdio.h>

#define TXT_STRING_BYTES_MAX 255 /* RFC 1035 3.3 */

/* -- Texts --------------------------------------------------------------------------------------*/

/* Takes what the buffer holds into the arena. */
struct text report_keep(struct report *r, struct buf *b)
{
    struct text t = {0};
    if (b->len)
        t = arena_text(r->s->arena, buf_text(b));
    r->failed = r->failed || buf_check(b, NULL) != TIDE_OK || (b->len && !t.p);
    buf_fini(b);
    return t;
}

struct text report_format(struct report *r, const char *fmt, ...)
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
void report_put_txt(struct buf *b, const char *prefix, struct text name, struct text value)
{
    buf_addf(b, "%s%s" TEXT_FMT ". TXT", b->len ? "\n" : "", prefix, TEXT_ARG(name));
    for (size_t at = 0; at < value.n || at == 0; at += TXT_STRING_BYTES_MAX)
        buf_addf(b, " \"" TEXT_FMT "\"", TEXT_ARG(text_cut(value, at, TXT_STRING_BYTES_MAX)));
}

/* What each provider does about senders that fail at this topic. */
void report_blame(struct report *r, struct sender_check *c, enum sender_topic topic)
{
    struct buf b = {0};
    const struct sender_rules *rules = r->s->in.rules;
    for (size_t i = 0; i < rules->demand_count; i++) {
        const struct sender_demand *d = &rules->demands[i];
        if (d->topic != topic)
            continue;
        c->demanded = c->demanded || !d->bulk || r->s->in.bulk;
        buf_addf(&b, "%s%s%s: %s %s [%s]", b.len ? "\n" : "", d->title,
                 d->bulk ? ", of bulk senders" : "", d->rule, d->consequence, d->name);
    }
    c->consequences = report_keep(r, &b);
}

struct sender_check *report_add(struct report *r, enum sender_state state, struct text what)
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

void *report_machine(struct sender *s, enum sender_probe_kind kind, size_t ip)
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

/* " include:esp.example", for each that is missing, into `b` (may be NULL); how many. In a record
 * that a CNAME leads to, its keeper's addresses stand as he likes. */
static size_t put_missing_includes(const struct sender *s, const struct spf *spf, struct buf *b)
{
    size_t missing = 0;
    for (size_t i = 0; s->in.account && !spf->is_elsewhere && i < s->in.account->spf_include_count;
         i++)
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
        const struct spf *of_ip = report_machine(s, PROBE_SPF_IP, i);
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
    if (!text_eq(buf_text(&value), old) &&
        !spf->is_elsewhere) /* what is wrong may stand in another's record */
        report_put_txt(&line, "", s->in.mail_from, buf_text(&value));
    buf_fini(&value);
    return report_keep(r, &line);
}

/* What is wrong with a record that can be read; the state, and a sentence. */
static enum sender_state judge_record(struct report *r, const struct spf *spf, struct text *ret)
{
    struct sender *s = r->s;
    struct buf missing = {0};
    size_t count = put_missing_includes(s, spf, &missing);
    struct text names = report_keep(r, &missing);
    if (spf->lookups > SPF_LOOKUPS_MAX)
        *ret = report_format(
            r,
            "The record needs %u DNS lookups; receivers stop at %d and refuse it (RFC "
            "7208 4.6.4).",
            spf->lookups, SPF_LOOKUPS_MAX);
    else if (spf->voids > SPF_VOIDS_MAX)
        *ret = report_format(
            r,
            "%u of the names in the record do not exist; receivers stop after %d (RFC "
            "7208 4.6.4).",
            spf->voids, SPF_VOIDS_MAX);
    else if (spf->all && spf->all->result == SPF_PASS)
        *ret = report_format(r, "The record lets everybody send: it ends in \"" TEXT_FMT "\".",
                             TEXT_ARG(spf->all->written));
    else {
        if (count)
            *ret = report_format(
                r,
                "The record does not have" TEXT_FMT
                ": mail through %s passes SPF only with an envelope domain of its own.",
                TEXT_ARG(names), s->in.account->title);
        else if (spf->has_ptr)
            *ret = report_format(
                r, "The record uses ptr, which is slow and not to be used (RFC 7208 5.5).");
        else if (!spf->all)
            *ret = report_format(
                r, "The record says nothing of all others: let it end in ~all or -all.");
        else
            *ret = report_format(r, "The record is right, with %u of %d DNS lookups.", spf->lookups,
                                 SPF_LOOKUPS_MAX);
        return count || spf->has_ptr || !spf->all ? SENDER_NOTE : SENDER_GOOD;
    }
    return SENDER_BAD;
}

static void check_spf(struct report *r)
{
    struct sender *s = r->s;
    const struct spf *spf = report_machine(s, PROBE_SPF, SENDER_IPS_MAX);
    struct sender_check *c =
        report_add(r, SENDER_BAD, report_format(r, "SPF of " TEXT_FMT, TEXT_ARG(s->in.mail_from)));
    r->spf_known = spf->result != SPF_TEMPERROR;
    if (spf->result == SPF_NONE) {
        bool known = s->in.ip_count || (s->in.account && s->in.account->spf_include_count);
        c->finding =
            report_format(r, "There is no SPF record%s.",
                          known ? "" : "; name the account or your addresses to have one made");
        if (known) /* one that lets nobody send would do harm */
            c->publish = better_record(r, spf);
    } else if (spf->result == SPF_TEMPERROR || spf->result == SPF_PERMERROR) {
        c->state = r->spf_known ? SENDER_BAD : SENDER_UNKNOWN;
        c->finding = report_format(
            r, "%s: %s.", r->spf_known ? "Receivers cannot read it" : "DNS failed", spf->problem);
    } else {
        c->state = judge_record(r, spf, &c->finding);
        if (c->state != SENDER_GOOD && spf->lookups <= SPF_LOOKUPS_MAX)
            c->publish = better_record(r, spf);
    }
    c->dns_failed = !r->spf_known;
    r->spf_good = c->state == SENDER_GOOD ||
                  (c->state == SENDER_NOTE && put_missing_includes(s, spf, NULL) == 0);
    struct buf evidence = {0};
    if (spf->record_text.n)
        buf_addf(&evidence, TEXT_FMT " TXT " TEXT_FMT, TEXT_ARG(s->in.mail_from),
                 TEXT_ARG(spf->record_text));
    c->evidence = report_keep(r, &evidence);
    if (c->state == SENDER_BAD)
        report_blame(r, c, SENDER_SPF);
}

static void check_spf_of_ips(struct report *r)
{
    struct sender *s = r->s;
    const struct spf *audit = report_machine(s, PROBE_SPF, SENDER_IPS_MAX);
    for (size_t i = 0; i < s->in.ip_count; i++) {
        const struct spf *spf = report_machine(s, PROBE_SPF_IP, i);
        bool good = spf->result == SPF_PASS;
        struct sender_check *c = report_add(r,
                                            good                           ? SENDER_GOOD
                                            : spf->result == SPF_TEMPERROR ? SENDER_UNKNOWN
                                                                           : SENDER_BAD,
                                            report_format(r, "SPF of %s", s->in.ips[i].text));
        c->finding =
            report_format(r, "The result is %s%s%s%s" TEXT_FMT ".", spf_result_name(spf->result),
                          spf->problem[0] ? ": " : "", spf->problem, spf->matched.n ? ", by " : "",
                          TEXT_ARG(spf->matched));
        c->dns_failed = spf->result == SPF_TEMPERROR;
        r->spf_good = r->spf_good && good;
        if (c->state != SENDER_BAD)
            continue;
        report_blame(r, c, SENDER_SPF);
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
    return domain_is_within(s->in.domain, domain);
}

static void check_key(struct report *r, const struct sender_key *k)
{
    const struct dkim_key *key = &k->key;
    struct text name = report_format(r, TEXT_FMT "._domainkey." TEXT_FMT, TEXT_ARG(k->selector),
                                     TEXT_ARG(k->domain));
    struct sender_check *c =
        report_add(r, state_of_key(key), report_format(r, "DKIM key " TEXT_FMT, TEXT_ARG(name)));
    r->dkim_good = r->dkim_good || key->state == DKIM_KEY_OK;
    r->dkim_known = r->dkim_known && key->state != DKIM_KEY_UNKNOWN;
    if (key->state != DKIM_KEY_OK) {
        c->finding = report_format(r, "The key is %s: %s.%s%s%s", dkim_key_state_name(key->state),
                                   key->why, k->usual ? " It is a usual selector of " : "",
                                   k->usual ? r->s->in.account->title : "",
                                   k->usual ? "; if yours is another, name it." : "");
        c->dns_failed = c->state == SENDER_UNKNOWN;
        c->guess = k->usual;
        if (c->dns_failed)
            return;
        if (!speaks_for_from(r->s, k->domain)) {
            c->state = SENDER_NOTE;
            return;
        }
        report_blame(r, c, SENDER_DKIM);
        c->publish = report_format(
            r,
            TEXT_FMT ". TXT \"v=DKIM1; k=rsa; p=(the public key, or the CNAME, "
                     "that %s shows for this selector)\"",
            TEXT_ARG(name), r->s->in.account ? r->s->in.account->title : "the signer");
        return;
    }
    const char *kind = key->algorithm == DKIM_RSA ? "RSA" : "Ed25519";
    if (key->testing)
        c->finding =
            report_format(r,
                          "%s with %u bits, in test mode (t=y): receivers may take its mail for "
                          "unsigned.",
                          kind, key->bits);
    else if (key->faulty)
        c->finding = report_format(r, "%s with %u bits; %s.", kind, key->bits, key->why);
    else if (c->state == SENDER_NOTE)
        c->finding = report_format(r, "%s with %u bits; %d are advised (RFC 8301).", kind,
                                   key->bits, DKIM_RSA_BITS_ADVISED);
    else
        c->finding = report_format(r, "%s with %u bits.", kind, key->bits);
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
    struct sender_check *c = report_add(r, SENDER_UNKNOWN, TEXT("DKIM"));
    c->finding =
        report_format(r, "No selector is known: name it, or show a message as it arrived.");
}

static void check_signature(struct report *r, struct sender_signature *g, struct tide_error *err)
{
    struct sender *s = r->s;
    if (!g->parsed) {
        struct sender_check *c = report_add(r, SENDER_BAD, TEXT("DKIM signature"));
        c->finding = report_format(r, "It is of no use: " TEXT_FMT ".", TEXT_ARG(g->text));
        report_blame(r, c, SENDER_DKIM);
        return;
    }
    const char *text = "";
    struct sender_check *c =
        report_add(r, SENDER_BAD,
                   report_format(r, "DKIM signature of " TEXT_FMT " by " TEXT_FMT,
                                 TEXT_ARG(g->s.domain), TEXT_ARG(g->s.selector)));
    if (s->in.verify(s->in.message, &g->s, &s->keys[g->key].key, s->in.now, &g->good, &text,
                     &g->unsigned_bytes, err) != TIDE_OK) {
        r->failed = true;
        return;
    }
    c->finding = report_format(r, "Checked with the key in DNS: %s.", text);
    if (!g->good && !speaks_for_from(s, g->s.domain)) {
        c->state = SENDER_NOTE;
        return;
    }
    if (!g->good) {
        c->dns_failed = s->keys[g->key].key.state == DKIM_KEY_UNKNOWN;
        c->state = c->dns_failed ? SENDER_UNKNOWN : SENDER_BAD;
        report_blame(r, c, SENDER_DKIM);
        return;
    }
    c->state = SENDER_GOOD;
    if (g->unsigned_bytes > 0) {
        c->state = SENDER_NOTE;
        c->finding =
            report_format(r,
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
    struct sender_check *c = report_add(r, SENDER_BAD, TEXT("DKIM signature"));
    c->finding = report_format(r, "The message is not signed.");
    report_blame(r, c, SENDER_DKIM);
}

static void check_authentication(struct report *r)
{
    if (r->spf_good || r->dkim_good || !r->spf_known || !r->dkim_known)
        return;
    struct sender_check *c = report_add(r, SENDER_BAD, TEXT("authentication"));
    c->finding = report_format(r, "Mail of this sender passes neither SPF nor DKIM.");
    report_blame(r, c, SENDER_AUTHENTICATION);
}

/* -- Addresses ----------------------------------------------------------------------------------*/

static void check_ptr(struct report *r)
{
    struct sender *s = r->s;
    for (size_t i = 0; i < s->in.ip_count; i++) {
        const struct ptr *p = report_machine(s, PROBE_PTR, i);
        const struct sender_ip *ip = &s->in.ips[i];
        const char *type = ip->v6 ? "AAAA" : "A";
        struct sender_check *c = report_add(r, SENDER_BAD, report_format(r, "PTR of %s", ip->text));
        if (p->result != PTR_UNKNOWN && p->result != PTR_CONFIRMED)
            report_blame(r, c, SENDER_PTR);
        switch (p->result) {
        case PTR_CONFIRMED:
            c->state = SENDER_GOOD;
            c->finding = report_format(r, TEXT_FMT ", and back.", TEXT_ARG(p->name));
            break;
        case PTR_UNKNOWN:
            c->state = SENDER_UNKNOWN;
            c->dns_failed = true;
            c->finding = report_format(r, "DNS failed: %s.", dns_status_text(p->doubt));
            break;
        case PTR_NONE:
            c->finding = report_format(r, "The address has no name.");
            c->publish =
                report_format(r, TEXT_FMT ". PTR mail." TEXT_FMT ".\nmail." TEXT_FMT ". %s %s",
                              TEXT_ARG(p->reverse), TEXT_ARG(s->in.domain), TEXT_ARG(s->in.domain),
                              type, ip->text);
            break;
        case PTR_UNCONFIRMED:
            c->finding = report_format(r, "Its name " TEXT_FMT " does not lead back to it.",
                                       TEXT_ARG(p->name));
            c->publish = report_format(r, TEXT_FMT ". %s %s", TEXT_ARG(p->name), type, ip->text);
            break;
        }
    }
}

/* Replies, and receivers that look whether the sender could be answered. */
static void check_mx(struct report *r)
{
    struct sender *s = r->s;
    const struct mx *m = report_machine(s, PROBE_MX, SENDER_IPS_MAX);
    struct verdict v;
    mx_verdict(m, s->in.now, s->arena, &v);
    struct sender_check *c =
        report_add(r,
                   v.kind == VERDICT_DELIVERABLE     ? SENDER_GOOD
                   : v.kind == VERDICT_UNDELIVERABLE ? SENDER_BAD
                   : v.kind == VERDICT_RISKY         ? SENDER_NOTE
                                                     : SENDER_UNKNOWN,
                   report_format(r, "mail to " TEXT_FMT, TEXT_ARG(s->in.domain)));
    c->finding = v.reason;
    c->dns_failed = c->state == SENDER_UNKNOWN;
    c->evidence = c->state == SENDER_GOOD ? (struct text){0} : v.evidence;
    if (c->state == SENDER_BAD)
        report_blame(r, c, SENDER_RESOLVES);
}

/* -- Block lists --------------------------------------------------------------------------------*/

static void check_listing(struct report *r, const struct dnsbl *d, const char *what)
{
    bool info = d->zone->information;
    struct sender_check *c = report_add(r, info ? SENDER_NOTE : SENDER_BAD,
                                        report_format(r, "%s at %s", what, d->zone->title));
    c->finding =
        report_format(r, "Listed%s: " TEXT_FMT ". Removal: %s",
                      info ? ", for information only" : "", TEXT_ARG(d->what), d->zone->delist);
    c->evidence = d->reason;
    if (!info)
        report_blame(r, c, SENDER_BLOCK_LISTS);
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
    struct sender_check *c =
        report_add(r, silent.len ? SENDER_NOTE : SENDER_GOOD, TEXT("block lists"));
    c->finding =
        report_format(r, "%zu of %zu answers have nothing against the sender.", clear, asked);
    c->evidence = report_keep(r, &silent);
}

/* -- Unsubscribing ------------------------------------------------------------------------------*/

/* Of a message as it arrived: both fields, and both signed. */
static const char *unsubscribe_problem(const struct sender *s)
{
    const char *problem = one_click_problem(s->in.message);
    for (size_t i = 0; i < s->signature_count && !problem; i++)
        if (s->signatures[i].good && one_click_covered(&s->signatures[i].s))
            return NULL;
    return problem ? problem : "no valid DKIM signature covers both fields";
}

static void blame_unsubscribe(struct report *r, struct sender_check *c, const char *problem)
{
    c->state = SENDER_BAD;
    c->finding = report_format(r, "Not as RFC 8058 wants it: %s.", problem);
    report_blame(r, c, SENDER_UNSUBSCRIBE);
    c->publish = report_format(r,
                               "List-Unsubscribe: <https://" TEXT_FMT "/unsubscribe/...>\n"
                               "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
                               TEXT_ARG(r->s->in.domain));
}

/* Mail of a stream as its application hands it in. */
static void check_stream(struct report *r, const struct sender_stream *m)
{
    struct sender_check *c = report_add(
        r, SENDER_GOOD,
        report_format(r, "one-click unsubscribe of stream " TEXT_FMT, TEXT_ARG(m->stream)));
    c->advice = true;
    if (m->problem)
        blame_unsubscribe(r, c, m->problem);
    else if (m->is_signed)
        c->finding = report_format(r, "As RFC 8058 wants it, and signed by the application.");
    else
        c->finding =
            report_format(r, "Both fields are in the mail. Who signs it later has to cover them, "
                             "which only a delivered message shows (check-sender --message).");
}

static void check_unsubscribe(struct report *r)
{
    struct sender *s = r->s;
    for (size_t i = 0; i < s->in.stream_count; i++)
        check_stream(r, &s->in.streams[i]);
    if (!s->in.bulk || s->in.stream_count)
        return;
    struct sender_check *c = report_add(r, SENDER_UNKNOWN, TEXT("one-click unsubscribe"));
    if (!s->in.message) {
        c->finding =
            report_format(r, "Show a message of the stream to have it checked (RFC 8058).");
        return;
    }
    const char *problem = unsubscribe_problem(s);
    c->state = SENDER_GOOD;
    c->finding = report_format(r, "As RFC 8058 wants it.");
    if (problem)
        blame_unsubscribe(r, c, problem);
}

enum tide_err sender_report(struct sender *s, struct tide_error *err)
{
    struct report r = {.s = s};
    check_spf(&r);
    check_spf_of_ips(&r);
    check_keys(&r);
    check_signatures(&r, err);
    check_authentication(&r);
    report_dmarc(&r);
    check_ptr(&r);
    check_mx(&r);
    check_unsubscribe(&r);
    check_lists(&r);
    s->state = SENDER_GOOD;
    for (size_t i = 0; i < s->check_count; i++)
        s->state = TIDE_MAX(s->state, s->checks[i].state);
    return r.failed ? tide_fail(err, TIDE_ENOMEM, "the report does not fit into memory") : TIDE_OK;
}
