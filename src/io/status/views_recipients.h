/* views_recipients.h - whether an address is in trouble and why, and the list of what is
 * suppressed.
 *
 * What the HTTP API (an application sees its own recipients) and the status socket (operators see
 * all) have in common. Each call takes the request over and answers it, now or later.
 *
 * Owns      nothing; each call has a job of its own until its answer.
 * Threads   loop thread only.
 * Errors    answered as views.h says.
 */
#ifndef IO_STATUS_VIEWS_RECIPIENTS_H
#define IO_STATUS_VIEWS_RECIPIENTS_H

#include "io/status/views.h"

#define VIEWS_ENTRIES_MAX 1000 /* suppressed by one request */

/* What is below /v1/recipients/, false: another path. `application` "": any.
 *
 *   GET  /v1/recipients/{address}          {"now","address","in_trouble","state","cause","why",
 *                                           "ask","since","until","last_delivered_at",
 *                                           "suppressions":[...],"findings":[...]}
 *   POST /v1/recipients/{address}/confirm  its owner has proven to be there: lifts all of it, here
 *                                          and on the ESPs' lists; answers as GET
 *
 * state: "ok"; "resting": held until `until`; "suppressed": refused; "partly": only mail of some
 * sender or stream is. `ask` says what to ask the application's user. */
bool view_recipient(const struct views *v,
                    struct http_request *req,
                    struct text application,
                    bool may_operate,
                    struct text by);

/* ?recipient= &domain= &cause= &all= &after= &most= : {"now","suppressions":[...],"next"} */
void view_suppressions(const struct views *v, struct http_request *req);

/* {"entries":[{"address","cause","scope","evidence","at","expires_at"}]}: "cause" is "manual" when
 * not given; {"suppressed":N,"errors":[{"index","address","code","message"}]} */
void view_suppress(const struct views *v, struct http_request *req, struct text by);

/* ?recipient= [&scope=] : {"removed":true} */
void view_unsuppress(const struct views *v, struct http_request *req, struct text by);

#endif
