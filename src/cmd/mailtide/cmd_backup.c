/* backup: a copy of the store, of a running daemon too. */
#include "cmd/mailtide/cli.h"

#include "core/config/config.h"
#include "io/loop/files.h"
#include "io/store/copy.h"

#include <stdio.h>
#include <unistd.h>

int cmd_backup(struct cli *cli)
{
    struct config *config = NULL;
    struct tide_error err;
    char path[1024];
    int64_t bytes = 0;
    enum tide_err rc = config_load(cli_config_file(cli, F_OK), &files_source, &config, &err);
    if (rc == TIDE_OK) {
        snprintf(path, sizeof path, "%s%s",
                 config->store.path ? config->store.path : config->state_dir,
                 config->store.path ? "" : "/mailtide.db");
        rc = store_copy(path, cli->argv[0], &bytes, &err);
    }
    config_free(config);
    if (rc != TIDE_OK)
        return cli_fail(cli, CLI_NO, "%s", err.text);
    buf_addf(&cli->out, "%s is copied to %s (%.1f MB), whole and checked.\n", path, cli->argv[0],
             (double)bytes / 1e6);
    return CLI_OK;
}
