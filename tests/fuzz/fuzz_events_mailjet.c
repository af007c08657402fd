/* Any bytes as a webhook of mailjet. */
#include "lib/events_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    events_fuzz(&events_mailjet, data, size);
    return 0;
}
