/* policy_quiet.h - waits for a silence: the forecast and the table of quiet times as a policy.
 *
 * For every kind of day that recipients' limits count in (zone, offset) it keeps a site: the
 * profile of the day's hours and the factors of the weekdays. For every (such day, quota) there is
 * a table of quiet times, which is not built here, since that takes long: quiet_policy_wants() says
 * which one is missing or outdated, whoever asks builds it where he likes and hands it over. Until
 * then mail leaves at once while more than direct_share is free, then by the fluid price. Limits
 * that do not count in days are left to policy_even().
 *
 *   daemon: after any step, quiet_policy_wants(q, &job)
 *           -> pool: quiet_table_build(&job.wanted, job.before)
 *           -> loop: quiet_policy_take(q, &job, table)
 *
 * Where several write (applications, sender domains) and one has other hours or weekdays than all
 * together, he has a site of his own beside theirs: it begins as theirs, and is used once it
 * differs.
 *
 * Owns      struct quiet_policy: sites, tables.
 * Lifetime  quiet_policy_new() to quiet_policy_free(), longer than the planner's use of it.
 * Threads   loop thread only. Reads no clock.
 * Errors    out of memory or over the bounds: answers as policy_even() does.
 * Limits    QUIET_SITES_MAX sites of 3 kB, QUIET_TABLES_MAX tables of up to 2.7 MB. A wish is O(1)
 *           after the days since the recipient's last event; none of it allocates, but the first
 *           notification of a new kind of day.
 */
#ifndef CORE_PLAN_POLICY_QUIET_H
#define CORE_PLAN_POLICY_QUIET_H

#include "core/plan/policy.h"
#include "core/plan/quiet_table.h"

#define QUIET_SITES_MAX   64
#define QUIET_SOURCES_MAX 48 /* of them, of who writes: places beyond are for new kinds of days */
#define QUIET_TABLES_MAX  64

struct quiet_policy;

struct quiet_settings {
    float urgent_cost; /* 0: QUIET_URGENT_COST; below 0: urgent mail has no price */
    bool fluid_only;   /* never wants a table: to compare */
    bool no_price;     /* what many share has no price: to compare */
};

struct quiet_policy *quiet_policy_new(const struct quiet_settings *settings); /* NULL: no memory */
void quiet_policy_free(struct quiet_policy *q);
const struct policy *quiet_policy(struct quiet_policy *q);

struct quiet_job {
    struct quiet_case wanted;
    const struct quiet_table *before; /* holds until the job is taken */
    uint32_t window_id, source;
    float urgent_part;
};

/* The next table to build; false: none. It is not named again until it was taken. */
bool quiet_policy_wants(struct quiet_policy *q, struct quiet_job *ret);
bool quiet_policy_is_wanting(const struct quiet_policy *q); /* cheap: after each turn of a loop */
/* NULL: it could not be built; it will be wanted again after the next day's end. */
void quiet_policy_take(struct quiet_policy *q,
                       const struct quiet_job *job,
                       struct quiet_table *take_table);

/* A profile out of the site's history, taken in place of one that has seen less. */
bool quiet_policy_learn(struct quiet_policy *q, uint32_t window_id, const struct site *site);
/* The key of a site's row in the store. */
#define QUIET_KEY_BYTES 32
const char *quiet_site_key(uint32_t window_id, char out[QUIET_KEY_BYTES]);

/* NULL: nobody has come under such a limit yet. */
const struct site *quiet_policy_site(const struct quiet_policy *q, uint32_t window_id);

#endif
