/* senders.h - senders that do not pass: whose bulk streams wait, at which accounts, and why.
 *
 * A sender is a domain of From; what holds for it depends on the account that it goes through. Who
 * watches them (io/watch/sender_watch) says what is held; the gate only keeps to it.
 *
 * Owns      its entries with their texts.
 * Lifetime  zeroed memory is an empty table; gate_senders_fini().
 * Threads   loop thread only. Reads no clock.
 * Errors    out of memory: gate_senders_set() says false, and the table is as it was.
 */
#ifndef CORE_GATE_SENDERS_H
#define CORE_GATE_SENDERS_H

#include "base/map.h"

struct gate_sender_hold {
    struct gate_sender_hold *next;
    char *account, *reason;
};

struct gate_sender {
    uint32_t domain;
    uint32_t number; /* of the line that its bulk mail waits in */
    struct gate_sender_hold *holds;
};

struct gate_senders {
    struct idmap by_domain; /* the planner's number of the domain -> struct gate_sender */
    uint32_t last_number;
};

void gate_senders_fini(struct gate_senders *s);

enum gate_senders_told { SENDERS_SAME, SENDERS_CHANGED, SENDERS_LOST /* out of memory */ };

/* `reason` "": it passes there. *ret (may be NULL) is the sender, valid until the next call. */
enum gate_senders_told gate_senders_set(struct gate_senders *s,
                                        uint32_t domain,
                                        struct text account,
                                        struct text reason,
                                        const struct gate_sender **ret);

/* NULL: none of it is held. */
const struct gate_sender *gate_senders_find(const struct gate_senders *s, uint32_t domain);
/* Why it is held there; NULL: it is not. `s` may be NULL. */
const char *gate_sender_held(const struct gate_sender *s, const char *account);

#endif
