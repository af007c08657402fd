#include "io/intake/submission.h"

#include "base/macros.h"
#include "core/address/addr.h"
#include "core/digest/content.h"
#include "core/digest/message.h"
#include "core/record/template.h"

#include <stdio.h>

#define HEADER_PREFIX "X-Mailtide-"

static const char *const taken_out[] = {"Bcc", HEADER_PREFIX "*"};

/* What stands in a field of the request, else in its header field. */
static struct text given_or_header(struct text given,
                                   const struct message *m,
                                   const char *name,
                                   struct arena *arena)
{
    if (given.n)
        return arena_text(arena, given);
    struct text value = message_value(m, text_of(name), arena);
    return value.p ? value : TEXT("");
}

/* "2h" from now, or an RFC 3339 time. */
static enum tide_err take_time(const struct message *m,
                               const char *name,
                               tide_wall_ms now,
                               tide_wall_ms *ret,
                               struct arena *arena,
                               struct tide_error *err)
{
    struct text value = message_value(m, text_of(name), arena);
    int64_t span;
    struct tide_error ignored;
    if (*ret || !value.n)
        return TIDE_OK;
    if (text_duration_ms(value, &span, &ignored) == TIDE_OK) {
        *ret = now + span;
        return TIDE_OK;
    }
    if (time_parse_rfc3339(value, ret, &ignored) == TIDE_OK)
        return TIDE_OK;
    return tide_fail(err, TIDE_EINVAL,
                     "%s: want a duration such as \"2h\" or a time such as "
                     "\"2026-11-21T22:17:26Z\", got \"" TEXT_FMT "\"",
                     name, TEXT_ARG(value));
}

/* 0: its stream's. */
static enum tide_err take_weight(const struct intake_request *req,
                                 const struct message *m,
                                 struct arena *arena,
                                 struct submission *ret,
                                 struct tide_error *err)
{
    int64_t weight = req->weight;
    struct text value = given_or_header(TEXT(""), m, HEADER_PREFIX "Weight", arena);
    if (!weight && value.n && text_int(text_trim(value), 1, SUBMISSION_WEIGHT_MAX, &weight, err))
        return tide_wrap(err, TIDE_EINVAL, HEADER_PREFIX "Weight");
    ret->weight = (int)weight;
    return TIDE_OK;
}

static enum tide_err take_stream(const struct config *config,
                                 const struct intake_request *req,
                                 const struct message *m,
                                 struct arena *arena,
                                 struct submission *ret,
                                 struct tide_error *err)
{
    struct text name = given_or_header(req->stream, m, HEADER_PREFIX "Stream", arena);
    int index = name.n ? config_stream_index(config, name) : req->application->stream;
    if (index < 0) {
        const char *names[64];
        size_t count = TIDE_MIN(config->stream_count, TIDE_COUNT(names));
        for (size_t i = 0; i < count; i++)
            names[i] = config->streams[i].name;
        const char *near = text_nearest(name, names, count);
        return tide_fail(err, TIDE_EINVAL, "stream: \"" TEXT_FMT "\" is not configured%s%s%s",
                         TEXT_ARG(name), near ? "; did you mean \"" : "", near ? near : "",
                         near ? "\"?" : "");
    }
    const struct config_stream *s = &config->streams[index];
    ret->stream = text_of(s->name);
    ret->priority = s->priority;
    ret->urgent = s->urgent;
    ret->digestible = s->digest && !s->urgent;
    ret->drop_late = s->on_deadline == DEADLINE_DROP;
    if (!ret->weight)
        ret->weight = s->weight;
    if (!ret->deadline_at && s->deadline_ms)
        ret->deadline_at = ret->accepted_at + s->deadline_ms;
    return TIDE_OK;
}

/* Who the mail is from, for grouping: the From field, else the envelope. */
static enum tide_err take_identity(const struct intake_request *req,
                                   const struct message *m,
                                   struct arena *arena,
                                   struct submission *ret,
                                   struct tide_error *err)
{
    struct mailbox from;
    struct addr addr;
    enum tide_err rc = message_from(m, arena, &from, err);
    struct text address = rc == TIDE_OK ? from.address : req->sender;
    if (rc != TIDE_OK && (rc != TIDE_ENOENT || !req->sender.n))
        return tide_wrap(err, TIDE_EINVAL, "From");
    rc = addr_parse(address, 0, &addr, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, TIDE_EINVAL, "From");
    if (!config_may_send_as(req->application, domain_text(&addr.domain)))
        return tide_fail(err, TIDE_EPERM, "application %s may not send as " TEXT_FMT " (From)",
                         req->application->name, TEXT_ARG(domain_text(&addr.domain)));
    ret->identity = arena_text(arena, addr_text(&addr));
    return TIDE_OK;
}

static enum tide_err take_recipients(const struct intake_request *req,
                                     struct arena *arena,
                                     struct submission *ret,
                                     struct tide_error *err)
{
    struct submission_recipient *list = arena_array(arena, req->recipient_count, sizeof *list);
    if (!list)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    size_t count = 0;
    for (size_t i = 0; i < req->recipient_count; i++) {
        const struct intake_recipient *from = &req->recipients[i];
        struct addr addr;
        enum tide_err rc = addr_parse(from->address, 0, &addr, err);
        if (rc != TIDE_OK)
            return tide_wrap(err, rc, "recipient " TEXT_FMT, TEXT_ARG(from->address));
        list[count++] = (struct submission_recipient){
            .address = arena_text(arena, from->address),
            .normal = arena_text(arena, addr_text(&addr)),
            .domain = arena_text(arena, domain_text(&addr.domain)),
            .notify = arena_text(arena, from->notify),
            .orcpt = arena_text(arena, from->orcpt),
        };
    }
    ret->recipients = list;
    ret->recipient_count = count;
    return count ? TIDE_OK : tide_fail(err, TIDE_EINVAL, "no recipient");
}

/* The message as it will leave: without what is mailtide's or secret, with what is missing. */
static enum tide_err edit_message(const struct submission_times *times,
                                  const struct message *m,
                                  struct text sender,
                                  struct text template_api,
                                  struct arena *arena,
                                  struct submission *ret,
                                  struct tide_error *err)
{
    struct buf b = {0};
    char date[TIME_TEXT_BYTES], id[ID_TEXT_BYTES];
    enum tide_err rc = TIDE_OK;
    if (template_api.n > 0)
        rc = message_put_structured(&b, TEXT(TEMPLATE_FIELD), template_api, err);
    ret->message_id = message_first_id(m, TEXT("Message-ID"), arena);
    if (rc == TIDE_OK && !ret->message_id.n) {
        char *fresh =
            arena_printf(arena, "<%s@%s>", id_text(times->message_number, id), times->hostname);
        ret->message_id = text_of(fresh);
        rc = message_put_structured(&b, TEXT("Message-ID"), ret->message_id, err);
    }
    if (rc == TIDE_OK && !message_has(m, TEXT("Date")))
        rc = message_put_structured(&b, TEXT("Date"), text_of(time_rfc5322(times->now, 0, date)),
                                    err);
    if (rc == TIDE_OK && !message_has(m, TEXT("From"))) /* else it is no message: RFC 5322 3.6 */
        rc = message_put_mailbox(&b, TEXT("From"), &(struct mailbox){.address = sender}, err);
    buf_expect(&b, m->whole.n);
    message_put_rest(&b, m, taken_out, TIDE_COUNT(taken_out));
    if (rc == TIDE_OK)
        rc = buf_check(&b, err);
    if (rc == TIDE_OK) {
        ret->message = arena_text(arena, buf_text(&b));
        rc = ret->message.p ? TIDE_OK : tide_fail(err, TIDE_ENOMEM, "out of memory");
    }
    buf_fini(&b);
    return rc;
}

/* Signed, encrypted mail and mail with attachments goes alone. */
static enum tide_err look_at_content(const struct message *m,
                                     struct arena *arena,
                                     struct submission *ret,
                                     struct tide_error *err)
{
    struct content content;
    if (!ret->digestible)
        return TIDE_OK;
    enum tide_err rc = content_look(m, 0, 0, arena, &content, err);
    if (rc == TIDE_OK)
        ret->digestible = content.digestible;
    return rc;
}

enum tide_err submission_make(const struct config *config,
                              const struct submission_times *times,
                              const struct intake_request *req,
                              struct arena *arena,
                              struct submission *ret,
                              struct tide_error *err)
{
    struct buf normal = {0};
    struct message m;
    *ret = (struct submission){
        .application = text_of(req->application->name),
        .accepted_at = times->now,
        .not_before = req->not_before,
        .deadline_at = req->deadline_at,
        .sender = arena_text(arena, req->sender),
        .source = arena_text(arena, req->source),
        .ret = arena_text(arena, req->ret),
        .envid = arena_text(arena, req->envid),
        .metadata = arena_text(arena, req->metadata),
    };
    enum tide_err rc = message_normalise(req->message, &normal, err);
    if (rc == TIDE_OK)
        rc = message_open(buf_text(&normal), &m, err);
    if (rc != TIDE_OK) {
        buf_fini(&normal);
        return tide_wrap(err, rc == TIDE_ENOMEM ? rc : TIDE_EINVAL, "message");
    }
    ret->key = given_or_header(req->key, &m, HEADER_PREFIX "Key", arena);
    /* Without one of the door's own: what was handed in, before anything was put into it. */
    if (ret->key.n)
        ret->fingerprint =
            arena_text(arena, req->fingerprint.n ? req->fingerprint : buf_text(&normal));
    ret->thread = given_or_header(req->thread, &m, HEADER_PREFIX "Thread", arena);
    ret->collapse_key = given_or_header(req->collapse_key, &m, HEADER_PREFIX "Collapse-Key", arena);
    ret->subject = given_or_header(TEXT(""), &m, "Subject", arena);
    ret->item = (struct digest_item){
        .title = given_or_header(req->item.title, &m, HEADER_PREFIX "Digest-Title", arena),
        .url = given_or_header(req->item.url, &m, HEADER_PREFIX "Digest-Url", arena),
        .text = given_or_header(req->item.text, &m, HEADER_PREFIX "Digest-Text", arena),
        .icon = given_or_header(req->item.icon, &m, HEADER_PREFIX "Digest-Icon", arena),
    };
    rc = take_time(&m, HEADER_PREFIX "Deadline", times->now, &ret->deadline_at, arena, err);
    if (rc == TIDE_OK)
        rc = take_time(&m, HEADER_PREFIX "Not-Before", times->now, &ret->not_before, arena, err);
    if (rc == TIDE_OK)
        rc = take_weight(req, &m, arena, ret, err);
    if (rc == TIDE_OK)
        rc = take_stream(config, req, &m, arena, ret, err);
    if (rc == TIDE_OK)
        rc = take_identity(req, &m, arena, ret, err);
    if (rc == TIDE_OK)
        rc = take_recipients(req, arena, ret, err);
    if (req->template_api.n > 0)
        ret->digestible = false;
    if (rc == TIDE_OK)
        rc = look_at_content(&m, arena, ret, err);
    if (rc == TIDE_OK)
        rc = edit_message(times, &m, req->sender, req->template_api, arena, ret, err);
    buf_fini(&normal);
    return rc;
}
