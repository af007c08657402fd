#include "core/verify/sender_rules.h"

#include "base/macros.h"
#include "core/config/doc.h"

#include <stdio.h>

#define ENTRIES_MAX 200

static const char *const topic_words[] = {
    [SENDER_AUTHENTICATION] = "authentication",
    [SENDER_SPF] = "spf",
    [SENDER_SPF_OPEN] = "spf-open",
    [SENDER_DKIM] = "dkim",
    [SENDER_DMARC] = "dmarc",
    [SENDER_ALIGNMENT] = "alignment",
    [SENDER_PTR] = "ptr",
    [SENDER_UNSUBSCRIBE] = "unsubscribe",
    [SENDER_BLOCK_LISTS] = "block-lists",
    [SENDER_RESOLVES] = "resolves",
    NULL,
};

#define ROW(k, t, s, m, h)                                                     \
    {                                                                          \
        .path = (k), .type = KEY_##t, .at = offsetof(struct s, m), .help = (h) \
    }

static const struct key keys[] = {
    ROW("zone.title", STRING, dnsbl_zone, title, "What people call it."),
    ROW("zone.zone", STRING, dnsbl_zone, zone, "The zone that is asked."),
    ROW("zone.addresses", BOOL, dnsbl_zone, addresses, "It lists IP addresses."),
    ROW("zone.domains", BOOL, dnsbl_zone, domains, "It lists domains."),
    ROW("zone.information", BOOL, dnsbl_zone, information, "A listing is no fault of the sender."),
    ROW("zone.bits", BOOL, dnsbl_zone, bits, "Codes are bits of the last octet."),
    {.path = "zone.codes",
     .type = KEY_LIST,
     .min = 1,
     .max = ENTRIES_MAX,
     .at = offsetof(struct dnsbl_zone, codes),
     .count_at = offsetof(struct dnsbl_zone, code_count),
     .help = "Codes and their meaning."},
    ROW("zone.test", STRING, dnsbl_zone, test, "A domain that is always listed."),
    ROW("zone.clear", STRING, dnsbl_zone, clear, "A domain that never is."),
    ROW("zone.delist", STRING, dnsbl_zone, delist, "The page to ask for removal."),
    ROW("zone.reference", STRING, dnsbl_zone, reference, "Where this is from."),
    ROW("zone.date", STRING, dnsbl_zone, date, "When it was found there."),
    ROW("demand.provider", STRING, sender_demand, provider, "The provider's profile."),
    ROW("demand.title", STRING, sender_demand, title, "What people call the provider."),
    {.path = "demand.topic",
     .type = KEY_WORD,
     .words = topic_words,
     .at = offsetof(struct sender_demand, topic),
     .help = "What it is about."},
    ROW("demand.bulk", BOOL, sender_demand, bulk, "Of bulk senders only."),
    {.path = "demand.zones",
     .type = KEY_LIST,
     .max = ENTRIES_MAX,
     .at = offsetof(struct sender_demand, zones),
     .count_at = offsetof(struct sender_demand, zone_count),
     .help = "Zones of the block lists that it is about."},
    ROW("demand.rule", STRING, sender_demand, rule, "What is demanded."),
    ROW("demand.consequence", STRING, sender_demand, consequence, "What happens else."),
    ROW("demand.reference", STRING, sender_demand, reference, "Where this is from."),
    ROW("demand.date", STRING, sender_demand, date, "When it was found there."),
};

static enum tide_err no_memory(struct tide_error *err)
{
    return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
}

/* The entry of that name, or the place for a new one. NULL: there are too many. */
static struct dnsbl_zone *zone_of(struct sender_rules *r, const char *name)
{
    for (size_t i = 0; i < r->zone_count; i++)
        if (strcmp(r->zones[i].name, name) == 0)
            return &r->zones[i];
    return r->zone_count < ENTRIES_MAX ? &r->zones[r->zone_count++] : NULL;
}

static struct sender_demand *demand_of(struct sender_rules *r, const char *name)
{
    for (size_t i = 0; i < r->demand_count; i++)
        if (strcmp(r->demands[i].name, name) == 0)
            return &r->demands[i];
    return r->demand_count < ENTRIES_MAX ? &r->demands[r->demand_count++] : NULL;
}

static enum tide_err read_zone(const struct doc *d,
                               const config_setting_t *s,
                               const struct doc_values *v,
                               struct sender_rules *r,
                               struct tide_error *err)
{
    struct dnsbl_zone z = {.name = arena_strdup(v->arena, config_setting_name(s))};
    enum tide_err rc = doc_group(d, s, keys, TIDE_COUNT(keys), "zone", v, &z, err);
    if (rc != TIDE_OK)
        return rc;
    if (!z.title || !z.zone || !z.delist || !z.reference || !z.code_count ||
        !doc_date_ok(text_of(z.date)))
        return doc_fail(d, s, err, TIDE_EINVAL,
                        "want all of title, zone, codes, delist, reference and date");
    if (!z.addresses && !z.domains)
        return doc_fail(d, s, err, TIDE_EINVAL, "want addresses or domains to be true");
    struct dnsbl_zone *at = z.name ? zone_of(r, z.name) : NULL;
    if (!at)
        return doc_fail(d, s, err, TIDE_ELIMIT, "want at most %d block lists", ENTRIES_MAX);
    *at = z;
    return TIDE_OK;
}

static enum tide_err read_demand(const struct doc *d,
                                 const config_setting_t *s,
                                 const struct doc_values *v,
                                 struct sender_rules *r,
                                 struct tide_error *err)
{
    struct sender_demand m = {.name = arena_strdup(v->arena, config_setting_name(s))};
    enum tide_err rc = doc_group(d, s, keys, TIDE_COUNT(keys), "demand", v, &m, err);
    if (rc != TIDE_OK)
        return rc;
    if (!m.provider || !m.title || !m.rule || !m.consequence || !m.reference ||
        !config_setting_get_member(s, "topic") || !doc_date_ok(text_of(m.date)))
        return doc_fail(d, s, err, TIDE_EINVAL,
                        "want all of provider, title, topic, rule, consequence, reference, date");
    struct sender_demand *at = m.name ? demand_of(r, m.name) : NULL;
    if (!at)
        return doc_fail(d, s, err, TIDE_ELIMIT, "want at most %d demands", ENTRIES_MAX);
    *at = m;
    return TIDE_OK;
}

static enum tide_err read_doc(const struct doc *d, struct sender_rules *r, struct tide_error *err)
{
    const config_setting_t *root = config_root_setting(&d->tree);
    const struct doc_values v = {.arena = &r->memory};
    enum tide_err rc = TIDE_OK;
    for (unsigned g = 0; g < (unsigned)config_setting_length(root) && rc == TIDE_OK; g++) {
        const config_setting_t *named = NULL, *s = config_setting_get_elem(root, g);
        const char *group = config_setting_name(s);
        bool zones = strcmp(group, "zones") == 0;
        if (!zones && strcmp(group, "demands") != 0)
            return doc_fail(d, s, err, TIDE_EINVAL, "want zones or demands");
        rc = doc_named(d, root, group, &named, err);
        for (unsigned i = 0; rc == TIDE_OK && i < (unsigned)config_setting_length(named); i++)
            rc =
                (zones ? read_zone : read_demand)(d, config_setting_get_elem(named, i), &v, r, err);
    }
    return rc;
}

enum tide_err sender_rules_add(struct sender_rules *r,
                               const char *file,
                               struct text content,
                               struct tide_error *err)
{
    struct doc d;
    if (!r->zones)
        r->zones = arena_array(&r->memory, ENTRIES_MAX, sizeof *r->zones);
    if (!r->demands)
        r->demands = arena_array(&r->memory, ENTRIES_MAX, sizeof *r->demands);
    if (!r->zones || !r->demands)
        return no_memory(err);
    enum tide_err rc = doc_parse(file, content, &d, err);
    if (rc != TIDE_OK)
        return rc;
    rc = read_doc(&d, r, err);
    doc_fini(&d);
    return rc;
}

void sender_rules_fini(struct sender_rules *r)
{
    arena_fini(&r->memory);
    *r = (struct sender_rules){0};
}

enum tide_err sender_rules_load(const struct config *config,
                                const struct config_source *source,
                                struct sender_rules *ret,
                                struct tide_error *err)
{
    static const char *const names[] = {"dnsbl.conf", "demands.conf"};
    struct sender_rules r = {0};
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < config->schedule_count * TIDE_COUNT(names) && rc == TIDE_OK; i++) {
        struct buf content = {0};
        const char *dir = config->schedules[i / TIDE_COUNT(names)];
        char *path = arena_printf(&r.memory, "%s/%s", dir, names[i % TIDE_COUNT(names)]);
        rc = path ? source->read(source->arg, path, &content, err) : no_memory(err);
        if (rc == TIDE_OK)
            rc = sender_rules_add(&r, path, buf_text(&content), err);
        else if (rc == TIDE_ENOENT)
            rc = TIDE_OK;
        buf_fini(&content);
    }
    if (rc == TIDE_OK)
        *ret = r;
    else
        sender_rules_fini(&r);
    return rc;
}
