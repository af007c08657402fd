/* A run: its steps, the calls and writes that any of them makes, its end. */
#include "io/watch/list_run.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>

#define TRIES_MAX 5
#define RETRY_MS  (30 * TIME_SECOND_MS)
#define ARENA_MAX (512u << 20)

void list_run_soon(struct list_run *r, enum run_phase next)
{
    r->phase = next;
    r->tries = 0;
    list_way_wait(r->way, 0);
}

const char *list_run_list(const struct list_run *r, const struct list_entry *e)
{
    return r->way->api->of_places ? r->way->place : r->way->api->lists[e->list].name;
}

/* -- The end -----------------------------------------------------------------------------------
 */

void list_run_problem(struct list_run *r, const char *what, struct text why)
{
    log_warn("lists.problem", "account=%s what=\"%s\" error=\"" TEXT_FMT "\"", r->way->name, what,
             TEXT_ARG(why));
    if (!r->ask)
        return;
    char *line = arena_printf(&r->ask->arena, TEXT_FMT "%s%s: %s: %.*s", TEXT_ARG(r->ask->problems),
                              r->ask->problems.n > 0 ? "\n" : "", r->way->name, what,
                              (int)TIDE_MIN(why.n, (size_t)LIST_TROUBLE_BYTES), why.p ? why.p : "");
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
void list_run_fail(struct list_run *r, const char *what, struct text why)
{
    list_run_problem(r, what, why);
    r->failed = true;
    list_run_soon(r, RUN_DONE);
}

/* -- Calls -------------------------------------------------------------------------------------
 */

/* True: it is over for this step, and *c is to be read. */
bool list_run_answered(struct list_run *r, struct list_call *c, const char *what)
{
    struct list_sync *s = r->way->sync;
    if (s->closing || r->way->closing) {
        list_call_end(c);
        list_run_soon(r, RUN_DONE);
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
        list_run_fail(r, what, why);
        return false;
    }
    r->calls++;
    r->tries = 0;
    return true;
}

void list_run_call(struct list_run *r,
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
        list_run_fail(r, "a request cannot be made", text_of(err.text));
    }
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
        list_run_problem(r, "the store cannot be written", text_of(err->text));
    list_run_soon(r, r->phase);
}

/* Goes on with `next` when it is durable. */
void list_run_store(struct list_run *r, size_t count, enum run_phase next)
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

struct change list_run_note(
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

/* -- Steps -------------------------------------------------------------------------------------
 */

void list_run_step(struct list_run *r)
{
    if (r->way->closing)
        r->phase = RUN_DONE;
    switch (r->phase) {
    case RUN_NOTES:
        list_run_ask_notes(r);
        break;
    case RUN_READ:
        list_run_call(r, r->next.n > 0 ? LIST_ASK_NEXT : LIST_ASK_FIRST, r->list, r->next,
                      list_run_on_page);
        break;
    case RUN_FIND:
        list_run_call(r, LIST_ASK_FIND, r->list, r->notes.listed[r->note].address,
                      list_run_on_found);
        break;
    case RUN_PAST:
        list_run_judge(r);
        break;
    case RUN_WORDS:
        list_run_call(r, LIST_ASK_WORDS, 0, list_run_entry(r)->address, list_run_on_words);
        break;
    case RUN_REMOVE:
        list_run_call(r, LIST_ASK_REMOVE, list_run_entry(r)->list, list_run_entry(r)->address,
                      list_run_on_removed);
        break;
    case RUN_AGAIN:
        list_run_tell_dropped(r, false);
        break;
    case RUN_GONE_AGAIN:
        list_run_tell_dropped(r, true);
        break;
    case RUN_GONE:
        list_run_settle_gone(r);
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
