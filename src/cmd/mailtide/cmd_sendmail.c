/* sendmail: what cron, PHP's mail() and their friends call, handed in at the SMTP door. */
#include "cmd/mailtide/cli.h"
#include "cmd/mailtide/door.h"
#include "cmd/mailtide/local_names.h"

#include "core/digest/message.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define RECIPIENTS_MAX 10000

enum mode { MODE_MAIL, MODE_SMTP, MODE_QUEUE, MODE_NOTHING };

struct letter {
    enum mode mode;
    bool of_header, lone_dots; /* -t, -i */
    const char *config, *sender, *person, *notify, *ret, *envid;
    struct arena arena;
    char host[LOCAL_HOST_BYTES];
    struct message message;
    struct smtp_rcpt *rcpts;
    size_t count, cap;
    struct buf whole, out; /* as it came, with CRLF; as it leaves */
};

static int sysexit_of(enum tide_err rc)
{
    switch (rc) {
    case TIDE_ECONN:
    case TIDE_ETIMEOUT:
    case TIDE_ENOMEM:
        return EX_TEMPFAIL;
    case TIDE_EAUTH:
    case TIDE_EPERM:
        return EX_NOPERM;
    case TIDE_EINVAL:
    case TIDE_ESYNTAX:
    case TIDE_ELIMIT:
    case TIDE_ENOENT:
        return EX_DATAERR;
    default:
        return EX_UNAVAILABLE;
    }
}

/* -- The command line ----------------------------------------------------------------------------
 */

static int set_mode(struct cli *cli, struct letter *l, const char *value)
{
    switch (value[0]) {
    case 'm':
        l->mode = MODE_MAIL;
        return EX_OK;
    case 's':
        l->mode = MODE_SMTP;
        return EX_OK;
    case 'p':
        l->mode = MODE_QUEUE;
        return EX_OK;
    case 'i': /* newaliases: /etc/aliases is read as it is */
        l->mode = MODE_NOTHING;
        return EX_OK;
    default:
        return cli_fail(cli, EX_USAGE, "sendmail: want -bm, -bs, -bp or -bi, got -b%s", value);
    }
}

static int read_options(struct cli *cli, struct letter *l)
{
    char **argv = arena_array(&l->arena, (size_t)cli->argc + 2, sizeof *argv);
    if (!argv || !(argv[0] = arena_strdup(&l->arena, "sendmail")))
        return cli_fail(cli, EX_TEMPFAIL, "sendmail: out of memory");
    for (int i = 0; i < cli->argc; i++)
        argv[i + 1] = cli->argv[i];
    argv[cli->argc + 1] = NULL;
    opterr = 0;
    optind = 0;
    for (int c; (c = getopt(cli->argc + 1, argv,
                            ":A:B:C:F:GIL:N:O:R:UV:X:b:cd::e:f:h:imno:p:r:q::tvx")) != -1;) {
        int code = EX_OK;
        switch (c) {
        case 'C':
            l->config = optarg;
            break;
        case 'F':
            l->person = optarg;
            break;
        case 'f':
        case 'r':
            l->sender = optarg;
            break;
        case 'i':
            l->lone_dots = true;
            break;
        case 'o':
            l->lone_dots |= optarg[0] == 'i';
            break;
        case 't':
            l->of_header = true;
            break;
        case 'N':
            l->notify = optarg;
            break;
        case 'R':
            l->ret = optarg;
            break;
        case 'V':
            l->envid = optarg;
            break;
        case 'I':
            l->mode = MODE_NOTHING;
            break;
        case 'b':
            code = set_mode(cli, l, optarg);
            break;
        case ':':
            code = cli_fail(cli, EX_USAGE, "sendmail: -%c wants a value", optopt);
            break;
        case '?':
            code = cli_fail(cli, EX_USAGE, "sendmail: there is no option -%c", optopt);
            break;
        default:
            break; /* of a queue that is not here */
        }
        if (code != EX_OK)
            return code;
    }
    for (int i = 0; optind + i < cli->argc + 1; i++)
        cli->argv[i] = argv[optind + i];
    cli->argc = cli->argc + 1 - optind;
    return EX_OK;
}

/* -- The message ---------------------------------------------------------------------------------
 */

static int read_message(struct cli *cli, struct letter *l)
{
    struct buf in = {.max = CLI_MESSAGE_BYTES_MAX};
    struct tide_error err;
    if (cli_read_stdin(cli, &in) != CLI_OK) {
        buf_fini(&in);
        return EX_NOINPUT;
    }
    enum tide_err rc = message_normalise(buf_text(&in), &l->whole, &err);
    buf_fini(&in);
    struct text whole = buf_text(&l->whole);
    size_t dot = l->lone_dots ? whole.n : text_ifind(whole, TEXT("\r\n.\r\n"));
    if (rc == TIDE_OK)
        rc = message_open(text_cut(whole, 0, dot < whole.n ? dot + 2 : dot), &l->message, &err);
    if (rc != TIDE_OK)
        return cli_fail(cli, sysexit_of(rc), "sendmail: the message: %s", err.text);
    return EX_OK;
}

/* "Ann <ann@example.com>", "ann@example.com, root": as in a To field. `ret_message` keeps it. */
static enum tide_err open_words(struct letter *l,
                                const char *words,
                                struct message *ret,
                                struct tide_error *err)
{
    struct buf b = {0};
    if (strpbrk(words, "\r\n"))
        return tide_fail(err, TIDE_ESYNTAX, "an address cannot hold a line end");
    buf_addf(&b, "To: %s\r\n\r\n", words);
    struct text kept = arena_text(&l->arena, buf_text(&b));
    enum tide_err rc = buf_check(&b, err);
    buf_fini(&b);
    return rc == TIDE_OK ? message_open(kept, ret, err) : rc;
}

static enum tide_err add_rcpt(struct letter *l, struct text address, struct tide_error *err)
{
    struct text full = local_address(&l->arena, address, l->host);
    if (!full.p)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    for (size_t i = 0; i < l->count; i++)
        if (text_eq(l->rcpts[i].address, full))
            return TIDE_OK;
    if (l->count == RECIPIENTS_MAX)
        return tide_fail(err, TIDE_ELIMIT, "want at most %d recipients", RECIPIENTS_MAX);
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct smtp_rcpt *grown = realloc(l->rcpts, cap * sizeof *grown);
        if (!grown)
            return tide_fail(err, TIDE_ENOMEM, "out of memory");
        l->rcpts = grown;
        l->cap = cap;
    }
    l->rcpts[l->count++] = (struct smtp_rcpt){.address = full, .notify = text_of(l->notify)};
    return TIDE_OK;
}

static enum tide_err add_field(struct letter *l,
                               const struct message *m,
                               struct text field,
                               struct tide_error *err)
{
    struct mailbox *list = NULL;
    size_t count = 0;
    enum tide_err rc = message_mailboxes(m, field, &l->arena, &list, &count, err);
    for (size_t i = 0; rc == TIDE_OK && i < count; i++)
        rc = add_rcpt(l, list[i].address, err);
    return rc;
}

/* A message that was sent on by somebody is for those whom he named (RFC 5322 3.6.6). */
static enum tide_err add_header_recipients(struct letter *l, struct tide_error *err)
{
    static const char *const fields[] = {"To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"};
    bool resent = false;
    for (size_t i = 3; i < 6; i++)
        resent |= message_has(&l->message, text_of(fields[i]));
    enum tide_err rc = TIDE_OK;
    for (size_t i = resent ? 3 : 0; rc == TIDE_OK && i < (resent ? 6u : 3u); i++)
        rc = add_field(l, &l->message, text_of(fields[i]), err);
    return rc;
}

static int find_recipients(struct cli *cli, struct letter *l)
{
    struct tide_error err;
    struct message words;
    enum tide_err rc = l->of_header ? add_header_recipients(l, &err) : TIDE_OK;
    if (rc != TIDE_OK)
        return cli_fail(cli, sysexit_of(rc), "sendmail: the message: %s", err.text);
    for (int i = 0; i < cli->argc; i++) {
        rc = open_words(l, cli->argv[i], &words, &err);
        if (rc == TIDE_OK)
            rc = add_field(l, &words, TEXT("To"), &err);
        if (rc != TIDE_OK)
            return cli_fail(cli, EX_USAGE, "sendmail: recipient \"%s\": %s", cli->argv[i],
                            err.text);
    }
    if (l->count == 0)
        return cli_fail(cli, l->of_header ? EX_DATAERR : EX_USAGE,
                        l->of_header ? "sendmail: the message names nobody in To, Cc or Bcc"
                                     : "sendmail: want a recipient, or -t and To, Cc or Bcc in the "
                                       "message");
    return EX_OK;
}

/* "" and "<>" are the null path; nothing given is whoever calls. */
static enum tide_err find_sender(struct letter *l, struct mailbox *ret, struct tide_error *err)
{
    struct mailbox *list = NULL;
    struct message words;
    size_t count = 0;
    *ret = (struct mailbox){.name = text_of(l->person), .address = TEXT("")};
    if (l->sender && (!*l->sender || strcmp(l->sender, "<>") == 0))
        return TIDE_OK;
    if (!l->sender) {
        ret->address = local_address(&l->arena, local_user(&l->arena), l->host);
        if (!l->person)
            ret->name = local_user_name(&l->arena);
        return TIDE_OK;
    }
    enum tide_err rc = open_words(l, l->sender, &words, err);
    if (rc == TIDE_OK)
        rc = message_mailboxes(&words, TEXT("To"), &l->arena, &list, &count, err);
    if (rc == TIDE_OK && count != 1)
        rc = tide_fail(err, TIDE_ESYNTAX, "want one address");
    if (rc == TIDE_OK)
        ret->address = local_address(&l->arena, list[0].address, l->host);
    return rc;
}

/* Without Bcc (RFC 5322 3.6.3); with a From, which sendmail always gave. */
static enum tide_err write_message(struct letter *l,
                                   const struct mailbox *sender,
                                   struct tide_error *err)
{
    static const char *const without[] = {"Bcc", "Resent-Bcc"};
    struct mailbox from = *sender;
    enum tide_err rc = TIDE_OK;
    if (from.address.n == 0)
        from.address = local_address(&l->arena, TEXT("MAILER-DAEMON"), l->host);
    if (!message_has(&l->message, TEXT("From")))
        rc = message_put_mailbox(&l->out, TEXT("From"), &from, err);
    message_put_rest(&l->out, &l->message, without, 2);
    return rc == TIDE_OK ? buf_check(&l->out, err) : rc;
}

/* -- Handing in ----------------------------------------------------------------------------------
 */

/* What became of each. A caller that is told to try again would send to all of them again, so that
 * is only said when nobody's was taken. */
static int tell_results(struct cli *cli, const struct smtp_mail *mail)
{
    int code = EX_OK;
    bool any = false;
    char said[REPLY_TEXT_BYTES_MAX];
    for (size_t i = 0; i < mail->rcpt_count; i++) {
        const struct smtp_result *r = &mail->rcpts[i].result;
        any |= r->fate == SMTP_ACCEPTED;
        if (r->fate == SMTP_ACCEPTED)
            continue;
        bool later = r->fate != SMTP_REFUSED || r->reply.code / 100 == 4;
        if (code == EX_OK || !later)
            code = later ? EX_TEMPFAIL : EX_UNAVAILABLE;
        cli_fail(cli, code, "sendmail: " TEXT_FMT ": %s", TEXT_ARG(mail->rcpts[i].address),
                 reply_text(&r->reply, said, sizeof said));
    }
    return any && code == EX_TEMPFAIL ? EX_UNAVAILABLE : code;
}

static int hand_in(struct cli *cli, struct letter *l, const struct mailbox *sender)
{
    struct tide_error err;
    struct door door;
    struct smtp_mail mail = {.sender = sender->address,
                             .message = buf_text(&l->out),
                             .ret = text_of(l->ret),
                             .envid = text_of(l->envid),
                             .smtputf8 = !text_is_ascii(sender->address),
                             .rcpts = l->rcpts,
                             .rcpt_count = l->count};
    for (size_t i = 0; i < l->count; i++)
        mail.smtputf8 |= !text_is_ascii(l->rcpts[i].address);
    enum tide_err rc = door_open(l->config, &door, &err);
    if (rc == TIDE_OK)
        rc = door_mail(&door, l->host, &mail, &err);
    door_close(&door);
    if (rc != TIDE_OK)
        return cli_fail(cli, sysexit_of(rc), "sendmail: %s", err.text);
    return tell_results(cli, &mail);
}

static int send_mail(struct cli *cli, struct letter *l)
{
    struct tide_error err;
    struct mailbox sender;
    int code = read_message(cli, l);
    if (code == EX_OK)
        code = find_recipients(cli, l);
    if (code != EX_OK)
        return code;
    if (find_sender(l, &sender, &err) != TIDE_OK)
        return cli_fail(cli, EX_USAGE, "sendmail: sender \"%s\": %s", l->sender, err.text);
    enum tide_err rc = write_message(l, &sender, &err);
    if (rc != TIDE_OK)
        return cli_fail(cli, sysexit_of(rc), "sendmail: %s", err.text);
    return hand_in(cli, l, &sender);
}

static int speak_smtp(struct cli *cli, struct letter *l)
{
    struct tide_error err;
    struct door door;
    enum tide_err rc = door_open(l->config, &door, &err);
    if (rc == TIDE_OK)
        rc = door_relay(&door, &err);
    door_close(&door);
    return rc == TIDE_OK ? EX_OK : cli_fail(cli, sysexit_of(rc), "sendmail: %s", err.text);
}

int cmd_sendmail(struct cli *cli)
{
    struct letter l = {0};
    int code = read_options(cli, &l);
    local_host(l.host);
    if (code == EX_OK && l.mode == MODE_MAIL)
        code = send_mail(cli, &l);
    else if (code == EX_OK && l.mode == MODE_SMTP)
        code = speak_smtp(cli, &l);
    else if (code == EX_OK && l.mode == MODE_QUEUE)
        code = cmd_queue(cli);
    free(l.rcpts);
    buf_fini(&l.whole);
    buf_fini(&l.out);
    arena_fini(&l.arena);
    return code;
}
