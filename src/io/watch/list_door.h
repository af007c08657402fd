/* list_door.h - POST /v1/suppressions/sync?account=NAME&dry_run=1: lists are looked at now, and
 * what came of it is the answer.
 *
 *   {"dry_run":false,"accounts":1,"read":12,"taken_off":1,"learnt":2,"left":9,"failed":0,
 *    "problems":"","entries":[{"account","list","address","kind","since","words","verdict","why"}]}
 *
 * Owns      a request until its answer. Threads loop thread only.
 */
#ifndef IO_WATCH_LIST_DOOR_H
#define IO_WATCH_LIST_DOOR_H

#include "io/loop/http.h"
#include "io/watch/list_sync.h"

void list_door_take(struct list_sync *s, struct http_request *req);

#endif
