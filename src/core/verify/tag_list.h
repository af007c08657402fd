/* tag_list.h - "v=DKIM1; k=rsa; p=...": the tag lists of DKIM and DMARC.
 *
 * Owns      nothing; tags point into the caller's text.
 * Threads   any. Pure.
 * Errors    what is wrong is flags: DMARC reads on where DKIM gives up.
 * Limits    TAGS_MAX tags, further ones set `too_many`.
 * Standards RFC 6376 3.2.
 */
#ifndef CORE_VERIFY_TAG_LIST_H
#define CORE_VERIFY_TAG_LIST_H

#include "base/text.h"

#define TAGS_MAX 40

struct tag {
    struct text name, value; /* trimmed; folds inside a value stay */
};

struct tag_list {
    struct tag tags[TAGS_MAX];
    size_t count;
    bool malformed; /* an item that is no NAME=VALUE; it is left out */
    bool duplicate;
    bool too_many;
};

/* `ignore_case`: of tag names (DMARC; DKIM's are exact). */
void tag_list_parse(struct text t, bool ignore_case, struct tag_list *ret);

/* The value of the tag of exactly this name; {NULL, 0} when there is no such tag. An empty value
 * has a p. */
struct text tag_value(const struct tag_list *l, const char *name);

#endif
