#include "io/feed/feed.h"

#include "base/log.h"
#include "base/macros.h"
#include "io/feed/endpoint.h"

#include <stdlib.h>

#define GATHER_MS 50 /* after a write, until it is looked for events */

struct place {
    struct list hook;
    struct feed *feed;
    struct endpoint *endpoint;
    bool leaving;
};

struct feed {
    struct feed_parts parts;
    const struct config *config;
    struct store_watch watch;
    uv_timer_t gather;
    struct list places;
    bool reconfigured, closing, timer_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void finish_if_empty(struct feed *f)
{
    if (!f->closing || !f->timer_closed || !list_is_empty(&f->places))
        return;
    void (*closed)(void *arg) = f->closed;
    void *arg = f->closed_arg;
    free(f);
    closed(arg);
}

static void open_missing(struct feed *f);

static void on_endpoint_closed(void *arg, struct endpoint *e)
{
    struct place *p = arg;
    struct feed *f = p->feed;
    (void)e;
    list_remove(&p->hook);
    free(p);
    if (!f->closing)
        open_missing(f);
    finish_if_empty(f);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same(const struct config_application *a, const struct config_application *b)
{
    const struct config_webhook *x = &a->webhook, *y = &b->webhook;
    return same_text(x->url, y->url) && same_text(x->secret.value, y->secret.value) &&
           same_text(x->tls_ca_file, y->tls_ca_file) && x->kinds == y->kinds &&
           x->connections == y->connections && x->timeout_ms == y->timeout_ms &&
           a->alarms == b->alarms;
}

static struct place *place_of(struct feed *f, const char *application)
{
    LIST_EACH(node, &f->places)
    {
        struct place *p = container_of(node, struct place, hook);
        if (strcmp(endpoint_application(p->endpoint)->name, application) == 0)
            return p;
    }
    return NULL;
}

static const struct config_application *configured(const struct config *c, const char *name)
{
    const struct config_application *a = config_application(c, text_of(name));
    return a && a->webhook.url ? a : NULL;
}

static void open_one(struct feed *f, const struct config_application *a)
{
    struct tide_error err = {.text = "out of memory"};
    struct place *p = calloc(1, sizeof *p);
    if (p && endpoint_open(&f->parts, a, &p->endpoint, &err) == TIDE_OK) {
        p->feed = f;
        list_append(&f->places, &p->hook);
        if (f->reconfigured)
            endpoint_hurry(p->endpoint);
        return;
    }
    log_error("feed.not_opened", "application=%s error=\"%s\"", a->name, err.text);
    free(p);
}

static void open_missing(struct feed *f)
{
    for (size_t i = 0; i < f->config->application_count; i++) {
        const struct config_application *a = &f->config->applications[i];
        if (a->webhook.url && !place_of(f, a->name))
            open_one(f, a);
    }
}

static void on_gathered(uv_timer_t *timer)
{
    struct feed *f = container_of(timer, struct feed, gather);
    LIST_EACH(node, &f->places)
    {
        struct place *p = container_of(node, struct place, hook);
        if (!p->leaving)
            endpoint_wake(p->endpoint, false);
    }
}

static void on_wrote(struct store_watch *watch)
{
    struct feed *f = container_of(watch, struct feed, watch);
    if (!f->closing && !list_is_empty(&f->places) && !uv_is_active((uv_handle_t *)&f->gather))
        uv_timer_start(&f->gather, on_gathered, GATHER_MS, 0);
}

void feed_wake(struct feed *f)
{
    LIST_EACH(node, &f->places)
    {
        struct place *p = container_of(node, struct place, hook);
        if (!p->leaving)
            endpoint_wake(p->endpoint, true);
    }
}

enum tide_err feed_open(const struct feed_parts *parts,
                        const struct config *config,
                        struct feed **ret,
                        struct tide_error *err)
{
    struct feed *f = calloc(1, sizeof *f);
    if (!f)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    f->parts = *parts;
    f->config = config;
    list_init(&f->places);
    uv_timer_init(parts->loop, &f->gather);
    f->watch.wrote = on_wrote;
    store_watch(parts->store, &f->watch);
    *ret = f;
    open_missing(f);
    return TIDE_OK;
}

static void leave(struct place *p)
{
    if (p->leaving)
        return;
    p->leaving = true;
    endpoint_close(p->endpoint, on_endpoint_closed, p);
}

void feed_configure(struct feed *f, const struct config *config)
{
    f->config = config;
    f->reconfigured = true;
    LIST_EACH(node, &f->places)
    {
        struct place *p = container_of(node, struct place, hook);
        const struct config_application *old = endpoint_application(p->endpoint);
        const struct config_application *now = configured(config, old->name);
        if (!now || !is_same(old, now))
            leave(p);
    }
    open_missing(f);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct feed *f = container_of((uv_timer_t *)handle, struct feed, gather);
    f->timer_closed = true;
    finish_if_empty(f);
}

void feed_close(struct feed *f, void (*closed)(void *arg), void *arg)
{
    if (f->closing)
        return;
    f->closing = true;
    f->closed = closed;
    f->closed_arg = arg;
    store_unwatch(&f->watch);
    LIST_EACH(node, &f->places)
    {
        leave(container_of(node, struct place, hook));
    }
    uv_close((uv_handle_t *)&f->gather, on_timer_closed);
}
