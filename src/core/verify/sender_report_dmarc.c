/* The checks of the sender report that are DMARC's: policy, alignment, where reports may go. */
#include "core/verify/sender_inside.h"

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
    const struct dmarc *d = report_machine(s, PROBE_DMARC, SENDER_IPS_MAX);
    struct sender_check *c =
        report_add(r, SENDER_GOOD, report_format(r, "DMARC of " TEXT_FMT, TEXT_ARG(s->in.domain)));
    struct buf evidence = {0}, publish = {0};
    if (d->record.n)
        buf_addf(&evidence, "_dmarc." TEXT_FMT " TXT " TEXT_FMT,
                 TEXT_ARG(d->record_at.n ? d->record_at : s->in.domain), TEXT_ARG(d->record));
    for (size_t i = 0; i < d->rival_count; i++)
        buf_addf(&evidence, "%s_dmarc." TEXT_FMT " TXT " TEXT_FMT, evidence.len ? "\n" : "",
                 TEXT_ARG(s->in.domain), TEXT_ARG(d->rivals[i]));
    put_remarks(&evidence, &d->parsed);
    bool suffix = d->parsed.psd == 'y' && text_eq(d->record_at, s->in.domain);
    if (suffix)
        buf_addf(&evidence,
                 "\npsd=y is for registries: names below " TEXT_FMT
                 " then align neither with it nor "
                 "with each other; leave it out",
                 TEXT_ARG(s->in.domain));
    c->evidence = report_keep(r, &evidence);
    if (d->result == DMARC_TEMPERROR) {
        c->state = SENDER_UNKNOWN;
        c->dns_failed = true;
        c->finding = report_format(r, "DNS failed: %s.", dns_status_text(d->doubt));
        return;
    }
    if (d->result == DMARC_NO_POLICY) {
        struct text at = d->organizational.n && !d->rival_count ? d->organizational : s->in.domain;
        char *value = arena_printf(s->arena, "v=DMARC1; p=none; rua=mailto:dmarc-reports@" TEXT_FMT,
                                   TEXT_ARG(at));
        c->state = SENDER_BAD;
        c->finding =
            report_format(r, d->too_many   ? "There is more than one record, and so none counts. "
                                             "Leave one."
                             : d->record.n ? "The record is of no use to receivers. Replace it."
                                           : "There is no DMARC record.");
        report_blame(r, c, SENDER_DMARC);
        report_put_txt(&publish, "_dmarc.", at, d->rival_count ? d->rivals[0] : text_of(value));
        c->publish = report_keep(r, &publish);
        return;
    }
    c->state = d->parsed.faulty || d->parsed.remark_count || suffix ? SENDER_NOTE : SENDER_GOOD;
    c->finding =
        report_format(r, "The policy is %s%s; with mail that fails, receivers will %s.",
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
    const struct dmarc *d = report_machine(s, PROBE_DMARC, SENDER_IPS_MAX);
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
    struct sender_check *c = report_add(r, SENDER_GOOD, TEXT("DMARC alignment"));
    if (by_spf.n || by_dkim.n) {
        c->finding = report_format(
            r, "From aligns with %s%s" TEXT_FMT "%s.", by_dkim.n ? "the DKIM domain " : "",
            by_dkim.n ? "" : "the SPF domain ", TEXT_ARG(by_dkim.n ? by_dkim : by_spf),
            by_dkim.n && by_spf.n ? ", and with SPF too" : "");
        return;
    }
    bool doubtful = !r->spf_known || !r->dkim_known;
    c->state = doubtful ? SENDER_UNKNOWN : SENDER_BAD;
    c->dns_failed = doubtful && !r->spf_known;
    c->finding = report_format(r, "%s",
                               doubtful ? "Neither SPF nor DKIM is known to pass and to align."
                                        : "Neither SPF nor DKIM passes for a domain that aligns "
                                          "with From.");
    if (!doubtful)
        report_blame(r, c, SENDER_ALIGNMENT);
    else
        c->consequences = (struct text){0};
}

/* Reports to another organization's mailbox: it has to say that it wants them. */
static void check_reports(struct report *r)
{
    const struct sender_dmarc *machine = report_machine(r->s, PROBE_DMARC, SENDER_IPS_MAX);
    const struct dmarc_reports *reports = &machine->reports;
    for (size_t i = 0; i < reports->count; i++) {
        const struct dmarc_target *t = &reports->targets[i];
        struct sender_check *c = report_add(
            r, SENDER_GOOD, report_format(r, "DMARC reports to " TEXT_FMT, TEXT_ARG(t->host)));
        switch (t->result) {
        case DMARC_TARGET_WILLING:
            c->finding = report_format(r, "It says that it takes reports about " TEXT_FMT ".",
                                       TEXT_ARG(reports->domain));
            break;
        case DMARC_TARGET_UNKNOWN:
            c->state = SENDER_NOTE; /* mail is delivered all the same */
            c->finding = report_format(r, "DNS failed: %s.", dns_status_text(t->doubt));
            break;
        case DMARC_TARGET_UNWILLING:
            c->state = SENDER_NOTE;
            c->finding = report_format(r,
                                       "It does not say that it takes reports about " TEXT_FMT
                                       ": receivers send none there until its owner publishes "
                                       "this (RFC 9990 4, RFC 7489 7.1).",
                                       TEXT_ARG(reports->domain));
            c->publish = report_format(r, TEXT_FMT ". TXT \"v=DMARC1\"", TEXT_ARG(t->name));
            break;
        }
    }
}

void report_dmarc(struct report *r)
{
    check_dmarc(r);
    check_reports(r);
    check_alignment(r);
}
