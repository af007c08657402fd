/* outbox.h - an account that is a Maildir: the embedded default, and a safe place to try things.
 *
 * A mail is ACCEPTED once its file is synced and visible in new/. The file's name is made of the
 * attempt's id, so that the same attempt given twice is one file, and an attempt of unknown fate
 * can be looked for. Return-Path and Delivered-To are put on top; lines end in LF, as Maildir
 * readers want them.
 *
 * Owns      nothing on disk once written. Folders are made where they are missing (mode 0700).
 * Threads   loop thread; files are written on libuv's pool, a few at a time.
 * Errors    an outcome of NOT_SENT with account_fault names the file and the reason (disk full).
 * Known gap a mail that a reader has deleted counts as not arrived for account_settle().
 */
#ifndef IO_RELEASE_OUTBOX_H
#define IO_RELEASE_OUTBOX_H

#include "io/release/account.h"

TIDE_MUST_CHECK enum tide_err outbox_open(uv_loop_t *loop,
                                          const struct config_account *config,
                                          struct account **ret,
                                          struct tide_error *err);

#endif
