#include "core/outcome/bounce_signs.h"

#include "base/macros.h"
#include "core/outcome/bounce_words.h"

#define HAS(t, list) text_ihas((t), (list), TIDE_COUNT(list))

/* RFC 3834 5 and the habits before it. */
bool bounce_is_autoreply(const struct bounce_reading *r, struct text subject)
{
    struct text submitted = message_raw_value(&r->mail, TEXT("Auto-Submitted"), r->arena);
    struct text precedence = message_raw_value(&r->mail, TEXT("Precedence"), r->arena);
    if (text_istarts(submitted, TEXT("auto-replied")))
        return true;
    if (text_istarts(precedence, TEXT("auto_reply")) ||
        text_istarts(precedence, TEXT("auto-reply")))
        return true;
    if (message_has(&r->mail, TEXT("X-Autoreply")) ||
        message_has(&r->mail, TEXT("X-Autorespond")) ||
        message_has(&r->mail, TEXT("X-Autoresponder")) ||
        message_has(&r->mail, TEXT("X-Auto-Response-From")) ||
        message_has(&r->mail, TEXT("X-Mail-Autoreply")))
        return true;
    return bounce_subject_is_away(subject);
}

bool bounce_null_path(const struct bounce_reading *r)
{
    struct text path = message_raw_value(&r->mail, TEXT("Return-Path"), r->arena);
    return text_eq(text_trim(path), TEXT("<>")) || text_istarts(path, TEXT("<MAILER-DAEMON"));
}

bool bounce_from_system(const struct bounce_reading *r, const struct bounce *b)
{
    if (bounce_null_path(r))
        return true;
    if (message_has(&r->mail, TEXT("X-Failed-Recipients")) ||
        message_has(&r->mail, TEXT("X-MLServer")))
        return true;
    enum bounce_sender sender = bounce_sender_of(b->from);
    return sender == SENDER_DAEMON ||
           (sender == SENDER_OFFICE && bounce_subject_of(b->subject) == SUBJECT_REPORT);
}

/* Its outermost type names a delivery report, even where none is in it. */
static bool called_report(const struct bounce_reading *r)
{
    struct text type = message_raw_value(&r->mail, TEXT("Content-Type"), r->arena);
    return text_istarts(type, TEXT("multipart/report")) &&
           text_ifind(type, TEXT("delivery-status")) < type.n;
}

/* Do the rules for replies know its words as what is wrong with a recipient or a domain? */
static bool tells_fault(const struct bounce_reading *r, const struct notice *n)
{
    struct reply_said said = {.stage = -1};
    struct meaning m;
    reply_said_of(n->said, &said);
    meaning_of(r->rules, &said, &m);
    return m.basis == BASIS_TEXT &&
           (m.class == CLASS_RECIPIENT || m.class == CLASS_DOMAIN || m.class == CLASS_DISABLED ||
            m.class == CLASS_FULL || m.class == CLASS_MOVED);
}

int bounce_signs(const struct bounce_reading *r, const struct bounce *b, const struct notice *n)
{
    bool system = bounce_from_system(r, b);
    int signs = (system ? 1 : 0) + (bounce_subject_of(b->subject) != SUBJECT_OTHER ? 1 : 0);
    signs += n->tone != NOTICE_PLAIN ? 1 : 0;
    if (r->parts.has_status || message_has(&r->mail, TEXT("X-Failed-Recipients")))
        signs += 2;
    if (system && (r->parts.has_original || n->rest.n > 0))
        signs++;
    if (system && !r->parts.has_status && called_report(r))
        signs++;
    /* No person writes as the daemon of a mail system, and the rules know what it says. */
    if (signs < 3 && bounce_sender_of(b->from) == SENDER_DAEMON && tells_fault(r, n))
        signs += n->tone != NOTICE_PLAIN ? 1 : 2;
    return signs;
}

/* People write about mail that failed, shops about parcels, machines about builds. What no mail
 * system seems to have written counts only when its subject speaks of mail or it returns one, and
 * when it names a recipient as a report does: surely, and where a person seems to have written it
 * in a list, not in a sentence, and not in an answer. */
bool bounce_listed(const struct bounce_reading *r, const struct notice *n, const struct bounce *b)
{
    static const char *const robots[] = {"no-reply",   "noreply", "no_reply",
                                         "donotreply", "system",  "automat"};
    static const char *const answers[] = {"re:", "fw:", "fwd:", "aw:", "wg:", "tr:", "rv:", "["};
    bool robot = HAS(b->from, robots) || message_has(&r->mail, TEXT("Auto-Submitted"));
    if (bounce_subject_of(b->subject) != SUBJECT_REPORT && !r->parts.has_original && n->rest.n == 0)
        return false;
    for (size_t i = 0; i < TIDE_COUNT(answers); i++)
        if (text_istarts(b->subject, text_of(answers[i])))
            return false;
    for (size_t i = 0; i < n->recipient_count; i++)
        if (n->recipients[i].weight >= 5 && (robot || n->recipients[i].begins))
            return true;
    return false;
}

bool bounce_is_old_complaint(const struct bounce_reading *r, const struct bounce *b)
{
    static const char *const words[] = {"complaint about", "spam report", "abuse report",
                                        "feedback loop"};
    static const char field[] = "X-HmXmrOriginalRecipient"; /* Hotmail's junk mail reports */
    if (message_has(&r->mail, text_of(field)))
        return true;
    return r->parts.has_original &&
           (message_has(&r->parts.original, text_of(field)) || HAS(b->subject, words));
}
