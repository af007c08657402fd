#include "io/dns/servers.h"

#include "base/file.h"

#include <uv.h>

#define RESOLV_CONF           "/etc/resolv.conf"
#define RESOLV_CONF_BYTES_MAX 65536
#define SERVER_BYTES_MAX      80

/* What stands before and after the port's colon; a bare IPv6 address has no port. */
static void split_port(struct text t, struct text *ret_host, struct text *ret_port)
{
    size_t close = text_find(t, ']'), colon = text_find(t, ':');
    *ret_host = t;
    *ret_port = (struct text){0};
    if (t.n && t.p[0] == '[' && close < t.n) {
        *ret_host = text_cut(t, 1, close - 1);
        if (close + 1 < t.n)
            *ret_port = text_cut(t, close + 1, t.n);
    } else if (colon < t.n && text_find(text_cut(t, colon + 1, t.n), ':') == t.n - colon - 1) {
        *ret_host = text_cut(t, 0, colon);
        *ret_port = text_cut(t, colon, t.n);
    }
}

enum tide_err server_parse(struct text t, struct sockaddr_storage *ret, struct tide_error *err)
{
    struct text host, port_text;
    char ip[SERVER_BYTES_MAX];
    int64_t port = DNS_PORT;
    split_port(t, &host, &port_text);
    bool ok = host.n > 0 && host.n < sizeof ip;
    if (ok && port_text.n)
        ok = port_text.p[0] == ':' &&
             text_int(text_cut(port_text, 1, port_text.n), 1, 65535, &port, NULL) == TIDE_OK;
    if (ok) {
        memcpy(ip, host.p, host.n);
        ip[host.n] = '\0';
        memset(ret, 0, sizeof *ret);
        ok = uv_ip4_addr(ip, (int)port, (struct sockaddr_in *)ret) == 0 ||
             uv_ip6_addr(ip, (int)port, (struct sockaddr_in6 *)ret) == 0;
    }
    if (!ok)
        return tide_fail(err, TIDE_EINVAL,
                         "name server \"" TEXT_FMT
                         "\": want an IP address, \"IP:port\", \"[IPv6]:port\" or \"system\"",
                         TEXT_ARG(text_cut(t, 0, SERVER_BYTES_MAX)));
    return TIDE_OK;
}

size_t servers_of_resolv_conf(struct text content, struct sockaddr_storage *ret, size_t max)
{
    struct text line;
    size_t count = 0;
    while (count < max && text_split(&content, '\n', &line)) {
        line = text_trim(line);
        if (!text_starts(line, TEXT("nameserver")))
            continue;
        struct text value = text_trim(text_cut(line, strlen("nameserver"), line.n));
        value = text_cut(value, 0, text_find(value, ' '));
        value = text_cut(value, 0, text_find(value, '\t'));
        if (server_parse(value, &ret[count], NULL) == TIDE_OK)
            count++;
    }
    return count;
}

/* As the C library: without any server named there, the one on this machine. */
static size_t system_servers(struct sockaddr_storage *ret, size_t max)
{
    struct buf b = {0};
    size_t count = 0;
    if (file_read(RESOLV_CONF, RESOLV_CONF_BYTES_MAX, &b, NULL) == TIDE_OK)
        count = servers_of_resolv_conf(buf_text(&b), ret, max);
    buf_fini(&b);
    if (count == 0 && server_parse(TEXT("127.0.0.1"), ret, NULL) == TIDE_OK)
        count = 1;
    return count;
}

enum tide_err servers_parse(char *const *names,
                            size_t count,
                            struct sockaddr_storage ret[DNS_SERVERS_MAX],
                            size_t *ret_count,
                            struct tide_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (n == DNS_SERVERS_MAX)
            return tide_fail(err, TIDE_ELIMIT, "there are more than %d name servers",
                             DNS_SERVERS_MAX);
        if (strcmp(names[i], "system") == 0) {
            n += system_servers(ret + n, DNS_SERVERS_MAX - n);
            continue;
        }
        enum tide_err rc = server_parse(text_of(names[i]), &ret[n], err);
        if (rc != TIDE_OK)
            return rc;
        n++;
    }
    if (n == 0)
        return tide_fail(err, TIDE_EINVAL, "there is no name server to ask");
    *ret_count = n;
    return TIDE_OK;
}
