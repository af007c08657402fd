#include "core/verify/tag_list.h"

/* RFC 6376 3.2: tag-name = ALPHA *ALNUMPUNC */
static bool is_name(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!ascii_is_alnum(t.p[i]) && t.p[i] != '_')
            return false;
    return t.n && ascii_is_alpha(t.p[0]);
}

static bool same(struct text a, struct text b, bool ignore_case)
{
    return ignore_case ? text_ieq(a, b) : text_eq(a, b);
}

static void add(struct tag_list *l, struct text name, struct text value, bool ignore_case)
{
    for (size_t i = 0; i < l->count; i++)
        l->duplicate = l->duplicate || same(l->tags[i].name, name, ignore_case);
    if (l->count == TAGS_MAX)
        l->too_many = true;
    else
        l->tags[l->count++] = (struct tag){name, value};
}

void tag_list_parse(struct text t, bool ignore_case, struct tag_list *ret)
{
    struct text item;
    ret->count = 0;
    ret->malformed = ret->duplicate = ret->too_many = false;
    while (!ret->too_many && text_split(&t, ';', &item)) {
        size_t at = text_find(item, '=');
        struct text name = text_trim(text_cut(item, 0, at));
        if (text_trim(item).n == 0) {
            ret->malformed =
                ret->malformed || t.p != NULL; /* empty, and not after the last semicolon */
            continue;
        }
        if (at == item.n || !is_name(name)) {
            ret->malformed = true;
            continue;
        }
        add(ret, name, text_trim(text_cut(item, at + 1, item.n)), ignore_case);
    }
}

struct text tag_value(const struct tag_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (text_eq(l->tags[i].name, text_of(name)))
            return l->tags[i].value;
    return (struct text){0};
}
