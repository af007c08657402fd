#include "core/verify/dnsbl.h"

#include "base/macros.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define TO(s) (1u << DNSBL_AT_##s)
static const unsigned dnsbl_moves[] = {
    [DNSBL_AT_IDLE] = TO(LISTED) | TO(DONE),
    [DNSBL_AT_LISTED] = TO(CLEAR) | TO(DONE),
    [DNSBL_AT_CLEAR] = TO(ASK) | TO(DONE),
    [DNSBL_AT_ASK] = TO(REASON) | TO(DONE),
    [DNSBL_AT_REASON] = TO(DONE),
    [DNSBL_AT_DONE] = 0,
};

static void dnsbl_move(struct dnsbl *d, enum dnsbl_state next)
{
    assert(dnsbl_moves[d->state] & (1u << next));
    d->state = next;
}

struct text dnsbl_reversed(const uint8_t ip[16], bool v6, char *out)
{
    static const char hex[] = "0123456789abcdef";
    if (!v6) {
        int n = snprintf(out, 64, "%u.%u.%u.%u", ip[3], ip[2], ip[1], ip[0]);
        return (struct text){out, (size_t)n};
    }
    for (size_t i = 0; i < 16; i++) {
        out[4 * i] = hex[ip[15 - i] & 15];
        out[4 * i + 2] = hex[ip[15 - i] >> 4];
        out[4 * i + 1] = out[4 * i + 3] = '.';
    }
    return (struct text){out, 63};
}

static void done(struct dnsbl *d, enum dnsbl_result result, struct text what, struct question *todo)
{
    d->result = result;
    d->what = what;
    dnsbl_move(d, DNSBL_AT_DONE);
    *todo = (struct question){.done = true};
}

/* NULL `name`: what is asked about itself. */
static void ask(struct dnsbl *d,
                enum dnsbl_state state,
                const char *name,
                enum dns_type type,
                struct question *todo)
{
    struct text front = name ? text_of(name) : d->subject;
    char *full = arena_printf(d->arena, TEXT_FMT ".%s", TEXT_ARG(front), d->zone->zone);
    if (!full || !question_name_ok(text_of(full))) {
        done(d, DNSBL_UNKNOWN,
             full ? TEXT("the name is too long to be asked") : TEXT("out of memory"), todo);
        return;
    }
    dnsbl_move(d, state);
    *todo = (struct question){.name = text_of(full), .type = type};
}

static bool in_127(const struct dns_rr *rr)
{
    return rr->address[0] == 127;
}

/* A zone misspelt (.252), an open resolver (.254), too many queries (.255). */
static bool is_error_return(const struct dns_rr *rr)
{
    return in_127(rr) && rr->address[1] == 255 && rr->address[2] == 255;
}

/* What the zone's documentation says of this address; empty: nothing. */
static struct text meaning(const struct dnsbl_zone *z, const struct dns_rr *rr)
{
    char address[32];
    snprintf(address, sizeof address, "%u.%u.%u.%u", rr->address[0], rr->address[1], rr->address[2],
             rr->address[3]);
    for (size_t i = 0; in_127(rr) && i < z->code_count; i++) {
        struct text code = text_of(z->codes[i]), word;
        (void)text_split(&code, ' ', &word);
        bool hit = z->bits ? (strtoul(z->codes[i], NULL, 10) & rr->address[3]) != 0
                           : text_eq(word, text_of(address));
        if (hit)
            return code.n ? code : text_of(z->codes[i]);
    }
    return (struct text){0};
}

static bool lists(const struct dnsbl *d, const struct dns_answer *a)
{
    for (size_t i = 0; i < a->rr_count; i++)
        if (meaning(d->zone, &a->rrs[i]).n)
            return true;
    return false;
}

static bool failed(struct dnsbl *d, const struct dns_answer *a, struct question *todo)
{
    if (!dns_status_is_final(a->status)) {
        done(d, DNSBL_UNKNOWN, text_of(dns_status_text(a->status)), todo);
        return true;
    }
    for (size_t i = 0; i < a->rr_count; i++)
        if (is_error_return(&a->rrs[i])) {
            done(d, DNSBL_UNKNOWN,
                 TEXT("the list refuses to answer this resolver (127.255.255.x): ask it through a "
                      "resolver of your own"),
                 todo);
            return true;
        }
    return false;
}

static void on_asked(struct dnsbl *d, const struct dns_answer *a, struct question *todo)
{
    for (size_t i = 0; i < a->rr_count; i++) {
        struct text what = meaning(d->zone, &a->rrs[i]);
        if (!what.n)
            continue;
        d->result = DNSBL_LISTED;
        d->what = what;
        ask(d, DNSBL_AT_REASON, NULL, DNS_TXT, todo);
        return;
    }
    if (a->rr_count)
        done(d, DNSBL_UNKNOWN, TEXT("the list answers with a code that it does not document"),
             todo);
    else
        done(d, DNSBL_CLEAR, (struct text){0}, todo);
}

void dnsbl_feed(void *dnsbl, const struct dns_answer *a, struct question *todo)
{
    struct dnsbl *d = dnsbl;
    const struct dnsbl_zone *z = d->zone;
    *todo = (struct question){0};
    if (d->state == DNSBL_AT_REASON) {
        if (a->rr_count)
            d->reason = arena_text(d->arena, text_cut(a->rrs[0].data, 0, 200));
        done(d, DNSBL_LISTED, d->what, todo);
        return;
    }
    if (failed(d, a, todo))
        return;
    switch (d->state) {
    case DNSBL_AT_LISTED:
        if (lists(d, a))
            ask(d, DNSBL_AT_CLEAR, d->of_domain ? (z->clear ? z->clear : "INVALID") : "1.0.0.127",
                DNS_A, todo);
        else
            done(d, DNSBL_UNKNOWN, TEXT("the list does not list its own test entry: it is dead"),
                 todo);
        return;
    case DNSBL_AT_CLEAR:
        if (a->rr_count)
            done(d, DNSBL_UNKNOWN, TEXT("the list, or the resolver, lists everything"), todo);
        else
            ask(d, DNSBL_AT_ASK, NULL, DNS_A, todo);
        return;
    case DNSBL_AT_ASK:
        on_asked(d, a, todo);
        return;
    case DNSBL_AT_IDLE:
    case DNSBL_AT_REASON:
    case DNSBL_AT_DONE:
        todo->done = true;
        return;
    }
}

static void init(struct dnsbl *d,
                 const struct dnsbl_zone *zone,
                 struct text subject,
                 bool domain,
                 struct arena *arena)
{
    *d = (struct dnsbl){
        .zone = zone, .arena = arena, .subject = arena_text(arena, subject), .of_domain = domain};
}

void dnsbl_init_ip(struct dnsbl *d,
                   const struct dnsbl_zone *zone,
                   const uint8_t ip[16],
                   bool v6,
                   struct arena *arena)
{
    char reversed[64];
    init(d, zone, dnsbl_reversed(ip, v6, reversed), false, arena);
}

void dnsbl_init_domain(struct dnsbl *d,
                       const struct dnsbl_zone *zone,
                       struct text domain,
                       struct arena *arena)
{
    init(d, zone, domain, true, arena);
}

void dnsbl_start(struct dnsbl *d, struct question *todo)
{
    const char *test = !d->of_domain ? "2.0.0.127" : d->zone->test ? d->zone->test : "TEST";
    if (d->subject.n)
        ask(d, DNSBL_AT_LISTED, test, DNS_A, todo);
    else
        done(d, DNSBL_UNKNOWN, TEXT("out of memory"), todo);
}
