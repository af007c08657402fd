#include "cmd/mailtide/check_show.h"

#include <stdio.h>

static const enum style styles[] = {[SENDER_GOOD] = STYLE_GOOD,
                                    [SENDER_NOTE] = STYLE_WARN,
                                    [SENDER_UNKNOWN] = STYLE_WARN,
                                    [SENDER_BAD] = STYLE_BAD};

enum style check_style(enum sender_state state)
{
    return styles[state];
}

static void show_lines(struct cli *cli, const char *label, struct text lines)
{
    struct text line;
    for (size_t i = 0; lines.n && text_split(&lines, '\n', &line); i++) {
        size_t indent = 11 + strlen(label);
        buf_addf(&cli->out, "%-11s%s", "", label);
        show_paragraph(&cli->show, indent, indent, line);
    }
}

/* Records are for copying: never wrapped. */
static void show_records(struct cli *cli, struct text lines)
{
    struct text line;
    if (lines.n)
        buf_addf(&cli->out, "%-11spublish:\n", "");
    while (lines.n && text_split(&lines, '\n', &line)) {
        buf_addf(&cli->out, "%-13s", "");
        show_text(&cli->out, line, 0);
        buf_addc(&cli->out, '\n');
    }
}

void check_show(struct cli *cli, const struct sender_check *c)
{
    char state[16];
    snprintf(state, sizeof state, "%-8s", sender_state_name(c->state));
    buf_adds(&cli->out, "  ");
    show_styled(&cli->show, check_style(c->state), text_of(state));
    buf_addc(&cli->out, ' ');
    show_styled(&cli->show, STYLE_BOLD, c->what);
    buf_addc(&cli->out, '\n');
    show_lines(cli, "", c->finding);
    show_lines(cli, "| ", c->evidence);
    show_lines(cli, "at ", c->consequences);
    show_records(cli, c->publish);
}
