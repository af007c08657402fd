#include "core/proto/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

void jw_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

/* Length of the well-formed UTF-8 sequence that starts at p; 0 when there is none. */
static size_t utf8_length(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t want = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return want <= n && text_is_utf8((struct text){p, want}) ? want : 0;
}

static void escape(struct buf *out, char c)
{
    static const char plain[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *p = plain; *p; p += 2) {
        if (*p == c) {
            buf_addc(out, '\\');
            buf_addc(out, p[1]);
            return;
        }
    }
    buf_addf(out, "\\u%04x", (unsigned)(unsigned char)c);
}

void json_quote(struct buf *out, struct text t)
{
    buf_addc(out, '"');
    size_t done = 0; /* what stands before it is written */
    for (size_t i = 0; i < t.n;) {
        unsigned char c = (unsigned char)t.p[i];
        size_t n = c < 0x80 ? 1 : utf8_length(t.p + i, t.n - i);
        if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += n;
            continue;
        }
        buf_add(out, t.p + done, i - done);
        if (n == 0)
            buf_adds(out, "\xEF\xBF\xBD"); /* U+FFFD */
        else
            escape(out, (char)c);
        done = ++i;
    }
    if (done < t.n)
        buf_add(out, t.p + done, t.n - done);
    buf_addc(out, '"');
}

static void lead_in(struct json_writer *w, const char *name)
{
    assert(w->depth == 0 || (name != NULL) == (w->closer[w->depth - 1] == '}'));
    if (w->depth > 0) {
        if (w->filled[w->depth - 1])
            buf_addc(w->out, ',');
        w->filled[w->depth - 1] = true;
    }
    if (name && w->depth > 0) {
        json_quote(w->out, text_of(name));
        buf_addc(w->out, ':');
    }
}

static void open_level(struct json_writer *w, const char *name, char opener, char closer)
{
    lead_in(w, name);
    assert(w->depth < JW_DEPTH_MAX);
    buf_addc(w->out, opener);
    w->closer[w->depth] = closer;
    w->filled[w->depth] = false;
    w->depth++;
}

void jw_object(struct json_writer *w, const char *name)
{
    open_level(w, name, '{', '}');
}

void jw_array(struct json_writer *w, const char *name)
{
    open_level(w, name, '[', ']');
}

void jw_end(struct json_writer *w)
{
    assert(w->depth > 0);
    buf_addc(w->out, w->closer[--w->depth]);
}

void jw_text(struct json_writer *w, const char *name, struct text t)
{
    lead_in(w, name);
    json_quote(w->out, t);
}

void jw_text_or_null(struct json_writer *w, const char *name, struct text t)
{
    if (t.n > 0)
        jw_text(w, name, t);
    else
        jw_null(w, name);
}

void jw_str(struct json_writer *w, const char *name, const char *s)
{
    if (s)
        jw_text(w, name, text_of(s));
    else
        jw_null(w, name);
}

void jw_int(struct json_writer *w, const char *name, int64_t n)
{
    lead_in(w, name);
    buf_addf(w->out, "%" PRId64, n);
}

void jw_number(struct json_writer *w, const char *name, double x)
{
    lead_in(w, name);
    if (isfinite(x))
        buf_addf(w->out, "%.6g", x);
    else
        buf_adds(w->out, "null");
}

void jw_bool(struct json_writer *w, const char *name, bool b)
{
    lead_in(w, name);
    buf_adds(w->out, b ? "true" : "false");
}

void jw_null(struct json_writer *w, const char *name)
{
    lead_in(w, name);
    buf_adds(w->out, "null");
}

void jw_json(struct json_writer *w, const char *name, struct text value)
{
    lead_in(w, name);
    buf_add_text(w->out, value.n > 0 ? value : TEXT("null"));
}

void jw_id(struct json_writer *w, const char *name, tide_id id)
{
    char out[ID_TEXT_BYTES];
    jw_str(w, name, id ? id_text(id, out) : NULL);
}

void jw_time(struct json_writer *w, const char *name, tide_wall_ms t)
{
    char out[TIME_TEXT_BYTES];
    jw_str(w, name, t && t != TIDE_NEVER ? time_rfc3339(t, 0, out) : NULL);
}
