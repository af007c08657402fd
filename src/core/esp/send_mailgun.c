/* Mailgun, POST /v3/DOMAIN/messages.mime, behind.
 *
 *   fields   to (the recipient alone), message: the message as it is, v:mailtide_attempt
 *   answer   200 {"id":"<...>","message":"Queued. Thank you."}
 *   errors   {"message"}, or plain text ("Forbidden")
 */
#include "core/esp/send_fields.h"

#include "base/base64.h"
#include "core/digest/mime.h"

static enum tide_err find_domain(const struct send_mail *mail,
                                 struct arena *a,
                                 struct text *ret,
                                 struct tide_error *err)
{
    struct message m;
    struct mailbox from;
    *ret = mail->domain;
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
    char *path = arena_printf(a, "/v3/" TEXT_FMT "/messages.mime", TEXT_ARG(domain));
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

static enum tide_err build(const struct send_mail *mail,
                           struct arena *a,
                           struct send_request *ret,
                           struct tide_error *err)
{
    char boundary[MIME_HASH_BYTES], id[ID_TEXT_BYTES];
    struct text domain;
    enum tide_err rc = find_domain(mail, a, &domain, err);
    if (rc != TIDE_OK)
        return rc;
    choose_boundary(mail->message, boundary);
    rc = add_headers(mail, domain, boundary, a, ret, err);
    if (rc != TIDE_OK)
        return rc;
    buf_expect(&ret->body, mail->message.n + 1000);
    add_part(&ret->body, boundary, "name=\"to\"", mail->recipient);
    add_part(&ret->body, boundary, "name=\"v:" SEND_ID_NAME "\"",
             text_of(id_text(mail->attempt_id, id)));
    add_part(&ret->body, boundary,
             "name=\"message\"; filename=\"message.eml\"\r\nContent-Type: message/rfc822",
             mail->message);
    buf_addf(&ret->body, "--%s--\r\n", boundary);
    return buf_check(&ret->body, err);
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
