/* A stored ledger may be damaged: it is refused, or counts without harm. The limit under test takes
 * its name from the first record, so that the records are its own. */
#include "core/plan/planner.h"

#include <assert.h>
#include <stdlib.h>

#define NOON (20500 * TIME_DAY_MS + TIME_DAY_MS / 2)

static const struct window windows[] = {
    {.kind = WINDOW_CALENDAR, .unit = WINDOW_DAY}, {.kind = WINDOW_CLOCK, .span_ms = 1800000},
    {.kind = WINDOW_ROLLING, .span_ms = 86400000}, {.kind = WINDOW_RATE, .span_ms = 1000},
    {.kind = WINDOW_COOLDOWN, .span_ms = 3600000},
};

static uint32_t word_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void use_it(struct ledger *l, const uint8_t *data, size_t size, size_t which)
{
    struct limit limit = {.count = data[size - 1] + 1, .window = windows[which]};
    struct meter m = {.limit = &limit,
                      .rule = {.def = &limit.window},
                      .id = word_at(data + 1),
                      .window = word_at(data + 5),
                      .margin_ms = which < 2 ? 60000 : 0,
                      .burst = 3};
    struct tally t = {&m, l, m.id};
    for (tide_wall_ms now = NOON, i = 0; i < 4; i++) {
        ledger_prune(l, now);
        if (!tally_ready(&t, now))
            return; /* as full as it may be */
        tide_wall_ms at = tally_earliest(&t, 3, now);
        assert(at >= now);
        assert(tally_used(&t, at) >= 0);
        assert(tally_charge(&t, now));
        assert(tally_used(&t, now) >= 1);
        tally_refund(&t, now + 5, now);
        now += i % 2 ? -TIME_HOUR_MS / 2 : TIME_HOUR_MS;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text blob = {(const char *)data, size};
    struct plan_recipient r;
    struct tide_error err;
    static struct site site;
    if (plan_recipient_decode(blob, &r, &err) == TIDE_OK) {
        site_init(&site);
        site_roll(&site, 20000);
        forecast_roll(&r.forecast, &site, 20000);
        double level = forecast_level_now(&r.forecast.level, r.forecast.today, 0.5);
        assert(level >= 0);
        plan_recipient_fini(&r);
    }
    if (site_decode(blob, &site, &err) == TIDE_OK) {
        site_roll(&site, 20000);
        assert(site_gone(&site, 20000, 1) > 0.99);
    }
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct ledger l;
        if (ledger_decode(blob, &l, &err) != TIDE_OK)
            return 0;
        if (size > 8)
            use_it(&l, data, size, i);
        struct buf b = {0};
        ledger_encode(&l, &b);
        ledger_fini(&l);
        if (ledger_decode(buf_text(&b), &l, &err) == TIDE_OK)
            ledger_fini(&l);
        buf_fini(&b);
    }
    return 0;
}
