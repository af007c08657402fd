#include "core/verify/recipient.h"

#include "base/macros.h"
#include "core/address/domain.h"

#include <stdarg.h>
#include <stdio.h>

/* Names whose first label is shorter are one slip away from too many honest ones ("qq.com",
 * "web.de", "live.com"). */
#define SLIP_LABEL_BYTES_MIN 5
#define LOCAL_BYTES_MAX      64

/* Several known domains may be the same but for a letter. */
struct recipient_slip {
    const char *word;
    struct recipient_slip *next;
};

/* -- The index ----------------------------------------------------------------------------------*/

/* `word` without its letter at `at`; all of it when there is none. `out` holds DOMAIN_BYTES_MAX. */
static struct text without(struct text word, size_t at, char *out)
{
    size_t head = TIDE_MIN(at, word.n), tail = at < word.n ? word.n - at - 1 : 0;
    memcpy(out, word.p, head);
    memcpy(out + head, word.p + word.n - tail, tail);
    return (struct text){out, head + tail};
}

/* Two names are a slip apart (a letter more, less, another, or two swapped) only if they become the
 * same by leaving out one letter of each, or of one of them. */
static bool add_slips(struct recipient_index *ix, const char *known)
{
    struct text word = text_of(known);
    char less[DOMAIN_BYTES_MAX];
    if (word.n > DOMAIN_BYTES_MAX || text_find(word, '.') < SLIP_LABEL_BYTES_MIN)
        return true;
    for (size_t i = 0; i <= word.n; i++) {
        struct text key = without(word, i, less);
        struct recipient_slip *slip = ARENA_NEW(&ix->memory, struct recipient_slip);
        if (!slip)
            return false;
        *slip = (struct recipient_slip){known, strmap_get(&ix->slips, key)};
        if (!strmap_put(&ix->slips, key, slip))
            return false;
    }
    return true;
}

static bool add_domain(struct recipient_index *ix, const char *domain, enum recipient_hint what)
{
    uintptr_t is = (uintptr_t)strmap_get(&ix->domains, text_of(domain));
    if (is & (uintptr_t)what)
        return true;
    return strmap_put(&ix->domains, text_of(domain), (void *)(is | (uintptr_t)what)) &&
           (what != HINT_FREE_MAIL || add_slips(ix, domain));
}

enum tide_err recipient_index_init(struct recipient_index *ix,
                                   const struct profiles *profiles,
                                   struct tide_error *err)
{
    const struct list_words *free_mail = &profiles->lists.of[LIST_FREE_MAIL];
    const struct list_words *disposable = &profiles->lists.of[LIST_DISPOSABLE];
    const struct list_words *roles = &profiles->lists.of[LIST_ROLES];
    bool ok = true;
    *ix = (struct recipient_index){0};
    strmap_init(&ix->domains);
    strmap_init(&ix->roles);
    strmap_init(&ix->slips);
    for (size_t i = 0; i < profiles->provider_count; i++)
        for (size_t k = 0; k < profiles->providers[i].domain_count; k++)
            ok = ok && add_domain(ix, profiles->providers[i].domains[k], HINT_FREE_MAIL);
    for (size_t i = 0; i < free_mail->count; i++)
        ok = ok && add_domain(ix, free_mail->words[i], HINT_FREE_MAIL);
    for (size_t i = 0; i < disposable->count; i++)
        ok = ok && add_domain(ix, disposable->words[i], HINT_DISPOSABLE);
    for (size_t i = 0; i < roles->count; i++)
        ok = ok && strmap_put(&ix->roles, text_of(roles->words[i]), ix);
    if (ok)
        return TIDE_OK;
    recipient_index_fini(ix);
    return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
}

void recipient_index_fini(struct recipient_index *ix)
{
    strmap_fini(&ix->domains);
    strmap_fini(&ix->roles);
    strmap_fini(&ix->slips);
    arena_fini(&ix->memory);
    *ix = (struct recipient_index){0};
}

/* -- One address --------------------------------------------------------------------------------*/

static bool is_role(const struct recipient_index *ix, struct text local)
{
    char lower[LOCAL_BYTES_MAX];
    local = text_cut(local, 0, text_find(local, '+'));
    if (local.n == 0 || local.n > sizeof lower)
        return false;
    for (size_t i = 0; i < local.n; i++)
        lower[i] = ascii_lower(local.p[i]);
    return strmap_get(&ix->roles, (struct text){lower, local.n}) != NULL;
}

/* The domain itself or one above it: the services give out sub-domains too. */
static bool is_disposable(const struct recipient_index *ix, struct text domain)
{
    while (domain.n) {
        if ((uintptr_t)strmap_get(&ix->domains, domain) & HINT_DISPOSABLE)
            return true;
        domain = text_cut(domain, text_find(domain, '.') + 1, domain.n);
    }
    return false;
}

static size_t last_label(struct text name)
{
    size_t at = name.n;
    while (at > 0 && name.p[at - 1] != '.')
        at--;
    return at;
}

/* "yahoo.cz" is another country's, no slip of "yahoo.ca". */
static bool other_country(struct text a, struct text b)
{
    size_t at = last_label(a);
    return a.n == at + 2 && b.n == at + 2 && last_label(b) == at &&
           text_eq(text_cut(a, 0, at), text_cut(b, 0, at));
}

static struct text slip_of(const struct recipient_index *ix, struct text domain)
{
    char less[DOMAIN_BYTES_MAX];
    if (domain.n < SLIP_LABEL_BYTES_MIN || domain.n > DOMAIN_BYTES_MAX)
        return (struct text){0};
    for (size_t i = 0; i <= domain.n; i++) {
        const struct recipient_slip *slip = strmap_get(&ix->slips, without(domain, i, less));
        for (; slip; slip = slip->next) {
            struct text known = text_of(slip->word);
            if (text_distance(domain, known, 2) == 1 && !other_country(domain, known))
                return known;
        }
    }
    return (struct text){0};
}

void recipient_hints(const struct recipient_index *ix,
                     struct text local,
                     struct text domain,
                     struct recipient_hints *ret)
{
    *ret = (struct recipient_hints){0};
    uintptr_t is = (uintptr_t)strmap_get(&ix->domains, domain);
    ret->found |= (unsigned)is & HINT_FREE_MAIL;
    if (is_disposable(ix, domain))
        ret->found |= HINT_DISPOSABLE;
    if (is_role(ix, local))
        ret->found |= HINT_ROLE;
    if (!is)
        ret->meant = slip_of(ix, domain);
    if (ret->meant.n)
        ret->found |= HINT_TYPO;
}

void recipient_hints_names(unsigned found, struct buf *out)
{
    const char *between = "";
    for (unsigned hint = 1; hint < 1u << HINT_COUNT; hint <<= 1) {
        if (!(found & hint))
            continue;
        buf_addf(out, "%s%s", between, recipient_hint_name((enum recipient_hint)hint));
        between = ",";
    }
}

static void sentence(struct buf *out, size_t start, const char *fmt, ...) TIDE_PRINTF(3, 4);

static void sentence(struct buf *out, size_t start, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    buf_addf(out, "%s%s", out->len > start ? " " : "", line);
}

void recipient_hints_sentences(const struct recipient_hints *h,
                               struct text local,
                               struct text domain,
                               struct buf *out)
{
    size_t start = out->len;
    if (h->found & HINT_TYPO)
        sentence(out, start, TEXT_FMT " is one slip away from " TEXT_FMT ".", TEXT_ARG(domain),
                 TEXT_ARG(h->meant));
    if (h->found & HINT_ROLE)
        sentence(out, start, "\"" TEXT_FMT "\" is a function's mailbox, not a person's.",
                 TEXT_ARG(local));
    if (h->found & HINT_DISPOSABLE)
        sentence(out, start, TEXT_FMT " gives out addresses to be thrown away.", TEXT_ARG(domain));
    if (h->found & HINT_FREE_MAIL)
        sentence(out, start, "Anybody may have a mailbox at " TEXT_FMT ".", TEXT_ARG(domain));
}
