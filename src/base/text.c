#include "base/text.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

bool text_eq(struct text a, struct text b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int text_icmp(struct text a, struct text b)
{
    size_t n = TIDE_MIN(a.n, b.n);
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)ascii_lower(a.p[i]),
                      y = (unsigned char)ascii_lower(b.p[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

bool text_ieq(struct text a, struct text b)
{
    return a.n == b.n && text_icmp(a, b) == 0;
}

bool text_starts(struct text t, struct text prefix)
{
    return t.n >= prefix.n && text_eq((struct text){t.p, prefix.n}, prefix);
}

bool text_istarts(struct text t, struct text prefix)
{
    return t.n >= prefix.n && text_ieq((struct text){t.p, prefix.n}, prefix);
}

bool text_iends(struct text t, struct text suffix)
{
    return t.n >= suffix.n && text_ieq((struct text){t.p + t.n - suffix.n, suffix.n}, suffix);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text text_trim(struct text t)
{
    while (t.n > 0 && is_blank(t.p[0])) {
        t.p++;
        t.n--;
    }
    while (t.n > 0 && is_blank(t.p[t.n - 1]))
        t.n--;
    return t;
}

bool text_split(struct text *rest, char sep, struct text *ret_piece)
{
    if (!rest->p)
        return false;
    size_t at = text_find(*rest, sep);
    *ret_piece = (struct text){rest->p, at};
    if (at == rest->n)
        *rest = (struct text){NULL, 0};
    else
        *rest = (struct text){rest->p + at + 1, rest->n - at - 1};
    return true;
}

bool text_line(struct text *rest, struct text *ret_line)
{
    if (!text_split(rest, '\n', ret_line))
        return false;
    if (ret_line->n > 0 && ret_line->p[ret_line->n - 1] == '\r')
        ret_line->n--;
    return true;
}

size_t text_find(struct text t, char c)
{
    const char *hit = t.n ? memchr(t.p, c, t.n) : NULL;
    return hit ? (size_t)(hit - t.p) : t.n;
}

/* Next `c` in either case at or after `from`. memchr() looks at many bytes at once; each of the two
 * is asked anew only when what it found has been passed. */
struct both_cases {
    size_t at[2];
    char c[2];
};

static size_t next_of(struct text t, size_t from, struct both_cases *b)
{
    for (int k = 0; k < 2; k++)
        if (b->at[k] < from || b->at[k] == SIZE_MAX) {
            const char *hit = from < t.n ? memchr(t.p + from, b->c[k], t.n - from) : NULL;
            b->at[k] = hit ? (size_t)(hit - t.p) : t.n;
        }
    return b->at[0] < b->at[1] ? b->at[0] : b->at[1];
}

size_t text_ifind(struct text t, struct text needle)
{
    if (needle.n == 0 || needle.n > t.n)
        return needle.n ? t.n : 0;
    char low = ascii_lower(needle.p[0]);
    struct both_cases first = {{SIZE_MAX, SIZE_MAX},
                               {low, low >= 'a' && low <= 'z' ? (char)(low - 32) : low}};
    for (size_t i = next_of(t, 0, &first); i + needle.n <= t.n; i = next_of(t, i + 1, &first)) {
        size_t k = 1;
        while (k < needle.n && ascii_lower(t.p[i + k]) == ascii_lower(needle.p[k]))
            k++;
        if (k == needle.n)
            return i;
    }
    return t.n;
}

#define PAIR_BITS   2048 /* of the set of a text's pairs of bytes; a power of two */
#define PAIRS_WORDS 8    /* from so many words on the set is worth its while */

static unsigned pair_at(const char *p)
{
    unsigned pair = (unsigned)(unsigned char)ascii_lower(p[0]) * 31 +
                    (unsigned)(unsigned char)ascii_lower(p[1]) * 7;
    return pair % PAIR_BITS;
}

/* Might the word be in a text of these pairs? */
static bool has_pairs(const uint64_t *pairs, const char *word)
{
    for (size_t i = 0; word[i] && word[i + 1]; i++) {
        unsigned bit = pair_at(word + i);
        if (!(pairs[bit / 64] >> (bit % 64) & 1))
            return false;
    }
    return true;
}

bool text_ihas(struct text t, const char *const *words, size_t count)
{
    uint64_t pairs[PAIR_BITS / 64] = {0};
    if (t.n == 0)
        return false;
    bool few = count < PAIRS_WORDS || t.n > PAIR_BITS;
    for (size_t i = 0; !few && i + 1 < t.n; i++) {
        unsigned bit = pair_at(t.p + i);
        pairs[bit / 64] |= (uint64_t)1 << (bit % 64);
    }
    for (size_t i = 0; i < count; i++)
        if ((few || has_pairs(pairs, words[i])) && text_ifind(t, text_of(words[i])) < t.n)
            return true;
    return false;
}

enum tide_err text_int(
    struct text t, int64_t min, int64_t max, int64_t *ret, struct tide_error *err)
{
    struct text digits = t;
    bool negative = digits.n > 0 && digits.p[0] == '-';
    if (negative)
        digits = text_cut(digits, 1, digits.n);
    int64_t value = 0;
    bool overflow = false;
    for (size_t i = 0; i < digits.n; i++) {
        if (!ascii_is_digit(digits.p[i]))
            return tide_fail(err, TIDE_ESYNTAX, "want a whole number, got \"" TEXT_FMT "\"",
                             TEXT_ARG(t));
        int64_t digit = digits.p[i] - '0';
        overflow |= __builtin_mul_overflow(value, 10, &value);
        overflow |= __builtin_add_overflow(value, negative ? -digit : digit, &value);
    }
    if (digits.n == 0)
        return tide_fail(err, TIDE_ESYNTAX, "want a whole number, got \"" TEXT_FMT "\"",
                         TEXT_ARG(t));
    if (overflow || value < min || value > max)
        return tide_fail(err, TIDE_ERANGE, "want %lld..%lld, got " TEXT_FMT, (long long)min,
                         (long long)max, TEXT_ARG(t));
    *ret = value;
    return TIDE_OK;
}

struct unit {
    const char *name;
    int64_t factor;
};

/* "m" is missing on purpose: half of the world reads it as minutes, half as months or mega. */
static const struct unit durations[] = {
    {"ms", 1},
    {"s", 1000},
    {"sec", 1000},
    {"min", 60000},
    {"h", 3600000},
    {"hour", 3600000},
    {"hours", 3600000},
    {"d", 86400000},
    {"day", 86400000},
    {"days", 86400000},
    {"w", 604800000},
    {"week", 604800000},
    {"weeks", 604800000},
};

static const struct unit sizes[] = {
    {"", 1},          {"B", 1},         {"k", 1000},       {"K", 1000},        {"kB", 1000},
    {"M", 1000000},   {"MB", 1000000},  {"G", 1000000000}, {"GB", 1000000000}, {"KiB", 1 << 10},
    {"MiB", 1 << 20}, {"GiB", 1 << 30},
};

/* Reads "NUMBER UNIT" from the front of *rest. */
static enum tide_err take_quantity(struct text *rest,
                                   const struct unit *units,
                                   size_t count,
                                   int64_t *ret)
{
    size_t digits = 0, letters = 0;
    int64_t number;
    struct tide_error ignored;
    while (digits < rest->n && ascii_is_digit(rest->p[digits]))
        digits++;
    if (text_int(text_cut(*rest, 0, digits), 0, INT64_MAX, &number, &ignored) != TIDE_OK)
        return TIDE_ESYNTAX;
    *rest = text_trim(text_cut(*rest, digits, rest->n));
    while (letters < rest->n && ascii_is_alpha(rest->p[letters]))
        letters++;
    struct text name = text_cut(*rest, 0, letters);
    for (size_t i = 0; i < count; i++)
        if (text_eq(name, text_of(units[i].name))) {
            if (__builtin_mul_overflow(number, units[i].factor, ret))
                return TIDE_ERANGE;
            *rest = text_trim(text_cut(*rest, letters, rest->n));
            return TIDE_OK;
        }
    return TIDE_ESYNTAX;
}

enum tide_err text_duration_ms(struct text t, int64_t *ret_ms, struct tide_error *err)
{
    struct text rest = text_trim(t);
    int64_t sum = 0, part;
    enum tide_err rc = rest.n ? TIDE_OK : TIDE_ESYNTAX;
    while (rc == TIDE_OK && rest.n) {
        rc = take_quantity(&rest, durations, TIDE_COUNT(durations), &part);
        if (rc == TIDE_OK && __builtin_add_overflow(sum, part, &sum))
            rc = TIDE_ERANGE;
    }
    if (rc != TIDE_OK)
        return tide_fail(err, rc,
                         "want a duration such as \"10min\", \"4h\" or \"1d 12h\" "
                         "(ms s min h d w), got \"" TEXT_FMT "\"",
                         TEXT_ARG(t));
    *ret_ms = sum;
    return TIDE_OK;
}

enum tide_err text_size_bytes(struct text t, int64_t *ret_bytes, struct tide_error *err)
{
    struct text rest = text_trim(t);
    enum tide_err rc = take_quantity(&rest, sizes, TIDE_COUNT(sizes), ret_bytes);
    if (rc == TIDE_OK && rest.n)
        rc = TIDE_ESYNTAX;
    if (rc != TIDE_OK)
        return tide_fail(err, rc,
                         "want a size such as \"512\", \"25M\" or \"8KiB\" (k M G KiB MiB GiB), "
                         "got \"" TEXT_FMT "\"",
                         TEXT_ARG(t));
    return TIDE_OK;
}

const char *text_of_duration(int64_t ms, char *out, size_t size)
{
    static const struct unit steps[] = {
        {"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};
    const char *sign = ms < 0 ? "-" : "";
    int64_t left = ms < 0 ? -(ms + 1) + 1 : ms;
    for (size_t i = 0; i < TIDE_COUNT(steps); i++) {
        if (left < steps[i].factor)
            continue;
        int64_t first = left / steps[i].factor, rest = left % steps[i].factor;
        int64_t second = i + 1 < TIDE_COUNT(steps) ? rest / steps[i + 1].factor : 0;
        if (second > 0 && steps[i + 1].factor >= 1000)
            snprintf(out, size, "%s%lld %s %lld %s", sign, (long long)first, steps[i].name,
                     (long long)second, steps[i + 1].name);
        else
            snprintf(out, size, "%s%lld %s", sign, (long long)first, steps[i].name);
        return out;
    }
    snprintf(out, size, "0 s");
    return out;
}

#define DISTANCE_BYTES_MAX 63

unsigned text_distance(struct text a, struct text b, unsigned cap)
{
    if (a.n > DISTANCE_BYTES_MAX || b.n > DISTANCE_BYTES_MAX)
        return cap;
    unsigned rows[3][DISTANCE_BYTES_MAX + 1];
    for (unsigned j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            char x = ascii_lower(a.p[i - 1]), y = ascii_lower(b.p[j - 1]);
            unsigned best = above[j - 1] + (x != y);
            best = TIDE_MIN(best, above[j] + 1);
            best = TIDE_MIN(best, row[j - 1] + 1);
            if (i > 1 && j > 1 && x == ascii_lower(b.p[j - 2]) && ascii_lower(a.p[i - 2]) == y)
                best = TIDE_MIN(best, above2[j - 2] + 1);
            row[j] = best;
        }
    }
    return TIDE_MIN(rows[a.n % 3][b.n], cap);
}

const char *text_nearest(struct text word, const char *const *words, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = word.n <= 3 ? 2 : word.n <= 6 ? 3 : 4; /* nearer than this */
    for (size_t i = 0; i < count; i++) {
        unsigned d = text_distance(word, text_of(words[i]), best_distance);
        if (d < best_distance) {
            best_distance = d;
            best = words[i];
        }
    }
    return best;
}

bool text_is_ascii(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] >= 0x80)
            return false;
    return true;
}

bool text_is_utf8(struct text t)
{
    const unsigned char *p = (const unsigned char *)t.p;
    for (size_t i = 0; i < t.n;) {
        unsigned char c = p[i++];
        if (c < 0x80)
            continue;
        unsigned more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
        if (c < 0xC2 || c > 0xF4 || i + more > t.n)
            return false;
        unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte, RFC 3629 4 */
        if (c == 0xE0)
            low = 0xA0;
        else if (c == 0xED)
            high = 0x9F;
        else if (c == 0xF0)
            low = 0x90;
        else if (c == 0xF4)
            high = 0x8F;
        if (p[i] < low || p[i] > high)
            return false;
        for (unsigned k = 1; k < more; k++)
            if ((p[i + k] & 0xC0) != 0x80)
                return false;
        i += more;
    }
    return true;
}
