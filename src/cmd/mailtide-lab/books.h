/* books.h - what the providers saw: every attempt, and every mail that they took.
 *
 * Owns      its entries and the mails' bytes, until books_fini().
 * Threads   one at a time. Reads no clock.
 * Errors    out of memory loses the entry, counted in `lost`, and GET /books says so.
 */
#ifndef CMD_MAILTIDE_LAB_BOOKS_H
#define CMD_MAILTIDE_LAB_BOOKS_H

#include "cmd/mailtide-lab/world.h"
#include "core/proto/json_write.h"

/* One recipient of one try: taken, or refused at some stage. */
struct book_attempt {
    tide_wall_ms at;
    int provider; /* index in the world */
    struct text peer, helo, sender, mailbox;
    enum lab_stage stage; /* the last that was reached */
    const char *limit;    /* the one that refused; NULL: none did */
    int code;
    struct text reply;
    bool taken;
};

struct book_mail {
    tide_wall_ms at;
    int provider;
    struct text sender, mailbox, subject, message_id;
    int64_t digest_count; /* X-Mailtide-Digest; 0: a single mail */
    struct text message;
};

struct books {
    struct book_attempt *attempts;
    size_t attempt_count, attempt_cap;
    struct book_mail *mails;
    size_t mail_count, mail_cap;
    struct arena memory;
    uint64_t lost;
};

/* Texts are copied. */
void books_note(struct books *b, const struct book_attempt *a);
/* The message is copied, and read for subject, id and digest count. */
void books_take(struct books *b, const struct book_mail *m);
void books_fini(struct books *b);

/* Totals of a provider: taken, refused, by mailbox. Members of an open object. */
void books_write_totals(const struct books *b, int provider, struct json_writer *w);
/* Every attempt, oldest first. */
void books_write_attempts(const struct books *b,
                          const struct world *world,
                          struct json_writer *w,
                          const char *name);
/* What a mailbox holds, oldest first. */
void books_write_mailbox(const struct books *b,
                         struct text mailbox,
                         struct json_writer *w,
                         const char *name);
/* The n-th mail of a mailbox, from 1; NULL: there is none. */
const struct book_mail *books_mail(const struct books *b, struct text mailbox, size_t n);

#endif
