/* limits.h - the counters behind a provider's or an ESP's limits, and what they remember.
 *
 * A limit that counts attempts is charged where it is looked at, refused or not. One that counts
 * what is accepted is looked at at its stage, and again, and charged, when the message is taken:
 * two sessions at once do not overrun it.
 *
 * Owns      its counters. Limits are the world's.
 * Threads   one at a time. Reads no clock.
 * Errors    out of memory lets mail pass uncounted and says so in `lost`.
 * Limits    remembers every fixed window in which something came.
 */
#ifndef CMD_MAILTIDE_LAB_LIMITS_H
#define CMD_MAILTIDE_LAB_LIMITS_H

#include "base/map.h"
#include "cmd/mailtide-lab/world.h"
#include "core/proto/json_write.h"

struct meters {
    const struct lab_limit *limits;
    size_t limit_count;
    struct window_rule *rules; /* one each */
    struct strmap counters;    /* "LIMIT\0SUBJECT": struct counter */
    uint64_t lost;
};

/* Who is at the door; empty where not known yet. */
struct meter_subject {
    struct text ip, helo, sender, mailbox;
};

/* "127.0.0.1:40312" without its port. */
struct text meter_ip(struct text peer);

TIDE_MUST_CHECK enum tide_err meters_init(struct meters *m,
                                          const struct lab_limit *limits,
                                          size_t count,
                                          struct tide_error *err);
void meters_fini(struct meters *m);

/* The limit that refuses; NULL: none does. */
const struct lab_limit *meters_ask(struct meters *m,
                                   enum lab_stage stage,
                                   const struct meter_subject *who,
                                   tide_wall_ms now);

/* Charges what counts accepted mail for this recipient; a limit that has no room refuses instead,
 * and nothing is charged. */
const struct lab_limit *meters_take(struct meters *m,
                                    const struct meter_subject *who,
                                    tide_wall_ms now);

/* When a limit that refused has room again. */
tide_wall_ms meters_free_at(struct meters *m,
                            const struct lab_limit *l,
                            const struct meter_subject *who,
                            tide_wall_ms now);

/* What is used of a limit now. */
int64_t meters_used(struct meters *m,
                    const struct lab_limit *l,
                    const struct meter_subject *who,
                    tide_wall_ms now);

/* [{"limit":..,"subject":..,"count":..,"most":..,"refused":..,"windows":[{"start":..,"end":..,
 * "used":..,"refused":..}]}] */
void meters_write(const struct meters *m, struct json_writer *w, const char *name);

#endif
