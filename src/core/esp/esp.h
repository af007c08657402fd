/* esp.h - the APIs of e-mail service providers (ESPs), as applications call them: a request becomes
 * drafts, and what became of these becomes the ESP's own answer.
 *
 * One file an ESP; each opens with a table of what is mapped, ignored and refused. What SDKs ask
 * beside sending stands in manage_NAME.c, with mailtide's own data in the ESP's form. esp.c is the
 * table of all calls. The paths of the ESPs are disjoint, so that one listener serves all; what no
 * call is for is refused in the form of the ESP whose key the request shows.
 *
 *     esp_find() --> credentials (the caller's) --> esp_read() --> do it --> call->answer()
 *     esp_meant()          |                            |
 *                          `------> esp->refuse() <-----'
 *
 * Owns      nothing: drafts point into the request, its JSON document (struct esp_batch) or the
 *           caller's arena. esp_batch_fini() and the answer's buf_fini() are the caller's.
 * Threads   any. Reads no clock, draws no random numbers: both come with the request.
 * Errors    struct esp_refusal, which the ESP's own refuse() puts into its words and its form.
 * Limits    those that the ESP states for a request; ESP_BYTES_MAX for all mails of a request.
 */
#ifndef CORE_ESP_ESP_H
#define CORE_ESP_ESP_H

#include "base/buf.h"
#include "core/proto/api.h"
#include "core/record/suppression.h"

#define ESP_HEADERS_MAX        4
#define ESP_ANSWER_HEADERS_MAX 6
#define ESP_FIELD_BYTES        128
#define ESP_WILDS_MAX          2
#define ESP_LIFTS_MAX          1000
#define ESP_MESSAGE_BYTES      400
#define ESP_BYTES_MAX          (256u * 1000 * 1000) /* of all mails of one request together */
#define ESP_COMPARED_MAX       500000000u           /* by substitutions: a second or two */

/* How the application shows who it is. */
enum esp_auth {
    ESP_AUTH_BEARER, /* Authorization: Bearer KEY */
    ESP_AUTH_BASIC,  /* Authorization: Basic, user "api", the key as password */
    ESP_AUTH_TOKEN,  /* the key in a header of its own: struct esp.token_header */
    ESP_AUTH_SIGV4,  /* AWS Signature Version 4 (core/proto/sigv4.h) */
};

/* What is wrong, in the words that all ESPs share. */
enum esp_fault {
    ESP_FINE,
    ESP_NO_KEY,
    ESP_BAD_KEY,
    ESP_BAD_SIGNATURE,
    ESP_STALE,       /* signed too long ago, or for a time to come */
    ESP_BAD_BODY,    /* not JSON, not a form */
    ESP_MISSING,     /* a field */
    ESP_BAD_VALUE,   /* of a field */
    ESP_BAD_ADDRESS, /* of a recipient or the sender */
    ESP_TEMPLATE,    /* stored at the ESP: not known here */
    ESP_TOO_MANY,
    ESP_TOO_LARGE,
    ESP_SENDER,     /* the application may not send as this one */
    ESP_KEY_USED,   /* idempotency: same key, other mail */
    ESP_RATE,       /* too much at once */
    ESP_BUSY,       /* cannot be stored now */
    ESP_NOT_FOUND,  /* no such mail, no such entry */
    ESP_NOT_HERE,   /* the ESP may know this path, mailtide does not */
    ESP_TOO_LATE,   /* it has left, or was withdrawn before */
    ESP_BAD_METHOD, /* the path is known */
};

struct esp_refusal {
    enum esp_fault fault;
    char field[ESP_FIELD_BYTES]; /* as the ESP writes paths; "" for the whole */
    char message[ESP_MESSAGE_BYTES];
};

struct esp_call;
struct form;

struct esp_ask {
    const struct esp_call *call;
    struct text method, path, body, content_type;
    struct text headers[ESP_HEADERS_MAX]; /* the values of esp->headers; p NULL: not there */
    struct text wild[ESP_WILDS_MAX];      /* what stands in the path for each "*" */
    struct text query;                    /* as it was sent, without "?" */
    struct text host;                     /* for addresses of pages: "127.0.0.1:8025" */
    bool https;                           /* that is reached by HTTPS */
    struct text unique;                   /* 32 hexadecimal digits, different for each request */
    tide_wall_ms now;
    const char *const *streams;
    size_t stream_count;
    struct text behind;    /* the API that all of the application's accounts speak; "": none does */
    size_t recipients_max; /* of one mail: the least of this and the ESP's counts */
    struct text application;
    const char *const *senders; /* config_application.sender_domains */
    size_t sender_count;
};

/* What became of one recipient's mail. */
struct esp_result {
    tide_id id;
    struct text address;
    enum notification_state state;
};

struct esp_mail {
    struct api_draft draft;
    struct esp_refusal *refusal; /* NULL: may be handed in; afterwards: was */
    struct esp_result *results;  /* filled by the caller */
    size_t result_count;
};

struct esp_quota {
    int64_t per_day, sent; /* per_day -1: no bound */
    double per_second;
};

/* Who is not mailed, of those that the application has mailed. */
struct esp_listing {
    struct text causes;             /* in: "invalid|disabled"; "": any */
    struct text recipient;          /* in: only this one; "": all */
    struct text after;              /* in: `next` of the page before */
    size_t skip, most;              /* in */
    const struct suppression *rows; /* out */
    size_t count;
    struct text next; /* "": that was the last page */
};

struct esp_lift {
    struct text address;
    enum esp_fault fault; /* out: ESP_FINE taken off; ESP_NOT_FOUND was not there; ... */
};

/* What became of the mails of a time, by their state now. */
struct esp_tallies {
    tide_wall_ms from, until;              /* in */
    int64_t step_ms;                       /* in: spans begin at multiples of it; 0: one for all */
    const struct notification_tally *rows; /* out: those with mails in them, in order */
    size_t count;
};

enum esp_does {
    ESP_SENDS,
    ESP_PRETENDS, /* sandbox and test modes: all is checked, nothing is handed in */
    ESP_SHOWS,    /* one notification: `shown` */
    ESP_CANCELS,  /* the same, if it waits still, for all its recipients */
    ESP_COUNTS,   /* the quota */
    ESP_TALLIES,  /* `tallies` */
    ESP_LISTS,    /* `listing` */
    ESP_LIFTS,    /* takes `lifts` off the list, those of `listing.causes` */
    ESP_TELLS,    /* nothing: the request and the configuration say it all */
};

struct esp_batch {
    enum esp_does does;
    bool each_own; /* a refused mail does not keep the others from being handed in */
    struct esp_mail *mails;
    size_t count;
    struct text message_id;                  /* of all mails of the request; "" if not set here */
    tide_id shown;                           /* in: which */
    const struct notification *notification; /* out: NULL when there is none */
    struct esp_quota quota;                  /* out */
    struct esp_tallies tallies;
    struct esp_listing listing;
    struct esp_lift *lifts;
    size_t lift_count;
    struct json *doc;        /* what the drafts point into */
    const struct form *form; /* beside sending, of an API of forms whose calls share one path */
    uint64_t compared;       /* keys with places in texts, by all substitutions */
    bool overfull;           /* something was too large, and is not what it should be */
};

/* A request on its way to a batch, or to a refusal; all four are the caller's. */
struct esp_reading {
    const struct esp_ask *ask;
    struct arena *arena;
    struct esp_batch *batch;
    struct esp_refusal *why;
};

struct esp_answer_header {
    const char *name;
    char value[ESP_FIELD_BYTES];
};

struct esp_answer {
    unsigned status;
    const char *content_type; /* NULL: no body */
    struct buf body;
    struct esp_answer_header headers[ESP_ANSWER_HEADERS_MAX];
    size_t header_count;
};

struct esp {
    const char *name;
    enum esp_auth auth;
    const char *token_header;
    bool any_case;                            /* its paths mean the same in capitals */
    const char *headers[ESP_HEADERS_MAX + 1]; /* that read() wants to see */
    void (*refuse)(const struct esp_ask *ask,
                   const struct esp_refusal *why,
                   struct esp_answer *ret);
};

struct esp_call {
    const struct esp *esp;
    const char *method, *path; /* "*" stands for one segment that is not empty */
    bool (*read)(struct esp_reading *r);
    /* All is decided: of mails that were not to be handed in (ESP_PRETENDS) the results are made
     * up. Never called when a mail was refused and the batch is not each_own. */
    void (*answer)(const struct esp_ask *ask,
                   const struct esp_batch *batch,
                   struct esp_answer *ret);
};

extern const struct esp esp_sendgrid, esp_postmark, esp_resend, esp_mailgun, esp_ses, esp_ses_query;

/* The calls of each ESP, ended by one without a path. */
extern const struct esp_call esp_sendgrid_calls[], esp_postmark_calls[], esp_resend_calls[],
    esp_mailgun_calls[], esp_ses_calls[], esp_ses_query_calls[];
extern const struct esp_call esp_sendgrid_manages[], esp_postmark_manages[], esp_resend_manages[],
    esp_mailgun_manages[], esp_ses_manages[];

/* The call of a request, with its wilds; NULL: no ESP's path. With another method than the path's
 * it is a call all the same and *ret_method says false; but "/" belongs to others too. */
const struct esp_call *esp_find(struct text method,
                                struct text path,
                                struct text ret_wild[ESP_WILDS_MAX],
                                bool *ret_method);

/* A path of mailtide's own API: no ESP's call is there, and none is meant. */
bool esp_is_own(struct text path);

/* For a path that is nobody's: the ESP that the request is meant for, by the form of its key; as a
 * call that can only be refused. NULL: none. `token`: there is a header X-Postmark-*-Token. */
const struct esp_call *esp_meant(struct text path, struct text authorization, bool token);

/* Reads the request by its call; bounds are kept for all ESPs here. */
bool esp_read(const struct esp_ask *ask,
              struct arena *arena,
              struct esp_batch *ret,
              struct esp_refusal *why);

/* The first refused mail of a batch that stands and falls together; NULL: none. */
const struct esp_refusal *esp_first_refusal(const struct esp_batch *batch);

void esp_batch_fini(struct esp_batch *batch);

#endif
