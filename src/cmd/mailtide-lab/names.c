#include "cmd/mailtide-lab/names.h"

#include "base/macros.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

enum fault { FAULT_NONE, FAULT_SERVFAIL, FAULT_TIMEOUT };

struct record {
    struct text owner;
    uint16_t type; /* 0: a fault */
    uint16_t preference;
    struct text data; /* a name, or the text of a TXT */
    uint8_t address[16];
    enum fault fault;
    int64_t delay_ms;
};

struct names {
    struct record *records;
    size_t count;
    uint32_t ttl_s;
};

#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define RCODE_NOTIMP   4

/* -- Reading -----------------------------------------------------------------------------------
 */

static const struct {
    const char *word;
    uint16_t type;
} types[] = {
    {"A", DNS_A}, {"AAAA", DNS_AAAA}, {"MX", DNS_MX}, {"TXT", DNS_TXT}, {"CNAME", DNS_CNAME}};

/* Without the last dot; the root is "". */
static struct text plain(struct text name)
{
    return name.n > 0 && name.p[name.n - 1] == '.' ? text_cut(name, 0, name.n - 1) : name;
}

static enum tide_err parse_data(struct record *r, struct text data, struct tide_error *err)
{
    char address[64];
    struct text preference;
    int64_t number = 0;
    enum tide_err rc = TIDE_OK;
    switch (r->type) {
    case DNS_A:
    case DNS_AAAA:
        snprintf(address, sizeof address, TEXT_FMT, TEXT_ARG(data));
        if (inet_pton(r->type == DNS_A ? AF_INET : AF_INET6, address, r->address) != 1)
            return tide_fail(err, TIDE_ESYNTAX, "want an address");
        return TIDE_OK;
    case DNS_MX:
        text_split(&data, ' ', &preference);
        rc = text_int(preference, 0, 65535, &number, err);
        r->preference = (uint16_t)number;
        r->data = plain(text_trim(data));
        return rc;
    case DNS_CNAME:
        r->data = plain(data);
        return TIDE_OK;
    default:
        r->data = data;
        return TIDE_OK;
    }
}

static enum tide_err parse_record(const char *line, struct record *r, struct tide_error *err)
{
    struct text rest = text_trim(text_of(line)), owner = {0}, word = {0};
    text_split(&rest, ' ', &owner);
    rest = text_trim(rest);
    text_split(&rest, ' ', &word);
    rest = text_trim(rest);
    r->owner = plain(owner);
    if (text_eq(word, TEXT("SERVFAIL")) || text_eq(word, TEXT("TIMEOUT"))) {
        r->fault = word.p[0] == 'S' ? FAULT_SERVFAIL : FAULT_TIMEOUT;
        return TIDE_OK;
    }
    if (text_eq(word, TEXT("SLOW")))
        return text_duration_ms(rest, &r->delay_ms, err);
    for (size_t i = 0; i < TIDE_COUNT(types); i++)
        if (text_eq(word, text_of(types[i].word))) {
            r->type = types[i].type;
            return parse_data(r, rest, err);
        }
    return tide_fail(err, TIDE_ESYNTAX, "want A, AAAA, MX, TXT, CNAME, SERVFAIL, TIMEOUT or SLOW");
}

enum tide_err names_new(
    char *const *records, size_t count, uint32_t ttl_s, struct names **ret, struct tide_error *err)
{
    struct names *n = calloc(1, sizeof *n);
    struct dns_question q;
    enum tide_err rc = TIDE_OK;
    if (n)
        n->records = calloc(count + 1, sizeof *n->records);
    if (!n || !n->records) {
        free(n);
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    }
    n->ttl_s = ttl_s;
    for (size_t i = 0; i < count && rc == TIDE_OK; i++) {
        struct record *r = &n->records[n->count++];
        rc = parse_record(records[i], r, err);
        if (rc == TIDE_OK)
            rc = dns_question_init(&q, r->owner, DNS_A, err);
        if (rc == TIDE_OK && (r->type == DNS_MX || r->type == DNS_CNAME) && r->data.n > 0)
            rc = dns_question_init(&q, r->data, DNS_A, err);
        if (rc != TIDE_OK)
            rc = tide_wrap(err, rc, "record \"%.80s\"", records[i]);
    }
    if (rc == TIDE_OK)
        *ret = n;
    else
        names_free(n);
    return rc;
}

void names_free(struct names *n)
{
    if (!n)
        return;
    free(n->records);
    free(n);
}

/* -- Looking up --------------------------------------------------------------------------------
 */

struct found {
    bool exists;
    enum fault fault;
    int64_t delay_ms;
    const struct record *cname;
};

static bool is_below(struct text name, struct text above)
{
    return name.n > above.n + 1 && name.p[name.n - above.n - 1] == '.' && text_iends(name, above);
}

static struct found find(const struct names *n, struct text name)
{
    struct found f = {.exists = name.n == 0};
    for (size_t i = 0; i < n->count; i++) {
        const struct record *r = &n->records[i];
        if (!text_ieq(r->owner, name)) {
            f.exists |= is_below(r->owner, name);
            continue;
        }
        f.exists = true;
        f.fault = r->fault ? r->fault : f.fault;
        f.delay_ms = TIDE_MAX(f.delay_ms, r->delay_ms);
        if (r->type == DNS_CNAME)
            f.cname = r;
    }
    return f;
}

enum dns_status names_mx(const struct names *n,
                         struct text domain,
                         struct text hosts[NAMES_MX_MAX],
                         size_t *ret_count)
{
    uint16_t preferences[NAMES_MX_MAX];
    size_t count = 0;
    *ret_count = 0;
    struct found f = find(n, domain);
    for (int links = 0; f.cname && links < DNS_CNAME_MAX; links++) {
        domain = f.cname->data;
        f = find(n, domain);
    }
    if (f.fault || !f.exists)
        return f.fault == FAULT_NONE      ? DNS_NXDOMAIN
               : f.fault == FAULT_TIMEOUT ? DNS_TIMEOUT
                                          : DNS_SERVFAIL;
    for (size_t i = 0; i < n->count && count < NAMES_MX_MAX; i++) {
        const struct record *r = &n->records[i];
        if (r->type != DNS_MX || !text_ieq(r->owner, domain))
            continue;
        if (r->data.n == 0)
            return DNS_NODATA;
        size_t at = count++;
        for (; at > 0 && preferences[at - 1] > r->preference; at--) {
            preferences[at] = preferences[at - 1];
            hosts[at] = hosts[at - 1];
        }
        preferences[at] = r->preference;
        hosts[at] = r->data;
    }
    if (count == 0)
        hosts[count++] = domain;
    *ret_count = count;
    return DNS_OK;
}

/* -- The wire ----------------------------------------------------------------------------------
 */

struct wire {
    uint8_t *p;
    size_t n, cap;
    bool full;
};

static void put(struct wire *w, const void *bytes, size_t n)
{
    if (w->n + n > w->cap) {
        w->full = true;
        return;
    }
    memcpy(w->p + w->n, bytes, n);
    w->n += n;
}

static void put8(struct wire *w, unsigned x)
{
    put(w, &(uint8_t){(uint8_t)x}, 1);
}

static void put16(struct wire *w, unsigned x)
{
    put8(w, x >> 8);
    put8(w, x & 255);
}

static void put32(struct wire *w, uint32_t x)
{
    put16(w, x >> 16);
    put16(w, x & 65535);
}

static void put_name(struct wire *w, struct text name)
{
    struct text label;
    while (name.n > 0 && text_split(&name, '.', &label)) {
        put8(w, (unsigned)label.n);
        put(w, label.p, label.n);
    }
    put8(w, 0);
}

/* Everything up to the data; returns where its length is to be written. */
static size_t put_head(struct wire *w, struct text owner, unsigned type, uint32_t ttl_s)
{
    put_name(w, owner);
    put16(w, type);
    put16(w, 1);
    put32(w, ttl_s);
    put16(w, 0);
    return w->n - 2;
}

static void put_length(struct wire *w, size_t at)
{
    size_t n = w->n - at - 2;
    if (w->full)
        return;
    w->p[at] = (uint8_t)(n >> 8);
    w->p[at + 1] = (uint8_t)n;
}

static void put_record(struct wire *w, const struct record *r, uint32_t ttl_s)
{
    size_t at = put_head(w, r->owner, r->type, ttl_s);
    struct text rest = r->data;
    switch (r->type) {
    case DNS_A:
        put(w, r->address, 4);
        break;
    case DNS_AAAA:
        put(w, r->address, 16);
        break;
    case DNS_MX:
        put16(w, r->preference);
        put_name(w, r->data);
        break;
    case DNS_CNAME:
        put_name(w, r->data);
        break;
    case DNS_TXT:
        do {
            struct text piece = text_cut(rest, 0, 255);
            put8(w, (unsigned)piece.n);
            put(w, piece.p, piece.n);
            rest = text_cut(rest, piece.n, rest.n);
        } while (rest.n > 0);
        break;
    default:
        break;
    }
    put_length(w, at);
}

static void put_soa(struct wire *w, uint32_t ttl_s)
{
    struct text root = {"", 0};
    size_t at = put_head(w, root, DNS_SOA, ttl_s);
    put_name(w, TEXT("ns.lab.example"));
    put_name(w, TEXT("hostmaster.lab.example"));
    put32(w, 1);     /* serial */
    put32(w, 3600);  /* refresh */
    put32(w, 600);   /* retry */
    put32(w, 86400); /* expire */
    put32(w, ttl_s); /* negative answers */
    put_length(w, at);
}

static void put_edns(struct wire *w)
{
    put8(w, 0);
    put16(w, DNS_OPT);
    put16(w, DNS_EDNS_BYTES);
    put32(w, 0);
    put16(w, 0);
}

struct asked {
    struct arena arena;
    struct text name;
    unsigned type;
    size_t end; /* of the question */
    bool edns;
};

/* One question, no compression in it. */
static bool read_question(const uint8_t *query, size_t n, struct asked *ret)
{
    size_t at = 12;
    if (n < 12 + 5 || (query[2] & 0x80) || query[4] != 0 || query[5] != 1)
        return false;
    while (at < n && query[at] != 0) {
        if (query[at] > 63)
            return false;
        at += 1u + query[at];
    }
    if (at + 5 > n || at - 12 + 1 > DNS_NAME_BYTES_MAX)
        return false;
    ret->name = plain(dns_name_text(query + 12, at + 1 - 12, &ret->arena));
    ret->type = (unsigned)query[at + 1] << 8 | query[at + 2];
    ret->end = at + 5;
    /* The only record a query has behind its question is OPT. */
    ret->edns = query[11] > 0 && n >= ret->end + 11 && query[ret->end] == 0 &&
                query[ret->end + 2] == DNS_OPT;
    return ret->name.p != NULL;
}

static unsigned put_answers(
    const struct names *n, struct wire *w, const struct asked *q, unsigned *ret_rcode, bool *ret_ok)
{
    unsigned answers = 0;
    struct text name = q->name;
    struct found f = find(n, name);
    for (int links = 0; f.cname && q->type != DNS_CNAME && links < DNS_CNAME_MAX; links++) {
        put_record(w, f.cname, n->ttl_s);
        answers++;
        name = f.cname->data;
        f = find(n, name);
    }
    *ret_rcode = f.exists ? 0 : RCODE_NXDOMAIN;
    *ret_ok = false;
    for (size_t i = 0; i < n->count; i++) {
        const struct record *r = &n->records[i];
        if (r->type != 0 && r->type == q->type && text_ieq(r->owner, name)) {
            put_record(w, r, n->ttl_s);
            answers++;
            *ret_ok = true;
        }
    }
    return answers;
}

static void put_header(
    struct wire *w, const uint8_t *query, bool truncated, unsigned rcode, const unsigned counts[3])
{
    put(w, query, 2);
    put8(w, 0x84u | (query[2] & 0x79u) | (truncated ? 2u : 0)); /* QR AA, opcode, TC, RD */
    put8(w, 0x80u | rcode);                                     /* RA */
    put16(w, 1);
    for (int i = 0; i < 3; i++)
        put16(w, counts[i]);
}

size_t names_answer(const struct names *n,
                    const uint8_t *query,
                    size_t query_n,
                    bool tcp,
                    uint8_t *out,
                    int64_t *ret_delay_ms)
{
    struct asked q = {0};
    *ret_delay_ms = 0;
    if (!read_question(query, query_n, &q)) {
        arena_fini(&q.arena);
        return 0;
    }
    size_t most = tcp ? NAMES_ANSWER_BYTES_MAX : q.edns ? DNS_EDNS_BYTES : 512;
    struct wire w = {.p = out, .cap = most - (q.edns ? 11 : 0)};
    struct wire head = {.p = out, .cap = 12};
    struct found f = find(n, q.name);
    *ret_delay_ms = f.delay_ms;
    unsigned rcode = 0, counts[3] = {0, 0, q.edns};
    bool has_records = true;
    w.n = 12;
    put(&w, query + 12, q.end - 12); /* as it came: the mixed case is a sign */
    if (query[2] & 0x78)
        rcode = RCODE_NOTIMP;
    else if (f.fault == FAULT_SERVFAIL)
        rcode = RCODE_SERVFAIL;
    else
        counts[0] = put_answers(n, &w, &q, &rcode, &has_records);
    if (!has_records) {
        put_soa(&w, n->ttl_s);
        counts[1] = 1;
    }
    bool truncated = w.full;
    if (truncated) {
        w.n = q.end;
        counts[0] = counts[1] = 0;
    }
    w.cap = most;
    if (q.edns)
        put_edns(&w);
    put_header(&head, query, truncated, rcode, counts);
    arena_fini(&q.arena);
    return f.fault == FAULT_TIMEOUT ? 0 : w.n;
}
