#include "core/outcome/mbox.h"

/* "From ann@example.com Thu Jul 11 15:53:40 2002": a word, and behind it a time of day. */
static bool is_from_line(struct text line)
{
    if (!text_starts(line, TEXT("From ")) || line.n > 300)
        return false;
    for (size_t i = 6; i + 6 < line.n; i++)
        if (ascii_is_digit(line.p[i]) && line.p[i + 1] == ':' && ascii_is_digit(line.p[i + 2]) &&
            ascii_is_digit(line.p[i + 3]) && (line.p[i + 4] == ':' || line.p[i + 4] == ' '))
            return true;
    return false;
}

static bool begins_with_field(struct text t)
{
    size_t i = 0;
    while (i < t.n && i < 60 && (ascii_is_alnum(t.p[i]) || t.p[i] == '-'))
        i++;
    return i > 0 && i < t.n && t.p[i] == ':';
}

/* The delimiter of the multipart, from the header; "" when it is none. */
static struct text boundary_of(struct text header)
{
    size_t type = text_ifind(header, TEXT("\nContent-Type: multipart/"));
    struct text t = text_cut(header, type, header.n);
    size_t at = text_ifind(t, TEXT("boundary="));
    if (at == t.n)
        return TEXT("");
    t = text_cut(t, at + strlen("boundary="), t.n);
    bool quoted = t.n > 0 && t.p[0] == '"';
    size_t end = quoted ? 1 : 0;
    while (end < t.n && (quoted ? t.p[end] != '"' : !strchr(" \t\r\n;", t.p[end])))
        end++;
    return text_cut(t, quoted ? 1 : 0, end - (quoted ? 1 : 0));
}

static bool closes(struct text line, struct text boundary)
{
    return line.n >= boundary.n + 4 && text_starts(line, TEXT("--")) &&
           text_starts(text_cut(line, 2, line.n), boundary) &&
           text_starts(text_cut(line, 2 + boundary.n, line.n), TEXT("--"));
}

bool mbox_next(struct text *rest, struct text *ret)
{
    struct text whole = *rest, left = *rest, line, boundary = TEXT("");
    bool mbox = text_starts(whole, TEXT("From ")), header = true, blank = false, open = false;
    if (text_trim(whole).n == 0)
        return false;
    for (bool first = true; mbox; first = false) {
        struct text here = left;
        if (!text_line(&left, &line))
            break;
        if (!first && blank && !open && is_from_line(line) && begins_with_field(left)) {
            *ret = text_cut(whole, 0, (size_t)(here.p - whole.p));
            *rest = here;
            return true;
        }
        blank = line.n == 0;
        if (header && blank) {
            header = false;
            boundary = boundary_of(text_cut(whole, 0, (size_t)(here.p - whole.p)));
            open = boundary.n > 0;
        } else if (open && closes(line, boundary)) {
            open = false;
        }
    }
    *ret = whole;
    *rest = text_cut(whole, whole.n, 0);
    return true;
}
