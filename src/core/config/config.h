/* config.h - what the operator decided: the whole configuration as plain structs.
 *
 * Each key is one row of the table in keys.c (name, type, unit, default, range, help), from which
 * the parser, the commented default file and the man page come.
 *
 * Owns      everything it points to (config_free()).
 * Threads   any, read only once made. Parsing reads no clock; secrets that name a file or an
 *           environment variable are resolved by the caller's struct config_source.
 * Errors    "FILE:LINE: KEY: want ..., got ...; did you mean KEY?"
 */
#ifndef CORE_CONFIG_CONFIG_H
#define CORE_CONFIG_CONFIG_H

#include "base/buf.h"
#include "core/address/domain.h"
#include "core/config/profile.h"
#include "core/record/event.h"

/* A value that is never printed, logged or shown. */
struct secret {
    char *value; /* NULL: not set */
};

struct config_tls {
    char *certificate_file, *key_file; /* NULL: no TLS offered */
};

struct config_smtp {
    char **listen; /* "127.0.0.1:2525", "[::1]:2525", "unix:/run/mailtide/smtp.sock"; port 0: any */
    size_t listen_count;
    char **tls_listen; /* with TLS from the first byte on */
    size_t tls_listen_count;
    char *hostname; /* in the greeting; NULL: the machine's name */
    struct config_tls tls;
    bool auth_without_tls; /* allowed on loopback and Unix sockets only, unless set */
    int64_t message_bytes_max;
    int recipients_max;          /* per message */
    int connections_max;         /* in all */
    int connections_per_ip_max;  /* loopback included */
    int errors_max;              /* per connection, then 421 */
    int messages_per_connection; /* then 421 */
    int64_t command_timeout_ms;  /* RFC 5321 4.5.3.2.7: 5 minutes */
    int64_t data_timeout_ms;     /* between two pieces of DATA */
    int64_t session_max_ms;
    bool refuse_early; /* a single-recipient session is told at RCPT that an address is dead */
};

struct config_http {
    char **listen; /* in the clear; with a certificate and no tls_listen: TLS, but Unix sockets */
    size_t listen_count;
    char **tls_listen;
    size_t tls_listen_count;
    struct config_tls tls;
    int64_t body_bytes_max;
    int batch_max; /* notifications in one request */
    int connections_max;
    int connections_per_ip_max;
    int64_t idle_timeout_ms;
};

struct config_status {
    char *socket; /* path */
    int mode;     /* 0660 */
    char *group;  /* NULL: the daemon's own */
    char **
        operators; /* user names that may operate (release, cancel), beside root and the daemon's */
    size_t operator_count;
};

struct config_dns {
    char **servers; /* "127.0.0.1:5300"; "system": those of /etc/resolv.conf */
    size_t server_count;
    int64_t timeout_ms; /* of one try */
    int tries;          /* over all servers */
    int cache_entries_max;
    int64_t ttl_max_ms, negative_ttl_max_ms;
    bool private_addresses; /* mail hosts off the Internet count as hosts: intranets, the lab */
    int64_t stale_max_ms;   /* RFC 8767: answers that are that old may serve when DNS fails */
};

struct config_store {
    char *path;             /* the SQLite file; NULL: state_dir/mailtide.db */
    int64_t keep_ms;        /* finished notifications and their journal */
    int64_t size_bytes_max; /* pruned down to, oldest finished first; 0: no bound */
    int64_t free_bytes_min; /* intake stops (452, 503) when the disk has less */
};

enum on_deadline { DEADLINE_SEND, DEADLINE_DROP };
enum on_unknown { UNKNOWN_SEND, UNKNOWN_HOLD };
enum on_risky { RISKY_SEND, RISKY_HOLD };
enum on_suppressed { SUPPRESSED_REFUSE, SUPPRESSED_TRY, SUPPRESSED_ALWAYS };

enum on_sender { SENDER_WARN, SENDER_HOLD_BULK };

struct config_sender_checks {
    int64_t every_ms; /* 0: never */
    enum on_sender on_failure, on_first_failure;
    bool block_lists;
};

struct config_stream {
    char *name;
    int priority;        /* 0 is the most urgent .. 9 */
    bool urgent;         /* may use the reserve, never waits for a digest */
    bool digest;         /* may be put into one */
    bool bulk;           /* held while its sender does not pass, wants one-click unsubscribe */
    int64_t deadline_ms; /* after acceptance; 0: none */
    enum on_deadline on_deadline;
    int weight;                 /* of a minute that one of it waits, against the other streams */
    int64_t hold_ms_max;        /* a digest is not held longer while there is room; 0: no bound */
    enum on_unknown on_unknown; /* domain could not be verified yet */
    enum on_risky on_risky;     /* it takes mail, but hardly for whom it is meant */
    enum on_suppressed on_suppressed;
    char **risky; /* names of hints that make a recipient risky too */
    size_t risky_count;
    unsigned risky_hints; /* the same, of enum recipient_hint */
};

enum account_type { ACCOUNT_OUTBOX, ACCOUNT_SMTP, ACCOUNT_HTTPS };
enum tls_mode { TLS_NONE, TLS_OPPORTUNISTIC, TLS_REQUIRED, TLS_IMPLICIT };
enum auth_mech { AUTH_NONE, AUTH_PLAIN, AUTH_LOGIN, AUTH_XOAUTH2, AUTH_ANY };

struct config_account {
    char *name;
    enum account_type type;
    const struct profile *profile; /* schedules/accounts/; NULL: none */
    char *path;                    /* outbox: Maildir */
    char *host;                    /* smtp */
    int port;
    enum tls_mode tls;
    bool tls_verify;
    char *tls_ca_file; /* NULL: the system's */
    enum auth_mech auth;
    char *user;
    struct secret password; /* or the OAuth token */
    char **selectors;       /* of DKIM, for checks of senders; none: the profile's */
    size_t selector_count;
    char **ips; /* that mail leaves from, where they are one's own */
    size_t ip_count;
    char
        *mail_from; /* domain of the envelope sender, for the same checks; see config_mail_from() */
    char *helo;     /* NULL: the machine's name */
    char *api;      /* https: whose; its base_url, where it is asked */
    char *base_url;
    struct secret key;    /* of the API; with a key_id the secret that requests are signed with */
    char *key_id;         /* NULL: none (SES: the access key's id) */
    char *region;         /* NULL: none; stands for "{region}" in the profile's base_url */
    char *domain;         /* NULL: that of each mail's From (Mailgun) */
    char *message_stream; /* Postmark's; NULL: "outbound" */
    char *ip_pool;        /* names the sending IPs for ip limits; NULL: the account's name */
    int connections;      /* at most; 0: the profile's, else 4 */
    int messages_per_connection;
    int batch_max; /* https: mails in one request, where the API takes several; 1: one each */
    int64_t connect_timeout_ms, command_timeout_ms, dot_timeout_ms; /* RFC 5321 4.5.3.2 */
    int64_t backoff_min_ms, backoff_max_ms;
    /* What this account's ESP tells at /v1/events/NAME, and by what it proves to be the ESP. */
    char *events;               /* whose form it has; NULL: nobody may tell anything */
    char *esp;                  /* smtp: whose smarthost it is, as in events; NULL: not known */
    struct secret events_key;   /* that its signatures are checked with */
    struct secret events_login; /* "USER:PASSWORD" of Basic authentication */
    struct secret events_token; /* of bearer authentication; of all three several, by lines */
    char **events_topics;       /* ARNs of the SNS topics that may tell */
    size_t events_topic_count;
    char *events_certificate; /* PEM file that SNS's signatures are checked with; NULL: fetched */
    char *events_sns;         /* asked in place of SNS's hosts; NULL: those */
    char *events_url; /* as the ESP was told it, where that is signed too; NULL: as asked for */
    bool events_open; /* nothing is proven: for private networks */
    bool verp;        /* smtp: the envelope sender is an address of bounce.domain */
    int64_t quota_every_ms; /* its quota is read so often; 0: never */
    int64_t lists_every_ms; /* the ESP's own lists are read so often; 0: never */
    /* An attempt of unknown fate waits so long for news, then is retried. */
    int64_t unknown_wait_ms;
    /* "PROFILE/LIMIT", or "ACCOUNT/LIMIT" without a profile: in place of the profile's of the same
     * name, beside the others */
    struct limit *limits;
    size_t limit_count;
};

#define WEBHOOK_SECRETS_MAX 4

/* Where an application is told of events (io/feed). */
struct config_webhook {
    char *url;            /* NULL: nowhere */
    struct secret secret; /* "whsec_" and base64; several, by blanks: each signs */
    char **types;
    size_t type_count;
    event_set kinds; /* the same; none named: the usual ones */
    int connections;
    int64_t timeout_ms;
    char *tls_ca_file; /* NULL: the system's */
};

struct config_application {
    char *name;
    struct secret key;    /* HTTP bearer; not set: none may use HTTP */
    char *ses_access_key; /* whose requests in SES's form are signed with ses_secret */
    struct secret ses_secret;
    char *smtp_user;
    struct secret smtp_password;
    bool anonymous;        /* taken for clients that do not authenticate (loopback, Unix socket) */
    char **sender_domains; /* "example.com", ".example.com" for all below, "*" for any */
    size_t sender_domain_count;
    int stream;    /* default, index into streams */
    int *accounts; /* indices, in order of preference: the next takes over when one fails or is full
                    */
    size_t account_count;
    int64_t intake_per_minute_max; /* 0: no bound */
    struct config_webhook webhook;
    bool alarms; /* it may learn of what concerns operators */
};

struct config_planner {
    int reserve;         /* of a recipient's limit, kept for urgent streams */
    int64_t margin_ms;   /* around a reset, for clock differences and mail in flight */
    int64_t spread_ms;   /* releases after a reset are spread over this */
    char *policy;        /* "quiet" or "even": core/plan/policy.h */
    double direct_share; /* send at once while more than this of the limit is free: 0.5 */
};

struct config_guards {
    bool enabled;
    bool urgent;       /* urgent streams go while a guard is narrow */
    int64_t memory_ms; /* mails count half after it */
    int64_t rest_ms;   /* of a closed one */
};

struct config_digest {
    char *templates_dir; /* NULL: the built-in ones */
    int items_max;       /* shown; the rest is counted */
    char *format;        /* "html" (text and html) or "mime" (RFC 2046 multipart/digest) */
};

/* Mail that comes back. */
struct config_bounce {
    char *domain;     /* of the addresses made for each attempt; NULL: none are made */
    char **addresses; /* others whose mail is read the same way */
    size_t address_count;
    struct secret key; /* that the made addresses are proven with; not set: one of state_dir's */
};

struct config_suppression {
    char **never; /* domains and addresses that nothing stops by itself */
    size_t never_count;
};

struct config {
    char *state_dir;
    char *log_level;
    char **
        schedules; /* folders, later ones override; each holds providers/, accounts/ and replies/ */
    size_t schedule_count;
    struct config_smtp smtp;
    struct config_http http;
    struct config_status status;
    struct config_dns dns;
    struct config_store store;
    struct config_planner planner;
    struct config_guards guards;
    struct config_digest digest;
    struct config_bounce bounce;
    struct config_sender_checks sender_checks;
    struct config_suppression suppression;
    struct config_stream *streams;
    size_t stream_count;
    struct config_account *accounts;
    size_t account_count;
    struct config_application *applications;
    size_t application_count;
    struct limit *provider_limits; /* operator's own, name "PROVIDER/LIMIT": replace or add */
    size_t provider_limit_count;
    struct profiles profiles;
};

/* How parsing reaches the world (src/io/loop/files.c does it for real). */
struct config_source {
    void *arg;
    /* Whole text of a file, appended to *ret. */
    enum tide_err (*read)(void *arg, const char *path, struct buf *ret, struct tide_error *err);
    /* Calls `each` for every "*.conf" in a folder, in order of name. */
    enum tide_err (*list)(void *arg,
                          const char *dir,
                          enum tide_err (*each)(void *each_arg,
                                                const char *path,
                                                struct tide_error *err),
                          void *each_arg,
                          struct tide_error *err);
    const char *(*env)(void *arg, const char *name); /* NULL: not set */
};

/* path NULL: the embedded defaults alone: a mailtide for a laptop, in the current folder. Beside
 * the file every "*.conf" of the folder conf.d is read, in order of name; a later value replaces an
 * earlier one. Whoever writes one of the groups streams, accounts or applications replaces the
 * built-in ones of that group. Profiles come from the folders of the key schedules, else from
 * $MAILTIDE_SCHEDULES, else from ./schedules, else from where mailtide was installed.
 * source NULL: no file, no environment, no profiles. *ret only on success. */
TIDE_MUST_CHECK enum tide_err config_load(const char *path,
                                          const struct config_source *source,
                                          struct config **ret,
                                          struct tide_error *err);
void config_free(struct config *c);

/* The commented default file: each key with its help, unit, range and default. Reading it back is
 * the same as reading nothing. */
void config_print_default(struct buf *ret);

/* What differs from the defaults, in the same syntax; secrets as "(set)". */
void config_print(const struct config *c, struct buf *ret);

int config_stream_index(const struct config *c, struct text name); /* -1: unknown */
int config_account_index(const struct config *c, struct text name);
const struct config_application *config_application(const struct config *c, struct text name);
const struct config_application *config_application_of_key(const struct config *c, struct text key);

/* The domain of the envelope senders (MAIL FROM, Return-Path) that the account puts on mail of the
 * domain `from`: its mail_from, with that domain in place of "{domain}"; that of our own bounce
 * addresses, where it takes them; else *ret is `from` itself. */
TIDE_MUST_CHECK enum tide_err config_mail_from(const struct config *c,
                                               const struct config_account *a,
                                               struct text from,
                                               struct domain *ret,
                                               struct tide_error *err);
bool config_may_send_as(const struct config_application *a, struct text domain);
bool config_is_sender(const char *const *patterns, size_t count, struct text domain);

#endif
