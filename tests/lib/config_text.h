/* config_text.h - a configuration with its profiles from texts, for tests that want no files. */
#ifndef TESTS_LIB_CONFIG_TEXT_H
#define TESTS_LIB_CONFIG_TEXT_H

#include "core/config/config.h"

struct config_text {
    const char *path, *text;
};

/* Reads the first; the others are what its folders hold. No other file is there, and no
 * environment. Ends the test when it is refused. */
struct config *config_of_texts(const struct config_text *files, size_t count);

#endif
