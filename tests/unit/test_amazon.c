/* What SNS's messages make one ask Amazon for, who is played by a TLS server inside the test. */
#include "io/events/amazon.h"
#include "lib/certificate.h"
#include "lib/check.h"
#include "lib/fake_http.h"

#include <signal.h>

#define ANSWER(status, body) "HTTP/1.1 " status "\r\n\r\n" body
#define URL                  TEXT("https://sns.eu-west-1.amazonaws.com/Simple-1.pem")

static char noted[512], name[] = "ses";
static int notes;

/* Stands in for the desk. */
void news_desk_note(struct news_desk *d, const char *event, struct text sentence)
{
    (void)d;
    notes++;
    snprintf(noted, sizeof noted, "%s: " TEXT_FMT, event, TEXT_ARG(sentence));
}

struct world {
    uv_loop_t loop;
    struct certificate certificate;
    struct fake_http server;
    struct amazon *amazon;
    struct config_account account;
    char base[64], pem[128], error[256];
    int answers;
    bool closed;
};

static void world_open(struct world *w,
                       const struct fake_http_act *script,
                       size_t count,
                       bool trusted)
{
    struct tide_error err;
    *w = (struct world){.server = {.script = script, .script_count = count}};
    T_EQ(uv_loop_init(&w->loop), 0, "loop");
    certificate_make(&w->certificate, "localhost");
    T_OK(tls_server_context_new(w->certificate.cert_file, w->certificate.key_file, &w->server.tls,
                                &err),
         &err, "tls");
    fake_http_open(&w->server, &w->loop);
    snprintf(w->base, sizeof w->base, "https://127.0.0.1:%d", w->server.port);
    const struct webhooks_options options = {.loop = &w->loop};
    w->account = (struct config_account){.name = name,
                                         .events_sns = w->base,
                                         .tls_ca_file = trusted ? w->certificate.cert_file : NULL};
    w->amazon = amazon_new(&options);
    T_TRUE(w->amazon, "memory");
    notes = 0;
}

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

static void world_close(struct world *w)
{
    amazon_close(w->amazon, on_closed, w);
    fake_http_close(&w->server);
    T_EQ(uv_run(&w->loop, UV_RUN_DEFAULT), 0, "handles are left");
    T_TRUE(w->closed, "closed");
    T_EQ(uv_loop_close(&w->loop), 0, "loop");
    fake_http_free(&w->server);
    tls_context_free(w->server.tls);
    certificate_remove(&w->certificate);
}

static void on_certificate(void *arg, struct text pem, const char *error)
{
    struct world *w = arg;
    w->answers++;
    snprintf(w->pem, sizeof w->pem, TEXT_FMT, TEXT_ARG(pem));
    snprintf(w->error, sizeof w->error, "%s", error);
}

static void run_until(struct world *w, const int *what, int count)
{
    while (*what < count)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static void test_certificate(void **state)
{
    (void)state;
    static const struct fake_http_act script[] = {{HTTP_ANSWERS, ANSWER("200 OK", "PEM")},
                                                  {HTTP_ANSWERS, ANSWER("200 OK", "other")}};
    struct world w;
    world_open(&w, script, 2, true);
    amazon_certificate(w.amazon, &w.account, URL, on_certificate, &w);
    T_EQ(w.answers, 0, "never from inside the call");
    run_until(&w, &w.answers, 1);
    T_STR(w.pem, "PEM", "certificate");
    T_TRUE(text_starts(buf_text(&w.server.requests[0]), TEXT("GET /Simple-1.pem HTTP/1.1\r\n")),
           "%s", buf_str(&w.server.requests[0]));
    amazon_certificate(w.amazon, &w.account, URL, on_certificate, &w); /* it is kept */
    T_EQ(w.answers, 2, "at once");
    T_STR(w.pem, "PEM", "certificate");
    T_EQ(w.server.request_count, 1, "requests");
    amazon_certificate(w.amazon, &w.account, TEXT("https://sns.us-east-1.amazonaws.com/2.pem"),
                       on_certificate, &w);
    run_until(&w, &w.answers, 3);
    T_STR(w.pem, "other", "another address");
    world_close(&w);
}

/* A failure is told, and not kept. */
static void test_failures(void **state)
{
    (void)state;
    static const struct fake_http_act script[] = {{HTTP_ANSWERS, ANSWER("404 Not Found", "no")},
                                                  {HTTP_RESETS, NULL},
                                                  {HTTP_ANSWERS, ANSWER("200 OK", "PEM")}};
    struct world w;
    world_open(&w, script, 3, true);
    amazon_certificate(w.amazon, &w.account, URL, on_certificate, &w);
    run_until(&w, &w.answers, 1);
    T_STR(w.pem, "", "404");
    T_STR(w.error, "Amazon answered 404", "404");
    amazon_certificate(w.amazon, &w.account, URL, on_certificate, &w);
    run_until(&w, &w.answers, 2);
    T_TRUE(w.pem[0] == '\0' && w.error[0], "reset");
    amazon_certificate(w.amazon, &w.account, URL, on_certificate, &w);
    run_until(&w, &w.answers, 3);
    T_STR(w.pem, "PEM", "at last");
    world_close(&w);
    world_open(&w, script + 2, 1, false); /* nobody vouches for this server */
    amazon_certificate(w.amazon, &w.account, URL, on_certificate, &w);
    run_until(&w, &w.answers, 1);
    T_TRUE(w.pem[0] == '\0' && w.error[0], "not trusted");
    world_close(&w);
}

static void test_confirmation(void **state)
{
    (void)state;
    static const struct fake_http_act script[] = {{HTTP_ANSWERS, ANSWER("200 OK", "<xml/>")},
                                                  {HTTP_ANSWERS, ANSWER("403 Forbidden", "")}};
    static const struct text url = TEXT(
        "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:t&Token=a");
    struct world w;
    world_open(&w, script, 2, true);
    amazon_confirm(w.amazon, &w.account, url, TEXT("arn:t"));
    run_until(&w, &notes, 1);
    T_TRUE(strstr(noted, "webhook_confirmed: The subscription to arn:t for account ses is"), "%s",
           noted);
    T_TRUE(text_starts(buf_text(&w.server.requests[0]),
                       TEXT("GET /?Action=ConfirmSubscription&TopicArn=arn:t&Token=a HTTP/1.1")),
           "%s", buf_str(&w.server.requests[0]));
    amazon_confirm(w.amazon, &w.account, url, TEXT("arn:t"));
    run_until(&w, &notes, 2);
    T_TRUE(strstr(noted, "could not be confirmed: Amazon answered 403"), "%s", noted);
    world_close(&w);
}

/* Who waits for a certificate hears of the end. */
static void test_closed_meanwhile(void **state)
{
    (void)state;
    static const struct fake_http_act script[] = {{HTTP_HANGS, NULL}};
    struct world w;
    world_open(&w, script, 1, true);
    amazon_certificate(w.amazon, &w.account, URL, on_certificate, &w);
    amazon_confirm(w.amazon, &w.account, URL, TEXT("arn:t"));
    while (w.server.request_count == 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    world_close(&w);
    T_EQ(w.answers, 1, "answers");
    T_STR(w.pem, "", "certificate");
    T_EQ(notes, 0, "notes");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_confirmation),
        cmocka_unit_test(test_closed_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
