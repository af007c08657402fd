#include "cmd/mailtide/simulate.h"

#include "base/macros.h"
#include "cmd/mailtide/cli.h"
#include "core/proto/json_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void sim_options_init(struct sim_options *o)
{
    *o = (struct sim_options){.zone = "UTC",
                              .window = {.unit = WINDOW_DAY},
                              .window_words = "day",
                              .quotas = {5, 10, 20},
                              .quota_count = 3,
                              .policies = {REPLAY_QUIET},
                              .policy_count = 1,
                              .warmup_days = 60,
                              .reserve = -1,
                              .hidden_days = 30,
                              .forecast = true};
}

static enum tide_err numbers_of(const char *option,
                                const char *list,
                                int ret[],
                                size_t most,
                                size_t *ret_count,
                                struct tide_error *err)
{
    struct text rest = text_of(list), piece;
    size_t n = 0;
    while (text_split(&rest, ',', &piece)) {
        int64_t x;
        if (n == most)
            return tide_fail(err, TIDE_ELIMIT, "--%s: at most %zu numbers", option, most);
        enum tide_err rc = text_int(text_trim(piece), 1, 1000000000, &x, err);
        if (rc != TIDE_OK)
            return tide_wrap(err, rc, "--%s", option);
        ret[n++] = (int)x;
    }
    *ret_count = n;
    return n ? TIDE_OK : tide_fail(err, TIDE_ESYNTAX, "--%s: want numbers, as \"5,10,20\"", option);
}

enum tide_err sim_quotas_of(const char *list, struct sim_options *ret, struct tide_error *err)
{
    return numbers_of("quota", list, ret->quotas, SIM_QUOTAS_MAX, &ret->quota_count, err);
}

static bool policy_of(struct text name, enum replay_policy *ret)
{
    for (int p = 0; p < REPLAY_POLICY_COUNT; p++)
        if (text_eq(name, text_of(replay_policy_name((enum replay_policy)p)))) {
            *ret = (enum replay_policy)p;
            return true;
        }
    return false;
}

enum tide_err sim_policies_of(const char *list, struct sim_options *ret, struct tide_error *err)
{
    struct text rest = text_of(list), piece;
    size_t n = 0;
    if (!strcmp(list, "all")) {
        for (; n < REPLAY_POLICY_COUNT; n++)
            ret->policies[n] = (enum replay_policy)n;
        ret->policy_count = n;
        return TIDE_OK;
    }
    while (text_split(&rest, ',', &piece)) {
        enum replay_policy p;
        piece = text_trim(piece);
        if (!policy_of(piece, &p))
            return tide_fail(err, TIDE_ESYNTAX,
                             "--policy: \"" TEXT_FMT "\" is none of quiet, fluid, even, at-once, "
                             "hourly, optimum, all",
                             TEXT_ARG(piece));
        bool twice = false;
        for (size_t i = 0; i < n; i++)
            twice = twice || ret->policies[i] == p;
        if (!twice)
            ret->policies[n++] = p;
    }
    ret->policy_count = n;
    return n ? TIDE_OK : tide_fail(err, TIDE_ESYNTAX, "--policy: want a name");
}

/* -- Running ----------------------------------------------------------------------------------- */

static void tell_progress(const struct sim_options *o, size_t done, size_t of)
{
    if (!o->progress)
        return;
    if (done == of) {
        fputs("\r\033[K", stderr);
        return;
    }
    char bar[41];
    for (size_t i = 0; i < 40; i++)
        bar[i] = i * of < done * 40 ? '#' : '.';
    bar[40] = '\0';
    fprintf(stderr, "\r%s %zu/%zu", bar, done, of);
}

enum tide_err sim_run(const struct sim_options *o, struct sim_results *ret, struct tide_error *err)
{
    const struct plan_zones zones = {NULL, sim_zone_load};
    struct sim_trace trace;
    struct replay_settings s = {.window = o->window,
                                .zone = o->zone,
                                .zones = &zones,
                                .warmup_days = o->warmup_days,
                                .reserve = o->reserve,
                                .accounts = (unsigned)o->account_count,
                                .split = o->split,
                                .provider_quota = o->provider_quota,
                                .provider_percent = o->provider_percent,
                                .shared = o->shared,
                                .no_price = o->no_price,
                                .hold_ms_max = o->hold_ms_max,
                                .margin_ms = o->margin_ms,
                                .spread_ms = o->spread_ms,
                                .urgent_cost = o->urgent_cost,
                                .direct_weight = o->direct_weight,
                                .hidden_count = o->hidden_count,
                                .hidden_days = o->hidden_days};
    memcpy(s.hidden, o->hidden, sizeof s.hidden);
    memcpy(s.site_quota, o->site_quota, sizeof s.site_quota);
    memcpy(s.single, o->single, sizeof s.single);
    enum tide_err rc = sim_trace_read(o->trace, &o->log, &trace, err);
    if (rc != TIDE_OK)
        return rc;
    *ret = (struct sim_results){.options = o,
                                .notifications = trace.trace.count,
                                .users = trace.trace.user_count,
                                .first_s = trace.events[0].at_s,
                                .last_s = trace.events[trace.trace.count - 1].at_s};
    size_t done = 0, of = o->quota_count * o->policy_count + 1;
    tell_progress(o, 0, of);
    for (size_t q = 0; q < o->quota_count; q++)
        for (size_t p = 0; p < o->policy_count && rc == TIDE_OK; p++) {
            s.quota = o->quotas[q];
            s.policy = o->policies[p];
            rc = replay_run(&trace.trace, &s, &ret->cells[q][p], err);
            tell_progress(o, ++done, of);
        }
    if (rc == TIDE_OK && o->forecast)
        rc = replay_forecast(&trace.trace, &s, &ret->forecast, err);
    tell_progress(o, of, of);
    sim_trace_fini(&trace);
    if (rc != TIDE_OK)
        sim_results_fini(ret);
    return rc;
}

void sim_results_fini(struct sim_results *r)
{
    for (size_t q = 0; q < SIM_QUOTAS_MAX; q++)
        for (size_t p = 0; p < REPLAY_POLICY_COUNT; p++)
            replay_result_fini(&r->cells[q][p]);
}

/* -- For people -------------------------------------------------------------------------------- */

static void print_row(const struct sim_results *r, size_t q, size_t p, struct buf *out)
{
    const struct replay_result *c = &r->cells[q][p];
    const struct replay_delays *d = &c->all;
    if (r->options->policies[p] == REPLAY_OPTIMUM) {
        buf_addf(out, "  %-8s %26s %8.2f\n", "optimum", "", d->mean);
        return;
    }
    buf_addf(out, "  %-8s %9" PRIu64 " %9" PRIu64 " %6" PRIu64,
             replay_policy_name(r->options->policies[p]), c->mails, c->digests, c->over);
    buf_addf(out, " %8.2f %7.1f %7.1f %7.1f", d->mean, d->median, d->p95, d->p99);
    buf_addf(out, " %8.2f %8.2f", c->by_class[REPLAY_DIRECT].mean,
             c->by_class[REPLAY_WATCHED].mean);
    buf_addf(out, " %6" PRIu64, c->urgent_held);
    if (r->options->hidden_count)
        buf_addf(out, " %7" PRIu64, c->refused);
    buf_addc(out, '\n');
}

static void print_scores(const char *when, const struct replay_scores *s, struct buf *out)
{
    buf_addf(out, "  %-10s %9" PRIu64 " %8.4f %8.4f %8.3f %8.3f\n", when, s->days, s->crps,
             s->log_score, s->q90_coverage, s->pit_error);
}

void sim_print_shared(const struct sim_options *o, struct buf *out)
{
    const char *every = window_is_fixed(&o->shared) ? "a" : "in any";
    const char *how = o->account_count < 2 ? "the account"
                      : o->split           ? "accounts, each with its part of the recipients"
                                           : "accounts, one behind the other";
    if (o->account_count) {
        buf_adds(out, "all mailboxes together: ");
        for (size_t i = 0; i < o->account_count; i++)
            buf_addf(out, "%s%d", i ? ", " : "", o->site_quota[i]);
        buf_addf(out, " mails %s %s through %s\n", every, o->shared_words, how);
    }
    if (o->provider_quota)
        buf_addf(out, "the provider of %d %% of the mailboxes: %d mails %s %s\n",
                 o->provider_percent ? o->provider_percent : 100, o->provider_quota, every,
                 o->shared_words);
}

void sim_print_text(const struct sim_results *r, struct buf *out)
{
    const struct sim_options *o = r->options;
    const struct replay_result *any = &r->cells[0][0];
    char from[TIME_TEXT_BYTES], to[TIME_TEXT_BYTES];
    time_rfc3339(r->first_s * 1000, 0, from);
    time_rfc3339(r->last_s * 1000, 0, to);
    buf_addf(out,
             "%" PRIu64 " notifications for %" PRIu64 " recipients, %.10s to %.10s; days in %s\n",
             r->notifications, r->users, from, to, o->zone);
    buf_addf(out,
             "after %d days of warm-up: %" PRIu64 " notifications, %" PRIu64
             " urgent ones, %" PRIu64 " days of a recipient\n",
             o->warmup_days, any->notifications, any->urgent, any->user_days);
    sim_print_shared(o, out);
    for (size_t q = 0; q < o->quota_count; q++) {
        buf_addf(out, "\n%d mails %s %s; sent directly, %" PRIu64 " would have been refused\n",
                 o->quotas[q], window_is_fixed(&o->window) ? "a" : "in any", o->window_words,
                 r->cells[q][0].refused_direct);
        buf_addf(out, "  %-8s %9s %9s %6s %8s %7s %7s %7s %8s %8s %6s%s\n", "", "mails", "digests",
                 "over", "mean min", "median", "p95", "p99", "direct", "watched", "held",
                 o->hidden_count ? " refused" : "");
        for (size_t p = 0; p < o->policy_count; p++)
            print_row(r, q, p, out);
    }
    buf_adds(out,
             "\ndelays in minutes; held: urgent mails that found nothing left and had to wait\n");
    if (!o->forecast)
        return;
    buf_addf(out, "\nforecast   %9s %8s %8s %8s %8s\n", "days", "CRPS", "log", "<= q90", "PIT err");
    print_scores("midnight", &r->forecast.midnight, out);
    print_scores("at 13:00", &r->forecast.noon, out);
}

/* -- For programs ------------------------------------------------------------------------------ */

static void json_result(struct json_writer *w, const struct replay_result *c)
{
    static const char *const classes[] = {"urgent", "direct", "watched"};
    jw_int(w, "notifications", (int64_t)c->notifications);
    jw_int(w, "mails", (int64_t)c->mails);
    jw_int(w, "digests", (int64_t)c->digests);
    jw_int(w, "over", (int64_t)c->over);
    jw_int(w, "over_shared", (int64_t)c->over_shared);
    jw_number(w, "mean_delay_min", c->all.mean);
    jw_number(w, "median_delay_min", c->all.median);
    jw_number(w, "p95_delay_min", c->all.p95);
    jw_number(w, "p99_delay_min", c->all.p99);
    jw_number(w, "max_delay_min", c->all.max);
    jw_int(w, "urgent", (int64_t)c->urgent);
    jw_int(w, "urgent_held", (int64_t)c->urgent_held);
    jw_int(w, "refused_if_sent_directly", (int64_t)c->refused_direct);
    jw_int(w, "refused", (int64_t)c->refused);
    jw_int(w, "tables_built", (int64_t)c->tables);
    jw_object(w, "will_exceed");
    jw_int(w, "full_days", (int64_t)c->full_days);
    jw_int(w, "foreseen", (int64_t)c->warned);
    jw_int(w, "in_vain", (int64_t)c->warned_in_vain);
    jw_number(w, "mean_hours_ahead", c->warned_hours);
    jw_end(w);
    jw_object(w, "streams");
    for (int i = 0; i < REPLAY_CLASSES; i++) {
        jw_object(w, classes[i]);
        jw_int(w, "count", (int64_t)c->by_class[i].count);
        jw_number(w, "mean_delay_min", c->by_class[i].mean);
        jw_number(w, "p95_delay_min", c->by_class[i].p95);
        jw_end(w);
    }
    jw_end(w);
    jw_array(w, "mails_by_hour");
    for (int h = 0; h < 24; h++)
        jw_int(w, NULL, (int64_t)c->mails_by_hour[h]);
    jw_end(w);
}

static void json_scores(struct json_writer *w, const struct replay_scores *s)
{
    jw_int(w, "user_days", (int64_t)s->days);
    jw_number(w, "crps", s->crps);
    jw_number(w, "log_score", s->log_score);
    jw_number(w, "q90_coverage", s->q90_coverage);
    jw_number(w, "pit_error", s->pit_error);
}

void sim_print_json(const struct sim_results *r, struct buf *out)
{
    const struct sim_options *o = r->options;
    struct json_writer w;
    jw_init(&w, out);
    jw_object(&w, NULL);
    jw_str(&w, "zone", o->zone);
    jw_str(&w, "window", o->window_words);
    jw_int(&w, "warmup_days", o->warmup_days);
    jw_int(&w, "recipients", (int64_t)r->users);
    jw_array(&w, "quotas");
    for (size_t q = 0; q < o->quota_count; q++) {
        jw_object(&w, NULL);
        jw_int(&w, "quota", o->quotas[q]);
        jw_str(&w, "policy", replay_policy_name(o->policies[0]));
        json_result(&w, &r->cells[q][0]);
        jw_object(&w, "policies");
        for (size_t p = 0; p < o->policy_count; p++) {
            jw_object(&w, replay_policy_name(o->policies[p]));
            json_result(&w, &r->cells[q][p]);
            jw_end(&w);
        }
        jw_end(&w);
        jw_end(&w);
    }
    jw_end(&w);
    if (o->forecast) {
        jw_object(&w, "forecast");
        json_scores(&w, &r->forecast.midnight);
        jw_object(&w, "at_13");
        json_scores(&w, &r->forecast.noon);
        jw_end(&w);
        jw_object(&w, "sum_over_recipients");
        jw_int(&w, "days", (int64_t)r->forecast.crowd.days);
        jw_number(&w, "mean_relative_error", r->forecast.crowd.crps);
        jw_number(&w, "q90_coverage", r->forecast.crowd.q90_coverage);
        jw_number(&w, "pit_error", r->forecast.crowd.pit_error);
        jw_end(&w);
        jw_end(&w);
    }
    jw_end(&w);
    buf_addc(out, '\n');
}

/* -- The command ------------------------------------------------------------------------------- */

static enum tide_err read_numbers(const struct cli *cli,
                                  struct sim_options *o,
                                  struct tide_error *err)
{
    int weight = 0;
    const struct {
        const char *name;
        int64_t least, most;
        int *ret;
    } numbers[] = {{"warmup-days", 0, 3650, &o->warmup_days},
                   {"reserve", 0, 1000000, &o->reserve},
                   {"provider-quota", 1, 1000000000, &o->provider_quota},
                   {"provider-percent", 1, 100, &o->provider_percent},
                   {"direct-weight", 1, 1000, &weight},
                   {"hidden-days", 1, 3650, &o->hidden_days}};
    const struct {
        const char *name;
        int64_t *ret;
    } spans[] = {
        {"hold-max", &o->hold_ms_max}, {"margin", &o->margin_ms}, {"spread", &o->spread_ms}};
    enum tide_err rc;
    for (size_t i = 0; i < TIDE_COUNT(numbers); i++) {
        const char *given = cli_option_value(cli, numbers[i].name);
        int64_t n;
        if (!given)
            continue;
        rc = text_int(text_of(given), numbers[i].least, numbers[i].most, &n, err);
        if (rc != TIDE_OK)
            return tide_wrap(err, rc, "--%s", numbers[i].name);
        *numbers[i].ret = (int)n;
    }
    for (size_t i = 0; i < TIDE_COUNT(spans); i++) {
        const char *given = cli_option_value(cli, spans[i].name);
        rc = given ? text_duration_ms(text_of(given), spans[i].ret, err) : TIDE_OK;
        if (rc != TIDE_OK)
            return tide_wrap(err, rc, "--%s", spans[i].name);
    }
    if (weight)
        o->direct_weight = weight;
    return TIDE_OK;
}

/* "day", "hour", "month", or a time: rolling. */
static enum tide_err read_window(const struct cli *cli,
                                 const char *option,
                                 struct window *ret,
                                 struct tide_error *err)
{
    static const struct {
        const char *name;
        enum window_unit unit;
    } units[] = {{"hour", WINDOW_HOUR}, {"day", WINDOW_DAY}, {"month", WINDOW_MONTH}};
    const char *window = cli_option_value(cli, option);
    *ret = (struct window){.unit = WINDOW_DAY};
    if (!window)
        return TIDE_OK;
    for (size_t i = 0; i < TIDE_COUNT(units); i++)
        if (!strcmp(window, units[i].name)) {
            ret->unit = units[i].unit;
            return TIDE_OK;
        }
    ret->kind = WINDOW_ROLLING;
    if (text_duration_ms(text_of(window), &ret->span_ms, err) != TIDE_OK ||
        ret->span_ms < TIME_MINUTE_MS || ret->span_ms > 366 * TIME_DAY_MS)
        return tide_fail(err, TIDE_ESYNTAX,
                         "--%s: want hour, day, month, or a rolling time as \"24h\", got \"%s\"",
                         option, window);
    return TIDE_OK;
}

/* "direct,watched" */
static enum tide_err read_single(const char *list, struct sim_options *o, struct tide_error *err)
{
    struct text rest = text_of(list), piece;
    while (text_split(&rest, ',', &piece)) {
        piece = text_trim(piece);
        bool direct = text_eq(piece, TEXT("direct"));
        if (!direct && !text_eq(piece, TEXT("watched")))
            return tide_fail(err, TIDE_ESYNTAX,
                             "--single: \"" TEXT_FMT "\" is neither direct nor watched",
                             TEXT_ARG(piece));
        o->single[direct ? REPLAY_DIRECT : REPLAY_WATCHED] = true;
    }
    return TIDE_OK;
}

/* Nobody has said which: those that can be. */
static void choose_policies(struct sim_options *o)
{
    bool unknown = !window_is_fixed(&o->window) || o->hidden_count;
    o->policy_count = 0;
    for (int p = 0; p < REPLAY_POLICY_COUNT; p++)
        if (!unknown || p != REPLAY_OPTIMUM)
            o->policies[o->policy_count++] = (enum replay_policy)p;
}

static enum tide_err read_options(const struct cli *cli,
                                  struct sim_options *o,
                                  struct tide_error *err)
{
    const char *quota = cli_option_value(cli, "quota"), *policy = cli_option_value(cli, "policy");
    const char *zone = cli_option_value(cli, "zone"), *window = cli_option_value(cli, "window");
    const char *hidden = cli_option_value(cli, "hidden-limit"),
               *accounts = cli_option_value(cli, "site-quota"),
               *single = cli_option_value(cli, "single"),
               *shared = cli_option_value(cli, "shared-window");
    sim_options_init(o);
    o->window_words = window ? window : "day";
    o->shared_words = shared ? shared : "day";
    o->split = cli_option_value(cli, "split") != NULL;
    o->no_price = cli_option_value(cli, "no-price") != NULL;
    o->trace = cli_option_value(cli, "trace");
    o->html = cli_option_value(cli, "html");
    o->json = cli_json(cli);
    o->progress = isatty(STDERR_FILENO) && !o->json;
    if (zone)
        o->zone = zone;
    enum tide_err rc = sim_log_of(cli, &o->log, err);
    if (rc == TIDE_OK && quota)
        rc = sim_quotas_of(quota, o, err);
    if (rc == TIDE_OK && hidden)
        rc =
            numbers_of("hidden-limit", hidden, o->hidden, REPLAY_HIDDEN_MAX, &o->hidden_count, err);
    if (rc == TIDE_OK)
        rc = read_window(cli, "window", &o->window, err);
    if (rc == TIDE_OK)
        rc = read_window(cli, "shared-window", &o->shared, err);
    if (rc == TIDE_OK && accounts)
        rc = numbers_of("site-quota", accounts, o->site_quota, REPLAY_ACCOUNTS_MAX,
                        &o->account_count, err);
    if (rc == TIDE_OK && single)
        rc = read_single(single, o, err);
    if (rc == TIDE_OK && policy && strcmp(policy, "all") != 0)
        rc = sim_policies_of(policy, o, err);
    else if (rc == TIDE_OK && (policy || !o->json))
        choose_policies(o); /* people want to compare, programs to know */
    return rc == TIDE_OK ? read_numbers(cli, o, err) : rc;
}

static int write_report(const struct cli *cli, const struct sim_results *r, const char *path)
{
    struct buf page = {0};
    FILE *f = fopen(path, "we");
    sim_print_html(r, &page);
    bool ok = f && page.failed == TIDE_OK && fwrite(page.data, 1, page.len, f) == page.len;
    if (f && fclose(f) != 0)
        ok = false;
    buf_fini(&page);
    return ok ? CLI_OK : cli_fail(cli, CLI_NO, "report %s: %s", path, strerror(errno));
}

int cmd_simulate(struct cli *cli)
{
    struct sim_options o;
    struct sim_results r;
    struct tide_error err;
    if (read_options(cli, &o, &err) != TIDE_OK)
        return cli_fail(cli, CLI_USAGE, "%s", err.text);
    if (sim_run(&o, &r, &err) != TIDE_OK)
        return cli_fail(cli, CLI_NO, "%s", err.text);
    if (o.json)
        sim_print_json(&r, &cli->out);
    else
        sim_print_text(&r, &cli->out);
    int code = o.html ? write_report(cli, &r, o.html) : CLI_OK;
    sim_results_fini(&r);
    return code;
}
