/* Lists of suppressed addresses as ESPs' consoles give and take them. */
#include "core/outcome/suppress_csv.h"
#include "lib/check.h"

static const struct {
    const char *name, *list;
    bool readable, head;
    size_t entries, bad;
    const char *address, *evidence; /* of the last entry */
    enum suppression_cause cause;
    tide_wall_ms at, expires_at;
    const char *scope;
} lists[] = {
    {"SendGrid's bounces",
     "status,reason,email,created\r\n5.1.1,\"550 5.1.1 no, such "
     "\"\"user\"\"\",a@x.test,1700000000\r\n",
     true, true, 1, 0, "a@x.test", "550 5.1.1 no, such \"user\"", SUPPRESSION_INVALID,
     1700000000000, 0, ""},
    {"SES' export",
     "Email address,Suppression reason,Last update time\na@x.test,COMPLAINT,"
     "2026-03-02T10:00:00Z\n",
     true, true, 1, 0, "a@x.test", "", SUPPRESSION_COMPLAINT, 1772445600000, 0, ""},
    {"what SES imports", "a@x.test,COMPLAINT\nb@x.test,BOUNCE", true, false, 2, 0, "b@x.test", "",
     SUPPRESSION_INVALID, 0, 0, ""},
    {"an address a line", "a@x.test\n\nb@x.test\n", true, false, 2, 0, "b@x.test", "",
     SUPPRESSION_MANUAL, 0, 0, ""},
    {"our own",
     "email,reason,created,cause,scope,expires\r\na@x.test,told us,1700000000,unsubscribed,"
     "stream:news,1800000000\r\n",
     true, true, 1, 0, "a@x.test", "told us", SUPPRESSION_UNSUBSCRIBED, 1700000000000,
     1800000000000, "stream:news"},
    {"with Excel's mark and blanks",
     "\xEF\xBB\xBF"
     "Email ; Reason\n a@x.test ; BOUNCE \n",
     true, true, 1, 0, "a@x.test", "", SUPPRESSION_INVALID, 0, 0, ""},
    {"a line without an address", "email\na@x.test\nnobody\n", true, true, 1, 1, "a@x.test", "",
     SUPPRESSION_MANUAL, 0, 0, ""},
    {"a time that is none", "email,created\na@x.test,yesterday\n", true, true, 1, 0, "a@x.test", "",
     SUPPRESSION_MANUAL, 0, 0, ""},
    {"no addresses at all", "id,name\n1,Ann\n", false, false, 0, 0, "", "", 0, 0, 0, ""},
};

static void test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(lists); i++) {
        const char *name = lists[i].name;
        struct text in = suppress_csv_begin(text_of(lists[i].list));
        struct csv csv;
        struct suppress_csv columns;
        struct suppression s, last = {0};
        struct tide_error err;
        size_t entries = 0, bad = 0;
        bool is_head = false;
        csv_init(&csv, csv_separator_of(text_cut(in, 0, text_find(in, '\n'))));
        T_EQ(csv_next(&csv, &in, true), CSV_RECORD, "%s", name);
        T_EQ(suppress_csv_head(&csv, &columns, &is_head, &err) == TIDE_OK, lists[i].readable, "%s",
             name);
        T_EQ(is_head, lists[i].head, "%s: first line", name);
        bool more = lists[i].readable && (!is_head || csv_next(&csv, &in, true) == CSV_RECORD);
        while (more) {
            if (suppress_csv_entry(&columns, &csv, SUPPRESSION_MANUAL, &s, &err) == TIDE_OK) {
                entries++;
                last = s;
            } else {
                bad++;
            }
            if (entries == lists[i].entries && bad == 0) { /* while its texts hold */
                T_TEXT(last.address, lists[i].address, "%s", name);
                T_TEXT(last.evidence, lists[i].evidence, "%s", name);
                T_EQ(last.cause, lists[i].cause, "%s", name);
                T_EQ(last.at, lists[i].at, "%s", name);
                T_EQ(last.expires_at, lists[i].expires_at, "%s", name);
                T_TEXT(last.scope, lists[i].scope, "%s", name);
            }
            more = csv_next(&csv, &in, true) == CSV_RECORD;
        }
        T_EQ(entries, lists[i].entries, "%s: entries", name);
        T_EQ(bad, lists[i].bad, "%s: lines without an address", name);
        csv_fini(&csv);
    }
}

/* What is written is read back as it was. */
static void test_round_trip(void **state)
{
    (void)state;
    static const struct suppression entries[] = {
        {.address = {"a@x.test", 8}, .cause = SUPPRESSION_INVALID, .at = 1000, .expires_at = 5000},
        {.address = {"\"a,b\"@x.test", 12},
         .evidence = {"\"no\",\r\nsays he", 14},
         .cause = SUPPRESSION_COMPLAINT,
         .at = 2000},
        {.address = {"c@x.test", 8},
         .scope = {"sender:app@pm.test", 18},
         .cause = SUPPRESSION_REFUSED,
         .at = 3000},
    };
    struct buf out = {0};
    struct csv csv;
    struct suppress_csv columns;
    struct tide_error err;
    bool is_head;
    suppress_csv_put_head(&out);
    for (size_t i = 0; i < TIDE_COUNT(entries); i++)
        suppress_csv_put(&out, &entries[i]);
    struct text in = buf_text(&out);
    csv_init(&csv, ',');
    T_EQ(csv_next(&csv, &in, true), CSV_RECORD, "head");
    T_OK(suppress_csv_head(&csv, &columns, &is_head, &err), &err, "head");
    for (size_t i = 0; i < TIDE_COUNT(entries); i++) {
        struct suppression s;
        T_EQ(csv_next(&csv, &in, true), CSV_RECORD, "entry %zu", i);
        T_OK(suppress_csv_entry(&columns, &csv, SUPPRESSION_MANUAL, &s, &err), &err, "entry %zu",
             i);
        T_TRUE(text_eq(s.address, entries[i].address) && text_eq(s.evidence, entries[i].evidence) &&
                   text_eq(s.scope, entries[i].scope),
               "entry %zu", i);
        T_EQ(s.cause, entries[i].cause, "entry %zu", i);
        T_EQ(s.at, entries[i].at, "entry %zu", i);
        T_EQ(s.expires_at, entries[i].expires_at, "entry %zu", i);
    }
    csv_fini(&csv);
    buf_fini(&out);
    T_TRUE(!suppress_csv_put_ses(&out, &entries[2]), "SES knows no senders' entries");
    T_TRUE(suppress_csv_put_ses(&out, &entries[1]), "a complaint");
    T_TEXT(buf_text(&out), "\"\"\"a,b\"\"@x.test\",COMPLAINT\r\n", "quoted");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
