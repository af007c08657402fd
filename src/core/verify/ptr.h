/* ptr.h - whether an address has a name that leads back to it (forward-confirmed reverse DNS).
 *
 *   IDLE --start--> NAMES --names--> ADDRESS --another one--> ADDRESS --this one, none left--> DONE
 *
 * Owns      nothing; texts live in the arena given to ptr_init().
 * Threads   one at a time. Pure.
 * Limits    PTR_NAMES_MAX names are followed.
 * Standards RFC 1912 2.1, RFC 8601 3 (iprev).
 */
#ifndef CORE_VERIFY_PTR_H
#define CORE_VERIFY_PTR_H

#include "core/verify/question.h"

#define PTR_NAMES_MAX 10

enum ptr_state { PTR_AT_IDLE, PTR_AT_NAMES, PTR_AT_ADDRESS, PTR_AT_DONE };
enum ptr_result { PTR_UNKNOWN, PTR_NONE, PTR_UNCONFIRMED, PTR_CONFIRMED };

struct ptr {
    enum ptr_state state;
    struct arena *arena;
    uint8_t ip[16];
    bool v6;
    struct text reverse; /* "1.2.0.192.in-addr.arpa" */
    struct text names[PTR_NAMES_MAX];
    size_t name_count, at;

    enum ptr_result result;
    struct text name;      /* CONFIRMED: it; UNCONFIRMED: the first one */
    enum dns_status doubt; /* UNKNOWN: what DNS said */
};

void ptr_init(struct ptr *p, const uint8_t ip[16], bool v6, struct arena *arena);
void ptr_start(struct ptr *p, struct question *todo);
void ptr_feed(void *ptr, const struct dns_answer *answer, struct question *todo);

#endif
