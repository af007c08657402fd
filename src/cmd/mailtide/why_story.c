/* The story of /v1/why: each trouble with what followed from it indented below ("because of this"),
 * and with what it ended. Days on which all went well take a line or two. */
#include "cmd/mailtide/why_story.h"

#include "base/macros.h"

#include <stdlib.h>

#define FOLD_MORE_THAN 3  /* entries of a run on which all went well */
#define EVENT_COLUMNS  10 /* most events are not longer */
#define DEPTH_COLUMNS  4

/* -- One entry -----------------------------------------------------------------------------------
 */

static const struct json *of_id(const struct json *list, struct text id)
{
    for (size_t i = 0; i < json_count(list); i++)
        if (text_eq(ask_text(json_element(list, i), "id"), id))
            return json_element(list, i);
    return NULL;
}

/* "attempt 0cn... through esp, a digest of 3" behind its release. */
static void show_attempt(struct cli *cli, const struct json *a, size_t indent)
{
    char when[SHOW_TIME_BYTES];
    struct buf line = {0};
    int64_t count = ask_int(a, "notifications");
    struct text state = ask_text(a, "state");
    buf_addf(&line, "attempt " TEXT_FMT " through " TEXT_FMT, TEXT_ARG(ask_text(a, "id")),
             TEXT_ARG(ask_text(a, "account")));
    if (count > 1)
        buf_addf(&line, ", a digest of %lld", (long long)count);
    if (ask_bool(a, "may_be_double"))
        buf_adds(&line, ", may be seen twice");
    if (text_eq(state, TEXT("flying")))
        buf_adds(&line, ", under way");
    else if (ask_time(a, "ended_at"))
        buf_addf(&line, ", " TEXT_FMT " at %s", TEXT_ARG(state),
                 show_time(ask_time(a, "ended_at"), cli->show.now, when));
    buf_addf(&cli->out, "%*s", (int)indent, "");
    show_paragraph(&cli->show, indent, indent + 2, buf_text(&line));
    buf_fini(&line);
}

static enum style style_of_event(struct text event)
{
    if (text_eq(event, TEXT("accepted")))
        return STYLE_PLAIN;
    return text_eq(event, TEXT("released")) ? STYLE_BOLD : show_style_of_state(event);
}

/* The event stands in its own column: "held until ..." becomes "until ...". */
static struct text without_event(struct text sentence, struct text event)
{
    if (!text_starts(sentence, event))
        return sentence;
    struct text rest = text_cut(sentence, event.n, sentence.n);
    if (text_starts(rest, TEXT(": ")))
        return text_cut(rest, 2, rest.n);
    return text_starts(rest, TEXT(" ")) ? text_cut(rest, 1, rest.n) : sentence;
}

/* A sentence, with the reason left out when it is that of the hold before. */
static void add_sentence(struct cli *cli,
                         struct text event,
                         struct text sentence,
                         struct text *last_reason,
                         struct buf *ret)
{
    struct text reason = show_reason(sentence);
    bool again = reason.p != sentence.p && text_eq(reason, *last_reason);
    if (reason.p != sentence.p)
        *last_reason = reason;
    if (again)
        sentence.n = (size_t)(reason.p - sentence.p) - 2;
    show_sentence(ret, without_event(sentence, event), SHOW_SPAN_NONE, cli->show.now);
    if (again)
        buf_adds(ret, ", for the same reason");
}

/* The journal with its joints as places in it. */
struct story {
    struct cli *cli;
    const struct json *journal, *attempts, *notifications;
    int count;
    int *cause, *ends; /* -1: none */
    bool *has_effects;
    size_t time_columns;
    struct text last_reason;
};

static const struct json *entry(const struct story *s, int i)
{
    return json_element(s->journal, (size_t)i);
}

static struct text event_of(const struct story *s, int i)
{
    return ask_text(entry(s, i), "event");
}

static const char *time_of(const struct story *s, int i, char *out)
{
    return show_time(ask_time(entry(s, i), "at"), s->cli->show.now, out);
}

/* "  TIME  event     text", the text wrapped behind the event. */
static void put_line(struct story *s,
                     int depth,
                     const char *time,
                     struct text event,
                     enum style style,
                     struct text text)
{
    struct cli *cli = s->cli;
    size_t indent = 2 + (size_t)depth * DEPTH_COLUMNS + s->time_columns + 2 + EVENT_COLUMNS;
    buf_addf(&cli->out, "%*s%-*s  ", 2 + depth * DEPTH_COLUMNS, "", (int)s->time_columns, time);
    show_styled(&cli->show, style, event);
    buf_addf(&cli->out, "%*s", event.n < EVENT_COLUMNS ? (int)(EVENT_COLUMNS - event.n) : 1, "");
    show_paragraph(&cli->show, TIDE_MAX(indent, indent - EVENT_COLUMNS + event.n + 1), indent,
                   text);
}

/* What is over with it, in words. */
static void add_end(const struct story *s, int i, struct buf *line)
{
    char when[SHOW_TIME_BYTES];
    int what = s->ends[i];
    if (what >= 0)
        buf_addf(line, "; with this, what began at %s (" TEXT_FMT ") is over",
                 time_of(s, what, when), TEXT_ARG(event_of(s, what)));
}

static void show_entry(struct story *s, int i, int depth)
{
    const struct json *e = entry(s, i);
    struct text event = event_of(s, i), id = ask_text(e, "notification");
    const struct json *about = of_id(s->notifications, id);
    const struct json *attempt = of_id(s->attempts, ask_text(e, "attempt"));
    char when[SHOW_TIME_BYTES];
    struct buf line = {0};
    add_sentence(s->cli, event, ask_text(e, "sentence"), &s->last_reason, &line);
    if (about && text_eq(event, TEXT("accepted")))
        buf_addf(&line, ": " TEXT_FMT " (" TEXT_FMT ")", TEXT_ARG(ask_text(about, "subject")),
                 TEXT_ARG(id));
    add_end(s, i, &line);
    put_line(s, depth, time_of(s, i, when), event, style_of_event(event), buf_text(&line));
    buf_fini(&line);
    if (attempt && text_eq(event, TEXT("released")))
        show_attempt(s->cli, attempt,
                     2 + (size_t)depth * DEPTH_COLUMNS + s->time_columns + 2 + EVENT_COLUMNS);
}

/* -- Runs on which all went well -----------------------------------------------------------------
 */

static const char *const good_events[] = {"accepted", "released", "sent", "delivered", "held"};
enum good { GOOD_ACCEPTED, GOOD_RELEASED, GOOD_SENT, GOOD_DELIVERED, GOOD_HELD, GOODS };

static int good_of(struct text event)
{
    for (int g = 0; g < GOODS; g++)
        if (text_eq(event, text_of(good_events[g])))
            return g;
    return GOODS;
}

static bool is_good(const struct story *s, int i)
{
    return good_of(event_of(s, i)) < GOODS && !s->has_effects[i] && s->ends[i] < 0;
}

struct tally {
    int count, first, last; /* places */
};

static void add_subject(const struct story *s, int i, struct buf *line)
{
    const struct json *n = of_id(s->notifications, ask_text(entry(s, i), "notification"));
    buf_addf(line, "\"" TEXT_FMT "\"", TEXT_ARG(ask_text(n, "subject")));
}

/* "12 notifications until 11:02: ...", "10 mails until 11:00, 9 delivered". */
static void show_tally(struct story *s, int depth, enum good g, const struct tally t[GOODS])
{
    char from[SHOW_TIME_BYTES], to[SHOW_TIME_BYTES];
    const struct tally *x = &t[g];
    struct buf line = {0};
    const char *unit = g == GOOD_ACCEPTED ? "notification" : g == GOOD_HELD ? "time" : "mail";
    if (g == GOOD_SENT && t[GOOD_DELIVERED].count > 0)
        buf_addf(&line, "and delivered (%d of them): ", t[GOOD_DELIVERED].count);
    if (g != GOOD_HELD || x->count > 1)
        buf_addf(&line, "%d %s%s", x->count, unit, x->count == 1 ? "" : "s");
    if (strcmp(time_of(s, x->first, from), time_of(s, x->last, to)) != 0)
        buf_addf(&line, " until %s", to);
    if (g == GOOD_ACCEPTED) {
        buf_adds(&line, ": ");
        add_subject(s, x->first, &line);
        if (x->count > 1) {
            buf_adds(&line, x->count > 2 ? " to " : ", ");
            add_subject(s, x->last, &line);
        }
    } else if (g == GOOD_HELD) {
        buf_adds(&line, x->count > 1 ? ", the last: " : "");
        add_sentence(s->cli, TEXT("held"), ask_text(entry(s, x->last), "sentence"), &s->last_reason,
                     &line);
    }
    put_line(s, depth, time_of(s, x->first, from), text_of(good_events[g]),
             style_of_event(text_of(good_events[g])), buf_text(&line));
    buf_fini(&line);
}

static void show_good_run(struct story *s, const int *run, int n, int depth)
{
    struct tally t[GOODS] = {{0}};
    for (int k = 0; k < n; k++) {
        struct tally *x = &t[good_of(event_of(s, run[k]))];
        if (x->count++ == 0)
            x->first = run[k];
        x->last = run[k];
    }
    if (t[GOOD_SENT].count > 0 && t[GOOD_SENT].count == t[GOOD_RELEASED].count)
        t[GOOD_RELEASED].count = 0; /* each was sent: that says it */
    if (t[GOOD_SENT].count > 0)
        t[GOOD_RELEASED].count = TIDE_MAX(t[GOOD_RELEASED].count - t[GOOD_SENT].count, 0);
    for (int g = 0; g < GOODS; g++)
        if (t[g].count > 0 && !(g == GOOD_DELIVERED && t[GOOD_SENT].count > 0))
            show_tally(s, depth, (enum good)g, t);
}

/* -- The tree ------------------------------------------------------------------------------------
 */

/* What is said again needs only what is new in it: until when. */
static struct text news_in(const struct story *s, int i, int cause)
{
    struct text t = ask_text(entry(s, i), "sentence"), first = TEXT("");
    static const struct text held = {"; held until ", 13};
    size_t at = text_ifind(t, held);
    if (cause >= 0)
        first = ask_text(entry(s, cause), "sentence");
    bool same =
        at < t.n && text_eq(text_cut(t, 0, at), text_cut(first, 0, text_ifind(first, held)));
    return same ? text_cut(t, at + 2, t.n) : t;
}

/* "14 times until 15:50, the last: until ..." */
static void show_alike(struct story *s, const int *run, int n, int depth)
{
    char from[SHOW_TIME_BYTES], to[SHOW_TIME_BYTES];
    int last = run[n - 1];
    struct text event = event_of(s, last);
    struct buf line = {0};
    bool again = s->cause[last] >= 0 && text_eq(event, event_of(s, s->cause[last]));
    bool later = strcmp(time_of(s, run[0], from), time_of(s, last, to)) != 0;
    if (n > 1)
        buf_addf(&line, "%s%d times%s%s, the last: ", again ? "again, " : "", n,
                 later ? " until " : "", later ? to : "");
    else if (again)
        buf_adds(&line, "again: ");
    add_sentence(s->cli, event, news_in(s, last, s->cause[last]), &s->last_reason, &line);
    put_line(s, depth, time_of(s, run[0], from), event, style_of_event(event), buf_text(&line));
    buf_fini(&line);
}

static bool is_leaf(const struct story *s, int i)
{
    return !s->has_effects[i] && s->ends[i] < 0;
}

static void show_below(struct story *s, int cause, int depth);

/* From run[k] on: how many in a row on which all went well belong together; at least 1. */
static int good_run(const struct story *s, const int *run, int n, int k)
{
    int good = 0;
    while (k + good < n && is_good(s, run[k + good]))
        good++;
    return good > FOLD_MORE_THAN ? good : 1;
}

static void show_top(struct story *s, const int *run, int n)
{
    bool full = cli_option_value(s->cli, "full") != NULL;
    for (int k = 0, len; k < n; k += len) {
        len = full ? 1 : good_run(s, run, n, k);
        if (len > 1)
            show_good_run(s, run + k, len, 0);
        else {
            show_entry(s, run[k], 0);
            show_below(s, run[k], 1);
        }
    }
}

/* Effects of one cause: alike ones without effects of their own are told once, where the first of
 * them stands. `run` is used up. */
static void show_effects(struct story *s, int *run, int n, int depth)
{
    bool full = cli_option_value(s->cli, "full") != NULL;
    int *same = calloc((size_t)n, sizeof *same);
    for (int k = 0; same && k < n; k++) {
        int count = 0;
        if (run[k] < 0)
            continue;
        for (int i = k; !full && is_leaf(s, run[k]) && i < n; i++)
            if (run[i] >= 0 && is_leaf(s, run[i]) &&
                text_eq(event_of(s, run[k]), event_of(s, run[i])))
                same[count++] = i;
        for (int i = 0; i < count; i++) {
            int place = same[i];
            same[i] = run[place];
            if (place != k)
                run[place] = -1;
        }
        if (count > 0)
            show_alike(s, same, count, depth);
        else {
            show_entry(s, run[k], depth);
            show_below(s, run[k], depth + 1);
        }
    }
    free(same);
}

/* All that follows from `cause` (-1: what stands for itself). */
static void show_below(struct story *s, int cause, int depth)
{
    int *run = calloc((size_t)s->count + 1, sizeof *run), n = 0;
    for (int i = cause + 1; run && i < s->count; i++)
        if (s->cause[i] == cause)
            run[n++] = i;
    if (n > 0 && cause >= 0) {
        buf_addf(&s->cli->out, "%*s", 2 + depth * DEPTH_COLUMNS, "");
        show_styled(&s->cli->show, STYLE_DIM, TEXT("because of this:"));
        buf_addc(&s->cli->out, '\n');
    }
    if (n > 0 && cause >= 0)
        show_effects(s, run, n, depth);
    else if (n > 0)
        show_top(s, run, n);
    free(run);
}

static int place_of(const struct story *s, int before, int64_t seq)
{
    for (int i = before; seq > 0 && i-- > 0;)
        if (ask_int(entry(s, i), "seq") == seq)
            return i;
    return -1;
}

static bool join(struct story *s)
{
    char when[SHOW_TIME_BYTES];
    size_t n = (size_t)s->count + 1;
    s->cause = calloc(n, sizeof *s->cause);
    s->ends = calloc(n, sizeof *s->ends);
    s->has_effects = calloc(n, sizeof *s->has_effects);
    if (!s->cause || !s->ends || !s->has_effects)
        return false;
    for (int i = 0; i < s->count; i++) {
        s->cause[i] = place_of(s, i, ask_int(entry(s, i), "cause"));
        s->ends[i] = place_of(s, i, ask_int(entry(s, i), "ends"));
        if (s->cause[i] >= 0)
            s->has_effects[s->cause[i]] = true;
        s->time_columns = TIDE_MAX(s->time_columns, strlen(time_of(s, i, when)));
    }
    return true;
}

void show_story(struct cli *cli, const struct json *doc)
{
    struct story s = {.cli = cli,
                      .journal = json_member(doc, "journal"),
                      .attempts = json_member(doc, "attempts"),
                      .notifications = json_member(doc, "notifications")};
    s.count = (int)json_count(s.journal);
    if (s.count > 0 && join(&s)) {
        show_heading(&cli->show, "what happened");
        show_below(&s, -1, 0);
    }
    free(s.cause);
    free(s.ends);
    free(s.has_effects);
}
