/* client.h - libmailtide: hands notifications to the mailtide daemon on this machine.
 *
 *     struct tide_client *c;
 *     struct tide_error err;
 *     if (tide_client_open(NULL, NULL, &c, &err) != TIDE_OK)
 *         return complain(err.text);
 *     struct tide_message m = {.from = "app@example.com", .to = "ann@example.org",
 *                              .subject = "Hi", .text = "Hello", .key = "order-17"};
 *     if (tide_send(c, &m, NULL, NULL, &err) != TIDE_OK)
 *         complain(err.text);
 *     tide_client_close(c);
 *
 * TIDE_OK from tide_send() means that the notifications are on the daemon's disk; what becomes of
 * them is the daemon's business from then on. Link with `pkg-config --cflags --libs libmailtide`.
 *
 * Owns      a client owns its connection, which is kept between calls. Strings are UTF-8, end with
 *           a NUL, and stay the caller's; they are only read during the call.
 * Lifetime  tide_client_open() to tide_client_close().
 * Threads   a client is used by one thread at a time; as many clients as you like. Calls block, at
 *           most `timeout_ms` of tide_client_timeout(). Not async-signal-safe; after fork() a child
 *           opens a client of its own.
 * Errors    each call returns a code and, where `err` is not NULL, a sentence that says what was
 *           wrong and what was wanted:
 *           TIDE_ECONN nobody answers there; TIDE_ETIMEOUT no answer in time; both may come after
 *           the daemon has taken the message: call again with the same `key`, and it is sent once.
 *           TIDE_EAUTH the key belongs to no application; TIDE_EPERM not allowed, as a sender that
 *           is not the application's; TIDE_EINVAL a field, which the text names; TIDE_EEXIST the
 *           key was used for another message; TIDE_ENOENT no such notification; TIDE_ESTATE it is
 *           not pending any more; TIDE_ELIMIT too much at once; TIDE_EFULL the daemon's disk is
 *           full, later; TIDE_EPROTO what answered is not mailtide; TIDE_ENOMEM.
 */
#ifndef MAILTIDE_CLIENT_H
#define MAILTIDE_CLIENT_H

#include "mailtide/error.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tide_client;

/* `where`: "unix:/run/mailtide/http.sock" or "http://127.0.0.1:8025", as in http.listen of the
 * daemon's configuration. NULL: $MAILTIDE_HTTP, else /run/mailtide/http.sock where there is one,
 * else http://127.0.0.1:8025. `key`: the application's; NULL: the anonymous one. Does not connect
 * yet: a daemon that starts later is found. */
TIDE_MUST_CHECK enum tide_err tide_client_open(const char *where,
                                               const char *key,
                                               struct tide_client **ret,
                                               struct tide_error *err);
void tide_client_close(struct tide_client *c); /* NULL: nothing */

/* For each call that follows; 30000 at first. */
void tide_client_timeout(struct tide_client *c, int timeout_ms);

struct tide_header {
    const char *name, *value;
};

struct tide_attachment {
    const char *filename;
    const char *content_type; /* NULL: application/octet-stream */
    const char *content_id;   /* NULL: none; shown inline where the HTML names it */
    const void *bytes;
    size_t size;
};

/* What is NULL or 0 is not given; zeroed memory is an empty message. */
struct tide_message {
    const char *from; /* "app@example.com" or "Shop <app@example.com>"; always wanted */
    /* as in a mail's header: "Ann <ann@example.org>, bob@example.org"; `to` is always wanted, and
     * each recipient becomes a notification of its own */
    const char *to, *cc, *bcc, *reply_to;
    const char *subject;     /* wanted, but with `message` */
    const char *text, *html; /* one at least, but with `message` */
    const struct tide_header *headers;
    size_t header_count;
    const struct tide_attachment *attachments;
    size_t attachment_count;
    /* in place of all from subject to attachments: a whole message (RFC 5322), line ends as you
     * like; from and to are its envelope */
    const char *message;
    size_t message_size; /* bytes; 0: up to its NUL */

    const char *stream; /* a class of notifications of the configuration; NULL: the application's */
    const char *key;    /* the same key again is the same message, sent once */
    const char *thread; /* what belongs together in a digest */
    const char *collapse_key; /* of the same one, what still waits is taken back: the last counts */
    int weight; /* 1 to 100: how much its delay counts beside others'; 0: the stream's */
    const struct tide_header *metadata; /* the application's own, given back with events */
    size_t metadata_count;
    const char *deadline, *not_before; /* "2h" from now, or RFC 3339 */
    struct {
        const char *title, *url, *text, *icon;
    } item; /* what a digest shows of it; NULL: subject and first lines */
};

/* One recipient's message, as the daemon sees it now. */
struct tide_notification {
    char id[32];
    char recipient[512];
    char state[16];   /* "accepted", "held", "releasing", "sent", "delivered", "bounced",
                       * "complained", "refused", "expired", "cancelled" */
    char reason[512]; /* of its state, a sentence; "" when there is nothing to say */
    int64_t
        release_at; /* held: when it will probably leave, milliseconds since 1970; 0: not known */
    int duplicate;  /* of tide_send(): it was handed in before under the same key */
};

/* `ret`, `ret_count`: one for each recipient, to be freed with free(); both NULL: not wanted. */
TIDE_MUST_CHECK enum tide_err tide_send(struct tide_client *c,
                                        const struct tide_message *m,
                                        struct tide_notification **ret,
                                        size_t *ret_count,
                                        struct tide_error *err);

/* The application's own notifications alone are found, cancelled, released. */
TIDE_MUST_CHECK enum tide_err tide_find(struct tide_client *c,
                                        const char *id,
                                        struct tide_notification *ret,
                                        struct tide_error *err);
/* What is pending shall not leave. */
TIDE_MUST_CHECK enum tide_err tide_cancel(struct tide_client *c,
                                          const char *id,
                                          struct tide_error *err);
/* What is held shall leave now, if no limit forbids it; it counts. */
TIDE_MUST_CHECK enum tide_err tide_release(struct tide_client *c,
                                           const char *id,
                                           struct tide_error *err);

#ifdef __cplusplus
}
#endif

#endif
