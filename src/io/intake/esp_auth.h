/* esp_auth.h - which application asks, by the credentials that its ESP's API uses.
 *
 * A key (Bearer, Basic, a header of its own) is the application's `key`; a signature is checked
 * against its `ses_secret`, over the body that has come as a whole.
 *
 * Owns      nothing.
 * Threads   loop thread only. Keys and signatures are compared in constant time.
 *           Whether a signature is fresh is told by the machine's own clock, never the scaled one:
 *           the client knows no other.
 * Known gap a signed request may be sent again for 15 minutes, as at AWS; amz-sdk-invocation-id
 *           makes it the same mail.
 */
#ifndef IO_INTAKE_ESP_AUTH_H
#define IO_INTAKE_ESP_AUTH_H

#include "core/esp/esp.h"
#include "io/loop/http.h"

/* ESP_FINE and *ret, or what is wrong. */
enum esp_fault esp_auth(const struct config *c,
                        struct http_request *req,
                        const struct esp *esp,
                        const struct config_application **ret);

#endif
