/* Brevo, as its documentation tells it.
 *
 *   POST /v3/smtp/email                      the key in api-key; messageVersions; an idempotencyKey
 *                                            in "headers", used before: 400 duplicate_parameter
 *   GET  /v3/smtp/blockedContacts?limit=&offset=   at most 100 a page
 *   DELETE /v3/smtp/blockedContacts/EMAIL
 *   GET  /v3/smtp/statistics/events?email=&event=hardBounces   what was said
 *   events   one object each, with a bearer token
 *
 * A hard bounce or a complaint blocks the contact; mail to it is told as "blocked". */
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"

#include <inttypes.h>

#define PAGE_PRESET 50
#define PAGE_MAX    100

static bool may(struct lab_ask *a)
{
    return text_eq(http_header(a->req, "api-key"), text_of(a->esp->def->password));
}

static void fail(struct lab_ask *a, unsigned status, const char *code, const char *message)
{
    a->status = status;
    jw_object(&a->w, NULL);
    jw_str(&a->w, "code", code);
    jw_str(&a->w, "message", message);
    jw_end(&a->w);
}

static void refuse(struct lab_ask *a, enum lab_refusal why, const char *words)
{
    static const struct {
        unsigned status;
        const char *code;
    } says[] = {
        [LAB_BAD_KEY] = {401, "unauthorized"},
        [LAB_BAD_BODY] = {400, "bad_request"},
        [LAB_BAD_ADDRESS] = {400, "invalid_parameter"},
        [LAB_BAD_SENDER] = {400, "invalid_parameter"},
        [LAB_BAD_MAIL] = {400, "missing_parameter"},
        [LAB_LIMITED] = {429, "too_many_requests"},
        [LAB_DOWN] = {500, "internal_error"},
        [LAB_NO_SUCH] = {404, "document_not_found"},
    };
    if (why == LAB_LIMITED) {
        lab_header(a, "x-sib-ratelimit-remaining", "0");
        lab_header(a, "x-sib-ratelimit-reset", "%" PRId64, lab_seconds_to_reset(a));
    }
    fail(a, says[why].status, says[why].code,
         why == LAB_BAD_SENDER
             ? "Sending has been rejected because the sender you used is not valid. "
               "Validate your sender or authenticate your domain"
             : words);
}

/* -- Mail --------------------------------------------------------------------------------------
 */

static void add_headers(struct lab_ask *a, struct lab_mail *m)
{
    const struct json *headers = json_member(a->doc, "headers"), *value;
    struct api_draft *d = &m->draft;
    void *pos = NULL;
    struct text name;
    d->headers = arena_array(&a->arena, json_count(headers) + 1, sizeof *d->headers);
    while (d->headers && json_next(headers, &pos, &name, &value)) {
        if (text_ieq(name, TEXT("X-Mailin-custom")))
            lab_add_pair(m, TEXT("X-Mailin-custom"), json_string_text(value));
        else if (!text_eq(name, TEXT("idempotencyKey")))
            d->headers[d->header_count++] = (struct api_header){name, json_string_text(value)};
    }
}

static const struct lab_file_names files = {.filename = "name", .content = "content"};

/* One version; false: the request was refused. */
static bool take(struct lab_ask *a, const struct json *to, struct text id)
{
    struct lab_mail m = {.api_id = id};
    struct api_draft *d = &m.draft;
    const struct json *reply = json_member(a->doc, "replyTo");
    d->from = lab_mailbox(json_member(a->doc, "sender"));
    d->subject = lab_string(a->doc, "subject");
    d->text = json_string_text(json_member(a->doc, "textContent"));
    d->html = json_string_text(json_member(a->doc, "htmlContent"));
    if (!lab_is_address(d->from.address)) {
        refuse(a, LAB_BAD_ADDRESS, "valid sender email required");
        return false;
    }
    if (!lab_add_people(a, json_member(to, "to"), &d->to) || d->to.count == 0 ||
        !lab_add_people(a, json_member(to, "cc"), &d->cc) ||
        !lab_add_people(a, json_member(to, "bcc"), &d->bcc) ||
        (reply && !lab_add_mailbox(a, &d->reply_to, lab_mailbox(reply)))) {
        refuse(a, LAB_BAD_ADDRESS, "email is not valid in to");
        return false;
    }
    if (!lab_add_files(a, json_member(a->doc, "attachment"), &files, d) ||
        (d->text.n == 0 && d->html.n == 0)) {
        refuse(a, LAB_BAD_MAIL, "htmlContent or textContent is missing");
        return false;
    }
    add_headers(a, &m);
    return lab_take_or_refuse(a, &m);
}

static void on_send(struct lab_ask *a)
{
    struct text key =
        json_string_text(json_member(json_member(a->doc, "headers"), "idempotencyKey"));
    const struct json *versions = json_member(a->doc, "messageVersions");
    struct text ids[PAGE_MAX];
    size_t n = versions ? json_count(versions) : 1;
    if (lab_known(a->esp, key)) {
        fail(a, 400, "duplicate_parameter", "idempotencyKey was used before");
        return;
    }
    if (n == 0 || n > TIDE_COUNT(ids)) {
        refuse(a, LAB_BAD_MAIL, "messageVersions: want 1 to 100 here");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        ids[i] = text_of(arena_printf(&a->arena, "<" TEXT_FMT "@smtp-relay.mailin.fr>",
                                      TEXT_ARG(lab_new_id(a))));
        if (!take(a, versions ? json_element(versions, i) : a->doc, ids[i]))
            return;
    }
    lab_know(a->esp, key, a->req->body, ids[0]);
    a->status = 201;
    jw_object(&a->w, NULL);
    if (!versions) {
        jw_text(&a->w, "messageId", ids[0]);
    } else {
        jw_array(&a->w, "messageIds");
        for (size_t i = 0; i < n; i++)
            jw_text(&a->w, NULL, ids[i]);
        jw_end(&a->w);
    }
    jw_end(&a->w);
}

/* -- Lists -------------------------------------------------------------------------------------
 */

static void read_list(struct lab_ask *a)
{
    int64_t most = TIDE_MIN(lab_query_int(a, "limit", PAGE_PRESET), PAGE_MAX);
    size_t i = (size_t)lab_query_int(a, "offset", 0);
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_int(&a->w, "count", (int64_t)a->esp->listed_count);
    jw_array(&a->w, "contacts");
    for (; i < a->esp->listed_count && most-- > 0; i++) {
        const struct esp_suppression *s = a->esp->listed[i];
        bool hard = strcmp(s->list, "hardBounce") == 0;
        jw_object(&a->w, NULL);
        jw_text(&a->w, "email", s->address);
        jw_str(&a->w, "senderEmail", "");
        jw_object(&a->w, "reason");
        jw_str(&a->w, "code", s->list);
        jw_str(&a->w, "message",
               hard ? "Contact was hard bounced" : "Contact has flagged the email as spam");
        jw_end(&a->w);
        jw_time(&a->w, "blockedAt", s->at);
        jw_end(&a->w);
    }
    jw_end(&a->w);
    jw_end(&a->w);
}

static void read_events(struct lab_ask *a)
{
    struct text email = http_query(a->req, "email");
    int64_t most = lab_query_int(a, "limit", PAGE_PRESET);
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "events");
    for (size_t i = a->esp->event_count; i-- > 0 && most > 0;) {
        const struct esp_event *v = &a->esp->events[i];
        if (v->kind != ESP_BOUNCE || (email.n > 0 && !text_ieq(email, v->mail->recipient)))
            continue;
        jw_object(&a->w, NULL);
        jw_text(&a->w, "email", v->mail->recipient);
        jw_time(&a->w, "date", v->at);
        jw_text(&a->w, "messageId", v->mail->api_id);
        jw_str(&a->w, "event", lab_is_block(v) ? "softBounces" : "hardBounces");
        jw_text(&a->w, "reason", v->reason);
        jw_end(&a->w);
        most--;
    }
    jw_end(&a->w);
    jw_end(&a->w);
}

static void serve(struct lab_ask *a)
{
    if (lab_is(a, "POST", "/v3/smtp/email")) {
        on_send(a);
    } else if (lab_is(a, "GET", "/v3/smtp/blockedContacts")) {
        read_list(a);
    } else if (lab_is(a, "DELETE", "/v3/smtp/blockedContacts/*")) {
        if (esp_list_remove(a->esp, NULL, a->wild[0]))
            a->status = 204;
    } else if (lab_is(a, "GET", "/v3/smtp/statistics/events")) {
        read_events(a);
    }
}

/* -- Events ------------------------------------------------------------------------------------
 */

static const char *list_of(const struct esp_event *v)
{
    return v->kind == ESP_COMPLAINT ? "contactFlaggedAsSpam"
           : lab_is_block(v)        ? NULL
                                    : "hardBounce";
}

static const char *drop_words(const char *list)
{
    return strcmp(list, "hardBounce") == 0 ? "blocked : due to hard bounce"
                                           : "blocked : due to spam";
}

static bool tell(struct esp *e, const struct esp_event *v, struct lab_post *p)
{
    static const char *const names[] = {"request",     "delivered", "deferred",
                                        "hard_bounce", "blocked",   "spam"};
    struct json_writer *w = &p->w;
    bool soft = v->kind == ESP_BOUNCE && lab_is_block(v);
    jw_object(w, NULL);
    jw_str(w, "event", soft ? "soft_bounce" : names[v->kind]);
    jw_text(w, "email", v->mail->recipient);
    jw_int(w, "id", 23);
    jw_time(w, "date", v->at);
    jw_int(w, "ts", v->at / 1000);
    jw_int(w, "ts_event", v->at / 1000);
    jw_int(w, "ts_epoch", v->at);
    jw_text(w, "message-id", v->mail->api_id.n > 0 ? v->mail->api_id : v->mail->message_id);
    jw_text(w, "subject", v->mail->subject);
    lab_write_pairs(w, v->mail);
    if (v->kind != ESP_PROCESSED && v->kind != ESP_DELIVERED)
        jw_text(w, "reason", v->reason);
    jw_end(w);
    lab_post_header(p, "Authorization", "Bearer %s", e->def->webhook_key);
    return true;
}

const struct lab_api lab_brevo = {
    .name = "brevo",
    .sends = (const char *const[]){"/v3/smtp/email", NULL},
    .may = may,
    .serve = serve,
    .refuse = refuse,
    .list_of = list_of,
    .drop_words = drop_words,
    .tell = tell,
};
