#include "core/proto/smtp_server.h"

#include "base/macros.h"
#include "core/proto/smtp_server_in.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* One connection. smtp_server_close() moves any state but ASKED about a message to CLOSED at once.
 *
 *   NEW --greeting--> COMMAND --line--> COMMAND
 *   COMMAND --AUTH--> AUTH --line--> AUTH, COMMAND (cancelled, garbled) or ASKED
 *   COMMAND --DATA--> DATA --CRLF . CRLF--> ASKED, COMMAND (too big)
 *   COMMAND --BDAT n--> CHUNK --n bytes--> COMMAND, ASKED (LAST)
 *   COMMAND --MAIL, RCPT--> ASKED --answer--> COMMAND, CLOSED (421)
 *   COMMAND --STARTTLS--> TLS --started--> COMMAND
 *   COMMAND --QUIT, too many errors--> CLOSED */
#define TO(s) (1u << SMTP_STATE_##s)
static const unsigned moves[] = {
    [SMTP_STATE_NEW] = TO(COMMAND) | TO(CLOSED),
    [SMTP_STATE_COMMAND] =
        TO(COMMAND) | TO(AUTH) | TO(DATA) | TO(CHUNK) | TO(ASKED) | TO(TLS) | TO(CLOSED),
    [SMTP_STATE_AUTH] = TO(AUTH) | TO(COMMAND) | TO(ASKED) | TO(CLOSED),
    [SMTP_STATE_DATA] = TO(ASKED) | TO(COMMAND) | TO(CLOSED),
    [SMTP_STATE_CHUNK] = TO(ASKED) | TO(COMMAND) | TO(CLOSED),
    [SMTP_STATE_ASKED] = TO(COMMAND) | TO(CLOSED),
    [SMTP_STATE_TLS] = TO(COMMAND) | TO(CLOSED),
    [SMTP_STATE_CLOSED] = TO(CLOSED),
};

void server_move(struct smtp_server *s, enum smtp_server_state next)
{
    assert(moves[s->state] & (1u << next));
    s->state = next;
}

void server_ask(struct smtp_server *s, enum smtp_ask ask)
{
    server_move(s, SMTP_STATE_ASKED);
    s->ask = ask;
}

/* Idle connections keep little: what one message needed goes when it was much. */
#define KEEP_BYTES 16384u

static void empty(struct buf *b)
{
    if (b->cap > KEEP_BYTES) {
        size_t max = b->max;
        buf_fini(b);
        buf_init(b, max);
    } else {
        buf_clear(b);
    }
}

static void forget_auth(struct smtp_server *s)
{
    if (s->auth.data)
        explicit_bzero(s->auth.data, s->auth.cap);
    buf_clear(&s->auth);
    s->credentials = (struct smtp_credentials){0};
    s->auth_user_n = 0;
}

void server_end_mail(struct smtp_server *s)
{
    struct smtp_mail *m = &s->mail;
    empty(&m->message);
    if (m->arena.used_bytes > KEEP_BYTES) {
        arena_fini(&m->arena);
        arena_init(&m->arena, 0);
    } else if (m->arena.used_bytes) {
        arena_reset(&m->arena);
    }
    *m = (struct smtp_mail){.message = m->message, .arena = m->arena};
    s->recipient = (struct smtp_recipient){0};
    s->message_too_big = s->chunked = false;
}

void smtp_server_init(struct smtp_server *s, const struct smtp_server_options *options)
{
    *s = (struct smtp_server){.options = *options, .tls = options->tls};
    (void)snprintf(s->hostname, sizeof s->hostname, "%s", options->hostname);
    s->options.hostname = s->hostname;
}

void smtp_server_fini(struct smtp_server *s)
{
    forget_auth(s);
    buf_fini(&s->auth);
    buf_fini(&s->in);
    buf_fini(&s->mail.message);
    arena_fini(&s->mail.arena);
}

/* ---- replies ---- */

#define REPLY_TEXT_COLUMNS 480u /* RFC 5321 4.5.3.1.5: a line of 512 with codes and CR LF */

/* The text as it may stand in a reply: no control characters, UTF-8 only for those who know it
 * (RFC 6531 3.7.4.2). */
static void add_clean(struct buf *out, struct text t, bool utf8)
{
    char *to = buf_room(out, t.n);
    for (size_t i = 0; to && i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        to[i] = c < ' ' || c == 127 ? ' ' : c >= 128 && !utf8 ? '?' : (char)c;
    }
    if (to)
        buf_added(out, t.n);
}

/* How much of the text goes on one line: up to a blank, else never within a character. */
static size_t line_length(struct text t)
{
    if (t.n <= REPLY_TEXT_COLUMNS)
        return t.n;
    for (size_t n = REPLY_TEXT_COLUMNS; n > REPLY_TEXT_COLUMNS / 2; n--)
        if (t.p[n] == ' ')
            return n;
    size_t n = REPLY_TEXT_COLUMNS;
    while (n > 1 && ((unsigned char)t.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void write_reply(
    struct smtp_server *s, struct buf *out, int code, const char *enhanced, struct text t)
{
    bool utf8 = s->mail.smtputf8 && text_is_utf8(t);
    if (!(s->options.extensions & SMTP_EXT_ENHANCED))
        enhanced = NULL;
    do {
        size_t n = line_length(t);
        const char head[] = {(char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10),
                             (char)('0' + code % 10), n < t.n ? '-' : ' '};
        buf_add(out, head, sizeof head);
        if (enhanced) {
            buf_adds(out, enhanced);
            buf_addc(out, ' ');
        }
        add_clean(out, text_cut(t, 0, n), utf8);
        buf_add(out, "\r\n", 2);
        t = text_cut(t, n, SIZE_MAX);
    } while (t.n > 0);
}

static void vsay(struct smtp_server *s,
                 struct buf *out,
                 int code,
                 const char *enhanced,
                 const char *fmt,
                 va_list args) TIDE_PRINTF(5, 0);

static void vsay(struct smtp_server *s,
                 struct buf *out,
                 int code,
                 const char *enhanced,
                 const char *fmt,
                 va_list args)
{
    char text[512];
    (void)vsnprintf(text, sizeof text, fmt, args);
    write_reply(s, out, code, enhanced, text_of(text));
}

void server_say(
    struct smtp_server *s, struct buf *out, int code, const char *enhanced, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsay(s, out, code, enhanced, fmt, args);
    va_end(args);
}

static void count_error(struct smtp_server *s, struct buf *out)
{
    s->errors++;
    if (s->options.errors_max <= 0 || s->errors < s->options.errors_max ||
        s->state == SMTP_STATE_CLOSED)
        return;
    server_say(s, out, 421, "4.7.0", "%s Too many errors, closing the connection", s->hostname);
    server_move(s, SMTP_STATE_CLOSED);
}

void server_fail(
    struct smtp_server *s, struct buf *out, int code, const char *enhanced, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsay(s, out, code, enhanced, fmt, args);
    va_end(args);
    count_error(s, out);
}

/* "2.1.5": each part has three digits at most (RFC 3463 2). printf takes its time, and there are
 * four replies to a mail. */
static void enhanced_text(const int parts[3], char out[12])
{
    for (size_t i = 0; i < 3; i++) {
        int n = TIDE_MIN(TIDE_MAX(parts[i], 0), 999);
        if (n >= 100)
            *out++ = (char)('0' + n / 100);
        if (n >= 10)
            *out++ = (char)('0' + n / 10 % 10);
        *out++ = (char)('0' + n % 10);
        *out++ = i < 2 ? '.' : '\0';
    }
}

static void say_reply(struct smtp_server *s, struct buf *out, const struct reply *r)
{
    char enhanced[12];
    const char *text = r->text[0] ? r->text : r->code < 300 ? "Ok" : "Refused";
    enhanced_text(r->enhanced, enhanced);
    write_reply(s, out, r->code, r->enhanced[0] ? enhanced : NULL, text_of(text));
}

/* ---- the owner's side ---- */

void smtp_server_greet(struct smtp_server *s, const struct reply *refusal, struct buf *out)
{
    if (refusal) {
        if (refusal->code)
            say_reply(s, out, refusal);
        server_move(s, SMTP_STATE_CLOSED);
        return;
    }
    server_say(s, out, 220, NULL, "%s ESMTP mailtide", s->hostname);
    server_move(s, SMTP_STATE_COMMAND);
}

enum tide_err smtp_server_feed(struct smtp_server *s,
                               const void *bytes,
                               size_t n,
                               struct tide_error *err)
{
    if (s->state == SMTP_STATE_CLOSED || s->state == SMTP_STATE_TLS)
        return TIDE_OK; /* nothing of it will be read: RFC 3207 4.2 for what follows STARTTLS */
    buf_add(&s->in, bytes, n);
    return buf_check(&s->in, err);
}

static void add_recipient(struct smtp_server *s, const struct reply *r, struct buf *out)
{
    struct smtp_mail *m = &s->mail;
    if (m->recipient_count == m->recipient_cap) {
        size_t cap = m->recipient_cap ? m->recipient_cap * 2 : 4;
        struct smtp_recipient *more = arena_array(&m->arena, cap, sizeof *more);
        if (!more) {
            server_say(s, out, 451, "4.3.0", "Out of memory, try again later");
            return;
        }
        if (m->recipient_count)
            memcpy(more, m->recipients, m->recipient_count * sizeof *more);
        m->recipients = more;
        m->recipient_cap = cap;
    }
    m->recipients[m->recipient_count++] = s->recipient;
    say_reply(s, out, r);
}

static void close_now(struct smtp_server *s, const struct reply *why, struct buf *out)
{
    if (why->code)
        say_reply(s, out, why);
    server_end_mail(s);
    forget_auth(s);
    server_move(s, SMTP_STATE_CLOSED);
}

void smtp_server_answer(struct smtp_server *s, const struct reply *r, struct buf *out)
{
    assert(s->state == SMTP_STATE_ASKED);
    enum smtp_ask ask = s->ask;
    bool yes = r->code >= 200 && r->code < 300;
    s->ask = SMTP_NEED_INPUT;
    if (r->code == 0 || r->code == 421) {
        close_now(s, r, out);
        return;
    }
    server_move(s, SMTP_STATE_COMMAND);
    if (ask == SMTP_ASK_RCPT && yes)
        add_recipient(s, r, out);
    else
        say_reply(s, out, r);
    if (ask == SMTP_ASK_AUTH) {
        s->authenticated = yes;
        forget_auth(s);
        if (!yes)
            count_error(s, out);
    } else if (ask == SMTP_ASK_MAIL && yes) {
        s->mail.open = true;
    } else if (ask == SMTP_ASK_MAIL || ask == SMTP_ASK_MESSAGE) {
        s->messages += ask == SMTP_ASK_MESSAGE;
        server_end_mail(s);
    }
    if (s->close_wanted && s->state != SMTP_STATE_CLOSED)
        close_now(s, &s->close_reply, out);
}

void smtp_server_tls_started(struct smtp_server *s)
{
    assert(s->state == SMTP_STATE_TLS);
    server_end_mail(s);
    buf_clear(&s->in);
    s->pos = 0;
    s->tls = true;
    s->authenticated = s->esmtp = false;
    s->helo[0] = '\0';
    server_move(s, SMTP_STATE_COMMAND);
}

void smtp_server_close(struct smtp_server *s, const struct reply *why, struct buf *out)
{
    if (s->state == SMTP_STATE_CLOSED)
        return;
    if (s->state == SMTP_STATE_ASKED) {
        s->close_wanted = true;
        s->close_reply = *why;
        return;
    }
    close_now(s, why, out);
}

/* ---- the stream ---- */

static struct text unread(const struct smtp_server *s)
{
    return text_cut(buf_text(&s->in), s->pos, SIZE_MAX);
}

static bool has_bare_end(struct text line)
{
    return (line.n && (memchr(line.p, '\r', line.n) || memchr(line.p, '\0', line.n)));
}

static bool is_auth(const struct smtp_server *s, struct text line)
{
    return s->state == SMTP_STATE_AUTH || text_istarts(line, TEXT("AUTH "));
}

/* false: no whole line is there. */
static bool step_line(struct smtp_server *s, struct buf *out)
{
    struct text in = unread(s);
    size_t n = text_find(in, '\n');
    if (n == in.n) {
        if (s->line_too_long || in.n > SMTP_AUTH_BYTES_MAX) {
            s->line_too_long = true; /* told at its end, so that the stream stays in step */
            s->pos = s->in.len;
        }
        return false;
    }
    struct text line = text_cut(in, 0, n);
    bool crlf = n > 0 && in.p[n - 1] == '\r';
    bool too_long = s->line_too_long;
    s->line_too_long = false;
    s->pos += n + 1;
    if (crlf)
        line.n--;
    too_long |= n + 1 > (is_auth(s, line) ? SMTP_AUTH_BYTES_MAX : SMTP_LINE_BYTES_MAX);
    if (too_long || !crlf || has_bare_end(line)) {
        if (s->state == SMTP_STATE_AUTH) {
            forget_auth(s);
            server_move(s, SMTP_STATE_COMMAND);
        }
        if (too_long)
            server_fail(s, out, 500, "5.5.6", "Line too long");
        else
            server_fail(s, out, 500, "5.5.2", "A line ends with CR LF, and has neither before");
    } else if (s->state == SMTP_STATE_AUTH) {
        server_on_auth_line(s, line, out);
    } else {
        server_on_command(s, line, out);
    }
    return true;
}

static void add_content(struct smtp_server *s, struct text t)
{
    struct smtp_mail *m = &s->mail;
    if (s->message_too_big)
        return;
    if ((int64_t)(m->message.len + t.n) > s->options.message_bytes_max) {
        s->message_too_big = true;
        empty(&m->message);
        return;
    }
    buf_add(&m->message, t.p, t.n);
}

static void say_too_big(struct smtp_server *s, struct buf *out)
{
    server_fail(s, out, 552, "5.3.4", "Message over the limit of %" PRId64 " bytes",
                s->options.message_bytes_max);
}

static void end_message(struct smtp_server *s, struct buf *out)
{
    if (!s->message_too_big && s->mail.message.failed == TIDE_OK) {
        server_ask(s, SMTP_ASK_MESSAGE);
        return;
    }
    server_move(s, SMTP_STATE_COMMAND);
    if (s->message_too_big)
        say_too_big(s, out);
    else
        server_say(s, out, 451, "4.3.0", "Out of memory, try again later");
    server_end_mail(s);
}

/* At the start of a line a dot either ends the message or was put there by the sender (RFC 5321
 * 4.5.2). false: what is there could still become either. */
static bool step_line_start(struct smtp_server *s, struct buf *out)
{
    struct text in = unread(s);
    struct text end = TEXT(".\r\n");
    if (in.n < end.n && text_starts(end, in))
        return false;
    s->line_start = false;
    if (text_starts(in, end)) {
        s->pos += end.n;
        end_message(s, out);
    } else if (in.p[0] == '.') {
        s->pos++;
    }
    return true;
}

/* Where a dot stands right behind CR LF; in.n: nowhere. memmem() took a third of all time here. */
static size_t find_line_dot(struct text in)
{
    for (size_t from = 2; from < in.n; from++) {
        const char *dot = memchr(in.p + from, '.', in.n - from);
        if (!dot)
            break;
        from = (size_t)(dot - in.p);
        if (dot[-1] == '\n' && dot[-2] == '\r')
            return from;
    }
    return in.n;
}

static bool step_data(struct smtp_server *s, struct buf *out)
{
    if (s->line_start)
        return step_line_start(s, out);
    struct text in = unread(s);
    if (in.n == 0)
        return false;
    size_t n = find_line_dot(in);
    if (n < in.n) {
        add_content(s, text_cut(in, 0, n));
        s->pos += n;
        s->line_start = true;
        return true;
    }
    /* What may be the front of CR LF . stays until it is clear. */
    size_t keep = in.p[in.n - 1] == '\r'                                 ? 1
                  : in.n >= 2 && memcmp(in.p + in.n - 2, "\r\n", 2) == 0 ? 2
                                                                         : 0;
    add_content(s, text_cut(in, 0, in.n - keep));
    s->pos += in.n - keep;
    return false;
}

static bool step_chunk(struct smtp_server *s, struct buf *out)
{
    struct text in = unread(s);
    size_t n = (uint64_t)s->chunk_left < in.n ? (size_t)s->chunk_left : in.n;
    if (!s->chunk_refused)
        add_content(s, text_cut(in, 0, n));
    s->pos += n;
    s->chunk_left -= (int64_t)n;
    if (s->chunk_left > 0)
        return false;
    if (s->chunk_refused) {
        server_move(s, SMTP_STATE_COMMAND); /* the refusal went out with the command */
    } else if (s->chunk_last || s->message_too_big) {
        end_message(s, out);
    } else {
        server_move(s, SMTP_STATE_COMMAND);
        server_say(s, out, 250, "2.0.0", "%" PRId64 " bytes received", s->chunk_bytes);
    }
    return true;
}

/* true: something was done, there may be more to do. */
static bool step_once(struct smtp_server *s, struct buf *out)
{
    switch (s->state) {
    case SMTP_STATE_COMMAND:
    case SMTP_STATE_AUTH:
        return step_line(s, out);
    case SMTP_STATE_DATA:
        return step_data(s, out);
    case SMTP_STATE_CHUNK:
        return step_chunk(s, out);
    case SMTP_STATE_NEW:
    case SMTP_STATE_ASKED:
    case SMTP_STATE_TLS:
    case SMTP_STATE_CLOSED:
        return false;
    }
    return false;
}

enum smtp_ask smtp_server_step(struct smtp_server *s, struct buf *out)
{
    while (step_once(s, out))
        continue;
    if (s->state == SMTP_STATE_TLS || s->state == SMTP_STATE_CLOSED)
        s->pos = s->in.len;
    if (s->pos == s->in.len) {
        empty(&s->in);
        s->pos = 0;
    } else if (s->pos > s->in.len / 2) { /* not at every question: each byte is moved once or so */
        buf_consume(&s->in, s->pos);
        s->pos = 0;
    }
    if (s->state == SMTP_STATE_CLOSED)
        return SMTP_ASK_CLOSE;
    if (s->state == SMTP_STATE_TLS)
        return SMTP_ASK_STARTTLS;
    return s->state == SMTP_STATE_ASKED ? s->ask : SMTP_NEED_INPUT;
}
