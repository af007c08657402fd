/* verify_dns.h - what `mailtide verify` asks DNS with: a loop, the configuration's resolver and
 * verifier, and the words for hints.
 *
 * Owns      all of it. Lifetime verify_dns_open() to verify_dns_fini(); verify_dns_end() in between
 *           closes what is open on the loop, which then runs out.
 * Errors    said on standard error by verify_dns_open(), which returns an exit code.
 */
#ifndef CMD_MAILTIDE_VERIFY_DNS_H
#define CMD_MAILTIDE_VERIFY_DNS_H

#include "cmd/mailtide/cli.h"
#include "core/verify/recipient.h"
#include "io/dns/verifier.h"

struct verify_dns {
    uv_loop_t loop;
    struct clock clock;
    struct config *config;
    struct resolver *resolver;
    struct verifier *verifier;
    struct recipient_index hints;
};

int verify_dns_open(struct cli *cli, struct verify_dns *ret);
void verify_dns_end(struct verify_dns *d);
/* After the loop has run out. */
void verify_dns_fini(struct verify_dns *d);

/* bulk.c: a whole list, from the file named or (NULL) from standard input. */
int bulk_verify(struct cli *cli, const char *path);

#endif
