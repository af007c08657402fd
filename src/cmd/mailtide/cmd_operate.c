/* cancel and release. */
#include "cmd/mailtide/ask.h"

static int operate(struct cli *cli, const char *verb, const char *done, const char *unit)
{
    bool is_address = false;
    const char *what = cli->argv[0];
    struct buf path = {0};
    struct ask a;
    int code = ask_check_address_or_id(cli, what, &is_address);
    if (code != CLI_OK)
        return code;
    if (is_address) {
        buf_addf(&path, "/v1/%s", verb);
        ask_param(&path, "recipient", what);
    } else {
        buf_addf(&path, "/v1/notifications/%s/%s", what, verb);
    }
    code = ask_post(cli, buf_str(&path), TEXT(""), &a);
    buf_fini(&path);
    if (code == CLI_OK) {
        int64_t n = ask_int(a.doc, done);
        if (cli_json(cli))
            ask_pass(cli, &a);
        if (n == 0)
            code = cli_fail(cli, CLI_NOT_FOUND, "nothing of %s is pending: see mailtide why %s",
                            what, what);
        else if (!cli_json(cli))
            buf_addf(&cli->out, "%lld %s%s %s.\n", (long long)n, unit, n == 1 ? "" : "s", done);
    }
    ask_fini(&a);
    return code;
}

int cmd_cancel(struct cli *cli)
{
    return operate(cli, "cancel", "cancelled", "notification");
}

int cmd_release(struct cli *cli)
{
    return operate(cli, "release", "released", "mail");
}
