/* form.h - reads the body of an HTML form as programs send it: urlencoded or multipart/form-data.
 *
 * Owns      nothing: fields point into the body or the caller's arena.
 * Threads   any.
 * Errors    TIDE_ESYNTAX what is no such body; TIDE_ELIMIT more than FORM_FIELDS_MAX; TIDE_EINVAL
 *           another content type; TIDE_ENOMEM.
 * Standards WHATWG URL 5.1 (urlencoded); RFC 7578 with RFC 2046 5.1 (multipart), names with
 *           backslashes or %22 for quotes, RFC 8187 names (filename*). A part's
 *           Content-Transfer-Encoding (obsolete, RFC 7578 4.7) is honoured when it is base64.
 */
#ifndef CORE_PROTO_FORM_H
#define CORE_PROTO_FORM_H

#include "base/arena.h"

#define FORM_FIELDS_MAX 10000

struct form_field {
    struct text name;
    struct text value;
    struct text filename;     /* p NULL: not a file */
    struct text content_type; /* of a part; p NULL: not said */
};

struct form {
    struct form_field *fields;
    size_t count;
};

TIDE_MUST_CHECK enum tide_err form_parse(struct text content_type,
                                         struct text body,
                                         struct arena *arena,
                                         struct form *ret,
                                         struct tide_error *err);

/* The first field's value; {NULL, 0}: there is none. */
struct text form_value(const struct form *f, const char *name);

#endif
