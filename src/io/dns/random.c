#include "io/dns/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void refill(struct dns_random *r)
{
    for (r->left = 0; r->left < sizeof r->bytes;) {
        ssize_t n = getrandom(r->bytes + r->left, sizeof r->bytes - r->left, 0);
        if (n < 0 && errno != EINTR)
            abort();
        if (n > 0)
            r->left += (size_t)n;
    }
}

void dns_random_fill(struct dns_random *r, void *out, size_t n)
{
    if (r->left < n)
        refill(r);
    r->left -= n;
    memcpy(out, r->bytes + r->left, n);
    memset(r->bytes + r->left, 0, n);
}
