/* lists.h - the suppression lists that ESPs keep, as their APIs show and change them: read page by
 * page, looked up for one address, taken off.
 *
 * One file an ESP (lists_NAME.c); lists.c is the table of them. An ESP has one list, or several
 * (SendGrid: bounces, blocks, invalid emails, ...); `list` is a place in its table.
 *
 *     page(list, "") --answer--> read(): entries, next --> page(list, next) ... until next is ""
 *     find(list, address) --answer--> read()
 *     remove(list, address) --answer--> lists_removed()
 *     words(address) --answer--> read_words(): what was said, where entries do not tell
 *
 * Owns      nothing: requests and entries are in the caller's arena or point into the answer; a
 *           request's body is a buffer that the caller frees.
 * Threads   any. No clock, no I/O, no random numbers.
 * Errors    TIDE_ENOMEM of building; false of reading: it is not what the API answers.
 * Limits    an ESP's own page; LISTS_ANSWER_MAX bytes of one answer.
 */
#ifndef CORE_ESP_LISTS_H
#define CORE_ESP_LISTS_H

#include "core/esp/send.h"
#include "core/proto/json_write.h"

#define LISTS_ANSWER_MAX (16u << 20)

/* Why an address stands on a list. */
#define LISTED_KINDS(X)                                                             \
    X(BOUNCED, "bounced")           /* its provider refused, as the ESP takes it */ \
    X(BLOCKED, "blocked")           /* refused for the mail or its sender */        \
    X(INVALID, "invalid")           /* no such domain, not an address */            \
    X(COMPLAINED, "complained")     /* its owner called a mail spam */              \
    X(UNSUBSCRIBED, "unsubscribed") /* its owner wants no more */                   \
    X(MANUAL, "manual")             /* somebody put it there */

enum listed_kind {
#define LISTED_KIND(code, text) LISTED_##code,
    LISTED_KINDS(LISTED_KIND)
#undef LISTED_KIND
};

const char *listed_kind_name(enum listed_kind k);

struct list_entry {
    struct text address; /* as the ESP writes it */
    enum listed_kind kind;
    size_t list;       /* place in list_api.lists */
    struct text words; /* what was said; "" when the list does not tell */
    tide_wall_ms at;   /* since when; 0: not said */
};

struct list_page {
    struct list_entry *entries;
    size_t count;
    struct text next; /* for page(); "": that was the last */
};

struct list_account {
    struct text key;    /* of the API; not for those that want requests signed */
    struct text domain; /* Mailgun's */
    struct text prefix; /* of the paths, that base_url ends in: for links that come back */
};

struct list_request {
    const char *method;
    struct text path; /* with its query, sorted and escaped */
    struct send_header headers[SEND_HEADERS_MAX];
    size_t header_count;
    struct buf body;
};

struct esp_list {
    const char *name; /* the ESP's: "bounces" */
    bool drops;       /* mail to who stands there is not delivered */
};

struct list_api {
    const char *name, *title;
    bool signs_aws;
    int64_t call_every_ms; /* least time between two calls, by the ESP's rules */
    const struct esp_list *lists;
    size_t list_count;
    enum tide_err (*page)(const struct list_account *account,
                          size_t list,
                          struct text after,
                          struct arena *a,
                          struct list_request *ret,
                          struct tide_error *err);
    /* NULL: there is no such call, all pages are to be read */
    enum tide_err (*find)(const struct list_account *account,
                          size_t list,
                          struct text address,
                          struct arena *a,
                          struct list_request *ret,
                          struct tide_error *err);
    /* ret->next comes in as what page() was given. */
    bool (*read)(const struct json *doc,
                 const struct list_account *account,
                 size_t list,
                 struct arena *a,
                 struct list_page *ret);
    enum tide_err (*remove)(const struct list_account *account,
                            size_t list,
                            struct text address,
                            struct arena *a,
                            struct list_request *ret,
                            struct tide_error *err);
    /* False: a 2xx that says no all the same, and *ret_why. NULL: a 2xx is a yes. */
    bool (*removed)(const struct json *doc, struct text *ret_why);
    enum tide_err (*words)(const struct list_account *account,
                           struct text address,
                           struct arena *a,
                           struct list_request *ret,
                           struct tide_error *err); /* NULL: entries tell, or nobody does */
    struct text (*read_words)(const struct json *doc);
};

extern const struct list_api lists_sendgrid, lists_ses, lists_mailgun, lists_postmark, lists_resend,
    lists_sparkpost, lists_brevo;

const struct list_api *list_api_find(struct text name); /* NULL: it has no lists that are known */

/* What an answer means. */
enum list_said {
    LIST_DONE,
    LIST_ABSENT,  /* the address does not stand there (404) */
    LIST_LATER,   /* too fast, or down: the same again later */
    LIST_REFUSED, /* the key, the path, a rule of the ESP's: `why` */
};

enum list_said lists_said(int status, struct text body, struct buf *why);

/* For adapters: "/v3/%s" with an address in it escaped. */
void lists_escape(struct buf *b, struct text t);
TIDE_MUST_CHECK enum tide_err lists_path(struct arena *a,
                                         struct list_request *r,
                                         const char *method,
                                         struct buf *path,
                                         struct tide_error *err);
/* Path and query of "https://api.example/v3/..." or "/v3/...", without what base_url ends in:
 * whatever host a link names, only our own is asked. "": it is no such link. */
struct text lists_link(struct text url, const struct list_account *account);
/* Room for one more entry; NULL: no memory. */
struct list_entry *lists_add(struct arena *a, struct list_page *page, size_t most);
struct text lists_string(const struct json *object, const char *name); /* "" when there is none */

#endif
