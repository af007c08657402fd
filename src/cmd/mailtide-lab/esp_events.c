/* What happens at the ESP, in its books and by webhook, and what goes wrong with webhooks: they
 * come late (webhook_delay), in the opposite order within that time (webhook_reversed), twice
 * (webhook_twice), or not at all (webhook_lose: each so-many-th). */
#include "base/log.h"
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"

#include <stdlib.h>

const char *esp_event_name(enum esp_event_kind k)
{
    static const char *const names[] = {"processed", "delivered", "deferred",
                                        "bounce",    "dropped",   "complaint"};
    return names[k];
}

/* -- Telling -----------------------------------------------------------------------------------
 */

void lab_post(struct esp *e, struct lab_post *p, int times)
{
    lab_post_header(p, "Content-Type", "%s", p->type ? p->type : "application/json");
    while (times-- > 0 && p->head.failed == TIDE_OK && p->body.failed == TIDE_OK)
        webhook_post(e->webhook, buf_text(&p->head), buf_text(&p->body));
    buf_fini(&p->head);
    buf_fini(&p->body);
}

static void tell(struct esp *e, const struct esp_event *v)
{
    struct lab_post p = {0};
    jw_init(&p.w, &p.body);
    bool told = e->api->tell(e, v, &p);
    lab_post(e, &p, !told ? 0 : e->def->webhook_twice ? 2 : 1);
}

static bool is_lost(const struct esp *e, const struct esp_event *v)
{
    return e->def->webhook_lose > 0 && v->n % e->def->webhook_lose == 0;
}

static void tell_all(struct esp *e)
{
    size_t from = e->told, n = e->event_count - from;
    e->told = e->event_count;
    for (size_t i = 0; e->webhook && !e->closing && i < n; i++) {
        const struct esp_event *v =
            &e->events[e->def->webhook_reversed ? from + n - 1 - i : from + i];
        if (!is_lost(e, v))
            tell(e, v);
    }
}

static void on_tell(uv_timer_t *timer)
{
    tell_all(timer->data);
}

static void tell_soon(struct esp *e)
{
    if (e->def->webhook_delay_ms == 0)
        tell_all(e);
    else if (!uv_is_active((uv_handle_t *)&e->tell_timer))
        uv_timer_start(
            &e->tell_timer, on_tell,
            clock_until(e->parts.clock, clock_wall(e->parts.clock) + e->def->webhook_delay_ms), 0);
}

/* -- Noting ------------------------------------------------------------------------------------
 */

void esp_record(struct esp *e,
                enum esp_event_kind kind,
                enum esp_cause cause,
                const struct esp_about *mail,
                struct text reason)
{
    e->counts[kind]++;
    if (e->event_count == e->event_cap) {
        size_t more = e->event_cap ? 2 * e->event_cap : 64;
        struct esp_event *bigger = realloc(e->events, more * sizeof *bigger);
        if (!bigger) {
            log_error("lab.event_lost", "esp=%s event=%s", e->def->name, esp_event_name(kind));
            return;
        }
        e->events = bigger;
        e->event_cap = more;
    }
    struct esp_event *v = &e->events[e->event_count];
    *v = (struct esp_event){.at = clock_wall(e->parts.clock),
                            .kind = kind,
                            .cause = cause,
                            .mail = mail,
                            .reason = arena_text(&e->memory, reason),
                            .n = (int64_t)++e->event_count};
    if (kind == ESP_BOUNCE || kind == ESP_COMPLAINT)
        v->list = e->api->list_of(v);
    if (kind == ESP_DROPPED)
        (void)esp_drop_words(e, mail->recipient, &v->list);
    else if (v->list)
        esp_list_put(e, v->list, mail->recipient, v->reason);
    tell_soon(e);
}

void esp_write_event(const struct esp *e, const struct esp_event *v, struct json_writer *w)
{
    jw_object(w, NULL);
    jw_int(w, "n", v->n);
    jw_time(w, "at", v->at);
    jw_str(w, "esp", e->def->name);
    jw_str(w, "event", esp_event_name(v->kind));
    jw_int(w, "id", v->mail->id);
    jw_text(w, "recipient", v->mail->recipient);
    jw_text(w, "reason", v->reason);
    if (v->list)
        jw_str(w, "list", v->list);
    jw_end(w);
}

/* -- Beginning ---------------------------------------------------------------------------------
 */

enum tide_err esp_set_webhook(struct esp *e, const char *url, struct tide_error *err)
{
    struct webhook *old = e->webhook, *hook = NULL;
    enum tide_err rc = url ? webhook_open(e->parts.loop, url, &hook, err) : TIDE_OK;
    if (rc != TIDE_OK)
        return rc;
    if (old)
        webhook_close(old, NULL, NULL);
    e->webhook = hook;
    if (hook && e->api->subscribe)
        e->api->subscribe(e);
    return TIDE_OK;
}

enum tide_err esp_events_open(struct esp *e, struct tide_error *err)
{
    enum tide_err rc = TIDE_OK;
    uv_timer_init(e->parts.loop, &e->tell_timer);
    e->tell_timer.data = e;
    if (e->api == &lab_sendgrid || e->api == &lab_ses)
        rc = signer_new(e->api == &lab_ses ? SIGNER_RSA : SIGNER_EC_P256, &e->signer, err);
    if (rc == TIDE_OK && e->def->webhook)
        rc = esp_set_webhook(e, e->def->webhook, err);
    return rc;
}
