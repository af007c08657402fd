#include "io/dns/verifier.h"

#include "base/list.h"
#include "base/macros.h"
#include "core/verify/mx.h"

#include <stdlib.h>

#define JOB_BYTES_MAX  (256u << 10)
#define JOB_BYTES_KEPT (4u << 10) /* of a spare one: what nearly all need */
#define JOBS_SPARE_MAX 256

struct verifier {
    uv_loop_t *loop;
    struct resolver *resolver;
    const struct clock *clock;
    struct provider_index providers;
    bool private_addresses;
    struct strmap jobs; /* by domain */
    struct list spare;  /* jobs to be used again, with a block of memory each */
    unsigned spare_count;
    uv_timer_t closer; /* gives verifier_close() its callback outside of every other call */
    bool closing, closer_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* One domain being verified, for all who asked. */
struct job {
    struct list node; /* in verifier.spare */
    struct verifier *verifier;
    struct arena arena;
    struct mx mx;
    struct list requests;
    struct resolver_request *question;
    bool no_root; /* a name that "does not exist" was held against the root, which did not either */
};

struct request {
    struct list node;
    verifier_cb cb;
    void *arg;
};

static void maybe_closed(struct verifier *v)
{
    if (!v->closer_closed || v->jobs.count)
        return;
    void (*closed)(void *) = v->closed;
    void *arg = v->closed_arg;
    for (struct list *node; (node = list_take_first(&v->spare));) {
        struct job *job = container_of(node, struct job, node);
        arena_fini(&job->arena);
        free(job);
    }
    provider_index_fini(&v->providers);
    strmap_fini(&v->jobs);
    free(v);
    if (closed)
        closed(arg);
}

static void job_free(struct job *job)
{
    struct verifier *v = job->verifier;
    mx_fini(&job->mx);
    if (v->spare_count < JOBS_SPARE_MAX && job->arena.used_bytes <= JOB_BYTES_KEPT) {
        arena_reset(&job->arena);
        list_append(&v->spare, &job->node);
        v->spare_count++;
        return;
    }
    arena_fini(&job->arena);
    free(job);
}

static struct job *job_take(struct verifier *v)
{
    struct list *node = list_take_first(&v->spare);
    if (!node)
        return calloc(1, sizeof(struct job));
    struct job *job = container_of(node, struct job, node);
    v->spare_count--;
    job->question = NULL;
    job->no_root = false;
    return job;
}

/* A sealed network's name server says of every name that it does not exist, the root included. That
 * is no finding about the domain. (A server that knows only its own zones refuses the question for
 * the root, which is well.) */
#define NO_ROOT_AGAIN_MS (5 * TIME_MINUTE_MS)

static void forget_nxdomain(const struct job *job, struct verdict *verdict)
{
    struct provider_match match =
        provider_match(&job->verifier->providers, job->mx.domain, NULL, 0);
    verdict->kind = VERDICT_UNKNOWN;
    verdict->provider = text_of(match.provider ? match.provider->name : "");
    verdict->reason = TEXT("The name servers in use do not even know the root of the DNS: this "
                           "machine seems to be cut off from the Internet's DNS.");
    verdict->valid_until = clock_wall(job->verifier->clock) + NO_ROOT_AGAIN_MS;
}

/* Everybody hears the same; a callback may ask anew for the same domain. */
static void job_end(struct job *job, enum tide_err rc)
{
    struct verifier *v = job->verifier;
    struct verdict verdict = {0};
    if (rc == TIDE_OK)
        mx_verdict(&job->mx, clock_wall(v->clock), &job->arena, &verdict);
    if (job->no_root)
        forget_nxdomain(job, &verdict);
    strmap_remove(&v->jobs, job->mx.domain);
    for (struct list *node; (node = list_take_first(&job->requests));) {
        struct request *q = container_of(node, struct request, node);
        q->cb(q->arg, rc, rc == TIDE_OK ? &verdict : NULL);
        free(q);
    }
    job_free(job);
    if (v->closing)
        maybe_closed(v);
}

static void on_answer(void *arg, enum tide_err rc, const struct dns_answer *answer);

static enum tide_err job_ask(struct job *job, const struct mx_todo *todo, struct tide_error *err)
{
    return resolver_query(job->verifier->resolver, todo->name, todo->type, on_answer, job,
                          &job->question, err);
}

static void on_root(void *arg, enum tide_err rc, const struct dns_answer *answer)
{
    struct job *job = arg;
    job->question = NULL;
    job->no_root = rc == TIDE_OK && answer->status == DNS_NXDOMAIN;
    job_end(job, job->verifier->closing ? TIDE_ECANCELED : TIDE_OK);
}

/* True when the root is being asked: its answer ends the job. */
static bool ask_root(struct job *job)
{
    /* A domain that does not exist is undeliverable, whatever else was found. */
    return job->mx.no_domain && resolver_query(job->verifier->resolver, TEXT("."), DNS_NS, on_root,
                                               job, &job->question, NULL) == TIDE_OK;
}

/* Feeds the answer; a question that cannot be asked counts as one that nobody answered. */
static void on_answer(void *arg, enum tide_err rc, const struct dns_answer *answer)
{
    struct job *job = arg;
    struct mx_todo todo;
    job->question = NULL;
    if (rc != TIDE_OK || job->verifier->closing) {
        job_end(job, TIDE_ECANCELED);
        return;
    }
    mx_answer(&job->mx, answer, &todo);
    while (!todo.done) {
        rc = job_ask(job, &todo, NULL);
        if (rc == TIDE_OK)
            return;
        struct dns_answer none = {.type = todo.type,
                                  .status = rc == TIDE_EINVAL ? DNS_NXDOMAIN : DNS_UNREACHABLE};
        mx_answer(&job->mx, &none, &todo);
    }
    if (!ask_root(job))
        job_end(job, TIDE_OK);
}

static struct job *job_new(struct verifier *v, struct text domain)
{
    struct job *job = job_take(v);
    if (!job)
        return NULL;
    job->verifier = v;
    list_init(&job->requests);
    job->arena.max_bytes = JOB_BYTES_MAX;
    mx_init(&job->mx, domain, &v->providers, v->private_addresses, &job->arena);
    if (!job->mx.domain.p || !strmap_put(&v->jobs, job->mx.domain, job)) {
        job_free(job);
        return NULL;
    }
    return job;
}

enum tide_err verifier_verify(
    struct verifier *v, struct text domain, verifier_cb cb, void *arg, struct tide_error *err)
{
    if (v->closing)
        return tide_fail(err, TIDE_ESTATE, "the verifier is closing");
    struct job *job = strmap_get(&v->jobs, domain);
    if (!job && v->jobs.count >= VERIFIER_JOBS_MAX)
        return tide_fail(err, TIDE_ELIMIT, "%d domains are being verified already",
                         VERIFIER_JOBS_MAX);
    struct request *q = malloc(sizeof *q);
    if (!q)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    *q = (struct request){.cb = cb, .arg = arg};
    if (!job) {
        struct mx_todo todo;
        job = domain.n ? job_new(v, domain) : NULL;
        if (!job) {
            free(q);
            return tide_fail(err, domain.n ? TIDE_ENOMEM : TIDE_EINVAL, "%s",
                             domain.n ? tide_err_text(TIDE_ENOMEM) : "there is no domain");
        }
        mx_start(&job->mx, &todo);
        enum tide_err rc = job_ask(job, &todo, err);
        if (rc != TIDE_OK) {
            strmap_remove(&v->jobs, job->mx.domain);
            job_free(job);
            free(q);
            return rc;
        }
    }
    list_append(&job->requests, &q->node);
    return TIDE_OK;
}

bool verifier_cached(struct verifier *v,
                     struct text domain,
                     struct arena *arena,
                     struct verdict *ret)
{
    struct mx mx;
    struct mx_todo todo;
    struct dns_answer answer;
    bool known = true;
    mx_init(&mx, domain, &v->providers, v->private_addresses, arena);
    for (mx_start(&mx, &todo); known && !todo.done;) {
        known =
            !mx.out_of_memory && resolver_cached(v->resolver, todo.name, todo.type, arena, &answer);
        if (known)
            mx_answer(&mx, &answer, &todo);
    }
    if (known)
        mx_verdict(&mx, clock_wall(v->clock), arena, ret);
    mx_fini(&mx);
    return known;
}

size_t verifier_jobs(const struct verifier *v)
{
    return v->jobs.count;
}

enum tide_err verifier_set_profiles(struct verifier *v,
                                    const struct profiles *profiles,
                                    bool private_addresses,
                                    struct tide_error *err)
{
    struct provider_index made;
    enum tide_err rc = provider_index_init(&made, profiles, err);
    if (rc != TIDE_OK)
        return rc;
    provider_index_fini(&v->providers);
    v->providers = made;
    v->private_addresses = private_addresses;
    return TIDE_OK;
}

enum tide_err verifier_open(uv_loop_t *loop,
                            struct resolver *resolver,
                            const struct clock *clock,
                            const struct profiles *profiles,
                            bool private_addresses,
                            struct verifier **ret,
                            struct tide_error *err)
{
    struct verifier *v = calloc(1, sizeof *v);
    if (!v)
        return tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    v->loop = loop;
    v->resolver = resolver;
    v->clock = clock;
    strmap_init(&v->jobs);
    list_init(&v->spare);
    enum tide_err rc = verifier_set_profiles(v, profiles, private_addresses, err);
    if (rc != TIDE_OK) {
        free(v);
        return rc;
    }
    (void)uv_timer_init(loop, &v->closer);
    uv_unref((uv_handle_t *)&v->closer);
    *ret = v;
    return TIDE_OK;
}

static void on_closer_closed(uv_handle_t *handle)
{
    struct verifier *v = container_of(handle, struct verifier, closer);
    v->closer_closed = true;
    maybe_closed(v);
}

void verifier_close(struct verifier *v, void (*closed)(void *arg), void *arg)
{
    if (v->closing)
        return;
    v->closing = true;
    v->closed = closed;
    v->closed_arg = arg;
    uint32_t pos = 0;
    for (struct job *job; (job = strmap_next(&v->jobs, &pos, NULL));)
        if (job->question)
            resolver_cancel(job->question);
    uv_close((uv_handle_t *)&v->closer, on_closer_closed);
}
