/* verify_list.h - many addresses through the verifier: rows come out in the order in which the
 * addresses went in, each as soon as it and those before it are decided.
 *
 *   verify_list_add() --> window of addresses --(head has its verdict)--> on_row()
 *                            `--> domains: asked once each, kept for those that come again
 *
 * Owns      what is in the window, the verdicts kept. Verifier, clock and index are the caller's
 *           and must outlive it.
 * Lifetime  verify_list_new() to verify_list_close(); it goes when the last question has its
 *           answer.
 * Threads   loop thread only. on_row and on_turn never come from inside verify_list_new() or
 *           verify_list_close(); on_row may come from inside verify_list_add().
 * Errors    TIDE_ENOMEM: the address was not taken.
 * Limits    struct verify_list_limits: what is held in memory is bounded, however long the list is.
 */
#ifndef IO_DNS_VERIFY_LIST_H
#define IO_DNS_VERIFY_LIST_H

#include "core/record/verdict.h"
#include "core/verify/recipient.h"
#include "core/verify/verified.h"
#include "io/dns/verifier.h"

struct verify_list;

struct verify_list_limits {
    size_t window_max;  /* addresses between in and out: a slow one holds up those behind it only
                           once so many wait */
    size_t flights_max; /* domains asked for at once */
    size_t domains_max; /* verdicts kept */
    size_t bytes_max;   /* of texts, in all of them */
};

struct verify_list_options {
    struct verifier *verifier;
    const struct clock *clock;
    const struct recipient_index *hints;
    struct verify_list_limits limits;
    void (*on_row)(void *arg, const struct verified *row); /* borrowed for the call */
    void (*on_turn)(void *arg);                            /* there may be room: an answer came */
    void *arg;
};

TIDE_MUST_CHECK enum tide_err verify_list_new(const struct verify_list_options *options,
                                              struct verify_list **ret,
                                              struct tide_error *err);
/* No callback comes any more. */
void verify_list_close(struct verify_list *l);

bool verify_list_has_room(const struct verify_list *l);

/* `suppressed`: why the address is not to be mailed, "" when it may be; p NULL: nobody was asked.
 */
TIDE_MUST_CHECK enum tide_err verify_list_add(struct verify_list *l,
                                              struct text given,
                                              struct text suppressed);

/* Rows leave only while it is not held: a writer that cannot keep up. */
void verify_list_hold(struct verify_list *l, bool hold);

struct verify_list_counts {
    size_t waiting; /* addresses in the window */
    uint64_t rows, domains_asked, invalid;
    uint64_t kinds[4]; /* by enum verdict_kind */
};

struct verify_list_counts verify_list_counts(const struct verify_list *l);

#endif
