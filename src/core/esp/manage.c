#include "core/esp/manage.h"

#include "base/macros.h"
#include "core/config/config.h"

#include <stdio.h>

bool manage_query(struct esp_reading *r, struct form *ret)
{
    struct tide_error err = {0};
    enum tide_err rc =
        form_parse(TEXT("application/x-www-form-urlencoded"), r->ask->query, r->arena, ret, &err);
    if (rc == TIDE_ENOMEM)
        return esp_no_memory(r);
    return rc == TIDE_OK ||
           esp_refuse(r, ESP_BAD_VALUE, "", "The query cannot be read: %s", err.text);
}

int64_t manage_number(const struct form *f, const char *name, int64_t preset, int64_t max)
{
    int64_t n;
    return text_int(form_value(f, name), 0, max, &n, NULL) == TIDE_OK ? n : preset;
}

/* -- Who is not mailed --------------------------------------------------------------------------
 */

void manage_list(struct esp_reading *r, const char *causes, size_t skip, size_t most)
{
    r->batch->does = ESP_LISTS;
    r->batch->listing = (struct esp_listing){
        .causes = text_of(causes), .skip = skip, .most = TIDE_MIN(most, (size_t)MANAGE_ROWS_MAX)};
}

bool manage_list_one(struct esp_reading *r, const char *causes, struct text address)
{
    manage_list(r, causes, 0, 1);
    r->batch->listing.recipient = address;
    return esp_is_address(address);
}

bool manage_lift(struct esp_reading *r, struct text address, const char *causes)
{
    struct esp_batch *b = r->batch;
    if (!b->lifts)
        b->lifts = arena_array(r->arena, ESP_LIFTS_MAX, sizeof *b->lifts);
    if (!b->lifts)
        return esp_no_memory(r);
    if (b->lift_count == ESP_LIFTS_MAX)
        return esp_refuse(r, ESP_TOO_MANY, "", "At most %d addresses are taken.", ESP_LIFTS_MAX);
    b->does = ESP_LIFTS;
    b->listing.causes = text_of(causes);
    b->lifts[b->lift_count++] = (struct esp_lift){
        .address = address, .fault = esp_is_address(address) ? ESP_FINE : ESP_BAD_ADDRESS};
    return true;
}

enum esp_fault manage_lift_fault(const struct esp_batch *batch)
{
    for (size_t i = 0; i < batch->lift_count; i++)
        if (batch->lifts[i].fault != ESP_FINE && batch->lifts[i].fault != ESP_NOT_FOUND)
            return batch->lifts[i].fault;
    return ESP_FINE;
}

/* -- Who may be sent as -------------------------------------------------------------------------
 */

bool manage_tell(struct esp_reading *r)
{
    r->batch->does = ESP_TELLS;
    return true;
}

bool manage_may_send_as(const struct esp_ask *ask, struct text identity)
{
    size_t at = text_find(identity, '@');
    return config_is_sender(ask->senders, ask->sender_count,
                            at < identity.n ? text_cut(identity, at + 1, SIZE_MAX) : identity);
}

struct text manage_domain(const char *pattern)
{
    struct text t = text_of(pattern);
    return t.n > 0 && t.p[0] != '*' && t.p[0] != '.' ? t : TEXT("");
}

/* -- Counts -------------------------------------------------------------------------------------
 */

int64_t manage_left(const struct notification_tally *t)
{
    return t->states[NOTIFICATION_SENT] + t->states[NOTIFICATION_BOUNCED] + manage_arrived(t);
}

int64_t manage_arrived(const struct notification_tally *t)
{
    return t->states[NOTIFICATION_DELIVERED] + t->states[NOTIFICATION_COMPLAINED];
}

struct notification_tally manage_sum(const struct esp_tallies *all)
{
    struct notification_tally sum = {.from = all->from};
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; k < TIDE_COUNT(sum.states); k++)
            sum.states[k] += all->rows[i].states[k];
    return sum;
}

/* -- Answers ------------------------------------------------------------------------------------
 */

void manage_refuse(const struct esp_ask *ask,
                   enum esp_fault fault,
                   const char *message,
                   struct esp_answer *ret)
{
    struct esp_refusal why = {.fault = fault};
    snprintf(why.message, sizeof why.message, "%s", message);
    ask->call->esp->refuse(ask, &why, ret);
}

void manage_json(struct esp_answer *ret, unsigned status, struct json_writer *w)
{
    ret->status = status;
    ret->content_type = "application/json";
    jw_init(w, &ret->body);
}
