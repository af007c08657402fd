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

static void show_queue(struct cli *cli, const struct ask *a)
{
    static const struct column columns[] = {{"id", false, false},      {"recipient", false, true},
                                            {"stream", false, false},  {"state", false, false},
                                            {"release", false, false}, {"subject", false, true},
                                            {"reason", false, true},   {NULL, false, false}};
    const struct json *list = json_member(a->doc, "notifications");
    struct table t;
    char when[SHOW_TIME_BYTES];
    if (json_count(list) == 0) {
        buf_adds(&cli->out, "Nothing is waiting.\n");
        return;
    }
    table_init(&t, &cli->show, columns);
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *n = json_element(list, i);
        struct text state = ask_text(n, "state");
        tide_wall_ms at = ask_time(n, "estimated_release_at");
        struct buf reason = {0};
        show_sentence(&reason, show_reason(ask_text(n, "reason")), SHOW_SPAN_NOW, cli->show.now);
        table_cell(&t, STYLE_DIM, ask_text(n, "id"));
        table_cell(&t, STYLE_PLAIN, ask_text(n, "recipient"));
        table_cell(&t, STYLE_PLAIN, ask_text(n, "stream"));
        table_cell(&t, show_style_of_state(state), state);
        if (at && at <= cli->show.now)
            table_cell(&t, STYLE_PLAIN, TEXT("next"));
        else
            table_cell(&t, STYLE_PLAIN, text_of(at ? show_when(at, cli->show.now, when) : "-"));
        table_cell(&t, STYLE_PLAIN, ask_text(n, "subject"));
        table_cell(&t, STYLE_PLAIN, buf_text(&reason));
        buf_fini(&reason);
    }
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
    for (size_t i = 0; i < TIDE_COUNT(parts); i++) {
        struct text t = ask_text(l, parts[i]);
        if (t.n > 0)
            buf_addf(ret, "%s" TEXT_FMT "%s", ret->len ? ", " : "", TEXT_ARG(t),
                     i == 2 ? " confidence" : "");
    }
}

static void show_limits(struct cli *cli, const struct ask *a)
{
    static const struct column columns[] = {
        {"limit", false, false}, {"of", false, true},    {"used", true, false},
        {"count", true, false},  {"free", true, false},  {"starts anew", false, false},
        {"rule", false, true},   {"known", false, true}, {NULL, false, false}};
    const struct json *list = json_member(a->doc, "limits");
    struct text recipient = ask_text(a->doc, "recipient"), provider = ask_text(a->doc, "provider");
    struct table t;
    char when[SHOW_TIME_BYTES], number[32];
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
    table_init(&t, &cli->show, columns);
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *l = json_element(list, i);
        int64_t used = ask_int(l, "used"), count = ask_int(l, "count");
        tide_wall_ms reset = ask_time(l, "reset_at");
        struct text subject = ask_text(l, "subject");
        struct buf known = {0};
        known_how(l, &known);
        table_cell(&t, STYLE_PLAIN, ask_text(l, "name"));
        table_cell(&t, STYLE_PLAIN, subject.n ? subject : ask_text(l, "scope"));
        table_cell(&t, style_of_use(used, count), text_of(show_count(used, number)));
        table_cell(&t, STYLE_PLAIN, text_of(show_count(count, number)));
        table_cell(&t, STYLE_PLAIN, text_of(show_count(ask_int(l, "free"), number)));
        table_cell(&t, STYLE_PLAIN, text_of(reset ? show_when(reset, cli->show.now, when) : "-"));
        table_cell(&t, STYLE_PLAIN, ask_text(l, "text"));
        table_cell(&t, STYLE_DIM, buf_text(&known));
        buf_fini(&known);
    }
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
