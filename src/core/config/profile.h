/* profile.h - a provider's or an ESP's limits and habits, read from a file in schedules/.
 *
 * No provider's name or number stands in C; whatever mailtide knows about one is in these structs.
 *
 * Owns      everything it points to (profile_fini()).
 * Threads   any, read only once parsed.
 * Errors    "FILE:LINE: KEY: want ..., got ...", with the nearest known key where one is meant.
 */
#ifndef CORE_CONFIG_PROFILE_H
#define CORE_CONFIG_PROFILE_H

#include "core/config/lists.h"
#include "core/limit/guard_rule.h"

enum profile_kind { PROFILE_PROVIDER, PROFILE_ACCOUNT };

struct profile {
    enum profile_kind kind;
    char *name;  /* "qq": the file's name without ".conf" */
    char *title; /* "QQ Mail (Tencent), personal" */
    char *file;
    char *
        *formerly; /* providers: names it had before; what is stored under the first still counts */
    size_t formerly_count;

    /* providers: how they are recognised. A suffix starting with "." matches any host below it,
     * else the whole host name; both without case. Names of domains match the domain itself. */
    char **mx_suffixes;
    size_t mx_suffix_count;
    char **domains;
    size_t domain_count;
    char **spf_includes; /* confirms, never decides alone */
    size_t spf_include_count;
    bool is_gateway;     /* filters for somebody else's mailboxes */
    bool ignores_dots;   /* local part: a.b is ab, for counting only */
    char subaddress_sep; /* local part: what follows it is ignored for counting; 0: nothing */

    /* The selectors that their customers publish. Of providers, each may be followed by a blank and
     * by what its CNAME's target ends with: "selector1 onmicrosoft.com". */
    char **dkim_selectors;
    size_t dkim_selector_count;
    char *api, *base_url; /* NULL: it has no API that mailtide knows */
    char **smtp_hosts;    /* accounts': its smarthosts; "*" stands for anything in one place */
    size_t smtp_host_count;

    struct limit *limits;
    size_t limit_count;
    struct guard_rule *guards;
    size_t guard_count;
    int connections;             /* simultaneous; 0: not known */
    int messages_per_connection; /* 0: not known */
    int batch_max;               /* accounts': different mails in one request of its API; 0: one */

    /* what their front doors take in one message */
    int recipients_per_message; /* 0: not known */
    int64_t message_bytes_max;  /* 0: not known */

    struct arena memory; /* everything above */
};

void profile_fini(struct profile *p);

/* Parses the text of one file; `file` is for error texts and gives the profile its name. */
TIDE_MUST_CHECK enum tide_err profile_parse(enum profile_kind kind,
                                            const char *file,
                                            struct text content,
                                            struct profile *ret,
                                            struct tide_error *err);

/* All profiles in force. */
struct profiles {
    struct profile *providers, *accounts;
    size_t provider_count, account_count;
    struct lists lists;
};

void profiles_fini(struct profiles *p);
const struct profile *profiles_provider(const struct profiles *p, struct text name);
/* Whether both know the same providers by the same marks. */
bool profiles_recognise_alike(const struct profiles *a, const struct profiles *b);
const struct profile *profiles_account(const struct profiles *p, struct text name);

#endif
