#include "core/outcome/bounce.h"

#include "base/macros.h"
#include "core/outcome/bounce_signs.h"
#include "core/outcome/bounce_words.h"
#include "core/outcome/event_mail.h"
#include "core/outcome/explain.h"

const char *bounce_kind_name(enum bounce_kind k)
{
    static const char *const names[] = {
        [BOUNCE_OTHER] = "other",         [BOUNCE_REPORT] = "report",
        [BOUNCE_COMPLAINT] = "complaint", [BOUNCE_AUTOREPLY] = "autoreply",
        [BOUNCE_RECEIPT] = "receipt",
    };
    return names[k];
}

/* -- Recipients -------------------------------------------------------------------------------- */

/* How much a status says: "5.0.0" nothing, "5.1.0" a subject, "5.1.1" all. */
static int weight_of(const int status[3])
{
    return status[0] == 0 ? 0 : status[2] ? 3 : status[1] ? 2 : 1;
}

/* Of the report's own field and the reply that it quotes, the one that says more; of equals the
 * reply, which the field was made from. */
static void choose_status(struct bounce_recipient *r, const struct reply_said *said)
{
    if (said->status[0] > 2 && weight_of(said->status) >= weight_of(r->status))
        memcpy(r->status, said->status, sizeof r->status);
    if (r->code == 0)
        r->code = said->code;
}

static bool is_expired(const int status[3])
{
    return status[1] == 4 && status[2] == 7;
}

/* "4.4.7" says that the time ran out; what it ran out over is said elsewhere, or not at all. */
static void look_behind_expiry(struct bounce_recipient *to, const struct text *texts, size_t count)
{
    for (size_t i = 0; i < count && is_expired(to->status); i++) {
        struct reply_said said = {0};
        reply_said_of(texts[i], &said);
        if (weight_of(said.status) == 3)
            memcpy(to->status, said.status, sizeof to->status);
    }
}

/* "Status: 5.5.0" for a reply that had none is the reporter's own. Where the transcript has one
 * that a server sent, and that says no less, it is nearer to the truth. */
static void look_in_transcript(struct bounce_recipient *to, struct text diagnostic, struct text all)
{
    struct reply_said said = {0};
    if (weight_of(to->status) != 2)
        return;
    reply_said_of(diagnostic, &said);
    if (said.code == 0 || said.status[0] != 0)
        return;
    for (size_t at; (at = text_ifind(all, TEXT("<<< "))) < all.n;) {
        all = text_cut(all, at + 4, all.n);
        reply_said_of(text_cut(all, 0, text_ifind(all, TEXT(" <<< "))), &said);
        if (said.code >= 400 && said.status[0] == said.code / 100 && weight_of(said.status) >= 2) {
            memcpy(to->status, said.status, sizeof to->status);
            to->code = said.code;
            return;
        }
    }
}

/* Classifies by the text that a rule knows best: by its words before by a code, and of equals the
 * first. The code and status are those of the first text that has them. */
static void classify(const struct bounce_reading *r,
                     struct bounce_recipient *to,
                     const struct text *texts,
                     size_t count)
{
    bool any = false, settled = false;
    for (size_t i = 0; i < count && to->meaning.basis != BASIS_TEXT; i++) {
        struct reply_said said = {0};
        struct meaning m;
        if (texts[i].n == 0 && (any || i + 1 < count))
            continue;
        reply_said_of(texts[i], &said);
        said.provider =
            to->provider.n ? to->provider : explain_provider_told(r->providers, texts[i]);
        if (!settled)
            choose_status(to, &said);
        settled |= !is_expired(to->status) && (to->code != 0 || weight_of(to->status) == 3);
        if (said.status[0] == 0)
            memcpy(said.status, to->status, sizeof said.status);
        meaning_of(r->rules, &said, &m);
        if (m.basis == BASIS_WORDS && i > 0)
            continue; /* the whole of a notice has words of all sorts */
        if (!any || m.basis > to->meaning.basis) {
            to->meaning = m;
            to->said = texts[i];
            to->provider = said.provider;
            to->stage = said.stage;
        }
        any = true;
    }
    if (!any) { /* words alone, of a text that they do not count in */
        struct reply_said said = {.stage = -1, .code = to->code};
        memcpy(said.status, to->status, sizeof said.status);
        meaning_of(r->rules, &said, &to->meaning);
    }
    look_behind_expiry(to, texts, count);
    for (size_t i = 0; i < count && to->code == 0 && to->status[0] == 0; i++) {
        struct reply_said said = {0};
        reply_said_of(texts[i], &said);
        choose_status(to, &said);
    }
}

static struct bounce_recipient *add(struct bounce *b, struct text address, struct text final)
{
    for (size_t i = 0; i < b->recipient_count; i++)
        if (text_ieq(b->recipients[i].address, address) && text_ieq(b->recipients[i].final, final))
            return NULL;
    if (b->recipient_count == BOUNCE_RECIPIENTS_MAX)
        return NULL;
    struct bounce_recipient *r = &b->recipients[b->recipient_count++];
    *r = (struct bounce_recipient){.address = address, .final = final, .stage = -1};
    return r;
}

static const struct notice_recipient *noticed(const struct notice *n, struct text address)
{
    for (size_t i = 0; i < n->recipient_count; i++)
        if (text_ieq(n->recipients[i].address, address))
            return &n->recipients[i];
    return NULL;
}

static bool is_address(struct text t)
{
    size_t at = text_find(t, '@');
    return at > 0 && at + 1 < t.n && t.p[0] != '/' && t.p[0] != '|';
}

/* Whose words they are: some replies mean what they mean at one provider only. */
static struct text with_host(struct bounce_reading *r,
                             struct text said,
                             const struct dsn_recipient *from)
{
    if (said.n == 0 || from->remote_mta.n == 0 || text_ifind(said, from->remote_mta) < said.n)
        return said;
    char *z = arena_printf(r->arena, "host " TEXT_FMT " said: " TEXT_FMT,
                           TEXT_ARG(text_cut(from->remote_mta, 0, 255)), TEXT_ARG(said));
    return z ? text_of(z) : said;
}

/* "The user's account is disabled.", and below it "550 user unknown": the heading says more. */
static void take_heading(const struct bounce_reading *r,
                         struct bounce_recipient *to,
                         struct text heading)
{
    struct reply_said said = {.provider = to->provider, .stage = -1};
    struct meaning m;
    if (heading.n == 0 || to->meaning.class != CLASS_RECIPIENT)
        return;
    reply_said_of(heading, &said);
    meaning_of(r->rules, &said, &m);
    if (m.basis == BASIS_TEXT &&
        (m.class == CLASS_DISABLED || m.class == CLASS_FULL || m.class == CLASS_MOVED)) {
        to->meaning = m;
        to->said = heading;
    }
}

static void take_dsn(struct bounce_reading *r,
                     const struct dsn *d,
                     const struct notice *n,
                     struct bounce *b)
{
    for (size_t i = 0; i < d->recipient_count; i++) {
        const struct dsn_recipient *from = &d->recipients[i];
        struct text address = is_address(from->original) ? from->original : from->final;
        if (!is_address(address) && d->recipient_count == 1 && n->recipient_count == 1)
            address = n->recipients[0].address;
        if (!is_address(address))
            continue; /* a program, a file, a queue: not whom we wrote to */
        struct bounce_recipient *to = add(b, address, from->final);
        if (!to)
            continue;
        const struct notice_recipient *in_text = noticed(n, address);
        if (!in_text)
            in_text = noticed(n, from->final);
        to->action = from->action;
        to->remote_mta = from->remote_mta;
        to->provider = explain_provider_of_host(r->providers, from->remote_mta);
        memcpy(to->status, from->status, sizeof to->status);
        if (to->action == DSN_NO_ACTION)
            to->action = n->tone == NOTICE_DELAY || from->status[0] == 4 ? DSN_DELAYED
                         : from->status[0] == 2                          ? DSN_DELIVERED
                                                                         : DSN_FAILED;
        struct text written = in_text ? in_text->reason : TEXT("");
        struct text core = text_cut(from->diagnostic, 0, 40);
        bool fuller =
            core.n > 10 && written.n > from->diagnostic.n && text_ifind(written, core) < written.n;
        const struct text texts[] = {with_host(r, fuller ? written : from->diagnostic, from),
                                     written, n->replies, n->said};
        classify(r, to, texts, TIDE_COUNT(texts));
        look_in_transcript(to, from->diagnostic, n->replies);
        if (in_text)
            take_heading(r, to, in_text->heading);
    }
}

static void take_notice(struct bounce_reading *r, const struct notice *n, struct bounce *b)
{
    for (size_t i = 0; i < n->recipient_count; i++) {
        const struct notice_recipient *from = &n->recipients[i];
        struct bounce_recipient *to =
            add(b, from->original.n ? from->original : from->address, from->address);
        if (!to)
            continue;
        to->action = n->tone == NOTICE_DELAY      ? DSN_DELAYED
                     : n->tone == NOTICE_DELIVERY ? DSN_DELIVERED
                                                  : DSN_FAILED;
        const struct text texts[] = {from->reason, n->replies, n->said, b->subject};
        classify(r, to, texts, TIDE_COUNT(texts));
        take_heading(r, to, from->heading);
    }
}

/* -- Whom it is about, when the notice does not say ---------------------------------------------
 */

static struct text address_in(struct text t)
{
    size_t pos = 0;
    struct text found;
    return notice_address(t, &pos, &found) ? found : TEXT("");
}

static void add_unsaid(struct bounce_reading *r,
                       const struct notice *n,
                       struct text list,
                       struct bounce *b)
{
    size_t pos = 0;
    struct text address;
    while (notice_address(list, &pos, &address)) {
        address = arena_text(r->arena, address);
        struct bounce_recipient *to = add(b, address, address);
        if (!to)
            continue;
        to->action = n->tone == NOTICE_DELAY ? DSN_DELAYED : DSN_FAILED;
        const struct text texts[] = {n->replies, n->said, b->subject};
        classify(r, to, texts, TIDE_COUNT(texts));
    }
}

/* Fields that mail systems put in front, then whom the returned message was for. */
static void take_unsaid(struct bounce_reading *r, const struct notice *n, struct bounce *b)
{
    static const char *const fields[] = {"X-Failed-Recipients", "X-Actual-Recipient",
                                         "Original-Recipient"};
    static const char *const originals[] = {"X-Envelope-To", "Envelope-To", "Delivered-To", "To",
                                            "Cc"};
    for (size_t i = 0; i < TIDE_COUNT(fields); i++)
        add_unsaid(r, n, message_raw_value(&r->mail, text_of(fields[i]), r->arena), b);
    for (size_t i = 0;
         i < TIDE_COUNT(originals) && r->parts.has_original && b->recipient_count == 0; i++) {
        struct text list = message_raw_value(&r->parts.original, text_of(originals[i]), r->arena);
        if (text_ieq(address_in(list), b->sent_to))
            continue; /* a forwarder's own field */
        add_unsaid(r, n, list, b);
    }
}

/* -- Which of our mails ------------------------------------------------------------------------ */

static void find_original(struct bounce_reading *r, struct bounce *b)
{
    if (r->parts.has_original) {
        b->original_id = message_first_id(&r->parts.original, TEXT("Message-ID"), r->arena);
        b->original_subject = message_value(&r->parts.original, TEXT("Subject"), r->arena);
        b->original_from =
            address_in(message_raw_value(&r->parts.original, TEXT("From"), r->arena));
    }
    if (b->original_id.n == 0)
        b->original_id = message_first_id(&r->mail, TEXT("In-Reply-To"), r->arena);
    if (b->original_id.n == 0)
        b->original_id = message_first_id(&r->mail, TEXT("References"), r->arena);
}

static void read_head(struct bounce_reading *r, struct bounce *b)
{
    static const char *const for_whom[] = {"To", "Delivered-To", "X-Original-To"};
    b->subject = message_value(&r->mail, TEXT("Subject"), r->arena);
    b->from = message_value(&r->mail, TEXT("From"), r->arena);
    for (size_t i = 0; i < TIDE_COUNT(for_whom) && b->sent_to.n == 0; i++)
        b->sent_to = address_in(message_raw_value(&r->mail, text_of(for_whom[i]), r->arena));
}

static enum tide_err read_notice(struct bounce_reading *r,
                                 const struct bounce *b,
                                 struct notice *n,
                                 struct tide_error *err)
{
    struct text not_these[] = {
        b->sent_to,
        address_in(b->from),
        r->parts.has_original
            ? address_in(message_raw_value(&r->parts.original, TEXT("From"), r->arena))
            : TEXT(""),
    };
    struct text home = text_cut(not_these[1], text_find(not_these[1], '@') + 1, not_these[1].n);
    enum tide_err rc = notice_read(arena_text(r->arena, buf_text(&r->parts.text)), not_these,
                                   TIDE_COUNT(not_these), home, r->arena, n, err);
    if (rc == TIDE_OK)
        bounce_parts_original(&r->parts, n->rest);
    return rc;
}

static enum tide_err read_complaint(struct bounce_reading *r,
                                    struct bounce *b,
                                    struct tide_error *err)
{
    enum tide_err rc = arf_read(r->parts.feedback, r->arena, &b->complaint, err);
    if (rc != TIDE_OK)
        return rc;
    b->kind = BOUNCE_COMPLAINT;
    if (b->complaint.type.n == 0)
        b->complaint.type = TEXT("abuse"); /* older than the field */
    b->envelope_id = b->complaint.envelope_id;
    for (size_t i = 0; i < b->complaint.recipient_count; i++)
        add(b, b->complaint.recipients[i], b->complaint.recipients[i]);
    struct text to = r->parts.has_original
                         ? message_raw_value(&r->parts.original, TEXT("To"), r->arena)
                         : TEXT("");
    if (b->recipient_count == 0 && address_in(to).n > 0)
        add(b, address_in(to), address_in(to));
    return TIDE_OK;
}

/* The fields of a report that lost its MIME structure on the way. */
static struct text fields_within(struct bounce_reading *r)
{
    struct text t = buf_text(&r->parts.text);
    size_t at = text_ifind(t, TEXT("\nReporting-MTA:"));
    size_t recipient = text_ifind(t, TEXT("\nFinal-Recipient:"));
    if (recipient == t.n)
        return TEXT("");
    at = TIDE_MIN(at, recipient);
    struct text fields = arena_text(r->arena, text_cut(t, at + 1, t.n));
    return fields.p ? fields : TEXT("");
}

static enum tide_err read_report(struct bounce_reading *r, struct bounce *b, struct tide_error *err)
{
    struct notice n;
    struct dsn d = {0};
    enum tide_err rc = read_notice(r, b, &n, err);
    if (rc == TIDE_OK)
        rc = dsn_read(r->parts.has_status ? r->parts.status : fields_within(r), r->arena, &d, err);
    if (rc != TIDE_OK)
        return rc;
    b->envelope_id = d.envelope_id;
    b->reporting_mta = d.reporting_mta;
    take_dsn(r, &d, &n, b);
    if (b->recipient_count > 0) {
        b->kind = BOUNCE_REPORT;
        return TIDE_OK;
    }
    bool returns_mail = r->parts.has_original || n.rest.n > 0;
    int signs = bounce_signs(r, b, &n); /* some mail systems call their own reports auto-replied */
    if (signs < 3 && bounce_is_autoreply(r, b->subject)) {
        b->kind = BOUNCE_AUTOREPLY;
        return TIDE_OK;
    }
    if (signs < 2 ||
        (!r->parts.has_status && !bounce_from_system(r, b) && !bounce_listed(r, &n, b)))
        return TIDE_OK;
    if (!n.names)
        take_notice(r, &n, b);
    if (b->recipient_count == 0)
        take_unsaid(r, &n, b);
    if (b->recipient_count == 0)
        take_notice(r, &n, b);
    if (b->recipient_count == 1 && text_ieq(b->recipients[0].address, b->sent_to) &&
        !returns_mail && !(bounce_null_path(r) && bounce_sender_of(b->from) == SENDER_DAEMON)) {
        b->recipient_count = 0; /* "your mailbox is full", "you are off the list": for its reader */
        return TIDE_OK;
    }
    bool answerable = message_has(&r->mail, TEXT("Return-Path")) && !bounce_null_path(r);
    if (b->recipient_count > 0 || (signs >= 3 && (returns_mail || !answerable)))
        b->kind = BOUNCE_REPORT;
    return TIDE_OK;
}

/* An ESP's event that came as a mail. False: it is none. */
static bool read_event(struct bounce_reading *r, struct bounce *b)
{
    struct event_mail e;
    const struct notice nothing = {0};
    if (!event_mail_read(buf_text(&r->parts.text), r->arena, &e))
        return false;
    b->kind = e.complaint ? BOUNCE_COMPLAINT : BOUNCE_REPORT;
    b->complaint = e.arf;
    if (e.complaint && e.arf.type.n == 0)
        b->complaint.type = TEXT("abuse"); /* SES leaves it out where the provider did */
    b->reporting_mta = e.dsn.reporting_mta;
    b->original_id = e.mail_id;
    b->original_from = e.mail_from;
    b->original_subject = e.subject;
    take_dsn(r, &e.dsn, &nothing, b);
    for (size_t i = 0; i < e.arf.recipient_count; i++)
        add(b, e.arf.recipients[i], e.arf.recipients[i]);
    return true;
}

static enum tide_err read_mail(struct bounce_reading *r, struct bounce *b, struct tide_error *err)
{
    b->recipients = arena_array(r->arena, BOUNCE_RECIPIENTS_MAX, sizeof *b->recipients);
    if (!b->recipients)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a bounce");
    bounce_parts_take(&r->parts, &r->mail);
    read_head(r, b);
    enum tide_err rc = TIDE_OK;
    if (read_event(r, b))
        return TIDE_OK;
    if (r->parts.has_feedback || bounce_is_old_complaint(r, b))
        rc = read_complaint(r, b, err);
    else if (r->parts.has_receipt)
        b->kind = BOUNCE_RECEIPT;
    else
        rc = read_report(r, b, err);
    if (rc == TIDE_OK)
        find_original(r, b);
    return rc;
}

enum tide_err bounce_read(struct text bytes,
                          const struct rulebook *rules,
                          const struct provider_index *providers,
                          struct arena *a,
                          struct bounce *ret,
                          struct tide_error *err)
{
    struct bounce_reading r = {
        .rules = rules, .providers = providers, .arena = a, .parts = {.arena = a}};
    struct bounce b = {0};
    struct buf whole = {0};
    struct tide_error ignored;
    bytes = text_cut(bytes, 0, BOUNCE_BYTES_MAX);
    while (bytes.n > 0 && strchr(" \t\r\n", bytes.p[0]))
        bytes = text_cut(bytes, 1, bytes.n); /* a file of mail often begins with empty lines */
    enum tide_err rc = message_normalise(bytes, &whole, &ignored);
    if (rc == TIDE_ENOMEM) {
        buf_fini(&whole);
        return tide_fail(err, rc, "out of memory for a bounce");
    }
    struct text kept = arena_text(a, rc == TIDE_OK ? buf_text(&whole) : bytes);
    buf_fini(&whole);
    if (!kept.p && bytes.n > 0)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a bounce");
    message_open_part(kept, &r.mail); /* takes what message_open() would name as wrong */
    rc = read_mail(&r, &b, err);
    bounce_parts_fini(&r.parts);
    if (rc == TIDE_OK)
        *ret = b;
    return rc;
}
