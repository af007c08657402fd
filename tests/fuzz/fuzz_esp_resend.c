/* Any bytes as a request to Resend's API. */
#include "lib/esp_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    esp_fuzz("/emails", "application/json", data, size);
    esp_fuzz("/emails/batch", "application/json", data, size);
    return 0;
}
