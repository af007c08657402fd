/* Postmark, as its documentation tells it.
 *
 *   POST /email, /email/batch                   the token in X-Postmark-Server-Token
 *   GET  /message-streams/STREAM/suppressions/dump, POST .../suppressions, .../suppressions/delete
 *   GET  /bounces?count=&offset=&emailFilter=   what was said of a listed address
 *   events   Bounce, Delivery, SpamComplaint; HTTP Basic
 *
 * A hard bounce or a complaint makes the recipient inactive, and a mail to one is refused with 406
 * when it is handed in. Complaints cannot be deleted. */
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"

#include <inttypes.h>

#define BATCH_MAX 500

static bool may(struct lab_ask *a)
{
    return text_eq(http_header(a->req, "X-Postmark-Server-Token"), text_of(a->esp->def->password));
}

static void say_error(struct lab_ask *a, int code, const char *message)
{
    jw_object(&a->w, NULL);
    jw_int(&a->w, "ErrorCode", code);
    jw_str(&a->w, "Message", message);
    jw_end(&a->w);
}

static const struct {
    unsigned status;
    int code;
} errors[] = {
    [LAB_BAD_KEY] = {401, 10},     [LAB_BAD_BODY] = {422, 402}, [LAB_BAD_ADDRESS] = {422, 300},
    [LAB_BAD_SENDER] = {422, 400}, [LAB_BAD_MAIL] = {422, 300}, [LAB_LIMITED] = {429, 429},
    [LAB_DOWN] = {500, 500},       [LAB_NO_SUCH] = {404, 404},
};

static void refuse(struct lab_ask *a, enum lab_refusal why, const char *words)
{
    a->status = errors[why].status;
    say_error(a, errors[why].code, words);
}

/* -- Mail --------------------------------------------------------------------------------------
 */

static void add_headers(struct lab_ask *a, const struct json *mail, struct api_draft *d)
{
    const struct json *headers = json_member(mail, "Headers");
    d->headers = arena_array(&a->arena, json_count(headers) + 1, sizeof *d->headers);
    for (size_t i = 0; d->headers && i < json_count(headers); i++)
        d->headers[d->header_count++] =
            (struct api_header){lab_string(json_element(headers, i), "Name"),
                                lab_string(json_element(headers, i), "Value")};
}

static const struct lab_file_names files = {.filename = "Name",
                                            .type = "ContentType",
                                            .id = "ContentID",
                                            .content = "Content",
                                            .id_scheme = "cid:"};

static const char *inactive_of(struct lab_ask *a, const struct api_draft *d)
{
    const struct api_addresses *all[] = {&d->to, &d->cc, &d->bcc};
    for (size_t i = 0; i < TIDE_COUNT(all); i++)
        for (size_t k = 0; k < all[i]->count; k++)
            if (esp_list_find(a->esp, NULL, all[i]->list[k].address))
                return arena_printf(
                    &a->arena,
                    "You tried to send to recipient(s) that have been marked as inactive. Found "
                    "inactive addresses: " TEXT_FMT ". Inactive recipients are ones that have "
                    "generated a hard bounce, a spam complaint, or a manual suppression.",
                    TEXT_ARG(all[i]->list[k].address));
    return NULL;
}

/* Writes the answer to one mail; the status that it would have alone. */
static unsigned take(struct lab_ask *a, const struct json *mail)
{
    struct lab_mail m = {.api_id = lab_new_uuid(a), .stream = lab_string(mail, "MessageStream")};
    struct api_draft *d = &m.draft;
    struct api_addresses from = {0};
    const char *words = "";
    char at[TIME_TEXT_BYTES];
    d->subject = lab_string(mail, "Subject");
    d->text = json_string_text(json_member(mail, "TextBody"));
    d->html = json_string_text(json_member(mail, "HtmlBody"));
    if (m.stream.n == 0)
        m.stream = TEXT("outbound");
    if (!lab_read_mailboxes(a, lab_string(mail, "From"), &from) || from.count != 1 ||
        !lab_read_mailboxes(a, lab_string(mail, "To"), &d->to) ||
        !lab_read_mailboxes(a, lab_string(mail, "Cc"), &d->cc) ||
        !lab_read_mailboxes(a, lab_string(mail, "Bcc"), &d->bcc) ||
        !lab_read_mailboxes(a, lab_string(mail, "ReplyTo"), &d->reply_to) ||
        d->to.count + d->cc.count + d->bcc.count == 0) {
        say_error(a, 300, "Invalid 'To' or 'From' address.");
        return 422;
    }
    d->from = from.list[0];
    if (!lab_add_files(a, json_member(mail, "Attachments"), &files, d) ||
        (d->text.n == 0 && d->html.n == 0)) {
        say_error(a, 300, "Provide either email TextBody or HtmlBody or both.");
        return 422;
    }
    const char *inactive = inactive_of(a, d);
    if (inactive) {
        say_error(a, 406, inactive);
        return 422;
    }
    add_headers(a, mail, d);
    lab_add_pairs(&m, json_member(mail, "Metadata"));
    enum lab_taken taken = lab_take(a, &m, &words);
    if (taken != LAB_TAKEN) {
        say_error(a, taken == LAB_OVER_LIMIT ? 429 : 300, words);
        return taken == LAB_OVER_LIMIT ? 429 : 422;
    }
    jw_object(&a->w, NULL);
    jw_text(&a->w, "To", lab_string(mail, "To"));
    jw_str(&a->w, "SubmittedAt", time_rfc3339(clock_wall(a->esp->parts.clock), 0, at));
    jw_text(&a->w, "MessageID", m.api_id);
    jw_int(&a->w, "ErrorCode", 0);
    jw_str(&a->w, "Message", "OK");
    jw_end(&a->w);
    return 200;
}

static void send_batch(struct lab_ask *a)
{
    if (json_kind(a->doc) != JSON_KIND_ARRAY || json_count(a->doc) > BATCH_MAX) {
        a->status = 422;
        say_error(a, 410, "Too many batch messages");
        return;
    }
    a->status = 200;
    jw_array(&a->w, NULL);
    for (size_t i = 0; i < json_count(a->doc); i++)
        (void)take(a, json_element(a->doc, i));
    jw_end(&a->w);
}

/* -- Lists -------------------------------------------------------------------------------------
 */

static void dump(struct lab_ask *a)
{
    struct text only = http_query(a->req, "EmailAddress");
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "Suppressions");
    for (size_t i = 0; i < a->esp->listed_count; i++) {
        const struct esp_suppression *s = a->esp->listed[i];
        if (only.n > 0 && !text_ieq(only, s->address))
            continue;
        jw_object(&a->w, NULL);
        jw_text(&a->w, "EmailAddress", s->address);
        jw_str(&a->w, "SuppressionReason", s->list);
        jw_str(&a->w, "Origin",
               strcmp(s->list, "ManualSuppression") == 0 ? "Customer" : "Recipient");
        jw_time(&a->w, "CreatedAt", s->at);
        jw_end(&a->w);
    }
    jw_end(&a->w);
    jw_end(&a->w);
}

static void change(struct lab_ask *a, bool add)
{
    const struct json *all = json_member(a->doc, "Suppressions");
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "Suppressions");
    for (size_t i = 0; i < json_count(all); i++) {
        struct text address = lab_string(json_element(all, i), "EmailAddress");
        bool complaint = esp_list_find(a->esp, "SpamComplaint", address) != NULL;
        if (add)
            esp_list_put(a->esp, "ManualSuppression", address, TEXT(""));
        else if (!complaint)
            esp_list_remove(a->esp, NULL, address);
        jw_object(&a->w, NULL);
        jw_text(&a->w, "EmailAddress", address);
        jw_str(&a->w, "Status", add ? "Suppressed" : complaint ? "Failed" : "Deleted");
        jw_str(&a->w, "Message",
               complaint && !add
                   ? "You do not have the required authority to change this suppression."
                   : NULL);
        jw_end(&a->w);
    }
    jw_end(&a->w);
    jw_end(&a->w);
}

static void write_bounce(struct json_writer *w, const char *name, const struct esp_event *v)
{
    bool complaint = v->kind == ESP_COMPLAINT, hard = !complaint && !lab_is_block(v);
    jw_object(w, name);
    if (!name)
        jw_str(w, "RecordType", complaint ? "SpamComplaint" : "Bounce");
    jw_int(w, "ID", v->n);
    jw_str(w, "Type",
           complaint                 ? "SpamComplaint"
           : hard                    ? "HardBounce"
           : v->cause == ESP_EXPIRED ? "SoftBounce"
                                     : "Blocked");
    jw_int(w, "TypeCode", complaint ? 100001 : hard ? 1 : v->cause == ESP_EXPIRED ? 4096 : 100006);
    jw_str(w, "Name", complaint ? "Spam complaint" : hard ? "Hard bounce" : "Soft bounce");
    jw_text(w, "MessageID", v->mail->api_id);
    jw_str(w, "MessageStream", "outbound");
    jw_int(w, "ServerID", 23);
    jw_str(w, "Description", "The server was unable to deliver your message");
    jw_text(w, "Details", v->reason);
    jw_text(w, "Email", v->mail->recipient);
    jw_text(w, "From", v->mail->sender);
    jw_time(w, "BouncedAt", v->at);
    jw_bool(w, "DumpAvailable", false);
    jw_bool(w, "Inactive", complaint || hard);
    jw_bool(w, "CanActivate", hard);
    jw_text(w, "Subject", v->mail->subject);
    jw_object(w, "Metadata");
    lab_write_pairs(w, v->mail);
    jw_end(w);
    jw_end(w);
}

/* Newest first. */
static void read_bounces(struct lab_ask *a)
{
    struct text only = http_query(a->req, "emailFilter");
    int64_t skip = lab_query_int(a, "offset", 0), most = lab_query_int(a, "count", BATCH_MAX),
            n = 0;
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "Bounces");
    for (size_t i = a->esp->event_count; i-- > 0;) {
        const struct esp_event *v = &a->esp->events[i];
        if ((v->kind != ESP_BOUNCE && v->kind != ESP_COMPLAINT) ||
            (only.n > 0 && !text_ieq(only, v->mail->recipient)))
            continue;
        if (n++ >= skip && n <= skip + most)
            write_bounce(&a->w, NULL, v);
    }
    jw_end(&a->w);
    jw_int(&a->w, "TotalCount", n);
    jw_end(&a->w);
}

/* One member of Metadata may be asked for: metadata_NAME=VALUE. */
static void search(struct lab_ask *a)
{
    static const struct text id = {"mailtide_attempt", 16};
    struct text value = http_query(a->req, "metadata_mailtide_attempt"),
                stream = http_query(a->req, "messagestream");
    const struct esp_about *m;
    int64_t n = 0;
    if (http_query(a->req, "count").n == 0 || http_query(a->req, "offset").n == 0) {
        lab_words(a, 422, NULL,
                  "{\"ErrorCode\":700,\"Message\":\"'count' and 'offset' are required.\"}");
        return;
    }
    a->status = 200;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "Messages");
    for (size_t pos = 0; (m = lab_find(a->esp, id, value, &pos)); n++) {
        if (!text_eq(m->stream, stream.n > 0 ? stream : TEXT("outbound")))
            continue;
        jw_object(&a->w, NULL);
        jw_text(&a->w, "MessageID", m->api_id);
        jw_text(&a->w, "MessageStream", m->stream);
        jw_str(&a->w, "Status", "Sent");
        jw_time(&a->w, "ReceivedAt", m->accepted_at);
        jw_object(&a->w, "Metadata");
        lab_write_pairs(&a->w, m);
        jw_end(&a->w);
        jw_end(&a->w);
    }
    jw_end(&a->w);
    jw_int(&a->w, "TotalCount", n);
    jw_end(&a->w);
}

static void serve(struct lab_ask *a)
{
    if (lab_is(a, "POST", "/email"))
        a->status = take(a, a->doc);
    else if (lab_is(a, "POST", "/email/batch"))
        send_batch(a);
    else if (lab_is(a, "GET", "/message-streams/*/suppressions/dump"))
        dump(a);
    else if (lab_is(a, "POST", "/message-streams/*/suppressions"))
        change(a, true);
    else if (lab_is(a, "POST", "/message-streams/*/suppressions/delete"))
        change(a, false);
    else if (lab_is(a, "GET", "/bounces"))
        read_bounces(a);
    else if (lab_is(a, "GET", "/messages/outbound"))
        search(a);
}

/* -- Events ------------------------------------------------------------------------------------
 */

static const char *list_of(const struct esp_event *v)
{
    return v->kind == ESP_COMPLAINT ? "SpamComplaint" : lab_is_block(v) ? NULL : "HardBounce";
}

/* By SMTP, where nobody can be told at once. */
static const char *drop_words(const char *list)
{
    (void)list;
    return "The recipient is inactive";
}

static bool tell(struct esp *e, const struct esp_event *v, struct lab_post *p)
{
    struct json_writer *w = &p->w;
    if (v->kind == ESP_BOUNCE || v->kind == ESP_COMPLAINT) {
        write_bounce(w, NULL, v);
    } else if (v->kind == ESP_DELIVERED) {
        jw_object(w, NULL);
        jw_str(w, "RecordType", "Delivery");
        jw_int(w, "ServerID", 23);
        jw_text(w, "MessageStream", v->mail->stream);
        jw_text(w, "MessageID", v->mail->api_id);
        jw_text(w, "Recipient", v->mail->recipient);
        jw_time(w, "DeliveredAt", v->at);
        jw_text(w, "Details", v->reason);
        jw_object(w, "Metadata");
        lab_write_pairs(w, v->mail);
        jw_end(w);
        jw_end(w);
    } else {
        return false;
    }
    lab_post_basic(e, p);
    return true;
}

const struct lab_api lab_postmark = {
    .name = "postmark",
    .sends = (const char *const[]){"/email", "/email/batch", NULL},
    .may = may,
    .serve = serve,
    .refuse = refuse,
    .list_of = list_of,
    .drop_words = drop_words,
    .tell = tell,
};
