/* From a durable claim to the outcome: the attempt and its charges are on disk before this file
 * lets the first byte leave. */
#include "io/drive/inside.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/digest/digest.h"
#include "core/digest/message.h"
#include "core/esp/smtp_args.h"
#include "core/record/template.h"

#include <stdio.h>
#include <stdlib.h>

/* Of the messages of one digest: ESPs take 10 MB and more, encoding adds a third. */
#define DIGEST_BYTES_MAX (6 << 20)

struct release_job {
    struct store_claim claim;
    struct drive_todo *todo;
    struct drive *drive;
    char *account;
    uv_work_t work;
    struct account_mail mail;
    /* built on the pool when there are several notifications */
    struct digest_options options;
    struct buf digest;
    struct digest_result result;
    struct buf marked; /* the message with what the smarthost's ESP is to give back */
    char message_id[320];
    char sender[VERP_ADDRESS_BYTES], envid[VERP_TOKEN_BYTES]; /* where bounces have to find us */
    enum tide_err rc;
    struct tide_error err;
};

static void free_job(struct release_job *job)
{
    struct drive *d = job->drive;
    buf_fini(&job->digest);
    buf_fini(&job->marked);
    arena_fini(&job->claim.arena);
    free(job->account);
    free(job);
    drive_end(d);
}

static void tell_outcome(struct release_job *job, const struct account_outcome *outcome)
{
    struct gate_event ev = {
        .type = GATE_OUTCOME,
        .outcome = {.attempt_id = job->claim.attempt.id, .outcome = outcome},
    };
    char id[ID_TEXT_BYTES];
    log_info("release.outcome", "attempt=%s account=%s notifications=%zu result=%d code=%d",
             id_text(job->claim.attempt.id, id), job->account, job->claim.notification_count,
             (int)outcome->result, outcome->reply.code);
    drive_event(job->drive, &ev, NULL, NULL);
    free_job(job);
}

static void on_sent(struct account_mail *mail, const struct account_outcome *outcome)
{
    tell_outcome(mail->arg, outcome);
}

static void not_sent(struct release_job *job, const char *why)
{
    struct account_outcome outcome = {.result = ACCOUNT_NOT_SENT, .stage = STAGE_CONNECT};
    snprintf(outcome.reply.text, sizeof outcome.reply.text, "%s", why);
    tell_outcome(job, &outcome);
}

/* A template stored at one ESP is nothing that another way out could send: it would be the JSON
 * that names it. Intake takes it only for the ESP behind; the configuration may have changed since.
 */
static bool is_foreign_template(const struct config_account *account,
                                const struct message *m,
                                struct arena *a,
                                struct account_outcome *ret)
{
    static const int enhanced[3] = {5, 6, 1}; /* RFC 3463: media not supported */
    if (!message_has(m, TEXT(TEMPLATE_FIELD)))
        return false;
    struct text api = message_raw_value(m, TEXT(TEMPLATE_FIELD), a);
    if (account->type == ACCOUNT_HTTPS && text_eq(api, text_of(account->api)))
        return false;
    *ret = (struct account_outcome){.result = ACCOUNT_REFUSED, .stage = STAGE_DATA};
    reply_set(&ret->reply, 554, enhanced,
              "its text is a template stored at " TEXT_FMT ", which account %s cannot send",
              TEXT_ARG(api), account->name);
    return true;
}

/* What comes back names the attempt: in the address that it comes to, and in a notification's
 * Original-Envelope-Id. The null path stays: nothing is to come back to it. */
static void mark_for_bounces(struct release_job *job, const struct config_account *account)
{
    const struct drive_parts *parts = &job->drive->parts;
    const char *domain = parts->config->bounce.domain;
    tide_id id = job->claim.attempt.id;
    if (!parts->verp || parts->verp->key_n == 0 || !domain || account->type != ACCOUNT_SMTP)
        return;
    if (account->verp && job->mail.sender.n > 0)
        job->mail.sender = text_of(verp_address(parts->verp, id, text_of(domain), job->sender));
    if (job->mail.envid.n == 0)
        job->mail.envid = text_of(verp_token(parts->verp, id, job->envid));
}

/* A smarthost of an ESP is told our id, and what the application wants to hear again: its events
 * come back with them. A mail that cannot be marked leaves as it is, and is found by its name. */
static struct text with_args(struct release_job *job,
                             const struct config_account *account,
                             struct text metadata,
                             struct text message)
{
    struct message m;
    struct tide_error err;
    if (account->type != ACCOUNT_SMTP || !account->esp || !smtp_args_has(text_of(account->esp)))
        return message;
    enum tide_err rc = message_open(message, &m, &err);
    if (rc == TIDE_OK)
        rc = smtp_args_add(text_of(account->esp), job->claim.attempt.id, metadata, &m, &job->marked,
                           &err);
    if (rc != TIDE_OK)
        log_warn("release.not_marked", "account=%s error=\"%s\"", job->account, err.text);
    return rc == TIDE_OK ? buf_text(&job->marked) : message;
}

static void send_mail(struct release_job *job)
{
    struct drive *d = job->drive;
    const struct notification *n = &job->claim.notifications[job->claim.notification_count - 1];
    int index = config_account_index(d->parts.config, text_of(job->account));
    if (index < 0 || d->closing) {
        not_sent(job, d->closing ? "mailtide is stopping" : "the account is no longer configured");
        return;
    }
    bool digest = job->claim.notification_count > 1;
    struct text message = digest ? buf_text(&job->digest) : n->message;
    struct message parsed;
    bool opened = !digest && message_open(message, &parsed, NULL) == TIDE_OK;
    bool utf8_head = digest ? job->result.needs_smtputf8 : opened && !text_is_ascii(parsed.head);
    struct account_outcome unfit;
    if (opened && is_foreign_template(&d->parts.config->accounts[index], &parsed, &job->claim.arena,
                                      &unfit)) {
        tell_outcome(job, &unfit);
        return;
    }
    job->mail = (struct account_mail){
        .attempt_id = job->claim.attempt.id,
        .sender = n->sender,
        .recipient = n->recipient_normal,
        .message = with_args(job, &d->parts.config->accounts[index],
                             digest ? TEXT("") : n->metadata, message),
        .ret = digest ? TEXT("") : n->ret,
        .envid = digest ? TEXT("") : n->envid,
        .notify = digest ? TEXT("") : n->notify,
        .orcpt = digest ? TEXT("") : n->orcpt,
        .smtputf8 = utf8_head || !text_is_ascii(n->recipient_normal) || !text_is_ascii(n->sender),
        .done = on_sent,
        .arg = job,
    };
    mark_for_bounces(job, &d->parts.config->accounts[index]);
    account_send(d->accounts[index].account, &job->mail);
}

static void build_digest(uv_work_t *work)
{
    struct release_job *job = work->data;
    job->rc = digest_build(job->claim.notifications, job->claim.notification_count, &job->options,
                           &job->digest, &job->result, &job->err);
    if (job->rc == TIDE_OK)
        job->rc = buf_check(&job->digest, &job->err);
}

static void on_built(uv_work_t *work, int status)
{
    struct release_job *job = work->data;
    if (status != 0 || job->rc != TIDE_OK)
        not_sent(job,
                 status != 0 ? "the digest was not built: mailtide is stopping" : job->err.text);
    else
        send_mail(job);
}

static void start_digest(struct release_job *job)
{
    struct drive *d = job->drive;
    const struct config_digest *config = &d->parts.config->digest;
    job->options = (struct digest_options){
        .templates = d->parts.templates,
        .as_mime = config->format && strcmp(config->format, "mime") == 0,
        .items_max = config->items_max,
        .now = job->claim.now,
        .zone = TEXT("UTC"),
        .message_id = text_of(job->message_id),
    };
    job->work.data = job;
    uv_queue_work(d->parts.loop, &job->work, build_digest, on_built);
}

static tide_wall_ms newest(const struct store_claim *claim)
{
    tide_wall_ms at = 0;
    for (size_t i = 0; i < claim->notification_count; i++)
        at = TIDE_MAX(at, claim->notifications[i].accepted_at);
    return at;
}

static void on_claimed(struct store_claim *claim, enum tide_err rc, const struct tide_error *err)
{
    struct release_job *job = claim->arg;
    struct drive *d = job->drive;
    size_t count = rc == TIDE_OK ? claim->notification_count : 0;
    struct gate_event ev = {
        .type = GATE_CLAIMED,
        .claimed = {.attempt_id = claim->attempt.id,
                    .failed = rc != TIDE_OK,
                    .count = count,
                    .newest_at = count ? newest(claim) : 0,
                    .left = rc == TIDE_OK ? &claim->left : NULL},
    };
    if (rc != TIDE_OK)
        log_warn("release.not_claimed", "account=%s error=\"%s\"", job->account, err->text);
    drive_todo_unref(job->todo);
    drive_event(d, &ev, NULL, NULL);
    if (count == 0) {
        free_job(job);
    } else if (count == 1) {
        send_mail(job);
    } else {
        start_digest(job);
    }
}

void drive_claim(struct drive *d, struct drive_todo *t, const struct gate_action *action)
{
    char id[ID_TEXT_BYTES];
    struct release_job *job = calloc(1, sizeof *job);
    char *account =
        job ? strndup(action->claim.attempt.account.p, action->claim.attempt.account.n) : NULL;
    if (!account) {
        struct gate_event ev = {
            .type = GATE_CLAIMED,
            .claimed = {.attempt_id = action->claim.attempt.id, .failed = true},
        };
        free(job);
        log_error("release.not_claimed", "error=\"out of memory\"");
        drive_event(d, &ev, NULL, NULL);
        return;
    }
    job->drive = d;
    job->todo = t;
    job->account = account;
    job->claim.attempt = action->claim.attempt;
    snprintf(job->message_id, sizeof job->message_id, "<%s.digest@%s>",
             id_text(job->claim.attempt.id, id), d->parts.hostname);
    job->claim.attempt.message_id = text_of(job->message_id); /* if it becomes a digest */
    job->claim.only = action->claim.only;
    job->claim.by_hand = action->claim.by_hand;
    job->claim.without_streams = action->claim.without_streams;
    job->claim.digest = action->claim.digest;
    job->claim.most = action->claim.most;
    job->claim.bytes_max = DIGEST_BYTES_MAX;
    job->claim.now = drive_now(d);
    job->claim.changes = action->claim.changes;
    job->claim.change_count = action->claim.change_count;
    job->claim.done = on_claimed;
    job->claim.arg = job;
    t->refs++;
    drive_begin(d);
    store_claim(d->parts.store, &job->claim);
}
