/* Mailgun beside sending.
 *
 *   GET /v3/domains, /v3/domains/NAME (and /v2, /v4)  the application's `senders`
 *   GET, DELETE /v3/DOMAIN/LIST[/ADDRESS]        bounces, complaints, unsubscribes: those of all
 *                                                domains, which mailtide does not tell apart
 *
 * What is taken off a list here goes from the ESP's own too. Pages go forwards only.
 *
 * Reference  Mailgun API reference, "Domains" and "Suppressions". */
#include "core/esp/manage.h"

#include "base/macros.h"

#include <stdio.h>

#define LIMIT_DEFAULT 100
#define BEHIND        " ~" /* as a cursor: after all entries of an address */

/* -- Domains ------------------------------------------------------------------------------------
 */

static void write_domain(struct json_writer *w, const char *member, struct text name)
{
    jw_object(w, member);
    jw_text(w, "name", name);
    jw_str(w, "state", "active");
    jw_str(w, "type", "custom");
    jw_bool(w, "is_disabled", false);
    jw_bool(w, "wildcard", false);
    jw_end(w);
}

static void answer_domains(const struct esp_ask *ask,
                           const struct esp_batch *batch,
                           struct esp_answer *ret)
{
    struct json_writer w;
    int64_t count = 0;
    (void)batch;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_array(&w, "items");
    for (size_t i = 0; i < ask->sender_count; i++) {
        struct text name = manage_domain(ask->senders[i]);
        if (name.n == 0)
            continue;
        write_domain(&w, NULL, name);
        count++;
    }
    jw_end(&w);
    jw_int(&w, "total_count", count);
    jw_end(&w);
}

static void answer_domain(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    static const char *const records[] = {"receiving_dns_records", "sending_dns_records"};
    struct json_writer w;
    (void)batch;
    if (!manage_may_send_as(ask, ask->wild[0])) {
        manage_refuse(ask, ESP_NOT_FOUND, "Domain not found", ret);
        return;
    }
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    write_domain(&w, "domain", ask->wild[0]);
    for (size_t i = 0; i < TIDE_COUNT(records); i++) {
        jw_array(&w, records[i]);
        jw_end(&w);
    }
    jw_end(&w);
}

/* -- Lists --------------------------------------------------------------------------------------
 */

static const struct mailgun_list {
    const char *name, *causes, *gone, *absent;
} lists[] = {
    {"bounces", MANAGE_BOUNCED "|refused", "Bounced address has been removed",
     "Address not found in bounces table"},
    {"complaints", MANAGE_COMPLAINED, "Spam complaint has been removed",
     "No spam complaints found for this address"},
    {"unsubscribes", MANAGE_UNSUBSCRIBED, "Unsubscribe event has been removed",
     "Address not found in unsubscribers table"},
};

/* By the path's third segment. */
static const struct mailgun_list *list_of(const struct esp_ask *ask)
{
    struct text rest = ask->path, name;
    for (int i = 0; i < 4; i++)
        (void)text_split(&rest, '/', &name);
    for (size_t i = 0; i < TIDE_COUNT(lists); i++)
        if (text_eq(name, text_of(lists[i].name)))
            return &lists[i];
    return &lists[0];
}

static bool check_domain(struct esp_reading *r)
{
    return manage_may_send_as(r->ask, r->ask->wild[0]) ||
           esp_refuse(r, ESP_NOT_FOUND, "", "Domain not found: " TEXT_FMT,
                      TEXT_ARG(text_cut(r->ask->wild[0], 0, 200)));
}

static bool read_list(struct esp_reading *r)
{
    struct form query = {0};
    if (!check_domain(r) || !manage_query(r, &query))
        return false;
    manage_list(r, list_of(r->ask)->causes, 0,
                (size_t)manage_number(&query, "limit", LIMIT_DEFAULT, MANAGE_ROWS_MAX));
    if (r->batch->listing.most == 0)
        r->batch->listing.most = LIMIT_DEFAULT;
    r->batch->listing.after = form_value(&query, "address");
    return true;
}

static bool read_entry(struct esp_reading *r)
{
    if (!check_domain(r))
        return false;
    if (text_eq(r->ask->method, TEXT("DELETE")))
        return manage_lift(r, r->ask->wild[1], list_of(r->ask)->causes);
    return manage_list_one(r, list_of(r->ask)->causes, r->ask->wild[1]) ||
           esp_refuse(r, ESP_NOT_FOUND, "", "%s", list_of(r->ask)->absent);
}

/* "Fri, 21 Oct 2011 11:02:55 UTC" */
static void write_entry(struct json_writer *w, const struct suppression *s)
{
    char at[TIME_TEXT_BYTES], text[TIME_TEXT_BYTES + 8];
    time_rfc5322(s->at, 0, at);
    snprintf(text, sizeof text, "%.*s UTC", (int)(strlen(at) - strlen(" +0000")), at);
    jw_object(w, NULL);
    jw_text(w, "address", s->address);
    if (s->cause == SUPPRESSION_UNSUBSCRIBED) {
        jw_array(w, "tags");
        jw_str(w, NULL, "*");
        jw_end(w);
    } else if (s->cause != SUPPRESSION_COMPLAINT) {
        jw_str(w, "code", "550");
        jw_text(w, "error", s->evidence);
    }
    jw_str(w, "created_at", text);
    jw_end(w);
}

static void write_page(struct json_writer *w,
                       const struct esp_ask *ask,
                       const char *name,
                       const struct esp_listing *listing,
                       struct text after)
{
    struct buf url = {0};
    buf_addf(&url, "%s://" TEXT_FMT TEXT_FMT "?page=%s&limit=%zu", ask->https ? "https" : "http",
             TEXT_ARG(ask->host), TEXT_ARG(ask->path), name, listing->most);
    if (after.n > 0) {
        buf_adds(&url, "&address=");
        buf_add_escaped(&url, after, "");
    }
    jw_text(w, name, buf_text(&url));
    buf_fini(&url);
}

static void answer_list(const struct esp_ask *ask,
                        const struct esp_batch *batch,
                        struct esp_answer *ret)
{
    const struct esp_listing *l = &batch->listing;
    /* behind the last page there is an empty one, by which clients know the end */
    struct text last = l->count > 0 ? l->rows[l->count - 1].address : l->after;
    struct json_writer w;
    struct buf end = {0};
    buf_addf(&end, TEXT_FMT "%s", TEXT_ARG(last), l->count > 0 ? BEHIND : "");
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_array(&w, "items");
    for (size_t i = 0; i < l->count; i++)
        write_entry(&w, &l->rows[i]);
    jw_end(&w);
    jw_object(&w, "paging");
    write_page(&w, ask, "first", l, TEXT(""));
    write_page(&w, ask, "next", l, l->next.n > 0 ? l->next : buf_text(&end));
    write_page(&w, ask, "previous", l, TEXT(""));
    write_page(&w, ask, "last", l, buf_text(&end));
    jw_end(&w);
    jw_end(&w);
    buf_fini(&end);
}

static void answer_entry(const struct esp_ask *ask,
                         const struct esp_batch *batch,
                         struct esp_answer *ret)
{
    struct json_writer w;
    if (batch->listing.count == 0) {
        manage_refuse(ask, ESP_NOT_FOUND, list_of(ask)->absent, ret);
        return;
    }
    manage_json(ret, 200, &w);
    write_entry(&w, &batch->listing.rows[0]);
}

static void answer_delete(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    struct json_writer w;
    enum esp_fault fault = batch->lifts[0].fault;
    if (fault != ESP_FINE) {
        bool absent = fault == ESP_NOT_FOUND || fault == ESP_BAD_ADDRESS;
        manage_refuse(ask, absent ? ESP_NOT_FOUND : fault,
                      absent ? list_of(ask)->absent : "Try again later.", ret);
        return;
    }
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_str(&w, "message", list_of(ask)->gone);
    jw_text(&w, "address", batch->lifts[0].address);
    jw_end(&w);
}

const struct esp_call esp_mailgun_manages[] = {
    {&esp_mailgun, "GET", "/v3/domains", manage_tell, answer_domains},
    {&esp_mailgun, "GET", "/v4/domains", manage_tell, answer_domains},
    {&esp_mailgun, "GET", "/v2/domains", manage_tell, answer_domains},
    {&esp_mailgun, "GET", "/v3/domains/*", manage_tell, answer_domain},
    {&esp_mailgun, "GET", "/v4/domains/*", manage_tell, answer_domain},
    {&esp_mailgun, "GET", "/v3/*/bounces", read_list, answer_list},
    {&esp_mailgun, "GET", "/v3/*/complaints", read_list, answer_list},
    {&esp_mailgun, "GET", "/v3/*/unsubscribes", read_list, answer_list},
    {&esp_mailgun, "GET", "/v3/*/bounces/*", read_entry, answer_entry},
    {&esp_mailgun, "GET", "/v3/*/complaints/*", read_entry, answer_entry},
    {&esp_mailgun, "GET", "/v3/*/unsubscribes/*", read_entry, answer_entry},
    {&esp_mailgun, "DELETE", "/v3/*/bounces/*", read_entry, answer_delete},
    {&esp_mailgun, "DELETE", "/v3/*/complaints/*", read_entry, answer_delete},
    {&esp_mailgun, "DELETE", "/v3/*/unsubscribes/*", read_entry, answer_delete},
    {0},
};
