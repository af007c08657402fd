/* smtp_path.h - the arguments of MAIL and RCPT: the path between < and >, and the parameters.
 *
 * Only as much of an address is understood as is needed to find its end: quoted strings, source
 * routes (accepted and dropped, RFC 5321 appendix C), "<>", "<postmaster>". Whether what stands
 * between the brackets can be an address is for somebody else to say (core/address/addr.h).
 * A path without brackets, which RFC 821 clients and telnet users send, is taken if it has an "@".
 *
 * Owns      nothing; results point into the arguments.
 * Threads   any.
 * Errors    TIDE_ESYNTAX says what is wrong, without the address.
 * Standards RFC 5321 4.1.2, 4.1.1.11, RFC 6531 3.3 (UTF-8), RFC 3461 4 (xtext).
 */
#ifndef CORE_PROTO_SMTP_PATH_H
#define CORE_PROTO_SMTP_PATH_H

#include "base/text.h"

/* `args` is what follows "FROM:" or "TO:". */
TIDE_MUST_CHECK enum tide_err smtp_path_parse(struct text args,
                                              struct text *ret_path,
                                              struct text *ret_params,
                                              struct tide_error *err);

/* Takes the next "KEY" or "KEY=VALUE" (a missing value has p NULL) from *rest; *ret_key.n is 0 at
 * the end. */
TIDE_MUST_CHECK enum tide_err smtp_param_next(struct text *rest,
                                              struct text *ret_key,
                                              struct text *ret_value,
                                              struct tide_error *err);

/* RFC 3461 4: printable ASCII but "+" and "=", and "+" with two upper-case hexadecimal digits. */
bool smtp_is_xtext(struct text t);

#endif
