#include "core/outcome/notice.h"

#include "base/buf.h"
#include "base/macros.h"

#define LINE_ADDRESSES_MAX 20 /* each costs a look for all the words below */

/* -- Words ------------------------------------------------------------------------------------- */

static bool has_any(struct text t, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_ifind(t, text_of(words[i])) < t.n)
            return true;
    return false;
}

#define HAS(t, list) has_any((t), (list), TIDE_COUNT(list))

/* What leads to the addresses that failed. */
static const char *const failure_words[] = {
    "not be delivered",
    "not deliver",
    "could not be",
    "undeliver",
    "delivery failed",
    "failed to deliver",
    "unable to deliver",
    "unable to be delivered",
    "delivery to the",
    "not reach",
    "was not",
    "were not",
    "wasn't delivered",
    "couldn't be",
    "returned",
    "fatal error",
    "permanent",
    "rejected",
    "failure",
    "failed",
    "not been delivered",
    "can't be delivered",
    "cannot be delivered",
    "cannot deliver",
    "errors occurred",
    "had problems",
    "not received",
    "non remis",
    "nicht zugestellt",
    "no se pudo",
    "impossible",
    "the following address",
    "following recipient",
    "unknown user",
    "user unknown",
    "unknown recipient",
    "no such user",
    "does not exist",
    "mailbox full",
    "mailbox is full",
    "over quota",
    "did not reach",
    "bounced",
    "konnte nicht",
    "delivery error",
    "unsuccessful",
    "host unknown",
    "not found",
    "is not a",
    "delivery of",
    "this address",
    "postponed",
    "could not deliver",
    "cannot send",
    "pas pu",
    "n'a pu",
    "ne peut",
    "nicht zustell",
    "no pudo",
    "no se ha podido",
    "non e' stato",
    "non \xC3\xA8 stat",
    "n\xC3\xA3o p\xC3\xB4"
    "de",
    "\xD0\xBD\xD0\xB5 \xD0\xB4\xD0\xBE\xD1\x81\xD1\x82\xD0\xB0\xD0\xB2" /* not delivered (ru) */,
    "isn't",
    "\xE9\x80\x81\xE4\xBF\xA1\xE3\x81\xA7\xE3\x81\x8D" /* could not be sent (ja) */,
    "\xE9\x85\x8D\xE4\xBF\xA1\xE3\x81\xA7\xE3\x81\x8D" /* could not be delivered (ja) */,
    "\xE5\xA4\xB1\xE6\x95\x97" /* failure (ja) */,
    "\xE5\xA4\xB1\xE8\xB4\xA5" /* failure (zh) */,
    "\xE6\x97\xA0\xE6\xB3\x95" /* could not (zh) */,
    "unable to accept",
    "problem",
    "refused",
};

static const char *const delay_words[] = {
    "delivery to the following recipients has been delayed",
    "has been delayed",
    "is delayed",
    "delivery delayed",
    "delivery delay",
    "delayed mail",
    "temporarily undeliver",
    "warning message only",
    "warning only",
    "not yet been delivered",
    "has not yet",
    "not been able to deliver",
    "have not been able to",
    "will keep trying",
    "will continue to",
    "will be retried",
    "will retry",
    "still trying",
    "still being",
    "being retried",
    "do not need to resend",
    "don't need to resend",
    "not yet delivered",
    "could not be delivered for the last",
    "will try again",
    "will try for",
    "postponed",
    "continue to try",
    "will be made to deliver",
    "advisory-only",
    "delivery attempts will continue",
};

/* Says for good, whatever stands beside it. */
static const char *const final_words[] = {
    "giving up",           "gave up",
    "i've given up",       "permanent fatal",
    "permanent error",     "failed permanently",
    "permanent failure",   "deleted from queue",
    "will not be retried", "not be retried",
    "delivery has failed", "no further attempts",
    "been returned",
};

static const char *const delivery_words[] = {
    "successfully delivered", "was successfully relayed", "successful delivery",
    "delivery successful",    "successfully relayed",     "message was delivered to",
    "has been delivered to",
};

enum notice_tone notice_tone_of(struct text said)
{
    bool delayed = HAS(said, delay_words);
    if (delayed && !HAS(said, final_words))
        return NOTICE_DELAY;
    if (HAS(said, delivery_words) && !HAS(said, final_words))
        return NOTICE_DELIVERY;
    return delayed || HAS(said, failure_words) ? NOTICE_FAILURE : NOTICE_PLAIN;
}

/* -- Addresses --------------------------------------------------------------------------------- */

static bool in_local(char c)
{
    return ascii_is_alnum(c) || (c & 0x80) || (c && strchr("._+-=/%!#$&*?^`{|}~'", c));
}

static bool in_domain(char c)
{
    return ascii_is_alnum(c) || (c & 0x80) || c == '.' || c == '-';
}

/* Where a quoted local part that ends before `at` begins; `at` when there is none. */
static size_t quoted_start(struct text t, size_t at)
{
    for (size_t i = at - 1; i > 0 && at - i < 70; i--)
        if (t.p[i - 1] == '"')
            return i - 1;
    return at;
}

bool notice_address(struct text t, size_t *pos, struct text *ret)
{
    for (size_t at = *pos; at < t.n; at++) {
        if (t.p[at] != '@' || at == 0)
            continue;
        size_t start = at, end = at + 1;
        if (t.p[at - 1] == '"')
            start = quoted_start(t, at);
        else
            while (start > *pos && in_local(t.p[start - 1]) && at - start < 128)
                start--;
        while (end < t.n && in_domain(t.p[end]) && end - at < 254)
            end++;
        while (end > at + 1 && !ascii_is_alnum(t.p[end - 1]) && !(t.p[end - 1] & 0x80))
            end--;
        while (start < at && strchr(".'`*=#", t.p[start]))
            start++; /* a quotation mark before it, a full stop of the sentence before */
        if (text_istarts(text_cut(t, start, at - start), TEXT("smtp=")))
            start += 5; /* Exchange: "c=US;a= ;p=X;SMTP=ann@example.com" */
        if (start == at || end <= at + 2 || t.p[start] == '|' || t.p[start] == '/')
            continue; /* a program or a file that mail was to go into is no address */
        *ret = (struct text){t.p + start, end - start};
        *pos = end;
        return true;
    }
    return false;
}

/* -- Lines ------------------------------------------------------------------------------------- */

struct reading {
    struct arena *arena;
    const struct text *not_these;
    size_t not_count;
    struct text *lines;
    size_t line_count;
    struct notice_recipient *found;
    size_t *at_line; /* where each was found best */
    size_t found_count;
};

static const char *const returned_words[] = {
    "original message", "copy of the message", "copy of your message", "message header",
    "headers follow",   "unsent message",      "returned message",     "message text follows",
    "message follows",  "original mail",       "included message",     "body of message",
    "headers of the",   "original header",     "your message",         "text of your message",
    "begin of",         "the headers",         "mail header",          "message headers",
    "a copy of",        "first .* lines",      "the header",           "message contents",
    "start of",         "undelivered message", "forwarded message",
};

/* A ruled line, or a heading, that says that the returned message begins. */
static bool is_mark(struct text line)
{
    struct text t = text_trim(line);
    bool ruled = text_ifind(t, TEXT("---")) < t.n || text_ifind(t, TEXT("===")) < t.n ||
                 text_ifind(t, TEXT("***")) < t.n || text_ifind(t, TEXT("___")) < t.n;
    bool heading = t.n > 0 && t.n < 80 && t.p[t.n - 1] == ':';
    bool below = text_istarts(t, TEXT("--- below")) || text_istarts(t, TEXT("--- enclosed"));
    if (text_ifind(t, TEXT("transcript")) < t.n || text_ifind(t, TEXT("error")) < t.n ||
        text_ifind(t, TEXT("deliver")) < t.n || text_ifind(t, TEXT("recipient")) < t.n ||
        text_ifind(t, TEXT(" not ")) < t.n)
        return below;
    return below || ((ruled || heading) && HAS(t, returned_words));
}

/* The first fields of a message that came over the wire. */
static bool is_head(struct text line)
{
    return text_istarts(line, TEXT("Return-Path: <")) ||
           text_istarts(line, TEXT("Received: from ")) ||
           text_istarts(line, TEXT("Received: by ")) || text_istarts(line, TEXT("Received: (")) ||
           text_istarts(line, TEXT("MIME-Version: 1.0")) ||
           text_istarts(line, TEXT("Message-ID: <"));
}

static bool quotes_reply(struct text line)
{
    struct text t = text_trim(line);
    if (text_starts(t, TEXT("<<<")) || text_starts(t, TEXT(">>> 4")) ||
        text_starts(t, TEXT(">>> 5")))
        return true;
    for (size_t i = 0; i + 3 < t.n; i++) {
        bool start = i == 0 || strchr(" :;'\"(<[", t.p[i - 1]);
        if (start && (t.p[i] == '4' || t.p[i] == '5') && t.p[i + 1] >= '0' && t.p[i + 1] <= '7' &&
            ascii_is_digit(t.p[i + 2]) && strchr(" -:", t.p[i + 3]))
            return true;
    }
    return text_ifind(t, TEXT("(#4.")) < t.n || text_ifind(t, TEXT("(#5.")) < t.n;
}

/* -- Weighing ---------------------------------------------------------------------------------- */

static bool is_own(const struct reading *r, struct text address)
{
    for (size_t i = 0; i < r->not_count; i++)
        if (text_ieq(r->not_these[i], address))
            return true;
    return false;
}

static const char *const not_recipient_words[] = {
    "contact",     "mailto:",        "http:",        "https:",         "message-id",
    "for help",    "for assistance", "abuse",        "assistance",     "questions",
    "support@",    "mail from:",     "from:",        "sent by",        "sender:",
    "forward ",    "please send",    "please write", "return-path",    "reply-to",
    "in-reply-to", "references:",    "return path",  "help@",          "on behalf of",
    "report this", "to report",      "x-",           "authenticated",  "message id",
    "notify ",     "sender ",        "subject:",     "generated from",
};

static const char *const recipient_words[] = {
    "rcpt to",      "recipient",   "rfc822;",        "to:",      "user ",      "mailbox",
    "delivered to", "delivery to", "deliver to",     "sent to",  "message to", "mail to",
    "address",      "e-mail to",   "email to",       "smtp;",    "smtp:",      "account",
    "envelope-to",  "failed for",  "generated from", "destinat",
};

static const char *const reason_words[] = {
    "unknown",    "not exist",  "no such",   "full",        "quota",     "reject",
    "refus",      "fail",       "not found", "denied",      "invalid",   "disabled",
    "unable",     "cannot",     "could not", "error",       "undeliver", "timed out",
    "does not",   "doesn't",    "not known", "inactive",    "couldn't",  "can't",
    "suspend",    "not accept", "wasn't",    "not deliver", "blocked",   "bounced",
    "not listed", "delayed",    "not be",    "no mailbox",  "unrout",    "user not",
};

/* Nothing but the address, brackets and signs, and perhaps a word with a colon before it. */
static bool stands_alone(struct text line, struct text address)
{
    size_t from = (size_t)(address.p - line.p);
    size_t letters = 0, behind = 0;
    for (size_t i = 0; i < from; i++)
        letters += ascii_is_alnum(line.p[i]) || (line.p[i] & 0x80);
    for (size_t i = from + address.n; i < line.n; i++)
        behind += ascii_is_alnum(line.p[i]) || (line.p[i] & 0x80);
    bool tail_is_remark =
        behind == 0 || line.p[from + address.n] == '(' ||
        text_starts(text_trim(text_cut(line, from + address.n, line.n)), TEXT("("));
    return letters == 0 && tail_is_remark;
}

/* "<ann@example.com>: ...", "ann@example.com... User unknown" */
static bool begins_line(struct text line, struct text address)
{
    size_t from = (size_t)(address.p - line.p);
    for (size_t i = 0; i < from; i++)
        if (ascii_is_alnum(line.p[i]) || (line.p[i] & 0x80))
            return false;
    return true;
}

/* "550 <ann@example.com>... User unknown": a transcript puts the code in front. */
static struct text without_code(struct text line)
{
    struct text t = text_trim(line);
    bool code = t.n > 4 && (t.p[0] == '4' || t.p[0] == '5') && ascii_is_digit(t.p[1]) &&
                ascii_is_digit(t.p[2]) && (t.p[3] == ' ' || t.p[3] == '-');
    return code ? text_cut(t, 4, t.n) : line;
}

/* Of what stands before an address, the sentence that it is in. */
static struct text sentence_end(struct text t)
{
    for (size_t i = t.n; i > 1; i--)
        if ((t.p[i - 2] == '.' || t.p[i - 2] == '?' || t.p[i - 2] == '!') && t.p[i - 1] == ' ')
            return text_cut(t, i, t.n);
    return t;
}

static int weigh(struct text whole, struct text address, bool led)
{
    struct text line = without_code(whole);
    if (address.p < line.p)
        line = whole;
    size_t from = (size_t)(address.p - line.p);
    struct text before = sentence_end(text_cut(line, 0, from)),
                behind = text_cut(line, from + address.n, line.n);
    struct text after = text_trim(behind), lead = before;
    while (lead.n > 0 && strchr(" \t<\"'(", lead.p[lead.n - 1]))
        lead.n--;
    int weight = led ? 2 : 0;
    if (stands_alone(line, address))
        weight += led || text_find(after, ':') < 2 ? 3 : 2;
    else if (begins_line(line, address))
        weight += after.n > 0 && strchr(">:.-;,", after.p[0]) ? 3 : 2;
    if (HAS(before, recipient_words))
        weight += 3;
    else if (text_iends(lead, TEXT(" to")) || text_iends(lead, TEXT(" for")))
        weight += 2;
    else if (text_iends(lead, TEXT(":")) && lead.n > 1)
        weight += 1;
    if (HAS(line, reason_words))
        weight += 2;
    if (HAS(before, not_recipient_words) && !HAS(before, recipient_words))
        weight -= 6;
    if (text_istarts(text_trim(before), TEXT("from:")) ||
        text_istarts(text_trim(before), TEXT("from <")))
        weight -= 6;
    if (text_istarts(address, TEXT("postmaster@")) ||
        text_istarts(address, TEXT("mailer-daemon@")) || text_istarts(address, TEXT("abuse@")))
        weight -= 4;
    return weight;
}

static void note(struct reading *r, struct text address, int weight, size_t line)
{
    for (size_t i = 0; i < r->found_count; i++)
        if (text_ieq(r->found[i].address, address)) {
            if (weight > r->found[i].weight) {
                r->found[i].address = address; /* a stretch of that line */
                r->found[i].weight = weight;
                r->at_line[i] = line;
            }
            return;
        }
    if (r->found_count == NOTICE_ADDRESSES_MAX)
        return;
    r->at_line[r->found_count] = line;
    r->found[r->found_count++] = (struct notice_recipient){.address = address, .weight = weight};
}

/* "A message sent by", the address on a line of its own: that is the sender. */
static bool leads_to_sender(struct text line)
{
    line = text_trim(line);
    return text_iends(line, TEXT("sent by")) || text_iends(line, TEXT("sent by:")) ||
           text_iends(line, TEXT("message from")) || text_iends(line, TEXT("message from:"));
}

/* A quotation of a transcript may hold the addresses of the sender: "MAIL FROM:<...>". */
static void weigh_lines(struct reading *r)
{
    bool sender_next = false;
    int led = 0; /* lines since something was said that leads to recipients */
    for (size_t i = 0; i < r->line_count; i++) {
        struct text line = r->lines[i], address;
        size_t pos = 0;
        bool any = false;
        for (int n = 0; n < LINE_ADDRESSES_MAX && notice_address(line, &pos, &address); n++) {
            any = true;
            /* somebody may have written to himself */
            note(r, address,
                 weigh(line, address, led > 0) - (is_own(r, address) ? 3 : 0) -
                     (sender_next ? 6 : 0),
                 i);
        }
        if (text_trim(line).n > 0)
            sender_next = leads_to_sender(line);
        if (HAS(line, failure_words))
            led = 8;
        else if (led > 0 && !any && text_trim(line).n > 0)
            led--;
    }
}

/* -- Reasons ----------------------------------------------------------------------------------- */

static bool line_has_other(const struct reading *r, size_t line, size_t but)
{
    for (size_t i = 0; i < r->found_count; i++)
        if (i != but && r->at_line[i] == line && r->found[i].weight >= 3)
            return true;
    return false;
}

static void add_line(struct buf *b, struct text line)
{
    line = text_trim(line);
    if (line.n == 0)
        return;
    if (b->len > 0)
        buf_addc(b, ' ');
    buf_add_text(b, line);
}

/* What stands behind the address and in the lines below, to the next address or, once something has
 * been said, the next empty line. */
static struct text reason_of(const struct reading *r, size_t which)
{
    struct buf b = {.max = NOTICE_REASON_BYTES};
    size_t at = r->at_line[which];
    struct text line = r->lines[at], address = r->found[which].address, found;
    size_t pos = 0, from = 0;
    while (notice_address(line, &pos, &found))
        if (text_ieq(found, address))
            break;
    from = pos;
    while (from < line.n && strchr(">:. ,;)]\"'", line.p[from]))
        from++;
    add_line(&b, text_cut(line, from, line.n));
    if (b.len < 12 && !stands_alone(line, address)) { /* the sentence that the address is in */
        buf_clear(&b);
        add_line(&b, line);
    }
    for (size_t i = at + 1; i < r->line_count && i < at + 12; i++) {
        bool blank = text_trim(r->lines[i]).n == 0;
        if (line_has_other(r, i, which) || (blank && b.len > 12))
            break;
        add_line(&b, r->lines[i]);
    }
    struct text reason = arena_text(r->arena, buf_text(&b));
    buf_fini(&b);
    return reason.p ? reason : TEXT("");
}

/* Replies about this address elsewhere in a transcript. */
static struct text replies_about(const struct reading *r, struct text address)
{
    struct buf b = {.max = NOTICE_REASON_BYTES};
    for (size_t i = 0; i < r->line_count; i++)
        if (text_ifind(r->lines[i], address) < r->lines[i].n && quotes_reply(r->lines[i]))
            add_line(&b, r->lines[i]);
    struct text t = arena_text(r->arena, buf_text(&b));
    buf_fini(&b);
    return t.p ? t : TEXT("");
}

/* -- All of it --------------------------------------------------------------------------------- */

/* Splits into lines up to the returned message. */
static enum tide_err take_lines(struct reading *r,
                                struct text body,
                                struct text *ret_rest,
                                struct tide_error *err)
{
    struct text line;
    r->lines = arena_array(r->arena, NOTICE_LINES_MAX, sizeof *r->lines);
    if (!r->lines)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a notice");
    *ret_rest = TEXT("");
    bool said = false;
    while (r->line_count < NOTICE_LINES_MAX) {
        struct text before = body;
        if (!text_split(&body, '\n', &line))
            break;
        line = text_cut(line, 0, NOTICE_LINE_BYTES);
        if (said && is_mark(line)) {
            *ret_rest = body;
            break;
        }
        if (said && is_head(line)) {
            *ret_rest = before;
            break;
        }
        said |= text_trim(line).n > 0;
        r->lines[r->line_count++] = line;
    }
    return TIDE_OK;
}

static struct text joined(const struct reading *r, bool replies_only)
{
    struct buf b = {.max = 8 * 1024};
    for (size_t i = 0; i < r->line_count; i++)
        if (!replies_only || quotes_reply(r->lines[i]))
            add_line(&b, r->lines[i]);
    struct text t = arena_text(r->arena, buf_text(&b));
    buf_fini(&b);
    return t.p ? t : TEXT("");
}

/* Those that are sure enough, and of these none that is much less sure than the best. In a report
 * in a language that is not read here, addresses that stand alone are all there is. */
static void keep_sure(struct reading *r)
{
    int best = 0, least = 3;
    size_t kept = 0;
    for (size_t i = 0; i < r->found_count; i++)
        best = TIDE_MAX(best, r->found[i].weight);
    if (best < least)
        least = 2;
    for (size_t i = 0; i < r->found_count; i++)
        if (r->found[i].weight >= least && r->found[i].weight + 5 > best) {
            r->at_line[kept] = r->at_line[i];
            r->found[kept++] = r->found[i];
        }
    r->found_count = kept;
}

/* "(ultimately generated from ann@example.com)", "(expanded from: ann)": behind the address or in
 * the line below. Whom we wrote to stands there, and is no second recipient. */
static void link_original(struct reading *r, size_t which)
{
    static const char *const words[] = {"generated from", "expanded from"};
    for (size_t i = r->at_line[which]; i < r->line_count && i <= r->at_line[which] + 1; i++) {
        struct text line = r->lines[i], address;
        for (size_t k = 0; k < TIDE_COUNT(words); k++) {
            size_t pos = text_ifind(line, text_of(words[k]));
            if (pos == line.n || !notice_address(line, &pos, &address) ||
                text_ieq(address, r->found[which].address))
                continue;
            r->found[which].original = address;
            return;
        }
    }
}

static void drop_originals(struct reading *r)
{
    for (size_t i = 0; i < r->found_count; i++)
        if (r->found[i].weight > 0)
            link_original(r, i);
    for (size_t i = 0; i < r->found_count; i++)
        for (size_t k = 0; k < r->found_count; k++)
            if (i != k && r->found[i].weight >= 3 && r->found[i].original.n > 0 &&
                text_ieq(r->found[i].original, r->found[k].address))
                r->found[k].weight = 0;
}

enum tide_err notice_read(struct text body,
                          const struct text *not_these,
                          size_t not_count,
                          struct arena *a,
                          struct notice *ret,
                          struct tide_error *err)
{
    struct reading r = {.arena = a, .not_these = not_these, .not_count = not_count};
    struct notice n = {0};
    r.found = arena_array(a, NOTICE_ADDRESSES_MAX, sizeof *r.found);
    r.at_line = arena_array(a, NOTICE_ADDRESSES_MAX, sizeof *r.at_line);
    if (!r.found || !r.at_line)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a notice");
    enum tide_err rc = take_lines(&r, body, &n.rest, err);
    if (rc != TIDE_OK)
        return rc;
    weigh_lines(&r);
    drop_originals(&r);
    keep_sure(&r);
    for (size_t i = 0; i < r.found_count; i++) {
        struct text about = replies_about(&r, r.found[i].address);
        r.found[i].reason = about.n > 0 ? about : reason_of(&r, i);
    }
    for (size_t i = 0; i < r.found_count; i++)
        r.found[i].begins = begins_line(without_code(r.lines[r.at_line[i]]), r.found[i].address);
    n.recipients = r.found;
    n.recipient_count = r.found_count;
    n.said = joined(&r, false);
    n.replies = joined(&r, true);
    n.tone = notice_tone_of(n.said);
    *ret = n;
    return TIDE_OK;
}
