#include "io/status/views_recipients.h"

#include "base/macros.h"
#include "core/address/addr.h"
#include "core/proto/json.h"
#include "io/status/shape.h"
#include "io/status/view_job.h"

#define BODY_BYTES_MAX (4u << 20)

struct job {
    struct view_job base;
    struct addr addr;
    struct mail_news about; /* whom the store is asked for */
    struct store_ask ask;
    struct operate_suppress order; /* of one address */
    struct text application, by;
    bool confirms;
    /* of many */
    struct operate_suppress *orders;
    struct tide_error *errors;
    size_t count, open, refused;
};

static void fini(struct view_job *base)
{
    struct job *j = container_of(base, struct job, base);
    for (size_t i = 0; i < j->count; i++)
        arena_fini(&j->orders[i].arena);
    arena_fini(&j->order.arena);
    arena_fini(&j->ask.arena);
}

static struct job *job_new(const struct views *v, struct http_request *req, struct text by)
{
    struct job *j = view_job_new(sizeof *j, v, req, fini);
    if (j)
        j->by = arena_text(&j->base.arena, by);
    return j;
}

static bool take_address(struct job *j, struct text given)
{
    struct tide_error err = {0};
    enum tide_err rc = addr_parse(given, 0, &j->addr, &err);
    if (rc != TIDE_OK) {
        tide_wrap(&err, rc, "recipient");
        view_job_fail(&j->base, rc, &err);
    }
    return rc == TIDE_OK;
}

/* -- One recipient ------------------------------------------------------------------------------
 */

/* What each cause means for the application's user. */
static const struct {
    const char *why, *ask;
} words[] = {
    [SUPPRESSION_MANUAL] = {"An operator, or an imported list, stopped mail to this address.",
                            "Ask your operator what for; the user may confirm the address."},
    [SUPPRESSION_INVALID] =
        {"The mailbox's provider says that there is no such mailbox.",
         "Ask the user to correct the address, or to confirm that it is right."},
    [SUPPRESSION_DISABLED] = {"The mailbox is there, but shut.",
                              "Ask the user for another address, or to open the mailbox again."},
    [SUPPRESSION_FULL] = {"The mailbox is full.",
                          "Tell the user that the mailbox is full; once there is room, it may be "
                          "confirmed."},
    [SUPPRESSION_COMPLAINT] =
        {"The recipient reported a mail as spam.",
         "Ask the user whether mail is wanted at all, and confirm only a yes."},
    [SUPPRESSION_UNSUBSCRIBED] = {"The recipient unsubscribed.",
                                  "Ask the user whether this mail is wanted again."},
    [SUPPRESSION_REFUSED] = {"The recipient takes no mail of one sender.",
                             "Ask the user to allow the sender in the mailbox's settings."},
};

static const char *state_of(const struct suppression *s)
{
    return s->scope.n > 0 ? "partly" : s->pause ? "resting" : "suppressed";
}

/* The entry that matters most: what stops all before what stops some, later ends first. */
static const struct suppression *worst_of(const struct recipient_past *past, tide_wall_ms now)
{
    const struct suppression *worst = NULL;
    for (size_t i = 0; i < past->suppression_count; i++) {
        const struct suppression *s = &past->suppressions[i];
        if (suppression_is_on(s, now) && (!worst || (worst->scope.n > 0 && s->scope.n == 0)))
            worst = s;
    }
    return worst;
}

static void write_trouble(struct json_writer *w, const struct suppression *worst)
{
    jw_bool(w, "in_trouble", worst != NULL);
    jw_str(w, "state", worst ? state_of(worst) : "ok");
    jw_str(w, "cause", worst ? suppression_cause_name(worst->cause) : NULL);
    jw_str(w, "why", worst ? words[worst->cause].why : NULL);
    jw_str(w, "ask", worst ? words[worst->cause].ask : NULL);
    jw_time(w, "since", worst ? worst->at : 0);
    jw_time(w, "until", worst ? worst->expires_at : 0);
}

static void write_finding(struct json_writer *w, const struct past_finding *f)
{
    jw_object(w, NULL);
    jw_time(w, "at", f->at);
    jw_text(w, "class", f->class);
    jw_bool(w, "sure", f->sure);
    jw_text(w, "reply", f->reply);
    jw_text(w, "rule", f->rule);
    jw_text(w, "account", f->account);
    jw_id(w, "attempt", f->attempt_id);
    jw_end(w);
}

static void write_suppressions(struct json_writer *w, const struct suppression *all, size_t count)
{
    jw_array(w, "suppressions");
    for (size_t i = 0; i < count; i++)
        shape_suppression(w, NULL, &all[i]);
    jw_end(w);
}

static void answer_recipient(struct job *j)
{
    const struct recipient_past *past = &j->ask.found.past;
    tide_wall_ms now = view_job_now(&j->base);
    struct json_writer *w = view_job_open_now(&j->base, TIDE_OK, NULL);
    jw_text(w, "address", addr_text(&j->addr));
    write_trouble(w, worst_of(past, now));
    jw_time(w, "last_delivered_at", past->delivered_at);
    write_suppressions(w, past->suppressions, past->suppression_count);
    jw_array(w, "findings");
    for (size_t i = 0; i < past->finding_count; i++)
        write_finding(w, &past->findings[i]);
    jw_end(w);
    view_job_close(&j->base);
}

static void look_up(struct job *j);

static void on_confirmed(struct operate_suppress *order,
                         enum tide_err rc,
                         const struct tide_error *err)
{
    struct job *j = order->arg;
    if (rc != TIDE_OK) {
        view_job_fail(&j->base, rc, err);
        return;
    }
    j->confirms = false;
    arena_fini(&j->ask.arena);
    look_up(j); /* and answers with what is left of it */
}

static void on_recipient(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    const struct news_found *found = &ask->found;
    bool theirs = j->application.n > 0 ? ask->count > 0
                                       : found->recipient || found->past.suppression_count > 0;
    if (rc != TIDE_OK) {
        view_job_fail(&j->base, rc, err);
    } else if (!theirs) {
        view_job_refuse(&j->base, TIDE_ENOENT, "Nothing was ever handed in for this recipient.");
    } else if (j->confirms) {
        j->order = (struct operate_suppress){.what = OPERATE_CONFIRM,
                                             .entry = {.address = addr_text(&j->addr)},
                                             .application = j->application,
                                             .by = j->by,
                                             .done = on_confirmed,
                                             .arg = j};
        j->base.views.operate->suppress(j->base.views.operate->arg, &j->order);
    } else {
        answer_recipient(j);
    }
}

static void look_up(struct job *j)
{
    j->about = (struct mail_news){.recipient = addr_text(&j->addr)};
    j->ask = (struct store_ask){.view = STORE_VIEW_NEWS,
                                .news = &j->about,
                                .application = j->application,
                                .done = on_recipient,
                                .arg = j};
    store_ask(j->base.views.store, &j->ask);
}

bool view_recipient(const struct views *v,
                    struct http_request *req,
                    struct text application,
                    bool may_operate,
                    struct text by)
{
    static const struct text root = {"/v1/recipients/", 15}, confirm = {"/confirm", 8};
    if (!text_starts(req->path, root))
        return false;
    struct text given = text_cut(req->path, root.n, req->path.n);
    bool confirms =
        given.n > confirm.n && text_eq(text_cut(given, given.n - confirm.n, given.n), confirm);
    if (confirms)
        given.n -= confirm.n;
    bool gets = text_eq(req->method, TEXT("GET")), posts = text_eq(req->method, TEXT("POST"));
    if (confirms ? !posts : !gets) {
        view_bad_method(req, confirms ? "POST" : "GET");
        return true;
    }
    if (confirms && !may_operate) {
        view_not_permitted(req);
        return true;
    }
    struct job *j = job_new(v, req, by);
    if (!j || !take_address(j, given))
        return true;
    j->application = arena_text(&j->base.arena, application);
    j->confirms = confirms;
    look_up(j);
    return true;
}

/* -- The list -----------------------------------------------------------------------------------
 */

static void on_list(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    struct json_writer *w = view_job_open_now(&j->base, rc, err);
    if (!w)
        return;
    write_suppressions(w, ask->suppressions, ask->suppression_count);
    jw_text_or_null(w, "next", ask->next);
    view_job_close(&j->base);
}

void view_suppressions(const struct views *v, struct http_request *req)
{
    struct job *j = job_new(v, req, TEXT(""));
    struct text recipient = http_query(req, "recipient"), cause = http_query(req, "cause");
    enum suppression_cause known;
    if (!j || (recipient.n > 0 && !take_address(j, recipient)))
        return;
    if (cause.n > 0 && !suppression_cause_of(cause, &known)) {
        view_job_refuse(&j->base, TIDE_EINVAL, "cause: there is no such cause");
        return;
    }
    j->ask = (struct store_ask){.view = STORE_VIEW_SUPPRESSIONS,
                                .recipient = recipient.n > 0 ? addr_text(&j->addr) : TEXT(""),
                                .domain = http_query(req, "domain"),
                                .stream = cause,
                                .newest = http_query(req, "all").n == 0,
                                .after = http_query(req, "after"),
                                .most = view_rows_wanted(req, VIEWS_ROWS_DEFAULT),
                                .done = on_list,
                                .arg = j};
    store_ask(v->store, &j->ask);
}

/* -- By hand ------------------------------------------------------------------------------------
 */

static void answer_orders(struct job *j)
{
    struct json_writer *w = view_job_open(&j->base, TIDE_OK, NULL);
    jw_int(w, "suppressed", (int64_t)(j->count - j->refused));
    jw_array(w, "errors");
    for (size_t i = 0; i < j->count; i++) {
        const char *code;
        if (j->errors[i].code == TIDE_OK)
            continue;
        view_status_of(j->errors[i].code, &code);
        jw_object(w, NULL);
        jw_int(w, "index", (int64_t)i);
        jw_text(w, "address", j->orders[i].entry.address);
        jw_str(w, "code", code);
        jw_str(w, "message", j->errors[i].text);
        jw_end(w);
    }
    jw_end(w);
    view_job_close(&j->base);
}

static void on_one(struct operate_suppress *order, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = order->arg;
    size_t i = (size_t)(order - j->orders);
    if (rc != TIDE_OK) {
        j->refused++;
        j->errors[i] = *err;
        j->errors[i].code = rc;
    }
    if (--j->open == 0)
        answer_orders(j);
}

/* False, and *err says what is wrong with it. */
static bool read_entry(struct job *j,
                       const struct json *v,
                       struct suppression *ret,
                       struct tide_error *err)
{
    struct text cause = json_string_text(json_member(v, "cause"));
    struct text at = json_string_text(json_member(v, "at"));
    struct text until = json_string_text(json_member(v, "expires_at"));
    *ret = (struct suppression){
        .address = arena_text(&j->base.arena, json_string_text(json_member(v, "address"))),
        .scope = arena_text(&j->base.arena, json_string_text(json_member(v, "scope"))),
        .evidence = arena_text(&j->base.arena, json_string_text(json_member(v, "evidence")))};
    if (cause.n > 0 && !suppression_cause_of(cause, &ret->cause))
        tide_fail(err, TIDE_EINVAL,
                  "cause: want manual, invalid, disabled, full, complaint, unsubscribed or "
                  "refused, got \"" TEXT_FMT "\"",
                  TEXT_ARG(cause));
    else if (ret->scope.n > 0 && !text_eq(ret->scope, TEXT(SUPPRESSION_BULK)) &&
             !text_starts(ret->scope, TEXT(SUPPRESSION_STREAM)) &&
             !text_starts(ret->scope, TEXT(SUPPRESSION_SENDER)))
        tide_fail(err, TIDE_EINVAL,
                  "scope: want nothing, bulk, stream:NAME or sender:ADDRESS, got \"" TEXT_FMT "\"",
                  TEXT_ARG(ret->scope));
    else if (at.n > 0 && time_parse_rfc3339(at, &ret->at, err) != TIDE_OK)
        tide_wrap(err, err->code, "at");
    else if (until.n > 0 && time_parse_rfc3339(until, &ret->expires_at, err) != TIDE_OK)
        tide_wrap(err, err->code, "expires_at");
    return err->code == TIDE_OK;
}

static enum tide_err read_entries(struct job *j, const struct json *list, struct tide_error *err)
{
    size_t n = json_count(list);
    if (json_kind(list) != JSON_KIND_ARRAY || n == 0 || n > VIEWS_ENTRIES_MAX)
        return tide_fail(err, TIDE_EINVAL, "entries: want an array of 1 to %d", VIEWS_ENTRIES_MAX);
    j->orders = arena_array(&j->base.arena, n, sizeof *j->orders);
    j->errors = arena_array(&j->base.arena, n, sizeof *j->errors);
    if (!j->orders || !j->errors)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    j->count = n;
    for (size_t i = 0; i < n; i++) {
        struct operate_suppress *o = &j->orders[i];
        *o = (struct operate_suppress){
            .what = OPERATE_SUPPRESS, .by = j->by, .done = on_one, .arg = j};
        j->errors[i] = (struct tide_error){0};
        if (!read_entry(j, json_element(list, i), &o->entry, &j->errors[i]))
            j->refused++;
    }
    return TIDE_OK;
}

void view_suppress(const struct views *v, struct http_request *req, struct text by)
{
    struct job *j = job_new(v, req, by);
    struct json *doc = NULL;
    struct tide_error err = {0};
    if (!j)
        return;
    enum tide_err rc = json_parse(req->body, BODY_BYTES_MAX, &doc, &err);
    if (rc == TIDE_OK)
        rc = read_entries(j, json_member(doc, "entries"), &err);
    json_free(doc);
    if (rc != TIDE_OK) {
        view_job_fail(&j->base, rc, &err);
        return;
    }
    j->open = 1; /* until all have been begun */
    for (size_t i = 0; i < j->count; i++)
        if (j->errors[i].code == TIDE_OK) {
            j->open++;
            v->operate->suppress(v->operate->arg, &j->orders[i]);
        }
    if (--j->open == 0)
        answer_orders(j);
}

static void on_lifted(struct operate_suppress *order,
                      enum tide_err rc,
                      const struct tide_error *err)
{
    struct job *j = order->arg;
    struct json_writer *w = view_job_open(&j->base, rc, err);
    if (!w)
        return;
    jw_bool(w, "removed", true);
    view_job_close(&j->base);
}

static void on_to_lift(struct store_ask *ask, enum tide_err rc, const struct tide_error *err)
{
    struct job *j = ask->arg;
    struct text scope = http_query(j->base.req, "scope");
    tide_wall_ms now = view_job_now(&j->base);
    bool found = false;
    for (size_t i = 0; rc == TIDE_OK && i < ask->found.past.suppression_count; i++) {
        const struct suppression *s = &ask->found.past.suppressions[i];
        found |= suppression_is_on(s, now) && (!scope.p || text_eq(scope, s->scope));
    }
    if (rc != TIDE_OK) {
        view_job_fail(&j->base, rc, err);
        return;
    }
    if (!found) {
        view_job_refuse(&j->base, TIDE_ENOENT, "This address is not suppressed.");
        return;
    }
    j->order = (struct operate_suppress){
        .what = OPERATE_LIFT,
        .entry = {.address = addr_text(&j->addr), .scope = scope.p ? scope : TEXT("")},
        .one_scope = scope.p != NULL,
        .by = j->by,
        .done = on_lifted,
        .arg = j};
    j->base.views.operate->suppress(j->base.views.operate->arg, &j->order);
}

void view_unsuppress(const struct views *v, struct http_request *req, struct text by)
{
    struct job *j = job_new(v, req, by);
    if (!j || !take_address(j, http_query(req, "recipient")))
        return;
    j->about = (struct mail_news){.recipient = addr_text(&j->addr)};
    j->ask = (struct store_ask){
        .view = STORE_VIEW_NEWS, .news = &j->about, .done = on_to_lift, .arg = j};
    store_ask(v->store, &j->ask);
}
