/* The checks of the sender report that are SPF's: the record, and what it says of own addresses. */
#include "core/verify/sender_inside.h"

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

static bool lets_all(const struct spf *spf)
{
    return spf->all && spf->all->result == SPF_PASS && spf->lookups <= SPF_LOOKUPS_MAX &&
           spf->voids <= SPF_VOIDS_MAX;
}

/* One record out of several: the terms of all, each once, and the softest end. */
static struct text merged_record(struct report *r, const struct spf *spf)
{
    struct sender *s = r->s;
    struct buf value = {0}, line = {0};
    bool strict = true;
    buf_adds(&value, "v=spf1");
    for (size_t i = 0; i < spf->rival_count; i++) {
        struct text rest = spf->rivals[i], term;
        bool ends_strict = false;
        text_split(&rest, ' ', &term); /* the version */
        while (text_split(&rest, ' ', &term)) {
            if (text_istarts(term, TEXT("redirect="))) {
                buf_fini(&value);
                return (struct text){0}; /* which to follow is not for us to say */
            }
            ends_strict = ends_strict || text_ieq(term, TEXT("-all"));
            if (term.n && !text_iends(term, TEXT("all")) &&
                text_ifind(buf_text(&value), term) == value.len)
                buf_addf(&value, " " TEXT_FMT, TEXT_ARG(term));
        }
        strict = strict && ends_strict;
    }
    put_missing_addresses(s, &value);
    buf_adds(&value, strict ? " -all" : " ~all");
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
            "7208 4.6.4). Take out what no longer sends, or let an ESP use an envelope domain "
            "with a record of its own.",
            spf->lookups, SPF_LOOKUPS_MAX);
    else if (spf->voids > SPF_VOIDS_MAX)
        *ret = report_format(
            r,
            "%u of the names in the record do not exist; receivers stop after %d (RFC "
            "7208 4.6.4).",
            spf->voids, SPF_VOIDS_MAX);
    else if (lets_all(spf))
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

static void check_record(struct report *r)
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
    } else if (spf->rival_count) {
        c->finding = report_format(r,
                                   "There are %zu SPF records, and receivers then use none (RFC "
                                   "7208 4.5). Leave one.",
                                   spf->rival_count);
        c->publish = merged_record(r, spf);
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
    for (size_t i = 0; i < spf->rival_count; i++)
        buf_addf(&evidence, "%s" TEXT_FMT " TXT " TEXT_FMT, i ? "\n" : "",
                 TEXT_ARG(s->in.mail_from), TEXT_ARG(spf->rivals[i]));
    c->evidence = report_keep(r, &evidence);
    if (c->state == SENDER_BAD)
        report_blame(r, c, lets_all(spf) ? SENDER_SPF_OPEN : SENDER_SPF);
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

void report_spf(struct report *r)
{
    check_record(r);
    check_spf_of_ips(r);
}
