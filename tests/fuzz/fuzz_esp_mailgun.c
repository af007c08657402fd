/* Any bytes as a request to Mailgun's API: as a form of each kind, as fields and with a message. */
#include "lib/esp_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"application/x-www-form-urlencoded",
                                        "multipart/form-data; boundary=b"};
    for (size_t i = 0; i < TIDE_COUNT(types); i++) {
        esp_fuzz("/v3/s.example/messages", types[i], data, size);
        esp_fuzz("/v3/s.example/messages.mime", types[i], data, size);
    }
    return 0;
}
