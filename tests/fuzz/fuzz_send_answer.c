/* Any bytes as an ESP's answer to one mail and to several: "API STATUS COUNT\n" and the body. What
 * is said of each mail is said whole, and one that is taken has a name there. */
#include "core/esp/send_batch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COUNT_MAX 64

static struct text header(void *arg, const char *name)
{
    (void)name;
    return text_cut(*(const struct text *)arg, 0, 20);
}

static void check(const struct send_said *said)
{
    assert(said->meaning <= SEND_DOWN && said->fate <= SEND_UNKNOWN);
    assert(said->wait_ms >= 0 && said->wait_ms <= SEND_WAIT_MAX_MS);
    assert(memchr(said->reply.text, '\0', sizeof said->reply.text));
    assert((said->fate == SEND_ACCEPTED) == (said->reply.code == 250));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text body = {(const char *)data, size}, head;
    struct send_said each[COUNT_MAX];
    char api[16], line[64];
    int status = 0, count = 0;
    if (!text_split(&body, '\n', &head) || head.n >= sizeof line)
        return 0;
    snprintf(line, sizeof line, TEXT_FMT, TEXT_ARG(head));
    if (sscanf(line, "%15s %d %d", api, &status, &count) != 3 || count < 2 || count > COUNT_MAX)
        return 0;
    const struct send_api *a = send_api_find(text_of(api));
    const struct send_answer answer = {
        .status = status, .body = body, .header = header, .arg = &body, .now = 1800000000000};
    if (!a || status < 100 || status > 599)
        return 0;
    send_read(a, &answer, &each[0]);
    check(&each[0]);
    if (send_batch_max(a) == 1)
        return 0;
    bool refused = send_batch_read(a, &answer, (size_t)count, each) != SEND_BATCH_EACH;
    for (int i = 0; i < count; i++) {
        check(&each[i]);
        assert(!refused || each[i].fate == SEND_REFUSED);
    }
    return 0;
}
