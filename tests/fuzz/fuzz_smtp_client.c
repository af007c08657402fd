/* A server that says anything, in any pieces, to a client with two mails: the machine never
 * crashes, always gives every recipient exactly one fate, believes in ACCEPTED only after it has
 * written the final dot, and in the end can be closed.
 *
 * First byte: how the client is set up. Then pieces: a length byte, then that many bytes. */
#include "core/proto/smtp_client.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

struct run {
    struct smtp_client client;
    struct smtp_mail mail;
    struct smtp_rcpt rcpts[2];
    size_t dot_written; /* bytes since DATA was answered */
    int mails;
    bool sent;
};

static void check_fates(const struct run *r)
{
    for (size_t i = 0; i < 2; i++) {
        const struct smtp_result *result = &r->rcpts[i].result;
        must(result->fate != SMTP_PENDING);
        must(result->reply.code != 0 || result->reply.text[0] != 0);
        must(result->fate != SMTP_ACCEPTED || r->dot_written >= 7 + 3);
        must(result->fate != SMTP_UNKNOWN || r->dot_written >= 7 + 3);
        must(result->fate != SMTP_REFUSED || result->reply.code >= 200);
    }
}

static void pump(struct run *r, size_t take)
{
    struct smtp_client *c = &r->client;
    for (struct text t; (t = smtp_client_output(c)).n > 0;) {
        size_t n = t.n < take ? t.n : take;
        if (c->state == SMTP_BODY)
            r->dot_written += n;
        smtp_client_wrote(c, n, 0);
    }
    for (enum smtp_event e; (e = smtp_client_next(c)) != SMTP_EVENT_NONE;) {
        if (e == SMTP_EVENT_DONE) {
            must(r->sent);
            r->sent = false;
            check_fates(r);
        } else if (e == SMTP_EVENT_START_TLS) {
            smtp_client_tls_open(c, 0);
            pump(r, take);
        } else if (e == SMTP_EVENT_READY && r->mails++ < 2) {
            r->sent = true;
            r->dot_written = 0;
            smtp_client_send(c, &r->mail, 0);
            pump(r, take);
        } else if (e == SMTP_EVENT_CLOSE) {
            must(c->state == SMTP_CLOSED && !r->sent);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    static const enum tls_mode tls[] = {TLS_NONE, TLS_OPPORTUNISTIC, TLS_REQUIRED, TLS_NONE};
    const struct smtp_client_config config = {
        .peer = "mx",
        .helo = "me",
        .tls = tls[data[0] & 3],
        .auth = data[0] & 4 ? AUTH_ANY : AUTH_NONE,
        .user = TEXT("user"),
        .password = TEXT("pass"),
        .mails_max = data[0] & 8 ? 1 : 0,
        .command_timeout_ms = 1000,
        .dot_timeout_ms = 1000,
    };
    struct run r = {.rcpts = {{.address = TEXT("a@x")}, {.address = TEXT("b@x")}}};
    r.mail = (struct smtp_mail){.message = TEXT("hello\r\n"), .rcpts = r.rcpts, .rcpt_count = 2};
    smtp_client_init(&r.client, &config, false, 0);
    size_t take = data[0] & 16 ? 1 : 1000;
    pump(&r, take);
    for (size_t at = 1; at < size && r.client.state != SMTP_CLOSED;) {
        size_t n = data[at++];
        n = n < size - at ? n : size - at;
        smtp_client_input(&r.client, (struct text){(const char *)data + at, n}, 0);
        pump(&r, take);
        at += n;
    }
    if (data[0] & 32)
        smtp_client_tick(&r.client, TIDE_NEVER);
    smtp_client_broken(&r.client, "over");
    pump(&r, take);
    must(r.client.state == SMTP_CLOSED && !r.sent);
    smtp_client_fini(&r.client);
    return 0;
}
