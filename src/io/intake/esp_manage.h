/* esp_manage.h - carries out what an application asks through an ESP's API beside sending: looks
 * into the store, takes addresses off the list, withdraws a mail.
 *
 *   ESP_SHOWS, ESP_COUNTS, ESP_TALLIES, ESP_LISTS   one question to the store
 *   ESP_CANCELS                                     one order
 *   ESP_LIFTS      each address: --found?--> order for each entry that stops it --> the next
 *   ESP_TELLS                                       nothing
 *
 * Owns      the questions and what came back; all else is the caller's and stays until `done`.
 * Lifetime  zeroed memory to esp_manage_fini(), which comes after `done`.
 * Threads   loop thread only; `done` comes once, for ESP_TELLS from inside the call.
 * Errors    what an application may not see is ESP_NOT_FOUND, as if it were not there.
 */
#ifndef IO_INTAKE_ESP_MANAGE_H
#define IO_INTAKE_ESP_MANAGE_H

#include "core/address/addr.h"
#include "core/esp/esp.h"
#include "io/status/operate.h"
#include "io/store/store.h"

struct esp_manage {
    /* in */
    struct store *store;
    const struct operate *operate;
    const struct esp_ask *ask;
    int64_t per_minute; /* config_application.intake_per_minute_max */
    struct arena *arena;
    void (*done)(struct esp_manage *m);
    /* in and out */
    struct esp_batch *batch;
    struct esp_refusal *why;
    /* own */
    struct store_ask lookup;
    struct operate_request cancel;
    struct operate_suppress order;
    struct mail_news about;
    struct addr addr;
    struct text by;
    size_t lift, entry; /* the next */
    bool lifted;
};

void esp_manage(struct esp_manage *m);
void esp_manage_fini(struct esp_manage *m);

#endif
