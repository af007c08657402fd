/* Whatever template: it is refused with a place, or renders within its bounds, and in HTML no field
 * becomes markup. */
#include "core/digest/template.h"

#include "base/macros.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"a", "b", "c", "d"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct template_field inner[] = {{.name = "a", .text = {"<i>\n\x02", 5}}};
    static const struct template_scope entries[] = {{inner, 1}, {inner, 1}};
    static const struct template_field fields[] = {
        {.name = "a", .text = {"\x01<\"'&>", 6}},
        {.name = "b", .text = {"", 0}},
        {.name = "c", .entries = entries, .entry_count = 2}};
    static const struct template_scope scope = {fields, TIDE_COUNT(fields)};
    struct template *t = NULL;
    struct tide_error err = {0};
    struct buf out = {.max = 1 << 20};
    enum template_kind kind = size & 1 ? TEMPLATE_HTML : TEMPLATE_TEXT;
    enum tide_err rc = template_new(kind, "x", (struct text){(const char *)data, size}, names,
                                    TIDE_COUNT(names), &t, &err);
    if (rc == TIDE_OK) {
        rc = template_render(t, &scope, &out, &err);
        if (rc != TIDE_OK && rc != TIDE_ELIMIT)
            abort();
        for (size_t i = 0; kind == TEMPLATE_HTML && i + 1 < out.len; i++)
            if (out.data[i] == '\x01' && out.data[i + 1] == '<' && !memchr(data, 1, size))
                abort();
    } else if (err.text[0] != 'x') {
        abort();
    }
    template_free(t);
    buf_fini(&out);
    return 0;
}
