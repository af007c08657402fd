/* The table of commands: parsing, nearest words, and the manual that is made of it. */
#include "cmd/mailtide/cli.h"

#include "base/file.h"
#include "cmd/mailtide/manual.h"
#include "core/config/keys.h"
#include "lib/check.h"

#include <unistd.h>

#define PAGE_BYTES_MAX (1u << 20)

/* Runs cli_parse() over words divided by blanks; what it says goes to *ret_said. */
static int parse(const char *line, struct cli *cli, char *words, size_t size, struct buf *ret_said)
{
    char *argv[32] = {(char *)"mailtide"};
    int argc = 1, pipe_fd[2], was = dup(STDERR_FILENO);
    struct text rest = text_of(line), word;
    size_t used = 0;
    while (argc < 31 && text_split(&rest, ' ', &word)) {
        if (word.n == 0)
            break;
        argv[argc++] = words + used;
        used += (size_t)snprintf(words + used, size - used, TEXT_FMT, TEXT_ARG(word)) + 1;
    }
    T_EQ(pipe(pipe_fd), 0, "pipe");
    dup2(pipe_fd[1], STDERR_FILENO);
    int code = cli_parse(cli, argc, argv);
    fflush(stderr);
    dup2(was, STDERR_FILENO);
    close(was);
    close(pipe_fd[1]);
    for (ssize_t n; (n = read(pipe_fd[0], buf_room(ret_said, 1024), 1024)) > 0;)
        buf_added(ret_said, (size_t)n);
    close(pipe_fd[0]);
    return code;
}

static void test_parse(void **state)
{
    static const struct {
        const char *line;
        int code;
        const char *command, *option, *value; /* an option that was given */
        const char *said;                     /* a part of what is said */
    } cases[] = {
        {"status", CLI_OK, "status", NULL, NULL, ""},
        {"--json status", CLI_OK, "status", "json", "", ""},
        {"status --json", CLI_OK, "status", "json", "", ""},
        {"-s /run/x queue", CLI_OK, "queue", "socket", "/run/x", ""},
        {"queue -s/run/x", CLI_OK, "queue", "socket", "/run/x", ""},
        {"queue --most=5", CLI_OK, "queue", "most", "5", ""},
        {"queue -n 5", CLI_OK, "queue", "most", "5", ""},
        {"check-config -n -c x.conf", CLI_OK, "check-config", "non-defaults", "", ""},
        {"check-config -nc x.conf", CLI_OK, "check-config", "config", "x.conf", ""},
        {"why a@b.example", CLI_OK, "why", NULL, NULL, ""},
        {"why -- -odd@b.example", CLI_OK, "why", NULL, NULL, ""},
        {"--version", CLI_OK, "version", NULL, NULL, ""},
        {"--help", CLI_OK, "help", "help", "", ""},
        {"why --help", CLI_OK, "why", "help", "", ""},
        {"", CLI_USAGE, NULL, NULL, NULL, "want a command"},
        {"statsu", CLI_USAGE, NULL, NULL, NULL, "did you mean status?"},
        {"frobnicate", CLI_USAGE, NULL, NULL, NULL, "there is no command frobnicate; see"},
        {"queue --recipent x", CLI_USAGE, NULL, NULL, NULL, "did you mean --recipient?"},
        {"queue -x", CLI_USAGE, NULL, NULL, NULL, "there is no option -x"},
        {"status -n 5", CLI_USAGE, NULL, NULL, NULL, "there is no option -n"},
        {"queue -n", CLI_USAGE, NULL, NULL, NULL, "-n wants N"},
        {"queue --most", CLI_USAGE, NULL, NULL, NULL, "--most wants N"},
        {"queue --json=yes", CLI_USAGE, NULL, NULL, NULL, "--json takes no value"},
        {"why", CLI_USAGE, NULL, NULL, NULL, "why wants ADDRESS|ID"},
        {"why a b", CLI_USAGE, NULL, NULL, NULL, "why takes no \"b\""},
        {"status now", CLI_USAGE, NULL, NULL, NULL, "status takes no \"now\""},
        {"top --json --json --json --json --json --json --json --json --json --json --json --json "
         "--json --json --json --json --json --json --json --json --json --json --json --json "
         "--json",
         CLI_USAGE, NULL, NULL, NULL, "too many options"},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct cli cli = {0};
        struct buf said = {0};
        char words[512];
        T_EQ(parse(cases[i].line, &cli, words, sizeof words, &said), cases[i].code, "%s",
             cases[i].line);
        T_TRUE(strstr(buf_str(&said), cases[i].said), "%s: said %s", cases[i].line, buf_str(&said));
        if (cases[i].command)
            T_STR(cli.command->name, cases[i].command, "%s", cases[i].line);
        if (cases[i].option) {
            const char *value = cli_option_value(&cli, cases[i].option);
            T_TRUE(value, "%s", cases[i].line);
            T_STR(value, cases[i].value, "%s", cases[i].line);
        }
        buf_fini(&said);
    }
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_option_count; i++) {
        const struct cli_option *o = &cli_options[i];
        T_TRUE(!o->command || cli_command_of(text_of(o->command)), "%s is of a command", o->name);
        for (size_t k = 0; k < i; k++) {
            const struct cli_option *p = &cli_options[k];
            bool meet = !o->command || !p->command || strcmp(o->command, p->command) == 0;
            T_TRUE(!meet || strcmp(o->name, p->name) != 0, "--%s twice", o->name);
            T_TRUE(!meet || !o->letter || o->letter != p->letter, "-%c twice", o->letter);
        }
    }
    for (size_t i = 0; i < cli_command_count; i++)
        T_TRUE(cli_commands[i].run && cli_commands[i].help, "%s", cli_commands[i].name);
}

/* Between ".\" list NAME" and ".\" end NAME" stands what the table says; `make manual` puts it. */
static void test_manual(void **state)
{
    static const struct {
        const char *page, *list;
    } cases[] = {
        {"src/cmd/mailtide/mailtide.1", "commands"},
        {"src/cmd/mailtide/mailtide.1", "exits"},
        {"src/cmd/mailtided/mailtide.conf.5", "keys"},
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct buf page = {0}, want = {0};
        struct tide_error err;
        T_OK(file_read(cases[i].page, PAGE_BYTES_MAX, &page, &err), &err, "%s", cases[i].page);
        buf_addf(&want, ".\\\" list %s\n", cases[i].list);
        T_TRUE(manual_list(cases[i].list, &want), "%s", cases[i].list);
        buf_addf(&want, ".\\\" end %s\n", cases[i].list);
        T_TRUE(strstr(buf_str(&page), buf_str(&want)),
               "%s: the list \"%s\" is not that of the table: make manual", cases[i].page,
               cases[i].list);
        buf_fini(&page);
        buf_fini(&want);
    }
    struct buf none = {0};
    T_TRUE(!manual_list("nothing", &none), "an unknown list");
}

/* Each key, command and option is in its page, by name. */
static void test_complete(void **state)
{
    struct buf keys = {0}, commands = {0};
    char entry[128];
    (void)state;
    T_TRUE(manual_list("keys", &keys) && manual_list("commands", &commands), "lists");
    for (size_t i = 0; i < config_key_count; i++) {
        T_TRUE(!strchr(config_keys[i].path, '-'), "no key has a hyphen, which roff escapes");
        snprintf(entry, sizeof entry, "\\fB%s\\fR\n", config_keys[i].path);
        T_TRUE(strstr(buf_str(&keys), entry), "%s", config_keys[i].path);
    }
    for (size_t i = 0; i < cli_command_count; i++) {
        struct text rest = text_of(cli_commands[i].name), piece;
        struct buf name = {0}; /* "check\\-config" */
        for (bool first = true; text_split(&rest, '-', &piece); first = false)
            buf_addf(&name, "%s" TEXT_FMT, first ? "\n.SS " : "\\-", TEXT_ARG(piece));
        T_TRUE(strstr(buf_str(&commands), buf_str(&name)), "%s", cli_commands[i].name);
        buf_fini(&name);
    }
    buf_fini(&keys);
    buf_fini(&commands);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
