/* SendGrid v3 beside sending.
 *
 *   GET    /v3/scopes                              is the key good, and what for
 *   GET    /v3/suppression/LIST[/EMAIL]            bounces, blocks, spam_reports, unsubscribes;
 *                                                  invalid_emails is empty: mailtide refuses those
 *                                                  by DNS, anew each time
 *   DELETE /v3/suppression/LIST/EMAIL, or {"emails"}
 *   GET, DELETE /v3/asm/suppressions/global/EMAIL  unsubscribed
 *   GET    /v3/stats                               by day; opens and clicks are not counted
 *   GET    /v3/messages/ID                         what became of one mail
 *
 * What is taken off a list here goes from the ESP's own too. All entries at once (delete_all) are
 * refused: too much hangs on it.
 *
 * Reference  SendGrid v3 API reference, "Bounces API" and the like, "Stats". */
#include "core/esp/manage.h"

#include "base/macros.h"

#include <stdio.h>

#define LIMIT_DEFAULT 500
#define DAYS_MAX      366

/* -- Lists --------------------------------------------------------------------------------------
 */

static const struct sendgrid_list {
    const char *name, *causes;
    bool says_why;
} lists[] = {
    {"bounces", MANAGE_BOUNCED, true},          {"blocks", "refused", true},
    {"spam_reports", MANAGE_COMPLAINED, false}, {"unsubscribes", MANAGE_UNSUBSCRIBED, false},
    {"invalid_emails", "none", true},
};

static const struct sendgrid_list *list_of(struct esp_reading *r)
{
    for (size_t i = 0; i < TIDE_COUNT(lists); i++)
        if (text_eq(r->ask->wild[0], text_of(lists[i].name)))
            return &lists[i];
    esp_refuse(r, ESP_NOT_FOUND, "", "There is no such suppression list.");
    return NULL;
}

static bool read_list(struct esp_reading *r)
{
    const struct sendgrid_list *list = list_of(r);
    struct form query = {0};
    if (!list || !manage_query(r, &query))
        return false;
    manage_list(r, list->causes, (size_t)manage_number(&query, "offset", 0, INT32_MAX),
                (size_t)manage_number(&query, "limit", LIMIT_DEFAULT, LIMIT_DEFAULT));
    return true;
}

static bool read_entry(struct esp_reading *r)
{
    const struct sendgrid_list *list = list_of(r);
    return list && (manage_list_one(r, list->causes, r->ask->wild[1]) ||
                    esp_refuse(r, ESP_BAD_VALUE, "email", "invalid email"));
}

static void answer_list(const struct esp_ask *ask,
                        const struct esp_batch *batch,
                        struct esp_answer *ret)
{
    struct json_writer w;
    bool says_why = false;
    for (size_t i = 0; i < TIDE_COUNT(lists); i++)
        says_why |= lists[i].says_why && text_eq(ask->wild[0], text_of(lists[i].name));
    manage_json(ret, 200, &w);
    jw_array(&w, NULL);
    for (size_t i = 0; i < batch->listing.count; i++) {
        const struct suppression *s = &batch->listing.rows[i];
        jw_object(&w, NULL);
        jw_int(&w, "created", s->at / TIME_SECOND_MS);
        jw_text(&w, "email", s->address);
        if (says_why) {
            jw_text(&w, "reason", s->evidence);
            jw_str(&w, "status", "");
        }
        jw_end(&w);
    }
    jw_end(&w);
}

static bool read_delete(struct esp_reading *r)
{
    const struct sendgrid_list *list = list_of(r);
    if (!list)
        return false;
    if (r->ask->wild[1].n > 0)
        return manage_lift(r, r->ask->wild[1], list->causes);
    bool all = false;
    if (!esp_json(r))
        return false;
    const struct json *emails = json_member(r->batch->doc, "emails");
    if (json_bool(json_member(r->batch->doc, "delete_all"), &all) && all)
        return esp_refuse(
            r, ESP_BAD_VALUE, "delete_all",
            "mailtide takes addresses off the list by name only: give them in emails.");
    if (json_kind(emails) != JSON_KIND_ARRAY || json_count(emails) == 0)
        return esp_refuse(r, ESP_MISSING, "emails", "emails wants an array of addresses");
    for (size_t i = 0; i < json_count(emails); i++)
        if (!manage_lift(r, json_string_text(json_element(emails, i)), list->causes))
            return false;
    return true;
}

static void answer_delete(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    enum esp_fault fault = manage_lift_fault(batch);
    bool none = batch->lift_count == 1 && batch->lifts[0].fault == ESP_NOT_FOUND;
    if (fault != ESP_FINE)
        manage_refuse(ask, fault, "invalid email", ret);
    else if (none)
        manage_refuse(ask, ESP_NOT_FOUND, "email not found", ret);
    else
        ret->status = 204;
}

/* -- Unsubscribed from all ----------------------------------------------------------------------
 */

static bool read_global(struct esp_reading *r)
{
    if (text_eq(r->ask->method, TEXT("DELETE")))
        return manage_lift(r, r->ask->wild[0], MANAGE_UNSUBSCRIBED);
    return manage_list_one(r, MANAGE_UNSUBSCRIBED, r->ask->wild[0]) ||
           esp_refuse(r, ESP_BAD_VALUE, "email", "invalid email");
}

static void answer_global(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    struct json_writer w;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    if (batch->listing.count > 0)
        jw_text(&w, "recipient_email", batch->listing.rows[0].address);
    jw_end(&w);
}

/* -- The key ------------------------------------------------------------------------------------
 */

static void answer_scopes(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    static const char *const scopes[] = {"mail.send", "messages.read", "stats.read",
                                         "suppression.read", "suppression.delete"};
    struct json_writer w;
    (void)ask;
    (void)batch;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_array(&w, "scopes");
    for (size_t i = 0; i < TIDE_COUNT(scopes); i++)
        jw_str(&w, NULL, scopes[i]);
    jw_end(&w);
    jw_end(&w);
}

/* -- Counts -------------------------------------------------------------------------------------
 */

static bool read_day(struct esp_reading *r,
                     const struct form *f,
                     const char *name,
                     tide_wall_ms *ret)
{
    struct text day = form_value(f, name);
    const char *at = arena_printf(r->arena, TEXT_FMT "T00:00:00Z", TEXT_ARG(text_cut(day, 0, 20)));
    if (!at)
        return esp_no_memory(r);
    return day.n == 0 || time_parse_rfc3339(text_of(at), ret, NULL) == TIDE_OK ||
           esp_refuse(r, ESP_BAD_VALUE, name, "%s must be a date as YYYY-MM-DD", name);
}

static bool read_stats(struct esp_reading *r)
{
    struct form query = {0};
    tide_wall_ms first = 0, last = r->ask->now;
    if (!manage_query(r, &query) || !read_day(r, &query, "start_date", &first) ||
        !read_day(r, &query, "end_date", &last))
        return false;
    if (first == 0)
        return esp_refuse(r, ESP_MISSING, "start_date", "start_date is required");
    last = TIDE_MIN(last, r->ask->now) / TIME_DAY_MS * TIME_DAY_MS;
    if (last < first || last - first > DAYS_MAX * TIME_DAY_MS)
        return esp_refuse(r, ESP_BAD_VALUE, "end_date",
                          "want an end_date behind start_date and at most %d days", DAYS_MAX);
    r->batch->does = ESP_TALLIES;
    r->batch->tallies =
        (struct esp_tallies){.from = first, .until = last + TIME_DAY_MS, .step_ms = TIME_DAY_MS};
    return true;
}

static void answer_stats(const struct esp_ask *ask,
                         const struct esp_batch *batch,
                         struct esp_answer *ret)
{
    const struct esp_tallies *all = &batch->tallies;
    struct json_writer w;
    char at[TIME_TEXT_BYTES];
    size_t next = 0;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_array(&w, NULL);
    for (tide_wall_ms day = all->from; day < all->until; day += TIME_DAY_MS) {
        bool there = next < all->count && all->rows[next].from == day;
        const struct notification_tally t =
            there ? all->rows[next++] : (struct notification_tally){0};
        int64_t requests = 0;
        for (size_t k = 0; k < TIDE_COUNT(t.states); k++)
            requests += t.states[k];
        jw_object(&w, NULL);
        jw_text(&w, "date", text_cut(text_of(time_rfc3339(day, 0, at)), 0, 10));
        jw_array(&w, "stats");
        jw_object(&w, NULL);
        jw_object(&w, "metrics");
        jw_int(&w, "requests", requests);
        jw_int(&w, "processed", manage_left(&t));
        jw_int(&w, "delivered", manage_arrived(&t));
        jw_int(&w, "bounces", t.states[NOTIFICATION_BOUNCED]);
        jw_int(&w, "bounce_drops", t.states[NOTIFICATION_REFUSED]);
        jw_int(&w, "spam_reports", t.states[NOTIFICATION_COMPLAINED]);
        jw_end(&w);
        jw_end(&w);
        jw_end(&w);
        jw_end(&w);
    }
    jw_end(&w);
}

/* -- One mail -----------------------------------------------------------------------------------
 */

static bool read_message(struct esp_reading *r)
{
    r->batch->does = ESP_SHOWS; /* in events what follows X-Message-Id stands behind a dot */
    struct text id = text_cut(r->ask->wild[0], 0, text_find(r->ask->wild[0], '.'));
    return id_parse(id, &r->batch->shown, NULL) == TIDE_OK ||
           esp_refuse(r, ESP_NOT_FOUND, "", "message not found");
}

static void answer_message(const struct esp_ask *ask,
                           const struct esp_batch *batch,
                           struct esp_answer *ret)
{
    const struct notification *n = batch->notification;
    struct json_writer w;
    bool arrived = n->state == NOTIFICATION_DELIVERED || n->state == NOTIFICATION_COMPLAINED;
    bool open = notification_is_pending(n->state) || n->state == NOTIFICATION_SENT;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_text(&w, "from_email", n->identity);
    jw_id(&w, "msg_id", n->id);
    jw_text(&w, "subject", n->subject);
    jw_text(&w, "to_email", n->recipient);
    jw_str(&w, "status", arrived ? "delivered" : open ? "processed" : "not_delivered");
    jw_array(&w, "events");
    jw_end(&w);
    jw_end(&w);
}

const struct esp_call esp_sendgrid_manages[] = {
    {&esp_sendgrid, "GET", "/v3/scopes", manage_tell, answer_scopes},
    {&esp_sendgrid, "GET", "/v3/suppression/*", read_list, answer_list},
    {&esp_sendgrid, "DELETE", "/v3/suppression/*", read_delete, answer_delete},
    {&esp_sendgrid, "GET", "/v3/suppression/*/*", read_entry, answer_list},
    {&esp_sendgrid, "DELETE", "/v3/suppression/*/*", read_delete, answer_delete},
    {&esp_sendgrid, "GET", "/v3/asm/suppressions/global/*", read_global, answer_global},
    {&esp_sendgrid, "DELETE", "/v3/asm/suppressions/global/*", read_global, answer_delete},
    {&esp_sendgrid, "GET", "/v3/stats", read_stats, answer_stats},
    {&esp_sendgrid, "GET", "/v3/messages/*", read_message, answer_message},
    {0},
};
