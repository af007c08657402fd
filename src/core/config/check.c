#include "core/config/load.h"

#include "base/base64.h"
#include "base/macros.h"

#include <arpa/inet.h>
#include <stdio.h>

#define SOCKET_PATH_BYTES_MAX 107 /* sun_path, terminated */

/* -- Addresses ----------------------------------------------------------------------------------
 */

/* What src/io/loop/listen.c takes and this takes must be the same.
 * "127.0.0.1:25", "[::1]:25" in its parts; `port` is empty when there is none. */
static bool split_address(struct text t, struct text *ret_host, struct text *ret_port)
{
    if (t.n > 0 && t.p[0] == '[') {
        size_t end = text_find(t, ']');
        struct text rest = text_cut(t, end + 1, t.n);
        *ret_host = text_cut(t, 1, end - 1);
        *ret_port = text_cut(rest, 1, rest.n);
        return text_find(*ret_host, ':') < ret_host->n && end < t.n &&
               (rest.n == 0 || (rest.p[0] == ':' && rest.n > 1));
    }
    size_t colon = text_find(t, ':');
    *ret_host = text_cut(t, 0, colon);
    *ret_port = text_cut(t, colon + 1, t.n);
    return colon == t.n || colon + 1 < t.n;
}

static bool is_ip(struct text host, unsigned char ret[16], bool *ret_v6)
{
    char copy[INET6_ADDRSTRLEN];
    if (host.n >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, TEXT_FMT, TEXT_ARG(host));
    *ret_v6 = text_find(host, ':') < host.n;
    return inet_pton(*ret_v6 ? AF_INET6 : AF_INET, copy, ret) == 1;
}

/* Of a listener: also "localhost", and "*" for every address. */
static bool is_listen_host(struct text host, unsigned char ret[16], bool *ret_v6)
{
    bool any = text_eq(host, TEXT("*"));
    if (!any && !text_eq(host, TEXT("localhost")))
        return is_ip(host, ret, ret_v6);
    ret[0] = any ? 0 : 127;
    *ret_v6 = false;
    return true;
}

static bool address_ok(struct text t, bool want_port)
{
    struct text host, port;
    unsigned char ip[16];
    bool v6;
    int64_t number;
    struct tide_error ignored;
    if (!want_port && is_ip(t, ip, &v6))
        return true;
    return split_address(t, &host, &port) &&
           (want_port ? is_listen_host(host, ip, &v6) : is_ip(host, ip, &v6)) &&
           (port.n > 0 ? text_int(port, 0, 65535, &number, &ignored) == TIDE_OK : !want_port);
}

/* Only this machine can reach it. */
static bool is_local(struct text t)
{
    static const unsigned char loopback6[16] = {[15] = 1};
    struct text host, port;
    unsigned char ip[16];
    bool v6;
    if (text_starts(t, TEXT("unix:")))
        return true;
    return split_address(t, &host, &port) && is_listen_host(host, ip, &v6) &&
           (v6 ? memcmp(ip, loopback6, sizeof loopback6) == 0 : ip[0] == 127);
}

/* A failure of a plain key, at the file that set it. */
static enum tide_err fail_plain(const struct load *l,
                                const char *path,
                                struct tide_error *err,
                                const char *what,
                                const char *got)
{
    const struct doc *doc;
    const config_setting_t *s;
    if (load_where(l, path, &doc, &s))
        return doc_fail(doc, s, err, TIDE_EINVAL, "%s, got \"%.80s\"", what, got);
    return tide_fail(err, TIDE_EINVAL, "%s: %s, got \"%.80s\"", path, what, got);
}

static enum tide_err check_listen(
    const struct load *l, const char *path, char **list, size_t count, struct tide_error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct text t = text_of(list[i]);
        bool is_unix = text_starts(t, TEXT("unix:"));
        if (is_unix ? t.n <= 5 || t.p[5] != '/' || t.n - 5 > SOCKET_PATH_BYTES_MAX
                    : !address_ok(t, true))
            return fail_plain(l, path, err,
                              is_unix ? "want unix: and an absolute path of at most 107 bytes"
                                      : "want ADDRESS:PORT with an IP address or localhost, "
                                        "[IPV6]:PORT, *:PORT or unix:PATH",
                              list[i]);
    }
    return TIDE_OK;
}

static enum tide_err check_tls_listen(const struct load *l,
                                      const char *path,
                                      char **list,
                                      size_t count,
                                      const struct config_tls *tls,
                                      struct tide_error *err)
{
    enum tide_err rc = check_listen(l, path, list, count, err);
    if (rc == TIDE_OK && count > 0 && !tls->certificate_file)
        rc = fail_plain(l, path, err, "want tls.certificate beside it", list[0]);
    return rc;
}

static enum tide_err check_tls(const struct load *l,
                               const char *certificate,
                               const char *key,
                               const struct config_tls *tls,
                               struct tide_error *err)
{
    if (tls->certificate_file && !tls->key_file)
        return fail_plain(l, certificate, err, "want tls.key beside it", tls->certificate_file);
    if (tls->key_file && !tls->certificate_file)
        return fail_plain(l, key, err, "want tls.certificate beside it", tls->key_file);
    return TIDE_OK;
}

/* The part in front of the @ is made: 41 bytes of the 254 that an address may have. */
#define BOUNCE_DOMAIN_MAX 200
#define BOUNCE_KEY_MIN    16

static enum tide_err check_bounce(const struct load *l,
                                  const struct config_bounce *b,
                                  struct tide_error *err)
{
    if (b->domain &&
        (!b->domain[0] || strpbrk(b->domain, "@ <>\r\n") || strlen(b->domain) > BOUNCE_DOMAIN_MAX))
        return fail_plain(l, "bounce.domain", err, "want a domain, such as bounces.example.com",
                          b->domain);
    if (b->key.value && strlen(b->key.value) < BOUNCE_KEY_MIN)
        return fail_plain(l, "bounce.key", err, "want 16 characters or more", "(fewer)");
    for (size_t i = 0; i < b->address_count; i++)
        if (!strchr(b->addresses[i], '@'))
            return fail_plain(l, "bounce.addresses", err, "want addresses with an @",
                              b->addresses[i]);
    return TIDE_OK;
}

static enum tide_err check_plain(const struct load *l, struct tide_error *err)
{
    const struct config *c = l->config;
    enum tide_err rc = check_listen(l, "smtp.listen", c->smtp.listen, c->smtp.listen_count, err);
    if (rc == TIDE_OK)
        rc = check_tls_listen(l, "smtp.tls.listen", c->smtp.tls_listen, c->smtp.tls_listen_count,
                              &c->smtp.tls, err);
    if (rc == TIDE_OK)
        rc = check_listen(l, "http.listen", c->http.listen, c->http.listen_count, err);
    if (rc == TIDE_OK)
        rc = check_tls_listen(l, "http.tls.listen", c->http.tls_listen, c->http.tls_listen_count,
                              &c->http.tls, err);
    if (rc == TIDE_OK)
        rc = check_tls(l, "smtp.tls.certificate", "smtp.tls.key", &c->smtp.tls, err);
    if (rc == TIDE_OK)
        rc = check_tls(l, "http.tls.certificate", "http.tls.key", &c->http.tls, err);
    if (rc == TIDE_OK)
        rc = check_bounce(l, &c->bounce, err);
    if (rc == TIDE_OK && strlen(c->status.socket) > SOCKET_PATH_BYTES_MAX)
        rc = fail_plain(l, "status.socket", err, "want a path of at most 107 bytes",
                        c->status.socket);
    for (size_t i = 0; i < c->dns.server_count && rc == TIDE_OK; i++) {
        struct text t = text_of(c->dns.servers[i]);
        if (!text_eq(t, TEXT("system")) && !address_ok(t, false))
            rc = fail_plain(l, "dns.servers", err, "want \"system\", an IP address or ADDRESS:PORT",
                            c->dns.servers[i]);
    }
    return rc;
}

/* -- Named groups -------------------------------------------------------------------------------
 */

static enum tide_err fail_item(const struct load_item *item,
                               struct tide_error *err,
                               const char *what)
{
    return doc_fail(item->doc, item->at, err, TIDE_EINVAL, "%s", what);
}

static enum tide_err check_https(const struct load_item *item,
                                 const struct config_account *a,
                                 struct tide_error *err)
{
    if (!a->api)
        return fail_item(item, err, "want an api, or a profile that has one, got none");
    if (!a->base_url)
        return fail_item(item, err, "want a base_url, or a profile that has one, got none");
    if (strchr(a->base_url, '{'))
        return fail_item(item, err, "want a region, got none");
    if (strncmp(a->base_url, "https://", 8) != 0 &&
        (strncmp(a->base_url, "http://", 7) != 0 || a->tls != TLS_NONE))
        return fail_item(item, err,
                         "want a base_url that begins with https://, or with http:// and tls = "
                         "\"none\": the key would travel in clear");
    if (!a->key.value || !a->key.value[0])
        return fail_item(item, err, "want a key, got none");
    if (a->region && !a->key_id)
        return fail_item(item, err, "want a key_id beside the region, got none");
    if (a->key_id && !a->region)
        return fail_item(item, err, "want a region beside the key_id, got none");
    return TIDE_OK;
}

static enum tide_err check_account(const struct load *l,
                                   const struct load_item *item,
                                   const struct config_account *a,
                                   struct tide_error *err)
{
    if (a->type == ACCOUNT_SMTP && (!a->host || !a->host[0]))
        return fail_item(item, err, "want a host, got none");
    if (a->type == ACCOUNT_OUTBOX && !a->path[0])
        return fail_item(item, err, "want a path, got an empty one");
    if (a->user && !a->password.value)
        return fail_item(item, err, "want a password beside the user, got none");
    if (a->password.value && !a->user)
        return fail_item(item, err, "want a user beside the password, got none");
    for (size_t i = 0; i < a->ip_count; i++) {
        unsigned char ip[16];
        bool v6;
        if (!is_ip(text_of(a->ips[i]), ip, &v6))
            return fail_item(item, err, "want ips to be IPv4 or IPv6 addresses");
    }
    struct domain ignored;
    if (a->mail_from &&
        config_mail_from(l->config, a, TEXT("example.org"), &ignored, err) != TIDE_OK)
        return fail_item(item, err, "want a domain as mail_from, perhaps with {domain} in it");
    if (a->backoff_min_ms > a->backoff_max_ms)
        return fail_item(item, err, "want a backoff_min up to backoff_max, got more");
    if (a->events_sns && strncmp(a->events_sns, "https://", 8) != 0)
        return fail_item(item, err, "want an events_sns that begins with https://");
    if (a->type == ACCOUNT_HTTPS || (a->type == ACCOUNT_SMTP && a->key.value))
        return check_https(item, a, err);
    return TIDE_OK;
}

static enum tide_err check_senders(const struct load *l,
                                   const struct load_item *item,
                                   const struct config_application *a,
                                   struct tide_error *err)
{
    const struct config_smtp *smtp = &l->config->smtp;
    const config_setting_t *s = config_setting_get_member(item->at, "senders");
    s = s ? s : item->at;
    if (a->sender_domain_count == 0)
        return doc_fail(item->doc, s, err, TIDE_EINVAL,
                        "want senders: the domains that it may send as, got none");
    for (size_t i = 0; i < a->sender_domain_count; i++) {
        struct text t = text_of(a->sender_domains[i]);
        if (!text_eq(t, TEXT("*"))) {
            if (text_find(t, '*') < t.n || text_find(t, '@') < t.n || text_find(t, ' ') < t.n)
                return doc_fail(item->doc, s, err, TIDE_EINVAL,
                                "want \"example.com\", \".example.com\" for all below, or \"*\", "
                                "got \"%.60s\"",
                                t.p);
            continue;
        }
        for (size_t k = 0; k < smtp->listen_count; k++)
            if (!is_local(text_of(smtp->listen[k])))
                return doc_fail(item->doc, s, err, TIDE_EPERM,
                                "\"*\" while SMTP listens on %.60s would be an open relay; want "
                                "sender domains, or listeners on loopback and Unix sockets only",
                                smtp->listen[k]);
    }
    return TIDE_OK;
}

/* -- Webhooks: signed with a good key, in the clear on this machine only -------------------------
 */

#define WEBHOOK_KEY_LEAST 24 /* bytes; Standard Webhooks 1.0: 24 to 64 */
#define WEBHOOK_KEY_MOST  64

static bool webhook_secret_ok(struct text list)
{
    static const struct text prefix = {"whsec_", 6};
    struct text one;
    size_t count = 0;
    bool ok = true;
    list = text_trim(list);
    for (; ok && text_split(&list, ' ', &one); count++) {
        struct buf key = {0};
        ok = text_starts(one, prefix) &&
             base64_decode(text_cut(one, prefix.n, SIZE_MAX), &key, NULL) == TIDE_OK &&
             key.len >= WEBHOOK_KEY_LEAST && key.len <= WEBHOOK_KEY_MOST;
        if (key.data)
            explicit_bzero(key.data, key.len);
        buf_fini(&key);
    }
    return ok && count > 0 && count <= WEBHOOK_SECRETS_MAX;
}

static bool webhook_url_ok(struct text url)
{
    static const struct text https = {"https://", 8}, http = {"http://", 7};
    bool plain = text_istarts(url, http);
    struct text host = text_cut(url, plain ? http.n : https.n, SIZE_MAX);
    size_t end = 0, port;
    if (!plain && !text_istarts(url, https))
        return false;
    while (end < host.n && !strchr("/?#", host.p[end]))
        end++;
    host.n = end;
    port = host.n > 0 && host.p[0] == '[' ? text_find(host, ']') + 1 : text_find(host, ':');
    struct text name = text_cut(host, 0, port);
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || url.p[i] == '#' || url.p[i] == 0x7f)
            return false;
    if (name.n == 0 || text_find(host, '@') < host.n)
        return false;
    return !plain || text_ieq(name, TEXT("localhost")) || text_eq(name, TEXT("[::1]")) ||
           (text_starts(name, TEXT("127.")) && address_ok(name, false));
}

static enum tide_err check_webhook(const struct load_item *item,
                                   const struct config_webhook *hook,
                                   struct tide_error *err)
{
    if (!hook->url != !hook->secret.value)
        return fail_item(item, err, "want webhook.url and webhook.secret together");
    if (hook->url && !webhook_url_ok(text_of(hook->url)))
        return doc_fail(item->doc, item->at, err, TIDE_EINVAL,
                        "webhook.url: want https://HOST[:PORT]/PATH, or http:// with localhost, "
                        "127.0.0.1 or [::1], got \"%.80s\"",
                        hook->url);
    if (hook->url && !webhook_secret_ok(text_of(hook->secret.value)))
        return fail_item(item, err,
                         "webhook.secret: want \"whsec_\" and 24 to 64 bytes in base64 (openssl "
                         "rand -base64 32 makes some)");
    return TIDE_OK;
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* Against those before it. */
static enum tide_err check_twins(const struct load *l, size_t at, struct tide_error *err)
{
    const struct config_application *all = l->config->applications, *a = &all[at];
    const struct load_item *item = &l->applications.items[at];
    for (size_t i = 0; i < at; i++) {
        const struct config_application *b = &all[i];
        const char *what = a->anonymous && b->anonymous       ? "is anonymous"
                           : same(a->smtp_user, b->smtp_user) ? "has the same smtp_user"
                           : same(a->key.value, b->key.value) ? "has the same key"
                           : same(a->ses_access_key, b->ses_access_key)
                               ? "has the same ses_access_key"
                               : NULL;
        if (what)
            return doc_fail(item->doc, item->at, err, TIDE_EEXIST,
                            "application %.60s %s too; only one may", b->name, what);
    }
    return TIDE_OK;
}

static enum tide_err check_application(const struct load *l, size_t at, struct tide_error *err)
{
    const struct config_application *a = &l->config->applications[at];
    const struct load_item *item = &l->applications.items[at];
    if (!a->anonymous && !a->key.value && !a->smtp_user && !a->ses_access_key)
        return fail_item(item, err,
                         "want a key, an smtp_user or anonymous = true, or nobody could use it");
    if (!a->ses_access_key != !a->ses_secret.value)
        return fail_item(item, err, "want ses_access_key and ses_secret together");
    if (!a->smtp_user != !a->smtp_password.value)
        return fail_item(item, err, "want smtp_user and smtp_password together");
    enum tide_err rc = check_senders(l, item, a, err);
    if (rc == TIDE_OK)
        rc = check_webhook(item, &a->webhook, err);
    return rc == TIDE_OK ? check_twins(l, at, err) : rc;
}

enum tide_err load_check(struct load *l, struct tide_error *err)
{
    const struct config *c = l->config;
    enum tide_err rc = check_plain(l, err);
    if (rc != TIDE_OK)
        return rc;
    if (c->stream_count == 0 || c->account_count == 0 || c->application_count == 0)
        return fail_plain(l,
                          c->stream_count == 0    ? "streams"
                          : c->account_count == 0 ? "accounts"
                                                  : "applications",
                          err, "want at least one member", "{ }");
    for (size_t i = 0; i < c->account_count && rc == TIDE_OK; i++)
        rc = check_account(l, &l->accounts.items[i], &c->accounts[i], err);
    for (size_t i = 0; i < c->application_count && rc == TIDE_OK; i++)
        rc = check_application(l, i, err);
    return rc;
}
