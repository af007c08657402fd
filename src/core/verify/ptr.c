#include "core/verify/ptr.h"

#include "core/verify/dnsbl.h"

#include <assert.h>

#define TO(s) (1u << PTR_AT_##s)
static const unsigned ptr_moves[] = {
    [PTR_AT_IDLE] = TO(NAMES) | TO(DONE),
    [PTR_AT_NAMES] = TO(ADDRESS) | TO(DONE),
    [PTR_AT_ADDRESS] = TO(ADDRESS) | TO(DONE),
    [PTR_AT_DONE] = 0,
};

static void ptr_move(struct ptr *p, enum ptr_state next)
{
    assert(ptr_moves[p->state] & (1u << next));
    p->state = next;
}

static void done(struct ptr *p, enum ptr_result result, struct question *todo)
{
    p->result = result;
    ptr_move(p, PTR_AT_DONE);
    *todo = (struct question){.done = true};
}

static void next_name(struct ptr *p, struct question *todo)
{
    while (p->at < p->name_count) {
        struct text name = p->names[p->at++];
        if (!question_name_ok(name))
            continue;
        ptr_move(p, PTR_AT_ADDRESS);
        *todo = (struct question){.name = name, .type = p->v6 ? DNS_AAAA : DNS_A};
        return;
    }
    p->name = p->names[0];
    done(p, p->doubt != DNS_OK ? PTR_UNKNOWN : PTR_UNCONFIRMED, todo);
}

static void on_names(struct ptr *p, const struct dns_answer *a, struct question *todo)
{
    if (!dns_status_is_final(a->status)) {
        p->doubt = a->status;
        done(p, PTR_UNKNOWN, todo);
        return;
    }
    for (size_t i = 0; i < a->rr_count && p->name_count < PTR_NAMES_MAX; i++) {
        p->names[p->name_count] = arena_text(p->arena, a->rrs[i].data);
        p->name_count += p->names[p->name_count].n > 0;
    }
    if (p->name_count)
        next_name(p, todo);
    else
        done(p, PTR_NONE, todo);
}

static void on_address(struct ptr *p, const struct dns_answer *a, struct question *todo)
{
    if (!dns_status_is_final(a->status))
        p->doubt = a->status;
    for (size_t i = 0; i < a->rr_count; i++)
        if (memcmp(a->rrs[i].address, p->ip, p->v6 ? 16 : 4) == 0) {
            p->name = p->names[p->at - 1];
            done(p, PTR_CONFIRMED, todo);
            return;
        }
    next_name(p, todo);
}

void ptr_init(struct ptr *p, const uint8_t ip[16], bool v6, struct arena *arena)
{
    char reversed[64];
    struct text t = dnsbl_reversed(ip, v6, reversed);
    *p = (struct ptr){.arena = arena, .v6 = v6};
    memcpy(p->ip, ip, v6 ? 16 : 4);
    p->reverse =
        text_of(arena_printf(arena, TEXT_FMT ".%s", TEXT_ARG(t), v6 ? "ip6.arpa" : "in-addr.arpa"));
}

void ptr_start(struct ptr *p, struct question *todo)
{
    if (!p->reverse.n) { /* out of memory */
        done(p, PTR_UNKNOWN, todo);
        return;
    }
    ptr_move(p, PTR_AT_NAMES);
    *todo = (struct question){.name = p->reverse, .type = DNS_PTR};
}

void ptr_feed(void *ptr, const struct dns_answer *a, struct question *todo)
{
    struct ptr *p = ptr;
    *todo = (struct question){0};
    switch (p->state) {
    case PTR_AT_NAMES:
        on_names(p, a, todo);
        return;
    case PTR_AT_ADDRESS:
        on_address(p, a, todo);
        return;
    case PTR_AT_IDLE:
    case PTR_AT_DONE:
        todo->done = true;
        return;
    }
}
