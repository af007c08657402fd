#include "io/release/outbox.h"

#include "base/macros.h"
#include "io/release/account_type.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM           16 /* mails being written; more would only wait for libuv's few threads */
#define NAME_BYTES_MAX 32

/* One file being written, on the pool between start and end. */
struct delivery {
    uv_work_t work;
    struct outbox *box;
    struct account_mail *mail; /* NULL: free */
    struct account_outcome outcome;
};

struct outbox {
    struct account account;
    uv_loop_t *loop;
    char *path;
    int inside; /* mails: being written and waiting */
    struct delivery deliveries[ROOM];
    struct list waiting;
    uv_timer_t timer; /* so that no callback comes from inside a call */
    bool closing, handle_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

static struct outbox *outbox_of(const struct account *a)
{
    return container_of((struct account *)(uintptr_t)a, struct outbox, account);
}

static void name_of(tide_id attempt_id, char *out)
{
    char id[ID_TEXT_BYTES];
    snprintf(out, NAME_BYTES_MAX, "%s.mailtide", id_text(attempt_id, id));
}

static char *path_of(const struct outbox *box, const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s%s%s", box->path, folder, name[0] ? "/" : "", name) < 0 ? NULL
                                                                                         : path;
}

/* --- finding --- */

static enum account_settled find_in(const struct outbox *box, const char *folder, const char *name)
{
    enum account_settled found = SETTLED_NOT_ARRIVED;
    char *path = path_of(box, folder, "");
    DIR *dir = path ? opendir(path) : NULL;
    if (!dir)
        found = path && errno == ENOENT ? SETTLED_NOT_ARRIVED : SETTLED_CANNOT_TELL;
    size_t n = strlen(name);
    for (struct dirent *e; dir && (e = readdir(dir));) /* readers add flags: "NAME:2,S" */
        if (strncmp(e->d_name, name, n) == 0 && (e->d_name[n] == '\0' || e->d_name[n] == ':'))
            found = SETTLED_ARRIVED;
    if (dir)
        closedir(dir);
    free(path);
    return found;
}

static enum account_settled find(const struct outbox *box, tide_id attempt_id)
{
    static const char *const folders[] = {"new", "cur"};
    char name[NAME_BYTES_MAX];
    name_of(attempt_id, name);
    char *path = path_of(box, "new", name);
    bool there = path && access(path, F_OK) == 0;
    free(path);
    enum account_settled found = there ? SETTLED_ARRIVED : SETTLED_NOT_ARRIVED;
    /* A reader may move it from new to cur while we look: new is looked at first. */
    for (size_t i = 0; i < TIDE_COUNT(folders) && found != SETTLED_ARRIVED; i++) {
        enum account_settled f = find_in(box, folders[i], name);
        found = f == SETTLED_NOT_ARRIVED ? found : f;
    }
    return found;
}

static enum account_settled outbox_settle(struct account *a, tide_id attempt_id)
{
    return find(outbox_of(a), attempt_id);
}

/* --- writing, on the pool --- */

/* The address on one line, whatever was in it. */
static void add_header(struct buf *out, const char *name, struct text address, bool angle)
{
    buf_addf(out, "%s: %s", name, angle ? "<" : "");
    for (size_t i = 0; i < address.n; i++)
        if (address.p[i] != '\r' && address.p[i] != '\n')
            buf_addc(out, address.p[i]);
    buf_addf(out, "%s\n", angle ? ">" : "");
}

static void compose(const struct account_mail *mail, struct buf *out)
{
    add_header(out, "Return-Path", mail->sender, true);
    add_header(out, "Delivered-To", mail->recipient, false);
    for (struct text rest = mail->message; rest.n > 0;) {
        size_t at = text_find(rest, '\n');
        size_t line = at > 0 && at < rest.n && rest.p[at - 1] == '\r' ? at - 1 : at;
        buf_add(out, rest.p, line);
        if (at < rest.n)
            buf_addc(out, '\n');
        rest = text_cut(rest, at + 1, rest.n);
    }
}

static int write_all(int fd, struct text t)
{
    while (t.n > 0) {
        ssize_t n = write(fd, t.p, t.n);
        if (n < 0 && errno != EINTR)
            return -1;
        t = text_cut(t, n > 0 ? (size_t)n : 0, t.n);
    }
    return fsync(fd);
}

static int sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    close(fd);
    return rc;
}

static void not_sent(struct delivery *d, const char *path, const char *what)
{
    d->outcome = (struct account_outcome){
        .result = ACCOUNT_NOT_SENT, .stage = STAGE_DATA, .account_fault = true};
    reply_set(&d->outcome.reply, 0, NULL, "outbox: cannot write %s: %s", path ? path : "a file",
              what);
}

static void put_file(struct delivery *d, const char *tmp, const char *new_path, struct text content)
{
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, content) == 0;
    int reason = errno;
    if (fd >= 0 && close(fd) < 0 && ok) {
        ok = false;
        reason = errno;
    }
    if (ok && rename(tmp, new_path) < 0) {
        ok = false;
        reason = errno;
    }
    if (ok)
        return;
    not_sent(d, tmp, strerror(reason));
    if (fd >= 0)
        unlink(tmp);
}

static void deliver(struct delivery *d)
{
    char name[NAME_BYTES_MAX];
    struct buf content = {0};
    name_of(d->mail->attempt_id, name);
    char *tmp = path_of(d->box, "tmp", name), *new_path = path_of(d->box, "new", name);
    char *folder = path_of(d->box, "new", "");
    compose(d->mail, &content);
    d->outcome = (struct account_outcome){.result = ACCOUNT_ACCEPTED, .stage = STAGE_DOT};
    if (content.failed != TIDE_OK || !tmp || !new_path || !folder) {
        not_sent(d, tmp, tide_err_text(TIDE_ENOMEM));
    } else {
        if (find(d->box, d->mail->attempt_id) != SETTLED_ARRIVED)
            put_file(d, tmp, new_path, buf_text(&content));
        if (d->outcome.result == ACCOUNT_ACCEPTED && sync_dir(folder) < 0) {
            /* It is there, but may not outlive a power loss. */
            d->outcome.result = ACCOUNT_UNKNOWN;
            reply_set(&d->outcome.reply, 0, NULL, "outbox: cannot sync %s: %s", folder,
                      strerror(errno));
        } else if (d->outcome.result == ACCOUNT_ACCEPTED) {
            reply_set(&d->outcome.reply, 250, (const int[]){2, 0, 0}, "written to %s", new_path);
        }
    }
    buf_fini(&content);
    free(tmp);
    free(new_path);
    free(folder);
}

static void on_work(uv_work_t *work)
{
    deliver(container_of(work, struct delivery, work));
}

/* --- the loop's side --- */

static void start_waiting(struct outbox *box);

static void close_when_empty(struct outbox *box)
{
    if (!box->closing || box->inside > 0 || !box->handle_closed)
        return;
    void (*closed)(void *arg) = box->closed;
    void *arg = box->closed_arg;
    free(box->path);
    free(box);
    closed(arg);
}

static void end_delivery(struct delivery *d)
{
    struct outbox *box = d->box;
    struct account_mail *mail = d->mail;
    struct account_outcome outcome = d->outcome;
    d->mail = NULL;
    box->inside--;
    mail->done(mail, &outcome);
    start_waiting(box);
    close_when_empty(box);
}

static void on_work_done(uv_work_t *work, int status)
{
    struct delivery *d = container_of(work, struct delivery, work);
    if (status < 0) /* never started */
        not_sent(d, d->box->path, uv_strerror(status));
    end_delivery(d);
}

static void start_waiting(struct outbox *box)
{
    for (size_t i = 0; i < ROOM && !list_is_empty(&box->waiting) && !box->closing; i++) {
        struct delivery *d = &box->deliveries[i];
        if (d->mail)
            continue;
        d->mail = container_of(list_take_first(&box->waiting), struct account_mail, hook);
        d->box = box;
        /* Fails for want of a callback alone. */
        int rc = uv_queue_work(box->loop, &d->work, on_work, on_work_done);
        assert(rc == 0);
    }
}

static void on_timer(uv_timer_t *timer)
{
    start_waiting(container_of(timer, struct outbox, timer));
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct outbox *box = container_of(handle, struct outbox, timer);
    for (struct list *node; (node = list_take_first(&box->waiting));) {
        struct delivery d = {.mail = container_of(node, struct account_mail, hook)};
        not_sent(&d, box->path, "mailtide is closing the account");
        box->inside--;
        d.mail->done(d.mail, &d.outcome);
    }
    box->handle_closed = true;
    close_when_empty(box);
}

static void outbox_send(struct account *a, struct account_mail *mail)
{
    struct outbox *box = outbox_of(a);
    assert(!box->closing);
    box->inside++;
    list_append(&box->waiting, &mail->hook);
    uv_timer_start(&box->timer, on_timer, 0, 0);
}

static int outbox_room(const struct account *a)
{
    const struct outbox *box = outbox_of(a);
    return box->closing ? 0 : TIDE_MAX(0, ROOM - box->inside);
}

static void outbox_close(struct account *a, void (*closed)(void *arg), void *arg)
{
    struct outbox *box = outbox_of(a);
    if (box->closing)
        return;
    box->closing = true;
    box->closed = closed;
    box->closed_arg = arg;
    uv_close((uv_handle_t *)&box->timer, on_timer_closed);
}

static const struct account_type_ops outbox_ops = {
    .close = outbox_close,
    .send = outbox_send,
    .room = outbox_room,
    .settle = outbox_settle,
};

/* --- set-up --- */

/* mkdir -p, one folder after the other. */
static enum tide_err make_folders(char *path, struct tide_error *err)
{
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char was = *at;
        *at = '\0';
        int rc = mkdir(path, 0700);
        int reason = errno;
        if (rc < 0 && reason != EEXIST)
            return tide_fail(err, reason == ENOSPC ? TIDE_EFULL : TIDE_EIO,
                             "outbox: cannot make the folder %s: %s", path, strerror(reason));
        *at = was;
        if (was == '\0')
            return TIDE_OK;
    }
}

static enum tide_err make_maildir(struct outbox *box, struct tide_error *err)
{
    static const char *const folders[] = {"tmp", "new", "cur"};
    enum tide_err rc = TIDE_OK;
    for (size_t i = 0; i < TIDE_COUNT(folders) && rc == TIDE_OK; i++) {
        char *path = path_of(box, folders[i], "");
        rc = path ? make_folders(path, err) : tide_fail(err, TIDE_ENOMEM, "out of memory");
        if (rc == TIDE_OK && access(path, W_OK | X_OK) < 0)
            rc =
                tide_fail(err, TIDE_EPERM, "outbox: cannot write to %s: %s", path, strerror(errno));
        free(path);
    }
    if (rc == TIDE_OK && sync_dir(box->path) < 0)
        rc = tide_fail(err, TIDE_EIO, "outbox: cannot sync %s: %s", box->path, strerror(errno));
    return rc;
}

enum tide_err outbox_open(uv_loop_t *loop,
                          const struct config_account *config,
                          struct account **ret,
                          struct tide_error *err)
{
    if (!config->path || !config->path[0])
        return tide_fail(err, TIDE_EINVAL, "want the path of a Maildir");
    struct outbox *box = calloc(1, sizeof *box);
    char *path = strdup(config->path);
    if (!box || !path) {
        free(box);
        free(path);
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    }
    box->path = path;
    enum tide_err rc = make_maildir(box, err);
    if (rc != TIDE_OK) {
        free(path);
        free(box);
        return rc;
    }
    box->account.ops = &outbox_ops;
    box->loop = loop;
    list_init(&box->waiting);
    uv_timer_init(loop, &box->timer);
    *ret = &box->account;
    return TIDE_OK;
}
