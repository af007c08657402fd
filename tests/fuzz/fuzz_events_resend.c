/* Any bytes as a webhook of resend. */
#include "lib/events_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    events_fuzz(&events_resend, data, size);
    return 0;
}
