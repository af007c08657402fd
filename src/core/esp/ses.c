#include "core/esp/ses.h"

#include "base/macros.h"
#include "core/digest/message.h"

#include <stdio.h>

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
    bool good = esp_mailboxes(r, t, &list, &bad) && list.count == 1;
    if (!good && r->ask->call->esp == &esp_ses_query) /* nodemailer's verify() waits for that */
        return esp_refuse(r, ESP_BAD_ADDRESS, "Source", "Illegal address: " TEXT_FMT,
                          TEXT_ARG(text_cut(t, 0, 200)));
    if (!good)
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

/* -- Templates ----------------------------------------------------------------------------------
 */

bool ses_merge_data(struct esp_reading *r, const struct text data[2], struct text *ret)
{
    struct json *docs[2] = {NULL, NULL};
    struct buf all = {0}, value = {0};
    struct json_writer w;
    bool good = true;
    jw_init(&w, &all);
    jw_object(&w, NULL);
    for (size_t i = 0; good && i < 2; i++) {
        struct text name;
        const struct json *v;
        if (data[i].n > 0 && (json_parse(data[i], SIZE_MAX, &docs[i], NULL) != TIDE_OK ||
                              json_kind(docs[i]) != JSON_KIND_OBJECT))
            good = esp_refuse(r, ESP_BAD_VALUE, "TemplateData", "TemplateData is not valid JSON.");
        for (void *pos = NULL; good && json_next(docs[i], &pos, &name, &v);) {
            const char *key = arena_strndup(r->arena, name.p, name.n);
            if (!key)
                good = esp_no_memory(r);
            else if (i == 0 || !json_member(docs[0], key)) {
                buf_clear(&value);
                json_dump(v, &value);
                jw_json(&w, key, buf_text(&value));
            }
        }
    }
    jw_end(&w);
    if (good) {
        *ret = arena_text(r->arena, buf_text(&all));
        good = (all.failed == TIDE_OK && value.failed == TIDE_OK && ret->p) || esp_no_memory(r);
    }
    buf_fini(&all);
    buf_fini(&value);
    json_free(docs[0]);
    json_free(docs[1]);
    return good;
}

bool ses_stored(struct esp_reading *r,
                const struct ses_template *t,
                struct text data,
                struct api_draft *d)
{
    char unknown[ESP_MESSAGE_BYTES];
    snprintf(unknown, sizeof unknown,
             "Template " TEXT_FMT " does not exist: templates stored at SES are not known here.",
             TEXT_ARG(text_cut(t->name, 0, 100)));
    const struct esp_member members[] = {
        {.name = "TemplateName", .value = t->name},
        {.name = "TemplateArn", .value = t->arn},
        {.name = "TemplateData", .value = data},
    };
    return esp_template(r, members, TIDE_COUNT(members), t->field, unknown, d);
}
