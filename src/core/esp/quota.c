#include "core/esp/quota.h"

#include "base/macros.h"

#include <math.h>

/* -- Amazon SES, API v2: GetAccount ------------------------------------------------------------ */

static int64_t number_of(const struct json *object, const char *name)
{
    double x;
    if (!json_number(json_member(object, name), &x) || !isfinite(x) || x < -1)
        return -1;
    return x > QUOTA_UNLIMITED ? QUOTA_UNLIMITED : (int64_t)x;
}

static bool read_ses(const struct json *doc, struct arena *a, struct quota_account *ret)
{
    const struct json *quota = json_member(doc, "SendQuota");
    bool yes;
    if (!quota)
        return false;
    double day = 0;
    (void)json_number(json_member(quota, "Max24HourSend"), &day);
    *ret = (struct quota_account){
        .day_max = day < 0 ? QUOTA_UNLIMITED : number_of(quota, "Max24HourSend"),
        .day_sent = number_of(quota, "SentLast24Hours"),
        .rate_max = number_of(quota, "MaxSendRate"),
        .enforcement = arena_text(a, json_string_text(json_member(doc, "EnforcementStatus"))),
    };
    if (ret->rate_max >= 0)
        ret->rate_max = TIDE_MAX(ret->rate_max, 1);
    ret->sandbox = json_bool(json_member(doc, "ProductionAccessEnabled"), &yes) && !yes;
    ret->sending_off = json_bool(json_member(doc, "SendingEnabled"), &yes) && !yes;
    return true;
}

static const struct quota_api apis[] = {
    {"ses", true, "/v2/email/account", read_ses},
};

const struct quota_api *quota_api_find(struct text name)
{
    for (size_t i = 0; i < TIDE_COUNT(apis); i++)
        if (text_eq(name, text_of(apis[i].name)))
            return &apis[i];
    return NULL;
}

/* -- Headers ----------------------------------------------------------------------------------- */

static int64_t header_number(const struct send_answer *answer, const char *name)
{
    int64_t n;
    struct text value = text_trim(answer->header(answer->arg, name));
    value = text_cut(value, 0, text_find(value, ',')); /* "5, 5;w=1": of several the first */
    value = text_trim(text_cut(value, 0, text_find(value, ';')));
    value = text_cut(value, 0, text_find(value, '.'));
    return value.n && text_int(value, 0, INT64_MAX / 1000, &n, NULL) == TIDE_OK ? n : -1;
}

void quota_headers_read(const struct send_answer *answer, struct quota_headers *ret)
{
    static const char *const names[][3] = {
        {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"},
        {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"},
        {"X-Sib-RateLimit-Limit", "X-Sib-RateLimit-Remaining", "X-Sib-RateLimit-Reset"},
    };
    *ret = (struct quota_headers){.limit = -1, .remaining = -1};
    for (size_t i = 0; i < TIDE_COUNT(names) && ret->limit < 0; i++) {
        ret->limit = header_number(answer, names[i][0]);
        ret->remaining = header_number(answer, names[i][1]);
        ret->reset_ms = send_wait_of(header_number(answer, names[i][2]), answer->now);
    }
    if (ret->limit == 0) /* nobody sells none: another meaning */
        *ret = (struct quota_headers){.limit = -1, .remaining = -1};
}

int64_t quota_window_ms(const struct quota_headers *h)
{
    static const int64_t spans[] = {TIME_SECOND_MS, TIME_MINUTE_MS, TIME_HOUR_MS, TIME_DAY_MS};
    if (h->limit < 1 || h->remaining != h->limit - 1 || h->reset_ms <= 0)
        return 0;
    for (size_t i = 0; i < TIDE_COUNT(spans); i++)
        if (h->reset_ms <= spans[i])
            return spans[i];
    return 0;
}
