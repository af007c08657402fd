/* https_out.h - an account that is an ESP's API (core/esp/send.h): one request for each mail, or
 * for those that are ready together.
 *
 * What the API answers becomes a reply by the table in send.h. What happens on the wire:
 *
 *   name, TCP, TLS, time-out before the body was out   NOT_SENT, a fault of the account
 *   time-out, reset, nothing after the body was out    UNKNOWN
 *
 * Where the API knows idempotency keys, an unknown fate is asked for by sending the same request
 * again, a few times over half a minute. Until the API says "taken" or refuses the mail itself the
 * fate stays unknown, whatever else it answers to the repetition. Where it can be asked whether it
 * has a mail (core/esp/send_ask.h), it is asked in the same rhythm. Who rests before that gives its
 * place to the next mail; no more of them do than there are places.
 *
 * Batches (core/esp/send_batch.h), where the API takes several mails in one request and batch_max
 * of the account is not 1: when a connection is free, all that has gathered meanwhile leaves in one
 * request. No mail waits for others; one that is by itself goes by itself. Each has its own fate. A
 * batch that is refused as a whole is taken apart, each mail then goes alone; one of unknown fate
 * is sent again as it was, byte for byte, under its own key, or each of its mails is asked for, or
 * is unknown.
 *
 *   BUILDING --built--> FLYING --its fate is known--> (gone)
 *      `--unfit--> (gone)  |^--its time has come-.
 *                          `--unknown--> RESTING-'--too often, or closing--> (gone)
 *
 * Owns      its connections, requests and a copy of the key.
 * Threads   loop thread only; large mails are built on libuv's pool, names resolved there too.
 * Errors    at open: TIDE_EINVAL an unknown API, no key_id; TIDE_ESYNTAX base_url. Later: outcomes.
 * Known gap proxies of the environment are not used.
 */
#ifndef IO_RELEASE_HTTPS_OUT_H
#define IO_RELEASE_HTTPS_OUT_H

#include "io/release/account.h"

TIDE_MUST_CHECK enum tide_err https_out_open(uv_loop_t *loop,
                                             const struct config_account *config,
                                             struct account **ret,
                                             struct tide_error *err);

/* The first pause before a request of unknown fate is sent again or asked for; tripled each time.
 * 1 s until set. */
void https_out_set_again_ms(struct account *a, int64_t again_ms);

#endif
