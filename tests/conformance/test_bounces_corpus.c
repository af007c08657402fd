/* The bounce mails of the corpus: what they are, about whom, status, reply code and class, counted
 * as its README says. VERBOSE=1 shows each miss. */
#include "base/file.h"
#include "base/map.h"
#include "core/outcome/bounce.h"
#include "core/outcome/mbox.h"
#include "lib/check.h"
#include "lib/classes.h"
#include "lib/real_rules.h"
#include "lib/tsv.h"

#include <dirent.h>
#include <stdlib.h>

const char *corpora_dir(const char *what);

enum {
    SOURCE,
    FILE_NAME,
    NUMBER,
    KIND,
    CLASS,
    REASON,
    STATUS,
    REPLY,
    HARD,
    ACTION,
    RECIPIENT,
    CELLS
};

struct score {
    const char *name;
    size_t right, of;
};

static struct score detected = {.name = "reports recognised"},
                    quiet = {.name = "others left alone"}, kinds = {.name = "kind exact"},
                    recipients = {.name = "recipients"},
                    spurious = {.name = "recipients named that are labelled"},
                    statuses = {.name = "status"}, replies = {.name = "reply code"},
                    actions = {.name = "action"}, classes = {.name = "class exact"},
                    near = {.name = "class with the labels' own doubt"};

static bool verbose;
static struct rulebook *book;

static void count(struct score *s, bool right)
{
    s->of++;
    s->right += right;
}

static void miss(const struct text *row, const char *what, const char *want, struct text got)
{
    if (verbose)
        printf("miss %s " TEXT_FMT "/" TEXT_FMT " want %s got " TEXT_FMT "\n", what,
               TEXT_ARG(row[SOURCE]), TEXT_ARG(row[FILE_NAME]), want, TEXT_ARG(got));
}

static const char *z(struct text t)
{
    static char out[4][400];
    static int next;
    next = (next + 1) % 4;
    snprintf(out[next], sizeof out[next], TEXT_FMT, TEXT_ARG(t));
    return out[next];
}

static const struct bounce_recipient *find(const struct bounce *b, struct text address)
{
    for (size_t i = 0; i < b->recipient_count; i++)
        if (text_ieq(b->recipients[i].address, address) ||
            text_ieq(b->recipients[i].final, address))
            return &b->recipients[i];
    return NULL;
}

/* Codes 4.0.9xx and 5.0.9xx are inventions of one source. */
static bool invented(const int status[3])
{
    return status[1] == 0 && status[2] >= 900;
}

static void score_details(const struct text *row,
                          const struct bounce *b,
                          const struct bounce_recipient *got)
{
    int status[3];
    char text[64];
    if (row[STATUS].n > 0 && dsn_status(row[STATUS], status) && !invented(status)) {
        bool right = memcmp(got->status, status, sizeof status) == 0;
        count(&statuses, right);
        snprintf(text, sizeof text, "%d.%d.%d", got->status[0], got->status[1], got->status[2]);
        if (!right)
            miss(row, "status", z(row[STATUS]), text_of(text));
    }
    if (row[REPLY].n > 0) {
        snprintf(text, sizeof text, "%d", got->code);
        count(&replies, text_eq(row[REPLY], text_of(text)));
    }
    if (row[ACTION].n > 0) {
        bool right = text_eq(row[ACTION], text_of(dsn_action_name(got->action)));
        count(&actions, right);
        if (!right)
            miss(row, "action", z(row[ACTION]), text_of(dsn_action_name(got->action)));
    }
    if (row[CLASS].n > 0 &&
        (text_eq(row[KIND], TEXT("bounce")) || text_eq(row[KIND], TEXT("delay")))) {
        enum class_match m = class_matches(row[CLASS], got->meaning.class);
        count(&classes, m == CLASS_EXACT);
        count(&near, m != CLASS_WRONG);
        if (m == CLASS_WRONG && verbose)
            printf("miss class " TEXT_FMT "/" TEXT_FMT " want " TEXT_FMT
                   " got %s by %s [%s]: " TEXT_FMT "\n",
                   TEXT_ARG(row[SOURCE]), TEXT_ARG(row[FILE_NAME]), TEXT_ARG(row[CLASS]),
                   reply_class_name(got->meaning.class),
                   got->meaning.rule ? got->meaning.rule->name : "none", got->meaning.evidence,
                   TEXT_ARG(text_cut(got->said, 0, 200)));
    }
    (void)b;
}

/* `n`: the row's place among those of its file. One that names no recipient is about the one that
 * has this place, where there is one. */
static void score_row(const struct text *row, size_t n, const struct bounce *b)
{
    static const struct bounce_recipient nobody;
    const struct bounce_recipient *got = b->recipient_count > n   ? &b->recipients[n]
                                         : b->recipient_count > 0 ? &b->recipients[0]
                                                                  : &nobody;
    if (row[RECIPIENT].n > 0) {
        const struct bounce_recipient *found = find(b, row[RECIPIENT]);
        count(&recipients, found != NULL);
        if (!found)
            miss(row, "recipient", z(row[RECIPIENT]),
                 b->recipient_count ? b->recipients[0].address : TEXT("nobody"));
        else
            got = found;
    }
    if (!text_eq(row[KIND], TEXT("feedback")))
        score_details(row, b, got);
}

static void score_mail(const struct text *row, const struct bounce *b)
{
    bool is_report = b->kind == BOUNCE_REPORT || b->kind == BOUNCE_COMPLAINT;
    struct text kind = row[KIND];
    if (text_eq(kind, TEXT("unlabelled")))
        return;
    bool want = !text_eq(kind, TEXT("autoreply")) && !text_eq(kind, TEXT("notbounce"));
    enum bounce_kind exact = text_eq(kind, TEXT("feedback"))    ? BOUNCE_COMPLAINT
                             : text_eq(kind, TEXT("autoreply")) ? BOUNCE_AUTOREPLY
                                                                : BOUNCE_REPORT;
    count(want ? &detected : &quiet, is_report == want);
    if (!text_eq(kind, TEXT("notbounce")))
        count(&kinds, b->kind == exact);
    if (is_report != want || (!text_eq(kind, TEXT("notbounce")) && b->kind != exact))
        miss(row, "kind", z(kind), text_of(bounce_kind_name(b->kind)));
}

/* A file may hold several mails: the first, with the recipients of all. */
static void read_file(struct text rest, struct arena *a, struct bounce *ret)
{
    static struct bounce_recipient all[4 * BOUNCE_RECIPIENTS_MAX];
    struct tide_error err = {0};
    struct text mail;
    size_t n = 0;
    bool first = true;
    *ret = (struct bounce){0};
    while (mbox_next(&rest, &mail)) {
        struct bounce b;
        T_OK(bounce_read(mail, book, NULL, a, &b, &err), &err, "a mail of the corpus");
        for (size_t i = 0; i < b.recipient_count && n < TIDE_COUNT(all); i++)
            all[n++] = b.recipients[i];
        if (first)
            *ret = b;
        first = false;
    }
    ret->recipients = all;
    ret->recipient_count = n;
}

/* Rows of one mail stand together. */
static void score_file(const char *dir, struct text (*rows)[CELLS], size_t n)
{
    struct arena a = {0};
    struct tide_error err = {0};
    struct buf mail = {0};
    struct bounce b;
    char path[600];
    snprintf(path, sizeof path, "%s/bounces/%s/%s", dir, z(rows[0][SOURCE]), z(rows[0][FILE_NAME]));
    T_OK(file_read(path, 8 << 20, &mail, &err), &err, "%s", path);
    read_file(buf_text(&mail), &a, &b);
    score_mail(rows[0], &b);
    bool labelled = false;
    for (size_t i = 0; i < n; i++) {
        labelled |= rows[i][RECIPIENT].n > 0;
        if (!text_eq(rows[i][KIND], TEXT("unlabelled")))
            score_row(rows[i], i, &b);
    }
    for (size_t i = 0; labelled && i < b.recipient_count; i++) {
        bool known = false;
        for (size_t k = 0; k < n; k++)
            known |= text_ieq(rows[k][RECIPIENT], b.recipients[i].address) ||
                     text_ieq(rows[k][RECIPIENT], b.recipients[i].final);
        count(&spurious, known);
        if (!known)
            miss(rows[0], "spurious", "nobody", b.recipients[i].address);
    }
    arena_fini(&a);
    buf_fini(&mail);
}

static void report(const struct score *s)
{
    printf("%-36s %4zu of %4zu  %5.1f %%\n", s->name, s->right, s->of,
           s->of ? 100.0 * (double)s->right / (double)s->of : 0);
}

static void at_least(const struct score *s, double percent)
{
    T_TRUE((double)s->right >= percent / 100 * (double)s->of, "%s: %zu of %zu, want %.1f %%",
           s->name, s->right, s->of, percent);
}

static void test_bounces(void **state)
{
    (void)state;
    const char *dir = corpora_dir("bounces");
    if (!dir)
        return;
    verbose = getenv("VERBOSE") != NULL;
    book = real_rules();

    size_t size, n = 0;
    char *content = tsv_read(dir, "bounces/labels.tsv", &size);
    struct text rest = {content, size}, line;
    static struct text rows[32][CELLS];
    while (text_split(&rest, '\n', &line)) {
        struct text row[CELLS] = {{0}}, cell;
        if (line.n == 0 || line.p[0] == '#' || text_starts(line, TEXT("source\t")))
            continue;
        for (size_t i = 0; tsv_cell(&line, &cell); i++)
            if (i < CELLS)
                row[i] = cell;
        bool same = n > 0 && text_eq(rows[0][FILE_NAME], row[FILE_NAME]) &&
                    text_eq(rows[0][SOURCE], row[SOURCE]);
        if (n > 0 && (!same || n == TIDE_COUNT(rows))) {
            score_file(dir, rows, n);
            n = 0;
        }
        memcpy(rows[n++], row, sizeof row);
    }
    if (n > 0)
        score_file(dir, rows, n);
    const struct score *all[] = {&detected, &quiet,   &kinds,   &recipients, &spurious,
                                 &statuses, &replies, &actions, &classes,    &near};
    for (size_t i = 0; i < TIDE_COUNT(all); i++)
        report(all[i]);
    at_least(&detected, 99.5);
    at_least(&quiet, 100);
    at_least(&recipients, 99.5);
    at_least(&statuses, 99.6);
    at_least(&near, 95);
    free(content);
    rulebook_free(book);
}

/* Ordinary mail, from two MIME test suites: none is a report but the one that is. */
static void test_ordinary_mail(void **state)
{
    static const char *const folders[] = {"mime/mime4j", "mime/enmime"};
    (void)state;
    const char *dir = corpora_dir("ordinary mail");
    if (!dir)
        return;
    size_t mails = 0, reports = 0;
    for (size_t i = 0; i < TIDE_COUNT(folders); i++) {
        char path[600];
        struct dirent *entry;
        snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        DIR *d = opendir(path);
        T_TRUE(d != NULL, "%s", path);
        while ((entry = readdir(d)) != NULL) {
            struct text name = text_of(entry->d_name);
            struct arena a = {0};
            struct tide_error err = {0};
            struct buf mail = {0};
            struct bounce b;
            if (!text_iends(name, TEXT(".msg")) && !text_iends(name, TEXT(".raw")))
                continue;
            snprintf(path, sizeof path, "%s/%s/%s", dir, folders[i], entry->d_name);
            T_OK(file_read(path, 8 << 20, &mail, &err), &err, "%s", path);
            T_OK(bounce_read(buf_text(&mail), NULL, NULL, &a, &b, &err), &err, "%s", path);
            mails++;
            reports += b.kind != BOUNCE_OTHER;
            if (b.kind != BOUNCE_OTHER)
                T_STR(entry->d_name, "badbound.msg", "it is a %s", bounce_kind_name(b.kind));
            arena_fini(&a);
            buf_fini(&mail);
        }
        closedir(d);
    }
    printf("ordinary mails: %zu, of them reports: %zu\n", mails, reports);
    T_TRUE(mails > 50, "only %zu mails", mails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounces),
                                       cmocka_unit_test(test_ordinary_mail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
