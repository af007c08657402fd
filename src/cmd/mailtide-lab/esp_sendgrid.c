/* SendGrid v3, as its documentation tells it.
 *
 *   POST /v3/mail/send                     202, X-Message-Id
 *   GET, DELETE /v3/suppression/LIST[/EMAIL]   LIST: bounces, blocks, invalid_emails, spam_reports,
 *                                          unsubscribes; GET pages by limit and offset
 *   POST /v3/asm/suppressions/global, GET, DELETE .../EMAIL   the unsubscribes again
 *   events   signed with ECDSA over timestamp and body
 *
 * A 5xx that speaks of the mailbox, or that says nothing, lists the address in bounces, and mail to
 * it is dropped from then on. One that speaks of policy (5.7.x), or time running out, is a block,
 * which drops nothing. A domain that does not exist is an invalid email. */
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"

#include <inttypes.h>

#define PAGE_MAX      500
#define ADDRESSES_MAX 1000

static const char *const lists[] = {"bounces", "blocks", "invalid_emails", "spam_reports",
                                    "unsubscribes"};

static bool may(struct lab_ask *a)
{
    return lab_has_bearer(a, "Bearer ");
}

static void put_rate(struct lab_ask *a)
{
    int64_t count, used;
    tide_wall_ms reset;
    if (!lab_quota(a->esp, &count, &used, &reset))
        return;
    lab_header(a, "X-RateLimit-Limit", "%" PRId64, count);
    lab_header(a, "X-RateLimit-Remaining", "%" PRId64, TIDE_MAX(count - used, 0));
    lab_header(a, "X-RateLimit-Reset", "%" PRId64, reset / 1000);
}

static void fail(struct lab_ask *a, unsigned status, const char *message, const char *field)
{
    a->status = status;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "errors");
    jw_object(&a->w, NULL);
    jw_str(&a->w, "message", message);
    jw_str(&a->w, "field", field);
    jw_null(&a->w, "help");
    jw_end(&a->w);
    jw_end(&a->w);
    jw_end(&a->w);
}

static void refuse(struct lab_ask *a, enum lab_refusal why, const char *words)
{
    switch (why) {
    case LAB_BAD_KEY:
        fail(a, 401, "The provided authorization grant is invalid, expired, or revoked", NULL);
        break;
    case LAB_BAD_BODY:
        fail(a, 400, "Bad Request", NULL);
        break;
    case LAB_BAD_ADDRESS:
        fail(a, 400, "Does not contain a valid address.", words);
        break;
    case LAB_BAD_SENDER:
        fail(a, 403, "The from address does not match a verified Sender Identity.", "from");
        break;
    case LAB_BAD_MAIL:
        fail(a, 400, words, "content");
        break;
    case LAB_LIMITED:
        lab_header(a, "X-RateLimit-Remaining", "0");
        lab_header(a, "X-RateLimit-Reset", "%" PRId64, a->reset_at / 1000);
        fail(a, 429, "too many requests", NULL);
        break;
    case LAB_DOWN:
        fail(a, 500, words, NULL);
        break;
    case LAB_NO_SUCH:
        fail(a, 404, "Resource not found", NULL);
        break;
    }
}

/* -- Mail --------------------------------------------------------------------------------------
 */

static const struct lab_file_names files = {.filename = "filename",
                                            .type = "type",
                                            .id = "content_id",
                                            .disposition = "disposition",
                                            .content = "content"};

static bool add_content(struct lab_ask *a, struct api_draft *d)
{
    const struct json *content = json_member(a->doc, "content");
    for (size_t i = 0; i < json_count(content); i++) {
        const struct json *one = json_element(content, i);
        struct text type = lab_string(one, "type"), value = lab_string(one, "value");
        if (value.n == 0)
            return false; /* "The content value must be a string at least one character" */
        if (text_eq(type, TEXT("text/plain")))
            d->text = value;
        else if (text_eq(type, TEXT("text/html")))
            d->html = value;
    }
    return lab_add_files(a, json_member(a->doc, "attachments"), &files, d) &&
           (d->text.n > 0 || d->html.n > 0);
}

/* One personalization is one message. */
static bool take_one(struct lab_ask *a, const struct json *p, struct text id)
{
    struct lab_mail m = {.api_id = id};
    struct api_draft *d = &m.draft;
    const struct json *reply = json_member(a->doc, "reply_to");
    d->from = lab_mailbox(json_member(a->doc, "from"));
    d->subject = lab_string(json_member(p, "subject") ? p : a->doc, "subject");
    if (!lab_is_address(d->from.address)) {
        refuse(a, LAB_BAD_ADDRESS, "from.email");
        return false;
    }
    if (json_count(json_member(p, "to")) == 0 || !lab_add_people(a, json_member(p, "to"), &d->to) ||
        !lab_add_people(a, json_member(p, "cc"), &d->cc) ||
        !lab_add_people(a, json_member(p, "bcc"), &d->bcc)) {
        refuse(a, LAB_BAD_ADDRESS, "personalizations.0.to.0.email");
        return false;
    }
    if (reply && !lab_add_mailbox(a, &d->reply_to, lab_mailbox(reply))) {
        refuse(a, LAB_BAD_ADDRESS, "reply_to.email");
        return false;
    }
    if (!add_content(a, d)) {
        refuse(a, LAB_BAD_MAIL,
               "The content value must be a string at least one character in length.");
        return false;
    }
    lab_add_headers(a, json_member(a->doc, "headers"), d);
    lab_add_pairs(&m, json_member(a->doc, "custom_args"));
    lab_add_pairs(&m, json_member(p, "custom_args"));
    return lab_take_or_refuse(a, &m);
}

static void on_send(struct lab_ask *a)
{
    const struct json *people = json_member(a->doc, "personalizations");
    struct text id = lab_new_id(a);
    put_rate(a);
    if (json_count(people) == 0 || json_count(people) > ADDRESSES_MAX) {
        fail(a, 400,
             "The personalizations field is required and must have at least one personalization.",
             "personalizations");
        return;
    }
    for (size_t i = 0; i < json_count(people); i++)
        if (!take_one(a, json_element(people, i), id))
            return;
    a->status = 202;
    lab_header(a, "X-Message-Id", TEXT_FMT, TEXT_ARG(id));
}

/* -- Lists -------------------------------------------------------------------------------------
 */

static void write_entry(struct lab_ask *a, const struct esp_suppression *s)
{
    const struct esp_event like = {.reason = s->reason};
    char status[16];
    jw_object(&a->w, NULL);
    jw_int(&a->w, "created", s->at / 1000);
    jw_text(&a->w, "email", s->address);
    if (strcmp(s->list, "spam_reports") == 0) {
        jw_str(&a->w, "ip", "192.0.2.10");
    } else if (strcmp(s->list, "unsubscribes") != 0) {
        jw_text(&a->w, "reason", s->reason);
        lab_status_of(&like, status);
        jw_str(&a->w, "status", status[0] ? status : "5.0.0");
    }
    jw_end(&a->w);
}

static void read_list(struct lab_ask *a, const char *list)
{
    int64_t skip = lab_query_int(a, "offset", 0), most = lab_query_int(a, "limit", PAGE_MAX);
    a->status = 200;
    jw_array(&a->w, NULL);
    for (size_t i = 0; i < a->esp->listed_count && most > 0; i++) {
        const struct esp_suppression *s = a->esp->listed[i];
        if (strcmp(s->list, list) != 0 || skip-- > 0)
            continue;
        write_entry(a, s);
        most--;
    }
    jw_end(&a->w);
}

static void delete_many(struct lab_ask *a, const char *list)
{
    const struct json *emails = json_member(a->doc, "emails");
    bool all = false;
    if (json_bool(json_member(a->doc, "delete_all"), &all) && all)
        for (size_t i = a->esp->listed_count; i-- > 0;) {
            if (strcmp(a->esp->listed[i]->list, list) == 0)
                esp_list_remove(a->esp, list, a->esp->listed[i]->address);
        }
    for (size_t i = 0; i < json_count(emails); i++)
        esp_list_remove(a->esp, list, json_string_text(json_element(emails, i)));
    a->status = 204;
}

static void on_one(struct lab_ask *a, const char *list, struct text email)
{
    const struct esp_suppression *s = esp_list_find(a->esp, list, email);
    if (text_eq(a->req->method, TEXT("DELETE"))) {
        if (esp_list_remove(a->esp, list, email))
            a->status = 204;
        return;
    }
    a->status = 200;
    jw_array(&a->w, NULL);
    if (s)
        write_entry(a, s);
    jw_end(&a->w);
}

static const char *list_named(struct text name)
{
    for (size_t i = 0; i < TIDE_COUNT(lists); i++)
        if (text_eq(name, text_of(lists[i])))
            return lists[i];
    return NULL;
}

static void on_lists(struct lab_ask *a)
{
    bool one =
        lab_is(a, "GET", "/v3/suppression/*/*") || lab_is(a, "DELETE", "/v3/suppression/*/*");
    bool all = lab_is(a, "GET", "/v3/suppression/*"),
         many = lab_is(a, "DELETE", "/v3/suppression/*");
    const char *list = one || all || many ? list_named(a->wild[0]) : NULL;
    if (!list)
        return;
    if (one)
        on_one(a, list, a->wild[1]);
    else if (all)
        read_list(a, list);
    else
        delete_many(a, list);
}

static void on_global(struct lab_ask *a)
{
    const struct json *emails = json_member(a->doc, "recipient_emails");
    if (lab_is(a, "DELETE", "/v3/asm/suppressions/global/*")) {
        esp_list_remove(a->esp, "unsubscribes", a->wild[0]);
        a->status = 204;
        return;
    }
    a->status = lab_is(a, "GET", "/v3/asm/suppressions/global/*") ? 200 : 201;
    if (a->status == 201)
        for (size_t i = 0; i < json_count(emails); i++)
            esp_list_put(a->esp, "unsubscribes", json_string_text(json_element(emails, i)),
                         TEXT(""));
    jw_object(&a->w, NULL);
    if (a->status == 200 && esp_list_find(a->esp, "unsubscribes", a->wild[0]))
        jw_text(&a->w, "recipient_email", a->wild[0]);
    jw_end(&a->w);
}

/* Email Activity, asked for one unique argument: (unique_args['NAME']="VALUE"). */
static void search(struct lab_ask *a)
{
    struct text query = http_query(a->req, "query"), rest, name, value;
    static const struct text front = {"(unique_args['", 14}, middle = {"']=\"", 4};
    const struct esp_about *m;
    size_t end = text_ifind(query, middle);
    rest = text_cut(query, end + middle.n, SIZE_MAX);
    if (!text_starts(query, front) || end == query.n || !text_iends(rest, TEXT("\")"))) {
        lab_words(a, 400, NULL, "{\"errors\":[{\"message\":\"invalid query\"}]}");
        return;
    }
    name = text_cut(query, front.n, end - front.n);
    value = text_cut(rest, 0, rest.n - 2);
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "messages");
    for (size_t pos = 0; (m = lab_find(a->esp, name, value, &pos));) {
        jw_object(&a->w, NULL);
        jw_text(&a->w, "msg_id", m->api_id);
        jw_text(&a->w, "from_email", m->sender);
        jw_text(&a->w, "to_email", m->recipient);
        jw_text(&a->w, "subject", m->subject);
        jw_str(&a->w, "status", "processed");
        jw_end(&a->w);
    }
    jw_end(&a->w);
    jw_end(&a->w);
}

static void serve(struct lab_ask *a)
{
    if (lab_is(a, "POST", "/v3/mail/send"))
        on_send(a);
    else if (lab_is(a, "POST", "/v3/asm/suppressions/global") ||
             lab_is(a, "GET", "/v3/asm/suppressions/global/*") ||
             lab_is(a, "DELETE", "/v3/asm/suppressions/global/*"))
        on_global(a);
    else if (lab_is(a, "GET", "/v3/messages"))
        search(a);
    else
        on_lists(a);
}

/* -- Events ------------------------------------------------------------------------------------
 */

static const char *list_of(const struct esp_event *v)
{
    return v->kind == ESP_COMPLAINT    ? "spam_reports"
           : v->cause == ESP_NO_DOMAIN ? "invalid_emails"
           : lab_is_block(v)           ? "blocks"
                                       : "bounces";
}

static const char *drop_words(const char *list)
{
    return strcmp(list, "bounces") == 0          ? "Bounced Address"
           : strcmp(list, "invalid_emails") == 0 ? "Invalid"
           : strcmp(list, "spam_reports") == 0   ? "Spam Reporting Address"
           : strcmp(list, "unsubscribes") == 0   ? "Unsubscribed Address"
                                                 : NULL;
}

static void write_why(struct json_writer *w, const struct esp_event *v)
{
    char status[16];
    if (v->kind == ESP_DELIVERED || v->kind == ESP_DEFERRED)
        jw_text(w, "response", v->reason);
    if (v->kind == ESP_DEFERRED)
        jw_str(w, "attempt", "1");
    if (v->kind == ESP_DROPPED || v->kind == ESP_BOUNCE)
        jw_text(w, "reason", v->reason);
    if (v->kind != ESP_BOUNCE)
        return;
    bool block = lab_is_block(v);
    lab_status_of(v, status);
    jw_str(w, "status", status[0] ? status : "5.0.0");
    jw_str(w, "type", block ? "blocked" : "bounce");
    jw_str(w, "bounce_classification",
           block                    ? "Reputation"
           : lab_is_unknown_user(v) ? "Invalid Address"
                                    : "Unclassified");
}

static void sign(struct esp *e, struct lab_post *p)
{
    struct buf signed_text = {0}, signature = {0};
    char at[32];
    snprintf(at, sizeof at, "%" PRId64, lab_signed_at_s());
    buf_adds(&signed_text, at);
    buf_add_text(&signed_text, buf_text(&p->body));
    signer_sign(e->signer, buf_text(&signed_text), &signature);
    lab_post_header(p, "X-Twilio-Email-Event-Webhook-Timestamp", "%s", at);
    lab_post_header(p, "X-Twilio-Email-Event-Webhook-Signature", "%s", buf_str(&signature));
    buf_fini(&signed_text);
    buf_fini(&signature);
}

static bool tell(struct esp *e, const struct esp_event *v, struct lab_post *p)
{
    static const char *const names[] = {"processed", "delivered", "deferred",
                                        "bounce",    "dropped",   "spamreport"};
    struct json_writer *w = &p->w;
    char id[200];
    jw_array(w, NULL);
    jw_object(w, NULL);
    lab_write_pairs(w, v->mail);
    jw_text(w, "email", v->mail->recipient);
    jw_int(w, "timestamp", v->at / 1000);
    jw_text(w, "smtp-id", v->mail->message_id);
    jw_str(w, "event", names[v->kind]);
    snprintf(id, sizeof id, "%s-%" PRId64, e->def->name, v->n);
    jw_str(w, "sg_event_id", id);
    snprintf(id, sizeof id, TEXT_FMT ".recvd-lab-1-%" PRId64, TEXT_ARG(v->mail->api_id),
             v->mail->id);
    jw_str(w, "sg_message_id", id);
    write_why(w, v);
    jw_end(w);
    jw_end(w);
    sign(e, p);
    return true;
}

const struct lab_api lab_sendgrid = {
    .name = "sendgrid",
    .sends = (const char *const[]){"/v3/mail/send", NULL},
    .may = may,
    .serve = serve,
    .refuse = refuse,
    .list_of = list_of,
    .drop_words = drop_words,
    .tell = tell,
};
