/* How many bounce mails a second are read, with all rules?
 *
 *   bench_bounces FOLDER [SECONDS] [SCHEDULES]      every file of the folder is one mail
 *
 * Part of bench/bounces.sh, which runs sisimai over the same files. Reading the files is not in the
 * time; making each mail's arena is. */
#include "base/file.h"
#include "core/outcome/bounce.h"
#include "core/verify/provider.h"
#include "io/loop/files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAILS_MAX 4096

static struct buf mails[MAILS_MAX];
static size_t mail_count;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int read_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    struct tide_error err;
    while (dir && mail_count < MAILS_MAX && (entry = readdir(dir)) != NULL) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' &&
            file_read(name, 8u << 20, &mails[mail_count], &err) == TIDE_OK)
            mail_count++;
    }
    if (dir)
        closedir(dir);
    return mail_count > 0;
}

int main(int argc, char **argv)
{
    struct tide_error err;
    struct rulebook *rules;
    struct arena a = {0};
    size_t done = 0, bytes = 0, recipients = 0;
    if (argc < 2 || !read_folder(argv[1])) {
        fprintf(stderr, "usage: bench_bounces FOLDER [SECONDS] [SCHEDULES], got no mail\n");
        return 2;
    }
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
    char *folders[] = {argc > 3 ? argv[3] : (char *)(uintptr_t) "./schedules"};
    if (rulebook_load(&files_source, folders, 1, &rules, &err) != TIDE_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    double begin = now_s(), spent;
    do {
        for (size_t i = 0; i < mail_count; i++) {
            struct bounce b;
            if (bounce_read(buf_text(&mails[i]), rules, NULL, &a, &b, &err) != TIDE_OK) {
                fprintf(stderr, "%s\n", err.text);
                return 1;
            }
            bytes += mails[i].len;
            recipients += b.recipient_count;
            arena_reset(&a);
        }
        done += mail_count;
        spent = now_s() - begin;
    } while (spent < seconds);
    printf("bounces_per_s %.0f mails/s (%zu files)\n", (double)done / spent, mail_count);
    printf("bounces_megabytes_per_s %.1f MB/s\n", (double)bytes / spent / 1e6);
    printf("bounces_recipients_per_mail %.2f recipients\n", (double)recipients / (double)done);
    arena_fini(&a);
    rulebook_free(rules);
    return 0;
}
