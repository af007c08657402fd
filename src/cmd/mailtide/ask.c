#include "cmd/mailtide/ask.h"

#include "base/id.h"
#include "core/address/addr.h"
#include "io/loop/files.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_PATH    "./mailtide-state/status.sock"
#define ANSWER_SECONDS 60L

/* -- Where the daemon is -------------------------------------------------------------------------
 */

static int set_socket(struct cli *cli, const char *path, const char *from)
{
    cli->socket_from = from;
    if (snprintf(cli->socket, sizeof cli->socket, "%s", path) >=
        (int)sizeof((struct sockaddr_un *)0)->sun_path)
        return cli_fail(cli, CLI_USAGE, "the socket's path is too long (%s): %s", from, path);
    return CLI_OK;
}

static int find_socket(struct cli *cli)
{
    const char *given = cli_option_value(cli, "socket"), *file = cli_config_file(cli, F_OK);
    const char *environment = getenv("MAILTIDE_SOCKET");
    struct config *config = NULL;
    struct tide_error err;
    if (cli->socket[0])
        return CLI_OK;
    if (given)
        return set_socket(cli, given, "-s");
    if (!cli_option_value(cli, "config") && environment && *environment)
        return set_socket(cli, environment, "$MAILTIDE_SOCKET");
    if (!file)
        return set_socket(cli, SOCKET_PATH, "the default");
    if (config_load(file, &files_source, &config, &err) != TIDE_OK)
        return cli_fail(cli, CLI_NO, "%s (-s SOCKET does without the configuration)", err.text);
    int code = set_socket(cli, config->status.socket, file);
    config_free(config);
    return code;
}

/* Why nobody answers there; a connection of its own, since curl keeps the reason to itself. */
static int tell_unreachable(struct cli *cli, bool quiet)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(to.sun_path, cli->socket, strlen(cli->socket));
    int why = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
    if (fd >= 0)
        close(fd);
    int code = why == EACCES || why == EPERM ? CLI_NOT_PERMITTED : CLI_UNREACHABLE;
    if (quiet)
        return code;
    switch (why) {
    case ENOENT:
    case ECONNREFUSED:
        return cli_fail(cli, code,
                        "no daemon at %s (%s): is mailtided running? "
                        "(systemctl status mailtided; -s SOCKET for another place)",
                        cli->socket, cli->socket_from);
    case EACCES:
    case EPERM:
        return cli_fail(cli, code,
                        "may not open %s (%s): want to be root or in the socket's group "
                        "(ls -l %s)",
                        cli->socket, cli->socket_from, cli->socket);
    case 0:
        return cli_fail(cli, code, "the daemon at %s broke off without an answer", cli->socket);
    default:
        return cli_fail(cli, code, "cannot reach %s (%s): %s", cli->socket, cli->socket_from,
                        strerror(why));
    }
}

/* -- One question --------------------------------------------------------------------------------
 */

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct ask *a = arg;
    buf_add(&a->body, bytes, size * n);
    return a->body.failed == TIDE_OK ? size * n : 0;
}

/* The daemon's own words, with its field where it names one. */
static int tell_refusal(struct cli *cli, const struct ask *a)
{
    const struct json *error = json_member(a->doc, "error");
    struct text message = ask_text(error, "message"), field = ask_text(error, "field");
    int code = a->status == 404                       ? CLI_NOT_FOUND
               : a->status == 401 || a->status == 403 ? CLI_NOT_PERMITTED
                                                      : CLI_NO;
    if (message.n == 0)
        return cli_fail(cli, code, "the daemon at %s answered with status %ld and no reason",
                        cli->socket, a->status);
    struct buf said = {0};
    show_sentence(&said, message, SHOW_SPAN_SAID, cli->show.now);
    cli_fail(cli, code, TEXT_FMT "%s" TEXT_FMT, TEXT_ARG(field), field.n ? ": " : "",
             TEXT_ARG(buf_text(&said)));
    buf_fini(&said);
    return code;
}

static int read_answer(struct cli *cli, CURLcode rc, bool quiet, struct ask *a)
{
    struct tide_error err;
    CURL *curl = cli->curl;
    if (rc == CURLE_COULDNT_CONNECT || rc == CURLE_GOT_NOTHING || rc == CURLE_RECV_ERROR ||
        rc == CURLE_SEND_ERROR)
        return tell_unreachable(cli, quiet);
    if (rc != CURLE_OK)
        return quiet ? CLI_NO
                     : cli_fail(cli, rc == CURLE_OPERATION_TIMEDOUT ? CLI_UNREACHABLE : CLI_NO,
                                "the daemon at %s: %s", cli->socket, curl_easy_strerror(rc));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
    if (json_parse(buf_text(&a->body), ASK_BYTES_MAX, &a->doc, &err) != TIDE_OK)
        return quiet ? CLI_NO
                     : cli_fail(cli, CLI_NO, "the answer of %s is not of mailtide: %s", cli->socket,
                                err.text);
    if (a->status >= 200 && a->status < 300)
        return CLI_OK;
    if (!quiet && cli_json(cli))
        ask_pass(cli, a);
    return quiet ? CLI_NO : tell_refusal(cli, a);
}

static int ask(
    struct cli *cli, const char *path, const struct text *body, bool quiet, struct ask *a)
{
    struct curl_slist *headers = NULL;
    char url[4096];
    *a = (struct ask){0};
    buf_init(&a->body, ASK_BYTES_MAX);
    int code = find_socket(cli);
    if (code != CLI_OK)
        return code;
    if (snprintf(url, sizeof url, "http://mailtide%s", path) >= (int)sizeof url)
        return cli_fail(cli, CLI_USAGE, "the question is too long");
    if (!cli->curl)
        cli->curl = curl_easy_init();
    CURL *curl = cli->curl;
    if (!curl)
        return cli_fail(cli, CLI_NO, "out of memory");
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, cli->socket);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, cli->patience_s > 0 ? cli->patience_s : ANSWER_SECONDS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    if (body) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        headers = curl_slist_append(headers, "Expect:");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->n);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->p ? body->p : "");
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode rc = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    return read_answer(cli, rc, quiet, a);
}

int ask_get(struct cli *cli, const char *path, bool quiet, struct ask *ret)
{
    return ask(cli, path, NULL, quiet, ret);
}

int ask_post_quiet(struct cli *cli, const char *path, struct text body, struct ask *ret)
{
    return ask(cli, path, &body, true, ret);
}

int ask_post(struct cli *cli, const char *path, struct text body, struct ask *ret)
{
    return ask(cli, path, &body, false, ret);
}

void ask_fini(struct ask *a)
{
    json_free(a->doc);
    buf_fini(&a->body);
}

void ask_param(struct buf *path, const char *name, const char *value)
{
    if (!value)
        return;
    buf_addf(path, "%c%s=", memchr(buf_str(path), '?', path->len) ? '&' : '?', name);
    buf_add_escaped(path, text_of(value), "");
}

void ask_pass(struct cli *cli, const struct ask *a)
{
    struct text t = buf_text(&a->body);
    buf_add_text(&cli->out, t);
    if (t.n > 0 && t.p[t.n - 1] != '\n')
        buf_addc(&cli->out, '\n');
}

void ask_set_now(struct cli *cli, const struct ask *a)
{
    tide_wall_ms now = ask_time(a->doc, "now");
    if (now)
        cli->show.now = now;
}

static int ask_and_show(struct cli *cli,
                        struct buf *take_path,
                        const struct text *body,
                        ask_shower show)
{
    struct ask a;
    int code = ask(cli, buf_str(take_path), body, false, &a);
    buf_fini(take_path);
    if (code == CLI_OK && cli_json(cli)) {
        ask_pass(cli, &a);
    } else if (code == CLI_OK) {
        ask_set_now(cli, &a);
        show(cli, &a);
    }
    ask_fini(&a);
    return code;
}

int ask_show(struct cli *cli, struct buf *take_path, ask_shower show)
{
    return ask_and_show(cli, take_path, NULL, show);
}

int ask_do(struct cli *cli, struct buf *take_path, ask_shower show)
{
    return ask_and_show(cli, take_path, &TEXT(""), show);
}

void ask_show_done(struct cli *cli, const struct ask *a)
{
    show_text(&cli->out, ask_text(a->doc, "done"), 0);
    buf_adds(&cli->out, ".\n");
}

/* -- Reading -------------------------------------------------------------------------------------
 */

struct text ask_text(const struct json *v, const char *name)
{
    struct text t = json_string_text(json_member(v, name));
    return t.p ? t : TEXT("");
}

int64_t ask_int(const struct json *v, const char *name)
{
    int64_t n = 0;
    return json_int(json_member(v, name), &n) ? n : 0;
}

bool ask_bool(const struct json *v, const char *name)
{
    bool b = false;
    return json_bool(json_member(v, name), &b) && b;
}

tide_wall_ms ask_time(const struct json *v, const char *name)
{
    tide_wall_ms t;
    struct text text = ask_text(v, name);
    return text.n > 0 && time_parse_rfc3339(text, &t, NULL) == TIDE_OK ? t : 0;
}

int ask_check_address(const struct cli *cli, const char *what)
{
    struct addr addr;
    struct tide_error err;
    if (addr_parse(text_of(what), 0, &addr, &err) == TIDE_OK)
        return CLI_OK;
    return cli_fail(cli, CLI_USAGE, "%s is not an address: %s", what, err.text);
}

int ask_check_address_or_id(const struct cli *cli, const char *what, bool *ret_address)
{
    tide_id id;
    struct tide_error err;
    *ret_address = strchr(what, '@') != NULL;
    if (*ret_address)
        return ask_check_address(cli, what);
    if (id_parse(text_of(what), &id, &err) == TIDE_OK)
        return CLI_OK;
    return cli_fail(cli, CLI_USAGE, "%s is neither an address nor the id of a notification", what);
}

int ask_check_most(const struct cli *cli)
{
    const char *most = cli_option_value(cli, "most");
    int64_t n;
    struct tide_error err;
    if (!most || text_int(text_of(most), 1, 1000, &n, &err) == TIDE_OK)
        return CLI_OK;
    return cli_fail(cli, CLI_USAGE, "-n: %s", err.text);
}
