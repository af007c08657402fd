#include "io/release/https_out.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/esp/quota.h"
#include "core/esp/send_batch.h"
#include "io/crypto/aws_sign.h"
#include "io/loop/fetch.h"
#include "io/release/account_type.h"
#include "io/release/https_piece.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECTIONS_DEFAULT 4
#define CLOSE_GRACE_MS      10000         /* for answers; systemd gives 90 s for the whole */
#define POOL_BYTES_MIN      (256u * 1024) /* messages from here on are built off the loop */
#define BATCH_MESSAGE_BYTES (4u << 20)    /* of the messages that are built together */
#define AGAIN_FIRST_MS      1000
#define AGAIN_MAX           4 /* 1, 3, 9 and 27 seconds after one another */

struct https_out {
    struct account account;
    uv_loop_t *loop;
    struct clock clock;
    const struct send_api *api;
    struct fetcher *fetcher;
    char *peer, *key, *key_id, *region, *domain;
    int conn_max, job_count;
    size_t batch_max;    /* mails of one request */
    int inside, in_jobs; /* mails; those of requests among them */
    int64_t again_ms;
    struct list waiting; /* mails */
    struct list ready;   /* pieces that are built, and could not go with the others of their job */
    struct list jobs;
    uv_timer_t pump_timer; /* so that no callback comes from inside account_send() */
    bool closing, fetcher_closing;
    tide_mono_ms close_by; /* answers that have not come by then will not be awaited */
    void (*closed)(void *arg);
    void *closed_arg;
};

enum job_state { JOB_BUILDING, JOB_FLYING, JOB_RESTING };

/* One request: of one mail, or of several. */
struct job {
    struct list hook;
    struct https_out *owner;
    struct list pieces;
    size_t count;
    enum job_state state;
    struct arena arena;
    struct send_request joined;         /* of several */
    const struct send_request *request; /* what is sent */
    struct fetch fetch;
    struct fetch_header headers[FETCH_HEADERS_MAX];
    struct aws_signature signature;
    uv_work_t work;
    struct tide_error err;
    unsigned again;        /* times that it was sent again */
    tide_mono_ms again_at; /* RESTING */
};

static void on_pump(uv_timer_t *timer);

static struct https_out *https_out_of(const struct account *a)
{
    return container_of((struct account *)(uintptr_t)a, struct https_out, account);
}

static void wake(struct https_out *s)
{
    uv_timer_start(&s->pump_timer, on_pump, 0, 0);
}

/* -- Outcomes -----------------------------------------------------------------------------------
 */

static void end_mail(struct https_out *s,
                     struct account_mail *mail,
                     const struct account_outcome *outcome)
{
    s->inside--;
    mail->done(mail, outcome);
}

static void end_piece(struct https_out *s, struct piece *p, const struct account_outcome *outcome)
{
    struct account_mail *mail = p->mail;
    piece_free(p);
    end_mail(s, mail, outcome);
}

/* Its pieces are taken out by then, or are to be sent otherwise. */
static void free_job(struct job *j)
{
    struct https_out *s = j->owner;
    list_remove(&j->hook);
    s->job_count--;
    fetch_fini(&j->fetch);
    buf_fini(&j->joined.body);
    arena_fini(&j->arena);
    free(j);
    wake(s); /* there is a place now, or the end has come nearer */
}

/* All of its mails end like this. */
static void end_job(struct job *j, const struct account_outcome *outcome)
{
    for (struct list *node; (node = list_take_first(&j->pieces));) {
        j->owner->in_jobs--;
        end_piece(j->owner, piece_of(node), outcome);
    }
    free_job(j);
}

/* `quota`: what the answer's head tells of the account; NULL: there is none. */
static struct account_outcome outcome_of(const struct send_said *said,
                                         const struct quota_headers *quota)
{
    static const enum account_result results[] = {
        [SEND_ACCEPTED] = ACCOUNT_ACCEPTED,
        [SEND_REFUSED] = ACCOUNT_REFUSED,
        [SEND_NOT_SENT] = ACCOUNT_NOT_SENT,
        [SEND_UNKNOWN] = ACCOUNT_UNKNOWN,
    };
    return (struct account_outcome){.result = results[said->fate],
                                    .reply = said->reply,
                                    .stage = said->stage,
                                    .account_fault = said->account_fault,
                                    .wait_ms = said->wait_ms,
                                    .quota = {.said = quota && quota->limit > 0,
                                              .limit = quota ? quota->limit : -1,
                                              .remaining = quota ? quota->remaining : -1,
                                              .reset_ms = quota ? quota->reset_ms : 0,
                                              .window_ms = quota ? quota_window_ms(quota) : 0}};
}

/* No answer came; `what` happened instead. */
static void end_silent(struct job *j, enum account_result result, const char *what)
{
    struct account_outcome o = {.result = result, .account_fault = true};
    o.stage = result == ACCOUNT_UNKNOWN ? STAGE_DOT
              : j->fetch.body_at > 0    ? STAGE_DATA
                                        : STAGE_CONNECT;
    reply_set(&o.reply, 0, NULL, "%s: %s", j->owner->peer, what);
    end_job(j, &o);
}

/* -- Requests -----------------------------------------------------------------------------------
 */

static enum tide_err sign(struct job *j)
{
    struct https_out *s = j->owner;
    struct text prefix = fetcher_prefix(s->fetcher);
    char *path =
        arena_printf(&j->arena, TEXT_FMT TEXT_FMT, TEXT_ARG(prefix), TEXT_ARG(j->request->path));
    struct aws_request r = {.key_id = s->key_id,
                            .secret = s->key,
                            .region = s->region,
                            .method = "POST",
                            .host = fetcher_host(s->fetcher),
                            .path = text_of(path),
                            .body = buf_text(&j->request->body),
                            .now = clock_wall(&s->clock)};
    for (size_t i = 0; i < j->request->header_count; i++)
        if (text_ieq(text_of(j->request->headers[i].name), TEXT("Content-Type")))
            r.content_type = j->request->headers[i].value;
    return aws_sign(&r, &j->signature, &j->err);
}

static void on_fetched(struct fetch *f);

/* Sends it, for the first time or again: a signature is of the moment. */
static void fly(struct job *j)
{
    struct fetch *f = &j->fetch;
    f->header_count = 0;
    for (size_t i = 0; i < j->request->header_count; i++)
        j->headers[f->header_count++] =
            (struct fetch_header){j->request->headers[i].name, j->request->headers[i].value};
    if (j->owner->api->signs_aws) {
        j->headers[f->header_count++] =
            (struct fetch_header){"X-Amz-Date", text_of(j->signature.date)};
        j->headers[f->header_count++] =
            (struct fetch_header){"Authorization", text_of(j->signature.authorization)};
    }
    f->path = j->request->path;
    f->body = buf_text(&j->request->body);
    f->headers = j->headers;
    f->answer_max = j->count > 1 ? send_batch_answer_max(j->count) : 0;
    f->done = on_fetched;
    f->arg = j;
    j->state = JOB_FLYING;
    fetch_start(j->owner->fetcher, f);
}

static void end_unready(struct job *j, struct piece *p)
{
    struct account_outcome o = {.result = ACCOUNT_NOT_SENT, .stage = STAGE_CONNECT};
    struct send_said said;
    if (p->rc == TIDE_ENOMEM) {
        reply_set(&o.reply, 0, NULL, "%s: %s", j->owner->peer, p->err.text);
    } else {
        send_unfit(j->owner->api, &p->err, &said);
        o = outcome_of(&said, NULL);
    }
    j->owner->in_jobs--;
    end_piece(j->owner, p, &o);
}

/* Those that go with the first stay, the others get requests of their own. */
static void sort_out(struct job *j)
{
    struct https_out *s = j->owner;
    struct list built;
    list_init(&built);
    for (struct list *node; (node = list_take_first(&j->pieces));) {
        struct piece *p = piece_of(node);
        if (p->rc == TIDE_OK)
            list_append(&built, node);
        else
            end_unready(j, p);
    }
    size_t all = 0;
    LIST_EACH(node, &built)
    all++;
    j->count = all > 0 ? pieces_take(&built, s->batch_max, &j->pieces) : 0;
    s->in_jobs -= (int)(all - j->count);
    for (struct list *node; (node = list_take_first(&built));)
        list_append(&s->ready, node);
}

/* Its pieces are built and go together. */
static void launch(struct job *j)
{
    enum tide_err rc = TIDE_OK;
    j->request = j->count > 1 ? &j->joined : &piece_of(list_first(&j->pieces))->request;
    if (j->count > 1)
        rc = pieces_join(&j->pieces, j->count, &j->arena, &j->joined, &j->err);
    if (rc == TIDE_OK && j->owner->api->signs_aws)
        rc = sign(j);
    if (rc == TIDE_OK) {
        fly(j);
    } else {
        struct account_outcome o = {.result = ACCOUNT_NOT_SENT, .stage = STAGE_CONNECT};
        reply_set(&o.reply, 0, NULL, "%s: %s", j->owner->peer, j->err.text);
        end_job(j, &o);
    }
}

static void on_built(struct job *j)
{
    if (j->owner->closing) {
        end_silent(j, ACCOUNT_NOT_SENT, "mailtide is closing the account");
        return;
    }
    sort_out(j);
    if (j->count > 0)
        launch(j);
    else
        free_job(j);
}

static void on_work(uv_work_t *work)
{
    struct job *j = container_of(work, struct job, work);
    pieces_build(j->owner->api, &j->pieces);
}

static void on_worked(uv_work_t *work, int status)
{
    struct job *j = container_of(work, struct job, work);
    assert(status == 0); /* nobody cancels it */
    on_built(j);
}

static void fail_memory(struct https_out *s, struct account_mail *mail)
{
    struct account_outcome o = {.result = ACCOUNT_NOT_SENT, .stage = STAGE_CONNECT};
    reply_set(&o.reply, 0, NULL, "%s: out of memory", s->peer);
    end_mail(s, mail, &o);
}

/* Makes pieces of the mails that wait, as many as a request may have; their bytes. */
static size_t take_waiting(struct https_out *s, struct job *j)
{
    size_t bytes = 0;
    while (j->count < s->batch_max && !list_is_empty(&s->waiting)) {
        struct account_mail *mail =
            container_of(list_first(&s->waiting), struct account_mail, hook);
        if (j->count > 0 && bytes + mail->message.n > BATCH_MESSAGE_BYTES)
            break;
        list_remove(&mail->hook);
        struct piece *p = piece_new(mail, text_of(s->key), text_of(s->domain));
        if (!p) {
            fail_memory(s, mail);
            continue;
        }
        list_append(&j->pieces, &p->hook);
        bytes += mail->message.n;
        j->count++;
        s->in_jobs++;
    }
    return bytes;
}

/* Something is ready or waits. False: no memory for it. */
static bool start_job(struct https_out *s)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return false;
    j->owner = s;
    list_init(&j->pieces);
    list_append(&s->jobs, &j->hook);
    s->job_count++;
    if (!list_is_empty(&s->ready)) {
        j->count = pieces_take(&s->ready, s->batch_max, &j->pieces);
        s->in_jobs += (int)j->count;
        launch(j);
        return true;
    }
    size_t bytes = take_waiting(s, j);
    if (bytes < POOL_BYTES_MIN || uv_queue_work(s->loop, &j->work, on_work, on_worked) != 0) {
        pieces_build(s->api, &j->pieces);
        on_built(j);
    }
    return true;
}

/* -- Answers ------------------------------------------------------------------------------------
 */

/* True: it is sent again later, as the fate of what went before is not known. */
static bool rest(struct job *j, int64_t wait_ms)
{
    struct https_out *s = j->owner;
    if (!s->api->idempotent || j->again >= AGAIN_MAX || s->closing)
        return false;
    int64_t pause = s->again_ms;
    for (unsigned i = 0; i < j->again; i++)
        pause *= 3;
    j->again++;
    j->state = JOB_RESTING;
    j->again_at = clock_mono() + TIDE_MAX(pause, TIDE_MIN(wait_ms, 27 * s->again_ms));
    log_debug("https_out.again", "peer=%s times=%u reason=\"%s\"", s->peer, j->again,
              j->fetch.error);
    wake(s);
    return true;
}

static struct text answer_header(void *arg, const char *name)
{
    return fetch_answer_header(arg, name);
}

/* Of a repetition: whether it tells about the first one too. */
static bool settles(const struct send_said *said)
{
    return said->fate == SEND_ACCEPTED || (said->fate == SEND_REFUSED && !said->account_fault);
}

/* What each of its mails ends with, in their order. */
static void end_each(struct job *j, const struct send_said *each, const struct quota_headers *quota)
{
    struct https_out *s = j->owner;
    for (size_t i = 0; i < j->count; i++) {
        struct piece *p = piece_of(list_take_first(&j->pieces));
        struct account_outcome o = outcome_of(&each[i], quota);
        if (j->again > 0 && !settles(&each[i]) && o.result != ACCOUNT_UNKNOWN) {
            o = (struct account_outcome){
                .result = ACCOUNT_UNKNOWN, .stage = STAGE_DOT, .account_fault = true};
            reply_set(&o.reply, 0, NULL, "%s: %s", s->peer, each[i].reply.text);
        }
        s->in_jobs--;
        end_piece(s, p, &o);
    }
    free_job(j);
}

/* Nothing of a batch was taken: each of its mails goes by itself. */
static void take_apart(struct job *j, const char *why)
{
    struct https_out *s = j->owner;
    log_info("https_out.batch_refused", "peer=%s mails=%zu reason=\"%s\"", s->peer, j->count, why);
    for (struct list *node; (node = list_take_first(&j->pieces));) {
        piece_of(node)->alone = true;
        s->in_jobs--;
        list_append(&s->ready, node);
    }
    free_job(j);
}

static enum send_batch_said read_answer(struct job *j,
                                        struct send_said *each,
                                        struct quota_headers *quota)
{
    const struct send_answer answer = {.status = j->fetch.status,
                                       .body = buf_text(&j->fetch.answer),
                                       .header = answer_header,
                                       .arg = &j->fetch,
                                       .again = j->again > 0,
                                       .now = clock_wall(&j->owner->clock)};
    quota_headers_read(&answer, quota);
    if (j->count > 1)
        return send_batch_read(j->owner->api, &answer, j->count, each);
    send_read(j->owner->api, &answer, each);
    return SEND_BATCH_EACH;
}

static void on_answer(struct job *j)
{
    struct send_said one, *each = j->count > 1 ? calloc(j->count, sizeof *each) : &one;
    if (!each) {
        end_silent(j, ACCOUNT_UNKNOWN, "out of memory for what it answered");
        return;
    }
    struct quota_headers quota;
    enum send_batch_said how = read_answer(j, each, &quota);
    bool unknown = true; /* of all of them */
    for (size_t i = 0; i < j->count; i++)
        unknown = unknown && (each[i].fate == SEND_UNKNOWN || (j->again > 0 && !settles(&each[i])));
    if (how == SEND_BATCH_NEVER && j->owner->batch_max > 1) {
        log_warn("https_out.no_batches", "peer=%s reason=\"%s\"", j->owner->peer,
                 each[0].reply.text);
        j->owner->batch_max = 1;
    }
    if (unknown && rest(j, each[0].wait_ms))
        ; /* later */
    else if (!unknown && how != SEND_BATCH_EACH)
        take_apart(j, each[0].reply.text);
    else
        end_each(j, each, &quota);
    if (each != &one)
        free(each);
}

static void on_fetched(struct fetch *f)
{
    struct job *j = f->arg;
    char why[sizeof f->error];
    if (f->fate == FETCH_ANSWERED) {
        on_answer(j);
        return;
    }
    bool unknown = f->fate == FETCH_UNKNOWN || j->again > 0;
    if (unknown && rest(j, 0))
        return;
    snprintf(why, sizeof why, "%s", f->error);
    end_silent(j, unknown ? ACCOUNT_UNKNOWN : ACCOUNT_NOT_SENT, why);
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
    free(s->domain);
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
        end_mail(s, container_of(node, struct account_mail, hook), &o);
    for (struct list *node; (node = list_take_first(&s->ready));)
        end_piece(s, piece_of(node), &o);
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
            end_silent(j, ACCOUNT_UNKNOWN, why);
        else if (j->state == JOB_FLYING && (now >= s->close_by || !fetch_is_sent(&j->fetch)))
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
    wake(s); /* the rest from there */
}

/* -- Mails --------------------------------------------------------------------------------------
 */

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
            fly(j);
    }
    if (next != TIDE_NEVER)
        uv_timer_start(&s->pump_timer, on_pump, (uint64_t)(next - now), 0);
}

static void on_pump(uv_timer_t *timer)
{
    struct https_out *s = container_of(timer, struct https_out, pump_timer);
    if (s->fetcher_closing)
        return;
    while (!s->closing && s->job_count < s->conn_max &&
           !(list_is_empty(&s->waiting) && list_is_empty(&s->ready)))
        if (!start_job(s))
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
    wake(s);
}

static int https_out_room(const struct account *a)
{
    const struct https_out *s = https_out_of(a);
    int places = (s->conn_max - s->job_count) * (int)s->batch_max;
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
    s->domain = copy(config->domain);
    s->peer = copy(config->base_url);
    return s->key && s->key_id && s->region && s->domain && s->peer;
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
