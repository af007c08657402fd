#include "cmd/mailtide-lab/esp_api.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/digest/message.h"

#include <stdlib.h>

#define CONNECT_TIMEOUT_MS      10000 /* real time, as all time-outs of the wire */
#define COMMAND_TIMEOUT_MS      30000
#define MESSAGES_PER_CONNECTION 100

bool esp_fault_of(struct text name, enum esp_fault *ret)
{
    static const char *const names[] = {
#define ESP_FAULT_NAME(code, text) text,
        ESP_FAULTS(ESP_FAULT_NAME)
#undef ESP_FAULT_NAME
    };
    for (size_t i = 0; i < TIDE_COUNT(names); i++)
        if (text_eq(name, text_of(names[i]))) {
            *ret = (enum esp_fault)i;
            return true;
        }
    return false;
}

bool esp_take_fault(struct esp *e, enum esp_fault fault)
{
    int64_t *left = &e->faults[fault];
    if (*left == 0)
        return false;
    *left -= *left > 0;
    return true;
}

void esp_set_fault(struct esp *e, enum esp_fault fault, int64_t count)
{
    e->faults[fault] = count;
    if (fault == ESP_FAULT_HANG && count == 0)
        esp_smtp_unhang(e);
    if (fault == ESP_FAULT_SILENT && count == 0)
        esp_http_unhang(e);
}

/* -- Delivery ----------------------------------------------------------------------------------
 */

static void mail_free(struct esp_mail *m)
{
    list_remove(&m->node);
    buf_fini(&m->message);
    free(m);
}

static void bounce(struct esp_mail *m, enum esp_cause cause, struct text reason)
{
    esp_record(m->esp, ESP_BOUNCE, cause, m->about, reason);
    mail_free(m);
}

static void on_timer(uv_timer_t *timer);

static void arm_timer(struct esp *e)
{
    tide_wall_ms next = TIDE_NEVER;
    LIST_EACH(node, &e->waiting)
    {
        const struct esp_mail *m = container_of(node, struct esp_mail, node);
        next = TIDE_MIN(next, m->retry_at);
    }
    if (next == TIDE_NEVER || e->closing)
        uv_timer_stop(&e->timer);
    else
        uv_timer_start(&e->timer, on_timer, clock_until(e->parts.clock, next), 0);
}

static void defer(struct esp_mail *m, struct text reason)
{
    struct esp *e = m->esp;
    tide_wall_ms now = clock_wall(e->parts.clock);
    if (now - m->about->accepted_at >= e->def->retry_for_ms) {
        bounce(m, ESP_EXPIRED, reason);
        return;
    }
    esp_record(e, ESP_DEFERRED, ESP_NO_CAUSE, m->about, reason);
    m->retry_at = now + e->def->retry_every_ms;
    list_remove(&m->node);
    list_append(&e->waiting, &m->node);
    arm_timer(e);
}

static bool complains(const struct esp *e, struct text recipient)
{
    for (size_t i = 0; i < e->parts.world->provider_count; i++) {
        const struct lab_provider *p = &e->parts.world->providers[i];
        for (size_t k = 0; k < p->complainer_count; k++)
            if (text_ieq(text_of(p->complainers[k]), recipient))
                return true;
    }
    return false;
}

static void on_sent(struct account_mail *out, const struct account_outcome *o)
{
    struct esp_mail *m = out->arg;
    struct esp *e = m->esp;
    char line[REPLY_TEXT_BYTES_MAX + 32];
    struct text reason = text_of(reply_text(&o->reply, line, sizeof line));
    if (e->closing) {
        mail_free(m);
    } else if (o->result == ACCOUNT_ACCEPTED) {
        esp_record(e, ESP_DELIVERED, ESP_NO_CAUSE, m->about, reason);
        if (complains(e, m->about->recipient))
            esp_record(e, ESP_COMPLAINT, ESP_NO_CAUSE, m->about, TEXT("abuse"));
        mail_free(m);
    } else if (o->result == ACCOUNT_REFUSED && o->reply.code >= 500) {
        bounce(m, ESP_REFUSED, reason);
    } else {
        defer(m, reason);
    }
}

/* -1: *ret_reason says why not; *ret_final: never. */
static int provider_of(struct esp *e,
                       struct text recipient,
                       const char **ret_reason,
                       bool *ret_final)
{
    struct text hosts[NAMES_MX_MAX];
    size_t at = recipient.n, count;
    while (at > 0 && recipient.p[at - 1] != '@')
        at--;
    enum dns_status status =
        names_mx(e->parts.names, text_cut(recipient, at, recipient.n), hosts, &count);
    *ret_final = dns_status_is_final(status);
    *ret_reason = status == DNS_NODATA     ? "556 5.1.10 the domain takes no mail (null MX)"
                  : status == DNS_NXDOMAIN ? "550 5.1.2 the domain does not exist"
                                           : "451 4.4.3 the domain's name server failed";
    for (size_t i = 0; status == DNS_OK && i < count; i++) {
        int provider = world_provider_of(e->parts.world, hosts[i]);
        if (provider >= 0)
            return provider;
    }
    if (status == DNS_OK) {
        *ret_reason = "451 4.4.1 no mail exchanger of the domain answers";
        *ret_final = false;
    }
    return -1;
}

static void deliver(struct esp_mail *m)
{
    struct esp *e = m->esp;
    const char *reason;
    bool is_final;
    int provider = provider_of(e, m->about->recipient, &reason, &is_final);
    if (provider < 0 && is_final) {
        bounce(m, ESP_NO_DOMAIN, text_of(reason));
        return;
    }
    if (provider < 0) {
        defer(m, text_of(reason));
        return;
    }
    list_remove(&m->node);
    list_append(&e->flying, &m->node);
    m->out = (struct account_mail){.sender = m->about->sender,
                                   .recipient = m->about->recipient,
                                   .message = buf_text(&m->message),
                                   .attempt_id = m->about->id,
                                   .done = on_sent,
                                   .arg = m};
    account_send(e->accounts[provider], &m->out);
}

static void on_timer(uv_timer_t *timer)
{
    struct esp *e = timer->data;
    tide_wall_ms now = clock_wall(e->parts.clock);
    LIST_EACH(node, &e->waiting)
    {
        struct esp_mail *m = container_of(node, struct esp_mail, node);
        if (m->retry_at <= now)
            deliver(m); /* may put it back at the end of the list, due later */
    }
    arm_timer(e);
}

/* All that its events will tell, copied for good; NULL: out of memory. */
static const struct esp_about *about_of(struct esp *e, const struct esp_given *g)
{
    struct message message;
    struct arena *m = &e->memory;
    struct esp_about *a = ARENA_NEW(m, struct esp_about);
    struct esp_pair *pairs = arena_array(m, g->custom_count + 1, sizeof *pairs);
    if (!a || !pairs)
        return NULL;
    for (size_t i = 0; i < g->custom_count; i++)
        pairs[i] = (struct esp_pair){.name = arena_text(m, g->custom[i].name),
                                     .value = arena_text(m, g->custom[i].value)};
    *a = (struct esp_about){.id = ++e->last_id,
                            .api_id = arena_text(m, g->api_id),
                            .sender = arena_text(m, g->sender),
                            .recipient = arena_text(m, g->recipient),
                            .stream = arena_text(m, g->stream),
                            .custom = pairs,
                            .custom_count = g->custom_count,
                            .accepted_at = clock_wall(e->parts.clock)};
    if (message_open(g->message, &message, NULL) == TIDE_OK) {
        a->subject = message_value(&message, TEXT("Subject"), m);
        a->message_id = message_raw_value(&message, TEXT("Message-ID"), m);
    }
    return a;
}

enum tide_err esp_submit(struct esp *e,
                         const struct esp_given *given,
                         int64_t *ret_id,
                         struct tide_error *err)
{
    struct esp_mail *m = calloc(1, sizeof *m);
    if (!m)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    list_init(&m->node);
    m->esp = e;
    m->about = about_of(e, given);
    buf_add_text(&m->message, given->message);
    if (!m->about || m->message.failed != TIDE_OK) {
        mail_free(m);
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    }
    const char *list, *words = esp_drop_words(e, given->recipient, &list);
    *ret_id = m->about->id;
    esp_record(e, ESP_PROCESSED, ESP_NO_CAUSE, m->about, TEXT(""));
    if (words) {
        esp_record(e, ESP_DROPPED, ESP_NO_CAUSE, m->about, text_of(words));
        mail_free(m);
    } else {
        deliver(m);
    }
    return TIDE_OK;
}

/* -- Beginning and end -------------------------------------------------------------------------
 */

static void esp_free(struct esp *e)
{
    while (!list_is_empty(&e->waiting))
        mail_free(container_of(list_first(&e->waiting), struct esp_mail, node));
    meters_fini(&e->meters);
    strmap_fini(&e->keys);
    signer_free(e->signer);
    free(e->listed);
    free(e->hung_asks);
    arena_fini(&e->memory);
    free(e->events);
    free(e->accounts);
    free(e->account_configs);
    free(e);
}

static void close_next(void *arg);

static void on_timer_closed(uv_handle_t *handle)
{
    close_next(handle->data);
}

/* One room a call: doors first, then what is on its way, then the rest. */
static void close_next(void *arg)
{
    struct esp *e = arg;
    for (;;) {
        switch (e->closing_step++) {
        case 0:
            if (!e->smtp)
                continue;
            smtp_service_close(e->smtp, close_next, e);
            return;
        case 1:
            if (!e->http)
                continue;
            http_close(e->http, close_next, e);
            return;
        case 2:
            if (e->closing_account == e->account_count)
                continue;
            e->closing_step--;
            account_close(e->accounts[e->closing_account++], close_next, e);
            return;
        case 3:
            if (!e->webhook)
                continue;
            webhook_close(e->webhook, close_next, e);
            return;
        case 4:
            uv_close((uv_handle_t *)&e->timer, on_timer_closed);
            return;
        case 5:
            uv_close((uv_handle_t *)&e->tell_timer, on_timer_closed);
            return;
        default: {
            void (*closed)(void *) = e->closed;
            void *closed_arg = e->closed_arg;
            esp_free(e);
            if (closed)
                closed(closed_arg);
            return;
        }
        }
    }
}

void esp_close(struct esp *e, void (*closed)(void *arg), void *arg)
{
    if (e->closing)
        return;
    e->closing = true;
    e->closed = closed;
    e->closed_arg = arg;
    esp_smtp_unhang(e);
    esp_http_unhang(e);
    close_next(e);
}

static enum tide_err open_accounts(struct esp *e, struct tide_error *err)
{
    const struct world *w = e->parts.world;
    e->accounts = calloc(w->provider_count + 1, sizeof(struct account *));
    e->account_configs = calloc(w->provider_count + 1, sizeof *e->account_configs);
    if (!e->accounts || !e->account_configs)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    for (size_t i = 0; i < w->provider_count; i++) {
        struct config_account *c = &e->account_configs[i];
        *c = (struct config_account){.name = w->providers[i].name,
                                     .type = ACCOUNT_SMTP,
                                     .host = (char *)"127.0.0.1",
                                     .port = e->parts.provider_ports[i],
                                     .tls = TLS_NONE,
                                     .helo = e->def->hostname,
                                     .connections = e->def->connections,
                                     .messages_per_connection = MESSAGES_PER_CONNECTION,
                                     .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                     .command_timeout_ms = COMMAND_TIMEOUT_MS,
                                     .dot_timeout_ms = COMMAND_TIMEOUT_MS};
        enum tide_err rc =
            account_open(e->parts.loop, c, e->parts.clock, &e->accounts[e->account_count], err);
        if (rc != TIDE_OK)
            return rc;
        e->account_count++;
    }
    return TIDE_OK;
}

/* "limited 3", "down": those of the world file. */
static enum tide_err set_faults(struct esp *e, struct tide_error *err)
{
    for (size_t i = 0; i < e->def->fault_count; i++) {
        struct text rest = text_of(e->def->faults[i]), name;
        enum esp_fault fault;
        int64_t count = 1;
        text_split(&rest, ' ', &name);
        if (!esp_fault_of(name, &fault) ||
            (rest.n > 0 && text_int(rest, -1, INT64_MAX, &count, NULL) != TIDE_OK))
            return tide_fail(err, TIDE_EINVAL, "faults: want \"NAME COUNT\", got \"%s\"",
                             e->def->faults[i]);
        e->faults[fault] = count;
    }
    return TIDE_OK;
}

enum tide_err esp_open(const struct esp_parts *parts, struct esp **ret, struct tide_error *err)
{
    struct esp *e = calloc(1, sizeof *e);
    if (!e)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    e->parts = *parts;
    e->def = &parts->world->esps[parts->index];
    list_init(&e->hung);
    list_init(&e->flying);
    list_init(&e->waiting);
    strmap_init(&e->keys);
    uv_timer_init(parts->loop, &e->timer);
    e->timer.data = e;
    e->api = lab_api_of(e->def->api); /* the configuration knows no others */
    enum tide_err rc = esp_events_open(e, err);
    if (rc == TIDE_OK)
        rc = meters_init(&e->meters, e->def->limits, e->def->limit_count, err);
    if (rc == TIDE_OK)
        rc = open_accounts(e, err);
    if (rc == TIDE_OK)
        rc = set_faults(e, err);
    if (rc == TIDE_OK)
        rc = esp_smtp_open(e, err);
    if (rc == TIDE_OK)
        rc = esp_http_open(e, err);
    if (rc == TIDE_OK) {
        *ret = e;
        return TIDE_OK;
    }
    esp_close(e, NULL, NULL); /* frees it when the loop runs next */
    return tide_wrap(err, rc, "esps.%s", e->def->name);
}
