/* Mailgun, POST /v3/DOMAIN/messages.mime and, of mail with a stored template, .../messages, behind.
 *
 *   fields   to (the recipient alone), message: the message as it is, v:mailtide_attempt; of a
 *            template from, subject, template, t:*, h:*, attachment
 *   answer   200 {"id":"<...>","message":"Queued. Thank you."}
 *   errors   {"message"}, or plain text ("Forbidden")
 */
#include "core/esp/send_fields.h"

#include "base/base64.h"
#include "core/digest/mime.h"
#include "core/record/template.h"

static enum tide_err find_domain(const struct send_mail *mail,
                                 struct arena *a,
                                 struct text *ret,
                                 struct tide_error *err)
{
    struct message m;
    struct mailbox from;
    *ret = mail->place;
    if (ret->n > 0)
        return TIDE_OK;
    enum tide_err rc = message_open(mail->message, &m, err);
    if (rc == TIDE_OK)
        rc = message_from(&m, a, &from, err);
    if (rc == TIDE_OK)
        *ret = text_cut(from.address, text_find(from.address, '@') + 1, from.address.n);
    for (size_t i = 0; rc == TIDE_OK && i < ret->n; i++) /* it becomes part of a path */
        if (!ascii_is_alnum(ret->p[i]) && ret->p[i] != '.' && ret->p[i] != '-')
            rc = tide_fail(err, TIDE_EINVAL, "the domain of its From address is not plain ASCII");
    return rc;
}

/* Stands nowhere in the message: else the form would end there. */
static void choose_boundary(struct text message, char out[MIME_HASH_BYTES])
{
    mime_hash(message, out);
    while (message.n > 0 && memmem(message.p, message.n, out, MIME_HASH_BYTES - 1))
        mime_hash(text_of(out), out);
}

static void add_part(struct buf *b, const char *boundary, const char *disposition, struct text t)
{
    buf_addf(b, "--%s\r\nContent-Disposition: form-data; %s\r\n\r\n", boundary, disposition);
    buf_add_text(b, t);
    buf_adds(b, "\r\n");
}

static enum tide_err add_headers(const struct send_mail *mail,
                                 struct text domain,
                                 const char *call,
                                 const char *boundary,
                                 struct arena *a,
                                 struct send_request *ret,
                                 struct tide_error *err)
{
    struct buf user = {0}, basic = {0};
    buf_addf(&user, "api:" TEXT_FMT, TEXT_ARG(mail->key));
    buf_adds(&basic, "Basic ");
    base64_encode(buf_text(&user), &basic);
    struct text authorization = arena_text(a, buf_text(&basic));
    char *type = arena_printf(a, "multipart/form-data; boundary=%s", boundary);
    char *path = arena_printf(a, "/v3/" TEXT_FMT "/%s", TEXT_ARG(domain), call);
    bool ok = user.failed == TIDE_OK && basic.failed == TIDE_OK && authorization.p && type && path;
    buf_fini(&user);
    buf_fini(&basic);
    if (!ok)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
    ret->path = text_of(path);
    send_add_header(ret, "Authorization", authorization);
    send_add_header(ret, "Content-Type", text_of(type));
    return TIDE_OK;
}

/* A field of the form whose name is not ours alone. */
static void add_named(
    struct buf *b, const char *boundary, const char *kind, struct text name, struct text t)
{
    struct buf d = {0};
    buf_addf(&d, "name=\"%s" TEXT_FMT "\"", kind, TEXT_ARG(name));
    if (d.failed != TIDE_OK)
        b->failed = d.failed;
    add_part(b, boundary, buf_str(&d), t);
    buf_fini(&d);
}

static void add_mailboxes(
    struct buf *b, const char *boundary, const char *name, const struct mailbox *list, size_t count)
{
    struct buf value = {0};
    send_add_mailboxes(&value, list, count);
    if (value.failed != TIDE_OK)
        b->failed = value.failed;
    if (count > 0)
        add_named(b, boundary, "", text_of(name), buf_text(&value));
    buf_fini(&value);
}

static void add_files(struct buf *b, const char *boundary, const struct taken_parts *parts)
{
    struct buf d = {0};
    for (size_t i = 0; i < parts->file_count; i++) {
        const struct taken_file *f = &parts->files[i];
        buf_clear(&d);
        buf_adds(&d, "name=\"attachment\"; filename=\"");
        for (size_t k = 0; k < f->name.n; k++)
            buf_addc(&d, strchr("\"\\\r\n", f->name.p[k]) ? '_' : f->name.p[k]);
        buf_addf(&d, "\"\r\nContent-Type: " TEXT_FMT, TEXT_ARG(f->type));
        add_part(b, boundary, buf_str(&d), f->bytes);
    }
    if (d.failed != TIDE_OK)
        b->failed = d.failed;
    buf_fini(&d);
}

/* POST .../messages: fields, since the text is Mailgun's. */
static enum tide_err add_template(const struct send_mail *mail,
                                  const char *boundary,
                                  struct arena *a,
                                  struct buf *b,
                                  struct tide_error *err)
{
    struct send_fields f;
    struct json *doc = NULL;
    const struct json *v;
    struct text name, value;
    enum tide_err rc = send_fields_read(mail, &send_mailgun, a, &f, err);
    if (rc == TIDE_OK)
        rc = json_parse(f.template, SIZE_MAX, &doc, err);
    if (rc != TIDE_OK)
        return rc;
    add_mailboxes(b, boundary, "from", &f.from, 1);
    add_mailboxes(b, boundary, "h:Reply-To", f.reply_to, f.reply_to_count);
    if (f.subject.n > 0)
        add_part(b, boundary, "name=\"subject\"", f.subject);
    for (void *pos = NULL; json_next(doc, &pos, &name, &v);)
        add_named(b, boundary, "", name, json_string_text(v));
    for (size_t pos = 0; send_fields_header(&f, &pos, a, &name, &value);)
        add_named(b, boundary, "h:", name, value);
    add_files(b, boundary, &f.parts);
    json_free(doc);
    return TIDE_OK;
}

static enum tide_err build(const struct send_mail *mail,
                           struct arena *a,
                           struct send_request *ret,
                           struct tide_error *err)
{
    char boundary[MIME_HASH_BYTES], id[ID_TEXT_BYTES];
    struct text domain;
    struct message m;
    enum tide_err rc = find_domain(mail, a, &domain, err);
    if (rc == TIDE_OK)
        rc = message_open(mail->message, &m, err);
    if (rc != TIDE_OK)
        return rc;
    bool template = message_has(&m, TEXT(TEMPLATE_FIELD));
    choose_boundary(mail->message, boundary);
    rc = add_headers(mail, domain, template ? "messages" : "messages.mime", boundary, a, ret, err);
    if (rc != TIDE_OK)
        return rc;
    buf_expect(&ret->body, mail->message.n + 1000);
    add_part(&ret->body, boundary, "name=\"to\"", mail->recipient);
    add_part(&ret->body, boundary, "name=\"v:" SEND_ID_NAME "\"",
             text_of(id_text(mail->attempt_id, id)));
    if (template)
        rc = add_template(mail, boundary, a, &ret->body, err);
    else
        add_part(&ret->body, boundary,
                 "name=\"message\"; filename=\"message.eml\"\r\nContent-Type: message/rfc822",
                 mail->message);
    buf_addf(&ret->body, "--%s--\r\n", boundary);
    return rc == TIDE_OK ? buf_check(&ret->body, err) : rc;
}

static void read_answer(const struct send_answer *answer,
                        const struct json *doc,
                        struct send_words *w)
{
    (void)answer;
    w->id = json_string_text(json_member(doc, "id"));
    w->words = json_string_text(json_member(doc, "message"));
}

const struct send_api send_mailgun = {
    .name = "mailgun",
    .title = "Mailgun",
    .build = build,
    .read = read_answer,
};
