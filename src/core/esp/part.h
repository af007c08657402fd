/* part.h - what the readers and writers of all ESPs' requests share.
 *
 * Owns      nothing: what is made is in the arena of the reading.
 * Threads   any.
 * Errors    texts that memory or a bound did not suffice for are "" and the batch is overfull,
 *           which esp_read() refuses at the end. esp_refuse() fills the refusal and says false, so
 *           that `return esp_refuse(...)` reads well. A field is a path as the ESP at hand writes
 *           it.
 * Standards RFC 5322 3.4 (lists of addresses), RFC 2047 (names in them).
 */
#ifndef CORE_ESP_PART_H
#define CORE_ESP_PART_H

#include "core/esp/esp.h"
#include "core/proto/json_write.h"

bool esp_refuse(struct esp_reading *r,
                enum esp_fault fault,
                const char *field,
                const char *fmt,
                ...) TIDE_PRINTF(4, 5);
bool esp_no_memory(struct esp_reading *r);

/* The HTTP status of a refusal where the ESP has no habits of its own. */
unsigned esp_usual_status(enum esp_fault fault);

/* -- Reading -----------------------------------------------------------------------------------*/

/* The body as JSON into r->batch->doc; false (nothing refused yet): it is none, or no memory, which
 * r->why says. */
bool esp_json(struct esp_reading *r);

/* `count` mails in the batch, empty. */
bool esp_mails(struct esp_reading *r, size_t count);

/* Reads each element of the array into its mail; what is refused is its own and the batch each_own.
 * False: out of memory. */
bool esp_each(struct esp_reading *r,
              const struct json *list,
              bool (*read)(struct esp_reading *r, const struct json *v, struct api_draft *d));
/* The same where the request is no JSON: read() finds the i-th of what `list` is. */
bool esp_each_of(
    struct esp_reading *r,
    const void *list,
    bool (*read)(struct esp_reading *r, const void *list, size_t i, struct api_draft *d));

/* A member that is a string, else {NULL, 0}; "" is given as "". */
struct text esp_string(const struct json *object, const char *name);
/* The same, but an empty string counts as not given. */
struct text esp_filled(const struct json *object, const char *name);

/* A member to be passed on: of an object (NULL: it is a text), by the ESP's own name. */
struct esp_member {
    const struct json *of;
    const char *name;
    struct text value; /* without an object; p NULL: not given */
};

/* Makes those that are there the draft's template, which the ESP stores. False: the ESP behind is
 * another, so that it is not known (ESP_TEMPLATE, `field`, `unknown`). */
bool esp_template(struct esp_reading *r,
                  const struct esp_member *members,
                  size_t count,
                  const char *field,
                  const char *unknown,
                  struct api_draft *d);

/* One line for a header: controls become blanks. */
struct text esp_line(struct esp_reading *r, struct text t);
/* Text of a body: NULs become blanks. {NULL, 0} stays. */
struct text esp_body(struct esp_reading *r, struct text t);

/* Syntax, and a domain with a dot: what every ESP wants of an address. */
bool esp_is_address(struct text t);

/* Appends the mailboxes of a list in RFC 5322's form. False: *ret_bad is what is no address (""
 * when memory ran out). */
bool esp_mailboxes(struct esp_reading *r,
                   struct text list,
                   struct api_addresses *ret,
                   struct text *ret_bad);
bool esp_add_mailbox(struct esp_reading *r, struct api_addresses *list, struct mailbox m);

/* The base64 of an attachment or a message, decoded; {NULL, 0} when it is none. */
struct text esp_base64(struct esp_reading *r, struct text encoded);

/* The header fields of a whole message that are the ESP's own: not for the recipient. */
struct esp_message_rules {
    const char *own;    /* "X-Mailgun-*": taken out */
    const char *stream; /* one of them, whose value may name a stream */
};

/* A message handed in as a whole: normalised into d->message, d->from its sender if it names one,
 * `fresh_id` put in when it has no Message-ID. *ret_id is the one it has then. */
bool esp_message(struct esp_reading *r,
                 struct text whole,
                 const struct esp_message_rules *rules,
                 struct text fresh_id,
                 struct api_draft *d,
                 struct text *ret_id);

enum esp_header_fate {
    ESP_HEADER_TAKEN,    /* also: Reply-To, into the draft's field */
    ESP_HEADER_RESERVED, /* set by fields of their own, or by who sends: left out */
    ESP_HEADER_BAD       /* cannot stand in a message */
};
/* A later header of the same name replaces an earlier one. */
enum esp_header_fate esp_header(struct esp_reading *r,
                                struct api_draft *d,
                                struct text name,
                                struct text value);

/* Puts the file in, its type made good: without one, by the file name. False: too many. */
bool esp_attach(struct esp_reading *r, struct api_draft *d, const struct api_attachment *file);

/* Chooses the stream of that name if there is one and none was chosen. */
void esp_choose_stream(struct esp_reading *r, struct api_draft *d, struct text name);

struct esp_pair {
    struct text key, value;
};

/* Every key in `t` replaced by its value, in one pass; the longest key wins. */
struct text esp_substitute(struct esp_reading *r,
                           struct text t,
                           const struct esp_pair *pairs,
                           size_t count);
/* The members of an object as pairs, keys between `before` and `after`; numbers and booleans as
 * they are written. */
bool esp_pairs(struct esp_reading *r,
               const struct json *object,
               const char *before,
               const char *after,
               struct esp_pair **ret,
               size_t *ret_count);

/* -- Answering ---------------------------------------------------------------------------------*/

void esp_answer_header(struct esp_answer *a, const char *name, const char *fmt, ...)
    TIDE_PRINTF(3, 4);

/* A UUID (version 8) that holds an id, and the id of one; 0: it holds none. */
#define ESP_UUID_BYTES 37
const char *esp_uuid(tide_id id, char out[ESP_UUID_BYTES]);
tide_id esp_uuid_id(struct text t);

/* The id that a mail is known by: its first recipient's. */
tide_id esp_mail_id(const struct esp_mail *mail);

#endif
