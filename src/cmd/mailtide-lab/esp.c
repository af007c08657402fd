#include "cmd/mailtide-lab/esp_inside.h"

#include "base/log.h"
#include "base/macros.h"

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

const char *esp_event_name(enum esp_event_kind k)
{
    static const char *const names[] = {"processed", "delivered", "deferred", "bounce", "dropped"};
    return names[k];
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
}

/* -- What happened -----------------------------------------------------------------------------
 */

static void post_event(struct esp *e, size_t i)
{
    struct buf b = {0};
    struct json_writer w;
    if (!e->webhook)
        return;
    jw_init(&w, &b);
    jw_array(&w, NULL);
    esp_write_event(e, i, &w);
    jw_end(&w);
    webhook_post(e->webhook, buf_text(&b));
    buf_fini(&b);
}

static void record(
    struct esp *e, enum esp_event_kind kind, int64_t id, struct text recipient, struct text reason)
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
    e->events[e->event_count++] = (struct esp_event){.at = clock_wall(e->parts.clock),
                                                     .kind = kind,
                                                     .id = id,
                                                     .recipient = arena_text(&e->memory, recipient),
                                                     .reason = arena_text(&e->memory, reason)};
    post_event(e, e->event_count - 1);
}

static struct text lower_case(struct arena *a, struct text t)
{
    char *copy = arena_strndup(a, t.p, t.n);
    for (size_t i = 0; copy && i < t.n; i++)
        copy[i] = ascii_lower(copy[i]);
    return (struct text){copy, copy ? t.n : 0};
}

static void suppress(struct esp *e, struct text address, struct text reason)
{
    struct text key = lower_case(&e->memory, address);
    struct esp_suppression *s = ARENA_NEW(&e->memory, struct esp_suppression);
    if (!key.p || !s || strmap_get(&e->suppressions, key))
        return;
    *s = (struct esp_suppression){
        .at = clock_wall(e->parts.clock), .address = key, .reason = arena_text(&e->memory, reason)};
    if (!strmap_put(&e->suppressions, key, s))
        log_error("lab.suppression_lost", "esp=%s", e->def->name);
}

static bool is_suppressed(struct esp *e, struct text address)
{
    struct arena scratch = {0};
    bool found = strmap_get(&e->suppressions, lower_case(&scratch, address)) != NULL;
    arena_fini(&scratch);
    return found;
}

/* -- Delivery ----------------------------------------------------------------------------------
 */

static void mail_free(struct esp_mail *m)
{
    list_remove(&m->node);
    buf_fini(&m->message);
    free(m->sender);
    free(m->recipient);
    free(m);
}

static void bounce(struct esp_mail *m, struct text reason, bool list_it)
{
    struct esp *e = m->esp;
    record(e, ESP_BOUNCE, m->id, text_of(m->recipient), reason);
    if (list_it)
        suppress(e, text_of(m->recipient), reason);
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
    if (now - m->accepted_at >= e->def->retry_for_ms) {
        bounce(m, reason, false);
        return;
    }
    record(e, ESP_DEFERRED, m->id, text_of(m->recipient), reason);
    m->retry_at = now + e->def->retry_every_ms;
    list_remove(&m->node);
    list_append(&e->waiting, &m->node);
    arm_timer(e);
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
        record(e, ESP_DELIVERED, m->id, text_of(m->recipient), reason);
        mail_free(m);
    } else if (o->result == ACCOUNT_REFUSED && o->reply.code >= 500) {
        bounce(m, reason, true);
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
    int provider = provider_of(e, text_of(m->recipient), &reason, &is_final);
    if (provider < 0 && is_final) {
        bounce(m, text_of(reason), true);
        return;
    }
    if (provider < 0) {
        defer(m, text_of(reason));
        return;
    }
    list_remove(&m->node);
    list_append(&e->flying, &m->node);
    m->out = (struct account_mail){.sender = text_of(m->sender),
                                   .recipient = text_of(m->recipient),
                                   .message = buf_text(&m->message),
                                   .attempt_id = m->id,
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

enum tide_err esp_submit(struct esp *e,
                         struct text sender,
                         struct text recipient,
                         struct text message,
                         int64_t *ret_id,
                         struct tide_error *err)
{
    struct esp_mail *m = calloc(1, sizeof *m);
    if (!m)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    list_init(&m->node);
    m->esp = e;
    m->sender = strndup(sender.n ? sender.p : "", sender.n);
    m->recipient = strndup(recipient.n ? recipient.p : "", recipient.n);
    buf_add_text(&m->message, message);
    if (!m->sender || !m->recipient || m->message.failed != TIDE_OK) {
        mail_free(m);
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    }
    m->id = *ret_id = ++e->last_id;
    m->accepted_at = clock_wall(e->parts.clock);
    record(e, ESP_PROCESSED, m->id, recipient, TEXT(""));
    if (is_suppressed(e, recipient)) {
        record(e, ESP_DROPPED, m->id, recipient, TEXT("Bounced Address"));
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
    strmap_fini(&e->suppressions);
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
    strmap_init(&e->suppressions);
    uv_timer_init(parts->loop, &e->timer);
    e->timer.data = e;
    enum tide_err rc = meters_init(&e->meters, e->def->limits, e->def->limit_count, err);
    if (rc == TIDE_OK)
        rc = open_accounts(e, err);
    if (rc == TIDE_OK && e->def->webhook)
        rc = webhook_open(parts->loop, e->def->webhook, &e->webhook, err);
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
