/* verify, of a whole list: read in pieces, asked for many domains at once, written in the list's
 * order. What is held in memory is bounded by the numbers below, however long the list is.
 *
 *   file --> addresses --> batch --(daemon: who is suppressed?)--> verify_list --> verified
 *                                                                                 `--> file */
#include "cmd/mailtide/ask.h"
#include "cmd/mailtide/verify_dns.h"

#include "base/macros.h"
#include "cmd/mailtide/bulk_resume.h"
#include "core/proto/json_write.h"
#include "core/verify/addresses.h"
#include "io/dns/verify_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_MAX                                                                            \
    16384                       /* addresses between reading and writing: a slow one holds up \
                                   those behind it only once so many wait */
#define FLIGHTS_MAX       1000  /* domains asked for at once */
#define DOMAINS_MAX       32768 /* verdicts kept */
#define DOMAIN_BYTES_KEPT (32u << 20) /* of texts, in all of them */
#define BATCH_MAX         256         /* addresses that the daemon is asked about at once */
#define READ_BYTES        65536
#define WRITE_BYTES       65536
#define TICK_MS           500

struct bulk {
    struct cli *cli;
    struct verify_dns dns;
    struct addresses input;
    uv_fs_t read;
    uv_timer_t tick;
    char bytes[READ_BYTES];
    bool reading, ended, over;
    const char *name; /* of the list, for people */
    int in_fd, out_fd;
    enum verified_form format;
    struct verify_list *list;
    struct arena batch; /* addresses that were read and not yet put in */
    struct text given[BATCH_MAX], suppressed[BATCH_MAX]; /* p NULL: nobody was asked */
    size_t batch_count, batch_at;
    bool no_daemon;
    struct buf out;
    uint64_t skip, done;
    int64_t taken_bytes, size_bytes; /* of the list; size 0: not known */
    tide_mono_ms started_at;
    uint64_t done_at_start;
    bool show;
    int code;
};

static void fail(struct bulk *b, const char *what, const char *why)
{
    if (b->code == CLI_OK)
        b->code = cli_fail(b->cli, CLI_NO, "%s: %s", what, why);
    b->over = true;
}

static void pump(struct bulk *b);

/* -- Writing ------------------------------------------------------------------------------------*/

static void write_failed(struct bulk *b)
{
    const char *path = cli_option_value(b->cli, "output");
    char why[400];
    path = path ? path : cli_option_value(b->cli, "resume");
    snprintf(why, sizeof why, "%s%s%.300s%s", strerror(errno), path ? "; --resume " : "",
             path ? path : "", path ? " goes on behind what is there" : "");
    fail(b, "the output cannot be written", why);
}

static void write_out(struct bulk *b)
{
    size_t at = 0;
    while (at < b->out.len && !b->over) {
        ssize_t n = write(b->out_fd, b->out.data + at, b->out.len - at);
        if (n < 0 && errno != EINTR)
            write_failed(b);
        at += n > 0 ? (size_t)n : 0;
    }
    buf_clear(&b->out);
}

static void on_row(void *arg, const struct verified *row)
{
    struct bulk *b = arg;
    verified_put_row(b->format, row, &b->out);
    b->done++;
    if (b->out.failed)
        fail(b, "the output", "out of memory");
    if (b->out.len >= WRITE_BYTES)
        write_out(b);
}

static void on_turn(void *arg)
{
    pump(arg);
}

/* -- Progress -----------------------------------------------------------------------------------*/

/* As much of it as the terminal has room for: what wraps cannot be written over. */
static void show_progress(struct bulk *b)
{
    char count[32], left[32], bar[21], line[160], share_text[64] = "", bar_text[32] = "";
    int64_t ms = clock_mono() - b->started_at;
    uint64_t rate = ms > 0 ? (b->done - b->done_at_start) * 1000 / (uint64_t)ms : 0;
    struct winsize size = {0};
    (void)ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    size_t room = size.ws_col ? size.ws_col - 1u : 79;
    if (b->size_bytes > 0 && b->taken_bytes > 0) {
        double share = TIDE_MIN((double)b->taken_bytes / (double)b->size_bytes, 1.0);
        for (size_t i = 0; i < sizeof bar - 1; i++)
            bar[i] = (double)i < share * (sizeof bar - 1) ? '#' : '.';
        bar[sizeof bar - 1] = '\0';
        int64_t left_ms = (int64_t)((double)ms / share * (1 - share));
        snprintf(bar_text, sizeof bar_text, "[%s] ", bar);
        snprintf(share_text, sizeof share_text, "%.0f %%, %s left", share * 100,
                 text_of_duration(left_ms, left, sizeof left));
    }
    show_count((int64_t)b->done, count);
    size_t n = (size_t)snprintf(line, sizeof line, "%s addresses, %" PRIu64 "/s %s%s", count, rate,
                                bar_text, share_text);
    if (n > room)
        n = (size_t)snprintf(line, sizeof line, "%s, %s", count, share_text);
    if (n > room)
        snprintf(line, sizeof line, "%.*s", (int)TIDE_MIN(room, sizeof line - 1),
                 share_text[0] ? share_text : count);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

static void on_tick(uv_timer_t *timer)
{
    struct bulk *b = container_of(timer, struct bulk, tick);
    write_out(b); /* what is known is there for whoever looks */
    if (b->show)
        show_progress(b);
    if (b->over)
        pump(b);
}

static void show_summary(struct bulk *b)
{
    char took[32], a[32], d[32], r[32], u[32], n[32], q[32];
    int64_t ms = clock_mono() - b->started_at;
    const struct verify_list_counts c = verify_list_counts(b->list);
    fprintf(stderr,
            "%s%s address%s in %s: %s deliverable, %s risky, %s undeliverable, %s unknown; %s "
            "domain%s asked for\n",
            b->show ? "\r\033[K" : "", show_count((int64_t)(b->done - b->done_at_start), a),
            b->done - b->done_at_start == 1 ? "" : "es", text_of_duration(ms, took, sizeof took),
            show_count((int64_t)c.kinds[VERDICT_DELIVERABLE], d),
            show_count((int64_t)c.kinds[VERDICT_RISKY], r),
            show_count((int64_t)c.kinds[VERDICT_UNDELIVERABLE], u),
            show_count((int64_t)c.kinds[VERDICT_UNKNOWN], n),
            show_count((int64_t)c.domains_asked, q), c.domains_asked == 1 ? "" : "s");
}

/* -- Reading ------------------------------------------------------------------------------------*/

static void on_read(uv_fs_t *req)
{
    struct bulk *b = container_of(req, struct bulk, read);
    ssize_t n = req->result;
    uv_fs_req_cleanup(req);
    b->reading = false;
    if (n < 0)
        fail(b, "the list cannot be read", uv_strerror((int)n));
    else if (!addresses_feed(&b->input, b->bytes, (size_t)n))
        fail(b, "the list", "out of memory");
    b->taken_bytes += n > 0 ? n : 0;
    b->ended = n <= 0;
    pump(b);
}

static void read_more(struct bulk *b)
{
    uv_buf_t buf = uv_buf_init(b->bytes, sizeof b->bytes);
    int rc = uv_fs_read(&b->dns.loop, &b->read, b->in_fd, &buf, 1, -1, on_read);
    b->reading = rc == 0;
    if (rc != 0)
        fail(b, "the list cannot be read", uv_strerror(rc));
}

static void on_tick_closed(uv_handle_t *handle)
{
    struct bulk *b = container_of((uv_timer_t *)handle, struct bulk, tick);
    verify_dns_end(&b->dns);
}

/* -- A batch ------------------------------------------------------------------------------------*/

/* The daemon, if one runs, knows who is suppressed; without one there is nothing to add. */
static void ask_daemon(struct bulk *b)
{
    struct buf body = {0};
    struct json_writer w;
    struct ask a;
    if (b->no_daemon)
        return;
    jw_init(&w, &body);
    jw_array(&w, NULL);
    for (size_t i = 0; i < b->batch_count; i++)
        jw_text(&w, NULL, b->given[i]);
    jw_end(&w);
    b->no_daemon = ask_post_quiet(b->cli, "/v1/suppressed", buf_text(&body), &a) != CLI_OK;
    const struct json *list = json_member(a.doc, "suppressed");
    for (size_t i = 0; i < b->batch_count && i < json_count(list); i++) {
        struct text t = json_string_text(json_element(list, i));
        b->suppressed[i] = t.p ? arena_text(&b->batch, t) : TEXT("");
        if (!b->suppressed[i].p)
            b->suppressed[i] = TEXT("");
    }
    ask_fini(&a);
    buf_fini(&body);
}

/* Reads the next batch; says what ended it. */
static enum tide_err fill_batch(struct bulk *b, struct tide_error *err)
{
    struct text address;
    enum tide_err rc = TIDE_OK;
    arena_reset(&b->batch);
    b->batch_at = b->batch_count = 0;
    while (rc == TIDE_OK && b->batch_count < BATCH_MAX) {
        rc = addresses_next(&b->input, &address, err);
        if (rc != TIDE_OK)
            break;
        if (b->skip) {
            b->skip--;
            continue;
        }
        struct text copy = arena_text(&b->batch, address);
        if (address.n && !copy.p)
            return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
        b->suppressed[b->batch_count] = (struct text){0};
        b->given[b->batch_count++] = copy;
    }
    if (b->batch_count)
        ask_daemon(b);
    return rc;
}

/* Takes addresses while there is room for them; ends all when there is nothing more to do. */
static void pump(struct bulk *b)
{
    struct tide_error err;
    enum tide_err rc = TIDE_OK;
    while (!b->over && !b->reading && verify_list_has_room(b->list)) {
        if (b->batch_at == b->batch_count) {
            if (rc != TIDE_OK)
                break;
            rc = fill_batch(b, &err);
            if (b->batch_count == 0)
                break;
        }
        size_t at = b->batch_at++;
        if (verify_list_add(b->list, b->given[at], b->suppressed[at]) != TIDE_OK)
            fail(b, "the list", "out of memory");
    }
    bool more = b->batch_at < b->batch_count;
    if (rc == TIDE_ENOENT && !b->ended && !b->reading && !more)
        read_more(b);
    else if (rc != TIDE_OK && rc != TIDE_ENOENT)
        fail(b, b->name, err.text);
    bool nothing_left =
        rc == TIDE_ENOENT && b->ended && !more && verify_list_counts(b->list).waiting == 0;
    if (!b->reading && (b->over || nothing_left) && !uv_is_closing((uv_handle_t *)&b->tick))
        uv_close((uv_handle_t *)&b->tick, on_tick_closed);
}

/* -- From start to end --------------------------------------------------------------------------*/

static int open_format(struct bulk *b)
{
    const char *format = cli_option_value(b->cli, "format");
    if (!format)
        format = cli_json(b->cli) ? "ndjson" : "csv";
    if (strcmp(format, "csv") != 0 && strcmp(format, "ndjson") != 0)
        return cli_fail(b->cli, CLI_USAGE, "--format: want csv or ndjson, got \"%s\"", format);
    b->format = strcmp(format, "csv") == 0 ? VERIFIED_CSV : VERIFIED_NDJSON;
    return CLI_OK;
}

static int open_output(struct bulk *b)
{
    const char *path = cli_option_value(b->cli, "output");
    const char *resume = cli_option_value(b->cli, "resume");
    struct tide_error err;
    int64_t end = 0;
    b->out_fd = STDOUT_FILENO;
    if (path && resume)
        return cli_fail(b->cli, CLI_USAGE, "want --output or --resume, not both");
    if (path)
        b->out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    else if (resume)
        b->out_fd = open(path = resume, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (b->out_fd < 0)
        return cli_fail(b->cli, CLI_NO, "%s: %s", path, strerror(errno));
    if (resume && bulk_written(b->out_fd, b->format, &b->skip, &end, &err) != TIDE_OK)
        return cli_fail(b->cli, CLI_NO, "%s: %s", resume, err.text);
    if (resume && (ftruncate(b->out_fd, end) != 0 || lseek(b->out_fd, end, SEEK_SET) < 0))
        return cli_fail(b->cli, CLI_NO, "%s: %s", resume, strerror(errno));
    b->done = b->done_at_start = b->skip;
    if (end == 0)
        verified_put_head(b->format, &b->out);
    return CLI_OK;
}

static int open_input(struct bulk *b, const char *path)
{
    struct stat st;
    b->name = path ? path : "standard input";
    b->in_fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (b->in_fd < 0 || fstat(b->in_fd, &st) != 0)
        return cli_fail(b->cli, CLI_NO, "%s: %s", b->name, strerror(errno));
    b->size_bytes = S_ISREG(st.st_mode) ? st.st_size : 0;
    addresses_init(&b->input, cli_option_value(b->cli, "column"));
    return CLI_OK;
}

static void run(struct bulk *b)
{
    uv_timer_init(&b->dns.loop, &b->tick);
    uv_timer_start(&b->tick, on_tick, TICK_MS, TICK_MS);
    b->started_at = clock_mono();
    pump(b);
    uv_run(&b->dns.loop, UV_RUN_DEFAULT);
    write_out(b);
    if (b->code == CLI_OK)
        show_summary(b);
}

static enum tide_err open_list(struct bulk *b, struct tide_error *err)
{
    const struct verify_list_options options = {.verifier = b->dns.verifier,
                                                .clock = &b->dns.clock,
                                                .hints = &b->dns.hints,
                                                .limits = {.window_max = WINDOW_MAX,
                                                           .flights_max = FLIGHTS_MAX,
                                                           .domains_max = DOMAINS_MAX,
                                                           .bytes_max = DOMAIN_BYTES_KEPT},
                                                .on_row = on_row,
                                                .on_turn = on_turn,
                                                .arg = b};
    return verify_list_new(&options, &b->list, err);
}

static void bulk_free(struct bulk *b)
{
    if (b->list)
        verify_list_close(b->list);
    addresses_fini(&b->input);
    arena_fini(&b->batch);
    buf_fini(&b->out);
    if (b->in_fd > STDIN_FILENO)
        close(b->in_fd);
    if (b->out_fd > STDOUT_FILENO && close(b->out_fd) != 0)
        write_failed(b);
}

int bulk_verify(struct cli *cli, const char *path)
{
    struct tide_error err;
    struct bulk *b = calloc(1, sizeof *b);
    if (!b)
        return cli_fail(cli, CLI_NO, "out of memory");
    b->cli = cli;
    b->in_fd = b->out_fd = -1;
    b->show = isatty(STDERR_FILENO);
    b->code = open_format(b);
    b->code = b->code == CLI_OK ? open_input(b, path) : b->code;
    b->code = b->code == CLI_OK ? open_output(b) : b->code;
    b->code = b->code == CLI_OK ? verify_dns_open(cli, &b->dns) : b->code;
    if (b->code != CLI_OK) {
        bulk_free(b);
    } else if (open_list(b, &err) != TIDE_OK) {
        b->code = cli_fail(cli, CLI_NO, "%s", err.text);
        verify_dns_end(&b->dns);
        uv_run(&b->dns.loop, UV_RUN_DEFAULT);
        bulk_free(b);
        verify_dns_fini(&b->dns);
    } else {
        run(b);
        bulk_free(b);
        verify_dns_fini(&b->dns);
    }
    int code = b->code;
    free(b);
    return code;
}
