/* Amazon SES in front, API v2 and the query API: what is handed in and what is answered. */
#include "lib/check.h"
#include "lib/esp_cases.h"

#define V2   "/v2/email/outbound-emails"
#define BULK "/v2/email/outbound-bulk-emails"
#define FORM "application/x-www-form-urlencoded; charset=utf-8"
#define FROM "\"FromEmailAddress\":\"Sender <n@s.example>\""
#define SIMPLE                                                                    \
    "\"Content\":{\"Simple\":{\"Subject\":{\"Data\":\"Hi\"},\"Body\":{\"Text\":{" \
    "\"Data\":\"hi\"}}}}"
#define MAIL(to, more)      "{" FROM ",\"Destination\":{\"ToAddresses\":[" to "]}," SIMPLE more "}"
#define ID1                 "00000000-0000-8000-8100-6d61696c7469"
#define ID2                 "00000000-0000-8000-8200-6d61696c7469"
#define HEAD                "Content-Type: application/json\nx-amzn-RequestId: 00112233445566778899aabbccddeeff\n"
#define ERROR(status, type) #status "\n" HEAD "x-amzn-ErrorType: " type "\n\n{\"message\":\""
#define XML_HEAD            "Content-Type: text/xml\nx-amzn-RequestId: 00112233445566778899aabbccddeeff\n\n"
#define SEND                "Action=SendEmail&Version=2010-12-01&Source=n@s.example&"
#define RAW                 "Action=SendRawEmail&RawMessage.Data="
#define MANY                "Action=SendBulkTemplatedEmail&Source=n%40s.example&Template=T&"
#define TO(n, local) \
    "Destinations.member." n ".Destination.ToAddresses.member.1=" local "%40b.example"

/* From: n@s.example, To: "A, B" <a@b.example>,\n c@b.example, Bcc: d@b.example,
 * X-SES-CONFIGURATION-SET: comments, Subject: x */
#define RAW_BASE64                                                                                 \
    "RnJvbTogbkBzLmV4YW1wbGUKVG86ICJBLCBCIiA8YUBiLmV4YW1wbGU+LAogY0BiLmV4YW1wbGUKQmNjOiBkQGIuZXhh" \
    "bXBsZQpYLVNFUy1DT05GSUdVUkFUSU9OLVNFVDogY29tbWVudHMKU3ViamVjdDogeAoKaGkK"
#define RAW_URLENCODED                                                                             \
    "RnJvbTogbkBzLmV4YW1wbGUKVG86ICJBLCBCIiA8YUBiLmV4YW1wbGU%2BLAogY0BiLmV4YW1wbGUKQmNjOiBkQGIuZX" \
    "hhbXBsZQpYLVNFUy1DT05GSUdVUkFUSU9OLVNFVDogY29tbWVudHMKU3ViamVjdDogeAoKaGkK"

static const struct esp_case v2[] = {
    {"one",
     "POST",
     V2,
     NULL,
     MAIL("\"a@b.example\"", ""),
     {"200\n" HEAD "\n{\"MessageId\":\"" ID1 "\"}"},
     {"from: Sender<n@s.example>\nto: <a@b.example>\nsubject: Hi\ntext: hi\nhtml: \nstream: \nkey: "
      "\n",
      "composes: yes\n"}},
    {"all fields",
     "POST",
     V2,
     NULL,
     "{" FROM ",\"Destination\":{\"ToAddresses\":[\"=?UTF-8?B?SsO2cmc=?= <a@b.example>\"],"
     "\"CcAddresses\":[\"c@b.example\"],\"BccAddresses\":[\"d@b.example\"]},\"ReplyToAddresses\":"
     "[\"r@s.example\"],\"FeedbackForwardingEmailAddress\":\"f@s.example\",\"Content\":{\"Simple\":"
     "{"
     "\"Subject\":{\"Data\":\"\\u00fc\",\"Charset\":\"UTF-8\"},\"Body\":{\"Html\":{\"Data\":\"<b>\""
     "}},\"Headers\":[{\"Name\":\"X-A\",\"Value\":\"b\"}],\"Attachments\":[{\"RawContent\":"
     "\"YXR0\","
     "\"FileName\":\"a.txt\"},{\"RawContent\":\"YXR0\",\"FileName\":\"l.png\","
     "\"ContentDisposition\":"
     "\"INLINE\",\"ContentId\":\"logo\"}]}},\"EmailTags\":[{\"Name\":\"k\",\"Value\":\"security\"}]"
     ","
     "\"ConfigurationSetName\":\"other\"}",
     {"200\n"},
     {"to: Jörg<a@b.example>\ncc: <c@b.example>\nbcc: <d@b.example>\nreply-to: <r@s.example>\n"
      "subject: ü\ntext: \nhtml: <b>\nheader: X-A=b\nfile: a.txt text/plain  \"att\"\n"
      "file: l.png image/png inline logo \"att\"\nstream: security\nkey: ses/once\n",
      "composes: yes\n"},
     ESP_FINE,
     {"once"}},
    {"raw, whom its header says",
     "POST",
     V2,
     NULL,
     "{\"Content\":{\"Raw\":{\"Data\":\"" RAW_BASE64 "\"}}}",
     {"200\n"},
     {"from: <n@s.example>\nto: A, B<a@b.example>\nto: <c@b.example>\nto: <d@b.example>\n",
      "stream: comments\n",
      "message: From: n@s.example\r\nTo: \"A, B\" <a@b.example>,\r\n "
      "c@b.example\r\nBcc: d@b.example\r\nSubject: x\r\n\r\nhi\r\n"}},
    {"raw, its envelope given",
     "POST",
     V2,
     NULL,
     "{\"FromEmailAddress\":\"e@s.example\",\"Destination\":{\"ToAddresses\":[\"e@b.example\"]},"
     "\"Content\":{\"Raw\":{\"Data\":\"" RAW_BASE64 "\"}}}",
     {"200\n"},
     {"from: <e@s.example>\nto: <e@b.example>\nsubject: \n"}},
    {"template in place",
     "POST",
     V2,
     NULL,
     "{" FROM ",\"Destination\":{\"ToAddresses\":[\"a@b.example\"]},\"Content\":{\"Template\":{"
     "\"TemplateContent\":{\"Subject\":\"Hi {{n}}\",\"Text\":\"{{n}}, {{k}} "
     "{{x}}\"},\"TemplateData\""
     ":\"{\\\"n\\\":\\\"Ann\\\",\\\"k\\\":7}\"}}}",
     {"200\n"},
     {"subject: Hi Ann\ntext: Ann, 7 {{x}}\n"}},
    {"bulk",
     "POST",
     BULK,
     NULL,
     "{" FROM
     ",\"DefaultContent\":{\"Template\":{\"TemplateContent\":{\"Subject\":\"{{n}}\",\"Html\""
     ":\"{{n}} {{k}}\"},\"TemplateData\":\"{\\\"n\\\":\\\"you\\\",\\\"k\\\":\\\"all\\\"}\"}},"
     "\"BulkEmailEntries\":[{\"Destination\":{\"ToAddresses\":[\"a@b.example\"]},"
     "\"ReplacementEmailContent\":{\"ReplacementTemplate\":{\"ReplacementTemplateData\":\"{"
     "\\\"n\\\":"
     "\\\"Ann\\\"}\"}}},{\"Destination\":{\"ToAddresses\":[\"nobody\"]}},{\"Destination\":{"
     "\"ToAddresses\":[\"c@b.example\"]}}]}",
     {"200\n" HEAD "\n{\"BulkEmailEntryResults\":[{\"Status\":\"SUCCESS\",\"MessageId\":\"" ID1
      "\"},{\"Status\":\"INVALID_PARAMETER\",\"Error\":\"Illegal address: nobody\"},{\"Status\":"
      "\"SUCCESS\",\"MessageId\":\"" ID2 "\"}]}"},
     {"to: <a@b.example>\nsubject: Ann\ntext: \nhtml: Ann all\n", "key: ses/once/0\n",
      "to: <c@b.example>\nsubject: you\ntext: \nhtml: you all\n", "key: ses/once/2\n"},
     ESP_FINE,
     {"once"}},
    {"account",
     "GET",
     "/v2/email/account",
     NULL,
     "",
     {"200\n", "\"SendQuota\":{\"Max24HourSend\":1000", "\"MaxSendRate\":0.5"},
     {NULL}},

    {"no key",
     "POST",
     V2,
     NULL,
     "{}",
     {ERROR(403, "MissingAuthenticationTokenException")},
     {NULL},
     ESP_NO_KEY},
    {"bad key",
     "POST",
     V2,
     NULL,
     "{}",
     {ERROR(403, "UnrecognizedClientException")},
     {NULL},
     ESP_BAD_KEY},
    {"bad signature",
     "POST",
     V2,
     NULL,
     "{}",
     {ERROR(403, "InvalidSignatureException")},
     {NULL},
     ESP_BAD_SIGNATURE},
    {"stale",
     "POST",
     V2,
     NULL,
     "{}",
     {ERROR(403, "InvalidSignatureException") "Signature expired"},
     {NULL},
     ESP_STALE},
    {"too much",
     "POST",
     V2,
     NULL,
     "{}",
     {ERROR(429, "TooManyRequestsException")},
     {NULL},
     ESP_RATE},
    {"method", "GET", V2, NULL, "", {"404\n", "UnknownOperationException"}, {NULL}},
    {"no JSON", "POST", V2, NULL, "{", {ERROR(400, "SerializationException")}, {NULL}},
    {"not an object", "POST", V2, NULL, "[]", {ERROR(400, "SerializationException")}, {NULL}},
    {"nothing", "POST", V2, NULL, "{}", {ERROR(400, "BadRequestException")}, {NULL}},
    {"nobody",
     "POST",
     V2,
     NULL,
     "{" FROM "," SIMPLE "}",
     {ERROR(400, "BadRequestException")},
     {NULL}},
    {"bad address",
     "POST",
     V2,
     NULL,
     MAIL("\"a b@c.example\"", ""),
     {ERROR(400, "BadRequestException") "Illegal address: "},
     {NULL}},
    {"51 recipients",
     "POST",
     V2,
     NULL,
     MAIL("\"a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@"
          "b."
          "example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b."
          "exampl"
          "e,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@"
          "b."
          "example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b."
          "exampl"
          "e,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@"
          "b."
          "example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b."
          "exampl"
          "e,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example,a@b.example\"",
          ""),
     {ERROR(400, "BadRequestException") "Recipient count exceeds 50."},
     {NULL}},
    {"nodemailer's verify",
     "POST",
     V2,
     NULL,
     "{\"FromEmailAddress\":\"invalid@invalid\",\"Content\":{\"Raw\":{\"Data\":\"eA==\"}}}",
     {ERROR(400, "MessageRejected") "Email address is not verified."},
     {NULL}},
    {"may not send as",
     "POST",
     V2,
     NULL,
     "{\"FromEmailAddress\":\"n@dead.example\",\"Destination\":{\"ToAddresses\":[\"a@b.example\"]}"
     "," SIMPLE "}",
     {ERROR(400, "MessageRejected")},
     {NULL}},
    {"raw not base64",
     "POST",
     V2,
     NULL,
     "{\"Content\":{\"Raw\":{\"Data\":\"*\"}}}",
     {ERROR(400, "BadRequestException")},
     {NULL}},
    {"stored template",
     "POST",
     V2,
     NULL,
     "{" FROM ",\"Destination\":{\"ToAddresses\":[\"a@b.example\"]},\"Content\":{\"Template\":{"
     "\"TemplateName\":\"T\"}}}",
     {ERROR(404, "NotFoundException") "Template T does not exist"},
     {NULL}},
    {"template with blocks",
     "POST",
     V2,
     NULL,
     "{" FROM ",\"Destination\":{\"ToAddresses\":[\"a@b.example\"]},\"Content\":{\"Template\":{"
     "\"TemplateContent\":{\"Subject\":\"x\",\"Text\":\"{{#if x}}y{{/if}}\"}}}}",
     {ERROR(400, "BadRequestException") "Only plain {{name}}"},
     {NULL}},
    {"bulk of a stored template",
     "POST",
     BULK,
     NULL,
     "{" FROM
     ",\"DefaultContent\":{\"Template\":{\"TemplateName\":\"T\"}},\"BulkEmailEntries\":[{}]}",
     {ERROR(404, "NotFoundException")},
     {NULL}},
    {"bulk of none", "POST", BULK, NULL, "{" FROM "}", {ERROR(400, "BadRequestException")}, {NULL}},
};

static const struct esp_case v1[] = {
    {"SendEmail",
     "POST",
     "/",
     FORM,
     SEND "Destination.ToAddresses.member.1=a@b.example&Destination.CcAddresses.member.1=c%40b.exam"
          "ple&Destination.BccAddresses.member.1=d@b.example&ReplyToAddresses.member.1=r@s.example&"
          "Messag"
          "e.Subject.Data=%C3%9C&Message.Body.Text.Data=a%20%26+b&Message.Body.Html.Data=h&"
          "ReturnPath=x@s"
          ".example&Tags.member.1.Name=k&Tags.member.1.Value=comments",
     {"200\n" XML_HEAD "<SendEmailResponse xmlns=\"http://ses.amazonaws.com/doc/2010-12-01/\">\n  "
      "<SendEmailResult>\n    <MessageId>" ID1 "</MessageId>\n  </SendEmailResult>\n  "
      "<ResponseMetadata>\n    <RequestId>00112233445566778899aabbccddeeff</RequestId>\n  "
      "</ResponseMetadata>\n</SendEmailResponse>\n"},
     {"from: <n@s.example>\nto: <a@b.example>\ncc: <c@b.example>\nbcc: <d@b.example>\nreply-to: "
      "<r@s.example>\nsubject: Ü\ntext: a & b\nhtml: h\nstream: comments\nkey: ses/once\n"},
     ESP_FINE,
     {"once"}},
    {"SendRawEmail",
     "POST",
     "/",
     FORM,
     RAW RAW_URLENCODED,
     {"200\n", "<SendRawEmailResponse "},
     {"to: A, B<a@b.example>\nto: <c@b.example>\nto: <d@b.example>\n"}},
    {"SendRawEmail with Destinations",
     "POST",
     "/",
     FORM,
     RAW RAW_URLENCODED "&Destinations.member.1=e@b.example&Source=e@s.example",
     {"200\n"},
     {"from: <e@s.example>\nto: <e@b.example>\nsubject: \n"}},
    {"GetSendQuota",
     "POST",
     "/",
     FORM,
     "Action=GetSendQuota",
     {"200\n", "<SentLast24Hours>17.0</SentLast24Hours>",
      "<Max24HourSend>1000.0</Max24HourSend>\n    <MaxSendRate>0.5</MaxSendRate>"},
     {NULL}},

    {"GET is somebody else's", "GET", "/", NULL, "", {"no such path"}, {NULL}},
    {"no key",
     "POST",
     "/",
     FORM,
     "",
     {"403\n", "<Code>MissingAuthenticationToken</Code>"},
     {NULL},
     ESP_NO_KEY},
    {"bad key",
     "POST",
     "/",
     FORM,
     "",
     {"403\n", "<Code>InvalidClientTokenId</Code>"},
     {NULL},
     ESP_BAD_KEY},
    {"bad signature",
     "POST",
     "/",
     FORM,
     "",
     {"403\n", "<Code>SignatureDoesNotMatch</Code>"},
     {NULL},
     ESP_BAD_SIGNATURE},
    {"too much", "POST", "/", FORM, "", {"400\n", "<Code>Throttling</Code>"}, {NULL}, ESP_RATE},
    {"busy", "POST", "/", FORM, "", {"503\n", "<Type>Receiver</Type>"}, {NULL}, ESP_BUSY},
    {"no action", "POST", "/", FORM, "", {"400\n", "<Code>InvalidAction</Code>"}, {NULL}},
    {"other action",
     "POST",
     "/",
     FORM,
     "Action=<a>%26",
     {"400\n", "<Message>Could not find operation &lt;a&gt;&amp; for"},
     {NULL}},
    {"JSON",
     "POST",
     "/",
     "application/json",
     "{}",
     {"400\n", "<Code>MalformedInput</Code>"},
     {NULL}},
    {"nobody",
     "POST",
     "/",
     FORM,
     SEND "Message.Body.Text.Data=x",
     {"400\n", "<Code>InvalidParameterValue</Code>"},
     {NULL}},
    {"bad address",
     "POST",
     "/",
     FORM,
     SEND "Destination.ToAddresses.member.1=nobody&Message.Body.Text.Data=x",
     {"400\n", "<Code>InvalidParameterValue</Code>", "Illegal address: nobody"},
     {NULL}},
    {"bad sender, as nodemailer 6 asks to find out whether its key is good",
     "POST",
     "/",
     FORM,
     "Action=SendEmail&Source=invalid@invalid",
     {"400\n", "<Code>InvalidParameterValue</Code>"},
     {NULL}},
    {"template",
     "POST",
     "/",
     FORM,
     "Action=SendTemplatedEmail&Template=T&TemplateData={}&Source=n%40s.example"
     "&Destination.ToAddresses.member.1=a%40b.example",
     {"400\n", "<Code>TemplateDoesNotExist</Code>", "Template T does not exist"},
     {NULL}},
    {"bulk",
     "POST",
     "/",
     FORM,
     MANY "ConfigurationSetName=security&ReplyToAddresses.member.1=r%40s.example&"
          "Destinations.member.1.Destination.ToAddresses.member.1=a%40b.example&"
          "Destinations.member.3.Destination.ToAddresses.member.1=c%40b.example&"
          "Destinations.member.3.Destination.CcAddresses.member.1=d%40b.example&"
          "Destinations.member.2.Destination.ToAddresses.member.1=nobody",
     {"200\n" XML_HEAD "<SendBulkTemplatedEmailResponse xmlns=\"http://ses.amazonaws.com/doc/"
      "2010-12-01/\">\n  <SendBulkTemplatedEmailResult>\n    <Status>\n      <member>\n"
      "        <Status>Success</Status>\n        <MessageId>" ID1 "</MessageId>\n      </member>\n"
      "      <member>\n        <Status>InvalidParameterValue</Status>\n        <Error>Illegal "
      "address: nobody</Error>\n      </member>\n      <member>\n        "
      "<Status>Success</Status>\n        <MessageId>" ID2 "</MessageId>\n      </member>\n"
      "    </Status>\n  </SendBulkTemplatedEmailResult>\n  <ResponseMetadata>\n"},
     {"from: <n@s.example>\nto: <a@b.example>\nreply-to: <r@s.example>\n",
      "to: <c@b.example>\ncc: <d@b.example>\n", "stream: security\n", "key: ses/inv/2\n"},
     ESP_FINE,
     {"inv"},
     "ses"},
    {"bulk, one of a stream",
     "POST",
     "/",
     FORM,
     MANY TO("1", "a") "&Destinations.member.1.ReplacementTags.member.1.Value=security"
                       "&DefaultTags.member.1.Value=comments",
     {"200\n", "<SendBulkTemplatedEmailResult>"},
     {"stream: security\n"},
     ESP_FINE,
     {NULL},
     "ses"},
    {"bulk with one left out",
     "POST",
     "/",
     FORM,
     MANY TO("2", "a"),
     {"200\n", "<Status>InvalidParameterValue</Status>", "<Status>Success</Status>"},
     {"to: <a@b.example>\n"},
     ESP_FINE,
     {NULL},
     "ses"},
    {"bulk with own values that are no JSON",
     "POST",
     "/",
     FORM,
     MANY TO("1", "a") "&Destinations.member.1.ReplacementTemplateData=x",
     {"200\n", "<Error>TemplateData is not valid JSON.</Error>"},
     {NULL},
     ESP_FINE,
     {NULL},
     "ses"},
    {"bulk with values for all that are no JSON",
     "POST",
     "/",
     FORM,
     MANY TO("1", "a") "&DefaultTemplateData=%5B%5D",
     {"400\n", "TemplateData is not valid JSON."},
     {NULL},
     ESP_FINE,
     {NULL},
     "ses"},
    {"bulk to nobody",
     "POST",
     "/",
     FORM,
     MANY "x=y",
     {"400\n", "Want 1 to 50 Destinations."},
     {NULL},
     ESP_FINE,
     {NULL},
     "ses"},
    {"bulk of too many",
     "POST",
     "/",
     FORM,
     MANY TO("51", "a"),
     {"400\n", "Want 1 to 50 Destinations."},
     {NULL},
     ESP_FINE,
     {NULL},
     "ses"},
    {"bulk counted otherwise",
     "POST",
     "/",
     FORM,
     MANY TO("1", "a") "&" TO("01", "b"),
     {"400\n", "Want 1 to 50 Destinations."},
     {NULL},
     ESP_FINE,
     {NULL},
     "ses"},
    {"bulk without sender",
     "POST",
     "/",
     FORM,
     "Action=SendBulkTemplatedEmail&Template=T&" TO("1", "a"),
     {"400\n", "Missing required Source."},
     {NULL},
     ESP_FINE,
     {NULL},
     "ses"},
    {"bulk, another ESP behind",
     "POST",
     "/",
     FORM,
     MANY TO("1", "a"),
     {"400\n", "<Code>TemplateDoesNotExist</Code>", "Template T does not exist"},
     {NULL}},
};

static void test_v2(void **state)
{
    (void)state;
    esp_cases_run(v2, TIDE_COUNT(v2));
}

static void test_v1(void **state)
{
    (void)state;
    esp_cases_run(v1, TIDE_COUNT(v1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v2),
        cmocka_unit_test(test_v1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
