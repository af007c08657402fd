#include "core/outcome/notice.h"

#include "base/buf.h"
#include "base/macros.h"

#define LINE_ADDRESSES_MAX 20 /* each costs a look for all the words below */

#define HAS(t, list) text_ihas((t), (list), TIDE_COUNT(list))

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

/* "... was not delivered to", in several languages. */
static bool ends_with_preposition(struct text lead)
{
    static const char *const words[] = {" to",  " for",  " an",  " a",    " à",  " para",
                                        " aan", " naar", " til", " till", " do", " la",
                                        " для", " на",   "给",   "に"};
    for (size_t i = 0; i < TIDE_COUNT(words); i++)
        if (text_iends(lead, text_of(words[i])))
            return true;
    return false;
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
    else if (ends_with_preposition(lead))
        weight += 2;
    else if (text_iends(lead, TEXT(":")) && lead.n > 1)
        weight += 1;
    if (HAS(line, reason_words))
        weight += 2;
    if (HAS(before, not_recipient_words) && !HAS(before, recipient_words))
        weight -= 6;
    if (text_iends(lead, TEXT("mail from")) || text_iends(lead, TEXT("messages from")) ||
        text_istarts(text_trim(before), TEXT("from:")) ||
        text_istarts(text_trim(before), TEXT("from <")))
        weight -= 6;
    if (text_istarts(address, TEXT("postmaster@")) ||
        text_istarts(address, TEXT("mailer-daemon@")) || text_istarts(address, TEXT("abuse@")))
        weight -= 4;
    return weight;
}

/* "To:" between "Sent:" and "Subject:" shows the mail that failed, with all its recipients: some of
 * them may have it. */
static bool quotes_head(const struct reading *r, size_t line)
{
    static const char *const fields[] = {"subject:", "sent:"};
    struct text t = text_trim(r->lines[line]);
    bool near = false;
    if (!text_istarts(t, TEXT("to:")) && !text_istarts(t, TEXT("cc:")))
        return false;
    for (size_t i = line < 2 ? 0 : line - 2; i < r->line_count && i < line + 4; i++)
        for (size_t k = 0; k < TIDE_COUNT(fields); k++)
            near |= text_istarts(text_trim(r->lines[i]), text_of(fields[k]));
    return near;
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
            int weight = weigh(line, address, led > 0) - (is_own(r, address) ? 3 : 0) -
                         (sender_next ? 6 : 0);
            note(r, address, quotes_head(r, i) ? TIDE_MIN(weight, 2) : weight, i);
        }
        if (text_trim(line).n > 0)
            sender_next = leads_to_sender(line);
        if (notice_leads(line))
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

/* Replies about this address, wherever they are in a transcript. */
static struct text replies_about(const struct reading *r, size_t which)
{
    struct buf b = {.max = NOTICE_REASON_BYTES};
    struct text address = r->found[which].address;
    for (size_t i = 0; i < r->line_count; i++)
        if (text_ifind(r->lines[i], address) < r->lines[i].n && quotes_reply(r->lines[i]))
            add_line(&b, r->lines[i]);
    struct text t = arena_text(r->arena, buf_text(&b));
    buf_fini(&b);
    return t.p ? t : TEXT("");
}

/* Does the line of the address go on below, as Postfix folds what it says? */
static bool is_folded(const struct reading *r, size_t which)
{
    size_t next = r->at_line[which] + 1;
    struct text line = r->lines[r->at_line[which]];
    return next < r->line_count && r->lines[next].n > 0 && strchr(" \t", r->lines[next].p[0]) &&
           line.n > 0 && !strchr(" \t", line.p[0]) && text_trim(r->lines[next]).n > 0;
}

/* What stands with the address; of a transcript its replies, one a line. */
static struct text told_of(const struct reading *r, size_t which)
{
    struct text about = replies_about(r, which);
    if (about.n > 0 && !is_folded(r, which))
        return about;
    struct text reason = reason_of(r, which);
    return reason.n > about.n ? reason : about;
}

/* The last line that is said before the address, or the list that it is in, begins. */
static struct text heading_of(const struct reading *r, size_t which)
{
    for (size_t i = r->at_line[which], looked = 0; i-- > 0 && looked < 12; looked++) {
        struct text line = text_trim(r->lines[i]), address;
        size_t pos = 0;
        if (line.n > 0 && !notice_address(line, &pos, &address) && r->lines[i].p[0] != ' ')
            return line;
    }
    return TEXT("");
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

/* -- Names without a domain -------------------------------------------------------------------- */

static bool is_name(struct text line)
{
    bool letter = false;
    for (size_t i = 0; i < line.n; i++) {
        if (!ascii_is_alnum(line.p[i]) && !strchr("._+-", line.p[i]))
            return false;
        letter |= !ascii_is_digit(line.p[i]);
    }
    return letter && line.n > 1 && line.n <= 64 && ascii_is_alnum(line.p[line.n - 1]);
}

/* "Your mail to the following recipients could not be delivered:", below it names of mailboxes at
 * the system that writes, one a line. Only where no address was found. */
static void take_names(struct reading *r, struct text home)
{
    int led = 0;
    bool listing = false;
    for (size_t i = 0; i < r->line_count && r->found_count < NOTICE_ADDRESSES_MAX; i++) {
        struct text line = text_trim(r->lines[i]);
        if (line.n == 0)
            continue;
        if (listing && is_name(line)) {
            char *z = arena_printf(r->arena, TEXT_FMT "@" TEXT_FMT, TEXT_ARG(line), TEXT_ARG(home));
            if (z)
                r->found[r->found_count++] =
                    (struct notice_recipient){.address = text_of(z), .begins = true, .weight = 3};
            continue;
        }
        led = notice_leads(line) ? 3 : led - 1;
        listing = led > 0 && line.p[line.n - 1] == ':';
    }
}

enum tide_err notice_read(struct text body,
                          const struct text *not_these,
                          size_t not_count,
                          struct text home,
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
    for (size_t i = 0; i < r.found_count; i++)
        r.found[i].reason = told_of(&r, i);
    for (size_t i = 0; i < r.found_count; i++)
        r.found[i].heading = heading_of(&r, i);
    for (size_t i = 0; i < r.found_count; i++)
        r.found[i].begins = begins_line(without_code(r.lines[r.at_line[i]]), r.found[i].address);
    n.names = r.found_count == 0 && home.n > 0;
    if (n.names)
        take_names(&r, home);
    n.recipients = r.found;
    n.recipient_count = r.found_count;
    n.said = joined(&r, false);
    n.replies = joined(&r, true);
    n.tone = notice_tone_of(n.said);
    *ret = n;
    return TIDE_OK;
}
