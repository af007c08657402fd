#include "core/verify/dkim_key.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/verify/tag_list.h"

#include <stdarg.h>
#include <stdio.h>

#define KEY_BYTES_MAX 4096

static const char *const state_names[] = {
    [DKIM_KEY_OK] = "ok",           [DKIM_KEY_MISSING] = "missing",
    [DKIM_KEY_REVOKED] = "revoked", [DKIM_KEY_MALFORMED] = "malformed",
    [DKIM_KEY_SHORT] = "too short", [DKIM_KEY_UNUSABLE] = "unusable",
    [DKIM_KEY_UNKNOWN] = "unknown",
};

const char *dkim_key_state_name(enum dkim_key_state s)
{
    return (size_t)s < TIDE_COUNT(state_names) ? state_names[s] : "?";
}

static void is(struct dkim_key *k, enum dkim_key_state s, const char *fmt, ...) TIDE_PRINTF(3, 4);

static void is(struct dkim_key *k, enum dkim_key_state s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(k->why, sizeof k->why, fmt, args);
    va_end(args);
    k->state = s;
}

/* -- How long an RSA key is ---------------------------------------------------------------------*/

/* Takes one DER element off *rest; false: it is none, or of another kind. */
static bool take_der(struct text *rest, unsigned kind, struct text *ret)
{
    const uint8_t *p = (const uint8_t *)rest->p;
    size_t len, head = 2;
    if (rest->n < 2 || p[0] != kind)
        return false;
    len = p[1];
    if (len & 0x80) {
        size_t octets = len & 0x7f;
        if (octets == 0 || octets > 2 || rest->n < 2 + octets)
            return false;
        len = octets == 1 ? p[2] : (size_t)p[2] << 8 | p[3];
        head += octets;
    }
    if (rest->n - head < len)
        return false;
    *ret = text_cut(*rest, head, len);
    *rest = text_cut(*rest, head + len, rest->n);
    return true;
}

enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_SEQUENCE = 0x30 };

/* Bits of the modulus; 0: that is no RSA key. */
static unsigned rsa_bits(struct text der)
{
    struct text all, inner, bits, modulus, exponent;
    if (!take_der(&der, DER_SEQUENCE, &all) || der.n)
        return 0;
    struct text spki = all;
    /* SubjectPublicKeyInfo wraps the key in a bit string (RFC 5280 4.1); others publish it bare. */
    if (take_der(&spki, DER_SEQUENCE, &inner)) {
        if (!take_der(&spki, DER_BITS, &bits) || bits.n < 2 || bits.p[0] != 0)
            return 0;
        bits = text_cut(bits, 1, bits.n);
        if (!take_der(&bits, DER_SEQUENCE, &all))
            return 0;
    }
    if (!take_der(&all, DER_INTEGER, &modulus) || !take_der(&all, DER_INTEGER, &exponent))
        return 0;
    while (modulus.n && modulus.p[0] == 0)
        modulus = text_cut(modulus, 1, modulus.n);
    unsigned count = (unsigned)modulus.n * 8;
    for (uint8_t top = modulus.n ? (uint8_t)modulus.p[0] : 0xff; !(top & 0x80); top <<= 1)
        count--;
    return exponent.n ? count : 0;
}

/* -- Tags ---------------------------------------------------------------------------------------*/

/* Whether a colon-separated list has the word, or "*". */
static bool lists(struct text list, const char *word)
{
    struct text one;
    while (text_split(&list, ':', &one)) {
        one = text_trim(one);
        if (text_ieq(one, text_of(word)) || text_eq(one, TEXT("*")))
            return true;
    }
    return false;
}

static void read_key(struct dkim_key *k, struct text p, struct arena *arena)
{
    struct buf bytes;
    struct tide_error err;
    buf_init(&bytes, KEY_BYTES_MAX);
    if (base64_decode(p, &bytes, &err) != TIDE_OK) {
        is(k, DKIM_KEY_MALFORMED, "p= is not base64");
    } else {
        k->der = arena_text(arena, buf_text(&bytes));
        k->bits = k->algorithm == DKIM_RSA ? rsa_bits(k->der) : (unsigned)k->der.n * 8;
        if (k->bits == 0)
            is(k, DKIM_KEY_MALFORMED, "p= is no RSA public key");
        else if (k->algorithm == DKIM_ED25519 && k->der.n != 32)
            is(k, DKIM_KEY_MALFORMED, "p= has %zu octets, an Ed25519 key has 32 (RFC 8463 4)",
               k->der.n);
        else if (k->algorithm == DKIM_RSA && k->bits < DKIM_RSA_BITS_MIN)
            is(k, DKIM_KEY_SHORT, "the RSA key has %u bits, receivers want %d at least (RFC 8301)",
               k->bits, DKIM_RSA_BITS_MIN);
    }
    buf_fini(&bytes);
}

/* RFC 6376 3.1: hyphenated-word = ALPHA [ *(ALPHA / DIGIT / "-") (ALPHA / DIGIT) ] */
static bool is_word(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!ascii_is_alnum(t.p[i]) && t.p[i] != '-')
            return false;
    return t.n && ascii_is_alpha(t.p[0]) && t.p[t.n - 1] != '-';
}

/* What is against the grammar of a tag's value, and yet read by most receivers; NULL: nothing. */
static const char *fault_of_value(const struct tag *t)
{
    struct text rest = t->value, one;
    bool names = text_eq(t->name, TEXT("k")) || text_eq(t->name, TEXT("s"));
    if (!names && !text_eq(t->name, TEXT("t")) && !text_eq(t->name, TEXT("h")))
        return NULL;
    if (t->value.n == 0)
        return "a tag of it has no value (RFC 6376 3.6.1)";
    while (text_split(&rest, ':', &one)) {
        one = text_trim(one);
        if (!is_word(one) && !text_eq(one, TEXT("*")))
            return "a list in it has something that is no word (RFC 6376 3.6.1)";
        for (size_t i = 0; names && i < one.n; i++)
            if (one.p[i] != ascii_lower(one.p[i]))
                return "k= and s= are written in lower case, and some receivers insist (RFC 6376 "
                       "3.2)";
    }
    return NULL;
}

static const char *fault_of(struct text txt, const struct tag_list *l)
{
    /* RFC 6376 3.2: a semicolon may end the list, blanks after it may not. */
    struct text trimmed = text_trim(txt);
    bool blank_end = txt.n && (txt.p[txt.n - 1] == ' ' || txt.p[txt.n - 1] == '\t');
    const char *fault = NULL;
    if (blank_end && trimmed.n && trimmed.p[trimmed.n - 1] == ';')
        return "a blank stands after the last semicolon (RFC 6376 3.2)";
    if (l->malformed)
        return "something between semicolons is no NAME=VALUE (RFC 6376 3.2)";
    for (size_t i = 0; i < l->count && !fault; i++)
        fault = fault_of_value(&l->tags[i]);
    return fault;
}

static void read_tags(struct dkim_key *k, const struct tag_list *l, struct arena *arena)
{
    struct text type = tag_value(l, "k"), hashes = tag_value(l, "h"), service = tag_value(l, "s");
    struct text flags = tag_value(l, "t"), p = tag_value(l, "p"), flag;
    while (text_split(&flags, ':', &flag)) {
        k->testing = k->testing || text_eq(text_trim(flag), TEXT("y"));
        k->strict = k->strict || text_eq(text_trim(flag), TEXT("s"));
    }
    k->algorithm = text_ieq(type, TEXT("ed25519")) ? DKIM_ED25519 : DKIM_RSA;
    if (!p.p)
        is(k, DKIM_KEY_MALFORMED, "the tag p, the key itself, is missing");
    else if (type.p && !text_ieq(type, TEXT("rsa")) && k->algorithm == DKIM_RSA)
        is(k, DKIM_KEY_UNUSABLE, "k=" TEXT_FMT " is no kind of key that receivers know",
           TEXT_ARG(text_cut(type, 0, 20)));
    else if (p.n == 0)
        is(k, DKIM_KEY_REVOKED, "p= is empty");
    else if (hashes.p && !lists(hashes, "sha256"))
        is(k, DKIM_KEY_UNUSABLE, "h= does not allow sha256, and sha1 is refused (RFC 8301)");
    else if (service.p && !lists(service, "email"))
        is(k, DKIM_KEY_UNUSABLE, "s= does not allow the key for e-mail");
    else
        read_key(k, p, arena);
}

bool dkim_key_is(struct text txt)
{
    struct tag_list l;
    tag_list_parse(txt, false, &l);
    return tag_value(&l, "p").p || text_eq(tag_value(&l, "v"), TEXT("DKIM1"));
}

void dkim_key_parse(struct text txt, struct arena *arena, struct dkim_key *ret)
{
    struct tag_list l;
    *ret = (struct dkim_key){0};
    tag_list_parse(txt, false, &l);
    struct text version = {0};
    size_t version_at = 0;
    for (size_t i = 0; i < l.count; i++)
        if (text_eq(l.tags[i].name, TEXT("v"))) {
            version = l.tags[i].value;
            version_at = i;
        }
    if (l.duplicate || l.too_many)
        is(ret, DKIM_KEY_MALFORMED, "a tag stands there twice, or there are too many");
    else if (version.p && (version_at > 0 || !text_eq(version, TEXT("DKIM1"))))
        is(ret, DKIM_KEY_MALFORMED, "v=DKIM1 must be the first tag, or left out");
    else
        read_tags(ret, &l, arena);
    const char *fault = fault_of(txt, &l);
    ret->faulty = fault != NULL;
    if (fault && ret->state == DKIM_KEY_OK)
        (void)snprintf(ret->why, sizeof ret->why, "%s", fault);
}

void dkim_key_of_answer(const struct dns_answer *a, struct arena *arena, struct dkim_key *ret)
{
    size_t count = 0;
    const struct dns_rr *found = NULL;
    *ret = (struct dkim_key){0};
    if (!dns_status_is_final(a->status)) {
        is(ret, DKIM_KEY_UNKNOWN, "%s", dns_status_text(a->status));
        return;
    }
    for (size_t i = 0; i < a->rr_count; i++)
        if (dkim_key_is(a->rrs[i].data)) {
            found = found ? found : &a->rrs[i];
            count++;
        }
    if (count == 0 && a->cname_count)
        is(ret, DKIM_KEY_MISSING, "its CNAME leads to " TEXT_FMT ", where there is no key",
           TEXT_ARG(text_cut(a->canonical, 0, 120)));
    else if (count == 0)
        is(ret, DKIM_KEY_MISSING, "%s",
           a->rr_count ? "there is a TXT record, but it holds no key" : dns_status_text(a->status));
    else if (count > 1) /* RFC 6376 3.6.2.2: what verifiers then do is undefined */
        is(ret, DKIM_KEY_MALFORMED, "there are %zu keys, and receivers pick any one", count);
    else
        dkim_key_parse(found->data, arena, ret);
}
