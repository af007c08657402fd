/* inside.h - the daemon's own struct, shared by its files. */
#ifndef CMD_MAILTIDED_INSIDE_H
#define CMD_MAILTIDED_INSIDE_H

#include "cmd/mailtided/daemon.h"
#include "core/address/addr.h"
#include "core/plan/policy_quiet.h"
#include "io/dns/verifier.h"
#include "io/drive/drive.h"
#include "io/feed/feed.h"
#include "io/intake/http_api.h"
#include "io/intake/intake_open.h"
#include "io/intake/smtp_listener.h"
#include "io/status/status.h"
#include "io/status/verify_door.h"
#include "io/store/store.h"
#include "io/watch/account_watch.h"
#include "io/watch/list_door.h"
#include "io/watch/sender_watch.h"

/* Released and accepted counts of the last minute, a sample every five seconds. */
#define RATE_SAMPLES   13
#define RATE_SAMPLE_MS 5000

struct rate_sample {
    tide_mono_ms at;
    int64_t accepted, released;
};

/* A configuration and what was made of it; kept until the end, since accounts and requests under
 * way may still point into it. */
struct generation {
    struct generation *older;
    struct config *config;
    struct digest_templates *templates;
    struct rulebook *rules;
    struct provider_index providers;
};

struct daemon {
    struct daemon_options options;
    uv_loop_t loop;
    struct generation *generation; /* the one in force */
    struct store *store;
    struct resolver *resolver;
    struct verifier *verifier;
    struct planner *planner;
    struct quiet_policy *quiet; /* NULL until planner.policy asks for it */
    bool building;              /* a table, on the pool */
    bool foreseeing;            /* the sums of shared limits are being read */
    tide_wall_ms foreseen_at;   /* were read last */
    struct daemon_warned {
        char key[128];
        tide_wall_ms until;
    } warned[64]; /* of limits that will be full, until their windows end */
    unsigned warned_count;
    struct drive *drive;
    struct sender_watch *senders;
    struct account_watch *quotas;
    struct verify_door *verify;
    struct list_sync *lists;
    struct news_desk *desk;
    struct webhooks *webhooks;
    struct bounces *bounces;
    struct verp verp;
    struct intake *intake;
    struct smtp_listener *smtp;
    struct http_api *http;
    struct event_feed *events;
    struct feed *feed;
    struct status *status;
    struct operate operate;
    uv_signal_t signals[3];
    uv_timer_t rates;
    uv_check_t turned; /* the loop has turned */
    unsigned open_handles;
    struct rate_sample samples[RATE_SAMPLES];
    unsigned sample_count;
    tide_wall_ms started_at;
    char hostname[256];
    char clock_text[CLOCK_TEXT_BYTES];
    char dns_cache_path[1024];
    tide_mono_ms cache_saved_at;
    bool closing;
    size_t closing_step;
    enum tide_err rc; /* why it ends */
    struct tide_error err;
};

/* operate.c */
void daemon_fill_operate(struct daemon *d);
void daemon_sample_rates(struct daemon *d);
/* What is known of a recipient, as a query that no mail is at hand for: the plan from the gate's
 * memory, else what is stored, decoded into *own, which is the caller's to end in both cases. */
struct plan_query daemon_query_of(struct daemon *d,
                                  const struct recipient_state *r,
                                  tide_wall_ms now,
                                  struct plan_recipient *own);
enum tide_err daemon_never_seen(const struct addr *recipient, struct tide_error *err);

/* foresee.c */
void daemon_forecast(void *arg, struct operate_forecast *req);
void daemon_expect(void *arg, struct operate_expect *req);
void daemon_watch_limits(struct daemon *d); /* to be called now and then; most calls do nothing */

/* learn.c */
void daemon_learn(void *arg, struct operate_learn *req);

/* tables.c */
TIDE_MUST_CHECK enum tide_err daemon_set_policy(struct daemon *d, struct tide_error *err);
void daemon_build_tables(struct daemon *d);

/* reload.c */
TIDE_MUST_CHECK enum tide_err daemon_read_config(struct daemon *d,
                                                 struct generation **ret,
                                                 struct tide_error *err);
void daemon_free_generation(struct generation *g);
void daemon_reload(struct daemon *d);

/* notify.c: tells systemd, when it runs us (sd_notify(3) over $NOTIFY_SOCKET) */
void notify_systemd(const char *state);

/* operate_limits.c: entries of struct operate. */
void operate_limits_of(void *arg, struct operate_limits *req);
void operate_learnt_of(void *arg, struct operate_learnt_list *req);
void operate_limit_word(void *arg, struct operate_limit_word *req);
void operate_guards_of(void *arg,
                       struct arena *arena,
                       struct operate_guard **ret,
                       size_t *ret_count);
void operate_guard_open(void *arg, struct operate_guard_open *req);

/* operate_suppress.c: an entry of struct operate. */
void operate_suppress(void *arg, struct operate_suppress *req);

#endif
