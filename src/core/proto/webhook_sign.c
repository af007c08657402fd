#include "core/proto/webhook_sign.h"

#include "base/base64.h"

#include <inttypes.h>

static const struct text prefix = {"whsec_", 6};

static void forget(struct buf *key)
{
    if (key->data)
        explicit_bzero(key->data, key->len);
    buf_fini(key);
}

enum tide_err webhook_sign(const struct sigv4_hash *hash,
                           struct text secrets,
                           struct text id,
                           int64_t timestamp_s,
                           struct text body,
                           struct buf *ret,
                           struct tide_error *err)
{
    struct buf what = {0};
    struct text one;
    enum tide_err rc;
    bool first = true;
    buf_expect(&what, id.n + body.n + 32);
    buf_addf(&what, TEXT_FMT ".%" PRId64 ".", TEXT_ARG(id), timestamp_s);
    buf_add_text(&what, body);
    rc = buf_check(&what, err);
    for (secrets = text_trim(secrets); rc == TIDE_OK && text_split(&secrets, ' ', &one);) {
        unsigned char mac[SIGV4_HASH_BYTES];
        struct buf key = {0};
        if (text_starts(one, prefix))
            one = text_cut(one, prefix.n, SIZE_MAX);
        rc = base64_decode(one, &key, err);
        if (rc == TIDE_OK) {
            hash->hmac_sha256(buf_text(&key), buf_text(&what), mac);
            buf_adds(ret, first ? "v1," : " v1,");
            base64_encode((struct text){(const char *)mac, sizeof mac}, ret);
            first = false;
        }
        forget(&key);
    }
    buf_fini(&what);
    return rc == TIDE_OK ? buf_check(ret, err) : rc;
}
