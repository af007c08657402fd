#include "core/verify/sender_account.h"

#include "base/macros.h"

#include <arpa/inet.h>
#include <stdio.h>

bool sender_ip_parse(struct text t, struct sender_ip *ret)
{
    struct sender_ip ip = {.v6 = text_find(t, ':') < t.n};
    if (t.n >= sizeof ip.text)
        return false;
    snprintf(ip.text, sizeof ip.text, TEXT_FMT, TEXT_ARG(t));
    if (inet_pton(ip.v6 ? AF_INET6 : AF_INET, ip.text, ip.octets) != 1)
        return false;
    *ret = ip;
    return true;
}

enum tide_err sender_account_take(struct sender_account *keep,
                                  const struct config *c,
                                  const struct config_account *a,
                                  struct sender_input *in,
                                  struct tide_error *err)
{
    in->account = a->profile;
    if (in->selector_count == 0) {
        in->selectors = keep->selectors;
        for (size_t i = 0; i < a->selector_count && i < TIDE_COUNT(keep->selectors); i++)
            keep->selectors[in->selector_count++] = text_of(a->selectors[i]);
    }
    if (in->ip_count == 0) {
        in->ips = keep->ips;
        for (size_t i = 0; i < a->ip_count && in->ip_count < TIDE_COUNT(keep->ips); i++)
            in->ip_count += sender_ip_parse(text_of(a->ips[i]), &keep->ips[in->ip_count]);
    }
    if (in->mail_from.n)
        return TIDE_OK;
    enum tide_err rc = config_mail_from(c, a, in->domain, &keep->mail_from, err);
    if (rc == TIDE_OK)
        in->mail_from = domain_text(&keep->mail_from);
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "mail_from of account %s", a->name);
}
