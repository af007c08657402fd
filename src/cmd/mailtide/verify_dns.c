#include "cmd/mailtide/verify_dns.h"

#include "io/loop/files.h"

#include <unistd.h>

static void on_resolver_closed(void *arg)
{
    (void)arg;
}

static void on_verifier_closed(void *arg)
{
    struct verify_dns *d = arg;
    resolver_close(d->resolver, on_resolver_closed, d);
}

static enum tide_err open_dns(struct verify_dns *d, struct tide_error *err)
{
    enum tide_err rc = resolver_open(&d->loop, &d->clock, &d->config->dns, &d->resolver, err);
    if (rc != TIDE_OK)
        return rc;
    rc = verifier_open(&d->loop, d->resolver, &d->clock, &d->config->profiles,
                       d->config->dns.private_addresses, &d->verifier, err);
    if (rc != TIDE_OK)
        on_verifier_closed(d);
    return rc;
}

int verify_dns_open(struct cli *cli, struct verify_dns *ret)
{
    struct tide_error err;
    *ret = (struct verify_dns){0};
    if (config_load(cli_config_file(cli, R_OK), &files_source, &ret->config, &err) != TIDE_OK)
        return cli_fail(cli, CLI_NO, "%s", err.text);
    clock_init_real(&ret->clock);
    uv_loop_init(&ret->loop);
    enum tide_err rc = recipient_index_init(&ret->hints, &ret->config->profiles, &err);
    if (rc == TIDE_OK)
        rc = open_dns(ret, &err);
    if (rc == TIDE_OK)
        return CLI_OK;
    uv_run(&ret->loop, UV_RUN_DEFAULT);
    verify_dns_fini(ret);
    return cli_fail(cli, CLI_NO, "%s", err.text);
}

void verify_dns_end(struct verify_dns *d)
{
    verifier_close(d->verifier, on_verifier_closed, d);
}

void verify_dns_fini(struct verify_dns *d)
{
    uv_loop_close(&d->loop);
    recipient_index_fini(&d->hints);
    config_free(d->config);
}
