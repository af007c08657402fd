/* macros.h - the few macros that every room uses. */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

#include <stddef.h>

#define TIDE_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define TIDE_MIN(a, b) ((a) < (b) ? (a) : (b))
#define TIDE_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
