/* history_in.h - what the readers of history share; nobody else includes this. */
#ifndef CORE_PROTO_HISTORY_IN_H
#define CORE_PROTO_HISTORY_IN_H

#include "core/proto/history.h"

struct history {
    const struct history_options *options;
    struct history_result result;
    struct idmap seen;  /* mails that were counted: the hash of id and recipient */
    struct text source; /* of what is given next */
    bool no_memory;
};

/* One mail for one recipient; with an id only once. False: stop, out of memory. */
bool history_give(struct history *h,
                  int64_t at_s,
                  struct text recipient,
                  enum history_class class,
                  struct text id);
/* Addresses divided by commas, semicolons or blanks, perhaps in brackets; anything else is one. */
bool history_give_all(
    struct history *h, int64_t at_s, struct text list, enum history_class class, struct text id);
void history_bad(struct history *h, const char *what, size_t number, const char *want);

/* Seconds or milliseconds since 1970, RFC 3339, "2026-03-02 10:11:12" with or without a zone. */
bool history_time(const struct history *h, struct text t, int64_t *ret_s);
bool history_local_time(const struct history *h, const struct civil *c, int64_t *ret_s);

void history_read_table(struct history *h, struct text bytes);
void history_read_postfix(struct history *h, struct text bytes);
void history_read_events(struct history *h, struct text bytes);

#endif
