/* https_inside.h - what https_out.c (the account: mails in, the end), https_job.c (its requests,
 * and what their answers mean for each mail) and https_ask.c (what became of a mail whose answer
 * was lost) share. For these three only.
 */
#ifndef IO_RELEASE_HTTPS_INSIDE_H
#define IO_RELEASE_HTTPS_INSIDE_H

#include "core/esp/quota.h"
#include "io/crypto/aws_sign.h"
#include "io/loop/fetch.h"
#include "io/release/account_type.h"
#include "io/release/https_piece.h"

struct https_out {
    struct account account;
    uv_loop_t *loop;
    struct clock clock;
    const struct send_api *api;
    struct fetcher *fetcher;
    char *peer, *key, *key_id, *region, *place;
    int conn_max, job_count;
    size_t batch_max;    /* mails of one request */
    int inside, in_jobs; /* mails; those of requests among them */
    int64_t again_ms;
    struct list waiting; /* mails */
    struct list ready;   /* pieces that are built, and could not go with the others of their job */
    struct list jobs;
    uv_timer_t pump_timer; /* so that no callback comes from inside account_send() */
    bool closing, fetcher_closing;
    tide_mono_ms close_by; /* answers that have not come by then will not be awaited */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* BUILDING --> FLYING --answer--> the end of each mail
 *                | `--fate unknown--> RESTING --again, where the ESP knows idempotency keys-->
 * FLYING |                      `--where it can be asked--> ASKING, one mail after another
 *                `--broken off before it was sent--> the end                |
 *              RESTING <--some are not found yet----------------------------'
 */
enum job_state { JOB_BUILDING, JOB_FLYING, JOB_RESTING, JOB_ASKING };

/* One request: of one mail, or of several. */
struct job {
    struct list hook;
    struct https_out *owner;
    struct list pieces;
    size_t count;
    enum job_state state;
    struct arena arena;
    struct send_request joined;         /* of several */
    const struct send_request *request; /* what is sent */
    struct fetch fetch;
    struct fetch_header headers[FETCH_HEADERS_MAX];
    struct aws_signature signature;
    uv_work_t work;
    struct tide_error err;
    unsigned again;        /* times that it was sent again */
    tide_mono_ms again_at; /* RESTING */
    unsigned asked;        /* times that the ESP was asked what became of it */
    struct list unfound;   /* pieces that this time was asked for already */
    struct send_request question;
    char lost[256]; /* why the fate is not known */
};

/* The pump runs soon, not from inside this call. */
void https_wake(struct https_out *s);

void https_end_mail(struct https_out *s,
                    struct account_mail *mail,
                    const struct account_outcome *outcome);
void https_end_piece(struct https_out *s, struct piece *p, const struct account_outcome *outcome);

/* A request of what is ready, else of what waits: there is something, and a place. False: no memory
 * for it. */
bool job_start(struct https_out *s);

/* Sends it, for the first time or again. */
void job_fly(struct job *j);

/* Its pause is over. */
void job_wake(struct job *j);

/* https_ask.c. True: the ESP is asked, after a pause, whether it has the mails of this job, whose
 * fate is not known because of `why`; the job's end follows. */
bool job_ask_later(struct job *j, const char *why);
void job_ask(struct job *j);
/* Of the job: its pieces are out of it. */
void job_free(struct job *j);
/* What its fetch sends, and whom it tells; the method is what it was. */
void job_prepare(struct job *j, const struct send_request *r, void (*done)(struct fetch *f));
/* `quota`: what the answer's head tells of the account; NULL: there is none. */
struct account_outcome https_outcome_of(const struct send_said *said,
                                        const struct quota_headers *quota);
/* The n-th pause, from 0: 1, 3, 9 and 27 seconds. */
int64_t https_pause_ms(const struct https_out *s, unsigned n);
#define AGAIN_MAX 4

/* No answer came; `what` happened instead: all of its mails end so. */
void job_end_silent(struct job *j, enum account_result result, const char *what);

#endif
