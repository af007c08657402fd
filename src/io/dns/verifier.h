/* verifier.h - a domain in, a verdict out: the DNS questions of core/verify/mx asked for real.
 *
 * Owns      its jobs. The resolver and the profiles stay the caller's and must outlive it.
 * Lifetime  verifier_open() to verifier_close(), whose callback is the last.
 * Threads   loop thread only. Every verifier_verify() that returned TIDE_OK gets exactly one
 *           callback, never from inside that call.
 * Errors    whatever DNS did is a verdict. The callback's code is TIDE_OK, or TIDE_ECANCELED when
 *           the verifier was closed; TIDE_EINVAL the domain is no name, TIDE_ELIMIT too many
 *           questions are under way.
 * Limits    one job a domain, whoever asks for it; VERIFIER_JOBS_MAX at once.
 */
#ifndef IO_DNS_VERIFIER_H
#define IO_DNS_VERIFIER_H

#include "core/record/verdict.h"
#include "io/dns/resolver.h"

#define VERIFIER_JOBS_MAX 100000

struct verifier;

/* The verdict's texts are borrowed for the call; NULL when the code is not TIDE_OK. */
typedef void (*verifier_cb)(void *arg, enum tide_err rc, const struct verdict *verdict);

TIDE_MUST_CHECK enum tide_err verifier_open(uv_loop_t *loop,
                                            struct resolver *resolver,
                                            const struct clock *clock,
                                            const struct profiles *profiles,
                                            bool private_addresses,
                                            struct verifier **ret,
                                            struct tide_error *err);
/* Before the resolver. */
void verifier_close(struct verifier *v, void (*closed)(void *arg), void *arg);

/* After a reload: the profiles in force from now on. */
TIDE_MUST_CHECK enum tide_err verifier_set_profiles(struct verifier *v,
                                                    const struct profiles *profiles,
                                                    bool private_addresses,
                                                    struct tide_error *err);

/* `domain`: A-labels, lower case (struct domain, struct addr). */
TIDE_MUST_CHECK enum tide_err verifier_verify(
    struct verifier *v, struct text domain, verifier_cb cb, void *arg, struct tide_error *err);

/* At once, when all that it takes is in the resolver's cache and holds; texts in `arena`. */
bool verifier_cached(struct verifier *v,
                     struct text domain,
                     struct arena *arena,
                     struct verdict *ret);

size_t verifier_jobs(const struct verifier *v);

#endif
