#include "core/outcome/rules.h"

#include "base/macros.h"
#include "core/outcome/rulebook.h"

#include <stdio.h>
#include <stdlib.h>

const char *reply_fault_name(enum reply_fault f)
{
    static const char *const names[] = {
        [FAULT_UNKNOWN] = "unknown",
        [FAULT_RECIPIENT] = "recipient",
        [FAULT_OURS] = "ours",
        [FAULT_THEIR_LIMIT] = "their-limit",
        [FAULT_THEIR_OUTAGE] = "their-outage",
        [FAULT_CONTENT] = "content",
        [FAULT_POLICY] = "policy",
    };
    return names[f];
}

static const char *const class_names[] = {
    [CLASS_OTHER] = "other",
    [CLASS_RECIPIENT] = "recipient",
    [CLASS_DOMAIN] = "domain",
    [CLASS_DISABLED] = "disabled",
    [CLASS_FULL] = "full",
    [CLASS_MOVED] = "moved",
    [CLASS_TOOBIG] = "toobig",
    [CLASS_SPAM] = "spam",
    [CLASS_REPUTATION] = "reputation",
    [CLASS_AUTH] = "auth",
    [CLASS_POLICY] = "policy",
    [CLASS_CONTENT] = "content",
    [CLASS_VIRUS] = "virus",
    [CLASS_RATE] = "rate",
    [CLASS_NETWORK] = "network",
    [CLASS_SYSTEM] = "system",
    [CLASS_RELAY] = "relay",
    [CLASS_PROTOCOL] = "protocol",
};

const char *reply_class_name(enum reply_class c)
{
    return class_names[c];
}

bool reply_class_of(struct text name, enum reply_class *ret)
{
    for (size_t i = 0; i < REPLY_CLASSES; i++)
        if (text_eq(name, text_of(class_names[i]))) {
            *ret = (enum reply_class)i;
            return true;
        }
    return false;
}

const char *reply_retry_name(enum reply_retry r)
{
    static const char *const names[] = {
        [RETRY_BY_CODE] = "by-code",     [RETRY_LATER] = "later", [RETRY_RESET] = "reset",
        [RETRY_RECONNECT] = "reconnect", [RETRY_SPLIT] = "split", [RETRY_FIX] = "fix",
        [RETRY_NEVER] = "never",
    };
    return names[r];
}

/* -- One text, made ready ---------------------------------------------------------------------- */

struct subject {
    char text[RULES_TEXT_BYTES]; /* runs of blanks and controls are one blank */
    size_t n;
    uint64_t pieces[PIECE_BITS / 64];
    uint16_t each[RULES_TEXT_BYTES]; /* the pieces that it has, once each */
    size_t each_count;
};

/* A typographic apostrophe is a plain one, as patterns are written. */
static bool is_apostrophe(struct text t, size_t at)
{
    return at + 2 < t.n && memcmp(t.p + at, "\xE2\x80\x99", 3) == 0;
}

static void subject_init(struct subject *s, struct text words)
{
    char low[RULES_TEXT_BYTES];
    s->n = s->each_count = 0;
    for (size_t i = 0; i < words.n && s->n < sizeof s->text; i++) {
        unsigned char c = (unsigned char)words.p[i];
        if (c <= ' ' || c == 0x7F) {
            if (s->n > 0 && s->text[s->n - 1] != ' ')
                s->text[s->n++] = ' ';
        } else if (c == 0xE2 && is_apostrophe(words, i)) {
            s->text[s->n++] = '\'';
            i += 2;
        } else {
            s->text[s->n++] = (char)c;
        }
    }
    memset(s->pieces, 0, sizeof s->pieces);
    for (size_t i = 0; i < s->n; i++)
        low[i] = ascii_lower(s->text[i]);
    for (size_t i = 0; i + 2 < s->n; i++) {
        uint16_t bit = piece_of(low + i);
        uint64_t mask = UINT64_C(1) << (bit % 64);
        if (!(s->pieces[bit / 64] & mask))
            s->each[s->each_count++] = bit;
        s->pieces[bit / 64] |= mask;
    }
}

static bool has(const struct subject *s, uint16_t piece)
{
    return s->pieces[piece / 64] >> (piece % 64) & 1;
}

static bool meets(const struct subject *s, const struct rule_need *need)
{
    const uint16_t *p = need->pieces;
    return has(s, p[0]) && has(s, p[1]) && has(s, p[2]) && has(s, p[3]);
}

static bool may_match(const struct rule_pattern *p, const struct subject *s)
{
    for (size_t i = 0; i < p->need_count; i++)
        if (meets(s, &p->needs[i]))
            return true;
    return p->need_count == 0;
}

/* The rules that have a chance, in order. */
static void rules_for(const struct rulebook *b, const struct subject *s, uint64_t ret[RULE_WORDS])
{
    if (!b->hint_at) {
        memset(ret, 0xFF, RULE_WORDS * sizeof *ret);
        return;
    }
    memcpy(ret, b->always, sizeof b->always);
    for (size_t i = 0; i < s->each_count; i++) {
        uint16_t piece = s->each[i];
        for (uint32_t k = b->hint_at[piece]; k < b->hint_at[piece + 1]; k++) {
            const struct rule_hint *h = &b->hints[k];
            if (meets(s, h->need))
                ret[h->rule / 64] |= UINT64_C(1) << (h->rule % 64);
        }
    }
}

/* -- One rule ---------------------------------------------------------------------------------- */

/* A code that nobody told contradicts nothing, but a rule without words needs one. */
static bool code_fits(const struct rule_entry *r, int code)
{
    if (r->any_code)
        return true;
    if (code <= 0 || code >= CODE_BITS_MAX)
        return r->pattern_count > 0 && code == 0;
    return r->codes[code / 64] >> (code % 64) & 1;
}

static bool status_fits(const struct rule_entry *r, const int status[3])
{
    if (r->status_count == 0)
        return true;
    if (status[0] == 0)
        return r->pattern_count > 0;
    for (size_t i = 0; i < r->status_count; i++) {
        const struct rule_status *s = &r->statuses[i];
        if ((s->first == 0 || s->first == status[0]) &&
            (s->subject < 0 || s->subject == status[1]) && status[2] >= s->detail_least &&
            status[2] <= s->detail_most)
            return true;
    }
    return false;
}

static bool stage_fits(const struct rule_entry *r, int stage)
{
    return r->stages == 0 || (stage >= 0 && (r->stages >> stage & 1));
}

/* The words around the match, whole, for people: what stands before is cut, not explained. */
static void keep_evidence(const struct subject *s, const size_t *at, char *out)
{
    size_t from = at[0], n = at[1] > at[0] ? at[1] - at[0] : 0;
    if (n >= RULES_EVIDENCE_BYTES)
        n = RULES_EVIDENCE_BYTES - 1;
    memcpy(out, s->text + from, n);
    while (n > 0 && ((unsigned char)s->text[from + n - 1] & 0xC0) == 0x80 &&
           !text_is_utf8((struct text){out, n}))
        n--;
    out[n] = '\0';
}

static bool words_fit(const struct rulebook *b,
                      const struct rule_entry *r,
                      const struct subject *s,
                      pcre2_match_data **match,
                      char *ret_evidence)
{
    if (r->pattern_count == 0)
        return true;
    for (size_t i = 0; i < r->pattern_count; i++) {
        if (!may_match(&r->patterns[i], s))
            continue;
        if (!*match)
            *match = pcre2_match_data_create(1, NULL);
        if (!*match)
            return false;
        /* 0: it matched, and had more groups than were asked for */
        if (pcre2_match(r->patterns[i].code, (PCRE2_SPTR)s->text, s->n, 0, 0, *match, b->bounds) >=
            0) {
            keep_evidence(s, pcre2_get_ovector_pointer(*match), ret_evidence);
            return true;
        }
    }
    return false;
}

/* -- All rules --------------------------------------------------------------------------------- */

static uint64_t provider_bit(const struct rulebook *b, struct text provider)
{
    for (size_t i = 0; i < b->provider_count; i++)
        if (text_eq(text_of(b->providers[i]), provider))
            return UINT64_C(1) << i;
    return 0;
}

/* The first at `i` or behind it; `count` or more: there is none. */
static size_t next_of(const uint64_t *may, size_t i, size_t count)
{
    for (; i < count; i = (i | 63) + 1) {
        uint64_t rest = may[i / 64] >> (i % 64);
        if (rest)
            return i + (size_t)__builtin_ctzll(rest);
    }
    return count;
}

static const struct reply_rule *find(const struct rulebook *b,
                                     const struct reply_said *said,
                                     const struct subject *s,
                                     char *ret_evidence)
{
    const struct reply_rule *found = NULL;
    pcre2_match_data *match = NULL;
    uint64_t own = said->provider.n ? provider_bit(b, said->provider) : 0, may[RULE_WORDS];
    ret_evidence[0] = '\0';
    rules_for(b, s, may);
    /* First what the provider's own rules say, then everybody's. */
    for (int pass = own ? 0 : 1; pass < 2 && !found; pass++)
        for (size_t i = next_of(may, 0, b->count); i < b->count && !found;
             i = next_of(may, i + 1, b->count)) {
            const struct rule_entry *r = b->rules[i];
            bool is_own = (r->providers & own) != 0;
            if (pass == 0 ? !is_own : is_own || (r->strict && r->providers))
                continue;
            if (code_fits(r, said->code) && status_fits(r, said->status) &&
                stage_fits(r, said->stage) && words_fit(b, r, s, &match, ret_evidence))
                found = &r->rule;
        }
    pcre2_match_data_free(match);
    return found;
}

/* The hump of "userUnknown". */
static bool is_hump(struct text t, size_t i)
{
    return i > 0 && t.p[i - 1] >= 'a' && t.p[i - 1] <= 'z' && t.p[i] >= 'A' && t.p[i] <= 'Z';
}

/* Is it one word made of several, "UserUnknown", "MAILBOX_FULL"? Ids look otherwise: they have
 * digits, or pieces of one or two letters. */
static bool is_compound(struct text word)
{
    size_t pieces = 1, letters = 0;
    for (size_t i = 0; i < word.n; i++) {
        bool starts = word.p[i] == '_' || is_hump(word, i);
        if (!ascii_is_alpha(word.p[i]) && word.p[i] != '_')
            return false;
        if (starts && letters < 3)
            return false;
        pieces += starts;
        letters = (starts ? 0 : letters) + (word.p[i] != '_');
    }
    return pieces > 1 && letters >= 3;
}

/* The text with such words taken apart. False: there are none, or no room. */
static bool take_apart(struct text words, char *out, size_t size, size_t *ret_n)
{
    size_t n = 0, i = 0;
    bool any = false;
    while (i < words.n && n + 2 < size) {
        size_t end = i;
        while (end < words.n && (ascii_is_alnum(words.p[end]) || words.p[end] == '_'))
            end++;
        bool compound = end > i && is_compound(text_cut(words, i, end - i));
        any |= compound;
        for (size_t k = i; k < (end > i ? end : i + 1) && n + 2 < size; k++) {
            if (compound && k > i && is_hump(words, k))
                out[n++] = ' ';
            out[n++] = compound && words.p[k] == '_' ? ' ' : words.p[k];
        }
        i = end > i ? end : i + 1;
    }
    *ret_n = n;
    return any;
}

const struct reply_rule *rulebook_find(const struct rulebook *b,
                                       const struct reply_said *said,
                                       char ret_evidence[RULES_EVIDENCE_BYTES])
{
    struct subject s;
    char apart[RULES_TEXT_BYTES], evidence[RULES_EVIDENCE_BYTES];
    size_t n;
    subject_init(&s, said->words);
    const struct reply_rule *found = find(b, said, &s, ret_evidence);
    if ((found && found->by_text && !found->loose) ||
        !take_apart(said->words, apart, sizeof apart, &n))
        return found;
    subject_init(&s, (struct text){apart, n});
    const struct reply_rule *second = find(b, said, &s, evidence);
    if (!second || !second->by_text || second->loose)
        return found;
    memcpy(ret_evidence, evidence, sizeof evidence);
    return second;
}

size_t rulebook_count(const struct rulebook *b)
{
    return b->count;
}

const struct reply_rule *rulebook_rule(const struct rulebook *b, size_t i)
{
    return &b->rules[i]->rule;
}

const char *rulebook_rule_provider(const struct rulebook *b, size_t i, size_t k)
{
    for (size_t p = 0; p < b->provider_count; p++)
        if ((b->rules[i]->providers >> p & 1) && k-- == 0)
            return b->providers[p];
    return NULL;
}
