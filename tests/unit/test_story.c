/* Cause and effect in a journal: tables of entries with what each is to follow from. */
#include "core/outcome/story.h"
#include "lib/check.h"

#define LINES_MAX 16

struct line {
    tide_id attempt;
    const char *event, *sentence, *detail;
    int cause, ends;
};

#define QQ "{\"class\":\"rate\",\"cause\":\"QQ takes no more today.\",\"until\":\"x\"}"

static const struct {
    const char *name;
    struct line lines[LINES_MAX];
} cases[] = {
    {"nothing happened",
     {{0, "accepted", "by SMTP", "", -1, -1},
      {1, "released", "at once", "", -1, -1},
      {1, "sent", "taken", "", -1, -1},
      {1, "delivered", "taken", "", -1, -1}}},
    {"a limit, its holds, and its end",
     {{1, "limited", "550 - QQ takes no more today.; held until T", QQ, -1, -1},
      {0, "limit_learned", "learned for bruce: 3 per day", "", 0, -1},
      {0, "accepted", "by SMTP", "", -1, -1},
      {0, "held", "held until T: a reply named a limit: QQ takes no more today", "", 0, -1},
      {0, "held", "held for a digest until T: 3 of 10 used", "", -1, -1},
      {2, "limited", "550 - QQ takes no more today.; held until T", QQ, 0, -1},
      {3, "sent", "taken", "", -1, 0},
      {0, "held", "held until T: a reply named a limit: QQ takes no more today", "", -1, -1},
      {4, "limited", "550 - QQ takes no more today.; held until T", QQ, -1, -1}}},
    {"a dead address is stopped, and goes on",
     {{1, "sent", "taken", "", -1, -1},
      {1, "bounced", "550 no such user", "{\"class\":\"recipient\",\"cause\":\"No such mailbox.\"}",
       -1, -1},
      {1, "suppressed", "all mail is refused", "{\"cause\":\"dead\",\"scope\":\"\"}", 1, -1},
      {0, "refused", "the recipient is suppressed", "{\"code\":\"suppressed\"}", 2, -1},
      {0, "refused", "gone.test does not exist", "{\"code\":\"undeliverable\"}", -1, -1},
      {0, "confirmed", "the recipient confirmed", "", 2, -1},
      {0, "unsuppressed", "all mail goes on", "{\"cause\":\"dead\",\"scope\":\"\"}", 2, 2},
      {0, "refused", "the recipient is suppressed", "{\"code\":\"suppressed\"}", -1, -1},
      {2, "sent", "taken", "", -1, 1}}},
    {"the ESP dropped it for what came before",
     {{1, "sent", "taken", "", -1, -1},
      {1, "bounced", "550 frequency", QQ, -1, -1},
      {2, "dropped_by_esp", "did not even try", "", 1, -1},
      {0, "esp_list_mended", "taken off the list", "", 1, -1},
      {3, "delivered", "taken", "", -1, 1}}},
    {"two stops of different streams are lifted one by one",
     {{1, "complained", "spam", "", -1, -1},
      {1, "suppressed", "mail of news", "{\"scope\":\"stream:news\"}", 0, -1},
      {1, "suppressed", "mail of offers", "{\"scope\":\"stream:offers\"}", 0, -1},
      {0, "unsuppressed", "news goes on", "{\"scope\":\"stream:news\"}", 1, 1},
      {0, "unsuppressed", "offers go on", "{\"scope\":\"stream:offers\"}", 2, 2}}},
    {"an answer was lost and found, another was not",
     {{1, "unknown", "lost", "", -1, -1},
      {2, "unknown", "lost", "", -1, -1},
      {1, "sent", "it did arrive", "", -1, 0},
      {2, "abandoned", "released again", "", 1, -1}}},
    {"by hand, without a refusal", {{0, "suppressed", "by anna", "{\"scope\":\"\"}", -1, -1}}},
    {"details that are none",
     {{1, "limited", "550", "{broken", -1, -1},
      {0, "held", "until T", "[]", -1, -1},
      {0, "refused", "x", "{\"code\":7}", -1, -1}}},
};

static void test_join(void **state)
{
    (void)state;
    for (size_t c = 0; c < TIDE_COUNT(cases); c++) {
        struct journal_entry entries[LINES_MAX] = {{0}};
        struct story_link links[LINES_MAX];
        size_t n = 0;
        for (const struct line *l = cases[c].lines; n < LINES_MAX && l->event; l++, n++)
            entries[n] = (struct journal_entry){.seq = (int64_t)n + 1,
                                                .attempt_id = l->attempt,
                                                .event = text_of(l->event),
                                                .sentence = text_of(l->sentence),
                                                .detail = text_of(l->detail)};
        story_join(entries, n, links);
        for (size_t i = 0; i < n; i++) {
            T_EQ(links[i].cause, cases[c].lines[i].cause, "%s: line %zu", cases[c].name, i);
            T_EQ(links[i].ends, cases[c].lines[i].ends, "%s: line %zu", cases[c].name, i);
        }
    }
}

/* What was on its way already when another was refused does not end the trouble. */
static void test_on_its_way(void **state)
{
    (void)state;
    const tide_wall_ms t = 1800000000000;
    struct journal_entry entries[] = {
        {.at = t, .attempt_id = id_floor(t - 2000), .event = TEXT("limited")},
        {.at = t + 1, .attempt_id = id_floor(t - 1000), .event = TEXT("sent")},
        {.at = t + 9000, .attempt_id = id_floor(t + 8000), .event = TEXT("sent")},
    };
    struct story_link links[3];
    story_join(entries, 3, links);
    T_EQ(links[1].ends, -1, "it had left before");
    T_EQ(links[2].ends, 0, "this one left after");
}

/* More troubles than are remembered: the oldest are forgotten, nothing else. */
static void test_many(void **state)
{
    (void)state;
    struct journal_entry entries[200];
    struct story_link links[200];
    for (size_t i = 0; i < TIDE_COUNT(entries); i++)
        entries[i] = (struct journal_entry){.attempt_id = (tide_id)i + 1, .event = TEXT("bounced")};
    entries[199] = (struct journal_entry){.attempt_id = 500, .event = TEXT("sent")};
    story_join(entries, TIDE_COUNT(entries), links);
    T_EQ(links[198].cause, -1, "each for itself");
    T_EQ(links[199].ends, 199 - STORY_OPEN_MAX, "the oldest that is remembered");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
