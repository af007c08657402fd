#include "io/watch/list_door.h"

#include "core/proto/json_write.h"

#include <stdlib.h>

struct door_job {
    struct http_request *req;
    struct list_sync_ask ask;
};

static void write_row(struct json_writer *w, const struct list_sync_row *row, bool dry)
{
    static const char *const would[] = {"leave", "take off", "learn"};
    jw_object(w, NULL);
    jw_text(w, "account", row->account);
    jw_text(w, "list", row->list);
    jw_text(w, "address", row->address);
    jw_str(w, "kind", listed_kind_name(row->kind));
    jw_time(w, "since", row->at);
    jw_text(w, "words", row->words);
    jw_str(w, "verdict", dry ? would[row->verdict] : list_verdict_name(row->verdict));
    jw_text(w, "why", row->why);
    jw_end(w);
}

static void write_answer(struct json_writer *w, const struct list_sync_ask *ask)
{
    jw_object(w, NULL);
    jw_bool(w, "dry_run", ask->dry);
    jw_int(w, "accounts", (int64_t)ask->accounts);
    jw_int(w, "read", ask->read);
    jw_int(w, "taken_off", ask->mended);
    jw_int(w, "learnt", ask->learnt);
    jw_int(w, "left", ask->left);
    jw_int(w, "failed", ask->failed);
    jw_text(w, "problems", ask->problems);
    jw_array(w, "entries");
    for (size_t i = 0; i < ask->row_count; i++)
        write_row(w, &ask->rows[i], ask->dry);
    jw_end(w);
    jw_end(w);
}

static void on_done(struct list_sync_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct door_job *job = ask->arg;
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    write_answer(&w, ask);
    buf_addc(&b, '\n');
    if (rc == TIDE_ENOENT)
        http_reply_error(job->req, 404, "not_found", err->text);
    else if (rc != TIDE_OK)
        http_reply_error(job->req, 503, "not_now", err->text);
    else if (b.failed != TIDE_OK)
        http_reply_error(job->req, 503, "no_memory", "Out of memory, try again later.");
    else
        http_reply(job->req, 200, "application/json", buf_text(&b), NULL, 0);
    buf_fini(&b);
    arena_fini(&ask->arena);
    free(job);
}

void list_door_take(struct list_sync *s, struct http_request *req)
{
    struct door_job *job = calloc(1, sizeof *job);
    if (!job) {
        http_reply_error(req, 503, "no_memory", "Out of memory, try again later.");
        return;
    }
    struct text dry = http_query(req, "dry_run");
    job->req = req;
    job->ask.account = arena_text(&job->ask.arena, http_query(req, "account"));
    job->ask.dry = dry.p && !text_eq(dry, TEXT("0"));
    job->ask.problems = TEXT("");
    job->ask.done = on_done;
    job->ask.arg = job;
    list_sync_ask(s, &job->ask);
}
