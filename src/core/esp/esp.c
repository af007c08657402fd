#include "core/esp/esp.h"

#include "base/macros.h"

#include <stdio.h>

/* SendGrid's before Mailgun's: "suppression" is no domain. */
static const struct esp_call *const tables[] = {
    esp_sendgrid_calls, esp_postmark_calls,  esp_resend_calls,     esp_mailgun_calls,
    esp_ses_calls,      esp_ses_query_calls, esp_sendgrid_manages, esp_postmark_manages,
    esp_resend_manages, esp_mailgun_manages, esp_ses_manages,
};

/* Each "*" in the pattern takes one segment. */
static bool path_matches(struct text path,
                         const struct esp_call *c,
                         struct text ret_wild[ESP_WILDS_MAX])
{
    size_t wilds = 0;
    for (const char *p = c->path; *p || path.n > 0;) {
        if (*p != '*') {
            if (path.n == 0 ||
                (c->esp->any_case ? ascii_lower(*p) != ascii_lower(path.p[0]) : *p != path.p[0]))
                return false;
            p++;
            path = text_cut(path, 1, SIZE_MAX);
            continue;
        }
        size_t n = text_find(path, '/');
        if (n == 0 || wilds == ESP_WILDS_MAX)
            return false;
        ret_wild[wilds++] = text_cut(path, 0, n);
        path = text_cut(path, n, SIZE_MAX);
        p++;
    }
    return true;
}

const struct esp_call *esp_find(struct text method,
                                struct text path,
                                struct text ret_wild[ESP_WILDS_MAX],
                                bool *ret_method)
{
    const struct esp_call *near = NULL;
    for (size_t i = 0; i < TIDE_COUNT(tables); i++) {
        for (const struct esp_call *c = tables[i]; c->path; c++) {
            for (size_t k = 0; k < ESP_WILDS_MAX; k++)
                ret_wild[k] = TEXT("");
            if (!path_matches(path, c, ret_wild))
                continue;
            if (!near && !text_eq(path, TEXT("/"))) /* what is no POST there is not for an ESP */
                near = c;
            if (text_eq(method, text_of(c->method))) {
                *ret_method = true;
                return c;
            }
        }
    }
    *ret_method = false;
    return near;
}

bool esp_is_own(struct text path)
{
    return text_starts(path, TEXT("/v1/")) && !text_starts(path, TEXT("/v1/analytics/"));
}

static bool read_nothing(struct esp_reading *r)
{
    r->why->fault = ESP_NOT_HERE;
    snprintf(r->why->message, sizeof r->why->message,
             TEXT_FMT " " TEXT_FMT " is not answered by mailtide, which stands in for this API.",
             TEXT_ARG(r->ask->method), TEXT_ARG(text_cut(r->ask->path, 0, 200)));
    return false;
}

const struct esp_call *esp_meant(struct text path, struct text authorization, bool token)
{
    static const struct esp_call others[] = {
        {&esp_postmark, "", "", read_nothing, NULL}, {&esp_mailgun, "", "", read_nothing, NULL},
        {&esp_ses, "", "", read_nothing, NULL},      {&esp_sendgrid, "", "", read_nothing, NULL},
        {&esp_resend, "", "", read_nothing, NULL},
    };
    bool bearer = text_istarts(authorization, TEXT("Bearer "));
    if (esp_is_own(path))
        return NULL;
    if (token)
        return &others[0];
    if (text_eq(path, TEXT("/")) || text_eq(path, TEXT("/metrics")))
        return NULL;
    if (text_istarts(authorization, TEXT("Basic ")))
        return &others[1];
    if (text_starts(path, TEXT("/v2/email/")) ||
        text_starts(authorization, TEXT("AWS4-HMAC-SHA256 ")))
        return &others[2];
    if (text_starts(path, TEXT("/v3/")))
        return &others[3];
    return bearer ? &others[4] : NULL;
}

/* What all mails weigh together, about as they will be composed. */
static size_t weigh(const struct esp_batch *batch)
{
    size_t bytes = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct api_draft *d = &batch->mails[i].draft;
        bytes += d->message.n + d->text.n + d->html.n;
        for (size_t k = 0; k < d->attachment_count; k++)
            bytes += d->attachments[k].content.n / 3 * 4;
    }
    return bytes;
}

bool esp_read(const struct esp_ask *ask,
              struct arena *arena,
              struct esp_batch *ret,
              struct esp_refusal *why)
{
    if (!ask->call->read(&(struct esp_reading){ask, arena, ret, why}))
        return false;
    if (!ret->overfull && weigh(ret) <= ESP_BYTES_MAX)
        return true;
    *why = (struct esp_refusal){
        .fault = ESP_TOO_LARGE,
        .message =
            "The mails of this request are too large together, or too much is to be filled in.",
    };
    return false;
}

const struct esp_refusal *esp_first_refusal(const struct esp_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->mails[i].refusal)
            return batch->mails[i].refusal;
    return NULL;
}

void esp_batch_fini(struct esp_batch *batch)
{
    json_free(batch->doc);
    batch->doc = NULL;
}
