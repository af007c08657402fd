/* view_job.h - one request of a view's on its way through the store or the gate.
 *
 * Each view's job begins with a struct view_job and has beside it what it asks with. It is made
 * when the request comes, answered once, and gone with the answer.
 *
 *   (request) --view_job_new()--> asked --view_job_open(), written, view_job_close()--> (gone)
 *                                   `----view_job_fail()-----------------------------^
 *
 * Owns      the job's memory; what it asked with is freed by its `fini`.
 * Threads   loop thread only.
 * Errors    out of memory: 503, and NULL.
 */
#ifndef IO_STATUS_VIEW_JOB_H
#define IO_STATUS_VIEW_JOB_H

#include "core/proto/json_write.h"
#include "io/status/views.h"

struct view_job {
    struct views views;
    struct http_request *req;
    struct arena arena; /* what the question points to */
    void (*fini)(struct view_job *j);
    struct buf answer;
    struct json_writer w;
};

/* Zeroed, of `size` bytes; NULL: the request is answered. */
void *view_job_new(size_t size,
                   const struct views *v,
                   struct http_request *req,
                   void (*fini)(struct view_job *j));

void view_job_fail(struct view_job *j, enum tide_err rc, const struct tide_error *err);
/* With words that the application is to read as they stand. */
void view_job_refuse(struct view_job *j, enum tide_err rc, const char *words);

tide_wall_ms view_job_now(const struct view_job *j);

/* Begins the answer, an object. NULL: `rc` says that it failed, which is answered. */
struct json_writer *view_job_open(struct view_job *j,
                                  enum tide_err rc,
                                  const struct tide_error *err);
/* The same with "now" as the first member. */
struct json_writer *view_job_open_now(struct view_job *j,
                                      enum tide_err rc,
                                      const struct tide_error *err);
/* Ends the object and answers with it. */
void view_job_close(struct view_job *j);
/* Answers with what was written to `answer` otherwise. */
void view_job_end(struct view_job *j, const char *content_type);
void view_job_end_json(struct view_job *j);

#endif
