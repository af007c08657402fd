/* Webhooks out: the signature as the specification's examples have it, and when they are tried. */
#include "core/proto/webhook_sign.h"
#include "io/crypto/sigv4_hash.h"
#include "io/feed/delivery.h"
#include "lib/check.h"

/* The example that Svix' and the Standard Webhooks' libraries are tested with. */
static const struct {
    const char *name, *secrets, *id;
    int64_t at;
    const char *body, *want;
} cases[] = {
    {"as the libraries have it", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
     "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {"without its prefix", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
     1614265330, "{\"test\": 2432232314}", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {"two secrets",
     " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ",
     "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= "
     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
};

static void test_sign(void **state)
{
    (void)state;
    struct tide_error err;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf got = {0};
        T_OK(webhook_sign(&sigv4_hash_openssl, text_of(cases[i].secrets), text_of(cases[i].id),
                          cases[i].at, text_of(cases[i].body), &got, &err),
             &err, "%s", cases[i].name);
        T_STR(buf_str(&got), cases[i].want, "%s", cases[i].name);
        buf_fini(&got);
    }
    struct buf got = {0};
    T_EQ(webhook_sign(&sigv4_hash_openssl, TEXT("whsec_?"), TEXT("a"), 1, TEXT("b"), &got, &err),
         TIDE_ESYNTAX, "no base64");
    buf_fini(&got);
}

static void test_tries(void **state)
{
    (void)state;
    static const int64_t want_ms[] = {5000, 300000, 1800000, 7200000, 18000000, 36000000, 36000000};
    for (int i = 0; i < (int)TIDE_COUNT(want_ms); i++)
        T_EQ(delivery_next_at(i + 1, 0, 1000), 1000 + want_ms[i], "after try %d", i + 1);
    T_EQ(delivery_next_at(8, 0, 1000), 0, "then it is dead");
    T_EQ(delivery_next_at(1, 60000, 1000), 61000, "as long as it asks to wait");
    T_EQ(delivery_next_at(2, 60000, 1000), 301000, "never sooner than planned");
    T_EQ(delivery_next_at(1, INT64_MAX, 1000), 1000 + 36000000, "but not for ever");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_tries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
