#include "base/macros.h"
#include "core/outcome/rules.h"

/* What MTAs write around a reply that they pass on. The first phrase that is there decides, so the
 * plainest come first. */
static const struct {
    const char *words;
    enum reply_stage stage;
} phrases[] = {
    {"reply to end of data", STAGE_DOT},
    {"reply to rcpt", STAGE_RCPT},
    {"reply to mail from", STAGE_MAIL},
    {"reply to data", STAGE_DATA},
    {"reply to ehlo", STAGE_EHLO},
    {"reply to helo", STAGE_EHLO},
    {"after end of data", STAGE_DOT},
    {"after rcpt to", STAGE_RCPT},
    {"after mail from", STAGE_MAIL},
    {"after initial connection", STAGE_GREETING},
    {"after pipelined end of data", STAGE_DOT},
    {"after pipelined", STAGE_RCPT},
    {"after ehlo", STAGE_EHLO},
    {"after helo", STAGE_EHLO},
    {"after data", STAGE_DATA},
    {"our final data", STAGE_DOT},
    {"our rcpt", STAGE_RCPT},
    {"our mail from", STAGE_MAIL},
    {"following rcpt", STAGE_RCPT},
    {"[rcpt_to]", STAGE_RCPT},
    {"[mail_from]", STAGE_MAIL},
    {"after i sent the message", STAGE_DOT},
    {"does not like recipient", STAGE_RCPT},
    {"refused to talk to me", STAGE_GREETING},
    {"connect to ", STAGE_CONNECT},
};

static int stage_of(struct text t)
{
    char low[RULES_TEXT_BYTES];
    for (size_t i = 0; i < t.n; i++)
        low[i] = ascii_lower(t.p[i]);
    for (size_t i = 0; i < TIDE_COUNT(phrases); i++)
        if (memmem(low, t.n, phrases[i].words, strlen(phrases[i].words)))
            return (int)phrases[i].stage;
    return -1;
}

static char at(struct text t, size_t i)
{
    return i < t.n ? t.p[i] : '\0';
}

/* How many bytes "5.1.1" takes here; 0: it is none. Subjects end at 7 (RFC 3463 3), which keeps
 * most version numbers out. */
static size_t status_at(struct text t, size_t i, int ret[3])
{
    size_t start = i;
    int parts[3] = {0};
    if (start > 0 && (ascii_is_alnum(t.p[start - 1]) || strchr(".-", t.p[start - 1])))
        return 0;
    for (int k = 0; k < 3; k++) {
        size_t from = i;
        while (i < t.n && i - from < 3 && ascii_is_digit(t.p[i]))
            parts[k] = parts[k] * 10 + (t.p[i++] - '0');
        if (i == from || (k < 2 && at(t, i++) != '.'))
            return 0;
    }
    bool ends = !ascii_is_alnum(at(t, i)) && !(at(t, i) == '.' && ascii_is_digit(at(t, i + 1)));
    if (!ends || (parts[0] != 2 && parts[0] != 4 && parts[0] != 5) || parts[1] > 7)
        return 0;
    memcpy(ret, parts, sizeof parts);
    return i - start;
}

/* "550" as a word of its own: no part of an address, a size, a port or a time. */
static bool code_at(struct text t, size_t i, int *ret)
{
    if (i + 3 > t.n || t.p[i] < '2' || t.p[i] > '5' || t.p[i + 1] < '0' || t.p[i + 1] > '7' ||
        !ascii_is_digit(t.p[i + 2]))
        return false;
    if (i > 0 &&
        (ascii_is_alnum(t.p[i - 1]) || (t.p[i - 1] & 0x80) || strchr(".-_@/=+$%", t.p[i - 1])))
        return false;
    char next = at(t, i + 3);
    if (ascii_is_alnum(next) || (next & 0x80) || (next && strchr("@/=_%", next)))
        return false;
    if ((next == '.' || next == ',') && ascii_is_digit(at(t, i + 4)))
        return false;
    *ret = (t.p[i] - '0') * 100 + (t.p[i + 1] - '0') * 10 + (t.p[i + 2] - '0');
    return true;
}

/* Text right before a number that makes it a reply. */
static bool leads(struct text t, size_t i)
{
    while (i > 0 && (t.p[i - 1] == ' ' || t.p[i - 1] == '\t'))
        i--;
    return i == 0 || strchr(":;'\"<[\n", t.p[i - 1]);
}

/* "4.4.7 Message expired <421 4.4.2 Connection timed out>": the time ran out, and the status behind
 * it says over what. */
static void look_behind_expiry(struct text words, struct reply_said *r)
{
    int status[3];
    if (r->status[1] != 4 || r->status[2] != 7)
        return;
    for (size_t i = 0; i < words.n; i++)
        if (status_at(words, i, status) && status[0] >= 4 && status[2] != 0 &&
            !(status[1] == 4 && status[2] == 7)) {
            memcpy(r->status, status, sizeof status);
            return;
        }
}

void reply_said_of(struct text words, struct reply_said *ret)
{
    struct reply_said r = {.provider = ret->provider, .stage = -1, .words = words};
    int weak = 0, loose[3] = {0};
    words = text_cut(words, 0, RULES_TEXT_BYTES);
    for (size_t i = 0; i < words.n && r.code == 0; i++) {
        int code, status[3];
        if (!ascii_is_digit(words.p[i]))
            continue;
        if (code_at(words, i, &code)) {
            size_t next = i + 3;
            while (next < words.n && strchr(" -:#,(", words.p[next]))
                next++;
            size_t n = status_at((struct text){words.p + next, words.n - next}, 0, status);
            if (n > 0) {
                r.code = code;
                memcpy(r.status, status, sizeof status);
            } else if (code >= 400 && leads(words, i)) {
                r.code = code;
            } else if (!weak && code >= 400) {
                weak = code;
            }
        } else if (status_at(words, i, status) && (!loose[0] || (!loose[2] && status[2]))) {
            memcpy(loose, status, sizeof status);
        }
    }
    if (r.code == 0 && !loose[0])
        r.code = weak;
    for (size_t i = 0; i < words.n && r.status[0] == 0 && !loose[0]; i++)
        if (status_at(words, i, loose) == 0)
            loose[0] = 0;
    if (r.status[0] == 0)
        memcpy(r.status, loose, sizeof loose);
    look_behind_expiry(words, &r);
    r.stage = stage_of(words);
    *ret = r;
}
