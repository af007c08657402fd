/* Logs of notifications as events. */
#include "base/macros.h"
#include "base/map.h"
#include "cmd/mailtide/cli.h"
#include "cmd/mailtide/simulate.h"
#include "io/loop/zones.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACE_BYTES_MAX (4ull << 30)
#define READ_BYTES      (1u << 20)

extern char **environ;

/* -- Bytes ------------------------------------------------------------------------------------- */

static enum tide_err read_all(int fd, const char *name, struct buf *ret, struct tide_error *err)
{
    for (;;) {
        char *room = buf_room(ret, READ_BYTES);
        if (!room)
            return tide_fail(err, TIDE_ELIMIT, "%s: over %llu bytes, or out of memory", name,
                             TRACE_BYTES_MAX);
        ssize_t n = read(fd, room, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return tide_fail(err, TIDE_EIO, "%s: %s", name, strerror(errno));
        if (n == 0)
            return TIDE_OK;
        buf_added(ret, (size_t)n);
    }
}

static enum tide_err read_unpacked(const char *path,
                                   const char *tool,
                                   struct buf *ret,
                                   struct tide_error *err)
{
    int ends[2], status = 0;
    pid_t pid;
    char *argv[] = {(char *)(uintptr_t)tool, (char *)(uintptr_t) "-dc", (char *)(uintptr_t) "--",
                    (char *)(uintptr_t)path, NULL};
    posix_spawn_file_actions_t actions;
    if (access(path, R_OK) != 0)
        return tide_fail(err, errno == ENOENT ? TIDE_ENOENT : TIDE_EPERM, "%s: %s", path,
                         strerror(errno));
    if (pipe2(ends, O_CLOEXEC) != 0)
        return tide_fail(err, TIDE_EIO, "pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int failed = posix_spawnp(&pid, tool, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        return tide_fail(err, TIDE_ENOENT, "%s: %s cannot be run: %s", path, tool,
                         strerror(failed));
    }
    enum tide_err rc = read_all(ends[0], path, ret, err);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == TIDE_OK && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        rc = tide_fail(err, TIDE_ECORRUPT, "%s: %s could not unpack it", path, tool);
    return rc;
}

static enum tide_err read_trace(const char *path, struct buf *ret, struct tide_error *err)
{
    if (!path || !strcmp(path, "-"))
        return read_all(STDIN_FILENO, "standard input", ret, err);
    if (text_iends(text_of(path), TEXT(".xz")))
        return read_unpacked(path, "xz", ret, err);
    if (text_iends(text_of(path), TEXT(".gz")))
        return read_unpacked(path, "gzip", ret, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tide_fail(err, errno == ENOENT ? TIDE_ENOENT : TIDE_EIO, "%s: %s", path,
                         strerror(errno));
    enum tide_err rc = read_all(fd, path, ret, err);
    close(fd);
    return rc;
}

/* -- Events ------------------------------------------------------------------------------------ */

struct reader {
    struct sim_trace out;
    struct strmap users; /* name -> number + 1 */
    size_t cap, name_cap;
    bool unsorted;
};

/* Domains are the same in either case; what stands before the "@" need not be. */
static struct text folded(struct text name, char *out, size_t size)
{
    if (text_find(name, '@') == name.n || name.n > size)
        return name;
    size_t at = text_find(name, '@');
    for (size_t i = 0; i < name.n; i++)
        out[i] = i > at ? ascii_lower(name.p[i]) : name.p[i];
    return (struct text){out, name.n};
}

static bool add_name(struct reader *r, struct text name)
{
    uint32_t n = r->out.trace.user_count;
    if (n == r->name_cap) {
        size_t cap = r->name_cap ? r->name_cap * 2 : 1024;
        char **more = realloc(r->out.names, cap * sizeof *more);
        if (!more)
            return false;
        r->out.names = more;
        r->name_cap = cap;
    }
    r->out.names[n] = strndup(name.p, name.n);
    if (!r->out.names[n])
        return false;
    r->out.trace.user_count = n + 1;
    return strmap_put(&r->users, name, (void *)(uintptr_t)(n + 1));
}

static bool user_of(struct reader *r, struct text name, uint32_t *ret)
{
    char lower[320];
    name = folded(name, lower, sizeof lower);
    uintptr_t known = (uintptr_t)strmap_get(&r->users, name);
    if (!known && !add_name(r, name))
        return false;
    *ret = known ? (uint32_t)(known - 1) : r->out.trace.user_count - 1;
    return true;
}

static bool add_event(struct reader *r, const struct replay_event *e)
{
    size_t n = r->out.trace.count;
    if (n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 4096;
        struct replay_event *more = realloc(r->out.events, cap * sizeof *more);
        if (!more)
            return false;
        r->out.events = more;
        r->cap = cap;
    }
    if (n && e->at_s < r->out.events[n - 1].at_s)
        r->unsorted = true;
    r->out.events[n] = *e;
    r->out.trace.count = n + 1;
    return true;
}

static bool take_item(void *arg, const struct history_item *item)
{
    static const enum replay_class classes[HISTORY_CLASSES] = {
        [HISTORY_URGENT] = REPLAY_URGENT,
        [HISTORY_DIRECT] = REPLAY_DIRECT,
        [HISTORY_WATCHED] = REPLAY_WATCHED,
    };
    struct reader *r = arg;
    struct replay_event e = {.at_s = item->at_s, .class = classes[item->class]};
    if (item->source.n)
        e.source = plan_hash(1, item->source.p, item->source.n) & 0xFFFFFF;
    return user_of(r, item->recipient, &e.user) && add_event(r, &e);
}

/* Those of one second and user keep the order that they were read in: `seq` breaks the tie. */
struct sorted {
    struct replay_event e;
    size_t seq;
};

static int by_time(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    if (x->e.at_s != y->e.at_s)
        return x->e.at_s < y->e.at_s ? -1 : 1;
    if (x->e.user != y->e.user)
        return x->e.user < y->e.user ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static bool sort(struct replay_event *events, size_t count)
{
    struct sorted *s = malloc(count * sizeof *s);
    if (!s)
        return false;
    for (size_t i = 0; i < count; i++)
        s[i] = (struct sorted){events[i], i};
    qsort(s, count, sizeof *s, by_time);
    for (size_t i = 0; i < count; i++)
        events[i] = s[i].e;
    free(s);
    return true;
}

enum tide_err sim_trace_read(const char *path,
                             const struct sim_log *log,
                             struct sim_trace *ret,
                             struct tide_error *err)
{
    struct buf bytes;
    struct reader r = {0};
    struct zone *zone = NULL;
    buf_init(&bytes, TRACE_BYTES_MAX);
    strmap_init(&r.users);
    enum tide_err rc = log->zone ? sim_zone_load(NULL, log->zone, &zone, err) : TIDE_OK;
    if (rc == TIDE_OK)
        rc = read_trace(path, &bytes, err);
    const struct history_options o = {.format = log->format,
                                      .zone = zone,
                                      .now_s = (int64_t)time(NULL),
                                      .arg = &r,
                                      .each = take_item};
    if (rc == TIDE_OK)
        rc = history_read(buf_text(&bytes), &o, &r.out.read, err);
    if (rc == TIDE_OK && r.unsorted && !sort(r.out.events, r.out.trace.count))
        rc = tide_fail(err, TIDE_ENOMEM, "%zu events", r.out.trace.count);
    r.out.trace.events = r.out.events;
    if (rc == TIDE_OK) {
        *ret = r.out;
    } else {
        sim_trace_fini(&r.out);
        rc = tide_wrap(err, rc, "log %s",
                       path && strcmp(path, "-") != 0 ? path : "on standard input");
    }
    zone_free(zone);
    strmap_fini(&r.users);
    buf_fini(&bytes);
    return rc;
}

void sim_trace_fini(struct sim_trace *t)
{
    for (uint32_t i = 0; i < t->trace.user_count; i++)
        free(t->names[i]);
    free(t->names);
    free(t->events);
    *t = (struct sim_trace){0};
}

enum tide_err sim_log_of(const struct cli *cli, struct sim_log *ret, struct tide_error *err)
{
    const char *format = cli_option_value(cli, "format");
    *ret = (struct sim_log){.zone = cli_option_value(cli, "log-zone")};
    if (!format)
        return TIDE_OK;
    for (int f = 0; f < HISTORY_FORMAT_COUNT; f++)
        if (!strcmp(format, history_format_name((enum history_format)f))) {
            ret->format = (enum history_format)f;
            return TIDE_OK;
        }
    return tide_fail(err, TIDE_ESYNTAX, "--format: want any, table, postfix or events, got \"%s\"",
                     format);
}

/* -- Zones ------------------------------------------------------------------------------------- */

/* "+8", "-3:30", "+0530": seconds east of UTC. */
static bool fixed_offset(struct text name, int *ret_s)
{
    if (name.n < 2 || (name.p[0] != '+' && name.p[0] != '-'))
        return false;
    struct text rest = text_cut(name, 1, name.n), hours, minutes = {0};
    struct tide_error err;
    int64_t h, m = 0;
    if (rest.n == 4 && text_find(rest, ':') == rest.n) {
        hours = text_cut(rest, 0, 2);
        minutes = text_cut(rest, 2, 2);
    } else if (text_split(&rest, ':', &hours)) {
        minutes = rest;
    }
    if (text_int(hours, 0, 15, &h, &err) != TIDE_OK ||
        (minutes.n && text_int(minutes, 0, 59, &m, &err) != TIDE_OK))
        return false;
    *ret_s = (int)(h * 3600 + m * 60) * (name.p[0] == '-' ? -1 : 1);
    return true;
}

enum tide_err sim_zone_load(void *arg, const char *name, struct zone **ret, struct tide_error *err)
{
    int offset_s;
    if (!fixed_offset(text_of(name), &offset_s))
        return zones_load(arg, name, ret, err);
    *ret = zone_new(offset_s);
    return *ret ? TIDE_OK : tide_fail(err, TIDE_ENOMEM, "zone %s", name);
}
