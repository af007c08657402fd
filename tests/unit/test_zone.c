#include "base/macros.h"
#include "io/loop/zones.h"
#include "lib/check.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ZONEINFO "/usr/share/zoneinfo/"
#define FROM_S   946684800LL  /* 2000-01-01 */
#define TO_S     2145916800LL /* 2038-01-01 */

static char *names[2000];
static size_t name_count;

static int on_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    const char *name = path + strlen(ZONEINFO);
    char magic[4] = "";
    if (type != FTW_F || !strncmp(name, "right/", 6) || !strncmp(name, "posix/", 6))
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, magic, 4) == 4 && !memcmp(magic, "TZif", 4) &&
        zone_name_is_sane(text_of(name)) && name_count < TIDE_COUNT(names))
        names[name_count++] = strdup(name);
    if (fd >= 0)
        close(fd);
    return 0;
}

static int glibc_offset(int64_t t)
{
    struct tm tm;
    time_t s = (time_t)t;
    if (!localtime_r(&s, &tm))
        T_FAIL("localtime_r of %lld", (long long)t);
    return (int)tm.tm_gmtoff;
}

static void same_offset(const char *name, const struct zone *z, int64_t t)
{
    T_EQ(zone_offset_s(z, t * 1000), glibc_offset(t), "%s at %lld", name, (long long)t);
}

/* The day around t: its start shows its time, or the first after a gap; nothing earlier does. */
static void check_start_of_day(const char *name, const struct zone *z, int64_t t)
{
    int64_t local = t + glibc_offset(t), midnight = local - local % 86400;
    int64_t start = zone_instant(z, midnight * 1000) / 1000;
    int64_t shown = start + glibc_offset(start), before = start - 1 + glibc_offset(start - 1);
    T_TRUE(shown >= midnight, "%s: %lld starts before its day", name, (long long)start);
    T_TRUE(shown == midnight || before < midnight, "%s: %lld is late", name, (long long)start);
    for (int64_t back = 1; back < 30 * 3600; back += 1800) {
        int64_t other = midnight - glibc_offset(start - back);
        T_TRUE(other >= start || other + glibc_offset(other) != midnight,
               "%s: %lld shows the midnight of %lld earlier", name, (long long)other,
               (long long)start);
    }
}

/* Both sides of a change, to the second, and the days around it. */
static void check_change(const char *name, const struct zone *z, int64_t before, int64_t after)
{
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        if (glibc_offset(middle) == glibc_offset(before))
            before = middle;
        else
            after = middle;
    }
    same_offset(name, z, before);
    same_offset(name, z, after);
    for (int day = -1; day <= 1; day++)
        check_start_of_day(name, z, after + day * 86400);
    check_start_of_day(name, z, before);
}

static void test_every_zone_against_glibc(void **state)
{
    (void)state;
    const int64_t step = 47 * 3600 + 13 * 60;
    size_t changes = 0;
    T_EQ(nftw(ZONEINFO, on_file, 16, FTW_PHYS), 0, "walk");
    T_TRUE(name_count > 300, "only %zu zones in " ZONEINFO, name_count);
    for (size_t i = 0; i < name_count; i++) {
        struct zone *z = NULL;
        struct tide_error err;
        T_OK(zones_load(NULL, names[i], &z, &err), &err, "%s", names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t t = FROM_S; t + step < TO_S; t += step) {
            same_offset(names[i], z, t);
            if (glibc_offset(t) != glibc_offset(t + step)) {
                check_change(names[i], z, t, t + step);
                changes++;
            }
        }
        zone_free(z);
        free(names[i]);
    }
    unsetenv("TZ");
    tzset();
    T_TRUE(changes > 5000, "only %zu changes seen", changes);
}

static const struct {
    const char *name;
    bool sane;
} name_cases[] = {
    {"Asia/Shanghai", true},
    {"Etc/GMT+8", true},
    {"America/Argentina/Buenos_Aires", true},
    {"America/Port-au-Prince", true},
    {"", false},
    {"/etc/passwd", false},
    {"../../etc/passwd", false},
    {"Asia//Shanghai", false},
    {"Asia/", false},
    {"Asia/..", false},
    {":Asia/Shanghai", false},
    {"Asia/Shang hai", false},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(name_cases); i++)
        T_EQ(zone_name_is_sane(text_of(name_cases[i].name)), name_cases[i].sane, "%s",
             name_cases[i].name);
    struct zone *z = NULL;
    struct tide_error err;
    T_EQ(zones_load(NULL, "Asia/Nowhere", &z, &err), TIDE_ENOENT, "unknown");
    T_TRUE(strstr(err.text, "tzdata-legacy"), "%s", err.text);
    T_EQ(zones_load(NULL, "../x", &z, &err), TIDE_EINVAL, "leads elsewhere");
}

static void test_table_bounds(void **state)
{
    (void)state;
    struct tide_error err;
    struct zone *z = zone_new(3600);
    T_EQ(zone_offset_s(z, 0), 3600, "no change yet");
    T_OK(zone_add(z, 1000, 7200, &err), &err, "first");
    T_EQ(zone_add(z, 1000, 0, &err), TIDE_ERANGE, "not after the one before");
    T_EQ(zone_add(z, 2000, 86400, &err), TIDE_ERANGE, "a day from UTC");
    for (int i = 1; i < ZONE_CHANGES_MAX; i++)
        T_OK(zone_add(z, 1000 + i * 86400000LL, i % 2 * 3600, &err), &err, "change %d", i);
    T_EQ(zone_add(z, INT64_MAX, 0, &err), TIDE_ERANGE, "one too many");
    zone_free(z);
    T_EQ(zone_instant(NULL, 12345), 12345, "NULL is UTC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_zone_against_glibc),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_table_bounds),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
