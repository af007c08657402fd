/* dmarc_record.h - a DMARC policy record's text into what receivers make of it.
 *
 * Owns      nothing; texts point into the caller's record.
 * Threads   any. Pure.
 * Errors    none: a receiver reads on past most mistakes (RFC 9989 4.7). `usable` says whether it
 *           will use the record at all, `remarks` what its owner should put right.
 * Limits    DMARC_REMARKS_MAX remarks, then no more are kept.
 * Standards RFC 9989 4.7, 4.8. pct, rf and ri went with it: they are ignored, with a remark, as any
 *           tag that is not known. A URI's "!10m" (RFC 7489 6.2) is checked and ignored.
 */
#ifndef CORE_VERIFY_DMARC_RECORD_H
#define CORE_VERIFY_DMARC_RECORD_H

#include "base/text.h"

#define DMARC_REMARKS_MAX      8
#define DMARC_REMARK_BYTES_MAX 128

enum dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT, DMARC_UNSET };

const char *dmarc_policy_name(enum dmarc_policy p); /* "quarantine"; "" for DMARC_UNSET */

struct dmarc_remark {
    bool fault; /* against the grammar; else advice */
    char text[DMARC_REMARK_BYTES_MAX];
};

struct dmarc_record {
    bool usable;
    enum dmarc_policy p, sp, np; /* UNSET: the tag is not there (p: then it is as "none") */
    char psd;                    /* 'y', 'n', 'u' */
    bool testing;                /* t=y */
    bool strict_dkim, strict_spf;
    struct text rua, ruf;
    struct dmarc_remark remarks[DMARC_REMARKS_MAX];
    size_t remark_count;
    bool faulty; /* a remark is a fault */
};

/* Whether a TXT record is one: its first tag is v, exactly "DMARC1" (RFC 9989 4.7). */
bool dmarc_record_is(struct text txt);

void dmarc_record_parse(struct text txt, struct dmarc_record *ret);

#endif
