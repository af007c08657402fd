/* dns_world.h - a small world of DNS records to ask state machines through, without a wire. */
#ifndef TESTS_LIB_DNS_WORLD_H
#define TESTS_LIB_DNS_WORLD_H

#include "core/verify/question.h"

#define DNS_WORLD_QUESTIONS_MAX 1000 /* a machine that asks more hangs */

struct dns_world;

struct dns_world *dns_world_new(void);
void dns_world_free(struct dns_world *w);

/* A and AAAA: an address as text; MX: "10 host"; CNAME, PTR, NS: a name; TXT: the strings joined.
 */
void dns_world_add(struct dns_world *w, struct text name, enum dns_type type, struct text data);
/* What a question gets that no record answers; type 0: every type. */
void dns_world_status(struct dns_world *w,
                      struct text name,
                      enum dns_type type,
                      enum dns_status status);

/* The answer's records live in the arena. */
void dns_world_ask(const struct dns_world *w,
                   struct text name,
                   enum dns_type type,
                   struct arena *arena,
                   struct dns_answer *ret);

/* Asks until the machine is done; returns the number of questions. */
size_t dns_world_run(const struct dns_world *w,
                     struct question first,
                     question_feed feed,
                     void *machine);

#endif
