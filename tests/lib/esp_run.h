/* esp_run.h - one request through an ESP's API as the HTTP door does it, without the door: found,
 * read, composed, "handed in", answered. For unit tests and fuzz targets, hence all in the header.
 */
#ifndef TESTS_LIB_ESP_RUN_H
#define TESTS_LIB_ESP_RUN_H

#include "base/macros.h"
#include "core/esp/esp.h"
#include "core/proto/compose.h"

#include <assert.h>
#include <stdio.h>

#define ESP_RUN_NOW 1795299446000 /* 2026-11-21T22:17:26Z */

struct esp_run {
    const char *behind; /* in: as struct esp_ask.behind; NULL: "" */
    struct arena arena;
    struct buf mails, answer; /* what is handed in, in words; "STATUS\nName: value\n\nbody" */
};

static inline void esp_run_fini(struct esp_run *run)
{
    buf_fini(&run->mails);
    buf_fini(&run->answer);
    arena_fini(&run->arena);
}

static inline void esp_run_boxes(struct buf *b, const char *name, const struct api_addresses *list)
{
    for (size_t i = 0; i < list->count; i++)
        buf_addf(b, "%s: " TEXT_FMT "<" TEXT_FMT ">\n", name, TEXT_ARG(list->list[i].name),
                 TEXT_ARG(list->list[i].address));
}

static inline void esp_run_mail(struct esp_run *run, const struct api_draft *d)
{
    struct buf *b = &run->mails, composed = {0};
    struct tide_error err = {0};
    buf_addf(b, "from: " TEXT_FMT "<" TEXT_FMT ">\n", TEXT_ARG(d->from.name),
             TEXT_ARG(d->from.address));
    esp_run_boxes(b, "to", &d->to);
    esp_run_boxes(b, "cc", &d->cc);
    esp_run_boxes(b, "bcc", &d->bcc);
    esp_run_boxes(b, "reply-to", &d->reply_to);
    buf_addf(b, "subject: " TEXT_FMT "\ntext: " TEXT_FMT "\nhtml: " TEXT_FMT "\n",
             TEXT_ARG(d->subject), TEXT_ARG(d->text), TEXT_ARG(d->html));
    for (size_t i = 0; i < d->header_count; i++)
        buf_addf(b, "header: " TEXT_FMT "=" TEXT_FMT "\n", TEXT_ARG(d->headers[i].name),
                 TEXT_ARG(d->headers[i].value));
    for (size_t i = 0; i < d->attachment_count; i++) {
        const struct api_attachment *a = &d->attachments[i];
        buf_addf(b, "file: " TEXT_FMT " " TEXT_FMT " %s" TEXT_FMT " \"" TEXT_FMT "\"\n",
                 TEXT_ARG(a->filename), TEXT_ARG(a->content_type), a->is_inline ? "inline " : "",
                 TEXT_ARG(a->content_id), TEXT_ARG(a->content));
    }
    buf_addf(b, "stream: " TEXT_FMT "\nkey: " TEXT_FMT "\nnot_before: %lld\n", TEXT_ARG(d->stream),
             TEXT_ARG(d->key), (long long)d->not_before);
    if (d->message.p) {
        buf_addf(b, "message: " TEXT_FMT "\n", TEXT_ARG(d->message));
    } else {
        const struct compose_given given = {.date = ESP_RUN_NOW,
                                            .message_id = TEXT("id@s.example")};
        enum tide_err rc = compose(d, &given, &composed, &err);
        assert(rc == TIDE_OK || rc == TIDE_EINVAL);
        struct message m;
        assert(rc != TIDE_OK || message_open(buf_text(&composed), &m, &err) == TIDE_OK);
        assert(rc != TIDE_OK ||
               (!message_has(&m, TEXT("Bcc")) && message_count(&m, TEXT("From")) == 1));
        buf_addf(b, "composes: %s\n", rc == TIDE_OK ? "yes" : err.text);
    }
    buf_fini(&composed);
}

/* Recipients at "dead.example" are refused by the gate, senders there by the intake. */
static inline void esp_run_hand_in(struct esp_run *run, struct esp_mail *m, tide_id *id)
{
    const struct api_draft *d = &m->draft;
    const struct api_addresses *all[] = {&d->to, &d->cc, &d->bcc};
    if (text_iends(d->from.address, TEXT("@dead.example"))) {
        m->refusal = ARENA_NEW(&run->arena, struct esp_refusal);
        m->refusal->fault = ESP_SENDER;
        snprintf(m->refusal->message, sizeof m->refusal->message, "may not send as dead.example");
        return;
    }
    esp_run_mail(run, d);
    m->results =
        arena_array(&run->arena, d->to.count + d->cc.count + d->bcc.count + 1, sizeof *m->results);
    for (size_t k = 0; k < TIDE_COUNT(all); k++)
        for (size_t i = 0; i < all[k]->count; i++) {
            struct text address = all[k]->list[i].address;
            bool dead = text_iends(address, TEXT("@dead.example"));
            m->results[m->result_count++] = (struct esp_result){
                .id = ++*id,
                .address = address,
                .state = dead ? NOTIFICATION_REFUSED : NOTIFICATION_HELD,
            };
        }
}

static inline void esp_run_answer(struct esp_run *run, struct esp_answer *a)
{
    buf_addf(&run->answer, "%u\n", a->status);
    if (a->content_type)
        buf_addf(&run->answer, "Content-Type: %s\n", a->content_type);
    for (size_t i = 0; i < a->header_count; i++)
        buf_addf(&run->answer, "%s: %s\n", a->headers[i].name, a->headers[i].value);
    buf_addc(&run->answer, '\n');
    buf_add_text(&run->answer, buf_text(&a->body));
    buf_fini(&a->body);
}

/* Two are suppressed, of whom one complained; and what the last days were like. */
static inline void esp_run_suppressed(struct esp_batch *batch)
{
    static const struct suppression rows[] = {
        {.address = {"dead@b.example", 14},
         .cause = SUPPRESSION_INVALID,
         .evidence = {"550 5.1.1 <who?>", 16},
         .at = ESP_RUN_NOW},
        {.address = {"spam@b.example", 14}, .cause = SUPPRESSION_COMPLAINT, .at = ESP_RUN_NOW}};
    static const struct notification_tally tallies[] = {
        {.from = 1795132800000, .states = {[NOTIFICATION_BOUNCED] = 1, [NOTIFICATION_HELD] = 2}},
        {.from = 1795219200000,
         .states = {[NOTIFICATION_DELIVERED] = 7, [NOTIFICATION_COMPLAINED] = 2}}};
    struct esp_listing *l = &batch->listing;
    l->rows = rows;
    for (size_t i = 0; i < TIDE_COUNT(rows) && batch->does == ESP_LISTS; i++) {
        const char *cause = suppression_cause_name(rows[i].cause);
        if ((l->causes.n > 0 && text_ifind(l->causes, text_of(cause)) == l->causes.n) ||
            (l->recipient.n > 0 && !text_eq(l->recipient, rows[i].address)))
            continue;
        if (l->count++ == 0)
            l->rows = &rows[i];
    }
    for (size_t i = 0; i < batch->lift_count; i++)
        if (batch->lifts[i].fault == ESP_FINE)
            batch->lifts[i].fault = text_starts(batch->lifts[i].address, TEXT("dead@")) ? ESP_FINE
                                    : text_starts(batch->lifts[i].address, TEXT("spam@"))
                                        ? ESP_TOO_LATE
                                        : ESP_NOT_FOUND;
    if (batch->does == ESP_TALLIES) {
        batch->tallies.rows = tallies;
        batch->tallies.count = TIDE_COUNT(tallies);
    }
}

static inline void esp_run_decided(struct esp_run *run,
                                   const struct esp_ask *ask,
                                   struct esp_batch *batch)
{
    static const struct notification held = {.id = 7,
                                             .state = NOTIFICATION_HELD,
                                             .recipient = {"ann@client.asia", 15},
                                             .sender = {"n@s.example", 11},
                                             .subject = {"New \"comment\"", 13},
                                             .accepted_at = ESP_RUN_NOW};
    struct esp_answer a = {0};
    struct esp_refusal why = {0};
    tide_id id = 0;
    bool pretends = batch->does == ESP_PRETENDS;
    for (size_t i = 0; i < batch->count && batch->does == ESP_SENDS; i++)
        if (!batch->mails[i].refusal)
            esp_run_hand_in(run, &batch->mails[i], &id);
    if (batch->does == ESP_SHOWS && batch->shown == 7)
        batch->notification = &held;
    if (batch->does == ESP_SHOWS && !batch->notification)
        why.fault = ESP_NOT_FOUND;
    if (batch->does == ESP_CANCELS && batch->shown != 7)
        why.fault = batch->shown == 8 ? ESP_TOO_LATE : ESP_NOT_FOUND;
    esp_run_suppressed(batch);
    batch->quota = (struct esp_quota){.per_day = 1000, .sent = 17, .per_second = 0.5};
    const struct esp_refusal *first = batch->each_own ? NULL : esp_first_refusal(batch);
    if (pretends)
        buf_adds(&run->mails, "pretends\n");
    if (why.fault != ESP_FINE || first)
        ask->call->esp->refuse(ask, first ? first : &why, &a);
    else
        ask->call->answer(ask, batch, &a);
    esp_run_answer(run, &a);
}

/* `fault`: what the door found before anything is read. */
static inline void esp_run(struct esp_run *run,
                           const char *method,
                           const char *path,
                           const char *content_type,
                           const char *const *headers,
                           struct text body,
                           enum esp_fault fault)
{
    static const char *const streams[] = {"comments", "security"};
    static const char *const senders[] = {"s.example", ".t.example"};
    size_t question = text_find(text_of(path), '?');
    struct esp_ask ask = {.method = text_of(method),
                          .path = text_cut(text_of(path), 0, question),
                          .query = text_cut(text_of(path), question + 1, SIZE_MAX),
                          .content_type = text_of(content_type),
                          .body = body,
                          .unique = TEXT("00112233445566778899aabbccddeeff"),
                          .now = ESP_RUN_NOW,
                          .streams = streams,
                          .stream_count = TIDE_COUNT(streams),
                          .behind = text_of(run->behind ? run->behind : ""),
                          .recipients_max = 1000,
                          .application = TEXT("shop"),
                          .host = TEXT("127.0.0.1:8025"),
                          .senders = senders,
                          .sender_count = TIDE_COUNT(senders)};
    struct esp_refusal why = {.fault = fault};
    struct esp_batch batch = {0};
    bool known;
    ask.call = esp_find(ask.method, ask.path, ask.wild, &known);
    assert(!ask.call || !esp_is_own(ask.path)); /* the paths of mailtide's own are disjoint */
    if (!ask.call) {
        buf_adds(&run->answer, "no such path");
        return;
    }
    for (size_t i = 0; headers && headers[i] && i < ESP_HEADERS_MAX; i++)
        ask.headers[i] = text_of(headers[i]);
    if (!known)
        why.fault = ESP_BAD_METHOD;
    if (why.fault == ESP_FINE && esp_read(&ask, &run->arena, &batch, &why)) {
        esp_run_decided(run, &ask, &batch);
    } else {
        struct esp_answer a = {0};
        assert(why.fault != ESP_FINE);
        ask.call->esp->refuse(&ask, &why, &a);
        esp_run_answer(run, &a);
    }
    esp_batch_fini(&batch);
}

#endif
