/* lists.h - the words of schedules/lists/: what verification knows about addresses and mail hosts.
 *
 * Owns      everything it points to (lists_fini()).
 * Threads   any, read only once read. Pure.
 * Errors    "FILE:LINE: want ..., got ..."; TIDE_ENOMEM.
 * Limits    LISTS_WORDS_MAX words a list. See schedules/lists/README.
 */
#ifndef CORE_CONFIG_LISTS_H
#define CORE_CONFIG_LISTS_H

#include "base/arena.h"

#define LISTS_WORDS_MAX 1000000

enum list_name {
    LIST_DISPOSABLE,    /* domains */
    LIST_DISPOSABLE_MX, /* host names, or ".suffix" */
    LIST_FREE_MAIL,     /* domains */
    LIST_ROLES,         /* local parts */
    LIST_PARKED_MX,     /* host names, or ".suffix" */
    LIST_COUNT
};

/* The file's name in schedules/lists: "disposable.txt". */
const char *list_file(enum list_name which);

struct lists {
    struct list_words {
        const char **words; /* lower case */
        size_t count, cap;
    } of[LIST_COUNT];
    struct arena memory;
};

/* Adds the words of one file's text; "!word" takes one away. On an error the list may have grown.
 */
TIDE_MUST_CHECK enum tide_err lists_read(struct lists *l,
                                         enum list_name which,
                                         const char *file,
                                         struct text content,
                                         struct tide_error *err);
void lists_fini(struct lists *l);

#endif
