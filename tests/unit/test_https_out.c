/* An account that is an API, against a server inside the test that answers, breaks and hangs. */
#include "lib/certificate.h"
#include "lib/check.h"
#include "lib/https_world.h"

#include <signal.h>
#include <stdlib.h>

#define MESSAGE   "From: Ann <ann@shop.test>\r\nTo: bob@client.test\r\nSubject: x\r\n\r\nhello\r\n"
#define RESEND_OK HTTP_ANSWER("200 OK", "", "{\"id\":\"r-1\"}")
#define POSTMARK_HAS(id)                                                                          \
    "{\"TotalCount\":1,\"Messages\":[{\"MessageID\":\"pm-9\",\"Metadata\":{\"mailtide_attempt\":" \
    "\"" id "\"}}]}"
#define SPARKPOST_OK \
    HTTP_ANSWER("200 OK", "", "{\"results\":{\"id\":\"1\",\"total_accepted_recipients\":1}}")
#define SENDGRID_OK HTTP_ANSWER("202 Accepted", "X-Message-Id: sg-1\r\n", "")

/* -- One mail, one script -----------------------------------------------------------------------
 */

static const struct {
    const char *name, *api;
    struct fake_http_act acts[3];
    size_t act_count, requests; /* heads that the server saw */
    enum account_result result;
    enum reply_stage stage;
    int code;
    bool account_fault;
    int64_t wait_ms;
    const char *words;
} cases[] = {
    {"taken",
     "sendgrid",
     {{HTTP_ANSWERS, SENDGRID_OK}},
     1,
     1,
     ACCOUNT_ACCEPTED,
     STAGE_DOT,
     250,
     false,
     0,
     "SendGrid took it: id=sg-1"},
    {"taken after 100",
     "sendgrid",
     {{HTTP_ANSWERS, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nX-Message-Id: "
                     "sg-1\r\nContent-Length: 0\r\n\r\n"}},
     1,
     1,
     ACCOUNT_ACCEPTED,
     STAGE_DOT,
     250,
     false,
     0,
     "id=sg-1"},
    {"refused",
     "sendgrid",
     {{HTTP_ANSWERS,
       HTTP_ANSWER(
           "400 Bad Request",
           "",
           "{\"errors\":[{\"message\":\"Invalid type.\",\"field\":\"subject\",\"help\":null}]}"
           "  ")}},
     1,
     1,
     ACCOUNT_REFUSED,
     STAGE_DOT,
     554,
     false,
     0,
     "SendGrid: HTTP 400 subject: Invalid type."},
    {"wrong key",
     "sendgrid",
     {{HTTP_ANSWERS, HTTP_ANSWER("401 Unauthorized", "", "{}")}},
     1,
     1,
     ACCOUNT_REFUSED,
     STAGE_AUTH,
     535,
     true,
     0,
     "HTTP 401"},
    {"too fast",
     "resend",
     {{HTTP_ANSWERS,
       HTTP_ANSWER("429 Too Many Requests",
                   "Retry-After: 7\r\n",
                   "{\"statusCode\":429,\"name\":\"rate_limit_exceeded\",\"message\":\"x\"}")}},
     1,
     1,
     ACCOUNT_REFUSED,
     STAGE_DOT,
     451,
     true,
     7000,
     "rate_limit_exceeded"},
    {"down",
     "resend",
     {{HTTP_ANSWERS, HTTP_ANSWER("500 Oops", "", "")}},
     1,
     1,
     ACCOUNT_REFUSED,
     STAGE_DOT,
     451,
     true,
     0,
     "HTTP 500"},
    {"moved: the key goes nowhere else",
     "resend",
     {{HTTP_ANSWERS, HTTP_ANSWER("302 Found", "Location: http://127.0.0.1:1/\r\n", "")}},
     1,
     1,
     ACCOUNT_REFUSED,
     STAGE_CONNECT,
     451,
     true,
     0,
     "HTTP 302"},
    {"reset after the request",
     "sparkpost",
     {{HTTP_RESETS, NULL}},
     1,
     1,
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true,
     0,
     ""},
    {"closed without an answer",
     "sparkpost",
     {{HTTP_CLOSES, NULL}},
     1,
     1,
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true,
     0,
     ""},
    {"half an answer, its status said",
     "sendgrid",
     {{HTTP_CLOSES, "HTTP/1.1 202 Accepted\r\nX-Message-Id: sg-2\r\nContent-Length: 99\r\n\r\nx"}},
     1,
     1,
     ACCOUNT_ACCEPTED,
     STAGE_DOT,
     250,
     false,
     0,
     "id=sg-2"},
    {"half a status line",
     "sparkpost",
     {{HTTP_CLOSES, "HTTP/1.1 2"}},
     1,
     1,
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true,
     0,
     ""},
    {"a portal says 200",
     "postmark",
     {{HTTP_ANSWERS, HTTP_ANSWER("200 OK", "Content-Type: text/html\r\n", "Log in")}},
     1,
     2,
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true,
     0,
     "Log in"},
    {"suppressed",
     "postmark",
     {{HTTP_ANSWERS,
       HTTP_ANSWER(
           "422 Unprocessable Entity",
           "",
           "{\"ErrorCode\":406,\"Message\":\"Found inactive addresses: bob@client.test.\"}")}},
     1,
     1,
     ACCOUNT_REFUSED,
     STAGE_RCPT,
     550,
     false,
     0,
     "Postmark: HTTP 422 406: Found inactive addresses: bob@client.test."},

    {"lost, and found by asking",
     "postmark",
     {{HTTP_RESETS, NULL},
      {HTTP_ANSWERS, HTTP_ANSWER("200 OK", "", POSTMARK_HAS("000000000002d"))}},
     2,
     2,
     ACCOUNT_ACCEPTED,
     STAGE_DOT,
     250,
     false,
     0,
     "Postmark took it: id=pm-9"},
    {"a gateway gave up, and it is found the second time",
     "mailgun",
     {{HTTP_ANSWERS, HTTP_ANSWER("504 Gateway Time-out", "", "<html>")},
      {HTTP_ANSWERS, HTTP_ANSWER("200 OK", "", "{\"items\":[]}")},
      {HTTP_ANSWERS, HTTP_ANSWER("200 OK",
                                 "",
                                 "{\"items\":[{\"id\":\"mg-1\",\"user-variables\":{"
                                 "\"mailtide_attempt\":\"000000000002d\"}}]}")}},
     3,
     3,
     ACCOUNT_ACCEPTED,
     STAGE_DOT,
     250,
     false,
     0,
     "id=mg-1"},
    {"lost, and what is found is another mail",
     "postmark",
     {{HTTP_RESETS, NULL},
      {HTTP_ANSWERS, HTTP_ANSWER("200 OK", "", POSTMARK_HAS("000000000002e"))}},
     2,
     5,
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true,
     0,
     ""},
    {"lost, and it may not be asked",
     "sendgrid",
     {{HTTP_RESETS, NULL}, {HTTP_ANSWERS, HTTP_ANSWER("403 Forbidden", "", "{}")}},
     2,
     2,
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true,
     0,
     ""},
    {"lost, and settled by asking again",
     "resend",
     {{HTTP_RESETS, NULL}, {HTTP_ANSWERS, RESEND_OK}},
     2,
     2,
     ACCOUNT_ACCEPTED,
     STAGE_DOT,
     250,
     false,
     0,
     "id=r-1"},
    {"half an answer, settled by asking again",
     "resend",
     {{HTTP_CLOSES, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"id\":\"r"},
      {HTTP_ANSWERS, RESEND_OK}},
     2,
     2,
     ACCOUNT_ACCEPTED,
     STAGE_DOT,
     250,
     false,
     0,
     "id=r-1"},
    {"lost, then a limit, then settled",
     "resend",
     {{HTTP_CLOSES, NULL},
      {HTTP_ANSWERS, HTTP_ANSWER("429 Slow", "", "")},
      {HTTP_ANSWERS, RESEND_OK}},
     3,
     3,
     ACCOUNT_ACCEPTED,
     STAGE_DOT,
     250,
     false,
     0,
     "id=r-1"},
    {"lost, then down for good: still unknown",
     "resend",
     {{HTTP_CLOSES, NULL}, {HTTP_ANSWERS, HTTP_ANSWER("503 Down", "", "")}},
     2,
     5,
     ACCOUNT_UNKNOWN,
     STAGE_DOT,
     0,
     true,
     0,
     "HTTP 503"},
    {"lost, then the mail itself is refused",
     "resend",
     {{HTTP_CLOSES, NULL},
      {HTTP_ANSWERS, HTTP_ANSWER("422 No", "", "{\"name\":\"validation_error\",\"x\":\"y\"}")}},
     2,
     2,
     ACCOUNT_REFUSED,
     STAGE_DOT,
     554,
     false,
     0,
     "validation_error"},
    {"a gateway heard nothing, settled by asking again",
     "brevo",
     {{HTTP_ANSWERS, HTTP_ANSWER("504 Gateway Timeout", "", "")},
      {HTTP_ANSWERS, HTTP_ANSWER("201 Created", "", "{\"messageId\":\"<b1>\"}")}},
     2,
     2,
     ACCOUNT_ACCEPTED,
     STAGE_DOT,
     250,
     false,
     0,
     "id=<b1>"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct https_world w = {0};
        https_world_open(&w, cases[i].api, cases[i].acts, cases[i].act_count);
        struct https_sent *s = https_world_send(&w, MESSAGE);
        https_world_wait(&w);
        T_EQ(s->done, 1, "%s: one outcome", cases[i].name);
        T_EQ(s->outcome.result, cases[i].result, "%s: %s", cases[i].name, s->outcome.reply.text);
        T_EQ(s->outcome.stage, cases[i].stage, "%s: %s", cases[i].name, s->outcome.reply.text);
        T_EQ(s->outcome.reply.code, cases[i].code, "%s: %s", cases[i].name, s->outcome.reply.text);
        T_EQ(s->outcome.account_fault, cases[i].account_fault, "%s", cases[i].name);
        T_EQ(s->outcome.wait_ms, cases[i].wait_ms, "%s", cases[i].name);
        T_TRUE(strstr(s->outcome.reply.text, cases[i].words), "%s: %s", cases[i].name,
               s->outcome.reply.text);
        T_EQ(w.server.heads, cases[i].requests, "%s: requests", cases[i].name);
        https_world_close(&w);
    }
}

/* What its rate headers say comes with the outcome, taken or not. */
static void test_rate_headers(void **state)
{
    static const struct fake_http_act acts[] = {
        {HTTP_ANSWERS,
         HTTP_ANSWER("200 OK",
                     "ratelimit-limit: 5\r\nratelimit-remaining: 4\r\nratelimit-reset: 1\r\n",
                     "{\"id\":\"r-1\"}")},
        {HTTP_ANSWERS,
         HTTP_ANSWER("429 Too Many Requests",
                     "ratelimit-limit: 5\r\nratelimit-remaining: 0\r\nratelimit-reset: 1\r\n"
                     "Retry-After: 1\r\n",
                     "{\"message\":\"slow down\"}")},
        {HTTP_ANSWERS, RESEND_OK},
    };
    static const struct account_quota want[] = {
        {true, 5, 4, TIME_SECOND_MS, TIME_SECOND_MS}, {true, 5, 0, TIME_SECOND_MS, 0}, {0}};
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(acts); i++) {
        struct https_world w = {0};
        https_world_open(&w, "resend", &acts[i], 1);
        struct https_sent *s = https_world_send(&w, MESSAGE);
        https_world_wait(&w);
        const struct account_quota *got = &s->outcome.quota;
        T_EQ(got->said, want[i].said, "%zu: said", i);
        if (want[i].said) {
            T_EQ(got->limit, want[i].limit, "%zu: limit", i);
            T_EQ(got->remaining, want[i].remaining, "%zu: remaining", i);
            T_EQ(got->reset_ms, want[i].reset_ms, "%zu: reset", i);
            T_EQ(got->window_ms, want[i].window_ms, "%zu: window", i);
        }
        https_world_close(&w);
    }
}

/* A repetition is the same, byte by byte: else it would be another mail. */
static void test_repeated_as_it_was(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_RESETS, NULL}, {HTTP_ANSWERS, RESEND_OK}};
    struct https_world w = {0};
    (void)state;
    https_world_open(&w, "resend", acts, 2);
    https_world_send(&w, MESSAGE);
    https_world_wait(&w);
    struct text first = fake_http_body(&w.server, 0), second = fake_http_body(&w.server, 1);
    T_TRUE(text_eq(first, second), "body");
    T_TEXT(fake_http_header(&w.server, 0, "Idempotency-Key"), "mailtide-000000000002d", "key");
    T_TEXT(fake_http_header(&w.server, 1, "Idempotency-Key"), "mailtide-000000000002d", "key");
    T_TEXT(fake_http_header(&w.server, 0, "Authorization"), "Bearer KEY", "key");
    T_TRUE(!fake_http_header(&w.server, 0, "Expect").p, "no Expect");
    https_world_close(&w);
}

/* libcurl repeats by itself what met a dying kept connection: that would be a second mail. */
static void test_kept_connection_dies(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_ANSWERS, SPARKPOST_OK}, {HTTP_CLOSES, NULL}};
    struct https_world w = {0};
    (void)state;
    https_world_open(&w, "sparkpost", acts, 2);
    struct https_sent *a = https_world_send(&w, MESSAGE);
    https_world_wait(&w);
    struct https_sent *b = https_world_send(&w, MESSAGE);
    https_world_wait(&w);
    T_EQ(a->outcome.result, ACCOUNT_ACCEPTED, "first");
    T_EQ(b->outcome.result, ACCOUNT_UNKNOWN, "second: %s", b->outcome.reply.text);
    T_EQ(w.server.heads, 2, "sent once each");
    T_EQ(w.server.request_count, 2, "and nothing more on another connection");
    https_world_close(&w);
}

static void test_room_and_places(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_ANSWERS, SENDGRID_OK}};
    struct https_world w = {0};
    (void)state;
    https_world_open(&w, "sendgrid", acts, 1);
    T_EQ(account_room(w.account), 2, "empty");
    for (int i = 0; i < 8; i++)
        https_world_send(&w, MESSAGE);
    T_EQ(account_room(w.account), 0, "full");
    https_world_wait(&w);
    for (int i = 0; i < w.count; i++)
        T_EQ(w.mails[i].outcome.result, ACCOUNT_ACCEPTED, "mail %d", i);
    T_EQ(account_room(w.account), 2, "empty again");
    T_TRUE(w.server.connections <= 2, "%d connections", w.server.connections);
    https_world_close(&w);
}

/* While a lost mail waits to be asked for, the next leaves; when that is lost too, no more do. */
static void test_lost_gives_its_place(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_RESETS, NULL}};
    struct https_world w = {.config = {.connections = 1}};
    (void)state;
    https_world_open(&w, "postmark", acts, 1);
    https_out_set_again_ms(w.account, 1000);
    struct https_sent *a = https_world_send(&w, MESSAGE), *b = https_world_send(&w, MESSAGE),
                      *c = https_world_send(&w, MESSAGE);
    while (w.server.request_count < 3)
        uv_run(&w.loop, UV_RUN_ONCE);
    for (size_t i = 0; i < 3; i++)
        T_TRUE(text_starts(buf_text(&w.server.requests[i]), i < 2 ? TEXT("POST ") : TEXT("GET ")),
               "request %zu: two mails, then the first is asked for", i);
    https_world_close(&w);
    T_EQ(a->outcome.result, ACCOUNT_UNKNOWN, "%s", a->outcome.reply.text);
    T_EQ(b->outcome.result, ACCOUNT_UNKNOWN, "%s", b->outcome.reply.text);
    T_EQ(c->outcome.result, ACCOUNT_NOT_SENT, "%s", c->outcome.reply.text);
}

/* Among others to the same recipient, all with the metadata of their applications. */
static void test_found_among_many(void **state)
{
    struct buf answer = {0};
    (void)state;
    buf_adds(&answer, "HTTP/1.1 200 OK\r\n\r\n{\"items\":[");
    for (int i = 0; i < 24; i++)
        buf_addf(&answer, "{\"id\":\"other\",\"user-variables\":{\"k\":\"%04000d\"}},", i);
    buf_adds(&answer, "{\"id\":\"mg-1\",\"user-variables\":{\"mailtide_attempt\":"
                      "\"000000000002d\"}}]}");
    const struct fake_http_act acts[] = {{HTTP_RESETS, NULL}, {HTTP_ANSWERS, buf_str(&answer)}};
    struct https_world w = {0};
    https_world_open(&w, "mailgun", acts, 2);
    struct https_sent *s = https_world_send(&w, MESSAGE);
    https_world_wait(&w);
    T_EQ(s->outcome.result, ACCOUNT_ACCEPTED, "%s", s->outcome.reply.text);
    T_TRUE(strstr(s->outcome.reply.text, "id=mg-1"), "%s", s->outcome.reply.text);
    https_world_close(&w);
    buf_fini(&answer);
}

/* A message larger than the sockets' buffers, built on the pool; the other side stops reading. */
static char *large_message(void)
{
    struct buf b = {0};
    buf_adds(&b, "From: a@shop.test\r\nSubject: large\r\n\r\n");
    while (b.len < 20000000)
        buf_adds(&b, "0123456789012345678901234567890123456789012345678901234567890123\r\n");
    return buf_take(&b);
}

static const struct {
    const char *name;
    struct fake_http_act act;
    enum account_result result;
} large[] = {
    {"stops reading", {HTTP_STOPS_BODY, NULL}, ACCOUNT_NOT_SENT},
    {"cut", {HTTP_CUTS_BODY, NULL}, ACCOUNT_NOT_SENT},
    {"taken", {HTTP_ANSWERS, SENDGRID_OK}, ACCOUNT_ACCEPTED},
};

static void test_large(void **state)
{
    char *message = large_message();
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(large); i++) {
        struct https_world w = {.config = {.connect_timeout_ms = 200, .command_timeout_ms = 300}};
        if (large[i].result == ACCOUNT_ACCEPTED)
            w.config.command_timeout_ms = 60000;
        https_world_open(&w, "sendgrid", &large[i].act, 1);
        struct https_sent *s = https_world_send(&w, message);
        https_world_wait(&w);
        T_EQ(s->outcome.result, large[i].result, "%s: %s", large[i].name, s->outcome.reply.text);
        if (large[i].result == ACCOUNT_NOT_SENT)
            T_EQ(s->outcome.stage, STAGE_DATA, "%s", large[i].name);
        https_world_close(&w);
    }
    free(message);
}

static void test_nobody_listens(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_ANSWERS, SENDGRID_OK}};
    static const char *const bases[] = {"http://127.0.0.1:1", "http://no-such-host.invalid:80",
                                        "http://localhost:1"};
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(bases); i++) {
        struct https_world w = {.config = {.base_url = (char *)(uintptr_t)bases[i]}};
        https_world_open(&w, "sendgrid", acts, 1);
        struct https_sent *s = https_world_send(&w, MESSAGE);
        https_world_wait(&w);
        T_EQ(s->outcome.result, ACCOUNT_NOT_SENT, "%s", bases[i]);
        T_EQ(s->outcome.stage, STAGE_CONNECT, "%s", bases[i]);
        T_TRUE(s->outcome.account_fault, "%s", bases[i]);
        T_TRUE(strstr(s->outcome.reply.text, bases[i]), "%s", s->outcome.reply.text);
        https_world_close(&w);
    }
}

static void test_no_answer_in_time(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_HANGS, NULL}};
    struct https_world w = {.config = {.connect_timeout_ms = 100, .command_timeout_ms = 100}};
    (void)state;
    https_world_open(&w, "sendgrid", acts, 1);
    struct https_sent *s = https_world_send(&w, MESSAGE);
    https_world_wait(&w);
    T_EQ(s->outcome.result, ACCOUNT_UNKNOWN, "%s", s->outcome.reply.text);
    https_world_close(&w);
}

static void test_tls(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_ANSWERS, SENDGRID_OK}};
    struct certificate cert;
    struct tide_error err;
    (void)state;
    certificate_make(&cert, "localhost");
    for (int trusted = 0; trusted < 2; trusted++) {
        struct https_world w = {
            .config = {.tls_verify = true, .tls_ca_file = trusted ? cert.cert_file : NULL}};
        T_OK(tls_server_context_new(cert.cert_file, cert.key_file, &w.server.tls, &err), &err,
             "certificate");
        https_world_open(&w, "sendgrid", acts, 1);
        struct https_sent *s = https_world_send(&w, MESSAGE);
        https_world_wait(&w);
        T_EQ(s->outcome.result, trusted ? ACCOUNT_ACCEPTED : ACCOUNT_NOT_SENT, "%s",
             s->outcome.reply.text);
        T_EQ(w.server.heads, trusted, "the key is not told to who is not trusted");
        https_world_close(&w);
        tls_context_free(w.server.tls);
    }
    certificate_remove(&cert);
}

/* What waits comes back; what may be taken already is waited for. */
static void test_closed_meanwhile(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_ANSWERS, SENDGRID_OK}};
    struct https_world w = {.config = {.connections = 1}};
    (void)state;
    https_world_open(&w, "sendgrid", acts, 1);
    struct https_sent *a = https_world_send(&w, MESSAGE), *b = https_world_send(&w, MESSAGE);
    while (w.server.heads == 0 && w.done == 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    https_world_close(&w);
    T_EQ(a->outcome.result, ACCOUNT_ACCEPTED, "%s", a->outcome.reply.text);
    T_TRUE(b->outcome.result == ACCOUNT_NOT_SENT || b->outcome.result == ACCOUNT_ACCEPTED, "%s",
           b->outcome.reply.text);
    T_EQ(w.server.heads, b->outcome.result == ACCOUNT_ACCEPTED ? 2 : 1, "as the outcomes say");
}

static void test_unfit(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_ANSWERS, SENDGRID_OK}};
    struct https_world w = {0};
    (void)state;
    https_world_open(&w, "sendgrid", acts, 1);
    struct https_sent *s = https_world_send(&w, "From: a@b.test\r\nContent-Type: multipart/signed; "
                                                "boundary=x\r\n\r\n--x\r\n\r\ny\r\n--x--\r\n");
    https_world_wait(&w);
    T_EQ(s->outcome.result, ACCOUNT_REFUSED, "%s", s->outcome.reply.text);
    T_EQ(s->outcome.reply.code, 554, "%s", s->outcome.reply.text);
    T_STR(s->outcome.reply.text,
          "the API of SendGrid cannot carry this mail: it is signed and would not be the same mail "
          "any more",
          "words");
    https_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_rate_headers),
        cmocka_unit_test(test_repeated_as_it_was),
        cmocka_unit_test(test_kept_connection_dies),
        cmocka_unit_test(test_room_and_places),
        cmocka_unit_test(test_lost_gives_its_place),
        cmocka_unit_test(test_found_among_many),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_no_answer_in_time),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_closed_meanwhile),
        cmocka_unit_test(test_unfit),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
