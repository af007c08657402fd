#include "core/esp/ses.h"

#include "core/digest/message.h"

static const struct esp_message_rules raw_rules = {"X-SES-*", "X-SES-CONFIGURATION-SET"};

bool ses_recipient(struct esp_reading *r, struct text t, struct api_addresses *ret)
{
    struct text bad;
    return esp_mailboxes(r, t, ret, &bad) ||
           esp_refuse(r, ESP_BAD_ADDRESS, "Destination", "Illegal address: " TEXT_FMT,
                      TEXT_ARG(text_cut(bad, 0, 200)));
}

bool ses_sender(struct esp_reading *r, struct text t, struct mailbox *ret)
{
    struct api_addresses list = {0};
    struct text bad;
    if (!esp_mailboxes(r, t, &list, &bad) || list.count != 1)
        return esp_refuse(r, ESP_SENDER, "FromEmailAddress",
                          "Email address is not verified. The following identities failed the "
                          "check: " TEXT_FMT,
                          TEXT_ARG(text_cut(t, 0, 200)));
    *ret = list.list[0];
    return true;
}

bool ses_check_recipients(struct esp_reading *r, const struct api_draft *d)
{
    size_t count = d->to.count + d->cc.count + d->bcc.count;
    if (count == 0)
        return esp_refuse(r, ESP_MISSING, "Destination", "Missing final '@domain'");
    if (count > SES_RECIPIENTS_MAX || count > r->ask->recipients_max)
        return esp_refuse(r, ESP_TOO_MANY, "Destination", "Recipient count exceeds %d.",
                          SES_RECIPIENTS_MAX);
    return true;
}

static bool recipients_of_header(struct esp_reading *r, struct api_draft *d)
{
    struct message m;
    struct mailbox *list;
    size_t count;
    if (message_open(d->message, &m, NULL) != TIDE_OK ||
        message_recipients(&m, r->arena, &list, &count, NULL) != TIDE_OK)
        return esp_refuse(r, ESP_BAD_VALUE, "Content", "The recipients cannot be read.");
    for (size_t i = 0; i < count; i++)
        if (!esp_is_address(list[i].address))
            return esp_refuse(r, ESP_BAD_ADDRESS, "Content", "Illegal address: " TEXT_FMT,
                              TEXT_ARG(text_cut(list[i].address, 0, 200)));
    d->to = (struct api_addresses){list, count};
    return true;
}

bool ses_raw(struct esp_reading *r, struct text encoded, struct api_draft *d)
{
    struct mailbox given = d->from;
    struct text id, whole = esp_base64(r, encoded);
    if (!whole.n)
        return esp_refuse(r, ESP_BAD_VALUE, "Content", "Raw data must be a message in base64.");
    if (!esp_message(r, whole, &raw_rules, TEXT(""), d, &id))
        return esp_refuse(r, ESP_BAD_VALUE, "Content",
                          "The message cannot be read, or its From is no address.");
    if (!d->from.address.p)
        return esp_refuse(r, ESP_MISSING, "Content", "Missing required header 'From'.");
    if (given.address.p)
        d->from = given;
    if (d->to.count + d->cc.count + d->bcc.count == 0 && !recipients_of_header(r, d))
        return false;
    return ses_check_recipients(r, d);
}

bool ses_take_key(struct esp_reading *r, struct api_draft *d, int index)
{
    struct text id = r->ask->headers[SES_HEADER_INVOCATION];
    if (id.n == 0 || id.n > 200)
        return true;
    const char *key = index < 0
                          ? arena_printf(r->arena, "ses/" TEXT_FMT, TEXT_ARG(id))
                          : arena_printf(r->arena, "ses/" TEXT_FMT "/%d", TEXT_ARG(id), index);
    d->key = text_of(key);
    return key || esp_no_memory(r);
}
