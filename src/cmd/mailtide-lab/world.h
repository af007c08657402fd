/* world.h - what the small world is made of: one file, read once.
 *
 *   dns       names and their records, with faults
 *   providers mailbox providers: an SMTP server each, with limits, mailboxes and moods
 *   esps      ESPs: they take mail by SMTP and HTTP, and deliver it to the providers
 *   control   where scripts ask what happened
 *
 * Every key stands, with its meaning, in story.conf beside this file.
 *
 * Owns      everything it points to (world_free()).
 * Threads   any, read only once made.
 * Errors    "FILE:LINE: KEY: want ..., got ..." as in mailtide.conf (core/config/doc.h).
 */
#ifndef CMD_MAILTIDE_LAB_WORLD_H
#define CMD_MAILTIDE_LAB_WORLD_H

#include "base/arena.h"
#include "core/limit/window.h"
#include "core/proto/reply.h"

/* Where in a session a limit is looked at. */
enum lab_stage { LAB_CONNECT, LAB_MAIL, LAB_RCPT, LAB_DATA };

/* What one counter of a limit counts for. */
enum lab_scope {
    LAB_MAILBOX,
    LAB_SENDER,
    LAB_SENDER_DOMAIN,
    LAB_PAIR, /* sender and mailbox */
    LAB_IP,   /* that connects */
    LAB_HELO, /* name in EHLO: one ESP, whatever its addresses */
    LAB_ALL,
};

enum lab_counts { LAB_COUNT_ATTEMPTS, LAB_COUNT_ACCEPTED };

struct lab_limit {
    char *name; /* "mailbox-day" */
    enum lab_scope scope;
    enum lab_stage stage;
    enum lab_counts counts;
    int64_t count;
    struct window window;
    struct zone *zone; /* NULL: UTC */
    struct reply reply;
};

struct lab_provider {
    char *name, *title;
    char *listen;
    char *hostname;
    char **mx; /* "mx1.example" or ".example": the hosts of the lab's DNS that it stands for */
    size_t mx_count;
    char **mailboxes; /* "ann@example.org", "*@example.org" */
    size_t mailbox_count;
    char **full; /* of these, those that take no more */
    size_t full_count;
    char **complainers; /* of these, those that call every mail spam */
    size_t complainer_count;
    struct reply unknown_reply, full_reply, greylist_reply, down_reply, connections_reply;
    int64_t greylist_ms; /* 0: none */
    int connections_max;
    int messages_per_connection; /* 0: no bound */
    tide_wall_ms down_from, down_to;
    struct lab_limit *limits;
    size_t limit_count;
};

struct lab_esp {
    char *name, *title;
    char *smtp_listen, *http_listen;
    char *hostname;
    char *api; /* which ESP it plays: "sendgrid"; "plain" for an API of the lab's own */
    bool tls;  /* HTTPS, with the world's certificate */
    char *user, *password;
    int connections; /* to one provider */
    int64_t retry_every_ms, retry_for_ms;
    char *webhook; /* "http://127.0.0.1:PORT/PATH"; NULL: none */
    char *webhook_key, *webhook_topic;
    int64_t webhook_delay_ms, api_every_ms;
    bool webhook_reversed, webhook_twice;
    bool webhook_confirm; /* SNS: nothing is told before the subscription was confirmed */
    int webhook_lose;
    char **faults; /* "limited 3" */
    size_t fault_count;
    struct lab_limit *limits;
    size_t limit_count;
};

struct world {
    char *dns_listen;
    char **records;
    size_t record_count;
    int64_t dns_ttl_ms;
    char *control_listen;
    char *tls_folder; /* where the lab's authority writes its files; NULL: no TLS */
    struct lab_provider *providers;
    size_t provider_count;
    struct lab_esp *esps;
    size_t esp_count;
    struct arena memory;
};

TIDE_MUST_CHECK enum tide_err world_load(const char *path,
                                         struct world **ret,
                                         struct tide_error *err);
/* The same from text; `file` is for error texts. */
TIDE_MUST_CHECK enum tide_err world_parse(const char *file,
                                          struct text content,
                                          struct world **ret,
                                          struct tide_error *err);
void world_free(struct world *w);

const char *lab_scope_name(enum lab_scope s);
const char *lab_stage_name(enum lab_stage s);

/* The provider that a host of the lab's DNS belongs to, -1: none. */
int world_provider_of(const struct world *w, struct text host);

/* "550 5.1.1 text", as an SMTP server says it. */
TIDE_MUST_CHECK enum tide_err world_reply(const char *s, struct reply *ret, struct tide_error *err);

#endif
