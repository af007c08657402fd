/* amazon.h - what SNS's messages make one ask Amazon for: certificates of signatures, once each,
 * and the confirmation of a subscription.
 *
 * Addresses come checked (core/esp/events_ses.c): https, sns.REGION.amazonaws.com, so that nobody
 * makes mailtide fetch from elsewhere. An account may name what stands in that host's place
 * (events_sns): then path and query are asked for there, and nowhere else.
 *
 * Owns      copies of what it fetched; requests under way.
 * Lifetime  amazon_new() to the closed callback of amazon_close(), which breaks requests off.
 * Threads   loop thread only; callbacks never come from inside the call but for a certificate that
 *           is there already.
 * Limits    AMAZON_CERTIFICATES_MAX are kept, the oldest goes.
 */
#ifndef IO_EVENTS_AMAZON_H
#define IO_EVENTS_AMAZON_H

#include "io/events/webhooks.h"

#define AMAZON_CERTIFICATES_MAX 16

struct amazon;

struct amazon *amazon_new(const struct webhooks_options *options); /* NULL: out of memory */
void amazon_close(struct amazon *a, void (*closed)(void *arg), void *arg);

/* pem "": `error` says why not. */
typedef void (*amazon_cb)(void *arg, struct text pem, const char *error);
void amazon_certificate(struct amazon *a,
                        const struct config_account *account,
                        struct text url,
                        amazon_cb done,
                        void *arg);

/* What became of it is journalled. */
void amazon_confirm(struct amazon *a,
                    const struct config_account *account,
                    struct text url,
                    struct text topic);

#endif
