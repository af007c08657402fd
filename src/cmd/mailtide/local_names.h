/* local_names.h - names of this machine, for addresses that programs leave without a domain.
 *
 * Owns      nothing; texts are in the arena. Threads one. Errors {NULL, 0}: out of memory.
 */
#ifndef CMD_MAILTIDE_LOCAL_NAMES_H
#define CMD_MAILTIDE_LOCAL_NAMES_H

#include "base/arena.h"
#include "base/text.h"

#define LOCAL_HOST_BYTES 256

/* /etc/mailname's first line (Debian policy 11.6), else the machine's own name. */
void local_host(char ret[LOCAL_HOST_BYTES]);

/* Whoever calls: the login name, and the person's from the passwd entry ("" when there is none). */
struct text local_user(struct arena *a);
struct text local_user_name(struct arena *a);

/* With an "@" as it is; else the first address in the alias's line of /etc/aliases, else NAME@host.
 * What an alias pipes, writes to a file or includes is not followed: nothing is delivered here. */
struct text local_address(struct arena *a, struct text name, const char *host);

/* The same, of the text of an aliases(5) file. */
struct text local_alias(struct arena *a, struct text aliases, struct text name, const char *host);

#endif
