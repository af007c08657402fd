/* load.h - a configuration in the making: the files, and where each named item was written.
 *
 * Private to src/core/config: config.c reads the files and the plain keys, profiles_load.c the
 * profiles, items.c the named groups, check.c what must hold between them.
 *
 * Owns      the trees (until config_load() ends). Everything else is made in the configuration's
 *           arena.
 * Threads   one at a time.
 */
#ifndef CORE_CONFIG_LOAD_H
#define CORE_CONFIG_LOAD_H

#include "core/config/doc.h"

#define LOAD_DOCS_MAX  128   /* the main file and conf.d */
#define LOAD_ITEMS_MAX 10000 /* streams, accounts or applications */

/* Of an account when neither it nor its profile says. KumoMTA's default shape has 10 and 100; an
 * ESP's front door is asked for less. */
#define CONNECTIONS_DEFAULT 4
#define MESSAGES_DEFAULT    100
/* Mails in one request: what more would save is little, and with an answer the fate of as many is
 * lost. */
#define BATCH_DEFAULT 50

/* Of an account that does not say. */
int account_batch_usual(const struct config_account *a);

/* A named group's member and where it was first written. */
struct load_item {
    const struct doc *doc;
    const config_setting_t *at;
    void *form; /* struct stream_form and its kin */
};

struct load_items {
    struct load_item *items;
    size_t count;
};

struct load {
    struct config *config;
    const struct config_source *source;
    struct doc_values values;
    struct doc docs[LOAD_DOCS_MAX];
    size_t doc_count; /* the first one is config_builtin */
    struct load_items streams, accounts, applications;
};

TIDE_MUST_CHECK enum tide_err load_profiles(struct load *l, struct tide_error *err);
TIDE_MUST_CHECK enum tide_err load_named(struct load *l, struct tide_error *err);
TIDE_MUST_CHECK enum tide_err load_check(struct load *l, struct tide_error *err);

/* The setting of the plain key in the last file that has it; false: none has. */
bool load_where(const struct load *l,
                const char *path,
                const struct doc **ret_doc,
                const config_setting_t **ret);

#endif
