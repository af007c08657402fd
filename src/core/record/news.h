/* news.h - what somebody tells later about a mail that has left: an ESP's webhook, a bounce mail, a
 * complaint. Read by core/esp (webhooks) and core/outcome (bounce.h), matched with an attempt by
 * the store, acted on by the gate.
 *
 * Nothing in it is believed before its origin is proven (signature, bounce address); any field may
 * be missing, and the same news may come twice or in any order.
 *
 * Owns      nothing: texts are borrowed from the arena or body that the news came in.
 * Threads   any.
 */
#ifndef CORE_RECORD_NEWS_H
#define CORE_RECORD_NEWS_H

#include "base/id.h"
#include "base/time.h"

#define NEWS_KINDS(X)                                                                        \
    X(OTHER, "other")           /* opened, clicked, processed: nothing follows from it */    \
    X(DELIVERED, "delivered")   /* the recipient's provider took it */                       \
    X(DEFERRED, "deferred")     /* refused for now; the ESP goes on trying */                \
    X(BOUNCED, "bounced")       /* the provider refused it for good, or time ran out */      \
    X(DROPPED, "dropped")       /* the ESP did not even try: its own list, its own limits */ \
    X(COMPLAINED, "complained") /* somebody called it spam */                                \
    X(UNSUBSCRIBED, "unsubscribed")                                                          \
    X(UNLISTED, "unlisted") /* taken off the ESP's list: what it dropped may be mailed again */

enum news_kind {
#define NEWS_KIND(code, text) NEWS_##code,
    NEWS_KINDS(NEWS_KIND)
#undef NEWS_KIND
};

const char *news_kind_name(enum news_kind k);

/* ESPs count by their own reading of a reply, whatever it means. */
enum news_count { NEWS_COUNT_UNSAID, NEWS_COUNT_HARD, NEWS_COUNT_SOFT };

struct mail_news {
    enum news_kind kind;
    struct text event;   /* the ESP's own word: "bounce", "Permanent/General", "failed" */
    struct text word;    /* the same in one vocabulary for all ESPs: "queued", "sent", "opened", ...
                          * (core/esp/events.h); "": not a webhook's */
    struct text source;  /* "webhook sendgrid", "dsn", "arf" */
    struct text account; /* whose webhook; "": not known */
    struct text key;     /* the same key is the same news; "": none given */
    bool own;            /* the account's own answer, told by the gate to itself: what became of
                          * the mail is known */
    bool unproven;       /* anybody could have written it: believed only where it names the mail
                          * that it is about */
    tide_wall_ms at;     /* when it happened, as they say; 0: not said */
    /* about which mail: the first that is known decides */
    tide_id attempt_id;     /* given back by the ESP, or from VERP; 0: not known */
    struct text message_id; /* of the mail that left, with its brackets */
    struct text esp_id;     /* the ESP's own id of the mail */
    struct text recipient;  /* as they write it */
    /* why */
    struct text reply;      /* the words of the provider or the ESP */
    int code;               /* of the reply; 0: not known */
    int status[3];          /* 0 0 0: not known */
    struct text remote_mta; /* who said it; "" */
    enum news_count count;  /* of a bounce: how the ESP counts it against its customer */
};

#endif
