/* send: a notification from a message on standard input, or from options. */
#include "cmd/mailtide/ask.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/digest/message.h"
#include "core/proto/json_write.h"

static void put_option(struct cli *cli, struct json_writer *w, const char *name)
{
    const char *value = cli_option_value(cli, name);
    if (value)
        jw_str(w, name, value);
}

/* "a@x.example, b@y.example" as an array: these have no display names, so a comma divides. */
static void put_recipients(struct json_writer *w, const char *to)
{
    struct text rest = text_of(to), piece;
    jw_array(w, "to");
    while (text_split(&rest, ',', &piece)) {
        piece = text_trim(piece);
        if (piece.n > 0)
            jw_text(w, NULL, piece);
    }
    jw_end(w);
}

/* -- A message on standard input -----------------------------------------------------------------
 */

static int put_from_message(struct cli *cli,
                            const struct message *m,
                            struct arena *a,
                            struct json_writer *w)
{
    struct tide_error err = {0};
    struct mailbox from, *to = NULL;
    size_t count = 0;
    if (cli_option_value(cli, "from"))
        put_option(cli, w, "from");
    else if (message_from(m, a, &from, &err) == TIDE_OK)
        jw_text(w, "from", from.address);
    else
        return cli_fail(cli, CLI_USAGE, "standard input: %s; or give --from", err.text);
    if (cli_option_value(cli, "to")) {
        put_recipients(w, cli_option_value(cli, "to"));
        return CLI_OK;
    }
    if (message_recipients(m, a, &to, &count, &err) != TIDE_OK)
        return cli_fail(cli, CLI_USAGE, "standard input: %s", err.text);
    if (count == 0)
        return cli_fail(cli, CLI_USAGE,
                        "standard input: no recipient in To, Cc or Bcc; or give --to");
    jw_array(w, "to");
    for (size_t i = 0; i < count; i++)
        jw_text(w, NULL, to[i].address);
    jw_end(w);
    return CLI_OK;
}

/* Bcc is for us alone: it does not travel (RFC 5322 3.6.3). */
static int put_message(struct cli *cli, struct json_writer *w)
{
    static const char *const without[] = {"Bcc"};
    struct buf in = {.max = CLI_MESSAGE_BYTES_MAX}, whole = {0}, kept = {0}, encoded = {0};
    struct arena arena = {0};
    struct message m;
    struct tide_error err = {0};
    int code = cli_read_stdin(cli, &in);
    if (code == CLI_OK && (message_normalise(buf_text(&in), &whole, &err) != TIDE_OK ||
                           message_open(buf_text(&whole), &m, &err) != TIDE_OK))
        code = cli_fail(cli, CLI_USAGE, "standard input: %s", err.text);
    if (code == CLI_OK)
        code = put_from_message(cli, &m, &arena, w);
    if (code == CLI_OK) {
        message_put_rest(&kept, &m, without, TIDE_COUNT(without));
        base64_encode(buf_text(&kept), &encoded);
        jw_text(w, "message_base64", buf_text(&encoded));
        if (kept.failed != TIDE_OK || encoded.failed != TIDE_OK)
            code = cli_fail(cli, CLI_NO, "out of memory");
    }
    buf_fini(&in);
    buf_fini(&whole);
    buf_fini(&kept);
    buf_fini(&encoded);
    arena_fini(&arena);
    return code;
}

/* -- A message of options ------------------------------------------------------------------------
 */

static int put_pieces(struct cli *cli, struct json_writer *w)
{
    static const char *const wanted[] = {"from", "to", "subject"};
    struct buf text = {.max = CLI_MESSAGE_BYTES_MAX};
    for (size_t i = 0; i < TIDE_COUNT(wanted); i++)
        if (!cli_option_value(cli, wanted[i]))
            return cli_fail(cli, CLI_USAGE,
                            "send wants --%s, or -t and the message on standard input", wanted[i]);
    put_option(cli, w, "from");
    put_recipients(w, cli_option_value(cli, "to"));
    put_option(cli, w, "subject");
    int code = CLI_OK;
    if (cli_option_value(cli, "text")) {
        put_option(cli, w, "text");
    } else {
        code = cli_read_stdin(cli, &text);
        jw_text(w, "text", buf_text(&text));
    }
    buf_fini(&text);
    return code;
}

static void show_answer(struct cli *cli, const struct ask *a)
{
    const struct json *list = json_member(a->doc, "notifications");
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *n = json_element(list, i);
        struct text state = ask_text(n, "state"), reason = ask_text(n, "reason");
        struct buf line = {0};
        show_styled(&cli->show, STYLE_DIM, ask_text(n, "id"));
        buf_adds(&cli->out, "  ");
        show_text(&cli->out, ask_text(n, "recipient"), 0);
        buf_adds(&cli->out, "  ");
        show_styled(&cli->show, show_style_of_state(state), state);
        if (ask_bool(n, "duplicate"))
            buf_adds(&line, "it was handed in before; ");
        show_sentence(&line, reason, SHOW_SPAN_SAID, cli->show.now);
        if (line.len > 0 && !text_eq(buf_text(&line), state)) {
            buf_adds(&cli->out, "\n    ");
            show_paragraph(&cli->show, 4, 4, buf_text(&line));
        } else {
            buf_addc(&cli->out, '\n');
        }
        buf_fini(&line);
    }
}

int cmd_send(struct cli *cli)
{
    static const char *const options[] = {"stream", "thread", "key", "deadline"};
    const char *collapse_key = cli_option_value(cli, "collapse-key");
    struct buf body = {0}, path = {0};
    struct json_writer w;
    struct ask a = {0};
    jw_init(&w, &body);
    jw_object(&w, NULL);
    int code = cli_option_value(cli, "stdin") ? put_message(cli, &w) : put_pieces(cli, &w);
    for (size_t i = 0; i < TIDE_COUNT(options); i++)
        put_option(cli, &w, options[i]);
    if (collapse_key)
        jw_str(&w, "collapse_key", collapse_key);
    if (code == CLI_OK) {
        jw_end(&w);
        buf_adds(&path, "/v1/notifications");
        ask_param(&path, "application", cli_option_value(cli, "application"));
        code = body.failed == TIDE_OK ? ask_post(cli, buf_str(&path), buf_text(&body), &a)
                                      : cli_fail(cli, CLI_NO, "out of memory");
    }
    if (code == CLI_OK && cli_json(cli))
        ask_pass(cli, &a);
    else if (code == CLI_OK)
        show_answer(cli, &a);
    ask_fini(&a);
    buf_fini(&body);
    buf_fini(&path);
    return code;
}
