#include "core/outcome/story.h"

#include "core/proto/json.h"

#define DETAIL_BYTES_MAX 65536

/* What began and is not over:
 *
 *   REFUSED --limited, bounced, deferred, complained, dropped ...--> (stays until mail gets
 * through) STOPPED --suppressed--> unsuppressed UNKNOWN --the answer was lost--> sent, or abandoned
 */
enum trouble_kind { TROUBLE_REFUSED, TROUBLE_STOPPED, TROUBLE_UNKNOWN };

struct trouble {
    enum trouble_kind kind;
    int at; /* place of its entry */
    struct text event;
    tide_id attempt_id;
    char cause[160]; /* words that what follows from it repeats */
    char class[24];
    char scope[64]; /* of a stop */
};

struct story {
    const struct journal_entry *entries;
    struct trouble open[STORY_OPEN_MAX]; /* oldest first */
    size_t count;
};

static void copy(char *out, size_t size, struct text t)
{
    size_t n = t.n < size - 1 ? t.n : size - 1;
    if (n > 0)
        memcpy(out, t.p, n);
    out[n] = '\0';
}

static bool is(const struct journal_entry *e, const char *event)
{
    return text_eq(e->event, text_of(event));
}

static bool is_refusal(const struct journal_entry *e)
{
    static const char *const events[] = {"limited",        "bounced",      "deferred",
                                         "complained",     "unsubscribed", "dropped_by_esp",
                                         "deferred_by_esp"};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (is(e, events[i]))
            return true;
    return false;
}

/* A member of the entry's detail, copied; "" when it says nothing. */
static void detail_text(const struct journal_entry *e, const char *name, char *out, size_t size)
{
    struct json *doc = NULL;
    out[0] = '\0';
    if (e->detail.n == 0 || json_parse(e->detail, DETAIL_BYTES_MAX, &doc, NULL) != TIDE_OK)
        return;
    copy(out, size, json_string_text(json_member(doc, name)));
    json_free(doc);
}

static void put_trouble(struct story *s, int at, enum trouble_kind kind)
{
    const struct journal_entry *e = &s->entries[at];
    if (s->count == STORY_OPEN_MAX) {
        memmove(&s->open[0], &s->open[1], (STORY_OPEN_MAX - 1) * sizeof s->open[0]);
        s->count--;
    }
    struct trouble *t = &s->open[s->count++];
    *t = (struct trouble){.kind = kind, .at = at, .event = e->event, .attempt_id = e->attempt_id};
    detail_text(e, "cause", t->cause, sizeof t->cause);
    detail_text(e, "class", t->class, sizeof t->class);
    detail_text(e, "scope", t->scope, sizeof t->scope);
}

static void end_trouble(struct story *s, size_t i)
{
    memmove(&s->open[i], &s->open[i + 1], (s->count - i - 1) * sizeof s->open[0]);
    s->count--;
}

/* The latest of that kind (of that attempt, if not 0); NULL: none. */
static const struct trouble *latest(const struct story *s, enum trouble_kind kind, tide_id attempt)
{
    for (size_t i = s->count; i-- > 0;)
        if (s->open[i].kind == kind && (attempt == 0 || s->open[i].attempt_id == attempt))
            return &s->open[i];
    return NULL;
}

static int place(const struct trouble *t)
{
    return t ? t->at : -1;
}

/* The refusal that something was done for: of the same attempt, else of the same instant, else what
 * came last. */
static const struct trouble *refusal_behind(const struct story *s, const struct journal_entry *e)
{
    const struct trouble *t = e->attempt_id ? latest(s, TROUBLE_REFUSED, e->attempt_id) : NULL;
    return t ? t : latest(s, TROUBLE_REFUSED, 0);
}

/* Another refusal of a trouble that is not over: the ESP dropped it for what came before, or the
 * same class was said again. */
static const struct trouble *same_again(const struct story *s, const struct journal_entry *e)
{
    char class[sizeof s->open[0].class];
    if (is(e, "dropped_by_esp"))
        return latest(s, TROUBLE_REFUSED, 0);
    detail_text(e, "class", class, sizeof class);
    for (size_t i = s->count; i-- > 0;) {
        const struct trouble *t = &s->open[i];
        if (t->kind == TROUBLE_REFUSED && text_eq(t->event, e->event) && class[0] &&
            strcmp(t->class, class) == 0)
            return t;
    }
    return NULL;
}

/* A hold repeats the words of what it is for. */
static const struct trouble *named_in(const struct story *s, struct text sentence)
{
    for (size_t i = s->count; i-- > 0;) {
        struct text cause = text_of(s->open[i].cause);
        while (cause.n > 0 && cause.p[cause.n - 1] == '.')
            cause.n--;
        if (cause.n > 0 && text_ifind(sentence, cause) < sentence.n)
            return &s->open[i];
    }
    return NULL;
}

static void join_held(struct story *s, const struct journal_entry *e, struct story_link *l)
{
    l->cause = place(named_in(s, e->sentence));
}

static void join_refused(struct story *s, const struct journal_entry *e, struct story_link *l)
{
    char code[32];
    detail_text(e, "code", code, sizeof code);
    if (strcmp(code, "suppressed") == 0)
        l->cause = place(latest(s, TROUBLE_STOPPED, 0));
}

/* Mail that was on its way when another was refused proves nothing: an id tells when it left. */
static bool left_after(const struct journal_entry *e, tide_wall_ms at)
{
    return e->attempt_id == 0 || id_time(e->attempt_id) >= at;
}

/* Mail got through: what was refused for a while is over, and a lost answer is found. */
static void join_arrived(struct story *s, const struct journal_entry *e, struct story_link *l)
{
    for (size_t i = s->count; i-- > 0;) {
        const struct trouble *t = &s->open[i];
        bool found = t->kind == TROUBLE_UNKNOWN && t->attempt_id == e->attempt_id;
        bool over = t->kind == TROUBLE_REFUSED &&
                    (t->attempt_id == e->attempt_id ? text_eq(t->event, TEXT("deferred_by_esp"))
                                                    : left_after(e, s->entries[t->at].at));
        if (!found && !over)
            continue;
        l->ends = t->at; /* the oldest of them, in the end */
        end_trouble(s, i);
    }
}

static void join_lifted(struct story *s, const struct journal_entry *e, struct story_link *l)
{
    char scope[sizeof s->open[0].scope];
    detail_text(e, "scope", scope, sizeof scope);
    for (size_t i = s->count; i-- > 0;) {
        const struct trouble *t = &s->open[i];
        if (t->kind != TROUBLE_STOPPED || strcmp(t->scope, scope) != 0)
            continue;
        l->cause = l->ends = t->at;
        end_trouble(s, i);
        return;
    }
}

static void join_one(struct story *s, int at, struct story_link *l)
{
    const struct journal_entry *e = &s->entries[at];
    const struct trouble *t;
    if (is_refusal(e)) {
        t = same_again(s, e);
        l->cause = place(t);
        if (!t)
            put_trouble(s, at, TROUBLE_REFUSED);
    } else if (is(e, "suppressed")) {
        l->cause = place(refusal_behind(s, e));
        put_trouble(s, at, TROUBLE_STOPPED);
    } else if (is(e, "unsuppressed")) {
        join_lifted(s, e, l);
    } else if (is(e, "confirmed")) {
        l->cause = place(latest(s, TROUBLE_STOPPED, 0));
    } else if (is(e, "limit_learned") || text_starts(e->event, TEXT("esp_"))) {
        t = refusal_behind(s, e);
        l->cause = place(t ? t : latest(s, TROUBLE_STOPPED, 0));
    } else if (is(e, "held")) {
        join_held(s, e, l);
    } else if (is(e, "refused")) {
        join_refused(s, e, l);
    } else if (is(e, "unknown")) {
        put_trouble(s, at, TROUBLE_UNKNOWN);
    } else if (is(e, "abandoned")) {
        l->cause = place(latest(s, TROUBLE_UNKNOWN, e->attempt_id));
    } else if (is(e, "sent") || is(e, "delivered")) {
        join_arrived(s, e, l);
    }
}

void story_join(const struct journal_entry *entries, size_t count, struct story_link *ret)
{
    struct story s = {.entries = entries};
    for (size_t i = 0; i < count; i++) {
        ret[i] = (struct story_link){-1, -1};
        join_one(&s, (int)i, &ret[i]);
    }
}
