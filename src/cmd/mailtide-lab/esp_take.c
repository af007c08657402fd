/* What the APIs have in common: composing and handing in, answering, telling. */
#include "base/base64.h"
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"
#include "core/proto/compose.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* -- Taking ------------------------------------------------------------------------------------
 */

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct text lab_new_id(struct lab_ask *a)
{
    uint64_t n = (uint64_t)++a->esp->last_name, seed = (uint64_t)(uintptr_t)a->esp->def->name[0];
    char *id =
        arena_printf(&a->arena, "%016" PRIx64 "%016" PRIx64, mixed(n + (seed << 32)), mixed(~n));
    return id ? text_of(id) : TEXT("");
}

struct text lab_new_uuid(struct lab_ask *a)
{
    const char *id = lab_new_id(a).p;
    char *uuid = id && *id ? arena_printf(&a->arena, "%.8s-%.4s-4%.3s-a%.3s-%.12s", id, id + 8,
                                          id + 13, id + 17, id + 20)
                           : NULL;
    return uuid ? text_of(uuid) : TEXT("");
}

static enum tide_err make_message(struct lab_ask *a,
                                  const struct lab_mail *m,
                                  struct buf *ret,
                                  struct tide_error *err)
{
    char id[100];
    snprintf(id, sizeof id, "%" PRId64 ".lab@%s", a->esp->last_id + 1, a->esp->def->hostname);
    if (m->raw.n > 0)
        return message_normalise(m->raw, ret, err);
    return compose(
        &m->draft,
        &(struct compose_given){.date = clock_wall(a->esp->parts.clock), .message_id = text_of(id)},
        ret, err);
}

/* True: it has room, and is charged. */
static bool ask_limits(struct lab_ask *a, struct meter_subject who, const char **ret_words)
{
    struct esp *e = a->esp;
    tide_wall_ms now = clock_wall(e->parts.clock);
    const struct lab_limit *limit = meters_ask(&e->meters, LAB_MAIL, &who, now);
    if (!limit)
        limit = meters_ask(&e->meters, LAB_RCPT, &who, now);
    if (!limit)
        limit = meters_ask(&e->meters, LAB_DATA, &who, now);
    if (!limit)
        limit = meters_take(&e->meters, &who, now);
    if (!limit)
        return true;
    *ret_words = limit->reply.text;
    a->reset_at = meters_free_at(&e->meters, limit, &who, now);
    return false;
}

enum lab_taken lab_take(struct lab_ask *a, const struct lab_mail *m, const char **ret_words)
{
    const struct api_addresses *lists[] = {&m->draft.to, &m->draft.cc, &m->draft.bcc};
    struct buf message = {0};
    struct tide_error err = {0};
    enum lab_taken taken = LAB_TAKEN;
    struct esp_given g = {.sender = m->sender.n > 0 ? m->sender : m->draft.from.address,
                          .api_id = m->api_id,
                          .stream = m->stream,
                          .custom = m->custom,
                          .custom_count = m->custom_count};
    if (make_message(a, m, &message, &err) != TIDE_OK) {
        *ret_words = "The message cannot be made of these fields";
        buf_fini(&message);
        return LAB_UNFIT;
    }
    g.message = buf_text(&message);
    for (size_t i = 0; i < TIDE_COUNT(lists); i++)
        for (size_t k = 0; k < lists[i]->count && taken == LAB_TAKEN; k++) {
            int64_t id;
            g.recipient = lists[i]->list[k].address;
            const struct meter_subject who = {
                .ip = meter_ip(text_of(a->req->peer)), .sender = g.sender, .mailbox = g.recipient};
            if (!ask_limits(a, who, ret_words))
                taken = LAB_OVER_LIMIT;
            else if (esp_submit(a->esp, &g, &id, &err) != TIDE_OK)
                a->body.failed = TIDE_ENOMEM;
        }
    buf_fini(&message);
    return taken;
}

bool lab_take_or_refuse(struct lab_ask *a, const struct lab_mail *m)
{
    const char *words = "";
    enum lab_taken taken = lab_take(a, m, &words);
    if (taken != LAB_TAKEN)
        a->esp->api->refuse(a, taken == LAB_UNFIT ? LAB_BAD_MAIL : LAB_LIMITED, words);
    return taken == LAB_TAKEN;
}

bool lab_quota(struct esp *e, int64_t *ret_count, int64_t *ret_used, tide_wall_ms *ret_reset)
{
    const struct meter_subject nobody = {0};
    tide_wall_ms now = clock_wall(e->parts.clock);
    for (size_t i = 0; i < e->def->limit_count; i++) {
        const struct lab_limit *l = &e->def->limits[i];
        if (l->scope != LAB_ALL)
            continue;
        *ret_count = l->count;
        *ret_used = meters_used(&e->meters, l, &nobody, now);
        *ret_reset = meters_free_at(&e->meters, l, &nobody, now);
        return true;
    }
    return false;
}

bool lab_too_soon(struct lab_ask *a)
{
    struct esp *e = a->esp;
    tide_wall_ms now = clock_wall(e->parts.clock), last = e->called_at;
    if (last > 0 && now - last < e->def->api_every_ms) {
        a->reset_at = last + e->def->api_every_ms;
        return true;
    }
    e->called_at = now;
    return false;
}

const struct esp_known *lab_known(const struct esp *e, struct text key)
{
    return key.n > 0 ? strmap_get(&e->keys, key) : NULL;
}

void lab_know(struct esp *e, struct text key, struct text body, struct text answer)
{
    struct esp_known *k = key.n > 0 ? ARENA_NEW(&e->memory, struct esp_known) : NULL;
    if (!k)
        return;
    *k = (struct esp_known){.body = arena_text(&e->memory, body),
                            .answer = arena_text(&e->memory, answer)};
    (void)strmap_put(&e->keys, key, k);
}

/* -- Answering ---------------------------------------------------------------------------------
 */

void lab_header(struct lab_ask *a, const char *name, const char *fmt, ...)
{
    va_list args;
    char text[400];
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *copy = arena_strdup(&a->arena, text);
    if (copy && a->header_count < LAB_HEADERS_MAX)
        a->headers[a->header_count++] = (struct http_header){name, copy};
}

void lab_words(struct lab_ask *a, unsigned status, const char *type, const char *text)
{
    a->status = status;
    a->type = type;
    buf_adds(&a->body, text);
}

int64_t lab_seconds_to_reset(const struct lab_ask *a)
{
    int64_t wait = (a->reset_at - clock_wall(a->esp->parts.clock) + 999) / 1000;
    return wait > 1 ? wait : 1;
}

/* -- Telling -----------------------------------------------------------------------------------
 */

int64_t lab_signed_at_s(void)
{
    struct clock real;
    clock_init_real(&real);
    return clock_wall(&real) / 1000;
}

void lab_post_header(struct lab_post *p, const char *name, const char *fmt, ...)
{
    char text[2000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_addf(&p->head, "%s: %s\r\n", name, text);
}

void lab_post_basic(struct esp *e, struct lab_post *p)
{
    struct buf b = {0};
    base64_encode(text_of(e->def->webhook_key), &b);
    lab_post_header(p, "Authorization", "Basic %s", buf_str(&b));
    buf_fini(&b);
}

void lab_write_pairs(struct json_writer *w, const struct esp_about *m)
{
    for (size_t i = 0; i < m->custom_count; i++) {
        char name[200];
        snprintf(name, sizeof name, TEXT_FMT, TEXT_ARG(m->custom[i].name));
        jw_text(w, name, m->custom[i].value);
    }
}

static bool read_reply(const struct esp_event *v, struct reply *ret)
{
    char line[REPLY_TEXT_BYTES_MAX];
    snprintf(line, sizeof line, TEXT_FMT, TEXT_ARG(v->reason));
    return world_reply(line, ret, NULL) == TIDE_OK;
}

int lab_code_of(const struct esp_event *v)
{
    struct reply r;
    return read_reply(v, &r) ? r.code : 0;
}

const char *lab_status_of(const struct esp_event *v, char out[16])
{
    struct reply r;
    out[0] = '\0';
    if (read_reply(v, &r) && r.enhanced[0] > 0)
        snprintf(out, 16, "%d.%d.%d", r.enhanced[0] % 10, abs(r.enhanced[1]) % 1000,
                 abs(r.enhanced[2]) % 1000);
    return out;
}

bool lab_is_block(const struct esp_event *v)
{
    struct reply r;
    return v->cause == ESP_EXPIRED || (read_reply(v, &r) && r.enhanced[1] == 7);
}

bool lab_is_unknown_user(const struct esp_event *v)
{
    struct reply r;
    return v->cause == ESP_NO_DOMAIN || (read_reply(v, &r) && r.enhanced[1] == 1);
}

const struct esp_about *lab_find(const struct esp *e,
                                 struct text name,
                                 struct text value,
                                 size_t *pos)
{
    while (*pos < e->event_count) {
        const struct esp_event *v = &e->events[(*pos)++];
        for (size_t i = 0; v->kind == ESP_PROCESSED && i < v->mail->custom_count; i++)
            if (text_eq(v->mail->custom[i].name, name) && text_eq(v->mail->custom[i].value, value))
                return v->mail;
    }
    return NULL;
}
