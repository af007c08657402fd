#include "io/dns/asker.h"

#include <stdlib.h>

struct asker_run {
    struct resolver *resolver;
    struct resolver_request *request;
    question_feed feed;
    void *machine;
    asker_cb cb;
    void *arg;
};

static void on_answer(void *arg, enum tide_err rc, const struct dns_answer *answer);

static enum tide_err ask(struct asker_run *run, const struct question *q, struct tide_error *err)
{
    return resolver_query(run->resolver, q->name, q->type, on_answer, run, &run->request, err);
}

static void on_answer(void *arg, enum tide_err rc, const struct dns_answer *answer)
{
    struct asker_run *run = arg;
    struct question q = {0};
    run->request = NULL;
    if (rc == TIDE_OK) {
        run->feed(run->machine, answer, &q);
        while (!q.done) {
            rc = ask(run, &q, NULL);
            if (rc == TIDE_OK)
                return;
            struct dns_answer none = {.type = q.type,
                                      .status = rc == TIDE_EINVAL ? DNS_NXDOMAIN : DNS_UNREACHABLE};
            rc = TIDE_OK;
            run->feed(run->machine, &none, &q);
        }
    }
    asker_cb cb = run->cb;
    void *cb_arg = run->arg;
    free(run);
    cb(cb_arg, rc);
}

enum tide_err asker_start(struct resolver *resolver,
                          const struct question *first,
                          question_feed feed,
                          void *machine,
                          asker_cb cb,
                          void *arg,
                          struct asker_run **ret,
                          struct tide_error *err)
{
    struct asker_run *run = calloc(1, sizeof *run);
    if (!run)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    *run = (struct asker_run){
        .resolver = resolver, .feed = feed, .machine = machine, .cb = cb, .arg = arg};
    enum tide_err rc = ask(run, first, err);
    if (rc != TIDE_OK) {
        free(run);
        return rc;
    }
    if (ret)
        *ret = run;
    return TIDE_OK;
}

void asker_cancel(struct asker_run *run)
{
    if (run->request)
        resolver_cancel(run->request);
}

bool asker_cached(struct resolver *resolver,
                  const struct question *first,
                  question_feed feed,
                  void *machine,
                  struct arena *arena)
{
    struct dns_answer answer;
    for (struct question q = *first; !q.done;) {
        if (!resolver_cached(resolver, q.name, q.type, arena, &answer))
            return false;
        feed(machine, &answer, &q);
    }
    return true;
}
