/* The ESP's HTTP door: faults first, then the API that it plays (esp_api.h). For scripts every ESP
 * has these beside it:
 *
 *   GET /events?after=N      [{"n":..,"at":..,"event":"bounce","id":..,"recipient":..,"reason":..}]
 *   GET /suppressions        [{"recipient":..,"at":..,"list":..,"reason":..}]
 */
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_BYTES_MAX  (60u << 20)
#define LIMITED_FOR_MS  (30 * TIME_SECOND_MS)
#define ARENA_BYTES_MAX (256u << 20)

const struct lab_api *lab_api_of(const char *name)
{
    static const struct lab_api *const all[] = {&lab_plain,     &lab_sendgrid, &lab_ses,
                                                &lab_mailgun,   &lab_postmark, &lab_resend,
                                                &lab_sparkpost, &lab_brevo};
    for (size_t i = 0; i < TIDE_COUNT(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

/* -- What is told ------------------------------------------------------------------------------
 */

void esp_write_events(const struct esp *e, int64_t after, struct json_writer *w, const char *name)
{
    jw_array(w, name);
    for (size_t i = after > 0 ? (size_t)after : 0; i < e->event_count; i++)
        esp_write_event(e, &e->events[i], w);
    jw_end(w);
}

void esp_write_suppressions(const struct esp *e, struct json_writer *w, const char *name)
{
    jw_array(w, name);
    for (size_t i = 0; i < e->listed_count; i++) {
        const struct esp_suppression *s = e->listed[i];
        jw_object(w, NULL);
        jw_text(w, "recipient", s->address);
        jw_time(w, "at", s->at);
        jw_str(w, "esp", e->def->name);
        jw_str(w, "list", s->list);
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
    jw_str(w, "api", e->def->api);
    for (int k = 0; k < ESP_EVENT_KINDS; k++)
        jw_int(w, esp_event_name((enum esp_event_kind)k), e->counts[k]);
    jw_int(w, "calls", e->send_calls);
    if (e->api == &lab_ses) {
        jw_int(w, "sns_asked", e->sns_asked);
        jw_bool(w, "subscribed", e->subscribed);
    }
    jw_int(w, "suppressed", (int64_t)e->listed_count);
    jw_int(w, "under_way", length_of(&e->flying));
    jw_int(w, "waiting", length_of(&e->waiting));
    jw_int(w, "hanging", length_of(&e->hung) + (int64_t)e->hung_ask_count);
    meters_write(&e->meters, w, "limits");
    jw_end(w);
}

void esp_write_ready(const struct esp *e, struct json_writer *w)
{
    struct buf key = {0}, certificate = {0};
    jw_str(w, "api", e->def->api);
    jw_int(w, "http_port", esp_http_port(e));
    if (e->signer) {
        signer_public_key(e->signer, &key);
        signer_certificate(e->signer, &certificate);
        jw_text(w, "webhook_public_key", buf_text(&key));
        jw_text(w, "webhook_certificate", buf_text(&certificate));
    }
    buf_fini(&key);
    buf_fini(&certificate);
}

/* -- Answering ---------------------------------------------------------------------------------
 */

static void finish(struct lab_ask *a)
{
    if (a->status == 0)
        a->esp->api->refuse(a, LAB_NO_SUCH, "Not found");
    if (a->body.failed != TIDE_OK)
        http_reply_error(a->req, 503, "no_memory", "Out of memory.");
    else
        http_reply(a->req, a->status,
                   a->body.len == 0 ? NULL
                   : a->type        ? a->type
                                    : "application/json",
                   buf_text(&a->body), a->headers, a->header_count);
}

static bool hang(struct lab_ask *a)
{
    struct esp *e = a->esp;
    if (e->hung_ask_count == e->hung_ask_cap) {
        size_t more = e->hung_ask_cap ? 2 * e->hung_ask_cap : 16;
        struct http_request **bigger = realloc(e->hung_asks, more * sizeof(struct http_request *));
        if (!bigger)
            return false;
        e->hung_asks = bigger;
        e->hung_ask_cap = more;
    }
    e->hung_asks[e->hung_ask_count++] = a->req;
    return true;
}

void esp_http_unhang(struct esp *e)
{
    for (size_t i = 0; i < e->hung_ask_count; i++)
        http_reply_error(e->hung_asks[i], 503, "hung", "This request was left hanging.");
    e->hung_ask_count = 0;
}

/* -- Faults ------------------------------------------------------------------------------------
 */

static bool is_send(struct lab_ask *a)
{
    for (size_t i = 0; a->esp->api->sends[i]; i++)
        if (lab_is(a, "POST", a->esp->api->sends[i]))
            return true;
    return false;
}

/* True: it was refused. */
static bool refused_by_fault(struct lab_ask *a)
{
    static const struct {
        enum esp_fault fault;
        enum lab_refusal why;
        const char *words;
    } before[] = {
        {ESP_FAULT_BAD_KEY, LAB_BAD_KEY, "The key is not valid"},
        {ESP_FAULT_LIMITED, LAB_LIMITED, "Too many requests"},
        {ESP_FAULT_DOWN, LAB_DOWN, "Internal server error"},
        {ESP_FAULT_REFUSE, LAB_BAD_SENDER, "The from address is not a verified sender"},
        {ESP_FAULT_BAD_MAIL, LAB_BAD_MAIL, "The content of this mail is not valid"},
    };
    for (size_t i = 0; i < TIDE_COUNT(before); i++)
        if (esp_take_fault(a->esp, before[i].fault)) {
            a->reset_at = clock_wall(a->esp->parts.clock) + LIMITED_FOR_MS;
            a->esp->api->refuse(a, before[i].why, before[i].words);
            return true;
        }
    return false;
}

/* The request was served, its answer goes astray. True: the request is not to be answered. */
static bool astray(struct lab_ask *a)
{
    if (a->status >= 300)
        return false;
    if (esp_take_fault(a->esp, ESP_FAULT_SILENT))
        return hang(a);
    if (esp_take_fault(a->esp, ESP_FAULT_GATEWAY)) {
        buf_clear(&a->body);
        lab_words(a, 504, "text/html", "<html>504 Gateway Time-out</html>");
    } else if (esp_take_fault(a->esp, ESP_FAULT_HALF)) {
        a->status = 200;
        a->header_count = 0;
        a->body.len /= 2;
    }
    return false;
}

static void serve(struct lab_ask *a)
{
    const struct lab_api *api = a->esp->api;
    bool sends = is_send(a);
    struct text type = http_header(a->req, "Content-Type");
    bool json = text_ifind(type, TEXT("json")) < type.n && a->req->body.n > 0;
    jw_init(&a->w, &a->body);
    a->esp->send_calls += sends;
    if (!api->may(a))
        api->refuse(a, LAB_BAD_KEY, "The key is not valid");
    else if (json && json_parse(a->req->body, BODY_BYTES_MAX, &a->doc, NULL) != TIDE_OK)
        api->refuse(a, LAB_BAD_BODY, "The body is no JSON");
    else if (!sends || !refused_by_fault(a))
        api->serve(a);
    if (!sends || !astray(a))
        finish(a);
}

static void on_request(void *arg, struct http_request *req)
{
    struct esp *e = arg;
    struct lab_ask a = {.esp = e, .req = req};
    int64_t after = 0;
    arena_init(&a.arena, ARENA_BYTES_MAX);
    if (lab_is(&a, "GET", "/events")) {
        if (text_int(http_query(req, "after"), 0, INT64_MAX, &after, NULL) != TIDE_OK)
            after = 0;
        jw_init(&a.w, &a.body);
        esp_write_events(e, after, &a.w, NULL);
        a.status = 200;
        finish(&a);
    } else if (lab_is(&a, "GET", "/suppressions") && e->api != &lab_resend) {
        jw_init(&a.w, &a.body);
        esp_write_suppressions(e, &a.w, NULL);
        a.status = 200;
        finish(&a);
    } else {
        serve(&a);
    }
    json_free(a.doc);
    buf_fini(&a.body);
    arena_fini(&a.arena);
}

enum tide_err esp_http_open(struct esp *e, struct tide_error *err)
{
    char certificate[PATH_MAX], key[PATH_MAX];
    const char *folder = e->parts.world->tls_folder;
    struct http_options options = {.listen = e->def->http_listen,
                                   .limits = {.body_bytes_max = BODY_BYTES_MAX},
                                   .on_request = on_request,
                                   .arg = e};
    if (e->def->tls && !folder)
        return tide_fail(err, TIDE_EINVAL,
                         "tls: want tls.folder, where the certificate is written");
    if (e->def->tls) {
        snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
        snprintf(key, sizeof key, "%s/key.pem", folder);
        options.tls.certificate_file = certificate;
        options.tls.key_file = key;
    }
    enum tide_err rc = http_open(e->parts.loop, &options, &e->http, err);
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "http");
}

int esp_http_port(const struct esp *e)
{
    return http_port(e->http);
}
