/* dot.h - a message as it stands behind DATA: lines that begin with a dot get one more (RFC 5321
 * 4.5.2), every line ends in CRLF, and "." CRLF ends the whole.
 *
 * A bare CR or LF never reaches the wire: it becomes CRLF, since servers differ on what such a
 * thing ends, which is how mail is smuggled (CVE-2023-51764 and its kin).
 *
 * Owns      nothing. Threads any.
 */
#ifndef CORE_PROTO_DOT_H
#define CORE_PROTO_DOT_H

#include "base/buf.h"

struct dot_writer {
    struct text rest;      /* still to be written */
    bool in_line, held_cr; /* something stands on this line; a CR waits for its LF */
    bool ended;            /* the final dot is written */
};

void dot_begin(struct dot_writer *w, struct text message);

/* Appends the next `bytes_max` bytes of the message as they go on the wire, and behind the last
 * one the final dot. On failure (sticky in `out`) the writer has not moved. */
void dot_write(struct dot_writer *w, size_t bytes_max, struct buf *out);

#endif
