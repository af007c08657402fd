/* verify_door.h - POST and GET /v1/verify, POST /v1/suppressed: whether addresses can take mail,
 * for programs; the same answers as `mailtide verify`.
 *
 *   GET  /v1/verify?address=   one line of JSON
 *   POST /v1/verify            NDJSON, a JSON array, CSV or an address a line; ?column= names the
 *                              member or column. The answer is NDJSON, a line an address, in their
 *                              order, each written as soon as it is decided, also while the list
 *                              still comes; a client that does not read stops it, one that goes
 *                              ends it.
 *   POST /v1/suppressed        a JSON array of addresses: {"suppressed":["", "invalid", ...]}
 *
 * Owns      the requests that it is answering, its words for hints.
 * Lifetime  verify_door_open() to verify_door_close(), after the doors that call it are closed.
 *           Verifier, store and clock are the caller's and outlive it.
 * Threads   loop thread only.
 * Errors    answered as {"error":{"code","message"}}: 400, 429 (VERIFY_STREAMS_MAX), 503. What is
 *           no address is a line of the answer.
 * Limits    a list has no end: the client is made to wait. What is held of it is a window, and as
 * much of its body (http.body_max) as a client sends that reads nothing meanwhile; over TLS or
 *           HTTP/1.0 a list is such a body. Further lists are refused while VERIFY_STREAMS_MAX are
 *           under way.
 */
#ifndef IO_STATUS_VERIFY_DOOR_H
#define IO_STATUS_VERIFY_DOOR_H

#include "core/config/config.h"
#include "io/dns/verifier.h"
#include "io/loop/http.h"
#include "io/store/store.h"

#define VERIFY_STREAMS_MAX 8

struct verify_door;

struct verify_door_parts {
    struct verifier *verifier;
    struct store *store;
    const struct clock *clock;
};

TIDE_MUST_CHECK enum tide_err verify_door_open(const struct verify_door_parts *parts,
                                               const struct config *config,
                                               struct verify_door **ret,
                                               struct tide_error *err);
/* After a reload: the words of the profiles in force. On failure the old ones stay. */
TIDE_MUST_CHECK enum tide_err verify_door_configure(struct verify_door *d,
                                                    const struct config *config,
                                                    struct tide_error *err);
void verify_door_close(struct verify_door *d);

/* Answers what is at these paths; false: it is another's. */
bool verify_door_request(struct verify_door *d, struct http_request *req);

/* For http_options: a list may be of any length, and its answer begins before its end. */
bool verify_door_in_pieces(const struct http_request *req);

#endif
