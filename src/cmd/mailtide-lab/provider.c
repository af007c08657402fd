#include "cmd/mailtide-lab/provider.h"

#include "io/loop/smtp_service.h"

#include <stdlib.h>

#define MESSAGE_BYTES_MAX  (50 << 20)
#define RECIPIENTS_MAX     1000
#define CONNECTIONS_CAP    10000
#define COMMAND_TIMEOUT_MS (5 * 60 * 1000)

struct provider {
    const struct world *world;
    const struct lab_provider *def;
    int index;
    const struct clock *clock;
    struct books *books;
    struct smtp_service *service;
    struct meters meters;
    struct strmap greylist; /* "PEER SENDER MAILBOX": int64_t *, when it came first */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* -- Books -------------------------------------------------------------------------------------
 */

static struct text ip_of(const struct smtp_session *s)
{
    return meter_ip(text_of(smtp_session_peer(s)));
}

static struct meter_subject subject_of(const struct smtp_session *s,
                                       struct text sender,
                                       struct text mailbox)
{
    const struct smtp_server *server = smtp_session_server(s);
    return (struct meter_subject){.ip = ip_of(s),
                                  .helo = server ? text_of(server->helo) : TEXT(""),
                                  .sender = sender,
                                  .mailbox = mailbox};
}

static void note(struct provider *p,
                 const struct meter_subject *who,
                 enum lab_stage stage,
                 const struct lab_limit *limit,
                 const struct reply *r)
{
    char line[REPLY_TEXT_BYTES_MAX + 32];
    const struct book_attempt a = {.at = clock_wall(p->clock),
                                   .provider = p->index,
                                   .peer = who->ip,
                                   .helo = who->helo,
                                   .sender = who->sender,
                                   .mailbox = who->mailbox,
                                   .stage = stage,
                                   .limit = limit ? limit->name : NULL,
                                   .code = r->code,
                                   .reply = text_of(reply_text(r, line, sizeof line)),
                                   .taken = r->code < 300};
    books_note(p->books, &a);
}

static void accept_with(struct smtp_session *s, int b, int c, const char *text)
{
    struct reply r;
    reply_set(&r, 250, (int[]){2, b, c}, "%s", text);
    smtp_session_answer(s, &r);
}

static void refuse(struct smtp_session *s,
                   const struct meter_subject *who,
                   enum lab_stage stage,
                   const struct lab_limit *limit,
                   const struct reply *r)
{
    note(smtp_session_arg(s), who, stage, limit, r);
    smtp_session_answer(s, r);
}

/* -- At the door -------------------------------------------------------------------------------
 */

static bool on_open(struct smtp_session *s,
                    struct smtp_server_options *options,
                    struct reply *refusal)
{
    struct provider *p = smtp_session_arg(s);
    const struct lab_provider *def = p->def;
    tide_wall_ms now = clock_wall(p->clock);
    const struct meter_subject who = {.ip = ip_of(s)};
    const struct lab_limit *limit = NULL;
    options->hostname = def->hostname;
    options->extensions &= ~(unsigned)(SMTP_EXT_AUTH | SMTP_EXT_STARTTLS);
    options->message_bytes_max = MESSAGE_BYTES_MAX;
    options->recipients_max = RECIPIENTS_MAX;
    options->messages_max = def->messages_per_connection;
    if (now >= def->down_from && now < def->down_to)
        *refusal = def->down_reply;
    else if (smtp_service_connections(p->service) > (size_t)def->connections_max)
        *refusal = def->connections_reply;
    else if ((limit = meters_ask(&p->meters, LAB_CONNECT, &who, now)))
        *refusal = limit->reply;
    else
        return true;
    note(p, &who, LAB_CONNECT, limit, refusal);
    return false;
}

static void on_auth(struct smtp_session *s, const struct smtp_credentials *credentials)
{
    struct reply r;
    (void)credentials;
    reply_set(&r, 535, (int[]){5, 7, 8}, "This is no submission server");
    smtp_session_answer(s, &r);
}

static void on_mail(struct smtp_session *s, const struct smtp_mail *mail)
{
    struct provider *p = smtp_session_arg(s);
    const struct meter_subject who = subject_of(s, mail->sender, TEXT(""));
    const struct lab_limit *limit = meters_ask(&p->meters, LAB_MAIL, &who, clock_wall(p->clock));
    if (limit)
        refuse(s, &who, LAB_MAIL, limit, &limit->reply);
    else
        accept_with(s, 1, 0, "Ok");
}

/* -- The mailbox -------------------------------------------------------------------------------
 */

static bool is_listed(char *const *list, size_t count, struct text address)
{
    for (size_t i = 0; i < count; i++) {
        struct text one = text_of(list[i]);
        if (text_ieq(one, address))
            return true;
        if (text_starts(one, TEXT("*@")) && text_iends(address, text_cut(one, 1, one.n)))
            return true;
    }
    return false;
}

/* True: come again later. What was let in once stays let in. */
static bool is_grey(struct provider *p, const struct meter_subject *who, tide_wall_ms now)
{
    struct buf key = {0};
    if (p->def->greylist_ms == 0)
        return false;
    buf_addf(&key, TEXT_FMT " " TEXT_FMT " " TEXT_FMT, TEXT_ARG(who->ip), TEXT_ARG(who->sender),
             TEXT_ARG(who->mailbox));
    int64_t *first = strmap_get(&p->greylist, buf_text(&key));
    if (!first && (first = malloc(sizeof *first))) {
        *first = now;
        if (!strmap_put(&p->greylist, buf_text(&key), first)) {
            free(first);
            first = NULL;
        }
    }
    buf_fini(&key);
    return first && now - *first < p->def->greylist_ms;
}

static void on_rcpt(struct smtp_session *s,
                    const struct smtp_mail *mail,
                    const struct smtp_recipient *recipient)
{
    struct provider *p = smtp_session_arg(s);
    const struct lab_provider *def = p->def;
    tide_wall_ms now = clock_wall(p->clock);
    const struct meter_subject who = subject_of(s, mail->sender, recipient->address);
    const struct lab_limit *limit;
    if (!is_listed(def->mailboxes, def->mailbox_count, who.mailbox))
        refuse(s, &who, LAB_RCPT, NULL, &def->unknown_reply);
    else if (is_listed(def->full, def->full_count, who.mailbox))
        refuse(s, &who, LAB_RCPT, NULL, &def->full_reply);
    else if (is_grey(p, &who, now))
        refuse(s, &who, LAB_RCPT, NULL, &def->greylist_reply);
    else if ((limit = meters_ask(&p->meters, LAB_RCPT, &who, now)))
        refuse(s, &who, LAB_RCPT, limit, &limit->reply);
    else
        accept_with(s, 1, 5, "Ok");
}

/* The limit that refuses one of the recipients; `ret` says whom. */
static const struct lab_limit *ask_all(struct provider *p,
                                       struct smtp_session *s,
                                       const struct smtp_mail *mail,
                                       struct meter_subject *ret)
{
    tide_wall_ms now = clock_wall(p->clock);
    const struct lab_limit *limit = NULL;
    for (size_t i = 0; i < mail->recipient_count && !limit; i++) {
        *ret = subject_of(s, mail->sender, mail->recipients[i].address);
        limit = meters_ask(&p->meters, LAB_DATA, ret, now);
    }
    return limit;
}

static void on_message(struct smtp_session *s, const struct smtp_mail *mail)
{
    struct provider *p = smtp_session_arg(s);
    tide_wall_ms now = clock_wall(p->clock);
    struct meter_subject who = {0};
    struct reply taken;
    const struct lab_limit *limit = ask_all(p, s, mail, &who);
    if (limit) {
        refuse(s, &who, LAB_DATA, limit, &limit->reply);
        return;
    }
    reply_set(&taken, 250, (int[]){2, 0, 0}, "Ok: queued as LAB%zu", p->books->mail_count + 1);
    for (size_t i = 0; i < mail->recipient_count; i++) {
        who = subject_of(s, mail->sender, mail->recipients[i].address);
        limit = meters_take(&p->meters, &who, now);
        if (limit && mail->recipient_count == 1) {
            refuse(s, &who, LAB_DATA, limit, &limit->reply);
            return;
        }
        /* Of several recipients those with room get it, the others are on the books. */
        note(p, &who, LAB_DATA, limit, limit ? &limit->reply : &taken);
        if (limit)
            continue;
        const struct book_mail m = {.at = now,
                                    .provider = p->index,
                                    .sender = mail->sender,
                                    .mailbox = who.mailbox,
                                    .message = buf_text(&mail->message)};
        books_take(p->books, &m);
    }
    smtp_session_answer(s, &taken);
}

/* -- Beginning and end -------------------------------------------------------------------------
 */

static const struct smtp_service_ops ops = {
    .open = on_open, .auth = on_auth, .mail = on_mail, .rcpt = on_rcpt, .message = on_message};

static void provider_free(struct provider *p)
{
    uint32_t pos = 0;
    for (int64_t *at; (at = strmap_next(&p->greylist, &pos, NULL));)
        free(at);
    strmap_fini(&p->greylist);
    meters_fini(&p->meters);
    free(p);
}

static void on_service_closed(void *arg)
{
    struct provider *p = arg;
    void (*closed)(void *) = p->closed;
    void *closed_arg = p->closed_arg;
    provider_free(p);
    if (closed)
        closed(closed_arg);
}

void provider_close(struct provider *p, void (*closed)(void *arg), void *arg)
{
    p->closed = closed;
    p->closed_arg = arg;
    smtp_service_close(p->service, on_service_closed, p);
}

enum tide_err provider_open(uv_loop_t *loop,
                            const struct clock *clock,
                            const struct world *world,
                            int index,
                            struct books *books,
                            struct provider **ret,
                            struct tide_error *err)
{
    const struct lab_provider *def = &world->providers[index];
    struct provider *p = calloc(1, sizeof *p);
    if (!p)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    p->world = world;
    p->def = def;
    p->index = index;
    p->clock = clock;
    p->books = books;
    strmap_init(&p->greylist);
    const struct smtp_service_options options = {.ops = &ops,
                                                 .arg = p,
                                                 .connections_max = CONNECTIONS_CAP,
                                                 .command_timeout_ms = COMMAND_TIMEOUT_MS,
                                                 .data_timeout_ms = COMMAND_TIMEOUT_MS};
    enum tide_err rc = meters_init(&p->meters, def->limits, def->limit_count, err);
    if (rc == TIDE_OK)
        rc = smtp_service_open(loop, &options, &p->service, err);
    if (rc != TIDE_OK) {
        provider_free(p);
        return rc;
    }
    rc = smtp_service_listen(p->service, (const char *const[]){def->listen}, 1, err);
    if (rc != TIDE_OK) {
        provider_close(p, NULL, NULL);
        return tide_wrap(err, rc, "providers.%s.listen", def->name);
    }
    *ret = p;
    return TIDE_OK;
}

int provider_port(const struct provider *p)
{
    return smtp_service_port(p->service, p->def->listen);
}

const char *provider_name(const struct provider *p, char *out, size_t size)
{
    return smtp_service_name(p->service, p->def->listen, out, size);
}

const struct meters *provider_meters(const struct provider *p)
{
    return &p->meters;
}
