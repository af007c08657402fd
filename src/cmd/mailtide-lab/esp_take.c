/* What the APIs have in common: reading a request, composing and handing in, answering, telling. */
#include "base/base64.h"
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"
#include "core/proto/compose.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* -- Asking ------------------------------------------------------------------------------------
 */

static struct text segment(struct text *rest)
{
    struct text s = text_cut(*rest, 0, text_find(*rest, '/'));
    *rest = text_cut(*rest, s.n, SIZE_MAX);
    return s;
}

bool lab_is(struct lab_ask *a, const char *method, const char *pattern)
{
    struct text want = text_of(pattern), got = a->req->path;
    size_t wilds = 0;
    if (!text_eq(a->req->method, text_of(method)))
        return false;
    while (want.n > 0 && got.n > 0 && want.p[0] == '/' && got.p[0] == '/') {
        want = text_cut(want, 1, SIZE_MAX);
        got = text_cut(got, 1, SIZE_MAX);
        struct text w = segment(&want), g = segment(&got);
        if (text_eq(w, TEXT("*")) && g.n > 0 && wilds < TIDE_COUNT(a->wild))
            a->wild[wilds++] = g;
        else if (!text_eq(w, g))
            return false;
    }
    return want.n == 0 && got.n == 0;
}

struct text lab_string(const struct json *object, const char *name)
{
    struct text t = json_string_text(json_member(object, name));
    return t.p ? t : TEXT("");
}

bool lab_has_bearer(const struct lab_ask *a, const char *scheme)
{
    struct text given = http_header(a->req, "Authorization"), prefix = text_of(scheme);
    return text_istarts(given, prefix) &&
           text_eq(text_cut(given, prefix.n, SIZE_MAX), text_of(a->esp->def->password));
}

bool lab_has_basic(const struct lab_ask *a, const char *user)
{
    struct text given = http_header(a->req, "Authorization");
    struct buf pair = {0};
    bool ok = text_istarts(given, TEXT("Basic ")) &&
              base64_decode(text_cut(given, 6, SIZE_MAX), &pair, NULL) == TIDE_OK;
    struct text t = buf_text(&pair);
    size_t colon = text_find(t, ':');
    ok = ok && (!user || text_eq(text_cut(t, 0, colon), text_of(user))) &&
         text_eq(text_cut(t, colon + 1, SIZE_MAX), text_of(a->esp->def->password));
    buf_fini(&pair);
    return ok;
}

int64_t lab_query_int(const struct lab_ask *a, const char *name, int64_t preset)
{
    int64_t n = preset;
    return text_int(http_query(a->req, name), 0, INT64_MAX, &n, NULL) == TIDE_OK ? n : preset;
}

bool lab_is_address(struct text t)
{
    size_t at = text_find(t, '@');
    return at > 0 && at + 1 < t.n && text_find(t, ' ') == t.n && text_find(t, '\n') == t.n &&
           text_find(text_cut(t, at + 1, SIZE_MAX), '.') + at + 1 < t.n;
}

bool lab_add_mailbox(struct lab_ask *a, struct api_addresses *to, struct mailbox m)
{
    if (!lab_is_address(m.address) || to->count == LAB_RECIPIENTS_MAX)
        return false;
    if (!to->list)
        to->list = arena_array(&a->arena, LAB_RECIPIENTS_MAX, sizeof *to->list);
    if (!to->list)
        return false;
    to->list[to->count++] = m;
    return true;
}

bool lab_read_mailboxes(struct lab_ask *a, struct text list, struct api_addresses *ret)
{
    struct message message;
    struct mailbox *found;
    size_t n;
    char *head = arena_printf(&a->arena, "To: " TEXT_FMT "\r\n\r\n", TEXT_ARG(list));
    if (text_trim(list).n == 0)
        return true;
    if (!head || text_find(list, '\n') < list.n ||
        message_open(text_of(head), &message, NULL) != TIDE_OK ||
        message_mailboxes(&message, TEXT("To"), &a->arena, &found, &n, NULL) != TIDE_OK || n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!lab_add_mailbox(a, ret, found[i]))
            return false;
    return true;
}

bool lab_decode(struct lab_ask *a, struct text base64, struct text *ret)
{
    struct buf b = {0};
    bool ok = base64_decode(base64, &b, NULL) == TIDE_OK;
    *ret = arena_text(&a->arena, buf_text(&b));
    ok = ok && (ret->p || b.len == 0);
    buf_fini(&b);
    return ok;
}

void lab_add_pair(
    struct lab_ask *a, struct esp_pair *pairs, size_t *count, struct text name, struct text value)
{
    (void)a;
    if (*count < LAB_PAIRS_MAX)
        pairs[(*count)++] = (struct esp_pair){name, value};
}

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
    struct buf value = {0};
    char text[400];
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_fini(&value);
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
