#include "io/release/https_out.h"

#include "base/macros.h"
#include "core/esp/send_batch.h"
#include "io/release/https_inside.h"

#include <assert.h>
#include <stdlib.h>

#define CONNECTIONS_DEFAULT 4
#define CLOSE_GRACE_MS      10000 /* for answers; systemd gives 90 s for the whole */
#define AGAIN_FIRST_MS      1000

static void on_pump(uv_timer_t *timer);

static struct https_out *https_out_of(const struct account *a)
{
    return container_of((struct account *)(uintptr_t)a, struct https_out, account);
}

void https_wake(struct https_out *s)
{
    uv_timer_start(&s->pump_timer, on_pump, 0, 0);
}

/* -- The end ------------------------------------------------------------------------------------
 */

static void free_all(struct https_out *s)
{
    if (s->key)
        explicit_bzero(s->key, strlen(s->key));
    free(s->peer);
    free(s->key);
    free(s->key_id);
    free(s->region);
    free(s->place);
    free(s);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct https_out *s = container_of(handle, struct https_out, pump_timer);
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;
    free_all(s);
    closed(arg);
}

static void on_fetcher_closed(void *arg)
{
    struct https_out *s = arg;
    uv_close((uv_handle_t *)&s->pump_timer, on_timer_closed);
}

static void fail_waiting(struct https_out *s, const char *what)
{
    struct account_outcome o = {
        .result = ACCOUNT_NOT_SENT, .stage = STAGE_CONNECT, .account_fault = true};
    reply_set(&o.reply, 0, NULL, "%s: %s", s->peer, what);
    for (struct list *node; (node = list_take_first(&s->waiting));)
        https_end_mail(s, container_of(node, struct account_mail, hook), &o);
    for (struct list *node; (node = list_take_first(&s->ready));)
        https_end_piece(s, piece_of(node), &o);
}

/* A request that may be taken already is given a while to be answered: broken off there, it would
 * be of unknown fate. */
static void close_step(struct https_out *s)
{
    static const char why[] = "mailtide is closing the account";
    tide_mono_ms now = clock_mono();
    fail_waiting(s, why);
    LIST_EACH(node, &s->jobs)
    {
        struct job *j = container_of(node, struct job, hook);
        if (j->state == JOB_RESTING)
            job_end_silent(j, ACCOUNT_UNKNOWN, why);
        else if (j->state == JOB_ASKING ||
                 (j->state == JOB_FLYING && (now >= s->close_by || !fetch_is_sent(&j->fetch))))
            fetch_cancel(&j->fetch);
    }
    if (s->job_count > 0 && now < s->close_by)
        uv_timer_start(&s->pump_timer, on_pump, (uint64_t)(s->close_by - now), 0);
    if (s->job_count == 0 && !s->fetcher_closing) {
        s->fetcher_closing = true;
        uv_timer_stop(&s->pump_timer);
        fetcher_close(s->fetcher, on_fetcher_closed, s);
    }
}

static void https_out_close(struct account *a, void (*closed)(void *arg), void *arg)
{
    struct https_out *s = https_out_of(a);
    if (s->closing)
        return;
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    s->close_by = clock_mono() + CLOSE_GRACE_MS;
    https_wake(s); /* the rest from there */
}

/* -- Mails --------------------------------------------------------------------------------------
 */

/* Who rests before the ESP is asked uses no connection, and may do so for long: as many of them as
 * there are places keep none from the mails that come. More of them are a sign that it is down. */
static int places_taken(const struct https_out *s)
{
    int resting = 0;
    LIST_EACH(node, &s->jobs)
    {
        const struct job *j = container_of(node, struct job, hook);
        resting += j->state == JOB_RESTING && j->asked > 0;
    }
    return s->job_count - TIDE_MIN(resting, s->conn_max);
}

/* Those whose pause is over fly; the timer is set for the next. */
static void wake_resting(struct https_out *s)
{
    tide_mono_ms now = clock_mono(), next = TIDE_NEVER;
    LIST_EACH(node, &s->jobs)
    {
        struct job *j = container_of(node, struct job, hook);
        if (j->state != JOB_RESTING)
            continue;
        if (j->again_at > now)
            next = TIDE_MIN(next, j->again_at);
        else
            job_wake(j);
    }
    if (next != TIDE_NEVER)
        uv_timer_start(&s->pump_timer, on_pump, (uint64_t)(next - now), 0);
}

static void on_pump(uv_timer_t *timer)
{
    struct https_out *s = container_of(timer, struct https_out, pump_timer);
    if (s->fetcher_closing)
        return;
    while (!s->closing && places_taken(s) < s->conn_max &&
           !(list_is_empty(&s->waiting) && list_is_empty(&s->ready)))
        if (!job_start(s))
            fail_waiting(s, "out of memory");
    if (s->closing)
        close_step(s);
    else if (!uv_is_active((uv_handle_t *)timer))
        wake_resting(s);
}

static void https_out_send(struct account *a, struct account_mail *mail)
{
    struct https_out *s = https_out_of(a);
    assert(!s->closing);
    s->inside++;
    list_append(&s->waiting, &mail->hook);
    https_wake(s);
}

static int https_out_room(const struct account *a)
{
    const struct https_out *s = https_out_of(a);
    int places = (s->conn_max - places_taken(s)) * (int)s->batch_max;
    return s->closing ? 0 : TIDE_MAX(0, places - (s->inside - s->in_jobs));
}

static enum account_settled https_out_settle(struct account *a, tide_id attempt_id)
{
    (void)a;
    (void)attempt_id;
    return SETTLED_CANNOT_TELL; /* the request is not at hand any more; events may tell */
}

static const struct account_type_ops https_out_ops = {
    .close = https_out_close,
    .send = https_out_send,
    .room = https_out_room,
    .settle = https_out_settle,
};

/* -- Set-up -------------------------------------------------------------------------------------
 */

static char *copy(const char *s)
{
    return strdup(s ? s : "");
}

static bool copy_texts(struct https_out *s, const struct config_account *config)
{
    s->key = copy(config->key.value);
    s->key_id = copy(config->key_id);
    s->region = copy(config->region);
    s->place = copy(s->api == &send_postmark ? config->message_stream : config->domain);
    s->peer = copy(config->base_url);
    return s->key && s->key_id && s->region && s->place && s->peer;
}

static enum tide_err open_fetcher(struct https_out *s,
                                  const struct config_account *config,
                                  struct tide_error *err)
{
    const struct fetch_options options = {
        .base_url = config->base_url,
        .tls_verify = config->tls_verify,
        .tls_ca_file = config->tls_ca_file,
        .connections_max = s->conn_max,
        .connect_timeout_ms = config->connect_timeout_ms,
        .timeout_ms = config->connect_timeout_ms + config->command_timeout_ms,
    };
    return fetcher_open(s->loop, &options, &s->fetcher, err);
}

enum tide_err https_out_open(uv_loop_t *loop,
                             const struct config_account *config,
                             struct account **ret,
                             struct tide_error *err)
{
    const struct send_api *api = send_api_find(text_of(config->api));
    if (!api || !config->base_url)
        return tide_fail(err, TIDE_EINVAL, "want an api that mailtide knows and a base_url");
    if (api->signs_aws && (!config->key_id || !config->region))
        return tide_fail(err, TIDE_EINVAL, "the API of %s wants a key_id and a region", api->title);
    struct https_out *s = calloc(1, sizeof *s);
    if (!s)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    s->account.ops = &https_out_ops;
    s->loop = loop;
    clock_init_real(&s->clock); /* signatures and resets are of the machine's own time */
    s->api = api;
    s->again_ms = AGAIN_FIRST_MS;
    s->conn_max = config->connections > 0 ? config->connections : CONNECTIONS_DEFAULT;
    size_t batch_max = config->batch_max > 0 ? (size_t)config->batch_max : 1;
    s->batch_max = TIDE_MIN(batch_max, send_batch_max(api));
    list_init(&s->waiting);
    list_init(&s->ready);
    list_init(&s->jobs);
    enum tide_err rc = copy_texts(s, config)
                           ? open_fetcher(s, config, err)
                           : tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (rc != TIDE_OK) {
        free_all(s);
        return rc;
    }
    uv_timer_init(loop, &s->pump_timer);
    *ret = &s->account;
    return TIDE_OK;
}

void https_out_set_again_ms(struct account *a, int64_t again_ms)
{
    https_out_of(a)->again_ms = again_ms;
}
