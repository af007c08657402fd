/* The rule base: every example of every rule in schedules/replies against all rules, and the words
 * that files may be written with. Run in the source tree, or with MAILTIDE_SCHEDULES set. */
#include "base/macros.h"
#include "core/outcome/finding.h"
#include "io/loop/files.h"
#include "lib/check.h"
#include "lib/real_rules.h"

static struct rulebook *book;

static int load(void **state)
{
    (void)state;
    book = real_rules();
    return 0;
}

static int unload(void **state)
{
    (void)state;
    rulebook_free(book);
    return 0;
}

/* "DOT: 550 no": said at that stage. */
static struct reply_said said_of(const char *example)
{
    static const struct {
        const char *mark;
        enum reply_stage stage;
    } marks[] = {{"MAIL: ", STAGE_MAIL}, {"RCPT: ", STAGE_RCPT}, {"DOT: ", STAGE_DOT}};
    struct reply_said said = {0};
    struct text t = text_of(example);
    int stage = -1;
    for (size_t i = 0; i < TIDE_COUNT(marks); i++)
        if (text_starts(t, text_of(marks[i].mark))) {
            t = text_cut(t, strlen(marks[i].mark), t.n);
            stage = (int)marks[i].stage;
        }
    reply_said_of(t, &said);
    if (stage >= 0)
        said.stage = stage;
    return said;
}

/* No rule stands in the way of another unseen: each example is found by its own rule, for its own
 * provider, and by nobody else's before. */
static void test_examples(void **state)
{
    (void)state;
    int wrong = 0;
    size_t examples = 0;
    for (size_t i = 0; i < rulebook_count(book); i++) {
        const struct reply_rule *rule = rulebook_rule(book, i);
        const char *provider = rulebook_rule_provider(book, i, 0);
        for (size_t k = 0; k < rule->example_count; k++, examples++) {
            char evidence[RULES_EVIDENCE_BYTES];
            struct reply_said said = said_of(rule->examples[k]);
            said.provider = text_of(provider);
            const struct reply_rule *found = rulebook_find(book, &said, evidence);
            if (found == rule)
                continue;
            wrong++;
            print_error("%s: \"%s\" is taken by %s (\"%s\")\n", rule->name, rule->examples[k],
                        found ? found->name : "no rule", evidence);
        }
    }
    printf("%zu rules, %zu examples\n", rulebook_count(book), examples);
    T_EQ(wrong, 0, "examples that another rule takes");
    T_TRUE(rulebook_count(book) > 200, "only %zu rules", rulebook_count(book));
}

/* A name that no profile has would never be asked. */
static void test_providers(void **state)
{
    (void)state;
    struct tide_error err = {0};
    struct config *config = NULL;
    T_OK(config_load(NULL, &files_source, &config, &err), &err, "profiles");
    for (size_t i = 0; i < rulebook_count(book); i++)
        for (size_t k = 0; rulebook_rule_provider(book, i, k); k++) {
            const char *name = rulebook_rule_provider(book, i, k);
            T_TRUE(profiles_provider(&config->profiles, text_of(name)), "%s: no provider %s",
                   rulebook_rule(book, i)->name, name);
        }
    config_free(config);
}

/* Sentences are shown to people as they are. */
static void test_sentences(void **state)
{
    (void)state;
    for (size_t i = 0; i < rulebook_count(book); i++) {
        const struct reply_rule *r = rulebook_rule(book, i);
        T_TRUE(text_iends(text_of(r->cause), TEXT(".")), "%s: cause: %s", r->name, r->cause);
        T_TRUE(text_iends(text_of(r->advice), TEXT(".")), "%s: advice: %s", r->name, r->advice);
        T_TRUE(r->fault != FAULT_THEIR_LIMIT || r->retry != RETRY_NEVER,
               "%s: a limit passes, its mail is not given up", r->name);
        T_TRUE(r->retry != RETRY_FIX || r->fault != FAULT_THEIR_LIMIT, "%s: nothing to mend",
               r->name);
    }
}

static const struct {
    const char *provider, *said, *rule;
} meanings[] = {
    /* a 550 that passes */
    {"qq", "550 Connection frequency limited", "qq/connection-frequency"},
    {"", "550 Ip frequency limited", "qq/ip-frequency"},
    {"", "550 Mail content denied", "qq/content"},
    {"", "550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized", "microsoft/not-authorised"},
    {"", "550 5.7.1 RESOLVER.RST.AuthRequired", "microsoft/needs-authentication"},
    {"", "554 Reject by behaviour spam", "aliyun/behaviour-rate"},
    {"", "500 SMTP Error: Data not accepted", "esp/phpmailer"},
    {"", "421 Too many concurrent SMTP connections; please try again later", "rate/connections"},
    /* words that stand together */
    {"", "550 UserUnknown", "recipient/unknown"},
    {"", "550 #MAILBOX_NOT_FOUND", "recipient/unknown"},
    {"", "550 5.2.2 aB_full xQuotaR7", "status/full"}, /* an id */
    /* names and numbers of addresses are no words */
    {"", "550 <karma@example.com>: user unknown", "recipient/unknown"},
    {"", "550 5.1.1 <ann-530@example.com> user unknown", "recipient/unknown"},
    {"", "550 <spamtrap@example.com> user unknown", "recipient/unknown"},
    /* a reason says more than the refusal */
    {"", "550 Nachricht abgelehnt: user unknown", "recipient/unknown"},
    {"", "550 Zustellung verweigert: mailbox full", "full/full"},
    {"", "550 Zustellung verweigert", "refusals/policy"},
    /* one code, two meanings */
    {"google", "421 4.7.28 too fast for us", "rate/connection-rate"},
    {"", "550 5.7.28 zzz", "status/flood"},
    {"google", "550 5.7.29 zzz", "google/code-authentication"},
    {"", "550 5.7.29 zzz", "status/authentication"},
    {"", "550 zzz", NULL},
    {"", "zzz", NULL},
    {"", "", NULL},
};

static void test_meanings(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(meanings); i++) {
        struct reply_said said = {.provider = text_of(meanings[i].provider)};
        struct meaning m;
        reply_said_of(text_of(meanings[i].said), &said);
        said.provider = text_of(meanings[i].provider);
        meaning_of(book, &said, &m);
        T_STR(m.rule ? m.rule->name : "none", meanings[i].rule ? meanings[i].rule : "none", "%s",
              meanings[i].said);
        T_TRUE(m.cause && m.advice, "%s", meanings[i].said);
        T_TRUE(m.retry != RETRY_BY_CODE, "%s", meanings[i].said);
    }
}

static const struct {
    const char *said;
    enum reply_retry retry;
} retries[] = {
    {"550 5.1.1 user unknown", RETRY_NEVER},
    {"450 4.1.1 user unknown", RETRY_LATER}, /* a look-up that failed over there says so too */
    {"450 4.2.1 mailbox temporarily disabled", RETRY_LATER},
    {"Unknown user: ann@client.example", RETRY_NEVER},
    {"connect to mx.example[192.0.2.1]:25: Connection timed out", RETRY_LATER},
    {"550 Connection frequency limited", RETRY_RESET},
    {"550 IB510", RETRY_RECONNECT},
    {"452 4.5.3 too many recipients", RETRY_SPLIT},
    {"550 5.7.1 rejected per DMARC policy", RETRY_FIX},
    {"450 4.7.1 Client host rejected: cannot find your reverse hostname", RETRY_LATER},
    {"zzz", RETRY_LATER},
};

static void test_retries(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(retries); i++) {
        struct reply_said said = {0};
        struct meaning m;
        reply_said_of(text_of(retries[i].said), &said);
        meaning_of(book, &said, &m);
        T_STR(reply_retry_name(m.retry), reply_retry_name(retries[i].retry), "%s", retries[i].said);
    }
}

/* Words about the sender must never be held against the recipient. */
static void test_no_wrong_blame(void **state)
{
    static const char *const said[] = {
        "550 Your email address has been blocked",
        "550 5.1.8 The mailbox of the sender does not exist",
        "550 User unknown: sender <news@app.example>",
        "554 5.7.1 <ann@client.example>: Recipient address rejected: your server is not known",
        "550 Your host is unknown to this system",
        "550 you are over quota for sending",
        "535 no such user",
        "550 invalid user name or password",
        "550 mailbox unavailable Invalid DNS MX record",
        "550 The sender's account is disabled",
        "550 5.1.8 <news@app.example>: Sender address rejected: Domain not found",
        "550 sender IP does not exist",
        "550 5.7.1 DKIM record does not exist",
        "554 5.7.1 Client host rejected: Access denied",
        "550 This email has been blocked by our policy",
        "550 Connection frequency limited",
        "550 5.4.7 Recipients Domain Daily Quota Exceeded",
        "554 5.2.122 The recipient has exceeded their limit for the number of messages",
        "550 5.2.2 Submission quota exceeded for this sender",
        "550 Absender nicht gefunden: Adresse existiert nicht",
        "550 Konto des Absenders gesperrt",
        "550 L'adresse de l'expéditeur est inconnue",
        "550 Usuario remitente bloqueado",
        "550 La cuenta del remitente no existe",
        "550 Indirizzo mittente sconosciuto",
        "550 Nadawca nie istnieje",
        "550 Host nie istnieje",
        "550 Адрес отправителя не найден",
        "550 发件人地址不存在",
        "550 발신자 주소를 찾을 수 없습니다",
        "550 Gönderen adresi bulunamadı",
        "550 Your address was not found in the address book",
        "550 sender not found in the directory",
        "550 The message to user ann was deleted",
        "550",
        "550 no",
        "554 Transaction failed",
    };
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(said); i++) {
        struct reply_said s = {0};
        struct meaning m;
        reply_said_of(text_of(said[i]), &s);
        meaning_of(book, &s, &m);
        T_TRUE(m.fault != FAULT_RECIPIENT, "%s: %s", said[i], m.rule ? m.rule->name : "none");
    }
}

static void test_without_rules(void **state)
{
    (void)state;
    struct account_outcome outcome = {.result = ACCOUNT_REFUSED, .stage = STAGE_RCPT};
    struct finding f;
    reply_set(&outcome.reply, 550, NULL, "Connection frequency limited");
    finding_of_outcome(&outcome, TEXT("a"), TEXT("qq"), NULL, &f);
    T_EQ(f.kind, FINDING_BOUNCE, "no rules");
    T_EQ(f.meaning.fault, FAULT_UNKNOWN, "no rules");
    T_EQ(f.meaning.retry, RETRY_NEVER, "no rules");
    finding_of_outcome(&outcome, TEXT("a"), TEXT("qq"), book, &f);
    T_EQ(f.meaning.fault, FAULT_THEIR_LIMIT, "with rules");
    T_EQ(f.meaning.retry, RETRY_RESET, "with rules");
    T_TRUE(strstr(f.sentence, "no more connections"), "%s", f.sentence);
}

static const struct {
    const char *text;
    int code, status[3], stage;
} saids[] = {
    {"550 5.1.1 no", 550, {5, 1, 1}, -1},
    {"host mx.example[192.0.2.1] said: 550-5.1.1 no (in reply to RCPT TO command)",
     550,
     {5, 1, 1},
     STAGE_RCPT},
    {"smtp; 550 no", 550, {0}, -1},
    {"5.1.1 (bad destination mailbox address)", 0, {5, 1, 1}, -1},
    {"connect to mx.example[192.0.2.1]:25: Connection timed out", 0, {0}, STAGE_CONNECT},
    {"message of 5500 bytes, 552 kB, at 10.5.1.1", 552, {0}, -1},
    {"sorry (#5.1.1)", 0, {5, 1, 1}, -1},
    {"550", 550, {0}, -1},
    {"5", 0, {0}, -1},
    {"550 5.", 550, {0}, -1},
    {"", 0, {0}, -1},
};

static void test_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(saids); i++) {
        struct reply_said s = {0};
        reply_said_of(text_of(saids[i].text), &s);
        T_EQ(s.code, saids[i].code, "%s", saids[i].text);
        T_EQ(s.stage, saids[i].stage, "%s", saids[i].text);
        for (int k = 0; k < 3; k++)
            T_EQ(s.status[k], saids[i].status[k], "%s: %d", saids[i].text, k);
    }
}

#define REST                                                                                   \
    "class = \"rate\"; fault = \"ours\"; cause = \"c.\"; advice = \"a.\"; reference = \"r\"; " \
    "date = \"2026-11-21\"; examples = [\"550 x\"];"

static const struct {
    const char *content, *want; /* NULL: it is taken */
} files[] = {
    {"rules: { a: { code = [\"55x\"]; " REST " }; };", NULL},
    {"rules: { a: { status = [\"x.7.23-27\", \"5.x.x\"]; " REST " }; };", NULL},
    {"rules: { a: { " REST " }; };", "want code, status or patterns"},
    {"rules: { a: { code = [\"650\"]; " REST " }; };", "t/10-t.conf:1: rules.a: code: want"},
    {"rules: { a: { status = [\"5.7\"]; " REST " }; };", "status: want"},
    {"rules: { a: { status = [\"5.7.9-3\"]; " REST " }; };", "status: want"},
    {"rules: { a: { stage = [\"quit\"]; code = [\"550\"]; " REST " }; };", "stage: want"},
    {"rules: { a: { patterns = [\"(\"]; " REST " }; };", "missing closing parenthesis"},
    {"rules: { a: { patterns = [\"b\"]; scope = \"recipient\"; " REST " }; };", "both scope"},
    {"rules: { a: { patterns = [\"b\"]; retry = \"reset\"; " REST " }; };", "\"reset\" wants"},
    {"rules: { a: { patterns = [\"b\"]; scope = \"pair\"; window = \"dy\"; " REST " }; };",
     "window:"},
    {"rules: { a: { pattern = [\"b\"]; " REST " }; };", "did you mean patterns"},
    {"rules: { a: { patterns = [\"b\"]; class = \"rate\"; }; };", "want cause"},
};

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(files); i++) {
        struct tide_error err = {0};
        struct rulebook *b = NULL;
        T_OK(rulebook_new(&b, &err), &err, "new");
        enum tide_err rc = rulebook_add(b, "t/10-t.conf", text_of(files[i].content), &err);
        if (files[i].want)
            T_TRUE(rc != TIDE_OK && strstr(err.text, files[i].want), "%s: %s", files[i].content,
                   err.text);
        else
            T_OK(rc, &err, "%s", files[i].content);
        rulebook_free(b);
    }
}

/* A file of one's own takes the place of ours of the same name, and is sorted by it. */
static void test_order(void **state)
{
    (void)state;
    static const char first[] = "rules: { a: { patterns = [\"fox\"]; " REST " }; };",
                      second[] = "rules: { b: { patterns = [\"fo+x\"]; " REST " }; };";
    struct tide_error err = {0};
    struct rulebook *b = NULL;
    struct reply_said said = {.stage = -1, .words = TEXT("a  FoX")};
    char evidence[RULES_EVIDENCE_BYTES];
    T_OK(rulebook_new(&b, &err), &err, "new");
    T_OK(rulebook_add(b, "x/50-z.conf", TEXT(first), &err), &err, "first");
    T_OK(rulebook_add(b, "x/10-y.conf", TEXT(second), &err), &err, "second");
    rulebook_seal(b);
    T_STR(rulebook_find(b, &said, evidence)->name, "y/b", "sorted by name");
    T_STR(evidence, "FoX", "as it was said");
    T_OK(rulebook_add(b, "own/10-y.conf", TEXT(first), &err), &err, "own");
    rulebook_seal(b);
    T_STR(rulebook_find(b, &said, evidence)->name, "y/a", "replaced");
    T_EQ(rulebook_count(b), 2, "replaced");
    rulebook_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),      cmocka_unit_test(test_providers),
        cmocka_unit_test(test_sentences),     cmocka_unit_test(test_meanings),
        cmocka_unit_test(test_retries),       cmocka_unit_test(test_no_wrong_blame),
        cmocka_unit_test(test_without_rules), cmocka_unit_test(test_said),
        cmocka_unit_test(test_files),         cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
