/* explain: what a reply or a mail that came back means, by the rules of schedules/replies. */
#include "cmd/mailtide/cli.h"

#include "base/macros.h"
#include "core/outcome/explain.h"
#include "io/loop/files.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define TEXT_BYTES_MAX (64u << 10)

struct run {
    struct config *config;
    struct rulebook *rules;
    struct provider_index providers;
    struct arena arena;
    struct text provider; /* --provider */
};

/* -- What is asked for ------------------------------------------------------------------------- */

static enum tide_err load(struct run *run, const char *file, struct tide_error *err)
{
    enum tide_err rc = config_load(file, &files_source, &run->config, err);
    if (rc == TIDE_OK)
        rc = provider_index_init(&run->providers, &run->config->profiles, err);
    if (rc == TIDE_OK)
        rc = rulebook_load(&files_source, run->config->schedules, run->config->schedule_count,
                           &run->rules, err);
    if (rc == TIDE_OK && rulebook_count(run->rules) == 0)
        rc = tide_fail(err, TIDE_ENOENT,
                       "there are no rules: want a folder replies/ in the folder of the key "
                       "schedules, or of $MAILTIDE_SCHEDULES");
    return rc;
}

/* A profile's name, a mail exchanger or a domain of it. */
static enum tide_err read_provider(struct run *run, const char *given, struct tide_error *err)
{
    run->provider = explain_provider_named(&run->config->profiles, &run->providers, text_of(given));
    if (run->provider.n > 0)
        return TIDE_OK;
    return tide_fail(err, TIDE_ENOENT,
                     "--provider %.80s: want the name of a file in schedules/providers, or a mail "
                     "exchanger of one",
                     given);
}

/* Operands joined by blanks; "-" or none: standard input. */
static int read_words(struct cli *cli, struct buf *ret)
{
    struct tide_error err;
    bool given = cli->argc > 0 && strcmp(cli->argv[0], "-") != 0;
    ret->max = TEXT_BYTES_MAX;
    int code = given || cli->argc > 1 ? CLI_OK : cli_read_stdin(cli, ret);
    if (code != CLI_OK)
        return code;
    for (int i = 0; given && i < cli->argc; i++)
        buf_addf(ret, "%s%s", i ? " " : "", cli->argv[i]);
    if (buf_check(ret, &err) != TIDE_OK)
        return cli_fail(cli, CLI_USAGE, "%s", err.text);
    if (text_trim(buf_text(ret)).n == 0)
        return cli_fail(cli, CLI_USAGE, "want a reply's text, as in: explain \"550 no such user\"");
    return CLI_OK;
}

/* -- For people -------------------------------------------------------------------------------- */

static void line(struct cli *cli, const char *label, struct text text)
{
    show_labelled(&cli->show, label, STYLE_PLAIN, text);
}

static void linef(struct cli *cli, const char *label, const char *fmt, ...) TIDE_PRINTF(3, 4);

static void linef(struct cli *cli, const char *label, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    line(cli, label, text_of(text));
}

static const char *title_of(const struct run *run, struct text provider)
{
    const struct profile *p = profiles_provider(&run->config->profiles, provider);
    return p ? p->title : NULL;
}

/* "the words "no such user"", "code 550 5.1.1 alone", "nothing" */
static void evidence(struct cli *cli,
                     const struct run *run,
                     const struct reply_said *said,
                     const struct meaning *m)
{
    char codes[64] = "";
    size_t n = 0;
    if (said->code)
        n = (size_t)snprintf(codes, sizeof codes, "%d%s", said->code, said->status[0] ? " " : "");
    if (said->status[0])
        snprintf(codes + n, sizeof codes - n, "%d.%d.%d", said->status[0], said->status[1],
                 said->status[2]);
    const char *who = title_of(run, said->provider);
    const char *by = who ? ", said by " : "";
    bool theirs = m->rule && m->rule->provider_count > 0; /* a code that the provider explains */
    const char *own = theirs ? title_of(run, text_of(m->rule->providers[0])) : NULL;
    if (m->basis == BASIS_TEXT)
        linef(cli, "evidence", "the words \"%s\"%s%s", m->evidence, by, who ? who : "");
    else if (m->basis == BASIS_WORDS)
        linef(cli, "evidence", "the words \"%s\" hint at it; no rule knows the sentence%s%s",
              m->evidence, by, who ? who : "");
    else if (m->basis == BASIS_CODE && own)
        linef(cli, "evidence", "the code %s; at %s it means this", codes, own);
    else if (m->basis == BASIS_CODE)
        linef(cli, "evidence", "the code %s alone; no rule knows the words%s%s", codes, by,
              who ? who : "");
    else if (codes[0])
        linef(cli, "evidence", "the first digit of %s; no rule knows the words or the code", codes);
    else
        line(cli, "evidence", TEXT("none: no rule knows the words, and there is no code"));
}

static void show_meaning(struct cli *cli,
                         const struct run *run,
                         const struct reply_said *said,
                         const struct meaning *m)
{
    char consequence[512], wait[32];
    line(cli, "cause", text_of(m->cause));
    linef(cli, "fault", "%s", explain_fault(m->fault));
    evidence(cli, run, said, m);
    line(cli, "advice", text_of(m->advice));
    if (m->basis != BASIS_NOTHING || said->code || said->status[0])
        line(cli, "mailtide", text_of(meaning_consequence(m, consequence, sizeof consequence)));
    if (m->rule && m->rule->wait_ms)
        linef(cli, "wait", "at least %s", text_of_duration(m->rule->wait_ms, wait, sizeof wait));
    if (!m->rule)
        return;
    linef(cli, "rule", "%s (class %s), in %s", m->rule->name, reply_class_name(m->class),
          m->rule->file);
    linef(cli, "source", "%s; %s", m->rule->reference, m->rule->date);
}

static void show_recipient(struct cli *cli, const struct run *run, const struct bounce_recipient *r)
{
    struct reply_said said = {
        .provider = r->provider, .stage = r->stage, .code = r->code, .words = r->said};
    memcpy(said.status, r->status, sizeof said.status);
    buf_addc(&cli->out, '\n');
    show_styled(&cli->show, STYLE_BOLD, r->address);
    if (r->action != DSN_NO_ACTION)
        buf_addf(&cli->out, "  %s", dsn_action_name(r->action));
    if (r->final.n > 0 && !text_ieq(r->final, r->address)) {
        buf_adds(&cli->out, ", forwarded to ");
        show_text(&cli->out, r->final, 0);
    }
    buf_addc(&cli->out, '\n');
    static const char *const good[] = {
        [DSN_DELIVERED] = "The mail arrived; nothing follows.",
        [DSN_RELAYED] = "The mail went on to a system that reports no more; nothing follows.",
        [DSN_EXPANDED] = "The mail went to the members of a list; nothing follows.",
    };
    if (r->action == DSN_DELIVERED || r->action == DSN_RELAYED || r->action == DSN_EXPANDED) {
        line(cli, "mailtide", text_of(good[r->action]));
        return;
    }
    if (r->said.n > 0)
        line(cli, "said", text_cut(r->said, 0, 600));
    show_meaning(cli, run, &said, &r->meaning);
}

static void show_complaint(struct cli *cli, const struct bounce *b)
{
    struct explain_complaint c = explain_complaint_of(b->complaint.type);
    line(cli, "complaint", b->complaint.type);
    for (size_t i = 0; i < b->recipient_count; i++)
        line(cli, "of", b->recipients[i].address);
    line(cli, "cause", text_of(c.cause));
    line(cli, "advice", text_of(c.advice));
    line(cli, "mailtide", text_of(c.consequence));
}

static void show_bounce(struct cli *cli, const struct run *run, const struct bounce *b)
{
    static const char *const kinds[] = {
        [BOUNCE_OTHER] = "no report: a mail like any other",
        [BOUNCE_REPORT] = "a report on what became of a mail",
        [BOUNCE_COMPLAINT] = "a complaint: the recipient called the mail spam, or the like",
        [BOUNCE_AUTOREPLY] = "an automatic answer; the mail arrived",
        [BOUNCE_RECEIPT] = "a receipt: the mail arrived, and was read or not",
    };
    linef(cli, "it is", "%s", kinds[b->kind]);
    if (b->subject.n > 0)
        line(cli, "subject", b->subject);
    if (b->from.n > 0)
        line(cli, "from", b->from);
    if (b->original_id.n > 0)
        line(cli, "about", b->original_id);
    if (b->original_subject.n > 0)
        line(cli, b->original_id.n > 0 ? "" : "about", b->original_subject);
    if (b->sent_to.n > 0)
        line(cli, "came to", b->sent_to);
    if (b->kind == BOUNCE_COMPLAINT)
        show_complaint(cli, b);
    else if (b->kind != BOUNCE_REPORT)
        line(cli, "mailtide", TEXT("Nothing follows for the recipient."));
    if (b->kind != BOUNCE_REPORT)
        return;
    for (size_t i = 0; i < b->recipient_count; i++)
        show_recipient(cli, run, &b->recipients[i]);
}

/* -- The command ------------------------------------------------------------------------------- */

static void show_mails(struct cli *cli,
                       const struct run *run,
                       const struct bounce *mails,
                       size_t count)
{
    char title[64];
    for (size_t i = 0; i < count; i++) {
        if (count > 1) {
            snprintf(title, sizeof title, "mail %zu of %zu", i + 1, count);
            if (i > 0)
                buf_addc(&cli->out, '\n');
            show_styled(&cli->show, STYLE_BOLD, text_of(title));
            buf_addc(&cli->out, '\n');
        }
        show_bounce(cli, run, &mails[i]);
    }
}

static int explain_file(struct cli *cli, struct run *run, const char *path)
{
    struct tide_error err;
    struct buf file = {0};
    const struct explainer x = {run->rules, &run->providers};
    struct bounce *mails = NULL;
    size_t count = 0;
    bool any = false;
    int code = cli_read_file(cli, path, BOUNCE_BYTES_MAX, &file);
    if (code == CLI_OK &&
        explain_mails(&x, buf_text(&file), &run->arena, &mails, &count, &err) != TIDE_OK)
        code = cli_fail(cli, CLI_NO, "%s", err.text);
    buf_fini(&file);
    if (code != CLI_OK)
        return code;
    if (cli_json(cli)) {
        struct json_writer w;
        jw_init(&w, &cli->out);
        jw_object(&w, NULL);
        explain_put_bounces(&w, mails, count);
        jw_end(&w);
        buf_addc(&cli->out, '\n');
    } else {
        show_mails(cli, run, mails, count);
    }
    for (size_t i = 0; i < count; i++)
        any |= mails[i].kind != BOUNCE_OTHER;
    return any ? CLI_OK : CLI_NO;
}

static int explain_text(struct cli *cli, struct run *run)
{
    struct buf words = {0};
    int code = read_words(cli, &words);
    if (code != CLI_OK) {
        buf_fini(&words);
        return code;
    }
    struct reply_said said = {0};
    struct meaning m;
    const struct explainer x = {run->rules, &run->providers};
    explain_words(&x, buf_text(&words), run->provider, &said, &m);
    if (cli_json(cli)) {
        struct json_writer w;
        jw_init(&w, &cli->out);
        jw_object(&w, NULL);
        explain_put_meaning(&w, &said, &m);
        jw_end(&w);
        buf_addc(&cli->out, '\n');
    } else {
        show_paragraph(&cli->show, 0, 0, said.words);
        buf_addc(&cli->out, '\n');
        show_meaning(cli, run, &said, &m);
    }
    buf_fini(&words);
    return m.basis == BASIS_NOTHING ? CLI_NO : CLI_OK;
}

int cmd_explain(struct cli *cli)
{
    struct run run = {0};
    struct tide_error err;
    const char *path = cli_option_value(cli, "message"), *given = cli_option_value(cli, "provider");
    int code;
    enum tide_err rc = load(&run, cli_config_file(cli, R_OK), &err);
    if (rc == TIDE_OK && given)
        rc = read_provider(&run, given, &err);
    if (rc != TIDE_OK)
        code = cli_fail(cli, CLI_NO, "%s", err.text);
    else if (path && cli->argc > 0)
        code = cli_fail(cli, CLI_USAGE, "want either a reply's text or --message, got both");
    else
        code = path ? explain_file(cli, &run, path) : explain_text(cli, &run);
    rulebook_free(run.rules);
    provider_index_fini(&run.providers);
    arena_fini(&run.arena);
    config_free(run.config);
    return code;
}
