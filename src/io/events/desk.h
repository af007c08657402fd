/* desk.h - where news comes in, whoever brings it: each piece is carried to the gate, and who
 * brought a batch is told when all that follows from it is durable.
 *
 *   webhooks, bounces --news_desk_take()--> [waiting] --> drive_news() --durable--> done()
 *
 * Two pieces with the same key, or about the same mail or recipient, are never under way together:
 * so the second one meets what the first one wrote, and one that is told twice counts once.
 *
 * Owns      copies of what waits.
 * Lifetime  news_desk_open() to the closed callback, which waits for what was taken. It stands
 *           above drive: close it before.
 * Threads   loop thread only.
 * Errors    TIDE_ELIMIT too much waits (nothing of the batch was taken); else what the store could
 *           not do with one piece of it: the whole batch may be told again, what was taken is
 * known. Limits    DESK_WAITING_MAX pieces; DESK_UNDER_WAY at once.
 */
#ifndef IO_EVENTS_DESK_H
#define IO_EVENTS_DESK_H

#include "io/drive/drive.h"

#define DESK_WAITING_MAX 100000
#define DESK_UNDER_WAY   64

struct news_desk;

TIDE_MUST_CHECK enum tide_err news_desk_open(struct drive *drive,
                                             struct news_desk **ret,
                                             struct tide_error *err);
void news_desk_close(struct news_desk *d, void (*closed)(void *arg), void *arg);

struct news_told {
    enum tide_err rc;
    size_t known; /* pieces that are about a mail or a recipient of ours */
    const struct tide_error *err;
};
typedef void (*news_desk_cb)(void *arg, const struct news_told *told);

/* Copies the news. Keys count within the account that they came from. Calls back once, never from
 * inside the call. */
void news_desk_take(
    struct news_desk *d, const struct mail_news *news, size_t count, news_desk_cb done, void *arg);

struct news_desk_counts {
    int64_t by_kind[NEWS_UNLISTED + 1]; /* taken since start */
    int64_t known;                      /* of them about mail or a recipient of ours */
    size_t waiting;
};
void news_desk_count(const struct news_desk *d, struct news_desk_counts *ret);

/* A line of the journal that is about no recipient. */
void news_desk_note(struct news_desk *d, const char *event, struct text sentence);

#endif
