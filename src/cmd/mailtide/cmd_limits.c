/* limits: all, those that replies have taught, and what an operator says of them; guard. */
#include "cmd/mailtide/ask.h"

#include "base/macros.h"

#include <stdio.h>

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
    table_cell(t, STYLE_PLAIN, text_of(show_when_in(&cli->show, ask_time(l, "reset_at"), when)));
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

/* -- learned -------------------------------------------------------------------------------------
 */

/* "bruce@client.asia", "outbox > qq" */
static void put_subject(const struct json *l, struct buf *ret)
{
    struct text subject = ask_text(l, "subject"), of = ask_text(l, "of");
    buf_addf(ret, TEXT_FMT "%s" TEXT_FMT, TEXT_ARG(subject), of.n ? " > " : "", TEXT_ARG(of));
}

/* "Probably 9 to 12 per day, 10 most likely. " */
static void put_belief(const struct json *l, struct buf *ret)
{
    const struct json *belief = json_member(l, "belief");
    int64_t low = ask_int(belief, "low"), high = ask_int(belief, "high");
    int64_t likeliest = ask_int(belief, "likeliest");
    char words[3][32];
    struct text rule = ask_text(l, "text");
    const char *per = rule.n ? memmem(rule.p, rule.n, " per ", 5) : NULL;
    struct text unit = per ? text_cut(rule, (size_t)(per - rule.p), rule.n) : TEXT("");
    if (!likeliest)
        return;
    if (low == high)
        buf_addf(ret, "Almost certainly %s" TEXT_FMT ". ", show_count(likeliest, words[0]),
                 TEXT_ARG(unit));
    else
        buf_addf(ret, "Probably %s to %s" TEXT_FMT ", %s most likely. ", show_count(low, words[0]),
                 show_count(high, words[1]), TEXT_ARG(unit), show_count(likeliest, words[2]));
}

/* How sure it is, and what taught it, in sentences. */
static void put_evidence(struct cli *cli, const struct json *l, struct buf *ret)
{
    const struct json *replies = json_member(l, "replies");
    char when[SHOW_TIME_BYTES];
    int64_t taught = ask_int(l, "taught"), confirmed = ask_int(l, "confirmed");
    tide_wall_ms closed = ask_time(l, "closed_until");
    if (closed)
        buf_addf(ret, "Closed until %s: " TEXT_FMT " ", show_when(closed, cli->show.now, when),
                 TEXT_ARG(ask_text(l, "closed_for")));
    if (ask_bool(l, "pinned"))
        buf_adds(ret, "Pinned by hand. ");
    else if (text_eq(ask_text(l, "source"), TEXT("published")))
        buf_adds(ret, "The ESP said so. ");
    else if (taught)
        buf_addf(ret,
                 "Taught by %lld %s, borne out by %lld full %s since; " TEXT_FMT " confidence. ",
                 (long long)taught, taught == 1 ? "reply" : "replies", (long long)confirmed,
                 confirmed == 1 ? "window" : "windows", TEXT_ARG(ask_text(l, "confidence")));
    struct text subject = ask_text(l, "subject");
    if (subject.n > 1 && subject.p[0] == '@')
        buf_addf(ret, "For every mailbox there that has no number of its own. ");
    put_belief(l, ret);
    if (ask_int(l, "refused_at"))
        buf_addf(ret, "Mail number %lld was refused. ", (long long)ask_int(l, "refused_at"));
    for (size_t i = 0; i < json_count(replies); i++) {
        const struct json *r = json_element(replies, i);
        struct text rule = ask_text(r, "rule"), account = ask_text(r, "account");
        buf_addf(ret, "%s%s" TEXT_FMT "%s" TEXT_FMT "%s: " TEXT_FMT " ",
                 show_time(ask_time(r, "at"), cli->show.now, when), account.n ? ", through " : "",
                 TEXT_ARG(account), rule.n ? " (" : "", TEXT_ARG(rule), rule.n ? ")" : "",
                 TEXT_ARG(ask_text(r, "words")));
    }
}

static void show_learnt(struct cli *cli, const struct ask *a)
{
    static const struct column columns[] = {{"learned", false, false}, {"of", false, true},
                                            {"used", true, false},     {"count", true, false},
                                            {"rule", false, false},    {NULL, false, false}};
    const struct json *list = json_member(a->doc, "learned");
    struct table t;
    char number[32];
    int64_t n;
    if (json_count(list) == 0) {
        buf_adds(&cli->out, "No reply has taught a limit yet.\n");
        return;
    }
    table_init(&t, &cli->show, columns);
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *l = json_element(list, i);
        struct buf subject = {0}, evidence = {0};
        struct text rule = ask_text(l, "text");
        put_subject(l, &subject);
        put_evidence(cli, l, &evidence);
        table_cell(&t, STYLE_PLAIN, ask_text(l, "scope"));
        table_cell(&t, STYLE_PLAIN, buf_text(&subject));
        table_cell(&t, STYLE_PLAIN,
                   json_int(json_member(l, "used"), &n) ? text_of(show_count(n, number))
                                                        : TEXT(""));
        table_cell(&t, STYLE_PLAIN,
                   json_int(json_member(l, "count"), &n) ? text_of(show_count(n, number))
                                                         : TEXT("?"));
        table_cell(&t, STYLE_PLAIN, rule.n ? rule : TEXT("not known yet"));
        table_note(&t, text_trim(buf_text(&evidence)));
        buf_fini(&subject);
        buf_fini(&evidence);
    }
    table_print(&t, 0);
}

/* -- pin and forget ------------------------------------------------------------------------------
 */

/* limits pin SCOPE NAME [NAME] COUNT, limits forget SCOPE NAME [NAME] */
static int say_word(struct cli *cli, bool forget)
{
    int names = cli->argc - (forget ? 2 : 3);
    struct buf path = {0};
    if (names < 1 || names > 2)
        return cli_fail(cli, CLI_USAGE, "want: limits %s SCOPE NAME [NAME]%s, as limits %s %s",
                        cli->argv[0], forget ? "" : " COUNT", cli->argv[0],
                        forget ? "recipient bruce@client.asia" : "ip-provider esp qq 200");
    buf_addf(&path, "/v1/limits/%s", forget ? "forget" : "pin");
    ask_param(&path, "scope", cli->argv[1]);
    ask_param(&path, "subject", cli->argv[2]);
    ask_param(&path, "of", names == 2 ? cli->argv[3] : NULL);
    ask_param(&path, "count", forget ? NULL : cli->argv[cli->argc - 1]);
    ask_param(&path, "window", cli_option_value(cli, "window"));
    ask_param(&path, "zone", cli_option_value(cli, "zone"));
    return ask_do(cli, &path, ask_show_done);
}

static int limits_of(struct cli *cli, const char *address)
{
    bool learned = cli_option_value(cli, "learned") != NULL;
    struct buf path = {0};
    int code = address ? ask_check_address(cli, address) : CLI_OK;
    if (code != CLI_OK)
        return code;
    buf_adds(&path, learned ? "/v1/limits/learned" : "/v1/limits");
    ask_param(&path, "recipient", address);
    return ask_show(cli, &path, learned ? show_learnt : show_limits);
}

int cmd_limits(struct cli *cli)
{
    struct text first = cli->argc > 0 ? text_of(cli->argv[0]) : TEXT("");
    if (text_eq(first, TEXT("pin")) || text_eq(first, TEXT("forget")))
        return say_word(cli, text_eq(first, TEXT("forget")));
    if (cli->argc > 1)
        return cli_fail(cli, CLI_USAGE, "limits takes one address; see mailtide help limits");
    return limits_of(cli, cli->argc > 0 ? cli->argv[0] : NULL);
}

/* -- guard ---------------------------------------------------------------------------------------
 */

static void percent_cell(struct table *t, enum style style, double share)
{
    table_cellf(t, style, share < 0.01 ? "%.2f %%" : "%.1f %%", share * 100);
}

static void show_guards(struct cli *cli, const struct ask *a)
{
    static const struct column columns[] = {
        {"guard", false, true},      {"state", false, false},    {"of", true, false},
        {"failed", true, false},     {"rate", true, false},      {"surely over", true, false},
        {"narrows at", true, false}, {"closes at", true, false}, {NULL, false, false}};
    const struct json *list = json_member(a->doc, "guards");
    struct table t;
    char number[32];
    if (json_count(list) == 0) {
        buf_adds(&cli->out, "Nothing is watched yet: no account has a profile with guards, or none "
                            "has sent mail.\n");
        return;
    }
    table_init(&t, &cli->show, columns);
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *g = json_element(list, i);
        struct text state = ask_text(g, "state");
        bool open = text_eq(state, TEXT("open")), warned = ask_bool(g, "warned");
        enum style style = !open ? STYLE_BAD : warned ? STYLE_WARN : STYLE_GOOD;
        double rate = 0, bound = 0, review = 0, pause = 0;
        (void)json_number(json_member(g, "rate"), &rate);
        (void)json_number(json_member(g, "bound"), &bound);
        (void)json_number(json_member(g, "review"), &review);
        (void)json_number(json_member(g, "pause"), &pause);
        table_cell(&t, STYLE_PLAIN, ask_text(g, "name"));
        table_cell(&t, style, state);
        table_cell(&t, STYLE_PLAIN, text_of(show_count(ask_int(g, "mails"), number)));
        table_cell(&t, STYLE_PLAIN, text_of(show_count(ask_int(g, "failures"), number)));
        percent_cell(&t, STYLE_PLAIN, rate);
        if (ask_int(g, "failures") > 0)
            percent_cell(&t, style, bound);
        else
            table_cell(&t, STYLE_DIM, TEXT("-"));
        percent_cell(&t, STYLE_DIM, review);
        percent_cell(&t, STYLE_DIM, pause);
    }
    table_print(&t, 0);
}

int cmd_guard(struct cli *cli)
{
    bool opens = text_eq(text_of(cli->argv[0]), TEXT("open"));
    struct buf path = {0};
    if ((!opens && strcmp(cli->argv[0], "list") != 0) || cli->argc != (opens ? 2 : 1))
        return cli_fail(cli, CLI_USAGE, "want: guard list, or guard open NAME");
    buf_adds(&path, opens ? "/v1/guards/open" : "/v1/guards");
    ask_param(&path, "name", opens ? cli->argv[1] : NULL);
    return opens ? ask_do(cli, &path, ask_show_done) : ask_show(cli, &path, show_guards);
}
