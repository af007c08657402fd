#include "core/proto/smtp_client.h"

#include "base/macros.h"
#include "core/proto/smtp_envelope.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define BODY_PIECE_BYTES 65536u /* of the message, written at once */
#define QUIT_TIMEOUT_MS  5000   /* nothing depends on the answer */
#define AUTH_STEPS_MAX   3      /* challenges answered before we stop talking */

#define TO(s) (1u << SMTP_##s)
static const struct {
    const char *name;
    unsigned next;
    enum reply_stage stage; /* of what goes wrong in it */
} states[] = {
    [SMTP_GREETING] = {"greeting", TO(EHLO) | TO(CLOSED), STAGE_GREETING},
    [SMTP_EHLO] = {"ehlo", TO(HELO) | TO(STARTTLS) | TO(AUTH) | TO(READY) | TO(CLOSED), STAGE_EHLO},
    [SMTP_HELO] = {"helo", TO(READY) | TO(CLOSED), STAGE_EHLO},
    [SMTP_STARTTLS] = {"starttls", TO(TLS) | TO(READY) | TO(CLOSED), STAGE_STARTTLS},
    [SMTP_TLS] = {"tls", TO(EHLO) | TO(CLOSED), STAGE_STARTTLS},
    [SMTP_AUTH] = {"auth", TO(READY) | TO(CLOSED), STAGE_AUTH},
    [SMTP_READY] = {"ready", TO(READY) | TO(ENVELOPE) | TO(QUIT) | TO(CLOSED), STAGE_MAIL},
    [SMTP_ENVELOPE] = {"envelope", TO(BODY) | TO(LONE_DOT) | TO(RSET) | TO(CLOSED), STAGE_MAIL},
    [SMTP_BODY] = {"body", TO(DOT) | TO(CLOSED), STAGE_DATA},
    [SMTP_DOT] = {"dot", TO(READY) | TO(QUIT) | TO(CLOSED), STAGE_DOT},
    [SMTP_LONE_DOT] = {"lone dot", TO(READY) | TO(QUIT) | TO(CLOSED), STAGE_DOT},
    [SMTP_RSET] = {"rset", TO(READY) | TO(QUIT) | TO(CLOSED), STAGE_MAIL},
    [SMTP_QUIT] = {"quit", TO(CLOSED), STAGE_MAIL},
    [SMTP_CLOSED] = {"closed", 0, STAGE_CONNECT},
};

const char *smtp_state_name(enum smtp_state s)
{
    return states[s].name;
}

static void move(struct smtp_client *c, enum smtp_state next)
{
    assert(states[c->state].next & (1u << next));
    c->state = next;
    if (next == SMTP_READY || next == SMTP_CLOSED)
        c->deadline = TIDE_NEVER;
    if (next == SMTP_READY)
        c->events |= 1u << SMTP_EVENT_READY;
    if (next == SMTP_CLOSED)
        c->events |= 1u << SMTP_EVENT_CLOSE;
    if (next != SMTP_READY)
        c->events &= ~(1u << SMTP_EVENT_READY);
}

static void await(struct smtp_client *c, int64_t timeout_ms)
{
    c->deadline = timeout_ms > 0 ? c->now + timeout_ms : TIDE_NEVER;
}

/* What is waited for, for texts and results. */
static enum reply_stage stage_now(const struct smtp_client *c)
{
    if (c->state != SMTP_ENVELOPE || c->answered == 0)
        return states[c->state].stage;
    return c->data_asked && c->answered + 1 >= c->asked ? STAGE_DATA : STAGE_RCPT;
}

/* --- the fate of the mail and the end of the connection --- */

static void settle(struct smtp_result *r,
                   enum smtp_fate fate,
                   enum reply_stage stage,
                   const struct reply *reply,
                   bool account_fault)
{
    *r = (struct smtp_result){fate, stage, *reply, account_fault};
}

/* Every recipient that has no fate yet meets this one. */
static void settle_rest(struct smtp_client *c,
                        enum smtp_fate fate,
                        enum reply_stage stage,
                        const struct reply *reply,
                        bool account_fault)
{
    for (size_t i = 0; c->mail && i < c->mail->rcpt_count; i++)
        if (c->mail->rcpts[i].result.fate == SMTP_PENDING)
            settle(&c->mail->rcpts[i].result, fate, stage, reply, account_fault);
}

static void let_go(struct smtp_client *c)
{
    if (c->mail)
        c->events |= 1u << SMTP_EVENT_DONE;
    c->mail = NULL;
}

static void close_faulted(struct smtp_client *c, enum smtp_fate fate, const struct reply *reply)
{
    enum reply_stage stage = stage_now(c);
    settle_rest(c, fate, stage, reply, true);
    let_go(c);
    if (c->state != SMTP_QUIT && c->state != SMTP_READY) {
        c->faulted = true;
        c->fault_stage = stage;
        c->fault = *reply;
    }
    c->in.len = 0;
    move(c, SMTP_CLOSED);
}

/* The connection cannot go on, for a reason that is no reply. */
static void fail(struct smtp_client *c, const char *fmt, ...) TIDE_PRINTF(2, 3);
static void fail(struct smtp_client *c, const char *fmt, ...)
{
    char what[REPLY_TEXT_BYTES_MAX];
    struct reply r;
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    reply_set(&r, 0, NULL, "%s", what);
    close_faulted(c, c->state == SMTP_DOT ? SMTP_UNKNOWN : SMTP_NOT_SENT, &r);
}

/* --- what is written --- */

static void command(struct smtp_client *c, const char *line)
{
    buf_adds(&c->out, line);
    buf_adds(&c->out, "\r\n");
    await(c, c->config->command_timeout_ms);
}

static void say_hello(struct smtp_client *c, enum smtp_state with)
{
    c->offer = (struct smtp_offer){0};
    move(c, with);
    buf_adds(&c->out, with == SMTP_EHLO ? "EHLO " : "HELO ");
    command(c, c->config->helo);
}

void smtp_client_quit(struct smtp_client *c, tide_mono_ms now)
{
    assert(!c->mail);
    c->now = now;
    move(c, SMTP_QUIT);
    command(c, "QUIT");
    await(c, QUIT_TIMEOUT_MS);
}

/* The connection can take the next mail, or has taken enough. */
static void transaction_over(struct smtp_client *c)
{
    if (c->config->mails_max > 0 && c->mails_done >= c->config->mails_max)
        smtp_client_quit(c, c->now);
    else
        move(c, SMTP_READY);
}

/* --- greeting, EHLO, STARTTLS, AUTH --- */

static void begin_auth(struct smtp_client *c)
{
    const struct smtp_client_config *config = c->config;
    c->mech = smtp_auth_choose(config->auth, c->offer.mechs);
    c->auth_step = 0;
    move(c, SMTP_AUTH);
    if (!c->tls && config->tls != TLS_NONE) {
        fail(c, "%s offers no TLS, and a password is not sent in the clear (tls = \"none\" would)",
             config->peer);
    } else if (c->mech == AUTH_NONE) {
        fail(c, "%s does not offer the wanted way to authenticate (PLAIN, LOGIN or XOAUTH2)",
             config->peer);
    } else {
        smtp_auth_begin(c->mech, config->user, config->password, &c->out);
        command(c, "");
    }
}

static bool wants_auth(const struct smtp_client *c)
{
    return c->config->auth != AUTH_NONE && c->config->user.n > 0;
}

static void hello_over(struct smtp_client *c)
{
    if (wants_auth(c) && c->state != SMTP_HELO)
        begin_auth(c);
    else if (wants_auth(c))
        fail(c, "%s does not speak ESMTP, so there is no way to authenticate", c->config->peer);
    else
        move(c, SMTP_READY);
}

static void on_hello(struct smtp_client *c, const struct reply *r, struct text raw)
{
    struct text rest = raw, line;
    if (r->code / 100 != 2) {
        if (c->state == SMTP_EHLO && r->code / 100 == 5 && !c->tls &&
            c->config->tls != TLS_REQUIRED)
            say_hello(c, SMTP_HELO); /* RFC 5321 4.1.4 */
        else
            close_faulted(c, SMTP_NOT_SENT, r);
        return;
    }
    if (reply_line(&rest, &line)) /* the first one is the server's name */
        while (c->state == SMTP_EHLO && reply_line(&rest, &line))
            smtp_offer_line(&c->offer, line);
    bool wants_tls = c->config->tls == TLS_REQUIRED || c->config->tls == TLS_OPPORTUNISTIC;
    if (c->tls || !wants_tls) {
        hello_over(c);
    } else if (smtp_client_offers(c, SMTP_EXT_STARTTLS)) {
        move(c, SMTP_STARTTLS);
        command(c, "STARTTLS");
    } else if (c->config->tls == TLS_REQUIRED) {
        move(c, SMTP_STARTTLS);
        fail(c, "%s does not offer STARTTLS, which tls = \"required\" wants", c->config->peer);
    } else {
        hello_over(c);
    }
}

static void on_starttls(struct smtp_client *c, const struct reply *r)
{
    if (r->code / 100 == 2 && c->in.len > 0) {
        /* Whoever put it there meant it to be read as if it were protected (CVE-2011-0411). */
        fail(c, "%s sent bytes in the clear behind its answer to STARTTLS", c->config->peer);
    } else if (r->code / 100 == 2) {
        move(c, SMTP_TLS);
        await(c, c->config->command_timeout_ms);
        c->events |= 1u << SMTP_EVENT_START_TLS;
    } else if (c->config->tls == TLS_REQUIRED || wants_auth(c)) {
        close_faulted(c, SMTP_NOT_SENT, r);
    } else {
        move(c, SMTP_READY);
    }
}

static void on_auth(struct smtp_client *c, const struct reply *r)
{
    if (r->code / 100 == 2) {
        move(c, SMTP_READY);
    } else if (r->code != 334) {
        close_faulted(c, SMTP_NOT_SENT, r);
    } else if (++c->auth_step >= AUTH_STEPS_MAX) {
        fail(c, "%s does not stop asking during AUTH", c->config->peer);
    } else {
        smtp_auth_answer(c->mech, c->auth_step, c->config->user, c->config->password, &c->out);
        command(c, "");
    }
}

/* --- one mail --- */

static void write_rcpt(struct smtp_client *c)
{
    envelope_add_rcpt(c, &c->mail->rcpts[c->ask_at++], &c->out);
    c->asked++;
}

static void write_data(struct smtp_client *c)
{
    buf_adds(&c->out, "DATA\r\n");
    c->asked++;
    c->data_asked = true;
}

/* Moves to the next recipient who is still without a fate; false when there is none. */
static bool skip_settled(const struct smtp_client *c, size_t *at)
{
    while (*at < c->mail->rcpt_count && c->mail->rcpts[*at].result.fate != SMTP_PENDING)
        ++*at;
    return *at < c->mail->rcpt_count;
}

void smtp_client_send(struct smtp_client *c, struct smtp_mail *mail, tide_mono_ms now)
{
    struct reply no;
    assert(c->state == SMTP_READY && !c->mail && mail->rcpt_count > 0);
    c->now = now;
    c->mail = mail;
    c->asked = c->answered = c->ask_at = c->answer_at = c->accepted = 0;
    c->mail_accepted = c->data_asked = false;
    bool refused = envelope_refused(c, mail, &no);
    for (size_t i = 0; i < mail->rcpt_count; i++) {
        mail->rcpts[i].result = (struct smtp_result){0};
        if (refused)
            settle(&mail->rcpts[i].result, SMTP_REFUSED, STAGE_MAIL, &no, false);
        else if (envelope_rcpt_refused(c, &mail->rcpts[i], &no))
            settle(&mail->rcpts[i].result, SMTP_REFUSED, STAGE_RCPT, &no, false);
    }
    if (!skip_settled(c, &c->ask_at)) {
        let_go(c);
        move(c, SMTP_READY);
        return;
    }
    c->mails_done++;
    move(c, SMTP_ENVELOPE);
    envelope_add_mail(c, mail, &c->out);
    c->asked = 1;
    if (smtp_client_offers(c, SMTP_EXT_PIPELINING)) {
        while (skip_settled(c, &c->ask_at))
            write_rcpt(c);
        write_data(c);
    }
    await(c, c->config->command_timeout_ms);
}

static void begin_body(struct smtp_client *c)
{
    move(c, SMTP_BODY);
    dot_begin(&c->dot, c->mail->message);
    await(c, c->config->command_timeout_ms);
}

static void reset(struct smtp_client *c)
{
    let_go(c);
    move(c, SMTP_RSET);
    command(c, "RSET");
}

/* All that was asked is answered, DATA was not: asks for what comes next. */
static void ask_next(struct smtp_client *c)
{
    if (!c->mail_accepted || (!skip_settled(c, &c->ask_at) && c->accepted == 0)) {
        reset(c);
        return;
    }
    if (skip_settled(c, &c->ask_at))
        write_rcpt(c);
    else
        write_data(c);
    await(c, c->config->command_timeout_ms);
}

static void on_data_answer(struct smtp_client *c, const struct reply *r)
{
    if (r->code / 100 == 3 && c->accepted > 0) {
        begin_body(c);
    } else if (r->code / 100 == 3) {
        /* RFC 2920 3.1: it waits for a message, so it gets an empty one that goes to nobody. */
        let_go(c);
        move(c, SMTP_LONE_DOT);
        buf_adds(&c->out, ".\r\n");
        await(c, c->config->dot_timeout_ms);
    } else {
        settle_rest(c, SMTP_REFUSED, STAGE_DATA, r, false);
        reset(c);
    }
}

/* Refusals that say nothing about this mail: the connection closes or wants a login. */
static bool is_account_code(int code)
{
    return code == 421 || code == 530 || code == 534 || code == 535 || code == 538;
}

static void on_envelope(struct smtp_client *c, const struct reply *r)
{
    bool yes = r->code / 100 == 2, first = c->answered == 0;
    enum reply_stage stage = stage_now(c);
    if (stage == STAGE_DATA ? yes : r->code / 100 == 3) {
        fail(c, "%s answers %s with %d", c->config->peer, reply_stage_name(stage), r->code);
        return;
    }
    c->answered++;
    if (stage == STAGE_DATA) {
        on_data_answer(c, r);
        return;
    }
    if (first) {
        c->mail_accepted = yes;
        if (!yes)
            settle_rest(c, SMTP_REFUSED, STAGE_MAIL, r, is_account_code(r->code));
    } else if (c->mail_accepted && skip_settled(c, &c->answer_at)) {
        struct smtp_rcpt *rcpt = &c->mail->rcpts[c->answer_at++];
        if (yes)
            c->accepted++;
        else
            settle(&rcpt->result, SMTP_REFUSED, STAGE_RCPT, r, is_account_code(r->code));
    }
    if (c->answered < c->asked)
        await(c, c->config->command_timeout_ms);
    else
        ask_next(c);
}

/* A reply before the message was whole: it can only be a refusal, and the server is now somewhere
 * in the middle of a message that we shall not finish. */
static void on_early_reply(struct smtp_client *c, const struct reply *r)
{
    if (r->code < 400) {
        fail(c, "%s sent %d before the message was whole", c->config->peer, r->code);
        return;
    }
    settle_rest(c, SMTP_REFUSED, STAGE_DATA, r, is_account_code(r->code));
    close_faulted(c, SMTP_REFUSED, r);
}

static void on_dot(struct smtp_client *c, const struct reply *r)
{
    if (r->code / 100 == 3) {
        fail(c, "%s answers the final dot with %d", c->config->peer, r->code);
        return;
    }
    bool yes = r->code / 100 == 2;
    settle_rest(c, yes ? SMTP_ACCEPTED : SMTP_REFUSED, STAGE_DOT, r,
                !yes && is_account_code(r->code));
    let_go(c);
    transaction_over(c);
}

/* --- what comes in --- */

static void on_reply(struct smtp_client *c, const struct reply *r, struct text raw)
{
    if (r->code == 421 && c->state != SMTP_QUIT) {
        close_faulted(c, c->mail ? SMTP_REFUSED : SMTP_NOT_SENT, r);
        return;
    }
    switch (c->state) {
    case SMTP_GREETING:
        if (r->code / 100 == 2)
            say_hello(c, SMTP_EHLO);
        else
            close_faulted(c, SMTP_NOT_SENT, r);
        break;
    case SMTP_EHLO:
    case SMTP_HELO:
        on_hello(c, r, raw);
        break;
    case SMTP_STARTTLS:
        on_starttls(c, r);
        break;
    case SMTP_AUTH:
        on_auth(c, r);
        break;
    case SMTP_ENVELOPE:
        on_envelope(c, r);
        break;
    case SMTP_BODY:
        on_early_reply(c, r);
        break;
    case SMTP_DOT:
        on_dot(c, r);
        break;
    case SMTP_LONE_DOT:
        transaction_over(c);
        break;
    case SMTP_RSET:
        if (r->code / 100 == 2)
            transaction_over(c);
        else
            smtp_client_quit(c, c->now);
        break;
    case SMTP_TLS:
    case SMTP_READY:
        fail(c, "%s sent a reply that nobody asked for: %d %s", c->config->peer, r->code, r->text);
        break;
    case SMTP_QUIT:
        move(c, SMTP_CLOSED);
        break;
    case SMTP_CLOSED:
        break;
    }
}

void smtp_client_input(struct smtp_client *c, struct text bytes, tide_mono_ms now)
{
    struct tide_error err;
    c->now = now;
    if (c->state == SMTP_CLOSED)
        return;
    buf_add_text(&c->in, bytes);
    if (buf_check(&c->in, &err) != TIDE_OK)
        fail(c, "the replies of %s: %s", c->config->peer, err.text);
    size_t at = 0;
    while (c->state != SMTP_CLOSED && at < c->in.len) {
        struct text rest = text_cut(buf_text(&c->in), at, c->in.len);
        struct reply r;
        size_t n = 0;
        enum tide_err rc = reply_scan(rest, &n, &err);
        if (rc == TIDE_OK && n == 0)
            break;
        if (rc == TIDE_OK)
            rc = reply_parse(text_cut(rest, 0, n), &r, &err);
        if (rc != TIDE_OK) {
            fail(c, "%s answered what is no reply: %s", c->config->peer, err.text);
            break;
        }
        at += n;
        struct text raw = text_cut(rest, 0, n);
        if (c->state == SMTP_STARTTLS) { /* sees what is left */
            buf_consume(&c->in, at);
            at = 0;
            raw = (struct text){0};
        }
        on_reply(c, &r, raw);
    }
    buf_consume(&c->in, at);
}

struct text smtp_client_output(struct smtp_client *c)
{
    struct tide_error err;
    if (c->state == SMTP_BODY && c->out_at == c->out.len && !c->dot.ended) {
        buf_clear(&c->out);
        c->out_at = 0;
        dot_write(&c->dot, BODY_PIECE_BYTES, &c->out);
    }
    if (c->state != SMTP_CLOSED && buf_check(&c->out, &err) != TIDE_OK)
        fail(c, "writing to %s: %s", c->config->peer, err.text);
    if (c->state == SMTP_CLOSED)
        return (struct text){0};
    return text_cut(buf_text(&c->out), c->out_at, c->out.len);
}

void smtp_client_wrote(struct smtp_client *c, size_t n, tide_mono_ms now)
{
    c->now = now;
    assert(n <= c->out.len - c->out_at || c->state == SMTP_CLOSED);
    if (c->state == SMTP_CLOSED)
        return;
    c->out_at += n;
    if (c->out_at == c->out.len) {
        buf_clear(&c->out);
        c->out_at = 0;
    }
    if (c->state != SMTP_BODY)
        return;
    if (c->dot.ended && c->out.len == 0) {
        move(c, SMTP_DOT);
        await(c, c->config->dot_timeout_ms);
    } else {
        await(c, c->config->command_timeout_ms);
    }
}

void smtp_client_tls_open(struct smtp_client *c, tide_mono_ms now)
{
    c->now = now;
    c->tls = true;
    say_hello(c, SMTP_EHLO);
}

void smtp_client_broken(struct smtp_client *c, const char *what)
{
    if (c->state != SMTP_CLOSED)
        fail(c, "%s: %s", c->config->peer, what);
}

void smtp_client_tick(struct smtp_client *c, tide_mono_ms now)
{
    char waited[32];
    c->now = now;
    if (c->state == SMTP_CLOSED || now < c->deadline)
        return;
    int64_t ms = c->state == SMTP_DOT || c->state == SMTP_LONE_DOT ? c->config->dot_timeout_ms
                                                                   : c->config->command_timeout_ms;
    text_of_duration(ms, waited, sizeof waited);
    if (c->state == SMTP_BODY)
        fail(c, "%s took nothing of the message for %s", c->config->peer, waited);
    else
        fail(c, "%s did not answer within %s (%s)", c->config->peer, waited,
             reply_stage_name(stage_now(c)));
}

tide_mono_ms smtp_client_deadline(const struct smtp_client *c)
{
    return c->deadline;
}

void smtp_client_init(struct smtp_client *c,
                      const struct smtp_client_config *config,
                      bool tls_open,
                      tide_mono_ms now)
{
    *c = (struct smtp_client){.config = config, .tls = tls_open, .now = now};
    await(c, config->command_timeout_ms);
}

void smtp_client_fini(struct smtp_client *c)
{
    if (c->out.data)
        explicit_bzero(c->out.data, c->out.cap); /* a password may have stood in it */
    buf_fini(&c->in);
    buf_fini(&c->out);
}

enum smtp_event smtp_client_next(struct smtp_client *c)
{
    static const enum smtp_event order[] = {SMTP_EVENT_START_TLS, SMTP_EVENT_DONE, SMTP_EVENT_READY,
                                            SMTP_EVENT_CLOSE};
    for (size_t i = 0; i < TIDE_COUNT(order); i++)
        if (c->events >> order[i] & 1) {
            c->events &= ~(1u << order[i]);
            return order[i];
        }
    return SMTP_EVENT_NONE;
}
