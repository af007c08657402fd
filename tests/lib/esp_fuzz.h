/* esp_fuzz.h - any bytes as the body of one ESP's call: it is answered, whatever it is. */
#ifndef TESTS_LIB_ESP_FUZZ_H
#define TESTS_LIB_ESP_FUZZ_H

#include "lib/esp_run.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void esp_fuzz(const char *path, const char *type, const uint8_t *data, size_t size)
{
    bool known;
    struct text wild[ESP_WILDS_MAX];
    const struct esp_call *call = esp_find(TEXT("POST"), text_of(path), wild, &known);
    const char *const behind[] = {NULL, call->esp->name}; /* which takes its stored templates */
    for (size_t i = 0; i < TIDE_COUNT(behind); i++) {
        struct esp_run run = {.behind = behind[i]};
        esp_run(&run, "POST", path, type, NULL, (struct text){(const char *)data, size}, ESP_FINE);
        long status = strtol(buf_str(&run.answer), NULL, 10);
        assert(status >= 200 && status < 600);
        /* what is answered with a failure as a whole has handed nothing in, or was refused there */
        assert(status != 202 || run.mails.len > 0);
        esp_run_fini(&run);
    }
}

#endif
