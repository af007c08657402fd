/* One run over an account's lists. Every step begins one thing (a call, a question to the store, a
 * write) and is gone on from where that ends; nothing else is under way meanwhile. */
#include "io/watch/list_inside.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/address/addr.h"
#include "core/outcome/suppress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TRIES_MAX     5
#define RETRY_MS      (30 * TIME_SECOND_MS)
#define PROBLEM_BYTES 500
#define ARENA_MAX     (512u << 20)
#define CHANGES_MAX   2
#define STRANGER_MS   (30 * TIME_DAY_MS)
#define STRANGERS_MAX 200
#define AGAIN_MOST    100 /* journal entries that are looked at for what was dropped */

enum run_phase {
    RUN_NOTES,
    RUN_READ,
    RUN_FIND,
    RUN_PAST,
    RUN_WORDS,
    RUN_REMOVE,
    RUN_AGAIN,
    RUN_GONE,
    RUN_DONE
};

struct list_run {
    struct list_way *way;
    struct list_sync_ask *ask; /* NULL: nobody did */
    bool whole, dry, failed;
    enum run_phase phase;
    struct arena arena;
    struct list_entry *entries;
    size_t entry_count, entry_cap;
    struct store_ask notes; /* what is to be looked at: its `listed` */
    bool *seen;             /* of each note: it stood there */
    size_t list, note, at;  /* where the reading, the finding, the judging is */
    struct text next;       /* the page that comes */
    unsigned tries, calls;  /* of this step; that were answered */
    /* the entry at hand */
    struct addr addr;
    struct store_ask past;
    struct store_ask again; /* what was dropped: its `attempts` */
    size_t again_at;
    struct mail_news question;
    struct suppression learnt;
    struct list_judgement judgement;
    bool asked_words;
    unsigned strangers; /* whose words were asked for */
    /* what is being written */
    struct store_apply write;
    struct change changes[CHANGES_MAX];
    struct arena write_arena;
    int64_t mended, learnt_count, left, failures;
};

static void step_soon(struct list_run *r, enum run_phase next)
{
    r->phase = next;
    r->tries = 0;
    list_way_wait(r->way, 0);
}

static const char *list_name(const struct list_run *r, const struct list_entry *e)
{
    return r->way->api->lists[e->list].name;
}

/* -- The end -----------------------------------------------------------------------------------
 */

static void add_problem(struct list_run *r, const char *what, struct text why)
{
    log_warn("lists.problem", "account=%s what=\"%s\" error=\"" TEXT_FMT "\"", r->way->name, what,
             TEXT_ARG(why));
    if (!r->ask)
        return;
    char *line = arena_printf(&r->ask->arena, TEXT_FMT "%s%s: %s: %.*s", TEXT_ARG(r->ask->problems),
                              r->ask->problems.n > 0 ? "\n" : "", r->way->name, what,
                              (int)TIDE_MIN(why.n, (size_t)PROBLEM_BYTES), why.p ? why.p : "");
    if (line)
        r->ask->problems = text_of(line);
}

static void free_run(struct list_run *r)
{
    arena_fini(&r->notes.arena);
    arena_fini(&r->past.arena);
    arena_fini(&r->again.arena);
    arena_fini(&r->write_arena);
    arena_fini(&r->arena);
    free(r->entries);
    free(r);
}

static void end_run(struct list_run *r)
{
    struct list_way *way = r->way;
    if (r->ask) {
        r->ask->read += (int64_t)r->entry_count;
        r->ask->mended += r->mended;
        r->ask->learnt += r->learnt_count;
        r->ask->left += r->left;
        r->ask->failed += r->failures;
    }
    if (r->whole || r->entry_count > 0)
        log_info("lists.looked_at",
                 "account=%s whole=%d entries=%zu mended=%" PRId64 " learnt=%" PRId64
                 " left=%" PRId64 " failed=%" PRId64 " dry=%d",
                 way->name, r->whole, r->entry_count, r->mended, r->learnt_count, r->left,
                 r->failures, r->dry);
    bool failed = r->failed;
    list_way_ended(way, r, failed);
    free_run(r);
}

/* The ESP will not, or cannot now: what is noted stays noted. */
static void fail_run(struct list_run *r, const char *what, struct text why)
{
    add_problem(r, what, why);
    r->failed = true;
    step_soon(r, RUN_DONE);
}

/* -- Calls -------------------------------------------------------------------------------------
 */

/* True: it is over for this step, and *c is to be read. */
static bool answered(struct list_run *r, struct list_call *c, const char *what)
{
    struct list_sync *s = r->way->sync;
    if (s->closing || r->way->closing) {
        list_call_end(c);
        step_soon(r, RUN_DONE);
        return false;
    }
    if (c->said == LIST_LATER && ++r->tries < TRIES_MAX) {
        list_call_end(c);
        list_way_wait(r->way, list_now(s) + RETRY_MS);
        return false;
    }
    bool account_fault = c->said == LIST_LATER || (c->said == LIST_REFUSED && r->calls == 0);
    if (account_fault) {
        struct text why = arena_text(&r->arena, buf_text(&c->why));
        bool refused = c->said == LIST_REFUSED;
        list_call_end(c);
        r->way->alarmed |= refused;
        if (refused)
            drive_raise_alarm(
                s->parts.drive, text_of(arena_printf(&r->arena, "lists/%s", r->way->name)),
                ALARM_WARNING,
                text_of(arena_printf(
                    &r->arena, "The suppression list of account %s cannot be read: " TEXT_FMT ".",
                    r->way->name, TEXT_ARG(why))),
                TEXT("Give the key the right to read and change suppressions, or set lists_every "
                     "= \"0s\" for the account."));
        fail_run(r, what, why);
        return false;
    }
    r->calls++;
    r->tries = 0;
    return true;
}

static void call(struct list_run *r,
                 enum list_asking what,
                 size_t list,
                 struct text about,
                 void (*done)(struct list_call *c))
{
    struct list_way *way = r->way;
    struct tide_error err = {0};
    if (lists_ask(way->api, &way->account, what, list, about, &way->call.arena, &way->call.request,
                  &err) == TIDE_OK) {
        list_call_start(&way->call, done, r);
    } else {
        list_call_end(&way->call);
        fail_run(r, "a request cannot be made", text_of(err.text));
    }
}

/* -- Reading -----------------------------------------------------------------------------------
 */

static bool keep(struct list_run *r, const struct list_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        if (r->entry_count == LIST_ENTRIES_MAX)
            return true;
        if (r->entry_count == r->entry_cap) {
            size_t more = r->entry_cap ? 2 * r->entry_cap : 64;
            struct list_entry *bigger = realloc(r->entries, more * sizeof *bigger);
            if (!bigger)
                return false;
            r->entries = bigger;
            r->entry_cap = more;
        }
        struct list_entry *e = &r->entries[r->entry_count++];
        *e = page->entries[i];
        e->address = arena_text(&r->arena, e->address);
        e->words = arena_text(&r->arena, e->words);
    }
    return true;
}

/* What one answer holds; false: the run was ended. */
static bool take_page(struct list_run *r, struct list_call *c, size_t list, struct text *next)
{
    struct list_page page = {.next = *next};
    bool ok =
        c->said == LIST_ABSENT ||
        (c->doc && lists_read_page(r->way->api, &r->way->account, c->doc, list, &c->arena, &page) &&
         keep(r, &page));
    if (c->said == LIST_ABSENT)
        page.next = TEXT("");
    if (c->said == LIST_REFUSED)
        ok = r->phase == RUN_FIND; /* that address alone */
    *next = ok ? arena_text(&r->arena, page.next) : TEXT("");
    struct text why = arena_text(&r->arena, buf_text(&c->why));
    list_call_end(c);
    if (!ok)
        fail_run(r, "a list cannot be read", why.n > 0 ? why : TEXT("not what its API answers"));
    return ok;
}

static void on_page(struct list_call *c)
{
    struct list_run *r = c->arg;
    if (!answered(r, c, "a list cannot be read"))
        return;
    struct text before = r->next;
    if (!take_page(r, c, r->list, &r->next))
        return;
    if (r->next.n == 0 || text_eq(r->next, before) || r->entry_count == LIST_ENTRIES_MAX) {
        r->next = TEXT("");
        r->list++;
    }
    step_soon(r, r->list == r->way->api->list_count ? RUN_PAST : RUN_READ);
}

static void on_found(struct list_call *c)
{
    struct list_run *r = c->arg;
    struct text next = TEXT("");
    if (!answered(r, c, "an address cannot be looked up"))
        return;
    if (!take_page(r, c, r->list, &next))
        return;
    if (++r->list == r->way->api->list_count) {
        r->list = 0;
        r->note++;
    }
    step_soon(r, r->note == r->notes.listed_count ? RUN_PAST : RUN_FIND);
}

static void on_notes(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct list_run *r = ask->arg;
    r->way->open--;
    if (rc != TIDE_OK) {
        fail_run(r, "the store cannot be read", text_of(err->text));
        return;
    }
    r->seen = arena_array(&r->arena, r->notes.listed_count + 1, sizeof *r->seen);
    if (!r->seen)
        fail_run(r, "the store cannot be read", TEXT("out of memory"));
    else if (r->notes.listed_count == 0 && !r->whole)
        step_soon(r, RUN_DONE);
    else if (r->whole || !lists_can(r->way->api, LIST_ASK_FIND))
        step_soon(r, RUN_READ);
    else
        step_soon(r, RUN_FIND);
}

static void ask_notes(struct list_run *r)
{
    r->notes = (struct store_ask){
        .view = STORE_VIEW_ESP_LISTS, .account = text_of(r->way->name), .done = on_notes, .arg = r};
    r->way->open++;
    store_ask(r->way->sync->parts.store, &r->notes);
}

/* -- Writing -----------------------------------------------------------------------------------
 */

static void on_written(struct store_apply *req, enum tide_err rc, const struct tide_error *err)
{
    struct list_run *r = req->arg;
    r->way->open--;
    arena_fini(&req->arena);
    arena_fini(&r->write_arena);
    if (rc != TIDE_OK)
        add_problem(r, "the store cannot be written", text_of(err->text));
    step_soon(r, r->phase);
}

/* Goes on with `next` when it is durable. */
static void store_changes(struct list_run *r, size_t count, enum run_phase next)
{
    r->phase = next;
    r->write = (struct store_apply){.changes = r->changes,
                                    .count = count,
                                    .at = list_now(r->way->sync),
                                    .done = on_written,
                                    .arg = r};
    r->way->open++;
    store_apply(r->way->sync->parts.store, &r->write);
}

static struct change listed_change(
    struct list_run *r, struct text address, struct text list, const char *state, struct text cause)
{
    struct arena *a = &r->write_arena;
    return (struct change){.type = CHANGE_ESP_LIST,
                           .esp_list = {.account = arena_text(a, text_of(r->way->name)),
                                        .address = arena_text(a, address),
                                        .list = arena_text(a, list),
                                        .cause = arena_text(a, cause),
                                        .state = text_of(state),
                                        .since = list_now(r->way->sync)}};
}

/* -- One entry ---------------------------------------------------------------------------------
 */

static struct list_entry *entry(struct list_run *r)
{
    return &r->entries[r->at];
}

static const struct esp_listed *note_of(struct list_run *r)
{
    for (size_t i = 0; i < r->notes.listed_count; i++)
        if (text_ieq(r->notes.listed[i].address, addr_text(&r->addr))) {
            r->seen[i] = true;
            return &r->notes.listed[i];
        }
    return NULL;
}

static void report(struct list_run *r)
{
    const struct list_entry *e = entry(r);
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
                               .list = text_of(list_name(r, e)),
                               .address = arena_text(a, e->address),
                               .kind = e->kind,
                               .at = e->at,
                               .words = arena_text(a, e->words),
                               .verdict = r->judgement.verdict,
                               .why = arena_text(a, text_of(r->judgement.why))};
}

static void next_entry(struct list_run *r)
{
    r->at++;
    r->asked_words = false;
    arena_fini(&r->past.arena);
    r->past = (struct store_ask){0};
    step_soon(r, RUN_PAST);
}

/* The note about the address is settled; then the next entry. */
static void settle_note(struct list_run *r, const char *state)
{
    const struct esp_listed *note = note_of(r);
    r->at++;
    r->asked_words = false;
    arena_fini(&r->past.arena);
    r->past = (struct store_ask){0};
    if (!note || r->dry) {
        step_soon(r, RUN_PAST);
        return;
    }
    r->changes[0] = listed_change(r, note->address, note->list, state, text_of(r->judgement.why));
    store_changes(r, 1, RUN_PAST);
}

/* Mended: noted as that, and told in the journal. */
static void write_mended(struct list_run *r, const char *state, struct text trouble)
{
    const struct list_entry *e = entry(r);
    const struct esp_listed *note = note_of(r);
    const struct recipient_state *known = r->past.found.recipient;
    struct arena *a = &r->write_arena;
    bool done = trouble.n == 0;
    struct buf detail = {0};
    struct json_writer w;
    jw_init(&w, &detail);
    jw_object(&w, NULL);
    jw_str(&w, "account", r->way->name);
    jw_text(&w, "address", addr_text(&r->addr));
    jw_str(&w, "list", list_name(r, e));
    jw_str(&w, "why", r->judgement.why);
    jw_text(&w, "words", e->words);
    jw_end(&w);
    char *sentence = arena_printf(
        a, "%s %s's list \"%s\" (account %s), because %s%s" TEXT_FMT "%s" TEXT_FMT,
        done ? "taken off" : "could not be taken off", r->way->api->title, list_name(r, e),
        r->way->name, r->judgement.why, e->words.n > 0 ? "; what stood there: " : "",
        TEXT_ARG(text_cut(e->words, 0, PROBLEM_BYTES)), done ? "" : "; ", TEXT_ARG(trouble));
    char *cause = arena_printf(a, "%s%s" TEXT_FMT, r->judgement.why,
                               e->words.n > 0 ? "; what stood there: " : "",
                               TEXT_ARG(text_cut(e->words, 0, PROBLEM_BYTES)));
    r->changes[0] = listed_change(r, note ? note->address : addr_text(&r->addr),
                                  note ? note->list : text_of(list_name(r, e)), state,
                                  cause ? text_of(cause) : TEXT(""));
    r->changes[1] = (struct change){
        .type = CHANGE_JOURNAL,
        .journal = {.at = list_now(r->way->sync),
                    .recipient_id = known ? known->id : 0,
                    .event = done ? TEXT("esp_unlisted") : TEXT("esp_unlist_failed"),
                    .sentence = sentence ? text_of(sentence) : TEXT("taken off an ESP's list"),
                    .detail = arena_text(a, buf_text(&detail))}};
    buf_fini(&detail);
    r->at++;
    r->asked_words = false;
    store_changes(r, 2, done && known ? RUN_AGAIN : RUN_PAST);
    arena_fini(&r->past.arena);
    r->past = (struct store_ask){0};
}

static void on_removed(struct list_call *c)
{
    struct list_run *r = c->arg;
    struct text why = TEXT("");
    if (!answered(r, c, "an address cannot be taken off"))
        return;
    bool done = c->said == LIST_DONE || c->said == LIST_ABSENT;
    if (c->said == LIST_DONE && r->way->api->removed && !r->way->api->removed(c->doc, &why))
        done = false;
    if (!done)
        why = arena_text(&r->arena, why.n > 0 ? why : buf_text(&c->why));
    list_call_end(c);
    r->mended += done;
    r->failures += !done;
    report(r);
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
        add_problem(r, "what was dropped is not mailed again", text_of(err->text));
    tell_again(r);
}

/* Each attempt of this account that the ESP dropped (the gate knows those that it refused for its
 * list); then the next entry. */
static void tell_again(struct list_run *r)
{
    struct list_way *way = r->way;
    for (; r->again_at < r->again.attempt_count; r->again_at++) {
        const struct attempt *a = &r->again.attempts[r->again_at];
        if (way->closing || (a->news != NEWS_DROPPED && a->state != ATTEMPT_REFUSED) ||
            !text_eq(a->account, text_of(way->name)))
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
    step_soon(r, RUN_PAST);
}

static void on_attempts(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct list_run *r = ask->arg;
    r->way->open--;
    if (rc != TIDE_OK) {
        add_problem(r, "what was dropped is not known", text_of(err->text));
        r->again.attempt_count = 0;
    }
    tell_again(r);
}

static void ask_attempts(struct list_run *r)
{
    r->again = (struct store_ask){.view = STORE_VIEW_WHY,
                                  .recipient = addr_text(&r->addr),
                                  .most = AGAIN_MOST,
                                  .newest = true,
                                  .done = on_attempts,
                                  .arg = r};
    r->way->open++;
    store_ask(r->way->sync->parts.store, &r->again);
}

/* -- Learning ----------------------------------------------------------------------------------
 */

static void on_learnt(void *arg, enum tide_err rc, bool known, const struct tide_error *err)
{
    struct list_run *r = arg;
    (void)known;
    r->way->open--;
    if (rc != TIDE_OK)
        add_problem(r, "what was learnt cannot be stored", text_of(err->text));
    settle_note(r, "kept");
}

/* In force, or lifted since: either way the list tells nothing new. */
static bool is_known_here(struct list_run *r, enum suppression_cause cause)
{
    const struct recipient_past *past = &r->past.found.past;
    for (size_t i = 0; i < past->suppression_count; i++)
        if (past->suppressions[i].cause == cause && past->suppressions[i].at >= entry(r)->at)
            return true;
    return false;
}

/* Nobody of ours yet: what is known there is known here too. */
static void learn_order(struct list_run *r, enum suppression_cause cause)
{
    const struct list_entry *e = entry(r);
    char *by =
        arena_printf(&r->past.arena, "%s's list \"%s\"", r->way->api->title, list_name(r, e));
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
    const struct list_entry *e = entry(r);
    struct mail_news n = r->question;
    n.kind = e->kind == LISTED_COMPLAINED     ? NEWS_COMPLAINED
             : e->kind == LISTED_UNSUBSCRIBED ? NEWS_UNSUBSCRIBED
                                              : NEWS_BOUNCED;
    n.event = text_of(list_name(r, e));
    n.source = text_of(
        arena_printf(&r->past.arena, "%s's list \"%s\"", r->way->api->title, list_name(r, e)));
    n.account = text_of(r->way->name);
    n.at = e->at;
    n.reply = e->words;
    n.code = r->judgement.said.code;
    memcpy(n.status, r->judgement.said.status, sizeof n.status);
    r->way->open++;
    drive_news(r->way->sync->parts.drive, &n, on_learnt, r);
}

static void learn(struct list_run *r)
{
    const struct list_entry *e = entry(r);
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
        report(r);
    if (old || r->dry)
        settle_note(r, "kept");
    else if (ours)
        learn_news(r);
    else
        learn_order(r, cause);
}

/* -- Judging -----------------------------------------------------------------------------------
 */

static void on_words(struct list_call *c)
{
    struct list_run *r = c->arg;
    if (!answered(r, c, "what was said cannot be looked up"))
        return;
    if (c->said == LIST_DONE && c->doc)
        entry(r)->words = arena_text(&r->arena, r->way->api->read_words(c->doc));
    list_call_end(c);
    step_soon(r, RUN_PAST);
}

static void act(struct list_run *r)
{
    switch (r->judgement.verdict) {
    case LIST_MEND:
        if (!r->dry) {
            step_soon(r, RUN_REMOVE);
            return;
        }
        r->mended++;
        report(r);
        next_entry(r);
        return;
    case LIST_LEARN:
        learn(r);
        return;
    case LIST_LEAVE:
        r->left++;
        report(r);
        settle_note(r, "kept");
        return;
    }
}

/* Somebody else than the list may know what was said. Asked for ours, and for some of those that
 * came there lately: a call each. */
static bool wants_words(struct list_run *r, bool noted)
{
    const struct list_entry *e = entry(r);
    bool refusal = e->kind == LISTED_BOUNCED || e->kind == LISTED_BLOCKED;
    if (!refusal || e->words.n > 0 || r->asked_words || !lists_can(r->way->api, LIST_ASK_WORDS))
        return false;
    if (noted || r->past.found.recipient)
        return true;
    return list_now(r->way->sync) - e->at < STRANGER_MS && r->strangers++ < STRANGERS_MAX;
}

static void judge(struct list_run *r)
{
    const struct list_entry *e = entry(r);
    const struct esp_listed *note = note_of(r);
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
        step_soon(r, RUN_WORDS);
        return;
    }
    act(r);
}

static void on_past(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct list_run *r = ask->arg;
    r->way->open--;
    if (rc != TIDE_OK)
        fail_run(r, "the store cannot be read", text_of(err->text));
    else if (r->way->closing)
        step_soon(r, RUN_DONE);
    else
        judge(r);
}

static void ask_past(struct list_run *r)
{
    while (r->at < r->entry_count && addr_parse(entry(r)->address, 0, &r->addr, NULL) != TIDE_OK)
        r->at++; /* nothing that mail could be sent to */
    if (r->at == r->entry_count) {
        r->note = 0;
        step_soon(r, RUN_GONE);
        return;
    }
    if (r->asked_words) { /* the store has been asked already */
        judge(r);
        return;
    }
    const struct list_entry *e = entry(r);
    r->past = (struct store_ask){
        .view = STORE_VIEW_NEWS, .news = &r->question, .done = on_past, .arg = r};
    char *key = arena_printf(&r->past.arena, "list/%s/%s/" TEXT_FMT "/%" PRId64, r->way->name,
                             list_name(r, e), TEXT_ARG(e->address), e->at);
    r->question =
        (struct mail_news){.recipient = addr_text(&r->addr), .key = key ? text_of(key) : TEXT("")};
    r->way->open++;
    store_ask(r->way->sync->parts.store, &r->past);
}

/* Notes about addresses that stand on no list. */
static void settle_gone(struct list_run *r)
{
    while (r->note < r->notes.listed_count && r->seen[r->note])
        r->note++;
    if (r->note == r->notes.listed_count || r->dry) {
        step_soon(r, RUN_DONE);
        return;
    }
    const struct esp_listed *note = &r->notes.listed[r->note++];
    r->changes[0] = listed_change(r, note->address, note->list, "gone", note->cause);
    store_changes(r, 1, RUN_GONE);
}

/* -- Steps -------------------------------------------------------------------------------------
 */

void list_run_step(struct list_run *r)
{
    if (r->way->closing)
        r->phase = RUN_DONE;
    switch (r->phase) {
    case RUN_NOTES:
        ask_notes(r);
        break;
    case RUN_READ:
        call(r, r->next.n > 0 ? LIST_ASK_NEXT : LIST_ASK_FIRST, r->list, r->next, on_page);
        break;
    case RUN_FIND:
        call(r, LIST_ASK_FIND, r->list, r->notes.listed[r->note].address, on_found);
        break;
    case RUN_PAST:
        ask_past(r);
        break;
    case RUN_WORDS:
        call(r, LIST_ASK_WORDS, 0, entry(r)->address, on_words);
        break;
    case RUN_REMOVE:
        call(r, LIST_ASK_REMOVE, entry(r)->list, entry(r)->address, on_removed);
        break;
    case RUN_AGAIN:
        ask_attempts(r);
        break;
    case RUN_GONE:
        settle_gone(r);
        break;
    case RUN_DONE:
        end_run(r);
        break;
    }
}

void list_run_forget(struct list_run *r)
{
    r->ask = NULL;
}

struct list_run *list_run_new(struct list_way *way, bool whole, struct list_sync_ask *ask)
{
    struct list_run *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->way = way;
    r->ask = ask;
    r->dry = ask && ask->dry;
    r->whole = whole;
    r->next = TEXT("");
    arena_init(&r->arena, ARENA_MAX);
    return r;
}
