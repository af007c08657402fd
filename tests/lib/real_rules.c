#include "lib/real_rules.h"

#include "io/loop/files.h"
#include "lib/check.h"

#include <stdlib.h>

struct rulebook *real_rules(void)
{
    struct rulebook *rules = NULL;
    struct tide_error err = {0};
    const char *env = getenv("MAILTIDE_SCHEDULES");
    char *folders[] = {(char *)(uintptr_t)(env ? env : "./schedules")};
    T_OK(rulebook_load(&files_source, folders, 1, &rules, &err), &err, "%s", folders[0]);
    return rules;
}
