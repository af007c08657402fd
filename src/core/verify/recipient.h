/* recipient.h - hints that an address itself gives: a likely slip, a role, a throw-away domain,
 * free mail. A hint changes nothing; what is done about one is a stream's to say
 * (streams.NAME.risky).
 *
 * Owns      struct recipient_index its tables; the words stay the profiles' (schedules/lists) and
 *           must outlive it.
 * Lifetime  recipient_index_init() to recipient_index_fini(); once per load of the profiles.
 * Threads   any, read only once made. Pure.
 * Errors    TIDE_ENOMEM, the index is then empty.
 * Limits    an address costs a look-up per label, and one per letter of its domain, however many
 *           words there are.
 */
#ifndef CORE_VERIFY_RECIPIENT_H
#define CORE_VERIFY_RECIPIENT_H

#include "base/buf.h"
#include "base/map.h"
#include "core/config/profile.h"
#include "core/record/hint.h"

struct recipient_slip;

struct recipient_index {
    struct strmap domains; /* known domains, what they are */
    struct strmap roles;
    struct strmap slips; /* known domains with one letter less */
    struct arena memory;
};

TIDE_MUST_CHECK enum tide_err recipient_index_init(struct recipient_index *ix,
                                                   const struct profiles *profiles,
                                                   struct tide_error *err);
void recipient_index_fini(struct recipient_index *ix);

struct recipient_hints {
    unsigned found;    /* of enum recipient_hint */
    struct text meant; /* the domain that a slip was meant to be; lives in the index */
};

/* `domain`: A-labels, lower case. */
void recipient_hints(const struct recipient_index *ix,
                     struct text local,
                     struct text domain,
                     struct recipient_hints *ret);

/* "role,free-mail", in the order above. */
void recipient_hints_names(unsigned found, struct buf *out);

/* A sentence for each, divided by blanks: "gmial.com is one slip away from gmail.com." */
void recipient_hints_sentences(const struct recipient_hints *h,
                               struct text local,
                               struct text domain,
                               struct buf *out);

#endif
