/* Any bytes as a webhook of mailtrap. */
#include "lib/events_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    events_fuzz(&events_mailtrap, data, size);
    return 0;
}
