/* cache_file.h - the file that a resolver's cache outlives a restart in: written beside and
 * renamed, so that a crash leaves the old one. One writer at a time.
 *
 * Threads   any; blocks.
 * Errors    TIDE_EFULL, TIDE_EIO.
 */
#ifndef IO_DNS_CACHE_FILE_H
#define IO_DNS_CACHE_FILE_H

#include "base/text.h"

TIDE_MUST_CHECK enum tide_err cache_file_write(const char *path,
                                               struct text bytes,
                                               struct tide_error *err);

#endif
