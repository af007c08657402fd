#include "core/verify/mx.h"

#include "base/macros.h"
#include "core/address/domain.h"
#include "core/verify/netaddr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EVIDENCE_BYTES_MAX   8192
#define EVIDENCE_BYTES_USUAL 256

#define TO(s) (1u << MX_##s)
static const unsigned mx_moves[] = {
    [MX_IDLE] = TO(MX),
    [MX_MX] = TO(A) | TO(BEHIND) | TO(DONE),
    [MX_A] = TO(A) | TO(AAAA) | TO(SPF) | TO(BEHIND) | TO(DONE),
    [MX_AAAA] = TO(A) | TO(SPF) | TO(BEHIND) | TO(DONE),
    [MX_SPF] = TO(DONE),
    [MX_BEHIND] = TO(BEHIND) | TO(DONE),
    [MX_DONE] = 0,
};

static void mx_move(struct mx *m, enum mx_state next)
{
    assert(mx_moves[m->state] & (1u << next));
    m->state = next;
}

void mx_init(struct mx *m,
             struct text domain,
             const struct provider_index *providers,
             bool private_addresses,
             struct arena *arena)
{
    *m = (struct mx){.arena = arena,
                     .domain = arena_text(arena, domain),
                     .providers = providers,
                     .private_addresses = private_addresses,
                     .valid_ms = MX_VALID_MS_MAX};
    m->out_of_memory = m->domain.p == NULL;
    mailbox_host_init(&m->behind, m->domain, arena);
    buf_init(&m->evidence, EVIDENCE_BYTES_MAX);
}

void mx_fini(struct mx *m)
{
    buf_fini(&m->evidence);
}

static void ask(
    struct mx *m, enum mx_state state, struct text name, enum dns_type type, struct mx_todo *todo)
{
    mx_move(m, state);
    *todo = (struct mx_todo){.name = name, .type = type};
}

static void finish(struct mx *m, struct mx_todo *todo)
{
    mx_move(m, MX_DONE);
    *todo = (struct mx_todo){.done = true};
}

/* One line of evidence; what does not fit is left out, the verdict stays. */
static void note_line(struct mx *m, const char *line, size_t len)
{
    if (len == 0 || m->evidence.len + len + 1 > EVIDENCE_BYTES_MAX)
        return;
    if (m->evidence.len)
        buf_addc(&m->evidence, '\n');
    else
        buf_expect(&m->evidence, EVIDENCE_BYTES_USUAL);
    buf_add(&m->evidence, line, len);
}

static void note(struct mx *m, const char *fmt, ...) TIDE_PRINTF(2, 3);

static void note(struct mx *m, const char *fmt, ...)
{
    char line[1400];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    note_line(m, line, TIDE_MIN((size_t)TIDE_MAX(n, 0), sizeof line - 1));
}

/* Lines that every domain has are put together by hand: printf() was a tenth of the time. */
struct line {
    char bytes[1400];
    size_t n;
};

static void put(struct line *l, struct text t)
{
    size_t n = TIDE_MIN(t.n, sizeof l->bytes - l->n);
    if (n)
        memcpy(l->bytes + l->n, t.p, n);
    l->n += n;
}

static void put_number(struct line *l, uint32_t number)
{
    char digits[10];
    size_t n = sizeof digits;
    do
        digits[--n] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    put(l, (struct text){digits + n, sizeof digits - n});
}

static void note_mx(struct mx *m, const struct dns_rr *rr)
{
    struct line l;
    l.n = 0;
    put(&l, m->domain);
    put(&l, TEXT(" MX "));
    put_number(&l, rr->preference);
    put(&l, TEXT(" "));
    put(&l, rr->data);
    put(&l, TEXT(" (ttl "));
    put_number(&l, rr->ttl_s);
    put(&l, TEXT(")"));
    note_line(m, l.bytes, l.n);
}

/* `kind`: why it is not an address on the Internet; NULL: it is. */
static void note_address(
    struct mx *m, struct text host, enum dns_type type, const struct dns_rr *rr, const char *kind)
{
    struct line l;
    l.n = 0;
    put(&l, host);
    if (type == DNS_A) {
        put(&l, TEXT(" A "));
        for (int i = 0; i < 4; i++) {
            put(&l, text_cut(TEXT("."), 0, i > 0));
            put_number(&l, rr->address[i]);
        }
    } else {
        char text[INET6_ADDRSTRLEN] = "";
        inet_ntop(AF_INET6, rr->address, text, sizeof text);
        put(&l, TEXT(" AAAA "));
        put(&l, text_of(text));
    }
    put(&l, TEXT(" (ttl "));
    put_number(&l, rr->ttl_s);
    put(&l, kind ? TEXT("), ") : TEXT(")"));
    put(&l, text_of(kind));
    note_line(m, l.bytes, l.n);
}

/* What an answer without records says, and what its alias was. */
static void note_answer(struct mx *m, struct text name, const struct dns_answer *a)
{
    if (a->cname_count)
        note(m, TEXT_FMT " CNAME " TEXT_FMT "%s", TEXT_ARG(name), TEXT_ARG(a->canonical),
             m->state != MX_MX && !m->implicit ? ", where RFC 2181 10.3 wants no alias" : "");
    if (a->stale)
        note(m, TEXT_FMT " %s answer is from the cache and past its time", TEXT_ARG(name),
             dns_type_name(a->type));
    if (a->status != DNS_OK)
        note(m, TEXT_FMT " %s %s: %s", TEXT_ARG(name), dns_type_name(a->type),
             dns_status_name(a->status), dns_status_text(a->status));
}

static void use_ttl(struct mx *m, const struct dns_answer *a)
{
    m->stale = m->stale || a->stale;
    if (dns_status_is_final(a->status))
        m->valid_ms = TIDE_MIN(m->valid_ms, (int64_t)a->ttl_s * TIME_SECOND_MS);
}

void mx_start(struct mx *m, struct mx_todo *todo)
{
    ask(m, MX_MX, m->domain, DNS_MX, todo);
}

/* The host to be asked for next; those after a usable one are not. */
static bool has_usable(const struct mx *m)
{
    for (size_t i = 0; i < m->host_count; i++)
        if (m->hosts[i].state == MX_USABLE)
            return true;
    return false;
}

/* -- Who runs it --------------------------------------------------------------------------------*/

static struct provider_match match(const struct mx *m)
{
    struct text hosts[MX_HOSTS_MAX];
    size_t count = 0;
    if (!m->providers || m->no_domain || m->null_mx)
        return (struct provider_match){0};
    for (size_t i = 0; i < m->host_count; i++)
        if (m->hosts[i].state != MX_LITERAL && !m->implicit)
            hosts[count++] = m->hosts[i].name;
    return provider_match(m->providers, m->domain, hosts, count);
}

static void ask_behind(struct mx *m, struct mx_todo *todo)
{
    struct text name = mailbox_host_ask(&m->behind, m->providers);
    if (name.n)
        ask(m, MX_BEHIND, name, DNS_TXT, todo);
    else
        finish(m, todo);
}

static void answer_behind(struct mx *m, const struct dns_answer *a, struct mx_todo *todo)
{
    struct text line = mailbox_host_answer(&m->behind, m->providers, a);
    if (line.n) {
        use_ttl(m, a);
        note(m, TEXT_FMT, TEXT_ARG(line));
    }
    ask_behind(m, todo);
}

/* -- Its hosts ----------------------------------------------------------------------------------*/

static void finish_hosts(struct mx *m, bool usable, struct mx_todo *todo)
{
    struct provider_match who = match(m);
    if (m->implicit && usable && m->state != MX_MX)
        ask(m, MX_SPF, m->domain, DNS_TXT, todo);
    else if (usable && who.gateway && !who.provider)
        ask_behind(m, todo);
    else
        finish(m, todo);
}

static void next_host(struct mx *m, struct mx_todo *todo)
{
    bool usable = has_usable(m);
    for (size_t i = 0; i < m->host_count && !usable && m->asked < MX_ASKED_MAX; i++) {
        if (m->hosts[i].state != MX_UNASKED)
            continue;
        m->at = i;
        m->asked++;
        ask(m, MX_A, m->hosts[i].name, DNS_A, todo);
        return;
    }
    finish_hosts(m, usable, todo);
}

static int compare_hosts(const void *a, const void *b)
{
    const struct mx_host *x = a, *y = b;
    return x->preference != y->preference ? (x->preference < y->preference ? -1 : 1)
                                          : text_icmp(x->name, y->name);
}

/* A name that cannot be a host's is never asked for. */
static void judge_name(struct mx *m, struct mx_host *h)
{
    if (domain_is_ip(h->name)) {
        h->state = MX_LITERAL;
        h->why = "is an IP address, where RFC 5321 5.1 wants a host name";
    } else if (text_eq(h->name, TEXT("localhost")) || text_iends(h->name, TEXT(".localhost"))) {
        h->state = m->private_addresses ? MX_UNASKED : MX_UNUSABLE;
        h->why = "is this machine's own name";
    } else if (h->name.n > DOMAIN_BYTES_MAX || text_find(h->name, '\\') < h->name.n) {
        h->state = MX_UNUSABLE;
        h->why = "is not a host name";
    } else if (!domain_is_ldh(h->name)) {
        h->why = "is not quite a host name"; /* "mx_1.example": asked for all the same */
    }
    if (h->why)
        note(m, "%.*s %s", (int)TIDE_MIN(h->name.n, (size_t)DOMAIN_BYTES_MAX), h->name.p, h->why);
}

static void on_mx(struct mx *m, const struct dns_answer *a)
{
    for (size_t i = 0; i < a->rr_count; i++) {
        const struct dns_rr *rr = &a->rrs[i];
        note_mx(m, rr);
        m->host_total++;
        if (text_eq(rr->data, TEXT("."))) {
            m->null_mx = true;
            continue;
        }
        if (m->host_count == MX_HOSTS_MAX)
            continue;
        struct mx_host *h = &m->hosts[m->host_count];
        *h = (struct mx_host){.name = arena_text(m->arena, rr->data), .preference = rr->preference};
        m->out_of_memory = m->out_of_memory || !h->name.p;
        m->host_count += h->name.p != NULL;
    }
    qsort(m->hosts, m->host_count, sizeof m->hosts[0], compare_hosts);
    for (size_t i = 0; i < m->host_count; i++)
        judge_name(m, &m->hosts[i]);
    if (m->null_mx && m->host_count) {
        note(m, "a null MX beside others means nothing (RFC 7505 3)");
        m->null_mx = false;
    }
}

/* Notes the addresses and says whether one is usable. */
static bool judge_addresses(struct mx *m, struct mx_host *h, const struct dns_answer *a);

/* The server may have told the address of the first host along with the MX: one question less.
 * Only what makes it usable counts; else it is asked for as any other. */
static void use_extra(struct mx *m, const struct dns_answer *a)
{
    struct mx_host *h = &m->hosts[0];
    struct dns_rr found[DNS_EXTRA_MAX];
    struct dns_answer told = {.type = DNS_A, .status = DNS_OK, .ttl_s = a->ttl_s, .rrs = found};
    bool usable = false;
    if (m->null_mx || m->host_count == 0 || h->state != MX_UNASKED)
        return;
    for (size_t i = 0; i < a->extra_count && told.rr_count < TIDE_COUNT(found); i++) {
        const struct dns_rr *rr = &a->extra[i];
        if (!text_eq(rr->data, h->name))
            continue;
        usable = usable || m->private_addresses || !netaddr_not_global4(rr->address);
        told.ttl_s = TIDE_MIN(told.ttl_s, rr->ttl_s);
        found[told.rr_count++] = *rr;
    }
    if (!usable || !judge_addresses(m, h, &told))
        return;
    h->state = MX_USABLE;
    use_ttl(m, &told);
}

static void answer_mx(struct mx *m, const struct dns_answer *a, struct mx_todo *todo)
{
    note_answer(m, m->domain, a);
    use_ttl(m, a);
    if (a->status == DNS_OK) {
        on_mx(m, a);
        use_extra(m, a);
    } else if (a->status == DNS_NODATA) {
        m->implicit = true;
        m->hosts[m->host_count++] = (struct mx_host){.name = m->domain};
    } else {
        m->no_domain = a->status == DNS_NXDOMAIN;
        m->doubt = m->no_domain ? DNS_OK : a->status;
    }
    next_host(m, todo);
}

static bool judge_addresses(struct mx *m, struct mx_host *h, const struct dns_answer *a)
{
    bool usable = false;
    for (size_t i = 0; i < a->rr_count; i++) {
        const struct dns_rr *rr = &a->rrs[i];
        bool four = a->type == DNS_A;
        const char *kind =
            four ? netaddr_not_global4(rr->address) : netaddr_not_global6(rr->address);
        note_address(m, h->name, a->type, rr, kind);
        if (!kind || m->private_addresses)
            usable = true;
        else
            h->why = kind;
        h->has_address = true;
    }
    return usable;
}

static void answer_address(struct mx *m, const struct dns_answer *a, struct mx_todo *todo)
{
    struct mx_host *h = &m->hosts[m->at];
    note_answer(m, h->name, a);
    use_ttl(m, a);
    if (judge_addresses(m, h, a)) {
        h->state = MX_USABLE;
    } else if (!dns_status_is_final(a->status)) {
        h->state = MX_DOUBTFUL;
        m->doubt = a->status;
    } else if (a->status == DNS_NXDOMAIN) {
        h->state = MX_UNUSABLE;
        h->why = "does not exist";
        h->has_address = false;
    } else if (m->state == MX_A) {
        ask(m, MX_AAAA, h->name, DNS_AAAA, todo);
        return;
    } else {
        h->state = MX_UNUSABLE;
        h->why = h->has_address ? h->why : "has no address";
    }
    next_host(m, todo);
}

/* "v=spf1 -all" and nothing else: the domain's owner says that it has no mail. */
static bool is_sends_nothing(struct text txt)
{
    struct text word;
    if (!text_split(&txt, ' ', &word) || !text_ieq(word, TEXT("v=spf1")))
        return false;
    bool all = false;
    while (text_split(&txt, ' ', &word)) {
        if (word.n && !text_ieq(word, TEXT("-all")))
            return false;
        all = all || word.n;
    }
    return all;
}

static void answer_spf(struct mx *m, const struct dns_answer *a, struct mx_todo *todo)
{
    for (size_t i = 0; i < a->rr_count; i++) {
        if (!is_sends_nothing(a->rrs[i].data))
            continue;
        m->sends_nothing = true;
        use_ttl(m, a);
        note(m, TEXT_FMT " TXT \"v=spf1 -all\" (ttl %u)", TEXT_ARG(m->domain), a->rrs[i].ttl_s);
    }
    finish(m, todo);
}

void mx_answer(struct mx *m, const struct dns_answer *a, struct mx_todo *todo)
{
    *todo = (struct mx_todo){0};
    switch (m->state) {
    case MX_MX:
        answer_mx(m, a, todo);
        return;
    case MX_A:
    case MX_AAAA:
        answer_address(m, a, todo);
        return;
    case MX_SPF:
        answer_spf(m, a, todo);
        return;
    case MX_BEHIND:
        answer_behind(m, a, todo);
        return;
    case MX_IDLE:
    case MX_DONE:
        todo->done = true;
        return;
    }
}

static size_t count_in(const struct mx *m, enum mx_host_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < m->host_count; i++)
        n += m->hosts[i].state == state;
    return n;
}

static const struct mx_host *first_in(const struct mx *m, enum mx_host_state state)
{
    for (size_t i = 0; i < m->host_count; i++)
        if (m->hosts[i].state == state)
            return &m->hosts[i];
    return NULL;
}

/* The first host that delivers to nobody who was meant; NULL: none does. */
static const struct mx_host *odd_host(const struct mx *m, enum provider_oddity *ret)
{
    for (size_t i = 0; i < m->host_count && m->providers && !m->implicit; i++) {
        *ret = provider_oddity(m->providers, m->hosts[i].name);
        if (*ret != PROVIDER_NOT_ODD)
            return &m->hosts[i];
    }
    return NULL;
}

/* Kind and sentence. In order: what ends it, what is certain, what is doubtful. */
static enum verdict_kind judge(const struct mx *m, struct buf *why)
{
    const struct mx_host *usable = first_in(m, MX_USABLE), *bad = first_in(m, MX_UNUSABLE);
    if (m->no_domain) {
        buf_addf(why, "The domain " TEXT_FMT " does not exist.", TEXT_ARG(m->domain));
        return VERDICT_UNDELIVERABLE;
    }
    if (m->null_mx) {
        buf_addf(why, "The domain " TEXT_FMT " says that it takes no mail (null MX, RFC 7505).",
                 TEXT_ARG(m->domain));
        return VERDICT_UNDELIVERABLE;
    }
    if (usable && m->implicit) {
        buf_addf(why, TEXT_FMT " has no MX record; mail goes to its own address (RFC 5321 5.1)%s.",
                 TEXT_ARG(m->domain),
                 m->sends_nothing ? ", but its SPF record says that it has no mail at all" : "");
        return m->sends_nothing ? VERDICT_RISKY : VERDICT_DELIVERABLE;
    }
    enum provider_oddity oddity;
    const struct mx_host *odd = usable ? odd_host(m, &oddity) : NULL;
    if (odd) {
        buf_addf(why, "Mail for " TEXT_FMT " is taken by " TEXT_FMT ", %s.", TEXT_ARG(m->domain),
                 TEXT_ARG(odd->name),
                 oddity == PROVIDER_PARKED
                     ? "a host of parked domains: whom it was meant for does not read it"
                     : "a host of addresses made to be thrown away");
        return VERDICT_RISKY;
    }
    if (usable) {
        buf_expect(why, m->domain.n + usable->name.n + 64);
        buf_adds(why, "Mail for ");
        buf_add_text(why, m->domain);
        buf_adds(why, " is taken by ");
        buf_add_text(why, usable->name);
        buf_adds(why, m->host_total > 1 ? " and others." : ".");
        return VERDICT_DELIVERABLE;
    }
    if (m->doubt != DNS_OK || m->out_of_memory || count_in(m, MX_UNASKED)) {
        buf_addf(why, "Whether " TEXT_FMT " takes mail could not be found out: %s.",
                 TEXT_ARG(m->domain),
                 m->doubt != DNS_OK ? dns_status_text(m->doubt)
                 : m->out_of_memory ? "out of memory"
                                    : "none of the first mail hosts can be reached");
        return VERDICT_UNKNOWN;
    }
    if (count_in(m, MX_LITERAL)) {
        buf_addf(why, "The MX of " TEXT_FMT " is an IP address, which many senders do not accept.",
                 TEXT_ARG(m->domain));
        return VERDICT_RISKY;
    }
    if (m->implicit && bad && bad->has_address)
        buf_addf(why, TEXT_FMT " has no MX record, and its own address is %s.", TEXT_ARG(m->domain),
                 bad->why);
    else if (m->implicit)
        buf_addf(why, "The domain " TEXT_FMT " has neither an MX record nor an address.",
                 TEXT_ARG(m->domain));
    else
        buf_addf(why, "No mail host of " TEXT_FMT " can be reached: " TEXT_FMT " %s%s.",
                 TEXT_ARG(m->domain), TEXT_ARG(bad ? bad->name : m->domain),
                 bad && bad->has_address ? "has " : "", bad ? bad->why : "takes no mail");
    return VERDICT_UNDELIVERABLE;
}

static int64_t valid_ms(const struct mx *m, enum verdict_kind kind)
{
    if (kind == VERDICT_UNKNOWN || m->stale) {
        bool silent = m->doubt == DNS_TIMEOUT || m->doubt == DNS_UNREACHABLE;
        return silent ? MX_RETRY_SILENT_MS : MX_RETRY_DOUBT_MS;
    }
    return TIDE_MAX(m->valid_ms, MX_VALID_MS_MIN);
}

static void set_provider(const struct mx *m, struct arena *arena, struct verdict *v)
{
    struct provider_match who = match(m);
    struct text provider = text_of(who.provider ? who.provider->name : "");
    enum limit_confidence confidence = CONFIDENCE_HIGH;
    if (who.gateway && !who.provider)
        provider = mailbox_host_name(&m->behind, &confidence);
    v->provider = arena_text(arena, provider);
    v->provider_likely = confidence != CONFIDENCE_HIGH;
    v->gateway = arena_text(arena, text_of(who.gateway ? who.gateway->name : ""));
}

void mx_verdict(const struct mx *m, tide_wall_ms now, struct arena *arena, struct verdict *ret)
{
    struct buf why;
    buf_init(&why, 0);
    struct verdict v = {.kind = judge(m, &why), .found_at = now};
    if (m->providers && v.kind == VERDICT_UNDELIVERABLE) {
        struct text meant = provider_suggest(m->providers, m->domain);
        if (meant.n)
            buf_addf(&why, " Was " TEXT_FMT " meant?", TEXT_ARG(meant));
    }
    set_provider(m, arena, &v);
    if (v.gateway.n)
        buf_addf(&why, " " TEXT_FMT " filters it%s" TEXT_FMT ".", TEXT_ARG(v.gateway),
                 v.provider.n == 0   ? ""
                 : v.provider_likely ? ", most likely for mailboxes at "
                                     : " for mailboxes at ",
                 TEXT_ARG(v.provider));
    v.reason = arena_text(arena, buf_text(&why));
    v.evidence = arena_text(arena, buf_text(&m->evidence));
    v.valid_until = now + valid_ms(m, v.kind);
    buf_fini(&why);
    *ret = v;
}
