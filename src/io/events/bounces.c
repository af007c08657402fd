#include "io/events/bounces.h"

#include "base/log.h"
#include "base/macros.h"
#include "core/outcome/bounce_news.h"
#include "core/proto/json_write.h"
#include "io/crypto/sigv4_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

struct bounces {
    struct drive *drive;
    struct news_desk *desk;
    const struct verp *verp;
    const struct rulebook *rules;
    size_t under_way;
    bool closing;
    uv_idle_t later; /* the closed callback never comes from inside bounces_close() */
    bool later_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* -- The key ------------------------------------------------------------------------------------
 */

#define KEY_CHARS 64 /* hexadecimal digits of a key that is made here */

static enum tide_err make_key(const char *path, char out[KEY_CHARS + 1], struct tide_error *err)
{
    unsigned char bytes[KEY_CHARS / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return tide_fail(err, TIDE_EIO, "bounce.key: no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, out, KEY_CHARS) == KEY_CHARS && fsync(fd) == 0;
    if (!ok)
        tide_fail(err, TIDE_EIO, "bounce.key: %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (!ok && fd >= 0)
        unlink(path);
    return ok ? TIDE_OK : TIDE_EIO;
}

static enum tide_err read_key(const char *path, char out[KEY_CHARS + 1], struct tide_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return make_key(path, out, err);
    ssize_t n = fd < 0 ? -1 : read(fd, out, KEY_CHARS);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (n != KEY_CHARS)
        return tide_fail(err, TIDE_EIO, "bounce.key: %s: %s", path,
                         n < 0 ? strerror(why) : "too short; remove it and a new one is made");
    out[KEY_CHARS] = '\0';
    return TIDE_OK;
}

enum tide_err bounce_key_load(const struct config *config, struct verp *ret, struct tide_error *err)
{
    char path[1024], made[KEY_CHARS + 1] = "";
    const char *key = config->bounce.key.value;
    enum tide_err rc = TIDE_OK;
    snprintf(path, sizeof path, "%s/bounce.key", config->state_dir);
    if (!key && config->bounce.domain)
        rc = read_key(path, made, err);
    key = key ? key : made;
    ret->hash = &sigv4_hash_openssl;
    ret->key_n = TIDE_MIN(strlen(key), sizeof ret->key);
    memcpy(ret->key, key, ret->key_n);
    return rc;
}

/* -- Addresses ----------------------------------------------------------------------------------
 */

static struct text domain_of(const struct bounces *b)
{
    const char *domain = drive_config(b->drive)->bounce.domain;
    return text_of(domain ? domain : "");
}

bool bounces_wanted(const struct bounces *b)
{
    const struct config_bounce *c = &drive_config(b->drive)->bounce;
    return c->domain || c->address_count > 0;
}

enum bounce_address bounces_address(const struct bounces *b, struct text address)
{
    const struct config_bounce *c = &drive_config(b->drive)->bounce;
    bool shaped = false;
    if (b->verp->key_n > 0 && verp_read_address(b->verp, address, domain_of(b), &shaped) != 0)
        return BOUNCE_ADDRESS_OURS;
    for (size_t i = 0; i < c->address_count; i++)
        if (text_ieq(address, text_of(c->addresses[i])))
            return BOUNCE_ADDRESS_OURS;
    return shaped ? BOUNCE_ADDRESS_FORGED : BOUNCE_ADDRESS_NO;
}

/* -- One mail -----------------------------------------------------------------------------------
 */

static void finish_closing(struct bounces *b)
{
    if (!b->closing || !b->later_closed || b->under_way > 0)
        return;
    void (*closed)(void *arg) = b->closed;
    void *arg = b->closed_arg;
    free(b);
    if (closed)
        closed(arg);
}

static void finish(struct bounce_mail *mail)
{
    struct bounces *b = mail->bounces;
    log_info("bounce.taken", "kind=%s news=%zu known=%zu rc=%s", bounce_kind_name(mail->kind),
             mail->count, mail->known, tide_err_name(mail->rc));
    arena_fini(&mail->arena);
    b->under_way--;
    mail->done(mail, mail->rc, &mail->err);
    finish_closing(b);
}

static void on_durable(void *arg, const struct news_told *told)
{
    struct bounce_mail *mail = arg;
    mail->rc = told->rc;
    mail->known = told->known;
    if (told->rc != TIDE_OK)
        mail->err = *told->err;
    finish(mail);
}

/* On the pool: whatever the mail is made of costs nobody else time. */
static void read_mail(uv_work_t *work)
{
    struct bounce_mail *mail = work->data;
    struct bounce bounce;
    struct text bytes = text_cut(mail->message, 0, BOUNCE_BYTES_MAX);
    mail->rc = bounce_read(bytes, mail->rules, NULL, &mail->arena, &bounce, &mail->err);
    if (mail->rc != TIDE_OK)
        return;
    mail->kind = bounce.kind;
    mail->rc = bounce_news(&bounce, mail->bounces->verp, domain_of(mail->bounces), mail->sent_to,
                           &mail->arena, &mail->news, &mail->count, &mail->err);
}

static void on_read(uv_work_t *work, int status)
{
    struct bounce_mail *mail = work->data;
    if (status != 0 && mail->rc == TIDE_OK)
        mail->rc = tide_fail(&mail->err, TIDE_ECANCELED, "mailtide is stopping");
    if (mail->rc != TIDE_OK)
        finish(mail);
    else
        news_desk_take(mail->bounces->desk, mail->news, mail->count, on_durable, mail);
}

static void too_many(uv_work_t *work)
{
    struct bounce_mail *mail = work->data;
    mail->rc = tide_fail(&mail->err, TIDE_ELIMIT, "too many bounces at once, try again later");
}

void bounces_take(struct bounces *b, struct bounce_mail *mail)
{
    bool full = b->under_way >= BOUNCES_AT_ONCE_MAX;
    mail->bounces = b;
    mail->rules = b->rules;
    mail->work.data = mail;
    mail->rc = TIDE_OK;
    b->under_way++;
    uv_queue_work(drive_parts(b->drive)->loop, &mail->work, full ? too_many : read_mail, on_read);
}

/* -- Handed in ----------------------------------------------------------------------------------
 */

struct ingest_job {
    struct bounce_mail mail;
    struct http_request *req;
};

static void on_ingested(struct bounce_mail *mail, enum tide_err rc, const struct tide_error *err)
{
    struct ingest_job *job = mail->arg;
    struct buf body = {0};
    struct json_writer w;
    if (rc != TIDE_OK) {
        http_reply_error(job->req, rc == TIDE_ELIMIT ? 429 : 503, "try_later", err->text);
        free(job);
        return;
    }
    jw_init(&w, &body);
    jw_object(&w, NULL);
    jw_str(&w, "kind", bounce_kind_name(mail->kind));
    jw_int(&w, "news", (int64_t)mail->count);
    jw_int(&w, "known", (int64_t)mail->known);
    jw_end(&w);
    http_reply(job->req, 200, "application/json", buf_text(&body), NULL, 0);
    buf_fini(&body);
    free(job);
}

void bounces_ingest(struct bounces *b, struct http_request *req)
{
    struct ingest_job *job = calloc(1, sizeof *job);
    if (!job) {
        http_reply_error(req, 503, "try_later", "Out of memory.");
        return;
    }
    *job = (struct ingest_job){.req = req,
                               .mail = {.message = req->body, .done = on_ingested, .arg = job}};
    bounces_take(b, &job->mail);
}

/* -- Life ---------------------------------------------------------------------------------------
 */

enum tide_err bounces_open(struct drive *drive,
                           struct news_desk *desk,
                           const struct verp *verp,
                           struct bounces **ret,
                           struct tide_error *err)
{
    struct bounces *b = calloc(1, sizeof *b);
    if (!b)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    *b = (struct bounces){.drive = drive, .desk = desk, .verp = verp};
    uv_idle_init(drive_parts(drive)->loop, &b->later);
    b->later.data = b;
    *ret = b;
    return TIDE_OK;
}

void bounces_set_rules(struct bounces *b, const struct rulebook *rules)
{
    b->rules = rules;
}

static void on_later_closed(uv_handle_t *handle)
{
    struct bounces *b = handle->data;
    b->later_closed = true;
    finish_closing(b);
}

void bounces_close(struct bounces *b, void (*closed)(void *arg), void *arg)
{
    if (b->closing)
        return;
    b->closing = true;
    b->closed = closed;
    b->closed_arg = arg;
    uv_close((uv_handle_t *)&b->later, on_later_closed);
}
