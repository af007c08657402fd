#include "core/record/verdict.h"

#include "base/macros.h"

static const char *const names[] = {
    [VERDICT_UNKNOWN] = "unknown",
    [VERDICT_DELIVERABLE] = "deliverable",
    [VERDICT_RISKY] = "risky",
    [VERDICT_UNDELIVERABLE] = "undeliverable",
};

const char *verdict_name(enum verdict_kind v)
{
    return (size_t)v < TIDE_COUNT(names) ? names[v] : "?";
}

bool verdict_of(struct text name, enum verdict_kind *ret)
{
    for (size_t i = 0; i < TIDE_COUNT(names); i++) {
        if (text_eq(name, text_of(names[i]))) {
            *ret = (enum verdict_kind)i;
            return true;
        }
    }
    return false;
}
