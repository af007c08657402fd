/* Replays a fuzz target's corpus: each file as it is, and cut at a few places. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_BYTES_MAX (1 << 20)

static int replay_file(const char *path)
{
    static uint8_t bytes[FILE_BYTES_MAX];
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    /* Cuts in memory of its own size, so that a sanitizer sees one byte too far. */
    for (size_t cut = 0; cut <= 16; cut++) {
        size_t size = n * cut / 16;
        uint8_t *copy = malloc(size ? size : 1);
        if (!copy)
            return 0;
        memcpy(copy, bytes, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
    }
    return 1;
}

int main(int argc, char **argv)
{
    /* "build/.../replay_fuzz_addr" replays tests/fuzz/corpus/addr. */
    const char *name = strrchr(argv[0], '/');
    char dir[512], path[1024];
    name = name ? name + 1 : argv[0];
    if (strncmp(name, "replay_fuzz_", 12) != 0)
        return 2;
    snprintf(dir, sizeof dir, "tests/fuzz/corpus/%s", argc > 1 ? argv[1] : name + 12);
    DIR *d = opendir(dir);
    int count = 0;
    if (!d) {
        fprintf(stderr, "%s: no corpus\n", dir);
        return 1;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        count += replay_file(path);
    }
    closedir(d);
    printf("%s: %d files replayed\n", name, count);
    return count > 0 ? 0 : 1;
}
