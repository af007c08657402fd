/* The SMTP account against a server that is not ours: Postfix's smtp-sink, which this test starts
 * on a free loopback port with one fault after the other, and ends. */
#include "io/release/account.h"
#include "lib/check.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAILS 20

static const struct {
    const char *name, *options[2];
    enum account_result result;
    enum reply_stage stage;
    int code;
    bool account_fault;
} cases[] = {
    {"pipelined", {0}, ACCOUNT_ACCEPTED, STAGE_DOT, 250, false},
    {"not pipelined", {"-p"}, ACCOUNT_ACCEPTED, STAGE_DOT, 250, false},
    {"no ESMTP", {"-e"}, ACCOUNT_ACCEPTED, STAGE_DOT, 250, false},
    {"MAIL refused for now", {"-r", "mail"}, ACCOUNT_REFUSED, STAGE_MAIL, 450, false},
    {"RCPT refused", {"-f", "rcpt"}, ACCOUNT_REFUSED, STAGE_RCPT, 500, false},
    {"DATA refused for now", {"-r", "data"}, ACCOUNT_REFUSED, STAGE_DATA, 450, false},
    {"message refused", {"-f", "."}, ACCOUNT_REFUSED, STAGE_DOT, 500, false},
    {"greeting refused", {"-f", "connect"}, ACCOUNT_NOT_SENT, STAGE_GREETING, 500, true},
    {"421 at MAIL", {"-Q", "mail"}, ACCOUNT_REFUSED, STAGE_MAIL, 421, true},
    {"421 at the dot", {"-Q", "."}, ACCOUNT_REFUSED, STAGE_DOT, 421, true},
    {"gone at EHLO", {"-q", "ehlo"}, ACCOUNT_NOT_SENT, STAGE_EHLO, 0, true},
    {"gone at RCPT", {"-q", "rcpt"}, ACCOUNT_NOT_SENT, STAGE_RCPT, 0, true},
    {"gone at the dot", {"-q", "."}, ACCOUNT_UNKNOWN, STAGE_DOT, 0, true},
};

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int free_port(void)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    T_EQ(bind(fd, (struct sockaddr *)&a, sizeof a), 0, "bind");
    T_EQ(getsockname(fd, (struct sockaddr *)&a, &len), 0, "name");
    close(fd);
    return ntohs(a.sin_port);
}

static bool listens(int port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return ok;
}

static const char *sink_path(void)
{
    static const char *const paths[] = {"/usr/sbin/smtp-sink", "/usr/local/sbin/smtp-sink"};
    for (size_t i = 0; i < TIDE_COUNT(paths); i++)
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    return NULL;
}

static pid_t start_sink(int port, const char *const options[2], const char *dump)
{
    char where[32];
    const char *argv[12] = {"smtp-sink"};
    size_t n = 1;
    snprintf(where, sizeof where, "127.0.0.1:%d", port);
    if (geteuid() == 0) { /* it refuses to run as root without being told whom to become */
        argv[n++] = "-u";
        argv[n++] = "nobody";
    }
    for (size_t i = 0; i < 2 && options[i]; i++)
        argv[n++] = options[i];
    if (dump) {
        argv[n++] = "-d";
        argv[n++] = dump;
    }
    argv[n++] = where;
    argv[n++] = "128";
    pid_t pid = fork();
    if (pid == 0) {
        execv(sink_path(), (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    for (int i = 0; i < 500 && !listens(port); i++)
        usleep(5000); /* it has no way to say that it is ready but to listen */
    T_TRUE(listens(port), "smtp-sink does not listen");
    return pid;
}

struct run {
    struct account_mail mails[MAILS];
    struct account_outcome outcomes[MAILS];
    int done;
    bool closed;
};

static void on_done(struct account_mail *mail, const struct account_outcome *outcome)
{
    struct run *r = mail->arg;
    r->outcomes[mail - r->mails] = *outcome;
    r->done++;
}

static void on_closed(void *arg)
{
    ((struct run *)arg)->closed = true;
}

static void send_all(int port, struct run *r, const char *message)
{
    struct config_account config = {.name = (char *)(uintptr_t) "sink",
                                    .type = ACCOUNT_SMTP,
                                    .host = (char *)(uintptr_t) "localhost",
                                    .port = port,
                                    .helo = (char *)(uintptr_t) "me.example",
                                    .connections = 3,
                                    .connect_timeout_ms = 5000,
                                    .command_timeout_ms = 5000,
                                    .dot_timeout_ms = 5000};
    struct clock clock;
    struct account *a;
    struct tide_error err;
    uv_loop_t loop;
    clock_init_real(&clock);
    T_EQ(uv_loop_init(&loop), 0, "loop");
    T_OK(account_open(&loop, &config, &clock, &a, &err), &err, "open");
    for (int i = 0; i < MAILS; i++) {
        r->mails[i] = (struct account_mail){.attempt_id = i + 1,
                                            .sender = TEXT("app@example.org"),
                                            .recipient = TEXT("bruce@example.com"),
                                            .message = text_of(message),
                                            .done = on_done,
                                            .arg = r};
        account_send(a, &r->mails[i]);
    }
    while (r->done < MAILS)
        uv_run(&loop, UV_RUN_ONCE);
    account_close(a, on_closed, r);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_TRUE(r->closed, "closed");
    T_EQ(uv_loop_close(&loop), 0, "all handles are closed");
}

static void end_sink(pid_t pid)
{
    kill(pid, SIGTERM);
    T_EQ(waitpid(pid, NULL, 0), pid, "smtp-sink ends");
}

static void test_every_stage(void **state)
{
    (void)state;
    if (!sink_path()) {
        printf("SKIPPED: smtp-sink (package postfix) is not installed\n");
        return;
    }
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct run r = {0};
        int port = free_port();
        pid_t pid = start_sink(port, cases[i].options, NULL);
        send_all(port, &r, "Subject: x\r\n\r\nhello\r\n");
        end_sink(pid);
        for (int k = 0; k < MAILS; k++) {
            const struct account_outcome *o = &r.outcomes[k];
            T_EQ(o->result, cases[i].result, "%s: %s", cases[i].name, o->reply.text);
            T_EQ(o->stage, cases[i].stage, "%s: %s", cases[i].name, o->reply.text);
            T_EQ(o->reply.code, cases[i].code, "%s: %s", cases[i].name, o->reply.text);
            T_EQ(o->account_fault, cases[i].account_fault, "%s: %s", cases[i].name, o->reply.text);
        }
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* What the server took down is what was sent, dots and all. */
static void test_content_arrives(void **state)
{
    (void)state;
    static const char message[] = "Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\nend\r\n";
    if (!sink_path()) {
        printf("SKIPPED: smtp-sink (package postfix) is not installed\n");
        return;
    }
    char dir[] = "/tmp/mailtide-sink-XXXXXX", dump[64], path[512], content[4096];
    struct run r = {0};
    int port = free_port(), files = 0;
    T_TRUE(mkdtemp(dir) != NULL, "a folder");
    T_EQ(chmod(dir, 0777), 0, "nobody writes there");
    snprintf(dump, sizeof dump, "%s/m.", dir);
    pid_t pid = start_sink(port, (const char *const[2]){0}, dump);
    send_all(port, &r, message);
    end_sink(pid);
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        FILE *f = fopen(path, "r");
        T_TRUE(f != NULL, "%s", path);
        size_t n = fread(content, 1, sizeof content - 1, f);
        fclose(f);
        content[n] = '\0';
        files += strstr(content, "Subject: dots\n\n.one\n..two\n.\nend\n") != NULL;
    }
    closedir(d);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    T_EQ(files, MAILS, "messages as they were sent; the last one seen: %s", content);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_stage),
        cmocka_unit_test(test_content_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
