/* help, version and completion: all from the tables. */
#include "cmd/mailtide/cli.h"
#include "cmd/mailtide/manual.h"

#include <stdio.h>

#define NAME_COLUMNS 26

static void option_line(struct cli *cli, const struct cli_option *o)
{
    char left[64];
    int n = o->letter ? snprintf(left, sizeof left, "-%c, --%s", o->letter, o->name)
                      : snprintf(left, sizeof left, "    --%s", o->name);
    if (o->arg)
        snprintf(left + n, sizeof left - (size_t)n, " %s", o->arg);
    buf_addf(&cli->out, "  %-*s  ", NAME_COLUMNS, left);
    show_paragraph(&cli->show, NAME_COLUMNS + 4, NAME_COLUMNS + 4, text_of(o->help));
}

static bool is_of(const struct cli_option *o, const char *command)
{
    return command ? o->command && strcmp(o->command, command) == 0 : !o->command;
}

static bool options_of(struct cli *cli, const char *command, const char *title)
{
    bool any = false;
    for (size_t i = 0; i < cli_option_count; i++) {
        if (!is_of(&cli_options[i], command))
            continue;
        if (!any)
            buf_addf(&cli->out, "\n%s:\n", title);
        any = true;
        option_line(cli, &cli_options[i]);
    }
    return any;
}

static void overview(struct cli *cli)
{
    buf_adds(&cli->out, "usage: mailtide [-s SOCKET | -c FILE] [--json] COMMAND\n\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *c = &cli_commands[i];
        size_t columns = strlen(c->name) + 1 + strlen(c->args);
        buf_addf(&cli->out, "  %s %s", c->name, c->args);
        if (columns > NAME_COLUMNS) /* its help stands below */
            buf_addf(&cli->out, "\n%*s", NAME_COLUMNS + 4, "");
        else
            buf_addf(&cli->out, "%*s", (int)(NAME_COLUMNS - columns) + 2, "");
        show_paragraph(&cli->show, NAME_COLUMNS + 4, NAME_COLUMNS + 4, text_of(c->help));
    }
    options_of(cli, NULL, "options of every command");
    buf_adds(&cli->out, "\nexit codes:\n");
    for (size_t i = 0; i < cli_exit_count; i++)
        buf_addf(&cli->out, "  %d  %s\n", (int)cli_exits[i].code, cli_exits[i].text);
    buf_adds(&cli->out, "\nThe manual: man mailtide, man mailtided, man mailtide.conf\n");
}

/* Paragraphs that are divided by empty lines, with one before each. */
static void more(struct cli *cli, struct text rest)
{
    int width = cli->show.width;
    cli->show.width = width ? width : 80;
    while (rest.n > 0) {
        size_t end = text_ifind(rest, TEXT("\n\n"));
        buf_addc(&cli->out, '\n');
        show_paragraph(&cli->show, 0, 0, text_cut(rest, 0, end));
        rest = text_cut(rest, end + 2, SIZE_MAX);
    }
    cli->show.width = width;
}

static void about(struct cli *cli, const struct cli_command *c)
{
    buf_addf(&cli->out, "usage: mailtide %s [OPTION...]%s%s\n\n", c->name, c->args[0] ? " " : "",
             c->args);
    char first = c->help[0];
    buf_addf(&cli->out, "%c%s.\n", first >= 'a' && first <= 'z' ? first - 32 : first, c->help + 1);
    more(cli, text_of(c->more));
    options_of(cli, c->name, "options");
    if (c->most != CLI_OWN_WORDS)
        options_of(cli, NULL, "options of every command");
}

int cmd_help(struct cli *cli)
{
    const char *list = cli_option_value(cli, "roff");
    const struct cli_command *c = cli->command;
    if (list && !manual_list(list, &cli->out))
        return cli_fail(cli, CLI_USAGE, "--roff wants commands, exits or keys, got %s", list);
    if (list)
        return CLI_OK;
    if (c->run == cmd_help && cli->argc == 0) {
        overview(cli);
        return CLI_OK;
    }
    if (c->run == cmd_help) {
        c = cli_command_of(text_of(cli->argv[0]));
        if (!c)
            return cli_no_command(cli, cli->argv[0]);
    }
    about(cli, c);
    return CLI_OK;
}

int cmd_version(struct cli *cli)
{
    buf_adds(&cli->out, "mailtide " MAILTIDE_VERSION "\n");
    return CLI_OK;
}

/* -- Completion ----------------------------------------------------------------------------------
 */

static void words_of_options(struct buf *b, const char *command)
{
    for (size_t i = 0; i < cli_option_count; i++) {
        const struct cli_option *o = &cli_options[i];
        if (o->command && (!command || strcmp(o->command, command) != 0))
            continue;
        buf_addf(b, " --%s", o->name);
        if (o->letter)
            buf_addf(b, " -%c", o->letter);
    }
}

/* Options that are followed by a word, as a pattern: "-s|--socket|..." */
static void pattern_of_taking(struct buf *b, bool files)
{
    bool first = true;
    for (size_t i = 0; i < cli_option_count; i++) {
        const struct cli_option *o = &cli_options[i];
        bool is_file = !o->command && o->arg;
        if (!o->arg || is_file != files)
            continue;
        buf_addf(b, "%s--%s", first ? "" : "|", o->name);
        /* -n takes a number in some commands and nothing in others: not guessed at here */
        if (o->letter && o->letter != 'n')
            buf_addf(b, "|-%c", o->letter);
        first = false;
    }
}

static void completion_bash(struct buf *b)
{
    buf_adds(b, "# bash completion for mailtide: eval \"$(mailtide completion bash)\"\n"
                "_mailtide() {\n"
                "    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    local i command= words=\n"
                "    COMPREPLY=()\n"
                "    case $last in\n    ");
    pattern_of_taking(b, true);
    buf_adds(b, ")\n        COMPREPLY=($(compgen -f -- \"$word\"))\n        return ;;\n    ");
    pattern_of_taking(b, false);
    buf_adds(b, ")\n        return ;;\n    esac\n"
                "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                "        case ${COMP_WORDS[i]} in\n        ");
    pattern_of_taking(b, true);
    buf_adds(b, ") i=$((i + 1)) ;;\n"
                "        -*) ;;\n"
                "        *) command=${COMP_WORDS[i]}; break ;;\n"
                "        esac\n"
                "    done\n"
                "    case $command in\n"
                "    '') words=\"");
    for (size_t i = 0; i < cli_command_count; i++)
        buf_addf(b, "%s%s", i ? " " : "", cli_commands[i].name);
    words_of_options(b, NULL);
    buf_adds(b, "\" ;;\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *c = &cli_commands[i];
        buf_addf(b, "    %s) words=\"", c->name);
        if (c->run == cmd_completion)
            buf_adds(b, "bash zsh");
        for (size_t k = 0; c->run == cmd_help && k < cli_command_count; k++)
            buf_addf(b, "%s%s", k ? " " : "", cli_commands[k].name);
        words_of_options(b, c->name);
        buf_adds(b, "\" ;;\n");
    }
    buf_adds(b, "    esac\n"
                "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                "}\n"
                "complete -F _mailtide mailtide\n");
}

/* What stands between the brackets of _arguments and _describe, in single quotes. */
static void add_zsh(struct buf *b, const char *s)
{
    for (; *s; s++) {
        if (*s == '\'')
            buf_adds(b, "'\\''");
        else if (strchr("[]:\\", *s))
            buf_addf(b, "\\%c", *s);
        else
            buf_addc(b, *s);
    }
}

static void zsh_option(struct buf *b, const struct cli_option *o)
{
    const char *action = o->command ? "" : "_files";
    char names[2][40] = {"", ""};
    snprintf(names[0], sizeof names[0], "--%s", o->name);
    if (o->letter)
        snprintf(names[1], sizeof names[1], "-%c", o->letter);
    for (size_t i = 0; i < 2 && names[i][0]; i++) {
        buf_addf(b, " \\\n            '%s[", names[i]);
        add_zsh(b, o->help);
        buf_addc(b, ']');
        if (o->arg)
            buf_addf(b, ":%s:%s", o->arg, action);
        buf_addc(b, '\'');
    }
}

static void completion_zsh(struct buf *b)
{
    buf_adds(b, "#compdef mailtide\n"
                "_mailtide() {\n"
                "    local context state line\n"
                "    typeset -A opt_args\n"
                "    local -a commands\n"
                "    commands=(\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        buf_addf(b, "        '%s:", cli_commands[i].name);
        add_zsh(b, cli_commands[i].help);
        buf_adds(b, "'\n");
    }
    buf_adds(b, "    )\n    _arguments -C");
    for (size_t i = 0; i < cli_option_count; i++)
        if (!cli_options[i].command)
            zsh_option(b, &cli_options[i]);
    buf_adds(b, " \\\n            '1:command:->command' '*::operand:->operand'\n"
                "    case $state in\n"
                "    command) _describe command commands ;;\n"
                "    operand)\n"
                "        case $words[1] in\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *c = &cli_commands[i];
        buf_addf(b, "        %s) _arguments", c->name);
        for (size_t k = 0; k < cli_option_count; k++)
            if (cli_options[k].command && strcmp(cli_options[k].command, c->name) == 0)
                zsh_option(b, &cli_options[k]);
        if (c->run == cmd_completion)
            buf_adds(b, " '1:shell:(bash zsh)'");
        else if (c->run == cmd_help)
            buf_adds(b, " '1:command:{_describe command commands}'");
        else if (c->most != 0)
            buf_adds(b, " '*:operand:'");
        buf_adds(b, " ;;\n");
    }
    buf_adds(b, "        esac ;;\n    esac\n}\n"
                "if [ \"$funcstack[1]\" = _mailtide ]; then _mailtide \"$@\"; "
                "else compdef _mailtide mailtide; fi\n");
}

int cmd_completion(struct cli *cli)
{
    struct text shell = text_of(cli->argv[0]);
    if (text_eq(shell, TEXT("bash")))
        completion_bash(&cli->out);
    else if (text_eq(shell, TEXT("zsh")))
        completion_zsh(&cli->out);
    else
        return cli_fail(cli, CLI_USAGE, "completion is for bash or zsh, not for %s", cli->argv[0]);
    return CLI_OK;
}
