/* Any bytes as "ESP\nMETADATA\n" and a message: with its custom args it is a message still, with
 * the same body, our id in it, and no line that is too long which was not so before. */
#include "core/esp/smtp_args.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t longest(struct text t)
{
    size_t most = 0;
    for (struct text line; text_split(&t, '\n', &line);)
        most = line.n > most ? line.n : most;
    return most;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size}, esp, metadata;
    struct buf in = {0}, out = {0};
    struct message before, after;
    struct tide_error err;
    if (!text_split(&rest, '\n', &esp) || !text_split(&rest, '\n', &metadata))
        return 0;
    if (message_normalise(rest, &in, &err) == TIDE_OK &&
        message_open(buf_text(&in), &before, &err) == TIDE_OK &&
        smtp_args_add(esp, 77, metadata, &before, &out, &err) == TIDE_OK &&
        message_open(buf_text(&out), &after, &err) == TIDE_OK) {
        size_t was = longest(before.head), is = longest(after.head);
        assert(text_eq(before.body, after.body));
        assert(is <= 999 || is <= was);
    }
    buf_fini(&in);
    buf_fini(&out);
    return 0;
}
