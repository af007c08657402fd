/* The ESP's HTTP door:
 *
 *   POST /send               {"from":.., "to":.. or [..], "subject":.., "text":.., "html":..} or
 *                            {"from":.., "to":.., "raw":..}; Authorization: Bearer PASSWORD
 *   GET /events?after=N      [{"n":..,"at":..,"event":"bounce","id":..,"recipient":..,"reason":..}]
 *   GET /suppressions        [{"recipient":..,"at":..,"reason":..}]
 */
#include "cmd/mailtide-lab/esp_inside.h"

#include "base/macros.h"
#include "core/digest/message.h"
#include "core/proto/json.h"

#include <inttypes.h>
#include <stdio.h>

#define BODY_BYTES_MAX (30u << 20)
#define RECIPIENTS_MAX 1000

/* -- What is told ------------------------------------------------------------------------------
 */

void esp_write_event(const struct esp *e, size_t i, struct json_writer *w)
{
    const struct esp_event *v = &e->events[i];
    jw_object(w, NULL);
    jw_int(w, "n", (int64_t)i + 1);
    jw_time(w, "at", v->at);
    jw_str(w, "esp", e->def->name);
    jw_str(w, "event", esp_event_name(v->kind));
    jw_int(w, "id", v->id);
    jw_text(w, "recipient", v->recipient);
    jw_text(w, "reason", v->reason);
    jw_end(w);
}

void esp_write_events(const struct esp *e, int64_t after, struct json_writer *w, const char *name)
{
    jw_array(w, name);
    for (size_t i = after > 0 ? (size_t)after : 0; i < e->event_count; i++)
        esp_write_event(e, i, w);
    jw_end(w);
}

void esp_write_suppressions(const struct esp *e, struct json_writer *w, const char *name)
{
    uint32_t pos = 0;
    jw_array(w, name);
    for (const struct esp_suppression *s; (s = strmap_next(&e->suppressions, &pos, NULL));) {
        jw_object(w, NULL);
        jw_text(w, "recipient", s->address);
        jw_time(w, "at", s->at);
        jw_str(w, "esp", e->def->name);
        jw_text(w, "reason", s->reason);
        jw_end(w);
    }
    jw_end(w);
}

static int64_t length_of(const struct list *l)
{
    int64_t n = 0;
    LIST_EACH(node, l)
    n++;
    return n;
}

void esp_write_books(const struct esp *e, struct json_writer *w, const char *name)
{
    jw_object(w, name);
    jw_str(w, "name", e->def->name);
    for (int k = 0; k < ESP_EVENT_KINDS; k++)
        jw_int(w, esp_event_name((enum esp_event_kind)k), e->counts[k]);
    jw_int(w, "suppressed", e->suppressions.count);
    jw_int(w, "under_way", length_of(&e->flying));
    jw_int(w, "waiting", length_of(&e->waiting));
    jw_int(w, "hanging", length_of(&e->hung));
    meters_write(&e->meters, w, "limits");
    jw_end(w);
}

static void reply_with(struct http_request *req, unsigned status, struct buf *b)
{
    buf_addc(b, '\n');
    if (b->failed != TIDE_OK)
        http_reply_error(req, 503, "no_memory", "Out of memory.");
    else
        http_reply(req, status, "application/json", buf_text(b), NULL, 0);
    buf_fini(b);
}

/* -- What is taken -----------------------------------------------------------------------------
 */

struct send {
    struct esp *esp;
    struct http_request *req;
    struct json *doc;
    struct text from, to[RECIPIENTS_MAX];
    size_t to_count;
    struct buf message;
};

static bool read_recipients(struct send *s)
{
    const struct json *to = json_member(s->doc, "to");
    size_t count = json_kind(to) == JSON_KIND_ARRAY ? json_count(to) : to ? 1 : 0;
    if (count == 0 || count > RECIPIENTS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct json *one = json_kind(to) == JSON_KIND_ARRAY ? json_element(to, i) : to;
        s->to[i] = json_string_text(one);
        if (text_find(s->to[i], '@') == s->to[i].n)
            return false;
    }
    s->to_count = count;
    return true;
}

static enum tide_err put_head(struct send *s, struct tide_error *err)
{
    char date[TIME_TEXT_BYTES], id[64];
    const struct mailbox from = {.name = TEXT(""), .address = s->from};
    struct esp *e = s->esp;
    time_rfc5322(clock_wall(e->parts.clock), 0, date);
    snprintf(id, sizeof id, "<%" PRId64 "@lab.example>", e->last_id + 1);
    enum tide_err rc = message_put_mailbox(&s->message, TEXT("From"), &from, err);
    for (size_t i = 0; i < s->to_count && rc == TIDE_OK; i++) {
        const struct mailbox to = {.name = TEXT(""), .address = s->to[i]};
        if (i == 0) /* the others are blind copies: one header is enough to look at */
            rc = message_put_mailbox(&s->message, TEXT("To"), &to, err);
    }
    if (rc == TIDE_OK)
        rc = message_put_header(&s->message, TEXT("Subject"),
                                json_string_text(json_member(s->doc, "subject")), err);
    if (rc == TIDE_OK)
        rc = message_put_structured(&s->message, TEXT("Date"), text_of(date), err);
    if (rc == TIDE_OK)
        rc = message_put_structured(&s->message, TEXT("Message-ID"), text_of(id), err);
    return rc;
}

static enum tide_err make_message(struct send *s, struct tide_error *err)
{
    struct text raw = json_string_text(json_member(s->doc, "raw"));
    struct text text = json_string_text(json_member(s->doc, "text"));
    struct text html = json_string_text(json_member(s->doc, "html"));
    if (raw.n > 0)
        return message_normalise(raw, &s->message, err);
    enum tide_err rc = put_head(s, err);
    if (rc != TIDE_OK)
        return rc;
    buf_addf(&s->message,
             "MIME-Version: 1.0\r\nContent-Type: text/%s; charset=utf-8\r\n"
             "Content-Transfer-Encoding: 8bit\r\n\r\n",
             text.n > 0 || html.n == 0 ? "plain" : "html");
    buf_add_text(&s->message, text.n > 0 || html.n == 0 ? text : html);
    buf_adds(&s->message, "\r\n");
    return buf_check(&s->message, err);
}

static const struct lab_limit *ask_limits(struct send *s)
{
    struct esp *e = s->esp;
    tide_wall_ms now = clock_wall(e->parts.clock);
    const struct lab_limit *limit = NULL;
    struct meter_subject who = {.ip = meter_ip(text_of(s->req->peer)), .sender = s->from};
    limit = meters_ask(&e->meters, LAB_MAIL, &who, now);
    for (size_t i = 0; i < s->to_count && !limit; i++) {
        who.mailbox = s->to[i];
        limit = meters_ask(&e->meters, LAB_RCPT, &who, now);
        if (!limit)
            limit = meters_ask(&e->meters, LAB_DATA, &who, now);
        if (!limit)
            limit = meters_take(&e->meters, &who, now);
    }
    return limit;
}

static void submit_all(struct send *s)
{
    struct buf b = {0};
    struct json_writer w;
    struct tide_error err = {0};
    enum tide_err rc = make_message(s, &err);
    const struct lab_limit *limit = rc == TIDE_OK ? ask_limits(s) : NULL;
    if (rc != TIDE_OK) {
        http_reply_error(s->req, 400, "bad_message", err.text);
        return;
    }
    if (limit) {
        http_reply_error(s->req, 429, "too_many", limit->reply.text);
        return;
    }
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_array(&w, "ids");
    for (size_t i = 0; i < s->to_count && rc == TIDE_OK; i++) {
        int64_t id = 0;
        rc = esp_submit(s->esp, s->from, s->to[i], buf_text(&s->message), &id, &err);
        jw_int(&w, NULL, id);
    }
    jw_end(&w);
    jw_end(&w);
    if (rc != TIDE_OK)
        b.failed = rc;
    reply_with(s->req, 202, &b);
}

static void on_send(struct esp *e, struct http_request *req)
{
    struct send s = {.esp = e, .req = req};
    struct tide_error err = {0};
    struct text given = http_header(req, "Authorization");
    char want[512];
    snprintf(want, sizeof want, "Bearer %s", e->def->password);
    if (!text_eq(given, text_of(want))) {
        http_reply_error(req, 401, "unauthorized", "Want Authorization: Bearer and the password.");
        return;
    }
    if (json_parse(req->body, BODY_BYTES_MAX, &s.doc, &err) != TIDE_OK) {
        http_reply_error(req, 400, "bad_json", err.text);
        return;
    }
    s.from = json_string_text(json_member(s.doc, "from"));
    if (!read_recipients(&s) || text_find(s.from, '@') == s.from.n)
        http_reply_error(req, 400, "bad_address",
                         "Want from, and to: an address or a list of them.");
    else
        submit_all(&s);
    buf_fini(&s.message);
    json_free(s.doc);
}

static void on_request(void *arg, struct http_request *req)
{
    struct esp *e = arg;
    struct buf b = {0};
    struct json_writer w;
    int64_t after = 0;
    bool is_get = text_eq(req->method, TEXT("GET"));
    jw_init(&w, &b);
    if (text_eq(req->method, TEXT("POST")) && text_eq(req->path, TEXT("/send"))) {
        on_send(e, req);
    } else if (is_get && text_eq(req->path, TEXT("/events"))) {
        if (text_int(http_query(req, "after"), 0, INT64_MAX, &after, NULL) != TIDE_OK)
            after = 0;
        esp_write_events(e, after, &w, NULL);
        reply_with(req, 200, &b);
    } else if (is_get && text_eq(req->path, TEXT("/suppressions"))) {
        esp_write_suppressions(e, &w, NULL);
        reply_with(req, 200, &b);
    } else {
        http_reply_error(req, 404, "not_found", "Try POST /send, GET /events, GET /suppressions.");
    }
}

enum tide_err esp_http_open(struct esp *e, struct tide_error *err)
{
    const struct http_options options = {.listen = e->def->http_listen,
                                         .limits = {.body_bytes_max = BODY_BYTES_MAX},
                                         .on_request = on_request,
                                         .arg = e};
    enum tide_err rc = http_open(e->parts.loop, &options, &e->http, err);
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "http");
}

int esp_http_port(const struct esp *e)
{
    return http_port(e->http);
}
