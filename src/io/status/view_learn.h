/* view_learn.h - POST /v1/learn: what `mailtide learn` has found in a site's history.
 *
 *   {"sites":[["policy|site|0a1b2c3d","BASE64"],...],"recipients":[["ann@x.org","BASE64"],...]}
 *   {"sites_taken":1,"recipients_taken":900,"recipients_known":3,"addresses_bad":0}
 *
 * The bytes are those of site_encode() and forecast_encode(): the operator's own mailtide made
 * them. What cannot be read is refused as a whole, 400.
 *
 * Owns nothing. Threads loop thread only.
 */
#ifndef IO_STATUS_VIEW_LEARN_H
#define IO_STATUS_VIEW_LEARN_H

#include "io/status/views.h"

void view_learn(const struct views *v, struct http_request *req);

#endif
