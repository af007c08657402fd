/* SparkPost, as its documentation tells it.
 *
 *   POST /api/v1/transmissions               the key alone in Authorization; 420 past a limit
 *   GET  /api/v1/suppression-list?cursor=&per_page=   pages by links
 *   GET, PUT, DELETE /api/v1/suppression-list/EMAIL
 *   events   batches of {"msys":{"message_event":{..}}}, HTTP Basic
 *
 * Hard bounces (class 10) list the address as "Bounce Rule", complaints as "Spam Complaint"; mail
 * to a listed one is told as policy_rejection. */
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"

#include <inttypes.h>

#define PAGE_PRESET 1000

static bool may(struct lab_ask *a)
{
    return text_eq(http_header(a->req, "Authorization"), text_of(a->esp->def->password));
}

static void fail(struct lab_ask *a,
                 unsigned status,
                 const char *code,
                 const char *message,
                 const char *description)
{
    a->status = status;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "errors");
    jw_object(&a->w, NULL);
    jw_str(&a->w, "message", message);
    jw_str(&a->w, "description", description);
    jw_str(&a->w, "code", code);
    jw_end(&a->w);
    jw_end(&a->w);
    jw_end(&a->w);
}

static void refuse(struct lab_ask *a, enum lab_refusal why, const char *words)
{
    static const struct {
        unsigned status;
        const char *code, *message;
    } says[] = {
        [LAB_BAD_KEY] = {401, "1300", "Unauthorized."},
        [LAB_BAD_BODY] = {422, "1300", "invalid data format/type"},
        [LAB_BAD_ADDRESS] = {400, "5002", "At least one valid recipient is required"},
        [LAB_BAD_SENDER] = {400, "7001", "Invalid domain"},
        [LAB_BAD_MAIL] = {422, "1400", "required field is missing"},
        [LAB_LIMITED] = {420, "2102", "Exceed Sending Limit (daily)"},
        [LAB_DOWN] = {500, "1200", "Internal error"},
        [LAB_NO_SUCH] = {404, "1600", "resource not found"},
    };
    fail(a, says[why].status, says[why].code, says[why].message, words);
}

/* -- Mail --------------------------------------------------------------------------------------
 */

static bool read_content(struct lab_ask *a, const struct json *content, struct lab_mail *m)
{
    struct api_draft *d = &m->draft;
    struct message message;
    m->raw = lab_string(content, "email_rfc822");
    if (m->raw.n > 0)
        return message_open(m->raw, &message, NULL) == TIDE_OK &&
               message_from(&message, &a->arena, &d->from, NULL) == TIDE_OK;
    d->from = lab_mailbox(json_member(content, "from"));
    d->subject = lab_string(content, "subject");
    d->text = json_string_text(json_member(content, "text"));
    d->html = json_string_text(json_member(content, "html"));
    return lab_is_address(d->from.address) && (d->text.p || d->html.p);
}

static void on_send(struct lab_ask *a)
{
    struct lab_mail m = {.api_id = lab_new_id(a)};
    const struct json *to = json_member(a->doc, "recipients");
    for (size_t i = 0; i < json_count(to); i++)
        if (!lab_add_mailbox(a, &m.draft.to,
                             lab_mailbox(json_member(json_element(to, i), "address")))) {
            refuse(a, LAB_BAD_ADDRESS, "Invalid address");
            return;
        }
    if (m.draft.to.count == 0) {
        refuse(a, LAB_BAD_ADDRESS, "recipients is empty");
        return;
    }
    if (!read_content(a, json_member(a->doc, "content"), &m)) {
        refuse(a, LAB_BAD_MAIL, "content object or template_id required");
        return;
    }
    lab_add_pairs(&m, json_member(a->doc, "metadata"));
    if (!lab_take_or_refuse(a, &m))
        return;
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_object(&a->w, "results");
    jw_int(&a->w, "total_rejected_recipients", 0);
    jw_int(&a->w, "total_accepted_recipients", (int64_t)m.draft.to.count);
    jw_text(&a->w, "id", m.api_id);
    jw_end(&a->w);
    jw_end(&a->w);
}

/* -- The list ----------------------------------------------------------------------------------
 */

static void write_entry(struct lab_ask *a, const struct esp_suppression *s)
{
    jw_object(&a->w, NULL);
    jw_text(&a->w, "recipient", s->address);
    jw_str(&a->w, "type", "transactional");
    jw_str(&a->w, "source", s->list);
    jw_text(&a->w, "description", s->reason);
    jw_time(&a->w, "created", s->at);
    jw_time(&a->w, "updated", s->at);
    jw_bool(&a->w, "transactional", true);
    jw_end(&a->w);
}

static void read_list(struct lab_ask *a)
{
    int64_t most = lab_query_int(a, "per_page", PAGE_PRESET), skip = lab_query_int(a, "cursor", 0);
    size_t i = (size_t)skip;
    char next[200];
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "results");
    for (; i < a->esp->listed_count && most-- > 0; i++)
        write_entry(a, a->esp->listed[i]);
    jw_end(&a->w);
    jw_array(&a->w, "links");
    if (i < a->esp->listed_count) {
        snprintf(next, sizeof next, "/api/v1/suppression-list?cursor=%zu&per_page=%" PRId64, i,
                 lab_query_int(a, "per_page", PAGE_PRESET));
        jw_object(&a->w, NULL);
        jw_str(&a->w, "href", next);
        jw_str(&a->w, "rel", "next");
        jw_end(&a->w);
    }
    jw_end(&a->w);
    jw_int(&a->w, "total_count", (int64_t)a->esp->listed_count);
    jw_end(&a->w);
}

static void serve(struct lab_ask *a)
{
    const struct esp_suppression *s;
    if (lab_is(a, "POST", "/api/v1/transmissions")) {
        on_send(a);
    } else if (lab_is(a, "GET", "/api/v1/suppression-list")) {
        read_list(a);
    } else if (lab_is(a, "DELETE", "/api/v1/suppression-list/*")) {
        if (esp_list_remove(a->esp, NULL, a->wild[0]))
            a->status = 204;
    } else if (lab_is(a, "PUT", "/api/v1/suppression-list/*")) {
        esp_list_put(a->esp, "Manually Added", a->wild[0], lab_string(a->doc, "description"));
        a->status = 200;
        jw_object(&a->w, NULL);
        jw_end(&a->w);
    } else if (lab_is(a, "GET", "/api/v1/suppression-list/*") &&
               (s = esp_list_find(a->esp, NULL, a->wild[0]))) {
        a->status = 200;
        jw_object(&a->w, NULL);
        jw_array(&a->w, "results");
        write_entry(a, s);
        jw_end(&a->w);
        jw_end(&a->w);
    }
}

/* -- Events ------------------------------------------------------------------------------------
 */

static const char *list_of(const struct esp_event *v)
{
    return v->kind == ESP_COMPLAINT ? "Spam Complaint" : lab_is_block(v) ? NULL : "Bounce Rule";
}

static const char *drop_words(const char *list)
{
    (void)list;
    return "550 5.7.1 recipient address was suppressed due to customer policy";
}

static bool tell(struct esp *e, const struct esp_event *v, struct lab_post *p)
{
    static const char *const names[] = {"injection", "delivery",         "delay",
                                        "bounce",    "policy_rejection", "spam_complaint"};
    struct json_writer *w = &p->w;
    char text[100];
    jw_array(w, NULL);
    jw_object(w, NULL);
    jw_object(w, "msys");
    jw_object(w, "message_event");
    jw_str(w, "type", names[v->kind]);
    snprintf(text, sizeof text, "%s%" PRId64, e->def->name, v->n);
    jw_str(w, "event_id", text);
    snprintf(text, sizeof text, "%" PRId64, v->at / 1000);
    jw_str(w, "timestamp", text);
    snprintf(text, sizeof text, "%016" PRIx64, (uint64_t)v->mail->id);
    jw_str(w, "message_id", text);
    jw_text(w, "transmission_id", v->mail->api_id);
    jw_text(w, "rcpt_to", v->mail->recipient);
    jw_text(w, "raw_rcpt_to", v->mail->recipient);
    jw_text(w, "msg_from", v->mail->sender);
    jw_text(w, "subject", v->mail->subject);
    jw_object(w, "rcpt_meta");
    lab_write_pairs(w, v->mail);
    jw_end(w);
    if (v->kind == ESP_BOUNCE || v->kind == ESP_DEFERRED || v->kind == ESP_DROPPED) {
        snprintf(text, sizeof text, "%d", lab_code_of(v));
        jw_str(w, "error_code", text);
        jw_str(w, "bounce_class",
               v->kind == ESP_DROPPED      ? "25"
               : v->kind == ESP_DEFERRED   ? "20"
               : v->cause == ESP_EXPIRED   ? "24"
               : v->cause == ESP_NO_DOMAIN ? "10"
               : lab_is_block(v)           ? "51"
                                           : "10");
        jw_text(w, "raw_reason", v->reason);
        jw_text(w, "reason", v->reason);
    }
    jw_end(w);
    jw_end(w);
    jw_end(w);
    jw_end(w);
    lab_post_header(p, "X-Messagesystems-Batch-Id", "%s-%" PRId64, e->def->name, v->n);
    lab_post_basic(e, p);
    return true;
}

const struct lab_api lab_sparkpost = {
    .name = "sparkpost",
    .sends = (const char *const[]){"/api/v1/transmissions", NULL},
    .may = may,
    .serve = serve,
    .refuse = refuse,
    .list_of = list_of,
    .drop_words = drop_words,
    .tell = tell,
};
