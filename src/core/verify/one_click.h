/* one_click.h - whether a mail can be unsubscribed from with one click.
 *
 * Owns      nothing. Threads any. Pure.
 * Standards RFC 8058 3.1: List-Unsubscribe with an https URI, List-Unsubscribe-Post, and a valid
 *           DKIM signature over both.
 */
#ifndef CORE_VERIFY_ONE_CLICK_H
#define CORE_VERIFY_ONE_CLICK_H

#include "core/verify/dkim.h"

/* What is wrong with the fields, a phrase; NULL: nothing. */
const char *one_click_problem(const struct message *m);

/* Whether h= of the signature has both fields. */
bool one_click_covered(const struct dkim_signature *s);

/* Of a message before it is sent: its own signatures, if it has some, cover both fields.
 * *ret_signed: it has some. */
const char *one_click_of_message(struct text message, bool *ret_signed);

#endif
