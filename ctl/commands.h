// SPDX-License-Identifier: Apache-2.0
// All subcommands; main.c finds them here.
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/cli.h"

extern const struct cli_command command_up;
extern const struct cli_command command_status;
extern const struct cli_command command_apply;
extern const struct cli_command command_credential_add;
extern const struct cli_command command_credential_list;
extern const struct cli_command command_credential_show;
extern const struct cli_command command_credential_enable;
extern const struct cli_command command_credential_disable;
extern const struct cli_command command_credential_rotate;
extern const struct cli_command command_credential_test;
extern const struct cli_command command_credential_remove;
extern const struct cli_command command_vkey_issue;
extern const struct cli_command command_vkey_list;
extern const struct cli_command command_vkey_revoke;
extern const struct cli_command command_issuer_show;
extern const struct cli_command command_issuer_set;
extern const struct cli_command command_issuer_rotate;
extern const struct cli_command command_issuer_export;
extern const struct cli_command command_catalog_show;
extern const struct cli_command command_catalog_diff;
extern const struct cli_command command_catalog_apply;

#endif
