/* What was suppressed by rules that have been mended since goes on: all entries are read again by
 * the rules of today, page after page. */
#include "io/drive/inside.h"

#include "base/log.h"
#include "core/outcome/suppress.h"

#include <stdlib.h>

#define PAGE_ROWS 100

struct review {
    struct store_ask ask;
    struct drive *drive;
    const struct rulebook *rules;
    char after[SUPPRESS_SCOPE_BYTES * 2]; /* cursor */
    size_t lifted;
};

static void end(struct review *r)
{
    struct drive *d = r->drive;
    if (r->lifted > 0)
        log_info("review.lifted", "entries=%zu reason=\"the rules know better now\"", r->lifted);
    arena_fini(&r->ask.arena);
    free(r);
    drive_end(d);
}

static void next_page(struct review *r);

static void on_page(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct review *r = ask->arg;
    if (rc != TIDE_OK)
        log_warn("review.cut", "error=\"%s\"", err->text);
    for (size_t i = 0; rc == TIDE_OK && i < ask->suppression_count; i++) {
        const struct suppression *s = &ask->suppressions[i];
        struct suppression lift = {.address = s->address,
                                   .scope = s->scope,
                                   .by = TEXT("mailtide, whose rules know better now")};
        const struct gate_order order = {.what = ORDER_LIFT, .one_scope = true, .entry = &lift};
        if (!suppress_is_outdated(s, r->rules))
            continue;
        r->lifted++;
        drive_order(r->drive, &order, NULL, NULL);
    }
    bool more =
        rc == TIDE_OK && ask->next.n > 0 && ask->next.n < sizeof r->after && !r->drive->closing;
    if (!more) {
        end(r);
        return;
    }
    memcpy(r->after, ask->next.p, ask->next.n);
    r->after[ask->next.n] = '\0';
    next_page(r);
}

static void next_page(struct review *r)
{
    arena_fini(&r->ask.arena);
    r->ask = (struct store_ask){.view = STORE_VIEW_SUPPRESSIONS,
                                .newest = true,
                                .after = text_of(r->after),
                                .most = PAGE_ROWS,
                                .done = on_page,
                                .arg = r};
    store_ask(r->drive->parts.store, &r->ask);
}

void drive_review(struct drive *d, const struct rulebook *rules)
{
    struct review *r = calloc(1, sizeof *r);
    if (!r) {
        log_warn("review.cut", "error=\"out of memory\"");
        return;
    }
    r->drive = d;
    r->rules = rules;
    drive_begin(d);
    next_page(r);
}
