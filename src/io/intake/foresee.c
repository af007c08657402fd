#include "io/intake/foresee.h"

#include "core/address/addr.h"
#include "core/outcome/suppress.h"

#include <stdio.h>
#include <stdlib.h>

struct job {
    struct store_ask ask;
    struct mail_news about;
    struct addr address, sender;
    struct drive *drive;
    foresee_cb done;
    void *arg;
};

/* Would every stream's mail be refused? Which of them it is stands in the message. */
static const struct suppression *stopper_of(const struct job *j, tide_wall_ms now)
{
    const struct config *c = drive_config(j->drive);
    const struct recipient_past *past = &j->ask.found.past;
    const struct suppression *by = NULL;
    for (size_t i = 0; i < c->stream_count; i++) {
        const struct suppress_mail mail = {.stream = text_of(c->streams[i].name),
                                           .identity = addr_text(&j->sender),
                                           .urgent = c->streams[i].urgent,
                                           .rule = c->streams[i].on_suppressed};
        size_t k = 0;
        while (k < past->suppression_count &&
               suppress_effect(&past->suppressions[k], &mail, now) != EFFECT_STOPPED)
            k++;
        if (k == past->suppression_count)
            return NULL;
        by = &past->suppressions[k];
    }
    return by;
}

static void on_found(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    char refusal[512] = "";
    tide_wall_ms now = clock_wall(drive_parts(j->drive)->clock);
    (void)err;
    const struct verdict *v =
        rc == TIDE_OK && ask->found.recipient ? &ask->found.recipient->verdict : NULL;
    const struct suppression *by = rc == TIDE_OK ? stopper_of(j, now) : NULL;
    if (by)
        snprintf(refusal, sizeof refusal, "the recipient is suppressed (%s)",
                 suppression_cause_name(by->cause));
    else if (v && v->kind == VERDICT_UNDELIVERABLE && v->valid_until > now)
        snprintf(refusal, sizeof refusal, TEXT_FMT, TEXT_ARG(v->reason));
    arena_fini(&ask->arena);
    j->done(j->arg, text_of(refusal));
    free(j);
}

bool foresee(struct drive *d, struct text address, struct text sender, foresee_cb done, void *arg)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return false;
    if (addr_parse(address, 0, &j->address, NULL) != TIDE_OK) {
        free(j);
        return false;
    }
    if (addr_parse(sender, 0, &j->sender, NULL) != TIDE_OK)
        j->sender = (struct addr){0};
    j->drive = d;
    j->done = done;
    j->arg = arg;
    j->about = (struct mail_news){.recipient = addr_text(&j->address)};
    j->ask =
        (struct store_ask){.view = STORE_VIEW_NEWS, .news = &j->about, .done = on_found, .arg = j};
    store_ask(drive_parts(d)->store, &j->ask);
    return true;
}
