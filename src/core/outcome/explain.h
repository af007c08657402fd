/* explain.h - a meaning for programs, and who said what is to be explained.
 *
 * Owns      nothing.
 * Threads   any.
 */
#ifndef CORE_OUTCOME_EXPLAIN_H
#define CORE_OUTCOME_EXPLAIN_H

#include "core/outcome/bounce.h"
#include "core/proto/json_write.h"
#include "core/verify/provider.h"

/* The provider that runs the host, by its MX suffixes; empty: none, or not known. */
struct text explain_provider_of_host(const struct provider_index *providers, struct text host);

/* The same of the first host that is named in a text and is some provider's: "host mx3.qq.com[...]
 * said: ...". */
struct text explain_provider_told(const struct provider_index *providers, struct text words);

/* What people call a provider: its profile's name, a mail exchanger of its, or a domain of its
 * mailboxes. Empty: nobody is called so. */
struct text explain_provider_named(const struct profiles *all,
                                   const struct provider_index *providers,
                                   struct text given);

/* Whose fault it is, as half a sentence: "nobody's: a limit of theirs, which passes". */
const char *explain_fault(enum reply_fault f);

/* Members of an open object: text, provider, code, status, stage, class, fault, retry, cause, ...
 */
void explain_put_meaning(struct json_writer *w,
                         const struct reply_said *said,
                         const struct meaning *m);

/* What explains: borrowed. */
struct explainer {
    const struct rulebook *rules;
    const struct provider_index *providers;
};

#define EXPLAIN_MAILS_MAX 1000 /* of an mbox */

/* Reads a reply; `provider` empty: whom the words name. */
void explain_words(const struct explainer *x,
                   struct text words,
                   struct text provider,
                   struct reply_said *ret_said,
                   struct meaning *ret);

/* Reads each mail of a file (one, or an mbox), up to EXPLAIN_MAILS_MAX, into the arena. */
TIDE_MUST_CHECK enum tide_err explain_mails(const struct explainer *x,
                                            struct text file,
                                            struct arena *arena,
                                            struct bounce **ret,
                                            size_t *ret_count,
                                            struct tide_error *err);

/* What a complaint of this type means, as sentences for people. */
struct explain_complaint {
    const char *cause, *advice, *consequence;
};
struct explain_complaint explain_complaint_of(struct text type);

/* The same for mails that came back (an mbox may hold several), into an open object: what the first
 * report of them is, then the recipients of all. With several, "mails" says what each of them is,
 * and "mail" in a recipient which one it is of, from 1. At least one mail. */
void explain_put_bounces(struct json_writer *w, const struct bounce *mails, size_t count);

#endif
