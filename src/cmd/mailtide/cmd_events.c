/* events: what became of mail, as it comes; and what webhooks did not take. */
#include "cmd/mailtide/ask.h"

#include "base/macros.h"

#define FOLLOW_SECONDS "30"

static enum style style_of(struct text type)
{
    size_t dot = text_find(type, '.');
    struct text what = text_cut(type, dot + 1, type.n);
    if (text_eq(type, TEXT("alarm.raised")) || text_eq(what, TEXT("suppressed")))
        return STYLE_BAD;
    return show_style_of_state(what);
}

/* "notification.sent" is 17, most are not longer than this. */
#define TYPE_COLUMNS 22

static void show_event(struct cli *cli, const struct json *e)
{
    const struct json *data = json_member(e, "data"), *list = json_member(data, "notifications");
    struct text type = ask_text(e, "type"), recipient = ask_text(data, "recipient");
    char when[SHOW_TIME_BYTES];
    struct buf line = {0};
    const char *time = show_time(ask_time(e, "timestamp"), cli->show.now, when);
    size_t column = strlen(time) + 2 + TIDE_MAX(type.n, (size_t)TYPE_COLUMNS) + 2;
    buf_addf(&cli->out, "%s  ", time);
    show_styled(&cli->show, style_of(type), type);
    buf_addf(&cli->out, "%*s  ", type.n < TYPE_COLUMNS ? (int)(TYPE_COLUMNS - type.n) : 0, "");
    if (recipient.n > 0)
        buf_addf(&line, TEXT_FMT ": ", TEXT_ARG(recipient));
    show_sentence(&line, ask_text(data, "reason"), SHOW_SPAN_NONE, cli->show.now);
    if (json_count(list) == 1)
        buf_addf(&line, " (" TEXT_FMT ")", TEXT_ARG(ask_text(json_element(list, 0), "id")));
    else if (json_count(list) > 1)
        buf_addf(&line, " (%zu notifications)", json_count(list));
    show_paragraph(&cli->show, column, column, buf_text(&line));
    buf_fini(&line);
}

static void show_page(struct cli *cli, const struct ask *a)
{
    const struct json *events = json_member(a->doc, "events");
    for (size_t i = 0; i < json_count(events); i++)
        show_event(cli, json_element(events, i));
}

static void page_path(struct cli *cli, const char *after, const char *wait, struct buf *ret)
{
    buf_adds(ret, "/v1/events");
    ask_param(ret, "after", after);
    ask_param(ret, "most", cli_option_value(cli, "most"));
    ask_param(ret, "types", cli_option_value(cli, "types"));
    ask_param(ret, "application", cli_option_value(cli, "application"));
    ask_param(ret, "wait", wait);
}

/* Page after page, as it comes, until it is broken off or the daemon goes. */
static int follow(struct cli *cli, const char *after)
{
    struct buf cursor = {0};
    int code = CLI_OK;
    buf_adds(&cursor, after ? after : "newest");
    while (code == CLI_OK) {
        struct buf path = {0};
        struct ask a;
        page_path(cli, buf_str(&cursor), FOLLOW_SECONDS, &path);
        code = ask_get(cli, buf_str(&path), false, &a);
        buf_fini(&path);
        ask_set_now(cli, &a);
        if (code == CLI_OK && cli_json(cli) && json_count(json_member(a.doc, "events")) > 0)
            ask_pass(cli, &a);
        else if (code == CLI_OK && !cli_json(cli))
            show_page(cli, &a);
        buf_clear(&cursor);
        buf_add_text(&cursor, ask_text(a.doc, "next"));
        ask_fini(&a);
        if (code == CLI_OK)
            code = cli_flush(cli, CLI_OK);
    }
    buf_fini(&cursor);
    return code;
}

static void show_list(struct cli *cli, const struct ask *a)
{
    show_page(cli, a);
    if (ask_bool(a->doc, "more"))
        buf_addf(&cli->out, "There are more: --after " TEXT_FMT "\n",
                 TEXT_ARG(ask_text(a->doc, "next")));
}

static int list(struct cli *cli, const char *after)
{
    struct buf path = {0};
    page_path(cli, after, NULL, &path);
    return ask_show(cli, &path, show_list);
}

/* -- Dead letters --------------------------------------------------------------------------------
 */

static void show_letter(struct cli *cli, const struct json *l)
{
    char when[SHOW_TIME_BYTES];
    struct buf line = {0};
    show_styled(&cli->show, STYLE_BOLD, ask_text(l, "id"));
    buf_addf(&line, TEXT_FMT " for application " TEXT_FMT ", %lld tries, the last at %s: " TEXT_FMT,
             TEXT_ARG(ask_text(l, "type")), TEXT_ARG(ask_text(l, "application")),
             (long long)ask_int(l, "tries"),
             show_time(ask_time(l, "tried_at"), cli->show.now, when),
             TEXT_ARG(ask_text(l, "error")));
    buf_adds(&cli->out, "  ");
    show_paragraph(&cli->show, ask_text(l, "id").n + 2, 4, buf_text(&line));
    buf_fini(&line);
}

static void show_letters(struct cli *cli, const struct ask *a)
{
    const struct json *letters = json_member(a->doc, "letters");
    for (size_t i = 0; i < json_count(letters); i++)
        show_letter(cli, json_element(letters, i));
    if (json_count(letters) == 0)
        buf_adds(&cli->out, "Webhooks took every event, or still may.\n");
}

static int list_dead(struct cli *cli)
{
    struct buf path = {0};
    buf_adds(&path, "/v1/webhooks/dead");
    ask_param(&path, "most", cli_option_value(cli, "most"));
    ask_param(&path, "application", cli_option_value(cli, "application"));
    return ask_show(cli, &path, show_letters);
}

static void show_retried(struct cli *cli, const struct ask *a)
{
    int64_t n = ask_int(a->doc, "retried");
    buf_addf(&cli->out, "%lld event%s told again.\n", (long long)n, n == 1 ? " is" : "s are");
}

static int retry(struct cli *cli, const char *id)
{
    struct buf path = {0};
    buf_adds(&path, "/v1/webhooks/retry");
    ask_param(&path, "id", id);
    ask_param(&path, "application", cli_option_value(cli, "application"));
    return ask_do(cli, &path, show_retried);
}

int cmd_events(struct cli *cli)
{
    const char *after = cli_option_value(cli, "after");
    int code = ask_check_most(cli);
    if (code != CLI_OK)
        return code;
    if (cli->argc > 0 && strcmp(cli->argv[0], "retry") == 0)
        return retry(cli, cli->argc > 1 ? cli->argv[1] : NULL);
    if (cli->argc > 0)
        return cli_fail(cli, CLI_USAGE, "want nothing or \"retry [ID]\", got \"%s\"", cli->argv[0]);
    if (cli_option_value(cli, "dead"))
        return list_dead(cli);
    return cli_option_value(cli, "follow") ? follow(cli, after) : list(cli, after);
}
