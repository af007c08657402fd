#include "io/watch/account_watch.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/esp/quota.h"
#include "io/crypto/aws_sign.h"
#include "io/loop/fetch.h"

#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX      (256u * 1024)
#define AGAIN_MS        (5 * TIME_MINUTE_MS) /* after an answer that did not come */
#define NAP_MS_MAX      5000                 /* in real time, so that a clock's step is noticed */
#define SOON_USED_UP    0.8                  /* of a day's quota */
#define CALL_TIMEOUT_MS 30000

/* One account that can be asked. Its texts are copies: the configuration may go before it. */
struct asked {
    struct account_watch *watch;
    struct asked *next;
    const struct quota_api *api;
    char *name, *key, *key_id, *region;
    int64_t every_ms;
    tide_wall_ms due_at;
    struct fetcher *fetcher;
    struct fetch fetch;
    struct fetch_header headers[2];
    struct aws_signature signature;
    bool busy, leaving;
};

struct account_watch {
    struct account_watch_parts parts;
    struct asked *first;
    unsigned fetchers; /* open */
    uv_timer_t timer;
    bool closing, timer_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

static tide_wall_ms now_of(const struct account_watch *w)
{
    return clock_wall(w->parts.clock);
}

/* -- Life of an account ------------------------------------------------------------------------ */

static void maybe_closed(struct account_watch *w)
{
    if (!w->closing || !w->timer_closed || w->fetchers)
        return;
    void (*closed)(void *) = w->closed;
    void *arg = w->closed_arg;
    free(w);
    closed(arg);
}

static void free_asked(struct asked *a)
{
    if (a->key)
        explicit_bzero(a->key, strlen(a->key));
    free(a->name);
    free(a->key);
    free(a->key_id);
    free(a->region);
    free(a);
}

static void on_fetcher_closed(void *arg)
{
    struct asked *a = arg;
    struct account_watch *w = a->watch;
    free_asked(a);
    w->fetchers--;
    maybe_closed(w);
}

/* Its request ends first. */
static void leave(struct asked *a)
{
    a->leaving = true;
    if (a->busy)
        fetch_cancel(&a->fetch);
    else
        fetcher_close(a->fetcher, on_fetcher_closed, a);
}

static void leave_all(struct account_watch *w)
{
    for (struct asked *a = w->first, *next; a; a = next) {
        next = a->next;
        leave(a);
    }
    w->first = NULL;
}

static char *copy(const char *s)
{
    return strdup(s ? s : "");
}

static enum tide_err open_one(struct account_watch *w,
                              const struct config_account *c,
                              struct asked **list,
                              struct tide_error *err)
{
    const struct quota_api *api = c->api ? quota_api_find(text_of(c->api)) : NULL;
    if (c->type != ACCOUNT_HTTPS || !api || !c->base_url || c->quota_every_ms == 0)
        return TIDE_OK;
    struct asked *a = calloc(1, sizeof *a);
    if (!a)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    *a = (struct asked){.watch = w,
                        .api = api,
                        .name = copy(c->name),
                        .key = copy(c->key.value),
                        .key_id = copy(c->key_id),
                        .region = copy(c->region),
                        .every_ms = c->quota_every_ms,
                        .due_at = now_of(w)};
    const struct fetch_options options = {.base_url = c->base_url,
                                          .tls_verify = c->tls_verify,
                                          .tls_ca_file = c->tls_ca_file,
                                          .connections_max = 1,
                                          .connect_timeout_ms = c->connect_timeout_ms,
                                          .timeout_ms = CALL_TIMEOUT_MS};
    enum tide_err rc = a->name && a->key && a->key_id && a->region
                           ? fetcher_open(w->parts.loop, &options, &a->fetcher, err)
                           : tide_fail(err, TIDE_ENOMEM, "out of memory");
    if (rc != TIDE_OK) {
        free_asked(a);
        return tide_wrap(err, rc, "account %s", c->name);
    }
    w->fetchers++;
    a->next = *list;
    *list = a;
    return TIDE_OK;
}

static enum tide_err open_all(struct account_watch *w,
                              const struct config *config,
                              struct tide_error *err)
{
    struct asked *old = w->first, *fresh = NULL;
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < config->account_count && rc == TIDE_OK; i++)
        rc = open_one(w, &config->accounts[i], &fresh, err);
    w->first = rc == TIDE_OK ? old : fresh;
    leave_all(w);
    w->first = rc == TIDE_OK ? fresh : old;
    return rc;
}

/* -- What is told ------------------------------------------------------------------------------ */

static void alarm_if(struct asked *a,
                     bool raised,
                     const char *what,
                     enum alarm_severity severity,
                     const char *sentence,
                     const char *advice)
{
    char key[128];
    snprintf(key, sizeof key, "account/%s/%s", a->name, what);
    if (raised)
        drive_raise_alarm(a->watch->parts.drive, text_of(key), severity, text_of(sentence),
                          text_of(advice));
    else
        drive_clear_alarm(a->watch->parts.drive, text_of(key), TEXT(""));
}

static void tell_limit(struct asked *a, const struct window *w, int64_t count, int64_t used)
{
    char said[160];
    if (count < 1)
        return;
    snprintf(said, sizeof said, "its API says: %lld%s", (long long)count,
             used < 0 ? " a second" : " in 24 hours");
    if (used >= 0)
        snprintf(said + strlen(said), sizeof said - strlen(said), ", %lld of them sent",
                 (long long)used);
    struct gate_event ev = {
        .type = GATE_LIMIT,
        .limit = {.word = LIMIT_TOLD,
                  .a = text_of(a->name),
                  .window = w,
                  .count = count,
                  .used = used,
                  .said = text_of(said)},
    };
    drive_event(a->watch->parts.drive, &ev, NULL, NULL);
}

static void tell_standing(struct asked *a, const struct quota_account *q)
{
    char sentence[400];
    bool shut = q->sending_off || text_ieq(q->enforcement, TEXT("SHUTDOWN"));
    bool bad = shut || (q->enforcement.n && !text_ieq(q->enforcement, TEXT("HEALTHY")));
    snprintf(sentence, sizeof sentence, "Account %s %s (the ESP says " TEXT_FMT ").", a->name,
             shut ? "may not send any more"
                  : "is under review: too much of its mail bounces or "
                    "is called spam",
             TEXT_ARG(q->enforcement.n ? q->enforcement : TEXT("nothing of its standing")));
    alarm_if(a, bad, "standing", shut ? ALARM_CRITICAL : ALARM_WARNING, sentence,
             "Read what the ESP wrote to the account's owner, and answer it; see mailtide guard "
             "list.");
    snprintf(sentence, sizeof sentence,
             "Account %s is in the sandbox: only verified addresses get mail, and few of it.",
             a->name);
    alarm_if(a, q->sandbox, "sandbox", ALARM_WARNING, sentence,
             "Ask the ESP for production access.");
    double share = q->day_max > 0 ? (double)q->day_sent / (double)q->day_max : 0;
    snprintf(sentence, sizeof sentence,
             "Account %s has used %lld of the %lld mails that it may send in 24 hours.", a->name,
             (long long)q->day_sent, (long long)q->day_max);
    alarm_if(a, share >= SOON_USED_UP, "quota", ALARM_WARNING, sentence,
             "What is over it is held; ask the ESP for more, or add an account.");
}

static void take(struct asked *a, const struct quota_account *q)
{
    static const struct window day = {.kind = WINDOW_ROLLING, .span_ms = TIME_DAY_MS};
    static const struct window second = {.kind = WINDOW_RATE, .span_ms = TIME_SECOND_MS};
    tell_limit(a, &day, q->day_max, TIDE_MAX(q->day_sent, 0));
    tell_limit(a, &second, q->rate_max, -1);
    tell_standing(a, q);
    alarm_if(a, false, "unread", ALARM_NOTICE, "", "");
}

/* -- Asking ------------------------------------------------------------------------------------ */

static void rearm(struct account_watch *w);

static bool read_answer(struct asked *a)
{
    struct arena arena = {0};
    struct json *doc = NULL;
    struct quota_account q;
    bool ok = a->fetch.fate == FETCH_ANSWERED && !a->fetch.cut && a->fetch.status == 200 &&
              json_parse(buf_text(&a->fetch.answer), ANSWER_MAX, &doc, NULL) == TIDE_OK &&
              a->api->read(doc, &arena, &q);
    if (ok)
        take(a, &q);
    json_free(doc);
    arena_fini(&arena);
    return ok;
}

static void tell_unread(struct asked *a)
{
    char sentence[300];
    int status = a->fetch.fate == FETCH_ANSWERED ? a->fetch.status : 0;
    log_info("account.quota_unread", "account=%s status=%d error=\"%s\"", a->name, status,
             a->fetch.error);
    if (status < 400 || status >= 500 || status == 429)
        return; /* it does not answer: that is the account's matter, not its quota's */
    snprintf(sentence, sizeof sentence,
             "What account %s may send cannot be read: its ESP answers HTTP %d.", a->name, status);
    alarm_if(a, true, "unread", ALARM_NOTICE, sentence,
             "Allow its key to read the account (Amazon SES: ses:GetAccount), or say its limits "
             "and quota_every = \"0s\" in the configuration.");
}

static void on_fetched(struct fetch *f)
{
    struct asked *a = f->arg;
    struct account_watch *w = a->watch;
    a->busy = false;
    bool ok = !a->leaving && read_answer(a);
    if (!ok && !a->leaving)
        tell_unread(a);
    a->due_at = now_of(w) + (ok ? a->every_ms : TIDE_MIN(a->every_ms, AGAIN_MS));
    fetch_fini(f);
    if (a->leaving)
        fetcher_close(a->fetcher, on_fetcher_closed, a);
    else
        rearm(w);
}

static bool sign(struct asked *a)
{
    struct clock real;
    struct tide_error err;
    char path[512];
    clock_init_real(&real); /* a signature is of the machine's own time */
    snprintf(path, sizeof path, TEXT_FMT "%s", TEXT_ARG(fetcher_prefix(a->fetcher)), a->api->path);
    const struct aws_request r = {.key_id = a->key_id,
                                  .secret = a->key,
                                  .region = a->region,
                                  .method = "GET",
                                  .host = fetcher_host(a->fetcher),
                                  .path = text_of(path),
                                  .body = TEXT(""),
                                  .now = clock_wall(&real)};
    return aws_sign(&r, &a->signature, &err) == TIDE_OK;
}

static void ask(struct asked *a)
{
    if (a->api->signs_aws && !sign(a)) {
        a->due_at = now_of(a->watch) + AGAIN_MS;
        return;
    }
    a->headers[0] = (struct fetch_header){"X-Amz-Date", text_of(a->signature.date)};
    a->headers[1] = (struct fetch_header){"Authorization", text_of(a->signature.authorization)};
    a->fetch = (struct fetch){.method = "GET",
                              .path = text_of(a->api->path),
                              .body = TEXT(""),
                              .answer_max = ANSWER_MAX,
                              .headers = a->headers,
                              .header_count = TIDE_COUNT(a->headers),
                              .done = on_fetched,
                              .arg = a};
    a->busy = true;
    fetch_start(a->fetcher, &a->fetch);
}

static void on_timer(uv_timer_t *timer)
{
    struct account_watch *w = timer->data;
    tide_wall_ms now = now_of(w);
    for (struct asked *a = w->first; a; a = a->next)
        if (!a->busy && a->due_at <= now)
            ask(a);
    rearm(w);
}

static void rearm(struct account_watch *w)
{
    uint64_t wait = NAP_MS_MAX;
    bool any = false;
    for (const struct asked *a = w->first; a; a = a->next)
        if (!a->busy) {
            wait = TIDE_MIN(wait, clock_until(w->parts.clock, a->due_at));
            any = true;
        }
    if (any && !w->closing)
        uv_timer_start(&w->timer, on_timer, wait, 0);
}

/* -- Life -------------------------------------------------------------------------------------- */

enum tide_err account_watch_open(const struct account_watch_parts *parts,
                                 struct account_watch **ret,
                                 struct tide_error *err)
{
    struct account_watch *w = calloc(1, sizeof *w);
    if (!w)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    w->parts = *parts;
    uv_timer_init(parts->loop, &w->timer);
    w->timer.data = w;
    *ret = w;
    enum tide_err rc = open_all(w, parts->config, err);
    rearm(w);
    return rc;
}

enum tide_err account_watch_configure(struct account_watch *w,
                                      const struct config *config,
                                      struct tide_error *err)
{
    enum tide_err rc = open_all(w, config, err);
    if (rc == TIDE_OK)
        w->parts.config = config;
    rearm(w);
    return rc;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct account_watch *w = handle->data;
    w->timer_closed = true;
    maybe_closed(w);
}

void account_watch_close(struct account_watch *w, void (*closed)(void *arg), void *arg)
{
    if (w->closing)
        return;
    w->closing = true;
    w->closed = closed;
    w->closed_arg = arg;
    leave_all(w);
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}
