#include "cmd/mailtide/cli.h"

#include "base/file.h"
#include "base/macros.h"

#include <curl/curl.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define OUT_BYTES_MAX (256u << 20)

static int terminal_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int64_t n;
    if (!isatty(STDOUT_FILENO))
        return 0;
    if (columns && text_int(text_of(columns), 20, 1000, &n, NULL) == TIDE_OK)
        return (int)n;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

void cli_init(struct cli *cli)
{
    struct timespec now;
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    *cli = (struct cli){0};
    /* Widths of characters: what is written is UTF-8, whatever the locale. */
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
    tzset();
    clock_gettime(CLOCK_REALTIME, &now);
    buf_init(&cli->out, OUT_BYTES_MAX);
    cli->show = (struct show){
        .out = &cli->out,
        .colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour) &&
                  !(term && strcmp(term, "dumb") == 0),
        .width = terminal_width(),
        .now = (tide_wall_ms)now.tv_sec * TIME_SECOND_MS + now.tv_nsec / 1000000,
    };
}

void cli_fini(struct cli *cli)
{
    if (cli->curl)
        curl_easy_cleanup(cli->curl);
    buf_fini(&cli->out);
}

int cli_fail(const struct cli *cli, int code, const char *fmt, ...)
{
    char text[1024];
    struct buf line = {0};
    va_list args;
    (void)cli;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    show_text(&line, text_of(text), 0); /* it may quote what came from outside */
    fprintf(stderr, "mailtide: %s\n", buf_str(&line));
    buf_fini(&line);
    return code;
}

int cli_read_stdin(struct cli *cli, struct buf *ret)
{
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "mailtide: reading standard input, Ctrl-D ends it\n");
    for (;;) {
        char piece[65536];
        ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
        buf_add(ret, piece, n > 0 ? (size_t)n : 0);
        if (ret->failed != TIDE_OK)
            return cli_fail(cli, CLI_NO, "standard input: too large, want at most %zu bytes",
                            ret->max);
        if (n == 0)
            return CLI_OK;
        if (n < 0 && errno != EINTR)
            return cli_fail(cli, CLI_NO, "standard input: %s", strerror(errno));
    }
}

int cli_read_file(struct cli *cli, const char *path, size_t bytes_max, struct buf *ret)
{
    struct tide_error err;
    if (strcmp(path, "-") == 0) {
        ret->max = bytes_max;
        return cli_read_stdin(cli, ret);
    }
    if (file_read(path, bytes_max, ret, &err) != TIDE_OK)
        return cli_fail(cli, CLI_NO, "%s", err.text);
    return CLI_OK;
}

int cli_flush(struct cli *cli, int code)
{
    bool good = cli->out.failed == TIDE_OK &&
                fwrite(buf_str(&cli->out), 1, cli->out.len, stdout) == cli->out.len &&
                fflush(stdout) == 0;
    bool memory = cli->out.failed != TIDE_OK;
    buf_clear(&cli->out);
    if (good)
        return code;
    return cli_fail(cli, CLI_NO, memory ? "out of memory" : "cannot write to standard output");
}

const struct cli_command *cli_command_of(struct text name)
{
    for (size_t i = 0; i < cli_command_count; i++)
        if (text_eq(name, text_of(cli_commands[i].name)))
            return &cli_commands[i];
    return NULL;
}

const char *cli_option_value(const struct cli *cli, const char *name)
{
    for (size_t i = cli->given_count; i-- > 0;)
        if (strcmp(cli->given[i].option->name, name) == 0)
            return cli->given[i].value;
    return NULL;
}

const char *cli_config_file(const struct cli *cli, int mode)
{
    const char *given = cli_option_value(cli, "config");
    return given || access(CLI_CONFIG_PATH, mode) != 0 ? given : CLI_CONFIG_PATH;
}

bool cli_json(const struct cli *cli)
{
    return cli_option_value(cli, "json") != NULL;
}

/* -- The command line ----------------------------------------------------------------------------
 */

static bool option_serves(const struct cli *cli, const struct cli_option *o)
{
    return !o->command || (cli->command && strcmp(o->command, cli->command->name) == 0);
}

/* The command's own come first: its -n is its own. */
static const struct cli_option *find_option(const struct cli *cli, char letter, struct text name)
{
    for (size_t i = cli_option_count; i-- > 0;) {
        const struct cli_option *o = &cli_options[i];
        if (option_serves(cli, o) &&
            (letter ? o->letter == letter : text_eq(name, text_of(o->name))))
            return o;
    }
    return NULL;
}

static int unknown_option(const struct cli *cli, char letter, struct text name)
{
    const char *names[64];
    size_t count = 0;
    const char *of = cli->command ? cli->command->name : "";
    if (letter)
        return cli_fail(cli, CLI_USAGE, "there is no option -%c; see mailtide help %s", letter, of);
    for (size_t i = 0; i < cli_option_count && count < TIDE_COUNT(names); i++)
        if (option_serves(cli, &cli_options[i]))
            names[count++] = cli_options[i].name;
    const char *nearest = text_nearest(name, names, count);
    if (nearest)
        return cli_fail(cli, CLI_USAGE, "there is no option --" TEXT_FMT "; did you mean --%s?",
                        TEXT_ARG(name), nearest);
    return cli_fail(cli, CLI_USAGE, "there is no option --" TEXT_FMT "; see mailtide help %s",
                    TEXT_ARG(name), of);
}

static int give(struct cli *cli, const struct cli_option *o, const char *value)
{
    if (cli->given_count == CLI_OPTIONS_MAX)
        return cli_fail(cli, CLI_USAGE, "too many options, want at most %d", CLI_OPTIONS_MAX);
    cli->given[cli->given_count].option = o;
    cli->given[cli->given_count++].value = value;
    return CLI_OK;
}

/* "--name", "--name=value", "--name value". */
static int take_long(struct cli *cli, char **argv, int *at)
{
    struct text word = text_of(argv[*at] + 2);
    size_t n = text_find(word, '=');
    struct text name = text_cut(word, 0, n);
    const struct cli_option *o = find_option(cli, 0, name);
    const char *value = n < word.n ? word.p + n + 1 : NULL;
    if (!o)
        return unknown_option(cli, 0, name);
    if (!o->arg && value)
        return cli_fail(cli, CLI_USAGE, "--%s takes no value", o->name);
    if (o->arg && !value)
        value = argv[*at + 1] ? argv[++*at] : NULL;
    if (o->arg && !value)
        return cli_fail(cli, CLI_USAGE, "--%s wants %s", o->name, o->arg);
    return give(cli, o, value ? value : "");
}

/* "-n", "-n5", "-n 5", "-tn 5". */
static int take_short(struct cli *cli, char **argv, int *at)
{
    for (const char *p = argv[*at] + 1; *p; p++) {
        const struct cli_option *o = find_option(cli, *p, TEXT(""));
        const char *value = "";
        if (!o)
            return unknown_option(cli, *p, TEXT(""));
        if (o->arg) {
            value = p[1] ? p + 1 : argv[*at + 1] ? argv[++*at] : NULL;
            if (!value)
                return cli_fail(cli, CLI_USAGE, "-%c wants %s", o->letter, o->arg);
        }
        int code = give(cli, o, value);
        if (code != CLI_OK || o->arg)
            return code;
    }
    return CLI_OK;
}

int cli_no_command(const struct cli *cli, const char *name)
{
    const char *names[64];
    size_t count = TIDE_MIN(cli_command_count, TIDE_COUNT(names));
    for (size_t i = 0; i < count; i++)
        names[i] = cli_commands[i].name;
    const char *nearest = text_nearest(text_of(name), names, count);
    if (nearest)
        return cli_fail(cli, CLI_USAGE, "there is no command %s; did you mean %s?", name, nearest);
    return cli_fail(cli, CLI_USAGE, "there is no command %s; see mailtide help", name);
}

static int take_command(struct cli *cli, const char *name)
{
    cli->command = cli_command_of(text_of(name));
    return cli->command ? CLI_OK : cli_no_command(cli, name);
}

static int check_operands(struct cli *cli)
{
    const struct cli_command *c = cli->command;
    if (cli_option_value(cli, "help"))
        return CLI_OK;
    if (cli->argc < c->least)
        return cli_fail(cli, CLI_USAGE, "%s wants %s; see mailtide help %s", c->name, c->args,
                        c->name);
    if (c->most >= 0 && cli->argc > c->most)
        return cli_fail(cli, CLI_USAGE, "%s takes no \"%s\"; see mailtide help %s", c->name,
                        cli->argv[c->most], c->name);
    return CLI_OK;
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
    bool options = true;
    cli->argv = argv; /* operands are moved to the front */
    for (int i = 1; i < argc; i++) {
        int code = CLI_OK;
        if (cli->command && cli->command->most == CLI_OWN_WORDS && strcmp(argv[i], "--help") != 0)
            cli->argv[cli->argc++] = argv[i];
        else if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && strcmp(argv[i], "--version") == 0 && !cli->command)
            cli->command = cli_command_of(TEXT("version"));
        else if (options && strncmp(argv[i], "--", 2) == 0)
            code = take_long(cli, argv, &i);
        else if (options && argv[i][0] == '-' && argv[i][1])
            code = take_short(cli, argv, &i);
        else if (!cli->command)
            code = take_command(cli, argv[i]);
        else
            cli->argv[cli->argc++] = argv[i];
        if (code != CLI_OK)
            return code;
    }
    if (!cli->command && cli_option_value(cli, "help"))
        cli->command = cli_command_of(TEXT("help"));
    if (!cli->command)
        return cli_fail(cli, CLI_USAGE, "want a command; see mailtide help");
    return check_operands(cli);
}

int cli_parse_as(struct cli *cli, int argc, char **argv)
{
    static const char *const names[][2] = {{"sendmail", "sendmail"}, {"mailq", "queue"}};
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = argc > 0 ? (slash ? slash + 1 : argv[0]) : "";
    for (size_t i = 0; i < TIDE_COUNT(names); i++)
        if (strcmp(name, names[i][0]) == 0)
            cli->command = cli_command_of(text_of(names[i][1]));
    return cli_parse(cli, argc, argv);
}
