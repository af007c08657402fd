#include "cmd/mailtide-lab/lab.h"

#include "base/log.h"
#include "base/macros.h"
#include "cmd/mailtide-lab/sign.h"
#include "io/loop/http.h"
#include "io/loop/listen.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static tide_wall_ms clock_now(void *arg)
{
    const struct clock *clock = arg;
    return clock_wall(clock);
}

/* -- Closing -----------------------------------------------------------------------------------
 */

static void on_signal_closed(uv_handle_t *handle)
{
    struct lab *l = handle->data;
    l->open_handles--;
}

static void close_next(void *arg)
{
    struct lab *l = arg;
    for (;;) {
        switch (l->closing_step++) {
        case 0:
            if (!l->control)
                continue;
            http_close(l->control, close_next, l);
            return;
        case 1:
            if (l->esp_count == 0)
                continue;
            l->closing_step--;
            esp_close(l->esps[--l->esp_count], close_next, l);
            return;
        case 2:
            if (l->provider_count == 0)
                continue;
            l->closing_step--;
            provider_close(l->providers[--l->provider_count], close_next, l);
            return;
        case 3:
            if (!l->dns)
                continue;
            dns_server_close(l->dns, close_next, l);
            return;
        case 4:
            for (size_t i = 0; i < TIDE_COUNT(l->signals); i++)
                uv_close((uv_handle_t *)&l->signals[i], on_signal_closed);
            return;
        default:
            return;
        }
    }
}

static void begin_closing(struct lab *l, enum tide_err rc)
{
    if (l->closing)
        return;
    l->closing = true;
    l->rc = rc;
    close_next(l);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    begin_closing(handle->data, TIDE_OK);
}

/* -- Opening -----------------------------------------------------------------------------------
 */

void lab_write_addresses(const struct lab *l, struct json_writer *w)
{
    char name[LISTEN_NAME_BYTES], clock[CLOCK_TEXT_BYTES];
    jw_str(w, "clock", clock_text(&l->clock, clock));
    jw_str(w, "dns", dns_server_name(l->dns));
    jw_object(w, "providers");
    for (size_t i = 0; i < l->provider_count; i++)
        jw_str(w, l->world->providers[i].name, provider_name(l->providers[i], name, sizeof name));
    jw_end(w);
    jw_object(w, "esps");
    for (size_t i = 0; i < l->esp_count; i++) {
        jw_object(w, l->world->esps[i].name);
        jw_str(w, "smtp", esp_smtp_name(l->esps[i], name, sizeof name));
        esp_write_ready(l->esps[i], w);
        jw_end(w);
    }
    jw_end(w);
    jw_int(w, "control_port", http_port(l->control));
}

static void tell_ready(const struct lab *l)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    lab_write_addresses(l, &w);
    jw_end(&w);
    puts(buf_str(&b));
    fflush(stdout);
    buf_fini(&b);
}

static enum tide_err open_providers(struct lab *l, struct tide_error *err)
{
    l->providers = calloc(l->world->provider_count + 1, sizeof(struct provider *));
    if (!l->providers)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    for (size_t i = 0; i < l->world->provider_count; i++) {
        enum tide_err rc =
            provider_open(&l->loop, &l->clock, l->world, (int)i, &l->books, &l->providers[i], err);
        if (rc != TIDE_OK)
            return rc;
        l->provider_count++;
    }
    return TIDE_OK;
}

static enum tide_err open_esps(struct lab *l, struct tide_error *err)
{
    int *ports = calloc(l->provider_count + 1, sizeof *ports);
    enum tide_err rc = TIDE_OK;
    l->esps = calloc(l->world->esp_count + 1, sizeof(struct esp *));
    if (!ports || !l->esps)
        rc = tide_fail(err, TIDE_ENOMEM, "out of memory");
    for (size_t i = 0; rc == TIDE_OK && i < l->provider_count; i++)
        ports[i] = provider_port(l->providers[i]);
    for (size_t i = 0; rc == TIDE_OK && i < l->world->esp_count; i++) {
        const struct esp_parts parts = {.loop = &l->loop,
                                        .clock = &l->clock,
                                        .world = l->world,
                                        .index = (int)i,
                                        .names = l->names,
                                        .provider_ports = ports};
        rc = esp_open(&parts, &l->esps[i], err);
        l->esp_count += rc == TIDE_OK;
    }
    free(ports);
    return rc;
}

static enum tide_err open_all(struct lab *l, struct tide_error *err)
{
    const struct world *w = l->world;
    enum tide_err rc = names_new(w->records, w->record_count,
                                 (uint32_t)(w->dns_ttl_ms / TIME_SECOND_MS), &l->names, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "dns.records");
    rc = dns_server_open(&l->loop, w->dns_listen, l->names, &l->dns, err);
    if (rc == TIDE_OK)
        rc = open_providers(l, err);
    if (rc == TIDE_OK && w->tls_folder)
        rc = sign_make_authority(w->tls_folder, err);
    if (rc == TIDE_OK)
        rc = open_esps(l, err);
    if (rc == TIDE_OK)
        rc = control_open(l, err);
    return rc;
}

enum tide_err lab_run(const struct world *world, const struct clock *clock, struct tide_error *err)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    struct lab *l = calloc(1, sizeof *l);
    if (!l)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    l->world = world;
    l->clock = *clock;
    signal(SIGPIPE, SIG_IGN);
    log_set_time(clock_now, &l->clock);
    uv_loop_init(&l->loop);
    for (size_t i = 0; i < TIDE_COUNT(l->signals); i++) {
        uv_signal_init(&l->loop, &l->signals[i]);
        l->signals[i].data = l;
        uv_signal_start(&l->signals[i], on_signal, numbers[i]);
        l->open_handles++;
    }
    enum tide_err rc = open_all(l, &l->err);
    if (rc == TIDE_OK)
        tell_ready(l);
    else
        begin_closing(l, rc);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    uv_loop_close(&l->loop);
    log_set_time(NULL, NULL);
    books_fini(&l->books);
    names_free(l->names);
    free(l->providers);
    free(l->esps);
    rc = l->rc;
    *err = l->err;
    free(l);
    return rc;
}
