/* The gate with a million recipients waiting for the same reset, ten notifications each: memory a
 * recipient, decisions a second at arrival, how long after the opening of the window the first
 * release comes, and how fast the rest follows. Store, DNS and accounts are not in it.
 *
 *   bench_gate [RECIPIENTS]
 */
#include "core/gate/gate.h"
#include "io/loop/zones.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MORNING 1772409600000LL /* 2026-03-02T00:00:00Z: 08:00 in Shanghai */
#define RESET   (MORNING + 16 * TIME_HOUR_MS)

#define TAKEN 2  /* mails a day that QQ takes in this world */
#define HELD  10 /* notifications that come after them */

static const char config_text[] =
    "schedules = [\"/schedules\"];\n"
    "planner: { margin = \"0s\"; spread = \"0s\"; };\n"
    "accounts: { esp: { type = \"smtp\"; host = \"esp.test\"; connections = 1000; }; };\n"
    "applications: { pm: { key = \"k\"; senders = [\"*\"]; accounts = [\"esp\"]; }; };\n";

static const char profile_text[] =
    "title = \"QQ\"; mx = [\"mx1.qq.test\"];\n"
    "limits: { recipient-day: { scope = \"recipient\"; count = 2; window = \"day\";\n"
    "  zone = \"Asia/Shanghai\"; counts = \"attempts\"; source = \"observed\"; reference = "
    "\"bench\";\n"
    "  date = \"2026-03-01\"; confidence = \"low\"; }; };\n";

static enum tide_err read_text(void *arg, const char *path, struct buf *ret, struct tide_error *err)
{
    (void)arg;
    (void)err;
    buf_adds(ret, strstr(path, "qq.conf")      ? profile_text
                  : strstr(path, "bench.conf") ? config_text
                                               : "");
    return TIDE_OK;
}

static enum tide_err list_files(void *arg,
                                const char *dir,
                                enum tide_err (*each)(void *, const char *, struct tide_error *),
                                void *each_arg,
                                struct tide_error *err)
{
    (void)arg;
    return strstr(dir, "providers") ? each(each_arg, "/schedules/providers/qq.conf", err) : TIDE_OK;
}

static const char *no_env(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return NULL;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

struct bench {
    struct gate *gate;
    struct gate_todo todo;
    struct account_outcome accepted;
    long claims;
    char plan[4096]; /* what the store would have kept of the recipient at hand */
    size_t plan_n;
};

static void step(struct bench *b, struct gate_event *ev)
{
    gate_todo_fini(&b->todo);
    gate_step(b->gate, ev, &b->todo);
}

/* Carries out at once what a step told: the domain is verified, every claim succeeds and is
 * accepted. */
static void carry_out(struct bench *b, tide_wall_ms now)
{
    static const struct verdict good = {.kind = VERDICT_DELIVERABLE,
                                        .provider = {"qq", 2},
                                        .reason = {"ok", 2},
                                        .found_at = MORNING,
                                        .valid_until = MORNING + 90 * TIME_DAY_MS};
    tide_id claims[GATE_STEP_MAX + 8];
    struct group_pending left[GATE_STEP_MAX + 8];
    size_t n = 0;
    bool verify = false;
    for (size_t i = 0; i < b->todo.count; i++) {
        const struct gate_action *a = &b->todo.actions[i];
        verify |= a->type == GATE_DO_VERIFY;
        for (size_t k = 0; a->type == GATE_DO_CLAIM && k < a->claim.change_count; k++) {
            const struct change *c = &a->claim.changes[k];
            if (c->type == CHANGE_RECIPIENT && c->recipient.plan.n <= sizeof b->plan) {
                memcpy(b->plan, c->recipient.plan.p, c->recipient.plan.n);
                b->plan_n = c->recipient.plan.n;
            }
        }
        if (a->type == GATE_DO_CLAIM && n < GATE_STEP_MAX) {
            claims[n] = a->claim.attempt.id;
            left[n++] = (struct group_pending){.group_id = a->claim.attempt.group_id,
                                               .recipient_id = a->claim.attempt.recipient_id};
        }
    }
    if (verify) {
        struct gate_event ev = {.type = GATE_VERDICT,
                                .now = now,
                                .verdict = {.domain = TEXT("client.test"), .verdict = &good}};
        step(b, &ev);
        ev = (struct gate_event){.type = GATE_TIMER, .now = now};
        step(b, &ev);
        carry_out(b, now);
        return;
    }
    b->claims += (long)n;
    for (size_t i = 0; i < n; i++) {
        struct gate_event ev = {
            .type = GATE_CLAIMED,
            .now = now,
            .claimed = {.attempt_id = claims[i], .count = 1, .newest_at = now, .left = &left[i]}};
        step(b, &ev);
        ev = (struct gate_event){.type = GATE_OUTCOME,
                                 .now = now,
                                 .outcome = {.attempt_id = claims[i], .outcome = &b->accepted}};
        step(b, &ev);
    }
}

static void accept_one(struct bench *b, long i, uint32_t pending, tide_wall_ms now)
{
    char address[40];
    snprintf(address, sizeof address, "r%ld@client.test", i);
    struct group_pending p = {
        .group_id = i + 1, .recipient_id = i + 1, .digestible = pending, .oldest_at = now};
    struct recipient_state r = {.id = i + 1,
                                .address = text_of(address),
                                .domain = TEXT("client.test"),
                                .plan = {b->plan, b->plan_n}};
    struct gate_event ev = {
        .type = GATE_ACCEPTED,
        .now = now,
        .accepted = {.pending = &p,
                     .recipient = &r,
                     .origin = {TEXT("pm"), TEXT("notify"), TEXT("app@pm.test")},
                     .accepted_at = now},
    };
    step(b, &ev);
}

int main(int argc, char **argv)
{
    long recipients = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    const struct config_source source = {.read = read_text, .list = list_files, .env = no_env};
    const struct plan_zones zones = {.load = zones_load};
    struct config *config;
    struct planner *planner;
    struct tide_error err;
    static struct bench b;
    if (config_load("/bench.conf", &source, &config, &err) != TIDE_OK ||
        planner_new(config, &zones, &planner, &err) != TIDE_OK) {
        fprintf(stderr, "bench_gate: %s\n", err.text);
        return 1;
    }
    b.gate = gate_new(planner, config, 0, 1);
    b.accepted.result = ACCOUNT_ACCEPTED;
    b.accepted.reply.code = 250;
    gate_todo_init(&b.todo);
    size_t before = heap_bytes();

    /* The first use the day up; the others are held until the reset. */
    double start = seconds();
    for (long i = 0; i < recipients; i++, b.plan_n = 0)
        for (uint32_t k = 0; k < TAKEN + HELD; k++) {
            accept_one(&b, i, k < TAKEN ? 1 : k - TAKEN + 1, MORNING + k);
            carry_out(&b, MORNING + k);
        }
    double took = seconds() - start;
    gate_todo_fini(&b.todo);
    struct gate_counts counts;
    gate_count(b.gate, &counts);
    double each = (double)(heap_bytes() - before) / (double)recipients;
    printf("gate_arrivals_per_s %.0f arrivals/s\n",
           (double)(TAKEN + HELD) * (double)recipients / took);
    printf("gate_held %lld notifications\n", (long long)counts.groups * HELD);
    printf("gate_held_recipients %lld recipients\n", (long long)counts.recipients);
    printf("gate_bytes_per_held_recipient %.0f bytes\n", each);

    start = seconds();
    long before_reset = b.claims;
    double first = 0;
    tide_wall_ms now = RESET;
    while (b.claims - before_reset < counts.groups) {
        struct gate_event ev = {.type = GATE_TIMER, .now = now};
        step(&b, &ev);
        if (b.todo.count == 0 && b.todo.wake_at > now)
            now = b.todo.wake_at == TIDE_NEVER ? now + 1 : b.todo.wake_at;
        carry_out(&b, now);
        if (first == 0 && b.claims > before_reset)
            first = seconds() - start;
        if (now > RESET + 2 * TIME_DAY_MS)
            break;
    }
    took = seconds() - start;
    printf("gate_first_release_after_reset %.3f ms\n", first * 1e3);
    printf("gate_releases_after_reset_per_s %.0f releases/s\n",
           (double)(b.claims - before_reset) / took);
    gate_todo_fini(&b.todo);
    gate_free(b.gate);
    planner_free(planner);
    config_free(config);
    return 0;
}
