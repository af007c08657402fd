#include "api_load.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

/* -- The server -------------------------------------------------------------------------------- */

struct late {
    uv_timer_t timer;
    struct api_load *load;
    struct http_request *req;
};

static void on_timer_closed(uv_handle_t *h)
{
    free(container_of((uv_timer_t *)(void *)h, struct late, timer));
}

static void on_late(uv_timer_t *t)
{
    struct late *late = container_of(t, struct late, timer);
    late->load->answer(late->req);
    uv_close((uv_handle_t *)t, on_timer_closed);
}

void api_load_on_request(void *arg, struct http_request *req)
{
    struct api_load *l = arg;
    struct late *late = l->late_ms > 0 ? malloc(sizeof *late) : NULL;
    l->requests++;
    if (!late) {
        l->answer(req);
        return;
    }
    late->load = l;
    late->req = req;
    uv_timer_init(l->loop, &late->timer);
    uv_timer_start(&late->timer, on_late, (uint64_t)l->late_ms, 0);
}

/* -- Mails ------------------------------------------------------------------------------------- */

static char message[1400];

static void send_next(struct api_load *l, struct account_mail *mail);

static void on_done(struct account_mail *mail, const struct account_outcome *outcome)
{
    struct api_load *l = mail->arg;
    l->running--;
    if (outcome->result != ACCOUNT_ACCEPTED && l->failed++ == 0)
        fprintf(stderr, "%s\n", outcome->reply.text);
    send_next(l, mail);
    uv_stop(l->loop); /* it may have been the last: then nothing else would end the wait */
}

static void send_next(struct api_load *l, struct account_mail *mail)
{
    if (l->left == 0) {
        free(mail);
        return;
    }
    l->left--;
    l->running++;
    *mail = (struct account_mail){.attempt_id = l->left + 1,
                                  .sender = TEXT("a@shop.test"),
                                  .recipient = TEXT("b@client.test"),
                                  .message = text_of(message),
                                  .done = on_done,
                                  .arg = l};
    account_send(l->account, mail);
}

static void on_closed(void *arg)
{
    struct api_load *l = arg;
    l->closed = true;
    uv_stop(l->loop);
}

static void wait_closed(struct api_load *l)
{
    while (!l->closed)
        uv_run(l->loop, UV_RUN_ONCE);
    l->closed = false;
}

double api_load_run(struct api_load *l, const struct config_account *config, int inside)
{
    struct tide_error err = {0};
    struct clock clock;
    clock_init_real(&clock);
    snprintf(message, sizeof message,
             "From: a@shop.test\r\nTo: b@client.test\r\nSubject: bench\r\n\r\n%01000d\r\n", 7);
    if (account_open(l->loop, config, &clock, &l->account, &err) != TIDE_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 0;
    }
    uint64_t began = uv_hrtime();
    for (int i = 0; i < inside; i++)
        send_next(l, calloc(1, sizeof(struct account_mail)));
    while (l->running > 0)
        uv_run(l->loop, UV_RUN_ONCE);
    double seconds = (double)(uv_hrtime() - began) / 1e9;
    account_close(l->account, on_closed, l);
    wait_closed(l);
    return seconds;
}

void api_load_close(struct api_load *l, struct http *http)
{
    http_close(http, on_closed, l);
    wait_closed(l);
}
