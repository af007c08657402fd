/* News of a mail that has left: the store knows what it is about, the gate what follows. */
#include "io/drive/inside.h"

#include "base/log.h"

#include "base/macros.h"

#include <stdlib.h>

struct news_job {
    struct store_ask ask;
    struct mail_news news;
    struct drive *drive;
    drive_news_cb done;
    void *arg;
    bool known;
};

static void finish(struct news_job *job, enum tide_err rc, const struct tide_error *err)
{
    struct drive *d = job->drive;
    if (rc != TIDE_OK)
        log_warn("news.not_taken", "source=" TEXT_FMT " error=\"%s\"", TEXT_ARG(job->news.source),
                 err->text);
    if (job->done)
        job->done(job->arg, rc, job->known, err);
    arena_fini(&job->ask.arena);
    free(job);
    drive_end(d);
}

static void on_stored(void *arg, enum tide_err rc, const struct tide_error *err)
{
    finish(arg, rc, err);
}

static void on_found(struct store_ask *req, enum tide_err rc, const struct tide_error *err)
{
    struct news_job *job = req->arg;
    if (rc != TIDE_OK) {
        finish(job, rc, err);
        return;
    }
    struct gate_event ev = {.type = GATE_NEWS, .news = {.news = &job->news, .found = &req->found}};
    job->known = req->found.recipient != NULL;
    drive_step(job->drive, &ev, on_stored, job);
}

/* The news with its texts in `a`. */
static struct mail_news copy_of(const struct mail_news *news, struct arena *a)
{
    struct mail_news n = *news;
    struct text *const texts[] = {&n.event, &n.word,       &n.source, &n.account,
                                  &n.key,   &n.message_id, &n.esp_id, &n.recipient,
                                  &n.reply, &n.remote_mta};
    for (size_t i = 0; i < TIDE_COUNT(texts); i++)
        *texts[i] = arena_text(a, *texts[i]);
    return n;
}

void drive_news(struct drive *d, const struct mail_news *news, drive_news_cb done, void *arg)
{
    struct news_job *job = calloc(1, sizeof *job);
    if (!job) {
        struct tide_error err;
        enum tide_err rc = tide_fail(&err, TIDE_ENOMEM, "out of memory");
        log_error("news.lost", "error=\"out of memory\"");
        if (done)
            done(arg, rc, false, &err);
        return;
    }
    job->news = copy_of(news, &job->ask.arena);
    job->drive = d;
    job->done = done;
    job->arg = arg;
    job->ask.view = STORE_VIEW_NEWS;
    job->ask.news = &job->news;
    job->ask.done = on_found;
    job->ask.arg = job;
    drive_begin(d);
    store_ask(d->parts.store, &job->ask);
}
