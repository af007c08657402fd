#include "core/proto/sigv4.h"

#include "base/time.h"

#include <stdio.h>

#define HEADER_NAME_BYTES 80
#define QUERY_PAIRS_MAX   16

static const struct text algorithm = {"AWS4-HMAC-SHA256", 16};

/* -- Reading ------------------------------------------------------------------------------------
 */

static enum tide_err read_credential(struct text value, struct sigv4_claim *c)
{
    struct text *parts[] = {&c->access_key, &c->date, &c->region, &c->service};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!text_split(&value, '/', parts[i]) || (parts[i]->n == 0 && parts[i] != &c->region))
            return TIDE_ESYNTAX; /* Go's SDK leaves the region out for an endpoint of one's own */
    return text_eq(value, TEXT("aws4_request")) && c->date.n == 8 ? TIDE_OK : TIDE_ESYNTAX;
}

enum tide_err sigv4_parse(struct text authorization,
                          struct sigv4_claim *ret,
                          struct tide_error *err)
{
    struct sigv4_claim c = {0};
    struct text part, rest = text_cut(authorization, algorithm.n, SIZE_MAX);
    bool good = text_starts(authorization, algorithm) && rest.n > 0 && rest.p[0] == ' ';
    bool scoped = false;
    while (good && text_split(&rest, ',', &part)) {
        part = text_trim(part);
        size_t equals = text_find(part, '=');
        struct text name = text_cut(part, 0, equals), value = text_cut(part, equals + 1, SIZE_MAX);
        if (text_eq(name, TEXT("Credential")))
            scoped = good = read_credential(value, &c) == TIDE_OK;
        else if (text_eq(name, TEXT("SignedHeaders")))
            c.signed_headers = value;
        else if (text_eq(name, TEXT("Signature")))
            c.signature = value;
    }
    if (!good || !scoped || c.signed_headers.n == 0 || c.signature.n != SIGV4_HEX_BYTES - 1)
        return tide_fail(err, TIDE_ESYNTAX,
                         "want \"AWS4-HMAC-SHA256 Credential=.../aws4_request, SignedHeaders=..., "
                         "Signature=...\"");
    *ret = c;
    return TIDE_OK;
}

enum tide_err sigv4_time(struct text t, int64_t *ret_ms)
{
    char rfc3339[24];
    if (t.n != 16 || t.p[8] != 'T' || t.p[15] != 'Z')
        return TIDE_ESYNTAX;
    snprintf(rfc3339, sizeof rfc3339, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", t.p, t.p + 4, t.p + 6,
             t.p + 9, t.p + 11, t.p + 13);
    return time_parse_rfc3339(text_of(rfc3339), ret_ms, NULL);
}

/* -- Signing ------------------------------------------------------------------------------------
 */

static void to_hex(const unsigned char hash[SIGV4_HASH_BYTES], char out[SIGV4_HEX_BYTES])
{
    for (size_t i = 0; i < SIGV4_HASH_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* Trimmed, runs of blanks as one. */
static void add_value(struct buf *b, struct text value)
{
    value = text_trim(value);
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] != ' ' || value.p[i - 1] != ' ')
            buf_addc(b, value.p[i]);
}

static enum tide_err add_headers(struct buf *b,
                                 const struct sigv4_request *request,
                                 struct text names,
                                 struct tide_error *err)
{
    struct text name;
    bool host = false, date = false;
    while (text_split(&names, ';', &name)) {
        char terminated[HEADER_NAME_BYTES];
        snprintf(terminated, sizeof terminated, TEXT_FMT, TEXT_ARG(name));
        struct text value = request->header(request->arg, terminated);
        if (!value.p || name.n >= sizeof terminated)
            return tide_fail(err, TIDE_EINVAL, "the signed header %s is not there", terminated);
        host = host || text_eq(name, TEXT("host"));
        date = date || text_eq(name, TEXT("x-amz-date"));
        buf_add_text(b, name);
        buf_addc(b, ':');
        add_value(b, value);
        buf_addc(b, '\n');
    }
    return host && date ? TIDE_OK
                        : tide_fail(err, TIDE_EINVAL, "host and x-amz-date must be signed");
}

/* "%40" as "@"; what is no escape as it stands. */
static void add_plain(struct buf *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        int byte = text_escaped(text_cut(t, i, SIZE_MAX), '%');
        buf_addc(b, byte >= 0 ? (char)(unsigned char)byte : t.p[i]);
        i += byte >= 0 ? 2 : 0;
    }
}

static void add_escaped_anew(struct buf *b, struct text t)
{
    struct buf plain = {0};
    add_plain(&plain, t);
    buf_add_escaped(b, buf_text(&plain), "");
    if (plain.failed != TIDE_OK)
        b->failed = plain.failed;
    buf_fini(&plain);
}

/* "NAME VALUE", escaped in the one way: a blank stands before all else, so that "a" comes before
 * "a-b" in order. */
static void add_pair(struct buf *b, struct text pair)
{
    size_t equals = text_find(pair, '=');
    add_escaped_anew(b, text_cut(pair, 0, equals));
    buf_addc(b, ' ');
    add_escaped_anew(b, text_cut(pair, equals + 1, SIZE_MAX));
}

/* The next in each turn, for they are few. */
static void add_in_order(struct buf *b, struct buf *pairs, size_t count)
{
    for (size_t done = 0; done < count; done++) {
        struct buf *next = NULL;
        for (size_t i = 0; i < count; i++)
            if (pairs[i].len > 0 && (!next || strcmp(buf_str(&pairs[i]), buf_str(next)) < 0))
                next = &pairs[i];
        if (!next)
            return;
        struct text pair = buf_text(next);
        size_t blank = text_find(pair, ' ');
        buf_addf(b, "%s" TEXT_FMT "=" TEXT_FMT, done > 0 ? "&" : "",
                 TEXT_ARG(text_cut(pair, 0, blank)), TEXT_ARG(text_cut(pair, blank + 1, SIZE_MAX)));
        buf_clear(next);
    }
}

static enum tide_err add_query(struct buf *b, struct text query, struct tide_error *err)
{
    struct buf pairs[QUERY_PAIRS_MAX] = {0};
    struct text pair;
    size_t count = 0;
    enum tide_err rc = TIDE_OK;
    while (rc == TIDE_OK && text_split(&query, '&', &pair)) {
        if (pair.n == 0)
            continue;
        if (count == QUERY_PAIRS_MAX) {
            rc = tide_fail(err, TIDE_EINVAL, "more than %d parameters", QUERY_PAIRS_MAX);
            break;
        }
        add_pair(&pairs[count], pair);
        rc = buf_check(&pairs[count++], err);
    }
    if (rc == TIDE_OK)
        add_in_order(b, pairs, count);
    for (size_t i = 0; i < count; i++)
        buf_fini(&pairs[i]);
    return rc;
}

/* The key that the day's requests are signed with, then the signature itself. */
static void chain(const struct sigv4_hash *hash,
                  const struct sigv4_claim *claim,
                  struct text secret_key,
                  struct text string_to_sign,
                  char ret[SIGV4_HEX_BYTES])
{
    unsigned char key[SIGV4_HASH_BYTES], next[SIGV4_HASH_BYTES];
    const struct text steps[] = {claim->region, claim->service, TEXT("aws4_request"),
                                 string_to_sign};
    hash->hmac_sha256(secret_key, claim->date, key);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        hash->hmac_sha256((struct text){(const char *)key, sizeof key}, steps[i], next);
        memcpy(key, next, sizeof key);
    }
    to_hex(key, ret);
    explicit_bzero(key, sizeof key);
    explicit_bzero(next, sizeof next);
}

enum tide_err sigv4_sign(const struct sigv4_hash *hash,
                         const struct sigv4_request *request,
                         const struct sigv4_claim *claim,
                         struct text secret,
                         char ret[SIGV4_HEX_BYTES],
                         struct tide_error *err)
{
    struct buf canonical = {0}, to_sign = {0}, key = {0};
    unsigned char digest[SIGV4_HASH_BYTES];
    char hex[SIGV4_HEX_BYTES];
    buf_add_text(&canonical, request->method);
    buf_addc(&canonical, '\n');
    buf_add_escaped(&canonical, request->path, "/");
    buf_addc(&canonical, '\n');
    enum tide_err rc = add_query(&canonical, request->query, err);
    buf_addc(&canonical, '\n');
    if (rc == TIDE_OK)
        rc = add_headers(&canonical, request, claim->signed_headers, err);
    hash->sha256(request->body, digest);
    to_hex(digest, hex);
    buf_addf(&canonical, "\n" TEXT_FMT "\n%s", TEXT_ARG(claim->signed_headers), hex);
    hash->sha256(buf_text(&canonical), digest);
    to_hex(digest, hex);
    buf_addf(&to_sign,
             TEXT_FMT "\n" TEXT_FMT "\n" TEXT_FMT "/" TEXT_FMT "/" TEXT_FMT "/aws4_request\n%s",
             TEXT_ARG(algorithm), TEXT_ARG(request->amz_date), TEXT_ARG(claim->date),
             TEXT_ARG(claim->region), TEXT_ARG(claim->service), hex);
    buf_addf(&key, "AWS4" TEXT_FMT, TEXT_ARG(secret));
    if (rc == TIDE_OK)
        rc = buf_check(&canonical, err);
    if (rc == TIDE_OK)
        rc = buf_check(&to_sign, err);
    if (rc == TIDE_OK)
        rc = buf_check(&key, err);
    if (rc == TIDE_OK)
        chain(hash, claim, buf_text(&key), buf_text(&to_sign), ret);
    if (key.data)
        explicit_bzero(key.data, key.len);
    buf_fini(&key);
    buf_fini(&to_sign);
    buf_fini(&canonical);
    return rc;
}
