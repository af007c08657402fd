/* quota.h - what an ESP says of the account itself: how much it may send, how much it has sent, and
 * whether it may send at all.
 *
 * Two ways: an API that tells it (Amazon SES' GetAccount), asked now and then; and the rate headers
 * that answers to mails carry:
 *
 *   X-RateLimit-Limit, -Remaining, -Reset         SendGrid and others; the reset as an instant
 *   RateLimit-Limit, -Remaining, -Reset           Resend; the reset in seconds
 *   X-Sib-RateLimit-Limit, -Remaining, -Reset     Brevo; the reset in milliseconds or seconds
 *
 * Owns      nothing: texts are in the caller's arena or borrowed from the answer.
 * Threads   any. No clock, no I/O.
 * Errors    false: it is not what the API answers.
 */
#ifndef CORE_ESP_QUOTA_H
#define CORE_ESP_QUOTA_H

#include "core/esp/send.h"

/* Of the account; what is not said is -1, "" or false. */
struct quota_account {
    int64_t day_max, day_sent; /* rolling 24 hours; QUOTA_UNLIMITED: no bound */
    int64_t rate_max;          /* mails a second, rounded down, 1 at least */
    bool sandbox, sending_off; /* only verified recipients; switched off */
    struct text enforcement;   /* "HEALTHY", "PROBATION", "SHUTDOWN" */
};

#define QUOTA_UNLIMITED 999999999

struct quota_api {
    const char *name;
    bool signs_aws;
    const char *path; /* GET, behind base_url */
    bool (*read)(const struct json *doc, struct arena *a, struct quota_account *ret);
};

const struct quota_api *quota_api_find(struct text name); /* NULL: it tells nothing of itself */

/* What an answer's headers say of the window that the request fell in. */
struct quota_headers {
    int64_t limit, remaining; /* -1: not said */
    int64_t reset_ms;         /* until it starts anew; 0: not said */
};

void quota_headers_read(const struct send_answer *answer, struct quota_headers *ret);

/* How long the window is, told from its first answer: a second, a minute, an hour or a day; 0: this
 * was not the first. */
int64_t quota_window_ms(const struct quota_headers *h);

#endif
