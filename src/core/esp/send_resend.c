/* Resend, POST /emails, behind; of several mails /emails/batch.
 *
 *   fields   from, to (the recipient alone), reply_to, subject, text, html, headers, attachments
 *            (inline with content_id), template (of a mail that came by this API), tags;
 *            Idempotency-Key: the attempt's id
 *   answer   200 {"id"}; the same again for the same key and body, for 24 hours
 *   errors   {"statusCode","name","message"}; 409: the first request with that key is still being
 *            worked on, so its fate is not known yet
 *   batch    the same without attachments, which that call drops without a word; nothing is said
 *            of templates in it: mail with either goes alone. x-batch-validation "permissive":
 *            200 {"data":[{"id"}],"errors":[{"index","message"}]}, data without those that failed
 */
#include "base/macros.h"
#include "core/esp/send_fields.h"

#define BATCH_MAX 100

static const struct send_bundle several = {"/emails/batch", "[", "]", "x-batch-validation",
                                           "permissive"};

static void put_addresses(struct json_writer *w,
                          const char *name,
                          const struct mailbox *list,
                          size_t count)
{
    if (count == 0)
        return;
    jw_array(w, name);
    for (size_t i = 0; i < count; i++)
        send_put_mailbox(w, NULL, &list[i]);
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
        jw_text(w, "content_type", f->type);
        if (f->shown)
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
    send_put_mailbox(w, "from", &f->from);
    put_addresses(w, "to", &f->to, 1);
    put_addresses(w, "reply_to", f->reply_to, f->reply_to_count);
    if (f->subject.n > 0 || !f->template.p)
        jw_text(w, "subject", f->subject);
    send_put_template(f, w, "template");
    if (f->parts.plain.n > 0)
        jw_text(w, "text", f->parts.plain);
    if (f->parts.html.n > 0)
        jw_text(w, "html", f->parts.html);
    jw_object(w, "headers");
    send_fields_put_headers(f, a, w);
    jw_end(w);
    put_files(w, &f->parts);
    jw_array(w, "tags");
    jw_object(w, NULL);
    jw_str(w, "name", SEND_ID_NAME);
    send_put_id(w, "value", mail->attempt_id);
    jw_end(w);
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
    char id[ID_TEXT_BYTES];
    enum tide_err rc = send_fields_read(mail, &send_resend, a, &f, err);
    if (rc == TIDE_OK)
        rc = send_add_bearer(ret, mail->key, a, err);
    char *key = arena_printf(a, "mailtide-%s", id_text(mail->attempt_id, id));
    if (rc == TIDE_OK && !key)
        rc = tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
    if (rc != TIDE_OK)
        return rc;
    ret->path = TEXT("/emails");
    ret->bundle = f.parts.file_count == 0 && !f.template.p ? &several : NULL;
    send_add_header(ret, "Content-Type", TEXT("application/json"));
    send_add_header(ret, "Idempotency-Key", text_of(key));
    jw_init(&w, &ret->body);
    put_body(&w, mail, &f, a);
    return buf_check(&ret->body, err);
}

static void read_answer(const struct send_answer *answer,
                        const struct json *doc,
                        struct send_words *w)
{
    w->id = json_string_text(json_member(doc, "id"));
    w->code = json_string_text(json_member(doc, "name"));
    w->words = json_string_text(json_member(doc, "message"));
    if (answer->status == 409)
        w->meaning = SEND_LOST;
    else if (answer->status == 403 && text_eq(w->code, TEXT("validation_error")))
        w->meaning = SEND_SENDER; /* its domain is not verified */
}

/* Of one mail of a batch: no name comes with the words. */
static enum send_meaning meaning_of(struct text words)
{
    static const struct {
        const char *has;
        enum send_meaning meaning;
    } known[] = {
        {"domain is not verified", SEND_SENDER},
        {"too many requests", SEND_LIMITED},
        {"quota", SEND_LIMITED},
    };
    for (size_t i = 0; i < TIDE_COUNT(known); i++)
        if (text_ifind(words, text_of(known[i].has)) < words.n)
            return known[i].meaning;
    return SEND_MAIL;
}

/* Those that failed; false: an index is none, or is there twice. */
static bool read_errors(const struct json *errors, size_t count, struct send_words *each)
{
    for (size_t i = 0; i < json_count(errors); i++) {
        const struct json *one = json_element(errors, i);
        int64_t at = -1;
        if (!json_int(json_member(one, "index"), &at) || at < 0 || (uint64_t)at >= count ||
            each[at].meaning != SEND_TAKEN)
            return false;
        struct text words = json_string_text(json_member(one, "message"));
        each[at] = (struct send_words){.meaning = meaning_of(words), .words = words};
    }
    return true;
}

static bool read_batch(const struct json *doc, size_t count, struct send_words *each)
{
    const struct json *data = json_member(doc, "data"), *errors = json_member(doc, "errors");
    bool list = !errors || json_kind(errors) == JSON_KIND_ARRAY;
    size_t failed = list ? json_count(errors) : 0, at = 0;
    if (!list || json_kind(data) != JSON_KIND_ARRAY || json_count(data) + failed != count)
        return false;
    for (size_t i = 0; i < count; i++)
        each[i] = (struct send_words){.meaning = SEND_TAKEN};
    if (!read_errors(errors, count, each))
        return false;
    for (size_t i = 0; i < count; i++)
        if (each[i].meaning == SEND_TAKEN)
            each[i].id = json_string_text(json_member(json_element(data, at++), "id"));
    return true;
}

const struct send_api send_resend = {
    .name = "resend",
    .title = "Resend",
    .idempotent = true,
    .build = build,
    .read = read_answer,
    .read_batch = read_batch,
    .batch_max = BATCH_MAX,
};
