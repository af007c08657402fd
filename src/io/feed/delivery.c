#include "io/feed/delivery.h"

#include "base/macros.h"
#include "core/proto/webhook_sign.h"
#include "io/crypto/sigv4_hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_BYTES 512 /* of what an endpoint says, for people */

struct delivery *delivery_new(const struct webhook_letter *letter, bool is_letter)
{
    struct delivery *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    list_init(&d->hook);
    d->is_letter = is_letter;
    d->letter = *letter;
    struct text *const texts[] = {&d->letter.application, &d->letter.event_id, &d->letter.type,
                                  &d->letter.error, &d->letter.body};
    for (size_t i = 0; i < TIDE_COUNT(texts); i++) {
        size_t n = texts[i]->n;
        *texts[i] = arena_text(&d->arena, *texts[i]);
        if (n > 0 && !texts[i]->p) {
            delivery_free(d);
            return NULL;
        }
    }
    return d;
}

void delivery_free(struct delivery *d)
{
    list_remove(&d->hook);
    fetch_fini(&d->fetch);
    buf_fini(&d->signature);
    arena_fini(&d->arena);
    free(d);
}

/* Svix' schedule, which receivers know. */
tide_wall_ms delivery_next_at(int tries, int64_t wait_ms, tide_wall_ms now)
{
    static const int64_t after_ms[] = {
        5 * TIME_SECOND_MS, 5 * TIME_MINUTE_MS, 30 * TIME_MINUTE_MS, 2 * TIME_HOUR_MS,
        5 * TIME_HOUR_MS,   10 * TIME_HOUR_MS,  10 * TIME_HOUR_MS,
    };
    if (tries < 1)
        return now;
    if ((size_t)tries > TIDE_COUNT(after_ms))
        return 0;
    return now + TIDE_MAX(after_ms[tries - 1], TIDE_MIN(wait_ms, 10 * TIME_HOUR_MS));
}

/* "status 500: words of the answer", on one line. */
static void tell_status(struct delivery *d)
{
    char line[160];
    struct text answer = text_trim(buf_text(&d->fetch.answer));
    int n = snprintf(line, sizeof line, "status %d%s%.*s", d->fetch.status, answer.n ? ": " : "",
                     (int)TIDE_MIN(answer.n, (size_t)100), answer.n ? answer.p : "");
    for (int i = 0; i < n && i < (int)sizeof line - 1; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' ';
    if (!text_is_utf8(text_of(line))) /* a cut may have split a character */
        snprintf(line, sizeof line, "status %d", d->fetch.status);
    d->letter.error = text_of(arena_strdup(&d->arena, line));
}

static void on_fetched(struct fetch *f)
{
    struct delivery *d = f->arg;
    int64_t seconds;
    d->state = DELIVERY_ENDED;
    d->taken = f->fate == FETCH_ANSWERED && f->status >= 200 && f->status < 300;
    d->gone = f->fate == FETCH_ANSWERED && f->status == 410;
    if (f->fate != FETCH_ANSWERED)
        d->letter.error = text_of(arena_strdup(&d->arena, f->error));
    else if (!d->taken)
        tell_status(d);
    struct text wait = fetch_answer_header(f, "Retry-After");
    if (wait.p && text_int(text_trim(wait), 0, 86400, &seconds, NULL) == TIDE_OK)
        d->wait_ms = seconds * TIME_SECOND_MS;
    d->done(d);
}

bool delivery_start(struct delivery *d,
                    struct fetcher *fetcher,
                    struct text path,
                    struct text secrets,
                    tide_wall_ms now)
{
    struct tide_error err;
    int64_t seconds = now / TIME_SECOND_MS;
    buf_clear(&d->signature);
    if (webhook_sign(&sigv4_hash_openssl, secrets, d->letter.event_id, seconds, d->letter.body,
                     &d->signature, &err) != TIDE_OK)
        return false;
    snprintf(d->stamp, sizeof d->stamp, "%" PRId64, seconds);
    const struct fetch_header headers[DELIVERY_HEADERS] = {
        {"Content-Type", TEXT("application/json")},
        {"User-Agent", TEXT("mailtide/" MAILTIDE_VERSION)},
        {"webhook-id", d->letter.event_id},
        {"webhook-timestamp", text_of(d->stamp)},
        {"webhook-signature", buf_text(&d->signature)},
    };
    memcpy(d->headers, headers, sizeof headers);
    d->fetch = (struct fetch){.path = path,
                              .body = d->letter.body,
                              .answer_max = ANSWER_BYTES,
                              .headers = d->headers,
                              .header_count = DELIVERY_HEADERS,
                              .done = on_fetched,
                              .arg = d};
    d->state = DELIVERY_FLYING;
    fetch_start(fetcher, &d->fetch);
    return true;
}
