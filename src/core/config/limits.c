#include "core/config/limits.h"

#include "base/macros.h"
#include "core/limit/zone.h"

#include <stdio.h>

#define SPAN_MS_MIN TIME_SECOND_MS
#define SPAN_MS_MAX (366 * TIME_DAY_MS)

static const char *const unit_words[] = {
    [WINDOW_MINUTE] = "minute",
    [WINDOW_HOUR] = "hour",
    [WINDOW_DAY] = "day",
    [WINDOW_MONTH] = "month",
};

static const int64_t unit_ms[] = {
    [WINDOW_MINUTE] = TIME_MINUTE_MS,
    [WINDOW_HOUR] = TIME_HOUR_MS,
    [WINDOW_DAY] = TIME_DAY_MS,
    [WINDOW_MONTH] = 28 * TIME_DAY_MS,
};

static const char *const kind_words[] = {
    [WINDOW_CALENDAR] = "", [WINDOW_CLOCK] = "clock",       [WINDOW_ROLLING] = "rolling",
    [WINDOW_RATE] = "rate", [WINDOW_COOLDOWN] = "cooldown",
};

enum tide_err limits_window(struct text words, struct window *ret, struct tide_error *err)
{
    struct text rest = text_trim(words), kind = {0};
    for (unsigned i = 0; i < TIDE_COUNT(unit_words); i++)
        if (text_eq(rest, text_of(unit_words[i]))) {
            ret->kind = WINDOW_CALENDAR;
            ret->unit = (enum window_unit)i;
            ret->span_ms = 0;
            return TIDE_OK;
        }
    text_split(&rest, ' ', &kind);
    for (unsigned i = WINDOW_CLOCK; i <= WINDOW_COOLDOWN; i++) {
        int64_t span = 0;
        if (!rest.p || !text_eq(kind, text_of(kind_words[i])))
            continue;
        enum tide_err rc = text_duration_ms(rest, &span, err);
        if (rc != TIDE_OK)
            return rc;
        if (span < SPAN_MS_MIN || span > SPAN_MS_MAX)
            return tide_fail(err, TIDE_ERANGE, "want a span of 1s..366d, got \"" TEXT_FMT "\"",
                             TEXT_ARG(text_cut(words, 0, 40)));
        if (i == WINDOW_CLOCK && TIME_DAY_MS % span != 0)
            return tide_fail(err, TIDE_ERANGE,
                             "want a clock span that divides a day, such as \"clock 30min\", got "
                             "\"" TEXT_FMT "\"",
                             TEXT_ARG(text_cut(words, 0, 40)));
        ret->kind = (enum window_kind)i;
        ret->span_ms = span;
        return TIDE_OK;
    }
    return tide_fail(err, TIDE_ESYNTAX,
                     "want minute, hour, day, month, or clock, rolling, rate, cooldown with a "
                     "duration (\"rolling 24h\"), got \"" TEXT_FMT "\"",
                     TEXT_ARG(text_cut(words, 0, 40)));
}

const char *limits_window_text(const struct window *w, char *out)
{
    char span[KEY_TEXT_BYTES];
    if (w->kind == WINDOW_CALENDAR)
        snprintf(out, 64, "%s", unit_words[w->unit]);
    else
        snprintf(out, 64, "%s %s", kind_words[w->kind], key_duration_text(w->span_ms, span));
    return out;
}

/* What of the form was said, beside defaults. */
struct given {
    bool window, source, confidence, scope, zone, offset, burst, count;
};

static struct given given_of(const config_setting_t *s)
{
#define HAS(name) (config_setting_get_member(s, name) != NULL)
    return (struct given){HAS("window"), HAS("source"), HAS("confidence"), HAS("scope"),
                          HAS("zone"),   HAS("offset"), HAS("burst"),      HAS("count")};
#undef HAS
}

static enum tide_err check_window(const struct limits_context *c,
                                  const config_setting_t *s,
                                  const struct given *given,
                                  struct limit *l,
                                  struct tide_error *err)
{
    struct window *w = &l->window;
    bool calendar = w->kind == WINDOW_CALENDAR;
    if (given->zone && !calendar && w->kind != WINDOW_CLOCK)
        return doc_fail(c->doc, s, err, TIDE_EINVAL,
                        "zone: only calendar and clock windows have one");
    if (w->zone && !zone_name_is_sane(text_of(w->zone)))
        return doc_fail(c->doc, s, err, TIDE_EINVAL,
                        "zone: want an IANA time zone such as \"Asia/Shanghai\", got \"%.40s\"",
                        w->zone);
    if (given->offset && !calendar)
        return doc_fail(c->doc, s, err, TIDE_EINVAL, "offset: only calendar windows have one");
    if (calendar && w->offset_ms >= unit_ms[w->unit])
        return doc_fail(c->doc, s, err, TIDE_ERANGE, "offset: want less than one %s",
                        unit_words[w->unit]);
    if (given->burst && w->kind != WINDOW_RATE)
        return doc_fail(c->doc, s, err, TIDE_EINVAL, "burst: only a rate has one");
    if (w->kind == WINDOW_COOLDOWN && l->count != 1)
        return doc_fail(c->doc, s, err, TIDE_EINVAL, "count: a cooldown's is 1");
    if (w->kind == WINDOW_RATE && l->burst == 0)
        l->burst = 1;
    return TIDE_OK;
}

static enum tide_err check_limit(const struct limits_context *c,
                                 const config_setting_t *s,
                                 struct limit_form *form,
                                 bool replaces,
                                 struct tide_error *err)
{
    struct given given = given_of(s);
    struct limit *l = &form->l;
    if (!replaces && (!given.scope || !given.count || !given.window))
        return doc_fail(c->doc, s, err, TIDE_EINVAL,
                        "want scope, count and window (it replaces none that says them)");
    if (c->sourced && (!given.source || !given.confidence || !l->reference || !l->date))
        return doc_fail(c->doc, s, err, TIDE_EINVAL,
                        "want all of source, reference, date and confidence");
    if (l->date && !doc_date_ok(text_of(l->date)))
        return doc_fail(c->doc, s, err, TIDE_EINVAL,
                        "date: want a date such as \"2026-11-21\", got \"%.40s\"", l->date);
    if (given.window) {
        struct tide_error inner;
        enum tide_err rc = limits_window(text_of(form->window), &l->window, &inner);
        if (rc != TIDE_OK)
            return doc_fail(c->doc, s, err, rc, "window: %s", inner.text);
    }
    return check_window(c, s, &given, l, err);
}

static const struct limit *limit_named(const struct limit *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

/* What a replacing limit starts from. A window said anew takes nothing of the old one. */
static void start_from(struct limit_form *form,
                       const struct limits_context *c,
                       const config_setting_t *s,
                       const struct limit *old)
{
    struct given given = given_of(s);
    if (old)
        form->l = *old;
    if (given.window) {
        form->l.window = (struct window){0};
        form->l.burst = 0;
    }
    if (!c->sourced) {
        form->l.source = SOURCE_CONFIGURED;
        form->l.confidence = CONFIDENCE_HIGH;
        form->l.reference = NULL;
        form->l.date = NULL;
    }
}

static enum tide_err read_limit(const struct limits_context *c,
                                const config_setting_t *s,
                                struct limit **list,
                                size_t *count,
                                struct tide_error *err)
{
    struct arena *arena = c->values->arena;
    char *name = arena_printf(arena, "%s/%s", c->owner, config_setting_name(s));
    char *file = arena_strdup(arena, c->doc->file);
    if (!name || !file)
        return doc_fail(c->doc, s, err, TIDE_ENOMEM, "out of memory");
    struct limit *mine = (struct limit *)limit_named(*list, *count, name);
    const struct limit *old = mine ? mine : limit_named(c->base, c->base_count, name);
    struct limit_form form = {0};
    start_from(&form, c, s, old);
    form.l.name = name;
    form.l.file = file;
    form.l.line = config_setting_source_line(s);
    enum tide_err rc =
        doc_group(c->doc, s, config_keys, config_key_count, "limits.*", c->values, &form, err);
    if (rc == TIDE_OK)
        rc = check_limit(c, s, &form, old != NULL, err);
    if (rc != TIDE_OK)
        return rc;
    if (mine)
        *mine = form.l;
    else
        (*list)[(*count)++] = form.l;
    return TIDE_OK;
}

enum tide_err limits_read(const struct limits_context *c,
                          const config_setting_t *group,
                          struct limit **list,
                          size_t *count,
                          struct tide_error *err)
{
    size_t more = (size_t)config_setting_length(group);
    if (more + *count > LIMITS_MAX)
        return doc_fail(c->doc, group, err, TIDE_ELIMIT, "want at most %d limits", LIMITS_MAX);
    struct limit *longer = arena_array(c->values->arena, more + *count + 1, sizeof *longer);
    if (!longer)
        return doc_fail(c->doc, group, err, TIDE_ENOMEM, "out of memory");
    if (*count > 0)
        memcpy(longer, *list, *count * sizeof *longer);
    *list = longer;
    for (unsigned i = 0; i < more; i++) {
        enum tide_err rc = read_limit(c, config_setting_get_elem(group, i), list, count, err);
        if (rc != TIDE_OK)
            return rc;
    }
    return TIDE_OK;
}
