/* What stops a recipient's mail, as far as the gate has it in memory, and what of a group goes on
 * all the same: urgent streams may, by rule. */
#include "core/gate/inside.h"

#include "base/macros.h"
#include "core/outcome/suppress.h"

#include <stdlib.h>

struct gate_stops {
    size_t count;
    struct suppression list[];
};

static struct gate_stops *stops_of(const struct gate *g, const struct gate_recipient *r)
{
    return r->stopped ? idmap_get(&g->stops, r->id) : NULL;
}

static void set_stops(struct gate *g,
                      struct gate_recipient *r,
                      const struct suppression *list,
                      size_t count,
                      tide_wall_ms now,
                      struct gate_todo *todo)
{
    struct gate_stops *old = stops_of(g, r); /* the list may be of its texts */
    size_t on = 0, bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (suppression_is_on(&list[i], now)) {
            on++;
            bytes += list[i].scope.n;
        }
    for (struct gate_group *grp = gate_first_group(g, r); grp; grp = gate_next_group(g, grp))
        grp->sifted = false;
    struct gate_stops *s = on ? malloc(sizeof *s + on * sizeof s->list[0] + bytes) : NULL;
    if (on > 0 && (!s || !idmap_put(&g->stops, r->id, s))) {
        free(s);
        todo->failed = true;
        return;
    }
    char *texts = s ? (char *)&s->list[on] : NULL;
    if (s)
        s->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!suppression_is_on(&list[i], now))
            continue;
        struct suppression *e = &s->list[s->count++];
        *e = (struct suppression){.cause = list[i].cause,
                                  .pause = list[i].pause,
                                  .at = list[i].at,
                                  .expires_at = list[i].expires_at,
                                  .scope = {texts, list[i].scope.n}};
        if (list[i].scope.n)
            memcpy(texts, list[i].scope.p, list[i].scope.n);
        texts += list[i].scope.n;
    }
    if (!s)
        idmap_remove(&g->stops, r->id);
    r->stopped = s != NULL;
    free(old);
}

void gate_put_stop(struct gate *g,
                   struct gate_recipient *r,
                   const struct suppression *entry,
                   tide_wall_ms now,
                   struct gate_todo *todo)
{
    struct suppression list[PAST_SUPPRESSIONS_MAX + 1];
    size_t n = 0;
    const struct gate_stops *old = stops_of(g, r);
    for (size_t i = 0; old && i < old->count && n < PAST_SUPPRESSIONS_MAX; i++)
        if (!text_eq(old->list[i].scope, entry->scope))
            list[n++] = old->list[i];
    list[n++] = *entry;
    set_stops(g, r, list, n, now, todo);
}

void gate_set_stops_of(struct gate *g,
                       struct gate_recipient *r,
                       const struct recipient_state *state,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    struct suppression list[PAST_SUPPRESSIONS_MAX];
    struct text rest = state->suppressed, line;
    size_t n = 0;
    if (rest.n == 0)
        return;
    while (n < TIDE_COUNT(list) && text_split(&rest, '\n', &line))
        n += suppression_line_of(line, &list[n]);
    set_stops(g, r, list, n, now, todo);
}

/* The entry that does most to this mail. */
static enum suppress_effect effect_on(const struct gate_stops *stops,
                                      const struct suppress_mail *mail,
                                      tide_wall_ms now,
                                      const struct suppression **ret)
{
    enum suppress_effect most = EFFECT_NONE;
    for (size_t i = 0; i < stops->count; i++) {
        enum suppress_effect e = suppress_effect(&stops->list[i], mail, now);
        if (e > most) {
            most = e;
            *ret = &stops->list[i];
        }
    }
    return most;
}

/* What is done with a stream's mail of the group, and by which entry. */
static enum suppress_effect effect_on_stream(const struct gate *g,
                                             const struct gate_group *grp,
                                             const struct config_stream *stream,
                                             tide_wall_ms now,
                                             const struct suppression **ret)
{
    const struct suppress_mail mail = {.stream = text_of(stream->name),
                                       .identity = planner_name(g->planner, grp->sender),
                                       .urgent = stream->urgent,
                                       .rule = stream->on_suppressed};
    return effect_on(stops_of(g, gate_recipient_of(g, grp)), &mail, now, ret);
}

bool gate_stream_is_stopped(const struct gate *g,
                            const struct gate_group *grp,
                            const struct config_stream *stream,
                            tide_wall_ms now)
{
    const struct suppression *by;
    return gate_recipient_of(g, grp)->stopped &&
           effect_on_stream(g, grp, stream, now, &by) >= EFFECT_PAUSED;
}

/* What of a group's mail is stopped, stream by stream. */
struct sieve {
    struct buf kept;                   /* "|urgent|": streams that go on */
    const struct suppression *stopper; /* of one that does not; NULL: all go on */
    const struct suppression *pauser;
    bool any_kept, tried;
};

static void sift_streams(const struct gate *g,
                         const struct gate_group *grp,
                         tide_wall_ms now,
                         struct sieve *ret)
{
    buf_addc(&ret->kept, '|');
    for (size_t i = 0; i < g->config->stream_count; i++) {
        const struct config_stream *s = &g->config->streams[i];
        const struct suppression *by = NULL;
        enum suppress_effect e = effect_on_stream(g, grp, s, now, &by);
        if (e == EFFECT_STOPPED) {
            ret->stopper = by;
            continue;
        }
        ret->tried |= e == EFFECT_TRIED;
        if (e == EFFECT_PAUSED)
            ret->pauser = by;
        ret->any_kept = true;
        buf_addf(&ret->kept, "%s|", s->name);
    }
}

const char *gate_stop_cause(enum suppression_cause c)
{
    static const char *const causes[] = {
        [SUPPRESSION_MANUAL] = "somebody put it on the list",
        [SUPPRESSION_INVALID] = "there is no such mailbox",
        [SUPPRESSION_DISABLED] = "the mailbox is shut",
        [SUPPRESSION_FULL] = "the mailbox is full",
        [SUPPRESSION_COMPLAINT] = "the recipient called mail spam",
        [SUPPRESSION_UNSUBSCRIBED] = "the recipient unsubscribed",
        [SUPPRESSION_REFUSED] = "the recipient wants no mail of this sender",
    };
    return causes[c];
}

static struct text reason_of(const struct suppression *s, struct gate_todo *todo)
{
    return gate_printf(todo, "the recipient is suppressed: %s", gate_stop_cause(s->cause));
}

struct text gate_refusal_of(const struct gate *g,
                            const struct gate_group *grp,
                            struct text stream,
                            tide_wall_ms now,
                            struct gate_todo *todo)
{
    int index = gate_recipient_of(g, grp)->stopped ? config_stream_index(g->config, stream) : -1;
    const struct suppression *by = NULL;
    if (index < 0 ||
        effect_on_stream(g, grp, &g->config->streams[index], now, &by) != EFFECT_STOPPED)
        return TEXT("");
    return reason_of(by, todo);
}

/* The domain is asked about anew before anything goes to somebody who is suppressed. */
static void verify_anew(struct gate_domain *d, tide_wall_ms now)
{
    if (!d->asking)
        d->valid_until = TIDE_MIN(d->valid_until, now);
}

bool gate_stops_let_go(struct gate *g,
                       struct gate_group *grp,
                       tide_wall_ms now,
                       struct gate_todo *todo)
{
    struct sieve s = {0};
    sift_streams(g, grp, now, &s);
    bool drops = !grp->sifted && s.stopper;
    if (!grp->sifted && s.tried)
        verify_anew(gate_recipient_of(g, grp)->domain, now);
    if (drops) {
        grp->sifting = true;
        gate_drop_stopped(g, grp,
                          s.any_kept ? arena_text(&todo->arena, buf_text(&s.kept)) : TEXT(""),
                          reason_of(s.stopper, todo), now, todo);
        if (s.any_kept)
            todo->decision = (struct gate_decision){
                .state = NOTIFICATION_ACCEPTED,
                .reason = TEXT("accepted, to be decided once what is suppressed has been refused")};
    } else
        grp->sifted = true;
    if (s.kept.failed != TIDE_OK)
        todo->failed = true;
    buf_fini(&s.kept);
    return !drops;
}

const struct suppression *gate_pause_of(const struct gate *g,
                                        const struct gate_group *grp,
                                        tide_wall_ms now)
{
    struct sieve s = {0};
    if (!gate_recipient_of(g, grp)->stopped)
        return NULL;
    sift_streams(g, grp, now, &s);
    buf_fini(&s.kept);
    return s.pauser;
}
