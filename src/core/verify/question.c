#include "core/verify/question.h"

#include "core/address/domain.h"

bool question_name_ok(struct text name)
{
    struct text label;
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (name.n == 0 || name.n > DOMAIN_BYTES_MAX || text_find(name, '\\') < name.n)
        return false;
    while (text_split(&name, '.', &label))
        if (label.n == 0 || label.n > DOMAIN_LABEL_BYTES_MAX)
            return false;
    return true;
}
