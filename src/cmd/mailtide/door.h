/* door.h - hands mail in at the daemon's SMTP door, as any program on this machine may.
 *
 * The door is $MAILTIDE_SMTP ("[USER:PASSWORD@]ADDRESS", an address as in smtp.listen), else
 * /run/mailtide/smtp.sock where there is one, else that of the configuration, else 127.0.0.1:2525.
 *
 * Owns      the connection (door_close()).
 * Threads   one; calls block, at most DOOR_TIMEOUT_MS without a byte from the daemon.
 * Errors    TIDE_ECONN nobody answers there; TIDE_ETIMEOUT, TIDE_ESYNTAX in $MAILTIDE_SMTP. What
 *           the daemon says of a mail stands in its recipients' results.
 */
#ifndef CMD_MAILTIDE_DOOR_H
#define CMD_MAILTIDE_DOOR_H

#include "core/proto/smtp_client.h"

#define DOOR_TIMEOUT_MS (5 * TIME_MINUTE_MS)

struct door {
    char name[160]; /* where it is, for texts */
    char user[128], password[256];
    int fd;
};

/* `config`: the file to look into; NULL: /etc/mailtide/mailtide.conf where it can be read. */
TIDE_MUST_CHECK enum tide_err door_open(const char *config,
                                        struct door *ret,
                                        struct tide_error *err);
void door_close(struct door *d);

/* One mail; `helo` is our own name. TIDE_OK: each recipient has its result. */
TIDE_MUST_CHECK enum tide_err door_mail(struct door *d,
                                        const char *helo,
                                        struct smtp_mail *mail,
                                        struct tide_error *err);

/* Carries bytes between standard input and output and the daemon until it hangs up: SMTP spoken by
 * whoever started us. */
TIDE_MUST_CHECK enum tide_err door_relay(struct door *d, struct tide_error *err);

#endif
