/* verify: whether addresses can take mail, asked of DNS by ourselves. */
#include "cmd/mailtide/ask.h"

#include "core/address/addr.h"
#include "core/proto/json_write.h"
#include "io/dns/verifier.h"
#include "io/loop/files.h"

#include <stdlib.h>
#include <unistd.h>

#define CONFIG_PATH "/etc/mailtide/mailtide.conf"

/* One address and what was found out. */
struct subject {
    struct run *run;
    const char *given;
    struct addr addr;
    struct verdict verdict;
    char *suppressed; /* what the daemon says; NULL: nothing */
    bool valid;       /* an address at all */
    struct tide_error err;
};

struct run {
    uv_loop_t loop;
    struct clock clock;
    struct config *config;
    struct resolver *resolver;
    struct verifier *verifier;
    struct subject *subjects;
    size_t count, pending;
    struct arena arena;
};

static void on_resolver_closed(void *arg)
{
    (void)arg;
}

static void on_verifier_closed(void *arg)
{
    struct run *run = arg;
    resolver_close(run->resolver, on_resolver_closed, run);
}

static void on_verdict(void *arg, enum tide_err rc, const struct verdict *v)
{
    struct subject *s = arg;
    struct run *run = s->run;
    if (rc == TIDE_OK) {
        s->verdict = *v;
        s->verdict.provider = arena_text(&run->arena, v->provider);
        s->verdict.gateway = arena_text(&run->arena, v->gateway);
        s->verdict.reason = arena_text(&run->arena, v->reason);
        s->verdict.evidence = arena_text(&run->arena, v->evidence);
    } else {
        s->verdict.reason = text_of(tide_err_text(rc));
    }
    if (--run->pending == 0)
        verifier_close(run->verifier, on_verifier_closed, run);
}

static enum tide_err open_dns(struct run *run, struct tide_error *err)
{
    enum tide_err rc =
        resolver_open(&run->loop, &run->clock, &run->config->dns, &run->resolver, err);
    if (rc != TIDE_OK)
        return rc;
    rc = verifier_open(&run->loop, run->resolver, &run->clock, &run->config->profiles,
                       run->config->dns.private_addresses, &run->verifier, err);
    if (rc != TIDE_OK)
        resolver_close(run->resolver, on_resolver_closed, run);
    return rc;
}

/* Asks for every address that is one, and waits for the last answer. */
static enum tide_err ask_dns(struct run *run, struct tide_error *err)
{
    enum tide_err rc = open_dns(run, err);
    if (rc == TIDE_OK)
        run->pending = 1; /* held while the questions are put */
    for (size_t i = 0; rc == TIDE_OK && i < run->count; i++) {
        struct subject *s = &run->subjects[i];
        if (!s->valid)
            continue;
        if (s->addr.is_literal) {
            s->verdict.reason = TEXT("An address literal needs no DNS and was not tried.");
            continue;
        }
        if (verifier_verify(run->verifier, text_of(s->addr.domain.ascii), on_verdict, s, &s->err) ==
            TIDE_OK)
            run->pending++;
        else
            s->verdict.reason = text_of(s->err.text);
    }
    if (rc == TIDE_OK && --run->pending == 0)
        verifier_close(run->verifier, on_verifier_closed, run);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    return rc;
}

/* The daemon, if one runs, knows who is suppressed; without one there is nothing to add. */
static void ask_daemon(struct cli *cli, struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct subject *s = &run->subjects[i];
        struct buf path = {0};
        struct ask a;
        if (!s->valid)
            continue;
        buf_adds(&path, "/v1/why?most=1");
        ask_param(&path, "recipient", s->addr.normal);
        int code = ask_get(cli, buf_str(&path), true, &a);
        struct text why = ask_text(json_member(a.doc, "recipient"), "suppressed");
        if (code == CLI_OK && why.n > 0)
            s->suppressed = arena_strndup(&run->arena, why.p, why.n);
        ask_fini(&a);
        buf_fini(&path);
        if (code == CLI_UNREACHABLE || code == CLI_NOT_PERMITTED)
            return;
    }
}

static const char *verdict_text(const struct subject *s)
{
    return s->valid ? verdict_name(s->verdict.kind) : "not an address";
}

static bool can_take_mail(const struct subject *s)
{
    return s->valid && !s->suppressed &&
           (s->verdict.kind == VERDICT_DELIVERABLE || s->verdict.kind == VERDICT_RISKY);
}

static void show_subject(struct cli *cli, const struct subject *s)
{
    struct text rest = s->verdict.evidence, line, word = text_of(verdict_text(s));
    show_styled(&cli->show, STYLE_BOLD, text_of(s->valid ? s->addr.normal : s->given));
    buf_adds(&cli->out, "  ");
    show_styled(&cli->show, show_style_of_state(word), word);
    if (s->verdict.provider.n > 0)
        buf_addf(&cli->out, ", at " TEXT_FMT, TEXT_ARG(s->verdict.provider));
    if (s->verdict.gateway.n > 0)
        buf_addf(&cli->out, ", behind " TEXT_FMT, TEXT_ARG(s->verdict.gateway));
    buf_adds(&cli->out, "\n    ");
    show_paragraph(&cli->show, 4, 4, s->valid ? s->verdict.reason : text_of(s->err.text));
    while (text_split(&rest, '\n', &line)) {
        buf_adds(&cli->out, "    ");
        show_styled(&cli->show, STYLE_DIM, line);
        buf_addc(&cli->out, '\n');
    }
    if (s->suppressed) {
        show_styled(&cli->show, STYLE_BAD, TEXT("    suppressed: "));
        show_paragraph(&cli->show, 16, 6, text_of(s->suppressed));
    }
}

static void put_text(struct json_writer *w, const char *name, struct text t)
{
    if (t.n > 0)
        jw_text(w, name, t);
    else
        jw_null(w, name);
}

static void write_json(struct cli *cli, const struct run *run)
{
    struct json_writer w;
    jw_init(&w, &cli->out);
    jw_object(&w, NULL);
    jw_array(&w, "addresses");
    for (size_t i = 0; i < run->count; i++) {
        const struct subject *s = &run->subjects[i];
        jw_object(&w, NULL);
        jw_str(&w, "given", s->given);
        jw_str(&w, "address", s->valid ? s->addr.normal : NULL);
        jw_str(&w, "verdict", s->valid ? verdict_name(s->verdict.kind) : "undeliverable");
        put_text(&w, "provider", s->verdict.provider);
        put_text(&w, "gateway", s->verdict.gateway);
        put_text(&w, "reason", s->valid ? s->verdict.reason : text_of(s->err.text));
        put_text(&w, "evidence", s->verdict.evidence);
        jw_str(&w, "suppressed", s->suppressed);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    buf_addc(&cli->out, '\n');
}

static int judge(struct cli *cli, struct run *run)
{
    int code = CLI_OK;
    ask_daemon(cli, run);
    if (cli_json(cli))
        write_json(cli, run);
    for (size_t i = 0; i < run->count; i++) {
        if (!cli_json(cli))
            show_subject(cli, &run->subjects[i]);
        if (!can_take_mail(&run->subjects[i]))
            code = CLI_NO;
    }
    return code;
}

int cmd_verify(struct cli *cli)
{
    struct run run = {.count = (size_t)cli->argc};
    struct tide_error err;
    const char *file = cli_option_value(cli, "config");
    if (!file && access(CONFIG_PATH, R_OK) == 0)
        file = CONFIG_PATH;
    if (config_load(file, &files_source, &run.config, &err) != TIDE_OK)
        return cli_fail(cli, CLI_NO, "%s", err.text);
    clock_init_real(&run.clock);
    uv_loop_init(&run.loop);
    run.subjects = calloc(run.count, sizeof *run.subjects);
    for (size_t i = 0; run.subjects && i < run.count; i++) {
        struct subject *s = &run.subjects[i];
        s->run = &run;
        s->given = cli->argv[i];
        s->valid = addr_parse(text_of(s->given), ADDR_LITERAL, &s->addr, &s->err) == TIDE_OK;
    }
    enum tide_err rc =
        run.subjects ? ask_dns(&run, &err) : tide_fail(&err, TIDE_ENOMEM, "out of memory");
    int code = rc == TIDE_OK ? judge(cli, &run) : cli_fail(cli, CLI_NO, "%s", err.text);
    uv_loop_close(&run.loop);
    config_free(run.config);
    arena_fini(&run.arena);
    free(run.subjects);
    return code;
}
