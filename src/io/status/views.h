/* views.h - requests that read the store or operate the gate, from HTTP request to HTTP answer.
 *
 * What the HTTP API (one application sees its own) and the status socket (operators see all) have
 * in common. Each call takes the request over and answers it, now or later.
 *
 * Owns      nothing; each call has a job of its own until its answer.
 * Threads   loop thread only.
 * Errors    answered as {"error":{"code","message"}}: 400, 404, 409, 429, 503.
 */
#ifndef IO_STATUS_VIEWS_H
#define IO_STATUS_VIEWS_H

#include "io/loop/http.h"
#include "io/status/operate.h"
#include "io/store/store.h"

#define VIEWS_ROWS_DEFAULT 100
#define VIEWS_ROWS_MAX     1000

struct views {
    struct store *store;
    const struct operate *operate;
};

/* `application` "": any. */
void view_notification(const struct views *v,
                       struct http_request *req,
                       tide_id id,
                       struct text application);

/* ?recipient= or ?id= &after= &most= : in order; without `after` the newest entries */
void view_why(const struct views *v, struct http_request *req);
/* ?recipient= &domain= &stream= &after= &most= */
void view_queue(const struct views *v, struct http_request *req);
/* ?domain= : {"now","senders":[{"domain","account","seen_at","checked_at","passed_at","held",
 * "report"}]}, the report as check-sender --json has it */
void view_senders(const struct views *v, struct http_request *req);
/* ?recipient= */
void view_limits(const struct views *v, struct http_request *req);
/* ?recipient= : what replies have taught */
void view_learnt(const struct views *v, struct http_request *req);
/* ?scope= &subject= &of= &count= &window= &zone= */
void view_guards(const struct views *v, struct http_request *req);
void view_guard_open(const struct views *v, struct http_request *req, struct text by); /* ?name= */
void view_limit_word(const struct views *v, struct http_request *req, bool forget, struct text by);

enum view_form { VIEW_JSON, VIEW_METRICS, VIEW_OVERVIEW };
void view_status(const struct views *v, struct http_request *req, enum view_form form);

/* 200 when accepting, 503 when not, with the reason. */
void view_health(const struct views *v, struct http_request *req);

enum view_operation { VIEW_CANCEL, VIEW_RELEASE };
/* id 0: ?recipient= */
void view_operate(const struct views *v,
                  struct http_request *req,
                  enum view_operation what,
                  tide_id id,
                  struct text application,
                  struct text by);

/* -- How all of them answer ----------------------------------------------------------------------
 */

/* The status and the word that a failure is answered with. */
unsigned view_status_of(enum tide_err rc, const char **ret_code);
void view_fail(struct http_request *req, enum tide_err rc, const struct tide_error *err);
void view_no_memory(struct http_request *req);
bool view_reads(const struct http_request *req); /* GET or HEAD */
void view_bad_method(struct http_request *req, const char *want);
void view_not_permitted(struct http_request *req);

/* ?most= , at most VIEWS_ROWS_MAX */
size_t view_rows_wanted(const struct http_request *req, int64_t preset);

/* Answers with what was written, or 503 when memory ran out while writing; the buffer is freed.
 * JSON is ended by a line end. Nothing of it is to be kept by who asked. */
void view_reply(struct http_request *req, unsigned status, struct buf *b, const char *content_type);
void view_reply_json(struct http_request *req, struct buf *b);

#endif
