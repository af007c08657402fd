#include "cmd/mailtide-lab/world.h"
#include "lib/check.h"

static void test_story(void **state)
{
    (void)state;
    struct world *w = NULL;
    struct tide_error err = {0};
    T_OK(world_load("src/cmd/mailtide-lab/story.conf", &w, &err), &err, "story.conf");
    T_EQ(w->provider_count, 2, "providers");
    const struct lab_provider *p = &w->providers[0];
    T_STR(p->name, "tencent", "name");
    T_STR(p->unknown_reply.text, "No such user here", "reply");
    T_EQ(p->unknown_reply.enhanced[0], 5, "enhanced code");
    T_EQ(p->limit_count, 1, "limits");
    T_EQ(p->limits[0].count, 10, "count");
    T_EQ(p->limits[0].reply.code, 550, "code");
    T_STR(p->limits[0].reply.text,
          "Connection frequency limited. http://service.mail.qq.com/detail/122/175", "text");
    T_EQ(world_provider_of(w, TEXT("MXBIZ1.qq.com")), 0, "suffix");
    T_EQ(world_provider_of(w, TEXT("qq.com")), -1, "a suffix stands for hosts below");
    T_EQ(world_provider_of(w, TEXT("mx.friendly.example")), 1, "whole name");
    T_EQ(w->esp_count, 1, "ESPs");
    T_STR(w->esps[0].user, "apikey", "user");
    world_free(w);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *content, *want;
    } cases[] = {
        {"dns: { listne = \"x\"; };", "test.conf:1: dns.listne: there is no such key; did you mean"
                                      " listen?"},
        {"providers: { p: { limits: { l: { scope = \"mailbox\"; stage = \"mail\"; }; }; }; };",
         "test.conf:1: providers.p.limits.l: stage: a limit by mailbox is known at \"rcpt\" at the "
         "earliest"},
        {"providers: { p: { limits: { l: { window = \"rate 1s\"; }; }; }; };",
         "test.conf:1: providers.p.limits.l: window: want a calendar, clock, rolling or cooldown "
         "window"},
        {"providers: { p: { limits: { l: { reply = \"250 Ok\"; }; }; }; };",
         "test.conf:1: providers.p.limits.l: want a reply of 400..599, got \"250 Ok\""},
        {"providers: { p: { down_from = \"2026-03-02T00:00:00Z\"; }; };",
         "test.conf:1: providers.p: want both of down_from and down_to, or none"},
        {"esps: { e: { connections = 0; }; };",
         "test.conf:1: esps.e.connections: want 1..100, got 0"},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct world *w = NULL;
        struct tide_error err = {0};
        T_TRUE(world_parse("test.conf", text_of(cases[i].content), &w, &err) != TIDE_OK, "%s",
               cases[i].content);
        T_STR(err.text, cases[i].want, "%s", cases[i].content);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
