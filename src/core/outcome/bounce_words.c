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

static const char *const reports[] = {
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
    "zustellung fehl",
    "fehler bei der zustellung",
    "onbestelbaar",
    "pas pu",
    "non distribu",
    "non livr",
    "chec de la remise",
    "chec de remise",
    "rebote",
    "no se ha podido",
    "no entregado",
    "no se pudo entregar",
    "devuelto",
    "devolvid",
    "falha na entrega",
    "falha no envio",
    "o foi entregue",
    "mancata consegna",
    "mancato recapito",
    "non recapitat",
    "niedostarczon",
    "nie dostarczon",
    "zwrot wiadomo",
    "nedoru",
    "olevererbart",
    "kan inte levereras",
    "teslim edilemedi",
    "не доставлен",
    "недоставлен",
    "доставк",
    "евозможно достав",
    "退信",
    "退回",
    "投递失败",
    "送达",
    "发送失败",
    "送達",
    "寄送失敗",
    "配信",
    "送信エラー",
    "送信でき",
    "不達",
    "反送",
    "メールエラー",
    "반송",
    "전송 실패",
    "발송 실패",
    "배달",
};

/* Said of other things too. */
static const char *const failures[] = {
    "failed",      "rejected",       "error in", "delivery", "bounce", "deferred", "delayed",
    "undelivered", "notification d", "エラー",   "失败",     "失敗",   "실패",
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
    "ponse automatique",
    "absent du bureau",
    "respuesta autom",
    "resposta autom",
    "fora do escrit",
    "risposta autom",
    "fuori ufficio",
    "fuori sede",
    "afwezig",
    "automatyczna",
    "automatick",
    "automatikus",
    "spuns automat",
    "втоответ",
    "втоматический ответ",
    "自动回复",
    "自动答复",
    "自動回覆",
    "自動応答",
    "自動返信",
    "不在通知",
    "자동응답",
    "자동 응답",
    "자동회신",
    "자동 회신",
    "부재중",
};

enum bounce_sender bounce_sender_of(struct text from)
{
    if (text_eq(text_trim(from), TEXT("<>")))
        return SENDER_DAEMON;
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
