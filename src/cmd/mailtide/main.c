/* mailtide - asks and steers mailtided. What there is stands in commands.c, the manual in
 * mailtide.1. */
#include "cmd/mailtide/cli.h"

#include <signal.h>

int main(int argc, char **argv)
{
    struct cli cli;
    signal(SIGPIPE, SIG_IGN); /* of the daemon's socket; the output's end is an error as any */
    cli_init(&cli);
    int code = cli_parse_as(&cli, argc, argv);
    if (code == CLI_OK && cli_option_value(&cli, "help"))
        code = cli_flush(&cli, cmd_help(&cli));
    else if (code == CLI_OK)
        code = cli_flush(&cli, cli.command->run(&cli));
    cli_fini(&cli);
    return code;
}
