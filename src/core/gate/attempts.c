/* Attempts: charged and made durable before the first byte leaves, ended by an outcome, or of
 * unknown fate when the answer was lost or mailtide died in between.
 *
 *   gate_claim --> (store) claimed --> (way out) outcome --> accepted | deferred | refused
 *                     | nothing left: refunded         `--> unknown --news or time over--> ended
 */
#include "core/gate/inside.h"

#include "base/macros.h"
#include "core/outcome/suppress.h"

#include <stdio.h>
#include <stdlib.h>

/* RFC 5321 4.5.4.1: retries at least 30 minutes apart, the first few may come sooner. */
#define RETRY_MIN_MS    (5 * TIME_MINUTE_MS)
#define RETRY_MAX_MS    (4 * TIME_HOUR_MS)
#define LIMIT_JITTER_MS TIME_MINUTE_MS        /* not all in the instant that a window opens */
#define STORE_WAIT_MS   (10 * TIME_SECOND_MS) /* after a claim that the store could not write */
#define DIGEST_ITEMS    1000 /* in one mail; the template shows fewer and counts the rest */

void gate_add_ledger_changes(struct gate *g, struct gate_recipient *r, struct gate_todo *todo)
{
    struct buf blob = {0};
    struct text subject;
    if (r) {
        struct change *c = gate_add_change(todo, CHANGE_RECIPIENT);
        plan_recipient_encode(&r->plan, &blob);
        if (c) {
            c->recipient.id = r->id;
            c->recipient.plan = arena_text(&todo->arena, buf_text(&blob));
        }
    }
    while (planner_next_dirty(g->planner, &subject, &blob)) {
        struct change *c = gate_add_change(todo, CHANGE_LEDGER);
        if (!c)
            break;
        c->ledger.subject = arena_text(&todo->arena, subject);
        c->ledger.blob = arena_text(&todo->arena, buf_text(&blob));
    }
    while (guards_next_dirty(&g->guards, &subject, &blob)) {
        struct change *c = gate_add_change(todo, CHANGE_LEDGER);
        if (!c)
            break;
        c->ledger.subject = arena_text(&todo->arena, subject);
        c->ledger.blob = arena_text(&todo->arena, buf_text(&blob));
    }
    if (blob.failed != TIDE_OK)
        todo->failed = true;
    buf_fini(&blob);
}

/* Streams that stay behind, "|news|offers|" as store_claim wants it: bulk ones, and those that are
 * stopped or rest for this recipient; "": there is none. */
static struct text streams_behind(const struct gate *g,
                                  const struct gate_group *grp,
                                  bool bulk,
                                  tide_wall_ms now,
                                  struct gate_todo *todo)
{
    struct buf names = {0};
    for (size_t i = 0; i < g->config->stream_count; i++)
        if ((bulk && g->config->streams[i].bulk) ||
            gate_stream_is_stopped(g, grp, &g->config->streams[i], now))
            buf_addf(&names, "%s%s|", names.len ? "" : "|", g->config->streams[i].name);
    struct text t = arena_text(&todo->arena, buf_text(&names));
    if (names.failed != TIDE_OK || (names.len && !t.p))
        todo->failed = true;
    buf_fini(&names);
    return t;
}

static bool has_bulk(const struct config *c)
{
    bool found = false;
    for (size_t i = 0; i < c->stream_count; i++)
        found |= c->streams[i].bulk;
    return found;
}

void gate_claim(struct gate *g,
                struct gate_group *grp,
                const struct plan_query *q,
                tide_id only,
                struct text why,
                struct gate_todo *todo)
{
    struct gate_attempt *a = calloc(1, sizeof *a);
    struct gate_action *action = a ? gate_add_action(todo, GATE_DO_CLAIM) : NULL;
    if (!action) {
        free(a);
        todo->failed = true;
        return;
    }
    *a = (struct gate_attempt){.id = id_next(&g->ids, q->now),
                               .group = grp,
                               .recipient = grp->recipient,
                               .group_id = grp->pending.group_id,
                               .route = q->route,
                               .started_at = q->now,
                               .account = q->route.account,
                               .urgent = q->urgent,
                               .digest = q->digest};
    if (!idmap_put(&g->attempts, a->id, a)) {
        free(a);
        todo->count--;
        todo->failed = true;
        return;
    }
    const struct config_account *account = &g->config->accounts[a->account];
    const struct gate_sender *sender = gate_senders_find(&g->senders, q->route.sender_domain);
    a->without_bulk = !q->by_hand && gate_sender_held(sender, account->name) && has_bulk(g->config);
    if (a->without_bulk || (!q->by_hand && grp->recipient->stops))
        action->claim.without_streams = streams_behind(g, grp, a->without_bulk, q->now, todo);
    a->was_sent_before = grp->recipient->plan.sent_before;
    planner_charge(g->planner, q);
    queue_remove(&g->queue, &grp->entry);
    grp->claiming = true;
    grp->flying++;
    grp->told_due = 0;
    g->accounts[a->account].flying++;

    action->claim.account = a->account;
    action->claim.only = only;
    action->claim.by_hand = q->by_hand;
    action->claim.digest = q->digest;
    action->claim.most = q->digest ? DIGEST_ITEMS : 1;
    const char *provider = grp->recipient->domain->provider_name;
    action->claim.attempt = (struct attempt){
        .id = a->id,
        .recipient_id = grp->recipient->id,
        .group_id = a->group_id,
        .account = text_of(arena_strdup(&todo->arena, account->name)),
        .provider = text_of(arena_strdup(&todo->arena, provider ? provider : "")),
        .state = ATTEMPT_FLYING,
        .digest = q->digest,
        .started_at = q->now,
    };
    /* The claim's own changes are written with it or not at all: build them apart. */
    struct gate_todo own = {.arena = todo->arena};
    struct journal_entry about = {.recipient_id = grp->recipient->id,
                                  .group_id = a->group_id,
                                  .attempt_id = a->id,
                                  .detail = gate_detail_of_attempt(g, a, NULL, NULL, 0, &own)};
    gate_add_ledger_changes(g, grp->recipient, &own);
    gate_journal(&own, q->now, &about, "released", why);
    todo->arena = own.arena;
    todo->failed |= own.failed;
    action->claim.changes = own.changes;
    action->claim.change_count = own.change_count;
}

static void query_of_attempt(struct gate_attempt *a, tide_wall_ms now, struct plan_query *ret)
{
    *ret = (struct plan_query){.now = now,
                               .recipient = &a->recipient->plan,
                               .recipient_id = a->recipient->id,
                               .route = a->route,
                               .pending = a->group ? &a->group->pending : NULL,
                               .urgent = a->urgent,
                               .digest = a->digest};
}

static void refund(struct gate *g,
                   struct gate_attempt *a,
                   enum plan_refund what,
                   tide_wall_ms now,
                   struct gate_todo *todo)
{
    if (!a->recipient)
        return;
    struct plan_query q;
    query_of_attempt(a, now, &q);
    planner_refund(g->planner, &q, a->started_at, what);
    a->recipient->plan.sent_before = a->was_sent_before; /* this one did not arrive */
    gate_add_ledger_changes(g, a->recipient, todo);
}

/* The attempt has left the wire, one way or another: its place is free for the next in line. */
static void leave_wire(struct gate *g, struct gate_attempt *a, tide_wall_ms now)
{
    if (a->account >= 0) {
        g->accounts[a->account].flying--;
        queue_line_wait(&g->queue, LINE_ACCOUNT | (uint32_t)a->account, now);
    }
}

void gate_free_attempt(struct gate *g, struct gate_attempt *a)
{
    struct gate_group *grp = a->group;
    if (grp) {
        grp->flying--;
        grp->unknown = (uint8_t)(grp->unknown - a->unknown);
    }
    heap_remove(&g->unknowns, &a->wait);
    idmap_remove(&g->attempts, a->id);
    free(a->unclear);
    free(a);
    if (grp)
        gate_forget_if_idle(g, grp);
}

void gate_on_claimed(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_attempt *a = idmap_get(&g->attempts, ev->claimed.attempt_id);
    if (!a)
        return;
    struct gate_group *grp = a->group;
    bool digest = a->digest, without_bulk = a->without_bulk;
    grp->claiming = false;
    if (!ev->claimed.failed && ev->claimed.left)
        gate_set_pending(grp, ev->claimed.left);
    if (ev->claimed.failed || ev->claimed.count == 0) {
        refund(g, a, REFUND_NOT_TRIED, ev->now, todo);
        leave_wire(g, a, ev->now);
        grp->flying--; /* the group has to outlive its attempt here */
        a->group = NULL;
        gate_free_attempt(g, a);
        struct gate_times *times = gate_times_to_set(grp, todo);
        if (times && ev->claimed.failed)
            times->retry_at = ev->now + STORE_WAIT_MS;
        else if (without_bulk && grp->pending.not_before <= ev->now && digest)
            grp->digest_bulk = true; /* nothing else was left */
        else if (without_bulk && grp->pending.not_before <= ev->now)
            grp->single_bulk = true;
        else if (times && digest)
            times->digest_after = TIDE_MAX(grp->pending.not_before, ev->now + 1);
        else if (times)
            times->single_after = TIDE_MAX(grp->pending.not_before, ev->now + 1);
    } else {
        a->newest_at = ev->claimed.newest_at;
        g->counts.released++;
        g->counts.digests += a->digest && ev->claimed.count > 1;
    }
    gate_decide(g, grp, ev->now, todo);
}

/* How an attempt ends, or that its answer was lost. */
struct ending {
    enum attempt_state state;
    enum notification_state then; /* what its notifications become */
    tide_wall_ms due;
    const char *event;
    struct text sentence;
    const struct account_outcome *outcome; /* NULL: nobody said anything */
    const struct finding *finding;         /* NULL alike */
};

/* Into the store, with its journal. */
static void end_attempt(struct gate *g,
                        struct gate_attempt *a,
                        const struct ending *e,
                        tide_wall_ms now,
                        struct gate_todo *todo)
{
    struct change *c = gate_add_change(todo, CHANGE_ATTEMPT);
    if (c) {
        c->attempt.id = a->id;
        c->attempt.state = e->state;
        c->attempt.reply = e->sentence;
        c->attempt.ended_at = now;
        c->attempt.then = e->then;
        c->attempt.reason = e->sentence;
        c->attempt.due_at = e->due;
    }
    struct journal_entry about = {
        .recipient_id = a->recipient ? a->recipient->id : 0,
        .group_id = a->group_id,
        .attempt_id = a->id,
        .detail = gate_detail_of_attempt(g, a, e->outcome, e->finding, e->due, todo)};
    gate_journal(todo, now, &about, e->event, e->sentence);
}

static int64_t retry_after(struct gate *g, unsigned tries)
{
    int64_t wait = RETRY_MIN_MS;
    for (unsigned i = 0; i < tries && wait < RETRY_MAX_MS; i++)
        wait *= 2;
    return (int64_t)((double)TIDE_MIN(wait, RETRY_MAX_MS) * (0.9 + rng_unit(&g->rng) / 5));
}

static void set_retry(struct gate_group *grp, tide_wall_ms at, struct gate_todo *todo)
{
    struct gate_times *times = gate_times_to_set(grp, todo);
    if (times)
        times->retry_at = at;
}

/* The store is putting mail of the group back on hold. */
static void comes_back(struct gate_group *grp)
{
    grp->returning++;
    grp->sifted = false;
}

/* Put off: back on hold, to be planned again at `at`. The store gives the new counts. */
static void put_off(struct gate *g,
                    struct gate_attempt *a,
                    const struct account_outcome *outcome,
                    const struct finding *f,
                    tide_wall_ms now,
                    struct gate_todo *todo)
{
    struct gate_group *grp = a->group;
    char when[96];
    tide_wall_ms at = now;
    bool for_mail = f->kind == FINDING_LATER;
    if (for_mail && grp) {
        at = now + retry_after(g, grp->tries);
        if (grp->tries < UINT8_MAX)
            grp->tries++;
        set_retry(grp, at, todo);
    }
    struct text sentence =
        for_mail ? gate_printf(todo, "%s; held until %s", f->sentence,
                               gate_when(at, now, when, sizeof when))
                 : gate_printf(todo, "%s; held until an account can take it", f->sentence);
    end_attempt(g, a,
                &(struct ending){.state = ATTEMPT_DEFERRED,
                                 .then = NOTIFICATION_HELD,
                                 .due = at,
                                 .event = "deferred",
                                 .sentence = sentence,
                                 .outcome = outcome,
                                 .finding = f},
                now, todo);
    if (grp)
        comes_back(grp);
}

/* News of it may come until some time after `since`; gives that time. */
static tide_wall_ms await_news(struct gate *g,
                               struct gate_attempt *a,
                               tide_wall_ms since,
                               struct gate_todo *todo)
{
    int64_t wait = a->account >= 0 ? g->config->accounts[a->account].unknown_wait_ms : TIME_HOUR_MS;
    a->unknown = true;
    if (a->group)
        a->group->unknown++;
    if (!heap_put(&g->unknowns, &a->wait, since + wait))
        todo->failed = true;
    return since + wait;
}

static struct text account_name(const struct gate *g, const struct gate_attempt *a)
{
    return text_of(a->account >= 0 ? g->config->accounts[a->account].name : "?");
}

/* A limit that a reply named: everything that it counts waits until its window opens anew; this
 * mail's tries and age are as they were. */
static void close_limit(struct gate *g,
                        struct gate_attempt *a,
                        const struct account_outcome *outcome,
                        const struct finding *f,
                        tide_wall_ms now,
                        struct gate_todo *todo)
{
    const struct reply_rule *rule = f->meaning.rule;
    char when[96], said[REPLY_TEXT_BYTES_MAX + 64];
    bool closed = false;
    tide_wall_ms at = planner_opens_at(g->planner, &rule->window, now);
    at = TIDE_MAX(at, now + rule->wait_ms);
    at += (tide_wall_ms)((double)LIMIT_JITTER_MS * rng_unit(&g->rng));
    if (a->recipient) {
        struct plan_query q;
        query_of_attempt(a, now, &q);
        reply_text(&outcome->reply, said, sizeof said);
        at = gate_limit_named(g, &q, &f->meaning, at, 0, account_name(g, a), text_of(said), &closed,
                              todo);
    }
    if (!closed && a->group)
        set_retry(a->group, at, todo);
    struct text sentence =
        gate_printf(todo, "%s; held until %s", f->sentence, gate_when(at, now, when, sizeof when));
    end_attempt(g, a,
                &(struct ending){.state = ATTEMPT_DEFERRED,
                                 .then = NOTIFICATION_HELD,
                                 .due = at,
                                 .event = "limited",
                                 .sentence = sentence,
                                 .outcome = outcome,
                                 .finding = f},
                now, todo);
    if (a->group)
        comes_back(a->group);
}

static void on_unknown(struct gate *g,
                       struct gate_attempt *a,
                       const struct account_outcome *outcome,
                       struct text sentence,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    end_attempt(g, a,
                &(struct ending){.state = ATTEMPT_UNKNOWN,
                                 .then = NOTIFICATION_RELEASING,
                                 .due = await_news(g, a, now, todo),
                                 .event = "unknown",
                                 .sentence = sentence,
                                 .outcome = outcome},
                now, todo);
}

/* It was taken: what is learnt of limits rests on that. */
static void note_taken(struct gate *g,
                       struct gate_attempt *a,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    struct plan_query q;
    if (!a->recipient)
        return;
    query_of_attempt(a, now, &q);
    planner_accepted(g->planner, &q, a->started_at);
    gate_guard_sent(g, a, now, todo);
    gate_add_ledger_changes(g, NULL, todo);
}

static void note_account(struct gate *g,
                         struct gate_attempt *a,
                         const struct finding *f,
                         int64_t wait_ms,
                         tide_wall_ms now)
{
    if (a->account < 0)
        return;
    struct gate_account *acc = &g->accounts[a->account];
    switch (f->kind) {
    case FINDING_ACCEPTED:
        acc->accepted++;
        break;
    case FINDING_LATER:
    case FINDING_LIMIT:
    case FINDING_UNCLEAR:
    case FINDING_ACCOUNT:
        acc->deferred++;
        break;
    case FINDING_BOUNCE:
        acc->refused++;
        break;
    case FINDING_UNKNOWN:
        acc->unknown++;
        break;
    }
    if (f->kind == FINDING_ACCOUNT || f->kind == FINDING_UNKNOWN)
        backoff_fault(&acc->backoff, now, text_of(f->sentence), &g->rng);
    else
        backoff_works(&acc->backoff);
    if (f->kind == FINDING_ACCOUNT)
        backoff_wait(&acc->backoff, now, wait_ms);
}

/* Asks for the recipient's past: what was said may be its fault. Comes back as GATE_NEWS. */
static void recall(struct gate *g,
                   const struct gate_attempt *a,
                   const struct account_outcome *outcome,
                   enum news_kind kind,
                   struct gate_todo *todo)
{
    char said[REPLY_TEXT_BYTES_MAX + 64];
    struct gate_action *action = gate_add_action(todo, GATE_DO_RECALL);
    struct mail_news *news = action ? ARENA_NEW(&todo->arena, struct mail_news) : NULL;
    const char *account = a->account >= 0 ? g->config->accounts[a->account].name : "";
    if (!news) {
        todo->count -= action != NULL;
        todo->failed = true;
        return;
    }
    *news = (struct mail_news){.kind = kind,
                               .own = true,
                               .source = TEXT("answer"),
                               .account = text_of(arena_strdup(&todo->arena, account)),
                               .attempt_id = a->id,
                               .code = outcome->reply.code,
                               .reply = text_of(arena_strdup(
                                   &todo->arena, reply_text(&outcome->reply, said, sizeof said)))};
    memcpy(news->status, outcome->reply.enhanced, sizeof news->status);
    action->news = news;
}

static bool concerns_recipient(const struct meaning *m)
{
    return (m->fault == FAULT_RECIPIENT && m->class != CLASS_DOMAIN) ||
           (m->rule && (m->rule->pair || m->rule->esp_list));
}

static void explain_unclear(struct gate *g,
                            struct gate_attempt *a,
                            const struct account_outcome *outcome,
                            const struct recipient_past *past,
                            tide_wall_ms now,
                            struct gate_todo *todo);

/* The attempt waits, off the wire, for what the past says. */
static void await_past(struct gate *g,
                       struct gate_attempt *a,
                       const struct account_outcome *outcome,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    size_t before = todo->count;
    recall(g, a, outcome, NEWS_BOUNCED, todo);
    if (todo->count > before)
        a->unclear = malloc(sizeof *a->unclear);
    if (a->unclear)
        *a->unclear = *outcome;
    else
        explain_unclear(g, a, outcome, NULL, now, todo);
}

/* What the attempt ends in. */
static void conclude(struct gate *g,
                     struct gate_attempt *a,
                     const struct account_outcome *outcome,
                     const struct finding *f,
                     tide_wall_ms now,
                     struct gate_todo *todo)
{
    struct gate_group *grp = a->group;
    switch (f->kind) {
    case FINDING_ACCEPTED:
        note_taken(g, a, now, todo);
        if (grp) {
            grp->tries = 0;
            if (grp->times)
                grp->times->retry_at = 0;
        }
        end_attempt(g, a,
                    &(struct ending){.state = ATTEMPT_ACCEPTED,
                                     .then = NOTIFICATION_SENT,
                                     .event = "sent",
                                     .sentence = gate_printf(todo, "%s", f->sentence),
                                     .outcome = outcome},
                    now, todo);
        break;
    case FINDING_BOUNCE:
        g->counts.bounced++;
        end_attempt(g, a,
                    &(struct ending){.state = ATTEMPT_REFUSED,
                                     .then = NOTIFICATION_BOUNCED,
                                     .event = "bounced",
                                     .sentence = gate_printf(todo, "%s", f->sentence),
                                     .outcome = outcome,
                                     .finding = f},
                    now, todo);
        if (concerns_recipient(&f->meaning) && !a->unclear)
            recall(g, a, outcome, NEWS_BOUNCED, todo);
        refund(g, a, REFUND_NOT_ACCEPTED, now, todo);
        break;
    case FINDING_LIMIT:
        /* First: what is learnt is seeded after. */
        refund(g, a, REFUND_NOT_ACCEPTED, now, todo);
        close_limit(g, a, outcome, f, now, todo);
        if (a->recipient)
            gate_add_ledger_changes(g, a->recipient, todo);
        break;
    case FINDING_LATER:
    case FINDING_ACCOUNT:
        put_off(g, a, outcome, f, now, todo);
        if (f->meaning.class == CLASS_FULL && concerns_recipient(&f->meaning))
            recall(g, a, outcome, NEWS_DEFERRED, todo);
        refund(g, a, outcome->result == ACCOUNT_NOT_SENT ? REFUND_NOT_TRIED : REFUND_NOT_ACCEPTED,
               now, todo);
        break;
    case FINDING_UNCLEAR:
        await_past(g, a, outcome, now, todo);
        return;
    case FINDING_UNKNOWN:
        on_unknown(g, a, outcome, gate_printf(todo, "%s", f->sentence), now, todo);
        if (grp)
            gate_decide(g, grp, now, todo);
        return;
    }
    /* Decide before the attempt goes: its group may be forgotten with it. What was put off comes
     * back with the store's answer (GATE_PENDING). */
    if (grp) {
        grp->flying--;
        a->group = NULL;
    }
    gate_free_attempt(g, a);
    if (grp)
        gate_decide(g, grp, now, todo);
}

void gate_on_outcome(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct gate_attempt *a = idmap_get(&g->attempts, ev->outcome.attempt_id);
    if (!a || a->unknown || a->unclear)
        return;
    const struct account_outcome *outcome = ev->outcome.outcome;
    struct finding f;
    const char *account = a->account >= 0 ? g->config->accounts[a->account].name : "?";
    const char *provider = a->recipient ? a->recipient->domain->provider_name : NULL;
    finding_of_outcome(outcome, text_of(account), text_of(provider), g->rules, &f);
    if (a->arrived && f.kind != FINDING_ACCEPTED) {
        f.kind = FINDING_ACCEPTED;
        snprintf(f.sentence + strlen(f.sentence), sizeof f.sentence - strlen(f.sentence),
                 "; but news of it has come: account %s has it", account);
    }
    note_account(g, a, &f, outcome->wait_ms, ev->now);
    gate_note_quota(g, a->account, &outcome->quota, ev->now, todo);
    leave_wire(g, a, ev->now);
    if (f.kind == FINDING_LATER && ev->now - a->newest_at > GATE_GIVE_UP_MS)
        f.kind = FINDING_BOUNCE;
    conclude(g, a, outcome, &f, ev->now, todo);
}

static void explain_unclear(struct gate *g,
                            struct gate_attempt *a,
                            const struct account_outcome *outcome,
                            const struct recipient_past *past,
                            tide_wall_ms now,
                            struct gate_todo *todo)
{
    static const char *const found[] = {
        [UNCLEAR_LIMIT] = "mail arrived before and several were taken today: it is the limit",
        [UNCLEAR_ADDRESS] = "no mail ever arrived there: it is the address",
        [UNCLEAR_NEITHER] = "mail arrived before, but not often today",
    };
    struct finding f;
    const char *account = a->account >= 0 ? g->config->accounts[a->account].name : "?";
    const char *provider = a->recipient ? a->recipient->domain->provider_name : NULL;
    finding_of_outcome(outcome, text_of(account), text_of(provider), g->rules, &f);
    enum suppress_unclear u = past ? suppress_unclear(past) : UNCLEAR_NEITHER;
    bool old = now - a->newest_at > GATE_GIVE_UP_MS;
    f.kind = a->arrived                             ? FINDING_ACCEPTED
             : u == UNCLEAR_ADDRESS || old          ? FINDING_BOUNCE
             : u == UNCLEAR_LIMIT && f.meaning.rule ? FINDING_LIMIT
                                                    : FINDING_LATER;
    size_t n = strlen(f.sentence);
    snprintf(f.sentence + n, sizeof f.sentence - n, " (%s)",
             past ? found[u] : "the recipient's past could not be read");
    conclude(g, a, outcome, &f, now, todo);
}

void gate_explain_unclear(struct gate *g,
                          struct gate_attempt *a,
                          const struct recipient_past *past,
                          tide_wall_ms now,
                          struct gate_todo *todo)
{
    struct account_outcome outcome = *a->unclear; /* goes with the attempt */
    explain_unclear(g, a, &outcome, past, now, todo);
}

void gate_on_flying(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    const struct attempt *was = ev->flying.attempt;
    struct gate_attempt *a = calloc(1, sizeof *a);
    if (!a || !idmap_put(&g->attempts, was->id, a)) {
        free(a);
        todo->failed = true;
        return;
    }
    *a = (struct gate_attempt){.id = was->id,
                               .group_id = was->group_id,
                               .started_at = was->started_at,
                               .account = config_account_index(g->config, was->account),
                               .digest = was->digest};
    if (ev->flying.known == FLYING_CANNOT_TELL && was->state == ATTEMPT_UNKNOWN) {
        await_news(g, a, was->ended_at, todo); /* as before: it was booked and journalled then */
        return;
    }
    if (ev->flying.known == FLYING_CANNOT_TELL) {
        on_unknown(g, a, NULL,
                   TEXT("mailtide stopped before the answer came; the mail may have left. It stays "
                        "counted and is tried again if no news of it comes"),
                   ev->now, todo);
        return;
    }
    struct ending arrived = {
        .state = ATTEMPT_ACCEPTED,
        .then = NOTIFICATION_SENT,
        .event = "sent",
        .sentence = TEXT("mailtide stopped before it noted the answer; the mail did arrive")};
    struct ending not_arrived = {
        .state = ATTEMPT_DEFERRED,
        .then = NOTIFICATION_HELD,
        .due = ev->now,
        .event = "deferred",
        .sentence = TEXT("mailtide stopped before the mail left; it is planned anew")};
    end_attempt(g, a, ev->flying.known == FLYING_ARRIVED ? &arrived : &not_arrived, ev->now, todo);
    gate_free_attempt(g, a);
}

void gate_settle_unknowns(struct gate *g, tide_wall_ms now, struct gate_todo *todo)
{
    for (struct heap_node *n; (n = heap_first(&g->unknowns)) && n->key <= now;) {
        struct gate_attempt *a = container_of(n, struct gate_attempt, wait);
        end_attempt(g, a,
                    &(struct ending){.state = ATTEMPT_ABANDONED,
                                     .then = NOTIFICATION_HELD,
                                     .due = now,
                                     .event = "abandoned",
                                     .sentence = TEXT("no news of it came in time; it is released "
                                                      "again and may be seen twice")},
                    now, todo);
        if (a->group)
            comes_back(a->group);
        gate_free_attempt(g, a);
    }
}

void gate_settle_arrived(struct gate *g,
                         struct gate_attempt *a,
                         struct text sentence,
                         tide_wall_ms now,
                         struct gate_todo *todo)
{
    struct gate_group *grp = a->group;
    end_attempt(g, a,
                &(struct ending){.state = ATTEMPT_ACCEPTED,
                                 .then = NOTIFICATION_SENT,
                                 .event = "sent",
                                 .sentence = sentence},
                now, todo);
    if (grp) {
        grp->flying--;
        grp->unknown--;
        a->group = NULL;
    }
    gate_free_attempt(g, a);
    if (grp)
        gate_decide(g, grp, now, todo);
}
