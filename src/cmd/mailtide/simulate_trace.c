/* Logs of notifications as events. */
#include "base/file.h"
#include "base/macros.h"
#include "base/map.h"
#include "cmd/mailtide/simulate.h"
#include "io/loop/zones.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
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

static enum tide_err read_xz(const char *path, struct buf *ret, struct tide_error *err)
{
    int ends[2], status = 0;
    pid_t pid;
    char *argv[] = {(char *)(uintptr_t) "xz", (char *)(uintptr_t) "-dc", (char *)(uintptr_t) "--",
                    (char *)(uintptr_t)path, NULL};
    posix_spawn_file_actions_t actions;
    if (access(path, R_OK) != 0)
        return tide_fail(err, errno == ENOENT ? TIDE_ENOENT : TIDE_EPERM, "%s: %s", path,
                         strerror(errno));
    if (pipe2(ends, O_CLOEXEC) != 0)
        return tide_fail(err, TIDE_EIO, "pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int failed = posix_spawnp(&pid, "xz", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        return tide_fail(err, TIDE_ENOENT, "%s: xz cannot be run: %s", path, strerror(failed));
    }
    enum tide_err rc = read_all(ends[0], path, ret, err);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == TIDE_OK && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        rc = tide_fail(err, TIDE_ECORRUPT, "%s: xz could not unpack it", path);
    return rc;
}

static enum tide_err read_trace(const char *path, struct buf *ret, struct tide_error *err)
{
    if (!path || !strcmp(path, "-"))
        return read_all(STDIN_FILENO, "standard input", ret, err);
    if (text_iends(text_of(path), TEXT(".xz")))
        return read_xz(path, ret, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tide_fail(err, errno == ENOENT ? TIDE_ENOENT : TIDE_EIO, "%s: %s", path,
                         strerror(errno));
    enum tide_err rc = read_all(fd, path, ret, err);
    close(fd);
    return rc;
}

/* -- Lines ------------------------------------------------------------------------------------- */

struct reader {
    struct strmap users; /* -> number + 1 */
    struct replay_event *events;
    size_t count, cap;
    bool unsorted;
};

static bool time_of(struct text t, int64_t *ret_s)
{
    struct tide_error err;
    tide_wall_ms ms;
    if (text_int(t, 0, 253402300799, ret_s, &err) == TIDE_OK)
        return true;
    if (time_parse_rfc3339(t, &ms, &err) != TIDE_OK)
        return false;
    *ret_s = ms / TIME_SECOND_MS;
    return true;
}

static bool class_of(struct text t, uint32_t *ret)
{
    static const char *const names[REPLAY_CLASSES] = {"urgent", "direct", "watched"};
    if (t.n == 0) {
        *ret = REPLAY_DIRECT;
        return true;
    }
    for (uint32_t c = 0; c < REPLAY_CLASSES; c++)
        if (text_ieq(t, text_of(names[c])) || (t.n == 1 && t.p[0] == (char)('0' + c))) {
            *ret = c;
            return true;
        }
    return false;
}

static bool user_of(struct reader *r, struct text name, uint32_t *ret)
{
    uintptr_t known = (uintptr_t)strmap_get(&r->users, name);
    if (!known) {
        known = (uintptr_t)r->users.count + 1;
        if (!strmap_put(&r->users, name, (void *)known))
            return false;
    }
    *ret = (uint32_t)(known - 1);
    return true;
}

static bool add_event(struct reader *r, const struct replay_event *e)
{
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 4096;
        struct replay_event *more = realloc(r->events, cap * sizeof *more);
        if (!more)
            return false;
        r->events = more;
        r->cap = cap;
    }
    if (r->count && e->at_s < r->events[r->count - 1].at_s)
        r->unsorted = true;
    r->events[r->count++] = *e;
    return true;
}

static enum tide_err take_line(struct reader *r,
                               struct text line,
                               size_t number,
                               struct tide_error *err)
{
    struct text f[4] = {{0}}, rest = line;
    struct replay_event e;
    char sep = text_find(line, '\t') < line.n ? '\t' : ',';
    size_t n = 0;
    while (n < TIDE_COUNT(f) && text_split(&rest, sep, &f[n])) {
        f[n] = text_trim(f[n]);
        n++;
    }
    bool ok = n >= 2 && f[1].n && time_of(f[0], &e.at_s) && class_of(f[3], &e.class);
    if (!ok && number == 1)
        return TIDE_OK; /* a heading */
    if (!ok)
        return tide_fail(err, TIDE_ESYNTAX,
                         "line %zu: want TIME, RECIPIENT and perhaps THREAD and PRIORITY (urgent, "
                         "direct, watched or 0 to 2), divided by tabs or commas",
                         number);
    if (!user_of(r, f[1], &e.user) || !add_event(r, &e))
        return tide_fail(err, TIDE_ENOMEM, "line %zu", number);
    return TIDE_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct replay_event *x = a, *y = b;
    if (x->at_s != y->at_s)
        return x->at_s < y->at_s ? -1 : 1;
    return (x->user > y->user) - (x->user < y->user);
}

enum tide_err sim_trace_read(const char *path, struct sim_trace *ret, struct tide_error *err)
{
    struct buf bytes;
    struct reader r = {0};
    buf_init(&bytes, TRACE_BYTES_MAX);
    strmap_init(&r.users);
    enum tide_err rc = read_trace(path, &bytes, err);
    struct text rest = buf_text(&bytes), line;
    for (size_t number = 1; rc == TIDE_OK && text_split(&rest, '\n', &line); number++)
        if (text_trim(line).n && line.p[0] != '#')
            rc = take_line(&r, line, number, err);
    if (rc == TIDE_OK && r.count == 0)
        rc = tide_fail(err, TIDE_ESYNTAX, "no notification in it");
    if (rc == TIDE_OK) {
        if (r.unsorted)
            qsort(r.events, r.count, sizeof *r.events, by_time);
        *ret = (struct sim_trace){.events = r.events, .trace = {r.events, r.count, r.users.count}};
    } else {
        free(r.events);
        rc = tide_wrap(err, rc, "trace %s", path ? path : "-");
    }
    strmap_fini(&r.users);
    buf_fini(&bytes);
    return rc;
}

void sim_trace_fini(struct sim_trace *t)
{
    free(t->events);
    *t = (struct sim_trace){0};
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
