/* asker.h - runs a state machine that wants DNS answers (core/verify/question.h) over the resolver.
 *
 * Owns      a small job per run, until its callback. The machine and the resolver are the caller's
 *           and must outlive the run; after asker_run() returned TIDE_OK the machine is not to be
 *           touched until the callback.
 * Threads   loop thread only. One callback per run, never from inside asker_run().
 * Errors    whatever DNS did is an answer for the machine; a question that cannot be asked is fed
 * as one that nobody answered. The callback's code is TIDE_OK, or TIDE_ECANCELED when the resolver
 * was closed or the run cancelled.
 */
#ifndef IO_DNS_ASKER_H
#define IO_DNS_ASKER_H

#include "core/verify/question.h"
#include "io/dns/resolver.h"

struct asker_run;

typedef void (*asker_cb)(void *arg, enum tide_err rc);

/* `first` is what the machine's start wanted; it must not be done already. *ret (may be NULL) is
 * for asker_cancel() and valid until the callback. */
TIDE_MUST_CHECK enum tide_err asker_start(struct resolver *resolver,
                                          const struct question *first,
                                          question_feed feed,
                                          void *machine,
                                          asker_cb cb,
                                          void *arg,
                                          struct asker_run **ret,
                                          struct tide_error *err);
void asker_cancel(struct asker_run *run);

/* From the cache alone, at once; false when something must be asked: the machine is then of no more
 * use. Answers live in `arena`. */
bool asker_cached(struct resolver *resolver,
                  const struct question *first,
                  question_feed feed,
                  void *machine,
                  struct arena *arena);

#endif
