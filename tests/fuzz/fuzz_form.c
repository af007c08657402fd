/* Any bytes as a form: the first line is the content type. Fields lie within what was given. */
#include "core/proto/form.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text body = {(const char *)data, size}, type;
    struct arena a = {0};
    struct form f = {0};
    struct tide_error err = {0};
    if (!text_split(&body, '\n', &type))
        return 0;
    if (form_parse(type, body, &a, &f, &err) != TIDE_OK) {
        assert(err.text[0]);
        f.count = 0;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < f.count; i++) {
        assert(f.fields[i].name.p && f.fields[i].value.p);
        bytes += f.fields[i].name.n + f.fields[i].value.n;
    }
    assert(bytes <= size);
    arena_fini(&a);
    return 0;
}
