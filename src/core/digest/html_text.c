#include "core/digest/html_text.h"

#include "base/macros.h"

struct tag {
    struct text name, attributes;
    bool closes, is_empty; /* "</p>", "<p/>" */
};

struct reader {
    struct text rest;
    struct buf *out;
    size_t start;  /* of the output */
    bool blank;    /* a blank is due before the next word */
    bool new_line; /* a line end is due before the next word */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool is_one_of(struct text name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_ieq(name, text_of(names[i])))
            return true;
    return false;
}

static size_t utf8_of(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(0xf00 >> n | c);
    return n;
}

/* U+00A0 to U+00FF in order, then others with their number. */
static const char latin1_names[] =
    "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn "
    "sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave "
    "Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml "
    "ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN "
    "szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave "
    "iacute "
    "icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml "
    "yacute thorn yuml ";

static const struct {
    const char *name;
    uint32_t c;
} other_names[] = {{"amp", '&'},      {"lt", '<'},        {"gt", '>'},       {"quot", '"'},
                   {"apos", '\''},    {"ensp", ' '},      {"emsp", ' '},     {"thinsp", ' '},
                   {"ndash", 0x2013}, {"mdash", 0x2014},  {"lsquo", 0x2018}, {"rsquo", 0x2019},
                   {"sbquo", 0x201a}, {"ldquo", 0x201c},  {"rdquo", 0x201d}, {"bdquo", 0x201e},
                   {"bull", 0x2022},  {"hellip", 0x2026}, {"euro", 0x20ac},  {"trade", 0x2122},
                   {"larr", 0x2190},  {"rarr", 0x2192},   {"minus", 0x2212}, {"zwnj", 0x200c},
                   {"zwj", 0x200d},   {"OElig", 0x152},   {"oelig", 0x153},  {"Scaron", 0x160},
                   {"scaron", 0x161}, {"lsaquo", 0x2039}, {"rsaquo", 0x203a}};

static uint32_t named_char(struct text name)
{
    struct text rest = {latin1_names, sizeof latin1_names - 2}, piece;
    for (size_t i = 0; i < TIDE_COUNT(other_names); i++)
        if (text_eq(name, text_of(other_names[i].name)))
            return other_names[i].c;
    for (uint32_t c = 0xa0; text_split(&rest, ' ', &piece); c++)
        if (text_eq(name, piece))
            return c;
    return 0;
}

static uint32_t numbered_char(struct text digits)
{
    uint32_t base = 10, c = 0;
    if (digits.n > 0 && ascii_lower(digits.p[0]) == 'x') {
        base = 16;
        digits = text_cut(digits, 1, digits.n);
    }
    if (digits.n == 0)
        return 0;
    for (size_t i = 0; i < digits.n; i++) {
        char d = ascii_lower(digits.p[i]);
        uint32_t value = ascii_is_digit(d) ? (uint32_t)(d - '0') : (uint32_t)(d - 'a') + 10;
        if ((!ascii_is_digit(d) && !ascii_is_alpha(d)) || value >= base)
            return 0;
        c = TIDE_MIN(c * base + value, 0x110000);
    }
    bool is_char =
        c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) && (c >= 0xa0 || (c >= 32 && c < 127));
    return is_char ? c : ' ';
}

/* "&name;" or "&#n;" at the start of the rest; its length, 0 when it is just an ampersand. */
static size_t char_reference(struct text t, uint32_t *ret)
{
    size_t n = text_find(text_cut(t, 0, 12), ';');
    if (n < 2 || n >= t.n || t.p[n] != ';')
        return 0;
    struct text name = text_cut(t, 1, n - 1);
    *ret = name.p[0] == '#' ? numbered_char(text_cut(name, 1, name.n)) : named_char(name);
    return *ret ? n + 1 : 0;
}

static void put_char(struct reader *r, const char *bytes, size_t n)
{
    bool first = r->out->len == r->start;
    if (r->new_line && !first)
        buf_addc(r->out, '\n');
    else if (r->blank && !first)
        buf_addc(r->out, ' ');
    r->new_line = r->blank = false;
    buf_add(r->out, bytes, n);
}

/* Takes a tag or comment from the rest, which begins with "<"; false when it is just that sign. */
static bool take_tag(struct text *rest, struct tag *ret)
{
    struct text t = text_cut(*rest, 1, rest->n);
    *ret = (struct tag){0};
    if (text_starts(t, TEXT("!--"))) {
        const char *end = t.n > 3 ? memmem(t.p + 3, t.n - 3, "-->", 3) : NULL;
        *rest = end ? text_cut(t, (size_t)(end - t.p) + 3, t.n) : text_cut(t, t.n, 0);
        return true;
    }
    ret->closes = text_starts(t, TEXT("/"));
    t = text_cut(t, ret->closes, t.n);
    if (t.n == 0 || (!ascii_is_alpha(t.p[0]) && t.p[0] != '!' && t.p[0] != '?'))
        return false;
    size_t n = 1;
    while (n < t.n && (ascii_is_alnum(t.p[n]) || t.p[n] == ':'))
        n++;
    ret->name = text_cut(t, 0, n);
    char quote = 0;
    size_t end = n;
    for (; end < t.n && (quote || t.p[end] != '>'); end++) {
        if (quote ? t.p[end] == quote
                  : (t.p[end] == '"' || t.p[end] == '\'') && t.p[end - 1] == '=')
            quote = quote ? 0 : t.p[end];
    }
    ret->attributes = text_cut(t, n, end - n);
    ret->is_empty = end > n && t.p[end - 1] == '/';
    *rest = text_cut(t, end + 1, t.n);
    return true;
}

static bool is_hidden(const struct tag *tag)
{
    static const char *const never[] = {"head",     "style",  "script", "title",
                                        "template", "select", "svg",    "object"};
    if (is_one_of(tag->name, never, TIDE_COUNT(never)))
        return true;
    size_t at = text_ifind(tag->attributes, TEXT("display"));
    struct text rest = text_cut(tag->attributes, at, tag->attributes.n);
    rest = text_trim(text_cut(rest, strlen("display"), rest.n));
    return text_starts(rest, TEXT(":")) &&
           text_istarts(text_trim(text_cut(rest, 1, rest.n)), TEXT("none"));
}

/* Skips to behind the tag that closes `open`, others of that name in between counted. */
static void skip_element(struct reader *r, const struct tag *open)
{
    static const char *const empty[] = {"img", "br", "input", "hr", "meta", "link", "col", "wbr"};
    static const char *const raw[] = {"style", "script", "title"};
    if (open->is_empty || is_one_of(open->name, empty, TIDE_COUNT(empty)))
        return;
    bool is_raw = is_one_of(open->name, raw, TIDE_COUNT(raw));
    for (size_t depth = 1; depth > 0 && r->rest.n > 0;) {
        struct tag tag;
        r->rest = text_cut(r->rest, text_find(r->rest, '<'), r->rest.n);
        if (r->rest.n == 0)
            return;
        bool closes = r->rest.n > 1 && r->rest.p[1] == '/';
        if ((is_raw && !closes) || !take_tag(&r->rest, &tag)) {
            r->rest = text_cut(r->rest, 1, r->rest.n);
            continue;
        }
        if (text_ieq(tag.name, open->name))
            depth = tag.closes ? depth - 1 : depth + !tag.is_empty;
    }
}

static void on_tag(struct reader *r, const struct tag *tag)
{
    static const char *const blocks[] = {
        "p",          "div",     "br",     "tr",      "li",    "ul",   "ol",  "table",
        "h1",         "h2",      "h3",     "h4",      "h5",    "h6",   "hr",  "dt",
        "dd",         "article", "header", "footer",  "dl",    "body", "pre", "form",
        "blockquote", "section", "center", "address", "figure"};
    static const char *const cells[] = {"td", "th", "option", "img"};
    if (is_one_of(tag->name, blocks, TIDE_COUNT(blocks)))
        r->new_line = true;
    else if (is_one_of(tag->name, cells, TIDE_COUNT(cells)))
        r->blank = true;
    if (!tag->closes && is_hidden(tag))
        skip_element(r, tag);
}

void html_text(struct text html, struct buf *ret)
{
    struct reader r = {.rest = html, .out = ret, .start = ret->len};
    while (r.rest.n > 0 && ret->failed == TIDE_OK) {
        char c = r.rest.p[0];
        uint32_t code = 0;
        struct tag tag;
        size_t n;
        if (c == '<' && take_tag(&r.rest, &tag)) {
            on_tag(&r, &tag);
            continue;
        }
        if (is_blank(c)) {
            r.blank = true;
            n = 1;
        } else if (c == '&' && (n = char_reference(r.rest, &code))) {
            char utf8[4];
            if (code == ' ' || code == 0xa0)
                r.blank = true;
            else
                put_char(&r, utf8, utf8_of(code, utf8));
        } else {
            put_char(&r, r.rest.p, 1);
            n = 1;
        }
        r.rest = text_cut(r.rest, n, r.rest.n);
    }
}
