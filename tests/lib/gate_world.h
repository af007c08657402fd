/* gate_world.h - a small made-up world around the gate: a store, DNS and ESP with books of their
 * own, in virtual time. What they find wrong fails the test at once, with the seed.
 *
 * gate_world.c        events go in, what the gate says is carried out; DNS
 * gate_world_store.c  what is durable, and what the store answers
 * gate_world_esp.c    what becomes of a mail, and what the ESP says of it
 *
 * What the application does, when the plug is pulled, and what has to hold in the end is the
 * test's: tests/sim/test_sim_gate.c, which also owns struct world (zeroed at first).
 */
#ifndef TESTS_LIB_GATE_WORLD_H
#define TESTS_LIB_GATE_WORLD_H

#include "base/rng.h"
#include "core/gate/gate.h"

#define DAYS        4
#define DAY_LIMIT   10
#define RECIPIENTS  12
#define IDENTITIES  2
#define GROUPS      (RECIPIENTS * IDENTITIES)
#define NOTES_MAX   4000
#define TRIES_MAX   20000
#define EVENTS_MAX  60000
#define LEDGERS_MAX 64
#define START       1772409600000LL    /* 2026-03-02T00:00:00Z, a Monday */
#define ZONE_MS     (8 * TIME_HOUR_MS) /* Shanghai has no DST */

/* What an ESP that took a mail finds out later, and says. */
struct esp_fate {
    unsigned percent;
    enum news_kind kind, then; /* then: said after it; OTHER: nothing */
    const char *reply;
    bool seen;
};

struct note {
    tide_id id;
    int group;
    bool urgent, digestible, drop_late;
    tide_wall_ms accepted_at, deadline_at, not_before;
    enum notification_state state;
    tide_id attempt;
    int seen;         /* copies that reached the recipient */
    bool was_unknown; /* in an attempt whose answer was lost */
    bool told;        /* news said that it arrived: never to be mailed again */
};

struct
try {
    tide_id id;
    int group;
    enum attempt_state state;
    tide_wall_ms unknown_at; /* 0: never was */
    char account[16];
    bool digest;
    bool over;                   /* its mailbox had taken what it takes in a day */
    const struct esp_fate *fate; /* what the ESP makes of it */
    enum news_kind news;
    tide_wall_ms news_at;
};

struct sim_suppression {
    struct suppression s;
    char scope[64];
};

enum happening_type { HAP_EVENT, HAP_ARRIVE, HAP_OUTCOME, HAP_ACCEPT, HAP_NEWS, HAP_RECALL };

struct happening {
    enum happening_type what;
    tide_wall_ms at;
    int run; /* of the daemon: what happened to an earlier run is lost with it */
    struct gate_event ev;
    struct group_pending pending;
    struct verdict verdict;
    struct account_outcome outcome;
    char domain[32];
    tide_id attempt;
    struct mail_news news; /* texts are literals, or in `said` */
    char said[64];
};

struct world {
    struct rng rng;
    uint64_t seed;
    struct config *config;
    struct planner *planner;
    struct gate *gate;
    tide_wall_ms now, wake_at, last_store_at;
    int run;
    uint64_t trace;
    struct note notes[NOTES_MAX];
    int note_count;
    struct try tries[TRIES_MAX];
    int try_count;
    struct happening *queue; /* unsorted; the earliest is searched: simple and small enough */
    int queue_count;
    char *plans[RECIPIENTS];
    size_t plan_bytes[RECIPIENTS];
    char *ledger_names[LEDGERS_MAX], *ledger_blobs[LEDGERS_MAX];
    size_t ledger_bytes[LEDGERS_MAX];
    int ledgers;
    tide_wall_ms books[RECIPIENTS][DAYS * 200];
    int book_count[RECIPIENTS];
    int hidden_day[RECIPIENTS], hidden_used[RECIPIENTS];
    tide_wall_ms closed_until[RECIPIENTS]; /* a reply said so */
    int64_t over;
    struct rulebook *rules;
    struct sim_suppression stops[RECIPIENTS][8];
    size_t stop_count[RECIPIENTS];
    struct past_finding findings[RECIPIENTS][PAST_FINDINGS_MAX];
    size_t finding_count[RECIPIENTS];
    tide_wall_ms delivered_at[RECIPIENTS];
    char lines[RECIPIENTS][600]; /* recipient_state.suppressed */
    int64_t crashes, unknowns, doubles, digests, told, suppressed, lifted, again;
};

/* -- gate_world.c ------------------------------------------------------------------------------ */

bool sim_is_dead(int recipient); /* its domain takes no mail */
/* Something that is to happen then; it goes with the run of the daemon that it was added in. */
struct happening *sim_add(struct world *w, enum happening_type what, tide_wall_ms at);
/* Gives the gate an event, and carries out what it says. */
void sim_step(struct world *w, struct gate_event *ev);
struct try *sim_find_try(struct world *w, tide_id id);

/* -- gate_world_store.c ------------------------------------------------------------------------ */

/* The store answers in order, each answer a little later. */
tide_wall_ms sim_store_answer_at(struct world *w);
struct group_pending sim_count_pending(const struct world *w, int group);
/* `address` has 40 bytes, `domain` 32. */
struct recipient_state sim_recipient(struct world *w, int recipient, char *address, char *domain);
/* Durable at once; what the store says of it comes later, and not at all after a crash. */
void sim_apply(struct world *w, const struct change *changes, size_t count);
void sim_claim(struct world *w, const struct gate_action *a);
void sim_drop(struct world *w, const struct gate_action *a);
void sim_load_group(struct world *w, int group, enum gate_event_type event);
void sim_step_news(struct world *w, struct happening *h);
void sim_recall(struct world *w, const struct gate_action *a);

/* -- gate_world_esp.c -------------------------------------------------------------------------- */

/* The mail is in the provider's books, whatever becomes of it. */
void sim_arrive(struct world *w, const struct try *t);
tide_wall_ms sim_midnight_after(tide_wall_ms t);
/* A third of the mailboxes take less than their provider's profile says, and that changes. True:
 * it takes one more today. */
bool sim_takes_more(struct world *w, int recipient);
/* The recipient sees it, or not, and the ESP tells. */
void sim_deliver(struct world *w, tide_id attempt);
/* A claimed mail goes on its way: it arrives (or not) in a while, and the answer comes after that.
 */
void sim_send(struct world *w, tide_id attempt);

#endif
