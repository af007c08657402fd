/* What is to be looked at, and what stands on the lists: page by page or address by address. */
#include "io/watch/list_run.h"

#include <stdlib.h>

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
        list_run_fail(r, "a list cannot be read",
                      why.n > 0 ? why : TEXT("not what its API answers"));
    return ok;
}

void list_run_on_page(struct list_call *c)
{
    struct list_run *r = c->arg;
    if (!list_run_answered(r, c, "a list cannot be read"))
        return;
    struct text before = r->next;
    if (!take_page(r, c, r->list, &r->next))
        return;
    if (r->next.n == 0 || text_eq(r->next, before) || r->entry_count == LIST_ENTRIES_MAX) {
        r->next = TEXT("");
        r->list++;
    }
    list_run_soon(r, r->list == r->way->api->list_count ? RUN_PAST : RUN_READ);
}

void list_run_on_found(struct list_call *c)
{
    struct list_run *r = c->arg;
    struct text next = TEXT("");
    if (!list_run_answered(r, c, "an address cannot be looked up"))
        return;
    if (!take_page(r, c, r->list, &next))
        return;
    if (++r->list == r->way->api->list_count) {
        r->list = 0;
        r->note++;
    }
    list_run_soon(r, r->note == r->notes.listed_count ? RUN_PAST : RUN_FIND);
}

static void on_notes(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct list_run *r = ask->arg;
    r->way->open--;
    if (rc != TIDE_OK) {
        list_run_fail(r, "the store cannot be read", text_of(err->text));
        return;
    }
    r->seen = arena_array(&r->arena, r->notes.listed_count + 1, sizeof *r->seen);
    if (!r->seen)
        list_run_fail(r, "the store cannot be read", TEXT("out of memory"));
    else if (r->notes.listed_count == 0 && !r->whole)
        list_run_soon(r, RUN_DONE);
    else if (r->whole || !lists_can(r->way->api, LIST_ASK_FIND))
        list_run_soon(r, RUN_READ);
    else
        list_run_soon(r, RUN_FIND);
}

void list_run_ask_notes(struct list_run *r)
{
    r->notes = (struct store_ask){
        .view = STORE_VIEW_ESP_LISTS, .account = text_of(r->way->name), .done = on_notes, .arg = r};
    r->way->open++;
    store_ask(r->way->sync->parts.store, &r->notes);
}
