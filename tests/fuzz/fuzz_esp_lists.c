/* Any bytes as what an ESP answers when its list is read: entries are whole, and the next page is
 * asked for at our own server. */
#include "core/esp/list_judge.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as(const struct list_api *api, const struct json *doc, size_t list)
{
    const struct list_account account = {
        .key = TEXT("KEY"), .place = TEXT("shop.test"), .prefix = TEXT("/eu")};
    struct arena a = {0};
    struct tide_error err;
    struct list_page page = {.next = TEXT("7")};
    struct list_request r = {0};
    if (lists_read_page(api, &account, doc, list, &a, &page)) {
        for (size_t i = 0; i < page.count; i++) {
            const struct list_case c = {
                .entry = &page.entries[i], .provider = TEXT(""), .mend = TEXT("")};
            struct list_judgement j;
            list_judge(&c, &j);
            assert(page.entries[i].list < api->list_count && j.why[0] != '\0');
            assert(j.verdict != LIST_MEND || page.entries[i].kind < LISTED_COMPLAINED);
        }
        if (page.next.n > 0 &&
            lists_ask(api, &account, LIST_ASK_NEXT, list, page.next, &a, &r, &err) == TIDE_OK)
            assert(text_starts(r.path, TEXT("/")));
    }
    if (api->read_words)
        (void)api->read_words(doc);
    buf_fini(&r.body);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct list_api *const apis[] = {&lists_sendgrid, &lists_ses,    &lists_mailgun,
                                                  &lists_postmark, &lists_resend, &lists_sparkpost,
                                                  &lists_brevo};
    struct json *doc = NULL;
    if (json_parse((struct text){(const char *)data, size}, 1 << 20, &doc, NULL) != TIDE_OK)
        return 0;
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++)
        for (size_t list = 0; list < apis[i]->list_count; list++)
            read_as(apis[i], doc, list);
    struct text why;
    (void)lists_postmark.removed(doc, &why);
    json_free(doc);
    return 0;
}
