/* check-sender: whether a domain's mail will be trusted where it arrives, asked of DNS by
 * ourselves. */
#include "cmd/mailtide/check_show.h"

#include "base/file.h"
#include "base/macros.h"
#include "core/verify/sender_account.h"
#include "core/verify/sender_trust.h"
#include "io/crypto/dkim_verify.h"
#include "io/dns/asker.h"
#include "io/loop/files.h"

#include <stdlib.h>
#include <unistd.h>

#define MESSAGE_BYTES_MAX (50u << 20)
#define SELECTORS_MAX     16

struct run {
    uv_loop_t loop;
    struct clock clock;
    struct config *config;
    struct resolver *resolver;
    struct sender_rules rules;
    struct suffixes *suffixes;
    struct domain domain, mail_from;
    struct sender_account account;
    struct sender_ip ips[SENDER_IPS_MAX];
    struct text selectors[SELECTORS_MAX];
    struct buf mail;
    struct message message;
    struct sender_input in;
    struct sender *sender;
    struct arena arena;
    size_t pending;
};

/* -- What is asked for --------------------------------------------------------------------------*/

static enum tide_err read_domain(struct text t,
                                 struct domain *to,
                                 struct text *ret,
                                 struct tide_error *err)
{
    enum tide_err rc = domain_parse(t, to, err);
    if (rc == TIDE_OK)
        *ret = domain_text(to);
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, TEXT_FMT, TEXT_ARG(text_cut(t, 0, 80)));
}

static enum tide_err read_ips(struct run *run, struct text list, struct tide_error *err)
{
    struct text one;
    while (text_split(&list, ',', &one)) {
        one = text_trim(one);
        if (run->in.ip_count == SENDER_IPS_MAX)
            return tide_fail(err, TIDE_ELIMIT, "--ip: want at most %d addresses", SENDER_IPS_MAX);
        if (!sender_ip_parse(one, &run->ips[run->in.ip_count++]))
            return tide_fail(err, TIDE_EINVAL, "--ip: want IP addresses, got \"" TEXT_FMT "\"",
                             TEXT_ARG(text_cut(one, 0, 60)));
    }
    run->in.ips = run->ips;
    return TIDE_OK;
}

static enum tide_err read_selectors(struct run *run, struct text list, struct tide_error *err)
{
    struct text one;
    while (text_split(&list, ',', &one)) {
        if (run->in.selector_count == SELECTORS_MAX)
            return tide_fail(err, TIDE_ELIMIT, "--selector: want at most %d", SELECTORS_MAX);
        one = text_trim(one);
        if (!one.n || one.n > DOMAIN_LABEL_BYTES_MAX * 2)
            return tide_fail(err, TIDE_EINVAL, "--selector: want names divided by commas");
        run->selectors[run->in.selector_count++] = one;
    }
    run->in.selectors = run->selectors;
    return TIDE_OK;
}

/* An account of the configuration with what it says there, where no option says otherwise; or an
 * ESP's profile by its own name. */
static enum tide_err read_account(struct run *run, const char *name, struct tide_error *err)
{
    int at = config_account_index(run->config, text_of(name));
    if (at >= 0)
        return sender_account_take(&run->account, run->config, &run->config->accounts[at], &run->in,
                                   err);
    run->in.account = profiles_account(&run->config->profiles, text_of(name));
    if (!run->in.account)
        return tide_fail(err, TIDE_ENOENT,
                         "--account: there is no account and no profile of the name \"%.60s\"",
                         name);
    return TIDE_OK;
}

static enum tide_err read_message(struct run *run, const char *path, struct tide_error *err)
{
    struct buf raw = {0};
    enum tide_err rc =
        file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, MESSAGE_BYTES_MAX, &raw, err);
    if (rc == TIDE_OK)
        rc = message_normalise(buf_text(&raw), &run->mail, err);
    if (rc == TIDE_OK)
        rc = message_open(buf_text(&run->mail), &run->message, err);
    buf_fini(&raw);
    run->in.message = &run->message;
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "--message");
}

static enum tide_err verify(const struct message *m,
                            const struct dkim_signature *s,
                            const struct dkim_key *key,
                            tide_wall_ms now,
                            bool *ret_good,
                            const char **ret_text,
                            int64_t *ret_unsigned,
                            struct tide_error *err)
{
    enum dkim_verify_result result = DKIM_VERIFY_KEY;
    enum tide_err rc = dkim_verify(m, s, key, now, &result, ret_unsigned, err);
    *ret_good = rc == TIDE_OK && result == DKIM_VERIFY_PASS;
    *ret_text = dkim_verify_text(result);
    return rc;
}

static enum tide_err read_command(struct cli *cli, struct run *run, struct tide_error *err)
{
    const char *mail_from = cli_option_value(cli, "mail-from"), *ips = cli_option_value(cli, "ip");
    const char *selectors = cli_option_value(cli, "selector");
    const char *account = cli_option_value(cli, "account");
    const char *message = cli_option_value(cli, "message");
    enum tide_err rc = read_domain(text_of(cli->argv[0]), &run->domain, &run->in.domain, err);
    if (rc == TIDE_OK && mail_from)
        rc = read_domain(text_of(mail_from), &run->mail_from, &run->in.mail_from, err);
    if (rc == TIDE_OK && ips)
        rc = read_ips(run, text_of(ips), err);
    if (rc == TIDE_OK && selectors)
        rc = read_selectors(run, text_of(selectors), err);
    if (rc == TIDE_OK && account)
        rc = read_account(run, account, err);
    if (rc == TIDE_OK && message)
        rc = read_message(run, message, err);
    if (rc == TIDE_OK && cli_option_value(cli, "psl"))
        rc = suffixes_open(&run->suffixes, err);
    run->in.suffixes = run->suffixes;
    run->in.bulk = cli_option_value(cli, "bulk") != NULL;
    run->in.block_lists = !cli_option_value(cli, "no-lists");
    run->in.private_addresses = run->config->dns.private_addresses;
    run->in.rules = &run->rules;
    run->in.verify = verify;
    run->in.now = clock_wall(&run->clock);
    return rc;
}

/* -- Asking -------------------------------------------------------------------------------------*/

static void on_resolver_closed(void *arg)
{
    (void)arg;
}

static void on_probe_done(void *arg, enum tide_err rc)
{
    struct run *run = arg;
    (void)rc; /* nobody cancels here */
    if (--run->pending == 0)
        resolver_close(run->resolver, on_resolver_closed, NULL);
}

/* All probes at once; the resolver asks each question once. */
static enum tide_err ask_dns(struct run *run, struct tide_error *err)
{
    enum tide_err rc =
        resolver_open(&run->loop, &run->clock, &run->config->dns, &run->resolver, err);
    if (rc != TIDE_OK)
        return rc;
    run->pending = 1; /* held while the questions are put */
    for (size_t i = 0; i < run->sender->probe_count && rc == TIDE_OK; i++) {
        struct sender_probe *p = &run->sender->probes[i];
        if (p->first.done)
            continue;
        rc = asker_start(run->resolver, &p->first, p->feed, p->machine, on_probe_done, run, NULL,
                         err);
        run->pending += rc == TIDE_OK;
    }
    on_probe_done(run, TIDE_OK);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    return rc;
}

/* -- Showing ------------------------------------------------------------------------------------*/

static void show_report(struct cli *cli, const struct run *run)
{
    const struct sender *s = run->sender;
    show_styled(&cli->show, STYLE_BOLD, s->in.domain);
    if (s->in.account)
        buf_addf(&cli->out, " through %s", s->in.account->title);
    buf_adds(&cli->out, ": ");
    show_styled(&cli->show, check_style(s->state), text_of(sender_state_name(s->state)));
    buf_addc(&cli->out, '\n');
    for (size_t i = 0; i < s->check_count; i++)
        check_show(cli, &s->checks[i]);
}

static void json_report(struct cli *cli, const struct run *run)
{
    const struct sender *s = run->sender;
    struct json_writer w;
    jw_init(&w, &cli->out);
    jw_object(&w, NULL);
    jw_text(&w, "domain", s->in.domain);
    jw_str(&w, "account", s->in.account ? s->in.account->name : NULL);
    jw_str(&w, "state", sender_state_name(s->state));
    jw_array(&w, "checks");
    for (size_t i = 0; i < s->check_count; i++) {
        jw_object(&w, NULL);
        sender_check_json(&w, &s->checks[i]);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    buf_addc(&cli->out, '\n');
}

static enum tide_err check(struct cli *cli, struct run *run, struct tide_error *err)
{
    enum tide_err rc = sender_rules_load(run->config, &files_source, &run->rules, err);
    if (rc == TIDE_OK)
        rc = sender_init(run->sender, &run->in, &run->arena, err);
    if (rc != TIDE_OK)
        return rc;
    rc = ask_dns(run, err);
    if (rc == TIDE_OK)
        rc = sender_report(run->sender, err);
    if (rc == TIDE_OK)
        (cli_json(cli) ? json_report : show_report)(cli, run);
    return rc;
}

static void run_fini(struct run *run)
{
    sender_fini(run->sender);
    sender_rules_fini(&run->rules);
    suffixes_close(run->suffixes);
    buf_fini(&run->mail);
    arena_fini(&run->arena);
    config_free(run->config);
    uv_loop_close(&run->loop);
    free(run->sender);
}

int cmd_check_sender(struct cli *cli)
{
    struct run run = {.sender = calloc(1, sizeof *run.sender)};
    struct tide_error err = {0};
    if (cli_option_value(cli, "watched")) {
        free(run.sender);
        return check_watched(cli, cli->argc ? cli->argv[0] : NULL);
    }
    if (cli->argc == 0) {
        free(run.sender);
        return cli_fail(cli, CLI_USAGE, "want a domain, or --watched");
    }
    if (!run.sender)
        return cli_fail(cli, CLI_NO, "%s", tide_err_text(TIDE_ENOMEM));
    uv_loop_init(&run.loop);
    clock_init_real(&run.clock);
    int code = CLI_OK;
    if (config_load(cli_config_file(cli, F_OK), &files_source, &run.config, &err) != TIDE_OK)
        code = cli_fail(cli, CLI_NO, "%s", err.text);
    else if (read_command(cli, &run, &err) != TIDE_OK)
        code = cli_fail(cli, CLI_USAGE, "%s", err.text);
    else if (check(cli, &run, &err) != TIDE_OK)
        code = cli_fail(cli, CLI_NO, "%s", err.text);
    else if (run.sender->state >= SENDER_UNKNOWN)
        code = CLI_NO;
    run_fini(&run);
    return code;
}
