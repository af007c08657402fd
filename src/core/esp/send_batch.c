#include "core/esp/send_batch.h"

#include "base/macros.h"

#include <stdlib.h>

#define KEY_HEADER "Idempotency-Key"

size_t send_batch_max(const struct send_api *api)
{
    return api->read_batch ? api->batch_max : 1;
}

size_t send_batch_answer_max(size_t count)
{
    return SEND_ANSWER_MAX + count * SEND_BATCH_ANSWER_BYTES;
}

/* -- Building ----------------------------------------------------------------------------------*/

bool send_batch_goes_with(const struct send_request *a, const struct send_request *b)
{
    return a->bundle && a->bundle == b->bundle;
}

/* Those of the first mail; a key would stand for it alone. */
static enum tide_err put_headers(const struct send_request *one,
                                 size_t count,
                                 tide_id first,
                                 struct arena *arena,
                                 struct send_request *ret,
                                 struct tide_error *err)
{
    char id[ID_TEXT_BYTES];
    for (size_t i = 0; i < one->header_count; i++) {
        const struct send_header *h = &one->headers[i];
        struct text value = h->value;
        if (text_ieq(text_of(h->name), TEXT(KEY_HEADER))) {
            char *key = arena_printf(arena, "mailtide-batch-%s-%zu", id_text(first, id), count);
            if (!key)
                return tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
            value = text_of(key);
        }
        send_add_header(ret, h->name, value);
    }
    if (one->bundle->header)
        send_add_header(ret, one->bundle->header, text_of(one->bundle->value));
    return TIDE_OK;
}

enum tide_err send_batch_build(const struct send_request *const *each,
                               size_t count,
                               tide_id first,
                               struct arena *arena,
                               struct send_request *ret,
                               struct tide_error *err)
{
    const struct send_bundle *bundle = each[0]->bundle;
    enum tide_err rc = put_headers(each[0], count, first, arena, ret, err);
    if (rc != TIDE_OK)
        return rc;
    ret->path = text_of(bundle->path);
    buf_adds(&ret->body, bundle->open);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_addc(&ret->body, ',');
        buf_add_text(&ret->body, buf_text(&each[i]->body));
    }
    buf_adds(&ret->body, bundle->close);
    return buf_check(&ret->body, err);
}

/* -- Reading -----------------------------------------------------------------------------------*/

static void say_all(const struct send_said *whole, size_t count, struct send_said *each)
{
    for (size_t i = 0; i < count; i++)
        each[i] = *whole;
}

/* Does the API itself say, in its own form, that it failed? Where the same request can be sent
 * again with its key there is no need to believe it. */
static bool is_own_error(const struct send_api *api, const struct send_answer *answer)
{
    struct json *doc = NULL;
    struct send_words w = {0};
    if (!api->idempotent && json_parse(answer->body, SEND_ANSWER_MAX, &doc, NULL) == TIDE_OK)
        api->read(answer, doc, &w);
    bool own = w.words.n > 0;
    json_free(doc);
    return own;
}

/* The answer is not one to a batch. */
static enum send_batch_said read_whole(const struct send_api *api,
                                       const struct send_answer *answer,
                                       size_t count,
                                       struct send_said *each)
{
    struct send_said whole;
    bool taken = answer->status >= 200 && answer->status < 300;
    bool halfway = answer->status >= 500 && answer->status != 501 && answer->status != 503 &&
                   !is_own_error(api, answer);
    if (taken || halfway) {
        struct send_words w = {.meaning = SEND_LOST,
                               .words = text_trim(text_cut(answer->body, 0, SEND_IDLE_WORDS))};
        send_say(api, answer, &w, &whole);
    } else {
        send_read(api, answer, &whole);
    }
    say_all(&whole, count, each);
    if (answer->status == 404 || answer->status == 405 || answer->status == 501)
        return SEND_BATCH_NEVER;
    return whole.fate == SEND_REFUSED && !whole.account_fault ? SEND_BATCH_APART : SEND_BATCH_EACH;
}

enum send_batch_said send_batch_read(const struct send_api *api,
                                     const struct send_answer *answer,
                                     size_t count,
                                     struct send_said *each)
{
    struct json *doc = NULL;
    size_t most = send_batch_answer_max(count);
    struct text body = text_cut(answer->body, 0, most);
    struct send_words *words = NULL;
    if (answer->status >= 200 && answer->status < 300) {
        words = calloc(count, sizeof *words);
        if (body.n > 0 && json_parse(body, most, &doc, NULL) != TIDE_OK)
            doc = NULL;
    }
    bool fits = words && doc && api->read_batch(doc, count, words);
    for (size_t i = 0; fits && i < count; i++)
        send_say(api, answer, &words[i], &each[i]);
    json_free(doc);
    free(words);
    return fits ? SEND_BATCH_EACH : read_whole(api, answer, count, each);
}
