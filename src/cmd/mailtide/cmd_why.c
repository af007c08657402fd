/* why: the story of a recipient or of one notification. */
#include "cmd/mailtide/why_story.h"

#include "base/macros.h"

static void labelled_sentence(struct cli *cli, const char *label, struct text sentence)
{
    struct buf b = {0};
    show_sentence(&b, sentence, SHOW_SPAN_NOW, cli->show.now);
    show_labelled(&cli->show, label, STYLE_PLAIN, buf_text(&b));
    buf_fini(&b);
}

static const char *listed_state(struct text state)
{
    static const struct {
        const char *state, *text;
    } words[] = {{"mended", "taken off"},
                 {"mend", "to be taken off, since"},
                 {"kept", "stays there, since"},
                 {"gone", "not there any more,"},
                 {"listed", "to be looked at, since"},
                 {"failed", "the ESP would not take it off,"}};
    for (size_t i = 0; i < TIDE_COUNT(words); i++)
        if (text_eq(state, text_of(words[i].state)))
            return words[i].text;
    return "";
}

/* Where the recipient stands, or stood, on the list of an ESP. */
static void show_listed(struct cli *cli, const struct json *lists)
{
    for (size_t i = 0; i < json_count(lists); i++) {
        const struct json *v = json_element(lists, i);
        char when[SHOW_TIME_BYTES];
        struct buf b = {0};
        buf_addf(&b, "account " TEXT_FMT ": %s %s: " TEXT_FMT, TEXT_ARG(ask_text(v, "account")),
                 listed_state(ask_text(v, "state")),
                 show_when(ask_time(v, "since"), cli->show.now, when),
                 TEXT_ARG(ask_text(v, "cause")));
        show_labelled(&cli->show, i == 0 ? "ESP's list" : "", STYLE_PLAIN, buf_text(&b));
        buf_fini(&b);
    }
}

static void show_recipient(struct cli *cli, const struct json *r)
{
    const struct json *v = json_member(r, "verdict");
    struct text provider = ask_text(v, "provider"), gateway = ask_text(v, "gateway");
    struct text suppressed = ask_text(r, "suppressed"), rest = ask_text(v, "evidence"), line;
    struct text verdict = ask_text(v, "verdict");
    tide_wall_ms found = ask_time(v, "found_at");
    char when[SHOW_TIME_BYTES];
    show_styled(&cli->show, STYLE_BOLD, ask_text(r, "address"));
    buf_addc(&cli->out, '\n');
    show_labelled(&cli->show, "domain", STYLE_PLAIN, ask_text(r, "domain"));
    bool certain = true;
    (void)json_bool(json_member(v, "provider_certain"), &certain);
    show_labelled(&cli->show, certain ? "provider" : "likely at", STYLE_PLAIN,
                  provider.n ? provider : TEXT("not one that is known"));
    if (gateway.n > 0)
        show_labelled(&cli->show, "behind", STYLE_PLAIN, gateway);
    show_labelled(&cli->show, "verdict", show_style_of_state(verdict), verdict);
    if (ask_text(v, "reason").n > 0)
        labelled_sentence(cli, "", ask_text(v, "reason"));
    for (const char *label = "evidence"; text_split(&rest, '\n', &line); label = "")
        show_labelled(&cli->show, label, STYLE_PLAIN, line);
    if (found)
        show_labelled(&cli->show, "found", STYLE_PLAIN,
                      text_of(show_when(found, cli->show.now, when)));
    if (suppressed.n > 0)
        show_labelled(&cli->show, "suppressed", STYLE_BAD, suppressed);
    show_listed(cli, json_member(r, "esp_lists"));
}

static bool is_pending(struct text state)
{
    return text_eq(state, TEXT("accepted")) || text_eq(state, TEXT("held")) ||
           text_eq(state, TEXT("releasing"));
}

static void show_line(struct cli *cli, const struct json *n)
{
    struct text state = ask_text(n, "state"), subject = ask_text(n, "subject");
    buf_adds(&cli->out, "  ");
    show_styled(&cli->show, STYLE_DIM, ask_text(n, "id"));
    buf_adds(&cli->out, "  ");
    show_styled(&cli->show, show_style_of_state(state), state);
    buf_adds(&cli->out, "  ");
    if (subject.n == 0)
        subject = TEXT("(no subject)");
    size_t column = 2 + 13 + 2 + state.n + 2, width = (size_t)cli->show.width;
    show_text(&cli->out, subject, width > column + 20 ? width - column : 0);
    buf_addc(&cli->out, '\n');
}

/* What a run of alike notifications has in common, below them. */
static void show_details(struct cli *cli, const struct json *n)
{
    struct text state = ask_text(n, "state"), reason = ask_text(n, "reason");
    struct text stream = ask_text(n, "stream");
    tide_wall_ms at = ask_time(n, "estimated_release_at"), deadline = ask_time(n, "deadline");
    char when[SHOW_TIME_BYTES];
    struct buf from = {0};
    buf_add_text(&from, ask_text(n, "sender"));
    if (stream.n > 0)
        buf_addf(&from, ", stream " TEXT_FMT, TEXT_ARG(stream));
    show_labelled(&cli->show, "  from", STYLE_PLAIN, buf_text(&from));
    buf_fini(&from);
    if (is_pending(state) && at)
        show_labelled(&cli->show, "  release", STYLE_PLAIN,
                      text_of(at <= cli->show.now ? "next" : show_when(at, cli->show.now, when)));
    if (is_pending(state) && deadline)
        show_labelled(&cli->show, "  deadline", STYLE_PLAIN,
                      text_of(show_when(deadline, cli->show.now, when)));
    if (reason.n > 0)
        labelled_sentence(cli, is_pending(state) ? "  because" : "  outcome", show_reason(reason));
}

static bool are_alike(const struct json *a, const struct json *b)
{
    static const char *const same[] = {"state",  "sender",   "stream",
                                       "reason", "deadline", "estimated_release_at"};
    for (size_t i = 0; i < TIDE_COUNT(same); i++)
        if (!text_eq(ask_text(a, same[i]), ask_text(b, same[i])))
            return false;
    return true;
}

/* Alike ones stand together, and what they have in common is told once: thirty comments that wait
 * for one reset. */
static void show_notifications(struct cli *cli, const struct json *list, bool pending)
{
    const struct json *last = NULL;
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *n = json_element(list, i);
        if (is_pending(ask_text(n, "state")) != pending)
            continue;
        if (!last)
            show_heading(&cli->show, pending ? "pending" : "done");
        else if (!are_alike(last, n))
            show_details(cli, last);
        show_line(cli, n);
        last = n;
    }
    if (last)
        show_details(cli, last);
    else if (pending)
        buf_adds(&cli->out, "\nNothing is pending.\n");
}

static void show_why(struct cli *cli, const struct ask *a)
{
    const struct json *notifications = json_member(a->doc, "notifications");
    const struct json *recipient = json_member(a->doc, "recipient");
    if (json_kind(recipient) == JSON_KIND_OBJECT)
        show_recipient(cli, recipient);
    show_notifications(cli, notifications, true);
    show_notifications(cli, notifications, false);
    show_story(cli, a->doc);
    if (ask_text(a->doc, "next").n > 0)
        buf_adds(&cli->out, "\nOlder or further decisions are kept too; see -n.\n");
}

int cmd_why(struct cli *cli)
{
    bool is_address = false;
    const char *what = cli->argv[0];
    struct buf path = {0};
    int code = ask_check_most(cli);
    if (code == CLI_OK)
        code = ask_check_address_or_id(cli, what, &is_address);
    if (code != CLI_OK)
        return code;
    buf_adds(&path, "/v1/why");
    ask_param(&path, is_address ? "recipient" : "id", what);
    ask_param(&path, "most", cli_option_value(cli, "most"));
    return ask_show(cli, &path, show_why);
}
