/* Several mails at once through an account that is an API, against a server inside the test: what
 * leaves together, and what becomes of each mail. */
#include "lib/check.h"
#include "lib/https_world.h"

#include <signal.h>
#include <stdlib.h>

#define HEAD    "From: Ann <ann@shop.test>\r\nSubject: x\r\n"
#define MESSAGE HEAD "\r\nhello\r\n"
#define WITH_FILE                                                                    \
    HEAD "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\nhi\r\n--m\r\n" \
         "Content-Type: text/csv\r\nContent-Disposition: attachment; "               \
         "filename=a.csv\r\n\r\n1\r\n--m--\r\n"
#define SIGNED HEAD "Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\ny\r\n--x--\r\n"
#define P_HAS(id, attempt)                            \
    HTTP_ANSWER("200 OK", "",                         \
                "{\"Messages\":[{\"MessageID\":\"" id \
                "\",\"Metadata\":{\"mailtide_attempt\":\"" attempt "\"}}]}")
#define P(id)    "{\"ErrorCode\":0,\"MessageID\":\"" id "\"}"
#define INACTIVE "{\"ErrorCode\":406,\"Message\":\"inactive\"}"
#define P_ONE    HTTP_ANSWER("200 OK", "", P("one"))
#define P_TWO    HTTP_ANSWER("200 OK", "", "[" P("a") "," P("b") "]")
#define P_THREE  HTTP_ANSWER("200 OK", "", "[" P("a") "," P("b") "," P("c") "]")
#define R_ONE    HTTP_ANSWER("200 OK", "", "{\"id\":\"one\"}")
#define R_TWO    HTTP_ANSWER("200 OK", "", "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}")
#define R_THREE \
    HTTP_ANSWER("200 OK", "", "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}")
#define REQUESTS_MAX 5
#define BATCH_MAX    50

/* How many mails the i-th request brought; 0: one, not as a batch. */
static size_t batch_size(const struct https_world *w, size_t i)
{
    struct text rest = fake_http_body(&w->server, i);
    size_t n = 0;
    if (rest.n == 0 || rest.p[0] != '[')
        return 0;
    for (size_t at; (at = text_ifind(rest, TEXT("mailtide_attempt"))) < rest.n; n++)
        rest = text_cut(rest, at + 1, SIZE_MAX);
    return n;
}

/* -- Three mails, one script --------------------------------------------------------------------
 */

static const struct {
    const char *name, *api;
    int batch_max; /* 0: BATCH_MAX */
    const char *messages[3];
    struct fake_http_act acts[5];
    size_t act_count, sizes[REQUESTS_MAX], requests; /* of each request: batch_size() */
    enum account_result results[3];
    const char *words[3];
} cases[] = {
    {"all taken",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, P_THREE}},
     1,
     {3},
     1,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=a", "id=b", "id=c"}},
    {"one refused",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, HTTP_ANSWER("200 OK", "", "[" P("a") "," INACTIVE "," P("c") "]")}},
     1,
     {3},
     1,
     {ACCOUNT_ACCEPTED, ACCOUNT_REFUSED, ACCOUNT_ACCEPTED},
     {"id=a", "406: inactive", "id=c"}},
    {"turned off",
     "postmark",
     1,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, P_ONE}},
     1,
     {0, 0, 0},
     3,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=one", "id=one", "id=one"}},
    {"two at most",
     "postmark",
     2,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, P_TWO}, {HTTP_ANSWERS, P_ONE}},
     2,
     {2, 0},
     2,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=a", "id=b", "id=one"}},
    {"an API without such a call",
     "sendgrid",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, HTTP_ANSWER("202 Accepted", "X-Message-Id: sg\r\n", "")}},
     1,
     {0, 0, 0},
     3,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=sg", "id=sg", "id=sg"}},
    {"one that the API cannot carry",
     "postmark",
     0,
     {MESSAGE, SIGNED, MESSAGE},
     {{HTTP_ANSWERS, P_TWO}},
     1,
     {2},
     1,
     {ACCOUNT_ACCEPTED, ACCOUNT_REFUSED, ACCOUNT_ACCEPTED},
     {"id=a", "it is signed", "id=b"}},
    {"an attachment goes alone",
     "resend",
     0,
     {MESSAGE, WITH_FILE, MESSAGE},
     {{HTTP_ANSWERS, R_TWO}, {HTTP_ANSWERS, R_ONE}},
     2,
     {2, 0},
     2,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=a", "id=one", "id=b"}},
    {"the first has the attachment",
     "resend",
     0,
     {WITH_FILE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, R_ONE}, {HTTP_ANSWERS, R_TWO}},
     2,
     {0, 2},
     2,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=one", "id=a", "id=b"}},
    {"a short answer",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, P_TWO}},
     1,
     {3, 0},
     2,
     {ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN},
     {"may be taken", "", ""}},
    {"half an answer",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_CLOSES, "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n[" P("a") ",{"}},
     1,
     {3},
     5,
     {ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN},
     {"may be taken", "", ""}},
    {"no answer",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_RESETS, NULL}},
     1,
     {3},
     5,
     {ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN},
     {"", "", ""}},
    {"no answer, and each is asked for: the second is found later",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_CLOSES, NULL},
      {HTTP_ANSWERS, P_HAS("a", "000000000002d")},
      {HTTP_ANSWERS, HTTP_ANSWER("200 OK", "", "{\"TotalCount\":0,\"Messages\":[]}")},
      {HTTP_ANSWERS, P_HAS("c", "000000000002f")},
      {HTTP_ANSWERS, P_HAS("b", "000000000002e")}},
     5,
     {3},
     5,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=a", "id=b", "id=c"}},
    {"down, it says itself: none was taken",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS,
       HTTP_ANSWER("500 Oops", "", "{\"ErrorCode\":100,\"Message\":\"Maintenance\"}")}},
     1,
     {3},
     1,
     {ACCOUNT_REFUSED, ACCOUNT_REFUSED, ACCOUNT_REFUSED},
     {"Maintenance", "", ""}},
    {"broke down half-way",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, HTTP_ANSWER("500 Oops", "", "")}},
     1,
     {3},
     5,
     {ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN},
     {"HTTP 500", "", ""}},
    {"too fast: none was taken, none is sent again here",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, HTTP_ANSWER("429 Slow", "Retry-After: 7\r\n", "")}},
     1,
     {3},
     1,
     {ACCOUNT_REFUSED, ACCOUNT_REFUSED, ACCOUNT_REFUSED},
     {"HTTP 429", "HTTP 429", "HTTP 429"}},
    {"refused as a whole: each has its own fate",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, HTTP_ANSWER("422 No", "", "{\"ErrorCode\":300,\"Message\":\"bad\"}")},
      {HTTP_ANSWERS, P_ONE},
      {HTTP_ANSWERS, HTTP_ANSWER("422 No", "", "{\"ErrorCode\":300,\"Message\":\"bad\"}")},
      {HTTP_ANSWERS, P_ONE}},
     4,
     {3, 0, 0, 0},
     4,
     {ACCOUNT_ACCEPTED, ACCOUNT_REFUSED, ACCOUNT_ACCEPTED},
     {"id=one", "bad", "id=one"}},
    {"no such call",
     "postmark",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, HTTP_ANSWER("404 Not Found", "", "")}, {HTTP_ANSWERS, P_ONE}},
     2,
     {3, 0, 0, 0},
     4,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=one", "id=one", "id=one"}},
    {"lost, settled by the key",
     "resend",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_RESETS, NULL}, {HTTP_ANSWERS, R_THREE}},
     2,
     {3, 3},
     2,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=a", "id=b", "id=c"}},
    {"broke down, then too fast, then settled with one refused",
     "resend",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_ANSWERS, HTTP_ANSWER("500 Oops", "", "")},
      {HTTP_ANSWERS, HTTP_ANSWER("429 Slow", "", "")},
      {HTTP_ANSWERS, HTTP_ANSWER("200 OK",
                                 "",
                                 "{\"data\":[{\"id\":\"a\"},{\"id\":\"c\"}],\"errors\":[{"
                                 "\"index\":1,\"message\":\"no\"}]}")}},
     3,
     {3, 3, 3},
     3,
     {ACCOUNT_ACCEPTED, ACCOUNT_REFUSED, ACCOUNT_ACCEPTED},
     {"id=a", "Resend: no", "id=c"}},
    {"lost, then down for good",
     "resend",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_CLOSES, NULL}, {HTTP_ANSWERS, HTTP_ANSWER("503 Down", "", "")}},
     2,
     {3, 3, 3, 3, 3},
     5,
     {ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN},
     {"HTTP 503", "HTTP 503", "HTTP 503"}},
    {"lost, then refused as a whole: it was not taken",
     "resend",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_CLOSES, NULL}, {HTTP_ANSWERS, HTTP_ANSWER("422 No", "", "")}, {HTTP_ANSWERS, R_ONE}},
     3,
     {3, 3, 0, 0, 0},
     5,
     {ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED, ACCOUNT_ACCEPTED},
     {"id=one", "id=one", "id=one"}},
    {"lost, then not found: may have been taken",
     "resend",
     0,
     {MESSAGE, MESSAGE, MESSAGE},
     {{HTTP_CLOSES, NULL}, {HTTP_ANSWERS, HTTP_ANSWER("404 No", "", "")}},
     2,
     {3, 3, 3, 3, 3},
     5,
     {ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN},
     {"HTTP 404", "", ""}},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        int batch_max = cases[i].batch_max ? cases[i].batch_max : BATCH_MAX;
        struct https_world w = {.config = {.connections = 1, .batch_max = batch_max}};
        const char *name = cases[i].name;
        https_world_open(&w, cases[i].api, cases[i].acts, cases[i].act_count);
        for (int k = 0; k < 3; k++)
            https_world_send(&w, cases[i].messages[k]);
        https_world_wait(&w);
        for (int k = 0; k < 3; k++) {
            const struct account_outcome *o = &w.mails[k].outcome;
            T_EQ(o->result, cases[i].results[k], "%s: mail %d: %s", name, k, o->reply.text);
            T_TRUE(strstr(o->reply.text, cases[i].words[k]), "%s: mail %d: %s", name, k,
                   o->reply.text);
        }
        T_EQ(w.server.request_count, cases[i].requests, "%s: requests", name);
        for (size_t k = 0; k < cases[i].requests; k++)
            T_EQ(batch_size(&w, k), cases[i].sizes[k], "%s: request %zu", name, k);
        https_world_close(&w);
    }
}

/* -- What leaves when ---------------------------------------------------------------------------
 */

/* A free connection takes what is there; what comes while it is busy leaves together. Room counts
 * mails. */
static void test_gathers(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_ANSWERS, P_ONE}, {HTTP_ANSWERS, P_THREE}};
    struct https_world w = {.config = {.connections = 1, .batch_max = 3}};
    (void)state;
    https_world_open(&w, "postmark", acts, 2);
    T_EQ(account_room(w.account), 3, "empty");
    https_world_send(&w, MESSAGE);
    T_EQ(account_room(w.account), 2, "one waits");
    while (w.server.heads == 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    for (int i = 0; i < 3; i++)
        https_world_send(&w, MESSAGE);
    T_EQ(account_room(w.account), 0, "busy, and three wait");
    https_world_wait(&w);
    T_EQ(w.server.request_count, 2, "requests");
    T_EQ(batch_size(&w, 0), 0, "the first went by itself");
    T_EQ(batch_size(&w, 1), 3, "the others together");
    T_EQ(account_room(w.account), 3, "empty again");
    https_world_close(&w);
}

/* A repetition stands for that very set, byte for byte; what came meanwhile does not join it. */
static void test_set_stays_together(void **state)
{
    static const struct fake_http_act acts[] = {
        {HTTP_RESETS, NULL}, {HTTP_ANSWERS, R_TWO}, {HTTP_ANSWERS, R_ONE}};
    struct https_world w = {.config = {.connections = 1, .batch_max = BATCH_MAX}};
    (void)state;
    https_world_open(&w, "resend", acts, 3);
    https_world_send(&w, MESSAGE);
    https_world_send(&w, MESSAGE);
    while (w.server.heads == 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    https_world_send(&w, MESSAGE);
    https_world_wait(&w);
    T_EQ(w.server.request_count, 3, "requests");
    T_TRUE(text_eq(fake_http_body(&w.server, 0), fake_http_body(&w.server, 1)), "the same body");
    for (size_t i = 0; i < 2; i++) {
        T_TEXT(fake_http_header(&w.server, i, "Idempotency-Key"), "mailtide-batch-000000000002d-2",
               "the same key");
        T_TEXT(fake_http_header(&w.server, i, "x-batch-validation"), "permissive", "partly");
    }
    T_TEXT(fake_http_header(&w.server, 2, "Idempotency-Key"), "mailtide-000000000002f", "its own");
    for (int i = 0; i < 3; i++)
        T_EQ(w.mails[i].outcome.result, ACCOUNT_ACCEPTED, "%d: %s", i,
             w.mails[i].outcome.reply.text);
    https_world_close(&w);
}

/* Large messages: built on the pool, and no request larger than its bound. */
static void test_bounded(void **state)
{
    static const struct fake_http_act acts[] = {{HTTP_ANSWERS, P_TWO}};
    struct https_world w = {.config = {.connections = 2, .batch_max = BATCH_MAX}};
    struct buf b = {0};
    (void)state;
    buf_adds(&b, MESSAGE);
    while (b.len < 2000000)
        buf_adds(&b, "0123456789012345678901234567890123456789012345678901234567890123\r\n");
    https_world_open(&w, "postmark", acts, 1);
    for (int i = 0; i < 6; i++)
        https_world_send(&w, buf_str(&b));
    https_world_wait(&w);
    T_EQ(w.server.request_count, 3, "requests");
    for (size_t i = 0; i < 3; i++)
        T_EQ(batch_size(&w, i), 2, "4 MB of messages in one request");
    for (int i = 0; i < 6; i++)
        T_EQ(w.mails[i].outcome.result, ACCOUNT_ACCEPTED, "%d: %s", i,
             w.mails[i].outcome.reply.text);
    https_world_close(&w);
    buf_fini(&b);
}

/* Closed while a batch is under way, another is taken apart and others wait: each ends once. */
static void test_closed_meanwhile(void **state)
{
    static const struct fake_http_act acts[] = {
        {HTTP_ANSWERS, HTTP_ANSWER("422 No", "", "")}, {HTTP_ANSWERS, P_ONE}, {HTTP_HANGS, NULL}};
    struct https_world w = {
        .config = {.connections = 1, .batch_max = 4, .command_timeout_ms = 300}};
    int accepted = 0, unknown = 0, not_sent = 0;
    (void)state;
    https_world_open(&w, "postmark", acts, 3);
    for (int i = 0; i < 8; i++)
        https_world_send(&w, MESSAGE);
    while (w.server.request_count < 3)
        uv_run(&w.loop, UV_RUN_ONCE);
    https_world_close(&w);
    for (int i = 0; i < 8; i++) {
        accepted += w.mails[i].outcome.result == ACCOUNT_ACCEPTED;
        unknown += w.mails[i].outcome.result == ACCOUNT_UNKNOWN;
        not_sent += w.mails[i].outcome.result == ACCOUNT_NOT_SENT;
    }
    T_EQ(accepted, 1, "of the batch that was taken apart");
    T_EQ(unknown, 1, "the one that hung");
    T_EQ(not_sent, 6, "the rest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_gathers),
        cmocka_unit_test(test_set_stays_together),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_closed_meanwhile),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
