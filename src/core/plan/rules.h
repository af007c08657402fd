/* rules.h - the configuration's limits made ready to be counted: zones found, names hashed.
 *
 * Per provider the limits of its profile, each replaced by the operator's of the same name, and
 * the operator's own; per account the same with the account's.
 *
 * Owns      its meters and zones. The limits stay the configuration's.
 * Lifetime  rules_new() to rules_free(), not longer than the configuration.
 * Threads   loop thread only.
 * Errors    TIDE_ENOMEM; TIDE_ENOENT for a zone that is not there; TIDE_ELIMIT for more than
 *           RULES_PROVIDER_MAX or RULES_ACCOUNT_MAX limits; TIDE_EEXIST for two of one hash. Each
 *           with the file and line of the limit.
 */
#ifndef CORE_PLAN_RULES_H
#define CORE_PLAN_RULES_H

#include "base/map.h"
#include "core/plan/planner.h"

#define RULES_PROVIDER_MAX 20 /* a release has two: the mailbox provider and a filter before it */
#define RULES_ACCOUNT_MAX  (PLAN_LIMITS_MAX - 2 * RULES_PROVIDER_MAX)

struct rule_set {
    struct meter *meters;
    size_t count;
};

struct rules {
    struct strmap zones;     /* name -> struct zone */
    struct strmap providers; /* name, see rules_called() -> struct rule_set */
    struct strmap called;    /* name -> oldest name, the profile's; of those that had several */
    struct rule_set *accounts;
    size_t account_count;
    struct idmap by_id; /* meter.id -> struct meter */
};

TIDE_MUST_CHECK enum tide_err rules_new(const struct config *config,
                                        const struct plan_zones *zones,
                                        struct rules **ret,
                                        struct tide_error *err);
void rules_free(struct rules *r);

/* What a provider is called in hashes and stored rows: its profile's oldest name (key formerly). */
struct text rules_called(const struct rules *r, struct text name);

#endif
