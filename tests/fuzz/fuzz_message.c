/* Whatever bytes come: what is normalised opens, stays as it is when normalised again, its values
 * are clean UTF-8, and what is put into it is one field and no more. */
#include "core/digest/content.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

static void look_at_all(const struct message *m, struct arena *a)
{
    struct tide_error err;
    struct header h;
    struct mailbox from, *boxes;
    struct content content;
    size_t count, put = 0;
    struct buf b = {0};
    for (size_t pos = 0; message_next(m, &pos, &h);) {
        struct text value = message_value(m, h.name, a);
        must(value.p != NULL && text_is_utf8(value));
        for (size_t i = 0; i < value.n; i++)
            must((unsigned char)value.p[i] >= 32 && value.p[i] != 127);
        if (message_put_header(&b, TEXT("Subject"), value, &err) == TIDE_OK)
            put++;
    }
    (void)message_first_id(m, TEXT("Message-ID"), a);
    if (message_from(m, a, &from, &err) == TIDE_OK &&
        message_put_mailbox(&b, TEXT("From"), &from, &err) == TIDE_OK)
        put++;
    if (message_recipients(m, a, &boxes, &count, &err) == TIDE_OK)
        must(count <= MESSAGE_ADDRESSES_MAX);
    must(content_look(m, 200, 3, a, &content, &err) == TIDE_OK);
    must(text_is_utf8(content.text) && content.text.n <= 200);
    if (put > 0 && put < MESSAGE_HEADERS_MAX && b.len < MESSAGE_HEAD_BYTES_MAX) {
        struct message own;
        buf_adds(&b, "\r\n");
        must(message_open(buf_text(&b), &own, &err) == TIDE_OK && own.body.n == 0);
        must(message_count(&own, TEXT("Subject")) + message_count(&own, TEXT("From")) == put);
    }
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = {(const char *)data, size};
    struct tide_error err;
    struct buf normal = {0}, again = {0};
    struct arena a = {0};
    struct message m;
    (void)(message_open(in, &m, &err) == TIDE_OK);
    message_open_part(in, &m);
    must(m.head.n + m.body.n <= size);
    if (message_normalise(in, &normal, &err) == TIDE_OK) {
        must(message_open(buf_text(&normal), &m, &err) == TIDE_OK);
        must(message_normalise(buf_text(&normal), &again, &err) == TIDE_OK);
        must(text_eq(buf_text(&normal), buf_text(&again)));
        look_at_all(&m, &a);
    }
    arena_fini(&a);
    buf_fini(&normal);
    buf_fini(&again);
    return 0;
}
