/* News of mails that have left: what an ESP's webhook, a bounce or a complaint says of an attempt
 * changes the fate of its notifications, in whatever order and however often it comes.
 *
 *   SENT --delivered--> DELIVERED --complained--> COMPLAINED
 *    | `--bounced-----> BOUNCED      (and between these two, whichever happened later)
 *    |    (dropped for the ESP's list: BOUNCED, and HELD once the list is mended)
 *    `----bounced for a limit--> HELD until its window opens: it is mailed again
 *
 * Any news of an attempt of unknown fate settles it: the account has had the mail. */
#include "core/gate/inside.h"

#include "base/macros.h"
#include "core/address/addr.h"
#include "core/outcome/suppress.h"

#define REPLY_SHOWN 400 /* bytes of what was said, in a sentence */

static struct text provider_of(const struct news_found *found)
{
    if (found->attempt && found->attempt->provider.n > 0)
        return found->attempt->provider;
    return found->recipient ? found->recipient->verdict.provider : TEXT("");
}

static void read_meaning(const struct gate *g, struct gate_reading *r)
{
    const struct mail_news *n = r->news;
    if (n->kind != NEWS_BOUNCED && n->kind != NEWS_DEFERRED)
        return;
    struct reply_said said = {
        .provider = provider_of(r->found), .stage = -1, .code = n->code, .words = n->reply};
    memcpy(said.status, n->status, sizeof said.status);
    if (said.code == 0 && said.status[0] == 0) {
        struct reply_said found;
        reply_said_of(n->reply, &found);
        said.code = found.code;
        said.stage = found.stage;
        memcpy(said.status, found.status, sizeof said.status);
    }
    memcpy(r->status, said.status, sizeof r->status);
    meaning_of(g->rules, &said, &r->meaning);
}

/* Does it name a limit? Words that may mean the address as well are explained by the past. */
static bool is_limit(struct gate_reading *r)
{
    const struct meaning *m = &r->meaning;
    if (m->rule && m->rule->ambiguous) {
        enum suppress_unclear u = suppress_unclear(&r->found->past);
        r->unclear_address = u == UNCLEAR_ADDRESS;
        return u == UNCLEAR_LIMIT;
    }
    return m->fault == FAULT_THEIR_LIMIT && m->retry == RETRY_RESET && m->rule &&
           m->rule->has_limit;
}

static const char *event_of(enum news_kind kind)
{
    switch (kind) {
    case NEWS_DELIVERED:
        return "delivered";
    case NEWS_DEFERRED:
        return "deferred_by_esp";
    case NEWS_BOUNCED:
        return "bounced";
    case NEWS_DROPPED:
        return "dropped_by_esp";
    case NEWS_COMPLAINED:
        return "complained";
    case NEWS_UNSUBSCRIBED:
        return "unsubscribed";
    case NEWS_UNLISTED:
        return "held";
    case NEWS_OTHER:
        break;
    }
    return "";
}

/* "webhook sendgrid (sg) says: bounced: 550 5.1.1 no such user - There is no such mailbox." */
static struct text sentence_of(const struct gate_reading *r, struct gate_todo *todo)
{
    static const char *const words[] = {
        [NEWS_OTHER] = "the account has the mail",
        [NEWS_DELIVERED] = "delivered: the recipient's provider took it",
        [NEWS_DEFERRED] = "refused for now, it goes on trying",
        [NEWS_BOUNCED] = "bounced",
        [NEWS_DROPPED] = "dropped: it did not even try",
        [NEWS_COMPLAINED] = "the recipient called it spam",
        [NEWS_UNSUBSCRIBED] = "the recipient unsubscribed",
        [NEWS_UNLISTED] = "the recipient is off its list: what it dropped for that is mailed again",
    };
    const struct mail_news *n = r->news;
    return gate_printf(todo, TEXT_FMT "%s" TEXT_FMT " says: %s%s%.*s%s%s", TEXT_ARG(n->source),
                       n->account.n > 0 ? " of account " : "", TEXT_ARG(n->account), words[n->kind],
                       n->reply.n > 0 ? ": " : "", (int)TIDE_MIN(n->reply.n, (size_t)REPLY_SHOWN),
                       n->reply.p ? n->reply.p : "", r->meaning.cause ? " - " : "",
                       r->meaning.cause ? r->meaning.cause : "");
}

/* For the ESP's own list: told later, or at once as Postmark does. */
static bool was_dropped(const struct gate *g, const struct attempt *a)
{
    struct reply_said said;
    struct meaning m;
    if (a->news == NEWS_DROPPED)
        return true;
    if (a->state != ATTEMPT_REFUSED)
        return false;
    reply_said_of(a->reply, &said);
    said.words = a->reply;
    meaning_of(g->rules, &said, &m);
    return m.rule && m.rule->esp_list;
}

/* Whether this is news after what was said of the attempt before. */
static bool is_newer(const struct gate *g, const struct gate_reading *r)
{
    const struct attempt *a = r->found->attempt;
    enum news_kind next = r->news->kind;
    if (next == NEWS_UNLISTED)
        return was_dropped(g, a) && r->now - r->found->newest_at < GATE_GIVE_UP_MS;
    if (a->news == NEWS_OTHER)
        return true;
    if (a->news == next || a->news == NEWS_COMPLAINED)
        return false;
    return next == NEWS_COMPLAINED || r->news->at == 0 || r->said_at >= a->news_at;
}

/* What the attempt's notifications become; false: they stay what they are. */
static bool fate_of(const struct gate_reading *r, enum notification_state *ret)
{
    /* An attempt that the account refused has no later fate, but by reaching its recipient. */
    enum attempt_state was = r->found->attempt->state;
    bool refused = was == ATTEMPT_REFUSED || was == ATTEMPT_DEFERRED;
    switch (r->news->kind) {
    case NEWS_DELIVERED:
        *ret = NOTIFICATION_DELIVERED;
        return true;
    case NEWS_BOUNCED:
        *ret = r->again ? NOTIFICATION_HELD : NOTIFICATION_BOUNCED;
        return !refused;
    case NEWS_DROPPED:
        *ret = NOTIFICATION_BOUNCED;
        return !refused;
    case NEWS_COMPLAINED:
        *ret = NOTIFICATION_COMPLAINED;
        return true;
    case NEWS_UNLISTED:
        *ret = NOTIFICATION_HELD;
        return true;
    case NEWS_OTHER:
    case NEWS_DEFERRED:
    case NEWS_UNSUBSCRIBED:
        break;
    }
    return false;
}

static bool settles(enum news_kind kind)
{
    return kind == NEWS_DELIVERED || kind == NEWS_BOUNCED || kind == NEWS_DROPPED ||
           kind == NEWS_COMPLAINED || kind == NEWS_UNLISTED;
}

static void route_of(struct gate *g, const struct news_found *found, struct plan_route *ret)
{
    const struct attempt *a = found->attempt;
    int account = config_account_index(g->config, a->account);
    int stream = config_stream_index(g->config, a->stream);
    *ret = (struct plan_route){
        .provider = planner_intern_provider(g->planner, provider_of(found)),
        .gateway = planner_intern_provider(g->planner, found->recipient->verdict.gateway),
        .domain = planner_intern(g->planner, found->recipient->domain),
        .sender = planner_intern(g->planner, found->identity),
        .sender_domain = planner_intern(g->planner, addr_domain_of(found->identity)),
        .account = account >= 0 ? (uint16_t)account : UINT16_MAX, /* it is gone: nobody's limits */
        .stream = stream >= 0 ? (uint16_t)stream : UINT16_MAX,
    };
}

/* A limit that a bounce named: everything that it counts waits, and this mail is mailed again. */
static tide_wall_ms close_limit(struct gate *g,
                                const struct gate_reading *r,
                                struct gate_todo *todo)
{
    const struct reply_rule *rule = r->meaning.rule;
    const struct recipient_state *known = r->found->recipient;
    struct gate_recipient *loaded = idpool_get(&g->recipients, known->id);
    struct plan_recipient stored;
    struct tide_error ignored;
    bool kept;
    tide_wall_ms at = planner_opens_at(g->planner, &rule->window, r->said_at);
    at = TIDE_MAX(at, r->now + rule->wait_ms);
    if (at <= r->now)
        return r->now;
    plan_recipient_init(&stored);
    if (!loaded && known->plan.n &&
        plan_recipient_decode(known->plan, &stored, &ignored) != TIDE_OK)
        plan_recipient_init(&stored);
    struct plan_query q = {
        .now = r->now, .recipient = loaded ? &loaded->plan : &stored, .recipient_id = known->id};
    route_of(g, r->found, &q.route);
    at = gate_limit_named(g, &q, &r->meaning, at, r->found->attempt->started_at,
                          r->found->attempt->account, r->news->reply, &kept, todo);
    gate_add_ledger_changes(g, loaded, todo);
    if (!loaded)
        gate_write_plan(known->id, &stored, todo);
    plan_recipient_fini(&stored);
    return TIDE_MAX(at, r->now);
}

static struct journal_entry about_of(const struct gate_reading *r,
                                     tide_wall_ms until,
                                     struct gate_todo *todo)
{
    const struct attempt *a = r->found->attempt;
    return (struct journal_entry){.recipient_id = r->found->recipient->id,
                                  .group_id = a ? a->group_id : 0,
                                  .attempt_id = a ? a->id : 0,
                                  .detail = gate_detail_of_news(r, until, todo)};
}

static void write_news(struct gate *g, const struct gate_reading *r, struct gate_todo *todo)
{
    enum notification_state then = NOTIFICATION_SENT;
    bool moves = fate_of(r, &then);
    tide_wall_ms due = 0;
    struct text sentence = r->sentence;
    if (moves && r->news->kind == NEWS_UNLISTED) {
        due = r->now;
    } else if (moves && then == NOTIFICATION_HELD) {
        char when[96];
        due = close_limit(g, r, todo);
        sentence = gate_printf(todo, TEXT_FMT "; held until %s", TEXT_ARG(r->sentence),
                               gate_when(due, r->now, when, sizeof when));
    }
    struct change *c = gate_add_change(todo, CHANGE_NEWS);
    if (c) {
        c->news.id = r->found->attempt->id;
        c->news.kind = r->news->kind;
        c->news.said_at = r->said_at;
        c->news.moves = moves;
        c->news.then = then;
        c->news.reason = sentence;
        c->news.due_at = due;
    }
    struct journal_entry about = about_of(r, due, todo);
    gate_journal(todo, r->now, &about, r->again ? "limited" : event_of(r->news->kind), sentence);
}

/* Whoever tells anything of a mail has it: an attempt of unknown fate ends, one in flight will. */
static void settle(struct gate *g, const struct gate_reading *r, struct gate_todo *todo)
{
    const struct attempt *was = r->found->attempt;
    struct gate_attempt *a = was ? idmap_get(&g->attempts, was->id) : NULL;
    if (!a)
        return;
    a->arrived = true;
    if (a->unknown)
        gate_settle_arrived(g, a, r->sentence, r->now, todo);
}

/* Of one that is not in memory. */
static void forget_sent(const struct recipient_state *state, struct gate_todo *todo)
{
    struct plan_recipient plan;
    struct tide_error ignored;
    plan_recipient_init(&plan);
    if (state->plan.n == 0 || plan_recipient_decode(state->plan, &plan, &ignored) != TIDE_OK)
        return;
    plan.sent_before = false;
    gate_write_plan(state->id, &plan, todo);
    plan_recipient_fini(&plan);
}

/* Does the ESP count it as a bounce? What it calls hard it counts, be it a limit in truth; where it
 * does not say, those that mean the address. */
static bool is_counted(const struct gate_reading *r, bool of_address)
{
    if (r->news->kind != NEWS_BOUNCED && r->news->kind != NEWS_DROPPED)
        return false;
    switch (r->news->count) {
    case NEWS_COUNT_HARD:
        return true;
    case NEWS_COUNT_SOFT:
        return false;
    case NEWS_COUNT_UNSAID:
        break;
    }
    return of_address;
}

/* What ESPs count against their customers. A mail that the account refused at once was not sent. */
static void count_failure(struct gate *g, const struct gate_reading *r, struct gate_todo *todo)
{
    const struct attempt *a = r->found->attempt;
    struct gate_recipient *known = idpool_get(&g->recipients, r->found->recipient->id);
    bool of_address = r->news->kind == NEWS_BOUNCED &&
                      (r->unclear_address ||
                       (r->meaning.fault == FAULT_RECIPIENT && r->meaning.class != CLASS_FULL));
    bool bounced = is_counted(r, of_address), complained = r->news->kind == NEWS_COMPLAINED;
    if ((of_address || complained) && known) {
        known->plan.sent_before = false;
        gate_add_ledger_changes(g, known, todo);
    } else if (of_address || complained) {
        forget_sent(r->found->recipient, todo);
    }
    if (!bounced && !complained)
        return;
    gate_guard_failed(g, a ? a->account : r->news->account, a ? a->stream : TEXT(""),
                      provider_of(r->found), bounced ? GUARD_BOUNCES : GUARD_COMPLAINTS,
                      r->news->own, r->now, todo);
}

void gate_on_news(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    const struct news_found *found = ev->news.found;
    struct gate_reading r = {.found = found, .news = ev->news.news, .now = ev->now};
    if (found->seen)
        return;
    struct gate_attempt *unclear = r.news->own ? idmap_get(&g->attempts, r.news->attempt_id) : NULL;
    if (unclear && unclear->unclear)
        gate_explain_unclear(g, unclear, found->recipient ? &found->past : NULL, ev->now, todo);
    r.said_at = r.news->at > 0 ? TIDE_MIN(r.news->at, r.now) : r.now;
    struct change *c = r.news->key.n > 0 ? gate_add_change(todo, CHANGE_NEWS_SEEN) : NULL;
    if (c) {
        c->news_seen.key = arena_text(&todo->arena, r.news->key);
        c->news_seen.at = r.now;
    }
    if (!found->recipient)
        return;
    read_meaning(g, &r);
    bool limit = is_limit(&r);
    r.again = limit && r.news->kind == NEWS_BOUNCED && found->attempt &&
              r.now - found->newest_at < GATE_GIVE_UP_MS;
    r.sentence = sentence_of(&r, todo);
    if (r.news->own) {
        count_failure(g, &r, todo);
        gate_judge(g, &r, todo);
        return;
    }
    settle(g, &r, todo);
    if (found->attempt && settles(r.news->kind)) {
        if (!is_newer(g, &r))
            return;
        write_news(g, &r, todo);
        count_failure(g, &r, todo);
    } else if (r.news->kind != NEWS_OTHER) {
        struct journal_entry about = about_of(&r, 0, todo);
        gate_journal(todo, r.now, &about, event_of(r.news->kind), r.sentence);
    }
    gate_judge(g, &r, todo);
}
