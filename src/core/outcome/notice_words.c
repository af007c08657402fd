/* The words that tell what became of a mail, and addresses within a text. */
#include "core/outcome/notice.h"

#include "base/macros.h"

#define HAS(t, list) text_ihas((t), (list), TIDE_COUNT(list))

/* What leads to the addresses that failed. */
static const char *const failure_words[] = {
    "not be delivered",
    "not deliver",
    "could not be",
    "undeliver",
    "delivery failed",
    "failed to deliver",
    "unable to deliver",
    "unable to be delivered",
    "delivery to the",
    "not reach",
    "was not",
    "were not",
    "wasn't delivered",
    "couldn't be",
    "returned",
    "fatal error",
    "permanent",
    "rejected",
    "failure",
    "failed",
    "not been delivered",
    "can't be delivered",
    "cannot be delivered",
    "cannot deliver",
    "errors occurred",
    "had problems",
    "not received",
    "non remis",
    "nicht zugestellt",
    "no se pudo",
    "impossible",
    "the following address",
    "following recipient",
    "unknown user",
    "user unknown",
    "unknown recipient",
    "no such user",
    "does not exist",
    "mailbox full",
    "mailbox is full",
    "over quota",
    "did not reach",
    "bounced",
    "konnte nicht",
    "delivery error",
    "unsuccessful",
    "host unknown",
    "not found",
    "is not a",
    "delivery of",
    "this address",
    "postponed",
    "could not deliver",
    "cannot send",
    "pas pu",
    "n'a pu",
    "ne peut",
    "nicht zustell",
    "no pudo",
    "no se ha podido",
    "non e' stato",
    "non è stat",
    "não pôde",
    "не достав",
    "isn't",
    "送信でき",
    "配信でき",
    "失敗",
    "失败",
    "无法",
    "unable to accept",
    "problem",
    "refused",
    "delivery of this",
    "zustellung",
    "unzustellbar",
    "onbestelbaar",
    "niet worden",
    "kon niet",
    "chec de la remise",
    "no ha podido",
    "no pudo",
    "devuelto",
    "falha",
    "o foi poss",
    "o foi entregue",
    "devolvid",
    "mancata consegna",
    "impossibile",
    "non recapitat",
    "nie dostarczon",
    "niedostarczon",
    "nie mog",
    "nedoru",
    "kunde inte",
    "olevererbart",
    "iletilemedi",
    "teslim edilemedi",
    "может быть достав",
    "недоставлен",
    "удалось достав",
    "евозможно",
    "退信",
    "退回",
    "未能",
    "無法",
    "失敗",
    "不存在",
    "届けられ",
    "届きません",
    "配信不能",
    "エラー",
    "반송",
    "실패",
    "못했",
    "존재하지",
    "was blocked",
    "been blocked",
    "nie powiod",
    "nie uda",
    "kan inte lever",
    "kan ikke lever",
    "misslyckades",
    "mislykkedes",
    "mislyktes",
    "inte levereras",
    "ikke leveres",
    "ei voi toimit",
    "onnistunut",
    "onnistui",
    "toimittaa",
    "nezda",
    "nelze doru",
    "nepoda",
    "zlyhal",
    "nedoru",
    "nem siker",
    "nem lehet",
    "sikertelen",
    "zbes",
    "mislukt",
    "afgeleverd",
    "nu a reu",
    "nu a putut",
    "nelivr",
    "nije uspje",
    "nije uspe",
    "nije ispor",
    "ni bilo mogo",
    "nepavyko",
    "neizdev",
    "nurjus",
    "gagal",
    "απέτυχε",
    "δεν ήταν δυνατή",
    "вдалося достав",
    "не достав",
    "бе успешно",
    "не бе достав",
    "không thể gửi",
    "không gửi được",
    "thất bại",
    "ล้มเหลว",
    "ไม่สามารถส่ง",
    "فشل",
    "تعذر",
    "נכשל",
    "לא ניתן",
    "error de entrega",
    "error al entregar",
    "no pudo ser",
    "no fue entregado",
    "no se entreg",
    "stato consegnato",
    "stato recapitato",
    "n'a pu",
    "erreur lors",
};

static const char *const delay_words[] = {
    "delivery to the following recipients has been delayed",
    "has been delayed",
    "is delayed",
    "delivery delayed",
    "delivery delay",
    "delayed mail",
    "temporarily undeliver",
    "warning message only",
    "warning only",
    "not yet been delivered",
    "has not yet",
    "not been able to deliver",
    "have not been able to",
    "will keep trying",
    "will continue to",
    "will be retried",
    "will retry",
    "still trying",
    "still being",
    "being retried",
    "do not need to resend",
    "don't need to resend",
    "not yet delivered",
    "could not be delivered for the last",
    "will try again",
    "will try for",
    "postponed",
    "continue to try",
    "will be made to deliver",
    "advisory-only",
    "delivery attempts will continue",
};

/* Says for good, whatever stands beside it. */
static const char *const final_words[] = {
    "giving up",           "gave up",
    "i've given up",       "permanent fatal",
    "permanent error",     "failed permanently",
    "permanent failure",   "deleted from queue",
    "will not be retried", "not be retried",
    "delivery has failed", "no further attempts",
    "been returned",
};

static const char *const delivery_words[] = {
    "successfully delivered", "was successfully relayed", "successful delivery",
    "delivery successful",    "successfully relayed",     "message was delivered to",
    "has been delivered to",
};

enum notice_tone notice_tone_of(struct text said)
{
    bool delayed = HAS(said, delay_words);
    if (delayed && !HAS(said, final_words))
        return NOTICE_DELAY;
    if (HAS(said, delivery_words) && !HAS(said, final_words))
        return NOTICE_DELIVERY;
    return delayed || HAS(said, failure_words) ? NOTICE_FAILURE : NOTICE_PLAIN;
}

bool notice_leads(struct text line)
{
    return HAS(line, failure_words);
}

/* -- Addresses --------------------------------------------------------------------------------- */

static bool in_local(char c)
{
    return ascii_is_alnum(c) || (c & 0x80) || (c && strchr("._+-=/%!#$&*?^`{|}~'", c));
}

static bool in_domain(char c)
{
    return ascii_is_alnum(c) || (c & 0x80) || c == '.' || c == '-';
}

/* Where a quoted local part that ends before `at` begins; `at` when there is none. */
static size_t quoted_start(struct text t, size_t at)
{
    for (size_t i = at - 1; i > 0 && at - i < 70; i--)
        if (t.p[i - 1] == '"')
            return i - 1;
    return at;
}

/* Chinese, Japanese and Korean text leaves no blank before and behind an address: three bytes from
 * U+2E80 on. */
static bool is_wide(struct text t, size_t i)
{
    return i + 2 < t.n && (unsigned char)t.p[i] >= 0xE2 && (unsigned char)t.p[i] < 0xF0 &&
           (t.p[i + 1] & 0xC0) == 0x80 && (t.p[i + 2] & 0xC0) == 0x80 &&
           ((unsigned char)t.p[i] > 0xE2 || (unsigned char)t.p[i + 1] >= 0xBA);
}

/* "recipient:ann@example.com does not" without the words that touch it: of a part that has letters
 * of ASCII next to wide ones, those of ASCII. Addresses that are wide themselves stay whole, but
 * for signs such as the wide colon. */
static void without_wide(struct text t, size_t at, size_t *start, size_t *end)
{
    size_t from = *start;
    for (size_t i = *start; i < at; i++) {
        bool sign =
            is_wide(t, i) && (!memcmp(t.p + i, "\xE3\x80", 2) || (!memcmp(t.p + i, "\xEF\xBC", 2)));
        if (sign || (is_wide(t, i) && i + 3 < at && !(t.p[i + 3] & 0x80)))
            from = i + 3;
    }
    *start = from;
    for (size_t i = at + 1; i < *end; i++) {
        bool sign =
            is_wide(t, i) && (!memcmp(t.p + i, "\xE3\x80", 2) || !memcmp(t.p + i, "\xEF\xBC", 2));
        if (sign || (is_wide(t, i) && ascii_is_alnum(t.p[i - 1]))) {
            *end = i;
            break;
        }
    }
}

bool notice_address(struct text t, size_t *pos, struct text *ret)
{
    for (size_t at = *pos; at < t.n; at++) {
        if (t.p[at] != '@' || at == 0)
            continue;
        size_t start = at, end = at + 1;
        if (t.p[at - 1] == '"')
            start = quoted_start(t, at);
        else
            while (start > *pos && in_local(t.p[start - 1]) && at - start < 128)
                start--;
        while (end < t.n && in_domain(t.p[end]) && end - at < 254)
            end++;
        without_wide(t, at, &start, &end);
        while (end > at + 1 && !ascii_is_alnum(t.p[end - 1]) && !(t.p[end - 1] & 0x80))
            end--;
        while (start < at && strchr(".'`*=#", t.p[start]))
            start++; /* a quotation mark before it, a full stop of the sentence before */
        if (text_istarts(text_cut(t, start, at - start), TEXT("smtp=")))
            start += 5; /* Exchange: "c=US;a= ;p=X;SMTP=ann@example.com" */
        if (start == at || end <= at + 2 || t.p[start] == '|' || t.p[start] == '/')
            continue; /* a program or a file that mail was to go into is no address */
        *ret = (struct text){t.p + start, end - start};
        *pos = end;
        return true;
    }
    return false;
}
