/* Resend, as its documentation tells it.
 *
 *   POST /emails, /emails/batch       Bearer; Idempotency-Key, kept for good; a batch drops
 *                                     attachments; x-batch-validation: permissive
 *   GET  /emails/ID
 *   GET  /suppressions, GET and DELETE /suppressions/EMAIL
 *   events   Svix: HMAC over id, timestamp and body; email.sent, .delivered, .delivery_delayed,
 *            .bounced, .complained, .suppressed
 *
 * A permanent bounce or a complaint suppresses the recipient; mail to it is told as
 * email.suppressed. */
#include "base/base64.h"
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"

#include <inttypes.h>

#define BATCH_MAX 100
#define KEY_MAX   256

static bool may(struct lab_ask *a)
{
    return lab_has_bearer(a, "Bearer ");
}

static void fail(struct lab_ask *a, unsigned status, const char *name, const char *message)
{
    a->status = status;
    jw_object(&a->w, NULL);
    jw_int(&a->w, "statusCode", status);
    jw_str(&a->w, "name", name);
    jw_str(&a->w, "message", message);
    jw_end(&a->w);
}

static void refuse(struct lab_ask *a, enum lab_refusal why, const char *words)
{
    static const struct {
        unsigned status;
        const char *name;
    } says[] = {
        [LAB_BAD_KEY] = {401, "invalid_api_key"},      [LAB_BAD_BODY] = {422, "validation_error"},
        [LAB_BAD_ADDRESS] = {422, "validation_error"}, [LAB_BAD_SENDER] = {403, "validation_error"},
        [LAB_BAD_MAIL] = {422, "validation_error"},    [LAB_LIMITED] = {429, "rate_limit_exceeded"},
        [LAB_DOWN] = {500, "internal_server_error"},   [LAB_NO_SUCH] = {404, "not_found"},
    };
    if (why == LAB_LIMITED) {
        lab_header(a, "ratelimit-remaining", "0");
        lab_header(a, "ratelimit-reset", "%" PRId64, lab_seconds_to_reset(a));
        lab_header(a, "retry-after", "%" PRId64, lab_seconds_to_reset(a));
    }
    fail(a, says[why].status, says[why].name,
         why == LAB_BAD_SENDER ? "The domain is not verified. Please, add and verify your domain"
                               : words);
}

/* -- Mail --------------------------------------------------------------------------------------
 */

/* One, or an array of them. */
static bool add_people(struct lab_ask *a, const struct json *value, struct api_addresses *ret)
{
    return json_kind(value) == JSON_KIND_ARRAY
               ? lab_read_people(a, value, ret)
               : lab_read_mailboxes(a, json_string_text(value), ret);
}

static const struct lab_file_names files = {
    .filename = "filename", .type = "content_type", .id = "content_id", .content = "content"};

/* False: the whole request was refused. */
static bool take(struct lab_ask *a, const struct json *mail, struct text id, bool in_batch)
{
    struct lab_mail m = {.api_id = id};
    struct api_draft *d = &m.draft;
    struct api_addresses from = {0};
    const struct json *reply = json_member(mail, "reply_to");
    d->subject = lab_string(mail, "subject");
    d->text = json_string_text(json_member(mail, "text"));
    d->html = json_string_text(json_member(mail, "html"));
    if (!lab_read_mailboxes(a, lab_string(mail, "from"), &from) || from.count != 1 ||
        !add_people(a, json_member(mail, "to"), &d->to) || d->to.count == 0 ||
        !add_people(a, json_member(mail, "cc"), &d->cc) ||
        !add_people(a, json_member(mail, "bcc"), &d->bcc) ||
        (reply && !add_people(a, reply, &d->reply_to))) {
        refuse(a, LAB_BAD_ADDRESS, "Invalid `to` or `from` field.");
        return false;
    }
    d->from = from.list[0];
    if ((!in_batch && !lab_add_files(a, json_member(mail, "attachments"), &files, d)) ||
        (!d->text.p && !d->html.p)) {
        refuse(a, LAB_BAD_MAIL, "Missing `html` or `text` field.");
        return false;
    }
    lab_add_tags(&m, json_member(mail, "tags"), "name", "value");
    lab_add_headers(a, json_member(mail, "headers"), d);
    return lab_take_or_refuse(a, &m);
}

static void write_id(struct lab_ask *a, struct text id)
{
    jw_object(&a->w, NULL);
    jw_text(&a->w, "id", id);
    jw_end(&a->w);
}

/* True: answered already, with what the key was used for. */
static bool settled_by_key(struct lab_ask *a, struct text key)
{
    const struct esp_known *known = lab_known(a->esp, key);
    if (key.n > KEY_MAX) {
        fail(a, 400, "invalid_idempotency_key", "The key must be between 1-256 chars.");
        return true;
    }
    if (!known)
        return false;
    if (!text_eq(known->body, a->req->body)) {
        fail(a, 409, "invalid_idempotent_request",
             "Same idempotency key used with a different request payload.");
        return true;
    }
    a->status = 200;
    buf_add_text(&a->body, known->answer);
    return true;
}

static void on_send(struct lab_ask *a)
{
    struct text key = http_header(a->req, "Idempotency-Key"), id = lab_new_uuid(a);
    if (settled_by_key(a, key) || !take(a, a->doc, id, false))
        return;
    a->status = 200;
    write_id(a, id);
    lab_know(a->esp, key, a->req->body, buf_text(&a->body));
}

/* What a mail of a batch was refused with goes into "errors". */
static void note_error(struct lab_ask *a, size_t index, struct json_writer *errors)
{
    struct json *doc = NULL;
    if (json_parse(buf_text(&a->body), a->body.len, &doc, NULL) != TIDE_OK)
        doc = NULL;
    jw_object(errors, NULL);
    jw_int(errors, "index", (int64_t)index);
    jw_text(errors, "message", lab_string(doc, "message"));
    jw_end(errors);
    json_free(doc);
    buf_clear(&a->body);
    jw_init(&a->w, &a->body);
    a->status = 0;
}

/* Permissive: each mail by itself. Strict: the first one that is refused ends it, with its words.
 */
static void take_each(struct lab_ask *a, bool permissive, struct buf *data, struct buf *errors)
{
    struct json_writer ids, failed;
    jw_init(&ids, data);
    jw_init(&failed, errors);
    jw_array(&ids, NULL);
    jw_array(&failed, NULL);
    for (size_t i = 0; i < json_count(a->doc) && a->status == 0; i++) {
        struct text id = lab_new_uuid(a);
        if (take(a, json_element(a->doc, i), id, true)) {
            jw_object(&ids, NULL);
            jw_text(&ids, "id", id);
            jw_end(&ids);
        } else if (permissive && (a->status != 429 || i > 0)) {
            note_error(a, i, &failed);
        }
    }
    jw_end(&ids);
    jw_end(&failed);
}

static void send_batch(struct lab_ask *a)
{
    struct text key = http_header(a->req, "Idempotency-Key");
    bool permissive = text_ieq(http_header(a->req, "x-batch-validation"), TEXT("permissive"));
    struct buf data = {0}, errors = {0};
    if (json_kind(a->doc) != JSON_KIND_ARRAY || json_count(a->doc) == 0 ||
        json_count(a->doc) > BATCH_MAX) {
        refuse(a, LAB_BAD_BODY, "Want an array of 1 to 100 emails");
        return;
    }
    if (settled_by_key(a, key))
        return;
    take_each(a, permissive, &data, &errors);
    if (a->status == 0) {
        a->status = 200;
        jw_object(&a->w, NULL);
        jw_json(&a->w, "data", buf_text(&data));
        if (permissive)
            jw_json(&a->w, "errors", buf_text(&errors));
        jw_end(&a->w);
        lab_know(a->esp, key, a->req->body, buf_text(&a->body));
    }
    buf_fini(&data);
    buf_fini(&errors);
}

static void show(struct lab_ask *a)
{
    for (size_t i = a->esp->event_count; i-- > 0;) {
        const struct esp_event *v = &a->esp->events[i];
        if (!text_eq(v->mail->api_id, a->wild[0]))
            continue;
        a->status = 200;
        jw_object(&a->w, NULL);
        jw_str(&a->w, "object", "email");
        jw_text(&a->w, "id", v->mail->api_id);
        jw_text(&a->w, "subject", v->mail->subject);
        jw_str(&a->w, "last_event", esp_event_name(v->kind));
        jw_end(&a->w);
        return;
    }
}

static void write_entry(struct json_writer *w, const struct esp_suppression *s)
{
    jw_object(w, NULL);
    jw_str(w, "object", "suppression");
    jw_text(w, "id", s->address);
    jw_text(w, "email", s->address);
    jw_str(w, "origin", s->list);
    jw_null(w, "source_id");
    jw_time(w, "created_at", s->at);
    jw_end(w);
}

static void show_entry(struct lab_ask *a)
{
    const struct esp_suppression *s = esp_list_find(a->esp, NULL, a->wild[0]);
    if (!s)
        return;
    a->status = 200;
    write_entry(&a->w, s);
}

static void read_list(struct lab_ask *a)
{
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_str(&a->w, "object", "list");
    jw_bool(&a->w, "has_more", false);
    jw_array(&a->w, "data");
    for (size_t i = 0; i < a->esp->listed_count; i++) {
        const struct esp_suppression *s = a->esp->listed[i];
        write_entry(&a->w, s);
    }
    jw_end(&a->w);
    jw_end(&a->w);
}

static void serve(struct lab_ask *a)
{
    if (lab_is(a, "POST", "/emails"))
        on_send(a);
    else if (lab_is(a, "POST", "/emails/batch"))
        send_batch(a);
    else if (lab_is(a, "GET", "/emails/*"))
        show(a);
    else if (lab_is(a, "GET", "/suppressions"))
        read_list(a);
    else if (lab_is(a, "GET", "/suppressions/*"))
        show_entry(a);
    else if (lab_is(a, "DELETE", "/suppressions/*") && esp_list_remove(a->esp, NULL, a->wild[0])) {
        a->status = 200;
        jw_object(&a->w, NULL);
        jw_bool(&a->w, "deleted", true);
        jw_end(&a->w);
    }
}

/* -- Events ------------------------------------------------------------------------------------
 */

static const char *list_of(const struct esp_event *v)
{
    return v->kind == ESP_COMPLAINT ? "complaint" : lab_is_block(v) ? NULL : "bounce";
}

static const char *drop_words(const char *list)
{
    return strcmp(list, "complaint") == 0 ? "previous_complaint" : "previous_bounce";
}

static void write_data(struct json_writer *w, const struct esp_event *v)
{
    jw_object(w, "data");
    jw_text(w, "email_id", v->mail->api_id);
    jw_time(w, "created_at", v->mail->accepted_at);
    jw_text(w, "from", v->mail->sender);
    jw_array(w, "to");
    jw_text(w, NULL, v->mail->recipient);
    jw_end(w);
    jw_text(w, "subject", v->mail->subject);
    jw_object(w, "tags");
    lab_write_pairs(w, v->mail);
    jw_end(w);
    if (v->kind == ESP_BOUNCE) {
        jw_object(w, "bounce");
        jw_str(w, "type", lab_is_block(v) ? "Transient" : "Permanent");
        jw_str(w, "subType", "General");
        jw_text(w, "message", v->reason);
        jw_array(w, "diagnosticCode");
        jw_text(w, NULL, v->reason);
        jw_end(w);
        jw_end(w);
    } else if (v->kind == ESP_DROPPED) {
        jw_object(w, "suppressed");
        jw_text(w, "reason", v->reason);
        jw_end(w);
    }
    jw_end(w);
}

/* The key stands as base64 behind "whsec_". */
static void sign(struct esp *e, const struct esp_event *v, struct lab_post *p)
{
    struct buf key = {0}, t = {0}, signature = {0};
    struct text given = text_of(e->def->webhook_key);
    char id[80];
    int64_t at = lab_signed_at_s();
    if (text_starts(given, TEXT("whsec_")))
        given = text_cut(given, 6, SIZE_MAX);
    if (base64_decode(given, &key, NULL) != TIDE_OK)
        buf_clear(&key);
    snprintf(id, sizeof id, "msg_%s_%" PRId64, e->def->name, v->n);
    buf_addf(&t, "%s.%" PRId64 ".", id, at);
    buf_add_text(&t, buf_text(&p->body));
    sign_hmac_base64(buf_text(&key), buf_text(&t), &signature);
    lab_post_header(p, "svix-id", "%s", id);
    lab_post_header(p, "svix-timestamp", "%" PRId64, at);
    lab_post_header(p, "svix-signature", "v1,%s", buf_str(&signature));
    buf_fini(&key);
    buf_fini(&t);
    buf_fini(&signature);
}

static bool tell(struct esp *e, const struct esp_event *v, struct lab_post *p)
{
    static const char *const names[] = {
        "email.sent",    "email.delivered",  "email.delivery_delayed",
        "email.bounced", "email.suppressed", "email.complained"};
    jw_object(&p->w, NULL);
    jw_str(&p->w, "type", names[v->kind]);
    jw_time(&p->w, "created_at", v->at);
    write_data(&p->w, v);
    jw_end(&p->w);
    sign(e, v, p);
    return true;
}

const struct lab_api lab_resend = {
    .name = "resend",
    .sends = (const char *const[]){"/emails", "/emails/batch", NULL},
    .may = may,
    .serve = serve,
    .refuse = refuse,
    .list_of = list_of,
    .drop_words = drop_words,
    .tell = tell,
};
