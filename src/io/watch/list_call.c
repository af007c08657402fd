#include "io/watch/list_inside.h"

#include "base/macros.h"

static void on_fetched(struct fetch *f)
{
    struct list_call *c = f->arg;
    c->busy = false;
    if (f->fate != FETCH_ANSWERED || f->cut) {
        c->said = LIST_LATER;
        buf_addf(&c->why, "%s", f->error);
    } else {
        c->said = lists_said(f->status, buf_text(&f->answer), &c->why);
        if (c->said == LIST_DONE && f->answer.len > 0 &&
            json_parse(buf_text(&f->answer), LISTS_ANSWER_MAX, &c->doc, NULL) != TIDE_OK)
            c->doc = NULL;
    }
    c->done(c);
}

static enum tide_err sign(struct list_call *c, struct tide_error *err)
{
    const struct list_way *way = c->way;
    struct clock real;
    struct text prefix = fetcher_prefix(way->fetcher);
    char *path =
        arena_printf(&c->arena, TEXT_FMT TEXT_FMT, TEXT_ARG(prefix), TEXT_ARG(c->request.path));
    if (!path)
        return tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
    clock_init_real(&real);
    const struct aws_request r = {.key_id = way->key_id,
                                  .secret = way->key,
                                  .region = way->region,
                                  .method = c->request.method,
                                  .host = fetcher_host(way->fetcher),
                                  .path = text_of(path),
                                  .body = buf_text(&c->request.body),
                                  .now = clock_wall(&real)};
    return aws_sign(&r, &c->signature, err);
}

void list_call_start(struct list_call *c, void (*done)(struct list_call *c), void *arg)
{
    struct list_way *way = c->way;
    struct fetch *f = &c->fetch;
    struct tide_error err = {0};
    size_t n = 0;
    c->done = done;
    c->arg = arg;
    c->busy = true;
    if (way->api->signs_aws && sign(c, &err) == TIDE_OK) {
        c->headers[n++] = (struct fetch_header){"X-Amz-Date", text_of(c->signature.date)};
        c->headers[n++] =
            (struct fetch_header){"Authorization", text_of(c->signature.authorization)};
    }
    for (size_t i = 0; i < c->request.header_count; i++)
        c->headers[n++] =
            (struct fetch_header){c->request.headers[i].name, c->request.headers[i].value};
    *f = (struct fetch){.method = c->request.method,
                        .path = c->request.path,
                        .body = buf_text(&c->request.body),
                        .answer_max = LISTS_ANSWER_MAX,
                        .headers = c->headers,
                        .header_count = n,
                        .done = on_fetched,
                        .arg = c};
    way->may_call_at = list_now(way->sync) + way->api->call_every_ms;
    fetch_start(way->fetcher, f);
}

void list_call_end(struct list_call *c)
{
    struct list_way *way = c->way;
    fetch_fini(&c->fetch);
    json_free(c->doc);
    buf_fini(&c->why);
    buf_fini(&c->request.body);
    arena_fini(&c->arena);
    *c = (struct list_call){.way = way};
}
