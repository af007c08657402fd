#include "io/status/shape.h"

#include "base/macros.h"

#include <inttypes.h>
#include <stdio.h>

void shape_notification(struct json_writer *w, const char *name, const struct notification *n)
{
    jw_object(w, name);
    jw_id(w, "id", n->id);
    jw_str(w, "state", notification_state_name(n->state));
    jw_text(w, "recipient", n->recipient);
    jw_text_or_null(w, "domain", n->domain);
    jw_text_or_null(w, "application", n->application);
    jw_text_or_null(w, "stream", n->stream);
    jw_text(w, "sender", n->sender);
    jw_text(w, "subject", n->subject);
    jw_text_or_null(w, "message_id", n->message_id);
    jw_text_or_null(w, "thread", n->thread);
    jw_text_or_null(w, "key", n->key);
    jw_text_or_null(w, "collapse_key", n->collapse_key);
    jw_time(w, "accepted_at", n->accepted_at);
    jw_time(w, "not_before", n->not_before);
    jw_time(w, "deadline", n->deadline_at);
    jw_time(w, "changed_at", n->changed_at);
    jw_time(w, "estimated_release_at", notification_is_pending(n->state) ? n->due_at : 0);
    jw_text_or_null(w, "reason", n->reason);
    jw_text_or_null(w, "limit", n->limit);
    jw_int(w, "attempts", n->attempts);
    jw_id(w, "attempt", n->attempt_id);
    jw_json(w, "metadata", n->metadata);
    jw_end(w);
}

void shape_attempt(struct json_writer *w, const char *name, const struct attempt *a)
{
    jw_object(w, name);
    jw_id(w, "id", a->id);
    jw_text(w, "account", a->account);
    jw_text_or_null(w, "provider", a->provider);
    jw_text_or_null(w, "stream", a->stream);
    jw_str(w, "state", attempt_state_name(a->state));
    jw_bool(w, "digest", a->digest);
    jw_int(w, "notifications", a->notification_count);
    jw_bool(w, "may_be_double", a->retry_of_unknown);
    jw_text_or_null(w, "message_id", a->message_id);
    jw_time(w, "started_at", a->started_at);
    jw_time(w, "ended_at", a->ended_at);
    jw_text_or_null(w, "reply", a->reply);
    jw_end(w);
}

static void put_seq(struct json_writer *w, const char *name, int64_t seq)
{
    if (seq > 0)
        jw_int(w, name, seq);
    else
        jw_null(w, name);
}

void shape_journal(struct json_writer *w,
                   const char *name,
                   const struct journal_entry *e,
                   int64_t cause,
                   int64_t ends)
{
    jw_object(w, name);
    jw_int(w, "seq", e->seq);
    jw_time(w, "at", e->at);
    jw_text(w, "event", e->event);
    jw_text(w, "sentence", e->sentence);
    jw_id(w, "notification", e->notification_id);
    jw_id(w, "attempt", e->attempt_id);
    jw_json(w, "detail", e->detail);
    put_seq(w, "cause", cause);
    put_seq(w, "ends", ends);
    jw_end(w);
}

void shape_limit(struct json_writer *w, const char *name, const struct operate_limit *l)
{
    jw_object(w, name);
    jw_text(w, "name", l->name);
    jw_text(w, "scope", l->scope);
    jw_text_or_null(w, "subject", l->subject);
    jw_text(w, "text", l->text);
    jw_int(w, "count", l->count);
    jw_int(w, "used", l->used);
    jw_int(w, "free", l->used < l->count ? l->count - l->used : 0);
    jw_time(w, "reset_at", l->reset_at);
    jw_text_or_null(w, "source", l->source);
    jw_text_or_null(w, "confidence", l->confidence);
    jw_text_or_null(w, "reference", l->reference);
    jw_text_or_null(w, "date", l->date);
    jw_end(w);
}

/* -1: not known. */
static void put_count(struct json_writer *w, const char *name, int64_t n)
{
    if (n >= 0)
        jw_int(w, name, n);
    else
        jw_null(w, name);
}

void shape_learnt(struct json_writer *w, const char *name, const struct operate_learnt *l)
{
    jw_object(w, name);
    jw_text(w, "scope", l->scope);
    jw_text_or_null(w, "subject", l->subject);
    jw_text_or_null(w, "of", l->of);
    jw_text_or_null(w, "text", l->text);
    put_count(w, "count", l->count);
    put_count(w, "used", l->used);
    jw_time(w, "reset_at", l->reset_at);
    jw_time(w, "closed_until", l->closed_until);
    jw_text_or_null(w, "closed_for", l->closed_for);
    jw_text_or_null(w, "source", l->source);
    jw_text_or_null(w, "confidence", l->confidence);
    put_count(w, "refused_at", l->refused_at ? l->refused_at : -1);
    jw_int(w, "taught", l->taught);
    jw_int(w, "confirmed", l->confirmed);
    jw_bool(w, "pinned", l->pinned);
    if (l->likeliest) {
        jw_object(w, "belief");
        jw_int(w, "low", l->low);
        jw_int(w, "likeliest", l->likeliest);
        jw_int(w, "high", l->high);
        jw_number(w, "chance", l->chance);
        jw_end(w);
    } else {
        jw_null(w, "belief");
    }
    jw_array(w, "replies");
    for (size_t i = 0; i < l->reply_count; i++) {
        const struct operate_reply *r = &l->replies[i];
        jw_object(w, NULL);
        jw_time(w, "at", r->at);
        put_count(w, "taken", r->taken);
        jw_bool(w, "ambiguous", r->ambiguous);
        jw_text_or_null(w, "account", r->account);
        jw_text_or_null(w, "rule", r->rule);
        jw_text_or_null(w, "words", r->words);
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

void shape_suppression(struct json_writer *w, const char *name, const struct suppression *s)
{
    jw_object(w, name);
    jw_text(w, "address", s->address);
    jw_text(w, "scope", s->scope);
    jw_str(w, "cause", suppression_cause_name(s->cause));
    jw_bool(w, "pause", s->pause);
    jw_text(w, "evidence", s->evidence);
    jw_text(w, "rule", s->rule);
    jw_text(w, "account", s->account);
    jw_id(w, "attempt", s->attempt_id);
    jw_text(w, "by", s->by);
    jw_time(w, "at", s->at);
    jw_time(w, "expires_at", s->expires_at);
    jw_time(w, "lifted_at", s->lifted_at);
    jw_int(w, "times", s->times);
    jw_end(w);
}

void shape_guard(struct json_writer *w, const char *name, const struct operate_guard *g)
{
    jw_object(w, name);
    jw_text(w, "name", g->name);
    jw_text(w, "state", g->state);
    jw_text(w, "counts", g->counts);
    jw_time(w, "since", g->since);
    jw_time(w, "rest_until", g->rest_until);
    jw_bool(w, "warned", g->warned);
    jw_int(w, "mails", (int64_t)g->mails);
    jw_int(w, "failures", (int64_t)g->failures);
    jw_number(w, "rate", g->rate);
    jw_number(w, "bound", g->bound);
    jw_number(w, "review", g->review);
    jw_number(w, "pause", g->pause);
    jw_end(w);
}

void shape_verdict(struct json_writer *w, const char *name, const struct verdict *v)
{
    jw_object(w, name);
    jw_str(w, "verdict", verdict_name(v->kind));
    jw_text_or_null(w, "provider", v->provider);
    if (v->provider.n)
        jw_bool(w, "provider_certain", !v->provider_likely);
    jw_text_or_null(w, "gateway", v->gateway);
    jw_text_or_null(w, "reason", v->reason);
    jw_text_or_null(w, "evidence", v->evidence);
    jw_time(w, "found_at", v->found_at);
    jw_time(w, "valid_until", v->valid_until);
    jw_end(w);
}

static void shape_accounts(struct json_writer *w, const struct operate_status *s)
{
    jw_array(w, "accounts");
    for (size_t i = 0; i < s->account_count; i++) {
        const struct operate_account *a = &s->accounts[i];
        jw_object(w, NULL);
        jw_text(w, "name", a->name);
        jw_text(w, "type", a->type);
        jw_text(w, "state", a->state);
        jw_text_or_null(w, "reason", a->reason);
        jw_time(w, "backoff_until", a->backoff_until);
        jw_int(w, "room", a->room);
        jw_int(w, "in_flight", a->in_flight);
        jw_int(w, "accepted", a->accepted);
        jw_int(w, "deferred", a->deferred);
        jw_int(w, "refused", a->refused);
        jw_int(w, "unknown", a->unknown);
        jw_end(w);
    }
    jw_end(w);
}

static void shape_alarms(struct json_writer *w, const struct operate_status *s)
{
    jw_array(w, "alarms");
    for (size_t i = 0; i < s->alarm_count; i++) {
        const struct operate_alarm *a = &s->alarms[i];
        jw_object(w, NULL);
        jw_text(w, "key", a->key);
        jw_text(w, "severity", a->severity);
        jw_time(w, "since", a->since);
        jw_text(w, "sentence", a->sentence);
        jw_text_or_null(w, "advice", a->advice);
        jw_end(w);
    }
    jw_end(w);
}

static void shape_dns(struct json_writer *w, const struct operate_status *s)
{
    jw_object(w, "dns");
    jw_int(w, "cache_entries", s->dns_cache_entries);
    jw_int(w, "in_flight", s->dns_in_flight);
    jw_array(w, "servers");
    for (size_t i = 0; i < s->dns_count; i++) {
        const struct operate_dns_server *d = &s->dns[i];
        jw_object(w, NULL);
        jw_text(w, "address", d->address);
        jw_bool(w, "ok", d->ok);
        jw_int(w, "queries", d->queries);
        jw_int(w, "timeouts", d->timeouts);
        put_count(w, "rtt_ms", d->rtt_ms);
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

static void shape_counts(struct json_writer *w, const struct store_counts *c)
{
    jw_object(w, "notifications");
    for (size_t i = 0; i < TIDE_COUNT(c->notifications); i++)
        jw_int(w, notification_state_name((enum notification_state)i), c->notifications[i]);
    jw_end(w);
    jw_object(w, "attempts");
    for (size_t i = 0; i < TIDE_COUNT(c->attempts); i++)
        jw_int(w, attempt_state_name((enum attempt_state)i), c->attempts[i]);
    jw_end(w);
    jw_time(w, "oldest_pending_at", c->oldest_pending_at);
}

static int64_t news_of(const struct operate_status *s)
{
    int64_t n = 0;
    for (size_t i = 0; i < TIDE_COUNT(s->news); i++)
        n += s->news[i];
    return n;
}

void shape_status(struct json_writer *w,
                  const char *name,
                  const struct operate_status *s,
                  const struct store_counts *counts)
{
    jw_object(w, name);
    jw_text(w, "version", s->version);
    jw_time(w, "started_at", s->started_at);
    jw_time(w, "now", s->now);
    jw_text_or_null(w, "clock", s->clock);
    jw_bool(w, "accepting", s->accepting);
    jw_text_or_null(w, "not_accepting", s->not_accepting);
    shape_alarms(w, s);
    shape_counts(w, counts);
    jw_object(w, "since_start");
    jw_int(w, "accepted", s->accepted);
    jw_int(w, "duplicates", s->duplicates);
    jw_int(w, "refused_at_intake", s->intake_refused);
    jw_int(w, "released", s->released);
    jw_int(w, "digests", s->digests);
    jw_int(w, "news", news_of(s));
    jw_int(w, "news_known", s->news_known);
    jw_end(w);
    jw_object(w, "per_second");
    jw_number(w, "accepted", s->accepted_per_s);
    jw_number(w, "released", s->released_per_s);
    jw_end(w);
    jw_object(w, "queues");
    jw_int(w, "recipients_held", s->recipients_held);
    jw_int(w, "verifying", s->verifying);
    jw_int(w, "due", s->due);
    jw_int(w, "waiting", s->waiting);
    jw_int(w, "flying", s->flying);
    jw_end(w);
    shape_accounts(w, s);
    jw_object(w, "store");
    jw_bool(w, "ok", s->store_ok);
    jw_text_or_null(w, "text", s->store_text);
    jw_int(w, "queue", s->store_queue);
    jw_int(w, "free_bytes", s->store_free_bytes);
    jw_int(w, "database_bytes", counts->database_bytes);
    jw_int(w, "recipients", counts->recipients);
    jw_int(w, "bodies", counts->bodies);
    jw_int(w, "journal_entries", counts->journal_entries);
    jw_end(w);
    shape_dns(w, s);
    jw_end(w);
}

/* -- Prometheus ---------------------------------------------------------------------------------
 */

static void metric(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP mailtide_%s %s\n# TYPE mailtide_%s %s\n", name, help, name, type);
}

static void metric_one(
    struct buf *out, const char *name, const char *type, const char *help, int64_t value)
{
    metric(out, name, type, help);
    buf_addf(out, "mailtide_%s %" PRId64 "\n", name, value);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void sample(struct buf *out,
                   const char *name,
                   const char *label,
                   struct text value,
                   const char *more,
                   int64_t n)
{
    buf_addf(out, "mailtide_%s{%s=\"", name, label);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\n') {
            buf_adds(out, "\\n");
            continue;
        }
        if (value.p[i] == '"' || value.p[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, value.p[i]);
    }
    buf_addf(out, "\"%s} %" PRId64 "\n", more, n);
}

static void metrics_accounts(struct buf *out, const struct operate_status *s)
{
    metric(out, "account_attempts_total", "counter", "Attempts since start by account and end.");
    for (size_t i = 0; i < s->account_count; i++) {
        const struct operate_account *a = &s->accounts[i];
        sample(out, "account_attempts_total", "account", a->name, ",end=\"accepted\"", a->accepted);
        sample(out, "account_attempts_total", "account", a->name, ",end=\"deferred\"", a->deferred);
        sample(out, "account_attempts_total", "account", a->name, ",end=\"refused\"", a->refused);
        sample(out, "account_attempts_total", "account", a->name, ",end=\"unknown\"", a->unknown);
    }
    metric(out, "account_ready", "gauge", "1 when the account takes mail now.");
    for (size_t i = 0; i < s->account_count; i++)
        sample(out, "account_ready", "account", s->accounts[i].name, "",
               text_eq(s->accounts[i].state, TEXT("ready")));
    metric(out, "account_in_flight", "gauge", "Mails handed to the account, not answered yet.");
    for (size_t i = 0; i < s->account_count; i++)
        sample(out, "account_in_flight", "account", s->accounts[i].name, "",
               s->accounts[i].in_flight);
}

static void metrics_alarms(struct buf *out, const struct operate_status *s)
{
    metric(out, "alarm", "gauge", "1 for each alarm that is active.");
    for (size_t i = 0; i < s->alarm_count; i++) {
        char more[40];
        snprintf(more, sizeof more, ",severity=\"%.*s\"", TEXT_ARG(s->alarms[i].severity));
        sample(out, "alarm", "key", s->alarms[i].key, more, 1);
    }
    metric_one(out, "alarms", "gauge", "Alarms that are active.", (int64_t)s->alarm_count);
}

void shape_metrics(struct buf *out,
                   const struct operate_status *s,
                   const struct store_counts *counts)
{
    metric(out, "notifications", "gauge", "Notifications kept, by state.");
    for (size_t i = 0; i < TIDE_COUNT(counts->notifications); i++)
        sample(out, "notifications", "state",
               text_of(notification_state_name((enum notification_state)i)), "",
               counts->notifications[i]);
    metric(out, "attempts", "gauge", "Attempts kept, by state.");
    for (size_t i = 0; i < TIDE_COUNT(counts->attempts); i++)
        sample(out, "attempts", "state", text_of(attempt_state_name((enum attempt_state)i)), "",
               counts->attempts[i]);
    metric_one(out, "accepted_total", "counter", "Notifications accepted since start.",
               s->accepted);
    metric_one(out, "duplicates_total", "counter", "Repeated submissions since start.",
               s->duplicates);
    metric_one(out, "intake_refused_total", "counter", "Submissions refused since start.",
               s->intake_refused);
    metric_one(out, "released_total", "counter", "Mails released since start.", s->released);
    metric_one(out, "digests_total", "counter", "Of these digests.", s->digests);
    metric(out, "news_total", "counter", "What ESPs and bounces told since start, by kind.");
    for (size_t i = 0; i < TIDE_COUNT(s->news); i++)
        sample(out, "news_total", "kind", text_of(news_kind_name((enum news_kind)i)), "",
               s->news[i]);
    metric_one(out, "news_known_total", "counter", "Of these about mail of ours.", s->news_known);
    metric_one(out, "accepting", "gauge", "1 when the intake takes mail.", s->accepting);
    metric_one(out, "store_ok", "gauge", "1 when the store takes writes.", s->store_ok);
    metric_one(out, "store_queue", "gauge", "Requests that wait for the store's writer.",
               s->store_queue);
    metric_one(out, "store_free_bytes", "gauge", "Free on the store's disk.", s->store_free_bytes);
    metric_one(out, "database_bytes", "gauge", "Size of the store.", counts->database_bytes);
    metric_one(out, "oldest_pending_seconds", "gauge", "Age of the oldest pending notification.",
               counts->oldest_pending_at ? (s->now - counts->oldest_pending_at) / TIME_SECOND_MS
                                         : 0);
    metric_one(out, "dns_cache_entries", "gauge", "Answers in the DNS cache.",
               s->dns_cache_entries);
    metrics_accounts(out, s);
    metrics_alarms(out, s);
}

void shape_overview(struct buf *out,
                    const struct operate_status *s,
                    const struct store_counts *counts)
{
    char when[TIME_TEXT_BYTES], span[32];
    buf_addf(out, "mailtide " TEXT_FMT ", running for %s, now %s\n", TEXT_ARG(s->version),
             text_of_duration(s->now - s->started_at, span, sizeof span),
             time_rfc3339(s->now, 0, when));
    for (size_t i = 0; i < s->alarm_count; i++)
        buf_addf(out, "ALARM (" TEXT_FMT "): " TEXT_FMT " " TEXT_FMT "\n",
                 TEXT_ARG(s->alarms[i].severity), TEXT_ARG(s->alarms[i].sentence),
                 TEXT_ARG(s->alarms[i].advice));
    if (!s->accepting)
        buf_addf(out, "NOT ACCEPTING: " TEXT_FMT "\n", TEXT_ARG(s->not_accepting));
    if (!s->store_ok)
        buf_addf(out, "STORE: " TEXT_FMT "\n", TEXT_ARG(s->store_text));
    buf_adds(out, "\nnotifications\n");
    for (size_t i = 0; i < TIDE_COUNT(counts->notifications); i++)
        if (counts->notifications[i])
            buf_addf(out, "  %-12s %10" PRId64 "\n",
                     notification_state_name((enum notification_state)i), counts->notifications[i]);
    buf_adds(out, "\naccounts\n");
    for (size_t i = 0; i < s->account_count; i++)
        buf_addf(out, "  %-16.*s " TEXT_FMT " " TEXT_FMT "\n", TEXT_ARG(s->accounts[i].name),
                 TEXT_ARG(s->accounts[i].state), TEXT_ARG(s->accounts[i].reason));
    buf_adds(out, "\nMore: /v1/status /v1/queue /v1/why?recipient= /v1/limits /metrics\n");
}
