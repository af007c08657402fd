#include "core/record/hint.h"

#include "base/macros.h"

static const struct {
    enum recipient_hint hint;
    const char *name;
} hints[] = {
    {HINT_TYPO, "typo"},
    {HINT_ROLE, "role"},
    {HINT_DISPOSABLE, "disposable"},
    {HINT_FREE_MAIL, "free-mail"},
};
_Static_assert(TIDE_COUNT(hints) == HINT_COUNT, "every hint has a name");

const char *recipient_hint_name(enum recipient_hint h)
{
    for (size_t i = 0; i < TIDE_COUNT(hints); i++)
        if (hints[i].hint == h)
            return hints[i].name;
    return "?";
}

bool recipient_hint_of(struct text name, enum recipient_hint *ret)
{
    for (size_t i = 0; i < TIDE_COUNT(hints); i++)
        if (text_eq(name, text_of(hints[i].name))) {
            *ret = hints[i].hint;
            return true;
        }
    return false;
}
