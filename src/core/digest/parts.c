#include "core/digest/parts.h"

#include "base/macros.h"
#include "core/digest/charset.h"

#include <gmime/gmime.h>

#define BOUNDARY_BYTES_MAX 200 /* RFC 2046 5.1.1 allows 70 */
#define TYPE_BYTES_MAX                                                        \
    2000 /* of a Content-Type; GMime's time grows with its parameters' square \
          */

static struct text kept(struct arena *a, const char *s)
{
    return s ? arena_text(a, text_of(s)) : TEXT("");
}

/* What most mail says, word for word: having GMime read it takes longer than all else here. */
static bool is_common(struct text value, struct media *ret)
{
    static const struct {
        struct text value, charset;
    } plain[] = {{TEXT("text/plain; charset=utf-8"), TEXT("utf-8")},
                 {TEXT("text/plain; charset=\"utf-8\""), TEXT("utf-8")},
                 {TEXT("text/plain; charset=us-ascii"), TEXT("us-ascii")}};
    value = text_trim(value);
    for (size_t i = 0; i < TIDE_COUNT(plain); i++)
        if (text_ieq(value, plain[i].value)) {
            ret->charset = plain[i].charset;
            return true;
        }
    return false;
}

/* RFC 2045 5.2: without a type, or with one that cannot be read, it is text/plain. */
struct media part_media(const struct message *m, bool in_digest, struct arena *a)
{
    struct media media = {TEXT("text"), TEXT("plain"), TEXT(""), TEXT(""), TEXT("")};
    struct text value = message_raw_value(m, TEXT("Content-Type"), a);
    if (value.n == 0 && in_digest)
        return (struct media){TEXT("message"), TEXT("rfc822"), TEXT(""), TEXT(""), TEXT("")};
    if (is_common(value, &media) || text_find(value, '/') >= text_find(value, ';'))
        return media;
    value = text_cut(value, 0, TYPE_BYTES_MAX);
    char *z = arena_strndup(a, value.p, value.n);
    if (!z)
        return media;
    charset_ready();
    GMimeContentType *type = g_mime_content_type_parse(NULL, z);
    if (!type)
        return media;
    media.type = kept(a, g_mime_content_type_get_media_type(type));
    media.subtype = kept(a, g_mime_content_type_get_media_subtype(type));
    media.charset = kept(a, g_mime_content_type_get_parameter(type, "charset"));
    media.boundary = kept(a, g_mime_content_type_get_parameter(type, "boundary"));
    media.name = kept(a, g_mime_content_type_get_parameter(type, "name"));
    g_object_unref(type);
    return media;
}

bool part_is(const struct media *m, const char *type, const char *subtype)
{
    return text_ieq(m->type, text_of(type)) && (!subtype || text_ieq(m->subtype, text_of(subtype)));
}

struct text part_boundary(const struct media *media, struct arena *a)
{
    char *z = arena_printf(a, "--" TEXT_FMT, TEXT_ARG(media->boundary));
    struct text delimiter = text_of(z);
    if (delimiter.n <= 2 || delimiter.n > BOUNDARY_BYTES_MAX)
        return TEXT("");
    return delimiter;
}

bool part_delimiter(
    struct text body, struct text delimiter, size_t *pos, size_t *ret_end, bool *ret_last)
{
    for (size_t at = *pos;;) {
        const char *hit =
            at < body.n ? memmem(body.p + at, body.n - at, delimiter.p, delimiter.n) : NULL;
        if (!hit)
            return false;
        size_t start = (size_t)(hit - body.p);
        at = start + delimiter.n;
        if (start > 0 && body.p[start - 1] != '\n')
            continue;
        struct text tail = text_cut(body, at, body.n);
        size_t line = text_find(tail, '\n');
        bool last = text_starts(tail, TEXT("--"));
        struct text after = text_trim(text_cut(tail, last ? 2 : 0, line - (last ? 2 : 0)));
        if (after.n > 0 && !last)
            continue;
        *ret_end = start >= 2 ? start - 2 : 0; /* the line end belongs to the delimiter */
        *ret_last = last;
        *pos = line < tail.n ? at + line + 1 : body.n;
        return true;
    }
}

void part_next(
    struct text body, struct text delimiter, size_t *pos, bool *ret_last, struct message *ret)
{
    size_t start = *pos, end;
    if (!part_delimiter(body, delimiter, pos, &end, ret_last)) {
        end = body.n;
        *ret_last = true;
    }
    message_open_part(text_cut(body, start, end > start ? end - start : 0), ret);
}

struct text part_bytes(const struct message *part, size_t bytes_max, struct arena *a)
{
    struct text raw = text_cut(part->body, 0, bytes_max);
    struct text name = message_raw_value(part, TEXT("Content-Transfer-Encoding"), a);
    char *z = arena_strndup(a, name.p ? name.p : "", name.n);
    GMimeContentEncoding how = z ? g_mime_content_encoding_from_string(z) : 0;
    if (how == GMIME_CONTENT_ENCODING_BASE64 || how == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE) {
        GMimeEncoding state;
        g_mime_encoding_init_decode(&state, how);
        char *out = arena_alloc(a, g_mime_encoding_outlen(&state, raw.n) + 1);
        raw = (struct text){out, out ? g_mime_encoding_flush(&state, raw.p, raw.n, out) : 0};
    }
    return raw;
}

struct text part_text(const struct message *part,
                      struct text charset,
                      size_t bytes_max,
                      struct arena *a,
                      bool *ret_cut)
{
    *ret_cut = part->body.n > bytes_max;
    return charset_to_utf8(part_bytes(part, bytes_max, a), charset, a);
}
