/* What became of mails whose answer was lost, where the ESP can be asked (core/esp/send_ask.h):
 * after a pause each is asked for; who is found ends as taken. The others are asked for again after
 * longer pauses, and end as before: of unknown fate, waiting for news. */
#include "base/log.h"
#include "base/macros.h"
#include "core/esp/send_ask.h"
#include "io/release/https_inside.h"

#include <stdio.h>

bool job_ask_later(struct job *j, const char *why)
{
    struct https_out *s = j->owner;
    if (!send_ask_can(s->api) || j->asked >= AGAIN_MAX || s->closing)
        return false;
    if (j->asked == 0)
        snprintf(j->lost, sizeof j->lost, "%s", why);
    j->again_at = clock_mono() + https_pause_ms(s, j->asked++);
    j->state = JOB_RESTING;
    https_wake(s);
    return true;
}

/* Who was not found is asked for again, unless nothing `more` can be found out. */
static void end_round(struct job *j, bool more)
{
    for (struct list *node; (node = list_take_first(&j->unfound));)
        list_append(&j->pieces, node);
    if (list_is_empty(&j->pieces))
        job_free(j);
    else if (!more || !job_ask_later(j, j->lost))
        job_end_silent(j, ACCOUNT_UNKNOWN, j->lost);
}

static void end_found(struct job *j, struct piece *p, const struct send_said *said)
{
    struct account_outcome o = https_outcome_of(said, NULL);
    log_info("https_out.found", "peer=%s reason=\"%s\"", j->owner->peer, j->lost);
    list_remove(&p->hook);
    j->count--;
    j->owner->in_jobs--;
    https_end_piece(j->owner, p, &o);
}

static void on_told(struct fetch *f)
{
    struct job *j = f->arg;
    struct piece *p = piece_of(list_first(&j->pieces));
    struct send_said said;
    enum send_found found =
        j->owner->closing ? SEND_CANNOT_TELL
        : f->fate == FETCH_ANSWERED && !f->cut
            ? send_ask_read(j->owner->api, &p->send, f->status, buf_text(&f->answer), &said)
            : SEND_ASK_LATER;
    switch (found) {
    case SEND_FOUND:
        end_found(j, p, &said);
        job_ask(j);
        break;
    case SEND_NOT_FOUND:
        list_remove(&p->hook);
        list_append(&j->unfound, &p->hook);
        job_ask(j);
        break;
    case SEND_CANNOT_TELL:
        log_info("https_out.cannot_tell", "peer=%s status=%d", j->owner->peer, f->status);
        end_round(j, false);
        break;
    case SEND_ASK_LATER: /* the rest of this round would fare as badly */
        end_round(j, true);
        break;
    }
}

void job_ask(struct job *j)
{
    if (list_is_empty(&j->pieces)) {
        end_round(j, true);
        return;
    }
    struct piece *p = piece_of(list_first(&j->pieces));
    if (send_ask_build(j->owner->api, &p->send, &p->request, &j->arena, &j->question, &j->err) !=
        TIDE_OK) {
        end_round(j, false);
        return;
    }
    job_prepare(j, &j->question, on_told);
    j->fetch.method = "GET";
    j->fetch.answer_max = SEND_ASK_ANSWER_MAX;
    j->state = JOB_ASKING;
    fetch_start(j->owner->fetcher, &j->fetch);
}
