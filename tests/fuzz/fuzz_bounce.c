/* Bytes as a file of mail that came back: all readers of it with the shipped rules, within a time
 * that grows with the size and no faster. */
#include "core/outcome/bounce.h"
#include "core/outcome/explain.h"
#include "core/outcome/mbox.h"
#include "io/loop/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LONG_BYTES   (1u << 20) /* what an input is now and then repeated to */
#define LONG_EVERY   256        /* inputs */
#define LONG_SECONDS 8          /* with sanitizers on a busy machine; a second without */

/* libconfig forgets some 64 bytes for a bad file (doc.h); everything else that leaks is ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_file(const struct rulebook *rules, struct text file)
{
    struct arena a;
    struct tide_error err;
    struct bounce b;
    struct text mail;
    struct buf out = {.max = 64u << 20};
    size_t mails = 0;
    arena_init(&a, 256u << 20);
    for (struct text rest = file; mails < 64 && mbox_next(&rest, &mail); mails++) {
        if (bounce_read(mail, rules, NULL, &a, &b, &err) != TIDE_OK)
            continue;
        struct json_writer w;
        jw_init(&w, &out);
        jw_object(&w, NULL);
        explain_put_bounces(&w, &b, 1);
        jw_end(&w);
        for (size_t i = 0; i < b.recipient_count; i++)
            if (b.recipients[i].address.n == 0 ||
                (b.kind == BOUNCE_REPORT && b.recipients[i].meaning.retry == RETRY_BY_CODE))
                abort();
    }
    buf_fini(&out);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rulebook *rules;
    static unsigned count;
    if (!rules) {
        struct tide_error err;
        const char *env = getenv("MAILTIDE_SCHEDULES");
        char *folders[] = {(char *)(uintptr_t)(env ? env : "./schedules")};
        if (rulebook_load(&files_source, folders, 1, &rules, &err) != TIDE_OK) {
            fprintf(stderr, "%s\n", err.text);
            abort();
        }
    }
    read_file(rules, (struct text){(const char *)data, size});
    if (size == 0 || count++ % LONG_EVERY != 0)
        return 0;
    char *repeated = malloc(LONG_BYTES);
    clock_t start = clock();
    for (size_t n = 0; repeated && n < LONG_BYTES; n += size)
        memcpy(repeated + n, data, size < LONG_BYTES - n ? size : LONG_BYTES - n);
    if (repeated)
        read_file(rules, (struct text){repeated, LONG_BYTES});
    free(repeated);
    if (clock() - start > LONG_SECONDS * CLOCKS_PER_SEC)
        abort();
    return 0;
}
