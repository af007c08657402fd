/* Addresses that bounces come back to, and what a mail that came back tells. */
#include "core/outcome/bounce_news.h"
#include "io/crypto/sigv4_hash.h"
#include "lib/check.h"

#include <stdlib.h>

#define DOMAIN TEXT("bounces.shop.test")

static const struct verp verp = {
    .hash = &sigv4_hash_openssl, .key = "a key of sixteen", .key_n = 16};
static const struct verp other = {
    .hash = &sigv4_hash_openssl, .key = "another of these", .key_n = 16};

static void test_address(void **state)
{
    (void)state;
    char address[VERP_ADDRESS_BYTES], token[VERP_TOKEN_BYTES], changed[VERP_ADDRESS_BYTES];
    static const tide_id ids[] = {1, 77, 465909999206400001, INT64_MAX};
    bool shaped;
    for (size_t i = 0; i < TIDE_COUNT(ids); i++) {
        struct text t = text_of(verp_address(&verp, ids[i], DOMAIN, address));
        T_EQ(verp_read_address(&verp, t, DOMAIN, &shaped), ids[i], "%s", address);
        T_TRUE(shaped && text_find(t, '@') <= 64, "%s", address);
        T_EQ(verp_read_address(&other, t, DOMAIN, &shaped), 0, "another key");
        T_TRUE(shaped, "it looks like one");
        T_EQ(verp_read_address(&verp, t, TEXT("shop.test"), &shaped), 0, "another domain");
        T_TRUE(!shaped, "it does not look like one");
        T_EQ(verp_read_token(&verp, text_of(verp_token(&verp, ids[i], token))), ids[i], "%s",
             token);
        /* in upper case it is the same, with any character changed it is none */
        for (size_t k = 0; k < t.n; k++) {
            memcpy(changed, address, t.n + 1);
            for (size_t c = 0; c < t.n; c++)
                changed[c] =
                    (char)(changed[c] >= 'a' && changed[c] <= 'z' ? changed[c] - 32 : changed[c]);
            T_EQ(verp_read_address(&verp, text_of(changed), DOMAIN, NULL), ids[i], "%s", changed);
            changed[k] = changed[k] == '7' ? '8' : '7';
            T_EQ(verp_read_address(&verp, text_of(changed), DOMAIN, NULL), 0, "%s", changed);
            T_EQ(verp_read_address(&verp, (struct text){address, k}, DOMAIN, NULL), 0, "cut at %zu",
                 k);
        }
    }
    T_EQ(verp_read_token(&verp, TEXT("")), 0, "nothing");
    T_EQ(verp_read_address(&verp, TEXT("bounce+@bounces.shop.test"), DOMAIN, &shaped), 0, "empty");
    T_TRUE(shaped, "empty");
}

#define REPORT(fields)                                                                          \
    "From: MAILER-DAEMON@x.test\r\nSubject: failure notice\r\nMIME-Version: 1.0\r\n"            \
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"           \
    "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"                                          \
    "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.x.test\r\n\r\n" \
    "Final-Recipient: rfc822; a@x.test\r\n" fields                                              \
    "\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: "                          \
    "<m@shop.test>\r\n\r\n--b--\r\n"

static const struct {
    const char *name, *mail;
    bool proven;
    size_t count; /* of pieces */
    enum news_kind kind;
} mails[] = {
    {"failed", REPORT("Action: failed\r\nStatus: 5.1.1\r\n"), true, 1, NEWS_BOUNCED},
    {"failed, to nobody's address", REPORT("Action: failed\r\nStatus: 5.1.1\r\n"), false, 1,
     NEWS_BOUNCED},
    {"delayed", REPORT("Action: delayed\r\nStatus: 4.4.1\r\n"), true, 1, NEWS_DEFERRED},
    {"delivered", REPORT("Action: delivered\r\nStatus: 2.0.0\r\n"), true, 1, NEWS_DELIVERED},
    {"relayed", REPORT("Action: relayed\r\nStatus: 2.0.0\r\n"), true, 1, NEWS_DELIVERED},
    {"no action but a status", REPORT("Status: 4.2.2\r\n"), true, 1, NEWS_DEFERRED},
    {"a person", "From: a@x.test\r\nSubject: hi\r\n\r\nhow are you?\r\n", true, 0, NEWS_OTHER},
    {"on holiday",
     "From: a@x.test\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\n"
     "I am away. 550 5.1.1 user unknown\r\n",
     true, 0, NEWS_OTHER},
    {"nothing", "", true, 0, NEWS_OTHER},
};

static void test_news(void **state)
{
    (void)state;
    char address[VERP_ADDRESS_BYTES];
    struct text ours = text_of(verp_address(&verp, 77, DOMAIN, address));
    for (size_t i = 0; i < TIDE_COUNT(mails); i++) {
        struct arena a = {0};
        struct bounce b;
        struct tide_error err;
        struct mail_news *news;
        size_t count;
        T_OK(bounce_read(text_of(mails[i].mail), NULL, NULL, &a, &b, &err), &err, "%s",
             mails[i].name);
        T_OK(bounce_news(&b, &verp, DOMAIN, mails[i].proven ? ours : TEXT(""), &a, &news, &count,
                         &err),
             &err, "%s", mails[i].name);
        T_EQ(count, mails[i].count, "%s", mails[i].name);
        for (size_t k = 0; k < count; k++) {
            T_EQ(news[k].kind, mails[i].kind, "%s", mails[i].name);
            T_EQ(news[k].attempt_id, mails[i].proven ? 77 : 0, "%s", mails[i].name);
            T_EQ(news[k].unproven, !mails[i].proven, "%s", mails[i].name);
            T_TEXT(news[k].message_id, "<m@shop.test>", "%s", mails[i].name);
            T_TEXT(news[k].recipient, "a@x.test", "%s", mails[i].name);
            T_TRUE(news[k].key.n > 0, "%s", mails[i].name);
        }
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_address), cmocka_unit_test(test_news)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
