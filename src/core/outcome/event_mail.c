#include "core/outcome/event_mail.h"

#include "base/buf.h"
#include "base/macros.h"
#include "core/outcome/rules.h"
#include "core/proto/json.h"

/* Where an event of each name keeps its recipients, and what became of them. */
static const struct {
    const char *event, *member, *recipients;
    enum dsn_action action;
} events[] = {
    {"Bounce", "bounce", "bouncedRecipients", DSN_FAILED},
    {"Complaint", "complaint", "complainedRecipients", DSN_NO_ACTION},
    {"Delivery", "delivery", "recipients", DSN_DELIVERED},
    {"DeliveryDelay", "deliveryDelay", "delayedRecipients", DSN_DELAYED},
    {"Reject", "reject", NULL, DSN_FAILED},
};

/* The object in the text. Lines that a mail system folded ("!" and a blank, as old sendmails do)
 * are joined; what stands behind the object, in lines of its own, says how to unsubscribe. */
static struct text object_in(struct text body, struct arena *a)
{
    struct buf b = {.max = EVENT_MAIL_BYTES};
    struct text line;
    bool folded = false, any = false;
    while (text_line(&body, &line)) {
        if (text_trim(line).n == 0 && !any)
            continue;
        if (any && !folded && (text_trim(line).n == 0 || text_eq(text_trim(line), TEXT("--"))))
            break;
        if (folded && line.n > 0 && line.p[0] == ' ')
            line = text_cut(line, 1, line.n);
        folded = line.n > 900 && line.p[line.n - 1] == '!';
        if (folded)
            line.n--;
        buf_add_text(&b, line);
        any = true;
    }
    struct text t = arena_text(a, buf_text(&b));
    buf_fini(&b);
    return t.p ? text_trim(t) : TEXT("");
}

static struct text copy(const struct json *v, struct arena *a)
{
    struct text t = json_string_text(v);
    t = t.p ? arena_text(a, t) : TEXT("");
    return t.p && !memchr(t.p, '\0', t.n) ? t : TEXT("");
}

/* "MailboxFull" in words, for the rules: "Mailbox Full". */
static struct text in_words(struct text t, struct arena *a)
{
    struct buf b = {.max = 200};
    for (size_t i = 0; i < t.n; i++) {
        if (i > 0 && t.p[i] >= 'A' && t.p[i] <= 'Z')
            buf_addc(&b, ' ');
        buf_addc(&b, t.p[i]);
    }
    struct text words = arena_text(a, buf_text(&b));
    buf_fini(&b);
    return words.p ? words : TEXT("");
}

/* What was said about all recipients, where it is not said about each. */
static struct text said_of(const struct json *event, struct arena *a)
{
    static const char *const members[] = {"smtpResponse", "bounceSubType", "delayType", "reason"};
    for (size_t i = 0; i < TIDE_COUNT(members); i++) {
        struct text t = copy(json_member(event, members[i]), a);
        if (t.n > 0)
            return i == 0 ? t : in_words(t, a);
    }
    return TEXT("");
}

static void add(struct event_mail *e, const struct dsn_recipient *r)
{
    if (e->complaint && e->arf.recipient_count < ARF_RECIPIENTS_MAX)
        e->arf.recipients[e->arf.recipient_count++] = r->final;
    if (!e->complaint && e->dsn.recipient_count < DSN_RECIPIENTS_MAX)
        e->dsn.recipients[e->dsn.recipient_count++] = *r;
}

/* Each is an object with the address and what was said about it, or the address alone. */
static void take_recipients(struct event_mail *e,
                            const struct json *list,
                            enum dsn_action action,
                            struct text said,
                            struct arena *a)
{
    size_t count = json_kind(list) == JSON_KIND_ARRAY ? json_count(list) : 0;
    for (size_t i = 0; i < count && i < DSN_RECIPIENTS_MAX; i++) {
        const struct json *v = json_element(list, i);
        const struct json *address =
            json_kind(v) == JSON_KIND_OBJECT ? json_member(v, "emailAddress") : v;
        struct dsn_recipient r = {.action = action, .final = dsn_address(copy(address, a), a)};
        if (r.final.n == 0)
            continue;
        if (json_kind(v) == JSON_KIND_OBJECT) {
            r.diagnostic = dsn_diagnostic(copy(json_member(v, "diagnosticCode"), a));
            (void)dsn_status(json_string_text(json_member(v, "status")), r.status);
        }
        if (r.diagnostic.n == 0)
            r.diagnostic = said;
        if (r.status[0] == 0 && action == DSN_DELIVERED) {
            struct reply_said reply = {0};
            reply_said_of(said, &reply);
            memcpy(r.status, reply.status, sizeof r.status);
        }
        add(e, &r);
    }
}

static void take_mail(struct event_mail *e, const struct json *mail, struct arena *a)
{
    const struct json *common = json_member(mail, "commonHeaders");
    e->mail_id = copy(json_member(common, "messageId"), a);
    e->subject = copy(json_member(common, "subject"), a);
    e->mail_from = dsn_address(copy(json_member(mail, "source"), a), a);
}

static bool take_event(struct event_mail *e, const struct json *document, struct arena *a)
{
    struct text name = json_string_text(json_member(document, "notificationType"));
    const struct json *mail = json_member(document, "mail");
    if (!name.p)
        name = json_string_text(json_member(document, "eventType"));
    for (size_t i = 0; name.p && i < TIDE_COUNT(events); i++) {
        const struct json *event = json_member(document, events[i].member);
        if (!text_eq(name, text_of(events[i].event)) || json_kind(event) != JSON_KIND_OBJECT)
            continue;
        e->complaint = events[i].action == DSN_NO_ACTION;
        e->arf.type = copy(json_member(event, "complaintFeedbackType"), a);
        e->arf.user_agent = copy(json_member(event, "userAgent"), a);
        e->dsn.reporting_mta = dsn_diagnostic(copy(json_member(event, "reportingMTA"), a));
        const struct json *list =
            events[i].recipients ? json_member(event, events[i].recipients) : NULL;
        take_recipients(e, list, events[i].action, said_of(event, a), a);
        if (e->dsn.recipient_count == 0 && e->arf.recipient_count == 0)
            take_recipients(e, json_member(mail, "destination"), events[i].action,
                            said_of(event, a), a);
        take_mail(e, mail, a);
        return e->dsn.recipient_count > 0 || e->arf.recipient_count > 0;
    }
    return false;
}

bool event_mail_read(struct text body, struct arena *a, struct event_mail *ret)
{
    struct event_mail e = {0};
    struct json *document = NULL, *inner = NULL;
    struct tide_error ignored;
    struct text t = object_in(body, a);
    if (t.n < 2 || t.p[0] != '{' || text_ifind(t, TEXT("Type\"")) == t.n ||
        json_parse(t, EVENT_MAIL_BYTES, &document, &ignored) != TIDE_OK)
        return false;
    /* SNS's own envelope around it, where raw delivery is off. */
    struct text message = json_string_text(json_member(document, "Message"));
    if (message.p && json_parse(message, EVENT_MAIL_BYTES, &inner, &ignored) != TIDE_OK)
        inner = NULL;
    e.dsn.recipients = arena_array(a, DSN_RECIPIENTS_MAX, sizeof *e.dsn.recipients);
    e.arf.recipients = arena_array(a, ARF_RECIPIENTS_MAX, sizeof *e.arf.recipients);
    bool found =
        e.dsn.recipients && e.arf.recipients && take_event(&e, inner ? inner : document, a);
    json_free(inner);
    json_free(document);
    if (found)
        *ret = e;
    return found;
}
