/* Hints from an address's own text, with small lists and with those of schedules/lists. */
#include "core/verify/recipient.h"

#include "core/config/config.h"
#include "io/loop/files.h"
#include "lib/check.h"

static char *google_domains[] = {(char *)(uintptr_t) "gmail.com"};
static struct profile providers[] = {{.domains = google_domains, .domain_count = 1}};

static void read_lists(struct lists *l)
{
    static const struct {
        enum list_name which;
        const char *content;
    } all[] = {
        {LIST_DISPOSABLE, "# who throws away\nMailinator.com\n\nyopmail.com # FR\n"},
        {LIST_FREE_MAIL, "hotmail.com\nyahoo.ca\nqq.com\nymail.com\nweb.de"},
        {LIST_ROLES, "info\r\nno-reply\r\n"},
    };
    struct tide_error err;
    for (size_t i = 0; i < TIDE_COUNT(all); i++)
        T_OK(lists_read(l, all[i].which, "list", text_of(all[i].content), &err), &err, "list");
}

static const struct {
    const char *local, *domain, *names, *meant;
} cases[] = {
    {"ann", "example.org", "", ""},
    {"ann", "gmail.com", "free-mail", ""}, /* a profile's own domain */
    {"ann", "hotmail.com", "free-mail", ""},
    {"info", "example.org", "role", ""},
    {"INFO", "gmail.com", "role,free-mail", ""},
    {"No-Reply+x", "example.org", "role", ""},
    {"information", "example.org", "", ""},
    {"ann", "mailinator.com", "disposable", ""},
    {"ann", "a.b.mailinator.com", "disposable", ""},
    {"ann", "notmailinator.com", "", ""},
    {"info", "yopmail.com", "role,disposable", ""},
    {"ann", "gmial.com", "typo", "gmail.com"}, /* two letters swapped */
    {"ann", "gmai.com", "typo", "gmail.com"},  /* one left out */
    {"ann", "gmaill.com", "typo", "gmail.com"},
    {"ann", "gnail.com", "typo", "gmail.com"},
    {"ann", "gmail.co", "typo", "gmail.com"},
    {"ann", "gmailcom", "typo", "gmail.com"},
    {"ann", "xgmail.com", "typo", "gmail.com"},
    {"ann", "hotmial.com", "typo", "hotmail.com"},
    {"ann", "hotnial.com", "", ""},        /* two slips */
    {"ann", "gmali.cm", "", ""},           /* two */
    {"ann", "ymail.com", "free-mail", ""}, /* near gmail.com, and its own */
    {"ann", "yahoo.cz", "", ""},           /* another country's */
    {"ann", "yahoo.caa", "typo", "yahoo.ca"},
    {"ann", "aq.com", "", ""}, /* too short to tell */
    {"ann", "wed.de", "", ""},
    {"ann", "", "", ""},
    {"", "x", "", ""},
    {"abuse-abuse-abuse-abuse-abuse-abuse-abuse-abuse-abuse-abuse-abuse-abuse", "x.org", "", ""},
};

static void test_hints(void **state)
{
    (void)state;
    struct profiles all = {.providers = providers, .provider_count = 1};
    struct recipient_index ix;
    struct tide_error err;
    read_lists(&all.lists);
    T_OK(recipient_index_init(&ix, &all, &err), &err, "index");
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct recipient_hints h;
        struct buf names = {0};
        recipient_hints(&ix, text_of(cases[i].local), text_of(cases[i].domain), &h);
        recipient_hints_names(h.found, &names);
        T_STR(buf_str(&names), cases[i].names, "%s@%s", cases[i].local, cases[i].domain);
        T_TEXT(h.meant, cases[i].meant, "%s@%s", cases[i].local, cases[i].domain);
        buf_fini(&names);
    }
    recipient_index_fini(&ix);
    lists_fini(&all.lists);
}

static void test_sentences(void **state)
{
    (void)state;
    struct recipient_hints h = {HINT_TYPO | HINT_ROLE | HINT_DISPOSABLE | HINT_FREE_MAIL,
                                TEXT("gmail.com")};
    struct buf out = {0};
    recipient_hints_sentences(&h, TEXT("info"), TEXT("gmial.com"), &out);
    T_STR(buf_str(&out),
          "gmial.com is one slip away from gmail.com. \"info\" is a function's mailbox, not a "
          "person's. gmial.com gives out addresses to be thrown away. Anybody may have a mailbox "
          "at gmial.com.",
          "all four");
    buf_fini(&out);
    for (unsigned i = 1; i <= HINT_FREE_MAIL; i <<= 1) {
        enum recipient_hint back;
        T_TRUE(recipient_hint_of(text_of(recipient_hint_name((enum recipient_hint)i)), &back) &&
                   back == (enum recipient_hint)i,
               "%u", i);
    }
}

static const struct {
    enum list_name which;
    const char *content, *want;
} bad[] = {
    {LIST_DISPOSABLE, "a.org\nb\n", "f:2: want a domain name, got \"b\""},
    {LIST_DISPOSABLE, ".a.org", "f:1: want a domain name, got \".a.org\""},
    {LIST_ROLES, "in fo", "f:1: want a local part, got \"in fo\""},
    {LIST_PARKED_MX, "#\n.x\n", "f:2: want a host name or \".suffix\", got \".x\""},
    {LIST_PARKED_MX, "!", "f:1: want a host name or \".suffix\", got \"\""},
};

static void test_lists(void **state)
{
    (void)state;
    struct tide_error err;
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct lists l = {0};
        T_EQ(lists_read(&l, bad[i].which, "f", text_of(bad[i].content), &err), TIDE_EINVAL, "%s",
             bad[i].content);
        T_STR(err.text, bad[i].want, "%s", bad[i].content);
        lists_fini(&l);
    }
    struct lists l = {0};
    T_OK(lists_read(&l, LIST_ROLES, "a", TEXT("info\nsales\nit\n"), &err), &err, "first");
    T_OK(lists_read(&l, LIST_ROLES, "b", TEXT("!Sales\nbuero\n"), &err), &err, "second");
    T_EQ(l.of[LIST_ROLES].count, 3, "one less, one more");
    T_STR(l.of[LIST_ROLES].words[1], "it", "sales is gone");
    lists_fini(&l);
}

/* What is shipped is read, holds no word twice, and knows what it should. */
static void test_shipped(void **state)
{
    (void)state;
    struct config *c;
    struct tide_error err;
    T_OK(config_load(NULL, &files_source, &c, &err), &err, "schedules");
    for (int i = 0; i < LIST_COUNT; i++) {
        const struct list_words *list = &c->profiles.lists.of[i];
        struct strmap seen;
        strmap_init(&seen);
        T_TRUE(list->count >= 5, "%s", list_file((enum list_name)i));
        for (size_t k = 0; k < list->count; k++) {
            T_TRUE(!strmap_get(&seen, text_of(list->words[k])), "%s: %s twice",
                   list_file((enum list_name)i), list->words[k]);
            T_TRUE(strmap_put(&seen, text_of(list->words[k]), c), "memory");
        }
        strmap_fini(&seen);
    }
    struct recipient_index ix;
    T_OK(recipient_index_init(&ix, &c->profiles, &err), &err, "index");
    for (size_t i = 0; i < c->profiles.lists.of[LIST_FREE_MAIL].count; i++) {
        const char *known = c->profiles.lists.of[LIST_FREE_MAIL].words[i];
        struct recipient_hints h;
        recipient_hints(&ix, TEXT("ann"), text_of(known), &h);
        T_EQ(h.found, HINT_FREE_MAIL, "%s", known);
    }
    recipient_index_fini(&ix);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_shipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
