/* SES's events as an SNS topic mails them, and files of several mails. */
#include "base/macros.h"
#include "core/outcome/bounce.h"
#include "core/outcome/event_mail.h"
#include "core/outcome/mbox.h"
#include "lib/check.h"

#define SNS                                                                          \
    "From: Bounces <no-reply@sns.amazonaws.com>\nTo: ops@app.example\nSubject: AWS " \
    "Notification Message\nContent-Type: text/plain; charset=UTF-8\n\n"
#define MAIL                                                                              \
    "\"mail\":{\"source\":\"news@app.example\",\"messageId\":\"0100-1\",\"destination\":" \
    "[\"ann@client.example\"],\"commonHeaders\":{\"messageId\":\"<1@app.example>\","      \
    "\"subject\":\"Hi\"}}"
#define FOOTER                                                                                    \
    "\n\n--\nIf you wish to stop receiving notifications from this topic, please click or visit " \
    "the link below to unsubscribe:\nhttps://sns.example/unsubscribe\n"

static const struct {
    const char *name, *mail;
    enum bounce_kind kind;
    enum dsn_action action;
    const char *status, *said; /* of the first recipient */
} cases[] = {
    {"bounce",
     SNS "{\"notificationType\":\"Bounce\",\"bounce\":{\"bounceType\":\"Permanent\","
         "\"bounceSubType\":\"General\",\"bouncedRecipients\":[{\"emailAddress\":"
         "\"ann@client.example\",\"action\":\"failed\",\"status\":\"5.1.1\",\"diagnosticCode\":"
         "\"smtp; 550 5.1.1 user unknown\"}],\"reportingMTA\":\"dsn; a27.ses.example\"}," MAIL
         "}" FOOTER,
     BOUNCE_REPORT, DSN_FAILED, "5.1.1", "550 5.1.1 user unknown"},
    {"as events are called since 2016, no reply in it",
     SNS "{\"eventType\":\"Bounce\",\"bounce\":{\"bounceType\":\"Transient\",\"bounceSubType\":"
         "\"MailboxFull\",\"bouncedRecipients\":[{\"emailAddress\":\"ann@client.example\"}]}," MAIL
         "}",
     BOUNCE_REPORT, DSN_FAILED, "0.0.0", "Mailbox Full"},
    {"within SNS's own envelope",
     SNS "{\"Type\":\"Notification\",\"Message\":\"{\\\"notificationType\\\":\\\"Bounce\\\","
         "\\\"bounce\\\":{\\\"bouncedRecipients\\\":[{\\\"emailAddress\\\":"
         "\\\"ann@client.example\\\",\\\"status\\\":\\\"5.2.2\\\"}]}}\"}",
     BOUNCE_REPORT, DSN_FAILED, "5.2.2", ""},
    {"delivery",
     SNS "{\"notificationType\":\"Delivery\",\"delivery\":{\"recipients\":[\"ann@client.example\"],"
         "\"smtpResponse\":\"250 2.6.0 Message received\"}," MAIL "}",
     BOUNCE_REPORT, DSN_DELIVERED, "2.6.0", "250 2.6.0 Message received"},
    {"delay",
     SNS "{\"eventType\":\"DeliveryDelay\",\"deliveryDelay\":{\"delayType\":\"MailboxFull\","
         "\"delayedRecipients\":[{\"emailAddress\":\"ann@client.example\",\"status\":\"4.2.2\","
         "\"diagnosticCode\":\"smtp; 452 4.2.2 mailbox full\"}]}," MAIL "}",
     BOUNCE_REPORT, DSN_DELAYED, "4.2.2", "452 4.2.2 mailbox full"},
    {"refused by SES itself, for whom it was sent to",
     SNS "{\"eventType\":\"Reject\",\"reject\":{\"reason\":\"BadContent\"}," MAIL "}",
     BOUNCE_REPORT, DSN_FAILED, "0.0.0", "Bad Content"},
    {"complaint",
     SNS "{\"notificationType\":\"Complaint\",\"complaint\":{\"complainedRecipients\":"
         "[{\"emailAddress\":\"ann@client.example\"}],\"complaintFeedbackType\":\"abuse\"}," MAIL
         "}",
     BOUNCE_COMPLAINT, DSN_NO_ACTION, "0.0.0", NULL},
    {"an opened mail is no report", SNS "{\"eventType\":\"Open\",\"open\":{}," MAIL "}",
     BOUNCE_OTHER, DSN_NO_ACTION, NULL, NULL},
    {"JSON of somebody else", SNS "{\"Type\":\"x\",\"bounce\":{\"bouncedRecipients\":[1,{}]}}",
     BOUNCE_OTHER, DSN_NO_ACTION, NULL, NULL},
    {"cut off", SNS "{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedRecipients\":[{",
     BOUNCE_OTHER, DSN_NO_ACTION, NULL, NULL},
};

static void test_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct arena a = {0};
        struct tide_error err = {0};
        struct bounce b;
        char status[40];
        T_OK(bounce_read(text_of(cases[i].mail), NULL, NULL, &a, &b, &err), &err, "%s",
             cases[i].name);
        T_STR(bounce_kind_name(b.kind), bounce_kind_name(cases[i].kind), "%s", cases[i].name);
        if (cases[i].status) {
            const struct bounce_recipient *r = &b.recipients[0];
            T_EQ(b.recipient_count, 1, "%s", cases[i].name);
            T_TRUE(text_eq(r->address, TEXT("ann@client.example")), "%s", cases[i].name);
            T_STR(dsn_action_name(r->action), dsn_action_name(cases[i].action), "%s",
                  cases[i].name);
            snprintf(status, sizeof status, "%d.%d.%d", r->status[0], r->status[1], r->status[2]);
            T_STR(status, cases[i].status, "%s", cases[i].name);
            if (cases[i].said)
                T_TRUE(text_eq(r->said, text_of(cases[i].said)), "%s: said " TEXT_FMT,
                       cases[i].name, TEXT_ARG(r->said));
            bool ours = strstr(cases[i].mail, "<1@app.example>") != NULL;
            T_TRUE(text_eq(b.original_id, ours ? TEXT("<1@app.example>") : TEXT("")), "%s",
                   cases[i].name);
        }
        arena_fini(&a);
    }
}

/* A line that was too long for a mail system on the way: "!" and a blank are its. */
static void test_folded(void **state)
{
    (void)state;
    struct arena a = {0};
    struct event_mail e;
    char body[2200];
    static const char head[] =
        "{\"notificationType\":\"Complaint\",\"complaint\":"
        "{\"complainedRecipients\":[{\"emailAddress\":\"ann@client.example\"}]"
        ",\"userAgent\":\"";
    size_t n = strlen(head);
    memcpy(body, head, n);
    memset(body + n, 'x', 990 - n);
    snprintf(body + 990, sizeof body - 990, "!\n yz\"}}\n\n--\nIf you wish ...\n");
    T_TRUE(event_mail_read(text_of(body), &a, &e), "read");
    T_TRUE(e.complaint && e.arf.recipient_count == 1, "one complaint");
    T_TRUE(text_iends(e.arf.user_agent, TEXT("xxyz")), TEXT_FMT, TEXT_ARG(e.arf.user_agent));
    arena_fini(&a);
}

#define FROM "From MAILER-DAEMON Mon Mar  2 10:00:00 2020\n"

static const struct {
    const char *name, *file;
    int mails;
} files[] = {
    {"nothing", "", 0},
    {"blanks", "\r\n\n", 0},
    {"one mail, no mbox", "Subject: a\n\n" FROM "Subject: b\n\nx\n\n" FROM "Subject: c\n\n", 1},
    {"one", FROM "Subject: a\n\ntext\n", 1},
    {"two", FROM "Subject: a\n\ntext\n\n" FROM "Subject: b\n\ntext\n", 2},
    {"lines that end in CRLF",
     "From a@b.example Mon Mar  2 10:00:00 2020\r\nSubject: a\r\n\r\nx\r\n\r\nFrom a@b.example Mon "
     "Mar  2 10:00:00 2020\r\nSubject: b\r\n\r\nx\r\n",
     2},
    {"no empty line before it", FROM "Subject: a\n\ntext\n" FROM "Subject: b\n\ntext\n", 1},
    {"a sentence", FROM "Subject: a\n\nDear Ann,\n\nFrom here on: it is 10:00.\nwell\n", 1},
    {"no field below it", FROM "Subject: a\n\ntext\n\n" FROM "text\n", 1},
    {"in a multipart, a returned mail with its line",
     FROM "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\nx\n\n"
          "--b\n\n" FROM "Subject: returned\n\nx\n\n--b--\n\n" FROM "Subject: b\n\nx\n",
     2},
    {"a multipart that does not end",
     FROM "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n\n" FROM "Subject: b\n\nx\n", 1},
};

static void test_mbox(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(files); i++) {
        struct text rest = text_of(files[i].file), mail;
        size_t bytes = 0;
        int mails = 0;
        while (mbox_next(&rest, &mail)) {
            T_TRUE(mail.p == files[i].file + bytes, "%s: a gap", files[i].name);
            bytes += mail.n;
            mails++;
        }
        T_EQ(mails, files[i].mails, "%s", files[i].name);
        T_TRUE(mails == 0 || bytes == strlen(files[i].file), "%s: bytes lost", files[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_events), cmocka_unit_test(test_folded),
                                       cmocka_unit_test(test_mbox)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
