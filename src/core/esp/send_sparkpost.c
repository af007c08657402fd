/* SparkPost, POST /api/v1/transmissions, behind.
 *
 *   fields   recipients (one), content.email_rfc822: the message as it is, metadata
 *   answer   200 {"results":{"total_accepted_recipients":1,"id"}}
 *   errors   {"errors":[{"message","description","code"}]}; 420 is a limit of the account
 *   Known gap a message with bytes that are no UTF-8 cannot stand in JSON and is refused
 */
#include "core/esp/send_fields.h"

static enum tide_err build(const struct send_mail *mail,
                           struct arena *a,
                           struct send_request *ret,
                           struct tide_error *err)
{
    struct json_writer w;
    (void)a;
    if (!text_is_utf8(mail->message))
        return tide_fail(err, TIDE_EINVAL, "it has bytes that are not UTF-8");
    ret->path = TEXT("/api/v1/transmissions");
    send_add_header(ret, "Authorization", mail->key);
    send_add_header(ret, "Content-Type", TEXT("application/json"));
    jw_init(&w, &ret->body);
    jw_object(&w, NULL);
    jw_array(&w, "recipients");
    jw_object(&w, NULL);
    jw_object(&w, "address");
    jw_text(&w, "email", mail->recipient);
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    jw_object(&w, "content");
    jw_text(&w, "email_rfc822", mail->message);
    jw_end(&w);
    jw_object(&w, "metadata");
    send_put_id(&w, SEND_ID_NAME, mail->attempt_id);
    jw_end(&w);
    jw_end(&w);
    return buf_check(&ret->body, err);
}

static void read_answer(const struct send_answer *answer,
                        const struct json *doc,
                        struct send_words *w)
{
    const struct json *results = json_member(doc, "results");
    const struct json *error = json_element(json_member(doc, "errors"), 0);
    int64_t accepted;
    (void)answer;
    w->id = json_string_text(json_member(results, "id"));
    w->code = json_string_text(json_member(error, "code"));
    w->words = json_string_text(json_member(error, "description"));
    if (w->words.n == 0)
        w->words = json_string_text(json_member(error, "message"));
    if (w->meaning == SEND_TAKEN &&
        json_int(json_member(results, "total_accepted_recipients"), &accepted) && accepted == 0) {
        w->meaning = SEND_MAIL;
        w->words = TEXT("it accepted no recipient");
    }
}

const struct send_api send_sparkpost = {
    .name = "sparkpost",
    .title = "SparkPost",
    .build = build,
    .read = read_answer,
};
