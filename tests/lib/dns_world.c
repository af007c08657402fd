#include "lib/dns_world.h"

#include "lib/check.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct record {
    struct record *next;
    struct text name, data;
    enum dns_type type;
    enum dns_status status; /* other than OK: no record */
};

struct dns_world {
    struct arena arena;
    struct record *first, **last;
};

struct dns_world *dns_world_new(void)
{
    struct dns_world *w = calloc(1, sizeof *w);
    T_TRUE(w, "memory");
    w->last = &w->first;
    return w;
}

void dns_world_free(struct dns_world *w)
{
    arena_fini(&w->arena);
    free(w);
}

static struct text without_dot(struct text name)
{
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    return name;
}

static struct record *add(struct dns_world *w, struct text name, enum dns_type type)
{
    struct record *r = ARENA_NEW(&w->arena, struct record);
    r->name = arena_text(&w->arena, without_dot(name));
    r->type = type;
    *w->last = r;
    w->last = &r->next;
    return r;
}

void dns_world_add(struct dns_world *w, struct text name, enum dns_type type, struct text data)
{
    struct record *r = add(w, name, type);
    bool is_name = type == DNS_CNAME || type == DNS_PTR || type == DNS_NS || type == DNS_MX;
    r->data = arena_text(&w->arena, is_name ? without_dot(data) : data);
}

void dns_world_status(struct dns_world *w,
                      struct text name,
                      enum dns_type type,
                      enum dns_status status)
{
    add(w, name, type)->status = status;
}

static void fill(const struct record *r, struct dns_rr *rr)
{
    struct text data = r->data, preference;
    char text[64];
    rr->ttl_s = 300;
    switch (r->type) {
    case DNS_A:
    case DNS_AAAA:
        snprintf(text, sizeof text, TEXT_FMT, TEXT_ARG(data));
        T_EQ(inet_pton(r->type == DNS_A ? AF_INET : AF_INET6, text, rr->address), 1, "%s", text);
        return;
    case DNS_MX:
        (void)text_split(&data, ' ', &preference);
        rr->preference = (uint16_t)strtoul(preference.p, NULL, 10);
        rr->data = data.n ? data : TEXT(".");
        return;
    default:
        rr->data = data;
    }
}

static bool has_name(const struct dns_world *w, struct text name)
{
    for (const struct record *r = w->first; r; r = r->next)
        if (r->type && r->status == DNS_OK &&
            (text_ieq(r->name, name) || (r->name.n > name.n && text_iends(r->name, name) &&
                                         r->name.p[r->name.n - name.n - 1] == '.')))
            return true;
    return false;
}

static const struct record *alias_of(const struct dns_world *w, struct text name)
{
    for (const struct record *r = w->first; r; r = r->next)
        if (r->type == DNS_CNAME && text_ieq(r->name, name))
            return r;
    return NULL;
}

void dns_world_ask(const struct dns_world *w,
                   struct text name,
                   enum dns_type type,
                   struct arena *arena,
                   struct dns_answer *ret)
{
    struct dns_rr *rrs = arena_array(arena, DNS_RRS_MAX, sizeof *rrs);
    name = without_dot(name);
    *ret = (struct dns_answer){.type = type, .ttl_s = 300, .rrs = rrs, .status = DNS_NXDOMAIN};
    for (const struct record *r; type != DNS_CNAME && (r = alias_of(w, name)); name = r->data)
        if (++ret->cname_count > DNS_CNAME_MAX) {
            ret->status = DNS_LOOP;
            return;
        }
    ret->canonical = name;
    for (const struct record *r = w->first; r; r = r->next)
        if (r->type == type && r->status == DNS_OK && text_ieq(r->name, name))
            fill(r, &rrs[ret->rr_count++]);
    if (ret->rr_count || has_name(w, name))
        ret->status = ret->rr_count ? DNS_OK : DNS_NODATA;
    for (const struct record *r = w->first; r && !ret->rr_count; r = r->next)
        if (r->status != DNS_OK && (!r->type || r->type == type) && text_ieq(r->name, name))
            ret->status = r->status;
}

size_t dns_world_run(const struct dns_world *w,
                     struct question first,
                     question_feed feed,
                     void *machine)
{
    size_t asked = 0;
    for (struct question q = first; !q.done; asked++) {
        struct arena arena = {0};
        struct dns_answer a;
        T_TRUE(asked < DNS_WORLD_QUESTIONS_MAX, "the machine ends");
        T_TRUE(q.name.n, "a question has a name");
        dns_world_ask(w, q.name, q.type, &arena, &a);
        feed(machine, &a, &q);
        arena_fini(&arena);
    }
    return asked;
}
