/* notify - a notification from the command line, with libmailtide:
 *
 *     cc -o notify notify.c $(pkg-config --cflags --libs libmailtide)
 *     ./notify app@example.com "Ann <ann@example.org>" "Build 17 is green" "All 412 tests passed."
 */
#include <mailtide/client.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
    struct tide_client *client;
    struct tide_error err;
    if (argc != 5) {
        fprintf(stderr, "usage: notify FROM TO SUBJECT TEXT\n");
        return 2;
    }
    if (tide_client_open(NULL, getenv("MAILTIDE_KEY"), &client, &err) != TIDE_OK) {
        fprintf(stderr, "notify: %s\n", err.text);
        return 1;
    }
    /* A key makes it safe to call again when the answer was lost. */
    char key[64];
    snprintf(key, sizeof key, "notify-%ld-%d", (long)time(NULL), rand());
    struct tide_message message = {
        .from = argv[1], .to = argv[2], .subject = argv[3], .text = argv[4], .key = key};
    struct tide_notification *list = NULL;
    size_t count = 0;
    enum tide_err rc = tide_send(client, &message, &list, &count, &err);
    for (int again = 0; again < 3 && (rc == TIDE_ECONN || rc == TIDE_ETIMEOUT); again++)
        rc = tide_send(client, &message, &list, &count, &err);
    if (rc != TIDE_OK)
        fprintf(stderr, "notify: %s\n", err.text);
    for (size_t i = 0; i < count; i++)
        printf("%s %s %s: %s\n", list[i].id, list[i].recipient, list[i].state, list[i].reason);
    free(list);
    tide_client_close(client);
    return rc == TIDE_OK ? 0 : 1;
}
