/* Where scripts ask the lab what happened, and switch faults on:
 *
 *   GET /                      addresses and clock, as in the ready line
 *   GET /clock                 {"now":"...","spec":"ORIGIN@RATE@ANCHOR","rate":..}
 *   GET /books                 per provider: taken, refused, mailboxes, windows; per ESP: counts
 *   GET /attempts              every try, oldest first, with the provider's answer
 *   GET /mailbox/ADDRESS       what it holds: subjects, times, digest counts
 *   GET /mailbox/ADDRESS/N     the N-th message itself
 *   GET /esp/events?after=N    of all ESPs (each numbers its own)
 *   GET /esp/suppressions
 *   POST /faults               {"esp":"NAME","fault":"hang","count":1}
 *   POST /webhook              {"esp":"NAME","url":"http://..."}: where its events go, or null
 *   POST /limits               {"provider":"NAME","limit":"NAME","count":N}: from now on
 */
#include "cmd/mailtide-lab/lab.h"

#include "core/proto/json.h"
#include "io/loop/http.h"

#include <stdio.h>

#define BODY_BYTES_MAX 65536

static void write_books(const struct lab *l, struct json_writer *w)
{
    jw_object(w, NULL);
    jw_time(w, "now", clock_wall(&l->clock));
    jw_array(w, "providers");
    for (size_t i = 0; i < l->provider_count; i++) {
        jw_object(w, NULL);
        jw_str(w, "name", l->world->providers[i].name);
        jw_str(w, "title", l->world->providers[i].title);
        books_write_totals(&l->books, (int)i, w);
        meters_write(provider_meters(l->providers[i]), w, "limits");
        jw_end(w);
    }
    jw_end(w);
    jw_array(w, "esps");
    for (size_t i = 0; i < l->esp_count; i++)
        esp_write_books(l->esps[i], w, NULL);
    jw_end(w);
    jw_int(w, "lost", (int64_t)l->books.lost);
    jw_end(w);
}

static void write_clock(const struct lab *l, struct json_writer *w)
{
    char text[CLOCK_TEXT_BYTES];
    jw_object(w, NULL);
    jw_time(w, "now", clock_wall(&l->clock));
    jw_str(w, "spec", clock_text(&l->clock, text));
    jw_number(w, "rate", l->clock.rate);
    jw_end(w);
}

static void write_of_esps(const struct lab *l, bool events, int64_t after, struct json_writer *w)
{
    jw_object(w, NULL);
    for (size_t i = 0; i < l->esp_count; i++) {
        const char *name = l->world->esps[i].name;
        if (events)
            esp_write_events(l->esps[i], after, w, name);
        else
            esp_write_suppressions(l->esps[i], w, name);
    }
    jw_end(w);
}

/* "ADDRESS" or "ADDRESS/N" */
static void on_mailbox(struct lab *l,
                       struct http_request *req,
                       struct text rest,
                       struct json_writer *w)
{
    struct text mailbox;
    int64_t n = 0;
    text_split(&rest, '/', &mailbox);
    if (rest.n == 0) {
        jw_object(w, NULL);
        jw_text(w, "mailbox", mailbox);
        books_write_mailbox(&l->books, mailbox, w, "mails");
        jw_end(w);
        return;
    }
    const struct book_mail *m = text_int(rest, 1, 1000000000, &n, NULL) == TIDE_OK
                                    ? books_mail(&l->books, mailbox, (size_t)n)
                                    : NULL;
    if (m)
        http_reply(req, 200, "message/rfc822", m->message, NULL, 0);
    else
        http_reply_error(req, 404, "not_found", "This mailbox has no such mail.");
}

static void on_faults(struct lab *l, struct http_request *req)
{
    struct json *doc = NULL;
    struct tide_error err = {0};
    enum esp_fault fault;
    int64_t count = 1;
    if (json_parse(req->body, BODY_BYTES_MAX, &doc, &err) != TIDE_OK) {
        http_reply_error(req, 400, "bad_json", err.text);
        return;
    }
    struct text name = json_string_text(json_member(doc, "esp"));
    bool known = esp_fault_of(json_string_text(json_member(doc, "fault")), &fault);
    bool counted = !json_member(doc, "count") || json_int(json_member(doc, "count"), &count);
    size_t set = 0;
    for (size_t i = 0; known && counted && i < l->esp_count; i++)
        if (name.n == 0 || text_eq(name, text_of(l->world->esps[i].name))) {
            esp_set_fault(l->esps[i], fault, count);
            set++;
        }
    json_free(doc);
    if (set > 0)
        http_reply(req, 200, "application/json", TEXT("{}\n"), NULL, 0);
    else
        http_reply_error(req, 400, "bad_value",
                         "Want esp (one of this world, or none for all), fault (one that the "
                         "manual page names) and a whole count.");
}

static void on_webhook(struct lab *l, struct http_request *req)
{
    struct json *doc = NULL;
    struct tide_error err = {0};
    char url[1000];
    if (json_parse(req->body, BODY_BYTES_MAX, &doc, &err) != TIDE_OK) {
        http_reply_error(req, 400, "bad_json", err.text);
        return;
    }
    struct text name = json_string_text(json_member(doc, "esp"));
    struct text given = json_string_text(json_member(doc, "url"));
    size_t set = 0;
    snprintf(url, sizeof url, TEXT_FMT, TEXT_ARG(given));
    for (size_t i = 0; i < l->esp_count; i++)
        if (name.n == 0 || text_eq(name, text_of(l->world->esps[i].name)))
            set += esp_set_webhook(l->esps[i], given.n > 0 ? url : NULL, &err) == TIDE_OK;
    json_free(doc);
    if (set > 0)
        http_reply(req, 200, "application/json", TEXT("{}\n"), NULL, 0);
    else
        http_reply_error(req, 400, "bad_value", err.text[0] ? err.text : "No such esp.");
}

/* What a provider takes moves, and nobody is told. */
static void on_limits(struct lab *l, struct http_request *req)
{
    struct json *doc = NULL;
    struct tide_error err = {0};
    int64_t count = -1;
    if (json_parse(req->body, BODY_BYTES_MAX, &doc, &err) != TIDE_OK) {
        http_reply_error(req, 400, "bad_json", err.text);
        return;
    }
    struct text provider = json_string_text(json_member(doc, "provider"));
    struct text name = json_string_text(json_member(doc, "limit"));
    struct lab_limit *found = NULL;
    for (size_t i = 0; i < l->provider_count; i++) {
        const struct lab_provider *p = &l->world->providers[i];
        for (size_t k = 0; text_eq(provider, text_of(p->name)) && k < p->limit_count; k++)
            if (text_eq(name, text_of(p->limits[k].name)))
                found = &p->limits[k];
    }
    if (!json_int(json_member(doc, "count"), &count) || count < 0)
        found = NULL;
    if (found)
        found->count = count;
    json_free(doc);
    if (found)
        http_reply(req, 200, "application/json", TEXT("{}\n"), NULL, 0);
    else
        http_reply_error(req, 400, "bad_value",
                         "Want provider and limit (of this world) and a count of 0 or more.");
}

/* False: *b is to be sent. True: it has been answered already. */
static bool route(struct lab *l, struct http_request *req, struct json_writer *w)
{
    static const struct text mailbox = {"/mailbox/", 9};
    int64_t after = 0;
    if (text_eq(req->method, TEXT("POST")) && text_eq(req->path, TEXT("/faults"))) {
        on_faults(l, req);
        return true;
    }
    if (text_eq(req->method, TEXT("POST")) && text_eq(req->path, TEXT("/webhook"))) {
        on_webhook(l, req);
        return true;
    }
    if (text_eq(req->method, TEXT("POST")) && text_eq(req->path, TEXT("/limits"))) {
        on_limits(l, req);
        return true;
    }
    if (!text_eq(req->method, TEXT("GET"))) {
        http_reply_error(req, 405, "bad_method", "Want GET, or POST /faults, /webhook or /limits.");
        return true;
    }
    if (http_query(req, "after").n > 0 &&
        text_int(http_query(req, "after"), 0, INT64_MAX, &after, NULL) != TIDE_OK)
        after = 0;
    if (text_eq(req->path, TEXT("/"))) {
        jw_object(w, NULL);
        lab_write_addresses(l, w);
        jw_end(w);
    } else if (text_eq(req->path, TEXT("/clock"))) {
        write_clock(l, w);
    } else if (text_eq(req->path, TEXT("/books"))) {
        write_books(l, w);
    } else if (text_eq(req->path, TEXT("/attempts"))) {
        books_write_attempts(&l->books, l->world, w, NULL);
    } else if (text_eq(req->path, TEXT("/esp/events"))) {
        write_of_esps(l, true, after, w);
    } else if (text_eq(req->path, TEXT("/esp/suppressions"))) {
        write_of_esps(l, false, 0, w);
    } else if (text_starts(req->path, mailbox)) {
        on_mailbox(l, req, text_cut(req->path, mailbox.n, req->path.n), w);
        return w->out->len == 0;
    } else {
        http_reply_error(req, 404, "not_found",
                         "Try /books, /attempts, /mailbox/ADDRESS, /esp/events, "
                         "/esp/suppressions, /clock.");
        return true;
    }
    return false;
}

static void on_request(void *arg, struct http_request *req)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    if (!route(arg, req, &w)) {
        buf_addc(&b, '\n');
        if (b.failed == TIDE_OK)
            http_reply(req, 200, "application/json", buf_text(&b), NULL, 0);
        else
            http_reply_error(req, 503, "no_memory", "Out of memory.");
    }
    buf_fini(&b);
}

enum tide_err control_open(struct lab *l, struct tide_error *err)
{
    const struct http_options options = {.listen = l->world->control_listen,
                                         .limits = {.body_bytes_max = BODY_BYTES_MAX},
                                         .on_request = on_request,
                                         .arg = l};
    enum tide_err rc = http_open(&l->loop, &options, &l->control, err);
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "control.listen");
}
