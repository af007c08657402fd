/* Amazon SES v2 beside sending.
 *
 *   GET         /v2/email/identities[/NAME]                 the application's `senders`
 *   POST        /v2/email/list-identities                   the same, as newer SDKs ask it
 *   GET         /v2/email/suppression/addresses[/ADDRESS]
 *   DELETE      /v2/email/suppression/addresses/ADDRESS     goes from the ESP's own list too
 *
 * SES knows BOUNCE and COMPLAINT; what else stops an address here is not shown.
 *
 * Reference  Amazon SES API v2 Reference. */
#include "core/esp/manage.h"

#include "base/macros.h"

#include <stdio.h>

#define CAUSES MANAGE_BOUNCED "|" MANAGE_COMPLAINED

/* -- Identities ---------------------------------------------------------------------------------
 */

static void answer_identities(const struct esp_ask *ask,
                              const struct esp_batch *batch,
                              struct esp_answer *ret)
{
    struct json_writer w;
    (void)batch;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_array(&w, "EmailIdentities");
    for (size_t i = 0; i < ask->sender_count; i++) {
        struct text name = manage_domain(ask->senders[i]);
        if (name.n == 0)
            continue;
        jw_object(&w, NULL);
        jw_text(&w, "IdentityName", name);
        jw_str(&w, "IdentityType", "DOMAIN");
        jw_bool(&w, "SendingEnabled", true);
        jw_str(&w, "VerificationStatus", "SUCCESS");
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
}

static void answer_identity(const struct esp_ask *ask,
                            const struct esp_batch *batch,
                            struct esp_answer *ret)
{
    struct text name = ask->wild[0];
    struct json_writer w;
    char words[ESP_MESSAGE_BYTES];
    (void)batch;
    if (!manage_may_send_as(ask, name)) {
        snprintf(words, sizeof words, "Email identity " TEXT_FMT " does not exist.",
                 TEXT_ARG(text_cut(name, 0, 200)));
        manage_refuse(ask, ESP_NOT_FOUND, words, ret);
        return;
    }
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_str(&w, "IdentityType", text_find(name, '@') < name.n ? "EMAIL_ADDRESS" : "DOMAIN");
    jw_bool(&w, "VerifiedForSendingStatus", true);
    jw_str(&w, "VerificationStatus", "SUCCESS");
    jw_end(&w);
}

/* -- Suppressed ---------------------------------------------------------------------------------
 */

static const char *reason_of(const struct suppression *s)
{
    return s->cause == SUPPRESSION_COMPLAINT ? "COMPLAINT" : "BOUNCE";
}

static bool read_list(struct esp_reading *r)
{
    struct form query = {0};
    bool bounced = false, complained = false;
    if (!manage_query(r, &query))
        return false;
    for (size_t i = 0; i < query.count; i++) {
        bool names = text_eq(query.fields[i].name, TEXT("Reason"));
        bounced |= names && text_eq(query.fields[i].value, TEXT("BOUNCE"));
        complained |= names && text_eq(query.fields[i].value, TEXT("COMPLAINT"));
    }
    manage_list(r,
                bounced == complained ? CAUSES
                : bounced             ? MANAGE_BOUNCED
                                      : MANAGE_COMPLAINED,
                0, (size_t)manage_number(&query, "PageSize", MANAGE_ROWS_MAX, MANAGE_ROWS_MAX));
    r->batch->listing.after = form_value(&query, "NextToken");
    return true;
}

static bool read_one(struct esp_reading *r)
{
    bool good =
        text_eq(r->ask->method, TEXT("DELETE"))
            ? manage_lift(r, r->ask->wild[0], CAUSES) && r->batch->lifts[0].fault == ESP_FINE
            : manage_list_one(r, CAUSES, r->ask->wild[0]);
    return good || r->why->fault != ESP_FINE ||
           esp_refuse(r, ESP_BAD_VALUE, "EmailAddress", "Invalid email address.");
}

static void write_entry(struct json_writer *w, const char *name, const struct suppression *s)
{
    jw_object(w, name);
    jw_text(w, "EmailAddress", s->address);
    jw_int(w, "LastUpdateTime", s->at / TIME_SECOND_MS);
    jw_str(w, "Reason", reason_of(s));
    jw_end(w);
}

static void answer_list(const struct esp_ask *ask,
                        const struct esp_batch *batch,
                        struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_array(&w, "SuppressedDestinationSummaries");
    for (size_t i = 0; i < batch->listing.count; i++)
        write_entry(&w, NULL, &batch->listing.rows[i]);
    jw_end(&w);
    if (batch->listing.next.n > 0)
        jw_text(&w, "NextToken", batch->listing.next);
    jw_end(&w);
}

static void absent(const struct esp_ask *ask, struct esp_answer *ret)
{
    char words[ESP_MESSAGE_BYTES];
    snprintf(words, sizeof words,
             "Email address " TEXT_FMT " does not exist on your suppression list.",
             TEXT_ARG(text_cut(ask->wild[0], 0, 200)));
    manage_refuse(ask, ESP_NOT_FOUND, words, ret);
}

static void answer_one(const struct esp_ask *ask,
                       const struct esp_batch *batch,
                       struct esp_answer *ret)
{
    struct json_writer w;
    if (batch->listing.count == 0) {
        absent(ask, ret);
        return;
    }
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    write_entry(&w, "SuppressedDestination", &batch->listing.rows[0]);
    jw_end(&w);
}

static void answer_delete(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    struct json_writer w;
    if (batch->lifts[0].fault == ESP_NOT_FOUND) {
        absent(ask, ret);
        return;
    }
    if (batch->lifts[0].fault != ESP_FINE) {
        manage_refuse(ask, batch->lifts[0].fault, "Try again later.", ret);
        return;
    }
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_end(&w);
}

#define ADDRESSES "/v2/email/suppression/addresses"

const struct esp_call esp_ses_manages[] = {
    {&esp_ses, "GET", "/v2/email/identities", manage_tell, answer_identities},
    {&esp_ses, "POST", "/v2/email/list-identities", manage_tell, answer_identities},
    {&esp_ses, "GET", "/v2/email/identities/*", manage_tell, answer_identity},
    {&esp_ses, "GET", ADDRESSES, read_list, answer_list},
    {&esp_ses, "GET", ADDRESSES "/*", read_one, answer_one},
    {&esp_ses, "DELETE", ADDRESSES "/*", read_one, answer_delete},
    {0},
};
