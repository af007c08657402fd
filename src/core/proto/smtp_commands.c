#include "base/base64.h"
#include "base/macros.h"
#include "core/proto/smtp_path.h"
#include "core/proto/smtp_server_in.h"

#include <inttypes.h>
#include <stdio.h>

/* What has to be so before a verb is looked at more closely. */
enum {
    NO_ARGS = 1 << 0, /* 501 with arguments */
    GREETED = 1 << 1, /* 503 before HELO or EHLO */
    ALLOWED = 1 << 2, /* 530 before AUTH where that is wanted */
    IN_MAIL = 1 << 3, /* 503 before MAIL */
    OUTSIDE = 1 << 4, /* 503 within a transaction */

    OF_ESMTP = 1 << 5, /* 503 after HELO */
};

typedef void handler(struct smtp_server *s, struct text args, struct buf *out);

static bool has(const struct smtp_server *s, enum smtp_extension ext)
{
    return (s->options.extensions & ext) != 0;
}

static bool may_auth(const struct smtp_server *s)
{
    return has(s, SMTP_EXT_AUTH) && (s->tls || s->options.auth_without_tls);
}

/* ---- session ---- */

static bool take_helo(struct smtp_server *s, struct text args, struct buf *out)
{
    bool clean = true;
    for (size_t i = 0; i < args.n; i++)
        clean &= (unsigned char)args.p[i] >= ' ' && args.p[i] != 127;
    if (args.n == 0 || args.n > SMTP_HELO_BYTES_MAX || !clean) {
        server_fail(s, out, 501, "5.5.4", "Want the name of your host");
        return false;
    }
    server_end_mail(s); /* RFC 5321 4.1.4: as RSET */
    memcpy(s->helo, args.p, args.n);
    s->helo[args.n] = '\0';
    return true;
}

static void on_helo(struct smtp_server *s, struct text args, struct buf *out)
{
    if (!take_helo(s, args, out))
        return;
    s->esmtp = false;
    server_say(s, out, 250, NULL, "%s", s->hostname);
}

static void on_ehlo(struct smtp_server *s, struct text args, struct buf *out)
{
    static const struct {
        enum smtp_extension ext;
        const char *line;
    } plain[] = {
        {SMTP_EXT_PIPELINING, "PIPELINING"},
        {SMTP_EXT_8BITMIME, "8BITMIME"},
        {SMTP_EXT_SMTPUTF8, "SMTPUTF8"},
        {SMTP_EXT_CHUNKING, "CHUNKING"},
        {SMTP_EXT_DSN, "DSN"},
    };
    if (!take_helo(s, args, out))
        return;
    s->esmtp = true;
    buf_addf(out, "250-%s\r\n", s->hostname);
    for (size_t i = 0; i < TIDE_COUNT(plain); i++)
        if (has(s, plain[i].ext))
            buf_addf(out, "250-%s\r\n", plain[i].line);
    if (has(s, SMTP_EXT_SIZE))
        buf_addf(out, "250-SIZE %" PRId64 "\r\n", s->options.message_bytes_max);
    if (has(s, SMTP_EXT_STARTTLS) && !s->tls)
        buf_adds(out, "250-STARTTLS\r\n");
    if (may_auth(s))
        buf_adds(out, "250-AUTH PLAIN LOGIN\r\n");
    if (has(s, SMTP_EXT_ENHANCED))
        buf_adds(out, "250-ENHANCEDSTATUSCODES\r\n");
    buf_adds(out, "250 HELP\r\n");
}

static void on_rset(struct smtp_server *s, struct text args, struct buf *out)
{
    (void)args;
    server_end_mail(s);
    server_say(s, out, 250, "2.0.0", "Ok");
}

static void on_noop(struct smtp_server *s, struct text args, struct buf *out)
{
    (void)args;
    server_say(s, out, 250, "2.0.0", "Ok");
}

static void on_quit(struct smtp_server *s, struct text args, struct buf *out)
{
    (void)args;
    server_say(s, out, 221, "2.0.0", "%s Bye", s->hostname);
    server_move(s, SMTP_STATE_CLOSED);
}

static void on_vrfy(struct smtp_server *s, struct text args, struct buf *out)
{
    (void)args; /* the answer is the same for all, so nothing is learned from it */
    server_say(s, out, 252, "2.1.5", "Not verified, but mail will be accepted and tried");
}

static void on_expn(struct smtp_server *s, struct text args, struct buf *out)
{
    (void)args;
    server_fail(s, out, 502, "5.5.1", "EXPN is not offered");
}

static void on_help(struct smtp_server *s, struct text args, struct buf *out)
{
    (void)args;
    server_say(s, out, 214, "2.0.0",
               "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP STARTTLS AUTH QUIT (RFC 5321)");
}

/* Web pages can make a browser send to ports of its own machine: the first line tells. */
static void on_http(struct smtp_server *s, struct text args, struct buf *out)
{
    (void)args;
    server_say(s, out, 421, "4.7.0", "%s This is SMTP, not HTTP", s->hostname);
    server_move(s, SMTP_STATE_CLOSED);
}

static void on_starttls(struct smtp_server *s, struct text args, struct buf *out)
{
    (void)args;
    if (!has(s, SMTP_EXT_STARTTLS))
        server_fail(s, out, 502, "5.5.1", "STARTTLS is not offered");
    else if (s->tls)
        server_fail(s, out, 503, "5.5.1", "TLS is in use already");
    else {
        server_say(s, out, 220, "2.0.0", "Ready to start TLS");
        server_move(s, SMTP_STATE_TLS);
    }
}

/* ---- AUTH ---- */

static void auth_prompt(struct smtp_server *s, enum smtp_auth_step step, struct buf *out)
{
    static const char *const prompts[] = {
        [SMTP_AUTH_PLAIN] = "",
        [SMTP_AUTH_USER] = "VXNlcm5hbWU6",     /* "Username:", which some clients compare */
        [SMTP_AUTH_PASSWORD] = "UGFzc3dvcmQ6", /* "Password:" */
    };
    s->auth_step = step;
    buf_addf(out, "334 %s\r\n", prompts[step]);
    server_move(s, SMTP_STATE_AUTH);
}

static void auth_fail(struct smtp_server *s, struct buf *out, const char *enhanced, const char *why)
{
    buf_clear(&s->auth);
    if (s->state == SMTP_STATE_AUTH)
        server_move(s, SMTP_STATE_COMMAND);
    server_fail(s, out, 501, enhanced, "%s", why);
}

/* authorisation identity NUL user NUL password (RFC 4616); nobody may act for another here. */
static void auth_plain(struct smtp_server *s, struct buf *out)
{
    struct text all = buf_text(&s->auth), pieces[3] = {{0}};
    size_t count = 0;
    struct text rest = all;
    for (; count < 3 && rest.p; count++) {
        size_t n = text_find(rest, '\0');
        pieces[count] = text_cut(rest, 0, n);
        rest = n < rest.n ? text_cut(rest, n + 1, SIZE_MAX) : (struct text){0};
    }
    if (count != 3 || rest.p || pieces[1].n == 0) {
        auth_fail(s, out, "5.5.2",
                  "PLAIN wants an identity, a user and a password, each after NUL");
        return;
    }
    if (pieces[0].n && !text_eq(pieces[0], pieces[1])) {
        buf_clear(&s->auth);
        if (s->state == SMTP_STATE_AUTH)
            server_move(s, SMTP_STATE_COMMAND);
        server_fail(s, out, 535, "5.7.8", "A user cannot act for another");
        return;
    }
    s->credentials = (struct smtp_credentials){pieces[1], pieces[2]};
    server_ask(s, SMTP_ASK_AUTH);
}

static void auth_take(struct smtp_server *s, struct text line, struct buf *out)
{
    struct text encoded = text_trim(line);
    if (text_eq(encoded, TEXT("="))) /* RFC 4954 4: an empty initial response */
        encoded.n = 0;
    if (base64_decode(encoded, &s->auth, NULL) != TIDE_OK) {
        auth_fail(s, out, "5.5.2", "Not base64");
        return;
    }
    switch (s->auth_step) {
    case SMTP_AUTH_PLAIN:
        auth_plain(s, out);
        break;
    case SMTP_AUTH_USER:
        s->auth_user_n = s->auth.len;
        auth_prompt(s, SMTP_AUTH_PASSWORD, out);
        break;
    case SMTP_AUTH_PASSWORD:
        s->credentials.user = text_cut(buf_text(&s->auth), 0, s->auth_user_n);
        s->credentials.password = text_cut(buf_text(&s->auth), s->auth_user_n, SIZE_MAX);
        server_ask(s, SMTP_ASK_AUTH);
        break;
    }
}

void server_on_auth_line(struct smtp_server *s, struct text line, struct buf *out)
{
    if (text_eq(line, TEXT("*")))
        auth_fail(s, out, "5.7.0", "Authentication cancelled");
    else
        auth_take(s, line, out);
}

static void on_auth(struct smtp_server *s, struct text args, struct buf *out)
{
    struct text mechanism = text_cut(args, 0, text_find(args, ' '));
    struct text initial = text_trim(text_cut(args, mechanism.n, SIZE_MAX));
    bool plain = text_ieq(mechanism, TEXT("PLAIN"));
    if (s->authenticated) {
        server_fail(s, out, 503, "5.5.1", "Authenticated already");
    } else if (!has(s, SMTP_EXT_AUTH)) {
        server_fail(s, out, 502, "5.5.1", "AUTH is not offered");
    } else if (!may_auth(s)) {
        server_fail(s, out, 538, "5.7.11", "AUTH needs TLS first");
    } else if (mechanism.n == 0) {
        server_fail(s, out, 501, "5.5.4", "Want AUTH PLAIN or AUTH LOGIN");
    } else if (!plain && !text_ieq(mechanism, TEXT("LOGIN"))) {
        server_fail(s, out, 504, "5.5.4", "Unknown mechanism, want PLAIN or LOGIN");
    } else {
        s->auth_step = plain ? SMTP_AUTH_PLAIN : SMTP_AUTH_USER;
        if (initial.n)
            auth_take(s, initial, out);
        else
            auth_prompt(s, s->auth_step, out);
    }
}

/* ---- MAIL ---- */

static void fail_param(struct smtp_server *s, struct buf *out, struct text key)
{
    server_fail(s, out, 501, "5.5.4", "Bad value of parameter " TEXT_FMT, TEXT_ARG(key));
}

/* A copy of a parameter's value; false after a refusal. */
static bool keep_xtext(struct smtp_server *s, struct text value, size_t bytes_max, struct text *ret)
{
    if (ret->p || value.n > bytes_max || !smtp_is_xtext(value))
        return false;
    *ret = arena_text(&s->mail.arena, value);
    return ret->p != NULL;
}

static bool mail_size(struct smtp_server *s, struct text value, struct buf *out)
{
    int64_t n = 0;
    enum tide_err rc = TIDE_ESYNTAX;
    if (value.n > 0 && value.n <= 20 && ascii_is_digit(value.p[0])) /* RFC 1870 6: 20 digits */
        rc = text_int(value, 0, s->options.message_bytes_max, &n, NULL);
    if (rc == TIDE_ERANGE)
        server_fail(s, out, 552, "5.3.4", "Message over the limit of %" PRId64 " bytes",
                    s->options.message_bytes_max);
    else if (rc != TIDE_OK)
        fail_param(s, out, TEXT("SIZE"));
    s->mail.size_bytes = n;
    return rc == TIDE_OK;
}

/* false: refused, and said so. */
static bool mail_param(struct smtp_server *s, struct text key, struct text value, struct buf *out)
{
    struct smtp_mail *m = &s->mail;
    bool ok = true;
    if (text_ieq(key, TEXT("SIZE")) && has(s, SMTP_EXT_SIZE))
        return mail_size(s, value, out);
    if (text_ieq(key, TEXT("BODY")) && has(s, SMTP_EXT_8BITMIME)) {
        m->eight_bit = text_ieq(value, TEXT("8BITMIME"));
        ok = m->eight_bit || text_ieq(value, TEXT("7BIT"));
    } else if (text_ieq(key, TEXT("SMTPUTF8")) && has(s, SMTP_EXT_SMTPUTF8)) {
        m->smtputf8 = true;
        ok = !value.p;
    } else if (text_ieq(key, TEXT("RET")) && has(s, SMTP_EXT_DSN)) {
        ok = !m->ret.p && (text_ieq(value, TEXT("FULL")) || text_ieq(value, TEXT("HDRS")));
        m->ret = arena_text(&m->arena, value);
    } else if (text_ieq(key, TEXT("ENVID")) && has(s, SMTP_EXT_DSN)) {
        ok = keep_xtext(s, value, 100, &m->envid); /* RFC 3461 4.4 */
    } else if (text_ieq(key, TEXT("AUTH")) && has(s, SMTP_EXT_AUTH)) {
        ok = value.n > 0; /* RFC 4954 5: who wrote it, by the word of the client: of no use here */
    } else {
        server_fail(s, out, 555, "5.5.4", "Unknown parameter " TEXT_FMT, TEXT_ARG(key));
        return false;
    }
    if (!ok)
        fail_param(s, out, key);
    return ok;
}

/* Common to both verbs; false: refused, and said so. */
static bool parse_path(struct smtp_server *s,
                       struct text args,
                       struct text keyword,
                       const char *enhanced,
                       struct text *ret_path,
                       struct text *ret_params,
                       struct buf *out)
{
    struct tide_error err;
    if (!text_istarts(args, keyword)) {
        server_fail(s, out, 501, "5.5.4", "Want " TEXT_FMT "<address>", TEXT_ARG(keyword));
        return false;
    }
    if (smtp_path_parse(text_cut(args, keyword.n, SIZE_MAX), ret_path, ret_params, &err) !=
        TIDE_OK) {
        server_fail(s, out, 501, enhanced, "Bad address syntax: %s", err.text);
        return false;
    }
    if (ret_params->n && !s->esmtp) {
        server_fail(s, out, 501, "5.5.4", "Parameters need EHLO instead of HELO");
        return false;
    }
    return true;
}

static bool check_charset(struct smtp_server *s, struct text path, struct buf *out)
{
    if (text_is_ascii(path))
        return true;
    if (!s->mail.smtputf8)
        server_fail(s, out, 553, "5.6.7", "A non-ASCII address needs SMTPUTF8 on MAIL");
    else if (!text_is_utf8(path))
        server_fail(s, out, 501, "5.5.2", "The address is not UTF-8");
    else
        return true;
    return false;
}

typedef bool param_handler(struct smtp_server *s, struct text key, struct text value, struct buf *);

static bool each_param(struct smtp_server *s,
                       struct text params,
                       param_handler *handle,
                       struct buf *out)
{
    struct text key, value;
    do {
        if (smtp_param_next(&params, &key, &value, NULL) != TIDE_OK) {
            server_fail(s, out, 501, "5.5.4", "Want parameters as KEY or KEY=VALUE");
            return false;
        }
        if (key.n && !handle(s, key, value, out))
            return false;
    } while (key.n);
    return true;
}

static void on_mail(struct smtp_server *s, struct text args, struct buf *out)
{
    struct text path, params;
    if (s->options.messages_max > 0 && s->messages >= s->options.messages_max) {
        server_say(s, out, 421, "4.7.0", "%s Too many messages on one connection, open another",
                   s->hostname);
        server_move(s, SMTP_STATE_CLOSED);
        return;
    }
    if (!parse_path(s, args, TEXT("FROM:"), "5.1.7", &path, &params, out))
        return;
    if (!each_param(s, params, mail_param, out) || !check_charset(s, path, out)) {
        server_end_mail(s);
        return;
    }
    s->mail.sender = arena_text(&s->mail.arena, path);
    if (!s->mail.sender.p) {
        server_end_mail(s);
        server_say(s, out, 451, "4.3.0", "Out of memory, try again later");
        return;
    }
    server_ask(s, SMTP_ASK_MAIL);
}

/* ---- RCPT ---- */

/* RFC 3461 4.1: NEVER, or a list of the other three. */
static bool is_notify(struct text value)
{
    struct text piece, rest = value;
    if (text_ieq(value, TEXT("NEVER")))
        return true;
    if (value.n == 0)
        return false;
    while (text_split(&rest, ',', &piece))
        if (!text_ieq(piece, TEXT("SUCCESS")) && !text_ieq(piece, TEXT("FAILURE")) &&
            !text_ieq(piece, TEXT("DELAY")))
            return false;
    return true;
}

static bool rcpt_param(struct smtp_server *s, struct text key, struct text value, struct buf *out)
{
    struct smtp_recipient *r = &s->recipient;
    struct text *kept = text_ieq(key, TEXT("NOTIFY"))  ? &r->notify
                        : text_ieq(key, TEXT("ORCPT")) ? &r->orcpt
                                                       : NULL;
    if (!kept || !has(s, SMTP_EXT_DSN)) {
        server_fail(s, out, 555, "5.5.4", "Unknown parameter " TEXT_FMT, TEXT_ARG(key));
        return false;
    }
    /* RFC 3461 4.2: "type;xtext" of at most 500 bytes; RFC 6533 puts UTF-8 there as it is. */
    bool ok = kept == &r->notify ? is_notify(value)
                                 : value.n <= 500 && text_find(value, ';') < value.n &&
                                       (text_is_ascii(value) || s->mail.smtputf8);
    if (!ok || kept->p) {
        fail_param(s, out, key);
        return false;
    }
    *kept = arena_text(&s->mail.arena, value);
    return true;
}

static void on_rcpt(struct smtp_server *s, struct text args, struct buf *out)
{
    struct text path, params;
    struct smtp_mail *m = &s->mail;
    s->recipient = (struct smtp_recipient){0};
    size_t max = (size_t)TIDE_MAX(s->options.recipients_max, 1);
    /* Those refused take memory until the transaction ends: they have a bound as well. */
    if (m->recipient_count >= max || m->recipients_tried >= 2 * max + 50) {
        server_say(s, out, 452, "4.5.3", "Too many recipients, send to the others separately");
        return;
    }
    m->recipients_tried++;
    if (!parse_path(s, args, TEXT("TO:"), "5.1.3", &path, &params, out))
        return;
    if (path.n == 0) {
        server_fail(s, out, 501, "5.1.3", "Bad address syntax: a recipient cannot be empty");
        return;
    }
    if (!each_param(s, params, rcpt_param, out) || !check_charset(s, path, out))
        return;
    s->recipient.address = arena_text(&m->arena, path);
    if (s->recipient.address.p)
        server_ask(s, SMTP_ASK_RCPT);
    else
        server_say(s, out, 451, "4.3.0", "Out of memory, try again later");
}

/* ---- DATA, BDAT ---- */

/* Somebody to send to? Says so if not. */
static bool check_recipients(struct smtp_server *s, struct buf *out)
{
    if (s->mail.recipient_count)
        return true;
    /* RFC 2920 3.1: a pipelined DATA after refused recipients only must not get 354. */
    if (s->mail.recipients_tried)
        server_fail(s, out, 554, "5.5.1", "No valid recipients");
    else
        server_fail(s, out, 503, "5.5.1", "Need RCPT before the message");
    return false;
}

static void on_data(struct smtp_server *s, struct text args, struct buf *out)
{
    (void)args;
    if (s->chunked) {
        server_fail(s, out, 503, "5.5.1", "BDAT has begun, DATA cannot follow"); /* RFC 3030 3 */
    } else if (check_recipients(s, out)) {
        server_say(s, out, 354, NULL, "Go ahead, end with a dot on a line of its own");
        s->line_start = true;
        server_move(s, SMTP_STATE_DATA);
    }
}

static bool parse_bdat(struct text args, int64_t *ret_bytes, bool *ret_last)
{
    struct text size = text_cut(args, 0, text_find(args, ' '));
    struct text last = text_trim(text_cut(args, size.n, SIZE_MAX));
    *ret_last = text_ieq(last, TEXT("LAST"));
    return size.n > 0 && ascii_is_digit(size.p[0]) && (last.n == 0 || *ret_last) &&
           text_int(size, 0, INT64_MAX, ret_bytes, NULL) == TIDE_OK;
}

/* Whatever becomes of the chunk, its bytes follow and are no commands. */
static void on_bdat(struct smtp_server *s, struct text args, struct buf *out)
{
    int64_t n;
    bool last;
    if (!has(s, SMTP_EXT_CHUNKING)) {
        server_fail(s, out, 502, "5.5.1", "BDAT is not offered");
    } else if (!parse_bdat(args, &n, &last)) {
        /* How much follows is unknown: to go on would be to take content for commands. */
        server_say(s, out, 501, "5.5.4", "Want BDAT SIZE [LAST]");
        server_move(s, SMTP_STATE_CLOSED);
        return;
    } else {
        s->chunk_left = s->chunk_bytes = n;
        s->chunk_last = last;
        s->chunk_refused = true;
        if (!s->helo[0] || !s->mail.open)
            server_fail(s, out, 503, "5.5.1", "Need MAIL before BDAT");
        else
            s->chunk_refused = !check_recipients(s, out);
        s->chunked |= !s->chunk_refused;
        if (s->state != SMTP_STATE_CLOSED)
            server_move(s, SMTP_STATE_CHUNK);
    }
}

/* ---- the table ---- */

static const struct {
    const char *verb;
    handler *handle;
    unsigned want;
} verbs[] = {
    {"EHLO", on_ehlo, 0},
    {"HELO", on_helo, 0},
    {"MAIL", on_mail, GREETED | ALLOWED | OUTSIDE},
    {"RCPT", on_rcpt, ALLOWED | IN_MAIL},
    {"DATA", on_data, NO_ARGS | ALLOWED | IN_MAIL},
    {"BDAT", on_bdat, 0}, /* looks itself: its chunk has to be read in any case */
    {"RSET", on_rset, NO_ARGS},
    {"NOOP", on_noop, 0},
    {"QUIT", on_quit, NO_ARGS},
    {"VRFY", on_vrfy, 0},
    {"EXPN", on_expn, 0},
    {"HELP", on_help, 0},
    {"STARTTLS", on_starttls, NO_ARGS | OUTSIDE},
    {"AUTH", on_auth, OF_ESMTP | OUTSIDE},
    {"GET", on_http, 0},
    {"POST", on_http, 0},
    {"PUT", on_http, 0},
    {"HEAD", on_http, 0},
    {"OPTIONS", on_http, 0},
    {"CONNECT", on_http, 0},
};

/* true: all is as the verb wants it. */
static bool check_wants(struct smtp_server *s, unsigned want, struct text args, struct buf *out)
{
    if ((want & ALLOWED) && s->options.auth_required && !s->authenticated)
        server_fail(s, out, 530, "5.7.0", "Authentication required");
    else if ((want & GREETED) && !s->helo[0])
        server_fail(s, out, 503, "5.5.1", "Need EHLO first");
    else if ((want & OF_ESMTP) && !s->esmtp)
        server_fail(s, out, 503, "5.5.1", "Need EHLO first");
    else if ((want & IN_MAIL) && !s->mail.open)
        server_fail(s, out, 503, "5.5.1", "Need MAIL first");
    else if ((want & OUTSIDE) && s->mail.open)
        server_fail(s, out, 503, "5.5.1", "Not within a transaction, RSET ends it");
    else if ((want & NO_ARGS) && args.n)
        server_fail(s, out, 501, "5.5.4", "No arguments are wanted here");
    else
        return true;
    return false;
}

void server_on_command(struct smtp_server *s, struct text line, struct buf *out)
{
    struct text verb = text_cut(line, 0, text_find(line, ' '));
    struct text args = text_trim(text_cut(line, verb.n, SIZE_MAX));
    verb = text_trim(verb);
    for (size_t i = 0; i < TIDE_COUNT(verbs); i++) {
        if (!text_ieq(verb, text_of(verbs[i].verb)))
            continue;
        if (check_wants(s, verbs[i].want, args, out))
            verbs[i].handle(s, args, out);
        return;
    }
    server_fail(s, out, 500, "5.5.2", "Unknown command");
}
