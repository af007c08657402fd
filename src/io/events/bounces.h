/* bounces.h - mail that comes back: by SMTP at a bounce address, or handed in (mailtide ingest).
 *
 *   mail --uv pool: bounce_read(), bounce_news()--> news_desk_take() --durable--> done()
 *
 * Auto-replies and mail of people are told apart and change nothing. What is not proven to be about
 * a mail of ours (core/outcome/verp.h) counts only where it names one by its Message-ID.
 *
 * Owns      the key of the made addresses: the configured one, else one that is made once and kept
 *           in STATE_DIR/bounce.key.
 * Lifetime  bounces_open() to the closed callback, which waits for mails being read; the desk,
 *           drive and configuration outlive it.
 * Threads   loop thread; mails are read on the uv pool.
 * Errors    of opening: TIDE_EIO the key file. Of a mail: TIDE_ELIMIT too many at once, the desk's.
 * Limits    BOUNCE_BYTES_MAX a mail; BOUNCES_AT_ONCE_MAX being read.
 */
#ifndef IO_EVENTS_BOUNCES_H
#define IO_EVENTS_BOUNCES_H

#include "core/outcome/bounce.h"
#include "core/outcome/verp.h"
#include "io/events/desk.h"
#include "io/loop/http.h"

#define BOUNCES_AT_ONCE_MAX 64

struct bounces;

TIDE_MUST_CHECK enum tide_err bounce_key_load(const struct config *config,
                                              struct verp *ret,
                                              struct tide_error *err);

/* `verp` is borrowed until the end. */
TIDE_MUST_CHECK enum tide_err bounces_open(struct drive *drive,
                                           struct news_desk *desk,
                                           const struct verp *verp,
                                           struct bounces **ret,
                                           struct tide_error *err);
void bounces_close(struct bounces *b, void (*closed)(void *arg), void *arg);

/* How what bounced is read from now on; borrowed until the end. */
void bounces_set_rules(struct bounces *b, const struct rulebook *rules);

/* Whether bounces are taken at any address at all. */
bool bounces_wanted(const struct bounces *b);

/* NO: an address like any other. FORGED: it looks like one of ours, and is not. */
enum bounce_address { BOUNCE_ADDRESS_NO, BOUNCE_ADDRESS_FORGED, BOUNCE_ADDRESS_OURS };
enum bounce_address bounces_address(const struct bounces *b, struct text address);

/* One mail; message and sent_to are borrowed until done(), which comes once, not from inside. */
struct bounce_mail {
    struct text message;
    struct text sent_to; /* the envelope's recipient; "": not known */
    void (*done)(struct bounce_mail *mail, enum tide_err rc, const struct tide_error *err);
    void *arg;
    /* out */
    enum bounce_kind kind;
    size_t count, known; /* pieces of news; those about mail of ours */
    /* its own */
    struct bounces *bounces;
    uv_work_t work;
    struct arena arena;
    struct mail_news *news;
    const struct rulebook *rules;
    enum tide_err rc;
    struct tide_error err;
};
void bounces_take(struct bounces *b, struct bounce_mail *mail);

/* POST of one mail by an operator: {"kind", "news", "known"}. */
void bounces_ingest(struct bounces *b, struct http_request *req);

#endif
