#include "core/verify/netaddr.h"

#include "base/macros.h"

static const struct {
    uint8_t net[4], bits;
    const char *kind;
} blocks4[] = {
    {{0}, 8, "no address of a host (0.0.0.0/8)"},
    {{10}, 8, "a private address"},
    {{100, 64}, 10, "an address behind a carrier's NAT"},
    {{127}, 8, "a loopback address"},
    {{169, 254}, 16, "a link-local address"},
    {{172, 16}, 12, "a private address"},
    {{192, 0, 0}, 24, "an address for protocols"},
    {{192, 0, 2}, 24, "an address for documentation"},
    {{192, 88, 99}, 24, "a former 6to4 relay"},
    {{192, 168}, 16, "a private address"},
    {{198, 18}, 15, "an address for benchmarks"},
    {{198, 51, 100}, 24, "an address for documentation"},
    {{203, 0, 113}, 24, "an address for documentation"},
    {{224}, 4, "a multicast address"},
    {{240}, 4, "a reserved address"},
};

/* Within 2000::/3; all else is not global but for 64:ff9b::/96, which stands for IPv4. */
static const struct {
    uint8_t net[16], bits;
    const char *kind;
} blocks6[] = {
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "an address for documentation"},
    {{0x3f, 0xff}, 20, "an address for documentation"},
    {{0x20, 0x01}, 23, "an address for protocols"},
    {{0x20, 0x02}, 16, "a 6to4 address"},
};

static bool in_block(const uint8_t *address, const uint8_t *net, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(address, net, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ net[whole]) & (0xff00 >> rest & 0xff)) == 0;
}

const char *netaddr_not_global4(const uint8_t address[4])
{
    for (size_t i = 0; i < TIDE_COUNT(blocks4); i++)
        if (in_block(address, blocks4[i].net, blocks4[i].bits))
            return blocks4[i].kind;
    return NULL;
}

const char *netaddr_not_global6(const uint8_t address[16])
{
    static const uint8_t zero[16], loopback[16] = {[15] = 1}, nat64[12] = {0x00, 0x64, 0xff, 0x9b},
                                   mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(address, zero, 16) == 0)
        return "no address of a host (::)";
    if (memcmp(address, loopback, 16) == 0)
        return "a loopback address";
    if (memcmp(address, nat64, 12) == 0)
        return netaddr_not_global4(address + 12);
    if (memcmp(address, mapped, 12) == 0)
        return "an IPv4 address written as IPv6";
    if ((address[0] & 0xfe) == 0xfc)
        return "a private address";
    if (address[0] == 0xfe && (address[1] & 0xc0) == 0x80)
        return "a link-local address";
    if (address[0] == 0xff)
        return "a multicast address";
    if ((address[0] & 0xe0) != 0x20)
        return "a reserved address";
    for (size_t i = 0; i < TIDE_COUNT(blocks6); i++)
        if (in_block(address, blocks6[i].net, blocks6[i].bits))
            return blocks6[i].kind;
    return NULL;
}
