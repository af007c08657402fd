#include "core/digest/content.h"

#include "core/digest/charset.h"
#include "core/digest/html_text.h"
#include "core/digest/parts.h"

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

static void visit(struct look *look, const struct message *m, int depth, bool in_digest);

static void visit_multipart(struct look *look,
                            const struct message *m,
                            const struct media *media,
                            int depth)
{
    struct text delimiter = part_boundary(media, look->arena);
    if (delimiter.n == 0) {
        look->reason = "it is a multipart message without a usable boundary";
        return;
    }
    size_t pos = 0, end;
    bool last;
    if (!part_delimiter(m->body, delimiter, &pos, &end, &last))
        return;
    while (!last && !look->reason) {
        struct message part;
        part_next(m->body, delimiter, &pos, &last, &part);
        visit(look, &part, depth + 1, part_is(media, "multipart", "digest"));
    }
}

static const char *sealed(const struct media *media)
{
    if (part_is(media, "multipart", "encrypted"))
        return "it is encrypted";
    if (part_is(media, "multipart", "signed"))
        return "it is signed";
    if (part_is(media, "application", "pkcs7-mime") ||
        part_is(media, "application", "x-pkcs7-mime"))
        return "it is encrypted or signed (S/MIME)";
    if (part_is(media, "multipart", "report"))
        return "it is a report";
    if (part_is(media, "text", "calendar"))
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
    struct media media = part_media(m, in_digest, look->arena);
    struct text disposition = message_raw_value(m, TEXT("Content-Disposition"), look->arena);
    bool attached = text_istarts(disposition, TEXT("attachment"));
    look->reason = sealed(&media);
    if (look->reason)
        return;
    if (++look->parts > CONTENT_PARTS_MAX)
        look->reason = "it has too many parts";
    else if (depth > CONTENT_DEPTH_MAX)
        look->reason = "its parts are nested too deeply";
    else if (part_is(&media, "multipart", NULL))
        visit_multipart(look, m, &media, depth);
    else if (attached)
        look->reason = "it has an attachment";
    else if (part_is(&media, "text", "plain"))
        note_text(look, &look->plain, m, &media);
    else if (part_is(&media, "text", "html"))
        note_text(look, &look->html, m, &media);
    else if (!part_is(&media, "text", NULL) &&
             !(part_is(&media, "image", NULL) && message_has(m, TEXT("Content-ID"))))
        look->reason = "it has an attachment";
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

static struct text decoded_text(const struct text_part *t, struct arena *a, bool *ret_cut)
{
    return part_text(&t->part, t->charset, CONTENT_TEXT_SCAN_BYTES, a, ret_cut);
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
