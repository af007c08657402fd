#include "core/esp/ses.h"

#include "base/macros.h"
#include "core/esp/manage.h"

#define STATISTICS_STEP_MS (15 * TIME_MINUTE_MS)
#define STATISTICS_DAYS    14

static void write_time(struct buf *b, const char *name, tide_wall_ms t)
{
    char at[TIME_TEXT_BYTES];
    time_rfc3339(t, 0, at);
    buf_addf(b, "<%s>%.19sZ</%s>", name, at, name);
}

static void write_statistics(const struct esp_ask *ask,
                             const struct esp_batch *batch,
                             struct buf *b)
{
    (void)ask;
    buf_adds(b, "<SendDataPoints>");
    for (size_t i = 0; i < batch->tallies.count; i++) {
        const struct notification_tally *t = &batch->tallies.rows[i];
        buf_adds(b, "<member>");
        write_time(b, "Timestamp", t->from);
        buf_addf(b,
                 "<DeliveryAttempts>%lld</DeliveryAttempts><Bounces>%lld</Bounces>"
                 "<Complaints>%lld</Complaints><Rejects>%lld</Rejects></member>",
                 (long long)manage_left(t), (long long)t->states[NOTIFICATION_BOUNCED],
                 (long long)t->states[NOTIFICATION_COMPLAINED],
                 (long long)t->states[NOTIFICATION_REFUSED]);
    }
    buf_adds(b, "</SendDataPoints>");
}

static void write_identities(const struct esp_ask *ask,
                             const struct esp_batch *batch,
                             struct buf *b)
{
    bool addresses = text_eq(form_value(batch->form, "IdentityType"), TEXT("EmailAddress"));
    buf_adds(b, "<Identities>");
    for (size_t i = 0; i < ask->sender_count && !addresses; i++) {
        struct text name = manage_domain(ask->senders[i]);
        if (name.n > 0)
            buf_addf(b, "<member>" TEXT_FMT "</member>", TEXT_ARG(name));
    }
    buf_adds(b, "</Identities>");
}

/* An identity that nobody may send as is left out, as one that was never verified. */
static void write_verified(const struct esp_ask *ask, const struct esp_batch *batch, struct buf *b)
{
    buf_adds(b, "<VerificationAttributes>");
    for (size_t i = 0; i < batch->form->count; i++) {
        const struct form_field *f = &batch->form->fields[i];
        if (!text_starts(f->name, TEXT("Identities.member.")) || !manage_may_send_as(ask, f->value))
            continue;
        buf_adds(b, "<entry><key>");
        ses_add_escaped(b, f->value);
        buf_adds(b,
                 "</key><value><VerificationStatus>Success</VerificationStatus></value></entry>");
    }
    buf_adds(b, "</VerificationAttributes>");
}

static void write_enabled(const struct esp_ask *ask, const struct esp_batch *batch, struct buf *b)
{
    (void)ask;
    (void)batch;
    buf_adds(b, "<Enabled>true</Enabled>");
}

/* Addresses are not verified one by one. */
static void write_addresses(const struct esp_ask *ask, const struct esp_batch *batch, struct buf *b)
{
    (void)ask;
    (void)batch;
    buf_adds(b, "<VerifiedEmailAddresses></VerifiedEmailAddresses>");
}

static const struct action {
    const char *name;
    enum esp_does does;
    void (*write)(const struct esp_ask *ask, const struct esp_batch *batch, struct buf *b);
} actions[] = {
    {"GetSendStatistics", ESP_TALLIES, write_statistics},
    {"ListIdentities", ESP_TELLS, write_identities},
    {"ListVerifiedEmailAddresses", ESP_TELLS, write_addresses},
    {"GetIdentityVerificationAttributes", ESP_TELLS, write_verified},
    {"GetAccountSendingEnabled", ESP_TELLS, write_enabled},
};

static const struct action *action_of(const struct form *f)
{
    struct text name = form_value(f, "Action");
    for (size_t i = 0; i < TIDE_COUNT(actions); i++)
        if (text_eq(name, text_of(actions[i].name)))
            return &actions[i];
    return NULL;
}

bool ses_query_manages(const struct esp_ask *ask, const struct form *f, struct esp_batch *ret)
{
    const struct action *a = action_of(f);
    if (!a)
        return false;
    ret->does = a->does;
    ret->tallies = (struct esp_tallies){.from = ask->now - STATISTICS_DAYS * TIME_DAY_MS,
                                        .until = ask->now + 1,
                                        .step_ms = STATISTICS_STEP_MS};
    return true;
}

const char *ses_query_managed(const struct esp_ask *ask,
                              const struct esp_batch *batch,
                              struct buf *b)
{
    const struct action *a = action_of(batch->form);
    if (a)
        a->write(ask, batch, b);
    return a ? a->name : NULL;
}
