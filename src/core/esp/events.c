#include "core/esp/events.h"

#include "base/base64.h"
#include "base/macros.h"
#include "core/esp/events_fields.h"

static const struct events_api *const apis[] = {
    &events_sendgrid,  &events_ses,    &events_mailgun,   &events_postmark,   &events_resend,
    &events_sparkpost, &events_brevo,  &events_mailjet,   &events_mailersend, &events_mailtrap,
    &events_mandrill,  &events_postal, &events_unisender,
};

const struct events_api *events_api_at(size_t i)
{
    return i < TIDE_COUNT(apis) ? apis[i] : NULL;
}

const struct events_api *events_api_find(struct text name)
{
    for (size_t i = 0; i < TIDE_COUNT(apis); i++)
        if (text_eq(name, text_of(apis[i]->name)))
            return apis[i];
    return NULL;
}

static const struct {
    const char *name;
    unsigned status;
} faults[] = {
    [EVENTS_FINE] = {"fine", 200},           [EVENTS_NO_PROOF] = {"no_proof", 401},
    [EVENTS_BAD_PROOF] = {"bad_proof", 403}, [EVENTS_STALE] = {"stale", 403},
    [EVENTS_UNPROVEN] = {"unproven", 403},   [EVENTS_BAD_BODY] = {"bad_body", 400},
    [EVENTS_TOO_MUCH] = {"too_much", 413},   [EVENTS_NO_MEMORY] = {"no_memory", 503},
};

const char *events_fault_name(enum events_fault f)
{
    return (size_t)f < TIDE_COUNT(faults) ? faults[f].name : "?";
}

unsigned events_fault_status(enum events_fault f)
{
    return (size_t)f < TIDE_COUNT(faults) ? faults[f].status : 500;
}

/* Takes the next of several secrets, each on a line of its own. */
static bool next_secret(struct text *rest, struct text *ret)
{
    while (text_split(rest, '\n', ret)) {
        *ret = text_trim(*ret);
        if (ret->n > 0)
            return true;
    }
    return false;
}

static bool is_one_of(struct text shown, struct text secrets)
{
    bool found = false;
    for (struct text one; next_secret(&secrets, &one);)
        found |= events_same(shown, one);
    return found;
}

static enum events_end check_login(const struct events_ask *ask,
                                   struct text given,
                                   struct events_batch *ret)
{
    struct buf pair = {0};
    bool right = text_istarts(given, TEXT("Basic ")) &&
                 base64_decode(text_trim(text_cut(given, 6, SIZE_MAX)), &pair, NULL) == TIDE_OK &&
                 is_one_of(buf_text(&pair), ask->secrets.login);
    buf_fini(&pair);
    return right
               ? EVENTS_READ
               : events_refuse(ret, EVENTS_BAD_PROOF, "The login is not the one in events_login.");
}

/* What has nothing to do with the ESP's own signature. */
static enum events_end check_credentials(const struct events_ask *ask, struct events_batch *ret)
{
    const struct events_secrets *s = &ask->secrets;
    struct text given = ask->header(ask->arg, "Authorization");
    struct text token = ask->header(ask->arg, EVENTS_TOKEN_HEADER);
    if (s->login.n == 0 && s->token.n == 0)
        return EVENTS_READ;
    if (!given.p && !token.p)
        return events_refuse(ret, EVENTS_NO_PROOF, "The request shows no login and no token.");
    if (s->login.n > 0 && (s->token.n == 0 || text_istarts(given, TEXT("Basic "))))
        return check_login(ask, given, ret);
    if (!token.p && text_istarts(given, TEXT("Bearer ")))
        token = text_cut(given, 7, SIZE_MAX);
    return is_one_of(text_trim(token), s->token)
               ? EVENTS_READ
               : events_refuse(ret, EVENTS_BAD_PROOF, "The token is not the one in events_token.");
}

/* With any of the keys. What the last one found stays. */
static enum events_end check_signature(const struct events_ask *ask,
                                       struct arena *a,
                                       struct events_batch *ret)
{
    enum events_end end = EVENTS_REFUSED;
    struct text keys = ask->secrets.key;
    for (struct text key; end == EVENTS_REFUSED && next_secret(&keys, &key);) {
        events_batch_fini(ret);
        *ret = (struct events_batch){0};
        end = ask->api->prove(ask, key, a, ret);
    }
    return end;
}

enum events_end events_read(const struct events_ask *ask, struct arena *a, struct events_batch *ret)
{
    const struct events_secrets *s = &ask->secrets;
    bool keyed = ask->api->signs && s->key.n > 0;
    /* SNS needs no secret: what it signs with is known, whose it is the topics say. */
    bool public = ask->api == &events_ses && s->topic_count > 0;
    *ret = (struct events_batch){0};
    if (ask->body.n > EVENTS_BYTES_MAX)
        return events_refuse(ret, EVENTS_TOO_MUCH, "The body is longer than %u bytes.",
                             EVENTS_BYTES_MAX);
    if (!keyed && !public && s->login.n == 0 && s->token.n == 0 && !s->open)
        return events_refuse(ret, EVENTS_UNPROVEN,
                             "Nothing is configured that %s could prove itself with.",
                             ask->api->title);
    enum events_end end = check_credentials(ask, ret);
    if (end == EVENTS_READ && (keyed || public))
        end = public ? ask->api->prove(ask, TEXT(""), a, ret) : check_signature(ask, a, ret);
    if (end == EVENTS_READ)
        end = ask->api->read(ask, a, ret);
    for (size_t i = 0; end == EVENTS_READ && i < ret->count; i++)
        events_make_key(&ret->news[i], a);
    if (end == EVENTS_REFUSED)
        ret->count = 0;
    return end;
}

void events_batch_fini(struct events_batch *b)
{
    json_free(b->doc);
    json_free(b->inner);
    b->doc = b->inner = NULL;
}
