#include "core/config/limits.h"
#include "core/config/load.h"

#include "base/macros.h"

#include <stdio.h>

/* -- Values --------------------------------------------------------------------------------------
 */

/* In quotes, so that it reads back as it is. */
static void print_string(struct text t, struct buf *ret)
{
    buf_addc(ret, '"');
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (c == '"' || c == '\\')
            buf_addf(ret, "\\%c", c);
        else if ((unsigned char)c < ' ')
            buf_addf(ret, "\\x%02x", (unsigned)c);
        else if (c == '$' && i + 1 < t.n && t.p[i + 1] == '{')
            buf_adds(ret, "$$");
        else
            buf_addc(ret, c);
    }
    buf_addc(ret, '"');
}

static void print_list(char *const *list, size_t count, struct buf *ret)
{
    buf_addc(ret, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_adds(ret, ", ");
        print_string(text_of(list[i]), ret);
    }
    buf_addc(ret, ']');
}

/* The value as it would be written; nothing for what is not set. */
static void print_value(const struct key *key, const void *base, struct buf *ret)
{
    const void *at = (const char *)base + key->at;
    char number[KEY_TEXT_BYTES];
    switch (key->type) {
    case KEY_BOOL:
        buf_adds(ret, *(const bool *)at ? "true" : "false");
        break;
    case KEY_INT:
        buf_addf(ret, "%d", *(const int *)at);
        break;
    case KEY_COUNT:
        buf_addf(ret, "%lld%s", (long long)*(const int64_t *)at,
                 *(const int64_t *)at > INT32_MAX ? "L" : "");
        break;
    case KEY_REAL:
        snprintf(number, sizeof number, "%.9g", *(const double *)at);
        buf_addf(ret, "%s%s", number, strpbrk(number, ".e") ? "" : ".0");
        break;
    case KEY_STRING:
        if (*(char *const *)at)
            print_string(text_of(*(char *const *)at), ret);
        break;
    case KEY_DURATION:
        buf_addf(ret, "\"%s\"", key_duration_text(*(const int64_t *)at, number));
        break;
    case KEY_SIZE:
        buf_addf(ret, "\"%s\"", key_size_text(*(const int64_t *)at, number));
        break;
    case KEY_WORD:
        buf_addf(ret, "\"%s\"", key->words[*(const unsigned *)at]);
        break;
    case KEY_LIST:
        print_list(*(char **const *)at, *(const size_t *)((const char *)base + key->count_at), ret);
        break;
    case KEY_SECRET:
        if (((const struct secret *)at)->value)
            buf_adds(ret, "\"(set)\"");
        break;
    case KEY_MODE:
        buf_addf(ret, "\"%04o\"", (unsigned)*(const int *)at);
        break;
    case KEY_CHAR:
        buf_addf(ret, "\"%c\"", *(const char *)at);
        break;
    case KEY_NAMED:
        break;
    }
}

/* The default as it would be written; nothing when there is none. */
static void print_preset(const struct key *key, struct buf *ret)
{
    if (!key->preset)
        return;
    if (key->type == KEY_LIST) {
        struct text rest = text_of(key->preset), piece;
        buf_addc(ret, '[');
        for (bool first = true; text_split(&rest, ' ', &piece); first = false)
            buf_addf(ret, "%s\"" TEXT_FMT "\"", first ? "" : ", ", TEXT_ARG(piece));
        buf_addc(ret, ']');
    } else {
        bool bare = key->type == KEY_BOOL || key->type == KEY_INT || key->type == KEY_COUNT ||
                    key->type == KEY_REAL;
        buf_addf(ret, bare ? "%s" : "\"%s\"", key->preset);
    }
}

static void indent(int depth, struct buf *ret)
{
    for (int i = 0; i < depth; i++)
        buf_adds(ret, "  ");
}

/* -- The default file ---------------------------------------------------------------------------
 */

#define LINE_BYTES_MAX 96

/* Help, unit, range and words as comment lines that begin with `lead`. */
static void print_help(const struct key *key, int depth, const char *lead, struct buf *ret)
{
    struct buf text = {0};
    char low[KEY_TEXT_BYTES], high[KEY_TEXT_BYTES];
    buf_adds(&text, key->help);
    if (key->type == KEY_INT || key->type == KEY_COUNT || key->type == KEY_REAL)
        buf_addf(&text, " [%lld..%lld%s%s]", (long long)key->min, (long long)key->max,
                 key->unit ? " " : "", key->unit ? key->unit : "");
    else if (key->type == KEY_DURATION)
        buf_addf(&text, " [%s..%s]", key_duration_text(key->min, low),
                 key_duration_text(key->max, high));
    else if (key->type == KEY_SIZE)
        buf_addf(&text, " [%s..%s]", key_size_text(key->min, low), key_size_text(key->max, high));
    for (size_t i = 0; key->words && key->words[i]; i++)
        buf_addf(&text, "%s%s%s", i ? ", " : " [", key->words[i], key->words[i + 1] ? "" : "]");
    struct text rest = buf_text(&text), word;
    size_t column = 0;
    while (text_split(&rest, ' ', &word)) {
        if (column == 0 || column + word.n + 1 > LINE_BYTES_MAX) {
            if (column > 0)
                buf_addc(ret, '\n');
            indent(depth, ret);
            buf_adds(ret, lead);
            column = (size_t)depth * 2 + strlen(lead);
        }
        buf_addf(ret, " " TEXT_FMT, TEXT_ARG(word));
        column += word.n + 1;
    }
    buf_addc(ret, '\n');
    buf_fini(&text);
}

/* "#port = 587;", or "# host = ...;" where there is no default. */
static void print_default_key(const struct key *key, int depth, struct buf *ret)
{
    const char *dot = strrchr(key->path, '.'), *name = dot ? dot + 1 : key->path;
    print_help(key, depth, "#", ret);
    indent(depth, ret);
    if (key->preset) {
        buf_addf(ret, "#%s = ", name);
        print_preset(key, ret);
        buf_adds(ret, ";\n");
    } else {
        buf_addf(ret, "# %s = ...;\n", name);
    }
}

/* Opens and closes groups on the way from one path to the next. `open` is what is open now. */
static int move_to(struct text *open, struct text next, struct buf *ret)
{
    int depth = 0;
    struct text a = *open, b = next, pa, pb;
    while (text_split(&a, '.', &pa) && text_split(&b, '.', &pb) && text_eq(pa, pb))
        depth++;
    int have = 0, want = 0;
    for (struct text rest = *open, piece; text_split(&rest, '.', &piece);)
        have++;
    for (; have > depth; have--) {
        indent(have - 1, ret);
        buf_adds(ret, "};\n");
    }
    for (struct text rest = next, piece; text_split(&rest, '.', &piece); want++)
        if (want >= depth) {
            if (want == 0)
                buf_addc(ret, '\n');
            indent(want, ret);
            buf_addf(ret, TEXT_FMT ": {\n", TEXT_ARG(piece));
        }
    *open = next;
    return want;
}

static struct text group_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? (struct text){path, (size_t)(dot - path)} : (struct text){0};
}

/* Keys of streams, accounts, applications, limits: explained, and the built-in groups. */
static void print_default_named(struct buf *ret)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct key *key = &config_keys[i];
        bool of_limit = text_starts(text_of(key->path), TEXT("limits.*"));
        if (key->type != KEY_NAMED && !strchr(key->path, '*'))
            continue;
        if (key->type == KEY_NAMED) {
            buf_addf(ret, "\n# -- %s: { NAME: { ... }; };\n", key->path);
            print_help(key, 0, "#", ret);
            continue;
        }
        if (of_limit && strcmp(key->path, "limits.*.scope") == 0)
            buf_adds(ret, "\n# -- Of each limit: limits: { NAME: { ... }; };\n");
        buf_addf(ret, "#   %s", strrchr(key->path, '.') + 1);
        if (key->preset) {
            buf_adds(ret, " = ");
            print_preset(key, ret);
        }
        buf_addc(ret, '\n');
        print_help(key, 0, "#      ", ret);
    }
    buf_adds(ret, "\n# Built in, and replaced group by group:\n");
    struct text rest = text_of(config_builtin), line;
    while (text_split(&rest, '\n', &line) && line.n > 0) {
        struct text word = text_trim(line);
        buf_addf(ret, "%*s#" TEXT_FMT "\n", (int)(line.n - word.n), "", TEXT_ARG(word));
    }
}

void config_print_default(struct buf *ret)
{
    buf_adds(
        ret,
        "# mailtide.conf - every key with its default. A line that begins with # and a name is "
        "a\n# default; take the # away to change it. Durations are \"500ms\", \"30s\", "
        "\"10min\", \"4h\", \"2d\";\n# sizes \"25M\", \"8KiB\". A text may say ${NAME} for a "
        "variable of the environment. A secret is\n# \"file:PATH\", \"credential:NAME\" "
        "(systemd's LoadCredential) or the secret itself. Files\n# conf.d/*.conf beside this "
        "one are read after it, in order of name; a later value counts.\n\n");
    struct text open = {0};
    for (size_t i = 0; i < config_key_count; i++) {
        const struct key *key = &config_keys[i];
        if (key->type == KEY_NAMED || strchr(key->path, '*'))
            continue;
        int depth = move_to(&open, group_of(key->path), ret);
        print_default_key(key, depth, ret);
    }
    move_to(&open, (struct text){0}, ret);
    print_default_named(ret);
}

/* -- What differs --------------------------------------------------------------------------------
 */

/* The keys below `prefix` that differ from `defaults`, in their groups. */
static void print_changed(
    const char *prefix, const void *base, const void *defaults, int depth, struct buf *ret)
{
    struct buf was = {0}, is = {0};
    struct text open = {0};
    for (size_t i = 0; i < config_key_count; i++) {
        const struct key *key = &config_keys[i];
        struct text name = doc_below(key, prefix);
        if (name.n == 0 || key->type == KEY_NAMED)
            continue;
        buf_clear(&was);
        buf_clear(&is);
        print_value(key, defaults, &was);
        print_value(key, base, &is);
        if (is.len == 0 || text_eq(buf_text(&was), buf_text(&is)))
            continue;
        if (depth == 0)
            move_to(&open, group_of(key->path), ret);
        int inner = depth;
        for (struct text rest = open, piece; text_split(&rest, '.', &piece);)
            inner++;
        indent(inner, ret);
        const char *dot = strrchr(key->path, '.');
        buf_addf(ret, "%s = %s;\n", dot ? dot + 1 : key->path, buf_str(&is));
    }
    if (depth == 0)
        move_to(&open, (struct text){0}, ret);
    buf_fini(&was);
    buf_fini(&is);
}

static void print_limit(const struct limit *l, int depth, struct buf *ret)
{
    char window[64];
    struct limit_form form = {.l = *l, .window = NULL}, none = {0};
    limits_window_text(&l->window, window);
    form.window = window;
    const char *slash = strchr(l->name, '/');
    indent(depth, ret);
    buf_addf(ret, "%s: {\n", slash ? slash + 1 : l->name);
    indent(depth + 1, ret); /* the first word would not differ from nothing */
    buf_addf(ret, "scope = ");
    for (size_t i = 0; i < config_key_count; i++)
        if (strcmp(config_keys[i].path, "limits.*.scope") == 0)
            print_value(&config_keys[i], &form, ret);
    buf_adds(ret, ";\n");
    none.l.scope = form.l.scope;
    none.l.source = SOURCE_CONFIGURED;
    none.l.confidence = CONFIDENCE_HIGH;
    print_changed("limits.*", &form, &none, depth + 1, ret);
    indent(depth, ret);
    buf_adds(ret, "};\n");
}

static void print_limits(const struct limit *list, size_t count, int depth, struct buf *ret)
{
    if (count == 0)
        return;
    indent(depth, ret);
    buf_adds(ret, "limits: {\n");
    for (size_t i = 0; i < count; i++)
        print_limit(&list[i], depth + 1, ret);
    indent(depth, ret);
    buf_adds(ret, "};\n");
}

/* Presets of one named group's member, for comparison. */
static void presets_of(const char *prefix, const struct config *c, struct arena *a, void *ret)
{
    struct doc_values v = {.arena = a, .state_dir = c->state_dir};
    struct tide_error ignored;
    if (doc_presets(config_keys, config_key_count, prefix, &v, ret, &ignored) != TIDE_OK)
        return; /* out of memory: more is shown than need be */
}

static void print_streams(const struct config *c, struct arena *a, struct buf *ret)
{
    struct stream_form none = {0};
    presets_of("streams.*", c, a, &none);
    buf_adds(ret, "streams: {\n");
    for (size_t i = 0; i < c->stream_count; i++) {
        struct stream_form form = {c->streams[i]};
        buf_addf(ret, "  %s: {\n", form.s.name);
        print_changed("streams.*", &form, &none, 2, ret);
        buf_adds(ret, "  };\n");
    }
    buf_adds(ret, "};\n");
}

static void print_accounts(const struct config *c, struct arena *a, struct buf *ret)
{
    struct account_form none = {0};
    presets_of("accounts.*", c, a, &none);
    buf_adds(ret, "accounts: {\n");
    for (size_t i = 0; i < c->account_count; i++) {
        struct account_form form = {c->accounts[i], NULL}, usual = none;
        if (!form.a.user)
            usual.a.auth = AUTH_NONE; /* what "any" comes to */
        const struct profile *p = form.a.profile;
        usual.a.connections = p && p->connections ? p->connections : CONNECTIONS_DEFAULT;
        usual.a.messages_per_connection =
            p && p->messages_per_connection ? p->messages_per_connection : MESSAGES_DEFAULT;
        usual.a.batch_max = account_batch_usual(&form.a);
        form.profile = form.a.profile ? form.a.profile->name : NULL;
        buf_addf(ret, "  %s: {\n", form.a.name);
        print_changed("accounts.*", &form, &usual, 2, ret);
        print_limits(form.a.limits, form.a.limit_count, 2, ret);
        buf_adds(ret, "  };\n");
    }
    buf_adds(ret, "};\n");
}

static void print_applications(const struct config *c, struct arena *a, struct buf *ret)
{
    struct application_form none = {0};
    presets_of("applications.*", c, a, &none);
    buf_adds(ret, "applications: {\n");
    for (size_t i = 0; i < c->application_count; i++) {
        struct application_form form = {.a = c->applications[i]};
        form.stream = c->streams[form.a.stream].name;
        form.accounts = arena_array(a, form.a.account_count + 1, sizeof *form.accounts);
        form.account_count = form.accounts ? form.a.account_count : 0;
        for (size_t k = 0; k < form.account_count; k++)
            form.accounts[k] = c->accounts[form.a.accounts[k]].name;
        buf_addf(ret, "  %s: {\n", form.a.name);
        print_changed("applications.*", &form, &none, 2, ret);
        buf_adds(ret, "  };\n");
    }
    buf_adds(ret, "};\n");
}

/* Limits stand in the order they were read; those of one provider need not be neighbours. */
static void print_providers(const struct config *c, struct buf *ret)
{
    if (c->provider_limit_count > 0)
        buf_adds(ret, "providers: {\n");
    for (size_t i = 0; i < c->provider_limit_count; i++) {
        struct text name = text_of(c->provider_limits[i].name);
        struct text owner = text_cut(name, 0, text_find(name, '/') + 1);
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= text_starts(text_of(c->provider_limits[k].name), owner);
        if (seen)
            continue;
        buf_addf(ret, "  " TEXT_FMT ": {\n    limits: {\n",
                 TEXT_ARG(text_cut(owner, 0, owner.n - 1)));
        for (size_t k = i; k < c->provider_limit_count; k++)
            if (text_starts(text_of(c->provider_limits[k].name), owner))
                print_limit(&c->provider_limits[k], 3, ret);
        buf_adds(ret, "    };\n  };\n");
    }
    if (c->provider_limit_count > 0)
        buf_adds(ret, "};\n");
}

/* Prints the group unless it is the built-in one. */
static void print_unless_builtin(void (*print)(const struct config *c,
                                               struct arena *a,
                                               struct buf *ret),
                                 const struct config *c,
                                 const struct config *builtin,
                                 struct arena *a,
                                 struct buf *ret)
{
    struct buf mine = {0}, usual = {0};
    print(c, a, &mine);
    if (builtin)
        print(builtin, a, &usual);
    if (!text_eq(buf_text(&mine), buf_text(&usual)))
        buf_add_text(ret, buf_text(&mine));
    buf_fini(&mine);
    buf_fini(&usual);
}

void config_print(const struct config *c, struct buf *ret)
{
    struct config *builtin = NULL;
    struct config usual = {0};
    struct arena a;
    struct tide_error ignored;
    arena_init(&a, 0);
    if (config_load(NULL, NULL, &builtin, &ignored) != TIDE_OK)
        builtin = NULL; /* out of memory: more is shown than need be */
    presets_of("", c, &a, &usual);
    if (builtin)
        usual.state_dir = builtin->state_dir;
    print_changed("", c, &usual, 0, ret);
    print_unless_builtin(print_streams, c, builtin, &a, ret);
    print_unless_builtin(print_accounts, c, builtin, &a, ret);
    print_providers(c, ret);
    print_unless_builtin(print_applications, c, builtin, &a, ret);
    config_free(builtin);
    arena_fini(&a);
}
