/* SendGrid v3, POST /v3/mail/send, behind.
 *
 *   fields   personalizations (one, with the recipient alone), from, reply_to or reply_to_list,
 *            subject, content, attachments (inline with content_id), headers, custom_args
 *   answer   202 without a body; the mail's id is X-Message-Id
 *   errors   {"errors":[{"message","field","help"}]}; 403 with a field "from": the sender is not
 *            verified
 *   template template_id, dynamic_template_data and substitutions of a mail that came by this API
 *   changed  an empty subject becomes "(no subject)", which the API insists on
 */
#include "core/esp/send_fields.h"

static void put_reply_to(struct json_writer *w, const struct send_fields *f)
{
    if (f->reply_to_count == 1)
        send_put_pair(w, "reply_to", &f->reply_to[0]);
    if (f->reply_to_count < 2)
        return;
    jw_array(w, "reply_to_list");
    for (size_t i = 0; i < f->reply_to_count; i++)
        send_put_pair(w, NULL, &f->reply_to[i]);
    jw_end(w);
}

static void put_content(struct json_writer *w, const char *type, struct text value)
{
    if (value.n == 0)
        return;
    jw_object(w, NULL);
    jw_str(w, "type", type);
    jw_text(w, "value", value);
    jw_end(w);
}

static void put_files(struct json_writer *w, const struct taken_parts *parts)
{
    if (parts->file_count == 0)
        return;
    jw_array(w, "attachments");
    for (size_t i = 0; i < parts->file_count; i++) {
        const struct taken_file *f = &parts->files[i];
        jw_object(w, NULL);
        send_put_base64(w, "content", f->bytes);
        jw_text(w, "filename", f->name);
        jw_text(w, "type", f->type);
        jw_str(w, "disposition", f->shown ? "inline" : "attachment");
        if (f->content_id.n > 0)
            jw_text(w, "content_id", f->content_id);
        jw_end(w);
    }
    jw_end(w);
}

static void put_body(struct json_writer *w,
                     const struct send_mail *mail,
                     const struct send_fields *f,
                     struct arena *a)
{
    jw_object(w, NULL);
    jw_array(w, "personalizations");
    jw_object(w, NULL);
    jw_array(w, "to");
    send_put_pair(w, NULL, &f->to);
    jw_end(w);
    send_put_template(f, w, "dynamic_template_data");
    send_put_template(f, w, "substitutions");
    jw_end(w);
    jw_end(w);
    send_put_template(f, w, "template_id");
    send_put_pair(w, "from", &f->from);
    put_reply_to(w, f);
    if (f->subject.n > 0 || !f->template.p)
        jw_text(w, "subject", f->subject.n > 0 ? f->subject : TEXT("(no subject)"));
    if (!f->template.p) {
        jw_array(w, "content");
        put_content(w, "text/plain", f->parts.plain);
        put_content(w, "text/html", f->parts.html);
        jw_end(w);
    }
    put_files(w, &f->parts);
    jw_object(w, "headers");
    send_fields_put_headers(f, a, w);
    jw_end(w);
    jw_object(w, "custom_args");
    send_put_id(w, SEND_ID_NAME, mail->attempt_id);
    jw_end(w);
    jw_end(w);
}

static enum tide_err build(const struct send_mail *mail,
                           struct arena *a,
                           struct send_request *ret,
                           struct tide_error *err)
{
    struct send_fields f;
    struct json_writer w;
    enum tide_err rc = send_fields_read(mail, &send_sendgrid, a, &f, err);
    if (rc == TIDE_OK)
        rc = send_add_bearer(ret, mail->key, a, err);
    if (rc != TIDE_OK)
        return rc;
    ret->path = TEXT("/v3/mail/send");
    send_add_header(ret, "Content-Type", TEXT("application/json"));
    jw_init(&w, &ret->body);
    put_body(&w, mail, &f, a);
    return buf_check(&ret->body, err);
}

static void read_answer(const struct send_answer *answer,
                        const struct json *doc,
                        struct send_words *w)
{
    const struct json *error = json_element(json_member(doc, "errors"), 0);
    w->id = answer->header(answer->arg, "X-Message-Id");
    if (w->meaning == SEND_TAKEN && answer->status == 202 && w->id.n == 0)
        w->id = TEXT("none given");
    w->words = json_string_text(json_member(error, "message"));
    w->code = json_string_text(json_member(error, "field"));
    if (answer->status == 403 && text_starts(w->code, TEXT("from")))
        w->meaning = SEND_SENDER;
}

const struct send_api send_sendgrid = {
    .name = "sendgrid",
    .title = "SendGrid",
    .build = build,
    .read = read_answer,
};
