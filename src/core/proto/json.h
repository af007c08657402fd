/* json.h - reads strict JSON (RFC 8259) through a parser library that can be replaced.
 *
 * Only what mailtide needs of a document: its kinds, members, elements and scalars. Stricter than
 * the library where that was found lax: no NUL byte anywhere in the input, nothing behind the
 * value, no name twice in one object, a bound on size and nesting before anything is built.
 * A string may hold U+0000 (written \u0000): who cannot use that refuses it.
 *
 * Owns      a document owns all its values; texts and values hold until json_free().
 * Threads   one at a time per document.
 * Errors    TIDE_ESYNTAX "line 3, column 7: ..."; TIDE_ELIMIT too large or too deep.
 * Standards RFC 8259; tests/conformance/test_json_corpus.c runs JSONTestSuite.
 */
#ifndef CORE_PROTO_JSON_H
#define CORE_PROTO_JSON_H

#include "base/buf.h"

#define JSON_DEPTH_MAX  64
#define JSON_VALUES_MAX 500000 /* some 50 MB: "[]," is three bytes, but a hundred in memory */

struct json; /* a value; the document is its outermost one */

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

TIDE_MUST_CHECK enum tide_err json_parse(struct text t,
                                         size_t bytes_max,
                                         struct json **ret,
                                         struct tide_error *err);
void json_free(struct json *document);

/* All of these take NULL for "no such value": a member of what is no object is that too. */
enum json_kind json_kind(const struct json *v);     /* NULL: JSON_KIND_NULL */
const char *json_kind_text(const struct json *v);   /* "a string", "an array": for errors */
struct text json_string_text(const struct json *v); /* {NULL, 0} unless a string */
bool json_bool(const struct json *v, bool *ret);
bool json_int(const struct json *v, int64_t *ret); /* whole numbers only */
bool json_number(const struct json *v, double *ret);

size_t json_count(const struct json *v); /* elements or members; 0 for the others */
const struct json *json_element(const struct json *v, size_t i);
const struct json *json_member(const struct json *v, const char *name);

/* Appends the value as JSON text, compact. */
void json_dump(const struct json *v, struct buf *out);

/* Walks an object's members in the order they were written: start with *pos NULL; false at the
 * end. U+0000 in a name is given as U+FFFF. */
bool json_next(const struct json *v, void **pos, struct text *ret_name, const struct json **ret);

#endif
