/* The checks of the sender report, made of what the probes found; SPF and DMARC have files of their
 * own. */
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

/* Whether it is about this block list; NULL: about none in particular. */
static bool is_about(const struct sender_demand *d, const char *zone)
{
    bool named = d->zone_count == 0 || !zone;
    for (size_t i = 0; i < d->zone_count && !named; i++)
        named = domain_is_within(text_of(zone), text_of(d->zones[i]));
    return named;
}

static void blame(struct report *r,
                  struct sender_check *c,
                  enum sender_topic topic,
                  const char *zone)
{
    struct buf b = {0};
    const struct sender_rules *rules = r->s->in.rules;
    for (size_t i = 0; i < rules->demand_count; i++) {
        const struct sender_demand *d = &rules->demands[i];
        if (d->topic != topic || !is_about(d, zone))
            continue;
        c->demanded = c->demanded || !d->bulk || r->s->in.bulk;
        buf_addf(&b, "%s%s%s: %s %s [%s]", b.len ? "\n" : "", d->title,
                 d->bulk ? ", of bulk senders" : "", d->rule, d->consequence, d->name);
    }
    c->consequences = report_keep(r, &b);
}

void report_blame(struct report *r, struct sender_check *c, enum sender_topic topic)
{
    blame(r, c, topic, NULL);
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

/* What is to stand there only the signer knows. */
static void check_useless_key(struct report *r, const struct sender_key *k, struct sender_check *c)
{
    const struct dkim_key *key = &k->key;
    const char *signer = r->s->in.account ? r->s->in.account->title : "the signer";
    c->guess = k->usual;
    if (c->state == SENDER_UNKNOWN) {
        c->dns_failed = true;
        c->finding = report_format(r, "DNS failed: %s.", key->why);
        return;
    }
    c->finding = report_format(r, "The key is %s: %s.", dkim_key_state_name(key->state), key->why);
    if (!speaks_for_from(r->s, k->domain)) {
        c->state = SENDER_NOTE;
        return;
    }
    bool elsewhere = k->usual && key->state == DKIM_KEY_MISSING;
    c->finding = report_format(
        r,
        TEXT_FMT "%s%s%s Publish there what %s shows for this selector: a TXT record with the key, "
                 "or a CNAME.",
        TEXT_ARG(c->finding), elsewhere ? " It is a usual selector of " : "",
        elsewhere ? signer : "", elsewhere ? "; if yours is another, name it." : "", signer);
    report_blame(r, c, SENDER_DKIM);
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
        check_useless_key(r, k, c);
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
    c->finding = report_format(
        r, "No selector is known: name it (--selector, or selectors of the account), or "
           "show a message as it arrived (--message).");
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
    if (c->state == SENDER_BAD && m->no_domain)
        report_blame(r, c, SENDER_RESOLVES);
    else if (c->state == SENDER_BAD)
        c->finding = report_format(
            r,
            TEXT_FMT " Replies to it are lost, and some receivers refuse mail from such a domain "
                     "(5.1.8, 5.7.27).",
            TEXT_ARG(v.reason));
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
        blame(r, c, SENDER_BLOCK_LISTS, d->zone->zone);
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
    report_spf(&r);
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
