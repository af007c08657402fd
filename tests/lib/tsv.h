/* tsv.h - the corpora's tables: tabs between cells, "-" is empty, \t \n \r \\ \xHH are escapes. */
#ifndef TESTS_LIB_TSV_H
#define TESTS_LIB_TSV_H

#include "base/text.h"

/* Takes the next cell of a line, unescaped in place ("-" gives ""); false when there is none. */
bool tsv_cell(struct text *line, struct text *ret_cell);

/* Reads a whole file of a corpus; free() it. Fails the test when it cannot. */
char *tsv_read(const char *dir, const char *name, size_t *ret_n);

#endif
