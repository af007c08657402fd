/* names.c - what others call an attempt: a Message-ID, or the name that its account gave to it. */
#include "io/store/writes.h"

#include <openssl/evp.h>

int64_t name_hash(struct db *db, struct text name)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    uint64_t n = 0;
    if (name.n == 0)
        return 0;
    if (EVP_Digest(name.p, name.n, hash, NULL, EVP_sha256(), NULL) != 1) {
        db_fail(db, TIDE_ENOMEM, "out of memory for a SHA-256");
        return 0;
    }
    for (int i = 0; i < 8; i++)
        n = n << 8 | hash[i];
    return (int64_t)n;
}

void name_add(struct writing *w, struct text name, tide_id attempt_id)
{
    if (name.n > 0)
        db_run(w->db, Q_NAME_ADD, DB_VALUES(db_int(name_hash(w->db, name)), db_int(attempt_id)));
}

void name_drop(struct writing *w, struct text name, tide_id attempt_id)
{
    if (name.n > 0)
        db_run(w->db, Q_NAME_DROP, DB_VALUES(db_int(name_hash(w->db, name)), db_int(attempt_id)));
}
