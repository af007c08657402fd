/* An address is taken off an ESP's list; what was dropped meanwhile is told as unlisted. */
#include "io/watch/list_run.h"

#define AGAIN_MOST 100 /* journal entries that are looked at for what was dropped */

/* Mended: noted as that, and told in the journal. */
static void write_mended(struct list_run *r, const char *state, struct text trouble)
{
    const struct list_entry *e = list_run_entry(r);
    const struct esp_listed *note = list_run_note_of(r);
    const struct recipient_state *known = r->past.found.recipient;
    struct arena *a = &r->write_arena;
    bool done = trouble.n == 0;
    struct buf detail = {0};
    struct json_writer w;
    jw_init(&w, &detail);
    jw_object(&w, NULL);
    jw_str(&w, "account", r->way->name);
    jw_text(&w, "address", addr_text(&r->addr));
    jw_str(&w, "list", list_run_list(r, e));
    jw_str(&w, "why", r->judgement.why);
    jw_text(&w, "words", e->words);
    jw_end(&w);
    char *sentence = arena_printf(
        a, "%s %s's list \"%s\" (account %s), because %s%s" TEXT_FMT "%s" TEXT_FMT,
        done ? "taken off" : "could not be taken off", r->way->api->title, list_run_list(r, e),
        r->way->name, r->judgement.why, e->words.n > 0 ? "; what stood there: " : "",
        TEXT_ARG(text_cut(e->words, 0, LIST_TROUBLE_BYTES)), done ? "" : "; ", TEXT_ARG(trouble));
    char *cause = arena_printf(a, "%s%s" TEXT_FMT, r->judgement.why,
                               e->words.n > 0 ? "; what stood there: " : "",
                               TEXT_ARG(text_cut(e->words, 0, LIST_TROUBLE_BYTES)));
    r->changes[0] = list_run_note(r, note ? note->address : addr_text(&r->addr),
                                  note ? note->list : text_of(list_run_list(r, e)), state,
                                  cause ? text_of(cause) : TEXT(""));
    r->changes[1] = (struct change){
        .type = CHANGE_JOURNAL,
        .journal = {.at = list_now(r->way->sync),
                    .recipient_id = known ? known->id : 0,
                    .event = done ? TEXT("esp_unlisted") : TEXT("esp_unlist_failed"),
                    .sentence = sentence ? text_of(sentence) : TEXT("taken off an ESP's list"),
                    .detail = arena_text(a, buf_text(&detail))}};
    buf_fini(&detail);
    list_run_store(r, 2, done && known ? RUN_AGAIN : RUN_PAST);
    list_run_pass(r);
}

void list_run_on_removed(struct list_call *c)
{
    struct list_run *r = c->arg;
    struct text why = TEXT("");
    if (!list_run_answered(r, c, "an address cannot be taken off"))
        return;
    bool done = c->said == LIST_DONE || c->said == LIST_ABSENT;
    if (c->said == LIST_DONE && r->way->api->removed && !r->way->api->removed(c->doc, &why))
        done = false;
    if (!done)
        why = arena_text(&r->arena, why.n > 0 ? why : buf_text(&c->why));
    list_call_end(c);
    r->mended += done;
    r->failures += !done;
    list_run_report(r);
    write_mended(r, done ? "mended" : "failed", done ? TEXT("") : why);
}

/* -- What was dropped meanwhile ----------------------------------------------------------------
 */

static void tell_again(struct list_run *r);

static void on_told(void *arg, enum tide_err rc, bool known, const struct tide_error *err)
{
    struct list_run *r = arg;
    (void)known;
    r->way->open--;
    if (rc != TIDE_OK)
        list_run_problem(r, "what was dropped is not mailed again", text_of(err->text));
    tell_again(r);
}

/* News of the drop may come when the address has been taken off already, for something else that
 * was said of it. Where it was never taken off it would only be dropped again. */
static bool left_before_unlisting(const struct list_run *r, const struct attempt *a)
{
    for (size_t i = 0; i < r->again.journal_count; i++)
        if (text_eq(r->again.journal[i].event, TEXT("esp_unlisted")) &&
            r->again.journal[i].at >= a->started_at)
            return true;
    return false;
}

/* Each attempt of this account that the ESP dropped (the gate knows those that it refused for its
 * list); then the next entry. */
static void tell_again(struct list_run *r)
{
    struct list_way *way = r->way;
    for (; r->again_at < r->again.attempt_count; r->again_at++) {
        const struct attempt *a = &r->again.attempts[r->again_at];
        if (way->closing || (a->news != NEWS_DROPPED && a->state != ATTEMPT_REFUSED) ||
            !text_eq(a->account, text_of(way->name)) || (r->gone && !left_before_unlisting(r, a)))
            continue;
        const struct mail_news n = {.kind = NEWS_UNLISTED,
                                    .source = text_of(way->api->title),
                                    .account = text_of(way->name),
                                    .attempt_id = a->id};
        r->again_at++;
        way->open++;
        drive_news(way->sync->parts.drive, &n, on_told, r);
        return;
    }
    arena_fini(&r->again.arena);
    r->again = (struct store_ask){0};
    r->again_at = 0;
    list_run_soon(r, r->gone ? RUN_GONE : RUN_PAST);
}

static void on_attempts(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct list_run *r = ask->arg;
    r->way->open--;
    if (rc != TIDE_OK) {
        list_run_problem(r, "what was dropped is not known", text_of(err->text));
        r->again.attempt_count = 0;
    }
    tell_again(r);
}

void list_run_tell_dropped(struct list_run *r, bool gone)
{
    r->gone = gone;
    r->again = (struct store_ask){.view = STORE_VIEW_WHY,
                                  .recipient = addr_text(&r->addr),
                                  .most = AGAIN_MOST,
                                  .newest = true,
                                  .done = on_attempts,
                                  .arg = r};
    r->way->open++;
    store_ask(r->way->sync->parts.store, &r->again);
}
