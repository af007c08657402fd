#include "core/verify/sender_trust.h"

#include "core/proto/json.h"

#define REPORT_BYTES_MAX (1u << 20)

static void put_lines(struct json_writer *w, const char *name, struct text lines)
{
    struct text line;
    jw_array(w, name);
    while (lines.n && text_split(&lines, '\n', &line))
        jw_text(w, NULL, line);
    jw_end(w);
}

void sender_check_json(struct json_writer *w, const struct sender_check *c)
{
    jw_text(w, "check", c->what);
    jw_str(w, "state", sender_state_name(c->state));
    jw_text(w, "finding", c->finding);
    put_lines(w, "evidence", c->evidence);
    put_lines(w, "consequences", c->consequences);
    put_lines(w, "publish", c->publish);
}

/* What the last report said of a check: that it has passed once, that it failed. */
static const struct json *before_of(const struct json *before, struct text what)
{
    const struct json *checks = json_member(before, "checks");
    for (size_t i = 0; i < json_count(checks); i++) {
        const struct json *c = json_element(checks, i);
        if (text_eq(json_string_text(json_member(c, "check")), what))
            return c;
    }
    return NULL;
}

static bool flag(const struct json *v, const char *name)
{
    bool set = false;
    return json_bool(json_member(v, name), &set) && set;
}

struct judged {
    bool passed, failing;
};

static struct judged judge(const struct sender_check *c, const struct json *before)
{
    struct judged j = {.passed = flag(before, "passed")};
    switch (c->state) {
    case SENDER_GOOD:
    case SENDER_NOTE:
        j.passed = true;
        break;
    case SENDER_UNKNOWN:
        j.failing = flag(before, "failing");
        break;
    case SENDER_BAD:
        j.failing = !c->advice && (j.passed || (c->demanded && !c->guess));
        break;
    }
    return j;
}

static struct text sentence(struct arena *arena, const struct sender_check *c)
{
    return text_of(arena_printf(arena, TEXT_FMT ": " TEXT_FMT, TEXT_ARG(c->what),
                                TEXT_ARG(text_cut(c->finding, 0, 400))));
}

static struct text publish(struct arena *arena, const struct sender_check *c)
{
    struct text rest = c->publish, line;
    if (!c->publish.n || !text_split(&rest, '\n', &line) || line.n > 400)
        return TEXT("See mailtide check-sender --watched.");
    return text_of(arena_printf(arena, "Publish: " TEXT_FMT, TEXT_ARG(line)));
}

static void look(const struct sender *s,
                 const struct json *before,
                 struct arena *arena,
                 struct json_writer *w,
                 struct sender_trust *ret)
{
    for (size_t i = 0; i < s->check_count; i++) {
        const struct sender_check *c = &s->checks[i];
        struct judged j = judge(c, before_of(before, c->what));
        ret->doubtful = ret->doubtful || c->dns_failed;
        ret->seen_failing = ret->seen_failing || (j.failing && c->state == SENDER_BAD);
        if (j.failing && !ret->failing) {
            ret->failing = true;
            ret->reason = sentence(arena, c);
            ret->advice = publish(arena, c);
        }
        if (c->advice && c->state == SENDER_BAD && !ret->remark.n)
            ret->remark = sentence(arena, c);
        jw_object(w, NULL);
        sender_check_json(w, c);
        jw_bool(w, "passed", j.passed);
        jw_bool(w, "failing", j.failing);
        jw_end(w);
    }
}

enum tide_err sender_trust(const struct sender *s,
                           struct text account,
                           const struct sender_record *before,
                           bool hold,
                           bool hold_first,
                           struct arena *arena,
                           struct sender_trust *ret,
                           struct tide_error *err)
{
    struct json *report = NULL;
    struct buf out = {0};
    struct json_writer w;
    *ret = (struct sender_trust){.passed_before = before->passed_at > 0};
    if (before->report.n && json_parse(before->report, REPORT_BYTES_MAX, &report, NULL) != TIDE_OK)
        report = NULL;
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_text(&w, "domain", s->in.domain);
    jw_text(&w, "account", account);
    jw_bool(&w, "bulk", s->in.bulk);
    jw_str(&w, "state", sender_state_name(s->state));
    jw_array(&w, "checks");
    look(s, report, arena, &w, ret);
    jw_end(&w);
    /* A check that is not there this time, because what it follows from is not known, may still
     * fail: what was held stays so until everything was answered. */
    if (!ret->failing && ret->doubtful && before->held.n) {
        ret->failing = true;
        ret->advice = TEXT("See mailtide check-sender --watched.");
    }
    if (!ret->seen_failing && before->held.n && ret->failing)
        ret->reason = arena_text(arena, before->held); /* not what DNS does not answer now */
    bool by_rule = ret->passed_before ? hold : hold_first;
    ret->held = ret->failing && by_rule && (ret->seen_failing || before->held.n);
    jw_bool(&w, "failing", ret->failing);
    jw_end(&w);
    ret->report = arena_text(arena, buf_text(&out));
    enum tide_err rc = buf_check(&out, err);
    if (rc == TIDE_OK && (!ret->report.p || (ret->failing && !ret->reason.p)))
        rc = tide_fail(err, TIDE_ENOMEM, "%s", tide_err_text(TIDE_ENOMEM));
    buf_fini(&out);
    json_free(report);
    return rc;
}
