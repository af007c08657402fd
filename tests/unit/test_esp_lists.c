/* ESPs' suppression lists: requests and answers against their documentation; what is done with an
 * entry. */
#include "core/esp/list_judge.h"

#include "base/macros.h"
#include "lib/check.h"
#include "lib/real_rules.h"

static const struct list_account account = {
    .key = {"KEY-1", 5}, .place = {"shop.test", 9}, .prefix = {"/eu", 3}};
static const struct text address = {"a+b@x.test", 10};

static const struct {
    const char *api;
    size_t list;
    const char *after, *page, *find, *remove; /* NULL: no such call */
    const char *header, *value, *body;        /* body: of remove */
} requests[] = {
    {"sendgrid", 0, "", "GET /v3/suppression/bounces?limit=500&offset=0",
     "GET /v3/suppression/bounces/a%2Bb%40x.test", "DELETE /v3/suppression/bounces/a%2Bb%40x.test",
     "Authorization", "Bearer KEY-1", ""},
    {"sendgrid", 3, "500", "GET /v3/suppression/spam_reports?limit=500&offset=500",
     "GET /v3/suppression/spam_reports/a%2Bb%40x.test",
     "DELETE /v3/suppression/spam_reports/a%2Bb%40x.test", "Authorization", "Bearer KEY-1", ""},
    {"ses", 0, "", "GET /v2/email/suppression/addresses?PageSize=1000",
     "GET /v2/email/suppression/addresses/a%2Bb%40x.test",
     "DELETE /v2/email/suppression/addresses/a%2Bb%40x.test", NULL, NULL, ""},
    {"ses", 0, "t/1=", "GET /v2/email/suppression/addresses?NextToken=t%2F1%3D&PageSize=1000",
     "GET /v2/email/suppression/addresses/a%2Bb%40x.test",
     "DELETE /v2/email/suppression/addresses/a%2Bb%40x.test", NULL, NULL, ""},
    {"mailgun", 0, "", "GET /v3/shop.test/bounces?limit=1000",
     "GET /v3/shop.test/bounces/a%2Bb%40x.test", "DELETE /v3/shop.test/bounces/a%2Bb%40x.test",
     "Authorization", "Basic YXBpOktFWS0x", ""},
    {"mailgun", 2, "/v3/x?page=next&address=a%40x.test", "GET /v3/x?page=next&address=a%40x.test",
     "GET /v3/shop.test/unsubscribes/a%2Bb%40x.test",
     "DELETE /v3/shop.test/unsubscribes/a%2Bb%40x.test", "Authorization", "Basic YXBpOktFWS0x", ""},
    {"postmark", 0, "", "GET /message-streams/shop.test/suppressions/dump",
     "GET /message-streams/shop.test/suppressions/dump?EmailAddress=a%2Bb%40x.test",
     "POST /message-streams/shop.test/suppressions/delete", "X-Postmark-Server-Token", "KEY-1",
     "{\"Suppressions\":[{\"EmailAddress\":\"a+b@x.test\"}]}"},
    {"resend", 0, "id1", "GET /suppressions?limit=100&after=id1",
     "GET /suppressions/a%2Bb%40x.test", "DELETE /suppressions/a%2Bb%40x.test", "Authorization",
     "Bearer KEY-1", ""},
    {"sparkpost", 0, "", "GET /api/v1/suppression-list?cursor=initial&per_page=1000",
     "GET /api/v1/suppression-list/a%2Bb%40x.test",
     "DELETE /api/v1/suppression-list/a%2Bb%40x.test", "Authorization", "KEY-1", ""},
    {"brevo", 0, "", "GET /v3/smtp/blockedContacts?limit=100&offset=0&sort=asc", NULL,
     "DELETE /v3/smtp/blockedContacts/a%2Bb%40x.test", "api-key", "KEY-1", ""},
};

static void check_request(struct list_request *r, const char *want, size_t i)
{
    char got[300];
    snprintf(got, sizeof got, "%s " TEXT_FMT, r->method, TEXT_ARG(r->path));
    T_STR(got, want, "request %zu", i);
    if (requests[i].header) {
        bool found = false;
        for (size_t k = 0; k < r->header_count; k++)
            found |= text_eq(text_of(r->headers[k].name), text_of(requests[i].header)) &&
                     text_eq(r->headers[k].value, text_of(requests[i].value));
        T_TRUE(found, "request %zu: %s", i, requests[i].header);
    }
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(requests); i++) {
        const struct list_api *api = list_api_find(text_of(requests[i].api));
        struct arena a = {0};
        struct tide_error err;
        struct list_request page = {0}, find = {0}, gone = {0};
        T_TRUE(api, "%s", requests[i].api);
        T_EQ(lists_ask(api, &account, requests[i].after[0] ? LIST_ASK_NEXT : LIST_ASK_FIRST,
                       requests[i].list, text_of(requests[i].after), &a, &page, &err),
             TIDE_OK, "%zu", i);
        check_request(&page, requests[i].page, i);
        T_EQ(lists_can(api, LIST_ASK_FIND), requests[i].find != NULL, "%zu", i);
        if (requests[i].find) {
            T_EQ(
                lists_ask(api, &account, LIST_ASK_FIND, requests[i].list, address, &a, &find, &err),
                TIDE_OK, "%zu", i);
            check_request(&find, requests[i].find, i);
        }
        T_EQ(lists_ask(api, &account, LIST_ASK_REMOVE, requests[i].list, address, &a, &gone, &err),
             TIDE_OK, "%zu", i);
        check_request(&gone, requests[i].remove, i);
        T_TRUE(text_eq(buf_text(&gone.body), text_of(requests[i].body)), "%zu: %s", i,
               buf_str(&gone.body));
        buf_fini(&gone.body);
        arena_fini(&a);
    }
}

static const struct {
    const char *api;
    size_t list;
    const char *body;
    bool good;
    size_t count;
    const char *address, *words, *next;
    enum listed_kind kind;
    tide_wall_ms at;
} answers[] = {
    {"sendgrid", 0,
     "[{\"created\":1443651125,\"email\":\"a@x.test\",\"reason\":\"550 5.1.1 no\",\"status\":"
     "\"5.1.1\"}]",
     true, 1, "a@x.test", "550 5.1.1 no", "", LISTED_BOUNCED, 1443651125000},
    {"sendgrid", 3, "[{\"created\":1,\"email\":\"a@x.test\",\"ip\":\"192.0.2.1\"}]", true, 1,
     "a@x.test", "", "", LISTED_COMPLAINED, 1000},
    {"sendgrid", 2, "[]", true, 0, "", "", "", LISTED_INVALID, 0},
    {"sendgrid", 0, "{\"errors\":[]}", false, 0, "", "", "", LISTED_BOUNCED, 0},
    {"ses", 0,
     "{\"NextToken\":\"t\",\"SuppressedDestinationSummaries\":[{\"EmailAddress\":\"a@x.test\","
     "\"LastUpdateTime\":1586552585.077,\"Reason\":\"COMPLAINT\"}]}",
     true, 1, "a@x.test", "", "t", LISTED_COMPLAINED, 1586552585077},
    {"ses", 0,
     "{\"SuppressedDestination\":{\"EmailAddress\":\"a@x.test\",\"Reason\":\"BOUNCE\","
     "\"LastUpdateTime\":1586552585}}",
     true, 1, "a@x.test", "", "", LISTED_BOUNCED, 1586552585000},
    {"ses", 0,
     "{\"SuppressedDestinationSummaries\":[{\"EmailAddress\":\"a@x.test\",\"Reason\":"
     "\"SOMETHING_NEW\"}]}",
     true, 1, "a@x.test", "", "", LISTED_MANUAL, 0},
    {"ses", 0, "{}", false, 0, "", "", "", LISTED_BOUNCED, 0},
    {"mailgun", 0,
     "{\"items\":[{\"address\":\"a@x.test\",\"code\":\"550\",\"error\":\"No such mailbox\","
     "\"created_at\":\"Fri, 21 Oct 2011 11:02:55 GMT\"}],\"paging\":{\"next\":"
     "\"https://api.mailgun.net/v3/shop.test/bounces?page=next&address=a%40x.test&limit=1\"}}",
     true, 1, "a@x.test", "No such mailbox",
     "/v3/shop.test/bounces?page=next&address=a%40x.test&limit=1", LISTED_BOUNCED, 1319194975000},
    {"mailgun", 0, "{\"items\":[],\"paging\":{\"next\":\"https://api.mailgun.net/v3/x\"}}", true, 0,
     "", "", "", LISTED_BOUNCED, 0},
    {"mailgun", 1, "{\"address\":\"a@x.test\",\"created_at\":\"Fri, 21 Oct 2011 11:02:55 GMT\"}",
     true, 1, "a@x.test", "", "", LISTED_COMPLAINED, 1319194975000},
    {"postmark", 0,
     "{\"Suppressions\":[{\"EmailAddress\":\"a@x.test\",\"SuppressionReason\":\"HardBounce\","
     "\"Origin\":\"Recipient\",\"CreatedAt\":\"2019-12-10T08:58:33-05:00\"}]}",
     true, 1, "a@x.test", "", "", LISTED_BOUNCED, 1575986313000},
    {"postmark", 0,
     "{\"Suppressions\":[{\"EmailAddress\":\"a@x.test\",\"SuppressionReason\":"
     "\"ManualSuppression\",\"Origin\":\"Recipient\",\"CreatedAt\":\"?\"}]}",
     true, 1, "a@x.test", "", "", LISTED_UNSUBSCRIBED, 0},
    {"postmark", 0,
     "{\"Suppressions\":[{\"EmailAddress\":\"a@x.test\",\"SuppressionReason\":"
     "\"ManualSuppression\",\"Origin\":\"Customer\"}]}",
     true, 1, "a@x.test", "", "", LISTED_MANUAL, 0},
    {"sparkpost", 0,
     "{\"results\":[{\"recipient\":\"a@x.test\",\"type\":\"transactional\",\"source\":"
     "\"Bounce Rule\",\"description\":\"550: 550 5.1.1 unknown\",\"created\":"
     "\"2015-01-01T12:00:00+00:00\"}],\"links\":[{\"href\":\"/api/v1/suppression-list?cursor=c\","
     "\"rel\":\"next\"}],\"total_count\":2}",
     true, 1, "a@x.test", "550: 550 5.1.1 unknown", "/api/v1/suppression-list?cursor=c",
     LISTED_BOUNCED, 1420113600000},
    {"sparkpost", 0,
     "{\"results\":[{\"recipient\":\"a@x.test\",\"source\":\"Compliance\"}],\"links\":{\"next\":"
     "\"https://api.sparkpost.com/eu/api/v1/s?cursor=c\"}}",
     true, 1, "a@x.test", "", "/api/v1/s?cursor=c", LISTED_MANUAL, 0},
    {"sparkpost", 0, "{\"results\":[],\"links\":[]}", true, 0, "", "", "", LISTED_BOUNCED, 0},
    {"brevo", 0,
     "{\"count\":1,\"contacts\":[{\"email\":\"a@x.test\",\"senderEmail\":\"\",\"reason\":"
     "{\"code\":\"contactFlaggedAsSpam\",\"message\":\"..\"},\"blockedAt\":"
     "\"2017-05-01T12:30:00Z\"}]}",
     true, 1, "a@x.test", "", "", LISTED_COMPLAINED, 1493641800000},
    {"brevo", 0, "{\"count\":0}", true, 0, "", "", "", LISTED_BOUNCED, 0},
    {"brevo", 0, "[]", false, 0, "", "", "", LISTED_BOUNCED, 0},
    {"resend", 0,
     "{\"object\":\"list\",\"has_more\":true,\"data\":[{\"id\":\"i9\",\"email\":\"a@x.test\","
     "\"origin\":\"bounce\",\"created_at\":\"2026-01-01T00:00:00Z\"}]}",
     true, 1, "a@x.test", "", "i9", LISTED_BOUNCED, 1767225600000},
    {"resend", 0,
     "{\"object\":\"suppression\",\"id\":\"i9\",\"email\":\"a@x.test\",\"origin\":\"complaint\","
     "\"source_id\":\"s\",\"created_at\":\"2026-01-01T00:00:00.000Z\"}",
     true, 1, "a@x.test", "", "", LISTED_COMPLAINED, 1767225600000},
    {"resend", 0, "{\"object\":\"list\",\"has_more\":false,\"data\":[]}", true, 0, "", "", "",
     LISTED_BOUNCED, 0},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(answers); i++) {
        const struct list_api *api = list_api_find(text_of(answers[i].api));
        struct arena a = {0};
        struct json *doc = NULL;
        struct tide_error err;
        struct list_page page = {0};
        T_EQ(json_parse(text_of(answers[i].body), 10000, &doc, &err), TIDE_OK, "%zu", i);
        bool good = lists_read_page(api, &account, doc, answers[i].list, &a, &page);
        T_EQ(good, answers[i].good, "answer %zu", i);
        if (good) {
            T_EQ(page.count, answers[i].count, "answer %zu", i);
            T_TRUE(text_eq(page.next, text_of(answers[i].next)), "answer %zu: next " TEXT_FMT, i,
                   TEXT_ARG(page.next));
        }
        if (good && page.count > 0) {
            const struct list_entry *e = &page.entries[0];
            T_TRUE(text_eq(e->address, text_of(answers[i].address)), "answer %zu", i);
            T_TRUE(text_eq(e->words, text_of(answers[i].words)), "answer %zu: " TEXT_FMT, i,
                   TEXT_ARG(e->words));
            T_EQ(e->kind, answers[i].kind, "answer %zu", i);
            T_EQ(e->at, answers[i].at, "answer %zu", i);
        }
        json_free(doc);
        arena_fini(&a);
    }
}

/* A page that is full is not the last. */
static void test_full_pages(void **state)
{
    (void)state;
    static const struct {
        const char *api, *before, *one, *open, *close, *next;
        int count;
    } full[] = {
        {"sendgrid", "500", "{\"email\":\"a@x.test\"}", "[", "]", "1000", 500},
        {"brevo", "", "{\"email\":\"a@x.test\"}", "{\"contacts\":[", "]}", "100", 100},
    };
    for (size_t i = 0; i < TIDE_COUNT(full); i++) {
        struct buf b = {0};
        struct arena a = {0};
        struct json *doc = NULL;
        struct tide_error err;
        struct list_page page = {.next = text_of(full[i].before)};
        buf_adds(&b, full[i].open);
        for (int k = 0; k < full[i].count; k++)
            buf_addf(&b, "%s%s", k ? "," : "", full[i].one);
        buf_adds(&b, full[i].close);
        T_EQ(json_parse(buf_text(&b), LISTS_ANSWER_MAX, &doc, &err), TIDE_OK, "%zu", i);
        T_TRUE(lists_read_page(list_api_find(text_of(full[i].api)), &account, doc, 0, &a, &page),
               "%zu", i);
        T_TRUE(text_eq(page.next, text_of(full[i].next)), "%s: " TEXT_FMT, full[i].api,
               TEXT_ARG(page.next));
        json_free(doc);
        buf_fini(&b);
        arena_fini(&a);
    }
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *api, *path, *answer, *words;
    } cases[] = {
        {"postmark", "/bounces?count=1&offset=0&type=HardBounce&emailFilter=a%2Bb%40x.test",
         "{\"TotalCount\":1,\"Bounces\":[{\"ID\":1,\"Details\":\"550 no\"}]}", "550 no"},
        {"brevo", "/v3/smtp/statistics/events?limit=1&event=hardBounces&email=a%2Bb%40x.test",
         "{\"events\":[{\"email\":\"a\",\"reason\":\"550 no\"}]}", "550 no"},
        {"brevo", "/v3/smtp/statistics/events?limit=1&event=hardBounces&email=a%2Bb%40x.test", "{}",
         ""},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        const struct list_api *api = list_api_find(text_of(cases[i].api));
        struct arena a = {0};
        struct json *doc = NULL;
        struct tide_error err;
        struct list_request r = {0};
        T_EQ(lists_ask(api, &account, LIST_ASK_WORDS, 0, address, &a, &r, &err), TIDE_OK, "%zu", i);
        T_TRUE(text_eq(r.path, text_of(cases[i].path)), "%zu: " TEXT_FMT, i, TEXT_ARG(r.path));
        T_EQ(json_parse(text_of(cases[i].answer), 10000, &doc, &err), TIDE_OK, "%zu", i);
        T_TRUE(text_eq(api->read_words(doc), text_of(cases[i].words)), "%zu", i);
        json_free(doc);
        arena_fini(&a);
    }
}

static void test_said(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum list_said want;
    } cases[] = {{200, LIST_DONE},    {204, LIST_DONE},    {404, LIST_ABSENT}, {429, LIST_LATER},
                 {420, LIST_LATER},   {500, LIST_LATER},   {503, LIST_LATER},  {401, LIST_REFUSED},
                 {403, LIST_REFUSED}, {400, LIST_REFUSED}, {302, LIST_REFUSED}};
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf why = {0};
        T_EQ(lists_said(cases[i].status, TEXT("no\nway"), &why), cases[i].want, "%d",
             cases[i].status);
        if (cases[i].want == LIST_REFUSED)
            T_TRUE(text_ifind(buf_text(&why), TEXT(": no way")) < why.len, "%s", buf_str(&why));
        buf_fini(&why);
    }
    struct json *doc = NULL;
    struct tide_error err;
    struct text why;
    T_EQ(json_parse(TEXT("{\"Suppressions\":[{\"EmailAddress\":\"a\",\"Status\":\"Failed\","
                         "\"Message\":\"no authority\"}]}"),
                    1000, &doc, &err),
         TIDE_OK, "postmark");
    T_TRUE(!lists_postmark.removed(doc, &why) && text_eq(why, TEXT("no authority")), "postmark");
    json_free(doc);
}

/* -- What is done with an entry ----------------------------------------------------------------*/

static void test_judge(void **state)
{
    (void)state;
    struct rulebook *rules = real_rules();
    static const struct recipient_past reached = {.delivered_at = 2000},
                                       before = {.delivered_at = 1};
    static const struct {
        const char *name;
        enum listed_kind kind;
        const char *words, *mend;
        const struct recipient_past *past;
        enum list_verdict want;
    } cases[] = {
        {"a limit", LISTED_BOUNCED, "550 Connection frequency limited", "", NULL, LIST_MEND},
        {"a dead address", LISTED_BOUNCED, "550 5.1.1 No such user here", "", NULL, LIST_LEARN},
        {"dead, but reached since", LISTED_BOUNCED, "550 5.1.1 No such user here", "", &reached,
         LIST_MEND},
        {"dead, reached before", LISTED_BOUNCED, "550 5.1.1 No such user here", "", &before,
         LIST_LEARN},
        {"dead, but confirmed since", LISTED_BOUNCED, "550 5.1.1 No such user here", "confirmed",
         NULL, LIST_MEND},
        {"no words", LISTED_BOUNCED, "", "", NULL, LIST_LEAVE},
        {"no words, reached since", LISTED_BOUNCED, "", "", &reached, LIST_MEND},
        {"no words, our own finding", LISTED_BOUNCED, "", "it was a limit", NULL, LIST_MEND},
        {"a bare 550", LISTED_BOUNCED, "550 no", "", NULL, LIST_LEAVE},
        {"a complaint", LISTED_COMPLAINED, "", "it was a limit", &reached, LIST_LEARN},
        {"unsubscribed", LISTED_UNSUBSCRIBED, "", "it was a limit", &reached, LIST_LEARN},
        {"by hand", LISTED_MANUAL, "550 Connection frequency limited", "x", &reached, LIST_LEAVE},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        const struct list_entry e = {.address = address,
                                     .kind = cases[i].kind,
                                     .words = text_of(cases[i].words),
                                     .at = 1000};
        const struct list_case c = {.entry = &e,
                                    .rules = rules,
                                    .past = cases[i].past,
                                    .provider = TEXT("qq"),
                                    .mend = text_of(cases[i].mend),
                                    .mend_at = 2000};
        struct list_judgement j;
        list_judge(&c, &j);
        T_EQ(j.verdict, cases[i].want, "%s: %s", cases[i].name, j.why);
        T_TRUE(j.why[0], "%s", cases[i].name);
    }
    rulebook_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),   cmocka_unit_test(test_answers),
        cmocka_unit_test(test_full_pages), cmocka_unit_test(test_words),
        cmocka_unit_test(test_said),       cmocka_unit_test(test_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
