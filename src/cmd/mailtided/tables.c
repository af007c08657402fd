/* Which policy plans the digests, and the tables of the quiet one: wanted by the planner, built on
 * the pool, handed over on the loop. */
#include "cmd/mailtided/inside.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

struct build {
    uv_work_t work;
    struct daemon *daemon;
    struct quiet_job job;
    struct quiet_table *table;
};

enum tide_err daemon_set_policy(struct daemon *d, struct tide_error *err)
{
    const char *name = d->generation->config->planner.policy;
    bool quiet = !name || strcmp(name, "even") != 0;
    if (quiet && !d->quiet && !(d->quiet = quiet_policy_new(NULL)))
        return tide_fail(err, TIDE_ENOMEM, "planner.policy");
    planner_set_policy(d->planner, quiet ? quiet_policy(d->quiet) : policy_even());
    return TIDE_OK;
}

static void on_pool(uv_work_t *work)
{
    struct build *b = work->data;
    b->table = quiet_table_build(&b->job.wanted, b->job.before);
}

static void on_built(uv_work_t *work, int status)
{
    struct build *b = work->data;
    if (status != 0 || !b->table)
        log_warn("plan.table_not_built", "quota=%d", b->job.wanted.quota);
    else
        log_info("plan.table_built", "quota=%d reserve=%d", b->job.wanted.quota,
                 b->job.wanted.reserve);
    quiet_policy_take(b->daemon->quiet, &b->job, b->table);
    b->daemon->building = false;
    free(b);
}

/* One at a time: the pool serves others too. */
void daemon_build_tables(struct daemon *d)
{
    if (!d->quiet || d->building || d->closing || !quiet_policy_is_wanting(d->quiet))
        return;
    struct build *b = calloc(1, sizeof *b);
    if (!b || !quiet_policy_wants(d->quiet, &b->job)) {
        free(b);
        return;
    }
    b->daemon = d;
    b->work.data = b;
    if (uv_queue_work(&d->loop, &b->work, on_pool, on_built) != 0) {
        quiet_policy_take(d->quiet, &b->job, NULL);
        free(b);
        return;
    }
    d->building = true;
}
