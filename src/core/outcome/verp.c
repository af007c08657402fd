#include "core/outcome/verp.h"

#include <stdio.h>

#define TOKEN_CHARS (VERP_TOKEN_BYTES - 1) /* id, "-", hash */

/* 63 bits of the hash, written as an id is. */
static tide_id hash_of(const struct verp *v, tide_id attempt_id)
{
    unsigned char hash[SIGV4_HASH_BYTES];
    char id[ID_TEXT_BYTES];
    uint64_t n = 0;
    v->hash->hmac_sha256((struct text){v->key, v->key_n}, text_of(id_text(attempt_id, id)), hash);
    for (int i = 0; i < 8; i++)
        n = n << 8 | hash[i];
    return (tide_id)(n >> 1);
}

const char *verp_token(const struct verp *v, tide_id attempt_id, char out[VERP_TOKEN_BYTES])
{
    char id[ID_TEXT_BYTES], hash[ID_TEXT_BYTES];
    snprintf(out, VERP_TOKEN_BYTES, "%s-%s", id_text(attempt_id, id),
             id_text(hash_of(v, attempt_id), hash));
    return out;
}

const char *verp_address(const struct verp *v,
                         tide_id attempt_id,
                         struct text domain,
                         char out[VERP_ADDRESS_BYTES])
{
    char token[VERP_TOKEN_BYTES];
    snprintf(out, VERP_ADDRESS_BYTES, VERP_PREFIX "%s@" TEXT_FMT, verp_token(v, attempt_id, token),
             TEXT_ARG(domain));
    return out;
}

/* Somebody on the way may have changed the case of the letters. */
tide_id verp_read_token(const struct verp *v, struct text token)
{
    char low[TOKEN_CHARS], want[VERP_TOKEN_BYTES];
    unsigned differs = 0;
    tide_id id;
    if (token.n != TOKEN_CHARS || token.p[ID_TEXT_BYTES - 1] != '-')
        return 0;
    for (size_t i = 0; i < token.n; i++)
        low[i] = ascii_lower(token.p[i]);
    if (id_parse((struct text){low, ID_TEXT_BYTES - 1}, &id, NULL) != TIDE_OK || id <= 0)
        return 0;
    verp_token(v, id, want);
    for (size_t i = 0; i < TOKEN_CHARS; i++)
        differs |= (unsigned char)low[i] ^ (unsigned char)want[i];
    return differs == 0 ? id : 0;
}

tide_id verp_read_address(const struct verp *v,
                          struct text address,
                          struct text domain,
                          bool *ret_shaped)
{
    static const struct text prefix = {VERP_PREFIX, sizeof VERP_PREFIX - 1};
    size_t at = text_find(address, '@');
    bool shaped = domain.n > 0 && at < address.n && text_istarts(address, prefix) &&
                  text_ieq(text_cut(address, at + 1, SIZE_MAX), domain);
    if (ret_shaped)
        *ret_shaped = shaped;
    return shaped ? verp_read_token(v, text_cut(address, prefix.n, at - prefix.n)) : 0;
}
