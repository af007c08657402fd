/* The report: one page, no script, nothing loaded from anywhere; plots as inline SVG. */
#include "base/macros.h"
#include "cmd/mailtide/simulate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* Told apart without colour vision too (Okabe, Ito). */
static const char *const colours[REPLAY_POLICY_COUNT] = {"#0072b2", "#56b4e9", "#009e73",
                                                         "#d55e00", "#cc79a7", "#555555"};

#define PLOT_W 720
#define PLOT_H 260
#define LEFT   56
#define RIGHT  16
#define TOP    12
#define BOTTOM 34

/* A plot's frame: from values to places. */
struct frame {
    struct buf *out;
    double x0, x1, y0, y1;
    bool log_x, log_y;
};

static double scaled(double v, double from, double to, bool is_log)
{
    if (is_log) {
        v = log(TIDE_MAX(v, from));
        from = log(from);
        to = log(to);
    }
    return (v - from) / (to - from);
}

static double px(const struct frame *f, double x)
{
    return LEFT + scaled(x, f->x0, f->x1, f->log_x) * (PLOT_W - LEFT - RIGHT);
}

static double py(const struct frame *f, double y)
{
    return PLOT_H - BOTTOM - scaled(y, f->y0, f->y1, f->log_y) * (PLOT_H - TOP - BOTTOM);
}

static void begin_plot(const struct frame *f, const char *label)
{
    buf_addf(f->out,
             "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">"
             "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"area\"/>\n",
             PLOT_W, PLOT_H, label, LEFT, TOP, PLOT_W - LEFT - RIGHT, PLOT_H - TOP - BOTTOM);
}

static void end_plot(const struct frame *f)
{
    buf_adds(f->out, "</svg>\n");
}

static void tick_x(const struct frame *f, double x, const char *text)
{
    buf_addf(f->out,
             "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
             "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
             px(f, x), px(f, x), TOP, PLOT_H - BOTTOM, px(f, x), PLOT_H - BOTTOM + 18, text);
}

static void tick_y(const struct frame *f, double y, const char *text)
{
    buf_addf(f->out,
             "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
             "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
             LEFT, PLOT_W - RIGHT, py(f, y), py(f, y), LEFT - 8, py(f, y) + 4, text);
}

/* Four or five round steps up to `most`. */
static void ticks_y(const struct frame *f)
{
    double step = pow(10, floor(log10(f->y1)));
    char text[32];
    if (f->y1 / step < 2)
        step /= 5;
    else if (f->y1 / step < 5)
        step /= 2;
    for (double y = 0; y <= f->y1 * 1.0001; y += step) {
        snprintf(text, sizeof text, "%g", y);
        tick_y(f, y, text);
    }
}

static void hours_x(const struct frame *f)
{
    char text[16];
    for (int h = 0; h <= 24; h += 3) {
        snprintf(text, sizeof text, "%02d:00", h % 24);
        tick_x(f, h, text);
    }
}

static void legend(const struct sim_results *r, struct buf *out, bool optimum)
{
    buf_adds(out, "<p class=\"legend\">");
    for (size_t p = 0; p < r->options->policy_count; p++) {
        enum replay_policy id = r->options->policies[p];
        if (id != REPLAY_OPTIMUM || optimum)
            buf_addf(out, "<span><i style=\"background:%s\"></i>%s</span> ", colours[id],
                     replay_policy_name(id));
    }
    buf_adds(out, "</p>\n");
}

/* -- Mean delay by policy ---------------------------------------------------------------------- */

static void plot_policies(const struct sim_results *r, struct buf *out)
{
    const struct sim_options *o = r->options;
    double most = 1, least = 1;
    for (size_t q = 0; q < o->quota_count; q++)
        for (size_t p = 0; p < o->policy_count; p++) {
            most = TIDE_MAX(most, r->cells[q][p].all.mean);
            least = TIDE_MIN(least, TIDE_MAX(r->cells[q][p].all.mean, 0.01));
        }
    struct frame f = {out, 0, (double)o->quota_count, least / 1.5, most * 1.5, false, true};
    buf_adds(out, "<h2>Mean delay by policy</h2>\n<p>Minutes that a notification waits, on "
                  "average, for each number of mails a mailbox and day. The scale is "
                  "logarithmic.</p>\n");
    legend(r, out, true);
    begin_plot(&f, "Mean delay by policy and quota");
    for (double y = pow(10, ceil(log10(f.y0))); y <= f.y1; y *= 10) {
        char text[32];
        snprintf(text, sizeof text, "%g", y);
        tick_y(&f, y, text);
    }
    for (size_t q = 0; q < o->quota_count; q++) {
        double wide = 0.8 / (double)o->policy_count;
        for (size_t p = 0; p < o->policy_count; p++) {
            double mean = r->cells[q][p].all.mean, x = (double)q + 0.1 + wide * (double)p;
            double top = py(&f, TIDE_MAX(mean, f.y0)), left = px(&f, x);
            buf_addf(
                out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\">"
                "<title>%s: %.2f min</title></rect>"
                "<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.*f</text>\n",
                left, top, px(&f, x + wide * 0.9) - left, py(&f, f.y0) - top,
                colours[o->policies[p]], replay_policy_name(o->policies[p]), mean,
                (left + px(&f, x + wide * 0.9)) / 2, top - 4, mean < 10 ? 1 : 0, mean);
        }
        buf_addf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d a day</text>\n",
                 px(&f, (double)q + 0.5), PLOT_H - BOTTOM + 18, o->quotas[q]);
    }
    end_plot(&f);
}

/* -- Distribution of delays -------------------------------------------------------------------- */

static void curve_of_delays(const struct frame *f,
                            const struct replay_result *c,
                            const char *colour)
{
    static const int points = 160;
    double total = (double)TIDE_MAX(c->all.count, 1), sum = 0;
    int s = 0;
    buf_addf(f->out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (int i = 0; i <= points; i++) {
        double minutes = f->x0 * pow(f->x1 / f->x0, (double)i / points);
        for (; s <= (int)(minutes * 60) && s <= REPLAY_DELAY_S_MAX; s++)
            sum += c->delay_counts[s];
        buf_addf(f->out, "%.1f,%.1f ", px(f, minutes), py(f, 100 * sum / total));
    }
    buf_adds(f->out, "\"/>\n");
}

static void plot_delays(const struct sim_results *r, size_t q, struct buf *out)
{
    static const struct {
        double minutes;
        const char *text;
    } marks[] = {{0.1, "6 s"}, {1, "1 min"}, {5, "5 min"},  {15, "15 min"},
                 {60, "1 h"},  {240, "4 h"}, {720, "12 h"}, {1440, "1 day"}};
    const struct sim_options *o = r->options;
    struct frame f = {out, 0.1, 1440, 0, 100, true, false};
    buf_addf(out,
             "<h2>How long notifications wait: %d a day</h2>\n<p>Percent of notifications "
             "that have left after a time.</p>\n",
             o->quotas[q]);
    legend(r, out, false);
    begin_plot(&f, "Share of notifications that have left after a time");
    for (size_t i = 0; i < TIDE_COUNT(marks); i++)
        tick_x(&f, marks[i].minutes, marks[i].text);
    for (int y = 0; y <= 100; y += 25) {
        char text[16];
        snprintf(text, sizeof text, "%d %%", y);
        tick_y(&f, y, text);
    }
    for (size_t p = 0; p < o->policy_count; p++)
        if (o->policies[p] != REPLAY_OPTIMUM)
            curve_of_delays(&f, &r->cells[q][p], colours[o->policies[p]]);
    end_plot(&f);
}

/* -- How a day uses the quota up --------------------------------------------------------------- */

static void plot_burn_down(const struct sim_results *r, size_t q, struct buf *out)
{
    const struct sim_options *o = r->options;
    double days = (double)TIDE_MAX(r->cells[q][0].user_days, 1);
    struct frame f = {out, 0, 24, 0, o->quotas[q], false, false};
    buf_addf(out,
             "<h2>What a day leaves of the quota: %d a day</h2>\n<p>Mails a recipient could "
             "still get, by local hour: the mean over his days with any mail. What is left at "
             "midnight was not needed or was kept for urgent mail.</p>\n",
             o->quotas[q]);
    legend(r, out, false);
    begin_plot(&f, "Mails left of the quota by hour of the day");
    hours_x(&f);
    ticks_y(&f);
    for (size_t p = 0; p < o->policy_count; p++) {
        if (o->policies[p] == REPLAY_OPTIMUM)
            continue;
        double left = o->quotas[q];
        buf_addf(out,
                 "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"%.1f,%.1f ",
                 colours[o->policies[p]], px(&f, 0), py(&f, left));
        for (int h = 0; h < 24; h++) {
            left -= (double)r->cells[q][p].mails_by_hour[h] / days;
            buf_addf(out, "%.1f,%.1f ", px(&f, h + 1), py(&f, left));
        }
        buf_adds(out, "\"/>\n");
    }
    end_plot(&f);
}

/* -- Forecast ---------------------------------------------------------------------------------- */

static void plot_fan(const struct sim_results *r, struct buf *out)
{
    const struct replay_forecast *k = &r->forecast;
    double most = 5;
    if (k->fan_count == 0)
        return;
    for (unsigned i = 0; i < k->fan_count; i++)
        most = TIDE_MAX(most, TIDE_MAX(k->fan[i].q99, k->fan[i].came));
    struct frame f = {out, 0, k->fan_count, 0, most * 1.05, false, false};
    buf_adds(out, "<h2>The forecast against what came</h2>\n<p>The last days of the recipient with "
                  "the most mail. Bands: 10 to 90 % and up to 99 %, as forecast at midnight; line: "
                  "the median; dots: what came.</p>\n");
    begin_plot(&f, "Forecast bands and counts by day");
    ticks_y(&f);
    for (unsigned i = 0; i < k->fan_count; i++) {
        const struct replay_fan *d = &k->fan[i];
        double x = px(&f, i), w = px(&f, i + 1) - x;
        buf_addf(out,
                 "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#cfe3f1\"/>"
                 "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#8cbbdc\"/>"
                 "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#0072b2\"/>\n",
                 x, py(&f, d->q99), w, py(&f, 0) - py(&f, d->q99), x, py(&f, d->q90), w,
                 py(&f, d->q10) - py(&f, d->q90), x, x + w, py(&f, d->q50), py(&f, d->q50));
        if (i % 7 == 0) {
            int year, month, day;
            civil_of_days(d->day, &year, &month, &day);
            buf_addf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%02d-%02d</text>\n",
                     x + w / 2, PLOT_H - BOTTOM + 18, month, day);
        }
    }
    for (unsigned i = 0; i < k->fan_count; i++)
        buf_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#d55e00\"/>\n",
                 px(&f, i + 0.5), py(&f, k->fan[i].came));
    end_plot(&f);
}

/* -- Numbers ----------------------------------------------------------------------------------- */

static void table(const struct sim_results *r, size_t q, struct buf *out)
{
    const struct sim_options *o = r->options;
    buf_addf(out,
             "<h2>%d mails a day</h2>\n<p>Sent directly, <b>%" PRIu64 "</b> mails would have been "
             "refused.</p>\n<table><tr><th>policy<th>mails<th>digests<th>over<th>mean delay"
             "<th>median<th>95 %%<th>99 %%<th>direct<th>watched<th>urgent held</tr>\n",
             o->quotas[q], r->cells[q][0].refused_direct);
    for (size_t p = 0; p < o->policy_count; p++) {
        const struct replay_result *c = &r->cells[q][p];
        buf_addf(out, "<tr title=\"%s\"><td>%s", replay_policy_help(o->policies[p]),
                 replay_policy_name(o->policies[p]));
        if (o->policies[p] == REPLAY_OPTIMUM) {
            buf_addf(out, "<td><td><td><td>%.2f<td><td><td><td><td><td></tr>\n", c->all.mean);
            continue;
        }
        buf_addf(out, "<td>%" PRIu64 "<td>%" PRIu64 "<td>%" PRIu64, c->mails, c->digests, c->over);
        buf_addf(out, "<td>%.2f<td>%.1f<td>%.1f<td>%.1f<td>%.2f<td>%.2f<td>%" PRIu64 "</tr>\n",
                 c->all.mean, c->all.median, c->all.p95, c->all.p99,
                 c->by_class[REPLAY_DIRECT].mean, c->by_class[REPLAY_WATCHED].mean, c->urgent_held);
    }
    buf_adds(out, "</table>\n");
}

static void scores(const char *when, const struct replay_scores *s, struct buf *out)
{
    buf_addf(out, "<tr><td>%s<td>%" PRIu64 "<td>%.3f<td>%.3f<td>%.1f %%<td>%.3f</tr>\n", when,
             s->days, s->crps, s->log_score, 100 * s->q90_coverage, s->pit_error);
}

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width\"><title>mailtide simulate</title>\n<style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;"
    "color:#222;background:#fff}h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.2rem}"
    "svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#444}"
    "svg text.small{font-size:10px}td:first-child{white-space:nowrap}"
    ".area{fill:#fafafa}.grid{stroke:#ddd}table{border-collapse:collapse;width:100%;"
    "font-size:.85rem;font-variant-numeric:tabular-nums}th,td{text-align:right;padding:.25rem "
    ".4rem;border-bottom:1px solid #ddd}th{font-weight:600;vertical-align:bottom}"
    "td:first-child,th:first-child{text-align:left}.legend span{margin-right:1rem}"
    ".legend i{display:inline-block;width:.8rem;height:.8rem;margin-right:.3rem}</style>\n";

void sim_print_html(const struct sim_results *r, struct buf *out)
{
    const struct sim_options *o = r->options;
    char from[TIME_TEXT_BYTES], to[TIME_TEXT_BYTES];
    time_rfc3339(r->first_s * 1000, 0, from);
    time_rfc3339(r->last_s * 1000, 0, to);
    buf_adds(out, head);
    buf_addf(out,
             "<h1>What would have been</h1>\n<p>%" PRIu64 " notifications for %" PRIu64
             " recipients, %.10s to %.10s, replayed through the planner in virtual time. After %d "
             "days of warm-up: %" PRIu64 " notifications, %" PRIu64 " of them urgent.</p>\n",
             r->notifications, r->users, from, to, o->warmup_days,
             r->cells[0][0].notifications + r->cells[0][0].urgent, r->cells[0][0].urgent);
    if (o->account_count || o->provider_quota) {
        buf_adds(out, "<p>Shared limits: ");
        sim_print_shared(o, out);
        buf_adds(out, "</p>\n");
    }
    plot_policies(r, out);
    for (size_t q = 0; q < o->quota_count; q++) {
        table(r, q, out);
        plot_delays(r, q, out);
        plot_burn_down(r, q, out);
    }
    if (o->forecast) {
        plot_fan(r, out);
        buf_adds(out, "<table><tr><th>forecast<th>days<th>CRPS<th>log score<th>not above 90 % "
                      "quantile<th>PIT error</tr>\n");
        scores("whole day, at midnight", &r->forecast.midnight, out);
        scores("rest of it, at 13:00", &r->forecast.noon, out);
        buf_adds(out, "</table>\n");
    }
    buf_adds(out, "</html>\n");
}
