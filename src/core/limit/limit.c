#include "core/limit/limit.h"

#include "base/macros.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void limit_fini(struct limit *l)
{
    free(l->name);
    free(l->window.zone);
    free(l->reference);
    free(l->date);
    free(l->file);
    *l = (struct limit){0};
}

static const char *const scope_names[LIMIT_SCOPES] = {
    [LIMIT_RECIPIENT] = "recipient",
    [LIMIT_PAIR] = "pair",
    [LIMIT_DOMAIN] = "domain",
    [LIMIT_PROVIDER] = "provider",
    [LIMIT_SENDER_DOMAIN_PROVIDER] = "sender-domain-provider",
    [LIMIT_IP_PROVIDER] = "ip-provider",
    [LIMIT_IP_DOMAIN] = "ip-domain",
    [LIMIT_ACCOUNT] = "account",
    [LIMIT_ACCOUNT_STREAM] = "account-stream",
};

const char *limit_scope_name(enum limit_scope s)
{
    return (unsigned)s < LIMIT_SCOPES ? scope_names[s] : "?";
}

bool limit_scope_of(struct text name, enum limit_scope *ret)
{
    for (unsigned i = 0; i < LIMIT_SCOPES; i++)
        if (text_eq(name, text_of(scope_names[i]))) {
            *ret = (enum limit_scope)i;
            return true;
        }
    return false;
}

const char *limit_source_name(enum limit_source s)
{
    static const char *const names[] = {
        [SOURCE_PUBLISHED] = "published",
        [SOURCE_OBSERVED] = "observed",
        [SOURCE_CONFIGURED] = "configured",
        [SOURCE_LEARNED] = "learned",
    };
    return (unsigned)s < TIDE_COUNT(names) ? names[s] : "?";
}

const char *limit_confidence_name(enum limit_confidence c)
{
    static const char *const names[] = {
        [CONFIDENCE_LOW] = "low",
        [CONFIDENCE_MEDIUM] = "medium",
        [CONFIDENCE_HIGH] = "high",
    };
    return (unsigned)c < TIDE_COUNT(names) ? names[c] : "?";
}

const char *limit_text(const struct limit *l, char *out, size_t size)
{
    static const char *const units[] = {"minute", "hour", "day", "month"};
    const struct window *w = &l->window;
    const char *zone = w->zone ? w->zone : "UTC";
    char span[32], late[32];
    text_of_duration(w->span_ms, span, sizeof span);
    switch (w->kind) {
    case WINDOW_CALENDAR:
        if (w->offset_ms)
            snprintf(out, size, "%" PRId64 " per %s in %s, from %s after its start", l->count,
                     units[w->unit], zone, text_of_duration(w->offset_ms, late, sizeof late));
        else
            snprintf(out, size, "%" PRId64 " per %s in %s", l->count, units[w->unit], zone);
        break;
    case WINDOW_CLOCK:
        snprintf(out, size, "%" PRId64 " per fixed %s in %s", l->count, span, zone);
        break;
    case WINDOW_ROLLING:
        snprintf(out, size, "%" PRId64 " per rolling %s", l->count, span);
        break;
    case WINDOW_RATE:
        if (l->burst > 1)
            snprintf(out, size, "%" PRId64 " per %s, %" PRId64 " at once", l->count, span,
                     l->burst);
        else
            snprintf(out, size, "%" PRId64 " per %s", l->count, span);
        break;
    case WINDOW_COOLDOWN:
        snprintf(out, size, "not within %s of the last attempt", span);
        break;
    }
    return out;
}
