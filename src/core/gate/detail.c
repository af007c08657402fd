/* What journal entries say to programs: a JSON object beside the sentence for people. Members that
 * have nothing to say are left out. */
#include "core/gate/inside.h"

#include "core/outcome/finding.h"
#include "core/proto/json_write.h"

#include <stdio.h>

static void put(struct json_writer *w, const char *name, struct text t)
{
    if (t.n > 0)
        jw_text(w, name, t);
}

struct text gate_keep_detail(struct json_writer *w, struct gate_todo *todo)
{
    jw_end(w);
    struct text kept = {0};
    if (w->out->failed == TIDE_OK)
        kept = arena_text(&todo->arena, buf_text(w->out));
    if (kept.n == 0)
        todo->failed = true;
    buf_fini(w->out);
    return kept;
}

static void put_route(struct json_writer *w, const struct gate *g, const struct gate_attempt *a)
{
    if (a->account >= 0)
        jw_str(w, "account", g->config->accounts[a->account].name);
    if (a->recipient && a->recipient->domain->provider_name)
        put(w, "provider", text_of(a->recipient->domain->provider_name));
}

static void put_said(struct json_writer *w, int code, const int status[3], struct text words)
{
    char dotted[40];
    if (code)
        jw_int(w, "code", code);
    if (status[0]) {
        snprintf(dotted, sizeof dotted, "%d.%d.%d", status[0], status[1], status[2]);
        jw_str(w, "status", dotted);
    }
    put(w, "reply", words);
}

static void put_reply(struct json_writer *w, const struct account_outcome *o)
{
    put_said(w, o->reply.code, o->reply.enhanced, text_of(o->reply.text));
    if (o->result != ACCOUNT_ACCEPTED)
        jw_str(w, "stage", reply_stage_name(o->stage));
}

static void put_meaning(struct json_writer *w, const struct meaning *m)
{
    if (!m->cause)
        return;
    jw_str(w, "class", reply_class_name(m->class));
    jw_str(w, "fault", reply_fault_name(m->fault));
    jw_str(w, "cause", m->cause);
    if (m->advice)
        put(w, "advice", text_of(m->advice));
    if (m->rule)
        jw_str(w, "rule", m->rule->name);
}

struct text gate_detail_of_attempt(const struct gate *g,
                                   const struct gate_attempt *a,
                                   const struct account_outcome *outcome,
                                   const struct finding *f,
                                   tide_wall_ms until,
                                   struct gate_todo *todo)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    put_route(&w, g, a);
    if (outcome)
        put_reply(&w, outcome);
    if (f)
        put_meaning(&w, &f->meaning);
    if (until && until != TIDE_NEVER)
        jw_time(&w, "until", until);
    return gate_keep_detail(&w, todo);
}

struct text gate_detail_of_news(const struct gate_reading *r,
                                tide_wall_ms until,
                                struct gate_todo *todo)
{
    const struct mail_news *n = r->news;
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    put(&w, "account", r->found->attempt ? r->found->attempt->account : n->account);
    put(&w, "provider", r->found->attempt ? r->found->attempt->provider : TEXT(""));
    put(&w, "source", n->source);
    put(&w, "word", n->event);
    jw_time(&w, "happened_at", r->said_at);
    put_said(&w, n->code, r->status, n->reply);
    put_meaning(&w, &r->meaning);
    if (until && until != TIDE_NEVER)
        jw_time(&w, "until", until);
    return gate_keep_detail(&w, todo);
}

struct text gate_detail_of_suppression(const struct suppression *s, struct gate_todo *todo)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_str(&w, "cause", suppression_cause_name(s->cause));
    put(&w, "scope", s->scope);
    jw_bool(&w, "pause", s->pause);
    put(&w, "evidence", s->evidence);
    put(&w, "rule", s->rule);
    put(&w, "account", s->account);
    put(&w, "by", s->by);
    jw_int(&w, "times", s->times);
    if (s->lifted_at)
        jw_time(&w, "lifted_at", s->lifted_at);
    else if (s->expires_at)
        jw_time(&w, "until", s->expires_at);
    return gate_keep_detail(&w, todo);
}

struct text gate_detail_of_hold(struct text limit, tide_wall_ms until, struct gate_todo *todo)
{
    struct buf b = {0};
    struct json_writer w;
    if (limit.n == 0 && (!until || until == TIDE_NEVER))
        return TEXT("");
    jw_init(&w, &b);
    jw_object(&w, NULL);
    put(&w, "limit", limit);
    if (until && until != TIDE_NEVER)
        jw_time(&w, "until", until);
    return gate_keep_detail(&w, todo);
}

struct text gate_detail_of_drop(const char *code,
                                const struct gate_domain *domain,
                                struct gate_todo *todo)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_str(&w, "code", code);
    if (domain)
        jw_str(&w, "domain", domain->name);
    return gate_keep_detail(&w, todo);
}

struct text gate_detail_of_alarm(struct text key,
                                 const char *severity,
                                 struct text advice,
                                 struct gate_todo *todo)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_text(&w, "key", key);
    if (severity)
        jw_str(&w, "severity", severity);
    put(&w, "advice", advice);
    return gate_keep_detail(&w, todo);
}

struct text gate_detail_of_sender(struct text domain,
                                  struct text account,
                                  struct text reason,
                                  struct gate_todo *todo)
{
    struct buf b = {0};
    struct json_writer w;
    jw_init(&w, &b);
    jw_object(&w, NULL);
    put(&w, "domain", domain);
    put(&w, "account", account);
    put(&w, "reason", reason);
    return gate_keep_detail(&w, todo);
}
