/* A struct tide_message as the daemon's JSON, and the daemon's answers as structs. */
#include "client/inside.h"

#include "base/base64.h"
#include "base/time.h"
#include "core/proto/json_write.h"

#include <stdio.h>
#include <stdlib.h>

static void put(struct json_writer *w, const char *name, const char *value)
{
    if (value)
        jw_str(w, name, value);
}

/* The next of "Ann <ann@x>, \"B, Bob\" <b@y>": commas in quotes and brackets do not divide. */
static bool next_address(struct text *rest, struct text *ret)
{
    bool quoted = false, angled = false;
    size_t n = 0;
    if (!rest->p)
        return false;
    for (; n < rest->n; n++) {
        char ch = rest->p[n];
        if (quoted && ch == '\\')
            n += n + 1 < rest->n;
        else if (ch == '"')
            quoted = !quoted;
        else if (!quoted && (ch == '<' || ch == '>'))
            angled = ch == '<';
        else if (!quoted && !angled && ch == ',')
            break;
    }
    *ret = text_trim(text_cut(*rest, 0, n));
    *rest = n < rest->n ? text_cut(*rest, n + 1, SIZE_MAX) : (struct text){0};
    return true;
}

static void put_addresses(struct json_writer *w, const char *name, const char *list)
{
    struct text rest = text_of(list), address;
    if (!list)
        return;
    jw_array(w, name);
    while (next_address(&rest, &address))
        if (address.n > 0)
            jw_text(w, NULL, address);
    jw_end(w);
}

static void put_base64(struct json_writer *w, const char *name, const void *bytes, size_t size)
{
    struct buf encoded = {0};
    base64_encode((struct text){bytes, size}, &encoded);
    if (encoded.failed != TIDE_OK)
        w->out->failed = encoded.failed;
    jw_text(w, name, buf_text(&encoded));
    buf_fini(&encoded);
}

static void put_pairs(struct json_writer *w,
                      const char *name,
                      const struct tide_header *pairs,
                      size_t count)
{
    if (count == 0)
        return;
    jw_object(w, name);
    for (size_t i = 0; i < count; i++)
        jw_str(w, pairs[i].name, pairs[i].value);
    jw_end(w);
}

static void put_attachments(struct json_writer *w, const struct tide_message *m)
{
    if (m->attachment_count == 0)
        return;
    jw_array(w, "attachments");
    for (size_t i = 0; i < m->attachment_count; i++) {
        const struct tide_attachment *a = &m->attachments[i];
        jw_object(w, NULL);
        put(w, "filename", a->filename);
        put(w, "content_type", a->content_type);
        put(w, "content_id", a->content_id);
        if (a->content_id)
            jw_bool(w, "inline", true);
        put_base64(w, "content", a->bytes, a->size);
        jw_end(w);
    }
    jw_end(w);
}

static void put_item(struct json_writer *w, const struct tide_message *m)
{
    if (!m->item.title && !m->item.url && !m->item.text && !m->item.icon)
        return;
    jw_object(w, "item");
    put(w, "title", m->item.title);
    put(w, "url", m->item.url);
    put(w, "text", m->item.text);
    put(w, "icon", m->item.icon);
    jw_end(w);
}

void client_write_message(struct buf *out, const struct tide_message *m)
{
    struct json_writer w;
    jw_init(&w, out);
    jw_object(&w, NULL);
    put(&w, "from", m->from);
    put_addresses(&w, "to", m->to);
    put_addresses(&w, "cc", m->cc);
    put_addresses(&w, "bcc", m->bcc);
    put_addresses(&w, "reply_to", m->reply_to);
    put(&w, "subject", m->subject);
    put(&w, "text", m->text);
    put(&w, "html", m->html);
    put_pairs(&w, "headers", m->headers, m->header_count);
    put_attachments(&w, m);
    if (m->message)
        put_base64(&w, "message_base64", m->message,
                   m->message_size > 0 ? m->message_size : strlen(m->message));
    put(&w, "stream", m->stream);
    put(&w, "key", m->key);
    put(&w, "thread", m->thread);
    put(&w, "collapse_key", m->collapse_key);
    if (m->weight != 0)
        jw_int(&w, "weight", m->weight);
    put_pairs(&w, "metadata", m->metadata, m->metadata_count);
    put(&w, "deadline", m->deadline);
    put(&w, "not_before", m->not_before);
    put_item(&w, m);
    jw_end(&w);
}

/* -- What the daemon says ------------------------------------------------------------------------
 */

/* Cut to fit, at the end of a character. */
static void keep(char *to, size_t size, const struct json *object, const char *name)
{
    struct text t = json_string_text(json_member(object, name));
    size_t n = t.n < size - 1 ? t.n : size - 1;
    while (n < t.n && n > 0 && ((unsigned char)t.p[n] & 0xc0) == 0x80)
        n--;
    if (n > 0)
        memcpy(to, t.p, n);
    to[n] = 0;
}

static void read_notification(const struct json *v, struct tide_notification *ret)
{
    struct text at = json_string_text(json_member(v, "estimated_release_at"));
    struct tide_error unread;
    bool duplicate = false;
    *ret = (struct tide_notification){0};
    keep(ret->id, sizeof ret->id, v, "id");
    keep(ret->recipient, sizeof ret->recipient, v, "recipient");
    keep(ret->state, sizeof ret->state, v, "state");
    keep(ret->reason, sizeof ret->reason, v, "reason");
    tide_wall_ms t;
    if (at.n > 0 && time_parse_rfc3339(at, &t, &unread) == TIDE_OK)
        ret->release_at = t;
    if (json_bool(json_member(v, "duplicate"), &duplicate))
        ret->duplicate = duplicate;
}

enum tide_err tide_send(struct tide_client *c,
                        const struct tide_message *m,
                        struct tide_notification **ret,
                        size_t *ret_count,
                        struct tide_error *err)
{
    struct buf body = {0};
    struct json *doc = NULL;
    client_write_message(&body, m);
    enum tide_err rc = buf_check(&body, err);
    if (rc == TIDE_OK)
        rc = client_ask(c, "/v1/notifications", &body, &doc, err);
    buf_fini(&body);
    const struct json *list = json_member(doc, "notifications");
    size_t count = json_count(list);
    if (rc == TIDE_OK && count == 0)
        rc = tide_fail(err, TIDE_EPROTO, "the answer names no notification: is that mailtide?");
    if (rc == TIDE_OK && ret) {
        *ret = calloc(count, sizeof **ret);
        for (size_t i = 0; *ret && i < count; i++)
            read_notification(json_element(list, i), &(*ret)[i]);
        if (!*ret)
            rc = tide_fail(err, TIDE_ENOMEM, "the message was taken, but there is no memory left");
    }
    if (rc == TIDE_OK && ret_count)
        *ret_count = count;
    json_free(doc);
    return rc;
}

static enum tide_err path_of(const char *id,
                             const char *rest,
                             struct buf *ret,
                             struct tide_error *err)
{
    for (const char *p = id; *p || p == id; p++)
        if (!ascii_is_alnum(*p) || p - id > 31)
            return tide_fail(err, TIDE_EINVAL,
                             "the id of a notification: want letters and digits, "
                             "got \"%.40s\"",
                             id);
    buf_addf(ret, "/v1/notifications/%s%s", id, rest);
    return buf_check(ret, err);
}

static enum tide_err about(struct tide_client *c,
                           const char *id,
                           const char *rest,
                           struct tide_notification *ret,
                           struct tide_error *err)
{
    static const struct buf empty = {0};
    struct buf path = {0};
    struct json *doc = NULL;
    enum tide_err rc = path_of(id, rest, &path, err);
    if (rc == TIDE_OK)
        rc = client_ask(c, buf_str(&path), *rest ? &empty : NULL, &doc, err);
    if (rc == TIDE_OK && ret)
        read_notification(doc, ret);
    json_free(doc);
    buf_fini(&path);
    return rc;
}

enum tide_err tide_find(struct tide_client *c,
                        const char *id,
                        struct tide_notification *ret,
                        struct tide_error *err)
{
    return about(c, id, "", ret, err);
}

enum tide_err tide_cancel(struct tide_client *c, const char *id, struct tide_error *err)
{
    return about(c, id, "/cancel", NULL, err);
}

enum tide_err tide_release(struct tide_client *c, const char *id, struct tide_error *err)
{
    return about(c, id, "/release", NULL, err);
}
