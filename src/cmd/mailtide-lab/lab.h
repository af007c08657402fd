/* lab.h - the small world put together: DNS, providers, ESPs, control; opened in this order, closed
 * in the opposite one.
 *
 * Lifetime  lab_run() returns when TERM or INT has ended it.
 * Threads   one. Errors at start are fatal and named.
 */
#ifndef CMD_MAILTIDE_LAB_LAB_H
#define CMD_MAILTIDE_LAB_LAB_H

#include "cmd/mailtide-lab/books.h"
#include "cmd/mailtide-lab/dns_server.h"
#include "cmd/mailtide-lab/esp.h"
#include "cmd/mailtide-lab/provider.h"

struct http;

struct lab {
    struct clock clock;
    const struct world *world;
    uv_loop_t loop;
    struct names *names;
    struct dns_server *dns;
    struct books books;
    struct provider **providers;
    size_t provider_count;
    struct esp **esps;
    size_t esp_count;
    struct http *control;
    uv_signal_t signals[2];
    unsigned open_handles;
    bool closing;
    unsigned closing_step;
    size_t closing_at;
    enum tide_err rc;
    struct tide_error err;
};

TIDE_MUST_CHECK enum tide_err lab_run(const struct world *world,
                                      const struct clock *clock,
                                      struct tide_error *err);

/* control.c */
TIDE_MUST_CHECK enum tide_err control_open(struct lab *lab, struct tide_error *err);
/* All addresses and the clock: the ready line and GET /. Members of an object. */
void lab_write_addresses(const struct lab *lab, struct json_writer *w);

#endif
