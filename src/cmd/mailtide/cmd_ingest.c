/* ingest: mail that came back, handed to the daemon one by one: a file, an mbox, a Maildir,
 * standard input. */
#include "cmd/mailtide/ask.h"

#include "core/outcome/bounce.h"
#include "core/outcome/mbox.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define INGEST_BYTES_MAX (1u << 30) /* of one file */

struct tally {
    int64_t mails, news, known;
    int64_t kinds[BOUNCE_RECEIPT + 1];
};

static int hand_in(struct cli *cli, struct text mail, struct tally *t)
{
    struct ask a;
    int code = ask_post(cli, "/v1/ingest", mail, &a);
    if (code == CLI_OK) {
        struct text kind = ask_text(a.doc, "kind");
        t->mails++;
        t->news += ask_int(a.doc, "news");
        t->known += ask_int(a.doc, "known");
        for (int k = 0; k <= BOUNCE_RECEIPT; k++)
            t->kinds[k] += text_eq(kind, text_of(bounce_kind_name((enum bounce_kind)k)));
    }
    ask_fini(&a);
    return code;
}

/* -- Mails in a file ----------------------------------------------------------------------------
 */

/* One mail, or the mails of an mbox. */
static int hand_in_all(struct cli *cli, struct text rest, const char *path, struct tally *t)
{
    struct text mail;
    int code = CLI_OK;
    while (code == CLI_OK && mbox_next(&rest, &mail))
        code = mail.n <= BOUNCE_BYTES_MAX
                   ? hand_in(cli, mail, t)
                   : cli_fail(cli, CLI_NO, "%s: a mail of %zu bytes, want at most %u", path, mail.n,
                              BOUNCE_BYTES_MAX);
    return code;
}

static int read_path(struct cli *cli, const char *path, struct tally *t)
{
    struct buf all = {0};
    int code = cli_read_file(cli, path, INGEST_BYTES_MAX, &all);
    if (code == CLI_OK)
        code =
            hand_in_all(cli, buf_text(&all), strcmp(path, "-") == 0 ? "standard input" : path, t);
    buf_fini(&all);
    return code;
}

/* -- Folders ------------------------------------------------------------------------------------
 */

static int is_mail(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* Of a Maildir each mail goes from new/ to cur/ when the daemon has it (seen, as readers mark it).
 */
static int read_folder(struct cli *cli, const char *folder, const char *done, struct tally *t)
{
    struct dirent **names;
    struct stat st;
    char path[4096], next[4096];
    int code = CLI_OK, count = scandir(folder, &names, is_mail, alphasort);
    if (count < 0)
        return cli_fail(cli, CLI_NO, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        snprintf(next, sizeof next, "%s/%s:2,S", done ? done : "", names[i]->d_name);
        free(names[i]);
        if (code != CLI_OK || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        code = read_path(cli, path, t);
        if (code == CLI_OK && done && rename(path, next) != 0)
            code = cli_fail(cli, CLI_NO, "%s is read, but cannot be moved to cur/: %s", path,
                            strerror(errno));
    }
    free(names);
    return code;
}

static int read_any(struct cli *cli, const char *path, struct tally *t)
{
    char fresh[4096], done[4096];
    struct stat st;
    if (strcmp(path, "-") == 0)
        return read_path(cli, path, t);
    if (stat(path, &st) != 0)
        return cli_fail(cli, CLI_NO, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return read_path(cli, path, t);
    snprintf(fresh, sizeof fresh, "%s/new", path);
    snprintf(done, sizeof done, "%s/cur", path);
    bool maildir = stat(fresh, &st) == 0 && S_ISDIR(st.st_mode);
    return maildir ? read_folder(cli, fresh, done, t) : read_folder(cli, path, NULL, t);
}

static void tell(struct cli *cli, const struct tally *t)
{
    static const struct {
        enum bounce_kind kind;
        const char *one, *many;
    } words[] = {
        {BOUNCE_REPORT, "report", "reports"},
        {BOUNCE_COMPLAINT, "complaint", "complaints"},
        {BOUNCE_AUTOREPLY, "auto-reply", "auto-replies"},
        {BOUNCE_RECEIPT, "receipt", "receipts"},
        {BOUNCE_OTHER, "other", "others"},
    };
    const char *gap = ": ";
    buf_addf(&cli->out, "%lld mail%s", (long long)t->mails, t->mails == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        long long n = t->kinds[words[i].kind];
        if (n == 0)
            continue;
        buf_addf(&cli->out, "%s%lld %s", gap, n, n == 1 ? words[i].one : words[i].many);
        gap = ", ";
    }
    buf_addf(&cli->out, ". They told of %lld recipient%s, %lld of them of mail of ours.\n",
             (long long)t->news, t->news == 1 ? "" : "s", (long long)t->known);
}

int cmd_ingest(struct cli *cli)
{
    struct tally t = {0};
    int code = read_any(cli, cli->argc > 0 ? cli->argv[0] : "-", &t);
    if (cli_json(cli))
        buf_addf(&cli->out, "{\"mails\":%lld,\"news\":%lld,\"known\":%lld}\n", (long long)t.mails,
                 (long long)t.news, (long long)t.known);
    else if (code == CLI_OK || t.mails > 0)
        tell(cli, &t);
    return code;
}
