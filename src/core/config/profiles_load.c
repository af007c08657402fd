#include "core/config/load.h"

#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef MAILTIDE_SCHEDULES_DIR
#define MAILTIDE_SCHEDULES_DIR "/usr/local/share/mailtide/schedules"
#endif

struct folder {
    struct load *load;
    enum profile_kind kind;
};

/* A profile of a later folder takes the place of one of the same name. */
static enum tide_err put_profile(struct profiles *all, struct profile *p, struct tide_error *err)
{
    bool provider = p->kind == PROFILE_PROVIDER;
    struct profile **list = provider ? &all->providers : &all->accounts;
    size_t *count = provider ? &all->provider_count : &all->account_count;
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*list)[i].name, p->name) == 0) {
            profile_fini(&(*list)[i]);
            (*list)[i] = *p;
            return TIDE_OK;
        }
    struct profile *longer = reallocarray(*list, *count + 1, sizeof *longer);
    if (!longer)
        return tide_fail(err, TIDE_ENOMEM, "%s: out of memory", p->file);
    *list = longer;
    longer[(*count)++] = *p;
    return TIDE_OK;
}

static enum tide_err on_profile(void *arg, const char *path, struct tide_error *err)
{
    const struct folder *f = arg;
    struct load *l = f->load;
    struct buf content = {0};
    struct profile p;
    enum tide_err rc = l->source->read(l->source->arg, path, &content, err);
    if (rc == TIDE_OK)
        rc = profile_parse(f->kind, path, buf_text(&content), &p, err);
    if (rc == TIDE_OK) {
        rc = put_profile(&l->config->profiles, &p, err);
        if (rc != TIDE_OK)
            profile_fini(&p);
    }
    buf_fini(&content);
    return rc == TIDE_ENOENT ? TIDE_EIO : rc; /* a dead link is no missing folder */
}

static enum tide_err load_folder(struct load *l,
                                 const char *dir,
                                 enum profile_kind kind,
                                 struct tide_error *err)
{
    struct folder f = {l, kind};
    const char *sub = kind == PROFILE_PROVIDER ? "providers" : "accounts";
    char *path = arena_printf(l->values.arena, "%s/%s", dir, sub);
    if (!path)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    return l->source->list(l->source->arg, path, on_profile, &f, err);
}

/* Each file may be missing. */
static enum tide_err load_lists(struct load *l, const char *dir, struct tide_error *err)
{
    enum tide_err rc = TIDE_OK;
    for (enum list_name i = 0; i < LIST_COUNT && rc == TIDE_OK; i++) {
        struct buf content = {0};
        char *path = arena_printf(l->values.arena, "%s/lists/%s", dir, list_file(i));
        rc = path ? l->source->read(l->source->arg, path, &content, err)
                  : tide_fail(err, TIDE_ENOMEM, "out of memory");
        if (rc == TIDE_OK)
            rc = lists_read(&l->config->profiles.lists, i, path, buf_text(&content), err);
        else if (rc == TIDE_ENOENT)
            rc = TIDE_OK;
        buf_fini(&content);
    }
    return rc;
}

/* Either of the two folders will do. TIDE_ENOENT: there is neither. */
static enum tide_err load_schedules(struct load *l, const char *dir, struct tide_error *err)
{
    enum tide_err providers = load_folder(l, dir, PROFILE_PROVIDER, err);
    if (providers != TIDE_OK && providers != TIDE_ENOENT)
        return providers;
    enum tide_err accounts = load_folder(l, dir, PROFILE_ACCOUNT, err);
    if (accounts == TIDE_ENOENT && providers != TIDE_OK)
        return tide_fail(err, TIDE_ENOENT, "%s: want a folder with providers/ or accounts/ in it",
                         dir);
    if (accounts != TIDE_OK && accounts != TIDE_ENOENT)
        return accounts;
    return load_lists(l, dir, err);
}

static enum tide_err set_schedules(struct load *l, const char *dir, struct tide_error *err)
{
    struct config *c = l->config;
    c->schedules = arena_array(l->values.arena, 2, sizeof *c->schedules);
    if (c->schedules)
        c->schedules[0] = arena_strdup(l->values.arena, dir);
    if (!c->schedules || !c->schedules[0])
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    c->schedule_count = 1;
    return TIDE_OK;
}

/* Nobody said where: a source tree's own, else what was installed, else there are none. */
static enum tide_err load_found(struct load *l, struct tide_error *err)
{
    static const char *const places[] = {"./schedules", MAILTIDE_SCHEDULES_DIR};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        enum tide_err rc = load_schedules(l, places[i], err);
        if (rc == TIDE_OK)
            return set_schedules(l, places[i], err);
        if (rc != TIDE_ENOENT)
            return rc;
    }
    return TIDE_OK;
}

/* Two profiles must not claim one host, or mail would be counted where chance has it. */
static enum tide_err check_claims(const struct profiles *all, struct tide_error *err)
{
    struct strmap claims;
    enum tide_err rc = TIDE_OK;
    strmap_init(&claims);
    for (size_t i = 0; i < all->provider_count && rc == TIDE_OK; i++) {
        struct profile *p = &all->providers[i];
        size_t count = p->mx_suffix_count + p->domain_count;
        for (size_t k = 0; k < count && rc == TIDE_OK; k++) {
            bool mx = k < p->mx_suffix_count;
            const char *name = mx ? p->mx_suffixes[k] : p->domains[k - p->mx_suffix_count];
            char key[300];
            snprintf(key, sizeof key, "%s:%s", mx ? "mx" : "domains", name);
            const struct profile *other = strmap_get(&claims, text_of(key));
            if (other)
                rc = tide_fail(err, TIDE_EEXIST, "%s: %s: \"%s\" is claimed by %s too", p->file,
                               mx ? "mx" : "domains", name, other->file);
            else if (!strmap_put(&claims, text_of(key), p))
                rc = tide_fail(err, TIDE_ENOMEM, "out of memory");
        }
    }
    strmap_fini(&claims);
    return rc;
}

enum tide_err load_profiles(struct load *l, struct tide_error *err)
{
    struct config *c = l->config;
    if (!l->source)
        return TIDE_OK;
    const char *place =
        l->source->env ? l->source->env(l->source->arg, "MAILTIDE_SCHEDULES") : NULL;
    enum tide_err rc = TIDE_OK;
    if (c->schedule_count == 0 && (!place || !place[0])) {
        rc = load_found(l, err);
    } else {
        if (c->schedule_count == 0)
            rc = set_schedules(l, place, err);
        for (size_t i = 0; i < c->schedule_count && rc == TIDE_OK; i++) {
            rc = load_schedules(l, c->schedules[i], err);
            if (rc == TIDE_ENOENT)
                rc = tide_wrap(err, rc, "schedules");
        }
    }
    return rc == TIDE_OK ? check_claims(&c->profiles, err) : rc;
}
