/* esp.h - an ESP: takes mail by SMTP and HTTP, delivers it, keeps events and suppression lists.
 *
 * Each recipient of a message is a mail of its own:
 *
 *   processed --(address listed)--> dropped, unseen by anybody
 *       `--> on its way --2xx--> delivered (--the recipient complains--> complaint)
 *               |  ^ `--5xx--> bounce: the address is listed from now on
 *               v  | 4xx, no connection: deferred, again after retry_every
 *              waiting --retry_for has passed--> bounce, not listed
 *
 * The key `api` says which ESP it plays: the HTTP API, what lists an address and what a listed one
 * means, the webhook's form and signature. As the ESPs do that it stands for, it takes a bare 550
 * for a fault of the address.
 *
 * Owns      its doors, its connections to the providers, mails, events, suppressions.
 * Lifetime  esp_open() to the callback of esp_close(). Providers and names outlive it.
 * Threads   loop thread only.
 * Errors    out of memory refuses the mail (452, 503) or loses the event, which is logged.
 */
#ifndef CMD_MAILTIDE_LAB_ESP_H
#define CMD_MAILTIDE_LAB_ESP_H

#include "cmd/mailtide-lab/names.h"
#include "cmd/mailtide-lab/world.h"
#include "core/proto/json_write.h"
#include "io/loop/clock.h"

#include <uv.h>

struct esp;

/* What can be switched on to go wrong. */
#define ESP_FAULTS(X)                                                                  \
    X(CLOSE_LOST, "close-lost") /* the connection ends after DATA, the mail is gone */ \
    X(CLOSE_KEPT, "close-kept") /* the same, but the mail was taken */                 \
    X(HANG, "hang")             /* no reply after DATA */                              \
    X(BUSY, "busy")             /* 421 at MAIL */                                      \
    X(REFUSE, "refuse")         /* 550 at MAIL; by HTTP: the sender is not verified */ \
    /* by HTTP alone */                                                                \
    X(LIMITED, "limited")   /* 429 with a reset half a minute away */                  \
    X(DOWN, "down")         /* 500 */                                                  \
    X(BAD_KEY, "bad-key")   /* 401 or 403 */                                           \
    X(BAD_MAIL, "bad-mail") /* 400 or 422: this mail will never do */                  \
    X(SILENT, "silent")     /* the mail is taken, no answer ever comes */              \
    X(GATEWAY, "gateway")   /* the mail is taken, the answer is 504 */                 \
    X(HALF, "half")         /* the mail is taken, half of the answer comes */

enum esp_fault {
#define ESP_FAULT(code, text) ESP_FAULT_##code,
    ESP_FAULTS(ESP_FAULT)
#undef ESP_FAULT
        ESP_FAULT_COUNT
};

bool esp_fault_of(struct text name, enum esp_fault *ret);

struct esp_parts {
    uv_loop_t *loop;
    const struct clock *clock;
    const struct world *world;
    int index;
    const struct names *names;
    const int *provider_ports; /* of the world's providers; copied */
};

TIDE_MUST_CHECK enum tide_err esp_open(const struct esp_parts *parts,
                                       struct esp **ret,
                                       struct tide_error *err);
void esp_close(struct esp *e, void (*closed)(void *arg), void *arg);

const char *esp_smtp_name(const struct esp *e, char *out, size_t size); /* "127.0.0.1:40123" */
int esp_http_port(const struct esp *e);

/* Where its events go, from now on; NULL: nowhere. */
TIDE_MUST_CHECK enum tide_err esp_set_webhook(struct esp *e,
                                              const char *url,
                                              struct tide_error *err);
/* Addresses, and what its events are signed with: members of an open object. */
void esp_write_ready(const struct esp *e, struct json_writer *w);

/* The next `count` times; 0 switches it off, below 0 on until switched off. */
void esp_set_fault(struct esp *e, enum esp_fault fault, int64_t count);

/* Events behind the `after`-th, each with its number `n`; what is on its way; what is listed. */
void esp_write_events(const struct esp *e, int64_t after, struct json_writer *w, const char *name);
void esp_write_suppressions(const struct esp *e, struct json_writer *w, const char *name);
void esp_write_books(const struct esp *e, struct json_writer *w, const char *name);

#endif
