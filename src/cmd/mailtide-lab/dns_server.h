/* dns_server.h - answers for struct names over UDP and TCP on one port, as a resolver would.
 *
 * Owns      its sockets; every connection and every delayed answer holds a reference.
 * Lifetime  dns_server_open() to the callback of dns_server_close().
 * Threads   loop thread only.
 * Errors    TIDE_EINVAL an address that is none, TIDE_ECONN the sockets.
 */
#ifndef CMD_MAILTIDE_LAB_DNS_SERVER_H
#define CMD_MAILTIDE_LAB_DNS_SERVER_H

#include "cmd/mailtide-lab/names.h"

#include <uv.h>

struct dns_server;

TIDE_MUST_CHECK enum tide_err dns_server_open(uv_loop_t *loop,
                                              const char *listen,
                                              const struct names *names,
                                              struct dns_server **ret,
                                              struct tide_error *err);
void dns_server_close(struct dns_server *s, void (*closed)(void *arg), void *arg);

const char *dns_server_name(const struct dns_server *s); /* "127.0.0.1:40123" */

#endif
