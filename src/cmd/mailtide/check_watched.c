/* check-sender --watched: the last reports of the senders that the daemon watches. */
#include "cmd/mailtide/ask.h"
#include "cmd/mailtide/check_show.h"

#include "core/address/domain.h"

static enum sender_state state_of(struct text name)
{
    for (int s = SENDER_GOOD; s <= SENDER_BAD; s++)
        if (text_eq(name, text_of(sender_state_name((enum sender_state)s))))
            return (enum sender_state)s;
    return SENDER_UNKNOWN;
}

static struct text lines_of(const struct json *v, const char *name, struct arena *arena)
{
    struct buf lines = {0};
    const struct json *list = json_member(v, name);
    for (size_t i = 0; i < json_count(list); i++) {
        buf_adds(&lines, i ? "\n" : "");
        buf_add_text(&lines, json_string_text(json_element(list, i)));
    }
    struct text t = arena_text(arena, buf_text(&lines));
    buf_fini(&lines);
    return t;
}

static void show_sender(struct cli *cli, const struct json *s)
{
    char when[SHOW_TIME_BYTES];
    const struct json *report = json_member(s, "report"), *checks = json_member(report, "checks");
    struct text held = ask_text(s, "held");
    tide_wall_ms checked = ask_time(s, "checked_at");
    show_styled(&cli->show, STYLE_BOLD, ask_text(s, "domain"));
    buf_addf(&cli->out, " through " TEXT_FMT ": ", TEXT_ARG(ask_text(s, "account")));
    if (!checked) {
        buf_adds(&cli->out, "not checked yet\n");
        return;
    }
    enum sender_state state = state_of(ask_text(report, "state"));
    show_styled(&cli->show, check_style(state), text_of(sender_state_name(state)));
    buf_addf(&cli->out, ", checked %s", show_when(checked, cli->show.now, when));
    if (ask_time(s, "passed_at") != checked)
        buf_addf(&cli->out, ", last passed %s",
                 ask_time(s, "passed_at") ? show_when(ask_time(s, "passed_at"), cli->show.now, when)
                                          : "never");
    buf_addc(&cli->out, '\n');
    if (held.n) {
        show_styled(&cli->show, STYLE_BAD, TEXT("  bulk streams are held: "));
        show_paragraph(&cli->show, 26, 4, held);
    }
    struct arena arena = {0};
    for (size_t i = 0; i < json_count(checks); i++) {
        const struct json *c = json_element(checks, i);
        const struct sender_check check = {.state = state_of(ask_text(c, "state")),
                                           .what = ask_text(c, "check"),
                                           .finding = ask_text(c, "finding"),
                                           .evidence = lines_of(c, "evidence", &arena),
                                           .consequences = lines_of(c, "consequences", &arena),
                                           .publish = lines_of(c, "publish", &arena)};
        check_show(cli, &check);
    }
    arena_fini(&arena);
}

/* Says no (exit code 1) when one of them is failing or held. */
int check_watched(struct cli *cli, const char *domain)
{
    struct ask a;
    struct buf path = {0};
    size_t shown = 0;
    bool failing = false;
    buf_adds(&path, "/v1/senders");
    ask_param(&path, "domain", domain);
    int code = ask_get(cli, buf_str(&path), false, &a);
    buf_fini(&path);
    if (code != CLI_OK) {
        ask_fini(&a);
        return code;
    }
    ask_set_now(cli, &a);
    const struct json *senders = json_member(a.doc, "senders");
    for (size_t i = 0; i < json_count(senders); i++) {
        const struct json *s = json_element(senders, i);
        failing = failing || ask_bool(json_member(s, "report"), "failing");
        if (!cli_json(cli))
            show_sender(cli, s);
        shown++;
    }
    if (cli_json(cli))
        ask_pass(cli, &a);
    else if (!shown)
        buf_adds(&cli->out,
                 domain ? "mailtide does not watch that domain.\n"
                        : "mailtide watches no sender yet: it watches those that send through an "
                          "ESP or a smarthost.\n");
    ask_fini(&a);
    return failing ? CLI_NO : shown || !domain ? CLI_OK : CLI_NOT_FOUND;
}
