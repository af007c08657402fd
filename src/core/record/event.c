#include "core/record/event.h"

#include "base/macros.h"

#define ROUTE "account, provider"
#define SAID  ROUTE ", code, status, reply, stage"
#define MEANS SAID ", class, fault, cause, advice, rule"
#define TOLD  ROUTE ", source, word, happened_at" /* by an ESP or a bounce */

/* clang-format off */
const struct event_kind event_kinds[] = {
    {"accepted", "notification.accepted", EVENT_OWN, false,
     "It is on disk.", ""},
    {"held", "notification.held", EVENT_OWN, false,
     "What is pending for the recipient waits, and why.", "limit, until"},
    {"released", "notification.released", EVENT_OWN, false,
     "A mail is about to leave.", ROUTE},
    {"sent", "notification.sent", EVENT_OWN, true,
     "The account took the mail.", SAID},
    {"deferred", "notification.deferred", EVENT_OWN, false,
     "The mail was put off and is back on hold.", MEANS ", until"},
    {"limited", "notification.limited", EVENT_OWN, true,
     "A limit was named in the reply; the mail is back on hold until its window opens.",
     MEANS ", until"},
    {"unknown", "notification.unknown", EVENT_OWN, false,
     "The answer was lost: the mail may have left; news of it is awaited.", SAID ", until"},
    {"abandoned", "notification.abandoned", EVENT_OWN, false,
     "No news of it came: it is released again and may be seen twice.", ROUTE},
    {"delivered", "notification.delivered", EVENT_OWN, true,
     "The recipient's provider took it.", TOLD},
    {"deferred_by_esp", "notification.deferred_by_esp", EVENT_OWN, false,
     "The provider refused it for now; the ESP goes on trying.", TOLD ", " MEANS},
    {"dropped_by_esp", "notification.dropped_by_esp", EVENT_OWN, true,
     "The ESP did not even try: the recipient stands on its own list.", TOLD ", reply"},
    {"bounced", "notification.bounced", EVENT_OWN, true,
     "It was refused for good, at once or (with a source) later.", MEANS ", source, word, happened_at"},
    {"complained", "notification.complained", EVENT_OWN, true,
     "The recipient called it spam.", TOLD},
    {"unsubscribed", "notification.unsubscribed", EVENT_OWN, true,
     "The recipient wants no more of its stream.", TOLD},
    {"refused", "notification.refused", EVENT_OWN, true,
     "mailtide does not send it: the recipient cannot take mail or is suppressed.", "code, domain"},
    {"expired", "notification.expired", EVENT_OWN, true,
     "Its deadline passed, and its stream says to drop it then.", "code"},
    {"cancelled", "notification.cancelled", EVENT_OWN, true,
     "It was withdrawn, or a newer one took its place.", "by, superseded_by"},
    {"suppressed", "recipient.suppressed", EVENT_RECIPIENT, true,
     "Mail for the recipient is refused from now on, or held (pause); all of it, or of a scope.",
     "cause, scope, pause, evidence, rule, account, by, times, until"},
    {"unsuppressed", "recipient.unsuppressed", EVENT_RECIPIENT, true,
     "The recipient may be mailed again.", "cause, scope, evidence, by, times, lifted_at"},
    {"confirmed", "recipient.confirmed", EVENT_RECIPIENT, true,
     "The application says that the recipient has proven to own the address.", ""},
    {"esp_unlisted", "recipient.unlisted", EVENT_RECIPIENT, true,
     "The address was taken off the ESP's own list, where it stood for no fault of the recipient.",
     "account, address, list, why, words"},
    {"esp_unlist_failed", "recipient.unlist_failed", EVENT_OPERATOR, true,
     "The ESP would not take it off.", "account, address, list, why, words"},
    {"sender_held", "sender.held", EVENT_OPERATOR, true,
     "A sender no longer passes: its bulk streams wait.", "domain, account, reason"},
    {"sender_open", "sender.open", EVENT_OPERATOR, true,
     "It passes again: its bulk streams go on.", "domain, account"},
    {"will_exceed", "recipient.will_exceed", EVENT_RECIPIENT, true,
     "The recipient will probably get more today than his mailbox takes; once a day.",
     "limit, count, used, pending, expected, at_least, at_most, chance, at, resets_at"},
    {"limit_learned", "limit.learned", EVENT_OPERATOR, true,
     "A reply or an ESP has told a number that is kept to from now on.",
     "scope, subject, of, limit, count, rule"},
    {"limit_pinned", "limit.pinned", EVENT_OPERATOR, false,
     "An operator has set such a number.", "scope, subject, of, limit, count"},
    {"limit_forgotten", "limit.forgotten", EVENT_OPERATOR, false,
     "An operator has dropped what was learned.", ""},
    {"guard_narrow", "guard.narrow", EVENT_OPERATOR, true,
     "So much bounced or was called spam that only recipients who took mail before get any.", ""},
    {"guard_closed", "guard.closed", EVENT_OPERATOR, true,
     "So much of it that no mail leaves.", ""},
    {"guard_open", "guard.open", EVENT_OPERATOR, true,
     "The guard is open again, by itself or by hand.", ""},
    {"webhook_refused", "webhook.refused", EVENT_OPERATOR, false,
     "Somebody told events who could not prove to be the ESP; a bounded number a minute.", ""},
    {"webhook_confirmed", "webhook.confirmed", EVENT_OPERATOR, false,
     "An SNS topic's subscription was confirmed.", ""},
    {"webhook_noted", "webhook.noted", EVENT_OPERATOR, false,
     "SNS will tell no more, or could not be answered.", ""},
    {"alarm", "alarm.raised", EVENT_OPERATOR, true,
     "Something needs an operator.", "key, severity, advice"},
    {"alarm_over", "alarm.cleared", EVENT_OPERATOR, true,
     "It does not any more.", "key"},
};
/* clang-format on */
const size_t event_kind_count = TIDE_COUNT(event_kinds);
_Static_assert(TIDE_COUNT(event_kinds) <= 64, "one bit each");

const struct event_kind *event_of_journal(struct text event)
{
    for (size_t i = 0; i < event_kind_count; i++)
        if (text_eq(event, text_of(event_kinds[i].journal)))
            return &event_kinds[i];
    return NULL;
}

const struct event_kind *event_of_type(struct text type)
{
    for (size_t i = 0; i < event_kind_count; i++)
        if (text_eq(type, text_of(event_kinds[i].type)))
            return &event_kinds[i];
    return NULL;
}

event_set event_usual(void)
{
    event_set set = 0;
    for (size_t i = 0; i < event_kind_count; i++)
        if (event_kinds[i].usual)
            set |= event_bit(&event_kinds[i]);
    return set;
}

bool event_set_add(event_set *set, struct text type)
{
    type = text_trim(type);
    bool any = type.n > 0 && type.p[type.n - 1] == '*';
    struct text stem = text_cut(type, 0, any ? type.n - 1 : type.n), name;
    event_set found = 0;
    if (any && stem.n > 0 && stem.p[stem.n - 1] != '.')
        return false;
    for (size_t i = 0; i < event_kind_count; i++) {
        name = text_of(event_kinds[i].type);
        if (any ? text_starts(name, stem) : text_eq(name, stem))
            found |= event_bit(&event_kinds[i]);
    }
    *set |= found;
    return found != 0;
}

enum tide_err event_set_parse(struct text list, event_set *ret, struct tide_error *err)
{
    event_set set = 0;
    struct text type;
    if (text_trim(list).n == 0) {
        *ret = EVENT_ALL;
        return TIDE_OK;
    }
    while (text_split(&list, ',', &type))
        if (!event_set_add(&set, type))
            return tide_fail(err, TIDE_EINVAL, "there are no events of type \"" TEXT_FMT "\"",
                             (int)TIDE_MIN(type.n, (size_t)60), type.p ? type.p : "");
    *ret = set;
    return TIDE_OK;
}
