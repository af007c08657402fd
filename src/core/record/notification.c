#include "core/record/notification.h"

#include "base/macros.h"

static const char *const notification_names[] = {
#define NOTIFICATION_NAME(code, text) [NOTIFICATION_##code] = text,
    NOTIFICATION_STATES(NOTIFICATION_NAME)
#undef NOTIFICATION_NAME
};

static const char *const attempt_names[] = {
#define ATTEMPT_NAME(code, text) [ATTEMPT_##code] = text,
    ATTEMPT_STATES(ATTEMPT_NAME)
#undef ATTEMPT_NAME
};

const char *notification_state_name(enum notification_state s)
{
    return (size_t)s < TIDE_COUNT(notification_names) ? notification_names[s] : "?";
}

bool notification_state_of(struct text name, enum notification_state *ret)
{
    for (size_t i = 0; i < TIDE_COUNT(notification_names); i++)
        if (text_eq(name, text_of(notification_names[i]))) {
            *ret = (enum notification_state)i;
            return true;
        }
    return false;
}

const char *attempt_state_name(enum attempt_state s)
{
    return (size_t)s < TIDE_COUNT(attempt_names) ? attempt_names[s] : "?";
}
