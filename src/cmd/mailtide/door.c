#include "cmd/mailtide/door.h"
#include "cmd/mailtide/cli.h"

#include "io/loop/files.h"
#include "io/loop/listen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_PATH "/run/mailtide/smtp.sock"
#define PIECE_BYTES 65536

/* -- Where it is ---------------------------------------------------------------------------------
 */

/* A Unix socket before a port: it is for this machine alone. False: the file cannot be used. */
static bool of_config(const char *file, struct door *d, struct tide_error *err)
{
    struct config *config = NULL;
    if (config_load(file, &files_source, &config, err) != TIDE_OK)
        return false;
    const char *found = NULL;
    for (size_t i = 0; i < config->smtp.listen_count; i++)
        if (!found ||
            (strncmp(config->smtp.listen[i], "unix:", 5) == 0 && strncmp(found, "unix:", 5) != 0))
            found = config->smtp.listen[i];
    if (found)
        snprintf(d->name, sizeof d->name, "%s", found);
    else
        tide_fail(err, TIDE_ENOENT, "%s: smtp.listen is empty, so there is no door", file);
    config_free(config);
    return found != NULL;
}

static enum tide_err of_environment(const char *value, struct door *d, struct tide_error *err)
{
    struct text t = text_of(value);
    const char *at = strrchr(value, '@');
    if (at) {
        struct text who = text_cut(t, 0, (size_t)(at - value));
        size_t colon = text_find(who, ':');
        if (colon == who.n || colon >= sizeof d->user || who.n - colon > sizeof d->password)
            return tide_fail(err, TIDE_ESYNTAX,
                             "$MAILTIDE_SMTP: want [USER:PASSWORD@]ADDRESS, as "
                             "\"shop:secret@unix:/run/mailtide/smtp.sock\"");
        snprintf(d->user, sizeof d->user, TEXT_FMT, TEXT_ARG(text_cut(who, 0, colon)));
        snprintf(d->password, sizeof d->password, TEXT_FMT,
                 TEXT_ARG(text_cut(who, colon + 1, SIZE_MAX)));
        value = at + 1;
    }
    snprintf(d->name, sizeof d->name, "%s", value);
    return TIDE_OK;
}

static enum tide_err find(const char *file, struct door *d, struct tide_error *err)
{
    const char *environment = getenv("MAILTIDE_SMTP");
    struct tide_error unread;
    if (file)
        return of_config(file, d, err) ? TIDE_OK : err->code;
    if (environment && *environment)
        return of_environment(environment, d, err);
    if (access(SOCKET_PATH, F_OK) == 0)
        snprintf(d->name, sizeof d->name, "unix:%s", SOCKET_PATH);
    else if (access(CLI_CONFIG_PATH, R_OK) != 0 || !of_config(CLI_CONFIG_PATH, d, &unread))
        snprintf(d->name, sizeof d->name, "127.0.0.1:2525");
    return TIDE_OK;
}

enum tide_err door_open(const char *config, struct door *ret, struct tide_error *err)
{
    struct listen_spec where;
    *ret = (struct door){.fd = -1};
    enum tide_err rc = find(config, ret, err);
    if (rc != TIDE_OK)
        return rc;
    rc = listen_parse(text_of(ret->name), &where, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "the daemon's SMTP address");
    ret->fd = socket(where.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ret->fd >= 0 &&
        connect(ret->fd, (const struct sockaddr *)&where.address, where.address_len) == 0)
        return TIDE_OK;
    int why = errno;
    door_close(ret);
    return tide_fail(
        err, TIDE_ECONN,
        "cannot reach the daemon at %s: %s (is mailtided running? $MAILTIDE_SMTP names "
        "another place)",
        ret->name, strerror(why));
}

void door_close(struct door *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

/* -- A mail --------------------------------------------------------------------------------------
 */

static tide_mono_ms now_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (tide_mono_ms)t.tv_sec * TIME_SECOND_MS + t.tv_nsec / 1000000;
}

static void write_some(struct door *d, struct smtp_client *c, struct text out)
{
    ssize_t n = write(d->fd, out.p, out.n);
    if (n < 0 && errno != EINTR)
        smtp_client_broken(c, strerror(errno));
    else if (n > 0)
        smtp_client_wrote(c, (size_t)n, now_mono());
}

static void read_some(struct door *d, struct smtp_client *c)
{
    char piece[PIECE_BYTES];
    struct pollfd wait = {.fd = d->fd, .events = POLLIN};
    int ready = poll(&wait, 1, (int)DOOR_TIMEOUT_MS);
    ssize_t n = ready > 0 ? read(d->fd, piece, sizeof piece) : -1;
    if (ready == 0)
        smtp_client_broken(c, "no answer in time");
    else if (n > 0)
        smtp_client_input(c, (struct text){piece, (size_t)n}, now_mono());
    else if (n == 0)
        smtp_client_broken(c, "the daemon hung up");
    else if (errno != EINTR)
        smtp_client_broken(c, strerror(errno));
}

/* The daemon could not be talked to: what it said, or what happened. */
static enum tide_err failed(const struct door *d,
                            const struct smtp_client *c,
                            struct tide_error *err)
{
    char said[REPLY_TEXT_BYTES_MAX];
    return tide_fail(err, c->fault_stage == STAGE_AUTH ? TIDE_EAUTH : TIDE_ECONN,
                     "the daemon at %s: %.150s", d->name,
                     c->faulted ? reply_text(&c->fault, said, sizeof said) : "it hung up");
}

/* Until the mail's fate is known, or the connection has ended before it was taken up. */
static bool converse(struct door *d, struct smtp_client *c, struct smtp_mail *mail)
{
    bool sent = false;
    for (;;) {
        for (enum smtp_event e; (e = smtp_client_next(c)) != SMTP_EVENT_NONE;) {
            if (e == SMTP_EVENT_DONE)
                return true;
            if (e == SMTP_EVENT_CLOSE)
                return false;
            if (e == SMTP_EVENT_READY && !sent) {
                sent = true;
                smtp_client_send(c, mail, now_mono());
            }
        }
        struct text out = smtp_client_output(c);
        if (out.n > 0)
            write_some(d, c, out);
        else
            read_some(d, c);
    }
}

enum tide_err door_mail(struct door *d,
                        const char *helo,
                        struct smtp_mail *mail,
                        struct tide_error *err)
{
    const struct smtp_client_config config = {
        .peer = d->name,
        .helo = helo,
        .tls = TLS_NONE,
        .auth = AUTH_ANY,
        .user = text_of(d->user),
        .password = text_of(d->password),
        .command_timeout_ms = DOOR_TIMEOUT_MS,
        .dot_timeout_ms = DOOR_TIMEOUT_MS,
    };
    struct smtp_client c;
    smtp_client_init(&c, &config, false, now_mono());
    enum tide_err rc = converse(d, &c, mail) ? TIDE_OK : failed(d, &c, err);
    if (rc == TIDE_OK && write(d->fd, "QUIT\r\n", 6) < 0)
        errno = 0; /* the mail's fate is known: a parting word that is not heard is no fault */
    smtp_client_fini(&c);
    return rc;
}

/* -- SMTP spoken by somebody else ----------------------------------------------------------------
 */

/* 0: the end; -1: nothing to be done with it any more. */
static ssize_t carry(int from, int to)
{
    char piece[PIECE_BYTES];
    ssize_t n = read(from, piece, sizeof piece);
    if (n < 0)
        return errno == EINTR ? 1 : -1;
    for (ssize_t at = 0; at < n;) {
        ssize_t m = write(to, piece + at, (size_t)(n - at));
        if (m < 0 && errno != EINTR)
            return -1;
        at += m > 0 ? m : 0;
    }
    return n;
}

enum tide_err door_relay(struct door *d, struct tide_error *err)
{
    struct pollfd wait[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = d->fd, .events = POLLIN}};
    for (;;) {
        if (poll(wait, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return tide_fail(err, TIDE_EIO, "standard input: %s", strerror(errno));
        }
        if (wait[1].revents) {
            ssize_t n = carry(d->fd, STDOUT_FILENO);
            if (n == 0)
                return TIDE_OK;
            if (n < 0)
                return tide_fail(err, TIDE_EIO, "%s: %s", d->name, strerror(errno));
        }
        if (wait[0].revents && carry(STDIN_FILENO, d->fd) <= 0) {
            shutdown(d->fd, SHUT_WR); /* the daemon answers what it has, then hangs up */
            wait[0].fd = -1;
        }
    }
}
