#include "core/record/suppression.h"

#include "base/macros.h"

static const char *const names[] = {
#define SUPPRESSION_CAUSE(code, text) text,
    SUPPRESSION_CAUSES(SUPPRESSION_CAUSE)
#undef SUPPRESSION_CAUSE
};

const char *suppression_cause_name(enum suppression_cause c)
{
    return names[c];
}

bool suppression_cause_of(struct text name, enum suppression_cause *ret)
{
    for (size_t i = 0; i < TIDE_COUNT(names); i++)
        if (text_eq(name, text_of(names[i]))) {
            *ret = (enum suppression_cause)i;
            return true;
        }
    return false;
}

bool suppression_line_of(struct text line, struct suppression *ret)
{
    struct text parts[3], rest = line;
    int64_t pause, expires;
    *ret = (struct suppression){0};
    for (size_t i = 0; i < TIDE_COUNT(parts); i++) {
        size_t bar = text_find(rest, '|');
        if (bar == rest.n)
            return false;
        parts[i] = text_cut(rest, 0, bar);
        rest = text_cut(rest, bar + 1, rest.n);
    }
    if (!suppression_cause_of(parts[0], &ret->cause) ||
        text_int(parts[1], 0, 1, &pause, NULL) != TIDE_OK ||
        text_int(parts[2], 0, INT64_MAX, &expires, NULL) != TIDE_OK)
        return false;
    ret->scope = rest;
    ret->pause = pause != 0;
    ret->expires_at = expires;
    return true;
}

struct suppression suppression_copy(const struct suppression *s, struct arena *a)
{
    struct suppression copy = *s;
    struct text *const texts[] = {&copy.address, &copy.scope,   &copy.evidence,
                                  &copy.rule,    &copy.account, &copy.by};
    for (size_t i = 0; i < TIDE_COUNT(texts); i++)
        *texts[i] = arena_text(a, *texts[i]);
    return copy;
}
