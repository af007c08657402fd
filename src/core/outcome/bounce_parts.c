#include "core/outcome/bounce_parts.h"

#include "core/digest/html_text.h"
#include "core/digest/parts.h"

static void walk(struct bounce_parts *r, const struct message *m, int depth);
static bool walk_report_within(struct bounce_parts *r, struct text inner, int depth);

static void walk_multipart(struct bounce_parts *r,
                           const struct message *m,
                           const struct media *media,
                           int depth)
{
    struct text delimiter = part_boundary(media, r->arena);
    size_t pos = 0, end;
    bool last;
    if (delimiter.n == 0 || !part_delimiter(m->body, delimiter, &pos, &end, &last)) {
        buf_add_text(&r->text, text_cut(m->body, 0, BOUNCE_TEXT_BYTES)); /* as it stands */
        return;
    }
    while (!last) {
        struct message part;
        part_next(m->body, delimiter, &pos, &last, &part);
        walk(r, &part, depth + 1);
    }
}

/* The message without what is put before each of its lines: blanks, or ">". */
static struct text without_margin(struct bounce_parts *r, struct text t)
{
    size_t margin = 0;
    struct text line, rest = t;
    while (t.n > 0 && strchr("\r\n", t.p[0]))
        rest = t = text_cut(t, 1, t.n);
    while (margin < t.n && margin < 8 && strchr("> ", t.p[margin]))
        margin++;
    if (margin == 0)
        return t;
    struct buf b = {.max = BOUNCE_TEXT_BYTES};
    while (text_split(&rest, '\n', &line)) {
        size_t n = 0;
        while (n < margin && n < line.n && strchr("> ", line.p[n]))
            n++;
        buf_add_text(&b, text_cut(line, n, line.n));
        buf_addc(&b, '\n');
    }
    struct text plain = arena_text(r->arena, buf_text(&b));
    buf_fini(&b);
    return plain.p ? plain : t;
}

void bounce_parts_original(struct bounce_parts *r, struct text t)
{
    if (r->has_original)
        return;
    t = without_margin(r, t);
    while (t.n > 0 && strchr(" \t\r\n", t.p[0]))
        t = text_cut(t, 1, t.n);
    if (text_starts(t, TEXT("From ")))
        t = text_cut(t, text_find(t, '\n') + 1, t.n);
    message_open_part(t, &r->original);
    r->has_original = r->original.head.n > 0;
}

static struct text decoded(struct bounce_parts *r,
                           const struct message *m,
                           const struct media *media)
{
    bool cut;
    return part_text(m, media->charset, BOUNCE_TEXT_BYTES, r->arena, &cut);
}

static void take_text(struct bounce_parts *r, const struct message *m, const struct media *media)
{
    struct text t = decoded(r, m, media);
    bool html = part_is(media, "text", "html");
    if (html && r->text.len > 0 && !r->html_only)
        return; /* the same once more */
    buf_addc(&r->text, '\n');
    if (html)
        html_text(t, &r->text);
    else
        buf_add_text(&r->text, t);
    r->html_only = html;
}

/* A report that a gateway has put into a mail of its own is still the report. */
static bool walk_report_within(struct bounce_parts *r, struct text inner, int depth)
{
    struct message m;
    if (r->has_status || r->has_feedback)
        return false;
    message_open_part(inner, &m);
    struct media media = part_media(&m, false, r->arena);
    if (!part_is(&media, "multipart", "report"))
        return false;
    walk(r, &m, depth + 1);
    return true;
}

static void walk(struct bounce_parts *r, const struct message *m, int depth)
{
    if (++r->count > BOUNCE_PARTS_MAX || depth > BOUNCE_DEPTH_MAX)
        return;
    struct media media = part_media(m, false, r->arena);
    bool report = part_is(&media, "message", NULL);
    if (part_is(&media, "multipart", NULL)) {
        walk_multipart(r, m, &media, depth);
    } else if (report && (text_ieq(media.subtype, TEXT("delivery-status")) ||
                          text_ieq(media.subtype, TEXT("global-delivery-status")))) {
        if (!r->has_status)
            r->status = decoded(r, m, &media);
        r->has_status = true;
    } else if (report && text_ieq(media.subtype, TEXT("feedback-report"))) {
        if (!r->has_feedback)
            r->feedback = decoded(r, m, &media);
        r->has_feedback = true;
    } else if (report && text_ieq(media.subtype, TEXT("disposition-notification"))) {
        r->has_receipt = true;
    } else if (report || part_is(&media, "text", "rfc822-headers")) {
        struct text inner = decoded(r, m, &media);
        if (!walk_report_within(r, inner, depth))
            bounce_parts_original(r, inner);
    } else if (part_is(&media, "text", NULL)) {
        take_text(r, m, &media);
    }
}

void bounce_parts_take(struct bounce_parts *r, const struct message *mail)
{
    r->text.max = 2 * BOUNCE_TEXT_BYTES;
    walk(r, mail, 0);
}

void bounce_parts_fini(struct bounce_parts *r)
{
    buf_fini(&r->text);
}
