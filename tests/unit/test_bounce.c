/* Mail that comes back, of our own making: reports with fields, notices without, complaints, and
 * what is none of these. The corpora are in tests/conformance. */
#include "core/outcome/bounce.h"
#include "core/outcome/notice.h"
#include "lib/check.h"
#include "lib/real_rules.h"

static struct rulebook *book;

static int load(void **state)
{
    (void)state;
    book = real_rules();
    return 0;
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
    {"the heading of a list says more than its reply",
     DAEMON "Subject: Mail error\r\n\r\nThe user(s) account is disabled.\r\n\r\n"
            "<ann@client.example>: 550 user unknown (in reply to RCPT TO command)\r\n",
     BOUNCE_REPORT, 1, "ann@client.example", DSN_FAILED, "0.0.0", 550, CLASS_DISABLED,
     FAULT_RECIPIENT},
    {"the time ran out, over what is said further down",
     DSN("Final-Recipient: rfc822; ann@client.example\r\nAction: failed\r\nStatus: 4.4.7\r\n"
         "Diagnostic-Code: smtp; 550 4.4.7 QUEUE.Expired; message expired 441 4.4.1 no answer\r\n"),
     BOUNCE_REPORT, 1, "ann@client.example", DSN_FAILED, "4.4.1", 550, CLASS_NETWORK,
     FAULT_THEIR_OUTAGE},
    {"the shown mail's own recipients have it, but for one",
     DAEMON "Subject: Undeliverable: Hi\r\n\r\nYour message\r\n\r\n  To: bob@client.example\r\n"
            "  Cc: eve@client.example\r\n  Subject: Hi\r\n  Sent: Mon, 2 Mar 2020\r\n\r\n"
            "did not reach the following recipient(s):\r\n\r\nann@client.example on Mon\r\n"
            "    The recipient name is not recognized\r\n",
     BOUNCE_REPORT, 1, "ann@client.example", DSN_FAILED, "0.0.0", 0, CLASS_RECIPIENT,
     FAULT_RECIPIENT},
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

/* In the manner of systems that the reader was not made from, and mail that is about delivery and
 * is no report. Those that report are all about ann@client.example. */
static const struct {
    const char *name, *mail;
    enum bounce_kind kind;
    enum dsn_action action;
    enum reply_class class;
} notices[] = {
    {"a courier's",
     "Return-Path: <>\r\n"
     "From: \"Courier mail server at mx.a.example\" <postmaster@mx.a.example>\r\n"
     "To: b@app.example\r\n"
     "Subject: NOTICE: mail delivery status.\r\n"
     "\r\n"
     "This is a delivery status notification from mx.a.example,\r\n"
     "running the Courier mail server, version 1.0.\r\n"
     "\r\n"
     "The original message was received on Sat, 21 Nov 2026\r\n"
     "from localhost\r\n"
     "\r\n"
     "-------------------------------------------------------------------\r\n"
     "\r\n"
     "                           UNDELIVERABLE MAIL\r\n"
     "\r\n"
     "Your message to the following recipients cannot be delivered:\r\n"
     "\r\n"
     "<ann@client.example>:\r\n"
     "    mx.client.example [192.0.2.7]:\r\n"
     ">>> RCPT TO:<ann@client.example>\r\n"
     "<<< 550 5.1.1 <ann@client.example>: Recipient address rejected: User unknown\r\n"
     "\r\n"
     "-------------------------------------------------------------------\r\n"
     "\r\n"
     "If your message was also sent to additional recipients...\r\n",
     BOUNCE_REPORT, DSN_FAILED, CLASS_RECIPIENT},
    {"a small server's",
     "From: mailer-daemon@hm.example\r\n"
     "To: b@app.example\r\n"
     "Subject: Message undeliverable: Hello\r\n"
     "\r\n"
     "Your message did not reach some or all of the intended recipients.\r\n"
     "\r\n"
     "   Sent: Sat, 21 Nov 2026 10:00\r\n"
     "   Subject: Hello\r\n"
     "\r\n"
     "The following recipient(s) could not be reached:\r\n"
     "\r\n"
     "ann@client.example\r\n"
     "   Error Type: SMTP\r\n"
     "   Remote server (192.0.2.4) issued an error.\r\n"
     "   hMailServer sent: RCPT TO:<ann@client.example>\r\n"
     "   Remote server replied: 552 5.2.2 mailbox is full\r\n"
     "\r\n"
     "hMailServer\r\n",
     BOUNCE_REPORT, DSN_FAILED, CLASS_FULL},
    {"a warning of a daemon",
     "From: MDaemon@x.example\r\n"
     "To: b@app.example\r\n"
     "Subject: Warning: Delayed Delivery\r\n"
     "\r\n"
     "Your message has been delayed and is still awaiting delivery to\r\n"
     "the following recipient(s):\r\n"
     "\r\n"
     " ann@client.example\r\n"
     "\r\n"
     "Message not delivered after 60 minutes: connection timed out. It will be retried.\r\n",
     BOUNCE_REPORT, DSN_DELAYED, CLASS_NETWORK},
    {"a reason and a recipient",
     "From: Postmaster <postmaster@me.example>\r\n"
     "To: <b@app.example>\r\n"
     "Subject: Message Delivery Failure\r\n"
     "\r\n"
     "MailEnable: Message Delivery Failure.\r\n"
     "\r\n"
     "Reason: ME-E0036: The message could not be delivered because the remote mail server rejected "
     "the recipient.\r\n"
     "\r\n"
     "Recipient: ann@client.example\r\n"
     "\r\n"
     "Message headers follow:\r\n"
     "\r\n"
     "Received: from x\r\n"
     "To: <other@else.example>\r\n",
     BOUNCE_REPORT, DSN_FAILED, CLASS_RECIPIENT},
    {"German",
     "Return-Path: <>\r\n"
     "From: Mailzustellung <mailer-daemon@de.example>\r\n"
     "To: b@app.example\r\n"
     "Subject: Unzustellbar: Hallo\r\n"
     "\r\n"
     "Ihre Nachricht konnte nicht zugestellt werden:\r\n"
     "\r\n"
     "  ann@client.example\r\n"
     "\r\n"
     "Grund: 550 Mailbox unbekannt\r\n",
     BOUNCE_REPORT, DSN_FAILED, CLASS_RECIPIENT},
    {"French",
     "Return-Path: <>\r\n"
     "From: postmaster@fr.example\r\n"
     "To: b@app.example\r\n"
     "Subject: Votre message n'a pas pu etre remis\r\n"
     "\r\n"
     "Le message n'a pas pu etre remis aux destinataires suivants :\r\n"
     "\r\n"
     "  ann@client.example\r\n"
     "\r\n"
     "  la boite aux lettres n'existe pas\r\n",
     BOUNCE_REPORT, DSN_FAILED, CLASS_RECIPIENT},
    {"one sentence",
     "From: Mail Delivery Service <mailer-daemon@postal.example>\r\n"
     "To: b@app.example\r\n"
     "Subject: Mail Delivery Failed (Hello)\r\n"
     "X-Postal-Bounce: yes\r\n"
     "\r\n"
     "This is the mail delivery service at postal.example\r\n"
     "\r\n"
     "I was not able to deliver the message to: ann@client.example\r\n"
     "\r\n"
     "The error was:\r\n"
     "\r\n"
     "  An SMTP error occurred: 550 5.7.1 Message rejected due to DMARC policy\r\n"
     "\r\n"
     "This will not be retried.\r\n",
     BOUNCE_REPORT, DSN_FAILED, CLASS_AUTH},
    {"a command and its response",
     "From: <Mailer-Daemon@gw.example>\r\n"
     "To: b@app.example\r\n"
     "Subject: Message status - undeliverable\r\n"
     "\r\n"
     "The attached file had the following undeliverable recipient(s):\r\n"
     "\tann@client.example\r\n"
     "\r\n"
     "Transcript of session follows:\r\n"
     "\r\n"
     "Command:  RCPT TO:<ann@client.example>\r\n"
     "Response: 450 4.7.1 greylisted, try again in 300 seconds\r\n",
     BOUNCE_REPORT, DSN_FAILED, CLASS_RATE},
    {"a directory's",
     "From: System@notes.example\r\n"
     "To: b@app.example\r\n"
     "Subject: DELIVERY FAILURE: User ann (ann@client.example) not listed in Domino Directory\r\n"
     "\r\n"
     "Your message\r\n"
     "\r\n"
     "  Subject: Hello\r\n"
     "\r\n"
     "was not delivered to:\r\n"
     "\r\n"
     "  ann@client.example\r\n"
     "\r\n"
     "because:\r\n"
     "\r\n"
     "  User ann (ann@client.example) not listed in Domino Directory\r\n",
     BOUNCE_REPORT, DSN_FAILED, CLASS_RECIPIENT},
    {"quoted twice",
     "Return-Path: <>\r\n"
     "From: \"Mail Delivery System\" <MAILER-DAEMON@f.example>\r\n"
     "To: b@app.example\r\n"
     "Subject: Delivery Status Notification (Failure)\r\n"
     "\r\n"
     "The following message to <ann@client.example> was undeliverable.\r\n"
     "The reason for the problem:\r\n"
     "5.1.0 - Unknown address error 550-'No Such User Here'\r\n",
     BOUNCE_REPORT, DSN_FAILED, CLASS_RECIPIENT},
    {"a person about a failed mail",
     "From: Bob <bob@firm.example>\r\n"
     "To: ann@client.example\r\n"
     "Subject: Re: delivery failed again\r\n"
     "\r\n"
     "Hi Ann, the mail to carl@x.example could not be delivered: 550 user unknown. Do you have his "
     "new address?\r\n"
     "\r\n"
     "Bob\r\n",
     BOUNCE_OTHER, DSN_NO_ACTION, CLASS_OTHER},
    {"a person who forwards a report",
     "From: Bob <bob@firm.example>\r\n"
     "To: help@app.example\r\n"
     "Subject: Fwd: Undelivered Mail Returned to Sender\r\n"
     "\r\n"
     "Can you look at this?\r\n"
     "\r\n"
     "---------- Forwarded message ----------\r\n"
     "From: MAILER-DAEMON@x.example\r\n"
     "\r\n"
     "<carl@x.example>: host mx.x.example said: 550 5.1.1 User unknown\r\n",
     BOUNCE_OTHER, DSN_NO_ACTION, CLASS_OTHER},
    {"a robot's answer",
     "From: Support <support@shop.example>\r\n"
     "To: b@app.example\r\n"
     "Subject: [#123] We received your request\r\n"
     "Auto-Submitted: auto-generated\r\n"
     "\r\n"
     "We could not find your order. Please reply to support@shop.example.\r\n",
     BOUNCE_OTHER, DSN_NO_ACTION, CLASS_OTHER},
    {"a parcel",
     "From: Parcel <no-reply@parcel.example>\r\n"
     "To: b@app.example\r\n"
     "Subject: Delivery failed: we missed you\r\n"
     "\r\n"
     "Your parcel could not be delivered to the following address: Main Street 5. Contact "
     "help@parcel.example.\r\n",
     BOUNCE_OTHER, DSN_NO_ACTION, CLASS_OTHER},
    {"a question whether one is human",
     "From: Ann <ann@client.example>\r\n"
     "To: b@app.example\r\n"
     "Subject: Please confirm your message\r\n"
     "Precedence: auto_reply\r\n"
     "\r\n"
     "Your message to ann@client.example is held until you confirm that you are human.\r\n",
     BOUNCE_AUTOREPLY, DSN_NO_ACTION, CLASS_OTHER},
};

static void test_notices(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(notices); i++) {
        const char *name = notices[i].name;
        struct arena a = {0};
        struct tide_error err;
        struct bounce b;
        T_OK(bounce_read(text_of(notices[i].mail), book, NULL, &a, &b, &err), &err, "%s", name);
        T_STR(bounce_kind_name(b.kind), bounce_kind_name(notices[i].kind), "%s", name);
        T_EQ(b.recipient_count, notices[i].kind == BOUNCE_REPORT, "%s", name);
        if (b.recipient_count > 0) {
            const struct bounce_recipient *r = &b.recipients[0];
            T_TEXT(r->address, "ann@client.example", "%s", name);
            T_STR(dsn_action_name(r->action), dsn_action_name(notices[i].action), "%s", name);
            T_STR(reply_class_name(r->meaning.class), reply_class_name(notices[i].class), "%s",
                  name);
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
        "to a@b.example, c@d.example, e@f.example, g@h.example, i@j.example, k@l.example, "
        "m@n.example, o@p.example, q@r.example, s@t.example, u@v.example, w@x.example failed\r\n",
        "<a@b.example>:\r\n550 5.1.1 a@b.example c@d.example (expanded from e@f.example)\r\n",
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
        cmocka_unit_test(test_mails),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_which_mail_it_was),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
