#include "core/esp/send.h"

#include "base/macros.h"

#include <stdio.h>

static const struct send_api *const apis[] = {
    &send_sendgrid, &send_ses,       &send_mailgun, &send_postmark,
    &send_resend,   &send_sparkpost, &send_brevo,
};

static const struct {
    enum send_fate fate;
    bool account_fault;
    enum reply_stage stage;
    int code, enhanced[3];
} meanings[] = {
    [SEND_TAKEN] = {SEND_ACCEPTED, false, STAGE_DOT, 250, {2, 0, 0}},
    [SEND_MAIL] = {SEND_REFUSED, false, STAGE_DOT, 554, {5, 6, 0}},
    [SEND_SIZE] = {SEND_REFUSED, false, STAGE_DOT, 552, {5, 3, 4}},
    [SEND_SUPPRESSED] = {SEND_REFUSED, false, STAGE_RCPT, 550, {0, 0, 0}},
    [SEND_SENDER] = {SEND_REFUSED, false, STAGE_MAIL, 550, {5, 7, 1}},
    [SEND_KEY] = {SEND_REFUSED, true, STAGE_AUTH, 535, {5, 7, 8}},
    [SEND_UNPAID] = {SEND_REFUSED, true, STAGE_AUTH, 451, {4, 7, 0}},
    [SEND_LIMITED] = {SEND_REFUSED, true, STAGE_DOT, 451, {4, 7, 1}},
    [SEND_WRONG_PLACE] = {SEND_REFUSED, true, STAGE_CONNECT, 451, {4, 3, 5}},
    [SEND_NOT_WHOLE] = {SEND_NOT_SENT, true, STAGE_DATA, 451, {4, 4, 2}},
    [SEND_LOST] = {SEND_UNKNOWN, true, STAGE_DOT, 0, {0, 0, 0}},
    [SEND_DOWN] = {SEND_REFUSED, true, STAGE_DOT, 451, {4, 3, 0}},
};

const struct send_api *send_api_find(struct text name)
{
    for (size_t i = 0; i < TIDE_COUNT(apis); i++)
        if (text_eq(name, text_of(apis[i]->name)))
            return apis[i];
    return NULL;
}

const struct send_api *send_api_at(size_t i)
{
    return i < TIDE_COUNT(apis) ? apis[i] : NULL;
}

/* -- Building ----------------------------------------------------------------------------------*/

void send_add_header(struct send_request *r, const char *name, struct text value)
{
    r->headers[r->header_count++] = (struct send_header){name, value};
}

enum tide_err send_add_bearer(struct send_request *r,
                              struct text key,
                              struct arena *arena,
                              struct tide_error *err)
{
    char *value = arena_printf(arena, "Bearer " TEXT_FMT, TEXT_ARG(key));
    if (!value)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
    send_add_header(r, "Authorization", text_of(value));
    return TIDE_OK;
}

/* -- Reading -----------------------------------------------------------------------------------*/

static enum send_meaning by_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return SEND_KEY;
    case 402:
        return SEND_UNPAID;
    case 404:
    case 405:
        return SEND_WRONG_PLACE;
    case 408:
        return SEND_NOT_WHOLE;
    case 413:
        return SEND_SIZE;
    case 420: /* SparkPost's daily and monthly limits */
    case 429:
        return SEND_LIMITED;
    case 502:
    case 504:
        return SEND_LOST;
    default:
        return status >= 500   ? SEND_DOWN
               : status >= 400 ? SEND_MAIL
               : status >= 300 ? SEND_WRONG_PLACE
               : status >= 200 ? SEND_TAKEN
                               : SEND_LOST;
    }
}

static int64_t wait_until(tide_wall_ms at, tide_wall_ms now)
{
    int64_t wait = at - now;
    return wait <= 0 ? 0 : TIDE_MIN(wait, SEND_WAIT_MAX_MS);
}

int64_t send_wait_of(int64_t n, tide_wall_ms now)
{
    return wait_until(n >= 1000000000000 ? n : n >= 1000000000 ? n * 1000 : now + n * 1000, now);
}

/* "30", an HTTP date, or an instant in seconds or milliseconds: ESPs use all of these. */
static int64_t wait_of(struct text value, tide_wall_ms now)
{
    int64_t n;
    tide_wall_ms at;
    value = text_trim(value);
    value = text_cut(value, 0, text_find(value, '.')); /* "1.5": a bound is put on top anyway */
    if (text_int(value, 0, INT64_MAX / 1000, &n, NULL) == TIDE_OK)
        return send_wait_of(n, now);
    return time_parse_rfc5322(value, &at, NULL) == TIDE_OK ? wait_until(at, now) : 0;
}

static int64_t find_wait(const struct send_answer *answer)
{
    static const char *const names[] = {"Retry-After", "X-RateLimit-Reset", "RateLimit-Reset",
                                        "X-Sib-RateLimit-Reset"};
    for (size_t i = 0; i < TIDE_COUNT(names); i++) {
        struct text value = answer->header(answer->arg, names[i]);
        int64_t wait = value.p ? wait_of(value, answer->now) : 0;
        if (wait > 0)
            return wait;
    }
    return 0;
}

static void put_reply(const struct send_api *api,
                      const struct send_answer *answer,
                      const struct send_words *w,
                      struct send_said *ret)
{
    int code = meanings[w->meaning].code;
    const int *enhanced = meanings[w->meaning].enhanced;
    char status[24] = ""; /* of the whole batch it would be: this mail has a code of its own */
    if (answer->status >= 300)
        snprintf(status, sizeof status, " HTTP %d", answer->status);
    if (w->meaning == SEND_TAKEN)
        reply_set(&ret->reply, code, enhanced, "%s took it: id=" TEXT_FMT, api->title,
                  TEXT_ARG(w->id));
    else if (w->meaning == SEND_LOST && answer->status < 300)
        reply_set(&ret->reply, code, enhanced,
                  "%s: HTTP %d without what its API answers; the mail may be taken: " TEXT_FMT,
                  api->title, answer->status, TEXT_ARG(w->words));
    else
        reply_set(&ret->reply, code, enhanced, "%s:%s" TEXT_FMT TEXT_FMT "%s" TEXT_FMT, api->title,
                  status, TEXT_ARG(w->code.n > 0 ? TEXT(" ") : TEXT("")), TEXT_ARG(w->code),
                  status[0] || w->code.n > 0 ? ": " : " ",
                  TEXT_ARG(w->words.n > 0 ? w->words : TEXT("no words")));
}

void send_say(const struct send_api *api,
              const struct send_answer *answer,
              struct send_words *w,
              struct send_said *ret)
{
    if (w->meaning == SEND_TAKEN && w->id.n == 0)
        w->meaning = SEND_LOST;
    *ret = (struct send_said){.meaning = w->meaning,
                              .fate = meanings[w->meaning].fate,
                              .account_fault = meanings[w->meaning].account_fault,
                              .stage = meanings[w->meaning].stage};
    if (w->meaning == SEND_LIMITED || w->meaning == SEND_DOWN)
        ret->wait_ms = find_wait(answer);
    put_reply(api, answer, w, ret);
}

void send_read(const struct send_api *api, const struct send_answer *answer, struct send_said *ret)
{
    struct json *doc = NULL;
    struct text body = text_cut(answer->body, 0, SEND_ANSWER_MAX);
    struct send_words w = {.meaning = by_status(answer->status)};
    if (body.n > 0 && json_parse(body, SEND_ANSWER_MAX, &doc, NULL) != TIDE_OK)
        doc = NULL;
    api->read(answer, doc, &w);
    if (w.words.n == 0)
        w.words = text_trim(text_cut(body, 0, SEND_IDLE_WORDS));
    send_say(api, answer, &w, ret);
    json_free(doc);
}

void send_unfit(const struct send_api *api, const struct tide_error *why, struct send_said *ret)
{
    static const int enhanced[3] = {5, 6, 1}; /* RFC 3463: media not supported */
    *ret = (struct send_said){.meaning = SEND_MAIL, .fate = SEND_REFUSED, .stage = STAGE_DATA};
    reply_set(&ret->reply, 554, enhanced, "the API of %s cannot carry this mail: %s", api->title,
              why->text);
}
