#include "core/proto/compose.h"

#include <gmime/gmime.h>
#include <inttypes.h>
#include <pthread.h>

#define LINE_BYTES_MAX 900 /* sent as it is up to here; lines end at 998 (RFC 5322 2.1.1) */

struct composer {
    const struct api_draft *draft;
    const struct compose_given *given;
    unsigned boundaries;
};

static void initialise(void)
{
    g_mime_init();
}

/* -- Checks -------------------------------------------------------------------------------------
 */

static bool is_clean(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f)
            return false;
    return true;
}

/* The header's own fields are checked where they are written. */
static bool files_are_clean(const struct api_draft *d)
{
    for (size_t i = 0; i < d->attachment_count; i++) {
        const struct api_attachment *a = &d->attachments[i];
        if (!is_clean(a->filename) || !is_clean(a->content_type) || !is_clean(a->content_id))
            return false;
    }
    return true;
}

/* -- Parts --------------------------------------------------------------------------------------
 */

static char *terminated(struct text t)
{
    return g_strndup(t.p ? t.p : "", t.n);
}

static GMimePart *part_of(const char *content_type,
                          const char *bytes,
                          size_t n,
                          GMimeContentEncoding encoding)
{
    GMimeContentType *type = g_mime_content_type_parse(NULL, content_type);
    GMimePart *part = g_mime_part_new();
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(bytes, n);
    GMimeDataWrapper *content =
        g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
    g_mime_object_set_content_type(GMIME_OBJECT(part), type);
    g_mime_part_set_content(part, content);
    g_mime_part_set_content_encoding(part, encoding);
    g_object_unref(content);
    g_object_unref(stream);
    g_object_unref(type);
    return part;
}

/* Boundaries hold "=_", which quoted-printable and base64 never do: text that has it is not sent as
 * it is, so that no content can end its own part. */
static GMimeContentEncoding encoding_for(struct text t)
{
    size_t line = 0, longest = 0, high = 0;
    bool plain = text_find(t, '=') == t.n || text_ifind(t, TEXT("=_")) == t.n;
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        line = c == '\n' ? 0 : line + 1;
        longest = line > longest ? line : longest;
        high += c >= 0x80;
        plain = plain && (c >= ' ' || c == '\n' || c == '\r' || c == '\t') && c != 0x7f;
    }
    if (high > t.n / 3)
        return GMIME_CONTENT_ENCODING_BASE64; /* Chinese: a third longer, not three times */
    return plain && high == 0 && longest <= LINE_BYTES_MAX ? GMIME_CONTENT_ENCODING_7BIT
                                                           : GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
}

/* Each of CRLF, CR and LF is a line end; GMime wants LF, base64 of text holds CRLF. */
static GMimeObject *text_part(const char *content_type, struct text t)
{
    GMimeContentEncoding encoding = encoding_for(t);
    const char *end = encoding == GMIME_CONTENT_ENCODING_BASE64 ? "\r\n" : "\n";
    GString *lines = g_string_sized_new(t.n + 2);
    size_t from = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] != '\r' && t.p[i] != '\n')
            continue;
        g_string_append_len(lines, t.p + from, (gssize)(i - from));
        g_string_append(lines, end);
        i += t.p[i] == '\r' && i + 1 < t.n && t.p[i + 1] == '\n';
        from = i + 1;
    }
    if (from < t.n) {
        g_string_append_len(lines, t.p + from, (gssize)(t.n - from));
        g_string_append(lines, end);
    }
    GMimePart *part = part_of(content_type, lines->str, lines->len, encoding);
    g_string_free(lines, TRUE);
    return GMIME_OBJECT(part);
}

/* GMime would take the first old charset that fits. */
static void in_utf8(GMimePart *part)
{
    GMimeContentDisposition *d = g_mime_object_get_content_disposition(GMIME_OBJECT(part));
    GMimeParam *filename =
        g_mime_param_list_get_parameter(g_mime_content_disposition_get_parameters(d), "filename");
    GMimeContentType *t = g_mime_object_get_content_type(GMIME_OBJECT(part));
    GMimeParam *name =
        g_mime_param_list_get_parameter(g_mime_content_type_get_parameters(t), "name");
    if (filename)
        g_mime_param_set_charset(filename, "utf-8");
    if (name)
        g_mime_param_set_charset(name, "utf-8");
}

static GMimeObject *attachment_part(const struct api_attachment *a)
{
    char *type = terminated(a->content_type.n ? a->content_type : TEXT("application/octet-stream"));
    bool is_message = text_istarts(text_of(type), TEXT("message/"));
    GMimePart *part = part_of(is_message ? "application/octet-stream" : type, a->content.p,
                              a->content.n, GMIME_CONTENT_ENCODING_BASE64);
    g_mime_object_set_disposition(GMIME_OBJECT(part), a->is_inline ? "inline" : "attachment");
    if (a->filename.n) {
        char *name = terminated(a->filename);
        g_mime_part_set_filename(part, name);
        in_utf8(part);
        g_free(name);
    }
    if (a->content_id.n) {
        char *id = terminated(a->content_id);
        g_mime_part_set_content_id(part, id);
        g_free(id);
    }
    g_free(type);
    return GMIME_OBJECT(part);
}

static GMimeMultipart *level(struct composer *c, const char *subtype)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a: the same message has the same boundaries */
    struct text id = c->given->message_id;
    for (size_t i = 0; i < id.n; i++)
        hash = (hash ^ (unsigned char)id.p[i]) * 0x100000001b3u;
    char boundary[48];
    snprintf(boundary, sizeof boundary, "=_%u_%016" PRIx64, ++c->boundaries, hash);
    GMimeMultipart *m = g_mime_multipart_new_with_subtype(subtype);
    g_mime_multipart_set_boundary(m, boundary);
    return m;
}

static void add(GMimeMultipart *m, GMimeObject *take_part)
{
    g_mime_multipart_add(m, take_part);
    g_object_unref(take_part);
}

/* Wraps `first` and the attachments that are (not) inline; `first` alone when there are none. */
static GMimeObject *with_files(struct composer *c,
                               const char *subtype,
                               GMimeObject *take_first,
                               bool is_inline)
{
    const struct api_draft *d = c->draft;
    bool html = d->html.p != NULL;
    GMimeMultipart *m = NULL;
    for (size_t i = 0; i < d->attachment_count; i++) {
        if (d->attachments[i].is_shape || (d->attachments[i].is_inline && html) != is_inline)
            continue;
        if (!m) {
            m = level(c, subtype);
            add(m, take_first);
        }
        add(m, attachment_part(&d->attachments[i]));
    }
    return m ? GMIME_OBJECT(m) : take_first;
}

static bool is_amp(const struct api_attachment *a)
{
    return text_istarts(a->content_type, TEXT("text/x-amp-html"));
}

/* Adds the shapes that are (not) AMP, which stands before the HTML so that this is the last that
 * all can show. */
static void add_shapes(GMimeMultipart *m, const struct api_draft *d, bool amp)
{
    for (size_t i = 0; i < d->attachment_count; i++) {
        const struct api_attachment *a = &d->attachments[i];
        if (!a->is_shape || is_amp(a) != amp)
            continue;
        bool charset = text_ifind(a->content_type, TEXT("charset=")) < a->content_type.n;
        char *type = terminated(a->content_type);
        char *whole = g_strconcat(type, charset ? NULL : "; charset=utf-8", NULL);
        add(m, text_part(whole, a->content));
        g_free(whole);
        g_free(type);
    }
}

static bool has_shapes(const struct api_draft *d)
{
    for (size_t i = 0; i < d->attachment_count; i++)
        if (d->attachments[i].is_shape)
            return true;
    return false;
}

static GMimeObject *body_of(struct composer *c)
{
    const struct api_draft *d = c->draft;
    GMimeObject *body;
    if (d->template.p) {
        body = text_part("application/json", d->template);
    } else if ((d->text.p && d->html.p) || has_shapes(d)) {
        GMimeMultipart *m = level(c, "alternative");
        if (d->text.p)
            add(m, text_part("text/plain; charset=utf-8", d->text));
        add_shapes(m, d, true);
        if (d->html.p)
            add(m, text_part("text/html; charset=utf-8", d->html));
        add_shapes(m, d, false);
        body = GMIME_OBJECT(m);
    } else if (d->html.p) {
        body = text_part("text/html; charset=utf-8", d->html);
    } else {
        body = text_part("text/plain; charset=utf-8", d->text);
    }
    body = with_files(c, "related", body, true);
    return with_files(c, "mixed", body, false);
}

/* -- Header -------------------------------------------------------------------------------------
 */

static bool has_own_id(const struct api_draft *d)
{
    for (size_t i = 0; i < d->header_count; i++)
        if (text_ieq(d->headers[i].name, TEXT("Message-ID")))
            return true;
    return false;
}

/* Ids and links: never encoded. */
static bool is_structured(const struct api_header *h)
{
    return text_is_ascii(h->value) &&
           (text_istarts(h->name, TEXT("List-")) || text_ieq(h->name, TEXT("References")) ||
            text_ieq(h->name, TEXT("In-Reply-To")) || text_ieq(h->name, TEXT("Message-ID")));
}

static enum tide_err put_header(const struct api_draft *d,
                                const struct compose_given *given,
                                struct buf *b,
                                struct tide_error *err)
{
    char date[TIME_TEXT_BYTES], id[300];
    snprintf(id, sizeof id, "<" TEXT_FMT ">", TEXT_ARG(given->message_id));
    enum tide_err rc = message_put_mailbox(b, TEXT("From"), &d->from, err);
    if (rc == TIDE_OK)
        rc = message_put_mailboxes(b, TEXT("Reply-To"), d->reply_to.list, d->reply_to.count, err);
    if (rc == TIDE_OK)
        rc = message_put_mailboxes(b, TEXT("To"), d->to.list, d->to.count, err);
    if (rc == TIDE_OK)
        rc = message_put_mailboxes(b, TEXT("Cc"), d->cc.list, d->cc.count, err);
    if (rc == TIDE_OK)
        rc = message_put_header(b, TEXT("Subject"), d->subject, err);
    if (rc == TIDE_OK)
        rc = message_put_structured(b, TEXT("Date"), text_of(time_rfc5322(given->date, 0, date)),
                                    err);
    if (rc == TIDE_OK && !has_own_id(d))
        rc = message_put_structured(b, TEXT("Message-ID"), text_of(id), err);
    for (size_t i = 0; i < d->header_count && rc == TIDE_OK; i++) {
        const struct api_header *h = &d->headers[i];
        rc = is_structured(h) ? message_put_structured(b, h->name, h->value, err)
                              : message_put_header(b, h->name, h->value, err);
    }
    if (rc == TIDE_OK)
        rc = message_put_structured(b, TEXT("MIME-Version"), TEXT("1.0"), err);
    return rc;
}

/* The part's own header and its content, behind the message's header. */
static enum tide_err put_part(GMimeObject *part, struct buf *b, struct tide_error *err)
{
    GMimeFormatOptions *options = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(options, GMIME_NEWLINE_FORMAT_DOS);
    GMimeStream *stream = g_mime_stream_mem_new();
    ssize_t n = g_mime_object_write_to_stream(part, options, stream);
    const GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    if (n > 0)
        buf_add(b, bytes->data, bytes->len);
    g_object_unref(stream);
    g_mime_format_options_free(options);
    return n > 0 ? buf_check(b, err) : tide_fail(err, TIDE_ENOMEM, "the body could not be written");
}

/* Most notifications are a few lines of ASCII: these need no MIME library (four times as fast). */
static bool is_simple(const struct api_draft *d)
{
    return d->text.p && !d->html.p && d->attachment_count == 0 &&
           encoding_for(d->text) == GMIME_CONTENT_ENCODING_7BIT;
}

static void put_simple(struct text t, struct buf *b)
{
    buf_adds(b, "Content-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 7bit\r\n\r\n");
    while (t.n > 0) {
        size_t n = 0;
        while (n < t.n && t.p[n] != '\r' && t.p[n] != '\n')
            n++;
        buf_add(b, t.p, n);
        buf_add(b, "\r\n", 2);
        n += n + 1 < t.n && t.p[n] == '\r' && t.p[n + 1] == '\n';
        t = text_cut(t, n + 1, SIZE_MAX);
    }
}

enum tide_err compose(const struct api_draft *d,
                      const struct compose_given *given,
                      struct buf *ret,
                      struct tide_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct composer c = {.draft = d, .given = given};
    struct buf head;
    if (!files_are_clean(d))
        return tide_fail(err, TIDE_EINVAL,
                         "a control character in an attachment's name, type or Content-ID");
    pthread_once(&once, initialise);
    buf_init(&head, ret->max);
    enum tide_err rc = put_header(d, given, &head, err);
    if (rc == TIDE_OK)
        buf_add_text(ret, buf_text(&head));
    if (rc == TIDE_OK && is_simple(d)) {
        buf_expect(ret, d->text.n + 256);
        put_simple(d->text, ret);
        rc = buf_check(ret, err);
    } else if (rc == TIDE_OK) {
        GMimeObject *body = body_of(&c);
        rc = put_part(body, ret, err);
        g_object_unref(body);
    }
    buf_fini(&head);
    return rc;
}
