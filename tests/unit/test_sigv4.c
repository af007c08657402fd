/* AWS Signature Version 4: the example of Amazon's own documentation, and what is no such header.
 */
#include "core/proto/sigv4.h"
#include "lib/check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static void sha256(struct text in, unsigned char out[SIGV4_HASH_BYTES])
{
    EVP_Digest(in.p ? in.p : "", in.n, out, NULL, EVP_sha256(), NULL);
}

static void hmac_sha256(struct text key, struct text in, unsigned char out[SIGV4_HASH_BYTES])
{
    HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)in.p, in.n, out, NULL);
}

static const struct sigv4_hash hash = {sha256, hmac_sha256};

static const struct {
    const char *name, *value;
} headers[] = {
    {"host", "iam.amazonaws.com"},
    {"content-type", "  application/x-www-form-urlencoded;   charset=utf-8 "},
    {"x-amz-date", "20150830T123600Z"},
};

static struct text header(void *arg, const char *name)
{
    (void)arg;
    for (size_t i = 0; i < TIDE_COUNT(headers); i++)
        if (strcmp(headers[i].name, name) == 0)
            return text_of(headers[i].value);
    return (struct text){NULL, 0};
}

#define CREDENTIAL "Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request"
#define SIGNATURE \
    "Signature="  \
    "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"

static enum tide_err sign_query(const char *query,
                                const char *authorization,
                                struct sigv4_claim *claim,
                                char *ret)
{
    struct sigv4_request request = {
        .method = TEXT("GET"),
        .path = TEXT("/"),
        .query = text_of(query),
        .amz_date = TEXT("20150830T123600Z"),
        .header = header,
    };
    enum tide_err rc = sigv4_parse(text_of(authorization), claim, NULL);
    return rc == TIDE_OK ? sigv4_sign(&hash, &request, claim,
                                      TEXT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), ret, NULL)
                         : rc;
}

static enum tide_err sign(const char *authorization, struct sigv4_claim *claim, char *ret)
{
    return sign_query("Action=ListUsers&Version=2010-05-08", authorization, claim, ret);
}

static void test_example(void **state)
{
    (void)state;
    struct sigv4_claim claim;
    char got[SIGV4_HEX_BYTES];
    T_EQ(sign("AWS4-HMAC-SHA256 " CREDENTIAL
              ", SignedHeaders=content-type;host;x-amz-date, " SIGNATURE,
              &claim, got),
         TIDE_OK, "the example");
    T_TEXT(claim.access_key, "AKIDEXAMPLE", "access key");
    T_TEXT(claim.region, "us-east-1", "region");
    T_TEXT(claim.service, "iam", "service");
    T_TEXT(claim.signature, got, "the signature of the documentation");
}

/* However the client wrote the query, the same is signed. */
static void test_query(void **state)
{
    (void)state;
    static const char *const same[] = {
        "Version=2010-05-08&Action=ListUsers",
        "Action=List%55sers&Version=2010%2d05-08",
        "&Action=ListUsers&&Version=2010-05-08",
    };
    struct sigv4_claim claim;
    char got[SIGV4_HEX_BYTES];
    for (size_t i = 0; i < TIDE_COUNT(same); i++) {
        T_EQ(sign_query(same[i],
                        "AWS4-HMAC-SHA256 " CREDENTIAL
                        ", SignedHeaders=content-type;host;x-amz-date, " SIGNATURE,
                        &claim, got),
             TIDE_OK, "%s", same[i]);
        T_TEXT(claim.signature, got, "%s", same[i]);
    }
    T_EQ(sign_query("a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q",
                    "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, " SIGNATURE,
                    &claim, got),
         TIDE_EINVAL, "too many");
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *authorization;
        enum tide_err want;
    } cases[] = {
        {"no blanks are fine",
         "AWS4-HMAC-SHA256 " CREDENTIAL ",SignedHeaders=host;x-amz-date," SIGNATURE, TIDE_OK},
        {"no region",
         "AWS4-HMAC-SHA256 Credential=A/20150830//iam/aws4_request, "
         "SignedHeaders=host;x-amz-date, " SIGNATURE,
         TIDE_OK},
        {"empty", "", TIDE_ESYNTAX},
        {"bearer", "Bearer x", TIDE_ESYNTAX},
        {"other algorithm",
         "AWS4-HMAC-SHA257 " CREDENTIAL ", SignedHeaders=host;x-amz-date, " SIGNATURE,
         TIDE_ESYNTAX},
        {"no credential", "AWS4-HMAC-SHA256 SignedHeaders=host;x-amz-date, " SIGNATURE,
         TIDE_ESYNTAX},
        {"short scope",
         "AWS4-HMAC-SHA256 Credential=A/20150830/iam/aws4_request, "
         "SignedHeaders=host;x-amz-date, " SIGNATURE,
         TIDE_ESYNTAX},
        {"empty key",
         "AWS4-HMAC-SHA256 Credential=/20150830/r/iam/aws4_request, "
         "SignedHeaders=host;x-amz-date, " SIGNATURE,
         TIDE_ESYNTAX},
        {"no signature", "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date",
         TIDE_ESYNTAX},
        {"short signature",
         "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=5d",
         TIDE_ESYNTAX},
        {"host is not signed",
         "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=x-amz-date, " SIGNATURE, TIDE_EINVAL},
        {"the date is not signed",
         "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host, " SIGNATURE, TIDE_EINVAL},
        {"signed, but not there",
         "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date;x-other, " SIGNATURE,
         TIDE_EINVAL},
    };
    struct sigv4_claim claim;
    char got[SIGV4_HEX_BYTES];
    for (size_t i = 0; i < TIDE_COUNT(cases); i++)
        T_EQ(sign(cases[i].authorization, &claim, got), cases[i].want, "%s", cases[i].name);
}

static void test_time(void **state)
{
    (void)state;
    static const char *const none[] = {"", "20150830T123600", "20150830 123600Z",
                                       "20151330T123600Z", "2015083aT123600Z"};
    int64_t at;
    T_EQ(sigv4_time(TEXT("20150830T123600Z"), &at), TIDE_OK, "a time");
    T_EQ(at, 1440938160000, "the same instant");
    for (size_t i = 0; i < TIDE_COUNT(none); i++)
        T_TRUE(sigv4_time(text_of(none[i]), &at) != TIDE_OK, "%s", none[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
