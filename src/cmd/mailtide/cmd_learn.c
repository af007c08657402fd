/* learn: what a site has sent so far, so that the forecast knows it from the first day on. */
#include "base/base64.h"
#include "base/log.h"
#include "base/macros.h"
#include "cmd/mailtide/ask.h"
#include "cmd/mailtide/learn.h"
#include "cmd/mailtide/simulate.h"
#include "core/plan/cold_start.h"
#include "core/proto/json_write.h"
#include "io/loop/files.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAGE 2000 /* recipients in one request to the daemon */

struct lesson {
    struct cli *cli;
    const char *file;
    struct config *config;
    struct sim_trace trace;
    struct cold_start first; /* of the first window: the recipients', and the words */
    const char *zone;        /* of it */
    char *blobs;             /* [recipients] of FORECAST_BYTES */
    struct learnt out;
    bool daemon;
    enum tide_err rc;
    struct tide_error err;
};

/* -- Learning ---------------------------------------------------------------------------------- */

static void learn_window(void *arg, uint32_t id, struct window_rule *rule)
{
    struct lesson *l = arg;
    struct cold_start c;
    if (l->rc != TIDE_OK || l->out.site_count == LEARN_SITES_MAX)
        return;
    l->rc = cold_start_learn(&l->trace.trace, rule, l->out.now, &c, &l->err);
    if (l->rc != TIDE_OK)
        return;
    l->out.sites[l->out.site_count++] = (struct learnt_site){id, c.site};
    if (l->first.recipients) {
        cold_start_fini(&c);
        return;
    }
    l->first = c;
    l->zone = rule->def->zone ? rule->def->zone : "UTC";
}

/* Every kind of day that the configuration's limits count in, and that of UTC. */
static enum tide_err learn_all(struct lesson *l, struct tide_error *err)
{
    const struct plan_zones zones = {NULL, sim_zone_load};
    struct planner *planner = NULL;
    enum tide_err rc = planner_new(l->config, &zones, &planner, err);
    if (rc != TIDE_OK)
        return rc;
    planner_days(planner, learn_window, l);
    l->zone = l->zone ? l->zone : "UTC";
    planner_free(planner);
    if (l->rc != TIDE_OK)
        *err = l->err;
    return l->rc;
}

static enum tide_err list_recipients(struct lesson *l, struct tide_error *err)
{
    size_t users = l->trace.trace.user_count;
    l->blobs = malloc((users + 1) * FORECAST_BYTES);
    l->out.recipients = calloc(users + 1, sizeof *l->out.recipients);
    if (!l->blobs || !l->out.recipients)
        return tide_fail(err, TIDE_ENOMEM, "%zu recipients", users);
    for (size_t u = 0; u < users; u++) {
        const struct forecast *f = &l->first.recipients[u];
        char *blob = l->blobs + u * FORECAST_BYTES;
        if (f->level.awake <= 0)
            continue;
        forecast_encode(f, blob);
        l->out.recipients[l->out.recipient_count++] = (struct learn_recipient){
            .address = text_of(l->trace.names[u]), .forecast = {blob, FORECAST_BYTES}};
    }
    return TIDE_OK;
}

/* -- Handing over ------------------------------------------------------------------------------ */

static void put_pair(struct buf *b, struct text name, struct text bytes, bool first)
{
    buf_adds(b, first ? "[" : ",[");
    json_quote(b, name);
    buf_adds(b, ",\"");
    base64_encode(bytes, b);
    buf_adds(b, "\"]");
}

static void put_sites(struct buf *body, const struct learnt *l)
{
    for (size_t i = 0; i < l->site_count; i++) {
        struct buf blob = {0};
        char key[QUIET_KEY_BYTES];
        site_encode(&l->sites[i].site, &blob);
        put_pair(body, text_of(quiet_site_key(l->sites[i].window_id, key)), buf_text(&blob),
                 i == 0);
        buf_fini(&blob);
    }
}

static int post_page(struct lesson *l, size_t from)
{
    struct learnt *out = &l->out;
    size_t n = TIDE_MIN(out->recipient_count - from, (size_t)PAGE);
    struct buf body = {0};
    struct ask a = {0};
    buf_adds(&body, "{\"sites\":[");
    if (from == 0)
        put_sites(&body, out);
    buf_adds(&body, "],\"recipients\":[");
    for (size_t i = 0; i < n; i++)
        put_pair(&body, out->recipients[from + i].address, out->recipients[from + i].forecast,
                 i == 0);
    buf_adds(&body, "]}");
    int code = body.failed == TIDE_OK ? ask_post(l->cli, "/v1/learn", buf_text(&body), &a)
                                      : cli_fail(l->cli, CLI_NO, "out of memory");
    out->sites_taken += (size_t)ask_int(a.doc, "sites_taken");
    out->taken += (size_t)ask_int(a.doc, "recipients_taken");
    out->known += (size_t)ask_int(a.doc, "recipients_known");
    out->bad += (size_t)ask_int(a.doc, "addresses_bad");
    buf_fini(&body);
    ask_fini(&a);
    return code;
}

static int hand_over(struct lesson *l)
{
    struct tide_error err;
    int code = CLI_OK;
    if (!l->daemon)
        return learn_into_store(l->config, &l->out, &err) == TIDE_OK
                   ? CLI_OK
                   : cli_fail(l->cli, CLI_NO, "%s", err.text);
    for (size_t from = 0; code == CLI_OK && (from == 0 || from < l->out.recipient_count);
         from += PAGE)
        code = post_page(l, from);
    return code;
}

/* -- In words ---------------------------------------------------------------------------------- */

static void say_read(struct lesson *l, struct buf *out)
{
    const struct history_result *r = &l->trace.read;
    const struct replay_trace *t = &l->trace.trace;
    char n[32], m[32], from[TIME_TEXT_BYTES], to[TIME_TEXT_BYTES];
    time_rfc3339(t->events[0].at_s * TIME_SECOND_MS, 0, from);
    time_rfc3339(t->events[t->count - 1].at_s * TIME_SECOND_MS, 0, to);
    buf_addf(out, "Read %s notifications for %s recipients, %.10s to %.10s (%s).\n",
             show_count((int64_t)t->count, n), show_count(t->user_count, m), from, to,
             history_format_words(r->format));
    if (r->again)
        buf_addf(out, "%s more lines speak of mails that were counted already.\n",
                 show_count((int64_t)r->again, n));
    if (r->bad)
        buf_addf(out, "%s lines could not be read and are left out, the first: %s.\n",
                 show_count((int64_t)r->bad, n), r->first_bad);
}

static void say_learnt(struct lesson *l, struct buf *out)
{
    const struct cold_start *c = &l->first;
    const struct learnt *o = &l->out;
    char n[32];
    buf_addf(
        out,
        "The busiest hours are %d to %d o'clock in %s, with %.0f %% of a weekday's mail. A day "
        "of the weekend brings %.0f %% of a weekday's.\n",
        c->busy_from, c->busy_from + 3, l->zone, c->busy_share * 100, c->weekend * 100);
    buf_addf(out, "On a day with any, a recipient gets %u (the median), and %u at the most.\n",
             c->day_median, c->day_most);
    buf_addf(out,
             "%s has learnt it for %s recipients, and the profile of %zu of %zu kinds of day.\n",
             l->daemon ? "The daemon" : "No daemon runs: the store",
             show_count((int64_t)o->taken, n), o->sites_taken, o->site_count);
    if (o->known)
        buf_addf(out, "%s recipients stay as they were: mailtide has known them for longer.\n",
                 show_count((int64_t)o->known, n));
    if (o->bad)
        buf_addf(out, "%s recipients are no mail addresses and are left out.\n",
                 show_count((int64_t)o->bad, n));
}

static void say_json(struct lesson *l, struct buf *out)
{
    const struct cold_start *c = &l->first;
    const struct history_result *r = &l->trace.read;
    struct json_writer w;
    jw_init(&w, out);
    jw_object(&w, NULL);
    jw_str(&w, "format", history_format_name(r->format));
    jw_int(&w, "notifications", (int64_t)l->trace.trace.count);
    jw_int(&w, "recipients", l->trace.trace.user_count);
    jw_int(&w, "again", (int64_t)r->again);
    jw_int(&w, "bad_lines", (int64_t)r->bad);
    jw_str(&w, "zone", l->zone);
    jw_int(&w, "busy_from_hour", c->busy_from);
    jw_number(&w, "busy_share", c->busy_share);
    jw_number(&w, "weekend_share", c->weekend);
    jw_int(&w, "day_median", c->day_median);
    jw_int(&w, "day_most", c->day_most);
    jw_bool(&w, "daemon", l->daemon);
    jw_int(&w, "sites_taken", (int64_t)l->out.sites_taken);
    jw_int(&w, "recipients_taken", (int64_t)l->out.taken);
    jw_int(&w, "recipients_known", (int64_t)l->out.known);
    jw_int(&w, "addresses_bad", (int64_t)l->out.bad);
    jw_end(&w);
    buf_addc(out, '\n');
}

/* -- The command ------------------------------------------------------------------------------- */

/* Whether a daemon answers, and what time it is there. */
static int find_daemon(struct lesson *l)
{
    struct ask a;
    int code = ask_get(l->cli, "/v1/status", true, &a);
    l->daemon = code == CLI_OK;
    l->out.now = (tide_wall_ms)time(NULL) * TIME_SECOND_MS;
    if (l->daemon && ask_time(a.doc, "now"))
        l->out.now = ask_time(a.doc, "now");
    ask_fini(&a);
    if (code == CLI_UNREACHABLE)
        return CLI_OK;
    return code == CLI_OK ? CLI_OK
                          : cli_fail(l->cli, code,
                                     "a daemon is there, but does not answer here: "
                                     "see mailtide status");
}

static enum tide_err prepare(struct lesson *l, struct tide_error *err)
{
    struct sim_log log;
    enum tide_err rc = sim_log_of(l->cli, &log, err);
    if (rc == TIDE_OK)
        rc = config_load(cli_config_file(l->cli, F_OK), &files_source, &l->config, err);
    if (rc == TIDE_OK)
        rc = sim_trace_read(l->file, &log, &l->trace, err);
    if (rc == TIDE_OK)
        rc = learn_all(l, err);
    return rc == TIDE_OK ? list_recipients(l, err) : rc;
}

int cmd_learn(struct cli *cli)
{
    struct tide_error err;
    struct lesson *l = calloc(1, sizeof *l);
    if (!l)
        return cli_fail(cli, CLI_NO, "out of memory");
    l->cli = cli;
    l->file = cli->argv[0];
    log_set_level(LOG_WARN);
    int code = find_daemon(l);
    if (code == CLI_OK && prepare(l, &err) != TIDE_OK)
        code = cli_fail(cli, CLI_NO, "%s", err.text);
    if (code == CLI_OK)
        code = hand_over(l);
    if (code == CLI_OK && cli_json(cli)) {
        say_json(l, &cli->out);
    } else if (code == CLI_OK) {
        say_read(l, &cli->out);
        say_learnt(l, &cli->out);
    }
    cold_start_fini(&l->first);
    sim_trace_fini(&l->trace);
    config_free(l->config);
    free(l->out.recipients);
    free(l->blobs);
    free(l);
    return code;
}
