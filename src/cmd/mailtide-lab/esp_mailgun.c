/* Mailgun, as its documentation tells it.
 *
 *   POST /v3/DOMAIN/messages, messages.mime      form or multipart; user "api", the key as password
 *   GET, POST /v3/DOMAIN/LIST, GET, DELETE .../ADDRESS   LIST: bounces, complaints, unsubscribes;
 *                                                pages by address, with URLs in "paging"
 *   events   HMAC over timestamp and token, in the body
 *
 * A permanent failure lists the address in bounces, unless it speaks of policy; mail to a listed
 * one fails as "suppress-bounce" (605), "suppress-complaint" (607), "suppress-unsubscribe" (606).
 */
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"
#include "core/proto/form.h"

#include <inttypes.h>

#define PAGE_PRESET 100
#define PAGE_MAX    1000

static const char *const lists[] = {"bounces", "complaints", "unsubscribes"};

static bool may(struct lab_ask *a)
{
    return lab_has_basic(a, "api");
}

static void say(struct lab_ask *a, unsigned status, const char *message)
{
    a->status = status;
    jw_object(&a->w, NULL);
    jw_str(&a->w, "message", message);
    jw_end(&a->w);
}

static void refuse(struct lab_ask *a, enum lab_refusal why, const char *words)
{
    switch (why) {
    case LAB_BAD_KEY:
        lab_words(a, 401, "text/plain", "Forbidden");
        break;
    case LAB_BAD_BODY:
    case LAB_BAD_MAIL:
        say(a, 400, words);
        break;
    case LAB_BAD_ADDRESS:
        say(a, 400, "to parameter is not a valid address. please check documentation");
        break;
    case LAB_BAD_SENDER:
        say(a, 403, "Domain is not allowed to send: the domain is unverified");
        break;
    case LAB_LIMITED:
        lab_header(a, "Retry-After", "%" PRId64, lab_seconds_to_reset(a));
        say(a, 429, words);
        break;
    case LAB_DOWN:
        say(a, 500, words);
        break;
    case LAB_NO_SUCH:
        lab_words(a, 404, "text/plain", "404 page not found");
        break;
    }
}

/* -- Mail --------------------------------------------------------------------------------------
 */

static bool read_form(struct lab_ask *a, struct form *ret)
{
    return form_parse(http_header(a->req, "Content-Type"), a->req->body, &a->arena, ret, NULL) ==
           TIDE_OK;
}

static bool add_people(struct lab_ask *a,
                       const struct form *f,
                       const char *name,
                       struct api_addresses *ret)
{
    for (size_t i = 0; i < f->count; i++)
        if (text_eq(f->fields[i].name, text_of(name)) &&
            !lab_read_mailboxes(a, f->fields[i].value, ret))
            return false;
    return true;
}

static void add_field(const struct form_field *f, struct lab_mail *m)
{
    struct api_draft *d = &m->draft;
    struct text name = f->name;
    if (text_starts(name, TEXT("v:"))) {
        lab_add_pair(m, text_cut(name, 2, SIZE_MAX), f->value);
    } else if (text_starts(name, TEXT("h:")) && d->header_count < API_HEADERS_MAX) {
        d->headers[d->header_count++] = (struct api_header){text_cut(name, 2, SIZE_MAX), f->value};
    } else if ((text_eq(name, TEXT("attachment")) || text_eq(name, TEXT("inline"))) &&
               d->attachment_count < API_ATTACHMENTS_MAX) {
        d->attachments[d->attachment_count++] =
            (struct api_attachment){.filename = f->filename,
                                    .content_type = f->content_type.p ? f->content_type : TEXT(""),
                                    .content = f->value,
                                    .content_id = f->filename,
                                    .is_inline = text_eq(name, TEXT("inline"))};
    }
}

static const char *read_mail(struct lab_ask *a, const struct form *f, bool mime, struct lab_mail *m)
{
    struct api_draft *d = &m->draft;
    struct api_addresses from = {0};
    d->headers = arena_array(&a->arena, API_HEADERS_MAX, sizeof *d->headers);
    d->attachments = arena_array(&a->arena, API_ATTACHMENTS_MAX, sizeof *d->attachments);
    if (!d->headers || !d->attachments)
        return "out of memory";
    d->subject = form_value(f, "subject");
    d->text = form_value(f, "text");
    d->html = form_value(f, "html");
    for (size_t i = 0; i < f->count; i++)
        add_field(&f->fields[i], m);
    if (mime) {
        struct message message;
        m->raw = form_value(f, "message");
        if (message_open(m->raw, &message, NULL) != TIDE_OK ||
            message_from(&message, &a->arena, &d->from, NULL) != TIDE_OK)
            return "message parameter is not a valid MIME message";
    } else {
        if (!lab_read_mailboxes(a, form_value(f, "from"), &from) || from.count != 1)
            return "from parameter is missing";
        d->from = from.list[0];
        if (!d->text.p && !d->html.p)
            return "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters "
                   "specified";
    }
    if (!add_people(a, f, "to", &d->to) || !add_people(a, f, "cc", &d->cc) ||
        !add_people(a, f, "bcc", &d->bcc) || d->to.count == 0)
        return "to parameter is not a valid address. please check documentation";
    return NULL;
}

static void on_send(struct lab_ask *a, bool mime)
{
    struct form f = {0};
    struct lab_mail m = {0};
    struct text name = lab_new_id(a);
    m.api_id = text_of(arena_printf(&a->arena, "<" TEXT_FMT "@" TEXT_FMT ">", TEXT_ARG(name),
                                    TEXT_ARG(a->wild[0])));
    if (!read_form(a, &f)) {
        refuse(a, LAB_BAD_BODY, "The body is no form");
        return;
    }
    const char *wrong = read_mail(a, &f, mime, &m);
    if (wrong) {
        refuse(a, LAB_BAD_MAIL, wrong);
        return;
    }
    if (!lab_take_or_refuse(a, &m))
        return;
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_text(&a->w, "id", m.api_id);
    jw_str(&a->w, "message", "Queued. Thank you.");
    jw_end(&a->w);
}

/* -- Lists -------------------------------------------------------------------------------------
 */

static void write_entry(struct lab_ask *a, const struct esp_suppression *s)
{
    char at[TIME_TEXT_BYTES], code[16];
    const struct esp_event like = {.reason = s->reason};
    jw_object(&a->w, NULL);
    jw_text(&a->w, "address", s->address);
    if (strcmp(s->list, "bounces") == 0) {
        snprintf(code, sizeof code, "%d", lab_code_of(&like));
        jw_str(&a->w, "code", code);
        jw_text(&a->w, "error", s->reason);
    }
    jw_str(&a->w, "created_at", time_rfc5322(s->at, 0, at));
    jw_end(&a->w);
}

static void put_page(
    struct lab_ask *a, const char *name, const char *page, struct text from, int64_t most)
{
    char url[800];
    struct text host = http_header(a->req, "Host");
    snprintf(url, sizeof url,
             "%s://" TEXT_FMT TEXT_FMT "?page=%s&address=" TEXT_FMT "&limit=%" PRId64,
             a->esp->def->tls ? "https" : "http", TEXT_ARG(host), TEXT_ARG(a->req->path), page,
             TEXT_ARG(from), most);
    jw_str(&a->w, name, url);
}

static void read_list(struct lab_ask *a, const char *list)
{
    int64_t most = TIDE_MIN(lab_query_int(a, "limit", PAGE_PRESET), PAGE_MAX), left = most;
    struct text after = http_query(a->req, "address"), last = after;
    bool begun = after.n == 0;
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "items");
    for (size_t i = 0; i < a->esp->listed_count && left > 0; i++) {
        const struct esp_suppression *s = a->esp->listed[i];
        if (strcmp(s->list, list) != 0)
            continue;
        if (begun) {
            write_entry(a, s);
            last = s->address;
            left--;
        }
        begun = begun || text_ieq(s->address, after);
    }
    jw_end(&a->w);
    jw_object(&a->w, "paging");
    put_page(a, "first", "first", TEXT(""), most);
    put_page(a, "next", "next", last, most);
    put_page(a, "previous", "previous", after, most);
    put_page(a, "last", "last", TEXT(""), most);
    jw_end(&a->w);
    jw_end(&a->w);
}

static void delete_entry(struct lab_ask *a, const char *list)
{
    if (!esp_list_remove(a->esp, list, a->wild[1])) {
        say(a, 404, "Address not found in this table");
        return;
    }
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_text(&a->w, "address", a->wild[1]);
    jw_str(&a->w, "message", "The address has been removed");
    jw_end(&a->w);
}

static void on_lists(struct lab_ask *a)
{
    for (size_t i = 0; i < TIDE_COUNT(lists); i++) {
        char all[64], one[64];
        snprintf(all, sizeof all, "/v3/*/%s", lists[i]);
        snprintf(one, sizeof one, "/v3/*/%s/*", lists[i]);
        const struct esp_suppression *s;
        if (lab_is(a, "GET", all)) {
            read_list(a, lists[i]);
        } else if (lab_is(a, "DELETE", one)) {
            delete_entry(a, lists[i]);
        } else if (lab_is(a, "GET", one)) {
            s = esp_list_find(a->esp, lists[i], a->wild[1]);
            if (s) {
                a->status = 200;
                write_entry(a, s);
            } else {
                say(a, 404, "Address not found in this table");
            }
        } else if (lab_is(a, "POST", all)) {
            struct form f = {0};
            if (read_form(a, &f) && lab_is_address(form_value(&f, "address"))) {
                esp_list_put(a->esp, lists[i], form_value(&f, "address"), form_value(&f, "error"));
                say(a, 200, "1 address has been added");
            } else {
                say(a, 400, "address is missing");
            }
        }
    }
}

static void list_events(struct lab_ask *a);

static void serve(struct lab_ask *a)
{
    if (lab_is(a, "POST", "/v3/*/messages"))
        on_send(a, false);
    else if (lab_is(a, "POST", "/v3/*/messages.mime"))
        on_send(a, true);
    else if (lab_is(a, "GET", "/v3/*/events"))
        list_events(a);
    else
        on_lists(a);
}

/* -- Events ------------------------------------------------------------------------------------
 */

static const char *list_of(const struct esp_event *v)
{
    return v->kind == ESP_COMPLAINT ? "complaints" : lab_is_block(v) ? NULL : "bounces";
}

static const char *drop_words(const char *list)
{
    return strcmp(list, "bounces") == 0      ? "Not delivering to previously bounced address"
           : strcmp(list, "complaints") == 0 ? "Not delivering to a user who marked your messages "
                                               "as spam"
                                             : "Not delivering to unsubscribed address";
}

static void write_status(struct json_writer *w, const struct esp_event *v)
{
    char status[16];
    bool dropped = v->kind == ESP_DROPPED;
    int suppressed = v->list && strcmp(v->list, "complaints") == 0     ? 607
                     : v->list && strcmp(v->list, "unsubscribes") == 0 ? 606
                                                                       : 605;
    jw_object(w, "delivery-status");
    jw_int(w, "attempt-no", 1);
    jw_int(w, "code", dropped ? suppressed : lab_code_of(v));
    lab_status_of(v, status);
    if (status[0])
        jw_str(w, "enhanced-code", status);
    jw_text(w, dropped ? "description" : "message", v->reason);
    if (dropped)
        jw_str(w, "message", "");
    jw_end(w);
}

static const char *const event_names[] = {"accepted", "delivered", "failed",
                                          "failed",   "failed",    "complained"};

static void write_event(struct esp *e,
                        const struct esp_event *v,
                        struct json_writer *w,
                        const char *name_of_it)
{
    char id[100];
    jw_object(w, name_of_it);
    jw_str(w, "event", event_names[v->kind]);
    snprintf(id, sizeof id, "%s-%" PRId64, e->def->name, v->n);
    jw_str(w, "id", id);
    jw_number(w, "timestamp", (double)v->at / 1000);
    jw_text(w, "recipient", v->mail->recipient);
    if (v->kind == ESP_DEFERRED || v->kind == ESP_BOUNCE || v->kind == ESP_DROPPED) {
        jw_str(w, "severity", v->kind == ESP_DEFERRED ? "temporary" : "permanent");
        jw_str(w, "reason",
               v->kind == ESP_DEFERRED        ? "generic"
               : v->kind == ESP_BOUNCE        ? (v->cause == ESP_EXPIRED ? "old" : "bounce")
               : v->list && v->list[0] == 'c' ? "suppress-complaint"
               : v->list && v->list[0] == 'u' ? "suppress-unsubscribe"
                                              : "suppress-bounce");
        write_status(w, v);
    }
    jw_object(w, "envelope");
    jw_text(w, "sender", v->mail->sender);
    jw_text(w, "targets", v->mail->recipient);
    jw_end(w);
    jw_object(w, "message");
    jw_object(w, "headers");
    struct text name = v->mail->api_id.n > 0 ? v->mail->api_id : v->mail->message_id;
    if (name.n > 2 && name.p[0] == '<')
        name = text_cut(name, 1, name.n - 2);
    jw_text(w, "message-id", name);
    jw_text(w, "subject", v->mail->subject);
    jw_end(w);
    jw_end(w);
    jw_object(w, "user-variables");
    lab_write_pairs(w, v->mail);
    jw_end(w);
    jw_end(w);
}

/* Events of one kind and recipient. */
static void list_events(struct lab_ask *a)
{
    struct text kind = http_query(a->req, "event"), to = http_query(a->req, "recipient");
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "items");
    for (size_t i = 0; i < a->esp->event_count; i++) {
        const struct esp_event *v = &a->esp->events[i];
        if ((kind.n == 0 || text_eq(kind, text_of(event_names[v->kind]))) &&
            (to.n == 0 || text_ieq(to, v->mail->recipient)))
            write_event(a->esp, v, &a->w, NULL);
    }
    jw_end(&a->w);
    jw_end(&a->w);
}

static bool tell(struct esp *e, const struct esp_event *v, struct lab_post *p)
{
    char at[32], token[64];
    struct buf t = {0}, signature = {0};
    snprintf(at, sizeof at, "%" PRId64, lab_signed_at_s());
    snprintf(token, sizeof token, "%050" PRId64, v->n);
    buf_addf(&t, "%s%s", at, token);
    sign_hmac_hex(text_of(e->def->webhook_key), buf_text(&t), &signature);
    jw_object(&p->w, NULL);
    jw_object(&p->w, "signature");
    jw_str(&p->w, "timestamp", at);
    jw_str(&p->w, "token", token);
    jw_text(&p->w, "signature", buf_text(&signature));
    jw_end(&p->w);
    write_event(e, v, &p->w, "event-data");
    jw_end(&p->w);
    buf_fini(&t);
    buf_fini(&signature);
    return true;
}

const struct lab_api lab_mailgun = {
    .name = "mailgun",
    .sends = (const char *const[]){"/v3/*/messages", "/v3/*/messages.mime", NULL},
    .may = may,
    .serve = serve,
    .refuse = refuse,
    .list_of = list_of,
    .drop_words = drop_words,
    .tell = tell,
};
