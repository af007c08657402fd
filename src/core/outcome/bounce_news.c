#include "core/outcome/bounce_news.h"

#include "base/macros.h"

/* What all pieces of one mail share. */
struct origin {
    tide_id attempt_id;
    struct text message_id;
};

static struct origin origin_of(const struct bounce *b,
                               const struct verp *verp,
                               struct text domain,
                               struct text sent_to)
{
    const struct text addresses[] = {sent_to, b->sent_to, b->complaint.mail_from};
    const struct text tokens[] = {b->envelope_id, b->complaint.envelope_id};
    struct origin o = {.message_id = b->original_id};
    for (size_t i = 0; i < TIDE_COUNT(addresses) && o.attempt_id == 0; i++)
        o.attempt_id = verp_read_address(verp, addresses[i], domain, NULL);
    for (size_t i = 0; i < TIDE_COUNT(tokens) && o.attempt_id == 0; i++)
        o.attempt_id = verp_read_token(verp, tokens[i]);
    return o;
}

static enum news_kind kind_of_report(const struct bounce_recipient *r)
{
    switch (r->action) {
    case DSN_FAILED:
        return NEWS_BOUNCED;
    case DSN_DELAYED:
        return NEWS_DEFERRED;
    case DSN_DELIVERED:
    case DSN_RELAYED:
    case DSN_EXPANDED:
        return NEWS_DELIVERED;
    case DSN_NO_ACTION:
        break;
    }
    int class = r->status[0] ? r->status[0] : r->code / 100;
    return class == 2 ? NEWS_DELIVERED : class == 4 ? NEWS_DEFERRED : NEWS_BOUNCED;
}

static enum news_kind kind_of_complaint(struct text type)
{
    static const char *const spam[] = {"abuse", "fraud", "complaint", "miscategorized"};
    for (size_t i = 0; i < TIDE_COUNT(spam); i++)
        if (text_ieq(type, text_of(spam[i])))
            return NEWS_COMPLAINED;
    if (text_ieq(type, TEXT("opt-out")) || text_ieq(type, TEXT("opt-out-list")))
        return NEWS_UNSUBSCRIBED;
    return NEWS_OTHER;
}

/* The same notice about the same mail is the same news, however often it comes. */
static void name(struct mail_news *n, struct arena *a)
{
    char id[ID_TEXT_BYTES];
    if (n->attempt_id == 0 && n->message_id.n == 0)
        return;
    n->key = text_of(
        arena_printf(a, TEXT_FMT "|%s|" TEXT_FMT "|" TEXT_FMT "|" TEXT_FMT "|%d.%d.%d",
                     TEXT_ARG(n->source), n->attempt_id ? id_text(n->attempt_id, id) : "",
                     TEXT_ARG(n->attempt_id ? TEXT("") : n->message_id), TEXT_ARG(n->recipient),
                     TEXT_ARG(n->event), n->status[0], n->status[1], n->status[2]));
}

static struct mail_news begin(const struct origin *o, const char *source)
{
    return (struct mail_news){.source = text_of(source),
                              .attempt_id = o->attempt_id,
                              .message_id = o->message_id,
                              .unproven = o->attempt_id == 0};
}

static void of_report(const struct bounce *b,
                      const struct origin *o,
                      struct mail_news *news,
                      struct arena *a)
{
    for (size_t i = 0; i < b->recipient_count; i++) {
        const struct bounce_recipient *r = &b->recipients[i];
        struct mail_news *n = &news[i];
        *n = begin(o, "bounce mail");
        n->kind = kind_of_report(r);
        n->event = text_of(r->action == DSN_NO_ACTION ? "failed" : dsn_action_name(r->action));
        n->recipient = r->address.n > 0 ? r->address : r->final;
        n->reply = r->said;
        n->code = r->code;
        memcpy(n->status, r->status, sizeof n->status);
        n->remote_mta = r->remote_mta.n > 0 ? r->remote_mta : b->reporting_mta;
        name(n, a);
    }
}

static void of_complaint(const struct bounce *b,
                         const struct origin *o,
                         struct mail_news *news,
                         size_t count,
                         struct arena *a)
{
    for (size_t i = 0; i < count; i++) {
        struct mail_news *n = &news[i];
        *n = begin(o, "complaint");
        n->event = b->complaint.type;
        n->kind = kind_of_complaint(n->event);
        if (b->complaint.recipient_count > 0)
            n->recipient = b->complaint.recipients[i];
        n->reply = b->complaint.user_agent;
        name(n, a);
    }
}

enum tide_err bounce_news(const struct bounce *b,
                          const struct verp *verp,
                          struct text domain,
                          struct text sent_to,
                          struct arena *a,
                          struct mail_news **ret,
                          size_t *ret_count,
                          struct tide_error *err)
{
    struct origin o = origin_of(b, verp, domain, sent_to);
    size_t count = b->kind == BOUNCE_REPORT      ? b->recipient_count
                   : b->kind == BOUNCE_COMPLAINT ? TIDE_MAX(b->complaint.recipient_count, 1u)
                                                 : 0;
    struct mail_news *news = arena_array(a, count + 1, sizeof *news);
    if (!news)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    if (b->kind == BOUNCE_REPORT)
        of_report(b, &o, news, a);
    else if (b->kind == BOUNCE_COMPLAINT)
        of_complaint(b, &o, news, count, a);
    *ret = news;
    *ret_count = count;
    return TIDE_OK;
}
