/* Header fields are written here and nowhere else: what goes in is checked, so that no value can
 * become a second field. */
#include "core/digest/charset.h"
#include "core/digest/message.h"

#include <glib.h>

#define LINE_WISH  78 /* RFC 5322 2.1.1: lines should be no longer */
#define LINE_MAX_  998
#define WORD_BYTES 45 /* of UTF-8 in one encoded word: 60 of base64 and 12 around are under 75 */

static enum tide_err check_name(struct text name, struct tide_error *err)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= 32 || name.p[i] >= 127 || name.p[i] == ':')
            return tide_fail(err, TIDE_EINVAL, "byte %zu of a header field's name is not allowed",
                             i + 1);
    if (name.n == 0 || name.n > LINE_WISH - 2)
        return tide_fail(err, TIDE_EINVAL, "a header field's name must have 1..%d bytes, got %zu",
                         LINE_WISH - 2, name.n);
    return TIDE_OK;
}

static enum tide_err check_value(struct text name, struct text value, struct tide_error *err)
{
    if (value.n > MESSAGE_VALUE_BYTES_MAX)
        return tide_fail(err, TIDE_EINVAL, TEXT_FMT ": %zu bytes are more than %u", TEXT_ARG(name),
                         value.n, MESSAGE_VALUE_BYTES_MAX);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 32 && c != '\t') || c == 127)
            return tide_fail(err, TIDE_EINVAL,
                             TEXT_FMT ": control character 0x%02x at byte %zu is not allowed",
                             TEXT_ARG(name), c, i + 1);
    }
    if (!text_is_utf8(value))
        return tide_fail(err, TIDE_EINVAL, TEXT_FMT ": want UTF-8", TEXT_ARG(name));
    return TIDE_OK;
}

/* Adds `value` after `column` bytes of its line; breaks before blanks where a line gets long. */
static void put_folded(struct buf *b, size_t column, struct text value)
{
    size_t at = 0;
    while (at < value.n) {
        size_t n = at;
        while (n < value.n && (value.p[n] == ' ' || value.p[n] == '\t'))
            n++;
        size_t blanks = n - at;
        while (n < value.n && value.p[n] != ' ' && value.p[n] != '\t')
            n++;
        if (at > 0 && blanks > 0 && blanks < n - at && column + (n - at) > LINE_WISH) {
            buf_add(b, "\r\n", 2);
            column = 0;
        }
        buf_add(b, value.p + at, n - at);
        column += n - at;
        at = n;
    }
}

/* "=?utf-8?B?...?=" words of at most 75 bytes, no character cut, one a line after the first. */
static void put_encoded(struct buf *b, size_t column, struct text value)
{
    for (bool first = true; value.n > 0; first = false) {
        size_t room = WORD_BYTES;
        if (first && column + 72 > LINE_WISH)
            room = column < LINE_WISH - 24 ? (LINE_WISH - 12 - column) / 4 * 3 : 9;
        size_t n = charset_cut(value, room);
        char *word = g_base64_encode((const guchar *)value.p, n);
        buf_addf(b, "%s=?utf-8?B?%s?=", first ? "" : "\r\n ", word);
        g_free(word);
        value = text_cut(value, n, value.n);
    }
}

static bool has_long_word(struct text t)
{
    size_t run = 0;
    for (size_t i = 0; i < t.n; i++) {
        run = t.p[i] == ' ' || t.p[i] == '\t' ? 0 : run + 1;
        if (run > LINE_MAX_ - LINE_WISH)
            return true;
    }
    return false;
}

static size_t put_name(struct buf *b, struct text name)
{
    buf_add_text(b, name);
    buf_add(b, ": ", 2);
    return name.n + 2;
}

enum tide_err message_put_header(struct buf *b,
                                 struct text name,
                                 struct text value,
                                 struct tide_error *err)
{
    enum tide_err rc = check_name(name, err);
    if (rc == TIDE_OK)
        rc = check_value(name, value, err);
    if (rc != TIDE_OK)
        return rc;
    value = text_trim(value);
    size_t column = put_name(b, name);
    /* What looks encoded is encoded once more, or a reader would see something else. */
    if (text_is_ascii(value) && text_ifind(value, TEXT("=?")) == value.n && !has_long_word(value))
        put_folded(b, column, value);
    else
        put_encoded(b, column, value);
    buf_add(b, "\r\n", 2);
    return buf_check(b, err);
}

enum tide_err message_put_structured(struct buf *b,
                                     struct text name,
                                     struct text value,
                                     struct tide_error *err)
{
    enum tide_err rc = check_name(name, err);
    if (rc == TIDE_OK)
        rc = check_value(name, value, err);
    if (rc == TIDE_OK && !text_is_ascii(value))
        rc = tide_fail(err, TIDE_EINVAL, TEXT_FMT ": want ASCII", TEXT_ARG(name));
    if (rc == TIDE_OK && has_long_word(value))
        rc = tide_fail(err, TIDE_EINVAL, TEXT_FMT ": a word is too long for one line",
                       TEXT_ARG(name));
    if (rc != TIDE_OK)
        return rc;
    put_folded(b, put_name(b, name), text_trim(value));
    buf_add(b, "\r\n", 2);
    return buf_check(b, err);
}

static bool is_atext(char c)
{
    return ascii_is_alnum(c) ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c)); /* RFC 5322 3.2.3 */
}

/* A display name: a quoted string unless atoms and single blanks do. */
static void put_phrase(struct buf *b, size_t column, struct text phrase)
{
    if (!text_is_ascii(phrase) || text_ifind(phrase, TEXT("=?")) < phrase.n || phrase.n > 200) {
        put_encoded(b, column, phrase);
        return;
    }
    bool plain = true;
    for (size_t i = 0; i < phrase.n; i++)
        plain = plain &&
                (is_atext(phrase.p[i]) || (phrase.p[i] == ' ' && i > 0 && phrase.p[i - 1] != ' '));
    if (plain) {
        put_folded(b, column, phrase);
        return;
    }
    buf_addc(b, '"');
    for (size_t i = 0; i < phrase.n; i++) {
        if (phrase.p[i] == '"' || phrase.p[i] == '\\')
            buf_addc(b, '\\');
        buf_addc(b, phrase.p[i]);
    }
    buf_addc(b, '"');
}

/* Not the syntax of addresses, only that nothing in it can end the angle brackets. */
static bool fits_in_brackets(struct text address)
{
    bool quoted = false;
    for (size_t i = 0; i < address.n; i++) {
        char c = address.p[i];
        if (quoted && c == '\\' && i + 1 < address.n)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '<' || c == '>' || c == ',' || c == ' ' || c == '\t'))
            return false;
    }
    return !quoted && address.n > 0 && address.n <= MESSAGE_ADDRESS_BYTES_MAX - LINE_WISH;
}

static enum tide_err check_mailbox(struct text name,
                                   const struct mailbox *mailbox,
                                   struct tide_error *err)
{
    enum tide_err rc = check_value(name, mailbox->name, err);
    if (rc == TIDE_OK)
        rc = check_value(name, mailbox->address, err);
    if (rc == TIDE_OK && !fits_in_brackets(mailbox->address))
        rc = tide_fail(err, TIDE_EINVAL, TEXT_FMT ": not a mail address", TEXT_ARG(name));
    return rc;
}

/* Returns the column after it. */
static size_t put_one_mailbox(struct buf *b, size_t column, const struct mailbox *mailbox)
{
    struct text shown = text_trim(mailbox->name);
    size_t start = b->len;
    if (shown.n == 0) {
        buf_add_text(b, mailbox->address);
        return column + mailbox->address.n;
    }
    put_phrase(b, column, shown);
    column += b->len - start;
    bool fits = column + mailbox->address.n + 3 <= LINE_WISH;
    buf_addf(b, "%s<" TEXT_FMT ">", fits ? " " : "\r\n ", TEXT_ARG(mailbox->address));
    return (fits ? column : 0) + mailbox->address.n + 3;
}

enum tide_err message_put_mailboxes(struct buf *b,
                                    struct text name,
                                    const struct mailbox *list,
                                    size_t count,
                                    struct tide_error *err)
{
    enum tide_err rc = check_name(name, err);
    for (size_t i = 0; i < count && rc == TIDE_OK; i++)
        rc = check_mailbox(name, &list[i], err);
    if (rc != TIDE_OK || count == 0)
        return rc;
    size_t column = put_name(b, name);
    for (size_t i = 0; i < count; i++) {
        bool fits = column + list[i].name.n + list[i].address.n + 6 <= LINE_WISH;
        if (i > 0)
            buf_adds(b, fits ? ", " : ",\r\n ");
        column = put_one_mailbox(b, i == 0 ? column : fits ? column + 2 : 1, &list[i]);
    }
    buf_add(b, "\r\n", 2);
    return buf_check(b, err);
}

enum tide_err message_put_mailbox(struct buf *b,
                                  struct text name,
                                  const struct mailbox *mailbox,
                                  struct tide_error *err)
{
    return message_put_mailboxes(b, name, mailbox, 1, err);
}
