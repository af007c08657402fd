/* Words that may mean a limit or the address: the recipient's past, which is in the store, tells
 * which (core/outcome/suppress.h). Until it is read the attempt waits, off the wire. */
#include "core/gate/inside.h"

#include "core/outcome/suppress.h"

#include <stdio.h>
#include <stdlib.h>

void gate_recall(struct gate *g,
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
    const char *account = gate_account_name(g, a);
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
    gate_conclude(g, a, outcome, &f, now, todo);
}

void gate_await_past(struct gate *g,
                     struct gate_attempt *a,
                     const struct account_outcome *outcome,
                     tide_wall_ms now,
                     struct gate_todo *todo)
{
    size_t before = todo->count;
    gate_recall(g, a, outcome, NEWS_BOUNCED, todo);
    if (todo->count > before)
        a->unclear = malloc(sizeof *a->unclear);
    if (a->unclear)
        *a->unclear = *outcome;
    else
        explain_unclear(g, a, outcome, NULL, now, todo);
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
