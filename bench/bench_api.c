/* How many notifications of a 2 kB JSON body are read and composed a second, on one core. */
#include "core/proto/compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 20000

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int run_one(struct text in, bool composes)
{
    const struct api_rules rules = {.now = 1795299446000, .recipients_max = 10};
    const struct compose_given given = {.date = rules.now, .message_id = TEXT("id@s.example")};
    struct json *doc = NULL;
    struct arena a = {0};
    struct api_draft d;
    struct api_error e;
    struct buf b = {0};
    int failed = json_parse(in, 100000, &doc, NULL) != TIDE_OK ||
                 !api_draft(doc, -1, &rules, &a, &d, &e) ||
                 (composes && compose(&d, &given, &b, NULL) != TIDE_OK);
    buf_fini(&b);
    arena_fini(&a);
    json_free(doc);
    return failed;
}

static int run(const char *name, struct text in, bool composes)
{
    double start = seconds();
    for (int i = 0; i < RUNS; i++)
        if (run_one(in, composes) != 0)
            return 1;
    printf("%s %.0f 1/s\n", name, RUNS / (seconds() - start));
    return 0;
}

int main(void)
{
    struct buf plain = {0}, both = {0};
    buf_adds(&plain, "{\"to\":\"bruce@client.asia\",\"from\":\"Shop <n@s.example>\",\"subject\":"
                     "\"New comment\",\"thread\":\"task-12\",\"text\":\"");
    for (int i = 0; i < 30; i++)
        buf_adds(&plain, "A line of the comment, some sixty characters long, as they are.\\n");
    buf_add_text(&both, buf_text(&plain));
    buf_adds(&plain, "\"}");
    buf_adds(&both, "\",\"html\":\"<p>A short text in HTML</p>\"}");
    int failed = run("api.read", buf_text(&plain), false) ||
                 run("api.read_and_compose.text", buf_text(&plain), true) ||
                 run("api.read_and_compose.text_and_html", buf_text(&both), true);
    buf_fini(&plain);
    buf_fini(&both);
    return failed;
}
