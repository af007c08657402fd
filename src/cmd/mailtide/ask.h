/* ask.h - asks the daemon: HTTP over its Unix socket.
 *
 * The socket is the one given with -s, else the one that the configuration given with -c names,
 * else $MAILTIDE_SOCKET, else that of /etc/mailtide/mailtide.conf where there is one, else
 * ./mailtide-state/status.sock.
 *
 * Owns      the connection is the cli's and is used again; an answer is the caller's (ask_fini()).
 * Errors    said on standard error, returned as exit codes.
 * Limits    ASK_BYTES_MAX for an answer.
 */
#ifndef CMD_MAILTIDE_ASK_H
#define CMD_MAILTIDE_ASK_H

#include "cmd/mailtide/cli.h"

#define ASK_BYTES_MAX (64u << 20)

struct ask {
    long status;
    struct buf body;
    struct json *doc; /* of the body */
};

/* CLI_OK: status 2xx, and the document is there. `quiet`: says nothing when it fails. */
int ask_get(struct cli *cli, const char *path, bool quiet, struct ask *ret);
int ask_post(struct cli *cli, const char *path, struct text body, struct ask *ret);
int ask_post_quiet(struct cli *cli, const char *path, struct text body, struct ask *ret);
void ask_fini(struct ask *a);

/* A whole command: asks with GET (ask_show) or with an empty POST (ask_do), and shows the answer:
 * as it is with --json, else by `show`, for which it is the daemon's now. Frees the path. */
typedef void (*ask_shower)(struct cli *cli, const struct ask *a);
int ask_show(struct cli *cli, struct buf *take_path, ask_shower show);
int ask_do(struct cli *cli, struct buf *take_path, ask_shower show);

/* An ask_shower: what was done, in the daemon's words. */
void ask_show_done(struct cli *cli, const struct ask *a);

/* Appends "?name=value" or "&name=value" with the value encoded; nothing for NULL. */
void ask_param(struct buf *path, const char *name, const char *value);

/* With --json: the daemon's own answer to the output. */
void ask_pass(struct cli *cli, const struct ask *a);

/* The instant that "in 3 h" counts from: the daemon's own, which may be hurried. */
void ask_set_now(struct cli *cli, const struct ask *a);

/* -- Reading the answers -------------------------------------------------------------------------
 */

struct text ask_text(const struct json *v, const char *name); /* "" for null */
int64_t ask_int(const struct json *v, const char *name);      /* 0 for null */
bool ask_bool(const struct json *v, const char *name);
tide_wall_ms ask_time(const struct json *v, const char *name); /* 0 for null */

/* Checks of the command line; each is CLI_OK, or CLI_USAGE after saying what is wrong. What holds
 * an
 * "@" is an address, else it has to be an id. */
int ask_check_address(const struct cli *cli, const char *what);
int ask_check_address_or_id(const struct cli *cli, const char *what, bool *ret_address);
int ask_check_most(const struct cli *cli); /* -n, where it is given: 1 to 1000 */

#endif
