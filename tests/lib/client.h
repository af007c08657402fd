/* client.h - a raw client in the test's own thread: the loop under test is turned while it waits.
 */
#ifndef TESTS_LIB_CLIENT_H
#define TESTS_LIB_CLIENT_H

#include <uv.h>

#define CLIENT_WAIT_MS 5000

int client_dial(int port); /* 127.0.0.1 */
int client_dial_unix(const char *path);
void client_put(int fd, const char *s);

/* Turns the loop until `until` came `times` times, the other side has closed, or CLIENT_WAIT_MS
 * have passed. Returns what came, until the next call. */
const char *client_get(uv_loop_t *loop, int fd, const char *until, int times);

/* Fails the test unless `got` contains `want`. */
#define T_HAS(got, want)                                                  \
    do {                                                                  \
        const char *t_in = (got), *t_part = (want);                       \
        T_TRUE(strstr(t_in, t_part), "want \"%s\" in: %s", t_part, t_in); \
    } while (0)

#endif
