#include "core/verify/spf_memo.h"

#include "base/map.h"

#include <stdlib.h>

void spf_memo_init(struct spf_memo *m)
{
    memset(m, 0, sizeof *m);
}

void spf_memo_release(struct spf_memo_entry *e)
{
    if (--e->refs)
        return;
    arena_fini(&e->memory);
    free(e);
}

void spf_memo_fini(struct spf_memo *m)
{
    for (size_t i = 0; i < SPF_MEMO_SLOTS; i++)
        if (m->slots[i])
            spf_memo_release(m->slots[i]);
    spf_memo_init(m);
}

static struct spf_memo_entry *parse(struct text txt, uint64_t hash)
{
    struct tide_error ignored;
    struct spf_memo_entry *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->hash = hash;
    e->refs = 1;
    e->text = arena_text(&e->memory, txt);
    if (e->text.p && spf_record_parse(e->text, &e->memory, &e->record, &ignored) == TIDE_OK)
        return e;
    spf_memo_release(e);
    return NULL;
}

struct spf_memo_entry *spf_memo_get(struct spf_memo *m, struct text txt)
{
    if (txt.n > SPF_MEMO_TEXT_MAX)
        return NULL;
    uint64_t hash = hash_bytes(txt.p, txt.n);
    struct spf_memo_entry **slot = &m->slots[hash % SPF_MEMO_SLOTS];
    if (!*slot || (*slot)->hash != hash || !text_eq((*slot)->text, txt)) {
        struct spf_memo_entry *e = parse(txt, hash);
        if (!e)
            return NULL;
        if (*slot)
            spf_memo_release(*slot);
        *slot = e;
    }
    (*slot)->refs++;
    return *slot;
}
