/* reads.h - what store_load() and store_ask() read: one snapshot each, on a reader's connection.
 *
 * Owns      nothing; results are in the request's arena.
 * Threads   one per connection (the uv pool's).
 * Errors    stick in struct db; TIDE_ENOENT what was asked for by id is not there (any more).
 */
#ifndef IO_STORE_READS_H
#define IO_STORE_READS_H

#include "io/store/rows.h"

void load_read(struct db *db, struct store_load *req, tide_wall_ms now);
/* news.c: what is known about req->news. */
void news_read(struct db *db, struct store_ask *req, tide_wall_ms now);
/* On ESPs' lists: this address, or ("") those of req->account that are to be looked at. */
void news_read_listed(struct db *db, struct store_ask *req, struct text address);
void suppressions_read(struct db *db, struct store_ask *req, tide_wall_ms now);
void ask_read(struct db *db, struct store_ask *req, tide_wall_ms now);

/* read_events.c */
void ask_events(struct db *db, struct store_ask *req);
void ask_letters(struct db *db, struct store_ask *req);

#endif
