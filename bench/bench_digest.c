/* How long a digest of ten takes, and to find out what a mail says first. Beside it GMime alone,
 * the usual way to put a mail together: text, HTML and ten originals, with nothing to find out or
 * render. Processor time, since nothing here waits. */
#include "core/digest/content.h"
#include "core/digest/digest.h"

#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ITEMS 10

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(enum tide_err rc, const struct tide_error *err)
{
    if (rc == TIDE_OK)
        return;
    fprintf(stderr, "bench_digest: %s\n", err->text);
    exit(1);
}

static const char body[] =
    "From: The App <app@app.example>\r\nTo: bruce@client.asia\r\nSubject: Re: Website\r\n"
    "Message-ID: <1@app.example>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    "List-Unsubscribe: <https://app.example/u>\r\n"
    "Content-Type: multipart/alternative; boundary=\"b\"\r\n\r\n"
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    "quoted-printable\r\n\r\n"
    "J=C3=B6rg wrote:\r\n\r\nLooks good to me, but can we move the button a bit further up?\r\n"
    "On my screen it is below the fold.\r\n\r\n-- \r\nThe App\r\n"
    "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>J&ouml;rg wrote:</p>\r\n--b--\r\n";

static void bench_content(void)
{
    struct tide_error err;
    struct message m;
    struct content content;
    struct arena a = {0};
    long n = 0;
    double start = seconds(), end;
    do {
        for (int i = 0; i < 1000; i++, n++) {
            must(message_open(TEXT(body), &m, &err), &err);
            must(content_look(&m, DIGEST_TEXT_BYTES, DIGEST_TEXT_LINES, &a, &content, &err), &err);
            arena_reset(&a);
        }
        end = seconds();
    } while (end - start < 1);
    printf("digest_first_text %.0f mails/s\n", (double)n / (end - start));
    arena_fini(&a);
}

static void add_text(GMimeMultipart *to, const char *subtype, size_t bytes)
{
    GMimeTextPart *part = g_mime_text_part_new_with_subtype(subtype);
    char *text = g_strnfill(bytes, 'x');
    for (size_t i = 70; i < bytes; i += 70)
        text[i] = '\n';
    g_mime_text_part_set_text(part, text);
    g_mime_multipart_add(to, GMIME_OBJECT(part));
    g_object_unref(part);
    g_free(text);
}

static void add_original(GMimeMultipart *to)
{
    GMimeStream *in = g_mime_stream_mem_new_with_buffer(body, sizeof body - 1);
    GMimeParser *parser = g_mime_parser_new_with_stream(in);
    GMimeMessage *original = g_mime_parser_construct_message(parser, NULL);
    GMimeMessagePart *part = g_mime_message_part_new_with_message("rfc822", original);
    g_mime_multipart_add(to, GMIME_OBJECT(part));
    g_object_unref(part);
    g_object_unref(original);
    g_object_unref(parser);
    g_object_unref(in);
}

static void gmime_mail(GMimeFormatOptions *format)
{
    GMimeMessage *m = g_mime_message_new(TRUE);
    GMimeMultipart *parts = g_mime_multipart_new_with_subtype("mixed");
    GMimeStream *out = g_mime_stream_mem_new();
    g_mime_message_set_subject(m, "10 new notifications", "utf-8");
    add_text(parts, "plain", 1000);
    add_text(parts, "html", 10000);
    for (int i = 0; i < ITEMS; i++)
        add_original(parts);
    g_mime_message_set_mime_part(m, GMIME_OBJECT(parts));
    g_mime_object_write_to_stream(GMIME_OBJECT(m), format, out);
    g_object_unref(out);
    g_object_unref(parts);
    g_object_unref(m);
}

/* Seconds for one mail. */
static double bench_gmime(void)
{
    long n = 0;
    g_mime_init();
    GMimeFormatOptions *format = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    double start = seconds(), end;
    do {
        for (int i = 0; i < 100; i++, n++)
            gmime_mail(format);
        end = seconds();
    } while (end - start < 1);
    g_mime_format_options_free(format);
    printf("gmime_mail_of_10_time %.1f us\n", (end - start) * 1e6 / (double)n);
    return (end - start) / (double)n;
}

static void bench_digest(bool as_mime, double gmime_s)
{
    struct tide_error err;
    struct digest_templates *templates = NULL;
    struct digest_result result;
    struct notification items[ITEMS];
    struct buf mail = {0};
    char texts[ITEMS][40];
    must(digest_templates_new(NULL, &templates, &err), &err);
    for (int i = 0; i < ITEMS; i++) {
        snprintf(texts[i], sizeof texts[i], "comment number %d", i);
        items[i] = (struct notification){.id = i + 1,
                                         .recipient = TEXT("bruce@client.asia"),
                                         .identity = TEXT("app@app.example"),
                                         .subject = TEXT("Re: Website"),
                                         .thread = i < 6 ? TEXT("web") : TEXT(""),
                                         .item = {.text = i % 2 ? text_of(texts[i]) : TEXT("")},
                                         .accepted_at = 1795262400000LL + i,
                                         .message = TEXT(body)};
    }
    struct digest_options options = {.templates = templates,
                                     .as_mime = as_mime,
                                     .now = 1795262500000LL,
                                     .message_id = TEXT("<d@app.example>")};
    long n = 0;
    double start = seconds(), end;
    do {
        for (int i = 0; i < 200; i++, n++) {
            buf_clear(&mail);
            must(digest_build(items, ITEMS, &options, &mail, &result, &err), &err);
        }
        end = seconds();
    } while (end - start < 1);
    const char *name = as_mime ? "digest_of_10_mime" : "digest_of_10";
    printf("%s %.0f digests/s\n", name, (double)n / (end - start));
    printf("%s_time %.1f us\n", name, (end - start) * 1e6 / (double)n);
    printf("%s_vs_gmime %.1f x\n", name, gmime_s * (double)n / (end - start));
    digest_templates_free(templates);
    buf_fini(&mail);
}

int main(void)
{
    bench_content();
    double gmime_s = bench_gmime();
    bench_digest(false, gmime_s);
    bench_digest(true, gmime_s);
    return 0;
}
