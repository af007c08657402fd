#include "base/log.h"
#include "cmd/mailtided/inside.h"
#include "cmd/templates.h"
#include "io/loop/files.h"

#include <stdlib.h>

enum tide_err daemon_read_config(struct daemon *d, struct generation **ret, struct tide_error *err)
{
    struct generation *g = calloc(1, sizeof *g);
    if (!g)
        return tide_fail(err, TIDE_ENOMEM, "out of memory");
    enum tide_err rc = config_load(d->options.config_path, &files_source, &g->config, err);
    if (rc == TIDE_OK)
        rc = templates_load(g->config, &g->templates, err);
    if (rc == TIDE_OK && g->config->profiles.provider_count == 0)
        log_warn("config.no_providers",
                 "consequence=\"no mailbox provider's limits are known\" wanted=\"a folder of "
                 "profiles: schedules, $MAILTIDE_SCHEDULES, or make install\"");
    if (rc == TIDE_OK)
        rc = rulebook_load(&files_source, g->config->schedules, g->config->schedule_count,
                           &g->rules, err);
    if (rc == TIDE_OK)
        rc = provider_index_init(&g->providers, &g->config->profiles, err);
    if (rc == TIDE_OK)
        *ret = g;
    else
        daemon_free_generation(g);
    return rc;
}

void daemon_free_generation(struct generation *g)
{
    while (g) {
        struct generation *older = g->older;
        digest_templates_free(g->templates);
        rulebook_free(g->rules);
        provider_index_fini(&g->providers);
        config_free(g->config);
        free(g);
        g = older;
    }
}

static void set_log_level(const struct config *config)
{
    enum log_level level;
    if (log_level_of(text_of(config->log_level), &level))
        log_set_level(level);
}

/* Each room takes the new configuration or keeps the old one; the planner first, since it finds
 * what is wrong with limits and zones, the doors last. */
static enum tide_err put_in_force(struct daemon *d, struct generation *g, struct tide_error *err)
{
    const struct config *old = d->generation->config, *config = g->config;
    struct tide_error ignored;
    enum tide_err rc = planner_configure(d->planner, config, err);
    if (rc != TIDE_OK)
        return rc;
    rc = verifier_set_profiles(d->verifier, &config->profiles, config->dns.private_addresses, err);
    if (rc == TIDE_OK)
        rc = drive_configure(d->drive, config, g->templates, err);
    if (rc != TIDE_OK) {
        /* What went well has to go back: with the old configuration it did go well before. */
        if (planner_configure(d->planner, old, &ignored) != TIDE_OK ||
            verifier_set_profiles(d->verifier, &old->profiles, old->dns.private_addresses,
                                  &ignored) != TIDE_OK)
            log_error("reload.half", "error=\"%s\"", ignored.text);
        return rc;
    }
    g->older = d->generation;
    d->generation = g;
    drive_set_rules(d->drive, g->rules);
    drive_review(d->drive, g->rules);
    bounces_set_rules(d->bounces, g->rules);
    /* A key of another text makes old addresses none of ours: whoever changes it wants that. */
    struct verp verp;
    if (bounce_key_load(config, &verp, &ignored) == TIDE_OK)
        d->verp = verp;
    else
        log_error("reload.bounce_key", "error=\"%s\"", ignored.text);
    rc = daemon_set_policy(d, err);
    if (rc != TIDE_OK)
        log_error("reload.policy", "error=\"%s\" consequence=\"the old policy stays\"", err->text);
    set_log_level(config);
    rc = sender_watch_configure(d->senders, config, err);
    if (rc != TIDE_OK)
        log_error("reload.senders", "error=\"%s\" consequence=\"checks go on by the old rules\"",
                  err->text);
    feed_configure(d->feed, config);
    rc = verify_door_configure(d->verify, config, err);
    if (rc != TIDE_OK)
        log_error("reload.verify", "error=\"%s\" consequence=\"hints go on by the old lists\"",
                  err->text);
    rc = account_watch_configure(d->quotas, config, err);
    if (rc != TIDE_OK)
        log_error("reload.quotas", "error=\"%s\" consequence=\"accounts are asked as before\"",
                  err->text);
    rc = list_sync_configure(d->lists, config, g->rules, err);
    if (rc != TIDE_OK)
        log_error("reload.lists", "error=\"%s\" consequence=\"ESPs' lists are not read\"",
                  err->text);
    rc = status_configure(d->status, &config->status, err);
    if (rc == TIDE_OK)
        rc = smtp_listener_reload(d->smtp, err);
    if (rc != TIDE_OK) {
        log_error("reload.door", "error=\"%s\" consequence=\"this door goes on as before\"",
                  err->text);
        rc = TIDE_OK;
    }
    return rc;
}

/* Whoever reloads by systemctl sees no log: it stands in the status until a good one is read. */
static void tell_refused(struct daemon *d, const char *why)
{
    char sentence[TIDE_ERROR_BYTES_MAX + 80];
    snprintf(sentence, sizeof sentence, "The new configuration was refused: %s.", why);
    drive_raise_alarm(d->drive, TEXT("configuration"), ALARM_WARNING, text_of(sentence),
                      TEXT("The old one is still in force: correct the new one, try it with "
                           "mailtide check-config, and send HUP again."));
}

void daemon_reload(struct daemon *d)
{
    struct generation *g = NULL;
    struct tide_error err;
    notify_systemd("RELOADING=1");
    enum tide_err rc = daemon_read_config(d, &g, &err);
    if (rc == TIDE_OK && !d->feed)
        rc = tide_fail(&err, TIDE_EBUSY, "mailtide has not started yet");
    if (rc == TIDE_OK)
        rc = put_in_force(d, g, &err);
    if (rc == TIDE_OK) {
        log_info("reload.done", "file=%s",
                 d->options.config_path ? d->options.config_path : "(none)");
        drive_clear_alarm(d->drive, TEXT("configuration"), TEXT("it was read and is in force"));
    } else {
        log_error("reload.refused", "error=\"%s\" consequence=\"the old configuration stays\"",
                  err.text);
        if (d->drive)
            tell_refused(d, err.text);
        if (g && g != d->generation)
            daemon_free_generation(g);
    }
    notify_systemd("READY=1");
}
