/* The ESP's suppression lists: an address once in each. */
#include "base/log.h"
#include "base/macros.h"
#include "cmd/mailtide-lab/esp_api.h"

#include <stdlib.h>

static bool is_it(const struct esp_suppression *s, const char *list, struct text address)
{
    return (!list || strcmp(s->list, list) == 0) && text_ieq(s->address, address);
}

const struct esp_suppression *esp_list_find(const struct esp *e,
                                            const char *list,
                                            struct text address)
{
    for (size_t i = 0; i < e->listed_count; i++)
        if (is_it(e->listed[i], list, address))
            return e->listed[i];
    return NULL;
}

static bool has_room(struct esp *e)
{
    if (e->listed_count < e->listed_cap)
        return true;
    size_t more = e->listed_cap ? 2 * e->listed_cap : 64;
    struct esp_suppression **bigger = realloc(e->listed, more * sizeof(struct esp_suppression *));
    if (!bigger)
        return false;
    e->listed = bigger;
    e->listed_cap = more;
    return true;
}

void esp_list_put(struct esp *e, const char *list, struct text address, struct text reason)
{
    if (esp_list_find(e, list, address))
        return;
    struct esp_suppression *s = ARENA_NEW(&e->memory, struct esp_suppression);
    char *key = arena_strndup(&e->memory, address.p, address.n);
    if (!s || !key || !has_room(e)) {
        log_error("lab.suppression_lost", "esp=%s", e->def->name);
        return;
    }
    for (size_t i = 0; i < address.n; i++)
        key[i] = ascii_lower(key[i]);
    *s = (struct esp_suppression){.at = clock_wall(e->parts.clock),
                                  .list = arena_strdup(&e->memory, list),
                                  .address = text_of(key),
                                  .reason = arena_text(&e->memory, reason)};
    e->listed[e->listed_count++] = s;
}

bool esp_list_remove(struct esp *e, const char *list, struct text address)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->listed_count; i++)
        if (!is_it(e->listed[i], list, address))
            e->listed[kept++] = e->listed[i];
    bool found = kept < e->listed_count;
    e->listed_count = kept;
    return found;
}

const char *esp_drop_words(const struct esp *e, struct text recipient, const char **ret_list)
{
    for (size_t i = 0; i < e->listed_count; i++) {
        const struct esp_suppression *s = e->listed[i];
        const char *words = text_ieq(s->address, recipient) ? e->api->drop_words(s->list) : NULL;
        if (words) {
            *ret_list = s->list;
            return words;
        }
    }
    return NULL;
}
