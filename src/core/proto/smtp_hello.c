#include "core/proto/smtp_hello.h"

#include "base/base64.h"
#include "base/macros.h"

static const char *const mech_names[] = {
    [AUTH_PLAIN] = "PLAIN", [AUTH_LOGIN] = "LOGIN", [AUTH_XOAUTH2] = "XOAUTH2"};

static void note_mechs(struct smtp_offer *o, struct text rest)
{
    struct text word;
    while (text_split(&rest, ' ', &word))
        for (size_t i = AUTH_PLAIN; i < TIDE_COUNT(mech_names); i++)
            if (text_ieq(word, text_of(mech_names[i])))
                o->mechs |= 1u << i;
}

void smtp_offer_line(struct smtp_offer *o, struct text line)
{
    static const char *const names[] = {
#define SMTP_EXTENSION(name) [SMTP_EXT_##name] = #name,
        SMTP_EXTENSIONS(SMTP_EXTENSION)
#undef SMTP_EXTENSION
    };
    struct tide_error err;
    struct text rest = text_trim(line), word;
    if (text_istarts(rest, TEXT("AUTH="))) { /* of old, still sent beside "AUTH " */
        note_mechs(o, text_cut(rest, 5, rest.n));
        return;
    }
    if (!text_split(&rest, ' ', &word))
        return;
    if (text_ieq(word, TEXT("AUTH")))
        note_mechs(o, rest);
    for (size_t i = 0; i < TIDE_COUNT(names); i++)
        if (text_ieq(word, text_of(names[i])))
            o->extensions |= 1u << i;
    if (text_ieq(word, TEXT("SIZE")) &&
        text_int(text_trim(rest), 0, INT64_MAX, &o->size_max, &err) != TIDE_OK)
        o->size_max = 0; /* "SIZE" alone: offered without saying how much */
}

enum auth_mech smtp_auth_choose(enum auth_mech wanted, unsigned offered)
{
    static const enum auth_mech order[] = {AUTH_PLAIN, AUTH_LOGIN, AUTH_XOAUTH2};
    for (size_t i = 0; i < TIDE_COUNT(order); i++)
        if ((wanted == AUTH_ANY || wanted == order[i]) && offered >> order[i] & 1)
            return order[i];
    return AUTH_NONE;
}

static void add_response(enum auth_mech mech,
                         struct text user,
                         struct text password,
                         struct buf *out)
{
    struct buf plain = {0};
    if (mech == AUTH_PLAIN) {
        buf_addc(&plain, '\0'); /* RFC 4616: no authorisation identity */
        buf_add_text(&plain, user);
        buf_addc(&plain, '\0');
        buf_add_text(&plain, password);
    } else {
        buf_adds(&plain, "user=");
        buf_add_text(&plain, user);
        buf_adds(&plain, "\1auth=Bearer ");
        buf_add_text(&plain, password);
        buf_adds(&plain, "\1\1");
    }
    if (plain.failed != TIDE_OK)
        out->failed = plain.failed;
    base64_encode(buf_text(&plain), out);
    if (plain.data)
        explicit_bzero(plain.data, plain.len);
    buf_fini(&plain);
}

void smtp_auth_begin(enum auth_mech mech, struct text user, struct text password, struct buf *out)
{
    buf_addf(out, "AUTH %s", mech_names[mech]);
    if (mech == AUTH_LOGIN) /* not every server takes the name with the command */
        return;
    buf_addc(out, ' ');
    add_response(mech, user, password, out);
}

void smtp_auth_answer(
    enum auth_mech mech, int step, struct text user, struct text password, struct buf *out)
{
    if (mech == AUTH_LOGIN)
        base64_encode(step == 1 ? user : password, out);
    else if (mech == AUTH_PLAIN)
        add_response(mech, user, password, out); /* it did not read the one beside the command */
    /* XOAUTH2: the challenge is the reason for a refusal; an empty line asks for the reply. */
}
