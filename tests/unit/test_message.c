#include "core/digest/charset.h"
#include "core/digest/message.h"
#include "lib/check.h"

static struct message opened(struct buf *b, const char *raw)
{
    struct message m;
    struct tide_error err;
    T_OK(message_normalise(text_of(raw), b, &err), &err, "%s", raw);
    T_OK(message_open(buf_text(b), &m, &err), &err, "%s", raw);
    return m;
}

static const struct {
    const char *name, *in, *want;
} line_ends[] = {
    {"as it is", "A: b\r\n\r\nbody\r\n", "A: b\r\n\r\nbody\r\n"},
    {"bare LF", "A: b\n c\n\nbody\nmore\n", "A: b\r\n c\r\n\r\nbody\r\nmore\r\n"},
    {"bare CR", "A: b\r\rbody\r", "A: b\r\n\r\nbody\r\n"},
    {"mixed", "A: b\r\nC: d\n\r\nx\r\ry\n\r\n", "A: b\r\nC: d\r\n\r\nx\r\n\r\ny\r\n\r\n"},
    {"CR CR LF is two ends", "A: b\r\r\nbody", "A: b\r\n\r\nbody\r\n"},
    {"no end at the end", "A: b\n\nbody", "A: b\r\n\r\nbody\r\n"},
    {"header alone", "A: b", "A: b\r\n\r\n"},
    {"nothing", "", "\r\n"},
    {"body alone", "\nbody", "\r\nbody\r\n"},
    {"no empty line", "A: b\nHello Ann,\nB: c\n", "A: b\r\n\r\nHello Ann,\r\nB: c\r\n"},
    {"no header", "Hello\nAnn: hi", "\r\nHello\r\nAnn: hi\r\n"},
    {"a fold of nothing", " x\nA: b\n", "\r\n x\r\nA: b\r\n"},
    {"mbox line", "From ann@x Sat Nov 21\nA: b\n\nFrom here\n", "A: b\r\n\r\nFrom here\r\n"},
    {"blank before the colon", "A : b\n\n", "A : b\r\n\r\n"},
    {"name with a blank", "A b: c\n\n", "\r\nA b: c\r\n\r\n"},
};

static void test_line_ends_and_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(line_ends); i++) {
        struct buf b = {0}, twice = {0};
        struct message m = opened(&b, line_ends[i].in);
        T_TEXT(m.whole, line_ends[i].want, "%s", line_ends[i].name);
        T_EQ(m.head.n + 2 + m.body.n, m.whole.n, "%s: parts", line_ends[i].name);
        opened(&twice, buf_str(&b));
        T_TEXT(buf_text(&twice), line_ends[i].want, "%s: again", line_ends[i].name);
        buf_fini(&b);
        buf_fini(&twice);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    struct buf in = {0}, out = {0};
    struct message m;
    struct tide_error err;
    T_EQ(message_normalise((struct text){"A: \0\n\n", 6}, &out, &err), TIDE_ESYNTAX, "NUL");
    T_STR(err.text, "header field 1 holds a NUL byte", "says where");
    buf_clear(&out);
    T_OK(message_normalise((struct text){"A: b\n\n\0", 7}, &out, &err), &err, "NUL in the body");
    for (int i = 0; i <= MESSAGE_HEADERS_MAX; i++)
        buf_adds(&in, "A: b\r\n");
    buf_clear(&out);
    T_EQ(message_normalise(buf_text(&in), &out, &err), TIDE_ELIMIT, "too many fields");
    buf_adds(&in, "\r\n");
    T_EQ(message_open(buf_text(&in), &m, &err), TIDE_ELIMIT, "too many fields to open");
    buf_clear(&in);
    buf_adds(&in, "A: b\r\n");
    while (in.len <= MESSAGE_HEAD_BYTES_MAX)
        buf_adds(&in, " folded folded folded folded folded folded folded folded\r\n");
    buf_clear(&out);
    T_EQ(message_normalise(buf_text(&in), &out, &err), TIDE_ELIMIT, "too large");
    buf_adds(&in, "\r\n");
    T_TRUE(message_open(buf_text(&in), &m, &err) != TIDE_OK, "too large to open");
    static const char *const damaged[] = {"",         "A: b",        "A: b\r\n",
                                          "A: b\n\n", "A b\r\n\r\n", "A: b\r"};
    for (size_t i = 0; i < TIDE_COUNT(damaged); i++)
        T_EQ(message_open(text_of(damaged[i]), &m, &err), TIDE_ESYNTAX, "damaged %zu", i);
    buf_fini(&in);
    buf_fini(&out);
}

static const struct {
    const char *name, *raw, *want;
} values[] = {
    {"plain", "Subject: New comment\n\n", "New comment"},
    {"no case", "SUBJECT:x\n\n", "x"},
    {"folded", "Subject: New\n  comment\n\tagain\n\n", "New  comment again"},
    {"empty", "Subject:\n\n", ""},
    {"Q", "Subject: =?iso-8859-1?Q?J=F6rg_hat?=\n\n", "Jörg hat"},
    {"B", "Subject: =?UTF-8?B?5L2g5aW9?=\n\n", "你好"},
    {"two words join", "Subject: =?utf-8?Q?a?=\n =?utf-8?Q?b?=\n\n", "ab"},
    {"character over two words", "Subject: =?utf-8?B?5L2g5Q==?=\n =?utf-8?B?pb0=?=\n\n",
     "你好"}, /* RFC 2047 5 forbids it, many do it */
    {"gb18030", "Subject: =?gb18030?B?xOO6ww==?=\n\n", "你好"},
    {"raw UTF-8", "Subject: Jörg 🙂\n\n", "Jörg 🙂"},
    {"raw latin 1", "Subject: J\xF6rg\n\n", "Jörg"},
    {"raw windows quotes", "Subject: \x93J\xF6rg\x94 \x81\n\n", "“Jörg”"},
    {"raw gbk, declared",
     "Content-Type: text/plain; charset=\"gbk\"\nSubject: \xC4\xE3\xBA\xC3\n\n", "你好"},
    {"raw, wrongly declared", "Content-Type: text/plain; charset=utf-8\nSubject: J\xF6rg\n\n",
     "Jörg"},
    {"unknown charset", "Content-Type: text/plain; charset=../../x\nSubject: J\xF6rg\n\n", "Jörg"},
    {"encoded line end", "Subject: =?utf-8?Q?a=0D=0ABcc:_x?=\n\n", "a  Bcc: x"},
    {"encoded controls", "Subject: =?utf-8?Q?a=00b=1Bc=C2=85d=E2=80=A8e?=\n\n", "a b c d e"},
    {"broken word", "Subject: =?utf-8?Q?a\n\n", "=?utf-8?Q?a"},
    {"first of two", "Subject: a\nSubject: b\n\n", "a"},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(values); i++) {
        struct buf b = {0};
        struct arena a = {0};
        struct message m = opened(&b, values[i].raw);
        struct text got = message_value(&m, TEXT("subject"), &a);
        T_TRUE(text_is_utf8(got), "%s", values[i].name);
        T_TEXT(got, values[i].want, "%s", values[i].name);
        for (size_t k = 0; k < got.n; k++)
            T_TRUE((unsigned char)got.p[k] >= 32, "%s: control", values[i].name);
        T_TRUE(message_value(&m, TEXT("Absent"), &a).p == NULL, "%s: absent", values[i].name);
        arena_fini(&a);
        buf_fini(&b);
    }
}

static void test_message_ids(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *want;
    } ids[] = {
        {"Message-ID: <a@b>\n\n", "<a@b>"}, {"Message-ID:\n <a@b> (x)\n\n", "<a@b>"},
        {"Message-ID: a@b\n\n", ""},        {"Message-ID: <ab>\n\n", ""},
        {"Message-ID: <a b@c>\n\n", ""},    {"Message-ID: <a@b\n\n", ""},
        {"Message-ID: <a@b\n c>\n\n", ""},  {"Message-ID: <1@a> <2@b>\n\n", "<1@a>"},
        {"Other: <a@b>\n\n", ""},
    };
    for (size_t i = 0; i < TIDE_COUNT(ids); i++) {
        struct buf b = {0};
        struct arena a = {0};
        struct message m = opened(&b, ids[i].raw);
        T_TEXT(message_first_id(&m, TEXT("Message-ID"), &a), ids[i].want, "%s", ids[i].raw);
        arena_fini(&a);
        buf_fini(&b);
    }
}

static const struct {
    const char *raw;
    enum tide_err want;
    const char *name, *address;
} froms[] = {
    {"From: ann@example.org\n\n", TIDE_OK, "", "ann@example.org"},
    {"From: Ann <ann@example.org>\n\n", TIDE_OK, "Ann", "ann@example.org"},
    {"From: \"B., Ann\" <ann@example.org>\n\n", TIDE_OK, "B., Ann", "ann@example.org"},
    {"From: =?utf-8?Q?J=C3=B6rg?= <j@example.org>\n\n", TIDE_OK, "Jörg", "j@example.org"},
    {"From: J\xF6rg <j@example.org>\n\n", TIDE_OK, "Jörg", "j@example.org"},
    {"From: 你好 <用户@例え.jp>\n\n", TIDE_OK, "你好", "用户@例え.jp"},
    {"From: ann@example.org (Ann)\n\n", TIDE_OK, "Ann", "ann@example.org"},
    {"From:\n  Ann\n  <ann@example.org>\n\n", TIDE_OK, "Ann", "ann@example.org"},
    {"From: =?utf-8?Q?B.,_A:?= <a@x.org>\n\n", TIDE_OK, "B., A:", "a@x.org"},
    {"From: Ann (x (y) z) <a@x.org> (Bee)\n\n", TIDE_OK, "Ann", "a@x.org"},
    {"From: <@r.org,@s.org:a@x.org>\n\n", TIDE_OK, "", "a@x.org"},
    {"From: a . b @ x . org\n\n", TIDE_OK, "", "a.b@x.org"},
    {"From: \"a b\"@x.org\n\n", TIDE_OK, "", "\"a b\"@x.org"},
    {"From: \"a>b\" <\"a>b\\\"c\"@x.org>\n\n", TIDE_OK, "a>b", "\"a>b\\\"c\"@x.org"},
    {"From: a@[IPv6:::1]\n\n", TIDE_OK, "", "a@[IPv6:::1]"},
    {"From: Ann <a@x.org> <b@x.org>\n\n", TIDE_OK, "Ann", "a@x.org"},
    {"From: Ann Bee\n\n", TIDE_OK, "", "Ann Bee"}, /* no address; core/address says so */
    {"From: Ann <a@x.org\n\n", TIDE_OK, "Ann", "a@x.org"},
    {"From: \"Ann\n\n", TIDE_OK, "", "\"Ann"},
    {"From: team: a@x.org, b@x.org;\n\n", TIDE_OK, "", "a@x.org"},
    {"From: a@x.org, b@x.org\n\n", TIDE_OK, "", "a@x.org"},
    {"From: =?utf-8?Q?a=0D=0ABcc=3A_e?= <a@x.org>\n\n", TIDE_OK, "a  Bcc: e", "a@x.org"},
    {"To: a@x.org\n\n", TIDE_ENOENT, NULL, NULL},
    {"From: a@x.org\nFrom: b@y.org\n\n", TIDE_ESYNTAX, NULL, NULL},
    {"From: \n\n", TIDE_ESYNTAX, NULL, NULL},
    {"From: team:;\n\n", TIDE_ESYNTAX, NULL, NULL},
};

static void test_from(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(froms); i++) {
        struct buf b = {0};
        struct arena a = {0};
        struct tide_error err;
        struct mailbox got;
        struct message m = opened(&b, froms[i].raw);
        T_EQ(message_from(&m, &a, &got, &err), froms[i].want, "%s", froms[i].raw);
        if (froms[i].want == TIDE_OK) {
            T_TEXT(got.address, froms[i].address, "%s", froms[i].raw);
            T_TEXT(got.name, froms[i].name, "%s", froms[i].raw);
        }
        arena_fini(&a);
        buf_fini(&b);
    }
}

static void test_recipients_once_each(void **state)
{
    (void)state;
    struct buf b = {0};
    struct arena a = {0};
    struct tide_error err;
    struct mailbox *got;
    size_t count;
    struct message m =
        opened(&b, "To: Ann <ann@x.org>, bob@x.org\nCc: team: carl@x.org, ann@x.org;\n"
                   "Bcc: dora@x.org\nTo: emil@x.org\n\n");
    T_OK(message_recipients(&m, &a, &got, &count, &err), &err, "all");
    static const char *const want[] = {"ann@x.org", "bob@x.org", "emil@x.org", "carl@x.org",
                                       "dora@x.org"};
    T_EQ(count, TIDE_COUNT(want), "each once");
    for (size_t i = 0; i < count; i++)
        T_TEXT(got[i].address, want[i], "in order");
    buf_clear(&b);
    m = opened(&b, "Subject: nobody\n\n");
    T_OK(message_recipients(&m, &a, &got, &count, &err), &err, "none");
    T_EQ(count, 0, "none");

    struct buf many = {0};
    buf_adds(&many, "To: a@x.org");
    for (int i = 0; i < MESSAGE_ADDRESSES_MAX; i++)
        buf_addf(&many, ",\n b%d@x.org", i);
    buf_adds(&many, "\n\n");
    buf_clear(&b);
    m = opened(&b, buf_str(&many));
    T_EQ(message_recipients(&m, &a, &got, &count, &err), TIDE_ELIMIT, "too many");
    T_STR(err.text, "header field To: more than 2000 addresses", "says what");
    buf_fini(&many);
    buf_fini(&b);
    arena_fini(&a);
}

static void test_fields_in_front_and_left_out(void **state)
{
    (void)state;
    struct buf b = {0}, out = {0};
    struct tide_error err;
    struct message m =
        opened(&b, "A: 1\nBCC: x@y\n z@y\nX-Mailtide-Key: k\nB: 2\n folded\n\nbody\n");
    T_OK(message_put_header(&out, TEXT("X-New"), TEXT("v"), &err), &err, "put");
    message_put_rest(&out, &m, (const char *const[]){"Bcc", "X-Mailtide-*"}, 2);
    T_STR(buf_str(&out), "X-New: v\r\nA: 1\r\nB: 2\r\n folded\r\n\r\nbody\r\n", "edited");
    buf_fini(&out);
    message_put_rest(&out, &m, NULL, 0);
    T_STR(buf_str(&out), buf_str(&b), "nothing named, nothing changed");
    buf_fini(&out);
    buf_fini(&b);
}

static const char *const round_trips[] = {
    "short",
    "",
    "Jörg hat kommentiert: 你好 🙂 und noch viel mehr, so viel, dass es in eine Zeile nicht "
    "passt",
    "你好你好你好你好你好你好你好你好你好你好你好你好你好你好你好你好你好你好你好你好你好你好你好你"
    "好你好",
    /* clang-format breaks emoji families, anew each time */
    /* clang-format off */
    "שלום עולם مرحبا بالعالم",
    "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩"
    "‍"
    "👩"
    "‍"
    "👧"
    "‍"
    "👦",
    /* clang-format on */
    "=?utf-8?Q?not_encoded?= but looks so",
    "many words that are ASCII and long enough to be folded over two lines, at least over two",
    "a\tb   c     d",
    "http://example.org/"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

/* No line is too long, none is blank, and what is read back is what was put in. */
static void test_what_is_put_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(round_trips); i++) {
        struct buf b = {0};
        struct arena a = {0};
        struct tide_error err;
        struct message m;
        T_OK(message_put_header(&b, TEXT("Subject"), text_of(round_trips[i]), &err), &err, "put");
        T_TRUE(text_is_ascii(buf_text(&b)), "ASCII: %s", round_trips[i]);
        struct text rest = buf_text(&b), line;
        while (text_split(&rest, '\n', &line))
            T_TRUE(line.n <= 80 || text_find(text_cut(line, 0, 80), '/') < 80, "%s",
                   round_trips[i]);
        buf_adds(&b, "\r\n");
        T_OK(message_open(buf_text(&b), &m, &err), &err, "%s", round_trips[i]);
        T_EQ(message_count(&m, TEXT("Subject")), 1, "%s", round_trips[i]);
        struct text want = charset_decode_header(text_of(round_trips[i]), TEXT(""), &a);
        if (text_starts(text_of(round_trips[i]), TEXT("=?")))
            want = text_of(round_trips[i]);
        struct text got = message_value(&m, TEXT("Subject"), &a);
        T_TRUE(text_eq(got, want), "%s: " TEXT_FMT, buf_str(&b), TEXT_ARG(got));
        arena_fini(&a);
        buf_fini(&b);
    }
}

static void test_no_injection(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\r\nBcc: x@y", "a\nb",  "a\rb", "a\n",
                                      "\x01",          "a\x7f", "\xff", "\xc0\x8d\xc0\x8a"};
    struct buf b = {0};
    struct tide_error err;
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct text v = text_of(bad[i]);
        T_EQ(message_put_header(&b, TEXT("Subject"), v, &err), TIDE_EINVAL, "value %zu", i);
        T_EQ(message_put_structured(&b, TEXT("Date"), v, &err), TIDE_EINVAL, "structured %zu", i);
        T_EQ(message_put_header(&b, v, TEXT("v"), &err), TIDE_EINVAL, "name %zu", i);
        struct mailbox name = {v, TEXT("a@x.org")}, address = {TEXT("A"), v};
        T_EQ(message_put_mailbox(&b, TEXT("From"), &name, &err), TIDE_EINVAL, "display %zu", i);
        T_EQ(message_put_mailbox(&b, TEXT("From"), &address, &err), TIDE_EINVAL, "address %zu", i);
    }
    T_EQ(message_put_header(&b, TEXT("S"), (struct text){"a\0b", 3}, &err), TIDE_EINVAL, "NUL");
    T_EQ(message_put_header(&b, TEXT("Bcc: x"), TEXT("v"), &err), TIDE_EINVAL, "colon in the name");
    T_EQ(message_put_header(&b, TEXT(""), TEXT("v"), &err), TIDE_EINVAL, "no name");
    T_EQ(message_put_structured(&b, TEXT("Date"), TEXT("ä"), &err), TIDE_EINVAL, "not ASCII");
    struct mailbox two = {TEXT("A"), TEXT("a@x.org>, <b@x.org")};
    T_EQ(message_put_mailbox(&b, TEXT("From"), &two, &err), TIDE_EINVAL, "two addresses");
    T_EQ(b.len, 0, "nothing was put");
    buf_fini(&b);
}

static void test_mailboxes_are_read_back(void **state)
{
    (void)state;
    static const struct mailbox boxes[] = {
        {{"", 0}, {"ann@x.org", 9}},
        {{"Ann Bee", 7}, {"ann@x.org", 9}},
        {{"B., \"A\\nn\"", 10}, {"ann@x.org", 9}},
        {{"a <evil@y.org>, b", 17}, {"ann@x.org", 9}},
        {{"J\xC3\xB6rg", 5}, {"\"j b\"@x.org", 11}},
        {{"=?utf-8?Q?x?=", 13}, {"ann@x.org", 9}},
    };
    for (size_t i = 0; i < TIDE_COUNT(boxes); i++) {
        struct buf b = {0};
        struct arena a = {0};
        struct tide_error err;
        struct message m;
        struct mailbox got;
        T_OK(message_put_mailbox(&b, TEXT("From"), &boxes[i], &err), &err, "put %zu", i);
        buf_adds(&b, "\r\n");
        T_OK(message_open(buf_text(&b), &m, &err), &err, "open %zu", i);
        T_OK(message_from(&m, &a, &got, &err), &err, "read %zu: %s", i, buf_str(&b));
        T_TRUE(text_eq(got.address, boxes[i].address), "address %zu: %s", i, buf_str(&b));
        if (i != 5) /* what looks encoded is shown as such, or decoded by a reader of two passes */
            T_TRUE(text_eq(got.name, boxes[i].name), "name %zu: " TEXT_FMT, i, TEXT_ARG(got.name));
        arena_fini(&a);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_ends_and_split),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_message_ids),
        cmocka_unit_test(test_from),
        cmocka_unit_test(test_recipients_once_each),
        cmocka_unit_test(test_fields_in_front_and_left_out),
        cmocka_unit_test(test_what_is_put_is_read),
        cmocka_unit_test(test_no_injection),
        cmocka_unit_test(test_mailboxes_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
