/* Whatever bytes come: an address that is taken has a normal form that is its own normal form, a
 * domain that is made of letters, digits and hyphens, and keeps within all lengths. */
#include "core/address/addr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = {(const char *)data, size};
    struct tide_error err = {0};
    struct addr a, again;
    struct domain d, twice;
    char key[ADDR_BYTES_MAX + 1], unicode[DOMAIN_INPUT_BYTES_MAX];
    if (domain_parse(in, &d, &err) == TIDE_OK) {
        must(domain_is_ldh(domain_text(&d)) && d.n == strlen(d.ascii));
        must(domain_parse(domain_text(&d), &twice, &err) == TIDE_OK);
        must(strcmp(d.ascii, twice.ascii) == 0);
        domain_unicode(domain_text(&d), unicode);
    } else {
        must(err.code == TIDE_EADDR && err.text[0]);
    }
    if (addr_parse(in, ADDR_LITERAL, &a, &err) != TIDE_OK) {
        must(err.code == TIDE_EADDR && err.text[0]);
        return 0;
    }
    must(a.n <= ADDR_BYTES_MAX && a.n == strlen(a.normal) && a.local_n <= ADDR_LOCAL_BYTES_MAX);
    must(text_is_utf8(addr_text(&a)) && !strpbrk(a.normal, "\r\n"));
    must(a.is_literal || domain_is_ldh(domain_text(&a.domain)));
    must(addr_parse(addr_text(&a), ADDR_LITERAL, &again, &err) == TIDE_OK);
    must(strcmp(a.normal, again.normal) == 0 && a.local_n == again.local_n);
    addr_counting_key(&a, (struct addr_folding){true, true, '+'}, key);
    must(strlen(key) <= a.n && key[0] != '@');
    return 0;
}
