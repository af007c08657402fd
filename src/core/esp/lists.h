/* lists.h - the suppression lists that ESPs keep, as their APIs show and change them: read page by
 * page, looked up for one address, taken off.
 *
 * One file an ESP (lists_NAME.c); lists.c is the table of them. An ESP has one list, or several
 * (SendGrid: bounces, blocks, invalid emails, ...); `list` is a place in its table.
 *
 *     FIRST --answer--> lists_read_page(): entries, next --> NEXT (about next) ... until next is ""
 *     FIND (about an address) --answer--> lists_read_page()
 *     REMOVE (about an address) --answer--> removed(): was it really?
 *     WORDS (about an address) --answer--> read_words(): what was said, where entries do not tell
 *
 * What the ESPs' APIs share is in lists.c: the calls are patterns of paths, the key stands in one
 * header, entries in an array, pages follow in one of a few ways. What differs is in functions.
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
    struct text next; /* what LIST_ASK_NEXT is about; "": that was the last */
};

struct list_account {
    struct text key;    /* of the API; not for those that want requests signed */
    struct text place;  /* Mailgun's domain, Postmark's message stream */
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

/* What can be asked of an API. */
enum list_asking {
    LIST_ASK_FIRST,
    LIST_ASK_NEXT,
    LIST_ASK_FIND,
    LIST_ASK_REMOVE,
    LIST_ASK_WORDS,
    LIST_ASKINGS
};

/* In the path <list> and <place> are put in as they are, <about> escaped (an address, or what the
 * last page said of the next), <link> as it is. path NULL: there is no such call. */
struct list_call_form {
    const char *method, *path;
};

enum list_paging {
    LIST_WHOLE,     /* one page is all */
    LIST_BY_OFFSET, /* a page of page_max is not the last */
    LIST_BY_TOKEN,  /* next_of() */
    LIST_BY_LINK    /* next_of(), a URL; an empty page is the last, whatever it says */
};

struct list_api {
    const char *name, *title;
    bool signs_aws;
    int64_t call_every_ms; /* least time between two calls, by the ESP's rules */
    const struct esp_list *lists;
    size_t list_count;
    /* asking */
    const char *key_header; /* NULL: none */
    const char *key_scheme; /* "Bearer "; NULL: the key alone */
    const char *key_user;   /* the value is the base64 of "USER:KEY"; NULL: the key as it is */
    bool says_accept;       /* Accept: application/json */
    bool of_places;         /* a list is known by its place, not by a name of its own */
    struct list_call_form calls[LIST_ASKINGS];
    void (*remove_body)(struct text address, struct buf *ret); /* JSON; NULL: none */
    /* reading */
    enum list_paging paging;
    size_t page_max;     /* of LIST_BY_OFFSET */
    const char *entries; /* the member that is their array; NULL: the answer is it */
    bool may_lack_them;  /* an object without it is an empty page */
    const char *one;     /* an answer with this member is a single entry; NULL: there are none */
    bool one_is_whole;   /* the answer itself is the entry, not that member */
    /* Address, kind, words and time; `list` is filled in. False: it is no entry. */
    bool (*read_entry)(const struct json *v, struct list_entry *ret);
    struct text (*next_of)(const struct json *doc); /* "": that was the last */
    /* False: a 2xx that says no all the same, and *ret_why. NULL: a 2xx is a yes. */
    bool (*removed)(const struct json *doc, struct text *ret_why);
    struct text (*read_words)(const struct json *doc); /* of LIST_ASK_WORDS */
};

extern const struct list_api lists_sendgrid, lists_ses, lists_mailgun, lists_postmark, lists_resend,
    lists_sparkpost, lists_brevo;

const struct list_api *list_api_find(struct text name); /* NULL: it has no lists that are known */

bool lists_can(const struct list_api *api, enum list_asking what);
/* `about`: an address; for LIST_ASK_NEXT what the last page gave as its next. */
TIDE_MUST_CHECK enum tide_err lists_ask(const struct list_api *api,
                                        const struct list_account *account,
                                        enum list_asking what,
                                        size_t list,
                                        struct text about,
                                        struct arena *a,
                                        struct list_request *ret,
                                        struct tide_error *err);
/* ret->next comes in as what the page was asked with. */
bool lists_read_page(const struct list_api *api,
                     const struct list_account *account,
                     const struct json *doc,
                     size_t list,
                     struct arena *a,
                     struct list_page *ret);

/* What an answer means. */
enum list_said {
    LIST_DONE,
    LIST_ABSENT,  /* the address does not stand there (404) */
    LIST_LATER,   /* too fast, or down: the same again later */
    LIST_REFUSED, /* the key, the path, a rule of the ESP's: `why` */
};

enum list_said lists_said(int status, struct text body, struct buf *why);

/* For adapters: "" when there is none; 0 when it is not written as RFC 3339. */
struct text lists_string(const struct json *object, const char *name);
tide_wall_ms lists_time(const struct json *object, const char *name);

#endif
