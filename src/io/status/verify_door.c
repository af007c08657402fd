#include "io/status/verify_door.h"

#include "base/macros.h"
#include "core/address/addr.h"
#include "core/proto/json.h"
#include "core/proto/json_write.h"
#include "core/record/suppression.h"
#include "core/verify/addresses.h"
#include "io/dns/verify_list.h"
#include "io/status/views.h"

#include <stdlib.h>

#define WINDOW_MAX  1024
#define FLIGHTS_MAX 200 /* of one list: the daemon's own questions have room beside it */
#define DOMAINS_MAX 4096
#define BYTES_MAX   (4u << 20)
#define BATCH_MAX   256  /* addresses that the store is asked about at once */
#define ASKED_MAX   1000 /* of one POST /v1/suppressed */
#define FEED_BYTES  16384
#define AHEAD_BYTES (256u * 1024) /* of a list that comes faster than it is decided */

/* Words for hints; lists under way keep those that they began with. */
struct words {
    struct recipient_index index;
    unsigned refs;
};

struct verify_door {
    struct verify_door_parts parts;
    struct words *words;
    size_t streams;
    size_t body_bytes_max;
};

/* One list, or one address. */
struct job {
    struct verify_door *door;
    struct http_request *req; /* NULL: the client has gone */
    struct words *words;
    struct verify_list *list;
    struct addresses input;
    struct text body; /* what of the list was not fed yet: of the request's, or of `come` */
    struct buf come;  /* pieces of a list that is still coming, those fed too, now and then */
    bool more;        /* it is */
    struct store_ask ask;
    struct arena arena; /* of the batch */
    struct text given[BATCH_MAX], normal[BATCH_MAX];
    size_t batch_count, batch_at;
    struct buf line;
    bool asking, fed, ended, full;
    char *column;
    struct tide_error failed; /* why the list ends before its end; "" */
};

static void words_unref(struct words *w)
{
    if (--w->refs > 0)
        return;
    recipient_index_fini(&w->index);
    free(w);
}

/* -- Who is suppressed ---------------------------------------------------------------------------
 */

/* "invalid", "complaint (bulk)": what of the address is suppressed, for people and programs. */
static struct text suppressed_words(struct text lines, struct arena *arena)
{
    struct buf out = {0};
    struct text line;
    struct suppression s;
    while (lines.n && text_split(&lines, '\n', &line)) {
        if (!suppression_line_of(line, &s))
            continue;
        buf_addf(&out, "%s%s", out.len ? ", " : "", suppression_cause_name(s.cause));
        if (s.scope.n)
            buf_addf(&out, " (" TEXT_FMT ")", TEXT_ARG(s.scope));
    }
    struct text t = out.len ? arena_text(arena, buf_text(&out)) : TEXT("");
    buf_fini(&out);
    return t.p ? t : TEXT("");
}

/* What the store knows an address by; "" when it is none; p NULL: out of memory. */
static struct text normal_of(struct arena *arena, struct text given)
{
    struct addr addr;
    if (!given.p || addr_parse(given, 0, &addr, NULL) != TIDE_OK)
        return TEXT("");
    return arena_text(arena, addr_text(&addr));
}

/* -- A list --------------------------------------------------------------------------------------
 */

static void job_free(struct job *j)
{
    j->door->streams--;
    if (j->list)
        verify_list_close(j->list);
    words_unref(j->words);
    addresses_fini(&j->input);
    arena_fini(&j->ask.arena);
    arena_fini(&j->arena);
    buf_fini(&j->line);
    buf_fini(&j->come);
    free(j->column);
    free(j);
}

/* The list is closed at once, so that nothing more is asked for it; the store's answer may still be
 * due. */
static void job_drop(struct job *j)
{
    if (j->list)
        verify_list_close(j->list);
    j->list = NULL;
    j->req = NULL;
    if (!j->asking)
        job_free(j);
}

static void on_gone(void *arg)
{
    job_drop(arg);
}

static void finish(struct job *j)
{
    struct http_request *req = j->req;
    struct json_writer w;
    if (j->failed.text[0]) { /* the head has gone out: the last line says why there are no more */
        buf_clear(&j->line);
        jw_init(&w, &j->line);
        jw_object(&w, NULL);
        jw_object(&w, "error");
        jw_str(&w, "code", "bad_list");
        jw_str(&w, "message", j->failed.text);
        jw_end(&w);
        jw_end(&w);
        buf_addc(&j->line, '\n');
        (void)http_write(req, buf_text(&j->line));
    }
    j->req = NULL;
    http_end(req);
    job_free(j);
}

static void on_row(void *arg, const struct verified *row)
{
    struct job *j = arg;
    buf_clear(&j->line);
    verified_put_row(VERIFIED_NDJSON, row, &j->line);
    j->full = !http_write(j->req, buf_text(&j->line));
    if (j->full)
        verify_list_hold(j->list, true);
}

static void pump(struct job *j);

static void on_turn(void *arg)
{
    pump(arg);
}

static void on_room(void *arg)
{
    struct job *j = arg;
    j->full = false;
    verify_list_hold(j->list, false);
    pump(j);
}

static void on_suppressed(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    (void)err;
    j->asking = false;
    if (!j->req) {
        job_free(j);
        return;
    }
    if (rc != TIDE_OK)
        ask->suppressed = NULL; /* not known: no reason to answer nothing at all */
    pump(j);
}

/* The next addresses of the body, and what the store knows of them. */
static enum tide_err fill_batch(struct job *j, struct tide_error *err)
{
    struct text address;
    enum tide_err rc = TIDE_OK;
    arena_reset(&j->arena);
    arena_reset(&j->ask.arena);
    j->batch_at = j->batch_count = 0;
    while (j->batch_count < BATCH_MAX) {
        rc = addresses_next(&j->input, &address, err);
        if (rc == TIDE_ENOENT && j->more && j->body.n == 0)
            return TIDE_OK; /* the rest is on its way */
        if (rc == TIDE_ENOENT && !j->ended) {
            struct text piece = text_cut(j->body, 0, FEED_BYTES);
            j->body = text_cut(j->body, piece.n, j->body.n);
            j->ended = piece.n == 0;
            if (!addresses_feed(&j->input, piece.p, piece.n))
                return tide_fail(err, TIDE_ENOMEM, "out of memory");
            continue;
        }
        if (rc != TIDE_OK)
            break;
        struct text copy = arena_text(&j->arena, address);
        struct text normal = normal_of(&j->arena, address);
        if ((address.n && !copy.p) || !normal.p)
            return tide_fail(err, TIDE_ENOMEM, "out of memory");
        j->given[j->batch_count] = copy;
        j->normal[j->batch_count++] = normal;
    }
    return rc;
}

static void ask_store(struct job *j)
{
    j->ask.view = STORE_VIEW_SUPPRESSED;
    j->ask.asked = j->normal;
    j->ask.asked_count = j->batch_count;
    j->ask.suppressed = NULL;
    j->ask.done = on_suppressed;
    j->ask.arg = j;
    j->asking = true;
    store_ask(j->door->parts.store, &j->ask);
}

/* A client that reads its answers while it sends is not let run ahead of them; one that reads only
 * when all is sent has as much kept as of any other request. */
static void regulate(struct job *j)
{
    if (j->more && j->req)
        http_hold(j->req, j->body.n > (j->full ? j->door->body_bytes_max : (size_t)AHEAD_BYTES));
}

/* Puts in what there is room for, reads on, ends. Ends the job at most as its last act. */
static void pump(struct job *j)
{
    while (!j->asking && !j->full && j->list && verify_list_has_room(j->list)) {
        if (j->batch_at == j->batch_count) {
            if (j->fed)
                break;
            enum tide_err rc = fill_batch(j, &j->failed);
            j->fed = rc != TIDE_OK;
            if (rc == TIDE_ENOENT)
                j->failed.text[0] = '\0';
            if (j->batch_count)
                ask_store(j);
            else if (!j->fed)
                break; /* until more of the list is there */
            continue;
        }
        size_t at = j->batch_at++;
        struct text lines = j->ask.suppressed ? j->ask.suppressed[at] : (struct text){0};
        struct text why = j->ask.suppressed ? suppressed_words(lines, &j->arena) : lines;
        if (verify_list_add(j->list, j->given[at], why) != TIDE_OK) {
            (void)tide_fail(&j->failed, TIDE_ENOMEM, "out of memory");
            j->fed = true;
            j->batch_at = j->batch_count;
        }
    }
    if (j->fed && !j->asking && j->batch_at == j->batch_count && j->req &&
        verify_list_counts(j->list).waiting == 0)
        finish(j);
    else
        regulate(j);
}

/* Keeps it; what was fed before goes when it is the greater part. */
static void keep(struct job *j, struct text piece)
{
    size_t fed = j->come.len - j->body.n;
    if (fed > j->body.n) {
        buf_consume(&j->come, fed);
        fed = 0;
    }
    buf_add_text(&j->come, piece);
    j->body = text_cut(buf_text(&j->come), fed, j->come.len);
}

static void on_piece(void *arg, struct text piece)
{
    struct job *j = arg;
    if (piece.n == 0)
        j->more = false;
    else if (!j->fed)
        keep(j, piece);
    if (j->come.failed != TIDE_OK && !j->fed) {
        (void)tide_fail(&j->failed, TIDE_ENOMEM, "out of memory");
        j->fed = true;
    }
    pump(j);
}

static void start(struct verify_door *d, struct http_request *req, struct text body, bool is_one)
{
    static const struct http_header fresh[] = {{"Cache-Control", "no-store"}};
    struct text column = http_query(req, "column");
    if (d->streams >= VERIFY_STREAMS_MAX) {
        http_reply_error(req, 429, "too_many", "Too many lists are being verified, try later.");
        return;
    }
    struct job *j = calloc(1, sizeof *j);
    if (!j) {
        view_no_memory(req);
        return;
    }
    j->door = d;
    j->req = req;
    j->words = d->words;
    j->more = req->more;
    if (j->more)
        keep(j, body);
    else
        j->body = body;
    j->column = column.n ? strndup(column.p, column.n) : NULL;
    d->words->refs++;
    d->streams++;
    addresses_init(&j->input, j->column);
    const struct verify_list_options options = {.verifier = d->parts.verifier,
                                                .clock = d->parts.clock,
                                                .hints = &j->words->index,
                                                .limits = {.window_max = WINDOW_MAX,
                                                           .flights_max = FLIGHTS_MAX,
                                                           .domains_max = DOMAINS_MAX,
                                                           .bytes_max = BYTES_MAX},
                                                .on_row = on_row,
                                                .on_turn = on_turn,
                                                .arg = j};
    struct tide_error err;
    if ((column.n && !j->column) || verify_list_new(&options, &j->list, &err) != TIDE_OK) {
        job_free(j);
        view_no_memory(req);
        return;
    }
    enum tide_err rc = TIDE_OK;
    if (!is_one)
        rc = fill_batch(j, &j->failed);
    if (rc != TIDE_OK && rc != TIDE_ENOENT && j->batch_count == 0) {
        http_reply_error(req, rc == TIDE_ENOMEM ? 503 : 400,
                         rc == TIDE_ENOMEM ? "no_memory" : "bad_list", j->failed.text);
        job_free(j);
        return;
    }
    j->fed = rc != TIDE_OK;
    if (rc == TIDE_ENOENT)
        j->failed.text[0] = '\0';
    http_begin(req, 200, is_one ? "application/json" : "application/x-ndjson", fresh,
               TIDE_COUNT(fresh), on_room, on_gone, j);
    if (j->more)
        http_receive(req, on_piece);
    if (is_one) { /* no list: taken as it is */
        j->given[0] = arena_text(&j->arena, body);
        j->normal[0] = normal_of(&j->arena, body);
        j->batch_count = 1;
        j->fed = true;
    }
    if (j->batch_count)
        ask_store(j);
    pump(j);
}

/* -- Who of many is suppressed -------------------------------------------------------------------
 */

struct lookup {
    struct http_request *req;
    struct store_ask ask;
    struct arena arena;
};

static void on_looked_up(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct lookup *l = ask->arg;
    struct buf b = {0};
    struct json_writer w;
    if (rc != TIDE_OK) {
        http_reply_error(l->req, 503, "store_failed", err->text);
    } else {
        jw_init(&w, &b);
        jw_object(&w, NULL);
        jw_array(&w, "suppressed");
        for (size_t i = 0; i < ask->asked_count; i++)
            jw_text(&w, NULL, suppressed_words(ask->suppressed[i], &l->arena));
        jw_end(&w);
        jw_end(&w);
        view_reply_json(l->req, &b);
    }
    arena_fini(&l->ask.arena);
    arena_fini(&l->arena);
    free(l);
}

static void look_up(struct verify_door *d, struct http_request *req)
{
    struct json *doc = NULL;
    struct tide_error err;
    struct lookup *l = calloc(1, sizeof *l);
    enum tide_err rc = json_parse(req->body, req->body.n, &doc, &err);
    size_t n = json_count(doc);
    if (rc == TIDE_OK && (json_kind(doc) != JSON_KIND_ARRAY || n > ASKED_MAX))
        rc = tide_fail(&err, TIDE_EINVAL, "Want an array of at most %d addresses.", ASKED_MAX);
    struct text *normal = l ? arena_array(&l->arena, n + 1, sizeof *normal) : NULL;
    for (size_t i = 0; i < n && normal; i++) {
        normal[i] = normal_of(&l->arena, json_string_text(json_element(doc, i)));
    }
    json_free(doc);
    if (rc != TIDE_OK || !normal) {
        http_reply_error(req, rc != TIDE_OK ? 400 : 503, rc != TIDE_OK ? "bad_value" : "no_memory",
                         rc != TIDE_OK ? err.text : "Out of memory, try again later.");
        if (l)
            arena_fini(&l->arena);
        free(l);
        return;
    }
    l->req = req;
    l->ask = (struct store_ask){.view = STORE_VIEW_SUPPRESSED,
                                .asked = normal,
                                .asked_count = n,
                                .done = on_looked_up,
                                .arg = l};
    store_ask(d->parts.store, &l->ask);
}

/* -- Requests ------------------------------------------------------------------------------------
 */

static void verify(struct verify_door *d, struct http_request *req)
{
    struct text address = http_query(req, "address");
    if (text_eq(req->method, TEXT("POST")))
        start(d, req, req->body, false);
    else if (!text_eq(req->method, TEXT("GET")))
        view_bad_method(req, "GET and POST");
    else if (address.n == 0)
        http_reply_error(req, 400, "bad_value", "Want ?address=, or POST with a list.");
    else
        start(d, req, address, true);
}

bool verify_door_in_pieces(const struct http_request *req)
{
    return text_eq(req->path, TEXT("/v1/verify")) && text_eq(req->method, TEXT("POST"));
}

bool verify_door_request(struct verify_door *d, struct http_request *req)
{
    if (text_eq(req->path, TEXT("/v1/verify")))
        verify(d, req);
    else if (!text_eq(req->path, TEXT("/v1/suppressed")))
        return false;
    else if (text_eq(req->method, TEXT("POST")))
        look_up(d, req);
    else
        view_bad_method(req, "POST");
    return true;
}

/* -- Life ----------------------------------------------------------------------------------------
 */

enum tide_err verify_door_configure(struct verify_door *d,
                                    const struct config *config,
                                    struct tide_error *err)
{
    struct words *w = calloc(1, sizeof *w);
    enum tide_err rc = w ? recipient_index_init(&w->index, &config->profiles, err)
                         : tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (rc != TIDE_OK) {
        free(w);
        return rc;
    }
    w->refs = 1;
    if (d->words)
        words_unref(d->words);
    d->words = w;
    d->body_bytes_max = (size_t)config->http.body_bytes_max;
    return TIDE_OK;
}

enum tide_err verify_door_open(const struct verify_door_parts *parts,
                               const struct config *config,
                               struct verify_door **ret,
                               struct tide_error *err)
{
    struct verify_door *d = calloc(1, sizeof *d);
    if (!d)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    d->parts = *parts;
    enum tide_err rc = verify_door_configure(d, config, err);
    if (rc == TIDE_OK)
        *ret = d;
    else
        free(d);
    return rc;
}

void verify_door_close(struct verify_door *d)
{
    words_unref(d->words);
    free(d);
}
