#include "io/intake/http_esp.h"

#include "base/macros.h"
#include "io/intake/esp_auth.h"
#include "io/intake/esp_manage.h"
#include "io/intake/handin.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define POOL_BYTES_MIN  (256u * 1024) /* bodies from here on are read off the loop */
#define ARENA_BYTES_MAX (2u * ESP_BYTES_MAX)
#define UNIQUE_BYTES    16
#define RETRY_AFTER_S   "10"

/* RECEIVED --read--> (pool) --> SUBMITTED --last mail--> answered, gone; a refusal answers at once
 */
struct job {
    struct http_esp_door door;
    struct http_request *req;
    uv_work_t work;
    struct esp_manage manage;
    struct arena arena;
    char *application; /* name: the configuration may change while the pool works */
    char unique[2 * UNIQUE_BYTES + 1];
    struct esp_ask ask;
    struct esp_batch batch;
    struct esp_refusal why; /* of the whole; ESP_FINE: none */
    struct handin *handins; /* one for each mail */
    size_t pending;
};

/* -- Answering -----------------------------------------------------------------------------------
 */

static void job_free(struct job *j)
{
    for (size_t i = 0; j->handins && i < j->batch.count; i++)
        handin_fini(&j->handins[i]);
    esp_batch_fini(&j->batch);
    esp_manage_fini(&j->manage);
    arena_fini(&j->arena);
    free(j->application);
    free(j);
}

static void reply(struct http_request *req, struct esp_answer *a)
{
    struct http_header headers[ESP_ANSWER_HEADERS_MAX + 1];
    size_t count = 0;
    for (; count < a->header_count; count++)
        headers[count] = (struct http_header){a->headers[count].name, a->headers[count].value};
    if (a->status == 429 || a->status == 503)
        headers[count++] = (struct http_header){"Retry-After", RETRY_AFTER_S};
    if (a->body.failed != TIDE_OK)
        http_reply_error(req, 503, "no_memory", "Out of memory, try again later.");
    else
        http_reply(req, a->status, a->content_type, buf_text(&a->body), headers, count);
    buf_fini(&a->body);
}

static void refuse_request(struct http_request *req,
                           const struct esp_ask *ask,
                           const struct esp_refusal *why)
{
    struct esp_answer a = {0};
    ask->call->esp->refuse(ask, why, &a);
    reply(req, &a);
}

static void job_answer(struct job *j)
{
    struct esp_answer a = {0};
    const struct esp_refusal *why = j->why.fault != ESP_FINE ? &j->why : NULL;
    if (!why && !j->batch.each_own)
        why = esp_first_refusal(&j->batch);
    if (why)
        j->ask.call->esp->refuse(&j->ask, why, &a);
    else
        j->ask.call->answer(&j->ask, &j->batch, &a);
    reply(j->req, &a);
    job_free(j);
}

/* -- Reading: pure over the job, in the pool or on the loop ---------------------------------------
 */

static void refuse(struct esp_refusal *why, enum esp_fault fault, const char *message)
{
    why->fault = fault;
    snprintf(why->message, sizeof why->message, "%s", message);
}

static void refuse_mail(struct job *j, struct esp_mail *m, enum tide_err rc, const char *message)
{
    static const struct {
        enum tide_err rc;
        enum esp_fault fault;
    } table[] = {
        {TIDE_EINVAL, ESP_BAD_VALUE}, {TIDE_ESYNTAX, ESP_BAD_VALUE}, {TIDE_EADDR, ESP_BAD_ADDRESS},
        {TIDE_EPERM, ESP_SENDER},     {TIDE_EEXIST, ESP_KEY_USED},   {TIDE_ELIMIT, ESP_RATE},
    };
    enum esp_fault fault = ESP_BUSY;
    for (size_t i = 0; i < TIDE_COUNT(table); i++)
        if (table[i].rc == rc)
            fault = table[i].fault;
    m->refusal = ARENA_NEW(&j->arena, struct esp_refusal);
    if (m->refusal)
        refuse(m->refusal, fault, message);
    else
        refuse(&j->why, ESP_BUSY, "out of memory, try again later");
}

static void prepare_mails(struct job *j)
{
    struct tide_error err = {0};
    struct handin *list = arena_array(&j->arena, j->batch.count + 1, sizeof *list);
    if (!list) {
        refuse(&j->why, ESP_BUSY, "out of memory, try again later");
        return;
    }
    j->handins = list;
    for (size_t i = 0; i < j->batch.count; i++) {
        struct esp_mail *m = &j->batch.mails[i];
        enum tide_err rc =
            m->refusal ? TIDE_OK : handin_prepare(&list[i], &m->draft, j->ask.now, &j->arena, &err);
        if (rc != TIDE_OK)
            refuse_mail(j, m, rc, err.text);
    }
}

static void read_body(struct job *j)
{
    bool good = esp_read(&j->ask, &j->arena, &j->batch, &j->why);
    if (good && (j->batch.does == ESP_SENDS || j->batch.does == ESP_PRETENDS))
        prepare_mails(j);
    else if (!good && j->why.fault == ESP_FINE)
        refuse(&j->why, ESP_BUSY, "out of memory, try again later");
}

/* -- Submitting -----------------------------------------------------------------------------------
 */

static void take_results(struct job *j, struct esp_mail *m, const struct intake_request *in)
{
    m->results = arena_array(&j->arena, in->recipient_count + 1, sizeof *m->results);
    for (size_t i = 0; m->results && in->results && i < in->recipient_count; i++)
        m->results[m->result_count++] = (struct esp_result){.id = in->results[i].id,
                                                            .address = in->recipients[i].address,
                                                            .state = in->results[i].state};
}

static void on_submitted(struct intake_request *in, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = in->arg;
    struct handin *h = container_of(in, struct handin, in);
    struct esp_mail *m = &j->batch.mails[h - j->handins];
    if (rc == TIDE_OK)
        take_results(j, m, in);
    else
        refuse_mail(j, m, rc, err && err->text[0] ? err->text : tide_err_text(rc));
    if (--j->pending == 0)
        job_answer(j);
}

/* What the intake would refuse of one mail must not come after others were taken. */
static void check_senders(struct job *j, const struct config_application *application)
{
    struct tide_error err = {0};
    for (size_t i = 0; i < j->batch.count; i++) {
        struct esp_mail *m = &j->batch.mails[i];
        if (m->refusal)
            continue;
        enum tide_err rc =
            intake_check_sender(j->door.submit.intake, application, m->draft.from.address, &err);
        if (rc != TIDE_OK)
            refuse_mail(j, m, rc, err.text);
    }
}

/* Nor must some be taken and others be too many. */
static void check_room(struct job *j, const struct config_application *application)
{
    struct tide_error err = {0};
    size_t count = 0;
    for (size_t i = 0; i < j->batch.count; i++)
        count += j->handins[i].in.recipient_count;
    enum tide_err rc =
        count > 0 ? intake_check_room(j->door.submit.intake, application, count, &err) : TIDE_OK;
    if (rc != TIDE_OK)
        refuse(&j->why, rc == TIDE_ELIMIT ? ESP_RATE : ESP_BUSY, err.text);
}

static void submit_all(struct job *j)
{
    struct intake *intake = j->door.submit.intake;
    const struct config_application *application =
        config_application(intake_config(intake), text_of(j->application));
    if (!application)
        refuse(&j->why, ESP_BAD_KEY, "the application is no longer configured");
    if (j->why.fault == ESP_FINE)
        check_senders(j, application);
    if (j->why.fault == ESP_FINE && !j->batch.each_own && j->batch.does == ESP_SENDS &&
        !esp_first_refusal(&j->batch))
        check_room(j, application);
    bool none = j->why.fault != ESP_FINE || j->batch.does == ESP_PRETENDS ||
                (!j->batch.each_own && esp_first_refusal(&j->batch));
    struct text source =
        text_of(arena_printf(&j->arena, "%s %s", j->ask.call->esp->name, j->req->peer));
    j->pending = 1; /* this loop's own */
    for (size_t i = 0; !none && i < j->batch.count; i++) {
        if (j->batch.mails[i].refusal)
            continue;
        j->pending++;
        j->handins[i].in.arg = j;
        j->handins[i].template_api = text_of(j->ask.call->esp->name);
        handin_submit(&j->handins[i], intake, application, source, on_submitted);
    }
    if (--j->pending == 0)
        job_answer(j);
}

/* -- Beside sending ------------------------------------------------------------------------------
 */

static void on_managed(struct esp_manage *m)
{
    job_answer(container_of(m, struct job, manage));
}

static void manage(struct job *j)
{
    const struct config_application *a =
        config_application(intake_config(j->door.submit.intake), text_of(j->application));
    j->manage = (struct esp_manage){.store = j->door.store,
                                    .operate = j->door.operate,
                                    .ask = &j->ask,
                                    .per_minute = a ? a->intake_per_minute_max : 0,
                                    .arena = &j->arena,
                                    .done = on_managed,
                                    .batch = &j->batch,
                                    .why = &j->why};
    esp_manage(&j->manage);
}

static void carry_on(struct job *j)
{
    bool sends = j->batch.does == ESP_SENDS || j->batch.does == ESP_PRETENDS;
    if (j->why.fault == ESP_FINE && !sends)
        manage(j);
    else
        submit_all(j);
}

/* -- Requests -------------------------------------------------------------------------------------
 */

static void on_work(uv_work_t *work)
{
    read_body(container_of(work, struct job, work));
}

static void on_worked(uv_work_t *work, int status)
{
    struct job *j = container_of(work, struct job, work);
    if (status != 0)
        refuse(&j->why, ESP_BUSY, "the service is stopping");
    carry_on(j);
}

/* Not for secrets: without random numbers the time tells requests apart. */
static struct text fresh_unique(char out[2 * UNIQUE_BYTES + 1])
{
    unsigned char random[UNIQUE_BYTES];
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        uint64_t now[UNIQUE_BYTES / sizeof(uint64_t)] = {uv_hrtime()};
        memcpy(random, now, sizeof random);
    }
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
    return text_of(out);
}

/* The one API that all ways out of the application speak: a template stored there can be used. */
static const char *api_behind(const struct config *config, const struct config_application *a)
{
    const char *api = NULL;
    for (size_t i = 0; i < a->account_count; i++) {
        const struct config_account *account = &config->accounts[a->accounts[i]];
        if (account->type != ACCOUNT_HTTPS || (api && strcmp(api, account->api) != 0))
            return NULL;
        api = account->api;
    }
    return api;
}

/* Copied: the pool may still read it when the configuration changes. */
static bool take_config(struct job *j,
                        const struct config *config,
                        const struct config_application *application)
{
    const char *api = api_behind(config, application);
    const char **names = arena_array(&j->arena, config->stream_count + 1, sizeof *names);
    const char **senders =
        arena_array(&j->arena, application->sender_domain_count + 1, sizeof *senders);
    for (size_t i = 0; names && i < config->stream_count; i++)
        if (!(names[i] = arena_strdup(&j->arena, config->streams[i].name)))
            return false;
    for (size_t i = 0; senders && i < application->sender_domain_count; i++)
        if (!(senders[i] = arena_strdup(&j->arena, application->sender_domains[i])))
            return false;
    j->ask.senders = senders;
    j->ask.sender_count = application->sender_domain_count;
    j->ask.behind = arena_text(&j->arena, text_of(api));
    j->ask.streams = names;
    j->ask.stream_count = config->stream_count;
    j->ask.recipients_max = (size_t)config->smtp.recipients_max;
    return names && senders;
}

static struct job *job_new(const struct http_esp_door *door,
                           struct http_request *req,
                           const struct esp_ask *ask,
                           const struct config_application *application)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    arena_init(&j->arena, ARENA_BYTES_MAX);
    j->door = *door;
    j->req = req;
    j->ask = *ask;
    memcpy(j->unique, ask->unique.p, ask->unique.n);
    j->ask.unique = text_of(j->unique);
    j->application = strdup(application->name);
    j->ask.application = text_of(j->application);
    if (j->application && take_config(j, intake_config(door->submit.intake), application))
        return j;
    job_free(j);
    return NULL;
}

/* What all requests have that an ESP's call is asked by. */
static void describe(struct http_request *req, struct esp_ask *ret)
{
    ret->method = req->method;
    ret->path = req->path;
    ret->body = req->body;
    ret->query = req->raw_query;
    ret->host = http_header(req, "Host");
    ret->https = req->is_tls || text_ieq(http_header(req, "X-Forwarded-Proto"), TEXT("https"));
    ret->content_type = http_header(req, "Content-Type");
}

bool http_esp_refuse(struct http_request *req, unsigned status, const char *message)
{
    struct esp_refusal why = {0};
    struct esp_ask ask = {0};
    char unique[2 * UNIQUE_BYTES + 1];
    bool method;
    ask.call = esp_find(req->method, req->path, ask.wild, &method);
    if (!ask.call)
        return false;
    describe(req, &ask);
    ask.unique = fresh_unique(unique);
    refuse(&why, status == 413 ? ESP_TOO_LARGE : status == 503 ? ESP_BUSY : ESP_BAD_BODY, message);
    refuse_request(req, &ask, &why);
    return true;
}

bool http_esp_meant(const struct http_esp_door *door, struct http_request *req)
{
    const struct config_application *application;
    struct esp_refusal why = {0};
    struct esp_batch batch = {0};
    struct esp_ask ask = {0};
    char unique[2 * UNIQUE_BYTES + 1];
    bool token = http_header(req, "X-Postmark-Server-Token").p ||
                 http_header(req, "X-Postmark-Account-Token").p;
    ask.call = esp_meant(req->path, http_header(req, "Authorization"), token);
    if (!ask.call)
        return false;
    describe(req, &ask);
    ask.unique = fresh_unique(unique);
    ask.now = clock_wall(door->submit.clock);
    why.fault = esp_auth(intake_config(door->submit.intake), req, ask.call->esp, &application);
    if (why.fault == ESP_FINE)
        (void)esp_read(&ask, NULL, &batch, &why);
    refuse_request(req, &ask, &why);
    return true;
}

bool http_esp(const struct http_esp_door *door, struct http_request *req)
{
    const struct config_application *application = NULL;
    struct esp_refusal why = {0};
    struct esp_ask ask = {0};
    char unique[2 * UNIQUE_BYTES + 1];
    bool method;
    ask.call = esp_find(req->method, req->path, ask.wild, &method);
    if (!ask.call)
        return false;
    describe(req, &ask);
    ask.now = clock_wall(door->submit.clock);
    ask.unique = fresh_unique(unique);
    const struct esp *esp = ask.call->esp;
    for (size_t i = 0; i < ESP_HEADERS_MAX && esp->headers[i]; i++)
        ask.headers[i] = http_header(req, esp->headers[i]);
    why.fault = method ? esp_auth(intake_config(door->submit.intake), req, esp, &application)
                       : ESP_BAD_METHOD;
    struct job *j = why.fault == ESP_FINE ? job_new(door, req, &ask, application) : NULL;
    if (!j) {
        if (why.fault == ESP_FINE)
            refuse(&why, ESP_BUSY, "out of memory, try again later");
        refuse_request(req, &ask, &why);
        return true;
    }
    if (req->body.n >= POOL_BYTES_MIN &&
        uv_queue_work(door->submit.loop, &j->work, on_work, on_worked) == 0)
        return true;
    read_body(j);
    carry_on(j);
    return true;
}
