#include "io/events/amazon.h"

#include "base/log.h"
#include "base/macros.h"
#include "io/loop/fetch.h"

#include <stdio.h>
#include <stdlib.h>

#define CONNECT_MS 10000
#define TIMEOUT_MS 20000

struct certificate {
    char *url, *pem;   /* url NULL: free */
    const char *place; /* that it came from; configurations stay until the end */
};

/* One request, with a connection of its own: there are a few in a year. */
struct asking {
    struct list hook;
    struct amazon *amazon;
    struct fetcher *fetcher;
    struct fetch fetch;
    char *url, *path;
    const char *place;
    /* a certificate */
    amazon_cb done;
    void *arg;
    /* a confirmation */
    char *topic, *account;
};

struct amazon {
    struct webhooks_options options;
    struct certificate certificates[AMAZON_CERTIFICATES_MAX];
    size_t next; /* the oldest */
    struct list askings;
    bool closing;
    uv_idle_t later;
    bool later_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void finish_closing(struct amazon *a)
{
    if (!a->closing || !a->later_closed || !list_is_empty(&a->askings))
        return;
    void (*closed)(void *arg) = a->closed;
    void *arg = a->closed_arg;
    for (size_t i = 0; i < AMAZON_CERTIFICATES_MAX; i++) {
        free(a->certificates[i].url);
        free(a->certificates[i].pem);
    }
    free(a);
    closed(arg);
}

static void keep(struct amazon *a, const char *url, const char *place, struct text pem)
{
    struct certificate *c = &a->certificates[a->next];
    char *name = strdup(url), *copy = strndup(pem.p, pem.n);
    if (!name || !copy) {
        free(name);
        free(copy);
        return; /* it is fetched again */
    }
    free(c->url);
    free(c->pem);
    *c = (struct certificate){name, copy, place};
    a->next = (a->next + 1) % AMAZON_CERTIFICATES_MAX;
}

static void on_fetcher_closed(void *arg)
{
    struct asking *q = arg;
    struct amazon *a = q->amazon;
    list_remove(&q->hook);
    free(q->url);
    free(q->path);
    free(q->topic);
    free(q->account);
    free(q);
    finish_closing(a);
}

static void tell_certificate(struct asking *q, bool ok, const char *error)
{
    struct text pem = ok ? buf_text(&q->fetch.answer) : TEXT("");
    if (ok)
        keep(q->amazon, q->url, q->place, pem);
    q->done(q->arg, pem, error);
}

static void tell_confirmation(struct asking *q, bool ok, const char *error)
{
    char text[640];
    const char *topic = q->topic ? q->topic : "?", *account = q->account ? q->account : "?";
    if (ok)
        snprintf(text, sizeof text,
                 "The subscription to %s for account %s is confirmed: SNS tells "
                 "its events from now on.",
                 topic, account);
    else
        snprintf(text, sizeof text,
                 "The subscription to %s for account %s could not be confirmed: "
                 "%s. SNS asks again, or confirm it in its console.",
                 topic, account, error);
    log_info("webhook.subscription", "account=%s topic=\"%s\" confirmed=%s", account, topic,
             ok ? "yes" : "no");
    if (!q->amazon->closing)
        news_desk_note(q->amazon->options.desk, ok ? "webhook_confirmed" : "webhook_noted",
                       text_of(text));
}

static void on_fetched(struct fetch *f)
{
    struct asking *q = f->arg;
    char error[320] = "";
    bool ok = f->fate == FETCH_ANSWERED && !f->cut && f->status == 200;
    if (f->fate != FETCH_ANSWERED || f->cut)
        snprintf(error, sizeof error, "%s", f->error);
    else if (!ok)
        snprintf(error, sizeof error, "Amazon answered %d", f->status);
    if (q->done)
        tell_certificate(q, ok, error);
    else
        tell_confirmation(q, ok, error);
    fetch_fini(f);
    fetcher_close(q->fetcher, on_fetcher_closed, q);
}

/* NULL: it could not be begun; *ret_error says why. */
static struct asking *ask(struct amazon *a,
                          const struct config_account *account,
                          struct text url,
                          struct tide_error *err)
{
    char base[256];
    size_t scheme = text_ifind(url, TEXT("://")) + 3;
    size_t slash = scheme + text_find(text_cut(url, scheme, SIZE_MAX), '/');
    struct asking *q = a->closing ? NULL : calloc(1, sizeof *q);
    if (!q || slash >= sizeof base) {
        free(q);
        tide_fail(err, TIDE_ENOMEM, "out of memory");
        return NULL;
    }
    snprintf(base, sizeof base, "%.*s", (int)slash, url.p);
    const char *place = account->events_sns;
    const struct fetch_options options = {.base_url = place ? place : base,
                                          .tls_verify = true,
                                          .tls_ca_file = place ? account->tls_ca_file : NULL,
                                          .connections_max = 1,
                                          .connect_timeout_ms = CONNECT_MS,
                                          .timeout_ms = TIMEOUT_MS};
    q->amazon = a;
    q->place = place;
    q->url = strndup(url.p, url.n);
    q->path = strndup(url.p + slash, url.n - slash);
    if (!q->url || !q->path ||
        fetcher_open(a->options.loop, &options, &q->fetcher, err) != TIDE_OK) {
        free(q->url);
        free(q->path);
        free(q);
        return NULL;
    }
    q->fetch =
        (struct fetch){.method = "GET", .path = text_of(q->path), .done = on_fetched, .arg = q};
    list_append(&a->askings, &q->hook);
    return q;
}

static bool is_from(const struct certificate *c, struct text url, const char *place)
{
    return c->url && text_eq(url, text_of(c->url)) &&
           text_eq(text_of(c->place ? c->place : ""), text_of(place ? place : ""));
}

void amazon_certificate(struct amazon *a,
                        const struct config_account *account,
                        struct text url,
                        amazon_cb done,
                        void *arg)
{
    struct tide_error err = {.text = "out of memory"};
    for (size_t i = 0; i < AMAZON_CERTIFICATES_MAX; i++)
        if (is_from(&a->certificates[i], url, account->events_sns)) {
            done(arg, text_of(a->certificates[i].pem), "");
            return;
        }
    struct asking *q = ask(a, account, url, &err);
    if (!q) {
        done(arg, TEXT(""), err.text);
        return;
    }
    q->done = done;
    q->arg = arg;
    fetch_start(q->fetcher, &q->fetch);
}

void amazon_confirm(struct amazon *a,
                    const struct config_account *account,
                    struct text url,
                    struct text topic)
{
    struct tide_error err = {.text = "out of memory"};
    struct asking *q = ask(a, account, url, &err);
    if (!q) {
        log_warn("webhook.subscription", "account=%s error=\"%s\"", account->name, err.text);
        return;
    }
    q->topic = strndup(topic.p ? topic.p : "", topic.n);
    q->account = strdup(account->name);
    fetch_start(q->fetcher, &q->fetch);
}

/* -- Life ---------------------------------------------------------------------------------------
 */

struct amazon *amazon_new(const struct webhooks_options *options)
{
    struct amazon *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->options = *options;
    list_init(&a->askings);
    uv_idle_init(options->loop, &a->later);
    a->later.data = a;
    return a;
}

static void on_later_closed(uv_handle_t *handle)
{
    struct amazon *a = handle->data;
    a->later_closed = true;
    finish_closing(a);
}

void amazon_close(struct amazon *a, void (*closed)(void *arg), void *arg)
{
    a->closing = true;
    a->closed = closed;
    a->closed_arg = arg;
    LIST_EACH(node, &a->askings)
    fetch_cancel(&container_of(node, struct asking, hook)->fetch);
    uv_close((uv_handle_t *)&a->later, on_later_closed);
}
