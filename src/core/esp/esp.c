#include "core/esp/esp.h"

#include "base/macros.h"

static const struct esp_call *const tables[] = {
    esp_sendgrid_calls, esp_postmark_calls, esp_resend_calls,
    esp_mailgun_calls,  esp_ses_calls,      esp_ses_query_calls,
};

/* "*" in the pattern takes one segment. */
static bool path_matches(struct text path, const char *pattern, struct text *ret_wild)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return text_eq(path, text_of(pattern));
    struct text before = {pattern, (size_t)(star - pattern)}, after = text_of(star + 1);
    if (path.n <= before.n + after.n || !text_starts(path, before))
        return false;
    struct text wild = text_cut(path, before.n, path.n - before.n - after.n);
    if (text_find(wild, '/') < wild.n ||
        !text_eq(text_cut(path, before.n + wild.n, after.n), after))
        return false;
    *ret_wild = wild;
    return true;
}

const struct esp_call *esp_find(struct text method,
                                struct text path,
                                struct text *ret_wild,
                                bool *ret_method)
{
    const struct esp_call *near = NULL;
    *ret_wild = TEXT("");
    for (size_t i = 0; i < TIDE_COUNT(tables); i++) {
        for (const struct esp_call *c = tables[i]; c->path; c++) {
            if (!path_matches(path, c->path, ret_wild))
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
    if (!ask->call->read(ask, arena, ret, why))
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
