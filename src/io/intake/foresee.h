/* foresee.h - whether mail for an address would be refused, as far as is known without asking
 * anybody: smtp.refuse_early.
 *
 * Only what no stream would let through counts: a suppression that stops all of them, and a domain
 * whose verdict is known and still holds.
 *
 * Owns      nothing; each question has a job of its own until its answer.
 * Threads   loop thread only.
 * Errors    whatever cannot be found out is no refusal.
 */
#ifndef IO_INTAKE_FORESEE_H
#define IO_INTAKE_FORESEE_H

#include "io/drive/drive.h"

/* `refusal`: a sentence, "" when none is foreseen. */
typedef void (*foresee_cb)(void *arg, struct text refusal);

/* Calls back once, not from inside the call. False: it cannot be asked now, and nobody is called.
 * `sender`: the envelope's, which stands for the identity until the message is there. */
bool foresee(struct drive *d, struct text address, struct text sender, foresee_cb done, void *arg);

#endif
