#include "core/verify/one_click.h"

const char *one_click_problem(const struct message *m)
{
    struct header h;
    if (!message_find(m, TEXT("List-Unsubscribe"), &h))
        return "List-Unsubscribe is missing";
    if (text_ifind(h.raw, TEXT("<https://")) == h.raw.n)
        return "List-Unsubscribe has no https address";
    if (!message_find(m, TEXT("List-Unsubscribe-Post"), &h) ||
        !text_ieq(text_trim(h.raw), TEXT("List-Unsubscribe=One-Click")))
        return "List-Unsubscribe-Post: List-Unsubscribe=One-Click is missing";
    if (message_count(m, TEXT("List-Unsubscribe")) > 1 ||
        message_count(m, TEXT("List-Unsubscribe-Post")) > 1)
        return "one of the two fields stands there twice";
    return NULL;
}

bool one_click_covered(const struct dkim_signature *s)
{
    return dkim_signs(s, "list-unsubscribe") && dkim_signs(s, "list-unsubscribe-post");
}

const char *one_click_of_message(struct text message, bool *ret_signed)
{
    struct message m;
    struct header h;
    size_t pos = 0;
    bool covered = false;
    *ret_signed = false;
    if (message_open(message, &m, NULL) != TIDE_OK)
        return "its header cannot be read";
    const char *problem = one_click_problem(&m);
    while (!problem && message_next(&m, &pos, &h)) {
        struct arena arena = {0};
        struct dkim_signature s;
        if (!text_ieq(text_trim(h.name), TEXT("DKIM-Signature")))
            continue;
        *ret_signed = true;
        covered = covered ||
                  (dkim_signature_parse(&h, &arena, &s, NULL) == TIDE_OK && one_click_covered(&s));
        arena_fini(&arena);
    }
    if (!problem && *ret_signed && !covered)
        return "the DKIM signature of the application does not cover both fields";
    return problem;
}
