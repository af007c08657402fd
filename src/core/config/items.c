#include "core/config/limits.h"
#include "core/config/load.h"
#include "core/record/hint.h"

#include "base/macros.h"

/* A form begins with the name of its item. */
_Static_assert(offsetof(struct stream_form, s.name) == 0, "name first");
_Static_assert(offsetof(struct account_form, a.name) == 0, "name first");
_Static_assert(offsetof(struct application_form, a.name) == 0, "name first");

static char **name_of(void *form)
{
    return form;
}

static enum tide_err fail_memory(struct tide_error *err)
{
    return tide_fail(err, TIDE_ENOMEM, "out of memory");
}

/* Files replace the built-in group as a whole; among themselves they add up. */
static size_t first_doc(const struct load *l, const char *group)
{
    for (size_t i = 1; i < l->doc_count; i++)
        if (config_setting_get_member(config_root_setting(&l->docs[i].tree), group))
            return 1;
    return 0;
}

struct item_kind {
    const char *group;  /* "streams" */
    const char *prefix; /* "streams.*" */
    size_t form_size;
};

static void *item_named(const struct load_items *items, const char *name)
{
    for (size_t i = 0; i < items->count; i++)
        if (strcmp(*name_of(items->items[i].form), name) == 0)
            return items->items[i].form;
    return NULL;
}

static enum tide_err new_item(struct load *l,
                              const struct item_kind *kind,
                              const struct doc *doc,
                              const config_setting_t *s,
                              struct load_items *ret,
                              struct tide_error *err)
{
    void *form = arena_alloc(l->values.arena, kind->form_size);
    if (!form)
        return fail_memory(err);
    *name_of(form) = arena_strdup(l->values.arena, config_setting_name(s));
    if (!*name_of(form))
        return fail_memory(err);
    ret->items[ret->count++] = (struct load_item){doc, s, form};
    return doc_presets(config_keys, config_key_count, kind->prefix, &l->values, form, err);
}

static enum tide_err read_item(struct load *l,
                               const struct item_kind *kind,
                               const struct doc *doc,
                               const config_setting_t *s,
                               struct load_items *ret,
                               struct tide_error *err)
{
    enum tide_err rc = TIDE_OK;
    if (!item_named(ret, config_setting_name(s)))
        rc = new_item(l, kind, doc, s, ret, err);
    if (rc != TIDE_OK)
        return rc;
    return doc_group(doc, s, config_keys, config_key_count, kind->prefix, &l->values,
                     item_named(ret, config_setting_name(s)), err);
}

static enum tide_err read_items(struct load *l,
                                const struct item_kind *kind,
                                struct load_items *ret,
                                struct tide_error *err)
{
    const config_setting_t *groups[LOAD_DOCS_MAX] = {0};
    size_t count = 0, first = first_doc(l, kind->group);
    for (size_t i = first; i < l->doc_count; i++) {
        const struct doc *doc = &l->docs[i];
        enum tide_err rc =
            doc_named(doc, config_root_setting(&doc->tree), kind->group, &groups[i], err);
        if (rc != TIDE_OK)
            return rc;
        count += groups[i] ? (size_t)config_setting_length(groups[i]) : 0;
    }
    if (count > LOAD_ITEMS_MAX)
        return tide_fail(err, TIDE_ELIMIT, "%s: want at most %d, got %zu", kind->group,
                         LOAD_ITEMS_MAX, count);
    ret->items = arena_array(l->values.arena, count + 1, sizeof *ret->items);
    if (!ret->items)
        return fail_memory(err);
    for (size_t i = first; i < l->doc_count; i++)
        for (unsigned k = 0; groups[i] && k < (unsigned)config_setting_length(groups[i]); k++) {
            enum tide_err rc =
                read_item(l, kind, &l->docs[i], config_setting_get_elem(groups[i], k), ret, err);
            if (rc != TIDE_OK)
                return rc;
        }
    return TIDE_OK;
}

/* -- Names that point to something --------------------------------------------------------------
 */

/* "there is no stream "notfy"; did you mean notify?" */
static enum tide_err fail_name(const struct load_item *item,
                               const char *key,
                               const char *what,
                               const char *name,
                               const char *const *known,
                               size_t known_count,
                               struct tide_error *err)
{
    char hint[80];
    const config_setting_t *s = config_setting_get_member(item->at, key);
    return doc_fail(item->doc, s ? s : item->at, err, TIDE_ENOENT, "there is no %s \"%.60s\"%s",
                    what, name,
                    doc_hint(text_nearest(text_of(name), known, known_count), hint, sizeof hint));
}

static const char *const *names_of(struct arena *arena, const struct load_items *items)
{
    const char **names = arena_array(arena, items->count + 1, sizeof *names);
    for (size_t i = 0; names && i < items->count; i++)
        names[i] = *name_of(items->items[i].form);
    return names;
}

static const char *const *profile_names(struct arena *arena, const struct profile *list, size_t n)
{
    const char **names = arena_array(arena, n + 1, sizeof *names);
    for (size_t i = 0; names && i < n; i++)
        names[i] = list[i].name;
    return names;
}

/* -- Accounts -----------------------------------------------------------------------------------
 */

static enum tide_err read_account_limits(struct load *l,
                                         struct config_account *a,
                                         struct tide_error *err)
{
    struct limits_context c = {
        .values = &l->values,
        .owner = a->profile ? a->profile->name : a->name,
        .base = a->profile ? a->profile->limits : NULL,
        .base_count = a->profile ? a->profile->limit_count : 0,
    };
    for (size_t i = first_doc(l, "accounts"); i < l->doc_count; i++) {
        c.doc = &l->docs[i];
        const config_setting_t *s = config_root_setting(&c.doc->tree), *limits = NULL;
        s = config_setting_get_member(s, "accounts");
        s = s ? config_setting_get_member(s, a->name) : NULL;
        if (!s)
            continue;
        enum tide_err rc = doc_named(c.doc, s, "limits", &limits, err);
        if (rc == TIDE_OK && limits)
            rc = limits_read(&c, limits, &a->limits, &a->limit_count, err);
        if (rc != TIDE_OK)
            return rc;
    }
    return TIDE_OK;
}

/* What the account does not say itself its profile says; false without memory. */
static bool find_api(struct arena *arena, struct config_account *a)
{
    static const struct text place = {"{region}", 8};
    if (!a->api && a->profile)
        a->api = a->profile->api;
    if (a->base_url || !a->profile || !a->profile->base_url)
        return true;
    struct text url = text_of(a->profile->base_url);
    size_t at = text_ifind(url, place);
    a->base_url = a->profile->base_url;
    if (at < url.n && a->region)
        a->base_url =
            arena_printf(arena, "%.*s%s%s", (int)at, url.p, a->region, url.p + at + place.n);
    return a->base_url != NULL;
}

/* "email-smtp.*.amazonaws.com" */
static bool is_host(struct text host, struct text pattern)
{
    size_t star = text_find(pattern, '*');
    struct text front = text_cut(pattern, 0, star), end = text_cut(pattern, star + 1, SIZE_MAX);
    if (star == pattern.n)
        return text_ieq(host, pattern);
    return host.n >= front.n + end.n && text_istarts(host, front) && text_iends(host, end);
}

/* Whose smarthost that is, by the profiles; NULL: nobody's who is known. */
static char *esp_of_host(const struct profiles *all, const char *host)
{
    for (size_t i = 0; host && i < all->account_count; i++) {
        const struct profile *p = &all->accounts[i];
        for (size_t k = 0; k < p->smtp_host_count; k++)
            if (p->api && is_host(text_of(host), text_of(p->smtp_hosts[k])))
                return p->api;
    }
    return NULL;
}

int account_batch_usual(const struct config_account *a)
{
    int most = a->profile && a->profile->batch_max > 0 ? a->profile->batch_max : 1;
    return a->type == ACCOUNT_HTTPS ? TIDE_MIN(most, BATCH_DEFAULT) : 1;
}

static enum tide_err finish_account(struct load *l,
                                    const struct load_item *item,
                                    struct tide_error *err)
{
    struct account_form *form = item->form;
    struct config_account *a = &form->a;
    const struct profiles *all = &l->config->profiles;
    if (form->profile) {
        a->profile = profiles_account(all, text_of(form->profile));
        const char *const *names =
            profile_names(l->values.arena, all->accounts, all->account_count);
        if (!names)
            return fail_memory(err);
        if (!a->profile)
            return fail_name(item, "profile", "profile", form->profile, names, all->account_count,
                             err);
    }
    if (a->connections == 0)
        a->connections =
            a->profile && a->profile->connections ? a->profile->connections : CONNECTIONS_DEFAULT;
    if (a->messages_per_connection == 0)
        a->messages_per_connection = a->profile && a->profile->messages_per_connection
                                         ? a->profile->messages_per_connection
                                         : MESSAGES_DEFAULT;
    if (a->batch_max == 0 || a->type != ACCOUNT_HTTPS)
        a->batch_max = account_batch_usual(a);
    if (a->type != ACCOUNT_OUTBOX)
        a->path = NULL;
    bool speaks = a->type == ACCOUNT_HTTPS || (a->type == ACCOUNT_SMTP && a->key.value);
    if (speaks && !find_api(l->values.arena, a))
        return fail_memory(err);
    if (!a->events)
        a->events = a->api ? a->api : a->profile ? a->profile->api : NULL;
    if (a->type == ACCOUNT_SMTP)
        a->esp = a->events ? a->events : esp_of_host(all, a->host);
    if (!a->user)
        a->auth = AUTH_NONE;
    return read_account_limits(l, a, err);
}

/* -- Applications -------------------------------------------------------------------------------
 */

static enum tide_err finish_stream(struct load *l,
                                   const struct load_item *item,
                                   struct tide_error *err)
{
    struct application_form *form = item->form;
    const struct config *c = l->config;
    form->a.stream = config_stream_index(c, form->stream ? text_of(form->stream) : TEXT("notify"));
    if (form->a.stream < 0 && !form->stream)
        form->a.stream = 0;
    if (form->a.stream >= 0)
        return TIDE_OK;
    const char *const *names = names_of(l->values.arena, &l->streams);
    return names ? fail_name(item, "stream", "stream", form->stream, names, l->streams.count, err)
                 : fail_memory(err);
}

static enum tide_err finish_accounts(struct load *l,
                                     const struct load_item *item,
                                     struct tide_error *err)
{
    struct application_form *form = item->form;
    const struct config *c = l->config;
    size_t count = form->accounts ? form->account_count : c->account_count;
    form->a.accounts = arena_array(l->values.arena, count + 1, sizeof *form->a.accounts);
    const char *const *names = names_of(l->values.arena, &l->accounts);
    if (!form->a.accounts || !names)
        return fail_memory(err);
    for (size_t i = 0; i < count; i++) {
        int at = (int)i;
        if (form->accounts)
            at = config_account_index(c, text_of(form->accounts[i]));
        if (at < 0)
            return fail_name(item, "accounts", "account", form->accounts[i], names,
                             l->accounts.count, err);
        form->a.accounts[i] = at;
    }
    form->a.account_count = count;
    return TIDE_OK;
}

/* -- The operator's own numbers for providers ---------------------------------------------------
 */

static enum tide_err read_provider(struct load *l,
                                   const struct doc *doc,
                                   const config_setting_t *s,
                                   struct tide_error *err)
{
    struct config *c = l->config;
    const struct profiles *all = &c->profiles;
    const char *name = config_setting_name(s);
    const struct profile *p = profiles_provider(all, text_of(name));
    if (!p) {
        char hint[80];
        const char *const *names =
            profile_names(l->values.arena, all->providers, all->provider_count);
        if (!names)
            return fail_memory(err);
        return doc_fail(
            doc, s, err, TIDE_ENOENT, "there is no provider profile of this name%s",
            doc_hint(text_nearest(text_of(name), names, all->provider_count), hint, sizeof hint));
    }
    const config_setting_t *limits = NULL;
    struct limits_context context = {.doc = doc,
                                     .values = &l->values,
                                     .owner = p->name,
                                     .base = p->limits,
                                     .base_count = p->limit_count};
    enum tide_err rc =
        doc_group(doc, s, config_keys, config_key_count, "providers.*", &l->values, c, err);
    if (rc == TIDE_OK)
        rc = doc_named(doc, s, "limits", &limits, err);
    if (rc == TIDE_OK && limits)
        rc = limits_read(&context, limits, &c->provider_limits, &c->provider_limit_count, err);
    return rc;
}

static enum tide_err read_providers(struct load *l, struct tide_error *err)
{
    for (size_t i = 0; i < l->doc_count; i++) {
        const struct doc *doc = &l->docs[i];
        const config_setting_t *group = NULL;
        enum tide_err rc =
            doc_named(doc, config_root_setting(&doc->tree), "providers", &group, err);
        for (unsigned k = 0; rc == TIDE_OK && group && k < (unsigned)config_setting_length(group);
             k++)
            rc = read_provider(l, doc, config_setting_get_elem(group, k), err);
        if (rc != TIDE_OK)
            return rc;
    }
    return TIDE_OK;
}

/* -- Streams ------------------------------------------------------------------------------------
 */

static enum tide_err read_risky(const struct load_item *item, struct tide_error *err)
{
    struct stream_form *form = item->form;
    for (size_t i = 0; i < form->s.risky_count; i++) {
        enum recipient_hint hint;
        if (!recipient_hint_of(text_of(form->s.risky[i]), &hint))
            return doc_fail(item->doc, config_setting_get_member(item->at, "risky"), err,
                            TIDE_EINVAL,
                            "want \"typo\", \"role\", \"disposable\" or \"free-mail\", got "
                            "\"%.60s\"",
                            form->s.risky[i]);
        form->s.risky_hints |= (unsigned)hint;
    }
    return TIDE_OK;
}

static enum tide_err finish_stream_item(const struct load_item *item, struct tide_error *err)
{
    struct stream_form *form = item->form;
    enum tide_err rc = read_risky(item, err);
    if (rc != TIDE_OK)
        return rc;
    if (form->s.urgent && form->s.bulk)
        return doc_fail(item->doc, item->at, err, TIDE_EINVAL,
                        "an urgent stream is never held for its sender; want bulk = false");
    if (!form->s.urgent || !form->s.digest)
        return TIDE_OK;
    if (config_setting_get_member(item->at, "digest"))
        return doc_fail(item->doc, item->at, err, TIDE_EINVAL,
                        "an urgent stream never waits for a digest; want digest = false");
    form->s.digest = false;
    return TIDE_OK;
}

/* -- All ----------------------------------------------------------------------------------------
 */

/* An array of the items' structs, each the first member of its form. */
static void *array_of(struct arena *arena, const struct load_items *items, size_t size)
{
    char *array = arena_array(arena, items->count + 1, size);
    for (size_t i = 0; array && i < items->count; i++)
        memcpy(array + i * size, items->items[i].form, size);
    return array;
}

static enum tide_err load_streams(struct load *l, struct tide_error *err)
{
    static const struct item_kind kind = {"streams", "streams.*", sizeof(struct stream_form)};
    struct config *c = l->config;
    enum tide_err rc = read_items(l, &kind, &l->streams, err);
    for (size_t i = 0; i < l->streams.count && rc == TIDE_OK; i++)
        rc = finish_stream_item(&l->streams.items[i], err);
    if (rc != TIDE_OK)
        return rc;
    c->streams = array_of(l->values.arena, &l->streams, sizeof *c->streams);
    c->stream_count = l->streams.count;
    return c->streams ? TIDE_OK : fail_memory(err);
}

static enum tide_err load_accounts(struct load *l, struct tide_error *err)
{
    static const struct item_kind kind = {"accounts", "accounts.*", sizeof(struct account_form)};
    struct config *c = l->config;
    enum tide_err rc = read_items(l, &kind, &l->accounts, err);
    for (size_t i = 0; i < l->accounts.count && rc == TIDE_OK; i++)
        rc = finish_account(l, &l->accounts.items[i], err);
    if (rc != TIDE_OK)
        return rc;
    c->accounts = array_of(l->values.arena, &l->accounts, sizeof *c->accounts);
    c->account_count = l->accounts.count;
    return c->accounts ? TIDE_OK : fail_memory(err);
}

static enum tide_err read_types(const struct load_item *item, struct tide_error *err)
{
    struct application_form *form = item->form;
    struct config_webhook *hook = &form->a.webhook;
    for (size_t i = 0; i < hook->type_count; i++)
        if (!event_set_add(&hook->kinds, text_of(hook->types[i])))
            return doc_fail(item->doc, item->at, err, TIDE_EINVAL,
                            "webhook.types: want types of events as \"notification.sent\" or "
                            "\"recipient.*\", got \"%.60s\"",
                            hook->types[i]);
    if (hook->type_count == 0)
        hook->kinds = event_usual();
    return TIDE_OK;
}

static enum tide_err load_applications(struct load *l, struct tide_error *err)
{
    static const struct item_kind kind = {"applications", "applications.*",
                                          sizeof(struct application_form)};
    struct config *c = l->config;
    enum tide_err rc = read_items(l, &kind, &l->applications, err);
    for (size_t i = 0; i < l->applications.count && rc == TIDE_OK; i++) {
        rc = finish_stream(l, &l->applications.items[i], err);
        if (rc == TIDE_OK)
            rc = finish_accounts(l, &l->applications.items[i], err);
        if (rc == TIDE_OK)
            rc = read_types(&l->applications.items[i], err);
    }
    if (rc != TIDE_OK)
        return rc;
    c->applications = array_of(l->values.arena, &l->applications, sizeof *c->applications);
    c->application_count = l->applications.count;
    return c->applications ? TIDE_OK : fail_memory(err);
}

enum tide_err load_named(struct load *l, struct tide_error *err)
{
    enum tide_err rc = load_streams(l, err);
    if (rc == TIDE_OK)
        rc = load_accounts(l, err);
    if (rc == TIDE_OK)
        rc = read_providers(l, err);
    return rc == TIDE_OK ? load_applications(l, err) : rc;
}
