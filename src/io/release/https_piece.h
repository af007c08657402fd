/* https_piece.h - a mail on its way through an API: the request that it would be alone, and which
 * others may leave in one request with it. For https_out.c only.
 *
 * Owns      its request and the arena of it; the mail stays the caller's.
 * Threads   pieces_build() any, as long as nobody else touches these pieces; the rest the loop's.
 */
#ifndef IO_RELEASE_HTTPS_PIECE_H
#define IO_RELEASE_HTTPS_PIECE_H

#include "base/macros.h"
#include "core/esp/send.h"
#include "io/release/account.h"

struct piece {
    struct list hook; /* in one list of pieces at a time */
    struct account_mail *mail;
    struct send_mail send;
    struct arena arena;
    struct send_request request;
    enum tide_err rc; /* of building */
    struct tide_error err;
    bool alone; /* its batch was refused as a whole */
};

struct piece *piece_new(struct account_mail *mail, struct text key, struct text place);
void piece_free(struct piece *p);

static inline struct piece *piece_of(struct list *node)
{
    return container_of(node, struct piece, hook);
}

/* All of the list; how that went stands in each. */
void pieces_build(const struct send_api *api, struct list *pieces);

/* Moves from `from` to the empty `to` the first piece and those behind it that may leave with it,
 * up to `most` and to the bytes that a batch may have; how many. The rest stays in order. */
size_t pieces_take(struct list *from, size_t most, struct list *to);

/* Builds the one request of `count` (two and more) pieces that go together. */
TIDE_MUST_CHECK enum tide_err pieces_join(const struct list *pieces,
                                          size_t count,
                                          struct arena *arena,
                                          struct send_request *ret,
                                          struct tide_error *err);

#endif
