/* events_fuzz.h - any bytes as the body of one ESP's webhook: read or refused, never both. */
#ifndef TESTS_LIB_EVENTS_FUZZ_H
#define TESTS_LIB_EVENTS_FUZZ_H

#include "core/esp/events.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What headers say is chosen so that bodies of the corpus get through. */
static inline struct text events_fuzz_header(void *arg, const char *name)
{
    static const struct {
        const char *name, *value;
    } headers[] = {
        {"x-amz-sns-message-type", "Notification"},
        {"x-amz-sns-message-id", "m-1"},
        {"svix-id", "msg_1"},
        {"svix-timestamp", "1800000000"},
        {"svix-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"X-Twilio-Email-Event-Webhook-Signature", "AAAA"},
        {"X-Twilio-Email-Event-Webhook-Timestamp", "1800000000"},
        {"X-Postal-Signature", "AAAA"},
        {"Signature", "0000000000000000000000000000000000000000000000000000000000000000"},
        {"Mailtrap-Signature", "0000000000000000000000000000000000000000000000000000000000000000"},
        {"X-Mandrill-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (text_ieq(text_of(name), text_of(headers[i].name)))
            return text_of(headers[i].value);
    return (struct text){NULL, 0};
}

static inline size_t events_fuzz_zeros(unsigned char out[EVENTS_HASH_BYTES], enum events_hash h)
{
    size_t n = h == EVENTS_MD5 ? 16 : h == EVENTS_SHA1 ? 20 : 32;
    memset(out, 0, n);
    return n;
}

static inline size_t events_fuzz_digest(enum events_hash h,
                                        const struct text *parts,
                                        size_t count,
                                        unsigned char out[EVENTS_HASH_BYTES])
{
    (void)parts;
    (void)count;
    return events_fuzz_zeros(out, h);
}

static inline size_t events_fuzz_hmac(enum events_hash h,
                                      struct text key,
                                      const struct text *parts,
                                      size_t count,
                                      unsigned char out[EVENTS_HASH_BYTES])
{
    (void)key;
    (void)parts;
    (void)count;
    return events_fuzz_zeros(out, h);
}

static inline bool events_fuzz_verify(enum events_key kind,
                                      enum events_hash h,
                                      struct text key,
                                      const struct text *parts,
                                      size_t count,
                                      struct text signature)
{
    (void)kind;
    (void)h;
    (void)key;
    (void)parts;
    (void)count;
    return signature.n > 0;
}

/* Every signature of zeros is right: what lies behind it is to be reached. */
static inline void events_fuzz_once(struct events_ask *ask)
{
    struct arena a = {0};
    struct events_batch b;
    enum events_end end = events_read(ask, &a, &b);
    assert((end == EVENTS_REFUSED) == (b.fault != EVENTS_FINE));
    assert(b.count <= EVENTS_MAX && (end == EVENTS_READ || b.count == 0));
    for (size_t i = 0; i < b.count; i++) {
        const struct mail_news *n = &b.news[i];
        assert(n->kind <= NEWS_UNSUBSCRIBED && n->word.n > 0);
        assert(n->code >= 0 && n->code < 600 && n->at >= 0 && n->attempt_id >= 0);
    }
    events_batch_fini(&b);
    arena_fini(&a);
}

static inline void events_fuzz(const struct events_api *api, const uint8_t *data, size_t size)
{
    static char topic[] = "arn:aws:sns:eu-west-1:1:t";
    static char *const topics[] = {topic};
    static const struct events_crypto crypto = {events_fuzz_digest, events_fuzz_hmac,
                                                events_fuzz_verify};
    bool form = size > 0 && data[0] != '{' && data[0] != '[';
    struct events_ask ask = {.api = api,
                             .secrets = {.open = true},
                             .body = {(const char *)data, size},
                             .content_type = form ? TEXT("application/x-www-form-urlencoded")
                                                  : TEXT("application/json"),
                             .url = TEXT("https://gate.test/v1/events/x"),
                             .header = events_fuzz_header,
                             .now = 1800000000000,
                             .crypto = &crypto};
    events_fuzz_once(&ask);
    ask.secrets = (struct events_secrets){.key = TEXT("AAAA"), .topics = topics, .topic_count = 1};
    ask.certificate = TEXT("pem");
    events_fuzz_once(&ask);
}

#endif
