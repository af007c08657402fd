/* netaddr.h - whether an IP address can be reached from the whole Internet.
 *
 * Owns      nothing. Threads any. Pure.
 * Standards IANA's special-purpose registries (RFC 6890 and what came after it, 2025).
 */
#ifndef CORE_VERIFY_NETADDR_H
#define CORE_VERIFY_NETADDR_H

#include "base/text.h"

/* What kind of address it is that is not global ("a private address"), NULL when it is global. */
const char *netaddr_not_global4(const uint8_t address[4]);
const char *netaddr_not_global6(const uint8_t address[16]);

#endif
