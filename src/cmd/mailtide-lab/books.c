#include "cmd/mailtide-lab/books.h"

#include "base/map.h"
#include "core/digest/message.h"

#include <stdlib.h>

static void *added(void **array, size_t *count, size_t *cap, size_t size)
{
    if (*count == *cap) {
        size_t more = *cap ? 2 * *cap : 64;
        void *bigger = realloc(*array, more * size);
        if (!bigger)
            return NULL;
        *array = bigger;
        *cap = more;
    }
    return (char *)*array + (*count)++ * size;
}

void books_note(struct books *b, const struct book_attempt *a)
{
    struct book_attempt *mine =
        added((void **)&b->attempts, &b->attempt_count, &b->attempt_cap, sizeof *mine);
    if (!mine) {
        b->lost++;
        return;
    }
    *mine = *a;
    mine->peer = arena_text(&b->memory, a->peer);
    mine->helo = arena_text(&b->memory, a->helo);
    mine->sender = arena_text(&b->memory, a->sender);
    mine->mailbox = arena_text(&b->memory, a->mailbox);
    mine->reply = arena_text(&b->memory, a->reply);
}

static void read_head(struct books *b, struct book_mail *m)
{
    struct message message;
    struct tide_error err;
    int64_t count;
    if (message_open(m->message, &message, &err) != TIDE_OK)
        return; /* the bytes are there to look at */
    m->subject = message_value(&message, TEXT("Subject"), &b->memory);
    m->message_id = message_raw_value(&message, TEXT("Message-ID"), &b->memory);
    struct text digest = message_raw_value(&message, TEXT("X-Mailtide-Digest"), &b->memory);
    if (digest.n > 0 && text_int(digest, 1, 1000000, &count, &err) == TIDE_OK)
        m->digest_count = count;
}

void books_take(struct books *b, const struct book_mail *m)
{
    struct text message = arena_text(&b->memory, m->message);
    struct book_mail *mine = message.p || !m->message.n ? added((void **)&b->mails, &b->mail_count,
                                                                &b->mail_cap, sizeof *mine)
                                                        : NULL;
    if (!mine) {
        b->lost++;
        return;
    }
    *mine = *m;
    mine->sender = arena_text(&b->memory, m->sender);
    mine->mailbox = arena_text(&b->memory, m->mailbox);
    mine->message = message;
    read_head(b, mine);
}

void books_fini(struct books *b)
{
    free(b->attempts);
    free(b->mails);
    arena_fini(&b->memory);
    *b = (struct books){0};
}

/* -- Reading them ------------------------------------------------------------------------------
 */

struct total {
    struct text mailbox;
    int64_t taken, refused;
};

static struct total *total_of(struct strmap *m, struct text mailbox)
{
    struct total *t = strmap_get(m, mailbox);
    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (t)
        t->mailbox = mailbox;
    if (t && !strmap_put(m, mailbox, t)) {
        free(t);
        t = NULL;
    }
    return t;
}

void books_write_totals(const struct books *b, int provider, struct json_writer *w)
{
    struct strmap mailboxes;
    int64_t taken = 0, refused = 0;
    uint32_t pos = 0;
    strmap_init(&mailboxes);
    for (size_t i = 0; i < b->attempt_count; i++) {
        const struct book_attempt *a = &b->attempts[i];
        if (a->provider != provider)
            continue;
        struct total *t = total_of(&mailboxes, a->mailbox);
        *(a->taken ? &taken : &refused) += 1;
        if (t)
            *(a->taken ? &t->taken : &t->refused) += 1;
    }
    jw_int(w, "taken", taken);
    jw_int(w, "refused", refused);
    jw_array(w, "mailboxes");
    for (struct total *t; (t = strmap_next(&mailboxes, &pos, NULL));) {
        jw_object(w, NULL);
        jw_text(w, "mailbox", t->mailbox);
        jw_int(w, "taken", t->taken);
        jw_int(w, "refused", t->refused);
        jw_end(w);
        free(t);
    }
    jw_end(w);
    strmap_fini(&mailboxes);
}

void books_write_attempts(const struct books *b,
                          const struct world *world,
                          struct json_writer *w,
                          const char *name)
{
    jw_array(w, name);
    for (size_t i = 0; i < b->attempt_count; i++) {
        const struct book_attempt *a = &b->attempts[i];
        jw_object(w, NULL);
        jw_time(w, "at", a->at);
        jw_str(w, "provider", world->providers[a->provider].name);
        jw_text(w, "peer", a->peer);
        jw_text(w, "helo", a->helo);
        jw_text(w, "sender", a->sender);
        jw_text(w, "mailbox", a->mailbox);
        jw_str(w, "stage", lab_stage_name(a->stage));
        jw_str(w, "limit", a->limit);
        jw_int(w, "code", a->code);
        jw_text(w, "reply", a->reply);
        jw_bool(w, "taken", a->taken);
        jw_end(w);
    }
    jw_end(w);
}

void books_write_mailbox(const struct books *b,
                         struct text mailbox,
                         struct json_writer *w,
                         const char *name)
{
    int64_t n = 0;
    jw_array(w, name);
    for (size_t i = 0; i < b->mail_count; i++) {
        const struct book_mail *m = &b->mails[i];
        if (!text_ieq(m->mailbox, mailbox))
            continue;
        jw_object(w, NULL);
        jw_int(w, "n", ++n);
        jw_time(w, "at", m->at);
        jw_text(w, "sender", m->sender);
        jw_text(w, "subject", m->subject);
        jw_text(w, "message_id", m->message_id);
        jw_int(w, "digest", m->digest_count);
        jw_int(w, "bytes", (int64_t)m->message.n);
        jw_end(w);
    }
    jw_end(w);
}

const struct book_mail *books_mail(const struct books *b, struct text mailbox, size_t n)
{
    for (size_t i = 0; i < b->mail_count; i++)
        if (text_ieq(b->mails[i].mailbox, mailbox) && --n == 0)
            return &b->mails[i];
    return NULL;
}
