/* sender_inside.h - the sender report in the making; nobody but the report's files includes this.
 *
 * sender_report.c        DKIM, addresses, lists, unsubscribing; the texts
 * sender_report_spf.c    SPF
 * sender_report_dmarc.c  DMARC
 */
#ifndef CORE_VERIFY_SENDER_INSIDE_H
#define CORE_VERIFY_SENDER_INSIDE_H

#include "core/verify/sender.h"

/* What later checks want to know of earlier ones. */
struct report {
    struct sender *s;
    bool failed; /* out of memory, or too many checks */
    bool spf_good, dkim_good;
    bool spf_known, dkim_known; /* DNS answered */
    struct sender_check spare;  /* for checks that there is no room for: the report then fails */
};

/* Takes what the buffer holds into the arena. */
struct text report_keep(struct report *r, struct buf *b);
struct text report_format(struct report *r, const char *fmt, ...) TIDE_PRINTF(2, 3);
/* `NAME. TXT "..."` as zone files have it, in strings of 255 octets. */
void report_put_txt(struct buf *b, const char *prefix, struct text name, struct text value);
struct sender_check *report_add(struct report *r, enum sender_state state, struct text what);
/* What each provider does about senders that fail at this topic. */
void report_blame(struct report *r, struct sender_check *c, enum sender_topic topic);
void *report_machine(struct sender *s, enum sender_probe_kind kind, size_t ip);

/* sender_report_spf.c */
void report_spf(struct report *r);

/* sender_report_dmarc.c */
void report_dmarc(struct report *r);

#endif
