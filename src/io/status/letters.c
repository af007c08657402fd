#include "io/status/letters.h"

#include "base/macros.h"
#include "core/proto/json_write.h"

#include <stdlib.h>

#define MOST_DEFAULT 100
#define MOST_MAX     1000

/* First the dead ones are listed; to retry, those that are meant are then put back. */
struct job {
    struct views views;
    struct http_request *req;
    bool retries;
    struct text id; /* of the one that is meant; "": all */
    struct store_ask ask;
    struct store_apply apply;
    struct change *changes;
    struct arena arena;
};

static void job_free(struct job *j)
{
    arena_fini(&j->ask.arena);
    arena_fini(&j->apply.arena);
    arena_fini(&j->arena);
    free(j->changes);
    free(j);
}

static void job_fail(struct job *j, enum tide_err rc, const struct tide_error *err)
{
    view_fail(j->req, rc, err);
    job_free(j);
}

static void job_end(struct job *j, struct buf *b)
{
    view_reply_json(j->req, b);
    job_free(j);
}

static void shape_letter(struct json_writer *w, const struct webhook_letter *l)
{
    jw_object(w, NULL);
    jw_text(w, "id", l->event_id);
    jw_text(w, "application", l->application);
    jw_text(w, "type", l->type);
    jw_int(w, "tries", l->tries);
    jw_time(w, "first_at", l->first_at);
    jw_time(w, "tried_at", l->tried_at);
    jw_text(w, "error", l->error);
    jw_end(w);
}

static void answer_list(struct job *j)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_time(&w, "now", view_now(&j->views, &j->arena));
    jw_array(&w, "letters");
    for (size_t i = 0; i < j->ask.letter_count; i++)
        shape_letter(&w, &j->ask.letters[i]);
    jw_end(&w);
    jw_end(&w);
    job_end(j, &b);
}

static void answer_count(struct job *j)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_int(&w, "retried", (int64_t)j->apply.count);
    jw_end(&w);
    job_end(j, &b);
}

static void on_applied(struct store_apply *apply, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = apply->arg;
    if (rc != TIDE_OK) {
        job_fail(j, rc, err);
        return;
    }
    j->views.operate->wake_webhooks(j->views.operate->arg);
    answer_count(j);
}

static void put_back(struct job *j)
{
    size_t n = 0;
    tide_wall_ms now = view_now(&j->views, &j->arena);
    j->changes = calloc(j->ask.letter_count + 1, sizeof *j->changes);
    for (size_t i = 0; j->changes && i < j->ask.letter_count; i++) {
        const struct webhook_letter *l = &j->ask.letters[i];
        if (j->id.n == 0 || text_eq(j->id, l->event_id))
            j->changes[n++] = (struct change){
                .type = CHANGE_LETTERS_AGAIN,
                .letter = {.application = l->application, .seq = l->seq, .next_at = now}};
    }
    if (!j->changes)
        job_fail(j, TIDE_ENOMEM, NULL);
    else if (n == 0 && j->id.n > 0) {
        struct tide_error none = {0};
        job_fail(j, tide_fail(&none, TIDE_ENOENT, "There is no such dead event."), &none);
    } else if (n == 0)
        answer_count(j);
    else {
        j->apply = (struct store_apply){
            .changes = j->changes, .count = n, .at = now, .done = on_applied, .arg = j};
        store_apply(j->views.store, &j->apply);
    }
}

static void on_listed(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    if (rc != TIDE_OK)
        job_fail(j, rc, err);
    else if (j->retries)
        put_back(j);
    else
        answer_list(j);
}

static void begin(const struct views *v,
                  struct http_request *req,
                  struct text application,
                  bool retries)
{
    struct job *j = calloc(1, sizeof *j);
    struct text given = http_query(req, "most");
    int64_t most = MOST_DEFAULT;
    if (!j) {
        http_reply_error(req, 503, "no_memory", "Out of memory, try again later.");
        return;
    }
    if (given.n > 0 && text_int(given, 1, MOST_MAX, &most, NULL) != TIDE_OK)
        most = MOST_MAX;
    j->views = *v;
    j->req = req;
    j->retries = retries;
    j->id = http_query(req, "id");
    j->ask.view = STORE_VIEW_DEAD_LETTERS;
    j->ask.application =
        application.n > 0 ? arena_text(&j->arena, application) : http_query(req, "application");
    j->ask.most = retries ? MOST_MAX : (size_t)most;
    j->ask.done = on_listed;
    j->ask.arg = j;
    if (application.n > 0 && !j->ask.application.p)
        job_fail(j, TIDE_ENOMEM, NULL);
    else
        store_ask(v->store, &j->ask);
}

bool view_letters(const struct views *v,
                  struct http_request *req,
                  struct text application,
                  bool may_operate)
{
    bool lists = text_eq(req->path, TEXT("/v1/webhooks/dead"));
    bool reads = text_eq(req->method, TEXT("GET")) || text_eq(req->method, TEXT("HEAD"));
    if (!lists && !text_eq(req->path, TEXT("/v1/webhooks/retry")))
        return false;
    if (lists ? !reads : !text_eq(req->method, TEXT("POST")))
        http_reply_error(req, 405, "bad_method",
                         lists ? "This path is for GET." : "This path is for POST.");
    else if (!lists && !may_operate)
        http_reply_error(req, 403, "not_permitted", "You may look, but not operate.");
    else
        begin(v, req, application, !lists);
    return true;
}
