/* delivery.h - one event on its way to a webhook: its letter, its request, how it ended; private to
 * io/feed.
 *
 *   WAITING --start--> FLYING --2xx or not--> ENDED --apply--> STORING --durable--> (freed)
 *                         `--broken off--> (freed: told again from the cursor)
 */
#ifndef IO_FEED_DELIVERY_H
#define IO_FEED_DELIVERY_H

#include "io/feed/feed.h"
#include "io/loop/fetch.h"

#define DELIVERY_HEADERS 5

enum delivery_state { DELIVERY_WAITING, DELIVERY_FLYING, DELIVERY_ENDED, DELIVERY_STORING };

struct delivery {
    struct list hook;
    enum delivery_state state;
    bool is_letter; /* stored as one: not its first try */
    bool taken;
    bool broken_off;
    bool gone;       /* the answer was 410: it wants no more */
    int64_t wait_ms; /* Retry-After; 0: not said */
    struct webhook_letter letter;
    struct arena arena; /* of its texts */
    struct fetch fetch;
    struct fetch_header headers[DELIVERY_HEADERS];
    char stamp[24];
    struct buf signature;
    void (*done)(struct delivery *d);
    void *arg;
};

/* With the texts copied; NULL: out of memory. */
struct delivery *delivery_new(const struct webhook_letter *letter, bool is_letter);
void delivery_free(struct delivery *d);

/* Signs and sends; `done` comes once, never from inside. False: it could not be signed. */
bool delivery_start(struct delivery *d,
                    struct fetcher *fetcher,
                    struct text path,
                    struct text secrets,
                    tide_wall_ms now);

/* When a letter that was not taken is tried again after `tries`; 0: it is dead. */
tide_wall_ms delivery_next_at(int tries, int64_t wait_ms, tide_wall_ms now);

#endif
