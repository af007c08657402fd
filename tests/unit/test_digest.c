#include "core/digest/charset.h"
#include "core/digest/content.h"
#include "core/digest/digest.h"
#include "core/digest/entries.h"
#include "core/digest/mime.h"
#include "lib/check.h"

#include <gmime/gmime.h>
#include <stdlib.h>

#define NOON      1795262400000LL /* 2026-11-21T12:00:00Z */
#define MAX_ITEMS 64

/* -- A small stage: notifications made from a few words, the digest taken apart
 * -------------------*/

struct stage {
    struct arena arena;
    struct notification items[MAX_ITEMS];
    size_t count;
    struct digest_templates *templates;
    struct digest_options options;
    struct buf mail;
    struct digest_result result;
    struct message message;
    struct text plain, html;
};

static void stage_open(struct stage *s)
{
    struct tide_error err;
    *s = (struct stage){0};
    T_OK(digest_templates_new(NULL, &s->templates, &err), &err, "built-in templates");
    s->options = (struct digest_options){.templates = s->templates,
                                         .now = NOON + 9 * TIME_HOUR_MS,
                                         .message_id = TEXT("<d1@app.example>")};
}

static void stage_close(struct stage *s)
{
    digest_templates_free(s->templates);
    buf_fini(&s->mail);
    arena_fini(&s->arena);
}

static struct notification *add(struct stage *s, const char *subject, const char *body)
{
    struct buf raw = {0};
    struct tide_error err;
    struct notification *n = &s->items[s->count];
    buf_adds(&raw, "From: \"The App\" <app@app.example>\r\n");
    T_OK(message_put_header(&raw, TEXT("Subject"), text_of(subject), &err), &err, "%s", subject);
    buf_addf(&raw, "Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", body);
    *n = (struct notification){.id = (tide_id)(100 + s->count),
                               .recipient = TEXT("bruce@client.asia"),
                               .identity = TEXT("app@app.example"),
                               .subject = arena_text(&s->arena, text_of(subject)),
                               .priority = 5,
                               .accepted_at = NOON + (tide_wall_ms)s->count * TIME_MINUTE_MS,
                               .message = arena_text(&s->arena, buf_text(&raw))};
    buf_fini(&raw);
    s->count++;
    return n;
}

/* A field in front of the message of an item. */
static void add_field(struct stage *s, struct notification *n, const char *line)
{
    n->message = text_of(arena_printf(&s->arena, "%s\r\n" TEXT_FMT, line, TEXT_ARG(n->message)));
}

static struct text decoded(struct stage *s, GMimeObject *part)
{
    GMimeStream *out = g_mime_stream_mem_new();
    GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(part));
    g_mime_data_wrapper_write_to_stream(content, out);
    GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(out));
    char *lf = arena_alloc(&s->arena, bytes->len + 1);
    struct text t = {lf, 0};
    for (size_t i = 0; i < bytes->len; i++)
        if (bytes->data[i] != '\r')
            lf[t.n++] = (char)bytes->data[i];
    g_object_unref(out);
    return t;
}

/* Reads the mail with GMime's own parser, a second opinion on what digest/ wrote. */
static void take_apart(struct stage *s)
{
    charset_ready();
    GMimeStream *in = g_mime_stream_mem_new_with_buffer(s->mail.data, s->mail.len);
    GMimeParser *parser = g_mime_parser_new_with_stream(in);
    GMimeMessage *m = g_mime_parser_construct_message(parser, NULL);
    T_TRUE(m && GMIME_IS_MULTIPART(g_mime_message_get_mime_part(m)), "a multipart");
    GMimeMultipart *parts = GMIME_MULTIPART(g_mime_message_get_mime_part(m));
    T_EQ(g_mime_multipart_get_count(parts), 2, "two parts");
    s->plain = decoded(s, g_mime_multipart_get_part(parts, 0));
    GMimeObject *second = g_mime_multipart_get_part(parts, 1);
    if (!s->options.as_mime)
        s->html = decoded(s, second);
    g_object_unref(m);
    g_object_unref(parser);
    g_object_unref(in);
}

static void build(struct stage *s)
{
    struct tide_error err;
    buf_clear(&s->mail);
    T_OK(digest_build(s->items, s->count, &s->options, &s->mail, &s->result, &err), &err, "build");
    T_OK(message_open(buf_text(&s->mail), &s->message, &err), &err, "the mail opens");
    for (size_t i = 0; i < s->mail.len; i++) {
        T_TRUE(s->mail.data[i] != '\n' || (i > 0 && s->mail.data[i - 1] == '\r'), "bare LF at %zu",
               i);
        T_TRUE(s->mail.data[i] != '\r' || s->mail.data[i + 1] == '\n', "bare CR at %zu", i);
    }
    if (s->count > 1)
        take_apart(s);
}

static size_t found(struct text in, const char *what)
{
    const char *hit = in.n ? memmem(in.p, in.n, what, strlen(what)) : NULL;
    return hit ? (size_t)(hit - in.p) : SIZE_MAX;
}

static void has(struct text in, const char *what)
{
    T_TRUE(found(in, what) != SIZE_MAX, "\"%s\" is missing in\n" TEXT_FMT, what, TEXT_ARG(in));
}

static void has_not(struct text in, const char *what)
{
    T_TRUE(found(in, what) == SIZE_MAX, "\"%s\" is in\n" TEXT_FMT, what, TEXT_ARG(in));
}

static struct text value(struct stage *s, const char *name)
{
    return message_value(&s->message, text_of(name), &s->arena);
}

/* -- What is in it ---------------------------------------------------------------------------*/

static void test_one_is_the_original(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    add(&s, "New comment", "J\xC3\xB6rg");
    s.options.message_id = TEXT("");
    build(&s);
    T_TRUE(text_eq(buf_text(&s.mail), s.items[0].message), "byte for byte");
    T_TRUE(s.result.original && s.result.needs_8bit && !s.result.needs_smtputf8, "said so");
    stage_close(&s);
}

static void test_thirty_comments_in_order(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    char body[40];
    for (int i = 0; i < 30; i++) {
        snprintf(body, sizeof body, "comment number %d.", i);
        add(&s, i ? "Re: Website" : "Website", body)->thread = TEXT("web");
    }
    /* They come from the store in any order. */
    for (size_t i = 0; i < 15; i++) {
        struct notification n = s.items[i];
        s.items[i] = s.items[29 - i];
        s.items[29 - i] = n;
    }
    build(&s);
    size_t at_text = 0, at_html = 0;
    for (int i = 0; i < 30; i++) {
        snprintf(body, sizeof body, "comment number %d.", i);
        has(s.plain, body);
        has(s.html, body);
        T_TRUE(found(s.plain, body) > at_text && found(s.html, body) > at_html, "order: %s", body);
        at_text = found(s.plain, body);
        at_html = found(s.html, body);
    }
    has(s.html, ">Website · Re: Website</div>"); /* the preview */
    has(s.plain, "\nWebsite (30)\n");
    has_not(s.plain, "Re: Website"); /* the heading has said it */
    T_TEXT(value(&s, "Subject"), "30 new: Website", "subject");
    T_TEXT(value(&s, "X-Mailtide-Digest"), "30", "count");
    T_EQ(s.result.shown, 30, "shown");
    T_EQ(s.result.more, 0, "more");
    stage_close(&s);
}

static void test_priority_then_thread_then_time(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    add(&s, "S1", "item-a of x")->thread = TEXT("x");
    add(&s, "S2", "item-b of y")->thread = TEXT("y");
    add(&s, "S1", "item-c of x")->thread = TEXT("x");
    struct notification *urgent = add(&s, "S3", "item-d first");
    urgent->priority = 1;
    add(&s, "S4", "item-e last")->priority = 9;
    build(&s);
    static const char *const order[] = {"item-d", "item-a", "item-c", "item-b", "item-e"};
    for (size_t i = 1; i < TIDE_COUNT(order); i++)
        T_TRUE(found(s.plain, order[i - 1]) < found(s.plain, order[i]), "%s", order[i]);
    T_TEXT(value(&s, "Subject"), "5 new notifications from The App", "several threads");
    stage_close(&s);
}

static void test_threads_by_references(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    struct notification *root = add(&s, "Root", "one");
    root->message_id = TEXT("<root@app.example>");
    add(&s, "Other", "two");
    add_field(&s, add(&s, "Re: Root", "three"), "References: <root@app.example> <b@app.example>");
    add_field(&s, add(&s, "Re: Root", "four"), "In-Reply-To: <root@app.example>");
    build(&s);
    has(s.plain, "\nRoot (3)\n");
    T_TRUE(found(s.plain, "four") < found(s.plain, "two"), "the thread stands together");
    stage_close(&s);
}

static void test_the_same_is_counted(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    for (int i = 0; i < 3; i++)
        add(&s, "Build failed", "main")->thread = TEXT("ci");
    add(&s, "Build failed", "main")->thread = TEXT("other ci");
    build(&s);
    has(s.plain, "Build failed  (x 3)\n");
    has(s.html, "&times;&thinsp;3");
    T_EQ(s.result.shown, 4, "all are in it");
    stage_close(&s);
}

static void test_items_max(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    char body[20];
    for (int i = 0; i < 10; i++) {
        snprintf(body, sizeof body, "item %d.", i);
        add(&s, "Website", body)->thread = i < 6 ? TEXT("web") : TEXT("later");
    }
    s.options.items_max = 4;
    build(&s);
    has(s.plain, "item 3.");
    has_not(s.plain, "item 4.");
    has(s.plain, "and 2 more here");
    has(s.plain, "And 4 more notifications that are not shown here.");
    has(s.html, "And 4 more notifications");
    T_TEXT(value(&s, "X-Mailtide-Digest"), "10", "count");
    T_EQ(s.result.shown, 4, "shown");
    T_EQ(s.result.more, 6, "more");
    stage_close(&s);
}

static void test_same_millisecond_is_one_digest(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    add(&s, "Early", "first");
    add(&s, "Late", "second")->accepted_at = s.items[0].accepted_at;
    build(&s);
    T_TRUE(found(s.plain, "first") < found(s.plain, "second"), "by id");
    struct buf again = {0};
    struct notification swapped[2] = {s.items[1], s.items[0]};
    struct tide_error err;
    T_OK(digest_build(swapped, 2, &s.options, &again, &s.result, &err), &err, "swapped");
    T_TRUE(text_eq(buf_text(&again), buf_text(&s.mail)), "the same bytes in whatever order");
    buf_fini(&again);
    stage_close(&s);
}

/* -- Looks -----------------------------------------------------------------------------------*/

static void test_every_script_comes_through(void **state)
{
    (void)state;
    static const char *const words[] = {"Jörg hat geantwortet",
                                        "李雷评论了“发布计划”",
                                        "عمر علّق على المهمة",
                                        "תגובה חדשה",
                                        "👩‍👩‍👧‍👦 🎉 e\xCC\x81",
                                        "می‌خواهم"};
    struct stage s;
    stage_open(&s);
    for (size_t i = 0; i < TIDE_COUNT(words); i++)
        add(&s, words[i], words[i]);
    s.items[0].item.icon = TEXT("✅");
    s.items[0].item.title = TEXT("Tïtle");
    build(&s);
    for (size_t i = 0; i < TIDE_COUNT(words); i++) {
        has(s.plain, words[i]);
        has(s.html, words[i]);
    }
    has(s.html, "✅");
    has(s.html, "Tïtle");
    T_TRUE(!s.result.needs_8bit && !s.result.needs_smtputf8, "all of it encoded");
    stage_close(&s);
}

static void test_hostile_words_stay_words(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    add(&s, "<script>alert(1)</script>", "<img src=x onerror=alert(1)>");
    struct notification *n = add(&s, "x", "y");
    n->item.title = TEXT("\" onmouseover=\"alert(1)");
    n->item.url = TEXT("https://a.example/?q=1&r='2'");
    n->item.text = TEXT("{{title}} \x1b[31m\xff \xE2\x80\xAE"
                        "evil");
    build(&s);
    has_not(s.html, "<script>");
    has_not(s.html, "<img src=x");
    has_not(s.html, "\" onmouseover");
    has(s.html, "&lt;script&gt;alert(1)&lt;/script&gt;");
    has(s.html, "https://a.example/?q=1&amp;r=&#39;2&#39;");
    has(s.plain, "{{title}}");
    has_not(s.plain, "\x1b");
    has_not(s.plain, "\xE2\x80\xAE");
    T_TRUE(text_is_utf8(s.plain) && text_is_utf8(s.html), "UTF-8");
    stage_close(&s);
}

static const struct {
    const char *url;
    bool ok, mailto;
} urls[] = {
    {"https://app.example/x?a=b&c=%20#d", true, true},
    {"HTTP://app.example", true, true},
    {" https://app.example ", true, true},
    {"https://例え.jp/道", true, true},
    {"mailto:ann@app.example", true, true},
    {"mailto:ann@app.example", false, false},
    {"javascript:alert(1)", false, true},
    {"JaVaScRiPt://https://x", false, true},
    {"data:text/html,x", false, true},
    {"file:///etc/passwd", false, true},
    {"//app.example", false, true},
    {"/path", false, true},
    {"https://", false, true},
    {"https:///x", false, true},
    {"https://a b", false, true},
    {"https://a\"b", false, true},
    {"https://a\nb", false, true},
    {"https://a\\b", false, true},
    {"java\tscript:x", false, true},
    {"", false, true},
};

static void test_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(urls); i++) {
        struct text got = digest_safe_url(text_of(urls[i].url), urls[i].mailto);
        T_EQ(got.n > 0, urls[i].ok, "%s", urls[i].url);
    }
}

/* -- Header ----------------------------------------------------------------------------------*/

static void test_header(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    for (int i = 0; i < 3; i++) {
        struct notification *n = add(&s, "Website", i ? "b" : "a");
        add_field(&s, n, "Reply-To: team@app.example");
        add_field(&s, n, i == 1 ? "X-PM-Tag: one" : "X-PM-Tag: two");
        add_field(&s, n,
                  i < 2 ? "List-Unsubscribe: <https://app.example/old>"
                        : "List-Unsubscribe: <mailto:u@app.example>,\r\n <https://app.example/u>");
    }
    add_field(&s, &s.items[2], "List-Unsubscribe-Post: List-Unsubscribe=One-Click");
    s.options.offset_s = 28800;
    build(&s);
    T_TEXT(value(&s, "From"), "The App <app@app.example>", "from");
    T_TEXT(value(&s, "To"), "bruce@client.asia", "to");
    T_TEXT(value(&s, "Date"), "Sun, 22 Nov 2026 05:00:00 +0800", "date");
    T_TEXT(value(&s, "Message-ID"), "<d1@app.example>", "fresh");
    T_TEXT(value(&s, "Auto-Submitted"), "auto-generated", "RFC 3834");
    T_TEXT(value(&s, "Reply-To"), "team@app.example", "all agree");
    T_TRUE(!message_has(&s.message, TEXT("X-PM-Tag")), "they do not agree");
    T_TEXT(value(&s, "List-Unsubscribe"), "<mailto:u@app.example>, <https://app.example/u>",
           "newest");
    T_TEXT(value(&s, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click", "newest");
    has(s.html, "href=\"https://app.example/u\"");
    struct text thread = value(&s, "References");
    T_TRUE(text_starts(thread, TEXT("<digest.")) && text_iends(thread, TEXT("@app.example>")),
           "id");

    s.items[0].message = text_of(arena_printf(&s.arena, "Reply-To: x@app.example\r\n" TEXT_FMT,
                                              TEXT_ARG(s.items[0].message)));
    s.options.message_id = TEXT("<d2@app.example>");
    build(&s);
    T_TRUE(!message_has(&s.message, TEXT("Reply-To")), "they do not agree any more");
    T_TRUE(text_eq(value(&s, "References"), thread), "the next digest is in the same thread");
    for (size_t i = 0; i < s.count; i++)
        s.items[i].recipient = TEXT("ann@client.asia");
    build(&s);
    T_TRUE(!text_eq(value(&s, "References"), thread), "another recipient, another thread");
    stage_close(&s);
}

static void test_no_field_is_injected(void **state)
{
    (void)state;
    static const char *const evil = "a\r\nBcc: victim@x.example\r\n\r\n<b>body</b>";
    struct stage s;
    stage_open(&s);
    for (int i = 0; i < 2; i++) {
        struct notification *n = add(&s, "x", i ? "one" : "two");
        n->subject = n->thread = n->stream = text_of(evil);
        n->item = (struct digest_item){text_of(evil), text_of(evil), text_of(evil), text_of(evil)};
        n->message = TEXT("From: =?utf-8?Q?a=0D=0ABcc=3A_v=40x?= <app@app.example>\r\n"
                          "References: <a\rBcc:b@c>\r\n\r\nbody\r\n");
    }
    s.options.zone = text_of(evil);
    build(&s);
    static const char *const known[] = {
        "From",         "To",          "Subject",        "Date",
        "Message-ID",   "References",  "Auto-Submitted", "X-Mailtide-Digest",
        "MIME-Version", "Content-Type"};
    struct header h;
    size_t pos = 0, count = 0;
    while (message_next(&s.message, &pos, &h))
        T_TEXT(h.name, known[count++], "no field but these");
    T_EQ(count, TIDE_COUNT(known), "all of them");
    has_not(s.html, "<b>body");

    struct tide_error err;
    struct buf b = {0};
    s.options.message_id = TEXT("<a@b>\r\nBcc: x@y <c@d>");
    T_EQ(digest_build(s.items, 2, &s.options, &b, &s.result, &err), TIDE_EINVAL, "message-id");
    s.options.message_id = TEXT("<a@b>");
    s.items[0].recipient = s.items[1].recipient = TEXT("a@b\r\nBcc: x@y");
    T_EQ(digest_build(s.items, 2, &s.options, &b, &s.result, &err), TIDE_EINVAL, "recipient");
    T_EQ(b.len, 0, "nothing was put");
    buf_fini(&b);
    stage_close(&s);
}

static void test_smtputf8_is_reported(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    add(&s, "a", "b");
    add(&s, "c", "d");
    s.items[0].recipient = s.items[1].recipient = TEXT("用户@例え.jp");
    build(&s);
    T_TRUE(s.result.needs_smtputf8, "recipient");
    T_TEXT(value(&s, "To"), "用户@例え.jp", "as it is");
    stage_close(&s);
}

static void test_what_cannot_be_read_is_shown_by_subject(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    for (int i = 0; i < 2; i++) {
        add(&s, i ? "Second" : "", "x");
        s.items[i].message = i ? TEXT("damaged") : TEXT("");
    }
    build(&s);
    has(s.plain, "(no subject)");
    has(s.plain, "Second");
    T_TEXT(value(&s, "From"), "app@app.example", "the identity");
    s.items[0].identity = s.items[1].identity = TEXT("");
    struct buf b = {0};
    struct tide_error err;
    T_EQ(digest_build(s.items, 2, &s.options, &b, &s.result, &err), TIDE_EINVAL, "nobody");
    T_EQ(digest_build(s.items, 0, &s.options, &b, &s.result, &err), TIDE_EINVAL, "nothing");
    stage_close(&s);
}

/* -- RFC 2046 digest ---------------------------------------------------------------------------*/

static void test_mime_digest_holds_the_originals(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    s.options.as_mime = true;
    s.options.items_max = 2;
    char hash[MIME_HASH_BYTES], body[100];
    mime_hash(s.options.message_id, hash);
    snprintf(body, sizeof body, "--=_%s--", hash); /* what would end the mail early */
    add(&s, "One", body);
    add(&s, "Two", "J\xC3\xB6rg\r\n\r\n.\r\nFrom x");
    add(&s, "Three", "no line end");
    s.items[2].message.n -= 2;
    build(&s);
    for (size_t i = 0; i < s.count; i++) {
        struct text original = s.items[i].message;
        if (text_iends(original, TEXT("\r\n")))
            original.n -= 2;
        T_TRUE(memmem(s.mail.data, s.mail.len, original.p, original.n), "original %zu", i);
    }
    T_TRUE(s.result.needs_8bit, "the second needs it");
    has(s.message.body, "Content-Type: multipart/digest");
    has(s.message.body,
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nFrom");
    stage_close(&s);
}

/* -- Templates of the operator
 * -------------------------------------------------------------------*/

static void test_own_templates(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    add(&s, "a", "b");
    add(&s, "c", "d");
    struct digest_templates *own = NULL;
    struct tide_error err;
    struct digest_sources sources = {
        .dir = "/etc/mailtide/templates",
        .subject = TEXT("{{count}} Neuigkeiten\nvon {{from}}\n"),
        .text = TEXT("{{#groups}}{{#items}}[{{title}}]{{/items}}{{/groups}}")};
    T_OK(digest_templates_new(&sources, &own, &err), &err, "own");
    s.options.templates = own;
    build(&s);
    T_TEXT(value(&s, "Subject"), "2 Neuigkeiten von The App", "one line");
    T_TEXT(text_trim(s.plain), "[a][c]", "text");
    has(s.html, "2 new notifications");
    digest_templates_free(own);

    sources.text = TEXT("\n{{titel}}");
    own = NULL;
    T_EQ(digest_templates_new(&sources, &own, &err), TIDE_ESYNTAX, "wrong");
    T_STR(err.text,
          "/etc/mailtide/templates/digest.txt:2: there is no field \"titel\"; did you mean "
          "\"title\"?",
          "says where");
    T_TRUE(own != NULL, "and serves all the same");
    s.options.templates = own;
    build(&s);
    T_TEXT(value(&s, "Subject"), "2 Neuigkeiten von The App", "the right one stays");
    has(s.plain, "2 new notifications from The App");
    digest_templates_free(own);
    stage_close(&s);
}

static void test_size_is_bounded(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    add(&s, "a", "b");
    add(&s, "c", "d");
    struct buf b = {0};
    struct tide_error err;
    s.options.bytes_max = 1000;
    T_EQ(digest_build(s.items, 2, &s.options, &b, &s.result, &err), TIDE_ELIMIT, "too large");
    T_EQ(b.len, 0, "nothing was put");
    buf_fini(&b);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_is_the_original),
        cmocka_unit_test(test_thirty_comments_in_order),
        cmocka_unit_test(test_priority_then_thread_then_time),
        cmocka_unit_test(test_threads_by_references),
        cmocka_unit_test(test_the_same_is_counted),
        cmocka_unit_test(test_items_max),
        cmocka_unit_test(test_same_millisecond_is_one_digest),
        cmocka_unit_test(test_every_script_comes_through),
        cmocka_unit_test(test_hostile_words_stay_words),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_no_field_is_injected),
        cmocka_unit_test(test_smtputf8_is_reported),
        cmocka_unit_test(test_what_cannot_be_read_is_shown_by_subject),
        cmocka_unit_test(test_mime_digest_holds_the_originals),
        cmocka_unit_test(test_own_templates),
        cmocka_unit_test(test_size_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
