/* What is stored of a recipient: his ledger, and what the forecast has learnt of him. */
#include "core/plan/planner.h"

#include "base/macros.h"

/* Older versions are still read: 1 had no forecast, 2 no flags. */
#define RECIPIENT_VERSION 3
#define RECIPIENT_HEAD    (6 + FORECAST_BYTES)
#define FLAG_SENT_BEFORE  1

void plan_recipient_init(struct plan_recipient *r)
{
    *r = (struct plan_recipient){0};
}

void plan_recipient_fini(struct plan_recipient *r)
{
    ledger_fini(&r->ledger);
}

void plan_recipient_encode(const struct plan_recipient *r, struct buf *ret)
{
    const uint32_t w = r->policy_word;
    char head[RECIPIENT_HEAD] = {RECIPIENT_VERSION, (char)w, (char)(w >> 8), (char)(w >> 16),
                                 (char)(w >> 24)};
    forecast_encode(&r->forecast, head + 5);
    head[5 + FORECAST_BYTES] = r->sent_before ? FLAG_SENT_BEFORE : 0;
    buf_add(ret, head, sizeof head);
    ledger_encode(&r->ledger, ret);
}

enum tide_err plan_recipient_decode(struct text blob,
                                    struct plan_recipient *ret,
                                    struct tide_error *err)
{
    struct plan_recipient r = {0};
    char version = blob.n ? blob.p[0] : 0;
    size_t head = version == 1 ? 5 : version == 2 ? 5 + FORECAST_BYTES : RECIPIENT_HEAD;
    if (blob.n < head || blob.p[0] < 1 || blob.p[0] > RECIPIENT_VERSION)
        return tide_fail(err, TIDE_ECORRUPT, "recipient's ledger: %zu bytes of no known version",
                         blob.n);
    /* A damaged forecast is a forecast lost, not a ledger. */
    if (version > 1 && !forecast_decode(blob.p + 5, &r.forecast))
        r.forecast = (struct forecast){0};
    for (unsigned i = 0; i < 4; i++)
        r.policy_word |= (uint32_t)(unsigned char)blob.p[1 + i] << 8 * i;
    enum tide_err rc = ledger_decode(text_cut(blob, head, blob.n), &r.ledger, err);
    if (rc != TIDE_OK)
        return tide_wrap(err, rc, "recipient's ledger");
    r.sent_before =
        version < 3 ? r.ledger.count > 0 : (blob.p[5 + FORECAST_BYTES] & FLAG_SENT_BEFORE) != 0;
    *ret = r;
    return TIDE_OK;
}

bool plan_recipient_learn(struct text stored, struct text learnt, struct buf *ret)
{
    struct plan_recipient r = {0};
    struct forecast f;
    struct tide_error err;
    if (learnt.n != FORECAST_BYTES || !forecast_decode(learnt.p, &f) ||
        (stored.n && plan_recipient_decode(stored, &r, &err) != TIDE_OK))
        return false;
    bool longer = f.level.slow_weight > r.forecast.level.slow_weight;
    if (longer && r.forecast.level.awake > 0 && r.forecast.day >= f.day) {
        f.day = r.forecast.day;
        f.today = r.forecast.today;
        f.last_s = r.forecast.last_s;
    }
    r.forecast = f;
    if (longer)
        plan_recipient_encode(&r, ret);
    plan_recipient_fini(&r);
    return longer;
}

bool plan_recipient_is_spent(struct text stored, tide_wall_ms now)
{
    struct plan_recipient r = {0};
    struct tide_error ignored;
    if (stored.n == 0)
        return true;
    if (plan_recipient_decode(stored, &r, &ignored) != TIDE_OK)
        return false;
    tide_wall_ms seen_at = TIDE_MAX((tide_wall_ms)r.forecast.last_s * TIME_SECOND_MS,
                                    (tide_wall_ms)r.forecast.day * TIME_DAY_MS);
    ledger_prune(&r.ledger, now);
    bool spent = r.ledger.count == 0 && now - seen_at > PLAN_FORGET_MS;
    plan_recipient_fini(&r);
    return spent;
}
