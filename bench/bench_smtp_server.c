/* What does the SMTP protocol itself cost? Messages a second through the state machine, one
 * recipient and 2 kB each, in memory: a command at a time as most clients do, and pipelined. */
#include "core/proto/smtp_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MESSAGES   100000
#define BODY_BYTES 2048

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long accepted;

static void feed(struct smtp_server *s, struct text bytes, struct buf *out)
{
    static const struct reply yes = {.code = 250, .enhanced = {2, 0, 0}, .text = "Ok"};
    enum smtp_ask ask;
    if (smtp_server_feed(s, bytes.p, bytes.n, NULL) != TIDE_OK)
        exit(1);
    while ((ask = smtp_server_step(s, out)) != SMTP_NEED_INPUT) {
        if (ask == SMTP_ASK_CLOSE)
            exit(1);
        accepted += ask == SMTP_ASK_MESSAGE;
        smtp_server_answer(s, &yes, out);
    }
    buf_clear(out);
}

static double run(const struct text *pieces, size_t count)
{
    struct smtp_server s;
    struct buf out = {0};
    smtp_server_init(&s, &(struct smtp_server_options){.hostname = "mx.example.org",
                                                       .extensions = SMTP_EXT_ALL,
                                                       .message_bytes_max = 1000000,
                                                       .recipients_max = 100});
    smtp_server_greet(&s, NULL, &out);
    feed(&s, TEXT("EHLO bench.example\r\n"), &out);
    accepted = 0;
    double start = now_s();
    for (int i = 0; i < MESSAGES; i++)
        for (size_t k = 0; k < count; k++)
            feed(&s, pieces[k], &out);
    double took = now_s() - start;
    if (accepted != MESSAGES)
        exit(1);
    smtp_server_fini(&s);
    buf_fini(&out);
    return MESSAGES / took;
}

int main(void)
{
    struct buf body = {0}, all = {0};
    struct text pieces[] = {TEXT("MAIL FROM:<news@example.com> SIZE=2048\r\n"),
                            TEXT("RCPT TO:<ann@example.org>\r\n"),
                            TEXT("DATA\r\n"),
                            {0}};
    while (body.len < BODY_BYTES)
        buf_adds(&body, "A line of a message, as long as lines of messages tend to be.\r\n");
    buf_adds(&body, ".\r\n");
    pieces[3] = buf_text(&body);
    for (size_t i = 0; i < 4; i++)
        buf_add_text(&all, pieces[i]);
    struct text whole = buf_text(&all);
    printf("smtp_server_stepwise %.0f messages/s\n", run(pieces, 4));
    printf("smtp_server_pipelined %.0f messages/s\n", run(&whole, 1));
    buf_fini(&body);
    buf_fini(&all);
    return 0;
}
