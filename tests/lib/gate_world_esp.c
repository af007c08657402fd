#include "lib/gate_world.h"

#include "lib/check.h"

static const struct esp_fate esp_fates[] = {
    {70, NEWS_DELIVERED, NEWS_OTHER, "", true},
    {8, NEWS_OTHER, NEWS_OTHER, "", true}, /* an ESP that says nothing */
    {3, NEWS_DELIVERED, NEWS_COMPLAINED, "", true},
    {3, NEWS_DELIVERED, NEWS_UNSUBSCRIBED, "", true},
    {4, NEWS_BOUNCED, NEWS_OTHER, "550 frequency limited", false},
    {4, NEWS_BOUNCED, NEWS_OTHER, "550 access denied", false},
    {3, NEWS_BOUNCED, NEWS_OTHER, "550 no such user", false},
    {2, NEWS_BOUNCED, NEWS_OTHER, "552 mailbox full", false},
    {1, NEWS_BOUNCED, NEWS_OTHER, "550 no", false},
    {2, NEWS_DROPPED, NEWS_OTHER, "on our list", false},
};

static const struct {
    unsigned percent;
    enum account_result result;
    int code;
    bool account_fault, arrives, delivers;
} answers[] = {
    {84, ACCOUNT_ACCEPTED, 250, false, true, true}, {4, ACCOUNT_REFUSED, 451, false, true, false},
    {3, ACCOUNT_REFUSED, 421, true, true, false},   {3, ACCOUNT_NOT_SENT, 0, true, false, false},
    {2, ACCOUNT_REFUSED, 550, false, true, false},  {2, ACCOUNT_UNKNOWN, 0, false, true, true},
    {2, ACCOUNT_UNKNOWN, 0, false, false, false},
};

void sim_arrive(struct world *w, const struct try *t)
{
    int recipient = t->group / IDENTITIES;
    T_TRUE(!sim_is_dead(recipient), "seed %llu: mail to a dead domain",
           (unsigned long long)w->seed);
    w->books[recipient][w->book_count[recipient]++] = w->now;
    int today = 0;
    for (int i = 0; i < w->book_count[recipient]; i++)
        today +=
            (w->books[recipient][i] + ZONE_MS) / TIME_DAY_MS == (w->now + ZONE_MS) / TIME_DAY_MS;
    T_TRUE(today <= DAY_LIMIT, "seed %llu: recipient %d got %d mails in a day",
           (unsigned long long)w->seed, recipient, today);
}

tide_wall_ms sim_midnight_after(tide_wall_ms t)
{
    return (t + ZONE_MS) / TIME_DAY_MS * TIME_DAY_MS + TIME_DAY_MS - ZONE_MS;
}

bool sim_takes_more(struct world *w, int recipient)
{
    int day = (int)((w->now + ZONE_MS - START) / TIME_DAY_MS);
    int hidden = 2 + recipient % 4 + (day >= 2 ? 3 : 0);
    if (recipient % 3)
        return true;
    if (w->hidden_day[recipient] != day) {
        w->hidden_day[recipient] = day;
        w->hidden_used[recipient] = 0;
    }
    if (w->hidden_used[recipient] >= hidden)
        return false;
    w->hidden_used[recipient]++;
    return true;
}

/* The ESP tells of it, within the day, now and then twice and out of order. */
static void tell(struct world *w, const struct try *t, enum news_kind kind, tide_wall_ms said_at)
{
    int times = rng_below(&w->rng, 6) == 0 ? 2 : 1;
    for (int i = 0; i < times; i++) {
        tide_wall_ms late = rng_below(&w->rng, 4) ? rng_below(&w->rng, 20000)
                                                  : (tide_wall_ms)rng_below(&w->rng, 86400) * 1000;
        struct happening *h = sim_add(w, HAP_NEWS, said_at + 1 + late);
        h->attempt = t->id;
        h->news = (struct mail_news){.kind = kind,
                                     .source = TEXT("webhook"),
                                     .attempt_id = t->id,
                                     .at = said_at,
                                     .reply = text_of(kind == t->fate->kind ? t->fate->reply : "")};
    }
}

static void tell_all(struct world *w, const struct try *t)
{
    tide_wall_ms at = w->now + rng_below(&w->rng, 60000);
    if (rng_below(&w->rng, 20) == 0)
        tell(w, t, NEWS_DEFERRED, at);
    if (t->fate->kind != NEWS_OTHER)
        tell(w, t, t->fate->kind, at + 1000);
    if (t->fate->then != NEWS_OTHER)
        tell(w, t, t->fate->then, at + 1000 + rng_below(&w->rng, 3600000));
}

void sim_deliver(struct world *w, tide_id attempt)
{
    int count = 0;
    const struct try *t = sim_find_try(w, attempt);
    tell_all(w, t);
    if (!t->fate->seen)
        return;
    for (int i = 0; i < w->note_count; i++)
        if (w->notes[i].attempt == attempt) {
            w->notes[i].seen++;
            count++;
        }
    w->digests += count > 1;
}

void sim_send(struct world *w, tide_id attempt)
{
    unsigned dice = rng_below(&w->rng, 100), pick = 0;
    while (dice >= answers[pick].percent)
        dice -= answers[pick++].percent;
    tide_wall_ms at = w->last_store_at + rng_below(&w->rng, 3000);
    struct happening *h = sim_add(w, HAP_ARRIVE, at);
    h->attempt = attempt;
    h->outcome.result = answers[pick].arrives ? ACCOUNT_ACCEPTED : ACCOUNT_NOT_SENT;
    h->outcome.account_fault = answers[pick].delivers;
    h = sim_add(w, HAP_OUTCOME, at + 1 + rng_below(&w->rng, 2000));
    h->attempt = attempt;
    h->outcome = (struct account_outcome){.result = answers[pick].result,
                                          .stage = STAGE_DOT,
                                          .account_fault = answers[pick].account_fault};
    h->outcome.reply.code = answers[pick].code;
    static const char *const words[] = {"as drawn", "no such user", "frequency limited",
                                        "access denied", "mailbox full"};
    bool refused = answers[pick].code == 550 || answers[pick].code == 451;
    snprintf(h->outcome.reply.text, sizeof h->outcome.reply.text, "%s",
             words[refused ? rng_below(&w->rng, TIDE_COUNT(words)) : 0]);
    struct try *t = sim_find_try(w, attempt);
    dice = rng_below(&w->rng, 100), pick = 0;
    while (dice >= esp_fates[pick].percent)
        dice -= esp_fates[pick++].percent;
    t->fate = &esp_fates[pick];
}
