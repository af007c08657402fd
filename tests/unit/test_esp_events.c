/* Webhooks of each ESP: what is read from them, what proves them, what is refused by name.
 * Signatures of the ESPs' own clients: tests/conformance/test_webhooks_corpus.c; made by another
 * program: tests/e2e/events_in.py. */
#include "core/esp/events_fields.h"
#include "io/crypto/events_crypto.h"
#include "lib/check.h"

#include <inttypes.h>
#include <stdlib.h>

#define A   "0c2kq7b3g4h01"
#define NOW 1800000000000LL /* 2027-01-15T08:00:00Z */

static struct text no_header(void *arg, const char *name)
{
    const char *const *headers = arg; /* name, value, ..., NULL */
    for (size_t i = 0; headers && headers[i]; i += 2)
        if (text_ieq(text_of(headers[i]), text_of(name)))
            return text_of(headers[i + 1]);
    return (struct text){NULL, 0};
}

static enum events_end read_body(const char *api,
                                 const char *body,
                                 const char *const *headers,
                                 struct arena *a,
                                 struct events_batch *ret)
{
    struct events_ask ask = {.api = events_api_find(text_of(api)),
                             .secrets = {.open = true},
                             .body = text_of(body),
                             .content_type = TEXT("application/json"),
                             .header = no_header,
                             .arg = (void *)(uintptr_t)headers,
                             .now = NOW,
                             .crypto = &events_crypto_openssl};
    T_TRUE(ask.api, "%s", api);
    return events_read(&ask, a, ret);
}

/* -- What is read -------------------------------------------------------------------------------
 */

/* One event of a request as a line: kind word recipient code status esp_id key, "-" for nothing,
 * "+" behind the kind where our attempt's id was found. */
static void line_of(const struct mail_news *n, struct buf *out)
{
    const struct text texts[] = {n->esp_id, n->key};
    buf_addf(out, "%s%s " TEXT_FMT " " TEXT_FMT " %d %d.%d.%d", news_kind_name(n->kind),
             n->attempt_id ? "+" : "", TEXT_ARG(n->word),
             TEXT_ARG(n->recipient.n ? n->recipient : TEXT("-")), n->code, n->status[0],
             n->status[1], n->status[2]);
    for (size_t i = 0; i < TIDE_COUNT(texts); i++)
        buf_addf(out, " " TEXT_FMT, TEXT_ARG(texts[i].n ? texts[i] : TEXT("-")));
    buf_adds(out, "\n");
}

static const char *const no_headers[] = {NULL};

static const struct {
    const char *api, *body, *want;
} readings[] = {
    {"sendgrid",
     "[{\"event\":\"bounce\",\"email\":\"a@x.test\",\"timestamp\":1,\"sg_event_id\":\"e\","
     "\"sg_message_id\":\"abc.d.filter0001.2.0\",\"mailtide_attempt\":\"" A
     "\",\"status\":\"5.1.1\",\"reason\":\"550 5.1.1 no such user\"},"
     "{\"event\":\"dropped\",\"email\":\"b@x.test\",\"reason\":\"Bounced Address\"},"
     "{\"event\":\"brand_new\",\"email\":7}]",
     "bounced+ bounced a@x.test 550 5.1.1 abc.d e\ndropped rejected b@x.test 0 0.0.0 - -\n"
     "other unknown 7 0 0.0.0 - -\n"},
    {"sendgrid", "[]", ""},
    {"ses",
     "{\"notificationType\":\"Bounce\",\"mail\":{\"messageId\":\"m\"},\"bounce\":{\"bounceType\":"
     "\"Permanent\",\"bounceSubType\":\"OnAccountSuppressionList\",\"bouncedRecipients\":[{"
     "\"emailAddress\":\"Ann <a@x.test>\"}]}}",
     "dropped bounced a@x.test 0 0.0.0 m -\n"},
    {"ses",
     "{\"eventType\":\"Open\",\"mail\":{\"messageId\":\"m\",\"destination\":[\"a@x.test\","
     "\"b@x.test\"],\"tags\":{\"mailtide_attempt\":[\"" A "\"]}},\"open\":{}}",
     "other+ opened a@x.test 0 0.0.0 m -\nother+ opened b@x.test 0 0.0.0 m -\n"},
    {"ses",
     "{\"id\":\"b1\",\"source\":\"aws.ses\",\"time\":\"2027-01-15T08:00:00Z\",\"detail\":{"
     "\"eventType\":\"DeliveryDelay\",\"mail\":{\"messageId\":\"m\"},\"deliveryDelay\":{"
     "\"delayedRecipients\":[{\"emailAddress\":\"a@x.test\",\"status\":\"4.2.2\","
     "\"diagnosticCode\":"
     "\"smtp; 452 4.2.2 full\"}]}}}",
     "deferred deferred a@x.test 452 4.2.2 m b1|a@x.test\n"},
    {"ses", "{\"eventType\":\"New Thing\",\"mail\":{\"destination\":[\"a@x.test\"]}}",
     "other unknown a@x.test 0 0.0.0 - -\n"},
    {"ses",
     "{\"eventType\":\"Complaint\",\"mail\":{\"messageId\":\"m\"},\"complaint\":{"
     "\"complaintFeedbackType\":\"not-spam\",\"complainedRecipients\":[{\"emailAddress\":"
     "\"a@x.test\"}]}}",
     "other complained a@x.test 0 0.0.0 m -\n"},
    {"ses",
     "{\"eventType\":\"Complaint\",\"mail\":{\"messageId\":\"m\"},\"complaint\":{"
     "\"complaintSubType\":\"OnAccountSuppressionList\",\"complainedRecipients\":[{"
     "\"emailAddress\":"
     "\"a@x.test\"}]}}",
     "dropped complained a@x.test 0 0.0.0 m -\n"},
    {"ses",
     "{\"eventType\":\"Subscription\",\"mail\":{\"destination\":[\"a@x.test\"]},\"subscription\":{"
     "\"newTopicPreferences\":{\"unsubscribeAll\":true}}}",
     "unsubscribed unsubscribed a@x.test 0 0.0.0 - -\n"},
    {"ses",
     "{\"eventType\":\"Subscription\",\"mail\":{\"destination\":[\"a@x.test\"]},\"subscription\":{"
     "\"newTopicPreferences\":{\"unsubscribeAll\":false,\"topicSubscriptionStatus\":[{"
     "\"topicName\":"
     "\"t\",\"subscriptionStatus\":\"OptIn\"}]}}}",
     "other subscribed a@x.test 0 0.0.0 - -\n"},
    {"ses",
     "{\"eventType\":\"Subscription\",\"mail\":{\"destination\":[\"a@x.test\"]},\"subscription\":{"
     "\"newTopicPreferences\":{\"unsubscribeAll\":false,\"topicSubscriptionStatus\":[{"
     "\"topicName\":"
     "\"t\",\"subscriptionStatus\":\"OptOut\"}]}}}",
     "unsubscribed unsubscribed a@x.test 0 0.0.0 - -\n"},
    {"mailgun",
     "{\"event-data\":{\"event\":\"failed\",\"severity\":\"permanent\",\"reason\":"
     "\"suppress-bounce\",\"id\":\"i\",\"timestamp\":1.5,\"recipient\":\"a@x.test\",\"message\":{"
     "\"headers\":{\"message-id\":\"m@x\"}},\"user-variables\":{\"mailtide_attempt\":\"" A
     "\"},\"delivery-status\":{\"code\":605,\"message\":\"Not delivering\"}}}",
     "dropped+ bounced a@x.test 0 0.0.0 <m@x> i|1500\n"},
    {"mailgun",
     "{\"event-data\":{\"event\":\"failed\",\"severity\":\"temporary\",\"id\":\"i\","
     "\"recipient\":\"a@x.test\",\"delivery-status\":{\"code\":451,\"enhanced-code\":\"4.7.1\","
     "\"message\":\"greylisted\"}}}",
     "deferred deferred a@x.test 451 4.7.1 - i|0\n"},
    {"postmark",
     "{\"RecordType\":\"Bounce\",\"ID\":5,\"Type\":\"Blocked\",\"MessageID\":\"u\",\"Email\":"
     "\"a@x.test\",\"Details\":\"smtp;550 5.7.1 blocked\",\"Metadata\":{\"mailtide_attempt\":\"" A
     "\"}}",
     "bounced+ rejected a@x.test 550 5.7.1 u Bounce|5\n"},
    {"postmark",
     "{\"RecordType\":\"SubscriptionChange\",\"SuppressSending\":true,\"SuppressionReason\":"
     "\"HardBounce\",\"Recipient\":\"a@x.test\"}",
     "other bounced a@x.test 0 0.0.0 - -\n"},
    {"postmark",
     "{\"RecordType\":\"SubscriptionChange\",\"SuppressSending\":true,\"SuppressionReason\":"
     "\"ManualSuppression\",\"Recipient\":\"a@x.test\"}",
     "unsubscribed unsubscribed a@x.test 0 0.0.0 - -\n"},
    {"postmark",
     "{\"ID\":5,\"Type\":\"HardBounce\",\"MessageID\":\"u\",\"Email\":\"a@x.test\",\"BouncedAt\":"
     "\"2014-08-01T13:28:10.2735393-04:00\"}",
     "bounced bounced a@x.test 0 0.0.0 u Bounce|5\n"},
    {"postmark",
     "{\"MessageID\":\"u\",\"Recipient\":\"a@x.test\",\"DeliveredAt\":\"1970-01-01T00:00:01Z\"}",
     "delivered delivered a@x.test 0 0.0.0 u Delivery|||u|a@x.test|1000\n"},
    {"sparkpost",
     "[{\"msys\":{}},{\"msys\":{\"message_event\":{\"type\":\"out_of_band\",\"bounce_class\":10,"
     "\"error_code\":\"550\",\"raw_reason\":\"550 5.1.1 no\",\"raw_rcpt_to\":\"A@x.test\","
     "\"rcpt_meta\":{\"mailtide_attempt\":\"" A "\"},\"event_id\":\"9\",\"transmission_id\":7}}}]",
     "bounced+ bounced A@x.test 550 5.1.1 7 9\n"},
    {"sparkpost", "[{\"msys\":{\"message_event\":{\"type\":\"bounce\",\"bounce_class\":\"90\"}}}]",
     "unsubscribed unsubscribed - 0 0.0.0 - -\n"},
    {"resend",
     "{\"type\":\"email.bounced\",\"data\":{\"email_id\":\"u\",\"to\":[\"a@x.test\"],\"tags\":{"
     "\"mailtide_attempt\":\"" A "\"},\"bounce\":{\"type\":\"Permanent\",\"subType\":\"General\","
     "\"message\":\"m\",\"diagnosticCode\":[\"smtp; 550 5.1.1 no\"]}}}",
     "bounced+ bounced a@x.test 550 5.1.1 u -\n"},
    {"resend", "{\"type\":\"suppression.added\",\"data\":{\"id\":\"s\",\"email\":\"a@x.test\"}}",
     "other unknown a@x.test 0 0.0.0 - -\n"},
    {"brevo", "[{\"event\":\"complaint\",\"email\":\"a@x.test\"},{\"event\":\"unsubscribed\"}]",
     "complained complained a@x.test 0 0.0.0 - -\nunsubscribed unsubscribed - 0 0.0.0 - -\n"},
    {"resend", "{\"type\":\"email.received\",\"data\":{}}", "other unknown - 0 0.0.0 - -\n"},
    {"brevo",
     "{\"event\":\"soft_bounce\",\"email\":\"a@x.test\",\"ts_epoch\":1604933623,\"message-id\":"
     "\"<m@x>\",\"reason\":\"452 4.2.2 full\",\"X-Mailin-custom\":\"x:y|mailtide_attempt:" A "\"}",
     "bounced+ bounced a@x.test 452 4.2.2 <m@x> soft_bounce|" A
     "|<m@x>|<m@x>|a@x.test|1604933623000\n"},
    {"mailersend",
     "{\"type\":\"activity.hard_bounced\",\"data\":{\"id\":\"i\",\"type\":\"hard_bounced\","
     "\"recipient\":\"a@x.test\",\"message_id\":\"m\",\"meta\":{\"bounce_reason\":\"550 no\"}}}",
     "bounced bounced a@x.test 550 0.0.0 m i\n"},
    {"mailersend", "{\"type\":\"webhook.test\"}", ""},
    {"mailersend",
     "{\"type\":\"activity.spam_complaint\",\"data\":{\"id\":\"i\",\"type\":\"delivered\","
     "\"email\":\"a@x.test\",\"message_id\":\"m\",\"meta\":null}}",
     "complained complained a@x.test 0 0.0.0 m i\n"},
    {"mailersend",
     "{\"type\":\"activity.soft_bounced\",\"data\":{\"id\":\"i\",\"type\":\"rejected\","
     "\"recipient\":\"a@x.test\",\"meta\":{\"bounce_code\":\"4.2.2\",\"bounce_reason\":\"full\"}}}",
     "bounced bounced a@x.test 0 4.2.2 - i\n"},
    {"mailersend",
     "{\"type\":\"activity.brand_new\",\"data\":{\"type\":\"deferred\",\"recipient\":\"a@x.test\"}"
     "}",
     "deferred deferred a@x.test 0 0.0.0 - -\n"},
    {"mailjet", "{\"event\":\"bounce\",\"MessageID\":12345678901234567,\"email\":\"a@x.test\"}",
     "bounced bounced a@x.test 0 0.0.0 12345678901234567 -\n"},
    {"mailtrap",
     "{\"events\":[{\"event\":\"soft bounce\",\"email\":\"a@x.test\",\"event_id\":\"e\","
     "\"response_code\":450,\"response\":\"full\"}]}",
     "deferred deferred a@x.test 450 0.0.0 - e\n"},
    {"postal",
     "{\"event\":\"MessageDeliveryFailed\",\"uuid\":\"u\",\"payload\":{\"status\":\"HardFail\","
     "\"output\":\"550 5.1.1 no\",\"message\":{\"id\":7,\"to\":\"a@x.test\"}}}",
     "bounced failed a@x.test 550 5.1.1 7 u\n"},
    {"postal", "{\"payload\":{\"message\":{\"direction\":\"incoming\"}}}", ""},
    {"unisender_go",
     "{\"events_by_user\":[{\"events\":[{\"event_name\":\"transactional_spam_block\"},{"
     "\"event_name\":\"transactional_email_status\",\"event_data\":{\"job_id\":\"j\",\"email\":"
     "\"a@x.test\",\"status\":\"soft_bounced\",\"delivery_info\":{\"delivery_status\":"
     "\"err_will_retry\"}}}]}]}",
     "deferred bounced a@x.test 0 0.0.0 j -\n"},
};

static void test_readings(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(readings); i++) {
        struct arena a = {0};
        struct buf got = {0};
        struct events_batch b;
        T_EQ(read_body(readings[i].api, readings[i].body, no_headers, &a, &b), EVENTS_READ,
             "%s %s: %s", readings[i].api, readings[i].body, b.message);
        for (size_t k = 0; k < b.count; k++)
            line_of(&b.news[k], &got);
        T_STR(buf_str(&got), readings[i].want, "%s %s", readings[i].api, readings[i].body);
        events_batch_fini(&b);
        buf_fini(&got);
        arena_fini(&a);
    }
}

/* How each ESP counts a bounce against its customer: hard, soft, or it does not say. */
static const struct {
    const char *api, *body;
    enum news_count want;
} counts[] = {
#define SES(type, sub)                                                                           \
    "{\"eventType\":\"Bounce\",\"bounce\":{\"bounceType\":\"" type "\",\"bounceSubType\":\"" sub \
    "\",\"bouncedRecipients\":[{\"emailAddress\":\"a@x.test\"}]}}"
    {"ses", SES("Permanent", "NoEmail"), NEWS_COUNT_HARD},
    {"ses", SES("Permanent", "Suppressed"), NEWS_COUNT_HARD},
    {"ses", SES("Permanent", "OnAccountSuppressionList"), NEWS_COUNT_SOFT},
    {"ses", SES("Transient", "MailboxFull"), NEWS_COUNT_SOFT},
    {"ses", SES("Undetermined", "Undetermined"), NEWS_COUNT_SOFT},
#undef SES
    {"sendgrid", "[{\"event\":\"bounce\",\"type\":\"bounce\"}]", NEWS_COUNT_HARD},
    {"sendgrid", "[{\"event\":\"bounce\",\"type\":\"blocked\"}]", NEWS_COUNT_SOFT},
    {"sendgrid", "[{\"event\":\"delivered\"}]", NEWS_COUNT_UNSAID},
    {"mailgun",
     "{\"event-data\":{\"event\":\"failed\",\"severity\":\"permanent\",\"reason\":\"bounce\"}}",
     NEWS_COUNT_HARD},
    {"mailgun",
     "{\"event-data\":{\"event\":\"failed\",\"severity\":\"permanent\",\"reason\":\"old\"}}",
     NEWS_COUNT_SOFT},
    {"postmark", "{\"RecordType\":\"Bounce\",\"Type\":\"HardBounce\"}", NEWS_COUNT_HARD},
    {"postmark", "{\"RecordType\":\"Bounce\",\"Type\":\"Blocked\"}", NEWS_COUNT_SOFT},
    {"sparkpost", "[{\"msys\":{\"e\":{\"type\":\"bounce\",\"bounce_class\":\"10\"}}}]",
     NEWS_COUNT_HARD},
    {"sparkpost", "[{\"msys\":{\"e\":{\"type\":\"bounce\",\"bounce_class\":\"51\"}}}]",
     NEWS_COUNT_SOFT},
    {"sparkpost", "[{\"msys\":{\"e\":{\"type\":\"bounce\"}}}]", NEWS_COUNT_UNSAID},
    {"resend", "{\"type\":\"email.bounced\",\"data\":{\"bounce\":{\"type\":\"Permanent\"}}}",
     NEWS_COUNT_HARD},
    {"resend", "{\"type\":\"email.bounced\",\"data\":{\"bounce\":{\"type\":\"Transient\"}}}",
     NEWS_COUNT_SOFT},
    {"resend", "{\"type\":\"email.bounced\",\"data\":{}}", NEWS_COUNT_UNSAID},
    {"brevo", "{\"event\":\"hard_bounce\"}", NEWS_COUNT_HARD},
    {"brevo", "{\"event\":\"soft_bounce\"}", NEWS_COUNT_SOFT},
    {"mailersend", "{\"type\":\"activity.hard_bounced\",\"data\":{}}", NEWS_COUNT_HARD},
    {"mailersend", "{\"type\":\"activity.soft_bounced\",\"data\":{}}", NEWS_COUNT_SOFT},
    {"mailjet", "{\"event\":\"bounce\",\"hard_bounce\":true}", NEWS_COUNT_HARD},
    {"mailjet", "{\"event\":\"bounce\",\"hard_bounce\":false}", NEWS_COUNT_SOFT},
    {"postal", "{\"payload\":{\"status\":\"HardFail\"}}", NEWS_COUNT_UNSAID},
};

static void test_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(counts); i++) {
        struct arena a = {0};
        struct events_batch b;
        T_EQ(read_body(counts[i].api, counts[i].body, no_headers, &a, &b), EVENTS_READ, "%s: %s",
             counts[i].body, b.message);
        T_EQ(b.count, 1, "%s", counts[i].body);
        T_EQ(b.news[0].count, counts[i].want, "%s %s", counts[i].api, counts[i].body);
        events_batch_fini(&b);
        arena_fini(&a);
    }
}

/* -- What is none -------------------------------------------------------------------------------
 */

static void test_hostile(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "", "{", "nul", "[1,2", "{\"a\":1}{", "\xff\xfe", "{\"a\":1,\"a\":2}", "\"x\"", "7",
    };
    for (size_t k = 0; events_api_at(k); k++)
        for (size_t i = 0; i < TIDE_COUNT(bodies); i++) {
            const char *api = events_api_at(k)->name;
            struct arena a = {0};
            struct events_batch b;
            T_EQ(read_body(api, bodies[i], no_headers, &a, &b), EVENTS_REFUSED, "%s %s", api,
                 bodies[i]);
            T_EQ(b.fault, EVENTS_BAD_BODY, "%s %s", api, bodies[i]);
            T_TRUE(b.message[0] && b.count == 0, "%s %s", api, bodies[i]);
            events_batch_fini(&b);
            arena_fini(&a);
        }
}

static void test_bounds(void **state)
{
    (void)state;
    struct buf body = {0};
    struct arena a = {0};
    struct events_batch b;
    buf_addc(&body, '[');
    for (int i = 0; i <= EVENTS_MAX; i++)
        buf_adds(&body, i ? ",{\"event\":\"open\"}" : "{\"event\":\"open\"}");
    buf_addc(&body, ']');
    T_EQ(read_body("sendgrid", buf_str(&body), no_headers, &a, &b), EVENTS_REFUSED, "too many");
    T_EQ(b.fault, EVENTS_TOO_MUCH, "too many");
    T_EQ(events_fault_status(b.fault), 413, "status");
    events_batch_fini(&b);
    arena_fini(&a);
    buf_fini(&body);
}

/* -- What proves --------------------------------------------------------------------------------
 */

/* Of events_login and events_token: what is shown, and what comes of it. */
static const struct {
    const char *login, *token;
    bool open;
    const char *headers[5];
    enum events_fault want;
} proofs[] = {
    {"", "", false, {NULL}, EVENTS_UNPROVEN},
    {"", "", true, {NULL}, EVENTS_FINE},
    {"u:p", "", false, {NULL}, EVENTS_NO_PROOF},
    {"u:p", "", false, {"Authorization", "Basic dTpw"}, EVENTS_FINE}, /* u:p */
    {"u:p", "", false, {"authorization", "basic dTpw"}, EVENTS_FINE},
    {"u:p", "", false, {"Authorization", "Basic dTpx"}, EVENTS_BAD_PROOF},
    {"u:p", "", false, {"Authorization", "Basic ="}, EVENTS_BAD_PROOF},
    {"u:p", "", false, {"Authorization", "Bearer u:p"}, EVENTS_BAD_PROOF},
    {"x:y\nu:p", "", false, {"Authorization", "Basic dTpw"}, EVENTS_FINE},
    {"", "tok", false, {"Authorization", "Bearer tok"}, EVENTS_FINE},
    {"", "tok", false, {"X-Mailtide-Token", "tok"}, EVENTS_FINE},
    {"", "tok", false, {"Authorization", "Bearer tokk"}, EVENTS_BAD_PROOF},
    {"", "tok", false, {"Authorization", "Bearer "}, EVENTS_BAD_PROOF},
    {"", "old\n tok \n", false, {"Authorization", "Bearer tok"}, EVENTS_FINE},
    {"u:p", "tok", false, {"Authorization", "Bearer tok"}, EVENTS_FINE},
    {"u:p", "tok", false, {"Authorization", "Basic dTpw"}, EVENTS_FINE},
    {"u:p",
     "tok",
     false,
     {"Authorization", "Basic dTpx", "X-Mailtide-Token", "tok"},
     EVENTS_BAD_PROOF},
};

static void test_proofs(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(proofs); i++) {
        struct arena a = {0};
        struct events_batch b;
        struct events_ask ask = {.api = &events_brevo,
                                 .secrets = {.login = text_of(proofs[i].login),
                                             .token = text_of(proofs[i].token),
                                             .open = proofs[i].open},
                                 .body = TEXT("{\"event\":\"delivered\"}"),
                                 .header = no_header,
                                 .arg = (void *)(uintptr_t)proofs[i].headers,
                                 .crypto = &events_crypto_openssl};
        events_read(&ask, &a, &b);
        T_EQ(b.fault, proofs[i].want, "case %zu: %s", i, b.message);
        events_batch_fini(&b);
        arena_fini(&a);
    }
}

/* Certificates are only wanted from Amazon's own hosts. */
static const struct {
    const char *url;
    bool good;
} certificates[] = {
    {"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem", true},
    {"https://sns.cn-north-1.amazonaws.com.cn/x.pem", true},
    {"http://sns.eu-west-1.amazonaws.com/x.pem", false},
    {"https://sns.eu-west-1.amazonaws.com.evil.test/x.pem", false},
    {"https://sns.eu-west-1.amazonaws.com:444/x.pem", false},
    {"https://sns.eu-west-1.amazonaws.com@evil.test/x.pem", false},
    {"https://evil.test/sns.eu-west-1.amazonaws.com/x.pem", false},
    {"https://sns.evil.test#.amazonaws.com/x.pem", false},
    {"https://sns.eu.west.amazonaws.com/x.pem", false},
    {"https://sns.eu-west-1.amazonaws.com/x.pem?a=.pem", false},
    {"https://sns.eu-west-1.amazonaws.com/x.txt", false},
    {"https://s3.eu-west-1.amazonaws.com/x.pem", false},
    {"https://sns.x.amazonaws.com/x.pem", false},
    {"https://sns.eu-west-1.amazonaws.com", false},
    {"https://sns.eu-west-1.amazonaws.com\\\\@evil.test/x.pem", false},
    {"", false},
};

static void test_certificates(void **state)
{
    (void)state;
    static char topic[] = "arn:t";
    char *const topics[] = {topic};
    for (size_t i = 0; i < TIDE_COUNT(certificates); i++) {
        char body[512];
        struct arena a = {0};
        struct events_batch b;
        snprintf(body, sizeof body,
                 "{\"Type\":\"Notification\",\"MessageId\":\"m\",\"TopicArn\":\"arn:t\","
                 "\"Message\":\"{}\",\"Signature\":\"AAAA\",\"SignatureVersion\":\"1\","
                 "\"SigningCertURL\":\"%s\"}",
                 certificates[i].url);
        struct events_ask ask = {.api = &events_ses,
                                 .secrets = {.topics = topics, .topic_count = 1},
                                 .body = text_of(body),
                                 .header = no_header,
                                 .arg = (void *)(uintptr_t)no_headers,
                                 .crypto = &events_crypto_openssl};
        enum events_end end = events_read(&ask, &a, &b);
        T_EQ(end, certificates[i].good ? EVENTS_WANT_CERTIFICATE : EVENTS_REFUSED, "%s",
             certificates[i].url);
        if (certificates[i].good)
            T_TEXT(b.certificate_url, certificates[i].url, "address");
        events_batch_fini(&b);
        /* what comes back is no certificate: nothing is proven by it */
        ask.certificate = TEXT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        T_EQ(events_read(&ask, &a, &b), EVENTS_REFUSED, "%s", certificates[i].url);
        events_batch_fini(&b);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readings), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_counts),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_proofs),   cmocka_unit_test(test_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
