/* Whatever bytes come: the replies and the messages are the same whether they come at once or in
 * pieces, replies are lines of three digits, and memory stays in bounds. The first two bytes choose
 * the size of the pieces and the options. */
#include "core/proto/smtp_server.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

/* Yes to all but what holds an "x"; each decision is noted. */
static void answer(struct smtp_server *s, enum smtp_ask ask, struct buf *notes, struct buf *out)
{
    struct reply r = {.code = 250, .enhanced = {2, 0, 0}};
    struct text what = ask == SMTP_ASK_AUTH   ? s->credentials.user
                       : ask == SMTP_ASK_MAIL ? s->mail.sender
                       : ask == SMTP_ASK_RCPT ? s->recipient.address
                                              : buf_text(&s->mail.message);
    if (ask == SMTP_ASK_MESSAGE)
        must(s->mail.recipient_count > 0 && s->mail.open);
    buf_addf(notes, "[%d %zu]", (int)ask, what.n);
    buf_add_text(notes, what);
    if (text_find(what, 'x') < what.n)
        r = (struct reply){.code = 550, .text = "an x"};
    smtp_server_answer(s, &r, out);
}

static void run(struct text in, size_t piece, unsigned choice, struct buf *notes, struct buf *out)
{
    struct smtp_server s;
    struct smtp_server_options o = {
        .hostname = "mx.example.org",
        .extensions = choice & 1 ? SMTP_EXT_ALL : SMTP_EXT_PIPELINING | SMTP_EXT_CHUNKING,
        .auth_without_tls = choice & 2,
        .auth_required = choice & 4,
        .message_bytes_max = choice & 8 ? 50 : 100000,
        .recipients_max = 3,
        .errors_max = choice & 16 ? 5 : 0,
        .messages_max = choice & 32 ? 2 : 0,
    };
    smtp_server_init(&s, &o);
    smtp_server_greet(&s, NULL, out);
    enum smtp_ask ask = SMTP_NEED_INPUT;
    while (in.n && ask != SMTP_ASK_CLOSE && ask != SMTP_ASK_STARTTLS) {
        size_t n = piece < in.n ? piece : in.n;
        must(smtp_server_feed(&s, in.p, n, NULL) == TIDE_OK);
        in = text_cut(in, n, SIZE_MAX);
        while ((ask = smtp_server_step(&s, out)) >= SMTP_ASK_AUTH && ask <= SMTP_ASK_MESSAGE)
            answer(&s, ask, notes, out);
        must(s.mail.recipient_count <= 3 && (int64_t)s.mail.message.len <= o.message_bytes_max);
    }
    smtp_server_fini(&s);
}

static void check_replies(struct text out)
{
    struct text line;
    while (text_split(&out, '\n', &line)) {
        if (line.n == 0 && out.n == 0)
            return;
        must(line.n >= 5 && line.n < 600 && line.p[line.n - 1] == '\r');
        must(ascii_is_digit(line.p[0]) && (line.p[3] == ' ' || line.p[3] == '-'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct text in = {(const char *)data + 2, size - 2};
    struct buf out = {0}, notes = {0}, cut_out = {0}, cut_notes = {0};
    run(in, SIZE_MAX, data[1], &notes, &out);
    run(in, (size_t)data[0] + 1, data[1], &cut_notes, &cut_out);
    must(text_eq(buf_text(&out), buf_text(&cut_out)));
    must(text_eq(buf_text(&notes), buf_text(&cut_notes)));
    check_replies(buf_text(&out));
    buf_fini(&out);
    buf_fini(&notes);
    buf_fini(&cut_out);
    buf_fini(&cut_notes);
    return 0;
}
