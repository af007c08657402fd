#include "core/proto/dot.h"

#include "base/macros.h"

void dot_begin(struct dot_writer *w, struct text message)
{
    *w = (struct dot_writer){.rest = message};
}

static char *end_line(struct dot_writer *w, char *to)
{
    *to++ = '\r';
    *to++ = '\n';
    w->in_line = w->held_cr = false;
    return to;
}

/* Plain bytes are copied in runs: those before the next CR or LF. */
static size_t run_of(struct text t)
{
    size_t n = text_find(t, '\n');
    return text_find((struct text){t.p, n}, '\r');
}

void dot_write(struct dot_writer *w, size_t bytes_max, struct buf *out)
{
    struct text part = text_cut(w->rest, 0, bytes_max);
    /* At worst each byte becomes two ("\n." four), a CR was held, and the end comes. */
    char *room = buf_room(out, part.n * 2 + 8), *to = room;
    if (!room || w->ended)
        return;
    w->rest = text_cut(w->rest, part.n, w->rest.n);
    while (part.n > 0) {
        char c = part.p[0];
        size_t run = 1;
        if (c == '\n' || w->held_cr) {
            to = end_line(w, to);
            run = c == '\n';
        } else if (c == '\r') {
            w->held_cr = true;
        } else {
            if (c == '.' && !w->in_line)
                *to++ = '.';
            run = run_of(part);
            memcpy(to, part.p, run);
            to += run;
            w->in_line = true;
        }
        part = text_cut(part, run, part.n);
    }
    if (w->rest.n == 0) {
        if (w->held_cr || w->in_line)
            to = end_line(w, to);
        memcpy(to, ".\r\n", 3);
        to += 3;
        w->ended = true;
    }
    buf_added(out, (size_t)(to - room));
}
