/* What compose() writes, read back with GMime. */
#include "core/proto/compose.h"
#include "lib/check.h"

#include <gmime/gmime.h>

#define NOW 1795299446000 /* 2026-11-21T22:17:26Z */

static struct mailbox from = {TEXT("Shop"), TEXT("n@s.example")};
static struct mailbox to[] = {{TEXT(""), TEXT("a@b.example")}};
static const struct compose_given given = {NOW, TEXT("id-1@s.example")};

static struct api_draft draft(void)
{
    return (struct api_draft){
        .from = from, .to = {to, 1}, .subject = TEXT("subject"), .text = TEXT("line 1\nline 2")};
}

struct parsed {
    struct buf bytes;
    GMimeMessage *message;
};

/* Composes and parses; checks what holds of every message. */
static struct parsed parse(const struct api_draft *d, const char *name)
{
    struct parsed p = {0};
    struct tide_error err = {0};
    T_OK(compose(d, &given, &p.bytes, &err), &err, "%s", name);
    for (size_t i = 0, line = 0; i < p.bytes.len; i++) {
        unsigned char c = (unsigned char)p.bytes.data[i];
        line = c == '\n' ? 0 : line + 1;
        T_TRUE(c < 0x80 && c != '\0', "%s: 7-bit, byte %zu is 0x%02x", name, i, c);
        T_TRUE(line <= 999, "%s: line too long at byte %zu", name, i);
        if (c == '\n')
            T_TRUE(i > 0 && p.bytes.data[i - 1] == '\r', "%s: bare LF at byte %zu", name, i);
        if (c == '\r')
            T_TRUE(p.bytes.data[i + 1] == '\n', "%s: bare CR at byte %zu", name, i);
    }
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(p.bytes.data, p.bytes.len);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    p.message = g_mime_parser_construct_message(parser, NULL);
    g_object_unref(parser);
    g_object_unref(stream);
    T_TRUE(p.message != NULL, "%s: parses", name);
    return p;
}

static void parsed_free(struct parsed *p)
{
    g_object_unref(p->message);
    buf_fini(&p->bytes);
}

/* "multipart/mixed(text/plain,image/png)" */
static void structure(GMimeObject *o, struct buf *out)
{
    GMimeContentType *type = g_mime_object_get_content_type(o);
    buf_addf(out, "%s/%s", g_mime_content_type_get_media_type(type),
             g_mime_content_type_get_media_subtype(type));
    if (!GMIME_IS_MULTIPART(o))
        return;
    for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(o)); i++) {
        buf_addc(out, i ? ',' : '(');
        structure(g_mime_multipart_get_part(GMIME_MULTIPART(o), i), out);
    }
    buf_addc(out, ')');
}

static void check_structure(const struct parsed *p, const char *want, const char *name)
{
    struct buf b = {0};
    structure(g_mime_message_get_mime_part(p->message), &b);
    T_STR(buf_str(&b), want, "%s", name);
    buf_fini(&b);
}

static void check_text(GMimeObject *part, const char *want, const char *name)
{
    char *text = g_mime_text_part_get_text(GMIME_TEXT_PART(part));
    struct buf b = {0}; /* line ends as LF: base64 holds CRLF */
    for (const char *p = text; *p; p++)
        if (*p != '\r')
            buf_addc(&b, *p);
    T_STR(buf_str(&b), want, "%s", name);
    buf_fini(&b);
    g_free(text);
}

static void test_plain(void **state)
{
    (void)state;
    struct api_draft d = draft();
    struct parsed p = parse(&d, "plain");
    T_STR(buf_str(&p.bytes),
          "From: Shop <n@s.example>\r\nTo: a@b.example\r\nSubject: subject\r\n"
          "Date: Sat, 21 Nov 2026 22:17:26 +0000\r\nMessage-ID: <id-1@s.example>\r\n"
          "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
          "Content-Transfer-Encoding: 7bit\r\n\r\nline 1\r\nline 2\r\n",
          "as simple as it can be");
    parsed_free(&p);
    static const struct {
        const char *in, *want;
    } ends[] = {
        {"", ""},     {"a", "a\n"}, {"a\r\n", "a\n"},  {"a\rb\n\nc\r\n\r\n", "a\nb\n\nc\n\n"},
        {"\n", "\n"}, {"\r", "\n"}, {"\r\r\n", "\n\n"}};
    for (size_t i = 0; i < TIDE_COUNT(ends); i++) {
        d.text = text_of(ends[i].in);
        p = parse(&d, ends[i].in);
        check_text(g_mime_message_get_mime_part(p.message), ends[i].want, ends[i].in);
        parsed_free(&p);
    }
    p = parse(&d, "again");
    struct parsed q = parse(&d, "again");
    T_TRUE(text_eq(buf_text(&p.bytes), buf_text(&q.bytes)), "the same draft, the same bytes");
    parsed_free(&p);
    parsed_free(&q);
}

#define CHINESE "\xe4\xbd\xa0\xe5\xa5\xbd"

static void test_unicode(void **state)
{
    (void)state;
    struct mailbox names[] = {
        {TEXT("J\xc3\xb6rg, M\xc3\xbcller"), TEXT("joerg@b.example")},
        {TEXT("\"quoted\" \\ name"), TEXT("\"odd local\"@b.example")},
        {TEXT(CHINESE), TEXT("n@b.example")},
    };
    struct api_header headers[] = {{TEXT("X-Note"), TEXT("caf\xc3\xa9 " CHINESE " end")}};
    struct api_draft d = draft();
    d.to = (struct api_addresses){names, 3};
    d.subject = TEXT("\xf0\x9f\x99\x82 Kommentar \xc3\xbc"
                     "ber " CHINESE CHINESE CHINESE CHINESE CHINESE CHINESE CHINESE CHINESE
                     " und noch mehr, damit es umbrochen wird");
    d.text = TEXT("Gr\xc3\xbc\xc3\x9f"
                  "e\r\n.\r\nFrom here\r\n" CHINESE);
    d.html = TEXT("<p>" CHINESE CHINESE CHINESE CHINESE CHINESE "\n</p>");
    d.headers = headers;
    d.header_count = 1;
    struct parsed p = parse(&d, "unicode");
    T_STR(g_mime_message_get_subject(p.message), d.subject.p, "subject");
    T_STR(g_mime_object_get_header(GMIME_OBJECT(p.message), "X-Note"), headers[0].value.p,
          "header");
    InternetAddressList *list = g_mime_message_get_addresses(p.message, GMIME_ADDRESS_TYPE_TO);
    T_EQ(internet_address_list_length(list), 3, "addresses");
    for (int i = 0; i < 3; i++) {
        InternetAddress *a = internet_address_list_get_address(list, i);
        T_STR(internet_address_get_name(a), names[i].name.p, "name %d", i);
        T_STR(internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(a)), names[i].address.p,
              "address %d", i);
    }
    check_structure(&p, "multipart/alternative(text/plain,text/html)", "structure");
    GMimeMultipart *m = GMIME_MULTIPART(g_mime_message_get_mime_part(p.message));
    check_text(g_mime_multipart_get_part(m, 0),
               "Gr\xc3\xbc\xc3\x9f"
               "e\n.\nFrom here\n" CHINESE "\n",
               "text");
    check_text(g_mime_multipart_get_part(m, 1),
               "<p>" CHINESE CHINESE CHINESE CHINESE CHINESE "\n</p>\n", "html");
    parsed_free(&p);
}

static void test_structures(void **state)
{
    (void)state;
    struct api_attachment file = {.filename = TEXT("a.pdf"),
                                  .content_type = TEXT("application/pdf"),
                                  .content = TEXT("%PDF")};
    struct api_attachment logo = {.content_type = TEXT("image/png"),
                                  .content = TEXT("\x89PNG"),
                                  .content_id = TEXT("logo"),
                                  .is_inline = true};
    const struct {
        bool text, html, file, logo;
        const char *want;
    } cases[] = {
        {true, false, false, false, "text/plain"},
        {false, true, false, false, "text/html"},
        {true, true, false, false, "multipart/alternative(text/plain,text/html)"},
        {true, false, true, false, "multipart/mixed(text/plain,application/pdf)"},
        {false, true, false, true, "multipart/related(text/html,image/png)"},
        {true, true, false, true,
         "multipart/related(multipart/alternative(text/plain,text/html),image/png)"},
        {true, true, true, true,
         "multipart/mixed(multipart/related(multipart/alternative(text/plain,text/html),image/png)"
         ",application/pdf)"},
        {true, false, false, true, "multipart/mixed(text/plain,image/png)"},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct api_attachment files[2];
        struct api_draft d = draft();
        d.text = cases[i].text ? TEXT("t") : (struct text){NULL, 0};
        d.html = cases[i].html ? TEXT("<p>") : (struct text){NULL, 0};
        d.attachments = files;
        if (cases[i].file)
            files[d.attachment_count++] = file;
        if (cases[i].logo)
            files[d.attachment_count++] = logo;
        struct parsed p = parse(&d, cases[i].want);
        check_structure(&p, cases[i].want, cases[i].want);
        parsed_free(&p);
    }
}

static void test_attachments(void **state)
{
    (void)state;
    char bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31);
    struct api_attachment files[] = {
        {.filename = TEXT("\xc3\x9c"
                          "bersicht \"x\"; " CHINESE ".bin"),
         .content = {bytes, sizeof bytes}},
        {.filename = TEXT("mail.eml"),
         .content_type = TEXT("message/rfc822"),
         .content = TEXT("x")},
        {.content_type = TEXT("text/csv; charset=utf-8; header=present"), .content = TEXT("a,b\n")},
        {.content = TEXT("")},
    };
    struct api_draft d = draft();
    d.attachments = files;
    d.attachment_count = TIDE_COUNT(files);
    struct parsed p = parse(&d, "attachments");
    check_structure(&p,
                    "multipart/mixed(text/plain,application/octet-stream,application/octet-stream,"
                    "text/csv,application/octet-stream)",
                    "types");
    GMimeMultipart *m = GMIME_MULTIPART(g_mime_message_get_mime_part(p.message));
    for (int i = 0; i < 4; i++) {
        GMimePart *part = GMIME_PART(g_mime_multipart_get_part(m, i + 1));
        GMimeStream *stream = g_mime_stream_mem_new();
        g_mime_data_wrapper_write_to_stream(g_mime_part_get_content(part), stream);
        const GByteArray *got = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
        T_TRUE(text_eq((struct text){(const char *)got->data, got->len}, files[i].content),
               "content of %d: %u bytes", i, got->len);
        T_STR(g_mime_object_get_disposition(GMIME_OBJECT(part)), "attachment", "%d", i);
        if (files[i].filename.n)
            T_STR(g_mime_part_get_filename(part), files[i].filename.p, "name of %d", i);
        g_object_unref(stream);
    }
    T_TRUE(strstr(buf_str(&p.bytes), "filename*0*=UTF-8''") ||
               strstr(buf_str(&p.bytes), "filename*=UTF-8''"),
           "RFC 2231 in UTF-8: %s", buf_str(&p.bytes));
    parsed_free(&p);
}

/* Content that looks like the end of its own part stays content. */
/* Invitations and AMP are shown in place of the text, not beside it. */
static void test_shapes(void **state)
{
    (void)state;
    struct api_attachment shapes[] = {
        {.content_type = TEXT("text/calendar; method=REQUEST"),
         .content = TEXT("BEGIN:VCALENDAR\nSUMMARY:\xc3\xbc\nEND:VCALENDAR\n"),
         .is_shape = true},
        {.content_type = TEXT("text/x-amp-html"), .content = TEXT("<html>"), .is_shape = true},
        {.filename = TEXT("a.bin"), .content = TEXT("x")},
    };
    struct api_draft d = draft();
    d.text = TEXT("t");
    d.html = TEXT("<p>t</p>");
    d.attachments = shapes;
    d.attachment_count = TIDE_COUNT(shapes);
    struct parsed p = parse(&d, "shapes");
    check_structure(&p,
                    "multipart/mixed(multipart/alternative(text/plain,text/x-amp-html,text/html,"
                    "text/calendar),application/octet-stream)",
                    "shapes and a file");
    T_TRUE(strstr(buf_str(&p.bytes), "method=REQUEST") &&
               strstr(buf_str(&p.bytes), "charset=utf-8"),
           "type: %s", buf_str(&p.bytes));
    parsed_free(&p);
    d.html = (struct text){NULL, 0};
    d.attachment_count = 1;
    p = parse(&d, "text and a shape");
    check_structure(&p, "multipart/alternative(text/plain,text/calendar)", "text and a shape");
    parsed_free(&p);
}

static void test_boundary_in_content(void **state)
{
    (void)state;
    struct api_draft d = draft();
    d.html = TEXT("<p>");
    struct parsed p = parse(&d, "first");
    const char *boundary =
        g_mime_multipart_get_boundary(GMIME_MULTIPART(g_mime_message_get_mime_part(p.message)));
    char text[200];
    snprintf(text, sizeof text, "--%s\r\nContent-Type: text/evil\r\n\r\nx\r\n--%s--\n", boundary,
             boundary);
    parsed_free(&p);
    d.text = text_of(text);
    p = parse(&d, "with the boundary");
    check_structure(&p, "multipart/alternative(text/plain,text/html)", "two parts as before");
    parsed_free(&p);
}

static void test_long_lines(void **state)
{
    (void)state;
    char line[5001];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    struct api_draft d = draft();
    d.text = text_of(line);
    struct parsed p = parse(&d, "long line");
    memcpy(line + 4999, "\n", 2); /* ends in a line end once read back */
    d.text = text_of(line);
    parsed_free(&p);
    p = parse(&d, "long line");
    check_text(g_mime_message_get_mime_part(p.message), line, "comes back");
    parsed_free(&p);
}

static void test_headers(void **state)
{
    (void)state;
    struct api_header headers[] = {
        {TEXT("Message-ID"), TEXT("<own@x.example>")},
        {TEXT("In-Reply-To"), TEXT("<a@b.example>")},
        {TEXT("References"), TEXT("<a@b.example> <c@d.example>")},
        {TEXT("List-Unsubscribe"), TEXT("<https://x.example/u?a=b&c=d>, <mailto:u@x.example>")},
        {TEXT("List-Unsubscribe-Post"), TEXT("List-Unsubscribe=One-Click")},
    };
    struct api_draft d = draft();
    d.headers = headers;
    d.header_count = TIDE_COUNT(headers);
    struct mailbox reply[] = {{TEXT(""), TEXT("r@s.example")}};
    d.reply_to = (struct api_addresses){reply, 1};
    struct parsed p = parse(&d, "headers");
    for (size_t i = 0; i < TIDE_COUNT(headers); i++)
        T_STR(g_mime_object_get_header(GMIME_OBJECT(p.message), headers[i].name.p),
              headers[i].value.p, "%s", headers[i].name.p);
    T_TRUE(!strstr(buf_str(&p.bytes), "id-1@s.example"), "one Message-ID");
    T_TRUE(strstr(buf_str(&p.bytes), "\r\nReply-To: r@s.example\r\n"), "Reply-To");
    parsed_free(&p);
}

/* api.c refuses these with their field's name; compose() refuses them whoever calls it. */
static void test_injection(void **state)
{
    (void)state;
    const struct text evil = TEXT("x\r\nBcc: victim@v.example");
    struct mailbox bad_name[] = {{evil, TEXT("a@b.example")}};
    struct mailbox bad_address[] = {{TEXT(""), evil}};
    struct api_header bad_header[] = {{TEXT("X-A"), evil}}, bad_key[] = {{evil, TEXT("x")}};
    struct api_attachment files[] = {{.filename = evil, .content = TEXT("x")},
                                     {.content_type = evil, .content = TEXT("x")},
                                     {.content_id = evil, .content = TEXT("x")}};
    for (int i = 0; i < 12; i++) {
        struct api_draft d = draft();
        struct compose_given g = given;
        struct buf b = {0};
        struct tide_error err = {0};
        switch (i) {
        case 0:
            d.subject = evil;
            break;
        case 1:
            d.from.name = evil;
            break;
        case 2:
            d.from.address = evil;
            break;
        case 3:
            d.to = (struct api_addresses){bad_name, 1};
            break;
        case 4:
            d.cc = (struct api_addresses){bad_address, 1};
            break;
        case 5:
            d.reply_to = (struct api_addresses){bad_name, 1};
            break;
        case 6:
            d.headers = bad_header;
            d.header_count = 1;
            break;
        case 7:
            d.headers = bad_key;
            d.header_count = 1;
            break;
        case 8:
        case 9:
        case 10:
            d.attachments = &files[i - 8];
            d.attachment_count = 1;
            break;
        case 11:
            g.message_id = evil;
            break;
        }
        T_EQ(compose(&d, &g, &b, &err), TIDE_EINVAL, "case %d", i);
        T_EQ(b.len, 0, "case %d wrote nothing", i);
        buf_fini(&b);
    }
}

static void test_limit(void **state)
{
    (void)state;
    struct api_draft d = draft();
    struct buf b;
    struct tide_error err = {0};
    buf_init(&b, 100);
    T_EQ(compose(&d, &given, &b, &err), TIDE_ELIMIT, "the buffer's bound");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),      cmocka_unit_test(test_unicode),
        cmocka_unit_test(test_structures), cmocka_unit_test(test_attachments),
        cmocka_unit_test(test_shapes),     cmocka_unit_test(test_boundary_in_content),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_injection),  cmocka_unit_test(test_limit),
    };
    g_mime_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
