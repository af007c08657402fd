/* What replies teach of limits, and what operators and ESPs say of them: into the planner, which
 * keeps to it, and into the journal. */
#include "core/gate/inside.h"

#include "base/macros.h"
#include "core/outcome/finding.h"
#include "core/proto/json_write.h"

/* Whose mail a key counts, in words: "this recipient", "outbox > qq". */
static struct text whose(const struct plan_learnt *x, struct gate_todo *todo)
{
    const char *arrow = x->a.n && x->b.n ? " > " : "";
    switch (x->key->scope) {
    case LIMIT_RECIPIENT:
        return x->b.n ? gate_printf(todo, "every mailbox at " TEXT_FMT, TEXT_ARG(x->b))
                      : TEXT("this recipient");
    case LIMIT_PAIR:
        return gate_printf(todo, TEXT_FMT " to this recipient", TEXT_ARG(x->a));
    case LIMIT_DOMAIN:
    case LIMIT_PROVIDER:
    case LIMIT_SENDER_DOMAIN_PROVIDER:
    case LIMIT_IP_PROVIDER:
    case LIMIT_IP_DOMAIN:
    case LIMIT_ACCOUNT:
    case LIMIT_ACCOUNT_STREAM:
    case LIMIT_SCOPES:
        break;
    }
    return gate_printf(todo, "%s " TEXT_FMT "%s" TEXT_FMT, limit_scope_name(x->key->scope),
                       TEXT_ARG(x->a), arrow, TEXT_ARG(x->b));
}

static struct text detail_of(const struct plan_learnt *x, struct gate_todo *todo)
{
    struct buf b = {0};
    struct json_writer w;
    char words[128];
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_str(&w, "scope", limit_scope_name(x->key->scope));
    jw_text(&w, "subject", x->a.n ? x->a : TEXT(""));
    if (x->b.n)
        jw_text(&w, "of", x->b);
    jw_str(&w, "limit", limit_text(&x->limit->limit, words, sizeof words));
    jw_int(&w, "count", x->limit->limit.count);
    jw_str(&w, "rule", x->limit->replies[0].rule);
    return gate_keep_detail(&w, todo);
}

/* -- Taught -------------------------------------------------------------------------------------*/

struct teaching {
    struct gate_todo *todo;
    tide_wall_ms now;
    int64_t recipient_id;
};

/* What was taught just now. */
static void tell_taught(void *arg, const struct plan_learnt *x)
{
    struct teaching *t = arg;
    char words[128];
    if (!x->limit || x->limit->taught_at != t->now || x->limit->pinned ||
        x->limit->limit.count == LEARN_NO_NUMBER)
        return;
    const struct learn_reply *r = &x->limit->replies[0];
    struct text told = r->taken >= 0
                           ? gate_printf(t->todo, "it was refused after %lld mails were taken",
                                         (long long)r->taken)
                           : TEXT("how many were taken before the refusal is not known");
    struct journal_entry about = {.recipient_id = t->recipient_id, .detail = detail_of(x, t->todo)};
    gate_journal(t->todo, t->now, &about, "limit_learned",
                 gate_printf(t->todo, "learned for " TEXT_FMT ": %s; " TEXT_FMT,
                             TEXT_ARG(whose(x, t->todo)),
                             limit_text(&x->limit->limit, words, sizeof words), TEXT_ARG(told)));
}

tide_wall_ms gate_limit_named(struct gate *g,
                              const struct plan_query *q,
                              const struct meaning *meaning,
                              tide_wall_ms opens_at,
                              tide_wall_ms as_of,
                              struct text account,
                              struct text words,
                              bool *ret_kept,
                              struct gate_todo *todo)
{
    const struct reply_rule *rule = meaning->rule;
    struct learn_lesson lesson = {.scope = rule->scope,
                                  .window = &rule->window,
                                  .opens_at = opens_at,
                                  .as_of = as_of,
                                  .ambiguous = meaning->basis != BASIS_TEXT || rule->ambiguous,
                                  .cause = text_of(rule->cause),
                                  .words = words,
                                  .rule = text_of(rule->name),
                                  .account = account};
    tide_wall_ms until;
    *ret_kept = planner_refused(g->planner, q, &lesson, &until);
    struct teaching t = {todo, q->now, q->recipient_id};
    planner_learnt(g->planner, q->now, q, tell_taught, &t);
    return until;
}

/* -- Said by hand, and by ESPs ------------------------------------------------------------------*/

struct finding_one {
    const struct learn_key *key;
    uint32_t window;
    struct plan_learnt found;
};

static void find_one(void *arg, const struct plan_learnt *x)
{
    struct finding_one *f = arg;
    if (x->key == f->key && x->limit && x->limit->meter.window == f->window)
        f->found = *x;
}

static void journal_number(struct gate *g,
                           const struct gate_event *ev,
                           struct learn_key *k,
                           const char *event,
                           const char *how,
                           struct gate_todo *todo)
{
    struct finding_one f = {.key = k, .window = window_hash(ev->limit.window)};
    char words[128];
    planner_learnt(g->planner, ev->now, NULL, find_one, &f);
    if (!f.found.limit)
        return;
    struct journal_entry about = {.recipient_id = ev->limit.recipient_id,
                                  .detail = detail_of(&f.found, todo)};
    todo->decision.reason = gate_printf(todo, "%s for " TEXT_FMT ": %s (" TEXT_FMT ")", how,
                                        TEXT_ARG(whose(&f.found, todo)),
                                        limit_text(&f.found.limit->limit, words, sizeof words),
                                        TEXT_ARG(ev->limit.by.n ? ev->limit.by : ev->limit.said));
    gate_journal(todo, ev->now, &about, event, todo->decision.reason);
}

static void forget(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct learn_key *k = planner_learnt_key(g->planner, ev->limit.scope, ev->limit.recipient_id,
                                             ev->limit.a, ev->limit.b, false);
    if (!k)
        return;
    struct plan_learnt x = {.key = k, .a = ev->limit.a, .b = ev->limit.b};
    todo->decision.reason =
        gate_printf(todo, "forgotten by hand (" TEXT_FMT "): what replies have taught of " TEXT_FMT,
                    TEXT_ARG(ev->limit.by), TEXT_ARG(whose(&x, todo)));
    planner_forget(g->planner, k);
    struct journal_entry about = {.recipient_id = ev->limit.recipient_id};
    gate_journal(todo, ev->now, &about, "limit_forgotten", todo->decision.reason);
}

static void pin(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct learn_key *k = planner_learnt_key(g->planner, ev->limit.scope, ev->limit.recipient_id,
                                             ev->limit.a, ev->limit.b, true);
    if (!k || !planner_pin(g->planner, k, ev->limit.window, ev->limit.count, ev->now)) {
        todo->failed = true;
        return;
    }
    journal_number(g, ev, k, "limit_pinned", "pinned by hand", todo);
}

static void told(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    struct learn_key *k =
        planner_learnt_key(g->planner, LIMIT_ACCOUNT, 0, ev->limit.a, TEXT(""), true);
    struct finding_one f = {.key = k, .window = window_hash(ev->limit.window)};
    planner_learnt(g->planner, ev->now, NULL, find_one, &f);
    int64_t was = f.found.limit && f.found.limit->limit.source == SOURCE_PUBLISHED
                      ? f.found.limit->limit.count
                      : -1;
    int account = config_account_index(g->config, ev->limit.a);
    int flying = account >= 0 ? g->accounts[account].flying : 0;
    if (!planner_told(g->planner, ev->limit.a, ev->limit.window, ev->limit.count, ev->limit.used,
                      flying, ev->limit.said, ev->now)) {
        todo->failed = true;
        return;
    }
    if (was != ev->limit.count)
        journal_number(g, ev, k, "limit_learned", "told by the ESP", todo);
}

void gate_note_quota(struct gate *g,
                     int account,
                     const struct account_quota *quota,
                     tide_wall_ms now,
                     struct gate_todo *todo)
{
    if (account < 0 || !quota->said)
        return;
    struct gate_account *a = &g->accounts[account];
    if (quota->remaining == 0 && quota->reset_ms > 0)
        a->quota_until = now + quota->reset_ms;
    if (quota->window_ms == 0 ||
        (a->quota_limit == quota->limit && a->quota_window_ms == quota->window_ms))
        return;
    a->quota_limit = quota->limit;
    a->quota_window_ms = quota->window_ms;
    const struct window window = {.kind = WINDOW_ROLLING, .span_ms = quota->window_ms};
    const struct gate_event ev = {
        .type = GATE_LIMIT,
        .now = now,
        .limit = {.word = LIMIT_TOLD,
                  .a = text_of(g->config->accounts[account].name),
                  .window = &window,
                  .count = quota->limit,
                  .used = -1,
                  .said = gate_printf(todo, "its answers say: at most %lld in this window",
                                      (long long)quota->limit)},
    };
    gate_on_limit(g, &ev, todo);
}

void gate_on_limit(struct gate *g, const struct gate_event *ev, struct gate_todo *todo)
{
    size_t before = todo->change_count;
    switch (ev->limit.word) {
    case LIMIT_PIN:
        pin(g, ev, todo);
        break;
    case LIMIT_FORGET:
        forget(g, ev, todo);
        break;
    case LIMIT_TOLD:
        told(g, ev, todo);
        break;
    }
    if (todo->change_count > before)
        gate_ask_again(g, todo);
    gate_add_ledger_changes(g, NULL, todo);
}
