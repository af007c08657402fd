/* suppress: who is not to be mailed, why, until when; and what an operator has to say of it.
 *
 * list, add, remove, why, export and import stand below in this order; each is one row of `words`.
 */
#include "cmd/mailtide/ask.h"

#include "base/macros.h"
#include "core/outcome/suppress_csv.h"
#include "core/proto/json_write.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE       "1000" /* rows of one request */
#define BATCH_MOST 500    /* entries of one request */

/* -- Reading the daemon's answer -----------------------------------------------------------------
 */

static void entry_of(const struct json *v, struct suppression *ret)
{
    *ret = (struct suppression){.address = ask_text(v, "address"),
                                .scope = ask_text(v, "scope"),
                                .pause = ask_bool(v, "pause"),
                                .evidence = ask_text(v, "evidence"),
                                .rule = ask_text(v, "rule"),
                                .account = ask_text(v, "account"),
                                .by = ask_text(v, "by"),
                                .at = ask_time(v, "at"),
                                .expires_at = ask_time(v, "expires_at"),
                                .lifted_at = ask_time(v, "lifted_at"),
                                .times = (int)ask_int(v, "times")};
    suppression_cause_of(ask_text(v, "cause"), &ret->cause);
}

static void list_path(struct cli *cli, const char *after, const char *most, struct buf *ret)
{
    buf_adds(ret, "/v1/suppressions");
    ask_param(ret, "domain", cli_option_value(cli, "domain"));
    ask_param(ret, "cause", cli_option_value(cli, "cause"));
    ask_param(ret, "all", cli_option_value(cli, "all") ? "1" : NULL);
    ask_param(ret, "most", most);
    ask_param(ret, "after", after);
}

/* -- list ----------------------------------------------------------------------------------------
 */

static const char *until_text(const struct cli *cli, const struct suppression *s, char *out)
{
    if (s->lifted_at)
        return "lifted";
    if (!s->expires_at)
        return "it is lifted";
    return show_when_in(&cli->show, s->expires_at, out);
}

static void list_row(struct cli *cli, struct table *t, const struct suppression *s)
{
    char when[SHOW_TIME_BYTES];
    struct buf note = {0};
    table_cell(t, STYLE_PLAIN, s->address);
    table_cell(t, s->pause ? STYLE_PLAIN : STYLE_BAD, text_of(suppression_cause_name(s->cause)));
    table_cell(t, STYLE_PLAIN, s->scope.n ? s->scope : TEXT("all mail"));
    table_cell(t, STYLE_PLAIN, text_of(s->pause ? "held" : "refused"));
    table_cell(t, STYLE_PLAIN, text_of(show_time(s->at, cli->show.now, when)));
    table_cell(t, STYLE_PLAIN, text_of(until_text(cli, s, when)));
    if (s->by.n > 0)
        buf_addf(&note, "by " TEXT_FMT "%s", TEXT_ARG(s->by), s->evidence.n > 0 ? ": " : "");
    buf_add_text(&note, s->evidence);
    if (cli->show.width == 0)
        table_cell(t, STYLE_PLAIN, buf_text(&note));
    else if (note.len > 0)
        table_note(t, buf_text(&note));
    buf_fini(&note);
}

static void show_list(struct cli *cli, const struct ask *a)
{
    static const struct column piped[] = {{"address", false, true},  {"cause", false, false},
                                          {"what", false, false},    {"is", false, false},
                                          {"since", false, false},   {"until", false, false},
                                          {"evidence", false, true}, {NULL, false, false}};
    static const struct column seen[] = {{"address", false, true}, {"cause", false, false},
                                         {"what", false, true},    {"is", false, false},
                                         {"since", false, false},  {"until", false, false},
                                         {NULL, false, false}};
    const struct json *list = json_member(a->doc, "suppressions");
    struct table t;
    if (json_count(list) == 0) {
        buf_adds(&cli->out, "Nobody is suppressed.\n");
        return;
    }
    table_init(&t, &cli->show, cli->show.width > 0 ? seen : piped);
    for (size_t i = 0; i < json_count(list); i++) {
        struct suppression s;
        entry_of(json_element(list, i), &s);
        list_row(cli, &t, &s);
    }
    table_print(&t, 0);
    if (ask_text(a->doc, "next").n > 0)
        buf_addf(&cli->out, "There are more than these %zu; see -n, --domain, --cause.\n",
                 json_count(list));
}

static int suppress_list(struct cli *cli)
{
    struct buf path = {0};
    int code = ask_check_most(cli);
    if (code != CLI_OK)
        return code;
    list_path(cli, NULL, cli_option_value(cli, "most"), &path);
    return ask_show(cli, &path, show_list);
}

/* -- add, remove ---------------------------------------------------------------------------------
 */

/* A duration from now, or a time; 0: not given. False: neither, and it is said. */
static bool expires_of(struct cli *cli, tide_wall_ms now, tide_wall_ms *ret)
{
    const char *given = cli_option_value(cli, "expires");
    struct tide_error err;
    int64_t span;
    *ret = 0;
    if (!given)
        return true;
    if (text_duration_ms(text_of(given), &span, &err) == TIDE_OK && span > 0) {
        *ret = now + span;
        return true;
    }
    if (time_parse_rfc3339(text_of(given), ret, &err) == TIDE_OK)
        return true;
    cli_fail(cli, CLI_USAGE,
             "--expires: want a duration, as \"30d\", or an RFC 3339 time, got \"%s\"", given);
    return false;
}

static void put_entry(struct json_writer *w, const struct suppression *s)
{
    jw_object(w, NULL);
    jw_text(w, "address", s->address);
    jw_str(w, "cause", suppression_cause_name(s->cause));
    jw_text(w, "scope", s->scope);
    jw_text(w, "evidence", s->evidence);
    if (s->at)
        jw_time(w, "at", s->at);
    if (s->expires_at)
        jw_time(w, "expires_at", s->expires_at);
    jw_end(w);
}

static bool cause_of(struct cli *cli, enum suppression_cause *ret)
{
    const char *given = cli_option_value(cli, "cause");
    if (!given || suppression_cause_of(text_of(given), ret))
        return true;
    cli_fail(cli, CLI_USAGE,
             "--cause: want manual, invalid, disabled, full, complaint, unsubscribed or refused, "
             "got \"%s\"",
             given);
    return false;
}

/* What the daemon's clock says, which may be hurried. */
static int daemon_now(struct cli *cli, tide_wall_ms *ret)
{
    struct ask a;
    int code = ask_get(cli, "/v1/suppressions?most=1", false, &a);
    if (code == CLI_OK)
        *ret = ask_time(a.doc, "now");
    ask_fini(&a);
    return code;
}

static int suppress_add(struct cli *cli)
{
    const char *scope = cli_option_value(cli, "scope"),
               *evidence = cli_option_value(cli, "evidence");
    struct suppression s = {.address = text_of(cli->argv[1]),
                            .scope = text_of(scope ? scope : ""),
                            .evidence = text_of(evidence ? evidence : "")};
    struct buf body = {0};
    struct json_writer w;
    struct ask a;
    tide_wall_ms now = 0;
    int code = ask_check_address(cli, cli->argv[1]);
    if (code == CLI_OK && cli_option_value(cli, "expires"))
        code = daemon_now(cli, &now);
    if (code == CLI_OK && (!cause_of(cli, &s.cause) || !expires_of(cli, now, &s.expires_at)))
        code = CLI_USAGE;
    if (code != CLI_OK)
        return code;
    jw_init(&w, &body);
    jw_object(&w, NULL);
    jw_array(&w, "entries");
    put_entry(&w, &s);
    jw_end(&w);
    jw_end(&w);
    code = ask_post(cli, "/v1/suppressions", buf_text(&body), &a);
    buf_fini(&body);
    const struct json *wrong =
        code == CLI_OK ? json_element(json_member(a.doc, "errors"), 0) : NULL;
    if (code == CLI_OK && cli_json(cli))
        ask_pass(cli, &a);
    if (wrong)
        code = cli_fail(cli, CLI_NO, "%s: " TEXT_FMT, cli->argv[1],
                        TEXT_ARG(ask_text(wrong, "message")));
    else if (code == CLI_OK && !cli_json(cli))
        buf_addf(&cli->out, "%s is suppressed.\n", cli->argv[1]);
    ask_fini(&a);
    return code;
}

static void show_removed(struct cli *cli, const struct ask *a)
{
    (void)a;
    buf_addf(&cli->out, "%s may be mailed again.\n", cli->argv[1]);
}

static int suppress_remove(struct cli *cli)
{
    struct buf path = {0};
    int code = ask_check_address(cli, cli->argv[1]);
    if (code != CLI_OK)
        return code;
    buf_adds(&path, "/v1/suppressions/remove");
    ask_param(&path, "recipient", cli->argv[1]);
    ask_param(&path, "scope", cli_option_value(cli, "scope"));
    return ask_do(cli, &path, show_removed);
}

/* -- why -----------------------------------------------------------------------------------------
 */

static void why_entries(struct cli *cli, const struct json *list)
{
    char when[SHOW_TIME_BYTES];
    for (size_t i = 0; i < json_count(list); i++) {
        struct suppression s;
        entry_of(json_element(list, i), &s);
        buf_addf(&cli->out, "%s%s  %s, " TEXT_FMT ", %s", i ? "" : "\n",
                 show_time(s.at, cli->show.now, when), suppression_cause_name(s.cause),
                 TEXT_ARG(s.scope.n ? s.scope : TEXT("all mail")), s.pause ? "held" : "refused");
        if (s.lifted_at)
            buf_addf(&cli->out, " until it was lifted, %s",
                     show_time(s.lifted_at, cli->show.now, when));
        else if (s.expires_at)
            buf_addf(&cli->out, " until %s", show_when(s.expires_at, cli->show.now, when));
        if (s.times > 1)
            buf_addf(&cli->out, ", %d times in a row", s.times);
        if (s.by.n > 0)
            buf_addf(&cli->out, ", by " TEXT_FMT, TEXT_ARG(s.by));
        buf_addc(&cli->out, '\n');
        if (s.evidence.n > 0) {
            buf_adds(&cli->out, "    ");
            show_paragraph(&cli->show, 4, 4, s.evidence);
        }
        if (s.rule.n > 0)
            buf_addf(&cli->out, "    known by " TEXT_FMT ", through " TEXT_FMT "\n",
                     TEXT_ARG(s.rule), TEXT_ARG(s.account));
    }
}

static void why_findings(struct cli *cli, const struct json *list)
{
    char when[SHOW_TIME_BYTES];
    if (json_count(list) > 0)
        buf_adds(&cli->out, "\nEvidence\n");
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *f = json_element(list, i);
        buf_addf(&cli->out, "%s  " TEXT_FMT "%s\n    ",
                 show_time(ask_time(f, "at"), cli->show.now, when), TEXT_ARG(ask_text(f, "class")),
                 ask_bool(f, "sure") ? ", beyond doubt" : "");
        show_paragraph(&cli->show, 4, 4, ask_text(f, "reply"));
    }
}

static void show_why(struct cli *cli, const struct ask *a)
{
    show_styled(&cli->show, STYLE_BOLD, ask_text(a->doc, "address"));
    buf_addf(&cli->out, " is %s\n", ask_bool(a->doc, "in_trouble") ? "in trouble" : "all right");
    if (ask_bool(a->doc, "in_trouble")) {
        show_paragraph(&cli->show, 0, 0, ask_text(a->doc, "why"));
        show_paragraph(&cli->show, 0, 0, ask_text(a->doc, "ask"));
    }
    why_entries(cli, json_member(a->doc, "suppressions"));
    why_findings(cli, json_member(a->doc, "findings"));
}

static int suppress_why(struct cli *cli)
{
    struct buf path = {0};
    int code = ask_check_address(cli, cli->argv[1]);
    if (code != CLI_OK)
        return code;
    buf_adds(&path, "/v1/recipients/");
    buf_add_escaped(&path, text_of(cli->argv[1]), "");
    return ask_show(cli, &path, show_why);
}

/* -- export --------------------------------------------------------------------------------------
 */

static int suppress_export(struct cli *cli)
{
    const char *format = cli_option_value(cli, "format");
    bool ses = format && strcmp(format, "ses") == 0;
    struct buf cursor = {0};
    int code = CLI_OK;
    bool more = true;
    if (format && !ses && strcmp(format, "csv") != 0)
        return cli_fail(cli, CLI_USAGE, "--format: want csv or ses, got \"%s\"", format);
    if (!ses)
        suppress_csv_put_head(&cli->out);
    while (more && code == CLI_OK) {
        struct buf path = {0};
        struct ask a;
        list_path(cli, cursor.len > 0 ? buf_str(&cursor) : NULL, PAGE, &path);
        code = ask_get(cli, buf_str(&path), false, &a);
        buf_fini(&path);
        const struct json *list = code == CLI_OK ? json_member(a.doc, "suppressions") : NULL;
        for (size_t i = 0; i < json_count(list); i++) {
            struct suppression s;
            entry_of(json_element(list, i), &s);
            if (ses)
                suppress_csv_put_ses(&cli->out, &s);
            else
                suppress_csv_put(&cli->out, &s);
        }
        struct text next = code == CLI_OK ? ask_text(a.doc, "next") : TEXT("");
        more = next.n > 0;
        cursor.len = 0;
        buf_add_text(&cursor, next);
        ask_fini(&a);
    }
    buf_fini(&cursor);
    return code;
}

/* -- import --------------------------------------------------------------------------------------
 */

struct import {
    struct cli *cli;
    enum suppression_cause cause;
    struct buf body;
    struct json_writer w;
    size_t pending, line;
    int64_t taken, refused;
};

static void import_begin(struct import *im)
{
    im->body.len = 0;
    im->pending = 0;
    jw_init(&im->w, &im->body);
    jw_object(&im->w, NULL);
    jw_array(&im->w, "entries");
}

static int import_send(struct import *im)
{
    struct ask a;
    if (im->pending == 0)
        return CLI_OK;
    jw_end(&im->w);
    jw_end(&im->w);
    int code = ask_post(im->cli, "/v1/suppressions", buf_text(&im->body), &a);
    if (code == CLI_OK) {
        const struct json *errors = json_member(a.doc, "errors");
        im->taken += ask_int(a.doc, "suppressed");
        im->refused += (int64_t)json_count(errors);
        for (size_t i = 0; i < json_count(errors); i++) {
            const struct json *e = json_element(errors, i);
            fprintf(stderr, "mailtide: " TEXT_FMT ": " TEXT_FMT "\n",
                    TEXT_ARG(ask_text(e, "address")), TEXT_ARG(ask_text(e, "message")));
        }
    }
    ask_fini(&a);
    import_begin(im);
    return code;
}

static int import_record(struct import *im, const struct suppress_csv *c, const struct csv *record)
{
    struct suppression s;
    struct tide_error err;
    im->line++;
    if (suppress_csv_entry(c, record, im->cause, &s, &err) != TIDE_OK) {
        im->refused++;
        cli_fail(im->cli, CLI_NO, "record %zu: %s", im->line, err.text);
        return CLI_OK;
    }
    put_entry(&im->w, &s);
    return ++im->pending == BATCH_MOST ? import_send(im) : CLI_OK;
}

static int import_text(struct import *im, struct text in)
{
    struct suppress_csv columns;
    struct csv csv;
    struct tide_error err;
    bool begun = false, is_head = false;
    int code = CLI_OK;
    csv_init(&csv, csv_separator_of(text_cut(in, 0, text_find(in, '\n'))));
    for (enum csv_got got; code == CLI_OK && (got = csv_next(&csv, &in, true)) != CSV_WANTS_MORE;) {
        if (got == CSV_NO_MEMORY) {
            code = cli_fail(im->cli, CLI_NO, "out of memory");
        } else if (!begun) {
            begun = true;
            if (suppress_csv_head(&csv, &columns, &is_head, &err) != TIDE_OK)
                code = cli_fail(im->cli, CLI_USAGE, "%s: %s", im->cli->argv[1], err.text);
            else if (!is_head)
                code = import_record(im, &columns, &csv);
        } else {
            code = import_record(im, &columns, &csv);
        }
    }
    csv_fini(&csv);
    return code == CLI_OK ? import_send(im) : code;
}

static int suppress_import(struct cli *cli)
{
    struct import im = {.cli = cli};
    struct buf list = {0};
    int code = cause_of(cli, &im.cause)
                   ? cli_read_file(cli, cli->argv[1], CLI_MESSAGE_BYTES_MAX, &list)
                   : CLI_USAGE;
    import_begin(&im);
    if (code == CLI_OK)
        code = import_text(&im, suppress_csv_begin(buf_text(&list)));
    if (code == CLI_OK && cli_json(cli))
        buf_addf(&cli->out, "{\"suppressed\":%lld,\"refused\":%lld}\n", (long long)im.taken,
                 (long long)im.refused);
    else if (code == CLI_OK)
        buf_addf(&cli->out, "%lld suppressed, %lld not.\n", (long long)im.taken,
                 (long long)im.refused);
    if (code == CLI_OK && im.refused > 0)
        code = CLI_NO;
    buf_fini(&im.body);
    buf_fini(&list);
    return code;
}

/* -- The words -----------------------------------------------------------------------------------
 */

static const struct {
    const char *word, *operand; /* NULL: none */
    int (*run)(struct cli *cli);
} words[] = {
    {"list", NULL, suppress_list},          {"add", "ADDRESS", suppress_add},
    {"remove", "ADDRESS", suppress_remove}, {"why", "ADDRESS", suppress_why},
    {"export", NULL, suppress_export},      {"import", "FILE", suppress_import},
    {"sync", NULL, suppress_sync},
};

int cmd_suppress(struct cli *cli)
{
    for (size_t i = 0; i < TIDE_COUNT(words); i++) {
        if (strcmp(cli->argv[0], words[i].word) != 0)
            continue;
        if (cli->argc == (words[i].operand ? 2 : 1))
            return words[i].run(cli);
        return cli_fail(cli, CLI_USAGE, "want: suppress %s%s%s", words[i].word,
                        words[i].operand ? " " : "", words[i].operand ? words[i].operand : "");
    }
    return cli_fail(cli, CLI_USAGE,
                    "suppress: want list, add, remove, why, export, import or sync, got \"%s\"",
                    cli->argv[0]);
}
