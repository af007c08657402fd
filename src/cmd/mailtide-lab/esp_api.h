/* esp_api.h - what one ESP's API file gives to the common part, and what it finds there.
 *
 *   request -> (faults) -> may() -> serve() -> lab_take() for each mail -> the answer is written
 *
 * Written from the ESPs' public documentation, so that it can judge mailtide's own adapters: none
 * of their code is used here.
 *
 * Owns      struct lab_ask and all in it end with the answer.
 * Threads   loop thread only.
 */
#ifndef CMD_MAILTIDE_LAB_ESP_API_H
#define CMD_MAILTIDE_LAB_ESP_API_H

#include "cmd/mailtide-lab/esp_inside.h"
#include "core/digest/message.h"
#include "core/proto/api.h"

#define LAB_HEADERS_MAX    12
#define LAB_RECIPIENTS_MAX 1000

/* Which ESP's own words are wanted for it. */
enum lab_refusal {
    LAB_BAD_KEY,
    LAB_BAD_BODY,
    LAB_BAD_ADDRESS,
    LAB_BAD_SENDER, /* not verified */
    LAB_BAD_MAIL,   /* its content */
    LAB_LIMITED,    /* ask->reset_at says until when */
    LAB_DOWN,
    LAB_NO_SUCH,
};

struct lab_ask {
    struct esp *esp;
    struct http_request *req;
    struct arena arena;
    struct json *doc;    /* of a JSON body; NULL */
    struct text wild[2]; /* what stood for "*" */
    tide_wall_ms reset_at;
    /* the answer: status 0 is 404 in the ESP's form */
    unsigned status;
    const char *type; /* NULL: application/json */
    struct buf body;
    struct json_writer w; /* into body */
    struct http_header headers[LAB_HEADERS_MAX];
    size_t header_count;
};

/* An event on its way: the header lines, and the body. */
struct lab_post {
    const char *type; /* NULL: application/json */
    struct buf head, body;
    struct json_writer w; /* into body */
};

struct lab_api {
    const char *name;
    const char *const *sends; /* the paths, by POST, that the faults are for; ends with NULL */
    bool (*may)(struct lab_ask *a);
    void (*serve)(struct lab_ask *a);
    void (*refuse)(struct lab_ask *a, enum lab_refusal why, const char *words);
    /* The list that a bounce or a complaint puts the address on; NULL: none. */
    const char *(*list_of)(const struct esp_event *v);
    /* What is said of a mail to an address that is listed there; NULL: it is delivered. */
    const char *(*drop_words)(const char *list);
    /* False: the ESP has no such event. NULL: no webhook of its own. */
    bool (*tell)(struct esp *e, const struct esp_event *v, struct lab_post *ret);
    /* The webhook has been given an address; NULL: nothing is said of that. */
    void (*subscribe)(struct esp *e);
};

extern const struct lab_api lab_plain, lab_sendgrid, lab_ses, lab_mailgun, lab_postmark, lab_resend,
    lab_sparkpost, lab_brevo;

const struct lab_api *lab_api_of(const char *name); /* NULL: unknown */

/* -- Asking -- */

/* A path in which "*" stands for one segment that is not empty, found in a->wild afterwards. */
bool lab_is(struct lab_ask *a, const char *method, const char *pattern);
struct text lab_string(const struct json *object, const char *name); /* "" when there is none */
bool lab_has_bearer(const struct lab_ask *a, const char *scheme);    /* "Bearer " */
bool lab_has_basic(const struct lab_ask *a, const char *user);       /* any: NULL */
int64_t lab_query_int(const struct lab_ask *a, const char *name, int64_t preset);

/* The mailboxes of "Ann <ann@example.org>, b@example.org", added; false: not one, or no address. */
bool lab_read_mailboxes(struct lab_ask *a, struct text list, struct api_addresses *ret);
bool lab_add_mailbox(struct lab_ask *a, struct api_addresses *to, struct mailbox m);
bool lab_is_address(struct text t);
bool lab_decode(struct lab_ask *a, struct text base64, struct text *ret);
#define LAB_PAIRS_MAX 40

struct lab_mail {
    struct text sender;     /* "": of the draft's From */
    struct api_draft draft; /* its to, cc, bcc are the recipients */
    struct text raw;        /* the message as it is, where the draft is not to be composed */
    struct text api_id, stream;
    struct esp_pair custom[LAB_PAIRS_MAX];
    size_t custom_count;
};

/* What the sender wants given back. */
void lab_add_pair(struct lab_mail *m, struct text name, struct text value);

/* Members that most JSON APIs have: "a@b" or {"email","name"}; an array of these; an array of
 * "Ann <ann@example.org>"; what the sender wants given back, as an object or as an array of objects
 * with members for name and value; an object of header fields. */
struct mailbox lab_mailbox(const struct json *v);
bool lab_add_people(struct lab_ask *a, const struct json *array, struct api_addresses *ret);
bool lab_read_people(struct lab_ask *a, const struct json *array, struct api_addresses *ret);
void lab_add_pairs(struct lab_mail *m, const struct json *object);
void lab_add_tags(struct lab_mail *m,
                  const struct json *array,
                  const char *name,
                  const char *value);
void lab_add_headers(struct lab_ask *a, const struct json *object, struct api_draft *d);

/* What an attachment's members are called; NULL: there is no such. Without a disposition it is
 * inline when it has an id. */
struct lab_file_names {
    const char *filename, *type, *id, *disposition, *content;
    const char *id_scheme; /* "cid:", left off the id */
};
/* False: a content that is no base64. */
bool lab_add_files(struct lab_ask *a,
                   const struct json *files,
                   const struct lab_file_names *names,
                   struct api_draft *d);

/* -- Taking -- */

enum lab_taken { LAB_TAKEN, LAB_OVER_LIMIT, LAB_UNFIT };

/* Asks the limits and hands in a mail for each recipient. */
enum lab_taken lab_take(struct lab_ask *a, const struct lab_mail *m, const char **ret_words);

/* The same, and refuses what is not taken: false. */
bool lab_take_or_refuse(struct lab_ask *a, const struct lab_mail *m);

/* A name for a mail, never given before: 32 hexadecimal digits, or as a UUID. */
struct text lab_new_id(struct lab_ask *a);
struct text lab_new_uuid(struct lab_ask *a);

/* The ESP's quota, of its first limit of all mail; false: it has none. */
bool lab_quota(struct esp *e, int64_t *ret_count, int64_t *ret_used, tide_wall_ms *ret_reset);

/* True: a call that is no mail came before api_every had passed since the last one. */
bool lab_too_soon(struct lab_ask *a);

/* The mails that carry such a pair, oldest first: from *pos on the next one; NULL: no more. */
const struct esp_about *lab_find(const struct esp *e,
                                 struct text name,
                                 struct text value,
                                 size_t *pos);

/* What an idempotency key was used for; NULL: not yet. */
struct esp_known {
    struct text body, answer; /* the answer, or the id that makes it */
};
const struct esp_known *lab_known(const struct esp *e, struct text key);
void lab_know(struct esp *e, struct text key, struct text body, struct text answer);

/* Of a mail that came by SMTP: what it wants given back. Pairs point into the message, the arena
 * and the document, which is the caller's to free. */
void lab_read_smtp_args(const struct esp *e,
                        struct text message,
                        struct arena *a,
                        struct lab_mail *ret,
                        struct json **doc);

/* -- Answering -- */

void lab_header(struct lab_ask *a, const char *name, const char *fmt, ...) TIDE_PRINTF(3, 4);
void lab_words(struct lab_ask *a, unsigned status, const char *type, const char *text);
int64_t lab_seconds_to_reset(const struct lab_ask *a); /* at least 1 */

/* -- Telling -- */

/* In seconds of real time: receivers refuse what was signed long ago, and their clock is the
 * machine's, however hurried this world is. */
int64_t lab_signed_at_s(void);

void lab_post_header(struct lab_post *p, const char *name, const char *fmt, ...) TIDE_PRINTF(3, 4);
void lab_post_basic(struct esp *e, struct lab_post *p); /* def->webhook_key: "user:password" */
void lab_write_pairs(struct json_writer *w, const struct esp_about *m);
void lab_post(struct esp *e, struct lab_post *p, int times);        /* and frees it */
int lab_code_of(const struct esp_event *v);                         /* 550; 0 */
const char *lab_status_of(const struct esp_event *v, char out[16]); /* "5.1.1"; "" */
/* The provider speaks of sender, content or policy (5.7.x), or time ran out: not of the mailbox. */
bool lab_is_block(const struct esp_event *v);
/* SNS, of what SES tells (esp_sns.c): its own requests, which nobody signs; a message in its
 * envelope (p->body is written); the subscription is asked for. */
bool lab_sns_is(struct lab_ask *a);
void lab_sns_serve(struct lab_ask *a);
void lab_sns_write(struct esp *e, const char *type, struct text message, struct lab_post *p);
void lab_sns_subscribe(struct esp *e);

/* The mailbox or the domain is not there. */
bool lab_is_unknown_user(const struct esp_event *v);

#endif
