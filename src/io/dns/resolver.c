#include "io/dns/resolver.h"

#include "base/file.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/map.h"
#include "core/dns/cache.h"
#include "io/dns/cache_file.h"
#include "io/dns/servers.h"
#include "io/dns/upstream.h"

#include <stdlib.h>

#define ANSWER_BYTES_MAX (1u << 20)
#define CACHE_BYTES_MAX  (1u << 30)
#define IDLE_BATCH       256 /* then the sockets have their turn */

struct resolver {
    uv_loop_t *loop;
    const struct clock *clock;
    struct upstream_env env;
    struct upstream *servers[DNS_SERVERS_MAX];
    size_t server_count, servers_open;
    struct dns_random random;
    struct dns_cache cache;
    struct arena arena;
    struct heap deadlines;
    struct idmap flights;        /* by the hash of the question */
    struct list active, waiting; /* flights */
    struct list unsent;          /* flights whose try could not be sent */
    struct list ready;           /* requests whose answer is there */
    size_t active_count, request_count;
    uv_timer_t timer;
    uv_idle_t idle; /* runs while something is unsent or ready */
    unsigned handles;
    uint64_t timeout_ms;
    unsigned tries;
    bool closing, saving;
    uint64_t saved_answers; /* counts.answers when the cache was last written */
    void (*closed)(void *arg);
    void *closed_arg;
    struct resolver_counts counts;
};

/* One question under way, for one or many requests. */
struct flight {
    struct list node;
    struct heap_node deadline;
    struct resolver *resolver;
    struct exchange exchange;
    struct query query;
    struct dns_question question;
    struct list requests;
    bool is_active;
};

struct resolver_request {
    struct list node;
    struct resolver *resolver;
    struct flight *flight; /* NULL: ready */
    resolver_cb cb;
    void *arg;
    enum tide_err rc;
    struct arena arena; /* of an answer from the cache */
    struct dns_answer answer;
};

static bool same_question(const struct dns_question *a, const struct dns_question *b)
{
    return a->type == b->type && a->name_n == b->name_n && memcmp(a->name, b->name, a->name_n) == 0;
}

static void on_idle(uv_idle_t *idle);

static void wake(struct resolver *r)
{
    if (!r->closing)
        uv_idle_start(&r->idle, on_idle);
}

/* ---- requests ---- */

static void request_finish(struct resolver_request *q, const struct dns_answer *answer)
{
    list_remove(&q->node);
    q->resolver->request_count--;
    q->cb(q->arg, q->rc, q->rc == TIDE_OK ? answer : NULL);
    arena_fini(&q->arena);
    free(q);
}

static void make_ready(struct resolver_request *q, enum tide_err rc)
{
    q->rc = rc;
    q->flight = NULL;
    list_remove(&q->node);
    list_append(&q->resolver->ready, &q->node);
    wake(q->resolver);
}

void resolver_cancel(struct resolver_request *q)
{
    if (q->rc != TIDE_ECANCELED)
        make_ready(q, TIDE_ECANCELED);
}

/* ---- flights ---- */

static void flight_free(struct flight *f)
{
    struct resolver *r = f->resolver;
    exchange_drop(&f->exchange);
    heap_remove(&r->deadlines, &f->deadline);
    if (idmap_get(&r->flights, f->question.key) == f)
        idmap_remove(&r->flights, f->question.key);
    list_remove(&f->node);
    if (f->is_active)
        r->active_count--;
    free(f);
}

static void start_waiting(struct resolver *r);

/* Everybody who asked gets the answer, or an old one when there is none. */
static void flight_land(struct flight *f, const struct dns_answer *answer)
{
    struct resolver *r = f->resolver;
    struct list requests;
    list_init(&requests);
    struct dns_answer result = *answer;
    tide_wall_ms now = clock_wall(r->clock);
    if (dns_status_is_final(result.status)) {
        dns_cache_put(&r->cache, &f->question, &result, now);
    } else {
        struct dns_answer old = {0};
        arena_reset(&r->arena);
        if (dns_cache_get(&r->cache, &f->question, now, &r->arena, &old) != DNS_ABSENT) {
            result = old;
            r->counts.stale++;
        }
    }
    for (struct list *node; (node = list_take_first(&f->requests));) {
        container_of(node, struct resolver_request, node)->flight = NULL;
        list_append(&requests, node);
    }
    flight_free(f);
    while (!list_is_empty(&requests))
        request_finish(container_of(list_first(&requests), struct resolver_request, node), &result);
    start_waiting(r);
}

static void on_timer(uv_timer_t *timer);

static void arm_timer(struct resolver *r)
{
    struct heap_node *first = heap_first(&r->deadlines);
    if (!first || r->closing) {
        uv_timer_stop(&r->timer);
        return;
    }
    uint64_t now = uv_now(r->loop), at = (uint64_t)first->key;
    uv_timer_start(&r->timer, on_timer, at > now ? at - now : 0, 0);
}

/* Carries out what the query's state machine wants. */
static void flight_do(struct flight *f, const struct query_todo *todo, const struct dns_answer *a)
{
    struct resolver *r = f->resolver;
    if (todo->done) {
        struct dns_answer none = {.status = todo->status, .type = (enum dns_type)f->question.type};
        flight_land(f, a && dns_status_is_final(a->status) ? a : &none);
        return;
    }
    if (!todo->send)
        return;
    struct upstream *u = r->servers[todo->server];
    bool sent = todo->tcp ? upstream_ask_tcp(u, &f->exchange, todo->edns)
                          : upstream_ask_udp(u, &f->exchange, todo->edns);
    bool first = heap_first(&r->deadlines) == NULL;
    if (sent && heap_put(&r->deadlines, &f->deadline, (int64_t)(uv_now(r->loop) + r->timeout_ms))) {
        r->counts.sent_udp += !todo->tcp;
        r->counts.sent_tcp += todo->tcp;
        if (first)
            arm_timer(r);
        return;
    }
    exchange_drop(&f->exchange);
    list_remove(&f->node);
    list_append(&r->unsent, &f->node);
    wake(r);
}

static void flight_feed(struct flight *f, enum query_event ev, const struct dns_answer *answer)
{
    struct query_todo todo;
    struct upstream *server = f->resolver->servers[f->query.servers[f->query.at]];
    if (ev == QUERY_TIMEOUT || ev == QUERY_UNREACHABLE)
        upstream_note(server, false);
    else if (ev != QUERY_START)
        upstream_note(server, true);
    query_step(&f->query, ev, answer ? answer->status : DNS_BROKEN, &todo);
    flight_do(f, &todo, answer);
}

static void on_exchange(struct exchange *x, enum query_event ev, const struct dns_answer *answer)
{
    struct flight *f = container_of(x, struct flight, exchange);
    struct resolver *r = f->resolver;
    r->counts.answers += ev == QUERY_ANSWER;
    r->counts.unreachable += ev == QUERY_UNREACHABLE;
    flight_feed(f, ev, answer);
}

static void on_timer(uv_timer_t *timer)
{
    struct resolver *r = container_of(timer, struct resolver, timer);
    for (struct heap_node *node;
         (node = heap_first(&r->deadlines)) && (uint64_t)node->key <= uv_now(r->loop);) {
        struct flight *f = container_of(node, struct flight, deadline);
        heap_remove(&r->deadlines, node);
        exchange_drop(&f->exchange);
        r->counts.timeouts++;
        flight_feed(f, QUERY_TIMEOUT, NULL);
    }
    arm_timer(r);
}

/* Servers that are up in the order given, then the others, the one that is due first first. */
static void order_servers(const struct resolver *r, uint8_t order[DNS_SERVERS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < r->server_count; i++)
        if (!upstream_is_down(r->servers[i]))
            order[n++] = (uint8_t)i;
    size_t up = n;
    for (size_t i = 0; i < r->server_count; i++) {
        if (!upstream_is_down(r->servers[i]))
            continue;
        size_t at = n++;
        uint64_t due = upstream_down_until(r->servers[i]);
        for (; at > up && upstream_down_until(r->servers[order[at - 1]]) > due; at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
}

static void flight_start(struct flight *f)
{
    struct resolver *r = f->resolver;
    uint8_t order[DNS_SERVERS_MAX];
    uv_update_time(r->loop); /* the caller may have been busy: its time is not the server's */
    order_servers(r, order);
    query_init(&f->query, order, r->server_count, r->tries);
    list_remove(&f->node);
    list_append(&r->active, &f->node);
    f->is_active = true;
    r->active_count++;
    flight_feed(f, QUERY_START, NULL);
}

static void start_waiting(struct resolver *r)
{
    while (!r->closing && r->active_count < RESOLVER_FLIGHTS_MAX && !list_is_empty(&r->waiting))
        flight_start(container_of(list_first(&r->waiting), struct flight, node));
}

static struct flight *flight_new(struct resolver *r, const struct dns_question *question)
{
    /* Field by field: most of it is two names of 255 bytes, and every question has one. */
    struct flight *f = malloc(sizeof *f);
    if (!f)
        return NULL;
    f->resolver = r;
    f->question = *question;
    f->query = (struct query){0};
    f->is_active = false;
    heap_node_init(&f->deadline);
    exchange_init(&f->exchange, &f->question);
    list_init(&f->node);
    list_init(&f->requests);
    if (!idmap_get(&r->flights, f->question.key) && !idmap_put(&r->flights, f->question.key, f)) {
        free(f);
        return NULL;
    }
    list_append(&r->waiting, &f->node);
    return f;
}

static void on_idle(uv_idle_t *idle)
{
    struct resolver *r = container_of(idle, struct resolver, idle);
    for (int i = 0; i < IDLE_BATCH && !r->closing && !list_is_empty(&r->unsent); i++) {
        struct flight *f = container_of(list_take_first(&r->unsent), struct flight, node);
        list_append(&r->active, &f->node);
        r->counts.unreachable++;
        flight_feed(f, QUERY_UNREACHABLE, NULL);
    }
    for (int i = 0; i < IDLE_BATCH && !r->closing && !list_is_empty(&r->ready); i++) {
        struct resolver_request *q =
            container_of(list_first(&r->ready), struct resolver_request, node);
        request_finish(q, &q->answer);
    }
    if (list_is_empty(&r->unsent) && list_is_empty(&r->ready))
        uv_idle_stop(&r->idle);
}

/* ---- the front ---- */

bool resolver_cached(struct resolver *r,
                     struct text name,
                     enum dns_type type,
                     struct arena *arena,
                     struct dns_answer *ret)
{
    struct dns_question question;
    return dns_question_init(&question, name, type, NULL) == TIDE_OK &&
           dns_cache_get(&r->cache, &question, clock_wall(r->clock), arena, ret) == DNS_FRESH;
}

enum tide_err resolver_query(struct resolver *r,
                             struct text name,
                             enum dns_type type,
                             resolver_cb cb,
                             void *arg,
                             struct resolver_request **ret,
                             struct tide_error *err)
{
    struct dns_question question;
    enum tide_err rc = dns_question_init(&question, name, type, err);
    if (rc != TIDE_OK)
        return rc;
    if (r->closing || r->request_count >= RESOLVER_REQUESTS_MAX)
        return tide_fail(err, r->closing ? TIDE_ESTATE : TIDE_ELIMIT,
                         r->closing ? "the resolver is closing"
                                    : "too many DNS questions are under way");
    struct resolver_request *q = malloc(sizeof *q);
    if (!q)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    *q = (struct resolver_request){.resolver = r, .cb = cb, .arg = arg};
    list_init(&q->node);
    r->counts.requests++;
    if (dns_cache_get(&r->cache, &question, clock_wall(r->clock), &q->arena, &q->answer) ==
        DNS_FRESH) {
        r->counts.cache_hits++;
        make_ready(q, TIDE_OK);
    } else {
        struct flight *f = idmap_get(&r->flights, question.key);
        bool shared = f && same_question(&f->question, &question);
        if (!shared && !(f = flight_new(r, &question))) {
            arena_fini(&q->arena);
            free(q);
            return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
        }
        r->counts.shared += shared;
        q->flight = f;
        list_append(&f->requests, &q->node);
        start_waiting(r);
    }
    r->request_count++;
    if (ret)
        *ret = q;
    return TIDE_OK;
}

static void free_resolver(struct resolver *r)
{
    dns_cache_fini(&r->cache);
    arena_fini(&r->arena);
    heap_fini(&r->deadlines);
    idmap_fini(&r->flights);
    free(r->env.slab);
    free(r);
}

/* The last handle is gone: whoever still waits is told, then the owner. */
static void unref(struct resolver *r)
{
    if (--r->handles > 0)
        return;
    while (!list_is_empty(&r->ready)) {
        struct resolver_request *q =
            container_of(list_first(&r->ready), struct resolver_request, node);
        q->rc = TIDE_ECANCELED;
        request_finish(q, NULL);
    }
    void (*closed)(void *) = r->closed;
    void *arg = r->closed_arg;
    free_resolver(r);
    if (closed)
        closed(arg);
}

static void on_upstream_closed(void *arg)
{
    unref(arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(container_of(handle, struct resolver, timer));
}

static void on_idle_closed(uv_handle_t *handle)
{
    unref(container_of(handle, struct resolver, idle));
}

static void drop_flights(struct list *flights)
{
    while (!list_is_empty(flights)) {
        struct flight *f = container_of(list_first(flights), struct flight, node);
        while (!list_is_empty(&f->requests))
            make_ready(container_of(list_first(&f->requests), struct resolver_request, node),
                       TIDE_ECANCELED);
        flight_free(f);
    }
}

void resolver_close(struct resolver *r, void (*closed)(void *arg), void *arg)
{
    if (r->closing)
        return;
    r->closing = true;
    r->closed = closed;
    r->closed_arg = arg;
    drop_flights(&r->active);
    drop_flights(&r->waiting);
    drop_flights(&r->unsent);
    for (size_t i = 0; i < r->server_count; i++)
        upstream_close(r->servers[i], on_upstream_closed, r);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
    uv_close((uv_handle_t *)&r->idle, on_idle_closed);
}

enum tide_err resolver_open(uv_loop_t *loop,
                            const struct clock *clock,
                            const struct config_dns *config,
                            struct resolver **ret,
                            struct tide_error *err)
{
    struct sockaddr_storage addresses[DNS_SERVERS_MAX];
    size_t count;
    enum tide_err rc = servers_parse(config->servers, config->server_count, addresses, &count, err);
    if (rc != TIDE_OK)
        return rc;
    struct resolver *r = calloc(1, sizeof *r);
    char *slab = malloc(UPSTREAM_SLAB_BYTES);
    if (!r || !slab) {
        free(slab);
        free(r);
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    }
    r->loop = loop;
    r->clock = clock;
    r->timeout_ms = (uint64_t)config->timeout_ms;
    r->tries = (unsigned)TIDE_MAX(config->tries, 1);
    r->env = (struct upstream_env){.loop = loop,
                                   .random = &r->random,
                                   .arena = &r->arena,
                                   .slab = slab,
                                   .on_event = on_exchange};
    arena_init(&r->arena, ANSWER_BYTES_MAX);
    heap_init(&r->deadlines);
    idmap_init(&r->flights);
    list_init(&r->active);
    list_init(&r->waiting);
    list_init(&r->unsent);
    list_init(&r->ready);
    dns_cache_init(&r->cache, &(struct dns_cache_limits){
                                  .entries_max = (uint32_t)TIDE_MAX(config->cache_entries_max, 0),
                                  .ttl_max_ms = config->ttl_max_ms,
                                  .negative_ttl_max_ms = config->negative_ttl_max_ms,
                                  .stale_max_ms = config->stale_max_ms,
                              });
    for (; r->server_count < count; r->server_count++) {
        const struct sockaddr *a = (const struct sockaddr *)&addresses[r->server_count];
        if (!(r->servers[r->server_count] = upstream_new(&r->env, a)))
            break;
    }
    if (r->server_count < count || uv_timer_init(loop, &r->timer) != 0 ||
        uv_idle_init(loop, &r->idle) != 0) {
        for (size_t i = 0; i < r->server_count; i++)
            upstream_close(r->servers[i], NULL, NULL);
        free_resolver(r);
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    }
    r->handles = (unsigned)count + 2;
    *ret = r;
    return TIDE_OK;
}

struct resolver_counts resolver_counts(const struct resolver *r)
{
    struct resolver_counts c = r->counts;
    c.cache_entries = r->cache.entries.count;
    c.cache_bytes = r->cache.bytes;
    c.flights = r->active_count;
    return c;
}

/* ---- the cache's file ---- */

enum tide_err resolver_load(struct resolver *r, const char *path, struct tide_error *err)
{
    struct buf b;
    buf_init(&b, 0);
    enum tide_err rc = file_read(path, CACHE_BYTES_MAX, &b, err);
    if (rc == TIDE_OK) {
        rc = dns_cache_decode(&r->cache, buf_text(&b), clock_wall(r->clock), err);
        if (rc != TIDE_OK)
            rc = tide_wrap(err, rc, "%s", path);
    }
    buf_fini(&b);
    return rc;
}

enum tide_err resolver_save(struct resolver *r, const char *path, struct tide_error *err)
{
    struct buf b;
    if (r->saving) /* the pool is at it, beside the same file */
        return TIDE_OK;
    buf_init(&b, CACHE_BYTES_MAX);
    dns_cache_encode(&r->cache, &b);
    enum tide_err rc = buf_check(&b, err);
    if (rc == TIDE_OK)
        rc = cache_file_write(path, buf_text(&b), err);
    buf_fini(&b);
    return rc;
}

struct save {
    uv_work_t work;
    struct resolver *resolver;
    struct buf bytes;
    char *path;
    enum tide_err rc;
    struct tide_error err;
};

static void on_save(uv_work_t *work)
{
    struct save *s = container_of(work, struct save, work);
    s->rc = cache_file_write(s->path, buf_text(&s->bytes), &s->err);
}

static void on_saved(uv_work_t *work, int status)
{
    struct save *s = container_of(work, struct save, work);
    struct resolver *r = s->resolver;
    if (status == 0 && s->rc != TIDE_OK)
        log_warn("dns.cache_not_saved", "error=\"%s\"", s->err.text);
    buf_fini(&s->bytes);
    free(s->path);
    free(s);
    r->saving = false;
    unref(r);
}

void resolver_save_later(struct resolver *r, const char *path)
{
    if (r->saving || r->closing || r->saved_answers == r->counts.answers)
        return;
    struct save *s = calloc(1, sizeof *s);
    if (!s)
        return;
    s->resolver = r;
    s->path = strdup(path);
    buf_init(&s->bytes, CACHE_BYTES_MAX);
    dns_cache_encode(&r->cache, &s->bytes);
    if (!s->path || s->bytes.failed != TIDE_OK ||
        uv_queue_work(r->loop, &s->work, on_save, on_saved) != 0) {
        buf_fini(&s->bytes);
        free(s->path);
        free(s);
        return;
    }
    r->saving = true;
    r->saved_answers = r->counts.answers;
    r->handles++;
}
