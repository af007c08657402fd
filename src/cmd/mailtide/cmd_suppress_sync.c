/* suppress sync: the lists of the ESPs, compared and mended now. */
#include "cmd/mailtide/ask.h"

#include "base/macros.h"

#define PATIENCE_S 3600L /* ESPs want their calls slow */

static void show_entry(struct cli *cli, const struct json *v)
{
    struct buf *out = &cli->out;
    struct text words = ask_text(v, "words");
    show_text(out, ask_text(v, "address"), 0);
    buf_addf(out, " (" TEXT_FMT ", " TEXT_FMT "): " TEXT_FMT, TEXT_ARG(ask_text(v, "account")),
             TEXT_ARG(ask_text(v, "list")), TEXT_ARG(ask_text(v, "verdict")));
    buf_adds(out, ": ");
    show_text(out, ask_text(v, "why"), 0);
    buf_addc(out, '\n');
    if (words.n > 0) {
        buf_adds(out, "    it says: ");
        show_text(out, words, 0);
        buf_addc(out, '\n');
    }
}

static void show_answer(struct cli *cli, const struct json *doc)
{
    const struct json *entries = json_member(doc, "entries");
    bool dry = ask_bool(doc, "dry_run");
    for (size_t i = 0; i < json_count(entries); i++)
        show_entry(cli, json_element(entries, i));
    buf_addf(&cli->out, "Read: %lld. %s: %lld, %s: %lld, left alone: %lld",
             (long long)ask_int(doc, "read"), dry ? "Would be taken off" : "Taken off",
             (long long)ask_int(doc, "taken_off"), dry ? "would be learnt" : "learnt",
             (long long)ask_int(doc, "learnt"), (long long)ask_int(doc, "left"));
    if (ask_int(doc, "failed") > 0)
        buf_addf(&cli->out, ", refused by the ESP: %lld", (long long)ask_int(doc, "failed"));
    buf_adds(&cli->out, ".\n");
    if (ask_text(doc, "problems").n > 0)
        cli_fail(cli, CLI_NO, TEXT_FMT, TEXT_ARG(ask_text(doc, "problems")));
}

int suppress_sync(struct cli *cli)
{
    struct buf path = {0};
    struct ask a;
    buf_adds(&path, "/v1/suppressions/sync");
    ask_param(&path, "account", cli_option_value(cli, "account"));
    ask_param(&path, "dry_run", cli_option_value(cli, "dry-run") ? "1" : NULL);
    cli->patience_s = PATIENCE_S;
    int code = ask_post(cli, buf_str(&path), TEXT(""), &a);
    cli->patience_s = 0;
    buf_fini(&path);
    if (code == CLI_OK && cli_json(cli))
        ask_pass(cli, &a);
    else if (code == CLI_OK)
        show_answer(cli, a.doc);
    if (code == CLI_OK && (ask_text(a.doc, "problems").n > 0 || ask_int(a.doc, "failed") > 0))
        code = CLI_NO;
    ask_fini(&a);
    return code;
}
