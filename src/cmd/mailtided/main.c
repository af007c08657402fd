/* mailtided - the daemon: options. What it does stands in daemon.h, its manual in mailtided.8. */
#include "base/log.h"
#include "cmd/mailtided/daemon.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "usage: mailtided [-c FILE] [--clock ORIGIN@RATE]\n"
    "\n"
    "  -c, --config FILE   the configuration; without it the embedded defaults: SMTP on\n"
    "                      127.0.0.1:2525, HTTP on 127.0.0.1:8025, mail goes to a Maildir\n"
    "      --clock SPEC    live in a hurried time, e.g. 2026-03-02T08:00:00+08:00@3600\n"
    "                      (also MAILTIDE_CLOCK); for trials, never for real mail\n"
    "      --version\n"
    "  -h, --help\n"
    "\n"
    "TERM and INT stop it, HUP reads the configuration again. mailtide(1) asks it.\n";

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "mailtided: %s: %s\n", what, why);
    return 2;
}

/* Each message takes some memory and gives it all back: that glibc returns it to the kernel and
 * asks for it anew, page by page, costs more than what it saves. */
static void keep_freed_memory(void)
{
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"clock", required_argument, NULL, 'C'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct daemon_options daemon = {.program = argv[0]};
    struct tide_error err = {0};
    keep_freed_memory();
    const char *clock = getenv("MAILTIDE_CLOCK");
    for (int opt; (opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        switch (opt) {
        case 'c':
            daemon.config_path = optarg;
            break;
        case 'C':
            clock = optarg;
            break;
        case 'V':
            puts("mailtided " MAILTIDE_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind < argc)
        return fail(argv[optind], "not an option; see mailtided --help");
    clock_init_real(&daemon.clock);
    if (clock && *clock && clock_parse(text_of(clock), &daemon.clock, &err) != TIDE_OK)
        return fail("--clock", err.text);
    daemon.greet = !daemon.config_path && isatty(1);
    if (daemon_run(&daemon, &err) != TIDE_OK)
        return fail("cannot run", err.text) - 1;
    return 0;
}
