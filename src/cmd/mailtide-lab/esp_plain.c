/* The API of the lab's own, and the least that an ESP is:
 *
 *   POST /send   {"from":.., "to":.. or [..], "subject":.., "text":.., "html":..} or
 *                {"from":.., "to":.., "raw":..}; Authorization: Bearer PASSWORD
 *
 * One list, "bounces", for every 5xx and every complaint; events go out as GET /events shows them,
 * one to an array. */
#include "cmd/mailtide-lab/esp_api.h"

static bool may(struct lab_ask *a)
{
    return lab_has_bearer(a, "Bearer ");
}

static void refuse(struct lab_ask *a, enum lab_refusal why, const char *words)
{
    static const struct {
        unsigned status;
        const char *code;
    } says[] = {
        [LAB_BAD_KEY] = {401, "unauthorized"},
        [LAB_BAD_BODY] = {400, "bad_json"},
        [LAB_BAD_ADDRESS] = {400, "bad_address"},
        [LAB_BAD_SENDER] = {403, "bad_sender"},
        [LAB_BAD_MAIL] = {400, "bad_message"},
        [LAB_LIMITED] = {429, "too_many"},
        [LAB_DOWN] = {500, "down"},
        [LAB_NO_SUCH] = {404, "not_found"},
    };
    a->status = says[why].status;
    jw_object(&a->w, NULL);
    jw_object(&a->w, "error");
    jw_str(&a->w, "code", says[why].code);
    jw_str(&a->w, "message", words);
    jw_end(&a->w);
    jw_end(&a->w);
}

static bool read_to(struct lab_ask *a, struct api_addresses *ret)
{
    const struct json *to = json_member(a->doc, "to");
    bool many = json_kind(to) == JSON_KIND_ARRAY;
    size_t n = many ? json_count(to) : 1;
    for (size_t i = 0; i < n; i++)
        if (!lab_add_mailbox(
                a, ret,
                (struct mailbox){.name = TEXT(""),
                                 .address = json_string_text(many ? json_element(to, i) : to)}))
            return false;
    return n > 0;
}

static void on_send(struct lab_ask *a)
{
    struct lab_mail m = {.raw = lab_string(a->doc, "raw")};
    struct text text = json_string_text(json_member(a->doc, "text"));
    struct text html = json_string_text(json_member(a->doc, "html"));
    int64_t first = a->esp->last_id + 1;
    m.draft.from = (struct mailbox){.name = TEXT(""), .address = lab_string(a->doc, "from")};
    m.draft.subject = lab_string(a->doc, "subject");
    m.draft.text = text.p || html.p ? text : TEXT("");
    m.draft.html = html;
    if (!lab_is_address(m.draft.from.address) || !read_to(a, &m.draft.bcc)) {
        refuse(a, LAB_BAD_ADDRESS, "Want from, and to: an address or a list of them.");
        return;
    }
    m.draft.to = (struct api_addresses){m.draft.bcc.list, 1}; /* one header is enough to look at */
    m.draft.bcc.list++;
    m.draft.bcc.count--;
    if (!lab_take_or_refuse(a, &m))
        return;
    a->status = 202;
    jw_object(&a->w, NULL);
    jw_array(&a->w, "ids");
    for (size_t i = 0; i < 1 + m.draft.bcc.count; i++)
        jw_int(&a->w, NULL, first + (int64_t)i);
    jw_end(&a->w);
    jw_end(&a->w);
}

static void serve(struct lab_ask *a)
{
    if (lab_is(a, "POST", "/send"))
        on_send(a);
    else
        refuse(a, LAB_NO_SUCH, "Try POST /send, GET /events, GET /suppressions.");
}

static const char *list_of(const struct esp_event *v)
{
    return v->cause == ESP_EXPIRED ? NULL : "bounces";
}

static const char *drop_words(const char *list)
{
    (void)list;
    return "Bounced Address";
}

static bool tell(struct esp *e, const struct esp_event *v, struct lab_post *p)
{
    jw_array(&p->w, NULL);
    esp_write_event(e, v, &p->w);
    jw_end(&p->w);
    return true;
}

const struct lab_api lab_plain = {
    .name = "plain",
    .sends = (const char *const[]){"/send", NULL},
    .may = may,
    .serve = serve,
    .refuse = refuse,
    .list_of = list_of,
    .drop_words = drop_words,
    .tell = tell,
};
