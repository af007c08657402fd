#include "core/digest/content.h"
#include "core/digest/html_text.h"
#include "lib/check.h"

static struct content look(const char *raw, size_t bytes, unsigned lines, struct arena *a)
{
    struct buf b = {0};
    struct message m;
    struct content got;
    struct tide_error err;
    T_OK(message_normalise(text_of(raw), &b, &err), &err, "%s", raw);
    T_OK(message_open(buf_text(&b), &m, &err), &err, "%s", raw);
    T_OK(content_look(&m, bytes, lines, a, &got, &err), &err, "%s", raw);
    buf_fini(&b);
    return got;
}

#define MULTI(kind) "Content-Type: multipart/" kind "; boundary=x\n\n"
#define PLAIN(text) "--x\nContent-Type: text/plain; charset=utf-8\n\n" text "\n"
#define HTML(text)  "--x\nContent-Type: text/html; charset=utf-8\n\n" text "\n"

static const struct {
    const char *name, *raw, *text, *reason;
} cases[] = {
    {"no MIME", "Subject: x\n\nHello\n\nAnn\n", "Hello\nAnn", ""},
    {"empty", "Subject: x\n\n", "", ""},
    {"quoted-printable",
     "Content-Type: text/plain; charset=iso-8859-1\n"
     "Content-Transfer-Encoding: quoted-printable\n\nJ=F6rg ha=\nt\n",
     "Jörg hat", ""},
    {"base64",
     "Content-Type: text/plain; charset=gb2312\nContent-Transfer-Encoding: base64\n\n"
     "xOO6\nww==\n",
     "你好", ""},
    {"utf-16",
     "Content-Type: text/plain; charset=utf-16be\nContent-Transfer-Encoding: base64\n\n"
     "AGgAaQ==\n",
     "hi", ""},
    {"raw bytes without a charset", "Subject: x\n\nJ\xF6rg\n", "Jörg", ""},
    {"html alone", "Content-Type: text/html\n\n<p>Hi&nbsp;<b>Ann</b>,</p><p>how&#39;s that?</p>\n",
     "Hi Ann,\nhow's that?", ""},
    {"alternative", MULTI("alternative") PLAIN("plain") HTML("<p>html") "--x--\n", "plain", ""},
    {"blank plain", MULTI("alternative") PLAIN(" ") HTML("<p>html") "--x--\n", "html", ""},
    {"no end", MULTI("alternative") PLAIN("plain"), "plain", ""},
    {"preamble", MULTI("mixed") "This is MIME.\n" PLAIN("plain") "--x--\nepilogue\n", "plain", ""},
    {"boundary's longer brother", MULTI("mixed") PLAIN("one\n--xy\ntwo") "--x--\n",
     "one\n--xy\ntwo", ""},
    {"related image",
     MULTI("related") HTML("<p>html<img src=cid:a>") "--x\nContent-Type: image/png\n"
                                                     "Content-ID: <a>\n\nx\n--x--\n",
     "html", ""},
    {"amp part",
     MULTI("alternative") PLAIN("plain") "--x\nContent-Type: text/x-amp-html\n\nx\n--x--\n",
     "plain", ""},
    {"attachment", MULTI("mixed") PLAIN("plain") "--x\nContent-Type: application/pdf\n\nx\n--x--\n",
     "plain", "it has an attachment"},
    {"text attached",
     MULTI("mixed") PLAIN("plain") "--x\nContent-Disposition: attachment\n\nx\n--x--\n", "plain",
     "it has an attachment"},
    {"forwarded",
     MULTI("mixed") PLAIN("plain") "--x\nContent-Type: message/rfc822\n\nA: b\n--x--\n", "plain",
     "it has an attachment"},
    {"digest's default type", MULTI("digest") "--x\n\nA: b\n\nc\n--x--\n", "",
     "it has an attachment"},
    {"signed", MULTI("signed") PLAIN("plain") "--x--\n", "", "it is signed"},
    {"encrypted", MULTI("encrypted") "--x--\n", "", "it is encrypted"},
    {"S/MIME", "Content-Type: application/pkcs7-mime\n\nx\n", "",
     "it is encrypted or signed (S/MIME)"},
    {"OpenPGP", "Subject: x\n\n-----BEGIN PGP MESSAGE-----\n", "-----BEGIN PGP MESSAGE-----",
     "it is encrypted or signed (OpenPGP)"},
    {"invitation",
     MULTI("alternative") PLAIN("plain") "--x\nContent-Type: text/calendar\n\nx\n--x--\n", "plain",
     "it carries a calendar item"},
    {"bounce", MULTI("report") PLAIN("plain") "--x--\n", "", "it is a report"},
    {"no boundary", "Content-Type: multipart/mixed\n\nx\n", "",
     "it is a multipart message without a usable boundary"},
    {"type that is none", "Content-Type: ;;;\n\nx\n", "x", ""},
    {"signature and quotes", "A: b\n\n> old\nnew\n=====\n-- \nAnn\n", "new", ""},
    {"fillers", "A: b\n\n\xE2\x80\x8B\xC2\xADnew\xEF\xBB\xBF\n\xE2\x80\x8B\n", "new", ""},
    {"emoji and Persian stay", "A: b\n\n👩‍👧 می‌خواهم\n",
     "👩‍👧 می‌خواهم", ""},
};

static void test_text_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena a = {0};
        struct content got = look(cases[i].raw, 500, 10, &a);
        T_TEXT(got.text, cases[i].text, "%s", cases[i].name);
        T_STR(got.reason, cases[i].reason, "%s", cases[i].name);
        T_EQ(got.digestible, cases[i].reason[0] == '\0', "%s", cases[i].name);
        T_EQ(got.cut, false, "%s", cases[i].name);
        arena_fini(&a);
    }
}

static void test_text_is_cut(void **state)
{
    (void)state;
    struct arena a = {0};
    struct content got = look("A: b\n\none\ntwo\nthree\n", 500, 2, &a);
    T_TEXT(got.text, "one\ntwo", "lines");
    T_TRUE(got.cut, "lines");
    got = look("A: b\n\none\ntwo\n", 500, 2, &a);
    T_TRUE(!got.cut, "just fits");
    got = look("A: b\n\n你好你好\n", 7, 2, &a);
    T_TEXT(got.text, "你好", "no character in two");
    T_TRUE(got.cut, "bytes");
    got = look("A: b\n\none\n", 500, 0, &a);
    T_TEXT(got.text, "", "not asked for");
    arena_fini(&a);
}

static const struct {
    const char *html, *want;
} htmls[] = {
    {"a<br>b<br/>c", "a\nb\nc"},
    {"<html><head><title>t</title><style>p{}</style></head><body> <p>x</p> </body></html>", "x"},
    {"<script>if (a<b) '</p>'</script>x", "x"},
    {"<!-- <p>no</p> -->x<!-- open", "x"},
    {"<!doctype html><?xml a?>x", "x"},
    {"<div style=\"color:red; display : none\">no<div>no</div></div>x", "x"},
    {"<span style='display:none'>pre<br>header</span><p>x", "x"},
    {"<a title=\"a > b\" href='#'>x</a>", "x"},
    {"1 < 2 &amp; 3 &gt; 2 & so", "1 < 2 & 3 > 2 & so"},
    {"&eacute;&Uuml;&#228;&#x4f60;&#x1F642;&hellip;", "éÜä你🙂…"},
    {"&#0;&#xd800;&#x110000;&#99999999;x", "x"},
    {"&nosuch;&;&#;", "&nosuch;&;&#;"},
    {"<table><tr><td>a</td><td>b</td></tr><tr><td>c", "a b\nc"},
    {"<p>a</p>\n\n  <p>  b  c </p>", "a\nb c"},
    {"x<", "x<"},
    {"x<a", "x"},
    {"<style>never closed", ""},
    {"<div style=display:none>never closed<div>", ""},
    {"", ""},
};

static void test_html(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(htmls); i++) {
        struct buf b = {0};
        html_text(text_of(htmls[i].html), &b);
        T_TEXT(text_trim(buf_text(&b)), htmls[i].want, "%s", htmls[i].html);
        T_TRUE(text_is_utf8(buf_text(&b)), "%s", htmls[i].html);
        buf_fini(&b);
    }
}

/* Whoever nests or repeats without end gets a reason, soon. */
static void test_hostile_structures(void **state)
{
    (void)state;
    struct buf b = {0};
    struct arena a = {0};
    buf_adds(&b, "Content-Type: multipart/mixed; boundary=b0\n\n");
    for (int i = 0; i < 5000; i++)
        buf_addf(&b, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i + 1);
    struct content got = look(buf_str(&b), 100, 3, &a);
    T_STR(got.reason, "its parts are nested too deeply", "nested");
    buf_clear(&b);
    buf_adds(&b, MULTI("mixed"));
    for (int i = 0; i < 100000; i++)
        buf_adds(&b, "--x\n\ny\n");
    got = look(buf_str(&b), 100, 3, &a);
    T_STR(got.reason, "it has too many parts", "many");
    T_TEXT(got.text, "y", "the first");
    buf_clear(&b);
    buf_adds(&b, MULTI("mixed"));
    for (int i = 0; i < 300000; i++)
        buf_adds(&b, "--x");
    got = look(buf_str(&b), 100, 3, &a);
    T_TEXT(got.text, "", "delimiters that are none");
    buf_fini(&b);
    arena_fini(&a);
}

/* Memory ends at every possible place: an error or less text, never harm. */
static void test_memory_runs_out(void **state)
{
    (void)state;
    struct buf b = {0};
    struct message m;
    struct tide_error err;
    T_OK(message_normalise(TEXT(MULTI("alternative") "--x\nContent-Type: text/html; charset=gbk\n"
                                                     "Content-Transfer-Encoding: base64\n\n"
                                                     "xOO6ww==\n--x--\n"),
                           &b, &err),
         &err, "normalise");
    T_OK(message_open(buf_text(&b), &m, &err), &err, "open");
    size_t succeeded = 0;
    for (size_t max = 16; max <= 8192; max += 16) {
        struct arena a;
        struct content got;
        struct mailbox *boxes;
        size_t count;
        arena_init(&a, max);
        if (content_look(&m, 100, 3, &a, &got, &err) == TIDE_OK) {
            T_TRUE(text_eq(got.text, TEXT("")) || text_eq(got.text, TEXT("你好")), "%zu", max);
            succeeded += got.text.n > 0;
        }
        (void)message_value(&m, TEXT("Content-Type"), &a);
        (void)(message_recipients(&m, &a, &boxes, &count, &err) == TIDE_OK);
        arena_fini(&a);
    }
    T_TRUE(succeeded > 0, "with enough it does work");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_and_reason),
        cmocka_unit_test(test_text_is_cut),
        cmocka_unit_test(test_html),
        cmocka_unit_test(test_hostile_structures),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
