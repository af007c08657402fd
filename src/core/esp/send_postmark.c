/* Postmark, POST /email and, of mail with a stored template, /email/withTemplate, behind; of
 * several mails /email/batch and /email/batchWithTemplates.
 *
 *   fields   From, To (the recipient alone), ReplyTo, Subject, TextBody, HtmlBody, Headers,
 *            Attachments (inline with ContentID "cid:.."), Metadata; MessageStream from the
 *            application's X-PM-Message-Stream, else the account's
 *   answer   200 {"ErrorCode":0,"MessageID"}; of several 200 [{..},{..}] in their order, with
 *            templates perhaps as {"Messages":[..]}: an element may be an error
 *   errors   {"ErrorCode","Message"}: 406 the recipient is inactive, 300 and others the mail's,
 *            400 and 401 the sender's, 405 out of credits, 412 and 413 the account's
 */
#include "base/macros.h"
#include "core/esp/send_fields.h"

#define STREAM_FIELD "X-PM-Message-Stream"
#define BATCH_MAX    500

static const struct send_bundle plain = {"/email/batch", "[", "]", NULL, NULL};
static const struct send_bundle templates = {"/email/batchWithTemplates", "{\"Messages\":[", "]}",
                                             NULL, NULL};

static void put_headers(struct json_writer *w, const struct send_fields *f, struct arena *a)
{
    struct text name, value;
    jw_array(w, "Headers");
    for (size_t pos = 0; send_fields_header(f, &pos, a, &name, &value);) {
        if (text_ieq(name, TEXT(STREAM_FIELD)))
            continue;
        jw_object(w, NULL);
        jw_text(w, "Name", name);
        jw_text(w, "Value", value);
        jw_end(w);
    }
    jw_end(w);
}

static void put_files(struct json_writer *w, const struct taken_parts *parts)
{
    if (parts->file_count == 0)
        return;
    jw_array(w, "Attachments");
    for (size_t i = 0; i < parts->file_count; i++) {
        const struct taken_file *f = &parts->files[i];
        jw_object(w, NULL);
        jw_text(w, "Name", f->name);
        send_put_base64(w, "Content", f->bytes);
        jw_text(w, "ContentType", f->type);
        if (f->shown) {
            struct buf cid = {0};
            buf_addf(&cid, "cid:" TEXT_FMT, TEXT_ARG(f->content_id));
            jw_text(w, "ContentID", buf_text(&cid));
            buf_fini(&cid);
        }
        jw_end(w);
    }
    jw_end(w);
}

struct text send_postmark_stream(const struct send_mail *mail,
                                 const struct message *m,
                                 struct arena *a)
{
    struct text own = message_raw_value(m, TEXT(STREAM_FIELD), a);
    return own.n > 0 ? own : mail->place;
}

static void put_body(struct json_writer *w,
                     const struct send_mail *mail,
                     const struct send_fields *f,
                     struct arena *a)
{
    struct text stream = send_postmark_stream(mail, &f->message, a);
    jw_object(w, NULL);
    send_put_mailbox(w, "From", &f->from);
    send_put_mailbox(w, "To", &f->to);
    if (f->reply_to_count > 0)
        send_put_mailboxes(w, "ReplyTo", f->reply_to, f->reply_to_count);
    if (f->template.p) {
        send_put_template(f, w, "TemplateId");
        send_put_template(f, w, "TemplateAlias");
        send_put_template(f, w, "TemplateModel");
        send_put_template(f, w, "InlineCss");
    } else {
        jw_text(w, "Subject", f->subject);
    }
    if (f->parts.plain.n > 0)
        jw_text(w, "TextBody", f->parts.plain);
    if (f->parts.html.n > 0)
        jw_text(w, "HtmlBody", f->parts.html);
    put_headers(w, f, a);
    put_files(w, &f->parts);
    jw_object(w, "Metadata");
    send_put_id(w, SEND_ID_NAME, mail->attempt_id);
    jw_end(w);
    if (stream.n > 0)
        jw_text(w, "MessageStream", stream);
    jw_end(w);
}

static enum tide_err build(const struct send_mail *mail,
                           struct arena *a,
                           struct send_request *ret,
                           struct tide_error *err)
{
    struct send_fields f;
    struct json_writer w;
    enum tide_err rc = send_fields_read(mail, &send_postmark, a, &f, err);
    if (rc != TIDE_OK)
        return rc;
    ret->path = f.template.p ? TEXT("/email/withTemplate") : TEXT("/email");
    ret->bundle = f.template.p ? &templates : &plain;
    send_add_header(ret, "X-Postmark-Server-Token", mail->key);
    send_add_header(ret, "Content-Type", TEXT("application/json"));
    send_add_header(ret, "Accept", TEXT("application/json"));
    jw_init(&w, &ret->body);
    put_body(&w, mail, &f, a);
    return buf_check(&ret->body, err);
}

static const struct {
    int64_t code;
    const char *text;
    enum send_meaning meaning;
} codes[] = {
    {10, "10", SEND_KEY},      {300, "300", SEND_MAIL},   {400, "400", SEND_SENDER},
    {401, "401", SEND_SENDER}, {405, "405", SEND_UNPAID}, {406, "406", SEND_SUPPRESSED},
    {412, "412", SEND_KEY},    {413, "413", SEND_KEY},    {429, "429", SEND_LIMITED},
};

static void read_code(int64_t code, struct send_words *w)
{
    for (size_t i = 0; i < TIDE_COUNT(codes); i++) {
        if (code == codes[i].code) {
            w->meaning = codes[i].meaning;
            w->code = text_of(codes[i].text);
        }
    }
}

static void read_answer(const struct send_answer *answer,
                        const struct json *doc,
                        struct send_words *w)
{
    int64_t code = 0;
    w->id = json_string_text(json_member(doc, "MessageID"));
    w->words = json_string_text(json_member(doc, "Message"));
    bool has = json_int(json_member(doc, "ErrorCode"), &code);
    if (answer->status < 300 && (!has || code != 0))
        w->id = TEXT(""); /* not the answer of a mail that was taken */
    if (has && answer->status >= 400 && answer->status < 500)
        read_code(code, w);
}

static bool read_batch(const struct json *doc, size_t count, struct send_words *each)
{
    const struct json *list =
        json_kind(doc) == JSON_KIND_OBJECT ? json_member(doc, "Messages") : doc;
    if (json_kind(list) != JSON_KIND_ARRAY || json_count(list) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct json *one = json_element(list, i);
        int64_t code = 0;
        bool has = json_int(json_member(one, "ErrorCode"), &code);
        each[i] = (struct send_words){.meaning = !has   ? SEND_LOST
                                                 : code ? SEND_MAIL
                                                        : SEND_TAKEN,
                                      .id = json_string_text(json_member(one, "MessageID")),
                                      .words = json_string_text(json_member(one, "Message"))};
        if (has && code != 0)
            read_code(code, &each[i]);
    }
    return true;
}

const struct send_api send_postmark = {
    .name = "postmark",
    .title = "Postmark",
    .build = build,
    .read = read_answer,
    .read_batch = read_batch,
    .batch_max = BATCH_MAX,
};
