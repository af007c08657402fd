#include "cmd/mailtided/daemon.h"

#include "base/log.h"
#include "base/macros.h"
#include "cmd/mailtided/inside.h"
#include "io/loop/zones.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static tide_wall_ms clock_now(void *arg)
{
    const struct clock *clock = arg;
    return clock_wall(clock);
}

/* -- Closing: each room when those above it are closed -------------------------------------------
 */

static void close_next(void *arg);

static void on_handle_closed(uv_handle_t *handle)
{
    struct daemon *d = handle->data;
    if (--d->open_handles == 0)
        close_next(d);
}

static bool close_handles(struct daemon *d)
{
    if (d->verify)
        verify_door_close(d->verify);
    for (size_t i = 0; i < TIDE_COUNT(d->signals); i++)
        uv_close((uv_handle_t *)&d->signals[i], on_handle_closed);
    uv_close((uv_handle_t *)&d->rates, on_handle_closed);
    uv_close((uv_handle_t *)&d->turned, on_handle_closed);
    return true;
}

/* False: there is nothing to wait for. */
static bool save_dns_cache(struct daemon *d)
{
    struct tide_error err;
    if (d->resolver && resolver_save(d->resolver, d->dns_cache_path, &err) != TIDE_OK)
        log_warn("dns.cache_not_saved", "error=\"%s\"", err.text);
    return false;
}

/* A room that was never opened is stepped over. */
#define CLOSE(room, close)                     \
    static bool close_##room(struct daemon *d) \
    {                                          \
        if (d->room)                           \
            close(d->room, close_next, d);     \
        return d->room != NULL;                \
    }
CLOSE(smtp, smtp_listener_close)
CLOSE(status, status_close)
CLOSE(http, http_api_close)
CLOSE(feed, feed_close)
CLOSE(bounces, bounces_close)
CLOSE(webhooks, webhooks_close)
CLOSE(desk, news_desk_close)
CLOSE(intake, intake_close)
CLOSE(senders, sender_watch_close)
CLOSE(quotas, account_watch_close)
CLOSE(lists, list_sync_close)
CLOSE(drive, drive_close)
CLOSE(verifier, verifier_close)
CLOSE(resolver, resolver_close)
CLOSE(events, event_feed_close)
CLOSE(store, store_close)
#undef CLOSE

/* In this order. */
static bool (*const closing_steps[])(struct daemon *d) = {
    close_smtp,     close_status,   close_http,     close_feed,   close_bounces, close_webhooks,
    close_desk,     close_intake,   close_senders,  close_quotas, close_lists,   close_drive,
    close_verifier, save_dns_cache, close_resolver, close_events, close_store,   close_handles,
};

/* One room a call. */
static void close_next(void *arg)
{
    struct daemon *d = arg;
    bool waits = false;
    while (!waits && d->closing_step < TIDE_COUNT(closing_steps))
        waits = closing_steps[d->closing_step++](d);
}

/* A full disk that is given room meanwhile takes what was said of mail under way. */
#define FULL_DISK_WAIT_MS 5000

static void begin_closing(struct daemon *d, enum tide_err rc)
{
    if (d->closing)
        return;
    d->closing = true;
    d->rc = rc;
    notify_systemd("STOPPING=1");
    uv_timer_stop(&d->rates); /* it looks into rooms that are closed one by one */
    if (d->store)
        store_stop_waiting(d->store, FULL_DISK_WAIT_MS);
    if (d->events)
        event_feed_stop(d->events);
    if (d->lists)
        list_sync_stop(d->lists);
    close_next(d);
}

/* -- Signals
 * ---------------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int signum)
{
    struct daemon *d = handle->data;
    if (signum == SIGHUP) {
        if (!d->closing) /* else there may be nothing left to reload */
            daemon_reload(d);
        return;
    }
    log_info("daemon.stopping", "signal=%s", signum == SIGTERM ? "TERM" : "INT");
    begin_closing(d, TIDE_OK);
}

/* What a crash may lose of the cache is asked again: it need not be much. */
#define CACHE_SAVE_MS (5 * TIME_MINUTE_MS)

static void on_rates(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    if (clock_mono() - d->cache_saved_at >= CACHE_SAVE_MS) {
        d->cache_saved_at = clock_mono();
        if (d->resolver)
            resolver_save_later(d->resolver, d->dns_cache_path);
    }
    daemon_sample_rates(d);
    daemon_watch_limits(d);
}

/* Whatever happened: a table that it asked for is wanted soon, until then mail leaves by less. */
static void on_turned(uv_check_t *check)
{
    daemon_build_tables(check->data);
}

static void open_handles(struct daemon *d)
{
    static const int numbers[TIDE_COUNT(d->signals)] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < TIDE_COUNT(d->signals); i++) {
        uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
        d->open_handles++;
    }
    uv_timer_init(&d->loop, &d->rates);
    d->rates.data = d;
    uv_timer_start(&d->rates, on_rates, 0, RATE_SAMPLE_MS);
    uv_check_init(&d->loop, &d->turned);
    d->turned.data = d;
    uv_check_start(&d->turned, on_turned);
    d->open_handles += 2;
}

/* -- Opening
 * ------------------------------------------------------------------------------------------ */

static const char *shown_path(const struct daemon *d)
{
    return d->generation->config->status.socket;
}

static void greet(const struct daemon *d, int smtp_port, int http_port)
{
    const char *slash = strrchr(d->options.program, '/');
    int folder = slash ? (int)(slash - d->options.program) + 1 : 0;
    printf("mailtide " MAILTIDE_VERSION " runs on embedded defaults: no mail leaves this machine.\n"
           "\n"
           "  SMTP    127.0.0.1:%d   e.g. swaks --server 127.0.0.1:%d --from app@example.com "
           "--to bruce@qq.com\n"
           "  HTTP    127.0.0.1:%d   e.g. curl -d "
           "'{\"from\":\"app@example.com\",\"to\":\"bruce@qq.com\","
           "\"subject\":\"Hi\",\"text\":\"Hello\"}' \\\n"
           "                                   -H 'Content-Type: application/json' "
           "http://127.0.0.1:%d/v1/notifications\n"
           "  outbox  %s/outbox/new   what is released arrives here\n"
           "  ask     %.*smailtide status | queue | why bruce@qq.com | help\n"
           "\n"
           "Ctrl-C stops it; nothing that was accepted is lost.\n",
           smtp_port, smtp_port, http_port, http_port, d->generation->config->state_dir, folder,
           d->options.program);
    fflush(stdout);
}

static void tell_ready(struct daemon *d)
{
    const struct config *c = d->generation->config;
    char smtp[512] = "", http[512] = "";
    int first_smtp = 0, first_http = 0;
    size_t n = 0;
    for (size_t i = 0; i < c->smtp.listen_count && n < sizeof smtp; i++) {
        int port = smtp_listener_port(d->smtp, c->smtp.listen[i]);
        first_smtp = first_smtp ? first_smtp : port;
        n += (size_t)snprintf(smtp + n, sizeof smtp - n, "%s%s:%d", n ? "," : "", c->smtp.listen[i],
                              port);
    }
    for (size_t i = 0; i < c->smtp.tls_listen_count && n < sizeof smtp; i++) {
        char address[256];
        snprintf(address, sizeof address, "tls:%s", c->smtp.tls_listen[i]);
        n += (size_t)snprintf(smtp + n, sizeof smtp - n, "%s%s:%d", n ? "," : "", address,
                              smtp_listener_port(d->smtp, address));
    }
    n = 0;
    for (size_t i = 0; i < http_api_listeners(d->http) && n < sizeof http; i++) {
        bool is_tls = i >= c->http.listen_count;
        int port = http_api_port(d->http, i);
        first_http = first_http || is_tls ? first_http : port;
        n += (size_t)snprintf(
            http + n, sizeof http - n, "%s%s%s:%d", n ? "," : "", is_tls ? "tls:" : "",
            is_tls ? c->http.tls_listen[i - c->http.listen_count] : c->http.listen[i], port);
    }
    log_info("daemon.ready", "version=" MAILTIDE_VERSION " smtp=%s http=%s status=%s pid=%ld", smtp,
             http, shown_path(d), (long)getpid());
    notify_systemd("READY=1");
    if (d->options.greet)
        greet(d, first_smtp, first_http);
}

static bool on_status_notifications(void *arg,
                                    struct http_request *req,
                                    bool may_operate,
                                    const char *by)
{
    struct daemon *d = arg;
    const struct http_caller caller = {.may_operate = may_operate, .by = by};
    return http_api_notifications(d->http, req, &caller);
}

static void raise_alarm(void *arg,
                        struct text key,
                        enum alarm_severity severity,
                        struct text sentence,
                        struct text advice)
{
    struct daemon *d = arg;
    drive_raise_alarm(d->drive, key, severity, sentence, advice);
}

static void clear_alarm(void *arg, struct text key, struct text why)
{
    struct daemon *d = arg;
    drive_clear_alarm(d->drive, key, why);
}

static enum tide_err open_feed(struct daemon *d, struct tide_error *err)
{
    const struct feed_parts parts = {.loop = &d->loop,
                                     .clock = &d->options.clock,
                                     .store = d->store,
                                     .raise_alarm = raise_alarm,
                                     .clear_alarm = clear_alarm,
                                     .arg = d};
    return feed_open(&parts, d->generation->config, &d->feed, err);
}

static bool on_verify(void *arg, struct http_request *req)
{
    struct daemon *d = arg;
    return verify_door_request(d->verify, req);
}

static void on_status_lists(void *arg, struct http_request *req)
{
    struct daemon *d = arg;
    list_door_take(d->lists, req);
}

static void on_status_ingest(void *arg, struct http_request *req)
{
    struct daemon *d = arg;
    bounces_ingest(d->bounces, req);
}

static enum tide_err open_doors(struct daemon *d, struct tide_error *err)
{
    const struct config *config = d->generation->config;
    struct http_api_options http = {.loop = &d->loop,
                                    .store = d->store,
                                    .operate = &d->operate,
                                    .clock = &d->options.clock,
                                    .events = d->events,
                                    .verify = on_verify,
                                    .verify_arg = d};
    const struct status_options status = {.loop = &d->loop,
                                          .store = d->store,
                                          .operate = &d->operate,
                                          .events = d->events,
                                          .verify = d->verify,
                                          .body_bytes_max = (size_t)config->http.body_bytes_max,
                                          .notifications = on_status_notifications,
                                          .ingest = on_status_ingest,
                                          .lists = on_status_lists,
                                          .arg = d};
    enum tide_err rc = news_desk_open(d->drive, &d->desk, err);
    const struct webhooks_options webhooks = {.loop = &d->loop, .drive = d->drive, .desk = d->desk};
    if (rc == TIDE_OK)
        rc = webhooks_open(&webhooks, &d->webhooks, err);
    if (rc == TIDE_OK)
        rc = bounces_open(d->drive, d->desk, &d->verp, &d->bounces, err);
    if (rc == TIDE_OK) {
        bounces_set_rules(d->bounces, d->generation->rules);
        rc = intake_open(d->drive, &d->intake, err);
    }
    http.intake = d->intake;
    http.webhooks = d->webhooks;
    if (rc == TIDE_OK)
        rc = smtp_listener_open(&d->loop, d->intake, &d->smtp, err);
    if (rc == TIDE_OK)
        smtp_listener_set_bounces(d->smtp, d->bounces);
    if (rc == TIDE_OK)
        rc = http_api_open(&http, &d->http, err);
    if (rc == TIDE_OK)
        rc = status_open(&status, &config->status, &d->status, err);
    if (rc == TIDE_OK)
        rc = open_feed(d, err);
    return rc;
}

/* The last run's ledger and attempts are known: mail may come. */
static void on_drive_ready(void *arg, enum tide_err rc, const struct tide_error *err)
{
    struct daemon *d = arg;
    if (d->closing)
        return;
    if (rc == TIDE_OK)
        rc = open_doors(d, &d->err);
    else
        d->err = *err;
    if (rc != TIDE_OK)
        begin_closing(d, rc);
    else {
        drive_review(d->drive, d->generation->rules);
        tell_ready(d);
    }
}

static const char *user_name(uid_t uid, char *number, size_t size)
{
    const struct passwd *user = getpwuid(uid);
    snprintf(number, size, "%u", (unsigned)uid);
    return user ? user->pw_name : number;
}

static enum tide_err make_state_dir(const char *dir, struct tide_error *err)
{
    struct stat st;
    char owner[64], us[16], number[16];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return tide_fail(err, TIDE_EIO, "state_dir %s: %s", dir, strerror(errno));
    if (faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) == 0)
        return TIDE_OK;
    int code = errno;
    if (stat(dir, &st) != 0)
        return tide_fail(err, TIDE_EIO, "state_dir %s: %s", dir, strerror(code));
    snprintf(owner, sizeof owner, "%s", user_name(st.st_uid, number, sizeof number));
    return tide_fail(err, TIDE_EPERM,
                     "state_dir %s: %s; it belongs to %s with mode %04o, and mailtided runs as %s, "
                     "who has to read and write there",
                     dir, strerror(code), owner, (unsigned)(st.st_mode & 07777),
                     user_name(geteuid(), us, sizeof us));
}

static enum tide_err open_store(struct daemon *d, struct tide_error *err)
{
    const struct config *config = d->generation->config;
    char path[1024];
    if (config->store.path)
        snprintf(path, sizeof path, "%s", config->store.path);
    else
        snprintf(path, sizeof path, "%s/mailtide.db", config->state_dir);
    const struct store_options options = {.path = path,
                                          .keep_ms = config->store.keep_ms,
                                          .size_bytes_max = config->store.size_bytes_max,
                                          .free_bytes_min = config->store.free_bytes_min,
                                          .now = clock_now,
                                          .now_arg = &d->options.clock};
    return store_open(&d->loop, &options, &d->store, err);
}

static enum tide_err open_dns(struct daemon *d, struct tide_error *err)
{
    const struct config *config = d->generation->config;
    enum tide_err rc = resolver_open(&d->loop, &d->options.clock, &config->dns, &d->resolver, err);
    if (rc != TIDE_OK)
        return rc;
    snprintf(d->dns_cache_path, sizeof d->dns_cache_path, "%s/dns-cache", config->state_dir);
    rc = resolver_load(d->resolver, d->dns_cache_path, err);
    if (rc != TIDE_OK && rc != TIDE_ENOENT)
        log_warn("dns.cache_not_loaded", "error=\"%s\"", err->text);
    return verifier_open(&d->loop, d->resolver, &d->options.clock, &config->profiles,
                         config->dns.private_addresses, &d->verifier, err);
}

static void on_accepted(void *arg, const struct submission *s)
{
    struct daemon *d = arg;
    sender_watch_seen(d->senders, s);
}

static enum tide_err open_drive(struct daemon *d, struct tide_error *err)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)clock_wall(&d->options.clock);
    const struct drive_parts parts = {.loop = &d->loop,
                                      .clock = &d->options.clock,
                                      .config = d->generation->config,
                                      .planner = d->planner,
                                      .store = d->store,
                                      .verifier = d->verifier,
                                      .templates = d->generation->templates,
                                      .verp = &d->verp,
                                      .hostname = d->hostname,
                                      .seed = seed};
    enum tide_err rc = drive_open(&parts, on_drive_ready, d, &d->drive, err);
    if (rc == TIDE_OK) {
        drive_set_rules(d->drive, d->generation->rules);
        drive_on_accepted(d->drive, on_accepted, d);
    }
    return rc;
}

static enum tide_err open_lists(struct daemon *d, struct tide_error *err)
{
    const struct list_sync_parts parts = {.loop = &d->loop,
                                          .clock = &d->options.clock,
                                          .config = d->generation->config,
                                          .rules = d->generation->rules,
                                          .store = d->store,
                                          .drive = d->drive};
    return list_sync_open(&parts, &d->lists, err);
}

static enum tide_err open_quotas(struct daemon *d, struct tide_error *err)
{
    const struct account_watch_parts parts = {.loop = &d->loop,
                                              .clock = &d->options.clock,
                                              .config = d->generation->config,
                                              .drive = d->drive};
    return account_watch_open(&parts, &d->quotas, err);
}

/* What is held for its sender is known before anything can leave. */
static void on_senders_known(void *arg)
{
    struct daemon *d = arg;
    if (d->closing)
        return;
    enum tide_err rc = open_drive(d, &d->err);
    if (rc == TIDE_OK) {
        sender_watch_start(d->senders, d->drive);
        rc = open_lists(d, &d->err);
    }
    if (rc == TIDE_OK)
        rc = open_quotas(d, &d->err);
    if (rc != TIDE_OK)
        begin_closing(d, rc);
}

static enum tide_err open_rooms(struct daemon *d, struct tide_error *err)
{
    const struct config *config = d->generation->config;
    const struct plan_zones zones = {.load = zones_load};
    enum tide_err rc = make_state_dir(config->state_dir, err);
    if (rc == TIDE_OK)
        rc = bounce_key_load(config, &d->verp, err);
    if (rc == TIDE_OK)
        rc = open_store(d, err);
    if (rc == TIDE_OK)
        rc = event_feed_open(&d->loop, d->store, &d->options.clock, &d->events, err);
    if (rc == TIDE_OK)
        rc = open_dns(d, err);
    if (rc == TIDE_OK) {
        const struct verify_door_parts parts = {
            .verifier = d->verifier, .store = d->store, .clock = &d->options.clock};
        rc = verify_door_open(&parts, config, &d->verify, err);
    }
    if (rc == TIDE_OK)
        rc = planner_new(config, &zones, &d->planner, err);
    if (rc == TIDE_OK)
        rc = daemon_set_policy(d, err);
    if (rc != TIDE_OK)
        return rc;
    const struct sender_watch_parts watch = {.loop = &d->loop,
                                             .clock = &d->options.clock,
                                             .config = config,
                                             .store = d->store,
                                             .resolver = d->resolver};
    return sender_watch_open(&watch, on_senders_known, d, &d->senders, err);
}

static void name_host(struct daemon *d)
{
    const char *configured = d->generation->config->smtp.hostname;
    if (configured)
        snprintf(d->hostname, sizeof d->hostname, "%s", configured);
    else if (gethostname(d->hostname, sizeof d->hostname - 1) != 0 || !d->hostname[0])
        snprintf(d->hostname, sizeof d->hostname, "localhost");
}

enum tide_err daemon_run(const struct daemon_options *options, struct tide_error *err)
{
    struct daemon *d = calloc(1, sizeof *d);
    enum log_level level;
    if (!d)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    d->options = *options;
    enum tide_err rc = daemon_read_config(d, &d->generation, err);
    if (rc != TIDE_OK) {
        free(d);
        return rc;
    }
    if (log_level_of(text_of(d->generation->config->log_level), &level))
        log_set_level(level);
    log_set_time(clock_now, &d->options.clock);
    umask(umask(0) | 077); /* mail is nobody else's; sockets have modes of their own */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a full disk, named by the store */
    d->started_at = clock_wall(&d->options.clock);
    if (d->options.clock.rate != 1)
        clock_text(&d->options.clock, d->clock_text);
    name_host(d);
    uv_loop_init(&d->loop);
    daemon_fill_operate(d);
    open_handles(d);
    rc = open_rooms(d, &d->err);
    if (rc != TIDE_OK)
        begin_closing(d, rc);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
    planner_free(d->planner);
    quiet_policy_free(d->quiet);
    daemon_free_generation(d->generation);
    rc = d->rc;
    *err = d->err;
    log_info("daemon.stopped", "rc=%s", tide_err_name(rc));
    log_set_time(NULL, NULL);
    free(d);
    return rc;
}
