/* Reports of many mail systems, each in its own manner, and mail that looks like one and is none:
 * automatic answers in many languages, and people, shops and machines that speak of failures. */
#include "base/macros.h"
#include "core/outcome/bounce.h"
#include "lib/check.h"
#include "lib/real_rules.h"

#include <stdio.h>

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

static void read_mail(const char *mail, struct arena *a, struct bounce *ret)
{
    struct tide_error err = {0};
    T_OK(bounce_read(text_of(mail), book, NULL, a, ret, &err), &err, "%.60s", mail);
}

#define RETURNED                                                                                \
    "Return-Path: <news@app.example>\nReceived: from app.example (app.example [192.0.2.9]) by " \
    "mx.example with ESMTP id 1; Mon, 2 Mar 2020 10:00:00 +0000\nMessage-ID: <1@app.example>\n" \
    "From: News <news@app.example>\nTo: ann@client.example\nSubject: Hi\n\nHello there\n"
#define FROM(who, subject)                                                    \
    "Return-Path: <>\nFrom: " who "\nTo: news@app.example\nSubject: " subject \
    "\nDate: Mon, 2 Mar 2020 10:00:00 +0000\n"

/* All are about ann@client.example. */
static const struct {
    const char *name, *mail;
    const char *status; /* NULL: none is said */
    enum reply_class class;
    enum dsn_action action;
} reports[] = {
    {"courier",
     FROM("\"Courier mail server at mx.example\" <postmaster@mx.example>",
          "NOTICE: mail delivery status.") "\n"
                                           "This is a delivery status notification from "
                                           "mx.example,\n"
                                           "running the Courier mail server, version 0.65.2.\n"
                                           "\n"
                                           "The original message was received on Mon, 2 Mar 2020 "
                                           "10:00:00 +0000\n"
                                           "from app.example ([::ffff:192.0.2.9])\n"
                                           "\n"
                                           "-------------------------------------------------------"
                                           "--------------------\n"
                                           "\n"
                                           "                           UNDELIVERABLE MAIL\n"
                                           "\n"
                                           "Your message to the following recipients cannot be "
                                           "delivered:\n"
                                           "\n"
                                           "<ann@client.example>:\n"
                                           "    mx.client.example [192.0.2.1]:\n"
                                           ">>> RCPT TO:<ann@client.example>\n"
                                           "<<< 550 5.1.1 <ann@client.example>... User Unknown\n"
                                           "\n"
                                           "-------------------------------------------------------"
                                           "--------------------\n"
                                           "\n"
                                           "If your message was also sent to additional "
                                           "recipients, their delivery\n"
                                           "status is not included in this report.  You may or may "
                                           "not receive\n"
                                           "other delivery status notifications for additional "
                                           "recipients.\n"
                                           "\n"
                                           "The original message follows as a separate "
                                           "attachment.\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"james",
     FROM("postmaster@mx.example",
          "Re: Hi") "\n"
                    "Hi. This is the James mail server at mx.example.\n"
                    "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
                    "This is a permanent error; I've given up. Sorry it didn't work out.  Below\n"
                    "I include the list of recipients and the reason why I was unable to deliver\n"
                    "your message.\n"
                    "\n"
                    "Failed recipient(s):\n"
                    "ann@client.example\n"
                    "\n"
                    "Error message:\n"
                    "550 5.1.1 <ann@client.example>... User Unknown\n"
                    "\n"
                    "Message details:\n"
                    "  Subject: Hi\n"
                    "  Sent date: Mon Mar 2 10:00:00 UTC 2020\n"
                    "  MAIL FROM: news@app.example\n"
                    "  RCPT TO: ann@client.example\n"
                    "  From: News <news@app.example>\n"
                    "  To: ann@client.example\n"
                    "  Size (in bytes): 1024\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"bigfoot",
     FROM("Mail Delivery Subsystem <MAILER-DAEMON@bigfoot.example>",
          "Returned mail: see transcript for details") "\n"
                                                       "The original message was received at Mon, "
                                                       "2 Mar 2020 10:00:00 -0500\n"
                                                       "from app.example\n"
                                                       "\n"
                                                       "   ----- The following addresses had "
                                                       "permanent fatal errors -----\n"
                                                       "<ann@client.example>\n"
                                                       "\n"
                                                       "   ----- Transcript of session follows "
                                                       "-----\n"
                                                       ">>> RCPT TO:<ann@client.example>\n"
                                                       "553 Invalid recipient ann@client.example "
                                                       "(Mode: normal)\n"
                                                       "\n"
                                                       "   ----- Message header follows -----\n"
                                                       "\n" RETURNED,
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"interscan",
     FROM("\"InterScan MSS\" <imss@mx.example>",
          "Mail could not be delivered") "\n"
                                         "Sent <<< RCPT TO:<ann@client.example>\n"
                                         "Received >>> 550 5.1.1 <ann@client.example>... user "
                                         "unknown\n"
                                         "\n"
                                         "Unable to deliver message to <ann@client.example>\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"mailmarshal",
     FROM(
         "MailMarshal <MailMarshal@mx.example>",
         "Undeliverable Mail: \"Hi\"") "\n"
                                       "Your message:\n"
                                       "   From:    news@app.example\n"
                                       "   Subject: Hi\n"
                                       "\n"
                                       "Could not be delivered because of\n"
                                       "\n"
                                       "550 5.1.1 User unknown\n"
                                       "\n"
                                       "The following recipients were affected: \n"
                                       "    ann@client.example\n"
                                       "\n"
                                       "Additional Information\n"
                                       "======================\n"
                                       "Original Sender:    <news@app.example>\n"
                                       "Sender-MTA:         <10.11.12.13>\n"
                                       "Remote-MTA:         <10.0.0.1>\n"
                                       "Reporting-MTA:      <relay.mx.example>\n"
                                       "MessageName:        <B549996730000.000000000001.0003.mml>\n"
                                       "Last-Attempt-Date:  <16:21:07 seg, 22 Dezembro 2014>\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"exchange55",
     FROM("System Administrator <postmaster@mx.example>",
          "Undeliverable: Hi") "\n"
                               "Your message\n"
                               "\n"
                               "  To:      ann@client.example; bob@client.example\n"
                               "  Subject: Hi\n"
                               "  Sent:    Mon, 2 Mar 2020 10:00:00 -0000\n"
                               "\n"
                               "did not reach the following recipient(s):\n"
                               "\n"
                               "ann@client.example on Mon, 2 Mar 2020 10:00:05 -0000\n"
                               "    The recipient name is not recognized\n"
                               "\tThe MTS-ID of the original message is: c=us;a= "
                               ";p=neko;l=EXCHANGE000447111111\n"
                               "    MSEXCH:IMS:KIJITORA CAT:EXAMPLE:EXCHANGE 0 (000C05A6) Unknown "
                               "Recipient\n",
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"exchange2003",
     FROM(
         "postmaster@mx.example",
         "Delivery Status Notification (Failure)") "\n"
                                                   "Your message did not reach some or all of the "
                                                   "intended recipients.\n"
                                                   "\n"
                                                   "      Subject:\tHi\n"
                                                   "      Sent:\t2/3/2020 10:00 AM\n"
                                                   "\n"
                                                   "The following recipient(s) could not be "
                                                   "reached:\n"
                                                   "\n"
                                                   "      ann@client.example on 2/3/2020 10:00 AM\n"
                                                   "            The e-mail account does not exist "
                                                   "at the organization this message was sent to.  "
                                                   "Check the e-mail address, or contact the "
                                                   "recipient directly to find out the correct "
                                                   "address.\n"
                                                   "            <mx.client.example #5.1.1 smtp;550 "
                                                   "5.1.1 unknown user>\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"notes",
     FROM("Mail Router <postmaster@mx.example>",
          "DELIVERY FAILURE: User ann not listed in Domino Directory") "\n"
                                                                       "------- Failure Reasons  "
                                                                       "--------\n"
                                                                       "\n"
                                                                       "User not listed in public "
                                                                       "Name & Address Book\n"
                                                                       "ann@client.example\n"
                                                                       "\n"
                                                                       "------- Returned Message "
                                                                       "--------\n"
                                                                       "\n" RETURNED,
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"groupwise",
     FROM("Mailer-Daemon@mx.example",
          "Message status - undeliverable") "\n"
                                            "The attached file had the following undeliverable "
                                            "recipient(s):\n"
                                            "\tann@client.example\n"
                                            "\n"
                                            "Transcript of session follows:\n"
                                            "   Command:  RCPT TO:<ann@client.example>\n"
                                            "   Response: 550 5.1.1 unknown user\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"communigate",
     FROM("<MAILER-DAEMON@mx.example>",
          "Undeliverable mail: Hi") "\n"
                                    "Failed to deliver to 'ann@client.example'\n"
                                    "SMTP module(domain client.example) reports:\n"
                                    " host mx.client.example says:\n"
                                    " 550 5.1.1 ann@client.example unknown user account\n"
                                    "\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"communigate-local",
     FROM("<MAILER-DAEMON@mx.example>",
          "Undeliverable mail: Hi") "\n"
                                    "Failed to deliver to '<ann@client.example>'\n"
                                    "LOCAL module(account ann) reports:\n"
                                    " account is full (quota exceeded)\n"
                                    "\n",
     NULL, CLASS_FULL, DSN_FAILED},
    {"mdaemon",
     FROM(
         "MDaemon at mx.example <MDaemon@mx.example>",
         "Permanent Delivery Failure") "\n"
                                       "The attached message had PERMANENT fatal delivery errors!\n"
                                       "\n"
                                       "After one or more unsuccessful delivery attempts the "
                                       "attached message has\n"
                                       "been removed from the mail queue on this server.  The "
                                       "number and frequency\n"
                                       "of delivery attempts are determined by local configuration "
                                       "parameters.\n"
                                       "\n"
                                       "YOUR MESSAGE WAS NOT DELIVERED TO ONE OR MORE RECIPIENTS!\n"
                                       "\n"
                                       "Failed address: ann@client.example\n"
                                       "\n"
                                       "--- Session Transcript ---\n"
                                       " Mon 2020-03-02 10:00:01: [1:1] Attempting SMTP connection "
                                       "to [192.0.2.1:25]\n"
                                       " Mon 2020-03-02 10:00:02: [1:1] <-- 220 mx.client.example "
                                       "ESMTP\n"
                                       " Mon 2020-03-02 10:00:02: [1:1] --> EHLO mx.example\n"
                                       " Mon 2020-03-02 10:00:02: [1:1] <-- 250 ok\n"
                                       " Mon 2020-03-02 10:00:02: [1:1] --> MAIL "
                                       "From:<news@app.example>\n"
                                       " Mon 2020-03-02 10:00:02: [1:1] <-- 250 ok\n"
                                       " Mon 2020-03-02 10:00:02: [1:1] --> RCPT "
                                       "To:<ann@client.example>\n"
                                       " Mon 2020-03-02 10:00:03: [1:1] <-- 550 5.1.1 no such "
                                       "user\n"
                                       " Mon 2020-03-02 10:00:03: [1:1] --> QUIT\n"
                                       "--- End Transcript ---\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"imail",
     FROM("Postmaster <postmaster@mx.example>",
          "Undeliverable Mail") "\n"
                                "Unknown user: ann@client.example\n"
                                "\n"
                                "RCPT TO generated following response:\n"
                                "550 5.1.1 unknown user\n"
                                "\n"
                                "Original message follows.\n"
                                "\n" RETURNED,
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"hmailserver",
     FROM("mailer-daemon@mx.example",
          "Message undeliverable: Hi") "\n"
                                       "Your message did not reach some or all of the intended "
                                       "recipients.\n"
                                       "\n"
                                       "   Sent: Mon, 2 Mar 2020 10:00:00 +0000\n"
                                       "   Subject: Hi\n"
                                       "\n"
                                       "The following recipient(s) could not be reached:\n"
                                       "\n"
                                       "ann@client.example\n"
                                       "   Error Type: SMTP\n"
                                       "   Remote server (192.0.2.1) issued an error.\n"
                                       "   hMailServer sent: RCPT TO:<ann@client.example>\n"
                                       "   Remote server replied: 550 5.1.1 User unknown\n"
                                       "\n"
                                       "hMailServer\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"smartermail",
     FROM("\"System Administrator\" <postmaster@mx.example>",
          "Delivery Failure") "\n"
                              "Could not deliver message to the following recipient(s):\n"
                              "\n"
                              "Failed Recipient: ann@client.example\n"
                              "Reason: Remote host said: 552 5.2.2 Mailbox over quota\n"
                              "\n"
                              "   -- The header and top 20 lines of the message follows --\n"
                              "\n" RETURNED,
     "5.2.2", CLASS_FULL, DSN_FAILED},
    {"kerio",
     FROM("postmaster@mx.example",
          "Delivery failure (Hi)") "\n"
                                   "Hello,\n"
                                   "\n"
                                   "Delivery of your message could not be completed.\n"
                                   "\n"
                                   "Your message\n"
                                   "   Subject: Hi\n"
                                   "   To: ann@client.example\n"
                                   "\n"
                                   "failed to be delivered to these recipients:\n"
                                   "\n"
                                   "   Recipient: [SMTP:ann@client.example], Error Description: "
                                   "SMTP error 550 5.1.1 User unknown\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"yahoo",
     FROM("MAILER-DAEMON@yahoo.com",
          "Failure Notice") "\n"
                            "Sorry, we were unable to deliver your message to the following "
                            "address.\n"
                            "\n"
                            "<ann@client.example>:\n"
                            "550: 5.1.1 <ann@client.example>: Recipient address rejected: User "
                            "unknown\n"
                            "\n"
                            "--- Below this line is a copy of the message.\n"
                            "\n" RETURNED,
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"ironport",
     FROM("Mail Delivery System <MAILER-DAEMON@mx.example>",
          "Delivery Status Notification (Failure)") "\n"
                                                    "The following message to <ann@client.example> "
                                                    "was undeliverable.\n"
                                                    "The reason for the problem:\n"
                                                    "5.1.0 - Unknown address error 550-'5.1.1 "
                                                    "unknown user'\n"
                                                    "\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"barracuda",
     FROM("\"Barracuda Spam Firewall\" <postmaster@mx.example>",
          "**Message you sent blocked by our bulk email filter**") "\n"
                                                                   "Your message to: "
                                                                   "ann@client.example\n"
                                                                   "was blocked by our Spam "
                                                                   "Firewall. The email you sent "
                                                                   "with the following subject has "
                                                                   "NOT BEEN DELIVERED:\n"
                                                                   "\n"
                                                                   "Subject: Hi\n",
     NULL, CLASS_SPAM, DSN_FAILED},
    {"smail",
     FROM("<MAILER-DAEMON@mx.example>",
          "mail failed, returning to sender") "\n"
                                              "|------------------------- Message log follows: "
                                              "-------------------------|\n"
                                              " no valid recipients were found for this message\n"
                                              "|------------------------- Failed addresses follow: "
                                              "---------------------|\n"
                                              " <ann@client.example> ... transport smtp: 550 "
                                              "Unknown user\n"
                                              "|------------------------- Message text follows: "
                                              "------------------------|\n" RETURNED,
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"mmdf",
     FROM("MMDF Mail System <mmdf@mx.example>",
          "Failed mail  (msg.aa12345)") "\n"
                                        "    Your message was not delivered to "
                                        "'ann@client.example' for the following reason:\n"
                                        "    No such user in the system\n"
                                        "\n"
                                        "    Your message follows:\n"
                                        "\n" RETURNED,
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"pmdf",
     FROM("PMDF e-Mail Interconnect <postmaster@mx.example>",
          "Delivery Notification: Delivery has failed") "\n"
                                                        "This report relates to a message you sent "
                                                        "with the following header fields:\n"
                                                        "\n"
                                                        "  Message-id: <1@app.example>\n"
                                                        "  Date: Mon, 02 Mar 2020 10:00:00 +0000\n"
                                                        "  From: News <news@app.example>\n"
                                                        "  To: ann@client.example\n"
                                                        "  Subject: Hi\n"
                                                        "\n"
                                                        "Your message cannot be delivered to the "
                                                        "following recipients:\n"
                                                        "\n"
                                                        "  Recipient address: ann@client.example\n"
                                                        "  Reason: Remote SMTP server has rejected "
                                                        "address\n"
                                                        "  Diagnostic code: smtp;550 5.1.1 unknown "
                                                        "or illegal alias: ann@client.example\n"
                                                        "  Remote system: dns;mx.client.example "
                                                        "(TCP|1.2.3.4|1|5.6.7.8|25)\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"postal",
     FROM("Mail Delivery Service <postmaster@mx.example>",
          "Mail Delivery Failed (Hi)") "\n"
                                       "This is the mail delivery service responsible for "
                                       "delivering mail to mx.example.\n"
                                       "\n"
                                       "The message you've sent cannot be delivered. You can see "
                                       "more details about the\n"
                                       "failure below.\n"
                                       "\n"
                                       "The message was sent to: ann@client.example\n"
                                       "The recipient's mail server said: 550 5.1.1 User unknown\n"
                                       "\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"exim-delay",
     FROM("Mail Delivery System <Mailer-Daemon@mx.example>",
          "Warning: message 1Nu3PW delayed 24 hours") "Auto-Submitted: auto-replied\n"
                                                      "X-Failed-Recipients: ann@client.example\n"
                                                      "\n"
                                                      "This message was created automatically by "
                                                      "mail delivery software.\n"
                                                      "A message that you sent has not yet been "
                                                      "delivered to one or more of its\n"
                                                      "recipients after more than 24 hours on the "
                                                      "queue on mx.example.\n"
                                                      "\n"
                                                      "The message identifier is:     "
                                                      "1Nu3PW-0004hr-Lq\n"
                                                      "The subject of the message is: Hi\n"
                                                      "The date of the message is:    Mon, 2 Mar "
                                                      "2020 10:00:00 +0000\n"
                                                      "\n"
                                                      "The address to which the message has not "
                                                      "yet been delivered is:\n"
                                                      "\n"
                                                      "  ann@client.example\n"
                                                      "    Delay reason: SMTP error from remote "
                                                      "mail server after RCPT "
                                                      "TO:<ann@client.example>:\n"
                                                      "    host mx.client.example [192.0.2.1]: 451 "
                                                      "4.7.1 Greylisting in action, please come "
                                                      "back later\n"
                                                      "\n"
                                                      "No action is required on your part. "
                                                      "Delivery attempts will continue for\n"
                                                      "some time, and this warning may be repeated "
                                                      "at intervals if the message\n"
                                                      "remains undelivered. Eventually the mail "
                                                      "delivery software will give up,\n"
                                                      "and when that happens, the message will be "
                                                      "returned to you.\n",
     "4.7.1", CLASS_RATE, DSN_DELAYED},
    {"qq",
     FROM("\"PostMaster\" <PostMaster@qq.com>",
          "=?gb18030?B?z7XNs83L0MU=?=") "MIME-Version: 1.0\n"
                                        "Content-Type: text/plain; charset=\"gb18030\"\n"
                                        "Content-Transfer-Encoding: base64\n"
                                        "\n"
                                        "safHuKOsxPq1xNPKvP6xu83Lu9jAtMHLoa2hrQrUrdPKvP7Qxc+"
                                        "io7oKyrGhobzko7oyMDIwLTAz\n"
                                        "LTAyIDEwOjAwOjAwCtb3oaHM4qO6SGkKytW8/"
                                        "sjLo7phbm5AY2xpZW50LmV4YW1wbGUKCs3L0MXU\n"
                                        "rdLyo7oKytW8/sjL08q8/"
                                        "rXY1rejqGFubkBjbGllbnQuZXhhbXBsZaOpsru05tTao6zTyrz+zt63\n"
                                        "qMvNtO+"
                                        "howpob3N0IG14My5xcS5jb21bMTkyLjAuMi4xXSBzYWlkOiA1NTAgTWFpb"
                                        "GJveCBub3Qg\n"
                                        "Zm91bmQuIGh0dHA6Ly9zZXJ2aWNlLm1haWwucXEuY29tL2NnaS1iaW4vaG"
                                        "VscAq94r72t72wuKO6\n"
                                        "CsfrwarPtcT6tcTK1bz+"
                                        "yMujrNbY0MK6y8q108rP5LXY1rejrLvyt6LLzbW9xuTL+8rV0MXTys/k\n"
                                        "oaMK\n",
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"163",
     FROM("Postmaster@163.com",
          "=?UTF-8?B?57O757uf6YCA5L+hL1N5c3RlbXMgYm91bmNl?=") "MIME-Version: 1.0\n"
                                                              "Content-Type: text/html; "
                                                              "charset=utf-8\n"
                                                              "\n"
                                                              "<html><body><p>"
                                                              "\xE6\x8A\xB1\xE6\xAD\x89\xEF\xBC\x8C"
                                                              "\xE6\x82\xA8\xE7\x9A\x84\xE9\x82\xAE"
                                                              "\xE4\xBB\xB6\xE8\xA2\xAB\xE9\x80\x80"
                                                              "\xE5\x9B\x9E</"
                                                              "p><p>"
                                                              "\xE4\xB8\xBB\xE9\xA2\x98\xEF\xBC\x9A"
                                                              "Hi</"
                                                              "p><p>"
                                                              "\xE4\xBB\xA5\xE4\xB8\x8B\xE6\x94\xB6"
                                                              "\xE4\xBB\xB6\xE4\xBA\xBA\xE7\x9A\x84"
                                                              "\xE9\x82\xAE\xE4\xBB\xB6\xE6\x9C\xAA"
                                                              "\xE8\x83\xBD\xE9\x80\x81\xE8\xBE\xBE"
                                                              "\xEF\xBC\x9A</"
                                                              "p><table><tr><td>ann@client.example<"
                                                              "/td><td>SMTP error, RCPT TO: 550 "
                                                              "User not found: "
                                                              "ann@client.example</td></tr></"
                                                              "table><p>This message is generated "
                                                              "by Coremail. "
                                                              "\xE6\x82\xA8\xE5\x8F\x91\xE9\x80\x81"
                                                              "\xE7\xBB\x99 ann@client.example "
                                                              "\xE7\x9A\x84\xE9\x82\xAE\xE4\xBB\xB6"
                                                              "\xE6\x97\xA0\xE6\xB3\x95\xE9\x80\x81"
                                                              "\xE8\xBE\xBE</p></body></html>",
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"kddi",
     FROM("no-reply@au.example",
          "Mail Delivery Error") "\n"
                                 "Your mail sent on: Mon, 2 Mar 2020 10:00:00\n"
                                 "\n"
                                 "Could not be delivered to: <ann@client.example>\n"
                                 "As their mailbox is full.\n"
                                 "\n",
     NULL, CLASS_FULL, DSN_FAILED},
    {"ja-notice",
     FROM("=?UTF-8?B?44Oh44O844Or6YWN5L+h44K344K544OG44Og?= <postmaster@mx.example>",
          "=?UTF-8?B?6YCB5L+h44Ko44Op44O844Gu44GK55+l44KJ44Gb?=") "MIME-Version: 1.0\n"
                                                                  "Content-Type: text/plain; "
                                                                  "charset=utf-8\n"
                                                                  "\n"
                                                                  "\xE3\x81\x8A\xE5\xAE\xA2\xE6\xA7"
                                                                  "\x98\xE3\x81\x8C\xE9\x80\x81\xE4"
                                                                  "\xBF\xA1\xE3\x81\x95\xE3\x82\x8C"
                                                                  "\xE3\x81\x9F\xE3\x83\xA1\xE3\x83"
                                                                  "\xBC\xE3\x83\xAB\xE3\x81\xAF\xE3"
                                                                  "\x80\x81\xE4\xB8\x8B\xE8\xA8\x98"
                                                                  "\xE3\x81\xAE\xE5\xAE\x9B\xE5\x85"
                                                                  "\x88\xE3\x81\xAB\xE9\x85\x8D\xE4"
                                                                  "\xBF\xA1\xE3\x81\xA7\xE3\x81\x8D"
                                                                  "\xE3\x81\xBE\xE3\x81\x9B\xE3\x82"
                                                                  "\x93\xE3\x81\xA7\xE3\x81\x97\xE3"
                                                                  "\x81\x9F\xE3\x80\x82\n"
                                                                  "\n"
                                                                  "\xE5\xAE\x9B\xE5\x85\x88: "
                                                                  "<ann@client.example>\n"
                                                                  "\xE7\x90\x86\xE7\x94\xB1: "
                                                                  "\xE5\xAE\x9B\xE5\x85\x88\xE3\x81"
                                                                  "\xAE\xE3\x83\xA1\xE3\x83\xBC\xE3"
                                                                  "\x83\xAB\xE3\x82\xA2\xE3\x83\x89"
                                                                  "\xE3\x83\xAC\xE3\x82\xB9\xE3\x81"
                                                                  "\x8C\xE8\xA6\x8B\xE3\x81\xA4\xE3"
                                                                  "\x81\x8B\xE3\x82\x8A\xE3\x81\xBE"
                                                                  "\xE3\x81\x9B\xE3\x82\x93\xE3\x80"
                                                                  "\x82\n",
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"ko-notice",
     FROM(
         "postmaster@naver.example",
         "=?UTF-8?B?66mU7J28IOyghOyGoSDsi6TtjKgg7JWI64K0?=") "MIME-Version: 1.0\n"
                                                             "Content-Type: text/plain; "
                                                             "charset=utf-8\n"
                                                             "\n"
                                                             "\xEB\xA9\x94\xEC\x9D\xBC\xEC\x9D\xB4 "
                                                             "\xEC\x95\x84\xEB\x9E\x98\xEC\x9D\x98 "
                                                             "\xEC\x88\x98\xEC\x8B\xA0\xEC\x9E\x90"
                                                             "\xEC\x97\x90\xEA\xB2\x8C "
                                                             "\xEC\xA0\x84\xEC\x86\xA1\xEB\x90\x98"
                                                             "\xEC\xA7\x80 "
                                                             "\xEB\xAA\xBB\xED\x96\x88\xEC\x8A\xB5"
                                                             "\xEB\x8B\x88\xEB\x8B\xA4.\n"
                                                             "\n"
                                                             "ann@client.example : "
                                                             "\xEC\xA1\xB4\xEC\x9E\xAC\xED\x95\x98"
                                                             "\xEC\xA7\x80 "
                                                             "\xEC\x95\x8A\xEB\x8A\x94 "
                                                             "\xEC\x82\xAC\xEC\x9A\xA9\xEC\x9E\x90"
                                                             "\xEC\x9E\x85\xEB\x8B\x88\xEB\x8B\xA4 "
                                                             "(550 5.1.1 User unknown)\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"de-notice",
     FROM(
         "Mail Delivery System <mailer-daemon@kundenserver.example>",
         "Mail delivery failed: returning message to sender") "\n"
                                                              "This message was created "
                                                              "automatically by mail delivery "
                                                              "software.\n"
                                                              "\n"
                                                              "A message that you sent could not "
                                                              "be delivered to one or more of\n"
                                                              "its recipients. This is a permanent "
                                                              "error. The following address\n"
                                                              "failed:\n"
                                                              "\n"
                                                              "  \"ann@client.example\":\n"
                                                              "SMTP error from remote server for "
                                                              "RCPT TO command, host: "
                                                              "mx.client.example (192.0.2.1) "
                                                              "reason: 550 5.1.1 User unknown\n"
                                                              "\n"
                                                              "--- The header of the original "
                                                              "message is following. ---\n"
                                                              "\n" RETURNED,
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"de-ndr",
     FROM(
         "Microsoft Outlook <postmaster@mx.example>",
         "Unzustellbar: Hi") "MIME-Version: 1.0\n"
                             "Content-Type: text/plain; charset=utf-8\n"
                             "\n"
                             "Fehler bei der Nachrichtenzustellung an folgende Empf\xC3\xA4nger "
                             "oder Verteilerlisten:\n"
                             "\n"
                             "ann@client.example<mailto:ann@client.example>\n"
                             "Die eingegebene E-Mail-Adresse konnte nicht gefunden werden. \xC3\x9C"
                             "berpr\xC3\xBC"
                             "fen Sie die E-Mail-Adresse des Empf\xC3\xA4ngers, und versuchen Sie, "
                             "die Nachricht erneut zu senden.\n"
                             "\n"
                             "Diagnoseinformationen f\xC3\xBCr Administratoren:\n"
                             "\n"
                             "Generierender Server: mx.example\n"
                             "\n"
                             "ann@client.example\n"
                             "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
    {"fr-notice",
     FROM("Mail Delivery Service <postmaster@wanadoo.example>",
          "Rapport de non remise (Hi)") "MIME-Version: 1.0\n"
                                        "Content-Type: text/plain; charset=utf-8\n"
                                        "\n"
                                        "Votre message n'a pas pu \xC3\xAAtre remis au "
                                        "destinataire suivant :\n"
                                        "\n"
                                        "ann@client.example\n"
                                        "Motif : la bo\xC3\xAEte du destinataire est pleine\n",
     NULL, CLASS_FULL, DSN_FAILED},
    {"es-notice",
     FROM("Sistema de correo <postmaster@terra.example>",
          "Correo devuelto: Hi") "MIME-Version: 1.0\n"
                                 "Content-Type: text/plain; charset=utf-8\n"
                                 "\n"
                                 "Su mensaje no se ha podido entregar a los siguientes "
                                 "destinatarios:\n"
                                 "\n"
                                 "  ann@client.example\n"
                                 "  El usuario no existe\n",
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"pt-notice",
     FROM(
         "MAILER-DAEMON@uol.example",
         "=?UTF-8?B?RmFsaGEgbmEgZW50cmVnYSBkYSBtZW5zYWdlbQ==?=") "MIME-Version: 1.0\n"
                                                                 "Content-Type: text/plain; "
                                                                 "charset=utf-8\n"
                                                                 "\n"
                                                                 "Sua mensagem n\xC3\xA3o p\xC3\xB4"
                                                                 "de ser entregue para o seguinte "
                                                                 "destinat\xC3\xA1rio:\n"
                                                                 "\n"
                                                                 "<ann@client.example>\n"
                                                                 "Caixa postal cheia\n",
     NULL, CLASS_FULL, DSN_FAILED},
    {"it-notice",
     FROM("Postmaster <postmaster@libero.example>",
          "Avviso di mancata consegna") "MIME-Version: 1.0\n"
                                        "Content-Type: text/plain; charset=utf-8\n"
                                        "\n"
                                        "Il messaggio non \xC3\xA8 stato recapitato al seguente "
                                        "destinatario:\n"
                                        "\n"
                                        "ann@client.example: utente sconosciuto\n",
     NULL, CLASS_RECIPIENT, DSN_FAILED},
    {"ru-notice",
     FROM(
         "mailer-daemon@corp.mail.example",
         "=?UTF-8?B?0KHQvtC+0LHRidC10L3QuNC1INC90LUg0LTQvtGB0YLQsNCy0LvQtdC90L4=?=") "MIME-Version:"
                                                                                     " 1.0\n"
                                                                                     "Content-Type:"
                                                                                     " text/plain; "
                                                                                     "charset=utf-"
                                                                                     "8\n"
                                                                                     "\n"
                                                                                     "\xD0\x92\xD0"
                                                                                     "\xB0\xD1\x88"
                                                                                     "\xD0\xB5 "
                                                                                     "\xD1\x81\xD0"
                                                                                     "\xBE\xD0\xBE"
                                                                                     "\xD0\xB1\xD1"
                                                                                     "\x89\xD0\xB5"
                                                                                     "\xD0\xBD\xD0"
                                                                                     "\xB8\xD0\xB5 "
                                                                                     "\xD0\xBD\xD0"
                                                                                     "\xB5 "
                                                                                     "\xD0\xBC\xD0"
                                                                                     "\xBE\xD0\xB6"
                                                                                     "\xD0\xB5\xD1"
                                                                                     "\x82 "
                                                                                     "\xD0\xB1\xD1"
                                                                                     "\x8B\xD1\x82"
                                                                                     "\xD1\x8C "
                                                                                     "\xD0\xB4\xD0"
                                                                                     "\xBE\xD1\x81"
                                                                                     "\xD1\x82\xD0"
                                                                                     "\xB0\xD0\xB2"
                                                                                     "\xD0\xBB\xD0"
                                                                                     "\xB5\xD0\xBD"
                                                                                     "\xD0\xBE "
                                                                                     "\xD1\x81\xD0"
                                                                                     "\xBB\xD0\xB5"
                                                                                     "\xD0\xB4\xD1"
                                                                                     "\x83\xD1\x8E"
                                                                                     "\xD1\x89\xD0"
                                                                                     "\xB5\xD0\xBC"
                                                                                     "\xD1\x83 "
                                                                                     "\xD0\xB0\xD0"
                                                                                     "\xB4\xD1\x80"
                                                                                     "\xD0\xB5\xD1"
                                                                                     "\x81\xD0\xB0"
                                                                                     "\xD1\x82\xD1"
                                                                                     "\x83:\n"
                                                                                     "\n"
                                                                                     "ann@client."
                                                                                     "example\n"
                                                                                     "\xD0\x9F\xD0"
                                                                                     "\xBE\xD1\x87"
                                                                                     "\xD1\x82\xD0"
                                                                                     "\xBE\xD0\xB2"
                                                                                     "\xD1\x8B\xD0"
                                                                                     "\xB9 "
                                                                                     "\xD1\x8F\xD1"
                                                                                     "\x89\xD0\xB8"
                                                                                     "\xD0\xBA "
                                                                                     "\xD0\xBF\xD0"
                                                                                     "\xB5\xD1\x80"
                                                                                     "\xD0\xB5\xD0"
                                                                                     "\xBF\xD0\xBE"
                                                                                     "\xD0\xBB\xD0"
                                                                                     "\xBD\xD0\xB5"
                                                                                     "\xD0\xBD\n",
     NULL, CLASS_FULL, DSN_FAILED},
    {"gmail-new",
     FROM(
         "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
         "Delivery Status Notification (Failure)") "X-Failed-Recipients: ann@client.example\n"
                                                   "Auto-Submitted: auto-replied\n"
                                                   "\n"
                                                   "\n"
                                                   "** Address not found **\n"
                                                   "\n"
                                                   "Your message wasn't delivered to "
                                                   "ann@client.example because the address "
                                                   "couldn't be found, or is unable to receive "
                                                   "mail.\n"
                                                   "\n"
                                                   "Learn more here: "
                                                   "https://support.google.com/mail/?p=NoSuchUser\n"
                                                   "\n"
                                                   "The response was:\n"
                                                   "\n"
                                                   "550 5.1.1 The email account that you tried to "
                                                   "reach does not exist. Please try "
                                                   "double-checking the recipient's email address "
                                                   "for typos or unnecessary spaces. Learn more at "
                                                   "https://support.google.com/mail/?p=NoSuchUser "
                                                   "x1-20020a05600c - gsmtp\n",
     "5.1.1", CLASS_RECIPIENT, DSN_FAILED},
};

static void test_reports(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(reports); i++) {
        struct arena a = {0};
        struct bounce b;
        char status[64];
        read_mail(reports[i].mail, &a, &b);
        T_STR(bounce_kind_name(b.kind), "report", "%s", reports[i].name);
        T_EQ(b.recipient_count, 1, "%s: recipients", reports[i].name);
        const struct bounce_recipient *r = &b.recipients[0];
        T_TRUE(text_eq(r->address, TEXT("ann@client.example")), "%s: " TEXT_FMT, reports[i].name,
               TEXT_ARG(r->address));
        T_STR(reply_class_name(r->meaning.class), reply_class_name(reports[i].class), "%s",
              reports[i].name);
        T_STR(dsn_action_name(r->action), dsn_action_name(reports[i].action), "%s",
              reports[i].name);
        snprintf(status, sizeof status, "%d.%d.%d", r->status[0], r->status[1], r->status[2]);
        if (reports[i].status)
            T_STR(status, reports[i].status, "%s: status", reports[i].name);
        arena_fini(&a);
    }
}

/* -- None of them is a report ------------------------------------------------------------------ */

static const struct {
    const char *from, *subject, *body;
} answers[] = {
    {"boxtrapper-ann@client.example", "Your email requires verification verify#AbCdEf",
     "The message you sent requires that you verify that you are a real live human being and not a "
     "spam source.\n"
     "\n"
     "To complete this verification, simply reply to this message and leave the subject line "
     "intact.\n"},
    {"Ann <ann@client.example>",
     "Please confirm your message\n"
     "Auto-Submitted: auto-replied",
     "This message was created automatically by mail delivery software (TMDA).\n"
     "\n"
     "Your message attached below is being held because the address\n"
     "<news@app.example> has not been verified.\n"
     "\n"
     "To release your message for delivery, please send an empty message\n"
     "to the following address, or use your mailer's \"Reply\" feature.\n"
     "\n"
     "   ann-confirm-1234@client.example\n"},
    {"Ann <ann@client.example>", "=?UTF-8?B?QWJ3ZXNlbmhlaXRzbm90aXo6IEhp?=",
     "Ich bin bis 12.3. nicht im B\xC3\xBCro. In dringenden F\xC3\xA4llen wenden Sie sich an "
     "bob@client.example.\n"},
    {"Ann <ann@client.example>", "=?UTF-8?B?QWJzZW5jZSBkdSBidXJlYXUgOiBIaQ==?=",
     "Je suis absente. Merci de contacter bob@client.example\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?UsOpcG9uc2UgYXV0b21hdGlxdWUgOiBIaQ==?=", "Je suis absente.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?UmVzcHVlc3RhIGF1dG9tw6F0aWNhOiBIaQ==?=", "Estoy fuera de la oficina.\n"},
    {"Ann <ann@client.example>", "=?UTF-8?B?UmVzcG9zdGEgYXV0b23DoXRpY2E6IEhp?=",
     "Estou ausente. Fale com bob@client.example\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?UmlzcG9zdGEgYXV0b21hdGljYTogSGk=?=", "Sono fuori ufficio.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?QXV0b21hdGlzY2ggYW50d29vcmQ6IEhp?=", "Ik ben afwezig.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?QXV0b3N2YXI6IEhp?=", "Jag \xC3\xA4r p\xC3\xA5 semester.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?QXV0b21hYXR0aW5lbiB2YXN0YXVzOiBIaQ==?=", "Olen lomalla.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?T2Rwb3dpZWTFuiBhdXRvbWF0eWN6bmE6IEhp?=", "Nie ma mnie w biurze.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?QXV0b21hdGlja8OhIG9kcG92xJvEjzogSGk=?=", "Jsem mimo kancel\xC3\xA1\xC5\x99.\n"},
    {"Ann <ann@client.example>", "=?UTF-8?B?0JDQstGC0L7QvtGC0LLQtdGCOiBIaQ==?=",
     "\xD0\x9C\xD0\xB5\xD0\xBD\xD1\x8F \xD0\xBD\xD0\xB5\xD1\x82 \xD0\xB2 "
     "\xD0\xBE\xD1\x84\xD0\xB8\xD1\x81\xD0\xB5.\n"},
    {"Ann <ann@client.example>", "=?UTF-8?B?6Ieq5Yqo5Zue5aSNOiBIaQ==?=",
     "\xE6\x88\x91\xE6\xAD\xA3\xE5\x9C\xA8\xE4\xBC\x91\xE5\x81\x87\xE3\x80\x82\n"},
    {"Ann <ann@client.example>", "=?UTF-8?B?6Ieq5YuV5b+c562UOiBIaQ==?=",
     "\xE4\xB8\x8D\xE5\x9C\xA8\xE3\x81\xA7\xE3\x81\x99\xE3\x80\x82\n"},
    {"Ann <ann@client.example>", "=?UTF-8?B?W+yekOuPmeydkeuLtV0gSGk=?=",
     "\xEB\xB6\x80\xEC\x9E\xAC\xEC\xA4\x91\xEC\x9E\x85\xEB\x8B\x88\xEB\x8B\xA4.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?T3RvbWF0aWsgWWFuxLF0OiBIaQ==?=", "Ofis d\xC4\xB1\xC5\x9F\xC4\xB1nday\xC4\xB1m.\n"},
    {"Ann <ann@client.example>", "=?UTF-8?B?QXV0b21hdGlrdXMgdsOhbGFzejogSGk=?=", "Nem vagyok.\n"},
    {"Ann <ann@client.example>", "=?UTF-8?B?T3V0IG9mIE9mZmljZTogSGk=?=",
     "I no longer work at Client. Mail to ann@client.example is not delivered any more; please "
     "write to bob@client.example.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?QXV0byBSZXNwb25zZSBmcm9tIGFubkBjbGllbnQuZXhhbXBsZQ==?=\n"
     "Auto-Submitted: auto-replied",
     "Thank you for your message. We have received it and will answer soon.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?SSBhbSBvbiB2YWNhdGlvbg==?=\n"
     "Auto-Submitted: auto-replied",
     "Back on Monday. ann@client.example\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?T24gbGVhdmUgdW50aWwgTW9uZGF5?=\n"
     "Auto-Submitted: auto-replied",
     "I am away.\n"},
    {"Ann <ann@client.example>",
     "=?UTF-8?B?VGlja2V0IHJlY2VpdmVkIFsjMTIzXQ==?=\n"
     "Auto-Submitted: auto-replied",
     "Your request has been received and a ticket was opened.\n"},
};

static const struct {
    const char *from, *subject, *body;
} others[] = {
    {"Shop <no-reply@shop.example>", "Your order could not be delivered",
     "Dear Ann, the courier could not deliver your parcel to ann@client.example. Please contact "
     "support@shop.example\n"},
    {"Bob <bob@client.example>", "Re: delivery failure",
     "Hi, my mail to ann@client.example bounced with 550 user unknown. Do you know her new "
     "address? Bob\n"},
    {"GitHub <noreply@github.com>", "[repo] Build failed: main (#12)",
     "The build failed for ann@client.example. error: test failed\n"},
    {"Bank <noreply@bank.example>", "Payment rejected",
     "Your payment was rejected. The account ann@client.example has been blocked.\n"},
    {"News <news@corp.example>", "Undelivered promises: what politics failed",
     "The following address was given by the chancellor: ann@client.example. It failed.\n"},
    {"root <root@host.example>", "Cron <root@host> /usr/bin/backup",
     "backup failed: user ann@client.example not found\n"},
    {"Nagios <nagios@host.example>", "PROBLEM: mail queue is CRITICAL",
     "delivery to ann@client.example failed: connection timed out\n"},
    {"Bob <bob@client.example>", "Fwd: Undelivered Mail Returned to Sender",
     "See below, what is wrong?\n"
     "\n"
     "---------- Forwarded message ---------\n"
     "From: Mail Delivery System <MAILER-DAEMON@mx.example>\n"
     "Subject: Undelivered Mail Returned to Sender\n"
     "\n"
     "This is the mail system at host mx.example.\n"
     "\n"
     "<ann@client.example>: host mx said: 550 5.1.1 User unknown\n"
     "\n"},
    {"Postmaster <postmaster@mx.example>", "Scheduled maintenance",
     "Dear user, the mail system will be down on Monday. Mail may be delayed. Contact "
     "support@mx.example.\n"},
    {"postmaster@mx.example", "Quarantine summary for news@app.example",
     "You have 3 messages in quarantine: from bob@client.example \"Hi\" spam. Release them at "
     "https://q.example\n"},
    {"mailman-bounces@lists.example", "Bounce action notification",
     "This is a Mailman mailing list bounce action notice:\n"
     "\n"
     "    List:       test\n"
     "    Member:     ann@client.example\n"
     "    Action:     Subscription disabled.\n"
     "    Reason:     Excessive or fatal bounces.\n"
     "\n"},
    {"App <noreply@app.example>", "Password reset failed",
     "We could not send the mail to ann@client.example? No: your password reset failed.\n"},
};

static void check_kind(const char *from, const char *subject, const char *body, const char *want)
{
    struct arena a = {0};
    struct bounce b;
    const char *mail = arena_printf(&a,
                                    "From: %s\nTo: news@app.example\nSubject: %s\nMIME-Version: "
                                    "1.0\nContent-Type: text/plain; charset=utf-8\n\n%s",
                                    from, subject, body);
    T_TRUE(mail != NULL, "memory");
    read_mail(mail, &a, &b);
    T_STR(bounce_kind_name(b.kind), want, "%s: %s", from, subject);
    arena_fini(&a);
}

static void test_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(answers); i++)
        check_kind(answers[i].from, answers[i].subject, answers[i].body, "autoreply");
    for (size_t i = 0; i < TIDE_COUNT(others); i++)
        check_kind(others[i].from, others[i].subject, others[i].body, "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reports),
                                       cmocka_unit_test(test_others)};
    return cmocka_run_group_tests(tests, load, unload);
}
