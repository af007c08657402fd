/* The daemon's HTTP door, through libcurl: one connection, kept. */
#include "client/inside.h"

#include "base/macros.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <unistd.h>

#define SOCKET_PATH      "/run/mailtide/http.sock"
#define HTTP_URL         "http://127.0.0.1:8025"
#define TIMEOUT_MS       30000
#define ANSWER_BYTES     (16u << 20)
#define WHERE_BYTES      512
#define KEY_BYTES_MAX    4000
#define SOCKET_BYTES_MAX 107 /* sun_path with its NUL has 108 */

struct tide_client {
    CURL *curl;
    struct curl_slist *headers;
    char base[WHERE_BYTES]; /* of the URL */
    char where[WHERE_BYTES];
    char path[SOCKET_BYTES_MAX + 1]; /* "": TCP */
};

static enum tide_err set_where(struct tide_client *c, const char *where, struct tide_error *err)
{
    const char *environment = getenv("MAILTIDE_HTTP");
    if (!where)
        where = environment && *environment      ? environment
                : access(SOCKET_PATH, F_OK) == 0 ? "unix:" SOCKET_PATH
                                                 : HTTP_URL;
    struct text t = text_of(where);
    if (t.n >= sizeof c->where - 1)
        return tide_fail(err, TIDE_EINVAL, "where the daemon is: want at most %d bytes",
                         WHERE_BYTES - 2);
    memcpy(c->where, where, t.n + 1);
    if (text_starts(t, TEXT("unix:")) && t.n - 5 <= SOCKET_BYTES_MAX && t.n > 5) {
        memcpy(c->path, where + 5, t.n - 5);
        memcpy(c->base, "http://mailtide", sizeof "http://mailtide");
        return TIDE_OK;
    }
    if (text_starts(t, TEXT("http://")) || text_starts(t, TEXT("https://"))) {
        while (t.n > 0 && t.p[t.n - 1] == '/')
            t.n--;
        memcpy(c->base, t.p, t.n);
        return TIDE_OK;
    }
    return tide_fail(
        err, TIDE_EINVAL,
        "where the daemon is: want \"unix:/PATH\" or \"http://HOST:PORT\", got \"%.100s\"", where);
}

static bool add_header(struct tide_client *c, const char *line)
{
    struct curl_slist *grown = curl_slist_append(c->headers, line);
    if (grown)
        c->headers = grown;
    return grown != NULL;
}

static enum tide_err set_key(struct tide_client *c, const char *key, struct tide_error *err)
{
    struct buf line = {0};
    for (const char *p = key; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p > '~' || p - key >= KEY_BYTES_MAX)
            return tide_fail(err, TIDE_EINVAL,
                             "the key: want at most %d printable ASCII characters, without blanks",
                             KEY_BYTES_MAX);
    buf_addf(&line, "Authorization: Bearer %s", key);
    bool good = line.failed == TIDE_OK && add_header(c, buf_str(&line));
    buf_fini(&line);
    return good ? TIDE_OK : tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct buf *b = arg;
    buf_add(b, bytes, size * n);
    return b->failed == TIDE_OK ? size * n : 0;
}

static void set_up(struct tide_client *c)
{
    CURL *curl = c->curl;
    if (c->path[0])
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, c->path);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    tide_client_timeout(c, TIMEOUT_MS);
}

enum tide_err tide_client_open(const char *where,
                               const char *key,
                               struct tide_client **ret,
                               struct tide_error *err)
{
    struct tide_client *c = calloc(1, sizeof *c);
    *ret = NULL;
    if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(c);
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    }
    enum tide_err rc = set_where(c, where, err);
    if (rc == TIDE_OK && key)
        rc = set_key(c, key, err);
    if (rc == TIDE_OK &&
        (!(c->curl = curl_easy_init()) || !add_header(c, "Content-Type: application/json") ||
         !add_header(c, "Expect:")))
        rc = tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (rc != TIDE_OK) {
        tide_client_close(c);
        return rc;
    }
    set_up(c);
    *ret = c;
    return TIDE_OK;
}

void tide_client_close(struct tide_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->headers);
    curl_global_cleanup();
    free(c);
}

void tide_client_timeout(struct tide_client *c, int timeout_ms)
{
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, timeout_ms > 0 ? (long)timeout_ms : 1L);
}

/* -- Answers -------------------------------------------------------------------------------------
 */

static enum tide_err code_of(long status, struct text code)
{
    static const struct {
        long status;
        const char *code; /* NULL: any */
        enum tide_err rc;
    } table[] = {
        {401, NULL, TIDE_EAUTH},  {403, NULL, TIDE_EPERM},
        {404, NULL, TIDE_ENOENT}, {409, "not_possible", TIDE_ESTATE},
        {409, NULL, TIDE_EEXIST}, {413, NULL, TIDE_ELIMIT},
        {429, NULL, TIDE_ELIMIT}, {503, "store_full", TIDE_EFULL},
        {503, NULL, TIDE_EBUSY},
    };
    for (size_t i = 0; i < TIDE_COUNT(table); i++)
        if (table[i].status == status && (!table[i].code || text_eq(code, text_of(table[i].code))))
            return table[i].rc;
    return status / 100 == 4 ? TIDE_EINVAL : TIDE_EPROTO;
}

/* The daemon's own words, with the field that they are about. */
static enum tide_err refused(const struct tide_client *c,
                             long status,
                             const struct json *doc,
                             struct tide_error *err)
{
    const struct json *error = json_member(doc, "error");
    struct text message = json_string_text(json_member(error, "message"));
    struct text field = json_string_text(json_member(error, "field"));
    if (!message.p)
        return tide_fail(err, TIDE_EPROTO,
                         "%s answered with status %ld, which is not mailtide's way", c->where,
                         status);
    return tide_fail(err, code_of(status, json_string_text(json_member(error, "code"))),
                     TEXT_FMT "%s" TEXT_FMT, TEXT_ARG(field), field.n > 0 ? ": " : "",
                     TEXT_ARG(message));
}

static enum tide_err read_answer(const struct tide_client *c,
                                 CURLcode rc,
                                 const struct buf *answer,
                                 struct json **ret,
                                 struct tide_error *err)
{
    long status = 0;
    struct tide_error unread;
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return tide_fail(err, TIDE_ETIMEOUT, "%s did not answer in time", c->where);
    if (rc == CURLE_OUT_OF_MEMORY || answer->failed != TIDE_OK)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (rc != CURLE_OK)
        return tide_fail(err, TIDE_ECONN, "cannot reach mailtide at %s: %s", c->where,
                         curl_easy_strerror(rc));
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    if (json_parse(buf_text(answer), ANSWER_BYTES, ret, &unread) != TIDE_OK)
        return tide_fail(err, TIDE_EPROTO, "what answered at %s is not mailtide: %.100s", c->where,
                         unread.text);
    if (status >= 200 && status < 300)
        return TIDE_OK;
    enum tide_err code = refused(c, status, *ret, err);
    json_free(*ret);
    *ret = NULL;
    return code;
}

enum tide_err client_ask(struct tide_client *c,
                         const char *path,
                         const struct buf *body,
                         struct json **ret,
                         struct tide_error *err)
{
    struct buf answer = {.max = ANSWER_BYTES}, url = {0};
    *ret = NULL;
    buf_addf(&url, "%s%s", c->base, path);
    curl_easy_setopt(c->curl, CURLOPT_URL, buf_str(&url));
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &answer);
    if (body) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, buf_str(body));
    } else {
        curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
    }
    enum tide_err rc = buf_check(&url, err);
    if (rc == TIDE_OK)
        rc = read_answer(c, curl_easy_perform(c->curl), &answer, ret, err);
    buf_fini(&url);
    buf_fini(&answer);
    return rc;
}
