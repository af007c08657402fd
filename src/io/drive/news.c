/* News of a mail that has left, and what people order about an address: the store knows what it is
 * about, the gate what follows. */
#include "io/drive/inside.h"

#include "base/log.h"
#include "base/macros.h"

#include <stdlib.h>

struct news_job {
    struct store_ask ask;
    struct mail_news news; /* of an order: whom it is about */
    struct suppression entry;
    struct gate_order order;
    bool is_order;
    struct drive *drive;
    drive_news_cb done;
    void *arg;
    bool known;
};

static void finish(struct news_job *job, enum tide_err rc, const struct tide_error *err)
{
    struct drive *d = job->drive;
    if (rc != TIDE_OK)
        log_warn("news.not_taken", "source=\"" TEXT_FMT "\" error=\"%s\"",
                 TEXT_ARG(job->news.source), err->text);
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
    static const struct news_found nothing;
    struct news_job *job = req->arg;
    /* An attempt may wait for what is known: it has to be told that nothing is. */
    if (rc != TIDE_OK && !job->news.own) {
        finish(job, rc, err);
        return;
    }
    const struct news_found *found = rc == TIDE_OK ? &req->found : &nothing;
    struct gate_event ev = {.type = GATE_NEWS, .news = {.news = &job->news, .found = found}};
    if (job->is_order) {
        ev = (struct gate_event){.type = GATE_ORDER, .order = job->order};
        ev.order.entry = &job->entry;
        ev.order.found = found;
    }
    job->known = found->recipient != NULL;
    drive_step(job->drive, &ev, on_stored, job);
}

static struct news_job *new_job(struct drive *d, drive_news_cb done, void *arg)
{
    struct news_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->drive = d;
    job->done = done;
    job->arg = arg;
    return job;
}

static void no_memory(drive_news_cb done, void *arg)
{
    struct tide_error err;
    enum tide_err rc = tide_fail(&err, TIDE_ENOMEM, "out of memory");
    log_error("news.lost", "error=\"out of memory\"");
    if (done)
        done(arg, rc, false, &err);
}

static void look_up(struct news_job *job)
{
    job->ask.view = STORE_VIEW_NEWS;
    job->ask.news = &job->news;
    job->ask.done = on_found;
    job->ask.arg = job;
    drive_begin(job->drive);
    store_ask(job->drive->parts.store, &job->ask);
}

void drive_news(struct drive *d, const struct mail_news *news, drive_news_cb done, void *arg)
{
    struct news_job *job = new_job(d, done, arg);
    if (!job && news->own) {
        static const struct news_found nothing;
        struct gate_event ev = {.type = GATE_NEWS, .news = {.news = news, .found = &nothing}};
        drive_step(d, &ev, NULL, NULL);
    }
    if (!job) {
        no_memory(done, arg);
        return;
    }
    struct mail_news *n = &job->news;
    *n = *news;
    struct text *const texts[] = {&n->event, &n->word,       &n->source, &n->account,
                                  &n->key,   &n->message_id, &n->esp_id, &n->recipient,
                                  &n->reply, &n->remote_mta};
    for (size_t i = 0; i < TIDE_COUNT(texts); i++)
        *texts[i] = arena_text(&job->ask.arena, *texts[i]);
    look_up(job);
}

void drive_order(struct drive *d, const struct gate_order *order, drive_news_cb done, void *arg)
{
    struct news_job *job = new_job(d, done, arg);
    if (!job) {
        no_memory(done, arg);
        return;
    }
    job->is_order = true;
    job->entry = suppression_copy(order->entry, &job->ask.arena);
    job->order = *order;
    job->order.application = arena_text(&job->ask.arena, order->application);
    job->news.recipient = job->entry.address;
    job->news.source = job->entry.by;
    look_up(job);
}
