#include "io/status/letters.h"

#include "base/macros.h"
#include "io/status/view_job.h"

#include <stdlib.h>

/* First the dead ones are listed; to retry, those that are meant are then put back. */
struct job {
    struct view_job base;
    bool retries;
    struct text id; /* of the one that is meant; "": all */
    struct store_ask ask;
    struct store_apply apply;
    struct change *changes;
};

static void fini(struct view_job *base)
{
    struct job *j = container_of(base, struct job, base);
    arena_fini(&j->ask.arena);
    arena_fini(&j->apply.arena);
    free(j->changes);
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
    struct json_writer *w = view_job_open_now(&j->base, TIDE_OK, NULL);
    jw_array(w, "letters");
    for (size_t i = 0; i < j->ask.letter_count; i++)
        shape_letter(w, &j->ask.letters[i]);
    jw_end(w);
    view_job_close(&j->base);
}

static void answer_count(struct job *j)
{
    struct json_writer *w = view_job_open(&j->base, TIDE_OK, NULL);
    jw_int(w, "retried", (int64_t)j->apply.count);
    view_job_close(&j->base);
}

static void on_applied(struct store_apply *apply, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = apply->arg;
    if (rc != TIDE_OK) {
        view_job_fail(&j->base, rc, err);
        return;
    }
    j->base.views.operate->wake_webhooks(j->base.views.operate->arg);
    answer_count(j);
}

static void put_back(struct job *j)
{
    size_t n = 0;
    tide_wall_ms now = view_job_now(&j->base);
    j->changes = calloc(j->ask.letter_count + 1, sizeof *j->changes);
    for (size_t i = 0; j->changes && i < j->ask.letter_count; i++) {
        const struct webhook_letter *l = &j->ask.letters[i];
        if (j->id.n == 0 || text_eq(j->id, l->event_id))
            j->changes[n++] = (struct change){
                .type = CHANGE_LETTERS_AGAIN,
                .letter = {.application = l->application, .seq = l->seq, .next_at = now}};
    }
    if (!j->changes)
        view_job_fail(&j->base, TIDE_ENOMEM, NULL);
    else if (n == 0 && j->id.n > 0) {
        view_job_refuse(&j->base, TIDE_ENOENT, "There is no such dead event.");
    } else if (n == 0)
        answer_count(j);
    else {
        j->apply = (struct store_apply){
            .changes = j->changes, .count = n, .at = now, .done = on_applied, .arg = j};
        store_apply(j->base.views.store, &j->apply);
    }
}

static void on_listed(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    if (rc != TIDE_OK)
        view_job_fail(&j->base, rc, err);
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
    struct job *j = view_job_new(sizeof *j, v, req, fini);
    if (!j)
        return;
    j->retries = retries;
    j->id = http_query(req, "id");
    j->ask.view = STORE_VIEW_DEAD_LETTERS;
    j->ask.application = application.n > 0 ? arena_text(&j->base.arena, application)
                                           : http_query(req, "application");
    j->ask.most = retries ? VIEWS_ROWS_MAX : view_rows_wanted(req, VIEWS_ROWS_DEFAULT);
    j->ask.done = on_listed;
    j->ask.arg = j;
    if (application.n > 0 && !j->ask.application.p)
        view_job_fail(&j->base, TIDE_ENOMEM, NULL);
    else
        store_ask(v->store, &j->ask);
}

bool view_letters(const struct views *v,
                  struct http_request *req,
                  struct text application,
                  bool may_operate)
{
    bool lists = text_eq(req->path, TEXT("/v1/webhooks/dead"));
    if (!lists && !text_eq(req->path, TEXT("/v1/webhooks/retry")))
        return false;
    if (lists ? !view_reads(req) : !text_eq(req->method, TEXT("POST")))
        view_bad_method(req, lists ? "GET" : "POST");
    else if (!lists && !may_operate)
        view_not_permitted(req);
    else
        begin(v, req, application, !lists);
    return true;
}
