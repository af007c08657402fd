/* check-config: all that the daemon reads at its start, without the daemon. */
#include "cmd/mailtide/cli.h"

#include "base/macros.h"
#include "cmd/templates.h"
#include "core/plan/planner.h"
#include "core/proto/json_write.h"
#include "io/loop/files.h"
#include "io/loop/zones.h"

#include <inttypes.h>
#include <unistd.h>

#define LABEL_COLUMNS 17

static void print_templates(struct cli *cli)
{
    const struct digest_sources s = digest_builtin_sources();
    buf_adds(&cli->out, "==> subject.txt <==\n");
    buf_add_text(&cli->out, s.subject);
    buf_adds(&cli->out, "\n==> digest.txt <==\n");
    buf_add_text(&cli->out, s.text);
    buf_adds(&cli->out, "\n==> digest.html <==\n");
    buf_add_text(&cli->out, s.html);
}

/* -- What it would do ----------------------------------------------------------------------------
 */

/* "  label         text" */
static void line(struct cli *cli, const char *label, struct buf *text)
{
    buf_addf(&cli->out, "  %-*s", LABEL_COLUMNS - 2, label);
    show_paragraph(&cli->show, LABEL_COLUMNS, LABEL_COLUMNS, buf_text(text));
    buf_clear(text);
}

static void add_list(struct buf *b, char *const *list, size_t count, const char *none)
{
    for (size_t i = 0; i < count; i++)
        buf_addf(b, "%s%s", i ? ", " : "", list[i]);
    if (count == 0)
        buf_adds(b, none);
}

static size_t limits_of(const struct profile *profiles, size_t count)
{
    size_t limits = 0;
    for (size_t i = 0; i < count; i++)
        limits += profiles[i].limit_count;
    return limits;
}

static void show_doors(struct cli *cli, const struct config *c, struct buf *b)
{
    add_list(b, c->smtp.listen, c->smtp.listen_count, "none");
    if (c->smtp.listen_count > 0)
        buf_adds(b, c->smtp.tls.certificate_file ? ", with STARTTLS" : ", without TLS");
    line(cli, "SMTP", b);
    add_list(b, c->http.listen, c->http.listen_count, "none");
    if (c->http.listen_count > 0)
        buf_adds(b, c->http.tls.certificate_file ? ", with TLS" : ", without TLS");
    line(cli, "HTTP", b);
    buf_addf(b, "%s, mode %04o", c->status.socket, (unsigned)c->status.mode);
    line(cli, "status socket", b);
    buf_addf(b, "%s", c->state_dir);
    line(cli, "state", b);
    add_list(b, c->dns.servers, c->dns.server_count, "none");
    line(cli, "DNS", b);
}

static void show_profiles(struct cli *cli, const struct config *c, struct buf *b)
{
    const struct profiles *p = &c->profiles;
    buf_addf(b, "%zu with %zu limits", p->provider_count,
             limits_of(p->providers, p->provider_count));
    if (c->provider_limit_count > 0)
        buf_addf(b, ", and %zu of your own", c->provider_limit_count);
    line(cli, "providers", b);
    buf_addf(b, "%zu with %zu limits; from ", p->account_count,
             limits_of(p->accounts, p->account_count));
    add_list(b, c->schedules, c->schedule_count, "where mailtide was installed");
    line(cli, "ESP profiles", b);
}

static void show_streams(struct cli *cli, const struct config *c, struct buf *b)
{
    for (size_t i = 0; i < c->stream_count; i++) {
        const struct config_stream *s = &c->streams[i];
        char span[32];
        buf_addf(b, "%s: priority %d%s%s", s->name, s->priority, s->urgent ? ", urgent" : "",
                 s->digest ? ", digests" : "");
        if (s->deadline_ms > 0)
            buf_addf(b, ", %s after %s", s->on_deadline == DEADLINE_DROP ? "dropped" : "due",
                     text_of_duration(s->deadline_ms, span, sizeof span));
        line(cli, i == 0 ? "streams" : "", b);
    }
}

static void show_accounts(struct cli *cli, const struct config *c, struct buf *b)
{
    static const char *const tls[] = {[TLS_NONE] = "without TLS",
                                      [TLS_OPPORTUNISTIC] = "STARTTLS if offered",
                                      [TLS_REQUIRED] = "STARTTLS",
                                      [TLS_IMPLICIT] = "TLS"};
    for (size_t i = 0; i < c->account_count; i++) {
        const struct config_account *a = &c->accounts[i];
        if (a->type == ACCOUNT_OUTBOX)
            buf_addf(b, "%s: Maildir %s; no mail leaves through it", a->name, a->path);
        else if (a->type == ACCOUNT_HTTPS)
            buf_addf(b, "%s: the API of %s at %s, %d connections", a->name, a->api, a->base_url,
                     a->connections);
        else
            buf_addf(b, "%s: SMTP %s:%d, %s, %s, %d connections", a->name, a->host, a->port,
                     tls[a->tls], a->user ? "as a user" : "no login", a->connections);
        if (a->profile)
            buf_addf(b, ", profile %s", a->profile->name);
        if (a->limit_count > 0)
            buf_addf(b, ", %zu limit%s of its own", a->limit_count, a->limit_count == 1 ? "" : "s");
        line(cli, i == 0 ? "accounts" : "", b);
    }
}

static void show_applications(struct cli *cli, const struct config *c, struct buf *b)
{
    for (size_t i = 0; i < c->application_count; i++) {
        const struct config_application *a = &c->applications[i];
        buf_addf(b, "%s: sends as ", a->name);
        add_list(b, a->sender_domains, a->sender_domain_count, "nobody");
        buf_addf(b, "; stream %s; through ", c->streams[a->stream].name);
        for (size_t k = 0; k < a->account_count; k++)
            buf_addf(b, "%s%s", k ? ", then " : "", c->accounts[a->accounts[k]].name);
        const struct {
            bool has;
            const char *name;
        } ways[] = {{a->anonymous, "no login"},
                    {a->smtp_user != NULL, "SMTP login"},
                    {a->key.value != NULL, "HTTP key"},
                    {a->ses_access_key != NULL, "SES key"}};
        const char *before = "; ";
        for (size_t k = 0; k < TIDE_COUNT(ways); k++) {
            if (ways[k].has) {
                buf_addf(b, "%s%s", before, ways[k].name);
                before = ", ";
            }
        }
        line(cli, i == 0 ? "applications" : "", b);
    }
}

/* What only shows when mail comes: said now, and not an error. */
static void show_warnings(struct cli *cli, const struct config *c)
{
    if (c->profiles.provider_count == 0)
        cli_fail(cli, CLI_OK,
                 "no provider profiles were found: no provider's limits would be kept; see the key "
                 "schedules");
    for (size_t i = 0; i < c->application_count; i++)
        if (c->applications[i].sender_domain_count == 0)
            cli_fail(cli, CLI_OK, "application %s has no senders: all it hands in is refused",
                     c->applications[i].name);
}

static void show_config(struct cli *cli, const char *file, const struct config *c)
{
    struct buf b = {0};
    show_styled(&cli->show, STYLE_BOLD, text_of(file ? file : "embedded defaults"));
    buf_adds(&cli->out, ": ");
    show_styled(&cli->show, STYLE_GOOD, TEXT("good"));
    buf_addc(&cli->out, '\n');
    show_doors(cli, c, &b);
    show_profiles(cli, c, &b);
    show_streams(cli, c, &b);
    show_accounts(cli, c, &b);
    show_applications(cli, c, &b);
    buf_fini(&b);
    show_warnings(cli, c);
}

static enum tide_err load_all(const char *file, struct config **ret, struct tide_error *err)
{
    const struct plan_zones zones = {.load = zones_load};
    struct digest_templates *templates = NULL;
    struct planner *planner = NULL;
    enum tide_err rc = config_load(file, &files_source, ret, err);
    if (rc == TIDE_OK)
        rc = planner_new(*ret, &zones, &planner, err);
    if (rc == TIDE_OK)
        rc = templates_load(*ret, &templates, err);
    planner_free(planner);
    digest_templates_free(templates);
    return rc;
}

int cmd_check_config(struct cli *cli)
{
    struct config *config = NULL;
    struct tide_error err;
    const char *file = cli_config_file(cli, F_OK);
    if (cli_option_value(cli, "print-default")) {
        config_print_default(&cli->out);
        return CLI_OK;
    }
    if (cli_option_value(cli, "print-templates")) {
        print_templates(cli);
        return CLI_OK;
    }
    int code = CLI_OK;
    if (load_all(file, &config, &err) != TIDE_OK)
        code = cli_fail(cli, CLI_NO, "%s", err.text);
    else if (cli_option_value(cli, "non-defaults"))
        config_print(config, &cli->out);
    else if (!cli_json(cli))
        show_config(cli, file, config);
    else
        buf_adds(&cli->out, "{\"good\":true}\n");
    if (code != CLI_OK && cli_json(cli)) {
        buf_adds(&cli->out, "{\"good\":false,\"error\":");
        json_quote(&cli->out, text_of(err.text));
        buf_adds(&cli->out, "}\n");
    }
    config_free(config);
    return code;
}
