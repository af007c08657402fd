/* events_fields.h - for the readers of webhooks: what all of them do with JSON.
 *
 * Owns      nothing; threads any. Missing and ill-typed values give "" and 0, never an error:
 *           ESPs add and change fields.
 */
#ifndef CORE_ESP_EVENTS_FIELDS_H
#define CORE_ESP_EVENTS_FIELDS_H

#include "core/esp/events.h"
#include "core/proto/form.h"

/* An ESP's word and what it is in the common vocabulary. */
struct event_name {
    const char *name;
    enum event_word word;
};

/* EVENT_UNKNOWN: not in the table. */
enum event_word events_word(struct text name, const struct event_name *table, size_t count);

/* The body (or a part of it) as JSON into *ret, refusing what is none. */
enum events_end events_parse(struct text body, struct json **ret, struct events_batch *b);

/* The body as a form, refusing what is none. */
enum events_end events_form(const struct events_ask *ask,
                            struct arena *a,
                            struct form *ret,
                            struct events_batch *b);

/* Signed at `at`, or at so many seconds since 1970: READ, or refused as stale. */
enum events_end events_fresh(const struct events_ask *ask,
                             tide_wall_ms at,
                             int64_t window_ms,
                             struct events_batch *b);
enum events_end events_fresh_stamp(const struct events_ask *ask,
                                   struct text seconds,
                                   int64_t window_ms,
                                   struct events_batch *b);

enum events_end events_refuse(struct events_batch *b, enum events_fault fault, const char *fmt, ...)
    TIDE_PRINTF(3, 4);

/* How the ESP counts a bounce. */
void events_count(struct mail_news *n, bool hard);

/* The next piece of news, its event and word set; NULL: refused. */
struct mail_news *events_add(struct events_batch *b,
                             struct arena *a,
                             struct text event,
                             enum event_word word);
/* Word and the kind that goes with it. */
void events_set_word(struct mail_news *n, enum event_word word);
/* READ, or what events_add() refused. */
enum events_end events_done(const struct events_batch *b);

/* A member that is a string, or a number as text; the first of the names that is there. */
struct text events_text(const struct json *o, const char *name, struct arena *a);
struct text events_first(const struct json *o, const char *const *names, struct arena *a);
struct text events_value(const struct json *v, struct arena *a);
/* A member that is an object, or an array; NULL: it is not there, or is something else. */
const struct json *events_object(const struct json *o, const char *name);
const struct json *events_list(const struct json *o, const char *name);

/* Seconds since 1970, as a number or in a string, with a fraction or without. */
tide_wall_ms events_seconds(const struct json *v);
/* RFC 3339, a space for the "T" and no zone (UTC) allowed. */
tide_wall_ms events_time(struct text t);

/* Our id in what the ESP gives back: {"mailtide_attempt": "..."}, the same with an array of one, or
 * [{"name": "mailtide_attempt", "value": "..."}]. */
tide_id events_attempt(const struct json *args, struct arena *a);
tide_id events_attempt_of(struct text id);

/* The words of a refusal, with the codes that stand in them. */
void events_reply(struct mail_news *n, struct text words);
/* "5.1.1", if it is one. */
void events_status(struct mail_news *n, struct text status);
/* "550", or "5.1.1", if it is one. */
void events_code(struct mail_news *n, struct text code);

/* "<a@b>" from "a@b" too; "" from "". */
struct text events_brackets(struct text id, struct arena *a);
/* "a@b" from "Ann <a@b>". */
struct text events_address(struct text t);

/* A key made of what makes one piece of news different from others, where the ESP gives no id. */
void events_make_key(struct mail_news *n, struct arena *a);

/* Whether these bytes are the text's hexadecimal or base64 form; in constant time. */
bool events_is_hex(struct text shown, const unsigned char *bytes, size_t n);
bool events_is_base64(struct text shown, const unsigned char *bytes, size_t n);
bool events_same(struct text a, struct text b);
/* Whether `shown` signs these pieces under the public key; both are base64, the key's of DER. */
bool events_is_signed(const struct events_ask *ask,
                      enum events_key kind,
                      enum events_hash h,
                      struct text key,
                      const struct text *parts,
                      size_t count,
                      struct text shown);

#endif
