/* https_world.h - an account that is an API, before a server that plays a script, on a loop of
 * their own.
 *
 * Lifetime  fill in `config` and `server.tls` as wanted, https_world_open() to https_world_close(),
 *           which checks that every mail has had one outcome.
 */
#ifndef TESTS_LIB_HTTPS_WORLD_H
#define TESTS_LIB_HTTPS_WORLD_H

#include "io/release/https_out.h"
#include "lib/fake_http.h"

#define HTTPS_WORLD_MAILS                  32
#define HTTP_ANSWER(status, headers, body) "HTTP/1.1 " status "\r\n" headers "\r\n" body

struct https_sent {
    struct account_mail mail;
    struct account_outcome outcome;
    int done;
    struct https_world *world;
};

struct https_world {
    uv_loop_t loop;
    struct fake_http server;
    struct config_account config; /* presets: two connections, no batches, five seconds */
    char base[64];
    struct account *account;
    struct clock clock;
    struct https_sent mails[HTTPS_WORLD_MAILS];
    int count, done;
    bool in_send, closed;
};

void https_world_open(struct https_world *w,
                      const char *api,
                      const struct fake_http_act *script,
                      size_t count);

/* The first has the id 77, the next 78, ... */
struct https_sent *https_world_send(struct https_world *w, const char *message);

/* Until every mail has its outcome. */
void https_world_wait(struct https_world *w);
void https_world_close(struct https_world *w);

#endif
