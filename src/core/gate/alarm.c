#include "core/gate/alarm.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

const char *alarm_severity_name(enum alarm_severity s)
{
    static const char *const names[] = {
#define ALARM_SEVERITY(code, text) [ALARM_##code] = text,
        ALARM_SEVERITIES(ALARM_SEVERITY)
#undef ALARM_SEVERITY
    };
    return names[s];
}

void alarms_fini(struct alarms *a)
{
    for (unsigned i = 0; i < a->count; i++)
        free(a->all[i]);
    *a = (struct alarms){0};
}

/* Index of the key; count: not there. Keys are cut as they are kept. */
static unsigned place_of(const struct alarms *a, struct text key)
{
    struct text kept = text_cut(key, 0, TIDE_MIN(key.n, sizeof a->all[0]->key - 1));
    unsigned i = 0;
    while (i < a->count && !text_eq(text_of(a->all[i]->key), kept))
        i++;
    return i;
}

static struct alarm *take_out(struct alarms *a, unsigned i)
{
    struct alarm *x = a->all[i];
    a->count--;
    memmove(&a->all[i], &a->all[i + 1], (a->count - i) * sizeof a->all[0]);
    return x;
}

static void put_in(struct alarms *a, struct alarm *x)
{
    unsigned i = a->count++;
    for (; i > 0 && (a->all[i - 1]->severity < x->severity ||
                     (a->all[i - 1]->severity == x->severity && a->all[i - 1]->since > x->since));
         i--)
        a->all[i] = a->all[i - 1];
    a->all[i] = x;
}

/* An alarm to be filled, in place of the last where the set is full. */
static struct alarm *fresh(struct alarms *a, enum alarm_severity severity)
{
    if (a->count < ALARMS_MAX)
        return calloc(1, sizeof(struct alarm));
    if (a->all[a->count - 1]->severity >= severity)
        return NULL;
    return take_out(a, a->count - 1);
}

enum alarm_told alarms_raise(struct alarms *a,
                             struct text key,
                             enum alarm_severity severity,
                             struct text sentence,
                             struct text advice,
                             tide_wall_ms now)
{
    unsigned i = place_of(a, key);
    enum alarm_told told = ALARM_NEW;
    struct alarm *x;
    if (i < a->count) {
        x = take_out(a, i);
        told = severity > x->severity ? ALARM_WORSE : ALARM_KNOWN;
    } else {
        x = fresh(a, severity);
        if (!x)
            return ALARM_LOST;
        x->since = now;
        snprintf(x->key, sizeof x->key, TEXT_FMT, TEXT_ARG(key));
    }
    x->severity = severity;
    snprintf(x->sentence, sizeof x->sentence, TEXT_FMT, TEXT_ARG(sentence));
    snprintf(x->advice, sizeof x->advice, TEXT_FMT, TEXT_ARG(advice));
    put_in(a, x);
    return told;
}

bool alarms_clear(struct alarms *a, struct text key, struct alarm *ret)
{
    unsigned i = place_of(a, key);
    if (i == a->count)
        return false;
    struct alarm *x = take_out(a, i);
    *ret = *x;
    free(x);
    return true;
}

const struct alarm *alarms_find(const struct alarms *a, struct text key)
{
    unsigned i = place_of(a, key);
    return i < a->count ? a->all[i] : NULL;
}
