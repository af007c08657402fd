#include "io/status/events.h"

#include "base/macros.h"
#include "io/status/views.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define GATHER_MS    50 /* after a write, until those who wait look again */
#define MOST_DEFAULT 100
#define MOST_MAX     1000

/* ASKING --events, or no more time--> (answered)
 *    |  `--nothing yet--> WAITING --something was written--> ASKING */
struct waiter {
    struct list hook; /* of those that wait; in no list while asking */
    struct event_feed *feed;
    struct http_request *req;
    struct text application;
    struct arena arena; /* application, cursor */
    struct store_ask ask;
    uint64_t until_ms; /* of the loop's time */
};

struct event_feed {
    uv_loop_t *loop;
    struct store *store;
    const struct clock *clock;
    struct store_watch watch;
    struct list waiting;
    unsigned waiters;    /* asking or waiting */
    uv_timer_t gather;   /* something was written */
    uv_timer_t deadline; /* of the first who waited long enough */
    unsigned open;       /* handles */
    bool stopping;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* -- The shape -----------------------------------------------------------------------------------
 */

static void shape_item(struct json_writer *w, const struct notification *n)
{
    jw_object(w, NULL);
    jw_id(w, "id", n->id);
    jw_text_or_null(w, "key", n->key);
    jw_text(w, "stream", n->stream);
    jw_text(w, "recipient", n->recipient);
    jw_text_or_null(w, "subject", n->subject);
    jw_text_or_null(w, "thread", n->thread);
    jw_text_or_null(w, "message_id", n->message_id);
    jw_json(w, "metadata", n->metadata);
    jw_end(w);
}

static void shape_mail(struct json_writer *w, const struct attempt *a)
{
    if (!a) {
        jw_null(w, "attempt");
        return;
    }
    jw_object(w, "attempt");
    jw_id(w, "id", a->id);
    jw_text(w, "account", a->account);
    jw_text_or_null(w, "provider", a->provider);
    jw_bool(w, "digest", a->digest);
    jw_bool(w, "may_be_double", a->retry_of_unknown);
    jw_text_or_null(w, "message_id", a->message_id);
    jw_end(w);
}

const char *event_id(const struct store_event *e, char *out, size_t size)
{
    snprintf(out, size, "%" PRId64 "-%" PRIx64, e->entry.seq, (uint64_t)e->entry.at);
    return out;
}

void shape_event(struct json_writer *w, const char *name, const struct store_event *e)
{
    const struct event_kind *kind = event_of_journal(e->entry.event);
    char id[48];
    jw_object(w, name);
    jw_str(w, "id", event_id(e, id, sizeof id));
    jw_str(w, "type", kind ? kind->type : NULL);
    jw_time(w, "timestamp", e->entry.at);
    jw_object(w, "data");
    jw_text_or_null(w, "application", e->application);
    jw_text_or_null(w, "recipient", e->recipient);
    jw_text_or_null(w, "reason", e->entry.sentence);
    jw_json(w, "detail", e->entry.detail);
    shape_mail(w, e->attempt);
    jw_array(w, "notifications");
    for (size_t i = 0; i < e->notification_count; i++)
        shape_item(w, &e->notifications[i]);
    jw_end(w);
    jw_end(w);
    jw_end(w);
}

/* -- Answers -------------------------------------------------------------------------------------
 */

static void end(struct waiter *a)
{
    list_remove(&a->hook);
    a->feed->waiters--;
    arena_fini(&a->arena);
    arena_fini(&a->ask.arena);
    free(a);
}

static void answer(struct waiter *a)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_time(&w, "now", clock_wall(a->feed->clock));
    jw_array(&w, "events");
    for (size_t i = 0; i < a->ask.event_count; i++)
        shape_event(&w, NULL, &a->ask.events[i]);
    jw_end(&w);
    jw_text(&w, "next", a->ask.next);
    jw_bool(&w, "more", !a->ask.at_end);
    jw_end(&w);
    view_reply_json(a->req, &b);
    end(a);
}

static void answer_gone(struct waiter *a, const struct tide_error *err)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_object(&w, "error");
    jw_str(&w, "code", "cursor_gone");
    jw_str(&w, "message", err->text);
    jw_int(&w, "oldest", a->ask.oldest_seq);
    jw_int(&w, "newest", a->ask.newest_seq);
    jw_end(&w);
    jw_end(&w);
    buf_addc(&b, '\n');
    view_reply(a->req, 410, &b, "application/json");
    end(a);
}

static void fail(struct waiter *a, enum tide_err rc, const struct tide_error *err)
{
    if (rc == TIDE_EGONE)
        answer_gone(a, err);
    else {
        view_fail(a->req, rc, err);
        end(a);
    }
}

/* -- Asking and waiting --------------------------------------------------------------------------
 */

static void on_asked(struct store_ask *ask, enum tide_err rc, const struct tide_error *err);

static void ask_store(struct waiter *a)
{
    list_remove(&a->hook);
    a->ask.view = STORE_VIEW_EVENTS;
    a->ask.application = a->application;
    a->ask.done = on_asked;
    a->ask.arg = a;
    store_ask(a->feed->store, &a->ask);
}

/* From where it came to; the answer so far is given up. False: out of memory. */
static bool go_on(struct waiter *a)
{
    struct arena kept = {0};
    struct text application = arena_text(&kept, a->application);
    struct text after = arena_text(&kept, a->ask.next);
    arena_fini(&a->arena);
    arena_fini(&a->ask.arena);
    a->arena = kept;
    a->application = application;
    a->ask.after = a->ask.next = after; /* also the answer, should nothing come */
    a->ask.events = NULL;
    return (application.p || application.n == 0) && after.p;
}

static void on_deadline(uv_timer_t *timer);

static void set_deadline(struct event_feed *f)
{
    uint64_t first = UINT64_MAX, now = uv_now(f->loop);
    LIST_EACH(node, &f->waiting)
    {
        first = TIDE_MIN(first, container_of(node, struct waiter, hook)->until_ms);
    }
    if (first == UINT64_MAX)
        uv_timer_stop(&f->deadline);
    else
        uv_timer_start(&f->deadline, on_deadline, first > now ? first - now : 0, 0);
}

static void on_deadline(uv_timer_t *timer)
{
    struct event_feed *f = container_of(timer, struct event_feed, deadline);
    LIST_EACH(node, &f->waiting)
    {
        struct waiter *a = container_of(node, struct waiter, hook);
        if (a->until_ms <= uv_now(f->loop))
            answer(a);
    }
    set_deadline(f);
}

static void on_asked(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct waiter *a = ask->arg;
    struct event_feed *f = a->feed;
    bool over = f->stopping || a->until_ms <= uv_now(f->loop);
    if (rc != TIDE_OK)
        fail(a, rc, err);
    else if (ask->event_count > 0 || over)
        answer(a);
    else if (!go_on(a)) {
        view_no_memory(a->req);
        end(a);
    } else if (!ask->at_end)
        ask_store(a); /* nothing for it in this stretch */
    else {
        list_append(&f->waiting, &a->hook);
        set_deadline(f);
    }
}

static void on_gathered(uv_timer_t *timer)
{
    struct event_feed *f = container_of(timer, struct event_feed, gather);
    LIST_EACH(node, &f->waiting)
    {
        ask_store(container_of(node, struct waiter, hook));
    }
}

static void on_wrote(struct store_watch *watch)
{
    struct event_feed *f = container_of(watch, struct event_feed, watch);
    if (!f->stopping && f->waiters > 0 && !uv_is_active((uv_handle_t *)&f->gather))
        uv_timer_start(&f->gather, on_gathered, GATHER_MS, 0);
}

static int64_t number(const struct http_request *req, const char *name, int64_t preset, int64_t max)
{
    struct text given = http_query(req, name);
    if (given.n > 0 && text_int(given, 0, max, &preset, NULL) != TIDE_OK)
        preset = max;
    return preset;
}

void event_feed_get(struct event_feed *f,
                    struct http_request *req,
                    struct text application,
                    bool with_alarms)
{
    struct tide_error err = {0};
    event_set kinds = 0;
    if (event_set_parse(http_query(req, "types"), &kinds, &err) != TIDE_OK) {
        http_reply_error(req, 400, "bad_types", err.text);
        return;
    }
    struct waiter *a = calloc(1, sizeof *a);
    if (!a) {
        view_no_memory(req);
        return;
    }
    a->feed = f;
    a->req = req;
    list_init(&a->hook);
    f->waiters++;
    int64_t wait = f->waiters > EVENT_WAITERS_MAX ? 0 : number(req, "wait", 0, EVENT_WAIT_S_MAX);
    a->until_ms = uv_now(f->loop) + (uint64_t)wait * 1000;
    a->application = arena_text(&a->arena, application);
    a->ask.after = http_query(req, "after");
    a->ask.kinds = kinds;
    a->ask.with_alarms = with_alarms;
    a->ask.most = (size_t)TIDE_MAX(number(req, "most", MOST_DEFAULT, MOST_MAX), 1);
    if (application.n > 0 && !a->application.p) {
        view_no_memory(req);
        end(a);
        return;
    }
    ask_store(a);
}

/* -- Opening and closing -------------------------------------------------------------------------
 */

enum tide_err event_feed_open(uv_loop_t *loop,
                              struct store *store,
                              const struct clock *clock,
                              struct event_feed **ret,
                              struct tide_error *err)
{
    struct event_feed *f = calloc(1, sizeof *f);
    if (!f)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    f->loop = loop;
    f->store = store;
    f->clock = clock;
    list_init(&f->waiting);
    uv_timer_init(loop, &f->gather);
    uv_timer_init(loop, &f->deadline);
    f->open = 2;
    f->watch.wrote = on_wrote;
    store_watch(store, &f->watch);
    *ret = f;
    return TIDE_OK;
}

void event_feed_stop(struct event_feed *f)
{
    f->stopping = true;
    LIST_EACH(node, &f->waiting)
    {
        answer(container_of(node, struct waiter, hook));
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct event_feed *f = handle->data;
    if (--f->open > 0)
        return;
    void (*closed)(void *arg) = f->closed;
    void *arg = f->closed_arg;
    free(f);
    closed(arg);
}

void event_feed_close(struct event_feed *f, void (*closed)(void *arg), void *arg)
{
    f->closed = closed;
    f->closed_arg = arg;
    store_unwatch(&f->watch);
    f->gather.data = f->deadline.data = f;
    uv_close((uv_handle_t *)&f->gather, on_handle_closed);
    uv_close((uv_handle_t *)&f->deadline, on_handle_closed);
}
