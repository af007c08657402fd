/* Any bytes as JSON: whatever is accepted can be walked, and its strings written and read again. */
#include "core/proto/json.h"
#include "core/proto/json_write.h"

#include <assert.h>
#include <stdlib.h>

static void check_string(struct text t)
{
    struct buf b = {0};
    struct json *again = NULL;
    json_quote(&b, t);
    enum tide_err rc = json_parse(buf_text(&b), SIZE_MAX, &again, NULL);
    assert(rc == TIDE_OK && text_eq(json_string_text(again), t));
    json_free(again);
    buf_fini(&b);
}

static void walk(const struct json *v, unsigned depth)
{
    struct text name;
    const struct json *member;
    size_t members = 0;
    int64_t n;
    bool flag;
    assert(depth <= JSON_DEPTH_MAX);
    assert(json_kind_text(v)[0] != '\0');
    if (json_kind(v) == JSON_KIND_STRING)
        check_string(json_string_text(v));
    (void)json_int(v, &n);
    (void)json_bool(v, &flag);
    for (void *pos = NULL; json_next(v, &pos, &name, &member); members++) {
        assert(text_is_utf8(name));
        walk(member, depth + 1);
    }
    assert(json_kind(v) != JSON_KIND_OBJECT || members == json_count(v));
    if (json_kind(v) == JSON_KIND_ARRAY)
        for (size_t i = 0; i < json_count(v); i++)
            walk(json_element(v, i), depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *doc = NULL;
    struct tide_error err = {0};
    enum tide_err rc = json_parse((struct text){(const char *)data, size}, 1 << 20, &doc, &err);
    assert((rc == TIDE_OK) == (doc != NULL));
    assert(rc == TIDE_OK || err.text[0] != '\0');
    if (doc)
        walk(doc, 0);
    json_free(doc);
    /* any bytes can be written */
    struct buf b = {0};
    json_quote(&b, (struct text){(const char *)data, size});
    rc = json_parse(buf_text(&b), SIZE_MAX, &doc, &err);
    assert(rc == TIDE_OK || rc == TIDE_ENOMEM);
    json_free(doc);
    buf_fini(&b);
    return 0;
}
