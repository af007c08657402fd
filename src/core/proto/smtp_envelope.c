#include "core/proto/smtp_envelope.h"

#include <inttypes.h>

/* What stands inside "<...>" must not end it, nor the line: blanks and ">" only in a quoted local
 * part, control characters nowhere. */
static bool is_path(struct text t)
{
    bool quoted = false;
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c < ' ' || c == 0x7F)
            return false;
        if (quoted && c == '\\') {
            if (++i == t.n || (unsigned char)t.p[i] < ' ' || t.p[i] == 0x7F)
                return false;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ' ' || c == '<' || c == '>')) {
            return false;
        }
    }
    return !quoted;
}

/* The value of an ESMTP parameter (RFC 5321 4.1.2), which xtext is as well. */
static bool is_value(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] <= ' ' || t.p[i] > '~')
            return false;
    return t.n > 0;
}

static bool utf8_missing(const struct smtp_client *c, struct text address, struct reply *ret)
{
    if (text_is_ascii(address) || smtp_client_offers(c, SMTP_EXT_SMTPUTF8))
        return false;
    reply_set(ret, 553, (const int[]){5, 6, 7},
              "the address is not ASCII, and %s does not offer SMTPUTF8 (RFC 6531)",
              c->config->peer);
    return true;
}

bool envelope_refused(const struct smtp_client *c, const struct smtp_mail *m, struct reply *ret)
{
    if (!is_path(m->sender)) {
        reply_set(ret, 553, (const int[]){5, 1, 7}, "the sender address cannot be put into MAIL");
        return true;
    }
    if (utf8_missing(c, m->sender, ret))
        return true;
    if (m->smtputf8 && !smtp_client_offers(c, SMTP_EXT_SMTPUTF8)) {
        reply_set(ret, 550, (const int[]){5, 6, 7},
                  "the message needs SMTPUTF8 (RFC 6531), which %s does not offer",
                  c->config->peer);
        return true;
    }
    if (c->offer.size_max > 0 && m->message.n > (uint64_t)c->offer.size_max) {
        reply_set(ret, 552, (const int[]){5, 3, 4},
                  "the message has %zu bytes, %s takes at most %" PRId64 " (SIZE, RFC 1870)",
                  m->message.n, c->config->peer, c->offer.size_max);
        return true;
    }
    return false;
}

bool envelope_rcpt_refused(const struct smtp_client *c,
                           const struct smtp_rcpt *rcpt,
                           struct reply *ret)
{
    if (rcpt->address.n > 0 && is_path(rcpt->address))
        return utf8_missing(c, rcpt->address, ret);
    reply_set(ret, 553, (const int[]){5, 1, 3}, "the recipient address cannot be put into RCPT");
    return true;
}

static void add_param(struct buf *out, const char *name, struct text value)
{
    if (!is_value(value))
        return;
    buf_addf(out, " %s=", name);
    buf_add_text(out, value);
}

void envelope_add_mail(const struct smtp_client *c, const struct smtp_mail *m, struct buf *out)
{
    buf_adds(out, "MAIL FROM:<");
    buf_add_text(out, m->sender);
    buf_addc(out, '>');
    if (smtp_client_offers(c, SMTP_EXT_SIZE))
        buf_addf(out, " SIZE=%zu", m->message.n);
    if (smtp_client_offers(c, SMTP_EXT_8BITMIME) && !text_is_ascii(m->message))
        buf_adds(out, " BODY=8BITMIME");
    bool utf8 = m->smtputf8 || !text_is_ascii(m->sender);
    for (size_t i = 0; i < m->rcpt_count; i++)
        utf8 |= !text_is_ascii(m->rcpts[i].address);
    if (utf8 && smtp_client_offers(c, SMTP_EXT_SMTPUTF8))
        buf_adds(out, " SMTPUTF8");
    if (smtp_client_offers(c, SMTP_EXT_DSN)) {
        add_param(out, "RET", m->ret);
        add_param(out, "ENVID", m->envid);
    }
    buf_adds(out, "\r\n");
}

void envelope_add_rcpt(const struct smtp_client *c, const struct smtp_rcpt *r, struct buf *out)
{
    buf_adds(out, "RCPT TO:<");
    buf_add_text(out, r->address);
    buf_addc(out, '>');
    if (smtp_client_offers(c, SMTP_EXT_DSN)) {
        add_param(out, "NOTIFY", r->notify);
        add_param(out, "ORCPT", r->orcpt);
    }
    buf_adds(out, "\r\n");
}
