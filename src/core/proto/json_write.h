/* json_write.h - writes JSON into a buffer: commas, escapes and times are its business.
 *
 *   jw_object(&w, NULL);                      {
 *   jw_text(&w, "state", TEXT("held"));         "state":"held",
 *   jw_array(&w, "ids");                        "ids":[
 *   jw_int(&w, NULL, 7);                          7
 *   jw_end(&w);                                 ]
 *   jw_end(&w);                               }
 *
 * Every call takes the member's name, NULL inside an array and for the outermost value.
 *
 * Owns      nothing: the buffer is the caller's, and its failure is checked there, once.
 * Threads   one at a time.
 * Limits    JW_DEPTH_MAX levels (an assertion: shapes are ours, not the peer's).
 * Standards RFC 8259. Bytes that are not UTF-8 become U+FFFD, so the output always parses.
 */
#ifndef CORE_PROTO_JSON_WRITE_H
#define CORE_PROTO_JSON_WRITE_H

#include "base/buf.h"
#include "base/id.h"

#define JW_DEPTH_MAX 16

struct json_writer {
    struct buf *out;
    unsigned depth;
    char closer[JW_DEPTH_MAX]; /* ']' or '}' of each open level */
    bool filled[JW_DEPTH_MAX]; /* something stands there already: a comma is due */
};

void jw_init(struct json_writer *w, struct buf *out);

void jw_object(struct json_writer *w, const char *name);
void jw_array(struct json_writer *w, const char *name);
void jw_end(struct json_writer *w); /* of the innermost open object or array */

void jw_text(struct json_writer *w, const char *name, struct text t);
void jw_text_or_null(struct json_writer *w, const char *name, struct text t); /* "": null */
void jw_str(struct json_writer *w, const char *name, const char *s);          /* NULL: null */
void jw_int(struct json_writer *w, const char *name, int64_t n);
void jw_number(struct json_writer *w, const char *name, double x); /* not finite: null */
void jw_bool(struct json_writer *w, const char *name, bool b);
void jw_null(struct json_writer *w, const char *name);
void jw_id(struct json_writer *w, const char *name, tide_id id); /* 0: null */
/* RFC 3339 in UTC; 0 and TIDE_NEVER: null. */
void jw_time(struct json_writer *w, const char *name, tide_wall_ms t);

/* A whole JSON value that was written before; "": null. It is not looked at. */
void jw_json(struct json_writer *w, const char *name, struct text value);

/* The string literal alone, quotes included. */
void json_quote(struct buf *out, struct text t);

#endif
