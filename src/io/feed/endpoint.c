#include "io/feed/endpoint.h"

#include "base/log.h"
#include "base/macros.h"
#include "io/feed/delivery.h"
#include "io/status/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_MOST      100 /* events read at once */
#define LETTERS_MOST   20  /* letters under way */
#define UNSTORED_MOST  200 /* more: the store is waited for */
#define REST_AFTER     3   /* not taken in a row: the endpoint's fault */
#define REST_MIN_MS    (5 * TIME_SECOND_MS)
#define REST_MAX_MS    (5 * TIME_MINUTE_MS)
#define GONE_MS        (10 * TIME_HOUR_MS)
#define STORE_AGAIN_MS (2 * TIME_SECOND_MS)
#define CURSOR_STRIDE  1000 /* entries that were nobody's business, until that is noted */
#define CONNECT_MS     (10 * TIME_SECOND_MS)

struct endpoint {
    struct feed_parts parts;
    const struct config_application *application;
    struct text name, path;
    struct fetcher *fetcher;
    uv_timer_t timer;
    struct list events;  /* deliveries from the journal, in order */
    struct list letters; /* deliveries of letters */
    bool is_known;       /* the cursor was read */
    bool more;           /* there may be something behind read_seq */
    bool letters_more;   /* letters may be due */
    bool soon;           /* it works again: no letter waits any longer */
    int64_t read_seq, stored_seq;
    tide_wall_ms letter_at;      /* the next letter; 0: none */
    tide_wall_ms rest_until;     /* 0: it does not rest */
    tide_wall_ms store_again_at; /* the store could not write; 0: it could */
    int failures, flying;
    bool alarmed;
    struct store_ask events_ask, letters_ask;
    struct store_apply apply;
    struct change *changes;
    bool asking_events, asking_letters, applying;
    bool closing, is_fetcher_closing;
    void (*closed)(void *arg, struct endpoint *e);
    void *closed_arg;
};

static void pump(struct endpoint *e);
static void close_step(struct endpoint *e);

static tide_wall_ms now_of(const struct endpoint *e)
{
    return clock_wall(e->parts.clock);
}

/* -- Alarms --------------------------------------------------------------------------------------
 */

static void complain(struct endpoint *e, struct text why)
{
    char key[100], sentence[400];
    if (e->alarmed || !e->parts.raise_alarm)
        return;
    e->alarmed = true;
    snprintf(key, sizeof key, "webhook/" TEXT_FMT, TEXT_ARG(e->name));
    snprintf(sentence, sizeof sentence,
             "The webhook of application " TEXT_FMT " does not take events: " TEXT_FMT ".",
             TEXT_ARG(e->name), (int)TIDE_MIN(why.n, (size_t)200), why.p ? why.p : "");
    e->parts.raise_alarm(e->parts.arg, text_of(key), ALARM_WARNING, text_of(sentence),
                         TEXT("It has to answer with a status of 200 to 299 in time. What it did "
                              "not take is kept and told again."));
}

static void praise(struct endpoint *e)
{
    char key[100];
    if (!e->alarmed)
        return;
    e->alarmed = false;
    snprintf(key, sizeof key, "webhook/" TEXT_FMT, TEXT_ARG(e->name));
    e->parts.clear_alarm(e->parts.arg, text_of(key), TEXT("It takes events again."));
}

/* -- What ended, into the store ------------------------------------------------------------------
 */

/* Up to where everything was taken or is a letter. */
static int64_t done_seq(const struct endpoint *e)
{
    LIST_EACH(node, &e->events)
    {
        struct delivery *d = container_of(node, struct delivery, hook);
        if (d->state < DELIVERY_ENDED)
            return d->letter.seq - 1;
    }
    return e->read_seq;
}

static void after_apply(struct list *l, bool stored)
{
    LIST_EACH(node, l)
    {
        struct delivery *d = container_of(node, struct delivery, hook);
        if (d->state == DELIVERY_STORING && stored)
            delivery_free(d);
        else if (d->state == DELIVERY_STORING)
            d->state = DELIVERY_ENDED;
    }
}

static void on_applied(struct store_apply *apply, enum tide_err rc, const struct tide_error *err)
{
    struct endpoint *e = apply->arg;
    e->applying = false;
    after_apply(&e->events, rc == TIDE_OK);
    after_apply(&e->letters, rc == TIDE_OK);
    if (rc == TIDE_OK && e->changes[0].type == CHANGE_WEBHOOK_CURSOR)
        e->stored_seq = e->changes[0].webhook.cursor;
    for (size_t i = 0; i < apply->count; i++)
        e->letters_more |= e->changes[i].type != CHANGE_WEBHOOK_CURSOR;
    e->store_again_at = 0;
    if (rc != TIDE_OK) {
        log_warn("feed.not_stored", "application=" TEXT_FMT " error=\"%s\"", TEXT_ARG(e->name),
                 err->text);
        e->store_again_at = now_of(e) + STORE_AGAIN_MS;
    }
    arena_fini(&apply->arena);
    free(e->changes);
    e->changes = NULL;
    pump(e);
}

static bool has_ended(const struct list *l)
{
    LIST_EACH(node, l)
    {
        if (container_of(node, struct delivery, hook)->state == DELIVERY_ENDED)
            return true;
    }
    return false;
}

/* Their letters; what was taken at once needs none, the cursor says it. `to` NULL: counts. */
static size_t add_ended(struct list *l, struct change *to)
{
    size_t n = 0;
    LIST_EACH(node, l)
    {
        struct delivery *d = container_of(node, struct delivery, hook);
        if (d->state != DELIVERY_ENDED)
            continue;
        if (to)
            d->state = DELIVERY_STORING;
        if (d->taken && !d->is_letter)
            continue;
        if (to)
            to[n] = (struct change){.type = d->taken ? CHANGE_LETTER_TAKEN : CHANGE_LETTER,
                                    .letter = d->letter};
        n++;
    }
    return n;
}

/* Writes all that ended, and the cursor, as one. Entries that were nobody's business move the
 * cursor only now and then: reading them again after a restart costs less. */
static void store_ended(struct endpoint *e)
{
    int64_t seq = done_seq(e);
    bool ended = has_ended(&e->events) || has_ended(&e->letters);
    bool far = seq >= e->stored_seq + (e->closing || e->stored_seq < 0 ? 1 : CURSOR_STRIDE);
    size_t n = 0;
    if (!e->is_known || e->applying || e->store_again_at > now_of(e) || !(ended || far || e->soon))
        return;
    e->changes =
        calloc(add_ended(&e->events, NULL) + add_ended(&e->letters, NULL) + 2, sizeof *e->changes);
    if (!e->changes)
        return;
    if (seq > e->stored_seq)
        e->changes[n++] = (struct change){.type = CHANGE_WEBHOOK_CURSOR,
                                          .webhook = {.application = e->name, .cursor = seq}};
    n += add_ended(&e->events, e->changes + n);
    n += add_ended(&e->letters, e->changes + n);
    if (e->soon)
        e->changes[n++] = (struct change){.type = CHANGE_LETTERS_SOON,
                                          .letter = {.application = e->name, .next_at = now_of(e)}};
    e->soon = false;
    if (n == 0) { /* taken out of order: the cursor will pass them */
        after_apply(&e->events, true);
        free(e->changes);
        e->changes = NULL;
        return;
    }
    e->apply = (struct store_apply){
        .changes = e->changes, .count = n, .at = now_of(e), .done = on_applied, .arg = e};
    e->applying = true;
    store_apply(e->parts.store, &e->apply);
}

/* -- How one ended -------------------------------------------------------------------------------
 */

static void note_taken(struct endpoint *e)
{
    if (e->failures >= REST_AFTER) {
        log_info("feed.works_again", "application=" TEXT_FMT, TEXT_ARG(e->name));
        e->soon = true;
    }
    e->failures = 0;
    e->rest_until = 0;
    praise(e);
}

static void note_not_taken(struct endpoint *e, struct delivery *d)
{
    tide_wall_ms now = now_of(e);
    struct webhook_letter *l = &d->letter;
    l->tries++;
    l->tried_at = now;
    l->first_at = l->first_at ? l->first_at : now;
    l->next_at = delivery_next_at(l->tries, d->wait_ms, now);
    e->failures++;
    if (l->next_at == 0)
        log_warn("feed.dead_letter",
                 "application=" TEXT_FMT " event=" TEXT_FMT " error=\"" TEXT_FMT "\"",
                 TEXT_ARG(e->name), TEXT_ARG(l->event_id), TEXT_ARG(l->error));
    if (e->failures < REST_AFTER && !d->gone)
        return;
    int64_t rest_ms = REST_MIN_MS;
    for (int i = REST_AFTER; i < e->failures && rest_ms < REST_MAX_MS; i++)
        rest_ms *= 2;
    e->rest_until = now + (d->gone ? GONE_MS : TIDE_MIN(rest_ms, REST_MAX_MS));
    e->failures = TIDE_MAX(e->failures, REST_AFTER);
    complain(e, l->error);
}

static void on_delivered(struct delivery *d)
{
    struct endpoint *e = d->arg;
    e->flying--;
    if (d->broken_off)
        delivery_free(d);
    else if (d->taken)
        note_taken(e);
    else
        note_not_taken(e, d);
    pump(e);
}

/* -- What is to be told --------------------------------------------------------------------------
 */

static bool add_event(struct endpoint *e, const struct store_event *event)
{
    const struct event_kind *kind = event_of_journal(event->entry.event);
    struct buf body = {0};
    struct json_writer w;
    char id[48];
    jw_init(&w, &body);
    shape_event(&w, NULL, event);
    struct webhook_letter letter = {.application = e->name,
                                    .seq = event->entry.seq,
                                    .event_id = text_of(event_id(event, id, sizeof id)),
                                    .type = text_of(kind ? kind->type : ""),
                                    .body = buf_text(&body)};
    struct delivery *d = body.failed == TIDE_OK ? delivery_new(&letter, false) : NULL;
    buf_fini(&body);
    if (d)
        list_append(&e->events, &d->hook);
    return d != NULL;
}

/* What was pruned before it could be told is lost, which is said. */
static void skip_lost(struct endpoint *e, const struct store_ask *ask)
{
    int64_t to = e->read_seq > ask->newest_seq ? ask->newest_seq : ask->oldest_seq - 1;
    log_error("feed.events_lost",
              "application=" TEXT_FMT " after=%" PRId64 " next=%" PRId64
              " error=\"pruned before they could be told\"",
              TEXT_ARG(e->name), e->read_seq, to + 1);
    complain(e, TEXT("some were pruned before they could be told"));
    e->read_seq = e->stored_seq = to;
    e->more = true;
}

static void on_events(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct endpoint *e = ask->arg;
    bool all = true;
    e->asking_events = false;
    if (rc == TIDE_EGONE)
        skip_lost(e, ask);
    else if (rc != TIDE_OK) {
        log_warn("feed.not_read", "application=" TEXT_FMT " error=\"%s\"", TEXT_ARG(e->name),
                 err->text);
        e->store_again_at = now_of(e) + STORE_AGAIN_MS;
        e->more = true;
    }
    for (size_t i = 0; rc == TIDE_OK && all && i < ask->event_count; i++) {
        all = add_event(e, &ask->events[i]);
        if (all)
            e->read_seq = ask->events[i].entry.seq;
    }
    if (rc == TIDE_OK && all)
        e->read_seq = ask->next_seq;
    e->more |= rc == TIDE_OK && (!all || !ask->at_end);
    arena_fini(&ask->arena);
    pump(e);
}

static void ask_events(struct endpoint *e)
{
    char after[24];
    snprintf(after, sizeof after, "%" PRId64, e->read_seq);
    e->events_ask = (struct store_ask){.view = STORE_VIEW_EVENTS,
                                       .application = e->name,
                                       .kinds = e->application->webhook.kinds,
                                       .with_alarms = e->application->alarms,
                                       .most = PAGE_MOST,
                                       .done = on_events,
                                       .arg = e};
    e->events_ask.after = arena_text(&e->events_ask.arena, text_of(after));
    if (!e->events_ask.after.p)
        return;
    e->asking_events = true;
    e->more = false;
    store_ask(e->parts.store, &e->events_ask);
}

static bool is_loaded(const struct endpoint *e, int64_t seq)
{
    const struct list *const lists[] = {&e->letters, &e->events};
    for (size_t i = 0; i < TIDE_COUNT(lists); i++)
        LIST_EACH(node, lists[i])
        {
            if (container_of(node, struct delivery, hook)->letter.seq == seq)
                return true;
        }
    return false;
}

static void take_letters(struct endpoint *e, const struct store_ask *ask)
{
    tide_wall_ms now = now_of(e);
    e->letter_at = 0;
    for (size_t i = 0; i < ask->letter_count; i++) {
        const struct webhook_letter *l = &ask->letters[i];
        if (l->next_at > now) {
            e->letter_at = l->next_at;
            return;
        }
        struct delivery *d = is_loaded(e, l->seq) ? NULL : delivery_new(l, true);
        if (d)
            list_append(&e->letters, &d->hook);
    }
    e->letters_more |= ask->letter_count == LETTERS_MOST;
}

static void on_letters(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct endpoint *e = ask->arg;
    e->asking_letters = false;
    if (rc != TIDE_OK) {
        log_warn("feed.not_read", "application=" TEXT_FMT " error=\"%s\"", TEXT_ARG(e->name),
                 err->text);
        e->store_again_at = now_of(e) + STORE_AGAIN_MS;
        e->letters_more = true;
    } else if (!e->is_known) {
        e->is_known = true;
        e->stored_seq = ask->webhook_cursor;
        e->read_seq = ask->webhook_cursor >= 0 ? ask->webhook_cursor : ask->newest_seq;
    }
    if (rc == TIDE_OK)
        take_letters(e, ask);
    arena_fini(&ask->arena);
    pump(e);
}

static void ask_letters(struct endpoint *e)
{
    e->letters_ask = (struct store_ask){.view = STORE_VIEW_WEBHOOK,
                                        .application = e->name,
                                        .most = LETTERS_MOST,
                                        .done = on_letters,
                                        .arg = e};
    e->asking_letters = true;
    e->letters_more = false;
    store_ask(e->parts.store, &e->letters_ask);
}

/* -- The pump ------------------------------------------------------------------------------------
 */

static struct delivery *waiting_in(const struct list *l)
{
    LIST_EACH(node, l)
    {
        struct delivery *d = container_of(node, struct delivery, hook);
        if (d->state == DELIVERY_WAITING)
            return d;
    }
    return NULL;
}

static size_t length(const struct list *l)
{
    size_t n = 0;
    LIST_EACH(node, l)
    {
        n++;
    }
    return n;
}

static void start_some(struct endpoint *e)
{
    const struct config_webhook *hook = &e->application->webhook;
    int most = e->failures >= REST_AFTER ? 1 : hook->connections;
    tide_wall_ms now = now_of(e);
    while (e->flying < most) {
        struct delivery *d = waiting_in(&e->letters);
        if (!d)
            d = waiting_in(&e->events);
        if (!d)
            return;
        d->done = on_delivered;
        d->arg = e;
        if (!delivery_start(d, e->fetcher, e->path, text_of(hook->secret.value), now))
            return; /* out of memory: with the next turn */
        e->flying++;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct endpoint *e = container_of(timer, struct endpoint, timer);
    tide_wall_ms now = now_of(e);
    if (e->letter_at && e->letter_at <= now) {
        e->letter_at = 0;
        e->letters_more = true;
    }
    pump(e);
}

static void set_timer(struct endpoint *e)
{
    tide_wall_ms now = now_of(e), at = TIDE_NEVER;
    if (e->rest_until > now)
        at = TIDE_MIN(at, e->rest_until);
    else if (e->letter_at)
        at = TIDE_MIN(at, e->letter_at);
    if (e->store_again_at > now)
        at = TIDE_MIN(at, e->store_again_at);
    if (at == TIDE_NEVER)
        uv_timer_stop(&e->timer);
    else
        uv_timer_start(&e->timer, on_timer, clock_until(e->parts.clock, at), 0);
}

static void pump(struct endpoint *e)
{
    if (e->closing) {
        close_step(e);
        return;
    }
    store_ended(e);
    bool store_rests = e->store_again_at > now_of(e);
    bool busy = length(&e->events) + length(&e->letters) > UNSTORED_MOST;
    if (e->rest_until <= now_of(e) && !busy) {
        if (e->letters_more && !e->asking_letters && !e->applying && !store_rests)
            ask_letters(e);
        if (e->is_known && !e->asking_letters)
            start_some(e);
        if (e->is_known && e->more && !e->asking_events && !waiting_in(&e->events) && !store_rests)
            ask_events(e);
    }
    set_timer(e);
}

void endpoint_wake(struct endpoint *e, bool letters)
{
    e->more = true;
    e->letters_more |= letters;
    if (letters)
        e->rest_until = 0; /* somebody says that it is time */
    pump(e);
}

void endpoint_hurry(struct endpoint *e)
{
    e->soon = true;
    pump(e);
}

const struct config_application *endpoint_application(const struct endpoint *e)
{
    return e->application;
}

/* -- Opening and closing -------------------------------------------------------------------------
 */

static void on_timer_closed(uv_handle_t *handle)
{
    struct endpoint *e = container_of((uv_timer_t *)handle, struct endpoint, timer);
    struct list *const lists[] = {&e->letters, &e->events};
    for (size_t i = 0; i < TIDE_COUNT(lists); i++)
        LIST_EACH(node, lists[i])
        {
            delivery_free(container_of(node, struct delivery, hook));
        }
    void (*closed)(void *arg, struct endpoint *e) = e->closed;
    void *arg = e->closed_arg;
    closed(arg, e);
    free(e);
}

static void on_fetcher_closed(void *arg)
{
    struct endpoint *e = arg;
    uv_close((uv_handle_t *)&e->timer, on_timer_closed);
}

/* Breaks off what is under way, stores what ended, then goes. */
static void close_step(struct endpoint *e)
{
    if (e->flying > 0 || e->asking_events || e->asking_letters || e->applying ||
        e->is_fetcher_closing)
        return;
    if (e->store_again_at == 0)
        store_ended(e); /* once: what the store cannot take now is told again */
    if (e->applying)
        return;
    e->is_fetcher_closing = true;
    fetcher_close(e->fetcher, on_fetcher_closed, e);
}

void endpoint_close(struct endpoint *e, void (*closed)(void *arg, struct endpoint *e), void *arg)
{
    struct list *const lists[] = {&e->letters, &e->events};
    if (e->closing)
        return;
    e->closed = closed;
    e->closed_arg = arg;
    uv_timer_stop(&e->timer);
    for (size_t i = 0; i < TIDE_COUNT(lists); i++)
        LIST_EACH(node, lists[i])
        {
            struct delivery *d = container_of(node, struct delivery, hook);
            if (d->state == DELIVERY_FLYING) {
                d->broken_off = true;
                fetch_cancel(&d->fetch);
            }
        }
    e->closing = true;
    close_step(e);
}

/* "https://host:port" and what stands behind it. */
static size_t base_length(const char *url)
{
    const char *host = strstr(url, "://");
    return host ? 3 + (size_t)(host - url) + strcspn(host + 3, "/?") : strlen(url);
}

enum tide_err endpoint_open(const struct feed_parts *parts,
                            const struct config_application *application,
                            struct endpoint **ret,
                            struct tide_error *err)
{
    const struct config_webhook *hook = &application->webhook;
    size_t base = base_length(hook->url);
    struct endpoint *e = calloc(1, sizeof *e);
    char *base_url = strndup(hook->url, base);
    enum tide_err rc = TIDE_OK;
    if (!e || !base_url)
        rc = tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    struct fetch_options options = {.base_url = base_url,
                                    .tls_verify = true,
                                    .tls_ca_file = hook->tls_ca_file,
                                    .connections_max = hook->connections,
                                    .connect_timeout_ms = TIDE_MIN(CONNECT_MS, hook->timeout_ms),
                                    .timeout_ms = hook->timeout_ms};
    if (rc == TIDE_OK)
        rc = fetcher_open(parts->loop, &options, &e->fetcher, err);
    free(base_url);
    if (rc != TIDE_OK) {
        free(e);
        return tide_wrap(err, rc, "webhook of application %s", application->name);
    }
    e->parts = *parts;
    e->application = application;
    e->name = text_of(application->name);
    e->path = text_of(hook->url + base);
    e->stored_seq = -1;
    e->more = e->letters_more = true;
    list_init(&e->events);
    list_init(&e->letters);
    uv_timer_init(parts->loop, &e->timer);
    *ret = e;
    pump(e);
    return TIDE_OK;
}
