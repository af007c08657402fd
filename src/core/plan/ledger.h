/* ledger.h - what was used of every limit by one subject: exact, small, never forgetting.
 *
 * One kind of record serves every kind of window. A use belongs to a limit (the hash of its name)
 * and to the definition of its window (another hash); the limit's number is in neither, so that
 * editing a number keeps the count. After an edit of the window itself the new one starts from
 * the most that any overlapping old one had counted.
 *
 *   calendar, clock  one use a window: `at` its start, `used` the charges in it
 *   rolling          one use an instant, or a slot of instants where the count is large: `at` is
 *                    the newest of them, so that a slot leaves only when its last one does
 *   rate             one use: `used` the level of the bucket in 1/LEDGER_RATE_UNIT at `at`
 *   cooldown         the last two attempts (two, so that the last can be taken back)
 *
 * Rolling windows and cooldowns are longer by the margin: a mail is counted elsewhere when it
 * arrives, which may be long after its charge for one and at once for the next.
 *
 * The wall clock may step. A charge counts for every window that it may belong to: those within
 * the margin of now, and those that lie ahead because the clock has gone back. A use further
 * ahead than LEDGER_STEP_MAX_MS and its window's length was made under a wrong clock and is taken
 * as made now.
 *
 * Owns      the uses. The struct may be moved by plain assignment.
 * Lifetime  ledger_init() to ledger_fini(). Zeroed memory is an initialised ledger.
 * Threads   loop thread only. Reads no clock.
 * Errors    tally_ready(): false when out of memory. After it said true a charge cannot fail.
 * Limits    LEDGER_SLOTS_MAX uses of one rolling limit: exact up to that count, else a slot of
 *           span / LEDGER_SLOTS_MAX may leave that much late, never early.
 */
#ifndef CORE_PLAN_LEDGER_H
#define CORE_PLAN_LEDGER_H

#include "base/buf.h"
#include "core/limit/window.h"

#define LEDGER_INLINE      1 /* most mailboxes have one limit; a million of them are kept */
#define LEDGER_SLOTS_MAX   128
#define LEDGER_USES_MAX    4096
#define LEDGER_RATE_UNIT   1024
#define LEDGER_STEP_MAX_MS TIME_HOUR_MS
#define LEDGER_AT_MAX_MS   (200000 * TIME_DAY_MS) /* year 2517: a damaged row, not a time */

/* Aligned to four bytes alone, or the ledger and all that embeds it would be padded to eight. */
struct plan_use {
    uint32_t limit;  /* hash of the limit's name, and of the sender for pair limits */
    uint32_t window; /* hash of the window's definition */
    uint32_t used;
    uint32_t span_s : 28; /* how long it matters after `at`, rounded up */
    uint32_t kind : 3;    /* enum window_kind */
    uint32_t folded : 1;  /* lies ahead, and the window of now counts it already */
    tide_wall_ms at;
} __attribute__((packed, aligned(4)));

/* Where more are kept than fit inline. */
struct ledger_heap {
    uint32_t cap;
    uint32_t prune_s; /* nothing can be dropped before this second; 0: not known */
    struct plan_use uses[];
};

struct ledger {
    union {
        struct ledger_heap *heap;
        struct plan_use uses[LEDGER_INLINE]; /* while on_heap is 0 */
    };
    uint16_t count, on_heap;
} __attribute__((packed, aligned(4)));

/* A limit made ready: what every ledger that counts for it shares. */
struct meter {
    const struct limit *limit;
    struct window_rule rule;
    uint32_t id;       /* hash of the limit's name */
    uint32_t window;   /* hash of its window's definition */
    int64_t margin_ms; /* rate: 0 */
    int64_t burst;     /* rate */
};

/* One counter: a limit in one subject's ledger. */
struct tally {
    struct meter *meter;
    struct ledger *ledger;
    uint32_t id; /* meter->id, mixed with the sender for pair limits */
};

static inline void ledger_init(struct ledger *l)
{
    *l = (struct ledger){0};
}

void ledger_fini(struct ledger *l);

/* Drops what matters no more. */
void ledger_prune(struct ledger *l, tide_wall_ms now);

/* Takes over what counted under an edited window, or under a clock that has gone back, and makes
 * room for one charge at `now`. To be called before the four below. False: out of memory, or over
 * LEDGER_USES_MAX; nothing was lost. */
TIDE_MUST_CHECK bool tally_ready(const struct tally *t, tide_wall_ms now);

/* So many at least count from now on: of mail that was sent before the limit was known. False: out
 * of memory. */
bool tally_adopt(const struct tally *t, tide_wall_ms now, int64_t used);

/* What counts at `at`: of several windows the fullest. */
int64_t tally_used(const struct tally *t, tide_wall_ms at);

/* The least instant >= `from` at which less than `allowed` counts; TIDE_NEVER for allowed < 1. */
tide_wall_ms tally_earliest(const struct tally *t, int64_t allowed, tide_wall_ms from);

/* After tally_ready() at the same `now` it cannot fail. Without, it gets ready by itself; false:
 * out of memory, not charged. */
bool tally_charge(const struct tally *t, tide_wall_ms now);

/* Takes back one charge made at `started_at`. Never more than was charged: a rate, and the second
 * window of a charge near a reset, are not given back. */
void tally_refund(const struct tally *t, tide_wall_ms now, tide_wall_ms started_at);

/* A version byte, then the uses. */
void ledger_encode(const struct ledger *l, struct buf *ret);
TIDE_MUST_CHECK enum tide_err ledger_decode(struct text blob,
                                            struct ledger *ret,
                                            struct tide_error *err);

#endif
