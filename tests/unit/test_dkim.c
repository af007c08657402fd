/* Canonicalization, the signatures of RFC 8463's appendix, and what we sign and then spoil. */
#include "io/crypto/dkim_verify.h"
#include "lib/check.h"

#include "base/base64.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* RFC 8463 appendix A */
static const char rfc8463_message[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
    " date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "\r\n"
    "Hi.\r\n"
    "\r\n"
    "We lost the game.  Are you hungry yet?\r\n"
    "\r\n"
    "Joe.\r\n";

static const char *const rfc8463_keys[] = {
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6w"
    "y5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9"
    "PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
};

static struct header nth_signature(const struct message *m, int n)
{
    struct header h = {0};
    size_t pos = 0;
    while (message_next(m, &pos, &h))
        if (text_ieq(h.name, TEXT("DKIM-Signature")) && n-- == 0)
            return h;
    T_FAIL("no such signature");
    return h;
}

static enum dkim_verify_result verify(struct text mail, int n, const char *record, int64_t now_s)
{
    struct arena arena = {0};
    struct message m;
    struct dkim_signature s;
    struct dkim_key key;
    struct tide_error err = {0};
    enum dkim_verify_result r = DKIM_VERIFY_KEY;
    int64_t extra = 0;
    T_OK(message_open(mail, &m, &err), &err, "message");
    struct header field = nth_signature(&m, n);
    T_OK(dkim_signature_parse(&field, &arena, &s, &err), &err, "signature");
    dkim_key_parse(text_of(record), &arena, &key);
    T_OK(dkim_verify(&m, &s, &key, now_s * TIME_SECOND_MS, &r, &extra, &err), &err, "verify");
    arena_fini(&arena);
    return r;
}

static void test_rfc8463(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        T_STR(dkim_verify_text(verify(text_of(rfc8463_message), i, rfc8463_keys[i], 0)),
              dkim_verify_text(DKIM_VERIFY_PASS), "signature %d", i);
    T_EQ(verify(text_of(rfc8463_message), 0, rfc8463_keys[1], 0), DKIM_VERIFY_KEY, "the other key");
}

/* RFC 6376 3.4.5, and what it leaves out. */
static const struct {
    const char *body, *simple, *relaxed;
} bodies[] = {
    {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
    {"", "\r\n", ""},
    {"\r\n\r\n", "\r\n", ""},
    {" \r\n", " \r\n", ""},
    {"a", "a\r\n", "a\r\n"},
    {"a\r\n\r\n\r\nb\r\n \r\n", "a\r\n\r\n\r\nb\r\n \r\n", "a\r\n\r\n\r\nb\r\n"},
};

static void collect(void *arg, const void *bytes, size_t n)
{
    buf_add(arg, bytes, n);
}

static void test_canonical_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(bodies); i++)
        for (int relaxed = 0; relaxed < 2; relaxed++) {
            struct buf got = {0};
            struct message m = {.body = text_of(bodies[i].body)};
            struct dkim_signature s = {.relaxed_body = relaxed, .body_bytes = -1};
            const char *want = relaxed ? bodies[i].relaxed : bodies[i].simple;
            T_EQ(dkim_put_body(&s, &m, collect, &got), strlen(want), "body %zu: length", i);
            T_TEXT(buf_text(&got), want, "body %zu", i);
            buf_clear(&got);
            s.body_bytes = 1;
            T_EQ(dkim_put_body(&s, &m, collect, &got), strlen(want), "body %zu: whole length", i);
            T_EQ(got.len, want[0] != 0, "body %zu: cut", i);
            buf_fini(&got);
        }
}

/* -- Signed here --------------------------------------------------------------------------------*/

static EVP_PKEY *rsa_key, *short_key, *ed_key;

static void hash_more(void *arg, const void *bytes, size_t n)
{
    (void)EVP_DigestUpdate(arg, bytes, n);
}

static void add_base64(struct buf *b, const void *bytes, size_t n)
{
    base64_encode((struct text){bytes, n}, b);
}

static void add_record(struct buf *out, EVP_PKEY *key)
{
    unsigned char raw[32], *der = NULL;
    size_t n = sizeof raw;
    bool ed = EVP_PKEY_base_id(key) == EVP_PKEY_ED25519;
    buf_addf(out, "v=DKIM1; k=%s; p=", ed ? "ed25519" : "rsa");
    if (ed) {
        T_EQ(EVP_PKEY_get_raw_public_key(key, raw, &n), 1, "raw key");
        add_base64(out, raw, n);
    } else {
        int len = i2d_PUBKEY(key, &der);
        add_base64(out, der, (size_t)len);
        OPENSSL_free(der);
    }
}

/* `fields`: with "DKIM-Signature: " and its tags but bh and b in front. */
static void sign(
    struct buf *out, EVP_PKEY *key, const char *tags, const char *fields, const char *body)
{
    struct arena arena = {0};
    struct message m;
    struct dkim_signature s;
    struct tide_error err = {0};
    unsigned char digest[32], sig[512];
    size_t sig_n = sizeof sig;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    /* First with stand-ins, so that the signature parses. */
    struct buf draft = {0};
    buf_addf(&draft, "DKIM-Signature: %s; bh=AA==; b=AA==\r\n%s\r\n%s", tags, fields, body);
    T_OK(message_open(buf_text(&draft), &m, &err), &err, "draft");
    struct header field = nth_signature(&m, 0);
    T_OK(dkim_signature_parse(&field, &arena, &s, &err), &err, "draft");
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    dkim_put_body(&s, &m, hash_more, hash);
    EVP_DigestFinal_ex(hash, digest, NULL);
    struct buf bh = {0};
    add_base64(&bh, digest, 32);
    buf_clear(&draft);
    buf_addf(&draft, "DKIM-Signature: %s; bh=%s; b=AA==\r\n%s\r\n%s", tags, buf_str(&bh), fields,
             body);
    T_OK(message_open(buf_text(&draft), &m, &err), &err, "draft");
    field = nth_signature(&m, 0);
    T_OK(dkim_signature_parse(&field, &arena, &s, &err), &err, "draft");
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    T_OK(dkim_put_header(&s, &m, &arena, hash_more, hash, &err), &err, "header");
    EVP_DigestFinal_ex(hash, digest, NULL);
    if (EVP_PKEY_base_id(key) == EVP_PKEY_ED25519) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        T_EQ(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1, "init");
        T_EQ(EVP_DigestSign(ctx, sig, &sig_n, digest, 32), 1, "sign");
        EVP_MD_CTX_free(ctx);
    } else {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
        T_TRUE(EVP_PKEY_sign_init(ctx) == 1 &&
                   EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                   EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
                   EVP_PKEY_sign(ctx, sig, &sig_n, digest, 32) == 1,
               "sign");
        EVP_PKEY_CTX_free(ctx);
    }
    buf_addf(out, "DKIM-Signature: %s; bh=%s; b=", tags, buf_str(&bh));
    add_base64(out, sig, sig_n);
    buf_addf(out, "\r\n%s\r\n%s", fields, body);
    buf_fini(&bh);
    buf_fini(&draft);
    EVP_MD_CTX_free(hash);
    arena_fini(&arena);
}

#define FIELDS     "From: Ann <ann@example.org>\r\nSubject: one\r\n  two\r\nTo: bob@example.net\r\n"
#define BODY       "Hello  Bob,\r\n\r\nthis is it.\r\n\r\n"
#define TAGS(a, c) "v=1; a=" a "; c=" c "; d=example.org; s=x; h=from:subject:to:from"

static const struct {
    const char *name, *tags;
    const char *from, *to; /* what is spoilt; NULL: nothing */
    int64_t now_s;
    enum dkim_verify_result want;
} cases[] = {
    {"simple", TAGS("rsa-sha256", "simple/simple"), NULL, NULL, 0, DKIM_VERIFY_PASS},
    {"said nothing", "v=1; a=rsa-sha256; d=example.org; s=x; h=from", NULL, NULL, 0,
     DKIM_VERIFY_PASS},
    {"relaxed", TAGS("rsa-sha256", "relaxed/relaxed"), NULL, NULL, 0, DKIM_VERIFY_PASS},
    {"ed25519", TAGS("ed25519-sha256", "relaxed/simple"), NULL, NULL, 0, DKIM_VERIFY_PASS},
    {"folded anew", TAGS("rsa-sha256", "relaxed/simple"), "one\r\n  two", "one two", 0,
     DKIM_VERIFY_PASS},
    {"folded anew, simple", TAGS("rsa-sha256", "simple/simple"), "one\r\n  two", "one two", 0,
     DKIM_VERIFY_SIGNATURE},
    {"blanks", TAGS("rsa-sha256", "relaxed/relaxed"), "Hello  Bob", "Hello Bob", 0,
     DKIM_VERIFY_PASS},
    {"blanks, simple", TAGS("rsa-sha256", "relaxed/simple"), "Hello  Bob", "Hello Bob", 0,
     DKIM_VERIFY_BODY},
    {"another word", TAGS("ed25519-sha256", "relaxed/relaxed"), "this is", "that is", 0,
     DKIM_VERIFY_BODY},
    {"another sender", TAGS("ed25519-sha256", "relaxed/relaxed"), "Ann <ann", "Eve <eve", 0,
     DKIM_VERIFY_SIGNATURE},
    {"a second From", TAGS("rsa-sha256", "relaxed/relaxed"),
     "\r\nSubject:", "\r\nFrom: eve@evil\r\nSubject:", 0, DKIM_VERIFY_SIGNATURE},
    {"an unsigned field", TAGS("rsa-sha256", "relaxed/relaxed"), "To: bob", "X: y\r\nTo: bob", 0,
     DKIM_VERIFY_PASS},
    {"a signed tag", TAGS("rsa-sha256", "relaxed/relaxed"), "s=x;", "s=y;", 0,
     DKIM_VERIFY_SIGNATURE},
    {"text behind l=", TAGS("rsa-sha256", "simple/simple") "; l=15", "is it.", "is not it.", 0,
     DKIM_VERIFY_PASS},
    {"text before l=", TAGS("rsa-sha256", "simple/simple") "; l=15", "Hello", "Howdy", 0,
     DKIM_VERIFY_BODY},
    {"shorter than l=", TAGS("rsa-sha256", "simple/simple") "; l=28", "this is it.\r\n", "", 0,
     DKIM_VERIFY_BODY},
    {"in time", TAGS("rsa-sha256", "simple/simple") "; t=100; x=200", NULL, NULL, 200,
     DKIM_VERIFY_PASS},
    {"too late", TAGS("rsa-sha256", "simple/simple") "; t=100; x=200", NULL, NULL, 201,
     DKIM_VERIFY_EXPIRED},
};

static void replace(struct buf *b, const char *from, const char *to)
{
    struct text all = buf_text(b);
    size_t at = text_ifind(all, text_of(from));
    struct buf made = {0};
    T_TRUE(at < all.n, "\"%s\" is there", from);
    buf_add_text(&made, text_cut(all, 0, at));
    buf_adds(&made, to);
    buf_add_text(&made, text_cut(all, at + strlen(from), all.n));
    buf_fini(b);
    *b = made;
}

static void test_signed_and_spoilt(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        bool ed = strstr(cases[i].tags, "ed25519") != NULL;
        struct buf mail = {0}, record = {0};
        sign(&mail, ed ? ed_key : rsa_key, cases[i].tags, FIELDS, BODY);
        add_record(&record, ed ? ed_key : rsa_key);
        if (cases[i].from)
            replace(&mail, cases[i].from, cases[i].to);
        T_STR(dkim_verify_text(verify(buf_text(&mail), 0, buf_str(&record), cases[i].now_s)),
              dkim_verify_text(cases[i].want), "%s", cases[i].name);
        buf_fini(&mail);
        buf_fini(&record);
    }
}

static void test_key_strength_and_flags(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct dkim_key k;
    struct buf record = {0};
    add_record(&record, short_key);
    dkim_key_parse(buf_text(&record), &arena, &k);
    T_STR(dkim_key_state_name(k.state), "too short", "%s", k.why);
    T_EQ(k.bits, 512, "bits");
    buf_clear(&record);
    add_record(&record, rsa_key);
    buf_adds(&record, "; t=y:s");
    dkim_key_parse(buf_text(&record), &arena, &k);
    T_STR(dkim_key_state_name(k.state), "ok", "%s", k.why);
    T_EQ(k.bits, 2048, "bits");
    T_TRUE(k.testing && k.strict && !k.faulty, "flags");
    buf_fini(&record);
    arena_fini(&arena);
}

static const struct {
    const char *name;
    struct dns_answer answer;
    const char *records[2];
    const char *state, *why;
} answers[] = {
    {"none", {.status = DNS_NXDOMAIN}, {0}, "missing", "the name does not exist"},
    {"dangling",
     {.status = DNS_NXDOMAIN, .cname_count = 1, .canonical = {"k.esp.example", 13}},
     {0},
     "missing",
     "its CNAME leads to k.esp.example, where there is no key"},
    {"failure", {.status = DNS_SERVFAIL}, {0}, "unknown", "the name server failed (SERVFAIL)"},
    {"another record",
     {.rr_count = 1},
     {"v=spf1 -all"},
     "missing",
     "there is a TXT record, but it holds no key"},
    {"revoked", {.rr_count = 1}, {"v=DKIM1; p="}, "revoked", "p= is empty"},
    {"two",
     {.rr_count = 2},
     {"v=DKIM1; p=", "k=rsa; p=AAAA"},
     "malformed",
     "there are 2 keys, and receivers pick any one"},
    {"sha1 alone",
     {.rr_count = 1},
     {"v=DKIM1; h=sha1; p=AAAA"},
     "unusable",
     "h= does not allow sha256, and sha1 is refused (RFC 8301)"},
    {"not for mail",
     {.rr_count = 1},
     {"s=tlsrpt; p=AAAA"},
     "unusable",
     "s= does not allow the key for e-mail"},
    {"no base64", {.rr_count = 1}, {"p=???"}, "malformed", "p= is not base64"},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(answers); i++) {
        struct arena arena = {0};
        struct dns_rr rrs[2] = {{.data = text_of(answers[i].records[0])},
                                {.data = text_of(answers[i].records[1])}};
        struct dns_answer a = answers[i].answer;
        struct dkim_key k;
        a.rrs = rrs;
        dkim_key_of_answer(&a, &arena, &k);
        T_STR(dkim_key_state_name(k.state), answers[i].state, "%s", answers[i].name);
        T_STR(k.why, answers[i].why, "%s", answers[i].name);
        arena_fini(&arena);
    }
}

static const struct {
    const char *field, *error;
} refused[] = {
    {"v=1; a=rsa-sha1; d=a.b; s=x; h=from; bh=AA==; b=AA==",
     "a=rsa-sha1 is refused by receivers (RFC 8301)"},
    {"v=2; a=rsa-sha256; d=a.b; s=x; h=from; bh=AA==; b=AA==", "v= is not 1"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=to; bh=AA==; b=AA==",
     "h= does not have From (RFC 6376 5.4)"},
    {"v=1; a=rsa-sha256; d=a.b; i=@c.d; s=x; h=from; bh=AA==; b=AA==", "i= is not within d="},
    {"v=1; a=rsa-sha256; s=x; h=from; bh=AA==; b=AA==", "one of d=, s= and h= is missing"},
    {"v=1; a=rsa-sha256; d=a.b; d=a.b; s=x; h=from; bh=AA==; b=AA==",
     "it is no list of NAME=VALUE, each name once (RFC 6376 3.2)"},
    {"v=1; a=rsa-sha256; c=nofws; d=a.b; s=x; h=from; bh=AA==; b=AA==",
     "c= is neither simple nor relaxed"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; bh=AA==; b=", "b=: there is nothing"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; b=AA==", "bh=: there is nothing"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; bh=AA==; b=A", "b=: "},
    {"v=1; a=rsa-sha512; d=a.b; s=x; h=from; bh=AA==; b=AA==",
     "a= is no algorithm that receivers know"},
    {"v=1; d=a.b; s=x; h=from; bh=AA==; b=AA==", "a= is no algorithm that receivers know"},
    {"V=1; a=rsa-sha256; d=a.b; s=x; h=from; bh=AA==; b=AA==", "v= is not 1"}, /* exact names */
    {"a=rsa-sha256; d=a.b; s=x; h=from; bh=AA==; b=AA==", "v= is not 1"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=fromage:to; bh=AA==; b=AA==",
     "h= does not have From (RFC 6376 5.4)"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; i=a.b; bh=AA==; b=AA==", "i= is not within d="},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; i=@xa.b; bh=AA==; b=AA==", "i= is not within d="},
    {"v=1; a=rsa-sha256; d=sub.a.b; s=x; h=from; i=@a.b; bh=AA==; b=AA==", "i= is not within d="},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; t=200; x=100; bh=AA==; b=AA==",
     "x= is not after t= (RFC 6376 3.5)"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; x=soon; bh=AA==; b=AA==",
     "one of l=, t= and x= is no number"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; l=-1; bh=AA==; b=AA==",
     "one of l=, t= and x= is no number"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; q=http; bh=AA==; b=AA==",
     "q= knows no way but dns/txt"},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; bh=AA==; b=AA==;; ",
     "it is no list of NAME=VALUE, each name once (RFC 6376 3.2)"},
    {"", "v= is not 1"},
};

/* Odd, and right. */
static const struct {
    const char *field, *identity;
    bool relaxed_header, relaxed_body;
} taken[] = {
    {"v=1;a=rsa-sha256;d=a.b;s=x;h=from;bh=AA==;b=AA==", "a.b", false, false},
    {"\r\n\tv = 1 ;\r\n a = RSA-SHA256 ; c = relaxed ; d = a.b ; s = x ; h = From : To ;"
     " bh = A A\r\n = = ; b = A\r\n A== ; ",
     "a.b", true, false},
    {"v=1; a=ed25519-sha256; c=simple/relaxed; d=a.b; s=x.y; h=to:from:from; bh=AA==; b=AA==",
     "a.b", false, true},
    {"v=1; a=rsa-sha256; d=a.b; i=ann@mail.A.B; s=x; h=from; bh=AA==; b=AA==", "mail.A.B", false,
     false},
    {"v=1; a=rsa-sha256; d=a.b; i=\"x@y\"@a.b; s=x; h=from; bh=AA==; b=AA==", "a.b", false, false},
    {"v=1; a=rsa-sha256; d=a.b; s=x; h=from; q=dns/txt:http; t=100; x=200; l=0; z=From:x; new=1;"
     " bh=AA==; b=AA==",
     "a.b", false, false},
};

static void test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(taken); i++) {
        struct arena arena = {0};
        struct dkim_signature s;
        struct tide_error err = {0};
        struct header h = {.raw = text_of(taken[i].field), .whole = text_of(taken[i].field)};
        T_OK(dkim_signature_parse(&h, &arena, &s, &err), &err, "%s", taken[i].field);
        T_TEXT(s.identity, taken[i].identity, "%s", taken[i].field);
        T_EQ(s.relaxed_header, taken[i].relaxed_header, "%s", taken[i].field);
        T_EQ(s.relaxed_body, taken[i].relaxed_body, "%s", taken[i].field);
        arena_fini(&arena);
    }
}

#define ED "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

/* Key records, RFC 6376 3.6.1 and RFC 8463 4. */
static const struct {
    const char *record, *state;
    bool faulty, testing, strict;
} key_records[] = {
    {"v=DKIM1; k=ed25519; p=" ED, "ok", false, false, false},
    {"k=ed25519;p=" ED ";", "ok", false, false, false},
    {"v=DKIM1; k=ed25519; p=" ED "; ", "ok", true, false, false},
    {" v = DKIM1 ; k = ed25519 ; t = y : s ; p = " ED, "ok", false, true, true},
    {"v=DKIM1; k=ED25519; p=" ED, "ok", true, false, false}, /* values are exact: RFC 6376 3.2 */
    {"v=DKIM1; k=ed25519; s=Email; p=" ED, "ok", true, false, false},
    {"v=DKIM1; k=ed25519; t=; p=" ED, "ok", true, false, false},
    {"v=DKIM1; k=ed25519; t=y::s; p=" ED, "ok", true, true, true},
    {"v=DKIM1; k=ed25519; t=:; p=" ED, "ok", true, false, false},
    {"v=DKIM1; k=ed25519; h=sha256:-; p=" ED, "ok", true, false, false},
    {"v=DKIM1; k=elgamal; p=", "unusable", false, false, false},
    {"k=ed25519; t=x:y; n=a note; g=*; p=" ED, "ok", false, true, false},
    {"k=ed25519; h=sha1:sha256; s=email:tlsrpt; p=" ED, "ok", false, false, false},
    {"k=ed25519; h=sha256; s=*; p=" ED, "ok", false, false, false},
    {"k=ed25519; h=SHA256; s=email; p=" ED, "ok", false, false, false},
    {"k=ed25519; h=sha512; p=" ED, "unusable", false, false, false},
    {"k=ed25519; h=; p=" ED, "unusable", true, false, false},
    {"k=ed25519; s=other; p=" ED, "unusable", false, false, false},
    {"k=dsa; p=" ED, "unusable", false, false, false},
    {"k=ed25519; p=" ED "; p=" ED, "malformed", false, false, false},
    {"k=ed25519; p=" ED "; v=DKIM1", "malformed", false, false, false},
    {"v=DKIM2; k=ed25519; p=" ED, "malformed", false, false, false},
    {"v=dkim1; k=ed25519; p=" ED, "malformed", false, false, false},
    {"v=DKIM1; k=ed25519; P=" ED, "malformed", false, false, false}, /* names are exact */
    {"k=ed25519; p=AAAA", "malformed", false, false, false},
    {"p=" ED, "malformed", false, false, false}, /* k=rsa is meant: this is none */
    {"p=", "revoked", false, false, false},
    {"p= ; x=1", "revoked", false, false, false},
    {"v=DKIM1", "malformed", false, false, false},
    {"v=DKIM1; junk; k=ed25519; p=" ED, "ok", true, false, false},
    {"", "malformed", false, false, false},
};

static void test_key_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(key_records); i++) {
        struct arena arena = {0};
        struct dkim_key k;
        const char *record = key_records[i].record;
        dkim_key_parse(text_of(record), &arena, &k);
        T_STR(dkim_key_state_name(k.state), key_records[i].state, "%s: %s", record, k.why);
        T_EQ(k.faulty, key_records[i].faulty, "%s: faulty", record);
        T_EQ(k.testing, key_records[i].testing, "%s: testing", record);
        T_EQ(k.strict, key_records[i].strict, "%s: strict", record);
        arena_fini(&arena);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(refused); i++) {
        struct arena arena = {0};
        struct dkim_signature s;
        struct tide_error err = {0};
        struct header h = {.raw = text_of(refused[i].field), .whole = text_of(refused[i].field)};
        T_EQ(dkim_signature_parse(&h, &arena, &s, &err), TIDE_ESYNTAX, "%s", refused[i].field);
        T_TRUE(text_starts(text_of(err.text), text_of(refused[i].error)), "%s: %s, want %s",
               refused[i].field, err.text, refused[i].error);
        arena_fini(&arena);
    }
}

static int make_keys(void **state)
{
    (void)state;
    rsa_key = EVP_RSA_gen(2048);
    short_key = EVP_RSA_gen(512);
    ed_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return rsa_key && short_key && ed_key ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa_key);
    EVP_PKEY_free(short_key);
    EVP_PKEY_free(ed_key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc8463),
        cmocka_unit_test(test_canonical_bodies),
        cmocka_unit_test(test_signed_and_spoilt),
        cmocka_unit_test(test_key_strength_and_flags),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_key_records),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
