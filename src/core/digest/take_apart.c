#include "core/digest/take_apart.h"

#include "core/digest/charset.h"
#include "core/digest/parts.h"

#include <gmime/gmime.h>

#define DISPOSITION_BYTES_MAX 2000

struct taking {
    struct arena *arena;
    struct taken_parts *parts;
    struct tide_error *err;
    int count;
};

static enum tide_err no_memory(struct taking *t)
{
    return tide_fail(t->err, TIDE_ENOMEM, "out of memory for a message's parts");
}

static const char *sealed(const struct media *media)
{
    if (part_is(media, "multipart", "signed"))
        return "is signed";
    if (part_is(media, "multipart", "encrypted"))
        return "is encrypted";
    if (part_is(media, "application", "pkcs7-mime") ||
        part_is(media, "application", "x-pkcs7-mime"))
        return "is signed or encrypted (S/MIME)";
    if (part_is(media, "multipart", "report"))
        return "is a report";
    return NULL;
}

/* The file name of a Content-Disposition, decoded; "" when there is none. */
static struct text disposition_name(struct text disposition, struct arena *a)
{
    struct text ret = TEXT("");
    disposition = text_cut(disposition, 0, DISPOSITION_BYTES_MAX);
    char *z = disposition.n > 0 ? arena_strndup(a, disposition.p, disposition.n) : NULL;
    if (!z)
        return ret;
    charset_ready();
    GMimeContentDisposition *d = g_mime_content_disposition_parse(NULL, z);
    const char *name = d ? g_mime_content_disposition_get_parameter(d, "filename") : NULL;
    if (name)
        ret = arena_text(a, text_of(name));
    if (d)
        g_object_unref(d);
    return ret;
}

static struct text without_brackets(struct text id)
{
    if (id.n >= 2 && id.p[0] == '<' && id.p[id.n - 1] == '>')
        id = text_cut(id, 1, id.n - 2);
    return id;
}

/* A name for what has none, with the ending that goes with the commonest types. */
static struct text made_name(struct taking *t, const struct media *media)
{
    const char *ending = part_is(media, "message", "rfc822")  ? ".eml"
                         : part_is(media, "text", "calendar") ? ".ics"
                         : part_is(media, "text", "html")     ? ".html"
                         : part_is(media, "text", NULL)       ? ".txt"
                                                              : "";
    return text_of(arena_printf(t->arena, "part-%d%s", t->count, ending));
}

static enum tide_err take_file(struct taking *t,
                               const struct message *m,
                               const struct media *media,
                               struct text disposition)
{
    struct taken_file *f = &t->parts->files[t->parts->file_count];
    struct text id = message_raw_value(m, TEXT("Content-ID"), t->arena);
    struct text name = disposition_name(disposition, t->arena);
    name = name.n > 0 ? name : media->name;
    f->name = name.n > 0
                  ? charset_without_controls(charset_to_utf8(name, TEXT(""), t->arena), t->arena)
                  : made_name(t, media);
    f->type = text_of(arena_printf(t->arena, TEXT_FMT "/" TEXT_FMT, TEXT_ARG(media->type),
                                   TEXT_ARG(media->subtype)));
    f->content_id = id.n > 0 ? without_brackets(id) : TEXT("");
    f->shown = f->content_id.n > 0 && !text_istarts(disposition, TEXT("attachment"));
    f->bytes = part_bytes(m, SIZE_MAX, t->arena);
    if (!f->name.p || !f->type.p || (!f->bytes.p && m->body.n > 0))
        return no_memory(t);
    t->parts->file_count++;
    return TIDE_OK;
}

static enum tide_err take_text(struct taking *t,
                               const struct message *m,
                               const struct media *media,
                               struct text *ret)
{
    struct text got = charset_to_utf8(part_bytes(m, SIZE_MAX, t->arena), media->charset, t->arena);
    if (!got.p && m->body.n > 0)
        return no_memory(t);
    *ret = got.p ? got : TEXT("");
    return TIDE_OK;
}

static enum tide_err take(struct taking *t, const struct message *m, int depth, const char *within);

static enum tide_err take_all(struct taking *t,
                              const struct message *m,
                              const struct media *media,
                              int depth)
{
    const char *within = part_is(media, "multipart", "alternative") ? "alternative"
                         : part_is(media, "multipart", "digest")    ? "digest"
                                                                    : "";
    struct text delimiter = part_boundary(media, t->arena);
    struct message part;
    enum tide_err rc = TIDE_OK;
    size_t pos = 0, end;
    bool last = true;
    if (delimiter.n == 0)
        return tide_fail(t->err, TIDE_EINVAL,
                         "it is a multipart message without a usable boundary");
    if (!part_delimiter(m->body, delimiter, &pos, &end, &last))
        return TIDE_OK;
    while (rc == TIDE_OK && !last) {
        part_next(m->body, delimiter, &pos, &last, &part);
        rc = take(t, &part, depth + 1, within);
    }
    return rc;
}

static enum tide_err take(struct taking *t, const struct message *m, int depth, const char *within)
{
    struct media media = part_media(m, strcmp(within, "digest") == 0, t->arena);
    struct text disposition = message_raw_value(m, TEXT("Content-Disposition"), t->arena);
    bool attached = text_istarts(disposition, TEXT("attachment"));
    const char *why = sealed(&media);
    if (why)
        return tide_fail(t->err, TIDE_EINVAL, "it %s and would not be the same mail any more", why);
    if (++t->count > TAKE_PARTS_MAX)
        return tide_fail(t->err, TIDE_ELIMIT, "it has more than %d parts", TAKE_PARTS_MAX);
    if (depth > TAKE_DEPTH_MAX)
        return tide_fail(t->err, TIDE_ELIMIT, "its parts are nested more than %d deep",
                         TAKE_DEPTH_MAX);
    if (part_is(&media, "multipart", NULL))
        return take_all(t, m, &media, depth);
    if (!attached && part_is(&media, "text", "plain") && !t->parts->plain.p)
        return take_text(t, m, &media, &t->parts->plain);
    if (!attached && part_is(&media, "text", "html") && !t->parts->html.p)
        return take_text(t, m, &media, &t->parts->html);
    if (strcmp(within, "alternative") == 0 && !attached && !part_is(&media, "text", "calendar"))
        return TIDE_OK;
    return take_file(t, m, &media, disposition);
}

enum tide_err take_apart(const struct message *m,
                         struct arena *a,
                         struct taken_parts *ret,
                         struct tide_error *err)
{
    struct taking t = {.arena = a, .parts = ret, .err = err};
    *ret = (struct taken_parts){0};
    return take(&t, m, 0, "");
}
