/* spf_memo.h - parsed SPF records, kept by their text: the same few includes stand in every
 * domain's record, and most of check_host()'s time goes into reading them anew.
 *
 * Owns      its entries. One that a machine holds lives on until spf_memo_release(), also when the
 *           memo has let it go.
 * Lifetime  spf_memo_init() to spf_memo_fini(), which may come before the last release.
 * Threads   one at a time.
 * Errors    running out of memory means that nothing is kept: NULL, and the caller parses itself.
 * Limits    SPF_MEMO_SLOTS records of at most SPF_MEMO_TEXT_MAX octets; a newer one takes the place
 *           of an older one with the same slot.
 */
#ifndef CORE_VERIFY_SPF_MEMO_H
#define CORE_VERIFY_SPF_MEMO_H

#include "core/verify/spf_record.h"

#define SPF_MEMO_SLOTS    1024
#define SPF_MEMO_TEXT_MAX 2048

struct spf_memo_entry {
    uint64_t hash;
    unsigned refs;
    struct text text;
    struct spf_record record; /* its texts point into `text` */
    struct arena memory;      /* of both */
};

struct spf_memo {
    struct spf_memo_entry *slots[SPF_MEMO_SLOTS];
};

void spf_memo_init(struct spf_memo *m);
void spf_memo_fini(struct spf_memo *m);

/* The record, parsed now or before, held for the caller; NULL: it does not parse, is too long, or
 * there is no memory for it. */
struct spf_memo_entry *spf_memo_get(struct spf_memo *m, struct text txt);
void spf_memo_release(struct spf_memo_entry *e);

#endif
