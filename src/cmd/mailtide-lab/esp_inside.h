/* esp_inside.h - the ESP's own structs, shared by its files: esp.c (queue), esp_smtp.c and
 * esp_http.c (doors), webhook.c. */
#ifndef CMD_MAILTIDE_LAB_ESP_INSIDE_H
#define CMD_MAILTIDE_LAB_ESP_INSIDE_H

#include "base/list.h"
#include "cmd/mailtide-lab/esp.h"
#include "cmd/mailtide-lab/limits.h"
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
    ESP_EVENT_KINDS
};

struct esp_event {
    tide_wall_ms at;
    enum esp_event_kind kind;
    int64_t id; /* of the mail */
    struct text recipient, reason;
};

struct esp_suppression {
    tide_wall_ms at;
    struct text address, reason;
};

struct esp_mail {
    struct list node;
    struct esp *esp;
    int64_t id;
    tide_wall_ms accepted_at, retry_at;
    char *sender, *recipient;
    struct buf message;
    struct account_mail out;
};

struct esp {
    struct esp_parts parts;
    const struct lab_esp *def;
    struct meters meters;
    /* doors */
    struct smtp_service *smtp;
    struct http *http;
    struct list hung; /* struct esp_client */
    int64_t faults[ESP_FAULT_COUNT];
    /* mails */
    struct account **accounts; /* one a provider */
    struct config_account *account_configs;
    size_t account_count;
    struct list flying, waiting;
    uv_timer_t timer;
    int64_t last_id;
    /* what happened */
    struct esp_event *events;
    size_t event_count, event_cap;
    int64_t counts[ESP_EVENT_KINDS];
    struct strmap suppressions;
    struct arena memory; /* texts of events and suppressions */
    struct webhook *webhook;
    bool closing;
    unsigned closing_step;
    size_t closing_account;
    void (*closed)(void *arg);
    void *closed_arg;
};

const char *esp_event_name(enum esp_event_kind k);

/* True: it happens now, and is used up by one. */
bool esp_take_fault(struct esp *e, enum esp_fault fault);

/* One mail for one recipient; what it is given is copied. */
TIDE_MUST_CHECK enum tide_err esp_submit(struct esp *e,
                                         struct text sender,
                                         struct text recipient,
                                         struct text message,
                                         int64_t *ret_id,
                                         struct tide_error *err);

/* esp_smtp.c */
TIDE_MUST_CHECK enum tide_err esp_smtp_open(struct esp *e, struct tide_error *err);
void esp_smtp_unhang(struct esp *e); /* those that hang get a 421 */

/* esp_http.c */
TIDE_MUST_CHECK enum tide_err esp_http_open(struct esp *e, struct tide_error *err);
void esp_write_event(const struct esp *e, size_t i, struct json_writer *w);

#endif
