#include "io/intake/http_submit.h"

#include "base/macros.h"
#include "core/proto/compose.h"
#include "core/proto/json_write.h"
#include "io/status/views.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/random.h>

#define POOL_BYTES_MIN    (256u * 1024) /* bodies from here on are read off the loop */
#define FINGERPRINT_BYTES 32
#define RETRY_AFTER_S     "10"

/* One draft on its way. */
struct item {
    struct job *job;
    struct api_draft draft;
    struct intake_recipient *recipients;
    size_t recipient_count;
    struct buf composed;
    char fingerprint[FINGERPRINT_BYTES];
    struct intake_request in;
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
    for (size_t i = 0; i < it->recipient_count; i++) {
        const struct intake_result *r = &it->in.results[i];
        jw_object(w, NULL);
        if (index >= 0)
            jw_int(w, "index", index);
        jw_id(w, "id", r->id);
        jw_text(w, "recipient", it->recipients[i].address);
        jw_str(w, "state", notification_state_name(r->state));
        jw_text(w, "reason", r->reason);
        jw_time(w, "estimated_release_at", r->due_at);
        jw_bool(w, "duplicate", r->duplicate);
        jw_end(w);
    }
}

static void job_free(struct job *j)
{
    for (size_t i = 0; i < j->count; i++) {
        buf_fini(&j->items[i].composed);
        arena_fini(&j->items[i].in.arena);
    }
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

static bool list_recipients(struct item *it)
{
    const struct api_draft *d = &it->draft;
    const struct api_addresses *all[] = {&d->to, &d->cc, &d->bcc};
    it->recipients = arena_array(&it->job->arena, d->to.count + d->cc.count + d->bcc.count,
                                 sizeof *it->recipients);
    for (size_t k = 0; it->recipients && k < TIDE_COUNT(all); k++)
        for (size_t i = 0; i < all[k]->count; i++)
            it->recipients[it->recipient_count++].address = all[k]->list[i].address;
    return it->recipients != NULL;
}

static void hash_text(EVP_MD_CTX *ctx, struct text t)
{
    uint64_t n = t.p ? t.n : UINT64_MAX; /* the length first: no two drafts run together */
    EVP_DigestUpdate(ctx, &n, sizeof n);
    if (t.n > 0)
        EVP_DigestUpdate(ctx, t.p, t.n);
}

static void hash_addresses(EVP_MD_CTX *ctx, const struct api_addresses *a)
{
    EVP_DigestUpdate(ctx, &a->count, sizeof a->count);
    for (size_t i = 0; i < a->count; i++) {
        hash_text(ctx, a->list[i].name);
        hash_text(ctx, a->list[i].address);
    }
}

/* What must be the same under the same key. Not the times: "2h" is another instant each time. */
static bool take_fingerprint(struct item *it)
{
    const struct api_draft *d = &it->draft;
    const struct text texts[] = {d->from.name, d->from.address, d->subject,    d->text,
                                 d->html,      d->stream,       d->thread,     d->message,
                                 d->item.url,  d->item.text,    d->item.title, d->item.icon};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return false;
    }
    hash_addresses(ctx, &d->to);
    hash_addresses(ctx, &d->cc);
    hash_addresses(ctx, &d->bcc);
    hash_addresses(ctx, &d->reply_to);
    for (size_t i = 0; i < TIDE_COUNT(texts); i++)
        hash_text(ctx, texts[i]);
    for (size_t i = 0; i < d->header_count; i++) {
        hash_text(ctx, d->headers[i].name);
        hash_text(ctx, d->headers[i].value);
    }
    for (size_t i = 0; i < d->attachment_count; i++) {
        const struct api_attachment *a = &d->attachments[i];
        hash_text(ctx, a->filename);
        hash_text(ctx, a->content_type);
        hash_text(ctx, a->content_id);
        hash_text(ctx, a->content);
        EVP_DigestUpdate(ctx, &a->is_inline, sizeof a->is_inline);
    }
    bool good = EVP_DigestFinal_ex(ctx, (unsigned char *)it->fingerprint, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

static bool compose_item(struct item *it)
{
    unsigned char random[16];
    char id[2 * sizeof random + 2 + 256];
    struct text from = it->draft.from.address;
    struct text domain = text_cut(from, text_find(from, '@') + 1, 253);
    struct tide_error err = {0};
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(id + 2 * i, 3, "%02x", random[i]);
    snprintf(id + 2 * sizeof random, sizeof id - 2 * sizeof random, "@%.*s",
             text_is_ascii(domain) ? (int)domain.n : 9,
             text_is_ascii(domain) ? domain.p : "localhost");
    struct compose_given given = {.date = it->job->rules.now, .message_id = text_of(id)};
    if (compose(&it->draft, &given, &it->composed, &err) == TIDE_OK)
        return true;
    refuse_item(it, 400, "bad_value", err.text);
    set_field(it, "");
    return false;
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
    if (!list_recipients(it) || !take_fingerprint(it)) {
        refuse_item(it, 503, "no_memory", "out of memory, try again later");
        set_field(it, "");
        return;
    }
    if (d->message.p || compose_item(it))
        it->status = 0; /* to be submitted */
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
    struct item *it = in->arg;
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

static void submit_item(struct item *it, const struct config_application *application)
{
    const struct api_draft *d = &it->draft;
    it->in = (struct intake_request){
        .application = application,
        .sender = d->from.address,
        .recipients = it->recipients,
        .recipient_count = it->recipient_count,
        .message = d->message.p ? d->message : buf_text(&it->composed),
        .stream = d->stream,
        .key = d->key,
        .fingerprint = {it->fingerprint, sizeof it->fingerprint},
        .thread = d->thread,
        .item = d->item,
        .not_before = d->not_before,
        .deadline_at = d->deadline_at,
        .source = text_of(arena_printf(&it->job->arena, "http %s", it->job->req->peer)),
        .done = on_submitted,
        .arg = it,
    };
    intake_submit(it->job->door.intake, &it->in);
}

static void submit_all(struct job *j)
{
    const struct config *config = intake_config(j->door.intake);
    const struct config_application *application = NULL;
    for (size_t i = 0; i < config->application_count; i++)
        if (strcmp(config->applications[i].name, j->application) == 0)
            application = &config->applications[i];
    if (!application && j->status == 0)
        refuse(j, 401, "bad_key", "the application is no longer configured");
    for (size_t i = 0; j->status == 0 && i < j->count; i++)
        j->pending += j->items[i].status == 0;
    if (j->pending == 0) {
        job_answer(j);
        return;
    }
    for (size_t i = 0; i < j->count; i++)
        if (j->items[i].status == 0)
            submit_item(&j->items[i], application);
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
