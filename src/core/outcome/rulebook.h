/* rulebook.h - the rule base as it lies in memory; private to rules*.c.
 *
 * Owns      see rules.h.
 */
#ifndef CORE_OUTCOME_RULEBOOK_H
#define CORE_OUTCOME_RULEBOOK_H

#include "core/outcome/rules.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define PIECES_MAX    4    /* trigrams of one literal that are asked for */
#define PIECE_BITS    8192 /* of the set of a text's trigrams; a power of two */
#define STATUSES_MAX  RULES_LIST_MAX
#define CODE_BITS_MAX 600

/* Trigrams of one plain stretch of a pattern. */
struct rule_need {
    uint16_t pieces[PIECES_MAX];
};

struct rule_pattern {
    pcre2_code *code;
    struct rule_need *needs; /* a text that has none of them does not match */
    size_t need_count;       /* 0: nothing is known, it is always tried */
};

struct rule_status {
    int first;   /* 2, 4, 5; 0: any */
    int subject; /* -1: any */
    int detail_least, detail_most;
};

struct rule_entry {
    struct reply_rule rule;
    const char *order;  /* its file's name, by which rules are sorted */
    size_t number;      /* within all that was added: keeps a file's own order */
    uint64_t providers; /* bits; 0: everybody's */
    bool strict;        /* means nothing when another provider says it */
    bool any_code;
    uint64_t codes[(CODE_BITS_MAX + 63) / 64];
    struct rule_status statuses[STATUSES_MAX];
    size_t status_count;
    uint16_t stages; /* bits of enum reply_stage; 0: any */
    struct rule_pattern *patterns;
    size_t pattern_count;
};

/* A rule that may fit a text which has this need's first trigram, and its others. */
struct rule_hint {
    const struct rule_need *need;
    uint16_t rule; /* its place in the order */
};

#define RULE_WORDS ((RULES_MAX + 63) / 64)

struct rulebook {
    struct arena memory;
    struct rule_entry **rules;
    size_t count;
    struct rule_hint *hints;     /* by trigram: those of p at hint_at[p] up to hint_at[p + 1] */
    uint32_t *hint_at;           /* NULL: not made; all rules may fit any text */
    uint64_t always[RULE_WORDS]; /* rules that need no trigram */
    const char *providers[RULES_PROVIDERS_MAX];
    size_t provider_count;
    pcre2_match_context *bounds;
};

/* Where a trigram's bit is; letters in lower case. */
static inline uint16_t piece_of(const char *p)
{
    uint32_t h = ((uint32_t)(unsigned char)p[0] << 16) | ((uint32_t)(unsigned char)p[1] << 8) |
                 (unsigned char)p[2];
    return (uint16_t)((h * 2654435761u) >> 19); /* Knuth's multiplicative hash, 13 bits */
}

/* Finds out what the pattern needs. False when memory ran out. */
bool rule_needs(const char *pattern, struct arena *a, struct rule_pattern *ret);

/* Makes the hints of a book whose rules are in order. */
void rulebook_hint(struct rulebook *b);

#endif
