/* manage.h - the calls beside sending that applications make all the same: is the key good, who may
 * be sent as, who is not mailed, what became of it.
 *
 * They are answered from mailtide's own data in the form of the ESP (manage_NAME.c). What has no
 * meaning here has no call, so that esp_meant() refuses it in that form. Causes of suppressions are
 * the names of core/record/suppression.h, with "|" between them.
 *
 * Owns      nothing: what is made is in the arena of the reading.
 * Threads   any.
 */
#ifndef CORE_ESP_MANAGE_H
#define CORE_ESP_MANAGE_H

#include "core/esp/part.h"
#include "core/proto/form.h"

#define MANAGE_BOUNCED      "invalid|disabled|full|manual"
#define MANAGE_COMPLAINED   "complaint"
#define MANAGE_UNSUBSCRIBED "unsubscribed"
#define MANAGE_ROWS_MAX     1000

/* The parameters of the query. */
bool manage_query(struct esp_reading *r, struct form *ret);
/* A number from 0 to `max`; `preset` when it is not there or none. */
int64_t manage_number(const struct form *f, const char *name, int64_t preset, int64_t max);

/* Begins one page of those suppressed for `causes`. */
void manage_list(struct esp_reading *r, const char *causes, size_t skip, size_t most);
/* Of this one alone; false when it is no address: nobody by that name is there then. */
bool manage_list_one(struct esp_reading *r, const char *causes, struct text address);
/* One more address to be taken off. */
bool manage_lift(struct esp_reading *r, struct text address, const char *causes);
/* The first that could not be, other than that it was not there; ESP_FINE: all could. */
enum esp_fault manage_lift_fault(const struct esp_batch *batch);

/* For a call that takes nothing. */
bool manage_tell(struct esp_reading *r);

/* May the application send as this address or domain? */
bool manage_may_send_as(const struct esp_ask *ask, struct text identity);
/* The domain that a pattern of senders stands for, or "". */
struct text manage_domain(const char *pattern);

/* Left for the recipient; of them, known to have arrived. */
int64_t manage_left(const struct notification_tally *t);
int64_t manage_arrived(const struct notification_tally *t);
struct notification_tally manage_sum(const struct esp_tallies *all);

/* The answer is a refusal after all. */
void manage_refuse(const struct esp_ask *ask,
                   enum esp_fault fault,
                   const char *message,
                   struct esp_answer *ret);

/* An answer of JSON. */
void manage_json(struct esp_answer *ret, unsigned status, struct json_writer *w);

#endif
