#include "io/intake/smtp_listener.h"

#include "base/log.h"
#include "base/macros.h"
#include "io/loop/smtp_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME_BYTES 256

struct smtp_listener {
    struct intake *intake;
    struct bounces *bounces; /* NULL: none are taken */
    struct smtp_service *service;
    struct tls_context *tls; /* kept when a reload offers none: sessions may have it open */
    bool offers_tls;
    char hostname[NAME_BYTES];
    void (*closed_cb)(void *arg);
    void *closed_arg;
};

/* What a session is to the intake. */
struct client {
    struct smtp_session *session;
    char application[NAME_BYTES]; /* a name: the pointer would not survive a reload */
    struct intake_request request;
    struct bounce_mail bounce;
    char source[160];
};

static const struct config *config_now(const struct smtp_listener *l)
{
    return intake_config(l->intake);
}

static struct smtp_listener *listener_of(const struct smtp_session *s)
{
    return smtp_session_arg(s);
}

/* ---- who ---- */

static const struct config_application *anonymous_application(const struct config *c)
{
    for (size_t i = 0; i < c->application_count; i++)
        if (c->applications[i].anonymous)
            return &c->applications[i];
    return NULL;
}

/* The application that this session speaks for now; NULL: none (any more). */
static const struct config_application *application_of(const struct smtp_session *s)
{
    const struct client *client = smtp_session_data(s);
    const struct config *c = config_now(listener_of(s));
    if (!client)
        return NULL;
    if (!smtp_session_server(s)->authenticated)
        return smtp_session_is_local(s) ? anonymous_application(c) : NULL;
    return config_application(c, text_of(client->application));
}

/* The time that this takes tells the length of the secret at most. */
static bool is_secret(struct text given, const char *secret)
{
    struct text want = text_of(secret);
    unsigned char differs = given.n != want.n;
    for (size_t i = 0; i < given.n; i++)
        differs |= (unsigned char)(given.p[i] ^ (want.n ? want.p[i % want.n] : 1));
    return differs == 0;
}

static void on_auth(struct smtp_session *s, const struct smtp_credentials *given)
{
    struct client *client = smtp_session_data(s);
    const struct config *c = config_now(listener_of(s));
    const struct config_application *found = NULL;
    struct reply r;
    for (size_t i = 0; i < c->application_count; i++) {
        const struct config_application *a = &c->applications[i];
        if (!a->smtp_user || !a->smtp_password.value || !*a->smtp_password.value)
            continue;
        /* Both are compared in any case, all applications are looked at. */
        bool user = is_secret(given->user, a->smtp_user);
        bool password = is_secret(given->password, a->smtp_password.value);
        if ((unsigned)user & (unsigned)password)
            found = a;
    }
    if (found && client && strlen(found->name) < sizeof client->application) {
        memcpy(client->application, found->name, strlen(found->name) + 1);
        reply_set(&r, 235, (int[]){2, 7, 0}, "Authentication successful");
    } else {
        log_info("smtp.auth_failed", "peer=%s", smtp_session_peer(s));
        reply_set(&r, 535, (int[]){5, 7, 8}, "Authentication credentials invalid");
    }
    smtp_session_answer(s, &r);
}

static bool on_open(struct smtp_session *s,
                    struct smtp_server_options *options,
                    struct reply *refusal)
{
    struct smtp_listener *l = listener_of(s);
    const struct config *c = config_now(l);
    struct client *client = calloc(1, sizeof *client);
    bool local = smtp_session_is_local(s);
    options->hostname = c->smtp.hostname ? c->smtp.hostname : l->hostname;
    options->auth_without_tls = local || c->smtp.auth_without_tls;
    /* With bounces anybody may begin; RCPT tells whom he may write to. */
    bool bounces = l->bounces && bounces_wanted(l->bounces);
    options->auth_required = (!local || !anonymous_application(c)) && !bounces;
    options->message_bytes_max = c->smtp.message_bytes_max;
    options->recipients_max = c->smtp.recipients_max;
    options->errors_max = c->smtp.errors_max;
    options->messages_max = c->smtp.messages_per_connection;
    if (!l->offers_tls)
        options->extensions &= ~(unsigned)SMTP_EXT_STARTTLS;
    if (!client) {
        reply_set(refusal, 421, (int[]){4, 3, 0}, "Out of memory, try again later");
        return false;
    }
    client->session = s;
    (void)snprintf(client->source, sizeof client->source, "SMTP (%s)", smtp_session_peer(s));
    smtp_session_set_data(s, client);
    return true;
}

static void on_closed(struct smtp_session *s)
{
    free(smtp_session_data(s));
}

/* ---- what ---- */

enum about { ABOUT_SENDER, ABOUT_RECIPIENT, ABOUT_MESSAGE };

static void reply_of_error(enum tide_err rc,
                           enum about about,
                           const struct tide_error *err,
                           struct reply *ret)
{
    static const struct {
        enum tide_err rc;
        int code, enhanced[3];
    } table[] = {
        {TIDE_EPERM, 550, {5, 7, 1}},   {TIDE_EINVAL, 554, {5, 6, 0}},
        {TIDE_ESYNTAX, 554, {5, 6, 0}}, {TIDE_EEXIST, 554, {5, 6, 0}},
        {TIDE_ELIMIT, 452, {4, 3, 2}},  {TIDE_EFULL, 452, {4, 3, 1}},
        {TIDE_EIO, 452, {4, 3, 1}},
    };
    const char *text = err && err->text[0] ? err->text : tide_err_text(rc);
    if (rc == TIDE_EADDR) {
        reply_set(ret, 553, about == ABOUT_SENDER ? (int[]){5, 1, 7} : (int[]){5, 1, 3}, "%s",
                  text);
        return;
    }
    for (size_t i = 0; i < TIDE_COUNT(table); i++)
        if (table[i].rc == rc) {
            reply_set(ret, table[i].code, table[i].enhanced, "%s", text);
            return;
        }
    reply_set(ret, 451, (int[]){4, 3, 0}, "%s", text);
}

static void answer_checked(struct smtp_session *s,
                           enum tide_err rc,
                           const struct tide_error *err,
                           enum about about)
{
    struct reply r;
    if (rc == TIDE_OK)
        reply_set(&r, 250, about == ABOUT_SENDER ? (int[]){2, 1, 0} : (int[]){2, 1, 5}, "Ok");
    else
        reply_of_error(rc, about, err, &r);
    smtp_session_answer(s, &r);
}

static void answer_unauthenticated(struct smtp_session *s)
{
    struct reply r;
    reply_set(&r, 530, (int[]){5, 7, 0}, "Authentication required");
    smtp_session_answer(s, &r);
}

static bool takes_bounces(const struct smtp_session *s)
{
    const struct bounces *b = listener_of(s)->bounces;
    return b && bounces_wanted(b);
}

static enum bounce_address address_of(const struct smtp_session *s, struct text address)
{
    return takes_bounces(s) ? bounces_address(listener_of(s)->bounces, address) : BOUNCE_ADDRESS_NO;
}

static void on_mail(struct smtp_session *s, const struct smtp_mail *mail)
{
    const struct config_application *a = application_of(s);
    struct tide_error err = {0};
    if (!a && !takes_bounces(s)) {
        answer_unauthenticated(s);
        return;
    }
    enum tide_err rc =
        a ? intake_check_sender(listener_of(s)->intake, a, mail->sender, &err) : TIDE_OK;
    /* What comes back to this house may be from anybody: RCPT decides. */
    if (rc == TIDE_EPERM && takes_bounces(s))
        rc = TIDE_OK;
    answer_checked(s, rc, &err, ABOUT_SENDER);
}

/* One bounce address is all that a transaction may have: each has a mail of its own. */
static void answer_bounce_address(struct smtp_session *s,
                                  const struct smtp_mail *mail,
                                  enum bounce_address which)
{
    struct reply r;
    if (which == BOUNCE_ADDRESS_FORGED)
        reply_set(&r, 550, (int[]){5, 1, 1}, "This bounce address was never given to anybody");
    else if (mail->recipient_count > 0)
        reply_set(&r, 452, (int[]){4, 5, 3}, "A bounce address comes alone");
    else
        reply_set(&r, 250, (int[]){2, 1, 5}, "Ok");
    smtp_session_answer(s, &r);
}

/* The first recipient of a message: most have no other, and one who is told now need not write. */
static void on_foreseen(void *arg, struct text refusal)
{
    struct client *client = arg;
    struct tide_error err = {0};
    enum tide_err rc =
        refusal.n > 0 ? tide_fail(&err, TIDE_EPERM, TEXT_FMT, TEXT_ARG(refusal)) : TIDE_OK;
    answer_checked(client->session, rc, &err, ABOUT_RECIPIENT);
}

static void on_rcpt(struct smtp_session *s,
                    const struct smtp_mail *mail,
                    const struct smtp_recipient *recipient)
{
    struct tide_error err = {0};
    struct reply r;
    enum bounce_address which = address_of(s, recipient->address);
    const struct config_application *a = application_of(s);
    struct intake *in = listener_of(s)->intake;
    if (which != BOUNCE_ADDRESS_NO) {
        answer_bounce_address(s, mail, which);
        return;
    }
    if (!a) {
        answer_unauthenticated(s);
        return;
    }
    if (mail->recipient_count > 0 &&
        address_of(s, mail->recipients[0].address) != BOUNCE_ADDRESS_NO) {
        reply_set(&r, 452, (int[]){4, 5, 3}, "A bounce address comes alone");
        smtp_session_answer(s, &r);
        return;
    }
    /* Where no bounces are taken MAIL has checked it. */
    enum tide_err rc = takes_bounces(s) ? intake_check_sender(in, a, mail->sender, &err) : TIDE_OK;
    if (rc != TIDE_OK) {
        answer_checked(s, rc, &err, ABOUT_SENDER);
        return;
    }
    rc = intake_check_recipient(in, recipient->address, &err);
    bool early = rc == TIDE_OK && config_now(listener_of(s))->smtp.refuse_early &&
                 mail->recipient_count == 0;
    if (!early ||
        !intake_foresee(in, recipient->address, mail->sender, on_foreseen, smtp_session_data(s)))
        answer_checked(s, rc, &err, ABOUT_RECIPIENT);
}

static void on_bounce_taken(struct bounce_mail *mail,
                            enum tide_err rc,
                            const struct tide_error *err)
{
    struct client *client = mail->arg;
    struct reply r;
    if (rc == TIDE_OK)
        reply_set(&r, 250, (int[]){2, 0, 0}, "Ok: read as %s", bounce_kind_name(mail->kind));
    else
        reply_set(&r, 451, (int[]){4, 3, 0}, "%s", err->text);
    smtp_session_answer(client->session, &r); /* the session may be gone after this */
}

/* "queued as" names the first: clients show it, `mailtide why` takes it. */
static void on_submitted(struct intake_request *req, enum tide_err rc, const struct tide_error *err)
{
    struct client *client = req->arg;
    struct reply r;
    char id[ID_TEXT_BYTES];
    if (rc == TIDE_OK && req->recipient_count > 0 && req->results)
        reply_set(&r, 250, (int[]){2, 0, 0}, "Ok: queued as %s", id_text(req->results[0].id, id));
    else if (rc == TIDE_OK)
        reply_set(&r, 250, (int[]){2, 0, 0}, "Ok: queued");
    else
        reply_of_error(rc, ABOUT_MESSAGE, err, &r);
    arena_fini(&req->arena);
    smtp_session_answer(client->session, &r); /* the session may be gone after this */
}

static void on_message(struct smtp_session *s, const struct smtp_mail *mail)
{
    struct client *client = smtp_session_data(s);
    const struct config_application *a = application_of(s);
    struct intake_request *req = &client->request;
    if (client && mail->recipient_count == 1 &&
        address_of(s, mail->recipients[0].address) == BOUNCE_ADDRESS_OURS) {
        client->bounce = (struct bounce_mail){.message = buf_text(&mail->message),
                                              .sent_to = mail->recipients[0].address,
                                              .done = on_bounce_taken,
                                              .arg = client};
        bounces_take(listener_of(s)->bounces, &client->bounce);
        return;
    }
    if (!a) {
        answer_unauthenticated(s);
        return;
    }
    *req = (struct intake_request){
        .application = a,
        .sender = mail->sender,
        .recipient_count = mail->recipient_count,
        .message = buf_text(&mail->message),
        .ret = mail->ret,
        .envid = mail->envid,
        .source = text_of(client->source),
        .done = on_submitted,
        .arg = client,
    };
    struct intake_recipient *recipients =
        arena_array(&req->arena, mail->recipient_count, sizeof *recipients);
    if (!recipients) {
        on_submitted(req, TIDE_ENOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < mail->recipient_count; i++)
        recipients[i] = (struct intake_recipient){
            .address = mail->recipients[i].address,
            .notify = mail->recipients[i].notify,
            .orcpt = mail->recipients[i].orcpt,
        };
    req->recipients = recipients;
    intake_submit(listener_of(s)->intake, req);
}

/* ---- beginning and end ---- */

static const struct smtp_service_ops ops = {
    .open = on_open,
    .auth = on_auth,
    .mail = on_mail,
    .rcpt = on_rcpt,
    .message = on_message,
    .closed = on_closed,
};

static struct smtp_service_options service_options(struct smtp_listener *l)
{
    const struct config_smtp *c = &config_now(l)->smtp;
    return (struct smtp_service_options){
        .ops = &ops,
        .arg = l,
        .tls = l->tls,
        .connections_max = c->connections_max,
        .connections_per_ip_max = c->connections_per_ip_max,
        .command_timeout_ms = c->command_timeout_ms,
        .data_timeout_ms = c->data_timeout_ms,
        .session_max_ms = c->session_max_ms,
    };
}

static enum tide_err load_tls(struct smtp_listener *l, struct tide_error *err)
{
    const struct config_tls *c = &config_now(l)->smtp.tls;
    enum tide_err rc = TIDE_OK;
    bool wanted = c->certificate_file && c->key_file;
    if (wanted && l->tls)
        rc = tls_server_context_reload(l->tls, c->certificate_file, c->key_file, err);
    else if (wanted)
        rc = tls_server_context_new(c->certificate_file, c->key_file, &l->tls, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "smtp.tls");
    l->offers_tls = wanted;
    return TIDE_OK;
}

/* In the clear, then with TLS from the first byte on. */
static enum tide_err listen_all(struct smtp_listener *l, struct tide_error *err)
{
    const struct config_smtp *c = &config_now(l)->smtp;
    struct arena arena = {0};
    size_t count = c->listen_count + c->tls_listen_count;
    const char **all = arena_array(&arena, count + 1, sizeof *all);
    bool good = all != NULL;
    for (size_t i = 0; good && i < count; i++) {
        all[i] = i < c->listen_count
                     ? c->listen[i]
                     : arena_printf(&arena, "tls:%s", c->tls_listen[i - c->listen_count]);
        good = all[i] != NULL;
    }
    enum tide_err rc = good ? smtp_service_listen(l->service, all, count, err)
                            : tide_fail(err, TIDE_ENOMEM, "out of memory");
    arena_fini(&arena);
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "smtp.listen");
}

enum tide_err smtp_listener_reload(struct smtp_listener *l, struct tide_error *err)
{
    enum tide_err rc = load_tls(l, err);
    if (rc == TIDE_OK)
        rc = listen_all(l, err);
    struct smtp_service_options options = service_options(l);
    smtp_service_configure(l->service, &options);
    return rc;
}

static void on_service_closed(void *arg)
{
    struct smtp_listener *l = arg;
    void (*closed_cb)(void *) = l->closed_cb;
    void *closed_arg = l->closed_arg;
    tls_context_free(l->tls);
    free(l);
    if (closed_cb)
        closed_cb(closed_arg);
}

enum tide_err smtp_listener_open(uv_loop_t *loop,
                                 struct intake *in,
                                 struct smtp_listener **ret,
                                 struct tide_error *err)
{
    struct smtp_listener *l = calloc(1, sizeof *l);
    if (!l)
        return tide_fail(err, TIDE_ENOMEM, "the SMTP listener");
    l->intake = in;
    if (gethostname(l->hostname, sizeof l->hostname - 1) != 0 || !l->hostname[0])
        (void)snprintf(l->hostname, sizeof l->hostname, "localhost");
    struct smtp_service_options options = service_options(l);
    enum tide_err rc = smtp_service_open(loop, &options, &l->service, err);
    if (rc != TIDE_OK) {
        free(l);
        return rc;
    }
    rc = smtp_listener_reload(l, err);
    if (rc == TIDE_OK)
        *ret = l;
    else
        smtp_listener_close(l, NULL, NULL); /* frees it when the loop runs next */
    return rc;
}

void smtp_listener_set_bounces(struct smtp_listener *l, struct bounces *bounces)
{
    l->bounces = bounces;
}

int smtp_listener_port(const struct smtp_listener *l, const char *address)
{
    return smtp_service_port(l->service, address);
}

size_t smtp_listener_connections(const struct smtp_listener *l)
{
    return smtp_service_connections(l->service);
}

void smtp_listener_close(struct smtp_listener *l, void (*closed_cb)(void *arg), void *arg)
{
    l->closed_cb = closed_cb;
    l->closed_arg = arg;
    smtp_service_close(l->service, on_service_closed, l);
}
