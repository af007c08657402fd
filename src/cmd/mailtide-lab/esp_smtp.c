/* The ESP's submission door. */
#include "cmd/mailtide-lab/esp_api.h"

#include "base/macros.h"

#include <stdlib.h>

#define MESSAGE_BYTES_MAX  (30 << 20)
#define RECIPIENTS_MAX     1000
#define CONNECTIONS_MAX    1000
#define COMMAND_TIMEOUT_MS (5 * 60 * 1000)

/* One that hangs, or may. */
struct esp_client {
    struct list node;
    struct smtp_session *session;
};

static void answer(struct smtp_session *s, int code, int b, int c, const char *text)
{
    struct reply r;
    reply_set(&r, code, (int[]){code / 100, b, c}, "%s", text);
    smtp_session_answer(s, &r);
}

static bool on_open(struct smtp_session *s,
                    struct smtp_server_options *options,
                    struct reply *refusal)
{
    struct esp *e = smtp_session_arg(s);
    struct esp_client *client = calloc(1, sizeof *client);
    options->hostname = e->def->hostname;
    options->auth_without_tls = true;
    options->auth_required = true;
    options->message_bytes_max = MESSAGE_BYTES_MAX;
    options->recipients_max = RECIPIENTS_MAX;
    if (!client) {
        reply_set(refusal, 421, (int[]){4, 3, 0}, "Out of memory");
        return false;
    }
    list_init(&client->node);
    client->session = s;
    smtp_session_set_data(s, client);
    return true;
}

static void on_closed(struct smtp_session *s)
{
    struct esp_client *client = smtp_session_data(s);
    if (client)
        list_remove(&client->node);
    free(client);
}

static void on_auth(struct smtp_session *s, const struct smtp_credentials *c)
{
    const struct lab_esp *def = ((struct esp *)smtp_session_arg(s))->def;
    if (text_eq(c->user, text_of(def->user)) && text_eq(c->password, text_of(def->password)))
        answer(s, 235, 7, 0, "Authentication successful");
    else
        answer(s, 535, 7, 8, "Authentication failed: Bad username / password");
}

static struct meter_subject subject_of(struct smtp_session *s,
                                       struct text sender,
                                       struct text mailbox)
{
    return (struct meter_subject){.ip = meter_ip(text_of(smtp_session_peer(s))),
                                  .helo = text_of(smtp_session_server(s)->helo),
                                  .sender = sender,
                                  .mailbox = mailbox};
}

static void on_mail(struct smtp_session *s, const struct smtp_mail *mail)
{
    struct esp *e = smtp_session_arg(s);
    const struct meter_subject who = subject_of(s, mail->sender, TEXT(""));
    const struct lab_limit *limit;
    if (esp_take_fault(e, ESP_FAULT_BUSY))
        answer(s, 421, 3, 2, "Service not available, closing transmission channel");
    else if (esp_take_fault(e, ESP_FAULT_REFUSE))
        answer(s, 550, 7, 1, "The from address does not match a verified Sender Identity");
    else if ((limit = meters_ask(&e->meters, LAB_MAIL, &who, clock_wall(e->parts.clock))))
        smtp_session_answer(s, &limit->reply);
    else
        answer(s, 250, 1, 0, "Sender address accepted");
}

static void on_rcpt(struct smtp_session *s,
                    const struct smtp_mail *mail,
                    const struct smtp_recipient *recipient)
{
    struct esp *e = smtp_session_arg(s);
    const struct meter_subject who = subject_of(s, mail->sender, recipient->address);
    const struct lab_limit *limit =
        meters_ask(&e->meters, LAB_RCPT, &who, clock_wall(e->parts.clock));
    if (limit)
        smtp_session_answer(s, &limit->reply);
    else
        answer(s, 250, 1, 5, "Recipient address accepted");
}

/* What the limits say of the whole message; NULL: they take it. */
static const struct lab_limit *ask_limits(struct esp *e,
                                          struct smtp_session *s,
                                          const struct smtp_mail *mail)
{
    tide_wall_ms now = clock_wall(e->parts.clock);
    const struct lab_limit *limit = NULL;
    for (size_t i = 0; i < mail->recipient_count && !limit; i++) {
        const struct meter_subject who = subject_of(s, mail->sender, mail->recipients[i].address);
        limit = meters_ask(&e->meters, LAB_DATA, &who, now);
        if (!limit)
            limit = meters_take(&e->meters, &who, now);
    }
    return limit;
}

static enum tide_err submit_all(struct esp *e, const struct smtp_mail *mail, int64_t *ret_id)
{
    struct tide_error err;
    struct arena a = {0};
    struct json *doc = NULL;
    struct lab_mail args = {0};
    enum tide_err rc = TIDE_OK;
    lab_read_smtp_args(e, buf_text(&mail->message), &a, &args, &doc);
    for (size_t i = 0; i < mail->recipient_count && rc == TIDE_OK; i++)
        rc = esp_submit(e,
                        &(struct esp_given){.sender = mail->sender,
                                            .recipient = mail->recipients[i].address,
                                            .message = buf_text(&mail->message),
                                            .custom = args.custom,
                                            .custom_count = args.custom_count},
                        ret_id, &err);
    json_free(doc);
    arena_fini(&a);
    return rc;
}

static void on_message(struct smtp_session *s, const struct smtp_mail *mail)
{
    struct esp *e = smtp_session_arg(s);
    struct esp_client *client = smtp_session_data(s);
    struct reply r = {0};
    int64_t id = 0;
    const struct lab_limit *limit = ask_limits(e, s, mail);
    if (limit) {
        smtp_session_answer(s, &limit->reply);
    } else if (client && esp_take_fault(e, ESP_FAULT_HANG)) {
        list_append(&e->hung, &client->node);
    } else if (esp_take_fault(e, ESP_FAULT_CLOSE_LOST)) {
        smtp_session_answer(s, &r); /* code 0: closed without a word */
    } else if (submit_all(e, mail, &id) != TIDE_OK) {
        answer(s, 452, 3, 0, "Out of memory");
    } else if (esp_take_fault(e, ESP_FAULT_CLOSE_KEPT)) {
        smtp_session_answer(s, &r);
    } else {
        reply_set(&r, 250, (int[]){2, 0, 0}, "Ok: queued as %s-%lld", e->def->name, (long long)id);
        smtp_session_answer(s, &r);
    }
}

void esp_smtp_unhang(struct esp *e)
{
    for (struct list *node; (node = list_take_first(&e->hung));)
        answer(container_of(node, struct esp_client, node)->session, 421, 3, 2,
               "Service not available, closing transmission channel");
}

enum tide_err esp_smtp_open(struct esp *e, struct tide_error *err)
{
    static const struct smtp_service_ops ops = {.open = on_open,
                                                .auth = on_auth,
                                                .mail = on_mail,
                                                .rcpt = on_rcpt,
                                                .message = on_message,
                                                .closed = on_closed};
    const struct smtp_service_options options = {.ops = &ops,
                                                 .arg = e,
                                                 .connections_max = CONNECTIONS_MAX,
                                                 .command_timeout_ms = COMMAND_TIMEOUT_MS,
                                                 .data_timeout_ms = COMMAND_TIMEOUT_MS};
    enum tide_err rc = smtp_service_open(e->parts.loop, &options, &e->smtp, err);
    if (rc == TIDE_OK)
        rc = smtp_service_listen(e->smtp, (const char *const[]){e->def->smtp_listen}, 1, err);
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "smtp");
}

const char *esp_smtp_name(const struct esp *e, char *out, size_t size)
{
    return smtp_service_name(e->smtp, e->def->smtp_listen, out, size);
}
