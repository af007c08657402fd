/* send.h - the APIs of ESPs as mailtide calls them: a mail becomes one request, the answer becomes
 * a reply that the rest of mailtide reads as it reads SMTP.
 *
 * One file an ESP (send_NAME.c) builds and reads; send.c is the table of them, and of what HTTP
 * statuses mean where the ESP does not say more:
 *
 *   status           meaning       fate       reply      concerns
 *   2xx, with an id  TAKEN         ACCEPTED   250 2.0.0
 *   2xx, without     LOST          UNKNOWN    -          is it the API at all that answered?
 *   400, 409, 422 .. MAIL          REFUSED    554 5.6.0  this mail
 *   413              SIZE          REFUSED    552 5.3.4  this mail
 *   (by its words)   SUPPRESSED    REFUSED    550        this recipient: on the ESP's own list
 *   (by its words)   SENDER        REFUSED    550 5.7.1  this sender: not verified at the ESP
 *   401, 403         KEY           REFUSED    535 5.7.8  the account
 *   402              UNPAID        REFUSED    451 4.7.0  the account
 *   420, 429         LIMITED       REFUSED    451 4.7.1  the account; wait_ms if it says so
 *   3xx, 404, 405    WRONG_PLACE   REFUSED    451 4.3.5  the account: base_url or path
 *   408              NOT_WHOLE     NOT_SENT   451 4.4.2  the account
 *   502, 504         LOST          UNKNOWN    -          a gateway heard nothing; it may be taken
 *   500, 503, 5xx    DOWN          REFUSED    451 4.3.0  the account; wait_ms if it says so
 *
 * The attempt's id travels as "mailtide_attempt" in what the ESP gives back with its events. Where
 * an ESP knows idempotency keys it is the key too: a request of unknown fate is sent again as it
 * was, and the ESP answers as it did then. Where it can be asked for a mail, it is (send_ask.h).
 *
 * Owns      nothing: a request's texts are in the caller's arena; its body is a buffer that the
 *           caller frees. send_read() copies all it keeps.
 * Threads   any. No clock, no I/O, no random numbers.
 * Errors    of building: TIDE_EINVAL, TIDE_ESYNTAX, TIDE_ELIMIT what this API cannot carry (the
 *           mail's fault), TIDE_ENOMEM.
 */
#ifndef CORE_ESP_SEND_H
#define CORE_ESP_SEND_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"
#include "core/proto/json.h"
#include "core/proto/reply.h"

#define SEND_HEADERS_MAX 4
#define SEND_ID_NAME     "mailtide_attempt"
#define SEND_WAIT_MAX_MS TIME_DAY_MS  /* longer ones are not believed */
#define SEND_ANSWER_MAX  (64u * 1024) /* bytes of an answer that are looked at */
#define SEND_IDLE_WORDS  200          /* of an answer that is no JSON */

enum send_fate { SEND_ACCEPTED, SEND_REFUSED, SEND_NOT_SENT, SEND_UNKNOWN };

enum send_meaning {
    SEND_TAKEN,
    SEND_MAIL,
    SEND_SIZE,
    SEND_SUPPRESSED,
    SEND_SENDER,
    SEND_KEY,
    SEND_UNPAID,
    SEND_LIMITED,
    SEND_WRONG_PLACE,
    SEND_NOT_WHOLE,
    SEND_LOST,
    SEND_DOWN,
};

struct send_mail {
    tide_id attempt_id;
    struct text recipient; /* the only one, whoever else the header names */
    struct text message;   /* RFC 5322, normalised */
    struct text key;       /* of the account; not for ESPs that want requests signed */
    struct text place;     /* Mailgun's domain, "": that of the From address; Postmark's message
                            * stream where the mail names none, "": its own usual one */
};

struct send_header {
    const char *name;
    struct text value;
};

/* How the API takes several mails in one request (send_batch.h). */
struct send_bundle {
    const char *path, *open, *close; /* around the bodies of single requests */
    const char *header, *value;      /* added to those of a single request; NULL: none */
};

struct send_request {
    struct text path; /* POST; appended to the account's base_url */
    struct send_header headers[SEND_HEADERS_MAX];
    size_t header_count;
    struct buf body;
    const struct send_bundle *bundle; /* may leave with others of the same; NULL: alone */
};

struct send_answer {
    int status;
    struct text body;
    /* The value of a header, any case; p NULL: not there. */
    struct text (*header)(void *arg, const char *name);
    void *arg;
    bool again;       /* the same request was sent before, its fate unknown */
    tide_wall_ms now; /* real time: resets are told as instants */
};

/* What an ESP's read() may say; preset from the status. */
struct send_words {
    enum send_meaning meaning;
    struct text id;    /* what the ESP calls the mail */
    struct text code;  /* its name or number of the error */
    struct text words; /* of the error */
};

struct send_said {
    enum send_meaning meaning;
    enum send_fate fate;
    bool account_fault;
    enum reply_stage stage;
    struct reply reply;
    int64_t wait_ms; /* 0: not said */
};

struct send_api {
    const char *name, *title;
    bool idempotent; /* the same request again is answered as the first one was */
    bool signs_aws;  /* Signature Version 4, service "ses": the caller's */
    enum tide_err (*build)(const struct send_mail *mail,
                           struct arena *arena,
                           struct send_request *ret,
                           struct tide_error *err);
    void (*read)(const struct send_answer *answer, const struct json *doc, struct send_words *w);
    /* What became of each mail of a batch; false: the answer does not fit that many mails. */
    bool (*read_batch)(const struct json *doc, size_t count, struct send_words *each);
    size_t batch_max; /* mails of one request; with read_batch */
};

extern const struct send_api send_sendgrid, send_ses, send_mailgun, send_postmark, send_resend,
    send_sparkpost, send_brevo;

const struct send_api *send_api_find(struct text name); /* NULL: unknown */
const struct send_api *send_api_at(size_t i);           /* NULL: behind the last */

void send_read(const struct send_api *api, const struct send_answer *answer, struct send_said *ret);

/* What a mail that this API cannot carry ends with. */
void send_unfit(const struct send_api *api, const struct tide_error *why, struct send_said *ret);

/* Puts what was read into the form that the rest of mailtide knows. */
void send_say(const struct send_api *api,
              const struct send_answer *answer,
              struct send_words *w,
              struct send_said *ret);

/* How long to wait for what a header calls `n`: seconds from now, an instant in seconds, or one in
 * milliseconds (they are told apart by their size). SEND_WAIT_MAX_MS at most; 0: it has passed. */
int64_t send_wait_of(int64_t n, tide_wall_ms now);

/* For adapters. */
void send_add_header(struct send_request *r, const char *name, struct text value);
TIDE_MUST_CHECK enum tide_err send_add_bearer(struct send_request *r,
                                              struct text key,
                                              struct arena *arena,
                                              struct tide_error *err);

#endif
