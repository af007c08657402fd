#include "core/dns/message.h"

#include "base/macros.h"
#include "base/map.h"

#include <ldns/ldns.h>

#define HEADER_BYTES   12
#define RCODE_FORMERR  1
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define RCODE_NOTIMP   4
#define RCODE_BADVERS  16

static const struct {
    enum dns_type type;
    const char *name;
} types[] = {
    {DNS_A, "A"},   {DNS_NS, "NS"},   {DNS_CNAME, "CNAME"}, {DNS_SOA, "SOA"}, {DNS_PTR, "PTR"},
    {DNS_MX, "MX"}, {DNS_TXT, "TXT"}, {DNS_AAAA, "AAAA"},   {DNS_OPT, "OPT"},
};

const char *dns_type_name(enum dns_type type)
{
    for (size_t i = 0; i < TIDE_COUNT(types); i++)
        if (types[i].type == type)
            return types[i].name;
    return "?";
}

static const struct {
    const char *name, *text;
    bool final;
} statuses[] = {
#define DNS_STATUS(code, text, final) [DNS_##code] = {#code, text, final},
    DNS_STATUSES(DNS_STATUS)
#undef DNS_STATUS
};

const char *dns_status_name(enum dns_status s)
{
    return (size_t)s < TIDE_COUNT(statuses) ? statuses[s].name : "?";
}

const char *dns_status_text(enum dns_status s)
{
    return (size_t)s < TIDE_COUNT(statuses) ? statuses[s].text : "?";
}

bool dns_status_is_final(enum dns_status s)
{
    return (size_t)s < TIDE_COUNT(statuses) && statuses[s].final;
}

static enum tide_err not_a_name(struct text name, struct tide_error *err)
{
    return tide_fail(err, TIDE_EINVAL, "\"" TEXT_FMT "\" is not a DNS name",
                     TEXT_ARG(text_cut(name, 0, 100)));
}

int64_t dns_key(unsigned type, const void *name, size_t n)
{
    return (int64_t)(hash_bytes(name, n) + hash_u64(type));
}

enum tide_err dns_question_init(struct dns_question *q,
                                struct text name,
                                enum dns_type type,
                                struct tide_error *err)
{
    uint8_t wire[DNS_NAME_BYTES_MAX];
    size_t end = name.n && name.p[name.n - 1] == '.' ? name.n - 1 : name.n;
    if (end + 2 > DNS_NAME_BYTES_MAX)
        return not_a_name(name, err);
    /* Each label's length stands where its dot, or the beginning, was. */
    size_t length_at = 0;
    bool escaped = false;
    for (size_t i = 0; i <= end && end > 0; i++) {
        if (i < end && name.p[i] != '.') {
            escaped |= name.p[i] == '\\';
            wire[i + 1] = (uint8_t)ascii_lower(name.p[i]);
            continue;
        }
        size_t label = i - length_at;
        if (label == 0 || label > 63)
            return not_a_name(name, err);
        wire[length_at] = (uint8_t)label;
        length_at = i + 1;
    }
    if (escaped)
        return not_a_name(name, err);
    size_t n = end ? end + 2 : 1;
    wire[n - 1] = 0;
    /* Field by field: most of the struct is never used, and this is called for every look-up. */
    q->type = (uint16_t)type;
    q->id = 0;
    q->name_n = (uint8_t)n;
    memcpy(q->name, wire, n);
    memcpy(q->sent, wire, n);
    q->key = dns_key(type, wire, n);
    return TIDE_OK;
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

size_t dns_encode(
    struct dns_question *q, uint16_t id, const uint8_t mix[32], bool edns, uint8_t *out)
{
    static const uint8_t opt[11] = {0, 0, DNS_OPT, DNS_EDNS_BYTES >> 8, DNS_EDNS_BYTES & 0xff};
    size_t n = HEADER_BYTES;
    memset(out, 0, HEADER_BYTES);
    q->id = id;
    put16(out, id);
    out[2] = 0x01; /* RD */
    out[5] = 1;    /* QDCOUNT */
    out[11] = edns;
    for (size_t i = 0; i < q->name_n; i++) {
        uint8_t c = q->name[i];
        bool upper = c >= 'a' && c <= 'z' && mix && mix[i / 8] >> i % 8 & 1;
        q->sent[i] = upper ? (uint8_t)(c - 32) : c;
    }
    memcpy(out + n, q->sent, q->name_n);
    n += q->name_n;
    put16(out + n, q->type);
    put16(out + n + 2, 1); /* IN */
    n += 4;
    if (edns) {
        memcpy(out + n, opt, sizeof opt);
        n += sizeof opt;
    }
    return n;
}

struct text dns_name_text(const uint8_t *wire, size_t n, struct arena *arena)
{
    char out[4 * DNS_NAME_BYTES_MAX + 8];
    size_t o = 0;
    for (size_t at = 0; at < n && wire[at];) {
        size_t len = wire[at++];
        if (o)
            out[o++] = '.';
        for (size_t end = TIDE_MIN(at + len, n); at < end && o < 4 * DNS_NAME_BYTES_MAX; at++) {
            uint8_t c = wire[at];
            if (c > 0x20 && c < 0x7f && c != '.' && c != '\\' && c != '"')
                out[o++] = ascii_lower((char)c);
            else
                o += (size_t)snprintf(out + o, 5, "\\%03u", c);
        }
    }
    if (o == 0)
        out[o++] = '.';
    return arena_text(arena, (struct text){out, o});
}

/* The part of `n` octets at most that is a name in wire form, in lower case; 0: none. */
static size_t lower_name(const ldns_rdf *rdf, uint8_t out[DNS_NAME_BYTES_MAX])
{
    if (!rdf || ldns_rdf_get_type(rdf) != LDNS_RDF_TYPE_DNAME)
        return 0;
    const uint8_t *p = ldns_rdf_data(rdf);
    size_t n = ldns_rdf_size(rdf);
    if (n == 0 || n > DNS_NAME_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)ascii_lower((char)p[i]); /* lengths are below 'A' */
    return n;
}

/* Steps over a name without following pointers; 0: it runs out of the message. */
static size_t skip_name(const uint8_t *wire, size_t n, size_t at)
{
    while (at < n) {
        uint8_t c = wire[at];
        if (c == 0)
            return at + 1;
        if ((c & 0xC0) == 0xC0)
            return at + 2 <= n ? at + 2 : 0;
        if (c & 0xC0)
            return 0;
        at += 1u + c;
    }
    return 0;
}

/* One record's frame, read without decoding it. */
struct frame {
    size_t start, next;
    unsigned type, class, ttl_high; /* of OPT, the high octet of the TTL extends the rcode */
};

static bool read_frame(const uint8_t *wire, size_t n, size_t at, struct frame *ret)
{
    size_t fixed = skip_name(wire, n, at);
    if (fixed == 0 || fixed + 10 > n)
        return false;
    ret->start = at;
    ret->type = get16(wire + fixed);
    ret->class = get16(wire + fixed + 2);
    ret->ttl_high = wire[fixed + 4];
    ret->next = fixed + 10 + get16(wire + fixed + 8);
    return ret->next <= n;
}

struct decoder {
    const struct dns_question *q;
    const uint8_t *wire;
    size_t n, at;
    unsigned walked;
    ldns_rr *answers[DNS_RRS_MAX]; /* IN, of the type asked or CNAME */
    size_t answer_count;
    ldns_rr *soa;
    size_t extra[DNS_EXTRA_MAX]; /* MX: where additional A records begin */
    size_t extra_count;
    bool has_ns;
    bool has_other; /* answers of a type that was not asked for and that no alias brings along */
    unsigned rcode;
};

static void decoder_free(struct decoder *d)
{
    for (size_t i = 0; i < d->answer_count; i++)
        ldns_rr_free(d->answers[i]);
    ldns_rr_free(d->soa);
}

static ldns_rr *decode_rr(const struct decoder *d, const struct frame *f, ldns_pkt_section section)
{
    ldns_rr *rr = NULL;
    size_t at = f->start;
    if (ldns_wire2rr(&rr, d->wire, d->n, &at, section) != LDNS_STATUS_OK)
        return NULL;
    if (at != f->next) {
        ldns_rr_free(rr);
        return NULL;
    }
    return rr;
}

/* The answer section; false: damaged, or too much of it. */
static bool walk_answers(struct decoder *d, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct frame f;
        if (++d->walked > DNS_RRS_MAX || !read_frame(d->wire, d->n, d->at, &f))
            return false;
        d->at = f.next;
        if (f.class != LDNS_RR_CLASS_IN || (f.type != d->q->type && f.type != DNS_CNAME)) {
            d->has_other =
                d->has_other || (f.type != LDNS_RR_TYPE_DNAME && f.type != LDNS_RR_TYPE_RRSIG);
            continue;
        }
        ldns_rr *rr = decode_rr(d, &f, LDNS_SECTION_ANSWER);
        if (!rr)
            return false;
        d->answers[d->answer_count++] = rr;
    }
    return true;
}

/* Authority and additional sections: a SOA, an NS, the extended rcode. What is beyond the bound is
 * not looked at; damage there does not spoil the answer. */
static void walk_rest(struct decoder *d, unsigned authority, unsigned additional)
{
    struct frame f;
    for (unsigned i = 0; i < authority + additional; i++) {
        if (++d->walked > 2 * DNS_RRS_MAX || !read_frame(d->wire, d->n, d->at, &f))
            return;
        d->at = f.next;
        if (i < authority) {
            if (f.type == DNS_SOA && f.class == LDNS_RR_CLASS_IN && !d->soa)
                d->soa = decode_rr(d, &f, LDNS_SECTION_AUTHORITY);
            d->has_ns = d->has_ns || f.type == DNS_NS;
        } else if (f.type == DNS_OPT) {
            d->rcode |= f.ttl_high << 4;
        } else if (d->q->type == DNS_MX && f.type == DNS_A && f.class == LDNS_RR_CLASS_IN &&
                   d->extra_count < DNS_EXTRA_MAX) {
            d->extra[d->extra_count++] = f.start;
        }
    }
}

static bool owner_is(const ldns_rr *rr, const uint8_t *name, size_t n)
{
    uint8_t owner[DNS_NAME_BYTES_MAX];
    return lower_name(ldns_rr_owner(rr), owner) == n && memcmp(owner, name, n) == 0;
}

/* Whether `name` is `zone` or below it. */
static bool is_below(const uint8_t *name, size_t n, const uint8_t *zone, size_t zone_n)
{
    for (size_t at = 0; n - at >= zone_n; at += 1u + name[at]) {
        if (n - at == zone_n && memcmp(name + at, zone, zone_n) == 0)
            return true;
        if (name[at] == 0)
            break;
    }
    return false;
}

static uint32_t ttl_of(const ldns_rr *rr)
{
    uint32_t ttl = ldns_rr_ttl(rr);
    return ttl > INT32_MAX ? 0 : ttl; /* RFC 2181 8 */
}

static struct text rdf_name(const ldns_rdf *rdf, struct arena *arena)
{
    uint8_t name[DNS_NAME_BYTES_MAX];
    size_t n = lower_name(rdf, name);
    return n ? dns_name_text(name, n, arena) : (struct text){0};
}

static struct text join_strings(const ldns_rr *rr, struct arena *arena)
{
    size_t total = 0, n = 0;
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
        total += ldns_rdf_size(ldns_rr_rdf(rr, i));
    char *out = arena_alloc(arena, total + 1);
    for (size_t i = 0; out && i < ldns_rr_rd_count(rr); i++) {
        const ldns_rdf *rdf = ldns_rr_rdf(rr, i);
        const uint8_t *p = ldns_rdf_data(rdf);
        size_t size = ldns_rdf_size(rdf);
        size_t len = size ? TIDE_MIN((size_t)p[0], size - 1) : 0;
        if (len)
            memcpy(out + n, p + 1, len);
        n += len;
    }
    return (struct text){out, n};
}

/* False: the data is not what the type says, or no memory is left. */
static bool read_rr(const ldns_rr *rr, unsigned type, struct arena *arena, struct dns_rr *ret)
{
    const ldns_rdf *first = ldns_rr_rdf(rr, 0);
    ret->ttl_s = ttl_of(rr);
    switch (type) {
    case DNS_A:
    case DNS_AAAA: {
        size_t size = type == DNS_A ? 4 : 16;
        if (!first || ldns_rdf_size(first) != size)
            return false;
        memcpy(ret->address, ldns_rdf_data(first), size);
        return true;
    }
    case DNS_MX:
        if (ldns_rr_rd_count(rr) != 2 || ldns_rdf_size(first) != 2)
            return false;
        ret->preference = (uint16_t)get16(ldns_rdf_data(first));
        ret->data = rdf_name(ldns_rr_rdf(rr, 1), arena);
        return ret->data.p != NULL;
    case DNS_TXT:
        ret->data = join_strings(rr, arena);
        return ret->data.p != NULL;
    default:
        ret->data = rdf_name(first, arena);
        return ret->data.p != NULL;
    }
}

/* Follows the CNAMEs from the name asked; false: a loop, or too many. */
static bool follow_chain(struct decoder *d, uint8_t *name, size_t *n, struct dns_answer *a)
{
    bool moved = d->q->type != DNS_CNAME;
    while (moved) {
        moved = false;
        for (size_t i = 0; i < d->answer_count && !moved; i++) {
            const ldns_rr *rr = d->answers[i];
            if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_CNAME || !owner_is(rr, name, *n))
                continue;
            if (a->cname_count++ >= DNS_CNAME_MAX)
                return false;
            uint8_t target[DNS_NAME_BYTES_MAX];
            size_t target_n = lower_name(ldns_rr_rdf(rr, 0), target);
            if (target_n == 0)
                return false;
            memcpy(name, target, target_n);
            *n = target_n;
            a->ttl_s = TIDE_MIN(a->ttl_s, ttl_of(rr));
            moved = true;
        }
    }
    return true;
}

/* Addresses of mail hosts that the server told along; what is wrong with one only leaves it out. */
static void collect_extra(const struct decoder *d, struct arena *arena, struct dns_answer *a)
{
    struct dns_rr *extra =
        d->extra_count ? arena_array(arena, d->extra_count, sizeof *extra) : NULL;
    for (size_t i = 0; i < d->extra_count && extra; i++) {
        ldns_rr *rr = NULL;
        size_t at = d->extra[i];
        struct dns_rr *out = &extra[a->extra_count];
        if (ldns_wire2rr(&rr, d->wire, d->n, &at, LDNS_SECTION_ADDITIONAL) == LDNS_STATUS_OK &&
            read_rr(rr, DNS_A, arena, out)) {
            out->data = rdf_name(ldns_rr_owner(rr), arena);
            a->extra_count += out->data.n > 0 && out->ttl_s > 0;
        }
        ldns_rr_free(rr);
    }
    a->extra = extra;
}

/* The records of the type asked at the end of the chain; those of other owners are not looked at.
 */
static bool collect(
    struct decoder *d, const uint8_t *name, size_t n, struct arena *arena, struct dns_answer *a)
{
    struct dns_rr *rrs = d->answer_count ? arena_array(arena, d->answer_count, sizeof *rrs) : NULL;
    if (d->answer_count && !rrs)
        return false;
    for (size_t i = 0; i < d->answer_count; i++) {
        const ldns_rr *rr = d->answers[i];
        if (ldns_rr_get_type(rr) != (ldns_rr_type)d->q->type || !owner_is(rr, name, n))
            continue;
        if (!read_rr(rr, d->q->type, arena, &rrs[a->rr_count]))
            return false;
        a->ttl_s = TIDE_MIN(a->ttl_s, rrs[a->rr_count].ttl_s);
        a->rr_count++;
    }
    a->rrs = rrs;
    if (d->q->type == DNS_MX && a->rr_count)
        collect_extra(d, arena, a);
    return true;
}

/* RFC 2308 5: the lesser of the SOA's TTL and its MINIMUM; a SOA of another zone says nothing. */
static bool negative_ttl(const struct decoder *d, const uint8_t *name, size_t n, uint32_t *ret)
{
    uint8_t zone[DNS_NAME_BYTES_MAX];
    if (!d->soa || ldns_rr_rd_count(d->soa) != 7)
        return false;
    size_t zone_n = lower_name(ldns_rr_owner(d->soa), zone);
    const ldns_rdf *minimum = ldns_rr_rdf(d->soa, 6);
    if (zone_n == 0 || !is_below(name, n, zone, zone_n) || ldns_rdf_size(minimum) != 4)
        return false;
    uint32_t min = ldns_rdf2native_int32(minimum), ttl = ttl_of(d->soa);
    *ret = TIDE_MIN(min > INT32_MAX ? 0 : min, ttl);
    return true;
}

static enum dns_status read_answer(struct decoder *d, struct arena *arena, struct dns_answer *a)
{
    uint8_t name[DNS_NAME_BYTES_MAX];
    size_t n = d->q->name_n;
    memcpy(name, d->q->name, n);
    a->ttl_s = INT32_MAX;
    if (d->rcode == RCODE_SERVFAIL)
        return DNS_SERVFAIL;
    if (d->rcode != 0 && d->rcode != RCODE_NXDOMAIN)
        return DNS_REFUSED;
    if (!follow_chain(d, name, &n, a))
        return DNS_LOOP;
    a->canonical = dns_name_text(name, n, arena);
    if (!a->canonical.p || !collect(d, name, n, arena, a))
        return DNS_BROKEN;
    if (d->rcode == RCODE_NXDOMAIN && (a->rr_count || d->has_other))
        return DNS_BROKEN; /* that there is no such name, and data of it */
    if (a->rr_count)
        return DNS_OK;
    uint32_t ttl = 0;
    bool has_soa = negative_ttl(d, name, n, &ttl);
    /* Without a SOA, a chain or a referral that ends nowhere says nothing about the name. */
    if (d->rcode == 0 && !has_soa && (a->cname_count || d->has_ns))
        return DNS_BROKEN;
    a->ttl_s = has_soa ? TIDE_MIN(a->ttl_s, ttl) : 0;
    return d->rcode == 0 ? DNS_NODATA : DNS_NXDOMAIN;
}

static bool same_but_case(const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ascii_lower((char)a[i]) != ascii_lower((char)b[i]))
            return false;
    return true;
}

/* Id, QR, opcode and the question; a header alone is taken where it can only cost us EDNS. */
static enum dns_match match(const struct dns_question *q, bool tcp, const uint8_t *wire, size_t n)
{
    if (n < HEADER_BYTES || get16(wire) != q->id || !(wire[2] & 0x80) || (wire[2] & 0x78))
        return DNS_NOT_OURS;
    unsigned qdcount = get16(wire + 4), rcode = wire[3] & 0x0f;
    if (qdcount == 0 && (rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP))
        return DNS_NO_EDNS;
    size_t end = HEADER_BYTES + (size_t)q->name_n;
    if (qdcount != 1 || n < end + 4)
        return DNS_NOT_OURS;
    if (get16(wire + end) != q->type || get16(wire + end + 2) != 1)
        return DNS_NOT_OURS;
    if (memcmp(wire + HEADER_BYTES, q->sent, q->name_n) == 0)
        return DNS_ANSWERED;
    if (!same_but_case(wire + HEADER_BYTES, q->sent, q->name_n))
        return DNS_NOT_OURS;
    return tcp ? DNS_ANSWERED : DNS_OTHER_CASE;
}

enum dns_match dns_decode(const struct dns_question *q,
                          bool tcp,
                          const uint8_t *wire,
                          size_t n,
                          struct arena *arena,
                          struct dns_answer *ret)
{
    enum dns_match m = match(q, tcp, wire, n);
    if (m != DNS_ANSWERED)
        return m;
    if (wire[2] & 0x02 && !tcp)
        return DNS_TRUNCATED;
    struct decoder d = {.q = q, .wire = wire, .n = n, .rcode = wire[3] & 0x0f};
    struct dns_answer a = {.type = (enum dns_type)q->type, .status = DNS_BROKEN};
    d.at = HEADER_BYTES + (size_t)q->name_n + 4;
    if (walk_answers(&d, get16(wire + 6))) {
        walk_rest(&d, get16(wire + 8), get16(wire + 10));
        if (d.rcode == RCODE_FORMERR || d.rcode == RCODE_NOTIMP || d.rcode == RCODE_BADVERS)
            m = DNS_NO_EDNS;
        else if (!(wire[2] & 0x02)) /* truncated over TCP makes no sense */
            a.status = read_answer(&d, arena, &a);
    }
    decoder_free(&d);
    if (!dns_status_is_final(a.status)) {
        a.rrs = NULL;
        a.rr_count = 0;
        a.ttl_s = 0;
    }
    *ret = a;
    return m;
}
