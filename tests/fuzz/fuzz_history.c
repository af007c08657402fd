/* Whatever the bytes: every reader ends, and what it gives is a time and a recipient. */
#include "core/proto/history.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check(void *arg, const struct history_item *item)
{
    uint64_t *count = arg;
    if (item->at_s < 0 || item->at_s > HISTORY_AT_MAX_S || item->recipient.n == 0 ||
        item->class >= HISTORY_CLASSES)
        abort();
    ++*count;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int f = 0; f < HISTORY_FORMAT_COUNT; f++) {
        uint64_t count = 0;
        struct history_result r = {0};
        struct tide_error err;
        const struct history_options o = {
            .format = (enum history_format)f, .now_s = 1772445600, .arg = &count, .each = check};
        if (history_read((struct text){(const char *)data, size}, &o, &r, &err) == TIDE_OK &&
            r.items != count)
            abort();
    }
    return 0;
}
