#include "io/release/https_piece.h"

#include "base/macros.h"
#include "core/esp/send_batch.h"

#include <stdlib.h>

struct piece *piece_new(struct account_mail *mail, struct text key, struct text place)
{
    struct piece *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->mail = mail;
    p->send = (struct send_mail){.attempt_id = mail->attempt_id,
                                 .recipient = mail->recipient,
                                 .message = mail->message,
                                 .key = key,
                                 .place = place};
    list_init(&p->hook);
    return p;
}

void piece_free(struct piece *p)
{
    list_remove(&p->hook);
    buf_fini(&p->request.body);
    arena_fini(&p->arena);
    free(p);
}

void pieces_build(const struct send_api *api, struct list *pieces)
{
    LIST_EACH(node, pieces)
    {
        struct piece *p = piece_of(node);
        p->rc = api->build(&p->send, &p->arena, &p->request, &p->err);
    }
}

static bool goes_with(const struct piece *a, const struct piece *b)
{
    return !a->alone && !b->alone && send_batch_goes_with(&a->request, &b->request);
}

size_t pieces_take(struct list *from, size_t most, struct list *to)
{
    struct list others, *node;
    struct piece *first = piece_of(list_take_first(from));
    size_t count = 1, bytes = first->request.body.len;
    list_append(to, &first->hook);
    list_init(&others);
    while (count < most && !first->alone && (node = list_take_first(from))) {
        struct piece *p = piece_of(node);
        bool fits = goes_with(first, p) && bytes + p->request.body.len <= SEND_BATCH_BYTES;
        list_append(fits ? to : &others, node);
        count += fits;
        bytes += fits ? p->request.body.len : 0;
    }
    while (!list_is_empty(&others)) { /* the last one first */
        node = others.prev;
        list_remove(node);
        list_prepend(from, node);
    }
    return count;
}

enum tide_err pieces_join(const struct list *pieces,
                          size_t count,
                          struct arena *arena,
                          struct send_request *ret,
                          struct tide_error *err)
{
    const struct send_request **each = calloc(count, sizeof *each);
    size_t n = 0;
    if (!each)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a batch");
    LIST_EACH(node, pieces)
    each[n++] = &piece_of(node)->request;
    tide_id first = piece_of(list_first(pieces))->send.attempt_id;
    enum tide_err rc = send_batch_build(each, count, first, arena, ret, err);
    free(each);
    return rc;
}
