/* Mail whose only signs of being a report are faint: names without a domain, no From, no subject,
 * a report that lost its parts, a status that stands in the transcript alone. */
#include "base/macros.h"
#include "core/outcome/bounce.h"
#include "lib/check.h"
#include "lib/real_rules.h"

static const struct {
    const char *name, *mail;
    enum bounce_kind kind;
    const char *recipients; /* "a b"; "": none */
    const char *status;     /* of the first; "0.0.0": none */
    enum reply_class class;
} mails[] = {
    {"names of mailboxes, the domain is the sender's",
     "Return-Path: <>\nFrom: Mail Delivery <MAILER-DAEMON@isp.example>\nTo: news@app.example\n"
     "Subject: Mail problem\n\nThese recipients have not received your letter, for it could not "
     "be\ndelivered; they are not accepting mail from news@app.example:\n\tann.lee\n\tbob_7\n",
     BOUNCE_REPORT, "ann.lee@isp.example bob_7@isp.example", "0.0.0", CLASS_POLICY},
    {"names, but the returned message tells better",
     "Return-Path: <>\nFrom: MAILER-DAEMON@isp.example\nTo: news@app.example\n"
     "Subject: Undelivered mail\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
     "--b\n\nThe mail could not be delivered to:\n\n  relay7\n\n--b\nContent-Type: "
     "message/rfc822\n\nMessage-ID: <1@app.example>\nFrom: news@app.example\nTo: "
     "ann@client.example\nSubject: x\n\ny\n--b--\n",
     BOUNCE_REPORT, "ann@client.example", "0.0.0", CLASS_OTHER},
    {"words in a sentence are no names",
     "Return-Path: <>\nFrom: MAILER-DAEMON@isp.example\nTo: news@app.example\n"
     "Subject: Undelivered mail\n\nYour mail could not be delivered. The reason:\nThe box is "
     "full.\nGoodbye\n",
     BOUNCE_REPORT, "", "0.0.0", CLASS_OTHER},
    {"no name for itself, no subject",
     "Return-Path: <>\nFrom: <>\nTo: news@app.example\nAuto-Submitted: auto-replied\n"
     "\nYou wrote to ann@client.example. There is no such user here.\n",
     BOUNCE_REPORT, "ann@client.example", "0.0.0", CLASS_RECIPIENT},
    {"somebody is away, and his server has no name",
     "Return-Path: <>\nFrom: <>\nTo: news@app.example\nAuto-Submitted: auto-replied\n"
     "\nI am on holiday until 3 May. Best wishes, Ann, ann@client.example\n",
     BOUNCE_AUTOREPLY, "", "0.0.0", CLASS_OTHER},
    {"a report without its parts",
     "Return-Path: <>\nFrom: Mail Delivery Subsystem <MAILER-DAEMON@mx.example>\n"
     "To: news@app.example\nSubject: Returned mail: see transcript for details\nMIME-Version: 1.0\n"
     "Content-Type: multipart/report; report-type=delivery-status; boundary=\"x\"\n\n"
     "<<< nothing was collected >>>\n",
     BOUNCE_REPORT, "", "0.0.0", CLASS_OTHER},
    {"the status is in the transcript",
     "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: news@app.example\n"
     "Subject: Returned mail: see transcript\nMIME-Version: 1.0\n"
     "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n"
     "   ----- The following addresses had permanent fatal errors -----\n<ann@client.example>\n"
     "    (reason: 554 mx1.client.example ESMTP not accepting connections)\n\n"
     "   ----- Transcript of session follows -----\n... while talking to mx1.client.example.:\n"
     "<<< 554 mx1.client.example ESMTP not accepting connections\n>>> QUIT\n"
     "<<< 421 4.7.0 mx1.client.example too many errors\n554 5.0.0 Service unavailable\n\n"
     "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
     "Final-Recipient: rfc822; ann@client.example\nAction: failed\nStatus: 5.5.0\n"
     "Diagnostic-Code: smtp; 554 mx1.client.example ESMTP not accepting connections\n--b--\n",
     BOUNCE_REPORT, "ann@client.example", "4.7.0", CLASS_REPUTATION},
    {"the transcript says no more than the field",
     "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: news@app.example\n"
     "Subject: Returned mail: see transcript\nMIME-Version: 1.0\n"
     "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n"
     "<ann@client.example>\n<<< 550 no such user\n<<< 503 5.0.0 Need RCPT (recipient)\n"
     "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
     "Final-Recipient: rfc822; ann@client.example\nAction: failed\nStatus: 5.1.1\n"
     "Diagnostic-Code: smtp; 550 no such user\n--b--\n",
     BOUNCE_REPORT, "ann@client.example", "5.1.1", CLASS_RECIPIENT},
    {"a page for its reader, about his own mailbox",
     "Return-Path: <x@spam.example>\nFrom: Mail Delivery System <support@spam.example>\n"
     "To: news@app.example\nSubject: Your mailbox is full\n\nDear news@app.example, the quota is "
     "exceeded and 5 messages could not be delivered. See https://spam.example\n",
     BOUNCE_OTHER, "", "0.0.0", CLASS_OTHER},
    {"off a list",
     "Return-Path: <>\nFrom: listmaster@lists.example\nTo: news@app.example\n"
     "Subject: Unsubscribe notice\n\nMail to news@app.example bounced with 550 mailbox full: you "
     "are off the list.\n",
     BOUNCE_OTHER, "", "0.0.0", CLASS_OTHER},
    {"what cron printed",
     "Return-Path: <root@mx.example>\nFrom: Cron Daemon <root@mx.example>\nTo: news@app.example\n"
     "Subject: Cron <root@mx> mailq\n\nann@client.example: delivery temporarily suspended\n",
     BOUNCE_OTHER, "", "0.0.0", CLASS_OTHER},
    {"a ticket about a bounce",
     "Return-Path: <jira@corp.example>\nFrom: Jira <jira@corp.example>\nTo: news@app.example\n"
     "Auto-Submitted: auto-generated\nSubject: [MAIL-12] Undeliverable mail for "
     "ann@client.example\n\nMail to ann@client.example fails with 550 5.1.1 user unknown.\n",
     BOUNCE_OTHER, "", "0.0.0", CLASS_OTHER},
    {"away, in Swedish",
     "Return-Path: <>\nFrom: ann@client.example\nTo: news@app.example\nSubject: "
     "=?utf-8?q?Fr=C3=A5nvarande=3A_Hi?=\n\nTillbaka den 3 maj.\n",
     BOUNCE_AUTOREPLY, "", "0.0.0", CLASS_OTHER},
};

static void test_mails(void **state)
{
    (void)state;
    struct rulebook *book = real_rules();
    for (size_t i = 0; i < TIDE_COUNT(mails); i++) {
        struct tide_error err = {0};
        struct arena a = {0};
        struct bounce b;
        struct buf who = {0};
        char status[32] = "0.0.0";
        T_OK(bounce_read(text_of(mails[i].mail), book, NULL, &a, &b, &err), &err, "%s",
             mails[i].name);
        T_STR(bounce_kind_name(b.kind), bounce_kind_name(mails[i].kind), "%s", mails[i].name);
        for (size_t k = 0; k < b.recipient_count; k++)
            buf_addf(&who, "%s" TEXT_FMT, k ? " " : "", TEXT_ARG(b.recipients[k].address));
        T_STR(buf_str(&who), mails[i].recipients, "%s", mails[i].name);
        if (b.recipient_count > 0) {
            const struct bounce_recipient *r = &b.recipients[0];
            snprintf(status, sizeof status, "%d.%d.%d", r->status[0], r->status[1], r->status[2]);
            T_STR(reply_class_name(r->meaning.class), reply_class_name(mails[i].class), "%s",
                  mails[i].name);
        }
        T_STR(status, mails[i].status, "%s", mails[i].name);
        buf_fini(&who);
        arena_fini(&a);
    }
    rulebook_free(book);
}

/* A postmaster's two lines about ann@client.example, in many languages. */
static const struct {
    const char *subject, *body;
    enum reply_class class;
} notices[] = {
    {"Niedostarczalne: Hi",
     "Nie udało się dostarczyć:\n\nann@client.example\nNie znaleziono: adres "
     "e-mail nie został znaleziony.\n",
     CLASS_RECIPIENT},
    {"Teslim Edilemedi: Hi", "Teslim edilemedi:\n\nann@client.example\nAdres bulunamadı.\n",
     CLASS_RECIPIENT},
    {"Kan inte leverera: Hi",
     "Leveransen misslyckades:\n\nann@client.example\nAdressen hittades "
     "inte.\n",
     CLASS_RECIPIENT},
    {"Kan ikke leveres: Hi", "Levering mislyktes:\n\nann@client.example\nPostboksen er full.\n",
     CLASS_FULL},
    {"Ei voi toimittaa: Hi", "Toimitus epäonnistui:\n\nann@client.example\nOsoitetta ei löydy.\n",
     CLASS_RECIPIENT},
    {"Nelze doručit: Hi", "Doručení se nezdařilo:\n\nann@client.example\nAdresa nebyla nalezena.\n",
     CLASS_RECIPIENT},
    {"Onbestelbaar: Hi", "Bezorging is mislukt:\n\nann@client.example\nHet postvak is vol.\n",
     CLASS_FULL},
    {"Nelivrabil: Hi", "Livrarea nu a reușit:\n\nann@client.example\nAdresa nu a fost găsită.\n",
     CLASS_RECIPIENT},
    {"Недоставено: Hi",
     "Доставянето не бе успешно:\n\nann@client.example\nАдресът не бе намерен.\n", CLASS_RECIPIENT},
    {"Không thể gửi: Hi", "Không gửi được tới:\n\nann@client.example\nKhông tìm thấy địa chỉ.\n",
     CLASS_RECIPIENT},
    {"غير قابل للتسليم: Hi", "فشل التسليم:\n\nann@client.example\nالمستخدم غير موجود\n",
     CLASS_RECIPIENT},
    {"无法送达: Hi", "未能传递:\n\nann@client.example\n找不到地址\n", CLASS_RECIPIENT},
    {"Mancata consegna",
     "Il testo non è stato consegnato a ann@client.example: la casella è piena.\n", CLASS_FULL},
    {"No se puede entregar: Hi",
     "Error de entrega:\n\nann@client.example\nNo se encontró la "
     "dirección.\n",
     CLASS_RECIPIENT},
    {"Message blocked", "Your letter to ann@client.example was blocked: spam score 9\n",
     CLASS_SPAM},
};

static void test_notices(void **state)
{
    (void)state;
    struct rulebook *book = real_rules();
    for (size_t i = 0; i < TIDE_COUNT(notices); i++) {
        struct tide_error err = {0};
        struct arena a = {0};
        struct bounce b;
        const char *mail =
            arena_printf(&a,
                         "Return-Path: <>\nFrom: postmaster@mx.example\nTo: news@app.example\n"
                         "Subject: %s\nMIME-Version: 1.0\nContent-Type: text/plain; "
                         "charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n%s",
                         notices[i].subject, notices[i].body);
        T_TRUE(mail != NULL, "memory");
        T_OK(bounce_read(text_of(mail), book, NULL, &a, &b, &err), &err, "%s", notices[i].subject);
        T_STR(bounce_kind_name(b.kind), "report", "%s", notices[i].subject);
        T_EQ(b.recipient_count, 1, "%s", notices[i].subject);
        T_TEXT(b.recipients[0].address, "ann@client.example", "%s", notices[i].subject);
        T_STR(reply_class_name(b.recipients[0].meaning.class), reply_class_name(notices[i].class),
              "%s", notices[i].subject);
        arena_fini(&a);
    }
    rulebook_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mails),
                                       cmocka_unit_test(test_notices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
