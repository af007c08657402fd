/* esp_inside.h - the ESP's own structs, shared by its files: esp.c (queue), esp_lists.c and
 * esp_events.c (books), esp_smtp.c and esp_http.c (doors), esp_api.h (whose API it speaks). */
#ifndef CMD_MAILTIDE_LAB_ESP_INSIDE_H
#define CMD_MAILTIDE_LAB_ESP_INSIDE_H

#include "base/list.h"
#include "cmd/mailtide-lab/esp.h"
#include "cmd/mailtide-lab/limits.h"
#include "cmd/mailtide-lab/sign.h"
#include "cmd/mailtide-lab/webhook.h"
#include "io/loop/http.h"
#include "io/loop/smtp_service.h"
#include "io/release/account.h"

enum esp_event_kind {
    ESP_PROCESSED,
    ESP_DELIVERED,
    ESP_DEFERRED,
    ESP_BOUNCE,
    ESP_DROPPED,
    ESP_COMPLAINT,
    ESP_EVENT_KINDS
};

/* Why a mail bounced. */
enum esp_cause { ESP_NO_CAUSE, ESP_REFUSED, ESP_EXPIRED, ESP_NO_DOMAIN };

struct esp_pair {
    struct text name, value;
};

/* A mail as its events tell of it; kept for good. */
struct esp_about {
    int64_t id;
    struct text api_id; /* what the API answered with; "" by SMTP */
    struct text sender, recipient, subject, message_id;
    struct text stream;            /* Postmark's; "" */
    const struct esp_pair *custom; /* what the sender wants given back */
    size_t custom_count;
    tide_wall_ms accepted_at;
};

struct esp_event {
    tide_wall_ms at;
    enum esp_event_kind kind;
    enum esp_cause cause; /* of a bounce */
    const struct esp_about *mail;
    struct text reason;
    const char *list; /* a bounce or complaint put the address there; a drop found it there */
    int64_t n;
};

struct esp_suppression {
    tide_wall_ms at;
    const char *list; /* the ESP's name of it: "bounces" */
    struct text address, reason;
};

struct esp_mail {
    struct list node;
    struct esp *esp;
    const struct esp_about *about;
    tide_wall_ms retry_at;
    struct buf message;
    struct account_mail out;
};

struct esp {
    struct esp_parts parts;
    const struct lab_esp *def;
    const struct lab_api *api;
    struct meters meters;
    /* doors */
    struct smtp_service *smtp;
    struct http *http;
    struct list hung;                /* struct esp_client */
    struct http_request **hung_asks; /* HTTP that is never answered, until the end */
    size_t hung_ask_count, hung_ask_cap;
    int64_t faults[ESP_FAULT_COUNT];
    /* mails */
    struct account **accounts; /* one a provider */
    struct config_account *account_configs;
    size_t account_count;
    struct list flying, waiting;
    uv_timer_t timer;
    int64_t last_id, last_name;
    tide_wall_ms called_at; /* the last call that is not a mail */
    int64_t send_calls;     /* requests that hand in mail, of its API */
    struct strmap keys;     /* idempotency: struct esp_known */
    /* what happened */
    struct esp_event *events;
    size_t event_count, event_cap;
    int64_t counts[ESP_EVENT_KINDS];
    struct esp_suppression **listed;
    size_t listed_count, listed_cap;
    struct arena memory; /* texts of events and suppressions */
    struct webhook *webhook;
    struct signer *signer;
    bool subscribed;                /* what SNS was asked for, where that is wanted */
    int64_t sns_asked, sns_written; /* requests of SNS' own, messages */
    uv_timer_t tell_timer;
    size_t told; /* events that the webhook has been told, or spared */
    bool closing;
    unsigned closing_step;
    size_t closing_account;
    void (*closed)(void *arg);
    void *closed_arg;
};

const char *esp_event_name(enum esp_event_kind k);

/* True: it happens now, and is used up by one. */
bool esp_take_fault(struct esp *e, enum esp_fault fault);

/* What is handed in. */
struct esp_given {
    struct text sender, recipient, message;
    struct text api_id, stream;
    const struct esp_pair *custom;
    size_t custom_count;
};

/* One mail for one recipient; what it is given is copied. */
TIDE_MUST_CHECK enum tide_err esp_submit(struct esp *e,
                                         const struct esp_given *given,
                                         int64_t *ret_id,
                                         struct tide_error *err);

/* esp_lists.c. Addresses in any case. `list` NULL: any. */
void esp_list_put(struct esp *e, const char *list, struct text address, struct text reason);
const struct esp_suppression *esp_list_find(const struct esp *e,
                                            const char *list,
                                            struct text address);
bool esp_list_remove(struct esp *e, const char *list, struct text address);
/* What is said of mail to an address that is listed; NULL: nothing, it is delivered. */
const char *esp_drop_words(const struct esp *e, struct text recipient, const char **ret_list);

/* esp_events.c: notes it and tells the webhook. What a bounce or complaint lists is listed here. */
void esp_record(struct esp *e,
                enum esp_event_kind kind,
                enum esp_cause cause,
                const struct esp_about *mail,
                struct text reason);
enum tide_err esp_events_open(struct esp *e, struct tide_error *err);
void esp_write_event(const struct esp *e, const struct esp_event *v, struct json_writer *w);

/* esp_smtp.c */
TIDE_MUST_CHECK enum tide_err esp_smtp_open(struct esp *e, struct tide_error *err);
void esp_smtp_unhang(struct esp *e); /* those that hang get a 421 */

/* esp_http.c */
TIDE_MUST_CHECK enum tide_err esp_http_open(struct esp *e, struct tide_error *err);
void esp_http_unhang(struct esp *e); /* those that hang get a 503 */

#endif
