/* send_fields.h - a mail as fields, for APIs that take no MIME.
 *
 * The visible recipient is the one that the mail is for: APIs send to whom they show, and the
 * others of the header have mails of their own. Its name is taken from the header.
 *
 * Owns      nothing; all is in the caller's arena or points into the message.
 * Threads   any.
 * Errors    as take_apart.h; TIDE_ENOENT, TIDE_ESYNTAX a From that is not there or cannot be read.
 */
#ifndef CORE_ESP_SEND_FIELDS_H
#define CORE_ESP_SEND_FIELDS_H

#include "core/digest/take_apart.h"
#include "core/esp/send.h"
#include "core/proto/json_write.h"

struct send_fields {
    struct message message;
    struct mailbox from, to;
    struct mailbox *reply_to;
    size_t reply_to_count;
    struct text subject;      /* "" when there is none */
    struct taken_parts parts; /* never without text and HTML both: then the text is a blank */
    struct text template; /* stored at this ESP: a JSON object of fields for it, in place of text
                           * and HTML; p NULL: none */
};

/* Of a mail for the API of that name: another one's template is TIDE_EINVAL. */
TIDE_MUST_CHECK enum tide_err send_fields_read(const struct send_mail *mail,
                                               const struct send_api *api,
                                               struct arena *a,
                                               struct send_fields *ret,
                                               struct tide_error *err);

/* A field of the template, where it has it. */
void send_put_template(const struct send_fields *f, struct json_writer *w, const char *name);

/* Postmark's message stream that the mail goes to; "": its usual one. */
struct text send_postmark_stream(const struct send_mail *mail,
                                 const struct message *m,
                                 struct arena *a);

/* Walks the header fields that an API passes on as they are: not those that it makes from fields of
 * its own, nor those that belong to one way of transport. Values are unfolded, words not decoded.
 * Start with *pos 0. */
bool send_fields_header(const struct send_fields *f,
                        size_t *pos,
                        struct arena *a,
                        struct text *name,
                        struct text *value);
/* The same as members of an object: the first of a name. */
void send_fields_put_headers(const struct send_fields *f, struct arena *a, struct json_writer *w);

/* {"email":..,"name":..} */
void send_put_pair(struct json_writer *w, const char *name, const struct mailbox *m);
/* "\"Ann, B.\" <ann@example.org>", in UTF-8 */
void send_put_mailbox(struct json_writer *w, const char *name, const struct mailbox *m);
void send_put_mailboxes(struct json_writer *w,
                        const char *name,
                        const struct mailbox *list,
                        size_t count);
void send_add_mailboxes(struct buf *b, const struct mailbox *list, size_t count);
void send_put_base64(struct json_writer *w, const char *name, struct text bytes);
void send_put_id(struct json_writer *w, const char *name, tide_id id);

#endif
