/* What an ESP's list knows of an address becomes known here. */
#include "io/watch/list_run.h"

#include "core/outcome/suppress.h"

#include <string.h>

static void on_learnt(void *arg, enum tide_err rc, bool known, const struct tide_error *err)
{
    struct list_run *r = arg;
    (void)known;
    r->way->open--;
    if (rc != TIDE_OK)
        list_run_problem(r, "what was learnt cannot be stored", text_of(err->text));
    list_run_settle(r, "kept");
}

/* In force, or lifted since: either way the list tells nothing new. */
static bool is_known_here(struct list_run *r, enum suppression_cause cause)
{
    const struct recipient_past *past = &r->past.found.past;
    for (size_t i = 0; i < past->suppression_count; i++)
        if (past->suppressions[i].cause == cause &&
            past->suppressions[i].at >= list_run_entry(r)->at)
            return true;
    return false;
}

/* Nobody of ours yet: what is known there is known here too. */
static void learn_order(struct list_run *r, enum suppression_cause cause)
{
    const struct list_entry *e = list_run_entry(r);
    char *by =
        arena_printf(&r->past.arena, "%s's list \"%s\"", r->way->api->title, list_run_list(r, e));
    r->learnt = (struct suppression){.address = addr_text(&r->addr),
                                     .scope = TEXT(""),
                                     .cause = cause,
                                     .evidence = e->words,
                                     .account = text_of(r->way->name),
                                     .by = text_of(by)};
    if (cause == SUPPRESSION_INVALID) /* then it is tried again, as one that was found here */
        r->learnt.expires_at = list_now(r->way->sync) + SUPPRESS_MEMORY_MS;
    const struct gate_order order = {.what = ORDER_SUPPRESS, .entry = &r->learnt};
    r->way->open++;
    drive_order(r->way->sync->parts.drive, &order, on_learnt, r);
}

/* One of ours: told as any bounce or complaint is, and judged as these are. */
static void learn_news(struct list_run *r)
{
    const struct list_entry *e = list_run_entry(r);
    struct mail_news n = r->question;
    n.kind = e->kind == LISTED_COMPLAINED     ? NEWS_COMPLAINED
             : e->kind == LISTED_UNSUBSCRIBED ? NEWS_UNSUBSCRIBED
                                              : NEWS_BOUNCED;
    n.event = text_of(list_run_list(r, e));
    n.source = text_of(
        arena_printf(&r->past.arena, "%s's list \"%s\"", r->way->api->title, list_run_list(r, e)));
    n.account = text_of(r->way->name);
    n.at = e->at;
    n.reply = e->words;
    n.code = r->judgement.said.code;
    memcpy(n.status, r->judgement.said.status, sizeof n.status);
    r->way->open++;
    drive_news(r->way->sync->parts.drive, &n, on_learnt, r);
}

void list_run_learn(struct list_run *r)
{
    const struct list_entry *e = list_run_entry(r);
    enum suppression_cause cause = e->kind == LISTED_COMPLAINED     ? SUPPRESSION_COMPLAINT
                                   : e->kind == LISTED_UNSUBSCRIBED ? SUPPRESSION_UNSUBSCRIBED
                                                                    : SUPPRESSION_INVALID;
    bool ours = r->past.found.recipient != NULL;
    bool old = ours
                   ? r->past.found.seen
                   : is_known_here(r, cause) || cause == SUPPRESSION_UNSUBSCRIBED ||
                         (cause == SUPPRESSION_INVALID && r->judgement.meaning.basis != BASIS_TEXT);
    r->learnt_count += !old;
    if (!old)
        list_run_report(r);
    if (old || r->dry)
        list_run_settle(r, "kept");
    else if (ours)
        learn_news(r);
    else
        learn_order(r, cause);
}
