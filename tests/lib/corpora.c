#include "lib/check.h"

#include <stdlib.h>
#include <unistd.h>

const char *corpora_dir(const char *what)
{
    const char *dir = getenv("CORPORA");
    if (dir && access(dir, R_OK) == 0)
        return dir;
    printf("SKIPPED: %s: no third-party test data at CORPORA=%s\n", what, dir ? dir : "(unset)");
    return NULL;
}
