#include "core/verify/spf.h"

#include "base/macros.h"
#include "core/address/domain.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define TO(s) (1u << SPF_AT_##s)
#define TERM_MOVES                                                                    \
    (TO(RECORD) | TO(ADDRESS) | TO(MX) | TO(MX_ADDRESS) | TO(PTR) | TO(PTR_ADDRESS) | \
     TO(EXPLAIN) | TO(DONE))
static const unsigned spf_moves[] = {
    [SPF_AT_IDLE] = TO(RECORD) | TO(DONE),
    [SPF_AT_RECORD] = TERM_MOVES,
    [SPF_AT_ADDRESS] = TERM_MOVES,
    [SPF_AT_MX] = TERM_MOVES,
    [SPF_AT_MX_ADDRESS] = TERM_MOVES,
    [SPF_AT_PTR] = TERM_MOVES,
    [SPF_AT_PTR_ADDRESS] = TERM_MOVES,
    [SPF_AT_EXPLAIN] = TO(PTR) | TO(DONE),
    [SPF_AT_DONE] = 0,
};

/* Functions that return bool say whether evaluation goes on; if not, *todo says why. */

static void spf_move(struct spf *s, enum spf_state next)
{
    assert(spf_moves[s->state] & (1u << next));
    s->state = next;
}

static bool ask(struct spf *s,
                enum spf_state state,
                struct text name,
                enum dns_type type,
                struct question *todo)
{
    spf_move(s, state);
    *todo = (struct question){.name = name, .type = type};
    return false;
}

static bool done(struct spf *s, struct question *todo)
{
    spf_move(s, SPF_AT_DONE);
    *todo = (struct question){.done = true};
    return false;
}

/* temperror and permerror: nothing goes on after them. */
static bool fail(struct spf *s, enum spf_result result, struct question *todo, const char *fmt, ...)
    TIDE_PRINTF(4, 5);

static bool fail(struct spf *s, enum spf_result result, struct question *todo, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(s->problem, sizeof s->problem, fmt, args);
    va_end(args);
    s->result = result;
    return done(s, todo);
}

static bool doubt(struct spf *s,
                  struct text name,
                  const struct dns_answer *a,
                  struct question *todo)
{
    return fail(s, SPF_TEMPERROR, todo, TEXT_FMT " %s: %s", TEXT_ARG(name), dns_type_name(a->type),
                dns_status_text(a->status));
}

static bool out_of_memory(struct spf *s, struct question *todo)
{
    return fail(s, SPF_TEMPERROR, todo, "%s", tide_err_text(TIDE_ENOMEM));
}

static struct spf_frame *top(struct spf *s)
{
    return &s->frames[s->depth - 1];
}

static const struct spf_term *term_now(struct spf *s)
{
    return &top(s)->record.terms[top(s)->at];
}

static bool next_term(struct spf *s)
{
    top(s)->at++;
    top(s)->begun = false;
    return true;
}

static bool is_address4(const struct spf *s)
{
    return !s->in.is_v6;
}

static bool in_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

static bool ip_matches(const struct spf *s, const uint8_t *address, const struct spf_term *t)
{
    return in_prefix(s->in.ip, address, is_address4(s) ? t->prefix4 : t->prefix6);
}

static bool answers_ip(const struct spf *s, const struct dns_answer *a, const struct spf_term *t)
{
    for (size_t i = 0; i < a->rr_count; i++)
        if (ip_matches(s, a->rrs[i].address, t))
            return true;
    return false;
}

/* -- PTR: for the mechanism and for %{p} (RFC 7208 5.5, 7.3) ------------------------------------*/

static bool ask_ptr(struct spf *s, enum spf_wait wait, struct question *todo)
{
    s->wait = wait;
    buf_clear(&s->scratch);
    if (spf_macro_expand(s->in.is_v6 ? TEXT("%{ir}.ip6.arpa") : TEXT("%{ir}.in-addr.arpa"),
                         &s->values, false, &s->scratch, NULL) != TIDE_OK)
        return out_of_memory(s, todo);
    struct text name = arena_text(s->arena, buf_text(&s->scratch));
    return name.p ? ask(s, SPF_AT_PTR, name, DNS_PTR, todo) : out_of_memory(s, todo);
}

/* -- Names out of macros ------------------------------------------------------------------------*/

/* Expands in the current domain. False: %{p} must be found first, or memory ran out. */
static bool expand(struct spf *s,
                   struct text spec,
                   bool explain,
                   enum spf_wait wait,
                   struct text *ret,
                   struct question *todo)
{
    struct text domain = top(s)->domain;
    s->values.domain = domain;
    if (text_find(spec, '%') == spec.n) {
        *ret = spec;
        return true;
    }
    if (spf_macro_uses(spec, 'p') && !text_eq(s->validated_for, domain)) {
        s->target = domain;
        return ask_ptr(s, wait, todo);
    }
    buf_clear(&s->scratch);
    if (spf_macro_expand(spec, &s->values, explain, &s->scratch, NULL) != TIDE_OK)
        return out_of_memory(s, todo);
    *ret = arena_text(s->arena, buf_text(&s->scratch));
    return ret->p ? true : out_of_memory(s, todo);
}

/* s->target from a domain-spec. RFC 7208 7.3: too long a name loses labels at its left. */
static bool find_target(struct spf *s, struct text spec, enum spf_wait wait, struct question *todo)
{
    struct text name = top(s)->domain;
    if (spec.n && !expand(s, spec, false, wait, &name, todo))
        return false;
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    while (name.n > DOMAIN_BYTES_MAX && text_find(name, '.') < name.n)
        name = text_cut(name, text_find(name, '.') + 1, name.n);
    s->target = name;
    return true;
}

/* -- Records ------------------------------------------------------------------------------------*/

/* The result of a fail may want words (RFC 7208 6.2). */
static bool explain(struct spf *s, struct question *todo)
{
    if (!find_target(s, top(s)->record.explanation, SPF_WAIT_EXPLAIN, todo))
        return false;
    if (!question_name_ok(s->target))
        return done(s, todo);
    return ask(s, SPF_AT_EXPLAIN, s->target, DNS_TXT, todo);
}

static bool result_is(struct spf *s, enum spf_result result, struct question *todo)
{
    s->result = result;
    if (result == SPF_FAIL && s->in.explain && top(s)->record.explanation.n)
        return explain(s, todo);
    return done(s, todo);
}

/* The record on top has its result: it is the whole one, or that of an include (RFC 7208 5.2). */
static bool frame_result(struct spf *s, enum spf_result result, struct question *todo)
{
    struct text domain = top(s)->domain;
    if (result == SPF_NONE && top(s)->redirected)
        return fail(s, SPF_PERMERROR, todo, "redirect=" TEXT_FMT ": there is no SPF record",
                    TEXT_ARG(domain));
    if (s->depth == 1)
        return result_is(s, result, todo);
    s->depth--;
    if (result == SPF_NONE)
        return fail(s, SPF_PERMERROR, todo, "include:" TEXT_FMT ": there is no SPF record",
                    TEXT_ARG(domain));
    if (result != SPF_PASS) {
        s->matched = s->matched_domain = (struct text){0};
        return next_term(s);
    }
    return frame_result(s, term_now(s)->result, todo);
}

static bool term_matched(struct spf *s, struct question *todo)
{
    if (s->in.audit)
        return next_term(s);
    s->matched = term_now(s)->written;
    s->matched_domain = top(s)->domain;
    return frame_result(s, term_now(s)->result, todo);
}

/* check_host() of s->target, in the frame on top (RFC 7208 4.3). */
static bool enter(struct spf *s, struct question *todo)
{
    struct text domain = s->target;
    top(s)->domain = domain;
    if (!question_name_ok(domain) || text_find(domain, '.') == domain.n || domain.p[0] == '[')
        return frame_result(s, SPF_NONE, todo);
    if (s->in.audit && s->state != SPF_AT_IDLE && s->seen_count < SPF_AUDIT_MAX)
        s->seen[s->seen_count++] = domain;
    return ask(s, SPF_AT_RECORD, domain, DNS_TXT, todo);
}

static bool enter_include(struct spf *s, struct question *todo)
{
    if (s->depth == SPF_DEPTH_MAX)
        return fail(s, SPF_PERMERROR, todo, "records include one another more than %d deep",
                    SPF_DEPTH_MAX);
    s->frames[s->depth++] = (struct spf_frame){0};
    return enter(s, todo);
}

/* RFC 7208 4.6.4 */
static bool count_lookup(struct spf *s, struct question *todo)
{
    s->lookups++;
    if (s->lookups <= (s->in.audit ? SPF_AUDIT_MAX : SPF_LOOKUPS_MAX))
        return true;
    return fail(s, SPF_PERMERROR, todo, "more than %d DNS lookups are needed (RFC 7208 4.6.4)",
                s->in.audit ? SPF_AUDIT_MAX : SPF_LOOKUPS_MAX);
}

static bool count_void(struct spf *s, struct text name, struct question *todo)
{
    s->voids++;
    if (s->in.audit || s->voids <= SPF_VOIDS_MAX)
        return true;
    return fail(s, SPF_PERMERROR, todo,
                "more than %d DNS lookups find nothing, the last one " TEXT_FMT " (RFC 7208 4.6.4)",
                SPF_VOIDS_MAX, TEXT_ARG(name));
}

static bool has_all(const struct spf_record *r)
{
    for (size_t i = 0; i < r->term_count; i++)
        if (r->terms[i].mechanism == SPF_ALL)
            return true;
    return false;
}

/* RFC 7208 4.7, 6.1: redirect, or neutral. */
static bool end_of_record(struct spf *s, struct question *todo)
{
    struct spf_frame *f = top(s);
    if (!f->record.redirect.n || has_all(&f->record))
        return frame_result(s, SPF_NEUTRAL, todo);
    if (!f->begun) {
        f->begun = true;
        if (!count_lookup(s, todo))
            return false;
    }
    if (s->in.audit && !spf_macro_is_fixed(f->record.redirect))
        return frame_result(s, SPF_NEUTRAL, todo);
    if (!find_target(s, f->record.redirect, SPF_WAIT_TERM, todo))
        return false;
    *f = (struct spf_frame){.redirected = true};
    return enter(s, todo);
}

/* -- Terms --------------------------------------------------------------------------------------*/

static bool term_asks(struct spf *s, const struct spf_term *t, struct question *todo)
{
    struct spf_frame *f = top(s);
    if (!f->begun) {
        f->begun = true;
        if (!count_lookup(s, todo))
            return false;
    }
    s->has_ptr = s->has_ptr || t->mechanism == SPF_PTR;
    if (s->in.audit && (t->mechanism == SPF_PTR || !spf_macro_is_fixed(t->domain)))
        return next_term(s);
    if (!find_target(s, t->domain, SPF_WAIT_TERM, todo))
        return false;
    if (t->mechanism == SPF_INCLUDE)
        return enter_include(s, todo);
    if (t->mechanism == SPF_PTR)
        return ask_ptr(s, SPF_WAIT_NOTHING, todo);
    if (!question_name_ok(s->target))
        return next_term(s); /* RFC 7208 4.8: it cannot match */
    if (t->mechanism == SPF_MX)
        return ask(s, SPF_AT_MX, s->target, DNS_MX, todo);
    bool six = t->mechanism == SPF_A && s->in.is_v6;
    return ask(s, SPF_AT_ADDRESS, s->target, six ? DNS_AAAA : DNS_A, todo);
}

static bool step(struct spf *s, struct question *todo)
{
    struct spf_frame *f = top(s);
    if (f->at == f->record.term_count)
        return end_of_record(s, todo);
    const struct spf_term *t = &f->record.terms[f->at];
    switch (t->mechanism) {
    case SPF_ALL:
        if (s->in.audit && s->depth == 1)
            s->all = t;
        if (!s->in.audit)
            return term_matched(s, todo);
        f->at = f->record.term_count; /* what comes after it is never looked at */
        return true;
    case SPF_IP4:
    case SPF_IP6:
        if ((t->mechanism == SPF_IP4) == is_address4(s) && ip_matches(s, t->address, t))
            return term_matched(s, todo);
        return next_term(s);
    case SPF_A:
    case SPF_MX:
    case SPF_PTR:
    case SPF_INCLUDE:
    case SPF_EXISTS:
        return term_asks(s, t, todo);
    }
    return next_term(s);
}

static void run(struct spf *s, struct question *todo)
{
    while (step(s, todo))
        ;
}

/* -- Answers ------------------------------------------------------------------------------------*/

static void use_record(struct spf *s,
                       const struct dns_answer *a,
                       struct text txt,
                       const struct spf_record *record)
{
    top(s)->record = *record;
    if (s->depth > 1 || top(s)->redirected)
        return;
    s->record_text = txt;
    s->is_elsewhere = a->cname_count > 0;
}

static void note_rivals(struct spf *s, const struct dns_answer *a)
{
    bool own = s->depth == 1 && !top(s)->redirected;
    for (size_t i = 0; own && i < a->rr_count && s->rival_count < SPF_RIVALS_MAX; i++)
        if (spf_record_is(a->rrs[i].data))
            s->rivals[s->rival_count++] = arena_text(s->arena, a->rrs[i].data);
}

/* RFC 7208 4.5: the one record that is one. */
static bool on_record(struct spf *s, const struct dns_answer *a, struct question *todo)
{
    struct spf_frame *f = top(s);
    struct tide_error err = {0};
    const struct dns_rr *found = NULL;
    if (!dns_status_is_final(a->status))
        return doubt(s, f->domain, a, todo);
    for (size_t i = 0; i < a->rr_count; i++) {
        if (!spf_record_is(a->rrs[i].data))
            continue;
        if (found && s->in.audit)
            note_rivals(s, a);
        if (found)
            return fail(s, SPF_PERMERROR, todo,
                        TEXT_FMT " has more than one SPF record (RFC 7208 4.5)",
                        TEXT_ARG(f->domain));
        found = &a->rrs[i];
    }
    if (!found)
        return frame_result(s, SPF_NONE, todo);
    if (s->in.memo && s->held_count < TIDE_COUNT(s->held)) {
        struct spf_memo_entry *e = spf_memo_get(s->in.memo, found->data);
        if (e) {
            s->held[s->held_count++] = e;
            use_record(s, a, e->text, &e->record);
            return true;
        }
    }
    struct spf_record record = {0};
    struct text txt = arena_text(s->arena, found->data);
    if (!txt.p)
        return out_of_memory(s, todo);
    enum tide_err rc = spf_record_parse(txt, s->arena, &record, &err);
    use_record(s, a, txt, &record);
    if (rc == TIDE_ENOMEM)
        return out_of_memory(s, todo);
    if (rc != TIDE_OK)
        return fail(s, SPF_PERMERROR, todo, "the SPF record of " TEXT_FMT ": %s",
                    TEXT_ARG(f->domain), err.text);
    return true;
}

static bool on_address(struct spf *s, const struct dns_answer *a, struct question *todo)
{
    const struct spf_term *t = term_now(s);
    if (!dns_status_is_final(a->status))
        return doubt(s, s->target, a, todo);
    bool counts = a->rr_count == 0 && !(s->in.audit && a->status == DNS_NODATA);
    if (counts && !count_void(s, s->target, todo))
        return false;
    if (a->rr_count && (t->mechanism == SPF_EXISTS || answers_ip(s, a, t)))
        return term_matched(s, todo);
    return next_term(s);
}

/* The next host with a usable name; none left: the term does not match. */
static bool next_mx_host(struct spf *s, struct question *todo)
{
    while (s->host_at < s->host_count) {
        struct text host = s->hosts[s->host_at++];
        if (question_name_ok(host))
            return ask(s, SPF_AT_MX_ADDRESS, host, is_address4(s) ? DNS_A : DNS_AAAA, todo);
    }
    return next_term(s);
}

/* The first `max` names of the answer. */
static bool keep_hosts(struct spf *s, const struct dns_answer *a, struct question *todo)
{
    s->host_count = s->host_at = 0;
    for (size_t i = 0; i < a->rr_count && s->host_count < SPF_HOSTS_MAX; i++) {
        struct text name = arena_text(s->arena, a->rrs[i].data);
        if (a->rrs[i].data.n && !name.p)
            return out_of_memory(s, todo);
        s->hosts[s->host_count++] = name;
    }
    return true;
}

static bool on_mx(struct spf *s, const struct dns_answer *a, struct question *todo)
{
    if (!dns_status_is_final(a->status))
        return doubt(s, s->target, a, todo);
    if (a->rr_count == 0 && !count_void(s, s->target, todo))
        return false;
    if (a->rr_count > SPF_HOSTS_MAX)
        return fail(s, SPF_PERMERROR, todo, TEXT_FMT " has %zu MX records; mx takes %d at most",
                    TEXT_ARG(s->target), a->rr_count, SPF_HOSTS_MAX);
    if (s->in.audit)
        return next_term(s);
    return keep_hosts(s, a, todo) && next_mx_host(s, todo);
}

static bool on_mx_address(struct spf *s, const struct dns_answer *a, struct question *todo)
{
    if (!dns_status_is_final(a->status))
        return doubt(s, s->hosts[s->host_at - 1], a, todo);
    return answers_ip(s, a, term_now(s)) ? term_matched(s, todo) : next_mx_host(s, todo);
}

static bool resume(struct spf *s, struct question *todo);

/* %{p} is known now: the name, or that there is none. */
static bool validated(struct spf *s, struct text name, struct question *todo)
{
    s->values.validated = name;
    s->validated_for = top(s)->domain;
    return resume(s, todo);
}

static bool next_ptr_name(struct spf *s, struct question *todo)
{
    bool for_macro = s->wait != SPF_WAIT_NOTHING;
    while (s->host_at < s->host_count) {
        struct text name = s->hosts[s->host_at++];
        if (question_name_ok(name) && (for_macro || domain_is_within(name, s->target)))
            return ask(s, SPF_AT_PTR_ADDRESS, name, is_address4(s) ? DNS_A : DNS_AAAA, todo);
    }
    return for_macro ? validated(s, (struct text){0}, todo) : next_term(s);
}

/* RFC 7208 7.3: best the domain itself, then one below it, then any. */
static void sort_names(struct spf *s)
{
    size_t front = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = front; i < s->host_count; i++) {
            struct text name = s->hosts[i];
            if (pass == 0 ? !text_ieq(name, s->target) : !domain_is_within(name, s->target))
                continue;
            for (size_t k = i; k > front; k--)
                s->hosts[k] = s->hosts[k - 1];
            s->hosts[front++] = name;
        }
}

static bool on_ptr(struct spf *s, const struct dns_answer *a, struct question *todo)
{
    bool for_macro = s->wait != SPF_WAIT_NOTHING;
    s->host_count = s->host_at = 0;
    if (dns_status_is_final(a->status)) { /* RFC 7208 5.5: an error is no match */
        if (!for_macro && a->rr_count == 0 && !count_void(s, s->target, todo))
            return false;
        if (!keep_hosts(s, a, todo))
            return false;
    }
    if (for_macro)
        sort_names(s);
    return next_ptr_name(s, todo);
}

static bool on_ptr_address(struct spf *s, const struct dns_answer *a, struct question *todo)
{
    static const struct spf_term exactly = {.prefix4 = 32, .prefix6 = 128};
    if (!answers_ip(s, a, &exactly))
        return next_ptr_name(s, todo);
    if (s->wait != SPF_WAIT_NOTHING)
        return validated(s, s->hosts[s->host_at - 1], todo);
    return term_matched(s, todo);
}

static bool put_explanation(struct spf *s, struct question *todo)
{
    struct text text = {0};
    if (!expand(s, s->exp_text, true, SPF_WAIT_TEXT, &text, todo))
        return false;
    s->explanation = text;
    return done(s, todo);
}

/* RFC 7208 6.2: one record, of ASCII, without syntax errors; else as if there were none. */
static bool on_explanation(struct spf *s, const struct dns_answer *a, struct question *todo)
{
    struct text txt = a->rr_count == 1 ? a->rrs[0].data : (struct text){0};
    if (txt.n == 0 || !text_is_ascii(txt) || !spf_macro_is_string(txt, true))
        return done(s, todo);
    s->exp_text = arena_text(s->arena, txt);
    return s->exp_text.p ? put_explanation(s, todo) : done(s, todo);
}

static bool resume(struct spf *s, struct question *todo)
{
    enum spf_wait wait = s->wait;
    s->wait = SPF_WAIT_NOTHING;
    switch (wait) {
    case SPF_WAIT_EXPLAIN:
        return explain(s, todo);
    case SPF_WAIT_TEXT:
        return put_explanation(s, todo);
    case SPF_WAIT_TERM:
    case SPF_WAIT_NOTHING:
        break;
    }
    return true; /* the term is begun again */
}

void spf_answer(struct spf *s, const struct dns_answer *a, struct question *todo)
{
    bool on = false;
    *todo = (struct question){0};
    switch (s->state) {
    case SPF_AT_RECORD:
        on = on_record(s, a, todo);
        break;
    case SPF_AT_ADDRESS:
        on = on_address(s, a, todo);
        break;
    case SPF_AT_MX:
        on = on_mx(s, a, todo);
        break;
    case SPF_AT_MX_ADDRESS:
        on = on_mx_address(s, a, todo);
        break;
    case SPF_AT_PTR:
        on = on_ptr(s, a, todo);
        break;
    case SPF_AT_PTR_ADDRESS:
        on = on_ptr_address(s, a, todo);
        break;
    case SPF_AT_EXPLAIN:
        on = on_explanation(s, a, todo);
        break;
    case SPF_AT_IDLE:
    case SPF_AT_DONE:
        todo->done = true;
        return;
    }
    if (on)
        run(s, todo);
}

void spf_feed(void *spf, const struct dns_answer *answer, struct question *todo)
{
    spf_answer(spf, answer, todo);
}

void spf_init(struct spf *s, const struct spf_input *in, struct arena *arena)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *s = (struct spf){.arena = arena, .in = *in};
    buf_init(&s->scratch, 64u << 10);
    if (in->is_v6 && memcmp(in->ip, mapped, sizeof mapped) == 0) {
        s->in.is_v6 = false;
        memmove(s->in.ip, s->in.ip + 12, 4);
    }
}

void spf_fini(struct spf *s)
{
    buf_fini(&s->scratch);
    while (s->held_count)
        spf_memo_release(s->held[--s->held_count]);
}

void spf_start(struct spf *s, struct question *todo)
{
    struct text from = text_cut(s->in.mail_from, 0, SPF_VALUE_BYTES_MAX);
    size_t at = from.n;
    while (at > 0 && from.p[at - 1] != '@')
        at--;
    struct text domain = at ? text_cut(from, at, from.n) : from.n ? from : s->in.helo;
    struct text local = at > 1 ? text_cut(from, 0, at - 1) : TEXT("postmaster");
    struct text sender = from;
    if (at <= 1) /* only then it is not what stands there already */
        sender = text_of(
            arena_printf(s->arena, TEXT_FMT "@" TEXT_FMT, TEXT_ARG(local), TEXT_ARG(domain)));
    s->depth = 1;
    s->values = (struct spf_values){.sender = sender,
                                    .local = local,
                                    .sender_domain = domain,
                                    .helo = s->in.helo,
                                    .receiver = s->in.receiver,
                                    .ip = s->in.ip,
                                    .is_v6 = s->in.is_v6,
                                    .now = s->in.now};
    if (!sender.n) {
        (void)out_of_memory(s, todo);
        return;
    }
    if (domain.n && domain.p[domain.n - 1] == '.')
        domain.n--;
    s->target = domain;
    (void)enter(s, todo);
}
