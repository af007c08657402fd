/* alarm.h - what an operator should know now: a set of active alarms, each with its advice.
 *
 * An alarm has a key that stays the same as long as the matter is the same ("guard/ses/bounces",
 * "sender/example.com/dkim"), so that raising it again tells nothing new: only the first raising,
 * a rise of its severity and its end are told (journalled by the caller: gate_raise_alarm()).
 * Kept in memory: who watches a matter raises it again after a restart.
 *
 * Owns      its alarms with their texts.
 * Lifetime  zeroed memory is an empty set; alarms_fini().
 * Threads   loop thread only. Reads no clock.
 * Errors    out of memory, and a full set of alarms that are all as severe: ALARM_LOST.
 * Limits    ALARMS_MAX alarms; a full set gives up the newest of the least severe.
 */
#ifndef CORE_GATE_ALARM_H
#define CORE_GATE_ALARM_H

#include "base/time.h"

#define ALARMS_MAX 64

#define ALARM_SEVERITIES(X)                                              \
    X(NOTICE, "notice")     /* good to know, nothing is held up by it */ \
    X(WARNING, "warning")   /* will hold mail up if nothing is done */   \
    X(CRITICAL, "critical") /* holds mail up, or harms delivery, now */

enum alarm_severity {
#define ALARM_SEVERITY(code, text) ALARM_##code,
    ALARM_SEVERITIES(ALARM_SEVERITY)
#undef ALARM_SEVERITY
};

const char *alarm_severity_name(enum alarm_severity s);

struct alarm {
    char key[128];
    enum alarm_severity severity;
    tide_wall_ms since;
    char sentence[512]; /* what is the matter */
    char advice[512];   /* what to do; "" */
};

struct alarms {
    struct alarm *all[ALARMS_MAX]; /* most severe first, of these the oldest */
    unsigned count;
};

void alarms_fini(struct alarms *a);

/* What was new about it. */
enum alarm_told { ALARM_KNOWN, ALARM_NEW, ALARM_WORSE, ALARM_LOST };

/* Raises it, or gives a known one its present severity and words. */
enum alarm_told alarms_raise(struct alarms *a,
                             struct text key,
                             enum alarm_severity severity,
                             struct text sentence,
                             struct text advice,
                             tide_wall_ms now);

/* It is over: copied to *ret. False: there was none. */
bool alarms_clear(struct alarms *a, struct text key, struct alarm *ret);

/* NULL: not raised. */
const struct alarm *alarms_find(const struct alarms *a, struct text key);

#endif
