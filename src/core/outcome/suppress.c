#include "core/outcome/suppress.h"

#include "base/macros.h"

#include <stdio.h>

#define DAYS(n) ((n)*TIME_DAY_MS)

/* How long, the first time, the second, ...; the last one goes on. 0: for ever. The first `pauses`
 * of them only hold the mail. Nobody has published such spans for all: a full mailbox is mostly
 * emptied within days; an address that Google has shut for good is freed after 20 months, others
 * give addresses away again sooner, so that even "no such user" is worth a look now and then. */
static const struct {
    int pauses, count;
    int64_t spans[6];
    const char *pausing, *stopping;
} terms[] = {
    [SUPPRESSION_INVALID] = {0, 3, {DAYS(90), DAYS(365), 0}, "", "there is no such mailbox"},
    [SUPPRESSION_DISABLED] = {3,
                              5,
                              {DAYS(1), DAYS(3), DAYS(7), DAYS(90), DAYS(365)},
                              "the mailbox is shut: it is left alone for a while",
                              "the mailbox stays shut"},
    [SUPPRESSION_FULL] = {4,
                          6,
                          {6 * TIME_HOUR_MS, DAYS(1), DAYS(3), DAYS(7), DAYS(30), DAYS(90)},
                          "the mailbox is full: it is left alone for a while",
                          "the mailbox stays full: nobody seems to read it"},
    [SUPPRESSION_REFUSED] =
        {0, 3, {DAYS(30), DAYS(90), DAYS(365)}, "", "the recipient wants no mail of this sender"},
};

/* An entry that stands is replaced by one that says more. */
static int rank_of(enum suppression_cause c)
{
    static const int ranks[] = {
        [SUPPRESSION_FULL] = 1,      [SUPPRESSION_DISABLED] = 2,     [SUPPRESSION_REFUSED] = 3,
        [SUPPRESSION_INVALID] = 3,   [SUPPRESSION_UNSUBSCRIBED] = 4, [SUPPRESSION_MANUAL] = 4,
        [SUPPRESSION_COMPLAINT] = 5,
    };
    return ranks[c];
}

static const struct suppression *entry_of(const struct recipient_past *past, struct text scope)
{
    for (size_t i = 0; i < past->suppression_count; i++)
        if (text_eq(past->suppressions[i].scope, scope))
            return &past->suppressions[i];
    return NULL;
}

/* How often in a row, this time counted; 0: an entry that says as much stands already. */
static int times_of(const struct suppress_case *c, enum suppression_cause cause, const char *scope)
{
    const struct suppression *was = entry_of(c->past, text_of(scope));
    if (!was)
        return 1;
    if (suppression_is_on(was, c->now) && rank_of(was->cause) >= rank_of(cause))
        return 0;
    bool in_a_row = was->cause == cause && was->lifted_at == 0 && was->times > 0 &&
                    c->past->delivered_at < was->at &&
                    (was->expires_at == 0 || c->now - was->expires_at < SUPPRESS_MEMORY_MS);
    return in_a_row && was->times < 1000 ? was->times + 1 : 1;
}

static void stop_for_a_term(const struct suppress_case *c,
                            enum suppression_cause cause,
                            struct suppress_answer *ret)
{
    int times = times_of(c, cause, ret->scope);
    if (times == 0)
        return;
    int i = TIDE_MIN(times, terms[cause].count) - 1;
    ret->stop = true;
    ret->cause = cause;
    ret->times = times;
    ret->pause = i < terms[cause].pauses;
    ret->expires_at = terms[cause].spans[i] ? c->now + terms[cause].spans[i] : 0;
    ret->why = ret->pause ? terms[cause].pausing : terms[cause].stopping;
}

static void stop_for_ever(const struct suppress_case *c,
                          enum suppression_cause cause,
                          const char *why,
                          struct suppress_answer *ret)
{
    int times = times_of(c, cause, ret->scope);
    if (times == 0)
        return;
    ret->stop = true;
    ret->cause = cause;
    ret->times = times;
    ret->why = why;
}

/* -- No such mailbox --------------------------------------------------------------------------- */

/* Does it say that there is no such mailbox? A code alone has to be one about addresses. */
static bool speaks_of_address(const struct suppress_case *c)
{
    const struct meaning *m = c->meaning;
    if (c->unclear_address)
        return true;
    if (m->fault != FAULT_RECIPIENT || !m->for_good ||
        (m->class != CLASS_RECIPIENT && m->class != CLASS_MOVED))
        return false;
    return m->basis == BASIS_TEXT ||
           (m->basis == BASIS_CODE && c->status[0] == 5 && c->status[1] == 1);
}

/* 5.1.1 "bad destination mailbox address" (RFC 3463), 5.1.10 "recipient not found" (RFC 7505,
 * Exchange Online). */
static bool is_unmistakable(const struct suppress_case *c)
{
    const struct meaning *m = c->meaning;
    bool code = c->status[0] == 5 && c->status[1] == 1 && (c->status[2] == 1 || c->status[2] == 10);
    return !c->unclear_address && m->class == CLASS_RECIPIENT && m->basis == BASIS_TEXT &&
           (m->own || code);
}

/* The last time that somebody vouched for it: by a delivery, or by lifting what had stopped it. */
static tide_wall_ms vouched_at(const struct suppress_case *c)
{
    const struct suppression *was = entry_of(c->past, TEXT(""));
    return TIDE_MAX(c->past->delivered_at, was ? was->lifted_at : 0);
}

/* An earlier refusal of the same kind that is not the same event and that nobody denied since. */
static bool is_confirmed(const struct suppress_case *c)
{
    tide_wall_ms vouched = vouched_at(c);
    for (size_t i = 0; i < c->past->finding_count; i++) {
        const struct past_finding *f = &c->past->findings[i];
        enum reply_class class;
        if (!reply_class_of(f->class, &class) ||
            (class != CLASS_RECIPIENT && class != CLASS_MOVED) ||
            (f->attempt_id != 0 && f->attempt_id == c->attempt_id))
            continue;
        int64_t apart = c->said_at > f->at ? c->said_at - f->at : f->at - c->said_at;
        if (apart >= SUPPRESS_APART_MS && f->at > vouched && c->now - f->at < SUPPRESS_MEMORY_MS)
            return true;
    }
    return false;
}

static void judge_address(const struct suppress_case *c, struct suppress_answer *ret)
{
    /* Gmail said 5.1.1 of people who were there, for hours, on 2020-12-15. */
    tide_wall_ms vouched = vouched_at(c);
    bool recent = vouched > 0 && c->said_at - vouched < SUPPRESS_RECENT_MS;
    ret->note = true;
    ret->sure = is_unmistakable(c);
    if ((ret->sure && !recent) || is_confirmed(c))
        stop_for_a_term(c, SUPPRESSION_INVALID, ret);
}

/* -- The whole --------------------------------------------------------------------------------- */

static void judge_refusal(const struct suppress_case *c, struct suppress_answer *ret)
{
    const struct meaning *m = c->meaning;
    if (c->past->delivered_at >= c->said_at)
        return; /* it has taken mail since */
    if (m->rule && m->rule->pair && m->for_good) {
        ret->note = true;
        if (c->identity.n == 0 || c->identity.n + sizeof SUPPRESSION_SENDER > sizeof ret->scope)
            return;
        snprintf(ret->scope, sizeof ret->scope, SUPPRESSION_SENDER TEXT_FMT, TEXT_ARG(c->identity));
        stop_for_a_term(c, SUPPRESSION_REFUSED, ret);
        return;
    }
    if (c->kind == NEWS_BOUNCED && speaks_of_address(c)) {
        judge_address(c, ret);
        return;
    }
    if (m->fault != FAULT_RECIPIENT || m->basis == BASIS_NOTHING)
        return;
    if (m->class == CLASS_FULL) {
        ret->note = true;
        stop_for_a_term(c, SUPPRESSION_FULL, ret);
    } else if (m->class == CLASS_DISABLED && m->for_good && c->kind == NEWS_BOUNCED) {
        ret->note = true;
        stop_for_a_term(c, SUPPRESSION_DISABLED, ret);
    }
}

static void judge_unsubscribed(const struct suppress_case *c, struct suppress_answer *ret)
{
    if (c->stream.n > 0 && c->urgent)
        return; /* a password reset is not what somebody unsubscribes from */
    if (c->stream.n > 0 && c->stream.n + sizeof SUPPRESSION_STREAM <= sizeof ret->scope)
        snprintf(ret->scope, sizeof ret->scope, SUPPRESSION_STREAM TEXT_FMT, TEXT_ARG(c->stream));
    else
        snprintf(ret->scope, sizeof ret->scope, SUPPRESSION_BULK);
    stop_for_ever(c, SUPPRESSION_UNSUBSCRIBED, "the recipient unsubscribed", ret);
}

void suppress_judge(const struct suppress_case *c, struct suppress_answer *ret)
{
    *ret = (struct suppress_answer){.why = ""};
    if (c->meaning)
        ret->class = c->unclear_address ? CLASS_RECIPIENT : c->meaning->class;
    switch (c->kind) {
    case NEWS_BOUNCED:
    case NEWS_DEFERRED:
        judge_refusal(c, ret);
        break;
    case NEWS_COMPLAINED:
        stop_for_ever(c, SUPPRESSION_COMPLAINT, "the recipient called the mail spam", ret);
        break;
    case NEWS_UNSUBSCRIBED:
        judge_unsubscribed(c, ret);
        break;
    case NEWS_OTHER:
    case NEWS_DELIVERED:
    case NEWS_DROPPED: /* an ESP's own list says nothing new */
    case NEWS_UNLISTED:
        break;
    }
    if (c->never)
        ret->stop = false;
}

static bool is_faultless(enum reply_fault f)
{
    return f == FAULT_THEIR_LIMIT || f == FAULT_THEIR_OUTAGE || f == FAULT_OURS;
}

bool suppress_ends(const struct suppression *s, struct text identity, tide_wall_ms delivered_at)
{
    if (s->lifted_at != 0 || s->by.n > 0 || delivered_at <= s->at)
        return false;
    if (s->cause == SUPPRESSION_INVALID || s->cause == SUPPRESSION_DISABLED ||
        s->cause == SUPPRESSION_FULL)
        return true;
    struct text sender = TEXT(SUPPRESSION_SENDER);
    return s->cause == SUPPRESSION_REFUSED && text_starts(s->scope, sender) &&
           text_eq(text_cut(s->scope, sender.n, s->scope.n), identity);
}

bool suppress_is_outdated(const struct suppression *s, const struct rulebook *rules)
{
    struct reply_said said;
    struct meaning m;
    bool of_mailbox = s->cause == SUPPRESSION_INVALID || s->cause == SUPPRESSION_DISABLED ||
                      s->cause == SUPPRESSION_FULL;
    if (!rules || s->by.n > 0 || !of_mailbox || s->evidence.n == 0)
        return false;
    for (size_t i = 0; s->rule.n > 0 && i < rulebook_count(rules); i++) {
        const struct reply_rule *rule = rulebook_rule(rules, i);
        if (text_eq(s->rule, text_of(rule->name)))
            return is_faultless(rule->fault) && !rule->ambiguous;
    }
    reply_said_of(s->evidence, &said);
    said.words = s->evidence;
    meaning_of(rules, &said, &m);
    return m.basis == BASIS_TEXT && is_faultless(m.fault) && !m.rule->ambiguous;
}

enum suppress_unclear suppress_unclear(const struct recipient_past *past)
{
    bool ever = past->delivered_at > 0 || past->taken_at > 0;
    if (!ever)
        return UNCLEAR_ADDRESS;
    return past->taken_today >= SUPPRESS_SEVERAL ? UNCLEAR_LIMIT : UNCLEAR_NEITHER;
}

/* -- What an entry does ------------------------------------------------------------------------ */

static bool concerns(const struct suppression *s, const struct suppress_mail *mail)
{
    struct text stream = TEXT(SUPPRESSION_STREAM), sender = TEXT(SUPPRESSION_SENDER);
    if (s->scope.n == 0)
        return true;
    if (text_eq(s->scope, TEXT(SUPPRESSION_BULK)))
        return !mail->urgent;
    if (text_starts(s->scope, stream))
        return text_eq(text_cut(s->scope, stream.n, s->scope.n), mail->stream);
    return text_starts(s->scope, sender) &&
           text_eq(text_cut(s->scope, sender.n, s->scope.n), mail->identity);
}

enum suppress_effect suppress_effect(const struct suppression *s,
                                     const struct suppress_mail *mail,
                                     tide_wall_ms now)
{
    bool by_its_owner = s->cause == SUPPRESSION_COMPLAINT || s->cause == SUPPRESSION_MANUAL ||
                        s->cause == SUPPRESSION_UNSUBSCRIBED;
    if (!suppression_is_on(s, now) || !concerns(s, mail))
        return EFFECT_NONE;
    if (s->pause && mail->urgent)
        return EFFECT_NONE; /* there may be room again, and a code cannot wait */
    if (mail->rule == SUPPRESSED_ALWAYS || (mail->rule == SUPPRESSED_TRY && !by_its_owner))
        return EFFECT_TRIED;
    return s->pause ? EFFECT_PAUSED : EFFECT_STOPPED;
}
