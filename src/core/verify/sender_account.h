/* sender_account.h - what the configuration says of an account, as the sender report wants it.
 *
 * Owns      struct sender_account holds what its input points to beside the configuration.
 * Threads   any. Pure.
 * Errors    TIDE_EADDR: the account's mail_from makes no domain of this From.
 */
#ifndef CORE_VERIFY_SENDER_ACCOUNT_H
#define CORE_VERIFY_SENDER_ACCOUNT_H

#include "core/config/config.h"
#include "core/verify/sender.h"

struct sender_account {
    struct sender_ip ips[SENDER_IPS_MAX];
    struct text selectors[SENDER_KEYS_MAX];
    struct domain mail_from;
};

/* "192.0.2.1"; false: that is no IP address. */
bool sender_ip_parse(struct text t, struct sender_ip *ret);

/* Profile, selectors, own addresses and envelope domain of the account into `in`, whose domain is
 * set; what is there already stays. */
TIDE_MUST_CHECK enum tide_err sender_account_take(struct sender_account *keep,
                                                  const struct config *c,
                                                  const struct config_account *a,
                                                  struct sender_input *in,
                                                  struct tide_error *err);

#endif
