/* bounce_news.h - what a mail that came back tells, as news.
 *
 *   report     each recipient: failed is BOUNCED, delayed DEFERRED; delivered, relayed and expanded
 *              are DELIVERED, since the other side took it (RFC 3464 2.3.3)
 *   complaint  abuse and fraud are COMPLAINED, an opt-out is UNSUBSCRIBED, the rest is OTHER
 *   others     nothing: an auto-reply says nothing of the mail's fate
 *
 * About which mail: the attempt that the bounce address names, else the envelope id, else the
 * Message-ID of the returned mail. Where none of the first two is ours the news is unproven.
 *
 * Owns      nothing: news point into the bounce and the arena.
 * Threads   any.
 * Errors    TIDE_ENOMEM.
 */
#ifndef CORE_OUTCOME_BOUNCE_NEWS_H
#define CORE_OUTCOME_BOUNCE_NEWS_H

#include "core/outcome/bounce.h"
#include "core/outcome/verp.h"
#include "core/record/news.h"

/* `sent_to`: the envelope's recipient, "" when only the mail itself is there. */
TIDE_MUST_CHECK enum tide_err bounce_news(const struct bounce *b,
                                          const struct verp *verp,
                                          struct text domain,
                                          struct text sent_to,
                                          struct arena *a,
                                          struct mail_news **ret,
                                          size_t *ret_count,
                                          struct tide_error *err);

#endif
