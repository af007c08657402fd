/* api_load.h - many mails through one account at an API: a server on the same loop that answers
 * late, and as many mails inside the account as are wanted, until all are taken.
 *
 * Owns      what is on its way; loop and fields the caller sets. Zeroed is begun.
 * Errors    told on stderr: a mail that is not accepted is counted in `failed`.
 */
#ifndef BENCH_LIB_API_LOAD_H
#define BENCH_LIB_API_LOAD_H

#include "io/loop/http.h"
#include "io/release/https_out.h"

struct api_load {
    uv_loop_t *loop;
    void (*answer)(struct http_request *req);
    int late_ms; /* of every answer */
    int left;    /* mails to send */
    int running, failed, requests;
    struct account *account;
    bool closed;
};

/* struct http_options.on_request, with the load as its arg. */
void api_load_on_request(void *arg, struct http_request *req);

/* Opens the account, sends what is left of mails of 1 KB with `inside` at a time, and closes it;
 * the seconds that sending took. 0: it cannot be opened. */
double api_load_run(struct api_load *l, const struct config_account *config, int inside);

/* Ends the server and runs the loop until it has. */
void api_load_close(struct api_load *l, struct http *http);

#endif
