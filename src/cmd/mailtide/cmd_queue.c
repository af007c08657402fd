/* queue and limits. */
#include "cmd/mailtide/ask.h"

#include "base/macros.h"

static int check_most(struct cli *cli, const char *most)
{
    int64_t n;
    struct tide_error err;
    if (!most || text_int(text_of(most), 1, 1000, &n, &err) == TIDE_OK)
        return CLI_OK;
    return cli_fail(cli, CLI_USAGE, "-n: %s", err.text);
}

/* "23:30:35 CST (in 32 s)" where there is room, "in 32 s" on a terminal. */
static const char *when_text(const struct cli *cli, tide_wall_ms at, char *out)
{
    if (!at)
        return "-";
    return cli->show.width > 0 ? show_relative(at, cli->show.now, out)
                               : show_when(at, cli->show.now, out);
}

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
               text_of(at && at <= cli->show.now ? "next" : when_text(cli, at, when)));
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
    struct ask a;
    int code = check_most(cli, cli_option_value(cli, "most"));
    if (code == CLI_OK && recipient)
        code = ask_check_address(cli, recipient);
    if (code != CLI_OK)
        return code;
    buf_adds(&path, "/v1/queue");
    for (size_t i = 0; i < TIDE_COUNT(params); i++)
        ask_param(&path, params[i], cli_option_value(cli, params[i]));
    code = ask_get(cli, buf_str(&path), false, &a);
    buf_fini(&path);
    if (code == CLI_OK && cli_json(cli)) {
        ask_pass(cli, &a);
    } else if (code == CLI_OK) {
        ask_set_now(cli, &a);
        show_queue(cli, &a);
    }
    ask_fini(&a);
    return code;
}

/* -- limits --------------------------------------------------------------------------------------
 */

static enum style style_of_use(int64_t used, int64_t count)
{
    return used >= count ? STYLE_BAD : 2 * used > count ? STYLE_WARN : STYLE_GOOD;
}

/* "published 2026-11-21, high" */
static void known_how(const struct json *l, struct buf *ret)
{
    static const char *const parts[] = {"source", "date", "confidence"};
    bool any = false;
    for (size_t i = 0; i < TIDE_COUNT(parts); i++) {
        struct text t = ask_text(l, parts[i]);
        if (t.n > 0)
            buf_addf(ret, "%s" TEXT_FMT "%s", any ? ", " : "", TEXT_ARG(t),
                     i == 2 ? " confidence" : "");
        any |= t.n > 0;
    }
}

/* As in the queue: what the number is and how it is known stands below it on a terminal. */
static void limit_row(struct cli *cli, struct table *t, const struct json *l)
{
    int64_t used = ask_int(l, "used"), count = ask_int(l, "count");
    struct text subject = ask_text(l, "subject"), rule = ask_text(l, "text");
    char when[SHOW_TIME_BYTES], number[32];
    struct buf known = {0};
    table_cell(t, STYLE_PLAIN, ask_text(l, "name"));
    table_cell(t, STYLE_PLAIN, subject.n ? subject : ask_text(l, "scope"));
    table_cell(t, style_of_use(used, count), text_of(show_count(used, number)));
    table_cell(t, STYLE_PLAIN, text_of(show_count(count, number)));
    table_cell(t, STYLE_PLAIN, text_of(show_count(ask_int(l, "free"), number)));
    table_cell(t, STYLE_PLAIN, text_of(when_text(cli, ask_time(l, "reset_at"), when)));
    if (cli->show.width > 0)
        buf_addf(&known, TEXT_FMT "; ", TEXT_ARG(rule));
    else
        table_cell(t, STYLE_PLAIN, rule);
    size_t before = known.len;
    known_how(l, &known);
    if (cli->show.width == 0)
        table_cell(t, STYLE_DIM, buf_text(&known));
    else
        table_note(t, known.len > before ? buf_text(&known) : rule);
    buf_fini(&known);
}

static void show_limits(struct cli *cli, const struct ask *a)
{
    static const struct column piped[] = {
        {"limit", false, false}, {"of", false, true},    {"used", true, false},
        {"count", true, false},  {"free", true, false},  {"starts anew", false, false},
        {"rule", false, true},   {"known", false, true}, {NULL, false, false}};
    static const struct column seen[] = {{"limit", false, true}, {"of", false, true},
                                         {"used", true, false},  {"count", true, false},
                                         {"free", true, false},  {"starts anew", false, false},
                                         {NULL, false, false}};
    const struct json *list = json_member(a->doc, "limits");
    struct text recipient = ask_text(a->doc, "recipient"), provider = ask_text(a->doc, "provider");
    struct table t;
    if (recipient.n > 0) {
        show_styled(&cli->show, STYLE_BOLD, recipient);
        buf_addf(&cli->out, provider.n ? " at " TEXT_FMT "\n" : ", no known provider" TEXT_FMT "\n",
                 TEXT_ARG(provider));
    }
    if (json_count(list) == 0) {
        buf_adds(&cli->out, recipient.n > 0 ? "No limit is known for it.\n"
                                            : "No limit has been in use yet.\n");
        return;
    }
    table_init(&t, &cli->show, cli->show.width > 0 ? seen : piped);
    for (size_t i = 0; i < json_count(list); i++)
        limit_row(cli, &t, json_element(list, i));
    table_print(&t, 0);
}

int cmd_limits(struct cli *cli)
{
    const char *address = cli->argc > 0 ? cli->argv[0] : NULL;
    struct buf path = {0};
    struct ask a;
    int code = address ? ask_check_address(cli, address) : CLI_OK;
    if (code != CLI_OK)
        return code;
    buf_adds(&path, "/v1/limits");
    ask_param(&path, "recipient", address);
    code = ask_get(cli, buf_str(&path), false, &a);
    buf_fini(&path);
    if (code == CLI_OK && cli_json(cli)) {
        ask_pass(cli, &a);
    } else if (code == CLI_OK) {
        ask_set_now(cli, &a);
        show_limits(cli, &a);
    }
    ask_fini(&a);
    return code;
}
