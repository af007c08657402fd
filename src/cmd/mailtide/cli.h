/* cli.h - one run of mailtide: the table of commands and options, and what they share.
 *
 * The table is what help, completion, option parsing and the manual's lists come from: a command or
 * an option exists when it stands there, and only then.
 *
 * Owns      struct cli: its answer buffer, its connection, its texts (cli_fini()).
 * Lifetime  cli_init() to cli_fini(). Operands and option values point into argv.
 * Threads   one.
 * Errors    a command returns its exit code and has said on standard error what is wrong: one line,
 *           what, where, what to do.
 */
#ifndef CMD_MAILTIDE_CLI_H
#define CMD_MAILTIDE_CLI_H

#include "cmd/mailtide/show.h"
#include "core/proto/json.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_NO = 1,            /* it failed, or the answer is no */
    CLI_USAGE = 2,         /* the command line is wrong */
    CLI_UNREACHABLE = 3,   /* no daemon answers */
    CLI_NOT_FOUND = 4,     /* no such recipient or notification */
    CLI_NOT_PERMITTED = 5, /* for operators only */
};

#define CLI_OPTIONS_MAX       24 /* of one command, the general ones included */
#define CLI_MESSAGE_BYTES_MAX (100u << 20)
#define CLI_CONFIG_PATH       "/etc/mailtide/mailtide.conf"
#define CLI_OWN_WORDS         (-2) /* all that follows, options too, is the command's own to read */

struct cli;

struct cli_option {
    const char *command; /* NULL: of every command */
    char letter;         /* 0: none */
    const char *name;
    const char *arg; /* what it takes, for people; NULL: nothing */
    const char *help;
};

struct cli_command {
    const char *name;
    const char *args; /* operands, for people: "ADDRESS|ID" */
    int least, most;  /* operands; most -1: any number; CLI_OWN_WORDS */
    int (*run)(struct cli *cli);
    const char *help; /* a line */
    const char *more; /* paragraphs, divided by empty lines; NULL: none */
};

extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;
extern const struct cli_option cli_options[];
extern const size_t cli_option_count;
extern const struct cli_exit_text {
    enum cli_exit code;
    const char *text;
} cli_exits[];
extern const size_t cli_exit_count;

struct cli {
    const struct cli_command *command;
    int argc; /* operands */
    char **argv;
    struct {
        const struct cli_option *option;
        const char *value; /* "" for those that take nothing */
    } given[CLI_OPTIONS_MAX];
    size_t given_count;
    struct buf out; /* written to standard output at the end */
    struct show show;
    void *curl;
    long patience_s; /* for an answer; 0: as usual */
    char socket[512];
    const char *socket_from; /* for errors: "-s", "$MAILTIDE_SOCKET", ... */
};

void cli_init(struct cli *cli);
void cli_fini(struct cli *cli);

/* Reads the whole command line; CLI_OK, or CLI_USAGE after saying what is wrong. */
int cli_parse(struct cli *cli, int argc, char **argv);
/* The same; a program that is called sendmail or mailq (by a link) is that command. */
int cli_parse_as(struct cli *cli, int argc, char **argv);

const struct cli_command *cli_command_of(struct text name);
/* Says so, with the nearest one; CLI_USAGE. */
int cli_no_command(const struct cli *cli, const char *name);

/* Value of an option, NULL: not given. */
const char *cli_option_value(const struct cli *cli, const char *name);
bool cli_json(const struct cli *cli);

/* The file of -c; else CLI_CONFIG_PATH where access(2) grants `mode`: F_OK, or R_OK for commands
 * that do without it where it is not theirs to read; else NULL. */
const char *cli_config_file(const struct cli *cli, int mode);

/* "mailtide: ..." on standard error; returns `code`. */
int cli_fail(const struct cli *cli, int code, const char *fmt, ...) TIDE_PRINTF(3, 4);

/* All of standard input, at most ret->max; CLI_OK, or CLI_NO after saying what is wrong. */
int cli_read_stdin(struct cli *cli, struct buf *ret);
/* The same of a file, or of standard input for "-". */
int cli_read_file(struct cli *cli, const char *path, size_t bytes_max, struct buf *ret);

/* Writes cli->out to standard output and empties it; `code`, or CLI_NO when that went wrong. */
int cli_flush(struct cli *cli, int code);

/* -- Commands ------------------------------------------------------------------------------------
 */

int cmd_status(struct cli *cli);
int cmd_top(struct cli *cli);
int cmd_queue(struct cli *cli);
int cmd_why(struct cli *cli);
int cmd_events(struct cli *cli);
int cmd_limits(struct cli *cli);
int cmd_suppress(struct cli *cli);
int cmd_guard(struct cli *cli);
int suppress_sync(struct cli *cli); /* cmd_suppress_sync.c */
int cmd_verify(struct cli *cli);
int cmd_send(struct cli *cli);
int cmd_sendmail(struct cli *cli);
int cmd_cancel(struct cli *cli);
int cmd_release(struct cli *cli);
int cmd_backup(struct cli *cli);
int cmd_check_config(struct cli *cli);
int cmd_check_sender(struct cli *cli);
int cmd_explain(struct cli *cli);
int cmd_simulate(struct cli *cli);
int cmd_learn(struct cli *cli);
int cmd_forecast(struct cli *cli);
int cmd_ingest(struct cli *cli);
int cmd_completion(struct cli *cli);
int cmd_help(struct cli *cli);
int cmd_version(struct cli *cli);

#endif
