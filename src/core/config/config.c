#include "core/config/config.h"

#include "base/macros.h"
#include "core/config/load.h"

#include <stdio.h>
#include <stdlib.h>

#define CONFIG_BYTES_MAX (256 << 20)

struct config_box {
    struct config config; /* what callers see */
    struct arena memory;  /* of all that it points to, but the profiles */
};

void config_free(struct config *c)
{
    if (!c)
        return;
    struct config_box *box = container_of(c, struct config_box, config);
    profiles_fini(&box->config.profiles);
    arena_fini(&box->memory);
    free(box);
}

/* -- Files ------------------------------------------------------------------------------------- */

static enum tide_err add_doc(struct load *l,
                             const char *file,
                             struct text content,
                             struct tide_error *err)
{
    if (l->doc_count == LOAD_DOCS_MAX)
        return tide_fail(err, TIDE_ELIMIT, "%s: want at most %d files", file, LOAD_DOCS_MAX - 1);
    const char *name = arena_strdup(l->values.arena, file);
    if (!name)
        return tide_fail(err, TIDE_ENOMEM, "%s: out of memory", file);
    enum tide_err rc = doc_parse(name, content, &l->docs[l->doc_count], err);
    if (rc == TIDE_OK)
        l->doc_count++;
    return rc;
}

static enum tide_err on_file(void *arg, const char *path, struct tide_error *err)
{
    struct load *l = arg;
    struct buf content = {0};
    enum tide_err rc = l->source->read(l->source->arg, path, &content, err);
    if (rc == TIDE_OK)
        rc = add_doc(l, path, buf_text(&content), err);
    buf_fini(&content);
    return rc;
}

/* A file that is in the folder and is not there (a dead link) is no missing folder. */
static enum tide_err on_listed(void *arg, const char *path, struct tide_error *err)
{
    enum tide_err rc = on_file(arg, path, err);
    return rc == TIDE_ENOENT ? TIDE_EIO : rc;
}

static enum tide_err read_files(struct load *l, const char *path, struct tide_error *err)
{
    enum tide_err rc = add_doc(l, "built-in", text_of(config_builtin), err);
    if (rc != TIDE_OK || !path)
        return rc;
    if (!l->source)
        return tide_fail(err, TIDE_EINVAL, "%s: cannot be read here", path);
    rc = on_file(l, path, err);
    if (rc != TIDE_OK)
        return rc;
    const char *slash = strrchr(path, '/');
    char *dir =
        arena_printf(l->values.arena, "%.*sconf.d", slash ? (int)(slash - path + 1) : 0, path);
    if (!dir)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    rc = l->source->list(l->source->arg, dir, on_listed, l, err);
    return rc == TIDE_ENOENT ? TIDE_OK : rc;
}

bool load_where(const struct load *l,
                const char *path,
                const struct doc **ret_doc,
                const config_setting_t **ret)
{
    for (size_t i = l->doc_count; i-- > 0;) {
        const config_setting_t *s = config_lookup(&l->docs[i].tree, path);
        if (s) {
            *ret_doc = &l->docs[i];
            *ret = s;
            return true;
        }
    }
    return false;
}

/* -- Plain keys -------------------------------------------------------------------------------- */

/* state_dir comes first: other keys may say ${state_dir}. */
static enum tide_err read_state_dir(struct load *l, struct tide_error *err)
{
    const struct key *key = &config_keys[0];
    const struct doc *doc;
    const config_setting_t *s;
    enum tide_err rc = doc_presets(key, 1, "", &l->values, l->config, err);
    if (rc == TIDE_OK && load_where(l, "state_dir", &doc, &s))
        rc = doc_value(doc, s, key, &l->values, l->config, err);
    if (rc != TIDE_OK)
        return rc;
    if (l->config->state_dir[0] == '\0')
        return load_where(l, "state_dir", &doc, &s)
                   ? doc_fail(doc, s, err, TIDE_EINVAL, "want a folder, got \"\"")
                   : TIDE_EINVAL;
    l->values.state_dir = l->config->state_dir;
    return TIDE_OK;
}

static enum tide_err read_plain(struct load *l, struct tide_error *err)
{
    enum tide_err rc = read_state_dir(l, err);
    if (rc == TIDE_OK)
        rc = doc_presets(config_keys, config_key_count, "", &l->values, l->config, err);
    for (size_t i = 0; i < l->doc_count && rc == TIDE_OK; i++)
        rc = doc_group(&l->docs[i], config_root_setting(&l->docs[i].tree), config_keys,
                       config_key_count, "", &l->values, l->config, err);
    return rc;
}

/* -- The whole --------------------------------------------------------------------------------- */

enum tide_err config_load(const char *path,
                          const struct config_source *source,
                          struct config **ret,
                          struct tide_error *err)
{
    struct config_box *box = calloc(1, sizeof *box);
    struct load *l = calloc(1, sizeof *l);
    enum tide_err rc = TIDE_OK;
    if (!box || !l) {
        rc = tide_fail(err, TIDE_ENOMEM, "out of memory");
        goto out;
    }
    arena_init(&box->memory, CONFIG_BYTES_MAX);
    l->config = &box->config;
    l->source = source;
    l->values = (struct doc_values){.arena = &box->memory, .source = source};
    rc = read_files(l, path, err);
    if (rc == TIDE_OK)
        rc = read_plain(l, err);
    if (rc == TIDE_OK)
        rc = load_profiles(l, err);
    if (rc == TIDE_OK)
        rc = load_named(l, err);
    if (rc == TIDE_OK)
        rc = load_check(l, err);
out:
    for (size_t i = 0; l && i < l->doc_count; i++)
        doc_fini(&l->docs[i]);
    free(l);
    if (rc == TIDE_OK)
        *ret = &box->config;
    else if (box)
        config_free(&box->config);
    return rc;
}

int config_stream_index(const struct config *c, struct text name)
{
    for (size_t i = 0; i < c->stream_count; i++)
        if (text_eq(text_of(c->streams[i].name), name))
            return (int)i;
    return -1;
}

int config_account_index(const struct config *c, struct text name)
{
    for (size_t i = 0; i < c->account_count; i++)
        if (text_eq(text_of(c->accounts[i].name), name))
            return (int)i;
    return -1;
}

const struct config_application *config_application(const struct config *c, struct text name)
{
    for (size_t i = 0; i < c->application_count; i++)
        if (text_eq(text_of(c->applications[i].name), name))
            return &c->applications[i];
    return NULL;
}

/* Takes as long for a wrong key as for a right one of the same length. */
static bool key_eq(struct text a, struct text b)
{
    unsigned char differ = a.n != b.n;
    for (size_t i = 0; i < a.n && i < b.n; i++)
        differ |= (unsigned char)(a.p[i] ^ b.p[i]);
    return differ == 0;
}

const struct config_application *config_application_of_key(const struct config *c, struct text key)
{
    const struct config_application *hit = NULL;
    for (size_t i = 0; i < c->application_count; i++) {
        const char *mine = c->applications[i].key.value;
        if (mine && key_eq(text_of(mine), key))
            hit = &c->applications[i];
    }
    return hit;
}

enum tide_err config_mail_from(const struct config *c,
                               const struct config_account *a,
                               struct text from,
                               struct domain *ret,
                               struct tide_error *err)
{
    static const struct text mark = {"{domain}", 8};
    struct text name = a->mail_from ? text_of(a->mail_from)
                       : a->type == ACCOUNT_SMTP && a->verp && c->bounce.domain
                           ? text_of(c->bounce.domain)
                           : from;
    struct buf whole = {0};
    size_t at = text_ifind(name, mark);
    buf_add_text(&whole, text_cut(name, 0, at));
    if (at < name.n) {
        buf_add_text(&whole, from);
        buf_add_text(&whole, text_cut(name, at + mark.n, name.n));
    }
    enum tide_err rc = buf_check(&whole, err);
    if (rc == TIDE_OK)
        rc = domain_parse(buf_text(&whole), ret, err);
    buf_fini(&whole);
    return rc;
}

bool config_is_sender(const char *const *patterns, size_t count, struct text domain)
{
    for (size_t i = 0; i < count; i++) {
        struct text allowed = text_of(patterns[i]);
        if (text_eq(allowed, TEXT("*")))
            return true;
        if (allowed.n > 0 && allowed.p[0] == '.'
                ? domain.n > allowed.n && text_iends(domain, allowed)
                : text_ieq(allowed, domain))
            return true;
    }
    return false;
}

bool config_may_send_as(const struct config_application *a, struct text domain)
{
    return config_is_sender((const char *const *)a->sender_domains, a->sender_domain_count, domain);
}
