#include "lib/smtp_script.h"

#include "base/macros.h"

#include <assert.h>

struct smtp_server_options smtp_script_options(void)
{
    return (struct smtp_server_options){
        .hostname = "mx.example.org",
        .extensions = SMTP_EXT_ALL,
        .auth_without_tls = true,
        .message_bytes_max = 1000000,
        .recipients_max = 100,
        .errors_max = 100,
    };
}

void smtp_script_init(struct smtp_script *t, const struct smtp_server_options *o)
{
    *t = (struct smtp_script){0};
    smtp_server_init(&t->server, o);
    smtp_server_greet(&t->server, NULL, &t->out);
}

void smtp_script_fini(struct smtp_script *t)
{
    smtp_server_fini(&t->server);
    buf_fini(&t->out);
    buf_fini(&t->submitted);
}

static void note(struct smtp_script *t, const struct smtp_mail *m)
{
    buf_addf(&t->submitted, "FROM <" TEXT_FMT "> TO", TEXT_ARG(m->sender));
    for (size_t i = 0; i < m->recipient_count; i++)
        buf_addf(&t->submitted, " <" TEXT_FMT ">", TEXT_ARG(m->recipients[i].address));
    buf_adds(&t->submitted, "\n");
    buf_add_text(&t->submitted, buf_text(&m->message));
    t->message_count++;
}

static bool has_refused(struct text t)
{
    return text_ifind(t, TEXT("refused")) < t.n;
}

static void step(struct smtp_script *t)
{
    struct smtp_server *s = &t->server;
    static const int bad_user[] = {5, 7, 8}, no[] = {5, 1, 1}, ok[] = {2, 0, 0};
    for (;;) {
        struct reply r;
        reply_set(&r, 250, ok, "Ok");
        switch (smtp_server_step(s, &t->out)) {
        case SMTP_NEED_INPUT:
            return;
        case SMTP_ASK_AUTH:
            if (text_eq(s->credentials.user, TEXT("user")) &&
                text_eq(s->credentials.password, TEXT("secret")))
                reply_set(&r, 235, ok, "Welcome");
            else
                reply_set(&r, 535, bad_user, "Bad credentials");
            break;
        case SMTP_ASK_MAIL:
            if (has_refused(s->mail.sender))
                reply_set(&r, 550, no, "Refused");
            break;
        case SMTP_ASK_RCPT:
            if (has_refused(s->recipient.address))
                reply_set(&r, 550, no, "Refused");
            break;
        case SMTP_ASK_MESSAGE:
            note(t, &s->mail);
            break;
        case SMTP_ASK_STARTTLS:
            smtp_server_tls_started(s);
            continue;
        case SMTP_ASK_CLOSE:
            t->closed = true;
            return;
        }
        smtp_server_answer(s, &r, &t->out);
    }
}

void smtp_script_send(struct smtp_script *t, struct text bytes, size_t piece)
{
    struct tide_error err;
    do {
        size_t n = piece && piece < bytes.n ? piece : bytes.n;
        enum tide_err rc = smtp_server_feed(&t->server, bytes.p, n, &err);
        assert(rc == TIDE_OK);
        step(t);
        bytes = text_cut(bytes, n, SIZE_MAX);
    } while (bytes.n);
}

void smtp_script_codes(struct text out, struct buf *ret)
{
    struct text line;
    while (text_split(&out, '\n', &line))
        if (line.n >= 4 && line.p[3] == ' ')
            buf_addf(ret, "%s%.3s", ret->len ? " " : "", line.p);
}
