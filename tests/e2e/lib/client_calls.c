/* Calls everything that libmailtide offers; the test reads what it prints.
 * usage: client_calls WHERE KEY|- FROM */
#include <mailtide/client.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tide_client *client;
static const char *from;

/* "NAME: ok" or "NAME: ESTATE the text". */
static void tell(const char *name, enum tide_err rc, const struct tide_error *err)
{
    if (rc == TIDE_OK)
        printf("%s: ok\n", name);
    else
        printf("%s: %s %s\n", name, tide_err_name(rc), err->text);
}

static void try_send(const char *name, struct tide_message m)
{
    struct tide_notification *list = NULL;
    struct tide_error err;
    size_t count = 0;
    enum tide_err rc = tide_send(client, &m, &list, &count, &err);
    tell(name, rc, &err);
    for (size_t i = 0; i < count; i++)
        printf("  %s %s %s\n", list[i].recipient, list[i].state,
               list[i].duplicate ? "again" : "new");
    free(list);
}

static void send_all_kinds(void)
{
    struct tide_header header = {"X-Project", "Zürich"};
    struct tide_attachment file = {"ünï.bin", NULL, NULL, "\0\1\2\377", 4};
    struct tide_message m = {0};
    m.from = from;
    m.to = "\"B, Bob\" <b@client.asia>, c@client.asia ,";
    m.cc = "jörg@bücher.test";
    m.subject = "tok-lib-1 Grüße";
    m.text = "Hello\n.\n";
    m.html = "<p>Hello</p>";
    m.headers = &header;
    m.header_count = 1;
    m.attachments = &file;
    m.attachment_count = 1;
    m.key = "key-1";
    try_send("send", m);
    try_send("send again", m);
    m.subject = "tok-lib-1 another";
    try_send("same key", m);

    struct tide_message raw = {0};
    raw.from = from;
    raw.to = "a@client.asia";
    raw.message = "Subject: tok-lib-2\nTo: a@client.asia\n\nraw\n";
    try_send("raw", raw);
}

static void send_what_is_wrong(void)
{
    struct tide_message m = {0};
    m.to = "a@client.asia";
    m.text = "hi";
    try_send("no sender", m);
    m.from = from;
    m.to = "a@@client.asia";
    try_send("no address", m);
    m.to = "a@client.asia";
    m.stream = "nothing";
    try_send("no stream", m);
    m.stream = NULL;
    m.from = "x@elsewhere.test";
    m.subject = "hi";
    try_send("not ours", m);
}

/* Of two that wait, the last counts. */
static void collapse(void)
{
    struct tide_header metadata = {"order", "Nr. 7 \"ü\""};
    struct tide_message m = {0};
    m.from = from;
    m.to = "last@client.asia";
    m.subject = "tok-lib-4 first";
    m.text = "hi";
    m.not_before = "24h";
    m.collapse_key = "order-7";
    m.weight = 3;
    m.metadata = &metadata;
    m.metadata_count = 1;
    try_send("first", m);
    m.subject = "tok-lib-4 second";
    try_send("second", m);
    m.weight = 101;
    try_send("too heavy", m);
}

/* One that is to leave tomorrow is found, cancelled, and then no longer to be cancelled. */
static void steer(void)
{
    struct tide_notification *list = NULL, found;
    struct tide_error err;
    struct tide_message m = {0};
    m.from = from;
    m.to = "later@client.asia";
    m.subject = "tok-lib-3";
    m.text = "hi";
    m.not_before = "24h";
    enum tide_err rc = tide_send(client, &m, &list, NULL, &err);
    tell("later", rc, &err);
    if (rc != TIDE_OK)
        return;
    rc = tide_find(client, list[0].id, &found, &err);
    tell("find", rc, &err);
    if (rc == TIDE_OK)
        printf("  %s %s\n", found.recipient, strcmp(found.id, list[0].id) == 0 ? "same" : "other");
    tell("cancel", tide_cancel(client, list[0].id, &err), &err);
    tell("cancel again", tide_cancel(client, list[0].id, &err), &err);
    tell("release", tide_release(client, list[0].id, &err), &err);
    tell("nobody's", tide_find(client, "0123456789abc", &found, &err), &err);
    tell("no id", tide_find(client, "../status", &found, &err), &err);
    free(list);
}

int main(int argc, char **argv)
{
    struct tide_error err;
    if (argc != 4)
        return 2;
    from = argv[3];
    enum tide_err rc =
        tide_client_open(argv[1], strcmp(argv[2], "-") == 0 ? NULL : argv[2], &client, &err);
    tell("open", rc, &err);
    if (rc != TIDE_OK)
        return 1;
    tide_client_timeout(client, 20000);
    send_all_kinds();
    send_what_is_wrong();
    collapse();
    steer();
    tide_client_close(client);
    return 0;
}
