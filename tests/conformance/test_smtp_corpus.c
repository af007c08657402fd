/* Every session, command line and smuggling sequence of the SMTP corpus: as it says, or listed here
 * with the reason. Each runs whole and byte by byte. */
#include "lib/check.h"
#include "lib/smtp_script.h"
#include "lib/tsv.h"

#include <dirent.h>
#include <stdlib.h>

#define HELLO "EHLO corpus.example\r\n"
#define AUTH  HELLO "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n" /* user, secret */

/* What the corpus' servers were set to, or had heard before the steps begin. */
static const struct {
    const char *test;
    const char *before;
    bool auth_required;
    int64_t message_bytes_max;
} settings[] = {
    {"TestRequiredAuthentication.test_mail_authenticated", AUTH, true, 0},
    {"TestRequiredAuthentication.test_rcpt_nomail_authenticated", AUTH, true, 0},
    {"TestRequiredAuthentication.test_vrfy_authenticated", AUTH, true, 0},
    {"TestRequiredAuthentication.", "", true, 0},
    {"TestAuthMechanisms.test_plain1_good", AUTH, true, 0},
    {"TestAuthMechanisms.test_plain2_good", AUTH, true, 0},
    {"TestAuthMechanisms.test_login3_good", AUTH, true, 0},
    {"TestServer_anonymousUserError", HELLO, true, 0},
    {"TestServer_tooLongMessage", AUTH, false, 50},
    {"TestServer", AUTH, false, 0},
};

#define NO_STEPS "steps between these are missing in the corpus: they were made by a client library"
#define HANDLER  "a handler of that server's test does it"
#define STRICT   "a setting of that server"

/* Where this server says otherwise, and why. code 0: not compared. */
static const struct {
    const char *test;
    const char *command; /* NULL: any */
    int code;
    const char *why;
} otherwise[] = {
    {"TestAuthMechanisms.test_not_supported_mechanism", NULL, 0, NO_STEPS},
    {"TestAuthMechanisms.test_DENYMISSING", "AUTH DENYMISSING", 504, STRICT},
    {"TestSMTPAuth.test_already_authenticated", NULL, 0, NO_STEPS},
    {"TestSMTPWithController.", NULL, 0, NO_STEPS},
    {"TestCustomization.test_limitlocalpart", NULL, 0, NO_STEPS},
    {"TestStrictASCII.", NULL, 0, NO_STEPS},
    {"TestLimits.test_limit_bogus", NULL, 0, STRICT},
    {"TestRequiredAuthentication.test_help_unauthenticated", "HELP", 214, STRICT},
    {"TestRequiredAuthentication.test_help_authenticated", "HELP", 214, "RFC 5321 4.2.3: 214"},
    {"rfc1869", "MAIL FROM:", 501, "RFC 5321 4.1.1.2: the null path is \"<>\"; go-smtp agrees"},
    {"rfc1869", "MAIL FROM:user", 501, "no domain, no brackets: invalid as go-smtp's \"asdf\""},
    {"rfc1869", "MAIL FROM:user size=1234", 501, "the same"},
    {"TestServerDELIVERBY", NULL, 0, "RFC 2852 is not offered"},
    {"TestServerEmptyFrom1", NULL, 0, "its own table says the contrary; RFC 5321 4.1.1.2: \"<>\""},
    {"TestServerPanicRecover", NULL, 0, HANDLER},
    {"TestServer_Chunking_Binarymime", NULL, 0, "RFC 3030: BINARYMIME is not offered"},
    {"TestServer_Chunking_EarlyError", NULL, 0, HANDLER},
    {"TestServer_Chunking_LMTP", NULL, 0, "LMTP"},
    {"TestServer_anonymousUserError", NULL, 530, "RFC 4954 6: 530"},
    {"TestServer_otherCommands", "HELP", 214, "it is offered here"},
};

static struct smtp_server_options options_of(struct text test, const char **ret_before)
{
    struct smtp_server_options o = smtp_script_options();
    *ret_before = "";
    for (size_t i = 0; i < TIDE_COUNT(settings); i++) {
        if (!text_starts(test, text_of(settings[i].test)))
            continue;
        o.auth_required = settings[i].auth_required;
        if (settings[i].message_bytes_max)
            o.message_bytes_max = settings[i].message_bytes_max;
        *ret_before = settings[i].before;
        break;
    }
    return o;
}

/* The code that is wanted here; false: not compared. */
static bool is_compared(struct text test, struct text command, int *code)
{
    for (size_t i = 0; i < TIDE_COUNT(otherwise); i++) {
        if (!text_starts(test, text_of(otherwise[i].test)) ||
            (otherwise[i].command && !text_eq(text_trim(command), text_of(otherwise[i].command))))
            continue;
        *code = otherwise[i].code;
        return *code != 0;
    }
    return true;
}

/* The three digits at the front of `t`; 0: there are none. */
static int code_of(struct text t)
{
    int64_t code = 0;
    enum tide_err rc = text_int(text_cut(t, 0, 3), 100, 599, &code, NULL);
    return rc == TIDE_OK ? (int)code : 0;
}

static int last_code(const struct buf *out)
{
    struct buf codes = {0};
    smtp_script_codes(buf_text(out), &codes);
    int code = codes.len >= 3 ? code_of(text_cut(buf_text(&codes), codes.len - 3, 3)) : 0;
    buf_fini(&codes);
    return code;
}

static struct counts {
    int same, listed, free;
} counts;

static void one_step(
    struct smtp_script *t, struct text test, struct text command, struct text expect, size_t piece)
{
    struct buf line = {0};
    int want = code_of(expect), wanted_there = want;
    buf_add_text(&line, command);
    buf_adds(&line, "\r\n");
    buf_clear(&t->out);
    smtp_script_send(t, buf_text(&line), piece);
    int got = last_code(&t->out);
    T_TRUE(got >= 200 || t->closed, "an answer to " TEXT_FMT, TEXT_ARG(command));
    if (expect.n == 0) {
        counts.free++;
    } else if (is_compared(test, command, &want)) {
        T_EQ(got, want, TEXT_FMT ": " TEXT_FMT, TEXT_ARG(test), TEXT_ARG(command));
        counts.same += want == wanted_there;
        counts.listed += want != wanted_there;
    } else {
        counts.listed++;
    }
    buf_fini(&line);
}

/* One command line by itself: what it says is understood, or a syntax error. */
static void one_line(struct text test, struct text command, bool valid, size_t piece)
{
    struct smtp_server_options o = smtp_script_options();
    struct smtp_script t;
    int want = valid ? 250 : 501, wanted_there = want;
    smtp_script_init(&t, &o);
    smtp_script_send(&t, TEXT(HELLO), 0);
    if (text_istarts(command, TEXT("RCPT")))
        smtp_script_send(&t, TEXT("MAIL FROM:<sender@example.org>\r\n"), 0);
    buf_clear(&t.out);
    smtp_script_send(&t, command, piece);
    smtp_script_send(&t, TEXT("\r\n"), piece);
    int got = last_code(&t.out);
    /* 555: the parameters are understood, but nobody offers them */
    got = got == 555 ? 250 : got;
    (void)is_compared(test, command, &want);
    T_EQ(got, want, TEXT_FMT ": " TEXT_FMT, TEXT_ARG(test), TEXT_ARG(command));
    counts.same += want == wanted_there;
    counts.listed += want != wanted_there;
    smtp_script_fini(&t);
}

static void run_commands(const char *dir, size_t piece)
{
    size_t n;
    char *all = tsv_read(dir, "smtp/commands.tsv", &n);
    struct text rest = {all, n}, line, session = {0};
    struct smtp_script t = {0};
    bool first = true;
    while (text_split(&rest, '\n', &line)) {
        struct text source, test, step, command, expect;
        if (line.n == 0 || !tsv_cell(&line, &source) || !tsv_cell(&line, &test) ||
            !tsv_cell(&line, &step) || !tsv_cell(&line, &command) || !tsv_cell(&line, &expect) ||
            text_eq(source, TEXT("source")))
            continue;
        if (text_eq(expect, TEXT("valid")) || text_eq(expect, TEXT("invalid"))) {
            one_line(test, command, text_eq(expect, TEXT("valid")), piece);
            continue;
        }
        if (first || !text_eq(session, test)) {
            const char *before;
            struct smtp_server_options o = options_of(test, &before);
            if (!first)
                smtp_script_fini(&t);
            smtp_script_init(&t, &o);
            smtp_script_send(&t, text_of(before), 0);
            session = test;
            first = false;
        }
        one_step(&t, test, command, expect, piece);
    }
    if (!first)
        smtp_script_fini(&t);
    free(all);
}

static void print_counts(const char *what)
{
    print_message("%s: %d as the corpus says, %d listed otherwise, %d free\n", what, counts.same,
                  counts.listed, counts.free);
    counts = (struct counts){0};
}

static void test_commands(void **state)
{
    (void)state;
    const char *dir = corpora_dir("SMTP commands");
    if (!dir)
        skip();
    run_commands(dir, 1);
    counts = (struct counts){0};
    run_commands(dir, 0);
    T_TRUE(counts.same > 60, "most are as the corpus says");
    print_counts("commands.tsv");
}

/* "S: 250": the next reply that was not looked at yet, or a later one when commands were pipelined,
 * begins so. */
static bool has_reply(struct text *rest, struct text want)
{
    struct text line;
    while (text_split(rest, '\n', &line))
        if (text_starts(line, want))
            return true;
    return false;
}

static void one_session(const char *dir, const char *file, size_t piece)
{
    size_t n, heard = 0;
    char path[300];
    const char *before;
    struct smtp_script t;
    struct text name = {file, strlen(file) - strlen(".txt")}, line, last = {0};
    snprintf(path, sizeof path, "smtp/go-smtp/%s", file);
    char *all = tsv_read(dir, path, &n);
    struct text rest = {all, n};
    struct smtp_server_options o = options_of(name, &before);
    smtp_script_init(&t, &o);
    smtp_script_send(&t, text_of(before), 0);
    buf_clear(&t.out);
    while (text_split(&rest, '\n', &line)) {
        struct text cell = text_cut(line, 3, SIZE_MAX), bytes = {0};
        if (text_starts(line, TEXT("C: ")) && tsv_cell(&cell, &bytes)) {
            smtp_script_send(&t, bytes, piece);
            last = bytes;
        } else if (text_starts(line, TEXT("S: "))) {
            int code = code_of(cell);
            int want = code;
            char prefix[16];
            if (!is_compared(name, last, &want)) {
                counts.listed++;
                continue;
            }
            snprintf(prefix, sizeof prefix, "%d", want);
            struct text replies = text_cut(buf_text(&t.out), heard, SIZE_MAX);
            T_TRUE(has_reply(&replies, text_of(prefix)), "%s: want %s, got %s", file, prefix,
                   buf_str(&t.out) + heard);
            heard = t.out.len - replies.n;
            counts.same += want == code;
            counts.listed += want != code;
        }
    }
    smtp_script_fini(&t);
    free(all);
}

static void test_sessions(void **state)
{
    (void)state;
    char path[300];
    const char *dir = corpora_dir("SMTP sessions");
    if (!dir)
        skip();
    snprintf(path, sizeof path, "%s/smtp/go-smtp", dir);
    for (size_t piece = 2; piece-- > 0;) {
        DIR *d = opendir(path);
        T_TRUE(d, "%s", path);
        counts = (struct counts){0};
        for (struct dirent *e; (e = readdir(d));)
            if (text_iends(text_of(e->d_name), TEXT(".txt")))
                one_session(dir, e->d_name, piece);
        closedir(d);
        T_TRUE(counts.same >= 15, "most are as the corpus says");
    }
    print_counts("go-smtp");
}

/* A second message hidden behind a sequence must stay content of the first. */
static void one_smuggling(struct text sequence, size_t piece)
{
    struct smtp_script t;
    struct smtp_server_options o = smtp_script_options();
    struct buf sent = {0}, want = {0};
    static const char hidden[] = "MAIL FROM:<admin@example.org>\r\nRCPT TO:<victim@example.org>\r\n"
                                 "DATA\r\nSubject: smuggled\r\n";
    buf_adds(&sent, HELLO "MAIL FROM:<a@x.org>\r\nRCPT TO:<b@y.org>\r\nDATA\r\nfirst");
    buf_add_text(&sent, sequence);
    buf_adds(&sent, hidden);
    buf_adds(&sent, ".\r\n");
    smtp_script_init(&t, &o);
    smtp_script_send(&t, buf_text(&sent), piece);
    T_EQ(t.message_count, 1, "one message");
    T_TRUE(!memmem(t.submitted.data, t.submitted.len, "FROM <admin", 11), "no second envelope");
    buf_adds(&want, "FROM <a@x.org> TO <b@y.org>\nfirst");
    /* after a true CR LF a dot is unstuffed; all else is kept as it came */
    const char *dot = sequence.n ? memmem(sequence.p, sequence.n, "\r\n.", 3) : NULL;
    size_t upto = dot ? (size_t)(dot - sequence.p) + 2 : sequence.n;
    buf_add_text(&want, text_cut(sequence, 0, upto));
    buf_add_text(&want, text_cut(sequence, upto + (dot != NULL), SIZE_MAX));
    buf_adds(&want, hidden);
    T_TRUE(text_eq(buf_text(&t.submitted), buf_text(&want)), "content as it came");
    buf_fini(&sent);
    buf_fini(&want);
    smtp_script_fini(&t);
}

static void test_smuggling(void **state)
{
    (void)state;
    size_t n;
    int count = 0;
    const char *dir = corpora_dir("SMTP smuggling");
    if (!dir)
        skip();
    char *all = tsv_read(dir, "smtp/smuggling-sequences.txt", &n);
    struct text rest = {all, n}, line, sequence;
    while (text_split(&rest, '\n', &line)) {
        if (line.n == 0 || line.p[0] == '#' || !tsv_cell(&line, &sequence))
            continue;
        one_smuggling(sequence, 0);
        one_smuggling(sequence, 1);
        count++;
    }
    free(all);
    T_TRUE(count >= 9, "%d sequences", count);
    print_message("smuggling-sequences.txt: %d, none ends DATA\n", count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_smuggling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
