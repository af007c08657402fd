#include "core/verify/question.h"

#include "core/address/domain.h"

bool question_name_ok(struct text name)
{
    size_t label = 0;
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (name.n == 0 || name.n > DOMAIN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        label = c == '.' ? 0 : label + 1;
        if (c == '\\' || label > DOMAIN_LABEL_BYTES_MAX ||
            (c == '.' && (i == 0 || name.p[i - 1] == '.')))
            return false;
    }
    return label > 0;
}
