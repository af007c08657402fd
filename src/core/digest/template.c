#include "core/digest/template.h"

#include <stdlib.h>

#define RENDER_STEPS_MAX 1000000 /* lists in lists multiply, and may do so without any output */

enum op_type { OP_TEXT, OP_FIELD, OP_SECTION, OP_INVERTED, OP_END };

struct op {
    enum op_type type;
    struct text text; /* of OP_TEXT; else the field's name */
    uint32_t end;     /* sections: the op behind their OP_END */
};

struct template
{
    enum template_kind kind;
    char *source;
    struct op *ops;
    uint32_t count, cap;
};

struct compiler {
    struct template *t;
    const char *file;
    const char *const *names;
    size_t name_count;
    struct text rest;
    unsigned line;
    uint32_t open[TEMPLATE_DEPTH_MAX]; /* sections not closed yet */
    unsigned open_lines[TEMPLATE_DEPTH_MAX];
    unsigned depth;
    struct tide_error *err;
};

void template_free(struct template *t)
{
    if (!t)
        return;
    free(t->source);
    free(t->ops);
    free(t);
}

#define WRONG(c, ...)                                                                       \
    tide_wrap((c)->err, tide_fail((c)->err, TIDE_ESYNTAX, __VA_ARGS__), "%s:%u", (c)->file, \
              (c)->line)

static enum tide_err add_op(struct compiler *c, enum op_type type, struct text text)
{
    struct template *t = c->t;
    if (t->count == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 32;
        struct op *more = realloc(t->ops, cap * sizeof *more);
        if (!more)
            return tide_fail(c->err, TIDE_ENOMEM, "out of memory for template %s", c->file);
        t->ops = more;
        t->cap = cap;
    }
    t->ops[t->count++] = (struct op){.type = type, .text = text};
    return TIDE_OK;
}

static enum tide_err check_field(struct compiler *c, struct text name)
{
    for (size_t i = 0; i < c->name_count; i++)
        if (text_eq(name, text_of(c->names[i])))
            return TIDE_OK;
    const char *near = text_nearest(name, c->names, c->name_count);
    return WRONG(c, "there is no field \"" TEXT_FMT "\"%s%s%s", TEXT_ARG(text_cut(name, 0, 60)),
                 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static enum tide_err close_section(struct compiler *c, struct text name)
{
    if (c->depth == 0)
        return WRONG(c, "{{/" TEXT_FMT "}} closes nothing", TEXT_ARG(text_cut(name, 0, 60)));
    struct op *open = &c->t->ops[c->open[--c->depth]];
    if (!text_eq(open->text, name))
        return WRONG(c, "want {{/" TEXT_FMT "}} for line %u, got {{/" TEXT_FMT "}}",
                     TEXT_ARG(text_cut(open->text, 0, 60)), c->open_lines[c->depth],
                     TEXT_ARG(text_cut(name, 0, 60)));
    open->end = c->t->count + 1;
    return add_op(c, OP_END, name);
}

static enum tide_err on_tag(struct compiler *c, struct text tag)
{
    char sign = tag.n ? tag.p[0] : '\0';
    if (sign == '!')
        return TIDE_OK;
    bool is_section = sign == '#' || sign == '^';
    struct text name = text_trim(text_cut(tag, is_section || sign == '/', tag.n));
    if (sign == '{' || sign == '&')
        return WRONG(c, "fields are always escaped: write {{name}}");
    if (name.n == 0 || strchr(">=.", sign))
        return WRONG(c,
                     "want {{name}}, {{#name}}, {{^name}}, {{/name}} or {{! remark }}, got "
                     "{{" TEXT_FMT "}}",
                     TEXT_ARG(text_cut(tag, 0, 60)));
    if (sign == '/')
        return close_section(c, name);
    enum tide_err rc = check_field(c, name);
    if (rc != TIDE_OK || !is_section)
        return rc == TIDE_OK ? add_op(c, OP_FIELD, name) : rc;
    if (c->depth == TEMPLATE_DEPTH_MAX)
        return WRONG(c, "more than %d sections in each other", TEMPLATE_DEPTH_MAX);
    c->open_lines[c->depth] = c->line;
    c->open[c->depth++] = c->t->count;
    return add_op(c, sign == '#' ? OP_SECTION : OP_INVERTED, name);
}

/* Whether a section's tag stands alone in its line; then the line goes with it. `before` is the
 * text since the last tag, `after` what follows this one. */
static bool stands_alone(
    struct text before, bool at_start, struct text after, size_t *ret_lead, size_t *ret_tail)
{
    size_t lead = 0, tail = 0;
    while (lead < before.n &&
           (before.p[before.n - 1 - lead] == ' ' || before.p[before.n - 1 - lead] == '\t'))
        lead++;
    if (lead < before.n ? before.p[before.n - 1 - lead] != '\n' : !at_start)
        return false;
    while (tail < after.n &&
           (after.p[tail] == ' ' || after.p[tail] == '\t' || after.p[tail] == '\r'))
        tail++;
    if (tail < after.n && after.p[tail] != '\n')
        return false;
    *ret_lead = lead;
    *ret_tail = tail < after.n ? tail + 1 : tail;
    return true;
}

static unsigned lines_in(struct text t)
{
    unsigned n = 0;
    for (size_t i = 0; i < t.n; i++)
        n += t.p[i] == '\n';
    return n;
}

static enum tide_err compile(struct compiler *c)
{
    enum tide_err rc = TIDE_OK;
    bool at_start = true; /* of a line, if the text before the tag is empty */
    while (rc == TIDE_OK && c->rest.n > 0) {
        const char *open = memmem(c->rest.p, c->rest.n, "{{", 2);
        struct text before = text_cut(c->rest, 0, open ? (size_t)(open - c->rest.p) : c->rest.n);
        if (!open)
            return add_op(c, OP_TEXT, c->rest);
        c->line += lines_in(before);
        struct text tag = text_cut(c->rest, before.n + 2, c->rest.n);
        const char *close = memmem(tag.p, tag.n, "}}", 2);
        if (!close)
            return WRONG(c, "\"{{\" without \"}}\"");
        tag.n = (size_t)(close - tag.p);
        c->rest = text_cut(c->rest, before.n + tag.n + 4, c->rest.n);
        size_t lead, tail;
        bool alone = tag.n > 0 && strchr("#^/!", tag.p[0]) &&
                     stands_alone(before, at_start, c->rest, &lead, &tail);
        if (alone)
            before.n -= lead;
        if (before.n > 0)
            rc = add_op(c, OP_TEXT, before);
        if (rc == TIDE_OK)
            rc = on_tag(c, text_trim(tag));
        c->line += lines_in(tag);
        if (alone) {
            c->line += lines_in(text_cut(c->rest, 0, tail));
            c->rest = text_cut(c->rest, tail, c->rest.n);
        }
        at_start = alone;
    }
    return rc;
}

enum tide_err template_new(enum template_kind kind,
                           const char *file,
                           struct text source,
                           const char *const *names,
                           size_t name_count,
                           struct template **ret,
                           struct tide_error *err)
{
    if (source.n > TEMPLATE_BYTES_MAX)
        return tide_fail(err, TIDE_ELIMIT, "%s: a template of %zu bytes; at most %u are allowed",
                         file, source.n, TEMPLATE_BYTES_MAX);
    if (!text_is_utf8(source))
        return tide_fail(err, TIDE_ESYNTAX, "%s: the template is not UTF-8", file);
    struct template *t = calloc(1, sizeof *t);
    char *copy = malloc(source.n + 1);
    if (!t || !copy) {
        free(t);
        free(copy);
        return tide_fail(err, TIDE_ENOMEM, "out of memory for template %s", file);
    }
    if (source.n > 0)
        memcpy(copy, source.p, source.n);
    *t = (struct template){.kind = kind, .source = copy};
    struct compiler c = {t, file, names, name_count, {copy, source.n}, .line = 1, .err = err};
    enum tide_err rc = compile(&c);
    if (rc == TIDE_OK && c.depth > 0) {
        c.line = c.open_lines[c.depth - 1];
        rc = WRONG(&c, "section {{#" TEXT_FMT "}} is never closed",
                   TEXT_ARG(text_cut(t->ops[c.open[c.depth - 1]].text, 0, 60)));
    }
    if (rc == TIDE_OK)
        *ret = t;
    else
        template_free(t);
    return rc;
}

struct renderer {
    const struct template *t;
    const struct template_scope *scopes[TEMPLATE_DEPTH_MAX + 1];
    size_t depth;
    unsigned long steps;
    struct buf *out;
};

static const struct template_field *find_field(const struct renderer *r, struct text name)
{
    for (size_t d = r->depth + 1; d-- > 0;)
        for (size_t i = 0; i < r->scopes[d]->field_count; i++)
            if (text_eq(name, text_of(r->scopes[d]->fields[i].name)))
                return &r->scopes[d]->fields[i];
    return NULL;
}

static void put_html(struct buf *b, struct text t)
{
    size_t from = 0;
    for (size_t i = 0; i < t.n; i++) {
        const char *safe;
        switch (t.p[i]) {
        case '&':
            safe = "&amp;";
            break;
        case '<':
            safe = "&lt;";
            break;
        case '>':
            safe = "&gt;";
            break;
        case '"':
            safe = "&quot;";
            break;
        case '\'':
            safe = "&#39;";
            break;
        case '\n':
            safe = "<br>\n";
            break;
        default:
            continue;
        }
        buf_add(b, t.p + from, i - from);
        buf_adds(b, safe);
        from = i + 1;
    }
    buf_add(b, t.p + from, t.n - from);
}

/* Later lines start under the first. */
static void put_indented(struct buf *b, struct text t)
{
    size_t line = b->len, indent = 0;
    while (line > 0 && b->data[line - 1] != '\n')
        line--;
    while (line + indent < b->len && b->data[line + indent] == ' ')
        indent++;
    struct text piece;
    for (bool first = true; text_split(&t, '\n', &piece); first = false) {
        if (!first)
            buf_addf(b, "\n%*s", (int)indent, "");
        buf_add_text(b, piece);
    }
}

/* Renders ops from `at` to an OP_END or the end. The depth of sections was checked when compiled.
 */
static void render(struct renderer *r, uint32_t at)
{
    for (; at < r->t->count && r->t->ops[at].type != OP_END && r->out->failed == TIDE_OK; at++) {
        if (++r->steps > RENDER_STEPS_MAX)
            return;
        const struct op *op = &r->t->ops[at];
        if (op->type == OP_TEXT) {
            buf_add_text(r->out, op->text);
            continue;
        }
        const struct template_field *f = find_field(r, op->text);
        bool is_empty = !f || (f->entries ? f->entry_count == 0 : f->text.n == 0);
        if (op->type == OP_FIELD) {
            if (!is_empty && !f->entries)
                r->t->kind == TEMPLATE_HTML ? put_html(r->out, f->text)
                                            : put_indented(r->out, f->text);
            continue;
        }
        if (op->type == OP_INVERTED ? is_empty : !is_empty && !f->entries) {
            render(r, at + 1);
        } else if (op->type == OP_SECTION && !is_empty) {
            r->depth++;
            for (size_t i = 0; i < f->entry_count && r->steps <= RENDER_STEPS_MAX; i++) {
                r->scopes[r->depth] = &f->entries[i];
                render(r, at + 1);
            }
            r->depth--;
        }
        at = op->end - 1;
    }
}

enum tide_err template_render(const struct template *t,
                              const struct template_scope *scope,
                              struct buf *ret,
                              struct tide_error *err)
{
    struct renderer r = {.t = t, .scopes = {scope}, .out = ret};
    render(&r, 0);
    if (r.steps > RENDER_STEPS_MAX)
        return tide_fail(err, TIDE_ELIMIT, "the template takes more than %d steps",
                         RENDER_STEPS_MAX);
    return buf_check(ret, err);
}
