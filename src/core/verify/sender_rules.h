/* sender_rules.h - what providers demand of senders, and the block lists to ask: two files of
 * schedules/ (demands.conf, dnsbl.conf), described in schedules/README.
 *
 * Owns      everything it points to (sender_rules_fini()).
 * Threads   any, read only once made.
 * Errors    "FILE:LINE: KEY: want ..., got ..."
 */
#ifndef CORE_VERIFY_SENDER_RULES_H
#define CORE_VERIFY_SENDER_RULES_H

#include "core/config/config.h"
#include "core/verify/dnsbl.h"

enum sender_topic {
    SENDER_AUTHENTICATION, /* SPF or DKIM, either */
    SENDER_SPF,
    SENDER_SPF_OPEN, /* the record lets everybody send */
    SENDER_DKIM,
    SENDER_DMARC,
    SENDER_ALIGNMENT,
    SENDER_PTR,
    SENDER_UNSUBSCRIBE,
    SENDER_BLOCK_LISTS,
    SENDER_RESOLVES, /* the domain of From can be written to */
};

struct sender_demand {
    char *name;     /* "gmail-dmarc" */
    char *provider; /* profile */
    char *title;    /* what people call the provider */
    enum sender_topic topic;
    bool bulk;    /* of bulk senders only */
    char **zones; /* block lists that it is about, with those below; none: any */
    size_t zone_count;
    char *rule;        /* what is demanded, a sentence */
    char *consequence; /* what happens else, a sentence */
    char *reference, *date;
};

struct sender_rules {
    struct dnsbl_zone *zones;
    size_t zone_count;
    struct sender_demand *demands;
    size_t demand_count;
    struct arena memory;
};

/* From every folder of config->schedules; a later one's entry takes the place of an earlier one's
 * of the same name. No folder, no file: no rules. */
TIDE_MUST_CHECK enum tide_err sender_rules_load(const struct config *config,
                                                const struct config_source *source,
                                                struct sender_rules *ret,
                                                struct tide_error *err);
void sender_rules_fini(struct sender_rules *r);

/* One file's text, added to *r. */
TIDE_MUST_CHECK enum tide_err sender_rules_add(struct sender_rules *r,
                                               const char *file,
                                               struct text content,
                                               struct tide_error *err);

#endif
