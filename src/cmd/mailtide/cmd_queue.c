/* queue: what waits. */
#include "cmd/mailtide/ask.h"

#include "base/macros.h"

/* Into a pipe every row is one line; on a terminal the reason stands below the first that has it.
 */
static void queue_row(struct cli *cli, struct table *t, const struct json *n, struct text *last)
{
    struct text state = ask_text(n, "state"), reason = show_reason(ask_text(n, "reason"));
    tide_wall_ms at = ask_time(n, "estimated_release_at");
    char when[SHOW_TIME_BYTES];
    struct buf said = {0};
    show_sentence(&said, reason, SHOW_SPAN_NOW, cli->show.now);
    table_cell(t, STYLE_DIM, ask_text(n, "id"));
    table_cell(t, STYLE_PLAIN, ask_text(n, "recipient"));
    table_cell(t, STYLE_PLAIN, ask_text(n, "stream"));
    table_cell(t, show_style_of_state(state), state);
    table_cell(t, STYLE_PLAIN,
               text_of(at && at <= cli->show.now ? "next" : show_when_in(&cli->show, at, when)));
    table_cell(t, STYLE_PLAIN, ask_text(n, "subject"));
    if (cli->show.width == 0)
        table_cell(t, STYLE_PLAIN, buf_text(&said));
    else if (!text_eq(reason, *last))
        table_note(t, buf_text(&said));
    *last = reason;
    buf_fini(&said);
}

static void show_queue(struct cli *cli, const struct ask *a)
{
    static const struct column piped[] = {{"id", false, false},      {"recipient", false, true},
                                          {"stream", false, false},  {"state", false, false},
                                          {"release", false, false}, {"subject", false, true},
                                          {"reason", false, true},   {NULL, false, false}};
    static const struct column seen[] = {{"id", false, false},      {"recipient", false, true},
                                         {"stream", false, false},  {"state", false, false},
                                         {"release", false, false}, {"subject", false, true},
                                         {NULL, false, false}};
    const struct json *list = json_member(a->doc, "notifications");
    struct table t;
    struct text last = {0};
    if (json_count(list) == 0) {
        buf_adds(&cli->out, "Nothing is waiting.\n");
        return;
    }
    table_init(&t, &cli->show, cli->show.width > 0 ? seen : piped);
    for (size_t i = 0; i < json_count(list); i++)
        queue_row(cli, &t, json_element(list, i), &last);
    table_print(&t, 0);
    if (ask_text(a->doc, "next").n > 0)
        buf_addf(&cli->out, "More is waiting than these %zu; see -n, -r, -d, -S.\n",
                 json_count(list));
}

int cmd_queue(struct cli *cli)
{
    static const char *const params[] = {"recipient", "domain", "stream", "most"};
    const char *recipient = cli_option_value(cli, "recipient");
    struct buf path = {0};
    int code = ask_check_most(cli);
    if (code == CLI_OK && recipient)
        code = ask_check_address(cli, recipient);
    if (code != CLI_OK)
        return code;
    buf_adds(&path, "/v1/queue");
    for (size_t i = 0; i < TIDE_COUNT(params); i++)
        ask_param(&path, params[i], cli_option_value(cli, params[i]));
    return ask_show(cli, &path, show_queue);
}
