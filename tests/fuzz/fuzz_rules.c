/* Bytes as what somebody says about a reply, against the shipped kind of patterns. */
#include "core/outcome/finding.h"

#include <stdlib.h>

static const char content[] =
    "rules: {"
    " a: { patterns = [\"(user|mail ?box)s?\\\\b[^.;]{0,60}\\\\b(unknown|not (found|exist))\"];"
    "  class = \"recipient\"; fault = \"recipient\"; cause = \"c.\"; advice = \"a.\";"
    "  reference = \"r\"; date = \"2026-11-21\"; examples = [\"x\"]; };"
    " b: { status = [\"x.7.1-9\"]; class = \"policy\"; fault = \"policy\"; cause = \"c.\";"
    "  advice = \"a.\"; reference = \"r\"; date = \"2026-11-21\"; examples = [\"x\"]; };"
    "};";

/* libconfig forgets some 64 bytes for a bad file (doc.h); everything else that leaks is ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rulebook *book;
    struct tide_error err;
    struct reply_said said = {0};
    struct meaning m;
    char sentence[512];
    if (!book) {
        if (rulebook_new(&book, &err) != TIDE_OK ||
            rulebook_add(book, "10-fuzz.conf", text_of(content), &err) != TIDE_OK)
            abort();
        rulebook_seal(book);
    }
    reply_said_of((struct text){(const char *)data, size}, &said);
    meaning_of(book, &said, &m);
    meaning_consequence(&m, sentence, sizeof sentence);
    if (m.retry == RETRY_BY_CODE || !m.cause || !m.advice)
        abort();

    /* and as a file of rules */
    struct rulebook *own = NULL;
    if (rulebook_new(&own, &err) == TIDE_OK) {
        if (rulebook_add(own, "f.conf", (struct text){(const char *)data, size}, &err) == TIDE_OK)
            rulebook_seal(own);
        rulebook_free(own);
    }
    return 0;
}
