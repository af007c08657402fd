/* Postmark beside sending.
 *
 *   GET  /server                                    is the token good; the application's name
 *   GET  /deliverystats, /stats/outbound            what became of the mails of the last 45 days
 *   GET  /messages/outbound/ID/details              one of them
 *   GET  /message-streams/ID/suppressions/dump      those of all streams
 *   POST /message-streams/ID/suppressions/delete    goes from the ESP's own list too; a complaint
 *                                                   is not deleted, as there
 *
 * Reference  Postmark developer documentation, "Server", "Stats", "Messages", "Suppressions". */
#include "core/esp/manage.h"

#include "base/macros.h"

#include <stdio.h>

#define DAYS 45 /* that Postmark keeps */

/* "2026-11-21T10:00:00.0000000+00:00", as .NET writes them */
static void write_time(struct json_writer *w, const char *name, tide_wall_ms t)
{
    char at[TIME_TEXT_BYTES];
    time_rfc3339(t, 0, at);
    snprintf(at + 23, sizeof at - 23, "0000+00:00");
    jw_str(w, name, at);
}

static void answer_server(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    struct json_writer w;
    (void)batch;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_int(&w, "ID", 1);
    jw_text(&w, "Name", ask->application);
    jw_array(&w, "ApiTokens");
    jw_end(&w);
    jw_str(&w, "Color", "blue");
    jw_bool(&w, "SmtpApiActivated", true);
    jw_bool(&w, "RawEmailEnabled", false);
    jw_str(&w, "DeliveryType", "Live");
    jw_bool(&w, "TrackOpens", false);
    jw_str(&w, "TrackLinks", "None");
    jw_end(&w);
}

/* -- Counts -------------------------------------------------------------------------------------
 */

static bool read_stats(struct esp_reading *r)
{
    r->batch->does = ESP_TALLIES;
    r->batch->tallies =
        (struct esp_tallies){.from = r->ask->now - DAYS * TIME_DAY_MS, .until = r->ask->now + 1};
    return true;
}

static void write_bounces(struct json_writer *w, const char *name, const char *type, int64_t count)
{
    jw_object(w, NULL);
    if (type)
        jw_str(w, "Type", type);
    jw_str(w, "Name", name);
    jw_int(w, "Count", count);
    jw_end(w);
}

static void answer_delivery(const struct esp_ask *ask,
                            const struct esp_batch *batch,
                            struct esp_answer *ret)
{
    const struct notification_tally sum = manage_sum(&batch->tallies);
    int64_t bounced = sum.states[NOTIFICATION_BOUNCED],
            complained = sum.states[NOTIFICATION_COMPLAINED];
    struct json_writer w;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_int(&w, "InactiveMails", sum.states[NOTIFICATION_REFUSED]);
    jw_array(&w, "Bounces");
    write_bounces(&w, "All", NULL, bounced + complained);
    write_bounces(&w, "Hard bounce", "HardBounce", bounced);
    write_bounces(&w, "Spam complaint", "SpamComplaint", complained);
    jw_end(&w);
    jw_end(&w);
}

static void answer_stats(const struct esp_ask *ask,
                         const struct esp_batch *batch,
                         struct esp_answer *ret)
{
    const struct notification_tally sum = manage_sum(&batch->tallies);
    int64_t sent = manage_left(&sum);
    struct json_writer w;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_int(&w, "Sent", sent);
    jw_int(&w, "Bounced", sum.states[NOTIFICATION_BOUNCED]);
    jw_int(&w, "SpamComplaints", sum.states[NOTIFICATION_COMPLAINED]);
    jw_number(&w, "BounceRate",
              sent > 0 ? 100.0 * (double)sum.states[NOTIFICATION_BOUNCED] / (double)sent : 0);
    jw_number(&w, "SpamComplaintsRate",
              sent > 0 ? 100.0 * (double)sum.states[NOTIFICATION_COMPLAINED] / (double)sent : 0);
    jw_end(&w);
}

/* -- One mail -----------------------------------------------------------------------------------
 */

static bool read_message(struct esp_reading *r)
{
    r->batch->does = ESP_SHOWS;
    r->batch->shown = esp_uuid_id(r->ask->wild[0]);
    return r->batch->shown != 0 ||
           esp_refuse(r, ESP_NOT_FOUND, "", "The message you requested was not found.");
}

static const char *status_of(enum notification_state s)
{
    return s == NOTIFICATION_ACCEPTED || s == NOTIFICATION_HELD || s == NOTIFICATION_RELEASING
               ? "Queued"
           : s == NOTIFICATION_REFUSED || s == NOTIFICATION_EXPIRED || s == NOTIFICATION_CANCELLED
               ? "Unsent"
               : "Sent";
}

static void write_event(struct json_writer *w, const struct notification *n)
{
    const char *type = n->state == NOTIFICATION_DELIVERED || n->state == NOTIFICATION_COMPLAINED
                           ? "Delivered"
                       : n->state == NOTIFICATION_BOUNCED ? "Bounced"
                                                          : NULL;
    jw_array(w, "MessageEvents");
    if (type) {
        jw_object(w, NULL);
        jw_text(w, "Recipient", n->recipient);
        jw_str(w, "Type", type);
        write_time(w, "ReceivedAt", n->changed_at);
        jw_object(w, "Details");
        jw_text(w, n->state == NOTIFICATION_BOUNCED ? "Summary" : "DeliveryMessage", n->reason);
        jw_end(w);
        jw_end(w);
    }
    jw_end(w);
}

static void answer_message(const struct esp_ask *ask,
                           const struct esp_batch *batch,
                           struct esp_answer *ret)
{
    static const char *const lists[] = {"Cc", "Bcc", "Attachments"};
    const struct notification *n = batch->notification;
    char id[ESP_UUID_BYTES];
    struct json_writer w;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_str(&w, "MessageID", esp_uuid(n->id, id));
    jw_array(&w, "To");
    jw_object(&w, NULL);
    jw_text(&w, "Email", n->recipient);
    jw_null(&w, "Name");
    jw_end(&w);
    jw_end(&w);
    jw_array(&w, "Recipients");
    jw_text(&w, NULL, n->recipient);
    jw_end(&w);
    for (size_t i = 0; i < TIDE_COUNT(lists); i++) {
        jw_array(&w, lists[i]);
        jw_end(&w);
    }
    write_time(&w, "ReceivedAt", n->accepted_at);
    jw_text(&w, "From", n->identity);
    jw_text(&w, "Subject", n->subject);
    jw_str(&w, "Status", status_of(n->state));
    jw_text(&w, "MessageStream", n->stream);
    jw_json(&w, "Metadata", n->metadata.n > 0 ? n->metadata : TEXT("{}"));
    write_event(&w, n);
    jw_end(&w);
}

/* -- Suppressions -------------------------------------------------------------------------------
 */

static bool read_dump(struct esp_reading *r)
{
    struct form query = {0};
    if (!manage_query(r, &query))
        return false;
    struct text reason = form_value(&query, "SuppressionReason"),
                address = form_value(&query, "EmailAddress");
    const char *causes = text_ieq(reason, TEXT("HardBounce"))      ? "invalid|disabled|full|refused"
                         : text_ieq(reason, TEXT("SpamComplaint")) ? MANAGE_COMPLAINED
                         : text_ieq(reason, TEXT("ManualSuppression")) ? "manual|unsubscribed"
                                                                       : "";
    manage_list(r, causes, 0, MANAGE_ROWS_MAX);
    r->batch->listing.recipient = address.p ? address : TEXT("");
    return address.n == 0 || esp_is_address(address) ||
           esp_refuse(r, ESP_BAD_ADDRESS, "EmailAddress", "Invalid 'EmailAddress'.");
}

static void answer_dump(const struct esp_ask *ask,
                        const struct esp_batch *batch,
                        struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_array(&w, "Suppressions");
    for (size_t i = 0; i < batch->listing.count; i++) {
        const struct suppression *s = &batch->listing.rows[i];
        bool by_hand = s->cause == SUPPRESSION_MANUAL || s->cause == SUPPRESSION_UNSUBSCRIBED;
        jw_object(&w, NULL);
        jw_text(&w, "EmailAddress", s->address);
        jw_str(&w, "SuppressionReason",
               by_hand                             ? "ManualSuppression"
               : s->cause == SUPPRESSION_COMPLAINT ? "SpamComplaint"
                                                   : "HardBounce");
        jw_str(&w, "Origin", s->cause == SUPPRESSION_MANUAL ? "Customer" : "Recipient");
        write_time(&w, "CreatedAt", s->at);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
}

static bool read_delete(struct esp_reading *r)
{
    if (!esp_json(r))
        return false;
    const struct json *list = json_member(r->batch->doc, "Suppressions");
    if (json_kind(list) != JSON_KIND_ARRAY || json_count(list) == 0)
        return esp_refuse(r, ESP_BAD_BODY, "", "want Suppressions");
    for (size_t i = 0; i < json_count(list); i++)
        if (!manage_lift(r, esp_string(json_element(list, i), "EmailAddress"),
                         "invalid|disabled|full|refused|manual|unsubscribed"))
            return false;
    return true;
}

static void answer_delete(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_array(&w, "Suppressions");
    for (size_t i = 0; i < batch->lift_count; i++) {
        const struct esp_lift *l = &batch->lifts[i];
        bool gone = l->fault == ESP_FINE || l->fault == ESP_NOT_FOUND;
        jw_object(&w, NULL);
        jw_text(&w, "EmailAddress", l->address);
        jw_str(&w, "Status", gone ? "Deleted" : "Failed");
        jw_str(&w, "Message",
               gone                          ? NULL
               : l->fault == ESP_BAD_ADDRESS ? "An invalid email address was provided."
               : l->fault == ESP_TOO_LATE
                   ? "You do not have the required authority to change this suppression."
                   : "Try again later.");
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
}

const struct esp_call esp_postmark_manages[] = {
    {&esp_postmark, "GET", "/server", manage_tell, answer_server},
    {&esp_postmark, "GET", "/deliverystats", read_stats, answer_delivery},
    {&esp_postmark, "GET", "/stats/outbound", read_stats, answer_stats},
    {&esp_postmark, "GET", "/messages/outbound/*/details", read_message, answer_message},
    {&esp_postmark, "GET", "/message-streams/*/suppressions/dump", read_dump, answer_dump},
    {&esp_postmark, "POST", "/message-streams/*/suppressions/delete", read_delete, answer_delete},
    {0},
};
