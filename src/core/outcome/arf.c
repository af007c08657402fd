#include "core/outcome/arf.h"

#include "core/outcome/dsn.h"

static void add(struct arf *r, struct text address)
{
    if (address.n == 0 || text_find(address, '@') == address.n)
        return;
    for (size_t i = 0; i < r->recipient_count; i++)
        if (text_ieq(r->recipients[i], address))
            return;
    if (r->recipient_count < ARF_RECIPIENTS_MAX)
        r->recipients[r->recipient_count++] = address;
}

enum tide_err arf_read(struct text part, struct arena *a, struct arf *ret, struct tide_error *err)
{
    struct arf r = {.recipients = arena_array(a, ARF_RECIPIENTS_MAX, sizeof *r.recipients)};
    struct text name, value;
    if (!r.recipients)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a feedback report");
    while (dsn_field(&part, a, &name, &value)) {
        if (text_ieq(name, TEXT("Feedback-Type")))
            r.type = value;
        else if (text_ieq(name, TEXT("User-Agent")))
            r.user_agent = value;
        else if (text_ieq(name, TEXT("Source-IP")))
            r.source_ip = value;
        else if (text_ieq(name, TEXT("Reported-Domain")))
            r.reported_domain = value;
        else if (text_ieq(name, TEXT("Arrival-Date")) || text_ieq(name, TEXT("Received-Date")))
            r.arrival_date = value;
        else if (text_ieq(name, TEXT("Original-Envelope-Id")))
            r.envelope_id = value;
        else if (text_ieq(name, TEXT("Original-Mail-From")))
            r.mail_from = dsn_address(value, a);
        else if (text_ieq(name, TEXT("Original-Rcpt-To")) ||
                 text_ieq(name, TEXT("Removal-Recipient")))
            add(&r, dsn_address(value, a));
    }
    *ret = r;
    return TIDE_OK;
}
