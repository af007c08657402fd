/* Words in who sent a mail and in its subject that tell what it is. Those of other languages are
 * without their first letter where that may be a capital. */
#include "core/outcome/bounce_words.h"

#include "base/macros.h"

#define HAS(t, list) text_ihas((t), (list), TIDE_COUNT(list))

static const char *const daemons[] = {
    "mailer-daemon",
    "postmaster",
    "mail delivery",
    "mail-daemon",
    "maildaemon",
    "mailerdaemon",
    "mail system",
    "mail administrator",
    "mmdf",
    "uucp",
    "mailsystem",
    "mail-system",
    "delivery system",
    "delivery subsystem",
    "mdaemon",
    "mail router",
    "daemon",
    "fml-owner",
    "mail.deliver",
    "system attendant",
    "poostmaster",
};

/* Others write under these names too. */
static const char *const offices[] = {
    "bounce", "mailadmin",     "system administrator", "root@",        "mailer@",      "mta@",
    "smtp@",  "internet mail", "administrator",        "mail service", "mail-service",
};

static const char
    *const reports[] =
        {
            "undeliver",
            "delivery status",
            "delivery failure",
            "delivery fail",
            "failure notice",
            "returned mail",
            "returned to sender",
            "mail failure",
            "mail delivery",
            "delivery notif",
            "could not be delivered",
            "not delivered",
            "non remis",
            "delivery problem",
            "failed mail",
            "mail failed",
            "mail system error",
            "message delivery",
            "delivery error",
            "nondeliver",
            "non-deliver",
            "delivery has failed",
            "warning: could not",
            "warning - delayed",
            "unzustellbar",
            "nicht zustellbar",
            "error sending",
            "unable to deliver",
            "delivery warning",
            "mail could not",
            "message status",
            "not deliverable",
            "delivery report",
            "failure delivery",
            "mail error",
            "returned message",
            "return receipt",
            "mail not delivered",
            "address not found",
            "couldn't deliver",
            "delivery delay",
            "delayed mail",
            "message delayed",
            "unknown user",
            "user unknown",
            "user not known",
            "zustellung fehl" /* de */,
            "fehler bei der zustellung" /* de */,
            "onbestelbaar" /* nl */,
            "pas pu",
            "non distribu",
            "non livr",
            "chec de la remise" /* fr */,
            "chec de remise" /* fr */,
            "rebote" /* es */,
            "no se ha podido",
            "no entregado",
            "no se pudo entregar" /* es */,
            "devuelto",
            "devolvid" /* pt */,
            "falha na entrega" /* pt */,
            "falha no envio" /* pt */,
            "o foi entregue" /* pt */,
            "mancata consegna",
            "mancato recapito" /* it */,
            "non recapitat" /* it */,
            "niedostarczon" /* pl */,
            "nie dostarczon" /* pl */,
            "zwrot wiadomo" /* pl */,
            "nedoru" /* cs */,
            "olevererbart" /* sv */,
            "kan inte levereras" /* sv */,
            "teslim edilemedi" /* tr */,
            "\xD0\xBD\xD0\xB5 "
            "\xD0\xB4\xD0\xBE\xD1\x81\xD1\x82\xD0\xB0\xD0\xB2\xD0\xBB\xD0\xB5\xD0\xBD" /* ru: not
                                                                                          delivered
                                                                                        */
            ,
            "\xD0\xBD\xD0\xB5\xD0\xB4\xD0\xBE\xD1\x81\xD1\x82\xD0\xB0\xD0\xB2\xD0\xBB\xD0\xB5\xD0"
            "\xBD" /* ru */,
            "\xD0\xB4\xD0\xBE\xD1\x81\xD1\x82\xD0\xB0\xD0\xB2\xD0\xBA" /* ru: delivery */,
            "\xD0\xB5\xD0\xB2\xD0\xBE\xD0\xB7\xD0\xBC\xD0\xBE\xD0\xB6\xD0\xBD\xD0\xBE "
            "\xD0\xB4\xD0\xBE\xD1\x81\xD1\x82\xD0\xB0\xD0\xB2" /* ru */,
            "\xE9\x80\x80\xE4\xBF\xA1" /* zh: returned letter */,
            "\xE9\x80\x80\xE5\x9B\x9E" /* zh: returned */,
            "\xE6\x8A\x95\xE9\x80\x92\xE5\xA4\xB1\xE8\xB4\xA5" /* zh: delivery failed */,
            "\xE9\x80\x81\xE8\xBE\xBE" /* zh: delivered */,
            "\xE5\x8F\x91\xE9\x80\x81\xE5\xA4\xB1\xE8\xB4\xA5" /* zh: sending failed */,
            "\xE9\x80\x81\xE9\x81\x94" /* zh */,
            "\xE5\xAF\x84\xE9\x80\x81\xE5\xA4\xB1\xE6\x95\x97" /* zh */,
            "\xE9\x85\x8D\xE4\xBF\xA1" /* ja: delivery */,
            "\xE9\x80\x81\xE4\xBF\xA1\xE3\x82\xA8\xE3\x83\xA9\xE3\x83\xBC" /* ja: error in sending
                                                                            */
            ,
            "\xE9\x80\x81\xE4\xBF\xA1\xE3\x81\xA7\xE3\x81\x8D" /* ja: could not send */,
            "\xE4\xB8\x8D\xE9\x81\x94" /* ja */,
            "\xE5\x8F\x8D\xE9\x80\x81" /* ja */,
            "\xE3\x83\xA1\xE3\x83\xBC\xE3\x83\xAB\xE3\x82\xA8\xE3\x83\xA9\xE3\x83\xBC" /* ja: mail
                                                                                          error */
            ,
            "\xEB\xB0\x98\xEC\x86\xA1" /* ko: returned */,
            "\xEC\xA0\x84\xEC\x86\xA1 \xEC\x8B\xA4\xED\x8C\xA8" /* ko: sending failed */,
            "\xEB\xB0\x9C\xEC\x86\xA1 \xEC\x8B\xA4\xED\x8C\xA8" /* ko */,
            "\xEB\xB0\xB0\xEB\x8B\xAC" /* ko: delivery */,
};

/* Said of other things too. */
static const char *const failures[] = {
    "failed",
    "rejected",
    "error in",
    "delivery",
    "bounce",
    "deferred",
    "delayed",
    "undelivered",
    "notification d",
    "\xE3\x82\xA8\xE3\x83\xA9\xE3\x83\xBC" /* ja: error */,
    "\xE5\xA4\xB1\xE8\xB4\xA5" /* zh: failure */,
    "\xE5\xA4\xB1\xE6\x95\x97" /* ja, zh: failure */,
    "\xEC\x8B\xA4\xED\x8C\xA8" /* ko: failure */,
};

static const char *const aways[] = {
    "out of office",
    "out of the office",
    "autoreply",
    "auto-reply",
    "auto reply",
    "automatic reply",
    "automatic response",
    "automated reply",
    "automated response",
    "vacation",
    "on holiday",
    "away from",
    "away until",
    "on leave",
    "abwesen",
    "automatische antwort",
    "absence",
    "auto:",
    "autoresponse",
    "auto response",
    "auto-response",
    "requires verification",
    "fuera de la oficina",
    "respuesta automatica",
    "automatisch",
    "autosvar",
    "automatisk svar",
    "automaattinen",
    "otomatik yan",
    "ponse automatique" /* fr */,
    "absent du bureau" /* fr */,
    "respuesta autom" /* es */,
    "resposta autom" /* pt */,
    "fora do escrit" /* pt */,
    "risposta autom" /* it */,
    "fuori ufficio" /* it */,
    "fuori sede" /* it */,
    "afwezig" /* nl */,
    "automatyczna" /* pl */,
    "automatick" /* cs, sk */,
    "automatikus" /* hu */,
    "spuns automat" /* ro */,
    "\xD0\xB2\xD1\x82\xD0\xBE\xD0\xBE\xD1\x82\xD0\xB2\xD0\xB5\xD1\x82" /* ru */,
    "\xD0\xB2\xD1\x82\xD0\xBE\xD0\xBC\xD0\xB0\xD1\x82\xD0\xB8\xD1\x87\xD0\xB5\xD1\x81\xD0\xBA\xD0"
    "\xB8\xD0\xB9 \xD0\xBE\xD1\x82\xD0\xB2\xD0\xB5\xD1\x82" /* ru */,
    "\xE8\x87\xAA\xE5\x8A\xA8\xE5\x9B\x9E\xE5\xA4\x8D" /* zh */,
    "\xE8\x87\xAA\xE5\x8A\xA8\xE7\xAD\x94\xE5\xA4\x8D" /* zh */,
    "\xE8\x87\xAA\xE5\x8B\x95\xE5\x9B\x9E\xE8\xA6\x86" /* zh */,
    "\xE8\x87\xAA\xE5\x8B\x95\xE5\xBF\x9C\xE7\xAD\x94" /* ja */,
    "\xE8\x87\xAA\xE5\x8B\x95\xE8\xBF\x94\xE4\xBF\xA1" /* ja */,
    "\xE4\xB8\x8D\xE5\x9C\xA8\xE9\x80\x9A\xE7\x9F\xA5" /* ja */,
    "\xEC\x9E\x90\xEB\x8F\x99\xEC\x9D\x91\xEB\x8B\xB5" /* ko */,
    "\xEC\x9E\x90\xEB\x8F\x99 \xEC\x9D\x91\xEB\x8B\xB5" /* ko */,
    "\xEC\x9E\x90\xEB\x8F\x99\xED\x9A\x8C\xEC\x8B\xA0" /* ko */,
    "\xEC\x9E\x90\xEB\x8F\x99 \xED\x9A\x8C\xEC\x8B\xA0" /* ko */,
    "\xEB\xB6\x80\xEC\x9E\xAC\xEC\xA4\x91" /* ko */,
};

enum bounce_sender bounce_sender_of(struct text from)
{
    return HAS(from, daemons) ? SENDER_DAEMON : HAS(from, offices) ? SENDER_OFFICE : SENDER_ANYBODY;
}

enum bounce_subject bounce_subject_of(struct text subject)
{
    return HAS(subject, reports)    ? SUBJECT_REPORT
           : HAS(subject, failures) ? SUBJECT_FAILURE
                                    : SUBJECT_OTHER;
}

bool bounce_subject_is_away(struct text subject)
{
    return HAS(subject, aways);
}
