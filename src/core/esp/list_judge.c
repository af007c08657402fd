#include "core/esp/list_judge.h"

#include <stdarg.h>
#include <stdio.h>

const char *list_verdict_name(enum list_verdict v)
{
    static const char *const names[] = {"left", "taken off", "learnt"};
    return names[v];
}

static void decide(struct list_judgement *j, enum list_verdict v, const char *fmt, ...)
    TIDE_PRINTF(3, 4);

static void decide(struct list_judgement *j, enum list_verdict v, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(j->why, sizeof j->why, fmt, args);
    va_end(args);
    size_t n = strlen(j->why);
    if (n > 0 && j->why[n - 1] == '.')
        j->why[n - 1] = '\0';
    j->verdict = v;
}

static void read_words(const struct list_case *c, struct list_judgement *j)
{
    if (c->entry->words.n == 0)
        return;
    reply_said_of(c->entry->words, &j->said);
    j->said.provider = c->provider;
    j->said.words = c->entry->words;
    meaning_of(c->rules, &j->said, &j->meaning);
}

static bool reached_since(const struct list_case *c)
{
    return c->past && c->entry->at > 0 && c->past->delivered_at > c->entry->at;
}

/* The address came there for a refusal. */
static void judge_refusal(const struct list_case *c, struct list_judgement *j)
{
    const struct meaning *m = &j->meaning;
    bool known = c->entry->words.n > 0 && m->basis != BASIS_NOTHING;
    if (known &&
        (m->fault == FAULT_THEIR_LIMIT || m->fault == FAULT_THEIR_OUTAGE || m->fault == FAULT_OURS))
        decide(j, LIST_MEND, "the recipient is not at fault: %s", m->cause ? m->cause : "");
    else if (reached_since(c))
        decide(j, LIST_MEND, "mail has reached the address since");
    else if (c->mend.n > 0 && c->mend_at > c->entry->at)
        decide(j, LIST_MEND, TEXT_FMT, TEXT_ARG(c->mend));
    else if (known && m->fault == FAULT_RECIPIENT)
        decide(j, LIST_LEARN, "%s", m->cause ? m->cause : "the address is at fault");
    else if (c->mend.n > 0)
        decide(j, LIST_MEND, TEXT_FMT, TEXT_ARG(c->mend));
    else if (known)
        decide(j, LIST_LEAVE, "it is not known to be no fault of the recipient: %s",
               m->cause ? m->cause : "");
    else
        decide(j, LIST_LEAVE, "nobody says why it came there");
}

void list_judge(const struct list_case *c, struct list_judgement *ret)
{
    *ret = (struct list_judgement){.said = {.stage = -1}};
    switch (c->entry->kind) {
    case LISTED_COMPLAINED:
        decide(ret, LIST_LEARN, "its owner called a mail spam");
        break;
    case LISTED_UNSUBSCRIBED:
        decide(ret, LIST_LEARN, "its owner wants no more mail");
        break;
    case LISTED_MANUAL:
        decide(ret, LIST_LEAVE, "somebody put it there");
        break;
    case LISTED_BOUNCED:
    case LISTED_BLOCKED:
    case LISTED_INVALID:
        read_words(c, ret);
        judge_refusal(c, ret);
        break;
    }
}
