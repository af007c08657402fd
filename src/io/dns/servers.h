/* servers.h - which name servers to ask: "IP", "IP:port", "[v6]:port", "system".
 *
 * Owns      nothing. Threads any; "system" reads /etc/resolv.conf.
 * Errors    TIDE_EINVAL names the server that is none.
 */
#ifndef IO_DNS_SERVERS_H
#define IO_DNS_SERVERS_H

#include "core/dns/query.h"

#include <sys/socket.h>

#define DNS_PORT 53

TIDE_MUST_CHECK enum tide_err server_parse(struct text t,
                                           struct sockaddr_storage *ret,
                                           struct tide_error *err);

/* The "nameserver" lines of a resolv.conf; what is no address is passed over. */
size_t servers_of_resolv_conf(struct text content, struct sockaddr_storage *ret, size_t max);

/* All that `names` say, at most DNS_SERVERS_MAX; at least one, or an error. */
TIDE_MUST_CHECK enum tide_err servers_parse(char *const *names,
                                            size_t count,
                                            struct sockaddr_storage ret[DNS_SERVERS_MAX],
                                            size_t *ret_count,
                                            struct tide_error *err);

#endif
