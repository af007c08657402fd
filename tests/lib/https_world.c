#include "lib/https_world.h"

#include "lib/check.h"

static void on_done(struct account_mail *mail, const struct account_outcome *outcome)
{
    struct https_sent *s = mail->arg;
    T_TRUE(!s->world->in_send, "a callback from inside account_send()");
    s->outcome = *outcome;
    s->done++;
    s->world->done++;
    uv_stop(&s->world->loop); /* it may come before the loop waits for what never comes */
}

static void on_closed(void *arg)
{
    ((struct https_world *)arg)->closed = true;
}

static char *lent(const char *s)
{
    return (char *)(uintptr_t)s;
}

void https_world_open(struct https_world *w,
                      const char *api,
                      const struct fake_http_act *script,
                      size_t count)
{
    struct tide_error err;
    T_EQ(uv_loop_init(&w->loop), 0, "loop");
    w->server.script = script;
    w->server.script_count = count;
    fake_http_open(&w->server, &w->loop);
    struct config_account *c = &w->config;
    if (!c->base_url) {
        snprintf(w->base, sizeof w->base, "%s://127.0.0.1:%d", w->server.tls ? "https" : "http",
                 w->server.port);
        c->base_url = w->base;
    }
    c->name = lent("test");
    c->type = ACCOUNT_HTTPS;
    c->api = lent(api);
    c->key.value = lent("KEY");
    c->connections = c->connections ? c->connections : 2;
    c->connect_timeout_ms = c->connect_timeout_ms ? c->connect_timeout_ms : 5000;
    c->command_timeout_ms = c->command_timeout_ms ? c->command_timeout_ms : 5000;
    clock_init_real(&w->clock);
    T_OK(account_open(&w->loop, c, &w->clock, &w->account, &err), &err, "open");
    https_out_set_again_ms(w->account, 1);
}

struct https_sent *https_world_send(struct https_world *w, const char *message)
{
    struct https_sent *s = &w->mails[w->count];
    s->world = w;
    s->mail = (struct account_mail){.attempt_id = 77 + w->count++,
                                    .sender = TEXT("ann@shop.test"),
                                    .recipient = TEXT("bob@client.test"),
                                    .message = text_of(message),
                                    .done = on_done,
                                    .arg = s};
    w->in_send = true;
    account_send(w->account, &s->mail);
    w->in_send = false;
    return s;
}

void https_world_wait(struct https_world *w)
{
    while (w->done < w->count)
        T_TRUE(uv_run(&w->loop, UV_RUN_ONCE) != 0 || w->done == w->count, "nothing happens");
    uv_run(&w->loop, UV_RUN_NOWAIT); /* takes the stop */
}

void https_world_close(struct https_world *w)
{
    account_close(w->account, on_closed, w);
    while (!w->closed)
        uv_run(&w->loop, UV_RUN_ONCE);
    T_EQ(w->done, w->count, "every mail has its outcome");
    for (int i = 0; i < w->count; i++)
        T_EQ(w->mails[i].done, 1, "mail %d: one outcome", i);
    fake_http_close(&w->server);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    T_EQ(uv_loop_close(&w->loop), 0, "all handles are closed");
    fake_http_free(&w->server);
}
