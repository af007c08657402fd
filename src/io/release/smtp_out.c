#include "io/release/smtp_out.h"

#include "base/log.h"
#include "base/macros.h"
#include "io/release/account_type.h"
#include "io/release/smtp_conn.h"

#include <assert.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECTIONS_DEFAULT 4
#define CONNECTIONS_MAX     1000
#define CLOSE_GRACE_MS      10000 /* for answers; systemd gives 90 s for the whole */
#define IDLE_DEFAULT_MS     30000 /* servers close after 10 s to 5 min; ours goes first, mostly */
#define RESOLVED_KEEP_MS    60000

struct smtp_out {
    struct account account;
    uv_loop_t *loop;
    char *peer, *host, *helo, *user, *password;
    char port[8];
    struct smtp_conn_setup setup;
    struct smtp_conn *conns[CONNECTIONS_MAX];
    int conn_count, conn_max;
    int inside; /* mails: waiting and on a connection */
    struct list waiting;
    uv_timer_t pump_timer; /* so that no callback comes from inside account_send() */
    uv_getaddrinfo_t lookup;
    bool looking_up, closing, close_begun, timer_closed;
    tide_mono_ms close_by; /* answers that have not come by then will not be awaited */
    struct smtp_addresses addresses;
    tide_mono_ms resolved_at;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void pump(struct smtp_out *s);

static struct smtp_out *smtp_out_of(const struct account *a)
{
    return container_of((struct account *)(uintptr_t)a, struct smtp_out, account);
}

/* --- the end --- */

static void free_all(struct smtp_out *s)
{
    tls_context_free(s->setup.tls);
    if (s->password)
        explicit_bzero(s->password, strlen(s->password));
    free(s->peer);
    free(s->host);
    free(s->helo);
    free(s->user);
    free(s->password);
    free(s);
}

static void on_timer_closed(uv_handle_t *handle);

static void close_when_empty(struct smtp_out *s)
{
    if (!s->close_begun || s->conn_count > 0 || s->looking_up)
        return;
    if (!s->timer_closed) {
        if (!uv_is_closing((uv_handle_t *)&s->pump_timer))
            uv_close((uv_handle_t *)&s->pump_timer, on_timer_closed); /* comes back to here */
        return;
    }
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;
    free_all(s);
    closed(arg);
}

static void end_mail(struct smtp_out *s,
                     struct account_mail *mail,
                     const struct account_outcome *outcome)
{
    s->inside--;
    mail->done(mail, outcome);
}

static void fail_waiting(struct smtp_out *s, enum reply_stage stage, const char *what)
{
    struct account_outcome o = {.result = ACCOUNT_NOT_SENT, .stage = stage, .account_fault = true};
    reply_set(&o.reply, 0, NULL, "%s: %s", s->peer, what);
    struct list failed; /* whoever is told may send again: only those that wait now */
    list_init(&failed);
    for (struct list *node; (node = list_take_first(&s->waiting));)
        list_append(&failed, node);
    for (struct list *node; (node = list_take_first(&failed));)
        end_mail(s, container_of(node, struct account_mail, hook), &o);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct smtp_out *s = container_of(handle, struct smtp_out, pump_timer);
    s->timer_closed = true;
    close_when_empty(s);
}

/* What waits goes back, and so does what was not handed over; a message that may be taken already
 * is given a while to be answered: broken off there, it would be of unknown fate. */
static void on_close_tick(uv_timer_t *timer)
{
    struct smtp_out *s = container_of(timer, struct smtp_out, pump_timer);
    tide_mono_ms now = clock_mono();
    s->close_begun = true;
    fail_waiting(s, STAGE_CONNECT, "mailtide is closing the account");
    for (int i = 0; i < s->conn_count; i++)
        if (now >= s->close_by || !smtp_conn_awaits_fate(s->conns[i]))
            smtp_conn_close(s->conns[i], "mailtide is closing the account");
    if (s->conn_count > 0 && now < s->close_by)
        uv_timer_start(timer, on_close_tick, (uint64_t)(s->close_by - now), 0);
    close_when_empty(s);
}

/* --- connections --- */

static struct account_mail *next_mail(void *arg, struct smtp_conn *c)
{
    struct smtp_out *s = arg;
    (void)c;
    if (s->close_begun) /* it has its answer and can go */
        uv_timer_start(&s->pump_timer, on_close_tick, 0, 0);
    struct list *node = s->closing ? NULL : list_take_first(&s->waiting);
    return node ? container_of(node, struct account_mail, hook) : NULL;
}

/* A kept connection may be dead without our knowing, and a server may end one with 421 after so
 * many mails. As long as MAIL was not answered nothing has happened: it costs no attempt. */
static bool met_dead_connection(const struct account_outcome *o, bool fresh)
{
    bool lost = o->result == ACCOUNT_NOT_SENT || o->reply.code == 421;
    return lost && !fresh && o->stage == STAGE_MAIL;
}

static void on_done(void *arg,
                    struct smtp_conn *c,
                    struct account_mail *mail,
                    const struct account_outcome *outcome,
                    bool fresh)
{
    struct smtp_out *s = arg;
    (void)c;
    if (!s->closing && met_dead_connection(outcome, fresh)) {
        log_debug("smtp_out.again", "peer=%s reason=\"%s\"", s->peer, outcome->reply.text);
        list_prepend(&s->waiting, &mail->hook);
        return; /* closed() comes and pumps */
    }
    end_mail(s, mail, outcome);
}

static void on_conn_closed(void *arg, struct smtp_conn *c, const struct account_outcome *fault)
{
    struct smtp_out *s = arg;
    int i = 0;
    while (s->conns[i] != c)
        i++;
    s->conns[i] = s->conns[--s->conn_count];
    if (fault) {
        log_info("smtp_out.fault", "peer=%s stage=\"%s\" code=%d reason=\"%s\"", s->peer,
                 reply_stage_name(fault->stage), fault->reply.code, fault->reply.text);
        if (fault->stage == STAGE_CONNECT)
            s->addresses.count = 0; /* perhaps it has moved */
        struct list *node = list_take_first(&s->waiting);
        if (node)
            end_mail(s, container_of(node, struct account_mail, hook), fault);
    }
    pump(s);
    close_when_empty(s);
}

static int count_starting(const struct smtp_out *s)
{
    int n = 0;
    for (int i = 0; i < s->conn_count; i++)
        n += smtp_conn_is_starting(s->conns[i]);
    return n;
}

static void open_connections(struct smtp_out *s)
{
    struct tide_error err;
    int wanted = -count_starting(s);
    LIST_EACH(node, &s->waiting)
    wanted++;
    for (; wanted > 0 && s->conn_count < s->conn_max; wanted--) {
        if (smtp_conn_open(&s->setup, &s->addresses, &s->conns[s->conn_count], &err) != TIDE_OK) {
            if (s->conn_count == 0)
                fail_waiting(s, STAGE_CONNECT, err.text);
            return;
        }
        s->conn_count++;
    }
}

/* --- names --- */

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct smtp_out *s = container_of(req, struct smtp_out, lookup);
    s->looking_up = false;
    s->addresses.count = 0;
    for (struct addrinfo *a = list; a && s->addresses.count < TIDE_COUNT(s->addresses.list);
         a = a->ai_next)
        if (a->ai_addrlen <= sizeof s->addresses.list[0])
            memcpy(&s->addresses.list[s->addresses.count++], a->ai_addr, a->ai_addrlen);
    uv_freeaddrinfo(list);
    s->resolved_at = clock_mono();
    if (s->addresses.count > 0 && !s->closing) {
        pump(s);
    } else if (!s->closing && s->conn_count == 0) {
        char what[128];
        snprintf(what, sizeof what, "the name cannot be resolved: %s",
                 status < 0 ? uv_strerror(status) : "it has no address");
        fail_waiting(s, STAGE_CONNECT, what);
    }
    close_when_empty(s);
}

/* False while the addresses are being looked up. */
static bool have_addresses(struct smtp_out *s)
{
    bool fresh = s->addresses.count > 0 && clock_mono() - s->resolved_at < RESOLVED_KEEP_MS;
    if (fresh || s->looking_up)
        return fresh;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int rc = uv_getaddrinfo(s->loop, &s->lookup, on_resolved, s->host, s->port, &hints);
    if (rc < 0 && s->conn_count == 0)
        fail_waiting(s, STAGE_CONNECT, uv_strerror(rc));
    s->looking_up = rc == 0;
    return false;
}

/* --- mails --- */

/* Every mail that waits goes to an idle connection, else to one that is being made for it. */
static void pump(struct smtp_out *s)
{
    for (int i = 0; i < s->conn_count && !list_is_empty(&s->waiting) && !s->closing; i++)
        if (smtp_conn_is_idle(s->conns[i]))
            smtp_conn_send(s->conns[i], next_mail(s, s->conns[i]));
    if (!s->closing && !list_is_empty(&s->waiting) && s->conn_count < s->conn_max &&
        have_addresses(s))
        open_connections(s);
}

static void on_pump(uv_timer_t *timer)
{
    pump(container_of(timer, struct smtp_out, pump_timer));
}

static void smtp_out_send(struct account *a, struct account_mail *mail)
{
    struct smtp_out *s = smtp_out_of(a);
    assert(!s->closing);
    s->inside++;
    list_append(&s->waiting, &mail->hook);
    uv_timer_start(&s->pump_timer, on_pump, 0, 0);
}

static int smtp_out_room(const struct account *a)
{
    const struct smtp_out *s = smtp_out_of(a);
    int ending = 0;
    for (int i = 0; i < s->conn_count; i++)
        ending += smtp_conn_is_ending(s->conns[i]);
    return s->closing ? 0 : TIDE_MAX(0, s->conn_max - s->inside - ending);
}

static enum account_settled smtp_out_settle(struct account *a, tide_id attempt_id)
{
    (void)a;
    (void)attempt_id;
    return SETTLED_CANNOT_TELL; /* SMTP has no way to ask */
}

static void smtp_out_close(struct account *a, void (*closed)(void *arg), void *arg)
{
    struct smtp_out *s = smtp_out_of(a);
    if (s->closing)
        return;
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    if (s->looking_up)
        uv_cancel((uv_req_t *)&s->lookup);
    s->close_by = clock_mono() + TIDE_MIN(CLOSE_GRACE_MS, s->setup.client.dot_timeout_ms);
    uv_timer_start(&s->pump_timer, on_close_tick, 0, 0); /* the rest from there */
}

static const struct account_type_ops smtp_out_ops = {
    .close = smtp_out_close,
    .send = smtp_out_send,
    .room = smtp_out_room,
    .settle = smtp_out_settle,
};

/* --- set-up --- */

static int or_profile(int configured, int profile, int otherwise)
{
    return configured > 0 ? configured : profile > 0 ? profile : otherwise;
}

static bool copy_texts(struct smtp_out *s, const struct config_account *config)
{
    char name[256] = "localhost";
    if (gethostname(name, sizeof name - 1) < 0)
        name[0] = '\0';
    s->host = strdup(config->host);
    s->helo = strdup(config->helo ? config->helo : name[0] ? name : "localhost");
    s->user = strdup(config->user ? config->user : "");
    s->password = strdup(config->password.value ? config->password.value : "");
    if (asprintf(&s->peer, "%s:%d", config->host, config->port) < 0)
        s->peer = NULL;
    return s->host && s->helo && s->user && s->password && s->peer;
}

static void set_up(struct smtp_out *s, const struct config_account *config)
{
    int profile_connections = config->profile ? config->profile->connections : 0;
    int profile_mails = config->profile ? config->profile->messages_per_connection : 0;
    s->conn_max = TIDE_MIN(
        or_profile(config->connections, profile_connections, CONNECTIONS_DEFAULT), CONNECTIONS_MAX);
    snprintf(s->port, sizeof s->port, "%d", config->port);
    s->setup.loop = s->loop;
    s->setup.host = s->host;
    s->setup.connect_timeout_ms = config->connect_timeout_ms;
    s->setup.idle_timeout_ms = IDLE_DEFAULT_MS;
    s->setup.arg = s;
    s->setup.next_mail = next_mail;
    s->setup.done = on_done;
    s->setup.closed = on_conn_closed;
    s->setup.client = (struct smtp_client_config){
        .peer = s->peer,
        .helo = s->helo,
        .tls = config->tls,
        .auth = config->auth,
        .user = text_of(s->user),
        .password = text_of(s->password),
        .mails_max = or_profile(config->messages_per_connection, profile_mails, 0),
        .command_timeout_ms = config->command_timeout_ms,
        .dot_timeout_ms = config->dot_timeout_ms,
    };
}

enum tide_err smtp_out_open(uv_loop_t *loop,
                            const struct config_account *config,
                            struct account **ret,
                            struct tide_error *err)
{
    if (!config->host || config->port < 1 || config->port > 65535)
        return tide_fail(err, TIDE_EINVAL, "want a host and a port of 1..65535");
    struct smtp_out *s = calloc(1, sizeof *s);
    enum tide_err rc = TIDE_OK;
    if (!s || !copy_texts(s, config))
        rc = tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    if (rc == TIDE_OK && config->tls != TLS_NONE)
        rc = tls_client_context_new(config->tls_verify, config->tls_ca_file, &s->setup.tls, err);
    if (rc != TIDE_OK) {
        if (s)
            free_all(s);
        return rc;
    }
    s->account.ops = &smtp_out_ops;
    s->loop = loop;
    list_init(&s->waiting);
    set_up(s, config);
    uv_timer_init(loop, &s->pump_timer);
    *ret = &s->account;
    return TIDE_OK;
}

void smtp_out_set_idle_ms(struct account *a, int64_t idle_ms)
{
    smtp_out_of(a)->setup.idle_timeout_ms = idle_ms;
}

int smtp_out_connections(const struct account *a)
{
    return smtp_out_of(a)->conn_count;
}
