/* Resend beside sending.
 *
 *   POST /emails/ID/cancel      for all recipients of that mail, while it waits
 *   GET  /domains, /domains/ID  the application's `senders`, all verified: mailtide's own checks of
 *                               senders are told by `mailtide check-sender`
 *
 * Reference  Resend API reference, "Emails" and "Domains". */
#include "core/esp/manage.h"

static bool read_cancel(struct esp_reading *r)
{
    r->batch->does = ESP_CANCELS;
    r->batch->shown = esp_uuid_id(r->ask->wild[0]);
    if (r->batch->shown == 0)
        r->why->fault = ESP_NOT_FOUND;
    return r->batch->shown != 0;
}

static void answer_cancel(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    char id[ESP_UUID_BYTES];
    struct json_writer w;
    (void)ask;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_str(&w, "object", "email");
    jw_str(&w, "id", esp_uuid(batch->shown, id));
    jw_end(&w);
}

/* -- Domains ------------------------------------------------------------------------------------
 */

static void write_domain(struct json_writer *w, struct text name, size_t i)
{
    char id[ESP_UUID_BYTES];
    jw_object(w, NULL);
    jw_str(w, "object", "domain");
    jw_str(w, "id", esp_uuid((tide_id)i + 1, id));
    jw_text(w, "name", name);
    jw_str(w, "status", "verified");
    jw_end(w);
}

static void answer_domains(const struct esp_ask *ask,
                           const struct esp_batch *batch,
                           struct esp_answer *ret)
{
    struct json_writer w;
    (void)batch;
    manage_json(ret, 200, &w);
    jw_object(&w, NULL);
    jw_str(&w, "object", "list");
    jw_bool(&w, "has_more", false);
    jw_array(&w, "data");
    for (size_t i = 0; i < ask->sender_count; i++)
        if (manage_domain(ask->senders[i]).n > 0)
            write_domain(&w, manage_domain(ask->senders[i]), i);
    jw_end(&w);
    jw_end(&w);
}

static void answer_domain(const struct esp_ask *ask,
                          const struct esp_batch *batch,
                          struct esp_answer *ret)
{
    struct json_writer w;
    tide_id id = esp_uuid_id(ask->wild[0]);
    (void)batch;
    if (id < 1 || (uint64_t)id > ask->sender_count || !manage_domain(ask->senders[id - 1]).n) {
        manage_refuse(ask, ESP_NOT_HERE, "Domain not found", ret);
        return;
    }
    manage_json(ret, 200, &w);
    write_domain(&w, manage_domain(ask->senders[id - 1]), (size_t)id - 1);
}

const struct esp_call esp_resend_manages[] = {
    {&esp_resend, "POST", "/emails/*/cancel", read_cancel, answer_cancel},
    {&esp_resend, "GET", "/domains", manage_tell, answer_domains},
    {&esp_resend, "GET", "/domains/*", manage_tell, answer_domain},
    {0},
};
