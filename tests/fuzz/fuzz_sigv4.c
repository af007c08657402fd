/* Any bytes as an Authorization header of AWS, and as the values that it signs. */
#include "core/proto/sigv4.h"

#include <assert.h>

static void fake_sha256(struct text in, unsigned char out[SIGV4_HASH_BYTES])
{
    memset(out, (int)(in.n & 0xff), SIGV4_HASH_BYTES);
}

static void fake_hmac(struct text key, struct text in, unsigned char out[SIGV4_HASH_BYTES])
{
    memset(out, (int)((key.n + in.n) & 0xff), SIGV4_HASH_BYTES);
}

static struct text header(void *arg, const char *name)
{
    return name[0] == 'z' ? (struct text){NULL, 0} : *(struct text *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sigv4_hash hash = {fake_sha256, fake_hmac};
    struct text rest = {(const char *)data, size}, authorization;
    struct sigv4_claim claim;
    char hex[SIGV4_HEX_BYTES];
    int64_t at;
    if (sigv4_time(rest, &at) == TIDE_OK)
        assert(size == 16);
    if (!text_split(&rest, '\n', &authorization) ||
        sigv4_parse(authorization, &claim, NULL) != TIDE_OK)
        return 0;
    assert(claim.date.n == 8 && claim.signature.n == SIGV4_HEX_BYTES - 1);
    struct sigv4_request request = {.method = TEXT("POST"),
                                    .path = rest,
                                    .amz_date = rest,
                                    .body = rest,
                                    .header = header,
                                    .arg = &rest};
    if (sigv4_sign(&hash, &request, &claim, rest, hex, NULL) == TIDE_OK)
        assert(strlen(hex) == SIGV4_HEX_BYTES - 1);
    return 0;
}
