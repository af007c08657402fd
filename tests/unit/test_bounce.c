/* Mail that comes back, of our own making: reports with fields, notices without, complaints, and
 * what is none of these. The corpora are in tests/conformance. */
#include "core/outcome/bounce.h"
#include "core/outcome/notice.h"
#include "io/loop/files.h"
#include "lib/check.h"

#include <stdlib.h>

static struct rulebook *book;

static int load(void **state)
{
    (void)state;
    struct tide_error err = {0};
    const char *env = getenv("MAILTIDE_SCHEDULES");
    char *folders[] = {(char *)(uintptr_t)(env ? env : "./schedules")};
    enum tide_err rc = rulebook_load(&files_source, folders, 1, &book, &err);
    if (rc != TIDE_OK)
        print_error("%s\n", err.text);
    return rc == TIDE_OK ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    rulebook_free(book);
    return 0;
}

#define DAEMON                                                                     \
    "Return-Path: <>\r\nFrom: Mail Delivery System <mailer-daemon@mx.example>\r\n" \
    "To: bounce+abc123@app.example\r\n"

#define DSN(status)                                                                              \
    DAEMON "Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"               \
           "Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n"     \
           "\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"                               \
           "--b\r\nContent-Type: message/delivery-status\r\n\r\n"                                \
           "Reporting-MTA: dns; mx.example\r\nOriginal-Envelope-Id: env-7\r\n\r\n" status        \
           "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"                                     \
           "Message-ID: <1@app.example>\r\nFrom: news@app.example\r\nTo: ann@client.example\r\n" \
           "Subject: Hi\r\n\r\nText\r\n--b--\r\n"

static const struct {
    const char *name, *mail;
    enum bounce_kind kind;
    size_t recipients;
    const char *address; /* of the first; NULL: none */
    enum dsn_action action;
    const char *status;
    int code;
    enum reply_class class;
    enum reply_fault fault;
} cases[] = {
    {"a report",
     DSN("Final-Recipient: rfc822; ann@client.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
         "Diagnostic-Code: smtp; 550 5.1.1 <ann@client.example>... User unknown\r\n"),
     BOUNCE_REPORT, 1, "ann@client.example", DSN_FAILED, "5.1.1", 550, CLASS_RECIPIENT,
     FAULT_RECIPIENT},
    {"the reply says more than the field",
     DSN("Final-Recipient: rfc822; ann@client.example\r\nAction: failed\r\nStatus: 5.0.0\r\n"
         "Diagnostic-Code: smtp; 552 5.2.2 Mailbox full\r\n"),
     BOUNCE_REPORT, 1, "ann@client.example", DSN_FAILED, "5.2.2", 552, CLASS_FULL, FAULT_RECIPIENT},
    {"a limit that an ESP books as a bounce",
     DSN("Final-Recipient: rfc822; bruce@client.asia\r\nAction: failed\r\nStatus: 5.0.0\r\n"
         "Remote-MTA: dns; mx3.qq.example\r\n"
         "Diagnostic-Code: smtp; 550 Connection frequency limited\r\n"),
     BOUNCE_REPORT, 1, "bruce@client.asia", DSN_FAILED, "5.0.0", 550, CLASS_RATE,
     FAULT_THEIR_LIMIT},
    {"two, without an empty line between them, and one twice",
     DSN("Final-Recipient: rfc822; a@x.example\r\nAction: delayed\r\nStatus: 4.4.1\r\n"
         "Final-Recipient: rfc822; b@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
         "Final-Recipient: rfc822; A@X.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"),
     BOUNCE_REPORT, 2, "a@x.example", DSN_DELAYED, "4.4.1", 0, CLASS_NETWORK, FAULT_THEIR_OUTAGE},
    {"delivered, whom it was sent to in front",
     DSN("Original-Recipient: rfc822; ann@client.example\r\nFinal-Recipient: rfc822; "
         "a2@inner.example\r\nAction: delivered (to mailbox)\r\nStatus: 2.0.0\r\n"),
     BOUNCE_REPORT, 1, "ann@client.example", DSN_DELIVERED, "2.0.0", 0, CLASS_OTHER, FAULT_UNKNOWN},
    {"an address in UTF-8, escaped (RFC 6533)",
     DSN("Final-Recipient: utf-8; j\\x{F6}rg@client.example\r\nAction: failed\r\nStatus: "
         "5.1.1\r\n"),
     BOUNCE_REPORT, 1, "j\xC3\xB6rg@client.example", DSN_FAILED, "5.1.1", 0, CLASS_RECIPIENT,
     FAULT_RECIPIENT},
    {"the program that it went into is no recipient",
     DSN("Final-Recipient: rfc822; |/usr/bin/filter\r\nAction: failed\r\nStatus: 5.3.0\r\n"),
     BOUNCE_REPORT, 1, "ann@client.example", DSN_FAILED, "0.0.0", 0, CLASS_OTHER, FAULT_UNKNOWN},
    {"a notice in qmail's manner",
     DAEMON
     "Subject: failure notice\r\n\r\nHi. This is the program at mx.example.\r\nI wasn't able "
     "to deliver your message to the following addresses.\r\n\r\n<ann@client.example>:\r\n"
     "192.0.2.1 does not like recipient.\r\nRemote host said: 550 no such user here\r\n"
     "Giving up on 192.0.2.1.\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n"
     "Return-Path: <news@app.example>\r\nMessage-ID: <2@app.example>\r\n"
     "From: news@app.example\r\nTo: other@client.example\r\n\r\ntext\r\n",
     BOUNCE_REPORT, 1, "ann@client.example", DSN_FAILED, "0.0.0", 550, CLASS_RECIPIENT,
     FAULT_RECIPIENT},
    {"a notice in nobody's manner",
     DAEMON
     "Subject: Problem with your letter\r\n\r\nDear sender,\r\nyour letter to "
     "ann@client.example could not be delivered, since her inbox is full.\r\n\r\nRegards\r\n",
     BOUNCE_REPORT, 1, "ann@client.example", DSN_FAILED, "0.0.0", 0, CLASS_FULL, FAULT_RECIPIENT},
    {"a warning",
     DAEMON "Subject: Delayed mail\r\n\r\nThis is a warning message only.\r\n"
            "Your mail to the following recipient has been delayed:\r\n\r\n  ann@client.example\r\n"
            "  connect to mx.client.example[192.0.2.9]:25: Connection timed out\r\n\r\n"
            "It will be retried for 4 more days.\r\n",
     BOUNCE_REPORT, 1, "ann@client.example", DSN_DELAYED, "0.0.0", 0, CLASS_NETWORK,
     FAULT_THEIR_OUTAGE},
    {"a complaint",
     "From: fbl@provider.example\r\nTo: bounce@app.example\r\nSubject: FW: Hi\r\nMIME-Version: "
     "1.0\r\n"
     "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
     "--b\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n"
     "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"
     "Original-Mail-From: <bounce+abc@app.example>\r\nOriginal-Rcpt-To: <ann@client.example>\r\n"
     "--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <3@app.example>\r\n\r\nx\r\n--b--\r\n",
     BOUNCE_COMPLAINT, 1, "ann@client.example", DSN_NO_ACTION, "0.0.0", 0, CLASS_OTHER,
     FAULT_UNKNOWN},
    {"somebody is away",
     "From: Ann <ann@client.example>\r\nTo: news@app.example\r\nSubject: Re: New comment\r\n"
     "Auto-Submitted: auto-replied\r\n\r\nI am on holiday and could not answer. In urgent cases "
     "write to bob@client.example.\r\n",
     BOUNCE_AUTOREPLY, 0, NULL, DSN_NO_ACTION, NULL, 0, CLASS_OTHER, FAULT_UNKNOWN},
    {"away, by its subject alone",
     "From: Ann <ann@client.example>\r\nTo: news@app.example\r\nSubject: Out of Office: Hi\r\n\r\n"
     "Back on Monday.\r\n",
     BOUNCE_AUTOREPLY, 0, NULL, DSN_NO_ACTION, NULL, 0, CLASS_OTHER, FAULT_UNKNOWN},
    {"it was read",
     "From: Ann <ann@client.example>\r\nTo: news@app.example\r\nSubject: Read: Hi\r\n"
     "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n"
     "--b\r\nContent-Type: text/plain\r\n\r\nRead.\r\n--b\r\n"
     "Content-Type: message/disposition-notification\r\n\r\nFinal-Recipient: "
     "rfc822;ann@client.example\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n"
     "--b--\r\n",
     BOUNCE_RECEIPT, 0, NULL, DSN_NO_ACTION, NULL, 0, CLASS_OTHER, FAULT_UNKNOWN},
    {"a person who asks about a bounce",
     "From: Ann <ann@client.example>\r\nTo: help@app.example\r\nSubject: Question\r\n\r\n"
     "Hello, my mail to bob@client.example was returned: 550 5.1.1 user unknown. Can you help?\r\n",
     BOUNCE_OTHER, 0, NULL, DSN_NO_ACTION, NULL, 0, CLASS_OTHER, FAULT_UNKNOWN},
    {"a shop's mail about a delivery",
     "From: Shop <orders@shop.example>\r\nTo: ann@client.example\r\nSubject: Your order\r\n\r\n"
     "Your parcel has been delivered to reception. Questions? support@shop.example\r\n",
     BOUNCE_OTHER, 0, NULL, DSN_NO_ACTION, NULL, 0, CLASS_OTHER, FAULT_UNKNOWN},
    {"nothing at all", "", BOUNCE_OTHER, 0, NULL, DSN_NO_ACTION, NULL, 0, CLASS_OTHER,
     FAULT_UNKNOWN},
};

static void test_mails(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        const char *name = cases[i].name;
        struct arena a = {0};
        struct tide_error err;
        struct bounce b;
        T_OK(bounce_read(text_of(cases[i].mail), book, NULL, &a, &b, &err), &err, "%s", name);
        T_STR(bounce_kind_name(b.kind), bounce_kind_name(cases[i].kind), "%s", name);
        T_EQ(b.recipient_count, cases[i].recipients, "%s", name);
        if (cases[i].address) {
            char status[32];
            const struct bounce_recipient *r = &b.recipients[0];
            snprintf(status, sizeof status, "%d.%d.%d", r->status[0], r->status[1], r->status[2]);
            T_TEXT(r->address, cases[i].address, "%s", name);
            T_STR(dsn_action_name(r->action), dsn_action_name(cases[i].action), "%s", name);
            T_STR(status, cases[i].status, "%s", name);
            T_EQ(r->code, cases[i].code, "%s", name);
            if (cases[i].class != CLASS_OTHER) {
                T_STR(reply_class_name(r->meaning.class), reply_class_name(cases[i].class), "%s",
                      name);
                T_STR(reply_fault_name(r->meaning.fault), reply_fault_name(cases[i].fault), "%s",
                      name);
            }
        }
        arena_fini(&a);
    }
}

static void test_which_mail_it_was(void **state)
{
    (void)state;
    struct arena a = {0};
    struct tide_error err;
    struct bounce b;
    T_OK(bounce_read(TEXT(DSN("Final-Recipient: rfc822; ann@client.example\r\nStatus: 5.1.1\r\n")),
                     book, NULL, &a, &b, &err),
         &err, "report");
    T_TEXT(b.original_id, "<1@app.example>", "Message-ID");
    T_TEXT(b.sent_to, "bounce+abc123@app.example", "VERP");
    T_TEXT(b.envelope_id, "env-7", "ENVID");
    T_TEXT(b.original_from, "news@app.example", "From");
    T_TEXT(b.original_subject, "Hi", "Subject");
    T_TEXT(b.reporting_mta, "mx.example", "Reporting-MTA");
    T_EQ(b.recipients[0].action, DSN_FAILED, "no Action: the status says it");
    arena_fini(&a);
}

/* Many parts, deep parts, a line without end: bounded, and no crash. */
static void test_hostile(void **state)
{
    (void)state;
    static const char *const units[] = {
        "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
        ("--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/report; "
         "boundary=b\r\n\r\n"),
        "<a@b.example>: unknown user ",
        "Final-Recipient: rfc822; a@b.example\r\n",
        "@@@@@@@@\"@\"@",
        "5.1.1 550 ",
        "\x00\xFF\r\n",
    };
    for (size_t i = 0; i < TIDE_COUNT(units); i++) {
        struct buf mail = {0};
        struct arena a = {0};
        struct tide_error err;
        struct bounce b;
        size_t n = i == TIDE_COUNT(units) - 1 ? 4 : strlen(units[i]);
        buf_adds(&mail, DAEMON "Subject: Undelivered mail\r\nContent-Type: multipart/report; "
                               "boundary=b\r\n\r\n--b\r\n\r\n");
        while (mail.len < 3u << 20)
            buf_add(&mail, units[i], n);
        T_OK(bounce_read(buf_text(&mail), book, NULL, &a, &b, &err), &err, "unit %zu", i);
        T_TRUE(b.recipient_count <= BOUNCE_RECIPIENTS_MAX, "unit %zu", i);
        T_TRUE(a.used_bytes < 64u << 20, "unit %zu: %zu bytes", i, a.used_bytes);
        arena_fini(&a);
        buf_fini(&mail);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    for (size_t max = 256; max < 4u << 20; max *= 2) {
        struct arena a;
        struct tide_error err;
        struct bounce b;
        arena_init(&a, max);
        enum tide_err rc = bounce_read(text_of(cases[0].mail), book, NULL, &a, &b, &err);
        T_TRUE(rc == TIDE_OK || rc == TIDE_ENOMEM, "%zu bytes", max);
        arena_fini(&a);
    }
}

static const struct {
    const char *text, *want;
} addresses[] = {
    {"to <ann@example.com>.", "ann@example.com"},
    {"ann@example.com... User unknown", "ann@example.com"},
    {"'ann@example.com'", "ann@example.com"},
    {"\"a b\"@example.com", "\"a b\"@example.com"},
    {"|/usr/bin/x@y.example", NULL},
    {"no address here @ all", NULL},
    {"@example.com", NULL},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(addresses); i++) {
        size_t pos = 0;
        struct text found = {0};
        bool any = notice_address(text_of(addresses[i].text), &pos, &found);
        T_EQ(any, addresses[i].want != NULL, "%s", addresses[i].text);
        if (any)
            T_TEXT(found, addresses[i].want, "%s", addresses[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mails),     cmocka_unit_test(test_which_mail_it_was),
        cmocka_unit_test(test_hostile),   cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
