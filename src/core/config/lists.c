#include "core/config/lists.h"

#include "base/macros.h"

#include <stdlib.h>

#define WORD_BYTES_MAX 253

static const char *const files[LIST_COUNT] = {
    [LIST_DISPOSABLE] = "disposable.txt", [LIST_DISPOSABLE_MX] = "disposable-mx.txt",
    [LIST_FREE_MAIL] = "free-mail.txt",   [LIST_ROLES] = "roles.txt",
    [LIST_PARKED_MX] = "parked-mx.txt",
};

const char *list_file(enum list_name which)
{
    return files[which];
}

static const char *wanted(enum list_name which)
{
    switch (which) {
    case LIST_DISPOSABLE:
    case LIST_FREE_MAIL:
        return "a domain name";
    case LIST_DISPOSABLE_MX:
    case LIST_PARKED_MX:
        return "a host name or \".suffix\"";
    case LIST_ROLES:
    case LIST_COUNT:
        break;
    }
    return "a local part";
}

static bool word_ok(enum list_name which, struct text word)
{
    bool host = which == LIST_DISPOSABLE_MX || which == LIST_PARKED_MX;
    if (word.n == 0 || word.n > WORD_BYTES_MAX)
        return false;
    for (size_t i = 0; i < word.n; i++)
        if (!ascii_is_alnum(word.p[i]) && !memchr("-_.", word.p[i], 3))
            return false;
    if (which == LIST_ROLES)
        return word.n <= 64;
    if (host && word.p[0] == '.')
        word = text_cut(word, 1, word.n);
    size_t dot = text_find(word, '.');
    return dot > 0 && dot + 1 < word.n && word.p[word.n - 1] != '.';
}

static bool add(struct lists *l, struct list_words *list, struct text word)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        const char **longer = reallocarray(list->words, cap, sizeof *longer);
        if (!longer)
            return false;
        list->words = longer;
        list->cap = cap;
    }
    char *copy = arena_strndup(&l->memory, word.p, word.n);
    if (!copy)
        return false;
    for (size_t i = 0; i < word.n; i++)
        copy[i] = ascii_lower(copy[i]);
    list->words[list->count++] = copy;
    return true;
}

static void take_away(struct list_words *list, struct text word)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!text_ieq(text_of(list->words[i]), word))
            list->words[kept++] = list->words[i];
    list->count = kept;
}

enum tide_err lists_read(struct lists *l,
                         enum list_name which,
                         const char *file,
                         struct text content,
                         struct tide_error *err)
{
    struct list_words *list = &l->of[which];
    struct text line;
    for (int number = 1; text_split(&content, '\n', &line); number++) {
        struct text word = text_trim(text_cut(line, 0, text_find(line, '#')));
        bool away = word.n && word.p[0] == '!';
        if (word.n == 0)
            continue;
        if (away)
            word = text_trim(text_cut(word, 1, word.n));
        if (!word_ok(which, word))
            return tide_fail(err, TIDE_EINVAL, "%s:%d: want %s, got \"" TEXT_FMT "\"", file, number,
                             wanted(which), TEXT_ARG(text_cut(word, 0, 60)));
        if (away)
            take_away(list, word);
        else if (list->count >= LISTS_WORDS_MAX)
            return tide_fail(err, TIDE_ELIMIT, "%s:%d: want at most %d words", file, number,
                             LISTS_WORDS_MAX);
        else if (!add(l, list, word))
            return tide_fail(err, TIDE_ENOMEM, "%s: out of memory", file);
    }
    return TIDE_OK;
}

void lists_fini(struct lists *l)
{
    for (size_t i = 0; i < TIDE_COUNT(l->of); i++)
        free(l->of[i].words);
    arena_fini(&l->memory);
    *l = (struct lists){0};
}
