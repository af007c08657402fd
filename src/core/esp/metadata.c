#include "core/esp/metadata.h"

/* Names stand at the front or behind a comma; within a string a quote has a backslash before it. */
static bool is_there(struct text metadata, struct text quoted, size_t *ret_names)
{
    bool found = false;
    *ret_names = 0;
    for (size_t i = 0; i + 1 < metadata.n; i++) {
        if (metadata.p[i + 1] != '"' || (metadata.p[i] != '{' && metadata.p[i] != ','))
            continue;
        struct text rest = text_cut(metadata, i + 1, SIZE_MAX);
        *ret_names += 1;
        found |= text_starts(rest, quoted) && rest.n > quoted.n && rest.p[quoted.n] == ':';
    }
    return found;
}

/* `value` is JSON already. */
static void add(struct esp_reading *r, struct text name, struct text value, struct api_draft *d)
{
    struct buf b = {.max = API_METADATA_BYTES_MAX}, quoted = {0};
    struct text before =
        d->metadata.n > 0 ? text_cut(d->metadata, 0, d->metadata.n - 1) : TEXT("{");
    size_t names;
    json_quote(&quoted, name);
    if (name.n > 0 && !is_there(d->metadata, buf_text(&quoted), &names) &&
        names < METADATA_NAMES_MAX) {
        buf_add_text(&b, before);
        buf_adds(&b, d->metadata.n > 0 ? "," : "");
        buf_add_text(&b, buf_text(&quoted));
        buf_addc(&b, ':');
        buf_add_text(&b, value);
        buf_addc(&b, '}');
        struct text whole = b.failed == TIDE_OK && quoted.failed == TIDE_OK
                                ? arena_text(r->arena, buf_text(&b))
                                : (struct text){NULL, 0};
        if (whole.n > 0)
            d->metadata = whole;
    }
    buf_fini(&quoted);
    buf_fini(&b);
}

void esp_metadata_text(struct esp_reading *r,
                       struct text name,
                       struct text value,
                       struct api_draft *d)
{
    struct buf b = {0};
    json_quote(&b, value);
    add(r, name, buf_text(&b), d);
    buf_fini(&b);
}

static void add_value(struct esp_reading *r,
                      struct text name,
                      const struct json *v,
                      struct api_draft *d)
{
    enum json_kind kind = json_kind(v);
    struct buf b = {0};
    if (kind != JSON_KIND_STRING && kind != JSON_KIND_NUMBER && kind != JSON_KIND_BOOL)
        return;
    json_dump(v, &b);
    if (b.failed == TIDE_OK)
        add(r, name, buf_text(&b), d);
    buf_fini(&b);
}

void esp_metadata(struct esp_reading *r, const struct json *v, struct api_draft *d)
{
    struct text name;
    const struct json *value;
    void *pos = NULL;
    while (json_next(v, &pos, &name, &value))
        add_value(r, name, value, d);
    for (size_t i = 0; json_kind(v) == JSON_KIND_ARRAY && i < json_count(v); i++) {
        const struct json *pair = json_element(v, i);
        struct text small = json_string_text(json_member(pair, "name"));
        const struct json *small_value = json_member(pair, "value");
        if (small.p)
            add_value(r, small, small_value, d);
        else
            add_value(r, json_string_text(json_member(pair, "Name")), json_member(pair, "Value"),
                      d);
    }
}
