/* SNS between SES and the webhook, from its documentation: signed envelopes, the certificate that
 * they are signed with, and subscriptions:
 *
 *   webhook is set --> SubscriptionConfirmation --GET SubscribeURL--> subscribed: events are told
 *   GET UnsubscribeURL --> UnsubscribeConfirmation, no more is told
 *
 * Without webhook_confirm the subscription was confirmed before the world began. What happens while
 * nobody is subscribed is told to nobody.
 */
#include "cmd/mailtide-lab/esp_api.h"

#include <inttypes.h>
#include <stdio.h>

#define HOST        "https://sns.us-east-1.amazonaws.com/"
#define CERTIFICATE "SimpleNotificationService-lab.pem"
#define TOKEN       "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92"

/* What stands in an envelope beside its type. */
struct envelope {
    const char *type;
    struct text message;
    char id[80], at[TIME_TEXT_BYTES], subscribe[500];
};

static bool is_notification(const struct envelope *v)
{
    return strcmp(v->type, "Notification") == 0;
}

/* SNS signs name and value of these members, a line each. */
static void sign(const struct esp *e, const struct envelope *v, struct buf *ret)
{
    struct buf t = {0};
    buf_addf(&t, "Message\n" TEXT_FMT "\nMessageId\n%s\n", TEXT_ARG(v->message), v->id);
    if (!is_notification(v))
        buf_addf(&t, "SubscribeURL\n%s\n", v->subscribe);
    buf_addf(&t, "Timestamp\n%s\n", v->at);
    if (!is_notification(v))
        buf_adds(&t, "Token\n" TOKEN "\n");
    buf_addf(&t, "TopicArn\n%s\nType\n%s\n", e->def->webhook_topic, v->type);
    signer_sign(e->signer, buf_text(&t), ret);
    buf_fini(&t);
}

void lab_sns_write(struct esp *e, const char *type, struct text message, struct lab_post *p)
{
    struct envelope v = {.type = type, .message = message};
    struct buf signature = {0};
    char stop[600];
    snprintf(v.id, sizeof v.id, "00000000-0000-4000-a000-%012" PRId64, ++e->sns_written);
    time_rfc3339(clock_wall(e->parts.clock), 0, v.at);
    snprintf(v.subscribe, sizeof v.subscribe,
             HOST "?Action=ConfirmSubscription&TopicArn=%s&Token=" TOKEN, e->def->webhook_topic);
    snprintf(stop, sizeof stop, HOST "?Action=Unsubscribe&SubscriptionArn=%s:1",
             e->def->webhook_topic);
    sign(e, &v, &signature);
    jw_init(&p->w, &p->body);
    jw_object(&p->w, NULL);
    jw_str(&p->w, "Type", type);
    jw_str(&p->w, "MessageId", v.id);
    if (!is_notification(&v))
        jw_str(&p->w, "Token", TOKEN);
    jw_str(&p->w, "TopicArn", e->def->webhook_topic);
    jw_text(&p->w, "Message", message);
    jw_str(&p->w, is_notification(&v) ? "UnsubscribeURL" : "SubscribeURL",
           is_notification(&v) ? stop : v.subscribe);
    jw_str(&p->w, "Timestamp", v.at);
    jw_str(&p->w, "SignatureVersion", "2");
    jw_text(&p->w, "Signature", buf_text(&signature));
    jw_str(&p->w, "SigningCertURL", HOST CERTIFICATE);
    jw_end(&p->w);
    p->type = "text/plain; charset=UTF-8";
    lab_post_header(p, "x-amz-sns-message-type", "%s", type);
    lab_post_header(p, "x-amz-sns-message-id", "%s", v.id);
    lab_post_header(p, "x-amz-sns-topic-arn", "%s", e->def->webhook_topic);
    buf_fini(&signature);
}

static void post(struct esp *e, const char *type, struct text message)
{
    struct lab_post p = {0};
    if (!e->webhook)
        return;
    lab_sns_write(e, type, message, &p);
    lab_post(e, &p, 1);
}

void lab_sns_subscribe(struct esp *e)
{
    e->subscribed = !e->def->webhook_confirm;
    if (!e->subscribed)
        post(e, "SubscriptionConfirmation",
             TEXT("You have chosen to subscribe to the topic. To confirm the subscription, visit "
                  "the SubscribeURL included in this message."));
}

/* -- Requests ----------------------------------------------------------------------------------
 */

bool lab_sns_is(struct lab_ask *a)
{
    return lab_is(a, "GET", "/" CERTIFICATE) || lab_is(a, "GET", "/");
}

static void confirm(struct lab_ask *a)
{
    struct esp *e = a->esp;
    if (!text_eq(http_query(a->req, "Token"), TEXT(TOKEN)) ||
        !text_eq(http_query(a->req, "TopicArn"), text_of(e->def->webhook_topic))) {
        lab_words(a, 400, "text/xml",
                  "<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>");
        return;
    }
    e->subscribed = true;
    lab_words(a, 200, "text/xml",
              "<ConfirmSubscriptionResponse><ConfirmSubscriptionResult/>"
              "</ConfirmSubscriptionResponse>");
    post(e, "Notification",
         TEXT("Successfully validated SNS topic for Amazon SES event publishing."));
}

void lab_sns_serve(struct lab_ask *a)
{
    a->esp->sns_asked++;
    if (lab_is(a, "GET", "/" CERTIFICATE)) {
        signer_certificate(a->esp->signer, &a->body);
        a->status = 200;
        a->type = "binary/octet-stream";
    } else if (text_eq(http_query(a->req, "Action"), TEXT("ConfirmSubscription"))) {
        confirm(a);
    } else if (text_eq(http_query(a->req, "Action"), TEXT("Unsubscribe"))) {
        a->esp->subscribed = false;
        lab_words(a, 200, "text/xml", "<UnsubscribeResponse/>");
        post(a->esp, "UnsubscribeConfirmation",
             TEXT("You have chosen to deactivate the subscription."));
    }
}
