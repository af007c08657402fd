/* mailtide-lab - a small world to try mailtide against: DNS, mailbox providers, ESPs. What it does
 * stands in lab.h and world.h; story.conf is a world with every key explained. */
#include "base/log.h"
#include "cmd/mailtide-lab/lab.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: mailtide-lab [--clock ORIGIN@RATE] WORLD.conf\n"
    "\n"
    "A small world on loopback: DNS, mailbox providers with limits, an ESP that lists what\n"
    "bounces. Prints one line of JSON when it is ready: all addresses, and the clock to give to\n"
    "mailtided. GET /books at the control port tells what happened.\n"
    "\n"
    "      --clock SPEC    live in a hurried time, e.g. 2026-03-02T08:00:00+08:00@3600\n"
    "                      (also MAILTIDE_CLOCK)\n"
    "      --log LEVEL     trace, debug, info, warn (default), error\n"
    "      --version\n"
    "  -h, --help\n";

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "mailtide-lab: %s: %s\n", what, why);
    return 2;
}

static int run(const char *path, const struct clock *clock)
{
    struct world *world = NULL;
    struct tide_error err = {0};
    if (world_load(path, &world, &err) != TIDE_OK)
        return fail("cannot read the world", err.text);
    enum tide_err rc = lab_run(world, clock, &err);
    world_free(world);
    return rc == TIDE_OK ? 0 : fail("cannot run", err.text) - 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"clock", required_argument, NULL, 'C'},
                                            {"log", required_argument, NULL, 'L'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct clock clock;
    struct tide_error err = {0};
    enum log_level level = LOG_WARN;
    const char *spec = getenv("MAILTIDE_CLOCK");
    for (int opt; (opt = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (opt) {
        case 'C':
            spec = optarg;
            break;
        case 'L':
            if (!log_level_of(text_of(optarg), &level))
                return fail("--log", "want trace, debug, info, warn or error");
            break;
        case 'V':
            puts("mailtide-lab " MAILTIDE_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        return 2;
    }
    log_set_level(level);
    clock_init_real(&clock);
    if (spec && *spec && clock_parse(text_of(spec), &clock, &err) != TIDE_OK)
        return fail("--clock", err.text);
    return run(argv[optind], &clock);
}
