#include "io/status/status.h"

#include "base/macros.h"
#include "io/status/explain.h"
#include "io/status/letters.h"
#include "io/status/verify_door.h"
#include "io/status/view_forecast.h"
#include "io/status/view_learn.h"
#include "io/status/views_recipients.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPERATORS_MAX 64
#define NAME_BYTES    64

struct operator_user {
    uid_t uid;
    char name[NAME_BYTES];
};

struct status {
    struct status_options options;
    struct views views;
    struct http *http;
    struct operator_user operators[OPERATORS_MAX];
    size_t operator_count;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* -- Who may operate ------------------------------------------------------------------------------
 */

enum tide_err status_configure(struct status *s,
                               const struct config_status *config,
                               struct tide_error *err)
{
    struct operator_user users[OPERATORS_MAX];
    if (config->operator_count > OPERATORS_MAX)
        return tide_fail(err, TIDE_ELIMIT, "status: want at most %d operators, got %zu",
                         OPERATORS_MAX, config->operator_count);
    for (size_t i = 0; i < config->operator_count; i++) {
        const struct passwd *user = getpwnam(config->operators[i]);
        if (!user)
            return tide_fail(err, TIDE_EINVAL, "status: operators: no user is named \"%s\"",
                             config->operators[i]);
        users[i].uid = user->pw_uid;
        snprintf(users[i].name, sizeof users[i].name, "%s", config->operators[i]);
    }
    s->operator_count = config->operator_count;
    if (config->operator_count > 0)
        memcpy(s->operators, users, config->operator_count * sizeof users[0]);
    return TIDE_OK;
}

/* Says who it is, for the journal, into `by`. */
static bool may_operate(const struct status *s,
                        const struct http_request *req,
                        char *by,
                        size_t size)
{
    snprintf(by, size, "uid %ld", (long)req->peer_uid);
    if (!req->peer_is_unix || req->peer_uid == (uid_t)-1)
        return false;
    for (size_t i = 0; i < s->operator_count; i++) {
        if (s->operators[i].uid == req->peer_uid) {
            snprintf(by, size, "user %s", s->operators[i].name);
            return true;
        }
    }
    if (req->peer_uid == 0)
        snprintf(by, size, "user root");
    return req->peer_uid == 0 || req->peer_uid == geteuid();
}

/* -- Routes ---------------------------------------------------------------------------------------
 */

static void get_overview(struct status *s, struct http_request *req)
{
    view_status(&s->views, req, VIEW_OVERVIEW);
}

static void get_status(struct status *s, struct http_request *req)
{
    view_status(&s->views, req, VIEW_JSON);
}

static void get_metrics(struct status *s, struct http_request *req)
{
    view_status(&s->views, req, VIEW_METRICS);
}

static void get_queue(struct status *s, struct http_request *req)
{
    view_queue(&s->views, req);
}

static void get_why(struct status *s, struct http_request *req)
{
    view_why(&s->views, req);
}

static void get_senders(struct status *s, struct http_request *req)
{
    view_senders(&s->views, req);
}

static void get_limits(struct status *s, struct http_request *req)
{
    view_limits(&s->views, req);
}

static void get_guards(struct status *s, struct http_request *req)
{
    view_guards(&s->views, req);
}

static void get_learnt(struct status *s, struct http_request *req)
{
    view_learnt(&s->views, req);
}

static void get_events(struct status *s, struct http_request *req)
{
    event_feed_get(s->options.events, req, http_query(req, "application"), true);
}

static void get_suppressions(struct status *s, struct http_request *req)
{
    view_suppressions(&s->views, req);
}

static void get_health(struct status *s, struct http_request *req)
{
    view_health(&s->views, req);
}

static const struct {
    const char *path;
    void (*get)(struct status *s, struct http_request *req);
} readable[] = {
    {"/", get_overview},        {"/v1/status", get_status},   {"/v1/queue", get_queue},
    {"/v1/why", get_why},       {"/v1/limits", get_limits},   {"/v1/limits/learned", get_learnt},
    {"/v1/guards", get_guards}, {"/v1/senders", get_senders}, {"/healthz", get_health},
    {"/metrics", get_metrics},  {"/v1/events", get_events},
};

static void post_cancel(struct status *s, struct http_request *req, struct text by)
{
    view_operate(&s->views, req, VIEW_CANCEL, 0, TEXT(""), by);
}

static void post_release(struct status *s, struct http_request *req, struct text by)
{
    view_operate(&s->views, req, VIEW_RELEASE, 0, TEXT(""), by);
}

static void post_pin(struct status *s, struct http_request *req, struct text by)
{
    view_limit_word(&s->views, req, false, by);
}

static void post_forget(struct status *s, struct http_request *req, struct text by)
{
    view_limit_word(&s->views, req, true, by);
}

static void post_suppress(struct status *s, struct http_request *req, struct text by)
{
    view_suppress(&s->views, req, by);
}

static void post_unsuppress(struct status *s, struct http_request *req, struct text by)
{
    view_unsuppress(&s->views, req, by);
}

static void post_guard_open(struct status *s, struct http_request *req, struct text by)
{
    view_guard_open(&s->views, req, by);
}

static void post_learn(struct status *s, struct http_request *req, struct text by)
{
    (void)by;
    view_learn(&s->views, req);
}

static void post_ingest(struct status *s, struct http_request *req, struct text by)
{
    (void)by;
    if (s->options.ingest)
        s->options.ingest(s->options.arg, req);
    else
        http_reply_error(req, 404, "not_found", "Nothing is ingested here.");
}

static void post_sync(struct status *s, struct http_request *req, struct text by)
{
    (void)by;
    if (s->options.lists)
        s->options.lists(s->options.arg, req);
    else
        http_reply_error(req, 404, "not_found", "No lists are looked after here.");
}

static const struct {
    const char *path;
    void (*post)(struct status *s, struct http_request *req, struct text by);
} operable[] = {
    {"/v1/ingest", post_ingest},          {"/v1/cancel", post_cancel},
    {"/v1/release", post_release},        {"/v1/learn", post_learn},
    {"/v1/limits/pin", post_pin},         {"/v1/limits/forget", post_forget},
    {"/v1/suppressions", post_suppress},  {"/v1/suppressions/remove", post_unsuppress},
    {"/v1/guards/open", post_guard_open}, {"/v1/suppressions/sync", post_sync},
};

static void on_request(void *arg, struct http_request *req)
{
    struct status *s = arg;
    char by[NAME_BYTES + 8];
    bool may = may_operate(s, req, by, sizeof by);
    bool reads = view_reads(req);
    for (size_t i = 0; i < TIDE_COUNT(readable); i++) {
        if (!text_eq(req->path, text_of(readable[i].path)))
            continue;
        if (reads)
            readable[i].get(s, req);
        else
            view_bad_method(req, "GET");
        return;
    }
    if (reads && text_eq(req->path, TEXT("/v1/suppressions"))) { /* which POST knows as well */
        get_suppressions(s, req);
        return;
    }
    for (size_t i = 0; i < TIDE_COUNT(operable); i++) {
        if (!text_eq(req->path, text_of(operable[i].path)))
            continue;
        if (!text_eq(req->method, TEXT("POST")))
            view_bad_method(req, "POST");
        else if (!may)
            view_not_permitted(req);
        else
            operable[i].post(s, req, text_of(by));
        return;
    }
    if (view_explain(&s->views, s->options.loop, req) ||
        view_letters(&s->views, req, TEXT(""), may) ||
        view_forecast(&s->views, req, may, text_of(by)) ||
        view_recipient(&s->views, req, TEXT(""), may, text_of(by)))
        return;
    if (s->options.verify && verify_door_request(s->options.verify, req))
        return;
    if (!s->options.notifications || !s->options.notifications(s->options.arg, req, may, by))
        http_reply_error(req, 404, "not_found", "There is nothing at this path.");
}

static bool in_pieces(void *arg, const struct http_request *req)
{
    return ((struct status *)arg)->options.verify && verify_door_in_pieces(req);
}

/* -- Opening and closing --------------------------------------------------------------------------
 */

enum tide_err status_open(const struct status_options *options,
                          const struct config_status *config,
                          struct status **ret,
                          struct tide_error *err)
{
    char listen[160];
    struct status *s = calloc(1, sizeof *s);
    if (!s)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    s->options = *options;
    s->views = (struct views){.store = options->store, .operate = options->operate};
    snprintf(listen, sizeof listen, "unix:%s", config->socket);
    struct http_options o = {
        .listen = listen,
        .mode = config->mode,
        .group = config->group,
        .limits = {.body_bytes_max = options->body_bytes_max},
        .on_request = on_request,
        .in_pieces = in_pieces,
        .arg = s,
    };
    enum tide_err rc = status_configure(s, config, err);
    if (rc == TIDE_OK && (rc = http_open(options->loop, &o, &s->http, err)) != TIDE_OK)
        rc = tide_wrap(err, rc, "status.socket");
    if (rc == TIDE_OK)
        *ret = s;
    else
        free(s);
    return rc;
}

static void on_closed(void *arg)
{
    struct status *s = arg;
    void (*closed)(void *arg) = s->closed;
    void *closed_arg = s->closed_arg;
    free(s);
    if (closed)
        closed(closed_arg);
}

void status_close(struct status *s, void (*closed)(void *arg), void *arg)
{
    if (s->closed)
        return;
    s->closed = closed;
    s->closed_arg = arg;
    http_close(s->http, on_closed, s);
}
