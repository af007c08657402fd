#include "io/events/webhooks.h"

#include "base/log.h"
#include "base/macros.h"
#include "base/map.h"
#include "io/crypto/events_crypto.h"
#include "io/events/amazon.h"
#include "io/loop/files.h"

#include <stdio.h>
#include <stdlib.h>

#define REFUSALS_PER_MINUTE   20
#define CERTIFICATE_BYTES_MAX 65536

/* One request until its answer. */
struct hook_job {
    struct webhooks *webhooks;
    struct http_request *req;
    struct config_account *account; /* configurations stay until the end */
    struct arena arena;
    struct events_ask ask;
    struct events_batch batch;
    struct store_ask seen; /* of what may be taken once */
    struct store_apply mark;
    struct mail_news once; /* its key alone */
    struct change change;
    bool marked; /* its `once` is under way */
    char url[512];
};

struct webhooks {
    struct webhooks_options options;
    struct amazon *amazon;
    struct strmap once; /* what is being taken now */
    size_t jobs;
    tide_mono_ms minute_at; /* of the refusals that are counted */
    int refusals;
    long unsaid;
    bool closing, amazon_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void finish_closing(struct webhooks *w)
{
    if (!w->closing || !w->amazon_closed || w->jobs > 0)
        return;
    void (*closed)(void *arg) = w->closed;
    void *arg = w->closed_arg;
    strmap_fini(&w->once);
    free(w);
    if (closed)
        closed(arg);
}

static void free_job(struct hook_job *job)
{
    struct webhooks *w = job->webhooks;
    if (job->marked)
        strmap_remove(&w->once, job->once.key);
    events_batch_fini(&job->batch);
    arena_fini(&job->arena);
    arena_fini(&job->seen.arena);
    arena_fini(&job->mark.arena);
    free(job);
    w->jobs--;
    finish_closing(w);
}

/* -- Answers ------------------------------------------------------------------------------------
 */

/* At most so many lines: whoever knows the address can send forgeries without end. */
static void journal_refusal(struct webhooks *w,
                            const char *account,
                            const char *peer,
                            const char *why)
{
    char text[640];
    tide_mono_ms now = clock_mono();
    if (now - w->minute_at >= TIME_MINUTE_MS) {
        w->minute_at = now;
        w->refusals = 0;
    }
    if (w->refusals++ >= REFUSALS_PER_MINUTE) {
        w->unsaid++;
        return;
    }
    int n = snprintf(text, sizeof text, "A webhook for account %s from %s was refused: %s", account,
                     peer, why);
    if (w->unsaid > 0 && n > 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, " %ld more were refused before it.", w->unsaid);
    w->unsaid = 0;
    log_warn("webhook.refused", "account=%s peer=\"%s\" reason=\"%s\"", account, peer, why);
    news_desk_note(w->options.desk, "webhook_refused", text_of(text));
}

/* SNS shows the login of its address only after a 401: that is how it begins, and no forgery. */
static bool is_greeting(const struct hook_job *job, unsigned status)
{
    return status == 401 && job->ask.api == &events_ses && job->ask.secrets.login.n > 0 &&
           http_header(job->req, "x-amz-sns-message-type").n > 0;
}

static void refuse(struct hook_job *job, unsigned status, const char *code, const char *why)
{
    static const struct http_header challenge[] = {{"WWW-Authenticate", "Basic realm=\"events\""}};
    struct buf body = {0};
    if (!is_greeting(job, status))
        journal_refusal(job->webhooks, job->account->name, job->req->peer, why);
    if (status != 401) {
        http_reply_error(job->req, status, code, why);
    } else {
        buf_addf(&body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code, why);
        http_reply(job->req, 401, "application/json", buf_text(&body), challenge, 1);
        buf_fini(&body);
    }
    free_job(job);
}

static void answer(struct hook_job *job)
{
    char text[96];
    snprintf(text, sizeof text, "{\"events\":%zu}\n", job->batch.count);
    http_reply(job->req, 200, "application/json", text_of(text), NULL, 0);
    log_info("webhook.taken", "account=%s api=%s events=%zu", job->account->name,
             job->ask.api->name, job->batch.count);
    free_job(job);
}

static void answer_failure(struct hook_job *job, enum tide_err rc, const struct tide_error *err)
{
    log_warn("webhook.not_taken", "account=%s error=\"%s\"", job->account->name, err->text);
    http_reply_error(job->req, rc == TIDE_ELIMIT ? 429 : 503, "try_later",
                     "The events cannot be stored now; tell them again later.");
    free_job(job);
}

/* -- What may be taken once ---------------------------------------------------------------------
 */

static void on_marked(struct store_apply *req, enum tide_err rc, const struct tide_error *err)
{
    struct hook_job *job = req->arg;
    if (rc == TIDE_OK)
        answer(job);
    else
        answer_failure(job, rc, err);
}

/* Behind the news: a request that failed is told again with the same token. */
static void mark(struct hook_job *job)
{
    job->change = (struct change){.type = CHANGE_NEWS_SEEN};
    job->change.news_seen.key = job->once.key;
    job->change.news_seen.at = clock_wall(drive_parts(job->webhooks->options.drive)->clock);
    job->mark = (struct store_apply){.changes = &job->change,
                                     .count = 1,
                                     .at = job->change.news_seen.at,
                                     .done = on_marked,
                                     .arg = job};
    store_apply(drive_parts(job->webhooks->options.drive)->store, &job->mark);
}

static void on_durable(void *arg, const struct news_told *told)
{
    struct hook_job *job = arg;
    if (told->rc != TIDE_OK)
        answer_failure(job, told->rc, told->err);
    else if (job->once.key.n > 0)
        mark(job);
    else
        answer(job);
}

static void take(struct hook_job *job)
{
    struct webhooks *w = job->webhooks;
    struct events_batch *b = &job->batch;
    if (b->message[0])
        news_desk_note(w->options.desk, "webhook_noted", text_of(b->message));
    if (b->confirm_url.n > 0)
        amazon_confirm(w->amazon, job->account, b->confirm_url, b->topic);
    for (size_t i = 0; i < b->count; i++) {
        b->news[i].account = text_of(job->account->name);
        b->news[i].source = text_of(arena_printf(&job->arena, "webhook %s", job->ask.api->name));
    }
    news_desk_take(w->options.desk, b->news, b->count, on_durable, job);
}

#define REPLAYED "It was told before: a request with its token is taken once."

static void on_looked_up(struct store_ask *req, enum tide_err rc, const struct tide_error *err)
{
    struct hook_job *job = req->arg;
    if (rc != TIDE_OK)
        answer_failure(job, rc, err);
    else if (req->found.seen)
        refuse(job, 403, "replayed", REPLAYED);
    else
        take(job);
}

static void take_once(struct hook_job *job)
{
    struct webhooks *w = job->webhooks;
    job->once.key = text_of(arena_printf(&job->arena, "%s|once|" TEXT_FMT, job->account->name,
                                         TEXT_ARG(job->batch.once)));
    if (job->once.key.n == 0 || strmap_get(&w->once, job->once.key)) {
        refuse(job, 403, "replayed", REPLAYED);
        return;
    }
    job->marked = strmap_put(&w->once, job->once.key, job);
    job->seen = (struct store_ask){
        .view = STORE_VIEW_NEWS, .news = &job->once, .done = on_looked_up, .arg = job};
    store_ask(drive_parts(w->options.drive)->store, &job->seen);
}

/* -- Reading ------------------------------------------------------------------------------------
 */

static void read_job(struct hook_job *job);

static void on_certificate(void *arg, struct text pem, const char *error)
{
    struct hook_job *job = arg;
    job->ask.certificate = arena_text(&job->arena, pem);
    if (job->ask.certificate.n > 0) {
        events_batch_fini(&job->batch);
        read_job(job);
        return;
    }
    log_warn("webhook.no_certificate", "account=%s error=\"%s\"", job->account->name, error);
    http_reply_error(job->req, 503, "try_later",
                     "The certificate of the signature cannot be fetched now.");
    free_job(job);
}

/* A file in place of what Amazon would answer. */
static void read_certificate(struct hook_job *job)
{
    struct tide_error err = {.text = "it is empty"};
    struct buf pem = {.max = CERTIFICATE_BYTES_MAX};
    if (files_source.read(NULL, job->account->events_certificate, &pem, &err) != TIDE_OK)
        buf_clear(&pem);
    on_certificate(job, buf_text(&pem), err.text);
    buf_fini(&pem);
}

static void read_job(struct hook_job *job)
{
    struct events_batch *b = &job->batch;
    switch (events_read(&job->ask, &job->arena, b)) {
    case EVENTS_WANT_CERTIFICATE:
        if (job->account->events_certificate)
            read_certificate(job);
        else
            amazon_certificate(job->webhooks->amazon, job->account, b->certificate_url,
                               on_certificate, job);
        break;
    case EVENTS_REFUSED:
        refuse(job, events_fault_status(b->fault), events_fault_name(b->fault), b->message);
        break;
    case EVENTS_READ:
        if (b->once.n > 0)
            take_once(job);
        else
            take(job);
        break;
    }
}

static struct text header_of(void *arg, const char *name)
{
    return http_header(arg, name);
}

static struct text secret_of(const struct secret *s)
{
    return text_of(s->value ? s->value : "");
}

/* As the ESP wrote it, as far as can be told behind a proxy: events_url knows better. */
static struct text url_of(struct hook_job *job)
{
    struct text host = http_header(job->req, "Host");
    struct text scheme = http_header(job->req, "X-Forwarded-Proto");
    snprintf(job->url, sizeof job->url, TEXT_FMT "://" TEXT_FMT TEXT_FMT,
             TEXT_ARG(scheme.n > 0 ? scheme : TEXT("https")), TEXT_ARG(host),
             TEXT_ARG(job->req->path));
    return text_of(job->url);
}

static void begin(struct webhooks *w, struct http_request *req, struct config_account *account)
{
    struct clock real; /* ESPs know no hurried clock; the lab's know both */
    struct hook_job *job = calloc(1, sizeof *job);
    if (!job) {
        http_reply_error(req, 503, "try_later", "Out of memory; tell it again later.");
        return;
    }
    clock_init_real(&real);
    w->jobs++;
    *job = (struct hook_job){.webhooks = w, .req = req, .account = account};
    job->ask = (struct events_ask){
        .api = events_api_find(text_of(account->events)),
        .secrets = {.key = secret_of(&account->events_key),
                    .login = secret_of(&account->events_login),
                    .token = secret_of(&account->events_token),
                    .topics = account->events_topics,
                    .topic_count = account->events_topic_count,
                    .url = text_of(account->events_url ? account->events_url : ""),
                    .open = account->events_open},
        .body = req->body,
        .content_type = http_header(req, "Content-Type"),
        .header = header_of,
        .arg = req,
        .now = clock_wall(&real),
        .wall = clock_wall(drive_parts(w->options.drive)->clock),
        .crypto = &events_crypto_openssl,
    };
    job->ask.url = url_of(job);
    read_job(job);
}

bool webhooks_take(struct webhooks *w, struct http_request *req)
{
    static const struct text root = {WEBHOOKS_PATH, sizeof WEBHOOKS_PATH - 1};
    if (!text_starts(req->path, root))
        return false;
    const struct config *config = drive_config(w->options.drive);
    struct text name = text_cut(req->path, root.n, SIZE_MAX);
    if (name.n > 0 && name.p[name.n - 1] == '/')
        name.n--;
    int index = config_account_index(config, name);
    struct config_account *account = index < 0 ? NULL : &config->accounts[index];
    if (!account || !account->events)
        http_reply_error(req, 404, "not_found",
                         account ? "This account's ESP has no webhooks: want events in its "
                                   "configuration."
                                 : "There is no account of this name.");
    else if (text_eq(req->method, TEXT("GET")) || text_eq(req->method, TEXT("HEAD")))
        http_reply(req, 200, "text/plain", TEXT("Events are taken here by POST.\n"), NULL, 0);
    else if (!text_eq(req->method, TEXT("POST")))
        http_reply_error(req, 405, "bad_method", "Events are taken by POST.");
    else
        begin(w, req, account);
    return true;
}

/* -- Life ---------------------------------------------------------------------------------------
 */

enum tide_err webhooks_open(const struct webhooks_options *options,
                            struct webhooks **ret,
                            struct tide_error *err)
{
    struct webhooks *w = calloc(1, sizeof *w);
    struct amazon *amazon = w ? amazon_new(options) : NULL;
    if (!amazon) {
        free(w);
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    }
    w->options = *options;
    w->amazon = amazon;
    strmap_init(&w->once);
    *ret = w;
    return TIDE_OK;
}

static void on_amazon_closed(void *arg)
{
    struct webhooks *w = arg;
    w->amazon_closed = true;
    finish_closing(w);
}

void webhooks_close(struct webhooks *w, void (*closed)(void *arg), void *arg)
{
    if (w->closing)
        return;
    w->closing = true;
    w->closed = closed;
    w->closed_arg = arg;
    amazon_close(w->amazon, on_amazon_closed, w);
}
