#include "core/digest/digest.h"

#include "base/macros.h"
#include "core/digest/builtin.h"
#include "core/digest/entries.h"
#include "core/digest/mime.h"
#include "core/digest/template.h"

#include <stdio.h>
#include <stdlib.h>

#define RENDERED_BYTES_MAX (8u << 20)

/* -- Templates ---------------------------------------------------------------------------------*/

struct digest_templates {
    struct template *subject, *text, *html;
};

/* Fields of the whole, of a group, of an item: all that a template may name. */
static const char *const field_names[] = {
    "count",   "from",    "from_address", "recipient",  "subject",  "thread",
    "since",   "until",   "zone",         "more",       "groups",   "unsubscribe_url",
    "preview", "heading", "group_count",  "group_more", "items",    "title",
    "label",   "text",    "url",          "icon",       "icon_url", "time",
    "repeats", "stream"};

static struct text between(const char *from, const char *end)
{
    return (struct text){from, (size_t)(end - from)};
}

struct digest_sources digest_builtin_sources(void)
{
    return (struct digest_sources){
        .dir = "built-in",
        .subject = between(builtin_subject, builtin_subject_end),
        .text = between(builtin_text, builtin_text_end),
        .html = between(builtin_html, builtin_html_end),
    };
}

/* The operator's source if there is one and it is right, else the built-in one. Returns what was
 * wrong with the operator's. */
static enum tide_err one_template(enum template_kind kind,
                                  const char *dir,
                                  const char *name,
                                  struct text own,
                                  struct text builtin,
                                  struct template **ret,
                                  struct tide_error *err)
{
    char file[512];
    enum tide_err rc = TIDE_OK, rc2;
    snprintf(file, sizeof file, "%s/%s", dir ? dir : "templates", name);
    if (own.p) {
        rc = template_new(kind, file, own, field_names, TIDE_COUNT(field_names), ret, err);
        if (rc == TIDE_OK)
            return rc;
    }
    rc2 = template_new(kind, name, builtin, field_names, TIDE_COUNT(field_names), ret,
                       rc == TIDE_OK ? err : NULL);
    return rc == TIDE_OK ? rc2 : rc;
}

enum tide_err digest_templates_new(const struct digest_sources *sources,
                                   struct digest_templates **ret,
                                   struct tide_error *err)
{
    const struct digest_sources builtin = digest_builtin_sources(), none = {0};
    const struct digest_sources *own = sources ? sources : &none;
    struct tide_error errs[3] = {0};
    struct digest_templates *t = calloc(1, sizeof *t);
    if (!t)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for templates");
    const enum tide_err rcs[3] = {
        one_template(TEMPLATE_TEXT, own->dir, "subject.txt", own->subject, builtin.subject,
                     &t->subject, &errs[0]),
        one_template(TEMPLATE_TEXT, own->dir, "digest.txt", own->text, builtin.text, &t->text,
                     &errs[1]),
        one_template(TEMPLATE_HTML, own->dir, "digest.html", own->html, builtin.html, &t->html,
                     &errs[2]),
    };
    if (!t->subject || !t->text || !t->html) {
        digest_templates_free(t);
        return tide_fail(err, TIDE_ENOMEM, "out of memory for templates");
    }
    *ret = t;
    for (size_t i = 0; i < 3; i++)
        if (rcs[i] != TIDE_OK)
            return tide_fail(err, rcs[i], "%s", errs[i].text);
    return TIDE_OK;
}

void digest_templates_free(struct digest_templates *t)
{
    if (!t)
        return;
    template_free(t->subject);
    template_free(t->text);
    template_free(t->html);
    free(t);
}

/* -- Fields ------------------------------------------------------------------------------------*/

struct digest {
    const struct digest_options *options;
    struct arena arena;
    struct digest_entry *entries;
    size_t count;
    const struct digest_entry *newest;
    struct mailbox from;
    struct text recipient, from_shown;
    struct digest_result result;
    size_t more_in_groups; /* of result.more, what groups say of themselves */
    struct tide_error *err;
};

#define FIELD(field_name, value) ((struct template_field){.name = (field_name), .text = (value)})

static struct text number(struct digest *d, size_t n)
{
    return text_of(arena_printf(&d->arena, "%zu", n));
}

/* "2026-11-21 22:17"; the day is left out when it is the day of the digest. */
static struct text shown_time(struct digest *d, tide_wall_ms t)
{
    struct civil c = civil_of_wall(t, d->options->offset_s);
    struct civil now = civil_of_wall(d->options->now, d->options->offset_s);
    if (c.year == now.year && c.month == now.month && c.day == now.day)
        return text_of(arena_printf(&d->arena, "%02d:%02d", c.hour, c.minute));
    return text_of(arena_printf(&d->arena, "%04d-%02d-%02d %02d:%02d", c.year, c.month, c.day,
                                c.hour, c.minute));
}

#define ITEM_FIELDS 9

static bool item_scope(struct digest *d,
                       const struct digest_entry *e,
                       bool titled,
                       struct template_scope *ret)
{
    struct template_field *f = arena_array(&d->arena, ITEM_FIELDS, sizeof *f);
    if (!f)
        return false;
    const struct template_field fields[ITEM_FIELDS] = {
        FIELD("title", titled ? e->title : TEXT("")),
        FIELD("label", e->title), /* the title also where the heading has said it */
        FIELD("text", e->text),
        FIELD("url", e->url),
        FIELD("icon", e->icon),
        FIELD("icon_url", e->icon_url),
        FIELD("time", shown_time(d, e->from->accepted_at)),
        FIELD("repeats", e->repeats > 1 ? number(d, e->repeats) : TEXT("")),
        FIELD("stream", e->from->stream),
    };
    memcpy(f, fields, sizeof fields);
    *ret = (struct template_scope){f, ITEM_FIELDS};
    return true;
}

#define GROUP_FIELDS 4

/* The entries first..end-1 are of one thread, whose heading is the subject it began with. */
static bool group_scope(
    struct digest *d, size_t first, size_t end, size_t *room, struct template_scope *ret)
{
    const struct digest_entry *entries = d->entries;
    struct template_field *f = arena_array(&d->arena, GROUP_FIELDS, sizeof *f);
    struct template_scope *items = arena_array(&d->arena, end - first, sizeof *items);
    size_t shown = 0, more = 0, distinct = 0;
    if (!f || !items)
        return false;
    for (size_t i = first; i < end; i++)
        distinct += entries[i].repeats > 0;
    struct text heading = distinct > 1 ? entries[first].subject : TEXT("");
    if (distinct > 1 && heading.n == 0)
        heading = entries[first].title;
    for (size_t i = first; i < end; i++) {
        const struct digest_entry *e = &entries[i];
        if (e->repeats == 0)
            continue;
        if (*room == 0) {
            more += e->repeats;
            continue;
        }
        bool says_more = e->text.n > 0 || e->url.n > 0;
        bool titled = !says_more || heading.n == 0 ||
                      (!text_eq(e->title, heading) && !text_eq(e->subject, heading)) ||
                      e->from->item.title.n > 0;
        if (!item_scope(d, e, titled, &items[shown++]))
            return false;
        --*room;
        d->result.shown += e->repeats;
    }
    d->result.more += more;
    d->more_in_groups += more;
    const struct template_field fields[GROUP_FIELDS] = {
        FIELD("heading", heading),
        FIELD("group_count", number(d, end - first)),
        FIELD("group_more", more ? number(d, more) : TEXT("")),
        {.name = "items", .entries = items, .entry_count = shown},
    };
    memcpy(f, fields, sizeof fields);
    *ret = (struct template_scope){f, GROUP_FIELDS};
    return true;
}

/* All groups that have room; the others are counted in result.more. */
static bool all_groups(struct digest *d, struct template_field *ret, size_t *ret_threads)
{
    struct template_scope *groups = arena_array(&d->arena, d->count, sizeof *groups);
    size_t room = d->options->items_max > 0 ? (size_t)d->options->items_max : d->count;
    size_t shown = 0, end;
    *ret_threads = 0;
    if (!groups)
        return false;
    for (size_t first = 0; first < d->count; first = end) {
        end = first + 1;
        while (end < d->count && digest_same_thread(&d->entries[first], &d->entries[end]))
            end++;
        ++*ret_threads;
        if (room == 0)
            d->result.more += end - first;
        else if (!group_scope(d, first, end, &room, &groups[shown++]))
            return false;
    }
    *ret = (struct template_field){.name = "groups", .entries = groups, .entry_count = shown};
    return true;
}

/* The first address of List-Unsubscribe that a reader can open: RFC 2369 2, angle brackets. */
static struct text unsubscribe_url(struct digest *d)
{
    struct text value = message_raw_value(&d->newest->message, TEXT("List-Unsubscribe"), &d->arena);
    struct text fallback = TEXT("");
    while (value.n > 0) {
        value = text_cut(value, text_find(value, '<'), value.n);
        size_t close = text_find(value, '>');
        if (close == value.n)
            break;
        struct text url = digest_safe_url(text_cut(value, 1, close - 1), true);
        if (text_istarts(url, TEXT("http")))
            return url;
        if (fallback.n == 0)
            fallback = url;
        value = text_cut(value, close, value.n);
    }
    return fallback;
}

/* The first titles, for the line that mail programs show beside the subject. */
static struct text preview(struct digest *d)
{
    struct buf b = {0};
    for (size_t i = 0; i < d->count && b.len < DIGEST_TITLE_BYTES; i++) {
        if (d->entries[i].repeats == 0 ||
            (i > 0 && text_eq(d->entries[i].title, d->entries[i - 1].title)))
            continue;
        if (b.len > 0)
            buf_adds(&b, " · ");
        buf_add_text(&b, d->entries[i].title);
    }
    struct text line = digest_clean_line(buf_text(&b), DIGEST_TITLE_BYTES, &d->arena);
    buf_fini(&b);
    return line;
}

#define DIGEST_FIELDS 13

static bool all_fields(struct digest *d, struct template_field f[DIGEST_FIELDS])
{
    struct template_field groups;
    size_t threads;
    if (!all_groups(d, &groups, &threads))
        return false;
    tide_wall_ms since = TIDE_NEVER, until = INT64_MIN;
    struct text thread = threads == 1 ? d->entries[0].subject : TEXT("");
    for (size_t i = 0; i < d->count; i++) {
        since = TIDE_MIN(since, d->entries[i].from->accepted_at);
        until = TIDE_MAX(until, d->entries[i].from->accepted_at);
    }
    size_t more = d->result.more - d->more_in_groups;
    bool moment = text_eq(shown_time(d, since), shown_time(d, until));
    const struct template_field fields[DIGEST_FIELDS] = {
        FIELD("count", number(d, d->count)),
        FIELD("from", d->from_shown),
        FIELD("from_address", d->from.address),
        FIELD("recipient", d->recipient),
        FIELD("thread", thread),
        FIELD("since", moment ? TEXT("") : shown_time(d, since)),
        FIELD("until", shown_time(d, until)),
        FIELD("zone", d->options->zone),
        FIELD("more", more ? number(d, more) : TEXT("")),
        FIELD("unsubscribe_url", unsubscribe_url(d)),
        FIELD("preview", preview(d)),
        groups,
        FIELD("subject", TEXT("")),
    };
    memcpy(f, fields, sizeof fields);
    return true;
}

/* -- Header ------------------------------------------------------------------------------------*/

/* Of the newest original: they are for the reader's mail program and the ESP. */
static const char *const kept_of_newest[] = {"List-Unsubscribe", "List-Unsubscribe-Post",
                                             "List-Id"};
/* Only when all originals say the same. */
static const char *const kept_if_agreed[] = {
    "Reply-To",           "Feedback-ID",         "Precedence", "X-SES-CONFIGURATION-SET",
    "X-SES-MESSAGE-TAGS", "X-PM-Message-Stream", "X-PM-Tag",   "X-Mailgun-Tag"};

static void put_kept(const struct digest *d, struct buf *b)
{
    struct header h, other;
    for (size_t k = 0; k < TIDE_COUNT(kept_of_newest); k++)
        if (message_find(&d->newest->message, text_of(kept_of_newest[k]), &h))
            buf_add_text(b, h.whole);
    for (size_t k = 0; k < TIDE_COUNT(kept_if_agreed); k++) {
        struct text name = text_of(kept_if_agreed[k]);
        bool agreed = message_find(&d->newest->message, name, &h);
        for (size_t i = 0; i < d->count && agreed; i++)
            agreed = message_find(&d->entries[i].message, name, &other) &&
                     text_eq(text_trim(h.raw), text_trim(other.raw));
        if (agreed)
            buf_add_text(b, h.whole);
    }
}

static enum tide_err put_thread(struct digest *d, struct buf *b)
{
    char hash[MIME_HASH_BYTES];
    struct text domain =
        text_cut(d->from.address, text_find(d->from.address, '@') + 1, d->from.address.n);
    if (domain.n == 0 || !text_is_ascii(domain))
        domain = TEXT("mailtide.invalid");
    char *key = arena_printf(&d->arena, "digest\n" TEXT_FMT "\n" TEXT_FMT, TEXT_ARG(d->recipient),
                             TEXT_ARG(d->from.address));
    if (!key)
        return tide_fail(d->err, TIDE_ENOMEM, "out of memory for a digest");
    mime_hash(text_of(key), hash);
    char *id = arena_printf(&d->arena, "<digest.%.20s@" TEXT_FMT ">", hash, TEXT_ARG(domain));
    return message_put_structured(b, TEXT("References"), text_of(id), d->err);
}

static bool is_message_id(struct text id)
{
    return id.n > 4 && id.p[0] == '<' && id.p[id.n - 1] == '>' && text_find(id, '@') < id.n &&
           text_find(id, ' ') == id.n;
}

static enum tide_err put_head(struct digest *d, struct text subject, struct buf *b)
{
    char date[TIME_TEXT_BYTES];
    struct mailbox to = {TEXT(""), d->recipient};
    time_rfc5322(d->options->now, d->options->offset_s, date);
    struct tide_error *err = d->err;
    enum tide_err rc = message_put_mailbox(b, TEXT("From"), &d->from, err);
    if (rc == TIDE_OK)
        rc = message_put_mailbox(b, TEXT("To"), &to, err);
    if (rc == TIDE_OK)
        rc = message_put_header(b, TEXT("Subject"), subject, err);
    if (rc == TIDE_OK)
        rc = message_put_structured(b, TEXT("Date"), text_of(date), err);
    if (rc == TIDE_OK)
        rc = message_put_structured(b, TEXT("Message-ID"), d->options->message_id, err);
    if (rc == TIDE_OK)
        rc = put_thread(d, b);
    if (rc == TIDE_OK)
        rc = message_put_structured(b, TEXT("Auto-Submitted"), TEXT("auto-generated"), err);
    if (rc == TIDE_OK)
        rc = message_put_structured(b, TEXT("X-Mailtide-Digest"), number(d, d->count), err);
    if (rc == TIDE_OK)
        put_kept(d, b);
    return rc;
}

/* -- The whole ---------------------------------------------------------------------------------*/

static enum tide_err put_bodies(struct digest *d, const struct template_scope *scope, struct buf *b)
{
    const struct digest_templates *t = d->options->templates;
    struct buf text = {.max = RENDERED_BYTES_MAX}, html = {.max = RENDERED_BYTES_MAX};
    enum tide_err rc = template_render(t->text, scope, &text, d->err);
    struct text *originals = NULL;
    if (rc == TIDE_OK && d->options->as_mime) {
        originals = arena_array(&d->arena, d->count, sizeof *originals);
        if (!originals)
            rc = tide_fail(d->err, TIDE_ENOMEM, "out of memory for a digest");
    } else if (rc == TIDE_OK) {
        rc = template_render(t->html, scope, &html, d->err);
    }
    if (rc == TIDE_OK && originals) {
        for (size_t i = 0; i < d->count; i++)
            originals[i] = d->entries[i].from->message;
        mime_put_digest(b, buf_text(&text), originals, d->count, d->options->message_id);
    } else if (rc == TIDE_OK) {
        mime_put_alternative(b, buf_text(&text), buf_text(&html), d->options->message_id);
    }
    buf_fini(&text);
    buf_fini(&html);
    return rc == TIDE_OK ? buf_check(b, d->err) : rc;
}

/* The rendered line without line ends; of titles that were cleaned, so nothing else is in it. */
static enum tide_err make_subject(struct digest *d,
                                  const struct template_scope *scope,
                                  struct text *ret)
{
    struct buf b = {.max = MESSAGE_VALUE_BYTES_MAX};
    enum tide_err rc = template_render(d->options->templates->subject, scope, &b, d->err);
    if (rc == TIDE_OK) {
        for (size_t i = 0; i < b.len; i++)
            if (b.data[i] == '\r' || b.data[i] == '\n')
                b.data[i] = ' ';
        *ret = arena_text(&d->arena, text_trim(buf_text(&b)));
    }
    buf_fini(&b);
    return rc;
}

static enum tide_err build(struct digest *d, struct buf *ret)
{
    struct template_field fields[DIGEST_FIELDS];
    struct template_scope scope = {fields, DIGEST_FIELDS};
    struct text subject;
    struct buf mail = {.max = d->options->bytes_max};
    if (!all_fields(d, fields))
        return tide_fail(d->err, TIDE_ENOMEM, "out of memory for a digest");
    enum tide_err rc = make_subject(d, &scope, &subject);
    if (rc != TIDE_OK)
        return rc;
    fields[DIGEST_FIELDS - 1].text = subject;
    rc = put_head(d, subject, &mail);
    d->result.needs_smtputf8 = !text_is_ascii(buf_text(&mail)) || !text_is_ascii(d->recipient);
    size_t head = mail.len;
    if (rc == TIDE_OK)
        rc = put_bodies(d, &scope, &mail);
    if (rc == TIDE_OK) {
        d->result.needs_8bit = !text_is_ascii(text_cut(buf_text(&mail), head, mail.len));
        buf_add_text(ret, buf_text(&mail));
        rc = buf_check(ret, d->err);
    }
    buf_fini(&mail);
    return rc;
}

static enum tide_err put_original(const struct notification *n,
                                  struct buf *ret,
                                  struct digest_result *result,
                                  struct tide_error *err)
{
    struct message m;
    buf_add_text(ret, n->message);
    *result = (struct digest_result){.original = true, .shown = 1};
    result->needs_8bit = !text_is_ascii(n->message);
    result->needs_smtputf8 = !text_is_ascii(n->recipient) || !text_is_ascii(n->sender);
    if (message_open(n->message, &m, NULL) == TIDE_OK)
        result->needs_smtputf8 |= !text_is_ascii(m.head);
    return buf_check(ret, err);
}

/* Who the digest is from: as the newest original has it, else the identity. */
static enum tide_err find_sender(struct digest *d)
{
    const struct notification *n = d->newest->from;
    if (message_from(&d->newest->message, &d->arena, &d->from, NULL) != TIDE_OK)
        d->from = (struct mailbox){TEXT(""), n->identity};
    d->recipient = n->recipient;
    d->from_shown = digest_clean_line(d->from.name, DIGEST_TITLE_BYTES, &d->arena);
    if (d->from_shown.n == 0)
        d->from_shown = d->from.address;
    return d->from.address.n > 0
               ? TIDE_OK
               : tide_fail(d->err, TIDE_EINVAL, "the notifications name no sender identity");
}

enum tide_err digest_build(const struct notification *items,
                           size_t count,
                           const struct digest_options *options,
                           struct buf *ret,
                           struct digest_result *ret_result,
                           struct tide_error *err)
{
    if (count == 0 || count > DIGEST_ITEMS_MAX)
        return tide_fail(err, TIDE_EINVAL, "a digest of %zu notifications; want 1..%d", count,
                         DIGEST_ITEMS_MAX);
    if (count == 1)
        return put_original(&items[0], ret, ret_result, err);
    if (!is_message_id(options->message_id))
        return tide_fail(err, TIDE_EINVAL, "want a Message-ID in angle brackets for a digest");
    struct digest d = {.options = options, .count = count, .err = err};
    enum tide_err rc = digest_entries(items, count, &d.arena, &d.entries, err);
    if (rc == TIDE_OK) {
        d.newest = &d.entries[0];
        for (size_t i = 1; i < count; i++) {
            const struct notification *a = d.entries[i].from, *b = d.newest->from;
            if (a->accepted_at > b->accepted_at ||
                (a->accepted_at == b->accepted_at && a->id > b->id))
                d.newest = &d.entries[i];
        }
        rc = find_sender(&d);
    }
    if (rc == TIDE_OK)
        rc = build(&d, ret);
    if (rc == TIDE_OK)
        *ret_result = d.result;
    arena_fini(&d.arena);
    return rc;
}
