/* What a mail by SMTP wants given back with its events: each ESP's own header field, from its
 * documentation.
 *
 *   sendgrid   X-SMTPAPI: {"unique_args": {...}}
 *   ses        X-SES-MESSAGE-TAGS: name=value, name=value
 *   mailgun    X-Mailgun-Variables: {...}
 *   postmark   X-PM-Metadata-NAME: value
 *   sparkpost  X-MSYS-API: {"metadata": {...}}
 *   brevo      X-Mailin-custom: as it is
 */
#include "cmd/mailtide-lab/esp_api.h"

static void add_object(struct lab_mail *m, struct text value, const char *member, struct json **doc)
{
    if (value.n > 0 && json_parse(value, value.n, doc, NULL) == TIDE_OK)
        lab_add_pairs(m, member ? json_member(*doc, member) : *doc);
}

static void add_tags(struct lab_mail *m, struct text tags)
{
    for (struct text one; text_split(&tags, ',', &one);) {
        size_t at = text_find(one, '=');
        if (at < one.n)
            lab_add_pair(m, text_trim(text_cut(one, 0, at)),
                         text_trim(text_cut(one, at + 1, SIZE_MAX)));
    }
}

static void add_fields(struct lab_mail *m, const struct message *message)
{
    static const struct text prefix = {"X-PM-Metadata-", 14};
    struct header h;
    for (size_t pos = 0; message_next(message, &pos, &h);)
        if (text_istarts(h.name, prefix))
            lab_add_pair(m, text_cut(h.name, prefix.n, SIZE_MAX), text_trim(h.raw));
}

void lab_read_smtp_args(const struct esp *e,
                        struct text message,
                        struct arena *a,
                        struct lab_mail *ret,
                        struct json **doc)
{
    struct message m;
    if (message_open(message, &m, NULL) != TIDE_OK)
        return;
    if (e->api == &lab_sendgrid)
        add_object(ret, message_raw_value(&m, TEXT("X-SMTPAPI"), a), "unique_args", doc);
    else if (e->api == &lab_mailgun)
        add_object(ret, message_raw_value(&m, TEXT("X-Mailgun-Variables"), a), NULL, doc);
    else if (e->api == &lab_sparkpost)
        add_object(ret, message_raw_value(&m, TEXT("X-MSYS-API"), a), "metadata", doc);
    else if (e->api == &lab_ses)
        add_tags(ret, message_raw_value(&m, TEXT("X-SES-MESSAGE-TAGS"), a));
    else if (e->api == &lab_postmark)
        add_fields(ret, &m);
    else if (e->api == &lab_brevo && message_has(&m, TEXT("X-Mailin-custom")))
        lab_add_pair(ret, TEXT("X-Mailin-custom"),
                     message_raw_value(&m, TEXT("X-Mailin-custom"), a));
}
