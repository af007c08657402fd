/* api.h - POST /v1/notifications: from JSON to drafts, with errors that name the field.
 *
 *   {"to": "bruce@client.asia",                  or "Bruce <bruce@client.asia>",
 *                                                or {"address", "name"}, or an array of these
 *    "from": ..., "reply_to": ..., "cc": ..., "bcc": ...,
 *    "subject": "New comment", "text": "...", "html": "...",
 *    "headers": {"X-Project": "mailtide"},
 *    "attachments": [{"filename", "content_type", "content" (base64), "content_id", "inline"}],
 *    "stream": "comments", "key": "comment-4711", "thread": "task-12",
 *    "item": {"title", "url", "text", "icon"},   what a digest shows of it
 *    "weight": 3,                                how much its waiting counts, else its stream's
 *    "metadata": {"order": "4711"},              told again with all that becomes of it
 *    "not_before": "2026-11-21T22:00:00Z", "deadline": "2h",
 *    "message": "From: ...", "message_base64"}   in place of subject, text, html, headers, ...
 *
 * `to` and `from` are always wanted: they are the envelope.
 *
 * Owns      nothing: texts of a draft point into the JSON document or the caller's arena.
 * Threads   any. Reads no clock: `now` is the caller's.
 * Errors    struct api_error; false is returned and the draft is not to be used.
 * Limits    the constants below, the arena's bound, what the caller's rules say.
 */
#ifndef CORE_PROTO_API_H
#define CORE_PROTO_API_H

#include "core/digest/message.h"
#include "core/proto/json.h"
#include "core/record/notification.h"

#define API_LINE_BYTES_MAX     2000 /* subject, header value, names */
#define API_KEY_BYTES_MAX      255
#define API_METADATA_BYTES_MAX 16384 /* as JSON */
#define API_HEADERS_MAX        100
#define API_ATTACHMENTS_MAX    100

struct api_addresses {
    struct mailbox *list;
    size_t count;
};

struct api_header {
    struct text name, value;
};

struct api_attachment {
    struct text filename, content_type, content, content_id; /* content decoded */
    bool is_inline;
    bool is_shape; /* no file: the body once more in another shape, of multipart/alternative */
};

struct api_draft {
    struct mailbox from;
    struct api_addresses to, cc, bcc, reply_to;
    struct text subject, text, html; /* p NULL: not given */
    struct api_header *headers;
    size_t header_count;
    struct api_attachment *attachments;
    size_t attachment_count;
    struct text stream, key, thread, collapse_key;
    struct digest_item item;
    struct text metadata;                 /* a JSON object; "": none */
    int weight;                           /* 0: its stream's */
    tide_wall_ms not_before, deadline_at; /* 0: none */
    struct text message;                  /* the whole, as given; p NULL: to be composed */
    struct text template; /* stored at the ESP in front, which is the one behind too: its own fields
                           * for it, a JSON object, in place of text and html; p NULL: none */
};

struct api_rules {
    tide_wall_ms now;
    size_t recipients_max; /* of one draft: to, cc and bcc together */
    const char *const *streams;
    size_t stream_count;
};

#define API_FIELD_BYTES   96
#define API_MESSAGE_BYTES TIDE_ERROR_BYTES_MAX

struct api_error {
    const char *code;            /* "missing", "unknown_field", "wrong_type", "bad_value",
                                  * "too_many", "too_large", "conflict", "no_memory" */
    char field[API_FIELD_BYTES]; /* "[3].attachments[0].content"; "" for the whole */
    char message[API_MESSAGE_BYTES];
};

/* `v` is one draft's object. `index` is its place in an array, for error paths; -1: no array. */
bool api_draft(const struct json *v,
               int index,
               const struct api_rules *rules,
               struct arena *a,
               struct api_draft *ret,
               struct api_error *err);

#endif
