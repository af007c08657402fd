/* Any bytes as the body of POST /v1/notifications: what is accepted is composed, and the message's
 * header holds the fields that it should, each once, and no line that nobody gave. */
#include "base/macros.h"
#include "core/proto/compose.h"
#include "core/proto/json_write.h"

#include <assert.h>
#include <stdlib.h>

static void check_message(const struct api_draft *d, struct text message)
{
    static const char *const once[] = {"From",       "To",           "Subject",     "Date",
                                       "Message-ID", "MIME-Version", "Content-Type"};
    struct message m;
    enum tide_err rc = message_open(message, &m, NULL);
    assert(rc == TIDE_OK);
    for (size_t i = 0; i < TIDE_COUNT(once); i++)
        assert(message_count(&m, text_of(once[i])) == 1);
    assert(!message_has(&m, TEXT("Bcc")));
    size_t fields = 0;
    struct header h;
    for (size_t pos = 0; message_next(&m, &pos, &h);)
        fields++;
    size_t own_id = 0;
    for (size_t i = 0; i < d->header_count; i++)
        own_id += text_ieq(d->headers[i].name, TEXT("Message-ID"));
    size_t encoding = message_count(&m, TEXT("Content-Transfer-Encoding"));
    assert(encoding <= 1);
    assert(fields ==
           7 + encoding + (d->cc.count > 0) + (d->reply_to.count > 0) + d->header_count - own_id);
    for (size_t i = 0; i < message.n; i++) {
        if (message.p[i] == '\n')
            assert(i > 0 && message.p[i - 1] == '\r');
        if (message.p[i] == '\r')
            assert(i + 1 < message.n && message.p[i + 1] == '\n');
    }
}

static void one_draft(const struct json *v, int index)
{
    static const char *const streams[] = {"comments", "security"};
    const struct api_rules rules = {
        .now = 1795299446000, .recipients_max = 20, .streams = streams, .stream_count = 2};
    const struct compose_given given = {.date = rules.now, .message_id = TEXT("id@s.example")};
    struct arena a = {0};
    struct api_draft d = {0};
    struct api_error e = {0};
    struct tide_error err = {0};
    struct buf b = {0};
    if (!api_draft(v, index, &rules, &a, &d, &e)) {
        assert(e.code && e.message[0]);
    } else if (!d.message.p) {
        enum tide_err rc = compose(&d, &given, &b, &err);
        assert(rc == TIDE_OK);
        check_message(&d, buf_text(&b));
    }
    buf_fini(&b);
    arena_fini(&a);
}

/* The same bytes as the values of a draft's fields, one a line feed: gets behind JSON's syntax. */
static void as_fields(struct text rest)
{
    static const char *const before[] = {
        "{\"to\":[\"a@b.example\",{\"address\":\"c@d.example\",\"name\":",
        "}],\"from\":",
        ",\"subject\":",
        ",\"text\":",
        ",\"html\":",
        ",\"headers\":{\"References\":",
        ",\"X-A\":",
        "},\"attachments\":[{\"content\":\"Zm9v\",\"filename\":",
        ",\"content_type\":",
        ",\"content_id\":"};
    struct buf b = {0};
    struct json *doc = NULL;
    struct text piece;
    for (size_t i = 0; i < TIDE_COUNT(before); i++) {
        if (!text_split(&rest, '\n', &piece))
            piece = TEXT("");
        buf_adds(&b, before[i]);
        if (i == 1 && piece.n == 0)
            piece = TEXT("n@s.example");
        if (i == 8 && piece.n == 0)
            piece = TEXT("a/b");
        if (i == 9 && piece.n == 0)
            piece = TEXT("id");
        json_quote(&b, piece);
    }
    buf_adds(&b, "}]}");
    if (json_parse(buf_text(&b), SIZE_MAX, &doc, NULL) == TIDE_OK)
        one_draft(doc, -1);
    json_free(doc);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_fields((struct text){(const char *)data, size});
    struct json *doc = NULL;
    if (json_parse((struct text){(const char *)data, size}, 1 << 20, &doc, NULL) != TIDE_OK)
        return 0;
    bool is_array = json_kind(doc) == JSON_KIND_ARRAY;
    for (size_t i = 0; i < (is_array ? json_count(doc) : 1); i++)
        one_draft(is_array ? json_element(doc, i) : doc, is_array ? (int)i : -1);
    json_free(doc);
    return 0;
}
