#include "cmd/mailtide/manual.h"

#include "cmd/mailtide/cli.h"
#include "core/config/keys.h"

/* Text for roff: backslashes, hyphens that are to be copied, and a dot that begins a line. */
static void add_roff(struct buf *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (i == 0 && (t.p[i] == '.' || t.p[i] == '\''))
            buf_adds(b, "\\&");
        if (t.p[i] == '\\')
            buf_adds(b, "\\e");
        else if (t.p[i] == '-')
            buf_adds(b, "\\-");
        else
            buf_addc(b, t.p[i]);
    }
}

static void add_roffs(struct buf *b, const char *s)
{
    add_roff(b, text_of(s));
}

/* -- Commands and exit codes ---------------------------------------------------------------------
 */

static void add_option(struct buf *b, const struct cli_option *o)
{
    buf_adds(b, ".TP\n");
    if (o->letter)
        buf_addf(b, "\\fB\\-%c\\fR, ", o->letter);
    buf_adds(b, "\\fB\\-\\-");
    add_roffs(b, o->name);
    buf_adds(b, "\\fR");
    if (o->arg)
        buf_addf(b, " \\fI%s\\fR", o->arg);
    buf_addc(b, '\n');
    add_roffs(b, o->help);
    buf_addc(b, '\n');
}

static void add_options_of(struct buf *b, const char *command)
{
    for (size_t i = 0; i < cli_option_count; i++) {
        const struct cli_option *o = &cli_options[i];
        if (command ? o->command && strcmp(o->command, command) == 0 : !o->command)
            add_option(b, o);
    }
}

static void add_commands(struct buf *b)
{
    buf_adds(b, ".SH OPTIONS\n");
    add_options_of(b, NULL);
    buf_adds(b, ".SH COMMANDS\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *c = &cli_commands[i];
        buf_adds(b, ".SS ");
        add_roffs(b, c->name);
        if (c->args[0])
            buf_addf(b, " %s", c->args);
        buf_addc(b, '\n');
        buf_addc(b, (char)(c->help[0] - ('a' <= c->help[0] && c->help[0] <= 'z' ? 32 : 0)));
        add_roffs(b, c->help + 1);
        buf_adds(b, ".\n");
        if (c->more) {
            add_roffs(b, c->more);
            buf_addc(b, '\n');
        }
        add_options_of(b, c->name);
    }
}

static void add_exits(struct buf *b)
{
    for (size_t i = 0; i < cli_exit_count; i++) {
        buf_addf(b, ".TP\n\\fB%d\\fR\n", (int)cli_exits[i].code);
        add_roffs(b, cli_exits[i].text);
        buf_addc(b, '\n');
    }
}

/* -- Keys ----------------------------------------------------------------------------------------
 */

static void add_range(struct buf *b, const struct key *k)
{
    char low[KEY_TEXT_BYTES], high[KEY_TEXT_BYTES];
    switch (k->type) {
    case KEY_INT:
    case KEY_COUNT:
    case KEY_REAL:
        if (k->max > 0)
            buf_addf(b, ", %lld to %lld%s%s", (long long)k->min, (long long)k->max,
                     k->unit ? " " : "", k->unit ? k->unit : "");
        return;
    case KEY_DURATION:
        buf_addf(b, ", %s to %s", key_duration_text(k->min, low), key_duration_text(k->max, high));
        return;
    case KEY_SIZE:
        buf_addf(b, ", %s to %s", key_size_text(k->min, low), key_size_text(k->max, high));
        return;
    case KEY_BOOL:
    case KEY_STRING:
    case KEY_WORD:
    case KEY_LIST:
    case KEY_SECRET:
    case KEY_MODE:
    case KEY_CHAR:
    case KEY_NAMED:
        return;
    }
}

static void add_key(struct buf *b, const struct key *k)
{
    struct buf facts = {0};
    buf_adds(b, ".TP\n\\fB");
    add_roffs(b, k->path);
    buf_adds(b, "\\fR\n");
    add_roffs(b, k->help);
    buf_addc(b, '\n');
    if (k->type != KEY_NAMED) {
        buf_adds(b, ".br\n");
        buf_adds(&facts, key_type_name(k->type));
        add_range(&facts, k);
        for (size_t i = 0; k->words && k->words[i]; i++)
            buf_addf(&facts, "%s%s", i ? ", " : ": ", k->words[i]);
        if (k->preset)
            buf_addf(&facts, "; default %s", k->preset[0] ? k->preset : "none");
        add_roff(b, buf_text(&facts));
        buf_addc(b, '\n');
    }
    buf_fini(&facts);
}

static void add_keys(struct buf *b)
{
    for (size_t i = 0; i < config_key_count; i++)
        add_key(b, &config_keys[i]);
}

bool manual_list(const char *name, struct buf *ret)
{
    if (strcmp(name, "commands") == 0)
        add_commands(ret);
    else if (strcmp(name, "exits") == 0)
        add_exits(ret);
    else if (strcmp(name, "keys") == 0)
        add_keys(ret);
    else
        return false;
    return true;
}
