/* provider.h - who runs a domain's mailboxes, told by its MX hosts or by its own name.
 *
 * Owns      struct provider_index its tables; the profiles stay the caller's and must outlive it.
 * Lifetime  provider_index_init() to provider_index_fini(); once per load of the profiles.
 * Threads   any, read only once made. Pure.
 * Errors    TIDE_ENOMEM, the index is then empty.
 * Limits    one look-up per label of a host's name at most, whatever the number of profiles.
 */
#ifndef CORE_VERIFY_PROVIDER_H
#define CORE_VERIFY_PROVIDER_H

#include "base/map.h"
#include "core/config/profile.h"

#define PROVIDER_ENDS_BITS 8192

struct provider_index {
    struct strmap hosts;   /* "mx1.qq.com", ".l.google.com" */
    struct strmap domains; /* "gmail.com" */
    const char **known;    /* the same, and free mail: what a typo may have meant */
    size_t known_count;
    struct strmap includes; /* "_spf.google.com": of providers that keep mailboxes */
    struct provider_selector {
        struct text name, end; /* end: of the CNAME's target, with its dot; empty: any */
        const struct profile *of;
    } * selectors;
    size_t selector_count;
    struct strmap odd_hosts; /* of schedules/lists, to enum provider_oddity */
    /* A bit for the last bytes of each claim on a host: most hosts are nobody's, and this says so
     * without a look-up for each of their labels. */
    uint64_t ends[PROVIDER_ENDS_BITS / 64];
    bool any_end; /* some claim is shorter than that */
};

/* Mail hosts that take mail and deliver it to nobody who was meant. */
enum provider_oddity { PROVIDER_NOT_ODD, PROVIDER_PARKED, PROVIDER_DISPOSABLE };

TIDE_MUST_CHECK enum tide_err provider_index_init(struct provider_index *ix,
                                                  const struct profiles *profiles,
                                                  struct tide_error *err);
void provider_index_fini(struct provider_index *ix);

struct provider_match {
    const struct profile *provider; /* NULL: none, or the hosts disagree */
    const struct profile *gateway;  /* a filter in front of the mailboxes; NULL: none */
    bool by_domain;                 /* it was the domain's own name that told */
};

/* All hosts that are no gateway must be the same provider's; a host that no profile claims agrees
 * with none. Where the hosts do not tell, the domain's own name may. Names in lower case. */
struct provider_match provider_match(const struct provider_index *ix,
                                     struct text domain,
                                     const struct text *hosts,
                                     size_t host_count);

/* A provider's domain that `domain` is a likely slip of ("gmial.com": "gmail.com"); empty: none.
 * A hint for people, never a change. O(known domains): for bad news, not for every mail. */
struct text provider_suggest(const struct provider_index *ix, struct text domain);

/* Who gives its customers this SPF include; NULL: nobody, or a gateway. */
const struct profile *provider_of_include(const struct provider_index *ix, struct text include);

enum provider_oddity provider_oddity(const struct provider_index *ix, struct text host);

#endif
