/* verify: whether addresses can take mail, asked of DNS by ourselves. Lists are bulk.c's. */
#include "cmd/mailtide/ask.h"
#include "cmd/mailtide/verify_dns.h"

#include "core/address/addr.h"
#include "core/proto/json_write.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* One address and what was found out. */
struct subject {
    struct run *run;
    const char *given;
    struct addr addr;
    struct verdict verdict;
    struct recipient_hints hints;
    char *suppressed; /* what the daemon says; NULL: nothing */
    bool valid;       /* an address at all */
    struct tide_error err;
};

struct run {
    struct verify_dns dns;
    struct subject *subjects;
    size_t count, pending;
    struct arena arena;
};

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
        verify_dns_end(&run->dns);
}

/* Asks for every address that is one, and waits for the last answer. */
static void ask_dns(struct run *run)
{
    run->pending = 1; /* held while the questions are put */
    for (size_t i = 0; i < run->count; i++) {
        struct subject *s = &run->subjects[i];
        if (!s->valid)
            continue;
        if (s->addr.is_literal) {
            s->verdict.reason = TEXT("An address literal needs no DNS and was not tried.");
            continue;
        }
        recipient_hints(&run->dns.hints, addr_local(&s->addr), domain_text(&s->addr.domain),
                        &s->hints);
        if (verifier_verify(run->dns.verifier, domain_text(&s->addr.domain), on_verdict, s,
                            &s->err) == TIDE_OK)
            run->pending++;
        else
            s->verdict.reason = text_of(s->err.text);
    }
    if (--run->pending == 0)
        verify_dns_end(&run->dns);
    uv_run(&run->dns.loop, UV_RUN_DEFAULT);
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
        buf_addf(&cli->out, ", %s " TEXT_FMT, s->verdict.provider_likely ? "likely at" : "at",
                 TEXT_ARG(s->verdict.provider));
    if (s->verdict.gateway.n > 0)
        buf_addf(&cli->out, ", behind " TEXT_FMT, TEXT_ARG(s->verdict.gateway));
    buf_adds(&cli->out, "\n    ");
    show_paragraph(&cli->show, 4, 4, s->valid ? s->verdict.reason : text_of(s->err.text));
    while (text_split(&rest, '\n', &line)) {
        buf_adds(&cli->out, "    ");
        show_styled(&cli->show, STYLE_DIM, line);
        buf_addc(&cli->out, '\n');
    }
    if (s->hints.found) {
        struct buf hints = {0};
        recipient_hints_sentences(&s->hints, addr_local(&s->addr), domain_text(&s->addr.domain),
                                  &hints);
        show_styled(&cli->show, STYLE_WARN, TEXT("    hint: "));
        show_paragraph(&cli->show, 10, 6, buf_text(&hints));
        buf_fini(&hints);
    }
    if (s->suppressed) {
        show_styled(&cli->show, STYLE_BAD, TEXT("    suppressed: "));
        show_paragraph(&cli->show, 16, 6, text_of(s->suppressed));
    }
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
        jw_text_or_null(&w, "provider", s->verdict.provider);
        jw_text_or_null(&w, "gateway", s->verdict.gateway);
        jw_bool(&w, "provider_certain", s->verdict.provider.n && !s->verdict.provider_likely);
        jw_array(&w, "hints");
        for (unsigned hint = 1; hint < 1u << HINT_COUNT; hint <<= 1)
            if (s->hints.found & hint)
                jw_str(&w, NULL, recipient_hint_name((enum recipient_hint)hint));
        jw_end(&w);
        jw_text_or_null(&w, "meant", s->hints.meant);
        jw_text_or_null(&w, "reason", s->valid ? s->verdict.reason : text_of(s->err.text));
        jw_text_or_null(&w, "evidence", s->verdict.evidence);
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

/* A list: "-", or a file; an address has an "@", and a file of such a name a path before it. */
static bool is_list(const char *operand)
{
    struct stat st;
    if (strcmp(operand, "-") == 0)
        return true;
    return (!strchr(operand, '@') || strchr(operand, '/')) && stat(operand, &st) == 0 &&
           !S_ISDIR(st.st_mode);
}

static int verify_addresses(struct cli *cli)
{
    struct run run = {.count = (size_t)cli->argc};
    int code = verify_dns_open(cli, &run.dns);
    if (code != CLI_OK)
        return code;
    run.subjects = calloc(run.count, sizeof *run.subjects);
    for (size_t i = 0; run.subjects && i < run.count; i++) {
        struct subject *s = &run.subjects[i];
        s->run = &run;
        s->given = cli->argv[i];
        s->valid = addr_parse(text_of(s->given), ADDR_LITERAL, &s->addr, &s->err) == TIDE_OK;
    }
    if (!run.subjects)
        run.count = 0;
    ask_dns(&run);
    code = run.subjects ? judge(cli, &run) : cli_fail(cli, CLI_NO, "out of memory");
    verify_dns_fini(&run.dns);
    arena_fini(&run.arena);
    free(run.subjects);
    return code;
}

int cmd_verify(struct cli *cli)
{
    struct stat st;
    static const char *const of_lists[] = {"column", "format", "output", "resume"};
    if (cli->argc == 0)
        return bulk_verify(cli, NULL);
    if (cli->argc == 1 && is_list(cli->argv[0]))
        return bulk_verify(cli, strcmp(cli->argv[0], "-") == 0 ? NULL : cli->argv[0]);
    for (size_t i = 0; i < sizeof of_lists / sizeof *of_lists; i++)
        if (cli_option_value(cli, of_lists[i]))
            return cli_fail(cli, CLI_USAGE,
                            "--%s is for a list, and \"%s\" is no file that can be found",
                            of_lists[i], cli->argv[0]);
    if (cli->argc == 1 && !strchr(cli->argv[0], '@'))
        return cli_fail(cli, CLI_NO, "\"%s\" is no address, and no file that can be read: %s",
                        cli->argv[0],
                        stat(cli->argv[0], &st) == 0 ? "it is a folder" : strerror(errno));
    return verify_addresses(cli);
}
