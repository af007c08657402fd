/* random.h - unguessable ids, ports and case bits, drawn from the kernel a few kilobytes at a time.
 * Threads: one at a time per pool. */
#ifndef IO_DNS_RANDOM_H
#define IO_DNS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct dns_random {
    uint8_t bytes[4096];
    size_t left;
};

/* Aborts when the kernel gives none: to go on with guessable numbers would be worse. */
void dns_random_fill(struct dns_random *r, void *out, size_t n);

static inline uint16_t dns_random_u16(struct dns_random *r)
{
    uint16_t v;
    dns_random_fill(r, &v, sizeof v);
    return v;
}

#endif
