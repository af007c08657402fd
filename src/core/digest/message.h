/* message.h - reads and edits mail as the text that it is (RFC 5322), without re-serialising it.
 *
 * A message that is relayed keeps its bytes, so that signatures of the application still hold. What
 * is changed is changed by whole header fields: fields are put in front, fields are left out.
 *
 *     struct buf b = {0};
 *     rc = message_put_header(&b, TEXT("Message-ID"), id, &err);   // checked, encoded, folded
 *     message_put_rest(&b, &m, (const char *const[]){"Bcc", "X-Mailtide-*"}, 2);
 *
 * Owns      nothing: struct message and struct header point into the caller's text, decoded values
 *           into the caller's arena.
 * Threads   any. No clock, no I/O. GMime is initialised once, on first use.
 * Errors    TIDE_ESYNTAX what cannot be mail; TIDE_ELIMIT a bound below, which is named;
 *           TIDE_ENOENT no such field; TIDE_EINVAL a value that may not stand in a header.
 * Limits    the constants below. All calls are linear in the size of what they look at.
 * Standards RFC 5322 with the obsolete forms of section 4, RFC 2047, RFC 6532 (raw UTF-8).
 */
#ifndef CORE_DIGEST_MESSAGE_H
#define CORE_DIGEST_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"

#define MESSAGE_HEADERS_MAX       1000          /* Postfix stops at header_size_limit, 100 KiB */
#define MESSAGE_HEAD_BYTES_MAX    (256u * 1024) /* the whole header section */
#define MESSAGE_ADDRESSES_MAX     2000          /* of one message, all address fields together */
#define MESSAGE_ADDRESS_BYTES_MAX 1000          /* one address; RFC 5321 allows 254 */
#define MESSAGE_VALUE_BYTES_MAX                                      \
    (16u * 1024) /* a value that is decoded or put in; longer is cut \
                  */

struct message {
    struct text whole;
    struct text head; /* the header fields with their line ends, without the empty line */
    struct text body; /* after the empty line */
};

struct header {
    struct text name;
    struct text raw;   /* after the colon, folds as they are, without the last line end */
    struct text whole; /* name to last line end, as it stands */
};

struct mailbox {
    struct text name;    /* decoded, UTF-8, "" when there is none */
    struct text address; /* as written: not normalised, may hold UTF-8 (RFC 6531) */
};

/* -- Reading -----------------------------------------------------------------------------------*/

/* Appends the message with every line ended by CRLF (bare LF and bare CR are line ends), without
 * an mbox "From " line, and with the empty line after the header put in where it is missing: a line
 * that is no header field ends the header, as in Postfix. A field that was folded before its first
 * byte, or a NUL in the header, is TIDE_ESYNTAX. */
TIDE_MUST_CHECK enum tide_err message_normalise(struct text in,
                                                struct buf *ret,
                                                struct tide_error *err);

/* Splits a normalised message; it borrows `whole`. */
TIDE_MUST_CHECK enum tide_err message_open(struct text whole,
                                           struct message *ret,
                                           struct tide_error *err);

/* Splits a part of a multipart, or any other bytes: the head is what stands in front in header
 * fields, be it nothing. */
void message_open_part(struct text whole, struct message *ret);

/* Walks all fields: start with *pos 0; false at the end. */
bool message_next(const struct message *m, size_t *pos, struct header *ret);

/* Those of one name, without case. */
bool message_find_next(const struct message *m, struct text name, size_t *pos, struct header *ret);

/* The first field of that name, without case. */
bool message_find(const struct message *m, struct text name, struct header *ret);
bool message_has(const struct message *m, struct text name);
size_t message_count(const struct message *m, struct text name);

/* The value of the first field of that name, unfolded and trimmed, RFC 2047 words decoded, in
 * well-formed UTF-8 without control characters, whatever was there: bytes that are no UTF-8 are
 * read in the charset that the message declares, else in windows-1252. {NULL, 0} when there is no
 * such field or no memory, {"", 0} when it is empty. */
struct text message_value(const struct message *m, struct text name, struct arena *a);

/* The same, unfolded and trimmed only: for fields that are not text (Message-ID, References). */
struct text message_raw_value(const struct message *m, struct text name, struct arena *a);

/* The charset that the message declares for its own text, "" when it does not: how to read raw
 * bytes in its header that are no UTF-8. */
struct text message_charset(const struct message *m);

/* The first "<...@...>" of the field, angle brackets included; {NULL, 0} when there is none. */
struct text message_first_id(const struct message *m, struct text name, struct arena *a);

/* All mailboxes of all fields of that name, groups opened, in order. None is TIDE_OK with 0. */
TIDE_MUST_CHECK enum tide_err message_mailboxes(const struct message *m,
                                                struct text name,
                                                struct arena *a,
                                                struct mailbox **ret,
                                                size_t *ret_count,
                                                struct tide_error *err);

/* The first mailbox of the only From field. TIDE_ENOENT without one, TIDE_ESYNTAX with two fields
 * (RFC 5322 3.6; each reader would show another) or when it holds no address. */
TIDE_MUST_CHECK enum tide_err message_from(const struct message *m,
                                           struct arena *a,
                                           struct mailbox *ret,
                                           struct tide_error *err);

/* Whom a message without an envelope is for: To, Cc and Bcc, each address once. */
TIDE_MUST_CHECK enum tide_err message_recipients(const struct message *m,
                                                 struct arena *a,
                                                 struct mailbox **ret,
                                                 size_t *ret_count,
                                                 struct tide_error *err);

/* -- Writing -----------------------------------------------------------------------------------*/

/* Appends "Name: value" with CRLF: text in UTF-8, RFC 2047-encoded where it is not ASCII, folded.
 * CR, LF, NUL or other controls in the value, or what is no field name, is TIDE_EINVAL and nothing
 * is appended. */
TIDE_MUST_CHECK enum tide_err message_put_header(struct buf *b,
                                                 struct text name,
                                                 struct text value,
                                                 struct tide_error *err);

/* The same for a structured value (Date, Message-ID, References, Content-Type): it must be
 * printable ASCII, is folded at blanks, never encoded. */
TIDE_MUST_CHECK enum tide_err message_put_structured(struct buf *b,
                                                     struct text name,
                                                     struct text value,
                                                     struct tide_error *err);

/* The same for one mailbox: `Name: "Ann, B." <ann@example.org>`. An address with UTF-8 is written
 * as it is (RFC 6532). */
TIDE_MUST_CHECK enum tide_err message_put_mailbox(struct buf *b,
                                                  struct text name,
                                                  const struct mailbox *mailbox,
                                                  struct tide_error *err);

/* The same for several: `To: ann@example.org, "Bob, C." <bob@example.org>`. None writes nothing. */
TIDE_MUST_CHECK enum tide_err message_put_mailboxes(struct buf *b,
                                                    struct text name,
                                                    const struct mailbox *list,
                                                    size_t count,
                                                    struct tide_error *err);

/* Appends the message without the fields named; a name that ends in "*" means all that start so. */
void message_put_rest(struct buf *b,
                      const struct message *m,
                      const char *const *without,
                      size_t without_count);

#endif
