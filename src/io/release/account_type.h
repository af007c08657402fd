/* account_type.h - what a way out implements: the table behind account.h. For src/io/release/ only.
 */
#ifndef IO_RELEASE_ACCOUNT_TYPE_H
#define IO_RELEASE_ACCOUNT_TYPE_H

#include "io/release/account.h"

struct account_type_ops {
    void (*close)(struct account *a, void (*closed)(void *arg), void *arg);
    void (*send)(struct account *a, struct account_mail *mail);
    int (*room)(const struct account *a);
    enum account_settled (*settle)(struct account *a, tide_id attempt_id);
};

/* The first member of every way out. */
struct account {
    const struct account_type_ops *ops;
};

#endif
