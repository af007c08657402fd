#include "core/address/bidi.h"

#include "base/macros.h"

#include <glib.h>

/* Where right-to-left scripts live: the ranges whose default is R or AL (Unicode's
 * DerivedBidiClass.txt), what is not assigned yet included. */
static const struct {
    uint32_t from, to;
    enum bidi_class class;
} scripts[] = {
    {0x0590, 0x05FF, BIDI_R},    {0x0600, 0x07BF, BIDI_AL},   {0x07C0, 0x085F, BIDI_R},
    {0x0860, 0x08FF, BIDI_AL},   {0xFB1D, 0xFB4F, BIDI_R},    {0xFB50, 0xFDCF, BIDI_AL},
    {0xFDF0, 0xFDFF, BIDI_AL},   {0xFE70, 0xFEFF, BIDI_AL},   {0x10800, 0x10CFF, BIDI_R},
    {0x10D00, 0x10D3F, BIDI_AL}, {0x10D40, 0x10EBF, BIDI_R},  {0x10EC0, 0x10EFF, BIDI_AL},
    {0x10F00, 0x10F2F, BIDI_R},  {0x10F30, 0x10F6F, BIDI_AL}, {0x10F70, 0x10FFF, BIDI_R},
    {0x1E800, 0x1EC6F, BIDI_R},  {0x1EC70, 0x1ECBF, BIDI_AL}, {0x1ECC0, 0x1ECFF, BIDI_R},
    {0x1ED00, 0x1ED4F, BIDI_AL}, {0x1ED50, 0x1EDFF, BIDI_R},  {0x1EE00, 0x1EEFF, BIDI_AL},
    {0x1EF00, 0x1EFFF, BIDI_R},
};

/* Letters and signs allowed in labels that have no direction of their own. */
static const struct {
    uint32_t from, to;
} neutrals[] = {
    {'-', '-'},       {0x00B7, 0x00B7}, {0x02B9, 0x02BA}, {0x02C2, 0x02CF},   {0x02D2, 0x02DF},
    {0x02E5, 0x02ED}, {0x02EF, 0x02FF}, {0x0374, 0x0375}, {0x200C, 0x200D},   {0x30FB, 0x30FB},
    {0xA67F, 0xA67F}, {0xA700, 0xA721}, {0xA788, 0xA788}, {0x16FE2, 0x16FE2},
};

/* Marks that do have one. */
static const uint32_t marks_left_to_right[] = {0x0CBF, 0x0CC6, 0x11A07, 0x11A08, 0x11C3F};

static bool is_in(uint32_t c, uint32_t from, uint32_t to)
{
    return c >= from && c <= to;
}

/* Letters, digits and spacing marks of all other scripts; A-labels may hold symbols, too. */
static bool is_left_to_right(uint32_t c)
{
    return g_unichar_isalnum(c) || g_unichar_type(c) == G_UNICODE_SPACING_MARK;
}

enum bidi_class bidi_class_of(uint32_t c)
{
    if (is_in(c, '0', '9') || is_in(c, 0x06F0, 0x06F9))
        return BIDI_EN;
    if (is_in(c, 0x0660, 0x0669) || is_in(c, 0x10D30, 0x10D39))
        return BIDI_AN;
    for (size_t i = 0; i < TIDE_COUNT(marks_left_to_right); i++)
        if (c == marks_left_to_right[i])
            return BIDI_L;
    if (c >= 0x80 && g_unichar_type(c) == G_UNICODE_NON_SPACING_MARK)
        return BIDI_NSM;
    for (size_t i = 0; i < TIDE_COUNT(neutrals); i++)
        if (is_in(c, neutrals[i].from, neutrals[i].to))
            return BIDI_NEUTRAL;
    for (size_t i = 0; i < TIDE_COUNT(scripts); i++)
        if (is_in(c, scripts[i].from, scripts[i].to))
            return scripts[i].class;
    return is_left_to_right(c) ? BIDI_L : BIDI_NEUTRAL;
}

#define HAS(class) (1u << BIDI_##class)

/* What a label is made of. */
struct made_of {
    unsigned classes;      /* of HAS() */
    enum bidi_class first; /* NEUTRAL: the label is empty */
    enum bidi_class last;  /* behind which there are only marks */
};

static struct made_of look(struct text label)
{
    struct made_of m = {.first = BIDI_NEUTRAL, .last = BIDI_NEUTRAL};
    const char *end = label.p + label.n;
    for (const char *p = label.p; p < end; p = g_utf8_next_char(p)) {
        enum bidi_class class = bidi_class_of(g_utf8_get_char(p));
        if (p == label.p)
            m.first = class;
        if (class != BIDI_NSM)
            m.last = class;
        m.classes |= 1u << class;
    }
    return m;
}

static int broken_rule(const struct made_of *m)
{
    bool right = m->first == BIDI_R || m->first == BIDI_AL;
    if (!right && m->first != BIDI_L)
        return 1;
    if (right && m->classes & HAS(L))
        return 2;
    if (right && !((1u << m->last) & (HAS(R) | HAS(AL) | HAS(EN) | HAS(AN))))
        return 3;
    if (right && (m->classes & HAS(EN)) && (m->classes & HAS(AN)))
        return 4;
    if (!right && m->classes & (HAS(R) | HAS(AL) | HAS(AN)))
        return 5;
    if (!right && !((1u << m->last) & (HAS(L) | HAS(EN))))
        return 6;
    return 0;
}

int bidi_check(struct text name, struct text *ret_label)
{
    struct text rest = name, label;
    bool is_bidi = false;
    while (!is_bidi && text_split(&rest, '.', &label))
        is_bidi = look(label).classes & (HAS(R) | HAS(AL) | HAS(AN));
    for (rest = name; is_bidi && text_split(&rest, '.', &label);) {
        struct made_of m = look(label);
        int rule = broken_rule(&m);
        if (rule) {
            *ret_label = label;
            return rule;
        }
    }
    return 0;
}
