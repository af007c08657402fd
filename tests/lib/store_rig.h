/* store_rig.h - a store on a real loop in a folder of its own, and calls that wait for it. */
#ifndef TESTS_LIB_STORE_RIG_H
#define TESTS_LIB_STORE_RIG_H

#include "io/store/store.h"

#include <stdatomic.h>

struct store_rig {
    uv_loop_t loop;
    struct store *store; /* NULL: closed */
    struct store_options options;
    char dir[64], path[96];
    _Atomic(tide_wall_ms) now;
    struct id_source ids;
    struct tide_error err; /* of the last call that failed */
    int left;              /* callbacks still to come */
    int failed;            /* of those that came since rig_expect() */
    enum tide_err rc;
};

#define RIG_START 1800000000000LL /* 2027-01-15T08:00:00Z */

void rig_init(struct store_rig *r); /* the folder, the loop; nothing is open */
void rig_fini(struct store_rig *r); /* closes, removes the folder */
enum tide_err rig_open(struct store_rig *r);
void rig_close(struct store_rig *r);

/* Runs the loop until `left` is 0. */
void rig_wait(struct store_rig *r);

/* Each sets done and arg, makes the request and waits. */
enum tide_err rig_accept(struct store_rig *r, struct store_accept *req);
enum tide_err rig_apply(struct store_rig *r, struct change *changes, size_t count);
enum tide_err rig_claim(struct store_rig *r, struct store_claim *req);
enum tide_err rig_drop(struct store_rig *r, struct store_drop *req);
enum tide_err rig_load(struct store_rig *r, struct store_load *req);
enum tide_err rig_ask(struct store_rig *r, struct store_ask *req);

/* Callbacks for requests made without waiting: count down `left` of the rig in arg, keep rc. */
void rig_accept_done(struct store_accept *req, enum tide_err rc, const struct tide_error *err);
void rig_apply_done(struct store_apply *req, enum tide_err rc, const struct tide_error *err);
void rig_claim_done(struct store_claim *req, enum tide_err rc, const struct tide_error *err);

/* A submission for one or many, and its request; what is not said is empty. */
#define MAIL_RECIPIENTS_MAX 8
struct mail {
    struct submission submission;
    struct submission_recipient to[MAIL_RECIPIENTS_MAX];
    struct store_accepted items[MAIL_RECIPIENTS_MAX];
    struct store_accept req;
};
/* `to`: addresses with blanks between; ids are given and the time is now. */
void mail_init(struct store_rig *r, struct mail *m, const char *to, const char *message);
void mail_fini(struct mail *m);

/* One mail accepted at once, its id; 0 when that failed. class: "urgent", "single", "digestible".
 */
tide_id rig_mail(struct store_rig *r, const char *to, const char *message, const char *class);

#endif
