#include "cmd/mailtide-lab/limits.h"

#include "core/address/addr.h"

#include <stdlib.h>

struct counted_window {
    struct window_span span;
    int64_t used, refused;
};

struct counter {
    const struct lab_limit *limit;
    char *subject;
    int64_t most, refused; /* most that one window ever held */
    /* fixed windows, oldest first */
    struct counted_window *windows;
    size_t window_count, window_cap;
    /* rolling and cooldown: when it was charged, oldest first */
    tide_wall_ms *times;
    size_t time_count, time_cap;
};

enum tide_err meters_init(struct meters *m,
                          const struct lab_limit *limits,
                          size_t count,
                          struct tide_error *err)
{
    *m = (struct meters){.limits = limits, .limit_count = count};
    strmap_init(&m->counters);
    m->rules = calloc(count + 1, sizeof *m->rules);
    if (!m->rules)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        m->rules[i] = (struct window_rule){.def = &limits[i].window, .zone = limits[i].zone};
    return TIDE_OK;
}

void meters_fini(struct meters *m)
{
    uint32_t pos = 0;
    for (struct counter *c; (c = strmap_next(&m->counters, &pos, NULL));) {
        free(c->subject);
        free(c->windows);
        free(c->times);
        free(c);
    }
    strmap_fini(&m->counters);
    free(m->rules);
    *m = (struct meters){0};
}

struct text meter_ip(struct text peer)
{
    size_t n = peer.n;
    while (n > 0 && peer.p[n - 1] != ':')
        n--;
    return n > 0 ? text_cut(peer, 0, n - 1) : peer;
}

static void subject_text(enum lab_scope scope, const struct meter_subject *who, struct buf *ret)
{
    switch (scope) {
    case LAB_MAILBOX:
        buf_add_text(ret, who->mailbox);
        break;
    case LAB_SENDER:
        buf_add_text(ret, who->sender);
        break;
    case LAB_SENDER_DOMAIN:
        buf_add_text(ret, addr_domain_of(who->sender));
        break;
    case LAB_PAIR:
        buf_addf(ret, TEXT_FMT " " TEXT_FMT, TEXT_ARG(who->sender), TEXT_ARG(who->mailbox));
        break;
    case LAB_IP:
        buf_add_text(ret, who->ip);
        break;
    case LAB_HELO:
        buf_add_text(ret, who->helo);
        break;
    case LAB_ALL:
        break;
    }
    for (size_t i = 0; i < ret->len; i++)
        ret->data[i] = ascii_lower(ret->data[i]);
}

static struct counter *counter_new(struct meters *m,
                                   const struct lab_limit *l,
                                   struct text key,
                                   const char *subject)
{
    struct counter *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->limit = l;
    c->subject = strdup(subject);
    if (c->subject && strmap_put(&m->counters, key, c))
        return c;
    free(c->subject);
    free(c);
    return NULL;
}

static struct counter *counter_of(struct meters *m,
                                  const struct lab_limit *l,
                                  const struct meter_subject *who)
{
    struct buf subject = {0}, key = {0};
    subject_text(l->scope, who, &subject);
    buf_adds(&key, l->name);
    buf_addc(&key, '\0');
    buf_add_text(&key, buf_text(&subject));
    struct counter *c = NULL;
    if (key.failed == TIDE_OK) {
        c = strmap_get(&m->counters, buf_text(&key));
        if (!c)
            c = counter_new(m, l, buf_text(&key), buf_str(&subject));
    }
    m->lost += c == NULL;
    buf_fini(&subject);
    buf_fini(&key);
    return c;
}

static bool grow(void **array, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return true;
    size_t more = *cap ? 2 * *cap : 8;
    void *bigger = realloc(*array, more * size);
    if (!bigger)
        return false;
    *array = bigger;
    *cap = more;
    return true;
}

/* The fixed window that `now` lies in; NULL: out of memory. */
static struct counted_window *window_of(struct meters *m, struct counter *c, tide_wall_ms now)
{
    struct window_rule *rule = &m->rules[c->limit - m->limits];
    struct counted_window *last = c->window_count ? &c->windows[c->window_count - 1] : NULL;
    if (last && now < last->span.end) /* a clock that goes back stays in the last one */
        return last;
    if (!grow((void **)&c->windows, &c->window_cap, c->window_count, sizeof *c->windows))
        return NULL;
    last = &c->windows[c->window_count++];
    *last = (struct counted_window){.span = window_at(rule, now)};
    return last;
}

static int64_t used_at(struct meters *m, struct counter *c, tide_wall_ms now)
{
    if (window_is_fixed(&c->limit->window)) {
        const struct counted_window *w = window_of(m, c, now);
        return w ? w->used : 0;
    }
    size_t old = 0;
    while (old < c->time_count && c->times[old] <= now - c->limit->window.span_ms)
        old++;
    c->time_count -= old;
    if (old > 0)
        memmove(c->times, c->times + old, c->time_count * sizeof *c->times);
    return (int64_t)c->time_count;
}

static void charge(struct meters *m, struct counter *c, bool refused, tide_wall_ms now)
{
    bool charged = !refused || c->limit->counts == LAB_COUNT_ATTEMPTS;
    int64_t used = 0;
    if (window_is_fixed(&c->limit->window)) {
        struct counted_window *w = window_of(m, c, now);
        if (w) {
            w->used += !refused; /* past the count a refused attempt changes nothing */
            w->refused += refused;
            used = w->used;
        }
    } else if (charged && grow((void **)&c->times, &c->time_cap, c->time_count, sizeof *c->times)) {
        c->times[c->time_count++] = now;
        used = (int64_t)c->time_count;
    }
    c->refused += refused;
    if (!refused && used > c->most)
        c->most = used;
}

static int64_t full_of(const struct lab_limit *l)
{
    return l->window.kind == WINDOW_COOLDOWN ? 1 : l->count;
}

const struct lab_limit *meters_ask(struct meters *m,
                                   enum lab_stage stage,
                                   const struct meter_subject *who,
                                   tide_wall_ms now)
{
    for (size_t i = 0; i < m->limit_count; i++) {
        const struct lab_limit *l = &m->limits[i];
        if (l->stage != stage)
            continue;
        struct counter *c = counter_of(m, l, who);
        if (!c)
            continue;
        bool refused = used_at(m, c, now) >= full_of(l);
        if (refused || l->counts == LAB_COUNT_ATTEMPTS)
            charge(m, c, refused, now);
        if (refused)
            return l;
    }
    return NULL;
}

const struct lab_limit *meters_take(struct meters *m,
                                    const struct meter_subject *who,
                                    tide_wall_ms now)
{
    for (int charging = 0; charging < 2; charging++) {
        for (size_t i = 0; i < m->limit_count; i++) {
            const struct lab_limit *l = &m->limits[i];
            struct counter *c = l->counts == LAB_COUNT_ACCEPTED ? counter_of(m, l, who) : NULL;
            if (!c)
                continue;
            bool refused = !charging && used_at(m, c, now) >= full_of(l);
            if (refused || charging)
                charge(m, c, refused, now);
            if (refused)
                return l;
        }
    }
    return NULL;
}

tide_wall_ms meters_free_at(struct meters *m,
                            const struct lab_limit *l,
                            const struct meter_subject *who,
                            tide_wall_ms now)
{
    struct counter *c = counter_of(m, l, who);
    if (c && window_is_fixed(&l->window)) {
        const struct counted_window *w = window_of(m, c, now);
        return w ? w->span.end : now;
    }
    return c && used_at(m, c, now) > 0 ? c->times[0] + l->window.span_ms : now;
}

int64_t meters_used(struct meters *m,
                    const struct lab_limit *l,
                    const struct meter_subject *who,
                    tide_wall_ms now)
{
    struct counter *c = counter_of(m, l, who);
    return c ? used_at(m, c, now) : 0;
}

static void write_counter(const struct counter *c, struct json_writer *w)
{
    jw_object(w, NULL);
    jw_str(w, "limit", c->limit->name);
    jw_str(w, "scope", lab_scope_name(c->limit->scope));
    jw_str(w, "subject", c->subject);
    jw_int(w, "count", full_of(c->limit));
    jw_int(w, "most", c->most);
    jw_int(w, "refused", c->refused);
    jw_array(w, "windows");
    for (size_t i = 0; i < c->window_count; i++) {
        const struct counted_window *v = &c->windows[i];
        jw_object(w, NULL);
        jw_time(w, "start", v->span.start);
        jw_time(w, "end", v->span.end);
        jw_int(w, "used", v->used);
        jw_int(w, "refused", v->refused);
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

void meters_write(const struct meters *m, struct json_writer *w, const char *name)
{
    uint32_t pos = 0;
    jw_array(w, name);
    for (const struct counter *c; (c = strmap_next(&m->counters, &pos, NULL));)
        write_counter(c, w);
    jw_end(w);
}
