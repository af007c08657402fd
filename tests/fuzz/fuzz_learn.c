/* Rows of what was learnt: the first line is the row's key. What is read is written the same again.
 */
#include "core/plan/learn.h"
#include "core/plan/planner.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct plan_zones none;
    struct text blob = {(const char *)data, size}, row, again;
    struct subjects subjects;
    struct learn learn;
    struct tide_error err;
    struct buf first = {0}, second = {0};
    if (!text_split(&blob, '\n', &row))
        return 0;
    subjects_init(&subjects);
    learn_init(&learn, &subjects, &none);
    if (learn_restore(&learn, row, blob, &err) == TIDE_OK && learn.by_key.count) {
        uint32_t pos = 0;
        struct learn_key *k = idmap_next(&learn.by_key, &pos);
        learn_mark(&learn, k);
        if (!learn_next_dirty(&learn, &row, &first))
            abort();
        if (learn_restore(&learn, row, buf_text(&first), &err) != TIDE_OK)
            abort();
        learn_mark(&learn, k);
        if (!learn_next_dirty(&learn, &again, &second) || second.len != first.len)
            abort();
        struct learn_route route = {
            .recipient_id = k->recipient_id, .provider = 1, .domain = 1, .account = 1, .pool = 1};
        tide_wall_ms until;
        const struct window day = {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY};
        const struct learn_lesson lesson = {
            .scope = k->scope, .window = &day, .used = 3, .opens_at = 1000000};
        (void)learn_refused(&learn, &route, &lesson, 1000, &until);
        learn_accepted(&learn, &route, 1000, 2000000);
    }
    buf_fini(&first);
    buf_fini(&second);
    learn_fini(&learn);
    subjects_fini(&subjects);
    return 0;
}
