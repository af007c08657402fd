#include "core/record/news.h"

const char *news_kind_name(enum news_kind k)
{
    static const char *const names[] = {
#define NEWS_KIND(code, text) text,
        NEWS_KINDS(NEWS_KIND)
#undef NEWS_KIND
    };
    return names[k];
}
