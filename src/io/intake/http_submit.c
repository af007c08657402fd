#include "io/intake/http_submit.h"

#include "base/macros.h"
#include "core/proto/json_write.h"
#include "io/intake/handin.h"
#include "io/status/views.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define POOL_BYTES_MIN (256u * 1024) /* bodies from here on are read off the loop */
#define RETRY_AFTER_S  "10"

/* One draft on its way. */
struct item {
    struct job *job;
    struct api_draft draft;
    struct handin handin;
    /* what became of it */
    unsigned status; /* 202, or of the refusal */
    struct api_error error;
};

struct job {
    struct http_submit_door door;
    struct http_request *req;
    uv_work_t work;
    struct arena arena;
    char *application; /* name: the configuration may change while the pool works */
    struct text key;   /* Idempotency-Key */
    struct api_rules rules;
    size_t batch_max;
    struct json *doc;
    bool is_array;
    struct item *items;
    size_t count, pending;
    unsigned status; /* of the whole, where the body could not be read: 0: it could */
    struct api_error error;
};

/* -- Answering -----------------------------------------------------------------------------------
 */

static void write_error(struct json_writer *w, const struct api_error *e)
{
    jw_object(w, "error");
    jw_str(w, "code", e->code);
    jw_str(w, "field", e->field[0] ? e->field : NULL);
    jw_str(w, "message", e->message);
    jw_end(w);
}

static void reply_json(struct http_request *req, unsigned status, struct buf *b)
{
    static const struct http_header retry[] = {{"Retry-After", RETRY_AFTER_S}};
    bool again = status == 429 || status == 503;
    buf_addc(b, '\n');
    if (b->failed != TIDE_OK)
        http_reply_error(req, 503, "no_memory", "Out of memory, try again later.");
    else
        http_reply(req, status, "application/json", buf_text(b), retry, again ? 1 : 0);
    buf_fini(b);
}

void http_submit_error(struct http_request *req,
                       unsigned status,
                       const char *code,
                       const char *field,
                       const char *message)
{
    struct buf b = {0};
    struct json_writer w;
    struct api_error e = {.code = code};
    snprintf(e.field, sizeof e.field, "%s", field);
    snprintf(e.message, sizeof e.message, "%s", message);
    jw_init(&w, &b);
    jw_object(&w, NULL);
    write_error(&w, &e);
    jw_end(&w);
    reply_json(req, status, &b);
}

static void write_item(struct json_writer *w, const struct item *it, int64_t index)
{
    if (it->status != 202) {
        jw_object(w, NULL);
        jw_int(w, "index", index);
        write_error(w, &it->error);
        jw_end(w);
        return;
    }
    for (size_t i = 0; i < it->handin.in.recipient_count; i++) {
        const struct intake_result *r = &it->handin.in.results[i];
        jw_object(w, NULL);
        if (index >= 0)
            jw_int(w, "index", index);
        jw_id(w, "id", r->id);
        jw_text(w, "recipient", it->handin.in.recipients[i].address);
        jw_str(w, "state", notification_state_name(r->state));
        jw_text(w, "reason", r->reason);
        jw_time(w, "estimated_release_at", r->due_at);
        jw_bool(w, "duplicate", r->duplicate);
        if (r->supersedes)
            jw_id(w, "supersedes", r->supersedes);
        jw_end(w);
    }
}

static void job_free(struct job *j)
{
    for (size_t i = 0; i < j->count; i++)
        handin_fini(&j->items[i].handin);
    json_free(j->doc);
    free(j->application);
    arena_fini(&j->arena);
    free(j);
}

static void job_answer(struct job *j)
{
    struct buf b = {0};
    struct json_writer w;
    unsigned status = j->status;
    const struct api_error *error = &j->error;
    for (size_t i = 0; j->status == 0 && i < j->count; i++) {
        if (status == 0 || j->items[i].status == 202) {
            status = j->items[i].status;
            error = &j->items[i].error;
        }
    }
    jw_init(&w, &b);
    jw_object(&w, NULL);
    if (status != 202)
        write_error(&w, error);
    if (status == 202 || (j->is_array && j->status == 0)) {
        jw_array(&w, "notifications");
        for (size_t i = 0; i < j->count; i++)
            write_item(&w, &j->items[i], j->is_array ? (int64_t)i : -1);
        jw_end(&w);
    }
    jw_end(&w);
    reply_json(j->req, status, &b);
    job_free(j);
}

/* -- Reading: pure over the job, in the pool or on the loop ---------------------------------------
 */

static void TIDE_PRINTF(4, 5)
    refuse(struct job *j, unsigned status, const char *code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(j->error.message, sizeof j->error.message, fmt, args);
    va_end(args);
    j->error.code = code;
    j->status = status;
}

static void refuse_item(struct item *it, unsigned status, const char *code, const char *message)
{
    it->status = status;
    it->error.code = code;
    snprintf(it->error.message, sizeof it->error.message, "%s", message);
}

static void set_field(struct item *it, const char *name)
{
    int at = it->job->is_array
                 ? snprintf(it->error.field, sizeof it->error.field, "[%td]", it - it->job->items)
                 : 0;
    if (name[0])
        snprintf(it->error.field + at, sizeof it->error.field - (size_t)at, "%s%s", at ? "." : "",
                 name);
}

static void read_item(struct item *it, const struct json *v, int index)
{
    struct job *j = it->job;
    struct api_draft *d = &it->draft;
    it->status = 400;
    if (!api_draft(v, index, &j->rules, &j->arena, d, &it->error))
        return;
    if (j->key.n > 0 && d->key.n > 0 && !text_eq(j->key, d->key)) {
        refuse_item(it, 400, "conflict", "the header Idempotency-Key says something else");
        set_field(it, "key");
        return;
    }
    if (j->key.n > 0)
        d->key = j->key;
    struct tide_error err = {0};
    enum tide_err rc = handin_prepare(&it->handin, d, j->rules.now, &j->arena, &err);
    it->status = 0; /* to be submitted */
    if (rc != TIDE_OK) {
        refuse_item(it, rc == TIDE_EINVAL ? 400 : 503,
                    rc == TIDE_EINVAL ? "bad_value" : "no_memory", err.text);
        set_field(it, "");
    }
}

/* Fills items, each with its draft or its refusal; or refuses the whole. */
static void read_body(struct job *j)
{
    struct tide_error err = {0};
    enum tide_err rc = json_parse(j->req->body, SIZE_MAX, &j->doc, &err);
    if (rc != TIDE_OK) {
        refuse(j, rc == TIDE_ENOMEM ? 503 : 400, rc == TIDE_ENOMEM ? "no_memory" : "bad_json", "%s",
               err.text);
        return;
    }
    j->is_array = json_kind(j->doc) == JSON_KIND_ARRAY;
    size_t count = j->is_array ? json_count(j->doc) : 1;
    if (count == 0)
        refuse(j, 400, "missing", "want at least one notification, got an empty array");
    else if (count > j->batch_max)
        refuse(j, 413, "too_many_items", "want at most %zu notifications, got %zu", j->batch_max,
               count);
    else if (j->is_array && j->key.n > 0)
        refuse(j, 400, "conflict",
               "the header Idempotency-Key is for one notification; give each its \"key\"");
    if (j->status != 0)
        return;
    j->items = arena_array(&j->arena, count, sizeof *j->items);
    if (!j->items) {
        refuse(j, 503, "no_memory", "out of memory, try again later");
        return;
    }
    j->count = count;
    for (size_t i = 0; i < count; i++) {
        j->items[i].job = j;
        read_item(&j->items[i], j->is_array ? json_element(j->doc, i) : j->doc,
                  j->is_array ? (int)i : -1);
    }
}

/* -- Submitting -----------------------------------------------------------------------------------
 */

static void on_submitted(struct intake_request *in, enum tide_err rc, const struct tide_error *err)
{
    struct item *it = container_of(in, struct item, handin.in);
    struct job *j = it->job;
    it->status = 202;
    if (rc != TIDE_OK) {
        const char *code;
        unsigned status = view_status_of(rc, &code);
        refuse_item(it, status, code, err && err->text[0] ? err->text : tide_err_text(rc));
        set_field(it, rc == TIDE_EADDR    ? "to"
                      : rc == TIDE_EPERM  ? "from"
                      : rc == TIDE_EEXIST ? "key"
                                          : "");
    }
    if (--j->pending == 0)
        job_answer(j);
}

static void submit_all(struct job *j)
{
    const struct config *config = intake_config(j->door.intake);
    const struct config_application *application =
        config_application(config, text_of(j->application));
    if (!application && j->status == 0)
        refuse(j, 401, "bad_key", "the application is no longer configured");
    for (size_t i = 0; j->status == 0 && i < j->count; i++)
        j->pending += j->items[i].status == 0;
    if (j->pending == 0) {
        job_answer(j);
        return;
    }
    struct text source = text_of(arena_printf(&j->arena, "HTTP (%s)", j->req->peer));
    for (size_t i = 0; i < j->count; i++)
        if (j->items[i].status == 0)
            handin_submit(&j->items[i].handin, j->door.intake, application, source, on_submitted);
}

static void on_work(uv_work_t *work)
{
    read_body(container_of(work, struct job, work));
}

static void on_worked(uv_work_t *work, int status)
{
    struct job *j = container_of(work, struct job, work);
    if (status != 0)
        refuse(j, 503, "stopping", "the service is stopping");
    submit_all(j);
}

/* Always wanted: a web page can make a browser send anything else here without asking first. */
static bool is_json(struct text content_type)
{
    struct text type = text_trim(text_cut(content_type, 0, text_find(content_type, ';')));
    return text_ieq(type, TEXT("application/json"));
}

/* Names of the streams, copied: the pool may still read them when the configuration changes. */
static bool take_rules(struct job *j, const struct config *config)
{
    const char **names = arena_array(&j->arena, config->stream_count + 1, sizeof *names);
    for (size_t i = 0; names && i < config->stream_count; i++)
        if (!(names[i] = arena_strdup(&j->arena, config->streams[i].name)))
            return false;
    j->rules = (struct api_rules){
        .now = clock_wall(j->door.clock),
        .recipients_max = (size_t)config->smtp.recipients_max,
        .streams = names,
        .stream_count = config->stream_count,
    };
    j->batch_max = (size_t)config->http.batch_max;
    return names != NULL;
}

void http_submit(const struct http_submit_door *door,
                 struct http_request *req,
                 const struct config_application *application)
{
    if (!is_json(http_header(req, "Content-Type"))) {
        http_submit_error(req, 415, "not_json", "", "want Content-Type: application/json");
        return;
    }
    struct text key = http_header(req, "Idempotency-Key");
    if (key.n > API_KEY_BYTES_MAX) {
        http_submit_error(req, 400, "too_large", "", "the header Idempotency-Key is too long");
        return;
    }
    struct job *j = calloc(1, sizeof *j);
    if (j) {
        j->door = *door;
        j->req = req;
        j->key = key;
        j->application = strdup(application->name);
    }
    if (!j || !j->application || !take_rules(j, intake_config(door->intake))) {
        http_submit_error(req, 503, "no_memory", "", "out of memory, try again later");
        if (j)
            job_free(j);
        return;
    }
    if (req->body.n >= POOL_BYTES_MIN &&
        uv_queue_work(door->loop, &j->work, on_work, on_worked) == 0)
        return;
    read_body(j);
    submit_all(j);
}
