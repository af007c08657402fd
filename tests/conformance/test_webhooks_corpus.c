/* Webhooks as django-anymail's tests send them (its own signatures and logins in force): taken or
 * refused as there, and the same events read from them. Both of SendGrid's signed examples. */
#include "base/buf.h"
#include "core/esp/events_fields.h"
#include "io/crypto/events_crypto.h"
#include "lib/check.h"
#include "lib/tsv.h"

#include <dirent.h>
#include <stdlib.h>

/* -- A request as bytes -------------------------------------------------------------------------
 */

struct request {
    struct text method, target, head, body;
};

static struct text header_of(void *arg, const char *name)
{
    const struct request *r = arg;
    struct text rest = r->head, line, wanted = text_of(name);
    while (text_split(&rest, '\n', &line)) {
        size_t colon = text_find(line, ':');
        if (colon < line.n && text_ieq(text_cut(line, 0, colon), wanted))
            return text_trim(text_cut(line, colon + 1, SIZE_MAX));
    }
    return (struct text){NULL, 0};
}

static struct request cut_request(struct text t)
{
    struct request r;
    size_t end = text_ifind(t, TEXT("\r\n\r\n")), line = text_ifind(t, TEXT("\r\n"));
    size_t gap = 4;
    if (end == t.n) {
        end = text_ifind(t, TEXT("\n\n"));
        gap = 2;
        line = text_find(t, '\n');
    }
    struct text first = text_cut(t, 0, line);
    text_split(&first, ' ', &r.method);
    text_split(&first, ' ', &r.target);
    r.head = text_cut(t, line + 1, end - line - 1);
    r.body = text_cut(t, end + gap, SIZE_MAX);
    int64_t n;
    struct text length = header_of(&r, "Content-Length");
    if (text_int(length, 0, (int64_t)r.body.n, &n, NULL) == TIDE_OK)
        r.body.n = (size_t)n;
    return r;
}

/* -- What is in force ---------------------------------------------------------------------------
 */

/* Adds a secret, or a list of them; line ends of a key in base64 are left out. */
static void add_secret(struct buf *b, const struct json *v)
{
    for (size_t i = 0; json_kind(v) == JSON_KIND_ARRAY && i < json_count(v); i++)
        add_secret(b, json_element(v, i));
    struct text t = json_string_text(v);
    buf_addc(b, '\n');
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] != '\n')
            buf_addc(b, t.p[i]);
}

struct force {
    struct buf key, login, url;
};

/* "ANYMAIL_POSTAL_WEBHOOK_KEY", or within "ANYMAIL" without the prefix. Where a test sets one
 * inside it counts before the one outside. */
static void read_secrets(const struct json *secrets, bool inside, struct force *f)
{
    static const char *const keys[] = {"VERIFICATION_KEY", "SIGNING_KEY",
                                       "SIGNING_SECRET",   "WEBHOOK_KEY",
                                       "TRACKING_SECRET",  "UNISENDER_GO_API_KEY"};
    struct text name;
    const struct json *v;
    void *pos = NULL;
    if (!inside && json_kind(json_member(secrets, "ANYMAIL")) == JSON_KIND_OBJECT)
        read_secrets(json_member(secrets, "ANYMAIL"), true, f);
    while (json_next(secrets, &pos, &name, &v)) {
        if (text_iends(name, TEXT("WEBHOOK_SECRET")))
            add_secret(&f->login, v);
        else if (text_iends(name, TEXT("WEBHOOK_URL")))
            buf_add_text(&f->url, json_string_text(v));
        else if (text_iends(name, TEXT("MAILGUN_API_KEY")) && f->key.len == 0)
            add_secret(&f->key, v); /* Mailgun's signing key was the API's */
        for (size_t i = 0; i < TIDE_COUNT(keys) && f->key.len == 0; i++)
            if (text_iends(name, text_of(keys[i])))
                add_secret(&f->key, v);
    }
}

/* -- Comparing ----------------------------------------------------------------------------------
 */

static struct {
    int cases, status, events, words, times, ids, recipients, replies, missed;
} score;

static struct text wanted(const struct json *e, const char *name, struct arena *a)
{
    return events_text(e, name, a);
}

static bool same_time(tide_wall_ms at, struct text want)
{
    tide_wall_ms t = events_time(want);
    /* Seconds that the reference took for milliseconds. */
    if (t > 0 && t < 365 * TIME_DAY_MS)
        return at / 1000 == t;
    /* Some give whole seconds of a time that has a fraction. */
    return at == t || (t % 1000 == 0 && at - t >= 0 && at - t < 1000);
}

static bool same_id(const struct mail_news *n, struct text want)
{
    return want.n == 0 || text_eq(n->message_id, want) || text_eq(n->esp_id, want);
}

static void compare(const char *name,
                    const struct json *e,
                    const struct mail_news *n,
                    struct text body,
                    struct arena *a)
{
    struct text id = wanted(e, "message_id", a), reply = wanted(e, "mta_response", a);
    bool word = text_eq(n->word, wanted(e, "event_type", a));
    bool time = same_time(n->at, wanted(e, "timestamp", a));
    /* Anymail sends an id of its own along, and wants it back. */
    bool own = text_ifind(body, TEXT("anymail_id")) < body.n;
    bool ids = own || same_id(n, id);
    bool rcpt = text_eq(n->recipient, wanted(e, "recipient", a));
    bool replied = reply.n == 0 || text_eq(n->reply, reply);
    score.events++;
    score.words += word;
    score.times += time;
    score.ids += ids;
    score.recipients += rcpt;
    score.replies += replied;
    if (!word || !time || !ids || !rcpt || !replied)
        print_message("  %s: %s%s%s%s%s: got %.*s, " TEXT_FMT ", " TEXT_FMT "\n", name,
                      word ? "" : " word", time ? "" : " time", ids ? "" : " id",
                      rcpt ? "" : " recipient", replied ? "" : " reply", (int)n->word.n, n->word.p,
                      TEXT_ARG(n->esp_id), TEXT_ARG(n->recipient));
}

/* What the door answers: 2xx to who asks whether there is something, and to what is taken. */
static unsigned answer(const struct events_ask *ask,
                       const struct request *r,
                       struct arena *a,
                       struct events_batch *ret)
{
    *ret = (struct events_batch){0};
    if (text_eq(r->method, TEXT("HEAD")) || text_eq(r->method, TEXT("GET")))
        return 200;
    events_read(ask, a, ret);
    return events_fault_status(ret->fault);
}

static void run_case(const char *dir, const char *esp, const char *name)
{
    char path[512];
    size_t n, size;
    struct json *doc;
    struct tide_error err;
    struct arena a = {0};
    struct force f = {0};
    struct events_batch batch;
    snprintf(path, sizeof path, "%s/%s.http", esp, name);
    char *http = tsv_read(dir, path, &n);
    snprintf(path, sizeof path, "%s/%s.json", esp, name);
    char *json = tsv_read(dir, path, &size);
    T_OK(json_parse((struct text){json, size}, size, &doc, &err), &err, "%s", name);
    struct request r = cut_request((struct text){http, n});
    read_secrets(json_member(doc, "secrets"), false, &f);
    bool ses = strcmp(esp, "amazon_ses") == 0;
    struct events_ask ask = {.api = events_api_find(ses ? TEXT("ses") : text_of(esp)),
                             .secrets = {.key = buf_text(&f.key),
                                         .login = buf_text(&f.login),
                                         .url = buf_text(&f.url),
                                         .open = f.key.len == 0 && f.login.len == 0},
                             .body = r.body,
                             .content_type = header_of(&r, "Content-Type"),
                             .url = r.target,
                             .header = header_of,
                             .arg = &r,
                             .crypto = &events_crypto_openssl};
    const struct json *events = json_member(doc, "events");
    int64_t status;
    T_TRUE(json_int(json_member(doc, "status"), &status), "%s", name);
    if (!ask.api) { /* an ESP that is not known here: counted as wrong */
        print_message("  %s is not known\n", esp);
        score.cases++;
        goto out;
    }
    unsigned got = answer(&ask, &r, &a, &batch);
    bool right = (got < 300) == (status < 300) && batch.count == json_count(events);
    score.cases++;
    score.status += right;
    if (!right)
        print_message("  %s/%s: %u with %zu events, wanted %d with %zu: %s\n", esp, name, got,
                      batch.count, (int)status, json_count(events), batch.message);
    for (size_t i = 0; i < batch.count && right; i++)
        compare(name, json_element(events, i), &batch.news[i], r.body, &a);
    events_batch_fini(&batch);
out:
    buf_fini(&f.key);
    buf_fini(&f.login);
    buf_fini(&f.url);
    arena_fini(&a);
    json_free(doc);
    free(http);
    free(json);
}

static void test_webhooks(void **state)
{
    (void)state;
    const char *dir = corpora_dir("webhooks");
    char base[512];
    if (!dir)
        skip();
    snprintf(base, sizeof base, "%s/webhooks", dir);
    size_t n;
    char *table = tsv_read(base, "expect.tsv", &n), *last = NULL;
    struct text rest = {table, n}, line, esp, name;
    text_split(&rest, '\n', &line);
    /* A case with several events has several lines. */
    while (text_split(&rest, '\n', &line)) {
        if (line.n == 0 || !tsv_cell(&line, &esp) || !tsv_cell(&line, &name))
            continue;
        char e[64], c[256];
        snprintf(e, sizeof e, TEXT_FMT, TEXT_ARG(esp));
        snprintf(c, sizeof c, TEXT_FMT, TEXT_ARG(name));
        if (last && strcmp(last, c) == 0)
            continue;
        free(last);
        last = strdup(c);
        run_case(base, e, c);
    }
    free(last);
    free(table);
    print_message("webhooks: %d requests, %d taken or refused as wanted; %d events: kind %d, time "
                  "%d, mail %d, recipient %d, reply %d\n",
                  score.cases, score.status, score.events, score.words, score.times, score.ids,
                  score.recipients, score.replies);
    T_TRUE(score.cases > 0 && score.status * 100 >= score.cases * 97, "statuses");
    T_TRUE(score.words * 100 >= score.events * 97, "kinds");
}

/* -- Signed examples ----------------------------------------------------------------------------
 */

struct signed_example {
    struct text signature, timestamp;
};

static struct text signed_header(void *arg, const char *name)
{
    const struct signed_example *s = arg;
    if (strstr(name, "Signature"))
        return s->signature;
    return strstr(name, "Timestamp") ? s->timestamp : (struct text){NULL, 0};
}

static bool is_taken(const struct signed_example *s, struct text key, struct text body)
{
    struct arena a = {0};
    struct events_batch batch;
    struct events_ask ask = {.api = &events_sendgrid,
                             .secrets = {.key = key},
                             .body = body,
                             .header = signed_header,
                             .arg = (void *)s,
                             .crypto = &events_crypto_openssl};
    batch = (struct events_batch){0};
    bool right = ask.api->prove(&ask, key, &a, &batch) == EVENTS_READ;
    events_batch_fini(&batch);
    arena_fini(&a);
    return right;
}

static void run_example(const char *dir, const char *file)
{
    char name[256];
    size_t size, n;
    struct json *doc;
    struct tide_error err;
    bool valid;
    char *json = tsv_read(dir, file, &size);
    snprintf(name, sizeof name, "%.*s.body", (int)strlen(file) - 5, file);
    char *body = tsv_read(dir, name, &n);
    T_OK(json_parse((struct text){json, size}, size, &doc, &err), &err, "%s", file);
    struct text key = json_string_text(json_member(doc, "public_key"));
    struct signed_example s = {json_string_text(json_member(doc, "signature")),
                               json_string_text(json_member(doc, "timestamp"))};
    T_TRUE(json_bool(json_member(doc, "valid"), &valid), "%s", file);
    T_EQ(is_taken(&s, key, (struct text){body, n}), valid, "%s", file);
    if (valid && n > 0) { /* one bit changed */
        body[n / 2] ^= 1;
        T_TRUE(!is_taken(&s, key, (struct text){body, n}), "%s changed", file);
    }
    json_free(doc);
    free(json);
    free(body);
}

static void test_signatures(void **state)
{
    (void)state;
    const char *dir = corpora_dir("webhook signatures");
    char path[512];
    int count = 0;
    if (!dir)
        skip();
    snprintf(path, sizeof path, "%s/webhooks/signatures", dir);
    DIR *d = opendir(path);
    T_TRUE(d, "%s", path);
    for (struct dirent *e; (e = readdir(d));)
        if (text_iends(text_of(e->d_name), TEXT(".json"))) {
            run_example(path, e->d_name);
            count++;
        }
    closedir(d);
    print_message("webhooks: %d signed examples, all as wanted\n", count);
    T_TRUE(count > 0, "%s", path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_webhooks),
                                       cmocka_unit_test(test_signatures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
