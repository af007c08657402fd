#include "core/digest/mime.h"

#include "core/digest/charset.h"

#include <gmime/gmime.h>
#include <stdio.h>

#define BOUNDARY_BYTES 40

void mime_hash(struct text of, char out[MIME_HASH_BYTES])
{
    char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)of.p, of.n);
    memcpy(out, sum, MIME_HASH_BYTES - 1);
    out[MIME_HASH_BYTES - 1] = '\0';
    g_free(sum);
}

static bool contains(struct text t, const char *needle)
{
    return t.n > 0 && memmem(t.p, t.n, needle, strlen(needle));
}

/* "=_" stands in no quoted-printable and no base64 text; originals are searched. */
static void make_boundary(struct text seed,
                          const struct text *originals,
                          size_t count,
                          char out[BOUNDARY_BYTES])
{
    char hash[MIME_HASH_BYTES];
    mime_hash(seed, hash);
    for (bool free_of_it = false; !free_of_it; mime_hash(text_of(out), hash)) {
        snprintf(out, BOUNDARY_BYTES, "=_%s", hash);
        free_of_it = true;
        for (size_t i = 0; i < count; i++)
            free_of_it = free_of_it && !contains(originals[i], out);
    }
}

static bool is_mostly_ascii(struct text t)
{
    size_t high = 0;
    for (size_t i = 0; i < t.n; i++)
        high += (t.p[i] & 0x80) != 0;
    return high <
           t.n / 6; /* quoted-printable takes 3 bytes for each of these, base64 4/3 for all */
}

static void put_encoded(struct buf *b, struct text t, GMimeContentEncoding how)
{
    GMimeEncoding state;
    struct buf encoded = {0};
    g_mime_encoding_init_encode(&state, how);
    char *out = buf_room(&encoded, g_mime_encoding_outlen(&state, t.n) + 80);
    if (!out) {
        b->failed = encoded.failed;
        return;
    }
    buf_added(&encoded, g_mime_encoding_flush(&state, t.p, t.n, out));
    struct text rest = buf_text(&encoded), line;
    while (rest.n > 0 && text_split(&rest, '\n', &line)) {
        buf_add_text(b, line);
        buf_adds(b, "\r\n");
    }
    buf_fini(&encoded);
}

static void put_text_part(struct buf *b, const char *subtype, struct text t)
{
    charset_ready();
    GMimeContentEncoding how =
        is_mostly_ascii(t) ? GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE : GMIME_CONTENT_ENCODING_BASE64;
    buf_addf(b,
             "Content-Type: text/%s; charset=utf-8\r\n"
             "Content-Transfer-Encoding: %s\r\n\r\n",
             subtype, g_mime_content_encoding_to_string(how));
    put_encoded(b, t, how);
}

static void put_multipart(struct buf *b, const char *subtype, const char *boundary)
{
    buf_addf(b, "Content-Type: multipart/%s;\r\n boundary=\"%s\"\r\n", subtype, boundary);
}

void mime_put_alternative(struct buf *b, struct text plain, struct text html, struct text seed)
{
    char boundary[BOUNDARY_BYTES];
    make_boundary(seed, NULL, 0, boundary);
    buf_adds(b, "MIME-Version: 1.0\r\n");
    put_multipart(b, "alternative", boundary);
    buf_addf(b, "\r\n--%s\r\n", boundary);
    put_text_part(b, "plain", plain);
    buf_addf(b, "\r\n--%s\r\n", boundary);
    put_text_part(b, "html", html);
    buf_addf(b, "\r\n--%s--\r\n", boundary);
}

static struct text head_of(struct text original)
{
    const char *end = original.n ? memmem(original.p, original.n, "\r\n\r\n", 4) : NULL;
    return end ? text_cut(original, 0, (size_t)(end - original.p)) : original;
}

void mime_put_digest(struct buf *b,
                     struct text plain,
                     const struct text *originals,
                     size_t original_count,
                     struct text seed)
{
    char outer[BOUNDARY_BYTES], inner[BOUNDARY_BYTES];
    bool is_8bit = false;
    for (size_t i = 0; i < original_count; i++)
        is_8bit = is_8bit || !text_is_ascii(originals[i]);
    const char *encoding = is_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "";
    make_boundary(seed, originals, original_count, outer);
    make_boundary(text_of(outer), originals, original_count, inner);

    buf_adds(b, "MIME-Version: 1.0\r\n");
    put_multipart(b, "mixed", outer);
    buf_addf(b, "%s\r\n--%s\r\n", encoding, outer);
    put_text_part(b, "plain", plain);
    buf_addf(b, "\r\n--%s\r\n", outer);
    put_multipart(b, "digest", inner);
    buf_adds(b, encoding);
    for (size_t i = 0; i < original_count; i++) {
        struct text original = originals[i];
        /* The last line end goes before the delimiter, which gives it back. */
        bool ends = text_iends(original, TEXT("\r\n"));
        bool is_global = !text_is_ascii(head_of(original));
        buf_addf(b, "\r\n--%s\r\nContent-Type: message/%s\r\n", inner,
                 is_global ? "global" : "rfc822");
        buf_addf(b, "%s\r\n", text_is_ascii(original) ? "" : encoding);
        buf_add_text(b, text_cut(original, 0, original.n - (ends ? 2 : 0)));
    }
    buf_addf(b, "\r\n--%s--\r\n\r\n--%s--\r\n", inner, outer);
}
