/* What a step hands out: changes for the store, actions, journal entries and their sentences. */
#include "core/gate/inside.h"

#include "base/macros.h"

#include <stdarg.h>
#include <stdio.h>

void gate_todo_init(struct gate_todo *todo)
{
    *todo = (struct gate_todo){.wake_at = TIDE_NEVER};
}

void gate_todo_fini(struct gate_todo *todo)
{
    arena_fini(&todo->arena);
    gate_todo_init(todo);
}

/* One more of `size` bytes at the end of an array in the arena; NULL (and failed) without memory.
 */
static void *add_one(struct gate_todo *todo, void **array, size_t *count, size_t *cap, size_t size)
{
    if (*count == *cap) {
        size_t more = *cap ? *cap * 2 : 8;
        void *bigger = arena_array(&todo->arena, more, size);
        if (!bigger) {
            todo->failed = true;
            return NULL;
        }
        if (*count)
            memcpy(bigger, *array, *count * size);
        *array = bigger;
        *cap = more;
    }
    return (char *)*array + (*count)++ * size;
}

struct change *gate_add_change(struct gate_todo *todo, enum change_type type)
{
    void *array = todo->changes;
    struct change *c =
        add_one(todo, &array, &todo->change_count, &todo->change_cap, sizeof *todo->changes);
    todo->changes = array;
    if (c)
        c->type = type;
    return c;
}

struct gate_action *gate_add_action(struct gate_todo *todo, enum gate_action_type type)
{
    void *array = todo->actions;
    struct gate_action *a = add_one(todo, &array, &todo->count, &todo->cap, sizeof *todo->actions);
    todo->actions = array;
    if (a)
        a->type = type;
    return a;
}

struct text gate_printf(struct gate_todo *todo, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    char *copy = n < 0 ? NULL : arena_strdup(&todo->arena, line);
    if (!copy)
        todo->failed = true;
    return text_of(copy);
}

void gate_journal(struct gate_todo *todo,
                  tide_wall_ms now,
                  const struct journal_entry *about,
                  const char *event,
                  struct text sentence)
{
    struct change *c = gate_add_change(todo, CHANGE_JOURNAL);
    if (!c)
        return;
    c->journal = *about;
    c->journal.at = now;
    c->journal.event = text_of(event);
    c->journal.sentence = sentence;
}

/* "2026-03-02 16:05 UTC (in 9 h 33 min)" */
const char *gate_when(tide_wall_ms at, tide_wall_ms now, char *out, size_t size)
{
    struct civil c = civil_of_wall(at, 0);
    char span[40];
    if (at == TIDE_NEVER)
        snprintf(out, size, "further notice");
    else
        snprintf(out, size, "%04d-%02d-%02d %02d:%02d:%02d UTC (in %s)", c.year, c.month, c.day,
                 c.hour, c.minute, c.second,
                 text_of_duration(TIDE_MAX(at - now, 0), span, sizeof span));
    return out;
}
