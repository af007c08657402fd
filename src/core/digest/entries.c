#include "core/digest/entries.h"

#include "base/buf.h"
#include "base/macros.h"
#include "base/map.h"
#include "core/digest/charset.h"
#include "core/digest/content.h"
#include "core/digest/digest.h"

#include <stdlib.h>

#define URL_BYTES_MAX  2000
#define ICON_BYTES_MAX 40 /* an emoji of a family is 25 */

static bool starts_host(struct text t)
{
    return t.n > 0 && t.p[0] != '/' && t.p[0] != '?' && t.p[0] != '#' && t.p[0] != '\\';
}

struct text digest_safe_url(struct text url, bool mailto_too)
{
    struct text none = TEXT("");
    url = text_trim(url);
    bool ok = false;
    if (text_istarts(url, TEXT("https://")))
        ok = starts_host(text_cut(url, 8, url.n));
    else if (text_istarts(url, TEXT("http://")))
        ok = starts_host(text_cut(url, 7, url.n));
    else if (mailto_too && text_istarts(url, TEXT("mailto:")))
        ok = url.n > 7;
    if (!ok || url.n > URL_BYTES_MAX || !text_is_utf8(url))
        return none;
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= 32 || url.p[i] == 127 || strchr("<>\"\\^`{|}", url.p[i]))
            return none;
    return url;
}

/* Marks that turn the direction of what follows (U+202A..202E, U+2066..2069) would reach over the
 * end of a title into the next one; isolates of the template do their work. */
static size_t direction_mark(struct text t)
{
    if (t.n < 3 || (unsigned char)t.p[0] != 0xe2)
        return 0;
    unsigned char a = (unsigned char)t.p[1], b = (unsigned char)t.p[2];
    return (a == 0x80 && b >= 0xaa && b <= 0xae) || (a == 0x81 && b >= 0xa6 && b <= 0xa9) ? 3 : 0;
}

static void put_clean_line(struct buf *b, struct text line, struct arena *a)
{
    line = text_trim(charset_without_controls(line, a));
    for (size_t i = 0; i < line.n; i++) {
        size_t mark = direction_mark(text_cut(line, i, 3));
        if (mark)
            i += mark - 1;
        else
            buf_addc(b, line.p[i]);
    }
}

/* Clean UTF-8 of at most `max` bytes, "…" where it was cut; line ends stay where `lines`. {NULL, 0}
 * when memory ran out. */
static struct text cleaned(struct text t, size_t max, bool lines, struct arena *a)
{
    struct buf b = {0};
    struct text utf8 = charset_to_utf8(text_cut(t, 0, max * 4), TEXT(""), a), line = utf8;
    for (bool first = true; lines ? text_split(&utf8, '\n', &line) : first; first = false) {
        if (!first)
            buf_addc(&b, '\n');
        put_clean_line(&b, line, a);
    }
    struct text got = text_trim(buf_text(&b));
    if (got.n > max || (t.n > max * 4 && got.n > 0)) {
        size_t n = charset_cut(got, max - strlen("…"));
        got = text_of(arena_printf(a, TEXT_FMT "…", (int)n, got.p));
    } else {
        got = got.n ? arena_text(a, got) : TEXT("");
    }
    if (b.failed)
        got = (struct text){NULL, 0};
    buf_fini(&b);
    return got;
}

struct text digest_clean_line(struct text t, size_t max, struct arena *a)
{
    return cleaned(t, max, false, a);
}

static struct text without_reply_marks(struct text subject)
{
    static const char *const marks[] = {
        "re:", "fwd:", "fw:", "aw:", "wg:", "tr:", "sv:", "回复:", "转发:"};
    for (bool again = true; again;) {
        again = false;
        subject = text_trim(subject);
        for (size_t i = 0; i < TIDE_COUNT(marks); i++)
            if (text_istarts(subject, text_of(marks[i])) && subject.n > strlen(marks[i])) {
                subject = text_cut(subject, strlen(marks[i]), subject.n);
                again = true;
            }
    }
    return subject;
}

/* What the item or the first lines of its message say. What it takes to look into a large message
 * is given back at once, since a digest may hold thousands. */
static enum tide_err find_text(struct digest_entry *e,
                               struct arena *a,
                               struct text *ret,
                               struct tide_error *err)
{
    *ret = cleaned(e->from->item.text, DIGEST_TEXT_BYTES, true, a);
    if (e->from->item.text.n > 0 || e->message.whole.n == 0)
        return TIDE_OK;
    struct arena scratch = {0};
    struct content content;
    enum tide_err rc =
        content_look(&e->message, DIGEST_TEXT_BYTES, DIGEST_TEXT_LINES, &scratch, &content, err);
    if (rc == TIDE_OK) {
        struct text t = cleaned(content.text, DIGEST_TEXT_BYTES, true, a);
        if (content.cut && t.n > 0 && !text_iends(t, TEXT("…")))
            t = text_of(arena_printf(a, TEXT_FMT "…", TEXT_ARG(t)));
        *ret = t;
    }
    arena_fini(&scratch);
    return rc;
}

static void find_icon(struct digest_entry *e, struct arena *a)
{
    struct text icon = e->from->item.icon;
    e->icon_url = digest_safe_url(icon, false);
    if (e->icon_url.n == 0 && icon.n <= ICON_BYTES_MAX && text_find(icon, ':') == icon.n)
        e->icon = cleaned(icon, ICON_BYTES_MAX, false, a);
}

static enum tide_err fill(struct digest_entry *e, struct arena *a, struct tide_error *err)
{
    const struct notification *n = e->from;
    if (message_open(n->message, &e->message, NULL) != TIDE_OK)
        e->message = (struct message){.body = TEXT("")};
    enum tide_err rc = find_text(e, a, &e->text, err);
    if (rc != TIDE_OK)
        return rc;
    struct text subject =
        n->subject.n ? n->subject : message_value(&e->message, TEXT("Subject"), a);
    e->subject = without_reply_marks(cleaned(subject, DIGEST_TITLE_BYTES, false, a));
    e->title = cleaned(n->item.title.n ? n->item.title : subject, DIGEST_TITLE_BYTES, false, a);
    if (!e->text.p || !e->title.p)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a digest");
    if (e->title.n == 0)
        e->title = TEXT("(no subject)");
    e->url = digest_safe_url(n->item.url, true);
    find_icon(e, a);
    e->thread = n->thread;
    if (e->thread.n == 0)
        e->thread = message_first_id(&e->message, TEXT("References"), a);
    if (e->thread.n == 0)
        e->thread = message_first_id(&e->message, TEXT("In-Reply-To"), a);
    return TIDE_OK;
}

static int by_time(const void *x, const void *y)
{
    const struct digest_entry *a = x, *b = y;
    if (a->from->accepted_at != b->from->accepted_at)
        return a->from->accepted_at < b->from->accepted_at ? -1 : 1;
    return a->from->id < b->from->id ? -1 : a->from->id > b->from->id;
}

static int by_priority_thread_time(const void *x, const void *y)
{
    const struct digest_entry *a = x, *b = y;
    if (a->from->priority != b->from->priority)
        return a->from->priority < b->from->priority ? -1 : 1;
    if (a->thread_rank != b->thread_rank)
        return a->thread_rank < b->thread_rank ? -1 : 1;
    return by_time(x, y);
}

/* A reply names its root in References, and the root has that Message-ID itself. */
static struct text thread_name(const struct digest_entry *e)
{
    return e->thread.n ? e->thread : e->from->message_id;
}

static bool rank_threads(struct digest_entry *entries, size_t count)
{
    struct strmap first;
    bool ok = true;
    strmap_init(&first);
    for (size_t i = 0; i < count && ok; i++) {
        struct digest_entry *before = NULL;
        struct text name = thread_name(&entries[i]);
        if (name.n > 0)
            before = strmap_get(&first, name);
        entries[i].thread_rank = before ? before->thread_rank : i;
        if (name.n > 0 && !before)
            ok = strmap_put(&first, name, &entries[i]);
    }
    strmap_fini(&first);
    return ok;
}

bool digest_same_thread(const struct digest_entry *a, const struct digest_entry *b)
{
    return a->from->priority == b->from->priority && a->thread_rank == b->thread_rank;
}

static bool says_the_same(const struct digest_entry *a, const struct digest_entry *b)
{
    return text_eq(a->title, b->title) && text_eq(a->text, b->text) && text_eq(a->url, b->url) &&
           text_eq(a->icon, b->icon) && text_eq(a->icon_url, b->icon_url);
}

enum tide_err digest_entries(const struct notification *items,
                             size_t count,
                             struct arena *a,
                             struct digest_entry **ret,
                             struct tide_error *err)
{
    struct digest_entry *entries = arena_array(a, count, sizeof *entries);
    if (!entries)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a digest");
    for (size_t i = 0; i < count; i++) {
        entries[i].from = &items[i];
        enum tide_err rc = fill(&entries[i], a, err);
        if (rc != TIDE_OK)
            return rc;
    }
    qsort(entries, count, sizeof *entries, by_time);
    if (!rank_threads(entries, count))
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a digest");
    qsort(entries, count, sizeof *entries, by_priority_thread_time);
    struct digest_entry *last = NULL;
    for (size_t i = 0; i < count; i++) {
        if (last && digest_same_thread(last, &entries[i]) && says_the_same(last, &entries[i])) {
            last->repeats++;
            continue;
        }
        last = &entries[i];
        last->repeats = 1;
    }
    *ret = entries;
    return TIDE_OK;
}
