#include "core/config/config.h"
#include "core/config/keys.h"
#include "io/loop/files.h"
#include "io/loop/listen.h"
#include "lib/check.h"

#include <stdlib.h>
#include <unistd.h>

/* -- A small world of files ---------------------------------------------------------------------
 */

struct file {
    const char *path, *text;
};

static const struct file common_files[] = {
    {"sched/providers/qq.conf", "title = \"QQ\"; mx = [\".qq.com\"]; limits: { recipient-day: { "
                                "scope = \"recipient\"; count = "
                                "10; window = \"day\"; zone = \"Asia/Shanghai\"; source = "
                                "\"observed\"; reference = \"r\"; date "
                                "= \"2026-08-04\"; confidence = \"low\"; }; };"},
    {"sched/accounts/ses.conf",
     "title = \"SES\"; connections = { value = 7; source = \"published\"; reference = \"r\"; date "
     "= "
     "\"2026-08-04\"; confidence = \"high\"; }; limits: { day: { scope = \"account\"; count = 200; "
     "window = \"rolling 1d\"; counts = \"accepted\"; source = \"published\"; reference = \"r\"; "
     "date = \"2026-08-04\"; confidence = \"high\"; }; };"},
    {"sched/accounts/many.conf",
     "title = \"Many\"; api = \"postmark\"; base_url = \"https://api.example.net\"; batch_max = { "
     "value = 500; source = \"published\"; reference = \"r\"; date = \"2026-11-22\"; confidence = "
     "\"high\"; };"},
    {"sched/accounts/few.conf", "title = \"Few\"; api = \"resend\"; base_url = "
                                "\"https://api.example.org\"; batch_max = { value = "
                                "20; source = \"published\"; reference = \"r\"; date = "
                                "\"2026-11-22\"; confidence = \"high\"; };"},
    {"twice/providers/a.conf", "title = \"A\"; mx = [\"mx.example.net\"];"},
    {"twice/providers/b.conf", "title = \"B\"; mx = [\"MX.example.net\"];"},
    {"secrets/ses", "swordfish\n"},
    {"secrets/empty", "\n"},
    {"creds/api", "from-systemd"},
};

struct world {
    const struct file *files; /* ends with path NULL */
};

static const char *world_text(const struct world *w, const char *path)
{
    for (const struct file *f = w->files; f && f->path; f++)
        if (strcmp(f->path, path) == 0)
            return f->text;
    for (size_t i = 0; i < TIDE_COUNT(common_files); i++)
        if (strcmp(common_files[i].path, path) == 0)
            return common_files[i].text;
    return NULL;
}

static enum tide_err world_read(void *arg,
                                const char *path,
                                struct buf *ret,
                                struct tide_error *err)
{
    const char *text = world_text(arg, path);
    if (!text)
        return tide_fail(err, TIDE_ENOENT, "%s: No such file or directory", path);
    buf_adds(ret, text);
    return TIDE_OK;
}

static enum tide_err world_list(void *arg,
                                const char *dir,
                                enum tide_err (*each)(void *each_arg,
                                                      const char *path,
                                                      struct tide_error *err),
                                void *each_arg,
                                struct tide_error *err)
{
    const struct world *w = arg;
    size_t seen = 0, n = strlen(dir);
    enum tide_err rc = TIDE_OK;
    for (const struct file *f = w->files; f && f->path && rc == TIDE_OK; f++)
        if (strncmp(f->path, dir, n) == 0 && f->path[n] == '/' && ++seen)
            rc = each(each_arg, f->path, err);
    for (size_t i = 0; i < TIDE_COUNT(common_files) && rc == TIDE_OK; i++)
        if (strncmp(common_files[i].path, dir, n) == 0 && common_files[i].path[n] == '/' && ++seen)
            rc = each(each_arg, common_files[i].path, err);
    return rc != TIDE_OK || seen ? rc : tide_fail(err, TIDE_ENOENT, "%s: no such folder", dir);
}

static const char *world_env(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "SES_USER") == 0                ? "ann"
           : strcmp(name, "CREDENTIALS_DIRECTORY") == 0 ? "creds"
           : strcmp(name, "MAILTIDE_SCHEDULES") == 0    ? "sched"
                                                        : NULL;
}

static enum tide_err load_world(const struct file *files,
                                struct config **ret,
                                struct tide_error *err)
{
    struct world w = {files};
    struct config_source source = {&w, world_read, world_list, world_env};
    return config_load("etc/mailtide.conf", &source, ret, err);
}

static enum tide_err load_text(const char *text, struct config **ret, struct tide_error *err)
{
    struct file files[] = {{"etc/mailtide.conf", text}, {NULL, NULL}};
    return load_world(files, ret, err);
}

/* -- Defaults -----------------------------------------------------------------------------------
 */

static void test_defaults_are_a_mailtide_for_a_laptop(void **state)
{
    (void)state;
    struct config *c;
    struct tide_error err;
    T_OK(config_load(NULL, NULL, &c, &err), &err, "no file, no source");
    T_STR(c->state_dir, "./mailtide-state", "state_dir");
    T_STR(c->status.socket, "./mailtide-state/status.sock", "socket");
    T_EQ(c->status.mode, 0660, "mode");
    T_STR(c->store.path, "./mailtide-state/mailtide.db", "store");
    T_EQ(c->smtp.listen_count, 1, "one SMTP listener");
    T_STR(c->smtp.listen[0], "127.0.0.1:2525", "smtp");
    T_STR(c->http.listen[0], "127.0.0.1:8025", "http");
    T_STR(c->dns.servers[0], "system", "dns");
    T_EQ(c->smtp.message_bytes_max, 25000000, "25M");
    T_EQ(c->smtp.command_timeout_ms, 300000, "5min");
    T_TRUE(c->planner.direct_share > 0.49 && c->planner.direct_share < 0.51, "half");
    T_EQ(c->stream_count, 3, "streams");
    int urgent = config_stream_index(c, TEXT("urgent")),
        direct = config_stream_index(c, TEXT("direct")),
        notify = config_stream_index(c, TEXT("notify"));
    T_TRUE(urgent >= 0 && direct >= 0 && notify >= 0, "their names");
    T_TRUE(c->streams[urgent].urgent && !c->streams[urgent].digest, "urgent");
    T_EQ(c->streams[urgent].priority, 0, "urgent");
    T_TRUE(!c->streams[direct].urgent && c->streams[direct].digest, "direct");
    T_EQ(c->streams[direct].priority, 3, "direct");
    T_EQ(c->streams[notify].priority, 5, "notify");
    T_EQ(c->account_count, 1, "accounts");
    T_EQ(c->accounts[0].type, ACCOUNT_OUTBOX, "an outbox");
    T_STR(c->accounts[0].path, "./mailtide-state/outbox", "its Maildir");
    T_EQ(c->application_count, 1, "applications");
    const struct config_application *a = &c->applications[0];
    T_STR(a->name, "default", "application");
    T_TRUE(a->anonymous && !a->key.value, "anonymous");
    T_EQ(a->stream, notify, "its stream");
    T_EQ(a->account_count, 1, "its account");
    T_TRUE(config_may_send_as(a, TEXT("example.com")), "as anybody");
    T_EQ(c->profiles.provider_count, 0, "no source, no profiles");
    config_free(c);
}

static void print_of(const struct config *c, struct buf *ret)
{
    buf_clear(ret);
    config_print(c, ret);
}

/* The default file read as it is, and with every default taken up, is the same as no file. */
static void test_default_file_reads_back(void **state)
{
    (void)state;
    struct buf text = {0}, active = {0}, printed = {0};
    struct config *c;
    struct tide_error err;
    config_print_default(&text);
    T_OK(buf_check(&text, &err), &err, "memory");
    T_OK(load_text(buf_str(&text), &c, &err), &err, "as it is");
    print_of(c, &printed);
    T_STR(buf_str(&printed), "schedules = [\"sched\"];\n", "nothing differs");
    config_free(c);

    struct text rest = buf_text(&text), line;
    size_t taken = 0;
    while (text_split(&rest, '\n', &line)) {
        size_t hash = text_find(line, '#');
        if (hash + 1 < line.n && line.p[hash + 1] != ' ') {
            line = text_cut(line, hash + 1, line.n);
            taken++;
        }
        buf_add_text(&active, line);
        buf_addc(&active, '\n');
    }
    T_TRUE(taken > 40, "%zu defaults", taken);
    T_OK(load_text(buf_str(&active), &c, &err), &err, "taken up");
    print_of(c, &printed);
    T_STR(buf_str(&printed), "schedules = [\"sched\"];\n", "nothing differs");
    config_free(c);
    for (size_t i = 0; i < config_key_count; i++) {
        const char *dot = strrchr(config_keys[i].path, '.');
        T_TRUE(strstr(buf_str(&text), dot ? dot + 1 : config_keys[i].path), "names %s",
               config_keys[i].path);
    }
    buf_fini(&text);
    buf_fini(&active);
    buf_fini(&printed);
}

static void test_every_key_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct key *k = &config_keys[i];
        T_TRUE(k->help && strlen(k->help) > 5, "%s: help", k->path);
        T_TRUE(k->min <= k->max, "%s: range", k->path);
        for (size_t j = 0; j < i; j++)
            T_TRUE(strcmp(k->path, config_keys[j].path) != 0, "%s: twice", k->path);
    }
}

/* -- A whole file -------------------------------------------------------------------------------
 */

static const char shop[] =
    "state_dir = \"/var/lib/mailtide\";\n"
    "smtp: { listen = [\"0.0.0.0:25\", \"unix:/run/smtp.sock\"]; message_max = \"8KiB\"; };\n"
    "streams: { urgent: { urgent = true; }; notify: { hold_max = \"4h\"; on_deadline = \"drop\"; "
    "}; };\n"
    "accounts: {\n"
    "  outbox: { type = \"outbox\"; };\n"
    "  ses: { profile = \"ses\"; host = \"smtp.example.net\"; tls = \"implicit\"; port = 465;\n"
    "    auth = \"login\"; user = \"${SES_USER}\"; password = \"file:secrets/ses\";\n"
    "    limits: { day: { count = 50000; }; second: { scope = \"account\"; count = 14;\n"
    "      window = \"rate 1s\"; }; }; };\n"
    "};\n"
    "applications: { shop: { key = \"credential:api\"; senders = [\"example.com\", "
    "\".example.org\"];\n"
    "  stream = \"notify\"; accounts = [\"ses\", \"outbox\"]; }; };\n"
    "providers: { qq: { limits: { recipient-day: { count = 5; }; }; }; };\n";

static void test_a_whole_file(void **state)
{
    (void)state;
    struct config *c;
    struct tide_error err;
    T_OK(load_text(shop, &c, &err), &err, "loads");
    T_STR(c->status.socket, "/var/lib/mailtide/status.sock", "follows state_dir");
    T_EQ(c->smtp.message_bytes_max, 8192, "size");
    T_EQ(c->stream_count, 2, "the built-in streams are gone");
    T_TRUE(!c->streams[0].digest, "urgent is never digested");
    T_EQ(c->streams[1].hold_ms_max, 14400000, "4h");
    T_EQ(c->streams[1].on_deadline, DEADLINE_DROP, "drop");
    const struct config_account *ses = &c->accounts[config_account_index(c, TEXT("ses"))];
    T_EQ(ses->type, ACCOUNT_SMTP, "smtp, if not said");
    T_EQ(ses->tls, TLS_IMPLICIT, "tls");
    T_EQ(ses->auth, AUTH_LOGIN, "auth");
    T_STR(ses->user, "ann", "${SES_USER}");
    T_STR(ses->password.value, "swordfish", "without the line's end");
    T_EQ(ses->connections, 7, "the profile's");
    T_EQ(ses->messages_per_connection, 100, "nobody's");
    T_TRUE(ses->profile && strcmp(ses->profile->title, "SES") == 0, "profile");
    T_EQ(ses->limit_count, 2, "limits");
    T_STR(ses->limits[0].name, "ses/day", "in place of the profile's");
    T_EQ(ses->limits[0].count, 50000, "its own count");
    T_EQ(ses->limits[0].window.kind, WINDOW_ROLLING, "the profile's window");
    T_EQ(ses->limits[0].counts, COUNT_ACCEPTED, "and what it counts");
    T_EQ(ses->limits[0].source, SOURCE_CONFIGURED, "but the operator's word");
    T_EQ(ses->limits[1].burst, 1, "evenly spaced");
    const struct config_application *a = &c->applications[0];
    T_STR(a->key.value, "from-systemd", "credential");
    T_EQ(a->account_count, 2, "accounts");
    T_STR(c->accounts[a->accounts[0]].name, "ses", "in order of preference");
    T_STR(c->streams[a->stream].name, "notify", "stream");
    T_TRUE(config_may_send_as(a, TEXT("EXAMPLE.com")), "case");
    T_TRUE(!config_may_send_as(a, TEXT("a.example.com")), "not below");
    T_TRUE(config_may_send_as(a, TEXT("a.example.org")), "below");
    T_TRUE(!config_may_send_as(a, TEXT("example.org")), "not itself");
    T_TRUE(!config_may_send_as(a, TEXT("badexample.com")), "not its end");
    T_TRUE(config_application_of_key(c, TEXT("from-systemd")) == a, "key");
    T_TRUE(!config_application_of_key(c, TEXT("from-system")), "half a key");
    T_TRUE(!config_application_of_key(c, TEXT("")), "no key");
    T_EQ(c->provider_limit_count, 1, "providers");
    T_STR(c->provider_limits[0].name, "qq/recipient-day", "name");
    T_EQ(c->provider_limits[0].count, 5, "count");
    T_STR(c->provider_limits[0].window.zone, "Asia/Shanghai", "the profile's zone");
    config_free(c);
}

/* What is printed reads back as the same configuration, and never holds a secret. */
static void test_print_hides_secrets_and_reads_back(void **state)
{
    (void)state;
    struct buf first = {0}, second = {0};
    struct config *c;
    struct tide_error err;
    T_OK(load_text(shop, &c, &err), &err, "loads");
    print_of(c, &first);
    config_free(c);
    T_TRUE(!strstr(buf_str(&first), "swordfish"), "%s", buf_str(&first));
    T_TRUE(!strstr(buf_str(&first), "from-systemd"), "%s", buf_str(&first));
    T_TRUE(strstr(buf_str(&first), "password = \"(set)\";"), "%s", buf_str(&first));
    T_TRUE(!strstr(buf_str(&first), "http"), "only what differs: %s", buf_str(&first));
    T_TRUE(strstr(buf_str(&first), "count = 50000;"), "limits: %s", buf_str(&first));
    T_OK(load_text(buf_str(&first), &c, &err), &err, "%s", buf_str(&first));
    print_of(c, &second);
    T_STR(buf_str(&second), buf_str(&first), "the same again");
    config_free(c);
    buf_fini(&first);
    buf_fini(&second);
}

/* How many mails one request may have: what is said; else the profile's, within reason; of APIs
 * alone.
 */
static void test_batch_max(void **state)
{
    (void)state;
    static const struct {
        const char *account;
        int want;
        bool printed; /* as what differs from what is usual */
    } of[] = {
        {"type = \"https\"; profile = \"many\"; key = \"k\";", 50, false},
        {"type = \"https\"; profile = \"many\"; key = \"k\"; batch_max = 500;", 500, true},
        {"type = \"https\"; profile = \"many\"; key = \"k\"; batch_max = 1;", 1, true},
        {"type = \"https\"; profile = \"few\"; key = \"k\";", 20, false},
        {"type = \"https\"; api = \"resend\"; base_url = \"https://x.example\"; key = \"k\";", 1,
         false},
        {"type = \"smtp\"; profile = \"many\"; host = \"x.example\"; batch_max = 9;", 1, false},
        {"type = \"outbox\";", 1, false},
    };
    for (size_t i = 0; i < TIDE_COUNT(of); i++) {
        struct config *c;
        struct tide_error err;
        struct buf text = {0};
        buf_addf(&text, "accounts: { a: { %s }; };", of[i].account);
        T_OK(load_text(buf_str(&text), &c, &err), &err, "%s", of[i].account);
        T_EQ(c->accounts[config_account_index(c, TEXT("a"))].batch_max, of[i].want, "%s",
             of[i].account);
        print_of(c, &text);
        T_EQ(strstr(buf_str(&text), "batch_max") != NULL, of[i].printed, "%s", buf_str(&text));
        config_free(c);
        buf_fini(&text);
    }
}

static void test_conf_d_is_merged_in_order(void **state)
{
    (void)state;
    static const struct file files[] = {
        {"etc/mailtide.conf", "log_level = \"warn\"; smtp: { errors_max = 5; recipients_max = 7; };"
                              "accounts: { a: { type = \"outbox\"; path = \"x\"; }; };"},
        {"etc/conf.d/10.conf", "smtp: { errors_max = 6; }; accounts: { b: { host = \"h\"; }; };"},
        {"etc/conf.d/20.conf", "smtp: { errors_max = 8; }; accounts: { a: { path = \"y\"; }; };"},
        {NULL, NULL},
    };
    struct config *c;
    struct tide_error err;
    T_OK(load_world(files, &c, &err), &err, "loads");
    T_EQ(c->smtp.errors_max, 8, "the last counts");
    T_EQ(c->smtp.recipients_max, 7, "the others stay");
    T_EQ(c->account_count, 2, "accounts add up");
    T_STR(c->accounts[0].path, "y", "and are changed");
    T_EQ(c->applications[0].account_count, 2, "all, if not said");
    config_free(c);
}

/* -- Errors -------------------------------------------------------------------------------------
 */

#define APP(text)     "applications: { a: { key = \"k\"; senders = [\"a.b\"]; " text " }; };"
#define ACCOUNT(text) "accounts: { a: { host = \"h\"; " text " }; };"
#define F             "etc/mailtide.conf"

static const struct {
    const char *text, *want;
} bad[] = {
    {"stat_dir = \"x\";", F ":1: stat_dir: there is no such key; did you mean state_dir?"},
    {"\n\nsmtp: { lisen = []; };", F ":3: smtp.lisen: there is no such key; did you mean "
                                     "listen?"},
    {"smtp: { tls: { cert = \"x\"; }; };", F ":1: smtp.tls.cert: there is no such key"},
    {"smtp = 5;", F ":1: smtp: want a group { ... }"},
    {"smtp: {\n errors_max = \"5\"; };", F ":2: smtp.errors_max: want a whole number, got \"5\""},
    {"smtp: { errors_max = 0; };", F ":1: smtp.errors_max: want 1..10000, got 0"},
    {"smtp: { errors_max = 1.5; };", F ":1: smtp.errors_max: want a whole number, got 1.5"},
    {"smtp: { refuse_early = \"yes\"; };",
     F ":1: smtp.refuse_early: want true or false, got \"yes\""},
    {"smtp: { command_timeout = 300; };",
     F ":1: smtp.command_timeout: want a duration such as \"10min\", got 300"},
    {"smtp: { command_timeout = \"10m\"; };",
     F ":1: smtp.command_timeout: want a duration such as \"10min\", \"4h\" or \"1d 12h\" (ms s "
       "min h d w), got \"10m\""},
    {"smtp: { command_timeout = \"2h\"; };", F ":1: smtp.command_timeout: want 1s..1h, got 2h"},
    {"smtp: { message_max = \"25 apples\"; };",
     F ":1: smtp.message_max: want a size such as \"512\", \"25M\" or \"8KiB\" (k M G KiB MiB "
       "GiB), got \"25 apples\""},
    {"smtp: { message_max = \"1\"; };", F ":1: smtp.message_max: want 1k..1G, got 1"},
    {"smtp: { errors_max = 1;\n errors_max = 2; };",
     F ":2: errors_max: given twice in the same group"},
    {"log_level = \"inof\";", F ":1: log_level: want one of trace, debug, info, warn, error, got "
                                "\"inof\"; did you mean info?"},
    {"planner: { direct_share = 1.5; };", F ":1: planner.direct_share: want 0..1, got 1.5"},
    {"status: { mode = 660; };",
     F ":1: status.mode: want octal permissions such as \"0660\", got 660"},
    {"status: { mode = \"0999\"; };",
     F ":1: status.mode: want octal permissions such as \"0660\", got \"0999\""},
    {"state_dir = \"\";", F ":1: state_dir: want a folder, got \"\""},
    {"smtp: { listen = [\"mx.a.b:25\"]; };",
     F ":1: smtp.listen: want ADDRESS:PORT with an IP address or localhost, [IPV6]:PORT, *:PORT or "
       "unix:PATH, got "
       "\"mx.a.b:25\""},
    {"http: { listen = [\"127.0.0.1\"]; };",
     F ":1: http.listen: want ADDRESS:PORT with an IP address or localhost, [IPV6]:PORT, *:PORT or "
       "unix:PATH, got "
       "\"127.0.0.1\""},
    {"http: { listen = [\"[::1]:70000\"]; };",
     F ":1: http.listen: want ADDRESS:PORT with an IP address or localhost, [IPV6]:PORT, *:PORT or "
       "unix:PATH, got "
       "\"[::1]:70000\""},
    {"smtp: { listen = [\"unix:\"]; };",
     F ":1: smtp.listen: want unix: and an absolute path of at most 107 bytes, got \"unix:\""},
    {"dns: { servers = [\"ns.example.net\"]; };",
     F ":1: dns.servers: want \"system\", an IP address or ADDRESS:PORT, got \"ns.example.net\""},
    {"dns: { servers = []; };", F ":1: dns.servers: want 1..16 elements, got 0"},
    {"smtp: { tls: { key = \"k.pem\"; }; };",
     F ":1: smtp.tls.key: want tls.certificate beside it, got \"k.pem\""},
    {"smtp: { hostname = \"${NOPE}\"; };",
     F ":1: smtp.hostname: the environment has no variable NOPE"},
    {"smtp: { hostname = \"${NOPE\"; };",
     F ":1: smtp.hostname: want ${NAME}, got no closing brace"},
    {"streams: { };", F ":1: streams: want at least one member, got \"{ }\""},
    {"streams: { a: { urgent = true; digest = true; }; };",
     F ":1: streams.a: an urgent stream never waits for a digest; want digest = false"},
    {"streams: { a: { risky = [\"role\", \"odd\"]; }; };\n",
     F ":1: streams.a.risky: want \"typo\", \"role\", \"disposable\" or \"free-mail\", got "
       "\"odd\""},
    {"streams: { a: { priority = 10; }; };", F ":1: streams.a.priority: want 0..9, got 10"},
    {"streams: { a = 5; };", F ":1: streams.a: want a group { ... }"},
    {"accounts: { a: { }; };", F ":1: accounts.a: want a host, got none"},
    {ACCOUNT("profile = \"sess\";"),
     F ":1: accounts.a.profile: there is no profile \"sess\"; did you mean ses?"},
    {ACCOUNT("tls = \"starttls\";"),
     F ":1: accounts.a.tls: want one of none, opportunistic, required, implicit, got "
       "\"starttls\""},
    {ACCOUNT("user = \"u\";"), F ":1: accounts.a: want a password beside the user, got none"},
    {ACCOUNT("user = \"u\"; password = 12345678;"),
     F ":1: accounts.a.password: want a secret in quotes, got a number"},
    {ACCOUNT("user = \"u\"; password = \"file:secrets/none\";"),
     F ":1: accounts.a.password: secrets/none: No such file or directory"},
    {ACCOUNT("user = \"u\"; password = \"file:secrets/empty\";"),
     F ":1: accounts.a.password: want a secret, got nothing"},
    {ACCOUNT("user = \"u\"; password = \"credential:../x\";"),
     F ":1: accounts.a.password: want credential:NAME without a slash"},
    {ACCOUNT("backoff_min = \"2h\";"),
     F ":1: accounts.a: want a backoff_min up to backoff_max, got more"},
    {ACCOUNT("mail_from = \"ann@{domain}\";"),
     F ":1: accounts.a: want a domain as mail_from, perhaps with {domain} in it"},
    {ACCOUNT("profile = \"ses\"; limits: { dya: { count = 5; }; };"),
     F ":1: accounts.a.limits.dya: want scope, count and window (it replaces none that says "
       "them)"},
    {ACCOUNT("limits: { day: { cuont = 5; }; };"),
     F ":1: accounts.a.limits.day.cuont: there is no such key; did you mean count?"},
    {"applications: { };", F ":1: applications: want at least one member, got \"{ }\""},
    {APP("stream = \"notfy\";"),
     F ":1: applications.a.stream: there is no stream \"notfy\"; did you mean notify?"},
    {APP("accounts = [\"outbx\"];"),
     F ":1: applications.a.accounts: there is no account \"outbx\"; did you mean outbox?"},
    {APP("accounts = [];"), F ":1: applications.a.accounts: want 1..64 elements, got 0"},
    {"http: { tls: { listen = [\"127.0.0.1:0\"]; }; };",
     F ":1: http.tls.listen: want tls.certificate beside it, got \"127.0.0.1:0\""},
    {APP("ses_access_key = \"u\";"),
     F ":1: applications.a: want ses_access_key and ses_secret together"},
    {APP("webhook: { url = \"https://a.test/\"; };"),
     F ":1: applications.a: want webhook.url and webhook.secret together"},
    {APP("webhook: { url = \"http://a.test/\"; secret = \"x\"; };"),
     F ":1: applications.a: webhook.url: want https://HOST[:PORT]/PATH, or http:// with localhost, "
       "127.0.0.1 or [::1], got \"http://a.test/\""},
    {APP("webhook: { url = \"http://127.0.0.1.a.test/\"; secret = \"x\"; };"),
     F ":1: applications.a: webhook.url: want https://HOST[:PORT]/PATH, or http:// with localhost, "
       "127.0.0.1 or [::1], got \"http://127.0.0.1.a.test/\""},
    {APP("webhook: { url = \"http://localhost:1@a.test/\"; secret = \"x\"; };"),
     F ":1: applications.a: webhook.url: want https://HOST[:PORT]/PATH, or http:// with localhost, "
       "127.0.0.1 or [::1], got \"http://localhost:1@a.test/\""},
    {APP("webhook: { url = \"http://[::1]:8/\"; secret = \"whsec_MfKQ\"; };"),
     F ":1: applications.a: webhook.secret: want \"whsec_\" and 24 to 64 bytes in base64 (openssl "
       "rand -base64 32 makes some)"},
    {APP("webhook: { url = \"https://a.test\"; types = [\"mail.*\"]; };"),
     F ":1: applications.a: webhook.types: want types of events as \"notification.sent\" or "
       "\"recipient.*\", got \"mail.*\""},
    {APP("smtp_user = \"u\";"), F ":1: applications.a: want smtp_user and smtp_password together"},
    {"applications: { a: { senders = [\"a.b\"]; }; };",
     F ":1: applications.a: want a key, an smtp_user or anonymous = true, or nobody could use it"},
    {"applications: { a: { anonymous = true; }; };",
     F ":1: applications.a: want senders: the domains that it may send as, got none"},
    {"applications: { a: { anonymous = true; senders = [\"*.b.c\"]; }; };",
     F ":1: applications.a.senders: want \"example.com\", \".example.com\" for all below, or "
       "\"*\", got \"*.b.c\""},
    {"applications: {\n a: { anonymous = true; senders = [\"a.b\"]; };\n b: { anonymous = true; "
     "senders = [\"a.b\"]; };\n};",
     F ":3: applications.b: application a is anonymous too; only one may"},
    {"applications: { a: { key = \"k\"; senders = [\"a.b\"]; }; b: { key = \"k\"; senders = "
     "[\"a.b\"]; }; };",
     F ":1: applications.b: application a has the same key too; only one may"},
    {"smtp: { listen = [\"127.0.0.1:25\", \"0.0.0.0:25\"]; };\napplications: { a: { anonymous = "
     "true; senders = [\"*\"]; }; };",
     F ":2: applications.a.senders: \"*\" while SMTP listens on 0.0.0.0:25 would be an open relay; "
       "want sender domains, or listeners on loopback and Unix sockets only"},
    {"smtp: { listen = [\"[::1]:25\", \"localhost:25\", \"unix:/s\", \"*:25\"]; };",
     "built-in:10: applications.default.senders: \"*\" while SMTP listens on *:25 would be an open "
     "relay; want sender domains, or listeners on loopback and Unix sockets only"},
    {"smtp: { listen = [\"[::]:25\"]; };",
     "built-in:10: applications.default.senders: \"*\" while SMTP listens on [::]:25 would be an "
     "open relay; want sender domains, or listeners on loopback and Unix sockets only"},
    {"providers: { qqq: { }; };",
     F ":1: providers.qqq: there is no provider profile of this name; did you mean qq?"},
    {"providers: { qq: { connections = 4; }; };",
     F ":1: providers.qq.connections: there is no such key"},
    {"providers: { qq: { limits: { hour: { scope = \"recipient\"; count = 1; window = \"hour\"; "
     "zone = \"Asia//Shanghai\"; }; }; }; };",
     F ":1: providers.qq.limits.hour: zone: want an IANA time zone such as \"Asia/Shanghai\", got "
       "\"Asia//Shanghai\""},
    {"schedules = [\"nowhere\"];",
     "schedules: nowhere: want a folder with providers/ or accounts/ in it"},
    {"schedules = [\"twice\"];",
     "twice/providers/b.conf: mx: \"mx.example.net\" is claimed by twice/providers/a.conf too"},
    {"@include \"x\"", F ":1: @include is not taken; every *.conf in the folder conf.d beside the "
                         "main file is read"},
};

static void test_bad_files_are_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(bad); i++) {
        struct config *c = NULL;
        struct tide_error err = {0};
        T_TRUE(load_text(bad[i].text, &c, &err) != TIDE_OK, "%s", bad[i].text);
        T_STR(err.text, bad[i].want, "%s", bad[i].text);
        T_TRUE(c == NULL, "nothing is given: %s", bad[i].text);
    }
}

/* What check-config lets through is what the daemon can listen on, and nothing else. */
static void test_listen_addresses_are_those_of_the_loop(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "127.0.0.1:25",   "127.0.0.1:0",     "127.0.0.1:",  "127.0.0.1",
        "[::1]:25",       "[::1]:",          "[::1]",       "::1:25",
        "[127.0.0.1]:25", "[]:25",           "*:25",        "[*]:25",
        "localhost:25",   "localhost",       "mx.a.b:25",   "unix:/s",
        "unix:s",         "unix:",           ":25",         "1.2.3:25",
        "1.2.3.4:65536",  "1.2.3.4:-1",      "1.2.3.4:2 5", "[::1]x:25",
        "[::1:25",        "[fe80::1%lo]:25",
    };
    for (size_t i = 0; i < TIDE_COUNT(addresses); i++) {
        char text[200];
        struct config *c = NULL;
        struct listen_spec spec;
        struct tide_error err = {0}, listen_err = {0};
        snprintf(text, sizeof text, "http: { listen = [\"%s\"]; };", addresses[i]);
        enum tide_err rc = load_text(text, &c, &err);
        enum tide_err want = listen_parse(text_of(addresses[i]), &spec, &listen_err);
        T_EQ(rc == TIDE_OK, want == TIDE_OK, "%s: %s / %s", addresses[i], err.text,
             listen_err.text);
        config_free(c);
    }
}

/* What would keep libconfig busy for a minute is refused first. */
static void test_too_many_settings(void **state)
{
    (void)state;
    struct buf text = {0};
    struct config *c = NULL;
    struct tide_error err = {0};
    for (int i = 0; i <= 10000; i++)
        buf_addf(&text, "a%d = 1;\n", i);
    T_EQ(load_text(buf_str(&text), &c, &err), TIDE_ESYNTAX, "refused");
    T_STR(err.text, F ":10001: more than 10000 settings in one file; spread them over conf.d",
          "says where");
    buf_fini(&text);
}

static void test_missing_file_is_named(void **state)
{
    (void)state;
    struct config *c = NULL;
    struct tide_error err = {0};
    T_EQ(config_load("/nonexistent/mailtide.conf", &files_source, &c, &err), TIDE_ENOENT, "file");
    T_STR(err.text, "/nonexistent/mailtide.conf: No such file or directory", "its name");
}

/* -- The real machine ---------------------------------------------------------------------------
 */

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    T_TRUE(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s", path);
}

static enum tide_err note_name(void *arg, const char *path, struct tide_error *err)
{
    (void)err;
    buf_addf(arg, "%s ", strrchr(path, '/') + 1);
    return TIDE_OK;
}

static void test_real_folders(void **state)
{
    (void)state;
    static const char *const names[] = {"20-b.conf", "10-a.conf", ".hidden.conf", "x.conf.bak",
                                        "Z.conf"};
    char dir[] = "/tmp/mailtide-test-XXXXXX", path[300];
    struct buf seen = {0}, text = {0};
    struct tide_error err;
    T_TRUE(mkdtemp(dir), "folder");
    for (size_t i = 0; i < TIDE_COUNT(names); i++)
        write_file(dir, names[i], "a = 1;");
    T_OK(files_source.list(NULL, dir, note_name, &seen, &err), &err, "list");
    T_STR(buf_str(&seen), "10-a.conf 20-b.conf Z.conf ", "*.conf in order of name");
    snprintf(path, sizeof path, "%s/Z.conf", dir);
    buf_adds(&text, "before ");
    T_OK(files_source.read(NULL, path, &text, &err), &err, "read");
    T_STR(buf_str(&text), "before a = 1;", "appended");
    for (size_t i = 0; i < TIDE_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    T_EQ(rmdir(dir), 0, "tidy");
    T_EQ(files_source.list(NULL, dir, note_name, &seen, &err), TIDE_ENOENT, "gone");
    buf_fini(&seen);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_a_mailtide_for_a_laptop),
        cmocka_unit_test(test_default_file_reads_back),
        cmocka_unit_test(test_every_key_is_described),
        cmocka_unit_test(test_a_whole_file),
        cmocka_unit_test(test_print_hides_secrets_and_reads_back),
        cmocka_unit_test(test_batch_max),
        cmocka_unit_test(test_conf_d_is_merged_in_order),
        cmocka_unit_test(test_bad_files_are_explained),
        cmocka_unit_test(test_listen_addresses_are_those_of_the_loop),
        cmocka_unit_test(test_too_many_settings),
        cmocka_unit_test(test_missing_file_is_named),
        cmocka_unit_test(test_real_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
