#include "io/loop/listen.h"
#include "lib/check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct {
    const char *in;
    enum tide_err want;
    const char *text; /* of the parsed address, or in the error */
} specs[] = {
    {"127.0.0.1:2525", TIDE_OK, "127.0.0.1:2525"},
    {"localhost:0", TIDE_OK, "127.0.0.1:0"},
    {"[::1]:25", TIDE_OK, "[::1]:25"},
    {"*:25", TIDE_OK, "[::]:25"},
    {"unix:/run/mailtide/smtp.sock", TIDE_OK, "unix:/run/mailtide/smtp.sock"},
    {"", TIDE_ESYNTAX, "want ADDRESS:PORT"},
    {"2525", TIDE_ESYNTAX, "want ADDRESS:PORT"},
    {":2525", TIDE_ESYNTAX, "want ADDRESS:PORT"},
    {"example.org:25", TIDE_ESYNTAX, "want ADDRESS:PORT"},
    {"::1:25", TIDE_ESYNTAX, "want ADDRESS:PORT"},
    {"[127.0.0.1]:25", TIDE_ESYNTAX, "want ADDRESS:PORT"},
    {"[]:25", TIDE_ESYNTAX, "want ADDRESS:PORT"},
    {"127.0.0.1:65536", TIDE_ERANGE, "port"},
    {"127.0.0.1:smtp", TIDE_ESYNTAX, "port"},
    {"unix:smtp.sock", TIDE_ESYNTAX, "want a path with a"},
    {"unix:./smtp.sock", TIDE_OK, "unix:./smtp.sock"},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(specs); i++) {
        struct listen_spec s;
        struct tide_error err = {0};
        char text[LISTEN_NAME_BYTES];
        T_EQ(listen_parse(text_of(specs[i].in), &s, &err), specs[i].want, "%s: %s", specs[i].in,
             err.text);
        if (specs[i].want != TIDE_OK)
            T_TRUE(strstr(err.text, specs[i].text), "%s: %s", specs[i].in, err.text);
        else
            T_STR(listen_address_text((struct sockaddr *)&s.address, s.address_len, text,
                                      sizeof text),
                  specs[i].text, "%s", specs[i].in);
    }
    char longest[300] = "unix:/";
    struct listen_spec s;
    struct tide_error err;
    memset(longest + 6, 'x', 112);
    T_EQ(listen_parse(text_of(longest), &s, &err), TIDE_ELIMIT, "a path too long for a socket");
    memset(longest + 6, 'x', 290);
    T_EQ(listen_parse(text_of(longest), &s, &err), TIDE_ELIMIT, "far too long");
}

static void test_port_zero_gets_a_port(void **state)
{
    (void)state;
    struct listen_spec s, same;
    struct tide_error err;
    int fd, second;
    char name[LISTEN_NAME_BYTES];
    T_OK(listen_parse(TEXT("127.0.0.1:0"), &s, &err), &err, "parse");
    T_OK(listen_open(&s, 0, &fd, &err), &err, "open");
    T_TRUE(listen_port(fd) > 0, "a port");
    listen_name(fd, name, sizeof name);
    T_OK(listen_parse(text_of(name), &same, &err), &err, "%s", name);
    T_EQ(listen_open(&same, 0, &second, &err), TIDE_EBUSY, "somebody listens there");
    T_TRUE(strstr(err.text, name), "the address is named: %s", err.text);
    listen_close(&s, fd);
}

static void test_unix_socket_is_taken_over_when_stale(void **state)
{
    (void)state;
    char dir[] = "/tmp/mailtide-listen-XXXXXX", text[64];
    struct listen_spec s;
    struct tide_error err;
    struct stat st;
    int fd, second;
    T_TRUE(mkdtemp(dir), "a folder");
    snprintf(text, sizeof text, "unix:%s/s", dir);
    T_OK(listen_parse(text_of(text), &s, &err), &err, "%s", text);
    T_OK(listen_open(&s, 0660, &fd, &err), &err, "open");
    T_TRUE(stat(text + 5, &st) == 0 && (st.st_mode & 0777) == 0660, "its permissions");
    T_EQ(listen_port(fd), 0, "no port");
    T_EQ(listen_open(&s, 0660, &second, &err), TIDE_EBUSY, "in use");
    close(fd); /* as a process that was killed: the path stays */
    T_OK(listen_open(&s, 0660, &fd, &err), &err, "taken over");
    listen_close(&s, fd);
    T_TRUE(stat(text + 5, &st) != 0, "removed");
    FILE *f = fopen(text + 5, "w");
    T_TRUE(f && fclose(f) == 0, "a file in its place");
    T_EQ(listen_open(&s, 0660, &fd, &err), TIDE_EBUSY, "a file that is no socket is left alone");
    unlink(text + 5);
    rmdir(dir);
}

static void test_local(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        bool local;
    } cases[] = {
        {"127.9.8.7:1", true},  {"[::1]:1", true},
        {"unix:/x", true},      {"[::ffff:127.0.0.1]:1", true},
        {"192.0.2.1:1", false}, {"[2001:db8::1]:1", false},
        {"0.0.0.0:1", false},   {"[::ffff:10.0.0.1]:1", false},
    };
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct listen_spec s;
        struct tide_error err;
        T_OK(listen_parse(text_of(cases[i].spec), &s, &err), &err, "%s", cases[i].spec);
        T_EQ(listen_is_local((struct sockaddr *)&s.address), cases[i].local, "%s", cases[i].spec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_port_zero_gets_a_port),
        cmocka_unit_test(test_unix_socket_is_taken_over_when_stale),
        cmocka_unit_test(test_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
