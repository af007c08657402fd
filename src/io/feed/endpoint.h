/* endpoint.h - one application's webhook; private to io/feed.
 *
 * Lifetime  endpoint_open() to the closed callback of endpoint_close(), which stores what was taken
 *           and breaks off what is under way: that is told again later.
 * Errors    an endpoint that cannot be opened says so in the log.
 */
#ifndef IO_FEED_ENDPOINT_H
#define IO_FEED_ENDPOINT_H

#include "io/feed/feed.h"

struct endpoint;

TIDE_MUST_CHECK enum tide_err endpoint_open(const struct feed_parts *parts,
                                            const struct config_application *application,
                                            struct endpoint **ret,
                                            struct tide_error *err);
const struct config_application *endpoint_application(const struct endpoint *e);
void endpoint_wake(struct endpoint *e, bool letters); /* something may be new */
void endpoint_hurry(struct endpoint *e); /* no letter waits any longer: it is another place now */
void endpoint_close(struct endpoint *e, void (*closed)(void *arg, struct endpoint *e), void *arg);

#endif
