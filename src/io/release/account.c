#include "io/release/account_type.h"
#include "io/release/https_out.h"
#include "io/release/outbox.h"
#include "io/release/smtp_out.h"

enum tide_err account_open(uv_loop_t *loop,
                           const struct config_account *config,
                           const struct clock *clock,
                           struct account **ret,
                           struct tide_error *err)
{
    (void)clock; /* for ways out that live in scaled time */
    enum tide_err rc = TIDE_EINVAL;
    switch (config->type) {
    case ACCOUNT_OUTBOX:
        rc = outbox_open(loop, config, ret, err);
        break;
    case ACCOUNT_SMTP:
        rc = smtp_out_open(loop, config, ret, err);
        break;
    case ACCOUNT_HTTPS:
        rc = https_out_open(loop, config, ret, err);
        break;
    }
    return rc == TIDE_OK ? rc : tide_wrap(err, rc, "account %s", config->name);
}

void account_close(struct account *a, void (*closed)(void *arg), void *arg)
{
    a->ops->close(a, closed, arg);
}

void account_send(struct account *a, struct account_mail *mail)
{
    a->ops->send(a, mail);
}

int account_room(const struct account *a)
{
    return a->ops->room(a);
}

enum account_settled account_settle(struct account *a, tide_id attempt_id)
{
    return a->ops->settle(a, attempt_id);
}
