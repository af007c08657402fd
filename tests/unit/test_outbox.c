#include "io/release/account.h"
#include "lib/check.h"

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct box {
    uv_loop_t loop;
    struct config_account config;
    struct clock clock;
    struct account *account;
    char dir[64], path[128];
    int done;
    bool in_send, closed;
};

struct sent {
    struct account_mail mail;
    struct account_outcome outcome;
    int done;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void box_open(struct box *b)
{
    struct tide_error err;
    snprintf(b->dir, sizeof b->dir, "/tmp/mailtide-outbox-XXXXXX");
    T_TRUE(mkdtemp(b->dir) != NULL, "a folder");
    snprintf(b->path, sizeof b->path, "%s/not/yet/there", b->dir);
    T_EQ(uv_loop_init(&b->loop), 0, "loop");
    b->config = (struct config_account){.name = b->dir, .type = ACCOUNT_OUTBOX, .path = b->path};
    clock_init_real(&b->clock);
    T_OK(account_open(&b->loop, &b->config, &b->clock, &b->account, &err), &err, "open");
}

static void on_closed(void *arg)
{
    ((struct box *)arg)->closed = true;
}

static void box_close(struct box *b)
{
    account_close(b->account, on_closed, b);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    T_TRUE(b->closed, "closed");
    T_EQ(uv_loop_close(&b->loop), 0, "all handles are closed");
    nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void on_done(struct account_mail *mail, const struct account_outcome *outcome)
{
    struct sent *s = container_of(mail, struct sent, mail);
    struct box *b = mail->arg;
    T_TRUE(!b->in_send, "a callback from inside account_send()");
    s->outcome = *outcome;
    s->done++;
    b->done++;
}

static void box_send(struct box *b, struct sent *s, tide_id id, const char *message)
{
    *s = (struct sent){.mail = {.attempt_id = id,
                                .sender = TEXT("app@example.org"),
                                .recipient = TEXT("bruce@client.example"),
                                .message = text_of(message),
                                .done = on_done,
                                .arg = b}};
    b->in_send = true;
    account_send(b->account, &s->mail);
    b->in_send = false;
}

static void box_wait(struct box *b, int done)
{
    while (b->done < done)
        uv_run(&b->loop, UV_RUN_ONCE);
}

static int count(const struct box *b, const char *folder)
{
    char path[256];
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", b->path, folder);
    DIR *dir = opendir(path);
    T_TRUE(dir != NULL, "%s", path);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void file_of(
    const struct box *b, const char *folder, tide_id id, const char *flags, char *out)
{
    char text[ID_TEXT_BYTES];
    snprintf(out, 256, "%s/%s/%s.mailtide%s", b->path, folder, id_text(id, text), flags);
}

static void test_one_mail(void **state)
{
    (void)state;
    struct box b = {0};
    struct sent s;
    char path[256], content[512] = "";
    box_open(&b);
    box_send(&b, &s, 77, "Subject: x\r\n\r\n.hello\r\n\r\nbare\nlast");
    box_wait(&b, 1);
    T_EQ(s.outcome.result, ACCOUNT_ACCEPTED, "%s", s.outcome.reply.text);
    T_EQ(s.outcome.reply.code, 250, "a reply like any other");
    file_of(&b, "new", 77, "", path);
    FILE *f = fopen(path, "r");
    T_TRUE(f != NULL, "%s", path);
    size_t n = fread(content, 1, sizeof content - 1, f);
    fclose(f);
    content[n] = '\0';
    T_STR(content,
          "Return-Path: <app@example.org>\nDelivered-To: bruce@client.example\nSubject: x\n\n"
          ".hello\n\nbare\nlast",
          "as Maildir readers want it");
    struct stat st;
    T_EQ(stat(path, &st), 0, "%s", path);
    T_EQ(st.st_mode & 0777, 0600, "nobody else reads it");
    T_EQ(count(&b, "tmp"), 0, "nothing is left in tmp");
    box_close(&b);
}

static void test_same_attempt_twice_is_one_file(void **state)
{
    (void)state;
    struct box b = {0};
    struct sent s;
    char from[256], to[256];
    box_open(&b);
    T_EQ(account_settle(b.account, 5), SETTLED_NOT_ARRIVED, "not yet");
    for (int i = 1; i <= 2; i++) {
        box_send(&b, &s, 5, "x\r\n");
        box_wait(&b, i);
        T_EQ(s.outcome.result, ACCOUNT_ACCEPTED, "%d", i);
    }
    T_EQ(count(&b, "new"), 1, "one file");
    T_EQ(account_settle(b.account, 5), SETTLED_ARRIVED, "in new");
    T_EQ(account_settle(b.account, 6), SETTLED_NOT_ARRIVED, "another");
    file_of(&b, "new", 5, "", from);
    file_of(&b, "cur", 5, ":2,S", to);
    T_EQ(rename(from, to), 0, "a reader has seen it");
    T_EQ(account_settle(b.account, 5), SETTLED_ARRIVED, "in cur");
    box_send(&b, &s, 5, "x\r\n");
    box_wait(&b, 3);
    T_EQ(s.outcome.result, ACCOUNT_ACCEPTED, "again");
    T_EQ(count(&b, "new") + count(&b, "cur"), 1, "still one file");
    box_close(&b);
}

static void test_many_and_room(void **state)
{
    (void)state;
    struct box b = {0};
    static struct sent s[100];
    box_open(&b);
    int room = account_room(b.account);
    T_TRUE(room > 0, "room");
    for (int i = 0; i < 100; i++) {
        box_send(&b, &s[i], 1000 + i, "x\r\n");
        T_EQ(account_room(b.account), TIDE_MAX(0, room - i - 1), "after %d", i);
    }
    box_wait(&b, 100);
    T_EQ(count(&b, "new"), 100, "all there");
    T_EQ(account_room(b.account), room, "free again");
    box_close(&b);
}

static void test_close_with_mails_inside(void **state)
{
    (void)state;
    struct box b = {0};
    static struct sent s[50];
    int accepted = 0, not_sent = 0;
    box_open(&b);
    for (int i = 0; i < 50; i++)
        box_send(&b, &s[i], 1000 + i, "x\r\n");
    uv_run(&b.loop, UV_RUN_NOWAIT);
    account_close(b.account, on_closed, &b);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    T_TRUE(b.closed, "closed");
    for (int i = 0; i < 50; i++) {
        T_EQ(s[i].done, 1, "one outcome");
        accepted += s[i].outcome.result == ACCOUNT_ACCEPTED;
        not_sent += s[i].outcome.result == ACCOUNT_NOT_SENT;
    }
    T_EQ(accepted + not_sent, 50, "nothing else");
    T_EQ(count(&b, "new"), accepted, "what was accepted is there, nothing else");
    T_EQ(uv_loop_close(&b.loop), 0, "all handles are closed");
    nftw(b.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file size limit stands in for a full disk: the same write fails in the same place. */
static void test_no_space(void **state)
{
    (void)state;
    struct box b = {0};
    struct sent s;
    struct rlimit was, small = {10, RLIM_INFINITY};
    box_open(&b);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    small.rlim_max = was.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    box_send(&b, &s, 9, "Subject: x\r\n\r\nhello\r\n");
    box_wait(&b, 1);
    setrlimit(RLIMIT_FSIZE, &was);
    T_EQ(s.outcome.result, ACCOUNT_NOT_SENT, "%s", s.outcome.reply.text);
    T_TRUE(s.outcome.account_fault, "concerns every mail");
    T_TRUE(strstr(s.outcome.reply.text, "File too large") && strstr(s.outcome.reply.text, b.path),
           "named: %s", s.outcome.reply.text);
    T_EQ(count(&b, "new") + count(&b, "tmp"), 0, "nothing half written");
    box_send(&b, &s, 9, "Subject: x\r\n\r\nhello\r\n");
    box_wait(&b, 2);
    T_EQ(s.outcome.result, ACCOUNT_ACCEPTED, "recovers by itself");
    box_close(&b);
}

static void test_cannot_open(void **state)
{
    (void)state;
    struct tide_error err;
    struct account *a;
    struct clock clock = {0};
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct config_account config = {
        .name = (char *)(uintptr_t) "out",
        .type = ACCOUNT_OUTBOX,
        .path = (char *)(uintptr_t) "/dev/null/outbox",
    };
    T_EQ(account_open(&loop, &config, &clock, &a, &err), TIDE_EIO, "not a folder");
    T_TRUE(strstr(err.text, "account out: outbox: cannot make the folder /dev/null"), "%s",
           err.text);
    uv_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_mail),      cmocka_unit_test(test_same_attempt_twice_is_one_file),
        cmocka_unit_test(test_many_and_room), cmocka_unit_test(test_close_with_mails_inside),
        cmocka_unit_test(test_no_space),      cmocka_unit_test(test_cannot_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
