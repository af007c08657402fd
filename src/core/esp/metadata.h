/* metadata.h - custom args, metadata, tags and variables of an ESP's API: what the application
 * wants to be told again with every event, kept as one JSON object with the notification.
 *
 * Owns      nothing: the object is in the reading's arena.
 * Threads   any.
 * Limits    API_METADATA_BYTES_MAX, METADATA_NAMES_MAX names; what is beyond is left out, since the
 *           mail itself is whole without it. Values are strings, numbers and booleans; others are
 *           left out too.
 */
#ifndef CORE_ESP_METADATA_H
#define CORE_ESP_METADATA_H

#include "core/esp/part.h"

#define METADATA_NAMES_MAX 100

/* The members of an object, or [{"name", "value"}] with names in any case; the first of a name
 * stays. Anything else has none. */
void esp_metadata(struct esp_reading *r, const struct json *v, struct api_draft *d);
void esp_metadata_text(struct esp_reading *r,
                       struct text name,
                       struct text value,
                       struct api_draft *d);

#endif
