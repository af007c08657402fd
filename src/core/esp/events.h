/* events.h - what ESPs tell by webhook of mails that have left: a request is proven to be theirs,
 * then read into news (core/record/news.h).
 *
 * One file an ESP (events_NAME.c; the smaller ones share events_others.c); events.c is the table of
 * them, and proves what all prove the same way:
 *
 *   ESP           signs with                                       replays       else
 *   sendgrid      ECDSA P-256 over time and body                   a day         login, token
 *   ses           RSA (SNS, versions 1 and 2); topics by name      a day         login, token
 *                 (EventBridge: not signed)
 *   mailgun       HMAC-SHA-256 over time and token                 a day; once
 *   postmark      -                                                              login, token
 *   sparkpost     -                                                              login, token
 *   resend        HMAC-SHA-256 over id, time and body (Svix)       5 minutes     login, token
 *   brevo         -                                                              login, token
 *   mailersend, mailtrap   HMAC-SHA-256 over the body                            login, token
 *   mailjet       -                                                              login, token
 *   mandrill      HMAC-SHA-1 over the webhook's address and fields               login, token
 *   postal        RSA over the body (SHA-256, or the old SHA-1)                  login, token
 *   unisender_go  MD5 over the body with the key in it                           login, token
 *
 * Everything that is configured must be shown: a signature where there is a key for one, a login or
 * a token where there are some. Nothing configured: nothing is believed, unless `open` says so.
 *
 *   events_read() --> READ (news) | REFUSED (fault, message)
 *        ^               | SNS's signature needs its certificate
 *        `-- certificate <-- WANTS_CERTIFICATE (https address, checked to be Amazon's)
 *
 * Until a request is proven no more of it is parsed than the proof needs.
 *
 * Owns      nothing: news point into the request's body, its JSON document (events_batch_fini()) or
 *           the caller's arena.
 * Threads   any. Reads no clock; hashing and signatures are the caller's (struct events_crypto).
 * Errors    struct events_batch.fault with a sentence.
 * Limits    EVENTS_BYTES_MAX, EVENTS_MAX pieces of news of one request.
 */
#ifndef CORE_ESP_EVENTS_H
#define CORE_ESP_EVENTS_H

#include "base/arena.h"
#include "core/proto/json.h"
#include "core/record/news.h"

#define EVENTS_BYTES_MAX    (16u * 1024 * 1024) /* SparkPost: 10,000 events at once */
#define EVENTS_MAX          20000
#define EVENTS_HASH_BYTES   32
#define EVENTS_NOTE_BYTES   256
#define EVENTS_FRESH_MS     TIME_DAY_MS
#define EVENTS_AHEAD_MS     (5 * TIME_MINUTE_MS) /* their clock may go before ours */
#define EVENTS_TOKEN_HEADER "X-Mailtide-Token"

/* One vocabulary for what all ESPs tell, with the kind of news that each is unless its ESP's reader
 * knows better: django-anymail's words, which applications know. */
#define EVENT_WORDS(X)                            \
    X(UNKNOWN, "unknown", OTHER)                  \
    X(QUEUED, "queued", OTHER)                    \
    X(SENT, "sent", OTHER)                        \
    X(DELIVERED, "delivered", DELIVERED)          \
    X(DEFERRED, "deferred", DEFERRED)             \
    X(BOUNCED, "bounced", BOUNCED)                \
    X(REJECTED, "rejected", DROPPED)              \
    X(FAILED, "failed", DROPPED)                  \
    X(COMPLAINED, "complained", COMPLAINED)       \
    X(UNSUBSCRIBED, "unsubscribed", UNSUBSCRIBED) \
    X(SUBSCRIBED, "subscribed", OTHER)            \
    X(AUTORESPONDED, "autoresponded", OTHER)      \
    X(OPENED, "opened", OTHER)                    \
    X(CLICKED, "clicked", OTHER)

enum event_word {
#define EVENT_WORD(code, text, kind) EVENT_##code,
    EVENT_WORDS(EVENT_WORD)
#undef EVENT_WORD
};

enum events_hash { EVENTS_MD5, EVENTS_SHA1, EVENTS_SHA256 };
enum events_key { EVENTS_KEY_RSA, EVENTS_KEY_EC };

/* The arithmetic (io/crypto/events_crypto.h). Texts come in pieces that are one after the other. */
struct events_crypto {
    /* Both give the length of what they wrote to `out`. */
    size_t (*digest)(enum events_hash h,
                     const struct text *parts,
                     size_t count,
                     unsigned char out[EVENTS_HASH_BYTES]);
    size_t (*hmac)(enum events_hash h,
                   struct text key,
                   const struct text *parts,
                   size_t count,
                   unsigned char out[EVENTS_HASH_BYTES]);
    /* Whether `signature` is right under a public key (DER, SubjectPublicKeyInfo) or a certificate
     * (PEM), which has to be of this kind. */
    bool (*verify)(enum events_key kind,
                   enum events_hash h,
                   struct text key,
                   const struct text *parts,
                   size_t count,
                   struct text signature);
};

/* What the account has been told to take; texts may be empty. Several secrets stand on
 * lines of their own. */
struct events_secrets {
    struct text key, login, token;
    char *const *topics;
    size_t topic_count;
    struct text url;
    bool open;
};

struct events_api;

struct events_ask {
    const struct events_api *api;
    struct events_secrets secrets;
    struct text body, content_type;
    struct text url; /* that was asked for: what Mandrill signs, unless secrets.url says it */
    /* The value of a header, any case; p NULL: not there. */
    struct text (*header)(void *arg, const char *name);
    void *arg;
    struct text certificate; /* that was wanted, PEM; "" at first */
    tide_wall_ms now;        /* real time; 0: freshness is not looked at */
    tide_wall_ms wall;       /* the daemon's own time, which may be a hurried one: what is fresh by
                              * either is; 0: the same */
    const struct events_crypto *crypto;
};

enum events_end { EVENTS_READ, EVENTS_REFUSED, EVENTS_WANT_CERTIFICATE };

enum events_fault {
    EVENTS_FINE,
    EVENTS_NO_PROOF,  /* nothing was shown: 401 */
    EVENTS_BAD_PROOF, /* it is not theirs: 403 */
    EVENTS_STALE,     /* signed too long ago, or for a time to come: 403 */
    EVENTS_UNPROVEN,  /* nothing is configured that could prove it: 403 */
    EVENTS_BAD_BODY,  /* proven, but it cannot be read: 400 */
    EVENTS_TOO_MUCH,  /* 413 */
    EVENTS_NO_MEMORY, /* 503 */
};

const char *events_fault_name(enum events_fault f); /* "no_proof" */
unsigned events_fault_status(enum events_fault f);  /* of HTTP */

struct events_batch {
    struct mail_news *news;
    size_t count;
    struct text once;            /* a request with this in it is taken one time only; "" */
    struct text certificate_url; /* EVENTS_WANT_CERTIFICATE */
    struct text confirm_url;     /* to be asked for, so that the ESP goes on telling; "" */
    struct text topic;           /* SNS: whose topic it was; "" */
    enum events_fault fault;
    char message[EVENTS_NOTE_BYTES]; /* a sentence; of what was read: what is to be noted, or "" */
    struct json *doc, *inner;        /* what the news point into */
};

struct events_api {
    const char *name, *title;
    bool signs; /* secrets.key is for its signatures */
    /* Whether the signature is right; may set ret->doc. Sees requests with a key only. */
    enum events_end (*prove)(const struct events_ask *ask,
                             struct text key,
                             struct arena *a,
                             struct events_batch *ret);
    /* Fills news; login and signature are right. */
    enum events_end (*read)(const struct events_ask *ask,
                            struct arena *a,
                            struct events_batch *ret);
};

extern const struct events_api events_sendgrid, events_ses, events_mailgun, events_postmark,
    events_sparkpost, events_resend, events_brevo, events_mailersend, events_mailjet,
    events_mailtrap, events_mandrill, events_postal, events_unisender;

const struct events_api *events_api_find(struct text name); /* NULL: unknown */
const struct events_api *events_api_at(size_t i);           /* NULL: behind the last */

enum events_end events_read(const struct events_ask *ask,
                            struct arena *a,
                            struct events_batch *ret);
void events_batch_fini(struct events_batch *b);

#endif
