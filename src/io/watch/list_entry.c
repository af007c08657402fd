/* One entry after the other: what is known of its address, what is to be done about it. */
#include "io/watch/list_run.h"

#include <inttypes.h>

#define STRANGER_MS   (30 * TIME_DAY_MS)
#define STRANGERS_MAX 200

struct list_entry *list_run_entry(struct list_run *r)
{
    return &r->entries[r->at];
}

const struct esp_listed *list_run_note_of(struct list_run *r)
{
    for (size_t i = 0; i < r->notes.listed_count; i++)
        if (text_ieq(r->notes.listed[i].address, addr_text(&r->addr))) {
            r->seen[i] = true;
            return &r->notes.listed[i];
        }
    return NULL;
}

void list_run_report(struct list_run *r)
{
    const struct list_entry *e = list_run_entry(r);
    struct list_sync_ask *ask = r->ask;
    if (!ask || ask->row_count == LIST_ROWS_MAX)
        return;
    if (!ask->rows)
        ask->rows = arena_array(&ask->arena, LIST_ROWS_MAX, sizeof *ask->rows);
    if (!ask->rows)
        return;
    struct arena *a = &ask->arena;
    ask->rows[ask->row_count++] =
        (struct list_sync_row){.account = arena_text(a, text_of(r->way->name)),
                               .list = text_of(list_run_list(r, e)),
                               .address = arena_text(a, e->address),
                               .kind = e->kind,
                               .at = e->at,
                               .words = arena_text(a, e->words),
                               .verdict = r->judgement.verdict,
                               .why = arena_text(a, text_of(r->judgement.why))};
}

void list_run_pass(struct list_run *r)
{
    r->at++;
    r->asked_words = false;
    arena_fini(&r->past.arena);
    r->past = (struct store_ask){0};
}

/* The note about the address is settled; then the next entry. */
void list_run_settle(struct list_run *r, const char *state)
{
    const struct esp_listed *note = list_run_note_of(r);
    list_run_pass(r);
    if (!note || r->dry) {
        list_run_soon(r, RUN_PAST);
        return;
    }
    r->changes[0] = list_run_note(r, note->address, note->list, state, text_of(r->judgement.why));
    list_run_store(r, 1, RUN_PAST);
}

/* -- Judging -----------------------------------------------------------------------------------
 */

void list_run_on_words(struct list_call *c)
{
    struct list_run *r = c->arg;
    if (!list_run_answered(r, c, "what was said cannot be looked up"))
        return;
    if (c->said == LIST_DONE && c->doc)
        list_run_entry(r)->words = arena_text(&r->arena, r->way->api->read_words(c->doc));
    list_call_end(c);
    list_run_soon(r, RUN_PAST);
}

static void act(struct list_run *r)
{
    switch (r->judgement.verdict) {
    case LIST_MEND:
        if (!r->dry) {
            list_run_soon(r, RUN_REMOVE);
            return;
        }
        r->mended++;
        list_run_report(r);
        list_run_pass(r);
        list_run_soon(r, RUN_PAST);
        return;
    case LIST_LEARN:
        list_run_learn(r);
        return;
    case LIST_LEAVE:
        r->left++;
        list_run_report(r);
        list_run_settle(r, "kept");
        return;
    }
}

/* Somebody else than the list may know what was said. Asked for ours, and for some of those that
 * came there lately: a call each. */
static bool wants_words(struct list_run *r, bool noted)
{
    const struct list_entry *e = list_run_entry(r);
    bool refusal = e->kind == LISTED_BOUNCED || e->kind == LISTED_BLOCKED;
    if (!refusal || e->words.n > 0 || r->asked_words || !lists_can(r->way->api, LIST_ASK_WORDS))
        return false;
    if (noted || r->past.found.recipient)
        return true;
    return list_now(r->way->sync) - e->at < STRANGER_MS && r->strangers++ < STRANGERS_MAX;
}

static void judge(struct list_run *r)
{
    const struct list_entry *e = list_run_entry(r);
    const struct esp_listed *note = list_run_note_of(r);
    const struct news_found *found = &r->past.found;
    bool mend = note && text_eq(note->state, TEXT("mend"));
    const struct list_case c = {.entry = e,
                                .rules = r->way->sync->parts.rules,
                                .past = found->recipient ? &found->past : NULL,
                                .provider = found->recipient ? found->recipient->verdict.provider
                                                             : TEXT(""),
                                .mend = mend ? note->cause : TEXT(""),
                                .mend_at = mend ? note->since : 0};
    list_judge(&c, &r->judgement);
    if (r->judgement.verdict == LIST_LEAVE && wants_words(r, note != NULL)) {
        r->asked_words = true;
        list_run_soon(r, RUN_WORDS);
        return;
    }
    act(r);
}

static void on_past(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct list_run *r = ask->arg;
    r->way->open--;
    if (rc != TIDE_OK)
        list_run_fail(r, "the store cannot be read", text_of(err->text));
    else if (r->way->closing)
        list_run_soon(r, RUN_DONE);
    else
        judge(r);
}

void list_run_judge(struct list_run *r)
{
    while (r->at < r->entry_count &&
           addr_parse(list_run_entry(r)->address, 0, &r->addr, NULL) != TIDE_OK)
        r->at++; /* nothing that mail could be sent to */
    if (r->at == r->entry_count) {
        r->note = 0;
        list_run_soon(r, RUN_GONE);
        return;
    }
    if (r->asked_words) { /* the store has been asked already */
        judge(r);
        return;
    }
    const struct list_entry *e = list_run_entry(r);
    r->past = (struct store_ask){
        .view = STORE_VIEW_NEWS, .news = &r->question, .done = on_past, .arg = r};
    char *key = arena_printf(&r->past.arena, "list/%s/%s/" TEXT_FMT "/%" PRId64, r->way->name,
                             list_run_list(r, e), TEXT_ARG(e->address), e->at);
    r->question =
        (struct mail_news){.recipient = addr_text(&r->addr), .key = key ? text_of(key) : TEXT("")};
    r->way->open++;
    store_ask(r->way->sync->parts.store, &r->past);
}

/* Notes about addresses that stand on no list. */
void list_run_settle_gone(struct list_run *r)
{
    while (r->note < r->notes.listed_count && r->seen[r->note])
        r->note++;
    if (r->note == r->notes.listed_count || r->dry) {
        list_run_soon(r, RUN_DONE);
        return;
    }
    const struct esp_listed *note = &r->notes.listed[r->note++];
    r->changes[0] = list_run_note(r, note->address, note->list, "gone", note->cause);
    bool known = addr_parse(note->address, 0, &r->addr, NULL) == TIDE_OK;
    list_run_store(r, 1, known ? RUN_GONE_AGAIN : RUN_GONE);
}
