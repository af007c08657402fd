/* scan.h - refuses configuration texts that libconfig would read otherwise than they are meant.
 *
 * Threads any. Errors "FILE:LINE: ...". Limits: O(length).
 */
#ifndef CORE_CONFIG_SCAN_H
#define CORE_CONFIG_SCAN_H

#include "base/text.h"

TIDE_MUST_CHECK enum tide_err scan_check(const char *file,
                                         struct text content,
                                         struct tide_error *err);

#endif
