#include "lib/gate_world.h"

#include "lib/check.h"

#include <stdlib.h>

tide_wall_ms sim_store_answer_at(struct world *w)
{
    w->last_store_at = TIDE_MAX(w->last_store_at, w->now) + 1 + rng_below(&w->rng, 20);
    return w->last_store_at;
}

struct group_pending sim_count_pending(const struct world *w, int group)
{
    struct group_pending p = {.group_id = group + 1, .recipient_id = group / IDENTITIES + 1};
    for (int i = 0; i < w->note_count; i++) {
        const struct note *n = &w->notes[i];
        if (n->group != group ||
            (n->state != NOTIFICATION_ACCEPTED && n->state != NOTIFICATION_HELD))
            continue;
        if (n->urgent)
            p.urgent++;
        else if (n->digestible)
            p.digestible++;
        else
            p.single++;
        if (!p.oldest_at || n->accepted_at < p.oldest_at)
            p.oldest_at = n->accepted_at;
        if (n->deadline_at && (!p.deadline_at || n->deadline_at < p.deadline_at))
            p.deadline_at = n->deadline_at;
        if (n->not_before > w->now && (!p.not_before || n->not_before < p.not_before))
            p.not_before = n->not_before;
    }
    return p;
}

struct recipient_state sim_recipient(struct world *w, int recipient, char *address, char *domain)
{
    snprintf(address, 40, "r%d@d%d.test", recipient, recipient);
    snprintf(domain, 32, "d%d.test", recipient);
    char *lines = w->lines[recipient];
    size_t n = 0;
    lines[0] = '\0';
    for (size_t i = 0; i < w->stop_count[recipient]; i++) {
        const struct suppression *s = &w->stops[recipient][i].s;
        if (suppression_is_on(s, w->now))
            n += (size_t)snprintf(lines + n, sizeof w->lines[0] - n, "%s|%d|%lld|" TEXT_FMT "\n",
                                  suppression_cause_name(s->cause), s->pause,
                                  (long long)s->expires_at, TEXT_ARG(s->scope));
    }
    return (struct recipient_state){
        .id = recipient + 1,
        .address = text_of(address),
        .domain = text_of(domain),
        .plan = {w->plans[recipient], w->plan_bytes[recipient]},
        .verdict = {.provider = TEXT("qq")},
        .suppressed = text_of(lines),
    };
}

static void keep(char **place, size_t *n, struct text t)
{
    free(*place);
    *place = malloc(t.n + 1);
    memcpy(*place, t.p, t.n);
    *n = t.n;
}

static void apply_ledger(struct world *w, const struct change *c)
{
    int i = 0;
    while (i < w->ledgers && !text_eq(text_of(w->ledger_names[i]), c->ledger.subject))
        i++;
    if (i == w->ledgers) {
        T_TRUE(i < LEDGERS_MAX, "too many ledgers");
        w->ledger_names[w->ledgers++] = strndup(c->ledger.subject.p, c->ledger.subject.n);
    }
    keep(&w->ledger_blobs[i], &w->ledger_bytes[i], c->ledger.blob);
}

static void apply_attempt(struct world *w, const struct change *c, bool *ret_changed)
{
    struct try *t = sim_find_try(w, c->attempt.id);
    T_TRUE(t != NULL, "attempt exists");
    if (c->attempt.state == ATTEMPT_UNKNOWN) {
        T_EQ(t->unknown_at, 0, "told once, however often mailtide starts anew");
        t->unknown_at = c->attempt.ended_at;
    }
    if (c->attempt.state == ATTEMPT_ABANDONED)
        T_TRUE(w->now - t->unknown_at < 16 * TIME_MINUTE_MS, "no restart puts it off");
    t->state = c->attempt.state;
    if (c->attempt.then == NOTIFICATION_RELEASING)
        return;
    for (int i = 0; i < w->note_count; i++) {
        struct note *n = &w->notes[i];
        if (n->attempt == c->attempt.id && n->state == NOTIFICATION_RELEASING) {
            n->state = c->attempt.then;
            ret_changed[n->group] |= c->attempt.then == NOTIFICATION_HELD;
        }
    }
}

static int recipient_of_address(struct text address)
{
    return (int)strtol(address.p + 1, NULL, 10);
}

static void apply_suppress(struct world *w, const struct suppression *s, bool lift)
{
    int r = recipient_of_address(s->address);
    size_t i = 0;
    while (i < w->stop_count[r] && !text_eq(w->stops[r][i].s.scope, s->scope))
        i++;
    T_TRUE(i < TIDE_COUNT(w->stops[r]), "too many scopes");
    struct sim_suppression *mine = &w->stops[r][i];
    T_TRUE(!lift || i < w->stop_count[r], "only what is there is lifted");
    if (lift) {
        T_TRUE(mine->s.cause != SUPPRESSION_COMPLAINT, "seed %llu: a complaint is never lifted",
               (unsigned long long)w->seed);
        mine->s.lifted_at = s->lifted_at;
        w->lifted++;
        return;
    }
    static const char *const never[] = {"frequency limited", "as drawn", "550 no", "on our list"};
    for (size_t k = 0; k < TIDE_COUNT(never); k++)
        T_TRUE(!text_iends(s->evidence, text_of(never[k])), "seed %llu: suppressed for \"%s\"",
               (unsigned long long)w->seed, never[k]);
    snprintf(mine->scope, sizeof mine->scope, TEXT_FMT, TEXT_ARG(s->scope));
    mine->s = (struct suppression){.scope = text_of(mine->scope),
                                   .cause = s->cause,
                                   .pause = s->pause,
                                   .attempt_id = s->attempt_id,
                                   .at = s->at,
                                   .expires_at = s->expires_at,
                                   .times = s->times};
    if (i == w->stop_count[r])
        w->stop_count[r]++;
    w->suppressed++;
}

static void apply_finding(struct world *w, const struct change *c)
{
    int r = (int)c->finding.recipient_id - 1;
    size_t *n = &w->finding_count[r];
    if (*n == PAST_FINDINGS_MAX)
        --*n;
    memmove(&w->findings[r][1], &w->findings[r][0], *n * sizeof w->findings[r][0]);
    ++*n;
    w->findings[r][0] = (struct past_finding){.at = c->finding.finding.at,
                                              .attempt_id = c->finding.finding.attempt_id,
                                              .class = TEXT("full"),
                                              .sure = c->finding.finding.sure};
    if (text_eq(c->finding.finding.class, TEXT("recipient")))
        w->findings[r][0].class = TEXT("recipient");
}

/* As the store moves them (rows.c). */
static void apply_news(struct world *w, const struct change *c, bool *ret_changed)
{
    struct try *t = sim_find_try(w, c->news.id);
    int r = t->group / IDENTITIES;
    enum notification_state then = c->news.then;
    t->news = c->news.kind;
    t->news_at = c->news.said_at;
    if (c->news.kind == NEWS_DELIVERED)
        w->delivered_at[r] = TIDE_MAX(w->delivered_at[r], c->news.said_at);
    for (int i = 0; i < w->note_count && c->news.moves; i++) {
        struct note *n = &w->notes[i];
        if (n->attempt != t->id)
            continue;
        bool pending = notification_is_pending(n->state);
        bool moves = pending || (n->state == NOTIFICATION_SENT) ||
                     (n->state == NOTIFICATION_DELIVERED && then != NOTIFICATION_HELD) ||
                     (n->state == NOTIFICATION_BOUNCED && then != NOTIFICATION_HELD);
        if (!moves)
            continue;
        w->again += then == NOTIFICATION_HELD && n->state == NOTIFICATION_SENT;
        n->state = then;
        n->told = then == NOTIFICATION_DELIVERED || then == NOTIFICATION_COMPLAINED;
        ret_changed[n->group] |= pending || then == NOTIFICATION_HELD;
    }
}

void sim_apply(struct world *w, const struct change *changes, size_t count)
{
    bool changed[GROUPS] = {false};
    for (size_t i = 0; i < count; i++) {
        const struct change *c = &changes[i];
        switch (c->type) {
        case CHANGE_RECIPIENT:
            keep(&w->plans[c->recipient.id - 1], &w->plan_bytes[c->recipient.id - 1],
                 c->recipient.plan);
            break;
        case CHANGE_LEDGER:
            apply_ledger(w, c);
            break;
        case CHANGE_ATTEMPT:
            apply_attempt(w, c, changed);
            break;
        case CHANGE_JOURNAL:
            T_TRUE(c->journal.sentence.n > 10, "a sentence");
            break;
        case CHANGE_GROUP_HELD:
        case CHANGE_NOTIFICATION:
        case CHANGE_VERDICT:
            break;
        case CHANGE_SUPPRESS:
        case CHANGE_UNSUPPRESS:
            apply_suppress(w, &c->suppress, c->type == CHANGE_UNSUPPRESS);
            break;
        case CHANGE_NEWS:
            apply_news(w, c, changed);
            break;
        case CHANGE_FINDING:
            apply_finding(w, c);
            break;
        case CHANGE_LEARNED:
        case CHANGE_NEWS_SEEN:
        case CHANGE_ESP_LIST:
        case CHANGE_SENDER:
        case CHANGE_SENDER_GONE:
        case CHANGE_WEBHOOK_CURSOR:
        case CHANGE_LETTER:
        case CHANGE_LETTER_TAKEN:
        case CHANGE_LETTERS_AGAIN:
        case CHANGE_LETTERS_SOON:
            break;
        }
    }
    for (int g = 0; g < GROUPS; g++)
        if (changed[g]) {
            struct happening *h = sim_add(w, HAP_EVENT, sim_store_answer_at(w));
            h->ev.type = GATE_PENDING;
            h->pending = sim_count_pending(w, g);
        }
}

static bool is_behind(struct text streams, const struct note *n)
{
    const char *stream = n->urgent ? "|urgent|" : n->digestible ? "|notify|" : "|single|";
    return text_ifind(streams, text_of(stream)) < streams.n;
}

/* Whether mail that is not urgent may go to a recipient, by the books of the world. */
static bool is_stopped(const struct world *w, const struct note *n)
{
    int r = n->group / IDENTITIES;
    for (size_t i = 0; i < w->stop_count[r]; i++) {
        const struct suppression *s = &w->stops[r][i].s;
        bool stream = text_starts(s->scope, TEXT("stream:")) &&
                      text_eq(text_cut(s->scope, 7, s->scope.n),
                              text_of(n->digestible ? "notify" : "single"));
        if (suppression_is_on(s, w->now) && (s->scope.n == 0 || stream) &&
            (!n->urgent || s->cause == SUPPRESSION_COMPLAINT))
            return true;
    }
    return false;
}

static void take_note(struct world *w, struct note *n, tide_id attempt)
{
    T_TRUE(!is_stopped(w, n), "seed %llu: a claim of what is suppressed",
           (unsigned long long)w->seed);
    T_TRUE(!n->told, "seed %llu: a claim of what arrived", (unsigned long long)w->seed);
    n->state = NOTIFICATION_RELEASING;
    n->attempt = attempt;
}

void sim_claim(struct world *w, const struct gate_action *a)
{
    int group = (int)a->claim.attempt.group_id - 1;
    struct happening *h = sim_add(w, HAP_EVENT, sim_store_answer_at(w));
    h->ev.type = GATE_CLAIMED;
    h->ev.claimed.attempt_id = a->claim.attempt.id;
    struct note *first = NULL;
    for (int i = 0; i < w->note_count; i++) {
        struct note *n = &w->notes[i];
        if (n->group != group || n->not_before > w->now ||
            (n->state != NOTIFICATION_ACCEPTED && n->state != NOTIFICATION_HELD))
            continue;
        bool in_digest = n->digestible && !n->urgent;
        if (is_behind(a->claim.without_streams, n))
            continue;
        if (a->claim.digest ? !in_digest : in_digest)
            continue;
        if (!a->claim.digest) {
            if (!first || (n->urgent && !first->urgent))
                first = n;
            continue;
        }
        take_note(w, n, a->claim.attempt.id);
        h->ev.claimed.count++;
        h->ev.claimed.newest_at = n->accepted_at;
    }
    if (first) {
        take_note(w, first, a->claim.attempt.id);
        h->ev.claimed.count = 1;
        h->ev.claimed.newest_at = first->accepted_at;
    }
    h->pending = sim_count_pending(w, group);
    if (h->ev.claimed.count == 0)
        return;
    T_TRUE(w->now >= w->closed_until[group / IDENTITIES],
           "seed %llu: mail to recipient %d although a reply closed it",
           (unsigned long long)w->seed, group / IDENTITIES);
    T_TRUE(w->try_count < TRIES_MAX, "too many tries");
    struct try *t = &w->tries[w->try_count++];
    *t = (struct try){.id = a->claim.attempt.id, .group = group, .digest = a->claim.digest};
    snprintf(t->account, sizeof t->account, TEXT_FMT, TEXT_ARG(a->claim.attempt.account));
    sim_apply(w, a->claim.changes, a->claim.change_count);
    sim_send(w, a->claim.attempt.id);
}

void sim_drop(struct world *w, const struct gate_action *a)
{
    int group = (int)a->drop.group_id - 1;
    for (int i = 0; i < w->note_count; i++) {
        struct note *n = &w->notes[i];
        bool pending = n->state == NOTIFICATION_ACCEPTED || n->state == NOTIFICATION_HELD;
        bool late = n->drop_late && n->deadline_at && n->deadline_at <= a->drop.late_at;
        if (n->group == group && pending && (!a->drop.late_at || late) &&
            !is_behind(a->drop.without_streams, n))
            n->state = a->drop.then;
    }
    struct happening *h = sim_add(w, HAP_EVENT, sim_store_answer_at(w));
    h->ev.type = GATE_PENDING;
    h->pending = sim_count_pending(w, group);
}

void sim_load_group(struct world *w, int group, enum gate_event_type event)
{
    char address[40], domain[32];
    static const char *const identities[] = {"a@pm.test", "b@pm.test"};
    struct group_pending p = sim_count_pending(w, group);
    struct recipient_state state = sim_recipient(w, group / IDENTITIES, address, domain);
    struct gate_event ev = {.type = event,
                            .accepted = {.pending = &p,
                                         .recipient = &state,
                                         .origin = {TEXT("pm"), TEXT("notify"),
                                                    text_of(identities[group % IDENTITIES])},
                                         .accepted_at = p.oldest_at}};
    if (p.urgent)
        ev.accepted.origin.stream = TEXT("urgent");
    sim_step(w, &ev);
}

static void read_past(struct world *w, const struct try *t, struct recipient_past *ret)
{
    int r = t->group / IDENTITIES;
    *ret = (struct recipient_past){.delivered_at = w->delivered_at[r],
                                   .findings = w->findings[r],
                                   .finding_count = w->finding_count[r]};
    for (int i = 0; i < w->try_count; i++) {
        const struct try *o = &w->tries[i];
        if (o->group / IDENTITIES != r || o->id == t->id || o->state != ATTEMPT_ACCEPTED ||
            o->news == NEWS_BOUNCED || o->news == NEWS_DROPPED)
            continue;
        ret->taken_at = TIDE_MAX(ret->taken_at, id_time(o->id));
        ret->taken_today += id_time(o->id) > w->now - TIME_DAY_MS;
    }
}

void sim_step_news(struct world *w, struct happening *h)
{
    static const char *const identities[] = {"a@pm.test", "b@pm.test"};
    struct try *t = sim_find_try(w, h->attempt);
    char address[40], domain[32];
    struct recipient_state state = sim_recipient(w, t->group / IDENTITIES, address, domain);
    struct suppression stops[8];
    struct attempt a = {.id = t->id,
                        .group_id = t->group + 1,
                        .recipient_id = state.id,
                        .account = text_of(t->account),
                        .provider = TEXT("qq"),
                        .state = t->state,
                        .news = t->news,
                        .news_at = t->news_at};
    struct news_found found = {.recipient = &state,
                               .attempt = &a,
                               .application = TEXT("pm"),
                               .identity = text_of(identities[t->group % IDENTITIES])};
    for (int i = 0; i < w->note_count; i++)
        if (w->notes[i].attempt == t->id) {
            const struct note *n = &w->notes[i];
            a.stream = n->urgent ? TEXT("urgent") : n->digestible ? TEXT("notify") : TEXT("single");
            found.newest_at = n->accepted_at;
        }
    read_past(w, t, &found.past);
    found.past.suppressions = stops;
    found.past.suppression_count = w->stop_count[t->group / IDENTITIES];
    for (size_t i = 0; i < found.past.suppression_count; i++) {
        stops[i] = w->stops[t->group / IDENTITIES][i].s;
        stops[i].address = state.address;
    }
    struct gate_event ev = {.type = GATE_NEWS, .news = {.news = &h->news, .found = &found}};
    w->told++;
    sim_step(w, &ev);
}

void sim_recall(struct world *w, const struct gate_action *a)
{
    struct happening *h = sim_add(w, HAP_RECALL, sim_store_answer_at(w));
    h->attempt = a->news->attempt_id;
    h->news = *a->news;
    h->news.source = h->news.account = TEXT("esp");
    snprintf(h->said, sizeof h->said, TEXT_FMT, TEXT_ARG(a->news->reply));
}
