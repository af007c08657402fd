#include "core/esp/send_ask.h"

#include "base/macros.h"
#include "core/esp/events_fields.h"
#include "core/esp/send_fields.h"

#define FOUND_MAX "25" /* of one page */

/* What an API is asked, and where its answer has the mails. */
struct ask_api {
    const struct send_api *api;
    enum tide_err (*path)(const struct send_mail *mail,
                          const struct send_request *built,
                          struct buf *ret,
                          struct tide_error *err);
    const char *list, *id; /* members: their array, and what the ESP calls one of them */
    bool (*is_it)(const struct json *one, const struct send_mail *mail, struct arena *a);
};

/* -- Postmark -----------------------------------------------------------------------------------
 */

/* Without a stream it looks into "outbound" alone. */
static enum tide_err postmark_path(const struct send_mail *mail,
                                   const struct send_request *built,
                                   struct buf *ret,
                                   struct tide_error *err)
{
    char id[ID_TEXT_BYTES];
    struct arena a = {0};
    struct message m;
    (void)built;
    enum tide_err rc = message_open(mail->message, &m, err);
    if (rc != TIDE_OK)
        return rc;
    buf_addf(ret, "/messages/outbound?count=" FOUND_MAX "&metadata_" SEND_ID_NAME "=%s&offset=0",
             id_text(mail->attempt_id, id));
    struct text stream = send_postmark_stream(mail, &m, &a);
    if (stream.n > 0) {
        buf_adds(ret, "&messagestream=");
        buf_add_escaped(ret, stream, "");
    }
    arena_fini(&a);
    return TIDE_OK;
}

static bool is_in_metadata(const struct json *one, const struct send_mail *mail, struct arena *a)
{
    return events_attempt(json_member(one, "Metadata"), a) == mail->attempt_id;
}

/* -- SendGrid -----------------------------------------------------------------------------------
 */

static enum tide_err sendgrid_path(const struct send_mail *mail,
                                   const struct send_request *built,
                                   struct buf *ret,
                                   struct tide_error *err)
{
    char id[ID_TEXT_BYTES];
    struct buf query = {0};
    (void)built;
    buf_addf(&query, "(unique_args['" SEND_ID_NAME "']=\"%s\")", id_text(mail->attempt_id, id));
    buf_adds(ret, "/v3/messages?limit=" FOUND_MAX "&query=");
    buf_add_escaped(ret, buf_text(&query), "");
    enum tide_err rc = buf_check(&query, err);
    buf_fini(&query);
    return rc;
}

static bool is_to_recipient(const struct json *one, const struct send_mail *mail, struct arena *a)
{
    return text_ieq(events_text(one, "to_email", a), mail->recipient);
}

/* -- Mailgun ------------------------------------------------------------------------------------
 */

/* Beside what the mail was posted to: "/v3/DOMAIN/messages.mime". */
static enum tide_err mailgun_path(const struct send_mail *mail,
                                  const struct send_request *built,
                                  struct buf *ret,
                                  struct tide_error *err)
{
    size_t end = built->path.n;
    (void)err;
    while (end > 0 && built->path.p[end - 1] != '/')
        end--;
    buf_add_text(ret, text_cut(built->path, 0, end));
    buf_adds(ret, "events?event=accepted&limit=" FOUND_MAX "&recipient=");
    buf_add_escaped(ret, mail->recipient, "");
    return TIDE_OK;
}

static bool is_in_variables(const struct json *one, const struct send_mail *mail, struct arena *a)
{
    return events_attempt(json_member(one, "user-variables"), a) == mail->attempt_id;
}

/* -- All of them --------------------------------------------------------------------------------
 */

static const struct ask_api asks[] = {
    {&send_postmark, postmark_path, "Messages", "MessageID", is_in_metadata},
    {&send_sendgrid, sendgrid_path, "messages", "msg_id", is_to_recipient},
    {&send_mailgun, mailgun_path, "items", "id", is_in_variables},
};

static const struct ask_api *find(const struct send_api *api)
{
    for (size_t i = 0; i < TIDE_COUNT(asks); i++)
        if (asks[i].api == api)
            return &asks[i];
    return NULL;
}

bool send_ask_can(const struct send_api *api)
{
    return find(api) != NULL;
}

enum tide_err send_ask_build(const struct send_api *api,
                             const struct send_mail *mail,
                             const struct send_request *built,
                             struct arena *a,
                             struct send_request *ret,
                             struct tide_error *err)
{
    struct buf path = {0};
    *ret = (struct send_request){0};
    enum tide_err rc = find(api)->path(mail, built, &path, err);
    if (rc == TIDE_OK)
        rc = buf_check(&path, err);
    if (rc == TIDE_OK)
        ret->path = arena_text(a, buf_text(&path));
    buf_fini(&path);
    if (rc == TIDE_OK && !ret->path.p)
        rc = tide_fail(err, TIDE_ENOMEM, "out of memory for a request");
    for (size_t i = 0; rc == TIDE_OK && i < built->header_count; i++)
        if (!text_ieq(text_of(built->headers[i].name), TEXT("Content-Type")))
            send_add_header(ret, built->headers[i].name, built->headers[i].value);
    return rc;
}

/* The answer has the form that the API documents. */
static enum send_found read_list(const struct ask_api *ask,
                                 const struct send_mail *mail,
                                 const struct json *list,
                                 struct send_said *ret)
{
    struct arena a = {0};
    enum send_found found = SEND_NOT_FOUND;
    for (size_t i = 0; found != SEND_FOUND && i < json_count(list); i++) {
        const struct json *one = json_element(list, i);
        struct send_words w = {.meaning = SEND_TAKEN, .id = events_text(one, ask->id, &a)};
        const struct send_answer answer = {.status = 200};
        if (w.id.n == 0 || !ask->is_it(one, mail, &a))
            continue;
        send_say(ask->api, &answer, &w, ret);
        found = SEND_FOUND;
    }
    arena_fini(&a);
    return found;
}

enum send_found send_ask_read(const struct send_api *api,
                              const struct send_mail *mail,
                              int status,
                              struct text body,
                              struct send_said *ret)
{
    const struct ask_api *ask = find(api);
    struct json *doc = NULL;
    if (status == 429 || status >= 500)
        return SEND_ASK_LATER;
    if (status != 200 || json_parse(body, SEND_ASK_ANSWER_MAX, &doc, NULL) != TIDE_OK)
        return SEND_CANNOT_TELL;
    const struct json *list = events_list(doc, ask->list);
    enum send_found found = list ? read_list(ask, mail, list, ret) : SEND_CANNOT_TELL;
    json_free(doc);
    return found;
}
