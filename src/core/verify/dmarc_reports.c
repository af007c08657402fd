#include "core/verify/dmarc_reports.h"

#include "core/address/addr.h"
#include "core/verify/dmarc_record.h"

/* "mailto:a@host!10m", with %40 for a second "@" or none: the host; empty: another scheme's. */
static struct text host_of(struct text uri)
{
    uri = text_trim(uri);
    if (!text_istarts(uri, TEXT("mailto:")))
        return (struct text){0};
    uri = text_cut(uri, 0, text_find(uri, '!'));
    uri = text_cut(uri, 0, text_find(uri, '?'));
    return addr_domain_of(uri);
}

static bool is_known(const struct dmarc_reports *d, struct text host)
{
    for (size_t i = 0; i < d->count; i++)
        if (text_ieq(d->targets[i].host, host))
            return true;
    return false;
}

static void add_targets(struct dmarc_reports *d, struct text list, struct text organizational)
{
    struct text uri;
    while (list.n && text_split(&list, ',', &uri)) {
        struct text host = host_of(uri);
        if (!host.n || domain_is_within(host, organizational) || is_known(d, host) ||
            d->count == DMARC_TARGETS_MAX)
            continue;
        char *name = arena_printf(d->arena, TEXT_FMT "._report._dmarc." TEXT_FMT,
                                  TEXT_ARG(d->domain), TEXT_ARG(host));
        d->out_of_memory = d->out_of_memory || !name;
        d->targets[d->count++] =
            (struct dmarc_target){.host = host, .name = text_of(name), .doubt = DNS_BROKEN};
    }
}

void dmarc_reports_init(struct dmarc_reports *d,
                        struct text domain,
                        struct text organizational,
                        struct text rua,
                        struct text ruf,
                        struct arena *arena)
{
    *d = (struct dmarc_reports){.arena = arena, .domain = domain};
    add_targets(d, rua, organizational);
    add_targets(d, ruf, organizational);
}

/* RFC 9990 4, step 4: a name that DNS cannot have is no leave. */
void dmarc_reports_start(struct dmarc_reports *d, struct question *todo)
{
    for (; d->at < d->count; d->at++) {
        struct dmarc_target *t = &d->targets[d->at];
        if (t->name.n && question_name_ok(t->name)) {
            *todo = (struct question){.name = t->name, .type = DNS_TXT};
            return;
        }
        t->result = t->name.n ? DMARC_TARGET_UNWILLING : DMARC_TARGET_UNKNOWN;
    }
    *todo = (struct question){.done = true};
}

void dmarc_reports_feed(void *reports, const struct dns_answer *a, struct question *todo)
{
    struct dmarc_reports *d = reports;
    struct dmarc_target *t = &d->targets[d->at++];
    t->result = dns_status_is_final(a->status) ? DMARC_TARGET_UNWILLING : DMARC_TARGET_UNKNOWN;
    t->doubt = a->status;
    for (size_t i = 0; i < a->rr_count; i++)
        if (dmarc_record_is(a->rrs[i].data))
            t->result = DMARC_TARGET_WILLING;
    dmarc_reports_start(d, todo);
}
