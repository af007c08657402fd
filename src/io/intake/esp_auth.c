#include "io/intake/esp_auth.h"

#include "base/base64.h"
#include "io/crypto/sigv4_hash.h"
#include "io/loop/clock.h"

#include <openssl/crypto.h>

#define SKEW_MAX_MS (15 * TIME_MINUTE_MS) /* as AWS allows */

static enum esp_fault known_key(const struct config *c,
                                struct text key,
                                const struct config_application **ret)
{
    *ret = key.n > 0 ? config_application_of_key(c, key) : NULL;
    return *ret ? ESP_FINE : key.n > 0 ? ESP_BAD_KEY : ESP_NO_KEY;
}

/* "Basic " and base64 of "api:KEY" */
static enum esp_fault known_basic(const struct config *c,
                                  struct text given,
                                  const struct config_application **ret)
{
    struct buf b = {0};
    enum esp_fault fault = ESP_NO_KEY;
    if (text_istarts(given, TEXT("Basic ")) &&
        base64_decode(text_trim(text_cut(given, 6, SIZE_MAX)), &b, NULL) == TIDE_OK) {
        struct text pair = buf_text(&b);
        size_t colon = text_find(pair, ':');
        fault = ESP_BAD_KEY;
        if (text_eq(text_cut(pair, 0, colon), TEXT("api")) && colon < pair.n)
            fault = known_key(c, text_cut(pair, colon + 1, SIZE_MAX), ret);
    }
    if (b.data)
        explicit_bzero(b.data, b.len);
    buf_fini(&b);
    return fault;
}

static struct text header_of(void *arg, const char *name)
{
    return http_header(arg, name);
}

static bool is_same(const char *a, struct text b)
{
    return strlen(a) == b.n && CRYPTO_memcmp(a, b.p, b.n) == 0;
}

/* Freshness is told by the machine's own clock: the client knows no other. */
static bool is_fresh(struct text amz_date, struct text day)
{
    struct clock real;
    int64_t at;
    clock_init_real(&real);
    if (sigv4_time(amz_date, &at) != TIDE_OK || !text_starts(amz_date, day))
        return false;
    int64_t off = clock_wall(&real) - at;
    return off < SKEW_MAX_MS && -off < SKEW_MAX_MS;
}

static enum esp_fault known_signature(const struct config *c,
                                      struct http_request *req,
                                      struct text given,
                                      const struct config_application **ret)
{
    struct sigv4_request request = {.method = req->method,
                                    .path = req->raw_path,
                                    .query = req->raw_query,
                                    .body = req->body,
                                    .amz_date = http_header(req, "x-amz-date"),
                                    .header = header_of,
                                    .arg = req};
    const struct config_application *found = NULL;
    struct sigv4_claim claim;
    char signature[SIGV4_HEX_BYTES];
    if (!given.p)
        return ESP_NO_KEY;
    if (sigv4_parse(given, &claim, NULL) != TIDE_OK || !text_eq(claim.service, TEXT("ses")))
        return ESP_BAD_SIGNATURE;
    for (size_t i = 0; i < c->application_count; i++)
        if (c->applications[i].ses_access_key && c->applications[i].ses_secret.value &&
            text_eq(claim.access_key, text_of(c->applications[i].ses_access_key)))
            found = &c->applications[i];
    if (!found)
        return ESP_BAD_KEY;
    if (sigv4_sign(&sigv4_hash_openssl, &request, &claim, text_of(found->ses_secret.value),
                   signature, NULL) != TIDE_OK ||
        !is_same(signature, claim.signature))
        return ESP_BAD_SIGNATURE;
    if (!is_fresh(request.amz_date, claim.date))
        return ESP_STALE;
    *ret = found;
    return ESP_FINE;
}

enum esp_fault esp_auth(const struct config *c,
                        struct http_request *req,
                        const struct esp *esp,
                        const struct config_application **ret)
{
    struct text given = http_header(req, "Authorization");
    switch (esp->auth) {
    case ESP_AUTH_BEARER:
        if (!text_istarts(given, TEXT("Bearer ")))
            return ESP_NO_KEY;
        return known_key(c, text_trim(text_cut(given, 7, SIZE_MAX)), ret);
    case ESP_AUTH_BASIC:
        return known_basic(c, given, ret);
    case ESP_AUTH_SIGV4:
        return known_signature(c, req, given, ret);
    case ESP_AUTH_TOKEN:
        return known_key(c, text_trim(http_header(req, esp->token_header)), ret);
    }
    return ESP_NO_KEY;
}
