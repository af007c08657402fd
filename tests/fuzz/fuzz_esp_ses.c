/* Any bytes as a request to SES: API v2, its bulk call, the query API; and as the raw message in
 * one.
 */
#include "base/base64.h"
#include "lib/esp_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b = {0};
    esp_fuzz("/v2/email/outbound-emails", "application/json", data, size);
    esp_fuzz("/v2/email/outbound-bulk-emails", "application/json", data, size);
    esp_fuzz("/", "application/x-www-form-urlencoded", data, size);
    buf_adds(&b, "{\"Content\":{\"Raw\":{\"Data\":\"");
    base64_encode((struct text){(const char *)data, size}, &b);
    buf_adds(&b, "\"}}}");
    esp_fuzz("/v2/email/outbound-emails", "application/json", (const uint8_t *)buf_str(&b), b.len);
    buf_fini(&b);
    return 0;
}
