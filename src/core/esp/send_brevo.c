/* Brevo, POST /v3/smtp/email, behind.
 *
 *   fields   sender, to (the recipient alone), replyTo (the first), subject, textContent,
 *            htmlContent, attachment, headers with X-Mailin-custom (given back with events) and
 *            idempotencyKey: a UUID that holds the attempt's id
 *   answer   201 {"messageId":"<...>"}
 *   errors   {"code","message"}
 *   Known gap inline images become attachments: the API has no Content-ID. What a repeated
 *            idempotencyKey is answered with is not documented: a refusal whose code begins with
 *            "duplicate" is taken for "the first one was accepted".
 */
#include "core/esp/part.h"
#include "core/esp/send_fields.h"

static void put_files(struct json_writer *w, const struct taken_parts *parts)
{
    if (parts->file_count == 0)
        return;
    jw_array(w, "attachment");
    for (size_t i = 0; i < parts->file_count; i++) {
        jw_object(w, NULL);
        send_put_base64(w, "content", parts->files[i].bytes);
        jw_text(w, "name", parts->files[i].name);
        jw_end(w);
    }
    jw_end(w);
}

static void put_headers(struct json_writer *w,
                        const struct send_mail *mail,
                        const struct send_fields *f,
                        struct arena *a)
{
    char uuid[ESP_UUID_BYTES], id[ID_TEXT_BYTES];
    struct buf custom = {0};
    buf_addf(&custom, SEND_ID_NAME ":%s", id_text(mail->attempt_id, id));
    jw_object(w, "headers");
    send_fields_put_headers(f, a, w);
    jw_text(w, "X-Mailin-custom", buf_text(&custom));
    jw_str(w, "idempotencyKey", esp_uuid(mail->attempt_id, uuid));
    jw_end(w);
    buf_fini(&custom);
}

static void put_body(struct json_writer *w,
                     const struct send_mail *mail,
                     const struct send_fields *f,
                     struct arena *a)
{
    jw_object(w, NULL);
    send_put_pair(w, "sender", &f->from);
    jw_array(w, "to");
    send_put_pair(w, NULL, &f->to);
    jw_end(w);
    if (f->reply_to_count > 0)
        send_put_pair(w, "replyTo", &f->reply_to[0]);
    jw_text(w, "subject", f->subject.n > 0 ? f->subject : TEXT("(no subject)"));
    if (f->parts.plain.n > 0)
        jw_text(w, "textContent", f->parts.plain);
    if (f->parts.html.n > 0)
        jw_text(w, "htmlContent", f->parts.html);
    put_files(w, &f->parts);
    put_headers(w, mail, f, a);
    jw_end(w);
}

static enum tide_err build(const struct send_mail *mail,
                           struct arena *a,
                           struct send_request *ret,
                           struct tide_error *err)
{
    struct send_fields f;
    struct json_writer w;
    enum tide_err rc = send_fields_read(mail, &send_brevo, a, &f, err);
    if (rc != TIDE_OK)
        return rc;
    ret->path = TEXT("/v3/smtp/email");
    send_add_header(ret, "api-key", mail->key);
    send_add_header(ret, "Content-Type", TEXT("application/json"));
    send_add_header(ret, "Accept", TEXT("application/json"));
    jw_init(&w, &ret->body);
    put_body(&w, mail, &f, a);
    return buf_check(&ret->body, err);
}

static void read_answer(const struct send_answer *answer,
                        const struct json *doc,
                        struct send_words *w)
{
    w->id = json_string_text(json_member(doc, "messageId"));
    w->code = json_string_text(json_member(doc, "code"));
    w->words = json_string_text(json_member(doc, "message"));
    if (answer->again && w->meaning == SEND_MAIL && text_istarts(w->code, TEXT("duplicate"))) {
        w->meaning = SEND_TAKEN;
        w->id = TEXT("that of the first request");
    } else if (w->meaning == SEND_MAIL && text_eq(w->code, TEXT("not_enough_credits"))) {
        w->meaning = SEND_UNPAID;
    }
}

const struct send_api send_brevo = {
    .name = "brevo",
    .title = "Brevo",
    .idempotent = true,
    .build = build,
    .read = read_answer,
};
