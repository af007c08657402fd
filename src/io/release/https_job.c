#include "base/log.h"
#include "base/macros.h"
#include "core/esp/quota.h"
#include "core/esp/send_batch.h"
#include "io/release/https_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define POOL_BYTES_MIN      (256u * 1024) /* messages from here on are built off the loop */
#define BATCH_MESSAGE_BYTES (4u << 20)    /* of the messages that are built together */

/* -- Outcomes -----------------------------------------------------------------------------------
 */

void https_end_mail(struct https_out *s,
                    struct account_mail *mail,
                    const struct account_outcome *outcome)
{
    s->inside--;
    mail->done(mail, outcome);
}

void https_end_piece(struct https_out *s, struct piece *p, const struct account_outcome *outcome)
{
    struct account_mail *mail = p->mail;
    piece_free(p);
    https_end_mail(s, mail, outcome);
}

/* Its pieces are taken out by then, or are to be sent otherwise. */
void job_free(struct job *j)
{
    struct https_out *s = j->owner;
    list_remove(&j->hook);
    s->job_count--;
    fetch_fini(&j->fetch);
    buf_fini(&j->joined.body);
    arena_fini(&j->arena);
    free(j);
    https_wake(s); /* there is a place now, or the end has come nearer */
}

/* All of its mails end like this. */
static void end_job(struct job *j, const struct account_outcome *outcome)
{
    for (struct list *node; (node = list_take_first(&j->pieces));) {
        j->owner->in_jobs--;
        https_end_piece(j->owner, piece_of(node), outcome);
    }
    job_free(j);
}

struct account_outcome https_outcome_of(const struct send_said *said,
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
void job_end_silent(struct job *j, enum account_result result, const char *what)
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

void job_prepare(struct job *j, const struct send_request *r, void (*done)(struct fetch *f))
{
    struct fetch *f = &j->fetch;
    f->header_count = 0;
    for (size_t i = 0; i < r->header_count; i++)
        j->headers[f->header_count++] =
            (struct fetch_header){r->headers[i].name, r->headers[i].value};
    f->path = r->path;
    f->body = buf_text(&r->body);
    f->headers = j->headers;
    f->answer_max = 0;
    f->done = done;
    f->arg = j;
}

/* Sends it, for the first time or again: a signature is of the moment. */
void job_fly(struct job *j)
{
    struct fetch *f = &j->fetch;
    job_prepare(j, j->request, on_fetched);
    if (j->owner->api->signs_aws) {
        j->headers[f->header_count++] =
            (struct fetch_header){"X-Amz-Date", text_of(j->signature.date)};
        j->headers[f->header_count++] =
            (struct fetch_header){"Authorization", text_of(j->signature.authorization)};
    }
    if (j->count > 1)
        f->answer_max = send_batch_answer_max(j->count);
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
        o = https_outcome_of(&said, NULL);
    }
    j->owner->in_jobs--;
    https_end_piece(j->owner, p, &o);
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
        job_fly(j);
    } else {
        struct account_outcome o = {.result = ACCOUNT_NOT_SENT, .stage = STAGE_CONNECT};
        reply_set(&o.reply, 0, NULL, "%s: %s", j->owner->peer, j->err.text);
        end_job(j, &o);
    }
}

static void on_built(struct job *j)
{
    if (j->owner->closing) {
        job_end_silent(j, ACCOUNT_NOT_SENT, "mailtide is closing the account");
        return;
    }
    sort_out(j);
    if (j->count > 0)
        launch(j);
    else
        job_free(j);
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
    https_end_mail(s, mail, &o);
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
        struct piece *p = piece_new(mail, text_of(s->key), text_of(s->place));
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
bool job_start(struct https_out *s)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return false;
    j->owner = s;
    list_init(&j->pieces);
    list_init(&j->unfound);
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

int64_t https_pause_ms(const struct https_out *s, unsigned n)
{
    int64_t pause = s->again_ms;
    while (n-- > 0)
        pause *= 3;
    return pause;
}

void job_wake(struct job *j)
{
    if (j->asked > 0)
        job_ask(j);
    else
        job_fly(j);
}

/* True: it is sent again later, as the fate of what went before is not known. */
static bool rest(struct job *j, int64_t wait_ms)
{
    struct https_out *s = j->owner;
    if (!s->api->idempotent || j->again >= AGAIN_MAX || s->closing)
        return false;
    int64_t pause = https_pause_ms(s, j->again);
    j->again++;
    j->state = JOB_RESTING;
    j->again_at = clock_mono() + TIDE_MAX(pause, TIDE_MIN(wait_ms, 27 * s->again_ms));
    log_debug("https_out.again", "peer=%s times=%u reason=\"%s\"", s->peer, j->again,
              j->fetch.error);
    https_wake(s);
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
        struct account_outcome o = https_outcome_of(&each[i], quota);
        if (j->again > 0 && !settles(&each[i]) && o.result != ACCOUNT_UNKNOWN) {
            o = (struct account_outcome){
                .result = ACCOUNT_UNKNOWN, .stage = STAGE_DOT, .account_fault = true};
            reply_set(&o.reply, 0, NULL, "%s: %s", s->peer, each[i].reply.text);
        }
        s->in_jobs--;
        https_end_piece(s, p, &o);
    }
    job_free(j);
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
    job_free(j);
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
        job_end_silent(j, ACCOUNT_UNKNOWN, "out of memory for what it answered");
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
    if (unknown && (rest(j, each[0].wait_ms) || job_ask_later(j, each[0].reply.text)))
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
    if (unknown && (rest(j, 0) || job_ask_later(j, f->error)))
        return;
    snprintf(why, sizeof why, "%s", f->error);
    job_end_silent(j, unknown ? ACCOUNT_UNKNOWN : ACCOUNT_NOT_SENT, why);
}
