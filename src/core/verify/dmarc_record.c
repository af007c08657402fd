#include "core/verify/dmarc_record.h"

#include "base/macros.h"
#include "core/verify/tag_list.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const policy_names[] = {"none", "quarantine", "reject", ""};

const char *dmarc_policy_name(enum dmarc_policy p)
{
    return (size_t)p < TIDE_COUNT(policy_names) ? policy_names[p] : "";
}

static void remark(struct dmarc_record *r, bool fault, const char *fmt, ...) TIDE_PRINTF(3, 4);

static void remark(struct dmarc_record *r, bool fault, const char *fmt, ...)
{
    va_list args;
    r->faulty = r->faulty || fault;
    if (r->remark_count == DMARC_REMARKS_MAX)
        return;
    struct dmarc_remark *m = &r->remarks[r->remark_count++];
    m->fault = fault;
    va_start(args, fmt);
    (void)vsnprintf(m->text, sizeof m->text, fmt, args);
    va_end(args);
}

#define SHOWN(t) TEXT_ARG(text_cut((t), 0, 40))

/* -- Values -------------------------------------------------------------------------------------*/

static bool read_policy(struct text v, enum dmarc_policy *ret)
{
    for (int i = DMARC_NONE; i < DMARC_UNSET; i++)
        if (text_ieq(v, text_of(policy_names[i]))) {
            *ret = (enum dmarc_policy)i;
            return true;
        }
    return false;
}

/* One letter out of `letters`. */
static bool read_letter(struct text v, const char *letters, char *ret)
{
    char c = v.n == 1 ? ascii_lower(v.p[0]) : 0;
    if (!c || !strchr(letters, c))
        return false;
    *ret = c;
    return true;
}

/* "0", "1", "d", "s", with colons between them. */
static bool is_failure_options(struct text v)
{
    struct text one;
    char c;
    while (text_split(&v, ':', &one))
        if (!read_letter(text_trim(one), "01ds", &c))
            return false;
    return true;
}

/* RFC 7489 6.2: "!" and digits, one of k, m, g, t after them or none; 64 bits are enough. */
static bool is_size(struct text t)
{
    size_t n = t.n;
    if (n && strchr("kmgtKMGT", t.p[n - 1]) && t.p[n - 1])
        n--;
    int64_t value;
    return text_int(text_cut(t, 0, n), 0, INT64_MAX, &value, NULL) == TIDE_OK;
}

/* RFC 3986: scheme, colon, something; no blanks. */
static bool is_uri(struct text t)
{
    size_t bang = text_find(t, '!'), colon = text_find(t, ':');
    if (bang < t.n && !is_size(text_cut(t, bang + 1, t.n)))
        return false;
    t = text_cut(t, 0, bang);
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] <= 0x20 || t.p[i] >= 0x7f || strchr("<>\"{}|\\^`", t.p[i]) ||
            (i < colon && !ascii_is_alnum(t.p[i]) && !strchr("+-.", t.p[i])))
            return false;
    return colon > 0 && colon + 1 < t.n && ascii_is_alpha(t.p[0]);
}

/* How many of the list are URIs; *ret_all: all of them. */
static size_t count_uris(struct text list, bool *ret_all)
{
    struct text one;
    size_t good = 0, all = 0;
    while (text_split(&list, ',', &one)) {
        all++;
        good += is_uri(text_trim(one));
    }
    *ret_all = good == all;
    return good;
}

/* -- Tags ---------------------------------------------------------------------------------------*/

static void read_uris(struct dmarc_record *r, const char *name, struct text v, struct text *ret)
{
    bool all = false;
    if (count_uris(v, &all) > 0)
        *ret = v;
    if (!all)
        remark(r, true, "%s: want URIs such as mailto:dmarc@example.org, got \"" TEXT_FMT "\"",
               name, SHOWN(v));
    else if (text_find(v, '!') < v.n)
        remark(r, false, "%s: a size after \"!\" is no longer read (RFC 9989)", name);
}

/* False: the value is wrong. */
static bool read_tag(struct dmarc_record *r, const struct tag *t, bool *ret_bad_policy)
{
    char c = 'r';
    if (text_ieq(t->name, TEXT("adkim")) || text_ieq(t->name, TEXT("aspf"))) {
        bool ok = read_letter(t->value, "rs", &c);
        *(ascii_lower(t->name.p[1]) == 'd' ? &r->strict_dkim : &r->strict_spf) = c == 's';
        return ok;
    }
    if (text_ieq(t->name, TEXT("t"))) {
        bool ok = read_letter(t->value, "yn", &c);
        r->testing = c == 'y';
        return ok;
    }
    if (text_ieq(t->name, TEXT("psd")))
        return read_letter(t->value, "ynu", &r->psd);
    if (text_ieq(t->name, TEXT("fo")))
        return is_failure_options(t->value);
    enum dmarc_policy *policy = text_ieq(t->name, TEXT("p"))    ? &r->p
                                : text_ieq(t->name, TEXT("sp")) ? &r->sp
                                : text_ieq(t->name, TEXT("np")) ? &r->np
                                                                : NULL;
    if (policy && !read_policy(t->value, policy)) {
        *ret_bad_policy = true;
        return false;
    }
    if (policy)
        return true;
    if (text_ieq(t->name, TEXT("rua")))
        read_uris(r, "rua", t->value, &r->rua);
    else if (text_ieq(t->name, TEXT("ruf")))
        read_uris(r, "ruf", t->value, &r->ruf);
    else if (text_ieq(t->name, TEXT("pct")) || text_ieq(t->name, TEXT("rf")) ||
             text_ieq(t->name, TEXT("ri")))
        remark(r, false, TEXT_FMT " went with RFC 9989 and is ignored", TEXT_ARG(t->name));
    else
        remark(r, false, "the tag " TEXT_FMT " is not known and is ignored", SHOWN(t->name));
    return true;
}

bool dmarc_record_is(struct text txt)
{
    size_t end = text_find(txt, ';'), at = text_find(txt, '=');
    if (at >= end || !ascii_is_alpha(txt.p[0])) /* nothing stands before the version */
        return false;
    return text_ieq(text_trim(text_cut(txt, 0, at)), TEXT("v")) &&
           text_eq(text_trim(text_cut(txt, at + 1, end - at - 1)), TEXT("DMARC1"));
}

void dmarc_record_parse(struct text txt, struct dmarc_record *ret)
{
    struct tag_list list;
    bool bad_policy = false;
    *ret =
        (struct dmarc_record){.p = DMARC_UNSET, .sp = DMARC_UNSET, .np = DMARC_UNSET, .psd = 'u'};
    if (!dmarc_record_is(txt)) {
        remark(ret, true, "it does not begin with \"v=DMARC1\"");
        return;
    }
    tag_list_parse(txt, true, &list);
    if (list.malformed)
        remark(ret, true, "want NAME=VALUE between semicolons everywhere");
    if (list.duplicate || list.too_many)
        remark(ret, true,
               list.duplicate ? "a tag stands there twice (RFC 6376 3.2)"
                              : "it has more than %d tags",
               TAGS_MAX);
    for (size_t i = 1; i < list.count; i++)
        if (!read_tag(ret, &list.tags[i], &bad_policy))
            remark(ret, true, TEXT_FMT ": \"" TEXT_FMT "\" is no value of it",
                   SHOWN(list.tags[i].name), SHOWN(list.tags[i].value));
    /* RFC 9989 4.7: without a valid policy a record counts as "none" if reports are asked for. */
    bool broken = bad_policy || ret->p == DMARC_UNSET;
    if (broken && ret->rua.n)
        ret->p = ret->sp = ret->np = DMARC_NONE;
    if (broken && !bad_policy)
        remark(ret, !ret->rua.n, "p is missing%s",
               ret->rua.n ? ": receivers take it for \"none\"" : ", and there is no rua either");
    ret->usable = !list.duplicate && !list.too_many && (!broken || ret->rua.n);
}
