#include "core/outcome/rules.h"

#include "base/macros.h"
#include "core/config/doc.h"
#include "core/config/limits.h"
#include "core/outcome/rulebook.h"

#include <stdio.h>
#include <stdlib.h>

/* A rule as it is written. */
struct rule_form {
    char **code, **status, **stage, **patterns, **examples;
    size_t code_count, status_count, stage_count, pattern_count, example_count;
    bool strict, loose, ambiguous, esp_list, pair;
    enum reply_class class;
    enum reply_fault fault;
    enum reply_retry retry;
    enum limit_scope scope;
    char *window, *zone;
    int64_t wait_ms;
    char *cause, *advice, *reference, *date;
};

struct file_form {
    char *title, *reference, *date;
    char **providers;
    size_t provider_count;
};

static const char *const class_words[] = {
    "other",   "recipient",  "domain", "disabled", "full",    "moved", "toobig",
    "spam",    "reputation", "auth",   "policy",   "content", "virus", "rate",
    "network", "system",     "relay",  "protocol", NULL};
static const char *const fault_words[] = {"unknown",      "recipient", "ours",   "their-limit",
                                          "their-outage", "content",   "policy", NULL};
static const char *const retry_words[] = {"by-code", "later", "reset", "reconnect",
                                          "split",   "fix",   "never", NULL};
static const char *const scope_words[] = {
    "recipient",   "pair",      "domain",  "provider",       "sender-domain-provider",
    "ip-provider", "ip-domain", "account", "account-stream", NULL};
static const char *const stage_words[] = {"connect", "greeting", "ehlo", "starttls", "auth",
                                          "mail",    "rcpt",     "data", "dot",      NULL};

#define WORD(p, w, s, m)                                                         \
    {                                                                            \
        .path = (p), .type = KEY_WORD, .words = (w), .at = offsetof(struct s, m) \
    }
#define STRING(p, s, m)                                              \
    {                                                                \
        .path = (p), .type = KEY_STRING, .at = offsetof(struct s, m) \
    }
#define LIST(p, least, s, m, n)                                               \
    {                                                                         \
        .path = (p), .type = KEY_LIST, .min = (least), .max = RULES_LIST_MAX, \
        .at = offsetof(struct s, m), .count_at = offsetof(struct s, n)        \
    }

static const struct key rule_keys[] = {
    LIST("rule.code", 1, rule_form, code, code_count),
    LIST("rule.status", 1, rule_form, status, status_count),
    LIST("rule.stage", 1, rule_form, stage, stage_count),
    LIST("rule.patterns", 1, rule_form, patterns, pattern_count),
    LIST("rule.examples", 1, rule_form, examples, example_count),
    {.path = "rule.strict", .type = KEY_BOOL, .at = offsetof(struct rule_form, strict)},
    {.path = "rule.loose", .type = KEY_BOOL, .at = offsetof(struct rule_form, loose)},
    {.path = "rule.ambiguous", .type = KEY_BOOL, .at = offsetof(struct rule_form, ambiguous)},
    {.path = "rule.esp_list", .type = KEY_BOOL, .at = offsetof(struct rule_form, esp_list)},
    {.path = "rule.pair", .type = KEY_BOOL, .at = offsetof(struct rule_form, pair)},
    WORD("rule.class", class_words, rule_form, class),
    WORD("rule.fault", fault_words, rule_form, fault),
    WORD("rule.retry", retry_words, rule_form, retry),
    WORD("rule.scope", scope_words, rule_form, scope),
    STRING("rule.window", rule_form, window),
    STRING("rule.zone", rule_form, zone),
    {.path = "rule.wait",
     .type = KEY_DURATION,
     .min = 1,
     .max = 31 * TIME_DAY_MS,
     .at = offsetof(struct rule_form, wait_ms)},
    STRING("rule.cause", rule_form, cause),
    STRING("rule.advice", rule_form, advice),
    STRING("rule.reference", rule_form, reference),
    STRING("rule.date", rule_form, date),
};

static const struct key file_keys[] = {
    STRING("file.title", file_form, title),
    STRING("file.reference", file_form, reference),
    STRING("file.date", file_form, date),
    LIST("file.providers", 1, file_form, providers, provider_count),
    {.path = "file.rules", .type = KEY_NAMED},
};

struct reading {
    struct rulebook *book;
    const struct doc *doc;
    struct doc_values values;
    struct file_form file;
    const char *path, *order, *name; /* "d/10-google.conf", "10-google.conf", "google" */
    uint64_t providers;
};

/* -- Conditions -------------------------------------------------------------------------------- */

/* "550", "5xx", "55x" */
static bool read_code(const char *t, uint64_t *codes)
{
    if (strlen(t) != 3)
        return false;
    int least = 0, most = 0;
    for (int i = 0; i < 3; i++) {
        bool any = t[i] == 'x';
        if (!any && !ascii_is_digit(t[i]))
            return false;
        least = least * 10 + (any ? 0 : t[i] - '0');
        most = most * 10 + (any ? 9 : t[i] - '0');
    }
    if (t[0] < '2' || t[0] > '5')
        return false;
    for (int code = least; code <= most; code++)
        if (strchr("x", t[1]) || code / 10 % 10 == t[1] - '0')
            codes[code / 64] |= UINT64_C(1) << (code % 64);
    return true;
}

static bool read_number(const char **p, int *ret)
{
    int n = 0, digits = 0;
    for (; ascii_is_digit(**p) && digits < 3; (*p)++, digits++)
        n = n * 10 + (**p - '0');
    *ret = n;
    return digits > 0;
}

/* "5.1.1", "x.1.1", "4.7.x", "5.7.606-649" */
static bool read_status(const char *t, struct rule_status *ret)
{
    *ret = (struct rule_status){.subject = -1, .detail_most = 999};
    if (*t != 'x' && *t != '2' && *t != '4' && *t != '5')
        return false;
    ret->first = *t == 'x' ? 0 : *t - '0';
    if (*++t != '.')
        return false;
    t++;
    if (*t == 'x')
        t++;
    else if (!read_number(&t, &ret->subject))
        return false;
    if (*t++ != '.')
        return false;
    if (strcmp(t, "x") == 0)
        return true;
    if (!read_number(&t, &ret->detail_least))
        return false;
    ret->detail_most = ret->detail_least;
    if (*t == '-' && (t++, !read_number(&t, &ret->detail_most)))
        return false;
    return *t == '\0' && ret->detail_least <= ret->detail_most;
}

static enum tide_err read_conditions(const struct reading *r,
                                     const config_setting_t *at,
                                     const struct rule_form *f,
                                     struct rule_entry *e,
                                     struct tide_error *err)
{
    e->any_code = f->code_count == 0;
    for (size_t i = 0; i < f->code_count; i++)
        if (!read_code(f->code[i], e->codes))
            return doc_fail(r->doc, at, err, TIDE_EINVAL,
                            "code: want such as \"550\" or \"5xx\", got \"%.20s\"", f->code[i]);
    for (size_t i = 0; i < f->status_count; i++)
        if (!read_status(f->status[i], &e->statuses[e->status_count++]))
            return doc_fail(r->doc, at, err, TIDE_EINVAL,
                            "status: want such as \"5.1.1\", \"x.7.x\" or \"5.7.606-649\", got "
                            "\"%.20s\"",
                            f->status[i]);
    for (size_t i = 0; i < f->stage_count; i++) {
        size_t k = 0;
        while (stage_words[k] && strcmp(stage_words[k], f->stage[i]) != 0)
            k++;
        if (!stage_words[k])
            return doc_fail(r->doc, at, err, TIDE_EINVAL,
                            "stage: want connect, greeting, ehlo, starttls, auth, mail, rcpt, data "
                            "or dot, got \"%.20s\"",
                            f->stage[i]);
        e->stages |= (uint16_t)(1u << k);
    }
    e->strict = f->strict;
    return TIDE_OK;
}

/* -- Patterns ---------------------------------------------------------------------------------- */

static enum tide_err read_patterns(const struct reading *r,
                                   const config_setting_t *at,
                                   const struct rule_form *f,
                                   struct rule_entry *e,
                                   struct tide_error *err)
{
    if (f->pattern_count == 0)
        return TIDE_OK;
    e->patterns = arena_array(&r->book->memory, f->pattern_count, sizeof *e->patterns);
    if (!e->patterns)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    for (size_t i = 0; i < f->pattern_count; i++) {
        int code;
        PCRE2_SIZE where;
        struct rule_pattern *p = &e->patterns[i];
        p->code = pcre2_compile((PCRE2_SPTR)f->patterns[i], PCRE2_ZERO_TERMINATED,
                                PCRE2_CASELESS | PCRE2_NO_AUTO_CAPTURE | PCRE2_DOTALL, &code,
                                &where, NULL);
        if (!p->code) {
            PCRE2_UCHAR why[120] = "";
            pcre2_get_error_message(code, why, sizeof why);
            return doc_fail(r->doc, at, err, TIDE_EINVAL, "patterns: \"%.80s\", at %zu: %s",
                            f->patterns[i], (size_t)where, (const char *)why);
        }
        e->pattern_count = i + 1;
        (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* without a JIT it is interpreted */
        if (!rule_needs(f->patterns[i], &r->book->memory, p))
            return tide_fail(err, TIDE_ENOMEM, "out of memory");
    }
    return TIDE_OK;
}

/* -- One rule ---------------------------------------------------------------------------------- */

static enum tide_err read_limit(const struct reading *r,
                                const config_setting_t *at,
                                const struct rule_form *f,
                                struct reply_rule *rule,
                                struct tide_error *err)
{
    struct tide_error inner = {0};
    bool scope = config_setting_get_member(at, "scope") != NULL;
    if (scope != (f->window != NULL))
        return doc_fail(r->doc, at, err, TIDE_EINVAL,
                        "want both scope and window, or neither: a limit has both");
    if (f->retry == RETRY_RESET && !scope)
        return doc_fail(r->doc, at, err, TIDE_EINVAL,
                        "retry: \"reset\" wants the scope and window of what is reset");
    if (f->ambiguous && !scope)
        return doc_fail(r->doc, at, err, TIDE_EINVAL,
                        "ambiguous: wants the scope and window of the limit that it may be");
    if (!scope)
        return TIDE_OK;
    rule->has_limit = true;
    rule->scope = f->scope;
    enum tide_err rc = limits_window(text_of(f->window), &rule->window, &inner);
    if (rc != TIDE_OK)
        return doc_fail(r->doc, at, err, rc, "window: %s", inner.text);
    rule->window.zone = f->zone;
    return TIDE_OK;
}

static enum tide_err want(const struct reading *r,
                          const config_setting_t *at,
                          bool has,
                          const char *what,
                          struct tide_error *err)
{
    return has ? TIDE_OK : doc_fail(r->doc, at, err, TIDE_EINVAL, "want %s, got none", what);
}

static enum tide_err check_rule(const struct reading *r,
                                const config_setting_t *at,
                                const struct rule_form *f,
                                const struct reply_rule *rule,
                                struct tide_error *err)
{
    enum tide_err rc = want(r, at, f->cause != NULL, "cause", err);
    if (rc == TIDE_OK)
        rc = want(r, at, f->advice != NULL, "advice", err);
    if (rc == TIDE_OK)
        rc = want(r, at, config_setting_get_member(at, "class") != NULL, "class", err);
    if (rc == TIDE_OK)
        rc = want(r, at, config_setting_get_member(at, "fault") != NULL, "fault", err);
    if (rc == TIDE_OK)
        rc = want(r, at, rule->reference != NULL, "reference", err);
    if (rc == TIDE_OK)
        rc = want(r, at, f->example_count > 0, "examples", err);
    if (rc == TIDE_OK)
        rc = want(r, at, f->pattern_count || f->code_count || f->status_count,
                  "code, status or patterns", err);
    if (rc == TIDE_OK && (!rule->date || !doc_date_ok(text_of(rule->date))))
        rc = doc_fail(r->doc, at, err, TIDE_EINVAL, "date: want such as \"2026-11-21\", got \"%s\"",
                      rule->date ? rule->date : "");
    return rc;
}

static enum tide_err read_rule(struct reading *r,
                               const config_setting_t *at,
                               struct tide_error *err)
{
    struct rulebook *b = r->book;
    struct rule_form f = {0};
    enum tide_err rc =
        doc_group(r->doc, at, rule_keys, TIDE_COUNT(rule_keys), "rule", &r->values, &f, err);
    if (rc != TIDE_OK)
        return rc;
    if (b->count == RULES_MAX)
        return doc_fail(r->doc, at, err, TIDE_ELIMIT, "more than %d rules", RULES_MAX);
    struct rule_entry *e = ARENA_NEW(&b->memory, struct rule_entry);
    if (!e)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    e->rule = (struct reply_rule){
        .name = arena_printf(&b->memory, "%s/%s", r->name, config_setting_name(at)),
        .file = r->path,
        .class = f.class,
        .fault = f.fault,
        .retry = f.retry,
        .cause = f.cause,
        .advice = f.advice,
        .wait_ms = f.wait_ms,
        .reference = f.reference ? f.reference : r->file.reference,
        .date = f.date ? f.date : r->file.date,
        .by_text = f.pattern_count > 0,
        .loose = f.loose,
        .ambiguous = f.ambiguous,
        .esp_list = f.esp_list,
        .pair = f.pair,
        .providers = r->file.providers,
        .provider_count = r->file.provider_count,
        .examples = f.examples,
        .example_count = f.example_count,
    };
    e->order = r->order;
    e->number = b->count;
    e->providers = r->providers;
    b->rules[b->count++] = e; /* from here on its patterns are freed with the book */
    rc = e->rule.name ? check_rule(r, at, &f, &e->rule, err)
                      : tide_fail(err, TIDE_ENOMEM, "out of memory");
    if (rc == TIDE_OK)
        rc = read_limit(r, at, &f, &e->rule, err);
    if (rc == TIDE_OK)
        rc = read_conditions(r, at, &f, e, err);
    if (rc == TIDE_OK)
        rc = read_patterns(r, at, &f, e, err);
    return rc;
}

/* -- One file ---------------------------------------------------------------------------------- */

static enum tide_err name_providers(struct reading *r, struct tide_error *err)
{
    struct rulebook *b = r->book;
    for (size_t i = 0; i < r->file.provider_count; i++) {
        size_t k = 0;
        while (k < b->provider_count && strcmp(b->providers[k], r->file.providers[i]) != 0)
            k++;
        if (k == RULES_PROVIDERS_MAX)
            return tide_fail(err, TIDE_ELIMIT, "%s: rules of more than %d providers", r->path,
                             RULES_PROVIDERS_MAX);
        if (k == b->provider_count)
            b->providers[b->provider_count++] = r->file.providers[i];
        r->providers |= UINT64_C(1) << k;
    }
    return TIDE_OK;
}

/* A later folder's file takes the place of one of the same name. */
static void forget_file(struct rulebook *b, const char *order)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++) {
        struct rule_entry *e = b->rules[i];
        if (strcmp(e->order, order) != 0) {
            b->rules[kept++] = e;
            continue;
        }
        for (size_t k = 0; k < e->pattern_count; k++)
            pcre2_code_free(e->patterns[k].code);
    }
    b->count = kept;
}

static enum tide_err read_file(struct reading *r, struct tide_error *err)
{
    const config_setting_t *root = config_root_setting(&r->doc->tree), *rules = NULL;
    enum tide_err rc = doc_group(r->doc, root, file_keys, TIDE_COUNT(file_keys), "file", &r->values,
                                 &r->file, err);
    if (rc == TIDE_OK)
        rc = name_providers(r, err);
    if (rc == TIDE_OK)
        rc = doc_named(r->doc, root, "rules", &rules, err);
    for (int i = 0; rc == TIDE_OK && rules && i < config_setting_length(rules); i++)
        rc = read_rule(r, config_setting_get_elem(rules, (unsigned)i), err);
    return rc;
}

enum tide_err rulebook_add(struct rulebook *b,
                           const char *file,
                           struct text content,
                           struct tide_error *err)
{
    struct doc d;
    enum tide_err rc = doc_parse(file, content, &d, err);
    if (rc != TIDE_OK)
        return rc;
    struct reading r = {.book = b, .doc = &d, .values = {.arena = &b->memory}};
    char *path = arena_strdup(&b->memory, file);
    if (path) {
        const char *slash = strrchr(path, '/');
        r.path = path;
        r.order = slash ? slash + 1 : path;
        struct text name = text_of(r.order);
        if (text_iends(name, TEXT(".conf")))
            name.n -= 5;
        while (name.n > 0 && (ascii_is_digit(name.p[0]) || name.p[0] == '-'))
            name = text_cut(name, 1, name.n);
        r.name = arena_strndup(&b->memory, name.p, name.n);
    }
    if (r.name) {
        forget_file(b, r.order);
        rc = read_file(&r, err);
    } else {
        rc = tide_fail(err, TIDE_ENOMEM, "%s: out of memory", file);
    }
    doc_fini(&d);
    return rc;
}

/* -- The book ---------------------------------------------------------------------------------- */

enum tide_err rulebook_new(struct rulebook **ret, struct tide_error *err)
{
    struct rulebook *b = calloc(1, sizeof *b);
    if (b)
        b->rules = calloc(RULES_MAX, sizeof(struct rule_entry *));
    if (b)
        b->bounds = pcre2_match_context_create(NULL);
    if (!b || !b->rules || !b->bounds) {
        rulebook_free(b);
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    }
    /* Our patterns need some hundred steps; one that needs more is a mistake that must not stop
     * mail. */
    pcre2_set_match_limit(b->bounds, 100000);
    pcre2_set_depth_limit(b->bounds, 1000);
    pcre2_set_heap_limit(b->bounds, 1024);
    *ret = b;
    return TIDE_OK;
}

void rulebook_free(struct rulebook *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->count; i++)
        for (size_t k = 0; k < b->rules[i]->pattern_count; k++)
            pcre2_code_free(b->rules[i]->patterns[k].code);
    pcre2_match_context_free(b->bounds);
    free(b->rules);
    free(b->hints);
    free(b->hint_at);
    arena_fini(&b->memory);
    free(b);
}

static int by_order(const void *a, const void *b)
{
    const struct rule_entry *x = *(struct rule_entry *const *)a,
                            *y = *(struct rule_entry *const *)b;
    int d = strcmp(x->order, y->order);
    return d ? d : x->number < y->number ? -1 : 1;
}

void rulebook_seal(struct rulebook *b)
{
    qsort(b->rules, b->count, sizeof(struct rule_entry *), by_order);
    rulebook_hint(b);
}

struct folder {
    const struct config_source *source;
    struct rulebook *book;
};

static enum tide_err on_file(void *arg, const char *path, struct tide_error *err)
{
    const struct folder *f = arg;
    struct buf content = {0};
    enum tide_err rc = f->source->read(f->source->arg, path, &content, err);
    if (rc == TIDE_OK)
        rc = rulebook_add(f->book, path, buf_text(&content), err);
    buf_fini(&content);
    return rc == TIDE_ENOENT ? TIDE_EIO : rc; /* a dead link is no missing folder */
}

enum tide_err rulebook_load(const struct config_source *source,
                            char *const *schedules,
                            size_t schedule_count,
                            struct rulebook **ret,
                            struct tide_error *err)
{
    struct folder f = {.source = source};
    enum tide_err rc = rulebook_new(&f.book, err);
    if (rc != TIDE_OK)
        return rc;
    for (size_t i = 0; i < schedule_count && rc == TIDE_OK; i++) {
        struct buf dir = {0};
        buf_addf(&dir, "%s/replies", schedules[i]);
        rc = buf_check(&dir, err);
        if (rc == TIDE_OK)
            rc = source->list(source->arg, buf_str(&dir), on_file, &f, err);
        if (rc == TIDE_ENOENT)
            rc = TIDE_OK;
        buf_fini(&dir);
    }
    if (rc != TIDE_OK) {
        rulebook_free(f.book);
        return rc;
    }
    rulebook_seal(f.book);
    *ret = f.book;
    return TIDE_OK;
}
