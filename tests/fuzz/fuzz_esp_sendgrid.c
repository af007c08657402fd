/* Any bytes as a request to SendGrid's API. */
#include "lib/esp_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    esp_fuzz("/v3/mail/send", "application/json", data, size);
    return 0;
}
