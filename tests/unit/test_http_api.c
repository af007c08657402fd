/* The HTTP door and the status socket against a stand-in for intake, store and gate: these answer
 * one loop turn later, by rules that the recipient's address names. */
#include "core/proto/json.h"
#include "io/intake/http_api.h"
#include "io/status/status.h"
#include "lib/check.h"
#include "lib/client.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELD_MAX 64

static struct config config;
static struct clock clock_real;

static struct world {
    uv_loop_t loop;
    uv_idle_t later;
    struct intake_request *submitted[HELD_MAX];
    size_t submitted_count;
    struct store_ask *asked[HELD_MAX];
    size_t asked_count;
    struct operate_request *operated;
    struct operate_limits *limits;
    tide_id last_id;
    struct http_api *api;
    struct status *status;
    size_t closed;
    bool not_accepting;
    /* what was seen */
    char message[4096], by[64], application[64], stream[32], key[64], sender[64];
    char fingerprint[32];
    size_t submissions;
} w;

/* -- Stand-ins ------------------------------------------------------------------------------------
 */

const struct config *intake_config(const struct intake *in)
{
    (void)in;
    return &config;
}

enum tide_err intake_check_sender(struct intake *in,
                                  const struct config_application *application,
                                  struct text sender,
                                  struct tide_error *err)
{
    (void)in;
    if (!text_iends(sender, TEXT("@other.example")))
        return TIDE_OK;
    return tide_fail(err, TIDE_EPERM, "%s may not send as other.example", application->name);
}

enum tide_err intake_check_room(struct intake *in,
                                const struct config_application *application,
                                size_t n,
                                struct tide_error *err)
{
    (void)in;
    return n <= 8 ? TIDE_OK
                  : tide_fail(err, TIDE_ELIMIT, "%s may hand in 8 a minute", application->name);
}

static void copy(char *out, size_t size, struct text t)
{
    snprintf(out, size, TEXT_FMT, TEXT_ARG(t));
}

void intake_submit(struct intake *in, struct intake_request *req)
{
    (void)in;
    copy(w.message, sizeof w.message, req->message);
    copy(w.application, sizeof w.application, text_of(req->application->name));
    copy(w.stream, sizeof w.stream, req->stream);
    copy(w.key, sizeof w.key, req->key);
    copy(w.sender, sizeof w.sender, req->sender);
    memcpy(w.fingerprint, req->fingerprint.p, sizeof w.fingerprint);
    w.submissions++;
    w.submitted[w.submitted_count++] = req;
}

static void answer_submission(struct intake_request *req)
{
    static const struct {
        const char *local;
        enum tide_err rc;
        const char *text;
    } rules[] = {
        {"limit@", TIDE_ELIMIT, "too much at once"},
        {"full@", TIDE_EFULL, "the disk is full"},
        {"perm@", TIDE_EPERM, "shop may not send as s.example"},
        {"used@", TIDE_EEXIST, "key \"k\" was used for another message"},
    };
    for (size_t i = 0; i < TIDE_COUNT(rules); i++) {
        if (text_starts(req->recipients[0].address, text_of(rules[i].local))) {
            struct tide_error err = {0};
            tide_fail(&err, rules[i].rc, "%s", rules[i].text);
            req->done(req, rules[i].rc, &err);
            return;
        }
    }
    req->results = arena_array(&req->arena, req->recipient_count, sizeof *req->results);
    for (size_t i = 0; i < req->recipient_count; i++)
        req->results[i] = (struct intake_result){.id = ++w.last_id,
                                                 .state = NOTIFICATION_HELD,
                                                 .reason = TEXT("10 of 10 are used"),
                                                 .due_at = 1795299446123};
    req->done(req, TIDE_OK, NULL);
}

void store_ask(struct store *s, struct store_ask *req)
{
    (void)s;
    w.asked[w.asked_count++] = req;
}

void store_apply(struct store *s, struct store_apply *req)
{
    (void)s;
    (void)req;
    T_FAIL("nothing that is asked here writes");
}

void store_watch(struct store *s, struct store_watch *watch)
{
    (void)s;
    (void)watch;
    T_FAIL("nobody follows the journal here");
}

void store_unwatch(struct store_watch *watch)
{
    (void)watch;
}

/* What ESPs tell has tests of its own; here its room would want the whole store. */
bool webhooks_take(struct webhooks *wh, struct http_request *req)
{
    (void)wh;
    (void)req;
    return false;
}

static void answer_ask(struct store_ask *ask)
{
    static struct notification n = {.id = 7,
                                    .state = NOTIFICATION_HELD,
                                    .application = {"shop", 4},
                                    .recipient = {"bruce@client.asia", 17},
                                    .subject = {"New \"comment\"", 13},
                                    .accepted_at = 1795299446123,
                                    .due_at = 1795299446123};
    static struct journal_entry e = {.at = 1795299446123,
                                     .event = {"held", 4},
                                     .sentence = {"10 of 10 are used", 17},
                                     .notification_id = 7};
    static struct recipient_state r = {.address = {"bruce@client.asia", 17},
                                       .domain = {"client.asia", 11}};
    bool known = ask->id == 7 || text_eq(ask->recipient, TEXT("bruce@client.asia"));
    bool all = ask->view == STORE_VIEW_QUEUE && ask->recipient.n == 0;
    ask->notifications = &n;
    ask->notification_count = known || all;
    ask->journal = &e;
    ask->journal_count = known;
    ask->recipient_row = known ? &r : NULL;
    ask->next = all ? TEXT("cursor") : TEXT("");
    ask->counts.notifications[NOTIFICATION_HELD] = 42;
    ask->done(ask, TIDE_OK, NULL);
}

static void fake_operate(void *arg, struct operate_request *req)
{
    (void)arg;
    w.operated = req;
}

static void fake_limits(void *arg, struct operate_limits *req)
{
    (void)arg;
    w.limits = req;
}

#define STARTED 1795299446123
#define NOW     (STARTED + 60000)

static tide_wall_ms fake_now(void *arg)
{
    (void)arg;
    return NOW;
}

static void fake_status(void *arg, struct arena *arena, struct operate_status *ret)
{
    static struct operate_account account = {
        .name = {"out\"box", 7}, .type = {"outbox", 6}, .state = {"ready", 5}, .accepted = 3};
    (void)arg;
    (void)arena;
    ret->version = TEXT("0.1.0");
    ret->started_at = STARTED;
    ret->now = NOW;
    ret->accepting = !w.not_accepting;
    ret->not_accepting = TEXT("stopping");
    ret->store_ok = true;
    ret->accepted = 5;
    ret->accounts = &account;
    ret->account_count = 1;
}

static const struct operate operate = {.cancel = fake_operate,
                                       .release = fake_operate,
                                       .limits = fake_limits,
                                       .now = fake_now,
                                       .status = fake_status};

static void on_later(uv_idle_t *idle)
{
    (void)idle;
    while (w.submitted_count > 0)
        answer_submission(w.submitted[--w.submitted_count]);
    while (w.asked_count > 0)
        answer_ask(w.asked[--w.asked_count]);
    if (w.operated) {
        struct operate_request *o = w.operated;
        struct tide_error err = {0};
        w.operated = NULL;
        copy(w.by, sizeof w.by, o->by);
        copy(w.application, sizeof w.application, o->application);
        o->count = 1;
        if (o->id == 9)
            o->done(o, tide_fail(&err, TIDE_ESTATE, "it was sent already"), &err);
        else
            o->done(o, TIDE_OK, NULL);
    }
    if (w.limits) {
        static struct operate_limit row = {.name = {"qq/recipient-day", 16},
                                           .scope = {"recipient", 9},
                                           .text = {"10 per day", 10},
                                           .count = 10,
                                           .used = 10};
        struct operate_limits *l = w.limits;
        w.limits = NULL;
        l->rows = &row;
        l->count = 1;
        l->provider = TEXT("qq");
        l->done(l, TIDE_OK, NULL);
    }
}

/* -- The world ------------------------------------------------------------------------------------
 */

static char socket_dir[] = "/tmp/test-http-api-XXXXXX";
static char socket_path[100];

static bool pass_on(void *arg, struct http_request *req, bool may_operate, const char *by)
{
    struct http_caller caller = {.may_operate = may_operate, .by = by};
    return http_api_notifications(*(struct http_api **)arg, req, &caller);
}

static int set_up(void **state)
{
    (void)state;
    static char listen[] = "127.0.0.1:0", shop_name[] = "shop", other_name[] = "other";
    static char shop_key[] = "shop-key-0123456789", other_key[] = "other-key",
                comments[] = "comments";
    static char *listens[] = {listen};
    static struct config_stream streams[] = {{.name = comments}};
    static struct config_application applications[] = {
        {.name = shop_name, .key = {shop_key}},
        {.name = other_name, .key = {other_key}},
    };
    struct tide_error err = {0};
    applications[0].anonymous = false;
    w = (struct world){0};
    clock_init_real(&clock_real);
    config = (struct config){
        .http = {.listen = listens, .listen_count = 1, .body_bytes_max = 1000000, .batch_max = 5},
        .smtp = {.recipients_max = 10},
        .streams = streams,
        .stream_count = 1,
        .applications = applications,
        .application_count = 2,
    };
    uv_loop_init(&w.loop);
    uv_idle_init(&w.loop, &w.later);
    uv_idle_start(&w.later, on_later);
    struct http_api_options o = {.loop = &w.loop, .operate = &operate, .clock = &clock_real};
    T_OK(http_api_open(&o, &w.api, &err), &err, "open");
    memcpy(socket_dir + sizeof socket_dir - 7, "XXXXXX", 7);
    T_TRUE(mkdtemp(socket_dir) != NULL, "folder");
    snprintf(socket_path, sizeof socket_path, "%s/status", socket_dir);
    struct config_status c = {.socket = socket_path, .mode = 0660};
    struct status_options so = {.loop = &w.loop,
                                .operate = &operate,
                                .body_bytes_max = 1000000,
                                .notifications = pass_on,
                                .arg = &w.api};
    T_OK(status_open(&so, &c, &w.status, &err), &err, "open status");
    return 0;
}

static void on_closed(void *arg)
{
    (void)arg;
    if (++w.closed == 2)
        uv_close((uv_handle_t *)&w.later, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    status_close(w.status, on_closed, NULL);
    http_api_close(w.api, on_closed, NULL);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    T_EQ(w.closed, 2, "both closed");
    T_EQ(uv_loop_close(&w.loop), 0, "nothing is left on the loop");
    T_EQ(rmdir(socket_dir), 0, "the socket is gone");
    return 0;
}

/* One request on a connection of its own; returns the whole answer. */
static const char *ask_on(
    int fd, const char *method, const char *path, const char *headers, const char *body)
{
    struct buf b = {0};
    buf_addf(&b, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", method, path, headers);
    if (body)
        buf_addf(&b, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    buf_addf(&b, "\r\n%s", body ? body : "");
    client_put(fd, buf_str(&b));
    buf_fini(&b);
    const char *in = client_get(&w.loop, fd, "(never)", 1);
    close(fd);
    return in;
}

static const char *ask(const char *method, const char *path, const char *headers, const char *body)
{
    return ask_on(client_dial(http_api_port(w.api, 0)), method, path, headers, body);
}

static const char *ask_status(const char *method, const char *path, const char *body)
{
    return ask_on(client_dial_unix(socket_path), method, path, "", body);
}

/* The body of the answer is JSON in any case. */
static void check_json(const char *in)
{
    struct json *doc = NULL;
    struct tide_error err = {0};
    const char *body = strstr(in, "\r\n\r\n");
    T_TRUE(body != NULL, "no answer: %s", in);
    if (strstr(in, "Content-Length: 0\r\n"))
        return; /* SendGrid's 202 */
    T_OK(json_parse(text_of(body + 4), 1000000, &doc, &err), &err, "%s", in);
    json_free(doc);
}

#define KEY       "Authorization: Bearer shop-key-0123456789\r\n"
#define OTHER_KEY "Authorization: bearer other-key\r\n"
#define SENDGRID(from, to)                                                                  \
    "{\"personalizations\":[{\"to\":[{\"email\":\"" to "\"}]}],\"from\":{\"email\":\"" from \
    "\"},\"subject\":\"s\",\"content\":[{\"type\":\"text/plain\",\"value\":\"t\"}]}"
#define MAIL(to) \
    "{\"to\":\"" to "\",\"from\":\"Shop <n@s.example>\",\"subject\":\"s\",\"text\":\"t\"}"

static const struct {
    const char *name, *method, *path, *headers, *body;
    const char *want[3];
} cases[] = {
    {"one",
     "POST",
     "/v1/notifications",
     KEY,
     MAIL("bruce@client.asia"),
     {"HTTP/1.1 202",
      "{\"notifications\":[{\"id\":\"0000000000001\",\"recipient\":"
      "\"bruce@client.asia\",\"state\":\"held\",\"reason\":\"10 of 10 are used\","
      "\"estimated_release_at\":\"2026-11-21T22:17:26.123Z\",\"duplicate\":false}]}"}},
    {"no key",
     "POST",
     "/v1/notifications",
     "",
     MAIL("a@b.example"),
     {"HTTP/1.1 401", "\"no_key\"", "WWW-Authenticate: Bearer"}},
    {"wrong key",
     "POST",
     "/v1/notifications",
     "Authorization: Bearer shop-key-0123456788\r\n",
     MAIL("a@b.example"),
     {"HTTP/1.1 401", "\"bad_key\""}},
    {"longer key",
     "POST",
     "/v1/notifications",
     "Authorization: Bearer shop-key-01234567890\r\n",
     MAIL("a@b.example"),
     {"HTTP/1.1 401", "\"bad_key\""}},
    {"empty key",
     "POST",
     "/v1/notifications",
     "Authorization: Bearer \r\n",
     MAIL("a@b.example"),
     {"HTTP/1.1 401", "\"bad_key\""}},
    {"other scheme",
     "GET",
     "/v1/notifications/0000000000007",
     "Authorization: Basic eDp5\r\n",
     NULL,
     {"HTTP/1.1 401"}},
    {"SendGrid",
     "POST",
     "/v3/mail/send",
     KEY,
     SENDGRID("n@s.example", "a@b.example"),
     {"HTTP/1.1 202", "X-Message-Id: 00000000000", "Content-Length: 0"}},
    {"SendGrid, no key",
     "POST",
     "/v3/mail/send",
     "",
     SENDGRID("n@s.example", "a@b.example"),
     {"HTTP/1.1 401", "{\"errors\":[{\"message\":"}},
    {"SendGrid, wrong key",
     "POST",
     "/v3/mail/send",
     "Authorization: Bearer x\r\n",
     SENDGRID("n@s.example", "a@b.example"),
     {"HTTP/1.1 401", "{\"errors\":[{\"message\":\"The provided authorization grant is invalid"}},
    {"SendGrid, limit",
     "POST",
     "/v3/mail/send",
     KEY,
     SENDGRID("n@s.example", "limit@b.example"),
     {"HTTP/1.1 429", "X-RateLimit-Reset: ", "Retry-After: 10"}},
    {"SendGrid, full",
     "POST",
     "/v3/mail/send",
     KEY,
     SENDGRID("n@s.example", "full@b.example"),
     {"HTTP/1.1 503", "{\"errors\":[{\"message\":\"the disk is full\"", "Retry-After: 10"}},
    {"SendGrid, other sender",
     "POST",
     "/v3/mail/send",
     KEY,
     SENDGRID("n@other.example", "a@b.example"),
     {"HTTP/1.1 403", "\"field\":\"from\""}},
    {"no JSON", "POST", "/v1/notifications", KEY, "{\"to\"", {"HTTP/1.1 400", "\"bad_json\""}},
    {"field",
     "POST",
     "/v1/notifications",
     KEY,
     "{\"to\":5}",
     {"HTTP/1.1 400", "{\"error\":{\"code\":\"wrong_type\",\"field\":\"to\","}},
    {"limit",
     "POST",
     "/v1/notifications",
     KEY,
     MAIL("limit@b.example"),
     {"HTTP/1.1 429", "\"too_many\"", "Retry-After: 10"}},
    {"full",
     "POST",
     "/v1/notifications",
     KEY,
     MAIL("full@b.example"),
     {"HTTP/1.1 503", "\"store_full\"", "Retry-After: 10"}},
    {"perm",
     "POST",
     "/v1/notifications",
     KEY,
     MAIL("perm@b.example"),
     {"HTTP/1.1 403", "{\"error\":{\"code\":\"not_permitted\",\"field\":\"from\",\"message\":"
                      "\"shop may not send as s.example\"}}"}},
    {"used",
     "POST",
     "/v1/notifications",
     KEY,
     MAIL("used@b.example"),
     {"HTTP/1.1 409", "\"key_used\"", "\"field\":\"key\""}},
    {"array",
     "POST",
     "/v1/notifications",
     KEY,
     "[" MAIL("a@b.example") ",{\"to\":5}," MAIL("full@b.example") "," MAIL("c@d.example") "]",
     {"HTTP/1.1 202", "{\"index\":1,\"error\":{\"code\":\"wrong_type\",\"field\":\"[1].to\",",
      "{\"index\":2,\"error\":{\"code\":\"store_full\",\"field\":\"[2]\","}},
    {"array, all bad",
     "POST",
     "/v1/notifications",
     KEY,
     "[{\"to\":5},7]",
     {"HTTP/1.1 400", "{\"error\":{\"code\":\"wrong_type\",\"field\":\"[0].to\"",
      "{\"index\":1,\"error\":{\"code\":\"wrong_type\",\"field\":\"[1]\""}},
    {"empty array", "POST", "/v1/notifications", KEY, "[]", {"HTTP/1.1 400", "\"missing\""}},
    {"long array",
     "POST",
     "/v1/notifications",
     KEY,
     "[1,2,3,4,5,6]",
     {"HTTP/1.1 413", "\"too_many_items\"", "want at most 5 notifications, got 6"}},
    {"array and header",
     "POST",
     "/v1/notifications",
     KEY "Idempotency-Key: k\r\n",
     "[1]",
     {"HTTP/1.1 400", "\"conflict\""}},
    {"GET all", "GET", "/v1/notifications", KEY, NULL, {"HTTP/1.1 405", "Allow: POST"}},
    {"get",
     "GET",
     "/v1/notifications/0000000000007",
     KEY,
     NULL,
     {"HTTP/1.1 200", "\"subject\":\"New \\\"comment\\\"\"", "\"state\":\"held\""}},
    {"get another's", "GET", "/v1/notifications/0000000000007", OTHER_KEY, NULL, {"HTTP/1.1 404"}},
    {"get none", "GET", "/v1/notifications/0000000000008", KEY, NULL, {"HTTP/1.1 404"}},
    {"get no id", "GET", "/v1/notifications/x", KEY, NULL, {"HTTP/1.1 404"}},
    {"delete",
     "DELETE",
     "/v1/notifications/0000000000007",
     KEY,
     NULL,
     {"HTTP/1.1 200", "{\"cancelled\":1}"}},
    {"cancel",
     "POST",
     "/v1/notifications/0000000000007/cancel",
     KEY,
     "{}",
     {"HTTP/1.1 200", "{\"cancelled\":1}"}},
    {"release",
     "POST",
     "/v1/notifications/0000000000007/release",
     KEY,
     "",
     {"HTTP/1.1 200", "{\"released\":1}"}},
    {"too late",
     "POST",
     "/v1/notifications/0000000000009/release",
     KEY,
     "",
     {"HTTP/1.1 409", "\"not_possible\"", "it was sent already"}},
    {"GET cancel", "GET", "/v1/notifications/0000000000007/cancel", KEY, NULL, {"HTTP/1.1 405"}},
    {"other action", "POST", "/v1/notifications/0000000000007/x", KEY, "", {"HTTP/1.1 404"}},
    {"near the path", "POST", "/v1/notificationsx", KEY, "", {"HTTP/1.1 404"}},
    {"nowhere", "GET", "/", KEY, NULL, {"HTTP/1.1 404"}},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        w.last_id = 0;
        const char *in = ask(cases[i].method, cases[i].path, cases[i].headers, cases[i].body);
        for (size_t k = 0; k < 3 && cases[i].want[k]; k++)
            T_TRUE(strstr(in, cases[i].want[k]), "%s: want \"%s\" in: %s", cases[i].name,
                   cases[i].want[k], in);
        check_json(in);
    }
}

static void test_what_is_submitted(void **state)
{
    (void)state;
    T_HAS(ask("POST", "/v1/notifications", KEY "Idempotency-Key: k-1\r\n",
              "{\"to\":[\"a@b.example\",\"c@d.example\"],\"from\":\"Shop <n@s.example>\","
              "\"bcc\":\"e@f.example\",\"subject\":\"s\",\"text\":\"t\",\"stream\":\"comments\"}"),
          "\"recipient\":\"e@f.example\"");
    T_STR(w.application, "shop", "application");
    T_STR(w.sender, "n@s.example", "envelope");
    T_STR(w.stream, "comments", "stream");
    T_STR(w.key, "k-1", "key");
    T_HAS(w.message, "From: Shop <n@s.example>\r\n");
    T_HAS(w.message, "To: a@b.example, c@d.example\r\n");
    T_HAS(w.message, "@s.example>\r\n");
    T_TRUE(!strstr(w.message, "e@f.example"), "Bcc is not told");
    char first[32], message[4096];
    memcpy(first, w.fingerprint, 32);
    memcpy(message, w.message, sizeof message);
    ask("POST", "/v1/notifications", KEY "Idempotency-Key: k-1\r\n",
        "{\"to\":[\"a@b.example\",\"c@d.example\"],\"from\":\"Shop <n@s.example>\","
        "\"bcc\":\"e@f.example\",\"subject\":\"s\",\"text\":\"t\",\"stream\":\"comments\"}");
    T_TRUE(memcmp(first, w.fingerprint, 32) == 0, "the same again is the same");
    T_TRUE(strcmp(message, w.message) != 0, "with a Message-ID of its own");
    ask("POST", "/v1/notifications", KEY, MAIL("a@b.example"));
    T_TRUE(memcmp(first, w.fingerprint, 32) != 0, "something else is not");
    ask("POST", "/v1/notifications", KEY,
        "{\"to\":\"a@b.example\",\"from\":\"n@s.example\",\"message\":\"Subject: x\\n\\nraw\"}");
    T_STR(w.message, "Subject: x\n\nraw", "as given");
}

static void test_content_type(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *want;
    } types[] = {
        {"", "HTTP/1.1 415"},
        {"Content-Type: text/plain\r\n", "HTTP/1.1 415"},
        {"Content-Type: application/jsonx\r\n", "HTTP/1.1 415"},
        {"content-type: Application/JSON ; charset=utf-8\r\n", "HTTP/1.1 400"},
    };
    for (size_t i = 0; i < TIDE_COUNT(types); i++) {
        char headers[200];
        snprintf(headers, sizeof headers, KEY "%sContent-Length: 0\r\n", types[i].header);
        T_HAS(ask("POST", "/v1/notifications", headers, NULL), types[i].want);
    }
}

static void test_anonymous(void **state)
{
    (void)state;
    config.applications[0].anonymous = true;
    T_HAS(ask("POST", "/v1/notifications", "", MAIL("a@b.example")), "HTTP/1.1 202");
    T_STR(w.application, "shop", "the anonymous one");
    T_HAS(ask("POST", "/v1/notifications", OTHER_KEY, MAIL("a@b.example")), "HTTP/1.1 202");
    T_STR(w.application, "other", "a key goes first");
    T_HAS(ask("POST", "/v1/notifications", "Authorization: Bearer x\r\n", MAIL("a@b.example")),
          "HTTP/1.1 401");
}

/* A body that is read and composed in the pool. */
static void test_large(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_adds(&b, "{\"to\":\"a@b.example\",\"from\":\"n@s.example\",\"subject\":\"s\",\"text\":\"");
    for (int i = 0; i < 60000; i++)
        buf_adds(&b, "line\\n");
    buf_adds(&b, "\"}");
    T_HAS(ask("POST", "/v1/notifications", KEY, buf_str(&b)), "HTTP/1.1 202");
    T_EQ(w.submissions, 1, "submitted");
    buf_fini(&b);
}

/* A request of an ESP's API is read in the pool when it is large; when it is too large, the answer
 * is in the ESP's form all the same. */
static void test_large_esp(void **state)
{
    static const size_t sizes[] = {60000, 300000};
    static const char *const want[] = {"HTTP/1.1 202", "HTTP/1.1 413"};
    (void)state;
    for (size_t k = 0; k < TIDE_COUNT(sizes); k++) {
        struct buf b = {0};
        buf_adds(&b, "{\"personalizations\":[{\"to\":[{\"email\":\"a@b.example\"}]}],\"from\":{"
                     "\"email\":\"n@s.example\"},\"subject\":\"s\",\"content\":[{\"type\":"
                     "\"text/plain\",\"value\":\"");
        for (size_t i = 0; i < sizes[k]; i++)
            buf_adds(&b, "line\\n");
        buf_adds(&b, "\"}]}");
        const char *in = ask("POST", "/v3/mail/send", KEY, buf_str(&b));
        T_HAS(in, want[k]);
        if (k == 1)
            T_HAS(in, "{\"errors\":[{\"message\":\"The body is larger than 1000000 bytes.\"");
        buf_fini(&b);
    }
    T_EQ(w.submissions, 1, "submitted");
}

/* A request with many mails that is one thing for its sender is taken as a whole or not at all. */
static void test_esp_as_a_whole(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_adds(&b, "{\"from\":{\"email\":\"n@s.example\"},\"subject\":\"s\",\"content\":[{\"type\":"
                 "\"text/plain\",\"value\":\"t\"}],\"personalizations\":[");
    for (int i = 0; i < 8; i++)
        buf_addf(&b, "{\"to\":[{\"email\":\"a%d@b.example\"}]},", i);
    T_EQ(b.data[b.len - 1], ',', "to be closed or continued");
    b.data[b.len - 1] = ']';
    buf_addc(&b, '}');
    T_HAS(ask("POST", "/v3/mail/send", KEY, buf_str(&b)), "HTTP/1.1 202");
    T_EQ(w.submissions, 8, "each a mail of its own");
    b.len -= 2;
    buf_adds(&b, ",{\"to\":[{\"email\":\"a8@b.example\"}]}]}");
    const char *in = ask("POST", "/v3/mail/send", KEY, buf_str(&b));
    T_HAS(in, "HTTP/1.1 429");
    T_HAS(in, "\"message\":\"too many requests\"");
    T_EQ(w.submissions, 8, "none of the nine");
    buf_fini(&b);
}

static void test_health_and_metrics(void **state)
{
    (void)state;
    T_HAS(ask("GET", "/healthz", "", NULL), "HTTP/1.1 200");
    w.not_accepting = true;
    const char *in = ask("GET", "/healthz", "", NULL);
    T_HAS(in, "HTTP/1.1 503");
    T_HAS(in, "stopping\n");
    in = ask("GET", "/metrics", "", NULL);
    T_HAS(in, "text/plain; version=0.0.4");
    T_HAS(in, "\nmailtide_notifications{state=\"held\"} 42\n");
    T_HAS(in, "\nmailtide_accepted_total 5\n");
    T_HAS(in, "\nmailtide_account_attempts_total{account=\"out\\\"box\",end=\"accepted\"} 3\n");
}

static void test_status_socket(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *body;
        const char *want[2];
    } asks[] = {
        {"GET", "/v1/status", NULL, {"\"held\":42", "\"accounts\":[{\"name\":\"out\\\"box\""}},
        {"GET", "/v1/queue", NULL, {"\"id\":\"0000000000007\"", "\"next\":\"cursor\""}},
        {"GET",
         "/v1/queue?recipient=x@y.example",
         NULL,
         {"{\"now\":\"2026-11-21T22:18:26.123Z\",\"notifications\":[],\"next\":null}"}},
        {"GET",
         "/v1/why?recipient=bruce@CLIENT.asia",
         NULL,
         {"\"address\":\"bruce@client.asia\"", "\"sentence\":\"10 of 10 are used\""}},
        {"GET", "/v1/why?id=0000000000007", NULL, {"\"journal\":[{"}},
        {"GET", "/v1/why?recipient=x@y.example", NULL, {"HTTP/1.1 404", "Nothing was ever"}},
        {"GET", "/v1/why?recipient=x", NULL, {"HTTP/1.1 400", "\"message\":\"recipient: "}},
        {"GET", "/v1/why?id=!", NULL, {"HTTP/1.1 400", "\"message\":\"id: "}},
        {"GET", "/v1/why", NULL, {"HTTP/1.1 400", "Want ?recipient= or ?id=."}},
        {"GET", "/v1/limits", NULL, {"\"limits\":[{\"name\":\"qq/recipient-day\"", "\"free\":0"}},
        {"GET",
         "/v1/limits?recipient=a@b.example",
         NULL,
         {"\"recipient\":\"a@b.example\",\"provider\":\"qq\",\"limits\":["}},
        {"GET", "/v1/notifications/0000000000007", NULL, {"\"application\":\"shop\""}},
        {"POST", "/v1/notifications/0000000000007/cancel", "", {"{\"cancelled\":1}"}},
        {"POST", "/v1/release?recipient=a@b.example", "", {"{\"released\":1}"}},
        {"POST", "/v1/cancel", "", {"HTTP/1.1 400", "Want ?recipient=."}},
        {"GET", "/v1/cancel", NULL, {"HTTP/1.1 405"}},
        {"POST", "/v1/queue", "", {"HTTP/1.1 405"}},
        {"POST", "/v1/notifications", MAIL("a@b.example"), {"HTTP/1.1 400", "no_application"}},
        {"POST", "/v1/notifications?application=other", MAIL("a@b.example"), {"HTTP/1.1 202"}},
        {"POST", "/v1/notifications?application=none", MAIL("a@b.example"), {"HTTP/1.1 400"}},
        {"GET", "/nowhere", NULL, {"HTTP/1.1 404"}},
    };
    for (size_t i = 0; i < TIDE_COUNT(asks); i++) {
        const char *in = ask_status(asks[i].method, asks[i].path, asks[i].body);
        for (size_t k = 0; k < 2 && asks[i].want[k]; k++)
            T_TRUE(strstr(in, asks[i].want[k]), "%s: want \"%s\" in: %s", asks[i].path,
                   asks[i].want[k], in);
        check_json(in);
    }
    T_HAS(ask_status("GET", "/", NULL), "mailtide 0.1.0, running for 1 min");
    ask_status("POST", "/v1/cancel?recipient=a@b.example", "");
    T_TRUE(strcmp(w.by, "user root") == 0 || strncmp(w.by, "uid ", 4) == 0, "by %s", w.by);
}

/* Whoever is neither root, nor the daemon's user, nor an operator may only look. */
static void test_status_peer(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        printf("SKIPPED: test_status_peer: needs root to connect as somebody else\n");
        return;
    }
    T_EQ(chmod(socket_dir, 0755) + chmod(socket_path, 0666), 0, "open to all");
    static const struct {
        const char *method, *path;
        const char *want;
    } asks[] = {
        {"GET", "/v1/status", "HTTP/1.1 200"},
        {"POST", "/v1/cancel?recipient=a@b.example", "HTTP/1.1 403"},
        {"POST", "/v1/notifications?application=shop", "HTTP/1.1 403"},
        {"DELETE", "/v1/notifications/0000000000007", "HTTP/1.1 403"},
        {"GET", "/v1/notifications/0000000000007", "HTTP/1.1 200"},
    };
    for (size_t i = 0; i < TIDE_COUNT(asks); i++) {
        T_EQ(seteuid(65534), 0, "nobody");
        int fd = client_dial_unix(socket_path);
        T_EQ(seteuid(0), 0, "root again");
        const char *in = ask_on(fd, asks[i].method, asks[i].path, "", NULL);
        T_TRUE(strstr(in, asks[i].want), "%s: want %s in: %s", asks[i].path, asks[i].want, in);
    }
    static char nobody[] = "nobody", none[] = "no-such-user-here";
    static char *operators[] = {nobody}, *wrong[] = {nobody, none};
    struct config_status c = {.operators = wrong, .operator_count = 2};
    struct tide_error err = {0};
    T_EQ(status_configure(w.status, &c, &err), TIDE_EINVAL, "%s", err.text);
    c = (struct config_status){.operators = operators, .operator_count = 1};
    T_OK(status_configure(w.status, &c, &err), &err, "nobody operates");
    T_EQ(seteuid(65534), 0, "nobody");
    int fd = client_dial_unix(socket_path);
    T_EQ(seteuid(0), 0, "root again");
    T_HAS(ask_on(fd, "POST", asks[1].path, "", NULL), "{\"cancelled\":1}");
    T_STR(w.by, "user nobody", "for the journal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_submitted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_content_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_anonymous, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_esp, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_esp_as_a_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_health_and_metrics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_status_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_status_peer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
