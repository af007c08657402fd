/* simulate.h - "what if": a log of notifications through the planner of the daemon.
 *
 * simulate.c        options, runs, the table, JSON
 * simulate_trace.c  reading logs
 * simulate_html.c   the report with its plots
 *
 * Owns      struct sim_trace: its events (sim_trace_fini()).
 * Threads   one.
 */
#ifndef CMD_MAILTIDE_SIMULATE_H
#define CMD_MAILTIDE_SIMULATE_H

#include "core/plan/replay.h"
#include "core/proto/history.h"

#define SIM_QUOTAS_MAX 8

struct cli;

/* How a log is to be read: core/proto/history.h. */
struct sim_log {
    enum history_format format;
    const char *zone; /* of times that name none; NULL: UTC */
};

struct sim_options {
    const char *trace; /* "-" or NULL: standard input */
    struct sim_log log;
    struct window window; /* in which a mailbox takes so many; its zone is the next */
    const char *window_words, *shared_words; /* as they were given */
    const char *zone;                        /* IANA name, or "+8", "-3:30" */
    int quotas[SIM_QUOTAS_MAX];
    size_t quota_count;
    enum replay_policy policies[REPLAY_POLICY_COUNT];
    size_t policy_count;
    int site_quota[REPLAY_ACCOUNTS_MAX]; /* of each account, as replay.h has it */
    size_t account_count;
    int provider_quota, provider_percent;
    struct window shared; /* of both */
    bool split, no_price, single[REPLAY_CLASSES];
    int warmup_days;
    int reserve;         /* -1: what the policy needs */
    int64_t hold_ms_max; /* 0: no bound */
    int64_t margin_ms, spread_ms;
    double direct_weight;          /* 0: all weigh alike */
    double urgent_cost;            /* 0: the default */
    int hidden[REPLAY_HIDDEN_MAX]; /* what a mailbox really takes, each for so many days */
    size_t hidden_count;
    int hidden_days;
    bool forecast, json, progress;
    const char *html; /* NULL: no report */
};

struct sim_trace {
    struct replay_trace trace;
    struct replay_event *events;
    char **names; /* of the users; domains in small letters */
    struct history_result read;
};

/* Files that end in .xz or .gz are read through xz(1), gzip(1); NULL and "-" are standard input. */
TIDE_MUST_CHECK enum tide_err sim_trace_read(const char *path,
                                             const struct sim_log *log,
                                             struct sim_trace *ret,
                                             struct tide_error *err);
void sim_trace_fini(struct sim_trace *t);
/* The options --format and --log-zone. */
TIDE_MUST_CHECK enum tide_err sim_log_of(const struct cli *cli,
                                         struct sim_log *ret,
                                         struct tide_error *err);

/* Zones for the planner, the fixed ones among them. */
TIDE_MUST_CHECK enum tide_err sim_zone_load(void *arg,
                                            const char *name,
                                            struct zone **ret,
                                            struct tide_error *err);

struct sim_results {
    const struct sim_options *options;
    struct replay_result cells[SIM_QUOTAS_MAX][REPLAY_POLICY_COUNT]; /* [quota][index of policy] */
    struct replay_forecast forecast;
    uint64_t notifications, users;
    int64_t first_s, last_s;
};

/* Runs all; on failure nothing of ret needs freeing. */
TIDE_MUST_CHECK enum tide_err sim_run(const struct sim_options *o,
                                      struct sim_results *ret,
                                      struct tide_error *err);
void sim_results_fini(struct sim_results *r);

/* "together 40, 20 a day through two accounts, one behind the other"; nothing without such limits.
 */
void sim_print_shared(const struct sim_options *o, struct buf *out);
void sim_print_text(const struct sim_results *r, struct buf *out);
void sim_print_json(const struct sim_results *r, struct buf *out);
void sim_print_html(const struct sim_results *r, struct buf *out);

/* "5,10,20" and "quiet,even" or "all". */
TIDE_MUST_CHECK enum tide_err sim_quotas_of(const char *list,
                                            struct sim_options *ret,
                                            struct tide_error *err);
TIDE_MUST_CHECK enum tide_err sim_policies_of(const char *list,
                                              struct sim_options *ret,
                                              struct tide_error *err);
void sim_options_init(struct sim_options *o);

#endif
