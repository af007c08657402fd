/* check_show.h - checks of a sender as people read them.
 *
 * Owns      nothing. Threads one at a time.
 */
#ifndef CMD_MAILTIDE_CHECK_SHOW_H
#define CMD_MAILTIDE_CHECK_SHOW_H

#include "cmd/mailtide/cli.h"
#include "core/verify/sender.h"

enum style check_style(enum sender_state state);
void check_show(struct cli *cli, const struct sender_check *c);

/* check_watched.c: what the daemon found at last of the senders that it watches. `domain` NULL: of
 * all. */
int check_watched(struct cli *cli, const char *domain);

#endif
