#include "core/outcome/explain.h"

#include "core/config/limits.h"
#include "core/outcome/mbox.h"

#include <stdio.h>

#define HOST_BYTES 254
#define WORDS_MAX  500 /* of a text that are looked at for hosts */

struct text explain_provider_of_host(const struct provider_index *providers, struct text host)
{
    char low[HOST_BYTES];
    if (!providers || host.n == 0 || host.n >= sizeof low)
        return TEXT("");
    for (size_t i = 0; i < host.n; i++)
        low[i] = ascii_lower(host.p[i]);
    struct text name = {low, host.n};
    struct provider_match m = provider_match(providers, TEXT(""), &name, 1);
    const struct profile *p = m.provider ? m.provider : m.gateway;
    return p ? text_of(p->name) : TEXT("");
}

struct text explain_provider_told(const struct provider_index *providers, struct text words)
{
    size_t at = 0, dots = 0;
    for (int count = 0; count < WORDS_MAX && at < words.n; count++) {
        size_t start = at;
        dots = 0;
        for (; at < words.n && (ascii_is_alnum(words.p[at]) || strchr("-.", words.p[at])); at++)
            dots += words.p[at] == '.';
        struct text word = text_cut(words, start, at - start);
        while (word.n > 0 && word.p[word.n - 1] == '.')
            word.n--;
        bool in_address = start > 0 && strchr("@<_", words.p[start - 1]);
        if (dots > 1 && !in_address && explain_provider_of_host(providers, word).n > 0)
            return explain_provider_of_host(providers, word);
        at += at < words.n;
    }
    return TEXT("");
}

struct text explain_provider_named(const struct profiles *all,
                                   const struct provider_index *providers,
                                   struct text given)
{
    const struct profile *p = profiles_provider(all, given);
    if (p)
        return text_of(p->name);
    struct text provider = explain_provider_of_host(providers, given);
    for (size_t i = 0; i < all->provider_count && provider.n == 0; i++)
        for (size_t k = 0; k < all->providers[i].domain_count; k++)
            if (text_ieq(text_of(all->providers[i].domains[k]), given))
                provider = text_of(all->providers[i].name);
    return provider;
}

void explain_words(const struct explainer *x,
                   struct text words,
                   struct text provider,
                   struct reply_said *ret_said,
                   struct meaning *ret)
{
    reply_said_of(text_trim(words), ret_said);
    ret_said->provider =
        provider.n > 0 ? provider : explain_provider_told(x->providers, ret_said->words);
    meaning_of(x->rules, ret_said, ret);
}

enum tide_err explain_mails(const struct explainer *x,
                            struct text file,
                            struct arena *arena,
                            struct bounce **ret,
                            size_t *ret_count,
                            struct tide_error *err)
{
    struct text mail;
    enum tide_err rc = TIDE_OK;
    size_t n = 0;
    struct bounce *mails = arena_array(arena, EXPLAIN_MAILS_MAX, sizeof *mails);
    if (!mails)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for the mails of a file");
    for (; rc == TIDE_OK && n < EXPLAIN_MAILS_MAX && mbox_next(&file, &mail); n++)
        rc = bounce_read(mail, x->rules, x->providers, arena, &mails[n], err);
    if (rc == TIDE_OK && n == 0)
        rc = tide_fail(err, TIDE_EINVAL, "want a mail, got nothing");
    *ret = mails;
    *ret_count = n;
    return rc;
}

const char *explain_fault(enum reply_fault f)
{
    static const char *const texts[] = {
        [FAULT_UNKNOWN] = "the reply does not say whose",
        [FAULT_RECIPIENT] = "the recipient's: the address or its mailbox",
        [FAULT_OURS] = "ours: DNS, authentication, reputation or the account",
        [FAULT_THEIR_LIMIT] = "nobody's: a limit of theirs, which passes",
        [FAULT_THEIR_OUTAGE] = "theirs: their system, or the way to it, does not work",
        [FAULT_CONTENT] = "this message's",
        [FAULT_POLICY] = "nobody's: they do not want this mail, or not from this sender",
    };
    return texts[f];
}

static void put_status(struct json_writer *w, const int status[3])
{
    char text[40];
    snprintf(text, sizeof text, "%d.%d.%d", status[0], status[1], status[2]);
    jw_str(w, "status", status[0] ? text : NULL);
}

static void put_limit(struct json_writer *w, const struct reply_rule *rule)
{
    static const char *const scopes[] = {
        [LIMIT_RECIPIENT] = "recipient",
        [LIMIT_PAIR] = "pair",
        [LIMIT_DOMAIN] = "domain",
        [LIMIT_PROVIDER] = "provider",
        [LIMIT_SENDER_DOMAIN_PROVIDER] = "sender-domain-provider",
        [LIMIT_IP_PROVIDER] = "ip-provider",
        [LIMIT_IP_DOMAIN] = "ip-domain",
        [LIMIT_ACCOUNT] = "account",
        [LIMIT_ACCOUNT_STREAM] = "account-stream",
    };
    char window[64];
    if (!rule || !rule->has_limit) {
        jw_null(w, "limit");
        return;
    }
    jw_object(w, "limit");
    jw_str(w, "scope", scopes[rule->scope]);
    jw_str(w, "window", limits_window_text(&rule->window, window));
    jw_str(w, "zone", rule->window.zone);
    jw_end(w);
}

void explain_put_meaning(struct json_writer *w,
                         const struct reply_said *said,
                         const struct meaning *m)
{
    static const char *const bases[] = {[BASIS_NOTHING] = "nothing",
                                        [BASIS_CODE] = "code",
                                        [BASIS_WORDS] = "words",
                                        [BASIS_TEXT] = "text"};
    char consequence[512];
    jw_text(w, "said", said->words);
    jw_text_or_null(w, "provider", said->provider);
    if (said->code)
        jw_int(w, "code", said->code);
    else
        jw_null(w, "code");
    put_status(w, said->status);
    jw_str(w, "stage", said->stage >= 0 ? reply_stage_name((enum reply_stage)said->stage) : NULL);
    jw_str(w, "class", reply_class_name(m->class));
    jw_str(w, "fault", reply_fault_name(m->fault));
    jw_str(w, "retry", reply_retry_name(m->retry));
    jw_str(w, "cause", m->cause);
    jw_str(w, "advice", m->advice);
    jw_str(w, "consequence", meaning_consequence(m, consequence, sizeof consequence));
    put_limit(w, m->rule);
    if (m->rule && m->rule->wait_ms)
        jw_int(w, "wait_ms", m->rule->wait_ms);
    else
        jw_null(w, "wait_ms");
    jw_str(w, "basis", bases[m->basis]);
    jw_str(w, "evidence", m->evidence[0] ? m->evidence : NULL);
    jw_str(w, "rule", m->rule ? m->rule->name : NULL);
    jw_str(w, "reference", m->rule ? m->rule->reference : NULL);
    jw_str(w, "date", m->rule ? m->rule->date : NULL);
}

struct explain_complaint explain_complaint_of(struct text type)
{
    if (text_ieq(type, TEXT("auth-failure")))
        return (struct explain_complaint){
            "A provider reports that a mail in the name of the domain failed SPF, DKIM or DMARC "
            "(RFC 6591).",
            "Look whether it was one of yours; if it was, mend its signature or the SPF record.",
            "Nothing follows for the recipient."};
    if (text_ieq(type, TEXT("not-spam")))
        return (struct explain_complaint){"Somebody took a mail out of the spam folder (RFC 5965).",
                                          "There is nothing to do; it speaks for the sender.",
                                          "Nothing follows for the recipient."};
    if (text_istarts(type, TEXT("opt-out")))
        return (struct explain_complaint){"The recipient wants no more of this mail (RFC 5965).",
                                          "Take the recipient off the list.",
                                          "Send this recipient nothing more of this kind."};
    return (struct explain_complaint){
        "The recipient, or a filter in their stead, called the mail spam (RFC 5965).",
        "See whether this recipient asked for the mail, and make it easy to leave. Complaints "
        "above "
        "one in a thousand mails cost the sender's reputation.",
        "Send this recipient nothing more."};
}

static void put_head(struct json_writer *w, const struct bounce *b)
{
    jw_str(w, "kind", bounce_kind_name(b->kind));
    jw_text_or_null(w, "subject", b->subject);
    jw_text_or_null(w, "from", b->from);
    jw_text_or_null(w, "sent_to", b->sent_to);
    jw_text_or_null(w, "original_message_id", b->original_id);
    jw_text_or_null(w, "original_subject", b->original_subject);
    jw_text_or_null(w, "envelope_id", b->envelope_id);
    jw_text_or_null(w, "reporting_mta", b->reporting_mta);
    if (b->kind == BOUNCE_COMPLAINT) {
        struct explain_complaint c = explain_complaint_of(b->complaint.type);
        jw_text_or_null(w, "complaint", b->complaint.type);
        jw_str(w, "cause", c.cause);
        jw_str(w, "advice", c.advice);
        jw_str(w, "consequence", c.consequence);
    }
}

/* `mail`: its number; 0: it is the only one. */
static void put_recipients(struct json_writer *w, const struct bounce *b, size_t mail)
{
    for (size_t i = 0; i < b->recipient_count; i++) {
        const struct bounce_recipient *r = &b->recipients[i];
        struct reply_said said = {
            .provider = r->provider, .stage = r->stage, .code = r->code, .words = r->said};
        memcpy(said.status, r->status, sizeof said.status);
        jw_object(w, NULL);
        if (mail > 0)
            jw_int(w, "mail", (int64_t)mail);
        jw_text(w, "address", r->address);
        jw_text_or_null(w, "final_address", r->final);
        jw_text_or_null(w, "action", text_of(dsn_action_name(r->action)));
        if (b->kind == BOUNCE_REPORT)
            explain_put_meaning(w, &said, &r->meaning);
        jw_end(w);
    }
}

void explain_put_bounces(struct json_writer *w, const struct bounce *mails, size_t count)
{
    size_t report = 0;
    while (report + 1 < count && mails[report].kind == BOUNCE_OTHER)
        report++;
    put_head(w, mails[report].kind == BOUNCE_OTHER ? &mails[0] : &mails[report]);
    if (count > 1) {
        jw_array(w, "mails");
        for (size_t i = 0; i < count; i++) {
            jw_object(w, NULL);
            put_head(w, &mails[i]);
            jw_end(w);
        }
        jw_end(w);
    }
    jw_array(w, "recipients");
    for (size_t i = 0; i < count; i++)
        put_recipients(w, &mails[i], count > 1 ? i + 1 : 0);
    jw_end(w);
}
