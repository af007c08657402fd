/* Any bytes as a request to Postmark's API. */
#include "lib/esp_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    esp_fuzz("/email", "application/json", data, size);
    esp_fuzz("/email/batch", "application/json", data, size);
    return 0;
}
