#include "io/intake/esp_manage.h"

#include "base/macros.h"

#include <stdio.h>

#define UNBOUND_PER_SECOND \
    10000 /* told to who has no bound and wants a number to pace himself by */

static void refuse(struct esp_manage *m, enum esp_fault fault, const char *message)
{
    m->why->fault = fault;
    snprintf(m->why->message, sizeof m->why->message, "%s", message);
}

static void ask(struct esp_manage *m, struct store_ask question)
{
    question.arg = m;
    m->lookup = question;
    store_ask(m->store, &m->lookup);
}

/* False: the store could not, which is the answer. */
static bool was_read(struct esp_manage *m, enum tide_err rc)
{
    if (rc != TIDE_OK)
        refuse(m, ESP_BUSY, "The store cannot be read now, try again later.");
    return rc == TIDE_OK;
}

/* -- One mail -----------------------------------------------------------------------------------
 */

static void on_shown(struct store_ask *q, enum tide_err rc, const struct tide_error *err)
{
    struct esp_manage *m = q->arg;
    (void)err;
    bool own = rc == TIDE_OK && q->notification_count > 0 &&
               text_eq(q->notifications[0].application, m->ask->application);
    if (own)
        m->batch->notification = &q->notifications[0];
    else if (rc == TIDE_OK || rc == TIDE_ENOENT)
        refuse(m, ESP_NOT_FOUND, "There is no such mail.");
    else
        was_read(m, rc);
    m->done(m);
}

static void show(struct esp_manage *m)
{
    ask(m,
        (struct store_ask){
            .view = STORE_VIEW_NOTIFICATION, .id = m->batch->shown, .most = 1, .done = on_shown});
}

static void on_cancelled(struct operate_request *req,
                         enum tide_err rc,
                         const struct tide_error *err)
{
    struct esp_manage *m = req->arg;
    if (rc == TIDE_ENOENT)
        refuse(m, ESP_NOT_FOUND, "There is no such mail.");
    else if (rc == TIDE_ESTATE)
        refuse(m, ESP_TOO_LATE, err->text);
    else if (rc != TIDE_OK)
        refuse(m, ESP_BUSY, err->text);
    m->done(m);
}

static void cancel(struct esp_manage *m)
{
    m->cancel = (struct operate_request){.id = m->batch->shown,
                                         .whole = true,
                                         .application = m->ask->application,
                                         .by = m->by,
                                         .done = on_cancelled,
                                         .arg = m};
    m->operate->cancel(m->operate->arg, &m->cancel);
}

/* -- Counts -------------------------------------------------------------------------------------
 */

static void on_counted(struct store_ask *q, enum tide_err rc, const struct tide_error *err)
{
    struct esp_manage *m = q->arg;
    (void)err;
    if (was_read(m, rc))
        m->batch->quota.sent = q->count;
    m->done(m);
}

/* An application's only quota is how much it may hand in. */
static void count(struct esp_manage *m)
{
    m->batch->quota = (struct esp_quota){
        .per_day = m->per_minute > 0 ? m->per_minute * 24 * 60 : -1,
        .per_second = m->per_minute > 0 ? (double)m->per_minute / 60 : UNBOUND_PER_SECOND,
    };
    ask(m, (struct store_ask){.view = STORE_VIEW_ACCEPTED,
                              .id = id_floor(m->ask->now - TIME_DAY_MS),
                              .application = m->ask->application,
                              .done = on_counted});
}

static void on_tallied(struct store_ask *q, enum tide_err rc, const struct tide_error *err)
{
    struct esp_manage *m = q->arg;
    (void)err;
    if (was_read(m, rc)) {
        m->batch->tallies.rows = q->tallies;
        m->batch->tallies.count = q->tally_count;
    }
    m->done(m);
}

static void tally(struct esp_manage *m)
{
    const struct esp_tallies *t = &m->batch->tallies;
    ask(m, (struct store_ask){.view = STORE_VIEW_TALLIES,
                              .id = id_floor(t->from),
                              .until = id_floor(t->until),
                              .step_ms = t->step_ms,
                              .application = m->ask->application,
                              .done = on_tallied});
}

/* -- Who is not mailed --------------------------------------------------------------------------
 */

static void on_listed(struct store_ask *q, enum tide_err rc, const struct tide_error *err)
{
    struct esp_manage *m = q->arg;
    (void)err;
    if (was_read(m, rc)) {
        m->batch->listing.rows = q->suppressions;
        m->batch->listing.count = q->suppression_count;
        m->batch->listing.next = q->next;
    }
    m->done(m);
}

static void list(struct esp_manage *m)
{
    const struct esp_listing *l = &m->batch->listing;
    bool one = l->recipient.n > 0 && addr_parse(l->recipient, 0, &m->addr, NULL) == TIDE_OK;
    ask(m, (struct store_ask){.view = STORE_VIEW_SUPPRESSIONS,
                              .recipient = one ? addr_text(&m->addr) : l->recipient,
                              .stream = l->causes,
                              .application = m->ask->application,
                              .newest = true,
                              .after = l->after,
                              .skip = l->skip,
                              .most = l->most,
                              .done = on_listed});
}

static void lift_next(struct esp_manage *m);

static void end_lift(struct esp_manage *m, enum esp_fault fault)
{
    m->batch->lifts[m->lift++].fault = fault;
    lift_next(m);
}

static void lift_entries(struct esp_manage *m);

static void on_lifted(struct operate_suppress *order,
                      enum tide_err rc,
                      const struct tide_error *err)
{
    struct esp_manage *m = order->arg;
    (void)err;
    arena_fini(&m->order.arena);
    m->lifted = rc == TIDE_OK;
    if (rc == TIDE_OK)
        lift_entries(m);
    else
        end_lift(m, ESP_BUSY);
}

/* Is the cause one of "full|invalid"? */
static bool is_among(struct text causes, enum suppression_cause cause)
{
    struct text one;
    while (text_split(&causes, '|', &one))
        if (text_eq(one, text_of(suppression_cause_name(cause))))
            return true;
    return false;
}

/* Orders for the next entry that stops the address for one of the causes. */
static void lift_entries(struct esp_manage *m)
{
    const struct recipient_past *past = &m->lookup.found.past;
    bool other = false;
    for (; m->entry < past->suppression_count; m->entry++) {
        const struct suppression *s = &past->suppressions[m->entry];
        if (!suppression_is_on(s, m->ask->now))
            continue;
        if (!is_among(m->batch->listing.causes, s->cause)) {
            other = true;
            continue;
        }
        m->entry++;
        m->order =
            (struct operate_suppress){.what = OPERATE_LIFT,
                                      .entry = {.address = addr_text(&m->addr), .scope = s->scope},
                                      .one_scope = true,
                                      .application = m->ask->application,
                                      .by = m->by,
                                      .done = on_lifted,
                                      .arg = m};
        m->operate->suppress(m->operate->arg, &m->order);
        return;
    }
    end_lift(m, m->lifted ? ESP_FINE : other ? ESP_TOO_LATE : ESP_NOT_FOUND);
}

static void on_past(struct store_ask *q, enum tide_err rc, const struct tide_error *err)
{
    struct esp_manage *m = q->arg;
    (void)err;
    if (rc != TIDE_OK)
        end_lift(m, ESP_BUSY);
    else if (q->count == 0) /* this application never mailed it */
        end_lift(m, ESP_NOT_FOUND);
    else
        lift_entries(m);
}

static void lift_next(struct esp_manage *m)
{
    struct esp_batch *b = m->batch;
    while (m->lift < b->lift_count && b->lifts[m->lift].fault != ESP_FINE)
        m->lift++;
    if (m->lift == b->lift_count) {
        m->done(m);
        return;
    }
    if (addr_parse(b->lifts[m->lift].address, 0, &m->addr, NULL) != TIDE_OK) {
        end_lift(m, ESP_BAD_ADDRESS);
        return;
    }
    m->lifted = false;
    m->entry = 0;
    m->about = (struct mail_news){.recipient = addr_text(&m->addr)};
    arena_fini(&m->lookup.arena);
    ask(m, (struct store_ask){.view = STORE_VIEW_NEWS,
                              .news = &m->about,
                              .application = m->ask->application,
                              .done = on_past});
}

/* -- All ----------------------------------------------------------------------------------------
 */

void esp_manage(struct esp_manage *m)
{
    m->by = text_of(arena_printf(m->arena, "application " TEXT_FMT " (%s API)",
                                 TEXT_ARG(m->ask->application), m->ask->call->esp->name));
    switch (m->batch->does) {
    case ESP_SHOWS:
        show(m);
        return;
    case ESP_CANCELS:
        cancel(m);
        return;
    case ESP_COUNTS:
        count(m);
        return;
    case ESP_TALLIES:
        tally(m);
        return;
    case ESP_LISTS:
        list(m);
        return;
    case ESP_LIFTS:
        lift_next(m);
        return;
    case ESP_SENDS:
    case ESP_PRETENDS:
    case ESP_TELLS:
        break;
    }
    m->done(m);
}

void esp_manage_fini(struct esp_manage *m)
{
    arena_fini(&m->lookup.arena);
    arena_fini(&m->cancel.arena);
    arena_fini(&m->order.arena);
}
