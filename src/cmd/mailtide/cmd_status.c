/* status and top. */
#include "cmd/mailtide/ask.h"

#include "base/macros.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define TOP_EVERY_MS 2000

static void show_head(struct cli *cli, const struct json *doc)
{
    char span[32], when[SHOW_TIME_BYTES];
    tide_wall_ms now = cli->show.now;
    buf_addf(&cli->out, "mailtide " TEXT_FMT ", running for %s, now %s\n",
             TEXT_ARG(ask_text(doc, "version")),
             text_of_duration(now - ask_time(doc, "started_at"), span, sizeof span),
             show_time(now, now, when));
    if (ask_text(doc, "clock").n > 0)
        buf_adds(&cli->out, "It lives in a hurried time (--clock).\n");
    if (!ask_bool(doc, "accepting")) {
        show_styled(&cli->show, STYLE_BAD, TEXT("It takes no mail: "));
        show_paragraph(&cli->show, 18, 18, ask_text(doc, "not_accepting"));
    }
    const struct json *store = json_member(doc, "store");
    if (!ask_bool(store, "ok")) {
        show_styled(&cli->show, STYLE_BAD, TEXT("The store does not write: "));
        show_paragraph(&cli->show, 26, 26, ask_text(store, "text"));
    }
}

/* What is the matter, since when, what to do: first of all, since it is what to act on. */
static void show_alarms(struct cli *cli, const struct json *doc)
{
    const struct json *alarms = json_member(doc, "alarms");
    char when[SHOW_TIME_BYTES];
    if (json_count(alarms))
        show_heading(&cli->show, json_count(alarms) == 1 ? "alarm" : "alarms");
    for (size_t i = 0; i < json_count(alarms); i++) {
        const struct json *a = json_element(alarms, i);
        struct text severity = ask_text(a, "severity");
        struct buf line = {0};
        buf_addf(&line, TEXT_FMT " Since %s.", TEXT_ARG(ask_text(a, "sentence")),
                 show_when(ask_time(a, "since"), cli->show.now, when));
        if (ask_text(a, "advice").n)
            buf_addf(&line, " " TEXT_FMT, TEXT_ARG(ask_text(a, "advice")));
        buf_adds(&cli->out, "  ");
        show_styled(&cli->show,
                    text_eq(severity, TEXT("critical"))  ? STYLE_BAD
                    : text_eq(severity, TEXT("warning")) ? STYLE_WARN
                                                         : STYLE_PLAIN,
                    severity);
        buf_adds(&cli->out, ": ");
        show_paragraph(&cli->show, severity.n + 4, 4, buf_text(&line));
        buf_fini(&line);
    }
}

static void show_notifications(struct cli *cli, const struct json *doc)
{
    static const char *const pending[] = {"accepted", "held", "releasing"};
    const struct json *counts = json_member(doc, "notifications"), *value;
    char number[32], when[SHOW_TIME_BYTES];
    struct text name;
    int64_t n, waiting = 0;
    show_heading(&cli->show, "notifications");
    for (void *pos = NULL; json_next(counts, &pos, &name, &value);) {
        if (!json_int(value, &n) || n == 0)
            continue;
        for (size_t i = 0; i < TIDE_COUNT(pending); i++)
            waiting += text_eq(name, text_of(pending[i])) ? n : 0;
        buf_addf(&cli->out, "  %12s  ", show_count(n, number));
        show_styled(&cli->show, show_style_of_state(name), name);
        buf_addc(&cli->out, '\n');
    }
    tide_wall_ms oldest = ask_time(doc, "oldest_pending_at");
    if (oldest && waiting > 0)
        buf_addf(&cli->out, "  %12s  pending, the oldest came %s\n", show_count(waiting, number),
                 show_relative(oldest, cli->show.now, when));
    else if (waiting == 0)
        buf_adds(&cli->out, "  Nothing is pending.\n");
}

static void show_flow(struct cli *cli, const struct json *doc)
{
    const struct json *since = json_member(doc, "since_start"),
                      *queues = json_member(doc, "queues");
    static const struct {
        const char *name, *text;
    } parts[] = {
        {"recipients_held", "recipients with held mail"},
        {"verifying", "domains being verified"},
        {"waiting", "in line for a limit or an account"},
        {"flying", "mails under way"},
    };
    char a[32], r[32], d[32];
    show_heading(&cli->show, "since start");
    buf_addf(&cli->out, "  %12s  accepted\n  %12s  mails released, %s of them digests\n",
             show_count(ask_int(since, "accepted"), a), show_count(ask_int(since, "released"), r),
             show_count(ask_int(since, "digests"), d));
    if (ask_int(since, "duplicates") > 0)
        buf_addf(&cli->out, "  %12s  repeated submissions\n",
                 show_count(ask_int(since, "duplicates"), a));
    if (ask_int(since, "refused_at_intake") > 0)
        buf_addf(&cli->out, "  %12s  refused at the door\n",
                 show_count(ask_int(since, "refused_at_intake"), a));
    show_heading(&cli->show, "now");
    for (size_t i = 0; i < TIDE_COUNT(parts); i++)
        buf_addf(&cli->out, "  %12s  %s\n", show_count(ask_int(queues, parts[i].name), a),
                 parts[i].text);
}

static void show_accounts(struct cli *cli, const struct json *doc)
{
    static const struct column columns[] = {{"account", false, false},  {"state", false, false},
                                            {"under way", true, false}, {"sent", true, false},
                                            {"put off", true, false},   {"refused", true, false},
                                            {"unknown", true, false},   {NULL, false, false}};
    static const char *const numbers[] = {"in_flight", "accepted", "deferred", "refused",
                                          "unknown"};
    const struct json *accounts = json_member(doc, "accounts");
    struct table t;
    char when[SHOW_TIME_BYTES], number[32];
    show_heading(&cli->show, "accounts");
    table_init(&t, &cli->show, columns);
    for (size_t i = 0; i < json_count(accounts); i++) {
        const struct json *a = json_element(accounts, i);
        struct text state = ask_text(a, "state");
        table_cell(&t, STYLE_PLAIN, ask_text(a, "name"));
        table_cell(&t, show_style_of_state(state), state);
        for (size_t k = 0; k < TIDE_COUNT(numbers); k++)
            table_cell(&t, STYLE_PLAIN, text_of(show_count(ask_int(a, numbers[k]), number)));
    }
    table_print(&t, 2);
    for (size_t i = 0; i < json_count(accounts); i++) {
        const struct json *a = json_element(accounts, i);
        tide_wall_ms until = ask_time(a, "backoff_until");
        struct text reason = ask_text(a, "reason");
        if (text_eq(ask_text(a, "state"), TEXT("ready")) || reason.n == 0)
            continue;
        struct buf line = {0};
        buf_add_text(&line, reason);
        if (until)
            buf_addf(&line, "; tried again %s", show_when(until, cli->show.now, when));
        buf_adds(&cli->out, "  ");
        show_paragraph(&cli->show, 2, 4, buf_text(&line));
        buf_fini(&line);
    }
}

static void show_rest(struct cli *cli, const struct json *doc)
{
    const struct json *store = json_member(doc, "store"), *dns = json_member(doc, "dns");
    const struct json *servers = json_member(dns, "servers");
    char size[SHOW_TIME_BYTES], left[SHOW_TIME_BYTES], n[32];
    show_heading(&cli->show, "store and DNS");
    buf_addf(&cli->out, "  %s", show_bytes(ask_int(store, "database_bytes"), size));
    if (ask_int(store, "free_bytes") > 0)
        buf_addf(&cli->out, ", %s free on its disk",
                 show_bytes(ask_int(store, "free_bytes"), left));
    buf_addf(&cli->out, "; %s recipients known\n", show_count(ask_int(store, "recipients"), n));
    buf_addf(&cli->out, "  %s DNS answers kept", show_count(ask_int(dns, "cache_entries"), n));
    for (size_t i = 0; i < json_count(servers); i++) {
        const struct json *s = json_element(servers, i);
        buf_addf(&cli->out, "%s " TEXT_FMT "%s", i == 0 ? "; servers:" : ",",
                 TEXT_ARG(ask_text(s, "address")), ask_bool(s, "ok") ? "" : " (silent)");
    }
    buf_addc(&cli->out, '\n');
}

static int show_status(struct cli *cli, const struct ask *a)
{
    const struct json *doc = a->doc;
    ask_set_now(cli, a);
    show_head(cli, doc);
    show_alarms(cli, doc);
    show_notifications(cli, doc);
    show_flow(cli, doc);
    show_accounts(cli, doc);
    show_rest(cli, doc);
    return ask_bool(doc, "accepting") && ask_bool(json_member(doc, "store"), "ok") ? CLI_OK
                                                                                   : CLI_NO;
}

int cmd_status(struct cli *cli)
{
    struct ask a;
    int code = ask_get(cli, "/v1/status", false, &a);
    if (code == CLI_OK && cli_json(cli)) {
        ask_pass(cli, &a);
        code = ask_bool(a.doc, "accepting") ? CLI_OK : CLI_NO;
    } else if (code == CLI_OK) {
        code = show_status(cli, &a);
    }
    ask_fini(&a);
    return code;
}

/* -- top -----------------------------------------------------------------------------------------
 */

static volatile sig_atomic_t stop_asked;

static void on_stop(int signum)
{
    (void)signum;
    stop_asked = 1;
}

/* True when the user wants to end it: q, Ctrl-C, end of input. */
static bool wait_for_key(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    char c = 'q';
    int n = poll(&fd, 1, TOP_EVERY_MS);
    if (n > 0 && read(STDIN_FILENO, &c, 1) <= 0)
        return true;
    return stop_asked || (n < 0 && errno != EINTR) || (n > 0 && (c == 'q' || c == 'Q'));
}

int cmd_top(struct cli *cli)
{
    struct termios was, raw;
    int code;
    if (cli_json(cli))
        return cli_fail(cli, CLI_USAGE, "top is for people; status --json is for programs");
    if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &was) != 0)
        return cli_fail(cli, CLI_USAGE, "top wants a terminal; see mailtide status");
    raw = was;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    signal(SIGINT, on_stop);
    signal(SIGTERM, on_stop);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    do {
        struct ask a;
        code = ask_get(cli, "/v1/status", false, &a);
        if (code == CLI_OK) {
            buf_adds(&cli->out, "\033[H\033[2J");
            show_status(cli, &a);
            buf_adds(&cli->out, "\nq ends it\n");
            code = cli_flush(cli, CLI_OK);
        }
        ask_fini(&a);
    } while (code == CLI_OK && !wait_for_key());
    tcsetattr(STDIN_FILENO, TCSANOW, &was);
    return code;
}
