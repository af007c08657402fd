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

/* Whose fault it is, as half a sentence: "nobody's: a limit of theirs, which passes". */
const char *explain_fault(enum reply_fault f);

/* Members of an open object: text, provider, code, status, stage, class, fault, retry, cause, ...
 */
void explain_put_meaning(struct json_writer *w,
                         const struct reply_said *said,
                         const struct meaning *m);

/* The same for mails that came back (an mbox may hold several), into an open object: what the first
 * report of them is, then the recipients of all. With several, "mails" says what each of them is,
 * and "mail" in a recipient which one it is of, from 1. At least one mail. */
void explain_put_bounces(struct json_writer *w, const struct bounce *mails, size_t count);

#endif
