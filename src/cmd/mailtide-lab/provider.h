/* provider.h - a mailbox provider: an SMTP server with limits, mailboxes and moods.
 *
 * What is looked at, in order: an outage, connections at once, limits at connect; limits at MAIL;
 * at RCPT the mailbox (unknown, full), greylisting, limits; at the end of DATA limits again.
 *
 * Owns      its SMTP service and counters. World, clock and books are the caller's.
 * Lifetime  provider_open() to the callback of provider_close().
 * Threads   loop thread only.
 */
#ifndef CMD_MAILTIDE_LAB_PROVIDER_H
#define CMD_MAILTIDE_LAB_PROVIDER_H

#include "cmd/mailtide-lab/books.h"
#include "cmd/mailtide-lab/limits.h"
#include "io/loop/clock.h"

#include <uv.h>

struct provider;

TIDE_MUST_CHECK enum tide_err provider_open(uv_loop_t *loop,
                                            const struct clock *clock,
                                            const struct world *world,
                                            int index,
                                            struct books *books,
                                            struct provider **ret,
                                            struct tide_error *err);
void provider_close(struct provider *p, void (*closed)(void *arg), void *arg);

int provider_port(const struct provider *p);
const char *provider_name(const struct provider *p, char *out, size_t size); /* "127.0.0.1:40123" */
const struct meters *provider_meters(const struct provider *p);

#endif
