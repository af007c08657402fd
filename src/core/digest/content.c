#include "core/digest/content.h"

#include "core/digest/charset.h"
#include "core/digest/html_text.h"

#include <gmime/gmime.h>

#define BOUNDARY_BYTES_MAX 200 /* RFC 2046 5.1.1 allows 70 */
#define TYPE_BYTES_MAX                                                        \
    2000 /* of a Content-Type; GMime's time grows with its parameters' square \
          */

struct text_part {
    bool found;
    struct message part;
    struct text charset;
};

struct look {
    struct arena *arena;
    const char *reason; /* why no digest; NULL until there is one */
    struct text_part plain, html;
    int parts;
};

struct media {
    struct text type, subtype, charset, boundary; /* in the arena */
};

static struct text kept(struct arena *a, const char *s)
{
    return s ? arena_text(a, text_of(s)) : TEXT("");
}

/* RFC 2045 5.2: without a type, or with one that cannot be read, it is text/plain. */
static struct media media_of(const struct message *m, bool in_digest, struct arena *a)
{
    struct media media = {TEXT("text"), TEXT("plain"), TEXT(""), TEXT("")};
    struct text value = message_raw_value(m, TEXT("Content-Type"), a);
    if (value.n == 0 && in_digest)
        return (struct media){TEXT("message"), TEXT("rfc822"), TEXT(""), TEXT("")};
    if (text_find(value, '/') >= text_find(value, ';'))
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
    g_object_unref(type);
    return media;
}

static bool is_type(const struct media *m, const char *type, const char *subtype)
{
    return text_ieq(m->type, text_of(type)) && (!subtype || text_ieq(m->subtype, text_of(subtype)));
}

/* Finds the next delimiter line at or after *pos. What stands before it ends at *ret_end; *pos goes
 * behind the line, *ret_last tells "--boundary--". */
static bool next_delimiter(
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

static void visit(struct look *look, const struct message *m, int depth, bool in_digest);

static void visit_multipart(struct look *look,
                            const struct message *m,
                            const struct media *media,
                            int depth)
{
    char *z = arena_printf(look->arena, "--" TEXT_FMT, TEXT_ARG(media->boundary));
    struct text delimiter = text_of(z);
    if (!z || delimiter.n == 2 || delimiter.n > BOUNDARY_BYTES_MAX) {
        look->reason = "it is a multipart message without a usable boundary";
        return;
    }
    size_t pos = 0, end;
    bool last;
    if (!next_delimiter(m->body, delimiter, &pos, &end, &last))
        return;
    while (!last && !look->reason) {
        size_t start = pos;
        struct message part;
        if (!next_delimiter(m->body, delimiter, &pos, &end, &last)) {
            end = m->body.n;
            last = true;
        }
        message_open_part(text_cut(m->body, start, end > start ? end - start : 0), &part);
        visit(look, &part, depth + 1, is_type(media, "multipart", "digest"));
    }
}

static const char *sealed(const struct media *media)
{
    if (is_type(media, "multipart", "encrypted"))
        return "it is encrypted";
    if (is_type(media, "multipart", "signed"))
        return "it is signed";
    if (is_type(media, "application", "pkcs7-mime") ||
        is_type(media, "application", "x-pkcs7-mime"))
        return "it is encrypted or signed (S/MIME)";
    if (is_type(media, "multipart", "report"))
        return "it is a report";
    if (is_type(media, "text", "calendar"))
        return "it carries a calendar item";
    return NULL;
}

static void note_text(struct look *look,
                      struct text_part *at,
                      const struct message *m,
                      const struct media *media)
{
    if (text_starts(text_trim(text_cut(m->body, 0, 1000)), TEXT("-----BEGIN PGP ")))
        look->reason = "it is encrypted or signed (OpenPGP)";
    if (!at->found)
        *at = (struct text_part){true, *m, media->charset};
}

static void visit(struct look *look, const struct message *m, int depth, bool in_digest)
{
    struct media media = media_of(m, in_digest, look->arena);
    struct text disposition = message_raw_value(m, TEXT("Content-Disposition"), look->arena);
    bool attached = text_istarts(disposition, TEXT("attachment"));
    look->reason = sealed(&media);
    if (look->reason)
        return;
    if (++look->parts > CONTENT_PARTS_MAX)
        look->reason = "it has too many parts";
    else if (depth > CONTENT_DEPTH_MAX)
        look->reason = "its parts are nested too deeply";
    else if (is_type(&media, "multipart", NULL))
        visit_multipart(look, m, &media, depth);
    else if (attached)
        look->reason = "it has an attachment";
    else if (is_type(&media, "text", "plain"))
        note_text(look, &look->plain, m, &media);
    else if (is_type(&media, "text", "html"))
        note_text(look, &look->html, m, &media);
    else if (!is_type(&media, "text", NULL) &&
             !(is_type(&media, "image", NULL) && message_has(m, TEXT("Content-ID"))))
        look->reason = "it has an attachment";
}

/* The first CONTENT_TEXT_SCAN_BYTES of the part, transfer encoding and charset undone. */
static struct text decoded_text(const struct text_part *t, struct arena *a, bool *ret_cut)
{
    struct text raw = text_cut(t->part.body, 0, CONTENT_TEXT_SCAN_BYTES);
    *ret_cut = raw.n < t->part.body.n;
    struct text name = message_raw_value(&t->part, TEXT("Content-Transfer-Encoding"), a);
    char *z = arena_strndup(a, name.p ? name.p : "", name.n);
    GMimeContentEncoding how = z ? g_mime_content_encoding_from_string(z) : 0;
    if (how == GMIME_CONTENT_ENCODING_BASE64 || how == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE) {
        GMimeEncoding state;
        g_mime_encoding_init_decode(&state, how);
        char *out = arena_alloc(a, g_mime_encoding_outlen(&state, raw.n) + 1);
        raw = (struct text){out, out ? g_mime_encoding_flush(&state, raw.p, raw.n, out) : 0};
    }
    return charset_to_utf8(raw, t->charset, a);
}

/* Takes out what is not seen: U+00AD, U+034F, U+200B, U+2060, U+FEFF, which mailers put in to fill
 * a preview. U+200C and U+200D stay: Persian and emoji need them. */
static struct text without_fillers(struct text t, struct arena *a)
{
    static const char *const fillers[] = {"\xC2\xAD", "\xCD\x8F", "\xE2\x80\x8B", "\xE2\x81\xA0",
                                          "\xEF\xBB\xBF"};
    char *s = arena_alloc(a, t.n + 1);
    size_t n = 0;
    for (size_t i = 0; s && i < t.n;) {
        size_t skip = 0;
        for (size_t k = 0; k < 5 && (t.p[i] & 0x80); k++)
            if (text_starts(text_cut(t, i, t.n), text_of(fillers[k])))
                skip = strlen(fillers[k]);
        if (skip == 0)
            s[n++] = t.p[i++];
        i += skip;
    }
    return (struct text){s, n};
}

/* A rule of signs, or nothing at all. */
static bool says_nothing(struct text line)
{
    for (size_t i = 0; i < line.n; i++)
        if (ascii_is_alnum(line.p[i]) || (line.p[i] & 0x80))
            return false;
    return true;
}

/* False when memory ran out. */
static bool pick_lines(
    struct text t, size_t bytes_max, unsigned lines_max, struct arena *a, struct content *ret)
{
    struct buf b = {0};
    struct text line;
    unsigned lines = 0;
    while (!ret->cut && text_split(&t, '\n', &line)) {
        struct text clean = text_trim(charset_without_controls(without_fillers(line, a), a));
        if (text_eq(clean, TEXT("--")))
            break;
        if (says_nothing(clean) || clean.p[0] == '>')
            continue;
        size_t used = b.len + (lines > 0);
        if (lines == lines_max || used >= bytes_max) {
            ret->cut = true;
            break;
        }
        size_t n = charset_cut(clean, bytes_max - used);
        ret->cut = n < clean.n;
        if (lines++ > 0)
            buf_addc(&b, '\n');
        buf_add(&b, clean.p, n);
    }
    bool ok = b.failed == TIDE_OK;
    if (ok && b.len > 0) {
        ret->text = arena_text(a, buf_text(&b));
        ok = ret->text.p != NULL;
    }
    buf_fini(&b);
    return ok;
}

static bool find_text(const struct look *look,
                      size_t bytes_max,
                      unsigned lines_max,
                      struct content *ret)
{
    bool ok = true, cut = false;
    if (look->plain.found)
        ok = pick_lines(decoded_text(&look->plain, look->arena, &cut), bytes_max, lines_max,
                        look->arena, ret);
    if (ok && ret->text.n == 0 && look->html.found) {
        struct buf words = {.max = CONTENT_TEXT_SCAN_BYTES};
        html_text(decoded_text(&look->html, look->arena, &cut), &words);
        ok = pick_lines(buf_text(&words), bytes_max, lines_max, look->arena, ret);
        buf_fini(&words);
    }
    ret->cut |= cut && ret->text.n > 0;
    return ok;
}

enum tide_err content_look(const struct message *m,
                           size_t text_bytes_max,
                           unsigned lines_max,
                           struct arena *a,
                           struct content *ret,
                           struct tide_error *err)
{
    struct look look = {.arena = a};
    struct content got = {.reason = "", .text = TEXT("")};
    visit(&look, m, 0, false);
    if (lines_max > 0 && !find_text(&look, text_bytes_max, lines_max, &got))
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a message's first lines");
    got.digestible = !look.reason;
    if (look.reason)
        got.reason = look.reason;
    *ret = got;
    return TIDE_OK;
}
