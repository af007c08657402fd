#include "io/loop/fetch.h"

#include "base/log.h"
#include "base/macros.h"
#include "io/loop/clock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ADDRESSES_MAX    8
#define RESOLVED_KEEP_MS 60000
#define IDLE_KEEP_S      30L /* servers close after 60 s and more; ours goes first, mostly */

struct fetcher {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer; /* libcurl's */
    uv_timer_t kick;  /* so that no callback comes from inside fetch_start() */
    char *base, *host, *port, *host_header, *prefix, *ca_file;
    bool tls_verify, host_is_address;
    int64_t connect_timeout_ms, timeout_ms;
    struct list waiting, running;
    uv_getaddrinfo_t lookup;
    bool looking_up, closing;
    struct curl_slist *resolved; /* "+host:port:address,address" */
    tide_mono_ms resolved_at;
    int handles; /* of the loop, open: timers, polls */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* A socket of libcurl's that the loop watches. */
struct watch {
    uv_poll_t poll;
    struct fetcher *fetcher;
    curl_socket_t fd;
};

/* -- One request --------------------------------------------------------------------------------
 */

bool fetch_is_sent(const struct fetch *f)
{
    return f->body_at > 0 && f->body_at == f->body.n;
}

static void finish(struct fetch *f, enum fetch_fate fate, const char *error)
{
    if (f->easy) {
        curl_multi_remove_handle(f->fetcher->multi, f->easy);
        curl_easy_cleanup(f->easy);
        curl_slist_free_all(f->header_list);
        f->easy = f->header_list = NULL;
    }
    f->fate = fate;
    if (error && !f->error[0])
        snprintf(f->error, sizeof f->error, "%s", error);
    list_remove(&f->hook);
    f->done(f); /* it may be freed there */
}

static size_t on_read(char *to, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    size_t n = TIDE_MIN(size * count, f->body.n - f->body_at);
    memcpy(to, f->body.p + f->body_at, n);
    f->body_at += n;
    return n;
}

/* libcurl would go back to the beginning to send it all once more. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    (void)arg;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

/* A connection is there and the request is about to go out: only if it never went before. */
static int on_connected(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct fetch *f = arg;
    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    return f->body_at == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static size_t on_head(char *bytes, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    if (text_starts((struct text){bytes, size * count}, TEXT("HTTP/")))
        buf_clear(&f->head); /* what a "100 Continue" said */
    buf_add(&f->head, bytes, size * count);
    return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    size_t most = f->answer_max ? f->answer_max : FETCH_BODY_MAX;
    buf_add(&f->answer, bytes, TIDE_MIN(size * count, most - f->answer.len));
    return size * count;
}

static bool set_headers(struct fetch *f)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"), *more = list;
    for (size_t i = 0; more && i < f->header_count; i++) {
        struct text value = f->headers[i].value;
        char *line = NULL;
        if (asprintf(&line, "%s: " TEXT_FMT, f->headers[i].name, TEXT_ARG(value)) < 0)
            line = NULL;
        more = line ? curl_slist_append(list, line) : NULL;
        free(line);
    }
    f->header_list = list;
    return more && curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, list) == CURLE_OK;
}

static bool set_url(struct fetcher *fr, struct fetch *f)
{
    char *url = NULL;
    if (asprintf(&url, "%s" TEXT_FMT, fr->base, TEXT_ARG(f->path)) < 0)
        return false;
    bool ok = curl_easy_setopt(f->easy, CURLOPT_URL, url) == CURLE_OK;
    free(url);
    return ok;
}

/* libcurl says "Content-Length: 0" for a POST without a body, which a GET is not to have. */
static bool set_method(struct fetch *f)
{
    bool bare = f->method && f->body.n == 0 &&
                (strcmp(f->method, "GET") == 0 || strcmp(f->method, "DELETE") == 0);
    bool ok = bare ? curl_easy_setopt(f->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK
                   : curl_easy_setopt(f->easy, CURLOPT_POST, 1L) == CURLE_OK &&
                         curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                          (curl_off_t)f->body.n) == CURLE_OK;
    return ok &&
           (!f->method || curl_easy_setopt(f->easy, CURLOPT_CUSTOMREQUEST, f->method) == CURLE_OK);
}

static bool set_up(struct fetcher *fr, struct fetch *f)
{
    CURL *c = f->easy;
    bool ok = true;
#define SET(option, value) ok = ok && curl_easy_setopt(c, CURLOPT_##option, value) == CURLE_OK
    SET(PRIVATE, f);
    SET(NOSIGNAL, 1L);
    SET(ERRORBUFFER, f->error);
    SET(USERAGENT, "mailtide/" MAILTIDE_VERSION);
    SET(PROTOCOLS_STR, "https,http");
    SET(PROXY, "");
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(READFUNCTION, on_read);
    SET(READDATA, f);
    SET(SEEKFUNCTION, on_seek);
    SET(PREREQFUNCTION, on_connected);
    SET(PREREQDATA, f);
    SET(HEADERFUNCTION, on_head);
    SET(HEADERDATA, f);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, f);
    SET(CONNECTTIMEOUT_MS, (long)fr->connect_timeout_ms);
    SET(TIMEOUT_MS, (long)fr->timeout_ms);
    SET(MAXAGE_CONN, IDLE_KEEP_S);
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(SSL_VERIFYPEER, fr->tls_verify ? 1L : 0L);
    SET(SSL_VERIFYHOST, fr->tls_verify ? 2L : 0L);
    if (fr->ca_file)
        SET(CAINFO, fr->ca_file);
    if (fr->resolved)
        SET(RESOLVE, fr->resolved);
#undef SET
    return ok && set_method(f) && set_url(fr, f) && set_headers(f);
}

static void begin(struct fetcher *fr, struct fetch *f)
{
    list_remove(&f->hook);
    list_append(&fr->running, &f->hook);
    f->easy = curl_easy_init();
    if (!f->easy || !set_up(fr, f) || curl_multi_add_handle(fr->multi, f->easy) != CURLM_OK)
        finish(f, FETCH_NOT_SENT, "out of memory for a request");
}

/* What came of it, as libcurl says. A status decides, even if the rest of the answer broke off. */
static void on_finished(struct fetch *f, CURLcode rc)
{
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    f->status = status >= 200 ? (int)status : 0;
    f->cut = rc != CURLE_OK;
    if (f->status > 0)
        finish(f, FETCH_ANSWERED, rc == CURLE_OK ? NULL : curl_easy_strerror(rc));
    else
        finish(f, fetch_is_sent(f) ? FETCH_UNKNOWN : FETCH_NOT_SENT, curl_easy_strerror(rc));
}

/* -- libcurl on the loop ------------------------------------------------------------------------
 */

static void drain(struct fetcher *fr)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(fr->multi, &left));) {
        char *f = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode rc = m->data.result; /* gone with the handle */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
        on_finished((struct fetch *)(void *)f, rc);
    }
}

static void act(struct fetcher *fr, curl_socket_t fd, int what)
{
    int running;
    if (!fr->multi)
        return;
    CURLMcode rc = curl_multi_socket_action(fr->multi, fd, what, &running);
    if (rc != CURLM_OK)
        log_error("fetch.failed", "host=%s error=\"%s\"", fr->host_header, curl_multi_strerror(rc));
    drain(fr);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = container_of(poll, struct watch, poll);
    int what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
               (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    act(w->fetcher, w->fd, status < 0 ? CURL_CSELECT_ERR : what);
}

static void on_timer(uv_timer_t *timer)
{
    act(container_of(timer, struct fetcher, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long ms, void *arg)
{
    struct fetcher *fr = arg;
    (void)multi;
    if (fr->closing || ms < 0)
        return uv_timer_stop(&fr->timer);
    return uv_timer_start(&fr->timer, on_timer, (uint64_t)ms, 0);
}

static void close_when_empty(struct fetcher *fr);

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = container_of(handle, struct watch, poll);
    struct fetcher *fr = w->fetcher;
    free(w);
    fr->handles--;
    close_when_empty(fr);
}

static struct watch *watch_new(struct fetcher *fr, curl_socket_t fd)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->fetcher = fr;
    w->fd = fd;
    if (uv_poll_init_socket(fr->loop, &w->poll, fd) < 0) {
        free(w);
        return NULL;
    }
    fr->handles++;
    curl_multi_assign(fr->multi, fd, w);
    return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *at_socket)
{
    struct fetcher *fr = arg;
    struct watch *w = at_socket;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            curl_multi_assign(fr->multi, fd, NULL);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        }
        return 0;
    }
    if (!w)
        w = watch_new(fr, fd);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return w && uv_poll_start(&w->poll, events, on_poll) == 0 ? 0 : -1;
}

/* -- Names --------------------------------------------------------------------------------------
 */

static void fail_waiting(struct fetcher *fr, const char *why)
{
    struct list failed; /* whoever is told may start again: only those that wait now */
    list_init(&failed);
    for (struct list *node; (node = list_take_first(&fr->waiting));)
        list_append(&failed, node);
    for (struct list *node; (node = list_first(&failed));)
        finish(container_of(node, struct fetch, hook), FETCH_NOT_SENT, why);
}

static bool add_address(struct buf *b, const struct addrinfo *a)
{
    char text[INET6_ADDRSTRLEN + 2] = "";
    if (a->ai_family == AF_INET)
        uv_ip4_name((const struct sockaddr_in *)(const void *)a->ai_addr, text, sizeof text);
    else if (a->ai_family == AF_INET6)
        uv_ip6_name((const struct sockaddr_in6 *)(const void *)a->ai_addr, text, sizeof text);
    if (!text[0])
        return false;
    buf_addf(b, a->ai_family == AF_INET6 ? ",[%s]" : ",%s", text);
    return true;
}

static void pump(struct fetcher *fr);

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct fetcher *fr = container_of(req, struct fetcher, lookup);
    struct buf b = {0}, line = {0};
    int count = 0;
    char why[128];
    for (struct addrinfo *a = list; a && count < ADDRESSES_MAX; a = a->ai_next)
        count += add_address(&b, a);
    uv_freeaddrinfo(list);
    fr->looking_up = false;
    curl_slist_free_all(fr->resolved);
    fr->resolved = NULL;
    if (count > 0) {
        buf_addf(&line, "+%s:%s:%s", fr->host, fr->port, buf_str(&b) + 1);
        fr->resolved = line.failed == TIDE_OK ? curl_slist_append(NULL, line.data) : NULL;
        fr->resolved_at = clock_mono();
    }
    buf_fini(&b);
    buf_fini(&line);
    snprintf(why, sizeof why, "the name cannot be resolved: %s",
             status < 0 ? uv_strerror(status) : "it has no address");
    if (!fr->resolved)
        fail_waiting(fr, why);
    pump(fr);
    close_when_empty(fr);
}

/* False while the addresses are being looked up. */
static bool have_addresses(struct fetcher *fr)
{
    if (fr->host_is_address ||
        (fr->resolved && clock_mono() - fr->resolved_at < RESOLVED_KEEP_MS && !fr->looking_up))
        return true;
    if (fr->looking_up)
        return false;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int rc = uv_getaddrinfo(fr->loop, &fr->lookup, on_resolved, fr->host, fr->port, &hints);
    if (rc < 0)
        fail_waiting(fr, uv_strerror(rc));
    fr->looking_up = rc == 0;
    return false;
}

/* -- Requests -----------------------------------------------------------------------------------
 */

/* The first that was broken off; done() may change the lists, so each is looked for anew. */
static struct fetch *find_cancelled(const struct list *l)
{
    LIST_EACH(node, l)
    {
        struct fetch *f = container_of(node, struct fetch, hook);
        if (f->cancelled)
            return f;
    }
    return NULL;
}

static void pump(struct fetcher *fr)
{
    static const char why[] = "mailtide broke the request off";
    for (struct fetch *f; (f = find_cancelled(&fr->waiting));)
        finish(f, FETCH_NOT_SENT, why);
    for (struct fetch *f; (f = find_cancelled(&fr->running));)
        finish(f, fetch_is_sent(f) ? FETCH_UNKNOWN : FETCH_NOT_SENT, why);
    while (!list_is_empty(&fr->waiting) && have_addresses(fr))
        begin(fr, container_of(list_first(&fr->waiting), struct fetch, hook));
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct fetcher *fr = handle->data;
    fr->handles--;
    close_when_empty(fr);
}

static void on_kick(uv_timer_t *timer)
{
    struct fetcher *fr = container_of(timer, struct fetcher, kick);
    pump(fr);
    if (!fr->closing || !fr->multi)
        return;
    curl_multi_cleanup(fr->multi);
    fr->multi = NULL;
    uv_close((uv_handle_t *)&fr->timer, on_handle_closed);
    uv_close((uv_handle_t *)&fr->kick, on_handle_closed);
}

void fetch_fini(struct fetch *f)
{
    buf_fini(&f->answer);
    buf_fini(&f->head);
}

void fetch_start(struct fetcher *fr, struct fetch *f)
{
    assert(!fr->closing);
    f->fetcher = fr;
    f->status = 0;
    f->cut = f->cancelled = false;
    f->error[0] = '\0';
    f->body_at = 0;
    f->easy = f->header_list = NULL;
    buf_clear(&f->answer);
    buf_clear(&f->head);
    f->head.max = FETCH_HEAD_MAX;
    list_append(&fr->waiting, &f->hook);
    uv_timer_start(&fr->kick, on_kick, 0, 0);
}

void fetch_cancel(struct fetch *f)
{
    f->cancelled = true;
    uv_timer_start(&f->fetcher->kick, on_kick, 0, 0);
}

struct text fetch_answer_header(const struct fetch *f, const char *name)
{
    struct text rest = buf_text(&f->head), line, ret = {NULL, 0};
    while (text_split(&rest, '\n', &line)) {
        size_t colon = text_find(line, ':');
        if (colon < line.n && text_ieq(text_cut(line, 0, colon), text_of(name)))
            ret = text_trim(text_cut(line, colon + 1, line.n));
    }
    return ret;
}

/* -- Set-up and the end -------------------------------------------------------------------------
 */

static void free_all(struct fetcher *fr)
{
    if (fr->multi)
        curl_multi_cleanup(fr->multi);
    curl_slist_free_all(fr->resolved);
    free(fr->base);
    free(fr->host);
    free(fr->port);
    free(fr->host_header);
    free(fr->prefix);
    free(fr->ca_file);
    free(fr);
}

static void close_when_empty(struct fetcher *fr)
{
    if (!fr->closing || fr->handles > 0 || fr->looking_up)
        return;
    void (*closed)(void *arg) = fr->closed;
    void *arg = fr->closed_arg;
    free_all(fr);
    closed(arg);
}

void fetcher_close(struct fetcher *fr, void (*closed)(void *arg), void *arg)
{
    assert(list_is_empty(&fr->waiting) && list_is_empty(&fr->running));
    fr->closing = true;
    fr->closed = closed;
    fr->closed_arg = arg;
    if (fr->looking_up)
        uv_cancel((uv_req_t *)&fr->lookup);
    uv_timer_start(&fr->kick, on_kick, 0, 0); /* libcurl may be on the stack: the rest from there */
}

static char *url_part(CURLU *url, CURLUPart part)
{
    char *got = NULL, *ret = NULL;
    if (curl_url_get(url, part, &got, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK)
        ret = strdup(got);
    curl_free(got);
    return ret;
}

static bool is_absent(CURLU *url, CURLUPart part)
{
    char *got = NULL;
    bool absent = curl_url_get(url, part, &got, 0) != CURLUE_OK;
    curl_free(got);
    return absent;
}

/* "[::1]" as getaddrinfo wants it; false without memory. */
static bool take_host(struct fetcher *fr, const char *port)
{
    unsigned char ip[16];
    size_t n = strlen(fr->host);
    bool v6 = fr->host[0] == '[';
    int rc = port ? asprintf(&fr->host_header, "%s:%s", fr->host, port)
                  : asprintf(&fr->host_header, "%s", fr->host);
    if (rc < 0)
        fr->host_header = NULL;
    if (v6 && n > 2) {
        memmove(fr->host, fr->host + 1, n - 2);
        fr->host[n - 2] = '\0';
    }
    fr->host_is_address = inet_pton(v6 ? AF_INET6 : AF_INET, fr->host, ip) == 1;
    return fr->host_header != NULL;
}

static enum tide_err take_url(struct fetcher *fr, const char *base, struct tide_error *err)
{
    CURLU *url = curl_url();
    char *port = NULL;
    enum tide_err rc = TIDE_OK;
    if (!url)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (!(strncmp(base, "https://", 8) == 0 || strncmp(base, "http://", 7) == 0) ||
        curl_url_set(url, CURLUPART_URL, base, 0) != CURLUE_OK || !is_absent(url, CURLUPART_USER) ||
        !is_absent(url, CURLUPART_QUERY) || !is_absent(url, CURLUPART_FRAGMENT)) {
        rc = tide_fail(err, TIDE_ESYNTAX,
                       "want a base_url as https://HOST[:PORT][/PATH], got \"%.100s\"", base);
        goto out;
    }
    curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
    fr->base = strdup(base);
    fr->host = url_part(url, CURLUPART_HOST);
    fr->port = url_part(url, CURLUPART_PORT);
    fr->prefix = url_part(url, CURLUPART_PATH);
    if (!fr->base || !fr->host || !fr->port || !fr->prefix || !take_host(fr, port)) {
        rc = tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
        goto out;
    }
    for (size_t n = strlen(fr->base); n > 0 && fr->base[n - 1] == '/'; n--)
        fr->base[n - 1] = '\0';
    for (size_t n = strlen(fr->prefix); n > 0 && fr->prefix[n - 1] == '/'; n--)
        fr->prefix[n - 1] = '\0';
out:
    curl_free(port);
    curl_url_cleanup(url);
    return rc;
}

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
}

static enum tide_err start_multi(struct fetcher *fr, long connections_max, struct tide_error *err)
{
    fr->multi = curl_multi_init();
    if (!fr->multi ||
        curl_multi_setopt(fr->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        curl_multi_setopt(fr->multi, CURLMOPT_SOCKETDATA, fr) != CURLM_OK ||
        curl_multi_setopt(fr->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted) != CURLM_OK ||
        curl_multi_setopt(fr->multi, CURLMOPT_TIMERDATA, fr) != CURLM_OK ||
        curl_multi_setopt(fr->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections_max) != CURLM_OK ||
        curl_multi_setopt(fr->multi, CURLMOPT_MAXCONNECTS, connections_max) != CURLM_OK)
        return tide_fail(err, TIDE_ENOMEM, "libcurl cannot be set up");
    return TIDE_OK;
}

enum tide_err fetcher_open(uv_loop_t *loop,
                           const struct fetch_options *options,
                           struct fetcher **ret,
                           struct tide_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    struct fetcher *fr = calloc(1, sizeof *fr);
    if (!fr)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    fr->loop = loop;
    fr->tls_verify = options->tls_verify;
    fr->connect_timeout_ms = options->connect_timeout_ms;
    fr->timeout_ms = options->timeout_ms;
    list_init(&fr->waiting);
    list_init(&fr->running);
    enum tide_err rc = take_url(fr, options->base_url, err);
    if (rc == TIDE_OK && options->tls_ca_file && !(fr->ca_file = strdup(options->tls_ca_file)))
        rc = tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (rc == TIDE_OK)
        rc = start_multi(fr, options->connections_max, err);
    if (rc != TIDE_OK) {
        free_all(fr);
        return rc;
    }
    uv_timer_init(loop, &fr->timer);
    uv_timer_init(loop, &fr->kick);
    fr->timer.data = fr->kick.data = fr;
    fr->handles = 2;
    *ret = fr;
    return TIDE_OK;
}

const char *fetcher_host(const struct fetcher *fr)
{
    return fr->host_header;
}

struct text fetcher_prefix(const struct fetcher *fr)
{
    return text_of(fr->prefix);
}
