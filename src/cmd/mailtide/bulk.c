/* verify, of a whole list: read in pieces, asked for many domains at once, written in the list's
 * order. What is held in memory is bounded by the numbers below, however long the list is.
 *
 *   file --> bulk_input --> window of addresses --(head has its verdict)--> bulk_output --> file
 *                              `--> domains: asked once each, kept for those that come again */
#include "cmd/mailtide/verify_dns.h"

#include "base/list.h"
#include "base/macros.h"
#include "cmd/mailtide/bulk_input.h"
#include "cmd/mailtide/bulk_output.h"
#include "core/address/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_MAX                                                                            \
    16384                       /* addresses between reading and writing: a slow one holds up \
                                   those behind it only once so many wait */
#define FLIGHTS_MAX       1000  /* domains asked for at once */
#define DOMAINS_MAX       32768 /* verdicts kept */
#define DOMAIN_BYTES_KEPT (32u << 20) /* of texts, in all of them */
#define READ_BYTES        65536
#define WRITE_BYTES       65536
#define TICK_MS           500

/* One domain, for all its addresses in the window and those that come soon after. */
struct bulk_domain {
    struct list node; /* oldest first */
    char *name;
    struct verdict verdict;
    char *texts; /* of the verdict, in one piece */
    size_t bytes;
    struct bulk *bulk;
    uint32_t refs; /* addresses in the window */
    bool done;
};

struct bulk_slot {
    char *given;
    struct bulk_domain *domain; /* NULL: no address, or one without a domain */
};

struct bulk {
    struct cli *cli;
    struct verify_dns dns;
    struct bulk_input input;
    uv_fs_t read;
    uv_timer_t tick;
    char bytes[READ_BYTES];
    bool reading, ended, over;
    int in_fd, out_fd;
    enum bulk_format format;
    struct bulk_slot *window; /* a ring */
    size_t head, count;
    struct strmap domains;
    struct list kept;
    size_t domain_count, domain_bytes, flights;
    struct buf out;
    uint64_t skip, done, asked, counts[4], invalid;
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

/* -- Domains ------------------------------------------------------------------------------------*/

static void forget(struct bulk *b, struct bulk_domain *d)
{
    (void)strmap_remove(&b->domains, text_of(d->name));
    list_remove(&d->node);
    b->domain_count--;
    b->domain_bytes -= d->bytes;
    free(d->texts);
    free(d->name);
    free(d);
}

/* The oldest go first; those that somebody waits for stay. */
static void make_room(struct bulk *b)
{
    while (b->domain_count >= DOMAINS_MAX || b->domain_bytes > DOMAIN_BYTES_KEPT) {
        struct list *node = list_first(&b->kept);
        struct bulk_domain *d = node ? container_of(node, struct bulk_domain, node) : NULL;
        if (!d || d->refs > 0)
            return; /* what is behind it is younger still, and the window bounds their number */
        forget(b, d);
    }
}

static void flush(struct bulk *b);
static void pump(struct bulk *b);

static struct text copy(char **at, struct text t)
{
    struct text made = {*at, t.n};
    if (t.n)
        memcpy(*at, t.p, t.n);
    *at += t.n;
    return made;
}

static void settle(struct bulk_domain *d, const struct verdict *v)
{
    size_t n = v->provider.n + v->gateway.n + v->reason.n + v->evidence.n;
    char *at = malloc(n + 1);
    d->done = true;
    d->verdict = (struct verdict){.kind = VERDICT_UNKNOWN, .reason = TEXT("out of memory")};
    if (!at)
        return;
    d->texts = at;
    d->bytes = n;
    d->bulk->domain_bytes += n;
    d->verdict = *v;
    d->verdict.provider = copy(&at, v->provider);
    d->verdict.gateway = copy(&at, v->gateway);
    d->verdict.reason = copy(&at, v->reason);
    d->verdict.evidence = copy(&at, v->evidence);
}

static void on_verdict(void *arg, enum tide_err rc, const struct verdict *v)
{
    struct bulk_domain *d = arg;
    struct bulk *b = d->bulk;
    struct verdict none = {.kind = VERDICT_UNKNOWN, .reason = text_of(tide_err_text(rc))};
    b->flights--;
    settle(d, rc == TIDE_OK ? v : &none);
    flush(b);
    pump(b);
}

static struct bulk_domain *domain_new(struct bulk *b, struct text name)
{
    struct tide_error err;
    make_room(b);
    struct bulk_domain *d = calloc(1, sizeof *d);
    if (!d || !(d->name = strndup(name.p, name.n)) || !strmap_put(&b->domains, name, d)) {
        free(d ? d->name : NULL);
        free(d);
        return NULL;
    }
    d->bulk = b;
    list_append(&b->kept, &d->node);
    b->domain_count++;
    b->asked++;
    if (verifier_verify(b->dns.verifier, name, on_verdict, d, &err) == TIDE_OK) {
        b->flights++;
    } else {
        struct verdict none = {.kind = VERDICT_UNKNOWN, .reason = text_of(err.text)};
        settle(d, &none);
    }
    return d;
}

/* Asked once, and again only when the verdict no longer holds. */
static struct bulk_domain *domain_of(struct bulk *b, struct text name)
{
    struct bulk_domain *d = strmap_get(&b->domains, name);
    if (d && d->done && d->refs == 0 && d->verdict.valid_until <= clock_wall(&b->dns.clock)) {
        forget(b, d);
        d = NULL;
    }
    return d ? d : domain_new(b, name);
}

/* -- Writing ------------------------------------------------------------------------------------*/

static void write_out(struct bulk *b)
{
    size_t at = 0;
    while (at < b->out.len && !b->over) {
        ssize_t n = write(b->out_fd, b->out.data + at, b->out.len - at);
        if (n < 0 && errno != EINTR)
            fail(b, "the output cannot be written", strerror(errno));
        at += n > 0 ? (size_t)n : 0;
    }
    buf_clear(&b->out);
}

static void put_row(struct bulk *b, const struct bulk_slot *s)
{
    struct addr addr;
    struct tide_error err = {0};
    struct recipient_hints hints = {0};
    struct bulk_row row = {.given = text_of(s->given)};
    bool valid = addr_parse(row.given, ADDR_LITERAL, &addr, &err) == TIDE_OK;
    struct verdict none = {.kind = valid ? VERDICT_UNKNOWN : VERDICT_UNDELIVERABLE,
                           .reason = valid ? TEXT("An address literal needs no DNS and was not "
                                                  "tried.")
                                           : text_of(err.text)};
    const struct verdict *v = s->domain ? &s->domain->verdict : &none;
    if (valid) {
        row.address = addr_text(&addr);
        recipient_hints(&b->dns.hints, addr_local(&addr), domain_text(&addr.domain), &hints);
    }
    row.verdict = text_of(verdict_name(v->kind));
    row.provider = v->provider;
    row.provider_likely = v->provider_likely;
    row.gateway = v->gateway;
    row.hints = hints.found;
    row.meant = hints.meant;
    row.reason = v->reason;
    row.evidence = v->evidence;
    bulk_put_row(b->format, &row, &b->out);
    b->counts[v->kind]++;
    b->invalid += !valid;
}

/* Rows leave in the list's order: as far as the first that waits for its verdict. */
static void flush(struct bulk *b)
{
    while (b->count && !b->over) {
        struct bulk_slot *s = &b->window[b->head];
        if (s->domain && !s->domain->done)
            break;
        put_row(b, s);
        if (s->domain)
            s->domain->refs--;
        free(s->given);
        b->head = (b->head + 1) % WINDOW_MAX;
        b->count--;
        b->done++;
        if (b->out.failed)
            fail(b, "the output", "out of memory");
        if (b->out.len >= WRITE_BYTES)
            write_out(b);
    }
}

/* -- Progress -----------------------------------------------------------------------------------*/

static void show_progress(struct bulk *b)
{
    char count[32], left[32], bar[21];
    int64_t ms = clock_mono() - b->started_at;
    uint64_t rate = ms > 0 ? (b->done - b->done_at_start) * 1000 / (uint64_t)ms : 0;
    fprintf(stderr, "\r%s addresses, %" PRIu64 "/s", show_count((int64_t)b->done, count), rate);
    if (b->size_bytes > 0 && b->taken_bytes > 0) {
        double share = TIDE_MIN((double)b->taken_bytes / (double)b->size_bytes, 1.0);
        for (size_t i = 0; i < sizeof bar - 1; i++)
            bar[i] = (double)i < share * (sizeof bar - 1) ? '#' : '.';
        bar[sizeof bar - 1] = '\0';
        int64_t left_ms = (int64_t)((double)ms / share * (1 - share));
        fprintf(stderr, " [%s] %.0f %%, %s left", bar, share * 100,
                text_of_duration(left_ms, left, sizeof left));
    }
    fputs("\033[K", stderr);
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
    fprintf(stderr,
            "%s%s addresses in %s: %s deliverable, %s risky, %s undeliverable, %s unknown; %s "
            "domains asked for\n",
            b->show ? "\r\033[K" : "", show_count((int64_t)(b->done - b->done_at_start), a),
            text_of_duration(ms, took, sizeof took),
            show_count((int64_t)b->counts[VERDICT_DELIVERABLE], d),
            show_count((int64_t)b->counts[VERDICT_RISKY], r),
            show_count((int64_t)b->counts[VERDICT_UNDELIVERABLE], u),
            show_count((int64_t)b->counts[VERDICT_UNKNOWN], n), show_count((int64_t)b->asked, q));
}

/* -- Reading ------------------------------------------------------------------------------------*/

static void add(struct bulk *b, struct text given)
{
    struct addr addr;
    struct bulk_slot *s = &b->window[(b->head + b->count) % WINDOW_MAX];
    *s = (struct bulk_slot){.given = strndup(given.p ? given.p : "", given.n)};
    bool ask = addr_parse(given, ADDR_LITERAL, &addr, NULL) == TIDE_OK && !addr.is_literal;
    if (ask)
        s->domain = domain_of(b, domain_text(&addr.domain));
    if (!s->given || (ask && !s->domain)) {
        free(s->given);
        fail(b, "the list", "out of memory");
        return;
    }
    if (s->domain)
        s->domain->refs++;
    b->count++;
}

static void on_read(uv_fs_t *req)
{
    struct bulk *b = container_of(req, struct bulk, read);
    ssize_t n = req->result;
    uv_fs_req_cleanup(req);
    b->reading = false;
    if (n < 0)
        fail(b, "the list cannot be read", uv_strerror((int)n));
    else if (!bulk_input_feed(&b->input, b->bytes, (size_t)n))
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

/* Takes addresses while there is room for them; ends all when there is nothing more to do. */
static void pump(struct bulk *b)
{
    struct text address;
    struct tide_error err;
    enum tide_err rc = TIDE_OK;
    while (!b->over && !b->reading && b->count < WINDOW_MAX && b->flights < FLIGHTS_MAX) {
        rc = bulk_input_next(&b->input, &address, &err);
        if (rc != TIDE_OK)
            break;
        if (b->skip)
            b->skip--;
        else
            add(b, address);
    }
    if (rc == TIDE_ENOENT && !b->ended)
        read_more(b);
    else if (rc != TIDE_OK && rc != TIDE_ENOENT)
        fail(b, "the list", err.text);
    flush(b);
    bool nothing_left = rc == TIDE_ENOENT && b->ended && b->count == 0;
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
    b->format = strcmp(format, "csv") == 0 ? BULK_TO_CSV : BULK_TO_NDJSON;
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
        bulk_put_head(b->format, &b->out);
    return CLI_OK;
}

static int open_input(struct bulk *b, const char *path)
{
    struct stat st;
    b->in_fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (b->in_fd < 0 || fstat(b->in_fd, &st) != 0)
        return cli_fail(b->cli, CLI_NO, "%s: %s", path ? path : "standard input", strerror(errno));
    b->size_bytes = S_ISREG(st.st_mode) ? st.st_size : 0;
    bulk_input_init(&b->input, cli_option_value(b->cli, "column"));
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

static void bulk_free(struct bulk *b)
{
    for (; b->count; b->count--, b->head = (b->head + 1) % WINDOW_MAX)
        free(b->window[b->head].given);
    for (struct list *node; (node = list_first(&b->kept));)
        forget(b, container_of(node, struct bulk_domain, node));
    strmap_fini(&b->domains);
    bulk_input_fini(&b->input);
    buf_fini(&b->out);
    if (b->in_fd > STDIN_FILENO)
        close(b->in_fd);
    if (b->out_fd > STDOUT_FILENO && close(b->out_fd) != 0)
        fail(b, "the output cannot be written", strerror(errno));
    free(b->window);
}

int bulk_verify(struct cli *cli, const char *path)
{
    struct bulk *b = calloc(1, sizeof *b);
    if (b)
        b->window = calloc(WINDOW_MAX, sizeof *b->window);
    if (!b || !b->window) {
        free(b);
        return cli_fail(cli, CLI_NO, "out of memory");
    }
    b->cli = cli;
    b->in_fd = b->out_fd = -1;
    b->show = isatty(STDERR_FILENO);
    strmap_init(&b->domains);
    list_init(&b->kept);
    b->code = open_format(b);
    b->code = b->code == CLI_OK ? open_input(b, path) : b->code;
    b->code = b->code == CLI_OK ? open_output(b) : b->code;
    b->code = b->code == CLI_OK ? verify_dns_open(cli, &b->dns) : b->code;
    if (b->code == CLI_OK) {
        run(b);
        bulk_free(b);
        verify_dns_fini(&b->dns);
    } else {
        bulk_free(b);
    }
    int code = b->code;
    free(b);
    return code;
}
