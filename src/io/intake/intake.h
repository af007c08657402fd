/* intake.h - what every front door (SMTP, HTTP, later the ESP APIs) hands a message to.
 *
 * One request is one message for one or many recipients. The intake reads what the headers say
 * (X-Mailtide-*, From, Subject, Message-ID, Bcc), normalises line ends, makes it durable and lets
 * the gate decide; only then the callback comes. A front door answers 250 or 202 for TIDE_OK alone.
 *
 * Owns      nothing of the request but its arena's content until the callback.
 * Threads   loop thread only; the callback never comes from inside intake_submit().
 * Errors    TIDE_EADDR a recipient's address cannot be one (which is named); TIDE_EPERM the
 *           application may not send as this domain; TIDE_EINVAL an X-Mailtide header or field;
 *           TIDE_EEXIST the key was used for another message; TIDE_ELIMIT too much at once, try
 *           later (452, 429); TIDE_EFULL, TIDE_EIO the store cannot take it now (452, 503).
 */
#ifndef IO_INTAKE_INTAKE_H
#define IO_INTAKE_INTAKE_H

#include "base/arena.h"
#include "core/config/config.h"
#include "core/record/notification.h"

struct intake;

struct intake_recipient {
    struct text address;       /* as given, UTF-8 or ASCII */
    struct text notify, orcpt; /* RFC 3461 */
};

struct intake_result {
    tide_id id;
    bool duplicate;     /* same application and key as before: the first one's id, nothing new */
    tide_id supersedes; /* was cancelled for it: the same collapse key; 0: none */
    enum notification_state state;
    struct text reason;  /* a sentence */
    tide_wall_ms due_at; /* estimated release; 0: not known yet (being verified) */
};

struct intake_request {
    /* in: borrowed until the callback */
    const struct config_application *application;
    struct text sender; /* envelope; "" is the null path */
    const struct intake_recipient *recipients;
    size_t recipient_count;
    struct text message; /* RFC 5322 with CRLF or bare LF, not dot-stuffed */
    /* empty: taken from X-Mailtide-* headers, else from the application's defaults */
    struct text stream, key, thread, collapse_key;
    struct text fingerprint; /* under the same key this must be the same; "": the message. For doors
                              * that write the message themselves (its date differs each time) */
    struct digest_item item;
    struct text metadata;                 /* a JSON object to be told again; "": none */
    int weight;                           /* 0: the header's, else its stream's */
    tide_wall_ms not_before, deadline_at; /* 0: none */
    struct text ret, envid;
    struct text template_api; /* whose stored template the message names (core/record/template.h);
                               * "": none */
    struct text source;       /* "smtp 127.0.0.1:40312" */
    /* out */
    struct intake_result *results; /* recipient_count, in arena */
    struct arena arena;            /* zeroed by the caller, arena_fini() by the caller */
    void (*done)(struct intake_request *req, enum tide_err rc, const struct tide_error *err);
    void *arg;
};

void intake_submit(struct intake *in, struct intake_request *req);

/* What a front door can refuse before the message comes: the address's syntax, the sender's domain.
 * Does no DNS. */
TIDE_MUST_CHECK enum tide_err intake_check_recipient(struct intake *in,
                                                     struct text address,
                                                     struct tide_error *err);
TIDE_MUST_CHECK enum tide_err intake_check_sender(struct intake *in,
                                                  const struct config_application *application,
                                                  struct text sender,
                                                  struct tide_error *err);

/* foresee() (io/intake/foresee.h) with this intake's drive. */
bool intake_foresee(struct intake *in,
                    struct text address,
                    struct text sender,
                    void (*done)(void *arg, struct text refusal),
                    void *arg);

/* Whether `n` notifications would be within the application's intake_per_minute_max now: for doors
 * whose requests hold many and are taken as a whole or not at all. */
TIDE_MUST_CHECK enum tide_err intake_check_room(struct intake *in,
                                                const struct config_application *application,
                                                size_t n,
                                                struct tide_error *err);

/* The configuration in force; may change between two calls (reload), never during one. */
const struct config *intake_config(const struct intake *in);

#endif
