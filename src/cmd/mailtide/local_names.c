#include "cmd/mailtide/local_names.h"

#include "base/buf.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define ALIASES_PATH      "/etc/aliases"
#define MAILNAME_PATH     "/etc/mailname"
#define ALIASES_BYTES_MAX (1u << 20)
#define ALIAS_DEPTH_MAX   10

void local_host(char ret[LOCAL_HOST_BYTES])
{
    FILE *f = fopen(MAILNAME_PATH, "re");
    ret[0] = 0;
    if (f) {
        if (fgets(ret, LOCAL_HOST_BYTES, f))
            ret[strcspn(ret, " \t\r\n")] = 0;
        fclose(f);
    }
    if (!ret[0] && (gethostname(ret, LOCAL_HOST_BYTES - 1) != 0 || !ret[0]))
        snprintf(ret, LOCAL_HOST_BYTES, "localhost");
    ret[LOCAL_HOST_BYTES - 1] = 0;
}

struct text local_user(struct arena *a)
{
    const struct passwd *p = getpwuid(getuid());
    return p && p->pw_name[0] ? arena_text(a, text_of(p->pw_name))
                              : text_of(arena_printf(a, "uid%u", (unsigned)getuid()));
}

struct text local_user_name(struct arena *a)
{
    const struct passwd *p = getpwuid(getuid());
    struct text person = p && p->pw_gecos ? text_of(p->pw_gecos) : TEXT("");
    return arena_text(a, text_trim(text_cut(person, 0, text_find(person, ','))));
}

/* What stands behind "name:", with the lines that are folded below it. */
static bool find_line(struct text aliases, struct text name, struct text *ret)
{
    struct text rest = aliases, line;
    while (text_split(&rest, '\n', &line)) {
        size_t colon = text_find(line, ':');
        struct text left = text_trim(text_cut(line, 0, colon));
        if (left.n > 1 && left.p[0] == '"' && left.p[left.n - 1] == '"')
            left = text_cut(left, 1, left.n - 2);
        if (line.n == 0 || line.p[0] == '#' || colon == line.n || !text_ieq(left, name))
            continue;
        const char *from = line.p + colon + 1, *end = line.p + line.n;
        while (text_split(&rest, '\n', &line) && line.n > 0 &&
               (line.p[0] == ' ' || line.p[0] == '\t'))
            end = line.p + line.n;
        *ret = (struct text){from, (size_t)(end - from)};
        return true;
    }
    return false;
}

static bool has_at(struct text t)
{
    return text_find(t, '@') < t.n;
}

struct text local_alias(struct arena *a, struct text aliases, struct text name, const char *host)
{
    for (int depth = 0; !has_at(name) && depth < ALIAS_DEPTH_MAX; depth++) {
        struct text targets, target, next = {0};
        if (!find_line(aliases, name, &targets))
            break;
        while (next.n == 0 && text_split(&targets, ',', &target)) {
            target = text_trim(target);
            if (target.n > 0 && !strchr("|/:\"\\", target.p[0]))
                next = target;
        }
        if (next.n == 0)
            break;
        name = next;
    }
    if (has_at(name))
        return arena_text(a, name);
    return text_of(arena_printf(a, TEXT_FMT "@%s", TEXT_ARG(name), host));
}

struct text local_address(struct arena *a, struct text name, const char *host)
{
    struct buf b = {.max = ALIASES_BYTES_MAX};
    FILE *f = has_at(name) ? NULL : fopen(ALIASES_PATH, "re");
    if (f) {
        for (size_t n = 1; n > 0;) {
            char *room = buf_room(&b, 65536);
            n = room ? fread(room, 1, 65536, f) : 0;
            buf_added(&b, n);
        }
        fclose(f);
    }
    struct text full = local_alias(a, buf_text(&b), name, host);
    buf_fini(&b);
    return full;
}
