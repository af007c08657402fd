/* Whole dialogues as scripts. Each runs with the server's bytes in one piece, byte by byte, cut in
 * two at every place, and with a socket that takes only a few bytes at a time. */
#include "core/proto/smtp_client.h"
#include "lib/check.h"

#include <stdlib.h>

/* One line of a script:
 *   S:text   the server sends it; whatever the client wrote before must have been expected
 *   C:text   the client wrote exactly this since the last line
 *   SEND     the mail is given (READY must have come)     TLS   handshake asked for and done
 *   QUIT     the owner wants to end                       TICK  the running time-out runs out
 *   BREAK    the connection breaks                        TAKE:n  the socket takes n more bytes
 *   DONE, CLOSE   this event must have come               IDLE  no time-out is running */
struct script {
    const char *name;
    const char *lines[40];
    const char *want; /* fates, then "| " and the fault of the connection, if any */
    enum tls_mode tls;
    enum auth_mech auth;
    int mails_max;
    int mail; /* index into mails */
};

#define GREET  "S:220 mx.example ESMTP\r\n", "C:EHLO me.example\r\n"
#define PIPE   "S:250-mx.example\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"
#define PLAIN_ "S:250 mx.example\r\n"
#define MAIL   "MAIL FROM:<a@example.org>"
#define GROUP  "C:" MAIL " SIZE=15\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"
#define BODY   "C:S: x\r\n\r\nhello\r\n.\r\n"

enum { ONE, TWO, DOTS, UTF8_HEADER, UTF8_RCPT, BIG, EVIL, EIGHT_BIT, DSN, EVIL_AND_GOOD };

static const struct {
    const char *sender, *rcpts[2], *message;
    bool smtputf8;
    const char *ret, *envid, *notify, *orcpt;
} mails[] = {
    [ONE] = {"a@example.org", {"b@example.com"}, .message = "S: x\r\n\r\nhello\r\n"},
    [TWO] = {"a@example.org",
             {"b@example.com", "c@example.com"},
             .message = "S: x\r\n\r\nhello\r\n"},
    [DOTS] = {"", {"b@example.com"}, .message = ".a\r\n..\r\nb.\r\n.\n.\r\rc\r"},
    [UTF8_HEADER] = {"a@example.org",
                     {"b@example.com"},
                     .message = "S: \xc3\xa4\r\n\r\nx\r\n",
                     true},
    [UTF8_RCPT] = {"a@example.org", {"\xc3\xa4@example.com"}, .message = "S: x\r\n\r\nx\r\n"},
    [BIG] = {"a@example.org", {"b@example.com"}, .message = NULL},
    [EVIL] = {"a@example.org", {"b@example.com>\r\nDATA"}, .message = "x\r\n"},
    [EIGHT_BIT] = {"a@example.org", {"b@example.com"}, .message = "S: x\r\n\r\n\xc3\xa4\r\n"},
    [DSN] = {"a@example.org",
             {"b@example.com"},
             .message = "S: x\r\n\r\nhello\r\n",
             false,
             "HDRS",
             "QQ314159",
             "SUCCESS,FAILURE",
             "rfc822;b+2Bc@example.com"},
    [EVIL_AND_GOOD] = {"a@example.org",
                       {"b@x> SIZE=1", "c@example.com"},
                       .message = "S: x\r\n\r\nhello\r\n"},
};

static const struct script scripts[] = {
    {"pipelined, then quit",
     {GREET, PIPE, "IDLE", "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY,
      "S:250 queued as 42\r\n", "DONE", "IDLE", "QUIT", "C:QUIT\r\n", "S:221 bye\r\n", "CLOSE"},
     .want = "accepted end of data 250"},
    {"one by one",
     {GREET, PLAIN_, "SEND", "C:" MAIL "\r\n", "S:250 ok\r\n", "C:RCPT TO:<b@example.com>\r\n",
      "S:250 ok\r\n", "C:DATA\r\n", "S:354 go\r\n", BODY, "S:250 queued\r\n", "DONE"},
     .want = "accepted end of data 250"},
    {"two mails over one connection, then the cap",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY, "S:250 ok\r\n", "DONE",
      "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY, "S:250 ok\r\n", "DONE", "C:QUIT\r\n",
      "S:221 bye\r\n", "CLOSE"},
     .want = "accepted end of data 250",
     .mails_max = 2},
    {"several lines in replies",
     {"S:220-mx.example\r\n220-we log\r\n220 go\r\n", "C:EHLO me.example\r\n", PIPE, "SEND", GROUP,
      "S:250-2.1.0 a\r\n250 2.1.0 b\r\n250 ok\r\n354-go\r\n354 on\r\n", BODY,
      "S:250-one\r\n250 two\r\n", "DONE"},
     .want = "accepted end of data 250"},
    {"bare LF in replies",
     {"S:220 mx\n", "C:EHLO me.example\r\n", "S:250-mx\n250-PIPELINING\n250 SIZE 9999\n", "SEND",
      GROUP, "S:250 ok\n250 ok\n354 go\n", BODY, "S:250 ok\n", "DONE"},
     .want = "accepted end of data 250"},
    {"HELO when EHLO is not known",
     {GREET, "S:502 what?\r\n", "C:HELO me.example\r\n", "S:250 hi PIPELINING\r\n", "SEND",
      "C:" MAIL "\r\n", "S:250 ok\r\n", "C:RCPT TO:<b@example.com>\r\n", "S:250 ok\r\n",
      "C:DATA\r\n", "S:354 go\r\n", BODY, "S:250 queued\r\n", "DONE"},
     .want = "accepted end of data 250"},
    {"dots, bare CR and bare LF",
     {GREET, PIPE, "SEND", "C:MAIL FROM:<> SIZE=19\r\nRCPT TO:<b@example.com>\r\nDATA\r\n",
      "S:250 ok\r\n250 ok\r\n354 go\r\n", "C:..a\r\n...\r\nb.\r\n..\r\n..\r\n\r\nc\r\n.\r\n",
      "S:250 ok\r\n", "DONE"},
     .want = "accepted end of data 250",
     .mail = DOTS},
    {"parameters where they are offered",
     {GREET, "S:250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250 8BITMIME\r\n", "SEND",
      "C:" MAIL " RET=HDRS ENVID=QQ314159\r\nRCPT TO:<b@example.com> NOTIFY=SUCCESS,FAILURE "
      "ORCPT=rfc822;b+2Bc@example.com\r\nDATA\r\n",
      "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY, "S:250 ok\r\n", "DONE"},
     .want = "accepted end of data 250",
     .mail = DSN},
    {"no DSN parameters where it is not",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY, "S:250 ok\r\n", "DONE"},
     .want = "accepted end of data 250",
     .mail = DSN},
    {"8-bit content is announced",
     {GREET, "S:250-mx\r\n250-pipelining\r\n250 8bitmime\r\n", "SEND",
      "C:" MAIL " BODY=8BITMIME\r\nRCPT TO:<b@example.com>\r\nDATA\r\n",
      "S:250 ok\r\n250 ok\r\n354 go\r\n", "C:S: x\r\n\r\n\xc3\xa4\r\n.\r\n", "S:250 ok\r\n",
      "DONE"},
     .want = "accepted end of data 250",
     .mail = EIGHT_BIT},
    {"SMTPUTF8 is used",
     {GREET, "S:250-mx\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n", "SEND",
      "C:" MAIL " SMTPUTF8\r\nRCPT TO:<\xc3\xa4@example.com>\r\nDATA\r\n",
      "S:250 ok\r\n250 ok\r\n354 go\r\n", "C:S: x\r\n\r\nx\r\n.\r\n", "S:250 ok\r\n", "DONE"},
     .want = "accepted end of data 250",
     .mail = UTF8_RCPT},
    {"SMTPUTF8 is needed by the message but not offered",
     {GREET, PIPE, "SEND", "DONE", "IDLE"},
     .want = "refused MAIL FROM 550 5.6.7",
     .mail = UTF8_HEADER},
    {"SMTPUTF8 is needed by the recipient but not offered",
     {GREET, PIPE, "SEND", "DONE", "IDLE"},
     .want = "refused RCPT TO 553 5.6.7",
     .mail = UTF8_RCPT},
    {"larger than SIZE allows",
     {GREET, PIPE, "SEND", "DONE"},
     .want = "refused MAIL FROM 552 5.3.4",
     .mail = BIG},
    {"an address that would smuggle a command",
     {GREET, PIPE, "SEND", "DONE"},
     .want = "refused RCPT TO 553 5.1.3",
     .mail = EVIL},
    {"one such address does not harm the other",
     {GREET, PIPE, "SEND", "C:" MAIL " SIZE=15\r\nRCPT TO:<c@example.com>\r\nDATA\r\n",
      "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY, "S:250 ok\r\n", "DONE"},
     .want = "refused RCPT TO 553 5.1.3; accepted end of data 250",
     .mail = EVIL_AND_GOOD},

    {"two recipients, one refused",
     {GREET, PIPE, "SEND",
      "C:" MAIL " SIZE=15\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n",
      "S:250 ok\r\n550 5.1.1 who?\r\n250 ok\r\n354 go\r\n", BODY, "S:250 ok\r\n", "DONE"},
     .want = "refused RCPT TO 550 5.1.1; accepted end of data 250",
     .mail = TWO},
    {"two recipients, one refused, one by one",
     {GREET, PLAIN_, "SEND", "C:" MAIL "\r\n", "S:250 ok\r\n", "C:RCPT TO:<b@example.com>\r\n",
      "S:250 ok\r\n", "C:RCPT TO:<c@example.com>\r\n", "S:450 4.2.2 full\r\n", "C:DATA\r\n",
      "S:354 go\r\n", BODY, "S:250 ok\r\n", "DONE"},
     .want = "accepted end of data 250; refused RCPT TO 450 4.2.2",
     .mail = TWO},
    {"both refused, yet 354",
     {GREET, PIPE, "SEND",
      "C:" MAIL " SIZE=15\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n",
      "S:250 ok\r\n550 who?\r\n551 who?\r\n354 go\r\n", "C:.\r\n", "DONE",
      "S:554 no valid recipients\r\n", "IDLE"},
     .want = "refused RCPT TO 550; refused RCPT TO 551",
     .mail = TWO},
    {"refused recipient, DATA refused, RSET, next mail",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n550 who?\r\n503 no recipients\r\n", "DONE",
      "C:RSET\r\n", "S:250 ok\r\n", "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY,
      "S:250 ok\r\n", "DONE"},
     .want = "accepted end of data 250"},
    {"refused recipient, one by one",
     {GREET, PLAIN_, "SEND", "C:" MAIL "\r\n", "S:250 ok\r\n", "C:RCPT TO:<b@example.com>\r\n",
      "S:550 5.1.1 who?\r\n", "C:RSET\r\n", "DONE", "S:250 ok\r\n", "IDLE"},
     .want = "refused RCPT TO 550 5.1.1"},
    {"RSET refused: the connection is of no more use",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n550 who?\r\n503 no\r\n", "DONE", "C:RSET\r\n",
      "S:500 what?\r\n", "C:QUIT\r\n", "S:221 bye\r\n", "CLOSE"},
     .want = "refused RCPT TO 550"},
    {"MAIL refused",
     {GREET, PIPE, "SEND", GROUP, "S:451 4.3.0 later\r\n503 no\r\n503 no\r\n", "DONE",
      "C:RSET\r\n"},
     .want = "refused MAIL FROM 451 4.3.0"},
    {"MAIL refused, RCPT and DATA taken all the same",
     {GREET, PIPE, "SEND", GROUP, "S:451 later\r\n250 ok\r\n354 go\r\n", "C:.\r\n", "DONE",
      "S:250 ok\r\n", "IDLE"},
     .want = "refused MAIL FROM 451"},
    {"MAIL refused, one by one",
     {GREET, PLAIN_, "SEND", "C:" MAIL "\r\n", "S:550 5.7.1 not you\r\n", "C:RSET\r\n", "DONE"},
     .want = "refused MAIL FROM 550 5.7.1"},
    {"MAIL wants a login: the account's fault",
     {GREET, PLAIN_, "SEND", "C:" MAIL "\r\n", "S:530 5.7.0 log in\r\n", "C:RSET\r\n", "DONE"},
     .want = "refused MAIL FROM 530 5.7.0 account"},
    {"DATA refused",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n452 4.3.1 full\r\n", "DONE", "C:RSET\r\n"},
     .want = "refused DATA 452 4.3.1"},
    {"message refused after the dot: no RSET is needed",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY,
      "S:550 5.7.1 Connection frequency limited\r\n", "DONE", "IDLE"},
     .want = "refused end of data 550 5.7.1"},

    {"greeting refused", {"S:554 go away\r\n", "CLOSE"}, .want = "| greeting 554"},
    {"greeting 421", {"S:421 4.3.2 busy\r\n", "CLOSE"}, .want = "| greeting 421 4.3.2"},
    {"greeting is no SMTP", {"S:HTTP/1.1 400 Bad Request\r\n", "CLOSE"}, .want = "| greeting 0"},
    {"no greeting in time", {"TICK", "CLOSE"}, .want = "| greeting 0"},
    {"gone before the greeting", {"BREAK", "CLOSE"}, .want = "| greeting 0"},
    {"EHLO 421", {GREET, "S:421 busy\r\n", "CLOSE"}, .want = "| EHLO 421"},
    {"EHLO not now", {GREET, "S:451 later\r\n", "CLOSE"}, .want = "| EHLO 451"},
    {"HELO refused too",
     {GREET, "S:500 ?\r\n", "C:HELO me.example\r\n", "S:550 no\r\n", "CLOSE"},
     .want = "| EHLO 550"},
    {"no answer to EHLO", {GREET, "TICK", "CLOSE"}, .want = "| EHLO 0"},
    {"421 while idle is nobody's fault",
     {GREET, PIPE, "S:421 4.4.2 idle\r\n", "CLOSE"},
     .want = ""},
    {"gone while idle is nobody's fault", {GREET, PIPE, "BREAK", "CLOSE"}, .want = ""},
    {"a reply out of nowhere", {GREET, PIPE, "S:250 surprise\r\n", "CLOSE"}, .want = ""},
    {"421 to MAIL",
     {GREET, PIPE, "SEND", GROUP, "S:421 4.7.0 later\r\n", "DONE", "CLOSE"},
     .want = "refused MAIL FROM 421 4.7.0 account | MAIL FROM 421 4.7.0"},
    {"421 to RCPT",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n421 later\r\n", "DONE", "CLOSE"},
     .want = "refused RCPT TO 421 account | RCPT TO 421"},
    {"421 to DATA",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n421 later\r\n", "DONE", "CLOSE"},
     .want = "refused DATA 421 account | DATA 421"},
    {"421 to the dot",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY, "S:421 later\r\n",
      "DONE", "CLOSE"},
     .want = "refused end of data 421 account | end of data 421"},
    {"a refused recipient stays refused when 421 follows",
     {GREET, PIPE, "SEND",
      "C:" MAIL " SIZE=15\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n",
      "S:250 ok\r\n550 who?\r\n421 later\r\n", "DONE", "CLOSE"},
     .want = "refused RCPT TO 550; refused RCPT TO 421 account | RCPT TO 421",
     .mail = TWO},
    {"gone after MAIL",
     {GREET, PIPE, "SEND", GROUP, "BREAK", "DONE", "CLOSE"},
     .want = "not sent MAIL FROM 0 account | MAIL FROM 0"},
    {"gone after 354",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n", "TAKE:0", "S:354 go\r\n", "BREAK",
      "DONE", "CLOSE"},
     .want = "not sent DATA 0 account | DATA 0"},
    {"gone with all but the last byte of the final dot taken",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n", "TAKE:17", "S:354 go\r\n",
      "C:S: x\r\n\r\nhello\r\n.\r", "BREAK", "DONE", "CLOSE"},
     .want = "not sent DATA 0 account | DATA 0"},
    {"gone with the final dot taken",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n", "TAKE:18", "S:354 go\r\n", BODY,
      "BREAK", "DONE", "CLOSE"},
     .want = "unknown end of data 0 account | end of data 0"},
    {"no answer after the dot",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY, "TICK", "DONE",
      "CLOSE"},
     .want = "unknown end of data 0 account | end of data 0"},
    {"garbage after the dot",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY, "S:yes, sure\r\n",
      "DONE", "CLOSE"},
     .want = "unknown end of data 0 account | end of data 0"},
    {"354 after the dot",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n354 go\r\n", BODY, "S:354 go\r\n", "DONE",
      "CLOSE"},
     .want = "unknown end of data 0 account | end of data 0"},
    {"nothing of the body is taken",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n", "TAKE:3", "S:354 go\r\n",
      "C:S: ", "TICK", "DONE", "CLOSE"},
     .want = "not sent DATA 0 account | DATA 0"},
    {"refused in the middle of the message",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n", "TAKE:3", "S:354 go\r\n",
      "C:S: ", "S:552 5.3.4 too much\r\n", "DONE", "CLOSE"},
     .want = "refused DATA 552 5.3.4 | DATA 552 5.3.4"},
    {"accepted in the middle of the message: not believed",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n", "TAKE:3", "S:354 go\r\n",
      "C:S: ", "S:250 ok\r\n", "DONE", "CLOSE"},
     .want = "not sent DATA 0 account | DATA 0"},
    {"250 to DATA",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n250 ok\r\n250 ok\r\n", "DONE", "CLOSE"},
     .want = "not sent DATA 0 account | DATA 0"},
    {"354 to RCPT",
     {GREET, PIPE, "SEND", GROUP, "S:250 ok\r\n354 go\r\n", "DONE", "CLOSE"},
     .want = "not sent RCPT TO 0 account | RCPT TO 0"},
    {"no answer to QUIT", {GREET, PIPE, "QUIT", "C:QUIT\r\n", "TICK", "CLOSE"}, .want = ""},

    {"STARTTLS, EHLO again, offers of before forgotten",
     {GREET, "S:250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n", "C:STARTTLS\r\n", "S:220 go\r\n",
      "TLS", "C:EHLO me.example\r\n", PLAIN_, "SEND", "C:" MAIL "\r\n"},
     .want = "pending",
     .tls = TLS_REQUIRED},
    {"STARTTLS wanted but not offered",
     {GREET, PIPE, "CLOSE"},
     .want = "| STARTTLS 0",
     .tls = TLS_REQUIRED},
    {"STARTTLS welcome but not offered",
     {GREET, PIPE, "IDLE", "SEND", GROUP},
     .want = "pending",
     .tls = TLS_OPPORTUNISTIC},
    {"STARTTLS refused",
     {GREET, "S:250 STARTTLS\r\n", "CLOSE"},
     .want = "| STARTTLS 0",
     .tls = TLS_REQUIRED},
    {"STARTTLS refused by reply",
     {GREET, "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS\r\n", "S:454 4.7.0 not now\r\n", "CLOSE"},
     .want = "| STARTTLS 454 4.7.0",
     .tls = TLS_REQUIRED},
    {"STARTTLS welcome but refused",
     {GREET, "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS\r\n", "S:454 4.7.0 not now\r\n", "IDLE"},
     .want = "",
     .tls = TLS_OPPORTUNISTIC},
    {"no HELO where TLS is wanted",
     {GREET, "S:502 what?\r\n", "CLOSE"},
     .want = "| EHLO 502",
     .tls = TLS_REQUIRED},
    {"handshake fails",
     {GREET, "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS\r\n", "S:220 go\r\n", "BREAK", "CLOSE"},
     .want = "| STARTTLS 0",
     .tls = TLS_REQUIRED},
    {"no password in the clear",
     {GREET, "S:250-mx\r\n250 AUTH PLAIN\r\n", "CLOSE"},
     .want = "| AUTH 0",
     .tls = TLS_OPPORTUNISTIC,
     .auth = AUTH_PLAIN},

    {"AUTH PLAIN",
     {GREET, "S:250-mx\r\n250 AUTH LOGIN PLAIN\r\n", "C:AUTH PLAIN AHVzZXIAcGFzcw==\r\n",
      "S:235 2.7.0 ok\r\n", "IDLE", "SEND", "C:" MAIL "\r\n"},
     .want = "pending",
     .auth = AUTH_ANY},
    {"AUTH PLAIN, initial response not read",
     {GREET, "S:250-mx\r\n250 auth plain\r\n", "C:AUTH PLAIN AHVzZXIAcGFzcw==\r\n", "S:334 \r\n",
      "C:AHVzZXIAcGFzcw==\r\n", "S:235 ok\r\n", "IDLE"},
     .want = "",
     .auth = AUTH_PLAIN},
    {"AUTH LOGIN, offered the old way",
     {GREET, "S:250-mx\r\n250 AUTH=LOGIN\r\n", "C:AUTH LOGIN\r\n", "S:334 VXNlcm5hbWU6\r\n",
      "C:dXNlcg==\r\n", "S:334 UGFzc3dvcmQ6\r\n", "C:cGFzcw==\r\n", "S:235 ok\r\n", "IDLE"},
     .want = "",
     .auth = AUTH_ANY},
    {"AUTH XOAUTH2",
     {GREET, "S:250-mx\r\n250 AUTH PLAIN XOAUTH2\r\n",
      "C:AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHBhc3MBAQ==\r\n", "S:235 ok\r\n", "IDLE"},
     .want = "",
     .auth = AUTH_XOAUTH2},
    {"AUTH XOAUTH2 refused with a reason",
     {GREET, "S:250-mx\r\n250 AUTH XOAUTH2\r\n",
      "C:AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHBhc3MBAQ==\r\n",
      "S:334 eyJzdGF0dXMiOiI0MDEifQ==\r\n", "C:\r\n", "S:535 5.7.8 no\r\n", "CLOSE"},
     .want = "| AUTH 535 5.7.8",
     .auth = AUTH_XOAUTH2},
    {"AUTH refused",
     {GREET, "S:250-mx\r\n250 AUTH PLAIN\r\n", "C:AUTH PLAIN AHVzZXIAcGFzcw==\r\n",
      "S:535 5.7.8 wrong\r\n", "CLOSE"},
     .want = "| AUTH 535 5.7.8",
     .auth = AUTH_ANY},
    {"AUTH without end",
     {GREET, "S:250-mx\r\n250 AUTH LOGIN\r\n", "C:AUTH LOGIN\r\n", "S:334 a\r\n", "C:dXNlcg==\r\n",
      "S:334 b\r\n", "C:cGFzcw==\r\n", "S:334 c\r\n", "CLOSE"},
     .want = "| AUTH 0",
     .auth = AUTH_LOGIN},
    {"AUTH wanted but another offered",
     {GREET, "S:250-mx\r\n250 AUTH LOGIN\r\n", "CLOSE"},
     .want = "| AUTH 0",
     .auth = AUTH_PLAIN},
    {"AUTH wanted but not offered", {GREET, PIPE, "CLOSE"}, .want = "| AUTH 0", .auth = AUTH_ANY},
    {"AUTH after HELO",
     {GREET, "S:500 ?\r\n", "C:HELO me.example\r\n", "S:250 hi\r\n", "CLOSE"},
     .want = "| EHLO 0",
     .auth = AUTH_ANY},
};

/* How a script is run. */
struct cut {
    size_t in_piece;  /* bytes fed at once; 0: whole lines of the script */
    size_t in_cut;    /* this byte of all that the server sends starts a new piece */
    size_t out_piece; /* bytes that the socket takes at once; 0: all */
};

struct run {
    const struct script *script;
    struct smtp_client client;
    struct smtp_mail mail;
    struct smtp_rcpt rcpts[2];
    char *big;
    struct buf got; /* what the client wrote and the script has not yet expected */
    size_t take;    /* the socket takes so much more */
    size_t fed;     /* of all that the server sends */
    bool ready, done, close, tls;
    tide_mono_ms now;
};

static void pump(struct run *r, const struct cut *cut)
{
    for (;;) {
        struct text t = smtp_client_output(&r->client);
        size_t n = TIDE_MIN(t.n, r->take);
        if (cut->out_piece)
            n = TIDE_MIN(n, cut->out_piece);
        if (n == 0)
            break;
        buf_add(&r->got, t.p, n);
        if (r->take != SIZE_MAX)
            r->take -= n;
        smtp_client_wrote(&r->client, n, ++r->now);
    }
    enum smtp_event e;
    while ((e = smtp_client_next(&r->client)) != SMTP_EVENT_NONE) {
        r->ready |= e == SMTP_EVENT_READY;
        r->done |= e == SMTP_EVENT_DONE;
        r->close |= e == SMTP_EVENT_CLOSE;
        r->tls |= e == SMTP_EVENT_START_TLS;
    }
}

static void feed(struct run *r, const struct cut *cut, struct text t)
{
    for (size_t at = 0; at < t.n;) {
        size_t n = t.n - at;
        if (cut->in_piece)
            n = TIDE_MIN(n, cut->in_piece);
        if (cut->in_cut > r->fed && cut->in_cut < r->fed + n)
            n = cut->in_cut - r->fed;
        smtp_client_input(&r->client, text_cut(t, at, n), ++r->now);
        pump(r, cut);
        at += n;
        r->fed += n;
    }
}

static void load_mail(struct run *r, int index)
{
    r->mail = (struct smtp_mail){.sender = text_of(mails[index].sender),
                                 .message = text_of(mails[index].message),
                                 .ret = text_of(mails[index].ret),
                                 .envid = text_of(mails[index].envid),
                                 .smtputf8 = mails[index].smtputf8,
                                 .rcpts = r->rcpts};
    if (!r->mail.message.p) {
        r->big = malloc(1001);
        memset(r->big, 'x', 1001);
        r->mail.message = (struct text){r->big, 1001};
    }
    for (size_t i = 0; i < 2 && mails[index].rcpts[i]; i++)
        r->rcpts[r->mail.rcpt_count++] = (struct smtp_rcpt){text_of(mails[index].rcpts[i]),
                                                            text_of(mails[index].notify),
                                                            text_of(mails[index].orcpt),
                                                            {0}};
}

static bool starts(const char *line, const char *with, const char **ret_rest)
{
    size_t n = strlen(with);
    *ret_rest = line + n;
    return strncmp(line, with, n) == 0;
}

static void run_line(struct run *r, const struct cut *cut, const char *line)
{
    const char *name = r->script->name, *rest;
    bool *event = !strcmp(line, "DONE")    ? &r->done
                  : !strcmp(line, "CLOSE") ? &r->close
                  : !strcmp(line, "TLS")   ? &r->tls
                  : !strcmp(line, "SEND")  ? &r->ready
                                           : NULL;
    if (event) {
        T_TRUE(*event, "%s: %s in state %s", name, line, smtp_state_name(r->client.state));
        *event = false;
        if (event == &r->done || event == &r->close)
            return;
    }
    if (starts(line, "C:", &rest)) {
        T_TEXT(buf_text(&r->got), rest, "%s", name);
        buf_clear(&r->got);
        return;
    }
    T_EQ(r->got.len, 0, "%s: before %s the client wrote %s", name, line, buf_str(&r->got));
    if (starts(line, "S:", &rest))
        feed(r, cut, text_of(rest));
    else if (starts(line, "TAKE:", &rest))
        r->take = strtoul(rest, NULL, 10);
    else if (!strcmp(line, "TLS"))
        smtp_client_tls_open(&r->client, ++r->now);
    else if (!strcmp(line, "SEND"))
        smtp_client_send(&r->client, &r->mail, ++r->now);
    else if (!strcmp(line, "QUIT"))
        smtp_client_quit(&r->client, ++r->now);
    else if (!strcmp(line, "BREAK"))
        smtp_client_broken(&r->client, "connection reset by peer");
    else if (!strcmp(line, "IDLE"))
        T_TRUE(smtp_client_deadline(&r->client) == TIDE_NEVER, "%s: a time-out runs", name);
    else if (!strcmp(line, "TICK")) {
        tide_mono_ms at = smtp_client_deadline(&r->client);
        T_TRUE(at != TIDE_NEVER, "%s: no time-out runs", name);
        smtp_client_tick(&r->client, at - 1);
        T_TRUE(r->client.state != SMTP_CLOSED, "%s: timed out early", name);
        smtp_client_tick(&r->client, r->now = at);
    }
    pump(r, cut);
}

static void say_reply(struct buf *out, enum reply_stage stage, const struct reply *r, bool fault)
{
    buf_addf(out, "%s %d", reply_stage_name(stage), r->code);
    if (r->enhanced[0])
        buf_addf(out, " %d.%d.%d", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
    if (fault)
        buf_adds(out, " account");
}

static void say_result(const struct run *r, struct buf *out)
{
    static const char *const fates[] = {"pending", "accepted", "refused", "not sent", "unknown"};
    for (size_t i = 0; i < r->mail.rcpt_count; i++) {
        const struct smtp_result *result = &r->rcpts[i].result;
        bool used = result->fate != SMTP_PENDING || r->client.mail;
        if (!used)
            continue;
        buf_addf(out, "%s%s", i ? "; " : "", fates[result->fate]);
        if (result->fate == SMTP_PENDING)
            continue;
        buf_addc(out, ' ');
        say_reply(out, result->stage, &result->reply, result->account_fault);
        T_TRUE(result->reply.text[0], "%s: a fate without a reason", r->script->name);
    }
    if (r->client.faulted) {
        buf_addf(out, "%s| ", out->len ? " " : "");
        say_reply(out, r->client.fault_stage, &r->client.fault, false);
    }
}

/* Returns how many bytes the server sent. */
static size_t run_script(const struct script *s, struct cut cut)
{
    const struct smtp_client_config config = {.peer = "mx.example:25",
                                              .helo = "me.example",
                                              .tls = s->tls,
                                              .auth = s->auth,
                                              .user = text_of(s->auth ? "user" : ""),
                                              .password = TEXT("pass"),
                                              .mails_max = s->mails_max,
                                              .command_timeout_ms = 300000,
                                              .dot_timeout_ms = 600000};
    struct run r = {.script = s, .take = SIZE_MAX, .now = 1000};
    load_mail(&r, s->mail);
    smtp_client_init(&r.client, &config, s->tls == TLS_IMPLICIT, r.now);
    for (size_t i = 0; i < TIDE_COUNT(s->lines) && s->lines[i]; i++)
        run_line(&r, &cut, s->lines[i]);
    T_EQ(r.got.len, 0, "%s: in the end the client wrote %s", s->name, buf_str(&r.got));
    struct buf result = {0};
    say_result(&r, &result);
    T_STR(buf_str(&result), s->want, "%s (%s)", s->name, r.client.fault.text);
    buf_fini(&result);
    buf_fini(&r.got);
    smtp_client_fini(&r.client);
    free(r.big);
    return r.fed;
}

static void test_dialogues(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(scripts); i++)
        run_script(&scripts[i], (struct cut){0});
}

static void test_split_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(scripts); i++) {
        size_t sent = run_script(&scripts[i], (struct cut){.in_piece = 1, .out_piece = 1});
        run_script(&scripts[i], (struct cut){.in_piece = 2, .out_piece = 3});
        run_script(&scripts[i], (struct cut){.in_piece = 7});
        for (size_t at = 1; at < sent; at++)
            run_script(&scripts[i], (struct cut){.in_cut = at});
    }
}

/* Bytes behind the 220 of STARTTLS were put there to be taken for protected ones. */
static void test_starttls_injection(void **state)
{
    (void)state;
    static const struct script s = {"injected behind STARTTLS",
                                    {GREET, "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS\r\n",
                                     "S:220 go\r\n250 evil\r\n", "CLOSE"},
                                    "| STARTTLS 0",
                                    .tls = TLS_REQUIRED};
    run_script(&s, (struct cut){0});
}

static void test_giant_replies(void **state)
{
    (void)state;
    static const struct smtp_client_config config = {.peer = "mx", .helo = "me"};
    char line[1024];
    memset(line, 'x', sizeof line);
    memcpy(line, "220-", 4);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    for (int endless_line = 0; endless_line < 2; endless_line++) {
        struct smtp_client c;
        smtp_client_init(&c, &config, false, 0);
        size_t fed = 0;
        while (c.state != SMTP_CLOSED && fed < 10 * REPLY_BYTES_MAX) {
            smtp_client_input(&c, (struct text){line, sizeof line - (endless_line ? 2 : 0)}, 0);
            fed += sizeof line;
        }
        T_TRUE(fed <= REPLY_BYTES_MAX + sizeof line, "stops after %zu bytes", fed);
        T_TRUE(c.faulted && c.in.cap < 4 * REPLY_BYTES_MAX, "bounded");
        smtp_client_fini(&c);
    }
}

/* A large message goes out in pieces, whatever the machine's buffer holds. */
static void test_large_message(void **state)
{
    (void)state;
    static const struct smtp_client_config config = {.peer = "mx", .helo = "me"};
    struct buf message = {0}, got = {0};
    struct smtp_rcpt rcpt = {.address = TEXT("b@example.com")};
    for (int i = 0; i < 100000; i++)
        buf_addf(&message, ".line %d\r\n", i);
    struct smtp_mail mail = {.message = buf_text(&message), .rcpts = &rcpt, .rcpt_count = 1};
    struct smtp_client c;
    smtp_client_init(&c, &config, false, 0);
    smtp_client_input(&c, TEXT("220 hi\r\n250-mx\r\n250 PIPELINING\r\n"), 0);
    smtp_client_send(&c, &mail, 0);
    smtp_client_input(&c, TEXT("250 ok\r\n250 ok\r\n354 go\r\n"), 0);
    size_t before = 0, most = 0;
    for (struct text t; (t = smtp_client_output(&c)).n > 0;) {
        if (before == 0)
            before = t.n; /* the commands */
        else
            buf_add_text(&got, t);
        most = TIDE_MAX(most, t.n);
        smtp_client_wrote(&c, t.n, 0);
    }
    T_EQ(c.state, SMTP_DOT, "handed over");
    T_EQ(got.len, message.len + 100000 + 3, "each line one dot more, and the end");
    T_TRUE(most < 200000, "in pieces");
    T_TRUE(text_starts(buf_text(&got), TEXT("..line 0\r\n..line 1\r\n")), "stuffed");
    T_TRUE(text_iends(buf_text(&got), TEXT("..line 99999\r\n.\r\n")), "ended");
    smtp_client_fini(&c);
    buf_fini(&message);
    buf_fini(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),          cmocka_unit_test(test_split_anywhere),
        cmocka_unit_test(test_starttls_injection), cmocka_unit_test(test_giant_replies),
        cmocka_unit_test(test_large_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
