/* How many replies a second are classified with all rules of schedules/replies loaded?
 *
 *   bench_replies [SCHEDULES]      name value unit; target: 100,000 replies/s on one core
 *
 * The replies are the rules' own examples, with and without their provider, each made unlike the
 * others by an address, an IP and an id as real ones are. */
#include "base/macros.h"
#include "core/outcome/finding.h"
#include "io/loop/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TARGET  100000.0
#define REPLIES 4096
#define SECONDS 1.0

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    struct tide_error err;
    struct rulebook *book;
    char *folders[] = {argc > 1 ? argv[1] : (char *)(uintptr_t) "./schedules"};
    static char replies[REPLIES][512];
    static const char *providers[REPLIES];
    size_t unknown = 0, done = 0, count = 0;

    double begin = now_s();
    if (rulebook_load(&files_source, folders, 1, &book, &err) != TIDE_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("replies_load_ms %.1f ms\n", (now_s() - begin) * 1e3);
    printf("replies_rules %zu rules\n", rulebook_count(book));
    while (count < REPLIES)
        for (size_t i = 0; i < rulebook_count(book) && count < REPLIES; i++) {
            const struct reply_rule *r = rulebook_rule(book, i);
            for (size_t k = 0; k < r->example_count && count < REPLIES; k++, count++) {
                snprintf(replies[count], sizeof replies[count],
                         "%.300s <user%zu@example%zu.org> [198.51.100.%zu] %zx-%zx", r->examples[k],
                         count, count % 97, count % 251, count * 7919, count);
                providers[count] = count % 2 ? rulebook_rule_provider(book, i, 0) : NULL;
            }
        }
    begin = now_s();
    double spent;
    do {
        for (size_t i = 0; i < REPLIES; i++) {
            struct reply_said said = {0};
            struct meaning m;
            reply_said_of(text_of(replies[i]), &said);
            said.provider = text_of(providers[i]);
            meaning_of(book, &said, &m);
            unknown += !m.rule;
        }
        done += REPLIES;
        spent = now_s() - begin;
    } while (spent < SECONDS);
    double rate = (double)done / spent;
    printf("replies_per_s %.0f replies/s\n", rate);
    printf("replies_target_ratio %.2f x\n", rate / TARGET);
    printf("replies_unknown %.1f %%\n", 100.0 * (double)unknown / (double)done);
    rulebook_free(book);
    return 0;
}
