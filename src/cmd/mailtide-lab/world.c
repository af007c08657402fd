#include "cmd/mailtide-lab/world.h"

#include "base/file.h"
#include "base/macros.h"
#include "core/config/doc.h"
#include "core/config/limits.h"
#include "io/loop/zones.h"

#include <stdlib.h>

#define WORLD_ITEMS_MAX  1000 /* providers; ESPs; limits of each */
#define RECORDS_MAX      10000
#define MEMORY_BYTES_MAX (64u << 20)

static const char *const scope_words[] = {"mailbox", "sender", "sender-domain", "pair",
                                          "ip",      "helo",   "all",           NULL};
static const char *const stage_words[] = {"connect", "mail", "rcpt", "data", NULL};
static const char *const counts_words[] = {"attempts", "accepted", NULL};

static const char *const api_words[] = {"plain",  "sendgrid",  "ses",   "mailgun", "postmark",
                                        "resend", "sparkpost", "brevo", NULL};

const char *lab_scope_name(enum lab_scope s)
{
    return scope_words[s];
}

const char *lab_stage_name(enum lab_stage s)
{
    return stage_words[s];
}

/* -- Keys --------------------------------------------------------------------------------------
 */

struct limit_words {
    struct lab_limit l;
    char *window, *zone, *reply;
};

struct provider_words {
    struct lab_provider p;
    char *unknown, *full, *greylist, *down, *connections;
    char *down_from, *down_to;
};

#define ROW(p, t, u, d, lo, hi, w, s, m)                                                    \
    {                                                                                       \
        .path = (p), .type = KEY_##t, .unit = (u), .preset = (d), .min = (lo), .max = (hi), \
        .words = (w), .at = offsetof(s, m)                                                  \
    }
#define LIST(p, hi, s, m, n)                                                        \
    {                                                                               \
        .path = (p), .type = KEY_LIST, .min = 0, .max = (hi), .at = offsetof(s, m), \
        .count_at = offsetof(s, n)                                                  \
    }
#define NAMED(p)                       \
    {                                  \
        .path = (p), .type = KEY_NAMED \
    }
#define MS_DAY TIME_DAY_MS

/* clang-format off */
static const struct key world_keys[] = {
    ROW("dns.listen", STRING, NULL, "127.0.0.1:0", 0, 0, NULL, struct world, dns_listen),
    LIST("dns.records", RECORDS_MAX, struct world, records, record_count),
    ROW("dns.ttl", DURATION, NULL, "1h", 0, 7 * MS_DAY, NULL, struct world, dns_ttl_ms),
    ROW("control.listen", STRING, NULL, "127.0.0.1:0", 0, 0, NULL, struct world, control_listen),
    ROW("tls.folder", STRING, NULL, NULL, 0, 0, NULL, struct world, tls_folder),
    NAMED("providers"),
    NAMED("esps"),

#define P struct provider_words
    ROW("providers.*.title", STRING, NULL, NULL, 0, 0, NULL, P, p.title),
    ROW("providers.*.listen", STRING, NULL, "127.0.0.1:0", 0, 0, NULL, P, p.listen),
    ROW("providers.*.hostname", STRING, NULL, "mx.lab.example", 0, 0, NULL, P, p.hostname),
    LIST("providers.*.mx", WORLD_ITEMS_MAX, P, p.mx, p.mx_count),
    LIST("providers.*.mailboxes", RECORDS_MAX, P, p.mailboxes, p.mailbox_count),
    LIST("providers.*.full", RECORDS_MAX, P, p.full, p.full_count),
    LIST("providers.*.complainers", RECORDS_MAX, P, p.complainers, p.complainer_count),
    ROW("providers.*.unknown_reply", STRING, NULL, "550 5.1.1 No such user here", 0, 0, NULL, P,
        unknown),
    ROW("providers.*.full_reply", STRING, NULL, "452 4.2.2 The mailbox is over quota", 0, 0, NULL,
        P, full),
    ROW("providers.*.greylist", DURATION, NULL, "0s", 0, MS_DAY, NULL, P, p.greylist_ms),
    ROW("providers.*.greylist_reply", STRING, NULL, "451 4.7.1 Greylisted, try again later", 0, 0,
        NULL, P, greylist),
    ROW("providers.*.down_from", STRING, NULL, NULL, 0, 0, NULL, P, down_from),
    ROW("providers.*.down_to", STRING, NULL, NULL, 0, 0, NULL, P, down_to),
    ROW("providers.*.down_reply", STRING, NULL, "421 4.3.2 Service not available", 0, 0, NULL, P,
        down),
    ROW("providers.*.connections_max", INT, "connections", "100", 1, 10000, NULL, P,
        p.connections_max),
    ROW("providers.*.connections_reply", STRING, NULL, "421 4.7.0 Too many connections", 0, 0,
        NULL, P, connections),
    ROW("providers.*.messages_per_connection", INT, "messages", "0", 0, 1000000, NULL, P,
        p.messages_per_connection),
    NAMED("providers.*.limits"),
#undef P

#define E struct lab_esp
    ROW("esps.*.title", STRING, NULL, NULL, 0, 0, NULL, E, title),
    ROW("esps.*.smtp", STRING, NULL, "127.0.0.1:0", 0, 0, NULL, E, smtp_listen),
    ROW("esps.*.http", STRING, NULL, "127.0.0.1:0", 0, 0, NULL, E, http_listen),
    ROW("esps.*.hostname", STRING, NULL, "esp.lab.example", 0, 0, NULL, E, hostname),
    ROW("esps.*.api", STRING, NULL, "plain", 0, 0, api_words, E, api),
    ROW("esps.*.tls", BOOL, NULL, "false", 0, 0, NULL, E, tls),
    ROW("esps.*.user", STRING, NULL, "apikey", 0, 0, NULL, E, user),
    ROW("esps.*.password", STRING, NULL, "secret", 0, 0, NULL, E, password),
    ROW("esps.*.connections", INT, "connections", "2", 1, 100, NULL, E, connections),
    ROW("esps.*.retry_every", DURATION, NULL, "15min", TIME_SECOND_MS, MS_DAY, NULL, E,
        retry_every_ms),
    ROW("esps.*.retry_for", DURATION, NULL, "3d", 0, 30 * MS_DAY, NULL, E, retry_for_ms),
    ROW("esps.*.webhook", STRING, NULL, NULL, 0, 0, NULL, E, webhook),
    ROW("esps.*.webhook_key", STRING, NULL, "user:password", 0, 0, NULL, E, webhook_key),
    ROW("esps.*.webhook_topic", STRING, NULL, "arn:aws:sns:us-east-1:123456789012:lab", 0, 0, NULL,
        E, webhook_topic),
    ROW("esps.*.webhook_confirm", BOOL, NULL, "false", 0, 0, NULL, E, webhook_confirm),
    ROW("esps.*.api_every", DURATION, NULL, "0s", 0, MS_DAY, NULL, E, api_every_ms),
    ROW("esps.*.webhook_delay", DURATION, NULL, "0s", 0, MS_DAY, NULL, E, webhook_delay_ms),
    ROW("esps.*.webhook_reversed", BOOL, NULL, "false", 0, 0, NULL, E, webhook_reversed),
    ROW("esps.*.webhook_twice", BOOL, NULL, "false", 0, 0, NULL, E, webhook_twice),
    ROW("esps.*.webhook_lose", INT, "events", "0", 0, 1000000, NULL, E, webhook_lose),
    LIST("esps.*.faults", 100, E, faults, fault_count),
    NAMED("esps.*.limits"),
#undef E

#define L struct limit_words
    ROW("limits.*.scope", WORD, NULL, "mailbox", 0, 0, scope_words, L, l.scope),
    ROW("limits.*.stage", WORD, NULL, "rcpt", 0, 0, stage_words, L, l.stage),
    ROW("limits.*.counts", WORD, NULL, "accepted", 0, 0, counts_words, L, l.counts),
    ROW("limits.*.count", COUNT, NULL, "1", 0, 1000000000, NULL, L, l.count),
    ROW("limits.*.window", STRING, NULL, "day", 0, 0, NULL, L, window),
    ROW("limits.*.zone", STRING, NULL, NULL, 0, 0, NULL, L, zone),
    ROW("limits.*.offset", DURATION, NULL, "0s", 0, MS_DAY, NULL, L, l.window.offset_ms),
    ROW("limits.*.reply", STRING, NULL, "452 4.7.0 Too many mails, try again later", 0, 0, NULL,
        L, reply),
#undef L
};
/* clang-format on */

/* -- Reading -----------------------------------------------------------------------------------
 */

struct reading {
    struct doc doc;
    struct doc_values values;
    struct world *world;
};

static enum tide_err read_group(struct reading *r,
                                const config_setting_t *s,
                                const char *prefix,
                                void *base,
                                struct tide_error *err)
{
    enum tide_err rc =
        doc_presets(world_keys, TIDE_COUNT(world_keys), prefix, &r->values, base, err);
    if (rc == TIDE_OK)
        rc = doc_group(&r->doc, s, world_keys, TIDE_COUNT(world_keys), prefix, &r->values, base,
                       err);
    return rc;
}

enum tide_err world_reply(const char *s, struct reply *ret, struct tide_error *err)
{
    char line[REPLY_TEXT_BYTES_MAX];
    int n = snprintf(line, sizeof line, "%s\r\n", s);
    if (n < 0 || (size_t)n >= sizeof line)
        return tide_fail(err, TIDE_ELIMIT, "a reply of more than %d bytes", REPLY_TEXT_BYTES_MAX);
    enum tide_err rc = reply_parse(text_of(line), ret, err);
    if (rc == TIDE_OK && (ret->code < 400 || ret->code > 599))
        rc = tide_fail(err, TIDE_ERANGE, "want a reply of 400..599, got \"%.60s\"", s);
    return rc;
}

static enum tide_err read_reply(struct reading *r,
                                const config_setting_t *s,
                                const char *words,
                                struct reply *ret,
                                struct tide_error *err)
{
    struct tide_error inner = {0};
    enum tide_err rc = world_reply(words, ret, &inner);
    return rc == TIDE_OK ? rc : doc_fail(&r->doc, s, err, rc, "%s", inner.text);
}

/* Before RCPT nobody knows the mailbox, before MAIL nobody the sender. */
static enum tide_err check_stage(struct reading *r,
                                 const config_setting_t *s,
                                 const struct lab_limit *l,
                                 struct tide_error *err)
{
    static const enum lab_stage earliest[] = {
        [LAB_MAILBOX] = LAB_RCPT, [LAB_SENDER] = LAB_MAIL, [LAB_SENDER_DOMAIN] = LAB_MAIL,
        [LAB_PAIR] = LAB_RCPT,    [LAB_IP] = LAB_CONNECT,  [LAB_HELO] = LAB_MAIL,
        [LAB_ALL] = LAB_CONNECT,
    };
    if (l->stage < earliest[l->scope])
        return doc_fail(&r->doc, s, err, TIDE_EINVAL,
                        "stage: a limit by %s is known at \"%s\" at the earliest",
                        scope_words[l->scope], stage_words[earliest[l->scope]]);
    if (l->window.kind == WINDOW_RATE)
        return doc_fail(&r->doc, s, err, TIDE_EINVAL,
                        "window: want a calendar, clock, rolling or cooldown window");
    return TIDE_OK;
}

static enum tide_err read_limit(struct reading *r,
                                const config_setting_t *s,
                                struct lab_limit *ret,
                                struct tide_error *err)
{
    struct limit_words words = {.l.name = arena_strdup(&r->world->memory, config_setting_name(s))};
    struct tide_error inner = {0};
    enum tide_err rc = read_group(r, s, "limits.*", &words, err);
    if (rc != TIDE_OK)
        return rc;
    struct lab_limit *l = &words.l;
    int64_t offset_ms = l->window.offset_ms;
    rc = limits_window(text_of(words.window), &l->window, &inner);
    if (rc != TIDE_OK)
        return doc_fail(&r->doc, s, err, rc, "window: %s", inner.text);
    l->window.offset_ms = offset_ms;
    rc = check_stage(r, s, l, err);
    if (rc == TIDE_OK)
        rc = read_reply(r, s, words.reply, &l->reply, err);
    if (rc == TIDE_OK && words.zone) {
        rc = zones_load(NULL, words.zone, &l->zone, &inner);
        if (rc != TIDE_OK)
            return doc_fail(&r->doc, s, err, rc, "zone: %s", inner.text);
        l->window.zone = words.zone;
    }
    *ret = *l;
    return rc;
}

static enum tide_err read_limits(struct reading *r,
                                 const config_setting_t *parent,
                                 struct lab_limit **ret,
                                 size_t *ret_count,
                                 struct tide_error *err)
{
    const config_setting_t *group = NULL;
    enum tide_err rc = doc_named(&r->doc, parent, "limits", &group, err);
    if (rc != TIDE_OK || !group)
        return rc;
    size_t n = (size_t)config_setting_length(group);
    *ret = arena_array(&r->world->memory, n + 1, sizeof **ret);
    if (!*ret)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    for (unsigned i = 0; i < n && rc == TIDE_OK; i++) {
        rc = read_limit(r, config_setting_get_elem(group, i), &(*ret)[i], err);
        *ret_count += rc == TIDE_OK;
    }
    return rc;
}

static enum tide_err read_time(struct reading *r,
                               const config_setting_t *s,
                               const char *words,
                               tide_wall_ms *ret,
                               struct tide_error *err)
{
    struct tide_error inner = {0};
    enum tide_err rc = words ? time_parse_rfc3339(text_of(words), ret, &inner) : TIDE_OK;
    return rc == TIDE_OK ? rc : doc_fail(&r->doc, s, err, rc, "%s", inner.text);
}

static enum tide_err read_provider(struct reading *r,
                                   const config_setting_t *s,
                                   struct lab_provider *ret,
                                   struct tide_error *err)
{
    struct provider_words words = {0};
    struct lab_provider *p = &words.p;
    enum tide_err rc = read_group(r, s, "providers.*", &words, err);
    p->name = arena_strdup(&r->world->memory, config_setting_name(s));
    if (rc == TIDE_OK)
        rc = read_reply(r, s, words.unknown, &p->unknown_reply, err);
    if (rc == TIDE_OK)
        rc = read_reply(r, s, words.full, &p->full_reply, err);
    if (rc == TIDE_OK)
        rc = read_reply(r, s, words.greylist, &p->greylist_reply, err);
    if (rc == TIDE_OK)
        rc = read_reply(r, s, words.down, &p->down_reply, err);
    if (rc == TIDE_OK)
        rc = read_reply(r, s, words.connections, &p->connections_reply, err);
    if (rc == TIDE_OK)
        rc = read_time(r, s, words.down_from, &p->down_from, err);
    if (rc == TIDE_OK)
        rc = read_time(r, s, words.down_to, &p->down_to, err);
    if (rc == TIDE_OK && !words.down_from != !words.down_to)
        rc = doc_fail(&r->doc, s, err, TIDE_EINVAL, "want both of down_from and down_to, or none");
    *ret = *p; /* world_free() frees the zones of those limits that were read */
    return rc == TIDE_OK ? read_limits(r, s, &ret->limits, &ret->limit_count, err) : rc;
}

static enum tide_err read_esp(struct reading *r,
                              const config_setting_t *s,
                              struct lab_esp *ret,
                              struct tide_error *err)
{
    enum tide_err rc = read_group(r, s, "esps.*", ret, err);
    ret->name = arena_strdup(&r->world->memory, config_setting_name(s));
    return rc == TIDE_OK ? read_limits(r, s, &ret->limits, &ret->limit_count, err) : rc;
}

static enum tide_err read_world(struct reading *r, struct tide_error *err)
{
    struct world *w = r->world;
    const config_setting_t *root = config_root_setting(&r->doc.tree), *providers = NULL,
                           *esps = NULL;
    enum tide_err rc = read_group(r, root, "", w, err);
    if (rc == TIDE_OK)
        rc = doc_named(&r->doc, root, "providers", &providers, err);
    if (rc == TIDE_OK)
        rc = doc_named(&r->doc, root, "esps", &esps, err);
    if (rc != TIDE_OK)
        return rc;
    size_t n = providers ? (size_t)config_setting_length(providers) : 0;
    size_t m = esps ? (size_t)config_setting_length(esps) : 0;
    w->providers = arena_array(&w->memory, n + 1, sizeof *w->providers);
    w->esps = arena_array(&w->memory, m + 1, sizeof *w->esps);
    if (!w->providers || !w->esps)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    for (unsigned i = 0; i < n && rc == TIDE_OK; i++, w->provider_count++)
        rc = read_provider(r, config_setting_get_elem(providers, i), &w->providers[i], err);
    for (unsigned i = 0; i < m && rc == TIDE_OK; i++, w->esp_count++)
        rc = read_esp(r, config_setting_get_elem(esps, i), &w->esps[i], err);
    return rc;
}

enum tide_err world_parse(const char *file,
                          struct text content,
                          struct world **ret,
                          struct tide_error *err)
{
    struct reading r = {.world = calloc(1, sizeof(struct world))};
    if (!r.world)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    arena_init(&r.world->memory, MEMORY_BYTES_MAX);
    r.values.arena = &r.world->memory;
    enum tide_err rc = doc_parse(file, content, &r.doc, err);
    if (rc == TIDE_OK) {
        rc = read_world(&r, err);
        doc_fini(&r.doc);
    }
    if (rc == TIDE_OK)
        *ret = r.world;
    else
        world_free(r.world);
    return rc;
}

enum tide_err world_load(const char *path, struct world **ret, struct tide_error *err)
{
    struct buf content = {0};
    enum tide_err rc = file_read(path, DOC_BYTES_MAX, &content, err);
    if (rc == TIDE_OK)
        rc = world_parse(path, buf_text(&content), ret, err);
    buf_fini(&content);
    return rc;
}

static void free_zones(struct lab_limit *limits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        zone_free(limits[i].zone);
}

void world_free(struct world *w)
{
    if (!w)
        return;
    for (size_t i = 0; w->providers && i < w->provider_count; i++)
        free_zones(w->providers[i].limits, w->providers[i].limit_count);
    for (size_t i = 0; w->esps && i < w->esp_count; i++)
        free_zones(w->esps[i].limits, w->esps[i].limit_count);
    arena_fini(&w->memory);
    free(w);
}

int world_provider_of(const struct world *w, struct text host)
{
    for (size_t i = 0; i < w->provider_count; i++) {
        const struct lab_provider *p = &w->providers[i];
        for (size_t k = 0; k < p->mx_count; k++) {
            struct text mx = text_of(p->mx[k]);
            if (text_ieq(mx, host) || (mx.n > 0 && mx.p[0] == '.' && text_iends(host, mx)))
                return (int)i;
        }
    }
    return -1;
}
