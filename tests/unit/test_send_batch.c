/* Several mails in one request: what is built, which go together, and what an answer means for each
 * of them. Answers by hand from the APIs' documentation. */
#include "core/esp/send_batch.h"
#include "lib/check.h"

#define N              3
#define OK1            "{\"To\":\"a@b.test\",\"MessageID\":\"p1\",\"ErrorCode\":0,\"Message\":\"OK\"}"
#define INACTIVE       "{\"ErrorCode\":406,\"Message\":\"Found inactive addresses: x.\"}"
#define INVALID        "{\"ErrorCode\":300,\"Message\":\"Invalid email request\"}"
#define DATA(ids, err) "{\"data\":[" ids "],\"errors\":[" err "]}"

/* -- Building ----------------------------------------------------------------------------------*/

static const char plain[] = "From: ann@shop.test\r\nSubject: x\r\n\r\nhi\r\n";
static const char file[] =
    "From: ann@shop.test\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
    "--m\r\n\r\nhi\r\n--m\r\nContent-Type: text/csv\r\n"
    "Content-Disposition: attachment; filename=a.csv\r\n\r\n1\r\n--m--\r\n";
static const char postmark_template[] =
    "From: ann@shop.test\r\nX-Mailtide-Template: postmark\r\nMIME-Version: 1.0\r\n"
    "Content-Type: application/json\r\n\r\n{\"TemplateId\":7,\"TemplateModel\":{}}\r\n";

static void build(struct send_request *r, struct arena *a, const char *api, const char *message)
{
    struct tide_error err = {0};
    const struct send_mail mail = {.attempt_id = 77,
                                   .recipient = TEXT("bob@client.test"),
                                   .message = text_of(message),
                                   .key = TEXT("KEY"),
                                   .place = TEXT("")};
    T_OK(send_api_find(text_of(api))->build(&mail, a, r, &err), &err, "%s", api);
}

static const struct {
    const char *api, *message, *path, *open, *close, *headers;
} built[] = {
    {"postmark", plain, "/email/batch", "[", "]",
     "X-Postmark-Server-Token: KEY\nContent-Type: application/json\nAccept: application/json\n"},
    {"postmark", postmark_template, "/email/batchWithTemplates", "{\"Messages\":[", "]}",
     "X-Postmark-Server-Token: KEY\nContent-Type: application/json\nAccept: application/json\n"},
    {"resend", plain, "/emails/batch", "[", "]",
     "Authorization: Bearer KEY\nContent-Type: application/json\n"
     "Idempotency-Key: mailtide-batch-000000000002d-2\nx-batch-validation: permissive\n"},
};

/* The elements are the bodies of single requests, byte for byte. */
static void test_built(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(built); i++) {
        struct arena a = {0};
        struct send_request one = {0}, both = {0};
        struct tide_error err = {0};
        struct buf want = {0}, headers = {0};
        build(&one, &a, built[i].api, built[i].message);
        const struct send_request *each[] = {&one, &one};
        T_TRUE(send_batch_goes_with(&one, &one), "%zu", i);
        T_OK(send_batch_build(each, 2, 77, &a, &both, &err), &err, "%zu", i);
        buf_addf(&want, "%s" TEXT_FMT "," TEXT_FMT "%s", built[i].open,
                 TEXT_ARG(buf_text(&one.body)), TEXT_ARG(buf_text(&one.body)), built[i].close);
        for (size_t k = 0; k < both.header_count; k++)
            buf_addf(&headers, "%s: " TEXT_FMT "\n", both.headers[k].name,
                     TEXT_ARG(both.headers[k].value));
        T_TEXT(both.path, built[i].path, "%zu", i);
        T_TEXT(buf_text(&both.body), buf_str(&want), "%zu", i);
        T_TEXT(buf_text(&headers), built[i].headers, "%zu", i);
        buf_fini(&one.body);
        buf_fini(&both.body);
        buf_fini(&want);
        buf_fini(&headers);
        arena_fini(&a);
    }
}

static const struct {
    const char *api, *a, *b;
    bool together;
} pairs[] = {
    {"postmark", plain, file, true},
    {"postmark", plain, postmark_template, false}, /* another path */
    {"resend", plain, plain, true},
    {"resend", plain, file, false}, /* would lose its attachment */
    {"resend", file, file, false},
    {"sendgrid", plain, plain, false},
    {"mailgun", plain, plain, false},
    {"ses", plain, plain, false},
    {"sparkpost", plain, plain, false},
    {"brevo", plain, plain, false},
};

static void test_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(pairs); i++) {
        struct arena a = {0};
        struct send_request one = {0}, other = {0};
        build(&one, &a, pairs[i].api, pairs[i].a);
        build(&other, &a, pairs[i].api, pairs[i].b);
        T_EQ(send_batch_goes_with(&one, &other), pairs[i].together, "%zu", i);
        T_EQ(send_batch_goes_with(&other, &one), pairs[i].together, "%zu", i);
        if (pairs[i].together)
            T_TRUE(send_batch_max(send_api_find(text_of(pairs[i].api))) > 1, "%zu", i);
        buf_fini(&one.body);
        buf_fini(&other.body);
        arena_fini(&a);
    }
    T_EQ(send_batch_max(&send_postmark), 500, "its documentation");
    T_EQ(send_batch_max(&send_resend), 100, "its documentation");
    T_EQ(send_batch_max(&send_sendgrid), 1, "none");
}

/* -- Answers to a batch of three ---------------------------------------------------------------*/

static const struct {
    const char *name, *api;
    int status;
    const char *body;
    enum send_batch_said said;
    enum send_meaning each[N];
    const char *words; /* of the second */
} answers[] = {
    {"all taken",
     "postmark",
     200,
     "[" OK1 "," OK1 "," OK1 "]",
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_TAKEN, SEND_TAKEN},
     "Postmark took it: id=p1"},
    {"all taken, with templates",
     "postmark",
     200,
     "{\"Messages\":[" OK1 "," OK1 "," OK1 "]}",
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_TAKEN, SEND_TAKEN},
     "id=p1"},
    {"one inactive, one invalid",
     "postmark",
     200,
     "[" OK1 "," INACTIVE "," INVALID "]",
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_SUPPRESSED, SEND_MAIL},
     "Postmark: 406: Found inactive addresses: x."},
    {"out of credits half-way",
     "postmark",
     200,
     "[" OK1 ",{\"ErrorCode\":405,\"Message\":\"Not allowed to send\"},{\"ErrorCode\":429}]",
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_UNPAID, SEND_LIMITED},
     "405: Not allowed"},
    {"an error of no known code",
     "postmark",
     200,
     "[" OK1 ",{\"ErrorCode\":1234,\"Message\":\"new\"}," OK1 "]",
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_MAIL, SEND_TAKEN},
     "Postmark: new"},
    {"an element that is no answer, one without an id",
     "postmark",
     200,
     "[" OK1 ",7,{\"ErrorCode\":0}]",
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_LOST, SEND_LOST},
     "may be taken"},
    {"short",
     "postmark",
     200,
     "[" OK1 "," OK1 "]",
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "may be taken"},
    {"long",
     "postmark",
     200,
     "[" OK1 "," OK1 "," OK1 "," OK1 "]",
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "may be taken"},
    {"no array",
     "postmark",
     200,
     OK1,
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "may be taken"},
    {"half",
     "postmark",
     200,
     "[" OK1 "," OK1 ",{\"Err",
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "may be taken"},
    {"empty", "postmark", 200, "", SEND_BATCH_EACH, {SEND_LOST, SEND_LOST, SEND_LOST}, "HTTP 200"},
    {"whole: not understood",
     "postmark",
     422,
     "{\"ErrorCode\":402,\"Message\":\"Invalid JSON\"}",
     SEND_BATCH_APART,
     {SEND_MAIL, SEND_MAIL, SEND_MAIL},
     "HTTP 422: Invalid JSON"},
    {"whole: too large",
     "postmark",
     413,
     "",
     SEND_BATCH_APART,
     {SEND_SIZE, SEND_SIZE, SEND_SIZE},
     "HTTP 413"},
    {"whole: wrong key",
     "postmark",
     401,
     "{\"ErrorCode\":10,\"Message\":\"x\"}",
     SEND_BATCH_EACH,
     {SEND_KEY, SEND_KEY, SEND_KEY},
     "HTTP 401 10"},
    {"whole: out of credits",
     "postmark",
     422,
     "{\"ErrorCode\":405,\"Message\":\"x\"}",
     SEND_BATCH_EACH,
     {SEND_UNPAID, SEND_UNPAID, SEND_UNPAID},
     "HTTP 422 405"},
    {"whole: too fast",
     "resend",
     429,
     "",
     SEND_BATCH_EACH,
     {SEND_LIMITED, SEND_LIMITED, SEND_LIMITED},
     "HTTP 429"},
    {"whole: no such call",
     "postmark",
     404,
     "",
     SEND_BATCH_NEVER,
     {SEND_WRONG_PLACE, SEND_WRONG_PLACE, SEND_WRONG_PLACE},
     "HTTP 404"},
    {"whole: not made for it",
     "resend",
     501,
     "",
     SEND_BATCH_NEVER,
     {SEND_DOWN, SEND_DOWN, SEND_DOWN},
     "HTTP 501"},
    {"whole: shut",
     "postmark",
     503,
     "",
     SEND_BATCH_EACH,
     {SEND_DOWN, SEND_DOWN, SEND_DOWN},
     "HTTP 503"},
    {"whole: broke down at work",
     "postmark",
     500,
     "oops",
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "HTTP 500: oops"},
    {"down, in the API's own words",
     "postmark",
     500,
     "{\"ErrorCode\":100,\"Message\":\"Maintenance\"}",
     SEND_BATCH_EACH,
     {SEND_DOWN, SEND_DOWN, SEND_DOWN},
     "HTTP 500: Maintenance"},
    {"a part may be taken, the key will tell",
     "resend",
     500,
     "{\"statusCode\":500,\"name\":\"application_error\",\"message\":\"oops\"}",
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "HTTP 500: "},
    {"whole: a gateway",
     "resend",
     504,
     "<html>",
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "HTTP 504"},
    {"all taken, in order",
     "resend",
     200,
     "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}",
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_TAKEN, SEND_TAKEN},
     "id=b"},
    {"the second failed",
     "resend",
     200,
     DATA("{\"id\":\"a\"},{\"id\":\"c\"}", "{\"index\":1,\"message\":\"Invalid `to`\"}"),
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_MAIL, SEND_TAKEN},
     "Resend: Invalid `to`"},
    {"the first failed, ids move up",
     "resend",
     200,
     DATA("{\"id\":\"b\"},{\"id\":\"c\"}",
          "{\"index\":0,\"message\":\"The x.test domain is not verified.\"}"),
     SEND_BATCH_EACH,
     {SEND_SENDER, SEND_TAKEN, SEND_TAKEN},
     "id=b"},
    {"all failed",
     "resend",
     200,
     DATA("",
          "{\"index\":2,\"message\":\"z\"},{\"index\":0,\"message\":\"x\"},"
          "{\"index\":1,\"message\":\"y\"}"),
     SEND_BATCH_EACH,
     {SEND_MAIL, SEND_MAIL, SEND_MAIL},
     "Resend: y"},
    {"the quota ends half-way",
     "resend",
     200,
     DATA("{\"id\":\"a\"}",
          "{\"index\":1,\"message\":\"You have reached your daily quota\"},"
          "{\"index\":2,\"message\":\"Too many requests\"}"),
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_LIMITED, SEND_LIMITED},
     "daily quota"},
    {"an index twice",
     "resend",
     200,
     DATA("{\"id\":\"a\"}", "{\"index\":1,\"message\":\"y\"},{\"index\":1,\"message\":\"y\"}"),
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "may be taken"},
    {"an index outside",
     "resend",
     200,
     DATA("{\"id\":\"a\"},{\"id\":\"b\"}", "{\"index\":3,\"message\":\"y\"}"),
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "may be taken"},
    {"short",
     "resend",
     200,
     "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}",
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "may be taken"},
    {"one without an id",
     "resend",
     200,
     "{\"data\":[{\"id\":\"a\"},{},{\"id\":\"c\"}]}",
     SEND_BATCH_EACH,
     {SEND_TAKEN, SEND_LOST, SEND_TAKEN},
     "may be taken"},
    {"whole: not valid",
     "resend",
     422,
     "{\"name\":\"validation_error\",\"message\":\"x\"}",
     SEND_BATCH_APART,
     {SEND_MAIL, SEND_MAIL, SEND_MAIL},
     "validation_error"},
    {"whole: being worked on",
     "resend",
     409,
     "{\"name\":\"concurrent_idempotent_requests\"}",
     SEND_BATCH_EACH,
     {SEND_LOST, SEND_LOST, SEND_LOST},
     "concurrent"},
};

static struct text no_header(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return (struct text){NULL, 0};
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(answers); i++) {
        struct send_said each[N];
        const struct send_answer answer = {
            .status = answers[i].status, .body = text_of(answers[i].body), .header = no_header};
        const struct send_api *api = send_api_find(text_of(answers[i].api));
        T_EQ(send_batch_read(api, &answer, N, each), answers[i].said, "%s %s", answers[i].api,
             answers[i].name);
        for (size_t k = 0; k < N; k++)
            T_EQ(each[k].meaning, answers[i].each[k], "%s %s, mail %zu: %s", answers[i].api,
                 answers[i].name, k, each[k].reply.text);
        T_TRUE(strstr(each[1].reply.text, answers[i].words), "%s %s: %s", answers[i].api,
               answers[i].name, each[1].reply.text);
    }
}

/* 500 mails whose addresses are as long as they may be: all of the answer counts. */
static void test_large(void **state)
{
    static struct send_said each[500];
    struct buf body = {0};
    (void)state;
    for (size_t i = 0; i < 500; i++)
        buf_addf(&body, "%c{\"To\":\"%0320d\",\"MessageID\":\"m-%zu\",\"ErrorCode\":0}",
                 i ? ',' : '[', 7, i);
    buf_addc(&body, ']');
    const struct send_answer answer = {.status = 200, .body = buf_text(&body), .header = no_header};
    T_TRUE(body.len < send_batch_answer_max(500) && body.len > SEND_ANSWER_MAX, "%zu", body.len);
    T_EQ(send_batch_read(&send_postmark, &answer, 500, each), SEND_BATCH_EACH, "read");
    T_TRUE(strstr(each[499].reply.text, "id=m-499"), "%s", each[499].reply.text);
    buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
