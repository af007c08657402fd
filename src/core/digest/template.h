/* template.h - a small template language, a safe subset of mustache, for text and HTML.
 *
 *     {{title}}                the field; in HTML with & < > " ' escaped and line ends as <br>
 *     {{#items}}..{{/items}}   once for each entry of a list, or once if the text is not empty
 *     {{^items}}..{{/items}}   if the list or text is empty
 *     {{! a remark }}
 *
 * A name is looked for in the innermost entry first, then outwards. A line that holds nothing but a
 * section or a remark leaves no line. There is no unescaped field, no partial, no code: a template
 * can show nothing but what it is given, and no field can become markup.
 *
 * Owns      struct template: a copy of its text (template_free()).
 * Threads   any, read only once made. No clock, no I/O.
 * Errors    TIDE_ESYNTAX "FILE:LINE: what is wrong"; TIDE_ELIMIT a bound below or the output's.
 * Limits    TEMPLATE_BYTES_MAX, TEMPLATE_DEPTH_MAX sections in each other.
 * Standards mustache(5), the tags named above.
 */
#ifndef CORE_DIGEST_TEMPLATE_H
#define CORE_DIGEST_TEMPLATE_H

#include "base/buf.h"

#define TEMPLATE_BYTES_MAX (256u * 1024)
#define TEMPLATE_DEPTH_MAX 8

enum template_kind {
    TEMPLATE_TEXT, /* a field of many lines is indented like its first */
    TEMPLATE_HTML,
};

struct template;
struct template_scope;

struct template_field {
    const char *name;
    struct text text;                     /* when entries is NULL */
    const struct template_scope *entries; /* a list: not NULL, also when it is empty */
    size_t entry_count;
};

/* The fields of one entry, or of the whole. */
struct template_scope {
    const struct template_field *fields;
    size_t field_count;
};

/* `file` is for error texts. `names` are all fields there are: another one is an error that names
 * the nearest. */
TIDE_MUST_CHECK enum tide_err template_new(enum template_kind kind,
                                           const char *file,
                                           struct text source,
                                           const char *const *names,
                                           size_t name_count,
                                           struct template **ret,
                                           struct tide_error *err);
void template_free(struct template *t);

/* Appends to *ret, whose bound is the bound of the output. */
TIDE_MUST_CHECK enum tide_err template_render(const struct template *t,
                                              const struct template_scope *scope,
                                              struct buf *ret,
                                              struct tide_error *err);

#endif
