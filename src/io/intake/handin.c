#include "io/intake/handin.h"

#include "base/macros.h"
#include "core/proto/compose.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <sys/random.h>

#define ID_RANDOM_BYTES 16

static bool list_recipients(struct handin *h, const struct api_draft *d, struct arena *arena)
{
    const struct api_addresses *all[] = {&d->to, &d->cc, &d->bcc};
    struct intake_recipient *list =
        arena_array(arena, d->to.count + d->cc.count + d->bcc.count, sizeof *list);
    size_t count = 0;
    for (size_t k = 0; list && k < TIDE_COUNT(all); k++)
        for (size_t i = 0; i < all[k]->count; i++)
            list[count++].address = all[k]->list[i].address;
    h->in.recipients = list;
    h->in.recipient_count = count;
    return list != NULL;
}

static void hash_text(EVP_MD_CTX *ctx, struct text t)
{
    uint64_t n = t.p ? t.n : UINT64_MAX; /* the length first: no two drafts run together */
    EVP_DigestUpdate(ctx, &n, sizeof n);
    if (t.n > 0)
        EVP_DigestUpdate(ctx, t.p, t.n);
}

static void hash_addresses(EVP_MD_CTX *ctx, const struct api_addresses *a)
{
    EVP_DigestUpdate(ctx, &a->count, sizeof a->count);
    for (size_t i = 0; i < a->count; i++) {
        hash_text(ctx, a->list[i].name);
        hash_text(ctx, a->list[i].address);
    }
}

/* What must be the same under the same key. Not the times: "2h" is another instant each time. A key
 * can stand in a header field, too; where there is neither, there is nothing to compare. */
static bool take_fingerprint(struct handin *h, const struct api_draft *d)
{
    h->has_fingerprint = d->key.n > 0 || d->header_count > 0 || d->message.p;
    if (!h->has_fingerprint)
        return true;
    const struct text texts[] = {d->from.name, d->from.address, d->subject,    d->text,
                                 d->html,      d->stream,       d->thread,     d->message,
                                 d->item.url,  d->item.text,    d->item.title, d->item.icon,
                                 d->template};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return false;
    }
    hash_addresses(ctx, &d->to);
    hash_addresses(ctx, &d->cc);
    hash_addresses(ctx, &d->bcc);
    hash_addresses(ctx, &d->reply_to);
    for (size_t i = 0; i < TIDE_COUNT(texts); i++)
        hash_text(ctx, texts[i]);
    for (size_t i = 0; i < d->header_count; i++) {
        hash_text(ctx, d->headers[i].name);
        hash_text(ctx, d->headers[i].value);
    }
    for (size_t i = 0; i < d->attachment_count; i++) {
        const struct api_attachment *a = &d->attachments[i];
        hash_text(ctx, a->filename);
        hash_text(ctx, a->content_type);
        hash_text(ctx, a->content_id);
        hash_text(ctx, a->content);
        EVP_DigestUpdate(ctx, &a->is_inline, sizeof a->is_inline);
    }
    bool good = EVP_DigestFinal_ex(ctx, (unsigned char *)h->fingerprint, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

static enum tide_err compose_draft(struct handin *h,
                                   const struct api_draft *d,
                                   tide_wall_ms now,
                                   struct tide_error *err)
{
    unsigned char random[ID_RANDOM_BYTES];
    char id[2 * sizeof random + 2 + 256];
    struct text from = d->from.address;
    struct text domain = text_cut(from, text_find(from, '@') + 1, 253);
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return tide_fail(err, TIDE_EIO, "no random numbers");
    for (size_t i = 0; i < sizeof random; i++) {
        id[2 * i] = "0123456789abcdef"[random[i] >> 4];
        id[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    snprintf(id + 2 * sizeof random, sizeof id - 2 * sizeof random, "@%.*s",
             text_is_ascii(domain) ? (int)domain.n : 9,
             text_is_ascii(domain) ? domain.p : "localhost");
    struct compose_given given = {.date = now, .message_id = text_of(id)};
    return compose(d, &given, &h->composed, err);
}

enum tide_err handin_prepare(struct handin *h,
                             const struct api_draft *draft,
                             tide_wall_ms now,
                             struct arena *arena,
                             struct tide_error *err)
{
    h->draft = draft;
    if (!list_recipients(h, draft, arena) || !take_fingerprint(h, draft))
        return tide_fail(err, TIDE_ENOMEM, "out of memory, try again later");
    return draft->message.p ? TIDE_OK : compose_draft(h, draft, now, err);
}

void handin_submit(struct handin *h,
                   struct intake *intake,
                   const struct config_application *application,
                   struct text source,
                   void (*done)(struct intake_request *in,
                                enum tide_err rc,
                                const struct tide_error *err))
{
    const struct api_draft *d = h->draft;
    h->in = (struct intake_request){
        .application = application,
        .sender = d->from.address,
        .recipients = h->in.recipients,
        .recipient_count = h->in.recipient_count,
        .message = d->message.p ? d->message : buf_text(&h->composed),
        .stream = d->stream,
        .key = d->key,
        .fingerprint = {h->fingerprint, h->has_fingerprint ? sizeof h->fingerprint : 0},
        .thread = d->thread,
        .collapse_key = d->collapse_key,
        .item = d->item,
        .weight = d->weight,
        .metadata = d->metadata,
        .not_before = d->not_before,
        .deadline_at = d->deadline_at,
        .template_api = d->template.p ? h->template_api : TEXT(""),
        .source = source,
        .done = done,
        .arg = h->in.arg,
    };
    intake_submit(intake, &h->in);
}

void handin_fini(struct handin *h)
{
    buf_fini(&h->composed);
    arena_fini(&h->in.arena);
}
