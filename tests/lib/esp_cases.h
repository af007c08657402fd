/* esp_cases.h - a table of requests to an ESP's API: what is handed in, what is answered. */
#ifndef TESTS_LIB_ESP_CASES_H
#define TESTS_LIB_ESP_CASES_H

#include "lib/check.h"
#include "lib/esp_run.h"

/* Most cases have neither a fault nor headers. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct esp_case {
    const char *name, *method, *path, *content_type, *body;
    const char *answer[3]; /* the first begins the answer, the others are in it */
    const char *mails[4];  /* are in what was handed in; none: nothing was */
    enum esp_fault fault;
    const char *headers[ESP_HEADERS_MAX + 1]; /* as struct esp.headers says; NULL ends */
    const char *behind;                       /* as struct esp_ask.behind; NULL: "" */
};

static inline void esp_cases_run(const struct esp_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct esp_case *c = &cases[i];
        struct esp_run run = {.behind = c->behind};
        esp_run(&run, c->method, c->path, c->content_type ? c->content_type : "application/json",
                c->headers, text_of(c->body), c->fault);
        const char *answer = buf_str(&run.answer), *mails = buf_str(&run.mails);
        for (size_t k = 0; k < TIDE_COUNT(c->answer) && c->answer[k]; k++) {
            const char *at = strstr(answer, c->answer[k]);
            T_TRUE(k == 0 ? at == answer : at != NULL, "%s: want \"%s\" in: %s", c->name,
                   c->answer[k], answer);
        }
        for (size_t k = 0; k < TIDE_COUNT(c->mails) && c->mails[k]; k++)
            T_TRUE(strstr(mails, c->mails[k]) != NULL, "%s: want \"%s\" in: %s", c->name,
                   c->mails[k], mails);
        T_TRUE(c->mails[0] || run.mails.len == 0, "%s: handed in: %s", c->name, mails);
        esp_run_fini(&run);
    }
}

#define ESP_CASES_MAIN(table)                             \
    static void test_requests(void **state)               \
    {                                                     \
        (void)state;                                      \
        esp_cases_run((table), TIDE_COUNT(table));        \
    }                                                     \
    int main(void)                                        \
    {                                                     \
        const struct CMUnitTest tests[] = {               \
            cmocka_unit_test(test_requests),              \
        };                                                \
        return cmocka_run_group_tests(tests, NULL, NULL); \
    }

#endif
